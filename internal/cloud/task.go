package cloud

import (
	"context"
	"fmt"
	"path"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"ecs-fleet/internal/fleet"
)

const (
	// tasksLookedAt bounds what one call of DescribeTasks is asked for.
	// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeTasks.html
	tasksLookedAt = 100
	// logLines is how many of a container's last log lines are fetched.
	logLines = 10
)

// Tasks are the tasks of a service, at most 100 of them, those that stopped last
// first: by desired status, "RUNNING" (which includes those still starting) or
// "STOPPED". AWS shows stopped tasks for about an hour.
func (c *Client) Tasks(ctx context.Context, cluster, service, desired string) ([]fleet.Task, error) {
	out, err := c.ecs.ListTasks(ctx, &ecs.ListTasksInput{
		Cluster: &cluster, ServiceName: &service, DesiredStatus: types.DesiredStatus(desired), MaxResults: aws.Int32(tasksLookedAt),
	})
	resource := fmt.Sprintf("service %q in cluster %q", service, cluster)
	if err != nil {
		return nil, wrap(err, "ecs:ListTasks", resource)
	}
	if len(out.TaskArns) == 0 {
		return nil, nil
	}
	described, err := c.ecs.DescribeTasks(ctx, &ecs.DescribeTasksInput{Cluster: &cluster, Tasks: out.TaskArns})
	if err != nil {
		return nil, wrap(err, "ecs:DescribeTasks", resource)
	}
	var tasks []fleet.Task
	for _, t := range described.Tasks {
		tasks = append(tasks, task(t))
	}
	slices.SortFunc(tasks, func(a, b fleet.Task) int { return b.StoppedAt.Compare(a.StoppedAt) })
	return tasks, nil
}

// Protected counts those of the tasks, at most 100, that neither a deployment nor
// a scale-in may stop now, and tells until when the last of them is protected
// (AWS's clock).
func (c *Client) Protected(ctx context.Context, cluster string, tasks []fleet.ARN) (n int, until time.Time, err error) {
	out, err := c.ecs.GetTaskProtection(ctx, &ecs.GetTaskProtectionInput{Cluster: &cluster, Tasks: texts(tasks)})
	if err != nil {
		return 0, time.Time{}, wrap(err, "ecs:GetTaskProtection", fmt.Sprintf("tasks in cluster %q", cluster))
	}
	for _, t := range out.ProtectedTasks {
		if t.ProtectionEnabled {
			n++
			if ends := aws.ToTime(t.ExpirationDate); ends.After(until) {
				until = ends
			}
		}
	}
	return n, until, nil
}

func task(t types.Task) fleet.Task {
	v := fleet.Task{
		ARN: fleet.ARN(aws.ToString(t.TaskArn)), StartedBy: aws.ToString(t.StartedBy), Status: aws.ToString(t.LastStatus), Health: string(t.HealthStatus),
		StopCode: string(t.StopCode), Reason: aws.ToString(t.StoppedReason), StoppedAt: aws.ToTime(t.StoppedAt),
	}
	for _, c := range t.Containers {
		for _, i := range c.NetworkInterfaces {
			v.Address = aws.ToString(i.PrivateIpv4Address)
		}
		container := fleet.TaskContainer{Name: aws.ToString(c.Name), Reason: aws.ToString(c.Reason)}
		if c.ExitCode != nil {
			code := int(*c.ExitCode)
			container.ExitCode = &code
		}
		v.Containers = append(v.Containers, container)
	}
	return v
}

// LastLines are the last log lines of a container of a task, oldest first. Nil
// without error: the container does not log to CloudWatch Logs.
func (c *Client) LastLines(ctx context.Context, task fleet.ARN, container fleet.Container) ([]string, error) {
	if container.LogGroup == "" || container.LogPrefix == "" {
		return nil, nil
	}
	client := c.logs
	if container.LogRegion != "" && container.LogRegion != c.Region {
		client = cloudwatchlogs.NewFromConfig(c.in(container.LogRegion))
	}
	// The awslogs driver's stream name.
	// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/specify-log-config.html
	stream := path.Join(container.LogPrefix, container.Name, task.Name())
	out, err := client.GetLogEvents(ctx, &cloudwatchlogs.GetLogEventsInput{
		LogGroupName: &container.LogGroup, LogStreamName: &stream, Limit: aws.Int32(logLines), StartFromHead: aws.Bool(false),
	})
	if err != nil {
		return nil, wrap(err, "logs:GetLogEvents", fmt.Sprintf("log stream %q of group %q", stream, container.LogGroup))
	}
	var lines []string
	for _, e := range out.Events {
		lines = append(lines, aws.ToString(e.Message))
	}
	return lines, nil
}
