package meeting

import (
	"context"
	"errors"
	"slices"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/media/forward"
	"github.com/anteroom/anteroom/media/protocol"
	"github.com/anteroom/anteroom/policy"
)

// Bounds of what one request about media may name.
const (
	maxIntents       = 32
	maxReceiveTracks = 2000
	maxCandidate     = 4096
)

// allowed is what of a member's media may flow.
type allowed struct{ audio, video, screen, receive bool }

// syncMedia makes the peer do what is allowed now: it makes the peer of somebody who has just come in, stops what was withdrawn, and taps what
// may be taken. Whatever order these calls come in, the last one leaves what holds.
func (mb *Member) syncMedia() {
	mb.mediaMu.Lock()
	defer mb.mediaMu.Unlock()
	m := mb.m
	m.mu.Lock()
	may := allowed{mb.may(policy.UnmuteMic), mb.may(policy.TurnVideoOn), mb.may(policy.ShareScreen), mb.may(policy.ReceiveMedia)}
	in, ready := mb.in(), mb.ready
	tappable := mb.tappable()
	m.mu.Unlock()
	if !in || mb.over || m.room == nil {
		return
	}
	if mb.peer == nil {
		if !ready {
			return
		}
		peer, err := m.room.Join(mb.id, peerEvents{mb})
		if err != nil {
			m.log.WarnContext(m.ctx, "a participant gets no media", "participant_id", mb.id.String(), "error", err)
			return
		}
		mb.peer = peer
	}
	mb.peer.AllowSend(may.audio, may.video, may.screen)
	mb.peer.AllowReceive(may.receive)
	for _, c := range tappable {
		if mb.taps[c] == nil {
			if tap := c.tap(mb.id); tap != nil {
				mb.taps[c] = mb.peer.Tap(tap)
			}
		}
	}
}

// tappable are what may take this member's media: what it is recorded to have been told of. m.mu is held.
func (mb *Member) tappable() []*capture {
	var list []*capture
	for _, c := range mb.m.captures {
		if c.notice == nil || c.stopping {
			continue
		}
		if s := mb.notices[c.notice.id]; s != nil && s.recorded {
			list = append(list, c)
		}
	}
	return list
}

// untap stops one capture's tap.
func (mb *Member) untap(c *capture) {
	mb.mediaMu.Lock()
	defer mb.mediaMu.Unlock()
	if stop := mb.taps[c]; stop != nil {
		stop()
		delete(mb.taps, c)
	}
}

// closeMedia ends the peer for good; its last events have come when it returns.
func (mb *Member) closeMedia() {
	mb.mediaMu.Lock()
	defer mb.mediaMu.Unlock()
	for c, stop := range mb.taps {
		stop()
		delete(mb.taps, c)
	}
	if mb.peer != nil {
		mb.peer.Close()
		mb.peer = nil
	}
	mb.over = true
}

// livePeer is the peer of somebody who is in.
func (mb *Member) livePeer() (*forward.Peer, error) {
	mb.mediaMu.Lock()
	peer := mb.peer
	mb.mediaMu.Unlock()
	if peer == nil {
		mb.syncMedia()
		mb.mediaMu.Lock()
		peer = mb.peer
		mb.mediaMu.Unlock()
	}
	if peer != nil {
		return peer, nil
	}
	mb.m.lock()
	defer mb.m.unlock()
	if err := mb.mustBeIn(); err != nil {
		return nil, err
	}
	return nil, refusal(protocol.ReasonInternal)
}

func (mb *Member) publish(ctx context.Context, b protocol.Publish) (any, error) {
	if err := checkSDP(b.SDP); err != nil {
		return nil, err
	}
	intents, err := mb.mayPublish(b.Tracks)
	if err != nil {
		return nil, err
	}
	peer, err := mb.livePeer()
	if err != nil {
		return nil, err
	}
	answer, ids, err := peer.Publish(ctx, b.SDP, intents)
	if err != nil {
		return nil, mb.mediaError(ctx, "publish", err)
	}
	out := protocol.Published{SDP: answer, Tracks: make(map[string]string, len(ids))}
	for mid, id := range ids {
		out.Tracks[mid] = id.String()
	}
	return out, nil
}

