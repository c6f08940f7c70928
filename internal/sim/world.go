package sim

import (
	"encoding/json"
	"fmt"
	"time"
)

// World is what exists before the first request, and what will go wrong. The
// zero World is an empty account under AWS's documented quotas. README.md
// explains the JSON form. All durations are simulated time; instants are
// durations since the world's start.
type World struct {
	// Start is the simulated time at New; zero: the time of New.
	Start time.Time `json:"start,omitzero"`
	// Speed is simulated seconds per real second; 0: 1.
	Speed float64 `json:"speed,omitempty"`
	// Latency is how long each answer takes.
	Latency Duration `json:"latency,omitempty"`
	// DefaultAccount owns access keys that nothing else assigns; empty:
	// "111122223333".
	DefaultAccount string `json:"default-account,omitempty"`
	// AccessKeys maps an access key id to an account ("444455556666") or to a
	// role in it ("444455556666/deploy"), for keys that do not carry their
	// account's number.
	AccessKeys map[string]string `json:"access-keys,omitempty"`
	// Timing is how long tasks take.
	Timing Timing `json:"timing,omitzero"`
	// Consistency is how long reads lag behind writes.
	Consistency Consistency `json:"consistency,omitzero"`
	// Accounts by their number.
	Accounts map[string]Account `json:"accounts,omitempty"`
	// PastActions is what becomes of one-time scheduled actions that have run:
	// they stay "listed" (default), or are "removed". AWS does not say which, so
	// clients are to be tested with both.
	PastActions string `json:"past-actions,omitempty"`
	// TaskFaults make tasks fail.
	TaskFaults []TaskFault `json:"task-faults,omitempty"`
	// DeploymentFaults make deployments fail that shift traffic.
	DeploymentFaults []DeploymentFault `json:"deployment-faults,omitempty"`
	// AnswerFaults make requests fail or slow.
	AnswerFaults []AnswerFault `json:"answer-faults,omitempty"`
}

// Account is an AWS account.
type Account struct {
	// Roles that may be assumed. None listed: every role name is accepted and
	// may do everything.
	Roles []Role `json:"roles,omitempty"`
	// Regions by name. A Region that is not listed is empty.
	Regions map[string]Region `json:"regions,omitempty"`
}

// Role is an IAM role: who may assume it and what it may do.
type Role struct {
	Name string `json:"name"`
	// ExternalID that AssumeRole must give; empty: none needed.
	ExternalID string `json:"external-id,omitempty"`
	// Trusts are globs of account numbers whose callers may assume the role;
	// none: all.
	Trusts []string `json:"trusts,omitempty"`
	// Subjects are globs of the OIDC "sub" claim that
	// AssumeRoleWithWebIdentity must match; none: all.
	Subjects []string `json:"subjects,omitempty"`
	// Allow and Deny are globs of actions, such as "ecs:Describe*". No Allow
	// allows everything; Deny wins.
	Allow []string `json:"allow,omitempty"`
	Deny  []string `json:"deny,omitempty"`
}

// Region is what an account has in a Region.
type Region struct {
	// QuotaFactor multiplies the rate and burst of every API bucket; 0: 1.
	QuotaFactor float64 `json:"quota-factor,omitempty"`
	// Quotas replace documented numbers, by bucket ("ecs:service-modify").
	Quotas map[string]Quota `json:"quotas,omitempty"`
	// Neighbours are other clients of the same quotas.
	Neighbours []Neighbour `json:"neighbours,omitempty"`
	// Repositories are ECR's: repository → tag → digest. Nil: every image
	// exists, here as outside ECR.
	Repositories map[string]map[string]string `json:"repositories,omitempty"`
	// LogStreams hold lines that exist at the start: group → stream → lines.
	LogStreams map[string]map[string][]string `json:"log-streams,omitempty"`
	// Clusters beyond those that services name.
	Clusters []string `json:"clusters,omitempty"`
	// TaskDefinitions are RegisterTaskDefinition requests, in order; "revision"
	// may be added to say which number the first of a family gets.
	TaskDefinitions []json.RawMessage `json:"task-definitions,omitempty"`
	// Services run in a steady state at the start.
	Services []Service `json:"services,omitempty"`
	// ScalableTargets let Application Auto Scaling scale services.
	ScalableTargets []ScalableTarget `json:"scalable-targets,omitempty"`
	// OtherApplications is how many CodeDeploy applications there are besides
	// those of the services' groups.
	OtherApplications int `json:"other-applications,omitempty"`
	// Alarms of CloudWatch.
	Alarms []Alarm `json:"alarms,omitempty"`
}

// Alarm is a CloudWatch alarm: OK, except while it fires.
type Alarm struct {
	Name      string   `json:"name"`
	Composite bool     `json:"composite,omitempty"` // made of other alarms
	Firing    []Window `json:"firing,omitempty"`
	Reason    string   `json:"reason,omitempty"` // why it fires; empty: AWS's words
}

