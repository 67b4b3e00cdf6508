package store

import (
	"context"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"
)

// StreamFacts is what is known of a stream over its life. nil, "" and an SSRC of 0 are not known. Units are in the names; ratios are
// from 0 to 1, bitrates in bit/s.
type StreamFacts struct {
	ID            uuid.UUID
	ParticipantID uuid.UUID
	Source        SourceKind
	// Direction is "inbound", "outbound" or "unknown", as the client sees it.
	Direction string
	// Media is "audio", "video", "screen" or "unknown".
	Media string
	SSRC  uint32
	Codec string
	// ObservedBy is "server" when the figures are those of the far end.
	ObservedBy          string
	StartedAt           *time.Time
	EndedAt             *time.Time
	Packets             *uint64
	PacketsLost         *int64
	Bytes               *uint64
	LossRatio           *float64
	LossRatioMax        *float64
	JitterMsAvg         *float64
	JitterMsMax         *float64
	RTTMsAvg            *float64
	RTTMsMax            *float64
	JitterBufferMsAvg   *float64
	JitterBufferMsMax   *float64
	HealedRatio         *float64
	HealedRatioMax      *float64
	FrameRateAvg        *float64
	HeightAvg           *float64
	FreezeMsPerMin      *float64
	BitrateAvg          *float64
	BitrateMax          *float64
	LocalCandidateType  string
	RemoteCandidateType string
	Transport           string
	// PacketsRepaired of those lost, and LikelySide, where most of the rest was lost: "sender_uplink", "server", "receiver_downlink" or "none".
	PacketsRepaired *int64
	LikelySide      string
	// Partial: no summary has arrived, the figures are those of the samples.
	Partial bool
	// Series are the ids of series of samples that show this stream, besides those under its own id.
	Series []uuid.UUID
	// Counted tells whether the stream counts in the verdict of the call; see Record.countStreams.
	Counted bool

	region      string
	firstSample time.Time
}

// figures are where the columns of streamFigures go, in their order.
func (s *StreamFacts) figures() []any {
	return []any{
		&s.LossRatio, &s.LossRatioMax, &s.JitterMsAvg, &s.JitterMsMax, &s.RTTMsAvg, &s.RTTMsMax, &s.JitterBufferMsAvg, &s.JitterBufferMsMax,
		&s.HealedRatio, &s.HealedRatioMax, &s.FrameRateAvg, &s.HeightAvg, &s.FreezeMsPerMin, &s.BitrateAvg, &s.BitrateMax,
	}
}

// setEnums names what the row has as numbers.
func (s *StreamFacts) setEnums(source, direction, media int8) {
	s.Source = SourceKind(source)
	s.Direction = directionName(direction)
	s.Media = name(media, "unknown", "audio", "video", "screen")
}

func directionName(d int8) string { return name(d, "unknown", "inbound", "outbound") }

// loadStreams reads the summaries. A stream is told by participant, id and direction.
func (r *Reader) loadStreams(ctx context.Context, keys []CallKey, record func(CallKey) *Record) error {
	columns := []string{
		"org", "call_id", "participant_id", "stream_id", "toInt8(direction) AS way", "max(toInt8(source_kind))", knownEnum("media"),
		"argMaxIf(ssrc, " + newest + ", ssrc != 0)", knownText("codec"), knownText("observed_by"), known("started_at"), known("ended_at"),
		known("packets"), known("packets_lost"), known("bytes"),
	}
	for _, column := range streamFigures {
		columns = append(columns, known(column))
	}
	columns = append(columns, knownText("local_candidate_type"), knownText("remote_candidate_type"), knownText("transport"), known("packets_repaired"), knownText("likely_side"))
	sql := "SELECT " + strings.Join(columns, ", ") + " FROM streams WHERE " + keysIn + " GROUP BY org, call_id, participant_id, stream_id, way"
	return r.query(ctx, "load streams", sql, keyArgs(keys), func(rows driver.Rows) error {
		var key CallKey
		var s StreamFacts
		var direction, source, media int8
		into := []any{
			&key.Org, &key.CallID, &s.ParticipantID, &s.ID, &direction, &source, &media, &s.SSRC, &s.Codec, &s.ObservedBy, &s.StartedAt, &s.EndedAt,
			&s.Packets, &s.PacketsLost, &s.Bytes,
		}
		into = append(append(into, s.figures()...), &s.LocalCandidateType, &s.RemoteCandidateType, &s.Transport, &s.PacketsRepaired, &s.LikelySide)
		if err := rows.Scan(into...); err != nil {
			return err
		}
		s.setEnums(source, direction, media)
		s.StartedAt, s.EndedAt = utc(s.StartedAt), utc(s.EndedAt)
		to := record(key)
		to.Streams = append(to.Streams, s)
		return nil
	})
}

