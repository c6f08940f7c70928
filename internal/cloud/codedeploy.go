package cloud

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy/types"
	"golang.org/x/sync/semaphore"

	"ecs-fleet/internal/fleet"
	"ecs-fleet/internal/throttle"
)

// CodeDeploymentsPerCall is how many deployments one call describes, and
// codeDeployGroupsPerCall how many groups of an application.
// https://docs.aws.amazon.com/codedeploy/latest/APIReference/API_BatchGetDeployments.html
// https://docs.aws.amazon.com/codedeploy/latest/APIReference/API_BatchGetDeploymentGroups.html
const (
	CodeDeploymentsPerCall  = 25
	codeDeployGroupsPerCall = 100
)

// CodeDeployments describes deployments of any groups of the account and Region,
// 25 a call. The map lacks those that AWS does not know.
func (c *Client) CodeDeployments(ctx context.Context, ids []string) (map[string]fleet.CodeDeployment, error) {
	found := make(map[string]fleet.CodeDeployment, len(ids))
	for chunk := range slices.Chunk(ids, CodeDeploymentsPerCall) {
		out, err := c.codedeploy.BatchGetDeployments(ctx, &codedeploy.BatchGetDeploymentsInput{DeploymentIds: chunk})
		if err != nil {
			return nil, wrap(err, "codedeploy:BatchGetDeployments", "deployments")
		}
		for _, d := range out.DeploymentsInfo {
			v, err := c.codeDeployment(ctx, d)
			if err != nil {
				return nil, err
			}
			found[v.ID] = v
		}
	}
	return found, nil
}

func (c *Client) codeDeployment(ctx context.Context, d types.DeploymentInfo) (fleet.CodeDeployment, error) {
	v := fleet.CodeDeployment{
		ID: aws.ToString(d.DeploymentId), Of: fleet.CodeDeploy{Application: aws.ToString(d.ApplicationName), DeploymentGroup: aws.ToString(d.DeploymentGroupName)},
		Status: string(d.Status), Shifted: d.InstanceTerminationWaitTimeStarted,
		Description: aws.ToString(d.Description), Created: aws.ToTime(d.CreateTime),
	}
	by, _, _ := strings.Cut(v.Description, " ")
	v.Run = fleet.ParseRun(by)
	v.AppSpec, v.Hash = content(d.Revision)
	v.TaskDefinition = appSpecRevision(v.AppSpec)
	if e := d.ErrorInformation; e != nil {
		v.Code, v.Reason = string(e.Code), aws.ToString(e.Message)
	}
	if r := d.RollbackInfo; r != nil {
		v.Rollback, v.Undoes, v.Unrolled = aws.ToString(r.RollbackDeploymentId), aws.ToString(r.RollbackTriggeringDeploymentId), aws.ToString(r.RollbackMessage)
	}
	if a := d.AutoRollbackConfiguration; a != nil && a.Enabled {
		for _, event := range a.Events {
			v.RollsBackOn = append(v.RollsBackOn, string(event))
		}
	}
	if b := d.BlueGreenDeploymentConfiguration; b != nil {
		if t := b.TerminateBlueInstancesOnDeploymentSuccess; t != nil && t.Action == types.InstanceActionTerminate {
			v.Pace.Bake = time.Duration(t.TerminationWaitTimeInMinutes) * time.Minute
		}
		if r := b.DeploymentReadyOption; r != nil && r.ActionOnTimeout == types.DeploymentReadyActionStopDeployment {
			v.ByHand = time.Duration(r.WaitTimeInMinutes) * time.Minute
		}
	}
	var err error
	v.Pace.Shift, err = c.shift(ctx, aws.ToString(d.DeploymentConfigName))
	return v, err
}

// content is the AppSpec file of a revision, and its hash. Either may be missing.
func content(r *types.RevisionLocation) (text, hash string) {
	switch {
	case r == nil:
	case r.AppSpecContent != nil:
		return aws.ToString(r.AppSpecContent.Content), aws.ToString(r.AppSpecContent.Sha256)
	//lint:ignore SA1019 groups that were last deployed long ago still show this form
	case r.String_ != nil:
		//lint:ignore SA1019 as above
		return aws.ToString(r.String_.Content), aws.ToString(r.String_.Sha256)
	}
	return "", ""
}

