package cloud

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	autoscaling "github.com/aws/aws-sdk-go-v2/service/applicationautoscaling"
	"github.com/aws/aws-sdk-go-v2/service/applicationautoscaling/types"

	"ecs-fleet/internal/fleet"
)

// TargetsPerCall is how many services one call for scalable targets takes.
// https://docs.aws.amazon.com/autoscaling/application/APIReference/API_DescribeScalableTargets.html
const TargetsPerCall = 50

// How many items a page has at most.
// https://docs.aws.amazon.com/autoscaling/application/APIReference/API_DescribeScalingPolicies.html
// https://docs.aws.amazon.com/autoscaling/application/APIReference/API_DescribeScheduledActions.html
const (
	policiesPerPage = 10
	actionsPerPage  = 50
)

// What Application Auto Scaling calls the number of tasks of an ECS service.
const (
	namespace = types.ServiceNamespaceEcs
	dimension = types.ScalableDimensionECSServiceDesiredCount
)

// Scalable names a service as Application Auto Scaling does.
type Scalable struct{ Cluster, Service string }

// ScalableOf is the service of a cluster, whose name or ARN is given.
func ScalableOf(cluster, service string) Scalable {
	return Scalable{fleet.ARN(cluster).Name(), service}
}

func (s Scalable) id() string { return "service/" + s.Cluster + "/" + s.Service }

// ScalableTargets reads the scalable targets of services of any clusters, fifty
// a call, without their policies and scheduled actions. The map lacks services
// that have none.
func (c *Client) ScalableTargets(ctx context.Context, services []Scalable) (map[Scalable]fleet.ScalableTarget, error) {
	byID := make(map[string]Scalable, len(services))
	for _, s := range services {
		byID[s.id()] = s
	}
	found := make(map[Scalable]fleet.ScalableTarget)
	for chunk := range slices.Chunk(services, TargetsPerCall) {
		pages := autoscaling.NewDescribeScalableTargetsPaginator(c.scaling, &autoscaling.DescribeScalableTargetsInput{
			ServiceNamespace: namespace, ScalableDimension: dimension, ResourceIds: ids(chunk), MaxResults: aws.Int32(TargetsPerCall),
		})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				return nil, wrap(err, "application-autoscaling:DescribeScalableTargets", "scalable targets")
			}
			for _, t := range page.ScalableTargets {
				if s, asked := byID[aws.ToString(t.ResourceId)]; asked {
					found[s] = scalableTarget(t)
				}
			}
		}
	}
	return found, nil
}

// ScheduledActions reads the scheduled actions of services.
func (c *Client) ScheduledActions(ctx context.Context, services []Scalable) (map[Scalable][]fleet.ScheduledAction, error) {
	return ofServices(services, actionsPerPage, func(resource, token *string) ([]types.ScheduledAction, *string, error) {
		out, err := c.scaling.DescribeScheduledActions(ctx, &autoscaling.DescribeScheduledActionsInput{
			ServiceNamespace: namespace, ResourceId: resource, NextToken: token, MaxResults: aws.Int32(actionsPerPage),
		})
		if err != nil {
			return nil, nil, wrap(err, "application-autoscaling:DescribeScheduledActions", "scheduled actions")
		}
		return out.ScheduledActions, out.NextToken, nil
	}, func(a types.ScheduledAction) (*string, fleet.ScheduledAction) {
		return a.ResourceId, scheduledAction(a)
	})
}

// ScalingPolicies reads the scaling policies of services.
func (c *Client) ScalingPolicies(ctx context.Context, services []Scalable) (map[Scalable][]fleet.ScalingPolicy, error) {
	return ofServices(services, policiesPerPage, func(resource, token *string) ([]types.ScalingPolicy, *string, error) {
		out, err := c.scaling.DescribeScalingPolicies(ctx, &autoscaling.DescribeScalingPoliciesInput{
			ServiceNamespace: namespace, ResourceId: resource, NextToken: token, MaxResults: aws.Int32(policiesPerPage),
		})
		if err != nil {
			return nil, nil, wrap(err, "application-autoscaling:DescribeScalingPolicies", "scaling policies")
		}
		return out.ScalingPolicies, out.NextToken, nil
	}, func(p types.ScalingPolicy) (*string, fleet.ScalingPolicy) {
		return p.ResourceId, fleet.ScalingPolicy{Name: aws.ToString(p.PolicyName), Type: string(p.PolicyType)}
	})
}

// ofServices collects what belongs to services from a list that can be read for
// one of them, or for the whole account and Region, a page at a time. Which is
// cheaper depends on what else there is in the account, which nobody knows
// beforehand: so all of it is read while that takes no more pages than the
// services would take if they were alone there, twice over; and where more come,
// each service is asked for. A single service is asked for at once.
func ofServices[T, V any](services []Scalable, perPage int, page func(resource, token *string) ([]T, *string, error), convert func(T) (*string, V)) (map[Scalable][]V, error) {
	byID := make(map[string]Scalable, len(services))
	for _, s := range services {
		byID[s.id()] = s
	}
	read := func(resource *string, most int) (found map[Scalable][]V, whole bool, err error) {
		found = make(map[Scalable][]V)
		var token *string
		for range most {
			items, next, err := page(resource, token)
			if err != nil {
				return nil, false, err
			}
			for _, item := range items {
				id, v := convert(item)
				if s, asked := byID[aws.ToString(id)]; asked {
					found[s] = append(found[s], v)
				}
			}
			if token = next; aws.ToString(token) == "" {
				return found, true, nil
			}
		}
		return found, false, nil
	}
	if len(services) > 1 {
		// Two policies or actions for each service, as a guess.
		found, whole, err := read(nil, min(len(services), 2+4*len(services)/perPage))
		if whole || err != nil {
			return found, err
		}
	}
	found := make(map[Scalable][]V)
	for _, s := range services {
		own, _, err := read(aws.String(s.id()), 100) // AWS allows 50 policies and 200 actions
		if err != nil {
			return nil, err
		}
		found[s] = own[s]
	}
	return found, nil
}