// Window is a time between two instants.
type Window struct {
	From  Duration `json:"from,omitempty"`
	Until Duration `json:"until,omitempty"` // 0: for ever
}

// Quota is a token bucket's size. Nil fields keep what was before.
type Quota struct {
	Rate  *float64 `json:"rate,omitempty"`  // tokens per second
	Burst *float64 `json:"burst,omitempty"` // most tokens
	// Changes come later, in order of their time.
	Changes []QuotaChange `json:"changes,omitempty"`
}

// QuotaChange is a quota's new size from an instant on.
type QuotaChange struct {
	At    Duration `json:"at"`
	Rate  *float64 `json:"rate,omitempty"`
	Burst *float64 `json:"burst,omitempty"`
}

// Neighbour is another client that takes tokens from a bucket at a steady
// pace, whenever there is one to take.
type Neighbour struct {
	Bucket string   `json:"bucket"`
	Rate   float64  `json:"rate"` // calls per second
	From   Duration `json:"from,omitempty"`
	Until  Duration `json:"until,omitempty"` // 0: for ever
}

// Service is an ECS service, or Count equal ones: "{n}" in Cluster, Name,
// Family, TaskDefinition, images, tags and the target group becomes 1…Count.
type Service struct {
	Count   int    `json:"count,omitempty"` // 0: 1
	Cluster string `json:"cluster"`
	Name    string `json:"name"`
	// TaskDefinition ("family:revision") is one of the Region's
	// TaskDefinitions. Empty: one is made of Family (empty: Name), Revision
	// (0: 1) and Containers.
	TaskDefinition   string            `json:"task-definition,omitempty"`
	Family           string            `json:"family,omitempty"`
	Revision         int               `json:"revision,omitempty"`
	Containers       map[string]string `json:"containers,omitempty"`        // name → image
	Desired          *int              `json:"desired,omitempty"`           // nil: 1
	LaunchType       string            `json:"launch-type,omitempty"`       // FARGATE (default), EC2, EXTERNAL
	CapacityProvider string            `json:"capacity-provider,omitempty"` // FARGATE, FARGATE_SPOT or another; instead of LaunchType
	Controller       string            `json:"controller,omitempty"`        // ECS (default), CODE_DEPLOY, EXTERNAL
	Strategy         string            `json:"strategy,omitempty"`          // ROLLING (default), BLUE_GREEN, LINEAR, CANARY
	// CircuitBreaker is "off" (default, as in the API), "on" or "rollback".
	CircuitBreaker string            `json:"circuit-breaker,omitempty"`
	MinimumHealthy *int              `json:"minimum-healthy-percent,omitempty"` // nil: 100
	Maximum        *int              `json:"maximum-percent,omitempty"`         // nil: 200
	Tags           map[string]string `json:"tags,omitempty"`
	PropagateTags  string            `json:"propagate-tags,omitempty"`
	LoadBalancer   *LoadBalancer     `json:"load-balancer,omitempty"`
	// ProtectedUntil is how long the tasks that run at the start are protected
	// from being stopped by deployments and scale-in.
	ProtectedUntil Duration `json:"protected-until,omitempty"`
	// Load is what all tasks together have to do, as scaling policies see it: in
	// percent of one task's CPU (and memory), of the size that it has here, or in
	// requests a minute. Nil: no metric is reported, and policies never act.
	Load *float64 `json:"load,omitempty"`
	// LoadChanges come later, in order of their time.
	LoadChanges []LoadChange `json:"load-changes,omitempty"`
	StrategySettings
	// CodeDeploy is the deployment group of a service of the CODE_DEPLOY
	// controller; nil: there is none.
	CodeDeploy *DeploymentGroup `json:"codedeploy,omitempty"`
}

// LoadChange is a service's load from an instant on.
type LoadChange struct {
	At   Duration `json:"at"`
	Load float64  `json:"load"`
}

// LoadBalancer ties a service to a target group.
type LoadBalancer struct {
	TargetGroup string `json:"target-group"` // name or ARN
	Container   string `json:"container"`
	Port        int    `json:"port"`
	// Alternate is the other target group of a service whose traffic is
	// shifted, name or ARN; empty: TargetGroup and "-alternate".
	Alternate string `json:"alternate,omitempty"`
	// Name of the Application Load Balancer; empty: the target group's. The
	// same name makes services share one.
	Name string `json:"name,omitempty"`
}

