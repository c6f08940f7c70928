package sim

import (
	"fmt"
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
			if now := strings.TrimSpace(name + " " + text(weight)); !slices.Contains(seen, now) {
				seen = append(seen, now)
			}
		}
		pause := 2 * time.Second // a stage lasts longer
		if time.Since(start) > time.Hour {
			pause = time.Minute
		}
		time.Sleep(pause)
	}
	c.t.Fatal("it did not end in two days")
	return nil, 0
}

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

// untilStage waits until the service deployment shows a stage.
func (c *client) untilStage(name string) {
	c.t.Helper()
	c.until(func(s ServiceState) bool { return s.Stage == name })
}

// over waits for the end of the service deployment.
func (c *client) over(arn string) js {
	c.t.Helper()
	c.stagesOf(arn)
	time.Sleep(5 * time.Minute) // until what was replaced has gone
	return c.described(arn)
}

// runs complains unless the service runs a tag, with all of the traffic.
func (c *client) runs(tag string) {
	c.t.Helper()
	s := c.service()
	if diff := cmp.Diff(map[string]map[string]int{"app": {image(tag): 2}}, s.Images); diff != "" {
		c.t.Errorf("images (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]float64{s.TaskDefinition: 100}, s.Traffic); diff != "" {
		c.t.Errorf("traffic (-want +got):\n%s", diff)
	}
	if len(s.Deployments) != 1 || s.RolloutState != "COMPLETED" || s.Running != 2 {
		c.t.Errorf("%+v", s)
	}
}

func everyStage() []string {
	return []string{"PRE_SCALE_UP", "SCALE_UP", "POST_SCALE_UP", "TEST_TRAFFIC_SHIFT", "POST_TEST_TRAFFIC_SHIFT", "PRE_PRODUCTION_TRAFFIC_SHIFT",
		"PRODUCTION_TRAFFIC_SHIFT", "POST_PRODUCTION_TRAFFIC_SHIFT", "BAKE_TIME", "CLEAN_UP"}
}

func TestShiftIsStoppedAtEachStage(t *testing.T) {
	for _, strategy := range []string{"BLUE_GREEN", "LINEAR", "CANARY"} {
		for _, stage := range everyStage() {
			t.Run(strategy+" "+stage, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					c := newClient(t, native(strategy, nil))
					c.deploy("v2")
					arn := at[string](t, c.mine(), "serviceDeploymentArn")
					c.untilStage(stage)
					c.must("ecs:StopServiceDeployment", js{"serviceDeploymentArn": arn, "stopType": "ROLLBACK"})
					if d := c.described(arn); d["status"] != "ROLLBACK_REQUESTED" {
						t.Errorf("once it is asked for: %v", d)
					}
					d := c.over(arn)
					// The old tasks are going already: too late.
					if stage == "CLEAN_UP" {
						if d["status"] != "SUCCESSFUL" {
							t.Errorf("it ended %v", d)
						}
						c.runs("v2")
					} else {
						if d["status"] != "ROLLBACK_SUCCESSFUL" || d["lifecycleStage"] != stage || at[string](t, d, "rollback", "reason") == "" {
							t.Errorf("it ended %v", d)
						}
						c.runs("v1")
					}
					if _, code := c.send("ecs:StopServiceDeployment", js{"serviceDeploymentArn": arn}); code != "ConflictException" {
						t.Errorf("stopped when it is over: %s", code)
					}
				})
			})
		}
	}
}

func TestOldRevisionServesUntilTheShift(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, native("BLUE_GREEN", nil))
		old := c.service()
		c.deploy("v2")
		arn := at[string](t, c.mine(), "serviceDeploymentArn")
		c.untilStage("PRE_PRODUCTION_TRAFFIC_SHIFT")
		s, d := c.service(), c.described(arn)
		if diff := cmp.Diff(map[string]float64{old.TaskDefinition: 100}, s.Traffic); diff != "" || s.Running != 4 || s.Desired != 2 {
			t.Errorf("%+v\n%s", s, diff)
		}
		if target := at[js](t, d, "targetServiceRevision"); target["requestedTestTrafficWeight"] != 100.0 || target["runningTaskCount"] != 2.0 {
			t.Errorf("target: %v", target)
		}
		if source := at[js](t, d, "sourceServiceRevisions", 0); source["requestedProductionTrafficWeight"] != 100.0 || source["runningTaskCount"] != 2.0 {
			t.Errorf("source: %v", source)
		}
		c.must("ecs:UpdateService", js{"cluster": "main", "service": "rails", "desiredCount": 3})
		c.until(func(s ServiceState) bool { return s.Running == 6 })
		c.over(arn)
		if s := c.service(); s.Images["app"][image("v2")] != 3 || s.Running != 3 || s.ServiceDeployment != "SUCCESSFUL" {
			t.Errorf("%+v", s)
		}
	})
}

