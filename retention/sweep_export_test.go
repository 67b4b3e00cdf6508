package retention

import (
	"context"
	"time"
)

// TurnClocks has a sweeper see its clock and the server's turned by what is told at each look.
func (s *Sweeper) TurnClocks(by func() (process, server time.Duration)) {
	clocks := s.clocks
	s.clocks = func(ctx context.Context) (time.Time, time.Time, error) {
		process, server, err := clocks(ctx)
		p, q := by()
		return process.Add(p), server.Add(q), err
	}
}

// SweepSteps are the steps that OnStep tells of, in order.
func SweepSteps() []string {
	return []string{
		"hidden", "stored intent", "stored rows", "stored leaf", "leftovers", "set", "intent", "captured", "deleted", "checked", "purged", "evidence", "leaf", "tombstones", "forgotten",
	}
}

// Clock is what a sweeper believes of clocks.
type Clock struct{ *clock }

// NewClock makes a clock.
func NewClock(cfg SweepConfig) Clock { return Clock{newClock(cfg)} }

// Now is clock.now.
func (c Clock) Now(process, server time.Time, passed time.Duration) (time.Time, bool) {
	return c.now(process, server, passed)
}
