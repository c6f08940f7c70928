package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ecs-fleet/internal/command"
	"ecs-fleet/internal/sim"
)

// smallWorld is two environments with two services each, in two waves.
const smallWorld = `{
  "start": "2026-01-31T04:05:06Z",
  "accounts": {"444455556666": {"regions": {"ap-northeast-1": {"services": [
    {"count": 2, "cluster": "tenant-{n}", "name": "rails", "family": "rails-{n}", "revision": 41, "desired": 2, "circuit-breaker": "on",
     "containers": {"app": "444455556666.dkr.ecr.ap-northeast-1.amazonaws.com/rails:v1.7.0"}},
    {"count": 2, "cluster": "tenant-{n}", "name": "nextjs", "family": "nextjs-{n}", "revision": 7, "desired": 2, "circuit-breaker": "on",
     "containers": {"app": "444455556666.dkr.ecr.ap-northeast-1.amazonaws.com/nextjs:v1.7.0"}}
  ]}}}}%s
}`

const smallFleet = `version: 1
defaults: {account: "444455556666", region: ap-northeast-1, cluster: "{environment}", services: [rails, nextjs]}
environments:
  tenant-1: {}
  tenant-2: {wave: 2}
`

// killed is a run whose process is killed with its k-th request: nothing of it
// reaches AWS any more. Either that request did not either, or its answer is
// lost on the way. k is 0 for a run that is not killed.
type killed struct {
	*sim.AWS
	k      int
	answer bool // the k-th request reaches AWS
	kill   context.CancelFunc

	mu   sync.Mutex
	made int
}

func (r *killed) RoundTrip(req *http.Request) (*http.Response, error) {
	r.mu.Lock()
	r.made++
	made := r.made
	r.mu.Unlock()
	if r.k == 0 || made < r.k {
		return sim.RoundTripper(r.AWS).RoundTrip(req)
	}
	if made == r.k && r.answer {
		if answer, err := sim.RoundTripper(r.AWS).RoundTrip(req.WithContext(context.WithoutCancel(req.Context()))); err == nil {
			_, _ = io.Copy(io.Discard, answer.Body)
			_ = answer.Body.Close()
		}
	}
	r.kill()
	return nil, errors.New("killed")
}

// attempt is an attempt of run 1 over the small fleet, and returns its result
// document, exit code, and how many requests it made.
func attempt(t *testing.T, aws *sim.AWS, number, k int, answer bool) (d document, code, made int) {
	return attemptWith(t, aws, smallFleet, "", number, k, answer)
}

// attemptWith is attempt over another fleet, with more inputs.
func attemptWith(t *testing.T, aws *sim.AWS, fleet, inputs string, number, k int, answer bool) (d document, code, made int) {
	ctx, kill := context.WithCancel(t.Context())
	defer kill()
	dir := t.TempDir()
	getenv, environ := environment(t, dir, "environments: *\nimage-tag: v1.8.0\n"+inputs, fmt.Sprintf("1 %d", number), 1)
	transport := &killed{AWS: aws, k: k, answer: answer, kill: kill}
	code = run(ctx, command.Process{
		Getenv: getenv, Environ: environ, Stdout: io.Discard, Transport: transport,
		ReadFile: func(string) ([]byte, error) { return []byte(fleet), nil },
	})
	if err := json.Unmarshal([]byte(read(t, filepath.Join(dir, "result.json"))), &d); err != nil {
		t.Error(err)
	}
	return d, code, transport.made
}

// eachKill kills a run over the small fleet at each of its requests, and has
// check look at what the next attempt came to. It returns how many kills there
// were: with both, each request once does not reach AWS and once loses its answer,
// else these alternate.
func eachKill(t *testing.T, more string, both bool, check func(t *testing.T, aws *sim.AWS, d document, code int)) (kills int) {
	useSimulation(t)
	for k := 1; ; k++ {
		over := false
		for _, answer := range []bool{false, true} {
			if !both && answer == (k%2 == 0) {
				continue
			}
			synctest.Test(t, func(t *testing.T) {
				world, err := sim.ReadWorld(strings.NewReader(fmt.Sprintf(smallWorld, more)))
				if err != nil {
					t.Fatal(err)
				}
				aws, err := sim.New(world)
				if err != nil {
					t.Fatal(err)
				}
				_, _, made := attempt(t, aws, 1, k, answer)
				over = made < k
				time.Sleep(betweenRuns)
				d, code, _ := attempt(t, aws, 2, 0, false)
				check(t, aws, d, code)
				if t.Failed() {
					t.Fatalf("killed at request %d, which reached AWS: %t", k, answer)
				}
			})
			kills++
		}
		if over {
			return kills
		}
	}
}

