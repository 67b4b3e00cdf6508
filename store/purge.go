package store

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"
)

// Purging is what one go at deleting is about: batches of things of one class and day, whose bytes are in one table.
type Purging struct {
	ClassDay
	Batches []uuid.UUID
	// Epoch of the sweeper: the engine deletes nothing once another one has taken over.
	Epoch uint64
	// Again: the same sweeper has asked for it before. What the engine has not come to yet is not asked for once more.
	Again bool
	// Until is the moment of the sweep: till then calls may have gone on whose notices are purged.
	Until time.Time
	// FreshWithin is how old decisions may be when something is deleted by them: the engine deletes nothing by older ones, which may not know of a hold.
	// 0: they are not looked at.
	FreshWithin time.Duration
}

// bytesOf says where the bytes of a class are: a table, its partitions by the ids that system.parts has, and the condition for rows to be of a thing; victims
// is a query for org, meeting_id, call_id, item_id, holder_id, revision_of and revised_at of what may be deleted. false: not in a table, but in files.
func (p Purging) bytesOf(s *Store) (table string, partitions []string, condition func(victims queries) string, ok bool) {
	switch p.Class {
	case "thread", "copy":
		n := map[string]string{"thread": "1", "copy": "2"}[p.Class]
		return "texts", []string{n + "-" + p.Day.Format("20060102")}, func(victims queries) string { return p.texts(s, victims) }, true
	case "notice":
		// A call's notices are a thing of the day on which it began; it may have gone on for months.
		return "timeline", months(p.Day, p.Until), func(victims queries) string {
			return "kind = 'notice' AND (org, call_id) IN (SELECT org, call_id FROM (" + victims(0) + "))"
		}, true
	case "decision":
		return "decisions", []string{p.Day.Format("20060102")}, func(victims queries) string {
			return "(org, call_id) IN (SELECT org, call_id FROM (" + victims(0) + "))"
		}, true
	default:
		return "", nil, nil, false
	}
}

// months are the partitions of a day's month and of all that follow until the one after a moment's, since clocks differ; of two at least.
func months(day, until time.Time) (ids []string) {
	first := day.AddDate(0, 0, 1-day.Day())
	for n := 0; n < 2 || !first.AddDate(0, n-1, 0).After(until); n++ {
		ids = append(ids, first.AddDate(0, n, 0).Format("200601"))
	}
	return ids
}

// texts is the condition for texts. A text goes with its message, unless another guest's copy of the same message stays, for which it is kept; or it goes
// alone, when another has replaced it.
func (p Purging) texts(s *Store, victims queries) string {
	of := func(n int) string {
		return fmt.Sprintf("class = '%s' AND toDate(sent_at) = '%s' AND (org, meeting_id) IN (SELECT org, meeting_id FROM (%s))", p.Class, p.Day.Format(time.DateOnly), victims(n))
	}
	whole := func(n int) string {
		return "SELECT org, call_id, item_id FROM (" + victims(n) + ") WHERE revision_of = " + noUUID
	}
	staying := "SELECT org, call_id, item_id FROM " + s.here("retained") + " WHERE " + of(0) + " AND revision_of = " + noUUID +
		" AND (org, call_id, item_id) IN (" + whole(1) + ")" +
		" AND (org, call_id, item_id, holder_id) NOT IN (SELECT org, call_id, item_id, holder_id FROM (" + victims(2) + ") WHERE revision_of = " + noUUID + ")"
	return of(3) + " AND ((org, call_id, message_id) IN (" + whole(4) + ") AND (org, call_id, message_id) NOT IN (" + staying + ")" +
		" OR (org, call_id, message_id, revised_at) IN (SELECT org, call_id, revision_of, revised_at FROM (" + victims(5) + ") WHERE revision_of != " + noUUID + "))"
}

// queries gives a query that asks the same for each number, in other words: a mutation answers equal subqueries once and shares what comes of it, and where one
// is within another, the one thread that answers both waits for itself for ever.
type queries func(n int) string

// batchList is the batches as a list of literals: ids only.
func (p Purging) batchList() string {
	ids := make([]string, len(p.Batches))
	for i, id := range p.Batches {
		ids[i] = "'" + id.String() + "'"
	}
	return strings.Join(ids, ", ")
}

