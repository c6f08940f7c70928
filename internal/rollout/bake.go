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
	"ecs-fleet/internal/report"
)

const (
	// bakeEvery is how often a wave that bakes is looked at: one DescribeAlarms
	// (9 a second) for a hundred alarms of an account and Region.
	bakeEvery = 15 * time.Second
	// metricsEvery is how often metrics are read, which come by the minute.
	metricsEvery = time.Minute
	// bakeGrace is how much longer than its time a wave bakes whose alarms cannot
	// be read at its end.
	bakeGrace = 2 * time.Minute
)

// failedBake begins what is said of a service that was deployed well and did
// not prove itself.
const failedBake = "failed its bake: "

// oven is one wave while it bakes.
type oven struct {
	*Rollout
	gate   *gate
	began  time.Time
	aws    func(time.Time) time.Time // an instant on AWS's clock
	trays  []*tray                   // those that have not failed
	health map[*cloud.Client]*health
	undoes sync.WaitGroup
}

// tray is an environment that bakes: what the run has deployed in it.
type tray struct {
	units    []*unit // all of the environment
	deployed []*unit
}

func (t *tray) client() *cloud.Client { return t.deployed[0].client }

func (r *Rollout) bakes() bool { return r.options.BakeTime > 0 }

// bakeable tells whether a service that has ended is to bake with its wave.
func (r *Rollout) bakeable(u *unit, e ending) bool {
	return r.bakes() && e.status == report.Deployed && u.ours != nil
}

// trayOf is an environment all of whose services are well, and some deployed by
// this run; nil when there is nothing to bake.
func (r *Rollout) trayOf(units []*unit) *tray {
	t := &tray{units: units}
	for _, u := range units {
		e := u.ending.Load()
		if !e.status.Well() {
			return nil
		}
		if r.bakeable(u, *e) {
			t.deployed = append(t.deployed, u)
		}
	}
	if !r.bakes() || len(t.deployed) == 0 {
		return nil
	}
	return t
}

// bake watches what a wave's environments are to be watched by, from the end of
// the wave's last deployment on. It blocks until each environment of the wave
// has ended: those that stayed quiet well, those that did not failed and, as the
// policy says, taken back, while the others bake on.
func (r *Rollout) bake(ctx context.Context, g *gate, wave [][]*unit) {
	o := &oven{Rollout: r, gate: g, began: time.Now(), health: make(map[*cloud.Client]*health)}
	for _, units := range wave {
		if t := r.trayOf(units); t != nil {
			o.trays = append(o.trays, t)
		}
	}
	if len(o.trays) > 0 && ctx.Err() == nil {
		if _, err := faultless(func() (any, error) { o.heat(ctx); o.watch(ctx); return nil, nil }); err != nil {
			o.brokenOff(ctx, err)
		}
	}
	for _, t := range o.trays {
		o.done(ctx, t)
	}
	o.undoes.Wait()
}

// heat finds out what there is to watch.
func (o *oven) heat(ctx context.Context) {
	o.aws = o.awsClock()
	for _, t := range o.trays {
		h := o.health[t.client()]
		if h == nil {
			h = &health{oven: o, client: t.client(), began: make(map[*unit]time.Time), groups: make(map[fleet.ARN]*unit)}
			o.health[t.client()] = h
		}
		for _, name := range t.units[0].env.Alarms {
			if !slices.Contains(h.alarms, name) {
				h.alarms = append(h.alarms, name)
			}
		}
		for _, u := range t.deployed {
			h.began[u] = o.aws(u.accepted)
			o.note(u, report.Waiting, report.Baking+"for %s", report.Duration(o.options.BakeTime))
		}
	}
	o.each(func(h *health) { h.findGroups(ctx) })
}

// awsClock reads AWS's clock off a deployment of ours.
func (o *oven) awsClock() func(time.Time) time.Time {
	for _, tray := range o.trays {
		for _, u := range tray.deployed {
			for _, d := range u.ours.service.Deployments {
				if sent := u.ours.sent; d.ID == u.ours.mine.id && !d.Created.IsZero() {
					return func(t time.Time) time.Time { return d.Created.Add(o.since(sent) - o.since(t)) }
				}
			}
		}
	}
	return func(t time.Time) time.Time { return t }
}

// each does something for all accounts, Regions and roles side by side.
func (o *oven) each(f func(h *health)) {
	var all errgroup.Group
	for _, h := range o.health {
		all.Go(func() error {
			_, err := faultless(func() (any, error) { f(h); return nil, nil })
			if err != nil {
				h.trouble = err
			}
			return nil
		})
	}
	_ = all.Wait() // never an error: each has its own trouble
}

// watch looks until the time is over or nothing is left to watch.
func (o *oven) watch(ctx context.Context) {
	looked := time.Now()
	for {
		passed := o.since(o.began)
		last := passed >= o.options.BakeTime
		metrics := last || o.since(looked) >= metricsEvery
		if metrics {
			looked = time.Now()
		}
		o.each(func(h *health) { h.look(ctx, metrics, last) })
		if ctx.Err() != nil {
			return
		}
		o.sort(ctx, last && passed >= o.options.BakeTime+bakeGrace)
		if len(o.trays) == 0 || last && !o.troubled() || passed >= o.options.BakeTime+bakeGrace {
			return
		}
		left := o.options.BakeTime - passed
		if left <= 0 {
			left = bakeEvery
		}
		o.pause(ctx, min(bakeEvery, left))
	}
}

