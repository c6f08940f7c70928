package cloud

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"ecs-fleet/internal/fleet"
	"ecs-fleet/internal/throttle"
)

// How many items one call takes.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeServices.html
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeServiceDeployments.html
const (
	ServicesPerCall    = 10
	DeploymentsPerCall = 20
	revisionsPerCall   = 20
)

// Services describes services of one cluster, ten a call. The map lacks the
// names that AWS does not know or shows as INACTIVE: deleted. It returns a
// *MissingError when the cluster does not exist.
func (c *Client) Services(ctx context.Context, cluster string, names []string) (map[string]fleet.Service, error) {
	found := make(map[string]fleet.Service, len(names))
	for chunk := range slices.Chunk(names, ServicesPerCall) {
		out, err := c.ecs.DescribeServices(ctx, &ecs.DescribeServicesInput{
			Cluster: &cluster, Services: chunk, Include: []types.ServiceField{types.ServiceFieldTags},
		})
		if code(err) == "ClusterNotFoundException" {
			return nil, &MissingError{What: fmt.Sprintf("cluster %q (account %s, %s)", cluster, c.Account, c.Region), There: c.clusters(ctx)}
		}
		if err != nil {
			return nil, wrap(err, "ecs:DescribeServices", fmt.Sprintf("cluster %q", cluster))
		}
		for _, s := range out.Services {
			if aws.ToString(s.Status) != "INACTIVE" {
				found[aws.ToString(s.ServiceName)] = service(s)
			}
		}
	}
	return found, nil
}

// MissingService is the mistake that a name is, with the names that exist.
func (c *Client) MissingService(ctx context.Context, cluster, name string) error {
	e := &MissingError{What: fmt.Sprintf("service %q in cluster %q (account %s, %s)", name, cluster, c.Account, c.Region)}
	pages := ecs.NewListServicesPaginator(c.ecs, &ecs.ListServicesInput{Cluster: &cluster, MaxResults: aws.Int32(100)})
	if page, err := pages.NextPage(ctx); err == nil { // a page is enough for a hint, and without the permission there is none
		e.There = names(page.ServiceArns)
	}
	return e
}

// clusters are the names of clusters that exist, for a hint; nil when they
// cannot be listed.
func (c *Client) clusters(ctx context.Context) []string {
	out, err := c.ecs.ListClusters(ctx, &ecs.ListClustersInput{MaxResults: aws.Int32(100)})
	if err != nil {
		return nil
	}
	return names(out.ClusterArns)
}

func names(arns []string) []string {
	var ns []string
	for _, arn := range arns {
		ns = append(ns, fleet.ARN(arn).Name())
	}
	slices.Sort(ns)
	return ns
}

// Update is a change of a service.
type Update struct {
	Cluster, Service string
	TaskDefinition   fleet.ARN // always a full ARN: a family name means whatever is newest when ECS reads it
	Force            bool
	Before           string // id of the PRIMARY deployment that the update replaces
}

// visibleAfter is how long a look waits that is to find what a write has left
// behind. ECS promises no bound for it, and advises to begin with seconds.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RunTask.html
const visibleAfter = 3 * time.Second

// updateAttempts is how often an update whose outcome stays unknown is begun
// anew, after a look at what the last one left behind.
const updateAttempts = 5

