package store

import (
	"context"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"
)

// WriteSummaries stores rows of call_summaries in one insert. Writing them again changes nothing.
func (s *Store) WriteSummaries(ctx context.Context, rows []CallSummary) error {
	return s.insertColumns(ctx, "call_summaries", append(summaryColumns(rows), append(peopleColumns(rows), streamColumns(rows)...)...)...)
}

func summaryColumns(rows []CallSummary) []column {
	return []column{
		col("org", rows, func(r *CallSummary) string { return r.Org }),
		col("profile", rows, func(r *CallSummary) string { return r.Profile }),
		col("at", rows, func(r *CallSummary) time.Time { return r.At }),
		col("call_id", rows, func(r *CallSummary) string { return r.CallID }),
		col("version", rows, func(r *CallSummary) uint64 { return r.Version }),
		col("gone", rows, func(r *CallSummary) bool { return r.Gone }),
		col("region", rows, func(r *CallSummary) string { return r.Region }),
		col("source", rows, func(r *CallSummary) string { return r.Source.String() }),
		col("kind", rows, func(r *CallSummary) string { return or(r.Kind, "unknown") }),
		col("meeting_id", rows, func(r *CallSummary) string { return r.MeetingID }),
		col("started_at", rows, func(r *CallSummary) *time.Time { return r.StartedAt }),
		col("ended_at", rows, func(r *CallSummary) *time.Time { return r.EndedAt }),
		col("duration_ms", rows, func(r *CallSummary) *int64 { return r.DurationMs }),
		col("end_reason", rows, func(r *CallSummary) string { return r.EndReason }),
		col("state", rows, func(r *CallSummary) string { return or(r.State, "complete") }),
		col("recorded", rows, func(r *CallSummary) bool { return r.Recorded }),
		col("participants", rows, func(r *CallSummary) uint32 { return r.Participants }),
		col("anonymous", rows, func(r *CallSummary) uint32 { return r.Anonymous }),
		col("setup_failures", rows, func(r *CallSummary) uint32 { return r.SetupFailures }),
		col("drops", rows, func(r *CallSummary) uint32 { return r.Drops }),
		col("rating", rows, func(r *CallSummary) string { return or(r.Rating, "unknown") }),
		col("rating_score", rows, func(r *CallSummary) *float64 { return r.RatingScore }),
		col("verdict", rows, func(r *CallSummary) string { return or(r.Verdict, "unknown") }),
		col("good", rows, func(r *CallSummary) uint32 { return r.Good }),
		col("poor", rows, func(r *CallSummary) uint32 { return r.Poor }),
		col("unknown", rows, func(r *CallSummary) uint32 { return r.Unknown }),
		col("issues", rows, func(r *CallSummary) uint32 { return r.Issues }),
		col("bad_operations", rows, func(r *CallSummary) uint32 { return r.BadOperations }),
		col("unexpected_ends", rows, func(r *CallSummary) uint32 { return r.UnexpectedEnds }),
		col("reasons", rows, func(r *CallSummary) []string { return some(r.Reasons) }),
		col("sides", rows, func(r *CallSummary) []string { return some(r.Sides) }),
		col("top_metric", rows, func(r *CallSummary) string { return r.TopMetric }),
		col("side", rows, func(r *CallSummary) string { return r.Side }),
		col("judgement", rows, func(r *CallSummary) string { return r.Judgement }),
	}
}

func peopleColumns(rows []CallSummary) []column {
	return []column{
		people("participant_id", rows, func(p *SummaryPerson) uuid.UUID { return p.ID }),
		people("user_id", rows, func(p *SummaryPerson) string { return p.UserID }),
		people("label", rows, func(p *SummaryPerson) string { return p.Label }),
		people("client", rows, func(p *SummaryPerson) string { return p.Client }),
		people("client_version", rows, func(p *SummaryPerson) string { return p.ClientVersion }),
		people("os", rows, func(p *SummaryPerson) string { return p.OS }),
		people("network", rows, func(p *SummaryPerson) string { return p.Network }),
		people("site", rows, func(p *SummaryPerson) string { return p.Site }),
	}
}

func streamColumns(rows []CallSummary) []column {
	return []column{
		streams("stream_id", rows, func(s *SummaryStream) uuid.UUID { return s.ID }),
		streams("participant_id", rows, func(s *SummaryStream) uuid.UUID { return s.ParticipantID }),
		streams("media", rows, func(s *SummaryStream) string { return or(s.Media, "unknown") }),
		streams("direction", rows, func(s *SummaryStream) string { return or(s.Direction, "unknown") }),
		streams("verdict", rows, func(s *SummaryStream) string { return or(s.Verdict, "unknown") }),
		streams("counted", rows, func(s *SummaryStream) bool { return s.Counted }),
		streams("reason", rows, func(s *SummaryStream) string { return s.Reason }),
		streams("side", rows, func(s *SummaryStream) string { return s.Side }),
		streams("client", rows, func(s *SummaryStream) string { return s.Client }),
		streams("client_version", rows, func(s *SummaryStream) string { return s.ClientVersion }),
		streams("site", rows, func(s *SummaryStream) string { return s.Site }),
		streams("loss_ratio", rows, func(s *SummaryStream) *float32 { return single(s.LossRatio) }),
		streams("jitter_ms", rows, func(s *SummaryStream) *float32 { return single(s.JitterMs) }),
		streams("rtt_ms", rows, func(s *SummaryStream) *float32 { return single(s.RTTMs) }),
		streams("bitrate_bps", rows, func(s *SummaryStream) *float32 { return single(s.BitrateBps) }),
	}
}

// people makes a column of an array of a field of each participant, and streams of each stream.
func people[V any](name string, rows []CallSummary, field func(*SummaryPerson) V) column {
	return col("people."+name, rows, func(r *CallSummary) []V { return each(r.People, field) })
}

func streams[V any](name string, rows []CallSummary, field func(*SummaryStream) V) column {
	return col("streams."+name, rows, func(r *CallSummary) []V { return each(r.Streams, field) })
}

func each[I, V any](items []I, field func(*I) V) []V {
	out := make([]V, len(items))
	for i := range items {
		out[i] = field(&items[i])
	}
	return out
}

func or(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

func some(texts []string) []string {
	if texts == nil {
		return []string{}
	}
	return texts
}

func single(f *float64) *float32 {
	if f == nil {
		return nil
	}
	out := float32(*f)
	return &out
}

// NoteWatermark stores until when all that was produced is stored and summed up.
func (s *Store) NoteWatermark(ctx context.Context, name string, w Watermark) error {
	return s.replaceRows(ctx, "watermarks", "name, watermark, reason", [][]any{{name, w.At, w.Reason}})
}

// Watermark reads what was last noted; the zero one for nothing. A watermark never goes back: what was stored is stored.
func (r *Reader) Watermark(ctx context.Context, name string) (Watermark, error) {
	var w Watermark
	err := r.query(ctx, "read watermark", `SELECT max(watermark), argMax(reason, noted_at), max(noted_at) FROM watermarks WHERE name = {name:String}
		GROUP BY name`, []any{clickhouse.Named("name", name)}, func(rows driver.Rows) error { return rows.Scan(&w.At, &w.Reason, &w.NotedAt) })
	w.At, w.NotedAt = w.At.UTC(), w.NotedAt.UTC()
	return w, err
}
