// Package command is one run of the program from its inputs to its exit code.
//
// It only wires: inputs (package action) to the fleet (package fleet), to the
// rollout (package rollout, which plans and deploys over package cloud), and
// back to what people and machines read (package report).
//
// Its one idea: whatever happens, a run ends in one record, and the record is
// written in full: summary, outputs, annotations, result document, exit code.
//
// Read next: console.go (what is printed meanwhile), simulate.go.
package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"ecs-fleet/internal/action"
	"ecs-fleet/internal/cloud"
	"ecs-fleet/internal/fleet"
	"ecs-fleet/internal/plan"
	"ecs-fleet/internal/report"
	"ecs-fleet/internal/rollout"
	"ecs-fleet/internal/throttle"
)

// Process is what a run has of the world outside.
type Process struct {
	Args      []string            // a command and flags; none in the action
	Getenv    func(string) string // INPUT_…, GITHUB_…, ECS_FLEET_RESULT
	Environ   []string            // NAME=value
	Stdout    io.Writer
	ReadFile  func(name string) ([]byte, error)
	Transport http.RoundTripper // to AWS; nil: the network
	// Speed is how many seconds of AWS's clock pass in a real one: 1, or 0,
	// except against a simulation that says otherwise.
	Speed float64
}

// Run runs the command that inputs and flags ask for, blocks until it has ended
// and all is written, and returns the exit code: 0 when every service ended
// well, 2 when the run was refused before any write, 1 otherwise. When ctx ends,
// it writes what is known at once.
func Run(ctx context.Context, p Process) int {
	flags, mistakes := action.ReadFlags(p.Args)
	if slices.ContainsFunc(mistakes, func(err error) bool { return errors.Is(err, action.ErrHelp) }) {
		fmt.Fprint(p.Stdout, action.Usage())
		return 0
	}
	return newSession(p, flags).run(ctx, mistakes)
}

// session is one run of a command: its inputs and its record.
type session struct {
	Process
	raw     action.Raw
	inputs  action.Inputs
	action  *action.Action
	console *console
	record  report.Run

	scaling  *rollout.Scaling          // nil: another command
	settings []fleet.Setting           // under policy: in the fleet file
	places   map[string]fleet.Position // of mistakes in the fleet file
}

func newSession(p Process, flags action.Raw) *session {
	a := action.New(p.Getenv, p.Stdout)
	return &session{
		Process: p, raw: flags.Or(action.ReadEnv(p.Getenv)), action: a,
		record: report.Run{Command: "deploy", Started: time.Now().UTC()}, places: make(map[string]fleet.Position),
	}
}

// run does the whole of a command and writes what came of it, in every
// case.
func (s *session) run(ctx context.Context, mistakes []error) int {
	environments, found := s.read()
	mistakes = slices.Concat(mistakes, action.Misspelt(s.Environ), found)
	if len(mistakes) == 0 {
		s.deploy(ctx, environments)
	} else {
		s.refuse(mistakes)
	}
	return s.close(ctx)
}

