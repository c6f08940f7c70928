package throttle_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	"github.com/google/go-cmp/cmp"

	"ecs-fleet/internal/throttle"
)

// The order is what makes each attempt wait, and wait before it is signed. An
// SDK that changes it must be looked at.
func TestAttemptsAreMeteredInsideTheRetryLoopAndBeforeSigning(t *testing.T) {
	var order []string
	list := func(stack *middleware.Stack) error {
		order = stack.List()
		return nil
	}
	s := throttle.New(throttle.Limits{}).Scope("1", "r")
	c := ecs.NewFromConfig(aws.Config{Region: "eu-west-1", HTTPClient: &http.Client{Transport: &server{}},
		Credentials: aws.AnonymousCredentials{}, Retryer: s.Retryer(), APIOptions: append(s.APIOptions(), list)})
	if err := update(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"UpdateService",
		"Initialize stack step", "ThrottleCall", "OperationInputValidation",
		"Serialize stack step", "setOperationInput", "ResolveEndpoint", "OperationSerializer",
		"Build stack step", "ClientRequestID", "UserAgent", "RecursionDetection",
		"Finalize stack step", "InterceptBeforeRetryLoop", "Retry", "ThrottleAttempt", "InterceptAttempt",
		"ResolveAuthScheme", "GetIdentity", "ResolveEndpointV2", "disableHTTPS", "ComputePayloadHash",
		"setLegacyContextSigningOptions", "Signing",
		"Deserialize stack step", "AddRawResponseToMetadata", "ResponseErrorWrapper", "RequestIDRetriever",
		"OperationDeserializer", "RecordResponseTiming", "RequestResponseLogger",
	}
	if diff := cmp.Diff(want, order); diff != "" {
		t.Error(diff)
	}
}

// always answers each request in the same way.
func always(status int, code, message string) func(int, *http.Request) (*http.Response, error) {
	return func(int, *http.Request) (*http.Response, error) { return failure(status, code, message), nil }
}

// once answers the first request so, and lets the bucket decide about others.
func once(status int, code, message string) func(int, *http.Request) (*http.Response, error) {
	return func(n int, _ *http.Request) (*http.Response, error) {
		if n > 1 {
			return nil, nil
		}
		return failure(status, code, message), nil
	}
}

func breaks(err error) func(int, *http.Request) (*http.Response, error) {
	return func(int, *http.Request) (*http.Response, error) { return nil, err }
}

func TestWhatIsSentAgain(t *testing.T) {
	refusedConnection := &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
	for _, tt := range []struct {
		name    string
		call    func(context.Context, *ecs.Client) error
		answer  func(int, *http.Request) (*http.Response, error)
		sent    int
		fails   bool
		unknown bool
	}{
		{name: "a throttled write", call: update, answer: once(400, "ThrottlingException", "Rate exceeded"), sent: 2},
		{name: "a 429 without a known code", call: update, answer: once(429, "Unheard", ""), sent: 2},
		{name: "a registration that overlaps another of its family", call: update,
			answer: once(400, "ClientException", "Too many concurrent attempts to create a new revision of the specified family."), sent: 2},
		{name: "an update of a scalable target under way", call: update, answer: once(500, "ConcurrentUpdateException", ""), sent: 2},
		{name: "a read that met a server fault", call: describe, answer: once(500, "ServerException", ""), sent: 2},
		{name: "a read that met a server fault sent with status 400", call: describe, answer: once(400, "ServerException", ""), sent: 2},
		{name: "a read whose faults do not end, eight times", call: describe, answer: always(503, "ServerException", ""), sent: 8, fails: true},
		{name: "a write that may have happened, never", call: update, answer: always(500, "ServerException", ""), sent: 1, fails: true, unknown: true},
		{name: "a write whose connection broke, never", call: update, answer: breaks(syscall.ECONNRESET), sent: 1, fails: true, unknown: true},
		{name: "a read whose connection broke, eight times", call: describe, answer: breaks(syscall.ECONNRESET), sent: 8, fails: true},
		{name: "a write that had no connection, eight times", call: update, answer: breaks(refusedConnection), sent: 8, fails: true},
		{name: "a write whose host was not found, eight times", call: update, answer: breaks(&net.DNSError{IsNotFound: true}), sent: 8, fails: true},
		{name: "a limit that stays, never", call: update, answer: always(400, "LimitExceededException", ""), sent: 1, fails: true},
		{name: "a denied call, never", call: describe, answer: always(400, "AccessDeniedException", ""), sent: 1, fails: true},
		{name: "expired credentials, never", call: describe, answer: always(400, "ExpiredTokenException", ""), sent: 1, fails: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &server{answer: tt.answer}
				err := tt.call(t.Context(), client(throttle.New(throttle.Limits{}).Scope("1", "r"), s))
				_, unknown := errors.AsType[*throttle.UnknownOutcome](err)
				if len(s.arrivals) != tt.sent || (err != nil) != tt.fails || unknown != tt.unknown {
					t.Errorf("sent %d times, error %v; want %d, fails %v, unknown outcome %v", len(s.arrivals), err, tt.sent, tt.fails, tt.unknown)
				}
			})
		})
	}
}

func TestCancelledWriteOnItsWayHasAnUnknownOutcome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 40*time.Millisecond)
		defer cancel()
		err := update(ctx, client(throttle.New(throttle.Limits{}).Scope("1", "r"), &server{}))
		if _, ok := errors.AsType[*throttle.UnknownOutcome](err); !ok || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v; want an unknown outcome because of the deadline", err)
		}
	})
}