func TestARunThatIsKilledAtAnyRequestIsTakenUpAgain(t *testing.T) {
	kills := eachKill(t, "", true, func(t *testing.T, aws *sim.AWS, d document, code int) {
		if code != 0 {
			t.Errorf("exit code %d: %+v", code, d.Services)
		}
		for _, s := range d.Services {
			now, _ := aws.Service(s.Account, s.Region, s.Cluster, s.ECSService)
			if image := "444455556666.dkr.ecr.ap-northeast-1.amazonaws.com/" + s.Service + ":v1.8.0"; now.Images["app"][image] != 2 || now.RolloutState != "COMPLETED" {
				t.Errorf("%s/%s: %s, %v", s.Environment, s.Service, now.RolloutState, now.Images)
			}
		}
		writes := make(map[string]int)
		for _, c := range aws.Calls() {
			if c.Code == "" {
				writes[c.Action]++
			}
		}
		if writes["RegisterTaskDefinition"] != 4 || writes["UpdateService"] != 4 {
			t.Errorf("4 services were registered %d times and deployed %d times", writes["RegisterTaskDefinition"], writes["UpdateService"])
		}
	})
	t.Logf("%d times killed", kills)
}

func TestARunThatIsKilledWhileItTakesBackIsTakenUpAgain(t *testing.T) {
	broken := `, "task-faults": [{"cluster": "tenant-1", "image": "*/nextjs:v1.8.0", "fails": "exit", "after": "2s", "exit-code": 1}]`
	kills := eachKill(t, broken, false, func(t *testing.T, aws *sim.AWS, d document, code int) {
		if code != 1 {
			t.Errorf("exit code %d", code)
		}
		for _, s := range d.Services {
			now, _ := aws.Service(s.Account, s.Region, s.Cluster, s.ECSService)
			if image := "444455556666.dkr.ecr.ap-northeast-1.amazonaws.com/" + s.Service + ":v1.7.0"; now.Images["app"][image] != 2 || now.RolloutState != "COMPLETED" {
				t.Errorf("%s/%s is %s (%s): %s, %v", s.Environment, s.Service, s.Status, s.Reason, now.RolloutState, now.Images)
			}
		}
	})
	t.Logf("%d times killed", kills)
}

// suspendWorld is a service whose scaling is suspended in part.
const suspendWorld = `{
  "start": "2026-01-31T04:05:06Z",
  "accounts": {"444455556666": {"regions": {"ap-northeast-1": {"services": [
    {"cluster": "tenant-1", "name": "rails", "family": "rails", "revision": 41, "desired": 2,
     "containers": {"app": "444455556666.dkr.ecr.ap-northeast-1.amazonaws.com/rails:v1.7.0"}}
  ], "scalable-targets": [{"cluster": "tenant-1", "service": "rails", "min": 2, "max": 20, "suspended": {"in": true},
     "policies": [{"name": "cpu", "target": 50}]}]}}}}
}`

// TestScalingThatAKilledRunHasSuspendedIsRestored kills a run at each of its
// requests, each once before and once after AWS has got it. The next run knows
// nothing of autoscaling.
func TestScalingThatAKilledRunHasSuspendedIsRestored(t *testing.T) {
	useSimulation(t)
	kills, left := 0, 0
	for k, over := 1, false; !over; k++ {
		for _, answer := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				world, err := sim.ReadWorld(strings.NewReader(suspendWorld))
				if err != nil {
					t.Fatal(err)
				}
				aws, err := sim.New(world)
				if err != nil {
					t.Fatal(err)
				}
				const fleet = "version: 1\ndefaults: {account: \"444455556666\", region: ap-northeast-1, cluster: \"{environment}\", services: [rails]}\nenvironments: {tenant-1: {}}\n"
				_, _, made := attemptWith(t, aws, fleet, "autoscaling: suspend\n", 1, k, answer)
				over = made < k
				before := sim.Suspended{In: true}
				if target, _ := aws.ScalableTarget("444455556666", "ap-northeast-1", "tenant-1", "rails"); target.Suspended != before {
					left++
				}
				time.Sleep(betweenRuns)
				_, code, _ := attemptWith(t, aws, fleet, "", 2, 0, false)
				if target, _ := aws.ScalableTarget("444455556666", "ap-northeast-1", "tenant-1", "rails"); code != 0 || target.Suspended != before {
					t.Errorf("killed at request %d, which reached AWS: %t; then exit code %d, suspended %+v", k, answer, code, target.Suspended)
				}
			})
			kills++
		}
	}
	if left == 0 {
		t.Error("no kill left scaling suspended")
	}
	t.Logf("%d times killed, %d of them left scaling suspended", kills, left)
}