// read reads and checks inputs and fleet, and returns all mistakes at once.
func (s *session) read() (environments []fleet.Environment, mistakes []error) {
	base := fleet.Base{
		Region: s.raw.Value("region"), Account: s.raw.Value("account"), RoleARN: s.raw.Value("role-arn"),
		ExternalID: s.raw.Value("external-id"), Cluster: s.raw.Value("cluster"),
	}
	selectors, path := s.raw.Value("environments"), s.raw.Value("fleet-file")
	text, err := s.ReadFile(path)
	inline := fleet.IsInline(selectors)
	var wrong []fleet.Mistake
	switch {
	case err == nil && inline:
		wrong = []fleet.Mistake{fleet.InlineBesideFile(path)}
	case err == nil:
		var file fleet.File
		file, wrong = fleet.Parse(text, path, base)
		environments = file.Environments
		s.settings = file.Policy
		raw, settings := s.raw.WithPolicy(policy(file.Policy))
		s.raw, mistakes = raw, append(mistakes, settings...)
	case !errors.Is(err, os.ErrNotExist):
		mistakes = append(mistakes, fmt.Errorf("input fleet-file: %w", err))
	case inline:
		environments, wrong = fleet.ParseInline(selectors, base)
	case selectors != "":
		mistakes = append(mistakes, fmt.Errorf("input fleet-file: %s does not exist; check the repository out before this step, or give environments as an inline list", path))
	}
	s.inputs, mistakes = s.parse(mistakes)
	s.record.Command = cmp.Or(s.inputs.Command, s.record.Command)
	if len(wrong) == 0 && len(environments) > 0 && selectors != "" {
		environments, wrong = s.choose(environments, inline)
	}
	for _, m := range wrong {
		mistakes = append(mistakes, m)
	}
	if s.inputs.Command == "deploy" && s.inputs.DesiredCount.Given() && len(wrong) == 0 && len(mistakes) == 0 {
		s.scaling, mistakes = s.deployedCount(environments)
	}
	if s.inputs.Command == "scale" && len(wrong) == 0 {
		mistakes = append(mistakes, s.unnamed(environments)...)
		if len(mistakes) == 0 {
			s.scaling, mistakes = s.scalingOf(environments)
		}
	}
	return environments, mistakes
}

func (s *session) parse(mistakes []error) (action.Inputs, []error) {
	inputs, more := s.raw.Parse(action.Known{Buckets: throttle.Buckets(), Stages: rollout.Stages()})
	return inputs, append(mistakes, more...)
}

// choose keeps the selected environments and services.
func (s *session) choose(environments []fleet.Environment, inline bool) ([]fleet.Environment, []fleet.Mistake) {
	var mistakes, more []fleet.Mistake
	if !inline {
		environments, mistakes = fleet.Select(environments, s.inputs.Environments)
	}
	if services := s.raw.Value("services"); services != "" && len(mistakes) == 0 {
		environments, more = fleet.SelectServices(environments, services)
	}
	return environments, append(mistakes, more...)
}

func policy(settings []fleet.Setting) []action.Setting {
	var all []action.Setting
	for _, s := range settings {
		all = append(all, action.Setting{Name: s.Name, Value: s.Value, Place: s.At.String()})
	}
	return all
}

// refuse ends the run before it began.
func (s *session) refuse(mistakes []error) {
	for _, err := range mistakes {
		text := err.Error()
		s.record.Mistakes = append(s.record.Mistakes, text)
		if m, ok := errors.AsType[fleet.Mistake](err); ok && m.At.Text == s.raw.Value("fleet-file") {
			s.places[text] = m.At
		}
		for _, setting := range s.settings { // what is wrong with one begins with its place
			if strings.HasPrefix(text, setting.At.String()+":") {
				s.places[text] = setting.At
			}
		}
	}
}

// deploy inspects, plans and rolls out.
func (s *session) deploy(ctx context.Context, environments []fleet.Environment) {
	s.console = newConsole(s.action, s.inputs.Command, environments, s.record.Started, s.Speed)
	registry := throttle.New(s.limits())
	aws, err := cloud.New(ctx, cloud.Options{Transport: s.Transport, Throttle: registry, Session: s.sessionName(), Run: s.workflowRun(), Commit: s.Getenv("GITHUB_SHA")})
	if err != nil {
		s.refuse([]error{err})
		return
	}
	s.watchAlarms(environments)
	r := rollout.New(aws, environments, s.options(len(environments)))
	mistakes := r.Inspect(ctx)
	s.record.Notes = append(s.record.Notes, r.Notes()...)
	s.record.Prepared = s.inputs.Prepare && !s.inputs.DryRun
	if len(mistakes) == 0 {
		s.record.Forecast = s.forecast(r, registry)
	}
	stop := s.console.tick(func() { s.keep(r, registry) }) // reads the record, which rests until stop
	switch {
	case ctx.Err() != nil:
		r.Run(ctx) // begins nothing, and says so of every service
	case len(mistakes) > 0:
		r.Refuse()
	case s.inputs.DryRun:
		s.action.Group("plan", lines(report.Plan(r.Plans(), s.record.Forecast)))
		r.DryRun()
	default:
		if s.Getenv("GITHUB_ACTIONS") == "true" { // where a group is folded
			s.action.Group("plan", lines(report.PlanTable(r.Plans(), s.record.Forecast)))
		}
		if s.inputs.Prepare {
			r.Prepare(ctx)
		} else {
			r.Run(ctx)
		}
	}
	stop()
	for _, text := range mistakes {
		s.refuse([]error{errors.New(text)})
	}
	s.record.Services = r.Results()
	s.record.API = usage(registry)
	if s.inputs.DryRun && len(mistakes) == 0 {
		s.record.API = s.record.Forecast.Usage
	}
}