func TestNewerUpdateSupersedesAShift(t *testing.T) {
	for _, stage := range everyStage() {
		t.Run(stage, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newClient(t, native("CANARY", nil))
				c.deploy("v2")
				first := at[string](t, c.mine(), "serviceDeploymentArn")
				c.untilStage(stage)
				c.deploy("v3")
				second := at[string](t, c.mine(), "serviceDeploymentArn")
				seen, _ := c.stagesOf(second)
				if !slices.Contains(seen, "RECONCILE_SERVICE 0") {
					t.Errorf("its stages were %q", seen)
				}
				time.Sleep(5 * time.Minute)
				if d := c.described(first); d["status"] != "STOPPED" {
					t.Errorf("the first ended %v", d)
				}
				if d := c.described(second); d["status"] != "SUCCESSFUL" {
					t.Errorf("the second ended %v", d)
				}
				c.runs("v3")
			})
		})
	}
}

func TestSupersedingShiftIsStopped(t *testing.T) {
	for stage, want := range map[string]string{"SCALE_UP": "v1", "BAKE_TIME": "v2"} {
		t.Run("superseded in "+stage, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newClient(t, native("BLUE_GREEN", nil))
				c.deploy("v2")
				c.mine()
				c.untilStage(stage)
				c.deploy("v3")
				arn := at[string](t, c.mine(), "serviceDeploymentArn")
				c.untilStage("TEST_TRAFFIC_SHIFT")
				c.must("ecs:StopServiceDeployment", js{"serviceDeploymentArn": arn})
				if d := c.over(arn); d["status"] != "ROLLBACK_SUCCESSFUL" {
					t.Errorf("it ended %v", d)
				}
				c.runs(want) // who had the traffic when the second one began
			})
		})
	}
}

func TestPauseHooksWaitForAPerson(t *testing.T) {
	hour := Duration(time.Hour)
	for _, test := range []struct {
		name, onTimeout, action string
		status, runs, reason    string
	}{
		{"it is continued", "", "CONTINUE", "SUCCESSFUL", "v2", ""},
		{"continuing is the default", "", "-", "SUCCESSFUL", "v2", ""},
		{"it is rolled back", "", "ROLLBACK", "ROLLBACK_SUCCESSFUL", "v1", "a rollback was requested at the POST_SCALE_UP lifecycle stage"},
		{"nobody comes", "", "", "ROLLBACK_SUCCESSFUL", "v1", "POST_SCALE_UP lifecycle hook(s) timed out"},
		{"nobody need come", "CONTINUE", "", "SUCCESSFUL", "v2", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newClient(t, native("BLUE_GREEN", func(s *Service) {
					s.Hooks = []Hook{{Stages: []string{"POST_SCALE_UP"}, Timeout: &hour, OnTimeout: test.onTimeout}}
				}))
				c.deploy("v2")
				arn := at[string](t, c.mine(), "serviceDeploymentArn")
				c.untilStage("POST_SCALE_UP")
				hook := at[js](t, c.described(arn), "lifecycleHookDetails", 0)
				expires := time.Unix(int64(hook["expiresAt"].(float64)), 0)
				if hook["status"] != "AWAITING_ACTION" || hook["targetType"] != "PAUSE" || hook["timeoutAction"] != either(given(test.onTimeout), "ROLLBACK") ||
					time.Until(expires).Round(time.Minute) != time.Hour {
					t.Errorf("%v", hook)
				}
				time.Sleep(30 * time.Minute)
				if s := c.service(); s.Stage != "POST_SCALE_UP" {
					t.Fatalf("it went on to %s", s.Stage)
				}
				if test.action != "" {
					in := js{"serviceDeploymentArn": arn, "hookId": hook["hookId"]}
					if test.action != "-" {
						in["action"] = test.action
					}
					c.must("ecs:ContinueServiceDeployment", in)
					if _, code := c.send("ecs:ContinueServiceDeployment", in); code != "InvalidParameterException" {
						t.Errorf("the second time: %s", code)
					}
				}
				d := c.over(arn)
				reason, _ := d["statusReason"].(string)
				if d["status"] != test.status || !strings.Contains(reason, test.reason) {
					t.Errorf("it ended %v", d)
				}
				c.runs(test.runs)
			})
		})
	}
}

