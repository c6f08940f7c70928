package sim

import (
	"cmp"
	"fmt"
	"strings"
	"time"
)

// task is an ECS task. Its life is a chain of planned steps:
// PROVISIONING → PENDING → ACTIVATING → RUNNING → DEACTIVATING → STOPPING →
// DEPROVISIONING → STOPPED.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-lifecycle-explanation.html
type task struct {
	region     *region
	cluster    *cluster
	id         string
	order      int // of creation
	ordinal    int // of creation in its service
	definition *taskDefinition
	deployment *deployment // nil: started by RunTask
	group      string
	startedBy  string
	launchType string
	provider   string // capacity provider; empty: a launch type
	overrides  any
	tags       []tag

	last, desired string
	healthy       bool
	health        string
	containers    []*container
	fault         *TaskFault
	planned       int // raised to make planned steps void

	created, pullStarted, pullStopped, started, stopping, executionStopped, stopped time.Time
	stopCode, reason                                                                string
	protected                                                                       time.Time // until when nothing but its own failure ends it
}

// container is a container of a task.
type container struct {
	name, image, digest string
	essential           bool
	logs                map[string]string // awslogs options; nil: it logs elsewhere
	cpu                 int
	last                string
	exit                *int // nil: never started, or running
	reason              string
}

// newTask makes a task in PROVISIONING.
func (k *cluster) newTask(d *taskDefinition) *task {
	a := k.region.aws
	a.tasksMade++
	t := &task{
		region: k.region, cluster: k, id: a.hex32(), order: a.tasksMade, definition: d, health: "UNKNOWN",
		last: "PROVISIONING", desired: "RUNNING", created: a.clock, ordinal: a.tasksMade,
	}
	for _, c := range d.known.Containers {
		made := &container{
			name: c.Name, image: c.Image, digest: k.region.digest(c.Image), last: "PENDING", cpu: c.CPU,
			essential: c.Essential == nil || *c.Essential,
		}
		if c.Log.Driver == "awslogs" {
			made.logs = c.Log.Options
		}
		t.containers = append(t.containers, made)
	}
	k.tasks[t.id] = t
	return t
}

func (t *task) arn() string { return t.region.arn("ecs", "task/"+t.cluster.name+"/"+t.id) }

// isLive says that the task is meant to run.
func (t *task) isLive() bool { return t.desired == "RUNNING" }

// isRunning counts tasks that drain, too: they serve until they are stopped.
// What AWS counts here is not documented.
func (t *task) isRunning() bool { return t.last == "RUNNING" || t.last == "DEACTIVATING" }

func (t *task) isPending() bool {
	return t.isLive() && (t.last == "PROVISIONING" || t.last == "PENDING" || t.last == "ACTIVATING")
}

func (t *task) isHealthy() bool { return t.isLive() && t.healthy }

// isGone says that nothing of the program runs any more.
func (t *task) isGone() bool { return t.last == "DEPROVISIONING" || t.last == "STOPPED" }

func countTasks[K comparable](tasks map[K]*task, is func(*task) bool) int {
	n := 0
	for _, t := range tasks {
		if is(t) {
			n++
		}
	}
	return n
}

// then plans the next step. It does not come if the task is stopped before.
func (t *task) then(d time.Duration, step func()) {
	planned := t.planned
	t.region.aws.after(d, func() {
		if t.planned == planned {
			step()
		}
	})
}

// begin sets the task on its way.
func (t *task) begin() { t.then(t.region.aws.timing.provisioning, t.place) }

// replaceAfter is how often a task that found no place tries again: a guess.
const replaceAfter = 15 * time.Second

func (t *task) place() {
	if f := t.placeless(); f != nil {
		if t.deployment != nil {
			t.deployment.service.placeless(f)
		}
		t.then(replaceAfter, t.place)
		return
	}
	t.last, t.pullStarted = "PENDING", t.region.aws.clock
	t.then(t.region.aws.timing.pulling, t.pull)
}

func (t *task) pull() {
	t.fault = t.taskFault()
	if t.fault != nil && t.fault.Fails == "pull" {
		t.notPulled(t.victim(t.fault), t.fault.Reason)
		return
	}
	for _, c := range t.containers {
		if !t.region.hasImage(c.image) {
			t.notPulled(c, "")
			return
		}
	}
	t.last, t.pullStopped = "ACTIVATING", t.region.aws.clock
	t.then(t.region.aws.timing.activating, t.run)
}

