package store

import (
	"context"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"
)

// SamplePoint is what a stream did in one interval. Counters are the interval's own; nil is not known.
type SamplePoint struct {
	// ObservedAt is the end of the interval.
	ObservedAt time.Time
	// Direction is "inbound", "outbound" or "unknown".
	Direction            string
	IntervalMs           uint32
	Packets              uint64
	PacketsLost          int64
	Bytes                uint64
	PacketsDiscarded     uint64
	RetransmittedPackets uint64
	Frames               uint64
	FramesDropped        uint64
	Freezes              uint64
	NACKs                uint32
	PLIs                 uint32
	FIRs                 uint32
	JitterMs             *float32
	RTTMs                *float32
	JitterBufferMs       *float32
	HealedRatio          *float32
	FrameRate            *float32
	FrameHeight          *float32
	FreezeMs             *float32
	BitrateBps           *float32
	AvailableBitrateBps  *float32
	LossRatio            *float32

	way int8
}

// SampleFilter says which samples are listed.
type SampleFilter struct {
	Call CallKey
	// Streams are the id of the stream and of the series that show it (StreamFacts.Series).
	Streams []uuid.UUID
	// Sent: only what participants sent.
	Sent bool
	// From and To bound ObservedAt: not before From, before To; zero does not bound.
	From, To time.Time
	After    *SampleAt
	Limit    int
}

// SampleAt is the place of a sample in the list.
type SampleAt struct {
	ObservedAt time.Time
	Direction  int8
}

// At is the place of the sample.
func (p *SamplePoint) At() SampleAt { return SampleAt{ObservedAt: p.ObservedAt, Direction: p.way} }

// mergedSample makes one sample of all rows of a stream at one instant: Azure sends a row per metric, and a record that came by two
// ways has two. Of a counter the value furthest from zero is taken, since a row that does not speak of it has 0.
const mergedSample = `max(samples.interval_ms) AS interval_ms, max(samples.packets) AS packets,
	argMax(samples.packets_lost, abs(samples.packets_lost)) AS packets_lost, max(samples.bytes) AS bytes,
	max(samples.jitter_ms) AS jitter_ms, max(samples.rtt_ms) AS rtt_ms, max(samples.jitter_buffer_ms) AS jitter_buffer_ms,
	max(samples.healed_ratio) AS healed_ratio, max(samples.frame_rate) AS frame_rate, max(samples.frame_height) AS frame_height,
	max(samples.freeze_ms) AS freeze_ms, max(samples.bitrate_bps) AS bitrate_bps,
	max(samples.available_bitrate_bps) AS available_bitrate_bps, max(samples.loss_ratio) AS loss_ratio`

// Samples lists the samples of a stream, oldest first.
func (r *Reader) Samples(ctx context.Context, f SampleFilter) ([]SamplePoint, error) {
	streams := make([]string, len(f.Streams))
	for i, id := range f.Streams {
		streams[i] = id.String()
	}
	where := []string{"org = {org:String}", "call_id = {call:String}", "stream_id IN {streams:Array(UUID)}"}
	args := []any{
		clickhouse.Named("org", f.Call.Org), clickhouse.Named("call", f.Call.CallID), clickhouse.Named("streams", streams),
		clickhouse.Named("limit", uint64(max(f.Limit, 0))),
	}
	bound := func(condition, parameter string, t time.Time) {
		where = append(where, strings.ReplaceAll(condition, "?", "fromUnixTimestamp64Micro({"+parameter+":Int64}, 'UTC')"))
		args = append(args, clickhouse.Named(parameter, micros(t)))
	}
	if f.Sent {
		where = append(where, "direction = 'outbound'")
	}
	if !f.From.IsZero() {
		bound("observed_at >= ?", "from", f.From)
	}
	if !f.To.IsZero() {
		bound("observed_at < ?", "to", f.To)
	}
	if f.After != nil {
		bound("(observed_at > ? OR (observed_at = ? AND toInt8(direction) > {after_way:Int8}))", "after", f.After.ObservedAt)
		args = append(args, clickhouse.Named("after_way", f.After.Direction))
	}
	sql := `SELECT observed_at, toInt8(direction) AS way, ` + mergedSample + `, max(packets_discarded), max(retransmitted_packets), max(frames),
		max(frames_dropped), max(freezes), max(nacks), max(plis), max(firs)
	FROM samples WHERE ` + strings.Join(where, " AND ") + ` GROUP BY observed_at, way ORDER BY observed_at, way LIMIT {limit:UInt64}`
	var out []SamplePoint
	err := r.query(ctx, "list samples", sql, args, func(rows driver.Rows) error {
		var p SamplePoint
		if err := rows.Scan(&p.ObservedAt, &p.way, &p.IntervalMs, &p.Packets, &p.PacketsLost, &p.Bytes, &p.JitterMs, &p.RTTMs, &p.JitterBufferMs,
			&p.HealedRatio, &p.FrameRate, &p.FrameHeight, &p.FreezeMs, &p.BitrateBps, &p.AvailableBitrateBps, &p.LossRatio,
			&p.PacketsDiscarded, &p.RetransmittedPackets, &p.Frames, &p.FramesDropped, &p.Freezes, &p.NACKs, &p.PLIs, &p.FIRs); err != nil {
			return err
		}
		p.ObservedAt, p.Direction = p.ObservedAt.UTC(), directionName(p.way)
		out = append(out, p)
		return nil
	})
	return out, err
}
