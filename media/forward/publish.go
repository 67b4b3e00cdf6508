package forward

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"
)

// publisher is a member's publishing connection. The client offers.
type publisher struct {
	peer         *Peer
	clock        clock
	destinations *destinations

	// negotiation is held for the whole of one; mu guards the fields and is never held while pion works.
	negotiation sync.Mutex
	mu          sync.Mutex
	pc          *webrtc.PeerConnection
	// session of the client's offers; another one is another connection.
	session    string
	sections   map[string]*section
	candidates []webrtc.ICECandidateInit
	described  bool
	// answers of ICE that round-trip times were taken from.
	answers uint64
	// arrivals of what comes over pc.
	arrivals *arrivals
}

// maxCandidates waiting for a description.
const maxCandidates = 64

// gatherTimeout bounds the wait for the server's own candidates: they are known at once, the sockets are open.
const gatherTimeout = 2 * time.Second

func newPublisher(p *Peer) *publisher {
	return &publisher{peer: p, destinations: newDestinations(p.room.server.allowed), sections: map[string]*section{}}
}

// offer answers the client's offer and says which tracks are published where.
func (p *publisher) offer(ctx context.Context, text string, intents []Intent) (string, map[string]uuid.UUID, error) {
	session, sections, err := readOffer(text)
	if err != nil {
		return "", nil, err
	}
	byMid, err := readIntents(intents, sections)
	if err != nil {
		return "", nil, err
	}
	p.negotiation.Lock()
	defer p.negotiation.Unlock()
	if err := p.room(sections, byMid); err != nil {
		return "", nil, err
	}
	pc, err := p.connection(session)
	if err != nil {
		return "", nil, err
	}
	p.place(sections)
	p.peer.poke()
	if text, err = p.destinations.describe(text); err != nil {
		return "", nil, err
	}
	text, kept, err := p.keepLayers(text, sections)
	if err != nil {
		return "", nil, err
	}
	if err := pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: text}); err != nil {
		return "", nil, fmt.Errorf("%w: not accepted as an offer", ErrInvalidSDP)
	}
	p.queued(pc)
	answer, err := pc.CreateAnswer(nil)
	if err != nil {
		return "", nil, fmt.Errorf("%w: has no answer", ErrInvalidSDP)
	}
	gathered := webrtc.GatheringCompletePromise(pc)
	if err := pc.SetLocalDescription(answer); err != nil {
		return "", nil, fmt.Errorf("answer publishing offer: %w", err)
	}
	if err := wait(ctx, gathered); err != nil {
		return "", nil, fmt.Errorf("gather candidates: %w", err)
	}
	text, err = answerInactive(pc.LocalDescription().SDP, kept)
	if err != nil {
		return "", nil, err
	}
	return text, p.settle(sections, byMid), nil
}

// wait for the server's candidates; without all of them the others still work.
func wait(ctx context.Context, gathered <-chan struct{}) error {
	timer := time.NewTimer(gatherTimeout)
	defer timer.Stop()
	select {
	case <-gathered:
	case <-timer.C:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return nil
}

// room refuses more tracks than one member may publish.
func (p *publisher) room(sections []offered, intents map[string]Intent) error {
	n := 0
	for _, s := range sections {
		if _, ok := intents[s.mid]; ok && s.sends {
			n++
		}
	}
	if n > p.peer.cfg.MaxTracks {
		return fmt.Errorf("%w: more than %d at once", ErrTooManyTracks, p.peer.cfg.MaxTracks)
	}
	return nil
}

// connection is that of the session, made if it is a new one: a client that was loaded again has another.
func (p *publisher) connection(session string) (*webrtc.PeerConnection, error) {
	p.mu.Lock()
	pc := p.pc
	same := pc != nil && p.session == session
	p.mu.Unlock()
	if same {
		return pc, nil
	}
	if pc != nil {
		p.close("unpublished")
	}
	arrivals := newArrivals()
	pc, err := p.peer.room.server.connect(PublishSide, p.buffer, arrivals)
	if err != nil {
		return nil, err
	}
	pc.OnTrack(func(remote *webrtc.TrackRemote, receiver *webrtc.RTPReceiver) { p.took(pc, remote, receiver) })
	pc.OnConnectionStateChange(func(state webrtc.PeerConnectionState) {
		p.mu.Lock()
		current := p.pc == pc
		p.mu.Unlock()
		if current {
			p.peer.connection(PublishSide, state)
		}
	})
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.peer.isClosing() {
		go func() { _ = pc.Close() }()
		return nil, errClosed
	}
	p.pc, p.session, p.described, p.arrivals = pc, session, false, arrivals
	return pc, nil
}

// place makes the sections, so that a packet that comes before the answer has one.
func (p *publisher) place(sections []offered) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range sections {
		if p.sections[s.mid] != nil {
			continue
		}
		p.sections[s.mid] = &section{publisher: p, mid: s.mid, audio: s.media == "audio"}
	}
}

