package sim

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// service is an ECS service.
type service struct {
	region  *region
	cluster *cluster
	name    string
	status  string // ACTIVE, DRAINING, INACTIVE

	definition *taskDefinition
	desired    int
	launchType string // FARGATE, EC2, EXTERNAL
	provider   string // first capacity provider; empty: a launch type
	controller string // ECS, CODE_DEPLOY, EXTERNAL
	strategy   string // ROLLING, BLUE_GREEN, LINEAR, CANARY
	// settings are the members of Create- and UpdateService that are shown as
	// they were given: networkConfiguration, loadBalancers, tags options, …
	settings   map[string]any
	deployment map[string]any // deploymentConfiguration
	tags       []tag
	loads      []LoadChange    // by time; nil: nothing reports a load
	unit       *taskDefinition // whose size a load is counted in
	// targetGroups are the two between which traffic is shifted.
	targetGroups []string
	group        *deploymentGroup // nil: CodeDeploy does not know the service

	deployments []*deployment        // PRIMARY first, then the newest
	completed   *deployment          // to go back to; nil: none
	rollouts    []*serviceDeployment // newest first
	revisions   []*revision
	events      []serviceEvent // oldest first
	steady      bool
	poked       time.Time // of the scheduler's next pass; zero: none planned
	launches    *bucket
	tasksMade   int

	created    time.Time
	before     map[string]any // what is shown until the last update is visible
	visible    time.Time
	createdKey string // clientToken
}

type serviceEvent struct {
	id   string
	at   time.Time
	text string
}

func (s *service) arn() string { return s.region.arn("ecs", "service/"+s.cluster.name+"/"+s.name) }

// event adds to the list of events, which holds the newest hundred.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Service.html (events)
func (s *service) event(format string, args ...any) {
	s.events = append(s.events, serviceEvent{s.region.aws.uuid(), s.region.aws.clock, fmt.Sprintf(format, args...)})
	if len(s.events) > 100 {
		s.events = slices.Delete(s.events, 0, 1)
	}
}

// breaker is the circuit breaker's configuration.
type breaker struct {
	Enable   bool `json:"enable"`
	Rollback bool `json:"rollback"`
}

func (s *service) breaker() breaker {
	var b breaker
	convert(s.deployment["deploymentCircuitBreaker"], &b)
	return b
}

func (s *service) percent(name string, otherwise int) int {
	p := otherwise
	convert(s.deployment[name], &p)
	return p
}

// convert reads a decoded JSON value into a typed one; what does not fit
// leaves it as it is, since the request's check has refused it before.
func convert(from, into any) {
	if from == nil {
		return
	}
	text, err := json.Marshal(from)
	if err == nil {
		_ = json.Unmarshal(text, into)
	}
}

type balancer struct {
	TargetGroup string `json:"targetGroupArn"`
	Container   string `json:"containerName"`
	Port        int    `json:"containerPort"`
}

func (s *service) balancers() []balancer {
	var all []balancer
	convert(s.settings["loadBalancers"], &all)
	return all
}

// targetGroup is the ARN of the service's first target group; empty: it has
// no load balancer.
func (s *service) targetGroup() string {
	if all := s.balancers(); len(all) > 0 {
		return all[0].TargetGroup
	}
	return ""
}

func (s *service) targetPort() int {
	if all := s.balancers(); len(all) > 0 {
		return all[0].Port
	}
	return 0
}

// findService takes a name or an ARN.
func (k *cluster) findService(nameOrARN string) *service {
	if strings.HasPrefix(nameOrARN, "arn:") {
		nameOrARN = k.region.own(nameOrARN, "service/"+k.name+"/", "")
	}
	return k.services[nameOrARN]
}

// show is the service as DescribeServices shows it: for a while after an
// update, as it was before.
func (s *service) show(tags bool) map[string]any {
	out := s.render()
	if s.before != nil && s.region.aws.clock.Before(s.visible) {
		out = s.before
	}
	if tags {
		out["tags"] = tagList(s.tags)
	}
	return out
}

