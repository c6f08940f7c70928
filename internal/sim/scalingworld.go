package sim

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ScalableTarget is a scalable target of Application Auto Scaling, or Count
// equal ones: "{n}" in Cluster and Service becomes 1…Count.
type ScalableTarget struct {
	Count   int    `json:"count,omitempty"` // 0: 1
	Cluster string `json:"cluster"`
	Service string `json:"service"`
	// Min and Max are the bounds of the desired count. A desired count that is
	// outside of them at the start stays until something scales.
	Min       int               `json:"min"`
	Max       int               `json:"max"`
	Suspended Suspended         `json:"suspended,omitzero"`
	Tags      map[string]string `json:"tags,omitempty"`
	// Policies are of the target tracking kind; they act on the service's Load.
	Policies []TargetTracking `json:"policies,omitempty"`
	// ScheduledActions change the bounds.
	ScheduledActions []ScheduledAction `json:"scheduled-actions,omitempty"`
}

// TargetTracking is a scaling policy.
type TargetTracking struct {
	Name string `json:"name"`
	// Metric is "cpu" (default), "memory" or "requests", all per task.
	Metric string  `json:"metric,omitempty"`
	Target float64 `json:"target"`
	// Nil cooldowns are AWS's five minutes.
	ScaleOutCooldown *Duration `json:"scale-out-cooldown,omitempty"`
	ScaleInCooldown  *Duration `json:"scale-in-cooldown,omitempty"`
	DisableScaleIn   bool      `json:"disable-scale-in,omitempty"`
}

// ScheduledAction changes a scalable target's bounds at its times.
type ScheduledAction struct {
	Name     string `json:"name"`
	Schedule string `json:"schedule"`           // at(…), rate(…) or cron(…)
	Timezone string `json:"timezone,omitempty"` // empty: UTC
	// Start and End bound the times; zero: they do not.
	Start time.Time `json:"start,omitzero"`
	End   time.Time `json:"end,omitzero"`
	// Min and Max are the new bounds; nil: as it was. One at least is needed.
	Min *int `json:"min,omitempty"`
	Max *int `json:"max,omitempty"`
}

// ScalableTargetState is a scalable target as it is, without the lag of reads.
type ScalableTargetState struct {
	Min, Max         int
	Suspended        Suspended
	Tags             map[string]string
	ScheduledActions []ScheduledAction // by name
}

// ScalableTarget is the present state of a service's scalable target; false if
// there is none.
func (a *AWS) ScalableTarget(account, region, cluster, service string) (ScalableTargetState, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.advance(a.Now())
	t := a.regionOf(account, region).targets["service/"+cluster+"/"+service]
	if t == nil {
		return ScalableTargetState{}, false
	}
	out := ScalableTargetState{Min: t.min, Max: t.max, Suspended: t.suspended, Tags: maps.Clone(t.tags)}
	for _, name := range sortedKeys(t.actions) {
		s := t.actions[name]
		out.ScheduledActions = append(out.ScheduledActions, ScheduledAction{
			Name: name, Schedule: s.text, Timezone: s.zone, Start: s.start, End: s.end, Min: s.min, Max: s.max,
		})
	}
	return out, true
}

// numbered is the n-th of an entry's targets.
func (t ScalableTarget) numbered(n int) ScalableTarget {
	fill := strings.NewReplacer("{n}", strconv.Itoa(n)).Replace
	t.Cluster, t.Service = fill(t.Cluster), fill(t.Service)
	return t
}

// buildTarget makes a scalable target; beginScaling sets it going.
func (r *region) buildTarget(w ScalableTarget) {
	t := r.addTarget(w.Cluster, w.Service, w.Min, w.Max)
	t.suspended = w.Suspended
	maps.Copy(t.tags, w.Tags)
	for _, p := range w.Policies {
		t.policies[p.Name] = t.newPolicy(p.Name, "TargetTrackingScaling", p.config())
	}
	for _, s := range w.ScheduledActions {
		t.actions[s.Name] = s.action(t)
	}
}

