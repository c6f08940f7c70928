package sim

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"
)

// shift is a deployment of the strategies BLUE_GREEN, LINEAR and CANARY on its
// way: a second set of tasks is started beside the first, and the production
// traffic follows in one or more steps.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/blue-green-deployment-how-it-works.html
//
// How long a stage takes that has nothing to wait for is a guess: one pass of
// the scheduler.
type shift struct {
	stages  []stage
	at      int           // index of the present stage
	entered time.Time     // when it began
	acting  time.Time     // when its hooks were through; zero: they are not
	hooks   []*hook       // of the present stage
	blue    *deployment   // serves until the shift, and after a rollback; nil: the first deployment
	others  []*deployment // of a deployment that this one superseded
}

// stage is a step of a shift.
type stage struct {
	name   string
	weight float64       // of the new revision, from PRODUCTION_TRAFFIC_SHIFT on
	pause  time.Duration // before the next stage
}

// stageLimit is how long a stage may last, pauses for a person excepted.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/blue-green-deployment-how-it-works.html
const stageLimit = 24 * time.Hour

// strategy is the members of deploymentConfiguration that shifts are made of.
type strategyConfig struct {
	Bake   *int `json:"bakeTimeInMinutes"`
	Linear struct {
		Percent *float64 `json:"stepPercent"`
		Bake    *int     `json:"stepBakeTimeInMinutes"`
	} `json:"linearConfiguration"`
	Canary struct {
		Percent *float64 `json:"canaryPercent"`
		Bake    *int     `json:"canaryBakeTimeInMinutes"`
	} `json:"canaryConfiguration"`
	Hooks  []hookConfig     `json:"lifecycleHooks"`
	Alarms deploymentAlarms `json:"alarms"`
}

type hookConfig struct {
	Target  string   `json:"hookTargetArn"`
	Type    string   `json:"targetType"` // AWS_LAMBDA (default), PAUSE
	Stages  []string `json:"lifecycleStages"`
	Timeout struct {
		Minutes *int   `json:"timeoutInMinutes"`
		Action  string `json:"action"` // ROLLBACK (default), CONTINUE
	} `json:"timeoutConfiguration"`
}

func (s *service) strategyConfig() strategyConfig {
	var c strategyConfig
	convert(s.deployment, &c)
	return c
}

// Defaults: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_LinearConfiguration.html
// and …/API_CanaryConfiguration.html. That a bake time which is not given is
// 15 minutes is what the console fills in.
const (
	defaultBake          = 15
	defaultStep          = 10.0
	defaultStepBake      = 6
	defaultCanary        = 5.0
	defaultCanaryBake    = 10
	defaultHookTimeout   = 1440 // minutes
	mostHookTimeout      = 20160
	mostStrategyBakeTime = 1440
)

func minutes(given *int, otherwise int) time.Duration {
	return time.Duration(either(given, otherwise)) * time.Minute
}

// steps are the shifts of production traffic of a strategy: after the last
// one, the new revision has all of it.
func (c strategyConfig) steps(strategy string) []stage {
	last := stage{name: "PRODUCTION_TRAFFIC_SHIFT", weight: 100}
	switch strategy {
	case "CANARY":
		first := stage{"PRODUCTION_TRAFFIC_SHIFT", either(c.Canary.Percent, defaultCanary), minutes(c.Canary.Bake, defaultCanaryBake)}
		return []stage{first, last}
	case "LINEAR":
		var all []stage
		by := either(c.Linear.Percent, defaultStep)
		for n := 1; float64(n)*by < 100; n++ {
			all = append(all, stage{"PRODUCTION_TRAFFIC_SHIFT", float64(n) * by, minutes(c.Linear.Bake, defaultStepBake)})
		}
		return append(all, last)
	}
	return []stage{last}
}

// stagesOf are all stages of a deployment, in order.
func (c strategyConfig) stages(strategy string, reconcile bool) []stage {
	var all []stage
	if reconcile {
		all = append(all, stage{name: "RECONCILE_SERVICE"})
	}
	for _, name := range []string{"PRE_SCALE_UP", "SCALE_UP", "POST_SCALE_UP", "TEST_TRAFFIC_SHIFT", "POST_TEST_TRAFFIC_SHIFT"} {
		all = append(all, stage{name: name})
	}
	weight := 0.0
	for _, step := range c.steps(strategy) {
		all = append(all, stage{name: "PRE_PRODUCTION_TRAFFIC_SHIFT", weight: weight}, step)
		weight = step.weight
	}
	return append(all, stage{name: "POST_PRODUCTION_TRAFFIC_SHIFT", weight: 100},
		stage{"BAKE_TIME", 100, minutes(c.Bake, defaultBake)}, stage{name: "CLEAN_UP", weight: 100})
}

