package rollout

import (
	"testing"
	"time"

	"ecs-fleet/internal/fleet"
)

func TestWhatIsBadAboutMetrics(t *testing.T) {
	const group, other, balancer = fleet.ARN("arn:aws:elasticloadbalancing:eu-west-1:1:targetgroup/rails/1"), fleet.ARN("arn:aws:elasticloadbalancing:eu-west-1:1:targetgroup/other/2"), fleet.ARN("arn:aws:elasticloadbalancing:eu-west-1:1:loadbalancer/app/shared/3")
	deploy, baked := time.Date(2026, 1, 31, 4, 0, 0, 0, time.UTC), time.Date(2026, 1, 31, 4, 5, 0, 0, time.UTC)
	// minutes are values from an instant on, one a minute.
	minutes := func(from time.Time, values ...float64) fleet.Minutes {
		m := make(fleet.Minutes)
		for i, v := range values {
			m[from.Add(time.Duration(i)*time.Minute)] = v
		}
		return m
	}
	join := func(all ...fleet.Minutes) fleet.Minutes {
		m := make(fleet.Minutes)
		for _, one := range all {
			for at, v := range one {
				m[at] = v
			}
		}
		return m
	}
	before := deploy.Add(-3 * time.Minute)
	busy := join(minutes(before, 600, 600, 600), minutes(baked, 600, 600))
	errors, gateway, unhealthy := errorsOf(balancer, group), gatewayErrorsOf(balancer), unhealthyOf(balancer, group)
	for name, c := range map[string]struct {
		metrics map[fleet.Metric]fleet.Minutes
		targets map[fleet.ARN][]fleet.Target
		want    string
	}{
		"nothing is":                         {},
		"as many errors as ever":             {metrics: map[fleet.Metric]fleet.Minutes{errors: join(minutes(before, 60, 60, 60), minutes(baked, 60, 60))}},
		"twice as many are not yet too many": {metrics: map[fleet.Metric]fleet.Minutes{errors: join(minutes(before, 60, 60, 60), minutes(baked, 120, 120))}},
		"more than twice as many": {metrics: map[fleet.Metric]fleet.Minutes{errors: join(minutes(before, 60, 60, 60), minutes(baked, 130, 130))},
			want: "260 answers of 5xx at target group rails: 21.7% of the requests, 10.0% before the deploy"},
		"a handful out of nothing":                           {metrics: map[fleet.Metric]fleet.Minutes{errors: minutes(baked, 9)}},
		"few among many requests":                            {metrics: map[fleet.Metric]fleet.Minutes{errors: minutes(baked, 12)}},
		"errors while the deploy went on are not the bake's": {metrics: map[fleet.Metric]fleet.Minutes{errors: minutes(deploy, 300, 300, 300)}},
		"a task that does not answer": {metrics: map[fleet.Metric]fleet.Minutes{gateway: minutes(baked, 40, 40)},
			want: "80 answers of 502 to 504 by load balancer shared, for want of one from a task: 6.7% of the requests, 0.0% before the deploy"},
		"a neighbour's task that does not answer": {metrics: map[fleet.Metric]fleet.Minutes{gateway: minutes(baked, 40, 40)},
			targets: map[fleet.ARN][]fleet.Target{other: {{State: "unhealthy"}}, group: {{State: "healthy"}}}},
		"one minute with an unhealthy target": {metrics: map[fleet.Metric]fleet.Minutes{unhealthy: minutes(baked, 1, 0)}},
		"two minutes with one": {metrics: map[fleet.Metric]fleet.Minutes{unhealthy: join(minutes(before, 0, 0, 0), minutes(baked, 1, 1))},
			want: "up to 1 unhealthy targets in 2 minutes at target group rails, 0 before the deploy"},
		"as unhealthy as ever": {metrics: map[fleet.Metric]fleet.Minutes{unhealthy: join(minutes(before, 1, 1, 1), minutes(baked, 1, 1))}},
	} {
		t.Run(name, func(t *testing.T) {
			u := &unit{}
			metrics := map[fleet.Metric]fleet.Minutes{requestsOf(balancer, group): busy, requestsOf(balancer, ""): busy}
			for m, values := range c.metrics {
				metrics[m] = values
			}
			h := &health{
				oven: &oven{began: baked, aws: func(at time.Time) time.Time {
					return map[bool]time.Time{true: baked, false: baked.Add(2 * time.Minute)}[at.Equal(baked)]
				}},
				began: map[*unit]time.Time{u: deploy}, metrics: metrics, targets: c.targets,
				balancers: map[fleet.ARN]fleet.ARN{group: balancer, other: balancer},
			}
			got := ""
			for _, text := range h.numbers(u, group) {
				got += text
			}
			if got != c.want {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
		})
	}
}
