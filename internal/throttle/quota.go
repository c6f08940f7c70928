package throttle

import (
	"maps"
	"slices"
)

// Quota is a token bucket: Rate requests a second on average, Burst at once
// after a pause.
type Quota struct{ Rate, Burst float64 }

// jitter is how much closer together two requests may reach AWS than they were
// sent, in seconds: the spread of the network's and the front end's latency.
// An estimate; for a spread of twice 50 ms no request is refused.
const jitter = 0.1

// safeBurst is the burst that we use of a quota. One token stays for requests
// that AWS counts a moment earlier than we do, and what jitter may compress.
// Small bursts keep at least half of themselves, and no bucket can do with less
// than one token.
func safeBurst(q Quota) float64 {
	return max(1, q.Burst/2, q.Burst-1-jitter*q.Rate)
}

// The sources of seeds.
//
//   - ECS: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/request-throttling.html
//   - Fargate: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/throttling.html
//   - ELB: https://docs.aws.amazon.com/elasticloadbalancing/latest/userguide/elb-api-throttling.html
//   - CloudWatch: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html
//   - Logs: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html
//   - STS: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
//   - ECR: https://docs.aws.amazon.com/AmazonECR/latest/userguide/service-quotas.html
//   - SSM: https://docs.aws.amazon.com/general/latest/gr/ssm.html
//
// CodeDeploy (https://docs.aws.amazon.com/codedeploy/latest/userguide/limits.html) and
// Application Auto Scaling
// (https://docs.aws.amazon.com/autoscaling/application/userguide/application-auto-scaling-quotas.html)
// publish no request rates.

// seeds are the quotas that buckets start from. Where AWS documents a rate and
// no burst, the burst is one second's worth, which is a guess, too.
var seeds = map[string]Quota{
	"ecs:task-definition-modify":        {Rate: 1, Burst: 20},
	"ecs:task-definition-read":          {Rate: 20, Burst: 50},
	"ecs:task-definition-deletion":      {Rate: 1, Burst: 5},
	"ecs:service-modify":                {Rate: 5, Burst: 50},
	"ecs:service-read":                  {Rate: 20, Burst: 100},
	"ecs:service-deployment":            {Rate: 20, Burst: 50},
	"ecs:service-revision":              {Rate: 20, Burst: 50},
	"ecs:cluster-resource-modify":       {Rate: 40, Burst: 100},
	"ecs:cluster-resource-read":         {Rate: 20, Burst: 100},
	"ecs:cluster-read":                  {Rate: 20, Burst: 50},
	"ecs:cluster-modify":                {Rate: 1, Burst: 20},
	"ecs:cluster-service-resource-read": {Rate: 1, Burst: 10},
	"ecs:capacity-provider-modify":      {Rate: 1, Burst: 10},
	"ecs:capacity-provider-read":        {Rate: 20, Burst: 50},
	"ecs:tag-modify":                    {Rate: 10, Burst: 20},
	"ecs:tag-read":                      {Rate: 20, Burst: 50},
	"ecs:setting-modify":                {Rate: 1, Burst: 10},
	"ecs:setting-read":                  {Rate: 20, Burst: 50},
	"ecs:task-protection":               {Rate: 80, Burst: 200},

	// RunTask belongs to cluster-resource-modify and, on Fargate, to this
	// narrower bucket on top of it, which is always the one that runs out.
	"ecs:run-task": {Rate: 20, Burst: 20},

	// Guesses: AWS's table names none of these actions.
	"ecs:service-deployment-modify": {Rate: 5, Burst: 10}, // as service-modify, with less at once
	"ecs:task-set-modify":           {Rate: 5, Burst: 10}, // as service-modify
	"ecs:task-set-read":             {Rate: 10, Burst: 20},
	"ecs:other":                     {Rate: 1, Burst: 5}, // the lowest rate of the table

	// A guess: GetDeployment polled 41 times a minute has been throttled,
	// https://github.com/awslabs/aws-codedeploy-plugin/issues/95.
	"codedeploy": {Rate: 1, Burst: 5},

	// Guesses: a handful of parallel writes has been throttled,
	// https://github.com/hashicorp/terraform-provider-aws/issues/31447.
	"application-autoscaling:write": {Rate: 2, Burst: 5},
	"application-autoscaling:read":  {Rate: 5, Burst: 10},

	"elbv2:read":  {Rate: 10, Burst: 40},
	"elbv2:write": {Rate: 3, Burst: 20},

	"cloudwatch:describe-alarms":        {Rate: 9, Burst: 9},
	"cloudwatch:describe-alarm-history": {Rate: 20, Burst: 20},
	"cloudwatch:get-metric-data":        {Rate: 500, Burst: 500},
	"cloudwatch:other":                  {Rate: 5, Burst: 5}, // a guess

	// The lowest of all Regions; most allow more.
	"logs:get-log-events":    {Rate: 10, Burst: 10},
	"logs:filter-log-events": {Rate: 5, Burst: 5},
	"logs:other":             {Rate: 5, Burst: 5}, // a guess

	"sts":              {Rate: 600, Burst: 600},
	"sts:web-identity": {Rate: 20, Burst: 20}, // a guess: no number is published

	"ecr": {Rate: 20, Burst: 40}, // a guess: no number is published for DescribeImages

	"ssm": {Rate: 40, Burst: 40},

	"other": {Rate: 5, Burst: 10}, // a guess for services that are not in this file
}

