package action

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"
)

// Inputs is what a run was asked to do, checked as far as text can be checked:
// selectors, globs and what is in the fleet file are for others to read.
type Inputs struct {
	Command              string // deploy, scale
	Environments         string // selectors or an inline list; never empty
	Services             []string
	FleetFile            string
	ImageTag             string // tag or sha256 digest; empty when Image is not
	Image                string // whole reference
	Images               []ContainerImage
	Container            []string
	TaskCPU              int // units; 0: as it is
	TaskMemory           int // MiB; 0: as it is
	DesiredCount         DesiredCount
	AllowZero            bool
	MaxTasks             int
	MinCapacity          *int          // nil: not given
	MaxCapacity          *int          // nil: not given
	Autoscaling          string        // adjust, suspend, ignore; leave
	ScaleFor             time.Duration // 0: for good
	Restore              bool
	CreateScalableTarget bool
	ForceNewDeployment   bool
	Prepare              bool
	WaitFor              string        // deployed, stable, started, or one of Known.Stages
	OnInProgress         string        // wait, stop, skip, fail
	Timeout              time.Duration // 0: DefaultTimeout plus what the strategy declares
	MaxTaskFailures      int           // 0: no limit
	MaxParallel          int           // 0: no limit
	MaxFailures          MaxFailures
	Rollback             string // none, service, environment, all
	AllowOlder           bool
	BakeTime             time.Duration // 0: none
	Alarms               []string
	DryRun               bool
	APIShare             float64          // above 0, up to 1
	APIQuotas            map[string]Quota // by name of the bucket
	Region               string
	Account              string
	RoleARN              string
	ExternalID           string
	Cluster              string
	Summary              string // full, compact, off
}

// ContainerImage is a line of images.
type ContainerImage struct {
	Container string
	Value     string
	Reference bool // Value is a whole reference, not a tag or digest
}

// MaxFailures is how many environments may fail: Count, or Percent (up to 100)
// of those selected where it is above 0.
type MaxFailures struct {
	Given   bool // false: the other fields say nothing
	Count   int
	Percent float64
}

// Quota corrects an API quota: requests per second, and how many may come at
// once (0: not stated).
type Quota struct{ Rate, Burst float64 }

// Known is what the inputs may name but this package does not know.
type Known struct {
	Buckets []string // names that api-quotas may correct
	Stages  []string // "ecs:BAKE_TIME": what wait-for may name besides its words
}

// Parse converts all inputs. It returns every mistake, in the order of the
// table, each with its place and what to write instead; the Inputs are of use
// only when there is none.
func (r Raw) Parse(known Known) (Inputs, []error) {
	p := &parser{raw: r}
	in := Inputs{
		Command:              p.choice("command"),
		Environments:         p.text("environments"),
		Services:             p.list("services"),
		FleetFile:            p.text("fleet-file"),
		ImageTag:             read(p, "image-tag", parseTag),
		Image:                read(p, "image", parseReference),
		Images:               lines(p, "images", parseContainerImage),
		Container:            p.list("container"),
		TaskCPU:              read(p, "task-cpu", parseCPU),
		TaskMemory:           read(p, "task-memory", parseMemory),
		DesiredCount:         p.desiredCount(),
		AllowZero:            read(p, "allow-zero", parseBool),
		MaxTasks:             read(p, "max-tasks", parseMaxTasks),
		MinCapacity:          read(p, "min-capacity", parseCapacity),
		MaxCapacity:          read(p, "max-capacity", parseCapacity),
		Autoscaling:          p.autoscaling(),
		ScaleFor:             read(p, "scale-for", parseScaleFor),
		Restore:              read(p, "restore", parseBool),
		CreateScalableTarget: read(p, "create-scalable-target", parseBool),
		ForceNewDeployment:   read(p, "force-new-deployment", parseBool),
		Prepare:              read(p, "prepare", parseBool),
		WaitFor:              read(p, "wait-for", waitParser(known.Stages)),
		OnInProgress:         p.choice("on-in-progress"),
		Timeout:              read(p, "timeout", parseDuration),
		MaxTaskFailures:      read(p, "max-task-failures", parseCount),
		MaxParallel:          read(p, "max-parallel", parseCount),
		MaxFailures:          read(p, "max-failures", parseMaxFailures),
		Rollback:             p.choice("rollback"),
		AllowOlder:           read(p, "allow-older", parseBool),
		BakeTime:             read(p, "bake-time", parseBakeTime),
		Alarms:               p.list("alarms"),
		DryRun:               read(p, "dry-run", parseBool),
		APIShare:             read(p, "api-share", parseShare),
		APIQuotas:            quotas(lines(p, "api-quotas", quotaParser(known.Buckets))),
		Region:               p.like("region", regionPattern, "ap-northeast-1"),
		Account:              p.like("account", accountPattern, "its twelve digits"),
		RoleARN:              p.like("role-arn", rolePattern, "arn:aws:iam::{account}:role/deploy"),
		ExternalID:           p.text("external-id"),
		Cluster:              p.text("cluster"),
		Summary:              p.choice("summary"),
	}
	p.together()
	return in, p.sorted()
}

