// Package rollout carries plans out: it looks at what AWS shows, has each
// service planned, and deploys wave by wave, every service ending in exactly one
// status.
//
// Its one idea: all services go through one lifecycle (settle, register, deploy,
// watch, judge), each in a goroutine of its own, and what they have to share they
// share in one place: registrations run ahead in wave order, so that the scarcest
// quota is never idle (register.go); polls are batched (observe.go); who may
// begin is decided at one gate (gate.go). A service that fails hurts no
// neighbour.
//
// It knows no AWS type, and nothing of quotas: calls simply take as long as they
// take.
//
// Read next: lifecycle.go, then judge.go.
package rollout

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"ecs-fleet/internal/cloud"
	"ecs-fleet/internal/fleet"
	"ecs-fleet/internal/plan"
	"ecs-fleet/internal/report"
)

// writesEnd is how long after the run's start a write that AWS still refuses
// fails. A hosted runner ends a job after 6 h.
// https://docs.github.com/en/actions/reference/limits
const writesEnd = 6 * time.Hour

// Options say how a rollout goes. WaitFor and OnInProgress are required.
type Options struct {
	Images       plan.Images
	Size         fleet.Size    // of a task; zero: as it is
	Scaling      *Scaling      // nil: the number of tasks is left alone
	Force        bool          // replace tasks even where nothing changed
	Prepare      bool          // plan to register only; see Rollout.Prepare
	Suspend      bool          // hold dynamic scaling while a deployment runs
	Return       bool          // to what ran before, or to the newest revision with the images
	WaitFor      string        // deployed, stable, started, or one of Stages
	OnInProgress string        // wait, stop, skip, fail
	Timeout      time.Duration // of a service, where its environment has none; 0: not given
	// DefaultTimeout is that of a service for which none is given, besides what
	// its strategy takes on purpose.
	DefaultTimeout time.Duration
	MaxParallel    int // environments in progress at once; 0: no limit
	// MaxFailures is how many environments may fail. Nil: any number inside a
	// wave, and none for the next wave to begin.
	MaxFailures *int
	// Run is this run, which leaves services alone that a newer one has reached,
	// unless AllowOlder. Zero: there is nothing to order it by.
	Run        fleet.Run
	AllowOlder bool
	// Rollback is what a failure takes back: none, service, environment, all.
	Rollback string
	// MaxTaskFailures is after how many failed tasks a deployment is given up;
	// 0: never.
	MaxTaskFailures int
	BakeTime        time.Duration // 0: waves do not bake
	// Speed is how many seconds of AWS's clock pass in one real second: 1
	// except against a simulation that says otherwise. 0 means 1.
	Speed float64
	Emit  func(report.Event) // called from many goroutines
}

// Rollout is one run over a fleet. Make one with New, then Inspect, then Run.
type Rollout struct {
	cloud   *cloud.Cloud
	options Options
	began   time.Time
	units   []*unit
	notes   []string
	looks   observers
	giveUp  context.CancelCauseFunc // ends what is under way in the whole run

	rereading sync.Mutex // held while scalable targets are read again
}

// unit is one service on its way through the run. Its fields belong to the
// goroutine that works on the service, except where a lock is named.
type unit struct {
	ref    fleet.ServiceRef
	env    fleet.Environment
	spec   fleet.ServiceSpec
	client *cloud.Client // nil: the environment could not be entered
	err    error         // what AWS refused while looking
	wrong  string        // a mistake that only AWS could tell
	draft  fleet.Draft
	plan   plan.Plan

	returns fleet.TaskDefinition // with Options.Return
	guessed string               // why that is only the ACTIVE revision before; empty: it is not

	mu       sync.Mutex
	seen     fleet.Service
	at       time.Time // when seen was seen
	scalable scalable
	counted  *fleet.Count // what a relative number has come to; nil: not counted yet
	grown    bool         // tasks were added before the deployment

	held *held // scaling that is to be put back; nil: none

	like    appSpec // of the last deployment of CodeDeploy
	refused int     // how often its deployment group was busy
	// trackers are target tracking policies that may disturb CodeDeploy.
	trackers []string

	registration *future // nil: nothing to register ahead
	turn         int     // of the registration, in the order of the waves
	accepted     time.Time
	ours         *tracked // the deployment that the run has begun; nil: none

	began  atomic.Bool // its first write was accepted
	ending atomic.Pointer[ending]
	result atomic.Pointer[report.Result] // nil: not ended, or to be taken back
}

