package sim

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func native(strategy string, change func(*Service)) World {
	return rails(func(s *Service) {
		s.Strategy, s.CircuitBreaker = strategy, ""
		if change != nil {
			change(s)
		}
	})
}

// mine is the service deployment that the service shows as its current one.
func (c *client) mine() js {
	c.t.Helper()
	time.Sleep(2 * time.Second) // until it is shown
	out := c.must("ecs:DescribeServices", js{"cluster": "main", "services": []string{"rails"}})
	arn := at[string](c.t, out, "services", 0, "currentServiceDeployment")
	return c.described(arn)
}

func (c *client) described(arn string) js {
	c.t.Helper()
	out := c.must("ecs:DescribeServiceDeployments", js{"serviceDeploymentArns": []string{arn}})
	return at[js](c.t, out, "serviceDeployments", 0)
}

// stagesOf watches the service until it is over, and returns its stages with
// the new revision's weight: "BAKE_TIME 100".
func (c *client) stagesOf(arn string) (seen []string, took time.Duration) {
	c.t.Helper()
	start := time.Now()
	for time.Since(start) < 48*time.Hour {
		d := c.described(arn)
		if d["finishedAt"] != nil {
			return seen, time.Since(start)
		}
		name, _ := d["lifecycleStage"].(string)
		weight := at[js](c.t, d, "targetServiceRevision")["requestedProductionTrafficWeight"]
		if name != "" {
			if now := strings.TrimSpace(name + " " + asText(weight)); !slices.Contains(seen, now) {
				seen = append(seen, now)
			}
		}
		time.Sleep(time.Second)
	}
	c.t.Fatal("it did not end in two days")
	return nil, 0
}

func asText(v any) string { return text(v) }

func TestTrafficIsShiftedInTheStagesOfTheStrategy(t *testing.T) {
	before := []string{"PRE_SCALE_UP 0", "SCALE_UP 0", "POST_SCALE_UP 0", "TEST_TRAFFIC_SHIFT 0", "POST_TEST_TRAFFIC_SHIFT 0", "PRE_PRODUCTION_TRAFFIC_SHIFT 0", "PRODUCTION_TRAFFIC_SHIFT 0"}
	after := []string{"PRODUCTION_TRAFFIC_SHIFT 100", "POST_PRODUCTION_TRAFFIC_SHIFT 100", "BAKE_TIME 100", "CLEAN_UP 100"}
	five := Duration(5 * time.Minute)
	for _, test := range []struct {
		strategy string
		change   func(*Service)
		shift    []string
	}{
		{"BLUE_GREEN", func(s *Service) { s.Bake = &five }, nil},
		{"CANARY", func(s *Service) { s.Bake, s.Canary = &five, &Steps{Percent: 12.5, Bake: five} },
			[]string{"PRODUCTION_TRAFFIC_SHIFT 12.5", "PRE_PRODUCTION_TRAFFIC_SHIFT 12.5"}},
		{"LINEAR", func(s *Service) { s.Bake, s.Linear = &five, &Steps{Percent: 40, Bake: five} },
			[]string{"PRODUCTION_TRAFFIC_SHIFT 40", "PRE_PRODUCTION_TRAFFIC_SHIFT 40", "PRODUCTION_TRAFFIC_SHIFT 80", "PRE_PRODUCTION_TRAFFIC_SHIFT 80"}},
	} {
		t.Run(test.strategy, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newClient(t, native(test.strategy, test.change))
				old := c.service()
				updated := c.deploy("v2")
				id := at[string](t, updated, "service", "deployments", 0, "id")
				d := c.mine()
				arn := at[string](t, d, "serviceDeploymentArn")
				seen, took := c.stagesOf(arn)
				if diff := cmp.Diff(slices.Concat(before, test.shift, after), seen); diff != "" {
					t.Errorf("stages (-want +got):\n%s", diff)
				}
				t.Log(took)
				d, s := c.described(arn), c.service()
				if d["status"] != "SUCCESSFUL" || s.RolloutState != "COMPLETED" || len(s.Deployments) != 1 || s.Deployments[0].ID != id {
					t.Errorf("%v %+v", d, s)
				}
				if diff := cmp.Diff(map[string]map[string]int{"app": {image("v2"): 2}}, s.Images); diff != "" {
					t.Errorf("images (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff(map[string]float64{s.TaskDefinition: 100}, s.Traffic); diff != "" || s.TaskDefinition == old.TaskDefinition {
					t.Errorf("traffic (-want +got):\n%s", diff)
				}
			})
		})
	}
}
