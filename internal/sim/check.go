package sim

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// check says everything that is wrong with a world, each mistake with its
// path.
func (w World) check() error {
	c := &checker{}
	if w.Speed < 0 {
		c.wrong("speed", "%v is not above 0", w.Speed)
	}
	if w.DefaultAccount != "" {
		c.account("default-account", w.DefaultAccount)
	}
	for _, key := range sortedKeys(w.AccessKeys) {
		account, _, _ := strings.Cut(w.AccessKeys[key], "/")
		c.account("access-keys."+key, account)
	}
	for _, id := range sortedKeys(w.Accounts) {
		path := "accounts." + id
		c.account(path, id)
		c.roles(path+".roles", w.Accounts[id].Roles)
		for _, name := range sortedKeys(w.Accounts[id].Regions) {
			c.region(path+".regions."+name, name, w.Accounts[id].Regions[name])
		}
	}
	c.oneOf("past-actions", w.PastActions, "listed", "removed")
	c.faults(w)
	return errors.Join(c.mistakes...)
}

type checker struct{ mistakes []error }

func (c *checker) wrong(path, format string, args ...any) {
	c.mistakes = append(c.mistakes, fmt.Errorf("world: %s: %s", path, fmt.Sprintf(format, args...)))
}

// oneOf complains about a value that is not listed; empty is the default.
func (c *checker) oneOf(path, value string, values ...string) {
	if value != "" && !slices.Contains(values, value) {
		c.wrong(path, "%q is not one of %s", value, strings.Join(values, ", "))
	}
}

func (c *checker) account(path, id string) {
	if len(id) != 12 || twelveDigits(id) != id {
		c.wrong(path, "%q is no account number of twelve digits", id)
	}
}

func (c *checker) roles(path string, roles []Role) {
	seen := map[string]bool{}
	for i, r := range roles {
		at := fmt.Sprintf("%s[%d]", path, i)
		if r.Name == "" || seen[r.Name] {
			c.wrong(at, "the name %q is empty or given twice", r.Name)
		}
		seen[r.Name] = true
	}
}

func (c *checker) region(path, name string, r Region) {
	if r.QuotaFactor < 0 {
		c.wrong(path+".quota-factor", "%v is not above 0", r.QuotaFactor)
	}
	known := documented(name)
	for _, id := range sortedKeys(r.Quotas) {
		c.quota(path+".quotas."+id, id, r.Quotas[id], known)
	}
	for i, n := range r.Neighbours {
		at := fmt.Sprintf("%s.neighbours[%d]", path, i)
		c.bucket(at, n.Bucket, known)
		if n.Rate <= 0 {
			c.wrong(at, "the rate %v is not above 0", n.Rate)
		}
	}
	c.services(path, r)
	c.targets(path, r)
	seen := map[string]bool{}
	for i, a := range r.Alarms {
		if a.Name == "" || seen[a.Name] {
			c.wrong(fmt.Sprintf("%s.alarms[%d]", path, i), "the name %q is empty or given twice", a.Name)
		}
		seen[a.Name] = true
	}
}

func (c *checker) bucket(path, id string, known map[string]size) {
	if _, ok := known[id]; !ok {
		c.wrong(path, "there is no bucket %q; there are %s", id, strings.Join(sortedKeys(known), ", "))
	}
}

func (c *checker) quota(path, id string, q Quota, known map[string]size) {
	c.bucket(path, id, known)
	c.amounts(path, q.Rate, q.Burst)
	for i, ch := range q.Changes {
		at := fmt.Sprintf("%s.changes[%d]", path, i)
		c.amounts(at, ch.Rate, ch.Burst)
		if i > 0 && ch.At < q.Changes[i-1].At {
			c.wrong(at, "the changes are not in order of their time")
		}
	}
}

func (c *checker) amounts(path string, rate, burst *float64) {
	if rate != nil && *rate <= 0 {
		c.wrong(path, "the rate %v is not above 0", *rate)
	}
	if burst != nil && *burst < 1 {
		c.wrong(path, "the burst %v is below 1: nothing would ever pass", *burst)
	}
}

// services checks task definitions and services together, since services name
// families and revisions.
func (c *checker) services(path string, r Region) {
	listed := c.definitions(path, r.TaskDefinitions)
	seen := map[string]bool{}
	for i, s := range r.Services {
		at := fmt.Sprintf("%s.services[%d]", path, i)
		if s.Count < 0 {
			c.wrong(at, "the count %d is below 0", s.Count)
		}
		if s.Count > 1 && !strings.Contains(s.Cluster+s.Name, "{n}") {
			c.wrong(at, "%d services have one name; write {n} in cluster or name", s.Count)
		}
		for n := range max(s.Count, 1) {
			if !c.service(at, s.numbered(n+1), listed, seen) {
				break // the others have the same mistakes
			}
		}
	}
}

