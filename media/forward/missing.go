package forward

import (
	"slices"
	"time"
)

// Bounds of what is asked again, per layer.
const (
	// maxMissing numbers are kept; a larger gap is a sender that began anew, which a key frame mends better.
	maxMissing = 256
	// maxAsks is how often one number is asked for.
	maxAsks = 8
	// reorderWait is how long a number may come late before it is asked for.
	reorderWait = 15 * time.Millisecond
	// minAskAgain is the shortest time between two requests for the same number, below a round trip.
	minAskAgain = 40 * time.Millisecond
	// askAfter drops numbers that no subscriber would wait for.
	giveUpAfter = 2 * time.Second
)

// missing is which sequence numbers of a layer did not come, in order of number.
type missing struct {
	started bool
	highest uint16
	holes   []hole
}

type hole struct {
	seq   uint16
	since time.Time
	asked time.Time
	asks  int
}

// arrived notes a packet, repaired ones too.
func (m *missing) arrived(seq uint16, now time.Time) {
	if !m.started {
		m.started, m.highest = true, seq
		return
	}
	if !after(seq, m.highest) {
		if len(m.holes) > 0 {
			m.holes = slices.DeleteFunc(m.holes, func(h hole) bool { return h.seq == seq })
		}
		return
	}
	gap := int(seq - m.highest - 1)
	if gap > maxMissing {
		m.holes = m.holes[:0]
	} else {
		for i := range gap {
			m.holes = append(m.holes, hole{seq: m.highest + 1 + uint16(i), since: now}) //nolint:gosec // at most maxMissing
		}
		if over := len(m.holes) - maxMissing; over > 0 {
			m.holes = slices.Delete(m.holes, 0, over)
		}
	}
	m.highest = seq
}

// due are the numbers to ask for now, given the round-trip time to the publisher (0: unknown).
func (m *missing) due(now time.Time, rtt time.Duration) []uint16 {
	if len(m.holes) == 0 {
		return nil
	}
	again := max(rtt+rtt/4, minAskAgain)
	m.holes = slices.DeleteFunc(m.holes, func(h hole) bool {
		return now.Sub(h.since) > giveUpAfter || (h.asks >= maxAsks && now.Sub(h.asked) > again)
	})
	var due []uint16
	for i := range m.holes {
		h := &m.holes[i]
		if h.asks >= maxAsks || now.Sub(h.since) < reorderWait || (h.asks > 0 && now.Sub(h.asked) < again) {
			continue
		}
		h.asks++
		h.asked = now
		due = append(due, h.seq)
	}
	return due
}
