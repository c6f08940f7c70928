package sim

import (
	"cmp"
	"reflect"
	"slices"
	"strings"
)

// serviceRequest is CreateService's and UpdateService's members that the
// simulation acts upon; the rest is kept as it is.
type serviceRequest struct {
	Cluster        string `json:"cluster"`
	Service        string `json:"service"`     // UpdateService
	ServiceName    string `json:"serviceName"` // CreateService
	TaskDefinition string `json:"taskDefinition"`
	Desired        *int   `json:"desiredCount"`
	Force          bool   `json:"forceNewDeployment"`
	LaunchType     string `json:"launchType"`
	ClientToken    string `json:"clientToken"`
	Scheduling     string `json:"schedulingStrategy"`
	Tags           []tag  `json:"tags"`
	Controller     struct {
		Type string `json:"type"`
	} `json:"deploymentController"`
	Providers []struct {
		Provider string `json:"capacityProvider"`
	} `json:"capacityProviderStrategy"`
	Deployment struct {
		Minimum  *int     `json:"minimumHealthyPercent"`
		Maximum  *int     `json:"maximumPercent"`
		Strategy string   `json:"strategy"`
		Breaker  *breaker `json:"deploymentCircuitBreaker"`
	} `json:"deploymentConfiguration"`
	Balancers []balancer `json:"loadBalancers"`
	Network   network    `json:"networkConfiguration"`
}

// network is where tasks of the network mode awsvpc run.
type network struct {
	VPC struct {
		Subnets []string `json:"subnets"`
	} `json:"awsvpcConfiguration"`
}

func (n network) given() bool { return len(n.VPC.Subnets) > 0 }

// kept are the members that DescribeServices shows as they were given.
func kept() []string {
	return append(deploying(), "capacityProviderStrategy", "placementConstraints", "placementStrategy",
		"healthCheckGracePeriodSeconds", "enableExecuteCommand", "enableECSManagedTags", "propagateTags",
		"availabilityZoneRebalancing", "monitoring", "gatewayConnectors")
}

// deploying are the members of UpdateService whose change starts a deployment.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateService.html
func deploying() []string {
	return []string{"loadBalancers", "networkConfiguration", "platformVersion", "serviceConnectConfiguration",
		"serviceRegistries", "volumeConfigurations", "vpcLatticeConfigurations"}
}

// serviceRequest reads a request and checks what needs no world. Limits:
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-quotas.html
func (c *call) serviceRequest() (in serviceRequest, doc map[string]any, err error) {
	if err := c.decode(&in); err != nil {
		return in, nil, err
	}
	switch {
	case in.Desired != nil && *in.Desired < 0:
		return in, nil, fault("InvalidParameterException", "Desired count should be greater than or equal to 0.")
	case in.Desired != nil && *in.Desired > 5000:
		return in, nil, fault("InvalidParameterException", "Desired count exceeds limit: 5000.")
	case len(in.Tags) > 50:
		return in, nil, fault("InvalidParameterException", "Too many tags: %d. The maximum is 50.", len(in.Tags))
	case len(in.Balancers) > 5:
		return in, nil, fault("InvalidParameterException", "load balancers can have at most 5 items.")
	case !slices.Contains([]string{"", "FARGATE", "EC2", "EXTERNAL"}, in.LaunchType):
		return in, nil, fault("InvalidParameterException", "launchType should be one of,FARGATE,EC2,EXTERNAL")
	case in.LaunchType != "" && len(in.Providers) > 0:
		return in, nil, fault("InvalidParameterException", bothLaunchTypeAndProvider)
	case !slices.Contains([]string{"", "ROLLING", "BLUE_GREEN", "LINEAR", "CANARY"}, in.Deployment.Strategy):
		return in, nil, fault("InvalidParameterException", "Invalid deployment strategy: %s.", in.Deployment.Strategy)
	}
	return in, object(c.body), nil
}

const bothLaunchTypeAndProvider = "Specifying both a launch type and capacity provider strategy is not supported. Remove one and try again."

// definitionFor is the task definition that a write names.
func (c *call) definitionFor(id string) (*taskDefinition, error) {
	t := c.region.findTaskDefinition(id)
	switch {
	case t == nil:
		return nil, fault("ClientException", "TaskDefinition not found.")
	case t.status != "ACTIVE":
		return nil, fault("ClientException", "TaskDefinition is inactive")
	}
	return t, nil
}

func createService(c *call) (any, error) {
	in, doc, err := c.serviceRequest()
	if err != nil {
		return nil, err
	}
	if !nameOK(in.ServiceName) {
		return nil, fault("InvalidParameterException", "Invalid service name: %q.", in.ServiceName)
	}
	k, err := c.region.findCluster(in.Cluster)
	if err != nil {
		return nil, err
	}
	if old := k.services[in.ServiceName]; old != nil && old.status != "INACTIVE" {
		if in.ClientToken != "" && in.ClientToken == old.createdKey {
			return map[string]any{"service": old.show(true)}, nil
		}
		return nil, fault("InvalidParameterException", "Creation of service was not idempotent.")
	}
	s, err := c.newService(k, in, doc)
	if err != nil {
		return nil, err
	}
	k.services[s.name] = s
	s.deploy(s.definition)
	return map[string]any{"service": s.show(true)}, nil
}

