package throttle

import (
	"context"
	"sync"
	"time"
)

const (
	// firstWindow is how many requests may be unanswered before AWS has
	// accepted any, and growth what each accepted one adds: half more
	// every round trip, a careful version of TCP's slow start. Without it the
	// first second spends a whole burst on a bucket that somebody else may just
	// have emptied.
	firstWindow = 2
	growth      = 0.5
	// drainGrowth is the same while the pace drains the bucket, which finds little
	// most of the time: what is on its way then is refused together.
	drainGrowth = 0.2
	// windowPatience is how long a full window holds the next request back.
	// Hanging connections may slow a bucket down, never stop it.
	windowPatience = time.Second
)

// bucket decides when each attempt of one group of API actions may be sent.
//
// It runs no goroutine: the waiter at the head of the queue sleeps until its
// own token is due, takes it, and wakes the next one. All times in it are real
// ones; Limits.Speed is multiplied into the rates.
type bucket struct {
	speed float64

	mu      sync.Mutex
	queue   queue
	arrived uint64 // tickets numbered so far

	pace pace

	window   float64 // requests that may be unanswered; see firstWindow
	inFlight int
	lastSend time.Time
	paused   time.Time // nothing is sent before: AWS named a time to retry
	epoch    int       // counts the throttle signals that were acted upon

	calls, throttled int
	waited           time.Duration // real time, without the wait going on
	waitingSince     time.Time     // meaningful while somebody queues
}

func newBucket(q Quota, speed float64) *bucket {
	return &bucket{
		speed:  speed,
		pace:   newPace(q.Rate*safeRate*speed, safeBurst(q), time.Now()),
		window: firstWindow,
	}
}

// wait blocks until the attempt of t may be sent, or ctx ends; it then returns
// the context's cause and t's place is free. The caller reports what became of
// the attempt with answered.
func (b *bucket) wait(ctx context.Context, t *ticket) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.enqueue(t)
	for {
		due := b.due(t)
		if due <= 0 {
			b.send(t)
			return nil
		}
		b.mu.Unlock()
		err := sleep(ctx, t.wake, due)
		b.mu.Lock()
		if err != nil {
			b.leave(t)
			return err
		}
	}
}

// notTheHead is what due returns to those whose turn depends on others.
const notTheHead time.Duration = 1<<63 - 1

// sleep returns after d, when wake fires, or with ctx's cause when it ends.
func sleep(ctx context.Context, wake <-chan struct{}, d time.Duration) error {
	var timeUp <-chan time.Time
	if d != notTheHead {
		timer := time.NewTimer(d)
		defer timer.Stop()
		timeUp = timer.C
	}
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-wake:
	case <-timeUp:
	}
	return nil
}

func (b *bucket) enqueue(t *ticket) {
	if t.number == 0 {
		b.arrived++
		t.number = b.arrived
	}
	if len(b.queue) == 0 {
		b.waitingSince = time.Now()
		b.pace.advance(b.waitingSince)
		b.pace.wasIdle()
	}
	b.queue.add(t)
}

func (b *bucket) leave(t *ticket) {
	b.queue.remove(t)
	if len(b.queue) == 0 {
		b.waited += time.Since(b.waitingSince)
	}
	b.rouseHead()
}

func (b *bucket) rouseHead() {
	if head := b.queue.head(); head != nil {
		head.rouse()
	}
}

// due is how long until t may be sent as things stand now; 0 or less is now.
func (b *bucket) due(t *ticket) time.Duration {
	if b.queue.head() != t {
		return notTheHead
	}
	now := time.Now()
	b.pace.advance(now)
	if b.pace.startsDrain(now) {
		b.window = float64(b.inFlight + 1)
	}
	due := max(b.paused.Sub(now), b.pace.due(now, len(b.queue)))
	if float64(b.inFlight+1) > b.window {
		due = max(due, b.lastSend.Add(b.real(windowPatience)).Sub(now))
	}
	return due
}

func (b *bucket) send(t *ticket) {
	b.inFlight++
	b.lastSend = time.Now()
	b.pace.send(b.lastSend)
	b.calls++
	t.epoch = b.epoch
	b.leave(t)
}

// outcome is what an attempt tells about its bucket.
type outcome int

const (
	unanswered outcome = iota // nothing: it never arrived, or no answer came
	accepted                  // it was let in, whatever became of it then
	refused                   // throttled
)

// answered reports what became of the attempt that t was sent for. retryAfter
// is AWS's wish, 0 where it has none.
func (b *bucket) answered(t *ticket, o outcome, retryAfter time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	b.pace.advance(now)
	b.inFlight--
	switch o {
	case accepted:
		b.window += b.windowGrowth()
		b.pace.accepted()
	case refused:
		b.throttled++
		b.pauseUntil(now.Add(b.real(retryAfter)))
		// Requests sent before the rate was cut say nothing about the new
		// rate: their refusals and the one that caused the cut are one signal,
		// as the losses of one round trip are to TCP.
		if t.epoch == b.epoch {
			b.slowDown(now)
		}
	}
	b.rouseHead()
}

func (b *bucket) windowGrowth() float64 {
	if b.pace.draining {
		return drainGrowth
	}
	return growth
}

func (b *bucket) pauseUntil(when time.Time) {
	if when.After(b.paused) {
		b.paused = when
	}
}

// slowDown acts on a throttle signal: the real bucket is empty now.
func (b *bucket) slowDown(now time.Time) {
	b.epoch++
	b.window = firstWindow
	b.pace.refused(now)
}

func (b *bucket) usage() Usage {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	waited := b.waited
	if len(b.queue) > 0 {
		waited += now.Sub(b.waitingSince)
	}
	return Usage{Calls: b.calls, Throttled: b.throttled, Waited: b.simulated(waited), Rate: b.pace.average() / b.speed}
}

func (b *bucket) forecast(calls int) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.pace.advance(time.Now())
	missing := float64(calls+len(b.queue)) - b.pace.stored
	return seconds(max(0, missing) / b.pace.ceiling * b.speed)
}

func (b *bucket) real(simulated time.Duration) time.Duration {
	return time.Duration(float64(simulated) / b.speed)
}

func (b *bucket) simulated(real time.Duration) time.Duration {
	return time.Duration(float64(real) * b.speed)
}
