package sim

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"
)

// poke lets the service's scheduler look at the service after its usual delay.
func (s *service) poke() { s.pokeAt(s.region.aws.clock.Add(s.region.aws.timing.scheduler)) }

func (s *service) pokeAt(at time.Time) {
	if !s.poked.IsZero() && !s.poked.After(at) {
		return
	}
	s.poked = at
	s.region.aws.plan(at, func() {
		if s.poked.Equal(at) {
			s.poked = time.Time{}
			s.reconcile()
		}
	})
}

// reconcile is one pass of the scheduler: start what is missing, stop what is
// too much, notice that the goal is reached.
func (s *service) reconcile() {
	for _, p := range s.rollouts {
		p.move()
	}
	if s.status != "ACTIVE" {
		s.drain()
		return
	}
	if len(s.deployments) == 0 {
		return
	}
	if !s.sideBySide() {
		s.roll()
	} else {
		s.keep()
	}
	if len(s.rollouts) == 0 || !s.rollouts[0].shifting() {
		s.settle()
	}
}

// move brings the public record on: what was asked for happens at the
// scheduler's next pass.
func (p *serviceDeployment) move() {
	switch p.status {
	case "PENDING":
		p.to("IN_PROGRESS", "")
		p.service.poke()
	case "IN_PROGRESS":
		if p.service.status == "ACTIVE" && !p.watchAlarms() && p.shift != nil {
			p.proceed()
		}
	case "STOP_REQUESTED":
		p.to("STOPPED", p.reason)
	case "ROLLBACK_REQUESTED":
		if p.stage() == "CLEAN_UP" {
			// The blue tasks are going: too late. That the deployment then ends
			// SUCCESSFUL is documented as possible, not when.
			p.proceed()
			return
		}
		const why = "Service deployment rolled back because of a StopServiceDeployment request."
		p.own.set("FAILED", "ECS deployment %s was stopped by a user.", p.own.id())
		if !p.service.goBack(p, "ECS deployment stopped by user", why) {
			p.to("STOPPED", "Service deployment stopped by a user; there is no completed deployment to roll back to.")
		}
	}
}

// roll replaces tasks within minimumHealthyPercent (rounded up) and
// maximumPercent (rounded down) of the desired count.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeploymentConfiguration.html
func (s *service) roll() {
	primary, old := s.deployments[0], s.deployments[1:]
	if primary.state == "FAILED" {
		return // launches nothing, and keeps what runs
	}
	lower := int(math.Ceil(float64(s.desired*s.percent("minimumHealthyPercent", 100)) / 100))
	upper := s.desired * s.percent("maximumPercent", 200) / 100
	live := primary.count((*task).isLive) + primary.launching
	oldTasks := tasksOf(old, (*task).isLive)
	if len(oldTasks) == 0 {
		upper = s.desired
	}
	s.start(primary, min(s.desired-live, upper-live-len(oldTasks)))
	s.stopSurplus(tasksOf([]*deployment{primary}, (*task).isLive), live-s.desired)

	healthy := primary.count((*task).isHealthy)
	var idle, serving []*task
	for _, t := range oldTasks {
		if t.healthy {
			serving = append(serving, t)
		} else {
			idle = append(idle, t)
		}
	}
	stop := s.unprotected(idle)
	if spare := healthy + len(serving) - lower; spare > 0 {
		serving = s.unprotected(serving)
		stop = append(stop, serving[:min(spare, len(serving))]...)
	}
	s.stopTasks(stop)
	if len(oldTasks) > 0 && len(stop) == 0 && upper <= len(oldTasks) && lower >= len(oldTasks) && primary.count((*task).isLive) == 0 {
		s.once("(service %s) was unable to stop or start tasks during a deployment because of the service deployment configuration. Update the minimumHealthyPercent or maximumPercent value and try again.", s.name)
	}
}

func tasksOf(ds []*deployment, is func(*task) bool) []*task {
	var all []*task
	for _, d := range ds {
		for _, t := range d.tasks {
			if is(t) {
				all = append(all, t)
			}
		}
	}
	slices.SortFunc(all, func(a, b *task) int { return cmp.Compare(a.order, b.order) })
	return all
}

