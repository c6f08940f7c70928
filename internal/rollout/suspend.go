package rollout

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"ecs-fleet/internal/cloud"
	"ecs-fleet/internal/fleet"
	"ecs-fleet/internal/report"
)

// A deploy can hold dynamic scaling while a service's deployment runs. What was
// suspended before is first written into a tag of the service, so that a run that
// is killed leaves behind what the next one needs to put it back.

// held is a service's scaling that is to be put back once the service has ended.
type held struct {
	before fleet.Suspension
	ours   bool // this run has suspended it, else a run that was killed
}

// lastWrites is how long a run that is cancelled still puts scaling back, in real
// time: the runner kills it 7.5 s after the first signal.
// https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-cancellation
const lastWrites = 4 * time.Second

// inspectSuspended reads the scalable targets of the services, where their
// scaling is to be held.
func (r *Rollout) inspectSuspended(ctx context.Context) {
	if !r.options.Suspend {
		return
	}
	byClient := make(map[*cloud.Client][]*unit)
	for _, u := range r.sound() {
		if !r.countAsked(u) { // else it is read already
			byClient[u.client] = append(byClient[u.client], u)
		}
	}
	var all errgroup.Group
	all.SetLimit(looking)
	for client, units := range byClient {
		all.Go(func() error {
			_, err := faultless(func() (any, error) { return nil, r.readSuspended(ctx, client, units) })
			for _, u := range units {
				u.keep(err)
			}
			return nil
		})
	}
	_ = all.Wait() // never an error: each unit has its own
}

func (r *Rollout) readSuspended(ctx context.Context, client *cloud.Client, units []*unit) error {
	services := make([]cloud.Scalable, len(units))
	for i, u := range units {
		services[i] = cloud.ScalableOf(u.env.Cluster, u.spec.ECSName)
	}
	targets, err := client.ScalableTargets(ctx, services)
	for i, u := range units {
		if t, has := targets[services[i]]; has {
			u.setScalable(scalable{target: &t, at: time.Now()})
		}
	}
	return err
}

// holds tells whether the service's scaling is to be held while it is deployed.
// Where it is suspended already, nothing is to be done.
func (r *Rollout) holds(u *unit) bool {
	t := u.autoscaling()
	return r.options.Suspend && t != nil && !(t.Suspended.In && t.Suspended.Out)
}

// hold suspends dynamic scaling of a service whose deployment is about to start.
// AWS moves the number of tasks into the bounds with every change of a target:
// where it is outside, the target is not touched.
// https://docs.aws.amazon.com/autoscaling/application/APIReference/API_RegisterScalableTarget.html
func (r *Rollout) hold(ctx context.Context, u *unit, s fleet.Service) error {
	if !r.holds(u) || u.held != nil && u.held.ours {
		return nil
	}
	target := u.autoscaling()
	if target.Clamp(s.Desired) != s.Desired {
		u.plan.Warnings = append(u.plan.Warnings, fmt.Sprintf("dynamic scaling was not suspended: the desired count of %d is outside the bounds %s, and AWS would move it there", s.Desired, target.Bounds))
		return nil
	}
	if u.held == nil {
		u.held = &held{before: target.Suspended}
		if err := u.client.TagService(ctx, s.ARN, fleet.SuspendedTag, target.Suspended.String()); cloud.Denied(err) || cloud.Unsupported(err) {
			u.held = nil // nothing was written
			return err
		} else if err != nil {
			u.held.ours = true // the answer may be lost
			return err
		}
	}
	u.held.ours = true
	flags := fleet.Suspension{In: true, Out: true, Scheduled: u.held.before.Scheduled}
	err := u.client.SetScaling(ctx, cloud.ScalableOf(u.env.Cluster, u.spec.ECSName), nil, nil, &flags)
	if cloud.Denied(err) {
		u.held = nil
		_ = u.client.UntagService(ctx, s.ARN, fleet.SuspendedTag) // the error that counts is the other one
	}
	if err != nil {
		return err
	}
	r.note(u, report.Note, "suspended dynamic scaling for the deployment")
	return nil
}

// found remembers that a run that was killed has left the service's scaling
// suspended.
func (u *unit) found() {
	if s, _ := u.last(); s.Suspended != nil && u.plan.Refuse == "" {
		u.held = &held{before: *s.Suspended}
	}
}

// resume puts the service's scaling back, also when the run was cancelled. That
// it cannot is no failure of the deployment, but a warning with what to do.
func (r *Rollout) resume(ctx context.Context, u *unit, e ending) {
	h := u.held
	if h == nil || !h.ours && e.status == report.NotStarted {
		return
	}
	u.held = nil
	ctx, done := r.lastly(ctx)
	defer done()
	was, err := faultless(func() (bool, error) { return r.resumed(ctx, u, h) })
	switch {
	case err != nil:
		u.plan.Warnings = append(u.plan.Warnings, fmt.Sprintf("dynamic scaling is still suspended, since it could not be restored: %v; the next deploy of the service restores it, or by hand: %s", err, u.resumeByHand(h.before)))
	case !h.ours && was:
		u.plan.Warnings = append(u.plan.Warnings, "an earlier run had ended before it could restore dynamic scaling: restored now, suspended: "+h.before.String())
	case was:
		r.note(u, report.Note, "restored dynamic scaling, suspended: %s", h.before)
	}
}

// resumed puts the scaling back and removes the record. It is false where there
// is no scalable target any more.
func (r *Rollout) resumed(ctx context.Context, u *unit, h *held) (bool, error) {
	of, has := cloud.ScalableOf(u.env.Cluster, u.spec.ECSName), true
	if !h.ours {
		targets, err := u.client.ScalableTargets(ctx, []cloud.Scalable{of})
		if err != nil {
			return false, err
		}
		_, has = targets[of]
	}
	if has {
		if err := u.client.SetScaling(ctx, of, nil, nil, &h.before); err != nil {
			return false, err
		}
	}
	s, _ := u.last()
	if err := u.client.UntagService(ctx, s.ARN, fleet.SuspendedTag); err != nil {
		r.note(u, report.Note, "the record of what was suspended stays: %v", err)
	}
	return has, nil
}

// lastly is a context for what has to be done at the end of a service: the run's
// end leaves it lastWrites.
func (r *Rollout) lastly(ctx context.Context) (context.Context, context.CancelFunc) {
	within, cancel := r.writing(context.WithoutCancel(cloud.First(ctx)))
	stop := context.AfterFunc(ctx, func() {
		select {
		case <-time.After(lastWrites):
			cancel()
		case <-within.Done():
		}
	})
	return within, sync.OnceFunc(func() { stop(); cancel() })
}

// resumeByHand is the command that puts a service's scaling back.
func (u *unit) resumeByHand(s fleet.Suspension) string {
	of := cloud.ScalableOf(u.env.Cluster, u.spec.ECSName)
	return fmt.Sprintf("aws application-autoscaling register-scalable-target --region %s --service-namespace ecs --scalable-dimension ecs:service:DesiredCount --resource-id service/%s/%s --suspended-state DynamicScalingInSuspended=%t,DynamicScalingOutSuspended=%t,ScheduledScalingSuspended=%t",
		u.env.Region, of.Cluster, of.Service, s.In, s.Out, s.Scheduled)
}
