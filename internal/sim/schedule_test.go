package sim

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestTimesOfASchedule(t *testing.T) {
	const form = "2006-01-02 15:04"
	for _, test := range []struct {
		name, schedule, zone, after string
		want                        string // times in UTC, comma-separated; what comes then does not matter
	}{
		{"once", "at(2026-03-01T22:00:00)", "", "2026-02-01 00:00", "2026-03-01 22:00,-"},
		{"once, in a zone", "at(2026-07-01T22:00:00)", "Europe/Rome", "2026-02-01 00:00", "2026-07-01 20:00,-"},
		{"once, and it has passed", "at(2026-01-01T22:00:00)", "", "2026-02-01 00:00", "-"},
		{"every day", "cron(0 22 * * ? *)", "", "2026-02-01 22:00", "2026-02-02 22:00,2026-02-03 22:00"},
		{"on weekdays, by numbers", "cron(30 7 ? * 2-6 *)", "", "2026-01-30 08:00", "2026-02-02 07:30,2026-02-03 07:30"},
		{"on weekdays, by names", "cron(30 7 ? * MON-FRI *)", "", "2026-01-30 08:00", "2026-02-02 07:30"},
		{"over the weekend", "cron(0 0 ? * FRI-MON *)", "", "2026-02-03 00:00", "2026-02-06 00:00,2026-02-07 00:00,2026-02-08 00:00,2026-02-09 00:00,2026-02-13 00:00"},
		{"in steps", "cron(0/20 8-9 ? * * *)", "", "2026-02-01 08:50", "2026-02-01 09:00,2026-02-01 09:20,2026-02-01 09:40,2026-02-02 08:00"},
		{"in steps of a range", "cron(10-30/10 8 * * ? *)", "", "2026-02-01 00:00", "2026-02-01 08:10,2026-02-01 08:20,2026-02-01 08:30,2026-02-02 08:10"},
		{"in lists", "cron(0 6,18 1,15 JAN,jul ? *)", "", "2026-02-01 00:00", "2026-07-01 06:00,2026-07-01 18:00,2026-07-15 06:00"},
		{"on the last day of the month", "cron(0 0 L * ? *)", "", "2026-02-01 00:00", "2026-02-28 00:00,2026-03-31 00:00"},
		{"on the weekday nearest to the first, a Sunday", "cron(0 0 1W 2 ? *)", "", "2026-01-01 00:00", "2026-02-02 00:00"},
		{"on the weekday nearest to the first, a Saturday", "cron(0 0 1W 8 ? *)", "", "2026-01-01 00:00", "2026-08-03 00:00"},
		{"on the weekday nearest to the last of 31 days, a Sunday", "cron(0 0 31W 5 ? *)", "", "2026-01-01 00:00", "2026-05-29 00:00"},
		{"on the last weekday", "cron(0 0 LW * ? *)", "", "2026-02-01 00:00", "2026-02-27 00:00,2026-03-31 00:00"},
		{"on the last Friday", "cron(0 0 ? * 6L *)", "", "2026-02-01 00:00", "2026-02-27 00:00,2026-03-27 00:00"},
		{"on the second Tuesday", "cron(0 0 ? * 3#2 *)", "", "2026-02-01 00:00", "2026-02-10 00:00,2026-03-10 00:00"},
		{"on the fifth Monday, which not every month has", "cron(0 0 ? * MON#5 *)", "", "2026-02-01 00:00", "2026-03-30 00:00,2026-06-29 00:00"},
		{"on Saturdays, as the last day of the week", "cron(0 0 ? * L *)", "", "2026-02-01 00:00", "2026-02-07 00:00,2026-02-14 00:00"},
		{"in leap years", "cron(0 0 29 2 ? *)", "", "2026-02-01 00:00", "2028-02-29 00:00,2032-02-29 00:00"},
		{"until a year", "cron(0 0 1 1 ? 2026-2027)", "", "2026-02-01 00:00", "2027-01-01 00:00,-"},
		{"in a zone with summer time", "cron(0 22 * * ? *)", "Europe/Rome", "2026-03-27 22:00", "2026-03-28 21:00,2026-03-29 20:00"},
		{"in a zone that goes back to winter time", "cron(0 22 * * ? *)", "Europe/Rome", "2026-10-23 22:00", "2026-10-24 20:00,2026-10-25 21:00"},
		{"in the hour that is skipped", "cron(30 2 * * ? *)", "Europe/Rome", "2026-03-28 00:00", "2026-03-28 01:30,2026-03-30 00:30"},
		{"in the hour that comes twice", "cron(30 2 * * ? *)", "Europe/Rome", "2026-10-24 12:00", "2026-10-25 00:30,2026-10-26 01:30"},
		{"every twenty minutes through the hour that comes twice", "cron(0/30 2 * * ? *)", "Europe/Rome", "2026-10-24 12:00", "2026-10-25 00:00,2026-10-25 00:30,2026-10-26 01:00"},
		{"ahead of UTC", "cron(0 7 ? * MON *)", "Pacific/Auckland", "2026-02-01 00:00", "2026-02-01 18:00,2026-02-08 18:00"},
		{"behind UTC", "cron(0 22 ? * MON *)", "America/Los_Angeles", "2026-02-02 00:00", "2026-02-03 06:00"},
		{"at a rate", "rate(90 minutes)", "", "2026-02-01 02:00", "2026-02-01 03:00,2026-02-01 04:30"},
		{"at a rate of days", "rate(1 day)", "Europe/Rome", "2026-02-01 02:00", "2026-02-02 00:00"},
		{"at a rate that has not begun", "rate(1 hour)", "", "2026-01-20 02:00", "2026-02-01 01:00"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, err := parseSchedule(test.schedule, test.zone)
			if err != nil {
				t.Fatal(err)
			}
			at, err := time.Parse(form, test.after)
			if err != nil {
				t.Fatal(err)
			}
			anchor := time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)
			var got []string
			for range strings.Split(test.want, ",") {
				next, ok := s.next(at, anchor)
				if !ok {
					got = append(got, "-")
					break
				}
				got = append(got, next.UTC().Format(form))
				at = next
			}
			if diff := cmp.Diff(test.want, strings.Join(got, ",")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhatIsNoSchedule(t *testing.T) {
	for _, test := range []struct{ name, schedule, zone string }{
		{"nothing", "", ""},
		{"Unix cron", "0 22 * * *", ""},
		{"five fields", "cron(0 22 * * ?)", ""},
		{"no question mark", "cron(0 22 * * * *)", ""},
		{"two question marks", "cron(0 22 ? * ? *)", ""},
		{"an hour too late", "cron(0 24 * * ? *)", ""},
		{"day 0 of the week", "cron(0 22 ? * 0 *)", ""},
		{"a month that does not exist", "cron(0 22 * FOO ? *)", ""},
		{"a step of 0", "cron(0/0 22 * * ? *)", ""},
		{"a year before time began", "cron(0 22 * * ? 1969)", ""},
		{"a date with a zone", "at(2026-01-01T22:00:00Z)", ""},
		{"a date without seconds", "at(2026-01-01T22:00)", ""},
		{"a rate of 0", "rate(0 minutes)", ""},
		{"a rate of weeks", "rate(1 week)", ""},
		{"a zone that does not exist", "cron(0 22 * * ? *)", "Europe/Roma"},
		{"the zone of the machine", "cron(0 22 * * ? *)", "Local"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if s, err := parseSchedule(test.schedule, test.zone); err == nil {
				t.Errorf("it is %v", s)
			}
		})
	}
}
