package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ecs-fleet/internal/command"
	"ecs-fleet/internal/sim"
)

// What users pay for: calls, throttled answers, time, and whether everything
// really runs. All in virtual time, with the real SDK, against the simulation's
// own account of what it was asked.

// crowd is a fleet of equal environments in one account and Region.
type crowd struct {
	environments int
	services     int // of each environment; 0: 1
	change       func(*sim.Region)
	inputs       string
}

// measured is what a run has cost.
type measured struct {
	aws                *sim.AWS
	code               int
	statuses           map[string]int
	calls, throttled   int           // STS, ECR and CloudWatch Logs apart
	registrations      int           // accepted ones
	span               time.Duration // from the first registration to the last update
	took               time.Duration
	services, deployed int // in the world: how many run the new image, of how many
}

// callsEach is the number of calls for each environment.
func (m measured) callsEach(environments int) float64 {
	return float64(m.calls) / float64(environments)
}

const crowdAccount = "444455556666"

// deploy runs the action over the crowd, as often as there are tags, and
// measures the last run.
func (c crowd) deploy(t *testing.T, tags ...string) (m measured) {
	t.Helper()
	useSimulation(t)
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		aws, err := sim.New(c.world())
		if err != nil {
			t.Fatal(err)
		}
		for _, tag := range tags {
			before, start := len(aws.Calls()), time.Now()
			code := run(t.Context(), command.Process{
				Args: append([]string{"deploy", "--environments=*", "--image-tag=" + tag}, strings.Fields(c.inputs)...), Stdout: new(bytes.Buffer),
				Getenv: func(name string) string {
					return map[string]string{"ECS_FLEET_RESULT": filepath.Join(dir, "result.json")}[name]
				},
				Transport: sim.RoundTripper(aws), ReadFile: func(name string) ([]byte, error) { return c.fleet(), nil },
			})
			m = measured{aws: aws, code: code, took: time.Since(start)}
			m.count(aws.Calls()[before:])
			c.look(&m, tag)
		}
	})
	m.statuses = statuses(t, filepath.Join(dir, "result.json"))
	return m
}

func (c crowd) world() sim.World {
	two := 2
	region := sim.Region{Repositories: map[string]map[string]string{"app": {}}}
	for n := range 4 {
		region.Repositories["app"][fmt.Sprintf("v%d", n)] = fmt.Sprintf("sha256:%064x", n+1)
	}
	for s := range max(c.services, 1) {
		name := fmt.Sprintf("tenant-{n}-s%d", s)
		region.Services = append(region.Services, sim.Service{
			Count: c.environments, Cluster: "tenant-{n}", Name: name, Family: name, Revision: 7, Desired: &two, CircuitBreaker: "rollback",
			Containers: map[string]string{"app": crowdAccount + ".dkr.ecr.us-east-1.amazonaws.com/app:v0"},
		})
	}
	if c.change != nil {
		c.change(&region)
	}
	return sim.World{
		Latency:  sim.Duration(60 * time.Millisecond),
		Timing:   sim.Timing{Draining: ptr(sim.Duration(120 * time.Second))}, // so that a deploy takes three minutes
		Accounts: map[string]sim.Account{crowdAccount: {Regions: map[string]sim.Region{"us-east-1": region}}},
	}
}

func ptr[T any](v T) *T { return &v }

func (c crowd) fleet() []byte {
	var b strings.Builder
	b.WriteString("version: 1\ndefaults:\n  region: us-east-1\n  cluster: \"{environment}\"\n  services:\n")
	for s := range max(c.services, 1) {
		fmt.Fprintf(&b, "    s%d: {service: \"{environment}-s%d\"}\n", s, s)
	}
	b.WriteString("environments:\n")
	for n := range c.environments {
		fmt.Fprintf(&b, "  tenant-%d: {}\n", n+1)
	}
	return []byte(b.String())
}

func (m *measured) count(calls []sim.Call) {
	var first, last time.Time
	for _, call := range calls {
		if call.Service != "ecs" {
			continue
		}
		m.calls++
		switch {
		case call.Throttled:
			m.throttled++
		case call.Action == "RegisterTaskDefinition":
			m.registrations++
			if first.IsZero() {
				first = call.At
			}
		case call.Action == "UpdateService":
			last = call.At
		}
	}
	m.span = last.Sub(first)
}

// look counts what really runs in the world.
func (c crowd) look(m *measured, tag string) {
	for n := range c.environments {
		for s := range max(c.services, 1) {
			state, _ := m.aws.Service(crowdAccount, "us-east-1", fmt.Sprintf("tenant-%d", n+1), fmt.Sprintf("tenant-%d-s%d", n+1, s))
			m.services++
			for image, tasks := range state.Images["app"] {
				if strings.HasSuffix(image, ":"+tag) && tasks == 2 && len(state.Images["app"]) == 1 {
					m.deployed++
				}
			}
		}
	}
}

