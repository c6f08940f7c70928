package fleet

import (
	"cmp"
	"fmt"
	"strings"
	"time"
)

// Service is what AWS shows of one ECS service at one moment.
type Service struct {
	ARN            ARN
	Name           string
	Cluster        ARN
	Status         string // ACTIVE, DRAINING, INACTIVE
	Controller     string // ECS, CODE_DEPLOY, EXTERNAL
	Strategy       string // rolling, blue-green, linear, canary, codedeploy, external
	TaskDefinition ARN
	Desired        int
	Running        int
	Pending        int

	// Deployments as DescribeServices lists them, newest first; the PRIMARY
	// one is what the service is meant to run.
	Deployments []Deployment
	// Current is the ARN of the service deployment in progress or, when none
	// is, of the last one. Empty where service deployments do not exist.
	Current ARN
	// Revisions are the ARNs of the service revisions with running tasks.
	Revisions []ARN
	// Events are the newest service events, newest first.
	Events []ServiceEvent

	// Run is the run that has last made the service run a revision that was
	// there already; zero where none is known. See TaskDefinition.Run.
	Run Run

	MinimumHealthyPercent int
	MaximumPercent        int
	CircuitBreaker        bool

	// TargetGroups are those that its tasks are, or may come to be, registered
	// in. Empty: it has no load balancer, or a Classic one.
	TargetGroups []ARN
	Before       *Before // what the service was before it was scaled; nil: not recorded
	// Suspended is what was suspended of its scaling before a deploy that has not
	// put it back held it; nil: none does.
	Suspended *Suspension

	// Pace is what a deployment of the service takes on purpose.
	Pace Pace

	// The rest is said of services that CodeDeploy deploys. Their Deployments
	// are task sets, which do not tell when a deployment is in progress.
	Launch   Launch
	Group    CodeDeploy      // once it is found
	UnderWay *CodeDeployment // in progress in the group; nil: none, or the group was not looked at
}

// Pace is what a strategy takes on purpose, whatever tasks take to start. The
// zero value: nothing.
type Pace struct {
	Shift time.Duration // from the first part of the traffic to all of it
	Bake  time.Duration // after that, while the old tasks are still there
}

// Total is all of it.
func (p Pace) Total() time.Duration { return p.Shift + p.Bake }

// String is empty when there is nothing to tell.
func (p Pace) String() string {
	minutes := func(d time.Duration) string { return fmt.Sprintf("%.0f min", d.Minutes()) }
	switch {
	case p.Shift > 0 && p.Bake > 0:
		return minutes(p.Shift) + " to shift the traffic, " + minutes(p.Bake) + " to bake"
	case p.Shift > 0:
		return minutes(p.Shift) + " to shift the traffic"
	case p.Bake > 0:
		return minutes(p.Bake) + " to bake"
	}
	return ""
}

// Primary is the PRIMARY deployment, or the zero Deployment when there is none.
func (s Service) Primary() Deployment {
	for _, d := range s.Deployments {
		if d.Status == "PRIMARY" {
			return d
		}
	}
	return Deployment{}
}

// Engine is who carries the service's deployments out.
func (s Service) Engine() string {
	if s.Controller == "CODE_DEPLOY" {
		return "CodeDeploy"
	}
	return "ECS"
}

// EventsSince are the service's events newer than t (AWS's clock), newest first.
func (s Service) EventsSince(t time.Time) []ServiceEvent {
	for i, e := range s.Events {
		if !e.At.After(t) {
			return s.Events[:i]
		}
	}
	return s.Events
}

// Deployment is one entry of DescribeServices' deployments.
type Deployment struct {
	ID             string // "ecs-svc/0123456789"
	Status         string // PRIMARY, ACTIVE, INACTIVE, DRAINING
	RolloutState   string // IN_PROGRESS, COMPLETED, FAILED; empty behind a Classic Load Balancer
	Reason         string
	TaskDefinition ARN
	Desired        int
	Running        int
	Pending        int
	FailedTasks    int
	Created        time.Time // AWS's clock
	External       string    // of a task set: id of the deployment of CodeDeploy that made it
}

