package schedule

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"ecs-fleet/internal/fleet"
	"ecs-fleet/internal/sim"
)

// The simulation reads schedules by itself; both readings were written from
// AWS's pages, and must come to the same times. Only where the clock is changed
// may they differ, which is then said.
func TestTimesAreThoseOfTheSimulation(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for start, days := range map[string]int{"2026-03-01T10:30:17Z": 45, "2026-10-05T00:00:00Z": 45, "2027-12-20T22:00:00Z": 90} {
		t.Run(start, func(t *testing.T) {
			actions := make([]sim.ScheduledAction, 60)
			for i := range actions {
				actions[i] = randomAction(random, moment(t, start))
			}
			ran := simulated(t, actions, moment(t, start), days)
			until := moment(t, start).AddDate(0, 0, days)
			for i, a := range actions {
				runs, unread := Runs([]fleet.ScheduledAction{{
					Name: a.Name, Schedule: a.Schedule, Zone: a.Timezone, Start: a.Start, End: a.End, Created: moment(t, start).AddDate(0, 0, -1), Min: a.Min,
				}}, moment(t, start), until)
				var got, sure []string
				for _, r := range runs {
					if !r.Unsure {
						got = append(got, r.At.UTC().Format(time.RFC3339))
					}
				}
				for _, at := range ran[i] {
					if zone, _ := time.LoadLocation(a.Timezone); !changes(at.In(zone)) {
						sure = append(sure, at.UTC().Format(time.RFC3339))
					}
				}
				if diff := cmp.Diff(sure, got); diff != "" || unread != nil {
					t.Errorf("%s in %q from %v to %v (-simulated +got): %v\n%s", a.Schedule, a.Timezone, a.Start, a.End, unread, diff)
				}
			}
		})
	}
}

func randomAction(r *rand.Rand, start time.Time) sim.ScheduledAction {
	pick := func(from ...string) string { return from[r.IntN(len(from))] }
	dom, dow := "?", "?"
	if r.IntN(2) == 0 {
		dom = pick("*", "*/3", "1,15", "L", "LW", "15W", "1W", "31", "5-9", "28/1")
	} else {
		dow = pick("*", "MON-FRI", "2-6", "SUN,SAT", "6L", "3#2", "2#5", "L", "mon", "7", "1/2", "TUE-THU")
	}
	one := 1
	a := sim.ScheduledAction{
		Name: "a", Timezone: pick("", "Europe/Rome", "America/New_York", "Asia/Tokyo", "Australia/Lord_Howe", "Pacific/Auckland", "America/Sao_Paulo"), Min: &one,
		Schedule: fmt.Sprintf("cron(%s %s %s %s %s %s)", pick("0", "30", "59", "0,30", "15/20", "5-8"), pick("0", "2", "22", "7,22", "1-3", "*/6", "23", "20/1"),
			dom, pick("*", "MAR-APR", "3,10", "1/3", "JAN,OCT,DEC", "*/2"), dow, pick("*", "2026", "2026-2027", "2027,2028", "2026/2")),
	}
	if r.IntN(8) == 0 {
		a.Schedule = fmt.Sprintf("rate(%s)", pick("1 day", "6 hours", "45 minutes", "1 hour", "3 days"))
	}
	if r.IntN(8) == 0 { // whether a start holds one back is not documented
		a.Schedule = start.AddDate(0, 0, r.IntN(40)).Format("at(2006-01-02T15:04:05)")
	} else if r.IntN(3) == 0 {
		a.Start = start.Add(time.Duration(r.IntN(20*24)) * time.Hour)
	}
	if r.IntN(3) == 0 {
		a.End = start.Add(time.Duration(20*24+r.IntN(20*24)) * time.Hour)
	}
	return a
}

// simulated is when each action ran, as its scaling activities tell.
func simulated(t *testing.T, actions []sim.ScheduledAction, start time.Time, days int) (ran [][]time.Time) {
	many := 1e6
	r := sim.Region{Quotas: map[string]sim.Quota{"application-autoscaling:read": {Rate: &many, Burst: &many}}}
	for i, a := range actions {
		name := fmt.Sprintf("s%d", i)
		r.Services = append(r.Services, sim.Service{Cluster: "main", Name: name, Containers: map[string]string{"app": "nginx"}})
		r.ScalableTargets = append(r.ScalableTargets, sim.ScalableTarget{Cluster: "main", Service: name, Min: 1, Max: 1, ScheduledActions: []sim.ScheduledAction{a}})
	}
	synctest.Test(t, func(t *testing.T) {
		ran = make([][]time.Time, len(actions))
		a, err := sim.New(sim.World{Start: start, Accounts: map[string]sim.Account{"111122223333": {Regions: map[string]sim.Region{"eu-west-1": r}}}})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(days) * 24 * time.Hour)
		for token, more := "", true; more; more = token != "" {
			body, _ := json.Marshal(map[string]string{"ServiceNamespace": "ecs", "NextToken": token})
			q, err := http.NewRequestWithContext(t.Context(), "POST", "https://aws.test/", bytes.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			q.Header.Set("X-Amz-Target", "AnyScaleFrontendService.DescribeScalingActivities")
			q.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIA111122223333/20260101/eu-west-1/application-autoscaling/aws4_request, SignedHeaders=host, Signature=00")
			answer, err := sim.RoundTripper(a).RoundTrip(q)
			if err != nil {
				t.Fatal(err)
			}
			var page struct {
				NextToken         string
				ScalingActivities []struct {
					ResourceId string
					StartTime  float64
				}
			}
			if err := json.NewDecoder(answer.Body).Decode(&page); err != nil {
				t.Fatal(err)
			}
			for _, s := range page.ScalingActivities {
				var i int
				if _, err := fmt.Sscanf(strings.TrimPrefix(s.ResourceId, "service/main/s"), "%d", &i); err != nil {
					t.Fatal(err)
				}
				ran[i] = append([]time.Time{time.Unix(int64(s.StartTime), 0)}, ran[i]...)
			}
			token = page.NextToken
		}
	})
	return ran
}
