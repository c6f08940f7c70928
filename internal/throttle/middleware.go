package throttle

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// APIOptions returns what aws.Config.APIOptions takes, to be used together with
// Retryer: every attempt of every call of the clients made from that
// configuration is metered.
//
// The waiting is the first step of an attempt: before credentials, which could
// expire, and before signing, since a signature ages in the queue. In front of
// the SDK's retry loop, or anywhere in the Initialize step, only the first
// attempt of a call would be metered.
func (s *Scope) APIOptions() []func(*middleware.Stack) error {
	return []func(*middleware.Stack) error{
		func(stack *middleware.Stack) error {
			begin := middleware.InitializeMiddlewareFunc("ThrottleCall", s.begin)
			// Older service modules name their service only here, in the
			// outermost step; newer ones before there is a stack.
			if _, older := stack.Initialize.Get(serviceMetadata); older {
				return stack.Initialize.Insert(begin, serviceMetadata, middleware.After)
			}
			return stack.Initialize.Add(begin, middleware.Before)
		},
		func(stack *middleware.Stack) error {
			return stack.Finalize.Insert(middleware.FinalizeMiddlewareFunc("ThrottleAttempt", s.attempt), "Retry", middleware.After)
		},
	}
}

// serviceMetadata is the step in which older service modules name their service
// (aws-sdk-go-v2 aws/middleware/metadata.go, RegisterServiceMetadata.ID).
const serviceMetadata = "RegisterServiceMetadata"

// call is the state of one SDK call over its attempts, which follow one
// another. It travels in the stack's context values, which the SDK clears for
// the calls that credentials providers make under the same context.
type call struct {
	service, operation string

	bucketName string
	bucket     *bucket
	ticket     *ticket
	begun      time.Time

	throttled    int
	accidents    int   // transient errors
	contentions  int   // contention errors
	last         error // the last attempt's error, without verdict
	lastThrottle error
}

type callKey struct{}

// begin gives the call its state and, when its context has ended between two
// attempts, its meaning back: the SDK then reports the bare context error.
func (s *Scope) begin(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (
	middleware.InitializeOutput, middleware.Metadata, error,
) {
	service, operation := awsmiddleware.GetServiceID(ctx), awsmiddleware.GetOperationName(ctx)
	name := bucketOf(service, operation)
	c := &call{
		service:    service,
		operation:  operation,
		bucketName: name,
		bucket:     s.bucket(name),
		ticket:     newTicket(priorityOf(ctx), turnOf(ctx)),
		begun:      time.Now(),
	}
	out, metadata, err := next.HandleInitialize(middleware.WithStackValue(ctx, callKey{}, c), in)
	if err != nil {
		err = s.explain(ctx, c, err)
	}
	return out, metadata, err
}

// explain turns the error of the retry loop into the one that the caller sees.
func (s *Scope) explain(ctx context.Context, c *call, err error) error {
	v, judged := errors.AsType[*verdict](err)
	switch {
	case judged && !v.again:
		return v.error
	case ctx.Err() == nil || c.last == nil:
		return err
	case c.last == c.lastThrottle:
		return s.outOfTime(ctx, c)
	default:
		return fmt.Errorf("%w, while waiting to repeat after: %w", context.Cause(ctx), c.last)
	}
}

// attempt meters one attempt and judges its error.
func (s *Scope) attempt(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (
	middleware.FinalizeOutput, middleware.Metadata, error,
) {
	c := middleware.GetStackValue(ctx, callKey{}).(*call)
	if err := c.bucket.wait(ctx, c.ticket); err != nil {
		return middleware.FinalizeOutput{}, middleware.Metadata{}, &verdict{error: s.outOfTime(ctx, c)}
	}
	out, metadata, err := next.HandleFinalize(ctx, in)
	response, _ := awsmiddleware.GetRawResponse(metadata).(*smithyhttp.Response)
	c.bucket.answered(c.ticket, outcomeOf(response, err), retryAfter(response))
	if err != nil {
		err = c.judge(ctx, err, response)
	}
	return out, metadata, err
}

// judge decides whether the call is repeated after err. response is nil when
// the attempt ended before the transport, and without a status when the
// transport had no answer.
func (c *call) judge(ctx context.Context, err error, response *smithyhttp.Response) *verdict {
	c.last = err
	sent := response != nil && !neverConnected(err)
	if ctx.Err() != nil && !isAnswer(response) {
		return &verdict{error: c.lost(err, sent)}
	}
	switch classify(err) {
	case throttle:
		if !isAnswer(response) {
			// Not ours, but that of a call for our credentials, which has
			// waited for a bucket of its own.
			return c.afterAccident(err, sent)
		}
		c.throttled++
		c.lastThrottle = err
		return &verdict{error: err, again: true} // the bucket does the waiting
	case contention:
		c.contentions++
		return &verdict{error: err, again: true, delay: c.bucket.real(backoff(c.contentions))}
	case transient:
		return c.afterAccident(err, sent)
	default:
		return &verdict{error: err}
	}
}

// afterAccident repeats what can bear it a few times.
func (c *call) afterAccident(err error, sent bool) *verdict {
	c.accidents++
	if sent && !repeatable(c.service, c.operation) || c.accidents >= transientAttempts {
		return &verdict{error: c.lost(err, sent)}
	}
	return &verdict{error: err, again: true, delay: c.bucket.real(backoff(c.accidents))}
}

// lost is the error of a request that is given up without a clear answer.
func (c *call) lost(err error, sent bool) error {
	if sent && !repeatable(c.service, c.operation) {
		return &UnknownOutcome{Operation: c.operation, Err: err}
	}
	return err
}

func (s *Scope) outOfTime(ctx context.Context, c *call) *Error {
	return &Error{
		Bucket:    c.bucketName,
		Account:   s.account,
		Region:    s.region,
		Operation: c.operation,
		Waited:    c.bucket.simulated(time.Since(c.begun)),
		Throttled: c.throttled,
		Last:      c.lastThrottle,
		Cause:     context.Cause(ctx),
	}
}

// isAnswer reports whether AWS answered. The SDK makes an empty response where
// the transport has none.
func isAnswer(response *smithyhttp.Response) bool {
	return response != nil && response.Response != nil && response.StatusCode != 0
}

func outcomeOf(response *smithyhttp.Response, err error) outcome {
	switch {
	case !isAnswer(response):
		return unanswered
	case IsThrottle(err):
		return refused
	default:
		return accepted
	}
}

// maxRetryAfter is the longest pause that an answer can ask for. A mistaken
// header must not stop a run.
const maxRetryAfter = time.Minute

// retryAfter is the pause that AWS asks for, 0 for none: x-amz-retry-after in
// milliseconds (aws-sdk-go-v2 aws/retry/middleware.go,
// adjustForRetryAfterHeader) or the Retry-After of HTTP in seconds.
func retryAfter(response *smithyhttp.Response) time.Duration {
	if !isAnswer(response) {
		return 0
	}
	if d := headerDuration(response.Header, "X-Amz-Retry-After", time.Millisecond); d > 0 {
		return d
	}
	return headerDuration(response.Header, "Retry-After", time.Second)
}

// headerDuration reads a whole number of units, at most maxRetryAfter; 0 for
// anything else.
func headerDuration(h http.Header, name string, unit time.Duration) time.Duration {
	n, err := strconv.ParseInt(h.Get(name), 10, 64)
	if err != nil || n <= 0 {
		return 0
	}
	return time.Duration(min(n, int64(maxRetryAfter/unit))) * unit
}
