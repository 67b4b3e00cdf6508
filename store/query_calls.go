package store

import (
	"context"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"
)

// CallFilter says which calls are listed. What is zero does not filter.
type CallFilter struct {
	// From and To bound CallAt.FirstSeen: not before From, before To.
	From, To time.Time
	Org      string
	Source   SourceKind
	// Text is within the call id or the meeting id in any case, or is the id of a participant or a stream.
	Text string
	// Label is within the directory name or user id of somebody in the call, in any case. It narrows: whether that person is a proven
	// org user is for the caller to see.
	Label string
}

// SourceKind numbers kinds of sources as the tables do; 0 is unknown.
type SourceKind int8

// Names of the kinds of sources, by number.
func (k SourceKind) String() string {
	return name(k, "unknown", "media", "rtcstats", "webrtc_internals", "acs")
}

// ParseSourceKind reads a name; 0 for a name that is none.
func ParseSourceKind(s string) SourceKind {
	for k := SourceKind(1); k <= 4; k++ {
		if k.String() == s {
			return k
		}
	}
	return 0
}

// name picks the name of an enum's number; the first is that of every unknown number.
func name[E ~int8](e E, names ...string) string {
	if e < 0 || int(e) >= len(names) {
		return names[0]
	}
	return names[e]
}

// CallAt is the place of a call in the list: newest first, then by organisation and id.
type CallAt struct {
	CallKey
	// FirstSeen is when the call started or, where no source says, the earliest instant anything of it is known.
	FirstSeen time.Time
}

// MaxSampleWindow is the longest window in which calls are looked for among samples as well.
const MaxSampleWindow = 31 * 24 * time.Hour

// skew is how far clocks of sources may be behind: rows of a call are looked for from that long before the call's start.
const skew = 24 * time.Hour

// Calls lists at most limit calls after the place given (nil: from the start). A call is what any of the tables of calls,
// participants, streams and timeline speaks of; of samples only if From and To are at most MaxSampleWindow apart, since a look through
// all of them would cost too much.
//
// Rows observed more than a day before From are not read. A call that started before From but is known by later rows only in
// what was read comes back with a FirstSeen too late: Load has the true one.
func (r *Reader) Calls(ctx context.Context, f CallFilter, after *CallAt, limit int) ([]CallAt, error) {
	if after == nil {
		after = &CallAt{}
	}
	id, _ := uuid.Parse(f.Text)
	bound := func(t time.Time) int64 {
		if t.IsZero() {
			return 0
		}
		return micros(t)
	}
	earliest := int64(0)
	if !f.From.IsZero() {
		earliest = micros(f.From.Add(-skew))
	}
	args := []any{
		clickhouse.Named("earliest", earliest), clickhouse.Named("from", bound(f.From)), clickhouse.Named("to", bound(f.To)),
		clickhouse.Named("org", f.Org), clickhouse.Named("source", int8(f.Source)), clickhouse.Named("text", f.Text),
		clickhouse.Named("id", id.String()), clickhouse.Named("label", f.Label), clickhouse.Named("limit", uint64(max(limit, 0))),
		clickhouse.Named("after", bound(after.FirstSeen)), clickhouse.Named("after_org", after.Org),
		clickhouse.Named("after_call", after.CallID),
	}
	var out []CallAt
	err := r.query(ctx, "list calls", f.sql(), args, func(rows driver.Rows) error {
		var at CallAt
		var us int64
		if err := rows.Scan(&at.Org, &at.CallID, &us); err != nil {
			return err
		}
		at.FirstSeen = time.UnixMicro(us).UTC()
		out = append(out, at)
		return nil
	})
	return out, err
}

// ofCall is the condition that a row of the timeline speaks of a call. Chat threads have rows under an id of their own, and a session that
// refused everybody has left its decisions only: neither is a call.
const ofCall = `NOT (timeline.kind = 'chat' AND startsWith(call_id, 'thread_')) AND timeline.kind != 'decision'`

