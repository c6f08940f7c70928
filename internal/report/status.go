package report

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// looks are how statuses show: worst first, which is the order of counts and
// failures.
var looks = []struct {
	status     Status
	sign, word string
}{
	{RollbackFailed, "🆘", "rollback failed"},
	{Failed, "❌", "failed"},
	{RolledBack, "↩️", "rolled back"},
	{Cancelled, "⏹️", "cancelled"},
	{NotStarted, "⏸️", "not started"},
	{Deployed, "✅", "deployed"},
	{Scaled, "✅", "scaled"},
	{Unchanged, "☑️", "unchanged"},
	{Planned, "📋", "planned"},
}

// rank is the place in looks; a status that is not there is the worst.
func (s Status) rank() int {
	for i, l := range looks {
		if l.status == s {
			return i
		}
	}
	return -1
}

func (s Status) sign() string {
	if i := s.rank(); i >= 0 {
		return looks[i].sign
	}
	return "❔"
}

func (s Status) word() string {
	if i := s.rank(); i >= 0 {
		return looks[i].word
	}
	return "unknown status " + string(s)
}

// Broken tells whether the service failed, as opposed to was left alone or
// interrupted.
func (s Status) Broken() bool { return !s.Well() && s != Cancelled && s != NotStarted }

// outcome is how the service ended, in words and with what runs now. The
// summary and the annotations say it alike.
func (r Result) outcome() string {
	from, to := r.tag(r.From), r.tag(r.To)
	switch {
	case r.Status == RolledBack && from != "" && from != to:
		return "rolled back, " + from + " runs again"
	case r.Status == RollbackFailed && from != "" && to != "" && from != to:
		return "rollback failed, it may run " + from + " as well as " + to
	}
	return r.Status.word()
}

// reasonMost is the most characters of a reason that are shown to people. The
// result has them all.
const reasonMost = 4000

// why is the reason in one line of at most so many characters.
func (r Result) why(limit int) string {
	if r.Reason == "" && r.Status.Broken() {
		return "no reason is known: see the service's events in the console"
	}
	return clean(shorten(r.Reason, limit, "…"))
}

// hint is the recorded advice, else what the table has.
func (r Result) hint() string {
	if r.Hint != "" || r.Status.Well() || r.Reason == "" {
		return clean(shorten(r.Hint, reasonMost, "…"))
	}
	return Hint(r.Reason, r.Details...)
}

// counts are how many services ended how, worst first: "1 failed, 39 deployed".
func counts(results []Result) string {
	n := make(map[Status]int)
	for _, r := range results {
		n[r.Status]++
	}
	var parts []string
	for _, l := range looks {
		if n[l.status] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n[l.status], l.word))
		}
		delete(n, l.status)
	}
	for _, status := range slices.Sorted(maps.Keys(n)) {
		parts = append(parts, fmt.Sprintf("%d %s", n[status], status.word()))
	}
	return strings.Join(parts, ", ")
}

// environment is a place with all its results, in the run's order.
type environment struct {
	name    string
	results []Result
}

// environments groups results by environment, in order of first appearance.
func environments(results []Result) []environment {
	var all []environment
	at := make(map[string]int)
	for _, r := range results {
		i, known := at[r.Of.Environment]
		if !known {
			i = len(all)
			at[r.Of.Environment] = i
			all = append(all, environment{name: r.Of.Environment})
		}
		all[i].results = append(all[i].results, r)
	}
	return all
}

// any tells whether one of the environment's services ended in such a way.
func (e environment) any(is func(Status) bool) bool {
	for _, r := range e.results {
		if is(r.Status) {
			return true
		}
	}
	return false
}

// named are the names of the environments with such a service.
func named(all []environment, is func(Status) bool) []string {
	var names []string
	for _, e := range all {
		if e.any(is) {
			names = append(names, e.name)
		}
	}
	return names
}
