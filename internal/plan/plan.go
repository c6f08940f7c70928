// Package plan decides what will be done to each service: from what the user
// wants and what AWS shows to a list of steps that is data, with the undo.
//
// It is pure: no I/O, no clock, no randomness, no goroutine. A dry run prints
// plans and stops; a real run hands the same plans to the rollout.
//
// Read next: image.go (which container gets which image), make.go (the
// decision), wave.go (the order); scale.go and foresee.go (how many tasks).
package plan

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"ecs-fleet/internal/fleet"
)

// Plan is what will be done to one service. Exactly one of Steps, Skip and
// Refuse says something: steps to do, a reason why nothing has to be done, or
// a reason why nothing may be done.
type Plan struct {
	Of       fleet.ServiceRef
	Spec     fleet.ServiceSpec
	Wave     int
	Strategy string // rolling, blue-green, linear, canary, codedeploy
	From, To State
	Steps    []Step
	Undo     []Step
	Skip     string   // "already runs v1.8.0"
	Refuse   string   // "a deployment is in progress (on-in-progress: skip)"
	Failed   bool     // with Refuse: the service counts as failed, not as left alone
	Warnings []string // what the user should know beforehand
	Scaling  *Scaling // nil: the number of tasks is not what the plan is about
}

// State is what a service runs: before the run, or when the plan is done.
type State struct {
	TaskDefinition fleet.ARN         // empty: a revision that does not exist yet
	Images         map[string]string // by container
	Desired        int
}

// Step is one thing to do. The set is sealed: a step prints itself for the
// plan, and the rollout knows how to carry each of them out.
type Step interface {
	fmt.Stringer
	step()
}

// Settle waits for (or stops) a deployment that somebody else has under way.
// The service is looked at and planned again afterwards.
type Settle struct {
	Deployment fleet.ARN // service deployment; empty where AWS shows none
	ID         string    // "ecs-svc/…", or "d-…" of CodeDeploy
	Stop       bool
	Shifted    bool // of CodeDeploy: it only waits to terminate the old tasks
}

// Register makes a new revision of a task definition. Equal drafts of several
// services are registered once.
type Register struct{ Draft fleet.Draft }

// Deploy makes the service run a revision.
type Deploy struct {
	TaskDefinition fleet.ARN // empty: the one that Register makes
	Replaces       fleet.ARN // what the service must still run when its turn comes
	Force          bool      // replace the tasks even where nothing changed
	Suspend        bool      // hold dynamic scaling meanwhile
	Pace           fleet.Pace
	Through        fleet.CodeDeploy // zero: ECS itself
}

// Watch follows a deployment of the wanted revision that is already under way.
type Watch struct {
	Deployment     fleet.ARN // as in Settle
	ID             string
	TaskDefinition fleet.ARN
	By             fleet.Run // that has begun it; zero: not known
}

// Leave leaves the service as it is: a later run deploys the revision.
type Leave struct {
	TaskDefinition fleet.ARN // empty: the one that Register makes
}

func (Settle) step()   {}
func (Register) step() {}
func (Deploy) step()   {}
func (Watch) step()    {}
func (Leave) step()    {}

func (s Settle) String() string {
	switch {
	case s.Stop && s.Shifted:
		return "terminate now the tasks that the deployment in progress has replaced, " + s.name()
	case s.Stop:
		return "stop the deployment in progress, " + s.name()
	case s.Shifted:
		return "wait until the deployment in progress has terminated the tasks that it has replaced, " + s.name()
	}
	return "wait for the deployment in progress, " + s.name()
}

func (s Settle) name() string {
	if s.Deployment != "" {
		return s.Deployment.Name()
	}
	return s.ID
}

func (r Register) String() string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(r.Draft.Edits)) {
		fmt.Fprintf(&b, ", %s=%s", name, r.Draft.Edits[name])
	}
	if size := r.Draft.Size.String(); size != "" {
		b.WriteString(", " + size + " a task")
	}
	return "register a revision from " + r.Draft.Base.ARN.Name() + b.String()
}

func (d Deploy) String() string {
	to := "deploy " + named(d.TaskDefinition)
	if d.Force {
		to += ", replacing all tasks"
	}
	if d.Through != (fleet.CodeDeploy{}) {
		to += fmt.Sprintf(" through CodeDeploy, %s/%s", d.Through.Application, d.Through.DeploymentGroup)
	}
	if pace := d.Pace.String(); pace != "" {
		to += " (" + pace + ")"
	}
	if d.Suspend {
		to += "; suspend dynamic scaling during the deployment, then restore it"
	}
	return to
}

func named(revision fleet.ARN) string {
	if revision == "" {
		return "the new revision"
	}
	return revision.Name()
}

func (l Leave) String() string {
	return "leave the service as it is, with " + named(l.TaskDefinition) + " prepared for a later run"
}

func (w Watch) String() string {
	return "watch the deployment already under way, " + Settle{Deployment: w.Deployment, ID: w.ID}.name()
}