// SetScaling changes a scalable target: the bounds that are given, the
// suspension when it is (whole: whether AWS merges a part is not documented).
// What is nil stays. Where the service has no target, this creates one, which
// takes both bounds. AWS moves the number of tasks into the bounds, even when
// none are given.
// https://docs.aws.amazon.com/autoscaling/application/APIReference/API_RegisterScalableTarget.html
//
// Writes to one target must come one after the other: AWS refuses a second one
// while the first is under way, which is repeated until it is accepted.
func (c *Client) SetScaling(ctx context.Context, s Scalable, minimum, maximum *int, suspended *fleet.Suspension) error {
	in := &autoscaling.RegisterScalableTargetInput{
		ServiceNamespace: namespace, ScalableDimension: dimension, ResourceId: aws.String(s.id()),
		MinCapacity: int32Of(minimum), MaxCapacity: int32Of(maximum),
	}
	if suspended != nil {
		in.SuspendedState = &types.SuspendedState{
			DynamicScalingInSuspended: &suspended.In, DynamicScalingOutSuspended: &suspended.Out, ScheduledScalingSuspended: &suspended.Scheduled,
		}
	}
	_, err := c.scaling.RegisterScalableTarget(ctx, in)
	return wrap(err, "application-autoscaling:RegisterScalableTarget", s.String())
}

// RemoveScalableTarget ends the autoscaling of a service, with its policies and
// scheduled actions; the number of tasks stays. One that is gone already is no
// error.
func (c *Client) RemoveScalableTarget(ctx context.Context, s Scalable) error {
	_, err := c.scaling.DeregisterScalableTarget(ctx, &autoscaling.DeregisterScalableTargetInput{
		ServiceNamespace: namespace, ScalableDimension: dimension, ResourceId: aws.String(s.id()),
	})
	if _, gone := errors.AsType[*types.ObjectNotFoundException](err); gone {
		return nil
	}
	return wrap(err, "application-autoscaling:DeregisterScalableTarget", s.String())
}

// ScheduleOnce has AWS set bounds at a time, to the second, in place of the
// action of that name if there is one.
func (c *Client) ScheduleOnce(ctx context.Context, s Scalable, name string, at time.Time, minimum, maximum *int) error {
	_, err := c.scaling.PutScheduledAction(ctx, &autoscaling.PutScheduledActionInput{
		ServiceNamespace: namespace, ScalableDimension: dimension, ResourceId: aws.String(s.id()), ScheduledActionName: &name,
		Schedule:             aws.String(at.UTC().Format("at(2006-01-02T15:04:05)")),
		ScalableTargetAction: &types.ScalableTargetAction{MinCapacity: int32Of(minimum), MaxCapacity: int32Of(maximum)},
	})
	return wrap(err, "application-autoscaling:PutScheduledAction", s.String())
}

// Unschedule removes a scheduled action. One that is gone already is no error.
func (c *Client) Unschedule(ctx context.Context, s Scalable, name string) error {
	_, err := c.scaling.DeleteScheduledAction(ctx, &autoscaling.DeleteScheduledActionInput{
		ServiceNamespace: namespace, ScalableDimension: dimension, ResourceId: aws.String(s.id()), ScheduledActionName: &name,
	})
	if _, gone := errors.AsType[*types.ObjectNotFoundException](err); gone {
		return nil
	}
	return wrap(err, "application-autoscaling:DeleteScheduledAction", s.String())
}

// String names the target in errors.
func (s Scalable) String() string {
	return fmt.Sprintf("the autoscaling of service %q in cluster %q", s.Service, s.Cluster)
}

func ids(services []Scalable) []string {
	all := make([]string, len(services))
	for i, s := range services {
		all[i] = s.id()
	}
	return all
}

func int32Of(n *int) *int32 {
	if n == nil {
		return nil
	}
	return aws.Int32(int32(*n))
}

func intOf(n *int32) *int {
	if n == nil {
		return nil
	}
	return aws.Int(int(*n))
}

func scalableTarget(t types.ScalableTarget) fleet.ScalableTarget {
	v := fleet.ScalableTarget{Bounds: fleet.Bounds{Min: int(aws.ToInt32(t.MinCapacity)), Max: int(aws.ToInt32(t.MaxCapacity))}}
	if s := t.SuspendedState; s != nil {
		v.Suspended = fleet.Suspension{
			In: aws.ToBool(s.DynamicScalingInSuspended), Out: aws.ToBool(s.DynamicScalingOutSuspended), Scheduled: aws.ToBool(s.ScheduledScalingSuspended),
		}
	}
	return v
}

func scheduledAction(a types.ScheduledAction) fleet.ScheduledAction {
	v := fleet.ScheduledAction{
		Name: aws.ToString(a.ScheduledActionName), Schedule: strings.TrimSpace(aws.ToString(a.Schedule)), Zone: aws.ToString(a.Timezone),
		Start: aws.ToTime(a.StartTime), End: aws.ToTime(a.EndTime), Created: aws.ToTime(a.CreationTime),
	}
	if set := a.ScalableTargetAction; set != nil {
		v.Min, v.Max = intOf(set.MinCapacity), intOf(set.MaxCapacity)
	}
	return v
}
