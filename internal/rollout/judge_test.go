package rollout

import (
	"testing"

	"ecs-fleet/internal/fleet"
	"ecs-fleet/internal/report"
)

func TestAServiceDeploymentIsJudgedByItsStatus(t *testing.T) {
	tests := []struct {
		name string
		seen fleet.ServiceDeployment
		want verdict
	}{
		{"pending", fleet.ServiceDeployment{Status: "PENDING"}, verdict{doing: "pending"}},
		{"under way", fleet.ServiceDeployment{Status: "IN_PROGRESS", Requested: 4, Running: 1, Pending: 2, FailedTasks: 1}, verdict{doing: "1 of 4 new tasks run, 2 starting, 1 failed"}},
		{"draining", fleet.ServiceDeployment{Status: "IN_PROGRESS", Requested: 4, Running: 4, SourceRunning: 3}, verdict{doing: "4 of 4 new tasks run, 3 old ones draining"}},
		{"in a stage", fleet.ServiceDeployment{Status: "IN_PROGRESS", Requested: 4, Running: 4, SourceRunning: 4, Stage: "BAKE_TIME", Weight: 100}, verdict{doing: "bake time: 4 of 4 new tasks run, 100% of the traffic"}},
		{"a status of tomorrow is waited out", fleet.ServiceDeployment{Status: "PONDERING", Requested: 1}, verdict{doing: "0 of 1 new tasks run"}},
		{"done", fleet.ServiceDeployment{Status: "SUCCESSFUL"}, verdict{over: true, status: report.Deployed}},
		{"rolling back", fleet.ServiceDeployment{Status: "ROLLBACK_IN_PROGRESS", RollbackReason: "circuit breaker"}, verdict{failing: true, doing: "rolling back: circuit breaker"}},
		{"rolled back", fleet.ServiceDeployment{Status: "ROLLBACK_SUCCESSFUL", Reason: "Service deployment rolled back because the circuit breaker threshold was exceeded."}, verdict{over: true, status: report.RolledBack, reason: "ECS rolled the deployment back because the circuit breaker threshold was exceeded"}},
		{"rolled back by an alarm", fleet.ServiceDeployment{Status: "ROLLBACK_SUCCESSFUL", Alarms: []string{"5xx"}}, verdict{over: true, status: report.RolledBack, reason: "ECS rolled the deployment back: alarms 5xx"}},
		{"rollback failed", fleet.ServiceDeployment{Status: "ROLLBACK_FAILED"}, verdict{over: true, status: report.RollbackFailed, reason: "the deployment failed and so did ECS's rollback"}},
		{"being stopped", fleet.ServiceDeployment{Status: "STOP_REQUESTED"}, verdict{failing: true, doing: "stopping"}},
		{"stopped", fleet.ServiceDeployment{Status: "STOPPED", Reason: "newer deployment"}, verdict{over: true, status: report.Failed, reason: "the deployment was stopped: newer deployment"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := judge(tt.seen); got != tt.want {
				t.Errorf("got  %+v\nwant %+v", got, tt.want)
			}
		})
	}
}

func TestAServiceIsJudgedByOurDeploymentAlone(t *testing.T) {
	const (
		td  = "arn:aws:ecs:us-east-1:444455556666:task-definition/rails:"
		old = td + "41"
		new = td + "42"
	)
	deployment := func(id, status, state, definition string) fleet.Deployment {
		return fleet.Deployment{ID: id, Status: status, RolloutState: state, TaskDefinition: fleet.ARN(definition), Desired: 2, Running: 2, Reason: "ECS deployment circuit breaker: tasks failed to start."}
	}
	tests := []struct {
		name    string
		list    []fleet.Deployment
		running int
		sawDone bool
		want    verdict
	}{
		{"under way", []fleet.Deployment{deployment("mine", "PRIMARY", "IN_PROGRESS", new), deployment("before", "ACTIVE", "COMPLETED", old)}, 4, false, verdict{doing: "2 of 2 new tasks run, 2 old ones draining"}},
		{"done", []fleet.Deployment{deployment("mine", "PRIMARY", "COMPLETED", new)}, 2, false, verdict{over: true, status: report.Deployed}},
		{"not yet steady behind a Classic Load Balancer", []fleet.Deployment{deployment("mine", "PRIMARY", "", new)}, 1, false, verdict{doing: "2 of 2 new tasks run"}},
		{"failed", []fleet.Deployment{deployment("mine", "PRIMARY", "FAILED", new)}, 2, false, verdict{over: true, status: report.Failed, reason: "the deployment failed: ECS deployment circuit breaker: tasks failed to start"}},
		{"being rolled back", []fleet.Deployment{deployment("after", "PRIMARY", "IN_PROGRESS", old), deployment("mine", "ACTIVE", "COMPLETED", new)}, 2, false, verdict{failing: true, doing: "rolling back to rails:41"}},
		{"failed, and being rolled back", []fleet.Deployment{deployment("after", "PRIMARY", "IN_PROGRESS", old), deployment("mine", "ACTIVE", "FAILED", new)}, 2, false, verdict{failing: true, doing: "rolling back to rails:41"}},
		{"steady, but rolled back", []fleet.Deployment{deployment("after", "PRIMARY", "COMPLETED", old)}, 2, false, verdict{over: true, status: report.RolledBack, reason: "ECS rolled the deployment back to rails:41"}},
		{"superseded", []fleet.Deployment{deployment("other", "PRIMARY", "IN_PROGRESS", td+"43"), deployment("mine", "ACTIVE", "IN_PROGRESS", new)}, 2, false, verdict{over: true, status: report.Failed, reason: "somebody else has deployed rails:43 over it"}},
		{"rolled back in vain", []fleet.Deployment{deployment("after", "PRIMARY", "FAILED", old), deployment("mine", "ACTIVE", "FAILED", new)}, 2, false, verdict{over: true, status: report.RollbackFailed, reason: "the deployment failed and so did ECS's rollback to rails:41: ECS deployment circuit breaker: tasks failed to start"}},
		{"ended unseen", []fleet.Deployment{deployment("other", "PRIMARY", "COMPLETED", td+"43")}, 2, false, verdict{over: true, status: report.Failed, reason: "somebody else has deployed rails:43 over it"}},
		{"gone after it was seen done", []fleet.Deployment{deployment("other", "PRIMARY", "IN_PROGRESS", td+"43")}, 2, true, verdict{over: true, status: report.Deployed}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := fleet.Service{Deployments: tt.list, Desired: 2, Running: tt.running}
			if got := judgeService(s, mine{id: "mine", wanted: new, before: old, sawDone: tt.sawDone}); got != tt.want {
				t.Errorf("got  %+v\nwant %+v", got, tt.want)
			}
		})
	}
}