func (s *service) render() map[string]any {
	out := map[string]any{
		"serviceArn": s.arn(), "serviceName": s.name, "clusterArn": s.cluster.arn(), "status": s.status,
		"desiredCount": s.desired, "runningCount": s.count((*task).isRunning), "pendingCount": s.count((*task).isPending),
		"taskDefinition": s.definition.arn(), "deploymentConfiguration": maps.Clone(s.deployment),
		"deploymentController": map[string]string{"type": s.controller}, "schedulingStrategy": "REPLICA",
		"createdAt": stamp(s.created), "createdBy": s.region.arnIAM("role/creator"),
		"events": s.renderEvents(), "deployments": []any{}, "loadBalancers": []any{}, "serviceRegistries": []any{},
		"placementConstraints": []any{}, "placementStrategy": []any{}, "enableECSManagedTags": false,
		"propagateTags": "NONE", "enableExecuteCommand": false, "availabilityZoneRebalancing": "DISABLED",
	}
	for key, value := range s.settings {
		out[key] = value
	}
	if s.provider == "" {
		out["launchType"] = s.launchType
	}
	if s.launchType == "FARGATE" {
		out["platformVersion"], out["platformFamily"] = "LATEST", "Linux"
	}
	if s.controller == "ECS" {
		out["deployments"] = s.renderDeployments()
		s.renderRollouts(out)
	} else {
		out["taskSets"] = s.renderTaskSets()
	}
	return out
}

func (r *region) arnIAM(rest string) string { return "arn:aws:iam::" + r.account + ":" + rest }

func (s *service) count(is func(*task) bool) int {
	n := 0
	for _, d := range s.deployments {
		n += d.count(is)
	}
	return n
}

func (s *service) renderEvents() []any {
	all := []any{}
	for _, e := range slices.Backward(s.events) {
		all = append(all, map[string]any{"id": e.id, "createdAt": stamp(e.at), "message": e.text})
	}
	return all
}

func (s *service) renderDeployments() []any {
	all := []any{}
	for _, d := range s.deployments {
		out := map[string]any{
			"id": d.id(), "status": d.status, "taskDefinition": d.definition.arn(), "desiredCount": d.wanted(),
			"runningCount": d.count((*task).isRunning), "pendingCount": d.count((*task).isPending), "failedTasks": d.failed,
			"createdAt": stamp(d.created), "updatedAt": stamp(d.updated),
			"rolloutState": d.state, "rolloutStateReason": d.reason,
		}
		if s.provider == "" {
			out["launchType"] = s.launchType
		}
		if network := d.revision.network; network != nil {
			out["networkConfiguration"] = network
		}
		if s.launchType == "FARGATE" {
			out["platformVersion"], out["platformFamily"] = "1.4.0", "Linux"
		}
		all = append(all, out)
	}
	return all
}

// wanted is a deployment's desired count: what is to be replaced shows what is
// left of it.
func (d *deployment) wanted() int {
	switch {
	case d.service.sideBySide():
		return d.goal()
	case d.status == "PRIMARY":
		return d.service.desired
	}
	return d.count((*task).isLive)
}

// renderRollouts adds what links the service to its service deployments.
func (s *service) renderRollouts(out map[string]any) {
	for _, p := range s.rollouts {
		if !s.region.aws.clock.Before(p.created.Add(s.region.aws.lag.currentDeployment)) {
			out["currentServiceDeployment"] = p.arn()
			break
		}
	}
	revisions := []any{}
	for _, d := range s.deployments {
		revisions = append(revisions, d.summary())
	}
	out["currentServiceRevisions"] = revisions
}

// summary is a deployment's revision with its task counts.
func (d *deployment) summary() map[string]any {
	return d.weigh(map[string]any{
		"arn": d.revision.arn(), "requestedTaskCount": d.wanted(),
		"runningTaskCount": d.count((*task).isRunning), "pendingTaskCount": d.count((*task).isPending),
	})
}

