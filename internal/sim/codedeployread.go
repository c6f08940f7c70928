package sim

import (
	"slices"
	"strings"
	"time"
)

// createDeployment starts a deployment. One at a time is the fixed limit of a
// deployment group, and the group stays busy while its old task set waits to
// be terminated.
// https://docs.aws.amazon.com/codedeploy/latest/userguide/limits.html
func createDeployment(c *call) (any, error) {
	var in struct {
		Revision    *revisionRequest `json:"revision"`
		Config      string           `json:"deploymentConfigName"`
		Description string           `json:"description"`
		Rollback    *struct {
			Enabled bool     `json:"enabled"`
			Events  []string `json:"events"`
		} `json:"autoRollbackConfiguration"`
		Alarms *struct {
			Enabled bool `json:"enabled"`
			Alarms  []struct {
				Name string `json:"name"`
			} `json:"alarms"`
		} `json:"overrideAlarmConfiguration"`
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	g, err := c.group()
	if err != nil {
		return nil, err
	}
	r, err := in.Revision.read(g.application)
	if err != nil {
		return nil, err
	}
	switch _, known := trafficConfigs()[in.Config]; {
	case in.Config != "" && !known:
		return nil, noConfig(in.Config)
	case len(in.Description) > 256: // the real limit is not documented
		return nil, fault("DescriptionTooLongException", "The description is too long")
	case g.last != nil && !g.last.done():
		return nil, fault("DeploymentLimitExceededException", "The Deployment Group '%s' already has an active Deployment '%s'", g.name, g.last.id)
	}
	d := g.begin(r, "user")
	d.description = in.Description
	if in.Config != "" {
		d.config = in.Config
	}
	if in.Rollback != nil {
		d.rollbackOn = nil
		if in.Rollback.Enabled {
			d.rollbackOn = in.Rollback.Events
		}
	}
	if in.Alarms != nil {
		d.alarms = nil
		for _, a := range in.Alarms.Alarms {
			if in.Alarms.Enabled {
				d.alarms = append(d.alarms, a.Name)
			}
		}
	}
	d.start()
	return map[string]any{"deploymentId": d.id}, nil
}

// deploymentRequest is the members by which an action names deployments.
type deploymentRequest struct {
	ID       string   `json:"deploymentId"`
	IDs      []string `json:"deploymentIds"`
	Target   string   `json:"targetId"`
	Targets  []string `json:"targetIds"`
	Rollback *bool    `json:"autoRollbackEnabled"`
	Wait     string   `json:"deploymentWaitType"`
}

// codeDeployment is the deployment that a request names.
func (c *call) codeDeployment() (*codeDeployment, deploymentRequest, error) {
	var in deploymentRequest
	if err := c.decode(&in); err != nil {
		return nil, in, err
	}
	d := c.region.codeDeploy.deployments[in.ID]
	switch {
	case in.ID == "":
		return nil, in, fault("DeploymentIdRequiredException", "The deployment ID is required")
	case !strings.HasPrefix(in.ID, "d-"):
		return nil, in, fault("InvalidDeploymentIdException", "Deployment id %s is invalid", in.ID)
	case d == nil:
		return nil, in, fault("DeploymentDoesNotExistException", "The deployment %s could not be found", in.ID)
	}
	return d, in, nil
}

func getDeployment(c *call) (any, error) {
	d, _, err := c.codeDeployment()
	if err != nil {
		return nil, err
	}
	return map[string]any{"deploymentInfo": d.render()}, nil
}

// batchGetDeployments answers for at most 25; what is not there is left out,
// which is a guess.
func batchGetDeployments(c *call) (any, error) {
	var in deploymentRequest
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	switch {
	case len(in.IDs) == 0:
		return nil, fault("DeploymentIdRequiredException", "The deployment ID is required")
	case len(in.IDs) > 25:
		return nil, fault("BatchLimitExceededException", "The number of deployments exceeds the limit of 25")
	}
	found := []any{}
	for _, id := range in.IDs {
		if d := c.region.codeDeploy.deployments[id]; d != nil {
			found = append(found, d.render())
		}
	}
	return map[string]any{"deploymentsInfo": found}, nil
}

func stopDeployment(c *call) (any, error) {
	d, in, err := c.codeDeployment()
	if err != nil {
		return nil, err
	}
	if d.done() {
		return nil, fault("DeploymentAlreadyCompletedException", "The deployment %s is already in a terminal state", d.id)
	}
	d.stop(in.Rollback)
	return map[string]any{"status": "Pending", "statusMessage": "Stopping the deployment"}, nil
}

// continueDeployment ends a wait: before the traffic is shifted, or before the
// old task set is terminated.
func continueDeployment(c *call) (any, error) {
	d, in, err := c.codeDeployment()
	if err != nil {
		return nil, err
	}
	waits := d.status == "Ready"
	switch {
	case in.Wait == "TERMINATION_WAIT":
		waits = !d.waiting.IsZero() && !d.blue.leaving
	case in.Wait != "" && in.Wait != "READY_WAIT":
		return nil, fault("InvalidDeploymentWaitTypeException", "The deployment wait type %s is invalid", in.Wait)
	}
	switch {
	case d.done():
		return nil, fault("DeploymentAlreadyCompletedException", "The deployment %s is already in a terminal state", d.id)
	case !waits:
		return nil, fault("DeploymentIsNotInReadyStateException", "The deployment %s does not wait", d.id)
	}
	d.goOn = true
	d.then(time.Second, d.look)
	return map[string]any{}, nil
}

// listDeployments are ids, the newest first.
func listDeployments(c *call) (any, error) {
	var in struct {
		groupRequest
		Statuses []string `json:"includeOnlyStatuses"`
		Created  struct {
			Start float64 `json:"start"` // seconds since 1970
			End   float64 `json:"end"`
		} `json:"createTimeRange"`
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if in.Application != "" {
		if _, err := c.group(); in.Group != "" && err != nil {
			return nil, err
		} else if _, _, err := c.application(); err != nil {
			return nil, err
		}
	} else if in.Group != "" {
		return nil, fault("ApplicationNameRequiredException", "Application name is missing")
	}
	var ids []string
	for _, d := range slices.Backward(c.region.codeDeploy.order) {
		at := float64(d.created.UnixMilli()) / 1000
		if (in.Application == "" || d.group.application.name == in.Application) && (in.Group == "" || d.group.name == in.Group) &&
			(len(in.Statuses) == 0 || slices.Contains(in.Statuses, d.status)) &&
			(in.Created.Start == 0 || at >= in.Created.Start) && (in.Created.End == 0 || at <= in.Created.End) {
			ids = append(ids, d.id)
		}
	}
	return c.codeDeployPage(ids, "deployments")
}

func listDeploymentTargets(c *call) (any, error) {
	d, _, err := c.startedDeployment()
	if err != nil {
		return nil, err
	}
	return c.codeDeployPage([]string{d.target()}, "targetIds")
}

// startedDeployment has targets.
func (c *call) startedDeployment() (*codeDeployment, deploymentRequest, error) {
	d, in, err := c.codeDeployment()
	if err == nil && d.started.IsZero() {
		err = fault("DeploymentNotStartedException", "The deployment %s has not started", d.id)
	}
	return d, in, err
}

// target is the id of the one target of an ECS deployment.
func (d *codeDeployment) target() string {
	return d.group.service.cluster.name + ":" + d.group.service.name
}

func getDeploymentTarget(c *call) (any, error) {
	d, in, err := c.startedDeployment()
	if err != nil {
		return nil, err
	}
	switch {
	case in.Target == "":
		return nil, fault("DeploymentTargetIdRequiredException", "The deployment target ID is required")
	case in.Target != d.target():
		return nil, fault("DeploymentTargetDoesNotExistException", "The deployment target %s does not exist", in.Target)
	}
	return map[string]any{"deploymentTarget": d.renderTarget()}, nil
}

func batchGetDeploymentTargets(c *call) (any, error) {
	d, in, err := c.startedDeployment()
	switch {
	case err != nil:
		return nil, err
	case len(in.Targets) == 0:
		return nil, fault("DeploymentTargetIdRequiredException", "The deployment target ID is required")
	case len(in.Targets) > 25:
		return nil, fault("DeploymentTargetListSizeExceededException", "The number of deployment targets exceeds the limit of 25")
	}
	found := []any{}
	for _, id := range in.Targets {
		if id != d.target() {
			return nil, fault("DeploymentTargetDoesNotExistException", "The deployment target %s does not exist", id)
		}
		found = append(found, d.renderTarget())
	}
	return map[string]any{"deploymentTargets": found}, nil
}

func (d *codeDeployment) render() map[string]any {
	g := d.group
	out := map[string]any{
		"applicationName": g.application.name, "deploymentGroupName": g.name, "deploymentConfigName": d.config, "deploymentId": d.id,
		"revision": d.revision.location(), "status": d.status, "createTime": stamp(d.created), "creator": d.creator, "description": d.description,
		"deploymentOverview": d.overview(), "ignoreApplicationStopFailures": false, "updateOutdatedInstancesOnly": false,
		"autoRollbackConfiguration":          map[string]any{"enabled": len(d.rollbackOn) > 0, "events": append([]string{}, d.rollbackOn...)},
		"deploymentStyle":                    trafficControl(),
		"instanceTerminationWaitTimeStarted": !d.waiting.IsZero(), "blueGreenDeploymentConfiguration": g.blueGreen(),
		"loadBalancerInfo": g.balancers(), "fileExistsBehavior": "DISALLOW", "deploymentStatusMessages": []string{}, "computePlatform": "ECS",
	}
	for key, at := range map[string]time.Time{"startTime": d.started, "completeTime": d.completed} {
		if !at.IsZero() {
			out[key] = stamp(at)
		}
	}
	if d.previous != nil {
		out["previousRevision"] = d.previous.location()
	}
	if d.code != "" {
		out["errorInformation"] = map[string]string{"code": d.code, "message": d.message}
	}
	if info := d.rollbackInfo(); len(info) > 0 {
		out["rollbackInfo"] = info
	}
	return out
}

func (d *codeDeployment) rollbackInfo() map[string]string {
	info := map[string]string{}
	if d.undoes != nil {
		info["rollbackTriggeringDeploymentId"] = d.undoes.id
	}
	if d.undoneBy != nil {
		info["rollbackDeploymentId"] = d.undoneBy.id
	}
	if d.undoMessage != "" {
		info["rollbackMessage"] = d.undoMessage
	}
	return info
}

func (d *codeDeployment) overview() map[string]int {
	all := map[string]int{"Pending": 0, "InProgress": 0, "Succeeded": 0, "Failed": 0, "Skipped": 0, "Ready": 0}
	all[d.targetStatus()]++
	return all
}

// targetStatus is the deployment's in the words for its target.
func (d *codeDeployment) targetStatus() string {
	switch d.status {
	case "Created":
		return "Pending"
	case "Stopped": // a guess: targets have no such status
		return "Failed"
	}
	return d.status
}

func (d *codeDeployment) renderTarget() map[string]any {
	events := []any{}
	for _, e := range d.events {
		events = append(events, e.render(d))
	}
	sets := []any{}
	for _, set := range []struct {
		label string
		of    *deployment
	}{{"Blue", d.blue}, {"Green", d.green}} {
		if set.of != nil {
			sets = append(sets, set.of.taskSetInfo(set.label))
		}
	}
	return map[string]any{"deploymentTargetType": "ECSTarget", "ecsTarget": map[string]any{
		"deploymentId": d.id, "targetId": d.target(), "targetArn": d.group.service.arn(), "lastUpdatedAt": stamp(d.updated),
		"lifecycleEvents": events, "status": d.targetStatus(), "taskSetsInfo": sets,
	}}
}

func (e *lifecycleEvent) render(d *codeDeployment) map[string]any {
	out := map[string]any{"lifecycleEventName": e.name, "status": e.status}
	for key, at := range map[string]time.Time{"startTime": e.started, "endTime": e.ended} {
		if !at.IsZero() {
			out[key] = stamp(at)
		}
	}
	switch {
	case e.message != "":
		out["diagnostics"] = map[string]string{"errorCode": "UnknownError", "scriptName": d.function(e), "message": e.message, "logTail": ""}
	case e.status == "Failed":
		out["diagnostics"] = map[string]string{"errorCode": "UnknownError", "scriptName": "", "message": d.message, "logTail": ""}
	case e.status == "Succeeded":
		out["diagnostics"] = map[string]string{"errorCode": "Success", "scriptName": "", "message": "", "logTail": ""}
	}
	return out
}

// taskSetInfo is a task set in CodeDeploy's words; "identifer" is AWS's own
// spelling.
func (d *deployment) taskSetInfo(label string) map[string]any {
	return map[string]any{
		"identifer": d.id(), "desiredCount": d.wanted(), "pendingCount": d.count((*task).isPending), "runningCount": d.count((*task).isRunning),
		"status": d.setStatus(), "trafficWeight": d.production, "targetGroup": map[string]string{"name": groupName(d.targetGroup())}, "taskSetLabel": label,
	}
}

// codeDeployed are the services that a request of CodeDeploy speaks of.
func (c *call) codeDeployed() []*service {
	var in struct {
		groupRequest
		deploymentRequest
	}
	if c.api.name != "codedeploy" || c.decode(&in) != nil {
		return nil
	}
	var all []*service
	if a := c.region.codeDeploy.applications[in.Application]; a != nil {
		for _, name := range append(in.Groups, in.Group) {
			if g := a.groups[name]; g != nil {
				all = append(all, g.service)
			}
		}
	}
	for _, id := range append(in.IDs, in.ID) {
		if d := c.region.codeDeploy.deployments[id]; d != nil {
			all = append(all, d.group.service)
		}
	}
	return all
}
