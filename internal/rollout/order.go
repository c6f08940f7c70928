package rollout

import (
	"context"
	"time"

	"ecs-fleet/internal/cloud"
	"ecs-fleet/internal/fleet"
	"ecs-fleet/internal/plan"
	"ecs-fleet/internal/report"
)

// reachedBy is the run that has last been at a service, as far as it has left a
// mark: on the revision that it registered, or on the service.
func (r *Rollout) reachedBy(ctx context.Context, u *unit, s fleet.Service) fleet.Run {
	runs, err := u.client.TaskDefinition(ctx, s.Primary().TaskDefinition)
	if err != nil {
		return s.Run // what cannot be read cannot be ordered
	}
	return plan.Newest(s.Run, runs.Run)
}

// marking bounds how long a mark may take: the deployment is under way already.
const marking = 10 * time.Second

// mark leaves the run's mark on a service that runs a revision which bears
// another run's, or none: it was there already, or its tags were refused.
func (r *Rollout) mark(ctx context.Context, u *unit, s fleet.Service, runs fleet.ARN) {
	revision, err := u.client.TaskDefinition(ctx, runs)
	if err != nil || revision.Run.Same(r.options.Run) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, r.real(marking))
	defer cancel()
	err = u.client.Mark(ctx, s.ARN)
	if cloud.Denied(err) {
		u.plan.Warnings = append(u.plan.Warnings, "this run's mark was refused, so an older run will not see that this one was here: allow ecs:TagResource for the service and for task definitions")
	}
	if err != nil {
		r.note(u, report.Note, "an older run will not see that this one was here: %v", err)
	}
}
