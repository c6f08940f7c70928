package rollout

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	"ecs-fleet/internal/cloud"
	"ecs-fleet/internal/fleet"
	"ecs-fleet/internal/plan"
	"ecs-fleet/internal/report"
	"ecs-fleet/internal/watch"
)

// ending is how a service's way through the run ended.
type ending struct {
	status  report.Status
	reason  string
	details []string
	running int
	desired *int   // nil: as planned
	goesOn  string // what AWS goes on with, unless it is taken back
	givenUp bool   // it was not waited for, since another service has failed
	given   bool   // the reason is not its own, but the failure of another service
}

// fault is a panic of ours, told as an error.
type fault struct {
	value any
	stack []byte
}

func (f *fault) Error() string {
	return fmt.Sprintf("a fault of ecs-fleet itself: %v; please report it with its details", f.value)
}

// faultless runs f, and makes an error of a panic: what is done for one service,
// or for many at once, must not end them all.
func faultless[T any](f func() (T, error)) (v T, err error) {
	defer func() {
		if value := recover(); value != nil {
			err = &fault{value, debug.Stack()}
		}
	}()
	return f()
}

// details are the details of an error that has some.
func details(err error) []string {
	if f, ok := errors.AsType[*fault](err); ok {
		return strings.Split(string(f.stack), "\n")
	}
	return nil
}

// guarded is lifecycle for a service that a fault of this program may hit: the
// other services go on, and this one has its row in the summary.
func (r *Rollout) guarded(ctx context.Context, u *unit) ending {
	e, err := faultless(func() (ending, error) { return r.lifecycle(ctx, u), nil })
	if err != nil {
		return ending{status: report.Failed, reason: err.Error(), details: details(err)}
	}
	return e
}

// lifecycle takes one service from its plan to its end.
func (r *Rollout) lifecycle(ctx context.Context, u *unit) ending {
	switch {
	case r.scales():
		return r.scale(ctx, u)
	case r.countAsked(u):
		return r.resize(ctx, u)
	}
	return r.renew(ctx, u)
}

// renew takes one service to the revision that is wanted.
func (r *Rollout) renew(ctx context.Context, u *unit) ending {
	if err := r.stillSo(ctx, u); err != nil {
		return r.trouble(ctx, u, err)
	}
	for {
		if e, over := settled(u); over {
			return e
		}
		again, e := r.steps(ctx, u)
		if !again {
			return e
		}
		// What was planned is out of date: somebody else's deployment has ended.
		if err := r.replan(ctx, u); err != nil {
			return r.trouble(ctx, u, err)
		}
	}
}

// stillSo looks again at a service that was found to need nothing: its wave may
// come an hour after the inspection.
func (r *Rollout) stillSo(ctx context.Context, u *unit) error {
	if u.err != nil || u.plan.Skip == "" {
		return nil
	}
	s, err := r.glance(ctx, u)
	if err != nil || s.Primary().TaskDefinition == u.plan.From.TaskDefinition {
		return err
	}
	return overtaken(s.Primary().TaskDefinition, u.plan.From.TaskDefinition)
}

// overtaken tells that the service is not as it was planned.
func overtaken(runs, expected fleet.ARN) error {
	return fmt.Errorf("somebody else has deployed %s since this run began; expected %s; the service was left as it is", runs.Name(), expected.Name())
}

// settled ends a service for which there is nothing to do, or nothing may be
// done.
func settled(u *unit) (ending, bool) {
	switch {
	case u.err != nil:
		return ending{status: report.Failed, reason: u.err.Error(), details: details(u.err)}, true
	case u.plan.Skip != "" && u.returnedByStop():
		s, _ := u.last()
		return ending{status: report.Deployed, reason: "stopping the deployment in progress has returned it to " + u.returns.ARN.Name(), running: s.Running}, true
	case u.plan.Skip != "":
		s, _ := u.last()
		return ending{status: report.Unchanged, reason: u.plan.Skip, running: s.Running}, true
	case u.plan.Refuse != "" && u.plan.Failed:
		s, _ := u.last()
		return ending{status: report.Failed, reason: u.plan.Refuse, running: s.Running}, true
	case u.plan.Refuse != "":
		return ending{status: report.NotStarted, reason: u.plan.Refuse}, true
	}
	return ending{}, false
}

