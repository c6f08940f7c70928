package main

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/ecs"

	"ecs-fleet/internal/sim"
)

// What people run today against a fleet, with the same SDK, on the same
// simulation, all environments at once.

// deployer deploys one image to every environment of the crowd and returns how
// many of them it reported as failed.
type deployer func(t *testing.T, c crowd, world *sim.AWS, tag string) (failed int)

// sdk is one program that deploys to all environments in parallel through one
// client, with the SDK's own retries: three attempts.
func sdk(mode func() aws.Retryer) deployer {
	return func(t *testing.T, c crowd, world *sim.AWS, tag string) int {
		client := sdkClient(t, world, mode)
		return c.parallel(func(name string) error { return deployOne(t.Context(), client, name, tag) })
	}
}

// shellLoop is what stands in workflows:
//
//	for wait in 2 4 8 16 32 stop; do ecspresso deploy && break; sleep $wait || exit 1; done
//
// a job or a background process for each environment. Each try is a process of
// its own, and begins from the start, registration included.
func shellLoop(t *testing.T, c crowd, world *sim.AWS, tag string) int {
	const retries, first = 5, 2 * time.Second
	return c.parallel(func(name string) (err error) {
		for try, wait := 0, first; try <= retries; try, wait = try+1, 2*wait {
			if err = deployOne(t.Context(), sdkClient(t, world, standard), name, tag); err == nil {
				return nil
			}
			if try < retries {
				time.Sleep(wait)
			}
		}
		return err
	})
}

// apart is the time from one start to the next of what is begun at once: signing
// and encoding a request takes a machine about this long, which virtual time
// does not see. A thousand calls in the same instant would do injustice to the
// adaptive mode, which learns from the first answers. With this value, it fails
// as often as it was seen to: TestPeersFailAsTheSDKDoes.
const apart = 300 * time.Microsecond

// parallel deploys to all environments at once.
func (c crowd) parallel(deploy func(name string) error) (failed int) {
	errs := make([]error, c.environments)
	var all sync.WaitGroup
	for n := range c.environments {
		all.Go(func() {
			time.Sleep(time.Duration(n) * apart)
			errs[n] = deploy(tenant(0, n+1))
		})
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			failed++
		}
	}
	return failed
}

func sdkClient(t *testing.T, world *sim.AWS, mode func() aws.Retryer) *ecs.Client {
	cfg, err := config.LoadDefaultConfig(t.Context(), config.WithRegion("us-east-1"), config.WithRetryer(mode),
		config.WithHTTPClient(&http.Client{Transport: sim.RoundTripper(world)}))
	if err != nil {
		t.Fatal(err)
	}
	return ecs.NewFromConfig(cfg)
}

func standard() aws.Retryer { return retry.NewStandard() }

func adaptive() aws.Retryer {
	return patient{retry.NewAdaptiveMode(func(o *retry.AdaptiveModeOptions) { o.FailOnNoAttemptTokens = true })}
}

// patient waits for the tokens of the adaptive mode. The SDK's own wait is
// rounded down, at times to nothing, and nothing never ends in virtual time.
type patient struct{ *retry.AdaptiveMode }

func (p patient) GetAttemptToken(ctx context.Context) (func(error) error, error) {
	for {
		release, err := p.AdaptiveMode.GetAttemptToken(ctx)
		if err == nil || ctx.Err() != nil {
			return release, err
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// patience is how long the peers wait for a service to be stable: as long as
// ours does.
const patience = 30 * time.Minute

// visible is how long ecspresso waits before its first look, since DescribeServices
// may not show the update at once: "stable" would be said of the old version.
const visible = 3 * time.Second

// deployOne does what every such tool does for a service: look, register,
// update, and wait as the SDK's own waiter does.
func deployOne(ctx context.Context, client *ecs.Client, name, tag string) error {
	service := name + "-s0"
	seen, err := client.DescribeServices(ctx, &ecs.DescribeServicesInput{Cluster: &name, Services: []string{service}})
	if err != nil {
		return err
	}
	base, err := client.DescribeTaskDefinition(ctx, &ecs.DescribeTaskDefinitionInput{TaskDefinition: seen.Services[0].TaskDefinition})
	if err != nil {
		return err
	}
	d := base.TaskDefinition
	d.ContainerDefinitions[0].Image = aws.String(crowdAccount + ".dkr.ecr.us-east-1.amazonaws.com/app:" + tag)
	made, err := client.RegisterTaskDefinition(ctx, &ecs.RegisterTaskDefinitionInput{
		Family: d.Family, ContainerDefinitions: d.ContainerDefinitions, NetworkMode: d.NetworkMode, RequiresCompatibilities: d.RequiresCompatibilities,
		Cpu: d.Cpu, Memory: d.Memory, ExecutionRoleArn: d.ExecutionRoleArn, TaskRoleArn: d.TaskRoleArn,
	})
	if err != nil {
		return err
	}
	_, err = client.UpdateService(ctx, &ecs.UpdateServiceInput{Cluster: &name, Service: &service, TaskDefinition: made.TaskDefinition.TaskDefinitionArn})
	if err != nil {
		return err
	}
	time.Sleep(visible)
	stable := ecs.NewServicesStableWaiter(client)
	return stable.Wait(ctx, &ecs.DescribeServicesInput{Cluster: &name, Services: []string{service}}, patience)
}

// TestPeersFailAsTheSDKDoes holds the peers against what was measured of the
// SDK outside of this simulation: of 1000 UpdateService at once, standard mode
// fails 930 (its retry quota is spent in the first second), adaptive mode 75.
func TestPeersFailAsTheSDKDoes(t *testing.T) {
	useSimulation(t)
	tests := []struct {
		name        string
		mode        func() aws.Retryer
		least, most int
	}{
		{"standard", standard, 850, 960},
		{"adaptive", adaptive, 40, 160},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := crowd{environments: 1000}
				world := c.simulate(t)
				client := sdkClient(t, world, tt.mode)
				failed := c.parallel(func(name string) error {
					_, err := client.UpdateService(t.Context(), &ecs.UpdateServiceInput{Cluster: &name, Service: aws.String(name + "-s0"), ForceNewDeployment: true})
					return err
				})
				t.Logf("%d of 1000 failed", failed)
				if failed < tt.least || failed > tt.most {
					t.Errorf("%d of 1000 failed, want from %d to %d", failed, tt.least, tt.most)
				}
			})
		})
	}
}
