package sim

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// codeDeployment is a CodeDeploy deployment of an ECS service: a second task
// set is installed beside the first, the traffic follows, and after a wait the
// first is terminated.
// https://docs.aws.amazon.com/codedeploy/latest/userguide/deployment-steps-ecs.html
type codeDeployment struct {
	group                    *deploymentGroup
	id, description, creator string
	config                   string
	status                   string // Created, InProgress, Ready, Succeeded, Failed, Stopped
	revision, previous       *appRevision
	spec                     appSpec
	rollbackOn               []string // events
	alarms                   []string

	events      []*lifecycleEvent
	at          int // index of the present one
	blue, green *deployment
	steps       []stage // of the traffic
	step        int     // how many are done
	stepped     time.Time
	desired     int       // when the shift began, or was scaled last
	scaled      time.Time // zero: not during the shift
	ready       time.Time // since when it is Ready; zero: it is not
	waiting     time.Time // since when the old task set waits to be terminated
	goOn        bool      // somebody ended the present wait

	code, message string          // errorInformation
	undoes        *codeDeployment // this is its rollback
	undoneBy      *codeDeployment
	undoMessage   string

	created, started, completed, updated time.Time
	planned                              int // raised to make a planned step void
}

// lifecycleEvent is a step of a deployment as BatchGetDeploymentTargets shows
// it.
type lifecycleEvent struct {
	name, status   string // Pending, InProgress, Succeeded, Failed, Skipped
	message        string
	started, ended time.Time
}

// lifecycleEvents are those of ECS, in order; two exist only with a listener
// for test traffic.
// https://docs.aws.amazon.com/codedeploy/latest/userguide/reference-appspec-file-structure-hooks.html
func lifecycleEvents() []string {
	return []string{"BeforeInstall", "Install", "AfterInstall", "TestTraffic", "AfterAllowTestTraffic", "BeforeAllowTraffic", "AllowTraffic", "AfterAllowTraffic"}
}

// Limits of the deployment's own; how often it looks is a guess.
// https://docs.aws.amazon.com/codedeploy/latest/userguide/troubleshooting-ecs.html
// https://docs.aws.amazon.com/codedeploy/latest/userguide/reference-appspec-file-structure-hooks.html
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-type-bluegreen.html
const (
	installLimit = time.Hour       // for the new task set to become healthy
	hookLimit    = time.Hour       // for a function's answer
	scalingLimit = 5 * time.Minute // for a service that is scaled during the shift
	codeLooks    = 5 * time.Second
)

// begin makes a deployment of the group.
func (g *deploymentGroup) begin(r *appRevision, creator string) *codeDeployment {
	now := g.region.aws.clock
	d := &codeDeployment{
		group: g, id: "d-" + fill(g.region.aws.digits())[:9], creator: creator, config: g.config, status: "Created",
		revision: g.application.keep(r, now), rollbackOn: g.rollback, alarms: g.alarms, created: now, updated: now,
	}
	d.spec, _ = readAppSpec(r.content)
	if g.successful != nil {
		d.previous = g.successful.revision
	}
	for _, name := range lifecycleEvents() {
		if g.testTraffic || !strings.Contains(name, "Test") {
			d.events = append(d.events, &lifecycleEvent{name: name, status: "Pending"})
		}
	}
	if d.revision.firstUsed.IsZero() {
		d.revision.firstUsed = now
	}
	d.revision.lastUsed = now
	g.last = d
	g.region.codeDeploy.deployments[d.id] = d
	g.region.codeDeploy.order = append(g.region.codeDeploy.order, d)
	return d
}

// start lets a deployment go its way.
func (d *codeDeployment) start() {
	d.steps = trafficConfigs()[d.config].steps()
	d.then(codeLooks, func() {
		d.status, d.started = "InProgress", d.clock()
		d.blue = d.group.service.deployments[0]
		d.look()
	})
}

func (d *codeDeployment) clock() time.Time { return d.group.region.aws.clock }

func (d *codeDeployment) done() bool { return !d.completed.IsZero() }

// then plans the next step in place of what was planned before.
func (d *codeDeployment) then(after time.Duration, step func()) {
	d.planned++
	planned := d.planned
	d.group.region.aws.after(max(after, 0), func() {
		if d.planned == planned && !d.done() {
			step()
		}
	})
}

