package sim

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
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
		pause := time.Second
		if time.Since(start) > 10*time.Minute {
			pause = 10 * time.Second
		}
		time.Sleep(pause)
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
		if diff := gocmp.Diff(want, c.events(id)); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		s := c.service()
		if diff := gocmp.Diff(map[string]float64{s.TaskDefinition: 100}, s.Traffic); diff != "" || s.TaskDefinition == old.TaskDefinition || s.Running != 4 {
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
				if diff := gocmp.Diff(want.weights, seen); diff != "" || took < want.least || took > want.least+6*time.Minute {
					t.Errorf("it took %v; weights (-want +got):\n%s", took, diff)
				}
			})
		})
	}
}

// settled waits until a deployment and its rollback are over.
func (c *client) settled(id string) js {
	c.t.Helper()
	c.untilInfo(id, ended)
	time.Sleep(10 * time.Second) // a rollback begins a moment later
	if back, ok := c.info(id)["rollbackInfo"].(js); ok && back["rollbackDeploymentId"] != nil {
		c.untilInfo(back["rollbackDeploymentId"].(string), ended)
	}
	time.Sleep(5 * time.Minute) // until all tasks that were stopped have gone
	return c.info(id)
}

// holds complains unless the service's only task set runs a tag.
func (c *client) holds(tag string) {
	c.t.Helper()
	s := c.service()
	if s.Images["app"][image(tag)] != 2 || len(s.Deployments) != 1 || s.Running != 2 || s.Traffic[s.TaskDefinition] != 100 {
		c.t.Errorf("%+v", s)
	}
}

func withRollback(events ...string) func(*DeploymentGroup) {
	return func(g *DeploymentGroup) {
		minute := Duration(time.Minute)
		g.AutoRollback, g.TestTraffic, g.TerminationWait = events, true, &minute
		g.Config = "CodeDeployDefault.ECSCanary10Percent5Minutes"
	}
}

func TestCodeDeployFailsAtEachLifecycleEvent(t *testing.T) {
	for i, event := range lifecycleEvents() {
		t.Run(event, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := codeDeployed(withRollback("DEPLOYMENT_FAILURE"))
				w.DeploymentFaults = []DeploymentFault{{Stage: event, Image: "*:v2"}}
				c := newClient(t, w)
				old := c.service()
				id := c.create("v2")
				info := c.settled(id)
				if info["status"] != "Failed" || at[string](t, info, "errorInformation", "code") != "HOOK_EXECUTION_FAILURE" {
					t.Errorf("it ended %v", info)
				}
				for n, got := range c.events(id) {
					want := lifecycleEvents()[n] + map[int]string{-1: " Succeeded", 0: " Failed", 1: " Skipped"}[cmp.Compare(n, i)]
					if got != want {
						t.Errorf("%s, not %s", got, want)
					}
				}
				back := at[js](t, info, "rollbackInfo")
				// Before there is a second task set, nothing can be undone.
				if event == "BeforeInstall" {
					if back["rollbackDeploymentId"] != nil || back["rollbackMessage"] == nil {
						t.Errorf("its rollback: %v", back)
					}
				} else {
					undo := c.info(at[string](t, back, "rollbackDeploymentId"))
					if undo["status"] != "Succeeded" || undo["creator"] != "codeDeployRollback" || at[string](t, undo, "rollbackInfo", "rollbackTriggeringDeploymentId") != id {
						t.Errorf("its rollback ended %v", undo)
					}
				}
				c.holds("v1")
				if s := c.service(); s.Deployments[0].ID != old.Deployments[0].ID {
					t.Errorf("another task set: %+v", s)
				}
				c.settled(c.create("v3")) // the group is free again
				c.holds("v3")
			})
		})
	}
}

func TestCodeDeployWaitsAnHourForTheNewTaskSet(t *testing.T) {
	for _, fails := range []string{"pull", "exit", "health", "capacity"} {
		t.Run(fails, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := codeDeployed(withRollback("DEPLOYMENT_FAILURE"))
				w.TaskFaults = []TaskFault{{Fails: fails, Image: "*:v2"}}
				c := newClient(t, w)
				id := c.create("v2")
				took := c.untilInfo(id, ended)
				info := c.settled(id)
				if took < time.Hour || took > time.Hour+time.Minute || info["status"] != "Failed" || at[string](t, info, "errorInformation", "code") != "TIMEOUT" {
					t.Errorf("after %v it ended %v", took, info)
				}
				c.holds("v1")
			})
		})
	}
}

