package sim

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestRollingDeploymentReplacesAllTasksInAboutThreeMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, rails(nil))
		old := c.service()
		c.deploy("v2")
		took := c.until(done)
		s := c.service()
		if took != 160*time.Second {
			t.Errorf("it took %v", took)
		}
		if diff := cmp.Diff(map[string]map[string]int{"app": {image("v2"): 2}}, s.Images); diff != "" {
			t.Errorf("images (-want +got):\n%s", diff)
		}
		if s.RolloutState != "COMPLETED" || s.ServiceDeployment != "SUCCESSFUL" || len(s.Deployments) != 1 || s.Deployments[0].ID == old.Deployments[0].ID {
			t.Errorf("%+v", s)
		}
		if !hasEvent(s, "has reached a steady state") || !hasEvent(s, s.Deployments[0].ID+") deployment completed.") {
			t.Errorf("events: %q", s.Events)
		}
	})
}

func hasEvent(s ServiceState, part string) bool {
	return slices.ContainsFunc(s.Events, func(e string) bool { return strings.Contains(e, part) })
}

// The rounding is documented: minimumHealthyPercent up, maximumPercent down.
func TestDeploymentStaysWithinItsPercentages(t *testing.T) {
	for _, test := range []struct {
		name                      string
		desired, minimum, maximum int
		least, most               int // tasks at any time
	}{
		{"all new tasks first", 4, 100, 200, 4, 8},
		{"half of the old ones first", 4, 50, 100, 2, 4},
		{"both limits rounded", 3, 50, 150, 2, 4},
		{"one by one", 10, 100, 110, 10, 11},
		{"all old ones first", 2, 0, 100, 0, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newClient(t, rails(func(s *Service) {
					s.Desired, s.MinimumHealthy, s.Maximum = &test.desired, &test.minimum, &test.maximum
				}))
				c.deploy("v2")
				least, most := test.desired, 0
				c.until(func(s ServiceState) bool {
					live, healthy := c.counts()
					least, most = min(least, healthy), max(most, live)
					return done(s)
				})
				if least != test.least || most != test.most {
					t.Errorf("there were %d healthy to %d tasks, not %d to %d", least, most, test.least, test.most)
				}
				if s := c.service(); s.ServiceDeployment != "SUCCESSFUL" || s.Images["app"][image("v2")] != test.desired {
					t.Errorf("%+v", s)
				}
			})
		})
	}
}

// counts are the tasks of rails that are meant to run, and the healthy ones.
func (c *client) counts() (live, healthy int) {
	c.aws.mu.Lock()
	defer c.aws.mu.Unlock()
	s := c.aws.regions[account+"/"+ireland].clusters["main"].services["rails"]
	return s.count((*task).isLive), s.count((*task).isHealthy)
}

func TestDeploymentThatMayNeitherStartNorStopTasksSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		maximum := 100
		c := newClient(t, rails(func(s *Service) { s.Maximum = &maximum }))
		c.deploy("v2")
		time.Sleep(time.Hour)
		if s := c.service(); s.RolloutState != "IN_PROGRESS" || !hasEvent(s, "unable to stop or start tasks during a deployment") {
			t.Errorf("%+v", s)
		}
	})
}

