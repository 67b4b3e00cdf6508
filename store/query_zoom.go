package store

import (
	"context"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"
)

// ZoomFilter says which samples of a call are looked at, and how closely.
type ZoomFilter struct {
	Call CallKey
	// Participants whose streams are looked at.
	Participants []uuid.UUID
	// Sent: only what they sent.
	Sent bool
	// From and To bound the samples: not before From, before To.
	From, To time.Time
	// Step is the width of a point.
	Step time.Duration
}

// ZoomPoint is what a stream did in one step. nil is not known.
type ZoomPoint struct {
	// At is the beginning of the step.
	At                       time.Time
	Samples                  uint64
	JitterMsAvg, JitterMsMax *float64
	LossRatioAvg             *float64
	LossRatioMax             *float64
	RTTMsAvg, RTTMsMax       *float64
	BitrateBpsAvg            *float64
	FrameRateAvg             *float64
	FrameHeightAvg           *float64
	JitterBufferMsAvg        *float64
	FreezeMs                 *float64
	AvailableBitrateBpsAvg   *float64
	stream, participant      uuid.UUID
	way, media               int8
}

// ZoomStream is a stream's points, oldest first.
type ZoomStream struct {
	ID, ParticipantID uuid.UUID
	Direction, Media  string
	Points            []ZoomPoint
}

// Zoom lists the samples of all streams of a call, added up to steps.
func (r *Reader) Zoom(ctx context.Context, f ZoomFilter) ([]ZoomStream, error) {
	where, args := f.where()
	const loss = `if(way = 2, greatest(0, packets_lost) / nullIf(toFloat64(packets), 0), greatest(0, packets_lost) / nullIf(toFloat64(packets) + greatest(0, packets_lost), 0))`
	sql := `SELECT participant_id, stream_id, way, max(media_), toInt64(intDiv(toUnixTimestamp64Milli(observed_at) - {from_ms:Int64}, {step:Int64})) AS step, count(),
		CAST(avg(jitter_ms) AS Nullable(Float64)), CAST(max(jitter_ms) AS Nullable(Float64)),
		CAST(avg(coalesce(loss_ratio, ` + loss + `)) AS Nullable(Float64)), CAST(max(coalesce(loss_ratio, ` + loss + `)) AS Nullable(Float64)),
		CAST(avg(rtt_ms) AS Nullable(Float64)), CAST(max(rtt_ms) AS Nullable(Float64)),
		CAST(coalesce(avg(bitrate_bps), if(sum(bytes) > 0, 8000 * sum(bytes) / nullIf(sum(interval_ms), 0), NULL)) AS Nullable(Float64)),
		CAST(avg(frame_rate) AS Nullable(Float64)), CAST(avg(frame_height) AS Nullable(Float64)), CAST(avg(jitter_buffer_ms) AS Nullable(Float64)),
		CAST(sum(freeze_ms) AS Nullable(Float64)), CAST(avg(available_bitrate_bps) AS Nullable(Float64))
	FROM (
		SELECT participant_id, stream_id, toInt8(direction) AS way, observed_at, max(toInt8(media)) AS media_, ` + mergedSample + ` FROM samples
		WHERE ` + where + `
			AND observed_at >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC') AND observed_at < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
		GROUP BY participant_id, stream_id, way, observed_at
	) GROUP BY participant_id, stream_id, way, step ORDER BY participant_id, stream_id, way, step`
	step := max(f.Step.Milliseconds(), 1)
	from := f.From.UnixMilli()
	var out []ZoomStream
	args = append(args, clickhouse.Named("from_ms", from), clickhouse.Named("to_ms", f.To.UnixMilli()), clickhouse.Named("step", step))
	err := r.query(ctx, "read samples of a call", sql, args, func(rows driver.Rows) error {
		var p ZoomPoint
		var number int64
		if err := rows.Scan(&p.participant, &p.stream, &p.way, &p.media, &number, &p.Samples, &p.JitterMsAvg, &p.JitterMsMax, &p.LossRatioAvg, &p.LossRatioMax, &p.RTTMsAvg,
			&p.RTTMsMax, &p.BitrateBpsAvg, &p.FrameRateAvg, &p.FrameHeightAvg, &p.JitterBufferMsAvg, &p.FreezeMs, &p.AvailableBitrateBpsAvg); err != nil {
			return err
		}
		p.At = time.UnixMilli(from + number*step).UTC()
		if n := len(out); n == 0 || out[n-1].ID != p.stream || out[n-1].ParticipantID != p.participant || out[n-1].Direction != directionName(p.way) {
			out = append(out, ZoomStream{
				ID: p.stream, ParticipantID: p.participant, Direction: directionName(p.way), Media: name(p.media, "unknown", "audio", "video", "screen"),
			})
		}
		out[len(out)-1].Points = append(out[len(out)-1].Points, p)
		return nil
	})
	return out, err
}

// where is the condition on samples, without times.
func (f *ZoomFilter) where() (string, []any) {
	people := make([]string, len(f.Participants))
	for i, id := range f.Participants {
		people[i] = id.String()
	}
	sql := "org = {org:String} AND call_id = {call:String} AND participant_id IN {people:Array(UUID)}"
	if f.Sent {
		sql += " AND direction = 'outbound'"
	}
	return sql, []any{clickhouse.Named("org", f.Call.Org), clickhouse.Named("call", f.Call.CallID), clickhouse.Named("people", people)}
}

// Span is from when to when there are samples that a filter, but for its times, is about; zero times for none.
func (r *Reader) Span(ctx context.Context, f ZoomFilter) (from, to time.Time, err error) {
	where, args := f.where()
	err = r.query(ctx, "look when a call has samples", "SELECT min(observed_at), max(observed_at), count() > 0 FROM samples WHERE "+where, args, func(rows driver.Rows) error {
		var some bool
		if err := rows.Scan(&from, &to, &some); err != nil || !some {
			from, to = time.Time{}, time.Time{}
			return err
		}
		from, to = from.UTC(), to.UTC()
		return nil
	})
	return from, to, err
}
