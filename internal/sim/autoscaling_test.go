package sim

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

const aas = "application-autoscaling:"

// scaled is the world of rails with a scalable target from 2 to 10 and without
// a load.
func scaled(change func(*Service, *ScalableTarget)) World {
	w := rails(nil)
	r := w.Accounts[account].Regions[ireland]
	t := ScalableTarget{Cluster: "main", Service: "rails", Min: 2, Max: 10}
	if change != nil {
		change(&r.Services[0], &t)
	}
	r.ScalableTargets = []ScalableTarget{t}
	w.Accounts[account].Regions[ireland] = r
	return w
}

// on is a request about rails' scalable target.
func on(more js) js {
	in := js{"ServiceNamespace": "ecs", "ResourceId": "service/main/rails", "ScalableDimension": "ecs:service:DesiredCount"}
	maps.Copy(in, more)
	return in
}

func (c *client) target() ScalableTargetState {
	c.t.Helper()
	s, ok := c.aws.ScalableTarget(account, ireland, "main", "rails")
	if !ok {
		c.t.Fatal("no scalable target")
	}
	return s
}

// has checks bounds and desired count.
func (c *client) has(when string, low, high, desired int) {
	c.t.Helper()
	t, s := c.target(), c.service()
	if got, want := fmt.Sprint(t.Min, t.Max, s.Desired), fmt.Sprint(low, high, desired); got != want {
		c.t.Errorf("%s: minimum, maximum, desired are %s, not %s", when, got, want)
	}
}

func TestRegistrationMovesTheDesiredCountIntoTheBounds(t *testing.T) {
	for _, test := range []struct {
		name              string
		min, max, desired int // before
		in                js
		want              [3]int // min, max, desired
	}{
		{"a higher minimum", 2, 10, 3, js{"MinCapacity": 5}, [3]int{5, 10, 5}},
		{"a lower maximum", 2, 10, 8, js{"MaxCapacity": 4}, [3]int{2, 4, 4}},
		{"bounds around it", 2, 10, 3, js{"MinCapacity": 1, "MaxCapacity": 5}, [3]int{1, 5, 3}},
		{"nothing about bounds, below them", 2, 10, 1, js{"SuspendedState": js{"ScheduledScalingSuspended": false}}, [3]int{2, 10, 2}},
		{"nothing about bounds, above them", 2, 10, 12, js{}, [3]int{2, 10, 10}},
		{"down to nothing", 2, 10, 3, js{"MinCapacity": 0, "MaxCapacity": 0}, [3]int{0, 0, 0}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newClient(t, scaled(func(s *Service, st *ScalableTarget) { s.Desired, st.Min, st.Max = &test.desired, test.min, test.max }))
				c.has("before", test.min, test.max, test.desired)
				c.must(aas+"RegisterScalableTarget", on(test.in))
				c.has("after", test.want[0], test.want[1], test.want[2])
				time.Sleep(5 * time.Minute)
				if s := c.service(); s.Running != test.want[2] || !hasEvent(s, "has reached a steady state") {
					t.Errorf("%+v", s)
				}
			})
		})
	}
}

func TestScalableTargetThatIsNew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, rails(nil))
		out := c.must(aas+"RegisterScalableTarget", on(js{"MinCapacity": 3, "MaxCapacity": 6, "Tags": js{"team": "web"}}))
		arn := at[string](t, out, "ScalableTargetARN")
		c.has("at once", 3, 6, 3)
		shown := c.must(aas+"DescribeScalableTargets", js{"ServiceNamespace": "ecs", "ResourceIds": []string{"service/main/rails", "service/main/other"}})
		want := js{"DynamicScalingInSuspended": false, "DynamicScalingOutSuspended": false, "ScheduledScalingSuspended": false}
		if diff := cmp.Diff(want, at[js](t, shown, "ScalableTargets", 0, "SuspendedState")); diff != "" || len(at[[]any](t, shown, "ScalableTargets")) != 1 {
			t.Errorf("(-want +got):\n%s\n%v", diff, shown)
		}
		c.must(aas+"TagResource", js{"ResourceARN": arn, "Tags": js{"was": "2"}})
		c.must(aas+"UntagResource", js{"ResourceARN": arn, "TagKeys": []string{"team"}})
		if diff := cmp.Diff(js{"was": "2"}, at[js](t, c.must(aas+"ListTagsForResource", js{"ResourceARN": arn}), "Tags")); diff != "" {
			t.Errorf("tags (-want +got):\n%s", diff)
		}
		time.Sleep(time.Second)
		c.must(aas+"PutScheduledAction", on(js{"ScheduledActionName": "end", "Schedule": "rate(1 minute)", "ScalableTargetAction": js{"MinCapacity": 5}}))
		time.Sleep(time.Second)
		c.must(aas+"DeregisterScalableTarget", on(nil))
		time.Sleep(time.Hour)
		if _, ok := c.aws.ScalableTarget(account, ireland, "main", "rails"); ok || c.service().Desired != 3 {
			t.Errorf("%v %+v", ok, c.service())
		}
	})
}