// AppSpec is the AppSpec file of which a deployment or group shows the hash
// alone.
func (c *Client) AppSpec(ctx context.Context, of fleet.CodeDeploy, hash string) (string, error) {
	out, err := c.codedeploy.GetApplicationRevision(ctx, &codedeploy.GetApplicationRevisionInput{
		ApplicationName: &of.Application,
		Revision:        &types.RevisionLocation{RevisionType: types.RevisionLocationTypeAppSpecContent, AppSpecContent: &types.AppSpecContent{Sha256: &hash}},
	})
	if err != nil {
		return "", wrap(err, "codedeploy:GetApplicationRevision", fmt.Sprintf("application %q", of.Application))
	}
	text, _ := content(out.Revision)
	return text, nil
}

// standardConfig reads the time out of the names of AWS's own configurations,
// such as CodeDeployDefault.ECSCanary10Percent5Minutes.
// https://docs.aws.amazon.com/codedeploy/latest/userguide/deployment-configurations.html
var standardConfig = regexp.MustCompile(`^CodeDeployDefault\.ECS(?:AllAtOnce|(Linear|Canary)([0-9]+)Percent(?:Every)?([0-9]+)Minutes)$`)

// shift is how long a deployment configuration takes to shift the traffic. One
// of the account's own is read once; where that is denied, it counts as none.
func (c *Client) shift(ctx context.Context, config string) (time.Duration, error) {
	if parts := standardConfig.FindStringSubmatch(config); parts != nil || config == "" {
		if parts == nil || parts[1] == "" {
			return 0, nil
		}
		percent, _ := strconv.Atoi(parts[2]) // digits, as the pattern says
		minutes, _ := strconv.Atoi(parts[3])
		return steps(parts[1] == "Linear", percent, minutes), nil
	}
	kept := get(&c.location.mu, c.location.shifts, config, newOnce[time.Duration])
	return kept.do(ctx, func() (time.Duration, error) {
		out, err := c.codedeploy.GetDeploymentConfig(ctx, &codedeploy.GetDeploymentConfigInput{DeploymentConfigName: &config})
		err = wrap(err, "codedeploy:GetDeploymentConfig", fmt.Sprintf("deployment configuration %q", config))
		if Denied(err) {
			return 0, nil
		}
		if err != nil || out.DeploymentConfigInfo == nil || out.DeploymentConfigInfo.TrafficRoutingConfig == nil {
			return 0, err
		}
		switch t := out.DeploymentConfigInfo.TrafficRoutingConfig; {
		case t.TimeBasedLinear != nil:
			return steps(true, int(t.TimeBasedLinear.LinearPercentage), int(t.TimeBasedLinear.LinearInterval)), nil
		case t.TimeBasedCanary != nil:
			return steps(false, int(t.TimeBasedCanary.CanaryPercentage), int(t.TimeBasedCanary.CanaryInterval)), nil
		}
		return 0, nil
	})
}

// steps is how long it takes to shift all traffic: a canary in two steps, a
// linear shift in steps of percent.
func steps(linear bool, percent, minutes int) time.Duration {
	pauses := 1
	if linear && percent > 0 {
		pauses = (99+percent)/percent - 1 // none after the last step
	}
	return time.Duration(pauses*minutes) * time.Minute
}

// once keeps the first answer that is no error.
type once[T any] struct {
	turn  *semaphore.Weighted // held while the fields below are found out
	done  bool
	value T
}

func newOnce[T any]() *once[T] { return &once[T]{turn: semaphore.NewWeighted(1)} }

// do returns the answer of ask, which one caller at a time asks.
func (o *once[T]) do(ctx context.Context, ask func() (T, error)) (T, error) {
	if err := o.turn.Acquire(ctx, 1); err != nil {
		var none T
		return none, context.Cause(ctx)
	}
	defer o.turn.Release(1)
	if o.done {
		return o.value, nil
	}
	value, err := ask()
	o.value, o.done = value, err == nil
	return value, err
}

// Group is a deployment group as CodeDeploy shows it.
type Group struct {
	Of       fleet.CodeDeploy
	Services []Scalable // that it deploys, by cluster and name
	Last     string     // id of the newest deployment; empty: there was none
	Busy     bool       // that one is in progress
	AppSpec  string     // of the newest deployment that succeeded; empty: none, or AWS shows its hash alone
	Hash     string     // of that
}

