package store

import (
	"context"
	"strings"
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
	where, order, args := o.place(f, after)
	args = append(args, clickhouse.Named("limit", uint64(max(limit, 0)))) //nolint:gosec // not negative
	// Tags are joined to the page alone.
	sql := "SELECT page.*, tags.newest.1 FROM (SELECT " + o.value() + " AS value_, " + summaryReadColumns + " FROM call_summaries FINAL WHERE " + where + " ORDER BY " + order +
		" LIMIT {limit:UInt64}) AS page LEFT JOIN (" + tagsOfOrg + ") AS tags ON tags.id = page.call_id ORDER BY " + strings.ReplaceAll(order, o.value(), "value_")
	var out []CallSummary
	var places []SummaryAt
	err := r.query(ctx, "list summaries", sql, args, func(rows driver.Rows) error {
		c := CallSummary{CallKey: CallKey{Org: f.Org}, Profile: f.Profile}
		var value int64
		err := c.scan(rows, &value)
		out, places = append(out, c), append(places, SummaryAt{Value: value, At: c.At, CallID: c.CallID})
		return err
	})
	return out, places, err
}

// place is the condition of a list that goes on after a place, with its order and parameters.
func (o SummaryOrder) place(f SummaryFilter, after *SummaryAt) (where, order string, args []any) {
	where, args = f.where()
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
	if byTime {
		return where, "at" + direction + ", call_id", args
	}
	return where, o.value() + direction + ", at DESC, call_id", args
}

const summaryReadColumns = `at, call_id, toString(region), toInt8(source), toString(kind), meeting_id, started_at, ended_at, duration_ms, toString(end_reason),
	toString(state), recorded, participants, anonymous, people.participant_id, people.user_id, people.label,
	CAST(people.client AS Array(String)), CAST(people.client_version AS Array(String)), CAST(people.site AS Array(String)), setup_failures, drops,
	toString(rating), rating_score, toString(verdict), good, poor, unknown, issues, bad_operations, unexpected_ends,
	CAST(reasons AS Array(String)), CAST(sides AS Array(String)), toString(top_metric), toString(side), judgement`

// scan reads them; value comes before, and the value of the row of tags after.
func (c *CallSummary) scan(rows driver.Rows, value *int64) error {
	var ids []uuid.UUID
	var users, labels, clients, versions, sites []string
	var source int8
	if err := rows.Scan(value, &c.At, &c.CallID, &c.Region, &source, &c.Kind, &c.MeetingID, &c.StartedAt, &c.EndedAt, &c.DurationMs, &c.EndReason, &c.State, &c.Recorded,
		&c.Participants, &c.Anonymous, &ids, &users, &labels, &clients, &versions, &sites, &c.SetupFailures, &c.Drops, &c.Rating, &c.RatingScore, &c.Verdict,
		&c.Good, &c.Poor, &c.Unknown, &c.Issues, &c.BadOperations, &c.UnexpectedEnds, &c.Reasons, &c.Sides, &c.TopMetric, &c.Side, &c.Judgement, &c.Tags); err != nil {
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

// tagsOfOrg are the rows of tags of an organisation.
const tagsOfOrg = `SELECT id, argMax((if(deleted, '', value), version), (version, -toUnixTimestamp64Micro(inserted_at))) AS newest FROM control
	WHERE kind = '` + TagsKind + `' AND org = {org:String} GROUP BY id`

// Tags are those of a call, as the value of its row; empty for none.
func (r *Reader) Tags(ctx context.Context, key CallKey) (string, error) {
	value := ""
	err := r.query(ctx, "read tags", "SELECT newest.1 FROM ("+tagsOfOrg+") WHERE id = {call:String}",
		[]any{clickhouse.Named("org", key.Org), clickhouse.Named("call", key.CallID)}, func(rows driver.Rows) error { return rows.Scan(&value) })
	return value, err
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
