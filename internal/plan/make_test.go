package plan_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ecs-fleet/internal/fleet"
	"ecs-fleet/internal/plan"
)

const family = "arn:aws:ecs:us-east-1:444455556666:task-definition/rails:"

func seen(state string, change ...func(*fleet.Service)) fleet.Service {
	s := fleet.Service{
		Name: "rails", Controller: "ECS", Strategy: "rolling", Desired: 2, Running: 2, MinimumHealthyPercent: 100, MaximumPercent: 200,
		Current:     "arn:aws:ecs:us-east-1:444455556666:service-deployment/main/rails/abc",
		Deployments: []fleet.Deployment{{ID: "ecs-svc/1", Status: "PRIMARY", RolloutState: state, TaskDefinition: family + "41", Desired: 2, Running: 2}},
	}
	for _, c := range change {
		c(&s)
	}
	return s
}

func draft(equal fleet.ARN) fleet.Draft {
	base := definition("app=rails:v1")
	edits := map[string]string{"app": "rails:v2"}
	if equal == base.ARN {
		edits["app"] = "rails:v1"
	}
	return fleet.Draft{Base: base, Edits: edits, Images: edits, Key: "k", Equal: equal}
}

func inactive(d fleet.Draft) fleet.Draft {
	d.Base.Status = "INACTIVE"
	return d
}

func TestWhatIsDoneToAService(t *testing.T) {
	const (
		register  = "register a revision from rails:41, app=rails:v2"
		deployNew = "deploy the new revision"
		wait      = "wait for the deployment in progress, abc"
	)
	tests := []struct {
		name   string
		in     plan.In
		steps  []string
		skip   string
		refuse string
		failed bool
	}{
		{name: "a new image is registered and deployed", in: plan.In{Seen: seen("COMPLETED"), Draft: draft("")}, steps: []string{register, deployNew}},
		{name: "an equal revision is reused", in: plan.In{Seen: seen("COMPLETED"), Draft: draft(family + "42")}, steps: []string{"deploy rails:42"}},
		{name: "what runs already is left alone", in: plan.In{Seen: seen("COMPLETED"), Draft: draft(family + "41")}, skip: "already runs v1 (rails:41)"},
		{name: "what runs already is replaced when forced", in: plan.In{Seen: seen("COMPLETED"), Draft: draft(family + "41"), Force: true}, steps: []string{"deploy rails:41, replacing all tasks"}},
		{name: "a moved tag replaces the tasks", in: plan.In{Seen: seen("COMPLETED"), Draft: draft(family + "41"), Moved: "app: a → b"}, steps: []string{"deploy rails:41, replacing all tasks"}},
		{name: "a new image is prepared", in: plan.In{Seen: seen("COMPLETED"), Draft: draft(""), Prepare: true}, steps: []string{register, "leave the service as it is, with the new revision prepared for a later run"}},
		{name: "what was prepared before is not prepared again", in: plan.In{Seen: seen("COMPLETED"), Draft: draft(family + "42"), Prepare: true}, steps: []string{"leave the service as it is, with rails:42 prepared for a later run"}},
		{name: "what runs already need not be prepared", in: plan.In{Seen: seen("COMPLETED"), Draft: draft(family + "41"), Prepare: true}, skip: "already runs v1 (rails:41)"},
		{name: "a deployment in progress is in no way of preparing", in: plan.In{Seen: seen("IN_PROGRESS"), Draft: draft(""), Prepare: true, OnInProgress: "fail"}, steps: []string{register, "leave the service as it is, with the new revision prepared for a later run"}},
		{name: "a failed deployment of the same revision is begun again", in: plan.In{Seen: seen("FAILED"), Draft: draft(family + "41")}, steps: []string{"deploy rails:41, replacing all tasks"}},
		{name: "a revision that may not be deployed again is registered again", in: plan.In{Seen: seen("COMPLETED"), Draft: inactive(draft(family + "41")), Force: true}, steps: []string{"register a revision from rails:41, app=rails:v1", "deploy the new revision, replacing all tasks"}},
		{name: "a revision that may not be deployed again is left alone while it runs", in: plan.In{Seen: seen("COMPLETED"), Draft: inactive(draft(family + "41"))}, skip: "already runs v1 (rails:41)"},
		{name: "our own deployment under way is watched", in: plan.In{Seen: seen("IN_PROGRESS"), Draft: draft(family + "41"), OnInProgress: "fail"}, steps: []string{"watch the deployment already under way, abc"}},
		{name: "another's deployment is waited for", in: plan.In{Seen: seen("IN_PROGRESS"), Draft: draft(""), OnInProgress: "wait"}, steps: []string{wait, register, deployNew}},
		{name: "another's deployment is stopped", in: plan.In{Seen: seen("IN_PROGRESS"), Draft: draft(""), OnInProgress: "stop"}, steps: []string{"stop the deployment in progress, abc", register, deployNew}},
		{name: "a service in progress is skipped", in: plan.In{Seen: seen("IN_PROGRESS"), Draft: draft(""), OnInProgress: "skip"}, refuse: "a deployment of rails:41 is in progress already (on-in-progress: skip); run again when it has ended"},
		{name: "a service in progress fails", in: plan.In{Seen: seen("IN_PROGRESS"), Draft: draft(""), OnInProgress: "fail"}, refuse: "a deployment of rails:41 is in progress already (on-in-progress: fail); run again when it has ended, or set on-in-progress to wait", failed: true},
		{name: "behind a Classic Load Balancer two deployments are progress", in: plan.In{Seen: seen("", func(s *fleet.Service) {
			s.Deployments = append(s.Deployments, fleet.Deployment{ID: "ecs-svc/0", Status: "ACTIVE"})
		}), Draft: draft(""), OnInProgress: "wait"}, steps: []string{wait, register, deployNew}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := plan.Make(tt.in)
			var steps []string
			for _, s := range p.Steps {
				steps = append(steps, s.String())
			}
			if diff := cmp.Diff(tt.steps, steps); diff != "" {
				t.Errorf("steps (-want +got):\n%s", diff)
			}
			if p.Skip != tt.skip || p.Refuse != tt.refuse || p.Failed != tt.failed {
				t.Errorf("skip %q, refuse %q (failed %v); want %q, %q (%v)", p.Skip, p.Refuse, p.Failed, tt.skip, tt.refuse, tt.failed)
			}
			undoes := slices.ContainsFunc(p.Steps, func(s plan.Step) bool { _, ok := s.(plan.Deploy); return ok })
			if undoes != (len(p.Undo) > 0) {
				t.Errorf("undo %v for steps %v", p.Undo, p.Steps)
			}
		})
	}
}