// shiftTo prepares the stages of a deployment that is published.
func (s *service) shiftTo(d *deployment, old []*deployment) {
	f := &shift{}
	for _, o := range old {
		switch {
		case o.leaving:
		case f.blue == nil || o.production > f.blue.production:
			f.blue = o
		}
	}
	for _, o := range old {
		if o != f.blue && !o.leaving {
			f.others = append(f.others, o)
		}
	}
	f.stages = s.strategyConfig().stages(s.strategy, len(f.others) > 0)
	d.waiting = true
	d.public.shift = f
	if f.blue != nil {
		d.revision.moveBeside(f.blue)
	}
	if f.blue == nil {
		d.production = 100
	} else if f.blue.production == 0 { // it came by a rolling deployment
		f.blue.production = 100
	}
}

// sideBySide says that deployments of the service run beside each other, each
// with its own number of tasks, instead of replacing each other's tasks.
func (s *service) sideBySide() bool {
	return s.controller == "CODE_DEPLOY" || len(s.rollouts) > 0 && s.rollouts[0].shift != nil
}

// goal is how many tasks a deployment beside others is to have.
func (d *deployment) goal() int {
	switch {
	case d.leaving || d.waiting:
		return 0
	case d.state == "FAILED": // launches nothing, and keeps what runs
		return d.count((*task).isLive)
	}
	return d.service.desired
}

// keep starts what is missing of each deployment and stops what is too much.
func (s *service) keep() {
	for _, d := range s.deployments {
		live := d.count((*task).isLive) + d.launching
		s.start(d, d.goal()-live)
		s.stopSurplus(tasksOf([]*deployment{d}, (*task).isLive), live-d.goal())
	}
}

// ready says that a deployment has all its tasks, and that they are healthy.
func (d *deployment) ready() bool {
	live := d.count((*task).isLive)
	return d.launching == 0 && live == d.goal() && d.count((*task).isHealthy) == live
}

// emptied says that nothing of a deployment runs any more.
func (d *deployment) emptied() bool {
	return d.launching == 0 && d.count((*task).isGone) == len(d.tasks)
}

// shifting says that the record's stages are under way.
func (p *serviceDeployment) shifting() bool {
	return p.shift != nil && !p.done() && p.status != "ROLLBACK_IN_PROGRESS"
}

// proceed brings a shift as far as it comes in this pass of the scheduler.
func (p *serviceDeployment) proceed() {
	f, now := p.shift, p.service.region.aws.clock
	if f.entered.IsZero() {
		f.enter(p)
		p.service.poke()
		return
	}
	if f.acting.IsZero() {
		switch why, through := p.hooksThrough(); {
		case why != "":
			p.giveUp(why)
			return
		case !through:
			return
		}
		f.acting = now
		p.act(f.stages[f.at])
	}
	if why := p.stageFails(); why != "" {
		p.giveUp(why)
		return
	}
	if now.Sub(f.acting) >= stageLimit {
		p.giveUp(fmt.Sprintf("Service deployment rolled back because the %s lifecycle stage timed out.", f.stages[f.at].name))
		return
	}
	if !p.passed(f.stages[f.at]) {
		p.service.pokeAt(f.acting.Add(stageLimit))
		return
	}
	if f.at++; f.at == len(f.stages) {
		f.at-- // the last one stays visible
		p.service.complete(p.own)
		return
	}
	f.entered = time.Time{}
	f.enter(p)
	p.service.poke()
}

// enter begins the present stage with its hooks.
func (f *shift) enter(p *serviceDeployment) {
	f.entered, f.acting, f.hooks = p.service.region.aws.clock, time.Time{}, nil
	p.updated = f.entered
	for _, h := range p.service.strategyConfig().Hooks {
		if slices.Contains(h.Stages, f.stages[f.at].name) {
			f.hooks = append(f.hooks, p.begin(h))
		}
	}
}

// act does what the stage is there for.
func (p *serviceDeployment) act(at stage) {
	s := p.service
	switch at.name {
	case "RECONCILE_SERVICE":
		// That the revision with most of the production traffic stays, with
		// all of it, is a guess.
		for _, d := range p.shift.others {
			d.leave()
		}
		p.shift.blue.production = 100
	case "SCALE_UP":
		p.own.waiting = false
		s.keep()
	case "TEST_TRAFFIC_SHIFT":
		p.own.test = 100
	case "PRODUCTION_TRAFFIC_SHIFT":
		p.own.production = at.weight
		if p.shift.blue != nil {
			p.shift.blue.production = 100 - at.weight
		}
		if at.weight == 100 {
			p.own.test = 0
		}
	case "CLEAN_UP":
		if p.shift.blue != nil {
			p.shift.blue.leave()
			s.keep()
		}
	}
}

