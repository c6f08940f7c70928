package sim

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // zones where the machine has none, as in a small container
)

// schedule is when a scheduled action runs, by its expression alone: at(…),
// rate(…) or cron(…).
// https://docs.aws.amazon.com/autoscaling/application/APIReference/API_PutScheduledAction.html
type schedule interface {
	// next is the first time after t; false: there is none any more. A
	// schedule without a phase of its own counts from the anchor.
	next(t, anchor time.Time) (time.Time, bool)
}

// parseSchedule reads an expression in a zone, which rate expressions ignore.
func parseSchedule(text, zone string) (schedule, error) {
	loc, err := time.LoadLocation(cmp.Or(zone, "UTC"))
	if err != nil || zone == "Local" {
		return nil, fmt.Errorf("%q is no time zone", zone)
	}
	kind, rest, _ := strings.Cut(text, "(")
	inner, closed := strings.CutSuffix(rest, ")")
	if !closed {
		return nil, fmt.Errorf("%q is no at(…), rate(…) or cron(…)", text)
	}
	switch kind {
	case "at":
		t, err := time.ParseInLocation("2006-01-02T15:04:05", inner, loc)
		if err != nil {
			return nil, fmt.Errorf("%q is not at(yyyy-mm-ddThh:mm:ss)", text)
		}
		return once{t}, nil
	case "rate":
		return parseRate(inner)
	case "cron":
		return parseCron(inner, loc)
	}
	return nil, fmt.Errorf("%q is no at(…), rate(…) or cron(…)", text)
}

// once is at(…).
type once struct{ at time.Time }

func (o once) next(t, _ time.Time) (time.Time, bool) { return o.at, o.at.After(t) }

// every is rate(…): each period after the anchor.
type every struct{ period time.Duration }

func (e every) next(t, anchor time.Time) (time.Time, bool) {
	if t.Before(anchor) {
		return anchor.Add(e.period), true
	}
	return anchor.Add((t.Sub(anchor)/e.period + 1) * e.period), true
}

func parseRate(inner string) (schedule, error) {
	number, unit, _ := strings.Cut(inner, " ")
	n, err := strconv.Atoi(number)
	period, known := map[string]time.Duration{
		"minute": time.Minute, "minutes": time.Minute, "hour": time.Hour, "hours": time.Hour, "day": 24 * time.Hour, "days": 24 * time.Hour,
	}[unit]
	if err != nil || n < 1 || !known {
		return nil, fmt.Errorf("rate(%s) is not rate(number unit) with minutes, hours or days", inner)
	}
	return every{time.Duration(n) * period}, nil
}

// cron is cron(minutes hours day-of-month month day-of-week year).
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-cron-expressions.html
// https://docs.aws.amazon.com/autoscaling/application/userguide/scheduled-scaling-using-cron-expressions.html
type cron struct {
	minutes, hours []int
	months, years  map[int]bool
	day            func(time.Time) bool // of a date at midnight UTC
	loc            *time.Location
}

// The years that AWS's cron knows.
const firstYear, lastYear = 1970, 2199

func parseCron(inner string, loc *time.Location) (schedule, error) {
	f := strings.Fields(inner)
	if len(f) != 6 {
		return nil, fmt.Errorf("cron(%s) has %d fields, not minutes, hours, day-of-month, month, day-of-week, year", inner, len(f))
	}
	// That two question marks are refused is a guess.
	if (f[2] == "?") == (f[4] == "?") {
		return nil, fmt.Errorf("cron(%s): write ? as either the day-of-month or the day-of-week", inner)
	}
	minutes, err1 := cronSet(f[0], 0, 59, nil)
	hours, err2 := cronSet(f[1], 0, 23, nil)
	months, err3 := cronSet(f[3], 1, 12, monthNames())
	years, err4 := cronSet(f[5], firstYear, lastYear, nil)
	var day func(time.Time) bool
	var err5 error
	if f[4] == "?" {
		day, err5 = daysOfMonth(f[2])
	} else {
		day, err5 = daysOfWeek(f[4])
	}
	if err := cmp.Or(err1, err2, err3, err4, err5); err != nil {
		return nil, fmt.Errorf("cron(%s): %w", inner, err)
	}
	return cron{sortedInts(minutes), sortedInts(hours), months, years, day, loc}, nil
}

func monthNames() []string {
	return []string{"JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"}
}

func dayNames() []string { return []string{"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"} }

func sortedInts(set map[int]bool) []int {
	var all []int
	for n := range set {
		all = append(all, n)
	}
	slices.Sort(all)
	return all
}

// cronSet reads lists, ranges, steps and names into the numbers from lo to hi
// that they mean. A range that ends before it begins goes on from the start
// (FRI-MON), which is a guess.
func cronSet(field string, lo, hi int, names []string) (map[int]bool, error) {
	set := map[int]bool{}
	for item := range strings.SplitSeq(field, ",") {
		base, stepText, stepped := strings.Cut(item, "/")
		from, to, err := cronRange(base, lo, hi, names, stepped)
		if err != nil {
			return nil, err
		}
		step := 1
		if stepped {
			if step, err = strconv.Atoi(stepText); err != nil || step < 1 {
				return nil, fmt.Errorf("%q has no step above 0", item)
			}
		}
		if to < from {
			to += hi - lo + 1
		}
		for n := from; n <= to; n += step {
			set[lo+(n-lo)%(hi-lo+1)] = true
		}
	}
	return set, nil
}

