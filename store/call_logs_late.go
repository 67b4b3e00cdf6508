package store

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"
)

// lateSeq is where the places of a call's further records begin.
const lateSeq = 1 << 31

// LateLog is a call of which rows have come since its records were made.
type LateLog struct {
	CallKey
	// Made is of when the newest records are, by the server's clock.
	Made time.Time
}

// LateLogs lists calls whose records are done with, of which rows came after the records were made and not before an instant (all by the server's clock). Rows
// of the last two seconds are left for the next look: when records are made is noted to the second, so that they would be found twice.
func (r *Reader) LateLogs(ctx context.Context, since time.Time, limit int) ([]LateLog, error) {
	const sql = `SELECT m.org, m.call_id, m.made FROM (
			SELECT org, call_id, max(at) AS made FROM call_log_marks GROUP BY org, call_id
		) AS m INNER JOIN (
			SELECT org, call_id, max(changed_at) AS changed FROM call_changes
			WHERE changed_at >= fromUnixTimestamp64Micro({since:Int64}, 'UTC') GROUP BY org, call_id
		) AS c ON c.org = m.org AND c.call_id = m.call_id
		WHERE c.changed > m.made AND c.changed <= now64(6, 'UTC') - INTERVAL 2 SECOND ORDER BY m.made, m.org, m.call_id LIMIT {limit:UInt64}`
	var out []LateLog
	err := r.query(ctx, "list calls of which more is known", sql, []any{clickhouse.Named("since", micros(since)), clickhouse.Named("limit", uint64(max(limit, 0)))},
		func(rows driver.Rows) error {
			var l LateLog
			err := rows.Scan(&l.Org, &l.CallID, &l.Made)
			l.Made = l.Made.UTC()
			out = append(out, l)
			return err
		})
	return out, err
}

// ExtendCallLog stores further records of a call: those that the call has none of the same id of. It returns all further ones that were stored at made or
// later, whoever wrote them: they are for being produced. Each is an insert under a token of its own, so that of several writers one wins.
func (s *Store) ExtendCallLog(ctx context.Context, key CallKey, writer uuid.UUID, made time.Time, records []LogRecord) ([]LogRecord, error) {
	for attempt := range controlAttempts {
		stored, err := s.callLog(ctx, key)
		if err != nil {
			return nil, err
		}
		has := make(map[uuid.UUID]bool, len(stored.Records))
		var out []LogRecord
		for i := range stored.Records {
			one := &stored.Records[i]
			has[one.RecordID] = true
			if one.Seq >= lateSeq && !one.At.Before(made) {
				out = append(out, *one)
			}
		}
		done := true
		for i := range records {
			one := &records[i]
			if has[one.RecordID] {
				continue
			}
			done = false
			one.Seq = lateSeq | binary.BigEndian.Uint32(one.RecordID[:4])
			token := fmt.Sprintf("logs:%d:%s:%s:%s:%d", len(key.Org), key.Org, key.CallID, one.RecordID, attempt)
			if err := s.insertCallLog(ctx, token, writer, records[i:i+1]); err != nil {
				return nil, err
			}
		}
		if done {
			return out, nil
		}
	}
	return nil, fmt.Errorf("store further records of call: %w: they were taken and are not there", ErrUnavailable)
}
