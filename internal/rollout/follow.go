package rollout

import (
	"context"
	"fmt"
	"time"

	"ecs-fleet/internal/cloud"
	"ecs-fleet/internal/fleet"
	"ecs-fleet/internal/report"
)

// tracked is a deployment of ours that is being followed.
type tracked struct {
	service  fleet.Service // as last seen
	sent     time.Time     // when the update that began it was
	replaces string        // id of the PRIMARY deployment before ours
	previous fleet.ARN     // the service deployment before ours
	arn      fleet.ARN     // of our service deployment; empty: not known yet
	byList   bool          // service deployments cannot be read: judge by DescribeServices
	mine     mine
	doing    string
	at       time.Time // of the last look that succeeded; zero: there was none
	trouble  error     // why the last look failed; nil: it did not
	missing  int       // looks in a row that did not show the service
	last     fleet.ServiceDeployment
	code     follows // where CodeDeploy deploys

	cannotStop bool   // it was tried
	patience   int    // failed tasks after which it is given up; 0: never
	hopeless   string // why it was given up
	back       bool   // on the way back, which is followed to its end whatever the user waits for
}

// running is how many tasks the service ran when it was last seen, old and new.
func (t tracked) running() int {
	if t.last.ARN != "" {
		return t.last.Running + t.last.SourceRunning
	}
	return t.service.Running
}

// starter is what AWS names in the tasks that the deployment has started.
func (t tracked) starter() string {
	if t.code.last.ID != "" {
		return t.code.target.Green
	}
	return t.mine.id
}

// follow watches a deployment until it has ended or its time has.
func (r *Rollout) follow(ctx context.Context, u *unit, t *tracked) ending {
	if r.options.WaitFor == "started" {
		return ending{status: report.Deployed, running: t.service.Running, reason: "started and not waited for (wait-for: started)"}
	}
	timeout := r.timeout(u, r.options.WaitFor == "stable")
	within, cancel := context.WithTimeout(ctx, r.real(timeout))
	defer cancel()
	r.pause(within, firstPoll)
	t.patience = r.options.MaxTaskFailures
	v, err := r.watch(within, u, t)
	t.patience = 0 // a rollback is waited for
	if t.hopeless != "" && v.reason != "" {
		v.reason = t.hopeless + ": " + v.reason
	}
	switch {
	case err == nil && v.reached:
		return ending{status: report.Deployed, running: t.running(), reason: fmt.Sprintf("%s; the deployment goes on (wait-for: %s)", v.doing, r.options.WaitFor)}
	// An end that was seen is one, also in the moment when the time is up.
	case err == nil && v.status == report.Deployed:
		return r.finish(ctx, within, u, *t, timeout)
	case err == nil:
		return r.diagnosed(u, *t, v)
	case ctx.Err() != nil:
		return r.cancelled(ctx, *t)
	case within.Err() != nil:
		return r.timedOut(u, *t, timeout)
	}
	return r.unwatched(*t, err)
}

// watch looks at a deployment until it is over, and returns the verdict. It
// returns an error when ctx ends, or when the deployment may not be looked at.
func (r *Rollout) watch(ctx context.Context, u *unit, t *tracked) (verdict, error) {
	for {
		v, err := r.strategy(u).look(ctx, u, t)
		if err == nil {
			t.at, t.trouble = time.Now(), nil
		}
		switch {
		case err == nil && (v.over || v.reached && !t.back):
			return v, nil
		case ctx.Err() != nil:
			return verdict{}, context.Cause(ctx)
		case cloud.Denied(err):
			return verdict{}, err
		case err != nil: // AWS has trouble of its own: the deployment goes on, and so does watching it
			t.trouble = err
		case v.doing != t.doing:
			t.doing = v.doing
			r.note(u, report.Waiting, "%s", v.doing)
		}
		if err == nil && !v.failing && t.patience > 0 {
			if v := r.despair(ctx, u, t); v.over {
				return v, nil
			}
		}
		if err == nil && !v.failing {
			r.rest(ctx, u, t)
		}
	}
}

const (
	// restPart is the part of the time that a deployment will still take on
	// purpose for which it is not looked at: an end is never slept through.
	restPart = 10
	// longestRest bounds how late a failure in a long bake is noticed.
	longestRest = 30 * time.Second
)

// rest leaves a deployment alone that cannot be done soon, since it bakes or
// shifts traffic step by step: its next look is worth more later. It does not
// where a stage is waited for, failures are counted, or the way back is watched.
func (r *Rollout) rest(ctx context.Context, u *unit, t *tracked) {
	stable := r.options.WaitFor == "stable"
	if t.back || t.patience > 0 || !stable && r.options.WaitFor != "deployed" {
		return
	}
	s, _ := u.last()
	if left := takes(s, stable) - r.since(u.accepted); left > 0 {
		r.pause(ctx, min(left/restPart, longestRest))
	}
}

// despair gives a deployment up that has lost as many tasks as it may: it is
// stopped at once, which has AWS return to the revision before it, and is then
// followed to its end. The verdict is over when it cannot be stopped.
func (r *Rollout) despair(ctx context.Context, u *unit, t *tracked) verdict {
	n := t.last.FailedTasks
	if !t.service.CircuitBreaker {
		// Without a circuit breaker nothing but the service counts them.
		if s, err := r.looks.service(ctx, u); err == nil {
			for _, d := range s.Deployments {
				if d.ID == t.mine.id {
					n = max(n, d.FailedTasks)
				}
			}
		}
	}
	if n < t.patience {
		return verdict{}
	}
	t.patience = 0
	t.hopeless = fmt.Sprintf("given up after %d failed tasks (max-task-failures: %d)", n, r.options.MaxTaskFailures)
	r.note(u, report.Waiting, "%s", t.hopeless)
	writing, done := r.writing(ctx)
	defer done()
	if err := r.strategy(u).stop(writing, u, t); err != nil && ctx.Err() == nil {
		return verdict{over: true, status: report.Failed, reason: fmt.Sprintf("it cannot be stopped: %v", err)}
	}
	return verdict{}
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
			_, given := givenUpFor(ctx)
			switch {
			case given:
				return r.cancelled(ctx, t)
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

// cancelled ends a service whose deployment goes on without the run, or is to be
// taken back.
func (r *Rollout) cancelled(ctx context.Context, t tracked) ending {
	if why, yes := givenUpFor(ctx); yes {
		return ending{status: report.Failed, running: t.running(), reason: why, goesOn: goesOn(t.service), givenUp: true}
	}
	doing := t.doing
	if doing == "" {
		doing = "just begun"
	}
	return ending{status: report.Cancelled, running: t.running(), reason: fmt.Sprintf("the run was cancelled (%s); %s goes on with the deployment", doing, t.service.Engine())}
}

// goesOn is said of a deployment that nobody has ended.
func goesOn(s fleet.Service) string { return s.Engine() + " goes on with the deployment" }

// unwatched ends a service whose deployment cannot be followed any more.
func (r *Rollout) unwatched(t tracked, err error) ending {
	return ending{status: report.Failed, running: t.running(), reason: fmt.Sprintf("the deployment was begun and its end is not known: %v", err), goesOn: goesOn(t.service)}
}
