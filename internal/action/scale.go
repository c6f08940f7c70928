package action

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// DesiredCount is a number of tasks as it was written: "8", "+4", "-2" or
// "200%". Either all services have the same, or each is named. The zero value is
// none.
type DesiredCount struct {
	All       string
	ByService []ServiceCount
}

// Given tells whether there is a number at all.
func (d DesiredCount) Given() bool { return d.All != "" || len(d.ByService) > 0 }

// ServiceCount is a line of desired-count.
type ServiceCount struct{ Service, Count string }

func (c ServiceCount) key() string { return c.Service }

var countPattern = regexp.MustCompile(`^([+-]?[0-9]{1,6}|[0-9]{1,6}%)$`)

func parseDesired(value string) (string, error) {
	if !countPattern.MatchString(value) {
		return "", fmt.Errorf("%q is no number of tasks; write 8, a change (+4, -2), a share (200%%), or a line for each service such as rails=12", value)
	}
	return value, nil
}

// desiredCount reads the input: one number, or a line for each service.
func (p *parser) desiredCount() DesiredCount {
	if !strings.Contains(p.raw.Value("desired-count"), "=") {
		return DesiredCount{All: read(p, "desired-count", parseDesired)}
	}
	return DesiredCount{ByService: lines(p, "desired-count", func(line string) (ServiceCount, error) {
		service, count, _ := strings.Cut(line, "=")
		c := ServiceCount{Service: strings.TrimSpace(service), Count: strings.TrimSpace(count)}
		_, err := parseDesired(c.Count)
		if err == nil && c.Service == "" {
			err = fmt.Errorf("%q names no service; write rails=12", line)
		}
		return c, err
	})}
}

// sizePattern is a task's CPU or memory: a number, or one with its unit.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RegisterTaskDefinition.html
var sizePattern = regexp.MustCompile(`^([0-9]{0,7}(?:\.[0-9]{1,3})?)\s*(vcpu|gb|)$`)

func parseSize(value, unit, example string) (int, error) {
	m := sizePattern.FindStringSubmatch(strings.ToLower(value))
	if m != nil && (m[2] == "" || m[2] == unit) {
		n, err := strconv.ParseFloat(m[1], 64)
		if m[2] != "" {
			n *= 1024
		}
		if err == nil && n >= 1 && n == float64(int(n)) {
			return int(n), nil
		}
	}
	return 0, fmt.Errorf("%q is not a size; write %s", value, example)
}

func parseCPU(value string) (int, error)    { return parseSize(value, "vcpu", "8192 or 8 vCPU") }
func parseMemory(value string) (int, error) { return parseSize(value, "gb", "16384 or 16 GB") }

// parseMaxTasks takes a limit that always is one.
func parseMaxTasks(value string) (int, error) {
	n, err := parseCount(value)
	if err != nil {
		return 0, fmt.Errorf("%q is not a number of 1 or more; write 200", value)
	}
	return n, nil
}

// Bounds of scale-for, which no job has to outlive: shorter than schedules can
// tell is a slip, and what lasts longer than a month is not temporary.
const (
	minScaleFor = time.Minute
	maxScaleFor = 31 * 24 * time.Hour
)

func parseScaleFor(value string) (time.Duration, error) {
	d, err := time.ParseDuration(value)
	if err != nil || d < minScaleFor || d > maxScaleFor {
		return 0, fmt.Errorf("%q is not a duration between 1m and 744h; write 90m or 3h", value)
	}
	return d, nil
}

// parseCapacity takes a bound of autoscaling, which may be 0.
func parseCapacity(value string) (*int, error) {
	n, err := strconv.ParseUint(value, 10, 31)
	if err != nil {
		return nil, fmt.Errorf("%q is not a number of tasks; write 2", value)
	}
	capacity := int(n)
	return &capacity, nil
}

// autoscaling is the input, or what holds for the command where there is none.
// A habit of the team (policy) that is for another command says nothing here.
func (p *parser) autoscaling() string {
	fits := map[string][]string{"scale": {"adjust", "suspend", "ignore"}, "deploy": {"leave", "suspend"}}[p.raw.Value("command")]
	value := p.choice("autoscaling")
	for _, f := range fits {
		if value == f {
			return value
		}
	}
	if value != "" && len(fits) > 0 && p.raw.place("autoscaling") == "input autoscaling" {
		p.mistake("autoscaling", fmt.Errorf("%q is not for command %s; write one of %s", value, p.raw.Value("command"), strings.Join(fits, ", ")))
	}
	if len(fits) == 0 {
		return ""
	}
	return fits[0]
}

