package rollout

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"ecs-fleet/internal/cloud"
	"ecs-fleet/internal/fleet"
	"ecs-fleet/internal/plan"
	"ecs-fleet/internal/report"
	"ecs-fleet/internal/watch"
)

// Scaling says what a run of scale wants of the services.
type Scaling struct {
	plan.Scale                                  // of all; its Count is not used
	Counts     map[fleet.ServiceRef]fleet.Count // a service that is not there keeps its number
	For        time.Duration                    // AWS puts the bounds back after it; 0: never
	Deploys    bool                             // images or sizes are changed as well: see resize.go
}

// asSeen is how old a look may be that a number of tasks is computed from.
const asSeen = 3 * time.Second

// scale takes one service to the number of tasks that is wanted. It is planned
// again from a look just before the first write: its wave may come an hour after
// the inspection, and somebody may have scaled it meanwhile.
func (r *Rollout) scale(ctx context.Context, u *unit) ending {
	if u.err != nil {
		e, _ := settled(u)
		return e
	}
	for {
		if err := r.planAnew(ctx, u); err != nil {
			return r.trouble(ctx, u, err)
		}
		if e, over := settled(u); over {
			return e
		}
		step, settles := u.plan.Steps[0].(plan.Settle)
		if !settles {
			return r.scaled(ctx, u)
		}
		if err := r.settle(ctx, u, step); err != nil {
			return r.trouble(ctx, u, err)
		}
		u.began.Store(false) // a deployment that was stopped is not what is timed
		u.accepted = time.Time{}
	}
}

func (r *Rollout) planAnew(ctx context.Context, u *unit) error {
	if _, err := r.glanceSince(ctx, u, time.Now().Add(-r.real(asSeen))); err != nil {
		return err
	}
	if err := r.rereadTargets(ctx, u); err != nil {
		return err
	}
	return r.planScale(u)
}

// planScale plans from what was seen last.
func (r *Rollout) planScale(u *unit) error {
	want := r.options.Scaling
	s, _ := u.last()
	in := plan.ScaleIn{
		Environment: u.env, Spec: u.spec, Seen: s, Target: u.autoscaling(), Before: s.Before, OnInProgress: r.options.OnInProgress, Scale: want.Scale,
	}
	if count, given := want.Counts[u.ref]; given {
		in.Count = &count
	}
	if u.counted != nil {
		in.Count = u.counted
	}
	in.Outlook = outlook(in.Target, in.Before, r.now(), want.For)
	p, err := plan.MakeScale(in)
	if err != nil {
		return &mistake{err.Error()}
	}
	u.plan = p
	return nil
}

// now is AWS's clock.
func (r *Rollout) now() time.Time { return r.began.Add(r.elapsed()) }

// scaled carries a plan out that does not wait for a deployment, and waits until
// the tasks run.
func (r *Rollout) scaled(ctx context.Context, u *unit) ending {
	before, _ := u.last()
	if ctx.Err() != nil {
		return r.trouble(ctx, u, ctx.Err())
	}
	r.note(u, report.Waiting, "waiting for its turn to scale")
	writing, done := r.writing(ctx)
	defer done()
	wrote := false
	for i, step := range u.plan.Steps {
		if _, only := step.(plan.Await); only {
			continue
		}
		if err := r.scaleStep(writing, u, before, step); err != nil {
			return r.halfScaled(ctx, u, i, err)
		}
		wrote = true
	}
	e := r.awaitTasks(ctx, u, before)
	if e.status == report.Scaled && !wrote {
		e.status = report.Unchanged
	}
	return e
}

// scaleStep carries one step out.
func (r *Rollout) scaleStep(ctx context.Context, u *unit, before fleet.Service, step plan.Step) error {
	of := cloud.ScalableOf(u.env.Cluster, u.spec.ECSName)
	switch step := step.(type) {
	case plan.Record:
		return r.recordBefore(ctx, u, before, step)
	case plan.SetBounds:
		minimum, maximum := &step.Bounds.Min, &step.Bounds.Max
		if step.From != nil && step.From.Bounds == step.Bounds {
			minimum, maximum = nil, nil
		}
		if err := u.client.SetScaling(ctx, of, minimum, maximum, step.Suspended); err != nil {
			return err
		}
		r.begun(u, step)
	case plan.ScheduleEnd:
		return r.scheduleEnd(ctx, u, of, step)
	case plan.SetDesired:
		if err := u.client.SetDesiredCount(ctx, u.env.Cluster, u.spec.ECSName, step.To); err != nil {
			return err
		}
		r.begun(u, step)
	case plan.Unschedule:
		return u.client.Unschedule(ctx, of, step.Name)
	case plan.RemoveTarget:
		return u.client.RemoveScalableTarget(ctx, of)
	case plan.Forget:
		return u.client.UntagService(ctx, before.ARN, fleet.BeforeTag)
	}
	return nil
}

