package throttle_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs"

	"ecs-fleet/internal/throttle"
)

// serviceModify is the documented bucket of UpdateService, with which the
// clients of these tests begin.
func serviceModify(t *testing.T) throttle.Quota {
	t.Helper()
	q, ok := throttle.Documented("ecs:service-modify")
	if !ok {
		t.Fatal("ecs:service-modify has no quota")
	}
	return q
}

func part(q throttle.Quota, of float64) throttle.Quota {
	return throttle.Quota{Rate: q.Rate * of, Burst: q.Burst * of}
}

// bound is the least time in which the server can let n calls in.
func (s *server) bound(n int) time.Duration {
	const step = 10 * time.Millisecond
	left := float64(n)
	if !s.empty {
		left -= s.quota(0).Burst
	}
	var d time.Duration
	for ; left > 0; d += step {
		left -= s.quota(d).Rate * step.Seconds()
	}
	return d
}

// immediately is no latency at all.
func immediately(*rand.Rand) time.Duration { return 0 }

// shaky is a latency of 60 ms ± 50 ms on the way to the server.
func shaky(r *rand.Rand) time.Duration {
	return 10*time.Millisecond + time.Duration(r.Int64N(int64(100*time.Millisecond)))
}

func TestKnownQuotaIsUsedFullyAndNeverExceeded(t *testing.T) {
	for _, tt := range []struct {
		bucket string
		call   func(context.Context, *ecs.Client) error
	}{
		{"ecs:service-modify", update},
		{"ecs:service-read", describe},
		{"ecs:task-definition-modify", deregister},
	} {
		t.Run(tt.bucket, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const n = 1000
				q, _ := throttle.Documented(tt.bucket)
				s := &server{quota: constant(q), there: shaky}
				took, failed := floodWith(t, client(throttle.New(throttle.Limits{}).Scope("1", "r"), s), n, tt.call)
				limit := time.Duration(1.02*float64(s.bound(n))) + time.Second
				t.Logf("took %s of %s, %d refused", took, limit, s.refused())
				if failed > 0 || s.refused() >= n/100 || took > limit {
					t.Errorf("%d failed, %d refused, took %s; want none, under 1%%, at most %s", failed, s.refused(), took, limit)
				}
			})
		})
	}
}

func TestUnknownQuotaIsLearnt(t *testing.T) {
	full := serviceModify(t)
	changing := func(before, after float64, at time.Duration) func(time.Duration) throttle.Quota {
		return func(since time.Duration) throttle.Quota {
			if since < at {
				return part(full, before)
			}
			return part(full, after)
		}
	}
	for _, tt := range []struct {
		name    string
		quota   func(time.Duration) throttle.Quota
		empty   bool
		calls   int
		refused int // at most
	}{
		{name: "somebody has emptied the bucket before", quota: constant(full), empty: true, calls: 1000, refused: 10},
		{name: "the quota is half of the documented one", quota: constant(part(full, 0.5)), calls: 1000, refused: 50},
		{name: "the quota is a third of the documented one", quota: constant(part(full, 1./3)), calls: 1000, refused: 50},
		{name: "the quota is a tenth of the documented one", quota: constant(part(full, 0.1)), calls: 1000, refused: 50},
		{name: "the quota doubles in mid-run", quota: changing(0.5, 1, 100*time.Second), calls: 1000, refused: 50},
		{name: "the quota halves in mid-run", quota: changing(1, 0.5, 100*time.Second), calls: 1000, refused: 50},
		{name: "the quota falls to a tenth in mid-run", quota: changing(1, 0.1, 100*time.Second), calls: 1000, refused: 50},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &server{quota: tt.quota, empty: tt.empty}
				took, failed := flood(t, client(throttle.New(throttle.Limits{}).Scope("1", "r"), s), tt.calls)
				limit := s.bound(tt.calls) * 5 / 4
				t.Logf("took %s of %s (%.3f of the bound), %d refused", took, limit, took.Seconds()/s.bound(tt.calls).Seconds(), s.refused())
				if failed > 0 || s.refused() > tt.refused || took > limit {
					t.Errorf("%d failed, %d refused, took %s; want none, at most %d, at most %s",
						failed, s.refused(), took, tt.refused, limit)
				}
			})
		})
	}
}

func TestStrangersShareAQuotaFairly(t *testing.T) {
	for _, runs := range []int{1, 2, 4} {
		t.Run(fmt.Sprintf("%d runs at once, unaware of each other", runs), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const calls = 1500
				s := &server{quota: constant(serviceModify(t))}
				took, first, failed := compete(t, s, runs, calls)
				limit := s.bound(runs*calls) * 5 / 4
				shares := s.accepted(first)
				t.Logf("took %s of %s, %d refused, shares %v, Jain index %.3f", took, limit, s.refused(), shares, jain(shares))
				if failed > 0 || took > limit || jain(shares) < 0.9 {
					t.Errorf("%d failed, took %s, Jain index %.3f; want none, at most %s, 0.9", failed, took, jain(shares), limit)
				}
				total := 0
				for _, n := range shares {
					total += n
				}
				if q := serviceModify(t); float64(total) < 0.9*q.Rate*first.Seconds() {
					t.Errorf("%d calls let in while all were at work, %s; want 90%% of the quota", total, first)
				}
			})
		})
	}
}

// compete floods the server from several registries. first is when the first of
// them was ready: the time in which they all competed.
func compete(t *testing.T, s *server, runs, calls int) (took, first time.Duration, failed int) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	for i := range runs {
		c := named(throttle.New(throttle.Limits{}).Scope("1", "r"), s, fmt.Sprint("run ", i))
		wg.Go(func() {
			d, f := flood(t, c, calls)
			mu.Lock()
			defer mu.Unlock()
			failed += f
			took = max(took, d)
			if first == 0 {
				first = d
			}
		})
	}
	wg.Wait()
	return took, first, failed
}

// jain is 1 when all shares are equal and 1/n when one has everything.
func jain(shares map[string]int) float64 {
	var sum, squares float64
	for _, n := range shares {
		sum += float64(n)
		squares += float64(n * n)
	}
	return sum * sum / squares / float64(len(shares))
}
