package sim

import (
	"fmt"
	"maps"
	"math"
	"time"
)

// deployment is an entry of a service's deployments: the tasks of one service
// revision.
type deployment struct {
	service    *service
	digits     string // id is "ecs-svc/" and these
	definition *taskDefinition
	revision   *revision
	status     string // PRIMARY, ACTIVE
	state      string // IN_PROGRESS, COMPLETED, FAILED
	reason     string
	tasks      map[string]*task
	launching  int  // launches that wait for their token
	failed     int  // consecutive failures, until a task is healthy
	healthy    bool // a task has been healthy
	notBefore  time.Time
	public     *serviceDeployment // nil where the controller has none

	// Beside other deployments, see sideBySide:
	waiting          bool    // its tasks are not to be started yet
	leaving          bool    // its tasks are to be stopped
	production, test float64 // its percentages of the traffic
	external         string  // id of the CodeDeploy deployment that made it

	created, updated time.Time
}

// revision is a service revision: what a deployment runs.
type revision struct {
	service    *service
	digits     string
	definition *taskDefinition
	images     []map[string]string // containerImages
	network    any
	balancers  any
	created    time.Time
}

// serviceDeployment is the public record of a roll-out, including its
// rollback.
type serviceDeployment struct {
	service  *service
	id       string
	status   string
	reason   string
	target   *revision
	sources  []*deployment
	own      *deployment
	rollback map[string]any
	monitor  string // circuit breaker's status
	failures int
	shift    *shift         // nil: a rolling deployment
	setup    map[string]any // deploymentConfiguration
	// triggered are the alarms that ended it.
	triggered []string
	unwatched bool // its alarms are not looked at

	created, started, updated, finished, stopped time.Time
}

func (d *deployment) id() string { return "ecs-svc/" + d.digits }

func (d *deployment) count(is func(*task) bool) int { return countTasks(d.tasks, is) }

func (d *deployment) set(state, format string, args ...any) {
	d.state, d.reason, d.updated = state, fmt.Sprintf(format, args...), d.service.region.aws.clock
}

// deploy starts a deployment of a task definition: it is PRIMARY from now on.
func (s *service) deploy(definition *taskDefinition) *deployment {
	now := s.region.aws.clock
	d := &deployment{
		service: s, digits: s.region.aws.digits(), definition: definition, status: "PRIMARY",
		tasks: map[string]*task{}, created: now, updated: now,
	}
	d.set("IN_PROGRESS", "ECS deployment %s in progress.", d.id())
	d.revision = s.revise(d)
	old := s.deployments
	for _, o := range old {
		o.status = "ACTIVE"
	}
	s.deployments = append([]*deployment{d}, old...)
	s.steady = false
	if s.controller == "ECS" {
		s.supersede()
		s.publish(d, old)
		if s.strategy != "ROLLING" {
			s.shiftTo(d, old)
		}
	}
	s.poke()
	return d
}

// revise records what the deployment will run. ECS resolves tags to digests
// once for a revision, so that all its tasks run the same bytes.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-type-ecs.html#deployment-container-image-stability
func (s *service) revise(d *deployment) *revision {
	r := &revision{
		service: s, digits: d.digits, definition: d.definition, created: d.created,
		network: s.settings["networkConfiguration"], balancers: s.settings["loadBalancers"],
	}
	for _, c := range d.definition.known.Containers {
		image := map[string]string{"containerName": c.Name, "image": c.Image}
		if digest := s.region.digest(c.Image); digest != "" {
			image["imageDigest"] = digest
		}
		r.images = append(r.images, image)
	}
	s.revisions = append(s.revisions, r)
	return r
}

// supersede asks the roll-out under way to stop, as ECS does when a newer one
// starts. https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-deployment.html
func (s *service) supersede() {
	if len(s.rollouts) == 0 || s.rollouts[0].done() {
		return
	}
	s.rollouts[0].to("STOP_REQUESTED", "A newer service deployment was started.")
	s.rollouts[0].monitor = "MONITORING_COMPLETE"
}

func (s *service) publish(d *deployment, sources []*deployment) {
	p := &serviceDeployment{
		service: s, id: fill(d.digits) + d.digits[:5], status: "PENDING", target: d.revision, sources: sources, own: d,
		created: d.created, updated: d.created, monitor: "DISABLED", setup: maps.Clone(s.deployment),
	}
	if s.breaker().Enable {
		p.monitor = "MONITORING"
	}
	// A deployment that begins while an alarm fires may be the one that mends
	// what is wrong, so that ECS does not look at the alarms then.
	// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-alarm-failure.html
	p.unwatched = len(s.region.firing(s.strategyConfig().Alarms.Names)) > 0
	d.public = p
	s.rollouts = append([]*serviceDeployment{p}, s.rollouts...)
}

