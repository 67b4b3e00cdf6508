package store

import (
	"context"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"
)

// OpenCall is a call of which nothing says that it has ended, or that somebody in it has left.
type OpenCall struct {
	CallKey
	MeetingID string
	// Ended: the call itself has ended; what is open are participants.
	Ended bool
	// LastSeen is the newest instant of which anything of the call is known.
	LastSeen time.Time
	// Present are the participants who joined before the instant asked for and of whom nothing says that they have left.
	Present []uuid.UUID
	// Joined is when each of them did.
	Joined []time.Time
}

// OpenCalls lists at most limit calls of own meetings in a region that started not before from and before to, and have no end or participants
// without one who joined before to; the oldest first.
func (r *Reader) OpenCalls(ctx context.Context, region string, from, to time.Time, limit int) ([]OpenCall, error) {
	const sql = `SELECT org, call_id, ` + "argMaxIf(meeting_id, " + newest + ", meeting_id != '')" + ` AS meeting, min(started_at) AS at, max(ended_at) IS NOT NULL AS ended FROM calls
		WHERE source_kind = 'media' AND region = {region:String} AND observed_at >= fromUnixTimestamp64Micro({from:Int64}, 'UTC')
		GROUP BY org, call_id
		HAVING (NOT ended OR (org, call_id) IN (
			SELECT org, call_id FROM participants
			WHERE source_kind = 'media' AND region = {region:String} AND observed_at >= fromUnixTimestamp64Micro({from:Int64}, 'UTC')
			GROUP BY org, call_id, participant_id
			HAVING max(left_at) IS NULL AND min(joined_at) < fromUnixTimestamp64Micro({to:Int64}, 'UTC')
		)) AND at >= fromUnixTimestamp64Micro({from:Int64}, 'UTC') AND at < fromUnixTimestamp64Micro({to:Int64}, 'UTC')
		ORDER BY at, org, call_id LIMIT {limit:UInt64}`
	args := []any{
		clickhouse.Named("region", region), clickhouse.Named("from", micros(from)), clickhouse.Named("to", micros(to)),
		clickhouse.Named("limit", uint64(max(limit, 0))),
	}
	var out []OpenCall
	err := r.query(ctx, "list open calls", sql, args, func(rows driver.Rows) error {
		var c OpenCall
		var started *time.Time
		if err := rows.Scan(&c.Org, &c.CallID, &c.MeetingID, &started, &c.Ended); err != nil {
			return err
		}
		out = append(out, c)
		return nil
	})
	if err != nil || len(out) == 0 {
		return nil, err
	}
	return out, r.whoIsOpen(ctx, out, to)
}

// SilentCalls lists at most limit calls of collected clients in a region that have no end and of which nothing has come for so long, though all that was
// produced by then is stored; the oldest first. Only calls of the last 92 days are looked at.
func (r *Reader) SilentCalls(ctx context.Context, region string, silence time.Duration, limit int) ([]OpenCall, error) {
	const sql = `SELECT c.org, c.call_id FROM (
			SELECT org, call_id, min(observed_at) AS at FROM calls
			WHERE source_kind = 'rtcstats' AND region = {region:String} AND observed_at >= now() - INTERVAL 92 DAY
			GROUP BY org, call_id HAVING max(ended_at) IS NULL
		) AS c INNER JOIN (
			SELECT org, call_id, max(changed_at) AS changed FROM call_changes GROUP BY org, call_id
		) AS h ON h.org = c.org AND h.call_id = c.call_id
		WHERE h.changed < least(now64(6, 'UTC'), (SELECT max(watermark) FROM watermarks WHERE name = 'calls')) - toIntervalMillisecond({silence:Int64})
		ORDER BY c.at, c.org, c.call_id LIMIT {limit:UInt64}`
	args := []any{
		clickhouse.Named("region", region), clickhouse.Named("silence", silence.Milliseconds()), clickhouse.Named("limit", uint64(max(limit, 0))),
	}
	var out []OpenCall
	err := r.query(ctx, "list silent calls", sql, args, func(rows driver.Rows) error {
		var c OpenCall
		err := rows.Scan(&c.Org, &c.CallID)
		out = append(out, c)
		return err
	})
	if err != nil || len(out) == 0 {
		return nil, err
	}
	return out, r.whoIsOpen(ctx, out, time.Now())
}

// whoIsOpen adds when calls were last seen, and who joined them before an instant and hasn't left.
func (r *Reader) whoIsOpen(ctx context.Context, out []OpenCall, to time.Time) error {
	at, keys := make(map[CallKey]int, len(out)), make([]CallKey, len(out))
	for i := range out {
		at[out[i].CallKey], keys[i] = i, out[i].CallKey
	}
	if err := r.lastSeen(ctx, keys, func(k CallKey, seen time.Time) { out[at[k]].LastSeen = seen }); err != nil {
		return err
	}
	present := `SELECT org, call_id, participant_id, min(joined_at) AS joined FROM participants WHERE ` + keysIn(keys) + ` GROUP BY org, call_id, participant_id
		HAVING max(left_at) IS NULL AND joined < fromUnixTimestamp64Micro({to:Int64}, 'UTC') ORDER BY org, call_id, participant_id`
	return r.query(ctx, "list who is in open calls", present, append(keyArgs(keys), clickhouse.Named("to", micros(to))), func(rows driver.Rows) error {
		var key CallKey
		var id uuid.UUID
		var joined *time.Time
		if err := rows.Scan(&key.Org, &key.CallID, &id, &joined); err != nil {
			return err
		}
		i := at[key]
		out[i].Present, out[i].Joined = append(out[i].Present, id), append(out[i].Joined, joined.UTC()) // HAVING leaves no NULL
		return nil
	})
}

// lastSeen tells the newest instant of which any table knows something of each call.
func (r *Reader) lastSeen(ctx context.Context, keys []CallKey, each func(CallKey, time.Time)) error {
	sql := "SELECT org, call_id, max(seen) FROM ("
	for i, table := range []string{"calls", "participants", "streams", "samples", "timeline"} {
		if i > 0 {
			sql += " UNION ALL "
		}
		sql += "SELECT org, call_id, max(observed_at) AS seen FROM " + table + " WHERE " + keysIn(keys) + " GROUP BY org, call_id"
	}
	return r.query(ctx, "find when calls were last seen", sql+") GROUP BY org, call_id", keyArgs(keys), func(rows driver.Rows) error {
		var key CallKey
		var seen time.Time
		if err := rows.Scan(&key.Org, &key.CallID, &seen); err != nil {
			return err
		}
		each(key, seen.UTC())
		return nil
	})
}
