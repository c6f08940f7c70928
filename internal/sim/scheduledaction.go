package sim

import (
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"
)

// scheduledAction sets a scalable target's bounds at times of its own.
// https://docs.aws.amazon.com/autoscaling/application/userguide/scheduled-scaling-policy-overview.html
type scheduledAction struct {
	target     *scalableTarget
	name       string
	text, zone string // the schedule as it was given
	when       schedule
	start, end time.Time // zero: none
	min, max   *int
	created    time.Time
	planned    int // raised to make planned runs void
}

// next is when the action runs first after a time. It also runs at its start:
// "when you specify a start time, the action is performed at this time". That
// a rate counts from the start or, without one, from the creation, and that
// the end is the last possible time, are guesses.
// https://docs.aws.amazon.com/autoscaling/application/userguide/scheduled-scaling-using-cron-expressions.html
func (a *scheduledAction) next(after time.Time) (time.Time, bool) {
	anchor := a.created
	if !a.start.IsZero() {
		anchor = a.start
	}
	if after.Before(a.start) {
		if _, one := a.when.(once); !one {
			return a.start, !a.over(a.start)
		}
		after = a.start.Add(-1)
	}
	at, ok := a.when.next(after, anchor)
	return at, ok && !a.over(at)
}

func (a *scheduledAction) over(at time.Time) bool { return !a.end.IsZero() && at.After(a.end) }

// plan puts the action's next run on the agenda.
func (a *scheduledAction) plan() {
	aws := a.target.region.aws
	a.planned++
	planned := a.planned
	at, ok := a.next(aws.clock)
	if !ok {
		return
	}
	aws.plan(at, func() {
		if a.planned == planned && !a.target.gone {
			a.run()
			a.plan()
		}
	})
}

// run sets the bounds, and moves the desired count into them; it does nothing
// that is made up for later when scheduled scaling is suspended. What AWS does
// with a one-time action that has run is not documented: here it stays listed,
// unless the world says that it is removed.
func (a *scheduledAction) run() {
	t := a.target
	if _, one := a.when.(once); one && t.region.aws.world.PastActions == "removed" {
		a.forget()
	}
	if t.suspended.Scheduled {
		return
	}
	low, high := either(a.min, t.min), either(a.max, t.max)
	// An action that sets one bound beyond the other one: that it moves the
	// other along is a guess.
	if a.max == nil {
		high = max(high, low)
	} else if a.min == nil {
		low = min(low, high)
	}
	t.min, t.max = low, high
	t.activity("Setting "+a.sets(), fmt.Sprintf("scheduled action name %s was triggered", a.name), -1)
	if s := t.ecs(); s != nil && s.desired > t.max && s.deploying() {
		return
	}
	t.clamp()
}

// deploying says whether Application Auto Scaling leaves scale-in be: it does
// so while the ECS controller deploys. That this holds for scheduled actions,
// too, is a guess; the page speaks of "scale-in processes".
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-auto-scaling.html
func (s *service) deploying() bool {
	return s.controller == "ECS" && len(s.deployments) > 0 && s.deployments[0].state == "IN_PROGRESS"
}

func (a *scheduledAction) sets() string {
	var parts []string
	if a.min != nil {
		parts = append(parts, fmt.Sprintf("min capacity to %d", *a.min))
	}
	if a.max != nil {
		parts = append(parts, fmt.Sprintf("max capacity to %d", *a.max))
	}
	return strings.Join(parts, " and ")
}

// forget deletes the action.
func (a *scheduledAction) forget() {
	a.planned++
	delete(a.target.actions, a.name)
}

// epoch is an instant in a request: seconds since 1970.
type epoch float64

func (e *epoch) time() time.Time {
	if e == nil {
		return time.Time{}
	}
	return time.UnixMilli(int64(math.Round(float64(*e) * 1000))).UTC()
}

type actionRequest struct {
	targetRequest
	Name     string `json:"ScheduledActionName"`
	Schedule string `json:"Schedule"`
	Timezone string `json:"Timezone"`
	Start    *epoch `json:"StartTime"`
	End      *epoch `json:"EndTime"`
	Action   *struct {
		Min *int `json:"MinCapacity"`
		Max *int `json:"MaxCapacity"`
	} `json:"ScalableTargetAction"`
}

// badActionName is the API model's pattern, turned round.
var badActionName = regexp.MustCompile(`^ | $|[\x00-\x1f\x7f-\x{9f}:/|]`)

// actionOf reads a request about one scheduled action; the action is nil when
// there is none of the name.
func (c *call) actionOf() (in actionRequest, t *scalableTarget, a *scheduledAction, err error) {
	if err = c.decode(&in); err != nil {
		return in, nil, nil, err
	}
	if t, err = c.target(in.targetRequest); err != nil {
		return in, nil, nil, err
	}
	if in.Name == "" || len(in.Name) > 256 || badActionName.MatchString(in.Name) {
		return in, nil, nil, invalid("1 validation error detected: Value '%s' at 'scheduledActionName' failed to satisfy constraint: Member must satisfy regular expression pattern", in.Name)
	}
	return in, t, t.actions[in.Name], nil
}

