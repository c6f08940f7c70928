package sim

import (
	"fmt"
	"strings"
	"time"
)

// deploymentAlarms are the alarms of a service's deploymentConfiguration.
type deploymentAlarms struct {
	Names    []string `json:"alarmNames"`
	Enable   bool     `json:"enable"`
	Rollback bool     `json:"rollback"`
}

// alarmEvery is how often a deployment looks at its alarms: a guess.
const alarmEvery = 10 * time.Second

// firing are those of the names whose alarms fire.
func (r *region) firing(names []string) []string {
	fire := []string{}
	for _, n := range names {
		if r.alarmFiring(n) {
			fire = append(fire, n)
		}
	}
	return fire
}

// watchAlarms ends a deployment one of whose alarms fires; false: it goes on.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-alarm-failure.html
func (p *serviceDeployment) watchAlarms() bool {
	s := p.service
	watched := s.strategyConfig().Alarms
	if !watched.Enable || p.unwatched || len(watched.Names) == 0 || p.status != "IN_PROGRESS" {
		return false
	}
	p.triggered = s.region.firing(watched.Names)
	if len(p.triggered) == 0 {
		s.pokeAt(s.region.aws.clock.Add(alarmEvery))
		return false
	}
	p.own.set("FAILED", "ECS deployment failed: alarm detected.")
	s.event("(service %s) (deployment %s) deployment failed: alarm detected.", s.name, p.own.id())
	why := fmt.Sprintf("Service deployment rolled back because of CloudWatch alarm(s) %s.", strings.Join(p.triggered, ", "))
	if watched.Rollback && s.goBack(p, "ECS deployment alarm", why) {
		return true
	}
	p.to("STOP_REQUESTED", fmt.Sprintf("Service deployment failed because of CloudWatch alarm(s) %s.", strings.Join(p.triggered, ", ")))
	s.poke()
	return true
}

func (p *serviceDeployment) renderAlarms() map[string]any {
	watched := p.service.strategyConfig().Alarms
	out := map[string]any{"status": "DISABLED", "alarmNames": append([]string{}, watched.Names...), "triggeredAlarmNames": append([]string{}, p.triggered...)}
	watches := watched.Enable && !p.unwatched
	if watches {
		out["status"] = "MONITORING"
	}
	switch {
	case len(p.triggered) > 0:
		out["status"] = "TRIGGERED"
	case watches && p.done():
		out["status"] = "MONITORING_COMPLETE"
	}
	return out
}
