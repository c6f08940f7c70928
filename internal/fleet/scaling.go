package fleet

import (
	"fmt"
	"strings"
	"time"
)

// ScalableTarget is what AWS shows of a service's autoscaling. A service
// without one keeps the number of tasks that it is told.
type ScalableTarget struct {
	Bounds
	Suspended Suspension
	// Policies and Actions are the scaling policies and scheduled actions of
	// the target, by name.
	Policies []ScalingPolicy
	Actions  []ScheduledAction
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

// Apply is what the action makes of bounds.
func (a ScheduledAction) Apply(b Bounds) Bounds {
	if a.Min != nil {
		b.Min = *a.Min
	}
	if a.Max != nil {
		b.Max = *a.Max
	}
	return b
}
