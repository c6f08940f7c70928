package sim

import (
	"math"
	"slices"
	"time"
)

// bucket is a token bucket: AWS's form of an API quota. It refills
// continuously. A refused request costs nothing; AWS does not say whether it
// does.
type bucket struct {
	tokens     float64
	rate       float64 // tokens per second
	burst      float64
	at         time.Time // tokens is right for this instant
	changes    []change  // what comes, by time
	neighbours []neighbour
}

type change struct {
	at          time.Time
	rate, burst float64
}

// neighbour takes a token every step, from next until until.
type neighbour struct {
	next  time.Time
	step  time.Duration
	until time.Time // zero: for ever
}

// enough allows for the rounding of sums: without it a client that paces
// itself exactly would now and then be refused for a billionth of a token.
const enough = 1 - 1e-6

func newBucket(rate, burst float64, at time.Time) *bucket {
	return &bucket{tokens: burst, rate: rate, burst: burst, at: at}
}

// take takes n tokens if they are there.
func (b *bucket) take(now time.Time, n float64) bool {
	b.advance(now)
	if b.tokens < n-1+enough {
		return false
	}
	b.tokens -= n
	return true
}

// reserve takes a token that may not be there yet, and says when it will be.
// Later callers queue behind it.
func (b *bucket) reserve(now time.Time) time.Time {
	b.advance(now)
	b.tokens--
	if b.tokens > enough-1 {
		return now
	}
	return now.Add(time.Duration(math.Ceil(-b.tokens / b.rate * float64(time.Second))))
}

// advance refills up to now and lets changes and neighbours happen on the way,
// in the order of their times.
func (b *bucket) advance(now time.Time) {
	for {
		at, do := b.next()
		if do == nil || at.After(now) {
			break
		}
		b.refill(at)
		do()
	}
	b.refill(now)
}

func (b *bucket) refill(to time.Time) {
	if !to.After(b.at) {
		return
	}
	b.tokens = min(b.burst, b.tokens+b.rate*to.Sub(b.at).Seconds())
	b.at = to
}

// next is the earliest change or neighbour's call; nil when there is none.
func (b *bucket) next() (at time.Time, do func()) {
	if len(b.changes) > 0 {
		at, do = b.changes[0].at, b.change
	}
	for i := range b.neighbours {
		n := &b.neighbours[i]
		over := !n.until.IsZero() && !n.next.Before(n.until)
		if !over && (do == nil || n.next.Before(at)) {
			at, do = n.next, func() { b.visit(n) }
		}
	}
	return at, do
}

func (b *bucket) change() {
	b.rate, b.burst = b.changes[0].rate, b.changes[0].burst
	b.tokens = min(b.tokens, b.burst)
	b.changes = slices.Delete(b.changes, 0, 1)
}

// visit is a neighbour's call. It may take a token that is only about to be
// there: a client that asks more often would else always be first, and the
// neighbour of a dry bucket get nothing.
func (b *bucket) visit(n *neighbour) {
	if b.tokens >= enough-1 {
		b.tokens--
	}
	n.next = n.next.Add(n.step)
}
