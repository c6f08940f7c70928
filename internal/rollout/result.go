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
		ended, baking := u.result.Load(), u.ending.Load()
		switch {
		case ended != nil:
			results[i] = *ended
		case baking != nil && r.bakeable(u, *baking):
			results[i] = u.row(ending{status: report.Cancelled, reason: "its deployment had succeeded and its wave had not baked when this was written"})
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

// end writes down how a service ended. What is taken back afterwards ends anew.
func (r *Rollout) end(u *unit, e ending) {
	u.ending.Store(&e)
	if e.goesOn != "" {
		e.reason = e.say(e.goesOn)
	}
	row := u.row(e)
	row.Strategy, row.From, row.To = u.plan.Strategy, state(u.plan.From), state(u.plan.To)
	row.Warnings, row.Containers = slices.Concat(u.plan.Warnings, u.grownFor(e)), slices.Sorted(maps.Keys(u.draft.Edits))
	row.Scaling = report.ScalingOf(u.plan.Scaling)
	if e.desired != nil {
		row.To.Desired = *e.desired
	}
	if !u.accepted.IsZero() {
		row.Duration = r.since(u.accepted)
	}
	if e.status == report.Planned {
		planned := report.FromPlan(u.plan)
		row.Steps, row.Undo = planned.Steps, planned.Undo
	}
	if unchanged := e.status == report.Planned || e.status == report.NotStarted; unchanged && u.plan.From.TaskDefinition != "" {
		s, _ := u.last() // what was seen runs still
		row.Running = s.Running
	}
	u.result.Store(&row)
	r.options.Emit(report.Event{After: r.elapsed(), Of: u.ref, Kind: report.Ended, Result: &row})
}

func state(s plan.State) report.State {
	return report.State{TaskDefinition: fleet.ARN(s.TaskDefinition).Name(), Images: s.Images, Desired: s.Desired}
}
