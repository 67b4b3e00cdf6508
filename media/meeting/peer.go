package meeting

import (
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/media/forward"
	"github.com/anteroom/anteroom/media/protocol"
	"github.com/anteroom/anteroom/policy"
)

// peerEvents is what a member's peer tells. It takes the meeting's lock only, and waits for nothing else: the peer may be closing.
type peerEvents struct{ mb *Member }

// SubscribeOffer is kept until it is answered, since the connection that takes it may be lost.
func (p peerEvents) SubscribeOffer(version uint64, sdp string, tracks []forward.Subscribed) {
	offer := protocol.SubscribeOffer{Version: version, SDP: sdp, Tracks: make([]protocol.SubscribedTrack, len(tracks))}
	for i, t := range tracks {
		offer.Tracks[i] = protocol.SubscribedTrack{Mid: t.Mid, TrackID: t.TrackID.String(), ParticipantID: t.Owner.String(), Kind: string(t.Kind)}
	}
	p.mb.m.lock()
	defer p.mb.m.unlockCallback()
	if p.mb.in() {
		p.mb.offer = &offer
		p.mb.send(protocol.TypeSubscribeOffer, offer)
	}
}

// Candidate is passed on.
func (p peerEvents) Candidate(side forward.Side, c forward.Candidate) {
	p.mb.m.lock()
	defer p.mb.m.unlockCallback()
	if p.mb.in() {
		p.mb.send(protocol.TypeCandidate, protocol.Candidate{
			Peer: string(side), Candidate: c.Candidate, SDPMid: c.SDPMid, SDPMLineIndex: c.SDPMLineIndex,
		})
	}
}

// TrackStarted puts the track into the roster.
func (p peerEvents) TrackStarted(t forward.Track) {
	mb, m := p.mb, p.mb.m
	m.lock()
	defer m.unlockCallback()
	if !mb.in() {
		return
	}
	if i := mb.track(t.ID); i >= 0 {
		mb.tracks[i] = t
	} else {
		mb.tracks = append(mb.tracks, t)
	}
	m.operationOn(mb, startName(t.Kind), laneOf(t.Kind), "stream_type", string(t.Kind))
	m.tellUpdated(mb)
	mb.interopShare(t)
}

// TrackEnded takes it out again; its owner is told when it was stopped against its will.
func (p peerEvents) TrackEnded(t forward.Track, reason string) {
	mb, m := p.mb, p.mb.m
	m.lock()
	defer m.unlockCallback()
	i := mb.track(t.ID)
	if i >= 0 {
		mb.tracks = slices.Delete(mb.tracks, i, i+1)
	}
	delete(mb.interop, t.ID)
	m.operationOn(mb, stopName(t.Kind), laneOf(t.Kind), "stream_type", string(t.Kind), "reason", reason)
	if !mb.in() {
		return
	}
	if reason == "stopped" {
		why := string(mb.grants.grants[capabilityOf(t.Kind)].Reason)
		mb.send(protocol.TypeTrackStopped, protocol.TrackStopped{TrackID: t.ID.String(), Kind: string(t.Kind), Reason: why})
	}
	if i >= 0 {
		m.tellUpdated(mb)
	}
}

// ConnectionChanged is an operation on the call's timeline.
func (p peerEvents) ConnectionChanged(side forward.Side, state string) {
	p.mb.m.operationOn(p.mb, "MediaConnection", eventpb.Lane_LANE_NETWORK, "side", string(side), "new_state", state)
}

// Report may be lost: media never waits.
func (p peerEvents) Report(interval time.Duration, streams []*eventpb.StreamSample) {
	e := p.mb.m.event(time.Now())
	e.Payload = &eventpb.Event_StreamReport{StreamReport: &eventpb.StreamReport{
		ParticipantId: p.mb.id[:], IntervalMs: uint32(interval.Milliseconds()), Streams: streams, //nolint:gosec // seconds
	}}
	p.mb.m.deps.Recorder.Offer(e)
}

// StreamEnded is kept until Kafka has it.
func (p peerEvents) StreamEnded(s *eventpb.StreamEnded) {
	s.ParticipantId = p.mb.id[:]
	e := p.mb.m.event(time.Now())
	e.Payload = &eventpb.Event_StreamEnded{StreamEnded: s}
	p.mb.m.outbox.add(e)
}

// Diagnostic is what the server noticed.
func (p peerEvents) Diagnostic(name, value string, lane eventpb.Lane) {
	p.mb.m.diagnostic(p.mb, name, value, lane)
}

// track is the place of a track, -1 for none. The lock is held.
func (mb *Member) track(id uuid.UUID) int {
	return slices.IndexFunc(mb.tracks, func(t forward.Track) bool { return t.ID == id })
}

func startName(k forward.Kind) string {
	switch k {
	case forward.Audio:
		return "StartAudio"
	case forward.Screen:
		return "StartScreenShare"
	default:
		return "StartVideo"
	}
}

func stopName(k forward.Kind) string {
	switch k {
	case forward.Audio:
		return "StopAudio"
	case forward.Screen:
		return "StopScreenShare"
	default:
		return "StopVideo"
	}
}

// roomEvents is what the room tells.
type roomEvents struct{ m *Meeting }

// ActiveSpeakers goes to everybody who may hear them.
func (r roomEvents) ActiveSpeakers(owners []uuid.UUID) {
	ids := make([]string, len(owners))
	for i, id := range owners {
		ids[i] = id.String()
	}
	r.m.lock()
	defer r.m.unlockCallback()
	for _, mb := range r.m.admitted {
		if mb.may(policy.ReceiveMedia) {
			mb.send(protocol.TypeActiveSpeakers, protocol.ActiveSpeakers{ParticipantIDs: ids})
		}
	}
}
