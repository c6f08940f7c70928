package fleet

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Count is a wanted number of tasks: absolute, or told by the present one. The
// zero value is no task at all.
type Count struct {
	N    int
	Kind CountKind
}

// CountKind is how a Count is told.
type CountKind int

// The kinds of counts.
const (
	Absolute CountKind = iota // 8
	Change                    // +4, -2
	Percent                   // 200%
)

// ParseCount reads "8", "+4", "-2" or "200%".
func ParseCount(text string) (Count, error) {
	shape := shapes["desired-count"]
	if !shape.pattern.MatchString(text) {
		return Count{}, fmt.Errorf("%q is no number of tasks; %s", text, shape.instead)
	}
	number, percent := strings.CutSuffix(text, "%")
	n, err := strconv.Atoi(number)
	switch {
	case err != nil: // never: the pattern is narrower
		return Count{}, err
	case percent:
		return Count{n, Percent}, nil
	case text[0] == '+', text[0] == '-':
		return Count{n, Change}, nil
	}
	return Count{n, Absolute}, nil
}

// Relative tells whether the count depends on the present one.
func (c Count) Relative() bool { return c.Kind != Absolute }

// Of is the number of tasks that the count means where now are wanted; a share
// is rounded up. It may be negative.
func (c Count) Of(now int) int {
	switch c.Kind {
	case Change:
		return now + c.N
	case Percent:
		return (now*c.N + 99) / 100
	}
	return c.N
}

// String is the count as it is written.
func (c Count) String() string {
	switch c.Kind {
	case Change:
		return fmt.Sprintf("%+d", c.N)
	case Percent:
		return fmt.Sprintf("%d%%", c.N)
	}
	return strconv.Itoa(c.N)
}

// ScalableTarget is what AWS shows of a service's autoscaling. A service
// without one keeps the number of tasks that it is told.
type ScalableTarget struct {
	Bounds
	Suspended Suspension
	// Policies and Actions are the scaling policies and scheduled actions of
	// the target, by name.
	Policies []ScalingPolicy
	Actions  []ScheduledAction
	// Unread: the two could not be read, and say nothing.
	Unread bool
}

// Bounds are the least and the most tasks that autoscaling lets a service have.
type Bounds struct{ Min, Max int }

// String is "2–10".
func (b Bounds) String() string { return fmt.Sprintf("%d–%d", b.Min, b.Max) }

// Clamp is the number in the bounds that is nearest to n.
func (b Bounds) Clamp(n int) int { return max(b.Min, min(b.Max, n)) }

// Suspension says which kinds of scaling of a target are suspended.
type Suspension struct{ In, Out, Scheduled bool }

// Any tells whether anything is suspended.
func (s Suspension) Any() bool { return s != Suspension{} }

// String is "in+out+scheduled", what is not suspended left out; "none".
func (s Suspension) String() string {
	var parts []string
	for _, p := range []struct {
		is   bool
		name string
	}{{s.In, "in"}, {s.Out, "out"}, {s.Scheduled, "scheduled"}} {
		if p.is {
			parts = append(parts, p.name)
		}
	}
	if parts == nil {
		return "none"
	}
	return strings.Join(parts, "+")
}

// ScalingPolicy is what moves the number of tasks inside the bounds.
type ScalingPolicy struct {
	Name string
	Type string // TargetTrackingScaling, StepScaling, PredictiveScaling
}

// ScheduledAction sets bounds at its time, once or again and again.
type ScheduledAction struct {
	Name     string
	Schedule string // at(…), rate(…) or cron(…), as AWS writes it
	Zone     string // IANA name; empty: UTC
	// Start and End bound a recurrence; zero: no bound.
	Start, End time.Time
	Created    time.Time
	Min, Max   *int // nil: left as it is
}

