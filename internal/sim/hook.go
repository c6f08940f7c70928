package sim

import (
	"fmt"
	"slices"
	"time"
)

// hook is a lifecycle hook at a stage of a shift.
type hook struct {
	id      string
	config  hookConfig
	status  string // AWAITING_ACTION, IN_PROGRESS, SUCCEEDED, FAILED, TIMED_OUT
	expires time.Time
	due     time.Time // when the function answers; zero: never
	fails   bool
	why     string
}

// hookStages may have hooks; those of shifting may not pause.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-lifecycle-hooks.html
func hookStages() []string {
	return []string{"RECONCILE_SERVICE", "PRE_SCALE_UP", "POST_SCALE_UP", "TEST_TRAFFIC_SHIFT", "POST_TEST_TRAFFIC_SHIFT",
		"PRE_PRODUCTION_TRAFFIC_SHIFT", "PRODUCTION_TRAFFIC_SHIFT", "POST_PRODUCTION_TRAFFIC_SHIFT"}
}

func (h hookConfig) pauses() bool { return h.Type == "PAUSE" }

func (h hookConfig) fits() error {
	refuse := func(format string, args ...any) error { return fault("InvalidParameterException", format, args...) }
	for _, at := range h.Stages {
		switch {
		case !slices.Contains(hookStages(), at):
			return refuse("Invalid lifecycle stage: %s.", at)
		case h.pauses() && (at == "TEST_TRAFFIC_SHIFT" || at == "PRODUCTION_TRAFFIC_SHIFT"):
			return refuse("PAUSE hooks cannot be configured at the %s stage.", at)
		}
	}
	switch {
	case len(h.Stages) == 0:
		return refuse("lifecycleStages cannot be empty.")
	case !slices.Contains([]string{"", "AWS_LAMBDA", "PAUSE"}, h.Type):
		return refuse("Invalid targetType: %s.", h.Type)
	case !h.pauses() && h.Target == "":
		return refuse("hookTargetArn is required for AWS_LAMBDA hooks.")
	case h.Timeout.Minutes != nil && (*h.Timeout.Minutes < 1 || *h.Timeout.Minutes > mostHookTimeout):
		return refuse("timeoutInMinutes must be between 1 and %d.", mostHookTimeout)
	case !slices.Contains([]string{"", "ROLLBACK", "CONTINUE"}, h.Timeout.Action):
		return refuse("Invalid timeout action: %s.", h.Timeout.Action)
	}
	return nil
}

// begin calls a hook.
func (p *serviceDeployment) begin(c hookConfig) *hook {
	a := p.service.region.aws
	h := &hook{id: a.uuid(), config: c, status: "AWAITING_ACTION", expires: a.clock.Add(minutes(c.Timeout.Minutes, defaultHookTimeout))}
	if c.pauses() {
		return h
	}
	h.status, h.due = "IN_PROGRESS", a.clock.Add(a.timing.hook)
	if f := p.own.deploymentFault(p.stage()); f != nil {
		h.fails, h.why = !f.Hangs, f.Reason
		if f.Hangs {
			h.due = time.Time{}
		}
	}
	return h
}

// hooksThrough says whether the present stage's hooks all let it go on, or why
// one ends the deployment.
func (p *serviceDeployment) hooksThrough() (why string, through bool) {
	s, through := p.service, true
	now, at := s.region.aws.clock, p.stage()
	for _, h := range p.shift.hooks {
		switch {
		case h.status == "SUCCEEDED" || h.status == "TIMED_OUT" && h.config.Timeout.Action == "CONTINUE":
			continue
		case h.status == "FAILED":
			return h.why, false
		case !h.due.IsZero() && !now.Before(h.due) && h.fails:
			h.status = "FAILED"
			// The words are those of a real one.
			h.why = fmt.Sprintf("Service deployment rolled back because %s lifecycle hook(s) failed. Lifecycle hook target %s returned FAILED status.%s",
				at, h.config.Target, spaced(h.why))
			return h.why, false
		case !h.due.IsZero() && !now.Before(h.due):
			h.status = "SUCCEEDED"
		case !now.Before(h.expires):
			h.status = "TIMED_OUT"
			if h.config.Timeout.Action != "CONTINUE" {
				return fmt.Sprintf("Service deployment rolled back because %s lifecycle hook(s) timed out.", at), false
			}
		default:
			through = false
			s.pokeAt(h.expires)
			if !h.due.IsZero() {
				s.pokeAt(h.due)
			}
		}
	}
	return "", through
}

func spaced(text string) string {
	if text == "" {
		return ""
	}
	return " " + text
}

func (h *hook) render() map[string]any {
	out := map[string]any{
		"hookId": h.id, "targetType": "AWS_LAMBDA", "status": h.status, "expiresAt": stamp(h.expires), "timeoutAction": "ROLLBACK",
	}
	if h.config.Timeout.Action != "" {
		out["timeoutAction"] = h.config.Timeout.Action
	}
	if h.config.pauses() {
		out["targetType"] = "PAUSE"
	} else {
		out["targetArn"] = h.config.Target
	}
	return out
}

// continueServiceDeployment is a person's word at a PAUSE hook.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/continue-service-deployment.html
// The error codes are those of the API's model; the texts are guesses.
func continueServiceDeployment(c *call) (any, error) {
	var in struct {
		ARN    string `json:"serviceDeploymentArn"`
		Hook   string `json:"hookId"`
		Action string `json:"action"`
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	p := c.region.rollout(in.ARN)
	switch {
	case in.ARN == "":
		return nil, fault("InvalidParameterException", "serviceDeploymentArn can not be blank.")
	case in.Hook == "":
		return nil, fault("InvalidParameterException", "hookId can not be blank.")
	case !slices.Contains([]string{"", "CONTINUE", "ROLLBACK"}, in.Action):
		return nil, fault("InvalidParameterException", "Invalid action: %s.", in.Action)
	case p == nil:
		return nil, fault("ServiceDeploymentNotFoundException", "Service deployment not found.")
	case p.shift == nil || p.status != "IN_PROGRESS":
		return nil, fault("InvalidParameterException", "The service deployment must be IN_PROGRESS, but it is %s.", p.status)
	}
	i := slices.IndexFunc(p.shift.hooks, func(h *hook) bool { return h.id == in.Hook && h.status == "AWAITING_ACTION" })
	if i < 0 {
		return nil, fault("InvalidParameterException", "No lifecycle hook %s is awaiting an action.", in.Hook)
	}
	h := p.shift.hooks[i]
	h.status = "SUCCEEDED"
	if in.Action == "ROLLBACK" {
		h.status = "FAILED"
		h.why = fmt.Sprintf("Service deployment rolled back because a rollback was requested at the %s lifecycle stage.", p.stage())
	}
	p.service.poke()
	return map[string]any{"serviceDeploymentArn": p.arn()}, nil
}