// steps carries the plan's steps out. It asks to be planned again when the
// service has changed under the plan.
func (r *Rollout) steps(ctx context.Context, u *unit) (again bool, e ending) {
	var made fleet.ARN
	for _, step := range u.plan.Steps {
		switch step := step.(type) {
		case plan.Settle:
			if err := r.settle(ctx, u, step); err != nil {
				return false, r.trouble(ctx, u, err)
			}
			return true, ending{}
		case plan.Register:
			arn, err := r.registered(ctx, u, step)
			if err != nil {
				return false, r.trouble(ctx, u, err)
			}
			made = arn
		case plan.Deploy:
			if step.TaskDefinition == "" {
				step.TaskDefinition = made
			}
			return r.deploy(ctx, u, step)
		case plan.Watch:
			r.note(u, report.Started, "found the deployment %s under way already", step.ID)
			s, _ := u.last()
			u.accept()
			u.plan.To.TaskDefinition = step.TaskDefinition
			t := &tracked{service: s, mine: mine{id: step.ID, wanted: step.TaskDefinition, before: plan.Replaced(s, step.TaskDefinition)}, arn: step.Deployment}
			if step.By.Same(r.options.Run) {
				u.ours = t // an earlier attempt of this run has begun it
			}
			return false, r.follow(ctx, u, t)
		}
	}
	return false, ending{status: report.Unchanged, reason: "nothing to do"}
}

// registered is the revision that was registered ahead, or is registered now.
func (r *Rollout) registered(ctx context.Context, u *unit, step plan.Register) (fleet.ARN, error) {
	if u.registration == nil {
		return r.register(ctx, u, step)
	}
	u.registration.wait(ctx)
	select {
	case <-u.registration.done:
		return u.registration.arn, u.registration.err
	default:
		return "", context.Cause(ctx)
	}
}

// settle waits until no deployment of the service is under way, having stopped
// it first where the user wants that.
func (r *Rollout) settle(ctx context.Context, u *unit, step plan.Settle) error {
	r.note(u, report.Waiting, "%s", step)
	timeout := r.timeout(u, true)
	within, cancel := context.WithTimeout(ctx, r.real(timeout))
	defer cancel()
	if step.Stop {
		writing, done := r.writing(ctx)
		defer done()
		if err := r.strategy(u).makeWay(writing, u, step); err != nil {
			return err
		}
		u.accept()
	}
	for {
		free, err := r.strategy(u).free(within, u, step)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case within.Err() != nil:
			return fmt.Errorf("the deployment %s, which was in progress before, did not end in %s; end it, or set on-in-progress to stop", step.ID, report.Duration(timeout))
		case errors.Is(err, watch.ErrMissing):
			return u.client.MissingService(ctx, u.env.Cluster, u.spec.ECSName)
		case cloud.Denied(err):
			return err
		case err != nil: // AWS has trouble of its own; the deployment goes on
		case free:
			return nil
		}
	}
}

// replan looks at the service again and plans it anew.
func (r *Rollout) replan(ctx context.Context, u *unit) error {
	found, err := u.client.Services(ctx, u.env.Cluster, []string{u.spec.ECSName})
	if err != nil {
		return err
	}
	s, ok := found[u.spec.ECSName]
	if !ok {
		return u.client.MissingService(ctx, u.env.Cluster, u.spec.ECSName)
	}
	u.saw(s)
	if u.byCodeDeploy() {
		if err := r.lookAtGroup(ctx, u); err != nil {
			return err
		}
	}
	u.registration = nil
	u.client.Forget(u.draft.Base.Family)
	draft, err := r.draft(ctx, u)
	if err != nil {
		return err
	}
	u.draft = draft
	r.findPrepared(ctx, []*unit{u})
	r.make(u, "")
	if err := r.addScale(u); err != nil {
		return err
	}
	return nil
}

// refusals is how often a deployment group may be busy when a service's turn
// comes. CodeDeploy refuses for the account's limit with the same words.
const refusals = 10

