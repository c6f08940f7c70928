package report

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"ecs-fleet/internal/fleet"
	"ecs-fleet/internal/plan"
)

// Scaling is what became of a service's autoscaling.
type Scaling struct {
	Before, After *fleet.Bounds // nil: no scalable target
	Until         time.Time     // when AWS ends it; zero: it stays
	Next          []string      // what will change the number next
	Restored      bool          // what was before was put back
}

// ScalingOf is the scaling of a plan; nil for a plan that does not scale.
func ScalingOf(s *plan.Scaling) *Scaling {
	if s == nil {
		return nil
	}
	return &Scaling{Before: s.Before, After: s.After, Until: s.Outlook.Until, Next: s.Next, Restored: s.Restored}
}

// bounds is "2–10 → 12–12", one of them where nothing changes, "none".
func (s Scaling) bounds() string {
	text := func(b *fleet.Bounds) string {
		if b == nil {
			return "none"
		}
		return b.String()
	}
	if before, after := text(s.Before), text(s.After); before != after {
		return before + " → " + after
	}
	return text(s.After)
}

// until is when AWS ends it.
func (s Scaling) until() string {
	if s.Until.IsZero() {
		return ""
	}
	return s.Until.UTC().Format("2006-01-02 15:04") + " UTC"
}

// numbers is "4 → 12", the tasks that were and are wanted; "4" where nothing
// changes.
func (r Result) numbers() string {
	switch {
	case r.Scaling == nil: // nobody has looked
		return "–"
	case r.From.Desired == r.To.Desired, r.Status == NotStarted:
		return fmt.Sprint(r.From.Desired)
	}
	return fmt.Sprintf("%d → %d", r.From.Desired, r.To.Desired)
}

// scaled tells whether the run scales, instead of putting images anywhere.
func (r Run) scaled() bool { return r.Command == "scale" }

// scaleSuccess is the headline of a scale that went well.
func (s summary) scaleSuccess() string {
	changed, restored := 0, false
	tasks := make(map[int]bool)
	for _, r := range s.Services {
		tasks[r.To.Desired] = true
		if r.Status == Scaled || r.Status == Planned {
			changed++
			restored = r.Scaling != nil && r.Scaling.Restored
		}
	}
	numbers := ""
	if len(tasks) == 1 {
		numbers = " to " + count(s.Services[0].To.Desired, "task")
	}
	until := ""
	if ends := s.ends(); ends != "" {
		until = ", until " + ends
	}
	switch where := count(len(s.all), "environment"); {
	case s.dryRun && restored:
		return fmt.Sprintf("📋 Plan: put %s in %s back to what was before; nothing was changed", count(changed, "service"), where)
	case restored:
		return fmt.Sprintf("✅ %s in %s put back to what was before", count(changed, "service"), where)
	case s.dryRun:
		return fmt.Sprintf("📋 Plan: scale %s in %s%s%s; nothing was changed", count(changed, "service"), where, numbers, until)
	case changed == 0:
		return fmt.Sprintf("✅ Nothing to scale in %s: everything is as asked", where)
	default:
		return fmt.Sprintf("✅ %s in %s scaled%s%s", count(changed, "service"), where, numbers, until)
	}
}

// ends is when the scale ends, if it does everywhere at once.
func (s summary) ends() string {
	var ends []string
	for _, r := range s.Services {
		if r.Scaling != nil && (r.Status == Scaled || r.Status == Planned) && !slices.Contains(ends, r.Scaling.until()) {
			ends = append(ends, r.Scaling.until())
		}
	}
	if len(ends) != 1 {
		return ""
	}
	return ends[0]
}

// capacity is how long the tasks took, the first question of who waits for them.
func (s summary) capacity() string {
	var slowest *Result
	for i, r := range s.Services {
		if r.Status == Scaled && r.Duration > 0 && r.To.Desired > r.From.Desired && r.Running >= r.To.Desired && (slowest == nil || r.Duration > slowest.Duration) {
			slowest = &s.Services[i]
		}
	}
	if slowest == nil {
		return ""
	}
	return fmt.Sprintf("**Time to capacity:** %s from the first call to the last task, in %s, the slowest.", Duration(slowest.Duration), Escape(slowest.Of.String()))
}

// underWay tells what becomes of what the run has begun and not seen the end of.
func (s summary) underWay() string {
	if s.scaled() {
		return "The run ended before these tasks ran. ECS goes on starting or stopping them; nobody watches."
	}
	return "The run ended before these deployments did. ECS goes on with them; nobody watches them or rolls them back."
}

// scaleHead and scaleRow are the table of services of a scale.
func (s summary) scaleHead() {
	if s.dryRun {
		s.row("environment", "service", "tasks", "autoscaling bounds", "steps", "the way back", "what comes next")
		s.row("---", "---", "---:", "---:", "---", "---", "---")
		return
	}
	s.row("environment", "service", "status", "tasks", "running", "autoscaling bounds", "time to capacity", "until", "what comes next", "console")
	s.row("---", "---", "---", "---:", "---:", "---:", "---:", "---", "---", "---")
}

func (s summary) scaleRow(r Result) {
	bounds, until, next := "", "", ""
	if r.Scaling != nil {
		bounds, until, next = r.Scaling.bounds(), r.Scaling.until(), lines(r.Scaling.Next)
	}
	if s.dryRun {
		steps := lines(r.Steps)
		if len(r.Steps) == 0 {
			steps = Escape(strings.TrimSuffix(r.Status.word()+": "+r.why(s.reason), ": "))
		}
		s.row(Escape(r.Of.Environment), Escape(r.Of.Service), r.numbers(), dash(bounds), steps, dash(lines(r.Undo)), dash(next))
		return
	}
	s.row(Escape(r.Of.Environment), Escape(r.Of.Service), s.status(r), r.numbers(), fmt.Sprint(r.Running), dash(bounds), took(r.Duration), dash(until), dash(next), s.console(r))
}

// scalingEntry is the scaling of a service in the result document.
type scalingEntry struct {
	Before *boundsEntry `json:"bounds_before"`
	After  *boundsEntry `json:"bounds_after"`
	Until  string       `json:"until,omitempty"`
	Next   []string     `json:"next"`
}

type boundsEntry struct {
	Min int `json:"min"`
	Max int `json:"max"`
}

func (s *Scaling) entry() *scalingEntry {
	if s == nil {
		return nil
	}
	bounds := func(b *fleet.Bounds) *boundsEntry {
		if b == nil {
			return nil
		}
		return &boundsEntry{b.Min, b.Max}
	}
	e := &scalingEntry{Before: bounds(s.Before), After: bounds(s.After), Next: append([]string{}, s.Next...)}
	if !s.Until.IsZero() {
		e.Until = s.Until.UTC().Format(time.RFC3339)
	}
	return e
}
