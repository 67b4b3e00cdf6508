package ingest

import (
	"context"
	"sync"
	"time"

	"github.com/anteroom/anteroom/event"
	"github.com/anteroom/anteroom/internal/kafka"
)

// Tide tells until when all that was produced to the home region's topics of events is stored. It goes by what brokers say: of the moments at which it was
// asked it takes the latest at which topics ended where the group has committed by now. All methods are safe for concurrent use.
type Tide struct {
	legs []leg

	mu sync.Mutex
	// seen are moments whose ends are not passed yet, oldest first; guarded by mu.
	seen []seen
	// until is the latest whose ends are; guarded by mu.
	until time.Time
}

// seen is where topics ended at a moment.
type seen struct {
	at   time.Time
	ends []map[int]kafka.Offsets
}

// maxSeen bounds the moments that are remembered. Beyond it every other one is forgotten, which makes what is told coarser and no less true.
const maxSeen = 256

// NewTide is of the home region.
func NewTide(cfg Config, home *kafka.Client) *Tide {
	return &Tide{legs: []leg{
		{home, event.Topic(cfg.Region, event.Durable), cfg.Group},
		{home, event.Topic(cfg.Region, event.Lossy), cfg.Group},
	}}
}

// Until is the moment until which everything is stored, and why it is no later one; zero while that isn't known.
func (t *Tide) Until(ctx context.Context) (time.Time, string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := seen{at: time.Now().UTC()}
	committed := make([]map[int]int64, len(t.legs))
	for i, l := range t.legs {
		ends, err := l.client.TopicOffsets(ctx, l.topic)
		if err != nil {
			return t.until, "Kafka does not say just now how much it holds"
		}
		now.ends = append(now.ends, ends)
		// After the ends: what is committed may only be more than what the ends knew of.
		if committed[i], err = l.client.Committed(ctx, l.group, l.topic); err != nil {
			return t.until, "Kafka does not say just now how far ingest is"
		}
	}
	if t.seen = append(t.seen, now); len(t.seen) > maxSeen {
		kept := t.seen[:0]
		for i, s := range t.seen {
			if i%2 == 0 || i == len(t.seen)-1 {
				kept = append(kept, s)
			}
		}
		t.seen = kept
	}
	for len(t.seen) > 0 && t.seen[0].passed(committed, now.ends) {
		t.until, t.seen = t.seen[0].at, t.seen[1:]
	}
	if len(t.seen) > 0 {
		return t.until, "ingest is behind what was produced"
	}
	return t.until, ""
}

// passed tells whether groups have committed all that topics held; now is where these end by now, which is less where a topic was made anew.
func (s seen) passed(committed []map[int]int64, now []map[int]kafka.Offsets) bool {
	for i, ends := range s.ends {
		for id, then := range ends {
			at, next := now[i][id], committed[i][id]
			if at.First < at.End && next < min(then.End, at.End) {
				return false
			}
		}
	}
	return true
}
