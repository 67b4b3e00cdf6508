package forward

import (
	"slices"

	"github.com/google/uuid"
)

// speakers remembers who speaks and who spoke last.
type speakers struct {
	// now are the owners that are speaking, the loudest first, as they were told last.
	now []uuid.UUID
	// turns is, per owner, when it last began to count as speaking.
	turns map[uuid.UUID]uint64
	turn  uint64
}

// listen settles the levels and tells the active speakers if their order has changed. True: the last-N may have changed.
func (r *Room) listen() bool {
	r.mu.Lock()
	tracks := r.tracks
	r.mu.Unlock()
	levels := map[uuid.UUID]float64{}
	for _, t := range tracks {
		if t.kind != Audio {
			continue
		}
		if level := t.loudness.settle(); level >= speaking && !t.silent() {
			levels[t.peer.id] = max(levels[t.peer.id], level)
		}
	}
	now := make([]uuid.UUID, 0, len(levels))
	for owner := range levels {
		now = append(now, owner)
	}
	s := &r.speakers
	slices.SortFunc(now, func(a, b uuid.UUID) int {
		// Those who were speaking keep their place unless somebody is clearly louder, or the order would change with every breath.
		const clearly = 6
		weigh := func(owner uuid.UUID) float64 {
			if slices.Contains(s.now, owner) {
				return levels[owner] + clearly - float64(slices.Index(s.now, owner))/100
			}
			return levels[owner]
		}
		switch x, y := weigh(a), weigh(b); {
		case x > y:
			return -1
		case x < y:
			return 1
		}
		return slices.Compare(a[:], b[:])
	})
	if slices.Equal(now, s.now) {
		return false
	}
	r.mu.Lock()
	if s.turns == nil {
		s.turns = map[uuid.UUID]uint64{}
	}
	// Backwards, so that the loudest has the newest turn.
	for _, owner := range slices.Backward(now) {
		if !slices.Contains(s.now, owner) {
			s.turn++
			s.turns[owner] = s.turn
		}
	}
	for owner := range s.turns {
		if r.peers[owner] == nil {
			delete(s.turns, owner)
		}
	}
	s.now = now
	r.mu.Unlock()
	r.events.ActiveSpeakers(slices.Clone(now))
	return true
}

// assign tells each member's subscriber which tracks it is to get.
func (r *Room) assign() {
	r.mu.Lock()
	peers := make([]*Peer, 0, len(r.peers))
	for _, p := range r.peers {
		peers = append(peers, p)
	}
	tracks := slices.Clone(r.tracks)
	turns := make(map[uuid.UUID]uint64, len(r.speakers.turns))
	for owner, turn := range r.speakers.turns {
		turns[owner] = turn
	}
	r.mu.Unlock()
	// Unmuted before muted, latest speaker first, then in the order of their start.
	slices.SortStableFunc(tracks, func(a, b *track) int {
		if x, y := a.muted.Load(), b.muted.Load(); a.kind == Audio && b.kind == Audio && x != y {
			if y {
				return -1
			}
			return 1
		}
		switch x, y := turns[a.peer.id], turns[b.peer.id]; {
		case x > y:
			return -1
		case x < y:
			return 1
		}
		return 0
	})
	for _, p := range peers {
		p.sub.want(r.choose(p, tracks))
	}
}

// choose is what one member gets of the tracks in their order: all screens, last-N of the others, and what it wants explicitly; never its own.
func (r *Room) choose(p *Peer, tracks []*track) []*track {
	if !p.receive.Load() {
		return nil
	}
	var chosen []*track
	audio, video := p.cfg.LastNAudio, p.cfg.LastNVideo
	for _, t := range tracks {
		if t.peer == p {
			continue
		}
		height, explicit := p.wanted(t.id)
		switch {
		case t.kind != Audio && explicit && height == 0:
			continue
		case t.kind == Screen, t.kind == Video && explicit && len(chosen) < maxSections:
		case t.kind == Audio && audio > 0:
			audio--
		case t.kind == Video && video > 0:
			video--
		default:
			continue
		}
		chosen = append(chosen, t)
	}
	return chosen
}