// sql is the statement of Calls. Its parts are chosen by the filter; no value of the filter is in it.
func (f CallFilter) sql() string {
	const (
		idNone = `toUUID('00000000-0000-0000-0000-000000000000')`
	)
	where := []string{"observed_at >= fromUnixTimestamp64Micro({earliest:Int64}, 'UTC')"}
	if f.Org != "" {
		where = append(where, "org = {org:String}")
	}
	source := func(table, started, seen, hit, condition string) string {
		rank, sample := newest, "0"
		if table == "samples" { // Samples are not restated.
			rank, sample = "(toUInt32(0), observed_at, _offset, _index)", "1"
		}
		conditions := where
		if condition != "" {
			conditions = append(conditions[:len(conditions):len(conditions)], condition)
		}
		return "SELECT org, call_id, toInt8(source_kind) AS source, " + started + " AS started, " + rank + " AS rank, " +
			seen + " AS seen, " + hit + " AS hit, " + sample + " AS sample FROM " + table + " WHERE " + strings.Join(conditions, " AND ")
	}
	never := "CAST(NULL AS Nullable(DateTime64(6, 'UTC')))"
	union := []string{
		source("calls", "started_at", "observed_at", "positionCaseInsensitiveUTF8(meeting_id, {text:String}) > 0", ""),
		source("participants", never, "least(observed_at, ifNull(joined_at, observed_at))", "participant_id = {id:UUID}", ""),
		source("streams", never, "least(observed_at, ifNull(started_at, observed_at))",
			"(participant_id = {id:UUID} OR stream_id = {id:UUID})", ""),
		source("timeline", never, "observed_at", "participant_id = {id:UUID} AND participant_id != "+idNone, ofCall),
	}
	if !f.From.IsZero() && !f.To.IsZero() && f.To.Sub(f.From) <= MaxSampleWindow {
		union = append(union, source("samples", never, "observed_at", "(participant_id = {id:UUID} OR stream_id = {id:UUID})",
			"observed_at < fromUnixTimestamp64Micro({to:Int64}, 'UTC')"))
	}
	having := []string{"({after:Int64} = 0 OR at < {after:Int64} OR (at = {after:Int64} AND (org, call_id) > ({after_org:String}, {after_call:String})))"}
	if !f.From.IsZero() {
		having = append(having, "at >= {from:Int64}")
	}
	if !f.To.IsZero() {
		having = append(having, "at < {to:Int64}")
	}
	if f.Source != 0 {
		having = append(having, "max(source) = {source:Int8}")
	}
	if f.Text != "" {
		having = append(having, "(positionCaseInsensitiveUTF8(call_id, {text:String}) > 0 OR max(hit))")
	}
	if f.Label != "" {
		having = append(having, `(org, call_id) IN (SELECT org, call_id FROM participants WHERE `+strings.Join(where, " AND ")+` AND identity = 'org_user'
			AND (positionCaseInsensitiveUTF8(display_name, {label:String}) > 0 OR positionCaseInsensitiveUTF8(user_id, {label:String}) > 0))`)
	}
	// The first sample says when a call began only where nothing else speaks of the call.
	const firstSeen = "ifNull(argMax(started, rank), if(min(sample) = 0, minIf(seen, sample = 0), min(seen)))"
	return "SELECT org, call_id, toUnixTimestamp64Micro(" + firstSeen + ") AS at FROM (" +
		strings.Join(union, " UNION ALL ") + ") GROUP BY org, call_id HAVING " + strings.Join(having, " AND ") +
		" ORDER BY at DESC, org, call_id LIMIT {limit:UInt64}"
}

// FindCall lists the organisations that have a call of this id, at most two of them; org, unless empty, is the only one looked at.
// A chat thread is not found.
func (r *Reader) FindCall(ctx context.Context, callID, org string) ([]CallKey, error) {
	const condition = " WHERE call_id = {call:String} AND ({org:String} = '' OR org = {org:String})"
	var parts []string
	for _, table := range []string{"calls", "participants", "streams", "samples"} {
		parts = append(parts, "SELECT DISTINCT org FROM "+table+condition)
	}
	parts = append(parts, "SELECT DISTINCT org FROM timeline"+condition+" AND "+ofCall)
	sql := "SELECT DISTINCT toString(org) AS found FROM (" + strings.Join(parts, " UNION ALL ") + ") ORDER BY found LIMIT 2"
	args := []any{clickhouse.Named("call", callID), clickhouse.Named("org", org)}
	var out []CallKey
	err := r.query(ctx, "find call", sql, args, func(rows driver.Rows) error {
		key := CallKey{CallID: callID}
		if err := rows.Scan(&key.Org); err != nil {
			return err
		}
		out = append(out, key)
		return nil
	})
	return out, err
}
