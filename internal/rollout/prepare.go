package rollout

import (
	"context"
	"fmt"
	"sync"

	"golang.org/x/sync/errgroup"

	"ecs-fleet/internal/fleet"
	"ecs-fleet/internal/plan"
	"ecs-fleet/internal/report"
)

// Prepare registers every revision that the plans need, in the order of the
// waves, touches no service, and blocks until every service has ended. Nothing
// gates it: a revision that nobody runs hurts nobody.
func (r *Rollout) Prepare(ctx context.Context) {
	waves := r.waves()
	abandon := r.registerAhead(ctx, waves)
	defer abandon()
	var all sync.WaitGroup
	for _, wave := range waves {
		for _, units := range wave {
			all.Go(func() {
				for _, u := range units {
					r.end(u, r.prepared(ctx, u))
				}
				r.options.Emit(report.Event{After: r.elapsed(), Of: fleet.ServiceRef{Environment: units[0].env.Name}, Kind: report.EnvironmentEnded})
			})
		}
	}
	all.Wait()
}

func (r *Rollout) prepared(ctx context.Context, u *unit) ending {
	if e, over := settled(u); over {
		return e
	}
	for _, step := range u.plan.Steps {
		switch step := step.(type) {
		case plan.Register:
			arn, err := r.registered(ctx, u, step)
			if err != nil {
				return r.trouble(ctx, u, err)
			}
			u.plan.To.TaskDefinition = arn
		case plan.Leave:
			return ending{status: report.Planned, reason: fmt.Sprintf("prepared: %s is registered; deploy the same image to release it", u.plan.To.TaskDefinition.Name())}
		}
	}
	panic("a plan to prepare does not end in Leave")
}

// furtherBack is how many revisions more than there are services of a family are
// read to find prepared ones: a few versions may have been prepared and not
// released. Each read is a twentieth of a second of the quota for reads, and
// none is needed where a service runs the newest revision of its family.
const furtherBack = 3

// findPrepared looks for revisions that were registered ahead, for services
// that would have to register one.
func (r *Rollout) findPrepared(ctx context.Context, units []*unit) {
	sharing := make(map[family]int)
	for _, u := range units {
		sharing[familyOf(u)]++
	}
	var all errgroup.Group
	all.SetLimit(looking)
	for _, u := range units {
		if u.draft.Equal == "" {
			all.Go(func() error {
				arn, err := faultless(func() (fleet.ARN, error) {
					return u.client.Registered(ctx, u.draft, sharing[familyOf(u)]+furtherBack), nil
				})
				u.draft.Equal = arn
				u.keep(err)
				return nil
			})
		}
	}
	_ = all.Wait() // never an error: each unit has its own
}
