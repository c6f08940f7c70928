package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"ecs-fleet/internal/command"
	"ecs-fleet/internal/sim"
)

// tenants are a fleet of environments with three services each, of which every
// other rails is autoscaled: 2 to 10 tasks, target tracking, and hardly any load,
// so that it goes down to two wherever it may.
type tenants struct {
	environments int
	at           string // what time it is; empty: midnight of 2000-01-01, UTC
	night        string // schedule of a night in Rome with 1 to 4 tasks; empty: none
	change       func(*sim.World)
}

const scalingRegion = "eu-south-1"

func (s tenants) world() sim.World {
	four, two, none, one, most := 4, 2, 5.0, 1, 4
	region := sim.Region{}
	for _, name := range []string{"rails", "nextjs", "nginx"} {
		service := sim.Service{Count: s.environments, Cluster: "tenant-{n}", Name: "tenant-{n}-" + name, Family: name, Desired: &two, Containers: map[string]string{"app": "app:v1"}}
		if name == "rails" {
			service.Desired, service.Load = &four, &none
		}
		region.Services = append(region.Services, service)
	}
	for n := 1; n <= s.environments; n += 2 {
		cluster := fmt.Sprintf("tenant-%d", n)
		target := sim.ScalableTarget{Cluster: cluster, Service: cluster + "-rails", Min: 2, Max: 10, Policies: []sim.TargetTracking{{Name: "cpu", Target: 50}}}
		if s.night != "" {
			target.ScheduledActions = []sim.ScheduledAction{{Name: "night", Schedule: s.night, Timezone: "Europe/Rome", Min: &one, Max: &most}}
		}
		region.ScalableTargets = append(region.ScalableTargets, target)
	}
	w := sim.World{Latency: sim.Duration(60 * time.Millisecond), Accounts: map[string]sim.Account{crowdAccount: {Regions: map[string]sim.Region{scalingRegion: region}}}}
	if s.change != nil {
		s.change(&w)
	}
	return w
}

func (s tenants) fleet() []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "version: 1\ndefaults:\n  account: %q\n  region: %s\n  cluster: \"{environment}\"\n  services:\n", crowdAccount, scalingRegion)
	for _, name := range []string{"rails", "nextjs", "nginx"} {
		fmt.Fprintf(&b, "    %s: {service: \"{environment}-%[1]s\"}\n", name)
	}
	b.WriteString("environments:\n")
	for n := range s.environments {
		fmt.Fprintf(&b, "  tenant-%d: {}\n", n+1)
	}
	return []byte(b.String())
}

// play lets do happen in the world, in virtual time.
func (s tenants) play(t *testing.T, do func(scaled)) {
	t.Helper()
	useSimulation(t)
	synctest.Test(t, func(t *testing.T) {
		if s.at != "" {
			at, err := time.Parse(time.RFC3339, s.at)
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Until(at))
		}
		aws, err := sim.New(s.world())
		if err != nil {
			t.Fatal(err)
		}
		do(scaled{t, s, aws, filepath.Join(t.TempDir(), "summary")})
	})
}

// scaled is a world in which services are scaled.
type scaled struct {
	*testing.T
	of      tenants
	aws     *sim.AWS
	summary string // file
}

// run runs scale with flags and returns the exit code, the log, and what AWS was
// asked for.
func (s scaled) run(flags ...string) (code int, log string, calls []sim.Call) {
	s.Helper()
	before := len(s.aws.Calls())
	if err := os.WriteFile(s.summary, nil, 0o600); err != nil {
		s.Fatal(err)
	}
	env := map[string]string{"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": s.summary, "GITHUB_OUTPUT": s.summary + ".outputs"}
	var out bytes.Buffer
	code = run(context.Background(), command.Process{
		Args: append([]string{"scale", "--environments=*"}, flags...), Stdout: &out, Getenv: func(name string) string { return env[name] },
		Transport: sim.RoundTripper(s.aws), ReadFile: func(string) ([]byte, error) { return s.of.fleet(), nil },
	})
	return code, out.String(), s.aws.Calls()[before:]
}

