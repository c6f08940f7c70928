package plan

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"ecs-fleet/internal/fleet"
)

// Scale is what a run wants of a service's number of tasks.
type Scale struct {
	Count       *fleet.Count // nil: the number stays, as far as the bounds let it
	Min, Max    *int         // new bounds; nil: as Autoscaling says
	Autoscaling string       // adjust, suspend, ignore
	Restore     bool         // put back what the last scale has changed
	Create      bool         // make a scalable target where a temporary scale needs one
	AllowZero   bool
	MaxTasks    int
}

// ScaleIn is all that a decision about scaling one service is made from.
type ScaleIn struct {
	Environment  fleet.Environment
	Spec         fleet.ServiceSpec
	Seen         fleet.Service
	Target       *fleet.ScalableTarget // nil: the service has none
	Before       *fleet.Before         // what AWS keeps of the last scale; nil: nothing
	Outlook      fleet.Outlook
	OnInProgress string // wait, stop, skip, fail
	Scale
}

// Scaling is what becomes of a service's autoscaling.
type Scaling struct {
	Before, After *fleet.Bounds // nil: no scalable target
	Outlook       fleet.Outlook
	Next          []string // what will change the number next, a sentence each
	Restored      bool     // what was before is put back
}

// Names of the one-time scheduled actions that end a temporary scale. They are
// the same for every service, since names are unique in a scalable target only:
// a second scale replaces the actions of the first.
const (
	EndAction    = "ecs-fleet-scale-for"
	BoundsAction = "ecs-fleet-scale-for-bounds" // a minute later, where the first has to move the tasks as well
)

// Ours tells whether a scheduled action was made by a temporary scale.
func Ours(a fleet.ScheduledAction) bool { return a.Name == EndAction || a.Name == BoundsAction }

// Record keeps in AWS what the service was before.
type Record struct{ Before fleet.Before }

// SetBounds changes the scalable target, or makes one.
type SetBounds struct {
	From      *fleet.ScalableTarget // nil: there is none
	Bounds    fleet.Bounds
	Suspended *fleet.Suspension // nil: stays
}

// SetDesired changes the desired count.
type SetDesired struct{ From, To int }

// ScheduleEnd has AWS put the bounds back. Pin, where it is not nil, are the
// bounds of the minute before, which move the tasks back as well.
type ScheduleEnd struct {
	Outlook fleet.Outlook
	Pin     *fleet.Bounds
	Bounds  fleet.Bounds
}

// Unschedule removes a one-time action of an earlier temporary scale.
type Unschedule struct{ Name string }

// RemoveTarget removes a scalable target that a temporary scale has made.
type RemoveTarget struct{}

// Forget removes the record of what the service was before.
type Forget struct{}

// Await waits until the tasks run that are wanted already.
type Await struct{ Tasks int }

func (Record) step()       {}
func (SetBounds) step()    {}
func (SetDesired) step()   {}
func (ScheduleEnd) step()  {}
func (Unschedule) step()   {}
func (RemoveTarget) step() {}
func (Forget) step()       {}
func (Await) step()        {}

func (r Record) String() string {
	if r.Before.Bounds == nil {
		return fmt.Sprintf("record in AWS what was before: %d desired, no scalable target", r.Before.Desired)
	}
	return fmt.Sprintf("record in AWS what was before: %d desired, bounds %s", r.Before.Desired, *r.Before.Bounds)
}

func (s SetBounds) String() string {
	var parts []string
	switch {
	case s.From == nil:
		parts = append(parts, fmt.Sprintf("create a scalable target with the bounds %s", s.Bounds))
	case s.From.Bounds != s.Bounds:
		parts = append(parts, fmt.Sprintf("set the bounds of autoscaling from %s to %s", s.From.Bounds, s.Bounds))
	}
	switch {
	case s.Suspended == nil:
	case !s.Suspended.Any():
		parts = append(parts, "resume scaling")
	default:
		parts = append(parts, "suspend scaling ("+s.Suspended.String()+")")
	}
	return strings.Join(parts, ", ")
}

func (s SetDesired) String() string {
	return fmt.Sprintf("set the desired count from %d to %d", s.From, s.To)
}

func (s ScheduleEnd) String() string {
	text := fmt.Sprintf("have AWS set the bounds to %s at %s", s.Bounds, utc(s.Outlook))
	if s.Pin != nil {
		text += fmt.Sprintf(", and the tasks to %d, since no policy would", s.Pin.Min)
	}
	return text
}

