package store

import (
	"time"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/event/eventpb"
)

// Lane is the line of a call's timeline that an entry belongs to.
type Lane int8

// EntryKind is what kind of thing happened.
type EntryKind int8

// The kinds of entries of the table timeline.
const (
	DiagnosticEntry EntryKind = 1
	OperationEntry  EntryKind = 2
	SurveyEntry     EntryKind = 3
	RecordingEntry  EntryKind = 4
	ChatEntry       EntryKind = 5
	NoticeEntry     EntryKind = 6
	DecisionEntry   EntryKind = 7
)

// Entry is one thing that happened in a call. Name, Value, Result and the keys of Attributes are of closed sets; nothing in it
// is personal data.
type Entry struct {
	Participant []byte
	Lane        Lane
	Kind        EntryKind
	Name        string
	Value       string
	Operation   []byte
	Result      string
	ResultCode  int32
	DurationMs  int64
	Attributes  map[string]string
}

// TimelineRows are rows of the table timeline.
type TimelineRows struct {
	Rows
	env           envelope
	revision      vec[uint32]
	participantID vec[uuid.UUID]
	lane          vec[int8]
	kind          vec[int8]
	name          vec[string]
	value         vec[string]
	operationID   vec[uuid.UUID]
	result        vec[string]
	resultCode    vec[int32]
	durationMs    vec[int64]
	attributes    vec[map[string]string]
}

func (r *TimelineRows) setUp() {
	r.revision.name, r.participantID.name, r.lane.name, r.kind.name = "revision", "participant_id", "lane", "kind"
	r.name.name, r.value.name, r.operationID.name, r.result.name = "name", "value", "operation_id", "result"
	r.resultCode.name, r.durationMs.name, r.attributes.name = "result_code", "duration_ms", "attributes"
	r.init("timeline", &r.env.observedAt, append(r.env.init(), &r.revision, &r.participantID, &r.lane, &r.kind, &r.name, &r.value, &r.operationID,
		&r.result, &r.resultCode, &r.durationMs, &r.attributes)...)
}

// Add adds the row of an entry.
func (r *TimelineRows) Add(o Origin, e Envelope, t Entry) {
	r.begin(o)
	r.env.add(e)
	r.revision.add(e.Revision)
	r.participantID.add(toUUID(t.Participant))
	r.lane.add(enum(int8(t.Lane), int8(eventpb.Lane_LANE_NETWORK)))
	r.kind.add(int8(t.Kind))
	r.name.add(t.Name)
	r.value.add(t.Value)
	r.operationID.add(toUUID(t.Operation))
	r.result.add(t.Result)
	r.resultCode.add(t.ResultCode)
	r.durationMs.add(t.DurationMs)
	r.attributes.add(t.Attributes)
}

// DeadLetter is a record that could not be ingested. Reason never quotes the record.
type DeadLetter struct {
	Region string
	Offset int64
	// Record is the index within a message of several records, -1 for the whole message.
	Record     int32
	Reason     string
	Size       uint32
	ObservedAt time.Time
}
