package sim

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func ptr[T any](v T) *T { return &v }

// nightly are a night's and a morning's bounds, in Rome.
func nightly() []ScheduledAction {
	return []ScheduledAction{
		{Name: "night", Schedule: "cron(0 22 * * ? *)", Timezone: "Europe/Rome", Min: ptr(2), Max: ptr(4)},
		{Name: "morning", Schedule: "cron(0 7 * * ? *)", Timezone: "Europe/Rome", Min: ptr(6), Max: ptr(20)},
	}
}

// until sleeps up to an instant of the simulation, in the form of RFC 3339.
func (c *client) sleepTo(instant string) {
	c.t.Helper()
	at, err := time.Parse(time.RFC3339, instant)
	if err != nil {
		c.t.Fatal(err)
	}
	time.Sleep(at.Sub(c.aws.Now()))
}

func TestNightAndMorning(t *testing.T) {
	for _, test := range []struct{ name, start, beforeNight, night, beforeMorning, morning string }{
		{"in winter", "2026-02-01T12:00:00Z", "2026-02-01T20:59:59Z", "2026-02-01T21:00:00Z", "2026-02-02T05:59:59Z", "2026-02-02T06:00:00Z"},
		{"in the night that summer time begins", "2026-03-28T12:00:00Z", "2026-03-28T20:59:59Z", "2026-03-28T21:00:00Z", "2026-03-29T04:59:59Z", "2026-03-29T05:00:00Z"},
		{"in the night that summer time ends", "2026-10-24T12:00:00Z", "2026-10-24T19:59:59Z", "2026-10-24T20:00:00Z", "2026-10-25T05:59:59Z", "2026-10-25T06:00:00Z"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := scaled(func(s *Service, st *ScalableTarget) {
					s.Desired, st.Min, st.Max, st.ScheduledActions = ptr(12), 6, 20, nightly()
				})
				w.Start, _ = time.Parse(time.RFC3339, test.start)
				c := newClient(t, w)
				c.sleepTo(test.beforeNight)
				c.has("before the night", 6, 20, 12)
				c.sleepTo(test.night)
				c.has("at night", 2, 4, 4)
				c.sleepTo(test.beforeMorning)
				c.has("before the morning", 2, 4, 4)
				if s := c.service(); s.Running != 4 {
					t.Errorf("%d tasks run at night", s.Running)
				}
				c.sleepTo(test.morning)
				c.has("in the morning", 6, 20, 6)
				time.Sleep(5 * time.Minute)
				if s := c.service(); s.Running != 6 {
					t.Errorf("%d tasks run in the morning", s.Running)
				}
			})
		})
	}
}

// A manual count survives a schedule whose bounds it is in, and no other.
func TestManualCountsAndSchedules(t *testing.T) {
	for _, test := range []struct {
		name   string
		action ScheduledAction
		want   [3]int
	}{
		{"a maximum above it", ScheduledAction{Max: ptr(30)}, [3]int{2, 30, 20}},
		{"a maximum below it", ScheduledAction{Max: ptr(10)}, [3]int{2, 10, 10}},
		{"a minimum below it", ScheduledAction{Min: ptr(4)}, [3]int{4, 25, 20}},
		{"a minimum above it", ScheduledAction{Min: ptr(22)}, [3]int{22, 25, 22}},
		{"a minimum above the maximum", ScheduledAction{Min: ptr(28)}, [3]int{28, 28, 28}},
		{"a maximum below the minimum", ScheduledAction{Max: ptr(1)}, [3]int{1, 1, 1}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				test.action.Name, test.action.Schedule = "later", "rate(1 day)"
				c := newClient(t, scaled(func(s *Service, st *ScalableTarget) {
					s.Desired, st.Max, st.ScheduledActions = ptr(20), 25, []ScheduledAction{test.action}
				}))
				time.Sleep(25 * time.Hour)
				c.has("after a day", test.want[0], test.want[1], test.want[2])
			})
		})
	}
}