// sent are the tracks that the member publishes now. Only forward knows: a section may go on sending without having been named again. m.mu is
// not held.
func (mb *Member) sent() []forward.Track {
	mb.mediaMu.Lock()
	defer mb.mediaMu.Unlock()
	if mb.peer == nil {
		return nil
	}
	return mb.peer.Tracks()
}

// mayPublish asks for each kind that the client wants to publish.
func (mb *Member) mayPublish(wanted []protocol.TrackIntent) ([]forward.Intent, error) {
	if len(wanted) > maxIntents {
		return nil, refusal(protocol.ReasonTooManyTracks)
	}
	mb.m.lock()
	defer mb.m.unlock()
	asked := map[forward.Kind]bool{}
	intents := make([]forward.Intent, len(wanted))
	for i, t := range wanted {
		kind := forward.Kind(t.Kind)
		if kind != forward.Audio && kind != forward.Video && kind != forward.Screen {
			return nil, invalid("tracks.kind", "Say audio, video or screen.")
		}
		if !asked[kind] {
			asked[kind] = true
			if err := mb.useLocked(capabilityOf(kind)); err != nil {
				return nil, err
			}
		}
		intents[i] = forward.Intent{Mid: t.Mid, Kind: kind, Muted: t.Muted}
	}
	return intents, mb.mustBeIn()
}

func checkSDP(sdp string) error {
	if len(sdp) > protocol.MaxSDPBytes {
		return &protocol.Error{Reason: protocol.ReasonTooLarge, Field: "sdp", Message: "A session description has at most 200 KiB."}
	}
	if sdp == "" {
		return &protocol.Error{Reason: protocol.ReasonInvalidSDP, Field: "sdp", Message: text(protocol.ReasonInvalidSDP)}
	}
	return nil
}

// mediaError is what the client is told of an error of forward.
func (mb *Member) mediaError(ctx context.Context, action string, err error) error {
	switch {
	case errors.Is(err, forward.ErrTooManyTracks):
		return refusal(protocol.ReasonTooManyTracks)
	case errors.Is(err, forward.ErrInvalidSDP):
		return &protocol.Error{Reason: protocol.ReasonInvalidSDP, Field: "sdp", Message: text(protocol.ReasonInvalidSDP)}
	case ctx.Err() != nil:
		return ctx.Err() //nolint:wrapcheck // of the request
	}
	mb.m.lock()
	defer mb.m.unlock()
	if gone := mb.mustBeIn(); gone != nil {
		return gone
	}
	mb.m.log.WarnContext(ctx, "a request about media failed", "action", action, "participant_id", mb.id.String(), "error", err)
	return refusal(protocol.ReasonInternal)
}

func (mb *Member) answer(ctx context.Context, b protocol.SubscribeAnswer) error {
	if err := checkSDP(b.SDP); err != nil {
		return err
	}
	// The offer holds what is allowed and no more; one that takes away all that was received has to be answered, too.
	mb.m.lock()
	err := mb.mustBeIn()
	mb.m.unlock()
	if err != nil {
		return err
	}
	peer, err := mb.livePeer()
	if err != nil {
		return err
	}
	if err := peer.Answer(ctx, b.Version, b.SDP); err != nil {
		return mb.mediaError(ctx, "answer", err)
	}
	mb.m.lock()
	defer mb.m.unlock()
	if mb.offer != nil && mb.offer.Version <= b.Version {
		mb.offer = nil
	}
	return nil
}

func (mb *Member) candidate(b protocol.Candidate) error {
	side := forward.Side(b.Peer)
	if side != forward.PublishSide && side != forward.SubscribeSide {
		return invalid("peer", "Say publish or subscribe.")
	}
	if len(b.Candidate) > maxCandidate {
		return invalid("candidate", "A candidate has at most 4096 bytes.")
	}
	mb.m.lock()
	err := mb.mustBeIn()
	mb.m.unlock()
	if err != nil {
		return err
	}
	peer, err := mb.livePeer()
	if err != nil {
		return err
	}
	c := forward.Candidate{Candidate: b.Candidate, SDPMid: b.SDPMid, SDPMLineIndex: b.SDPMLineIndex}
	if err := peer.AddCandidate(side, c); err != nil {
		return invalid("candidate", "The candidate can't be read.")
	}
	return nil
}