// passed says whether a stage whose hooks are through is over.
func (p *serviceDeployment) passed(at stage) bool {
	s := p.service
	over := p.shift.acting.Add(at.pause)
	if at.name == "PRODUCTION_TRAFFIC_SHIFT" {
		over = over.Add(s.region.aws.timing.shifting)
	}
	switch {
	case s.region.aws.clock.Before(over):
		s.pokeAt(over)
		return false
	case at.name == "SCALE_UP":
		return p.own.ready()
	case at.name == "CLEAN_UP" && p.shift.blue != nil:
		return p.shift.blue.emptied()
	}
	return true
}

// leave scales a deployment down to nothing.
func (d *deployment) leave() { d.leaving, d.production, d.test = true, 0, 0 }

// giveUp is the end of a shift that went wrong: back to blue.
func (p *serviceDeployment) giveUp(why string) {
	s := p.service
	p.own.set("FAILED", "ECS deployment %s failed.", p.own.id())
	s.event("(service %s) (deployment %s) deployment failed: %s", s.name, p.own.id(), lowerFirst(why))
	if s.goBack(p, "ECS deployment failed", why) {
		return
	}
	// As for a first deployment whose hook fails:
	// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-deployment.html
	p.to("STOP_REQUESTED", why+" No rollback candidate was found to run the rollback.")
	p.own.leave()
	s.poke()
}

func lowerFirst(text string) string { return strings.ToLower(text[:1]) + text[1:] }

// rollbackTarget is the deployment that a rollback returns to; nil: there is none.
func (p *serviceDeployment) rollbackTarget() *deployment {
	if p.shift != nil {
		return p.shift.blue
	}
	if p.service.completed == p.own {
		return nil
	}
	return p.service.completed
}

// stage is the present or last stage; empty for a rolling deployment.
func (p *serviceDeployment) stage() string {
	if p.shift == nil || p.shift.entered.IsZero() {
		return ""
	}
	return p.shift.stages[p.shift.at].name
}

// renderShift adds what only shifts have.
func (p *serviceDeployment) renderShift(out map[string]any) {
	if p.stage() == "" {
		return
	}
	out["lifecycleStage"] = p.stage()
	details := []any{}
	for _, h := range p.shift.hooks {
		details = append(details, h.render())
	}
	if len(details) > 0 {
		out["lifecycleHookDetails"] = details
	}
}

// weigh adds the deployment's share of the traffic, where it is shifted.
func (d *deployment) weigh(out map[string]any) map[string]any {
	if d.public != nil && d.public.shift != nil || d.production > 0 {
		maps.Copy(out, map[string]any{"requestedProductionTrafficWeight": d.production, "requestedTestTrafficWeight": d.test})
	}
	return out
}

// strategyFits says what ECS would refuse about the strategy of a request.
// The limits are those of the API's pages; the texts are guesses.
func strategyFits(strategy string, c strategyConfig) error {
	refuse := func(format string, args ...any) error { return fault("InvalidParameterException", format, args...) }
	between := func(n *int, most int) bool { return n == nil || *n >= 0 && *n <= most }
	percent := func(p *float64, least float64) bool {
		return p == nil || *p >= least && *p <= 100 && !math.IsNaN(*p)
	}
	switch {
	case !between(c.Bake, mostStrategyBakeTime):
		return refuse("bakeTimeInMinutes must be between 0 and %d.", mostStrategyBakeTime)
	case strategy == "BLUE_GREEN" && c.Bake == nil:
		return refuse("bakeTimeInMinutes is required for the BLUE_GREEN deployment strategy.")
	case strategy != "LINEAR" && (c.Linear.Percent != nil || c.Linear.Bake != nil):
		return refuse("linearConfiguration is only valid when the deployment strategy is LINEAR.")
	case strategy != "CANARY" && (c.Canary.Percent != nil || c.Canary.Bake != nil):
		return refuse("canaryConfiguration is only valid when the deployment strategy is CANARY.")
	case !percent(c.Linear.Percent, 3):
		return refuse("stepPercent must be between 3.0 and 100.0.")
	case !percent(c.Canary.Percent, 0.1):
		return refuse("canaryPercent must be between 0.1 and 100.0.")
	case !between(c.Linear.Bake, mostStrategyBakeTime) || !between(c.Canary.Bake, mostStrategyBakeTime):
		return refuse("the bake time of a step must be between 0 and %d minutes.", mostStrategyBakeTime)
	}
	for _, h := range c.Hooks {
		if err := h.fits(); err != nil {
			return err
		}
	}
	return nil
}
