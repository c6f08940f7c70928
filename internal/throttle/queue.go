package throttle

import (
	"container/heap"
	"context"
)

// Priority orders the calls that wait for the same bucket. A waiting call of
// higher priority is served first; calls of the same priority are served in
// the order of their turns (WithTurn), and then in that in which they were made.
type Priority int

const (
	// Write is the priority of a context that has none: registrations,
	// updates, and the reads that prepare them.
	Write Priority = iota
	// Watch is for polling: a run that does not see its deployments cannot
	// tell a failed one in time.
	Watch
	// Undo is for roll-backs and stops, which must not stand behind a thousand
	// deploys.
	Undo
)

type priorityKey struct{}

// WithPriority returns a context whose calls wait with priority p. It also
// holds for calls made on behalf of such a call, such as fetching credentials.
func WithPriority(ctx context.Context, p Priority) context.Context {
	return context.WithValue(ctx, priorityKey{}, p)
}

func priorityOf(ctx context.Context) Priority {
	p, _ := ctx.Value(priorityKey{}).(Priority)
	return p
}

type turnKey struct{}

// WithTurn returns a context whose calls are served in the order of turn, the
// lowest first, among those of the same priority: goroutines that are started in
// order do not come to the queue in order. Without it a call's turn is 0.
func WithTurn(ctx context.Context, turn int) context.Context {
	return context.WithValue(ctx, turnKey{}, turn)
}

func turnOf(ctx context.Context) int {
	turn, _ := ctx.Value(turnKey{}).(int)
	return turn
}

// ticket is a call's place in the queue of its bucket. The call keeps it over
// its attempts, and with it its place: a refused call goes back to the head,
// for otherwise the oldest calls could starve behind a steady flow of new ones.
// All fields but wake belong to the bucket's lock.
type ticket struct {
	priority Priority
	turn     int
	number   uint64 // order of arrival; 0 until the first wait
	index    int    // in the heap
	epoch    int    // of the last send; see bucket.answered
	wake     chan struct{}
}

func newTicket(p Priority, turn int) *ticket {
	return &ticket{priority: p, turn: turn, wake: make(chan struct{}, 1)}
}

// rouse makes the waiter look at the bucket again. It never blocks: one pending
// signal says as much as many.
func (t *ticket) rouse() {
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

// queue is a heap of tickets; the head is the call to be served next.
type queue []*ticket

func (q queue) head() *ticket {
	if len(q) == 0 {
		return nil
	}
	return q[0]
}

func (q *queue) add(t *ticket)    { heap.Push(q, t) }
func (q *queue) remove(t *ticket) { heap.Remove(q, t.index) }

// The five methods of heap.Interface.

func (q queue) Len() int { return len(q) }

func (q queue) Less(i, j int) bool {
	if q[i].priority != q[j].priority {
		return q[i].priority > q[j].priority
	}
	if q[i].turn != q[j].turn {
		return q[i].turn < q[j].turn
	}
	return q[i].number < q[j].number
}

func (q queue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].index, q[j].index = i, j
}

func (q *queue) Push(x any) {
	t := x.(*ticket)
	t.index = len(*q)
	*q = append(*q, t)
}

func (q *queue) Pop() any {
	last := len(*q) - 1
	t := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	return t
}
