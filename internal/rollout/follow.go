package rollout

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"ecs-fleet/internal/cloud"
	"ecs-fleet/internal/fleet"
	"ecs-fleet/internal/report"
	"ecs-fleet/internal/watch"
)

// tracked is a deployment of ours that is being followed.
type tracked struct {
	service  fleet.Service // as last seen
	previous fleet.ARN     // the service deployment before ours
	arn      fleet.ARN     // of our service deployment; empty: not known yet
	byList   bool          // service deployments cannot be read: judge by DescribeServices
	mine     mine
	doing    string
	at       time.Time // of the last look that succeeded; zero: there was none
	trouble  error     // why the last look failed; nil: it did not
	missing  int       // looks in a row that did not show the service
	last     fleet.ServiceDeployment
}

// running is how many tasks the service ran when it was last seen, old and new.
func (t tracked) running() int {
	if t.last.ARN != "" {
		return t.last.Running + t.last.SourceRunning
	}
	return t.service.Running
}

// follow watches a deployment until it has ended or its time has.
func (r *Rollout) follow(ctx context.Context, u *unit, t tracked) ending {
	if r.options.WaitFor == "started" {
		return ending{status: report.Deployed, running: t.service.Running, reason: "started and not waited for (wait-for: started)"}
	}
	timeout := r.timeout(u)
	within, cancel := context.WithTimeout(ctx, r.real(timeout))
	defer cancel()
	r.pause(within, firstPoll)
	for {
		v, err := r.snapshot(within, u, &t)
		if err == nil {
			t.at, t.trouble = time.Now(), nil
		}
		switch {
		// An end that was seen is one, also in the moment when the time is up.
		case err == nil && v.over && v.status == report.Deployed:
			return r.finish(ctx, within, u, t, timeout)
		case err == nil && v.over:
			return r.diagnosed(ctx, u, t, v)
		case ctx.Err() != nil:
			return r.cancelled(t)
		case within.Err() != nil:
			return r.timedOut(ctx, u, t, timeout)
		case cloud.Denied(err):
			return r.unwatched(t, err)
		case err != nil: // AWS has trouble of its own: the deployment goes on, and so does watching it
			t.trouble = err
		case v.doing != t.doing:
			t.doing = v.doing
			r.note(u, report.Waiting, "%s", v.doing)
		}
	}
}

// snapshot looks once, by service deployment where there are any.
func (r *Rollout) snapshot(ctx context.Context, u *unit, t *tracked) (verdict, error) {
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

// finish ends a deployment that has succeeded, and waits for the service to be
// stable where the user wants that.
func (r *Rollout) finish(ctx, within context.Context, u *unit, t tracked, timeout time.Duration) ending {
	running, desired := t.service.Running, t.service.Desired
	if t.last.Requested > 0 {
		running, desired = t.last.Running, t.last.Requested
	}
	if r.options.WaitFor == "stable" {
		for {
			s, err := r.looks.service(within, u)
			switch {
			case ctx.Err() != nil:
				return ending{status: report.Cancelled, running: running, reason: "the run was cancelled; the deployment had succeeded, the service was not stable yet"}
			case within.Err() != nil:
				return ending{status: report.Failed, running: s.Running, reason: fmt.Sprintf("deployed, but not stable in %s: %s", report.Duration(timeout), unsteady(t.service))}
			case cloud.Denied(err):
				return r.unwatched(t, err)
			case t.deleted(s, err):
				return ending{status: report.Failed, running: s.Running, reason: "deployed, then the service has been deleted"}
			case err != nil:
				continue
			}
			t.service = s
			running, desired = s.Running, s.Desired
			if steady(s) && s.Primary().TaskDefinition == t.mine.wanted {
				break
			}
			if s.Primary().TaskDefinition != t.mine.wanted {
				return ending{status: report.Failed, running: s.Running, reason: fmt.Sprintf("deployed, then somebody else has deployed %s over it", s.Primary().TaskDefinition.Name())}
			}
			r.note(u, report.Waiting, "deployed, %s", unsteady(s))
		}
	}
	e := ending{status: report.Deployed, running: running, desired: &desired}
	if desired == 0 {
		e.reason = "unproven, since 0 tasks are desired"
	}
	return e
}

func unsteady(s fleet.Service) string {
	return fmt.Sprintf("%d of %d tasks run, %d pending, %d deployments", s.Running, s.Desired, s.Pending, len(s.Deployments))
}

// cancelled ends a service whose deployment goes on without the run.
func (r *Rollout) cancelled(t tracked) ending {
	doing := t.doing
	if doing == "" {
		doing = "just begun"
	}
	return ending{status: report.Cancelled, running: t.running(), reason: fmt.Sprintf("the run was cancelled (%s); ECS goes on with the deployment", doing)}
}

// unwatched ends a service whose deployment cannot be followed any more.
func (r *Rollout) unwatched(t tracked, err error) ending {
	return ending{status: report.Failed, running: t.running(), reason: fmt.Sprintf("the deployment was begun and its end is not known; ECS goes on with it: %v", err)}
}
