package sim

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// flood sends requests as fast as the simulation lets it through for a while,
// asking again every 100 ms when refused, and says how many got through.
func (c *client) flood(action string, in any, d time.Duration) int {
	c.t.Helper()
	passed := 0
	for end := time.Now().Add(d); !time.Now().After(end); {
		if _, code := c.send(action, in); code == "ThrottlingException" {
			time.Sleep(100 * time.Millisecond)
		} else {
			passed++
		}
	}
	return passed
}

// The numbers are burst + seconds × refill, of
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/request-throttling.html
func TestBucketsLetThroughWhatAWSDocuments(t *testing.T) {
	for _, test := range []struct {
		action string
		in     js
		want   int
	}{
		{"ecs:DeregisterTaskDefinition", js{"taskDefinition": "nothing"}, 20 + 10*1},
		{"ecs:DescribeTaskDefinition", js{"taskDefinition": "rails"}, 50 + 10*20},
		{"ecs:UpdateService", js{"cluster": "main", "service": "rails", "desiredCount": 2}, 50 + 10*5},
		{"ecs:DescribeServices", js{"cluster": "main", "services": []string{"rails"}}, 100 + 10*20},
		{"ecs:ListServiceDeployments", js{"cluster": "main", "service": "rails"}, 50 + 10*20},
		{"ecs:DescribeServiceRevisions", js{"serviceRevisionArns": []string{"x"}}, 50 + 10*20},
		{"ecs:StopTask", js{"cluster": "main", "task": "x"}, 100 + 10*40},
		{"ecs:ListTasks", js{"cluster": "main"}, 100 + 10*20},
		{"ecs:DescribeClusters", js{}, 50 + 10*20},
		{"ecs:CreateCluster", js{}, 20 + 10*1},
		{"ecs:TagResource", js{}, 20 + 10*10},
		{"logs:GetLogEvents", js{"logGroupName": "x"}, 10 + 10*10},
	} {
		t.Run(test.action, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newClient(t, rails(nil))
				if got := c.flood(test.action, test.in, 10*time.Second); got != test.want {
					t.Errorf("%d requests got through in ten seconds, not %d", got, test.want)
				}
			})
		})
	}
}

func TestClientThatPacesItselfAtTheDocumentedRateIsNeverRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, rails(nil))
		in := js{"cluster": "main", "service": "rails", "desiredCount": 2}
		for range 50 {
			c.must("ecs:UpdateService", in)
		}
		for range 1000 {
			time.Sleep(200 * time.Millisecond)
			c.must("ecs:UpdateService", in)
		}
	})
}

func TestActionsOfOneCategoryShareTheirBucketAndOtherRegionsDoNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, rails(nil))
		for i := range 20 {
			c.send([]string{"ecs:RegisterTaskDefinition", "ecs:DeregisterTaskDefinition"}[i%2], js{})
		}
		if _, code := c.send("ecs:RegisterTaskDefinition", js{}); code != "ThrottlingException" {
			t.Errorf("the 21st request of the category was answered %q", code)
		}
		c.key = "AKIA444455556666"
		if _, code := c.send("ecs:RegisterTaskDefinition", js{}); code != "ClientException" {
			t.Errorf("another account's request was answered %q", code)
		}
		calls := c.aws.Calls()
		last := calls[20]
		want := Call{
			At: last.At, Account: account, Region: ireland, Service: "ecs", Action: "RegisterTaskDefinition",
			Bucket: "ecs:task-definition-modify", Code: "ThrottlingException", Throttled: true, Client: "AKIA" + account,
		}
		if diff := cmp.Diff(want, last); diff != "" {
			t.Errorf("the recorded call (-want +got):\n%s", diff)
		}
	})
}

// changed is rails' world with a Region's quotas changed.
func changed(change func(*Region)) World {
	w := rails(nil)
	r := w.Accounts[account].Regions[ireland]
	change(&r)
	w.Accounts[account].Regions[ireland] = r
	return w
}

