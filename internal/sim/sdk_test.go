package sim

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
)

// sdk is how aws-sdk-go-v2 is set up to use a simulation.
func sdk(a *AWS, key string) aws.Config {
	return aws.Config{
		Region:      ireland,
		Credentials: credentials.NewStaticCredentialsProvider(key, "secret", ""),
		HTTPClient:  &http.Client{Transport: RoundTripper(a)},
		// One attempt: what the simulation answers is what the test sees.
		Retryer: func() aws.Retryer { return aws.NopRetryer{} },
	}
}

func TestRealSDKDeploysAndReadsTheReasonOfTheFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := rails(nil)
		w.TaskFaults = []TaskFault{{Image: "*:v2", Fails: "exit", ExitCode: 3, After: Duration(2 * time.Second), Log: []string{"no database", "giving up"}}}
		a, err := New(w)
		if err != nil {
			t.Fatal(err)
		}
		ctx := t.Context()
		cfg := sdk(a, "AKIA"+account)
		client := ecs.NewFromConfig(cfg)

		described, err := client.DescribeTaskDefinition(ctx, &ecs.DescribeTaskDefinitionInput{
			TaskDefinition: aws.String("rails"), Include: []types.TaskDefinitionField{types.TaskDefinitionFieldTags}})
		if err != nil {
			t.Fatal(err)
		}
		from := described.TaskDefinition
		from.ContainerDefinitions[0].Image = aws.String(image("v2"))
		registered, err := client.RegisterTaskDefinition(ctx, &ecs.RegisterTaskDefinitionInput{
			Family: from.Family, ContainerDefinitions: from.ContainerDefinitions, Cpu: from.Cpu, Memory: from.Memory,
			NetworkMode: from.NetworkMode, RequiresCompatibilities: from.RequiresCompatibilities})
		if err != nil {
			t.Fatal(err)
		}
		updated, err := client.UpdateService(ctx, &ecs.UpdateServiceInput{
			Cluster: aws.String("main"), Service: aws.String("rails"), TaskDefinition: registered.TaskDefinition.TaskDefinitionArn})
		if err != nil {
			t.Fatal(err)
		}
		mine := aws.ToString(updated.Service.Deployments[0].Id)
		time.Sleep(5 * time.Minute)

		deployment := rollout(ctx, t, client)
		if deployment.Status != types.ServiceDeploymentStatusRollbackSuccessful || deployment.Rollback == nil || deployment.DeploymentCircuitBreaker.FailureCount != 3 {
			t.Errorf("%+v", deployment)
		}
		stopped := stoppedTask(ctx, t, client, mine)
		if stopped.StopCode != types.TaskStopCodeEssentialContainerExited || aws.ToInt32(stopped.Containers[0].ExitCode) != 3 {
			t.Errorf("%+v", stopped)
		}
		id := lastPart(aws.ToString(stopped.TaskArn))
		events, err := cloudwatchlogs.NewFromConfig(cfg).GetLogEvents(ctx, &cloudwatchlogs.GetLogEventsInput{
			LogGroupName: aws.String("/ecs/rails"), LogStreamName: aws.String("ecs/app/" + id)})
		if err != nil || len(events.Events) != 2 || aws.ToString(events.Events[1].Message) != "giving up" {
			t.Errorf("%v %+v", err, events)
		}
	})
}

// rollout is the service deployment that the service shows as its current one.
func rollout(ctx context.Context, t *testing.T, client *ecs.Client) types.ServiceDeployment {
	t.Helper()
	out, err := client.DescribeServices(ctx, &ecs.DescribeServicesInput{Cluster: aws.String("main"), Services: []string{"rails"}})
	if err != nil {
		t.Fatal(err)
	}
	deployments, err := client.DescribeServiceDeployments(ctx, &ecs.DescribeServiceDeploymentsInput{
		ServiceDeploymentArns: []string{aws.ToString(out.Services[0].CurrentServiceDeployment)}})
	if err != nil || len(deployments.ServiceDeployments) != 1 {
		t.Fatalf("%v %+v", err, deployments)
	}
	return deployments.ServiceDeployments[0]
}