// look brings the deployment on as far as it comes now, and plans the next
// look.
func (d *codeDeployment) look() {
	d.updated = d.clock()
	if d.group.service.status != "ACTIVE" {
		d.end("Failed", "INVALID_ECS_SERVICE", "The ECS service is not ACTIVE.", "")
		return
	}
	if fire := d.group.region.firing(d.alarms); len(fire) > 0 && d.undoes == nil {
		d.end("Stopped", "ALARM_ACTIVE", "One or more alarms have been activated according to the Amazon CloudWatch metrics you selected, and the affected deployments have been stopped. Activated alarms: <"+strings.Join(fire, ", ")+">", "DEPLOYMENT_STOP_ON_ALARM")
		return
	}
	if d.at < len(d.events) {
		d.runEvent(d.events[d.at])
	} else {
		d.wait()
	}
}

// runEvent does what the present lifecycle event is there for.
func (d *codeDeployment) runEvent(e *lifecycleEvent) {
	if d.paused(e) {
		return
	}
	if e.started.IsZero() {
		e.status, e.started = "InProgress", d.clock()
		if code, why := d.enter(e); why != "" {
			d.fail(code, why)
			return
		}
	}
	if code, why, when := d.trouble(e); why != "" && !d.clock().Before(when) {
		d.fail(code, why)
		return
	}
	if d.passed(e) {
		e.status, e.ended = "Succeeded", d.clock()
		d.at++
	}
	d.then(codeLooks, d.look)
}

// paused is the wait for ContinueDeployment before the traffic is shifted.
func (d *codeDeployment) paused(e *lifecycleEvent) bool {
	wait := d.group.readyWait
	if e.name != "BeforeAllowTraffic" || wait == nil || d.undoes != nil || !e.started.IsZero() {
		return false
	}
	switch {
	case d.ready.IsZero():
		d.status, d.ready = "Ready", d.clock()
	case d.goOn:
		d.status, d.goOn = "InProgress", false
		return false
	case d.clock().Sub(d.ready) >= *wait:
		d.end("Stopped", "TIMEOUT", "The deployment was stopped because it was not continued within its wait time.", "DEPLOYMENT_FAILURE")
		return true
	}
	d.then(codeLooks, d.look)
	return true
}

// enter begins an event; why is its failure, where it fails at once.
func (d *codeDeployment) enter(e *lifecycleEvent) (code, why string) {
	s := d.group.service
	switch {
	case e.name == "Install" && d.green == nil:
		return d.install()
	case e.name == "TestTraffic":
		d.green.test = 100
	case e.name == "AllowTraffic":
		d.green.test, d.desired = 0, s.desired
	}
	return "", ""
}

// install makes the new task set.
func (d *codeDeployment) install() (code, why string) {
	s := d.group.service
	refused := func(err error) (string, string) {
		e := asAPIError(err)
		return "ECS_UPDATE_ERROR", fmt.Sprintf("The ECS service cannot be updated due to an unexpected error: %s (Service: AmazonECS; Status Code: %d; Error Code: %s; Request ID: %s; Proxy: null).",
			e.Message, e.Status, e.Code, s.region.aws.uuid())
	}
	c := &call{AWS: s.region.aws, region: s.region}
	definition, err := c.definitionFor(d.spec.definition)
	if err == nil {
		err = runnable(definition, s.launchType, s.settings["networkConfiguration"] != nil || d.spec.network != nil)
	}
	if err == nil {
		err = balanced([]balancer{{Container: d.spec.container}}, definition)
	}
	if err != nil {
		return refused(err)
	}
	for _, old := range s.deployments {
		if old != d.blue {
			old.leave() // of a deployment that was stopped without a rollback
		}
	}
	d.blue.production = 100
	d.green = s.addTaskSet(definition, d)
	return "", ""
}

