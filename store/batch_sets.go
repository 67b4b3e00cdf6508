package store

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"
)

// SetThing is a thing of a batch that is purged.
type SetThing struct {
	Thing
	// CopyID is its keyed hash (proof.ThingID).
	CopyID [32]byte
}

// insertColumns stores columns of equal length as rows of a table, without a deduplication token: what is written here is looked at afterwards, and rows
// that are there twice count once, while a token can lose what a crash lost.
func (s *Store) insertColumns(ctx context.Context, table string, columns ...column) error {
	if len(columns) == 0 || columns[0].len() == 0 {
		return nil
	}
	action := "insert into " + table
	names := ""
	for i, c := range columns {
		if i > 0 {
			names += ", "
		}
		names += c.columnName()
	}
	batch, err := s.conn.PrepareBatch(clickhouse.Context(ctx, clickhouse.WithSettings(repeated(insertSettings("")))), "INSERT INTO "+table+" ("+names+")")
	if err != nil {
		return wrap(action, err)
	}
	to := batch.Columns()
	for i, c := range columns {
		if err := c.appendTo(to[i], nil); err != nil {
			_ = batch.Abort()
			return fmt.Errorf("%s, column %s: %w", action, c.columnName(), err)
		}
	}
	return wrap(action, batch.Send())
}

// col makes a column of a field of each item.
func col[I, V any](name string, items []I, field func(*I) V) column {
	c := &vec[V]{name: name, values: make([]V, len(items))}
	for i := range items {
		c.values[i] = field(&items[i])
	}
	return c
}

// WriteSet writes what a batch is about to purge. Its things count for nothing before the batch's intent is written.
func (s *Store) WriteSet(ctx context.Context, batch uuid.UUID, begun time.Time, things []SetThing) error {
	return s.insertColumns(ctx, "purge_sets",
		col("batch_id", things, func(*SetThing) uuid.UUID { return batch }),
		col("copy_id", things, func(t *SetThing) string { return string(t.CopyID[:]) }),
		col("class", things, func(t *SetThing) string { return t.Class }),
		col("org", things, func(t *SetThing) string { return t.Org }),
		col("meeting_id", things, func(t *SetThing) uuid.UUID { return t.MeetingID }),
		col("call_id", things, func(t *SetThing) string { return t.CallID }),
		col("item_id", things, func(t *SetThing) uuid.UUID { return t.ItemID }),
		col("holder_id", things, func(t *SetThing) uuid.UUID { return t.HolderID }),
		col("resource_id", things, func(t *SetThing) uuid.UUID { return t.ResourceID }),
		col("revision_of", things, func(t *SetThing) uuid.UUID { return t.RevisionOf }),
		col("revised_at", things, func(t *SetThing) time.Time {
			if t.RevisionOf == uuid.Nil {
				return time.UnixMicro(0)
			}
			return t.RevisedAt
		}),
		col("sent_at", things, func(t *SetThing) time.Time { return t.SentAt }),
		col("due_at", things, func(t *SetThing) *time.Time { return t.DueAt }),
		col("hidden_at", things, func(t *SetThing) time.Time { return *t.HiddenAt }),
		col("late_from", things, func(t *SetThing) time.Time { return t.LateFrom() }),
		col("why", things, func(t *SetThing) string { return t.Why }),
		col("born", things, func(t *SetThing) bool { return t.Born }),
		col("rule_id", things, func(t *SetThing) string { return t.RuleID }),
		col("rule_version", things, func(t *SetThing) uint64 { return t.RuleVersion }),
		col("reason", things, func(t *SetThing) string { return t.Reason }),
		col("revision", things, func(t *SetThing) string { return t.Revision }),
		col("begun", things, func(*SetThing) time.Time { return begun }),
	)
}

// inSet is what is in a batch of the table purge_sets, with its parameters batch and epoch: what isn't taken out, or was by somebody who didn't finish.
const inSet = `batch_id = {batch:UUID} AND taken_out = 0 AND copy_id NOT IN (SELECT copy_id FROM purge_sets
	WHERE batch_id = {batch:UUID} AND taken_out = 1 AND epoch = {epoch:UInt64})`

