package rollout

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"ecs-fleet/internal/cloud"
	"ecs-fleet/internal/fleet"
	"ecs-fleet/internal/plan"
	"ecs-fleet/internal/schedule"
)

// targetsFor is how long what was read of scalable targets is believed: bounds
// change by night and morning, and reading them anew is a call for fifty
// services.
const targetsFor = 5 * time.Minute

// scalable is what was read of a unit's autoscaling.
type scalable struct {
	target *fleet.ScalableTarget // nil: none
	at     time.Time             // when it was read
}

func (u *unit) autoscaling() *fleet.ScalableTarget {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.scalable.target
}

func (u *unit) setScalable(s scalable) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.scalable = s
}

// inspectScale is Inspect for a run of scale: no revision and no image is looked
// at.
func (r *Rollout) inspectScale(ctx context.Context) []string {
	r.enterAll(ctx)
	r.lookAtAll(ctx, exists, func(*unit) {})
	r.readTargets(ctx, r.sound())
	for _, u := range r.sound() {
		u.keep(r.planScale(u))
	}
	return r.mistakes()
}

// exists is all that scaling asks of a service: every deployment controller lets
// its desired count be set.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateService.html
func exists(s fleet.Service) error {
	if s.Status == "DRAINING" {
		return &mistake{fmt.Sprintf("service %q is being deleted", s.Name)}
	}
	return nil
}

// readTargets reads the autoscaling of services, for all of an account, Region
// and role together. What may not be read ends a service, except where nothing
// is to be done about it.
func (r *Rollout) readTargets(ctx context.Context, units []*unit) {
	byClient := make(map[*cloud.Client][]*unit)
	for _, u := range units {
		byClient[u.client] = append(byClient[u.client], u)
	}
	var mu sync.Mutex
	var all errgroup.Group
	all.SetLimit(looking)
	for client, units := range byClient {
		all.Go(func() error {
			notes, err := faultless(func() ([]string, error) { return r.readTargetsOf(ctx, client, units) })
			mu.Lock()
			defer mu.Unlock()
			for _, u := range units {
				u.keep(err)
			}
			r.notes = append(r.notes, notes...)
			return nil
		})
	}
	_ = all.Wait() // never an error: each unit has its own
}

func (r *Rollout) readTargetsOf(ctx context.Context, client *cloud.Client, units []*unit) (notes []string, err error) {
	services := make([]cloud.Scalable, len(units))
	for i, u := range units {
		services[i] = cloud.ScalableOf(u.env.Cluster, u.spec.ECSName)
	}
	now := time.Now()
	for _, u := range units {
		u.setScalable(scalable{at: now})
	}
	targets, err := client.ScalableTargets(ctx, services)
	if cloud.Denied(err) && r.options.Scaling.Autoscaling == "ignore" {
		return []string{fmt.Sprintf("autoscaling was not looked at: %v", err)}, nil
	}
	if err != nil {
		return nil, err
	}
	services = slices.DeleteFunc(services, func(s cloud.Scalable) bool { _, has := targets[s]; return !has })
	actions, policies, notes, err := r.movers(ctx, client, services)
	if err != nil {
		return nil, err
	}
	for _, u := range units {
		s := cloud.ScalableOf(u.env.Cluster, u.spec.ECSName)
		found := scalable{at: now}
		if t, has := targets[s]; has {
			t.Actions, t.Policies, t.Unread = actions[s], policies[s], len(notes) > 0
			found.target = &t
		}
		u.setScalable(found)
	}
	return notes, nil
}

// movers reads what moves the bounds, and the tasks inside them. A temporary
// scale cannot do without; another one says that it does not know.
func (r *Rollout) movers(ctx context.Context, client *cloud.Client, services []cloud.Scalable) (map[cloud.Scalable][]fleet.ScheduledAction, map[cloud.Scalable][]fleet.ScalingPolicy, []string, error) {
	if len(services) == 0 {
		return nil, nil, nil, nil
	}
	var notes []string
	needed := r.options.Scaling.For > 0 || r.options.Scaling.Restore
	actions, err := client.ScheduledActions(ctx, services)
	if err != nil && (needed || !cloud.Denied(err)) {
		return nil, nil, nil, err
	}
	if err != nil {
		notes = append(notes, fmt.Sprintf("what is scheduled is not known: %v", err))
	}
	policies, err := client.ScalingPolicies(ctx, services)
	if err != nil && (needed || !cloud.Denied(err)) {
		return nil, nil, nil, err
	}
	if err != nil {
		notes = append(notes, fmt.Sprintf("scaling policies are not known: %v", err))
	}
	return actions, policies, notes, nil
}

// rereadTargets reads the autoscaling of a unit again when it was read too long
// ago, and that of its neighbours with it.
func (r *Rollout) rereadTargets(ctx context.Context, u *unit) error {
	r.rereading.Lock()
	defer r.rereading.Unlock()
	u.mu.Lock()
	old := r.since(u.scalable.at) > targetsFor
	u.mu.Unlock()
	if !old {
		return nil
	}
	var neighbours []*unit
	for _, other := range r.units {
		if other.client == u.client && (other == u || !other.began.Load()) {
			neighbours = append(neighbours, other)
		}
	}
	_, err := r.readTargetsOf(ctx, u.client, neighbours) // what may not be read was said before
	return err
}

// comingWeek is how far ahead scheduled actions are looked for, which are told
// as what comes next.
const comingWeek = 7 * 24 * time.Hour

// outlook works out what schedules will do to a service that is scaled now for
// a while (0: for good).
func outlook(target *fleet.ScalableTarget, before *fleet.Before, now time.Time, lasts time.Duration) fleet.Outlook {
	o := fleet.Outlook{Now: now}
	soon, horizon := now.Add(24*time.Hour), now.Add(comingWeek)
	if lasts > 0 {
		// Schedules know minutes.
		o.Until = now.Add(lasts + time.Minute - time.Nanosecond).Truncate(time.Minute)
		soon, horizon = o.Until, o.Until
	}
	if target == nil {
		return o
	}
	theirs := slices.DeleteFunc(slices.Clone(target.Actions), plan.Ours)
	base, since := target.Bounds, now
	if before != nil && before.Bounds != nil {
		runs, _ := schedule.Runs(theirs, before.At, now)
		o.Before = schedule.Apply(runs, *before.Bounds)
		if before.Until.After(now) { // the first one's originals are what the end goes back to
			base = o.Before
		}
	}
	if lasts > 0 {
		runs, _ := schedule.Runs(theirs, since, o.Until)
		o.AtEnd = schedule.Apply(runs, base)
	}
	if target.Suspended.Scheduled {
		return o
	}
	coming := target.Actions
	if lasts > 0 {
		coming = theirs // ours are replaced
	}
	o.Runs, o.Unread = schedule.Runs(coming, now, horizon)
	for _, run := range o.Runs {
		if !run.At.After(soon) {
			o.Soon++
		}
	}
	return o
}
