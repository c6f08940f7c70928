package sim

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"time"
)

// scalingPolicy is a policy of a scalable target. Only target tracking of
// predefined metrics acts; other policies are kept and shown.
type scalingPolicy struct {
	target  *scalableTarget
	name    string
	kind    string // TargetTrackingScaling, StepScaling, PredictiveScaling
	config  map[string]any
	track   tracking
	alarm   string // part of the names of the two alarms
	created time.Time

	// How many datapoints in a row are above the goal, and below what lets
	// scale in.
	above, below int
}

// tracking is a TargetTrackingScalingPolicyConfiguration.
type tracking struct {
	Target     float64 `json:"TargetValue"`
	Predefined *struct {
		Type string `json:"PredefinedMetricType"`
	} `json:"PredefinedMetricSpecification"`
	OutCooldown    *int `json:"ScaleOutCooldown"` // seconds
	InCooldown     *int `json:"ScaleInCooldown"`
	DisableScaleIn bool `json:"DisableScaleIn"`
}

const (
	cpuMetric     = "ECSServiceAverageCPUUtilization"
	memoryMetric  = "ECSServiceAverageMemoryUtilization"
	requestMetric = "ALBRequestCountPerTarget"
)

// The alarms that target tracking makes: three datapoints, a minute each, to
// scale out, fifteen below 90 % of the goal to scale in. The guide says that
// it "scales in more gradually"; these numbers are those of the alarms that one
// sees in an account.
// https://docs.aws.amazon.com/autoscaling/application/userguide/application-auto-scaling-target-tracking.html
const (
	outAfter, inAfter = 3, 15
	inBelow           = 0.9
	evaluationPeriod  = time.Minute
)

// defaultCooldown is that of ECS services.
// https://docs.aws.amazon.com/autoscaling/application/userguide/target-tracking-scaling-policy-overview.html
const defaultCooldown = 300

func (t tracking) cooldowns() (out, in time.Duration) {
	return time.Duration(either(t.OutCooldown, defaultCooldown)) * time.Second, time.Duration(either(t.InCooldown, defaultCooldown)) * time.Second
}

func (p *scalingPolicy) acts() bool {
	return p.kind == "TargetTrackingScaling" && p.track.Predefined != nil
}

// tick plans the policies' next evaluation, at the next full minute, for as
// long as there are policies that could act and a load that they see.
func (t *scalableTarget) tick() {
	s := t.ecs()
	if t.ticking || t.gone || s == nil || !s.hasLoad() || !slices.ContainsFunc(t.sortedPolicies(), (*scalingPolicy).acts) {
		return
	}
	t.ticking = true
	aws := t.region.aws
	aws.plan(aws.clock.Truncate(evaluationPeriod).Add(evaluationPeriod), func() {
		t.ticking = false
		if s := t.ecs(); s != nil && !t.gone {
			t.evaluate(s)
			t.tick()
		}
	})
}

func (t *scalableTarget) sortedPolicies() []*scalingPolicy {
	var all []*scalingPolicy
	for _, name := range sortedKeys(t.policies) {
		all = append(all, t.policies[name])
	}
	return all
}

// metric is the policy's last datapoint; false: there is none, since nothing
// runs that would report one.
func (p *scalingPolicy) metric(s *service) (float64, bool) {
	running := tasksOf(s.deployments, (*task).isRunning)
	if len(running) == 0 {
		return 0, false
	}
	switch p.track.Predefined.Type {
	case cpuMetric:
		return min(s.load()/s.strength(running, "cpu"), 100), true // a task cannot use more than it has
	case memoryMetric:
		return min(s.load()/s.strength(running, "memory"), 100), true
	}
	return s.load() / float64(len(running)), true
}

// strength is what tasks have of a resource, counted in tasks of the size that
// the world gave the service: one of twice the size does the work of two.
func (s *service) strength(tasks []*task, resource string) float64 {
	of := func(t *taskDefinition) float64 {
		n, _ := strconv.ParseFloat(t.size(resource), 64)
		return n
	}
	unit := of(s.unit)
	if unit == 0 {
		return float64(len(tasks))
	}
	sum := 0.0
	for _, t := range tasks {
		sum += of(t.definition) / unit
	}
	return max(sum, 1e-9) // definitions without a size do next to nothing
}