func (s *service) renderTaskSets() []any {
	all := []any{}
	for _, d := range s.deployments {
		set := map[string]any{
			"id": d.id(), "taskSetArn": s.region.arn("ecs", "task-set/"+s.cluster.name+"/"+s.name+"/"+d.id()),
			"serviceArn": s.arn(), "clusterArn": s.cluster.arn(), "status": d.setStatus(), "taskDefinition": d.definition.arn(),
			"computedDesiredCount": d.wanted(), "loadBalancers": d.revision.balancers, "runningCount": d.count((*task).isRunning), "pendingCount": d.count((*task).isPending),
			"createdAt": stamp(d.created), "updatedAt": stamp(d.updated), "launchType": s.launchType,
			"scale": map[string]any{"value": 100, "unit": "PERCENT"}, "stabilityStatus": d.stability(),
		}
		if d.external != "" {
			set["externalId"], set["startedBy"] = d.external, "CODE_DEPLOY"
		}
		if network := d.revision.network; network != nil {
			set["networkConfiguration"] = network
		}
		all = append(all, set)
	}
	return all
}

func (d *deployment) stability() string {
	if d.ready() {
		return "STEADY_STATE"
	}
	return "STABILIZING"
}

// describeServices answers for at most ten services of one cluster.
func describeServices(c *call) (any, error) {
	var in struct {
		Cluster  string   `json:"cluster"`
		Services []string `json:"services"`
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	switch {
	case len(in.Services) == 0:
		return nil, fault("InvalidParameterException", "Services cannot be empty.")
	case len(in.Services) > 10:
		return nil, fault("InvalidParameterException", "Services cannot have more than 10 elements.")
	}
	k, err := c.region.findCluster(in.Cluster)
	if err != nil {
		return nil, err
	}
	found, missing := []any{}, []any{}
	for _, name := range in.Services {
		if s := k.findService(name); s != nil {
			found = append(found, s.show(c.includes("TAGS")))
		} else {
			missing = append(missing, c.region.failure("service/"+k.name+"/", name))
		}
	}
	return map[string]any{"services": found, "failures": missing}, nil
}

func listServices(c *call) (any, error) {
	var in struct {
		Cluster    string `json:"cluster"`
		LaunchType string `json:"launchType"`
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	k, err := c.region.findCluster(in.Cluster)
	if err != nil {
		return nil, err
	}
	var arns []string
	for _, name := range sortedKeys(k.services) {
		s := k.services[name]
		if s.status != "INACTIVE" && c.listed(s.created) && (in.LaunchType == "" || in.LaunchType == s.launchType) {
			arns = append(arns, s.arn())
		}
	}
	return c.page(arns, "serviceArns", 10)
}

func deleteService(c *call) (any, error) {
	var in struct {
		Cluster string `json:"cluster"`
		Service string `json:"service"`
		Force   bool   `json:"force"`
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	s, err := c.activeService(in.Cluster, in.Service)
	if err != nil {
		return nil, err
	}
	if s.desired > 0 && !in.Force {
		return nil, fault("InvalidParameterException", "The service cannot be stopped while it is scaled above 0.")
	}
	s.status, s.desired, s.before = "DRAINING", 0, nil
	s.poke()
	return map[string]any{"service": s.show(true)}, nil
}

// activeService is the service that a write names.
func (c *call) activeService(clusterName, name string) (*service, error) {
	if name == "" {
		return nil, fault("InvalidParameterException", "Service can not be blank.")
	}
	k, err := c.region.findCluster(clusterName)
	if err != nil {
		return nil, err
	}
	switch s := k.findService(name); {
	case s == nil:
		return nil, fault("ServiceNotFoundException", "Service not found.")
	case s.status != "ACTIVE":
		return nil, fault("ServiceNotActiveException", "Service was not ACTIVE.")
	default:
		return s, nil
	}
}
