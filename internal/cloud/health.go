package cloud

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"

	"ecs-fleet/internal/fleet"
)

// How many items one call takes.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarms.html
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html
// DescribeTargetGroups states no number; 20 is what its sisters take.
const (
	alarmsPerCall  = 100
	metricsPerCall = 500
	groupsPerCall  = 20
)

// Alarms looks at alarms by name, composite ones included, a hundred a call.
// The map lacks those that AWS does not know.
func (c *Client) Alarms(ctx context.Context, names []string) (map[string]fleet.Alarm, error) {
	found := make(map[string]fleet.Alarm, len(names))
	for chunk := range slices.Chunk(names, alarmsPerCall) {
		out, err := c.cloudwatch.DescribeAlarms(ctx, &cloudwatch.DescribeAlarmsInput{
			AlarmNames: chunk, MaxRecords: aws.Int32(alarmsPerCall),
			// Composite alarms are left out unless they are asked for.
			AlarmTypes: []types.AlarmType{types.AlarmTypeMetricAlarm, types.AlarmTypeCompositeAlarm},
		})
		if err != nil {
			return nil, wrap(err, "cloudwatch:DescribeAlarms", "alarms "+strings.Join(chunk, ", "))
		}
		for _, a := range out.MetricAlarms {
			found[aws.ToString(a.AlarmName)] = alarm(a.AlarmName, a.StateValue, a.StateReason, a.StateTransitionedTimestamp)
		}
		for _, a := range out.CompositeAlarms {
			found[aws.ToString(a.AlarmName)] = alarm(a.AlarmName, a.StateValue, a.StateReason, a.StateTransitionedTimestamp)
		}
	}
	return found, nil
}

func alarm(name *string, state types.StateValue, reason *string, since *time.Time) fleet.Alarm {
	return fleet.Alarm{Name: aws.ToString(name), Firing: state == types.StateValueAlarm, Reason: aws.ToString(reason), Since: aws.ToTime(since)}
}

// Balancers are the load balancers that target groups are behind, twenty groups
// a call. The map lacks groups that are behind none.
func (c *Client) Balancers(ctx context.Context, groups []fleet.ARN) (map[fleet.ARN]fleet.ARN, error) {
	found := make(map[fleet.ARN]fleet.ARN, len(groups))
	for chunk := range slices.Chunk(groups, groupsPerCall) {
		out, err := c.elb.DescribeTargetGroups(ctx, &elasticloadbalancingv2.DescribeTargetGroupsInput{TargetGroupArns: texts(chunk)})
		if err != nil {
			return nil, wrap(err, "elasticloadbalancing:DescribeTargetGroups", "target groups")
		}
		for _, g := range out.TargetGroups {
			if len(g.LoadBalancerArns) > 0 {
				found[fleet.ARN(aws.ToString(g.TargetGroupArn))] = fleet.ARN(g.LoadBalancerArns[0])
			}
		}
	}
	return found, nil
}

// Targets are all targets of a target group. One call for each group: not to
// poll with.
func (c *Client) Targets(ctx context.Context, group fleet.ARN) ([]fleet.Target, error) {
	out, err := c.elb.DescribeTargetHealth(ctx, &elasticloadbalancingv2.DescribeTargetHealthInput{TargetGroupArn: aws.String(string(group))})
	if err != nil {
		return nil, wrap(err, "elasticloadbalancing:DescribeTargetHealth", fmt.Sprintf("target group %q", GroupName(group)))
	}
	var targets []fleet.Target
	for _, d := range out.TargetHealthDescriptions {
		t := fleet.Target{}
		if d.Target != nil {
			t.ID, t.Port = aws.ToString(d.Target.Id), int(aws.ToInt32(d.Target.Port))
		}
		if h := d.TargetHealth; h != nil {
			t.State, t.Reason, t.Text = string(h.State), string(h.Reason), aws.ToString(h.Description)
		}
		targets = append(targets, t)
	}
	return targets, nil
}

// GroupName is the name in a target group's ARN.
func GroupName(group fleet.ARN) string {
	if parts := strings.Split(string(group), "/"); len(parts) == 3 {
		return parts[1]
	}
	return string(group)
}

// Metrics reads load balancers' metrics between two instants of AWS's clock, in
// the order asked for, five hundred a call.
func (c *Client) Metrics(ctx context.Context, wanted []fleet.Metric, from, to time.Time) ([]fleet.Minutes, error) {
	all := make([]fleet.Minutes, len(wanted))
	for i := range all {
		all[i] = make(fleet.Minutes)
	}
	for first := 0; first < len(wanted); first += metricsPerCall {
		in := &cloudwatch.GetMetricDataInput{StartTime: &from, EndTime: &to}
		for i, m := range wanted[first:min(first+metricsPerCall, len(wanted))] {
			in.MetricDataQueries = append(in.MetricDataQueries, query("m"+strconv.Itoa(first+i), m))
		}
		pages := cloudwatch.NewGetMetricDataPaginator(c.cloudwatch, in)
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				return nil, wrap(err, "cloudwatch:GetMetricData", "metrics of load balancers")
			}
			for _, r := range page.MetricDataResults {
				i, err := strconv.Atoi(strings.TrimPrefix(aws.ToString(r.Id), "m"))
				if err != nil || i < 0 || i >= len(all) {
					continue // not asked for
				}
				for n := range min(len(r.Timestamps), len(r.Values)) {
					all[i][r.Timestamps[n].UTC()] = r.Values[n]
				}
			}
		}
	}
	return all, nil
}

// query is a metric as CloudWatch names it.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-cloudwatch-metrics.html
func query(id string, m fleet.Metric) types.MetricDataQuery {
	_, balancer, _ := strings.Cut(string(m.Balancer), ":loadbalancer/")
	metric := &types.Metric{
		Namespace: aws.String("AWS/ApplicationELB"), MetricName: &m.Name,
		Dimensions: []types.Dimension{{Name: aws.String("LoadBalancer"), Value: &balancer}},
	}
	if m.Group != "" {
		_, group, _ := strings.Cut(string(m.Group), ":targetgroup/")
		metric.Dimensions = append(metric.Dimensions, types.Dimension{Name: aws.String("TargetGroup"), Value: aws.String("targetgroup/" + group)})
	}
	return types.MetricDataQuery{Id: &id, MetricStat: &types.MetricStat{Metric: metric, Period: aws.Int32(60), Stat: &m.Stat}}
}
