package main

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ecs-fleet/internal/command"
	"ecs-fleet/internal/sim"
)

// A service of four tasks of 4 vCPU and 8 GB gets another size and number in one
// run, and somebody looks every second how much of it runs.
func TestFewerLargerTasksNeverRunLessThanBefore(t *testing.T) {
	useSimulation(t)
	for name, c := range map[string]struct {
		flags   string
		targets []sim.ScalableTarget
		tasks   int
	}{
		"half as many of twice the size":   {flags: "--task-cpu=8vCPU --task-memory=16384 --desired-count=50%", tasks: 2},
		"twice as many of half the size":   {flags: "--task-cpu=2048 --task-memory=4GB --desired-count=200%", tasks: 8},
		"where the autoscaler wants three": {flags: "--task-cpu=8192 --task-memory=16384 --desired-count=2", targets: []sim.ScalableTarget{{Cluster: "main", Service: "rails", Min: 3, Max: 10}}, tasks: 2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				definition := `{"family": "rails", "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "cpu": "4096", "memory": "8192",
					"containerDefinitions": [{"name": "app", "image": "app:v1", "essential": true}]}`
				aws, err := sim.New(sim.World{Accounts: map[string]sim.Account{crowdAccount: {Regions: map[string]sim.Region{"us-east-1": {
					TaskDefinitions: []json.RawMessage{json.RawMessage(definition)}, ScalableTargets: c.targets,
					Services: []sim.Service{{Cluster: "main", Name: "rails", TaskDefinition: "rails:1", Desired: ptr(4), LoadBalancer: &sim.LoadBalancer{TargetGroup: "rails", Container: "app", Port: 80}}},
				}}}}})
				if err != nil {
					t.Fatal(err)
				}
				_, size, _ := strings.Cut(c.flags, "--task-cpu=")
				large := map[bool]int{true: 2, false: 8}[strings.HasPrefix(size, "2048")]
				least, done := 1000, make(chan struct{})
				go func() {
					defer close(done)
					for range 1200 {
						state, _ := aws.Service(crowdAccount, "us-east-1", "main", "rails")
						vcpu := 0
						for _, d := range state.Deployments {
							if strings.HasSuffix(d.TaskDefinition, ":1") {
								vcpu += 4 * d.Running
							} else {
								vcpu += large * d.Running
							}
						}
						least = min(least, vcpu)
						time.Sleep(time.Second)
					}
				}()
				var out bytes.Buffer
				code := run(t.Context(), command.Process{
					Args:   append([]string{"deploy", "--environments=[{name: e, region: us-east-1, cluster: main, service: rails}]"}, strings.Fields(c.flags)...),
					Stdout: &out, Getenv: func(string) string { return "" }, Transport: sim.RoundTripper(aws), ReadFile: func(string) ([]byte, error) { return nil, fs.ErrNotExist },
				})
				<-done
				state, _ := aws.Service(crowdAccount, "us-east-1", "main", "rails")
				if code != 0 || state.Running != c.tasks || state.Desired != c.tasks || !strings.HasSuffix(state.TaskDefinition, ":2") {
					t.Errorf("exit code %d, %d of %d tasks run %s; want %d of the second revision\n%s", code, state.Running, state.Desired, state.TaskDefinition, c.tasks, out.String())
				}
				if least < 16 {
					t.Errorf("at some time only %d vCPU ran, want 16 always", least)
				}
				if target, has := aws.ScalableTarget(crowdAccount, "us-east-1", "main", "rails"); has && target.Min != c.tasks {
					t.Errorf("minimum %d, want %d", target.Min, c.tasks)
				}
			})
		})
	}
}
