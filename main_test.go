package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
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
//	fleet.yml       the fleet file; may be missing
//	inputs          "name: value" lines; further lines of a value are indented
//	cancel          after how long the run is cancelled; may be missing
//
// and what must come of it, which -update rewrites:
//
//	log             what the log shows from its first annotation on, without the groups
//	summary.md      the job summary
//	outputs         all outputs but result
//	calls           what AWS counted, by action
//	after           what really runs in the world in the end
//	exit            the exit code, and how long the run took
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
			for _, part := range expected {
				if diff := cmp.Diff(section(archive, part), got[part]); diff != "" {
					t.Errorf("%s (-want +got):\n%s", part, diff)
				}
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

var expected = []string{"log", "summary.md", "outputs", "calls", "after", "exit"}

// play runs a scenario and returns its expected parts as they really are.
func play(t *testing.T, archive *txtar.Archive) map[string]string {
	dir := t.TempDir()
	var stdout bytes.Buffer
	got := make(map[string]string)
	synctest.Test(t, func(t *testing.T) {
		world, err := sim.ReadWorld(strings.NewReader(section(archive, "world.json")))
		if err != nil {
			t.Fatal(err)
		}
		aws, err := sim.New(world)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		if after := strings.TrimSpace(section(archive, "cancel")); after != "" {
			d, err := time.ParseDuration(after)
			if err != nil {
				t.Fatal(err)
			}
			time.AfterFunc(d, cancel)
		}
		start := time.Now()
		code := run(ctx, command.Process{
			Getenv: environment(t, dir, section(archive, "inputs")), Stdout: &stdout,
			Transport: sim.RoundTripper(aws), ReadFile: file(archive, "fleet.yml"),
		})
		got["exit"] = fmt.Sprintf("%d after %s\n", code, time.Since(start).Round(time.Second))
		got["calls"] = calls(aws)
		got["after"] = after(t, aws, world)
	})
	got["log"] = annotations(stdout.String())
	got["summary.md"] = read(t, filepath.Join(dir, "summary"))
	got["outputs"] = outputs(t, read(t, filepath.Join(dir, "output")))
	checkDocument(t, filepath.Join(dir, "result.json"))
	for part, text := range got {
		got[part] = numbered(text)
	}
	return got
}

// made are the ids that the simulation makes up, which depend on which of two
// services was faster.
var made = regexp.MustCompile(`\b[0-9a-f]{32}\b|ecs-svc/[0-9]+|request [0-9a-f-]{36}`)

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

func file(a *txtar.Archive, name string) func(string) ([]byte, error) {
	return func(path string) ([]byte, error) {
		if text := section(a, name); path == ".github/ecs-fleet.yml" && text != "" {
			return []byte(text), nil
		}
		return nil, fmt.Errorf("%s: %w", path, fs.ErrNotExist)
	}
}

// environment is what the runner sets for a step with these inputs.
func environment(t *testing.T, dir, inputs string) func(string) string {
	env := map[string]string{
		"GITHUB_ACTIONS": "true", "GITHUB_OUTPUT": filepath.Join(dir, "output"), "GITHUB_STEP_SUMMARY": filepath.Join(dir, "summary"),
		"ECS_FLEET_RESULT": filepath.Join(dir, "result.json"), "GITHUB_RUN_ID": "1", "GITHUB_RUN_ATTEMPT": "1", "GITHUB_REPOSITORY": "shop/release",
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
	return func(name string) string { return env[name] }
}

// calls is what AWS counted, by action.
func calls(aws *sim.AWS) string {
	counts := make(map[string]int)
	throttled := 0
	for _, c := range aws.Calls() {
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
					all = append(all, fmt.Sprintf("%s/%s: %s %s, %d of %d run%s\n", cluster, name,
						state.TaskDefinition[strings.LastIndex(state.TaskDefinition, "/")+1:], state.RolloutState, state.Running, state.Desired, images(state)))
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

// checkDocument holds the result document against the promise that every
// selected service ends in exactly one status.
func checkDocument(t *testing.T, path string) {
	var document struct {
		Version  int
		Status   string
		Services []struct{ Environment, Service, Status string }
	}
	if err := json.Unmarshal([]byte(read(t, path)), &document); err != nil {
		t.Errorf("the result document: %v", err)
	}
	seen := make(map[string]bool)
	for _, s := range document.Services {
		if key := s.Environment + "/" + s.Service; seen[key] || s.Status == "" {
			t.Errorf("%s has no or two statuses", key)
		} else {
			seen[key] = true
		}
	}
}

func read(t *testing.T, path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		t.Error(err)
	}
	return string(text)
}

func rewrite(t *testing.T, file string, archive *txtar.Archive, got map[string]string) {
	archive.Files = slices.DeleteFunc(archive.Files, func(f txtar.File) bool { return slices.Contains(expected, f.Name) })
	for _, part := range expected {
		archive.Files = append(archive.Files, txtar.File{Name: part, Data: []byte(got[part])})
	}
	if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
		t.Fatal(err)
	}
}
