package sim

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// elbAPI is Elastic Load Balancing, as far as one looks at the targets of
// services. There is no quota but the one of all reads: the account's bucket for
// all actions is as large.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/userguide/elb-api-throttling.html
func elbAPI() api {
	return api{name: "elasticloadbalancing", version: "2015-12-01", actions: map[string]action{
		"DescribeTargetGroups": {bucket: "elasticloadbalancing:read", do: describeTargetGroups},
		"DescribeTargetHealth": {bucket: "elasticloadbalancing:read", do: describeTargetHealth},
		"DescribeTags":         {bucket: "elasticloadbalancing:read", do: describeELBTags},
	}}
}

// targetGroup is a target group that services register their tasks in, behind
// one Application Load Balancer.
type targetGroup struct {
	arn, name, balancer string // the load balancer's ARN
	port                int
	deployments         []*deployment
}

// targetGroups are those of the Region, by name.
func (r *region) targetGroups() []*targetGroup {
	byARN := map[string]*targetGroup{}
	for _, cluster := range sortedKeys(r.clusters) {
		for _, name := range sortedKeys(r.clusters[cluster].services) {
			s := r.clusters[cluster].services[name]
			for _, b := range s.balancers() {
				r.addTargetGroup(byARN, s, b, nil)
				for _, group := range s.shiftedBetween() {
					r.addTargetGroup(byARN, s, balancer{TargetGroup: group, Port: b.Port}, nil)
				}
			}
			for _, d := range s.deployments {
				for _, b := range d.balancers() {
					r.addTargetGroup(byARN, s, b, d)
				}
			}
		}
	}
	var all []*targetGroup
	for _, arn := range sortedKeys(byARN) {
		all = append(all, byARN[arn])
	}
	return all
}

// shiftedBetween are the service's two target groups; none, where its tasks are
// replaced in one.
func (s *service) shiftedBetween() []string {
	if s.controller == "ECS" && s.strategy == "ROLLING" {
		return nil
	}
	return s.targetGroups
}

func (r *region) addTargetGroup(byARN map[string]*targetGroup, s *service, b balancer, d *deployment) {
	if b.TargetGroup == "" {
		return // a Classic Load Balancer
	}
	g := byARN[b.TargetGroup]
	if g == nil {
		g = &targetGroup{arn: b.TargetGroup, name: groupName(b.TargetGroup), port: b.Port}
		first := g.arn
		if len(s.targetGroups) > 0 {
			first = s.targetGroups[0]
		}
		balancer := cmp.Or(r.balancerOf[g.arn], groupName(first))
		g.balancer = r.arn("elasticloadbalancing", "loadbalancer/app/"+balancer+"/"+strings.ToLower(fill("balancer "+balancer)))
		byARN[g.arn] = g
	}
	if d != nil {
		g.deployments = append(g.deployments, d)
	}
}

// balancers are the load balancers that the deployment's tasks are registered
// at.
func (d *deployment) balancers() []balancer {
	var all []balancer
	convert(d.revision.balancers, &all)
	return all
}

func (r *region) findTargetGroup(arn string) *targetGroup {
	for _, g := range r.targetGroups() {
		if g.arn == arn {
			return g
		}
	}
	return nil
}

func noTargetGroup() error {
	return fault("TargetGroupNotFound", "One or more target groups not found")
}