func TestCodeDeployIsStopped(t *testing.T) {
	const onRequest = "DEPLOYMENT_STOP_ON_REQUEST"
	yes, no := true, false
	for _, event := range append(lifecycleEvents(), "termination wait") {
		for name, test := range map[string]struct {
			group    func(*DeploymentGroup)
			rollback *bool
			back     bool
		}{
			"as the group says": {withRollback(onRequest), nil, true},
			"with a rollback":   {withRollback(), &yes, true},
			"without":           {withRollback(onRequest), &no, false},
		} {
			t.Run(event+" "+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					c := newClient(t, codeDeployed(test.group))
					id := c.create("v2")
					c.untilInfo(id, func(info js) bool {
						return info["startTime"] != nil && slices.Contains(c.events(id), event+" InProgress") || info["instanceTerminationWaitTimeStarted"] == true
					})
					in := js{"deploymentId": id}
					if test.rollback != nil {
						in["autoRollbackEnabled"] = *test.rollback
					}
					c.must("codedeploy:StopDeployment", in)
					before := c.service().Traffic
					info := c.settled(id)
					if info["status"] != "Stopped" || at[string](t, info, "errorInformation", "code") != "MANUAL_STOP" {
						t.Errorf("it ended %v", info)
					}
					if _, code := c.send("codedeploy:StopDeployment", in); code != "DeploymentAlreadyCompletedException" {
						t.Errorf("the second time: %s", code)
					}
					switch {
					case test.back || event == "BeforeInstall":
						c.holds("v1")
					default: // all stays as it was
						if s := c.service(); len(s.Deployments) != 2 || !maps.Equal(s.Traffic, before) {
							t.Errorf("%+v", s)
						}
					}
					c.settled(c.create("v3"))
					c.holds("v3")
				})
			})
		}
	}
}

func TestCodeDeployGroupIsBusyUntilTheOldTaskSetIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, codeDeployed(nil))
		first := c.create("v2")
		request := js{"applicationName": theApplication, "deploymentGroupName": theGroup, "revision": c.spec("v3")}
		busy := func() {
			t.Helper()
			if _, code := c.send("codedeploy:CreateDeployment", request); code != "DeploymentLimitExceededException" {
				t.Errorf("a second deployment: %q", code)
			}
		}
		busy()
		wait := js{"deploymentId": first, "deploymentWaitType": "TERMINATION_WAIT"}
		if _, code := c.send("codedeploy:ContinueDeployment", wait); code != "DeploymentIsNotInReadyStateException" {
			t.Errorf("continued before the wait: %q", code)
		}
		c.untilInfo(first, func(info js) bool { return info["instanceTerminationWaitTimeStarted"] == true })
		busy()
		listed := c.must("codedeploy:ListDeployments", js{"applicationName": theApplication, "deploymentGroupName": theGroup, "includeOnlyStatuses": []string{"Created", "InProgress", "Ready"}})
		if diff := gocmp.Diff([]any{first}, at[[]any](t, listed, "deployments")); diff != "" {
			t.Errorf("under way (-want +got):\n%s", diff)
		}
		c.must("codedeploy:ContinueDeployment", wait)
		if took := c.untilInfo(first, ended); took > 2*time.Minute {
			t.Errorf("it took %v", took)
		}
		c.must("codedeploy:CreateDeployment", request)
		listed = c.must("codedeploy:ListDeployments", js{"applicationName": theApplication, "deploymentGroupName": theGroup, "createTimeRange": js{"start": time.Now().Add(-time.Second).Unix()}})
		if got := at[[]any](t, listed, "deployments"); len(got) != 1 || got[0] == first {
			t.Errorf("since a second: %v", got)
		}
	})
}

func TestCodeDeployWaitsToBeContinued(t *testing.T) {
	hour := Duration(time.Hour)
	for name, want := range map[string]string{"somebody continues it": "Succeeded", "nobody does": "Stopped"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newClient(t, codeDeployed(func(g *DeploymentGroup) { g.ReadyWait = &hour }))
				id := c.create("v2")
				c.untilInfo(id, func(info js) bool { return info["status"] == "Ready" })
				if s := c.service(); s.Running != 4 || s.Traffic[s.TaskDefinition] != 100 || s.Images["app"][image("v2")] != 2 {
					t.Errorf("%+v", s)
				}
				time.Sleep(30 * time.Minute)
				if want == "Succeeded" {
					c.must("codedeploy:ContinueDeployment", js{"deploymentId": id, "deploymentWaitType": "READY_WAIT"})
				}
				if info := c.settled(id); info["status"] != want {
					t.Errorf("it ended %v", info)
				}
			})
		})
	}
}

