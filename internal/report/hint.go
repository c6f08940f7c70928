package report

import (
	"regexp"
	"slices"
	"strings"
)

// Pages that hints point to.
const (
	pageStopped     = "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-error-codes.html"
	pageEvents      = "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-event-messages-list.html"
	pageBreaker     = "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-circuit-breaker.html"
	pageThrottling  = "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/request-throttling.html"
	pageProtection  = "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-scale-in-protection.html"
	pageOIDC        = "https://docs.github.com/en/actions/reference/security/oidc"
	pageCodeDeploy  = "https://docs.aws.amazon.com/codedeploy/latest/userguide/limits.html"
	pageTaskSet     = "https://docs.aws.amazon.com/codedeploy/latest/userguide/troubleshooting-ecs.html"
	pageHooks       = "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-lifecycle-hooks.html"
	pageAlarms      = "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-alarm-failure.html"
	pageDeployments = "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-deployment.html"
	pageTargets     = "https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html"
	pageErrors      = "https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-troubleshooting.html"
)

// What an error is comes first in its text. These bound the work on thousands
// of failures with pages of log each.
const (
	hintReads = 1000 // characters of a line
	hintLines = 50
)

// hint is a row of the table: what an error says, and what helps.
type hint struct {
	says   []string // substrings, in lower case; one is enough
	with   []string // and one of these, too; empty: nothing more
	task   bool     // also when the evidence says it: why tasks stopped
	advice string
	page   string // URL; may be empty
}

