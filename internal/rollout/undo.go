package rollout

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"ecs-fleet/internal/cloud"
	"ecs-fleet/internal/fleet"
	"ecs-fleet/internal/plan"
	"ecs-fleet/internal/report"
)

// What a failure takes back: the values of Options.Rollback.
const (
	rollbackNone        = "none"
	rollbackService     = "service"
	rollbackEnvironment = "environment"
	rollbackAll         = "all"
)

// givenUp ends the context of services that are not waited for any more since
// another one has failed.
type givenUp struct{ why string } // "tenant-a/nextjs failed (rollback: environment)"

func (g *givenUp) Error() string { return g.why }

// givenUpFor is why ctx has ended, when another service's failure has ended it.
func givenUpFor(ctx context.Context) (why string, yes bool) {
	g, yes := errors.AsType[*givenUp](context.Cause(ctx))
	if !yes {
		return "", false
	}
	return g.why, true
}

// notBegun is what is said of a service whose turn does not come, ctx having
// ended.
func notBegun(ctx context.Context) string {
	if why, yes := givenUpFor(ctx); yes {
		return "not begun: " + why
	}
	return cancelledBefore
}

// because is why the others are taken back: the first of them that broke.
func (r *Rollout) because(units []*unit) string {
	for _, u := range units {
		if e := u.ending.Load(); e != nil && e.status.Broken() && !e.givenUp {
			return r.brokenBy(u)
		}
	}
	return ""
}

func (r *Rollout) brokenBy(u *unit) string {
	return fmt.Sprintf("%s failed (rollback: %s)", u.ref, r.options.Rollback)
}

// undo takes back what the run has changed of these services, in reverse order
// of the waves: an earlier wave's first write comes after those of all later
// waves, and all are followed to their ends side by side. Services that nothing
// of was changed keep their endings, and so do all when ctx has ended: a run
// that is cancelled begins no rollback. It blocks until each service has ended
// anew. why is said of those that were well.
func (r *Rollout) undo(ctx context.Context, units []*unit, why string) {
	for _, u := range units {
		r.inherit(ctx, u)
	}
	byWave := slices.DeleteFunc(slices.Clone(units), func(u *unit) bool { return u.ours == nil })
	slices.Reverse(byWave)
	slices.SortStableFunc(byWave, func(a, b *unit) int { return b.env.Wave - a.env.Wave })
	var all sync.WaitGroup
	for len(byWave) > 0 {
		n := slices.IndexFunc(byWave, func(u *unit) bool { return u.env.Wave != byWave[0].env.Wave })
		if n < 0 {
			n = len(byWave)
		}
		var begun sync.WaitGroup // each of this wave's has made its first write, or will make none
		for _, u := range byWave[:n] {
			begun.Add(1)
			all.Go(func() {
				done := sync.OnceFunc(begun.Done)
				defer done()
				e := r.undone(ctx, u, why, done)
				r.resume(ctx, u, e)
				r.end(u, e)
			})
		}
		begun.Wait()
		byWave = byWave[n:]
	}
	all.Wait()
}

// inherit makes a service that was left alone one to be taken back when an
// earlier attempt of this run has deployed it: what the plan of that attempt
// remembered is in the history of the service's deployments.
func (r *Rollout) inherit(ctx context.Context, u *unit) {
	s, _ := u.last()
	if u.ours != nil || u.ending.Load().status != report.Unchanged || !plan.Newest(s.Run, u.draft.Base.Run).Same(r.options.Run) {
		return
	}
	to, err := u.lastBefore(cloud.First(ctx))
	if err != nil || to == "" {
		r.note(u, report.Note, "an earlier attempt of this run has deployed it, and what it ran before is not known: %v", err)
		return
	}
	primary := s.Primary()
	u.ours = &tracked{service: s, mine: mine{id: primary.ID, wanted: primary.TaskDefinition, before: to}}
	u.plan.From = plan.State{TaskDefinition: to, Desired: s.Desired}
	u.plan.Undo = []plan.Step{plan.Deploy{TaskDefinition: to}}
}

