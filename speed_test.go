package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ecs-fleet/internal/command"
	"ecs-fleet/internal/sim"
	"ecs-fleet/internal/throttle"
)

// What users pay for: calls, throttled answers, time, and whether everything
// really runs. All in virtual time, with the real SDK, against the simulation's
// own account of what it was asked.

// crowd is a fleet of equal environments, the same number in each place.
type crowd struct {
	places       []place // nil: one
	roles        bool    // each environment has a role of its own
	environments int     // in each place
	services     int     // of each environment; 0: 1
	change       func(*sim.Region)
	inputs       []string // flags
	waves        int      // of equal size; 0: 1
	parts        []int    // the label "part" of environment after environment, over and over; nil: 0, 1, 2
}

// place is an account and a Region.
type place struct{ account, region string }

func (c crowd) everywhere() []place {
	if c.places == nil {
		return []place{{crowdAccount, "us-east-1"}}
	}
	return c.places
}

// tenant is the name of the n-th environment of a place, and of its cluster.
func tenant(place int, n any) string { return fmt.Sprintf("tenant-%d-%v", place, n) }

// measured is what a run has cost.
type measured struct {
	aws                *sim.AWS
	code               int
	statuses           map[string]int
	calls, throttled   int            // STS, ECR and CloudWatch Logs apart
	registrations      int            // accepted ones
	span               time.Duration  // from the first registration to the last update
	updating           time.Duration  // from the first update to the last
	watching           map[string]int // calls of each kind in the busiest minute after the first update
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
	result := filepath.Join(t.TempDir(), "result.json")
	synctest.Test(t, func(t *testing.T) {
		aws := c.simulate(t)
		for _, tag := range tags {
			before, start := len(aws.Calls()), time.Now()
			code := c.run(t.Context(), aws, "*", tag, result)
			m = measured{aws: aws, code: code, took: time.Since(start), statuses: map[string]int{}}
			m.count(aws.Calls()[before:])
			c.look(&m, tag)
		}
	})
	m.read(t, result)
	return m
}

// deployInParts splits the crowd between runs that know nothing of each other,
// one for each start and part, and measures them as one.
func (c crowd) deployInParts(t *testing.T, tag string, starts ...time.Duration) (m measured) {
	t.Helper()
	useSimulation(t)
	dir := t.TempDir()
	result := func(run int) string { return filepath.Join(dir, fmt.Sprintf("result-%d.json", run)) }
	synctest.Test(t, func(t *testing.T) {
		aws, start := c.simulate(t), time.Now()
		codes := make([]int, len(starts))
		var group sync.WaitGroup
		for run, at := range starts {
			group.Go(func() {
				time.Sleep(at)
				codes[run] = c.run(t.Context(), aws, fmt.Sprintf("part=%d", run), tag, result(run))
			})
		}
		group.Wait()
		m = measured{aws: aws, code: slices.Max(codes), took: time.Since(start), statuses: map[string]int{}}
		m.count(aws.Calls())
		c.look(&m, tag)
	})
	for run := range starts {
		m.read(t, result(run))
	}
	return m
}

func (c crowd) simulate(t *testing.T) *sim.AWS {
	t.Helper()
	aws, err := sim.New(c.world())
	if err != nil {
		t.Fatal(err)
	}
	return aws
}

// run runs the action over the selected environments and returns its exit code.
func (c crowd) run(ctx context.Context, aws *sim.AWS, environments, tag, result string) int {
	return run(ctx, command.Process{
		Args: append([]string{"deploy", "--environments=" + environments, "--image-tag=" + tag}, c.inputs...), Stdout: new(bytes.Buffer),
		Getenv: func(name string) string {
			return map[string]string{"ECS_FLEET_RESULT": result, "GITHUB_REPOSITORY": "acme/product", "GITHUB_RUN_ID": "9000", "GITHUB_RUN_ATTEMPT": "1", "GITHUB_SHA": "94ea318c"}[name]
		},
		Transport: sim.RoundTripper(aws), ReadFile: func(string) ([]byte, error) { return c.fleet(), nil },
	})
}