func (c *call) newService(k *cluster, in serviceRequest, doc map[string]any) (*service, error) {
	if in.TaskDefinition == "" {
		return nil, fault("InvalidParameterException", "TaskDefinition can not be blank.")
	}
	if in.Scheduling == "DAEMON" {
		return nil, fault("UnsupportedFeatureException", "the simulation does not carry out the scheduling strategy DAEMON")
	}
	if in.Desired == nil {
		return nil, fault("InvalidParameterException", "Desired count can not be null for a service with the REPLICA scheduling strategy.")
	}
	definition, err := c.definitionFor(in.TaskDefinition)
	if err != nil {
		return nil, err
	}
	s := k.blankService(in.ServiceName, definition, *in.Desired)
	if err := s.configurable(in, doc); err != nil {
		return nil, err
	}
	s.createdKey = in.ClientToken
	s.tags = in.Tags
	s.applyOnce(in)
	s.apply(in, doc)
	if err := runnable(definition, s.launchType, in.Network.given()); err != nil {
		return nil, err
	}
	if err := balanced(in.Balancers, definition); err != nil {
		return nil, err
	}
	if !supported(s) {
		return nil, unsupported(s)
	}
	return s, nil
}

// blankService is a service with AWS's defaults.
func (k *cluster) blankService(name string, definition *taskDefinition, desired int) *service {
	rate := perService()
	return &service{
		region: k.region, cluster: k, name: name, status: "ACTIVE", definition: definition, desired: desired,
		launchType: "EC2", controller: "ECS", strategy: "ROLLING", created: k.region.aws.clock, settings: map[string]any{},
		deployment: map[string]any{
			"minimumHealthyPercent": 100, "maximumPercent": 200, "strategy": "ROLLING",
			"deploymentCircuitBreaker": map[string]any{"enable": false, "rollback": false},
		},
		launches: newBucket(rate.rate, rate.burst, k.region.aws.clock),
	}
}

// runnable says what ECS would refuse about a task definition and the way in
// which it is to run. The texts are seen at
// https://github.com/aws/aws-cli/issues/3983 and
// https://github.com/hashicorp/terraform-provider-aws (aws_ecs_service).
func runnable(t *taskDefinition, launchType string, network bool) error {
	compatible, _ := t.document["compatibilities"].([]string)
	switch {
	case t.known.NetworkMode == "awsvpc" && !network:
		return fault("InvalidParameterException", "Network Configuration must be provided when networkMode 'awsvpc' is specified.")
	case launchType == "FARGATE" && !slices.Contains(compatible, launchType):
		return fault("InvalidParameterException", "Task definition does not support launch_type FARGATE.")
	case t.known.NetworkMode != "awsvpc" && network:
		return fault("InvalidParameterException", "Network Configuration is not valid for the given networkMode of this task definition.")
	}
	return nil
}

// percentages says what ECS would refuse about a request's
// minimumHealthyPercent and maximumPercent, of which those that are not given
// keep their values.
func (s *service) percentages(in serviceRequest) error {
	if in.Deployment.Minimum == nil && in.Deployment.Maximum == nil {
		return nil
	}
	least := either(in.Deployment.Minimum, s.percent("minimumHealthyPercent", 100))
	most := either(in.Deployment.Maximum, s.percent("maximumPercent", 200))
	switch {
	case least < 0:
		return fault("InvalidParameterException", "minimumHealthyPercent must be at least 0")
	case least > 100:
		return fault("InvalidParameterException", "minimumHealthyPercent must be at most 100")
	case most < 100: // that this is refused is a guess
		return fault("InvalidParameterException", "maximumPercent must be at least 100")
	case least == 100 && most == 100:
		return fault("InvalidParameterException", "Both maximumPercent and minimumHealthyPercent cannot be 100 as this will block deployments.")
	}
	return nil
}

func balanced(all []balancer, t *taskDefinition) error {
	for _, b := range all {
		has := slices.ContainsFunc(t.known.Containers, func(c containerDefinition) bool { return c.Name == b.Container })
		if b.Container != "" && !has {
			return fault("InvalidParameterException", "The container %s does not exist in the task definition.", b.Container)
		}
	}
	return nil
}

// applyOnce takes over what only CreateService can say: UpdateService has no
// launchType.
func (s *service) applyOnce(in serviceRequest) {
	if in.LaunchType != "" {
		s.launchType = in.LaunchType
	}
}

