package ingest

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/anteroom/anteroom/event"
	"github.com/anteroom/anteroom/internal/kafka"
)

// Progress tells how far the sealed text of a region is ingested. It asks the brokers and keeps nothing that a restart would lose. All methods are safe
// for concurrent use.
type Progress struct {
	legs []leg

	mu sync.Mutex
	// asked are the moments asked for that are not passed yet; guarded by mu.
	asked map[time.Time]*passage
}

// leg is a topic on the way of sealed text to its region, and the group that takes it on.
type leg struct {
	client       *kafka.Client
	topic, group string
}

// passage is how far what was produced before a moment has come: all legs before the one are passed, and what is to be passed there are the ends.
type passage struct {
	leg  int
	ends map[int]kafka.Offsets
}

// maxAsked bounds the moments that are remembered; one that is forgotten begins its way again, with later ends.
const maxAsked = 1000

// NewProgress is of the home region: its chat is ingested from its chat topic.
func NewProgress(cfg Config, home *kafka.Client) *Progress {
	return &Progress{asked: map[time.Time]*passage{}, legs: []leg{{home, event.Topic(cfg.Region, event.Content), cfg.Group}}}
}

// NewFurtherProgress is of a further region: its copies are in the home region's chat topic first, and then in a topic of its own.
func NewFurtherProgress(cfg Config, region string, home, further *kafka.Client) *Progress {
	return &Progress{asked: map[time.Time]*passage{}, legs: []leg{
		{home, event.Topic(cfg.Region, event.Content), cfg.copierGroup(region)},
		{further, event.CopiesTopic(region), cfg.copiesGroup(region)},
	}}
}

// Ingested tells whether all that was produced before a moment is ingested and committed. It goes by the ends of the topics as they are when it is first
// asked after that moment, and by what groups have committed, one topic after the other: what has passed the first is in the second.
func (p *Progress) Ingested(ctx context.Context, before time.Time) (bool, error) {
	if before.After(time.Now()) {
		return false, nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	way := p.asked[before]
	if way == nil {
		way = new(passage)
		if len(p.asked) >= maxAsked {
			clear(p.asked)
		}
		p.asked[before] = way
	}
	for ; way.leg < len(p.legs); way.leg, way.ends = way.leg+1, nil {
		passed, err := p.legs[way.leg].passed(ctx, way)
		if err != nil || !passed {
			return false, err
		}
	}
	delete(p.asked, before)
	return true, nil
}

// passed tells whether a group has committed all that the topic held when it was first looked at.
func (l leg) passed(ctx context.Context, way *passage) (passed bool, err error) {
	now, err := l.client.TopicOffsets(ctx, l.topic)
	if err != nil {
		return false, fmt.Errorf("how far %s is: %w", l.topic, err)
	}
	if way.ends == nil {
		way.ends = map[int]kafka.Offsets{}
	}
	committed, err := l.client.Committed(ctx, l.group, l.topic)
	if err != nil {
		return false, fmt.Errorf("how far %s is: %w", l.topic, err)
	}
	passed = true
	for id, at := range now {
		ends, seen := way.ends[id]
		if !seen {
			ends = at
			way.ends[id] = at
		}
		next, known := committed[id]
		switch {
		case known && next > at.End: // the topic was made anew, and what it holds now is not read yet
			passed = false
		case at.First >= at.End: // the broker holds nothing of it, so there is nothing to wait for
		case !known || next < min(ends.End, at.End):
			passed = false
		}
	}
	return passed, nil
}
