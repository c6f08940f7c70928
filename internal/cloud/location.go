package cloud

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"ecs-fleet/internal/fleet"
)

// location is what all clients of one account and Region share.
type location struct {
	mu          sync.Mutex
	definitions map[string]*definitionEntry // by ARN, and by family for the newest one
	families    map[string]*family
	shifts      map[string]*once[time.Duration] // by deployment configuration
	groups      *once[map[Scalable]Group]
}

// definitionEntry is a task definition being read, or read.
type definitionEntry struct {
	by    *Client       // whose credentials read it
	ready chan struct{} // closed when the two below are set
	value *definition
	err   error
}

// family serialises the registrations of one task definition family: AWS
// refuses two at a time.
type family struct {
	turn       *semaphore.Weighted // held while a registration is under way
	registered map[string]fleet.ARN
}

func newLocation() *location {
	return &location{definitions: make(map[string]*definitionEntry), families: make(map[string]*family), shifts: make(map[string]*once[time.Duration]), groups: newOnce[map[Scalable]Group]()}
}

func (l *location) family(name string) *family {
	return get(&l.mu, l.families, name, func() *family {
		return &family{turn: semaphore.NewWeighted(1), registered: make(map[string]fleet.ARN)}
	})
}

// definition returns what read returns, reading each name once: whoever comes
// second waits for the first. A failed read is forgotten, so that the next
// caller asks again; that there is no such revision is an answer, too, or a
// thousand services of one family would each ask for it. Whoever has waited for
// a read that failed for another role asks for himself: he may have the
// permission.
func (l *location) definition(ctx context.Context, by *Client, name string, read func() (*definition, error)) (*definition, error) {
	for {
		l.mu.Lock()
		e, found := l.definitions[name]
		if !found {
			e = &definitionEntry{by: by, ready: make(chan struct{})}
			l.definitions[name] = e
		}
		l.mu.Unlock()
		if !found {
			return l.read(e, name, read)
		}
		select {
		case <-e.ready:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
		if e.err == nil || missing(e.err) || e.by == by {
			return e.value, e.err
		}
	}
}

func (l *location) read(e *definitionEntry, name string, read func() (*definition, error)) (*definition, error) {
	e.value, e.err = read()
	switch {
	case e.err == nil:
		l.remember(e.value)
	case !missing(e.err):
		l.forget(name)
	}
	close(e.ready)
	return e.value, e.err
}

func missing(err error) bool {
	_, ok := errors.AsType[*MissingError](err)
	return ok
}

// remember keeps a definition under its ARN.
func (l *location) remember(d *definition) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, found := l.definitions[string(d.view.ARN)]; !found {
		e := &definitionEntry{ready: make(chan struct{}), value: d}
		close(e.ready)
		l.definitions[string(d.view.ARN)] = e
	}
}

func (l *location) forget(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.definitions, name)
}