// Apply is what the action makes of bounds. One that would put the minimum above
// the maximum does nothing: AWS refuses such bounds wherever it is given them,
// and that it does so here as well is a guess.
func (a ScheduledAction) Apply(b Bounds) Bounds {
	after := b
	if a.Min != nil {
		after.Min = *a.Min
	}
	if a.Max != nil {
		after.Max = *a.Max
	}
	if after.Min > after.Max {
		return b
	}
	return after
}

// Firing is one run of a scheduled action.
type Firing struct {
	Action ScheduledAction
	At     time.Time // in the action's zone
	// Unsure: the clock is changed within an hour of it, and AWS does not say
	// what becomes of an hour that is skipped or repeated.
	Unsure bool
}

// Outlook is what scheduled actions will make of a service's bounds, as far as
// anybody can know it now.
type Outlook struct {
	Now time.Time
	// Until is when a temporary change ends; zero: it stays.
	Until time.Time
	// Before are the bounds that the schedules would have set by now had nobody
	// changed them, and AtEnd those at Until.
	Before, AtEnd Bounds
	// Runs are the runs to come, the next one first, and Soon how many of them
	// come before the change ends or, when it stays, within a day.
	Runs []Firing
	Soon int
	// Unread are scheduled actions that are not understood.
	Unread []string
}

// Before is what a service was before it was scaled, as it is kept in AWS, so
// that anybody can put it back.
type Before struct {
	Desired   int
	Bounds    *Bounds // nil: it had no scalable target
	Suspended Suspension
	At        time.Time // when it was changed
	Until     time.Time // when AWS itself puts the bounds back; zero: never
}

// BeforeTag is the tag of an ECS service that holds the text of a Before. A
// service's tags come with every look at it, whether it has a scalable target
// or not. What a tag's value may hold:
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Tag.html
const BeforeTag = "ecs-fleet:before"

// SuspendedTag is the tag of an ECS service that holds the text of what was
// suspended of its scaling before a deploy suspended all dynamic scaling.
const SuspendedTag = "ecs-fleet:suspended"

// ParseSuspension reads the text of a Suspension.
func ParseSuspension(text string) Suspension {
	kinds := strings.Split(text, "+")
	return Suspension{In: slices.Contains(kinds, "in"), Out: slices.Contains(kinds, "out"), Scheduled: slices.Contains(kinds, "scheduled")}
}

// String is "desired=4 min=2 max=10 suspended=none at=2026-01-31T20:00:00Z
// until=2026-01-31T23:00:00Z", with target=none in place of bounds where there
// were none.
func (b Before) String() string {
	text := fmt.Sprintf("desired=%d target=none", b.Desired)
	if b.Bounds != nil {
		text = fmt.Sprintf("desired=%d min=%d max=%d suspended=%s", b.Desired, b.Bounds.Min, b.Bounds.Max, b.Suspended)
	}
	text += " at=" + b.At.UTC().Format(time.RFC3339)
	if !b.Until.IsZero() {
		text += " until=" + b.Until.UTC().Format(time.RFC3339)
	}
	return text
}

// ParseBefore reads the text of a Before; nil when it is none.
func ParseBefore(text string) *Before {
	var b Before
	var bounds Bounds
	numbers := map[string]*int{"desired": &b.Desired, "min": &bounds.Min, "max": &bounds.Max}
	times := map[string]*time.Time{"at": &b.At, "until": &b.Until}
	seen := make(map[string]bool)
	for _, field := range strings.Fields(text) {
		name, value, _ := strings.Cut(field, "=")
		var err error
		switch {
		case numbers[name] != nil:
			*numbers[name], err = strconv.Atoi(value)
		case times[name] != nil:
			*times[name], err = time.Parse(time.RFC3339, value)
		case name == "suspended":
			b.Suspended = ParseSuspension(value)
		}
		if err != nil {
			return nil
		}
		seen[name] = true
	}
	if seen["min"] && seen["max"] {
		b.Bounds = &bounds
	}
	if !seen["desired"] || !seen["at"] || !seen["target"] && b.Bounds == nil {
		return nil
	}
	return &b
}