// watchAlarms adds the input's alarms to those of each environment.
func (s *session) watchAlarms(environments []fleet.Environment) {
	named := false
	for i := range environments {
		environments[i].Alarms = environments[i].Watched(s.inputs.Alarms)
		named = named || len(environments[i].Alarms) > 0
	}
	if named && s.inputs.BakeTime == 0 && s.inputs.Command == "deploy" && !s.inputs.Prepare {
		s.record.Notes = append(s.record.Notes, "alarms are watched while a wave bakes, and bake-time is 0s: they are not watched")
	}
}

// keep writes the summary of a run that goes on: GitHub shows what stands in the
// file when the process is killed.
func (s *session) keep(r *rollout.Rollout, registry *throttle.Registry) {
	so := s.record
	so.Status, so.Services, so.API, so.Duration = "cancelled", r.Results(), usage(registry), s.elapsed()
	_ = s.action.Summary(so.Summary(s.raw.Value("summary"))) // the one at the end tells what cannot be written
}

func (s *session) elapsed() time.Duration {
	return time.Duration(float64(time.Since(s.record.Started)) * max(s.Speed, 1))
}

// forecast is what the plans will ask of the quotas that writes wait for, and how
// long they will wait at the least.
func (s *session) forecast(r *rollout.Rollout, registry *throttle.Registry) report.Forecast {
	f := report.Forecast{Share: s.inputs.APIShare, Prepare: s.inputs.Prepare}
	for _, d := range r.Demands() {
		account, region := string(d.Account), string(d.Region)
		for _, ask := range []struct {
			bucket string
			calls  int
		}{
			{"ecs:task-definition-modify", d.Registrations}, {"ecs:service-modify", d.Updates}, {"codedeploy", d.CodeDeployments},
			{"ecs:tag-modify", d.Tags}, {"application-autoscaling:write", d.ScalingWrites},
		} {
			if ask.calls > 0 {
				f.Usage = append(f.Usage, report.Usage{
					Account: account, Region: region, Bucket: ask.bucket, Calls: ask.calls,
					Waited: registry.Forecast(account, region, ask.bucket, ask.calls),
				})
			}
		}
	}
	return f
}

func (s *session) limits() throttle.Limits {
	stated := make(map[string]throttle.Quota)
	for name, q := range s.inputs.APIQuotas {
		stated[name] = throttle.Quota(q)
	}
	return throttle.Limits{Share: s.inputs.APIShare, Stated: stated, Speed: s.Speed}
}