// UpdateService makes the service run the revision, and returns the service as
// AWS shows it in the answer: its PRIMARY deployment is the new one, or the old
// one when there was nothing to change. It never sends a desired count.
func (c *Client) UpdateService(ctx context.Context, u Update) (fleet.Service, error) {
	for attempt := 1; ; attempt++ {
		out, err := c.ecs.UpdateService(ctx, &ecs.UpdateServiceInput{
			Cluster: &u.Cluster, Service: &u.Service, TaskDefinition: aws.String(string(u.TaskDefinition)), ForceNewDeployment: u.Force,
		})
		if err == nil && out.Service != nil {
			return service(*out.Service), nil
		}
		if err == nil { // no field of the answer is promised
			err = &throttle.UnknownOutcome{Operation: "UpdateService", Err: errors.New("AWS's answer holds no service")}
		}
		unknown := (*throttle.UnknownOutcome)(nil)
		if !errors.As(err, &unknown) || attempt == updateAttempts || ctx.Err() != nil {
			return fleet.Service{}, wrap(err, "ecs:UpdateService", fmt.Sprintf("service %q in cluster %q", u.Service, u.Cluster))
		}
		// The answer got lost. A second update with force would start a second
		// deployment, so see whether the first one did, once AWS can show it.
		if err := c.pause(ctx, visibleAfter); err != nil {
			return fleet.Service{}, wrap(unknown, "ecs:UpdateService", fmt.Sprintf("service %q in cluster %q", u.Service, u.Cluster))
		}
		seen, lookErr := c.Services(ctx, u.Cluster, []string{u.Service})
		if primary := seen[u.Service].Primary(); lookErr == nil && primary.TaskDefinition == u.TaskDefinition && primary.ID != u.Before {
			return seen[u.Service], nil
		}
		if lookErr != nil && u.Force { // begun twice, it would replace all tasks twice
			return fleet.Service{}, wrap(unknown, "ecs:UpdateService", fmt.Sprintf("service %q in cluster %q", u.Service, u.Cluster))
		}
	}
}

// SetDesiredCount sets the number of tasks that the service is to run; no
// deployment begins by it. The number is absolute, so that one whose answer got
// lost is sent again.
func (c *Client) SetDesiredCount(ctx context.Context, cluster, service string, n int) error {
	for attempt := 1; ; attempt++ {
		_, err := c.ecs.UpdateService(ctx, &ecs.UpdateServiceInput{Cluster: &cluster, Service: &service, DesiredCount: aws.Int32(int32(n))})
		if !Unknown(err) || attempt == updateAttempts || c.pause(ctx, visibleAfter) != nil {
			return wrap(err, "ecs:UpdateService", fmt.Sprintf("service %q in cluster %q", service, cluster))
		}
	}
}

// TagService puts a tag on a service, or another value in it.
func (c *Client) TagService(ctx context.Context, service fleet.ARN, key, value string) error {
	_, err := c.ecs.TagResource(ctx, &ecs.TagResourceInput{
		ResourceArn: aws.String(string(service)), Tags: []types.Tag{{Key: &key, Value: &value}},
	})
	return wrap(err, "ecs:TagResource", fmt.Sprintf("service %q", service.Name()))
}

// UntagService removes a tag from a service.
func (c *Client) UntagService(ctx context.Context, service fleet.ARN, key string) error {
	_, err := c.ecs.UntagResource(ctx, &ecs.UntagResourceInput{ResourceArn: aws.String(string(service)), TagKeys: []string{key}})
	return wrap(err, "ecs:UntagResource", fmt.Sprintf("service %q", service.Name()))
}

// ServiceDeployments describes service deployments of any clusters, at most
// DeploymentsPerCall. The map lacks those that AWS does not know.
func (c *Client) ServiceDeployments(ctx context.Context, arns []fleet.ARN) (map[fleet.ARN]fleet.ServiceDeployment, error) {
	out, err := c.ecs.DescribeServiceDeployments(ctx, &ecs.DescribeServiceDeploymentsInput{ServiceDeploymentArns: texts(arns)})
	if err != nil {
		return nil, wrap(err, "ecs:DescribeServiceDeployments", "service deployments")
	}
	m := make(map[fleet.ARN]fleet.ServiceDeployment, len(arns))
	for _, d := range out.ServiceDeployments {
		m[fleet.ARN(aws.ToString(d.ServiceDeploymentArn))] = serviceDeployment(d)
	}
	return m, nil
}

