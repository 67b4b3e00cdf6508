package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"
)

// Decision is one decision of a policy about a participant.
type Decision struct {
	DecisionID uuid.UUID
	At         time.Time
	CallID     string
	// MeetingID and ParticipantID are zero where an agent decided. A participant has a random id of its call.
	MeetingID, ParticipantID uuid.UUID
	// Action is "join" or "use"; Capability is of "use" only.
	Action, Capability string
	Effect             string
	Reasons, Rules     []string
	// Revision as policy.Decision.Revision has it.
	Revision string
	Took     time.Duration
	// Error is why no policy answered; empty if one did.
	Error string
	// Source is DecidedByMedia or DecidedByAgent.
	Source string
	// Input is canonical JSON. Lists don't have it.
	Input string
}

// DecisionFilter says which decisions are looked at. Org, From and To are required; what else is zero does not filter.
type DecisionFilter struct {
	Org string
	// From and To bound when they were made: not before From, before To.
	From, To           time.Time
	Action, Capability string
	Effect             string
	Reason, Rule       string
	// Revision is the whole name of one, or within it: the digest of a policy's content.
	Revision  string
	CallID    string
	MeetingID uuid.UUID
	// Failed: those that no policy answered, or those that one did.
	Failed *bool
	Source string
	// Now is the moment by which retention and the end of calls are judged. Zero: now, by this process.
	Now time.Time
}

// unsettled is how long decisions of no call aren't shown: longer than anybody may wait in a lobby.
const unsettled = time.Hour

// where is the condition on the table decisions, and its parameters.
func (f *DecisionFilter) where() (string, []any) {
	w := f.window()
	w.text("splitByChar(':', toString(action))[1] = {action:String}", "action", f.Action)
	w.text("splitByChar(':', toString(action))[2] = {capability:String}", "capability", f.Capability)
	w.text("toString(effect) = {effect:String}", "effect", f.Effect)
	w.text("has(reasons, {reason:String})", "reason", f.Reason)
	w.text("has(rules, {rule:String})", "rule", f.Rule)
	w.text("position(toString(revision), {revision:String}) > 0", "revision", f.Revision)
	w.text("toString(source) = {source:String}", "source", f.Source)
	if f.Failed != nil {
		w.add("notEmpty(toString(error)) = {failed:Bool}", "failed", *f.Failed)
	}
	return strings.Join(w.parts, " AND ") + " AND " + f.readable(), append(w.args, f.nowArgs()...)
}

// window is the part of the condition that tells the calls to look at.
func (f *DecisionFilter) window() conditions {
	w := conditions{}
	w.add("org = {org:String}", "org", f.Org)
	w.add("at >= fromUnixTimestamp64Micro({from:Int64}, 'UTC')", "from", micros(f.From))
	w.add("at < fromUnixTimestamp64Micro({to:Int64}, 'UTC')", "to", micros(f.To))
	w.text("call_id = {call:String}", "call", f.CallID)
	if f.MeetingID != uuid.Nil {
		w.add("meeting_id = {meeting:UUID}", "meeting", f.MeetingID.String())
	}
	return w
}

// readable is the condition that a decision may be shown: its call has ended (rule D3; the input tells how many are in, so that it isn't enough that
// it isn't about a guest), or it is of no call and old enough, and retention has not hidden it.
func (f *DecisionFilter) readable() string {
	w := f.window()
	return readableDecision("SELECT call_id FROM decisions WHERE " + strings.Join(w.parts, " AND "))
}

func readableDecision(calls string) string {
	things := thingsSQL(distributed, "class = 'decision' AND org = {org:String} AND call_id IN ("+calls+")")
	return `call_id IN (SELECT call_id FROM (` + things + `) WHERE state = 'stored')
		AND call_id NOT IN (SELECT call_id FROM calls WHERE org = {org:String} AND call_id IN (` + calls + `) GROUP BY call_id HAVING max(ended_at) IS NULL)
		AND (at < fromUnixTimestamp64Micro({settled:Int64}, 'UTC')
			OR call_id IN (SELECT call_id FROM calls WHERE org = {org:String} AND call_id IN (` + calls + `) AND ended_at IS NOT NULL))`
}

func (f *DecisionFilter) nowArgs() []any {
	now := f.Now
	if now.IsZero() {
		now = time.Now()
	}
	return []any{clickhouse.Named("now", micros(now)), clickhouse.Named("settled", micros(now.Add(-unsettled)))}
}

// DecisionAt is the place of a decision in the list.
type DecisionAt struct {
	At         time.Time
	DecisionID uuid.UUID
}

const decisionColumns = `decision_id, at, call_id, meeting_id, participant_id, splitByChar(':', toString(action)) AS asked, toString(effect) AS effect_,
	CAST(reasons AS Array(String)) AS reasons_, CAST(rules AS Array(String)) AS rules_, toString(revision) AS revision_, evaluation_ns,
	toString(error) AS error_, toString(source) AS source_`

func (d *Decision) scan(rows driver.Rows, more ...any) error {
	var asked []string
	var took int64
	err := rows.Scan(append([]any{
		&d.DecisionID, &d.At, &d.CallID, &d.MeetingID, &d.ParticipantID, &asked, &d.Effect, &d.Reasons, &d.Rules, &d.Revision, &took, &d.Error, &d.Source,
	}, more...)...)
	d.At, d.Took = d.At.UTC(), time.Duration(took)
	if len(asked) > 0 {
		d.Action = asked[0]
	}
	if len(asked) > 1 {
		d.Capability = asked[1]
	}
	return err
}

