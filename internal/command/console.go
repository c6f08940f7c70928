package command

import (
	"sync"
	"time"

	"ecs-fleet/internal/action"
	"ecs-fleet/internal/fleet"
	"ecs-fleet/internal/report"
)

// progressEvery is how often the log gets a line while environments are under
// way: often enough to see that the run lives, seldom enough to read the log.
const progressEvery = 10 * time.Second

// console shows a run while it goes on: each environment's lines together when
// it has ended, a line of progress in between, and the live display on a
// terminal.
type console struct {
	action *action.Action
	log    *report.Log
	began  time.Time
	speed  float64
}

func newConsole(a *action.Action, command string, environments []fleet.Environment, began time.Time, speed float64) *console {
	var services []fleet.ServiceRef
	for _, env := range environments {
		for _, s := range env.Services {
			services = append(services, fleet.ServiceRef{Environment: env.Name, Service: s.Name})
		}
	}
	log := report.NewLog(services)
	if command == "scale" {
		log.Doing = "scaling"
	}
	return &console{action: a, log: log, began: began, speed: max(speed, 1)}
}

// event shows what has happened. It is called from many goroutines.
func (c *console) event(e report.Event) {
	group, ended := c.log.Add(e)
	if ended {
		c.action.Group(group.Title, group.Lines)
	} else if e.Text != "" {
		c.action.Debug(e.Of.String() + ": " + e.Text)
	}
	state, known := c.log.Environment(e.Of.Environment)
	if known {
		c.action.Track(state.Name, state.Done, state.Total, state.Message, trackState(state.State))
	}
}

func trackState(p report.Progress) action.State {
	switch p {
	case report.Deploying:
		return action.Running
	case report.Done:
		return action.Succeeded
	case report.Broken:
		return action.Failed
	}
	return action.Waiting
}

// tick prints progress, and has keep write down how far the run is, until the
// function that it returns is called, which blocks until the last line is out.
func (c *console) tick(keep func()) (stop func()) {
	done := make(chan struct{})
	var ticking sync.WaitGroup
	ticking.Go(func() {
		for {
			select {
			case <-time.After(progressEvery):
				c.action.Progress(c.log.Progress(time.Duration(float64(time.Since(c.began)) * c.speed)))
				keep()
			case <-done:
				return
			}
		}
	})
	return func() {
		close(done)
		ticking.Wait()
	}
}