// StopDeployment ends a service deployment; ECS goes back to the revision
// before it. A deployment that has ended already is left alone, without error.
func (c *Client) StopDeployment(ctx context.Context, arn fleet.ARN) error {
	_, err := c.ecs.StopServiceDeployment(ctx, &ecs.StopServiceDeploymentInput{
		ServiceDeploymentArn: aws.String(string(arn)), StopType: types.StopServiceDeploymentStopTypeRollback,
	})
	if code(err) == "ConflictException" || code(err) == "InvalidParameterException" || Unknown(err) {
		return nil // it has ended, or what is seen of it next will tell
	}
	return wrap(err, "ecs:StopServiceDeployment", fmt.Sprintf("service deployment %q", arn.Name()))
}

// RunningDigests are the image digests that service revisions run, by container:
// ECS resolves a tag once for each revision of a service.
func (c *Client) RunningDigests(ctx context.Context, revisions []fleet.ARN) (map[fleet.ARN]map[string]string, error) {
	digests := make(map[fleet.ARN]map[string]string, len(revisions))
	for chunk := range slices.Chunk(revisions, revisionsPerCall) {
		out, err := c.ecs.DescribeServiceRevisions(ctx, &ecs.DescribeServiceRevisionsInput{ServiceRevisionArns: texts(chunk)})
		if err != nil {
			return nil, wrap(err, "ecs:DescribeServiceRevisions", "service revisions")
		}
		for _, r := range out.ServiceRevisions {
			images := make(map[string]string, len(r.ContainerImages))
			for _, image := range r.ContainerImages {
				images[aws.ToString(image.ContainerName)] = aws.ToString(image.ImageDigest)
			}
			digests[fleet.ARN(aws.ToString(r.ServiceRevisionArn))] = images
		}
	}
	return digests, nil
}

func texts(arns []fleet.ARN) []string {
	ts := make([]string, len(arns))
	for i, arn := range arns {
		ts[i] = string(arn)
	}
	return ts
}

func service(s types.Service) fleet.Service {
	v := fleet.Service{
		ARN: fleet.ARN(aws.ToString(s.ServiceArn)), Name: aws.ToString(s.ServiceName), Cluster: fleet.ARN(aws.ToString(s.ClusterArn)),
		Status: aws.ToString(s.Status), TaskDefinition: fleet.ARN(aws.ToString(s.TaskDefinition)),
		Desired: int(s.DesiredCount), Running: int(s.RunningCount), Pending: int(s.PendingCount),
		Current: fleet.ARN(aws.ToString(s.CurrentServiceDeployment)), Controller: "ECS",
		// ECS's own defaults for a service that does not say.
		// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeploymentConfiguration.html
		MinimumHealthyPercent: 100, MaximumPercent: 200,
	}
	if s.DeploymentController != nil {
		v.Controller = string(s.DeploymentController.Type)
	}
	var strategy types.DeploymentStrategy
	if dc := s.DeploymentConfiguration; dc != nil {
		strategy = dc.Strategy
		if dc.MinimumHealthyPercent != nil {
			v.MinimumHealthyPercent = int(*dc.MinimumHealthyPercent)
		}
		if dc.MaximumPercent != nil {
			v.MaximumPercent = int(*dc.MaximumPercent)
		}
		v.CircuitBreaker = dc.DeploymentCircuitBreaker != nil && dc.DeploymentCircuitBreaker.Enable
		v.Pace = pace(*dc)
	}
	v.Strategy = strategyName(v.Controller, strategy)
	for _, t := range s.Tags {
		switch aws.ToString(t.Key) {
		case runTag:
			v.Run = fleet.ParseRun(aws.ToString(t.Value))
		case fleet.BeforeTag:
			v.Before = fleet.ParseBefore(aws.ToString(t.Value))
		case fleet.SuspendedTag:
			suspended := fleet.ParseSuspension(aws.ToString(t.Value))
			v.Suspended = &suspended
		}
	}
	for _, d := range s.Deployments {
		v.Deployments = append(v.Deployments, deployment(d))
	}
	v.TargetGroups = targetGroups(s)
	if v.Controller == "CODE_DEPLOY" {
		v.Launch = launch(s)
		for _, set := range s.TaskSets {
			v.Deployments = append(v.Deployments, taskSet(set))
		}
		// The service's own counts hold those of all task sets.
		v.Running, v.Pending = v.Primary().Running, v.Primary().Pending
	}
	for _, r := range s.CurrentServiceRevisions {
		v.Revisions = append(v.Revisions, fleet.ARN(aws.ToString(r.Arn)))
	}
	for _, e := range s.Events {
		v.Events = append(v.Events, fleet.ServiceEvent{At: aws.ToTime(e.CreatedAt), Text: aws.ToString(e.Message)})
	}
	return v
}

