package sim

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// StrategySettings are the members of a Service that say how BLUE_GREEN, LINEAR
// and CANARY deployments go. Durations are whole minutes, as in the API.
type StrategySettings struct {
	Bake   *Duration `json:"bake-time,omitempty"` // nil: 15 minutes
	Linear *Steps    `json:"linear,omitempty"`    // nil: 10 % every 6 minutes
	Canary *Steps    `json:"canary,omitempty"`    // nil: 5 % for 10 minutes
	Hooks  []Hook    `json:"hooks,omitempty"`
	// Alarms are names of CloudWatch alarms that roll a deployment back, those
	// of rolling ones, too.
	Alarms []string `json:"alarms,omitempty"`
}

// Steps is how production traffic is shifted.
type Steps struct {
	Percent float64  `json:"percent"`
	Bake    Duration `json:"bake"` // after each step but the last
}

// Hook is a lifecycle hook.
type Hook struct {
	// Target is a Lambda function's ARN; empty: the deployment pauses until
	// somebody continues it.
	Target  string    `json:"target,omitempty"`
	Stages  []string  `json:"stages"`
	Timeout *Duration `json:"timeout,omitempty"` // nil: a day
	// OnTimeout is ROLLBACK (default) or CONTINUE.
	OnTimeout string `json:"on-timeout,omitempty"`
}

// DeploymentFault is what goes wrong at a stage of deployments that reach it
// while it holds: those of ECS that shift traffic, and those of CodeDeploy.
type DeploymentFault struct {
	Where
	// Image is a glob of image references, one of which the new tasks run;
	// empty: all.
	Image string `json:"image,omitempty"`
	// Stage is a lifecycle stage of ECS ("POST_SCALE_UP"), a lifecycle event of
	// CodeDeploy ("AfterInstall"), or "ROLLBACK": then a rollback ends
	// ROLLBACK_FAILED or, of CodeDeploy, Failed.
	Stage string `json:"stage"`
	// Hangs says that the stage's hook never answers; else it fails. A stage
	// without a hook fails, too.
	Hangs bool `json:"hangs,omitempty"`
	// After is how long the stage lasts before it fails.
	After Duration `json:"after,omitempty"`
	// Code is CodeDeploy's errorInformation; empty: HOOK_EXECUTION_FAILURE.
	Code string `json:"code,omitempty"`
	// Reason is AWS's or the hook's text.
	Reason string `json:"reason,omitempty"`
}

// deploymentFault is what is to go wrong for a deployment at a stage; nil:
// nothing.
func (d *deployment) deploymentFault(stage string) *DeploymentFault {
	r := d.service.region
	for i := range r.aws.world.DeploymentFaults {
		f := &r.aws.world.DeploymentFaults[i]
		hit := slices.ContainsFunc(d.definition.known.Containers, func(c containerDefinition) bool { return glob(f.Image, c.Image) })
		if f.Stage == stage && hit && r.aws.holds(f.Where, r.account, r.name) &&
			glob(f.Cluster, d.service.cluster.name) && glob(f.Service, d.service.name) {
			return f
		}
	}
	return nil
}

// stageFails is why the present stage of a shift fails by itself, not by a
// hook; empty: it does not.
func (p *serviceDeployment) stageFails() string {
	f := p.own.deploymentFault(p.stage())
	if f == nil || len(p.shift.hooks) > 0 {
		return ""
	}
	if at := p.shift.acting.Add(time.Duration(f.After)); p.service.region.aws.clock.Before(at) {
		p.service.pokeAt(at)
		return ""
	}
	if f.Reason == "" {
		return "Service deployment rolled back because of invalid networking configuration."
	}
	return "Service deployment rolled back because " + f.Reason
}

// strategyRequest adds the members that shifts are made of to the request that
// would have made the service.
func (s Service) strategyRequest(r *region, doc map[string]any) {
	set, _ := doc["deploymentConfiguration"].(map[string]any)
	number := func(d Duration) int { return int(time.Duration(d) / time.Minute) }
	if s.Strategy == "BLUE_GREEN" || s.Bake != nil {
		set["bakeTimeInMinutes"] = number(either(s.Bake, Duration(defaultBake*time.Minute)))
	}
	if s.Linear != nil {
		set["linearConfiguration"] = map[string]any{"stepPercent": s.Linear.Percent, "stepBakeTimeInMinutes": number(s.Linear.Bake)}
	}
	if s.Canary != nil {
		set["canaryConfiguration"] = map[string]any{"canaryPercent": s.Canary.Percent, "canaryBakeTimeInMinutes": number(s.Canary.Bake)}
	}
	if len(s.Alarms) > 0 {
		set["alarms"] = map[string]any{"alarmNames": s.Alarms, "enable": true, "rollback": true}
	}
	hooks := []any{}
	for _, h := range s.Hooks {
		hooks = append(hooks, h.request(r))
	}
	if len(hooks) > 0 {
		set["lifecycleHooks"] = hooks
	}
}

func (h Hook) request(r *region) map[string]any {
	out := map[string]any{"lifecycleStages": h.Stages, "targetType": "PAUSE"}
	if h.Target != "" {
		out["targetType"], out["hookTargetArn"], out["roleArn"] = "AWS_LAMBDA", h.Target, r.arnIAM("role/hooks")
	}
	timeout := map[string]any{}
	if h.Timeout != nil {
		timeout["timeoutInMinutes"] = int(time.Duration(*h.Timeout) / time.Minute)
	}
	if h.OnTimeout != "" {
		timeout["action"] = h.OnTimeout
	}
	if len(timeout) > 0 {
		out["timeoutConfiguration"] = timeout
	}
	return out
}

// strategy checks how a service is deployed.
func (c *checker) strategy(path string, s Service) {
	durations := map[string]*Duration{"bake-time": s.Bake}
	for name, steps := range map[string]*Steps{"linear": s.Linear, "canary": s.Canary} {
		if steps != nil {
			durations[name+".bake"] = &steps.Bake
		}
	}
	for i, h := range s.Hooks {
		durations[fmt.Sprintf("hooks[%d].timeout", i)] = h.Timeout
	}
	for _, name := range sortedKeys(durations) {
		if d := durations[name]; d != nil && *d%Duration(time.Minute) != 0 {
			c.wrong(path+"."+name, "%v is not a number of whole minutes", time.Duration(*d))
		}
	}
	doc := map[string]any{"deploymentConfiguration": map[string]any{}}
	s.strategyRequest(&region{}, doc)
	var config strategyConfig
	convert(doc["deploymentConfiguration"], &config)
	if err := strategyFits(s.Strategy, config); err != nil {
		c.wrong(path, "%s", strings.TrimPrefix(err.Error(), "InvalidParameterException: "))
	}
	c.group(path, s)
}

func (c *checker) deploymentFaults(w World) {
	for i, f := range w.DeploymentFaults {
		if known := append(append(hookStages(), "SCALE_UP", "BAKE_TIME", "ROLLBACK"), lifecycleEvents()...); !slices.Contains(known, f.Stage) {
			c.wrong(fmt.Sprintf("deployment-faults[%d].stage", i), "%q is not one of %s", f.Stage, strings.Join(known, ", "))
		}
	}
}
