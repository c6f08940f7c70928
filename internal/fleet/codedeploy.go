package fleet

import "time"

// CodeDeployment is what CodeDeploy shows of one of its deployments.
type CodeDeployment struct {
	ID string // "d-A1B2C3D4E"
	Of CodeDeploy
	// Status is Created, Queued, InProgress, Baking, Ready (it waits for
	// somebody to continue it), Succeeded, Failed, Stopped.
	Status string
	// Shifted: all traffic goes to the new tasks, and the wait before the old
	// ones are terminated has begun. The group stays busy until that is over.
	Shifted        bool
	AppSpec        string // empty: AWS shows its hash alone
	Hash           string // of the AppSpec file; empty: it is elsewhere, in S3
	TaskDefinition ARN    // that the AppSpec file names; empty: not known
	Code, Reason   string // why it failed: "HOOK_EXECUTION_FAILURE", AWS's text
	Rollback       string // id of the deployment that rolls this one back; empty: none so far
	Unrolled       string // AWS's text on why there is none
	Undoes         string // id of the deployment that this one rolls back
	RollsBackOn    []string
	Description    string
	Run            Run // that has begun it; zero: not known
	Created        time.Time
	Pace           Pace
	// ByHand is how long it waits before the shift for somebody to continue it;
	// then CodeDeploy stops it. 0: it does not wait.
	ByHand time.Duration
}

// Ended tells whether it is over. A rollback is a deployment of its own.
// https://docs.aws.amazon.com/codedeploy/latest/APIReference/API_DeploymentInfo.html
func (d CodeDeployment) Ended() bool {
	return d.Status == "Succeeded" || d.Status == "Failed" || d.Status == "Stopped"
}

// CodeDeployTarget is how far a deployment of CodeDeploy is with its ECS service.
type CodeDeployTarget struct {
	Events []LifecycleEvent // in their order
	Green  string           // id of the new task set; empty: there is none so far
	Weight float64          // percent of the traffic that it gets
}

// LifecycleEvent is a step of a deployment of CodeDeploy.
type LifecycleEvent struct {
	Name   string // BeforeInstall, Install, …, AllowTraffic, AfterAllowTraffic
	Status string // Pending, InProgress, Succeeded, Failed, Skipped, Unknown
	Hook   string // the function that failed
	Reason string // why it failed
}

// Event is the one of that name, or the zero LifecycleEvent.
func (t CodeDeployTarget) Event(name string) LifecycleEvent {
	for _, e := range t.Events {
		if e.Name == name {
			return e
		}
	}
	return LifecycleEvent{}
}

// With is the first event in a status, or the zero LifecycleEvent.
func (t CodeDeployTarget) With(status string) LifecycleEvent {
	for _, e := range t.Events {
		if e.Status == status {
			return e
		}
	}
	return LifecycleEvent{}
}

// Launch is how the tasks of a service that CodeDeploy deploys are started,
// which its AppSpec file repeats for the new ones.
type Launch struct {
	Container       string // behind the load balancer
	Port            int
	PlatformVersion string
	Providers       []CapacityProvider
	Subnets         []string // empty: not in a network of their own
	SecurityGroups  []string
	PublicIP        string // ENABLED, DISABLED
}

// CapacityProvider is an entry of a capacity provider strategy.
type CapacityProvider struct {
	Name         string
	Base, Weight int
}