// well is run where all must go well.
func (s scaled) well(flags ...string) (log string, calls []sim.Call) {
	s.Helper()
	code, log, calls := s.run(flags...)
	if code != 0 {
		s.Errorf("scale %s ended with exit code %d:\n%s", strings.Join(flags, " "), code, log)
	}
	return log, calls
}

// desired are the desired and running tasks of a service by environment, those
// alike in one.
func (s scaled) desired(service string) string {
	counts := make(map[string]int)
	for n := range s.of.environments {
		cluster := fmt.Sprintf("tenant-%d", n+1)
		state, _ := s.aws.Service(crowdAccount, scalingRegion, cluster, cluster+"-"+service)
		counts[fmt.Sprintf("%d of %d", state.Running, state.Desired)]++
	}
	return fmt.Sprint(counts)
}

// bounds are the bounds of all rails, those alike in one, and how many scheduled
// actions of ours are still to come.
func (s scaled) bounds() (bounds string, pending int) {
	counts := make(map[string]int)
	for n := range s.of.environments {
		cluster := fmt.Sprintf("tenant-%d", n+1)
		target, has := s.aws.ScalableTarget(crowdAccount, scalingRegion, cluster, cluster+"-rails")
		if !has {
			counts["none"]++
			continue
		}
		counts[fmt.Sprintf("%d-%d", target.Min, target.Max)]++
		for _, a := range target.ScheduledActions {
			at, err := time.Parse("at(2006-01-02T15:04:05)", a.Schedule)
			if strings.HasPrefix(a.Name, "ecs-fleet") && (err != nil || at.After(time.Now())) {
				pending++
			}
		}
	}
	return fmt.Sprint(counts), pending
}

func (s scaled) wantBounds(want string) {
	s.Helper()
	if got, pending := s.bounds(); got != want || pending > 0 {
		s.Errorf("bounds %s, %d scheduled actions of ours to come; want %s and none", got, pending, want)
	}
}

func (s scaled) wantDesired(service, want string) {
	s.Helper()
	if got := s.desired(service); got != want {
		s.Errorf("%s: %s, want %s", service, got, want)
	}
}

func TestANumberHoldsForAnHour(t *testing.T) {
	tenants{environments: 30}.play(t, func(s scaled) {
		s.well("--services=rails", "--desired-count=12")
		time.Sleep(time.Hour)
		s.wantDesired("rails", "map[12 of 12:30]")
		s.wantDesired("nextjs", "map[2 of 2:30]")
		s.wantDesired("nginx", "map[2 of 2:30]")
		s.wantBounds("map[12-12:15 none:15]")
		s.well("--services=rails", "--restore")
		s.wantBounds("map[2-10:15 none:15]")
	})
}

// What an hour ends, is ended: the tasks by the autoscaler where there is one,
// else by the end itself.
func TestAScaleForAnHourEndsByItself(t *testing.T) {
	tenants{environments: 30}.play(t, func(s scaled) {
		s.well("--services=rails", "--desired-count=12", "--scale-for=1h", "--create-scalable-target")
		time.Sleep(50 * time.Minute)
		s.wantDesired("rails", "map[12 of 12:30]")
		time.Sleep(40 * time.Minute)
		s.wantBounds("map[2-10:15 4-4:15]") // what was made for it holds what was before, and can only be removed by hand or a run
		s.wantDesired("rails", "map[2 of 2:15 4 of 4:15]")
		s.well("--services=rails", "--restore")
		s.wantBounds("map[2-10:15 none:15]")
		_, calls := s.well("--services=rails", "--restore")
		if slices.ContainsFunc(calls, writes) {
			t.Error("restore wrote where nothing was to be put back")
		}
	})
}

func writes(c sim.Call) bool {
	return !strings.HasPrefix(c.Action, "Describe") && !strings.HasPrefix(c.Action, "Get") && !strings.HasPrefix(c.Action, "List")
}

// A target without a policy has nothing that takes tasks away again.
func TestAScaleForAnHourEndsWithoutAPolicy(t *testing.T) {
	tenants{environments: 2, change: func(w *sim.World) {
		targets := w.Accounts[crowdAccount].Regions[scalingRegion].ScalableTargets
		targets[0].Policies, targets[0].Max = nil, 20
	}}.play(t, func(s scaled) {
		s.well("--services=rails", "--desired-count=12", "--scale-for=1h", "--create-scalable-target")
		time.Sleep(90 * time.Minute)
		s.wantBounds("map[2-20:1 4-4:1]")
		s.wantDesired("rails", "map[4 of 4:2]")
	})
}

