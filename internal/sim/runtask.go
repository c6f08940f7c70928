package sim

import (
	"cmp"
	"reflect"
	"slices"
	"strings"
)

func taskAPI() map[string]action {
	return map[string]action{
		"RunTask":       {bucket: "ecs:cluster-resource-modify", do: runTask},
		"StopTask":      {bucket: "ecs:cluster-resource-modify", do: stopTask},
		"ListTasks":     {bucket: "ecs:cluster-resource-read", do: listTasks},
		"DescribeTasks": {bucket: "ecs:cluster-resource-read", do: describeTasks},

		"GetTaskProtection": {bucket: "ecs:task-protection", do: getTaskProtection},
	}
}

// runToken is a RunTask request that a client token stands for.
type runToken struct {
	request map[string]any
	answer  []*task
}

type runRequest struct {
	Cluster        string `json:"cluster"`
	TaskDefinition string `json:"taskDefinition"`
	Count          *int   `json:"count"`
	LaunchType     string `json:"launchType"`
	Group          string `json:"group"`
	StartedBy      string `json:"startedBy"`
	ClientToken    string `json:"clientToken"`
	PropagateTags  string `json:"propagateTags"`
	Tags           []tag  `json:"tags"`
	Overrides      *struct {
		Containers []struct {
			Name    string   `json:"name"`
			Command []string `json:"command"`
		} `json:"containerOverrides"`
	} `json:"overrides"`
	Providers []struct {
		Provider string `json:"capacityProvider"`
	} `json:"capacityProviderStrategy"`
	Network network `json:"networkConfiguration"`
}

func runTask(c *call) (any, error) {
	var in runRequest
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	n := either(in.Count, 1)
	switch {
	case n < 1 || n > 10:
		return nil, fault("InvalidParameterException", "count must be between 1 and 10.")
	case in.TaskDefinition == "":
		return nil, fault("InvalidParameterException", "TaskDefinition can not be blank.")
	case len(in.ClientToken) > 64:
		return nil, fault("InvalidParameterException", "clientToken must be at most 64 characters.")
	case len(in.StartedBy) > 128:
		return nil, fault("InvalidParameterException", "startedBy must be at most 128 characters.")
	case in.LaunchType != "" && len(in.Providers) > 0:
		return nil, fault("InvalidParameterException", bothLaunchTypeAndProvider)
	}
	k, err := c.region.findCluster(in.Cluster)
	if err != nil {
		return nil, err
	}
	request := object(c.body)
	if again, ok := c.region.runTokens[in.ClientToken]; ok && in.ClientToken != "" {
		if !reflect.DeepEqual(again.request, request) {
			return nil, fault("ConflictException", "The request with client token %s was made before with other parameters.", in.ClientToken)
		}
		return runAnswer(again.answer), nil
	}
	definition, err := c.definitionFor(in.TaskDefinition)
	if err != nil {
		return nil, err
	}
	if err := in.fits(definition); err != nil {
		return nil, err
	}
	return c.run(k, in, definition, n, request)
}

func (in runRequest) fits(t *taskDefinition) error {
	launchType, _ := in.launch()
	if err := runnable(t, launchType, in.Network.given()); err != nil {
		return err
	}
	if in.Overrides == nil {
		return nil
	}
	for _, o := range in.Overrides.Containers {
		if !slices.ContainsFunc(t.known.Containers, func(c containerDefinition) bool { return c.Name == o.Name }) {
			return fault("InvalidParameterException", "Override for container named %s is not a container in the TaskDefinition.", o.Name)
		}
	}
	return nil
}

// launch is how the tasks are to run: on EC2 unless the request says otherwise.
func (in runRequest) launch() (launchType, provider string) {
	if len(in.Providers) > 0 {
		provider = in.Providers[0].Provider
	}
	if strings.HasPrefix(provider, "FARGATE") {
		return "FARGATE", provider
	}
	return cmp.Or(in.LaunchType, "EC2"), provider
}

