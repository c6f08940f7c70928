package action

import (
	"fmt"
	"slices"
	"time"
)

// Kind is how an input is written; it stands in the reference.
type Kind string

const (
	Text     Kind = "text"
	List     Kind = "list"  // names, separated by commas or line breaks
	Lines    Kind = "lines" // an entry a line
	Choice   Kind = "choice"
	Boolean  Kind = "boolean"
	Duration Kind = "duration"
	Count    Kind = "count"
	Share    Kind = "share" // a percentage
	Budget   Kind = "count or share"
	Moment   Kind = "word or stage"
)

// Input is a row of the table: everything about an input but its conversion,
// which is a line of Raw.Parse.
type Input struct {
	Name        string // the input's and the flag's
	Kind        Kind
	Choices     []string // of a Choice
	Default     string   // the value where none is given; empty: see Unset
	Unset       string   // in words, what it means when none is given and there is no Default
	Required    bool
	Policy      bool // may stand under policy: in the fleet file
	Description string
}

// DefaultTimeout is how long a service may take, from its first accepted
// write, where no timeout is given, besides what its strategy takes on purpose.
const DefaultTimeout = 30 * time.Minute

// Table is every input of the action, in the order of the reference, of
// mistakes and of action.yml.
func Table() []Input {
	return []Input{
		{Name: "command", Kind: Choice, Choices: []string{"deploy", "scale", "rollback"}, Default: "deploy",
			Description: "What to do: `deploy` puts an image on every selected service, `scale` changes how many tasks they run, `rollback` returns each to the revision of its last successful deployment before the newest one, or to the newest revision with `image-tag`."},
		{Name: "environments", Kind: Text, Required: true,
			Description: "Which environments: selectors, separated by commas or line breaks (names, globs such as `tenant-*`, `key=value` for a label, `region`, `account` or `wave`, each with `!` before it to take away; `*` is everything), or an inline YAML list of environments. A selector that matches nothing is a mistake."},
		{Name: "services", Kind: List, Unset: "all; required by `scale` where an environment has several",
			Description: "Names or globs of services, separated by commas or line breaks; `*` is all."},
		{Name: "fleet-file", Kind: Text, Default: ".github/ecs-fleet.yml",
			Description: "Where the fleet is described. It need not exist when `environments` is an inline list; where it exists, `environments` takes selectors only."},
		{Name: "image-tag", Kind: Text,
			Description: "The tag, or `sha256:` digest, to put on the selected containers' images; their repositories stay."},
		{Name: "image", Kind: Text,
			Description: "A whole image reference instead of a tag."},
		{Name: "images", Kind: Lines,
			Description: "One `container=value` a line, where containers differ. A value holding `/`, `:` or `@` is a whole reference (a bare `sha256:…` a digest), else a tag."},
		{Name: "container", Kind: List,
			Unset:       "the only container, else all whose repository is that of `image`",
			Description: "The container or containers that get the image, separated by commas, where the fleet file does not say."},
		{Name: "task-cpu", Kind: Text, Unset: "as it is",
			Description: "The new size of a task: CPU units (`8192`) or `8 vCPU`."},
		{Name: "task-memory", Kind: Text, Unset: "as it is",
			Description: "The new size of a task: MiB (`16384`) or `16 GB`. On Fargate a combination that AWS is not known to have is a warning."},
		{Name: "desired-count", Kind: Lines, Unset: "with `scale`: the fleet file's; with `deploy`: as it is",
			Description: "The number of tasks. With `deploy` more tasks come before the deployment and fewer after it. `8`, or relative to what AWS shows: `+4`, `-2`, `200%` (rounded up); or a line for each service: `rails=12`. Relative numbers are refused when a job is run again, which would add twice."},
		{Name: "allow-zero", Kind: Boolean, Default: "false",
			Description: "Lets `scale` stop the last task of a service."},
		{Name: "max-tasks", Kind: Count, Default: "200", Policy: true,
			Description: "The largest number of tasks that `scale` accepts for a service: it catches the slipped zero."},
		{Name: "min-capacity", Kind: Count, Unset: "with `adjust`: the number of tasks",
			Description: "With `scale`: the new minimum of the services' autoscaling. Without `desired-count` the bounds alone are changed."},
		{Name: "max-capacity", Kind: Count, Unset: "with `adjust`: as it is, but no lower than the number of tasks",
			Description: "With `scale`: the new maximum of the services' autoscaling."},
		{Name: "autoscaling", Kind: Choice, Choices: []string{"adjust", "suspend", "ignore", "leave"}, Policy: true,
			Unset:       "`adjust` for `scale`, `leave` for `deploy`",
			Description: "With `scale`, where a service has a scalable target: `adjust` its bounds so that the number holds, `suspend` scaling until `restore`, or `ignore` it and set the number alone. `deploy` leaves it as it is, or with `suspend` suspends dynamic scaling of each service while its deployment runs, and restores it however that ends."},
		{Name: "scale-for", Kind: Duration, Unset: "for good",
			Description: "With `scale`: after this long (`90m`, `3h`) AWS itself puts the bounds back, to what the service's schedules would have set by then."},
		{Name: "restore", Kind: Boolean, Default: "false",
			Description: "With `scale`: put back at once what the last scale of each service has changed."},
		{Name: "create-scalable-target", Kind: Boolean, Default: "false",
			Description: "Lets `scale-for` create a scalable target where a service has none. At the end its bounds hold the old number of tasks; the next `scale` of the service removes it."},
		{Name: "force-new-deployment", Kind: Boolean, Default: "false",
			Description: "Replace tasks even where nothing changed."},
		{Name: "prepare", Kind: Boolean, Default: "false",
			Description: "Check everything and register the revisions, touch no service. A later `deploy` of the same image finds them and only updates the services, five a second instead of one."},
		{Name: "wait-for", Kind: Moment, Default: "deployed", Policy: true,
			Description: "`deployed`: the deployment has ended in success; with CodeDeploy, the traffic has shifted. `stable`: deployed, the old tasks gone, nothing else going on. `started`: do not wait. Or a stage, such as `ecs:BAKE_TIME` (it has begun) or `codedeploy:AllowTraffic` (it has succeeded): services whose strategy has no such stage are waited for until they are `deployed`."},
		{Name: "on-in-progress", Kind: Choice, Choices: []string{"wait", "stop", "skip", "fail"}, Default: "wait", Policy: true,
			Description: "What to do where a deployment is under way already: `wait` for it, `stop` it, `skip` the service, or `fail`."},
		{Name: "timeout", Kind: Duration, Policy: true,
			Unset:       fmt.Sprintf("%.0fm plus the bake and shift times that the strategy declares", DefaultTimeout.Minutes()),
			Description: "How long each service may take, from its first accepted write (`90m`, `1h30m`): waiting for API quota does not count."},
		{Name: "max-task-failures", Kind: Count, Unset: "no limit", Policy: true,
			Description: "How many tasks of a deployment of ECS may fail before it is given up: it is stopped with a rollback at once, without waiting for the circuit breaker or the timeout."},
		{Name: "max-parallel", Kind: Count, Unset: "no limit", Policy: true,
			Description: "How many environments may be in progress at once."},
		{Name: "max-failures", Kind: Budget, Policy: true,
			Unset:       "no limit inside a wave; the next wave needs a healthy one",
			Description: "How many environments may fail: `3`, or `10%` of those selected, rounded down. When used up, no further one starts. When given, at most `max-failures + 1 − failed` are in progress at once, unless `max-parallel` says otherwise."},
		{Name: "rollback", Kind: Choice, Choices: []string{"none", "service", "environment", "all"}, Default: "environment", Policy: true,
			Description: "With `deploy`, what a failed or timed-out service takes back to what ran before: nothing (`none`), the `service` itself, every service that this run changed in its `environment`, or in `all` environments, so that the fleet stays on one version."},
		{Name: "allow-older", Kind: Boolean, Default: "false", Policy: true,
			Description: "Deploy also where a newer workflow run of this repository has been. Otherwise such services are left alone: the job of an older release that was re-run, or had to wait, must not undo a newer one."},
		{Name: "bake-time", Kind: Duration, Default: "0s", Policy: true,
			Description: "How long a wave is watched once all of it is deployed, before it counts as healthy (`10m`): its `alarms`, and, where services have target groups, unhealthy targets and answers of 5xx against the minutes before the deploy. An environment that does not stay well has failed. Metrics come a minute or two late: shorter than `3m` sees hardly any."},
		{Name: "alarms", Kind: List, Policy: true,
			Description: "Names of CloudWatch alarms that must stay quiet while a wave bakes, in the account and Region of each environment and besides those that the fleet file names; `{environment}`, `{account}`, `{region}` and `{cluster}` are filled in. One that fires before anything is deployed refuses the run."},
		{Name: "dry-run", Kind: Boolean, Default: "false",
			Description: "Print the plan and its cost in API quota and time, change nothing."},
		{Name: "api-share", Kind: Share, Default: "100%",
			Description: "The share of each AWS API quota that this run may use."},
		{Name: "api-quotas", Kind: Lines, Unset: "the quotas that AWS documents",
			Description: "Corrections for accounts with other API quotas, a line each: `ecs:task-definition-modify: 5/s, burst 40`."},
		{Name: "region", Kind: Text,
			Description: "The AWS Region of environments that do not say."},
		{Name: "account", Kind: Text,
			Description: "The AWS account of environments that do not say: twelve digits, compared with the credentials' account before anything is written."},
		{Name: "role-arn", Kind: Text, Unset: "the job's own credentials",
			Description: "The role to assume for environments that do not say; `{account}` and other placeholders are filled in."},
		{Name: "external-id", Kind: Text,
			Description: "The external id that the role's trust policy asks for, for environments that do not say."},
		{Name: "cluster", Kind: Text,
			Description: "The ECS cluster of environments that do not say."},
		{Name: "summary", Kind: Choice, Choices: []string{"full", "compact", "off"}, Default: "full",
			Description: "The job summary: `full`, `compact`, or `off` for none."},
	}
}

type outputRow struct{ Name, Description string }

// outputTable is every output, in the order of action.yml.
func outputTable() []outputRow {
	return []outputRow{
		{"result", "The whole result as a JSON document."},
		{"status", "succeeded, failed or cancelled."},
		{"changed", "JSON list of the services (environment/service) that were deployed or scaled."},
		{"unchanged", "JSON list of the services that ran what was asked for already."},
		{"failed", "JSON list of the services that failed or were cancelled."},
		{"rolled-back", "JSON list of the services that were returned to what ran before."},
		{"not-started", "JSON list of the services whose turn did not come."},
	}
}

// lookup finds the row of an input.
func lookup(name string) (Input, bool) {
	table := Table()
	i := slices.IndexFunc(table, func(in Input) bool { return in.Name == name })
	if i < 0 {
		return Input{}, false
	}
	return table[i], true
}

func inputNames() []string { return names(func(Input) bool { return true }) }

func policyNames() []string { return names(func(in Input) bool { return in.Policy }) }

func names(which func(Input) bool) []string {
	var all []string
	for _, in := range Table() {
		if which(in) {
			all = append(all, in.Name)
		}
	}
	return all
}
