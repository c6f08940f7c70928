// Package watch turns many callers' polls into few batched calls. It knows
// nothing of AWS.
//
// Its one idea: asking for the next snapshot looks like a plain call, Next, and
// inside one goroutine asks for all keys of a tick together, in chunks of what
// one request may carry. A caller may leave by its own context without hurting
// the others; a chunk that fails fails its own callers only, and never falls
// back to single calls, which would multiply the load that made it fail.
package watch

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// ErrMissing is returned by Next when the answer did not hold the key.
var ErrMissing = errors.New("not in the answer")

// gather is how long the first caller waits for company: services of one
// environment begin within a moment of each other, and should share a call.
const gather = 100 * time.Millisecond

// Group polls for the values V of keys K. Make one with New; safe for
// concurrent use.
type Group[K comparable, V any] struct {
	ctx      context.Context
	every    func(keys int) time.Duration
	chunk    int
	describe func(context.Context, []K) (map[K]V, error)

	mu      sync.Mutex
	waiting map[K][]chan<- answer[V]
	running bool
	last    time.Time // when the last tick began
	done    sync.WaitGroup
}

type answer[V any] struct {
	value V
	err   error
}

// New returns a Group that asks at most once in every(number of keys waiting),
// for at most chunk keys in one call of describe; the calls of one tick run
// side by side. Its goroutine lives while somebody waits, and ends with ctx.
func New[K comparable, V any](ctx context.Context, every func(keys int) time.Duration, chunk int,
	describe func(context.Context, []K) (map[K]V, error)) *Group[K, V] {
	return &Group[K, V]{ctx: ctx, every: every, chunk: chunk, describe: describe, waiting: make(map[K][]chan<- answer[V])}
}

// Next blocks until the next snapshot of key that was asked for after this
// call, and returns it. It returns ErrMissing when the answer did not hold the
// key, the error of describe when its chunk failed, and the cause of ctx or of
// the Group's context when one of them ended.
func (g *Group[K, V]) Next(ctx context.Context, key K) (V, error) {
	ch := make(chan answer[V], 1)
	g.mu.Lock()
	g.waiting[key] = append(g.waiting[key], ch)
	if !g.running && g.ctx.Err() == nil {
		g.running = true
		g.done.Go(g.run)
	}
	g.mu.Unlock()
	var zero V
	select {
	case a := <-ch:
		return a.value, a.err
	case <-ctx.Done():
		return zero, context.Cause(ctx)
	case <-g.ctx.Done():
		return zero, context.Cause(g.ctx)
	}
}

// Wait blocks until the Group's goroutine has ended, which it does when nobody
// waits any more or the Group's context ends.
func (g *Group[K, V]) Wait() { g.done.Wait() }

// run ticks while somebody waits. How many do is counted when those have come
// back who were answered a moment ago.
func (g *Group[K, V]) run() {
	for {
		g.sleep(gather)
		g.mu.Lock()
		pause := time.Until(g.last.Add(g.every(len(g.waiting))))
		if g.endedLocked() {
			g.mu.Unlock()
			return
		}
		g.mu.Unlock()
		g.sleep(pause)
		g.mu.Lock()
		if g.endedLocked() {
			g.mu.Unlock()
			return
		}
		waiting := g.waiting
		g.waiting = make(map[K][]chan<- answer[V])
		g.last = time.Now()
		g.mu.Unlock()
		g.ask(waiting)
	}
}

// endedLocked ends the goroutine when nobody waits, or the Group's time is over.
func (g *Group[K, V]) endedLocked() bool {
	g.running = len(g.waiting) > 0 && g.ctx.Err() == nil
	return !g.running
}

func (g *Group[K, V]) sleep(d time.Duration) {
	select {
	case <-time.After(d):
	case <-g.ctx.Done():
	}
}

func (g *Group[K, V]) ask(waiting map[K][]chan<- answer[V]) {
	keys := make([]K, 0, len(waiting))
	for key := range waiting {
		keys = append(keys, key)
	}
	var calls sync.WaitGroup
	for chunk := range slices.Chunk(keys, g.chunk) {
		calls.Go(func() {
			values, err := g.describe(g.ctx, chunk)
			for _, key := range chunk {
				a := answer[V]{err: err}
				if err == nil {
					var found bool
					if a.value, found = values[key]; !found {
						a.err = ErrMissing
					}
				}
				for _, ch := range waiting[key] {
					ch <- a
				}
			}
		})
	}
	calls.Wait()
}
