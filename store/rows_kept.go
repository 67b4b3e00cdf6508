package store

import (
	"context"
	"time"

	"github.com/google/uuid"
)

// Class is what kind of thing is kept, as the tables number it.
type Class int8

// The classes of kept things.
const (
	ClassThread    Class = 1
	ClassCopy      Class = 2
	ClassRecording Class = 3
	ClassNotice    Class = 4
	ClassDecision  Class = 5
)

// String is the class's name in the tables.
func (c Class) String() string {
	names := [...]string{ClassThread: "thread", ClassCopy: "copy", ClassRecording: "recording", ClassNotice: "notice", ClassDecision: "decision"}
	if c < ClassThread || int(c) >= len(names) {
		return ""
	}
	return names[c]
}

// KeptIn is where a kept thing belongs.
type KeptIn struct {
	Org    string
	CallID string
	// MeetingID is zero for what belongs to no meeting.
	MeetingID uuid.UUID
}

// keptIn are the columns of it.
type keptIn struct {
	org       vec[string]
	callID    vec[string]
	meetingID vec[uuid.UUID]
}

func (k *keptIn) init() []column {
	k.org.name, k.callID.name, k.meetingID.name = "org", "call_id", "meeting_id"
	return []column{&k.org, &k.callID, &k.meetingID}
}

func (k *keptIn) add(v KeptIn) {
	k.org.add(v.Org)
	k.callID.add(v.CallID)
	k.meetingID.add(v.MeetingID)
}

// Text is the text of one revision of a message.
type Text struct {
	KeptIn
	// Class is ClassThread or ClassCopy.
	Class     Class
	MessageID uuid.UUID
	AuthorID  uuid.UUID
	SentAt    time.Time
	RevisedAt time.Time
	// Content is event.ChatContent as bytes; empty if the text of this revision is lost.
	Content string
}

// TextRows are rows of the table texts.
type TextRows struct {
	Rows
	in        keptIn
	class     vec[int8]
	messageID vec[uuid.UUID]
	authorID  vec[uuid.UUID]
	sentAt    vec[time.Time]
	revisedAt vec[time.Time]
	text      vec[string]
}

func (r *TextRows) setUp() {
	r.class.name, r.messageID.name, r.authorID.name = "class", "message_id", "author_id"
	r.sentAt.name, r.revisedAt.name, r.text.name = "sent_at", "revised_at", "text"
	r.init("texts", &r.sentAt, append(r.in.init(), &r.class, &r.messageID, &r.authorID, &r.sentAt, &r.revisedAt, &r.text)...)
}

// Add adds the row of a text.
func (r *TextRows) Add(o Origin, t Text) {
	r.begin(o)
	r.in.add(t.KeptIn)
	r.class.add(int8(t.Class))
	r.messageID.add(t.MessageID)
	r.authorID.add(t.AuthorID)
	r.sentAt.add(t.SentAt)
	r.revisedAt.add(t.RevisedAt)
	r.text.add(t.Content)
}

// Kept says that a thing is kept from now on.
type Kept struct {
	KeptIn
	Class Class
	// ItemID is the message or the recording; zero for what is kept by call.
	ItemID uuid.UUID
	// HolderID is the guest whose copy it is, ResourceID the guest's application; zero otherwise.
	HolderID, ResourceID uuid.UUID
	// SentAt is what its period runs from.
	SentAt time.Time
}

// KeptRows are rows of the table retained.
type KeptRows struct {
	Rows
	in         keptIn
	class      vec[int8]
	itemID     vec[uuid.UUID]
	holderID   vec[uuid.UUID]
	resourceID vec[uuid.UUID]
	sentAt     vec[time.Time]
}

func (r *KeptRows) setUp() {
	r.class.name, r.itemID.name, r.holderID.name = "class", "item_id", "holder_id"
	r.resourceID.name, r.sentAt.name = "resource_id", "sent_at"
	r.init("retained", &r.sentAt, append(r.in.init(), &r.class, &r.itemID, &r.holderID, &r.resourceID, &r.sentAt)...)
}

// Add adds the row of a thing.
func (r *KeptRows) Add(o Origin, k Kept) {
	r.begin(o)
	r.in.add(k.KeptIn)
	r.class.add(int8(k.Class))
	r.itemID.add(k.ItemID)
	r.holderID.add(k.HolderID)
	r.resourceID.add(k.ResourceID)
	r.sentAt.add(k.SentAt)
}

// Head says that a guest was shown a message.
type Head struct {
	KeptIn
	HolderID  uuid.UUID
	MessageID uuid.UUID
	SentAt    time.Time
}

// Retraction says that the author of a message deleted it.
type Retraction struct {
	KeptIn
	MessageID   uuid.UUID
	RetractedAt time.Time
}

// Attendance says that a user of the organisation was in a meeting.
type Attendance struct {
	KeptIn
	UserID   string
	JoinedAt time.Time
}

// saveFacts stores heads, retractions, attendance and guests of resources. Their tables make one row of those that are alike, so they need no token, and no look for what
// a crash lost: they are stored again with every attempt. They go before all other rows, so that nothing can be read for even a moment which they
// say can't.
func (s *Store) saveFacts(ctx context.Context, b *Batch) error {
	var heads, retractions, attendance [][]any
	for _, h := range b.Heads {
		heads = append(heads, []any{h.Org, h.MeetingID, h.CallID, h.HolderID, h.MessageID, h.SentAt})
	}
	for _, r := range b.Retractions {
		retractions = append(retractions, []any{r.Org, r.MeetingID, r.CallID, r.MessageID, r.RetractedAt})
	}
	for _, a := range b.Attendance {
		attendance = append(attendance, []any{a.Org, a.MeetingID, a.UserID, a.CallID, a.JoinedAt})
	}
	if err := s.replaceRows(ctx, "retractions", "org, meeting_id, call_id, message_id, retracted_at", retractions); err != nil {
		return err
	}
	if err := s.replaceRows(ctx, "copy_heads", "org, meeting_id, call_id, holder_id, message_id, sent_at", heads); err != nil {
		return err
	}
	if err := s.replaceRows(ctx, "attendance", "org, meeting_id, user_id, call_id, joined_at", attendance); err != nil {
		return err
	}
	return s.saveGuests(ctx, b.Guests)
}
