package store

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// A finished mutation is no proof that bytes are gone. Before anything is called gone, each replica is asked six things: that no row is left, also none
// that is only masked; that all mutations are done without a failure; that each part that had a row is in no list of parts any more, the inactive ones
// included; that no part has a mask; that the removal of each is in the log of parts, and that none is detached; and that nobody keeps a frozen copy.

// Remains is what of a deletion is left to be done, or in its way. A closed set, for metrics.
type Remains string

// The remains. None: the bytes are gone.
const (
	RemainsNone     Remains = ""
	RemainsRows     Remains = "rows"     // rows are left
	RemainsMutation Remains = "mutation" // a mutation isn't done, or failed
	RemainsParts    Remains = "parts"    // old parts are still there, or their removal isn't in the log
	RemainsMask     Remains = "mask"     // rows are masked, not deleted
	RemainsDetached Remains = "detached" // a detached part may have the rows
	RemainsFrozen   Remains = "frozen"   // a frozen copy has the rows
)

// Waits tells whether time alone may settle it.
func (r Remains) Waits() bool { return r == RemainsMutation || r == RemainsParts }

// CheckGone asks each replica whether the bytes of the batches are gone. before is what Capture found last, and done when all replicas had deleted.
func (s *Store) CheckGone(ctx context.Context, p Purging, before []PurgeState, done time.Time) (Remains, error) {
	table, partitions, condition, ok := p.bytesOf(s)
	if !ok {
		return RemainsNone, nil
	}
	var found Remains
	err := s.eachReplica(ctx, func(ctx context.Context, address string, conn driver.Conn) error {
		if found != RemainsNone {
			return nil
		}
		var state PurgeState
		for i := range before {
			if before[i].Address == address {
				state = before[i]
			}
		}
		if len(state.Frozen) > 0 {
			found = RemainsFrozen
			return nil
		}
		if err := s.syncSets(ctx, conn); err != nil {
			return err
		}
		var err error
		found, err = s.checkNode(ctx, conn, nodeCheck{
			table: s.local(table), partitions: partitions, doomed: condition(p.victims(s, false)), batches: p.batchPatterns(), state: state, done: done,
		})
		return err
	})
	return found, err
}

// batchPatterns find the batches' own mutations by their text.
func (p Purging) batchPatterns() []string {
	var out []string
	for _, id := range p.Batches {
		out = append(out, id.String())
	}
	return out
}

// nodeCheck is what one node is asked.
type nodeCheck struct {
	table      string
	partitions []string
	doomed     string
	batches    []string
	state      PurgeState
	done       time.Time
}

// look is one of the questions: how much there is of what may not be.
type look struct {
	remains Remains
	query   string
}

func (s *Store) checkNode(ctx context.Context, conn driver.Conn, c nodeCheck) (Remains, error) {
	// Parts that are being loaded after a start are in no list yet.
	if err := conn.Exec(ctx, "SYSTEM WAIT LOADING PARTS "+s.cfg.Database+"."+c.table); err != nil {
		return RemainsNone, wrap("wait for parts to be loaded", err)
	}
	if len(c.state.Parts) > 0 {
		if err := conn.Exec(ctx, "SYSTEM FLUSH LOGS part_log"); err != nil {
			return RemainsNone, wrap("have the log of parts written", err)
		}
	}
	parts := make([]string, 0, len(c.state.Parts))
	for part := range c.state.Parts {
		parts = append(parts, part)
	}
	args := []any{
		clickhouse.Named("table", c.table), clickhouse.Named("partitions", c.partitions), clickhouse.Named("parts", parts), clickhouse.Named("batches", c.batches),
		clickhouse.Named("done", c.done.Unix()), clickhouse.Named("captured", c.state.At.Unix()),
	}
	const of = "database = currentDatabase() AND table = {table:String}"
	const partition = of + " AND partition_id IN {partitions:Array(String)}"
	looks := []look{
		{RemainsMutation, `SELECT count() FROM system.mutations WHERE ` + of + ` AND NOT is_done AND NOT is_killed
			AND multiSearchAny(command, {batches:Array(String)})`},
		{RemainsRows, `SELECT count() FROM ` + c.table + ` WHERE _partition_id IN {partitions:Array(String)} AND ` + c.doomed + ` SETTINGS apply_deleted_mask = 0`},
		{RemainsMask, `SELECT count() FROM system.parts_columns WHERE ` + partition + ` AND active AND column = '_row_exists'`},
		// What was made later than the deletion was done has none of the rows, so only what is older and not in use any more may.
		{RemainsParts, `SELECT count() FROM system.parts WHERE ` + partition + ` AND (name IN {parts:Array(String)} OR (NOT active AND toUnixTimestamp(modification_time) <= {done:Int64}))`},
		{RemainsDetached, `SELECT count() FROM system.detached_parts WHERE ` + partition},
	}
	if len(parts) > 0 {
		// The log is in memory before it is written, and lost if the server ends badly: what was in no list of parts after a start is gone by that.
		looks = append(looks, look{RemainsParts, `SELECT countIf(NOT logged) FROM (
				SELECT arrayJoin({parts:Array(String)}) AS part, part IN (SELECT part_name FROM system.part_log WHERE ` + of + ` AND event_type = 'RemovePart'
					AND event_date >= toDate(toDateTime({captured:Int64})) AND part_name IN {parts:Array(String)}) OR toUnixTimestamp(now()) - uptime() > {captured:Int64} AS logged)`})
	}
	for _, look := range looks {
		left := uint64(0)
		err := scanOn(ctx, conn, "check what is left", look.query, func(rows driver.Rows) error { return rows.Scan(&left) }, args...)
		if isCode(err, codeUnknownTable) {
			return RemainsNone, fmt.Errorf("the server keeps no log of its parts, so nothing can be called gone: turn on part_log in its configuration: %w", err)
		}
		if err != nil {
			return RemainsNone, err
		}
		if left > 0 {
			return look.remains, nil
		}
	}
	return RemainsNone, nil
}
