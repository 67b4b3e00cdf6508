package store

import (
	"context"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"
)

// Things are what retention is about: a message of a thread, a guest's copy of a message, a recording, the notices or the decision inputs of a call. The
// table retained has a row of each. What it is now, when it has to go and why follows from that row and from what is known beside it: the decision
// about its meeting, newer copies of the same guest, retractions, tombstones, and whether it was hidden. thingsSQL says how, and nothing else does:
// reads, the sweep, previews and reports are all made of it.

// Thing is one thing that is kept, as it is at a moment.
type Thing struct {
	// Class is "thread", "copy", "recording", "notice" or "decision".
	Class string
	Org   string
	// CallID is the call it came to be in.
	CallID string
	// MeetingID is zero for what belongs to no meeting.
	MeetingID uuid.UUID
	// ItemID is the message or the recording, or zero for what is kept by call; of a replaced text it is made of message and revision.
	ItemID uuid.UUID
	// HolderID is the guest whose copy it is, ResourceID the guest's application; zero otherwise.
	HolderID, ResourceID uuid.UUID
	// RevisionOf and RevisedAt: it is only the text of that message that was written then, and another is there now, or the message is gone. Zero otherwise.
	RevisionOf uuid.UUID
	RevisedAt  time.Time
	SentAt     time.Time
	// InsertedAt is when it came to be here, by the server's clock.
	InsertedAt time.Time
	// DueAt is sent + period; nil where nothing is decided, and where it is kept for good. Of what is hidden, as it was then.
	DueAt *time.Time
	// GoneAt is when it had to be unreadable: due, superseded, retracted. Nil while it needn't.
	GoneAt *time.Time
	// HiddenAt is GoneAt once that is stored and lasts, whatever is decided later. Nil before.
	HiddenAt *time.Time
	// Why it had to go: "due", "superseded", "edited", "retracted" or "tombstoned"; "" while it needn't.
	Why string
	// Born: it was due when it came.
	Born bool
	// Held: a hold covers it.
	Held bool
	// ReleasedAt is when the last hold that covered it was released; nil if none ever was.
	ReleasedAt *time.Time
	// RuleID and what follows say what decided on DueAt; "" while nothing is decided.
	RuleID           string
	RuleVersion      uint64
	Reason, Revision string
	// State is "stored", "superseded", "due" or "hidden".
	State string
	// Attempts at purging it, so far.
	Attempts uint32
}

// LateFrom is the moment from which lateness counts: when it had to be gone, was released or came, whichever is last. Zero while it needn't be gone.
func (t *Thing) LateFrom() time.Time {
	if t.GoneAt == nil {
		return time.Time{}
	}
	from := *t.GoneAt
	if t.ReleasedAt != nil && t.ReleasedAt.After(from) {
		from = *t.ReleasedAt
	}
	if t.InsertedAt.After(from) {
		from = t.InsertedAt
	}
	return from
}

// ThingFilter says which things are meant. What is zero does not restrict.
type ThingFilter struct {
	Org     string
	Classes []string
	// From and To bound when they were sent: not before From, before To.
	From, To          time.Time
	Meeting, Resource uuid.UUID
	// At is the moment that states are told of. Zero: now, by this process.
	At time.Time
}

// where is the condition on the columns that all tables of things have, and its parameters.
func (f ThingFilter) where() (string, []any) {
	where, args := []string{"1"}, []any{}
	add := func(condition, name string, value any) {
		where, args = append(where, condition), append(args, clickhouse.Named(name, value))
	}
	if f.Org != "" {
		add("org = {org:String}", "org", f.Org)
	}
	if len(f.Classes) > 0 {
		add("toString(class) IN {classes:Array(String)}", "classes", f.Classes)
	}
	if !f.From.IsZero() {
		add("sent_at >= fromUnixTimestamp64Micro({from:Int64}, 'UTC')", "from", micros(f.From))
	}
	if !f.To.IsZero() {
		add("sent_at < fromUnixTimestamp64Micro({to:Int64}, 'UTC')", "to", micros(f.To))
	}
	if f.Meeting != uuid.Nil {
		add("meeting_id = {meeting:UUID}", "meeting", f.Meeting)
	}
	if f.Resource != uuid.Nil {
		add("resource_id = {resource:UUID}", "resource", f.Resource)
	}
	return strings.Join(where, " AND "), args
}

