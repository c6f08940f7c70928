package sim

import (
	"math"
	"slices"
	"strings"
	"time"
)

// size is a documented quota.
type size struct{ rate, burst float64 }

// ecsBuckets are the request quotas of ECS, per account and Region.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/request-throttling.html
func ecsBuckets() map[string]size {
	return map[string]size{
		"ecs:task-definition-modify":   {1, 20},
		"ecs:task-definition-read":     {20, 50},
		"ecs:task-definition-deletion": {1, 5},
		"ecs:service-modify":           {5, 50},
		"ecs:service-read":             {20, 100},
		"ecs:service-deployment":       {20, 50},
		"ecs:service-revision":         {20, 50},
		"ecs:cluster-resource-modify":  {40, 100},
		"ecs:cluster-resource-read":    {20, 100},
		"ecs:cluster-read":             {20, 50},
		"ecs:cluster-modify":           {1, 20},
		"ecs:tag-modify":               {10, 20},
		"ecs:tag-read":                 {20, 50},
		"ecs:task-protection":          {80, 200},
		// The page lists neither StopServiceDeployment nor
		// ContinueServiceDeployment. A guess: as slow as the other writes to
		// services, in a bucket of their own, with little burst.
		"ecs:service-deployment-stop": {5, 10},
	}
}

// fargateBuckets are launch rates.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/throttling.html
func fargateBuckets() map[string]size {
	return map[string]size{
		"fargate:on-demand": {20, 100},
		"fargate:spot":      {20, 100},
		"fargate:run-task":  {20, 20},
	}
}

// otherBuckets are the quotas of the other services.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
// https://docs.aws.amazon.com/AmazonECR/latest/userguide/service-quotas.html
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html
// https://docs.aws.amazon.com/elasticloadbalancing/latest/userguide/elb-api-throttling.html
// The pages give rates; that a burst is one second's worth is a guess.
func otherBuckets(region string) map[string]size {
	events, filter := logRates(region)
	return map[string]size{
		"sts":                       {600, 600},
		"ecr:BatchGetImage":         {2000, 2000},
		"ecr:PutImage":              {10, 10},
		"logs:GetLogEvents":         {events, events},
		"logs:FilterLogEvents":      {filter, filter},
		"logs:DescribeLogStreams":   {25, 25}, // 25 in most Regions
		"cloudwatch:DescribeAlarms": {9, 9},
		"cloudwatch:GetMetricData":  {500, 500},
		"elasticloadbalancing:read": {10, 40},
		// No number is published for DescribeImages: a guess, high enough not
		// to matter.
		"ecr:DescribeImages": {1000, 1000},
		// CodeDeploy publishes no number either. A guess, below what is reported
		// as throttled: GetDeployment every 1.5 s with bursts,
		// https://github.com/awslabs/aws-codedeploy-plugin/issues/95
		"codedeploy": {2, 10},
	}
}

func logRates(region string) (events, filter float64) {
	slow := []string{"us-west-2", "eu-west-1", "eu-central-1", "ap-northeast-3", "ap-southeast-3", "ca-west-1", "il-central-1"}
	events, filter = 25, 10
	switch {
	case slices.Contains(slow, region):
		events = 10
	case region == "eu-west-3":
		events = 30
	}
	switch region {
	case "us-east-1":
		filter = 25
	case "eu-central-1", "ca-west-1":
		filter = 5
	}
	return events, filter
}

// autoscalingBuckets are guesses: Application Auto Scaling publishes no request
// rates, https://docs.aws.amazon.com/autoscaling/application/userguide/application-auto-scaling-quotas.html
// but a handful of parallel writes is refused:
// https://github.com/hashicorp/terraform-provider-aws/issues/31447
func autoscalingBuckets() map[string]size {
	return map[string]size{
		"application-autoscaling:read":  {10, 20},
		"application-autoscaling:write": {5, 10},
	}
}

// documented are all quotas of a Region.
func documented(region string) map[string]size {
	all := ecsBuckets()
	for _, more := range []map[string]size{fargateBuckets(), otherBuckets(region), autoscalingBuckets()} {
		for name, s := range more {
			all[name] = s
		}
	}
	return all
}

// perService is how fast the scheduler launches the tasks of one service: 500
// a minute. https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-quotas.html
// ("Rate of tasks launched by a service"). Whether they may come at once is
// not said; a burst of 500 is a guess.
func perService() size { return size{500.0 / 60, 500} }

// buckets makes the buckets of an account's Region.
func buckets(name string, w Region, start time.Time) map[string]*bucket {
	factor := w.QuotaFactor
	if factor == 0 {
		factor = 1
	}
	made := map[string]*bucket{}
	for id, s := range documented(name) {
		if strings.HasPrefix(id, "fargate:") { // launch rates are no API quotas
			made[id] = newBucket(s.rate, s.burst, start)
		} else {
			made[id] = newBucket(s.rate*factor, s.burst*factor, start)
		}
	}
	for id, q := range w.Quotas {
		resize(made[id], q, start)
	}
	for _, n := range w.Neighbours {
		made[n.Bucket].neighbours = append(made[n.Bucket].neighbours, settle(n, start))
	}
	return made
}

func resize(b *bucket, q Quota, start time.Time) {
	b.rate, b.burst = either(q.Rate, b.rate), either(q.Burst, b.burst)
	b.tokens = b.burst
	rate, burst := b.rate, b.burst
	for _, c := range q.Changes {
		rate, burst = either(c.Rate, rate), either(c.Burst, burst)
		b.changes = append(b.changes, change{start.Add(time.Duration(c.At)), rate, burst})
	}
}

func settle(n Neighbour, start time.Time) neighbour {
	made := neighbour{
		next: start.Add(time.Duration(n.From)),
		step: time.Duration(math.Round(float64(time.Second) / n.Rate)),
	}
	if n.Until > 0 {
		made.until = start.Add(time.Duration(n.Until))
	}
	return made
}

func either[T any](given *T, otherwise T) T {
	if given != nil {
		return *given
	}
	return otherwise
}
