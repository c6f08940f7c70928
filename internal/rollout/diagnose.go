package rollout

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"ecs-fleet/internal/cloud"
	"ecs-fleet/internal/fleet"
	"ecs-fleet/internal/report"
)

const (
	// samples is how many stopped tasks of a failed service are looked into:
	// they mostly died of the same cause.
	samples = 3
	// eventsShown bounds the service events among the details.
	eventsShown = 5
	// diagnosis is how long the search for the cause may take: while AWS has
	// trouble, every question is asked again and again.
	diagnosis = 30 * time.Second
	// staleAfter is how old a look may be to be told as the present: a few polls.
	staleAfter = time.Minute
)

// nowRuns begins the detail that tells which revisions' tasks run.
const nowRuns = "running now: "

// diagnosed ends a deployment that has failed, and says why.
func (r *Rollout) diagnosed(u *unit, t tracked, v verdict) ending {
	r.note(u, report.Note, "%s", v.reason)
	ctx, cancel := context.WithTimeout(r.looks.ctx, r.real(diagnosis)) // also when a neighbour's failure ends ctx
	defer cancel()
	e := ending{status: v.status, reason: v.reason}
	cause, details, s := r.causes(ctx, u, t)
	e.details, e.running = details, s.Running
	if cause != "" {
		e.reason += ": " + cause
	}
	switch now := s.Primary().TaskDefinition; {
	case v.status != report.Failed || now == "" || now == t.mine.wanted || strings.Contains(v.reason, now.Name()):
	case now == t.mine.before:
		e.reason += fmt.Sprintf("; the service is back at %s", now.Name())
	default:
		e.reason += fmt.Sprintf("; somebody else has deployed %s", now.Name())
	}
	return e
}

// timedOut ends a deployment that did not end in its time: it says what was
// being waited for and what goes on without the run.
func (r *Rollout) timedOut(u *unit, t tracked, timeout time.Duration) ending {
	seen := r.since(t.at)
	old := seen > staleAfter
	ctx, cancel := context.WithTimeout(r.looks.ctx, r.real(diagnosis)) // also when a neighbour's failure ends ctx
	defer cancel()
	cause, details, s := r.causes(ctx, u, t)
	reason := fmt.Sprintf("not deployed in %s, waiting for %s", report.Duration(timeout), r.phase(ctx, u, t))
	switch {
	case t.doing != "" && old:
		reason += fmt.Sprintf(" (seen %s ago: %s)", report.Duration(seen), t.doing)
	case t.doing != "":
		reason += " (" + t.doing + ")"
	}
	if cause != "" {
		reason += ": " + strings.TrimSuffix(cause, ".")
	}
	if t.trouble != nil {
		reason += fmt.Sprintf("; the last look failed: %v", t.trouble)
	}
	e := ending{status: report.Failed, reason: reason, details: details, running: s.Running, goesOn: goesOn(t.service)}
	if old {
		e.goesOn += " or has ended it: see the service's events"
	}
	return e
}

// phase is what the deployment was waiting for: placing, pulling, health check
// or draining.
func (r *Rollout) phase(ctx context.Context, u *unit, t tracked) string {
	switch {
	case paused(t.last), t.code.last.Status == "Ready":
		return "a person"
	case t.code.target.With("InProgress").Name != "":
		return t.code.target.With("InProgress").Name
	case t.last.Stage != "" && t.last.Stage != "SCALE_UP":
		return stageName(t.last.Stage)
	}
	tasks, err := u.client.Tasks(ctx, u.env.Cluster, u.spec.ECSName, "RUNNING")
	if err != nil {
		return "tasks that could not be read"
	}
	starting := make(map[string]int)
	mine := 0
	var others []fleet.ARN
	for _, task := range tasks {
		switch {
		case task.StartedBy != t.starter():
			others = append(others, task.ARN) // wanted still: ECS begins to drain them when the new ones are healthy
			continue
		case task.Status == "PROVISIONING":
			starting["placing"]++
		case task.Status == "PENDING":
			starting["pulling"]++
		}
		mine++
	}
	for _, phase := range []string{"placing", "pulling"} {
		if starting[phase] > 0 {
			return phase
		}
	}
	switch {
	case mine == 0 && t.last.FailedTasks > 0:
		return "a task that stays up"
	case mine == 0:
		return "placing: no task was started"
	case len(others) > 0:
		// Without the permission it is told as what it mostly is.
		if n, until, err := u.client.Protected(ctx, u.env.Cluster, others); err == nil && n > 0 {
			return fmt.Sprintf("%d protected tasks of the revision before, which neither ECS nor this program may stop: until %s at the latest", n, until.UTC().Format("15:04:05 UTC"))
		}
		return "health check"
	case t.last.SourceRunning == 0:
		return "health check"
	}
	return "draining: the new tasks run, the old ones have not stopped"
}