func utc(o fleet.Outlook) string { return o.Until.UTC().Format("2006-01-02 15:04") + " UTC" }

func (u Unschedule) String() string { return "remove the scheduled action " + u.Name }
func (RemoveTarget) String() string { return "remove the scalable target that was made for the scale" }
func (Forget) String() string       { return "forget what was before" }
func (a Await) String() string      { return fmt.Sprintf("wait until %d tasks run", a.Tasks) }

// Undone tells the plan that it was carried out up to the i-th step only.
func (p *Plan) Undone(i int) {
	for _, step := range p.Steps[i:] {
		switch step.(type) {
		case SetBounds:
			p.Scaling.After, p.Scaling.Outlook = p.Scaling.Before, fleet.Outlook{}
		case ScheduleEnd:
			p.Scaling.Outlook = fleet.Outlook{}
		}
	}
	p.Scaling.Next = nil // was foretold for the whole of it
}

// MakeScale decides how to scale one service. An error is the user's mistake.
func MakeScale(in ScaleIn) (Plan, error) {
	p := Plan{
		Of:   fleet.ServiceRef{Environment: in.Environment.Name, Service: in.Spec.Name},
		Spec: in.Spec, Wave: in.Environment.Wave, Strategy: in.Seen.Strategy,
		From:    State{TaskDefinition: in.Seen.TaskDefinition, Desired: in.Seen.Desired},
		To:      State{TaskDefinition: in.Seen.TaskDefinition, Desired: in.Seen.Desired},
		Scaling: &Scaling{Outlook: in.Outlook, Restored: in.Restore},
	}
	if in.Target != nil {
		p.Scaling.Before, p.Scaling.After = &in.Target.Bounds, &in.Target.Bounds
	}
	var err error
	if in.Restore {
		in.restore(&p)
	} else {
		err = in.scale(&p)
	}
	if err != nil || p.Skip != "" {
		return p, err
	}
	if InProgress(in.Seen) {
		if p.Refuse, p.Failed = refuse(in.OnInProgress, in.Seen); p.Refuse != "" {
			p.Steps, p.Undo = nil, nil
			return p, nil
		}
		p.Steps = []Step{Settle{Deployment: in.Seen.Current, ID: in.Seen.Primary().ID, Stop: in.OnInProgress == "stop"}}
	}
	return p, nil
}

// leftover tells whether the scalable target is one that an earlier temporary
// scale has made and AWS could not remove at its end. One that somebody has
// given a policy or a schedule is theirs.
func (in ScaleIn) leftover() bool {
	return in.Target != nil && in.Before != nil && in.Before.Bounds == nil && in.over() && in.unused()
}

func (in ScaleIn) unused() bool {
	return !in.Target.Unread && len(in.Target.Policies) == 0 && !slices.ContainsFunc(in.Target.Actions, func(a fleet.ScheduledAction) bool { return !Ours(a) })
}

// over: the temporary scale that AWS keeps a record of has ended.
func (in ScaleIn) over() bool {
	return !in.Before.Until.IsZero() && !in.Before.Until.After(in.Outlook.Now)
}

// pending: a temporary scale is under way, and its end will come.
func (in ScaleIn) pending() bool {
	return in.Before != nil && !in.Before.Until.IsZero() && !in.over()
}

// scale plans a change of the number of tasks, of the bounds, or both.
func (in ScaleIn) scale(p *Plan) error {
	had := in.Target // nil: none that counts
	if in.leftover() {
		had = nil
	}
	temporary := !in.Outlook.Until.IsZero()
	n, err := in.tasks()
	if err != nil {
		return err
	}
	if err := in.fits(had, temporary); err != nil {
		return err
	}
	after, err := in.bounds(had, n, temporary)
	if err != nil {
		return err
	}
	if after != nil && in.Count == nil {
		n = after.Clamp(n)
	}
	suspend := in.Autoscaling == "suspend" && had != nil && had.Suspended != everything
	p.To.Desired, p.Scaling.After = n, after
	// The end first: should the run be killed on the way, there is an end without
	// a scale, and not the other way round. Only a scalable target can have one.
	if temporary && in.Target != nil {
		p.Steps = append(p.Steps, in.end(n)...)
	}
	changed := after != nil && (had == nil || had.Bounds != *after)
	if changed || suspend {
		step := SetBounds{From: in.Target}
		if after != nil {
			step.Bounds = *after
		}
		if suspend {
			step.Suspended = &everything
		}
		p.Steps = append(p.Steps, step)
	}
	if temporary && in.Target == nil {
		p.Steps = append(p.Steps, in.end(n)...)
	}
	if n != in.Seen.Desired {
		p.Steps = append(p.Steps, SetDesired{From: in.Seen.Desired, To: n})
	}
	in.foresee(p, n)
	switch {
	case len(p.Steps) > 0:
		p.Steps = slices.Concat(in.record(had, temporary), p.Steps, in.cleared())
		p.Undo = in.back(had, after, suspend, n)
	case in.Seen.Running != n || in.Seen.Pending > 0:
		p.Steps = []Step{Await{n}}
	default:
		p.Skip = fmt.Sprintf("already runs %d tasks", n)
		if after != nil {
			p.Skip += fmt.Sprintf(", bounds %s", *after)
		}
	}
	return nil
}

