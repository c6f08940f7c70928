package sim

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// family is the revisions of a task definition.
type family struct {
	name      string
	revisions []*taskDefinition // in order of their numbers
	last      int               // numbers are never used again
	busy      time.Time         // until then a registration is under way
}

// taskDefinition is one revision. The document holds every member of the
// registration, those that this package does not know, too.
type taskDefinition struct {
	region     *region
	family     string
	revision   int
	status     string // ACTIVE, INACTIVE
	document   map[string]any
	known      definition
	tags       []tag
	registered time.Time
	inactive   time.Time
	by         string
}

// definition is the members that the simulation acts upon.
type definition struct {
	Family      string                `json:"family"`
	Containers  []containerDefinition `json:"containerDefinitions"`
	NetworkMode string                `json:"networkMode"`
	Requires    []string              `json:"requiresCompatibilities"`
	CPU         string                `json:"cpu"`
	Memory      string                `json:"memory"`
	TaskRole    string                `json:"taskRoleArn"`
	Execution   string                `json:"executionRoleArn"`
	Volumes     []json.RawMessage     `json:"volumes"`
	Tags        []tag                 `json:"tags"`
}

type containerDefinition struct {
	Name        string            `json:"name"`
	Image       string            `json:"image"`
	CPU         int               `json:"cpu"`
	Memory      int               `json:"memory"`
	Reservation int               `json:"memoryReservation"`
	Essential   *bool             `json:"essential"`
	Command     []string          `json:"command"`
	EntryPoint  []string          `json:"entryPoint"`
	HealthCheck *json.RawMessage  `json:"healthCheck"`
	Environment []json.RawMessage `json:"environment"`
	Secrets     []json.RawMessage `json:"secrets"`
	Ports       []struct {
		Container int    `json:"containerPort"`
		Host      int    `json:"hostPort"`
		Protocol  string `json:"protocol"`
	} `json:"portMappings"`
	Log struct {
		Driver  string            `json:"logDriver"`
		Options map[string]string `json:"options"`
	} `json:"logConfiguration"`
}

func (t *taskDefinition) name() string { return t.family + ":" + strconv.Itoa(t.revision) }
func (t *taskDefinition) arn() string  { return t.region.arn("ecs", "task-definition/"+t.name()) }

// register adds a revision. The request must have been validated.
func (r *region) register(text []byte, known definition, by string) *taskDefinition {
	f := r.families[known.Family]
	if f == nil {
		f = &family{name: known.Family}
		r.families[known.Family] = f
	}
	f.last++
	t := &taskDefinition{
		region: r, family: f.name, revision: f.last, status: "ACTIVE",
		known: known, tags: known.Tags, registered: r.aws.clock, by: by,
	}
	t.document = document(text, known)
	f.revisions = append(f.revisions, t)
	return t
}

// document is the stored form of a registration: all members, with the
// defaults that ECS writes out. What DescribeTaskDefinition shows differs from
// what was registered, and a client that compares the two has to know.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_definition_parameters.html
func document(text []byte, known definition) map[string]any {
	d := object(text)
	delete(d, "tags")
	for _, list := range []string{"volumes", "placementConstraints"} {
		setDefault(d, list, []any{})
	}
	if known.CPU != "" {
		d["cpu"] = strconv.Itoa(units(known.CPU, "vcpu"))
	}
	if known.Memory != "" {
		d["memory"] = strconv.Itoa(units(known.Memory, "gb"))
	}
	containers, _ := d["containerDefinitions"].([]any)
	for _, c := range containers {
		if c, ok := c.(map[string]any); ok {
			containerDefaults(c, known.NetworkMode)
		}
	}
	d["compatibilities"] = compatibilities(known)
	d["requiresAttributes"] = []any{map[string]string{"name": "com.amazonaws.ecs.capability.docker-remote-api.1.18"}}
	return d
}

func containerDefaults(c map[string]any, network string) {
	setDefault(c, "essential", true)
	setDefault(c, "cpu", 0)
	for _, list := range []string{"environment", "mountPoints", "volumesFrom", "portMappings", "systemControls"} {
		setDefault(c, list, []any{})
	}
	ports, _ := c["portMappings"].([]any)
	for _, p := range ports {
		port, ok := p.(map[string]any)
		if !ok {
			continue
		}
		setDefault(port, "protocol", "tcp")
		setDefault(port, "hostPort", map[bool]any{true: port["containerPort"], false: 0}[network == "awsvpc"])
	}
}

func setDefault(m map[string]any, key string, value any) {
	if m[key] == nil {
		m[key] = value
	}
}

func compatibilities(d definition) []string {
	if d.NetworkMode == "awsvpc" && d.CPU != "" && d.Memory != "" {
		return []string{"EC2", "FARGATE"}
	}
	return []string{"EXTERNAL", "EC2"}
}

// object decodes a JSON object and keeps numbers as they are written.
func object(text []byte) map[string]any {
	var m map[string]any
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if d.Decode(&m) != nil || m == nil {
		return map[string]any{}
	}
	return m
}

// units reads a task size: "1024", or "1 vCPU" and "2 GB" in any case; 0 if it
// is none.
func units(s, unit string) int {
	s = strings.ToLower(strings.TrimSpace(s))
	number, scaled := strings.CutSuffix(s, unit)
	n, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if err != nil || !(n >= 0 && n <= 1<<30) {
		return 0
	}
	if scaled {
		n *= 1024
	}
	return int(n)
}

func (t *taskDefinition) render() map[string]any {
	d := maps.Clone(t.document)
	d["taskDefinitionArn"] = t.arn()
	d["revision"] = t.revision
	d["status"] = t.status
	d["registeredAt"] = stamp(t.registered)
	d["registeredBy"] = t.by
	if !t.inactive.IsZero() {
		d["deregisteredAt"] = stamp(t.inactive)
	}
	return d
}