// Deploys tells whether the group deploys a service.
func (g Group) Deploys(s Scalable) bool { return slices.Contains(g.Services, s) }

// Groups describes deployment groups of one application, a hundred a call. The
// map lacks those that AWS does not know, and all where it does not know the
// application.
func (c *Client) Groups(ctx context.Context, application string, names []string) (map[fleet.CodeDeploy]Group, error) {
	found := make(map[fleet.CodeDeploy]Group, len(names))
	for chunk := range slices.Chunk(names, codeDeployGroupsPerCall) {
		out, err := c.codedeploy.BatchGetDeploymentGroups(ctx, &codedeploy.BatchGetDeploymentGroupsInput{ApplicationName: &application, DeploymentGroupNames: chunk})
		switch code(err) {
		case "ApplicationDoesNotExistException", "DeploymentGroupDoesNotExistException":
			return found, nil
		}
		if err != nil {
			return nil, wrap(err, "codedeploy:BatchGetDeploymentGroups", fmt.Sprintf("application %q", application))
		}
		for _, info := range out.DeploymentGroupsInfo {
			g := group(info)
			found[g.Of] = g
		}
	}
	return found, nil
}

func group(info types.DeploymentGroupInfo) Group {
	g := Group{Of: fleet.CodeDeploy{Application: aws.ToString(info.ApplicationName), DeploymentGroup: aws.ToString(info.DeploymentGroupName)}}
	g.AppSpec, g.Hash = content(info.TargetRevision)
	for _, s := range info.EcsServices {
		g.Services = append(g.Services, ScalableOf(aws.ToString(s.ClusterName), aws.ToString(s.ServiceName)))
	}
	if last := info.LastAttemptedDeployment; last != nil {
		g.Last = aws.ToString(last.DeploymentId)
		g.Busy = !fleet.CodeDeployment{Status: string(last.Status)}.Ended()
	}
	return g
}

// consoleCut is where the ECS console cuts the names of cluster and service in
// the names that it makes.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-type-bluegreen.html
const consoleCut = 47

// ConsoleGroup is the group that the ECS console makes for a service.
func ConsoleGroup(s Scalable) fleet.CodeDeploy {
	cut := func(name string) string { return name[:min(len(name), consoleCut)] }
	name := "ECS-" + cut(s.Cluster) + "-" + cut(s.Service)
	return fleet.CodeDeploy{Application: "App" + name, DeploymentGroup: "Dgp" + name}
}

// AllGroups reads every deployment group of the account and Region, once: with
// hundreds of applications that takes minutes at CodeDeploy's pace.
// https://github.com/kayac/ecspresso/issues/403
func (c *Client) AllGroups(ctx context.Context) (map[Scalable]Group, error) {
	return c.location.groups.do(ctx, func() (map[Scalable]Group, error) {
		all := make(map[Scalable]Group)
		applications := codedeploy.NewListApplicationsPaginator(c.codedeploy, &codedeploy.ListApplicationsInput{})
		for applications.HasMorePages() {
			page, err := applications.NextPage(ctx)
			if err != nil {
				return nil, wrap(err, "codedeploy:ListApplications", "applications")
			}
			for _, application := range page.Applications {
				groups, err := c.groupsOf(ctx, application)
				if err != nil {
					return nil, err
				}
				for _, g := range groups {
					for _, s := range g.Services {
						all[s] = g
					}
				}
			}
		}
		return all, nil
	})
}

func (c *Client) groupsOf(ctx context.Context, application string) (map[fleet.CodeDeploy]Group, error) {
	var names []string
	pages := codedeploy.NewListDeploymentGroupsPaginator(c.codedeploy, &codedeploy.ListDeploymentGroupsInput{ApplicationName: &application})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, wrap(err, "codedeploy:ListDeploymentGroups", fmt.Sprintf("application %q", application))
		}
		names = append(names, page.DeploymentGroups...)
	}
	return c.Groups(ctx, application, names)
}