// victims is a query for what may be deleted of the batches, to be answered when it is deleted: what a hold covers by then may not be, and nothing may once
// another sweeper has taken over.
func (p Purging) victims(s *Store, fenced bool) queries {
	return func(n int) string {
		meetings := fmt.Sprintf("(org, meeting_id) IN (SELECT org, meeting_id FROM %s WHERE batch_id IN (%s) AND taken_out != %d)", s.here("purge_sets"), p.batchList(), 200+n)
		where := fmt.Sprintf("batch_id IN (%s) AND taken_out NOT IN (1, %d) AND (org, meeting_id, class, resource_id) NOT IN (%s AND rule_version != %d)",
			p.batchList(), 100+n, s.heldKeys(meetings), math.MaxUint64-uint64(n)) //nolint:gosec // a few
		if fenced {
			where += " AND " + s.fence(p.Epoch)
			if p.FreshWithin > 0 {
				where += " AND " + s.freshDecisions(p.FreshWithin)
			}
		}
		return "SELECT org, meeting_id, call_id, item_id, holder_id, revision_of, revised_at FROM " + s.here("purge_sets") + " WHERE " + where
	}
}

// PurgeState is what a look at a node before and after a deletion has found.
type PurgeState struct {
	// Address of the node, "" without a cluster.
	Address string
	// At is when it was looked, by the node's clock.
	At time.Time
	// Parts are those that have rows to be deleted, and how many; All tells which of them have no others.
	Parts map[string]uint64
	All   map[string]bool
	// Frozen are those of the parts of which somebody keeps a frozen copy.
	Frozen []string
}

// Capture looks on each node, before a deletion, at where the rows are that are to be deleted. Classes whose bytes are files have none.
func (s *Store) Capture(ctx context.Context, p Purging) ([]PurgeState, error) {
	table, partitions, condition, ok := p.bytesOf(s)
	if !ok {
		return nil, nil
	}
	var out []PurgeState
	err := s.eachReplica(ctx, func(ctx context.Context, address string, conn driver.Conn) error {
		if err := s.syncSets(ctx, conn); err != nil {
			return err
		}
		state := PurgeState{Address: address, Parts: map[string]uint64{}, All: map[string]bool{}}
		if err := scanOn(ctx, conn, "ask for the time", "SELECT now()", func(rows driver.Rows) error { return rows.Scan(&state.At) }); err != nil {
			return err
		}
		err := scanOn(ctx, conn, "look for what is to be deleted", `SELECT found.1, found.2, p.rows = found.2, p.is_frozen FROM (
				SELECT (_part, count()) AS found FROM `+s.here(table)+` WHERE _partition_id IN {partitions:Array(String)} AND `+condition(p.victims(s, false))+` GROUP BY _part
			) AS f LEFT JOIN (
				SELECT name, rows, is_frozen FROM system.parts WHERE database = currentDatabase() AND table = {table:String} AND partition_id IN {partitions:Array(String)}
			) AS p ON p.name = f.found.1`, func(rows driver.Rows) error {
			var part string
			var n uint64
			var all bool
			var frozen uint8
			err := rows.Scan(&part, &n, &all, &frozen)
			state.Parts[part], state.All[part] = n, all
			if frozen != 0 {
				state.Frozen = append(state.Frozen, part)
			}
			return err
		}, clickhouse.Named("table", s.local(table)), clickhouse.Named("partitions", partitions))
		out = append(out, state)
		return err
	})
	return out, err
}

// syncSets waits until a replica knows what is to be deleted, which is asked of its own tables.
func (s *Store) syncSets(ctx context.Context, conn driver.Conn) error {
	if s.cfg.Cluster == "" || !s.cfg.Replicated {
		return nil
	}
	for _, table := range []string{"purge_sets", "retained", "hidden", "texts"} {
		if err := conn.Exec(ctx, "SYSTEM SYNC REPLICA "+s.here(table)+" LIGHTWEIGHT"); err != nil {
			return wrap("wait for the replica", err)
		}
	}
	return nil
}

