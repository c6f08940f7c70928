package report

import (
	"encoding/json"
	"slices"
	"strings"
)

// Output is one output of the action.
type Output struct{ Name, Value string }

// Outputs are all outputs of the run, in the order of action.yml. Lists are
// JSON, "[]" when empty, of "environment/service".
func (r Run) Outputs() []Output {
	list := func(statuses ...Status) string {
		names := []string{}
		for _, s := range r.Services {
			if slices.Contains(statuses, s.Status) {
				names = append(names, s.Of.String())
			}
		}
		return listJSON(names)
	}
	return []Output{
		{"result", string(r.JSON())},
		{"status", r.Status},
		{"changed", list(Deployed, Scaled)},
		{"unchanged", list(Unchanged)},
		{"failed", list(Failed, RollbackFailed, Cancelled)},
		{"rolled-back", list(RolledBack)},
		{"not-started", list(NotStarted)},
	}
}

func listJSON(names []string) string {
	text, err := json.Marshal(names)
	if err != nil {
		panic("report: names have no JSON: " + err.Error())
	}
	return string(text)
}

// ExitCode is 0 when every selected service ended well, 2 when the run was
// refused before its first write, else 1. A run that did not come to know its
// services goes by its status.
func (r Run) ExitCode() int {
	unwell := slices.ContainsFunc(r.Services, func(s Result) bool { return !s.Status.Well() })
	switch {
	case len(r.Mistakes) > 0:
		return 2
	case unwell, len(r.Services) == 0 && r.Status != "succeeded":
		return 1
	}
	return 0
}

// Annotation is a message that GitHub shows on the run's page. Its texts are
// plain, on one line, and no longer than GitHub keeps.
type Annotation struct{ Level, Title, Message string }

// What GitHub keeps of a step's annotations.
// https://github.com/actions/runner/blob/main/src/Runner.Worker/ExecutionContext.cs
const (
	mostAnnotations   = 10 // of each level
	annotationMessage = 4096
)

// Annotations are the run's errors, then its warnings, at most ten of each:
// one error for each environment that failed or, when those are more than ten,
// for each cause. The tenth counts what is left.
func (r Run) Annotations() []Annotation {
	var warnings []about
	for _, w := range (summary{Run: r}).warnings() {
		warnings = append(warnings, about{annotation("warning", "ecs-fleet", w), nil})
	}
	return append(atMost(r.errors(), "error"), atMost(warnings, "warning")...)
}

// about is an annotation with the environments it speaks of.
type about struct {
	Annotation
	environments []string
}

func (r Run) errors() []about {
	var errs []about
	for _, m := range r.Mistakes {
		errs = append(errs, about{annotation("error", "refused, nothing was changed", m), nil})
	}
	if len(errs) > 0 {
		return errs
	}
	envs := environments(r.Services)
	if broken := named(envs, Status.Broken); len(broken) > mostAnnotations {
		errs = r.causes(Status.Broken)
	} else {
		for _, e := range envs {
			if e.any(Status.Broken) {
				errs = append(errs, about{annotation("error", e.name, e.sentence()), []string{e.name}})
			}
		}
	}
	return append(errs, r.causes(func(s Status) bool { return s == Cancelled || s == NotStarted })...)
}

// sentence tells what failed in an environment, in the words of the summary.
func (e environment) sentence() string {
	var parts []string
	for _, r := range e.results {
		if r.Status.Broken() {
			parts = append(parts, r.Of.Service+": "+said(r.outcome(), r.why(reasonMost), r.hint()))
		}
	}
	return strings.Join(parts, "; ")
}

// causes are an error for each reason, with the services it hit.
func (r Run) causes(is func(Status) bool) []about {
	var errs []about
	for i, g := range groups(r.Services, is) {
		var names, places []string
		for _, m := range g.members {
			names, places = append(names, m.Of.String()), append(places, m.Of.Environment)
		}
		var a Annotation
		if i < mostAnnotations { // the others are counted
			message := said(g.outcome, g.reason, g.hint()) + " – " + enumerate(names, 50)
			a = annotation("error", count(len(g.members), "service")+" "+g.first().Status.word(), message)
		}
		errs = append(errs, about{a, places})
	}
	return errs
}

func said(outcome, reason, hint string) string {
	if reason != "" {
		outcome += ": " + reason
	}
	if hint != "" {
		outcome += " – " + hint
	}
	return outcome
}

func annotation(level, title, message string) Annotation {
	return Annotation{level, shorten(clean(title), 200, "…"), shorten(clean(message), annotationMessage-1, "…")}
}

// atMost lets the last annotation that GitHub keeps stand for the others.
func atMost(all []about, level string) []Annotation {
	var kept []Annotation
	for _, a := range all {
		kept = append(kept, a.Annotation)
	}
	if len(all) <= mostAnnotations {
		return kept
	}
	rest := all[mostAnnotations-1:]
	places := make(map[string]bool)
	for _, a := range rest {
		for _, name := range a.environments {
			places[name] = true
		}
	}
	more := "and " + count(len(rest), "more "+level)
	if len(places) > 0 {
		more = "and " + count(len(places), "more environment")
	}
	return append(kept[:mostAnnotations-1], annotation(level, more, more+", see the summary"))
}
