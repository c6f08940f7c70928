// Package schedule works out when scheduled actions of Application Auto Scaling
// run, and what bounds they leave: what AWS will do to a service tonight, told
// this morning.
//
// It is pure: times come in and go out, nothing is asked and nothing waits. It
// knows the three forms that AWS takes (at, rate, cron), time zones and changes
// of the clock, starts and ends.
//
// Limits: how AWS runs an action in the hour that a change of the clock skips
// or repeats is not documented; such a run is marked Unsure.
package schedule

import (
	"fmt"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // an image FROM scratch has no zones of its own

	"github.com/winebarrel/cronplan"

	"ecs-fleet/internal/fleet"
)

// Runs are the runs of actions after from and until until (included), in their
// order. unread are the actions whose schedule or zone is not understood.
//
// An action with a start runs at its start, too, and not after its end.
// https://docs.aws.amazon.com/autoscaling/application/userguide/scheduled-scaling-using-cron-expressions.html
func Runs(actions []fleet.ScheduledAction, from, until time.Time) (runs []fleet.Firing, unread []string) {
	for _, a := range actions {
		zone, err := time.LoadLocation(a.Zone) // empty is UTC
		var times []time.Time
		if err == nil {
			times, err = timesOf(a, zone, from, until)
		}
		if err != nil {
			unread = append(unread, a.Name)
			continue
		}
		for _, at := range times {
			late := !a.End.IsZero() && at.After(a.End)
			if at.After(from) && !at.After(until) && !late {
				runs = append(runs, fleet.Firing{Action: a, At: at.In(zone), Unsure: changes(at.In(zone))})
			}
		}
	}
	slices.SortStableFunc(runs, func(a, b fleet.Firing) int { return a.At.Compare(b.At) })
	return runs, unread
}

// Apply is what the runs make of bounds, one after the other.
func Apply(runs []fleet.Firing, b fleet.Bounds) fleet.Bounds {
	for _, r := range runs {
		b = r.Action.Apply(b)
	}
	return b
}

// timesOf are the action's times in a window, and maybe some around it.
func timesOf(a fleet.ScheduledAction, zone *time.Location, from, until time.Time) ([]time.Time, error) {
	kind, rest, _ := strings.Cut(a.Schedule, "(")
	inside, after, closed := strings.Cut(rest, ")")
	if !closed || strings.TrimSpace(after) != "" {
		return nil, fmt.Errorf("%q is no schedule", a.Schedule)
	}
	switch strings.TrimSpace(kind) {
	case "at":
		at, err := time.ParseInLocation("2006-01-02T15:04:05", strings.TrimSpace(inside), zone)
		return []time.Time{at}, err
	case "rate":
		return rate(inside, a, from, until)
	case "cron":
		return cron(inside, a, zone, from, until)
	}
	return nil, fmt.Errorf("%q is no schedule", a.Schedule)
}

// rate counts from the start or, without one, from the creation of the action.
// The latter is a guess: AWS does not say.
func rate(inside string, a fleet.ScheduledAction, from, until time.Time) ([]time.Time, error) {
	var n int
	var unit string
	if _, err := fmt.Sscanf(inside, "%d %s", &n, &unit); err != nil || n < 1 {
		return nil, fmt.Errorf("rate(%s) is no rate", inside)
	}
	every, known := map[string]time.Duration{"minute": time.Minute, "hour": time.Hour, "day": 24 * time.Hour}[strings.TrimSuffix(unit, "s")]
	if !known {
		return nil, fmt.Errorf("rate(%s) is no rate", inside)
	}
	every *= time.Duration(n)
	at := a.Start
	if at.IsZero() {
		at = a.Created.Add(every)
	}
	if behind := from.Sub(at); behind > 0 {
		at = at.Add(behind / every * every)
	}
	var times []time.Time
	for ; !at.After(until); at = at.Add(every) {
		times = append(times, at)
	}
	return times, nil
}

// cron reads the clock on the wall: the parser counts on a clock that never
// changes (UTC), and its results are that clock's readings in the zone.
func cron(inside string, a fleet.ScheduledAction, zone *time.Location, from, until time.Time) ([]time.Time, error) {
	expression, err := cronplan.Parse(strings.TrimSpace(inside))
	if err != nil {
		return nil, err
	}
	if a.Start.After(from) {
		from = a.Start
	}
	var times []time.Time
	if !a.Start.IsZero() {
		times = append(times, a.Start)
	}
	// An hour more on both sides, for what a change of the clock shifts.
	for _, reading := range expression.Between(reading(from.In(zone)).Add(-time.Hour), reading(until.In(zone)).Add(time.Hour)) {
		at := time.Date(reading.Year(), reading.Month(), reading.Day(), reading.Hour(), reading.Minute(), 0, 0, zone)
		if !at.Before(from) && !at.Equal(a.Start) {
			times = append(times, at)
		}
	}
	return times, nil
}

// reading is what a clock on the wall shows, as a time in UTC.
func reading(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), 0, time.UTC)
}

// changes tells whether the clock is changed within an hour of t.
func changes(t time.Time) bool {
	_, before := t.Add(-time.Hour).Zone()
	_, after := t.Add(time.Hour).Zone()
	return before != after
}
