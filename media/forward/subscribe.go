package forward

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"

	"github.com/anteroom/anteroom/media/protocol"
)

// subscriber is a member's subscribing connection. The server offers: once for all changes that came while an answer was awaited.
type subscriber struct {
	peer    *Peer
	queue   *queue
	scratch scratch
	// destinations are where the client may be reached, as it says.
	destinations *destinations

	// negotiation is held for the whole of one; mu guards the fields and is never held while pion works.
	negotiation sync.Mutex
	mu          sync.Mutex
	pc          *webrtc.PeerConnection
	wanted      []*track
	subs        map[uuid.UUID]*subscription
	// refused tracks can't be decoded by the subscriber.
	refused map[uuid.UUID]bool
	// free transceivers were negotiated inactive and can carry another track.
	free map[*webrtc.RTPTransceiver]bool
	// restart: the next offer restarts ICE. anew: there is to be one even if nothing has changed.
	restart, anew bool
	// fingerprint of the client's connection, as of its last answer.
	fingerprint string
	version     uint64
	awaiting    bool
	offeredAt   time.Time
	offer       func()
	candidates  []webrtc.ICECandidateInit
	described   bool
	// answers of ICE that round-trip times were taken from.
	answers uint64
}

// offerAgain is how long an answer may take before the offer is sent again: the message, or the client's connection, may have been lost.
const offerAgain = 10 * time.Second

func newSubscriber(p *Peer) *subscriber {
	return &subscriber{
		peer: p, queue: newQueue(p.cfg.QueuePackets), subs: map[uuid.UUID]*subscription{}, refused: map[uuid.UUID]bool{},
		free: map[*webrtc.RTPTransceiver]bool{}, destinations: newDestinations(p.room.server.allowed),
	}
}

// want replaces the tracks that the member is to get.
func (s *subscriber) want(tracks []*track) {
	s.mu.Lock()
	s.wanted = tracks
	s.mu.Unlock()
	s.peer.poke()
}

// all subscriptions.
func (s *subscriber) all() []*subscription {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*subscription, 0, len(s.subs))
	for _, sub := range s.subs {
		all = append(all, sub)
	}
	return all
}

// changes are what a new offer would change.
func (s *subscriber) changes() (add []*track, remove []*subscription) {
	s.mu.Lock()
	defer s.mu.Unlock()
	wanted := map[uuid.UUID]bool{}
	for _, t := range s.wanted {
		if t.stopped.Load() || s.refused[t.id] {
			continue
		}
		wanted[t.id] = true
		if s.subs[t.id] == nil {
			add = append(add, t)
		}
	}
	for id, sub := range s.subs {
		if !wanted[id] {
			remove = append(remove, sub)
		}
	}
	return add, remove
}

// negotiate offers what has changed, unless an answer is awaited: then the answer does.
func (s *subscriber) negotiate() error {
	s.negotiation.Lock()
	defer s.negotiation.Unlock()
	if s.peer.ctx.Err() != nil {
		return nil
	}
	add, remove := s.changes()
	// What is not wanted any more stops now, whenever the client answers.
	for _, sub := range remove {
		sub.end()
	}
	s.mu.Lock()
	pc, awaiting, restart, anew, again := s.pc, s.awaiting, s.restart, s.anew, s.offer
	late := awaiting && time.Since(s.offeredAt) > offerAgain
	if late {
		s.offeredAt = time.Now()
	}
	s.mu.Unlock()
	switch {
	case late:
		s.peer.notify.tell(again)
		return nil
	case awaiting, len(add) == 0 && len(remove) == 0 && !restart && !anew:
		return nil
	case pc == nil && len(add) == 0:
		return nil
	case pc == nil:
		var err error
		if pc, err = s.connect(); err != nil {
			return err
		}
	}
	for _, sub := range remove {
		s.remove(pc, sub)
	}
	for _, t := range add {
		if err := s.add(pc, t); err != nil {
			return fmt.Errorf("subscribe to a track: %w", err)
		}
	}
	return s.send(pc, restart)
}

