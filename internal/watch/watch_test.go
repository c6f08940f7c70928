package watch_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"ecs-fleet/internal/watch"
)

func every(d time.Duration) func(int) time.Duration { return func(int) time.Duration { return d } }

func TestManyCallersMakeFewCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		var calls, largest atomic.Int64
		g := watch.New(ctx, every(10*time.Second), 20, func(_ context.Context, keys []int) (map[int]int, error) {
			calls.Add(1)
			largest.Store(max(largest.Load(), int64(len(keys))))
			m := make(map[int]int)
			for _, k := range keys {
				m[k] = k * 2
			}
			return m, nil
		})
		start := time.Now()
		var wg sync.WaitGroup
		for key := range 100 {
			wg.Go(func() {
				for range 3 {
					if v, err := g.Next(t.Context(), key); v != key*2 || err != nil {
						t.Errorf("Next(%d) = %d, %v", key, v, err)
					}
				}
			})
		}
		wg.Wait()
		stop()
		g.Wait()
		if got, want := time.Since(start), 20*time.Second+100*time.Millisecond; got != want {
			t.Errorf("three snapshots took %v, want %v", got, want)
		}
		if calls.Load() != 3*5 || largest.Load() != 20 {
			t.Errorf("%d calls, the largest for %d keys; want 15 calls of 20 keys", calls.Load(), largest.Load())
		}
	})
}

func TestOneCallerLeavingHurtsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := watch.New(t.Context(), every(time.Minute), 10, func(_ context.Context, keys []string) (map[string]bool, error) {
			return map[string]bool{"stays": true, "leaves": true}, nil
		})
		if _, err := g.Next(t.Context(), "stays"); err != nil { // the first tick comes at once
			t.Fatal(err)
		}
		gone := errors.New("gone home")
		ctx, leave := context.WithCancelCause(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := g.Next(ctx, "leaves"); err != gone {
				t.Errorf("the one that left got %v, want %v", err, gone)
			}
		})
		wg.Go(func() {
			if v, err := g.Next(t.Context(), "stays"); !v || err != nil {
				t.Errorf("the one that stayed got %v, %v", v, err)
			}
		})
		time.Sleep(time.Second)
		leave(gone)
		wg.Wait()
		g.Wait()
	})
}

func TestAFailedChunkFailsItsOwnCallersOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		boom := errors.New("boom")
		g := watch.New(t.Context(), every(time.Second), 1, func(_ context.Context, keys []string) (map[string]int, error) {
			switch keys[0] {
			case "bad":
				return nil, boom
			case "missing":
				return nil, nil
			}
			return map[string]int{keys[0]: 1}, nil
		})
		want := map[string]error{"bad": boom, "missing": watch.ErrMissing, "good": nil}
		var wg sync.WaitGroup
		for key, err := range want {
			wg.Go(func() {
				if _, got := g.Next(t.Context(), key); got != err {
					t.Errorf("%s: got %v, want %v", key, got, err)
				}
			})
		}
		wg.Wait()
		g.Wait()
	})
}

func TestTheGroupEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		g := watch.New(ctx, every(time.Hour), 1, func(context.Context, []int) (map[int]int, error) { return nil, nil })
		_, _ = g.Next(t.Context(), 1)
		go func() { time.Sleep(time.Second); stop() }()
		start := time.Now()
		if _, err := g.Next(t.Context(), 1); !errors.Is(err, context.Canceled) || time.Since(start) != time.Second {
			t.Errorf("got %v after %v, want context.Canceled after 1 s", err, time.Since(start))
		}
		g.Wait()
	})
}