// Timing is how long a task spends in each state. Nil fields have the
// defaults of the method timing.withDefaults, with which a rolling deploy
// behind a load balancer takes about three minutes.
type Timing struct {
	Scheduler      *Duration `json:"scheduler,omitempty"`      // a change → the scheduler acts
	Provisioning   *Duration `json:"provisioning,omitempty"`   // PROVISIONING: the network interface
	Pulling        *Duration `json:"pulling,omitempty"`        // PENDING: the image
	Activating     *Duration `json:"activating,omitempty"`     // ACTIVATING: target registration
	Healthy        *Duration `json:"healthy,omitempty"`        // RUNNING → healthy
	Unhealthy      *Duration `json:"unhealthy,omitempty"`      // RUNNING → given up, where checks never pass
	Draining       *Duration `json:"draining,omitempty"`       // DEACTIVATING: target deregistration
	Stopping       *Duration `json:"stopping,omitempty"`       // STOPPING: SIGTERM to exit
	Deprovisioning *Duration `json:"deprovisioning,omitempty"` // DEPROVISIONING: the interface again
	Kept           *Duration `json:"kept,omitempty"`           // STOPPED tasks stay visible
	Registering    *Duration `json:"registering,omitempty"`    // a registration holds its family
	ScalingWrite   *Duration `json:"scaling-write,omitempty"`  // a write holds its scalable target
	TaskRun        *Duration `json:"task-run,omitempty"`       // a RunTask task's program
	Shifting       *Duration `json:"shifting,omitempty"`       // a step of production traffic
	Hook           *Duration `json:"hook,omitempty"`           // a lifecycle hook's function
}

// Consistency is how long reads lag behind writes. Nil fields have defaults.
type Consistency struct {
	Lists   *Duration `json:"lists,omitempty"`   // List… does not show what is new; 500 ms
	Updates *Duration `json:"updates,omitempty"` // DescribeServices shows the service before the update; 100 ms
	Tasks   *Duration `json:"tasks,omitempty"`   // DescribeTasks says MISSING of a new task; 0
	// CurrentDeployment is how long Service.currentServiceDeployment and
	// ListServiceDeployments do not show a new service deployment; 1 s.
	CurrentDeployment *Duration `json:"current-deployment,omitempty"`
}

// Where narrows a fault. Empty fields match everything; all are globs.
type Where struct {
	Account string   `json:"account,omitempty"`
	Region  string   `json:"region,omitempty"`
	Cluster string   `json:"cluster,omitempty"`
	Service string   `json:"service,omitempty"` // ECS service
	From    Duration `json:"from,omitempty"`
	Until   Duration `json:"until,omitempty"` // 0: for ever
}

// TaskFault is what happens to tasks that start while it holds.
type TaskFault struct {
	Where
	// Image is a glob of image references; a task is hit when one of its
	// containers matches, and that container is the one that fails. Empty: the
	// first essential container.
	Image string `json:"image,omitempty"`
	// Group is a glob of task groups: "service:NAME" for a service's tasks,
	// "family:FAMILY" for those of RunTask.
	Group string `json:"group,omitempty"`
	// Fails is "pull" (the image cannot be pulled), "exit" (the container ends
	// After it has started, with ExitCode), "health" (health checks never
	// pass) or "capacity" (the task finds no place while the fault holds).
	// Two hit tasks that run, while the fault holds: "errors" (PerMinute
	// requests get a 5xx from each task), and "overload" (PerMinute requests to
	// each get a 504 from the load balancer, and its target is unhealthy; not
	// for so long that ECS would replace it).
	Fails    string   `json:"fails"`
	After    Duration `json:"after,omitempty"`
	ExitCode int      `json:"exit-code,omitempty"`
	// Tasks is how many of each service "errors" or "overload" hits, the oldest
	// first; 0: all.
	Tasks     int     `json:"tasks,omitempty"`
	PerMinute float64 `json:"per-minute,omitempty"`
	// TargetReason is why the target of a task that fails "health" or
	// "overload" is unhealthy; empty: Target.ResponseCodeMismatch, or
	// Target.Timeout.
	TargetReason string `json:"target-reason,omitempty"`
	// Reason replaces the text that AWS would give.
	Reason string `json:"reason,omitempty"`
	// Log lines that the container writes when it starts.
	Log []string `json:"log,omitempty"`
}

// AnswerFault is how requests are answered while it holds.
type AnswerFault struct {
	Where
	Action string `json:"action"`          // glob, "ecs:UpdateService"
	Times  int    `json:"times,omitempty"` // how many requests are hit; 0: all
	// Code and Message are the error; no Code: the answer is only slow.
	Code    string `json:"code,omitempty"`
	Message string `json:"message,omitempty"`
	Status  int    `json:"status,omitempty"` // 0: 400
	// Done says that the request took effect before the error was answered.
	Done bool `json:"done,omitempty"`
	// Delay is added to the latency.
	Delay Duration `json:"delay,omitempty"`
}

// Duration is a time.Duration that is written "1m30s" in JSON.
type Duration time.Duration

// UnmarshalJSON reads the form of time.ParseDuration.
func (d *Duration) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return fmt.Errorf("a duration is a string such as \"1m30s\", not %s", b)
	}
	v, err := time.ParseDuration(s)
	if err != nil || v < 0 {
		return fmt.Errorf("%q is no duration; write for example \"1m30s\"", s)
	}
	*d = Duration(v)
	return nil
}

// MarshalJSON writes the form of time.Duration.String.
func (d Duration) MarshalJSON() ([]byte, error) { return json.Marshal(time.Duration(d).String()) }
