package retention

import "time"

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
