package plan

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ecs-fleet/internal/fleet"
)

// scaleIn is a steady service with four tasks and the bounds 2–10, at ten in
// the morning.
func scaleIn(change func(*ScaleIn)) ScaleIn {
	count := fleet.Count{N: 12}
	in := ScaleIn{
		Environment: fleet.Environment{Name: "tenant-a"}, Spec: fleet.ServiceSpec{Name: "rails"},
		Seen: fleet.Service{Desired: 4, Running: 4, Deployments: []fleet.Deployment{{ID: "ecs-svc/1", Status: "PRIMARY", RolloutState: "COMPLETED"}}},
		Target: &fleet.ScalableTarget{
			Bounds: fleet.Bounds{Min: 2, Max: 10}, Policies: []fleet.ScalingPolicy{{Name: "cpu", Type: "TargetTrackingScaling"}},
		},
		Outlook: fleet.Outlook{Now: clock(10)}, OnInProgress: "wait",
		Scale: Scale{Count: &count, Autoscaling: "adjust", MaxTasks: 200},
	}
	change(&in)
	return in
}

func clock(hour int) time.Time { return time.Date(2026, 1, 31, hour, 0, 0, 0, time.UTC) }

func of(n int) *int { return &n }

// forAWhile makes the scale a temporary one, until one in the afternoon.
func forAWhile(in *ScaleIn) {
	in.Outlook.Until, in.Outlook.AtEnd = clock(13), fleet.Bounds{Min: 2, Max: 10}
}

// inTemporary is a service that was scaled from 4 to 12 for a while before.
func inTemporary(in *ScaleIn, until time.Time) {
	in.Seen.Desired, in.Seen.Running = 12, 12
	in.Before = &fleet.Before{Desired: 4, Bounds: &fleet.Bounds{Min: 2, Max: 10}, At: clock(9), Until: until}
	in.Target.Bounds = fleet.Bounds{Min: 12, Max: 12}
	in.Target.Actions = []fleet.ScheduledAction{{Name: EndAction}}
	in.Outlook.Before = fleet.Bounds{Min: 2, Max: 10}
}

