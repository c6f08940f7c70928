package report

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"ecs-fleet/internal/plan"
)

// FromPlan is a plan as the result of a dry run. A plan knows no account,
// Region or cluster: whoever does fills them in.
func FromPlan(p plan.Plan) Result {
	r := Result{
		Of: p.Of, ECSService: p.Spec.ECSName, Wave: p.Wave, Strategy: p.Strategy,
		From: state(p.From), To: state(p.To), Warnings: p.Warnings,
		Status: Planned, Containers: edited(p),
	}
	r.Scaling = ScalingOf(p.Scaling)
	switch {
	case p.Skip != "":
		r.Status, r.Reason = Unchanged, p.Skip
	case p.Refuse != "" && p.Failed:
		r.Status, r.Reason = Failed, p.Refuse
	case p.Refuse != "":
		r.Status, r.Reason = NotStarted, p.Refuse
	default:
		r.Steps, r.Undo = texts(p.Steps), texts(p.Undo)
	}
	return r
}

func state(s plan.State) State {
	return State{TaskDefinition: s.TaskDefinition.Name(), Images: s.Images, Desired: s.Desired}
}

// edited are the containers that the plan's new revision is registered for.
func edited(p plan.Plan) []string {
	for _, step := range p.Steps {
		if register, is := step.(plan.Register); is {
			return slices.Sorted(maps.Keys(register.Draft.Edits))
		}
	}
	return nil
}

func texts(steps []plan.Step) []string {
	var all []string
	for _, s := range steps {
		all = append(all, s.String())
	}
	return all
}

// Plan is the plan as a dry run prints it to the log or a terminal.
func Plan(ps []plan.Plan, f Forecast) string {
	return PlanTable(ps, f) + "nothing was changed\n"
}

// PlanTable is the plan as a run prints it that goes on to carry it out: a
// line for each service with what follows below it, what needs nothing in one
// line, and the cost in AWS's quotas.
func PlanTable(ps []plan.Plan, f Forecast) string {
	var b strings.Builder
	width, skipped := 0, make(map[string][]string)
	for _, p := range ps {
		if p.Skip == "" {
			width = max(width, len(clean(p.Of.String())))
		} else {
			skipped[p.Skip] = append(skipped[p.Skip], p.Of.String())
		}
	}
	waves := plan.Waves(ps)
	for _, wave := range waves {
		if len(waves) > 1 && slices.ContainsFunc(wave, func(p plan.Plan) bool { return p.Skip == "" }) {
			fmt.Fprintf(&b, "wave %d\n", wave[0].Wave)
		}
		for _, p := range wave {
			writePlan(&b, p, min(width, 40))
		}
	}
	for _, why := range slices.Sorted(maps.Keys(skipped)) {
		fmt.Fprintf(&b, "nothing to do for %s, %s: %s\n", count(len(skipped[why]), "service"), clean(why), clean(strings.Join(skipped[why], ", ")))
	}
	for _, u := range f.Usage {
		fmt.Fprintf(&b, "AWS quota %s, %s %s: %s, waiting %s\n", clean(u.Bucket), clean(u.Account), clean(u.Region), count(u.Calls, "call"), Duration(u.Waited))
	}
	for _, text := range f.says() {
		fmt.Fprintln(&b, clean(text))
	}
	return b.String()
}

func writePlan(b *strings.Builder, p plan.Plan, width int) {
	r := FromPlan(p)
	indent := strings.Repeat(" ", width+2)
	if p.Skip == "" {
		what := strings.Join(r.Steps, "; ")
		if p.Refuse != "" {
			what = r.Status.word() + ": " + p.Refuse
		}
		change := r.change()
		if p.Scaling != nil {
			change = r.numbers() + " tasks"
		}
		fmt.Fprintf(b, "%-*s  %s: %s\n", width, clean(p.Of.String()), clean(change), clean(what))
		if len(r.Undo) > 0 {
			fmt.Fprintf(b, "%sthe way back: %s\n", indent, clean(strings.Join(r.Undo, "; ")))
		}
	}
	if p.Scaling != nil && p.Skip == "" {
		for _, next := range p.Scaling.Next {
			fmt.Fprintf(b, "%snext: %s\n", indent, clean(next))
		}
	}
	for _, w := range p.Warnings {
		fmt.Fprintf(b, "%swarning%s: %s\n", indent, of(p), clean(w))
	}
}

// of names the service in a warning that has no line of its service above it.
func of(p plan.Plan) string {
	if p.Skip == "" {
		return ""
	}
	return " for " + clean(p.Of.String())
}
