package rollout

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"ecs-fleet/internal/cloud"
	"ecs-fleet/internal/fleet"
)

// When answers with 5xx fail a bake: there are more than a handful, they are
// more than a hundredth of the requests, and more than twice as much of them as
// in the minutes before the deploy. Guesses: a product that is never without
// errors must not fail, and one task of ten that answers with nothing else must.
const (
	minErrors   = 10
	minShare    = 0.01
	worseThan   = 2.0
	compareWith = 10 * time.Minute // how long before the deploy
)

// health is what a wave's environments of one account, Region and role are
// watched by.
type health struct {
	*oven
	client *cloud.Client
	began  map[*unit]time.Time // when the deployment of each began; AWS's clock
	alarms []string
	firing map[string]fleet.Alarm
	// trouble is why the alarms could not be read last; nil: they could.
	trouble error
	blind   []string // what may not be watched, in words
	noSight bool     // targets may not be looked at

	groups    map[fleet.ARN]*unit     // target group → its service
	balancers map[fleet.ARN]fleet.ARN // of the groups
	metrics   map[fleet.Metric]fleet.Minutes
	targets   map[fleet.ARN][]fleet.Target // of groups that were looked at
}

// burn is why a service has failed its bake.
type burn struct {
	reason  string
	details []string
}

// blinded notes what cannot be watched; what is left is watched all the same.
func (h *health) blinded(err error) {
	h.blind = append(h.blind, fmt.Sprintf("not watched while baking: %v", err))
}

// findGroups looks which target groups the deployed services have, and behind
// which load balancers.
func (h *health) findGroups(ctx context.Context) {
	byCluster := make(map[string][]*unit)
	for u := range h.began {
		if len(u.targetGroups()) > 0 {
			byCluster[u.env.Cluster] = append(byCluster[u.env.Cluster], u)
		}
	}
	for cluster, units := range byCluster {
		names := make([]string, len(units))
		for i, u := range units {
			names[i] = u.spec.ECSName
		}
		found, err := h.client.Services(ctx, cluster, names)
		if err != nil {
			h.blinded(err)
		}
		for _, u := range units {
			if s, ok := found[u.spec.ECSName]; ok {
				u.saw(s)
			}
			for _, group := range u.targetGroups() {
				h.groups[group] = u
			}
		}
	}
	if len(h.groups) == 0 {
		return
	}
	balancers, err := h.client.Balancers(ctx, slices.Sorted(maps.Keys(h.groups)))
	if err != nil {
		h.blinded(err)
	}
	h.balancers = balancers
	maps.DeleteFunc(h.balancers, func(_, b fleet.ARN) bool { return !strings.Contains(string(b), ":loadbalancer/app/") })
}

// look asks how the alarms are and, where the time has come for it, what the
// metrics and the targets say.
func (h *health) look(ctx context.Context, metrics, last bool) {
	if len(h.alarms) > 0 {
		found, err := h.client.Alarms(ctx, h.alarms)
		if h.trouble = err; err == nil {
			h.firing = found
		}
	}
	if !metrics || len(h.groups) == 0 {
		return
	}
	h.readMetrics(ctx)
	h.lookAtTargets(ctx, last)
}

func (h *health) readMetrics(ctx context.Context) {
	var wanted []fleet.Metric
	balancers := make(map[fleet.ARN]bool)
	for group, b := range h.balancers {
		wanted = append(wanted, errorsOf(b, group), requestsOf(b, group), unhealthyOf(b, group))
		if !balancers[b] {
			balancers[b] = true
			wanted = append(wanted, gatewayErrorsOf(b), requestsOf(b, ""))
		}
	}
	if len(wanted) == 0 {
		return
	}
	from := slices.MinFunc(slices.Collect(maps.Values(h.began)), time.Time.Compare)
	found, err := h.client.Metrics(ctx, wanted, from.Add(-compareWith).Truncate(time.Minute), h.aws(time.Now()))
	if cloud.Denied(err) {
		h.blinded(err)
		h.balancers = nil // nothing to ask for any more
	}
	if err != nil {
		return // looked at again in a minute
	}
	h.metrics = make(map[fleet.Metric]fleet.Minutes, len(wanted))
	for i, m := range wanted {
		h.metrics[m] = found[i]
	}
}