// troubled: AWS did not say how some alarms are.
func (o *oven) troubled() bool {
	for _, h := range o.health {
		if h.trouble != nil {
			return true
		}
	}
	return false
}

// sort takes out the environments that have failed.
func (o *oven) sort(ctx context.Context, hopeless bool) {
	o.trays = slices.DeleteFunc(o.trays, func(t *tray) bool {
		h := o.health[t.client()]
		why := make(map[*unit]burn)
		for _, u := range t.deployed {
			switch b := h.verdict(u); {
			case b.reason != "":
				why[u] = b
			case hopeless && h.trouble != nil:
				why[u] = burn{reason: fmt.Sprintf("whether its alarms are quiet is not known: %v", h.trouble)}
			}
		}
		if len(why) > 0 {
			o.undoes.Go(func() { o.failed(ctx, t, why) })
		}
		return len(why) > 0
	})
}

// failed ends an environment that did not prove itself.
func (o *oven) failed(ctx context.Context, t *tray, why map[*unit]burn) {
	o.gate.fail()
	for _, u := range t.deployed {
		e := *u.ending.Load()
		b, burnt := why[u]
		if !burnt {
			o.end(u, e)
			continue
		}
		e.status, e.reason, e.details = report.Failed, failedBake+b.reason, b.details
		o.note(u, report.Note, "%s", e.reason)
		if o.options.Rollback == rollbackAll {
			o.giveUp(&givenUp{o.brokenBy(u)})
		}
		o.endOrHold(ctx, u, e)
	}
	switch o.options.Rollback {
	case rollbackService:
		o.undo(ctx, slices.Collect(maps.Keys(why)), "")
	case rollbackEnvironment:
		o.undo(ctx, t.units, o.because(t.units))
	}
	o.environmentEnded(t.units)
}

// brokenOff fails all that is left, since a fault of this program has ended the
// watch: nobody knows whether it stayed well.
func (o *oven) brokenOff(ctx context.Context, err error) {
	for _, t := range o.trays {
		why := make(map[*unit]burn)
		for _, u := range t.deployed {
			why[u] = burn{err.Error(), details(err)}
		}
		o.undoes.Go(func() { o.failed(ctx, t, why) })
	}
	o.trays = nil
}

// done ends an environment that has baked, or whose bake the run's end has
// broken off.
func (o *oven) done(ctx context.Context, t *tray) {
	_, given := givenUpFor(ctx)
	for _, u := range t.deployed {
		e := *u.ending.Load()
		if ctx.Err() != nil && !given {
			e.status, e.reason = report.Cancelled, "the run was cancelled before its wave had baked; the deployment had succeeded"
		}
		if h := o.health[u.client]; h != nil && len(u.targetGroups()) > 0 {
			u.plan.Warnings = append(u.plan.Warnings, h.blind...)
		}
		o.end(u, e)
	}
	o.environmentEnded(t.units)
}

// targetGroups are those of the service as it was seen last.
func (u *unit) targetGroups() []fleet.ARN {
	s, _ := u.last()
	return s.TargetGroups
}

// quietAlarms looks, before the first write, at the alarms of the environments
// in which something is to be deployed, and returns mistakes: one that does not
// exist cannot stay quiet, and one that fires already would fail its wave
// whatever is deployed.
func (r *Rollout) quietAlarms(ctx context.Context) []string {
	byClient := make(map[*cloud.Client][]*unit)
	for _, u := range r.sound() {
		if r.bakes() && u.plan.Skip == "" && u.plan.Refuse == "" && len(u.env.Alarms) > 0 {
			byClient[u.client] = append(byClient[u.client], u)
		}
	}
	var mu sync.Mutex
	var mistakes []string
	var all errgroup.Group
	all.SetLimit(looking)
	for client, units := range byClient {
		all.Go(func() error {
			var names []string
			for _, u := range units {
				names = append(names, u.env.Alarms...)
			}
			slices.Sort(names)
			names = slices.Compact(names)
			found, err := faultless(func() (map[string]fleet.Alarm, error) { return client.Alarms(ctx, names) })
			for _, u := range units {
				u.keep(err)
			}
			if err != nil {
				return nil
			}
			mu.Lock()
			defer mu.Unlock()
			mistakes = append(mistakes, noisy(client, names, found)...)
			return nil
		})
	}
	_ = all.Wait() // never an error: each unit has its own
	slices.Sort(mistakes)
	return slices.Compact(mistakes)
}

func noisy(c *cloud.Client, names []string, found map[string]fleet.Alarm) []string {
	var wrong []string
	for _, name := range names {
		switch a, there := found[name]; {
		case !there:
			wrong = append(wrong, fmt.Sprintf("alarm %q does not exist (account %s, %s); correct alarms", name, c.Account, c.Region))
		case a.Firing:
			wrong = append(wrong, fmt.Sprintf("alarm %q (account %s, %s) fires before anything is deployed: %s; wait until it is quiet, leave it out, or set bake-time to 0s", name, c.Account, c.Region, strings.TrimSuffix(a.Reason, ".")))
		}
	}
	return wrong
}
