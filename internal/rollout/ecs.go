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

// byECS is the strategy of the ECS deployment controller, whether it rolls or
// shifts traffic: UpdateService begins a service deployment.
type byECS struct{ *Rollout }

func (r byECS) start(ctx context.Context, u *unit, seen fleet.Service, step plan.Deploy) (t tracked, began bool, err error) {
	answer, err := u.client.UpdateService(ctx, cloud.Update{
		Cluster: u.env.Cluster, Service: u.spec.ECSName, TaskDefinition: step.TaskDefinition, Force: step.Force, Before: seen.Primary().ID,
	})
	if err != nil {
		return tracked{}, false, err
	}
	primary := answer.Primary()
	if primary.ID == seen.Primary().ID {
		return tracked{service: answer}, false, nil // it runs this very revision already
	}
	u.plan.Warnings = append(u.plan.Warnings, replacedBySurprise(seen, answer)...)
	t = tracked{
		service: answer, previous: seen.Current, arn: answer.Current,
		mine: mine{id: primary.ID, wanted: step.TaskDefinition, before: seen.Primary().TaskDefinition},
	}
	if t.arn == seen.Current {
		t.arn = "" // not shown yet
	}
	return t, true, nil
}

// stop stops the service deployment. One that AWS has not shown yet is looked
// for first.
func (r byECS) stop(ctx context.Context, u *unit, t *tracked) error {
	for t.arn == "" || t.byList {
		s, err := r.looks.service(ctx, u)
		switch {
		case err != nil:
			return err
		case s.Primary().ID != t.mine.id:
			return nil // it is being replaced, or was
		case s.Current != "" && s.Current != t.previous:
			t.arn, t.byList = s.Current, false
		case s.Current == "":
			return errors.New("AWS shows no service deployment that could be stopped")
		}
	}
	return u.client.StopDeployment(ctx, t.arn)
}

func (r byECS) standing(t tracked, now fleet.Service, before fleet.ARN) (standing, fleet.ARN) {
	primary := now.Primary()
	switch {
	case primary.ID == t.replaces && t.mine.id != "": // ECS's own rollback makes the one before PRIMARY again
		return returned, before
	case primary.ID == t.replaces:
		return ineffective, primary.TaskDefinition
	case primary.ID != t.mine.id && primary.TaskDefinition == before && before != t.mine.wanted:
		return returned, before
	case primary.ID != t.mine.id:
		return replaced, primary.TaskDefinition
	case plan.InProgress(now):
		return inProgress, primary.TaskDefinition
	}
	return ended, primary.TaskDefinition
}

func (r byECS) makeWay(ctx context.Context, u *unit, step plan.Settle) error {
	return u.client.StopDeployment(ctx, step.Deployment)
}

func (r byECS) free(ctx context.Context, u *unit, _ plan.Settle) (bool, error) {
	s, err := r.looks.service(ctx, u)
	return err == nil && !plan.InProgress(s), err
}

// replacedBySurprise warns of deployments that somebody else began between the
// last look at the service and our update, which has replaced them: nothing
// before the update could show them, its answer does.
func replacedBySurprise(looked, answer fleet.Service) []string {
	var warnings []string
	for _, d := range answer.Deployments {
		known := slices.ContainsFunc(looked.Deployments, func(l fleet.Deployment) bool { return l.ID == d.ID })
		if d.Status != "PRIMARY" && !known && d.TaskDefinition != answer.Primary().TaskDefinition {
			warnings = append(warnings, fmt.Sprintf("somebody else had begun to deploy %s at the same moment, and this deployment has replaced it: see which one is wanted", d.TaskDefinition.Name()))
		}
	}
	return warnings
}

// look looks by service deployment where there are any.
func (r byECS) look(ctx context.Context, u *unit, t *tracked) (verdict, error) {
	if t.arn != "" && !t.byList {
		d, err := r.looks.deployment(ctx, u, t.arn)
		switch {
		case cloud.Unsupported(err):
			t.byList = true
			r.note(u, report.Note, "following the deployment by DescribeServices: %v", err)
		case errors.Is(err, watch.ErrMissing) && r.since(u.accepted) < visibleWithin:
			return verdict{doing: "waiting for AWS to show the deployment"}, nil
		case errors.Is(err, watch.ErrMissing):
			t.byList = true // AWS does not know it: the service tells why
		case err != nil:
			return verdict{}, err
		case !belongs(d, t.mine):
			// Somebody else's: it replaced ours before AWS showed ours.
			t.byList = true
		default:
			t.last = d
			v := judge(d)
			v.reached = !v.over && !v.failing && begun(d.Stage, r.options.WaitFor)
			if d.Requested > 0 || u.plan.From.Desired == 0 || v.failing || v.over && v.status != report.Deployed {
				return v, nil
			}
			// No task is wanted any more: scaled in meanwhile, or deleted, which
			// a service deployment does not tell; or AWS did not say how many.
			s, err := r.looks.service(ctx, u)
			if err == nil {
				t.service = s
			}
			if !t.deleted(s, err) {
				return v, err
			}
			return verdict{over: true, status: report.Failed, reason: "the service has been deleted"}, nil
		}
	}
	s, err := r.looks.service(ctx, u)
	if t.deleted(s, err) {
		return verdict{over: true, status: report.Failed, reason: "the service has been deleted"}, nil
	}
	if err != nil {
		return verdict{}, err
	}
	t.service = s
	if s.Current != "" && s.Current != t.previous && !t.byList {
		t.arn = s.Current
	}
	v := judgeService(s, t.mine)
	t.mine.sawDone = t.mine.sawDone || v.over && v.status == report.Deployed
	t.mine.wasSteady = steady(s)
	if unseen(s, t.mine) && r.since(u.accepted) < visibleWithin {
		return verdict{doing: "waiting for AWS to show the deployment"}, nil
	}
	return v, nil
}

// deleted reads a look at the service: a deleted one drains first, and then is
// not in the answer, or its cluster is gone, too. One answer without it proves
// nothing, since AWS may answer in part.
func (t *tracked) deleted(s fleet.Service, err error) bool {
	_, noCluster := errors.AsType[*cloud.MissingError](err)
	switch {
	case err == nil:
		t.missing = 0
		return s.Status == "DRAINING"
	case noCluster, errors.Is(err, watch.ErrMissing):
		t.missing++
	}
	return t.missing > 1
}

// visibleWithin is how long a describe may not show what an update has begun.
// ECS promises no bound, and advises to wait from seconds to minutes.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RunTask.html
const visibleWithin = time.Minute

// unseen: the list does not hold the deployment of ours at all.
func unseen(s fleet.Service, m mine) bool {
	for _, d := range s.Deployments {
		if d.ID == m.id {
			return false
		}
	}
	return true
}

// belongs tells whether a service deployment is the one behind "ecs-svc/…": the
// digits occur in its target revision's ARN. Where AWS writes it otherwise, the
// list of deployments decides.
func belongs(d fleet.ServiceDeployment, m mine) bool {
	digits := strings.TrimPrefix(m.id, "ecs-svc/")
	return d.TargetRevision == "" || strings.Contains(string(d.TargetRevision), digits)
}
