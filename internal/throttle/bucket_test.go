package throttle_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/google/go-cmp/cmp"

	"ecs-fleet/internal/throttle"
)

func TestHigherPriorityIsServedFirstAndEqualsInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := throttle.New(throttle.Limits{Stated: map[string]throttle.Quota{"ecs:service-modify": {Rate: 1, Burst: 1}}})
		s := &server{}
		var mu sync.Mutex
		var served []string
		var wg sync.WaitGroup
		start := func(name string, p throttle.Priority) {
			c := client(r.Scope("1", "r"), s)
			wg.Go(func() {
				_ = update(throttle.WithPriority(t.Context(), p), c)
				mu.Lock()
				defer mu.Unlock()
				served = append(served, name)
			})
			synctest.Wait()
		}
		start("at once", throttle.Write)
		start("write 1", throttle.Write)
		start("write 2", throttle.Write)
		start("watch 1", throttle.Watch)
		start("undo 1", throttle.Undo)
		start("write 3", throttle.Write)
		start("undo 2", throttle.Undo)
		wg.Wait()
		want := []string{"at once", "undo 1", "undo 2", "watch 1", "write 1", "write 2", "write 3"}
		if diff := cmp.Diff(want, served); diff != "" {
			t.Error(diff)
		}
	})
}

func TestTurnsAreServedInTheirOrderWhoeverComesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := throttle.New(throttle.Limits{Stated: map[string]throttle.Quota{"ecs:service-modify": {Rate: 1, Burst: 1}}})
		c := client(r.Scope("1", "r"), &server{})
		var mu sync.Mutex
		var served []int
		var wg sync.WaitGroup
		for _, turn := range []int{0, 4, 2, 5, 1, 3} { // the first finds the only token
			wg.Go(func() {
				_ = update(throttle.WithTurn(t.Context(), turn), c)
				mu.Lock()
				defer mu.Unlock()
				served = append(served, turn)
			})
			synctest.Wait()
		}
		wg.Wait()
		if diff := cmp.Diff([]int{0, 1, 2, 3, 4, 5}, served); diff != "" {
			t.Error(diff)
		}
	})
}

func TestThrottledRequestKeepsItsPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := throttle.New(throttle.Limits{Stated: map[string]throttle.Quota{"ecs:service-modify": {Rate: 1, Burst: 1}}})
		s := &server{answer: once(400, "ThrottlingException", "Rate exceeded")}
		var mu sync.Mutex
		var served []string
		var wg sync.WaitGroup
		for _, name := range []string{"refused first", "second", "third"} {
			c := client(r.Scope("1", "r"), s)
			wg.Go(func() {
				_ = update(t.Context(), c)
				mu.Lock()
				defer mu.Unlock()
				served = append(served, name)
			})
			synctest.Wait()
		}
		wg.Wait()
		if diff := cmp.Diff([]string{"refused first", "second", "third"}, served); diff != "" {
			t.Error(diff)
		}
	})
}

func TestIdleBucketAddsNoLatency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := client(throttle.New(throttle.Limits{}).Scope("1", "r"), &server{})
		for range 20 {
			start := time.Now()
			if err := update(t.Context(), c); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(start); took != 60*time.Millisecond {
				t.Errorf("took %s, want the server's 60 ms", took)
			}
			time.Sleep(time.Second)
		}
	})
}

func TestWhoLeavesTheQueueFreesHisPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := throttle.New(throttle.Limits{Stated: map[string]throttle.Quota{"ecs:service-modify": {Rate: 1, Burst: 1}}})
		c := client(r.Scope("1", "r"), &server{})
		if err := update(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		impatient, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() { _ = update(impatient, c) })
		}
		synctest.Wait()
		start := time.Now()
		if err := update(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		wg.Wait()
		// One token a second, 1 % slower; 60 ms have passed since the last.
		if took := time.Since(start); took >= 1100*time.Millisecond {
			t.Errorf("took %s, want the time of one token", took)
		}
	})
}

func TestHangingConnectionsDoNotStopABucket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := &hanging{server: &server{}, first: 2}
		c := client(throttle.New(throttle.Limits{}).Scope("1", "r"), hang)
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() { _ = update(ctx, c) })
		}
		synctest.Wait()
		start := time.Now()
		if err := update(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took != time.Second+60*time.Millisecond {
			t.Errorf("took %s, want one second of patience and the server's 60 ms", took)
		}
		cancel()
		wg.Wait()
	})
}

// hanging never answers the first requests.
type hanging struct {
	*server
	mu    sync.Mutex
	first int
}

