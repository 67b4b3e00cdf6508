package store

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"
)

// purgedTables have bytes that are purged.
var purgedTables = []string{"texts", "timeline", "decisions"}

// InFlight is what may still delete things although it was found out before some moment that it may.
type InFlight struct {
	// Batches whose deletion was begun and has not ended.
	Batches []SweepBatch
	// Mutations that have not ended: a sweeper that died may have left one.
	Mutations int
}

// PurgesInFlight tells what was begun before a moment of the server's clock and may still delete things. Whatever begins to delete later knows what was
// stored before that moment: a hold, say.
func (s *Store) PurgesInFlight(ctx context.Context, since time.Time) (InFlight, error) {
	var out InFlight
	unfinished, err := s.UnfinishedBatches(ctx)
	if err != nil {
		return out, err
	}
	for _, b := range unfinished {
		// An attempt that is to come looks for holds itself; one that failed has ended, but for what the engine still does.
		if b.Kind == KindPurge && b.Step == StepIntent && b.Attempts > 0 && b.Failure == "" && !b.WrittenAt.After(since) {
			out.Batches = append(out.Batches, b)
		}
	}
	tables := make([]string, len(purgedTables))
	for i, table := range purgedTables {
		tables[i] = s.local(table)
	}
	err = s.eachReplica(ctx, func(ctx context.Context, _ string, conn driver.Conn) error {
		return scanOn(ctx, conn, "look for running mutations", `SELECT count() FROM system.mutations WHERE database = currentDatabase() AND table IN {tables:Array(String)}
			AND NOT is_done AND NOT is_killed AND toUnixTimestamp(create_time) <= {since:Int64}`, func(rows driver.Rows) error {
			var n uint64
			err := rows.Scan(&n)
			out.Mutations += int(n) //nolint:gosec // a few
			return err
		}, clickhouse.Named("tables", tables), clickhouse.Named("since", since.Unix()))
	})
	return out, err
}

// FenceSweep takes over from a sweeper that has shown no sign of life for so long, without sweeping: from then on it deletes nothing, should it wake. It is
// refused (false) while the sweeper lives.
func (s *Store) FenceSweep(ctx context.Context, silence time.Duration) (bool, error) {
	epoch, err := s.SweepEpoch(ctx)
	if err != nil {
		return false, err
	}
	if epoch > 0 {
		silent, err := s.silent(ctx, epoch, silence)
		if err != nil || !silent {
			return false, err
		}
	}
	taken, ok, err := s.takeOver(ctx, uuid.Nil, epoch)
	if err != nil || !ok {
		return false, err
	}
	return true, s.BeatSweep(ctx, taken, true)
}

// TidySweeps forgets what batches were about that ended before a moment of the server's clock: which things, by day, and which batches, by month.
func (s *Store) TidySweeps(ctx context.Context, sets, batches time.Time) error {
	for _, t := range []struct {
		table  string
		before string
	}{{"purge_sets", sets.UTC().Format("20060102")}, {"purge_batches", batches.UTC().Format("200601")}} {
		err := s.eachShard(ctx, func(ctx context.Context, conn driver.Conn) error {
			var old []string
			err := scanOn(ctx, conn, "list old batches", `SELECT DISTINCT partition_id FROM system.parts WHERE active AND database = currentDatabase() AND table = {table:String}
				AND partition_id < {before:String}`, func(rows driver.Rows) error {
				var id string
				err := rows.Scan(&id)
				old = append(old, id)
				return err
			}, clickhouse.Named("table", s.localOf(t.table)), clickhouse.Named("before", t.before))
			if err != nil {
				return err
			}
			for _, id := range old {
				if err := conn.Exec(ctx, fmt.Sprintf("ALTER TABLE %s.%s DROP PARTITION ID '%s'", s.cfg.Database, s.localOf(t.table), id)); err != nil {
					return wrap("forget old batches", err)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// localOf is the table that holds the rows on a node, of whole tables too.
func (s *Store) localOf(table string) string {
	if table == "purge_batches" && s.cfg.Cluster != "" && s.cfg.Replicated {
		return table
	}
	return s.local(table)
}

// DaysOfTexts are the days (UTC) of whose messages there are texts, in order.
func (s *Store) DaysOfTexts(ctx context.Context) ([]DayKept, error) {
	return s.days(ctx, "texts", "YYYYMMDDToDate(toUInt32(substring(partition_id, position(partition_id, '-') + 1)))")
}
