package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"ecs-fleet/internal/command"
	"ecs-fleet/internal/sim"
)

var update = flag.Bool("update", false, "rewrite the expected parts of testdata/scenarios, and the generated part of the README")

// TestScenarios runs each testdata/scenarios/*.txtar through the real run,
// against the simulated AWS, in virtual time. A scenario has what is given
//
//	world.json      the simulated AWS (internal/sim/README.md)
//	clock           what time it is at the world's start, for machine and AWS
//	                alike; may be missing: midnight of 2000-01-01, UTC
//	fleet.yml       the fleet file; may be missing
//	inputs          "name: value" lines; further lines of a value are indented
//	run             GITHUB_RUN_ID and GITHUB_RUN_ATTEMPT; may be missing: the run's number, and 1
//	cancel          after how long the run is cancelled; may be missing
//	meanwhile       what somebody else asks of AWS (scenario_test.go); may be missing
//	later           how long after the run its world is looked at; may be missing: at once
//	look            what AWS is asked in the end; may be missing
//
// and what must come of it, which -update rewrites:
//
//	log             the annotations
//	summary.md      the job summary
//	outputs         all outputs but result
//	calls           what AWS counted of the run's own calls, by action
//	after           what really runs in the world in the end
//	seen            AWS's answers to look
//	exit            the exit code, and how long the run took
//
// A second run, in the same world, begins ten seconds after the first one. All
// its parts have a number behind their name: "inputs 2", "summary.md 2". It
// keeps the fleet file unless it has one of its own.
//
// Whatever is expected, no status may contradict what really runs
// (scenario_test.go).
func TestScenarios(t *testing.T) {
	useSimulation(t)
	files, err := filepath.Glob("testdata/scenarios/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no scenarios found", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := play(t, archive)
			if *update {
				rewrite(t, file, archive, got)
				return
			}
			for _, part := range got {
				want, came := strings.Split(section(archive, part.Name), "\n"), strings.Split(string(part.Data), "\n")
				if diff := cmp.Diff(want, came); diff != "" {
					t.Errorf("%s (-want +got):\n%s", part.Name, diff)
				}
			}
			if want := isExpected(archive.Files); len(want) != len(got) {
				t.Errorf("%d parts are expected and %d came: an expected part belongs to no run", len(want), len(got))
			}
		})
	}
}

// useSimulation keeps the SDK away from the machine's own AWS configuration.
func useSimulation(t *testing.T) {
	for _, entry := range os.Environ() {
		if name, _, _ := strings.Cut(entry, "="); strings.HasPrefix(name, "AWS_") {
			t.Setenv(name, "")
		}
	}
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIA444455556666")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "simulated")
	t.Setenv("AWS_CONFIG_FILE", os.DevNull)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", os.DevNull)
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
}

// play plays all runs of a scenario and returns the expected parts as they
// really are.
func play(t *testing.T, archive *txtar.Archive) []txtar.File {
	var got []txtar.File
	synctest.Test(t, func(t *testing.T) {
		world, err := sim.ReadWorld(strings.NewReader(section(archive, "world.json")))
		if err != nil {
			t.Fatal(err)
		}
		if clock := strings.TrimSpace(section(archive, "clock")); clock != "" {
			at, err := time.Parse(time.RFC3339, clock)
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Until(at))
		}
		aws, err := sim.New(world)
		if err != nil {
			t.Fatal(err)
		}
		for n := 1; n == 1 || section(archive, "inputs"+number(n)) != ""; n++ {
			p := playing{T: t, archive: archive, world: world, aws: aws, number: n, dir: t.TempDir()}
			got = append(got, p.play()...)
		}
	})
	return got
}

// playing is one run of a scenario.
type playing struct {
	*testing.T
	archive *txtar.Archive
	world   sim.World
	aws     *sim.AWS
	number  int // from 1
	dir     string
}

// number is what stands behind the names of a run's parts.
func number(run int) string {
	if run == 1 {
		return ""
	}
	return fmt.Sprintf(" %d", run)
}

// given is a part of this run.
func (p playing) given(name string) string { return section(p.archive, name+number(p.number)) }

// betweenRuns is what the machinery around a job takes at least: what the run
// before has done is visible by then.
const betweenRuns = 10 * time.Second

