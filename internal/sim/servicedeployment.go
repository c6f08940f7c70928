package sim

import (
	"slices"
	"strings"
	"time"
)

func serviceDeploymentAPI() map[string]action {
	return map[string]action{
		"ListServiceDeployments":     {bucket: "ecs:service-deployment", do: listServiceDeployments},
		"DescribeServiceDeployments": {bucket: "ecs:service-deployment", do: describeServiceDeployments},
		"DescribeServiceRevisions":   {bucket: "ecs:service-revision", do: describeServiceRevisions},
		"StopServiceDeployment":      {bucket: "ecs:service-deployment-stop", do: stopServiceDeployment},
		"ContinueServiceDeployment":  {bucket: "ecs:service-deployment-stop", do: continueServiceDeployment},
	}
}

// rolloutFilter is what ListServiceDeployments is asked for.
type rolloutFilter struct {
	Cluster string   `json:"cluster"`
	Service string   `json:"service"`
	Status  []string `json:"status"`
	Created struct {
		After  float64 `json:"after"` // seconds since 1970
		Before float64 `json:"before"`
	} `json:"createdAt"`
}

func (f rolloutFilter) wants(p *serviceDeployment) bool {
	at := float64(p.created.UnixMilli()) / 1000
	return (f.Created.After == 0 || at > f.Created.After) && (f.Created.Before == 0 || at < f.Created.Before) &&
		(len(f.Status) == 0 || slices.Contains(f.Status, p.status))
}

func listServiceDeployments(c *call) (any, error) {
	var in rolloutFilter
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	s, err := c.rolloutService(in)
	if err != nil {
		return nil, err
	}
	byARN, arns := map[string]*serviceDeployment{}, []string{}
	for _, p := range s.rollouts {
		visible := !c.clock.Before(p.created.Add(c.lag.currentDeployment))
		if visible && in.wants(p) {
			byARN[p.arn()] = p
			arns = append(arns, p.arn())
		}
	}
	out, err := c.page(arns, "serviceDeployments", 20)
	if err != nil {
		return nil, err
	}
	answer := out.(map[string]any)
	briefs := []any{}
	for _, arn := range answer["serviceDeployments"].([]string) {
		briefs = append(briefs, byARN[arn].brief())
	}
	answer["serviceDeployments"] = briefs
	return answer, nil
}

// rolloutService is the service whose deployments are asked for.
func (c *call) rolloutService(in rolloutFilter) (*service, error) {
	if strings.HasPrefix(in.Service, "arn:") && in.Cluster == "" {
		in.Cluster, _ = serviceInARN(in.Service)
	}
	if in.Service == "" {
		return nil, fault("InvalidParameterException", "Service can not be blank.")
	}
	k, err := c.region.findCluster(in.Cluster)
	if err != nil {
		return nil, err
	}
	switch s := k.findService(in.Service); {
	case s == nil:
		return nil, fault("ServiceNotFoundException", "Service not found.")
	case s.controller != "ECS":
		// That other controllers answer so is an inference from the model's
		// list of errors.
		return nil, fault("UnsupportedFeatureException", "Service deployments are not supported for services with a %s deployment controller.", s.controller)
	default:
		return s, nil
	}
}

func (p *serviceDeployment) brief() map[string]any {
	out := map[string]any{
		"serviceDeploymentArn": p.arn(), "serviceArn": p.service.arn(), "clusterArn": p.service.cluster.arn(),
		"status": p.status, "createdAt": stamp(p.created), "targetServiceRevisionArn": p.target.arn(),
	}
	p.times(out)
	return out
}

func (p *serviceDeployment) times(out map[string]any) {
	for key, at := range map[string]time.Time{"startedAt": p.started, "finishedAt": p.finished} {
		if !at.IsZero() {
			out[key] = stamp(at)
		}
	}
	if p.reason != "" {
		out["statusReason"] = p.reason
	}
}

// describeServiceDeployments answers for at most twenty, of any clusters of
// the account's Region.
func describeServiceDeployments(c *call) (any, error) {
	arns, err := c.arns("serviceDeploymentArns", 20)
	if err != nil {
		return nil, err
	}
	found, missing := []any{}, []any{}
	for _, arn := range arns {
		if p := c.region.rollout(arn); p != nil {
			found = append(found, p.render())
		} else {
			missing = append(missing, map[string]string{"arn": arn, "reason": "MISSING"})
		}
	}
	return map[string]any{"serviceDeployments": found, "failures": missing}, nil
}