func (c crowd) world() sim.World {
	w := sim.World{
		Latency:  sim.Duration(60 * time.Millisecond),
		Timing:   sim.Timing{Pulling: ptr(sim.Duration(120 * time.Second))}, // so that a deploy takes three minutes
		Accounts: make(map[string]sim.Account),
	}
	for p, at := range c.everywhere() {
		if w.Accounts[at.account].Regions == nil {
			w.Accounts[at.account] = sim.Account{Regions: make(map[string]sim.Region)}
		}
		w.Accounts[at.account].Regions[at.region] = c.region(p)
	}
	return w
}

func (c crowd) region(place int) sim.Region {
	two := 2
	region := sim.Region{Repositories: map[string]map[string]string{"app": {}}}
	for n := range 4 {
		region.Repositories["app"][fmt.Sprintf("v%d", n)] = fmt.Sprintf("sha256:%064x", n+1)
	}
	for s := range max(c.services, 1) {
		name := fmt.Sprintf("%s-s%d", tenant(place, "{n}"), s)
		region.Services = append(region.Services, sim.Service{
			Count: c.environments, Cluster: tenant(place, "{n}"), Name: name, Family: name, Revision: 7, Desired: &two, CircuitBreaker: "rollback",
			Containers: map[string]string{"app": crowdAccount + ".dkr.ecr.us-east-1.amazonaws.com/app:v0"},
		})
	}
	if c.change != nil {
		c.change(&region)
	}
	return region
}

func ptr[T any](v T) *T { return &v }

// fleet has a role for each account where there are several, and a label
// "part" for those who deploy in parts.
func (c crowd) fleet() []byte {
	parts := c.parts
	if parts == nil {
		parts = []int{0, 1, 2}
	}
	var b strings.Builder
	b.WriteString("version: 1\ndefaults:\n  cluster: \"{environment}\"\n")
	switch {
	case c.roles:
		b.WriteString("  role-arn: \"arn:aws:iam::{account}:role/{environment}\"\n")
	case c.places != nil:
		b.WriteString("  role-arn: \"arn:aws:iam::{account}:role/deploy\"\n")
	}
	b.WriteString("  services:\n")
	for s := range max(c.services, 1) {
		fmt.Fprintf(&b, "    s%d: {service: \"{environment}-s%d\"}\n", s, s)
	}
	b.WriteString("environments:\n")
	for p, at := range c.everywhere() {
		for n := range c.environments {
			fmt.Fprintf(&b, "  %s: {account: %q, region: %s, wave: %d, labels: {part: \"%d\"}}\n", tenant(p, n+1), at.account, at.region, 1+n*max(c.waves, 1)/c.environments, parts[n%len(parts)])
		}
	}
	return []byte(b.String())
}

func (m *measured) count(calls []sim.Call) {
	var first, firstUpdate, last time.Time
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
			if firstUpdate.IsZero() {
				firstUpdate = call.At
			}
			last = call.At
		}
	}
	m.watching = make(map[string]int)
	for _, action := range []string{"DescribeServices", "DescribeServiceDeployments"} {
		m.watching[action] = busiest(calls, action, firstUpdate)
	}
	m.span, m.updating = last.Sub(first), last.Sub(firstUpdate)
}

// busiest is the most calls of an action that one place was asked in any minute
// from then on, without the one look at a service that comes before its update.
func busiest(calls []sim.Call, action string, from time.Time) (most int) {
	type key struct {
		place  place
		action string
	}
	recent := make(map[key][]time.Time)
	for _, call := range calls {
		at := place{call.Account, call.Region}
		polls, updates := key{at, action}, key{at, "UpdateService"}
		if k := (key{at, call.Action}); k == polls || k == updates {
			recent[k] = append(recent[k], call.At)
		}
		for _, k := range []key{polls, updates} {
			for len(recent[k]) > 0 && call.At.Sub(recent[k][0]) > time.Minute {
				recent[k] = recent[k][1:]
			}
		}
		n := len(recent[polls])
		if action == "DescribeServices" {
			n -= len(recent[updates])
		}
		if call.At.After(from.Add(time.Minute)) {
			most = max(most, n)
		}
	}
	return most
}