func TestHooksAndStagesFail(t *testing.T) {
	function := "arn:aws:lambda:eu-west-1:111122223333:function:check"
	hooked := func(s *Service) {
		s.Hooks = []Hook{{Target: function, Stages: []string{"PRE_SCALE_UP", "POST_SCALE_UP", "PRODUCTION_TRAFFIC_SHIFT"}}}
	}
	for _, test := range []struct {
		name   string
		change func(*Service)
		fault  DeploymentFault
		status string
		reason string
		took   time.Duration // at least
	}{
		{"hooks that answer let it pass", hooked, DeploymentFault{Stage: "PRE_SCALE_UP", Image: "*:v9"}, "SUCCESSFUL", "", 0},
		{"the first hook", hooked, DeploymentFault{Stage: "PRE_SCALE_UP", Image: "*:v2"}, "ROLLBACK_SUCCESSFUL",
			"Service deployment rolled back because PRE_SCALE_UP lifecycle hook(s) failed. Lifecycle hook target " + function + " returned FAILED status.", 0},
		{"a hook in the middle of the shift", hooked, DeploymentFault{Stage: "PRODUCTION_TRAFFIC_SHIFT", Reason: "5xx"}, "ROLLBACK_SUCCESSFUL", "returned FAILED status. 5xx", 0},
		{"a hook that never answers", hooked, DeploymentFault{Stage: "POST_SCALE_UP", Hangs: true}, "ROLLBACK_SUCCESSFUL", "POST_SCALE_UP lifecycle hook(s) timed out.", 24 * time.Hour},
		{"a stage without a hook", nil, DeploymentFault{Stage: "BAKE_TIME", After: Duration(5 * time.Minute), Reason: "of us."}, "ROLLBACK_SUCCESSFUL", "Service deployment rolled back because of us.", 5 * time.Minute},
		{"a rollback that fails", hooked, DeploymentFault{Stage: "ROLLBACK"}, "SUCCESSFUL", "", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := native("CANARY", test.change)
				w.DeploymentFaults = []DeploymentFault{test.fault}
				c := newClient(t, w)
				c.deploy("v2")
				arn := at[string](t, c.mine(), "serviceDeploymentArn")
				_, took := c.stagesOf(arn)
				time.Sleep(5 * time.Minute)
				d := c.described(arn)
				reason, _ := d["statusReason"].(string)
				if d["status"] != test.status || !strings.Contains(reason, test.reason) || took < test.took {
					t.Errorf("after %v it ended %v", took, d)
				}
				c.runs(map[bool]string{true: "v2", false: "v1"}[test.status == "SUCCESSFUL"])
			})
		})
	}
}

func TestRollbackOfAShiftFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := native("BLUE_GREEN", nil)
		w.DeploymentFaults = []DeploymentFault{{Stage: "ROLLBACK"}}
		c := newClient(t, w)
		c.deploy("v2")
		arn := at[string](t, c.mine(), "serviceDeploymentArn")
		c.untilStage("BAKE_TIME")
		c.must("ecs:StopServiceDeployment", js{"serviceDeploymentArn": arn})
		if d := c.over(arn); d["status"] != "ROLLBACK_FAILED" {
			t.Errorf("it ended %v", d)
		}
	})
}

// The circuit breaker's page limits it to rolling deployments, but it is seen
// at work in others:
// https://github.com/hashicorp/terraform-provider-aws internal/service/ecs/service_test.go
func TestTasksOfAShiftNeverBecomeHealthy(t *testing.T) {
	for breaker, took := range map[string]time.Duration{"off": 24 * time.Hour, "rollback": 6 * time.Minute} {
		t.Run("circuit breaker "+breaker, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := native("BLUE_GREEN", func(s *Service) { s.CircuitBreaker = breaker })
				w.TaskFaults = []TaskFault{{Fails: "health", Image: "*:v2"}}
				c := newClient(t, w)
				c.deploy("v2")
				arn := at[string](t, c.mine(), "serviceDeploymentArn")
				_, lasted := c.stagesOf(arn)
				if lasted < took || lasted > took+10*time.Minute {
					t.Errorf("it took %v", lasted)
				}
				time.Sleep(5 * time.Minute)
				if d := c.described(arn); d["status"] != "ROLLBACK_SUCCESSFUL" {
					t.Errorf("it ended %v", d)
				}
				c.runs("v1")
			})
		})
	}
}

func TestFirstShiftHasNothingToGoBackTo(t *testing.T) {
	for name, want := range map[string]string{"it succeeds": "SUCCESSFUL", "it fails": "STOPPED"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := World{}
				if want == "STOPPED" {
					w.DeploymentFaults = []DeploymentFault{{Stage: "POST_SCALE_UP"}}
				}
				c := newClient(t, w)
				c.must("ecs:CreateCluster", js{"clusterName": "main"})
				c.must("ecs:CreateService", js{
					"cluster": "main", "serviceName": "rails", "taskDefinition": c.register("v1"), "desiredCount": 2, "launchType": "FARGATE",
					"networkConfiguration":    js{"awsvpcConfiguration": js{"subnets": []string{"subnet-1"}}},
					"deploymentConfiguration": js{"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 1},
				})
				arn := at[string](t, c.mine(), "serviceDeploymentArn")
				if d := c.over(arn); d["status"] != want {
					t.Errorf("it ended %v", d)
				}
				if want == "SUCCESSFUL" {
					c.runs("v1")
				} else if s := c.service(); s.Running != 0 {
					t.Errorf("%+v", s)
				}
			})
		})
	}
}