// undone takes back what the run has changed of one service, when that is
// still what the service runs, and returns how it ended then. begun is called
// once the first write was accepted.
func (r *Rollout) undone(ctx context.Context, u *unit, why string, begun func()) ending {
	e := *u.ending.Load()
	if e.status == report.RolledBack || e.status == report.RollbackFailed || e.status == report.Cancelled {
		return e
	}
	if e.status.Well() || e.givenUp {
		e.reason, e.given = why, true
	}
	first := u.accepted
	defer func() { u.accepted = first }() // the service's time counts from its first write
	back, err := faultless(func() (ending, error) { return r.takeBack(cloud.First(ctx), u, e, begun), nil })
	if err != nil {
		return ending{status: report.RollbackFailed, reason: e.say("taking it back failed: " + err.Error()), details: details(err)}
	}
	return back
}

// say adds to what is known of an ending.
func (e ending) say(more string) string {
	if e.reason == "" || more == "" {
		return e.reason + more
	}
	return e.reason + "; " + more
}

// becomes is the ending of a service that was taken back, or was not.
func (e ending) becomes(status report.Status, more string) ending {
	e.status, e.reason, e.goesOn, e.givenUp = status, e.say(more), "", false
	e.details = slices.DeleteFunc(slices.Clone(e.details), func(d string) bool { return strings.HasPrefix(d, nowRuns) })
	return e
}

// takeBack looks at what the service runs now, and acts upon it: what is still
// under way is stopped, what has ended is followed by a deployment of the
// revision before. The second look is for what ended while it was being stopped.
func (r *Rollout) takeBack(ctx context.Context, u *unit, e ending, begun func()) ending {
	to := u.wayBack()
	for {
		s, err := r.shown(ctx, u)
		if err != nil {
			return r.notTakenBack(ctx, e, err)
		}
		e.running, e.desired = s.Running, &s.Desired
		switch at, runs := r.strategy(u).standing(*u.ours, s, to); {
		case s.Status == "DRAINING":
			return e.gone()
		case at == ineffective:
			return e.becomes(report.Failed, "the update has not taken effect")
		case at == returned:
			return r.returning(ctx, u, e, to) // AWS took it back, or somebody did
		case at == replaced:
			return e.left(runs)
		case at == inProgress && !u.ours.cannotStop:
			if stopped, over := r.stopped(ctx, u, e, to, begun); over {
				return stopped
			}
		case to == "":
			return e.becomes(report.RollbackFailed, "it is not known what the service ran before")
		case to == u.ours.mine.wanted:
			return e.sameAgain(u)
		default:
			return r.redeployed(ctx, u, e, s, to, begun)
		}
	}
}

// wayBack is the revision that the service ran before, which the plan remembers.
func (u *unit) wayBack() fleet.ARN {
	for _, step := range u.plan.Undo {
		if d, is := step.(plan.Deploy); is {
			return d.TaskDefinition
		}
	}
	return ""
}

// shown is the service as AWS shows it now, once it shows the deployment of
// ours or what came after it: a look right after an update may show what was
// before it.
func (r *Rollout) shown(ctx context.Context, u *unit) (fleet.Service, error) {
	within, cancel := context.WithTimeout(ctx, r.real(r.timeout(u, false)))
	defer cancel()
	t := u.ours
	for s, err := r.glanceSince(within, u, time.Now()); ; s, err = r.looks.service(within, u) {
		primary, age := s.Primary(), r.since(t.sent)
		_, gone := errors.AsType[*cloud.MissingError](err)
		switch {
		case gone, cloud.Denied(err), within.Err() != nil:
			return s, err
		case err != nil: // AWS has trouble of its own
		case u.byCodeDeploy(): // whose deployments show nowhere but in their group
			s.UnderWay, err = u.client.CodeDeployInProgress(within, s.Group)
			if d := s.UnderWay; d != nil && t.mine.id == "" && d.TaskDefinition == t.mine.wanted {
				t.mine.id = d.ID
			}
			return s, err
		case t.mine.id == "" && primary.TaskDefinition == t.mine.wanted && primary.ID != t.replaces:
			t.mine.id = primary.ID // the update whose answer got lost did begin it
			return s, nil
		case primary.ID != t.replaces || age > visibleWithin:
			return s, nil
		}
	}
}

