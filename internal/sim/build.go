package sim

import (
	"cmp"
	"encoding/json"
	"maps"
	"strconv"
	"strings"
	"time"
)

// timing is Timing with its defaults.
type timing struct {
	scheduler, provisioning, pulling, activating, healthy, unhealthy,
	draining, stopping, deprovisioning, kept, registering, scalingWrite, taskRun, shifting, hook time.Duration
}

// withDefaults fills in what the world does not say. AWS publishes none of
// these times; but for "kept" they are guesses at what one sees with a web
// application on Fargate, with which a rolling deploy behind a load balancer
// takes about three minutes.
func (t Timing) withDefaults() timing {
	or := func(given *Duration, otherwise time.Duration) time.Duration {
		return time.Duration(either(given, Duration(otherwise)))
	}
	return timing{
		scheduler:      or(t.Scheduler, 5*time.Second),
		provisioning:   or(t.Provisioning, 15*time.Second), // attaching a network interface
		pulling:        or(t.Pulling, 30*time.Second),      // some 300 MB; Fargate caches nothing
		activating:     or(t.Activating, 5*time.Second),    // starting the container, registering the target
		healthy:        or(t.Healthy, 30*time.Second),      // a few health checks, each some seconds apart
		unhealthy:      or(t.Unhealthy, 90*time.Second),    // a grace period of a minute, then failed checks
		draining:       or(t.Draining, 60*time.Second),     // the default of a target group is 300 s; most lower it
		stopping:       or(t.Stopping, 5*time.Second),      // SIGTERM to exit; SIGKILL comes after 30 s
		deprovisioning: or(t.Deprovisioning, 15*time.Second),
		// "Stopped tasks … appear for at least one hour":
		// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeTasks.html
		kept:        or(t.Kept, time.Hour),
		registering: or(t.Registering, 200*time.Millisecond),
		// "A handful of parallel writes" to one target is enough to be refused.
		scalingWrite: or(t.ScalingWrite, 200*time.Millisecond),
		taskRun:      or(t.TaskRun, 20*time.Second),
		shifting:     or(t.Shifting, 10*time.Second), // a listener's rule, until all connections follow it
		hook:         or(t.Hook, 5*time.Second),
	}
}

// lag is Consistency with its defaults, all of them guesses: AWS only says
// that reads may be behind.
type lag struct{ lists, updates, tasks, currentDeployment time.Duration }

func (c Consistency) withDefaults() lag {
	return lag{
		lists: time.Duration(either(c.Lists, Duration(500*time.Millisecond))),
		// Shorter than the next process takes to start: scripts run "aws ecs
		// update-service" and "aws ecs wait services-stable" in a row, and the
		// waiter believes its first look.
		updates:           time.Duration(either(c.Updates, Duration(100*time.Millisecond))),
		tasks:             time.Duration(either(c.Tasks, 0)),
		currentDeployment: time.Duration(either(c.CurrentDeployment, Duration(time.Second))),
	}
}

// build makes what the world lists. Everything is a day old.
func (a *AWS) build() {
	a.clock = a.world.Start.AddDate(0, 0, -1)
	for _, account := range sortedKeys(a.world.Accounts) {
		regions := a.world.Accounts[account].Regions
		for _, name := range sortedKeys(regions) {
			a.regionOf(account, name).build(regions[name])
		}
	}
	// Plans that the building made belong to the day before: nothing of them
	// is left to do.
	a.agenda = agenda{}
	a.clock = a.world.Start
	a.beginScaling()
}

func (r *region) build(w Region) {
	for _, name := range w.Clusters {
		r.addCluster(name)
	}
	for group, streams := range w.LogStreams {
		for stream, lines := range streams {
			r.writeLog(group, stream, lines)
		}
	}
	for _, text := range w.TaskDefinitions {
		r.registerListed(text)
	}
	for _, s := range w.Services {
		for n := range max(s.Count, 1) {
			r.buildService(s.numbered(n + 1))
		}
	}
	for _, t := range w.ScalableTargets {
		for n := range max(t.Count, 1) {
			r.buildTarget(t.numbered(n + 1))
		}
	}
}

