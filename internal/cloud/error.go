package cloud

import (
	"context"
	"errors"
	"fmt"
	"strings"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"ecs-fleet/internal/fleet"
	"ecs-fleet/internal/throttle"
)

// Error is a call that AWS refused, or that did not reach it.
type Error struct {
	Operation string // "ecs:UpdateService", as IAM writes it
	Resource  string // `service "api" in cluster "main"`
	Code      string // AWS's error code; empty when AWS did not answer
	Message   string // AWS's text; what broke the call off when AWS did not answer
	RequestID string
	Err       error
}

func (e *Error) Error() string {
	var b strings.Builder
	switch {
	case e.Code == "":
		fmt.Fprintf(&b, "%s on %s: %s", e.Operation, e.Resource, e.Message)
	case e.denied():
		fmt.Fprintf(&b, "access denied for %s on %s: %s", e.Operation, e.Resource, e.Message)
	default:
		fmt.Fprintf(&b, "%s on %s: %s: %s", e.Operation, e.Resource, e.Code, e.Message)
	}
	if e.RequestID != "" {
		fmt.Fprintf(&b, " (request %s)", e.RequestID)
	}
	return b.String()
}

func (e *Error) Unwrap() error { return e.Err }

func (e *Error) denied() bool {
	switch e.Code {
	case "AccessDeniedException", "AccessDenied", "UnauthorizedOperation":
		return true
	}
	return false
}

// wrap tells what was asked of AWS when err came. Nil stays nil.
func wrap(err error, operation, resource string) error {
	if err == nil {
		return nil
	}
	e := &Error{Operation: operation, Resource: resource, Err: err, Message: cause(err)}
	if limit, ok := errors.AsType[*throttle.Error](err); ok {
		// It names operation, bucket and account itself.
		return fmt.Errorf("%s: %w", resource, limit)
	}
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		e.Code, e.Message = api.ErrorCode(), api.ErrorMessage()
	}
	if response, ok := errors.AsType[*awshttp.ResponseError](err); ok {
		e.RequestID = response.RequestID
	}
	return e
}

// cause is why AWS did not answer, without what the SDK puts around it.
func cause(err error) string {
	broken, ok := errors.AsType[*smithyhttp.RequestSendError](err)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "no answer in time"
	case errors.Is(err, context.Canceled):
		return "broken off before the answer"
	case ok:
		return "no answer: " + broken.Err.Error()
	}
	return err.Error()
}

func code(err error) string {
	if e, ok := errors.AsType[smithy.APIError](err); ok {
		return e.ErrorCode()
	}
	return ""
}

// Denied tells whether AWS refused a call for want of permission: the
// environments behind those credentials cannot be deployed, others can.
func Denied(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.denied()
}

// Unknown tells whether a write was sent and nobody knows what became of it.
func Unknown(err error) bool {
	_, ok := errors.AsType[*throttle.UnknownOutcome](err)
	return ok
}

// Unsupported tells whether AWS has no service deployments for the service, or
// the role may not read them; deployments can still be followed by DescribeServices.
func Unsupported(err error) bool {
	return Denied(err) || code(err) == "UnsupportedFeatureException" || code(err) == "InvalidParameterException"
}

// WrongAccountError tells that credentials belong to another account than the
// one that the environment names.
type WrongAccountError struct {
	Want, Got fleet.AccountID
	Caller    fleet.ARN
}

func (e *WrongAccountError) Error() string {
	return fmt.Sprintf("the credentials belong to account %s (%s), not to %s; correct account or role-arn", e.Got, e.Caller, e.Want)
}

// NoCredentialsError tells that there is nothing to sign calls with.
type NoCredentialsError struct{ Err error }

func (e *NoCredentialsError) Error() string {
	return "no AWS credentials: in a workflow, run aws-actions/configure-aws-credentials before this step; on a laptop, sign in (aws sso login) or set AWS_PROFILE: " + e.Err.Error()
}

func (e *NoCredentialsError) Unwrap() error { return e.Err }

// MissingError tells what AWS does not have, and what it has instead.
type MissingError struct {
	What  string   // `service "api" in cluster "main"`
	There []string // names that exist, a few of them; empty when unknown
}

func (e *MissingError) Error() string {
	if len(e.There) == 0 {
		return e.What + " does not exist"
	}
	const most = 10
	there, more := e.There, ""
	if len(there) > most {
		there, more = there[:most], fmt.Sprintf(" and %d more", len(there)-most)
	}
	return fmt.Sprintf("%s does not exist; there are %s%s", e.What, strings.Join(there, ", "), more)
}