// begun starts the clock of the time to capacity with the first write that moves
// tasks.
func (r *Rollout) begun(u *unit, step plan.Step) {
	if !u.began.Load() {
		u.accept()
	}
	r.note(u, report.Started, "%s", step)
}

// recordBefore keeps in AWS what was before. Traffic does not wait for a
// permission: where the record cannot be written, the scale goes on without.
func (r *Rollout) recordBefore(ctx context.Context, u *unit, s fleet.Service, step plan.Record) error {
	err := u.client.TagService(ctx, s.ARN, fleet.BeforeTag, step.Before.String())
	if cloud.Denied(err) || cloud.Unsupported(err) {
		u.plan.Warnings = append(u.plan.Warnings, fmt.Sprintf("what was before is not recorded, so that restore cannot put it back: %v", err))
		return nil
	}
	return err
}

// scheduleEnd has AWS end a temporary scale. Where tasks have to be moved as
// well, they are pinned first, and the bounds are put back a minute later, the
// shortest time that schedules tell apart.
func (r *Rollout) scheduleEnd(ctx context.Context, u *unit, of cloud.Scalable, step plan.ScheduleEnd) error {
	at := step.Outlook.Until
	if step.Pin == nil {
		return u.client.ScheduleOnce(ctx, of, plan.EndAction, at, &step.Bounds.Min, &step.Bounds.Max)
	}
	if err := u.client.ScheduleOnce(ctx, of, plan.EndAction, at, &step.Pin.Min, &step.Pin.Max); err != nil {
		return err
	}
	return u.client.ScheduleOnce(ctx, of, plan.BoundsAction, at.Add(time.Minute), &step.Bounds.Min, &step.Bounds.Max)
}

// halfScaled ends a service that an error stopped on its way, at the i-th step.
func (r *Rollout) halfScaled(ctx context.Context, u *unit, i int, err error) ending {
	e, step := r.trouble(ctx, u, err), u.plan.Steps[i]
	changed := slices.ContainsFunc(u.plan.Steps[:i], func(s plan.Step) bool { _, only := s.(plan.Record); return !only })
	u.plan.Undone(i)
	switch {
	case !changed:
		return e
	case ctx.Err() != nil:
		e.status, e.reason = report.Cancelled, fmt.Sprintf("the run was cancelled before it could %s", step)
	default:
		e.reason = fmt.Sprintf("not done: %s: %v", step, err)
	}
	e.reason += "; what came before it is done: run again, or put it back with restore: true"
	return e
}

// arrival is how far the tasks of a scaled service are.
type arrival struct {
	want   int
	before fleet.Service // before the first write
	strays int           // looks in a row that showed another desired count
	ran    time.Time     // when all tasks ran; zero: they do not yet
}

// awaitTasks waits until the tasks run that are wanted and, behind load
// balancers, are healthy.
func (r *Rollout) awaitTasks(ctx context.Context, u *unit, before fleet.Service) ending {
	a := arrival{want: u.plan.To.Desired, before: before}
	if r.options.WaitFor == "started" {
		return ending{status: report.Scaled, running: before.Running, reason: "set and not waited for (wait-for: started)"}
	}
	timeout := r.timeout(u, true)
	within, cancel := context.WithTimeout(ctx, r.real(timeout))
	defer cancel()
	if a.want > before.Running {
		r.pause(within, firstPoll)
	}
	doing := ""
	for {
		s, err := r.looks.service(within, u)
		switch {
		case ctx.Err() != nil:
			return r.notArrived(ctx, u)
		case within.Err() != nil:
			return r.tooFew(ctx, u, a, timeout)
		case errors.Is(err, watch.ErrMissing):
			return ending{status: report.Failed, reason: "the service has been deleted"}
		case cloud.Denied(err):
			return ending{status: report.Failed, running: before.Running, reason: fmt.Sprintf("scaled, but its tasks cannot be watched: %v", err)}
		case err != nil: // AWS has trouble of its own
			continue
		}
		if e, over := r.arrived(u, &a, s); over {
			return e
		}
		if now := a.doing(s); now != doing {
			doing = now
			r.note(u, report.Waiting, "%s", doing)
		}
	}
}

