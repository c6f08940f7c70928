package sim

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// DeploymentGroup is the CodeDeploy deployment group of an ECS service, in an
// application of its own. "{n}" in the names becomes the service's number.
type DeploymentGroup struct {
	// Application and Name; empty: "AppECS-CLUSTER-SERVICE" and
	// "DgpECS-CLUSTER-SERVICE", as the ECS console names them.
	Application string `json:"application,omitempty"`
	Name        string `json:"name,omitempty"`
	// Config is the deployment configuration; empty:
	// CodeDeployDefault.ECSAllAtOnce.
	Config string `json:"config,omitempty"`
	// TerminationWait is how long the old task set is kept; nil: an hour, as
	// in groups that the console makes. Whole minutes.
	TerminationWait *Duration `json:"termination-wait,omitempty"`
	// ReadyWait is how long a deployment waits for somebody to continue it
	// before the traffic is shifted; nil: it goes on by itself. Whole minutes.
	ReadyWait *Duration `json:"ready-wait,omitempty"`
	// AutoRollback is the events that roll back: DEPLOYMENT_FAILURE,
	// DEPLOYMENT_STOP_ON_ALARM, DEPLOYMENT_STOP_ON_REQUEST.
	AutoRollback []string `json:"auto-rollback,omitempty"`
	Alarms       []string `json:"alarms,omitempty"`
	// TestTraffic says that there is a listener for it.
	TestTraffic bool `json:"test-traffic,omitempty"`
	// Hooks are the functions that the last AppSpec file names, by lifecycle
	// event.
	Hooks map[string]string `json:"hooks,omitempty"`
	// Fresh says that nothing was deployed by CodeDeploy so far. Else the
	// service's task set is that of a deployment of yesterday.
	Fresh bool `json:"fresh,omitempty"`
}

// numbered fills the names.
func (g *DeploymentGroup) numbered(fill func(string) string) *DeploymentGroup {
	if g == nil {
		return nil
	}
	made := *g
	made.Application, made.Name = fill(g.Application), fill(g.Name)
	return &made
}

// nameLimit is where the console cuts cluster and service in the names.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-type-bluegreen.html
const nameLimit = 47

func cut(name string) string { return name[:min(len(name), nameLimit)] }

// buildGroup makes the service's deployment group.
func (r *region) buildGroup(s *service, w DeploymentGroup) {
	names := "ECS-" + cut(s.cluster.name) + "-" + cut(s.name)
	application := r.codeDeploy.application(cmp.Or(w.Application, "App"+names), r.aws.clock)
	g := &deploymentGroup{
		region: r, application: application, name: cmp.Or(w.Name, "Dgp"+names), service: s, config: cmp.Or(w.Config, "CodeDeployDefault.ECSAllAtOnce"),
		wait: time.Duration(either(w.TerminationWait, Duration(time.Hour))), readyWait: (*time.Duration)(w.ReadyWait),
		rollback: w.AutoRollback, alarms: w.Alarms, testTraffic: w.TestTraffic,
	}
	g.id = fill("group " + application.name + "/" + g.name)
	application.groups[g.name] = g
	s.group = g
	s.deployments[0].production = 100
	if w.Fresh {
		return
	}
	d := g.begin(&appRevision{content: appSpecText(s.definition.arn(), s.balancers()[0], w.Hooks)}, "user")
	d.status, d.started, d.waiting, d.completed = "Succeeded", r.aws.clock, r.aws.clock, r.aws.clock
	d.at, d.green, g.successful = len(d.events), s.deployments[0], d
	for _, e := range d.events {
		e.status, e.started, e.ended = "Succeeded", r.aws.clock, r.aws.clock
	}
	d.green.external = d.id
}

// group checks a service's deployment group.
func (c *checker) group(path string, s Service) {
	g := s.CodeDeploy
	if g == nil {
		return
	}
	path += ".codedeploy"
	if s.Controller != "CODE_DEPLOY" || s.LoadBalancer == nil {
		c.wrong(path, "the service needs the controller CODE_DEPLOY and a load-balancer")
	}
	c.oneOf(path+".config", g.Config, sortedKeys(trafficConfigs())...)
	for _, e := range g.AutoRollback {
		c.oneOf(path+".auto-rollback", e, "DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM", "DEPLOYMENT_STOP_ON_REQUEST")
	}
	for name, d := range map[string]*Duration{"termination-wait": g.TerminationWait, "ready-wait": g.ReadyWait} {
		if d != nil && *d%Duration(time.Minute) != 0 {
			c.wrong(path+"."+name, "%v is not a number of whole minutes", time.Duration(*d))
		}
	}
	for _, event := range sortedKeys(g.Hooks) {
		if !slices.Contains(lifecycleEvents(), event) || !strings.Contains(event, "Allow") && !strings.HasSuffix(event, "Install") || event == "Install" {
			c.wrong(path+".hooks", "there are no hooks at %q", event)
		}
	}
}

// moveBeside puts a revision's tasks in the target group that those of another
// deployment are not in.
func (r *revision) moveBeside(other *deployment) {
	all := r.service.balancers()
	for _, group := range r.service.targetGroups {
		if len(all) > 0 && group != other.targetGroup() {
			all[0].TargetGroup = group
			r.balancers = all
		}
	}
}

// targetGroup is where a deployment's tasks are registered; empty: nowhere.
func (d *deployment) targetGroup() string {
	var all []balancer
	convert(d.revision.balancers, &all)
	if len(all) > 0 {
		return all[0].TargetGroup
	}
	return ""
}

// setStatus is a task set's status.
func (d *deployment) setStatus() string {
	if d.leaving {
		return "DRAINING"
	}
	return d.status
}
