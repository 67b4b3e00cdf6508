package ingest

import (
	"time"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/event"
	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/store"
)

// countedTable is a table whose rows of one record are numbered.
type countedTable int

const (
	keptTable countedTable = iota
	textTable
	decisionTable
)

// rowCounter numbers the rows of a table that one record brings.
type rowCounter struct {
	counts map[countedRecord]uint32
}

type countedRecord struct {
	table  countedTable
	offset int64
}

func (c *rowCounter) next(table countedTable, offset int64) store.Origin {
	if c.counts == nil {
		c.counts = map[countedRecord]uint32{}
	}
	at := countedRecord{table, offset}
	o := store.Origin{Offset: offset, Index: c.counts[at]}
	c.counts[at]++
	return o
}

// callKept names what is kept by call.
type callKept struct {
	class     store.Class
	org, call string
}

// keptBatch makes the rows of what own media tells of and is kept by retention rules: chat, recordings, notices, decision inputs, and who of the
// organisation was in a meeting, which decides on all of them. And those of the region's resource log, which is kept for a time of its own.
type keptBatch struct {
	// guests is how long who was a guest of a resource is kept.
	guests  time.Duration
	chat    chatBatch
	byCall  map[callKept]bool
	counter rowCounter
}

// add takes an event in. It makes rows of all but chat, whose rows come at the end.
func (k *keptBatch) add(e *eventpb.Event, offset int64, text opened, out *store.Batch) {
	if e.GetSourceKind() != eventpb.SourceKind_SOURCE_KIND_MEDIA {
		return // other systems keep their own
	}
	switch p := e.Payload.(type) {
	case *eventpb.Event_Chat:
		if wasNotStored(p.Chat) {
			return
		}
		k.chat.acts = append(k.chat.acts, chatAct{offset: offset, event: e, chat: p.Chat, opened: text})
	case *eventpb.Event_Recording:
		started := p.Recording.GetStartedAtUs()
		if started == 0 {
			started = e.GetObservedAtUs()
		}
		out.Kept.Add(k.counter.next(keptTable, offset), store.Kept{
			KeptIn: keptIn(e, e.GetMeetingId()), Class: store.ClassRecording, ItemID: toUUID(p.Recording.GetRecordingId()), SentAt: instantOf(started),
		})
	case *eventpb.Event_Notice:
		k.keepByCall(store.ClassNotice, e, offset, out)
	case *eventpb.Event_Decision:
		d := p.Decision
		k.keepByCall(store.ClassDecision, e, offset, out)
		out.Decisions.Add(k.counter.next(decisionTable, offset), store.DecisionInput{
			KeptIn: keptIn(e, e.GetMeetingId()), DecisionID: toUUID(d.GetDecisionId()), ParticipantID: toUUID(d.GetParticipantId()), Action: d.GetAction(),
			Effect: d.GetEffect(), Reasons: d.GetReasons(), Revision: d.GetPolicyRevision(), Input: string(d.GetInput()), At: instantOf(e.GetObservedAtUs()),
			SentAt: callBegan(e), Rules: d.GetRules(), Took: time.Duration(d.GetEvaluationNs()), Error: d.GetError(), Source: store.DecidedByMedia,
		})
	case *eventpb.Event_ResourceGuest:
		k.guest(e, p.ResourceGuest, text, out)
	case *eventpb.Event_ParticipantJoined:
		k.attend(e, p.ParticipantJoined, out)
	}
}

// keepByCall notes that something is kept of a call, once per batch. Each batch that has something of the call says so again: rows that are alike
// stand for one thing.
func (k *keptBatch) keepByCall(class store.Class, e *eventpb.Event, offset int64, out *store.Batch) {
	key := callKept{class, e.GetOrg(), e.GetCallId()}
	if k.byCall[key] {
		return
	}
	if k.byCall == nil {
		k.byCall = map[callKept]bool{}
	}
	k.byCall[key] = true
	out.Kept.Add(k.counter.next(keptTable, offset), store.Kept{KeptIn: keptIn(e, e.GetMeetingId()), Class: class, SentAt: callBegan(e)})
}

// attend notes that a user of the organisation was in a meeting.
func (k *keptBatch) attend(e *eventpb.Event, p *eventpb.ParticipantJoined, out *store.Batch) {
	is := who(p.GetIdentity())
	meeting := parseUUID(p.GetMeetingId())
	if is.Identity != store.OrgUser || is.UserID == "" || meeting == uuid.Nil {
		return
	}
	joined := p.GetJoinedAtUs()
	if joined == 0 {
		joined = e.GetObservedAtUs()
	}
	out.Attendance = append(out.Attendance, store.Attendance{KeptIn: keptIn(e, p.GetMeetingId()), UserID: is.UserID, JoinedAt: instantOf(joined)})
}

func keptIn(e *eventpb.Event, meeting string) store.KeptIn {
	return store.KeptIn{Org: e.GetOrg(), CallID: e.GetCallId(), MeetingID: parseUUID(meeting)}
}

// callBegan is the moment that the period of what is kept by call runs from: when the call began, which its id tells, so that all events of a call
// agree on it. Of an id that doesn't tell it is the day (UTC) of the event.
func callBegan(e *eventpb.Event) time.Time {
	if id := parseUUID(e.GetCallId()); id.Version() == 7 {
		seconds, nanoseconds := id.Time().UnixTime()
		if began := time.Unix(seconds, nanoseconds).UTC(); event.ValidTime(began.UnixMicro()) {
			return began
		}
	}
	return instantOf(e.GetObservedAtUs()).Truncate(24 * time.Hour)
}

// toUUID is zero for what is no id.
func toUUID(b []byte) uuid.UUID {
	id, err := uuid.FromBytes(b)
	if err != nil {
		return uuid.Nil
	}
	return id
}

func parseUUID(text string) uuid.UUID {
	id, err := uuid.Parse(text)
	if err != nil {
		return uuid.Nil
	}
	return id
}

func instantOf(us int64) time.Time { return time.UnixMicro(us).UTC() }

// guest adds whose guest a participant was, in the region of its resource only. What was sealed to a key that is destroyed was stored before.
func (k *keptBatch) guest(e *eventpb.Event, g *eventpb.ResourceGuest, id opened, out *store.Batch) {
	if g.GetResourceRegion() != k.chat.region || id.lost {
		return
	}
	joined := instantOf(g.GetJoinedAtUs())
	out.Guests = append(out.Guests, store.ResourceGuest{
		ResourceID: parseUUID(g.GetResourceId()), CallKey: store.CallKey{Org: e.GetOrg(), CallID: e.GetCallId()}, ParticipantID: toUUID(g.GetParticipantId()),
		MeetingID: parseUUID(g.GetMeetingId()), UserID: id.text, JoinedAt: joined, ExpiresAt: joined.Add(k.guests),
	})
}