func TestImageThatIsNotInTheRegistryIsRolledBackByTheCircuitBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, rails(nil))
		old := c.service()
		failed := at[string](t, c.deploy("v9"), "service", "deployments", 0, "id")
		c.until(func(s ServiceState) bool { return s.Deployments[0].ID == old.Deployments[0].ID })
		rolling := c.service()
		wantReason := "ECS deployment circuit breaker: rolling back to deploymentId " + old.Deployments[0].ID + "."
		if rolling.ServiceDeployment != "ROLLBACK_IN_PROGRESS" || rolling.Deployments[0].Reason != wantReason || rolling.Deployments[1].ID != failed ||
			rolling.Deployments[1].RolloutState != "FAILED" || rolling.Deployments[1].Reason != "ECS deployment circuit breaker: tasks failed to start." {
			t.Errorf("while rolling back: %+v", rolling)
		}
		c.until(done)
		s := c.service()
		if s.ServiceDeployment != "ROLLBACK_SUCCESSFUL" || s.TaskDefinition != old.TaskDefinition || s.Deployments[0].ID != old.Deployments[0].ID {
			t.Errorf("%+v", s)
		}
		if diff := cmp.Diff(old.Images, s.Images); diff != "" {
			t.Errorf("images (-want +got):\n%s", diff)
		}
		stopped := c.must("ecs:ListTasks", js{"cluster": "main", "serviceName": "rails", "desiredStatus": "STOPPED"})
		tasks := c.must("ecs:DescribeTasks", js{"cluster": "main", "tasks": stopped["taskArns"]})
		reason := at[string](t, tasks, "tasks", 0, "stoppedReason")
		if !strings.HasPrefix(reason, "CannotPullContainerError: ") || !strings.HasSuffix(reason, image("v9")+": not found") ||
			at[string](t, tasks, "tasks", 0, "stopCode") != "TaskFailedToStart" || at[string](t, tasks, "tasks", 0, "startedBy") != failed {
			t.Errorf("%+v", tasks)
		}
		time.Sleep(2 * time.Hour)
		stopped = c.must("ecs:ListTasks", js{"cluster": "main", "serviceName": "rails", "desiredStatus": "STOPPED"})
		if left := at[[]any](t, stopped, "taskArns"); len(left) != 0 {
			t.Errorf("stopped tasks are still there after two hours: %v", left)
		}
	})
}

func TestWhatACircuitBreakerDoes(t *testing.T) {
	for _, test := range []struct {
		name, breaker string
		fault         TaskFault
		want          ServiceState // RolloutState and ServiceDeployment after an hour
		failures      int
	}{
		{"without one a bad deployment goes on for ever", "off", TaskFault{Fails: "pull"}, ServiceState{RolloutState: "IN_PROGRESS", ServiceDeployment: "IN_PROGRESS"}, 0},
		{"without rollback it fails", "on", TaskFault{Fails: "pull"}, ServiceState{RolloutState: "FAILED", ServiceDeployment: "STOPPED"}, 3},
		{"with rollback the old version returns", "rollback", TaskFault{Fails: "health"}, ServiceState{RolloutState: "COMPLETED", ServiceDeployment: "ROLLBACK_SUCCESSFUL"}, 3},
		{"a task that ends before it is healthy has failed", "rollback", TaskFault{Fails: "exit", After: Duration(20 * time.Second)}, ServiceState{RolloutState: "COMPLETED", ServiceDeployment: "ROLLBACK_SUCCESSFUL"}, 3},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := rails(func(s *Service) { s.CircuitBreaker = test.breaker })
				test.fault.Image = "*:v2"
				w.TaskFaults = []TaskFault{test.fault}
				c := newClient(t, w)
				c.deploy("v2")
				time.Sleep(time.Hour)
				s := c.service()
				if diff := cmp.Diff(test.want, ServiceState{RolloutState: s.RolloutState, ServiceDeployment: s.ServiceDeployment}); diff != "" {
					t.Errorf("(-want +got):\n%s\n%+v", diff, s)
				}
				if s.Images["app"][image("v1")] != 2 {
					t.Errorf("the old tasks are gone: %v", s.Images)
				}
				if got := c.rollout("deploymentCircuitBreaker", "failureCount"); test.failures > 0 && got != float64(test.failures) {
					t.Errorf("failureCount is %v, not %d", got, test.failures)
				}
			})
		})
	}
}

// rollout is a member of the service's newest service deployment.
func (c *client) rollout(path ...any) any {
	c.t.Helper()
	list := c.must("ecs:ListServiceDeployments", js{"cluster": "main", "service": "rails"})
	arn := at[string](c.t, list, "serviceDeployments", 0, "serviceDeploymentArn")
	out := c.must("ecs:DescribeServiceDeployments", js{"serviceDeploymentArns": []string{arn}})
	return at[any](c.t, out, append([]any{"serviceDeployments", 0}, path...)...)
}

