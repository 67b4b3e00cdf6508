package store

import (
	"context"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"
)

// SummaryOrder says by what calls are listed.
type SummaryOrder struct {
	// By is "started_at", "duration_ms", "issues" or "poor_streams".
	By         string
	Descending bool
}

// value is what is ordered by, as a whole number.
func (o SummaryOrder) value() string {
	switch o.By {
	case "duration_ms":
		return "ifNull(duration_ms, -1)"
	case "issues":
		return "toInt64(issues)"
	case "poor_streams":
		return "toInt64(poor)"
	}
	return "toUnixTimestamp64Micro(at)"
}

// SummaryAt is a call's place in a list: by what is ordered by, then newest first, then by id.
type SummaryAt struct {
	Value  int64
	At     time.Time
	CallID string
}

// ListSummaries lists at most limit calls after the place given (nil: from the start), with the place of each. Streams are left out.
func (r *Reader) ListSummaries(ctx context.Context, f SummaryFilter, o SummaryOrder, after *SummaryAt, limit int) ([]CallSummary, []SummaryAt, error) {
	places, err := r.placesOf(ctx, f, o, after, limit)
	if err != nil || len(places) == 0 {
		return nil, nil, err
	}
	found := make(map[SummaryAt]CallSummary, len(places))
	first, last := places[0].At, places[0].At
	at, calls := make([]int64, len(places)), make([]string, len(places))
	for i, p := range places {
		at[i], calls[i] = micros(p.At), p.CallID
		if p.At.Before(first) {
			first = p.At
		}
		if p.At.After(last) {
			last = p.At
		}
	}
	sql := `SELECT ` + summaryReadColumns + ` FROM call_summaries FINAL WHERE org = {org:String} AND profile = {profile:String} AND NOT gone
		AND at >= fromUnixTimestamp64Micro({first:Int64}, 'UTC') AND at <= fromUnixTimestamp64Micro({last:Int64}, 'UTC')
		AND (toUnixTimestamp64Micro(at), call_id) IN (SELECT pair.1, pair.2 FROM (SELECT arrayJoin(arrayZip({at:Array(Int64)}, {calls:Array(String)})) AS pair))`
	err = r.query(ctx, "read summaries", sql, []any{
		clickhouse.Named("org", f.Org), clickhouse.Named("profile", f.Profile), clickhouse.Named("first", micros(first)), clickhouse.Named("last", micros(last)),
		clickhouse.Named("at", at), clickhouse.Named("calls", calls),
	}, func(rows driver.Rows) error {
		c := CallSummary{CallKey: CallKey{Org: f.Org}, Profile: f.Profile}
		err := c.scan(rows)
		found[SummaryAt{At: c.At, CallID: c.CallID}] = c
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	out, kept := make([]CallSummary, 0, len(places)), make([]SummaryAt, 0, len(places))
	for _, p := range places {
		// It may just have gone elsewhere.
		if c, ok := found[SummaryAt{At: p.At, CallID: p.CallID}]; ok {
			out, kept = append(out, c), append(kept, p)
		}
	}
	return out, kept, nil
}

// placesOf finds which calls are listed, which reads few columns.
func (r *Reader) placesOf(ctx context.Context, f SummaryFilter, o SummaryOrder, after *SummaryAt, limit int) ([]SummaryAt, error) {
	where, args := f.where()
	direction, beyond := " ASC", " > "
	if o.Descending {
		direction, beyond = " DESC", " < "
	}
	byTime := o.By == "" || o.By == "started_at"
	if after != nil {
		const later = "at < fromUnixTimestamp64Micro({after_at:Int64}, 'UTC') OR (at = fromUnixTimestamp64Micro({after_at:Int64}, 'UTC') AND call_id > {after_call:String})"
		args = append(args, clickhouse.Named("after_at", micros(after.At)), clickhouse.Named("after_call", after.CallID))
		switch {
		case byTime && o.Descending: // in the table's own order, so that the key serves it
			where += " AND at <= fromUnixTimestamp64Micro({after_at:Int64}, 'UTC') AND (" + later + ")"
		case byTime:
			where += ` AND at >= fromUnixTimestamp64Micro({after_at:Int64}, 'UTC')
				AND (at > fromUnixTimestamp64Micro({after_at:Int64}, 'UTC') OR call_id > {after_call:String})`
		default:
			args = append(args, clickhouse.Named("after", after.Value))
			where += " AND (" + o.value() + beyond + "{after:Int64} OR (" + o.value() + " = {after:Int64} AND (" + later + ")))"
		}
	}
	order := "at" + direction + ", call_id"
	if !byTime {
		order = o.value() + direction + ", at DESC, call_id"
	}
	args = append(args, clickhouse.Named("limit", uint64(max(limit, 0)))) //nolint:gosec // not negative
	var out []SummaryAt
	err := r.query(ctx, "list summaries", "SELECT "+o.value()+", at, call_id FROM call_summaries FINAL WHERE "+where+" ORDER BY "+order+" LIMIT {limit:UInt64}", args,
		func(rows driver.Rows) error {
			var p SummaryAt
			err := rows.Scan(&p.Value, &p.At, &p.CallID)
			p.At = p.At.UTC()
			out = append(out, p)
			return err
		})
	return out, err
}

const summaryReadColumns = `at, call_id, toString(region), toInt8(source), toString(kind), meeting_id, started_at, ended_at, duration_ms, toString(end_reason),
	toString(state), recorded, participants, anonymous, people.participant_id, people.user_id, people.label,
	CAST(people.client AS Array(String)), CAST(people.client_version AS Array(String)), CAST(people.site AS Array(String)), setup_failures, drops,
	toString(rating), rating_score, toString(verdict), good, poor, unknown, issues, bad_operations, unexpected_ends,
	CAST(reasons AS Array(String)), CAST(sides AS Array(String)), toString(top_metric), toString(side), judgement`

func (c *CallSummary) scan(rows driver.Rows) error {
	var ids []uuid.UUID
	var users, labels, clients, versions, sites []string
	var source int8
	if err := rows.Scan(&c.At, &c.CallID, &c.Region, &source, &c.Kind, &c.MeetingID, &c.StartedAt, &c.EndedAt, &c.DurationMs, &c.EndReason, &c.State, &c.Recorded,
		&c.Participants, &c.Anonymous, &ids, &users, &labels, &clients, &versions, &sites, &c.SetupFailures, &c.Drops, &c.Rating, &c.RatingScore, &c.Verdict,
		&c.Good, &c.Poor, &c.Unknown, &c.Issues, &c.BadOperations, &c.UnexpectedEnds, &c.Reasons, &c.Sides, &c.TopMetric, &c.Side, &c.Judgement); err != nil {
		return err
	}
	c.Source = SourceKind(source)
	c.At, c.StartedAt, c.EndedAt = c.At.UTC(), utc(c.StartedAt), utc(c.EndedAt)
	c.People = make([]SummaryPerson, len(ids))
	for i := range ids {
		c.People[i] = SummaryPerson{ID: ids[i], UserID: users[i], Label: labels[i], Client: clients[i], ClientVersion: versions[i], Site: sites[i]}
	}
	return nil
}

// Tags are those of some calls, by call id.
func (r *Reader) Tags(ctx context.Context, org string, calls []string) (map[string]string, error) {
	out := make(map[string]string)
	if len(calls) == 0 {
		return out, nil
	}
	err := r.query(ctx, "read tags", `SELECT id, newest.1 FROM (
			SELECT id, argMax((value, deleted), (version, -toUnixTimestamp64Micro(inserted_at))) AS newest FROM control
			WHERE kind = '`+TagsKind+`' AND org = {org:String} AND id IN {calls:Array(String)} GROUP BY id
		) WHERE NOT newest.2`, []any{clickhouse.Named("org", org), clickhouse.Named("calls", calls)}, func(rows driver.Rows) error {
		var id, value string
		err := rows.Scan(&id, &value)
		out[id] = value
		return err
	})
	return out, err
}

// UnsummedOf is how many of some calls have summaries that are out of date.
func (r *Reader) UnsummedOf(ctx context.Context, org string, calls []string) (uint64, error) {
	var n uint64
	err := r.query(ctx, "look for calls that changed", `SELECT countIf(c.batches != b.built) FROM (
			SELECT call_id, sum(batches) AS batches FROM call_changes WHERE org = {org:String} AND call_id IN {calls:Array(String)} GROUP BY call_id
		) AS c LEFT JOIN (
			SELECT call_id, argMaxIf(batches, version, done) AS built FROM call_builds WHERE org = {org:String} AND call_id IN {calls:Array(String)} GROUP BY call_id
		) AS b ON b.call_id = c.call_id`, []any{clickhouse.Named("org", org), clickhouse.Named("calls", calls)},
		func(rows driver.Rows) error { return rows.Scan(&n) })
	return n, err
}