func TestQuotasOfAWorld(t *testing.T) {
	two, four, ten := 2.0, 4.0, 10.0
	for _, test := range []struct {
		name   string
		change func(*Region)
		want   int // UpdateService requests in ten seconds
	}{
		{"are halved by a factor", func(r *Region) { r.QuotaFactor = 0.5 }, 25 + 25},
		{"can be set one by one", func(r *Region) { r.Quotas = map[string]Quota{"ecs:service-modify": {Rate: &two, Burst: &ten}} }, 10 + 20},
		{"can change later", func(r *Region) {
			r.Quotas = map[string]Quota{"ecs:service-modify": {Rate: &two, Burst: &ten, Changes: []QuotaChange{{At: Duration(5 * time.Second), Rate: &four}}}}
		}, 10 + 10 + 20},
		// Its first call comes at once: 49 of the 50 are left for us.
		{"are shared with a neighbour", func(r *Region) { r.Neighbours = []Neighbour{{Bucket: "ecs:service-modify", Rate: 2}} }, 49 + 30},
		{"are shared with a neighbour for a while", func(r *Region) {
			r.Neighbours = []Neighbour{{Bucket: "ecs:service-modify", Rate: 2, From: Duration(time.Second), Until: Duration(6 * time.Second)}}
		}, 50 + 50 - 10},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newClient(t, changed(test.change))
				in := js{"cluster": "main", "service": "rails", "desiredCount": 2}
				if got := c.flood("ecs:UpdateService", in, 10*time.Second); got != test.want {
					t.Errorf("%d requests got through in ten seconds, not %d", got, test.want)
				}
			})
		})
	}
}

// 400 tasks, 100 at once and 20 a second, are launched 15 s later than two; the
// scheduler, which is then at work every five seconds, sees the last of them
// healthy without a delay of its own.
func TestFargateLaunchRateSlowsALargeService(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		many := 400
		c := newClient(t, rails(func(s *Service) { s.Desired = &many }))
		c.deploy("v2")
		if took := c.until(done); took != 170*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

func TestLaunchesBeyondTheRateAreLateButComeInOrder(t *testing.T) {
	start := time.Date(2026, 1, 31, 4, 5, 6, 0, time.UTC)
	b := newBucket(20, 100, start)
	var late []time.Duration
	for range 141 {
		late = append(late, b.reserve(start).Sub(start))
	}
	for i, want := range map[int]time.Duration{0: 0, 99: 0, 100: 50 * time.Millisecond, 140: 2050 * time.Millisecond} {
		if got := late[i].Round(time.Microsecond); got != want {
			t.Errorf("launch %d came after %v, not %v", i, got, want)
		}
	}
}

func TestSpotTasksHaveALaunchRateOfTheirOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, rails(func(s *Service) { s.CapacityProvider = "FARGATE_SPOT" }))
		network := js{"awsvpcConfiguration": js{"subnets": []any{"subnet-1"}}}
		// All On-Demand launches of this moment.
		for range 10 {
			c.must("ecs:RunTask", js{"cluster": "main", "taskDefinition": "rails", "launchType": "FARGATE", "count": 10, "networkConfiguration": network})
		}
		if _, code := c.send("ecs:RunTask", js{"cluster": "main", "taskDefinition": "rails", "launchType": "FARGATE", "networkConfiguration": network}); code != "ThrottlingException" {
			t.Errorf("the 101st launch was answered %q", code)
		}
		c.deploy("v2")
		if took := c.until(done); took != 160*time.Second {
			t.Errorf("the service on Spot took %v", took)
		}
		out := c.must("ecs:DescribeServices", js{"cluster": "main", "services": []string{"rails"}})
		if s := at[js](t, out, "services", 0); s["launchType"] != nil || at[string](t, s, "capacityProviderStrategy", 0, "capacityProvider") != "FARGATE_SPOT" {
			t.Errorf("%v", s)
		}
	})
}

func TestRunTaskOnFargateHasAQuotaBesideECSs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, rails(nil))
		in := js{
			"cluster": "main", "taskDefinition": "rails", "launchType": "FARGATE",
			"networkConfiguration": js{"awsvpcConfiguration": js{"subnets": []any{"subnet-1"}}},
		}
		if got := c.flood("ecs:RunTask", in, time.Second); got != 20+20 {
			t.Errorf("%d tasks were run in a second", got)
		}
	})
}
