package forward

import (
	"sync"
	"time"
)

// clock maps a publisher's clock to this machine's. One for all tracks of a publisher: what was captured at the same time is given the same
// time, so that lips stay in step.
type clock struct {
	mu     sync.Mutex
	known  bool
	offset time.Duration
}

// clockDrift is how much of a larger offset is taken in per report: clocks drift by less, while a slow report is only a slow path.
const clockDrift = 1.0 / 64

// observe notes a sender report: the least offset is that of the quickest one.
func (c *clock) observe(theirs, ours time.Time) {
	offset := ours.Sub(theirs)
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.known || offset < c.offset {
		c.known, c.offset = true, offset
		return
	}
	c.offset += time.Duration(float64(offset-c.offset) * clockDrift)
}

// here is a time of the publisher's on this machine's clock.
func (c *clock) here(theirs time.Time) (time.Time, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return theirs.Add(c.offset), c.known
}