// describeTargetGroups answers at most 400 a page.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeTargetGroups.html
func describeTargetGroups(c *call) (any, error) {
	var in struct {
		ARNs     []string `json:"TargetGroupArns"`
		Names    []string `json:"Names"`
		Balancer string   `json:"LoadBalancerArn"`
		Marker   string   `json:"Marker"`
		PageSize int      `json:"PageSize"`
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	type group struct {
		TargetGroupArn   string
		TargetGroupName  string
		Protocol         string
		Port             int
		TargetType       string
		HealthCheckPath  string
		LoadBalancerArns []string `xml:"LoadBalancerArns>member"`
	}
	var found []group
	asked := map[string]bool{}
	for _, g := range c.region.targetGroups() {
		named := len(in.ARNs)+len(in.Names) == 0 || slices.Contains(in.ARNs, g.arn) || slices.Contains(in.Names, g.name)
		if named && (in.Balancer == "" || in.Balancer == g.balancer) {
			asked[g.arn], asked[g.name] = true, true
			found = append(found, group{g.arn, g.name, "HTTP", g.port, "ip", "/", []string{g.balancer}})
		}
	}
	for _, name := range append(slices.Clone(in.ARNs), in.Names...) {
		if !asked[name] {
			return nil, noTargetGroup()
		}
	}
	from, to, next, err := markedPage(in.Marker, cmp.Or(in.PageSize, 400), len(found))
	return struct {
		Groups     []group `xml:"TargetGroups>member"`
		NextMarker string  `xml:",omitempty"`
	}{found[from:to], next}, err
}

// markedPage is a page of a list by position.
func markedPage(marker string, size, all int) (from, to int, next string, err error) {
	if marker != "" {
		if _, err := fmt.Sscan(marker, &from); err != nil || from > all || from < 0 {
			return 0, 0, "", fault("ValidationError", "The marker %q is not valid", marker)
		}
	}
	to = min(from+size, all)
	if to < all {
		next = fmt.Sprint(to)
	}
	return from, to, next, nil
}

type target struct {
	ID   string `json:"Id" xml:"Id"`
	Port int    `json:"Port" xml:",omitempty"`
	Zone string `json:"AvailabilityZone" xml:"AvailabilityZone,omitempty"`
}

type targetHealth struct {
	State       string
	Reason      string `xml:",omitempty"`
	Description string `xml:",omitempty"`
}

type targetDescription struct {
	Target          target
	HealthCheckPort string
	Health          targetHealth `xml:"TargetHealth"`
}

// describeTargetHealth shows all targets of a group, or those asked for.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeTargetHealth.html
func describeTargetHealth(c *call) (any, error) {
	var in struct {
		ARN     string   `json:"TargetGroupArn"`
		Targets []target `json:"Targets"`
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	g := c.region.findTargetGroup(in.ARN)
	if g == nil {
		return nil, noTargetGroup()
	}
	var found []targetDescription
	for _, t := range tasksOf(g.deployments, (*task).isTarget) {
		port := t.deployment.portIn(g.arn)
		asked := slices.ContainsFunc(in.Targets, func(wanted target) bool { return wanted.ID == t.address() && (wanted.Port == 0 || wanted.Port == port) })
		if len(in.Targets) == 0 || asked {
			found = append(found, targetDescription{target{t.address(), port, t.region.name + "a"}, fmt.Sprint(port), t.targetHealth()})
		}
	}
	for _, wanted := range in.Targets {
		if !slices.ContainsFunc(found, func(d targetDescription) bool { return d.Target.ID == wanted.ID }) {
			found = append(found, targetDescription{wanted, fmt.Sprint(wanted.Port), targetHealth{"unused", "Target.NotRegistered", "Target is not registered to the target group"}})
		}
	}
	return struct {
		Found []targetDescription `xml:"TargetHealthDescriptions>member"`
	}{found}, nil
}

func (d *deployment) portIn(group string) int {
	for _, b := range d.balancers() {
		if b.TargetGroup == group {
			return b.Port
		}
	}
	return 0
}

// isTarget says whether the task is registered: from its start until it is
// drained.
func (t *task) isTarget() bool {
	return t.last == "ACTIVATING" || t.last == "RUNNING" || t.last == "DEACTIVATING"
}

// targetHealth has the codes and words of
// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_TargetHealth.html
// The descriptions are those that one sees.
func (t *task) targetHealth() targetHealth {
	switch {
	case t.last == "DEACTIVATING":
		return targetHealth{"draining", "Target.DeregistrationInProgress", "Target deregistration is in progress"}
	case t.last == "ACTIVATING":
		return targetHealth{"initial", "Elb.RegistrationInProgress", "Target registration is in progress"}
	case t.failsChecks():
		return unhealthy(cmp.Or(t.fault.TargetReason, "Target.ResponseCodeMismatch"))
	case !t.healthy:
		return targetHealth{"initial", "Elb.InitialHealthChecking", "Initial health checks in progress"}
	case t.overload() != nil:
		return unhealthy(cmp.Or(t.overload().TargetReason, "Target.Timeout"))
	}
	return targetHealth{State: "healthy"}
}

// failsChecks: the checks that would have made the task healthy have failed.
func (t *task) failsChecks() bool {
	return t.fault != nil && t.fault.Fails == "health" && !t.region.aws.clock.Before(t.started.Add(t.region.aws.timing.healthy))
}

func unhealthy(reason string) targetHealth {
	return targetHealth{"unhealthy", reason, map[string]string{
		"Target.Timeout": "Request timed out", "Target.FailedHealthChecks": "Health checks failed",
		"Target.ResponseCodeMismatch": "Health checks failed with these codes: [503]",
	}[reason]}
}

// describeELBTags knows no tags: nothing in the world has any.
func describeELBTags(c *call) (any, error) {
	var in struct {
		ARNs []string `json:"ResourceArns"`
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	type resource struct {
		ResourceArn string
		Tags        []tag `xml:"Tags>member"`
	}
	var all []resource
	for _, arn := range in.ARNs {
		if c.region.findTargetGroup(arn) == nil {
			return nil, noTargetGroup()
		}
		all = append(all, resource{ResourceArn: arn})
	}
	return struct {
		Tags []resource `xml:"TagDescriptions>member"`
	}{all}, nil
}
