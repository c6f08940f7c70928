package plan

import (
	"fmt"
	"strings"

	"ecs-fleet/internal/fleet"
)

// nextShown is how many of the runs to come are told.
const nextShown = 3

// foresee tells what will change the number of tasks after the plan, and warns
// where that comes soon.
func (in ScaleIn) foresee(p *Plan, n int) {
	if p.Scaling.After == nil {
		p.Scaling.Next = []string{"no autoscaling: the number stays until somebody changes it"}
		return
	}
	suspended := fleet.Suspension{}
	switch {
	case in.Autoscaling == "suspend" && !in.Restore:
		suspended = everything
	case in.Restore && in.Before.Bounds != nil:
		suspended = in.Before.Suspended
	case in.Target != nil:
		suspended = in.Target.Suspended
	}
	if suspended.Any() {
		p.Warnings = append(p.Warnings, fmt.Sprintf("scaling is suspended (%s) and stays so until somebody resumes it%s", suspended, in.howToResume()))
	}
	if in.Autoscaling == "ignore" && in.Count != nil && !in.Restore {
		in.foreseePolicies(p, n)
	}
	if !suspended.Scheduled {
		in.foreseeRuns(p, n)
	}
	for _, name := range in.Outlook.Unread {
		p.Warnings = append(p.Warnings, fmt.Sprintf("the schedule of the scheduled action `%s` is not understood: look up what it will do", name))
	}
	if len(p.Scaling.Next) == 0 && !in.unread() {
		p.Scaling.Next = []string{"nothing is scheduled that would change it"}
	}
	p.Scaling.Next = append(p.Scaling.Next, in.withoutSchedule()...)
}

func (in ScaleIn) unread() bool { return in.Target != nil && in.Target.Unread }

// withoutSchedule tells what changes the number at no time that is known.
func (in ScaleIn) withoutSchedule() []string {
	switch {
	case in.Target == nil:
		return nil // made by the run itself
	case in.Target.Unread:
		return []string{"what else would change it is not known: its policies and schedules could not be read"}
	case len(in.Target.Policies) == 0:
		return []string{"no scaling policy changes it"}
	}
	var texts []string
	for _, policy := range in.Target.Policies {
		if policy.Type == "PredictiveScaling" {
			texts = append(texts, fmt.Sprintf("predictive scaling (`%s`) may add tasks at any time", policy.Name))
		}
	}
	return texts
}

func (in ScaleIn) howToResume() string {
	if in.Autoscaling == "suspend" {
		return ": run scale with restore: true"
	}
	return ""
}

// foreseePolicies warns of what autoscaling does to a number that its bounds
// were not adjusted to.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-auto-scaling.html
func (in ScaleIn) foreseePolicies(p *Plan, n int) {
	b := *p.Scaling.After
	switch {
	case n < b.Min:
		p.Warnings = append(p.Warnings, fmt.Sprintf("%d tasks are below the minimum of %d: the autoscaler lifts them to it with its next scale-out", n, b.Min))
	case n > b.Max:
		p.Warnings = append(p.Warnings, fmt.Sprintf("%d tasks are above the maximum of %d: the autoscaler cuts them to it with its next scale-in", n, b.Max))
	case in.dynamic():
		p.Warnings = append(p.Warnings, fmt.Sprintf("the autoscaler may change %d tasks at any time, to %s: %s", n, b, in.policies()))
	}
}

func (in ScaleIn) policies() string {
	var names []string
	for _, policy := range in.Target.Policies {
		names = append(names, policy.Name+" ("+policy.Type+")")
	}
	return strings.Join(names, ", ")
}

// foreseeRuns goes through the scheduled actions to come.
func (in ScaleIn) foreseeRuns(p *Plan, n int) {
	b, warned := *p.Scaling.After, false
	for i, run := range in.Outlook.Runs {
		after := run.Action.Apply(b)
		if after == b || in.Restore && Ours(run.Action) { // which are removed
			continue
		}
		text, cuts := in.told(run, b, after, n)
		if len(p.Scaling.Next) < nextShown {
			p.Scaling.Next = append(p.Scaling.Next, text)
		}
		if cuts && !warned && i < in.Outlook.Soon {
			p.Warnings, warned = append(p.Warnings, text), true
		}
		b, n = after, after.Clamp(n)
	}
}

// told is what a run will do to n tasks, and whether it takes some away or lets
// the autoscaler do that.
func (in ScaleIn) told(run fleet.Firing, before, after fleet.Bounds, n int) (text string, cuts bool) {
	by := fmt.Sprintf("at %s by `%s`", in.clock(run), run.Action.Name)
	if run.Unsure {
		by += " (the clock is changed within the hour of it: AWS may run it an hour sooner or later)"
	}
	switch then := after.Clamp(n); {
	case then < n:
		return fmt.Sprintf("desired %d will be cut to %d %s", n, then, by), true
	case then > n:
		return fmt.Sprintf("desired %d will be raised to %d %s", n, then, by), false
	case before.Min >= n && after.Min < n && in.dynamic():
		return fmt.Sprintf("the bounds become %s %s: desired %d holds no longer, the autoscaler may take tasks away", after, by, n), true
	}
	return fmt.Sprintf("the bounds become %s %s: desired %d may stay", after, by, n), false
}

// clock is a run's time in the action's zone and in UTC: "22:00 Europe/Rome
// (20:00 UTC)", with the date when it is not within a day.
func (in ScaleIn) clock(run fleet.Firing) string {
	layout := "15:04"
	if run.At.Sub(in.Outlook.Now).Hours() >= 24 {
		layout = "2006-01-02 15:04"
	}
	utc := run.At.UTC().Format(layout) + " UTC"
	if zone := run.At.Location().String(); zone != "UTC" {
		return fmt.Sprintf("%s %s (%s)", run.At.Format(layout), zone, utc)
	}
	return utc
}