// definitions checks the listed task definitions, and returns what they make:
// families, and "family:revision".
func (c *checker) definitions(path string, all []json.RawMessage) map[string]bool {
	listed := map[string]bool{}
	last := map[string]int{}
	for i, text := range all {
		at := fmt.Sprintf("%s.task-definitions[%d]", path, i)
		var d struct {
			definition
			Revision int `json:"revision"`
		}
		err := json.Unmarshal(text, &d)
		if err == nil {
			err = d.definition.check(text)
		}
		if err != nil {
			c.wrong(at, "%v", err)
			continue
		}
		if last[d.Family] == 0 && d.Revision > 0 {
			last[d.Family] = d.Revision - 1
		}
		last[d.Family]++
		listed[d.Family] = true
		listed[fmt.Sprintf("%s:%d", d.Family, last[d.Family])] = true
	}
	return listed
}

// service checks one service; false: there were mistakes.
func (c *checker) service(path string, s Service, listed, seen map[string]bool) bool {
	before := len(c.mistakes)
	for name, value := range map[string]string{"cluster": s.Cluster, "name": s.Name, "family": s.Family} {
		if !nameOK(value) {
			c.wrong(path, "%s %q: write letters, digits, hyphens and underscores", name, value)
		}
	}
	if id := s.Cluster + "/" + s.Name; seen[id] {
		c.wrong(path, "the service %s exists twice", id)
	}
	seen[s.Cluster+"/"+s.Name] = true
	switch {
	case s.TaskDefinition != "" && len(s.Containers) > 0:
		c.wrong(path, "give task-definition or containers, not both")
	case s.TaskDefinition != "" && !listed[s.TaskDefinition]:
		c.wrong(path, "the task definition %q is not listed in task-definitions", s.TaskDefinition)
	case s.TaskDefinition == "" && len(s.Containers) == 0 && !listed[s.Family]:
		c.wrong(path, "give containers, or a task definition that is listed")
	}
	for _, name := range sortedKeys(s.Containers) {
		if !nameOK(name) || s.Containers[name] == "" {
			c.wrong(path, "container %q has no proper name or no image", name)
		}
	}
	if either(s.Desired, 1) < 0 {
		c.wrong(path, "the desired count is below 0")
	}
	c.oneOf(path+".launch-type", s.LaunchType, "FARGATE", "EC2", "EXTERNAL")
	c.oneOf(path+".controller", s.Controller, "ECS", "CODE_DEPLOY", "EXTERNAL")
	c.oneOf(path+".strategy", s.Strategy, "ROLLING", "BLUE_GREEN", "LINEAR", "CANARY")
	c.oneOf(path+".circuit-breaker", s.CircuitBreaker, "off", "on", "rollback")
	c.oneOf(path+".propagate-tags", s.PropagateTags, "TASK_DEFINITION", "SERVICE", "NONE")
	c.strategy(path, s)
	return len(c.mistakes) == before
}

func (c *checker) faults(w World) {
	for i, f := range w.TaskFaults {
		at := fmt.Sprintf("task-faults[%d]", i)
		if f.Fails == "" {
			c.wrong(at, "fails is missing: pull, exit, health, capacity, errors or overload")
		}
		c.oneOf(at+".fails", f.Fails, "pull", "exit", "health", "capacity", "errors", "overload")
		c.oneOf(at+".target-reason", f.TargetReason, "Target.ResponseCodeMismatch", "Target.Timeout", "Target.FailedHealthChecks")
		if busy := f.Fails == "errors" || f.Fails == "overload"; f.Tasks < 0 || f.PerMinute < 0 || !busy && f.Tasks+int(f.PerMinute) > 0 {
			c.wrong(at, "tasks and per-minute are not below 0, and belong to errors and overload")
		}
	}
	c.deploymentFaults(w)
	for i, f := range w.AnswerFaults {
		at := fmt.Sprintf("answer-faults[%d]", i)
		if !strings.Contains(f.Action, ":") && f.Action != "*" {
			c.wrong(at+".action", "%q is no action such as \"ecs:UpdateService\"", f.Action)
		}
		if f.Code == "" && f.Delay == 0 {
			c.wrong(at, "has neither a code nor a delay, and so does nothing")
		}
		if f.Times < 0 || f.Status != 0 && (f.Status < 400 || f.Status > 599) {
			c.wrong(at, "times is not below 0, and status is from 400 to 599")
		}
	}
}
