package rollout

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"ecs-fleet/internal/cloud"
	"ecs-fleet/internal/fleet"
	"ecs-fleet/internal/plan"
)

// formerly is the revision that the command rollback returns a service to: that
// of its last successful deployment before the newest, or the newest revision
// with the images that the user wants. It stays the same when the service is
// planned again, whatever has ended there meanwhile.
func (r *Rollout) formerly(ctx context.Context, u *unit, base fleet.TaskDefinition) (fleet.Draft, error) {
	to := u.returns
	if to.ARN == "" {
		edits, err := r.options.Images.Edits(u.spec, base)
		switch {
		case err != nil:
			return fleet.Draft{}, &mistake{err.Error()}
		case len(edits) > 0:
			to, err = r.withImages(ctx, u, base, edits)
		default:
			to, err = r.previous(ctx, u, base)
		}
		if err != nil {
			return fleet.Draft{}, err
		}
	}
	u.returns = to
	d := fleet.Draft{Base: base, Images: to.Images(), Edits: to.Images(), Equal: to.ARN}
	maps.DeleteFunc(d.Edits, func(name, image string) bool { return base.Images()[name] == image })
	return d, nil
}

// withImages is the newest ACTIVE revision that has the images.
func (r *Rollout) withImages(ctx context.Context, u *unit, base fleet.TaskDefinition, images map[string]string) (fleet.TaskDefinition, error) {
	to, err := u.client.Active(ctx, base.Family, func(d fleet.TaskDefinition) bool {
		for container, image := range images {
			if d.Images()[container] != image {
				return false
			}
		}
		return true
	})
	if err == nil && to.ARN == "" {
		container := slices.Sorted(maps.Keys(images))[0]
		return to, &mistake{fmt.Sprintf("no ACTIVE revision of task definition %q, among the newest, has %s in container %q; use command deploy, which registers one", base.Family, images[container], container)}
	}
	return to, err
}

// previous is the revision of the last successful deployment before the newest
// one; where AWS knows of none, the ACTIVE revision before.
func (r *Rollout) previous(ctx context.Context, u *unit, base fleet.TaskDefinition) (fleet.TaskDefinition, error) {
	arn, err := u.lastBefore(ctx)
	if err != nil && !cloud.Unsupported(err) {
		return fleet.TaskDefinition{}, err
	}
	if arn == "" {
		unknown := "AWS knows of no earlier successful deployment"
		if err != nil {
			unknown = fmt.Sprintf("its deployments cannot be read (%v)", err)
		}
		to, err := u.client.Active(ctx, base.Family, func(d fleet.TaskDefinition) bool { return d.Revision < base.Revision })
		if err == nil && to.ARN == "" {
			return to, &mistake{fmt.Sprintf("there is nothing to return to: %s, and task definition %q has no ACTIVE revision before %s", unknown, base.Family, base.ARN.Name())}
		}
		u.guessed = unknown
		return to, err
	}
	to, err := u.client.TaskDefinition(ctx, arn)
	if _, gone := errors.AsType[*cloud.MissingError](err); gone || err == nil && to.Status != "ACTIVE" {
		return to, &mistake{fmt.Sprintf("%s, which the last successful deployment before had, is no longer ACTIVE, and no update may name it; give an image-tag to return to, or use command deploy", arn.Name())}
	}
	return to, err
}

// lastBefore is the revision of the last successful deployment before the newest
// one; empty when AWS knows of none.
func (u *unit) lastBefore(ctx context.Context) (fleet.ARN, error) {
	s, _ := u.last()
	if s.Controller != "CODE_DEPLOY" {
		return u.client.Previous(ctx, u.env.Cluster, u.spec.ECSName)
	}
	if made := s.Primary().External; made != "" {
		return u.client.PreviousByCodeDeploy(ctx, made)
	}
	return "", nil // CodeDeploy has never deployed it
}

// warnOfGuess tells where the revision to return to was not found among the
// service's deployments.
func (u *unit) warnOfGuess() {
	if u.guessed != "" && u.plan.Skip == "" {
		u.plan.Warnings = append(u.plan.Warnings, fmt.Sprintf("%s: %s is the ACTIVE revision before", u.guessed, u.returns.ARN.Name()))
	}
}

// returnedByStop tells whether the plan has nothing left to do since stopping the
// deployment in progress has returned the service already.
func (u *unit) returnedByStop() bool {
	s, _ := u.last()
	return u.began.Load() && u.returns.ARN != "" && s.Primary().TaskDefinition == u.returns.ARN && !plan.InProgress(s)
}