// arns are the request's ARNs under a member: at least one, at most a number.
func (c *call) arns(member string, most int) ([]string, error) {
	var in struct {
		Deployments []string `json:"serviceDeploymentArns"`
		Revisions   []string `json:"serviceRevisionArns"`
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	arns := append(in.Deployments, in.Revisions...)
	switch {
	case len(arns) == 0:
		return nil, fault("InvalidParameterException", "%s cannot be empty.", member)
	case len(arns) > most:
		return nil, fault("InvalidParameterException", "%s cannot have more than %d elements.", member, most)
	}
	return arns, nil
}

// serviceOf is the service in an ARN of the given kind.
func (r *region) serviceOf(arn, kind string) *service {
	rest, ok := strings.CutPrefix(arn, r.arn("ecs", kind+"/"))
	parts := strings.Split(rest, "/")
	if !ok || len(parts) != 3 || r.clusters[parts[0]] == nil {
		return nil
	}
	return r.clusters[parts[0]].services[parts[1]]
}

func (r *region) rollout(arn string) *serviceDeployment {
	if s := r.serviceOf(arn, "service-deployment"); s != nil {
		for _, p := range s.rollouts {
			if p.arn() == arn {
				return p
			}
		}
	}
	return nil
}

func (p *serviceDeployment) render() map[string]any {
	out := p.brief()
	delete(out, "targetServiceRevisionArn")
	out["updatedAt"] = stamp(p.updated)
	out["targetServiceRevision"] = p.own.summary()
	sources := []any{}
	for _, d := range p.sources {
		sources = append(sources, d.summary())
	}
	out["sourceServiceRevisions"] = sources
	out["deploymentConfiguration"] = p.setup
	out["deploymentCircuitBreaker"] = map[string]any{
		"status": p.monitor, "failureCount": p.failures, "threshold": threshold(p.service.desired),
	}
	out["alarms"] = p.renderAlarms()
	p.renderShift(out)
	if p.rollback != nil {
		out["rollback"] = p.rollback
	}
	if !p.stopped.IsZero() {
		out["stoppedAt"] = stamp(p.stopped)
	}
	return out
}

func describeServiceRevisions(c *call) (any, error) {
	arns, err := c.arns("serviceRevisionArns", 20)
	if err != nil {
		return nil, err
	}
	found, missing := []any{}, []any{}
	for _, arn := range arns {
		if r := c.region.revision(arn); r != nil {
			found = append(found, r.render())
		} else {
			missing = append(missing, map[string]string{"arn": arn, "reason": "MISSING"})
		}
	}
	return map[string]any{"serviceRevisions": found, "failures": missing}, nil
}

func (r *region) revision(arn string) *revision {
	if s := r.serviceOf(arn, "service-revision"); s != nil {
		for _, v := range s.revisions {
			if v.arn() == arn {
				return v
			}
		}
	}
	return nil
}

func (r *revision) render() map[string]any {
	out := map[string]any{
		"serviceRevisionArn": r.arn(), "serviceArn": r.service.arn(), "clusterArn": r.service.cluster.arn(),
		"taskDefinition": r.definition.arn(), "createdAt": stamp(r.created), "containerImages": r.images, "guardDutyEnabled": false,
	}
	if r.service.provider == "" {
		out["launchType"] = r.service.launchType
	}
	for key, value := range map[string]any{"networkConfiguration": r.network, "loadBalancers": r.balancers} {
		if value != nil {
			out[key] = value
		}
	}
	return out
}

// stopServiceDeployment asks for a rollback, which begins at the scheduler's
// next pass.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stop-service-deployment.html
func stopServiceDeployment(c *call) (any, error) {
	var in struct {
		ARN  string `json:"serviceDeploymentArn"`
		Type string `json:"stopType"`
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	p := c.region.rollout(in.ARN)
	switch {
	case in.ARN == "":
		return nil, fault("InvalidParameterException", "serviceDeploymentArn can not be blank.")
	case in.Type != "" && in.Type != "ROLLBACK" && in.Type != "ABORT":
		return nil, fault("InvalidParameterException", "Invalid stopType: %s.", in.Type)
	case p == nil:
		return nil, fault("ServiceDeploymentNotFoundException", "Service deployment not found.")
	case p.done():
		return nil, fault("ConflictException", "The service deployment is in a terminal state (%s) and cannot be stopped.", p.status)
	case in.Type == "ABORT":
		return nil, fault("UnsupportedFeatureException", "The stop type ABORT is not supported.")
	}
	if p.status == "PENDING" || p.status == "IN_PROGRESS" {
		p.to("ROLLBACK_REQUESTED", "A user asked for a rollback.")
		p.service.poke()
	}
	return map[string]any{"serviceDeploymentArn": p.arn()}, nil
}
