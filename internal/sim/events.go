package sim

import (
	"container/heap"
	"time"
)

// agenda is what will happen, by time and, at equal times, in the order in
// which it was planned, so that a run can be repeated.
type agenda struct {
	entries []entry
	planned int
}

type entry struct {
	at    time.Time
	order int
	do    func()
}

func (g *agenda) Len() int { return len(g.entries) }
func (g *agenda) Less(i, j int) bool {
	a, b := g.entries[i], g.entries[j]
	return a.at.Before(b.at) || a.at.Equal(b.at) && a.order < b.order
}
func (g *agenda) Swap(i, j int) { g.entries[i], g.entries[j] = g.entries[j], g.entries[i] }
func (g *agenda) Push(e any)    { g.entries = append(g.entries, e.(entry)) }
func (g *agenda) Pop() any {
	last := g.entries[len(g.entries)-1]
	g.entries[len(g.entries)-1] = entry{} // let go of the closure
	g.entries = g.entries[:len(g.entries)-1]
	return last
}

// plan lets do happen at a time; a time in the past is now.
func (a *AWS) plan(at time.Time, do func()) {
	a.agenda.planned++
	heap.Push(&a.agenda, entry{at, a.agenda.planned, do})
}

// after lets do happen when d has passed.
func (a *AWS) after(d time.Duration, do func()) { a.plan(a.clock.Add(d), do) }

// advance lets everything happen that is due at now, each at its own time.
func (a *AWS) advance(now time.Time) {
	for a.agenda.Len() > 0 && !a.agenda.entries[0].at.After(now) {
		next := heap.Pop(&a.agenda).(entry)
		if next.at.After(a.clock) {
			a.clock = next.at
		}
		next.do()
	}
	if now.After(a.clock) {
		a.clock = now
	}
}