func (s ScheduledAction) action(t *scalableTarget) *scheduledAction {
	return &scheduledAction{
		target: t, name: s.Name, text: s.Schedule, zone: s.Timezone, start: s.Start.UTC(), end: s.End.UTC(),
		min: s.Min, max: s.Max, created: t.created,
	}
}

// metrics are the predefined metrics by their names in worlds.
func metrics() map[string]string {
	return map[string]string{"": cpuMetric, "cpu": cpuMetric, "memory": memoryMetric, "requests": requestMetric}
}

func (p TargetTracking) config() map[string]any {
	metric := map[string]any{"PredefinedMetricType": metrics()[p.Metric]}
	if p.Metric == "requests" {
		metric["ResourceLabel"] = "app/main/0123456789abcdef/targetgroup/main/0123456789abcdef"
	}
	config := map[string]any{"TargetValue": p.Target, "PredefinedMetricSpecification": metric, "DisableScaleIn": p.DisableScaleIn}
	for key, d := range map[string]*Duration{"ScaleOutCooldown": p.ScaleOutCooldown, "ScaleInCooldown": p.ScaleInCooldown} {
		if d != nil {
			config[key] = int(time.Duration(*d).Seconds())
		}
	}
	return config
}

// beginScaling starts what the world's scalable targets do by themselves.
func (a *AWS) beginScaling() {
	for _, place := range sortedKeys(a.regions) {
		for _, id := range sortedKeys(a.regions[place].targets) {
			t := a.regions[place].targets[id]
			for _, name := range sortedKeys(t.actions) {
				action := t.actions[name]
				action.when, _ = parseSchedule(action.text, action.zone) // check has read it before
				action.plan()
			}
			t.tick()
		}
	}
}

// loads are the service's load over time; nil: it reports none.
func (s Service) loads() []LoadChange {
	if s.Load == nil && len(s.LoadChanges) == 0 {
		return nil
	}
	return append([]LoadChange{{Load: either(s.Load, 0)}}, s.LoadChanges...)
}

// targets checks scalable targets, whose services the Region must have.
func (c *checker) targets(path string, r Region) {
	services := map[string]bool{}
	for i, s := range r.Services {
		for n := range max(s.Count, 1) {
			one := s.numbered(n + 1)
			services[one.Cluster+"/"+one.Name] = true
		}
		if !slices.IsSortedFunc(s.LoadChanges, func(a, b LoadChange) int { return int(a.At - b.At) }) {
			c.wrong(fmt.Sprintf("%s.services[%d].load-changes", path, i), "the changes are not in order of their time")
		}
	}
	seen := map[string]bool{}
	for i, t := range r.ScalableTargets {
		at := fmt.Sprintf("%s.scalable-targets[%d]", path, i)
		for n := range max(t.Count, 1) {
			one := t.numbered(n + 1)
			id := one.Cluster + "/" + one.Service
			if !services[id] || seen[id] {
				c.wrong(at, "there is no service %s, or it has two scalable targets", id)
				break
			}
			seen[id] = true
		}
		c.target(at, t)
	}
}

func (c *checker) target(at string, t ScalableTarget) {
	if t.Min < 0 || t.Max < t.Min {
		c.wrong(at, "min %d and max %d are not in order, or below 0", t.Min, t.Max)
	}
	names := map[string]bool{}
	for i, p := range t.Policies {
		where := fmt.Sprintf("%s.policies[%d]", at, i)
		if p.Name == "" || names[p.Name] || p.Target <= 0 {
			c.wrong(where, "the name is empty or given twice, or the target is not above 0")
		}
		names[p.Name] = true
		c.oneOf(where+".metric", p.Metric, "cpu", "memory", "requests")
	}
	names = map[string]bool{}
	for i, s := range t.ScheduledActions {
		where := fmt.Sprintf("%s.scheduled-actions[%d]", at, i)
		if s.Name == "" || names[s.Name] || badActionName.MatchString(s.Name) {
			c.wrong(where, "the name %q is empty, given twice or not allowed", s.Name)
		}
		names[s.Name] = true
		if wrong, found := errors.AsType[*apiError](s.action(&scalableTarget{}).check(time.Time{})); found {
			c.wrong(where, "%s", wrong.Message)
		}
	}
}