func TestStrategiesThatECSRefuses(t *testing.T) {
	c := newClient(t, rails(nil))
	pause := func(stage string) js {
		return js{"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 1, "lifecycleHooks": []js{{"targetType": "PAUSE", "lifecycleStages": []string{stage}}}}
	}
	for _, test := range []struct {
		in   js
		want string
	}{
		{js{"strategy": "BLUE_GREEN"}, "bakeTimeInMinutes is required for the BLUE_GREEN deployment strategy."},
		{js{"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 1441}, "bakeTimeInMinutes must be between 0 and 1440."},
		{js{"strategy": "LINEAR", "linearConfiguration": js{"stepPercent": 2.9}}, "stepPercent must be between 3.0 and 100.0."},
		{js{"strategy": "CANARY", "canaryConfiguration": js{"canaryPercent": 0.05}}, "canaryPercent must be between 0.1 and 100.0."},
		{js{"strategy": "CANARY", "canaryConfiguration": js{"canaryBakeTimeInMinutes": -1}}, "the bake time of a step must be between 0 and 1440 minutes."},
		{js{"strategy": "CANARY", "linearConfiguration": js{"stepPercent": 10}}, "linearConfiguration is only valid when the deployment strategy is LINEAR."},
		{pause("PRODUCTION_TRAFFIC_SHIFT"), "PAUSE hooks cannot be configured at the PRODUCTION_TRAFFIC_SHIFT stage."},
		{pause("BAKE_TIME"), "Invalid lifecycle stage: BAKE_TIME."},
		{pause("POST_SCALE_UP"), "<nil>"},
	} {
		out, _ := c.send("ecs:UpdateService", js{"cluster": "main", "service": "rails", "deploymentConfiguration": test.in})
		if got := fmt.Sprint(out["message"]); got != test.want {
			t.Errorf("%v was answered %s", test.in, got)
		}
	}
}

// firing adds an alarm to a world that fires from an instant on.
func firing(w World, from time.Duration) World {
	r := w.Accounts[account].Regions[ireland]
	r.Alarms = []Alarm{{Name: "api-5xx", Firing: []Window{{From: Duration(from)}}}, {Name: "quiet"}}
	w.Accounts[account].Regions[ireland] = r
	return w
}

func TestAlarmEndsADeployment(t *testing.T) {
	for _, test := range []struct {
		strategy       string
		from           time.Duration
		status, runs   string
		alarms, reason string
	}{
		{"ROLLING", time.Minute, "ROLLBACK_SUCCESSFUL", "v1", "TRIGGERED", "alarm(s) api-5xx."},
		{"BLUE_GREEN", 10 * time.Minute, "ROLLBACK_SUCCESSFUL", "v1", "TRIGGERED", "alarm(s) api-5xx."},
		{"LINEAR", 20 * time.Minute, "ROLLBACK_SUCCESSFUL", "v1", "TRIGGERED", "alarm(s) api-5xx."},
		{"CANARY", time.Minute, "ROLLBACK_SUCCESSFUL", "v1", "TRIGGERED", "alarm(s) api-5xx."},
		{"CANARY", 0, "SUCCESSFUL", "v2", "DISABLED", ""}, // it may be what mends it
		{"CANARY", 3 * time.Hour, "SUCCESSFUL", "v2", "MONITORING_COMPLETE", ""},
	} {
		t.Run(test.strategy+" "+test.status, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newClient(t, firing(native(test.strategy, func(s *Service) { s.Alarms = []string{"quiet", "api-5xx"} }), test.from))
				c.deploy("v2")
				d := c.over(at[string](t, c.mine(), "serviceDeploymentArn"))
				reason, _ := d["statusReason"].(string)
				if d["status"] != test.status || at[string](t, d, "alarms", "status") != test.alarms || !strings.Contains(reason, test.reason) {
					t.Errorf("it ended %v", d)
				}
				if triggered := at[[]any](t, d, "alarms", "triggeredAlarmNames"); (test.status == "SUCCESSFUL") != (len(triggered) == 0) {
					t.Errorf("the alarms were %v", triggered)
				}
				if s := c.service(); s.Images["app"][image(test.runs)] != 2 || s.Running != 2 {
					t.Errorf("%+v", s)
				}
			})
		})
	}
}
