package sim

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// codeDeployed is a world with one service that CodeDeploy deploys.
func codeDeployed(change func(*DeploymentGroup)) World {
	g := &DeploymentGroup{}
	if change != nil {
		change(g)
	}
	w := rails(func(s *Service) { s.Controller, s.CircuitBreaker, s.CodeDeploy = "CODE_DEPLOY", "", g })
	r := w.Accounts[account].Regions[ireland]
	r.OtherApplications = 300
	w.Accounts[account].Regions[ireland] = r
	return w
}

const (
	theApplication = "AppECS-main-rails"
	theGroup       = "DgpECS-main-rails"
)

// spec is an AppSpec file for a tag of rails.
func (c *client) spec(tag string) js {
	return js{"revisionType": "AppSpecContent", "appSpecContent": js{"content": appSpecText(c.register(tag), balancer{Container: "app", Port: 3000}, nil)}}
}

// create starts a deployment of a tag and returns its id.
func (c *client) create(tag string) string {
	c.t.Helper()
	out := c.must("codedeploy:CreateDeployment", js{"applicationName": theApplication, "deploymentGroupName": theGroup, "revision": c.spec(tag), "description": tag})
	return at[string](c.t, out, "deploymentId")
}

func (c *client) info(id string) js {
	c.t.Helper()
	return at[js](c.t, c.must("codedeploy:GetDeployment", js{"deploymentId": id}), "deploymentInfo")
}

// events are the lifecycle events of a deployment: "Install Succeeded".
func (c *client) events(id string) []string {
	c.t.Helper()
	var all []string
	out := c.must("codedeploy:BatchGetDeploymentTargets", js{"deploymentId": id, "targetIds": []string{"main:rails"}})
	for _, e := range at[[]any](c.t, out, "deploymentTargets", 0, "ecsTarget", "lifecycleEvents") {
		all = append(all, e.(js)["lifecycleEventName"].(string)+" "+e.(js)["status"].(string))
	}
	return all
}

// untilInfo waits for a condition of a deployment.
func (c *client) untilInfo(id string, is func(js) bool) time.Duration {
	c.t.Helper()
	start := time.Now()
	for !is(c.info(id)) {
		if time.Since(start) > 6*time.Hour {
			c.t.Fatalf("it did not come in six hours: %v", c.info(id))
		}
		time.Sleep(time.Second)
	}
	return time.Since(start)
}

func ended(info js) bool { return info["completeTime"] != nil }

func TestCodeDeployShiftsTheTrafficAndKeepsTheOldTaskSetForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, codeDeployed(nil))
		old := c.service()
		id := c.create("v2")
		shifted := c.untilInfo(id, func(info js) bool { return info["instanceTerminationWaitTimeStarted"] == true })
		info := c.info(id)
		if info["status"] != "InProgress" || info["creator"] != "user" || info["description"] != "v2" || shifted > 4*time.Minute {
			t.Errorf("after %v: %v", shifted, info)
		}
		want := []string{"BeforeInstall Succeeded", "Install Succeeded", "AfterInstall Succeeded", "BeforeAllowTraffic Succeeded", "AllowTraffic Succeeded", "AfterAllowTraffic Succeeded"}
		if diff := cmp.Diff(want, c.events(id)); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		s := c.service()
		if diff := cmp.Diff(map[string]float64{s.TaskDefinition: 100}, s.Traffic); diff != "" || s.TaskDefinition == old.TaskDefinition || s.Running != 4 {
			t.Errorf("%+v\n%s", s, diff)
		}
		shown := c.must("ecs:DescribeServices", js{"cluster": "main", "services": []string{"rails"}})
		sets := at[[]any](t, shown, "services", 0, "taskSets")
		if len(sets) != 2 || at[string](t, sets, 0, "externalId") != id || at[string](t, sets, 0, "status") != "PRIMARY" || at[string](t, sets, 1, "status") != "ACTIVE" {
			t.Errorf("task sets: %v", sets)
		}
		if took := c.untilInfo(id, ended); took < time.Hour || took > 63*time.Minute || c.info(id)["status"] != "Succeeded" {
			t.Errorf("after %v: %v", took, c.info(id))
		}
		if s := c.service(); len(s.Deployments) != 1 || s.Images["app"][image("v2")] != 2 || s.CodeDeployment != "Succeeded" {
			t.Errorf("%+v", s)
		}
	})
}

func TestCodeDeployShiftsInTheStepsOfTheConfiguration(t *testing.T) {
	zero := Duration(0)
	for config, want := range map[string]struct {
		weights []float64
		least   time.Duration
	}{
		"CodeDeployDefault.ECSAllAtOnce":                    {[]float64{0, 100}, 0},
		"CodeDeployDefault.ECSCanary10Percent5Minutes":      {[]float64{0, 10, 100}, 5 * time.Minute},
		"CodeDeployDefault.ECSLinear10PercentEvery1Minutes": {[]float64{0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100}, 9 * time.Minute},
	} {
		t.Run(config, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newClient(t, codeDeployed(func(g *DeploymentGroup) { g.Config, g.TerminationWait = config, &zero }))
				id := c.create("v2")
				var seen []float64
				took := c.untilInfo(id, func(info js) bool {
					if info["startTime"] == nil {
						return false
					}
					sets := at[[]any](t, c.must("codedeploy:GetDeploymentTarget", js{"deploymentId": id, "targetId": "main:rails"}), "deploymentTarget", "ecsTarget", "taskSetsInfo")
					if len(sets) == 2 {
						if w := at[float64](t, sets, 1, "trafficWeight"); !slices.Contains(seen, w) {
							seen = append(seen, w)
						}
					}
					return ended(info)
				})
				if diff := cmp.Diff(want.weights, seen); diff != "" || took < want.least || took > want.least+6*time.Minute {
					t.Errorf("it took %v; weights (-want +got):\n%s", took, diff)
				}
			})
		})
	}
}
