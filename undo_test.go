package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"ecs-fleet/internal/command"
	"ecs-fleet/internal/sim"
)

// updates notes the revisions that UpdateService was asked for, in order.
type updates struct {
	*sim.AWS
	mu        sync.Mutex
	revisions []string
}

func (u *updates) RoundTrip(req *http.Request) (*http.Response, error) {
	if strings.HasSuffix(req.Header.Get("X-Amz-Target"), ".UpdateService") {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return nil, err
		}
		req.Body = io.NopCloser(bytes.NewReader(body))
		var in struct{ TaskDefinition string }
		if err := json.Unmarshal(body, &in); err != nil {
			return nil, err
		}
		u.mu.Lock()
		u.revisions = append(u.revisions, in.TaskDefinition[strings.LastIndex(in.TaskDefinition, "/")+1:])
		u.mu.Unlock()
	}
	return sim.RoundTripper(u.AWS).RoundTrip(req)
}

// play runs a deploy of v1.8.0 and returns the revisions that services were made
// to run, in order.
func (u *updates) play(t *testing.T, world, fleet, inputs string) []string {
	useSimulation(t)
	synctest.Test(t, func(t *testing.T) {
		w, err := sim.ReadWorld(strings.NewReader(world))
		if err != nil {
			t.Fatal(err)
		}
		if u.AWS, err = sim.New(w); err != nil {
			t.Fatal(err)
		}
		getenv, environ := environment(t, t.TempDir(), "environments: *\nimage-tag: v1.8.0\n"+inputs, "", 1)
		if code := run(t.Context(), command.Process{Getenv: getenv, Environ: environ, Stdout: io.Discard, Transport: u, ReadFile: func(string) ([]byte, error) { return []byte(fleet), nil }}); code != 1 {
			t.Errorf("exit code %d", code)
		}
	})
	return u.revisions
}

func TestWhatIsTakenBackDoesNotStandBehindOtherDeploys(t *testing.T) {
	const tenants = 30
	fleet := "version: 1\ndefaults: {account: \"444455556666\", region: ap-northeast-1, cluster: \"{environment}\", services: [rails, nextjs]}\nenvironments:\n"
	for n := 1; n <= tenants; n++ {
		fleet += fmt.Sprintf("  tenant-%d: {}\n", n)
	}
	world := fmt.Sprintf(smallWorld, `, "task-faults": [{"cluster": "tenant-1", "image": "*/nextjs:v1.8.0", "fails": "exit", "after": "2s", "exit-code": 1}]`)
	world = strings.ReplaceAll(world, `"count": 2`, fmt.Sprintf(`"count": %d`, tenants))
	world = strings.Replace(world, `{"services"`, `{"quotas": {"ecs:service-modify": {"rate": 0.1, "burst": 4}}, "services"`, 1)
	var u updates
	got := u.play(t, world, fleet, "api-quotas: ecs:service-modify: 0.1/s, burst 4\n")
	behind := -1
	for i, revision := range got {
		// What of the two was still under way is stopped, which is no update.
		if revision == "rails-1:41" || revision == "nextjs-1:7" {
			behind = len(got) - 1 - i
		}
	}
	if len(got) < 2*tenants || behind < tenants/2 {
		t.Errorf("of %d updates, %d came behind the last that takes tenant-1 back: %q", len(got), behind, got)
	}
}

func TestTheLastWaveGoesBackFirst(t *testing.T) {
	fleet := "version: 1\ndefaults: {account: \"444455556666\", region: ap-northeast-1, cluster: \"{environment}\", services: [rails, nextjs]}\nenvironments:\n"
	for n := 1; n <= 4; n++ {
		fleet += fmt.Sprintf("  tenant-%d: {wave: %d}\n", n, n)
	}
	world := fmt.Sprintf(smallWorld, `, "task-faults": [{"cluster": "tenant-4", "image": "*/nextjs:v1.8.0", "fails": "exit", "after": "2s", "exit-code": 1}]`)
	var u updates
	back := make([]string, 0, 4)
	for _, revision := range u.play(t, strings.ReplaceAll(world, `"count": 2`, `"count": 4`), fleet, "rollback: all\n") {
		if name, found := strings.CutSuffix(revision, ":41"); found {
			back = append(back, name)
		}
	}
	if got := strings.Join(back, " "); got != "rails-4 rails-3 rails-2 rails-1" {
		t.Errorf("taken back in the order %s", got)
	}
}
