package schedule

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ecs-fleet/internal/fleet"
)

func moment(t *testing.T, text string) time.Time {
	t.Helper()
	m, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestRuns(t *testing.T) {
	for name, test := range map[string]struct {
		action      fleet.ScheduledAction
		from, until string
		want        []string // in the action's zone; "?" behind one that is unsure
		unread      bool
	}{
		"every evening, in UTC where no zone is given": {
			action: fleet.ScheduledAction{Schedule: "cron(0 22 * * ? *)"}, from: "2026-01-30T22:00:00Z", until: "2026-02-01T22:00:00Z",
			want: []string{"2026-01-31T22:00:00Z", "2026-02-01T22:00:00Z"}},
		"a zone's evening, in winter and in summer": {
			action: fleet.ScheduledAction{Schedule: "cron(0 22 * * ? *)", Zone: "Europe/Rome"}, from: "2026-03-27T20:00:00Z", until: "2026-03-29T22:00:00Z",
			want: []string{"2026-03-27T22:00:00+01:00", "2026-03-28T22:00:00+01:00", "2026-03-29T22:00:00+02:00"}},
		"an hour that the clock skips": {
			action: fleet.ScheduledAction{Schedule: "cron(30 2 * * ? *)", Zone: "Europe/Rome"}, from: "2026-03-28T12:00:00Z", until: "2026-03-30T12:00:00Z",
			want: []string{"2026-03-29T03:30:00+02:00?", "2026-03-30T02:30:00+02:00"}},
		"the third hour on a day that begins with two": {
			action: fleet.ScheduledAction{Schedule: "cron(0 3 * * ? *)", Zone: "Europe/Rome"}, from: "2026-03-29T00:30:00Z", until: "2026-03-29T12:00:00Z",
			want: []string{"2026-03-29T03:00:00+02:00?"}},
		"an hour that the clock repeats": {
			action: fleet.ScheduledAction{Schedule: "cron(30 2 * * ? *)", Zone: "Europe/Rome"}, from: "2026-10-24T12:00:00Z", until: "2026-10-25T12:00:00Z",
			want: []string{"2026-10-25T02:30:00+01:00?"}},
		"weekdays, by name": {
			action: fleet.ScheduledAction{Schedule: "cron(0 7 ? * MON-FRI *)", Zone: "Asia/Tokyo"}, from: "2026-01-30T00:00:00Z", until: "2026-02-03T00:00:00Z",
			want: []string{"2026-02-02T07:00:00+09:00", "2026-02-03T07:00:00+09:00"}},
		"once, in a zone": {
			action: fleet.ScheduledAction{Schedule: "at(2026-01-31T23:00:00)", Zone: "America/New_York"}, from: "2026-01-31T00:00:00Z", until: "2026-02-02T00:00:00Z",
			want: []string{"2026-01-31T23:00:00-05:00"}},
		"once, and over": {
			action: fleet.ScheduledAction{Schedule: "at(2026-01-31T23:00:00)"}, from: "2026-01-31T23:00:00Z", until: "2026-02-02T00:00:00Z"},
		"a rate counts from the creation": {
			action: fleet.ScheduledAction{Schedule: "rate(6 hours)", Created: moment(t, "2026-01-01T01:00:00Z")}, from: "2026-01-30T00:00:00Z", until: "2026-01-30T13:00:00Z",
			want: []string{"2026-01-30T01:00:00Z", "2026-01-30T07:00:00Z", "2026-01-30T13:00:00Z"}},
		"or from the start, which is a run": {
			action: fleet.ScheduledAction{Schedule: "rate(1 day)", Created: moment(t, "2026-01-01T01:00:00Z"), Start: moment(t, "2026-01-30T12:00:00Z")}, from: "2026-01-30T00:00:00Z", until: "2026-02-01T00:00:00Z",
			want: []string{"2026-01-30T12:00:00Z", "2026-01-31T12:00:00Z"}},
		"a recurrence inside its start and end": {
			action: fleet.ScheduledAction{Schedule: "cron(0 22 * * ? *)", Start: moment(t, "2026-01-30T10:00:00Z"), End: moment(t, "2026-01-31T22:00:00Z")},
			from:   "2026-01-28T00:00:00Z", until: "2026-02-05T00:00:00Z",
			want: []string{"2026-01-30T10:00:00Z", "2026-01-30T22:00:00Z", "2026-01-31T22:00:00Z"}},
		"what is no schedule":           {action: fleet.ScheduledAction{Schedule: "every evening"}, from: "2026-01-28T00:00:00Z", until: "2026-02-05T00:00:00Z", unread: true},
		"a zone that does not exist":    {action: fleet.ScheduledAction{Schedule: "rate(1 hour)", Zone: "Europe/Atlantis"}, from: "2026-01-28T00:00:00Z", until: "2026-02-05T00:00:00Z", unread: true},
		"five fields, as Unix has them": {action: fleet.ScheduledAction{Schedule: "cron(0 22 * * *)"}, from: "2026-01-28T00:00:00Z", until: "2026-02-05T00:00:00Z", unread: true},
	} {
		t.Run(name, func(t *testing.T) {
			runs, unread := Runs([]fleet.ScheduledAction{test.action}, moment(t, test.from), moment(t, test.until))
			var got []string
			for _, r := range runs {
				text := r.At.Format(time.RFC3339)
				if r.Unsure {
					text += "?"
				}
				got = append(got, text)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
			if (len(unread) > 0) != test.unread {
				t.Errorf("unread: %q", unread)
			}
		})
	}
}

// A scale-out at 20:00 for three hours: the night schedule comes in between.
func TestApplyKeepsWhatTheSchedulesSay(t *testing.T) {
	four, two, six := 4, 2, 6
	actions := []fleet.ScheduledAction{
		{Name: "morning", Schedule: "cron(0 7 * * ? *)", Min: &six},
		{Name: "night", Schedule: "cron(0 22 * * ? *)", Min: &two, Max: &four},
	}
	for until, want := range map[string]fleet.Bounds{
		"2026-01-31T21:59:59Z": {Min: 6, Max: 20},
		"2026-01-31T23:00:00Z": {Min: 2, Max: 4},
		"2026-02-01T07:00:00Z": {Min: 2, Max: 4}, // 6–4 are no bounds
	} {
		runs, _ := Runs(actions, moment(t, "2026-01-31T20:00:00Z"), moment(t, until))
		if got := Apply(runs, fleet.Bounds{Min: 6, Max: 20}); got != want {
			t.Errorf("%s: %s, want %s", until, got, want)
		}
		if !slices.IsSortedFunc(runs, func(a, b fleet.Firing) int { return a.At.Compare(b.At) }) {
			t.Errorf("%s: not in order", until)
		}
	}
}
