package store

import (
	"time"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/event/eventpb"
)

// CallRows are rows of the table calls.
type CallRows struct {
	Rows
	env       envelope
	revision  vec[uint32]
	kind      vec[int8]
	meetingID vec[string]
	startedAt vec[*time.Time]
	endedAt   vec[*time.Time]
	endReason vec[string]
}

func (r *CallRows) setUp() {
	r.revision.name, r.kind.name, r.meetingID.name = "revision", "kind", "meeting_id"
	r.startedAt.name, r.endedAt.name, r.endReason.name = "started_at", "ended_at", "end_reason"
	r.init("calls", &r.env.observedAt, append(r.env.init(), &r.revision, &r.kind, &r.meetingID, &r.startedAt, &r.endedAt, &r.endReason)...)
}

// AddStarted adds the row of a call's start.
func (r *CallRows) AddStarted(o Origin, e Envelope, p *eventpb.CallStarted) {
	r.addRow(o, e, p.GetKind(), p.GetMeetingId(), p.GetStartedAtUs(), 0, "")
}

// AddEnded adds the row of a call's end.
func (r *CallRows) AddEnded(o Origin, e Envelope, p *eventpb.CallEnded) {
	r.addRow(o, e, 0, "", 0, p.GetEndedAtUs(), p.GetReason())
}

func (r *CallRows) addRow(o Origin, e Envelope, kind eventpb.CallKind, meeting string, startedUs, endedUs int64, reason string) {
	r.begin(o)
	r.env.add(e)
	r.revision.add(e.Revision)
	r.kind.add(enum(kind, eventpb.CallKind_CALL_KIND_MEETING))
	r.meetingID.add(meeting)
	r.startedAt.add(optionalTime(startedUs))
	r.endedAt.add(optionalTime(endedUs))
	r.endReason.add(reason)
}

// ParticipantRows are rows of the table participants.
type ParticipantRows struct {
	Rows
	env            envelope
	revision       vec[uint32]
	participantID  vec[uuid.UUID]
	identity       vec[*int8]
	userID         vec[string]
	displayName    vec[string]
	endpointType   vec[string]
	clientFamily   vec[string]
	clientVersion  vec[string]
	osFamily       vec[string]
	network        vec[string]
	joinedAt       vec[*time.Time]
	leftAt         vec[*time.Time]
	endCode        vec[string]
	endSubCode     vec[string]
	resultCategory vec[string]
}

func (r *ParticipantRows) setUp() {
	r.revision.name, r.participantID.name, r.identity.name = "revision", "participant_id", "identity"
	r.userID.name, r.displayName.name, r.endpointType.name = "user_id", "display_name", "endpoint_type"
	r.clientFamily.name, r.clientVersion.name, r.osFamily.name = "client_family", "client_version", "os_family"
	r.network.name, r.joinedAt.name, r.leftAt.name = "network", "joined_at", "left_at"
	r.endCode.name, r.endSubCode.name, r.resultCategory.name = "end_code", "end_sub_code", "result_category"
	r.init("participants", &r.env.observedAt, append(r.env.init(), &r.revision, &r.participantID, &r.identity, &r.userID, &r.displayName, &r.endpointType,
		&r.clientFamily, &r.clientVersion, &r.osFamily, &r.network, &r.joinedAt, &r.leftAt, &r.endCode, &r.endSubCode, &r.resultCategory)...)
}

// Identity is how the table participants names what is proven of somebody.
type Identity int8

// The identities of the table participants.
const (
	Guest   Identity = 1
	OrgUser Identity = 2
	Service Identity = 3
)

// Who is what may be stored of a participant; the caller has dropped what may not.
type Who struct {
	Identity    Identity
	UserID      string
	DisplayName string
	// Network that an org user came from; see event.Identity.
	Network string
}

// AddJoined adds the row of a participant's arrival.
func (r *ParticipantRows) AddJoined(o Origin, e Envelope, who Who, p *eventpb.ParticipantJoined) {
	identity := int8(who.Identity)
	r.start(o, e, p.GetParticipantId())
	r.identity.add(&identity)
	r.userID.add(who.UserID)
	r.displayName.add(who.DisplayName)
	r.endpointType.add(p.GetEndpointType())
	r.clientFamily.add(p.GetClientFamily())
	r.clientVersion.add(p.GetClientVersion())
	r.osFamily.add(p.GetOsFamily())
	r.network.add(who.Network)
	r.end(p.GetJoinedAtUs(), 0, "", "", "")
}

// AddLeft adds the row of a participant's departure.
func (r *ParticipantRows) AddLeft(o Origin, e Envelope, p *eventpb.ParticipantLeft) {
	r.start(o, e, p.GetParticipantId())
	r.identity.add(nil)
	for _, c := range []*vec[string]{&r.userID, &r.displayName, &r.endpointType, &r.clientFamily, &r.clientVersion, &r.osFamily, &r.network} {
		c.add("")
	}
	r.end(0, p.GetLeftAtUs(), p.GetEndCode(), p.GetEndSubCode(), p.GetResultCategory())
}

func (r *ParticipantRows) start(o Origin, e Envelope, participant []byte) {
	r.begin(o)
	r.env.add(e)
	r.revision.add(e.Revision)
	r.participantID.add(toUUID(participant))
}

func (r *ParticipantRows) end(joinedUs, leftUs int64, code, subCode, category string) {
	r.joinedAt.add(optionalTime(joinedUs))
	r.leftAt.add(optionalTime(leftUs))
	r.endCode.add(code)
	r.endSubCode.add(subCode)
	r.resultCategory.add(category)
}

// enum gives the stored value of a protobuf enum; the tables number theirs alike.
// enum is a value of the contract as the tables number it: those up to the last one that they know. A newer producer may know more, which is stored as
// unknown: a value that a table lacks would be refused by the driver again and again, or could not be read.
func enum[E ~int32 | ~int8](e, last E) int8 {
	if e < 0 || e > last {
		return 0
	}
	return int8(e)
}
