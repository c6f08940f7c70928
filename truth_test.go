package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ecs-fleet/internal/command"
	"ecs-fleet/internal/sim"
)

// strategyFields are the ways in which AWS replaces tasks, as a world writes them.
// stage is where a deployment of that kind can be made to fail, with which AWS
// rolls it back by itself.
var strategyFields = []struct{ name, fields, stage string }{
	{"rolling", `"circuit-breaker": "rollback"`, ""},
	{"blue-green", `"strategy": "BLUE_GREEN", "bake-time": "3m", "hooks": [{"stages": ["POST_SCALE_UP"], "target": "arn:aws:lambda:ap-northeast-1:444455556666:function:check"}]`, "POST_SCALE_UP"},
	{"linear", `"strategy": "LINEAR", "linear": {"percent": 50, "bake": "2m"}, "bake-time": "1m", "hooks": [{"stages": ["POST_PRODUCTION_TRAFFIC_SHIFT"], "target": "arn:aws:lambda:ap-northeast-1:444455556666:function:check"}]`, "POST_PRODUCTION_TRAFFIC_SHIFT"},
	{"canary", `"strategy": "CANARY", "canary": {"percent": 10, "bake": "2m"}, "bake-time": "1m"`, "BAKE_TIME"},
	{"codedeploy", `"controller": "CODE_DEPLOY", "codedeploy": {"config": "CodeDeployDefault.ECSCanary10Percent5Minutes", "termination-wait": "60m", "auto-rollback": ["DEPLOYMENT_FAILURE"],
       "hooks": {"AfterInstall": "arn:aws:lambda:ap-northeast-1:444455556666:function:check"}}`, "AfterInstall"},
}

// truthWorld is a service rails, deployed by a strategy, beside a rolling service
// nextjs in the same environment, and hotfix:1, which somebody else may deploy.
const truthWorld = `{
  "start": "2026-01-31T04:05:06Z",
  "accounts": {"444455556666": {"regions": {"ap-northeast-1": {"task-definitions": [
    {"family": "hotfix", "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "cpu": "512", "memory": "1024",
     "containerDefinitions": [{"name": "app", "image": "444455556666.dkr.ecr.ap-northeast-1.amazonaws.com/rails:v1.7.1", "portMappings": [{"containerPort": 3000}]}]}
  ], "services": [
    {"cluster": "main", "name": "rails", "revision": 41, "desired": 2, "containers": {"app": "444455556666.dkr.ecr.ap-northeast-1.amazonaws.com/rails:v1.7.0"},
     "load-balancer": {"target-group": "rails", "container": "app", "port": 3000}, %s},
    {"cluster": "main", "name": "nextjs", "revision": 7, "desired": 2, "containers": {"app": "444455556666.dkr.ecr.ap-northeast-1.amazonaws.com/nextjs:v1.7.0"}}
  ]}}}},
  "task-faults": [%s], "deployment-faults": [%s]
}`

// outcome is what becomes of a deployment. runs is the revision that the world
// must want afterwards; under: a deployment must be under way there.
type outcome struct {
	name, services, taskFaults, inputs string
	fails                              bool // at the strategy's stage, or by crashing
	somebody                           string
	cancel                             time.Duration
	status, runs                       string
	underWay                           bool
}

const never = `{"service": "%s", "image": "*:v1.8.0", "fails": "capacity"}`