// EachOfSet calls do for each thing that a batch has purged and that has no evidence yet by another batch, in order of copy id. epoch is that of the purge.
// do must not keep the SetThing. LateFrom of it is told as InsertedAt and GoneAt.
func (s *Store) EachOfSet(ctx context.Context, batch uuid.UUID, epoch uint64, do func(*SetThing) error) error {
	var t SetThing
	var id string
	return s.scan(ctx, "read a batch", `SELECT copy_id, toString(class), org, meeting_id, call_id, resource_id, sent_at, due_at, hidden_at, late_from, toString(why), born,
			toString(rule_id), rule_version, toString(reason), toString(revision)
		FROM purge_sets WHERE `+inSet+` AND copy_id NOT IN (SELECT copy_id FROM purge_sets WHERE batch_id = {batch:UUID} AND taken_out = 2)
		ORDER BY copy_id LIMIT 1 BY copy_id`, func(rows driver.Rows) error {
		t = SetThing{}
		var hidden, late time.Time
		if err := rows.Scan(&id, &t.Class, &t.Org, &t.MeetingID, &t.CallID, &t.ResourceID, &t.SentAt, &t.DueAt, &hidden, &late, &t.Why, &t.Born,
			&t.RuleID, &t.RuleVersion, &t.Reason, &t.Revision); err != nil {
			return err
		}
		copy(t.CopyID[:], id)
		hidden = hidden.UTC()
		t.SentAt, t.DueAt, t.HiddenAt, t.GoneAt, t.InsertedAt = t.SentAt.UTC(), utc(t.DueAt), &hidden, &hidden, late.UTC()
		return do(&t)
	}, clickhouse.Named("batch", batch), clickhouse.Named("epoch", epoch))
}

// MarkReturned takes things out of a batch's evidence that have theirs already: they were gone, and came back. It returns how many there are.
func (s *Store) MarkReturned(ctx context.Context, batch uuid.UUID) error {
	return s.onShards(ctx, "look for what came back", `INSERT INTO `+s.here("purge_sets")+` (batch_id, copy_id, taken_out, class, org, call_id, sent_at, begun)
		SELECT batch_id, copy_id, 2, class, org, call_id, sent_at, begun FROM `+s.here("purge_sets")+`
		WHERE batch_id = {batch:UUID} AND taken_out = 0 AND copy_id IN (SELECT copy_id FROM `+s.here("evidence")+`
			WHERE (org, sent_at) IN (SELECT org, sent_at FROM `+s.here("purge_sets")+` WHERE batch_id = {batch:UUID}))`, clickhouse.Named("batch", batch))
}

// Unregistered returns the things of a batch that are in no stored batch yet.
func (s *Store) Unregistered(ctx context.Context, batch uuid.UUID) ([]StoredThing, error) {
	var out []StoredThing
	err := s.scan(ctx, "look for what isn't told of", `SELECT copy_id, toString(class), org, meeting_id, call_id, resource_id, sent_at FROM purge_sets
		WHERE batch_id = {batch:UUID} AND taken_out = 0 AND copy_id NOT IN (SELECT copy_id FROM stored_things
			WHERE (org, sent_at) IN (SELECT org, sent_at FROM purge_sets WHERE batch_id = {batch:UUID}))`, func(rows driver.Rows) error {
		var t StoredThing
		var id string
		err := rows.Scan(&id, &t.Class, &t.Org, &t.MeetingID, &t.CallID, &t.ResourceID, &t.SentAt)
		copy(t.CopyID[:], id)
		t.SentAt = t.SentAt.UTC()
		out = append(out, t)
		return err
	}, clickhouse.Named("batch", batch))
	return out, err
}

// onShards runs a statement on each shard that may be repeated.
func (s *Store) onShards(ctx context.Context, action, statement string, args ...any) error {
	return s.eachShard(ctx, func(ctx context.Context, conn driver.Conn) error {
		return wrap(action, conn.Exec(clickhouse.Context(ctx, clickhouse.WithSettings(repeated(settings()))), statement, args...))
	})
}