func cronRange(base string, lo, hi int, names []string, stepped bool) (from, to int, err error) {
	if base == "*" {
		return lo, hi, nil
	}
	first, last, ranged := strings.Cut(base, "-")
	if from, err = cronNumber(first, lo, hi, names); err != nil {
		return 0, 0, err
	}
	switch {
	case ranged:
		to, err = cronNumber(last, lo, hi, names)
	case stepped:
		to = hi
	default:
		to = from
	}
	return from, to, err
}

func cronNumber(text string, lo, hi int, names []string) (int, error) {
	if i := slices.Index(names, strings.ToUpper(text)); i >= 0 {
		return lo + i, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < lo || n > hi {
		return 0, fmt.Errorf("%q is no number from %d to %d", text, lo, hi)
	}
	return n, nil
}

// daysOfMonth reads the third field: numbers, L (the last day), 15W (the
// weekday nearest to the 15th, of the same month) and LW.
func daysOfMonth(field string) (func(time.Time) bool, error) {
	switch {
	case field == "L":
		return func(d time.Time) bool { return d.Day() == monthEnd(d) }, nil
	case field == "LW":
		return func(d time.Time) bool { return d.Day() == nearestWeekday(d, monthEnd(d)) }, nil
	case strings.HasSuffix(field, "W"):
		n, err := cronNumber(strings.TrimSuffix(field, "W"), 1, 31, nil)
		return func(d time.Time) bool { return n <= monthEnd(d) && d.Day() == nearestWeekday(d, n) }, err
	}
	set, err := cronSet(field, 1, 31, nil)
	return func(d time.Time) bool { return set[d.Day()] }, err
}

func monthEnd(d time.Time) int {
	return time.Date(d.Year(), d.Month()+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

// nearestWeekday is the day from Monday to Friday that is nearest to day n of
// d's month, in that month.
func nearestWeekday(d time.Time, n int) int {
	switch time.Date(d.Year(), d.Month(), n, 0, 0, 0, 0, time.UTC).Weekday() {
	case time.Saturday:
		if n == 1 {
			return 3
		}
		return n - 1
	case time.Sunday:
		if n == monthEnd(d) {
			return n - 2
		}
		return n + 1
	}
	return n
}

// daysOfWeek reads the fifth field: numbers and names from 1 or SUN to 7 or
// SAT, L (Saturday), 6L (the month's last Friday) and 3#2 (its second Tuesday).
func daysOfWeek(field string) (func(time.Time) bool, error) {
	if field == "L" {
		field = "7"
	}
	if day, nth, counted := strings.Cut(field, "#"); counted {
		n, err1 := cronNumber(day, 1, 7, dayNames())
		k, err2 := cronNumber(nth, 1, 5, nil)
		return func(d time.Time) bool { return weekday(d) == n && (d.Day()+6)/7 == k }, cmp.Or(err1, err2)
	}
	if day, last := strings.CutSuffix(field, "L"); last {
		n, err := cronNumber(day, 1, 7, dayNames())
		return func(d time.Time) bool { return weekday(d) == n && d.Day()+7 > monthEnd(d) }, err
	}
	set, err := cronSet(field, 1, 7, dayNames())
	return func(d time.Time) bool { return set[weekday(d)] }, err
}

// weekday counts as AWS does: 1 is Sunday.
func weekday(d time.Time) int { return int(d.Weekday()) + 1 }

func (c cron) next(t, _ time.Time) (time.Time, bool) {
	local := t.In(c.loc)
	// A local time can be ahead of t by no more than a day.
	for d := time.Date(local.Year(), local.Month(), local.Day(), 0, 0, 0, 0, time.UTC); d.Year() <= lastYear; d = d.AddDate(0, 0, 1) {
		if !c.years[d.Year()] || !c.months[int(d.Month())] || !c.day(d) {
			continue
		}
		var first time.Time
		for _, hour := range c.hours {
			for _, minute := range c.minutes {
				at, ok := wallClock(d, hour, minute, c.loc)
				if ok && at.After(t) && (first.IsZero() || at.Before(first)) {
					first = at
				}
			}
		}
		if !first.IsZero() {
			return first, true
		}
	}
	return time.Time{}, false
}

// wallClock is the instant at which the clocks of a zone show a time of day.
// The daylight saving change makes two guesses necessary, AWS does not say: a
// time that the clocks skip does not come that day, and of a time that they
// show twice the first counts.
func wallClock(d time.Time, hour, minute int, loc *time.Location) (time.Time, bool) {
	at := time.Date(d.Year(), d.Month(), d.Day(), hour, minute, 0, 0, loc)
	if at.Hour() != hour || at.Minute() != minute {
		return time.Time{}, false
	}
	begin, _ := at.ZoneBounds()
	if begin.IsZero() {
		return at, true
	}
	_, now := at.Zone()
	_, before := begin.Add(-time.Second).Zone()
	if earlier := at.Add(time.Duration(now-before) * time.Second); earlier.Before(begin) && before > now {
		return earlier, true
	}
	return at, true
}
