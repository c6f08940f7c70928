package report

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"ecs-fleet/internal/fleet"
)

// Progress is how far an environment is while the run goes on.
type Progress string

// The states of progress, for the live display.
const (
	Queued    Progress = "queued"    // nothing of it was changed yet
	Deploying Progress = "deploying" // a service's first write was accepted
	Done      Progress = "done"
	Broken    Progress = "failed" // a service ended otherwise than wanted; others may go on
)

// waitingPrefix begins the text of a Waiting event of a service that waits for
// the tokens of a bucket.
const waitingPrefix = "waiting for "

// Baking begins the text of a Waiting event of a service that was deployed and
// is watched until its wave counts as healthy.
const Baking = "baking "

// Log collects a run's events, so that the log shows each environment's lines
// together, when it is done, and a line of progress in between. It is safe for
// concurrent use; nothing blocks.
type Log struct {
	Doing string // what is done to an environment that has begun; empty: deploying

	mu    sync.Mutex
	order []*place
	byEnv map[string]*place
}

// place is one environment.
type place struct {
	name     string
	total    int
	lines    []string
	results  []Result
	texts    map[string]string // by service: where it is now
	message  string            // the newest of texts
	started  bool
	first    time.Duration // when its first event was
	finished bool
}

// Group is the lines of an environment that is done.
type Group struct {
	Title string
	Lines []string
}

// EnvironmentState is an environment in the live display.
type EnvironmentState struct {
	Name        string
	Done, Total int    // services
	Message     string // what happens now; one line
	State       Progress
}

// NewLog makes the log of a run over these services.
func NewLog(services []fleet.ServiceRef) *Log {
	l := &Log{byEnv: make(map[string]*place)}
	for _, s := range services {
		l.place(s.Environment).total++
	}
	return l
}

// Add records an event. With the EnvironmentEnded of an environment it returns
// the environment's lines, and true; they are kept no longer. Where services
// are taken back afterwards, another EnvironmentEnded returns what has happened
// since. Events of the
// whole run are not kept: they belong on a line of their own.
func (l *Log) Add(e Event) (Group, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e.Of.Environment == "" {
		return Group{}, false
	}
	p := l.place(e.Of.Environment)
	p.add(e)
	if e.Kind != EnvironmentEnded || p.finished {
		return Group{}, false
	}
	p.finished = true
	g := Group{p.title(e.After), p.lines}
	p.lines = nil
	return g, true
}

// Progress is the run in one line: "12 of 40 environments done, 1 failed; 25
// deploying, 3 waiting for ecs:task-definition-modify; 1m20s".
func (l *Log) Progress(elapsed time.Duration) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	done, failed, now := 0, 0, make(map[string]int)
	for _, p := range l.order {
		if p.broken() {
			failed++
		}
		if p.finished {
			done++
		} else {
			now[p.doing(cmp.Or(l.Doing, "deploying"))]++
		}
	}
	text := fmt.Sprintf("%d of %s done", done, count(len(l.order), "environment"))
	if failed > 0 {
		text += fmt.Sprintf(", %d failed", failed)
	}
	var doing []string
	for _, what := range slices.Sorted(maps.Keys(now)) { // deploying, queued, waiting for …
		doing = append(doing, fmt.Sprintf("%d %s", now[what], what))
	}
	if len(doing) > 0 {
		text += "; " + strings.Join(doing, ", ")
	}
	return text + "; " + clock(elapsed)
}

// Environment is the state of one environment; false when the run has none of
// that name.
func (l *Log) Environment(name string) (EnvironmentState, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p, known := l.byEnv[name]
	if !known {
		return EnvironmentState{}, false
	}
	return EnvironmentState{p.name, len(p.results), p.total, p.message, p.state()}, true
}

func (l *Log) place(name string) *place {
	p := l.byEnv[name]
	if p == nil {
		p = &place{name: name, texts: make(map[string]string), first: -1}
		l.byEnv[name] = p
		l.order = append(l.order, p)
	}
	return p
}

func (p *place) add(e Event) {
	if e.Kind != EnvironmentEnded {
		p.finished = false // what was done is being taken back
	}
	if p.first < 0 {
		p.first = e.After
	}
	text := clean(e.Text)
	switch e.Kind {
	case Waiting:
		p.texts[e.Of.Service] = text
	case Started:
		p.started = true
		delete(p.texts, e.Of.Service)
	case Ended:
		delete(p.texts, e.Of.Service)
		if e.Result != nil {
			p.end(*e.Result)
			if text == "" {
				text = said(e.Result.outcome(), e.Result.why(reasonMost), "")
			}
		}
	}
	if text == "" {
		return
	}
	if e.Of.Service != "" {
		text = clean(e.Of.Service) + ": " + text
	}
	p.message = text
	p.lines = append(p.lines, "+"+clock(e.After)+" "+text)
}

// end keeps a service's result: the last one, when it is taken back later.
func (p *place) end(r Result) {
	i := slices.IndexFunc(p.results, func(old Result) bool { return old.Of == r.Of })
	if i < 0 {
		p.results = append(p.results, r)
	} else {
		p.results[i] = r
	}
}

// doing is what an unfinished environment is counted as.
func (p *place) doing(begun string) string {
	if p.bakes() {
		return strings.TrimSpace(Baking)
	}
	if p.started {
		return begun
	}
	for _, service := range slices.Sorted(maps.Keys(p.texts)) {
		bucket, waits := strings.CutPrefix(p.texts[service], waitingPrefix)
		if waits && !strings.Contains(bucket, " ") { // a bucket's name is one word
			return p.texts[service]
		}
	}
	return "queued"
}

// bakes: what of it has not ended bakes.
func (p *place) bakes() bool {
	for _, text := range p.texts {
		if !strings.HasPrefix(text, Baking) {
			return false
		}
	}
	return len(p.texts) > 0
}

func (p *place) broken() bool {
	return slices.ContainsFunc(p.results, func(r Result) bool { return r.Status.Broken() })
}

func (p *place) well() bool {
	return len(p.results) >= p.total && !slices.ContainsFunc(p.results, func(r Result) bool { return !r.Status.Well() })
}

func (p *place) state() Progress {
	switch {
	case p.broken(), p.finished && !p.well():
		return Broken
	case p.finished:
		return Done
	case p.started:
		return Deploying
	}
	return Queued
}

// title is "✅ tenant-a: 3 deployed, 2 min 01 s".
func (p *place) title(now time.Duration) string {
	sign := Deployed.sign()
	if !p.well() {
		sign = Failed.sign()
	}
	return fmt.Sprintf("%s %s: %s, %s", sign, clean(p.name), counts(p.results), Duration(now-p.first))
}

// clock is a time since the run's start, "1m20s".
func clock(d time.Duration) string { return d.Truncate(time.Second).String() }