// DeleteBytes deletes what may be deleted of the batches, and returns when all replicas have: parts of which everything goes are dropped by name, so that a
// row that came meanwhile stays; of others the engine finds the rows when it deletes. before is what Capture found.
func (s *Store) DeleteBytes(ctx context.Context, p Purging, before []PurgeState) error {
	table, partitions, condition, ok := p.bytesOf(s)
	if !ok {
		return nil
	}
	return s.eachShardAt(ctx, func(ctx context.Context, address string, conn driver.Conn) error {
		ctx = clickhouse.Context(ctx, clickhouse.WithSettings(mutating()))
		i := slices.IndexFunc(before, func(state PurgeState) bool { return state.Address == address })
		if i < 0 {
			return fmt.Errorf("delete from %s: %w: a node has come that was not looked at", table, ErrUnavailable)
		}
		some, err := s.dropWhole(ctx, conn, p, before[i])
		if err != nil {
			return err
		}
		waiting, err := s.asked(ctx, conn, p, table)
		if err != nil || waiting {
			return err
		}
		for _, partition := range partitions {
			if !some[partition] {
				continue
			}
			err := conn.Exec(ctx, "ALTER TABLE "+s.here(table)+" DELETE IN PARTITION ID '"+partition+"' WHERE "+condition(p.victims(s, true)))
			if err != nil {
				return wrap("delete from "+table, err)
			}
		}
		return nil
	})
}

// asked tells whether the engine has yet to come to what the sweeper asked for before.
func (s *Store) asked(ctx context.Context, conn driver.Conn, p Purging, table string) (bool, error) {
	waiting := false
	if !p.Again {
		return false, nil
	}
	err := scanOn(ctx, conn, "look for what was asked for", `SELECT count() > 0 FROM system.mutations WHERE database = currentDatabase() AND table = {table:String}
		AND NOT is_done AND NOT is_killed AND multiSearchAny(command, {batches:Array(String)})`, func(rows driver.Rows) error { return rows.Scan(&waiting) },
		clickhouse.Named("table", s.local(table)), clickhouse.Named("batches", p.batchPatterns()))
	return waiting, err
}

// mutating are the settings of statements that change parts: they wait for all replicas.
func mutating() clickhouse.Settings {
	set := settings()
	set["mutations_sync"], set["alter_sync"] = 2, 2
	// What the engine is to ask when it deletes was written before, and waited for on each replica.
	set["allow_nondeterministic_mutations"] = 1
	return set
}

// dropWhole drops the parts of which everything goes, and tells the partitions that have others. A statement that drops can't ask anything in the engine, so
// it is asked right before; who takes over, or is to see to it that a hold counts, renames the parts (RenameParts), and then a late drop finds none.
func (s *Store) dropWhole(ctx context.Context, conn driver.Conn, p Purging, found PurgeState) (map[string]bool, error) {
	table, _, condition, _ := p.bytesOf(s)
	some := map[string]bool{}
	for part, n := range found.Parts {
		whole := found.All[part]
		if whole {
			err := scanOn(ctx, conn, "look again at what is to be deleted", "SELECT count() = {n:UInt64} FROM "+s.here(table)+" WHERE _part = {part:String} AND "+condition(p.victims(s, true)),
				func(rows driver.Rows) error { return rows.Scan(&whole) }, clickhouse.Named("n", n), clickhouse.Named("part", part))
			if err != nil {
				return nil, err
			}
		}
		if !whole {
			some[partitionOf(part)] = true
			continue
		}
		err := conn.Exec(ctx, "ALTER TABLE "+s.here(table)+" DROP PART '"+part+"'")
		if isCode(err, codeNoSuchPart) {
			some[partitionOf(part)] = true // merged meanwhile
		} else if err != nil {
			return nil, wrap("drop a part of "+table, err)
		}
	}
	return some, nil
}

// RenameParts gives all parts that may have rows of a class and day other names, without changing them: whoever is about to drop one by its name, and was
// taken over from, finds none. until is the moment by then (Purging.Until).
func (s *Store) RenameParts(ctx context.Context, of ClassDay, until time.Time) error {
	table, partitions, _, ok := Purging{ClassDay: of, Until: until}.bytesOf(s)
	if !ok {
		return nil
	}
	commands := make([]string, len(partitions))
	for i, partition := range partitions {
		commands[i] = "DELETE IN PARTITION ID '" + partition + "' WHERE 0"
	}
	return s.eachShard(ctx, func(ctx context.Context, conn driver.Conn) error {
		ctx = clickhouse.Context(ctx, clickhouse.WithSettings(mutating()))
		return wrap("rename parts of "+table, conn.Exec(ctx, "ALTER TABLE "+s.here(table)+" "+strings.Join(commands, ", ")))
	})
}

// partitionOf is the id of the partition that a part is of.
func partitionOf(part string) string {
	id, _, _ := strings.Cut(part, "_")
	return id
}
