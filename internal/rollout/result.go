package rollout

import (
	"maps"
	"slices"

	"ecs-fleet/internal/fleet"
	"ecs-fleet/internal/plan"
	"ecs-fleet/internal/report"
)

// Results are the services' ends, in the fleet's order. Call it after Run,
// Refuse or DryRun.
func (r *Rollout) Results() []report.Result {
	results := make([]report.Result, len(r.units))
	for i, u := range r.units {
		results[i] = u.result
	}
	return results
}

// end writes down how a service ended, once.
func (r *Rollout) end(u *unit, e ending) {
	u.result = report.Result{
		Of: u.ref, Account: u.env.Account, Region: u.env.Region, Cluster: fleet.ARN(u.env.Cluster).Name(), ECSService: u.spec.ECSName,
		Wave: u.env.Wave, Strategy: u.plan.Strategy, Status: e.status,
		From: state(u.plan.From), To: state(u.plan.To), Running: e.running,
		Reason: e.reason, Details: e.details, Warnings: u.plan.Warnings, Containers: slices.Sorted(maps.Keys(u.draft.Edits)),
	}
	if u.client != nil {
		u.result.Account = u.client.Account
	}
	if e.desired != nil {
		u.result.To.Desired = *e.desired
	}
	if !u.accepted.IsZero() {
		u.result.Duration = r.since(u.accepted)
	}
	if e.status == report.Planned {
		planned := report.FromPlan(u.plan)
		u.result.Steps, u.result.Undo = planned.Steps, planned.Undo
		s, _ := u.last()
		u.result.Running = s.Running
	}
	r.options.Emit(report.Event{After: r.elapsed(), Of: u.ref, Kind: report.Ended, Result: &u.result})
}

func state(s plan.State) report.State {
	return report.State{TaskDefinition: fleet.ARN(s.TaskDefinition).Name(), Images: s.Images, Desired: s.Desired}
}