func TestSuspendedStateKeepsWhatARequestLeavesOut(t *testing.T) {
	c := newClient(t, scaled(func(_ *Service, st *ScalableTarget) { st.Suspended = Suspended{In: true} }))
	c.must(aas+"RegisterScalableTarget", on(js{"SuspendedState": js{"ScheduledScalingSuspended": true}}))
	if diff := cmp.Diff(Suspended{In: true, Scheduled: true}, c.target().Suspended); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestScalingRequestsThatAreRefused(t *testing.T) {
	fiftyOne := strings.Split(strings.Repeat("service/main/rails ", 51), " ")[:51]
	action := func(schedule string, more js) js {
		in := on(js{"ScheduledActionName": "night", "Schedule": schedule, "ScalableTargetAction": js{"MinCapacity": 1}})
		maps.Copy(in, more)
		return in
	}
	for _, test := range []struct {
		name, action string
		in           js
		code         string
	}{
		{"a target without bounds", "RegisterScalableTarget", on(js{"ResourceId": "service/main/nextjs", "MinCapacity": 1}), "ValidationException"},
		{"a target of a service that is not there", "RegisterScalableTarget", on(js{"ResourceId": "service/main/none", "MinCapacity": 1, "MaxCapacity": 2}), "ValidationException"},
		{"a minimum above the maximum", "RegisterScalableTarget", on(js{"MinCapacity": 11}), "ValidationException"},
		{"a minimum below 0", "RegisterScalableTarget", on(js{"MinCapacity": -1}), "ValidationException"},
		{"a resource of another kind", "RegisterScalableTarget", on(js{"ResourceId": "main/rails"}), "ValidationException"},
		{"no name space", "DescribeScalableTargets", js{}, "ValidationException"},
		{"51 targets at once", "DescribeScalableTargets", js{"ServiceNamespace": "ecs", "ResourceIds": fiftyOne}, "ValidationException"},
		{"a dimension without a resource", "DescribeScalableTargets", js{"ServiceNamespace": "ecs", "ScalableDimension": "ecs:service:DesiredCount"}, "ValidationException"},
		{"pages of 51 targets", "DescribeScalableTargets", js{"ServiceNamespace": "ecs", "MaxResults": 51}, "ValidationException"},
		{"pages of 11 policies", "DescribeScalingPolicies", js{"ServiceNamespace": "ecs", "MaxResults": 11}, "ValidationException"},
		{"a token of nowhere", "DescribeScheduledActions", js{"ServiceNamespace": "ecs", "NextToken": "x"}, "InvalidNextTokenException"},
		{"51 actions at once", "DescribeScheduledActions", js{"ServiceNamespace": "ecs", "ScheduledActionNames": fiftyOne}, "ValidationException"},
		{"an action of a target that is not there", "PutScheduledAction", action("rate(1 day)", js{"ResourceId": "service/main/none"}), "ObjectNotFoundException"},
		{"an action without a schedule", "PutScheduledAction", action("", nil), "ValidationException"},
		{"an action with Unix cron", "PutScheduledAction", action("cron(0 22 * * *)", nil), "ValidationException"},
		{"an action in no zone", "PutScheduledAction", action("rate(1 day)", js{"Timezone": "Rome"}), "ValidationException"},
		{"an action that does nothing", "PutScheduledAction", action("rate(1 day)", js{"ScalableTargetAction": js{}}), "ValidationException"},
		{"an action whose name has a colon", "PutScheduledAction", action("rate(1 day)", js{"ScheduledActionName": "a:b"}), "ValidationException"},
		{"an action that has ended", "PutScheduledAction", action("rate(1 day)", js{"EndTime": 1000}), "ValidationException"},
		{"an action that is not there", "DeleteScheduledAction", on(js{"ScheduledActionName": "night"}), "ObjectNotFoundException"},
		{"a policy that is not there", "DeleteScalingPolicy", on(js{"PolicyName": "cpu"}), "ObjectNotFoundException"},
		{"a policy without a configuration", "PutScalingPolicy", on(js{"PolicyName": "cpu", "PolicyType": "TargetTrackingScaling"}), "ValidationException"},
		{"a target that is not there", "DeregisterScalableTarget", on(js{"ResourceId": "service/main/none"}), "ObjectNotFoundException"},
		{"tags of what is not there", "ListTagsForResource", js{"ResourceARN": "arn:aws:none"}, "ResourceNotFoundException"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newClient(t, scaled(nil))
			if out, code := c.send(aas+test.action, test.in); code != test.code {
				t.Errorf("%s: %v", code, out)
			}
		})
	}
}