// stoppedTask is a stopped task that a deployment started.
func stoppedTask(ctx context.Context, t *testing.T, client *ecs.Client, deployment string) types.Task {
	t.Helper()
	list, err := client.ListTasks(ctx, &ecs.ListTasksInput{
		Cluster: aws.String("main"), ServiceName: aws.String("rails"), DesiredStatus: types.DesiredStatusStopped})
	if err != nil {
		t.Fatal(err)
	}
	tasks, err := client.DescribeTasks(ctx, &ecs.DescribeTasksInput{Cluster: aws.String("main"), Tasks: list.TaskArns})
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range tasks.Tasks {
		if aws.ToString(task.StartedBy) == deployment {
			return task
		}
	}
	t.Fatalf("no task of %s in %+v", deployment, tasks.Tasks)
	return types.Task{}
}

func TestRealSDKSeesAWSsErrorCodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := rails(nil)
		w.Accounts["444455556666"] = Account{Roles: []Role{{Name: "deploy", ExternalID: "x", Deny: []string{"ecs:UpdateService"}}}}
		a, err := New(w)
		if err != nil {
			t.Fatal(err)
		}
		ctx := t.Context()
		cfg := sdk(a, "AKIA"+account)
		tokens := sts.NewFromConfig(cfg)
		role := "arn:aws:iam::444455556666:role/deploy"

		_, err = tokens.AssumeRole(ctx, &sts.AssumeRoleInput{RoleArn: &role, RoleSessionName: aws.String("run")})
		wantCode(t, err, "AccessDenied")
		given, err := tokens.AssumeRole(ctx, &sts.AssumeRoleInput{RoleArn: &role, RoleSessionName: aws.String("run"), ExternalId: aws.String("x")})
		if err != nil {
			t.Fatal(err)
		}
		theirs := sdk(a, aws.ToString(given.Credentials.AccessKeyId))
		who, err := sts.NewFromConfig(theirs).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
		if err != nil || aws.ToString(who.Arn) != "arn:aws:sts::444455556666:assumed-role/deploy/run" || aws.ToString(who.Account) != "444455556666" {
			t.Errorf("%v %+v", err, who)
		}
		_, err = ecs.NewFromConfig(theirs).UpdateService(ctx, &ecs.UpdateServiceInput{Cluster: aws.String("main"), Service: aws.String("rails")})
		wantCode(t, err, "AccessDeniedException")
		_, err = ecs.NewFromConfig(theirs).DescribeServices(ctx, &ecs.DescribeServicesInput{Cluster: aws.String("main"), Services: []string{"rails"}})
		if notFound := (*types.ClusterNotFoundException)(nil); !errors.As(err, &notFound) {
			t.Errorf("another account's cluster: %v", err)
		}
		_, err = ecr.NewFromConfig(cfg).DescribeImages(ctx, &ecr.DescribeImagesInput{RepositoryName: aws.String("rails"), ImageIds: []ecrtypes.ImageIdentifier{{ImageTag: aws.String("v9")}}})
		if missing := (*ecrtypes.ImageNotFoundException)(nil); !errors.As(err, &missing) {
			t.Errorf("a missing image: %v", err)
		}
		_, err = ecs.NewFromConfig(cfg).CreateTaskSet(ctx, &ecs.CreateTaskSetInput{Cluster: aws.String("main"), Service: aws.String("rails"), TaskDefinition: aws.String("rails")})
		wantCode(t, err, "UnknownOperationException")

		time.Sleep(2 * time.Hour)
		_, err = sts.NewFromConfig(theirs).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
		wantCode(t, err, "ExpiredToken")
	})
}

func wantCode(t *testing.T, err error, code string) {
	t.Helper()
	var e smithy.APIError
	if !errors.As(err, &e) || e.ErrorCode() != code {
		t.Errorf("%v, not %s", err, code)
	}
}