func TestServiceThatIsScaledDuringTheShift(t *testing.T) {
	for fails, want := range map[string]string{"": "Succeeded", "capacity": "Failed"} {
		t.Run(want, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := codeDeployed(withRollback("DEPLOYMENT_FAILURE"))
				if fails != "" {
					w.TaskFaults = []TaskFault{{Fails: fails, Where: Where{From: Duration(150 * time.Second)}}}
				}
				c := newClient(t, w)
				id := c.create("v2")
				c.until(func(s ServiceState) bool { return len(s.Traffic) == 2 })
				time.Sleep(time.Minute)
				c.must("ecs:UpdateService", js{"cluster": "main", "service": "rails", "desiredCount": 4})
				if took := c.untilInfo(id, ended); c.info(id)["status"] != want || want == "Failed" && took > 6*time.Minute {
					t.Errorf("after %v it ended %v", took, c.info(id))
				}
			})
		})
	}
}

func TestRollbackOfCodeDeployFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := codeDeployed(withRollback("DEPLOYMENT_FAILURE"))
		w.DeploymentFaults = []DeploymentFault{{Stage: "AfterAllowTraffic"}, {Stage: "ROLLBACK"}}
		c := newClient(t, w)
		id := c.create("v2")
		undo := c.info(at[string](t, c.settled(id), "rollbackInfo", "rollbackDeploymentId"))
		if s := c.service(); undo["status"] != "Failed" || at[string](t, undo, "errorInformation", "code") != "INTERNAL_ERROR" || s.Images["app"][image("v2")] != 2 {
			t.Errorf("its rollback ended %v; %+v", undo, s)
		}
	})
}

func TestCodeDeployOfARevisionThatIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, codeDeployed(nil))
		revision := c.spec("v2")
		c.must("ecs:DeregisterTaskDefinition", js{"taskDefinition": "rails:42"})
		out := c.must("codedeploy:CreateDeployment", js{"applicationName": theApplication, "deploymentGroupName": theGroup, "revision": revision})
		info := c.settled(at[string](t, out, "deploymentId"))
		if info["status"] != "Failed" || at[string](t, info, "errorInformation", "code") != "ECS_UPDATE_ERROR" {
			t.Errorf("it ended %v", info)
		}
		c.holds("v1")
	})
}

func TestCodeDeployReadsAppSpecFiles(t *testing.T) {
	const documented = `version: 0.0
Resources:
  - TargetService:
      Type: AWS::ECS::Service
      Properties:
        TaskDefinition: "arn:aws:ecs:eu-west-1:111122223333:task-definition/rails:42" # required
        LoadBalancerInfo:
          ContainerName: "app"
          ContainerPort: 3000
        # Optional properties
        PlatformVersion: "LATEST"
        NetworkConfiguration:
          AwsvpcConfiguration:
            Subnets: ["subnet-1","subnet-2"]
            SecurityGroups:
            - sg-1
            - "sg-2"
            AssignPublicIp: "DISABLED"
Hooks:
  - BeforeInstall: "arn:aws:lambda:eu-west-1:111122223333:function:check"
  - AfterInstall: check2
`
	got, err := readAppSpec(documented)
	want := appSpec{
		definition: "arn:aws:ecs:eu-west-1:111122223333:task-definition/rails:42", container: "app", port: 3000,
		network: js{"awsvpcConfiguration": js{"assignPublicIp": "DISABLED", "subnets": []any{"subnet-1", "subnet-2"}, "securityGroups": []any{"sg-1", "sg-2"}}},
		hooks:   map[string]string{"beforeinstall": "arn:aws:lambda:eu-west-1:111122223333:function:check", "afterinstall": "check2"},
	}
	if diff := gocmp.Diff(want, got, gocmp.AllowUnexported(appSpec{})); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	for content, want := range map[string]string{
		"version: 0.0\nResources: []":                                                                    "exactly one resource, not 0",
		"Resources:\n  - A:\n      Type: AWS::Lambda::Function":                                          "type must be AWS::ECS::Service",
		`{"Resources": [{"A": {"Type": "AWS::ECS::Service", "Properties": {"TaskDefinition": "a:1"}}}]}`: "no ContainerName or no ContainerPort",
		"{": "unexpected end of JSON input",
		"":  "is empty",
		"a": "no \"key: value\" in",
		strings.Replace(documented, `            AssignPublicIp: "DISABLED"`, "", 1): "has no assignPublicIp: give all three or none",
	} {
		if _, err := readAppSpec(content); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, not %s", content, err, want)
		}
	}
}