// scaling checks what belongs to scale, and what does not.
func (p *parser) scaling() {
	given := func(name string) bool { return p.raw.Value(name) != "" }
	on := func(name string) bool { b, err := parseBool(p.raw.Value(name)); return b && err == nil }
	if command := p.raw.Value("command"); command != "scale" {
		if command == "deploy" {
			p.deployedCount()
		} else if given("desired-count") {
			p.mistake("desired-count", fmt.Errorf("is for the commands scale and deploy; %s leaves the number of tasks alone, leave it out", command))
		}
		if command != "deploy" {
			p.notFor(command, "task-cpu", "task-memory")
		}
		for _, name := range []string{"min-capacity", "max-capacity", "scale-for"} {
			if given(name) {
				p.mistake(name, fmt.Errorf("is for command scale; %s leaves the number of tasks alone, leave it out", command))
			}
		}
		for _, name := range []string{"restore", "create-scalable-target"} {
			if on(name) {
				p.mistake(name, fmt.Errorf("is for command scale; %s leaves the number of tasks alone, leave it out", command))
			}
		}
		return
	}
	p.notFor("scale", "image-tag", "image", "images", "task-cpu", "task-memory")
	if on("force-new-deployment") {
		p.mistake("force-new-deployment", errors.New("is for command deploy; scale replaces no task, leave it out"))
	}
	for _, name := range []string{"desired-count", "min-capacity", "max-capacity", "scale-for"} {
		if on("restore") && given(name) {
			p.mistake(name, errors.New("cannot be given together with restore, which puts back what is recorded; leave one"))
		}
	}
	if given("scale-for") && given("autoscaling") && p.raw.Value("autoscaling") != "adjust" {
		p.mistake("scale-for", errors.New("ends by bounds that AWS sets, so it needs autoscaling: adjust; leave one out"))
	}
	if on("create-scalable-target") && !given("scale-for") {
		p.mistake("create-scalable-target", errors.New("is for scale-for, which needs a scalable target to end; leave it out, or give scale-for"))
	}
	p.capacities()
	p.absolute()
}

// absolute checks the numbers that need no look at AWS.
func (p *parser) absolute() {
	most, err := parseMaxTasks(p.raw.Value("max-tasks"))
	zero, wrong := parseBool(p.raw.Value("allow-zero"))
	if err != nil || wrong != nil {
		return // told where they are read
	}
	for _, text := range strings.FieldsFunc(p.raw.Value("desired-count"), func(r rune) bool { return r == '\n' || r == '=' }) {
		n, err := strconv.ParseUint(strings.TrimSpace(text), 10, 31) // relative numbers and names are none
		switch {
		case err != nil:
		case int(n) > most:
			p.mistake("desired-count", fmt.Errorf("is %d, and max-tasks is %d; correct the number, or raise max-tasks", n, most))
		case n == 0 && !zero:
			p.mistake("desired-count", errors.New("is 0; set allow-zero to true if no task is to run"))
		}
	}
}

// notFor are the mistakes of inputs that another command than deploy does not use.
func (p *parser) notFor(command string, inputs ...string) {
	for _, name := range inputs {
		if p.raw.Value(name) != "" {
			p.mistake(name, fmt.Errorf("is for command deploy; %s registers no revision, leave it out", command))
		}
	}
}

// deployedCount checks a number of tasks that a deploy is to bring about, too.
func (p *parser) deployedCount() {
	if p.raw.Value("desired-count") == "" {
		return
	}
	if prepare, err := parseBool(p.raw.Value("prepare")); prepare && err == nil {
		p.mistake("desired-count", errors.New("cannot be given together with prepare, which touches no service; leave one"))
	}
	if p.raw.Value("wait-for") == "started" {
		p.mistake("desired-count", errors.New("needs to know that the new tasks run before it takes others away; leave out wait-for: started"))
	}
	p.absolute()
}

// capacities checks the bounds that are given against each other and max-tasks.
func (p *parser) capacities() {
	most, err := parseMaxTasks(p.raw.Value("max-tasks"))
	if err != nil {
		return // told where it is read
	}
	bounds := map[string]*int{}
	for _, name := range []string{"min-capacity", "max-capacity"} {
		n, err := parseCapacity(p.raw.Value(name))
		if err != nil {
			continue
		}
		bounds[name] = n
		if *n > most {
			p.mistake(name, fmt.Errorf("is %d, and max-tasks is %d; correct the number, or raise max-tasks", *n, most))
		}
	}
	if low, high := bounds["min-capacity"], bounds["max-capacity"]; low != nil && high != nil && *low > *high {
		p.mistake("min-capacity", fmt.Errorf("is %d, above max-capacity %d; exchange them", *low, *high))
	}
}
