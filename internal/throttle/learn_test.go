package throttle_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
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

// change is what becomes of a quota: part of it from some time on.
type change struct {
	at time.Duration
	to float64
}

// changing is a quota of which there are different parts at different times.
func changing(full throttle.Quota, first float64, changes ...change) func(time.Duration) throttle.Quota {
	return func(since time.Duration) throttle.Quota {
		now := first
		for _, c := range changes {
			if since >= c.at {
				now = c.to
			}
		}
		return part(full, now)
	}
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
		return changing(full, before, change{at, after})
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
		{name: "the quota rises from a tenth in mid-run", quota: changing(0.1, 1, 100*time.Second), calls: 1000, refused: 50},
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

// job is a run that makes calls from start on.
type job struct {
	start time.Duration
	calls int
}

// work lets a run of its own do each job. ends are when each was ready.
func work(t *testing.T, s *server, jobs []job, call func(context.Context, *ecs.Client) error) (ends []time.Duration, failed int) {
	begun := time.Now()
	ends = make([]time.Duration, len(jobs))
	failures := make([]int, len(jobs))
	var wg sync.WaitGroup
	for i, j := range jobs {
		c := named(throttle.New(throttle.Limits{}).Scope("1", "r"), s, fmt.Sprint("run ", i))
		wg.Go(func() {
			time.Sleep(j.start)
			_, failures[i] = floodWith(t, c, j.calls, call)
			ends[i] = time.Since(begun)
		})
	}
	wg.Wait()
	for _, n := range failures {
		failed += n
	}
	return ends, failed
}

// The bucket of RegisterTaskDefinition is the slowest, and thus the one where a
// wrong guess costs most and the fewest calls are there to learn from.
func TestTheSlowestBucketIsNeverLeftIdle(t *testing.T) {
	const seconds = time.Second
	full, _ := throttle.Documented("ecs:task-definition-modify")
	for _, tt := range []struct {
		name  string
		quota func(time.Duration) throttle.Quota
		jobs  []job
	}{
		{"half", constant(part(full, 0.5)), []job{{0, 300}}},
		{"a tenth", constant(part(full, 0.1)), []job{{0, 300}}},
		{"a little less", constant(part(full, 0.95)), []job{{0, 300}}},
		{"the whole, half, the whole", changing(full, 1, change{120 * seconds, 0.5}, change{300 * seconds, 1}), []job{{0, 400}}},
		{"a tenth, the whole", changing(full, 0.1, change{300 * seconds, 1}), []job{{0, 300}}},
		{"half, a tenth, half", changing(full, 0.5, change{200 * seconds, 0.1}, change{500 * seconds, 0.5}), []job{{0, 300}}},
		{"three equal runs", constant(full), []job{{0, 100}, {0, 100}, {0, 100}}},
		{"three short runs", constant(full), []job{{0, 40}, {0, 40}, {0, 40}}},
		{"a long run and two short ones", constant(full), []job{{0, 200}, {0, 60}, {0, 40}}},
		{"shorter and shorter runs come", constant(full), []job{{0, 150}, {20 * seconds, 100}, {45 * seconds, 50}}},
		{"longer and longer runs come", constant(full), []job{{0, 50}, {20 * seconds, 100}, {45 * seconds, 150}}},
		{"three runs and half", constant(part(full, 0.5)), []job{{0, 100}, {0, 100}, {0, 100}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for seed := range uint64(3) {
				synctest.Test(t, func(t *testing.T) {
					s := &server{quota: tt.quota, there: shaky, seed: seed}
					ends, failed := work(t, s, tt.jobs, deregister)
					calls := 0
					for _, j := range tt.jobs {
						calls += j.calls
					}
					took, limit := slices.Max(ends), s.bound(calls)*5/4
					if calls < 200 { // chance weighs more in a short run
						limit = s.bound(calls) * 3 / 2
					}
					t.Logf("took %s of %s (%.3f of the bound), %d refused", took, limit, took.Seconds()/s.bound(calls).Seconds(), s.refused())
					if failed > 0 || took > limit || s.refused() > calls/3 {
						t.Errorf("%d failed, took %s, %d refused; want none, at most %s, %d", failed, took, s.refused(), limit, calls/3)
					}
				})
			}
		})
	}
}

func TestStrangersShareAQuotaFairly(t *testing.T) {
	for _, runs := range []int{1, 2, 4} {
		t.Run(fmt.Sprintf("%d runs at once, unaware of each other", runs), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const calls = 1500
				s := &server{quota: constant(serviceModify(t))}
				ends, failed := work(t, s, slices.Repeat([]job{{0, calls}}, runs), update)
				took, first := slices.Max(ends), slices.Min(ends)
				limit := s.bound(runs*calls) * 11 / 10
				shares := s.accepted(0, first)
				t.Logf("took %s of %s, %d refused, shares %v, Jain index %.3f", took, limit, s.refused(), shares, jain(shares))
				if failed > 0 || took > limit || jain(shares) < 0.9 {
					t.Errorf("%d failed, took %s, Jain index %.3f; want none, at most %s, 0.9", failed, took, jain(shares), limit)
				}
				if q := serviceModify(t); float64(sum(shares)) < 0.9*q.Rate*first.Seconds() {
					t.Errorf("%v calls let in while all were at work, %s; want 90%% of the quota", shares, first)
				}
			})
		})
	}
}

func TestWhoComesLateGetsHisShareAndWhoStaysTakesOver(t *testing.T) {
	for seed := range uint64(5) {
		synctest.Test(t, func(t *testing.T) {
			s := &server{quota: constant(serviceModify(t)), there: shaky, seed: seed}
			ends, failed := work(t, s, []job{{0, 3000}, {time.Minute, 1000}}, update)
			together := s.accepted(2*time.Minute, ends[1])
			alone := s.accepted(ends[1], ends[1]+2*time.Minute)
			t.Logf("together until %s: %v, Jain index %.3f; the two minutes after: %v; %d refused", ends[1], together, jain(together), alone, s.refused())
			if failed > 0 || len(together) != 2 || jain(together) < 0.9 {
				t.Errorf("%d failed, %v from a minute after the second had come; want none, and a Jain index of 0.9", failed, together)
			}
			if q := serviceModify(t); float64(sum(alone)) < 0.9*q.Rate*120 {
				t.Errorf("%v in the two minutes after the second had gone; want 90%% of the quota", alone)
			}
		})
	}
}

func sum(shares map[string]int) (total int) {
	for _, n := range shares {
		total += n
	}
	return total
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