// setTrack mutes or unmutes one of the member's own tracks; to unmute is to send, and asked for as such.
func (mb *Member) setTrack(b protocol.SetTrack) error {
	id, err := parseID("track_id", b.TrackID)
	if err != nil {
		return err
	}
	track, ok := find(mb.sent(), id)
	m := mb.m
	m.lock()
	switch {
	case mb.mustBeIn() != nil:
		err = mb.mustBeIn()
	case !ok:
		err = &protocol.Error{Reason: protocol.ReasonNotFound, Field: "track_id", Message: "You publish no such track."}
	case !b.Muted:
		err = mb.useLocked(capabilityOf(track.Kind))
	}
	m.unlock()
	if err != nil {
		return err
	}
	return mb.mute(track, b.Muted, nil)
}

func find(tracks []forward.Track, id uuid.UUID) (forward.Track, bool) {
	i := slices.IndexFunc(tracks, func(t forward.Track) bool { return t.ID == id })
	if i < 0 {
		return forward.Track{}, false
	}
	return tracks[i], true
}

// mute sets a track of this member muted or not, and tells the others; by: another member did it.
func (mb *Member) mute(track forward.Track, muted bool, by *Member) error {
	peer, err := mb.livePeer()
	if err != nil {
		return err
	}
	if !peer.SetMuted(track.ID, muted) {
		return refusal(protocol.ReasonNotFound)
	}
	m := mb.m
	m.lock()
	defer m.unlock()
	if i := mb.track(track.ID); i >= 0 {
		mb.tracks[i].Muted = muted
	}
	name := "Unmute"
	if muted {
		name = "Mute"
	}
	m.operationOn(mb, name, laneOf(track.Kind), "stream_type", string(track.Kind), "by", whoMuted(by))
	if by != nil {
		mb.send(protocol.TypeMuted, protocol.Muted{TrackID: track.ID.String(), By: by.id.String()})
	}
	m.tellUpdated(mb)
	return nil
}

func whoMuted(by *Member) string {
	if by == nil {
		return "self"
	}
	return by.kind()
}

// muteOther mutes all of another participant's sound. Only that participant can unmute it.
func (mb *Member) muteOther(participant string) error {
	if err := mb.use(policy.MuteOthers); err != nil {
		return err
	}
	id, err := parseID("participant_id", participant)
	if err != nil {
		return err
	}
	m := mb.m
	m.lock()
	other := m.members[id]
	if other == nil || !other.in() {
		err = refusal(protocol.ReasonNotFound)
	}
	m.unlock()
	if err != nil {
		return err
	}
	for _, track := range other.sent() {
		if track.Kind != forward.Audio {
			continue
		}
		if err := other.mute(track, true, mb); err != nil && reasonOf(err) != protocol.ReasonNotFound {
			return err
		}
	}
	return nil
}

func (mb *Member) receive(b protocol.Receive) error {
	if len(b.Tracks) > maxReceiveTracks {
		return invalid("tracks", "Name at most 2000 tracks.")
	}
	wants := make([]forward.Want, len(b.Tracks))
	for i, t := range b.Tracks {
		id, err := parseID("tracks.track_id", t.TrackID)
		if err != nil {
			return err
		}
		if t.MaxHeight < 0 || t.MaxHeight > 16384 {
			return invalid("tracks.max_height", "Give a height of 0 to 16384 pixels.")
		}
		wants[i] = forward.Want{TrackID: id, MaxHeight: t.MaxHeight}
	}
	if err := mb.use(policy.ReceiveMedia); err != nil {
		return err
	}
	peer, err := mb.livePeer()
	if err != nil {
		return err
	}
	peer.Want(wants)
	return nil
}
