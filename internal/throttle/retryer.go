package throttle

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

const (
	// transientAttempts is how often a call is sent while accidents happen to
	// it. Throttled answers do not count.
	transientAttempts = 8
	// firstBackoff doubles with each accident of the call up to maxBackoff, the
	// SDK's own limit (aws-sdk-go-v2 aws/retry/standard.go, DefaultMaxBackoff).
	firstBackoff = 500 * time.Millisecond
	maxBackoff   = 20 * time.Second
	// skewAttempts is how often the SDK may repeat a call because it believes
	// that our clock is wrong. Once corrects the clock.
	skewAttempts = 2
)

// backoff is how long to wait after the n-th accident of a call, n from 1:
// between the half and the whole of a time that doubles, so that callers who
// fell together do not come back together.
func backoff(n int) time.Duration {
	d := maxBackoff
	if n <= 6 { // beyond, the shift would pass maxBackoff
		d = min(maxBackoff, firstBackoff<<(n-1))
	}
	return d/2 + rand.N(d/2)
}

// verdict is an attempt's error together with what to do about it. The meter
// decides, since it knows the call; the retryer, which the SDK asks and which
// sees nothing but the error, obeys. No verdict leaves the middleware stack.
type verdict struct {
	error
	again bool
	delay time.Duration // real time, when again
}

func (v *verdict) Unwrap() error { return v.error }

// retryer carries out verdicts. It has no quota of retries: the SDK's lets 100
// retries of all callers together happen and fails the others, and the bucket
// does the same work without failing anybody.
type retryer struct{}

// Retryer returns what config.WithRetryer takes. It works with APIOptions of
// the same or another Scope and repeats nothing without them. It must go into
// the configuration, not into the options of a client, which the SDK wraps with
// AWS_MAX_ATTEMPTS of the environment.
func (s *Scope) Retryer() func() aws.Retryer {
	return func() aws.Retryer { return retryer{} }
}

// IsErrorRetryable implements aws.Retryer.
func (retryer) IsErrorRetryable(err error) bool {
	return isClockSkew(err) || verdictOf(err).again
}

// RetryDelay implements aws.Retryer.
func (retryer) RetryDelay(attempt int, err error) (time.Duration, error) {
	if isClockSkew(err) && attempt >= skewAttempts {
		return 0, err
	}
	return verdictOf(err).delay, nil
}

// MaxAttempts implements aws.Retryer: verdicts end, the SDK does not count.
func (retryer) MaxAttempts() int { return 0 }

// GetRetryToken implements aws.Retryer.
func (retryer) GetRetryToken(context.Context, error) (func(error) error, error) {
	return nothingToRelease, nil
}

// GetInitialToken implements aws.Retryer.
func (retryer) GetInitialToken() func(error) error { return nothingToRelease }

// GetAttemptToken implements aws.RetryerV2.
func (retryer) GetAttemptToken(context.Context) (func(error) error, error) {
	return nothingToRelease, nil
}

func nothingToRelease(error) error { return nil }

func verdictOf(err error) *verdict {
	if v, ok := errors.AsType[*verdict](err); ok {
		return v
	}
	return &verdict{error: err}
}

// isClockSkew reports whether the SDK has found that the signature was refused
// because of our clock, and corrected it for the next attempt: the only error
// that the SDK itself declares retryable above our middleware.
func isClockSkew(err error) bool {
	skew, ok := errors.AsType[interface {
		error
		RetryableError() bool
	}](err)
	return ok && skew.RetryableError()
}