func TestThresholdOfTheCircuitBreaker(t *testing.T) {
	for desired, want := range map[int]int{0: 3, 1: 3, 6: 3, 7: 4, 25: 13, 400: 200, 800: 200} {
		if got := threshold(desired); got != want {
			t.Errorf("%d tasks: %d, not %d", desired, got, want)
		}
	}
}

func TestTaskThatFailsAfterItWasHealthyIsOnlyReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := rails(nil)
		w.TaskFaults = []TaskFault{{Image: "*:v2", Fails: "exit", After: Duration(10 * time.Minute)}}
		c := newClient(t, w)
		c.deploy("v2")
		time.Sleep(2 * time.Hour)
		s := c.service()
		if s.ServiceDeployment != "SUCCESSFUL" || s.Images["app"][image("v2")] != 2 || s.Deployments[0].FailedTasks != 0 {
			t.Errorf("%+v", s)
		}
	})
}

func TestFailingTasksAreStartedEverMoreSeldom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := rails(func(s *Service) { s.CircuitBreaker = "off" })
		w.TaskFaults = []TaskFault{{Image: "*:v2", Fails: "pull"}}
		c := newClient(t, w)
		c.deploy("v2")
		time.Sleep(24 * time.Hour)
		s := c.service()
		// At the longest pause of 27 minutes, a day has 53 rounds of two.
		if failed := s.Deployments[0].FailedTasks; failed < 100 || failed > 140 || !hasEvent(s, "unable to consistently start tasks successfully") {
			t.Errorf("%d tasks failed in a day", failed)
		}
	})
}

func TestNewerUpdateSupersedesADeployment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, rails(nil))
		c.deploy("v2")
		time.Sleep(time.Minute)
		first := c.rollout("serviceDeploymentArn")
		c.deploy("v3")
		out := c.must("ecs:DescribeServiceDeployments", js{"serviceDeploymentArns": []any{first}})
		if got := at[string](t, out, "serviceDeployments", 0, "status"); got != "STOP_REQUESTED" {
			t.Errorf("the first one is %s", got)
		}
		if s := c.service(); len(s.Deployments) != 3 || s.Deployments[0].Status != "PRIMARY" || s.Deployments[1].Status != "ACTIVE" {
			t.Errorf("%+v", s.Deployments)
		}
		c.until(done)
		out = c.must("ecs:DescribeServiceDeployments", js{"serviceDeploymentArns": []any{first}})
		s := c.service()
		if got := at[string](t, out, "serviceDeployments", 0, "status"); got != "STOPPED" || s.ServiceDeployment != "SUCCESSFUL" || s.Images["app"][image("v3")] != 2 || len(s.Deployments) != 1 {
			t.Errorf("the first one is %s, the service %+v", got, s)
		}
	})
}

func TestUpdateThatChangesNothingStartsNoDeployment(t *testing.T) {
	for _, test := range []struct {
		name    string
		in      js
		deploys bool
	}{
		{"the same definition", js{"taskDefinition": "rails:41"}, false},
		{"another desired count", js{"desiredCount": 3}, false},
		{"other percentages", js{"deploymentConfiguration": js{"maximumPercent": 150}}, false},
		{"no load balancers", js{"loadBalancers": []any{}}, true},
		{"other subnets", js{"networkConfiguration": js{"awsvpcConfiguration": js{"subnets": []any{"subnet-2"}}}}, true},
		{"the same definition, forced", js{"taskDefinition": "rails:41", "forceNewDeployment": true}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newClient(t, rails(nil))
				old := c.service().Deployments[0].ID
				test.in["cluster"], test.in["service"] = "main", "rails"
				answered := at[string](t, c.must("ecs:UpdateService", test.in), "service", "deployments", 0, "id")
				if (answered != old) != test.deploys {
					t.Errorf("the answer's deployment is %s, before it was %s", answered, old)
				}
			})
		})
	}
}