// addTaskSet is a second task set of the service, in the other target group.
func (s *service) addTaskSet(definition *taskDefinition, by *codeDeployment) *deployment {
	now := s.region.aws.clock
	d := &deployment{
		service: s, digits: s.region.aws.digits(), definition: definition, status: "ACTIVE", external: by.id,
		tasks: map[string]*task{}, created: now, updated: now,
	}
	d.set("IN_PROGRESS", "")
	d.revision = s.revise(d)
	if by.spec.network != nil {
		d.revision.network = by.spec.network
	}
	d.revision.moveBeside(s.deployments[0])
	s.deployments = append(s.deployments, d)
	s.steady = false
	s.poke()
	return d
}

// trouble is what will make the present event fail, and when; no why: nothing.
func (d *codeDeployment) trouble(e *lifecycleEvent) (code, why string, when time.Time) {
	if d.undoes != nil {
		if f := d.undoes.fault("ROLLBACK"); f != nil && e.name == "AllowTraffic" {
			return either(codeOf(f), "INTERNAL_ERROR"), either(reasonOf(f), "There was an internal error."), e.started
		}
		return "", "", time.Time{}
	}
	if f := d.fault(e.name); f != nil {
		when := e.started.Add(max(time.Duration(f.After), d.group.region.aws.timing.hook))
		if f.Hangs {
			when = e.started.Add(hookLimit)
		}
		return either(codeOf(f), "HOOK_EXECUTION_FAILURE"), either(reasonOf(f), "A validation hook function failed: "+d.function(e)+"."), when
	}
	switch {
	case e.name == "Install":
		return "TIMEOUT", "The deployment timed out while waiting for the replacement task set to become healthy. This time out period is 60 minutes.", e.started.Add(installLimit)
	case e.name == "AllowTraffic" && !d.scaled.IsZero() && !(d.blue.ready() && d.green.ready()):
		return "ECS_UPDATE_ERROR", "The deployment failed because the ECS service was scaled while its traffic was shifted, and did not become steady within 5 minutes.", d.scaled.Add(scalingLimit)
	}
	return "", "", time.Time{}
}

func codeOf(f *DeploymentFault) *string   { return given(f.Code) }
func reasonOf(f *DeploymentFault) *string { return given(f.Reason) }