func TestMakeScale(t *testing.T) {
	const record = "record in AWS what was before: 4 desired, bounds 2–10"
	for name, c := range map[string]struct {
		in       func(*ScaleIn)
		want     []string
		skip     string
		mistake  string
		warnings []string
	}{
		"bounds go first, and the maximum no lower than the number": {
			in:   func(in *ScaleIn) {},
			want: []string{record, "set the bounds of autoscaling from 2–10 to 12–12", "set the desired count from 4 to 12"}},
		"a maximum that is higher stays": {
			in:   func(in *ScaleIn) { in.Count.N = 6 },
			want: []string{record, "set the bounds of autoscaling from 2–10 to 6–10", "set the desired count from 4 to 6"}},
		"scaling in lets the bounds allow it": {
			in:   func(in *ScaleIn) { in.Count.N = 1 },
			want: []string{record, "set the bounds of autoscaling from 2–10 to 1–10", "set the desired count from 4 to 1"}},
		"without a scalable target": {
			in:   func(in *ScaleIn) { in.Target = nil },
			want: []string{"record in AWS what was before: 4 desired, no scalable target", "set the desired count from 4 to 12"}},
		"already there": {
			in: func(in *ScaleIn) {
				in.Seen.Desired, in.Seen.Running, in.Target.Bounds = 12, 12, fleet.Bounds{Min: 12, Max: 20}
			},
			skip: "already runs 12 tasks, bounds 12–20"},
		"the number is right, and does not hold": {
			in:   func(in *ScaleIn) { in.Count.N = 4 },
			want: []string{record, "set the bounds of autoscaling from 2–10 to 4–10"}},
		"wanted already, and still starting": {
			in: func(in *ScaleIn) {
				in.Seen.Desired, in.Seen.Pending, in.Target.Bounds = 12, 8, fleet.Bounds{Min: 12, Max: 20}
			},
			want: []string{"wait until 12 tasks run"}},
		"relative": {
			in:   func(in *ScaleIn) { in.Target, in.Count = nil, &fleet.Count{N: 4, Kind: fleet.Change} },
			want: []string{"record in AWS what was before: 4 desired, no scalable target", "set the desired count from 4 to 8"}},
		"a share is rounded up": {
			in:   func(in *ScaleIn) { in.Target, in.Count = nil, &fleet.Count{N: 130, Kind: fleet.Percent} },
			want: []string{"record in AWS what was before: 4 desired, no scalable target", "set the desired count from 4 to 6"}},
		"less than none": {
			in:      func(in *ScaleIn) { in.Count = &fleet.Count{N: -5, Kind: fleet.Change} },
			mistake: "desired-count -5 makes -1 of 4 tasks, which is less than none; write a smaller change"},
		"the slipped zero": {
			in:      func(in *ScaleIn) { in.Count = &fleet.Count{N: 6000, Kind: fleet.Percent} },
			mistake: "desired-count 6000% makes 240 of 4 tasks, and max-tasks is 200; correct the number, or raise max-tasks"},
		"no task by mistake": {
			in:      func(in *ScaleIn) { in.Count.N = 0 },
			mistake: "desired-count is 0; set allow-zero to true if no task is to run"},
		"no task on purpose": {
			in:   func(in *ScaleIn) { in.Count.N, in.AllowZero, in.Target = 0, true, nil },
			want: []string{"record in AWS what was before: 4 desired, no scalable target", "set the desired count from 4 to 0"}},
		"bounds alone": {
			in:   func(in *ScaleIn) { in.Count, in.Min, in.Max = nil, of(6), of(20) },
			want: []string{record, "set the bounds of autoscaling from 2–10 to 6–20", "set the desired count from 4 to 6"}},
		"other bounds than the number makes": {
			in:   func(in *ScaleIn) { in.Min, in.Max = of(6), of(30) },
			want: []string{record, "set the bounds of autoscaling from 2–10 to 6–30", "set the desired count from 4 to 12"}},
		"bounds that exclude the number": {
			in:      func(in *ScaleIn) { in.Max, in.Min = of(8), of(2) },
			mistake: "12 tasks are outside of the bounds 2–8 that min-capacity and max-capacity ask for; correct one of them"},
		"bounds of nothing": {
			in:      func(in *ScaleIn) { in.Target, in.Max = nil, of(8) },
			mistake: "the service has no scalable target, so there are no bounds to set; leave min-capacity and max-capacity out, or leave the service out"},
		"suspend": {
			in:       func(in *ScaleIn) { in.Autoscaling = "suspend" },
			want:     []string{record, "suspend scaling (in+out+scheduled)", "set the desired count from 4 to 12"},
			warnings: []string{"scaling is suspended (in+out+scheduled) and stays so until somebody resumes it: run scale with restore: true"}},
		"ignore, above the bounds": {
			in:       func(in *ScaleIn) { in.Autoscaling = "ignore" },
			want:     []string{record, "set the desired count from 4 to 12"},
			warnings: []string{"12 tasks are above the maximum of 10: the autoscaler cuts them to it with its next scale-in"}},
		"ignore, inside the bounds": {
			in:       func(in *ScaleIn) { in.Autoscaling, in.Count.N = "ignore", 8 },
			want:     []string{record, "set the desired count from 4 to 8"},
			warnings: []string{"the autoscaler may change 8 tasks at any time, to 2–10: cpu (TargetTrackingScaling)"}},
		"a deployment is waited for": {
			in:   func(in *ScaleIn) { in.Seen.Deployments[0].RolloutState = "IN_PROGRESS" },
			want: []string{"wait for the deployment in progress, ecs-svc/1"}},

		"for a while": {
			in:   forAWhile,
			want: []string{record, "have AWS set the bounds to 2–10 at 2026-01-31 13:00 UTC", "set the bounds of autoscaling from 2–10 to 12–12", "set the desired count from 4 to 12"}},
		"for a while, where no policy brings the tasks back": {
			in: func(in *ScaleIn) { forAWhile(in); in.Target.Policies = nil },
			want: []string{record, "have AWS set the bounds to 2–10 at 2026-01-31 13:00 UTC, and the tasks to 4, since no policy would",
				"set the bounds of autoscaling from 2–10 to 12–12", "set the desired count from 4 to 12"}},
		"for a while, and nothing that could end it": {
			in:      func(in *ScaleIn) { forAWhile(in); in.Target = nil },
			mistake: "the service has no scalable target, which scale-for needs to end the scale; set create-scalable-target to true, or leave scale-for out"},
		"for a while, with a target of its own": {
			in: func(in *ScaleIn) { forAWhile(in); in.Target, in.Create = nil, true },
			want: []string{"record in AWS what was before: 4 desired, no scalable target", "create a scalable target with the bounds 4–12",
				"have AWS set the bounds to 4–4 at 2026-01-31 13:00 UTC", "set the desired count from 4 to 12"}},
		"for a while, where schedules are suspended": {
			in:      func(in *ScaleIn) { forAWhile(in); in.Target.Suspended.Scheduled = true },
			mistake: "scheduled scaling of the service is suspended, so the end of scale-for would never come; resume it, or leave scale-for out"},
		"for a while again: the first one's originals are kept": {
			in:   func(in *ScaleIn) { forAWhile(in); inTemporary(in, clock(12)) },
			want: []string{record, "have AWS set the bounds to 2–10 at 2026-01-31 13:00 UTC"}},
		"for good while a temporary one ends all the same": {
			in:   func(in *ScaleIn) { inTemporary(in, clock(12)); in.Count.N = 20 },
			want: []string{"set the bounds of autoscaling from 12–12 to 20–20", "set the desired count from 12 to 20"}},
		"after a temporary one that made a target": {
			in: func(in *ScaleIn) {
				in.Before, in.Target = &fleet.Before{Desired: 4, At: clock(7), Until: clock(8)}, &fleet.ScalableTarget{Bounds: fleet.Bounds{Min: 4, Max: 4}}
			},
			want: []string{"record in AWS what was before: 4 desired, no scalable target", "set the desired count from 4 to 12", "remove the scalable target that was made for the scale"}},
		"after one whose target somebody uses by now": {
			in: func(in *ScaleIn) {
				in.Before = &fleet.Before{Desired: 4, At: clock(7), Until: clock(8)}
				in.Target.Bounds = fleet.Bounds{Min: 4, Max: 4}
			},
			want: []string{"record in AWS what was before: 4 desired, bounds 4–4", "set the bounds of autoscaling from 4–4 to 12–12", "set the desired count from 4 to 12"}},

		"restore": {
			in:   func(in *ScaleIn) { inTemporary(in, clock(12)); in.Count, in.Restore = nil, true },
			want: []string{"set the bounds of autoscaling from 12–12 to 2–10", "set the desired count from 12 to 4", "remove the scheduled action " + EndAction, "forget what was before"}},
		"restore what was suspended": {
			in: func(in *ScaleIn) {
				in.Count, in.Restore, in.Target.Suspended = nil, true, everything
				in.Before, in.Outlook.Before = &fleet.Before{Desired: 4, Bounds: &fleet.Bounds{Min: 2, Max: 10}, At: clock(9)}, fleet.Bounds{Min: 2, Max: 10}
			},
			want: []string{"resume scaling", "forget what was before"}},
		"restore the number where there was no target": {
			in: func(in *ScaleIn) {
				in.Count, in.Restore, in.Target, in.Before, in.Seen.Desired = nil, true, nil, &fleet.Before{Desired: 4, At: clock(9)}, 12
			},
			want: []string{"set the desired count from 12 to 4", "forget what was before"}},
		"restore before the end, with a target of its own": {
			in: func(in *ScaleIn) {
				inTemporary(in, clock(12))
				in.Count, in.Restore, in.Before.Bounds, in.Target.Policies = nil, true, nil, nil
			},
			want: []string{"remove the scalable target that was made for the scale", "set the desired count from 12 to 4", "forget what was before"}},
		"restore after the end, with a target of its own": {
			in: func(in *ScaleIn) {
				inTemporary(in, clock(9))
				in.Count, in.Restore, in.Before.Bounds, in.Target.Policies = nil, true, nil, nil
			},
			want: []string{"remove the scalable target that was made for the scale", "forget what was before"}},
		"restore after the end": {
			in:   func(in *ScaleIn) { inTemporary(in, clock(9)); in.Count, in.Restore = nil, true },
			skip: "the last scale ended by itself at 2026-01-31 09:00 UTC"},
		"restore nothing": {
			in:   func(in *ScaleIn) { in.Count, in.Restore = nil, true },
			skip: "nothing is recorded that could be put back"},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := MakeScale(scaleIn(c.in))
			mistake := ""
			if err != nil {
				mistake = err.Error()
				p = Plan{}
			}
			var steps []string
			for _, s := range p.Steps {
				steps = append(steps, s.String())
			}
			for _, d := range []string{cmp.Diff(c.want, steps), cmp.Diff(c.skip, p.Skip), cmp.Diff(c.mistake, mistake), cmp.Diff(c.warnings, p.Warnings)} {
				if d != "" {
					t.Error(d)
				}
			}
		})
	}
}