func TestDesiredCountScalesWithoutADeployment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, rails(nil))
		old := c.service().Deployments[0].ID
		for _, want := range []int{7, 3, 0, 1} {
			c.must("ecs:UpdateService", js{"cluster": "main", "service": "rails", "desiredCount": want})
			c.until(func(s ServiceState) bool { return s.Running == want && s.Pending == 0 && s.Desired == want })
			if s := c.service(); s.RolloutState != "COMPLETED" || s.Deployments[0].ID != old {
				t.Errorf("%d tasks: %+v", want, s)
			}
		}
	})
}

func TestStopServiceDeploymentRollsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, rails(func(s *Service) { s.CircuitBreaker = "off" }))
		old := c.service()
		c.deploy("v2")
		time.Sleep(time.Minute)
		mine := c.rollout("serviceDeploymentArn")
		c.must("ecs:StopServiceDeployment", js{"serviceDeploymentArn": mine, "stopType": "ROLLBACK"})
		if got := c.rollout("status"); got != "ROLLBACK_REQUESTED" {
			t.Errorf("it is %v", got)
		}
		time.Sleep(10 * time.Minute)
		s := c.service()
		if s.ServiceDeployment != "ROLLBACK_SUCCESSFUL" || s.Deployments[0].ID != old.Deployments[0].ID || s.Images["app"][image("v1")] != 2 || len(s.Deployments) != 1 {
			t.Errorf("%+v", s)
		}
		if _, code := c.send("ecs:StopServiceDeployment", js{"serviceDeploymentArn": mine}); code != "ConflictException" {
			t.Errorf("stopping it again was answered %q", code)
		}
	})
}

func TestTaskWithoutCapacityStaysProvisioningUntilThereIsSome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := rails(nil)
		w.TaskFaults = []TaskFault{{Fails: "capacity", Where: Where{Until: Duration(30 * time.Minute)}}}
		c := newClient(t, w)
		c.deploy("v2")
		time.Sleep(29 * time.Minute)
		s := c.service()
		if s.Pending != 2 || s.RolloutState != "IN_PROGRESS" || !hasEvent(s, "(service rails) was unable to place a task. Reason: Capacity is unavailable at this time.") {
			t.Errorf("%+v", s)
		}
		if took := c.until(done); took > 5*time.Minute || c.service().ServiceDeployment != "SUCCESSFUL" {
			t.Errorf("%v later: %+v", took, c.service())
		}
	})
}

func TestPendingLaunchesOfAReplacedDeploymentAreDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		many := 300
		c := newClient(t, rails(func(s *Service) { s.Desired = &many }))
		second := at[string](t, c.deploy("v2"), "service", "taskDefinition")
		time.Sleep(7 * time.Second) // 100 have been launched, 200 wait
		c.deploy("v3")
		launched := c.launched(second)
		c.until(done)
		if s := c.service(); s.Images["app"][image("v3")] != many || len(s.Images["app"]) != 1 {
			t.Errorf("%+v", s.Images)
		}
		if got := c.launched(second); got != launched {
			t.Errorf("%d tasks of the replaced deployment were launched, %d of them before", got, launched)
		}
	})
}

// launched is the number of tasks of a definition that were ever launched.
func (c *client) launched(definition string) int {
	c.aws.mu.Lock()
	defer c.aws.mu.Unlock()
	tasks := c.aws.regions[account+"/"+ireland].clusters["main"].tasks
	return countTasks(tasks, func(t *task) bool { return t.definition.arn() == definition })
}

func TestFailuresCountNoMoreOnceATaskWasHealthy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		half, all := 50, 100
		w := rails(func(s *Service) { s.MinimumHealthy, s.Maximum = &half, &all })
		// The first new task is healthy by then, the second is not yet there.
		w.TaskFaults = []TaskFault{{Image: "*:v2", Fails: "pull", Where: Where{From: Duration(2 * time.Minute)}}}
		c := newClient(t, w)
		c.deploy("v2")
		time.Sleep(2 * time.Hour)
		if s := c.service(); s.RolloutState != "IN_PROGRESS" || s.Images["app"][image("v2")] != 1 || s.Deployments[0].FailedTasks != 0 {
			t.Errorf("%+v", s)
		}
	})
}