func errorsOf(balancer, group fleet.ARN) fleet.Metric {
	return fleet.Metric{Name: "HTTPCode_Target_5XX_Count", Stat: "Sum", Balancer: balancer, Group: group}
}

// gatewayErrorsOf are the answers that the load balancer gives itself, such as a
// 504 for a task that does not answer. AWS counts them by load balancer alone.
func gatewayErrorsOf(balancer fleet.ARN) fleet.Metric {
	return fleet.Metric{Name: "HTTPCode_ELB_5XX_Count", Stat: "Sum", Balancer: balancer}
}

func requestsOf(balancer, group fleet.ARN) fleet.Metric {
	return fleet.Metric{Name: "RequestCount", Stat: "Sum", Balancer: balancer, Group: group}
}

func unhealthyOf(balancer, group fleet.ARN) fleet.Metric {
	return fleet.Metric{Name: "UnHealthyHostCount", Stat: "Maximum", Balancer: balancer, Group: group}
}

// lookAtTargets asks for the targets of groups whose metrics look bad and, at
// the end, of all.
func (h *health) lookAtTargets(ctx context.Context, last bool) {
	var mu sync.Mutex
	targets := make(map[fleet.ARN][]fleet.Target)
	var all errgroup.Group
	all.SetLimit(looking)
	for group, u := range h.groups {
		if h.noSight || !last && len(h.numbers(u, group)) == 0 {
			continue
		}
		all.Go(func() error {
			found, err := h.client.Targets(ctx, group)
			mu.Lock()
			defer mu.Unlock()
			targets[group] = found
			if cloud.Denied(err) && !h.noSight {
				h.blinded(err)
				h.noSight = true
			} else if err != nil && last && ctx.Err() == nil {
				h.blinded(err)
			}
			return nil
		})
	}
	_ = all.Wait() // never an error: what is not seen is noted
	h.targets = targets
}

// verdict is why the service has failed its bake by what was seen last; empty:
// it has not.
func (h *health) verdict(u *unit) burn {
	var b burn
	var reasons []string
	for _, name := range u.env.Alarms {
		if a := h.firing[name]; a.Firing {
			reasons = append(reasons, fmt.Sprintf("alarm %s fires: %s", name, strings.TrimSuffix(a.Reason, ".")))
		}
	}
	for _, group := range u.targetGroups() {
		bad := h.unhealthy(u, group)
		if len(bad) > 0 {
			reasons = append(reasons, fmt.Sprintf("%d of %d targets unhealthy in target group %s: %s", len(bad), h.serving(group), cloud.GroupName(group), bad[0]))
		}
		for _, line := range bad {
			b.details = append(b.details, "target group "+cloud.GroupName(group)+": "+line)
		}
		reasons = append(reasons, h.numbers(u, group)...)
	}
	b.reason = strings.Join(reasons, "; ")
	return b
}

// innocent tells whether the load balancer's own errors are another target
// group's behind it: some group has unhealthy targets, and this one has none.
func (h *health) innocent(group fleet.ARN) bool {
	sick := func(g fleet.ARN) bool {
		return slices.ContainsFunc(h.targets[g], func(t fleet.Target) bool { return t.State == "unhealthy" })
	}
	for other, b := range h.balancers {
		if b == h.balancers[group] && sick(other) && !sick(group) {
			return true
		}
	}
	return false
}

func (h *health) serving(group fleet.ARN) int {
	n := 0
	for _, t := range h.targets[group] {
		if t.State != "draining" {
			n++
		}
	}
	return n
}