func TestScheduledActionsThatDoNotRun(t *testing.T) {
	start := time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		name   string
		change func(*ScalableTarget, *ScheduledAction)
		runs   bool
	}{
		{"one that does", func(*ScalableTarget, *ScheduledAction) {}, true},
		{"scheduled scaling is suspended", func(t *ScalableTarget, _ *ScheduledAction) { t.Suspended.Scheduled = true }, false},
		{"only dynamic scaling is suspended", func(t *ScalableTarget, _ *ScheduledAction) { t.Suspended = Suspended{In: true, Out: true} }, true},
		{"it ends before", func(_ *ScalableTarget, a *ScheduledAction) { a.End = start.Add(21 * time.Hour) }, false},
		{"it ends then", func(_ *ScalableTarget, a *ScheduledAction) { a.End = start.Add(22 * time.Hour) }, true},
		{"it starts later", func(_ *ScalableTarget, a *ScheduledAction) { a.Start = start.Add(48 * time.Hour) }, false},
		{"it runs at its start, too", func(_ *ScalableTarget, a *ScheduledAction) { a.Start = start.Add(23 * time.Hour) }, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := scaled(func(_ *Service, st *ScalableTarget) {
					a := ScheduledAction{Name: "night", Schedule: "cron(0 22 * * ? *)", Min: ptr(1), Max: ptr(1)}
					test.change(st, &a)
					st.ScheduledActions = []ScheduledAction{a}
				})
				w.Start = start
				c := newClient(t, w)
				time.Sleep(24 * time.Hour)
				if ran := c.target().Max == 1; ran != test.runs {
					t.Errorf("it ran: %v; %+v", ran, c.target())
				}
				// What was missed is not made up for.
				c.must(aas+"RegisterScalableTarget", on(js{"SuspendedState": js{"ScheduledScalingSuspended": false}}))
				time.Sleep(time.Minute)
				if ran := c.target().Max == 1; ran != test.runs {
					t.Errorf("it ran later: %v", ran)
				}
			})
		})
	}
}

func TestUpdateOfAScheduledAction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := scaled(nil)
		w.Start = time.Date(2026, 2, 1, 20, 0, 0, 0, time.UTC)
		c := newClient(t, w)
		put := func(more js) {
			t.Helper()
			more["ScheduledActionName"] = "end of the campaign"
			c.must(aas+"PutScheduledAction", on(more))
		}
		put(js{"Schedule": "at(2026-02-01T22:00:00)", "Timezone": "Europe/Rome", "StartTime": w.Start.Unix(), "EndTime": w.Start.Add(24 * time.Hour).Unix(),
			"ScalableTargetAction": js{"MinCapacity": 5}})
		put(js{"Schedule": "at(2026-02-01T23:00:00)"})
		want := []ScheduledAction{{Name: "end of the campaign", Schedule: "at(2026-02-01T23:00:00)", Timezone: "Europe/Rome", Min: ptr(5)}}
		if diff := cmp.Diff(want, c.target().ScheduledActions); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		c.sleepTo("2026-02-01T21:59:59Z")
		c.has("at the time it had before", 2, 10, 2)
		c.sleepTo("2026-02-01T22:00:00Z")
		c.has("at its time", 5, 10, 5)
		shown := c.must(aas+"DescribeScheduledActions", on(js{"ScheduledActionNames": []string{"end of the campaign"}}))
		if got := at[float64](t, shown, "ScheduledActions", 0, "ScalableTargetAction", "MinCapacity"); got != 5 {
			t.Errorf("%v", shown)
		}
		c.must(aas+"DeleteScheduledAction", on(js{"ScheduledActionName": "end of the campaign"}))
		if left := c.target().ScheduledActions; len(left) != 0 {
			t.Errorf("%+v", left)
		}
	})
}