func (h *hanging) RoundTrip(r *http.Request) (*http.Response, error) {
	h.mu.Lock()
	h.first--
	stuck := h.first >= 0
	h.mu.Unlock()
	if stuck {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	return h.server.RoundTrip(r)
}

func TestClientsOfAnAccountAndRegionShareABucket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := throttle.New(throttle.Limits{})
		s := &server{quota: constant(throttle.Quota{Rate: 5, Burst: 50})}
		one, two := client(r.Scope("1", "r"), s), client(r.Scope("1", "r"), s)
		var wg sync.WaitGroup
		for _, c := range []*ecs.Client{one, two} {
			wg.Go(func() { flood(t, c, 100) })
		}
		wg.Wait()
		if s.refused() != 0 {
			t.Errorf("%d calls refused, want none: two clients used two buckets", s.refused())
		}
		other := time.Now()
		if err := update(t.Context(), client(r.Scope("2", "r"), &server{})); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(other); took != 60*time.Millisecond {
			t.Errorf("another account's call took %s", took)
		}
	})
}

func TestUsageAndForecast(t *testing.T) {
	for _, speed := range []float64{1, 60} {
		synctest.Test(t, func(t *testing.T) {
			r := throttle.New(throttle.Limits{Speed: speed, Stated: map[string]throttle.Quota{"ecs:service-modify": {Rate: 1 / 0.99, Burst: 10}}})
			// 10 tokens less the margin of 1 + 0.1/0.99, then one a second.
			forecast := r.Forecast("1", "r", "ecs:service-modify", 20)
			c := client(r.Scope("1", "r"), &server{there: immediately})
			if _, failed := flood(t, c, 20); failed > 0 {
				t.Fatal(failed, "calls failed")
			}
			if err := describe(t.Context(), c); err != nil {
				t.Fatal(err)
			}
			got := r.Usage()
			for i := range got {
				got[i].Waited = got[i].Waited.Round(time.Millisecond)
				got[i].Rate = float64(int(got[i].Rate*1e6+0.5)) / 1e6
			}
			want := []throttle.Usage{
				{Account: "1", Region: "r", Bucket: "ecs:service-modify", Calls: 20, Waited: forecast.Round(time.Millisecond), Rate: 1},
				{Account: "1", Region: "r", Bucket: "ecs:service-read", Calls: 1, Rate: 19.8},
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("speed %g: %s", speed, diff)
			}
			if forecast.Round(time.Millisecond) != 11101*time.Millisecond {
				t.Errorf("speed %g: forecast %s", speed, forecast)
			}
		})
	}
	if d := throttle.New(throttle.Limits{}).Forecast("1", "r", "no such bucket", 1000); d != 0 {
		t.Errorf("forecast of an unknown bucket is %s", d)
	}
}

func TestShareIsNeverExceeded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{quota: constant(throttle.Quota{Rate: 1.25, Burst: 12.5})}
		r := throttle.New(throttle.Limits{Share: 0.25})
		if _, failed := flood(t, client(r.Scope("1", "r"), s), 100); failed > 0 || s.refused() > 0 {
			t.Errorf("%d failed, %d refused by a server that enforces a quarter of the quota", failed, s.refused())
		}
	})
}

func TestBucketsAreSortedAndKnown(t *testing.T) {
	names := throttle.Buckets()
	if !slices.IsSorted(names) {
		t.Error("not sorted:", names)
	}
	for _, name := range names {
		if q, ok := throttle.Documented(name); !ok || q.Rate <= 0 || q.Burst < 1 {
			t.Errorf("%s: %+v, %v", name, q, ok)
		}
	}
	for _, name := range strings.Fields("ecs:task-definition-modify ecs:service-modify ecs:service-read codedeploy sts ecr") {
		if !slices.Contains(names, name) {
			t.Errorf("%s is missing", name)
		}
	}
	if _, ok := throttle.Documented("ecs:service-modifi"); ok {
		t.Error("a misspelt bucket has a quota")
	}
}

func TestRefusalOfStoredTokensDoesNotBlameTheRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := throttle.New(throttle.Limits{})
		s := &server{answer: once(400, "ThrottlingException", "Rate exceeded")}
		if err := update(t.Context(), client(r.Scope("1", "r"), s)); err != nil {
			t.Fatal(err)
		}
		if u := r.Usage()[0]; u.Rate != 4.95 || u.Throttled != 1 || u.Calls != 2 {
			t.Errorf("%+v; want the whole rate, one of two calls throttled", u)
		}
	})
}

func TestRefusalAtTheRateSlowsEverybodyAndHeals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := throttle.New(throttle.Limits{})
		s := &server{answer: func(n int, _ *http.Request) (*http.Response, error) {
			if n > 6 {
				return nil, nil
			}
			return failure(400, "ThrottlingException", "Rate exceeded"), nil
		}}
		c := client(r.Scope("1", "r"), s)
		if err := update(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		if u := r.Usage()[0]; u.Rate > 4.95/3 {
			t.Errorf("rate %.2f after refusals at the rate; want at most a third", u.Rate)
		}
		took, _ := flood(t, c, 200)
		if u := r.Usage()[0]; u.Rate != 4.95 || took > time.Minute {
			t.Errorf("rate %.2f after 200 calls in %s without refusals; want the whole", u.Rate, took)
		}
	})
}
