package webrtcstats

import (
	"cmp"
	"encoding/hex"
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/ingest/decode"
	"github.com/anteroom/anteroom/ingest/label"
)

// ErrNoStatistics is returned for a file without any statistics.
var ErrNoStatistics = errors.New("no statistics in this file: it has no getStats entry of a peer connection")

// Call gathers what a dump says and makes its events. One file is one call as one participant's client saw it.
type Call struct {
	opt    decode.Options
	source string
	kind   eventpb.SourceKind

	id          string
	participant []byte
	userID      string
	userName    string
	client      label.Client

	start, end float64 // of everything that belongs to a peer connection, ms
	snapshots  int
	samples    int
	readings   int
	sfu, p2p   bool

	peers        map[string]*peerState
	streams      map[streamKey]*stream
	order        []*stream
	screenSSRC   map[uint32]bool
	screenTracks map[string]bool
	notes        []note
	ranges       map[string][]byte // open diagnostics by name and scope: their operation ids
	ranged       int
	asked        Devices
	live         live
	// most streams; MaxStreams for a file.
	most int
}

// peerState is what is remembered of a peer connection.
type peerState struct {
	created           float64
	statsAt           float64 // last statistics, by the shifted clock
	statsRaw          float64 // the same as written
	offset            float64
	iceSeen, connSeen bool
	state             string // last ICE or connection state
}

// note is an event of the timeline before it has an envelope.
type note struct {
	at      float64
	pc      string
	payload *eventpb.Event
}

// NewCall starts a call whose source is the digest of the file.
func NewCall(opt decode.Options, source string, kind eventpb.SourceKind) *Call {
	c := &Call{
		opt: opt, source: source, kind: kind,
		peers: map[string]*peerState{}, streams: map[streamKey]*stream{},
		screenSSRC: map[uint32]bool{}, screenTracks: map[string]bool{}, ranges: map[string][]byte{}, most: MaxStreams,
	}
	c.id = uuid.UUID(opt.Pseudonyms.ID(label.Call, "", source)).String()
	c.participant = opt.Pseudonyms.ID(label.Participant, c.id, "recorder")
	return c
}

// Client says which browser recorded the file.
func (c *Call) Client(userAgent string) {
	if reduced := label.ReduceUserAgent(userAgent); reduced.Family != "" {
		c.client = reduced
	}
}

// Identity is who the recording application said its user is. It is kept only where the importer vouches for an org user.
// A device is nobody: its id must not be handed over as a user's.
func (c *Call) Identity(userID, displayName string) {
	if userID = told(userID); userID != "" {
		c.userID = userID
	}
	if displayName = told(displayName); displayName != "" {
		c.userName = displayName
	}
}

// told is a text without blanks around it, or "" where it only stands in for what recorders took out or never knew.
func told(s string) string {
	s = strings.TrimSpace(s)
	switch strings.ToLower(s) {
	case "scrubbed", "redacted", "null", "undefined", "none":
		return ""
	}
	return s
}

// Topology says whether a peer connection goes to another client or to a server.
func (c *Call) Topology(p2p bool) { c.p2p, c.sfu = c.p2p || p2p, c.sfu || !p2p }

func (c *Call) touch(at float64) {
	if c.start == 0 || at < c.start {
		c.start = at
	}
	c.end = max(c.end, at)
}

func (c *Call) peer(pc string) (*peerState, error) {
	p := c.peers[pc]
	if p == nil {
		if len(c.peers) >= MaxPeers {
			return nil, ErrTooManyPeers
		}
		p = new(peerState)
		c.peers[pc] = p
	}
	return p, nil
}

// Happened notes that something belonging to a peer connection took place, which widens the call's time.
func (c *Call) Happened(at float64) error {
	if !ValidMs(at) {
		return ErrTime
	}
	c.touch(at)
	return nil
}

// Created notes that a peer connection was made.
func (c *Call) Created(pc string, at float64) error {
	p, err := c.peer(pc)
	if err != nil {
		return err
	}
	p.created = at
	return c.Happened(at)
}

// Result makes the events of the call, in the order of their times, and sequence numbers from 1.
func (c *Call) Result() (*decode.Result, error) {
	if c.snapshots == 0 {
		return nil, ErrNoStatistics
	}
	c.finishStates()
	for _, s := range c.order {
		s.settle()
	}
	var body []note
	body = append(body, c.reports()...)
	body = append(body, c.notes...)
	for _, s := range c.order {
		body = append(body, c.summaryOf(s))
	}
	slices.SortStableFunc(body, func(a, b note) int { return cmp.Compare(a.at, b.at) })
	return &decode.Result{Calls: []string{c.id}, Events: c.number(slices.Concat(c.opening(), body, c.closing("")))}, nil
}

// summaryOf makes the event of a stream's summary.
func (c *Call) summaryOf(s *stream) note {
	end := s.summary()
	end.ParticipantId, end.StreamId, end.Media = c.participant, c.streamID(s), s.media()
	return note{at: s.last, payload: &eventpb.Event{Payload: &eventpb.Event_StreamEnded{StreamEnded: end}}}
}

