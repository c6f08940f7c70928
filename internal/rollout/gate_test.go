package rollout

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// through sends ten environments through a gate; the one that begins first
// takes a minute and each later one a second more, so that no two end at once.
// fails says which of them fail. It returns how many began, the most at once,
// and how long it took.
func through(t *testing.T, ctx context.Context, g *gate, fails func(i int) bool) (began, most int, took time.Duration) {
	t.Helper()
	start := time.Now()
	var mu sync.Mutex
	var wg sync.WaitGroup
	active := 0
	for range 10 {
		wg.Go(func() {
			if g.enter(ctx) != nil {
				return
			}
			mu.Lock()
			order := began
			began, active = began+1, active+1
			most = max(most, active)
			mu.Unlock()
			time.Sleep(time.Minute + time.Duration(order)*time.Second)
			mu.Lock()
			active--
			mu.Unlock()
			if fails(order) {
				g.fail()
			}
			g.leave()
		})
	}
	wg.Wait()
	return began, most, time.Since(start)
}

func TestTheGate(t *testing.T) {
	none, all := func(int) bool { return false }, func(int) bool { return true }
	count := func(n int) *int { return &n }
	tests := []struct {
		name        string
		maxParallel int
		maxFailures *int
		fails       func(int) bool
		began, most int
		took        time.Duration
	}{
		{"without limits all go at once, however many fail", 0, nil, all, 10, 10, 69 * time.Second},
		{"max-parallel bounds how many are in progress", 3, nil, none, 10, 3, 258 * time.Second},
		{"max-failures 0 goes one by one and stops at the first failure", 0, count(0), all, 1, 1, time.Minute},
		{"max-failures 0 goes one by one to the end where none fails", 0, count(0), none, 10, 1, 645 * time.Second},
		{"max-failures 2 begins three, and none after the third failure", 0, count(2), all, 3, 3, 62 * time.Second},
		{"each failure takes one of those that may be in progress", 0, count(2), func(i int) bool { return i == 0 }, 10, 3, 325 * time.Second},
		{"max-parallel decides how many, max-failures when to stop", 5, count(2), all, 7, 5, 127 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began, most, took := through(t, t.Context(), newGate(tt.maxParallel, tt.maxFailures), tt.fails)
				if began != tt.began || most != tt.most || took != tt.took {
					t.Errorf("%d began, at most %d at once, in %v; want %d, %d, %v", began, most, took, tt.began, tt.most, tt.took)
				}
			})
		})
	}
}

func TestTheGateSaysHowManyHaveFailed(t *testing.T) {
	none := 0
	g := newGate(0, &none)
	for _, want := range []string{
		"not begun: 1 environment has failed and max-failures is 0", "not begun: 2 environments have failed and max-failures is 0",
	} {
		g.fail()
		g.leave()
		if got := g.enter(t.Context()); got == nil || got.Error() != want {
			t.Errorf("%v, want %s", got, want)
		}
	}
}

func TestACancelledRunBeginsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		go func() { time.Sleep(90 * time.Second); cancel() }()
		began, _, took := through(t, ctx, newGate(2, nil), func(int) bool { return false })
		if began != 4 || took != 124*time.Second {
			t.Errorf("%d began in %v, want 4 in 124 s", began, took)
		}
	})
}

func TestAPanicOfOursIsAnErrorWithItsStack(t *testing.T) {
	v, err := faultless(func() (int, error) { panic("boom") })
	if v != 0 || err == nil || err.Error() != "a fault of ecs-fleet itself: boom; please report it with its details" || len(details(err)) < 3 {
		t.Errorf("got %v, %v with %d details", v, err, len(details(err)))
	}
	if v, err := faultless(func() (int, error) { return 7, nil }); v != 7 || err != nil {
		t.Errorf("got %v, %v", v, err)
	}
}