// longest is the longest period that is added to a moment, in seconds: two centuries. What is longer is kept for good as far as the tables' times go.
const longest = "6311520000"

// thingsSQL is a query for the things of the table retained for which where holds; it may speak of the columns that retained and hidden share. The
// parameter now is the moment, in microseconds. names gives the tables: the distributed ones, or those of one shard, where all rows of a call are.
//
// A thing may be there twice, after a replay; the key makes it one. Of several reasons to be gone the earliest counts, but a tombstone before all:
// whatever comes back after it is gone from the moment it came. A copy gives way to the next that its guest was shown, of which either the copy
// itself or, when that is gone, the head tells. A replaced text is shared by the guests who were shown it, so it is held when any of their copies may be.
func thingsSQL(names func(string) string, where string) string {
	const of, from = "(org, meeting_id) IN (SELECT org, meeting_id FROM ", "(org, meeting_id) GLOBAL IN (SELECT org, meeting_id FROM "
	// Decisions may be on another shard, which has to be told of this one's meetings.
	return thingsOf(names, where, of+names("retained")+" WHERE "+where+")", from+names("retained")+" WHERE "+where+")")
}

// thingsOf is thingsSQL with a condition on the meetings of the things, where a simpler one is at hand; decided is the same for the table of decisions.
func thingsOf(names func(string) string, where, meetings, decided string) string {
	const key = "class, org, meeting_id, call_id, item_id, holder_id, revised_at, sent_at"
	calls := "(class, org, call_id) IN (SELECT class, org, call_id FROM " + names("retained") + " WHERE " + where + ")"
	return `SELECT r.class AS class, r.org AS org, r.meeting_id AS meeting_id, r.call_id AS call_id, r.item_id AS item_id, r.holder_id AS holder_id,
		r.resource AS resource_id, r.revision AS revision_of, r.revised_at AS revised_at, r.sent_at AS sent_at, r.came AS inserted_at,
		if(d.there = 1 AND d.period_s IS NOT NULL, addSeconds(r.sent_at, least(assumeNotNull(d.period_s), ` + longest + `)), NULL) AS due_now,
		arrayFirst(x -> x > (r.sent_at, r.item_id), c.shown).1 AS next_sent,
		arraySort(arrayFilter(x -> x.1 IS NOT NULL, [
			(if(t.there = 1, r.came, NULL), 'tombstoned'),
			(if(t.there = 0 AND x.there = 1, x.retracted_at, NULL), 'retracted'),
			(if(t.there = 0 AND r.revision != ` + noUUID + `, r.revised_at, NULL), 'edited'),
			(if(t.there = 0 AND next_sent > toDateTime64(0, 6, 'UTC'), next_sent, NULL), 'superseded'),
			(if(t.there = 0 AND due_now <= fromUnixTimestamp64Micro({now:Int64}, 'UTC'), due_now, NULL), 'due')
		])) AS reasons,
		h.there = 1 AS is_hidden,
		if(is_hidden, h.hidden.1, reasons[1].1) AS gone_at,
		if(is_hidden, h.hidden.2, reasons[1].2) AS why,
		if(is_hidden, h.hidden.3, due_now) AS due_at,
		if(is_hidden, h.hidden.4, why IN ('due', 'tombstoned') AND coalesce(gone_at <= r.came, 0)) AS born,
		if(is_hidden, h.hidden.5, d.rule_id) AS rule_id,
		if(is_hidden, h.hidden.6, d.rule_version) AS rule_version,
		if(is_hidden, h.hidden.7, d.reason) AS reason,
		if(is_hidden, h.hidden.8, d.revision) AS revision,
		d.held AS held, d.released_at AS released_at,
		multiIf(is_hidden, 'hidden', why = '', 'stored', why IN ('superseded', 'edited'), 'superseded', 'due') AS state
	FROM (
		SELECT ` + key + `, any(resource_id) AS resource, any(revision_of) AS revision, min(inserted_at) AS came
		FROM ` + names("retained") + ` WHERE ` + where + ` GROUP BY ` + key + `
	) AS r
	LEFT JOIN (
		SELECT org, meeting_id, class, arrayJoin(arrayDistinct([resource_id, ` + noUUID + `])) AS resource_id, any(period_s) AS period_s, max(held) AS held,
			max(released_at) AS released_at, any(toString(rule_id)) AS rule_id, any(rule_version) AS rule_version, any(toString(reason)) AS reason,
			any(toString(revision)) AS revision, 1 AS there
		FROM retention_decisions FINAL WHERE ` + decided + ` GROUP BY org, meeting_id, class, resource_id
	) AS d ON d.org = r.org AND d.meeting_id = r.meeting_id AND d.class = r.class AND d.resource_id = r.resource
	LEFT JOIN (
		SELECT org, meeting_id, call_id, holder_id, arraySort(groupUniqArray((sent_at, item_id))) AS shown FROM (
			SELECT org, meeting_id, call_id, holder_id, sent_at, message_id AS item_id FROM ` + names("copy_heads") + ` WHERE ` + meetings + `
			UNION ALL
			SELECT org, meeting_id, call_id, holder_id, sent_at, item_id FROM ` + names("retained") + `
			WHERE class = 'copy' AND revision_of = ` + noUUID + ` AND ` + meetings + `
		) GROUP BY org, meeting_id, call_id, holder_id
	) AS c ON c.org = r.org AND c.meeting_id = r.meeting_id AND c.call_id = r.call_id AND c.holder_id = r.holder_id
	LEFT JOIN (
		SELECT org, call_id, message_id, min(retracted_at) AS retracted_at, 1 AS there FROM ` + names("retractions") + ` WHERE ` + meetings + `
		GROUP BY org, call_id, message_id
	) AS x ON x.org = r.org AND x.call_id = r.call_id AND x.message_id = r.item_id
	LEFT JOIN (
		SELECT class, org, call_id, item_id, holder_id, 1 AS there FROM ` + names("tombstones") + ` WHERE ` + calls + `
		GROUP BY class, org, call_id, item_id, holder_id
	) AS t ON t.class = r.class AND t.org = r.org AND t.call_id = r.call_id AND t.item_id = r.item_id AND t.holder_id = r.holder_id
	LEFT JOIN (
		SELECT ` + key + `, 1 AS there, argMin((hidden_at, toString(why), due_at, born, toString(rule_id), rule_version, toString(reason), toString(revision)),
			(inserted_at, hidden_at)) AS hidden
		FROM ` + names("hidden") + ` WHERE ` + where + ` GROUP BY ` + key + `
	) AS h ON h.class = r.class AND h.org = r.org AND h.meeting_id = r.meeting_id AND h.call_id = r.call_id AND h.item_id = r.item_id
		AND h.holder_id = r.holder_id AND h.revised_at = r.revised_at AND h.sent_at = r.sent_at`
}

