package rollout

import (
	"context"

	"ecs-fleet/internal/fleet"
	"ecs-fleet/internal/plan"
)

// strategy is what differs between the ways in which AWS replaces a service's
// tasks; the one lifecycle (lifecycle.go) and its one loop (follow.go) serve all
// of them. Whoever wants a service to run another revision, forward or back,
// calls deploy; whoever wants a deployment under way to end, and the revision
// before it to take over again, calls stop and goes on to watch until the
// verdict. All methods block as long as AWS takes, and return ctx's cause when
// it ends.
type strategy interface {
	// start makes the service, which looks like seen, run the step's revision.
	// began is false when AWS saw nothing to change. cloud.Unknown(err): nobody
	// knows whether it began.
	start(ctx context.Context, u *unit, seen fleet.Service, step plan.Deploy) (t tracked, began bool, err error)
	// look waits for the next snapshot of the deployment and judges it.
	look(ctx context.Context, u *unit, t *tracked) (verdict, error)
	// stop ends the deployment with a rollback to the revision before it. One
	// that has ended already is left alone, without error: the next look tells
	// how it ended, and after a success only another deploy leads back.
	stop(ctx context.Context, u *unit, t *tracked) error
	// standing is where a deployment of ours stands, as AWS shows the service now
	// (for CodeDeploy: and its group), and the revision that the service runs or
	// is to run. before is what ran before it.
	standing(t tracked, now fleet.Service, before fleet.ARN) (standing, fleet.ARN)
	// makeWay ends what somebody else's deployment is doing, so that another one
	// can begin soon.
	makeWay(ctx context.Context, u *unit, step plan.Settle) error
	// free waits for the next look, and tells whether that deployment is over.
	free(ctx context.Context, u *unit, step plan.Settle) (bool, error)
}

// strategy is the one of the unit's service.
func (r *Rollout) strategy(u *unit) strategy {
	if s, _ := u.last(); s.Controller == "CODE_DEPLOY" {
		return byCodeDeploy{r}
	}
	return byECS{r}
}

// standing is where a deployment of ours stands.
type standing int

const (
	inProgress  standing = iota // it, or its rollback
	ended                       // the service runs what it has deployed
	ineffective                 // nothing of it shows
	returned                    // the service runs what it ran before, or is on its way there
	replaced                    // somebody else has deployed something else
)