// registerListed registers a task definition of the world.
func (r *region) registerListed(text json.RawMessage) *taskDefinition {
	var known struct {
		definition
		Revision int `json:"revision"`
	}
	convert(text, &known)
	if known.Revision > 0 && r.families[known.Family] == nil {
		r.families[known.Family] = &family{name: known.Family, last: known.Revision - 1}
	}
	d := object(text)
	delete(d, "revision")
	clean, err := json.Marshal(d)
	if err != nil {
		panic("sim: a decoded object cannot be encoded: " + err.Error())
	}
	return r.register(clean, known.definition, r.arnIAM("role/creator"))
}

// registerOnce registers what services of the world share only once.
func (r *region) registerOnce(text json.RawMessage) *taskDefinition {
	if t, ok := r.shared[string(text)]; ok {
		return t
	}
	t := r.registerListed(text)
	r.shared[string(text)] = t
	return t
}

// numbered is the n-th of a service entry's services.
func (s Service) numbered(n int) Service {
	fill := strings.NewReplacer("{n}", strconv.Itoa(n)).Replace
	s.Cluster, s.Name, s.Family, s.TaskDefinition = fill(s.Cluster), fill(s.Name), fill(s.Family), fill(s.TaskDefinition)
	s.Containers, s.Tags = maps.Clone(s.Containers), maps.Clone(s.Tags)
	for _, m := range []map[string]string{s.Containers, s.Tags} {
		for k, v := range m {
			m[k] = fill(v)
		}
	}
	if s.LoadBalancer != nil {
		b := *s.LoadBalancer
		b.TargetGroup, b.Alternate, b.Name = fill(b.TargetGroup), fill(b.Alternate), fill(b.Name)
		s.LoadBalancer = &b
	}
	s.CodeDeploy = s.CodeDeploy.numbered(fill)
	if s.Family == "" {
		s.Family = s.Name
	}
	return s
}

// buildService makes a service that has been steady for a day.
func (r *region) buildService(w Service) {
	k := r.addCluster(w.Cluster)
	definition := r.findTaskDefinition(w.TaskDefinition)
	if w.TaskDefinition == "" {
		definition = r.findTaskDefinition(w.Family)
		if definition == nil || len(w.Containers) > 0 {
			definition = r.registerOnce(w.definition(r.name))
		}
	}
	s := k.blankService(w.Name, definition, either(w.Desired, 1))
	in, doc := w.request(r, definition)
	s.tags, s.loads, s.unit = tagsIn(w.Tags), w.loads(), definition
	s.applyOnce(in)
	s.apply(in, doc)
	k.services[s.name] = s
	if w.LoadBalancer != nil {
		s.targetGroups = []string{w.LoadBalancer.arn(r, w.LoadBalancer.TargetGroup), w.LoadBalancer.alternate(r)}
	}
	s.makeSteady()
	s.protect(w.ProtectedUntil)
	if w.CodeDeploy != nil {
		r.buildGroup(s, *w.CodeDeploy)
	}
}

// arn is a target group's, of its name or ARN.
func (LoadBalancer) arn(r *region, group string) string {
	if strings.HasPrefix(group, "arn:") {
		return group
	}
	return r.arn("elasticloadbalancing", "targetgroup/"+group+"/"+strings.ToLower(fill(group)))
}

func (b LoadBalancer) alternate(r *region) string {
	return b.arn(r, cmp.Or(b.Alternate, groupName(b.arn(r, b.TargetGroup))+"-alternate"))
}

func tagsIn(m map[string]string) []tag {
	var tags []tag
	for _, k := range sortedKeys(m) {
		tags = append(tags, tag{k, m[k]})
	}
	return tags
}