// unhealthy are a group's unhealthy targets, each with its task.
func (h *health) unhealthy(u *unit, group fleet.ARN) []string {
	var bad []fleet.Target
	for _, t := range h.targets[group] {
		if t.State == "unhealthy" {
			bad = append(bad, t)
		}
	}
	if len(bad) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(h.looks.ctx, h.real(diagnosis))
	defer cancel()
	return h.namedTargets(ctx, u, bad)
}

// namedTargets says of targets which tasks they are: "task 0123… (10.0.1.7:3000)
// Target.Timeout: Request timed out".
func (r *Rollout) namedTargets(ctx context.Context, u *unit, targets []fleet.Target) []string {
	tasks, _ := u.client.Tasks(ctx, u.env.Cluster, u.spec.ECSName, "RUNNING") // without it, targets have their addresses alone
	var lines []string
	for _, t := range targets {
		line := fmt.Sprintf("%s:%d", t.ID, t.Port)
		for _, task := range tasks {
			if task.Address == t.ID {
				line = fmt.Sprintf("task %s (%s)", task.ARN.Name(), line)
			}
		}
		lines = append(lines, strings.TrimSuffix(line+" "+t.Reason+": "+t.Text, ": "))
	}
	return lines
}

// numbers is what is bad about a target group's metrics since its wave bakes,
// against the minutes before its deploy began.
func (h *health) numbers(u *unit, group fleet.ARN) []string {
	b, known := h.balancers[group]
	if !known || h.metrics == nil {
		return nil
	}
	before, since := span{h.began[u].Add(-compareWith), h.began[u]}, span{h.aws(h.oven.began), h.aws(time.Now())}
	var bad []string
	compare := func(what string, errors, requests fleet.Metric) {
		now, then := since.rate(h.metrics[errors], h.metrics[requests]), before.rate(h.metrics[errors], h.metrics[requests])
		if now.errors >= minErrors && now.share > minShare && now.share > then.share*worseThan {
			bad = append(bad, fmt.Sprintf("%.0f answers of %s: %.1f%% of the requests, %.1f%% before the deploy", now.errors, what, now.share*100, then.share*100))
		}
	}
	name := "target group " + cloud.GroupName(group)
	compare("5xx at "+name, errorsOf(b, group), requestsOf(b, group))
	if !h.innocent(group) {
		compare("502 to 504 by load balancer "+balancerName(b)+", for want of one from a task", gatewayErrorsOf(b), requestsOf(b, ""))
	}
	now, then := since.most(h.metrics[unhealthyOf(b, group)]), before.most(h.metrics[unhealthyOf(b, group)])
	if now.minutes > 1 && now.errors > then.errors {
		bad = append(bad, fmt.Sprintf("up to %.0f unhealthy targets in %d minutes at %s, %.0f before the deploy", now.errors, now.minutes, name, then.errors))
	}
	return bad
}

func balancerName(b fleet.ARN) string {
	if parts := strings.Split(string(b), "/"); len(parts) == 4 {
		return parts[2]
	}
	return string(b)
}

// span is a time on AWS's clock; a minute belongs to it when it begins in it.
type span struct{ from, to time.Time }

type rate struct {
	errors, share float64
	minutes       int // with errors
}

func (s span) rate(errors, requests fleet.Minutes) rate {
	var r rate
	all := 0.0
	for at, n := range requests {
		if s.holds(at) {
			all += n
		}
	}
	for at, n := range errors {
		if s.holds(at) && n > 0 {
			r.errors += n
			r.minutes++
		}
	}
	if all > 0 {
		r.share = r.errors / all
	} else if r.errors > 0 {
		r.share = 1
	}
	return r
}

// most is the largest value, and in how many minutes there was one above 0.
func (s span) most(values fleet.Minutes) rate {
	var r rate
	for at, n := range values {
		if s.holds(at) && n > 0 {
			r.errors = max(r.errors, n)
			r.minutes++
		}
	}
	return r
}

func (s span) holds(at time.Time) bool { return !at.Before(s.from) && at.Before(s.to) }