func (p *serviceDeployment) to(status, reason string) {
	p.status, p.reason, p.updated = status, reason, p.service.region.aws.clock
	switch status {
	case "IN_PROGRESS":
		p.started = p.updated
	case "SUCCESSFUL", "ROLLBACK_SUCCESSFUL", "ROLLBACK_FAILED":
		p.finished = p.updated
	case "STOPPED":
		p.finished, p.stopped = p.updated, p.updated
	}
}

func (p *serviceDeployment) done() bool { return !p.finished.IsZero() }

// proven is the end of the circuit breaker's count: once a task is healthy,
// failures are reset and no longer evaluated.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Deployment.html (failedTasks)
func (d *deployment) proven() {
	d.healthy, d.failed = true, 0
	d.notBefore = time.Time{}
}

// taskFailed counts a task that ended without ever having been healthy, and
// gives the deployment up when they are too many.
func (d *deployment) taskFailed() {
	s := d.service
	if d.healthy || d.state != "IN_PROGRESS" {
		return
	}
	d.failed++
	d.updated = s.region.aws.clock
	if d.public != nil {
		d.public.failures = d.failed
	}
	if d.status == "PRIMARY" && d.public != nil && s.breaker().Enable && d.failed >= threshold(s.desired) {
		s.trip(d)
		return
	}
	d.backOff()
}

// threshold is the circuit breaker's: half the desired count, but 3 at least
// and 200 at most.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-circuit-breaker.html
func threshold(desired int) int { return min(max(int(math.Ceil(0.5*float64(desired))), 3), 200) }

// Service throttle logic: pauses grow up to 27 minutes, says
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-throttle-logic.html
// When they begin and how they grow is a guess.
const (
	patientRounds = 2
	firstPause    = 10 * time.Second
	longestPause  = 27 * time.Minute
)

// backOff makes the scheduler wait longer after each round of failures.
func (d *deployment) backOff() {
	s := d.service
	rounds := d.failed/max(s.desired, 1) - patientRounds
	if rounds <= 0 {
		return
	}
	pause := longestPause
	if rounds < 10 {
		pause = min(firstPause<<rounds, longestPause)
	}
	d.notBefore = s.region.aws.clock.Add(pause)
	if d.failed%max(s.desired, 1) == 0 {
		s.event("(service %s) is unable to consistently start tasks successfully. For more information, see the Troubleshooting section of the Amazon ECS Developer Guide.", s.name)
	}
}

// trip is the circuit breaker's end of a deployment.
func (s *service) trip(d *deployment) {
	d.set("FAILED", "ECS deployment circuit breaker: tasks failed to start.")
	d.public.monitor = "TRIGGERED"
	s.event("(service %s) (deployment %s) deployment failed: tasks failed to start.", s.name, d.id())
	const why = "Service deployment rolled back because the circuit breaker threshold was exceeded."
	if s.breaker().Rollback && s.goBack(d.public, "ECS deployment circuit breaker", why) {
		return
	}
	// Without a rollback the record ends STOPPED by way of STOP_REQUESTED; a
	// rollback without a COMPLETED deployment to return to does nothing, too.
	d.public.to("STOP_REQUESTED", "ECS deployment circuit breaker: tasks failed to start.")
	s.poke()
}

// goBack makes the last COMPLETED deployment, or that of the shift's blue
// tasks, PRIMARY again. It is false, and nothing happens, when there is none.
func (s *service) goBack(p *serviceDeployment, who, why string) bool {
	target := p.rollbackTarget()
	if target == nil {
		return false
	}
	s.completed = nil // not one to go back to until it is steady
	rest := []*deployment{target}
	for _, d := range s.deployments {
		d.status = "ACTIVE"
		if d != target {
			rest = append(rest, d)
		}
	}
	s.deployments = rest
	target.status = "PRIMARY"
	if p.shift != nil {
		p.own.leave()
		target.leaving, target.production = false, 100
	}
	target.set("IN_PROGRESS", "%s: rolling back to deploymentId %s.", who, target.id())
	s.event("(service %s) rolling back to deployment %s.", s.name, target.id())
	p.to("ROLLBACK_IN_PROGRESS", why)
	p.rollback = map[string]any{
		"reason": why, "startedAt": stamp(p.updated), "serviceRevisionArn": target.revision.arn(),
	}
	s.definition = target.definition
	s.steady = false
	s.poke()
	return true
}

func (r *revision) arn() string {
	return r.service.region.arn("ecs", "service-revision/"+r.service.cluster.name+"/"+r.service.name+"/"+r.digits)
}

func (p *serviceDeployment) arn() string {
	return p.service.region.arn("ecs", "service-deployment/"+p.service.cluster.name+"/"+p.service.name+"/"+p.id)
}