func (s *subscriber) connect() (*webrtc.PeerConnection, error) {
	pc, err := s.peer.room.server.connect(SubscribeSide, nil)
	if err != nil {
		return nil, err
	}
	pc.OnConnectionStateChange(func(state webrtc.PeerConnectionState) { s.changed(pc, state) })
	s.mu.Lock()
	s.pc = pc
	s.mu.Unlock()
	return pc, nil
}

// changed follows a connection's state: a failed one is offered again with an ICE restart, one that the client closed is made anew.
func (s *subscriber) changed(pc *webrtc.PeerConnection, state webrtc.PeerConnectionState) {
	s.mu.Lock()
	current := s.pc == pc
	if current && state == webrtc.PeerConnectionStateFailed {
		s.restart = true
	}
	s.mu.Unlock()
	if !current {
		return
	}
	s.peer.connection(SubscribeSide, state)
	switch state {
	case webrtc.PeerConnectionStateFailed:
		s.peer.poke()
	case webrtc.PeerConnectionStateClosed:
		s.peer.spawn(func() { s.renew(pc) })
	default:
	}
}

// renew gives up a connection that is closed; what is wanted is offered on another.
func (s *subscriber) renew(pc *webrtc.PeerConnection) {
	s.negotiation.Lock()
	defer s.negotiation.Unlock()
	s.mu.Lock()
	if s.pc != pc {
		s.mu.Unlock()
		return
	}
	subs := s.subs
	s.pc, s.subs, s.free = nil, map[uuid.UUID]*subscription{}, map[*webrtc.RTPTransceiver]bool{}
	s.awaiting, s.described, s.restart, s.candidates, s.fingerprint = false, false, false, nil, ""
	s.mu.Unlock()
	for _, sub := range subs {
		sub.end()
		s.peer.streamEnded(sub)
	}
	_ = pc.GracefulClose()
	s.peer.poke()
}

// add makes a subscription, in a section that is free if there is one.
func (s *subscriber) add(pc *webrtc.PeerConnection, t *track) error {
	sub := newSubscription(t, s.peer, s.queue)
	s.mu.Lock()
	var reuse bool
	for free := range s.free {
		if free.Kind() == sub.Kind() {
			reuse = true
		}
	}
	s.mu.Unlock()
	if reuse {
		sender, err := pc.AddTrack(sub)
		if err != nil {
			return err
		}
		sub.sender = sender
		for _, transceiver := range pc.GetTransceivers() {
			if transceiver.Sender() == sender {
				sub.transceiver = transceiver
			}
		}
	} else {
		transceiver, err := pc.AddTransceiverFromTrack(sub, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
		if err != nil {
			return err
		}
		sub.sender, sub.transceiver = transceiver.Sender(), transceiver
	}
	s.mu.Lock()
	delete(s.free, sub.transceiver)
	s.subs[t.id] = sub
	s.mu.Unlock()
	t.subscribe(sub)
	sender := sub.sender
	s.peer.spawn(func() { sub.readReports(sender) })
	return nil
}

// remove gives up a subscription and its section.
func (s *subscriber) remove(pc *webrtc.PeerConnection, sub *subscription) {
	sub.end()
	_ = pc.RemoveTrack(sub.sender)
	s.mu.Lock()
	delete(s.subs, sub.track.id)
	s.mu.Unlock()
	s.peer.streamEnded(sub)
}

// send makes the offer and tells it.
func (s *subscriber) send(pc *webrtc.PeerConnection, restart bool) error {
	offer, err := pc.CreateOffer(&webrtc.OfferOptions{ICERestart: restart})
	if err != nil {
		return fmt.Errorf("make subscribe offer: %w", err)
	}
	gathered := webrtc.GatheringCompletePromise(pc)
	if err := pc.SetLocalDescription(offer); err != nil {
		return fmt.Errorf("set subscribe offer: %w", err)
	}
	if err := wait(s.peer.ctx, gathered); err != nil {
		return err
	}
	text := pc.LocalDescription().SDP
	s.mu.Lock()
	defer s.mu.Unlock()
	s.version++
	version := s.version
	var tracks []Subscribed
	for _, sub := range s.subs {
		tracks = append(tracks, Subscribed{Mid: sub.transceiver.Mid(), TrackID: sub.track.id, Owner: sub.track.peer.id, Kind: sub.track.kind})
	}
	events := s.peer.events
	s.offer = func() { events.SubscribeOffer(version, text, tracks) }
	s.awaiting, s.offeredAt, s.restart, s.anew = true, time.Now(), false, false
	s.peer.notify.tell(s.offer)
	return nil
}

// answer takes the client's answer.
func (s *subscriber) answer(ctx context.Context, version uint64, text string) error {
	if len(text) > protocol.MaxSDPBytes {
		return fmt.Errorf("%w: longer than %d bytes", ErrInvalidSDP, protocol.MaxSDPBytes)
	}
	var description sdp.SessionDescription
	if err := description.UnmarshalString(text); err != nil {
		return fmt.Errorf("%w: does not parse", ErrInvalidSDP)
	}
	s.negotiation.Lock()
	defer s.negotiation.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	pc := s.pc
	current := s.awaiting && version == s.version
	fingerprint := fingerprintOf(&description)
	foreign := s.described && fingerprint != s.fingerprint
	s.mu.Unlock()
	if !current {
		return nil
	}
	if foreign {
		// The client has made its connection anew. It can't be told to make it once more but by keys that don't fit it: each connection has its own.
		s.peer.spawn(func() { s.renew(pc) })
		return nil
	}
	text, err := s.destinations.describe(text)
	if err != nil {
		return err
	}
	if err := pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: text}); err != nil {
		return fmt.Errorf("%w: not accepted as an answer", ErrInvalidSDP)
	}
	s.mu.Lock()
	s.awaiting, s.described, s.fingerprint = false, true, fingerprint
	waiting := s.candidates
	s.candidates = nil
	for _, transceiver := range pc.GetTransceivers() {
		if transceiver.Sender() == nil {
			s.free[transceiver] = true
		}
	}
	s.mu.Unlock()
	for _, c := range waiting {
		_ = s.destinations.add(pc, c)
	}
	s.refuse(&description)
	s.peer.poke()
	return nil
}