var outcomes = []outcome{
	{name: "success", services: "rails", status: "deployed", runs: "rails:42"},
	{name: "failure with rollback by AWS", services: "rails", fails: true, status: "rolled-back", runs: "rails:41"},
	{name: "failure with rollback by us, while it is under way", services: "*", taskFaults: fmt.Sprintf(never, "nextjs"), inputs: "timeout: 3m\n", status: "rolled-back", runs: "rails:41"},
	{name: "failure with rollback by us, after it was deployed", services: "*", taskFaults: fmt.Sprintf(never, "nextjs"), inputs: "timeout: 25m\n", status: "rolled-back", runs: "rails:41"},
	{name: "failure with rollback by us, after the stage that is waited for", services: "*", taskFaults: fmt.Sprintf(never, "nextjs"), inputs: "timeout: 5m\nwait-for: ecs:PRODUCTION_TRAFFIC_SHIFT\n", status: "rolled-back", runs: "rails:41"},
	{name: "failure with rollback by us, not waited for", services: "*", taskFaults: fmt.Sprintf(never, "nextjs"), inputs: "timeout: 3m\nwait-for: stable\n", status: "rolled-back", runs: "rails:41"},
	{name: "timeout with rollback by us", services: "rails", taskFaults: fmt.Sprintf(never, "rails"), inputs: "timeout: 5m\n", status: "rolled-back", runs: "rails:41"},
	{name: "timeout without rollback", services: "rails", taskFaults: fmt.Sprintf(never, "rails"), inputs: "timeout: 5m\nrollback: none\n", status: "failed", runs: "rails:42", underWay: true},
	{name: "superseded in mid-run", services: "rails", somebody: "45s", status: "failed", runs: "hotfix:1"},
	{name: "superseded, then its neighbour fails", services: "*", taskFaults: fmt.Sprintf(never, "nextjs"), inputs: "timeout: 25m\n", somebody: "20m", status: "failed", runs: "hotfix:1"},
	{name: "cancelled", services: "rails", cancel: 40 * time.Second, status: "cancelled", runs: "rails:42", underWay: true},
}

func TestStatusesAreTrueOfTheWorld(t *testing.T) {
	useSimulation(t)
	for _, strategy := range strategyFields {
		for _, o := range outcomes {
			t.Run(strategy.name+"/"+o.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					taskFaults, deploymentFaults := o.taskFaults, ""
					switch {
					case o.fails && strategy.stage == "":
						taskFaults = `{"service": "rails", "image": "*:v1.8.0", "fails": "exit", "after": "2s", "exit-code": 1}`
					case o.fails:
						deploymentFaults = fmt.Sprintf(`{"stage": %q, "service": "rails", "image": "*:v1.8.0", "after": "5s", "reason": "smoke test failed"}`, strategy.stage)
					}
					world, err := sim.ReadWorld(strings.NewReader(fmt.Sprintf(truthWorld, strategy.fields, taskFaults, deploymentFaults)))
					if err != nil {
						t.Fatal(err)
					}
					o.check(t, world)
				})
			})
		}
	}
}

// deployHotfix is somebody else who deploys hotfix:1, whatever is under way. One
// deployment group has one deployment at a time: with CodeDeploy they stop ours
// first, or end its wait for the termination of the old tasks.
func deployHotfix(p playing) {
	ask := func(action, format string, args ...any) []byte {
		return p.ask(request{account: "444455556666", region: "ap-northeast-1", action: action, body: fmt.Sprintf(format, args...)})
	}
	const group = `"applicationName": "AppECS-main-rails", "deploymentGroupName": "DgpECS-main-rails"`
	now, _ := p.aws.Service("444455556666", "ap-northeast-1", "main", "rails")
	if now.CodeDeployment == "" {
		ask("ecs:UpdateService", `{"cluster": "main", "service": "rails", "taskDefinition": "hotfix:1"}`)
		return
	}
	var list struct{ Deployments []string }
	if err := json.Unmarshal(ask("codedeploy:ListDeployments", `{%s}`, group), &list); err != nil || len(list.Deployments) == 0 {
		p.Errorf("somebody finds no deployment: %v", err)
		return
	}
	if now.Traffic[now.TaskDefinition] == 100 && strings.HasSuffix(now.TaskDefinition, ":42") {
		ask("codedeploy:ContinueDeployment", `{"deploymentId": %q, "deploymentWaitType": "TERMINATION_WAIT"}`, list.Deployments[0])
		time.Sleep(3 * time.Minute) // until the old tasks are gone
	} else {
		ask("codedeploy:StopDeployment", `{"deploymentId": %q, "autoRollbackEnabled": false}`, list.Deployments[0])
	}
	time.Sleep(2 * time.Second) // until the group is free
	spec, _ := json.Marshal(`{"version": 0.0, "Resources": [{"TargetService": {"Type": "AWS::ECS::Service", "Properties": {"TaskDefinition": "arn:aws:ecs:ap-northeast-1:444455556666:task-definition/hotfix:1", "LoadBalancerInfo": {"ContainerName": "app", "ContainerPort": 3000}}}}]}`)
	ask("codedeploy:CreateDeployment", `{%s, "revision": {"revisionType": "AppSpecContent", "appSpecContent": {"content": %s}}}`, group, spec)
}

