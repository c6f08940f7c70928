package rollout

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

const cancelledBefore = "not begun: the run was cancelled before its turn"

// gate decides which environment may begin: at most maxParallel at once, and
// none once more than maxFailures have failed. With a budget of failures and no
// maxParallel, no more are in progress than the budget can bear.
type gate struct {
	maxParallel int
	maxFailures *int

	mu      sync.Mutex
	active  int
	failed  int
	changed chan struct{} // closed and replaced whenever one leaves
}

func newGate(maxParallel int, maxFailures *int) *gate {
	return &gate{maxParallel: maxParallel, maxFailures: maxFailures, changed: make(chan struct{})}
}

// limited tells whether environments may have to wait for each other.
func (g *gate) limited() bool { return g.maxParallel > 0 || g.maxFailures != nil }

// enter blocks until an environment may begin, or returns why it may not.
func (g *gate) enter(ctx context.Context) error {
	for {
		g.mu.Lock()
		used, free, changed := g.usedLocked(), g.freeLocked(), g.changed
		if !used && free && ctx.Err() == nil {
			g.active++
			g.mu.Unlock()
			return nil
		}
		g.mu.Unlock()
		if ctx.Err() != nil {
			return errors.New(notBegun(ctx))
		}
		if used {
			return errors.New(g.why())
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
}

// fail counts an environment as failed, once it is known: that may be long
// before it leaves, since what it has changed is taken back first.
func (g *gate) fail() { g.change(func() { g.failed++ }) }

func (g *gate) leave() { g.change(func() { g.active-- }) }

func (g *gate) change(what func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	what()
	close(g.changed)
	g.changed = make(chan struct{})
}

// used tells whether more environments have failed than may.
func (g *gate) used() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.usedLocked()
}

func (g *gate) usedLocked() bool { return g.maxFailures != nil && g.failed > *g.maxFailures }

func (g *gate) freeLocked() bool {
	switch {
	case g.maxParallel > 0:
		return g.active < g.maxParallel
	case g.maxFailures != nil:
		return g.active < *g.maxFailures+1-g.failed
	}
	return true
}

func (g *gate) why() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	failed := "1 environment has failed"
	if g.failed > 1 {
		failed = fmt.Sprintf("%d environments have failed", g.failed)
	}
	return fmt.Sprintf("not begun: %s and max-failures is %d", failed, *g.maxFailures)
}
