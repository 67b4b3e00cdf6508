package store

import (
	"context"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"
)

// TimelineEntry is one thing that happened in a call. "", 0 and the nil UUID are not known or none.
type TimelineEntry struct {
	ObservedAt    time.Time
	ParticipantID uuid.UUID
	// Lane is "call", "audio", "video", "screen", "network" or "unknown".
	Lane string
	// Kind is "diagnostic", "operation", "survey", "recording", "chat", "notice" or "decision".
	Kind        string
	Name        string
	Value       string
	OperationID uuid.UUID
	Result      string
	ResultCode  int32
	DurationMs  int64
	Attributes  map[string]string

	tie uint64
}

// TimelineFilter says which entries are listed.
type TimelineFilter struct {
	Call CallKey
	// MeetingID of the call: the chat acts of the meeting's thread are listed with it. Empty for none.
	MeetingID string
	// From and To bound ObservedAt: not before From, before To; zero does not bound.
	From, To time.Time
	// Withhold leaves out what participants did that are not in Visible, and all decisions: what an org user asks for, such as to let somebody in, tells of
	// others too.
	Withhold bool
	Visible  []uuid.UUID
	After    *TimelineAt
	Limit    int
}

// TimelineAt is the place of an entry in the list.
type TimelineAt struct {
	ObservedAt time.Time
	Tie        uint64
}

// At is the place of the entry.
func (e *TimelineEntry) At() TimelineAt { return TimelineAt{ObservedAt: e.ObservedAt, Tie: e.tie} }

const (
	timelineColumns = `observed_at, participant_id, toInt8(lane) AS lane_, toInt8(kind) AS kind_, toString(name) AS name_, toString(value) AS value_,
		operation_id, toString(result) AS result_, result_code, duration_ms, CAST(attributes AS Map(String, String)) AS attributes_`
	// timelineTie tells entries of one instant apart. Equal ones are one: a record may have come by two ways.
	timelineTie = `cityHash64(participant_id, toInt8(lane), toInt8(kind), toString(name), toString(value), operation_id, toString(result), result_code,
		duration_ms, toString(mapSort(CAST(attributes AS Map(String, String))))) AS tie`
)

func (e *TimelineEntry) scan(rows driver.Rows, before ...any) error {
	var lane, kind int8
	if err := rows.Scan(append(before, &e.ObservedAt, &e.ParticipantID, &lane, &kind, &e.Name, &e.Value, &e.OperationID, &e.Result, &e.ResultCode,
		&e.DurationMs, &e.Attributes, &e.tie)...); err != nil {
		return err
	}
	e.ObservedAt = e.ObservedAt.UTC()
	e.Lane = name(lane, "unknown", "call", "audio", "video", "screen", "network")
	e.Kind = name(kind, "", "diagnostic", "operation", "survey", "recording", "chat", "notice", "decision")
	return nil
}

// loadMarks reads what a call's issues and rating are made of. What result counts as a failure is for package quality to say; here
// only those are left out that surely don't.
func (r *Reader) loadMarks(ctx context.Context, keys []CallKey, record func(CallKey) *Record) error {
	sql := `SELECT org, call_id, ` + timelineColumns + `, ` + timelineTie + ` FROM timeline WHERE ` + keysIn(keys) + `
		AND (kind IN ('diagnostic', 'survey', 'recording') OR (kind = 'operation' AND lower(result) NOT IN ('', 'null', 'success', 'succeeded')))
		ORDER BY org, call_id, observed_at, tie LIMIT 1 BY org, call_id, observed_at, tie`
	return r.query(ctx, "load timeline", sql, keyArgs(keys), func(rows driver.Rows) error {
		var key CallKey
		var e TimelineEntry
		if err := e.scan(rows, &key.Org, &key.CallID); err != nil {
			return err
		}
		to := record(key)
		if e.Kind == "recording" {
			to.Recorded = true
			return nil
		}
		to.Marks = append(to.Marks, e)
		return nil
	})
}

// Timeline lists what happened in a call, oldest first.
func (r *Reader) Timeline(ctx context.Context, f TimelineFilter) ([]TimelineEntry, error) {
	where := []string{"org = {org:String}", "(call_id = {call:String} OR (call_id = {thread:String} AND kind = 'chat'))"}
	thread := f.Call.CallID
	if f.MeetingID != "" {
		thread = "thread_" + f.MeetingID
	}
	args := []any{
		clickhouse.Named("org", f.Call.Org), clickhouse.Named("call", f.Call.CallID), clickhouse.Named("thread", thread),
		clickhouse.Named("limit", uint64(max(f.Limit, 0))),
	}
	bound := func(condition, parameter string, t time.Time) {
		where = append(where, strings.ReplaceAll(condition, "?", "fromUnixTimestamp64Micro({"+parameter+":Int64}, 'UTC')"))
		args = append(args, clickhouse.Named(parameter, micros(t)))
	}
	if !f.From.IsZero() {
		bound("observed_at >= ?", "from", f.From)
	}
	if !f.To.IsZero() {
		bound("observed_at < ?", "to", f.To)
	}
	if f.Withhold {
		visible := []string{uuid.Nil.String()}
		for _, id := range f.Visible {
			visible = append(visible, id.String())
		}
		where = append(where, "toString(participant_id) IN {visible:Array(String)}", "kind != 'decision'")
		args = append(args, clickhouse.Named("visible", visible))
	}
	if f.After != nil {
		bound("(observed_at > ? OR (observed_at = ? AND tie > {after_tie:UInt64}))", "after", f.After.ObservedAt)
		args = append(args, clickhouse.Named("after_tie", f.After.Tie))
	}
	sql := `SELECT ` + timelineColumns + `, ` + timelineTie + ` FROM timeline WHERE ` + strings.Join(where, " AND ") + `
		ORDER BY observed_at, tie LIMIT 1 BY observed_at, tie LIMIT {limit:UInt64}`
	var out []TimelineEntry
	err := r.query(ctx, "list timeline", sql, args, func(rows driver.Rows) error {
		var e TimelineEntry
		if err := e.scan(rows); err != nil {
			return err
		}
		out = append(out, e)
		return nil
	})
	return out, err
}
