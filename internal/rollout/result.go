package rollout

import (
	"maps"
	"slices"

	"ecs-fleet/internal/fleet"
	"ecs-fleet/internal/plan"
	"ecs-fleet/internal/report"
)

// Results are the services' ends, in the fleet's order. While the run goes on,
// a service that has not ended is shown as it would be if the run were killed
// now. Safe for concurrent use once Inspect has returned.
func (r *Rollout) Results() []report.Result {
	results := make([]report.Result, len(r.units))
	for i, u := range r.units {
		switch {
		case u.ended.Load():
			results[i] = u.result
		case u.began.Load():
			results[i] = u.row(ending{status: report.Cancelled, reason: "its deployment was under way when this was written"})
		default:
			results[i] = u.row(ending{status: report.NotStarted, reason: "its turn had not come when this was written"})
		}
	}
	return results
}

// row is what is said of every service, whatever becomes of it.
func (u *unit) row(e ending) report.Result {
	row := report.Result{
		Of: u.ref, Account: u.env.Account, Region: u.env.Region, Cluster: fleet.ARN(u.env.Cluster).Name(), ECSService: u.spec.ECSName,
		Wave: u.env.Wave, Status: e.status, Running: e.running, Reason: e.reason, Details: e.details,
	}
	if u.client != nil {
		row.Account = u.client.Account
	}
	return row
}

// end writes down how a service ended, once.
func (r *Rollout) end(u *unit, e ending) {
	u.result = u.row(e)
	u.result.Strategy, u.result.From, u.result.To = u.plan.Strategy, state(u.plan.From), state(u.plan.To)
	u.result.Warnings, u.result.Containers = u.plan.Warnings, slices.Sorted(maps.Keys(u.draft.Edits))
	if e.desired != nil {
		u.result.To.Desired = *e.desired
	}
	if !u.accepted.IsZero() {
		u.result.Duration = r.since(u.accepted)
	}
	if e.status == report.Planned {
		planned := report.FromPlan(u.plan)
		u.result.Steps, u.result.Undo = planned.Steps, planned.Undo
	}
	if unchanged := e.status == report.Planned || e.status == report.NotStarted; unchanged && u.plan.From.TaskDefinition != "" {
		s, _ := u.last() // what was seen runs still
		u.result.Running = s.Running
	}
	u.ended.Store(true)
	r.options.Emit(report.Event{After: r.elapsed(), Of: u.ref, Kind: report.Ended, Result: &u.result})
}

func state(s plan.State) report.State {
	return report.State{TaskDefinition: fleet.ARN(s.TaskDefinition).Name(), Images: s.Images, Desired: s.Desired}
}