// arrived reads one look at a service that was scaled.
func (r *Rollout) arrived(u *unit, a *arrival, s fleet.Service) (ending, bool) {
	e := ending{status: report.Scaled, running: s.Running, desired: &s.Desired}
	a.strays++
	if s.Desired == a.want {
		a.strays = 0
	}
	switch {
	case a.strays > 1 && r.since(u.accepted) > visibleWithin || s.Desired > a.want && s.Running >= a.want:
		return r.moved(u, a, s), true
	case s.Desired != a.want || s.Running < a.want || a.before.Desired > a.want && s.Running > a.want:
		return e, false
	case a.ran.IsZero():
		a.ran = time.Now()
	}
	switch {
	case a.want <= a.before.Running || len(s.TargetGroups) == 0 || a.steady(s):
		return e, true
	case r.since(a.ran) > healthWithin:
		u.plan.Warnings = append(u.plan.Warnings, fmt.Sprintf("all tasks run, and ECS has not said within %s that they are healthy in their target groups: look there", report.Duration(healthWithin)))
		return e, true
	}
	return e, false
}

// healthWithin is how long after the last task's start ECS may take to find the
// service steady. Health checks take seconds to some minutes.
const healthWithin = 5 * time.Minute

// steady: ECS has found the service steady since it was scaled, which it does
// when all tasks are healthy in their target groups.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-event-messages-list.html
func (a *arrival) steady(s fleet.Service) bool {
	var last time.Time
	if len(a.before.Events) > 0 {
		last = a.before.Events[0].At
	}
	return slices.ContainsFunc(s.EventsSince(last), func(e fleet.ServiceEvent) bool { return strings.Contains(e.Text, "has reached a steady state") })
}

// moved ends a service whose desired count is no more what the run has set.
func (r *Rollout) moved(u *unit, a *arrival, s fleet.Service) ending {
	e := ending{status: report.Scaled, running: s.Running, desired: &s.Desired}
	text := fmt.Sprintf("the desired count was set to %d and is %d now: the autoscaler or somebody else has changed it", a.want, s.Desired)
	if s.Desired < a.want && r.options.Scaling.Autoscaling == "adjust" && !r.options.Scaling.Restore {
		e.status, e.reason = report.Failed, text
		return e
	}
	u.plan.Warnings = append(u.plan.Warnings, text)
	return e
}

func (a *arrival) doing(s fleet.Service) string {
	switch {
	case s.Desired != a.want:
		return fmt.Sprintf("waiting for AWS to show that %d tasks are wanted", a.want)
	case s.Running < a.want:
		return fmt.Sprintf("%d of %d tasks run, %d starting", s.Running, a.want, s.Pending)
	case s.Running > a.want:
		return fmt.Sprintf("%d tasks run, %d of them stopping", s.Running, s.Running-a.want)
	}
	return fmt.Sprintf("%d tasks run, health check", s.Running)
}

// notArrived ends a service whose tasks go on starting without the run.
func (r *Rollout) notArrived(ctx context.Context, u *unit) ending {
	if !u.began.Load() {
		return r.trouble(ctx, u, ctx.Err())
	}
	s, _ := u.last()
	return ending{status: report.Cancelled, running: s.Running, reason: fmt.Sprintf("the run was cancelled (%d of %d tasks run); ECS goes on", s.Running, u.plan.To.Desired)}
}

// tooFew ends a service whose tasks do not run in time, and says why.
func (r *Rollout) tooFew(ctx context.Context, u *unit, a arrival, timeout time.Duration) ending {
	ctx, cancel := context.WithTimeout(ctx, r.real(diagnosis))
	defer cancel()
	last, _ := u.last()
	primary := last.Primary()
	cause, details, s := r.causes(ctx, u, tracked{service: last, mine: mine{id: primary.ID, wanted: primary.TaskDefinition, before: primary.TaskDefinition}})
	reason := fmt.Sprintf("not scaled in %s: %d of %d tasks run", report.Duration(timeout), s.Running, a.want)
	if cause != "" {
		reason += ": " + strings.TrimSuffix(cause, ".")
	}
	return ending{status: report.Failed, running: s.Running, reason: reason + "; ECS goes on trying", details: details}
}
