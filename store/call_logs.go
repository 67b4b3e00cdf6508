package store

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"
)

// LogRecord is one record of the log, as it is kept and produced.
type LogRecord struct {
	CallKey
	Category    string
	RecordID    uuid.UUID
	Participant uuid.UUID
	// At is when the records of the call were written: the same for all of them.
	At        time.Time
	Body      string
	ExpiresAt time.Time
	// Seq is the record's place among those of its call; the store sets it.
	Seq uint32
}

// DueLogs lists calls of own media that have ended since, and whose records aren't done with, the oldest first.
func (r *Reader) DueLogs(ctx context.Context, since time.Time, limit int) ([]CallKey, error) {
	sql := `SELECT org, call_id, argMax(ended_at, ` + newest + `) AS ended FROM calls
		WHERE source_kind = 'media' AND observed_at >= fromUnixTimestamp64Micro({since:Int64}, 'UTC')
			AND (org, call_id) NOT IN (
				SELECT org, call_id FROM call_log_marks WHERE at >= fromUnixTimestamp64Micro({since:Int64}, 'UTC')
			)
		GROUP BY org, call_id HAVING ended >= fromUnixTimestamp64Micro({since:Int64}, 'UTC') ORDER BY ended, org, call_id LIMIT {limit:UInt64}`
	var out []CallKey
	err := r.query(ctx, "list calls to log", sql, []any{clickhouse.Named("since", micros(since)), clickhouse.Named("limit", uint64(max(limit, 0)))},
		func(rows driver.Rows) error {
			var key CallKey
			var ended *time.Time
			if err := rows.Scan(&key.Org, &key.CallID, &ended); err != nil {
				return err
			}
			out = append(out, key)
			return nil
		})
	return out, err
}

// CallLog are a call's records as they are stored, in their order, with who wrote them.
type CallLog struct {
	Records []LogRecord
	Writer  uuid.UUID
}

// ClaimCallLog stores the records of a call, unless some are stored already: those of whoever was first are the call's for good. It returns what is stored.
//
// All writers insert under one token, in one block, so the server takes the first and drops the others. The engine may have noted the token and lost the
// rows, when it was killed in between: then nobody's are there, and the writers race again under the token with a suffix.
func (s *Store) ClaimCallLog(ctx context.Context, key CallKey, writer uuid.UUID, records []LogRecord) (CallLog, error) {
	token := fmt.Sprintf("logs:%d:%s:%s", len(key.Org), key.Org, key.CallID)
	for i := range records {
		records[i].Seq = uint32(i) //nolint:gosec // a call has fewer
	}
	for attempt := range controlAttempts {
		stored, err := s.callLog(ctx, key)
		if err != nil || len(stored.Records) > 0 || len(records) == 0 {
			return stored, err
		}
		if err := s.insertCallLog(ctx, fmt.Sprintf("%s:%d", token, attempt), writer, records); err != nil {
			return CallLog{}, err
		}
	}
	stored, err := s.callLog(ctx, key)
	if err == nil && len(stored.Records) == 0 {
		err = fmt.Errorf("store records of call: %w: they were taken and are not there", ErrUnavailable)
	}
	return stored, err
}

func (s *Store) insertCallLog(ctx context.Context, token string, writer uuid.UUID, records []LogRecord) error {
	const action = "store records of call"
	batch, err := s.conn.PrepareBatch(s.controlContext(ctx, token), "INSERT INTO call_logs (org, call_id, category, record_id, seq, participant_id, at, body, writer, expires_at)")
	if err != nil {
		return wrap(action, err)
	}
	for i := range records {
		r := &records[i]
		if err := batch.Append(r.Org, r.CallID, r.Category, r.RecordID, r.Seq, r.Participant, r.At.UTC(), r.Body, writer, r.ExpiresAt.UTC()); err != nil {
			_ = batch.Abort()
			return fmt.Errorf("%s: %w", action, err)
		}
	}
	return wrap(action, batch.Send())
}