// AWS does not say what becomes of a one-time action that has run.
func TestOneTimeActionThatHasRun(t *testing.T) {
	for past, want := range map[string]int{"": 1, "listed": 1, "removed": 0} {
		t.Run(past, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := scaled(func(_ *Service, st *ScalableTarget) {
					st.ScheduledActions = []ScheduledAction{{Name: "once", Schedule: "at(2026-02-01T01:00:00)", Min: ptr(4)}}
				})
				w.Start, w.PastActions = time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC), past
				c := newClient(t, w)
				time.Sleep(2 * time.Hour)
				c.has("afterwards", 4, 10, 4)
				if got := len(c.target().ScheduledActions); got != want {
					t.Errorf("%d actions are listed", got)
				}
			})
		})
	}
}

// tracked is rails with target tracking at 50 % and a load.
func tracked(load float64, change func(*Service, *ScalableTarget)) World {
	return scaled(func(s *Service, st *ScalableTarget) {
		s.Load = &load
		st.Policies = []TargetTracking{{Name: "cpu", Target: 50}}
		if change != nil {
			change(s, st)
		}
	})
}

func TestTargetTrackingScalesOutAfterThreeMinutesAndInAfterFifteen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := tracked(80, func(s *Service, _ *ScalableTarget) {
			s.LoadChanges = []LoadChange{{Duration(time.Hour), 200}, {Duration(2 * time.Hour), 100}}
		})
		w.Start = time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)
		c := newClient(t, w)
		for _, step := range []struct {
			at      string
			desired int
		}{
			{"2026-02-01T01:01:59Z", 2}, // 100 % since an hour, for two minutes
			{"2026-02-01T01:02:00Z", 4}, // three datapoints
			{"2026-02-01T02:00:00Z", 4}, // 50 %: at the goal
			{"2026-02-01T02:13:59Z", 4}, // 25 % for fourteen minutes
			{"2026-02-01T02:14:00Z", 2},
			{"2026-02-01T05:00:00Z", 2},
		} {
			c.sleepTo(step.at)
			if s := c.service(); s.Desired != step.desired {
				t.Errorf("%s: %d tasks are desired, not %d", step.at, s.Desired, step.desired)
			}
		}
		if s := c.service(); s.Running != 2 || !hasEvent(s, "has reached a steady state") {
			t.Errorf("%+v", s)
		}
	})
}

// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-auto-scaling.html
func TestWhatTargetTrackingDoesToACount(t *testing.T) {
	seconds := func(n int) *Duration { return ptr(Duration(time.Duration(n) * time.Second)) }
	for _, test := range []struct {
		name          string
		desired       int
		load          float64
		change        func(*Service, *ScalableTarget)
		want, wantDay int // after half an hour and after a day
	}{
		{"too much work", 4, 300, nil, 6, 6},
		{"more work than the maximum can do", 4, 3000, nil, 10, 10},
		{"too little work", 8, 100, nil, 2, 2},
		{"no work", 8, 0, nil, 2, 2},
		{"a count below the minimum and much work", 1, 70, nil, 2, 2},
		{"a count below the minimum and little work", 1, 20, nil, 1, 1},
		{"a count above the maximum and much work", 15, 3000, nil, 15, 15},
		{"a count above the maximum and little work", 15, 100, nil, 2, 2},
		{"a count above the maximum and some work", 15, 450, nil, 9, 9},
		{"a minimum that was raised", 8, 0, func(_ *Service, t *ScalableTarget) { t.Min = 8 }, 8, 8},
		{"scaling in suspended", 8, 0, func(_ *Service, t *ScalableTarget) { t.Suspended.In = true }, 8, 8},
		{"scaling out suspended", 2, 400, func(_ *Service, t *ScalableTarget) { t.Suspended.Out = true }, 2, 2},
		{"scaling in disabled in the policy", 8, 0, func(_ *Service, t *ScalableTarget) { t.Policies[0].DisableScaleIn = true }, 8, 8},
		{"nothing runs, and nothing reports", 0, 400, func(_ *Service, t *ScalableTarget) { t.Min = 0 }, 0, 0},
		{"two policies that do not agree on scaling in", 8, 200, func(_ *Service, t *ScalableTarget) {
			t.Policies = append(t.Policies, TargetTracking{Name: "requests", Metric: "requests", Target: 25})
		}, 8, 8},
		{"two policies, of which the one that wants more decides", 4, 200, func(_ *Service, t *ScalableTarget) {
			t.Policies = append(t.Policies, TargetTracking{Name: "requests", Metric: "requests", Target: 25})
		}, 8, 8},
		{"a load that goes before the cooldown is over", 2, 200, func(s *Service, t *ScalableTarget) {
			s.LoadChanges = []LoadChange{{Duration(5 * time.Minute), 20}}
			t.Policies[0].ScaleOutCooldown = seconds(3600)
		}, 4, 2},
		{"a deployment that never ends", 8, 0, func(s *Service, _ *ScalableTarget) { s.CircuitBreaker = "off" }, 8, 8},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := tracked(test.load, func(s *Service, st *ScalableTarget) {
					s.Desired = &test.desired
					if test.change != nil {
						test.change(s, st)
					}
				})
				w.TaskFaults = []TaskFault{{Image: "*:v2", Fails: "pull"}}
				c := newClient(t, w)
				if test.name == "a deployment that never ends" {
					c.deploy("v2")
				}
				time.Sleep(30 * time.Minute)
				if got := c.service().Desired; got != test.want {
					t.Errorf("after half an hour %d tasks are desired, not %d", got, test.want)
				}
				time.Sleep(24 * time.Hour)
				if got := c.service().Desired; got != test.wantDay {
					t.Errorf("after a day %d tasks are desired, not %d", got, test.wantDay)
				}
			})
		})
	}
}

// Half as many tasks of twice the size have as much to do each.
func TestLargerTasksAreLessBusy(t *testing.T) {
	for _, test := range []struct {
		name, cpu string
		want      int
	}{
		{"as large as before", "512", 4},
		{"twice as large", "1024", 2},
		{"half as large", "256", 8},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newClient(t, tracked(200, func(s *Service, _ *ScalableTarget) { s.Desired = ptr(4) }))
				c.must("ecs:RegisterTaskDefinition", js{
					"family": "rails", "networkMode": "awsvpc", "requiresCompatibilities": []string{"FARGATE"}, "cpu": test.cpu, "memory": "2048",
					"containerDefinitions": []any{js{"name": "app", "image": image("v2"), "portMappings": []any{js{"containerPort": 3000}}}},
				})
				c.must("ecs:UpdateService", js{"cluster": "main", "service": "rails", "taskDefinition": "rails:42"})
				time.Sleep(time.Hour)
				if s := c.service(); s.Desired != test.want || s.Images["app"][image("v2")] != test.want {
					t.Errorf("%+v", s)
				}
			})
		})
	}
}

func TestPolicyThatIsPutByAClientActs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := tracked(200, func(_ *Service, st *ScalableTarget) { st.Policies = nil })
		c := newClient(t, w)
		time.Sleep(time.Hour)
		c.has("without one", 2, 10, 2)
		c.must(aas+"PutScalingPolicy", on(js{"PolicyName": "cpu", "PolicyType": "TargetTrackingScaling", "TargetTrackingScalingPolicyConfiguration": js{
			"TargetValue": 50, "PredefinedMetricSpecification": js{"PredefinedMetricType": "ECSServiceAverageCPUUtilization"},
		}}))
		time.Sleep(time.Hour)
		c.has("with one", 2, 10, 4)
		shown := c.must(aas+"DescribeScalingPolicies", on(nil))
		if got := at[float64](t, shown, "ScalingPolicies", 0, "TargetTrackingScalingPolicyConfiguration", "TargetValue"); got != 50 {
			t.Errorf("%v", shown)
		}
		c.must(aas+"DeleteScalingPolicy", on(js{"PolicyName": "cpu"}))
	})
}