// sampledFigures are the figures of a stream from its samples, in the order of streamFigures. Averages weigh each sample by its
// interval. Loss is lost / (received + lost) inbound and lost / sent outbound; where a source states ratios instead of counters, it is
// their mean.
func sampledFigures() string {
	average := func(column string) string { return "avgWeighted(" + column + ", weight)" }
	highest := func(column string) string { return "max(" + column + ")" }
	const (
		lost = "greatest(0, sum(packets_lost))"
		loss = "if(sum(packets) > 0, " + lost + " / nullIf(if(way = 2, toFloat64(sum(packets)), toFloat64(sum(packets) + " + lost + ")), 0), " +
			"avgWeighted(loss_ratio, weight))"
		freeze  = "60000 * sum(freeze_ms) / nullIf(sumIf(interval_ms, freeze_ms IS NOT NULL), 0)"
		bitrate = "coalesce(avgWeighted(bitrate_bps, weight), if(sum(bytes) > 0, 8000 * sum(bytes) / nullIf(sum(interval_ms), 0), NULL))"
	)
	figures := []string{
		loss, highest("loss_ratio"), average("jitter_ms"), highest("jitter_ms"), average("rtt_ms"), highest("rtt_ms"),
		average("jitter_buffer_ms"), highest("jitter_buffer_ms"), average("healed_ratio"), highest("healed_ratio"),
		average("frame_rate"), average("frame_height"), freeze, bitrate, highest("bitrate_bps"),
	}
	for i, f := range figures {
		figures[i] = "CAST(" + f + " AS Nullable(Float64))"
	}
	return strings.Join(figures, ", ")
}

// loadAllStreams reads what is known of streams: of those without a summary from their samples. The samples are asked first: a summary
// that arrives between the two questions is then found twice, and of the other order it would be found in neither answer.
func (r *Reader) loadAllStreams(ctx context.Context, keys []CallKey, record func(CallKey) *Record) error {
	if err := r.loadSampled(ctx, keys, record); err != nil {
		return err
	}
	return r.loadStreams(ctx, keys, record)
}

// loadSampled makes partial summaries of streams that have samples and no summary.
func (r *Reader) loadSampled(ctx context.Context, keys []CallKey, record func(CallKey) *Record) error {
	sql := `SELECT org, call_id, participant_id, stream_id, way, max(region_), max(source), max(media_), max(ssrc_), max(codec_),
		min(at - toIntervalMillisecond(interval_ms)) AS started, min(at) AS first, sum(packets) AS packets_sum, sum(packets_lost), sum(bytes), ` + sampledFigures() + `
	FROM (SELECT org, call_id, participant_id, stream_id, toInt8(direction) AS way, observed_at AS at, max(toString(region)) AS region_,
		max(toInt8(source_kind)) AS source, max(toInt8(media)) AS media_, max(ssrc) AS ssrc_, max(toString(codec)) AS codec_,
		greatest(interval_ms, 1) AS weight, ` + mergedSample + `
		FROM samples WHERE ` + keysIn + ` AND (org, call_id, participant_id, stream_id, toInt8(direction)) NOT IN (
			SELECT org, call_id, participant_id, stream_id, toInt8(direction) FROM streams WHERE ` + keysIn + `)
		GROUP BY org, call_id, participant_id, stream_id, way, at)
	GROUP BY org, call_id, participant_id, stream_id, way`
	return r.query(ctx, "load sampled streams", sql, keyArgs(keys), func(rows driver.Rows) error {
		var key CallKey
		s := StreamFacts{Partial: true}
		var direction, source, media int8
		var started time.Time
		var packets, bytes uint64
		var lost int64
		into := []any{
			&key.Org, &key.CallID, &s.ParticipantID, &s.ID, &direction, &s.region, &source, &media, &s.SSRC, &s.Codec, &started, &s.firstSample,
			&packets, &lost, &bytes,
		}
		if err := rows.Scan(append(into, s.figures()...)...); err != nil {
			return err
		}
		s.setEnums(source, direction, media)
		s.StartedAt, s.firstSample = utc(&started), s.firstSample.UTC()
		// Azure's series have no counters: their zeroes say nothing.
		if s.Source != sourceACS || packets > 0 {
			s.Packets, s.PacketsLost = &packets, &lost
		}
		if s.Source != sourceACS || bytes > 0 {
			s.Bytes = &bytes
		}
		to := record(key)
		to.Streams = append(to.Streams, s)
		return nil
	})
}