func TestEndOfContextInTheQueueNamesTheQuota(t *testing.T) {
	reason := errors.New("the environment's deadline passed")
	for _, tt := range []struct {
		name string
		s    *server
		want throttle.Error
		last string
	}{
		{
			name: "before the first attempt",
			s:    &server{quota: constant(throttle.Quota{Rate: 5, Burst: 50})},
			want: throttle.Error{Bucket: "ecs:service-modify", Account: "111122223333", Region: "eu-west-1", Operation: "UpdateService", Waited: 2 * time.Second},
		},
		{
			name: "between throttled attempts",
			s:    &server{answer: always(400, "ThrottlingException", "Rate exceeded")},
			// After 0.06 s, and then with an ever lower rate: see pace.
			want: throttle.Error{Bucket: "ecs:service-modify", Account: "111122223333", Region: "eu-west-1", Operation: "UpdateService", Waited: 2 * time.Second},
			last: "ThrottlingException",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				scope := throttle.New(throttle.Limits{}).Scope("111122223333", "eu-west-1")
				c := client(scope, tt.s)
				ctx, cancel := context.WithCancelCause(t.Context())
				var wg sync.WaitGroup
				if tt.last == "" { // others stand in front
					for range 100 {
						wg.Go(func() { _ = update(throttle.WithPriority(t.Context(), throttle.Undo), c) })
					}
					synctest.Wait()
				}
				wg.Go(func() {
					time.Sleep(2 * time.Second)
					cancel(reason)
				})
				err := update(ctx, c)
				wg.Wait()
				got, ok := errors.AsType[*throttle.Error](err)
				if !ok || !errors.Is(err, reason) {
					t.Fatalf("got %v; want an Error that wraps the context's cause", err)
				}
				if api, _ := errors.AsType[smithy.APIError](err); (tt.last != "") != (api != nil && api.ErrorCode() == tt.last) {
					t.Errorf("last AWS error is %v, want %q", api, tt.last)
				}
				if (got.Throttled > 0) != (tt.last != "") {
					t.Errorf("throttled %d times", got.Throttled)
				}
				bare := *got
				bare.Cause, bare.Last, bare.Throttled = nil, nil, 0
				if diff := cmp.Diff(tt.want, bare); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

// ending ends a context while an answer is on its way, as close as can be to
// the attempt's end.
type ending struct {
	end    context.CancelCauseFunc
	why    error
	answer *http.Response
}

func (e ending) RoundTrip(*http.Request) (*http.Response, error) {
	e.end(e.why)
	return e.answer, nil
}

func TestEndOfContextBetweenAttemptsKeepsTheAnswer(t *testing.T) {
	reason := errors.New("the environment's deadline passed")
	for _, tt := range []struct {
		name, code string
		status     int
		throttled  bool
	}{
		{name: "a throttled answer", status: 400, code: "ThrottlingException", throttled: true},
		{name: "a server fault", status: 503, code: "ServerException"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(t.Context())
				transport := ending{end: cancel, why: reason, answer: failure(tt.status, tt.code, "")}
				err := describe(ctx, client(throttle.New(throttle.Limits{}).Scope("1", "r"), transport))
				api, _ := errors.AsType[smithy.APIError](err)
				if !errors.Is(err, reason) || api == nil || api.ErrorCode() != tt.code {
					t.Errorf("got %v; want the context's cause and the answer", err)
				}
				if _, ok := errors.AsType[*throttle.Error](err); ok != tt.throttled {
					t.Errorf("got %T %v; an Error is for throttled answers only", err, err)
				}
			})
		})
	}
}

func TestErrorSaysWhatWhereWhyAndWhatToDo(t *testing.T) {
	err := &throttle.Error{Bucket: "ecs:service-modify", Account: "111122223333", Region: "eu-west-1",
		Operation: "UpdateService", Waited: 90 * time.Second, Throttled: 3, Cause: context.DeadlineExceeded}
	want := "UpdateService: waited 1m30s for the API quota ecs:service-modify (account 111122223333, eu-west-1; throttled 3 times): " +
		"context deadline exceeded; allow more time or have the quota raised and state it in api-quotas"
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Error(diff)
	}
}

func TestRetryAfterPausesTheWholeBucket(t *testing.T) {
	for _, tt := range []struct {
		name   string
		header []string
		speed  float64
		want   time.Duration
	}{
		{name: "in AWS's milliseconds", header: []string{"X-Amz-Retry-After", "4500"}, want: 4500 * time.Millisecond},
		{name: "in seconds", header: []string{"Retry-After", "7"}, want: 7 * time.Second},
		{name: "AWS's own comes first", header: []string{"Retry-After", "7", "X-Amz-Retry-After", "3000"}, want: 3 * time.Second},
		{name: "at most a minute", header: []string{"Retry-After", "86400"}, want: time.Minute},
		{name: "at the speed of the simulation", header: []string{"Retry-After", "30"}, speed: 10, want: 3 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &server{answer: func(n int, _ *http.Request) (*http.Response, error) {
					if n > 1 {
						return nil, nil
					}
					return failure(400, "ThrottlingException", "Rate exceeded", tt.header...), nil
				}}
				c := client(throttle.New(throttle.Limits{Speed: tt.speed}).Scope("1", "r"), s)
				var wg sync.WaitGroup
				wg.Go(func() { _ = update(t.Context(), c) })
				wg.Go(func() {
					time.Sleep(time.Second)
					_ = update(t.Context(), c) // another caller, who must not slip through
				})
				wg.Wait()
				// The answer is read 60 ms after the first request was sent.
				if got := s.arrivals[1].at - s.arrivals[0].at - 60*time.Millisecond; got != tt.want {
					t.Errorf("second request after %s, want %s", got, tt.want)
				}
			})
		})
	}
}