// stopped stops the deployment of ours, which has ECS return to the revision
// before it, and follows that to its end. It is not over when the deployment
// could not be stopped, or ended in success at that moment.
func (r *Rollout) stopped(ctx context.Context, u *unit, e ending, to fleet.ARN, begun func()) (back ending, over bool) {
	r.note(u, report.Waiting, "stopping %s, to return to what ran before", u.ours.mine.id)
	writing, done := r.writing(ctx)
	defer done()
	if err := r.strategy(u).stop(writing, u, u.ours); err != nil {
		if ctx.Err() != nil {
			return r.notTakenBack(ctx, e, err), true
		}
		r.note(u, report.Note, "the deployment cannot be stopped, so it is followed by another one: %v", err)
		u.ours.cannotStop = true
		return ending{}, false
	}
	begun()
	u.ours.back = true
	within, cancel := context.WithTimeout(ctx, r.real(r.timeout(u, false)))
	defer cancel()
	v, err := r.watch(within, u, u.ours)
	switch {
	case err != nil:
		return r.unfollowed(ctx, within, u, e, err), true
	case v.status == report.RollbackFailed:
		return e.becomes(v.status, v.reason), true
	case v.status == report.RolledBack:
		return r.returning(ctx, u, e, to), true
	}
	u.ours.cannotStop = true // it has ended otherwise, and the next look decides
	return ending{}, false
}

// redeployed makes the service run the revision that it ran before.
func (r *Rollout) redeployed(ctx context.Context, u *unit, e ending, s fleet.Service, to fleet.ARN, begun func()) ending {
	if active, err := u.client.IsActive(ctx, to); err == nil && !active {
		return e.becomes(report.RollbackFailed, fmt.Sprintf("not taken back: %s, which ran before, is no longer ACTIVE, and no update may name it; deploy an earlier image tag instead", to.Name()))
	}
	r.note(u, report.Waiting, "returning to %s", to.Name())
	writing, done := r.writing(ctx)
	defer done()
	if err := r.hold(writing, u, s); err != nil && ctx.Err() == nil {
		u.plan.Warnings = append(u.plan.Warnings, fmt.Sprintf("dynamic scaling went on while the service was taken back: %v", err))
	}
	t, began, err := r.strategy(u).start(writing, u, s, plan.Deploy{TaskDefinition: to, Replaces: u.ours.mine.wanted})
	switch {
	case err != nil && ctx.Err() != nil && !cloud.Unknown(err):
		return r.notTakenBack(ctx, e, err)
	case err != nil:
		return e.becomes(report.RollbackFailed, "the return to "+to.Name()+" could not be begun: "+err.Error())
	}
	begun()
	u.accepted = time.Now()
	r.note(u, report.Started, "returning to %s (%s)", to.Name(), t.mine.id)
	within, cancel := context.WithTimeout(ctx, r.real(r.timeout(u, false)))
	defer cancel()
	if began {
		t.back = true
		r.pause(within, firstPoll)
		v, err := r.watch(within, u, &t)
		switch {
		case err != nil:
			return r.unfollowed(ctx, within, u, e, err)
		case v.status != report.Deployed:
			return e.becomes(report.RollbackFailed, "the return to "+to.Name()+" failed, too: "+v.reason)
		}
	}
	return r.returning(ctx, u, e, to)
}

