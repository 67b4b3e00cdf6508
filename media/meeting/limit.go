package meeting

import (
	"time"

	"github.com/anteroom/anteroom/media/protocol"
)

// bucket lets a number of things happen at once and then so many per second.
type bucket struct {
	perSecond, most, left float64
	at                    time.Time
}

// take tells whether one more may happen now.
func (b *bucket) take(now time.Time) bool {
	if b.at.IsZero() {
		b.left = b.most
	} else {
		b.left = min(b.most, b.left+now.Sub(b.at).Seconds()*b.perSecond)
	}
	b.at = now
	if b.left < 1 {
		return false
	}
	b.left--
	return true
}

// limits of one member. They bound what others must bear; the connection has limits of its own.
type limits struct {
	chat, react, typing, history, activity, stats, diagnostic, control bucket
}

func newLimits() limits {
	return limits{
		chat:       bucket{perSecond: 5, most: 20},
		react:      bucket{perSecond: 5, most: 20},
		typing:     bucket{perSecond: 1, most: 1},
		history:    bucket{perSecond: 5, most: 20},
		activity:   bucket{perSecond: 10, most: 30},
		stats:      bucket{perSecond: 1, most: 2}, // two, since a batch a second comes at one second more or less
		diagnostic: bucket{perSecond: 5, most: 50},
		control:    bucket{perSecond: 20, most: 60},
	}
}

// spend takes one of the member's limits. The lock is held.
func (mb *Member) spend(b *bucket) error {
	if !b.take(time.Now()) {
		return refusal(protocol.ReasonRateLimited)
	}
	return nil
}
