package store

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// Roll-ups hold samples by minute and by hour. Inserts never touch them: whenever rows of a closed hour arrived, the hour is built
// again from its base rows in a table beside, which then takes the place of the old partition in one step. So roll-ups count
// nothing twice, whatever was replayed, and they can be dropped at any time.
//
// # What is out of date
//
// Ingest leaves one row per stored batch and hour in ingest_batches, after the batch's samples are stored. A rebuild first adds
// up those of the hour, then reads the base rows, then swaps, and last writes to rollup_hours the sum it began with. Rows that
// arrive in between may be in the roll-up already, but their batch is not in the sum, so the hour is built once more. An hour is
// dirty when
//
//   - its sum has grown since the rebuild (it is not compared for being equal, since old batches are let go), or
//   - a batch row was written at or after the rebuild began, or
//   - the roll-ups don't hold the number of samples that the rebuild left. That heals two rebuilds that overtook each other and
//     partitions lost.
//
// A crash at any point leaves the hour dirty or done, and at worst a staging table, which DropStaging removes.
//
// # How to read
//
// For a span of time, take from the roll-up the hours that are closed and not dirty (DirtyHours), and all others from samples
// with the same expressions (rollupMeasures). Always aggregate: sum() for counters, quantilesTDigestMerge(0.5, 0.75, 0.9, 0.95,
// 0.99)() for gauges, uniqCombinedMerge(12)() for calls and streams, since each shard has a row of its own per key.
// Minutes are there for 31 days after they were built; beyond that read hours.
//
// Roll-ups don't know who is a guest, nor whether a call has ended, so they are not for real-time analytics.

// rollup is a table of roll-ups.
type rollup struct {
	table string
	// time is its column of time; bucket is the expression that fills it.
	time, bucket string
	// partition is its PARTITION BY.
	partition string
}

func minutes() rollup {
	return rollup{table: "rollup_minute", time: "minute", bucket: "toStartOfMinute(observed_at)", partition: "toStartOfHour(minute)"}
}

func hours() rollup {
	return rollup{table: "rollup_hour", time: "hour", bucket: "toStartOfHour(observed_at)", partition: "toYYYYMMDD(hour)"}
}

// value is the partition that holds an hour, as a literal.
func (r rollup) value(hour time.Time) string {
	if r.table == "rollup_minute" {
		return "'" + hour.Format(time.DateTime) + "'"
	}
	return hour.Format("20060102")
}

// orderBy is the key of both tables.
func (r rollup) orderBy() string {
	return "(org, " + r.time + ", media, direction, source_kind, region)"
}

// rollupMeasures are the columns of a roll-up after its dimensions, by name and expression over samples. The states' types have
// to be those of migrations 19 and 21.
func rollupMeasures() [][2]string {
	out := [][2]string{{"rebuilt_at", "now('UTC')"}, {"samples", "count()"}, {"interval_ms", "sum(s.interval_ms)"}}
	for _, counter := range []string{
		"packets", "packets_lost", "bytes", "packets_discarded", "retransmitted_packets", "frames", "frames_dropped", "freezes",
		"nacks", "plis", "firs",
	} {
		out = append(out, [2]string{counter, "sum(s." + counter + ")"})
	}
	out = append(out,
		[2]string{"calls", "uniqCombinedState(12)(s.call_id)"},
		[2]string{"streams", "uniqCombinedState(12)(s.stream_id)"})
	// Lost of sent outbound, lost of expected inbound; nothing where nothing was sent or expected.
	const (
		lost = "greatest(0, s.packets_lost)"
		loss = "toFloat32(coalesce(s.loss_ratio, " + lost + " / nullIf(if(s.direction = 'outbound', toFloat64(s.packets), " +
			"toFloat64(s.packets) + " + lost + "), 0)))"
	)
	for _, gauge := range [][2]string{
		{"jitter_ms", "s.jitter_ms"},
		{"rtt_ms", "s.rtt_ms"},
		{"loss_ratio", loss},
		{"jitter_buffer_ms", "s.jitter_buffer_ms"},
		{"healed_ratio", "s.healed_ratio"},
		{"frame_rate", "s.frame_rate"},
		{"bitrate_bps", "s.bitrate_bps"},
	} {
		out = append(out, [2]string{gauge[0], "quantilesTDigestState(0.5, 0.75, 0.9, 0.95, 0.99)(" + gauge[1] + ")"})
	}
	return out
}

// RebuildHour builds the roll-ups of the hour (UTC) that begins at hour from its base rows, on each shard from its own. It may
// run at any time, also twice at once; repeating it changes nothing.
func (s *Store) RebuildHour(ctx context.Context, hour time.Time) error {
	hour = hour.UTC().Truncate(time.Hour)
	action := "rebuild roll-ups of " + hour.Format(time.RFC3339)
	var seen uint64
	var began time.Time
	// First the sum, then the base rows; see above. The time is the server's, to be compared with its inserted_at.
	err := s.conn.QueryRow(ctx, `SELECT sum(samples), now64(6, 'UTC') FROM ingest_batches FINAL WHERE hour = {hour:DateTime('UTC')}`,
		clickhouse.Named("hour", hour.Format(time.DateTime))).Scan(&seen, &began)
	if err != nil {
		return wrap(action, err)
	}
	var built uint64
	err = s.eachShard(ctx, func(ctx context.Context, conn driver.Conn) error {
		if s.cfg.Cluster != "" && s.cfg.Replicated {
			// The batch is known, so its rows are stored, but perhaps not yet on this replica.
			if err := conn.Exec(ctx, "SYSTEM SYNC REPLICA "+s.local("samples")+" LIGHTWEIGHT"); err != nil {
				return wrap("wait for the replica", err)
			}
		}
		if _, err := s.replace(ctx, conn, minutes(), hour); err != nil {
			return err
		}
		n, err := s.replace(ctx, conn, hours(), hour)
		built += n
		return err
	})
	if err != nil {
		return fmt.Errorf("%s: %w", action, err)
	}
	err = s.conn.Exec(ctx, "INSERT INTO rollup_hours (hour, batch_samples, samples, rebuilt_at) VALUES ($1, $2, $3, $4)",
		hour, seen, built, began)
	return wrap(action, err)
}