func TestCodeDeployNamesEverythingAndRefusesTheRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := codeDeployed(func(g *DeploymentGroup) { g.Hooks = map[string]string{"AfterInstall": "check"} })
		rate := 1000.0
		r := w.Accounts[account].Regions[ireland]
		r.Quotas = map[string]Quota{"codedeploy": {Rate: &rate, Burst: &rate}}
		w.Accounts[account].Regions[ireland] = r
		c := newClient(t, w)
		var names []any
		for token := any(""); token != nil; {
			page := c.must("codedeploy:ListApplications", js{"nextToken": token})
			names, token = append(names, at[[]any](t, page, "applications")...), page["nextToken"]
		}
		if len(names) != 301 || !slices.Contains(names, any(theApplication)) {
			t.Errorf("%d applications", len(names))
		}
		groups := c.must("codedeploy:BatchGetDeploymentGroups", js{"applicationName": theApplication, "deploymentGroupNames": []string{theGroup, "none"}})
		if at[string](t, groups, "deploymentGroupsInfo", 0, "ecsServices", 0, "serviceName") != "rails" || groups["errorMessage"] == nil {
			t.Errorf("%v", groups)
		}
		group := at[js](t, c.must("codedeploy:GetDeploymentGroup", js{"applicationName": theApplication, "deploymentGroupName": theGroup}), "deploymentGroupInfo")
		content := at[string](t, group, "targetRevision", "appSpecContent", "content")
		if spec, err := readAppSpec(content); err != nil || spec.hooks["afterinstall"] != "check" || at[js](t, group, "lastSuccessfulDeployment")["status"] != "Succeeded" {
			t.Errorf("%v %v", err, group)
		}
		last := at[string](t, group, "lastSuccessfulDeployment", "deploymentId")
		shown := c.must("ecs:DescribeServices", js{"cluster": "main", "services": []string{"rails"}})
		if set := at[js](t, shown, "services", 0, "taskSets", 0); set["externalId"] != last || set["startedBy"] != "CODE_DEPLOY" {
			t.Errorf("%v", set)
		}
		if got := at[[]any](t, c.must("codedeploy:BatchGetDeployments", js{"deploymentIds": []string{last, "d-NONE"}}), "deploymentsInfo"); len(got) != 1 {
			t.Errorf("%v", got)
		}
		revision := c.spec("v2")
		c.must("codedeploy:RegisterApplicationRevision", js{"applicationName": theApplication, "revision": revision, "description": "two"})
		registered := c.must("codedeploy:GetApplicationRevision", js{"applicationName": theApplication, "revision": revision})
		hash := at[string](t, registered, "revision", "appSpecContent", "sha256")
		byHash := js{"revisionType": "AppSpecContent", "appSpecContent": js{"sha256": hash}}
		many := c.must("codedeploy:BatchGetApplicationRevisions", js{"applicationName": theApplication, "revisions": []js{byHash}})
		if at[string](t, many, "revisions", 0, "genericRevisionInfo", "description") != "two" {
			t.Errorf("%v", many)
		}
		config := c.must("codedeploy:GetDeploymentConfig", js{"deploymentConfigName": "CodeDeployDefault.ECSLinear10PercentEvery3Minutes"})
		if at[float64](t, config, "deploymentConfigInfo", "trafficRoutingConfig", "timeBasedLinear", "linearInterval") != 3 {
			t.Errorf("%v", config)
		}
		wrong := js{"revisionType": "AppSpecContent", "appSpecContent": js{"content": appSpecText("a:1", balancer{Container: "app", Port: 1}, nil), "sha256": "00"}}
		in := js{"applicationName": theApplication, "deploymentGroupName": theGroup}
		for _, test := range []struct {
			action string
			in     js
			want   string
		}{
			{"CreateDeployment", js{"applicationName": "none"}, "ApplicationDoesNotExistException"},
			{"CreateDeployment", js{"applicationName": theApplication, "deploymentGroupName": "none"}, "DeploymentGroupDoesNotExistException"},
			{"CreateDeployment", in, "RevisionRequiredException"},
			{"CreateDeployment", js{"applicationName": theApplication, "deploymentGroupName": theGroup, "revision": wrong}, "InvalidRevisionException"},
			{"CreateDeployment", js{"applicationName": theApplication, "deploymentGroupName": theGroup, "revision": revision, "deploymentConfigName": "none"}, "DeploymentConfigDoesNotExistException"},
			{"GetDeployment", js{"deploymentId": "d-NONE"}, "DeploymentDoesNotExistException"},
			{"GetDeployment", js{"deploymentId": "none"}, "InvalidDeploymentIdException"},
			{"BatchGetDeployments", js{"deploymentIds": slices.Repeat([]string{last}, 26)}, "BatchLimitExceededException"},
			{"BatchGetDeploymentGroups", js{"applicationName": theApplication, "deploymentGroupNames": slices.Repeat([]string{"a"}, 101)}, "BatchLimitExceededException"},
			{"BatchGetDeploymentTargets", js{"deploymentId": last, "targetIds": []string{"main:none"}}, "DeploymentTargetDoesNotExistException"},
			{"ListDeployments", js{"deploymentGroupName": theGroup}, "ApplicationNameRequiredException"},
			{"StopDeployment", js{"deploymentId": last}, "DeploymentAlreadyCompletedException"},
			{"ContinueDeployment", js{"deploymentId": last}, "DeploymentAlreadyCompletedException"},
		} {
			if _, code := c.send("codedeploy:"+test.action, test.in); code != test.want {
				t.Errorf("%s %v: %s, not %s", test.action, test.in, code, test.want)
			}
		}
	})
}