// noUUID is the id of nothing, in SQL.
const noUUID = "toUUID('00000000-0000-0000-0000-000000000000')"

// distributed names tables as every reader does.
func distributed(table string) string { return table }

const thingColumns = `toString(class) AS class_, org AS org_, call_id, meeting_id, item_id, holder_id, resource_id, revision_of, revised_at, sent_at,
	inserted_at, due_at, gone_at, is_hidden, why, toBool(born) AS born_, held, released_at, rule_id, rule_version, reason, revision, state`

func (t *Thing) scan(rows driver.Rows, more ...any) error {
	var hidden bool
	err := rows.Scan(append([]any{
		&t.Class, &t.Org, &t.CallID, &t.MeetingID, &t.ItemID, &t.HolderID, &t.ResourceID, &t.RevisionOf, &t.RevisedAt, &t.SentAt,
		&t.InsertedAt, &t.DueAt, &t.GoneAt, &hidden, &t.Why, &t.Born, &t.Held, &t.ReleasedAt, &t.RuleID, &t.RuleVersion, &t.Reason, &t.Revision, &t.State,
	}, more...)...)
	t.RevisedAt, t.SentAt, t.InsertedAt = t.RevisedAt.UTC(), t.SentAt.UTC(), t.InsertedAt.UTC()
	if t.RevisionOf == uuid.Nil {
		t.RevisedAt = time.Time{}
	}
	t.DueAt, t.GoneAt, t.ReleasedAt = utc(t.DueAt), utc(t.GoneAt), utc(t.ReleasedAt)
	if hidden {
		t.HiddenAt = t.GoneAt
	}
	return err
}