// Buckets lists the names of all buckets, sorted.
func Buckets() []string { return slices.Sorted(maps.Keys(seeds)) }

// Documented is the quota that AWS documents for a bucket or, where it
// documents none, the careful guess that stands in for it. ok is false when no
// bucket has that name.
func Documented(bucket string) (q Quota, ok bool) {
	q, ok = seeds[bucket]
	return q, ok
}

// bucketOf names the bucket of an action. service is the SDK's service id. An
// action that is not listed gets the most careful bucket of its service.
func bucketOf(service, action string) string {
	buckets, ok := actions[service]
	if !ok {
		return "other"
	}
	if name, ok := buckets[action]; ok {
		return name
	}
	return buckets[anyOther]
}

// anyOther stands for the actions of a service that have no line of their own.
const anyOther = "*"

// actions maps the SDK's service id and the action to the bucket. The rows of
// ECS are AWS's categories.
var actions = map[string]map[string]string{
	"ECS": {
		"RegisterTaskDefinition":   "ecs:task-definition-modify",
		"DeregisterTaskDefinition": "ecs:task-definition-modify",

		"DescribeTaskDefinition":     "ecs:task-definition-read",
		"ListTaskDefinitions":        "ecs:task-definition-read",
		"ListTaskDefinitionFamilies": "ecs:task-definition-read",

		"DeleteTaskDefinitions": "ecs:task-definition-deletion",

		"CreateService": "ecs:service-modify",
		"UpdateService": "ecs:service-modify",
		"DeleteService": "ecs:service-modify",

		"DescribeServices": "ecs:service-read",
		"ListServices":     "ecs:service-read",

		"DescribeServiceDeployments": "ecs:service-deployment",
		"ListServiceDeployments":     "ecs:service-deployment",
		"StopServiceDeployment":      "ecs:service-deployment-modify",
		"ContinueServiceDeployment":  "ecs:service-deployment-modify",

		"DescribeServiceRevisions": "ecs:service-revision",

		"RunTask":                       "ecs:run-task",
		"StopTask":                      "ecs:cluster-resource-modify",
		"StartTask":                     "ecs:cluster-resource-modify",
		"ExecuteCommand":                "ecs:cluster-resource-modify",
		"PutAttributes":                 "ecs:cluster-resource-modify",
		"DeleteAttributes":              "ecs:cluster-resource-modify",
		"DeregisterContainerInstance":   "ecs:cluster-resource-modify",
		"UpdateContainerInstancesState": "ecs:cluster-resource-modify",

		"DescribeTasks":              "ecs:cluster-resource-read",
		"ListTasks":                  "ecs:cluster-resource-read",
		"DescribeContainerInstances": "ecs:cluster-resource-read",
		"ListContainerInstances":     "ecs:cluster-resource-read",
		"ListAttributes":             "ecs:cluster-resource-read",

		"DescribeClusters": "ecs:cluster-read",
		"ListClusters":     "ecs:cluster-read",

		"CreateCluster":               "ecs:cluster-modify",
		"DeleteCluster":               "ecs:cluster-modify",
		"UpdateCluster":               "ecs:cluster-modify",
		"UpdateClusterSettings":       "ecs:cluster-modify",
		"PutClusterCapacityProviders": "ecs:cluster-modify",

		"ListServicesByNamespace": "ecs:cluster-service-resource-read",

		"CreateCapacityProvider":    "ecs:capacity-provider-modify",
		"UpdateCapacityProvider":    "ecs:capacity-provider-modify",
		"DeleteCapacityProvider":    "ecs:capacity-provider-modify",
		"DescribeCapacityProviders": "ecs:capacity-provider-read",

		"TagResource":         "ecs:tag-modify",
		"UntagResource":       "ecs:tag-modify",
		"ListTagsForResource": "ecs:tag-read",

		"PutAccountSetting":        "ecs:setting-modify",
		"PutAccountSettingDefault": "ecs:setting-modify",
		"DeleteAccountSetting":     "ecs:setting-modify",
		"ListAccountSettings":      "ecs:setting-read",

		"GetTaskProtection":    "ecs:task-protection",
		"UpdateTaskProtection": "ecs:task-protection",

		"CreateTaskSet":               "ecs:task-set-modify",
		"UpdateTaskSet":               "ecs:task-set-modify",
		"DeleteTaskSet":               "ecs:task-set-modify",
		"UpdateServicePrimaryTaskSet": "ecs:task-set-modify",
		"DescribeTaskSets":            "ecs:task-set-read",

		anyOther: "ecs:other",
	},
	"CodeDeploy": {
		anyOther: "codedeploy",
	},
	"Application Auto Scaling": {
		"DescribeScalableTargets":   "application-autoscaling:read",
		"DescribeScalingActivities": "application-autoscaling:read",
		"DescribeScalingPolicies":   "application-autoscaling:read",
		"DescribeScheduledActions":  "application-autoscaling:read",
		"ListTagsForResource":       "application-autoscaling:read",

		anyOther: "application-autoscaling:write",
	},
	"Elastic Load Balancing v2": {
		"DescribeListeners":     "elbv2:read",
		"DescribeLoadBalancers": "elbv2:read",
		"DescribeRules":         "elbv2:read",
		"DescribeTags":          "elbv2:read",
		"DescribeTargetGroups":  "elbv2:read",
		"DescribeTargetHealth":  "elbv2:read",

		anyOther: "elbv2:write",
	},
	"CloudWatch": {
		"DescribeAlarms":       "cloudwatch:describe-alarms",
		"DescribeAlarmHistory": "cloudwatch:describe-alarm-history",
		"GetMetricData":        "cloudwatch:get-metric-data",

		anyOther: "cloudwatch:other",
	},
	"CloudWatch Logs": {
		"GetLogEvents":    "logs:get-log-events",
		"FilterLogEvents": "logs:filter-log-events",

		anyOther: "logs:other",
	},
	"STS": {
		"AssumeRoleWithWebIdentity": "sts:web-identity",

		anyOther: "sts",
	},
	"ECR": {
		anyOther: "ecr",
	},
	"SSM": {
		anyOther: "ssm",
	},
}