func TestTheWayBackFromAScale(t *testing.T) {
	for name, c := range map[string]struct {
		in   func(*ScaleIn)
		want []string
	}{
		"bounds and number":      {func(*ScaleIn) {}, []string{"set the bounds of autoscaling from 12–12 to 2–10", "set the desired count from 12 to 4"}},
		"the number alone":       {func(in *ScaleIn) { in.Target = nil }, []string{"set the desired count from 12 to 4"}},
		"the bounds alone":       {func(in *ScaleIn) { in.Seen.Desired = 12 }, []string{"set the bounds of autoscaling from 12–12 to 2–10"}},
		"a suspension":           {func(in *ScaleIn) { in.Autoscaling = "suspend" }, []string{"resume scaling", "set the desired count from 12 to 4"}},
		"a target that was made": {func(in *ScaleIn) { forAWhile(in); in.Target, in.Create = nil, true }, []string{"remove the scalable target that was made for the scale", "set the desired count from 12 to 4"}},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := MakeScale(scaleIn(c.in))
			if err != nil {
				t.Fatal(err)
			}
			var steps []string
			for _, s := range p.Undo {
				steps = append(steps, s.String())
			}
			if d := cmp.Diff(c.want, steps); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestPlanThatIsCarriedOutInPart(t *testing.T) {
	two, twelve := fleet.Bounds{Min: 2, Max: 10}, fleet.Bounds{Min: 12, Max: 12}
	for i, want := range []struct {
		after fleet.Bounds
		ends  bool
	}{{two, false}, {two, false}, {two, false}, {twelve, true}} {
		p, err := MakeScale(scaleIn(forAWhile))
		if err != nil {
			t.Fatal(err)
		}
		p.Undone(i)
		if *p.Scaling.After != want.after || p.Scaling.Outlook.Until.IsZero() == want.ends || p.Scaling.Next != nil {
			t.Errorf("before %q: %+v", p.Steps[i], p.Scaling)
		}
	}
}

func TestForesight(t *testing.T) {
	rome, err := time.LoadLocation("Europe/Rome")
	if err != nil {
		t.Fatal(err)
	}
	run := func(name string, at time.Time, low, high int) fleet.Firing {
		return fleet.Firing{Action: fleet.ScheduledAction{Name: name, Min: of(low), Max: of(high)}, At: at}
	}
	night := time.Date(2026, 1, 31, 22, 0, 0, 0, rome)
	for name, c := range map[string]struct {
		in             func(*ScaleIn)
		next, warnings []string
	}{
		"a night that cuts": {
			in: func(in *ScaleIn) {
				in.Outlook.Runs, in.Outlook.Soon = []fleet.Firing{run("night", night, 2, 10), run("morning", night.Add(9*time.Hour), 4, 20), run("night", night.Add(24*time.Hour), 2, 10)}, 2
			},
			next: []string{
				"desired 12 will be cut to 10 at 22:00 Europe/Rome (21:00 UTC) by `night`",
				"the bounds become 4–20 at 07:00 Europe/Rome (06:00 UTC) by `morning`: desired 10 may stay",
				"the bounds become 2–10 at 2026-02-01 22:00 Europe/Rome (2026-02-01 21:00 UTC) by `night`: desired 10 may stay",
			},
			warnings: []string{"desired 12 will be cut to 10 at 22:00 Europe/Rome (21:00 UTC) by `night`"}},
		"a cut that is far away": {
			in:   func(in *ScaleIn) { in.Outlook.Runs = []fleet.Firing{run("sunday", night.Add(20*time.Hour), 2, 10)} },
			next: []string{"desired 12 will be cut to 10 at 2026-02-01 18:00 Europe/Rome (2026-02-01 17:00 UTC) by `sunday`"}},
		"a night that lets the autoscaler cut": {
			in: func(in *ScaleIn) {
				in.Outlook.Runs, in.Outlook.Soon = []fleet.Firing{run("night", night.UTC(), 2, 20)}, 1
			},
			next:     []string{"the bounds become 2–20 at 21:00 UTC by `night`: desired 12 holds no longer, the autoscaler may take tasks away"},
			warnings: []string{"the bounds become 2–20 at 21:00 UTC by `night`: desired 12 holds no longer, the autoscaler may take tasks away"}},
		"a morning that raises": {
			in: func(in *ScaleIn) {
				in.Outlook.Runs, in.Outlook.Soon = []fleet.Firing{run("morning", night.UTC(), 20, 40)}, 1
			},
			next: []string{"desired 12 will be raised to 20 at 21:00 UTC by `morning`"}},
		"the end of a temporary scale that is put back before it": {
			in: func(in *ScaleIn) {
				inTemporary(in, clock(12))
				in.Count, in.Restore = nil, true
				in.Outlook.Runs = []fleet.Firing{run(EndAction, clock(12), 4, 4), run("night", night, 1, 3), run(BoundsAction, clock(23), 2, 10)}
			},
			next: []string{"desired 4 will be cut to 3 at 22:00 Europe/Rome (21:00 UTC) by `night`"}},
		"nothing": {in: func(*ScaleIn) {}, next: []string{"nothing is scheduled that would change it"}},
		"no autoscaling": {
			in:   func(in *ScaleIn) { in.Target = nil },
			next: []string{"no autoscaling: the number stays until somebody changes it"}},
		"a schedule that nobody understands": {
			in:       func(in *ScaleIn) { in.Outlook.Unread = []string{"odd"} },
			next:     []string{"nothing is scheduled that would change it"},
			warnings: []string{"the schedule of the scheduled action `odd` is not understood: look up what it will do"}},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := MakeScale(scaleIn(c.in))
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(c.next, p.Scaling.Next) + cmp.Diff(c.warnings, p.Warnings); d != "" {
				t.Error(d)
			}
		})
	}
}
