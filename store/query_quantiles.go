package store

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// Quantile is how a metric was distributed over the samples of a span of time; nil where no sample has it.
type Quantile struct {
	At                      time.Time
	P50, P75, P90, P95, P99 *float64
	// Samples of the span, also those without the metric.
	Samples uint64
}

// QuantileFilter says of which samples.
type QuantileFilter struct {
	Org      string
	From, To time.Time
	// Metric is one of QuantileMetrics.
	Metric string
	// Step is "minute", "hour" or "day"; days are those of Zone (IANA; "" is UTC).
	Step, Zone string
	// Media, Direction, Region and Source do not filter if they are empty.
	Media, Direction, Region string
	Source                   SourceKind
}

// QuantileMetrics are the metrics that there are quantiles of.
func QuantileMetrics() []string {
	return []string{"jitter_ms", "rtt_ms", "loss_ratio", "jitter_buffer_ms", "healed_ratio", "frame_rate", "bitrate_bps"}
}

// settled is how long after its end an hour has its roll-ups for sure; until then its samples themselves are asked.
const settled = 30 * time.Minute

// Quantiles lists a metric's quantiles step by step, oldest first, without steps that have no samples.
//
// They come from roll-ups, which don't know whose samples they have. So the hours of meetings that still run (rule D3), and those that are not settled,
// are added up from samples instead, and only those of calls that are known to have ended count there.
func (r *Reader) Quantiles(ctx context.Context, f QuantileFilter) ([]Quantile, error) {
	if !slices.Contains(QuantileMetrics(), f.Metric) {
		return nil, nil
	}
	open, err := r.openHours(ctx, f)
	if err != nil {
		return nil, err
	}
	args := []any{
		clickhouse.Named("org", f.Org), clickhouse.Named("from", micros(f.From)), clickhouse.Named("to", micros(f.To)), clickhouse.Named("zone", or(f.Zone, "UTC")),
		clickhouse.Named("open", open),
	}
	same, more := f.dimensions()
	args = append(args, more...)
	table := minutes()
	if f.Step != "minute" {
		table = hours()
	}
	expression := ""
	for _, m := range rollupMeasures() {
		if m[0] == f.Metric {
			expression = m[1]
		}
	}
	const span = " >= fromUnixTimestamp64Micro({from:Int64}, 'UTC') AND %s < fromUnixTimestamp64Micro({to:Int64}, 'UTC')"
	within := func(column string) string { return column + strings.ReplaceAll(span, "%s", column) }
	fromSamples := ""
	if len(open) > 0 {
		const span = "s.observed_at >= fromUnixTimestamp({first:Int64}) AND s.observed_at < fromUnixTimestamp({last:Int64} + 3600)"
		args = append(args, clickhouse.Named("first", slices.Min(open)), clickhouse.Named("last", slices.Max(open)))
		fromSamples = `UNION ALL
		SELECT ` + f.bucket("s.observed_at") + ` AS bucket, ` + expression + ` AS q, count() AS n FROM samples AS s
		WHERE s.org = {org:String} AND ` + within("s.observed_at") + ` AND ` + span + ` AND has({open:Array(Int64)}, toInt64(toUnixTimestamp(toStartOfHour(s.observed_at))))
			AND (s.source_kind IN ('unknown', 'webrtc_internals', 'acs') OR s.call_id IN (
				SELECT call_id FROM calls WHERE org = {org:String} AND ended_at IS NOT NULL AND observed_at >= fromUnixTimestamp({first:Int64})))` + same + `
		GROUP BY bucket`
	}
	sql := `SELECT toUnixTimestamp(bucket), quantilesTDigestMerge(0.5, 0.75, 0.9, 0.95, 0.99)(q) AS found, sum(n) FROM (
		SELECT ` + f.bucket(table.time) + ` AS bucket, ` + f.Metric + ` AS q, samples AS n FROM ` + table.table + `
		WHERE org = {org:String} AND ` + within(table.time) + ` AND NOT has({open:Array(Int64)}, toInt64(toUnixTimestamp(toStartOfHour(` + table.time + `))))` + same + `
		` + fromSamples + `
	) GROUP BY bucket ORDER BY bucket`
	var out []Quantile
	err = r.query(ctx, "read quantiles", sql, args, func(rows driver.Rows) error {
		var at uint32
		var found []float32
		var q Quantile
		if err := rows.Scan(&at, &found, &q.Samples); err != nil {
			return err
		}
		q.At = time.Unix(int64(at), 0).UTC()
		for i, to := range []**float64{&q.P50, &q.P75, &q.P90, &q.P95, &q.P99} {
			if i < len(found) && found[i] == found[i] { // not NaN, which stands for none
				value := float64(found[i])
				*to = &value
			}
		}
		out = append(out, q)
		return nil
	})
	return out, err
}

// openHours are those, as Unix times, that roll-ups are not asked for: which have samples of meetings that were running when they were last summed up, and
// all of which something may not be stored or summed up yet, or may not be rolled up.
func (r *Reader) openHours(ctx context.Context, f QuantileFilter) ([]int64, error) {
	open := []int64{}
	var now, summed time.Time
	err := r.query(ctx, "look for running meetings", `SELECT now64(6, 'UTC'), (SELECT max(watermark) FROM watermarks WHERE name = 'calls'),
			groupUniqArray(toInt64(toUnixTimestamp(toStartOfHour(observed_at)))) FROM samples
		WHERE org = {org:String} AND observed_at >= fromUnixTimestamp64Micro({from:Int64}, 'UTC') AND observed_at < fromUnixTimestamp64Micro({to:Int64}, 'UTC')
			AND call_id IN (SELECT call_id FROM call_builds WHERE org = {org:String} AND due_at > toDateTime64(0, 6, 'UTC') AND running)`,
		[]any{clickhouse.Named("org", f.Org), clickhouse.Named("from", micros(f.From)), clickhouse.Named("to", micros(f.To))},
		func(rows driver.Rows) error { return rows.Scan(&now, &summed, &open) })
	if err != nil {
		return nil, err
	}
	until := now.Add(-settled)
	if summed.Before(until) {
		until = summed
	}
	if until.Before(f.From) {
		until = f.From
	}
	last := f.To
	if last.After(now) {
		last = now
	}
	for hour := until.UTC().Truncate(time.Hour); hour.Before(last); hour = hour.Add(time.Hour) {
		if !slices.Contains(open, hour.Unix()) {
			open = append(open, hour.Unix())
		}
	}
	return open, nil
}

func (f *QuantileFilter) dimensions() (string, []any) {
	w := conditions{parts: []string{""}}
	w.text("toString(media) = {media:String}", "media", f.Media)
	w.text("toString(direction) = {direction:String}", "direction", f.Direction)
	w.text("region = {region:String}", "region", f.Region)
	if f.Source != 0 {
		w.add("toInt8(source_kind) = {source:Int8}", "source", int8(f.Source))
	}
	return strings.Join(w.parts, " AND "), w.args
}

func (f *QuantileFilter) bucket(column string) string {
	switch f.Step {
	case "day":
		return "toDateTime(toStartOfDay(" + column + ", {zone:String}), 'UTC')"
	case "minute":
		return "toDateTime(toStartOfMinute(" + column + "), 'UTC')"
	}
	return "toDateTime(toStartOfHour(" + column + "), 'UTC')"
}