// thingOrder is the order of EachThing within a day of an organisation.
const thingOrder = "sent_at, class, meeting_id, item_id, holder_id"

// EachThing calls do for each thing that is kept, also for what is on its way out, in order of organisation, time of sending, class, meeting, item and
// holder. It reads an organisation's day at a time: what comes or goes meanwhile may be told or not. do must not keep the Thing.
func (s *Store) EachThing(ctx context.Context, f ThingFilter, do func(*Thing) error) error {
	var t Thing
	return s.eachDay(ctx, f, func(where string) string {
		return `SELECT ` + thingColumns + `, attempts FROM (
			SELECT things.*, tries.attempts AS attempts FROM (` + thingsSQL(distributed, where) + `) AS things
			LEFT JOIN (
				SELECT class, org, call_id, item_id, holder_id, max(n) AS attempts FROM purge_sets
				INNER JOIN (SELECT batch_id, max(attempts) AS n FROM purge_batches GROUP BY batch_id HAVING max(toInt8(step)) = 1) AS unended USING batch_id
				WHERE taken_out = 0 AND org = {of:String} AND toDate(sent_at) = {day:Date} GROUP BY class, org, call_id, item_id, holder_id
			) AS tries ON tries.class = things.class AND tries.org = things.org AND tries.call_id = things.call_id AND tries.item_id = things.item_id
				AND tries.holder_id = things.holder_id
		)`
	}, func(rows driver.Rows) error {
		t = Thing{}
		if err := t.scan(rows, &t.Attempts); err != nil {
			return err
		}
		return do(&t)
	})
}

// eachDay runs a query for each organisation and day of which things are kept, in that order; query makes it of a condition on things.
func (s *Store) eachDay(ctx context.Context, f ThingFilter, query func(where string) string, scan func(driver.Rows) error) error {
	where, args := f.where()
	type part struct {
		org string
		day time.Time
	}
	var parts []part
	err := s.scan(ctx, "list days of things", `SELECT org, toDate(sent_at) AS day FROM retained WHERE `+where+` GROUP BY org, day ORDER BY org, day`,
		func(rows driver.Rows) error {
			var p part
			err := rows.Scan(&p.org, &p.day)
			parts = append(parts, p)
			return err
		}, args...)
	if err != nil {
		return err
	}
	now := f.At
	if now.IsZero() {
		now = time.Now()
	}
	sql := query(where+" AND org = {of:String} AND toDate(sent_at) = {day:Date}") + " ORDER BY " + thingOrder
	for _, p := range parts {
		// The filter's own parameters stay as they are: the day's come on top.
		of := append([]any{
			clickhouse.Named("now", micros(now)), clickhouse.Named("of", p.org), clickhouse.Named("day", p.day.Format(time.DateOnly)),
		}, args...)
		if err := s.scan(ctx, "list things", sql, scan, of...); err != nil {
			return err
		}
	}
	return nil
}
