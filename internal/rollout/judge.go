package rollout

import (
	"fmt"
	"slices"
	"strings"

	"ecs-fleet/internal/fleet"
	"ecs-fleet/internal/report"
)

// verdict is what a snapshot says of a deployment of ours. The zero value:
// still under way.
type verdict struct {
	over   bool
	status report.Status // when over
	reason string        // when over and not deployed
	doing  string        // when not over: what is going on
	// failing: ECS is undoing it; the verdict is known, only its end is not.
	failing bool
	// reached: it goes on, and is as far as the user wants to wait for.
	reached bool
}

// stages are the life-cycle stages of a deployment that shifts traffic, in
// their order. A shift in steps comes by the three in the middle again and again.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/blue-green-deployment-how-it-works.html
var stages = []string{
	"RECONCILE_SERVICE", "PRE_SCALE_UP", "SCALE_UP", "POST_SCALE_UP", "TEST_TRAFFIC_SHIFT", "POST_TEST_TRAFFIC_SHIFT",
	"PRE_PRODUCTION_TRAFFIC_SHIFT", "PRODUCTION_TRAFFIC_SHIFT", "POST_PRODUCTION_TRAFFIC_SHIFT", "BAKE_TIME", "CLEAN_UP",
}

// Stages are what a run may wait for besides an end: "ecs:BAKE_TIME",
// "codedeploy:AllowTraffic".
func Stages() []string {
	var all []string
	for _, stage := range stages {
		all = append(all, "ecs:"+stage)
	}
	for _, event := range lifecycleEvents {
		all = append(all, "codedeploy:"+event)
	}
	return all
}

// lifecycleEvents are the steps of a deployment of CodeDeploy for ECS.
// https://docs.aws.amazon.com/codedeploy/latest/userguide/reference-appspec-file-structure-hooks.html
var lifecycleEvents = []string{
	"BeforeInstall", "Install", "AfterInstall", "AfterAllowTestTraffic", "BeforeAllowTraffic", "AllowTraffic", "AfterAllowTraffic",
}

// cutStage is the stage that wait-for names, if it is one of that kind.
func cutStage(waitFor, kind string) (stage string, is bool) {
	return strings.CutPrefix(waitFor, kind+":")
}

// begun tells whether a deployment is at the stage that wait-for names, or
// beyond it. A stage that is not known is no place in the order.
func begun(stage, waitFor string) bool {
	name, is := cutStage(waitFor, "ecs")
	return is && slices.Index(stages, stage) >= slices.Index(stages, name)
}

// judge reads a service deployment: exactly one of ours, never "the service is
// steady", which is also true after a rollback. It decides by the statuses of
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-deployment.html
func judge(d fleet.ServiceDeployment) verdict {
	switch d.Status {
	case "SUCCESSFUL":
		return verdict{over: true, status: report.Deployed}
	case "ROLLBACK_SUCCESSFUL":
		return verdict{over: true, status: report.RolledBack, reason: "ECS rolled the deployment back" + because(d)}
	case "ROLLBACK_FAILED":
		return verdict{over: true, status: report.RollbackFailed, reason: "the deployment failed and so did ECS's rollback" + because(d)}
	case "STOPPED":
		return verdict{over: true, status: report.Failed, reason: "the deployment was stopped" + because(d)}
	case "ROLLBACK_REQUESTED", "ROLLBACK_IN_PROGRESS":
		return verdict{failing: true, doing: "rolling back" + because(d)}
	case "STOP_REQUESTED":
		return verdict{failing: true, doing: "stopping" + because(d)}
	case "PENDING":
		return verdict{doing: "pending"}
	}
	return verdict{doing: progress(d)} // IN_PROGRESS, and what AWS may add
}

func because(d fleet.ServiceDeployment) string {
	var why []string
	for _, text := range []string{d.RollbackReason, d.Reason} {
		if text = strings.TrimSuffix(text, "."); text != "" && !strings.Contains(strings.Join(why, " "), text) {
			why = append(why, text)
		}
	}
	unsaid := func(alarm string) bool { return !strings.Contains(strings.Join(why, " "), alarm) }
	if slices.ContainsFunc(d.Alarms, unsaid) {
		why = append(why, "alarms "+strings.Join(d.Alarms, ", "))
	}
	if len(why) == 0 {
		return ""
	}
	text := strings.Join(why, "; ")
	// AWS's sentence goes on from ours, instead of saying it again.
	if rest, found := strings.CutPrefix(text, "Service deployment rolled back because "); found {
		return " because " + rest
	}
	return ": " + text
}

