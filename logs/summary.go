package logs

import (
	"math"
	"strings"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/store"
)

// Types of endpoints in the log.
const (
	anonymous = "Anonymous"
	voip      = "VOIP"
	server    = "Server"
	bot       = "BOT"
)

// forOrganization is who is who in the organisation's log: a guest, and whoever isn't proven to be somebody, is Anonymous and has no identifier.
func forOrganization(p *store.ParticipantFacts) (identifier, endpoint string) {
	switch {
	case p == nil:
		return "", anonymous
	case p.Identity == store.OrgUser:
		return p.UserID, endpointOf(p)
	case p.Identity == store.Service:
		return "", server
	}
	return "", anonymous
}

// endpointOf is the reference's word for what somebody is connected with.
func endpointOf(p *store.ParticipantFacts) string {
	if p != nil && p.EndpointType == "bot" {
		return bot
	}
	return voip
}

// summaries make one record per participant who was in the call.
func (c *call) summaries() error {
	for i := range c.Participants {
		p := &c.Participants[i]
		if p.JoinedAt == nil { // Only waited, or is known by something else alone.
			continue
		}
		identifier, endpoint := c.identify(p)
		kind := "External user"
		if p.Identity == store.OrgUser {
			kind = "Organization user"
		}
		left := p.LeftAt
		if left == nil {
			left = c.EndedAt
		}
		properties := fields{
			"identifier": orNil(identifier), "callStartTime": timeOrNil(c.StartedAt), "callDuration": seconds(c.StartedAt, c.EndedAt), "callType": "Group",
			"teamsThreadId": orNil(c.MeetingID), "participantId": p.ID.String(), "participantStartTime": timeOrNil(p.JoinedAt),
			"participantDuration": seconds(p.JoinedAt, left), "participantEndReason": orNil(p.EndCode), "ParticipantEndSubCode": orNil(p.EndSubCode),
			"ResultCategory": orNil(p.ResultCategory), "endpointId": c.endpointID(p, endpoint), "endpointType": endpoint,
			"sdkVersion": orNil(strings.TrimSpace(p.ClientFamily + " " + p.ClientVersion)), "osVersion": orNil(p.OSFamily), "participantTenantId": c.tenant(p),
			"participantType": kind, "pstnParticipantCallType": nil, "DiagnosticOptions": nil, "callDebuggingInfo": nil,
		}
		if err := c.add(CallSummary, CallSummary, p.ID, c.at, "", nil, properties); err != nil {
			return err
		}
	}
	return nil
}

// endpointID is the participant's own in this call. Who is Anonymous has none, nor has the server.
func (*call) endpointID(p *store.ParticipantFacts, endpoint string) any {
	if endpoint == anonymous || endpoint == server || p == nil {
		return nil
	}
	return p.ID.String()
}

// tenant is the organisation, for its own users.
func (c *call) tenant(p *store.ParticipantFacts) any {
	if p.Identity != store.OrgUser {
		return nil
	}
	return c.Org
}

// Bounds of figures in the reference.
const (
	ratio        = 1
	freezeMinute = 60_000
	unbounded    = 1e12
)

// diagnostics make one record per stream and direction.
func (c *call) diagnostics() error {
	for i := range c.Streams {
		s := &c.Streams[i]
		media := map[string]string{"audio": "Audio", "video": "Video", "screen": "VBSS"}[s.Media]
		if !s.Counted || media == "" || s.Direction == "unknown" {
			continue
		}
		p := c.people[s.ParticipantID]
		identifier, endpoint := c.identify(p)
		direction := "Outbound"
		if s.Direction == "inbound" {
			direction = "Inbound"
			if endpoint == voip || endpoint == bot {
				identifier, endpoint = "", server // As the reference has what the server sends.
			}
		}
		properties := fields{
			"identifier": orNil(identifier), "participantId": s.ParticipantID.String(), "endpointId": c.endpointID(p, endpoint), "endpointType": endpoint,
			"mediaType": media, "streamId": s.ID.String(), "transportType": transport(s.Transport), "StreamDirection": direction, "CodecName": orNil(s.Codec),
		}
		figures(properties, s)
		if err := c.add(CallDiagnostics, CallDiagnostics, s.ParticipantID, c.at, s.ID.String()+"/"+direction, nil, properties); err != nil {
			return err
		}
	}
	return nil
}

// figures are those that a stream is judged by, and their maxima. What isn't judged of a stream of our own is left out, since who reads the record would judge
// it: a sender's client knows nothing of what was healed or shown, and the picture's size and bitrate that a viewer gets are the server's choice.
func figures(to fields, s *store.StreamFacts) {
	to.set("roundTripTimeAvg", s.RTTMsAvg, unbounded)
	to.set("roundTripTimeMax", s.RTTMsMax, unbounded)
	to.set("jitterAvg", s.JitterMsAvg, unbounded)
	to.set("jitterMax", s.JitterMsMax, unbounded)
	to.set("packetLossRateAvg", s.LossRatio, ratio)
	to.set("packetLossRateMax", s.LossRatioMax, ratio)
	to.set("VideoFrameRateAvg", s.FrameRateAvg, unbounded)
	received := s.Direction == "inbound"
	if received {
		to.set("JitterBufferSizeAvg", s.JitterBufferMsAvg, unbounded)
		to.set("JitterBufferSizeMax", s.JitterBufferMsMax, unbounded)
		to.set("HealedDataRatioAvg", s.HealedRatio, ratio)
		to.set("HealedDataRatioMax", s.HealedRatioMax, ratio)
		to.set("RecvFreezeDurationPerMinuteInMs", s.FreezeMsPerMin, freezeMinute)
	}
	if !received || s.Media == "audio" {
		to.set("VideoBitRateAvg", s.BitrateAvg, unbounded)
		to.set("VideoBitRateMax", s.BitrateMax, unbounded)
	}
	if s.Packets != nil {
		to["PacketUtilization"] = min(*s.Packets, math.MaxInt64)
	}
}

func transport(s string) string {
	switch s {
	case "udp", "tcp":
		return strings.ToUpper(s)
	}
	return "Unrecognized"
}

// who is the participant of an entry, with what may be said of it.
func (c *call) who(id uuid.UUID) (p *store.ParticipantFacts, identifier, endpoint string) {
	if id == uuid.Nil {
		return nil, "", server
	}
	p = c.people[id]
	identifier, endpoint = c.identify(p)
	return p, identifier, endpoint
}