// replace builds an hour of a roll-up in a staging table, swaps it in, and returns its number of samples.
func (s *Store) replace(ctx context.Context, conn driver.Conn, r rollup, hour time.Time) (uint64, error) {
	staging, err := s.stage(ctx, conn, r, hour)
	if staging != "" {
		defer s.dropStaging(ctx, conn, staging)
	}
	if err != nil {
		return 0, err
	}
	var n uint64
	err = conn.QueryRow(ctx, "SELECT sum(samples) FROM "+staging+" WHERE toStartOfHour("+r.time+") = {hour:DateTime('UTC')}",
		clickhouse.Named("hour", hour.Format(time.DateTime))).Scan(&n)
	if err != nil {
		return 0, wrap("count "+staging, err)
	}
	err = conn.Exec(ctx, "ALTER TABLE "+s.local(r.table)+" REPLACE PARTITION "+r.value(hour)+" FROM "+staging)
	return n, wrap("replace partition of "+r.table, err)
}

// stage fills a new table with what is to become the partition that holds the hour. Its name is random, so that two rebuilds at
// once don't fill one table. It returns the name as soon as there may be such a table, with an error too.
func (s *Store) stage(ctx context.Context, conn driver.Conn, r rollup, hour time.Time) (string, error) {
	staging := r.table + stagingInfix + strings.ToLower(rand.Text()[:16])
	// Not replicated: the partition is, once it is swapped in.
	err := conn.Exec(ctx, "CREATE TABLE "+staging+" AS "+s.local(r.table)+
		" ENGINE = AggregatingMergeTree PARTITION BY "+r.partition+" ORDER BY "+r.orderBy())
	if err != nil {
		return staging, wrap("create "+staging, err)
	}
	if r.table == "rollup_hour" {
		// Its partition is a day: the other hours come along as they are. If one of them is rebuilt meanwhile, the older of both
		// may win; the number of samples tells, and it is rebuilt again.
		err = conn.Exec(ctx, "INSERT INTO "+staging+" SELECT * FROM "+s.local(r.table)+
			" WHERE toYYYYMMDD(hour) = $1 AND hour != $2", r.value(hour), hour)
		if err != nil {
			return staging, wrap("copy other hours of "+r.table, err)
		}
	}
	columns, expressions := []string{"org", "region", "source_kind", "media", "direction", r.time},
		[]string{"s.org", "s.region", "s.source_kind", "s.media", "s.direction", "toDateTime(" + r.bucket + ", 'UTC') AS bucket"}
	for _, measure := range rollupMeasures() {
		columns, expressions = append(columns, measure[0]), append(expressions, measure[1])
	}
	err = conn.Exec(ctx, "INSERT INTO "+staging+" ("+strings.Join(columns, ", ")+") SELECT "+strings.Join(expressions, ", ")+
		" FROM "+s.local("samples")+" AS s WHERE s.observed_at >= toDateTime64({from:String}, 6, 'UTC')"+
		" AND s.observed_at < toDateTime64({to:String}, 6, 'UTC')"+
		" GROUP BY s.org, s.region, s.source_kind, s.media, s.direction, bucket",
		clickhouse.Named("from", hour.Format(time.DateTime)), clickhouse.Named("to", hour.Add(time.Hour).Format(time.DateTime)))
	return staging, wrap("fill "+staging, err)
}

// stagingInfix stands in the names of staging tables and of no others.
const stagingInfix = "_staging_"

// dropStaging also works when the rebuild was cancelled. What it can't drop is left to DropStaging.
func (s *Store) dropStaging(ctx context.Context, conn driver.Conn, staging string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	_ = conn.Exec(ctx, "DROP TABLE IF EXISTS "+staging+" SYNC")
}

// DropStaging drops the staging tables, on all nodes, that rebuilds left behind which were cut short more than age ago. Age has
// to be longer than any rebuild takes.
func (s *Store) DropStaging(ctx context.Context, age time.Duration) error {
	nodes, err := s.cfg.nodes(ctx, s.conn)
	if err != nil {
		return err
	}
	for _, n := range nodes {
		conn := s.conn
		if n.address != "" {
			replica, err := s.replica(n)
			if err != nil {
				return err
			}
			conn = replica.conn
		}
		if err := s.dropStagingOlder(ctx, conn, age); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) dropStagingOlder(ctx context.Context, conn driver.Conn, age time.Duration) error {
	const action = "drop staging tables"
	rows, err := conn.Query(ctx, `
		SELECT name FROM system.tables WHERE database = currentDatabase() AND startsWith(name, 'rollup_')
		AND position(name, $1) > 0 AND metadata_modification_time <= now() - toIntervalSecond($2)`,
		stagingInfix, int64(age/time.Second))
	if err != nil {
		return wrap(action, err)
	}
	defer rows.Close()
	var names []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return wrap(action, err)
		}
		names = append(names, name)
	}
	if err := rows.Err(); err != nil {
		return wrap(action, err)
	}
	for _, name := range names {
		if err := conn.Exec(ctx, "DROP TABLE IF EXISTS "+name+" SYNC"); err != nil {
			return wrap(action, err)
		}
	}
	return nil
}