// The second one moves the end, and goes back to what was before the first.
func TestASecondScaleForMovesTheEnd(t *testing.T) {
	tenants{environments: 1}.play(t, func(s scaled) {
		s.well("--services=rails", "--desired-count=12", "--scale-for=1h")
		time.Sleep(30 * time.Minute)
		s.well("--services=rails", "--desired-count=20", "--scale-for=2h")
		if _, pending := s.bounds(); pending != 1 {
			t.Errorf("%d scheduled actions of ours to come, want 1", pending)
		}
		time.Sleep(time.Hour)
		s.wantDesired("rails", "map[20 of 20:1]")
		time.Sleep(time.Hour)
		s.wantBounds("map[2-10:1]")
	})
}

// The night takes tasks away: said beforehand, and not undone by the end.
func TestAScaleOutBeforeTheNight(t *testing.T) {
	for name, c := range map[string]struct{ at, warning string }{
		"in winter":                {"2026-01-31T19:00:00Z", "desired 20 will be cut to 4 at 22:00 Europe/Rome (21:00 UTC) by `night`"},
		"in summer":                {"2026-07-31T18:00:00Z", "desired 20 will be cut to 4 at 22:00 Europe/Rome (20:00 UTC) by `night`"},
		"on the day of the change": {"2026-03-29T18:00:00Z", "desired 20 will be cut to 4 at 22:00 Europe/Rome (20:00 UTC) by `night`"},
	} {
		t.Run(name, func(t *testing.T) {
			tenants{environments: 1, at: c.at, night: "cron(0 22 * * ? *)"}.play(t, func(s scaled) {
				start := time.Now()
				log, _ := s.well("--services=rails", "--desired-count=20", "--scale-for=3h")
				if want := "::warning title=ecs-fleet::tenant-1/rails: " + c.warning; !strings.Contains(log, want) {
					t.Errorf("no warning %q in the log:\n%s", want, annotations(log))
				}
				time.Sleep(time.Until(start.Add(3*time.Hour + time.Minute))) // 23:01
				s.wantBounds("map[1-4:1]")
			})
		})
	}
	t.Run("across the change", func(t *testing.T) {
		// Half past ten in the evening, in winter time; the next night begins in summer time.
		tenants{environments: 1, at: "2026-03-28T21:30:00Z", night: "cron(0 22 * * ? *)"}.play(t, func(s scaled) {
			log, _ := s.well("--services=rails", "--desired-count=20")
			if want := "desired 20 will be cut to 4 at 22:00 Europe/Rome (20:00 UTC) by `night`"; !strings.Contains(annotations(log), want) {
				t.Errorf("no warning %q in the log:\n%s", want, annotations(log))
			}
		})
	})
}

func TestTwoHundredServicesAreScaledWithFewCalls(t *testing.T) {
	for name, flags := range map[string][]string{
		"a number":          {"--services=rails", "--desired-count=12"},
		"a relative number": {"--services=rails", "--desired-count=200%"},
		"for a while":       {"--services=rails", "--desired-count=12", "--scale-for=3h", "--create-scalable-target"},
	} {
		t.Run(name, func(t *testing.T) {
			tenants{environments: 200}.play(t, func(s scaled) {
				start := time.Now()
				_, calls := s.well(flags...)
				counts, throttled := make(map[string]int), 0
				for _, c := range calls {
					if c.Service == "sts" {
						continue
					}
					if c.Throttled {
						throttled++
					}
					counts[c.Action]++
				}
				total := 0
				for action, n := range counts {
					if action != "DescribeServices" {
						total += n
					}
				}
				t.Logf("%v, %.2f calls a service besides %d DescribeServices, %d throttled: %v", time.Since(start), float64(total)/200, counts["DescribeServices"], throttled, counts)
				if most := 4.1; float64(total)/200 > most { // four, and the reads that fifty services share
					t.Errorf("%.2f calls a service, want at most %.1f", float64(total)/200, most)
				}
				if throttled > total/100 {
					t.Errorf("%d of %d calls throttled", throttled, total)
				}
			})
		})
	}
}