func (p playing) play() []txtar.File {
	start := time.Now().Add(betweenRuns)
	requests := p.requests("meanwhile", true)
	n := slices.IndexFunc(requests, func(r request) bool { return r.at >= 0 })
	if n < 0 {
		n = len(requests)
	}
	p.meanwhile(start, requests[:n])
	time.Sleep(time.Until(start))
	ctx, cancel := context.WithCancel(p.Context())
	defer cancel()
	if after := strings.TrimSpace(p.given("cancel")); after != "" {
		time.AfterFunc(p.duration(after), cancel)
	}
	var others sync.WaitGroup
	others.Go(func() { p.meanwhile(start, requests[n:]) })
	before := len(p.aws.Calls())
	var stdout bytes.Buffer
	getenv, environ := environment(p.T, p.dir, p.given("inputs"), p.given("run"), p.number)
	code := run(ctx, command.Process{
		Getenv: getenv, Environ: environ, Stdout: &stdout,
		Transport: sim.RoundTripper(p.aws), ReadFile: p.fleet,
	})
	took := time.Since(start)
	others.Wait()
	if testing.Verbose() {
		p.Log(stdout.String())
	}
	summary := read(p.T, filepath.Join(p.dir, "summary"))
	seen := len(p.aws.Calls())
	p.checkLog(stdout.String())
	p.checkDocument(code, summary)
	if later := strings.TrimSpace(p.given("later")); later != "" {
		time.Sleep(p.duration(later))
	}
	return p.parts(map[string]string{
		"log":        annotations(stdout.String()),
		"summary.md": summary,
		"outputs":    outputs(p.T, read(p.T, filepath.Join(p.dir, "output"))),
		"calls":      calls(p.aws.Calls()[before:seen]),
		"after":      after(p.T, p.aws, p.world),
		"seen":       p.look(),
		"exit":       fmt.Sprintf("%d after %s\n", code, took.Round(time.Second)),
	})
}

// expected are the parts that -update writes, in their order.
func expected() []string {
	return []string{"log", "summary.md", "outputs", "calls", "after", "seen", "exit"}
}

func isExpected(files []txtar.File) []txtar.File {
	return slices.DeleteFunc(slices.Clone(files), func(f txtar.File) bool {
		name, _, _ := strings.Cut(f.Name, " ")
		return !slices.Contains(expected(), name)
	})
}

func (p playing) parts(texts map[string]string) []txtar.File {
	var parts []txtar.File
	for _, name := range expected() {
		if name != "seen" || texts[name] != "" {
			parts = append(parts, txtar.File{Name: name + number(p.number), Data: []byte(numbered(texts[name]))})
		}
	}
	return parts
}

// made are the ids that the simulation makes up, which depend on which of two
// services was faster.
var made = regexp.MustCompile(`\b[0-9a-f]{32}\b|ecs-svc/[0-9]+|request [0-9a-f-]{36}|\b[0-9A-Z]{16}[0-9]{5}\b|\b[0-9]{19}\b`)

// numbered replaces them by their order of appearance.
func numbered(text string) string {
	numbers := make(map[string]int)
	return made.ReplaceAllStringFunc(text, func(id string) string {
		if numbers[id] == 0 {
			numbers[id] = len(numbers) + 1
		}
		return fmt.Sprintf("ID%d", numbers[id])
	})
}

func section(a *txtar.Archive, name string) string {
	for _, f := range a.Files {
		if f.Name == name {
			return string(f.Data)
		}
	}
	return ""
}

// fleet reads the run's fleet file: its own, or that of the run before.
func (p playing) fleet(path string) ([]byte, error) {
	for n := p.number; n > 0 && path == ".github/ecs-fleet.yml"; n-- {
		if text := section(p.archive, "fleet.yml"+number(n)); text != "" {
			return []byte(text), nil
		}
	}
	return nil, fmt.Errorf("%s: %w", path, fs.ErrNotExist)
}

