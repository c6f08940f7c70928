package throttle

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/google/go-cmp/cmp"
)

func answered(status int, err error) error {
	return &smithyhttp.ResponseError{Response: &smithyhttp.Response{Response: &http.Response{StatusCode: status}}, Err: err}
}

func coded(status int, code, message string) error {
	return answered(status, &smithy.GenericAPIError{Code: code, Message: message})
}

func TestErrorsAreClassified(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want class
	}{
		{coded(400, "ThrottlingException", "Rate exceeded"), throttle},
		{coded(400, "Throttling", ""), throttle},
		{coded(400, "ThrottledException", ""), throttle},
		{coded(400, "RequestThrottled", ""), throttle},
		{coded(400, "RequestThrottledException", ""), throttle},
		{coded(503, "RequestLimitExceeded", ""), throttle},
		{coded(429, "TooManyRequestsException", ""), throttle},
		{coded(503, "SlowDown", ""), throttle},
		{coded(400, "EC2ThrottledException", ""), throttle},
		{coded(509, "BandwidthLimitExceeded", ""), throttle},
		{coded(400, "PriorRequestNotComplete", ""), throttle},
		{coded(429, "UnknownError", ""), throttle},
		{fmt.Errorf("wrapped: %w", coded(400, "ThrottlingException", "")), throttle},

		{coded(400, "ClientException", "Too many concurrent attempts to create a new revision of the specified family."), contention},
		{coded(500, "ConcurrentUpdateException", ""), contention},

		{coded(500, "ServerException", ""), transient},
		{coded(400, "ServerException", ""), transient},
		{coded(500, "UnknownError", ""), transient},
		{coded(502, "UnknownError", ""), transient},
		{coded(503, "ServiceUnavailableException", ""), transient},
		{coded(504, "UnknownError", ""), transient},
		{coded(400, "RequestTimeout", ""), transient},
		{coded(400, "RequestTimeoutException", ""), transient},
		{answered(0, &smithyhttp.RequestSendError{Err: syscall.ECONNRESET}), transient},
		{answered(200, &smithy.DeserializationError{Err: io.ErrUnexpectedEOF}), transient},
		{&net.DNSError{IsNotFound: true}, transient},

		{coded(400, "LimitExceededException", ""), permanent},
		{coded(429, "LimitExceededException", ""), permanent},
		{coded(400, "ClientException", "No configuration"), permanent},
		{coded(400, "DeploymentLimitExceededException", ""), permanent},
		{coded(400, "ExpiredTokenException", ""), permanent},
		{coded(400, "ConflictException", ""), permanent},
		{coded(400, "AccessDeniedException", ""), permanent},
		{coded(400, "InvalidParameterException", ""), permanent},
		{coded(400, "ClusterNotFoundException", ""), permanent},
		{answered(400, &smithy.DeserializationError{Err: io.ErrUnexpectedEOF}), permanent},
		{errors.New("something else"), permanent},
	} {
		if got := classify(tt.err); got != tt.want {
			t.Errorf("%v: class %d, want %d", tt.err, got, tt.want)
		}
		if IsThrottle(tt.err) != (tt.want == throttle) {
			t.Errorf("%v: IsThrottle is %v", tt.err, IsThrottle(tt.err))
		}
	}
}

// An SDK that learns a new code should teach it to us.
func TestThrottlingCodesAreThoseOfTheSDK(t *testing.T) {
	ours := []string{
		"LimitExceededException",         // we know better: see codes
		"TransactionInProgressException", // DynamoDB only
	}
	for code, c := range codes {
		if c == throttle {
			ours = append(ours, code)
		}
	}
	slices.Sort(ours)
	if diff := cmp.Diff(slices.Sorted(maps.Keys(retry.DefaultThrottleErrorCodes)), ours); diff != "" {
		t.Error(diff)
	}
	for code := range retry.DefaultRetryableErrorCodes {
		if codes[code] != transient {
			t.Errorf("the SDK repeats %s and we do not", code)
		}
	}
}