// notPulled has the words of Fargate platform 1.4, as in
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_cannot_pull_image.html
func (t *task) notPulled(c *container, reason string) {
	if reason == "" {
		reason = fmt.Sprintf("CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref %[1]s: %[1]s: not found", c.image)
	}
	c.reason = reason
	t.fail("TaskFailedToStart", reason)
}

func (t *task) run() {
	timing := t.region.aws.timing
	t.last, t.started = "RUNNING", t.region.aws.clock
	for _, c := range t.containers {
		c.last = "RUNNING"
	}
	fails := ""
	if t.fault != nil {
		fails = t.fault.Fails
		t.log(t.victim(t.fault), t.fault.Log)
	}
	switch {
	case fails == "exit":
		t.then(time.Duration(t.fault.After), func() { t.exit(t.victim(t.fault), t.fault.ExitCode) })
		t.then(timing.healthy, t.pass)
	case t.deployment == nil:
		t.then(timing.taskRun, func() { t.exit(t.containers[0], 0) })
	case fails == "health":
		t.then(timing.unhealthy, t.giveUp)
	default:
		t.then(timing.healthy, t.pass)
	}
	t.tell()
}

// pass is the moment from which the scheduler counts the task as healthy.
func (t *task) pass() {
	t.healthy = true
	for _, c := range t.definition.known.Containers {
		if c.HealthCheck != nil {
			t.health = "HEALTHY"
		}
	}
	if t.deployment != nil {
		t.deployment.proven()
	}
	t.tell()
}

// giveUp is the end of a task whose health checks never pass.
func (t *task) giveUp() {
	t.health = "UNHEALTHY"
	reason := "Task failed container health checks"
	if t.deployment != nil {
		if group := t.deployment.service.targetGroup(); group != "" {
			reason = fmt.Sprintf("Task failed ELB health checks in (target-group %s)", group)
			t.deployment.service.event("(service %s) (port %d) is unhealthy in (target-group %s) due to (reason %s).",
				t.deployment.service.name, t.deployment.service.targetPort(), group, unhealthy(cmp.Or(t.fault.TargetReason, "Target.ResponseCodeMismatch")).Description)
		}
	}
	if t.fault.Reason != "" {
		reason = t.fault.Reason
	}
	t.fail("ServiceSchedulerInitiated", reason)
}

// exit is the end of a container by itself, which ends the task.
func (t *task) exit(c *container, code int) {
	c.exit, c.last = &code, "STOPPED"
	t.executionStopped = t.region.aws.clock
	reason := "Essential container in task exited"
	if t.fault != nil && t.fault.Reason != "" {
		reason = t.fault.Reason
	}
	t.fail("EssentialContainerExited", reason)
}

// fail stops the task for a reason that is its own.
func (t *task) fail(code, reason string) {
	healthy := t.healthy
	t.stop(code, reason)
	if t.deployment != nil && !healthy {
		t.deployment.taskFailed()
	}
}

// stop begins the task's end; a task that is ending already goes on as it was.
func (t *task) stop(code, reason string) {
	if !t.isLive() {
		return
	}
	timing := t.region.aws.timing
	t.desired, t.stopCode, t.reason, t.stopping = "STOPPED", code, reason, t.region.aws.clock
	t.planned++
	ran := !t.started.IsZero() && t.executionStopped.IsZero()
	switch {
	case !ran:
		t.deprovision()
	case t.deployment != nil && t.deployment.service.targetGroup() != "":
		t.last = "DEACTIVATING"
		t.then(timing.draining, t.terminate)
	default:
		t.terminate()
	}
	t.tell()
}

func (t *task) terminate() {
	t.last = "STOPPING"
	t.then(t.region.aws.timing.stopping, func() {
		t.executionStopped = t.region.aws.clock
		t.deprovision()
	})
}

func (t *task) deprovision() {
	t.last = "DEPROVISIONING"
	for _, c := range t.containers {
		if c.last == "RUNNING" && c.exit == nil {
			c.exit = new(int) // the program ended well when it was asked to
		}
		c.last = "STOPPED"
	}
	t.then(t.region.aws.timing.deprovisioning, t.end)
	t.tell()
}

func (t *task) end() {
	t.last, t.stopped = "STOPPED", t.region.aws.clock
	if t.deployment != nil {
		t.deployment.service.prune()
	}
	t.tell()
	t.then(t.region.aws.timing.kept, func() {
		delete(t.cluster.tasks, t.id)
		if t.deployment != nil {
			delete(t.deployment.tasks, t.id)
		}
	})
}

