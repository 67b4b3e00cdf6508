package meeting

import (
	"time"

	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/media/protocol"
)

// parallel is how many acknowledgements one request waits for at the same time.
const parallel = 64

// event begins an event of this call. Organisation and region never change; the lock is not needed.
func (m *Meeting) event(at time.Time) *eventpb.Event {
	return &eventpb.Event{
		Org: m.orgID, Region: m.region, CallId: m.call.String(), ObservedAtUs: at.UnixMicro(), SourceKind: eventpb.SourceKind_SOURCE_KIND_MEDIA,
	}
}

// joinedEvent has an org user's id and name; of a guest nothing but that it is one.
func (m *Meeting) joinedEvent(mb *Member, at time.Time) *eventpb.Event {
	who := &eventpb.Identity{Kind: eventpb.Identity_KIND_GUEST}
	if mb.entrant.OrgUser {
		who = &eventpb.Identity{
			Kind: eventpb.Identity_KIND_ORG_USER, UserId: mb.entrant.UserID, DisplayName: mb.entrant.DisplayName, Network: mb.entrant.Network,
		}
	}
	c := mb.entrant.Client
	e := m.event(at)
	e.Payload = &eventpb.Event_ParticipantJoined{ParticipantJoined: &eventpb.ParticipantJoined{
		ParticipantId: mb.id[:], JoinedAtUs: at.UnixMicro(), Identity: who, EndpointType: endpointType(c.Kind),
		ClientFamily: oneOf(c.Family, clientFamilies()), ClientVersion: majorVersion(c.Version), OsFamily: oneOf(c.OS, clientSystems()),
		MeetingId: m.facts.Meeting.ID,
	}}
	return e
}

func (m *Meeting) leftEvent(mb *Member, reason string) *eventpb.Event {
	now := time.Now()
	e := m.event(now)
	code, result := "0", "Success"
	switch reason {
	case protocol.ReasonConnectionLost:
		code, result = "410", "UnexpectedClientError"
	case leftUnconfirmed:
		code, result = "503", "UnexpectedServerError"
	case protocol.ReasonRemoved:
		result = "ExpectedError"
	}
	e.Payload = &eventpb.Event_ParticipantLeft{ParticipantLeft: &eventpb.ParticipantLeft{
		ParticipantId: mb.id[:], LeftAtUs: now.UnixMicro(), EndCode: code, EndSubCode: "0", ResultCategory: result,
	}}
	return e
}

// operation records something that a client did or that happened to it. Names, keys and values are of closed sets. It may be lost when the
// queue is full.
func (m *Meeting) operation(mb *Member, name string, attributes ...string) {
	m.operationOn(mb, name, eventpb.Lane_LANE_CALL, attributes...)
}

func (m *Meeting) operationOn(mb *Member, name string, lane eventpb.Lane, attributes ...string) {
	m.deps.Recorder.Offer(m.operationEvent(mb, name, lane, attributes...))
}

func (m *Meeting) operationEvent(mb *Member, name string, lane eventpb.Lane, attributes ...string) *eventpb.Event {
	set := make(map[string]string, len(attributes)/2)
	for i := 0; i+1 < len(attributes); i += 2 {
		set[attributes[i]] = attributes[i+1]
	}
	e := m.event(time.Now())
	e.Payload = &eventpb.Event_ClientOperation{ClientOperation: &eventpb.ClientOperation{
		ParticipantId: mb.id[:], Name: name, Lane: lane, Result: "Succeeded", Attributes: set,
	}}
	return e
}

func (m *Meeting) diagnostic(mb *Member, name, value string, lane eventpb.Lane) bool {
	e := m.event(time.Now())
	e.Payload = &eventpb.Event_ClientDiagnostic{ClientDiagnostic: &eventpb.ClientDiagnostic{
		ParticipantId: mb.id[:], Name: name, Value: value, Lane: lane,
	}}
	return m.deps.Recorder.Offer(e)
}