// New prepares a rollout over the selected environments. It makes no AWS call.
func New(c *cloud.Cloud, environments []fleet.Environment, o Options) *Rollout {
	if o.Speed == 0 {
		o.Speed = 1
	}
	r := &Rollout{cloud: c, options: o, began: time.Now()}
	for _, env := range environments {
		for _, spec := range env.Services {
			r.units = append(r.units, &unit{ref: fleet.ServiceRef{Environment: env.Name, Service: spec.Name}, env: env, spec: spec})
		}
	}
	return r
}

// Plans are the plans of all services that could be looked at, in the fleet's
// order. Call it after Inspect.
func (r *Rollout) Plans() []plan.Plan {
	var plans []plan.Plan
	for _, u := range r.units {
		if u.err == nil && u.wrong == "" {
			plans = append(plans, u.plan)
		}
	}
	return plans
}

// Notes are what the user should know of the run as a whole.
func (r *Rollout) Notes() []string { return r.notes }

// Run carries the plans out and blocks until every service has ended. When ctx
// ends, nothing new begins, not even a rollback, what has begun is left to ECS,
// and Run returns at once.
func (r *Rollout) Run(ctx context.Context) {
	ctx, stop := context.WithCancel(ctx)
	defer r.looks.wait()
	defer stop()
	r.looks.start(ctx, r)
	waves := r.waves()
	if u := doomed(r.units); u != nil && r.options.Rollback == rollbackAll && ctx.Err() == nil {
		r.leave(slices.Concat(waves...), "not begun: "+r.brokenBy(u)) // what would be taken back
		return
	}
	within, giveUp := context.WithCancelCause(ctx)
	defer giveUp(nil)
	r.giveUp = giveUp
	r.roll(within, waves)
	if why := r.because(r.units); why != "" && r.options.Rollback == rollbackAll {
		r.undo(ctx, r.units, why)
		for _, wave := range waves {
			for _, units := range wave {
				r.environmentEnded(units)
			}
		}
	}
}

// roll goes wave by wave, until each service has ended or is to be taken back.
func (r *Rollout) roll(ctx context.Context, waves [][][]*unit) {
	abandon := r.registerAhead(ctx, waves)
	defer abandon()
	gate := newGate(r.options.MaxParallel, r.options.MaxFailures)
	why := ""
	for i, wave := range waves {
		if why == "" { // else for all later waves, too
			why = r.blocked(ctx, gate, waves[:i])
		}
		if why != "" {
			abandon()
			r.leave(wave, why)
			continue
		}
		var environments errgroup.Group // one that fails hurts no neighbour: no shared context
		for _, units := range wave {
			// One after the other, so that environments begin in the fleet's
			// order: whoever limits them puts first what is to fail first.
			if err := r.begin(ctx, gate, units); err != nil {
				r.leave([][]*unit{units}, err.Error())
				continue
			}
			environments.Go(func() error {
				r.environment(ctx, gate, units)
				return nil
			})
		}
		_ = environments.Wait() // never an error: each unit has its result
		r.bake(ctx, gate, wave)
	}
}

// blocked says why the next wave must not begin; empty when it may.
func (r *Rollout) blocked(ctx context.Context, g *gate, before [][][]*unit) string {
	switch {
	case ctx.Err() != nil:
		return notBegun(ctx)
	case g.used():
		return g.why()
	case r.options.MaxFailures != nil || len(before) == 0:
		return ""
	}
	last := before[len(before)-1]
	for _, units := range last {
		for _, u := range units {
			if status := u.ending.Load().status; !status.Well() {
				return fmt.Sprintf("not begun: wave %d is not healthy (%s %s)", u.env.Wave, u.ref, strings.ReplaceAll(string(status), "-", " "))
			}
		}
	}
	return ""
}

// begin blocks until an environment may begin, or returns why it may not.
func (r *Rollout) begin(ctx context.Context, g *gate, units []*unit) error {
	if g.limited() {
		for _, u := range units { // registering ahead is not in progress
			u.registration.wait(ctx)
		}
	}
	return g.enter(ctx)
}

