package rollout

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"

	"ecs-fleet/internal/fleet"
	"ecs-fleet/internal/plan"
	"ecs-fleet/internal/report"
)

// registering is how many registrations of one account and Region are under way
// at once. More than the burst of the quota (20), so that the bucket is never
// idle; not all of them, so that the order of the waves is kept.
const registering = 32

// future is a registration that was begun ahead.
type future struct {
	before *future       // of the same family, which comes first: AWS takes one at a time
	done   chan struct{} // closed when the two below are set
	arn    fleet.ARN
	err    error
}

// wait blocks until the registration has ended or ctx has. A nil future has
// ended.
func (f *future) wait(ctx context.Context) {
	if f == nil {
		return
	}
	select {
	case <-f.done:
	case <-ctx.Done():
	}
}

// registerAhead begins all registrations in the order of the waves: the next
// wave's revisions are there when it begins, and the quota that everything
// waits for is never idle. The function that it returns gives up those that
// have not been begun, and blocks until all have ended.
func (r *Rollout) registerAhead(ctx context.Context, waves [][][]*unit) (abandon func()) {
	ctx, cancel := context.WithCancel(ctx)
	queues, families := make(map[place][]*unit), make(map[family]*future)
	turn := 0
	for _, wave := range waves {
		for _, units := range wave {
			for _, u := range units {
				if _, ok := registration(u.plan); ok && u.err == nil {
					turn++
					u.turn = turn
					u.registration = &future{before: families[familyOf(u)], done: make(chan struct{})}
					families[familyOf(u)] = u.registration
					queues[placeOf(u)] = append(queues[placeOf(u)], u)
				}
			}
		}
	}
	var all errgroup.Group
	for _, queue := range queues {
		all.Go(func() error {
			var some errgroup.Group
			some.SetLimit(registering)
			for _, u := range queue {
				some.Go(func() error {
					defer close(u.registration.done)
					u.registration.before.wait(ctx)
					step, _ := registration(u.plan)
					u.registration.arn, u.registration.err = r.register(ctx, u, step)
					return nil
				})
			}
			return some.Wait()
		})
	}
	return func() {
		cancel()
		_ = all.Wait() // never an error: each future has its own
	}
}

func (r *Rollout) register(ctx context.Context, u *unit, step plan.Register) (fleet.ARN, error) {
	r.note(u, report.Waiting, "waiting for its turn to register")
	ctx, cancel := r.writing(ctx)
	defer cancel()
	arn, err := faultless(func() (fleet.ARN, error) { return u.client.Register(ctx, step.Draft, u.turn) })
	if err == nil {
		r.note(u, report.Note, "registered %s", arn.Name())
	}
	return arn, err
}

// Demand is how many writes the plans ask of one account and Region.
type Demand struct {
	Account                fleet.AccountID
	Region                 fleet.Region
	Registrations, Updates int
	CodeDeployments        int // in place of updates, where CodeDeploy replaces the tasks
	Tags, ScalingWrites    int
}

// addScaling counts what a step of a scale asks.
func (d *Demand) addScaling(step plan.Step) {
	switch step := step.(type) {
	case plan.SetDesired:
		d.Updates++
	case plan.Record, plan.Forget:
		d.Tags++
	case plan.ScheduleEnd:
		d.ScalingWrites++
		if step.Pin != nil {
			d.ScalingWrites++
		}
	case plan.SetBounds, plan.Unschedule, plan.RemoveTarget:
		d.ScalingWrites++
	}
}

// Demands are what the plans will ask of AWS's scarcest quotas, in the fleet's
// order. Call it after Inspect.
func (r *Rollout) Demands() []Demand {
	var all []Demand
	at := make(map[place]int)
	drafts := make(map[string]bool)
	for _, u := range r.sound() {
		i, found := at[placeOf(u)]
		if !found {
			i = len(all)
			at[placeOf(u)] = i
			all = append(all, Demand{Account: u.client.Account, Region: u.client.Region})
		}
		for _, step := range u.plan.Steps {
			switch step := step.(type) {
			case plan.Register:
				id := fmt.Sprint(placeOf(u), step.Draft.Base.Family, step.Draft.Key)
				if !drafts[id] { // equal drafts are registered once
					drafts[id] = true
					all[i].Registrations++
				}
			case plan.Deploy:
				if step.Suspend { // and back
					all[i].Tags += 2
					all[i].ScalingWrites += 2
				}
				if u.plan.Strategy == "codedeploy" {
					all[i].CodeDeployments++
				} else {
					all[i].Updates++
				}
			default:
				all[i].addScaling(step)
			}
		}
	}
	return all
}

// registration is the plan's Register step, when the service need not settle
// first: what it starts from may change while it does.
func registration(p plan.Plan) (plan.Register, bool) {
	for _, step := range p.Steps {
		switch step := step.(type) {
		case plan.Settle:
			return plan.Register{}, false
		case plan.Register:
			return step, true
		}
	}
	return plan.Register{}, false
}

// place is an account and Region: what shares quotas.
type place struct {
	account fleet.AccountID
	region  fleet.Region
}

// family is what AWS registers revisions of one after the other.
type family struct {
	place place
	name  string
}

func familyOf(u *unit) family { return family{placeOf(u), u.draft.Base.Family} }

func placeOf(u *unit) place { return place{u.client.Account, u.client.Region} }