func given(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func (d *codeDeployment) function(e *lifecycleEvent) string {
	if name := d.spec.hooks[strings.ToLower(e.name)]; name != "" {
		return name
	}
	return e.name
}

// fault is what is to go wrong at a lifecycle event; the images are those that
// are deployed.
func (d *codeDeployment) fault(event string) *DeploymentFault {
	of := d.green
	if of == nil {
		t := d.group.region.findTaskDefinition(d.spec.definition)
		if t == nil {
			return nil
		}
		of = &deployment{service: d.group.service, definition: t}
	}
	return of.deploymentFault(event)
}

// passed says whether the event is over.
func (d *codeDeployment) passed(e *lifecycleEvent) bool {
	switch e.name {
	case "Install":
		return d.green.ready()
	case "AllowTraffic":
		return d.shifted()
	}
	if d.undoes == nil && d.fault(e.name) != nil {
		return false // it waits for its failure
	}
	lasts := d.group.region.aws.timing.hook
	if d.spec.hooks[strings.ToLower(e.name)] == "" || d.undoes != nil {
		lasts = 1 // until the next look
	}
	return d.clock().Sub(e.started) >= lasts
}

// shifted takes the steps of the traffic that are due; true: all of it has
// followed.
func (d *codeDeployment) shifted() bool {
	s, now := d.group.service, d.clock()
	if d.desired != s.desired {
		d.desired, d.scaled = s.desired, now
	}
	if !d.scaled.IsZero() && d.blue.ready() && d.green.ready() {
		d.scaled = time.Time{}
	}
	if d.step > 0 && now.Sub(d.stepped) < d.steps[d.step-1].pause {
		return false
	}
	if d.step < len(d.steps) {
		d.green.production = d.steps[d.step].weight
		d.blue.production = 100 - d.green.production
		d.step, d.stepped = d.step+1, now
		return false
	}
	if now.Sub(d.stepped) < s.region.aws.timing.shifting || !d.scaled.IsZero() {
		return false
	}
	s.promote(d.green)
	return true
}

// promote makes a task set the PRIMARY one.
func (s *service) promote(d *deployment) {
	rest := []*deployment{d}
	for _, o := range s.deployments {
		if o != d {
			o.status = "ACTIVE"
			rest = append(rest, o)
		}
	}
	d.status, s.deployments, s.definition = "PRIMARY", rest, d.definition
	if d.revision.balancers != nil {
		s.settings["loadBalancers"] = d.revision.balancers
	}
	if d.revision.network != nil {
		s.settings["networkConfiguration"] = d.revision.network
	}
}

// wait is what comes after the lifecycle events: the old task set stays for a
// while, then it is terminated.
func (d *codeDeployment) wait() {
	s, now := d.group.service, d.clock()
	if d.waiting.IsZero() {
		d.waiting = now
	}
	over := d.waiting.Add(d.group.wait)
	switch {
	case d.undoes == nil && !d.goOn && now.Before(over):
		pause := over.Sub(now)
		if len(d.alarms) > 0 {
			pause = min(pause, alarmEvery)
		}
		d.then(pause, d.look)
	case !d.blue.leaving:
		d.blue.leave()
		s.poke()
		d.then(codeLooks, d.look)
	case !d.blue.emptied():
		d.then(codeLooks, d.look)
	default:
		d.status, d.completed = "Succeeded", now
		d.group.successful = d
		s.prune()
		s.poke()
	}
}

// fail is the failure of the present event.
func (d *codeDeployment) fail(code, why string) {
	if code == "HOOK_EXECUTION_FAILURE" {
		d.events[d.at].message = why
		why = fmt.Sprintf("The deployment failed because one of the lifecycle event validation functions failed (%s).", d.function(d.events[d.at]))
	}
	d.end("Failed", code, why, "DEPLOYMENT_FAILURE")
}

// end is the end of a deployment that did not succeed, and the begin of its
// rollback, where the event calls for one.
func (d *codeDeployment) end(status, code, message, event string) {
	d.status, d.code, d.message, d.completed = status, code, message, d.clock()
	for i, e := range d.events[min(d.at, len(d.events)):] {
		if e.status = "Skipped"; i == 0 && !e.started.IsZero() {
			e.status, e.ended = "Failed", d.clock()
		}
	}
	if d.undoes == nil && slices.Contains(d.rollbackOn, event) {
		d.group.region.aws.after(codeLooks, d.undo)
	}
}

// undo is a rollback: a new deployment, of the revision before. While the old
// task set is there, only the traffic goes back. Without a new task set there
// is nothing to undo. It begins a moment after the deployment has ended, in
// which somebody may begin another one; how long that is, is a guess.
// https://docs.aws.amazon.com/codedeploy/latest/userguide/deployments-rollback-and-redeploy.html
func (d *codeDeployment) undo() {
	g := d.group
	switch {
	case d.green == nil:
		d.undoMessage = "The deployment was not rolled back because no replacement task set was created."
		return
	case d.previous == nil:
		d.undoMessage = "The deployment was not rolled back because there is no previous successful deployment."
		return
	case g.last != d:
		d.undoMessage = "The deployment was not rolled back because another one has begun."
		return
	}
	r := g.begin(d.previous, "codeDeployRollback")
	r.undoes, d.undoneBy, r.config = d, r, "CodeDeployDefault.ECSAllAtOnce"
	r.description = "Rollback of deployment " + d.id
	r.rollbackOn, r.alarms = nil, nil
	if !d.blue.leaving {
		r.green = d.blue
	}
	r.start()
	r.then(codeLooks, func() {
		r.status, r.started, r.blue = "InProgress", r.clock(), d.green
		r.look()
	})
}

// stop is a user's word.
func (d *codeDeployment) stop(rollback *bool) {
	d.rollbackOn = slices.Clone(d.rollbackOn)
	const onRequest = "DEPLOYMENT_STOP_ON_REQUEST"
	if rollback != nil {
		d.rollbackOn = slices.DeleteFunc(d.rollbackOn, func(e string) bool { return e == onRequest })
		if *rollback {
			d.rollbackOn = append(d.rollbackOn, onRequest)
		}
	}
	d.then(time.Second, func() { d.end("Stopped", "MANUAL_STOP", "The deployment was stopped by a user.", onRequest) })
}
