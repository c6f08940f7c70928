package sim

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"
)

// withFaults does the action, or what the world's answer faults say. The first
// fault that holds counts; slowness adds up.
func (c *call) withFaults(do func(*call) (any, error)) (any, error) {
	for i := range c.world.AnswerFaults {
		f := &c.world.AnswerFaults[i]
		if !c.hit(f) {
			continue
		}
		c.faultHits[i]++
		c.delay += time.Duration(f.Delay)
		if f.Code == "" {
			continue
		}
		if f.Done {
			if _, err := do(c); err != nil {
				return nil, err
			}
		}
		status := f.Status
		if status == 0 {
			status = http.StatusBadRequest
		}
		return nil, &apiError{status, f.Code, f.Message}
	}
	return do(c)
}

func (c *call) hit(f *AnswerFault) bool {
	if !glob(f.Action, c.api.name+":"+c.name) || !c.holds(f.Where, c.caller.account, c.caller.region) {
		return false
	}
	for i := range c.world.AnswerFaults {
		if f == &c.world.AnswerFaults[i] && f.Times > 0 && c.faultHits[i] >= f.Times {
			return false
		}
	}
	about := c.about()
	return anyOf(f.Cluster, about.clusters) && anyOf(f.Service, about.services)
}

// anyOf says whether one of the names matches; no glob asks for no name.
func anyOf(pattern string, names []string) bool {
	if pattern == "" {
		return true
	}
	for _, n := range names {
		if glob(pattern, n) {
			return true
		}
	}
	return false
}

// holds says whether a fault applies at this time and place.
func (a *AWS) holds(w Where, account, region string) bool {
	since := Duration(a.clock.Sub(a.world.Start))
	return since >= w.From && (w.Until == 0 || since < w.Until) && glob(w.Account, account) && glob(w.Region, region)
}

// subject is which clusters and services a request speaks of, by name.
type subject struct{ clusters, services []string }

// about reads the subject out of whatever request, by the names that ECS gives
// its members.
func (c *call) about() subject {
	var in struct {
		Cluster               string
		Service               string
		ServiceName           string
		Services              []string
		ServiceDeploymentArn  string
		ServiceDeploymentArns []string
		ServiceRevisionArns   []string
		ResourceID            string   // "service/cluster/name", of Application Auto Scaling
		ResourceIDs           []string // the same
	}
	// A request that does not fit has no subject; its action says what is wrong.
	_ = json.Unmarshal(c.body, &in)
	var s subject
	if in.Cluster != "" {
		s.clusters = append(s.clusters, lastPart(in.Cluster))
	}
	names := append([]string{in.Service, in.ServiceName, in.ServiceDeploymentArn, in.ResourceID}, in.Services...)
	names = slices.Concat(names, in.ServiceDeploymentArns, in.ServiceRevisionArns, in.ResourceIDs)
	for _, n := range names {
		cluster, service := serviceInARN(n)
		if service != "" {
			s.services = append(s.services, service)
		}
		if cluster != "" {
			s.clusters = append(s.clusters, cluster)
		}
	}
	for _, about := range c.codeDeployed() {
		s.clusters, s.services = append(s.clusters, about.cluster.name), append(s.services, about.name)
	}
	if len(s.clusters) == 0 && c.api.name == "ecs" {
		s.clusters = []string{"default"}
	}
	return s
}

// serviceInARN reads cluster and service out of "…:service/cluster/name",
// "…:service-deployment/cluster/name/id" or a bare name.
func serviceInARN(s string) (cluster, service string) {
	parts := strings.Split(s, "/")
	if len(parts) < 3 {
		return "", lastPart(s)
	}
	return parts[1], parts[2]
}

func lastPart(arn string) string { return arn[strings.LastIndexByte(arn, '/')+1:] }

// resource is the ARN in a message about permissions.
func (c *call) resource() string {
	about := c.about()
	switch {
	case c.api.name != "ecs" || strings.Contains(c.name, "TaskDefinition"):
		return "*"
	case len(about.services) > 0:
		return c.region.arn("ecs", "service/"+about.clusters[0]+"/"+about.services[0])
	default:
		return c.region.arn("ecs", "cluster/"+about.clusters[0])
	}
}

// taskFault is what is to happen to a task that starts now; nil: nothing.
func (t *task) taskFault() *TaskFault {
	a := t.region.aws
	for i := range a.world.TaskFaults {
		f := &a.world.TaskFaults[i]
		if slices.Contains([]string{"pull", "exit", "health"}, f.Fails) && t.suffers(f) {
			return f
		}
	}
	return nil
}

// placeless is the capacity fault that holds for the task now; nil: there is
// room.
func (t *task) placeless() *TaskFault {
	a := t.region.aws
	for i := range a.world.TaskFaults {
		f := &a.world.TaskFaults[i]
		if f.Fails == "capacity" && t.suffers(f) {
			return f
		}
	}
	return nil
}

func (t *task) suffers(f *TaskFault) bool {
	return t.region.aws.holds(f.Where, t.region.account, t.region.name) && t.matches(f)
}

// matches says whether a fault is meant for the task, whenever.
func (t *task) matches(f *TaskFault) bool {
	return glob(f.Account, t.region.account) && glob(f.Region, t.region.name) &&
		glob(f.Cluster, t.cluster.name) &&
		(f.Service == "" || t.deployment != nil && glob(f.Service, t.deployment.service.name)) &&
		glob(f.Group, t.group) &&
		t.victim(f) != nil
}

// victim is the container that a fault hits; nil: none.
func (t *task) victim(f *TaskFault) *container {
	for _, c := range t.containers {
		if f.Image == "" && c.essential || f.Image != "" && glob(f.Image, c.image) {
			return c
		}
	}
	return nil
}
