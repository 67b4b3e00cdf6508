package store

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"
)

// The resource log is a database of its own beside the region's: what it says of guests, with their ids, nobody gets who has rights on analytics alone.

// ResourceGuest is a guest of a resource as a participant of a call.
type ResourceGuest struct {
	ResourceID uuid.UUID
	CallKey
	ParticipantID uuid.UUID
	MeetingID     uuid.UUID
	// UserID is the one that the resource gave the guest; "" for guests of the shipped join page.
	UserID    string
	JoinedAt  time.Time
	ExpiresAt time.Time
}

// inLog names a table of the resource log.
func (s *Store) inLog(table string) string { return s.cfg.resourceLog() + "." + table }

func (s *Store) saveGuests(ctx context.Context, guests []ResourceGuest) error {
	rows := make([][]any, len(guests))
	for i, g := range guests {
		rows[i] = []any{g.ResourceID, g.Org, g.CallID, g.ParticipantID, g.MeetingID, g.UserID, g.JoinedAt.UTC(), g.ExpiresAt.UTC()}
	}
	return s.replaceRows(ctx, s.inLog("guests"), "resource_id, org, call_id, participant_id, meeting_id, user_id, joined_at, expires_at", rows)
}

// UnloggedGuests lists guests who joined since and of whom nothing is logged yet, the oldest first, those of one call together.
func (s *Store) UnloggedGuests(ctx context.Context, since time.Time, limit int) ([]ResourceGuest, error) {
	var out []ResourceGuest
	err := s.scan(ctx, "list guests to log", `SELECT resource_id, org, call_id, participant_id, any(meeting_id), max(user_id), min(joined_at) AS joined, max(expires_at)
		FROM `+s.inLog("guests")+` WHERE joined_at >= fromUnixTimestamp64Micro({since:Int64}, 'UTC') AND expires_at > now('UTC')
			AND (org, call_id, participant_id) NOT IN (SELECT org, call_id, participant_id FROM `+s.inLog("records")+` WHERE at >= fromUnixTimestamp64Micro({since:Int64}, 'UTC'))
		GROUP BY resource_id, org, call_id, participant_id ORDER BY org, call_id, joined, participant_id LIMIT {limit:UInt64}`, func(rows driver.Rows) error {
		var g ResourceGuest
		if err := rows.Scan(&g.ResourceID, &g.Org, &g.CallID, &g.ParticipantID, &g.MeetingID, &g.UserID, &g.JoinedAt, &g.ExpiresAt); err != nil {
			return err
		}
		g.JoinedAt, g.ExpiresAt = g.JoinedAt.UTC(), g.ExpiresAt.UTC()
		out = append(out, g)
		return nil
	}, clickhouse.Named("since", micros(since)), clickhouse.Named("limit", fmt.Sprint(limit)))
	return out, err
}

// SaveResourceLog stores a guest's records in one block: once, under a token of the guest's, unless a crash has lost what the token stands for. Usage goes
// first, and counts once however often it is stored.
func (s *Store) SaveResourceLog(ctx context.Context, g ResourceGuest, records []LogRecord, usage []Usage) error {
	rows := make([][]any, len(usage))
	for i, u := range usage {
		rows[i] = []any{g.ResourceID, g.Org, u.Day, g.CallID, g.ParticipantID, u.Began, uint64(u.Stay.Milliseconds()), u.Messages} //nolint:gosec // not negative
	}
	if err := s.replaceRows(ctx, s.inLog("usage"), "resource_id, org, day, call_id, participant_id, began, stay_ms, messages", rows); err != nil {
		return err
	}
	for attempt := range controlAttempts {
		token := fmt.Sprintf("guest:%d:%s:%s:%s:%d", len(g.Org), g.Org, g.CallID, g.ParticipantID, attempt)
		if err := s.insertResourceLog(ctx, token, g, records); err != nil {
			return err
		}
		there, err := s.isLogged(ctx, g)
		if err != nil || there {
			return err
		}
	}
	return fmt.Errorf("store records of guest: %w: they were taken and are not there", ErrUnavailable)
}