// check plays the outcome, and reads the world rather than what the run says of
// it.
func (o outcome) check(t *testing.T, world sim.World) {
	aws, err := sim.New(world)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if o.cancel > 0 {
		time.AfterFunc(o.cancel, cancel)
	}
	if o.somebody != "" {
		at, err := time.ParseDuration(o.somebody)
		if err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(at, func() { deployHotfix(playing{T: t, aws: aws}) })
	}
	dir := t.TempDir()
	getenv, environ := environment(t, dir, "environments: *\nimage-tag: v1.8.0\nservices: "+o.services+"\n"+o.inputs, "", 1)
	code := run(ctx, command.Process{Getenv: getenv, Environ: environ, Stdout: io.Discard, Transport: sim.RoundTripper(aws), ReadFile: func(string) ([]byte, error) {
		return []byte("version: 1\nenvironments:\n  main: {account: \"444455556666\", region: ap-northeast-1, cluster: main, services: [rails, nextjs]}\n"), nil
	}})
	var d document
	if err := json.Unmarshal([]byte(read(t, filepath.Join(dir, "result.json"))), &d); err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(d.Services, func(s resultService) bool { return s.Service == "rails" })
	s := d.Services[i]
	if s.Status != o.status || (code == 0) != (o.status == "deployed") {
		t.Errorf("rails is %s, exit code %d: %s", s.Status, code, s.Reason)
	}
	if o.somebody != "" {
		time.Sleep(30 * time.Minute) // theirs ends, and nothing of ours undoes it
	}
	now, _ := aws.Service("444455556666", "ap-northeast-1", "main", "rails")
	// While CodeDeploy deploys, the PRIMARY task set is still the old one; once
	// the traffic is shifted, its deployment only waits to terminate that.
	underWay, byCodeDeploy := now.RolloutState == "IN_PROGRESS", now.CodeDeployment != ""
	if byCodeDeploy {
		underWay = now.CodeDeployment == "InProgress" && o.underWay
	}
	if runs := now.TaskDefinition[strings.LastIndex(now.TaskDefinition, "/")+1:]; runs != o.runs && !(byCodeDeploy && o.underWay) {
		t.Errorf("the world wants %s: %+v", runs, now)
	}
	if o.somebody == "" && underWay != o.underWay {
		t.Errorf("the deployment is %s: %+v", now.RolloutState, now)
	}
	if image := map[string]string{"deployed": "v1.8.0", "rolled-back": "v1.7.0"}[s.Status]; image != "" {
		if tasks := now.Images["app"]["444455556666.dkr.ecr.ap-northeast-1.amazonaws.com/rails:"+image]; tasks < 2 {
			t.Errorf("%d tasks run %s: %+v", tasks, image, now)
		}
		if weight, shifted := now.Traffic[now.TaskDefinition]; now.Traffic != nil && (!shifted || weight != 100) {
			t.Errorf("%v%% of the traffic goes to %s: %+v", weight, now.TaskDefinition, now)
		}
	}
}