func (s *session) options(environments int) rollout.Options {
	in := s.inputs
	images := plan.Images{Tag: in.ImageTag, Reference: in.Image, Containers: in.Container}
	for _, line := range in.Images {
		images.ByContainer = append(images.ByContainer, plan.ContainerImage{Container: line.Container, Value: line.Value})
	}
	o := rollout.Options{
		Scaling: s.scaling, Size: fleet.Size{CPU: in.TaskCPU, Memory: in.TaskMemory}, Images: images, Force: in.ForceNewDeployment, Suspend: in.Command == "deploy" && in.Autoscaling == "suspend", Prepare: in.Prepare, WaitFor: in.WaitFor, OnInProgress: in.OnInProgress,
		Timeout: in.Timeout, DefaultTimeout: action.DefaultTimeout, MaxParallel: in.MaxParallel, MaxTaskFailures: in.MaxTaskFailures, BakeTime: in.BakeTime, Rollback: in.Rollback, Run: s.workflowRun(), AllowOlder: in.AllowOlder, Speed: s.Speed, Emit: s.console.event,
	}
	if in.Prepare || in.Command != "deploy" {
		o.BakeTime = 0 // an alarm that fires may be why somebody scales or rolls back
	}
	if in.Command == "scale" { // restore takes it back, when somebody wants that
		o.Rollback = "none"
	}
	if in.Command == "rollback" { // what a rollback that fails would take back is what it was to get rid of
		o.Return, o.Rollback = true, "none"
	}
	if f := in.MaxFailures; f.Given {
		most := f.Count
		if f.Percent > 0 {
			most = int(f.Percent*float64(environments)/100 + 1e-9) // 29% of 100 are 29
		}
		o.MaxFailures = &most
	}
	return o
}

// workflowRun is the run of GitHub Actions that this is; zero elsewhere.
func (s *session) workflowRun() fleet.Run {
	return fleet.ParseRun(fmt.Sprintf("%s:%s.%s", s.Getenv("GITHUB_REPOSITORY"), s.Getenv("GITHUB_RUN_ID"), s.Getenv("GITHUB_RUN_ATTEMPT")))
}

// sessionName tells in CloudTrail which run a role was assumed by.
func (s *session) sessionName() string {
	name := "ecs-fleet"
	if id := s.Getenv("GITHUB_RUN_ID"); id != "" {
		name = strings.Join([]string{name, s.Getenv("GITHUB_REPOSITORY"), id, s.Getenv("GITHUB_RUN_ATTEMPT")}, "-")
	}
	return cloud.SessionName(name)
}

// close writes summary, outputs, annotations and the result document.
func (s *session) close(ctx context.Context) int {
	s.record.Duration = s.elapsed()
	s.record.Status = s.verdict(ctx)
	for _, note := range s.record.Annotations() {
		if at := s.places[note.Message]; note.Level == "error" {
			s.action.Error(note.Title, note.Message, at.Text, at.Line)
		} else {
			s.action.Warning(note.Title, note.Message, "", 0)
		}
	}
	var outputs []action.Output
	for _, o := range s.record.Outputs() {
		outputs = append(outputs, action.Output(o))
	}
	problems := []error{s.action.Summary(s.record.Summary(s.raw.Value("summary"))), s.action.SetOutputs(outputs)}
	if path := s.Getenv("ECS_FLEET_RESULT"); path != "" {
		problems = append(problems, os.WriteFile(path, append(s.record.Document(), '\n'), 0o644))
	}
	problems = append(problems, s.action.Close())
	if err := errors.Join(problems...); err != nil {
		s.action.Error("ecs-fleet: the run's results could not be written", err.Error(), "", 0)
		return max(s.record.ExitCode(), 1)
	}
	return s.record.ExitCode()
}

// verdict is the run's status output.
func (s *session) verdict(ctx context.Context) string {
	well := len(s.record.Mistakes) == 0
	for _, r := range s.record.Services {
		well = well && r.Status.Well()
	}
	switch {
	case well && len(s.record.Services) > 0:
		return "succeeded"
	case ctx.Err() != nil:
		return "cancelled"
	}
	return "failed"
}

func usage(registry *throttle.Registry) []report.Usage {
	var all []report.Usage
	for _, u := range registry.Usage() {
		all = append(all, report.Usage{Account: u.Account, Region: u.Region, Bucket: u.Bucket, Calls: u.Calls, Throttled: u.Throttled, Waited: u.Waited})
	}
	return all
}

func lines(text string) []string { return strings.Split(strings.TrimRight(text, "\n"), "\n") }