func (s *Store) insertResourceLog(ctx context.Context, token string, g ResourceGuest, records []LogRecord) error {
	const action = "store records of guest"
	batch, err := s.conn.PrepareBatch(s.controlContext(ctx, token),
		"INSERT INTO "+s.inLog("records")+" (resource_id, org, call_id, participant_id, category, record_id, at, body, expires_at)")
	if err != nil {
		return wrap(action, err)
	}
	for i := range records {
		r := &records[i]
		if err := batch.Append(g.ResourceID, g.Org, g.CallID, g.ParticipantID, r.Category, r.RecordID, r.At.UTC(), r.Body, g.ExpiresAt.UTC()); err != nil {
			_ = batch.Abort()
			return fmt.Errorf("%s: %w", action, err)
		}
	}
	return wrap(action, batch.Send())
}

func (s *Store) isLogged(ctx context.Context, g ResourceGuest) (bool, error) {
	there := false
	err := s.scan(s.controlContext(ctx, ""), "look for records of guest", `SELECT count() > 0 FROM `+s.inLog("records")+`
		WHERE resource_id = {resource:UUID} AND org = {org:String} AND call_id = {call:String} AND participant_id = {participant:UUID}`,
		func(rows driver.Rows) error { return rows.Scan(&there) },
		clickhouse.Named("resource", g.ResourceID.String()), clickhouse.Named("org", g.Org), clickhouse.Named("call", g.CallID),
		clickhouse.Named("participant", g.ParticipantID.String()))
	return there, err
}

// ResourceLogs lists a resource's records of one category, by the time they were written. What has expired is not there any more.
func (r *Reader) ResourceLogs(ctx context.Context, f LogFilter) ([]LogRecord, error) {
	return r.logs(ctx, "list records of resource", r.resourceLog+".records", "resource_id = {resource:UUID}", f)
}

// Usage is what one stay, or all of a resource's, comes to on a day.
type Usage struct {
	ResourceID uuid.UUID
	// Day in UTC.
	Day time.Time
	// Began: the stay began on this day. Stays is how many did.
	Began    bool
	Stays    uint64
	Stay     time.Duration
	Messages uint32
	// Sent is Messages of all stays.
	Sent uint64
}

// UsageFilter says whose usage is added up: of resources, whichever organisation hosted the call, and of those in Hosted in calls of the organisation alone.
type UsageFilter struct {
	Resources []uuid.UUID
	Org       string
	Hosted    []uuid.UUID
	// First and Last day, in UTC.
	First, Last time.Time
}

// Usage adds up stays by day and resource.
func (r *Reader) Usage(ctx context.Context, f UsageFilter) ([]Usage, error) {
	texts := func(ids []uuid.UUID) []string {
		out := make([]string, len(ids))
		for i, id := range ids {
			out[i] = id.String()
		}
		return out
	}
	var out []Usage
	err := r.query(ctx, "add up usage", `SELECT day, resource_id, countIf(began), sum(stay), sum(sent) FROM (
			SELECT day, resource_id, org, call_id, participant_id, max(began) AS began, max(stay_ms) AS stay, max(messages) AS sent FROM `+r.resourceLog+`.usage
			WHERE day BETWEEN toDate({first:String}) AND toDate({last:String})
				AND (resource_id IN {resources:Array(UUID)} OR (org = {org:String} AND resource_id IN {hosted:Array(UUID)}))
			GROUP BY day, resource_id, org, call_id, participant_id
		) GROUP BY day, resource_id ORDER BY day, resource_id`,
		[]any{
			clickhouse.Named("first", f.First.Format(time.DateOnly)), clickhouse.Named("last", f.Last.Format(time.DateOnly)),
			clickhouse.Named("resources", texts(f.Resources)), clickhouse.Named("org", f.Org), clickhouse.Named("hosted", texts(f.Hosted)),
		}, func(rows driver.Rows) error {
			var u Usage
			var ms uint64
			if err := rows.Scan(&u.Day, &u.ResourceID, &u.Stays, &ms, &u.Sent); err != nil {
				return err
			}
			u.Day, u.Stay = u.Day.UTC(), time.Duration(ms)*time.Millisecond //nolint:gosec // far below 292 years
			out = append(out, u)
			return nil
		})
	return out, err
}