// environment is what the runner sets for a step with these inputs.
func environment(t *testing.T, dir, inputs, run string, number int) (getenv func(string) string, environ []string) {
	id, attempt := strconv.Itoa(number), "1"
	if fields := strings.Fields(run); len(fields) == 2 {
		id, attempt = fields[0], fields[1]
	}
	env := map[string]string{
		"GITHUB_ACTIONS": "true", "GITHUB_OUTPUT": filepath.Join(dir, "output"), "GITHUB_STEP_SUMMARY": filepath.Join(dir, "summary"),
		"ECS_FLEET_RESULT": filepath.Join(dir, "result.json"), "GITHUB_RUN_ID": id, "GITHUB_RUN_ATTEMPT": attempt, "GITHUB_REPOSITORY": "shop/release", "GITHUB_SHA": "5ca1ab1e",
	}
	var name string
	for line := range strings.Lines(inputs) {
		switch {
		case strings.HasPrefix(line, "  "):
			env[name] += strings.TrimPrefix(line, "  ")
		default:
			var value string
			name, value, _ = strings.Cut(line, ":")
			name = "INPUT_" + strings.ToUpper(name)
			env[name] = strings.TrimLeft(value, " ")
		}
	}
	for _, name := range []string{"GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"} {
		if err := os.WriteFile(env[name], nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(env)) {
		environ = append(environ, name+"="+env[name])
	}
	return func(name string) string { return env[name] }, environ
}

// calls is what AWS counted, by action, without what somebody else asked.
func calls(all []sim.Call) string {
	counts := make(map[string]int)
	throttled := 0
	for _, c := range all {
		if strings.HasPrefix(c.Client, somebody) {
			continue
		}
		counts[c.Service+":"+c.Action]++
		if c.Throttled {
			throttled++
		}
	}
	var b strings.Builder
	for _, action := range slices.Sorted(func(yield func(string) bool) {
		for action := range counts {
			if !yield(action) {
				return
			}
		}
	}) {
		fmt.Fprintf(&b, "%s %d\n", action, counts[action])
	}
	fmt.Fprintf(&b, "throttled %d\n", throttled)
	return b.String()
}

// after is what really runs, a line for each service of the world.
func after(t *testing.T, aws *sim.AWS, w sim.World) string {
	var all []string
	for account, a := range w.Accounts {
		for region, r := range a.Regions {
			for _, s := range r.Services {
				for n := 1; n <= max(s.Count, 1); n++ {
					numbered := strings.NewReplacer("{n}", strconv.Itoa(n))
					cluster, name := numbered.Replace(s.Cluster), numbered.Replace(s.Name)
					state, found := aws.Service(account, region, cluster, name)
					if !found {
						t.Errorf("service %s is gone from the world", name)
					}
					all = append(all, fmt.Sprintf("%s/%s: %s %s, %d of %d run%s%s\n", cluster, name,
						state.TaskDefinition[strings.LastIndex(state.TaskDefinition, "/")+1:], state.RolloutState, state.Running, state.Desired, images(state),
						traffic(state)+scaling(aws.ScalableTarget(account, region, cluster, name))))
				}
			}
		}
	}
	slices.Sort(all)
	return strings.Join(all, "")
}

func images(s sim.ServiceState) string {
	var all []string
	for container, images := range s.Images {
		for image, tasks := range images {
			all = append(all, fmt.Sprintf("; %s: %d × %s", container, tasks, image[strings.LastIndex(image, "/")+1:]))
		}
	}
	slices.Sort(all)
	return strings.Join(all, "")
}

// traffic is who has it, where a strategy shifts it, and how the newest
// deployment of CodeDeploy stands.
func traffic(s sim.ServiceState) string {
	var all []string
	for definition, percent := range s.Traffic {
		all = append(all, fmt.Sprintf("; traffic: %.4g%% %s", percent, definition[strings.LastIndex(definition, "/")+1:]))
	}
	slices.Sort(all)
	if s.CodeDeployment != "" {
		all = append(all, "; CodeDeploy: "+s.CodeDeployment)
	}
	return strings.Join(all, "")
}

// scaling is what a service's scalable target has, if there is one.
func scaling(target sim.ScalableTargetState, found bool) string {
	if !found {
		return ""
	}
	text := fmt.Sprintf("; scales %d–%d", target.Min, target.Max)
	if target.Suspended != (sim.Suspended{}) {
		text += fmt.Sprintf(", suspended %+v", target.Suspended)
	}
	bound := func(n *int) string {
		if n == nil {
			return "·"
		}
		return strconv.Itoa(*n)
	}
	for _, a := range target.ScheduledActions {
		text += fmt.Sprintf("; %s: %s, %s–%s", a.Name, strings.TrimSpace(a.Schedule+" "+a.Timezone), bound(a.Min), bound(a.Max))
	}
	return text
}

// annotations are the workflow commands of the log, less groups and masks.
func annotations(log string) string {
	var b strings.Builder
	for line := range strings.Lines(log) {
		if strings.HasPrefix(line, "::") && !strings.HasPrefix(line, "::group") && !strings.HasPrefix(line, "::endgroup") {
			b.WriteString(line)
		}
	}
	return b.String()
}

// outputs reads the output file as the runner does, and leaves the result
// document out.
func outputs(t *testing.T, text string) string {
	var b strings.Builder
	lines := strings.Split(text, "\n")
	for i := 0; i < len(lines); i++ {
		name, delimiter, found := strings.Cut(lines[i], "<<")
		if !found {
			continue
		}
		var value []string
		for i++; i < len(lines) && lines[i] != delimiter; i++ {
			value = append(value, lines[i])
		}
		if i == len(lines) {
			t.Errorf("output %s has no end", name)
		}
		if name != "result" {
			fmt.Fprintf(&b, "%s=%s\n", name, strings.Join(value, "\n"))
		}
	}
	return b.String()
}

func read(t *testing.T, path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		t.Error(err)
	}
	return string(text)
}

// rewrite puts the expected parts of each run behind what the run is given.
func rewrite(t *testing.T, file string, archive *txtar.Archive, got []txtar.File) {
	stale := isExpected(archive.Files)
	given := slices.DeleteFunc(archive.Files, func(f txtar.File) bool {
		return slices.ContainsFunc(stale, func(s txtar.File) bool { return s.Name == f.Name })
	})
	var all []txtar.File
	for n := 1; len(given)+len(got) > 0; n++ {
		ofRun := func(f txtar.File) bool {
			_, behind, _ := strings.Cut(f.Name, " ")
			return behind == strings.TrimSpace(number(n))
		}
		for _, files := range []*[]txtar.File{&given, &got} {
			all = append(all, keepIf(*files, ofRun)...)
			*files = slices.DeleteFunc(*files, ofRun)
		}
		if n > 100 {
			t.Fatalf("%s: part %q belongs to no run", file, given[0].Name)
		}
	}
	archive.Files = all
	if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
		t.Fatal(err)
	}
}

func keepIf(files []txtar.File, keep func(txtar.File) bool) []txtar.File {
	return slices.DeleteFunc(slices.Clone(files), func(f txtar.File) bool { return !keep(f) })
}
