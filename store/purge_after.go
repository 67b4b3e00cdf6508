package store

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"
)

// HoldBack takes out of the batches what a hold covered when it was to be deleted, so that it is still there, for the sweeper of the epoch. Things of which
// nothing is left are gone, whatever covers them by now.
func (s *Store) HoldBack(ctx context.Context, p Purging) error {
	still := ""
	switch p.Class {
	case "thread", "copy":
		texts := s.here("texts") + " WHERE class = '" + p.Class + "' AND toDate(sent_at) = '" + p.Day.Format(time.DateOnly) + "'"
		still = " AND if(revision_of = " + noUUID + ", (org, call_id, item_id) IN (SELECT org, call_id, message_id FROM " + texts + ")," +
			" (org, call_id, revision_of, revised_at) IN (SELECT org, call_id, message_id, revised_at FROM " + texts + "))"
	case "notice":
		still = " AND (org, call_id) IN (SELECT org, call_id FROM " + s.here("timeline") + " WHERE kind = 'notice')"
	case "decision":
		still = " AND (org, call_id) IN (SELECT org, call_id FROM " + s.here("decisions") + ")"
	}
	return s.onShards(ctx, "hold back what is held", `INSERT INTO `+s.here("purge_sets")+` (batch_id, copy_id, taken_out, epoch, class, org, call_id, sent_at, begun)
		SELECT batch_id, copy_id, 1, {epoch:UInt64}, class, org, call_id, sent_at, begun FROM `+s.here("purge_sets")+`
		WHERE batch_id IN (`+p.batchList()+`) AND taken_out = 0 AND (org, meeting_id, class, resource_id) IN (`+s.heldKeys(p.meetings(s))+`)`+still,
		clickhouse.Named("epoch", p.Epoch))
}

// meetings is the condition for a meeting to have something in the batches.
func (p Purging) meetings(s *Store) string {
	return "(org, meeting_id) IN (SELECT org, meeting_id FROM " + s.here("purge_sets") + " WHERE batch_id IN (" + p.batchList() + "))"
}

// TakeOut takes things out of a batch that were not deleted in the attempt of an epoch.
func (s *Store) TakeOut(ctx context.Context, batch uuid.UUID, begun time.Time, epoch uint64, things []SetThing) error {
	return s.insertColumns(ctx, "purge_sets",
		col("batch_id", things, func(*SetThing) uuid.UUID { return batch }),
		col("copy_id", things, func(t *SetThing) string { return string(t.CopyID[:]) }),
		col("taken_out", things, func(*SetThing) uint8 { return 1 }),
		col("epoch", things, func(*SetThing) uint64 { return epoch }),
		col("class", things, func(t *SetThing) string { return t.Class }),
		col("org", things, func(t *SetThing) string { return t.Org }),
		col("call_id", things, func(t *SetThing) string { return t.CallID }),
		col("sent_at", things, func(t *SetThing) time.Time { return t.SentAt }),
		col("begun", things, func(*SetThing) time.Time { return begun }),
	)
}

// EachToDelete calls do for each thing of a batch, with whether a hold covers it now. do must not keep the SetThing. For what is deleted one by one.
func (s *Store) EachToDelete(ctx context.Context, batch uuid.UUID, do func(*SetThing) error) error {
	var t SetThing
	var id string
	return s.scan(ctx, "read a batch", `SELECT copy_id, toString(class), org, meeting_id, call_id, item_id, resource_id, sent_at, (org, meeting_id, class, resource_id) IN (`+
		s.heldKeys("(org, meeting_id) IN (SELECT org, meeting_id FROM "+s.cfg.Database+".purge_sets WHERE batch_id = {batch:UUID})")+`)
		FROM purge_sets WHERE batch_id = {batch:UUID} AND taken_out = 0 ORDER BY copy_id LIMIT 1 BY copy_id`, func(rows driver.Rows) error {
		t = SetThing{}
		if err := rows.Scan(&id, &t.Class, &t.Org, &t.MeetingID, &t.CallID, &t.ItemID, &t.ResourceID, &t.SentAt, &t.Held); err != nil {
			return err
		}
		copy(t.CopyID[:], id)
		t.SentAt = t.SentAt.UTC()
		return do(&t)
	}, clickhouse.Named("batch", batch))
}

// HeldNow tells whether a hold covers a class of a meeting, with a resource or, if that is zero, with any.
func (s *Store) HeldNow(ctx context.Context, org string, meeting uuid.UUID, class string, resource uuid.UUID) (bool, error) {
	held := false
	err := s.scan(s.controlContext(ctx, ""), "look for a hold", `SELECT count() > 0 FROM retention_decisions FINAL
		WHERE held AND org = {org:String} AND meeting_id = {meeting:UUID} AND toString(class) = {class:String}
			AND ({resource:UUID} = `+noUUID+` OR resource_id = {resource:UUID})`, func(rows driver.Rows) error { return rows.Scan(&held) },
		clickhouse.Named("org", org), clickhouse.Named("meeting", meeting), clickhouse.Named("class", class), clickhouse.Named("resource", resource))
	return held, err
}

// Members is how many things a batch has purged, those among them that have evidence of before not counted, and how many of them have evidence of this batch.
func (s *Store) Members(ctx context.Context, batch uuid.UUID, epoch uint64) (members, evidenced uint64, err error) {
	args := []any{clickhouse.Named("batch", batch), clickhouse.Named("epoch", epoch)}
	err = s.scan(ctx, "count a batch", `SELECT uniqExact(copy_id) FROM purge_sets WHERE `+inSet+`
		AND copy_id NOT IN (SELECT copy_id FROM purge_sets WHERE batch_id = {batch:UUID} AND taken_out = 2)`,
		func(rows driver.Rows) error { return rows.Scan(&members) }, args...)
	if err != nil {
		return 0, 0, err
	}
	err = s.scan(ctx, "count a batch's evidence", `SELECT uniqExact(copy_id) FROM evidence WHERE batch_id = {batch:UUID}`,
		func(rows driver.Rows) error { return rows.Scan(&evidenced) }, args[:1]...)
	return members, evidenced, err
}