// deploy makes the service run the revision and follows the deployment that
// this starts.
func (r *Rollout) deploy(ctx context.Context, u *unit, step plan.Deploy) (again bool, e ending) {
	leave, err := r.turnstile(ctx, u)
	if err != nil {
		return false, r.trouble(ctx, u, err)
	}
	defer leave()
	s, err := r.glance(ctx, u)
	if err != nil {
		return false, r.trouble(ctx, u, err)
	}
	switch primary := s.Primary(); {
	case primary.TaskDefinition != step.Replaces && primary.TaskDefinition != step.TaskDefinition:
		if by := r.reachedBy(ctx, u, s); by.Newer(r.options.Run) {
			return false, ending{status: report.NotStarted, reason: plan.Overtaken(by, primary.TaskDefinition)}
		}
		return false, ending{status: report.Failed, running: s.Running, reason: overtaken(primary.TaskDefinition, step.Replaces).Error()}
	case primary.TaskDefinition != step.Replaces, plan.InProgress(s):
		return true, ending{}
	}
	if ctx.Err() != nil {
		return false, r.trouble(ctx, u, ctx.Err())
	}
	r.note(u, report.Waiting, "waiting for its turn to update")
	writing, done := r.writing(ctx)
	defer done()
	r.count(u, s)
	if err := r.hold(writing, u, s); err != nil {
		return false, r.trouble(ctx, u, err)
	}
	t, began, err := r.strategy(u).start(writing, u, s, step)
	leave()
	if cloud.Busy(err) && u.refused < refusals {
		u.refused++
		r.pause(ctx, pollEvery)
		return true, ending{}
	}
	if cloud.Unknown(err) {
		u.ours = &tracked{sent: time.Now(), service: s, previous: s.Current, replaces: s.Primary().ID, mine: mine{wanted: step.TaskDefinition, before: s.Primary().TaskDefinition}}
		_, given := givenUpFor(ctx)
		return false, ending{status: unknownStatus(ctx), givenUp: given, running: s.Running, reason: fmt.Sprintf("it is not known whether the deployment began: %v; see which revision the service runs, then run again", err)}
	}
	if err != nil {
		return false, r.trouble(ctx, u, err)
	}
	u.accept()
	u.plan.To.TaskDefinition = step.TaskDefinition
	if !began {
		return false, ending{status: report.Unchanged, reason: "already runs " + step.TaskDefinition.Name(), running: t.service.Running}
	}
	r.note(u, report.Started, "deploying %s (%s)", step.TaskDefinition.Name(), t.mine.id)
	t.sent, t.replaces = u.accepted, s.Primary().ID
	u.ours = &t
	r.mark(ctx, u, s, step.TaskDefinition)
	return false, r.follow(ctx, u, u.ours)
}

// accept starts the service's clock: its first write was accepted.
func (u *unit) accept() {
	u.accepted = time.Now()
	u.began.Store(true)
}

// unknownStatus is the status of a service whose update was sent and not
// answered.
func unknownStatus(ctx context.Context) report.Status {
	if _, given := givenUpFor(ctx); ctx.Err() != nil && !given {
		return report.Cancelled
	}
	return report.Failed
}

// trouble ends a service that an error stopped before its update was accepted.
func (r *Rollout) trouble(ctx context.Context, u *unit, err error) ending {
	s, _ := u.last()
	why, yes := givenUpFor(ctx)
	switch {
	case yes && u.began.Load():
		return ending{status: report.Failed, running: s.Running, reason: "nothing was deployed after the deployment in progress had been stopped: " + why}
	case ctx.Err() != nil && u.began.Load():
		return ending{status: report.Cancelled, running: s.Running, reason: "the run was cancelled after it had stopped the deployment in progress; " + s.Engine() + " goes back to the revision before that"}
	case ctx.Err() != nil:
		return ending{status: report.NotStarted, reason: notBegun(ctx)}
	}
	return ending{status: report.Failed, running: s.Running, reason: err.Error(), details: details(err)}
}

// timeout is how long a deployment of the service may take, on AWS's clock.
// That CodeDeploy terminates the old tasks is a part of it only to the end.
func (r *Rollout) timeout(u *unit, toTheEnd bool) time.Duration {
	if given := cmp.Or(u.env.Timeout, r.options.Timeout); given > 0 {
		return given
	}
	s, _ := u.last()
	return r.options.DefaultTimeout + takes(s, toTheEnd)
}

// takes is what a deployment of the service takes on purpose.
func takes(s fleet.Service, toTheEnd bool) time.Duration {
	if s.Controller == "CODE_DEPLOY" && !toTheEnd {
		return s.Pace.Shift
	}
	return s.Pace.Total()
}

// writing bounds how long a write may be refused.
func (r *Rollout) writing(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithDeadline(ctx, r.began.Add(r.real(writesEnd)))
}

// pause sleeps for a duration of AWS's clock, or until ctx ends.
func (r *Rollout) pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(r.real(d)):
	case <-ctx.Done():
	}
}