// evaluate is a minute of the policies: whichever wants most tasks decides on
// scaling out, and all that may scale in must want to.
// https://docs.aws.amazon.com/autoscaling/application/userguide/target-tracking-scaling-policy-overview.html
func (t *scalableTarget) evaluate(s *service) {
	var out, in *scalingPolicy
	most, least, agreed := 0, 0, true
	for _, p := range t.sortedPolicies() {
		if !p.acts() {
			continue
		}
		value, ok := p.metric(s)
		p.observe(value, ok)
		// In proportion to the metric, from the number of running tasks. AWS
		// does not give its formula.
		want := int(math.Ceil(float64(s.count((*task).isRunning)) * value / p.track.Target))
		if p.above >= outAfter && want > most {
			out, most = p, want
		}
		if p.track.DisableScaleIn {
			continue
		}
		agreed = agreed && p.below >= inAfter
		if in == nil || want > least {
			in, least = p, want
		}
	}
	switch {
	case out != nil:
		t.scaleOut(s, out, most)
	case in != nil && agreed:
		t.scaleIn(s, in, least)
	}
}

// observe counts datapoints; one that is missing starts both counts again.
func (p *scalingPolicy) observe(value float64, ok bool) {
	switch {
	case !ok:
		p.above, p.below = 0, 0
	case value > p.track.Target:
		p.above, p.below = p.above+1, 0
	case value < inBelow*p.track.Target:
		p.above, p.below = 0, p.below+1
	default:
		p.above, p.below = 0, 0
	}
}

// scaleOut lifts the desired count into the bounds at least; a count above the
// maximum stays. What the cooldown of an earlier scale-out forbids is a smaller
// one, which the desired count forbids already.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-auto-scaling.html
func (t *scalableTarget) scaleOut(s *service, p *scalingPolicy, want int) {
	want = min(max(want, t.min), t.max)
	if t.suspended.Out || want <= s.desired {
		return
	}
	cooldown, _ := p.track.cooldowns()
	t.quietUntil = t.region.aws.clock.Add(cooldown)
	t.scale(s, want, p.cause("AlarmHigh"))
}

// scaleIn cuts the desired count into the bounds at least; a count below the
// minimum stays. It waits for the cooldown of what scaled last, and for the end
// of a deployment.
func (t *scalableTarget) scaleIn(s *service, p *scalingPolicy, want int) {
	now := t.region.aws.clock
	want = min(max(want, t.min), t.max)
	if t.suspended.In || want >= s.desired || now.Before(t.quietUntil) || s.deploying() {
		return
	}
	_, cooldown := p.track.cooldowns()
	t.quietUntil = now.Add(cooldown)
	t.scale(s, want, p.cause("AlarmLow"))
}

func (p *scalingPolicy) cause(alarm string) string {
	return fmt.Sprintf("monitor alarm %s in state ALARM triggered policy %s", p.alarmName(alarm), p.name)
}

func (p *scalingPolicy) alarmName(which string) string {
	return "TargetTracking-" + p.target.resource() + "-" + which + "-" + p.alarm
}

// hasLoad says whether the world gives the service a load.
func (s *service) hasLoad() bool { return s.loads != nil }

// load is what the service has to do now.
func (s *service) load() float64 {
	since := Duration(s.region.aws.clock.Sub(s.region.aws.world.Start))
	load := 0.0
	for _, l := range s.loads {
		if l.At <= since {
			load = l.Load
		}
	}
	return load
}

type policyRequest struct {
	targetRequest
	Name       string         `json:"PolicyName"`
	Type       string         `json:"PolicyType"`
	Tracking   map[string]any `json:"TargetTrackingScalingPolicyConfiguration"`
	Step       map[string]any `json:"StepScalingPolicyConfiguration"`
	Predictive map[string]any `json:"PredictiveScalingPolicyConfiguration"`
}

