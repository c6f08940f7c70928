package throttle

import (
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// class says what an error means for the next attempt.
type class int

const (
	permanent  class = iota // a repetition would fail in the same way
	throttle                // a quota is used up: slow down and repeat
	contention              // somebody else is changing the same thing: repeat a little later
	transient               // an accident: repeat, if the operation can bear it
)

// codes are the classes of AWS's error codes; those that are not listed are
// judged by the HTTP status.
//
// The throttling codes are those of the SDK (aws-sdk-go-v2 aws/retry/standard.go,
// DefaultThrottleErrorCodes) but for LimitExceededException, which says in ECS,
// Application Auto Scaling and ECR that the account has as many of something as
// it may have. The SDK would repeat it for ever.
var codes = map[string]class{
	"BandwidthLimitExceeded":                 throttle,
	"EC2ThrottledException":                  throttle,
	"PriorRequestNotComplete":                throttle,
	"ProvisionedThroughputExceededException": throttle,
	"RequestLimitExceeded":                   throttle,
	"RequestThrottled":                       throttle,
	"RequestThrottledException":              throttle,
	"SlowDown":                               throttle,
	"ThrottledException":                     throttle,
	"Throttling":                             throttle,
	"ThrottlingException":                    throttle,
	"TooManyRequestsException":               throttle,

	// Application Auto Scaling, with status 500: another update of the same
	// scalable target is under way. Nothing was changed.
	// https://github.com/aws/api-models-aws application-auto-scaling 2016-02-06
	"ConcurrentUpdateException": contention,

	"RequestTimeout":          transient,
	"RequestTimeoutException": transient,
	// ECS declares no status for it; it is seen with 500 and with 400, which
	// the SDK would not repeat.
	// https://github.com/aws/api-models-aws ecs 2014-11-13
	"ServerException": transient,

	"LimitExceededException": permanent,
}

// tooManyRegistrations begins the message of the ClientException that ECS
// answers when two registrations of one task definition family overlap. The
// code alone says nothing.
// https://github.com/hashicorp/terraform-provider-aws/issues/9777
const tooManyRegistrations = "Too many concurrent attempts to create a new revision"

// IsThrottle reports whether err, or an error that it wraps, is a throttled
// answer: AWS refused the request because a quota was used up for the moment.
func IsThrottle(err error) bool { return classify(err) == throttle }

// classify is the one place that knows what an error means.
func classify(err error) class {
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		if c, ok := codes[api.ErrorCode()]; ok {
			return c
		}
		if api.ErrorCode() == "ClientException" && strings.Contains(api.ErrorMessage(), tooManyRegistrations) {
			return contention
		}
	}
	if status := statusOf(err); status != 0 {
		return classifyStatus(err, status)
	}
	if isNetwork(err) {
		return transient
	}
	return permanent
}

func classifyStatus(err error, status int) class {
	switch status {
	case http.StatusTooManyRequests:
		return throttle
	case http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return transient
	}
	// A success whose text broke off, or came from something between AWS and
	// us.
	if _, broken := errors.AsType[*smithy.DeserializationError](err); broken && status < 300 {
		return transient
	}
	return permanent
}

// statusOf is the HTTP status of the answer behind err; 0 where there was no
// answer.
func statusOf(err error) int {
	answer, ok := errors.AsType[*smithyhttp.ResponseError](err)
	if !ok || answer.Response == nil || answer.Response.Response == nil {
		return 0
	}
	return answer.Response.StatusCode
}

// isNetwork reports whether err happened between here and AWS.
func isNetwork(err error) bool {
	if _, ok := errors.AsType[*smithyhttp.RequestSendError](err); ok {
		return true
	}
	if _, ok := errors.AsType[net.Error](err); ok {
		return true
	}
	return errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// neverConnected reports whether err proves that the request did not leave:
// without an address or a connection there was nothing to send it on.
func neverConnected(err error) bool {
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return true
	}
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "dial"
}

// repeatable reports whether an action may be sent again when nobody knows
// whether it has been carried out. Everything that is not known to bear it does
// not.
func repeatable(service, action string) bool {
	if idempotent[service][action] {
		return true
	}
	for _, prefix := range []string{"Describe", "List", "Get", "BatchGet", "Filter", "Assume"} {
		if strings.HasPrefix(action, prefix) {
			return true
		}
	}
	return false
}

// idempotent are the actions besides reads that come to the same when they are
// carried out twice. RunTask carries a client token, which stays the same over
// the attempts of a call (aws-sdk-go-v2 service/ecs,
// OperationIdempotencyTokenAutoFill).
var idempotent = map[string]map[string]bool{
	"ECS": {
		"DeregisterTaskDefinition": true,
		"RunTask":                  true,
		"StopTask":                 true,
		"TagResource":              true,
		"UntagResource":            true,
		"UpdateTaskProtection":     true,
	},
	"Application Auto Scaling": {
		"DeleteScheduledAction":    true,
		"DeregisterScalableTarget": true,
		"PutScalingPolicy":         true,
		"PutScheduledAction":       true,
		"RegisterScalableTarget":   true,
		"TagResource":              true,
	},
}
