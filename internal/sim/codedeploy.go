package sim

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"
)

// codeDeployAPI is AWS CodeDeploy, as far as it deploys ECS services.
// https://docs.aws.amazon.com/codedeploy/latest/APIReference/
// Its request rates are not published, so all actions share one bucket.
func codeDeployAPI() api {
	actions := map[string]action{}
	for name, do := range map[string]func(*call) (any, error){
		"CreateDeployment": createDeployment, "StopDeployment": stopDeployment, "ContinueDeployment": continueDeployment,
		"GetDeployment": getDeployment, "BatchGetDeployments": batchGetDeployments, "ListDeployments": listDeployments,
		"GetDeploymentTarget": getDeploymentTarget, "BatchGetDeploymentTargets": batchGetDeploymentTargets, "ListDeploymentTargets": listDeploymentTargets,
		"GetDeploymentGroup": getDeploymentGroup, "BatchGetDeploymentGroups": batchGetDeploymentGroups, "ListDeploymentGroups": listDeploymentGroups,
		"GetApplication": getApplication, "ListApplications": listApplications, "GetDeploymentConfig": getDeploymentConfig,
		"GetApplicationRevision": getApplicationRevision, "BatchGetApplicationRevisions": batchGetApplicationRevisions,
		"RegisterApplicationRevision": registerApplicationRevision,
	} {
		actions[name] = action{bucket: "codedeploy", do: do}
	}
	return api{name: "codedeploy", target: "CodeDeploy_20141006", actions: actions}
}

// codeDeploy is CodeDeploy in an account's Region.
type codeDeploy struct {
	applications map[string]*application
	deployments  map[string]*codeDeployment // by id
	order        []*codeDeployment          // oldest first
}

type application struct {
	name, id  string
	created   time.Time
	groups    map[string]*deploymentGroup
	revisions []*appRevision // oldest first
}

// appRevision is a registered AppSpec file.
type appRevision struct {
	content, sha, description       string
	registered, firstUsed, lastUsed time.Time
}

// deploymentGroup is an application's deployment group: one ECS service.
type deploymentGroup struct {
	region      *region
	application *application
	name, id    string
	service     *service
	config      string
	wait        time.Duration // before the old task set is terminated
	readyWait   *time.Duration
	rollback    []string // events
	alarms      []string
	testTraffic bool
	last        *codeDeployment // newest
	successful  *codeDeployment // newest that succeeded
}

// newCodeDeploy is CodeDeploy with applications that only exist.
func newCodeDeploy(others int) *codeDeploy {
	c := &codeDeploy{applications: map[string]*application{}, deployments: map[string]*codeDeployment{}}
	for n := range others {
		c.application(fmt.Sprintf("other-%d", n+1), time.Time{})
	}
	return c
}

func (c *codeDeploy) application(name string, created time.Time) *application {
	if c.applications[name] == nil {
		c.applications[name] = &application{name: name, id: fill("application " + name), created: created, groups: map[string]*deploymentGroup{}}
	}
	return c.applications[name]
}

// trafficConfig is a deployment configuration: steps of traffic, each with a
// pause after it.
type trafficConfig struct {
	kind    string // AllAtOnce, TimeBasedLinear, TimeBasedCanary
	percent int
	minutes int
}

// trafficConfigs are CodeDeploy's own for ECS.
// https://docs.aws.amazon.com/codedeploy/latest/userguide/deployment-configurations.html
func trafficConfigs() map[string]trafficConfig {
	return map[string]trafficConfig{
		"CodeDeployDefault.ECSAllAtOnce":                    {"AllAtOnce", 100, 0},
		"CodeDeployDefault.ECSLinear10PercentEvery1Minutes": {"TimeBasedLinear", 10, 1},
		"CodeDeployDefault.ECSLinear10PercentEvery3Minutes": {"TimeBasedLinear", 10, 3},
		"CodeDeployDefault.ECSCanary10Percent5Minutes":      {"TimeBasedCanary", 10, 5},
		"CodeDeployDefault.ECSCanary10Percent15Minutes":     {"TimeBasedCanary", 10, 15},
	}
}

func (t trafficConfig) steps() []stage {
	pause := time.Duration(t.minutes) * time.Minute
	var all []stage
	switch t.kind {
	case "TimeBasedCanary":
		all = append(all, stage{weight: float64(t.percent), pause: pause})
	case "TimeBasedLinear":
		for w := t.percent; w < 100; w += t.percent {
			all = append(all, stage{weight: float64(w), pause: pause})
		}
	}
	return append(all, stage{weight: 100})
}