func (s *Store) callLog(ctx context.Context, key CallKey) (CallLog, error) {
	var out CallLog
	err := s.scan(s.controlContext(ctx, ""), "read records of call", `SELECT toString(category), record_id, participant_id, at, body, writer, expires_at, seq FROM call_logs
		WHERE org = {org:String} AND call_id = {call:String} ORDER BY seq LIMIT 1 BY seq`, func(rows driver.Rows) error {
		r := LogRecord{CallKey: key}
		if err := rows.Scan(&r.Category, &r.RecordID, &r.Participant, &r.At, &r.Body, &out.Writer, &r.ExpiresAt, &r.Seq); err != nil {
			return err
		}
		r.At = r.At.UTC()
		out.Records = append(out.Records, r)
		return nil
	}, clickhouse.Named("org", key.Org), clickhouse.Named("call", key.CallID))
	return out, err
}

// MarkCallLog notes that the records of a call are produced, and that they are of all that was known of it at an instant of the server's clock: it is done
// with, unless more becomes known.
func (s *Store) MarkCallLog(ctx context.Context, key CallKey, records int, known time.Time) error {
	return s.replaceRows(ctx, "call_log_marks", "org, call_id, at, records", [][]any{{key.Org, key.CallID, known.UTC(), uint32(records)}}) //nolint:gosec // a call has fewer
}

// LogFilter says which records are listed.
type LogFilter struct {
	Org, Category string
	// Resource, of a resource's log.
	Resource uuid.UUID
	// From and To bound LogRecord.At: not before From, before To; zero does not bound.
	From, To time.Time
	After    *LogAt
	Limit    int
}

// LogAt is the place of a record in the list.
type LogAt struct {
	At       time.Time
	RecordID uuid.UUID
}

// Logs lists an organisation's records of one category, by the time they were written. What has expired is not there any more.
func (r *Reader) Logs(ctx context.Context, f LogFilter) ([]LogRecord, error) {
	return r.logs(ctx, "list records", "call_logs", "org = {org:String}", f)
}

func (r *Reader) logs(ctx context.Context, action, table, condition string, f LogFilter) ([]LogRecord, error) {
	args := []any{
		clickhouse.Named("org", f.Org), clickhouse.Named("resource", f.Resource.String()), clickhouse.Named("category", f.Category),
		clickhouse.Named("limit", uint64(max(f.Limit, 0))),
	}
	sql := `SELECT org, call_id, record_id, participant_id, at, body FROM ` + table + ` WHERE ` + condition + ` AND category = {category:String} AND expires_at > now('UTC')`
	bound := func(condition, name string, t time.Time) {
		sql += " AND " + condition
		args = append(args, clickhouse.Named(name, micros(t)))
	}
	if !f.From.IsZero() {
		bound("at >= fromUnixTimestamp64Micro({from:Int64}, 'UTC')", "from", f.From)
	}
	if !f.To.IsZero() {
		bound("at < fromUnixTimestamp64Micro({to:Int64}, 'UTC')", "to", f.To)
	}
	if f.After != nil {
		bound("(at, record_id) > (fromUnixTimestamp64Micro({after:Int64}, 'UTC'), {after_id:UUID})", "after", f.After.At)
		args = append(args, clickhouse.Named("after_id", f.After.RecordID.String()))
	}
	sql += " ORDER BY at, record_id LIMIT 1 BY at, record_id LIMIT {limit:UInt64}"
	var out []LogRecord
	err := r.query(ctx, action, sql, args, func(rows driver.Rows) error {
		one := LogRecord{Category: f.Category}
		if err := rows.Scan(&one.Org, &one.CallID, &one.RecordID, &one.Participant, &one.At, &one.Body); err != nil {
			return err
		}
		one.At = one.At.UTC()
		out = append(out, one)
		return nil
	})
	return out, err
}
