package store

import (
	"context"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// callChange says that a batch has rows of a call.
type callChange struct {
	key CallKey
	// turns: rows of who came or went, or of the call's begin or end.
	turns uint64
}

// changes are the calls that a batch has rows of, each once. Chat, which has threads of its own, and decisions make no call.
func (b *Batch) changes() []callChange {
	place := make(map[CallKey]int)
	var out []callChange
	note := func(e *envelope, turns uint64, counts func(row int) bool) {
		type pair struct{ org, call uint32 }
		var last pair
		for row := range e.org.rows {
			if counts != nil && !counts(row) {
				continue
			}
			this := pair{e.org.rows[row], e.callID.rows[row]}
			if row > 0 && this == last && counts == nil {
				continue // has been noted with the row before
			}
			last = this
			key := CallKey{Org: e.org.at(row), CallID: e.callID.at(row)}
			at, seen := place[key]
			if !seen {
				at = len(out)
				place[key] = at
				out = append(out, callChange{key: key})
			}
			out[at].turns = max(out[at].turns, turns)
		}
	}
	note(&b.Calls.env, 1, nil)
	note(&b.Participants.env, 1, nil)
	note(&b.Streams.env, 1, nil)
	note(&b.Samples.env, 0, nil)
	note(&b.Timeline.env, 0, func(row int) bool {
		kind := EntryKind(b.Timeline.kind.values[row])
		return kind != ChatEntry && kind != DecisionEntry
	})
	return out
}

// saveChanges counts the calls that a stored batch has rows of. It comes after the rows: whoever reads the count first and the rows then never takes
// fewer rows for all that were counted.
func (s *Store) saveChanges(ctx context.Context, b *Batch) error {
	changes := b.changes()
	return s.insertColumns(ctx, "call_changes",
		col("org", changes, func(c *callChange) string { return c.key.Org }),
		col("call_id", changes, func(c *callChange) string { return c.key.CallID }),
		col("batches", changes, func(*callChange) uint64 { return 1 }),
		col("turns", changes, func(c *callChange) uint64 { return c.turns }),
	)
}

// CallChanges is how often rows of a call arrived, and when last, by the server's clock.
type CallChanges struct {
	Batches uint64
	At      time.Time
}

// Changes reads how often a call has changed; the zero value for a call of which no rows are known.
func (r *Reader) Changes(ctx context.Context, key CallKey) (CallChanges, error) {
	var c CallChanges
	err := r.query(ctx, "look whether a call changed", "SELECT sum(batches), max(changed_at) FROM call_changes WHERE org = {org:String} AND call_id = {call:String}",
		[]any{clickhouse.Named("org", key.Org), clickhouse.Named("call", key.CallID)}, func(rows driver.Rows) error { return rows.Scan(&c.Batches, &c.At) })
	c.At = c.At.UTC()
	return c, err
}

// Watermark is until when all that was produced is stored and summed up.
type Watermark struct {
	At time.Time
	// Reason why it does not move on, in plain English; empty when it does.
	Reason string
	// NotedAt is when that was found out, by the server's clock.
	NotedAt time.Time
}