// Decisions lists at most limit decisions that may be shown, the newest first, after a place (nil: from the newest on), without their inputs. A decision
// that came twice is one.
func (r *Reader) Decisions(ctx context.Context, f DecisionFilter, after *DecisionAt, limit int) ([]Decision, error) {
	where, args := f.where()
	if after != nil {
		where += " AND (at, decision_id) < (fromUnixTimestamp64Micro({after:Int64}, 'UTC'), {after_id:UUID})"
		args = append(args, clickhouse.Named("after", micros(after.At)), clickhouse.Named("after_id", after.DecisionID.String()))
	}
	var out []Decision
	err := r.query(ctx, "list decisions", `SELECT `+decisionColumns+` FROM decisions WHERE `+where+`
		ORDER BY at DESC, decision_id DESC LIMIT 1 BY decision_id LIMIT {limit:UInt64}`, append(args, clickhouse.Named("limit", uint64(max(limit, 0)))),
		func(rows driver.Rows) error {
			var d Decision
			if err := d.scan(rows); err != nil {
				return err
			}
			out = append(out, d)
			return nil
		})
	return out, err
}

// Decision is one decision with its input. It fails with ErrNotFound if there is none that may be shown at the moment now.
func (r *Reader) Decision(ctx context.Context, org string, id uuid.UUID, now time.Time) (Decision, error) {
	f := DecisionFilter{Org: org, Now: now}
	args := append([]any{clickhouse.Named("org", org), clickhouse.Named("id", id.String())}, f.nowArgs()...)
	const one = "org = {org:String} AND decision_id = {id:UUID}"
	var d Decision
	found := false
	err := r.query(ctx, "get decision", `SELECT `+decisionColumns+`, input FROM decisions WHERE `+one+` AND `+
		readableDecision("SELECT call_id FROM decisions WHERE "+one)+` LIMIT 1`, args, func(rows driver.Rows) error {
		found = true
		return d.scan(rows, &d.Input)
	})
	if err == nil && !found {
		err = fmt.Errorf("get decision: %w", ErrNotFound)
	}
	return d, err
}

// DecisionCounts tells how many decisions there are, and about how many different inputs they were made on.
type DecisionCounts struct{ Decisions, Distinct uint64 }

// CountDecisions counts those that may be shown.
func (r *Reader) CountDecisions(ctx context.Context, f DecisionFilter) (DecisionCounts, error) {
	where, args := f.where()
	var c DecisionCounts
	err := r.query(ctx, "count decisions", `SELECT uniqExact(decision_id), uniq(input) FROM decisions WHERE `+where, args, func(rows driver.Rows) error {
		return rows.Scan(&c.Decisions, &c.Distinct)
	})
	return c, err
}

// DecidedInput is an input with the number of decisions on it.
type DecidedInput struct {
	Input string
	Count uint64
	// Example is one of these decisions: the newest.
	Example uuid.UUID
}

// DecidedInputs gives each different input of the decisions that may be shown, once: those of one part out of some, into which inputs fall by a hash of
// theirs, so that parts are of about one size. Each part reads all inputs of the window; the store's memory holds those of one. An error of each ends it.
func (r *Reader) DecidedInputs(ctx context.Context, f DecisionFilter, part, parts uint64, each func(DecidedInput) error) error {
	where, args := f.where()
	args = append(args, clickhouse.Named("part", part), clickhouse.Named("parts", max(parts, 1)))
	return r.query(ctx, "list inputs of decisions", `SELECT input, uniqExact(decision_id), argMax(decision_id, (at, decision_id)) FROM decisions
		WHERE cityHash64(input) % {parts:UInt64} = {part:UInt64} AND `+where+` GROUP BY input`, args, func(rows driver.Rows) error {
		var i DecidedInput
		if err := rows.Scan(&i.Input, &i.Count, &i.Example); err != nil {
			return err
		}
		return each(i)
	})
}

// InputsOf gives the inputs of those of some decisions that may be shown at a moment, by id.
func (r *Reader) InputsOf(ctx context.Context, org string, ids []uuid.UUID, now time.Time) (map[uuid.UUID]string, error) {
	out := map[uuid.UUID]string{}
	if len(ids) == 0 {
		return out, nil
	}
	texts := make([]string, len(ids))
	for i, id := range ids {
		texts[i] = id.String()
	}
	f := DecisionFilter{Org: org, Now: now}
	args := append([]any{clickhouse.Named("org", org), clickhouse.Named("ids", texts)}, f.nowArgs()...)
	const some = "org = {org:String} AND decision_id IN {ids:Array(UUID)}"
	err := r.query(ctx, "get inputs of decisions", `SELECT decision_id, input FROM decisions WHERE `+some+` AND `+
		readableDecision("SELECT call_id FROM decisions WHERE "+some), args, func(rows driver.Rows) error {
		var id uuid.UUID
		var input string
		err := rows.Scan(&id, &input)
		out[id] = input
		return err
	})
	return out, err
}
