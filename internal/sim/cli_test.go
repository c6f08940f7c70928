package sim

import (
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// cli runs the AWS CLI, the oldest of the clients that people have, against a
// simulation over loopback.
type cli struct {
	t    *testing.T
	path string
	url  string
	home string
}

func newCLI(t *testing.T, w World) (*cli, *AWS) {
	t.Helper()
	path, err := exec.LookPath("aws")
	if err != nil {
		t.Skip("no aws on the PATH")
	}
	a, err := New(w)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(a)
	t.Cleanup(server.Close)
	return &cli{t, path, server.URL, t.TempDir()}, a
}

// run returns what the CLI printed; its errors are part of it.
func (c *cli) run(args ...string) (string, error) {
	c.t.Helper()
	cmd := exec.CommandContext(c.t.Context(), c.path, append([]string{"--endpoint-url", c.url, "--output", "text"}, args...)...)
	cmd.Env = append(os.Environ(), "HOME="+c.home, "AWS_CONFIG_FILE="+filepath.Join(c.home, "config"), "AWS_EC2_METADATA_DISABLED=true",
		"AWS_ACCESS_KEY_ID=AKIA"+account, "AWS_SECRET_ACCESS_KEY=secret", "AWS_DEFAULT_REGION="+ireland, "AWS_PAGER=")
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

func (c *cli) must(args ...string) string {
	c.t.Helper()
	out, err := c.run(args...)
	if err != nil {
		c.t.Fatalf("aws %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

func TestCLIDeploysAServiceAndWaitsForIt(t *testing.T) {
	// A quarter of an hour a second: all is stable when the CLI's waiter looks
	// first; its next look is 15 s later.
	c, a := newCLI(t, World{Speed: 900})
	c.must("ecs", "create-cluster", "--cluster-name", "main")
	define := func(tag string) string {
		return c.must("ecs", "register-task-definition", "--family", "web", "--network-mode", "awsvpc", "--requires-compatibilities", "FARGATE",
			"--cpu", "256", "--memory", "512", "--query", "taskDefinition.revision",
			"--container-definitions", `[{"name":"app","image":"nginx:`+tag+`","portMappings":[{"containerPort":80}]}]`)
	}
	if got := define("1"); got != "1" {
		t.Errorf("the first revision is %s", got)
	}
	c.must("ecs", "create-service", "--cluster", "main", "--service-name", "web", "--task-definition", "web:1", "--desired-count", "2",
		"--launch-type", "FARGATE", "--network-configuration", "awsvpcConfiguration={subnets=[subnet-1]}")
	define("2")
	c.must("ecs", "update-service", "--cluster", "main", "--service", "web", "--task-definition", "web:2", "--query", "service.serviceArn")
	c.must("ecs", "wait", "services-stable", "--cluster", "main", "--services", "web")

	s, ok := a.Service(account, ireland, "main", "web")
	if !ok || s.Images["app"]["nginx:2"] != 2 || s.ServiceDeployment != "SUCCESSFUL" || s.RolloutState != "COMPLETED" {
		t.Errorf("%+v", s)
	}
	if got := c.must("sts", "get-caller-identity", "--query", "Account"); got != account {
		t.Errorf("the account is %s", got)
	}
	c.must("ecs", "update-service", "--cluster", "main", "--service", "web", "--desired-count", "0", "--query", "service.desiredCount")
	c.must("ecs", "delete-service", "--cluster", "main", "--service", "web", "--query", "service.status")
}

func TestCLIScalesAServiceAndSchedulesTheNight(t *testing.T) {
	w := scaled(nil)
	w.Start = time.Date(2026, 2, 1, 12, 0, 0, 0, time.UTC)
	w.Accounts[account].Regions[ireland].ScalableTargets[0].Policies = []TargetTracking{{Name: "cpu", Target: 50}}
	c, a := newCLI(t, w)
	scaling := func(command string, args ...string) string {
		return c.must(append([]string{"application-autoscaling", command, "--service-namespace", "ecs"}, args...)...)
	}
	rails := []string{"--resource-id", "service/main/rails", "--scalable-dimension", "ecs:service:DesiredCount"}
	scaling("register-scalable-target", append(rails, "--min-capacity", "4", "--max-capacity", "12", "--suspended-state", "DynamicScalingInSuspended=true")...)
	scaling("put-scheduled-action", append(rails, "--scheduled-action-name", "night", "--schedule", "cron(0 22 * * ? *)", "--timezone", "Europe/Rome",
		"--start-time", "2026-02-03T00:00:00Z", "--scalable-target-action", "MinCapacity=1,MaxCapacity=2")...)
	for _, test := range []struct{ command, query, want string }{
		{"describe-scalable-targets", "ScalableTargets[].[MinCapacity,MaxCapacity,SuspendedState.DynamicScalingInSuspended]", "4\t12\tTrue"},
		{"describe-scheduled-actions", "ScheduledActions[].[ScheduledActionName,Timezone,ScalableTargetAction.MaxCapacity]", "night\tEurope/Rome\t2"},
		{"describe-scaling-policies", "ScalingPolicies[].[PolicyName,PolicyType]", "cpu\tTargetTrackingScaling"},
		{"describe-scaling-activities", "ScalingActivities[].Description", "Setting desired count to 4."},
	} {
		if got := scaling(test.command, "--query", test.query); got != test.want {
			t.Errorf("%s: %q, not %q", test.command, got, test.want)
		}
	}
	if s, _ := a.ScalableTarget(account, ireland, "main", "rails"); s.Min != 4 || len(s.ScheduledActions) != 1 {
		t.Errorf("%+v", s)
	}
	scaling("delete-scheduled-action", append(rails, "--scheduled-action-name", "night")...)
	out, err := c.run(append([]string{"application-autoscaling", "deregister-scalable-target", "--service-namespace", "ecs", "--scalable-dimension", "ecs:service:DesiredCount"},
		"--resource-id", "service/main/none")...)
	if want := "(ObjectNotFoundException) when calling the DeregisterScalableTarget operation: No scalable target registered"; err == nil || !strings.Contains(out, want) {
		t.Errorf("%v\n%s\nwant %s", err, out, want)
	}
}

func TestCLIDeploysWithCodeDeploy(t *testing.T) {
	var now Duration
	world := codeDeployed(func(g *DeploymentGroup) {
		g.Config, g.TerminationWait = "CodeDeployDefault.ECSLinear10PercentEvery1Minutes", &now
	})
	world.Speed = 900
	c, a := newCLI(t, world)
	c.must("ecs", "register-task-definition", "--family", "rails", "--network-mode", "awsvpc", "--requires-compatibilities", "FARGATE", "--cpu", "256",
		"--memory", "512", "--container-definitions", `[{"name":"app","image":"`+image("v2")+`"}]`)
	spec := appSpecText("arn:aws:ecs:"+ireland+":"+account+":task-definition/rails:42", balancer{Container: "app", Port: 3000}, nil)
	id := c.must("deploy", "create-deployment", "--application-name", theApplication, "--deployment-group-name", theGroup, "--query", "deploymentId",
		"--revision", string(mustJSON(js{"revisionType": "AppSpecContent", "appSpecContent": js{"content": spec}})))
	time.Sleep(2 * time.Second) // half an hour
	if got := c.must("deploy", "get-deployment", "--deployment-id", id, "--query", "deploymentInfo.[status,creator,computePlatform]"); got != "Succeeded\tuser\tECS" {
		t.Errorf("it ended %s", got)
	}
	if got := c.must("deploy", "get-deployment-target", "--deployment-id", id, "--target-id", "main:rails", "--query", "deploymentTarget.ecsTarget.taskSetsInfo[?taskSetLabel=='Green'].trafficWeight"); got != "100" {
		t.Errorf("the new task set has %s %%", got)
	}
	if s, _ := a.Service(account, ireland, "main", "rails"); s.Images["app"][image("v2")] != 2 {
		t.Errorf("%+v", s)
	}
	out, err := c.run("ecs", "update-service", "--cluster", "main", "--service", "rails", "--task-definition", "rails:42")
	if err == nil || !strings.Contains(out, "Unable to update task definition on services with a CODE_DEPLOY deployment controller.") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestCLIFollowsABlueGreenDeployment(t *testing.T) {
	world := native("BLUE_GREEN", func(s *Service) { s.Hooks = []Hook{{Stages: []string{"POST_SCALE_UP"}}} })
	world.Speed = 900
	c, a := newCLI(t, world)
	c.must("ecs", "update-service", "--cluster", "main", "--service", "rails", "--force-new-deployment", "--query", "service.serviceArn")
	time.Sleep(time.Second) // a quarter of an hour: it waits at the hook
	arn := c.must("ecs", "list-service-deployments", "--cluster", "main", "--service", "rails", "--status", "IN_PROGRESS", "--query", "serviceDeployments[0].serviceDeploymentArn")
	got := c.must("ecs", "describe-service-deployments", "--service-deployment-arns", arn, "--query",
		"serviceDeployments[0].[status,lifecycleStage,targetServiceRevision.runningTaskCount,deploymentConfiguration.strategy]")
	if got != "IN_PROGRESS\tPOST_SCALE_UP\t2\tBLUE_GREEN" {
		t.Errorf("it is described as %s", got)
	}
	c.must("ecs", "stop-service-deployment", "--service-deployment-arn", arn, "--stop-type", "ROLLBACK")
	time.Sleep(time.Second)
	if s, _ := a.Service(account, ireland, "main", "rails"); s.ServiceDeployment != "ROLLBACK_SUCCESSFUL" || s.Running != 2 {
		t.Errorf("%+v", s)
	}
}

func TestCLIShowsAWSsErrorsForWrongParameters(t *testing.T) {
	world := rails(nil)
	world.Start = time.Date(2026, 1, 31, 4, 5, 6, 0, time.UTC)
	c, _ := newCLI(t, world)
	for _, test := range []struct {
		name, args, want string
	}{
		{"a cluster that is not there", "ecs describe-services --cluster nowhere --services rails",
			"An error occurred (ClusterNotFoundException) when calling the DescribeServices operation: Cluster not found."},
		{"a service that is not there", "ecs update-service --cluster main --service nothing --desired-count 1",
			"(ServiceNotFoundException) when calling the UpdateService operation: Service not found."},
		{"a task definition that is not there", "ecs describe-task-definition --task-definition nothing",
			"(ClientException) when calling the DescribeTaskDefinition operation: Unable to describe task definition."},
		{"a family with spaces", "ecs register-task-definition --family a/b --container-definitions name=a,image=b,memory=1",
			"(ClientException) when calling the RegisterTaskDefinition operation: Family contains invalid characters."},
		{"eleven services at once", "ecs describe-services --cluster main --services a b c d e f g h i j k",
			"(InvalidParameterException) when calling the DescribeServices operation: Services cannot have more than 10 elements."},
		{"a role of another form", "sts assume-role --role-arn arn:aws:iam::1:user/long-enough --role-session-name run",
			"(ValidationError) when calling the AssumeRole operation: arn:aws:iam::1:user/long-enough is invalid"},
		{"an image that is not there", "ecr describe-images --repository-name rails --image-ids imageTag=v9",
			"(ImageNotFoundException) when calling the DescribeImages operation"},
	} {
		t.Run(test.name, func(t *testing.T) {
			out, err := c.run(strings.Fields(test.args)...)
			if err == nil || !strings.Contains(out, test.want) {
				t.Errorf("%v\n%s\nwant %s", err, out, test.want)
			}
		})
	}
}