func TestDeploymentThatIsBeingRestoredIsNothingToGoBackTo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, rails(nil))
		old := c.service().Deployments[0].ID
		c.deploy("v8")
		c.until(func(s ServiceState) bool { return s.Deployments[0].ID == old })
		c.deploy("v9")
		time.Sleep(time.Hour)
		if s := c.service(); s.RolloutState != "FAILED" || s.ServiceDeployment != "STOPPED" || s.Images["app"][image("v1")] != 2 {
			t.Errorf("%+v", s)
		}
	})
}

func TestDeploymentOfAServiceWithoutTasksIsDoneAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		none := 0
		c := newClient(t, rails(func(s *Service) { s.Desired = &none }))
		c.deploy("v2")
		if took := c.until(done); took > 5*time.Second || c.service().ServiceDeployment != "SUCCESSFUL" {
			t.Errorf("%v: %+v", took, c.service())
		}
	})
}

func TestFirstDeploymentThatFailsHasNothingToGoBackTo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, rails(nil))
		c.must("ecs:CreateService", js{
			"cluster": "main", "serviceName": "web", "taskDefinition": c.register("v9"), "desiredCount": 1, "launchType": "FARGATE",
			"deploymentConfiguration": js{"deploymentCircuitBreaker": js{"enable": true, "rollback": true}},
			"networkConfiguration":    js{"awsvpcConfiguration": js{"subnets": []any{"subnet-1"}}},
		})
		time.Sleep(time.Hour)
		s, _ := c.aws.Service(account, ireland, "main", "web")
		if s.RolloutState != "FAILED" || s.ServiceDeployment != "STOPPED" || s.Running+s.Pending != 0 {
			t.Errorf("%+v", s)
		}
	})
}

func TestUpdateDuringARollbackStopsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, rails(nil))
		old := c.service().Deployments[0].ID
		c.deploy("v9")
		c.until(func(s ServiceState) bool { return s.Deployments[0].ID == old })
		rollingBack := c.rollout("serviceDeploymentArn")
		c.deploy("v3")
		c.until(done)
		out := c.must("ecs:DescribeServiceDeployments", js{"serviceDeploymentArns": []any{rollingBack}})
		s := c.service()
		if got := at[string](t, out, "serviceDeployments", 0, "status"); got != "STOPPED" || s.ServiceDeployment != "SUCCESSFUL" || s.Images["app"][image("v3")] != 2 {
			t.Errorf("the one that rolled back is %s, the service %+v", got, s)
		}
	})
}

func TestTaskFaultHitsOnlyItsPlace(t *testing.T) {
	for _, test := range []struct {
		name  string
		fault TaskFault
		hit   bool
	}{
		{"its service", TaskFault{Where: Where{Account: "1111*", Region: "eu-*", Cluster: "ma?n", Service: "rails"}, Image: "*/rails:v2"}, true},
		{"another cluster", TaskFault{Where: Where{Cluster: "other"}}, false},
		{"another service", TaskFault{Where: Where{Service: "nginx"}}, false},
		{"another account", TaskFault{Where: Where{Account: "444455556666"}}, false},
		{"another image", TaskFault{Image: "*/rails:v3"}, false},
		{"tasks of RunTask", TaskFault{Group: "family:*"}, false},
		{"another time", TaskFault{Where: Where{From: Duration(time.Hour)}}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := rails(nil)
				test.fault.Fails = "pull"
				w.TaskFaults = []TaskFault{test.fault}
				c := newClient(t, w)
				c.deploy("v2")
				c.until(done)
				if hit := c.service().ServiceDeployment != "SUCCESSFUL"; hit != test.hit {
					t.Errorf("hit: %v: %+v", hit, c.service())
				}
			})
		})
	}
}