// returning follows a service that is on its way back until nothing goes on in
// it, and says what it really runs.
func (r *Rollout) returning(ctx context.Context, u *unit, e ending, to fleet.ARN) ending {
	within, cancel := context.WithTimeout(ctx, r.real(r.timeout(u, false)))
	defer cancel()
	s, err := r.glanceSince(within, u, time.Now())
	for ; err != nil || s.Primary().TaskDefinition == to && plan.InProgress(s) && s.Status != "DRAINING"; s, err = r.looks.service(within, u) {
		if within.Err() != nil || cloud.Denied(err) {
			return r.unfollowed(ctx, within, u, e, err)
		}
	}
	e.running, e.desired = s.Running, &s.Desired
	switch primary := s.Primary(); {
	case s.Status == "DRAINING":
		return e.gone()
	case to != "" && primary.TaskDefinition != to:
		return e.left(primary.TaskDefinition)
	case primary.RolloutState == "FAILED":
		return e.becomes(report.RollbackFailed, fmt.Sprintf("the return to %s failed, too: %s", primary.TaskDefinition.Name(), strings.TrimSuffix(primary.Reason, ".")))
	}
	u.plan.From.TaskDefinition = s.Primary().TaskDefinition
	if e.given {
		return e.becomes(report.RolledBack, "")
	}
	return e.becomes(report.RolledBack, "this run took it back")
}

// gone is the ending of a service that has been deleted meanwhile.
func (e ending) gone() ending {
	if strings.Contains(e.reason, "deleted") {
		return e.becomes(report.Failed, "nothing is left to take back")
	}
	return e.becomes(report.Failed, "the service has been deleted")
}

// left is the ending of a service that somebody else has deployed meanwhile:
// that is never overwritten.
func (e ending) left(runs fleet.ARN) ending {
	if strings.Contains(e.reason, runs.Name()) {
		return e.becomes(report.Failed, "left as it is")
	}
	return e.becomes(report.Failed, fmt.Sprintf("not taken back: somebody else has deployed %s over it, which was left as it is", runs.Name()))
}

// sameAgain is the ending of a service whose tasks were replaced by tasks of the
// very revision that ran before: there is nothing to return to.
func (e ending) sameAgain(u *unit) ending {
	if e.status == report.Deployed && !slices.ContainsFunc(u.plan.Warnings, func(w string) bool { return strings.HasPrefix(w, plan.TagMoved) }) {
		e.reason, e.givenUp = "runs the same revision as before: nothing to take back", false
		return e
	}
	return e.becomes(report.RollbackFailed, fmt.Sprintf("not taken back: it ran %s before, too, and a new deployment of it would start the same tasks", u.ours.mine.wanted.Name()))
}

// notTakenBack is the ending of a service whose return was not begun.
func (r *Rollout) notTakenBack(ctx context.Context, e ending, err error) ending {
	switch {
	case ctx.Err() != nil && e.givenUp:
		return e.becomes(report.Cancelled, "the run was cancelled before that was taken back; ECS goes on with the deployment")
	case ctx.Err() != nil:
		goesOn := e.goesOn
		e = e.becomes(e.status, "not taken back, since the run was cancelled")
		e.goesOn = goesOn
		return e
	}
	return e.becomes(report.RollbackFailed, "not taken back: "+err.Error())
}

// unfollowed is the ending of a return that was begun and whose end was not seen.
func (r *Rollout) unfollowed(ctx, within context.Context, u *unit, e ending, err error) ending {
	switch {
	case ctx.Err() != nil:
		return e.becomes(report.Cancelled, "the run was cancelled while the service was being taken back; ECS goes on with that")
	case within.Err() != nil:
		return e.becomes(report.RollbackFailed, fmt.Sprintf("taking it back did not end in %s; ECS goes on with that: see the service's events", report.Duration(r.timeout(u, false))))
	}
	return e.becomes(report.RollbackFailed, fmt.Sprintf("it was being taken back and the end is not known: %v", err))
}
