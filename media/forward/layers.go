package forward

import (
	"cmp"
	"slices"
	"time"
)

// repair asks the publisher for what is missing, and for key frames, where that is due.
func (p *Peer) repair(now time.Time) {
	rtt := time.Duration(p.rtt.Load())
	for _, s := range p.pub.all() {
		if s.audio {
			continue
		}
		for _, l := range s.list() {
			if request := l.askAgain(now, rtt); request != nil {
				p.pub.write(request)
			}
			l.askKey(now)
		}
	}
}

// candidateLayers are the layers of a track that send now, the smallest first, with the heights that they have or are taken to have.
func (t *track) candidateLayers(now time.Time) (layers []*layer, heights []int) {
	for _, l := range t.section.list() {
		if l.live(now) && l.bits.Load() > 0 {
			layers = append(layers, l)
		}
	}
	known := !slices.ContainsFunc(layers, func(l *layer) bool { return l.height.Load() == 0 })
	slices.SortFunc(layers, func(a, b *layer) int {
		if c := cmp.Compare(a.height.Load(), b.height.Load()); known && c != 0 {
			return c
		}
		return cmp.Compare(a.bits.Load(), b.bits.Load())
	})
	heights = make([]int, len(layers))
	for i, l := range layers {
		heights[i] = int(l.height.Load())
		if !known {
			// Without a word of the codec: 720, and half of it for each step down.
			heights[i] = 720 >> (len(layers) - 1 - i)
		}
	}
	return layers, heights
}

// wantedHeight of a subscription: what the client has room for, or less the more cameras it gets.
func (p *Peer) wantedHeight(sub *subscription, cameras int) int {
	const anyHeight = 1 << 14
	height, explicit := p.wanted(sub.track.id)
	switch {
	case explicit:
		return height
	case sub.track.kind == Screen, cameras <= 2:
		return anyHeight
	case cameras <= 6:
		return 360
	}
	return 180
}

// choice is a subscription with what it could be sent.
type choice struct {
	sub    *subscription
	layers []*layer
	// at is the layer chosen so far, most the largest that there is room for.
	at, most int
}

// headroom keeps a layer from being taken up that would only just fit: it would be given up again at once.
const headroom = 1.15

// chooseLayers gives each subscription the largest layer that there is room for, on the client's screen and in what its connection carries. Each
// gets its smallest before any gets more, screens first. A switch is made by the writer at the next key frame.
func (p *Peer) chooseLayers(now time.Time) {
	subs := p.sub.all()
	slices.SortFunc(subs, func(a, b *subscription) int {
		if a, b := a.track.kind == Screen, b.track.kind == Screen; a != b {
			if a {
				return -1
			}
			return 1
		}
		return slices.Compare(a.track.id[:], b.track.id[:])
	})
	cameras := 0
	for _, sub := range subs {
		if sub.track.kind == Video {
			cameras++
		}
	}
	var used float64
	var choices []*choice
	for _, sub := range subs {
		layers, heights := sub.track.candidateLayers(now)
		if len(layers) == 0 || !sub.live() {
			continue
		}
		used += float64(layers[0].bits.Load())
		if sub.track.kind == Audio || len(layers) == 1 {
			sub.aim(layers[0])
			continue
		}
		height := p.wantedHeight(sub, cameras)
		most := slices.IndexFunc(heights, func(h int) bool { return h >= height })
		if most < 0 {
			most = len(layers) - 1
		}
		choices = append(choices, &choice{sub: sub, layers: layers, most: most})
	}
	spend(choices, float64(p.bandwidth.estimate(now))-used)
	for _, c := range choices {
		c.sub.aim(c.layers[c.at])
	}
	for _, sub := range subs {
		if sub.starving(now) {
			sub.needKey()
		}
	}
}

// spend raises the choices, one step each in turn, as far as the room in bit/s allows.
func spend(choices []*choice, room float64) {
	for raised := true; raised; {
		raised = false
		for _, c := range choices {
			if c.at >= c.most {
				continue
			}
			next := c.layers[c.at+1]
			more := float64(next.bits.Load() - c.layers[c.at].bits.Load())
			need := more
			if slices.Index(c.layers, c.sub.current.Load()) <= c.at {
				need *= headroom
			}
			if need > room {
				continue
			}
			room -= more
			c.at++
			raised = true
		}
	}
}

// aim makes a layer the one to be sent, from its next key frame on.
func (s *subscription) aim(l *layer) {
	if s.target.Swap(l) != l && s.current.Load() != l && s.track.kind != Audio && s.bound.Load() != nil {
		s.needKey()
	}
}