// definition is the task definition that the entry's containers stand for.
func (s Service) definition(region string) json.RawMessage {
	containers := []any{}
	for _, name := range sortedKeys(s.Containers) {
		containers = append(containers, map[string]any{
			"name": name, "image": s.Containers[name], "essential": true, "memoryReservation": 128,
			"portMappings": s.ports(name),
			"logConfiguration": map[string]any{"logDriver": "awslogs", "options": map[string]string{
				"awslogs-group": "/ecs/" + s.Family, "awslogs-region": region, "awslogs-stream-prefix": "ecs",
			}},
		})
	}
	d := map[string]any{
		"family": s.Family, "revision": s.Revision, "containerDefinitions": containers, "networkMode": "awsvpc",
		"requiresCompatibilities": []string{"FARGATE"}, "cpu": "512", "memory": "1024",
	}
	if s.LaunchType == "EC2" || s.LaunchType == "EXTERNAL" {
		d["requiresCompatibilities"] = []string{s.LaunchType}
	}
	text, err := json.Marshal(d)
	if err != nil {
		panic("sim: strings cannot be encoded: " + err.Error())
	}
	return text
}

func (s Service) ports(container string) []any {
	if s.LoadBalancer == nil || s.LoadBalancer.Container != container {
		return []any{}
	}
	return []any{map[string]any{"containerPort": s.LoadBalancer.Port}}
}

// request is the CreateService request that would have made the service.
func (s Service) request(r *region, definition *taskDefinition) (serviceRequest, map[string]any) {
	doc := map[string]any{
		"launchType": cmp.Or(s.LaunchType, "FARGATE"), "deploymentController": map[string]any{"type": cmp.Or(s.Controller, "ECS")},
		"deploymentConfiguration": map[string]any{
			"minimumHealthyPercent": either(s.MinimumHealthy, 100), "maximumPercent": either(s.Maximum, 200),
			"strategy": cmp.Or(s.Strategy, "ROLLING"),
			"deploymentCircuitBreaker": map[string]any{
				"enable": s.CircuitBreaker == "on" || s.CircuitBreaker == "rollback", "rollback": s.CircuitBreaker == "rollback",
			},
		},
	}
	if definition.known.NetworkMode == "awsvpc" {
		doc["networkConfiguration"] = map[string]any{"awsvpcConfiguration": map[string]any{
			"subnets": []any{"subnet-0a1b2c3d4e5f60718"}, "securityGroups": []any{"sg-0a1b2c3d4e5f60718"}, "assignPublicIp": "DISABLED",
		}}
	}
	if s.CapacityProvider != "" {
		doc["capacityProviderStrategy"] = []any{map[string]any{"capacityProvider": s.CapacityProvider, "weight": 1, "base": 0}}
	}
	if s.PropagateTags != "" {
		doc["propagateTags"] = s.PropagateTags
	}
	if b := s.LoadBalancer; b != nil {
		balancer := map[string]any{"targetGroupArn": b.arn(r, b.TargetGroup), "containerName": b.Container, "containerPort": b.Port}
		if s.Strategy != "" && s.Strategy != "ROLLING" {
			balancer["advancedConfiguration"] = map[string]any{
				"alternateTargetGroupArn": b.alternate(r), "roleArn": r.arnIAM("role/load-balancer"),
				"productionListenerRule": r.arn("elasticloadbalancing", "listener-rule/app/"+s.Name+"/"+strings.ToLower(fill(s.Name))+"/1/1"),
			}
		}
		if b.Name != "" {
			r.balancerOf[b.arn(r, b.TargetGroup)], r.balancerOf[b.alternate(r)] = b.Name, b.Name
		}
		doc["loadBalancers"] = []any{balancer}
	}
	s.strategyRequest(r, doc)
	var in serviceRequest
	convert(doc, &in)
	return in, object(mustJSON(doc))
}

func mustJSON(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic("sim: a world's value cannot be encoded: " + err.Error())
	}
	return text
}

// makeSteady is the end of a first deployment: all tasks run.
func (s *service) makeSteady() {
	d := s.deploy(s.definition)
	for range s.desired {
		t := d.newTask()
		t.last, t.started, t.healthy = "RUNNING", s.region.aws.clock, true
		for _, c := range t.containers {
			c.last = "RUNNING"
		}
	}
	d.healthy, d.waiting = true, false
	if d.public != nil {
		d.public.shift = nil // it was long ago
	}
	for _, p := range s.rollouts {
		p.move()
	}
	s.complete(d)
	s.event("(service %s) has reached a steady state.", s.name)
	s.steady = true
	s.poked = time.Time{}
}