func TestAnswerFaultsHitCodeDeployOfAService(t *testing.T) {
	w := codeDeployed(nil)
	w.AnswerFaults = []AnswerFault{
		{Action: "codedeploy:CreateDeployment", Where: Where{Service: "other"}, Code: "Wrong"},
		{Action: "codedeploy:CreateDeployment", Where: Where{Cluster: "main", Service: "rails"}, Code: "ServerException", Status: 500, Done: true, Times: 1},
	}
	c := newClient(t, w)
	in := js{"applicationName": theApplication, "deploymentGroupName": theGroup, "revision": c.spec("v2")}
	if _, code := c.send("codedeploy:CreateDeployment", in); code != "ServerException" {
		t.Errorf("it was answered %q", code)
	}
	if _, code := c.send("codedeploy:CreateDeployment", in); code != "DeploymentLimitExceededException" {
		t.Errorf("the second time: %q", code)
	}
}

func TestAlarmStopsCodeDeploy(t *testing.T) {
	for when, from := range map[string]time.Duration{"from the start": 0, "during the shift": 4 * time.Minute, "while the old task set waits": 20 * time.Minute} {
		for event, runs := range map[string]string{"DEPLOYMENT_STOP_ON_ALARM": "v1", "DEPLOYMENT_FAILURE": ""} {
			t.Run(when+" "+event, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					c := newClient(t, firing(codeDeployed(func(g *DeploymentGroup) {
						withRollback(event)(g)
						hour := Duration(time.Hour)
						g.Alarms, g.TerminationWait = []string{"api-5xx"}, &hour
					}), from))
					info := c.settled(c.create("v2"))
					if info["status"] != "Stopped" || at[string](t, info, "errorInformation", "code") != "ALARM_ACTIVE" {
						t.Errorf("it ended %v", info)
					}
					if runs != "" || from == 0 {
						c.holds("v1")
					} else if s := c.service(); s.Running != 4 {
						t.Errorf("%+v", s)
					}
				})
			})
		}
	}
}

func TestServiceIsDeletedUnderCodeDeploy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, codeDeployed(withRollback("DEPLOYMENT_FAILURE")))
		id := c.create("v2")
		time.Sleep(time.Minute)
		c.must("ecs:DeleteService", js{"cluster": "main", "service": "rails", "force": true})
		if info := c.settled(id); info["status"] != "Failed" || at[string](t, info, "errorInformation", "code") != "INVALID_ECS_SERVICE" || info["rollbackInfo"] != nil {
			t.Errorf("it ended %v", info)
		}
	})
}

func TestSomebodyDeploysBeforeCodeDeployRollsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := codeDeployed(withRollback("DEPLOYMENT_FAILURE"))
		w.DeploymentFaults = []DeploymentFault{{Stage: "AfterAllowTraffic", Image: "*:v2"}}
		c := newClient(t, w)
		next := c.spec("v3")
		id := c.create("v2")
		c.untilInfo(id, ended)
		c.must("codedeploy:CreateDeployment", js{"applicationName": theApplication, "deploymentGroupName": theGroup, "revision": next})
		time.Sleep(time.Hour)
		if back := at[js](t, c.info(id), "rollbackInfo"); back["rollbackMessage"] == nil || back["rollbackDeploymentId"] != nil {
			t.Errorf("its rollback: %v", back)
		}
		c.holds("v3")
	})
}
