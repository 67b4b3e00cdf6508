package forward

import "sync/atomic"

// loudness of an audio track, from the levels that packets carry (RFC 6464: 0 is the loudest, 127 silence).
type loudness struct {
	sum, n atomic.Uint32
	// smooth is for the room's goroutine: 0 is silence, 127 the loudest.
	smooth float64
}

func (l *loudness) add(level byte) {
	l.sum.Add(uint32(127 - level&0x7f))
	l.n.Add(1)
}

func (l *loudness) clear() { l.sum.Store(0); l.n.Store(0) }

// Smoothing: half of the way to a louder interval, a fifth of the way to a quieter one, so that a breath does not end a turn.
const (
	attack, decay = 0.5, 0.2
	// speaking is the smoothed level from which somebody counts as speaking: -57 dBov.
	speaking = 70
)

// settle takes in what came since the last call and returns the smoothed level.
func (l *loudness) settle() float64 {
	n, sum := l.n.Swap(0), l.sum.Swap(0)
	now := 0.0
	if n > 0 {
		now = float64(sum) / float64(n)
	}
	weight := decay
	if now > l.smooth {
		weight = attack
	}
	l.smooth += (now - l.smooth) * weight
	return l.smooth
}
