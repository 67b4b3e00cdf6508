package exchange

import (
	"context"
	"net/http"
	"sync"
	"time"
)

// gate lets so many requests in at once, and fewer of one organisation, so that what they take of memory has an end and nobody keeps everybody else out.
type gate struct {
	all      chan struct{}
	ofEach   int
	patience time.Duration

	mu    sync.Mutex
	lanes map[string]*lane // guarded by mu: of those organisations that have somebody inside or waiting
}

// lane is one organisation's.
type lane struct {
	room chan struct{}
	// here are those inside and those who wait; guarded by the gate's mu.
	here int
}

// maxHere is how many requests of one organisation are inside or wait.
const maxHere = 200

func newGate(all, ofEach int, patience time.Duration) *gate {
	return &gate{all: make(chan struct{}, all), ofEach: ofEach, patience: patience, lanes: map[string]*lane{}}
}

// errFull is told to whoever has waited long enough; an agent tries again by itself.
func errFull() error {
	return &refusal{http.StatusServiceUnavailable, "busy", "Too much is being taken in just now; try again."}
}

// enter waits for room. Who was let in calls leave.
func (g *gate) enter(ctx context.Context, org string) (leave func(), err error) {
	l := g.join(org)
	if l == nil {
		return nil, errFull()
	}
	over := time.NewTimer(g.patience)
	defer over.Stop()
	taken := 0
	rooms := []chan struct{}{l.room, g.all}
	leave = func() {
		for _, room := range rooms[:taken] {
			<-room
		}
		g.part(org)
	}
	for _, room := range rooms {
		select {
		case room <- struct{}{}:
			taken++
			continue
		case <-ctx.Done():
			err = ctx.Err()
		case <-over.C:
			err = errFull()
		}
		leave()
		return nil, err //nolint:wrapcheck // who asked has left
	}
	return leave, nil
}

// join has somebody wait in the organisation's lane; nil if there are too many in it.
func (g *gate) join(org string) *lane {
	g.mu.Lock()
	defer g.mu.Unlock()
	l := g.lanes[org]
	if l == nil {
		l = &lane{room: make(chan struct{}, g.ofEach)}
		g.lanes[org] = l
	}
	if l.here >= maxHere {
		return nil
	}
	l.here++
	return l
}

func (g *gate) part(org string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if l := g.lanes[org]; l.here > 1 {
		l.here--
	} else {
		delete(g.lanes, org)
	}
}

// waiters are agents that wait for a change, by organisation.
type waiters struct {
	mu   sync.Mutex
	here map[string]int // guarded by mu
}

// come lets one more of an organisation wait, unless there are too many.
func (w *waiters) come(org string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.here[org] >= waitersOfEach {
		return false
	}
	w.here[org]++
	return true
}

func (w *waiters) leave(org string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.here[org]--; w.here[org] == 0 {
		delete(w.here, org)
	}
}
