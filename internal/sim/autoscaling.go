package sim

import (
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// autoscalingAPI is Application Auto Scaling, for the desired count of ECS
// services alone: scalable targets in this file, scheduled actions in
// scheduledaction.go, scaling policies in scalingpolicy.go.
// https://docs.aws.amazon.com/autoscaling/application/APIReference/Welcome.html
func autoscalingAPI() api {
	const read, write = "application-autoscaling:read", "application-autoscaling:write"
	return api{name: "application-autoscaling", target: "AnyScaleFrontendService", actions: map[string]action{
		"RegisterScalableTarget":    {bucket: write, do: registerScalableTarget},
		"DeregisterScalableTarget":  {bucket: write, do: deregisterScalableTarget},
		"DescribeScalableTargets":   {bucket: read, do: describeScalableTargets},
		"PutScheduledAction":        {bucket: write, do: putScheduledAction},
		"DeleteScheduledAction":     {bucket: write, do: deleteScheduledAction},
		"DescribeScheduledActions":  {bucket: read, do: describeScheduledActions},
		"PutScalingPolicy":          {bucket: write, do: putScalingPolicy},
		"DeleteScalingPolicy":       {bucket: write, do: deleteScalingPolicy},
		"DescribeScalingPolicies":   {bucket: read, do: describeScalingPolicies},
		"DescribeScalingActivities": {bucket: read, do: describeScalingActivities},
		"TagResource":               {bucket: write, do: tagTarget},
		"UntagResource":             {bucket: write, do: untagTarget},
		"ListTagsForResource":       {bucket: read, do: listTargetTags},
	}}
}

const (
	namespace = "ecs"
	dimension = "ecs:service:DesiredCount"
)

// scalableTarget is what Application Auto Scaling knows of a service, and its
// power over the service's desired count.
type scalableTarget struct {
	region           *region
	cluster, service string
	id               string // of the ARN
	min, max         int
	suspended        Suspended
	tags             map[string]string
	actions          map[string]*scheduledAction // by name
	policies         map[string]*scalingPolicy   // by name
	activities       []*scalingActivity          // oldest first
	created          time.Time
	busy             time.Time // until then an update is pending
	gone             bool      // deregistered: what is planned for it is void

	ticking    bool      // the policies' next evaluation is planned
	quietUntil time.Time // policies do not scale in before: the cooldown of what scaled last
}

// Suspended says which activities of a scalable target are suspended.
type Suspended struct {
	In        bool `json:"in,omitempty"`        // DynamicScalingInSuspended
	Out       bool `json:"out,omitempty"`       // DynamicScalingOutSuspended
	Scheduled bool `json:"scheduled,omitempty"` // ScheduledScalingSuspended
}

func (t *scalableTarget) resource() string { return "service/" + t.cluster + "/" + t.service }

func (t *scalableTarget) arn() string {
	return t.region.arn("application-autoscaling", "scalable-target/"+t.id)
}

func (r *region) addTarget(cluster, service string, low, high int) *scalableTarget {
	t := &scalableTarget{
		region: r, cluster: cluster, service: service, id: "0ec5" + r.aws.hex32(), min: low, max: high, created: r.aws.clock,
		actions: map[string]*scheduledAction{}, policies: map[string]*scalingPolicy{}, tags: map[string]string{},
	}
	r.targets[t.resource()] = t
	return t
}

// ecs is the target's service; nil while there is none that is ACTIVE.
func (t *scalableTarget) ecs() *service {
	k := t.region.clusters[t.cluster]
	if k == nil || k.services[t.service] == nil || k.services[t.service].status != "ACTIVE" {
		return nil
	}
	return k.services[t.service]
}

// clamp moves the desired count into the bounds, as every registration does:
// "even if you don't include the MinCapacity or MaxCapacity request parameters".
// https://docs.aws.amazon.com/autoscaling/application/APIReference/API_RegisterScalableTarget.html
func (t *scalableTarget) clamp() {
	s := t.ecs()
	switch {
	case s == nil:
	case s.desired < t.min:
		t.scale(s, t.min, fmt.Sprintf("minimum capacity was set to %d", t.min))
	case s.desired > t.max:
		t.scale(s, t.max, fmt.Sprintf("maximum capacity was set to %d", t.max))
	}
}

// scale sets the service's desired count, which from then on is the affair of
// the ECS scheduler.
func (t *scalableTarget) scale(s *service, count int, cause string) {
	s.before, s.visible = s.render(), t.region.aws.clock.Add(t.region.aws.lag.updates)
	s.desired, s.steady = count, false
	s.poke()
	t.activity(fmt.Sprintf("Setting desired count to %d.", count), cause, count)
}

// scalingActivity is an entry of DescribeScalingActivities.
type scalingActivity struct {
	id                 string
	at                 time.Time
	description, cause string
	count              int // desired count; -1: only bounds were set
}

func (t *scalableTarget) activity(description, cause string, count int) {
	t.activities = append(t.activities, &scalingActivity{t.region.aws.uuid(), t.region.aws.clock, description, cause, count})
}

// targetRequest is what names a scalable target in a request.
type targetRequest struct {
	Namespace string `json:"ServiceNamespace"`
	Resource  string `json:"ResourceId"`
	Dimension string `json:"ScalableDimension"`
}

func invalid(format string, args ...any) error {
	return fault("ValidationException", format, args...)
}

// check says what is wrong with the three names. The texts are guesses.
func (in targetRequest) check() error {
	_, service := serviceInARN(in.Resource)
	switch {
	case in.Namespace == "":
		return invalid("1 validation error detected: Value null at 'serviceNamespace' failed to satisfy constraint: Member must not be null")
	case in.Resource == "":
		return invalid("1 validation error detected: Value null at 'resourceId' failed to satisfy constraint: Member must not be null")
	case in.Dimension == "":
		return invalid("1 validation error detected: Value null at 'scalableDimension' failed to satisfy constraint: Member must not be null")
	case in.Namespace != namespace || in.Dimension != dimension:
		return invalid("Unsupported service namespace, resource type or scalable dimension: %s, %s, %s", in.Namespace, in.Resource, in.Dimension)
	case strings.Count(in.Resource, "/") != 2 || !strings.HasPrefix(in.Resource, "service/") || service == "":
		return invalid("Invalid resource ID: %s", in.Resource)
	}
	return nil
}

// target is the scalable target that a request names. Text:
// https://github.com/ansible/ansible/pull/35632
func (c *call) target(in targetRequest) (*scalableTarget, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	t := c.region.targets[in.Resource]
	if t == nil {
		return nil, fault("ObjectNotFoundException", "No scalable target registered for service namespace: %s, resource ID: %s, scalable dimension: %s",
			in.Namespace, in.Resource, in.Dimension)
	}
	return t, nil
}

// hold makes a write to a target pending for as long as its answer takes.
// Another one meanwhile is refused, with the status of a server's fault.
// https://docs.aws.amazon.com/autoscaling/application/APIReference/API_RegisterScalableTarget.html (Errors)
func (c *call) hold(t *scalableTarget) error {
	if c.clock.Before(t.busy) {
		return &apiError{http.StatusInternalServerError, "ConcurrentUpdateException", fmt.Sprintf(
			"You already have a pending update to an Auto Scaling resource: %s", t.resource())} // a guess
	}
	t.busy = c.clock.Add(c.timing.scalingWrite)
	c.delay += c.timing.scalingWrite
	return nil
}

// targetQuota is how many scalable targets of ECS an account may have in a
// Region. https://docs.aws.amazon.com/autoscaling/application/userguide/application-auto-scaling-quotas.html
const targetQuota, actionQuota, policyQuota = 3000, 200, 50

func registerScalableTarget(c *call) (any, error) {
	var in struct {
		targetRequest
		Min       *int              `json:"MinCapacity"`
		Max       *int              `json:"MaxCapacity"`
		Tags      map[string]string `json:"Tags"`
		Suspended struct {
			In        *bool `json:"DynamicScalingInSuspended"`
			Out       *bool `json:"DynamicScalingOutSuspended"`
			Scheduled *bool `json:"ScheduledScalingSuspended"`
		} `json:"SuspendedState"`
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if err := in.check(); err != nil {
		return nil, err
	}
	t := c.region.targets[in.Resource]
	cluster, service := serviceInARN(in.Resource)
	var old scalableTarget
	if t != nil {
		old = *t
	}
	switch low, high := either(in.Min, old.min), either(in.Max, old.max); {
	case t == nil && (in.Min == nil || in.Max == nil):
		return nil, invalid("Both MinCapacity and MaxCapacity are required to register a new scalable target.") // a guess
	case low < 0 || high < 0:
		return nil, invalid("Minimum and maximum capacity must be at least 0.") // a guess
	case low > high:
		return nil, invalid("Maximum capacity cannot be less than minimum capacity") // a guess
	case t == nil && len(c.region.targets) >= targetQuota:
		return nil, fault("LimitExceededException", "You have reached the limit of %d scalable targets.", targetQuota)
	case t != nil && len(in.Tags) > 0:
		return nil, invalid("Tags cannot be changed by registering a scalable target again; use TagResource.") // a guess
	}
	if t == nil {
		k := c.region.clusters[cluster]
		if k == nil || k.services[service] == nil || k.services[service].status != "ACTIVE" {
			return nil, invalid("ECS service doesn't exist: %s", in.Resource)
		}
		t = c.region.addTarget(cluster, service, *in.Min, *in.Max)
		maps.Copy(t.tags, in.Tags)
	}
	if err := c.hold(t); err != nil {
		return nil, err
	}
	t.min, t.max = either(in.Min, t.min), either(in.Max, t.max)
	// That flags which are left out keep their values is a guess.
	t.suspended = Suspended{
		In: either(in.Suspended.In, t.suspended.In), Out: either(in.Suspended.Out, t.suspended.Out),
		Scheduled: either(in.Suspended.Scheduled, t.suspended.Scheduled),
	}
	t.clamp()
	return map[string]any{"ScalableTargetARN": t.arn()}, nil
}

// deregisterScalableTarget deletes policies and scheduled actions with the
// target, and leaves the desired count as it is.
// https://docs.aws.amazon.com/autoscaling/application/APIReference/API_DeregisterScalableTarget.html
func deregisterScalableTarget(c *call) (any, error) {
	var in targetRequest
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	t, err := c.target(in)
	if err != nil {
		return nil, err
	}
	if err := c.hold(t); err != nil {
		return nil, err
	}
	t.gone = true
	delete(c.region.targets, t.resource())
	return struct{}{}, nil
}

func describeScalableTargets(c *call) (any, error) {
	var in struct {
		targetRequest
		Resources []string `json:"ResourceIds"`
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if err := in.filter(len(in.Resources), "resourceIds"); err != nil {
		return nil, err
	}
	if in.Dimension != "" && len(in.Resources) == 0 {
		return nil, invalid(needsResource)
	}
	shown := map[string]any{}
	for id, t := range c.region.targets {
		if in.Namespace == namespace && (len(in.Resources) == 0 || slices.Contains(in.Resources, id)) {
			shown[id] = t.render()
		}
	}
	return c.scalingPage(shown, sortedKeys(shown), "ScalableTargets", 50)
}

// "If you specify a scalable dimension, you must also specify a resource ID."
// https://docs.aws.amazon.com/autoscaling/application/APIReference/API_DescribeScalableTargets.html
const needsResource = "If you specify a scalable dimension, you must also specify a resource ID."

// filter checks what a Describe request selects by.
func (in targetRequest) filter(names int, member string) error {
	switch {
	case in.Namespace == "":
		return invalid("1 validation error detected: Value null at 'serviceNamespace' failed to satisfy constraint: Member must not be null")
	case names > 50:
		return invalid("1 validation error detected: Value at '%s' failed to satisfy constraint: Member must have length less than or equal to 50", member)
	}
	return nil
}

// chosen are the targets that a Describe request by one resource id means, in
// order of their ids.
func (c *call) chosen(in targetRequest, names int, member string) ([]*scalableTarget, error) {
	if err := in.filter(names, member); err != nil {
		return nil, err
	}
	if in.Dimension != "" && in.Resource == "" {
		return nil, invalid(needsResource)
	}
	var all []*scalableTarget
	for _, id := range sortedKeys(c.region.targets) {
		if in.Namespace == namespace && (in.Resource == "" || in.Resource == id) {
			all = append(all, c.region.targets[id])
		}
	}
	return all, nil
}

// scalingPage answers with the part of a list that a request asks for: at most
// size, which is also the largest page.
func (c *call) scalingPage(shown map[string]any, keys []string, member string, size int) (any, error) {
	var in struct {
		Max   *int   `json:"MaxResults"`
		Token string `json:"NextToken"`
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if in.Max != nil && (*in.Max < 1 || *in.Max > size) {
		return nil, invalid("MaxResults must be between 1 and %d.", size) // a guess
	}
	escaped := make([]string, len(keys))
	for i, k := range keys {
		escaped[i] = url.QueryEscape(k) // names may have spaces, a token may not
	}
	from, err := resume(in.Token, escaped)
	if err != nil {
		return nil, fault("InvalidNextTokenException", "The next token is invalid.")
	}
	to := min(from+either(in.Max, size), len(keys))
	page := []any{}
	for _, k := range keys[from:to] {
		page = append(page, shown[k])
	}
	out := map[string]any{member: page}
	if to < len(keys) {
		out["NextToken"] = base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "%d %s", to, escaped[to-1]))
	}
	return out, nil
}

func (t *scalableTarget) named() map[string]any {
	return map[string]any{"ServiceNamespace": namespace, "ResourceId": t.resource(), "ScalableDimension": dimension}
}

func (t *scalableTarget) render() map[string]any {
	out := t.named()
	maps.Copy(out, map[string]any{
		"MinCapacity": t.min, "MaxCapacity": t.max, "CreationTime": stamp(t.created), "ScalableTargetARN": t.arn(),
		"RoleARN": t.region.arnIAM("role/aws-service-role/ecs.application-autoscaling.amazonaws.com/AWSServiceRoleForApplicationAutoScaling_ECSService"),
		"SuspendedState": map[string]bool{
			"DynamicScalingInSuspended": t.suspended.In, "DynamicScalingOutSuspended": t.suspended.Out, "ScheduledScalingSuspended": t.suspended.Scheduled,
		},
	})
	return out
}

// describeScalingActivities shows the newest first. AWS keeps them for six
// weeks; the simulation for ever.
func describeScalingActivities(c *call) (any, error) {
	var in targetRequest
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	targets, err := c.chosen(in, 0, "")
	if err != nil {
		return nil, err
	}
	shown := map[string]any{}
	var ids []string
	for _, t := range targets {
		for i, a := range slices.Backward(t.activities) {
			shown[a.id] = t.renderActivity(a, i == len(t.activities)-1)
			ids = append(ids, a.id)
		}
	}
	return c.scalingPage(shown, ids, "ScalingActivities", 50)
}

// The texts are those of
// https://docs.aws.amazon.com/cli/latest/reference/application-autoscaling/describe-scaling-activities.html
func (t *scalableTarget) renderActivity(a *scalingActivity, newest bool) map[string]any {
	out := t.named()
	maps.Copy(out, map[string]any{
		"ActivityId": a.id, "Description": a.description, "Cause": a.cause, "StartTime": stamp(a.at), "StatusCode": "Successful",
	})
	s := t.ecs()
	switch {
	case a.count < 0:
		out["StatusMessage"] = "Successfully set" + strings.TrimPrefix(a.description, "Setting")
	case newest && s != nil && s.desired == a.count && s.count((*task).isRunning) != a.count:
		out["StatusCode"] = "InProgress"
		out["StatusMessage"] = fmt.Sprintf("Successfully set desired count to %d. Waiting for change to be fulfilled by ecs.", a.count)
	default:
		out["StatusMessage"] = fmt.Sprintf("Successfully set desired count to %d. Change successfully fulfilled by ecs.", a.count)
	}
	return out
}

// tagsOfTarget finds the tags of the scalable target that a request names by
// its ARN.
func (c *call) tagsOfTarget(in any, arn *string) (map[string]string, error) {
	if err := c.decode(in); err != nil {
		return nil, err
	}
	for _, t := range c.region.targets {
		if t.arn() == *arn {
			return t.tags, nil
		}
	}
	return nil, fault("ResourceNotFoundException", "The specified resource %s doesn't exist.", *arn)
}

func tagTarget(c *call) (any, error) {
	var in struct {
		ARN  string            `json:"ResourceARN"`
		Tags map[string]string `json:"Tags"`
	}
	tags, err := c.tagsOfTarget(&in, &in.ARN)
	if err != nil {
		return nil, err
	}
	next := maps.Clone(tags)
	maps.Copy(next, in.Tags)
	if len(next) > 50 {
		return nil, fault("TooManyTagsException", "Too many tags: %d. The maximum is 50.", len(next))
	}
	maps.Copy(tags, in.Tags)
	return struct{}{}, nil
}

func untagTarget(c *call) (any, error) {
	var in struct {
		ARN  string   `json:"ResourceARN"`
		Keys []string `json:"TagKeys"`
	}
	tags, err := c.tagsOfTarget(&in, &in.ARN)
	if err != nil {
		return nil, err
	}
	for _, k := range in.Keys {
		delete(tags, k)
	}
	return struct{}{}, nil
}

func listTargetTags(c *call) (any, error) {
	var in struct {
		ARN string `json:"ResourceARN"`
	}
	tags, err := c.tagsOfTarget(&in, &in.ARN)
	if err != nil {
		return nil, err
	}
	return map[string]any{"Tags": tags}, nil
}