func (c *call) policyRequest() (in policyRequest, t *scalableTarget, err error) {
	if err := c.decode(&in); err != nil {
		return in, nil, err
	}
	if in.Name == "" {
		return in, nil, invalid("1 validation error detected: Value null at 'policyName' failed to satisfy constraint: Member must not be null")
	}
	t, err = c.target(in.targetRequest)
	return in, t, err
}

// putScalingPolicy creates a policy or replaces its configuration.
func putScalingPolicy(c *call) (any, error) {
	in, t, err := c.policyRequest()
	if err != nil {
		return nil, err
	}
	old := t.policies[in.Name]
	if in.Type == "" && old != nil {
		in.Type = old.kind
	}
	config := map[string]map[string]any{"TargetTrackingScaling": in.Tracking, "StepScaling": in.Step, "PredictiveScaling": in.Predictive}[in.Type]
	if config == nil {
		return nil, invalid("The policy type %q and its configuration do not fit.", in.Type) // a guess
	}
	next := t.newPolicy(in.Name, in.Type, config)
	switch {
	case in.Type == "TargetTrackingScaling" && next.track.Target <= 0:
		return nil, invalid("TargetValue must be greater than 0.") // a guess
	case old == nil && len(t.policies) >= policyQuota:
		return nil, fault("LimitExceededException", "You have reached the limit of %d scaling policies for a scalable target.", policyQuota)
	}
	if err := c.hold(t); err != nil {
		return nil, err
	}
	if old != nil {
		next.alarm, next.created = old.alarm, old.created
	}
	t.policies[in.Name] = next
	t.tick()
	return map[string]any{"PolicyARN": next.arn(), "Alarms": next.alarms()}, nil
}

func (t *scalableTarget) newPolicy(name, kind string, config map[string]any) *scalingPolicy {
	p := &scalingPolicy{target: t, name: name, kind: kind, config: config, alarm: t.region.aws.uuid(), created: t.region.aws.clock}
	convert(config, &p.track)
	return p
}

func deleteScalingPolicy(c *call) (any, error) {
	in, t, err := c.policyRequest()
	if err != nil {
		return nil, err
	}
	if t.policies[in.Name] == nil {
		return nil, fault("ObjectNotFoundException", "No scaling policy found for service namespace: %s, resource ID: %s, scalable dimension: %s, policy name: %s",
			in.Namespace, in.Resource, in.Dimension, in.Name)
	}
	if err := c.hold(t); err != nil {
		return nil, err
	}
	delete(t.policies, in.Name)
	return struct{}{}, nil
}

func describeScalingPolicies(c *call) (any, error) {
	var in struct {
		targetRequest
		Names []string `json:"PolicyNames"`
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	targets, err := c.chosen(in.targetRequest, len(in.Names), "policyNames")
	if err != nil {
		return nil, err
	}
	shown := map[string]any{}
	for _, t := range targets {
		for name, p := range t.policies {
			if len(in.Names) == 0 || slices.Contains(in.Names, name) {
				shown[t.resource()+"/"+name] = p.render()
			}
		}
	}
	return c.scalingPage(shown, sortedKeys(shown), "ScalingPolicies", 10)
}

func (p *scalingPolicy) arn() string {
	return p.target.region.arn("autoscaling", "scalingPolicy:"+p.target.id+":resource/ecs/"+p.target.resource()+":policyName/"+p.name)
}

func (p *scalingPolicy) alarms() []any {
	all := []any{}
	if p.kind == "TargetTrackingScaling" {
		for _, which := range []string{"AlarmHigh", "AlarmLow"} {
			name := p.alarmName(which)
			all = append(all, map[string]any{"AlarmName": name, "AlarmARN": p.target.region.arn("cloudwatch", "alarm:"+name)})
		}
	}
	return all
}

func (p *scalingPolicy) render() map[string]any {
	out := p.target.named()
	maps.Copy(out, map[string]any{
		"PolicyName": p.name, "PolicyType": p.kind, "PolicyARN": p.arn(), "Alarms": p.alarms(), "CreationTime": stamp(p.created),
		p.kind + "PolicyConfiguration": p.config,
	})
	return out
}