// causes looks for the reason why tasks of the deployment stopped or never
// started: one line, the evidence, and the service as it is now. It is best
// effort: what cannot be read is said among the details.
func (r *Rollout) causes(ctx context.Context, u *unit, t tracked) (cause string, details []string, s fleet.Service) {
	found, err := u.client.Services(ctx, u.env.Cluster, []string{u.spec.ECSName})
	if err != nil {
		details = append(details, fmt.Sprintf("the service could not be read: %v", err))
		s.Running = t.running()
	} else {
		s = found[u.spec.ECSName]
	}
	tasks, err := u.client.Tasks(ctx, u.env.Cluster, u.spec.ECSName, "STOPPED")
	if err != nil {
		details = append(details, fmt.Sprintf("stopped tasks could not be read: %v", err))
	}
	tasks = slices.DeleteFunc(tasks, func(task fleet.Task) bool { return task.StartedBy != t.starter() || normal(task) })
	for _, task := range tasks[:min(len(tasks), samples)] {
		why := stoppedBecause(task)
		cause = cmp.Or(cause, why)
		details = append(details, fmt.Sprintf("task %s: %s", task.ARN.Name(), why))
		details = append(details, r.lastLines(ctx, u, task)...)
	}
	events := r.events(s, t)
	if unwell := strings.Contains(cause, "ELB health checks"); unwell || cause == "" {
		sick := r.sickTargets(ctx, u, s)
		details = append(details, sick...)
		switch {
		case unwell:
			cause += healthReason(events)
		case len(sick) > 0:
			cause = sick[0]
		default:
			cause = telling(events)
		}
	}
	return cause, slices.Concat(runningNow(s), details, events), s
}

// sickTargets are the unhealthy targets of the service's target groups, with why
// they are and which tasks they are.
func (r *Rollout) sickTargets(ctx context.Context, u *unit, s fleet.Service) []string {
	var lines []string
	for _, group := range s.TargetGroups {
		targets, err := u.client.Targets(ctx, group)
		if err != nil {
			return append(lines, fmt.Sprintf("the load balancer's targets could not be read: %v", err))
		}
		targets = slices.DeleteFunc(targets, func(t fleet.Target) bool { return t.State != "unhealthy" })
		if len(targets) == 0 {
			continue
		}
		for _, line := range r.namedTargets(ctx, u, targets[:min(len(targets), samples)]) {
			lines = append(lines, fmt.Sprintf("unhealthy in target group %s: %s", cloud.GroupName(group), line))
		}
	}
	return lines
}

// healthReason is what ECS's events quote of the load balancer: by the time that
// a task has stopped, its target is gone.
func healthReason(events []string) string {
	for _, e := range slices.Backward(events) {
		_, rest, found := strings.Cut(e, "due to (reason ")
		if reason, _, ok := strings.Cut(rest, ")"); found && ok {
			return ": " + reason
		}
	}
	return ""
}

// runningNow is which revisions the service's tasks run: after a failure the
// first question.
func runningNow(s fleet.Service) []string {
	var parts []string
	for _, d := range s.Deployments {
		if d.Running > 0 {
			parts = append(parts, fmt.Sprintf("%d tasks of %s", d.Running, d.TaskDefinition.Name()))
		}
	}
	if len(parts) == 0 {
		return nil
	}
	return []string{nowRuns + strings.Join(parts, ", ")}
}

// normal: a task that a scale-in or a deployment stopped on purpose.
func normal(task fleet.Task) bool {
	return task.StopCode == "ServiceSchedulerInitiated" && !strings.Contains(task.Reason, "health checks") || task.StopCode == "UserInitiated"
}

func stoppedBecause(task fleet.Task) string {
	var parts []string
	if task.StopCode != "" {
		parts = append(parts, task.StopCode)
	}
	if task.Reason != "" {
		parts = append(parts, task.Reason)
	}
	for _, c := range task.Containers {
		switch {
		case c.ExitCode != nil && *c.ExitCode != 0:
			parts = append(parts, strings.TrimSpace(fmt.Sprintf("container %s exited with code %d %s", c.Name, *c.ExitCode, c.Reason)))
		case c.Reason != "" && !strings.Contains(task.Reason, c.Reason):
			parts = append(parts, fmt.Sprintf("container %s: %s", c.Name, c.Reason))
		}
	}
	return strings.Join(parts, ": ")
}

// lastLines are the last log lines of the containers that ended badly.
func (r *Rollout) lastLines(ctx context.Context, u *unit, task fleet.Task) []string {
	var details []string
	for _, c := range task.Containers {
		if c.ExitCode == nil || *c.ExitCode == 0 {
			continue
		}
		for _, known := range u.draft.Base.Containers {
			if known.Name != c.Name {
				continue
			}
			lines, err := u.client.LastLines(ctx, task.ARN, known)
			if err != nil {
				details = append(details, fmt.Sprintf("the log of %s could not be read: %v", c.Name, err))
			}
			for _, line := range lines {
				details = append(details, c.Name+" | "+line)
			}
		}
	}
	return details
}

// events are the service's events since the deployment was created, oldest
// first, without the routine ones.
func (r *Rollout) events(s fleet.Service, t tracked) []string {
	var created time.Time
	for _, d := range t.service.Deployments {
		if d.ID == t.mine.id {
			created = d.Created.Add(-time.Second) // AWS's times have no more than seconds
		}
	}
	if t.code.last.ID != "" {
		created = t.code.last.Created.Add(-time.Second)
	}
	var texts []string
	for _, e := range s.EventsSince(created) {
		if !strings.Contains(e.Text, "has reached a steady state") && len(texts) < eventsShown {
			texts = append([]string{"event: " + e.Text}, texts...)
		}
	}
	return texts
}

// telling is the event that explains why no task runs.
func telling(events []string) string {
	for _, e := range events {
		for _, sign := range []string{"unable to place", "unable to consistently start", "unable to stop or start", "unhealthy", "failed"} {
			if strings.Contains(e, sign) {
				return strings.TrimPrefix(e, "event: ")
			}
		}
	}
	return ""
}