func (c *Call) opening() []note {
	kind := eventpb.CallKind_CALL_KIND_UNSPECIFIED
	switch {
	case c.sfu:
		kind = eventpb.CallKind_CALL_KIND_GROUP
	case c.p2p:
		kind = eventpb.CallKind_CALL_KIND_P2P
	}
	identity := &eventpb.Identity{Kind: eventpb.Identity_KIND_GUEST}
	if c.opt.OrgUser {
		identity = &eventpb.Identity{Kind: eventpb.Identity_KIND_ORG_USER, UserId: c.userID, DisplayName: c.userName}
	}
	endpoint := "unknown"
	if c.client.Family != "" {
		endpoint = "browser"
	}
	us := microseconds(c.start)
	return []note{
		{at: c.start, payload: &eventpb.Event{Payload: &eventpb.Event_CallStarted{
			CallStarted: &eventpb.CallStarted{StartedAtUs: us, Kind: kind},
		}}},
		{at: c.start, payload: &eventpb.Event{Payload: &eventpb.Event_ParticipantJoined{
			ParticipantJoined: &eventpb.ParticipantJoined{
				ParticipantId: c.participant, JoinedAtUs: us, Identity: identity, EndpointType: endpoint,
				ClientFamily: c.client.Family, ClientVersion: c.client.Version, OsFamily: c.client.OS,
			},
		}}},
	}
}

func (c *Call) closing(why string) []note {
	us := microseconds(c.end)
	left := &eventpb.ParticipantLeft{ParticipantId: c.participant, LeftAtUs: us}
	if c.endedUnexpectedly() {
		left.ResultCategory = unexpectedError
	}
	return []note{
		{at: c.end, payload: &eventpb.Event{Payload: &eventpb.Event_ParticipantLeft{ParticipantLeft: left}}},
		{at: c.end, payload: &eventpb.Event{Payload: &eventpb.Event_CallEnded{CallEnded: &eventpb.CallEnded{EndedAtUs: us, Reason: why}}}},
	}
}

// endedUnexpectedly: every peer connection that carried streams ended in the state failed.
func (c *Call) endedUnexpectedly() bool {
	carried := false
	for _, s := range c.order {
		if packets, _ := s.total.get(cPackets); packets > 0 {
			if c.peers[s.key.pc].state != stateFailed {
				return false
			}
			carried = true
		}
	}
	return carried
}

// reports makes one report per interval of all streams that were read in it. Where nothing was read for a while, the next
// interval reaches back to the end of the last.
func (c *Call) reports() []note {
	byWindow := map[int64][]*eventpb.StreamSample{}
	var first, last float64
	for _, s := range c.order {
		id, media := c.streamID(s), s.media()
		for i := range s.windows {
			w := &s.windows[i]
			if w.counters.have == 0 && w.gauges.covered == 0 {
				continue
			}
			out := s.sampleOf(w)
			out.StreamId, out.Media = id, media
			byWindow[w.index] = append(byWindow[w.index], out)
		}
		if first == 0 || s.first < first {
			first = s.first
		}
		last = max(last, s.last)
	}
	indexes := make([]int64, 0, len(byWindow))
	for i := range byWindow {
		indexes = append(indexes, i)
	}
	slices.Sort(indexes)
	var out []note
	begin := min(first, max(c.start, first-freshMs))
	if c.live.reported > 0 {
		begin = c.live.reported
	}
	for _, i := range indexes {
		end := min(float64(i+1)*WindowMs, last)
		interval := min(max(math.Round(end-begin), 1), math.MaxUint32)
		if c.live.reported == 0 {
			interval = min(interval, WindowMs)
		}
		report := &eventpb.StreamReport{
			ParticipantId: c.participant, IntervalMs: uint32(interval), Streams: byWindow[i],
		}
		out = append(out, note{at: end, payload: &eventpb.Event{Payload: &eventpb.Event_StreamReport{StreamReport: report}}})
		begin, c.live.reported = end, max(end, c.live.reported)
	}
	return out
}

func (c *Call) streamID(s *stream) []byte {
	k := s.key
	discriminator := strconv.FormatUint(uint64(k.ssrc), 10)
	if k.discriminator != "" {
		discriminator = "id:" + k.discriminator
	}
	return c.opt.Pseudonyms.ID(label.Stream, c.id, hex.EncodeToString(c.participant), k.pc, k.kind, k.direction.String(), discriminator)
}

func (s *stream) media() eventpb.Media {
	switch {
	case s.screen:
		return eventpb.Media_MEDIA_SCREEN
	case s.key.kind == kindAudio:
		return eventpb.Media_MEDIA_AUDIO
	case s.key.kind == kindVideo:
		return eventpb.Media_MEDIA_VIDEO
	}
	return eventpb.Media_MEDIA_UNSPECIFIED
}