// targetGroups are a service's own, those that traffic is shifted to, and those
// of task sets.
func targetGroups(s types.Service) []fleet.ARN {
	balancers := slices.Clone(s.LoadBalancers)
	for _, set := range s.TaskSets {
		balancers = append(balancers, set.LoadBalancers...)
	}
	var groups []fleet.ARN
	add := func(arn *string) {
		if group := fleet.ARN(aws.ToString(arn)); group != "" && !slices.Contains(groups, group) {
			groups = append(groups, group)
		}
	}
	for _, b := range balancers {
		add(b.TargetGroupArn)
		if b.AdvancedConfiguration != nil {
			add(b.AdvancedConfiguration.AlternateTargetGroupArn)
		}
	}
	return groups
}

// pace is what the strategy's bakes and steps take, with ECS's defaults. A
// linear deployment does not bake a step that reaches 100 percent. Hooks take no
// time here: how long they may take says nothing of how long they do.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CanaryConfiguration.html
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_LinearConfiguration.html
func pace(dc types.DeploymentConfiguration) fleet.Pace {
	minutes := func(given *int32, otherwise int32) time.Duration {
		if given != nil {
			otherwise = *given
		}
		return time.Duration(otherwise) * time.Minute
	}
	var p fleet.Pace
	switch dc.Strategy {
	case types.DeploymentStrategyCanary:
		c := cmp.Or(dc.CanaryConfiguration, &types.CanaryConfiguration{})
		p.Shift = minutes(c.CanaryBakeTimeInMinutes, 10)
	case types.DeploymentStrategyLinear:
		l := cmp.Or(dc.LinearConfiguration, &types.LinearConfiguration{})
		percent := 10.0
		if l.StepPercent != nil && *l.StepPercent > 0 {
			percent = *l.StepPercent
		}
		p.Shift = time.Duration(math.Ceil(100/percent)-1) * minutes(l.StepBakeTimeInMinutes, 6)
	case types.DeploymentStrategyBlueGreen:
	default:
		return p
	}
	p.Bake = minutes(dc.BakeTimeInMinutes, 15) // required for blue/green alone; what the console fills in
	return p
}

// strategyName is how ECS replaces the tasks, in the words of the reports.
func strategyName(controller string, s types.DeploymentStrategy) string {
	switch {
	case controller == "CODE_DEPLOY":
		return "codedeploy"
	case controller == "EXTERNAL":
		return "external"
	case s == "":
		return "rolling"
	}
	return strings.ReplaceAll(strings.ToLower(string(s)), "_", "-")
}

func deployment(d types.Deployment) fleet.Deployment {
	return fleet.Deployment{
		ID: aws.ToString(d.Id), Status: aws.ToString(d.Status), RolloutState: string(d.RolloutState), Reason: aws.ToString(d.RolloutStateReason),
		TaskDefinition: fleet.ARN(aws.ToString(d.TaskDefinition)), Desired: int(d.DesiredCount), Running: int(d.RunningCount),
		Pending: int(d.PendingCount), FailedTasks: int(d.FailedTasks), Created: aws.ToTime(d.CreatedAt),
	}
}

