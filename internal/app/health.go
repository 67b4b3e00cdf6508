package app

import (
	"context"
	"sync"
)

// Check is the state of one part. Reason says in plain English what is wrong when OK is false, and never holds personal data.
type Check struct {
	Name   string
	OK     bool
	Reason string
	// Side: the others do without it. The service is ready even while it isn't OK.
	Side bool
}

type named struct {
	name  string
	probe func(context.Context) error
	side  bool
}

// OnCheck adds a part to the health: probe answers nil when the part can do its work. It must heed its context.
func (a *App) OnCheck(name string, probe func(context.Context) error) {
	a.addCheck(named{name: name, probe: probe})
}

// OnSideCheck is OnCheck for a part that the others do without.
func (a *App) OnSideCheck(name string, probe func(context.Context) error) {
	a.addCheck(named{name: name, probe: probe, side: true})
}

func (a *App) addCheck(c named) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.checks = append(a.checks, c)
}

// Health asks all parts, at the same time, and answers in the order in which they were added.
func (a *App) Health(ctx context.Context) []Check {
	a.mu.Lock()
	checks := a.checks
	a.mu.Unlock()
	answers := make([]Check, len(checks))
	var wg sync.WaitGroup
	for i, c := range checks {
		wg.Go(func() {
			answers[i] = Check{Name: c.name, OK: true, Side: c.side}
			if err := c.probe(ctx); err != nil {
				answers[i] = Check{Name: c.name, Reason: err.Error(), Side: c.side}
			}
		})
	}
	wg.Wait()
	return answers
}
