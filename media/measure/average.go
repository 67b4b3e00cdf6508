package measure

import "time"

// mean gathers observations of one interval or of a whole life.
type mean struct {
	n              uint64
	sum, max, last time.Duration
}

func (m *mean) add(d time.Duration) {
	m.n++
	m.sum += d
	m.max = max(m.max, d)
	m.last = d
}

func (m mean) value() Average {
	if m.n == 0 {
		return Average{}
	}
	return Average{N: m.n, Mean: m.sum / time.Duration(m.n), Max: m.max, Last: m.last}
}

// means are of the interval that runs and of the whole life.
type means struct{ interval, life mean }

func (m *means) add(d time.Duration) {
	m.interval.add(d)
	m.life.add(d)
}

// counts is what Inbound and Outbound share: totals, their value when the interval began, and averages.
type counts struct {
	total, before Sample
	began         time.Time
	jitter, rtt   means
}

func (c *counts) roundTrip(source RTTSource, rtt time.Duration) {
	if rtt < 0 || rtt > maxRTT {
		return
	}
	c.rtt.add(rtt)
	c.total.RTTSource = source
}

// interval needs total to be complete.
func (c *counts) interval(now time.Time) Sample {
	s := c.total.minus(c.before)
	if !c.began.IsZero() {
		s.Duration = now.Sub(c.began)
	}
	s.Jitter, s.RTT = c.jitter.interval.value(), c.rtt.interval.value()
	c.before, c.began = c.total, now
	c.jitter.interval, c.rtt.interval = mean{}, mean{}
	return s
}

func (c *counts) totals() Sample {
	s := c.total
	s.Jitter, s.RTT = c.jitter.life.value(), c.rtt.life.value()
	return s
}

func (s Sample) minus(b Sample) Sample {
	s.Packets -= b.Packets
	s.Bytes -= b.Bytes
	s.Expected -= b.Expected
	s.Lost -= b.Lost
	s.Repaired -= b.Repaired
	s.Residual -= b.Residual
	s.Duplicates -= b.Duplicates
	s.Reordered -= b.Reordered
	s.Discarded -= b.Discarded
	s.Retransmitted -= b.Retransmitted
	s.Dropped -= b.Dropped
	s.Upstream -= b.Upstream
	s.Frames -= b.Frames
	s.KeyFrames -= b.KeyFrames
	s.Freezes -= b.Freezes
	s.FreezeTime -= b.FreezeTime
	s.NACKs -= b.NACKs
	s.PLIs -= b.PLIs
	s.FIRs -= b.FIRs
	return s
}
