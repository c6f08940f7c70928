package throttle

import (
	"fmt"
	"time"
)

// Error is returned when a call's context ends while the call waits for a
// token of its bucket or for another try after a throttled answer: the quota,
// not AWS's slowness, was what took the time. It wraps the context's cause and
// the last throttled answer, so that errors.Is finds a deadline in it and
// errors.As the API error; that it is an *Error tells it from a plain timeout.
// The request was not carried out.
type Error struct {
	Bucket, Account, Region, Operation string

	Waited    time.Duration // since the call was made, simulated
	Throttled int           // throttled answers to this call
	Last      error         // the last of them; nil when there was none
	Cause     error         // why the context ended; never nil
}

func (e *Error) Error() string {
	answers := "never sent"
	if e.Throttled > 0 {
		answers = fmt.Sprintf("throttled %d times", e.Throttled)
	}
	return fmt.Sprintf("%s: waited %s for the API quota %s (account %s, %s; %s): %v; "+
		"allow more time or have the quota raised and state it in api-quotas",
		e.Operation, e.Waited.Round(100*time.Millisecond), e.Bucket, e.Account, e.Region, answers, e.Cause)
}

// Unwrap returns the cause and, where there was one, the last throttled answer.
func (e *Error) Unwrap() []error {
	if e.Last == nil {
		return []error{e.Cause}
	}
	return []error{e.Cause, e.Last}
}

// UnknownOutcome is returned when nobody knows whether AWS has carried out a
// request that must not be repeated blindly: the connection broke, the server
// reported an accident of its own, or the context ended while the request was
// on its way. The caller looks before it repeats.
type UnknownOutcome struct {
	Operation string
	Err       error // what happened; never nil
}

func (e *UnknownOutcome) Error() string {
	return fmt.Sprintf("%s: it is unknown whether AWS carried it out: %v", e.Operation, e.Err)
}

// Unwrap returns Err.
func (e *UnknownOutcome) Unwrap() error { return e.Err }
