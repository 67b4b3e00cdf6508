package retention

import "time"

// clock is what a sweeper believes of clocks: nothing may be deleted too early because one is wrong.
type clock struct {
	cfg   SweepConfig
	start time.Time
	// last is what was believed last, and lastAt when that was, since the start by a clock that doesn't jump.
	last   time.Time
	lastAt time.Duration
	// jumped tells that the clocks have jumped forward, at jumpedAt, and aren't believed yet.
	jumped   bool
	jumpedAt time.Duration
}

func newClock(cfg SweepConfig) *clock { return &clock{cfg: cfg, start: time.Now()} }

// now is the moment to sweep for, of this process's clock and the server's, and whether both agree enough to purge by. passed is the time since the start.
// The earlier of both clocks counts. When that jumps forward, further than ClockJump beyond the time that has passed, it is believed only after PurgeWindow:
// whoever corrects clocks has until then to do it. One that jumps back is believed at once, since nothing is deleted by it.
func (c *clock) now(process, server time.Time, passed time.Duration) (time.Time, bool) {
	told := process
	if server.Before(told) {
		told = server
	}
	told = told.Round(0).UTC()
	agreed := process.Sub(server).Abs() <= c.cfg.ClockSkew
	expected := c.last.Add(passed - c.lastAt)
	switch {
	case c.last.IsZero() || told.Sub(expected) <= c.cfg.ClockJump || c.jumped && passed-c.jumpedAt >= c.cfg.PurgeWindow:
		c.last, c.jumped = told, false
	case !c.jumped:
		c.last, c.jumped, c.jumpedAt = expected, true, passed
	default:
		c.last = expected
	}
	c.lastAt = passed
	return c.last, agreed
}