// watchedModestly says that polls take less than half of the read
// quotas, 20 a second each, in every minute.
func (m measured) watchedModestly(t *testing.T) {
	t.Helper()
	t.Logf("calls in the busiest minute: %v", m.watching)
	for action, calls := range m.watching {
		if calls > 60*20/2 {
			t.Errorf("%d of %s in a minute, want at most half of what the quota allows", calls, action)
		}
	}
}

// look counts what really runs in the world.
func (c crowd) look(m *measured, tag string) {
	for p, at := range c.everywhere() {
		for n := range c.environments {
			for s := range max(c.services, 1) {
				state, _ := m.aws.Service(at.account, at.region, tenant(p, n+1), fmt.Sprintf("%s-s%d", tenant(p, n+1), s))
				m.services++
				if runsOnly(state, tag) {
					m.deployed++
				}
			}
		}
	}
}

func runsOnly(state sim.ServiceState, tag string) bool {
	for image, tasks := range state.Images["app"] {
		if !strings.HasSuffix(image, ":"+tag) || tasks != 2 {
			return false
		}
	}
	return len(state.Images["app"]) == 1
}

// read counts the statuses of a run's document.
func (m *measured) read(t *testing.T, path string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var document struct{ Services []struct{ Status string } }
	if err := json.Unmarshal(text, &document); err != nil {
		t.Fatal(err)
	}
	for _, s := range document.Services {
		m.statuses[s.Status]++
	}
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

func TestEnvironmentsAtThePaceOfTheQuota(t *testing.T) {
	for _, n := range []int{50, 100, 200} { // 1000: TestAThousandEnvironmentsFitOnARunner
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			m := crowd{environments: n}.deploy(t, "v1")
			m.alone(t, n)
			if m.took < 3*time.Minute+m.span {
				t.Errorf("the whole took %v: a deploy of three minutes was to be measured", m.took)
			}
		})
	}
}