func getDeploymentConfig(c *call) (any, error) {
	var in struct {
		Name string `json:"deploymentConfigName"`
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	t, ok := trafficConfigs()[in.Name]
	switch {
	case in.Name == "":
		return nil, fault("DeploymentConfigNameRequiredException", "The deployment configuration name is required")
	case !ok:
		return nil, noConfig(in.Name)
	}
	routing := map[string]any{"type": t.kind}
	switch t.kind {
	case "TimeBasedCanary":
		routing["timeBasedCanary"] = map[string]any{"canaryPercentage": t.percent, "canaryInterval": t.minutes}
	case "TimeBasedLinear":
		routing["timeBasedLinear"] = map[string]any{"linearPercentage": t.percent, "linearInterval": t.minutes}
	}
	return map[string]any{"deploymentConfigInfo": map[string]any{
		"deploymentConfigId": fill(in.Name), "deploymentConfigName": in.Name, "computePlatform": "ECS", "trafficRoutingConfig": routing,
	}}, nil
}

func noConfig(name string) error {
	return fault("DeploymentConfigDoesNotExistException", "No Deployment Configuration found for name: %s", name)
}

// groupRequest is the members by which an action names applications and
// groups.
type groupRequest struct {
	Application string   `json:"applicationName"`
	Group       string   `json:"deploymentGroupName"`
	Groups      []string `json:"deploymentGroupNames"`
}

// application is the one that a request names.
func (c *call) application() (*application, groupRequest, error) {
	var in groupRequest
	if err := c.decode(&in); err != nil {
		return nil, in, err
	}
	a := c.region.codeDeploy.applications[in.Application]
	switch {
	case in.Application == "":
		return nil, in, fault("ApplicationNameRequiredException", "Application name is missing")
	case a == nil:
		return nil, in, fault("ApplicationDoesNotExistException", "No application found for name: %s", in.Application)
	}
	return a, in, nil
}

func (c *call) group() (*deploymentGroup, error) {
	a, in, err := c.application()
	if err != nil {
		return nil, err
	}
	g := a.groups[in.Group]
	switch {
	case in.Group == "":
		return nil, fault("DeploymentGroupNameRequiredException", "Deployment Group name is missing")
	case g == nil:
		return nil, fault("DeploymentGroupDoesNotExistException", "No Deployment Group found for name: %s", in.Group)
	}
	return g, nil
}

func listApplications(c *call) (any, error) {
	return c.codeDeployPage(sortedKeys(c.region.codeDeploy.applications), "applications")
}

func listDeploymentGroups(c *call) (any, error) {
	a, _, err := c.application()
	if err != nil {
		return nil, err
	}
	out, err := c.codeDeployPage(sortedKeys(a.groups), "deploymentGroups")
	if err == nil {
		out["applicationName"] = a.name
	}
	return out, err
}

// codeDeployPage is a page of CodeDeploy's lists, whose size a request cannot
// choose. A hundred is a guess.
func (c *call) codeDeployPage(all []string, member string) (map[string]any, error) {
	out, err := c.page(all, member, 100)
	if err != nil {
		return nil, fault("InvalidNextTokenException", "The next token is invalid")
	}
	return asMap(out), nil
}

func getApplication(c *call) (any, error) {
	a, _, err := c.application()
	if err != nil {
		return nil, err
	}
	return map[string]any{"application": map[string]any{
		"applicationId": a.id, "applicationName": a.name, "createTime": stamp(a.created), "linkedToGitHub": false, "computePlatform": "ECS",
	}}, nil
}

func getDeploymentGroup(c *call) (any, error) {
	g, err := c.group()
	if err != nil {
		return nil, err
	}
	return map[string]any{"deploymentGroupInfo": g.render()}, nil
}

// batchGetDeploymentGroups answers for at most a hundred; groups that are not
// there are left out, and errorMessage speaks of them.
func batchGetDeploymentGroups(c *call) (any, error) {
	a, in, err := c.application()
	switch {
	case err != nil:
		return nil, err
	case len(in.Groups) == 0:
		return nil, fault("DeploymentGroupNameRequiredException", "Deployment Group name is missing")
	case len(in.Groups) > 100:
		return nil, fault("BatchLimitExceededException", "The number of deployment groups exceeds the limit of 100")
	}
	found, missing := []any{}, []string{}
	for _, name := range in.Groups {
		if g := a.groups[name]; g != nil {
			found = append(found, g.render())
		} else {
			missing = append(missing, name)
		}
	}
	out := map[string]any{"deploymentGroupsInfo": found}
	if len(missing) > 0 {
		out["errorMessage"] = "No Deployment Group found for name: " + strings.Join(missing, ", ")
	}
	return out, nil
}

func (g *deploymentGroup) render() map[string]any {
	out := map[string]any{
		"applicationName": g.application.name, "deploymentGroupName": g.name, "deploymentGroupId": g.id, "deploymentConfigName": g.config,
		"serviceRoleArn": g.region.arnIAM("role/codedeploy"), "computePlatform": "ECS", "deploymentStyle": trafficControl(),
		"ecsServices":                      []any{map[string]string{"serviceName": g.service.name, "clusterName": g.service.cluster.name}},
		"autoRollbackConfiguration":        map[string]any{"enabled": len(g.rollback) > 0, "events": append([]string{}, g.rollback...)},
		"alarmConfiguration":               alarmConfiguration(g.alarms),
		"blueGreenDeploymentConfiguration": g.blueGreen(), "loadBalancerInfo": g.balancers(),
		"triggerConfigurations": []any{}, "outdatedInstancesStrategy": "UPDATE", "terminationHookEnabled": false,
	}
	for key, d := range map[string]*codeDeployment{"lastAttemptedDeployment": g.last, "lastSuccessfulDeployment": g.successful} {
		if d != nil {
			last := map[string]any{"deploymentId": d.id, "status": d.status, "createTime": stamp(d.created)}
			if !d.completed.IsZero() {
				last["endTime"] = stamp(d.completed)
			}
			out[key] = last
		}
	}
	if g.successful != nil {
		out["targetRevision"] = g.successful.revision.location()
	}
	return out
}

func trafficControl() map[string]string {
	return map[string]string{"deploymentType": "BLUE_GREEN", "deploymentOption": "WITH_TRAFFIC_CONTROL"}
}

func alarmConfiguration(names []string) map[string]any {
	all := []any{}
	for _, n := range names {
		all = append(all, map[string]string{"name": n})
	}
	return map[string]any{"enabled": len(names) > 0, "ignorePollAlarmFailure": false, "alarms": all}
}

func (g *deploymentGroup) blueGreen() map[string]any {
	ready := map[string]any{"actionOnTimeout": "CONTINUE_DEPLOYMENT", "waitTimeInMinutes": 0}
	if g.readyWait != nil {
		ready = map[string]any{"actionOnTimeout": "STOP_DEPLOYMENT", "waitTimeInMinutes": int(*g.readyWait / time.Minute)}
	}
	return map[string]any{
		"terminateBlueInstancesOnDeploymentSuccess": map[string]any{"action": "TERMINATE", "terminationWaitTimeInMinutes": int(g.wait / time.Minute)},
		"deploymentReadyOption":                     ready,
	}
}

func (g *deploymentGroup) balancers() map[string]any {
	groups := []any{}
	for _, arn := range g.service.targetGroups {
		groups = append(groups, map[string]string{"name": groupName(arn)})
	}
	listener := func(port string) map[string]any {
		return map[string]any{"listenerArns": []string{g.region.arn("elasticloadbalancing", "listener/app/"+g.service.name+"/"+fill(g.service.name)+"/"+port)}}
	}
	pair := map[string]any{"targetGroups": groups, "prodTrafficRoute": listener("443")}
	if g.testTraffic {
		pair["testTrafficRoute"] = listener("8443")
	}
	return map[string]any{"targetGroupPairInfoList": []any{pair}}
}

// groupName is the name in a target group's ARN.
func groupName(arn string) string {
	if parts := strings.Split(arn, "/"); len(parts) == 3 {
		return parts[1]
	}
	return arn
}

// revisionRequest is an AppSpec file as requests give it.
type revisionRequest struct {
	Type string `json:"revisionType"`
	Spec *struct {
		Content string `json:"content"`
		SHA     string `json:"sha256"`
	} `json:"appSpecContent"`
	Raw *struct {
		Content string `json:"content"`
		SHA     string `json:"sha256"`
	} `json:"string"`
}

// read checks a revision. A hash alone names one that is registered.
func (in *revisionRequest) read(a *application) (*appRevision, error) {
	invalid := func(format string, args ...any) error { return fault("InvalidRevisionException", format, args...) }
	if in == nil || in.Type == "" {
		return nil, fault("RevisionRequiredException", "Revision is required")
	}
	spec := in.Spec
	if in.Type == "String" {
		spec = in.Raw
	}
	switch {
	case in.Type != "AppSpecContent" && in.Type != "String":
		return nil, invalid("The simulation reads AppSpecContent, not revisions of the type %s", in.Type)
	case spec == nil || spec.Content == "" && spec.SHA == "":
		return nil, invalid("The AppSpec file's content is missing")
	case spec.Content == "":
		i := slices.IndexFunc(a.revisions, func(r *appRevision) bool { return r.sha == spec.SHA })
		if i < 0 {
			return nil, fault("RevisionDoesNotExistException", "The revision does not exist: %s", spec.SHA)
		}
		return a.revisions[i], nil
	}
	sum := sha256.Sum256([]byte(spec.Content))
	r := &appRevision{content: spec.Content, sha: hex.EncodeToString(sum[:])}
	if spec.SHA != "" && spec.SHA != r.sha {
		return nil, invalid("The SHA-256 hash of the AppSpec file's content does not match %s", spec.SHA)
	}
	if _, err := readAppSpec(r.content); err != nil {
		return nil, invalid("%s", err)
	}
	return r, nil
}

// keep registers a revision once.
func (a *application) keep(r *appRevision, now time.Time) *appRevision {
	for _, old := range a.revisions {
		if old.sha == r.sha {
			return old
		}
	}
	r.registered = now
	a.revisions = append(a.revisions, r)
	return r
}

func (r *appRevision) location() map[string]any {
	return map[string]any{"revisionType": "AppSpecContent", "appSpecContent": map[string]string{"content": r.content, "sha256": r.sha}}
}

func (r *appRevision) info() map[string]any {
	out := map[string]any{"description": r.description, "registerTime": stamp(r.registered)}
	for key, at := range map[string]time.Time{"firstUsedTime": r.firstUsed, "lastUsedTime": r.lastUsed} {
		if !at.IsZero() {
			out[key] = stamp(at)
		}
	}
	return out
}

func registerApplicationRevision(c *call) (any, error) {
	var in struct {
		Revision    *revisionRequest `json:"revision"`
		Description string           `json:"description"`
	}
	a, _, err := c.application()
	if err != nil {
		return nil, err
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	r, err := in.Revision.read(a)
	if err != nil {
		return nil, err
	}
	a.keep(r, c.clock).description = in.Description
	return map[string]any{}, nil
}

func getApplicationRevision(c *call) (any, error) {
	var in struct {
		Revision *revisionRequest `json:"revision"`
	}
	a, _, err := c.application()
	if err != nil {
		return nil, err
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	r, err := a.registered(in.Revision)
	if err != nil {
		return nil, err
	}
	return map[string]any{"applicationName": a.name, "revision": r.location(), "revisionInfo": r.info()}, nil
}

// registered is the revision of a request, which must be there.
func (a *application) registered(in *revisionRequest) (*appRevision, error) {
	r, err := in.read(a)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(a.revisions, func(old *appRevision) bool { return old.sha == r.sha })
	if i < 0 {
		return nil, fault("RevisionDoesNotExistException", "The revision does not exist: %s", r.sha)
	}
	return a.revisions[i], nil
}

func batchGetApplicationRevisions(c *call) (any, error) {
	var in struct {
		Revisions []*revisionRequest `json:"revisions"`
	}
	a, _, err := c.application()
	if err != nil {
		return nil, err
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	switch {
	case len(in.Revisions) == 0:
		return nil, fault("RevisionRequiredException", "Revision is required")
	case len(in.Revisions) > 25:
		return nil, fault("BatchLimitExceededException", "The number of revisions exceeds the limit of 25")
	}
	found, message := []any{}, ""
	for _, asked := range in.Revisions {
		if r, err := a.registered(asked); err != nil {
			message = err.Error()
		} else {
			found = append(found, map[string]any{"revisionLocation": r.location(), "genericRevisionInfo": r.info()})
		}
	}
	out := map[string]any{"applicationName": a.name, "revisions": found}
	if message != "" {
		out["errorMessage"] = message
	}
	return out, nil
}