func statuses(t *testing.T, path string) map[string]int {
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var document struct{ Services []struct{ Status string } }
	if err := json.Unmarshal(text, &document); err != nil {
		t.Fatal(err)
	}
	counts := make(map[string]int)
	for _, s := range document.Services {
		counts[s.Status]++
	}
	return counts
}

// bound is the least time in which a token bucket lets n calls through.
func bound(n int, burst, rate float64) time.Duration {
	return time.Duration(math.Max(0, (float64(n)-burst)/rate) * float64(time.Second))
}

// every says that all services run what they should.
func (m measured) every(t *testing.T, status string) {
	t.Helper()
	if m.code != 0 || m.statuses[status] != m.services || m.deployed != m.services {
		t.Errorf("exit code %d, statuses %v, %d of %d services run the new image; want all %s", m.code, m.statuses, m.deployed, m.services, status)
	}
}

func TestAHundredEnvironmentsAtThePaceOfTheQuota(t *testing.T) {
	m := crowd{environments: 100}.deploy(t, "v1")
	m.every(t, "deployed")
	least := bound(100, 20, 1)
	t.Logf("%v from the first registration to the last update (bound %v), %d of %d calls throttled, %.2f calls an environment", m.span, least, m.throttled, m.calls, m.callsEach(100))
	if m.span > least+least/10 {
		t.Errorf("%v from the first registration to the last update, want at most 1.1 × %v", m.span, least)
	}
	if m.throttled*100 >= m.calls {
		t.Errorf("%d of %d calls throttled, want under 1 %%", m.throttled, m.calls)
	}
	if m.took < 3*time.Minute {
		t.Errorf("the whole took %v: a deploy of three minutes was to be measured", m.took)
	}
	if got := m.callsEach(100); got > 8 {
		t.Errorf("%.2f calls an environment, want at most 8", got)
	}
}

func TestTenServicesInAClusterShareTheirCalls(t *testing.T) {
	m := crowd{environments: 10, services: 10}.deploy(t, "v1")
	m.every(t, "deployed")
	each := float64(m.calls) / float64(m.services)
	t.Logf("%.2f calls a service", each)
	if each > 6.5 {
		t.Errorf("%.2f calls a service, want at most 6.5", each)
	}
}

func TestTheSameCommandAgainChangesNothing(t *testing.T) {
	m := crowd{environments: 100}.deploy(t, "v1", "v1")
	m.every(t, "unchanged")
	if m.took > 10*time.Second {
		t.Errorf("took %v, want seconds", m.took)
	}
	if m.registrations != 0 || m.span != 0 {
		t.Errorf("%d registrations, and updates until %v; want none", m.registrations, m.span)
	}
}

func TestAReturnToTheLastVersionRegistersNothing(t *testing.T) {
	m := crowd{environments: 30}.deploy(t, "v1", "v2", "v1")
	m.every(t, "deployed")
	if m.registrations != 0 {
		t.Errorf("%d registrations, want none: the revisions of v1 are there", m.registrations)
	}
}

func TestNothingFailsForAQuotaThatIsNotWhatAWSDocuments(t *testing.T) {
	tests := []struct {
		name   string
		change func(*sim.Region)
		least  time.Duration // of 100 registrations under the real quota
	}{
		{"secretly half", func(r *sim.Region) { r.QuotaFactor = 0.5 }, bound(100, 10, 0.5)},
		{"another client uses half", func(r *sim.Region) {
			r.Neighbours = []sim.Neighbour{{Bucket: "ecs:task-definition-modify", Rate: 0.5}, {Bucket: "ecs:service-modify", Rate: 2.5}, {Bucket: "ecs:service-read", Rate: 10}, {Bucket: "ecs:service-deployment", Rate: 10}, {Bucket: "ecs:task-definition-read", Rate: 10}}
		}, bound(100, 20, 0.5)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := crowd{environments: 100, change: tt.change}.deploy(t, "v1")
			m.every(t, "deployed")
			t.Logf("%v (bound %v), %d of %d calls throttled", m.span, tt.least, m.throttled, m.calls)
			if m.throttled == 0 {
				t.Error("nothing was throttled: the test shows nothing")
			}
			if m.span > tt.least+tt.least/4 {
				t.Errorf("%v from the first registration to the last update, want at most 1.25 × %v", m.span, tt.least)
			}
		})
	}
}
