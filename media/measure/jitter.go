package measure

import "time"

// jumpSeconds: a packet whose spacing is off by more than that is not jitter but a clock that was set anew or stood still while muted; it is
// left out, as in libwebrtc.
const jumpSeconds = 5

// jitter is the interarrival jitter of RFC 3550 A.8, in its integer form, scaled by 16.
type jitter struct {
	rate    uint32
	epoch   time.Time
	started bool
	transit uint32
	scaled  uint32
}

// add notes a packet; false if it gives no difference.
func (j *jitter) add(timestamp uint32, arrived time.Time) bool {
	if j.epoch.IsZero() {
		j.epoch = arrived
	}
	transit := j.units(arrived.Sub(j.epoch)) - timestamp
	// The difference is taken modulo 2^32 and then signed, so that a timestamp that wraps is no jump.
	d := int32(transit - j.transit)
	first := !j.started
	j.started, j.transit = true, transit
	if d < 0 {
		d = -d
	}
	if first || d < 0 || uint64(d) > jumpSeconds*uint64(j.rate) {
		return false
	}
	// Appendix A.8: s->jitter += d - ((s->jitter + 8) >> 4).
	j.scaled += uint32(d) - (j.scaled+8)>>4
	return true
}

// restart forgets the last packet, so that the next gives no difference.
func (j *jitter) restart() { j.started = false }

// units turns a duration into RTP clock units, modulo 2^32. Whole seconds apart, or hours would overflow.
func (j *jitter) units(d time.Duration) uint32 {
	whole, rest := d/time.Second, d%time.Second
	return uint32(int64(whole)*int64(j.rate) + int64(rest)*int64(j.rate)/int64(time.Second))
}

func (j *jitter) value() time.Duration {
	return fromUnits(uint64(j.scaled), 16*uint64(j.rate))
}

func fromUnits(units, rate uint64) time.Duration {
	if rate == 0 {
		return 0
	}
	return time.Duration(units/rate)*time.Second + time.Duration(units%rate*uint64(time.Second)/rate)
}