// ServiceDeployment is what DescribeServiceDeployments shows of one.
type ServiceDeployment struct {
	ARN            ARN
	Service        ARN
	Status         string // PENDING, IN_PROGRESS, SUCCESSFUL, STOPPED, ROLLBACK_SUCCESSFUL, …
	Reason         string
	Stage          string // life-cycle stage; empty for rolling deployments
	TargetRevision ARN
	Requested      int // tasks of the target revision
	Running        int
	Pending        int
	SourceRunning  int // tasks of the revisions being replaced
	FailedTasks    int // counted by the circuit breaker
	RollbackReason string
	Alarms         []string // triggered alarms' names
	Created        time.Time
	Weight         float64 // percent of the production traffic that the target revision is to have
	Hooks          []Hook  // of the present stage
}

// Finished tells whether the deployment has ended. One that has cannot be
// stopped any more: to undo it means a new deployment of the old revision.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stop-service-deployment.html
func (d ServiceDeployment) Finished() bool {
	switch d.Status {
	case "SUCCESSFUL", "STOPPED", "ROLLBACK_SUCCESSFUL", "ROLLBACK_FAILED":
		return true
	}
	return false
}

// Hook is a lifecycle hook that a stage of a service deployment has called.
type Hook struct {
	ID      string
	Pause   bool   // it waits for somebody to continue the deployment
	Name    string // of its Lambda function; empty for a pause
	Status  string // AWAITING_ACTION, IN_PROGRESS, SUCCEEDED, FAILED, TIMED_OUT
	Expires time.Time
	Action  string // when it expires: CONTINUE, ROLLBACK
}

// ServiceEvent is a line of the service's event list.
type ServiceEvent struct {
	At   time.Time // AWS's clock
	Text string
}

// TaskDefinition is what decisions need of a revision; the whole of it never
// leaves the cloud package.
type TaskDefinition struct {
	ARN        ARN
	Family     string
	Revision   int
	Status     string // ACTIVE, INACTIVE, DELETE_IN_PROGRESS
	Run        Run    // that registered it; zero where none is known
	Containers []Container
	Size       Size // of a task; zero where it has none, as it may on EC2
	Fargate    bool // it is made to run there
}

// Size is what a task takes of a machine. Zero: not stated.
type Size struct {
	CPU    int // units, of which a vCPU has 1024
	Memory int // MiB
}

// Over is the size with what is not stated taken from another.
func (s Size) Over(o Size) Size {
	return Size{CPU: cmp.Or(s.CPU, o.CPU), Memory: cmp.Or(s.Memory, o.Memory)}
}

// String is "8 vCPU, 16 GB"; a part that is not stated is left out.
func (s Size) String() string {
	var parts []string
	if s.CPU > 0 {
		parts = append(parts, fmt.Sprintf("%g vCPU", float64(s.CPU)/1024))
	}
	if s.Memory > 0 {
		parts = append(parts, fmt.Sprintf("%g GB", float64(s.Memory)/1024))
	}
	return strings.Join(parts, ", ")
}

// Container is a container of a task definition.
type Container struct {
	Name  string
	Image string
	// LogGroup, LogRegion and LogPrefix are awslogs options; empty when the
	// container logs elsewhere.
	LogGroup, LogPrefix string
	LogRegion           Region
}

// Images maps container names to image references.
func (t TaskDefinition) Images() map[string]string {
	m := make(map[string]string, len(t.Containers))
	for _, c := range t.Containers {
		m[c.Name] = c.Image
	}
	return m
}

// Task is one task of a service.
type Task struct {
	ARN        ARN
	StartedBy  string // id of the deployment, "ecs-svc/…"
	Status     string // PROVISIONING, PENDING, ACTIVATING, RUNNING, …, STOPPED
	Health     string // HEALTHY, UNHEALTHY, UNKNOWN (also where no container has a health check)
	StopCode   string // TaskFailedToStart, EssentialContainerExited, …; empty while it runs
	Reason     string // why it stopped
	StoppedAt  time.Time
	Address    string // its private IP address; empty where it has no interface of its own
	Containers []TaskContainer
}

// TaskContainer is a container of a task.
type TaskContainer struct {
	Name     string
	ExitCode *int // nil: never started, or still runs
	Reason   string
}

// Draft is a revision that is wanted: a base revision with other images.
type Draft struct {
	Base   TaskDefinition
	Images map[string]string // the images of the wanted revision, by container
	Edits  map[string]string // those among them that the run asks for
	Size   Size              // of a task, as far as the run asks for another
	// Key is the same for drafts that register the same content; equal drafts
	// of one account and Region are registered once.
	Key string
	// Equal is an ACTIVE revision with that very content, the base included;
	// empty when there is none and the draft has to be registered.
	Equal ARN
}