// fingerprintOf is that of the key of a description's connection; "" for none.
func fingerprintOf(description *sdp.SessionDescription) string {
	const key = "fingerprint"
	if value, ok := description.Attribute(key); ok {
		return value
	}
	for _, m := range description.MediaDescriptions {
		if value, ok := m.Attribute(key); ok {
			return value
		}
	}
	return ""
}

// refuse gives up what the client did not accept: it can't decode it.
func (s *subscriber) refuse(answer *sdp.SessionDescription) {
	sections := map[string]*sdp.MediaDescription{}
	for _, m := range answer.MediaDescriptions {
		mid, _ := m.Attribute(sdp.AttrKeyMID)
		sections[mid] = m
	}
	for _, sub := range s.all() {
		m := sections[sub.transceiver.Mid()]
		codec := sub.track.codec.Load()
		if m == nil || codec == nil || (m.MediaName.Port.Value != 0 && hasCodec(m, codec)) {
			continue
		}
		s.mu.Lock()
		s.refused[sub.track.id] = true
		s.mu.Unlock()
		s.peer.diagnose("codecNotSupported", "True", lane(sub.track.kind))
	}
}

// candidate adds one, or keeps it until there is an answer.
func (s *subscriber) candidate(c webrtc.ICECandidateInit) error {
	s.mu.Lock()
	pc := s.pc
	if !s.described {
		defer s.mu.Unlock()
		if len(s.candidates) >= maxCandidates {
			return fmt.Errorf("%w: too many candidates before an answer", ErrInvalidSDP)
		}
		s.candidates = append(s.candidates, c)
		return nil
	}
	s.mu.Unlock()
	return s.destinations.add(pc, c)
}

// close ends all subscriptions and the connection.
func (s *subscriber) close() {
	s.queue.close()
	for _, sub := range s.all() {
		sub.end()
		s.peer.streamEnded(sub)
	}
	s.negotiation.Lock()
	defer s.negotiation.Unlock()
	s.mu.Lock()
	pc := s.pc
	s.pc, s.subs, s.awaiting, s.described = nil, map[uuid.UUID]*subscription{}, false, false
	s.mu.Unlock()
	if pc != nil {
		_ = pc.GracefulClose()
	}
}