// WriteEvidence stores rows of evidence. Rows that are there already count once.
func (s *Store) WriteEvidence(ctx context.Context, rows []Evidence) error {
	return s.insertColumns(ctx, "evidence",
		col("copy_id", rows, func(e *Evidence) string { return string(e.CopyID[:]) }),
		col("nonce", rows, func(e *Evidence) string { return string(e.Nonce[:]) }),
		col("class", rows, func(e *Evidence) string { return e.Class }),
		col("org", rows, func(e *Evidence) string { return e.Org }),
		col("meeting_id", rows, func(e *Evidence) uuid.UUID { return e.MeetingID }),
		col("call_id", rows, func(e *Evidence) string { return e.CallID }),
		col("resource_id", rows, func(e *Evidence) uuid.UUID { return e.ResourceID }),
		col("sent_at", rows, func(e *Evidence) time.Time { return e.SentAt }),
		col("due_at", rows, func(e *Evidence) *time.Time { return e.DueAt }),
		col("hidden_at", rows, func(e *Evidence) time.Time { return e.HiddenAt }),
		col("purged_at", rows, func(e *Evidence) time.Time { return e.PurgedAt }),
		col("why", rows, func(e *Evidence) string { return e.Why }),
		col("born", rows, func(e *Evidence) bool { return e.Born }),
		col("held", rows, func(e *Evidence) bool { return e.Held }),
		col("lateness_ms", rows, func(e *Evidence) int64 { return e.LatenessMs }),
		col("attempts", rows, func(e *Evidence) uint32 { return e.Attempts }),
		col("rule_id", rows, func(e *Evidence) string { return e.RuleID }),
		col("rule_version", rows, func(e *Evidence) uint64 { return e.RuleVersion }),
		col("reason", rows, func(e *Evidence) string { return e.Reason }),
		col("revision", rows, func(e *Evidence) string { return e.Revision }),
		col("broker_expiry_at", rows, func(e *Evidence) *time.Time { return e.BrokerExpiryAt }),
		col("batch_id", rows, func(e *Evidence) uuid.UUID { return e.BatchID }),
	)
}

// Bury writes the tombstones of what a batch has purged. epoch is that of the purge, at when.
func (s *Store) Bury(ctx context.Context, batch uuid.UUID, epoch uint64, at time.Time) error {
	return s.onShards(ctx, "write tombstones", `INSERT INTO `+s.here("tombstones")+` (class, org, call_id, item_id, holder_id, sent_at, buried_at)
		SELECT class, org, call_id, item_id, holder_id, sent_at, fromUnixTimestamp64Micro({at:Int64}, 'UTC') FROM `+s.here("purge_sets")+` WHERE `+s.ofShard(inSet),
		clickhouse.Named("batch", batch), clickhouse.Named("epoch", epoch), clickhouse.Named("at", micros(at)))
}

// Forgotten are batches of a class and day whose things are purged and proven; Epochs are those of their purges.
type Forgotten struct {
	ClassDay
	Epochs map[uuid.UUID]uint64
}

// where is the condition for a row of retained or hidden to be of one of their things.
func (f Forgotten) where(s *Store) string {
	var members []string
	for batch, epoch := range f.Epochs {
		of := "batch_id = '" + batch.String() + "' AND taken_out = "
		members = append(members, "SELECT class, org, meeting_id, call_id, holder_id, sent_at, item_id FROM "+s.here("purge_sets")+" WHERE "+of+
			"0 AND copy_id NOT IN (SELECT copy_id FROM "+s.here("purge_sets")+" WHERE "+of+"1 AND epoch = "+strconv.FormatUint(epoch, 10)+")")
	}
	return "class = '" + f.Class + "' AND toDate(sent_at) = '" + f.Day.Format(time.DateOnly) +
		"' AND (class, org, meeting_id, call_id, holder_id, sent_at, item_id) IN (" + strings.Join(members, " UNION ALL ") + ")"
}

// Forget removes the rows of what was purged from retained and hidden, for the sweeper of an epoch. Tombstones stand by then, so that what comes back is known.
// All of it is one statement per table: each makes the engine go over all parts of the table.
func (s *Store) Forget(ctx context.Context, epoch uint64, list []Forgotten) error {
	var commands []string
	for _, f := range list {
		if len(f.Epochs) > 0 {
			commands = append(commands, "DELETE IN PARTITION ID '"+f.Day.Format("20060102")+"' WHERE "+f.where(s)+" AND "+s.fence(epoch))
		}
	}
	if len(commands) == 0 {
		return nil
	}
	return s.eachShard(ctx, func(ctx context.Context, conn driver.Conn) error {
		ctx = clickhouse.Context(ctx, clickhouse.WithSettings(mutating()))
		if err := s.syncSets(ctx, conn); err != nil {
			return err
		}
		// First what says that it is kept: a hidden row without it does no harm, while it without the hidden row could be read.
		for _, table := range []string{"retained", "hidden"} {
			if err := conn.Exec(ctx, "ALTER TABLE "+s.here(table)+" "+strings.Join(commands, ", ")); err != nil {
				return wrap("remove rows of "+table, err)
			}
		}
		return nil
	})
}

// ofShard has a condition on purge_sets ask the shard's own table.
func (s *Store) ofShard(condition string) string {
	return strings.ReplaceAll(condition, "FROM purge_sets", "FROM "+s.here("purge_sets"))
}