// hints are tried from the top, so the special stands above the general, and
// what a task died of above what ECS concludes from that. Sources of the
// strings: the pages above, and
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/api_failures_messages.html
var hints = []hint{
	{says: []string{"assumerolewithwebidentity"}, with: []string{"not authorized", "accessdenied", "access denied"},
		advice: `let the role's trust policy accept this job's token: compare its "sub" and "aud" conditions with the job's repository and GitHub environment (repositories created since July 2026 carry @ids in "sub")`, page: pageOIDC},
	{says: []string{"sts:assumerole"}, with: []string{"not authorized", "accessdenied", "access denied"},
		advice: `allow sts:AssumeRole on this role to the credentials of the job, and name them in the role's trust policy (with the external ID, where it asks for one); see README "Permissions"`},
	{says: []string{"iam:passrole"},
		advice: `allow iam:PassRole for the task role and the execution role of the task definition, to ecs-tasks.amazonaws.com; see README "Permissions"`},
	{says: []string{"expiredtoken", "token included in the request is expired", "credentials have expired", "credentials expired"},
		advice: "the credentials ended before the run did: let the step before ask for a longer session (role-duration-seconds), or give a role-arn here, which is renewed while the run lasts"},
	{says: []string{"wrong account", "credentials belong to account", "credentials are for account"},
		advice: "correct account or role-arn of the environment in the fleet file; nothing has been written to the other account"},

	{says: []string{"failed its bake"}, with: []string{"targets unhealthy", "unhealthy targets"},
		advice: "look at the task that is named (its CPU, memory and log): one that does not answer health checks in time makes requests end in a 504; stopping it has ECS start another, more or larger tasks make it less busy", page: pageTargets},
	{says: []string{"failed its bake: alarm"},
		advice: "the deployment had succeeded: see in CloudWatch what the alarm measures, and in the application's log since the deploy what changed"},
	{says: []string{"failed its bake"}, with: []string{"5xx", "502 to 504"},
		advice: "the deployment had succeeded, and the new version answers with errors that no health check sees: see the application's log since the deploy", page: pageErrors},

	{says: []string{"cannotpull"}, task: true, with: []string{"matching platform", "no matching manifest"},
		advice: "the image is there, but not for this processor: build it for the platform of the task definition (linux/amd64 or linux/arm64)", page: pageStopped},
	{says: []string{"cannotpull"}, task: true, with: []string{"toomanyrequests", "rate limit"},
		advice: "the registry limits anonymous pulls: copy the image to ECR, or give the task definition the registry's credentials", page: pageStopped},
	{says: []string{"cannotpull"}, task: true, with: []string{"denied", "403", "no basic auth", "unauthorized", "not authorized"},
		advice: "the execution role may not pull: allow it ecr:GetAuthorizationToken, ecr:BatchGetImage and ecr:GetDownloadUrlForLayer, and in the repository's policy when that is in another account", page: pageStopped},
	{says: []string{"cannotpull"}, task: true, with: []string{"not found", "manifest unknown", "does not exist"},
		advice: "the image is not in the registry: check the tag, and that the build pushed it to this account and Region, for this platform", page: pageStopped},
	{says: []string{"cannotpull"}, task: true, with: []string{"timeout", "dial tcp", "no route", "deadline", "canceled", "tls handshake"},
		advice: "the task has no way to the registry: it needs a NAT gateway, a public IP, or VPC endpoints for ecr.api, ecr.dkr and s3", page: pageStopped},
	{says: []string{"cannotpull"}, task: true,
		advice: "the image could not be pulled: check the tag, the execution role's ECR permissions, and the subnet's way to the registry", page: pageStopped},
	{says: []string{"resourceinitializationerror"}, task: true, with: []string{"secret", "ssm", "parameter"},
		advice: "the task could not read its secrets: check their names, the execution role's permission to read and decrypt them, and the subnet's way to Secrets Manager or SSM", page: pageStopped},
	{says: []string{"resourceinitializationerror"}, task: true, with: []string{"log"},
		advice: "the log driver could not start: check that the log group exists, and that the execution role may write to it", page: pageStopped},
	{says: []string{"resourceinitializationerror"}, task: true,
		advice: "the task's surroundings could not be set up (secrets, registry, log driver, EFS): check the execution role and the network", page: pageStopped},
	{says: []string{"outofmemory", "exit code 137", "exit code: 137", "exited 137", "exited with 137"}, task: true,
		advice: "the container was killed, most likely for using more memory than it may: raise its memory limit or the task's size", page: pageStopped},
	{says: []string{"exec format error"}, task: true,
		advice: "the image is built for another processor: build it for the platform of the task definition (X86_64 or ARM64)"},
	{says: []string{"failed elb health checks", "failed health checks", "is unhealthy in", "unhealthy in target group"}, task: true,
		advice: "the load balancer found the tasks unhealthy: check the health check's path, port and timeout, the security group, and a grace period longer than the start of the application", page: pageEvents},
	{says: []string{"failed container health checks"}, task: true,
		advice: "the container's own health check failed: run its command in the image, and check startPeriod against the start of the application", page: pageStopped},
	{says: []string{"cannotstartcontainer", "containerruntimeerror", "containerruntimetimeouterror", "cannotcreatevolume", "cannotinspectcontainer", "cannotstopcontainer"}, task: true,
		advice: "the container could not be run: check its command, entry point, volumes and user", page: pageStopped},
	{says: []string{"essential container", "exited with code", "exit code"}, task: true,
		advice: "the application ended by itself: its exit code and its last log lines tell why"},

	{says: []string{"capacity is unavailable", "insufficient capacity", "spotinterruption", "spot interruption"}, task: true,
		advice: "AWS has no room for these tasks just now: run again later, add subnets in other Availability Zones, or mix FARGATE with FARGATE_SPOT", page: pageEvents},
	{says: []string{"limit on the number of vcpus", "limit on the number of tasks"}, task: true,
		advice: "the account's Fargate quota is used up (a deployment needs room for old and new tasks): ask for a larger one in Service Quotas", page: pageEvents},
	{says: []string{"unable to place a task", "resource:cpu", "resource:memory", "resource:ports", "resource:eni", "no container instance", "empty capacity provider"}, task: true,
		advice: "the cluster has no room for a further task: add container instances, or lower minimum healthy percent so that old tasks make room", page: pageEvents},
	{says: []string{"unable to stop or start tasks during a deployment", "cannot start or stop a task"},
		advice: "the deployment configuration lets ECS neither start a new task nor stop an old one: raise maximum percent to 200, or lower minimum healthy percent", page: pageEvents},
	{says: []string{"protected task", "deployment_blocked", "task protection"},
		advice: "old tasks are protected from being stopped: the deployment ends when they unset it or it expires", page: pageProtection},
	{says: []string{"throttl", "rate exceeded", "toomanyrequests", "requestlimitexceeded"},
		advice: "this quota is shared with everything else in the account and Region: run fewer pipelines at once, lower api-share, or ask AWS Support for a larger quota", page: pageThrottling},
	{says: []string{"too many concurrent attempts to create a new revision"},
		advice: "another pipeline registers the same task definition family: run again when it is through"},
	{says: []string{"deploymentlimitexceeded"},
		advice: "the deployment group is busy with another deployment (one at a time; it also waits to end old tasks): wait for it, or use on-in-progress", page: pageCodeDeploy},
	{says: []string{"code_deploy deployment controller"},
		advice: "this service is deployed by CodeDeploy, not by ECS itself"},
	{says: []string{"clusternotfound"}, advice: "check cluster, region and account of the environment in the fleet file"},
	{says: []string{"servicenotfound", "servicenotactive"}, advice: "check the service's name, cluster, region and account in the fleet file; a new service has to be created first"},
	{says: []string{"somebody else", "someone else", "another deployment has replaced"},
		advice: "another pipeline or person deployed at the same time: see which version is wanted, then run again"},
	{says: []string{"so did ecs's rollback"},
		advice: "nobody knows which version serves: look at the service in the console at once, and deploy the version that is wanted by hand", page: pageDeployments},
	{says: []string{"lifecycle hook", "not continued within its wait time"}, with: []string{"timed out", "timeout"},
		advice: "nobody continued the deployment in time, or the hook's function never answered: run again and continue it, or give the hook a longer timeout", page: pageHooks},
	{says: []string{"lifecycle hook", "hook_execution_failure", "validation functions failed"},
		advice: "a check of your own refused the new version: the hook's function, and its log, tell why", page: pageHooks},
	{says: []string{"waiting for a person"},
		advice: "the deployment waits at a pause for longer than this run may: continue it earlier, raise timeout, or wait for less (wait-for)", page: pageHooks},
	{says: []string{"cloudwatch alarm", "alarm_active", "; alarms "},
		advice: "an alarm fired while the new version was deployed: its metric tells whether the new version is to blame, then run again", page: pageAlarms},
	{says: []string{"replacement task set"}, with: []string{"60 minutes", "healthy"},
		advice: "no task of the new version became healthy in an hour: the stopped tasks, their logs and the target group's health checks tell why", page: pageTaskSet},
	{says: []string{"circuit breaker"},
		advice: "too many new tasks failed, so ECS went back: the stopped tasks and the service's events tell why", page: pageBreaker},
	{says: []string{"no such host", "connection refused", "network is unreachable", "i/o timeout"},
		advice: "the runner could not reach AWS: check the Region's name, the runner's network, and proxies"},
	{says: []string{"timed out", "deadline exceeded", "timeout"},
		advice: "ECS goes on with the deployment: look at the service's events in the console, and raise timeout when the start just takes long", page: pageEvents},
}