func taskSet(s types.TaskSet) fleet.Deployment {
	return fleet.Deployment{
		ID: aws.ToString(s.Id), Status: aws.ToString(s.Status), TaskDefinition: fleet.ARN(aws.ToString(s.TaskDefinition)), Desired: int(s.ComputedDesiredCount),
		Running: int(s.RunningCount), Pending: int(s.PendingCount), Created: aws.ToTime(s.CreatedAt), External: aws.ToString(s.ExternalId),
	}
}

// launch is how the tasks of the service are started: as the PRIMARY task set
// says, and where there is none, as the service does.
func launch(s types.Service) fleet.Launch {
	platform, network, balancers, providers := s.PlatformVersion, s.NetworkConfiguration, s.LoadBalancers, s.CapacityProviderStrategy
	for _, set := range s.TaskSets {
		if aws.ToString(set.Status) == "PRIMARY" {
			platform, network = cmp.Or(platform, set.PlatformVersion), cmp.Or(set.NetworkConfiguration, network)
			if len(set.LoadBalancers) > 0 {
				balancers = set.LoadBalancers
			}
			if len(set.CapacityProviderStrategy) > 0 {
				providers = set.CapacityProviderStrategy
			}
		}
	}
	l := fleet.Launch{PlatformVersion: aws.ToString(platform)}
	if len(balancers) > 0 {
		l.Container, l.Port = aws.ToString(balancers[0].ContainerName), int(aws.ToInt32(balancers[0].ContainerPort))
	}
	if network != nil && network.AwsvpcConfiguration != nil {
		vpc := network.AwsvpcConfiguration
		l.Subnets, l.SecurityGroups, l.PublicIP = vpc.Subnets, vpc.SecurityGroups, string(vpc.AssignPublicIp)
	}
	for _, p := range providers {
		l.Providers = append(l.Providers, fleet.CapacityProvider{Name: aws.ToString(p.CapacityProvider), Base: int(p.Base), Weight: int(p.Weight)})
	}
	return l
}

func serviceDeployment(d types.ServiceDeployment) fleet.ServiceDeployment {
	v := fleet.ServiceDeployment{
		ARN: fleet.ARN(aws.ToString(d.ServiceDeploymentArn)), Service: fleet.ARN(aws.ToString(d.ServiceArn)),
		Status: string(d.Status), Reason: aws.ToString(d.StatusReason), Stage: string(d.LifecycleStage), Created: aws.ToTime(d.CreatedAt),
	}
	if t := d.TargetServiceRevision; t != nil {
		v.TargetRevision = fleet.ARN(aws.ToString(t.Arn))
		v.Requested, v.Running, v.Pending = int(t.RequestedTaskCount), int(t.RunningTaskCount), int(t.PendingTaskCount)
		v.Weight = aws.ToFloat64(t.RequestedProductionTrafficWeight)
	}
	for _, s := range d.SourceServiceRevisions {
		v.SourceRunning += int(s.RunningTaskCount)
	}
	if d.DeploymentCircuitBreaker != nil {
		v.FailedTasks = int(d.DeploymentCircuitBreaker.FailureCount)
	}
	if d.Rollback != nil {
		v.RollbackReason = aws.ToString(d.Rollback.Reason)
	}
	if d.Alarms != nil {
		v.Alarms = d.Alarms.TriggeredAlarmNames
	}
	for _, h := range d.LifecycleHookDetails {
		v.Hooks = append(v.Hooks, fleet.Hook{
			ID: aws.ToString(h.HookId), Pause: h.TargetType == types.DeploymentLifecycleHookTargetTypePause, Name: functionName(aws.ToString(h.TargetArn)),
			Status: string(h.Status), Expires: aws.ToTime(h.ExpiresAt), Action: string(h.TimeoutAction),
		})
	}
	return v
}

// functionName is the name in the ARN of a Lambda function, which may end in a
// version or alias.
func functionName(arn string) string {
	if parts := strings.Split(arn, ":"); len(parts) > 6 {
		return parts[6]
	}
	return arn
}