// alone holds a run of environments in one account and Region, with nobody else
// in it, against what AWS's quotas allow.
func (m measured) alone(t *testing.T, environments int) {
	t.Helper()
	m.every(t, "deployed")
	least := max(bound(environments, 20, 1), bound(environments, 50, 5))
	t.Logf("%v from the first registration to the last update (bound %v), %d of %d calls throttled, %.2f calls an environment", m.span, least, m.throttled, m.calls, m.callsEach(environments))
	if m.span > least+least/20+2*time.Second {
		t.Errorf("%v from the first registration to the last update, want at most 1.05 × %v and 2 s", m.span, least)
	}
	if m.throttled*100 >= m.calls {
		t.Errorf("%d of %d calls throttled, want under 1 %%", m.throttled, m.calls)
	}
	if got := m.callsEach(environments); got > 8 {
		t.Errorf("%.2f calls an environment, want at most 8", got)
	}
	m.watchedModestly(t)
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

func TestTheNextWaveFindsItsRevisionsRegistered(t *testing.T) {
	m := crowd{environments: 60, waves: 2}.deploy(t, "v1")
	m.every(t, "deployed")
	var registered, updated []time.Time
	for _, call := range m.aws.Calls() {
		switch call.Action {
		case "RegisterTaskDefinition":
			registered = append(registered, call.At)
		case "UpdateService":
			updated = append(updated, call.At)
		}
	}
	if len(registered) != 60 || len(updated) != 60 {
		t.Fatalf("%d registrations and %d updates, want 60 of each", len(registered), len(updated))
	}
	least := bound(60, 20, 1)
	if took := registered[59].Sub(registered[0]); took > least+2*time.Second {
		t.Errorf("the registrations of both waves took %v, want %v: they wait for no wave", took, least)
	}
	if pause, took := updated[30].Sub(updated[29]), updated[59].Sub(updated[30]); pause < 2*time.Minute || took > 2*time.Second {
		t.Errorf("the second wave began %v after the first, and its updates took %v; want minutes, and no waiting for the quota", pause, took)
	}
}

func TestAThousandPreparedEnvironmentsAreReleasedAtThePaceOfUpdates(t *testing.T) {
	useSimulation(t)
	c, result := crowd{environments: 1000}, filepath.Join(t.TempDir(), "result.json")
	var m measured
	synctest.Test(t, func(t *testing.T) {
		aws := c.simulate(t)
		c.inputs = []string{"--prepare"}
		if code := c.run(t.Context(), aws, "*", "v1", result); code != 0 {
			t.Errorf("prepare ended with exit code %d", code)
		}
		calls := aws.Calls()
		if slices.ContainsFunc(calls, func(call sim.Call) bool { return call.Action == "UpdateService" }) {
			t.Error("prepare has updated a service")
		}
		before := len(calls)
		c.inputs = nil
		code := c.run(t.Context(), aws, "*", "v1", result)
		m = measured{aws: aws, code: code, statuses: map[string]int{}}
		m.count(aws.Calls()[before:])
		c.look(&m, "v1")
	})
	m.read(t, result)
	m.every(t, "deployed")
	least := bound(1000, 50, 5)
	t.Logf("%v from the first update to the last (bound %v), %d registrations, %d of %d calls throttled", m.updating, least, m.registrations, m.throttled, m.calls)
	if m.registrations != 0 || m.throttled*100 >= m.calls {
		t.Errorf("%d registrations, and %d of %d calls throttled; want none, and under 1 %%", m.registrations, m.throttled, m.calls)
	}
	m.watchedModestly(t)
	if m.updating > least+least/20 {
		t.Errorf("%v from the first update to the last, want at most 1.05 × %v", m.updating, least)
	}
}

func TestARoleForEachEnvironmentDoesNotMultiplyTheWatching(t *testing.T) {
	quota := func(r *sim.Region) {
		r.Quotas = map[string]sim.Quota{"ecs:task-definition-modify": {Rate: ptr(100.0), Burst: ptr(500.0)}}
	}
	m := crowd{environments: 500, roles: true, change: quota, inputs: []string{"--api-quotas=ecs:task-definition-modify: 100/s, burst 500"}}.deploy(t, "v1")
	m.every(t, "deployed")
	m.watchedModestly(t)
	least := bound(500, 50, 5)
	t.Logf("%v from the first update to the last (bound %v), %d of %d calls throttled, %v in all", m.updating, least, m.throttled, m.calls, m.took)
	if m.updating > least+least/20+2*time.Second || m.throttled*100 >= m.calls {
		t.Errorf("%v from the first update to the last, and %d of %d calls throttled; want at most 1.05 × %v and 2 s, and under 1 %%", m.updating, m.throttled, m.calls, least)
	}
}

func TestNothingFailsForAQuotaThatIsNotWhatAWSDocuments(t *testing.T) {
	tests := []struct {
		name         string
		environments int
		change       func(*sim.Region)
		least        time.Duration // of their registrations under the real quota
	}{
		{"secretly half", 100, func(r *sim.Region) { r.QuotaFactor = 0.5 }, bound(100, 10, 0.5)},
		{"secretly a tenth", 300, func(r *sim.Region) { r.QuotaFactor = 0.1 }, bound(300, 2, 0.1)},
		{"another client uses half", 100, func(r *sim.Region) {
			r.Neighbours = []sim.Neighbour{{Bucket: "ecs:task-definition-modify", Rate: 0.5}, {Bucket: "ecs:service-modify", Rate: 2.5}, {Bucket: "ecs:service-read", Rate: 10}, {Bucket: "ecs:service-deployment", Rate: 10}, {Bucket: "ecs:task-definition-read", Rate: 10}}
		}, bound(100, 20, 0.5)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := crowd{environments: tt.environments, change: tt.change}.deploy(t, "v1")
			m.every(t, "deployed")
			t.Logf("%v (%.3f of the bound %v), %d of %d calls throttled", m.span, m.span.Seconds()/tt.least.Seconds(), tt.least, m.throttled, m.calls)
			if m.throttled == 0 {
				t.Error("nothing was throttled: the test shows nothing")
			}
			// What it costs to learn weighs more in a short run.
			if tt.environments >= 300 && m.throttled*20 >= m.calls {
				t.Errorf("%d of %d calls throttled, want under 5 %%", m.throttled, m.calls)
			}
			if m.span > tt.least+tt.least/4 {
				t.Errorf("%v from the first registration to the last update, want at most 1.25 × %v", m.span, tt.least)
			}
		})
	}
}