// putScheduledAction creates or updates. An update keeps what it does not
// mention, but for start and end: "If you don't specify start and end times,
// the old values are deleted."
// https://docs.aws.amazon.com/autoscaling/application/APIReference/API_PutScheduledAction.html
func putScheduledAction(c *call) (any, error) {
	in, t, old, err := c.actionOf()
	if err != nil {
		return nil, err
	}
	next := &scheduledAction{target: t, name: in.Name, created: c.clock}
	if old != nil {
		next = &scheduledAction{target: t, name: in.Name, created: old.created, text: old.text, zone: old.zone, min: old.min, max: old.max}
	}
	next.start, next.end = in.Start.time(), in.End.time()
	if in.Schedule != "" {
		next.text = in.Schedule
	}
	if in.Timezone != "" {
		next.zone = in.Timezone
	}
	if in.Action != nil {
		next.min, next.max = in.Action.Min, in.Action.Max
	}
	if err := next.check(c.clock); err != nil {
		return nil, err
	}
	if old == nil && len(t.actions) >= actionQuota {
		return nil, fault("LimitExceededException", "You have reached the limit of %d scheduled actions for a scalable target.", actionQuota)
	}
	if err := c.hold(t); err != nil {
		return nil, err
	}
	if old != nil {
		old.forget()
	}
	t.actions[next.name] = next
	next.plan()
	return struct{}{}, nil
}

// check reads the action's schedule and says what is wrong with the action.
// The texts are guesses, and so is that a start or end that has passed is
// refused while an at(…) that has passed is not.
func (a *scheduledAction) check(now time.Time) (err error) {
	if a.text == "" {
		return invalid("Schedule is required.")
	}
	if a.when, err = parseSchedule(a.text, a.zone); err != nil {
		return invalid("%v", err)
	}
	switch {
	case a.min == nil && a.max == nil:
		return invalid("Either MinCapacity or MaxCapacity must be specified.")
	case either(a.min, 0) < 0 || either(a.max, 0) < 0:
		return invalid("Minimum and maximum capacity must be at least 0.")
	case a.min != nil && a.max != nil && *a.min > *a.max:
		return invalid("Maximum capacity cannot be less than minimum capacity")
	case !a.end.IsZero() && a.end.Before(now):
		return invalid("EndTime must be in the future.")
	case !a.end.IsZero() && a.end.Before(a.start):
		return invalid("StartTime must be before EndTime.")
	}
	return nil
}

func deleteScheduledAction(c *call) (any, error) {
	in, t, a, err := c.actionOf()
	if err != nil {
		return nil, err
	}
	if a == nil {
		return nil, fault("ObjectNotFoundException", "No scheduled action found for service namespace: %s, resource ID: %s, scheduled action name: %s",
			in.Namespace, in.Resource, in.Name) // a guess, as for policies
	}
	if err := c.hold(t); err != nil {
		return nil, err
	}
	a.forget()
	return struct{}{}, nil
}

func describeScheduledActions(c *call) (any, error) {
	var in struct {
		targetRequest
		Names []string `json:"ScheduledActionNames"`
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	targets, err := c.chosen(in.targetRequest, len(in.Names), "scheduledActionNames")
	if err != nil {
		return nil, err
	}
	shown := map[string]any{}
	for _, t := range targets {
		for name, a := range t.actions {
			if len(in.Names) == 0 || slices.Contains(in.Names, name) {
				shown[t.resource()+"/"+name] = a.render()
			}
		}
	}
	return c.scalingPage(shown, sortedKeys(shown), "ScheduledActions", 50)
}

func (a *scheduledAction) render() map[string]any {
	out := a.target.named()
	bounds := map[string]int{}
	if a.min != nil {
		bounds["MinCapacity"] = *a.min
	}
	if a.max != nil {
		bounds["MaxCapacity"] = *a.max
	}
	maps.Copy(out, map[string]any{
		"ScheduledActionName": a.name, "Schedule": a.text, "ScalableTargetAction": bounds, "CreationTime": stamp(a.created),
		"ScheduledActionARN": a.target.region.arn("autoscaling", "scheduledAction:"+a.target.id+":resource/ecs/"+a.target.resource()+":scheduledActionName/"+a.name),
	})
	if a.zone != "" {
		out["Timezone"] = a.zone
	}
	if !a.start.IsZero() {
		out["StartTime"] = stamp(a.start)
	}
	if !a.end.IsZero() {
		out["EndTime"] = stamp(a.end)
	}
	return out
}