func TestADeploymentThatReplacesARevisionByItselfIsJudgedByItsOwnEnd(t *testing.T) {
	const same = "arn:aws:ecs:us-east-1:444455556666:task-definition/rails:41"
	tests := []struct {
		name    string
		mine    string // its rollout state; empty: it is gone
		primary string // the PRIMARY one's reason
		want    report.Status
	}{
		{"somebody else has replaced the tasks, too", "IN_PROGRESS", "ECS deployment ecs-svc/2 in progress.", report.Failed},
		{"gone, and nothing tells of a rollback", "", "ECS deployment ecs-svc/2 completed.", report.Failed},
		{"rolled back, as AWS says", "", "ECS deployment circuit breaker: rolling back to deploymentId ecs-svc/0.", report.RolledBack},
		{"it failed, and ECS has replaced it", "FAILED", "ECS deployment ecs-svc/2 completed.", report.RolledBack},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := fleet.Service{Deployments: []fleet.Deployment{{ID: "ecs-svc/2", Status: "PRIMARY", RolloutState: "COMPLETED", Reason: tt.primary, TaskDefinition: same}}}
			if tt.mine != "" {
				s.Deployments = append(s.Deployments, fleet.Deployment{ID: "ecs-svc/1", Status: "ACTIVE", RolloutState: tt.mine, TaskDefinition: same})
			}
			if got := judgeService(s, mine{id: "ecs-svc/1", wanted: same, before: same}); !got.over || got.status != tt.want {
				t.Errorf("got %+v, want %s", got, tt.want)
			}
		})
	}
}

func TestBehindAClassicLoadBalancerTwoSteadyLooksAreADeployment(t *testing.T) {
	s := fleet.Service{Desired: 2, Running: 2, Deployments: []fleet.Deployment{{ID: "mine", Status: "PRIMARY", Desired: 2, Running: 2}}}
	for _, wasSteady := range []bool{false, true} {
		if got := judgeService(s, mine{id: "mine", wasSteady: wasSteady}); got.over != wasSteady || got.over && got.status != report.Deployed {
			t.Errorf("steady before: %v: got %+v", wasSteady, got)
		}
	}
}

func TestTheDeploymentBeforeThatIsPrimaryAgain(t *testing.T) {
	now := fleet.Service{Deployments: []fleet.Deployment{{ID: "ecs-svc/1", Status: "PRIMARY", TaskDefinition: "rails:41"}, {ID: "ecs-svc/2", Status: "ACTIVE", TaskDefinition: "rails:42"}}}
	answered := tracked{replaces: "ecs-svc/1", mine: mine{id: "ecs-svc/2", wanted: "rails:42"}}
	if at, _ := (byECS{}).standing(answered, now, "rails:41"); at != returned {
		t.Errorf("an update that was answered is %v, want returned: ECS rolls back to the deployment before", at)
	}
	lost := tracked{replaces: "ecs-svc/1", mine: mine{wanted: "rails:42"}}
	if at, _ := (byECS{}).standing(lost, now, "rails:41"); at != ineffective {
		t.Errorf("an update whose answer got lost is %v, want ineffective", at)
	}
}
