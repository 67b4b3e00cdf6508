package forward

import (
	"sync"
	"time"

	"github.com/google/uuid"
)

// Room is where tracks are shared: everything that a member publishes is offered to every other member that may receive.
type Room struct {
	server     *Server
	events     RoomEvents
	wake       chan struct{}
	done       chan struct{}
	background sync.WaitGroup
	closeOnce  sync.Once

	mu     sync.Mutex
	closed bool
	peers  map[uuid.UUID]*Peer
	// tracks in the order of their start.
	tracks []*track
	// speakers are owners, the latest to speak first; it is the room goroutine's, guarded for Close.
	speakers speakers
}

func newRoom(s *Server, events RoomEvents) *Room {
	return &Room{server: s, events: events, wake: make(chan struct{}, 1), done: make(chan struct{}), peers: map[uuid.UUID]*Peer{}}
}

// Join adds a member. Nothing flows before AllowSend and AllowReceive.
func (r *Room) Join(id uuid.UUID, events Events) (*Peer, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, errClosed
	}
	if r.peers[id] != nil {
		return nil, errTwice
	}
	p := newPeer(r, id, events)
	r.peers[id] = p
	return p, nil
}

// Close closes all peers.
func (r *Room) Close() {
	r.closeOnce.Do(func() {
		r.mu.Lock()
		r.closed = true
		peers := make([]*Peer, 0, len(r.peers))
		for _, p := range r.peers {
			peers = append(peers, p)
		}
		r.mu.Unlock()
		var closing sync.WaitGroup
		for _, p := range peers {
			closing.Go(p.Close)
		}
		closing.Wait()
		close(r.done)
		r.background.Wait()
		r.server.forget(r)
	})
}

func (r *Room) poke() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

func (r *Room) addTrack(t *track) {
	r.mu.Lock()
	t.mu.Lock()
	if !t.ended && !r.closed {
		r.tracks = append(r.tracks, t)
	}
	t.mu.Unlock()
	r.mu.Unlock()
	r.poke()
}

func (r *Room) removeTrack(t *track) {
	r.mu.Lock()
	next := make([]*track, 0, len(r.tracks))
	for _, other := range r.tracks {
		if other != t {
			next = append(next, other)
		}
	}
	r.tracks = next
	r.mu.Unlock()
	r.poke()
}

func (r *Room) remove(p *Peer) {
	r.mu.Lock()
	if r.peers[p.id] == p {
		delete(r.peers, p.id)
	}
	r.mu.Unlock()
	r.poke()
}

// Periods of the room's goroutine.
const (
	// settlePeriod batches changes into one offer per subscriber.
	settlePeriod = 20 * time.Millisecond
	// speakerPeriod bounds how often active speakers are told.
	speakerPeriod = 500 * time.Millisecond
)

// run decides who gets what, and who speaks, until the room closes.
func (r *Room) run() {
	speaking := time.NewTicker(speakerPeriod)
	defer speaking.Stop()
	for {
		select {
		case <-r.done:
			return
		case <-r.wake:
			select {
			case <-r.done:
				return
			case <-time.After(settlePeriod):
			}
			r.assign()
		case <-speaking.C:
			if r.listen() {
				r.assign()
			}
		}
	}
}