// tell lets the service's scheduler know that something changed.
func (t *task) tell() {
	if t.deployment != nil {
		t.deployment.service.poke()
	}
}

// log writes lines where the container's awslogs options say: stream
// "prefix/container/task".
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/using_awslogs.html
func (t *task) log(c *container, lines []string) {
	if c.logs == nil || len(lines) == 0 {
		return
	}
	where := t.region
	if r := c.logs["awslogs-region"]; r != "" {
		where = where.aws.regionOf(t.region.account, r)
	}
	stream := strings.Join([]string{c.logs["awslogs-stream-prefix"], c.name, t.id}, "/")
	where.writeLog(c.logs["awslogs-group"], stream, lines)
}

func (t *task) render(tags bool) map[string]any {
	out := map[string]any{
		"taskArn": t.arn(), "clusterArn": t.cluster.arn(), "taskDefinitionArn": t.definition.arn(),
		"group": t.group, "lastStatus": t.last, "desiredStatus": t.desired, "healthStatus": t.health,
		"createdAt": stamp(t.created), "containers": t.renderContainers(), "attachments": t.renderAttachments(), "attributes": []any{},
		"availabilityZone": t.region.name + "a", "version": 1, "enableExecuteCommand": false, "tags": []tag{},
	}
	for key, s := range map[string]string{
		"startedBy": t.startedBy, "launchType": t.launchType, "capacityProviderName": t.provider, "stopCode": t.stopCode,
		"stoppedReason": t.reason, "cpu": t.definition.size("cpu"), "memory": t.definition.size("memory"),
	} {
		if s != "" {
			out[key] = s
		}
	}
	for key, at := range map[string]time.Time{
		"pullStartedAt": t.pullStarted, "pullStoppedAt": t.pullStopped, "startedAt": t.started,
		"stoppingAt": t.stopping, "executionStoppedAt": t.executionStopped, "stoppedAt": t.stopped,
	} {
		if !at.IsZero() {
			out[key] = stamp(at)
		}
	}
	out["overrides"] = t.overrides
	if t.overrides == nil {
		out["overrides"] = map[string]any{"containerOverrides": []any{}, "inferenceAcceleratorOverrides": []any{}}
	}
	if tags && t.tags != nil {
		out["tags"] = t.tags
	}
	return out
}

func (t *task) renderContainers() []any {
	all := []any{}
	for _, c := range t.containers {
		out := map[string]any{
			"containerArn": t.region.arn("ecs", "container/"+t.cluster.name+"/"+t.id+"/"+c.name), "taskArn": t.arn(),
			"name": c.name, "image": c.image, "lastStatus": c.last, "healthStatus": t.health,
			"networkBindings": []any{}, "networkInterfaces": t.renderInterfaces(), "cpu": fmt.Sprint(c.cpu),
		}
		if c.exit != nil {
			out["exitCode"] = *c.exit
		}
		if c.reason != "" {
			out["reason"] = c.reason
		}
		if c.digest != "" && !t.pullStopped.IsZero() {
			out["imageDigest"] = c.digest
		}
		all = append(all, out)
	}
	return all
}

// hasInterface says whether the task has a network interface of its own by now.
func (t *task) hasInterface() bool {
	return t.definition.known.NetworkMode == "awsvpc" && t.last != "PROVISIONING"
}

// address is the task's private IP address: of the service's own range, so that
// it does not depend on what other services do at the same time.
func (t *task) address() string {
	name := "run-task"
	if t.deployment != nil {
		name = t.deployment.service.name
	}
	of := fill(t.cluster.name + "/" + name)
	return fmt.Sprintf("10.%d.%d.%d", (int(of[0])*7+int(of[1]))%256, (int(of[2])*7+int(of[3]))%200+t.ordinal/250, t.ordinal%250+4)
}

func (t *task) renderInterfaces() []any {
	if !t.hasInterface() {
		return []any{}
	}
	return []any{map[string]any{"attachmentId": t.id[:8] + "-eni", "privateIpv4Address": t.address()}}
}

func (t *task) renderAttachments() []any {
	if !t.hasInterface() {
		return []any{}
	}
	detail := []any{map[string]any{"name": "privateIPv4Address", "value": t.address()}}
	return []any{map[string]any{"id": t.id[:8] + "-eni", "type": "ElasticNetworkInterface", "status": "ATTACHED", "details": detail}}
}

// size is the task's cpu or memory as stored; empty where it has none.
func (t *taskDefinition) size(key string) string {
	s, _ := t.document[key].(string)
	return s
}