func progress(d fleet.ServiceDeployment) string {
	var b strings.Builder
	if d.Stage != "" { // a strategy that shifts traffic
		b.WriteString(stageName(d.Stage) + ": ")
	}
	fmt.Fprintf(&b, "%d of %d new tasks run", d.Running, d.Requested)
	if d.Pending > 0 {
		fmt.Fprintf(&b, ", %d starting", d.Pending)
	}
	if d.FailedTasks > 0 {
		fmt.Fprintf(&b, ", %d failed", d.FailedTasks)
	}
	switch {
	case d.Stage != "" && d.Weight > 0:
		fmt.Fprintf(&b, ", %.4g%% of the traffic", d.Weight)
	case d.Stage == "" && d.Running >= d.Requested && d.SourceRunning > 0:
		fmt.Fprintf(&b, ", %d old ones draining", d.SourceRunning)
	}
	for _, h := range d.Hooks {
		switch {
		case h.Pause && h.Status == "AWAITING_ACTION":
			b.WriteString(", " + waitsForAPerson(d, h))
		case h.Status == "IN_PROGRESS":
			fmt.Fprintf(&b, ", hook %s runs", h.Name)
		}
	}
	return b.String()
}

// waitsForAPerson says what a pause waits for, until when, what happens then,
// and how it is ended.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/continue-service-deployment.html
func waitsForAPerson(d fleet.ServiceDeployment, h fleet.Hook) string {
	text := "waiting for a person to continue it"
	if !h.Expires.IsZero() {
		then := "ECS rolls it back"
		if h.Action == "CONTINUE" {
			then = "ECS continues it"
		}
		text += fmt.Sprintf(" until %s (then %s)", h.Expires.UTC().Format("2006-01-02 15:04 UTC"), then)
	}
	return text + fmt.Sprintf(": aws ecs continue-service-deployment --service-deployment-arn %s --hook-id %s", d.ARN, h.ID)
}

// paused tells whether the deployment waits for a person.
func paused(d fleet.ServiceDeployment) bool {
	return slices.ContainsFunc(d.Hooks, func(h fleet.Hook) bool { return h.Pause && h.Status == "AWAITING_ACTION" })
}

// stageName is a life-cycle stage in words: "bake time".
func stageName(stage string) string { return strings.ToLower(strings.ReplaceAll(stage, "_", " ")) }

// mine is what tells a deployment of ours among a service's deployments.
type mine struct {
	id      string    // "ecs-svc/…"
	wanted  fleet.ARN // the revision that it runs
	before  fleet.ARN // the revision that ran before
	sawDone bool      // it was seen COMPLETED earlier
	// wasSteady: the look before showed a steady service. One look may fall
	// into the moment between a task's start and its crash.
	wasSteady bool
}

// judgeService reads DescribeServices, for services whose deployments cannot be
// followed by ARN. A deployment that is gone from the list ended unseen: that
// is never a success unless it was seen COMPLETED.
func judgeService(s fleet.Service, m mine) verdict {
	primary := s.Primary()
	for _, d := range s.Deployments {
		if d.ID != m.id {
			continue
		}
		switch {
		case d.Status != "PRIMARY": // whatever its own end: what came after it decides
			return after(primary, m, d.RolloutState == "FAILED")
		case d.RolloutState == "FAILED":
			return verdict{over: true, status: report.Failed, reason: "the deployment failed: " + strings.TrimSuffix(d.Reason, ".")}
		case d.RolloutState == "COMPLETED", d.RolloutState == "" && steady(s) && m.wasSteady:
			return verdict{over: true, status: report.Deployed}
		}
		return verdict{doing: progress(fleet.ServiceDeployment{Running: d.Running, Requested: d.Desired, Pending: d.Pending, FailedTasks: d.FailedTasks, SourceRunning: s.Running - d.Running})}
	}
	if m.sawDone {
		return verdict{over: true, status: report.Deployed}
	}
	return after(primary, m, false)
}

// after judges a deployment that is PRIMARY no more, and whose own end may
// have been seen to be a failure. What runs now tells a rollback from somebody
// else's deployment, except where ours has replaced a revision by itself.
func after(primary fleet.Deployment, m mine, failed bool) verdict {
	back := primary.TaskDefinition == m.before && (m.before != m.wanted || failed)
	if back || strings.Contains(strings.ToLower(primary.Reason), "rolling back") {
		switch primary.RolloutState {
		case "IN_PROGRESS":
			return verdict{failing: true, doing: "rolling back to " + primary.TaskDefinition.Name()}
		case "FAILED":
			return verdict{over: true, status: report.RollbackFailed, reason: "the deployment failed and so did ECS's rollback to " + primary.TaskDefinition.Name() + ": " + strings.TrimSuffix(primary.Reason, ".")}
		}
		return verdict{over: true, status: report.RolledBack, reason: "ECS rolled the deployment back to " + primary.TaskDefinition.Name()}
	}
	return verdict{over: true, status: report.Failed, reason: fmt.Sprintf("somebody else has deployed %s over it", primary.TaskDefinition.Name())}
}

// steady: nothing is going on in the service.
func steady(s fleet.Service) bool {
	return len(s.Deployments) == 1 && s.Running == s.Desired && s.Pending == 0
}
