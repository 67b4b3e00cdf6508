package store

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"
)

// Message is a chat message with its text.
type Message struct {
	CallID    string
	MessageID uuid.UUID
	// AuthorID is the participant who wrote it.
	AuthorID uuid.UUID
	SentAt   time.Time
	// RevisedAt is when the text was written: SentAt, if it was never edited.
	RevisedAt time.Time
	// Content is what was written, as event.ParseChatContent reads it.
	Content []byte
}

// At is the message's place in its thread.
func (m *Message) At() MessageAt { return MessageAt{SentAt: m.SentAt, MessageID: m.MessageID} }

// MessageAt is a place in a thread.
type MessageAt struct {
	SentAt    time.Time
	MessageID uuid.UUID
}

// readable is a query for the newest texts of the things for which where holds and that may be read at the moment now: those that have no reason to be
// gone, so the newest copy of a guest alone. An edit whose text is lost has replaced the text before all the same: then there is none to read.
func readable(where string) string {
	return `SELECT things.call_id AS call_id, things.item_id AS item_id, m.author_id AS author_id, things.sent_at AS sent_at, m.newest AS revised_at, m.text AS text
		FROM (SELECT * FROM (` + thingsSQL(distributed, where) + `) WHERE state = 'stored' AND revision_of = ` + noUUID + `) AS things
		INNER JOIN (
			SELECT class, org, call_id, message_id, argMax(author_id, revised_at) AS author_id, max(revised_at) AS newest,
				argMax(text, (revised_at, notEmpty(text))) AS text
			FROM texts WHERE (org, meeting_id) IN (SELECT org, meeting_id FROM retained WHERE ` + where + `)
			GROUP BY class, org, call_id, message_id
		) AS m ON toString(m.class) = toString(things.class) AND m.org = things.org AND m.call_id = things.call_id AND m.message_id = things.item_id
		WHERE notEmpty(m.text)`
}

func (m *Message) scan(rows driver.Rows) error {
	var content string
	err := rows.Scan(&m.CallID, &m.MessageID, &m.AuthorID, &m.SentAt, &m.RevisedAt, &content)
	m.SentAt, m.RevisedAt, m.Content = m.SentAt.UTC(), m.RevisedAt.UTC(), []byte(content)
	return err
}

// ThreadMessages lists at most limit messages of a meeting's thread that may be read at a moment, the oldest first, from the one after a place on (nil:
// from the first). It is for users of the organisation: guests have no access to what was said, through no interface.
func (r *Reader) ThreadMessages(ctx context.Context, org string, meeting uuid.UUID, now time.Time, after *MessageAt, limit int) ([]Message, error) {
	args := []any{
		clickhouse.Named("of", org), clickhouse.Named("meeting", meeting), clickhouse.Named("now", micros(now)), clickhouse.Named("limit", uint64(max(limit, 0))),
	}
	sql := readable("class = 'thread' AND org = {of:String} AND meeting_id = {meeting:UUID}")
	if after != nil {
		sql = `SELECT * FROM (` + sql + `) WHERE (sent_at, item_id) > (fromUnixTimestamp64Micro({after:Int64}, 'UTC'), {after_id:UUID})`
		args = append(args, clickhouse.Named("after", micros(after.SentAt)), clickhouse.Named("after_id", after.MessageID))
	}
	var out []Message
	err := r.query(ctx, "list messages", `SELECT * FROM (`+sql+`) ORDER BY sent_at, item_id LIMIT {limit:UInt64}`, args, func(rows driver.Rows) error {
		var m Message
		if err := m.scan(rows); err != nil {
			return err
		}
		out = append(out, m)
		return nil
	})
	return out, err
}

// HolderKey names a guest of a call.
type HolderKey struct {
	CallKey
	MeetingID uuid.UUID
	// HolderID is the guest as a participant of the call.
	HolderID uuid.UUID
}

// Copy returns the message that a guest's copy has at a moment: the newest it was shown. It fails with ErrNotFound if there is none that may be read:
// it is due, deleted, hidden, or its text is not here yet. Not for guests, see ThreadMessages.
func (r *Reader) Copy(ctx context.Context, of HolderKey, now time.Time) (Message, error) {
	const where = "class = 'copy' AND org = {of:String} AND meeting_id = {meeting:UUID} AND call_id = {call:String} AND holder_id = {holder:UUID}"
	var m Message
	found := false
	err := r.query(ctx, "get copy", readable(where), []any{
		clickhouse.Named("of", of.Org), clickhouse.Named("meeting", of.MeetingID), clickhouse.Named("call", of.CallID), clickhouse.Named("holder", of.HolderID),
		clickhouse.Named("now", micros(now)),
	}, func(rows driver.Rows) error {
		found = true
		return m.scan(rows)
	})
	if err == nil && !found {
		err = fmt.Errorf("get copy: %w", ErrNotFound)
	}
	return m, err
}

// EachHeld calls do for each message and copy that a hold covers, readable or hidden, with its text, in the order of EachThing: what a hold is for. A text
// that several guests' copies share is told for each. do must keep neither.
func (s *Store) EachHeld(ctx context.Context, f ThingFilter, do func(*Thing, *Message) error) error {
	f.Classes = []string{"thread", "copy"}
	var t Thing
	var m Message
	return s.eachDay(ctx, f, func(where string) string {
		return `SELECT ` + thingColumns + `, author_id, written.1, written.2 FROM (SELECT things.*, m.author_id AS author_id,
			if(things.revision_of = ` + noUUID + `, m.texts[-1], arrayFirst(x -> x.1 = things.revised_at, m.texts)) AS written
			FROM (` + thingsSQL(distributed, where) + `) AS things
			INNER JOIN (
				SELECT toString(class) AS class, org, call_id, message_id, any(author_id) AS author_id, arraySort(groupUniqArray((revised_at, text))) AS texts
				FROM texts WHERE toDate(sent_at) = {day:Date} AND org = {of:String} GROUP BY class, org, call_id, message_id
			) AS m ON m.class = toString(things.class) AND m.org = things.org AND m.call_id = things.call_id
				AND m.message_id = if(things.revision_of = ` + noUUID + `, things.item_id, things.revision_of)
			WHERE held) WHERE written.2 != ''`
	}, func(rows driver.Rows) error {
		t, m = Thing{}, Message{}
		var content string
		if err := t.scan(rows, &m.AuthorID, &m.RevisedAt, &content); err != nil {
			return err
		}
		m.CallID, m.MessageID, m.SentAt, m.RevisedAt, m.Content = t.CallID, t.ItemID, t.SentAt, m.RevisedAt.UTC(), []byte(content)
		if t.RevisionOf != uuid.Nil {
			m.MessageID = t.RevisionOf
		}
		return do(&t, &m)
	})
}