func TestWhatADeploymentWillSufferFromIsSaidBefore(t *testing.T) {
	stuck := func(desired, least, most int) func(*fleet.Service) {
		return func(s *fleet.Service) {
			s.Desired, s.MinimumHealthyPercent, s.MaximumPercent = desired, least, most
		}
	}
	tests := []struct {
		name string
		seen fleet.Service
		want []string
	}{
		{"ECS's defaults can move", seen("COMPLETED"), nil},
		{"one task at 100 and 100 percent cannot", seen("COMPLETED", stuck(1, 100, 100)), []string{"the deployment cannot start or stop a task: desired 1 with minimum healthy 100% and maximum 100%; raise the maximum to 200% or lower the minimum"}},
		{"one task at 50 and 100 percent cannot, since the minimum is rounded up", seen("COMPLETED", stuck(1, 50, 100)), []string{"the deployment cannot start or stop a task: desired 1 with minimum healthy 50% and maximum 100%; raise the maximum to 200% or lower the minimum"}},
		{"three tasks at 100 and 150 percent can, since the maximum is rounded down to four", seen("COMPLETED", stuck(3, 100, 150)), nil},
		{"one task at 100 and 150 percent cannot", seen("COMPLETED", stuck(1, 100, 150)), []string{"the deployment cannot start or stop a task: desired 1 with minimum healthy 100% and maximum 150%; raise the maximum to 200% or lower the minimum"}},
		{"no task at all proves nothing", seen("COMPLETED", stuck(0, 100, 200)), []string{"0 tasks desired: the new revision stays unproven until a task starts"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, plan.Make(plan.In{Seen: tt.seen, Draft: draft("")}).Warnings); diff != "" {
				t.Errorf("warnings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWavesRiseAndKeepTheirOrder(t *testing.T) {
	var plans []plan.Plan
	for i, wave := range []int{2, 1, 10, 2, 1} {
		plans = append(plans, plan.Plan{Of: fleet.ServiceRef{Environment: string(rune('a' + i))}, Wave: wave})
	}
	var got [][]string
	for _, wave := range plan.Waves(plans) {
		var names []string
		for _, p := range wave {
			names = append(names, p.Of.Environment)
		}
		got = append(got, names)
	}
	if diff := cmp.Diff([][]string{{"b", "e"}, {"a", "d"}, {"c"}}, got); diff != "" {
		t.Errorf("waves (-want +got):\n%s", diff)
	}
}