// CodeDeployInProgress is the deployment that keeps a group busy; nil when
// there is none.
func (c *Client) CodeDeployInProgress(ctx context.Context, of fleet.CodeDeploy) (*fleet.CodeDeployment, error) {
	out, err := c.codedeploy.ListDeployments(ctx, &codedeploy.ListDeploymentsInput{
		ApplicationName: &of.Application, DeploymentGroupName: &of.DeploymentGroup,
		IncludeOnlyStatuses: []types.DeploymentStatus{types.DeploymentStatusCreated, types.DeploymentStatusQueued, types.DeploymentStatusInProgress, types.DeploymentStatusReady},
	})
	if err != nil {
		return nil, wrap(err, "codedeploy:ListDeployments", named(of))
	}
	if len(out.Deployments) == 0 {
		return nil, nil
	}
	found, err := c.CodeDeployments(ctx, out.Deployments[:1]) // a group has one at a time
	if d, there := found[out.Deployments[0]]; there && !d.Ended() {
		return &d, err
	}
	return nil, err
}

func named(of fleet.CodeDeploy) string {
	return fmt.Sprintf("deployment group %q of application %q", of.DeploymentGroup, of.Application)
}

// NewDeployment is a deployment that CodeDeploy is to carry out.
type NewDeployment struct {
	Of             fleet.CodeDeploy
	What           fleet.ServiceRef // for the description
	TaskDefinition fleet.ARN        // a full ARN
	Launch         fleet.Launch
	Like           string // the AppSpec file whose hooks are kept; may be empty
	Back           bool   // takes a deployment back: the alarms that demand it must not stop it
}

// descriptionMost is how long a description may be, in bytes. AWS documents
// that there is a limit and not which; this is a guess.
const descriptionMost = 250

// CreateDeployment has CodeDeploy deploy a revision, once, and returns the
// deployment's id. Busy(err): the group has another one in progress.
func (c *Client) CreateDeployment(ctx context.Context, n NewDeployment) (string, error) {
	spec, err := appSpec(n.TaskDefinition, n.Launch, n.Like)
	if err != nil {
		return "", fmt.Errorf("%s: the AppSpec file of its last deployment cannot be read: %w", named(n.Of), err)
	}
	by := cmp.Or(c.cloud.options.Run.String(), "ecs-fleet") // codeDeployment reads it
	description := fmt.Sprintf("%s deploys %s to %s", by, n.TaskDefinition.Name(), n.What)
	description = description[:min(len(description), descriptionMost)]
	var alarms *types.AlarmConfiguration // nil: the group's
	if n.Back {
		alarms = &types.AlarmConfiguration{Enabled: false}
	}
	began := time.Now()
	lost := false
	for attempt := 1; ; attempt++ {
		out, err := c.codedeploy.CreateDeployment(ctx, &codedeploy.CreateDeploymentInput{
			ApplicationName: &n.Of.Application, DeploymentGroupName: &n.Of.DeploymentGroup, Description: &description, OverrideAlarmConfiguration: alarms,
			Revision: &types.RevisionLocation{RevisionType: types.RevisionLocationTypeAppSpecContent, AppSpecContent: &types.AppSpecContent{Content: &spec, Sha256: aws.String(hash(spec))}},
		})
		if err == nil && aws.ToString(out.DeploymentId) != "" {
			return *out.DeploymentId, nil
		}
		if err == nil { // no field of the answer is promised
			err = &throttle.UnknownOutcome{Operation: "CreateDeployment", Err: errors.New("AWS's answer holds no deployment")}
		}
		err = wrap(err, "codedeploy:CreateDeployment", named(n.Of))
		lost = lost || Unknown(err)
		if !lost || ctx.Err() != nil {
			return "", err
		}
		// An answer got lost. A second deployment would be refused while the
		// first is in progress, and repeat it afterwards: so see whether there
		// is one, once AWS can show it.
		if c.pause(ctx, visibleAfter) != nil {
			return "", err
		}
		id, lookErr := c.created(ctx, n.Of, began, description)
		switch {
		case id != "":
			return id, nil
		case lookErr != nil || !Unknown(err) || attempt == updateAttempts:
			return "", err
		}
	}
}