// findTaskDefinition takes an ARN, "family:revision" or a family, which is its
// newest ACTIVE revision. Nil: there is none.
func (r *region) findTaskDefinition(id string) *taskDefinition {
	name, number, numbered := strings.Cut(r.own(id, "task-definition/", ""), ":")
	f := r.families[name]
	if f == nil {
		return nil
	}
	revision, err := strconv.Atoi(number)
	for _, t := range slices.Backward(f.revisions) {
		if numbered && err == nil && t.revision == revision || !numbered && t.status == "ACTIVE" {
			return t
		}
	}
	return nil
}

func taskDefinitionAPI() map[string]action {
	return map[string]action{
		"RegisterTaskDefinition":     {bucket: "ecs:task-definition-modify", do: registerTaskDefinition},
		"DeregisterTaskDefinition":   {bucket: "ecs:task-definition-modify", do: deregisterTaskDefinition},
		"DescribeTaskDefinition":     {bucket: "ecs:task-definition-read", do: describeTaskDefinition},
		"ListTaskDefinitions":        {bucket: "ecs:task-definition-read", do: listTaskDefinitions},
		"ListTaskDefinitionFamilies": {bucket: "ecs:task-definition-read", do: listTaskDefinitionFamilies},
	}
}

// registerTaskDefinition holds its family while it works, as the answer to
// overlapping registrations shows; for how long is a guess, and the answer
// comes when it is over, so that registrations one after the other never meet.
// https://github.com/hashicorp/terraform-provider-aws/issues/9777
func registerTaskDefinition(c *call) (any, error) {
	var known definition
	if err := c.decode(&known); err != nil {
		return nil, err
	}
	if err := known.check(c.body); err != nil {
		return nil, err
	}
	if f := c.region.families[known.Family]; f != nil && c.clock.Before(f.busy) {
		return nil, fault("ClientException", "Too many concurrent attempts to create a new revision of the specified family.")
	}
	t := c.region.register(c.body, known, c.caller.arn)
	c.region.families[known.Family].busy = c.clock.Add(c.timing.registering)
	c.delay += c.timing.registering
	return map[string]any{"taskDefinition": t.render(), "tags": tagList(t.tags)}, nil
}

// deregisterTaskDefinition picks no revision for the caller, unlike
// DescribeTaskDefinition; its text for that is a guess.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeregisterTaskDefinition.html
func deregisterTaskDefinition(c *call) (any, error) {
	t, err := c.namedTaskDefinition()
	if err != nil {
		return nil, err
	}
	var in struct {
		ID string `json:"taskDefinition"`
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if !strings.HasSuffix(in.ID, t.name()) {
		return nil, fault("ClientException", "The task definition must be given with its revision.")
	}
	if t.status == "ACTIVE" {
		t.status, t.inactive = "INACTIVE", c.clock
	}
	return map[string]any{"taskDefinition": t.render()}, nil
}

// namedTaskDefinition is the one that the request's "taskDefinition" names.
func (c *call) namedTaskDefinition() (*taskDefinition, error) {
	var in struct {
		ID string `json:"taskDefinition"`
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if in.ID == "" {
		return nil, fault("ClientException", "TaskDefinition can not be blank.")
	}
	if t := c.region.findTaskDefinition(in.ID); t != nil {
		return t, nil
	}
	verb := strings.ToLower(strings.TrimSuffix(c.name, "TaskDefinition"))
	return nil, fault("ClientException", "Unable to %s task definition.", verb)
}

func describeTaskDefinition(c *call) (any, error) {
	t, err := c.namedTaskDefinition()
	if err != nil {
		return nil, err
	}
	out := map[string]any{"taskDefinition": t.render()}
	if c.includes("TAGS") {
		out["tags"] = tagList(t.tags)
	}
	return out, nil
}

// includes says whether the request's "include" has a value.
func (c *call) includes(what string) bool {
	var in struct {
		Include []string `json:"include"`
	}
	return c.decode(&in) == nil && slices.Contains(in.Include, what)
}

func tagList(tags []tag) []tag { return append([]tag{}, tags...) }

func listTaskDefinitions(c *call) (any, error) {
	var in struct {
		Family string `json:"familyPrefix"`
		Status string `json:"status"`
		Sort   string `json:"sort"`
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if in.Status == "" {
		in.Status = "ACTIVE"
	}
	var arns []string
	for _, name := range sortedKeys(c.region.families) {
		// In this action the "prefix" is a whole name, says
		// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListTaskDefinitions.html
		if in.Family != "" && name != in.Family {
			continue
		}
		for _, t := range c.region.families[name].revisions {
			if t.status == in.Status && c.listed(t.registered) {
				arns = append(arns, t.arn())
			}
		}
	}
	if in.Sort == "DESC" {
		slices.Reverse(arns)
	}
	return c.page(arns, "taskDefinitionArns", 100)
}

// listed says whether lists show yet what was made at a time.
func (a *AWS) listed(made time.Time) bool { return !a.clock.Before(made.Add(a.lag.lists)) }

func listTaskDefinitionFamilies(c *call) (any, error) {
	var in struct {
		Prefix string `json:"familyPrefix"`
		Status string `json:"status"`
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	var names []string
	for _, name := range sortedKeys(c.region.families) {
		active := slices.ContainsFunc(c.region.families[name].revisions, func(t *taskDefinition) bool { return t.status == "ACTIVE" })
		wanted := in.Status == "" || in.Status == "ALL" || active == (in.Status == "ACTIVE")
		if wanted && strings.HasPrefix(name, in.Prefix) {
			names = append(names, name)
		}
	}
	return c.page(names, "families", 100)
}