// Hint is advice on an error: what to do, and where AWS explains it. reason is
// what the service's row says, evidence what its details say. Empty when the
// table knows nothing about it.
//
// Evidence counts only for what tasks die of. It holds the application's own
// log lines, and an "access denied" there is not one of AWS.
func Hint(reason string, evidence ...string) string {
	reason = shorten(reason, hintReads, "")
	if action := deniedAction(reason); action != "" && !strings.HasPrefix(action, "sts:") && action != "iam:PassRole" {
		return "allow " + action + deniedRole(reason) + `; see README "Permissions"`
	}
	said, shown := strings.ToLower(reason), make([]string, 0, len(evidence))
	for _, line := range evidence[:min(len(evidence), hintLines)] {
		shown = append(shown, strings.ToLower(shorten(line, hintReads, "")))
	}
	for _, h := range hints {
		if h.matches(said) || h.task && slices.ContainsFunc(shown, h.matches) {
			return h.String()
		}
	}
	if deniedWords.MatchString(reason) {
		return `the role in use lacks a permission; see README "Permissions"`
	}
	return ""
}

// String is the advice, with the page behind it.
func (h hint) String() string {
	if h.page == "" {
		return h.advice
	}
	return h.advice + "; see " + h.page
}

// matches expects text in lower case.
func (h hint) matches(text string) bool {
	in := func(part string) bool { return strings.Contains(text, part) }
	return slices.ContainsFunc(h.says, in) && (len(h.with) == 0 || slices.ContainsFunc(h.with, in))
}

// hintMarkdown is a hint with its page as a link, if the page is one of ours: a
// hint is a string that travels through a record anybody may fill.
func hintMarkdown(text string) string {
	for _, h := range hints {
		if advice, found := strings.CutSuffix(text, "; see "+h.page); found && h.page != "" {
			return Escape(advice) + " ([details](" + h.page + "))"
		}
	}
	return Escape(text)
}

// What AWS and cloud's errors say when a permission is missing, e.g. "User:
// arn:aws:sts::444455556666:assumed-role/deploy/run is not authorized to
// perform: ecs:UpdateService on resource: …".
// https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
var (
	deniedPattern = regexp.MustCompile(`(?i)(?:not authorized to perform:?|access denied for) ([a-z0-9-]+:[A-Za-z]+)`)
	deniedWords   = regexp.MustCompile(`(?i)access ?denied|not authorized`)
	rolePattern   = regexp.MustCompile(`:assumed-role/([\w+=,.@-]+)/`)
)

func deniedAction(reason string) string {
	if m := deniedPattern.FindStringSubmatch(reason); m != nil {
		return m[1]
	}
	return ""
}

func deniedRole(reason string) string {
	if m := rolePattern.FindStringSubmatch(reason); m != nil {
		return " to role " + m[1]
	}
	return ""
}
