package store

import (
	"context"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// Figures are how good calls and their streams were. Of groups that streams are put into (Group.OfStreams), only Calls, PoorCalls and the streams are
// counted: nothing else belongs to a stream.
type Figures struct {
	// Calls, and PoorCalls among them; of groups of streams, those with a stream, and a poor one, in the group.
	Calls, PoorCalls    uint64
	Good, Poor, Unknown uint64 // streams that count
	Participants        uint64
	SetupFailures       uint64
	Drops               uint64
	Short               uint64 // shorter than a minute
	Brief               uint64 // ended within 5 seconds
	RatedGood           uint64
	RatedAverage        uint64
	RatedPoor           uint64
	Unrated             uint64
}

// Group is what figures are put into groups by.
type Group string

// The groups. Hours and days are those in which calls began; hour_of_day is from 0 to 23, weekday from 1 (Monday) to 7.
const (
	ByMedia         Group = "media"
	ByHour          Group = "hour"
	ByDay           Group = "day"
	ByHourOfDay     Group = "hour_of_day"
	ByWeekday       Group = "weekday"
	ByReason        Group = "reason"
	ByClient        Group = "client"
	ByClientVersion Group = "client_version"
	ByRegion        Group = "region"
	BySite          Group = "site"
	BySide          Group = "side"
)

// OfStreams tells whether streams of one call can be in several groups.
func (g Group) OfStreams() bool {
	switch g {
	case ByMedia, ByReason, ByClient, ByClientVersion, BySite, BySide:
		return true
	case ByHour, ByDay, ByHourOfDay, ByWeekday, ByRegion:
	}
	return false
}

// expression is the group's key as text; times are microseconds since the epoch. Every group that is not of this list is of a programmer.
func (g Group) expression() string {
	switch g {
	case ByMedia:
		return "toString(media)"
	case ByReason:
		return "toString(reason)"
	case ByClient:
		return "toString(client)"
	case ByClientVersion:
		return "trimBoth(concat(versioned_client, ' ', client_version))"
	case BySite:
		return "toString(site)"
	case BySide:
		return "toString(stream_side)"
	case ByRegion:
		return "toString(region)"
	case ByHour:
		return "toString(toUnixTimestamp(toStartOfHour(at, {zone:String})))"
	case ByDay:
		return "toString(toUnixTimestamp(toStartOfDay(at, {zone:String})))"
	case ByHourOfDay:
		return "toString(toHour(at, {zone:String}))"
	case ByWeekday:
		return "toString(toDayOfWeek(at, 0, {zone:String}))"
	}
	return "''"
}

// Grouped are the figures of one group.
type Grouped struct {
	Keys []string
	Figures
}

// Quality adds up figures of the calls of a filter by up to two groups (none: one row, or none where there are no calls), in order of their keys and at
// most limit of them. zone is an IANA time zone; "" is UTC.
func (r *Reader) Quality(ctx context.Context, f SummaryFilter, groups []Group, zone string, limit int) ([]Grouped, error) {
	where, args := f.where()
	ofStreams := false
	keys := make([]string, len(groups))
	for i, g := range groups {
		keys[i] = g.expression()
		ofStreams = ofStreams || g.OfStreams()
	}
	if zone == "" {
		zone = "UTC"
	}
	args = append(args, clickhouse.Named("zone", zone), clickhouse.Named("limit", uint64(max(limit, 0)))) //nolint:gosec // not negative
	sql := "SELECT [" + strings.Join(keys, ", ") + "] AS keys, " + callFigures + " FROM call_summaries FINAL WHERE " + where
	if ofStreams {
		sql = "SELECT [" + strings.Join(keys, ", ") + "] AS keys, " + streamFigureSums + " FROM call_summaries FINAL ARRAY JOIN " + joined(groups) +
			" WHERE stream_counted AND " + where
	}
	if len(groups) == 0 {
		sql = strings.Replace(sql, "SELECT []", "SELECT CAST([] AS Array(String))", 1)
	}
	sql += " GROUP BY keys ORDER BY keys LIMIT {limit:UInt64}"
	var out []Grouped
	err := r.query(ctx, "add up quality", sql, args, func(rows driver.Rows) error {
		var g Grouped
		into := []any{&g.Keys, &g.Calls, &g.PoorCalls, &g.Good, &g.Poor, &g.Unknown}
		if !ofStreams {
			into = append(into, &g.Participants, &g.SetupFailures, &g.Drops, &g.Short, &g.Brief, &g.RatedGood, &g.RatedAverage, &g.RatedPoor, &g.Unrated)
		}
		err := rows.Scan(into...)
		out = append(out, g)
		return err
	})
	return out, err
}

// joined are the arrays of streams that groups need.
func joined(groups []Group) string {
	out := []string{"streams.verdict AS stream_verdict", "streams.counted AS stream_counted"}
	for _, g := range groups {
		switch g {
		case ByMedia:
			out = append(out, "streams.media AS media")
		case ByReason:
			out = append(out, "streams.reason AS reason")
		case BySide:
			out = append(out, "streams.side AS stream_side")
		case ByClient:
			out = append(out, "streams.client AS client")
		case ByClientVersion:
			out = append(out, "streams.client AS versioned_client", "streams.client_version AS client_version")
		case BySite:
			out = append(out, "streams.site AS site")
		case ByHour, ByDay, ByHourOfDay, ByWeekday, ByRegion:
		}
	}
	return strings.Join(out, ", ")
}

const (
	callFigures = `count() AS calls_, countIf(verdict = 'poor'), sum(good), sum(poor), sum(unknown), sum(participants), sum(setup_failures), sum(drops),
		countIf(duration_ms < 60000), countIf(duration_ms <= 5000), countIf(rating = 'good'), countIf(rating = 'average'), countIf(rating = 'poor'), countIf(rating = 'unknown')`
	streamFigureSums = `uniqExact(call_id), uniqExactIf(call_id, stream_verdict = 'poor'), countIf(stream_verdict = 'good'), countIf(stream_verdict = 'poor'),
		countIf(stream_verdict = 'unknown')`
)