// everything is what suspend suspends.
var everything = fleet.Suspension{In: true, Out: true, Scheduled: true}

// tasks is the number that is wanted, as far as it is one.
func (in ScaleIn) tasks() (int, error) {
	if in.Count == nil {
		return in.Seen.Desired, nil
	}
	n := in.Count.Of(in.Seen.Desired)
	what := fmt.Sprintf("desired-count %s makes %d of %d tasks", in.Count, n, in.Seen.Desired)
	if !in.Count.Relative() {
		what = fmt.Sprintf("desired-count is %d", n)
	}
	switch {
	case n < 0:
		return 0, errors.New(what + ", which is less than none; write a smaller change")
	case n == 0 && !in.AllowZero:
		return 0, errors.New(what + "; set allow-zero to true if no task is to run")
	case n > in.MaxTasks:
		return 0, fmt.Errorf("%s, and max-tasks is %d; correct the number, or raise max-tasks", what, in.MaxTasks)
	}
	return n, nil
}

// fits tells what the service lacks for what is asked of it.
func (in ScaleIn) fits(had *fleet.ScalableTarget, temporary bool) error {
	switch {
	case had == nil && (in.Min != nil || in.Max != nil):
		return errors.New("the service has no scalable target, so there are no bounds to set; leave min-capacity and max-capacity out, or leave the service out")
	case had == nil && temporary && !in.Create:
		return errors.New("the service has no scalable target, which scale-for needs to end the scale; set create-scalable-target to true, or leave scale-for out")
	case temporary && had != nil && had.Suspended.Scheduled:
		return errors.New("scheduled scaling of the service is suspended, so the end of scale-for would never come; resume it, or leave scale-for out")
	}
	return nil
}

// bounds are the bounds that hold the number; nil where there are none.
func (in ScaleIn) bounds(had *fleet.ScalableTarget, n int, temporary bool) (*fleet.Bounds, error) {
	if had == nil {
		if temporary {
			// Around the present number, too: making the target moves nothing, so
			// that no task is there whose end is not.
			return &fleet.Bounds{Min: min(n, in.Seen.Desired), Max: max(n, in.Seen.Desired)}, nil
		}
		return nil, nil
	}
	b := had.Bounds
	if in.Autoscaling == "adjust" && in.Count != nil {
		b = fleet.Bounds{Min: n, Max: max(b.Max, n)}
	}
	if in.Min != nil {
		b.Min = *in.Min
	}
	if in.Max != nil {
		b.Max = *in.Max
	}
	switch {
	case b.Min > b.Max:
		return nil, fmt.Errorf("the bounds would be %s: the minimum is above the maximum; give min-capacity and max-capacity that fit", b)
	case in.Autoscaling == "adjust" && in.Count != nil && b.Clamp(n) != n:
		return nil, fmt.Errorf("%d tasks are outside of the bounds %s that min-capacity and max-capacity ask for; correct one of them", n, b)
	}
	return &b, nil // which the number may be outside of, where it is not to be adjusted
}

// end are the steps that let AWS end a temporary scale.
func (in ScaleIn) end(n int) []Step {
	before, end := in.kept(), ScheduleEnd{Outlook: in.Outlook, Bounds: in.Outlook.AtEnd}
	if before.Bounds == nil {
		end.Bounds = fleet.Bounds{Min: before.Desired, Max: before.Desired}
	} else if back := end.Bounds.Clamp(before.Desired); !in.dynamic() && end.Bounds.Clamp(n) != back {
		end.Pin = &fleet.Bounds{Min: back, Max: back}
	}
	steps := []Step{end}
	if end.Pin == nil && in.scheduled(BoundsAction) {
		steps = append(steps, Unschedule{BoundsAction})
	}
	return steps
}