// Two writes to one target at a time are one too many; the next one, after the
// first one's answer, is not.
func TestUpdateOfATargetThatIsBeingUpdatedIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, scaled(nil))
		codes := make(chan string, 2)
		for range 2 {
			go func() {
				_, code := c.send(aas+"RegisterScalableTarget", on(js{"MinCapacity": 3}))
				codes <- code
			}()
		}
		if got := (<-codes) + (<-codes); got != "ConcurrentUpdateException" {
			t.Errorf("the answers are %s", got)
		}
		c.must(aas+"RegisterScalableTarget", on(js{"MinCapacity": 4}))
		c.must(aas+"RegisterScalableTarget", on(js{"MinCapacity": 5}))
		c.has("after them", 5, 10, 5)
	})
}

func TestListsOfScalingComeInPages(t *testing.T) {
	w := scaled(nil)
	r := w.Accounts[account].Regions[ireland]
	r.Services[0].Count, r.Services[0].Cluster = 60, "tenant-{n}"
	r.ScalableTargets = []ScalableTarget{{
		Count: 60, Cluster: "tenant-{n}", Service: "rails", Min: 1, Max: 4, Policies: []TargetTracking{{Name: "cpu", Target: 50}},
		ScheduledActions: []ScheduledAction{{Name: "every night", Schedule: "cron(0 22 * * ? *)", Min: new(int)}},
	}}
	w.Accounts[account].Regions[ireland] = r
	for action, want := range map[string]string{
		"DescribeScalableTargets": "[50 10]", "DescribeScheduledActions": "[50 10]", "DescribeScalingPolicies": "[10 10 10 10 10 10]",
	} {
		t.Run(action, func(t *testing.T) {
			c := newClient(t, w)
			in, seen, sizes := js{"ServiceNamespace": "ecs"}, map[string]bool{}, []int{}
			for {
				out := c.must(aas+action, in)
				page := at[[]any](t, out, strings.TrimPrefix(action, "Describe"))
				sizes = append(sizes, len(page))
				for _, e := range page {
					seen[at[string](t, e, "ResourceId")] = true
				}
				if out["NextToken"] == nil {
					break
				}
				in["NextToken"] = out["NextToken"]
			}
			if got := fmt.Sprint(sizes); got != want || len(seen) != 60 {
				t.Errorf("pages of %s with %d targets", got, len(seen))
			}
		})
	}
}

func TestScalingActivitiesTellWhatScaled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, scaled(nil))
		c.must(aas+"RegisterScalableTarget", on(js{"MinCapacity": 4}))
		newest := func() js {
			out := c.must(aas+"DescribeScalingActivities", js{"ServiceNamespace": "ecs", "ResourceId": "service/main/rails"})
			return at[js](t, out, "ScalingActivities", 0)
		}
		if got := newest(); got["StatusCode"] != "InProgress" || got["Cause"] != "minimum capacity was set to 4" || got["Description"] != "Setting desired count to 4." {
			t.Errorf("at once: %v", got)
		}
		time.Sleep(3 * time.Minute)
		if got := newest(); got["StatusCode"] != "Successful" {
			t.Errorf("later: %v", got)
		}
	})
}