func TestTheRunUsesAllOfTheQuotaThatIsItsOwnAndNoMore(t *testing.T) {
	const factor = 5
	var raised []string
	for _, name := range throttle.Buckets() {
		q, _ := throttle.Documented(name)
		raised = append(raised, fmt.Sprintf("%s: %v/s, burst %v", name, factor*q.Rate, factor*q.Burst))
	}
	tests := []struct {
		name         string
		environments int
		input        string
		change       func(*sim.Region)
		least        time.Duration
	}{
		{"half of it, by api-share", 100, "--api-share=50%", nil, bound(100, 10, 0.5)},
		{"five times what AWS documents, by api-quotas", 300, "--api-quotas=" + strings.Join(raised, "\n"),
			func(r *sim.Region) { r.QuotaFactor = factor }, bound(300, 20*factor, factor)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := crowd{environments: tt.environments, inputs: []string{tt.input}, change: tt.change}.deploy(t, "v1")
			m.every(t, "deployed")
			t.Logf("%v (bound %v), %d of %d calls throttled", m.span, tt.least, m.throttled, m.calls)
			if m.throttled != 0 {
				t.Errorf("%d of %d calls throttled, want none", m.throttled, m.calls)
			}
			if m.span < tt.least || m.span > tt.least+tt.least/20+2*time.Second {
				t.Errorf("%v from the first registration to the last update, want from %v to 1.05 times that and 2 s", m.span, tt.least)
			}
		})
	}
}

func TestRunsAtOnceShareAQuotaAndTogetherAreAsFastAsOne(t *testing.T) {
	tests := []struct {
		name         string
		environments int
		parts        []int
		starts       []time.Duration
	}{
		{"three equal ones together", 300, nil, []time.Duration{0, 0, 0}},
		{"three short ones together", 120, nil, []time.Duration{0, 0, 0}},
		{"a long one and two shorter ones, one after the other", 300, []int{0, 0, 0, 1, 1, 2}, []time.Duration{0, 20 * time.Second, 45 * time.Second}},
		{"a short one and two longer ones, one after the other", 300, []int{0, 1, 1, 2, 2, 2}, []time.Duration{0, 10 * time.Second, 30 * time.Second}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := crowd{environments: tt.environments, parts: tt.parts}.deployInParts(t, "v1", tt.starts...)
			m.every(t, "deployed")
			least := bound(tt.environments, 20, 1)
			t.Logf("%v (%.3f of the bound %v), %d of %d calls throttled", m.span, m.span.Seconds()/least.Seconds(), least, m.throttled, m.calls)
			if m.throttled == 0 {
				t.Error("nothing was throttled: the test shows nothing")
			}
			// How soon strangers come to equal shares is chance within bounds, which
			// weighs more in a short run: internal/throttle tries many.
			limit := least + least/4
			if tt.environments < 300 {
				limit = least + least/2
			}
			if m.span > limit {
				t.Errorf("%v from the first registration to the last update, want at most %v", m.span, limit)
			}
		})
	}
}

