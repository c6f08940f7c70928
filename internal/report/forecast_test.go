package report

import (
	"strings"
	"testing"
	"time"
)

func TestWhatAForecastAdvises(t *testing.T) {
	row := func(bucket string, calls int, waited time.Duration) Usage {
		return Usage{Account: "444455556666", Region: "us-east-1", Bucket: bucket, Calls: calls, Waited: waited}
	}
	registrations, updates := row("ecs:task-definition-modify", 1000, 980*time.Second), row("ecs:service-modify", 1000, 190*time.Second)
	const (
		ask        = "Ask AWS Support to raise the request rate of ecs:RegisterTaskDefinition for account 444455556666, us-east-1"
		askUpdates = "Ask AWS Support to raise the request rate of ecs:UpdateService for account 444455556666, us-east-1"
		prepare    = "Prepare ahead"
		elsewhere  = "Environments in another account or Region would not wait"
		share      = "api-share leaves 75% of this quota to others"
	)
	tests := []struct {
		name  string
		f     Forecast
		first string
		rest  []string // beginnings
	}{
		{"no writes", Forecast{}, "", nil},
		{"enough tokens", Forecast{Usage: []Usage{row("ecs:service-modify", 10, 0)}}, "No quota holds this run up: there are tokens for all of its writes.", nil},
		{"a short wait is no matter", Forecast{Usage: []Usage{row("ecs:task-definition-modify", 24, 4*time.Second)}},
			"At the earliest, the last write is sent after 4 s. What holds it up is ecs:task-definition-modify of account 444455556666, us-east-1.", nil},
		{"registrations hold up a deploy", Forecast{Usage: []Usage{registrations, updates}},
			"At the earliest, the last write is sent after 16 min 20 s. What holds it up is ecs:task-definition-modify of account 444455556666, us-east-1.", []string{prepare, ask, elsewhere}},
		{"preparing cannot be prepared", Forecast{Usage: []Usage{registrations}, Prepare: true},
			"At the earliest, the last write is sent after 16 min 20 s. What holds it up is ecs:task-definition-modify of account 444455556666, us-east-1.", []string{ask, elsewhere}},
		{"updates of a prepared release", Forecast{Usage: []Usage{updates}, Share: 0.25},
			"At the earliest, the last write is sent after 3 min 10 s. What holds it up is ecs:service-modify of account 444455556666, us-east-1.", []string{share, askUpdates, elsewhere}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			says := tt.f.says()
			if tt.first == "" {
				if len(says) > 0 {
					t.Errorf("says %q, want nothing", says)
				}
				return
			}
			if says[0] != tt.first {
				t.Errorf("says %q, want %q", says[0], tt.first)
			}
			if len(says)-1 != len(tt.rest) {
				t.Fatalf("says %q, want %q after the first", says, tt.rest)
			}
			for i, want := range tt.rest {
				if !strings.HasPrefix(says[i+1], want) {
					t.Errorf("says %q, want %q…", says[i+1], want)
				}
			}
		})
	}
}