// apply takes a request's settings over.
func (s *service) apply(in serviceRequest, doc map[string]any) {
	for _, key := range kept() {
		if value, given := doc[key]; given && value != nil {
			s.settings[key] = value
		}
	}
	if len(in.Providers) > 0 {
		s.provider = in.Providers[0].Provider
		if strings.HasPrefix(s.provider, "FARGATE") {
			s.launchType = "FARGATE"
		}
	}
	if in.Controller.Type != "" {
		s.controller = in.Controller.Type
	}
	// Members of deploymentConfiguration that a request leaves out keep their
	// values: a guess, the API's page does not say.
	given, _ := doc["deploymentConfiguration"].(map[string]any)
	for key, value := range given {
		s.deployment[key] = value
	}
	if in.Deployment.Strategy != "" {
		s.strategy = in.Deployment.Strategy
	}
	for name, strategy := range map[string]string{"linearConfiguration": "LINEAR", "canaryConfiguration": "CANARY"} {
		if strategy != s.strategy {
			delete(s.deployment, name)
		}
	}
}

// configurable says what ECS would refuse about the deploymentConfiguration of
// a request.
func (s *service) configurable(in serviceRequest, doc map[string]any) error {
	if err := s.percentages(in); err != nil || doc["deploymentConfiguration"] == nil {
		return err
	}
	var given strategyConfig
	convert(doc["deploymentConfiguration"], &given)
	if given.Bake == nil {
		given.Bake = s.strategyConfig().Bake
	}
	return strategyFits(cmp.Or(in.Deployment.Strategy, s.strategy), given)
}

// supported says whether the simulation can carry out a deployment of the
// service.
func supported(s *service) bool { return s.controller == "ECS" }

func unsupported(s *service) error {
	return fault("UnsupportedFeatureException", "the simulation does not carry out deployments of the %s controller", s.controller)
}

// updateService answers with the service as it is after the update, though
// reads may not show it at once.
func updateService(c *call) (any, error) {
	in, doc, err := c.serviceRequest()
	if err != nil {
		return nil, err
	}
	s, err := c.activeService(in.Cluster, in.Service)
	if err != nil {
		return nil, err
	}
	if err := s.allows(in, doc); err != nil {
		return nil, err
	}
	if err := s.configurable(in, doc); err != nil {
		return nil, err
	}
	definition, err := c.nextDefinition(s, in)
	if err != nil {
		return nil, err
	}
	// With the same definition and settings nothing is deployed.
	deploys := in.Force || definition != s.definition || s.differs(doc)
	if deploys && !supported(s) {
		return nil, unsupported(s)
	}
	s.before, s.visible = s.render(), c.clock.Add(c.lag.updates)
	s.apply(in, doc)
	if in.Desired != nil && *in.Desired != s.desired {
		s.desired, s.steady = *in.Desired, false
		s.poke()
	}
	if deploys {
		s.definition = definition
		s.deploy(definition)
	}
	out := s.render()
	out["tags"] = tagList(s.tags)
	return map[string]any{"service": out}, nil
}

// nextDefinition is what the service is to run after an update that ECS lets
// through.
func (c *call) nextDefinition(s *service, in serviceRequest) (*taskDefinition, error) {
	next := s.definition
	if in.TaskDefinition == "" && !in.Network.given() {
		return next, nil
	}
	if in.TaskDefinition != "" {
		var err error
		if next, err = c.definitionFor(in.TaskDefinition); err != nil {
			return nil, err
		}
	}
	if err := runnable(next, s.launchType, in.Network.given() || s.settings["networkConfiguration"] != nil); err != nil {
		return nil, err
	}
	return next, balanced(s.balancers(), next)
}

// differs says whether the request changes a setting that starts a deployment.
func (s *service) differs(doc map[string]any) bool {
	for _, key := range deploying() {
		value, given := doc[key]
		if given && value != nil && !same(value, s.settings[key]) {
			return true
		}
	}
	return false
}

// same compares decoded JSON; nothing equals an empty list.
func same(a, b any) bool {
	if list, ok := a.([]any); ok && len(list) == 0 && b == nil {
		return true
	}
	var x, y any
	convert(a, &x)
	convert(b, &y)
	return reflect.DeepEqual(x, y)
}

// allows says what the deployment controller would refuse.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateService.html
// The first text is seen at https://github.com/fabfuel/ecs-deploy/issues/120;
// the others follow its form.
func (s *service) allows(in serviceRequest, doc map[string]any) error {
	if s.controller == "ECS" {
		return nil
	}
	refuse := func(what string) error {
		use := "Use AWS CodeDeploy to trigger a new deployment."
		if s.controller == "EXTERNAL" {
			use = "Create a new task set."
		}
		return fault("InvalidParameterException", "Unable to update %s on services with a %s deployment controller. %s", what, s.controller, use)
	}
	network := doc["networkConfiguration"] != nil
	switch {
	case in.TaskDefinition != "":
		return refuse("task definition")
	case network:
		return refuse("network parameters")
	case doc["loadBalancers"] != nil:
		return refuse("load balancers")
	case doc["platformVersion"] != nil:
		return refuse("platform version")
	case in.Force:
		return fault("InvalidParameterException", "Cannot force a new deployment on services with a %s deployment controller.", s.controller)
	}
	return nil
}
