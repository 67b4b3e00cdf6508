package store

import (
	"context"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"
)

// Leftover is a text that nobody can read: an edit has replaced it, or there is nothing it is the text of, since that was gone when it came, by a replay,
// say, or by an edit that came late. It becomes a thing of its own, so that it goes the way of all others.
type Leftover struct {
	Class     string
	Org       string
	MeetingID uuid.UUID
	CallID    string
	MessageID uuid.UUID
	RevisedAt time.Time
	SentAt    time.Time
	// GoneAt is when it was replaced, or came.
	GoneAt time.Time
	// Why is "edited", "superseded" or "tombstoned".
	Why string
	// ItemID of the thing that it becomes (proof.RevisionID).
	ItemID uuid.UUID
}

// grace is how long a text may be here before what it is the text of, which is written first: clocks and replicas differ.
const grace = "toIntervalSecond(60)"

// EachLeftover calls do for each leftover that is no thing yet: of the messages of which a text came since a moment of the server's clock, or of a day that
// isn't zero.
func (s *Store) EachLeftover(ctx context.Context, since, day time.Time, do func(*Leftover) error) error {
	where, args := `(org, meeting_id, message_id) IN (SELECT org, meeting_id, message_id FROM texts WHERE `+sinceInserted+`)
		AND message_id IN (SELECT message_id FROM texts WHERE `+sinceInserted+`)`, []any{clickhouse.Named("since", micros(since))}
	if !day.IsZero() {
		where, args = "toDate(sent_at) = {day:Date}", []any{clickhouse.Named("day", day.Format(time.DateOnly))}
	}
	of := "(org, meeting_id) IN (SELECT org, meeting_id FROM texts WHERE " + where + ") AND meeting_id IN (SELECT meeting_id FROM texts WHERE " + where + ")"
	sql := `SELECT x.class, x.org, x.meeting_id, x.call_id, x.message_id, x.revised_at, x.sent, if(k.there = 1, x.next, x.came) AS gone_at,
			multiIf(k.there = 1, 'edited', t.there = 1 OR x.class = 'thread', 'tombstoned', 'superseded') AS why
		FROM (
			SELECT *, max(revised_at) OVER of AS newest, leadInFrame(revised_at) OVER (of ORDER BY revised_at ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING) AS next
			FROM (
				SELECT toString(class) AS class, org, meeting_id, call_id, message_id, revised_at, any(sent_at) AS sent, min(inserted_at) AS came
				FROM texts WHERE ` + where + ` GROUP BY class, org, meeting_id, call_id, message_id, revised_at
			) WINDOW of AS (PARTITION BY class, org, call_id, message_id)
		) AS x
		LEFT JOIN (
			SELECT toString(class) AS class, org, call_id, if(revision_of = ` + noUUID + `, item_id, revision_of) AS message, countIf(revision_of = ` + noUUID + `) > 0 AS there,
				groupUniqArrayIf(revised_at, revision_of != ` + noUUID + `) AS known
			FROM retained WHERE ` + of + ` GROUP BY class, org, call_id, message
		) AS k ON k.class = x.class AND k.org = x.org AND k.call_id = x.call_id AND k.message = x.message_id
		LEFT JOIN (
			SELECT toString(class) AS class, org, call_id, item_id, 1 AS there FROM tombstones
			WHERE (org, call_id) IN (SELECT org, call_id FROM texts WHERE ` + where + `) GROUP BY class, org, call_id, item_id
		) AS t ON t.class = x.class AND t.org = x.org AND t.call_id = x.call_id AND t.item_id = x.message_id
		WHERE NOT has(k.known, x.revised_at) AND if(k.there = 1, x.revised_at < x.newest, x.came <= now64(6, 'UTC') - ` + grace + `)`
	return s.scan(ctx, "look for texts that nobody can read", sql, func(rows driver.Rows) error {
		var l Leftover
		if err := rows.Scan(&l.Class, &l.Org, &l.MeetingID, &l.CallID, &l.MessageID, &l.RevisedAt, &l.SentAt, &l.GoneAt, &l.Why); err != nil {
			return err
		}
		l.RevisedAt, l.SentAt, l.GoneAt = l.RevisedAt.UTC(), l.SentAt.UTC(), l.GoneAt.UTC()
		return do(&l)
	}, args...)
}

// KeepLeftovers makes things of leftovers: hidden ones from the start, whatever happens in between. Repeated it does no harm.
func (s *Store) KeepLeftovers(ctx context.Context, leftovers []Leftover) error {
	var hidden, retained [][]any
	for i := range leftovers {
		l := &leftovers[i]
		hidden = append(hidden, []any{
			l.Class, l.Org, l.MeetingID, l.CallID, l.ItemID, l.MessageID, l.RevisedAt, l.SentAt, l.GoneAt, l.Why, l.Why == "tombstoned", "kept",
		})
		retained = append(retained, []any{l.Class, l.Org, l.MeetingID, l.CallID, l.ItemID, l.MessageID, l.RevisedAt, l.SentAt, int32(-1), int64(-1)})
	}
	const columns = "class, org, meeting_id, call_id, item_id, revision_of, revised_at, sent_at"
	if err := s.replaceRows(ctx, "hidden", columns+", hidden_at, why, born, rule_id", hidden); err != nil {
		return err
	}
	return s.replaceRows(ctx, "retained", columns+", _partition, _offset", retained)
}
