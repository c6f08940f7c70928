package report

import (
	"time"

	"ecs-fleet/internal/fleet"
)

// Status is how a service ended. Every selected service ends in exactly one.
type Status string

// The statuses, as in the outputs.
const (
	Deployed       Status = "deployed"
	Scaled         Status = "scaled"
	Unchanged      Status = "unchanged"
	Planned        Status = "planned" // dry run, or prepared for a later one
	Failed         Status = "failed"
	RolledBack     Status = "rolled-back"
	RollbackFailed Status = "rollback-failed"
	Cancelled      Status = "cancelled" // started, then the run was cancelled: ECS goes on with it
	NotStarted     Status = "not-started"
)

// Well tells whether the service ended as the user wanted.
func (s Status) Well() bool { return s == Deployed || s == Scaled || s == Unchanged || s == Planned }

// Run is the record of a run: the JSON document of the result output.
type Run struct {
	Command  string
	Status   string // succeeded, failed, cancelled
	Started  time.Time
	Duration time.Duration
	Services []Result
	API      []Usage
	Forecast Forecast // of API, before the first write
	// Prepared: revisions were registered for a later run, and no service was
	// touched.
	Prepared bool
	// Mistakes ended the run before its first write; empty otherwise.
	Mistakes []string
	// Notes are for the whole run: a registry that could not be read, the speed
	// of a simulation.
	Notes []string
}

// Result is what happened to one service.
type Result struct {
	Of         fleet.ServiceRef
	Account    fleet.AccountID
	Region     fleet.Region
	Cluster    string
	ECSService string
	Wave       int
	Strategy   string
	Status     Status
	From, To   State
	Running    int
	Duration   time.Duration // from the first accepted write
	Reason     string        // one line; empty when all is well and nothing is to be said
	Hint       string        // what to do about it
	Details    []string      // evidence, one line each: stopped tasks, last log lines, service events
	Warnings   []string
	Containers []string // that got the image; empty: those whose image differs
	Steps      []string // of a dry run: what would be done
	Undo       []string // of a dry run: what would undo it
	Scaling    *Scaling // nil: the run did not scale it
}

// State is what a service ran before, or was to run after.
type State struct {
	TaskDefinition string            // "rails:41"; empty: a revision not yet registered
	Images         map[string]string // by container
	Desired        int
}

// Usage is what one quota bucket has seen.
type Usage struct {
	Account   string
	Region    string
	Bucket    string
	Calls     int
	Throttled int
	Waited    time.Duration
}

// Kind says what an Event is about.
type Kind int

// The kinds of events.
const (
	Note             Kind = iota // something worth a line in the log
	Waiting                      // where the service is now: registering, placing, health check, …
	Started                      // the first write of the service was accepted
	Ended                        // the service has its Result
	EnvironmentEnded             // all services of the environment have theirs
)

// Event is one line of a run as it happens.
type Event struct {
	After  time.Duration    // since the run's start
	Of     fleet.ServiceRef // Service empty: the environment; both empty: the run
	Kind   Kind
	Text   string
	Result *Result // with Ended
}