// settle ends the tracks whose sections don't send any more, and makes those that are new and allowed.
func (p *publisher) settle(sections []offered, intents map[string]Intent) map[string]uuid.UUID {
	published := map[string]uuid.UUID{}
	for _, o := range sections {
		p.mu.Lock()
		s := p.sections[o.mid]
		p.mu.Unlock()
		t := s.track.Load()
		intent, wanted := intents[o.mid]
		if t != nil && (!o.sends || (wanted && intent.Kind != t.kind)) {
			p.peer.endTrack(t, "unpublished")
			t = nil
		}
		if t == nil && o.sends && wanted && p.peer.maySend(intent.Kind) {
			t = p.begin(s, intent)
		}
		if t != nil {
			published[o.mid] = t.id
		}
	}
	return published
}

// begin publishes a track at a section; nil if the member may not any more.
func (p *publisher) begin(s *section, intent Intent) *track {
	t := newTrack(s, intent.Kind, intent.Muted)
	s.track.Store(t)
	// AllowSend may have looked for tracks to stop before this one was there; what it allows was set before it looked.
	if !p.peer.maySend(intent.Kind) {
		p.peer.endTrack(t, "stopped")
		return nil
	}
	// What the layer's decoder needs may have come before the track was there.
	for _, l := range s.list() {
		if !s.audio {
			l.needKey()
		}
	}
	return t
}

// took begins to read a layer.
func (p *publisher) took(pc *webrtc.PeerConnection, remote *webrtc.TrackRemote, receiver *webrtc.RTPReceiver) {
	transceiver := receiver.RTPTransceiver()
	if transceiver == nil {
		return
	}
	p.mu.Lock()
	s := p.sections[transceiver.Mid()]
	known := s != nil && p.pc == pc
	p.mu.Unlock()
	if !known {
		return
	}
	l := newLayer(s, remote, receiver)
	s.add(l)
	p.peer.spawn(l.read)
}

// candidate adds one, or keeps it until there is a description.
func (p *publisher) candidate(c webrtc.ICECandidateInit) error {
	p.mu.Lock()
	pc := p.pc
	if !p.described {
		defer p.mu.Unlock()
		if len(p.candidates) >= maxCandidates {
			return fmt.Errorf("%w: too many candidates before an offer", ErrInvalidSDP)
		}
		p.candidates = append(p.candidates, c)
		return nil
	}
	p.mu.Unlock()
	return p.destinations.add(pc, c)
}

// queued adds what came before the description. One that can't be read is left out: the others may do.
func (p *publisher) queued(pc *webrtc.PeerConnection) {
	p.mu.Lock()
	p.described = true
	waiting := p.candidates
	p.candidates = nil
	p.mu.Unlock()
	for _, c := range waiting {
		_ = p.destinations.add(pc, c)
	}
}

// busy: there is a connection.
func (p *publisher) busy() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.pc != nil
}

// all sections.
func (p *publisher) all() []*section {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := make([]*section, 0, len(p.sections))
	for s := range maps.Values(p.sections) {
		all = append(all, s)
	}
	return all
}

// write sends RTCP to the publisher; if there is no connection (any more) nobody needs it.
func (p *publisher) write(packets ...rtcp.Packet) {
	p.mu.Lock()
	pc := p.pc
	p.mu.Unlock()
	if pc != nil {
		_ = pc.WriteRTCP(packets)
	}
}

// sendFeedback tells the publisher when its packets arrived, for its congestion control.
func (p *publisher) sendFeedback() {
	p.mu.Lock()
	arrivals := p.arrivals
	p.mu.Unlock()
	if arrivals == nil {
		return
	}
	if packets := arrivals.feedback(); len(packets) > 0 {
		p.write(packets...)
	}
}

// close ends all tracks and the connection.
func (p *publisher) close(reason string) {
	for _, s := range p.all() {
		if t := s.track.Load(); t != nil {
			p.peer.endTrack(t, reason)
		}
	}
	p.mu.Lock()
	pc := p.pc
	p.pc, p.described, p.sections, p.candidates, p.arrivals = nil, false, map[string]*section{}, nil, nil
	p.mu.Unlock()
	if pc != nil {
		_ = pc.GracefulClose()
	}
}