// Somebody scales after the run's first look: the change is made to what is
// there when it is made.
func TestARelativeNumberCountsFromWhatIsThereThen(t *testing.T) {
	tenants{environments: 2}.play(t, func(s scaled) {
		go func() {
			time.Sleep(500 * time.Millisecond)
			playing{T: s.T, aws: s.aws}.ask(request{account: crowdAccount, region: scalingRegion, action: "ecs:UpdateService", body: `{"cluster": "tenant-2", "service": "tenant-2-rails", "desiredCount": 6}`})
		}()
		s.well("--services=rails", "--desired-count=+4", "--max-parallel=1")
		if got, want := s.desired("rails"), "map[10 of 10:1 8 of 8:1]"; got != want {
			t.Errorf("%s, want %s", got, want)
		}
	})
}

func TestMistakesOfScale(t *testing.T) {
	for name, c := range map[string]struct {
		flags []string
		env   map[string]string
		want  []string
	}{
		"no service is named": {
			flags: []string{"--desired-count=12"},
			want:  []string{`input services: is required by scale, since environment "tenant-1" has several: write which of rails, nextjs, nginx, or * for all`}},
		"no number anywhere": {
			flags: []string{"--services=rails,nginx"},
			want:  []string{`input desired-count: there is no number for tenant-1/rails, tenant-1/nginx, tenant-2/rails, tenant-2/nginx; give desired-count, or write one into the fleet file`}},
		"a line for a stranger": {
			flags: []string{"--services=rails", "--desired-count=rails=3\nweb=4"},
			want:  []string{`input desired-count: "web" is none of the selected services; leave the line out, or select the service`}},
		"relative, and run again": {
			flags: []string{"--services=rails", "--desired-count=+4"}, env: map[string]string{"GITHUB_RUN_ATTEMPT": "2"},
			want: []string{`input desired-count: +4 counts from what runs now, and this is attempt 2 of the job: the first one may have got through, and the change would be made twice; start a new run, or write the number itself`}},
		"too many": {
			flags: []string{"--services=*", "--desired-count=2000"},
			want:  []string{`input desired-count: is 2000, and max-tasks is 200; correct the number, or raise max-tasks`}},
		"too many by a change": {
			flags: []string{"--services=rails", "--desired-count=6000%"},
			want: []string{
				`tenant-1/rails: desired-count 6000% makes 240 of 4 tasks, and max-tasks is 200; correct the number, or raise max-tasks`,
				`tenant-2/rails: desired-count 6000% makes 240 of 4 tasks, and max-tasks is 200; correct the number, or raise max-tasks`,
			}},
		"for a while, and nothing could end it": {
			flags: []string{"--services=rails", "--desired-count=12", "--scale-for=1h"},
			want:  []string{`tenant-2/rails: the service has no scalable target, which scale-for needs to end the scale; set create-scalable-target to true, or leave scale-for out`}},
	} {
		t.Run(name, func(t *testing.T) {
			tenants{environments: 2}.play(t, func(s scaled) {
				var out bytes.Buffer
				code := run(s.Context(), command.Process{
					Args: append([]string{"scale", "--environments=*"}, c.flags...), Stdout: &out, Getenv: func(name string) string { return c.env[name] },
					Transport: sim.RoundTripper(s.aws), ReadFile: func(string) ([]byte, error) { return s.of.fleet(), nil },
				})
				var got []string
				for line := range strings.Lines(out.String()) {
					if text, is := strings.CutPrefix(strings.TrimSpace(line), "error: refused, nothing was changed: "); is {
						got = append(got, text)
					}
				}
				if code != 2 || slices.ContainsFunc(s.aws.Calls(), func(c sim.Call) bool { return writes(c) && c.Service != "sts" }) {
					t.Errorf("exit code %d, want 2 and no write", code)
				}
				if diff := cmp.Diff(c.want, got); diff != "" {
					t.Errorf("%s\n%s", diff, out.String())
				}
			})
		})
	}
}