// parser collects the mistakes of one Parse.
type parser struct {
	raw      Raw
	mistakes []mistake
}

type mistake struct {
	name string
	err  error
}

func (p *parser) mistake(name string, err error) {
	p.mistakes = append(p.mistakes, mistake{name, fmt.Errorf("%s: %w", p.raw.place(name), err)})
}

// sorted is the mistakes in the order of the table.
func (p *parser) sorted() []error {
	order := inputNames()
	slices.SortStableFunc(p.mistakes, func(a, b mistake) int {
		return cmp.Compare(slices.Index(order, a.name), slices.Index(order, b.name))
	})
	var errs []error
	for _, m := range p.mistakes {
		errs = append(errs, m.err)
	}
	return errs
}

func (p *parser) text(name string) string {
	value := p.raw.Value(name)
	if in, _ := lookup(name); in.Required && value == "" {
		p.mistake(name, errors.New("is required and empty; write which ones, such as tenant-*, or * for everything"))
	}
	return value
}

func (p *parser) choice(name string) string {
	in, _ := lookup(name)
	return read(p, name, func(value string) (string, error) {
		if !slices.Contains(in.Choices, value) {
			return "", fmt.Errorf("%q is not known; %s", value, didYouMean(value, in.Choices))
		}
		return value, nil
	})
}

func (p *parser) list(name string) []string { return splitList(p.raw.Value(name)) }

func (p *parser) like(name string, pattern *regexp.Regexp, example string) string {
	return read(p, name, func(value string) (string, error) {
		if !pattern.MatchString(value) && !placeholder.MatchString(value) {
			return "", fmt.Errorf("%q does not look like one; write %s", value, example)
		}
		return value, nil
	})
}

// read converts an input that is given or has a default; else its value is
// the zero value.
func read[T any](p *parser, name string, parse func(string) (T, error)) T {
	var zero T
	value := p.raw.Value(name)
	if value == "" {
		return zero
	}
	v, err := parse(value)
	if err != nil {
		p.mistake(name, err)
		return zero
	}
	return v
}

// keyed is an entry of which there may be only one of its kind.
type keyed interface{ key() string }

// lines converts an input of an entry a line; blank lines do not count.
func lines[T keyed](p *parser, name string, parse func(string) (T, error)) []T {
	var all []T
	seen := map[string]bool{}
	for i, line := range splitLines(p.raw.Value(name)) {
		if line == "" {
			continue
		}
		v, err := parse(line)
		if err == nil && seen[v.key()] {
			err = fmt.Errorf("%q stands there twice; leave one", v.key())
		}
		if err != nil {
			p.mistake(name, fmt.Errorf("line %d: %w", i+1, err))
			continue
		}
		seen[v.key()] = true
		all = append(all, v)
	}
	return all
}

// together checks what no input shows alone.
func (p *parser) together() {
	given := func(name string) bool { return p.raw.Value(name) != "" }
	wait, deploys := p.raw.Value("wait-for"), p.raw.Value("command") == "deploy"
	if bake, err := parseBakeTime(p.raw.Value("bake-time")); err == nil && bake > 0 && deploys && wait != "deployed" && wait != "stable" {
		p.mistake("bake-time", fmt.Errorf("a wave can only bake when its deployments are waited for; set wait-for to deployed instead of %s, or leave bake-time out", wait))
	}
	if given("image-tag") && given("image") {
		p.mistake("image", errors.New("cannot be given together with image-tag; leave one"))
	}
	if prepare, err := parseBool(p.raw.Value("prepare")); prepare && err == nil && p.raw.Value("command") != "deploy" {
		p.mistake("prepare", fmt.Errorf("is for command deploy; %s registers nothing that could be prepared, leave it out", p.raw.Value("command")))
	}
	p.scaling()
	// A force that cannot be read is one mistake, not two.
	force, err := parseBool(p.raw.Value("force-new-deployment"))
	if force && p.raw.Value("command") == "rollback" {
		p.mistake("force-new-deployment", errors.New("is for command deploy; a rollback changes the revision, leave it out"))
	}
	if p.raw.Value("command") != "deploy" {
		return
	}
	if !given("image-tag") && !given("image") && !given("images") && !given("task-cpu") && !given("task-memory") && !force && err == nil {
		p.mistake("image-tag", errors.New("nothing to deploy; give image-tag, image or images, task-cpu or task-memory, or set force-new-deployment to true"))
	}
}