// dynamic tells whether a policy moves the number of tasks inside the bounds.
func (in ScaleIn) dynamic() bool {
	return in.Target != nil && slices.ContainsFunc(in.Target.Policies, func(p fleet.ScalingPolicy) bool { return p.Type != "PredictiveScaling" }) &&
		!(in.Target.Suspended.In && in.Target.Suspended.Out)
}

func (in ScaleIn) scheduled(name string) bool {
	return in.Target != nil && slices.ContainsFunc(in.Target.Actions, func(a fleet.ScheduledAction) bool { return a.Name == name })
}

// kept is what the end of the scale goes back to: what was before the first of
// several temporary scales.
func (in ScaleIn) kept() fleet.Before {
	if in.pending() {
		b := *in.Before
		b.Until = in.Outlook.Until
		return b
	}
	b := fleet.Before{Desired: in.Seen.Desired, At: in.Outlook.Now, Until: in.Outlook.Until}
	if in.Target != nil && !in.leftover() {
		bounds := in.Target.Bounds
		b.Bounds, b.Suspended = &bounds, in.Target.Suspended
	}
	return b
}

// record keeps what was before. While a temporary scale is under way its record
// stays: its end will come all the same.
func (in ScaleIn) record(had *fleet.ScalableTarget, temporary bool) []Step {
	if in.pending() && !temporary {
		return nil
	}
	return []Step{Record{in.kept()}}
}

// cleared removes what an earlier temporary scale has left behind.
func (in ScaleIn) cleared() []Step {
	if in.leftover() && in.Outlook.Until.IsZero() {
		return []Step{RemoveTarget{}}
	}
	return nil
}

// back is what would undo the plan, told from what it leaves.
func (in ScaleIn) back(had *fleet.ScalableTarget, after *fleet.Bounds, suspended bool, n int) []Step {
	var steps []Step
	switch {
	case had == nil && after != nil:
		steps = append(steps, RemoveTarget{})
	case had != nil && (had.Bounds != *after || suspended):
		step := SetBounds{From: &fleet.ScalableTarget{Bounds: *after}, Bounds: had.Bounds}
		if suspended {
			step.Suspended = &had.Suspended
		}
		steps = append(steps, step)
	}
	if n != in.Seen.Desired {
		steps = append(steps, SetDesired{From: n, To: in.Seen.Desired})
	}
	return steps
}

// restore plans to put back what the last scale has changed.
func (in ScaleIn) restore(p *Plan) {
	switch {
	case in.Before == nil:
		p.Skip = "nothing is recorded that could be put back"
		return
	case in.leftover():
		p.Steps = []Step{RemoveTarget{}, Forget{}}
		p.Scaling.After = nil
		return
	case in.over():
		p.Skip = "the last scale ended by itself at " + in.Before.Until.UTC().Format("2006-01-02 15:04") + " UTC"
		return
	}
	n, created := in.Before.Desired, in.Before.Bounds == nil && in.Target != nil && in.unused()
	if in.Before.Bounds != nil && in.Target == nil {
		p.Warnings = append(p.Warnings, fmt.Sprintf("its scalable target is gone: the bounds %s cannot be put back", *in.Before.Bounds))
	}
	if in.Before.Bounds != nil && in.Target != nil {
		b := in.Outlook.Before
		n, p.Scaling.After = b.Clamp(n), &b
		step := SetBounds{From: in.Target, Bounds: b}
		if in.Target.Suspended != in.Before.Suspended {
			step.Suspended = &in.Before.Suspended
		}
		if in.Target.Bounds != b || step.Suspended != nil {
			p.Steps = append(p.Steps, step)
		}
	}
	p.To.Desired = n
	if created {
		p.Steps, p.Scaling.After = append(p.Steps, RemoveTarget{}), nil
	}
	if n != in.Seen.Desired {
		p.Steps = append(p.Steps, SetDesired{From: in.Seen.Desired, To: n})
	}
	for _, name := range []string{EndAction, BoundsAction} {
		if in.scheduled(name) && !created {
			p.Steps = append(p.Steps, Unschedule{name})
		}
	}
	p.Steps = append(p.Steps, Forget{})
	in.foresee(p, n)
}