// run starts the tasks. On Fargate, calls have a quota of their own beside
// ECS's, and so have launches; a launch beyond the rate is answered as a
// throttled call, which is a guess.
func (c *call) run(k *cluster, in runRequest, d *taskDefinition, n int, request map[string]any) (any, error) {
	launchType, provider := in.launch()
	if launches := c.region.launchBucket(launchType, provider); launches != nil {
		if !c.region.buckets["fargate:run-task"].take(c.clock, 1) || !launches.take(c.clock, float64(n)) {
			return nil, fault("ThrottlingException", "Rate exceeded")
		}
	}
	var made []*task
	for range n {
		t := k.newTask(d)
		t.launchType, t.provider, t.startedBy, t.group = launchType, provider, in.StartedBy, in.Group
		if t.group == "" {
			t.group = "family:" + d.family
		}
		t.overrides, t.tags = request["overrides"], in.Tags
		if in.PropagateTags == "TASK_DEFINITION" {
			t.tags = append(tagList(d.tags), in.Tags...)
		}
		if f := t.placeless(); f != nil && launchType == "FARGATE" {
			delete(k.tasks, t.id)
			return map[string]any{"tasks": renderTasks(made), "failures": []any{map[string]string{"reason": cmp.Or(f.Reason, noCapacity)}}}, nil
		}
		t.begin()
		made = append(made, t)
	}
	if in.ClientToken != "" {
		c.region.runTokens[in.ClientToken] = runToken{request, made}
	}
	return runAnswer(made), nil
}

func runAnswer(tasks []*task) any {
	return map[string]any{"tasks": renderTasks(tasks), "failures": []any{}}
}

func renderTasks(tasks []*task) []any {
	all := []any{}
	for _, t := range tasks {
		all = append(all, t.render(true))
	}
	return all
}

func stopTask(c *call) (any, error) {
	var in struct {
		Cluster string `json:"cluster"`
		Task    string `json:"task"`
		Reason  string `json:"reason"`
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	k, err := c.region.findCluster(in.Cluster)
	if err != nil {
		return nil, err
	}
	t := k.tasks[k.taskID(in.Task)]
	if t == nil {
		return nil, fault("InvalidParameterException", "The referenced task was not found.")
	}
	t.stop("UserInitiated", cmp.Or(in.Reason, "Task stopped by user"))
	return map[string]any{"task": t.render(true)}, nil
}

// listTasks filters by the desired status, which is RUNNING unless the request
// says STOPPED. https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListTasks.html
func listTasks(c *call) (any, error) {
	var in struct {
		Cluster    string `json:"cluster"`
		Service    string `json:"serviceName"`
		Family     string `json:"family"`
		StartedBy  string `json:"startedBy"`
		LaunchType string `json:"launchType"`
		Desired    string `json:"desiredStatus"`
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	k, err := c.region.findCluster(in.Cluster)
	if err != nil {
		return nil, err
	}
	switch {
	case in.StartedBy != "" && in.Service+in.Family+in.LaunchType+in.Desired != "":
		return nil, fault("InvalidParameterException", "startedBy can not be combined with other filters.")
	case !slices.Contains([]string{"", "RUNNING", "PENDING", "STOPPED"}, in.Desired):
		return nil, fault("InvalidParameterException", "Invalid desiredStatus: %s.", in.Desired)
	case in.Service != "" && k.findService(in.Service) == nil:
		return nil, fault("ServiceNotFoundException", "Service not found.")
	}
	in.Service = lastPart(in.Service)
	desired := cmp.Or(in.Desired, "RUNNING")
	var found []*task
	for _, t := range k.tasks {
		if t.desired == desired && c.listed(t.created) &&
			(in.Service == "" || t.group == "service:"+in.Service) && (in.Family == "" || t.definition.family == in.Family) &&
			(in.StartedBy == "" || t.startedBy == in.StartedBy) && (in.LaunchType == "" || t.launchType == in.LaunchType) {
			found = append(found, t)
		}
	}
	slices.SortFunc(found, func(a, b *task) int { return cmp.Compare(a.order, b.order) })
	var arns []string
	for _, t := range found {
		arns = append(arns, t.arn())
	}
	return c.page(arns, "taskArns", 100)
}

func describeTasks(c *call) (any, error) {
	var in struct {
		Cluster string   `json:"cluster"`
		Tasks   []string `json:"tasks"`
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	switch {
	case len(in.Tasks) == 0:
		return nil, fault("InvalidParameterException", "Tasks cannot be empty.")
	case len(in.Tasks) > 100:
		return nil, fault("InvalidParameterException", "Tasks cannot have more than 100 elements.")
	}
	k, err := c.region.findCluster(in.Cluster)
	if err != nil {
		return nil, err
	}
	found, missing := []any{}, []any{}
	for _, id := range in.Tasks {
		t := k.tasks[k.taskID(id)]
		if t != nil && !c.clock.Before(t.created.Add(c.lag.tasks)) {
			found = append(found, t.render(c.includes("TAGS")))
		} else {
			missing = append(missing, c.region.failure("task/"+k.name+"/", id))
		}
	}
	return map[string]any{"tasks": found, "failures": missing}, nil
}

// taskID is the id of a task given as an id or as an ARN of the cluster.
func (k *cluster) taskID(id string) string {
	return strings.TrimPrefix(id, k.region.arn("ecs", "task/"+k.name+"/"))
}