// environment deploys one environment that may begin, its services side by side.
// Where one of them fails it takes back what the policy says, except in the
// whole run, which is for Run to do.
func (r *Rollout) environment(ctx context.Context, g *gate, units []*unit) {
	within, giveUp := context.WithCancelCause(ctx)
	defer giveUp(nil)
	together := r.options.Rollback == rollbackEnvironment
	if u := doomed(units); u != nil && together {
		giveUp(&givenUp{r.brokenBy(u)})
	}
	fails := sync.OnceFunc(g.fail)
	var services sync.WaitGroup
	for _, u := range units {
		services.Go(func() {
			if !r.scales() {
				u.found()
			}
			e := r.guarded(within, u)
			if e.status.Broken() && !e.givenUp {
				fails()
				r.broken(giveUp, u)
			}
			r.endOrHold(ctx, u, e)
			if r.options.Rollback == rollbackService && e.status.Broken() {
				r.undo(ctx, []*unit{u}, "")
			}
		})
	}
	services.Wait()
	if why := r.because(units); why != "" && together {
		r.undo(ctx, units, why)
	}
	if failed(units) {
		fails()
	}
	g.leave()
	if r.trayOf(units) == nil {
		r.release(units)
		r.environmentEnded(units)
	}
}

// release ends the services that were to bake, in an environment that does not
// since others of it are not well.
func (r *Rollout) release(units []*unit) {
	for _, u := range units {
		if e := u.ending.Load(); u.result.Load() == nil && r.bakeable(u, *e) {
			r.end(u, *e)
		}
	}
}

// broken ends what is to be taken back with a service that has failed.
func (r *Rollout) broken(environment context.CancelCauseFunc, u *unit) {
	switch r.options.Rollback {
	case rollbackEnvironment:
		environment(&givenUp{r.brokenBy(u)})
	case rollbackAll:
		r.giveUp(&givenUp{r.brokenBy(u)})
	}
}

// endOrHold ends a service, unless it is to be taken back or to bake.
func (r *Rollout) endOrHold(ctx context.Context, u *unit, e ending) {
	takenBack := e.status.Broken() && u.ours != nil && r.options.Rollback != rollbackNone
	if !takenBack {
		r.resume(ctx, u, e)
	}
	if takenBack || r.bakeable(u, e) {
		u.ending.Store(&e)
		return
	}
	r.end(u, e)
}

// environmentEnded tells that all services of an environment have ended, if they
// have.
func (r *Rollout) environmentEnded(units []*unit) {
	for _, u := range units {
		if u.result.Load() == nil {
			return
		}
	}
	r.options.Emit(report.Event{After: r.elapsed(), Of: fleet.ServiceRef{Environment: units[0].env.Name}, Kind: report.EnvironmentEnded})
}

// doomed is a service of which it is known beforehand that it will fail; nil
// when there is none.
func doomed(units []*unit) *unit {
	for _, u := range units {
		if e, over := settled(u); over && e.status.Broken() {
			return u
		}
	}
	return nil
}

func failed(units []*unit) bool {
	for _, u := range units {
		if !u.ending.Load().status.Well() {
			return true
		}
	}
	return false
}

// leave ends services that the run does not begin.
func (r *Rollout) leave(environments [][]*unit, why string) {
	for _, units := range environments {
		for _, u := range units {
			e, over := settled(u)
			if over && e.status.Broken() && !errors.Is(u.err, context.Canceled) { // a look that the run's end broke off says nothing of the service
				r.end(u, e)
			} else {
				r.end(u, ending{status: report.NotStarted, reason: why})
			}
		}
		r.environmentEnded(units)
	}
}

// waves groups the units: waves of environments of services.
func (r *Rollout) waves() [][][]*unit {
	byEnvironment := make(map[string][]*unit)
	var order []plan.Plan
	for _, u := range r.units {
		if byEnvironment[u.env.Name] == nil {
			order = append(order, plan.Plan{Of: u.ref, Wave: u.env.Wave})
		}
		byEnvironment[u.env.Name] = append(byEnvironment[u.env.Name], u)
	}
	var waves [][][]*unit
	for _, wave := range plan.Waves(order) {
		var environments [][]*unit
		for _, p := range wave {
			environments = append(environments, byEnvironment[p.Of.Environment])
		}
		waves = append(waves, environments)
	}
	return waves
}

// elapsed is the time since the run began, on AWS's clock.
func (r *Rollout) elapsed() time.Duration { return r.since(r.began) }

func (r *Rollout) since(t time.Time) time.Duration {
	return time.Duration(float64(time.Since(t)) * r.options.Speed)
}

// real is how long a duration of AWS's clock takes here.
func (r *Rollout) real(d time.Duration) time.Duration {
	return time.Duration(float64(d) / r.options.Speed)
}

func (r *Rollout) note(u *unit, kind report.Kind, format string, args ...any) {
	r.options.Emit(report.Event{After: r.elapsed(), Of: u.ref, Kind: kind, Text: fmt.Sprintf(format, args...)})
}
