package command

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"ecs-fleet/internal/fleet"
	"ecs-fleet/internal/plan"
	"ecs-fleet/internal/rollout"
)

// scalingOf is what a run of scale wants, and all mistakes in it.
func (s *session) scalingOf(environments []fleet.Environment) (*rollout.Scaling, []error) {
	in := s.inputs
	want := &rollout.Scaling{
		Scale: plan.Scale{
			Min: in.MinCapacity, Max: in.MaxCapacity, Autoscaling: in.Autoscaling, Restore: in.Restore,
			Create: in.CreateScalableTarget, AllowZero: in.AllowZero, MaxTasks: in.MaxTasks,
		},
		Counts: make(map[fleet.ServiceRef]fleet.Count), For: in.ScaleFor,
	}
	if in.Restore || !in.DesiredCount.Given() && (in.MinCapacity != nil || in.MaxCapacity != nil) {
		return want, s.boundsForScaleFor()
	}
	var without []string
	var mistakes []error
	for _, env := range environments {
		for _, service := range env.Services {
			ref := fleet.ServiceRef{Environment: env.Name, Service: service.Name}
			text := s.count(service)
			if text == "" {
				without = append(without, ref.String())
				continue
			}
			count, err := fleet.ParseCount(text)
			if err != nil { // checked where it is written, but for placeholders
				mistakes = append(mistakes, fmt.Errorf("%s: %w", ref, err))
				continue
			}
			want.Counts[ref] = count
		}
	}
	if len(without) > 0 {
		mistakes = append(mistakes, fmt.Errorf("input desired-count: there is no number for %s; give desired-count, or write one into the fleet file", few(without)))
	}
	return want, slices.Concat(mistakes, s.strangers(environments), s.relative(want.Counts))
}

// deployedCount is the number of tasks that a deploy is to bring about. Where
// services are autoscaled, their bounds are moved as scale moves them; the fleet
// file's number is for scale alone.
func (s *session) deployedCount(environments []fleet.Environment) (*rollout.Scaling, []error) {
	in := s.inputs
	want := &rollout.Scaling{
		Scale:  plan.Scale{Autoscaling: "adjust", AllowZero: in.AllowZero, MaxTasks: in.MaxTasks},
		Counts: make(map[fleet.ServiceRef]fleet.Count), Deploys: true,
	}
	for _, env := range environments {
		for _, service := range env.Services {
			service.DesiredCount = ""
			if count, err := fleet.ParseCount(s.count(service)); err == nil { // else no line is for it
				want.Counts[fleet.ServiceRef{Environment: env.Name, Service: service.Name}] = count
			}
		}
	}
	return want, slices.Concat(s.strangers(environments), s.relative(want.Counts))
}

// count is the number for a service, as it is written: the input's or, where
// that is empty or does not name the service, the fleet file's.
func (s *session) count(service fleet.ServiceSpec) string {
	if all := s.inputs.DesiredCount.All; all != "" {
		return all
	}
	for _, line := range s.inputs.DesiredCount.ByService {
		if line.Service == service.Name {
			return line.Count
		}
	}
	return service.DesiredCount
}

// unnamed is the mistake of scaling what was not named: with one service in each
// environment there is no doubt which is meant.
func (s *session) unnamed(environments []fleet.Environment) []error {
	if s.raw.Value("services") != "" {
		return nil
	}
	for _, env := range environments {
		if len(env.Services) > 1 {
			var names []string
			for _, service := range env.Services {
				names = append(names, service.Name)
			}
			return []error{fmt.Errorf("input services: is required by scale, since environment %q has several: write which of %s, or * for all", env.Name, strings.Join(names, ", "))}
		}
	}
	return nil
}

// boundsForScaleFor is the mistake of ending what does not begin.
func (s *session) boundsForScaleFor() []error {
	if s.inputs.ScaleFor > 0 && !s.inputs.Restore {
		return []error{fmt.Errorf("input scale-for: needs desired-count; give the number of tasks")}
	}
	return nil
}

// strangers are lines for services that are not selected.
func (s *session) strangers(environments []fleet.Environment) []error {
	selected := make(map[string]bool)
	for _, env := range environments {
		for _, service := range env.Services {
			selected[service.Name] = true
		}
	}
	var mistakes []error
	for _, line := range s.inputs.DesiredCount.ByService {
		if !selected[line.Service] {
			mistakes = append(mistakes, fmt.Errorf("input desired-count: %q is none of the selected services; leave the line out, or select the service", line.Service))
		}
	}
	return mistakes
}

// relative is the mistake of a relative number in a job that is run again: where
// the first attempt got through, it would add twice.
func (s *session) relative(counts map[fleet.ServiceRef]fleet.Count) []error {
	attempt, err := strconv.Atoi(s.Getenv("GITHUB_RUN_ATTEMPT"))
	if err != nil || attempt < 2 {
		return nil
	}
	var texts []string
	for _, c := range counts {
		if c.Relative() && !slices.Contains(texts, c.String()) {
			texts = append(texts, c.String())
		}
	}
	if len(texts) == 0 {
		return nil
	}
	slices.Sort(texts)
	return []error{fmt.Errorf("input desired-count: %s counts from what runs now, and this is attempt %d of the job: the first one may have got through, and the change would be made twice; start a new run, or write the number itself", strings.Join(texts, ", "), attempt)}
}

// few names some of many.
func few(names []string) string {
	const most = 5
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}