func TestActionsHaveBucketsAndExist(t *testing.T) {
	for service, buckets := range actions {
		if _, ok := buckets[anyOther]; !ok {
			t.Errorf("%s has no bucket for actions that are not listed", service)
		}
		for action, name := range buckets {
			if _, ok := seeds[name]; !ok {
				t.Errorf("%s %s: bucket %s has no quota", service, action, name)
			}
		}
	}
	client := reflect.TypeFor[*ecs.Client]()
	for action := range actions[ecs.ServiceID] {
		if _, ok := client.MethodByName(action); !ok && action != anyOther {
			t.Errorf("ECS has no action %s", action)
		}
	}
	for _, tt := range []struct{ service, action, want string }{
		{"ECS", "UpdateService", "ecs:service-modify"},
		{"ECS", "StopServiceDeployment", "ecs:service-deployment-modify"},
		{"ECS", "CreateDaemon", "ecs:other"},
		{"ECS", "ContinueServiceDeployment", "ecs:service-deployment-modify"},
		{"CodeDeploy", "CreateDeployment", "codedeploy"},
		{"CodeDeploy", "BatchGetDeploymentTargets", "codedeploy"},
		{"Application Auto Scaling", "DescribeScalableTargets", "application-autoscaling:read"},
		{"Application Auto Scaling", "RegisterScalableTarget", "application-autoscaling:write"},
		{"Application Auto Scaling", "DeleteScheduledAction", "application-autoscaling:write"},
		{"Elastic Load Balancing v2", "DescribeTargetHealth", "elbv2:read"},
		{"CloudWatch", "DescribeAlarms", "cloudwatch:describe-alarms"},
		{"CloudWatch", "GetMetricData", "cloudwatch:get-metric-data"},
		{"CloudWatch Logs", "GetLogEvents", "logs:get-log-events"},
		{"STS", "GetCallerIdentity", "sts"},
		{"Route 53", "ListHostedZones", "other"},
	} {
		if got := bucketOf(tt.service, tt.action); got != tt.want {
			t.Errorf("%s %s: bucket %s, want %s", tt.service, tt.action, got, tt.want)
		}
	}
}

func TestOnlyWhatBearsItIsRepeatable(t *testing.T) {
	for action, want := range map[string]bool{
		"DescribeServices": true, "ListTasks": true, "RunTask": true, "StopTask": true,
		"RegisterTaskDefinition": false, "UpdateService": false, "CreateService": false,
		"StopServiceDeployment": false, "ContinueServiceDeployment": false, "CreateTaskSet": false,
	} {
		if repeatable("ECS", action) != want {
			t.Errorf("ECS %s: repeatable is %v", action, !want)
		}
	}
	for action, want := range map[string]bool{
		"BatchGetDeployments": true, "GetDeployment": true,
		"CreateDeployment": false, "StopDeployment": false, "ContinueDeployment": false,
	} {
		if repeatable("CodeDeploy", action) != want {
			t.Errorf("CodeDeploy %s: repeatable is %v", action, !want)
		}
	}
	if !repeatable("Application Auto Scaling", "PutScheduledAction") || !repeatable("STS", "AssumeRole") {
		t.Error("an upsert or AssumeRole is not repeatable")
	}
}

func TestBackoffDoublesWithJitterUpToALimit(t *testing.T) {
	for n, whole := range map[int]time.Duration{1: 500 * time.Millisecond, 2: time.Second, 5: 8 * time.Second, 6: 16 * time.Second, 7: maxBackoff, 1000: maxBackoff} {
		for range 100 {
			if d := backoff(n); d < whole/2 || d >= whole {
				t.Fatalf("backoff(%d) is %s, want %s to %s", n, d, whole/2, whole)
			}
		}
	}
}

func FuzzHeaderDuration(f *testing.F) {
	for _, s := range []string{"", "0", "-1", "1500", "99999999999999999999", "1e3", "Wed, 21 Oct 2026 07:28:00 GMT"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d := headerDuration(http.Header{"Retry-After": {s}}, "Retry-After", time.Second)
		n, err := strconv.ParseInt(s, 10, 64)
		want := time.Duration(0)
		if err == nil && n > 0 {
			want = maxRetryAfter
			if n < 60 {
				want = time.Duration(n) * time.Second
			}
		}
		if d != want {
			t.Errorf("%q: %s, want %s", s, d, want)
		}
	})
}
