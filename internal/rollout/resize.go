package rollout

import (
	"context"
	"fmt"
	"slices"

	"ecs-fleet/internal/fleet"
	"ecs-fleet/internal/plan"
	"ecs-fleet/internal/report"
)

// A deploy that changes the number of tasks as well does the two one after the
// other, such that less capacity than before never runs: more tasks come before
// the deployment, fewer after it. Half as many tasks of twice the size are so
// first as many as before.

// scales tells whether the run scales and deploys nothing.
func (r *Rollout) scales() bool { return r.options.Scaling != nil && !r.options.Scaling.Deploys }

// addScale puts the steps of the scale before or behind those of the deployment.
func (r *Rollout) addScale(u *unit) error {
	if !r.countAsked(u) {
		return nil
	}
	deploy := u.plan
	if err := r.planScale(u); err != nil {
		return err
	}
	scale := u.plan
	u.plan = both(deploy, scale)
	// A deployment in progress is waited for once, and then all is planned anew.
	if settles := slices.ContainsFunc(deploy.Steps, func(s plan.Step) bool { _, is := s.(plan.Settle); return is }); settles || deploy.Refuse != "" || scale.Skip != "" {
		return nil
	}
	steps := []plan.Step{}
	for _, step := range scale.Steps {
		if _, only := step.(plan.Await); !only {
			steps = append(steps, step)
		}
	}
	if more := scale.To.Desired > scale.From.Desired; more {
		u.plan.Steps, u.plan.Undo = slices.Concat(steps, deploy.Steps), slices.Concat(deploy.Undo, scale.Undo)
	} else {
		u.plan.Steps, u.plan.Undo = slices.Concat(deploy.Steps, steps), slices.Concat(scale.Undo, deploy.Undo)
	}
	if len(steps) > 0 {
		u.plan.Skip = ""
	}
	return nil
}

// countAsked tells whether a deploy is to change the number of tasks of the
// service as well.
func (r *Rollout) countAsked(u *unit) bool {
	if r.options.Scaling == nil {
		return false
	}
	_, asked := r.options.Scaling.Counts[u.ref]
	return asked
}

// both is the plan of a deployment with what is said of the scale.
func both(deploy, scale plan.Plan) plan.Plan {
	deploy.To.Desired, deploy.Scaling = scale.To.Desired, scale.Scaling
	for _, w := range scale.Warnings {
		if !slices.Contains(deploy.Warnings, w) {
			deploy.Warnings = append(deploy.Warnings, w)
		}
	}
	return deploy
}

// resize deploys and scales one service.
func (r *Rollout) resize(ctx context.Context, u *unit) ending {
	if e, over := settled(u); over && e.status != report.Unchanged {
		return e
	}
	if s, _ := u.last(); r.options.Scaling.Counts[u.ref].Of(s.Desired) <= s.Desired {
		e := r.renew(ctx, u)
		if e.status != report.Deployed && e.status != report.Unchanged {
			u.plan.To.Desired, u.plan.Scaling = u.plan.From.Desired, nil // it was not scaled
			return e
		}
		return r.thenScale(ctx, u, e)
	}
	u.registration.wait(ctx) // which reads the plan
	if e := r.rescale(ctx, u); e.status != report.Scaled && e.status != report.Unchanged {
		return e
	}
	u.counted = &fleet.Count{N: u.plan.To.Desired} // the number is there now
	u.grown = u.began.Load()
	e := r.renew(ctx, u)
	if e.status == report.Unchanged && u.began.Load() {
		e.status, e.reason = report.Scaled, ""
	}
	return e
}

// grownFor warns of a deployment that failed after tasks were added for it: a
// rollback takes the revision back, and leaves the capacity.
func (u *unit) grownFor(e ending) []string {
	if !u.grown || !e.status.Broken() {
		return nil
	}
	return []string{fmt.Sprintf("the tasks that were added before the deployment stay (%d are wanted): command scale with restore: true puts the number back", u.counted.N)}
}

// count settles what a relative number comes to: it counts from what is there
// before the deployment. Once that is done, the autoscaler finds the larger
// tasks idle and takes some away, and half of the rest would be too few.
func (r *Rollout) count(u *unit, s fleet.Service) {
	if r.countAsked(u) && u.counted == nil {
		u.counted = &fleet.Count{N: r.options.Scaling.Counts[u.ref].Of(s.Desired)}
	}
}

// thenScale takes tasks away after a deployment.
func (r *Rollout) thenScale(ctx context.Context, u *unit, deployed ending) ending {
	r.resume(ctx, u, deployed)
	e := r.rescale(ctx, u)
	switch {
	case e.status == report.Unchanged:
		return deployed
	case e.status == report.Scaled && deployed.status == report.Deployed:
		e.status = report.Deployed
	case e.status != report.Scaled && deployed.status == report.Deployed:
		e.reason = fmt.Sprintf("deployed, and then not scaled: %s", e.reason)
	}
	return e
}

// rescale is scale in the middle of a deploy, whose plan it keeps.
func (r *Rollout) rescale(ctx context.Context, u *unit) ending {
	deploy := u.plan
	e := r.scale(ctx, u)
	u.plan = both(deploy, u.plan)
	return e
}