// start launches n tasks, each when the account's and the service's launch
// rates let it; launches due within the same second come together.
func (s *service) start(d *deployment, n int) {
	now := s.region.aws.clock
	if n <= 0 {
		return
	}
	if now.Before(d.notBefore) {
		s.pokeAt(d.notBefore)
		return
	}
	s.steady = false
	batches := map[time.Time]int{}
	for range n {
		due := s.launches.reserve(now)
		if b := s.region.launchBucket(s.launchType, s.provider); b != nil {
			due = latest(due, b.reserve(now))
		}
		if due.After(now) {
			due = due.Truncate(time.Second).Add(time.Second)
		}
		batches[due]++
	}
	d.launching += n
	for _, due := range slices.SortedFunc(maps.Keys(batches), time.Time.Compare) {
		if due.Equal(now) {
			s.launch(d, batches[due])
		} else {
			s.region.aws.plan(due, func() { s.launch(d, batches[due]) })
		}
	}
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// launchBucket is the Fargate launch rate that applies; nil: none.
func (r *region) launchBucket(launchType, provider string) *bucket {
	switch {
	case provider == "FARGATE_SPOT":
		return r.buckets["fargate:spot"]
	case provider == "FARGATE" || launchType == "FARGATE":
		return r.buckets["fargate:on-demand"]
	}
	return nil
}

// launch makes up to n tasks; fewer, when they are not wanted any more.
func (s *service) launch(d *deployment, n int) {
	d.launching -= n
	if s.status != "ACTIVE" || d.state == "FAILED" {
		return
	}
	n = min(n, d.wanted()-d.count((*task).isLive))
	var names []string
	for range max(n, 0) {
		t := d.newTask()
		t.begin()
		names = append(names, "(task "+t.id+")")
	}
	if n > 0 {
		s.event("(service %s) has started %d tasks: %s.", s.name, n, strings.Join(names, " "))
	}
}

func (d *deployment) newTask() *task {
	s := d.service
	t := s.cluster.newTask(d.definition)
	t.deployment, t.group, t.startedBy = d, "service:"+s.name, d.id()
	s.tasksMade++
	t.ordinal = s.tasksMade
	t.launchType, t.provider = s.launchType, s.provider
	switch s.settings["propagateTags"] {
	case "SERVICE":
		t.tags = s.tags
	case "TASK_DEFINITION":
		t.tags = d.definition.tags
	}
	for i, c := range t.containers {
		c.digest = d.revision.images[i]["imageDigest"]
	}
	d.tasks[t.id] = t
	return t
}

// stopSurplus stops n of the tasks after a scale-in: those not healthy first,
// then the newest.
func (s *service) stopSurplus(tasks []*task, n int) {
	if n <= 0 {
		return
	}
	tasks = s.unprotected(tasks)
	slices.SortStableFunc(tasks, func(a, b *task) int {
		if a.healthy != b.healthy {
			return map[bool]int{true: 1, false: -1}[a.healthy]
		}
		return cmp.Compare(b.order, a.order)
	})
	s.stopTasks(tasks[:min(n, len(tasks))])
}

// stopTasks stops tasks of the service and says so in its events.
func (s *service) stopTasks(tasks []*task) {
	if len(tasks) == 0 {
		return
	}
	s.steady = false
	var names []string
	draining := 0
	for _, t := range tasks {
		if t.isRunning() {
			draining++
		}
		t.stop("ServiceSchedulerInitiated", fmt.Sprintf("Scaling activity initiated by (deployment %s)", t.deployment.id()))
		names = append(names, "(task "+t.id+")")
	}
	if group := s.targetGroup(); group != "" && draining > 0 {
		s.event("(service %s) deregistered %d targets in (target-group %s)", s.name, draining, group)
		s.event("(service %s) has begun draining connections on %d tasks.", s.name, draining)
	}
	s.event("(service %s) has stopped %d running tasks: %s.", s.name, len(tasks), strings.Join(names, " "))
}

// settle notices the steady state: the wanted number of healthy tasks, and
// nothing else.
func (s *service) settle() {
	primary := s.deployments[0]
	live := primary.count((*task).isLive)
	rest := tasksOf(s.deployments[1:], func(t *task) bool { return !t.isGone() })
	if s.steady || primary.state == "FAILED" || primary.launching > 0 ||
		live != s.desired || primary.count((*task).isHealthy) != live || len(rest) > 0 {
		return
	}
	s.steady = true
	if primary.state == "IN_PROGRESS" {
		s.complete(primary)
	}
	s.event("(service %s) has reached a steady state.", s.name)
}

func (s *service) complete(d *deployment) {
	d.set("COMPLETED", "ECS deployment %s completed.", d.id())
	s.completed = d
	s.prune()
	s.event("(service %s) (deployment %s) deployment completed.", s.name, d.id())
	if len(s.rollouts) == 0 {
		return
	}
	switch p := s.rollouts[0]; {
	case p.own == d && (p.status == "IN_PROGRESS" || p.status == "ROLLBACK_REQUESTED"):
		p.to("SUCCESSFUL", "")
		if p.monitor == "MONITORING" {
			p.monitor = "MONITORING_COMPLETE"
		}
	case p.status == "ROLLBACK_IN_PROGRESS" && p.own.deploymentFault("ROLLBACK") != nil:
		p.to("ROLLBACK_FAILED", "Service deployment rollback failed."+spaced(p.own.deploymentFault("ROLLBACK").Reason))
	case p.status == "ROLLBACK_IN_PROGRESS":
		p.to("ROLLBACK_SUCCESSFUL", p.reason)
	}
}

// prune forgets replaced deployments of which nothing is left.
func (s *service) prune() {
	s.deployments = slices.DeleteFunc(s.deployments, func(d *deployment) bool {
		return d.status != "PRIMARY" && d.emptied() && (d.leaving || !s.sideBySide())
	})
}

// drain is the end of a deleted service.
func (s *service) drain() {
	s.stopTasks(tasksOf(s.deployments, (*task).isLive))
	if len(tasksOf(s.deployments, func(t *task) bool { return !t.isGone() })) == 0 {
		s.status = "INACTIVE"
	}
}

// placeless says in the events that a task finds no place; not more often than
// every five minutes, which is a guess.
func (s *service) placeless(f *TaskFault) {
	reason := f.Reason
	switch {
	case reason != "":
		reason = "was unable to place a task. Reason: " + reason
	case s.launchType == "EC2":
		reason = "was unable to place a task because no container instance met all of its requirements. Reason: No Container Instances were found in your cluster. For more information, see the Troubleshooting section of the Amazon ECS Developer Guide."
	default:
		reason = "was unable to place a task. Reason: " + noCapacity
	}
	s.once("(service %s) %s", s.name, reason)
}

// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-event-messages-list.html
const noCapacity = "Capacity is unavailable at this time. Please try again later or in a different availability zone."

// once adds an event unless the same was added within five minutes.
func (s *service) once(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	for _, e := range slices.Backward(s.events) {
		if e.text == text && s.region.aws.clock.Sub(e.at) < 5*time.Minute {
			return
		}
	}
	s.event("%s", text)
}
