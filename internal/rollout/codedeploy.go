package rollout

import (
	"cmp"
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

// byCodeDeploy is the strategy of services that CodeDeploy deploys: a deployment
// of theirs is one of its deployment group, and its rollback is another one.
type byCodeDeploy struct{ *Rollout }

// follows is what is known of a deployment of CodeDeploy that is followed.
type follows struct {
	last     fleet.CodeDeployment
	back     fleet.CodeDeployment // that rolls it back; zero: none so far
	target   fleet.CodeDeployTarget
	lookedAt time.Time // when target was seen
	ended    time.Time // when it was first seen to have ended
	stopping bool      // we have asked for its end
}

func (r byCodeDeploy) start(ctx context.Context, u *unit, seen fleet.Service, step plan.Deploy) (t tracked, began bool, err error) {
	s, _ := u.last()
	if u.like.text == "" && u.like.hash != "" {
		if u.like.text, err = u.client.AppSpec(ctx, s.Group, u.like.hash); err != nil {
			return tracked{}, false, err
		}
	}
	id, err := u.client.CreateDeployment(ctx, cloud.NewDeployment{
		Of: s.Group, What: u.ref, TaskDefinition: step.TaskDefinition, Launch: seen.Launch, Like: u.like.text, Back: step.TaskDefinition == u.wayBack(),
	})
	if err != nil {
		return tracked{}, false, err
	}
	return tracked{service: seen, mine: mine{id: id, wanted: step.TaskDefinition, before: seen.Primary().TaskDefinition}}, true, nil
}

func (r byCodeDeploy) look(ctx context.Context, u *unit, t *tracked) (verdict, error) {
	c := &t.code
	d, err := r.looks.codeDeployment(ctx, u, t.mine.id)
	switch {
	case errors.Is(err, watch.ErrMissing) && r.since(u.accepted) < visibleWithin:
		return verdict{doing: "waiting for CodeDeploy to show the deployment"}, nil
	case err != nil:
		return verdict{}, err
	}
	c.last = d
	if d.Ended() && c.ended.IsZero() {
		c.ended = time.Now()
	}
	if d.Rollback != "" {
		if c.back, err = r.looks.codeDeployment(ctx, u, d.Rollback); err != nil && !errors.Is(err, watch.ErrMissing) {
			return verdict{}, err
		}
	}
	r.lookAtTarget(ctx, u, c)
	v := judgeCodeDeploy(*c, r.since(c.ended) < visibleWithin)
	if event, waits := cutStage(r.options.WaitFor, "codedeploy"); waits && !d.Ended() && c.target.Event(event).Status == "Succeeded" {
		v = verdict{reached: true, doing: event + " has succeeded"}
	}
	if v.over && v.status == report.Deployed {
		if s, err := r.looks.service(ctx, u); err == nil { // how many tasks run is told, and decides nothing
			t.service = s
		}
	}
	return v, nil
}

// lookAtTarget sees how far the deployment is, where that is worth a call:
// CodeDeploy's quota bears one a second of all calls together.
func (r byCodeDeploy) lookAtTarget(ctx context.Context, u *unit, c *follows) {
	d := c.last
	_, waits := cutStage(r.options.WaitFor, "codedeploy")
	every := targetEvery
	if waits {
		every = pollEvery
	}
	every = max(every, time.Duration(r.looks.codeDeployed[placeOf(u)])*targetEachKey)
	failed := d.Ended() && d.Status != "Succeeded"
	switch {
	case d.Status == "Created", d.Status == "Queued", d.Status == "Succeeded", d.Shifted && !failed && !waits:
		return // there is nothing to see yet, or any more
	case failed && c.lookedAt.After(c.ended):
		return
	case !failed && !c.lookedAt.IsZero() && r.since(c.lookedAt) < every:
		return
	}
	target, err := u.client.CodeDeployTarget(ctx, d.ID, cloud.ScalableOf(u.env.Cluster, u.spec.ECSName))
	if err == nil { // what is going on is told where it can be read
		c.target, c.lookedAt = target, time.Now()
	}
}

// stop has CodeDeploy go back, which it can as long as the old tasks are there.
func (r byCodeDeploy) stop(ctx context.Context, u *unit, t *tracked) error {
	t.code.stopping = true
	return u.client.StopCodeDeployment(ctx, t.mine.id)
}

func (r byCodeDeploy) standing(t tracked, now fleet.Service, before fleet.ARN) (standing, fleet.ARN) {
	primary := now.Primary()
	switch d := now.UnderWay; {
	case d != nil && (d.ID == t.mine.id || d.Undoes == t.mine.id):
		return inProgress, t.mine.wanted
	case d != nil:
		return replaced, d.TaskDefinition
	case primary.External == t.mine.id:
		return ended, primary.TaskDefinition
	case t.code.target.Weight > 0 && slices.ContainsFunc(now.Deployments, func(set fleet.Deployment) bool { return set.External == t.mine.id && set.Status == "ACTIVE" }):
		// It ended in the middle of the shift and nothing rolled it back: its
		// tasks have a share of the traffic still.
		return ended, t.mine.wanted
	case primary.TaskDefinition == before:
		return returned, before
	}
	return replaced, primary.TaskDefinition
}

func (r byCodeDeploy) makeWay(ctx context.Context, u *unit, step plan.Settle) error {
	if step.Shifted {
		return u.client.EndTerminationWait(ctx, step.ID)
	}
	return u.client.StopCodeDeployment(ctx, step.ID)
}

// free waits for the next look at the deployment, and at the one that rolls it
// back. One of these that shows only later keeps the group busy, and is found
// when the service is planned again.
func (r byCodeDeploy) free(ctx context.Context, u *unit, step plan.Settle) (bool, error) {
	d, err := r.looks.codeDeployment(ctx, u, step.ID)
	if err == nil && d.Rollback != "" {
		d, err = r.looks.codeDeployment(ctx, u, d.Rollback)
	}
	if errors.Is(err, watch.ErrMissing) {
		return true, nil // CodeDeploy does not know it any more
	}
	return err == nil && d.Ended(), err
}

// willRollBack tells whether CodeDeploy begins a rollback of a deployment that
// has failed or was stopped. It shows a moment later.
func willRollBack(d fleet.CodeDeployment) bool {
	event := "DEPLOYMENT_FAILURE"
	switch { // an alarm stops it, too
	case d.Code == "ALARM_ACTIVE":
		event = "DEPLOYMENT_STOP_ON_ALARM"
	case d.Status == "Stopped":
		event = "DEPLOYMENT_STOP_ON_REQUEST"
	}
	return slices.Contains(d.RollsBackOn, event)
}

// judgeCodeDeploy reads a deployment of CodeDeploy, and the one that rolls it
// back. recent: it has ended so lately that the latter may not show yet.
// https://docs.aws.amazon.com/codedeploy/latest/APIReference/API_DeploymentInfo.html
func judgeCodeDeploy(c follows, recent bool) verdict {
	d := c.last
	switch {
	case d.Status == "Succeeded", d.Shifted && !d.Ended() && !c.stopping:
		return verdict{over: true, status: report.Deployed}
	case !d.Ended():
		return verdict{doing: codeDeployProgress(c), failing: c.stopping}
	}
	why := codeDeployFailure(c)
	switch back := c.back; {
	case back.Status == "Succeeded", back.Shifted && !back.Ended():
		return verdict{over: true, status: report.RolledBack, reason: "CodeDeploy rolled the deployment back: " + why}
	case back.Ended():
		return verdict{over: true, status: report.RollbackFailed, reason: fmt.Sprintf("the deployment failed (%s) and so did CodeDeploy's rollback %s: %s", why, back.ID, codeDeployFailure(follows{last: back}))}
	case d.Rollback != "":
		return verdict{failing: true, doing: fmt.Sprintf("rolling back (%s): %s", d.Rollback, why)}
	case recent && d.Unrolled == "" && (c.stopping || willRollBack(d)):
		return verdict{failing: true, doing: "waiting for the rollback to begin: " + why}
	}
	if d.Unrolled != "" {
		why += "; " + sentence(d.Unrolled)
	}
	if d.Status == "Stopped" {
		return verdict{over: true, status: report.Failed, reason: "the deployment was stopped: " + why}
	}
	return verdict{over: true, status: report.Failed, reason: "the deployment failed: " + why}
}

// codeDeployProgress is what goes on in a deployment.
func codeDeployProgress(c follows) string {
	switch c.last.Status {
	case "Created", "Queued":
		return "queued by CodeDeploy"
	case "Ready":
		text := "waiting for a person to continue it"
		if c.last.ByHand > 0 {
			text += fmt.Sprintf(" (for at most %s, then CodeDeploy stops it)", report.Duration(c.last.ByHand))
		}
		return text + ": aws deploy continue-deployment --deployment-wait-type READY_WAIT --deployment-id " + c.last.ID
	}
	if c.stopping {
		return "stopping"
	}
	text := "in progress"
	for _, e := range c.target.Events {
		switch e.Status {
		case "Succeeded":
			text = e.Name + " done"
		case "InProgress":
			text = e.Name + " in progress"
		}
	}
	if c.target.Weight > 0 {
		text += fmt.Sprintf(", %.4g%% of the traffic", c.target.Weight)
	}
	return text
}

// codeDeployFailure is why a deployment failed: the lifecycle event, and what
// CodeDeploy says.
func codeDeployFailure(c follows) string {
	d, event := c.last, c.target.With("Failed")
	text := cmp.Or(sentence(event.Reason), sentence(d.Reason), "CodeDeploy does not say why")
	if event.Hook != "" {
		text = "hook " + event.Hook + ": " + text
	}
	if event.Name != "" {
		text = event.Name + " failed: " + text
	}
	if d.Code != "" {
		text += " (" + d.Code + ")"
	}
	return text
}

// sentence is AWS's text as a part of ours.
func sentence(text string) string { return strings.TrimSuffix(strings.TrimSpace(text), ".") }