// quotaChange is what becomes of a documented quota: part of it from some time
// on.
type quotaChange struct {
	at time.Duration
	to float64
}

// changingBound is the least time in which a bucket of 20 and 1/s, of which
// there are different parts at different times, lets n calls through that begin
// at from.
func changingBound(n int, changes []quotaChange, from time.Duration) time.Duration {
	const step = 100 * time.Millisecond
	now := changes[0].to
	left := float64(n) - 20*now
	for at := from; ; at += step {
		for _, c := range changes {
			if at >= c.at {
				now = c.to
			}
		}
		if left -= now * step.Seconds(); left <= 0 {
			return at - from
		}
	}
}

// The real quotas of registrations and updates change while a run is at work.
func TestAQuotaThatChangesInMidRunIsFollowed(t *testing.T) {
	tests := []struct {
		name    string
		changes []quotaChange
	}{
		{"down to half and up again", []quotaChange{{0, 1}, {2 * time.Minute, 0.5}, {5 * time.Minute, 1}}},
		{"up from a tenth", []quotaChange{{0, 0.1}, {3 * time.Minute, 1}}},
		{"down to a tenth for a while", []quotaChange{{0, 1}, {time.Minute, 0.1}, {4 * time.Minute, 1}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := crowd{environments: 300, change: func(r *sim.Region) {
				r.Quotas = map[string]sim.Quota{}
				for _, bucket := range []string{"ecs:task-definition-modify", "ecs:service-modify"} {
					full, _ := throttle.Documented(bucket)
					var q sim.Quota
					for _, c := range tt.changes {
						q.Changes = append(q.Changes, sim.QuotaChange{At: sim.Duration(c.at), Rate: ptr(full.Rate * c.to), Burst: ptr(full.Burst * c.to)})
					}
					r.Quotas[bucket] = q
				}
			}}.deploy(t, "v1")
			m.every(t, "deployed")
			calls := m.aws.Calls()
			first := slices.IndexFunc(calls, func(c sim.Call) bool { return c.Action == "RegisterTaskDefinition" })
			least := changingBound(300, tt.changes, calls[first].At.Sub(calls[0].At))
			t.Logf("%v (%.3f of the bound %v), %d of %d calls throttled", m.span, m.span.Seconds()/least.Seconds(), least, m.throttled, m.calls)
			if m.throttled*20 >= m.calls {
				t.Errorf("%d of %d calls throttled, want under 5 %%", m.throttled, m.calls)
			}
			if m.span > least+least/4 {
				t.Errorf("%v from the first registration to the last update, want at most 1.25 × %v", m.span, least)
			}
		})
	}
}

func TestAThousandEnvironmentsInTwelvePlacesTakeAsLongAsOnePlace(t *testing.T) {
	var places []place
	for _, account := range []string{crowdAccount, "111122223333", "555566667777", "777788889999"} {
		for _, region := range []string{"us-east-1", "eu-west-1", "ap-northeast-1"} {
			places = append(places, place{account, region})
		}
	}
	m := crowd{places: places, environments: 84}.deploy(t, "v1")
	m.every(t, "deployed")
	least := bound(84, 20, 1)
	t.Logf("%v (bound %v), %d of %d calls throttled", m.span, least, m.throttled, m.calls)
	if m.services < 1000 || m.throttled*100 >= m.calls {
		t.Errorf("%d services, and %d of %d calls throttled; want a thousand, and under 1 %%", m.services, m.throttled, m.calls)
	}
	if m.span > least+least/20+2*time.Second {
		t.Errorf("%v from the first registration to the last update, want at most 1.05 × %v and 2 s", m.span, least)
	}
}