// created is the deployment with that description that was created since then;
// empty when AWS shows none.
func (c *Client) created(ctx context.Context, of fleet.CodeDeploy, since time.Time, description string) (string, error) {
	const clocks = time.Minute // by which AWS's clock may differ from ours
	out, err := c.codedeploy.ListDeployments(ctx, &codedeploy.ListDeploymentsInput{
		ApplicationName: &of.Application, DeploymentGroupName: &of.DeploymentGroup,
		CreateTimeRange: &types.TimeRange{Start: aws.Time(since.Add(-clocks))},
	})
	if err != nil {
		return "", wrap(err, "codedeploy:ListDeployments", named(of))
	}
	found, err := c.CodeDeployments(ctx, out.Deployments)
	for id, d := range found {
		if d.Description == description {
			return id, nil
		}
	}
	return "", err
}

// Busy tells whether CodeDeploy refused a deployment because the group has
// another one in progress: it has one at a time, and counts one that waits to
// terminate the old tasks.
// https://docs.aws.amazon.com/codedeploy/latest/userguide/limits.html
func Busy(err error) bool { return code(err) == "DeploymentLimitExceededException" }

// StopCodeDeployment ends a deployment and has CodeDeploy roll it back, by a
// deployment of its own. One that has ended already is left alone, without error.
func (c *Client) StopCodeDeployment(ctx context.Context, id string) error {
	_, err := c.codedeploy.StopDeployment(ctx, &codedeploy.StopDeploymentInput{DeploymentId: &id, AutoRollbackEnabled: aws.Bool(true)})
	if code(err) == "DeploymentAlreadyCompletedException" || Unknown(err) {
		return nil // what is seen of it next will tell
	}
	return wrap(err, "codedeploy:StopDeployment", "deployment "+id)
}

// EndTerminationWait has a deployment that has shifted all traffic terminate the
// old tasks now. One that does not wait is left alone, without error.
func (c *Client) EndTerminationWait(ctx context.Context, id string) error {
	_, err := c.codedeploy.ContinueDeployment(ctx, &codedeploy.ContinueDeploymentInput{DeploymentId: &id, DeploymentWaitType: types.DeploymentWaitTypeTerminationWait})
	switch code(err) {
	case "DeploymentAlreadyCompletedException", "DeploymentIsNotInReadyStateException":
		return nil
	}
	if Unknown(err) {
		return nil // what is seen of it next will tell
	}
	return wrap(err, "codedeploy:ContinueDeployment", "deployment "+id)
}

// CodeDeployTarget is how far a deployment is with a service. It costs a call for
// each deployment, so look at it where there is something to tell.
func (c *Client) CodeDeployTarget(ctx context.Context, id string, s Scalable) (fleet.CodeDeployTarget, error) {
	out, err := c.codedeploy.BatchGetDeploymentTargets(ctx, &codedeploy.BatchGetDeploymentTargetsInput{
		DeploymentId: &id, TargetIds: []string{s.Cluster + ":" + s.Service},
	})
	switch code(err) {
	case "DeploymentNotStartedException", "DeploymentTargetDoesNotExistException":
		return fleet.CodeDeployTarget{}, nil
	}
	if err != nil {
		return fleet.CodeDeployTarget{}, wrap(err, "codedeploy:BatchGetDeploymentTargets", "deployment "+id)
	}
	for _, t := range out.DeploymentTargets {
		if t.EcsTarget != nil {
			return target(*t.EcsTarget), nil
		}
	}
	return fleet.CodeDeployTarget{}, nil
}

func target(t types.ECSTarget) fleet.CodeDeployTarget {
	var v fleet.CodeDeployTarget
	for _, e := range t.LifecycleEvents {
		event := fleet.LifecycleEvent{Name: aws.ToString(e.LifecycleEventName), Status: string(e.Status)}
		if d := e.Diagnostics; d != nil && e.Status == types.LifecycleEventStatusFailed {
			event.Hook, event.Reason = functionName(aws.ToString(d.ScriptName)), aws.ToString(d.Message)
		}
		v.Events = append(v.Events, event)
	}
	for _, set := range t.TaskSetsInfo {
		if strings.EqualFold(string(set.TaskSetLabel), string(types.TargetLabelGreen)) {
			v.Green, v.Weight = aws.ToString(set.Identifer), set.TrafficWeight
		}
	}
	return v
}
