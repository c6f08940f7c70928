package report

import (
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ecs-fleet/internal/fleet"
)

func ref(environment, service string) fleet.ServiceRef {
	return fleet.ServiceRef{Environment: environment, Service: service}
}

func TestLog(t *testing.T) {
	l := NewLog([]fleet.ServiceRef{ref("a", "rails"), ref("a", "nginx"), ref("b", "rails"), ref("c", "rails"), ref("d", "rails")})
	well := service("a", "rails")
	unwell := service("a", "nginx")
	unwell.Status, unwell.Reason = RolledBack, "no luck"
	for _, e := range []Event{
		{After: 1 * time.Second, Kind: Note, Text: "of the whole run"},
		{After: 12 * time.Second, Of: ref("a", "rails"), Kind: Note, Text: "registered\nrails:42"},
		{After: 13 * time.Second, Of: ref("a", "rails"), Kind: Started},
		{After: 14 * time.Second, Of: ref("b", "rails"), Kind: Waiting, Text: "waiting for ecs:task-definition-modify"},
		{After: 14 * time.Second, Of: ref("c", "rails"), Kind: Waiting, Text: "waiting for ecs:task-definition-modify"},
		{After: 15 * time.Second, Of: ref("d", "rails"), Kind: Waiting, Text: "registering"},
		{After: 79 * time.Second, Of: ref("a", "rails"), Kind: Ended, Result: &well},
		{After: 80500 * time.Millisecond, Of: ref("a", "nginx"), Kind: Ended, Result: &unwell},
	} {
		if g, ended := l.Add(e); ended {
			t.Errorf("%v ends a group: %v", e, g)
		}
	}
	if got, want := l.Progress(80*time.Second), "0 of 4 environments done, 1 failed; 1 deploying, 1 queued, 2 waiting for ecs:task-definition-modify; 1m20s"; got != want {
		t.Errorf("before the end: got %q, want %q", got, want)
	}
	got, ended := l.Add(Event{After: 133 * time.Second, Of: ref("a", ""), Kind: EnvironmentEnded})
	want := Group{"❌ a: 1 rolled back, 1 deployed, 2 min 01 s", []string{
		"+12s rails: registered rails:42",
		"+1m19s rails: deployed",
		"+1m20s nginx: rolled back, v1.7.0 runs again: no luck",
	}}
	if diff := cmp.Diff(want, got); diff != "" || !ended {
		t.Errorf("ended %v (-want +got):\n%s", ended, diff)
	}
	if _, again := l.Add(Event{Of: ref("a", ""), Kind: EnvironmentEnded}); again {
		t.Error("an environment ends twice")
	}
	if got, want := l.Progress(80*time.Second), "1 of 4 environments done, 1 failed; 1 queued, 2 waiting for ecs:task-definition-modify; 1m20s"; got != want {
		t.Errorf("after the end: got %q, want %q", got, want)
	}
	states := []EnvironmentState{
		{"a", 2, 2, "nginx: rolled back, v1.7.0 runs again: no luck", Broken},
		{"b", 0, 1, "rails: waiting for ecs:task-definition-modify", Queued},
		{"c", 0, 1, "rails: waiting for ecs:task-definition-modify", Queued},
		{"d", 0, 1, "rails: registering", Queued},
	}
	for _, want := range states {
		if s, known := l.Environment(want.Name); !known || s != want {
			t.Errorf("Environment(%s) = %v, %v; want %v", want.Name, s, known, want)
		}
	}
}

func TestLogOfAHealthyEnvironment(t *testing.T) {
	l := NewLog([]fleet.ServiceRef{ref("a", "rails")})
	r := service("a", "rails")
	l.Add(Event{After: time.Second, Of: r.Of, Kind: Started, Text: "deploying rails:42"})
	if got, _ := l.Environment("a"); got.State != Deploying {
		t.Errorf("after its start it is %s", got.State)
	}
	l.Add(Event{After: 30 * time.Second, Of: r.Of, Kind: Waiting, Text: Baking + "for 5 min 00 s"})
	if got, want := l.Progress(40*time.Second), "0 of 1 environment done; 1 baking; 40s"; got != want {
		t.Errorf("while its wave bakes: got %q, want %q", got, want)
	}
	l.Add(Event{After: 49 * time.Second, Of: r.Of, Kind: Ended, Result: &r})
	g, _ := l.Add(Event{After: 49 * time.Second, Of: ref("a", ""), Kind: EnvironmentEnded})
	if want := "✅ a: 1 deployed, 48 s"; g.Title != want {
		t.Errorf("got %q, want %q", g.Title, want)
	}
	if got, _ := l.Environment("a"); got.State != Done {
		t.Errorf("after its end it is %s", got.State)
	}
}

func TestLogIsSafeForConcurrentUse(t *testing.T) {
	l := NewLog(nil)
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			l.Add(Event{Of: ref("a", "b"), Kind: Note, Text: "x"})
			l.Progress(0)
			l.Environment("a")
		})
	}
	all.Wait()
	if g, _ := l.Add(Event{Of: ref("a", ""), Kind: EnvironmentEnded}); len(g.Lines) != 20 {
		t.Errorf("%d lines, want 20", len(g.Lines))
	}
}
