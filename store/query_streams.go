package store

import (
	"cmp"
	"context"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
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
func (s *StreamFacts) figures() []**float64 {
	return []**float64{
		&s.LossRatio, &s.LossRatioMax, &s.JitterMsAvg, &s.JitterMsMax, &s.RTTMsAvg, &s.RTTMsMax, &s.JitterBufferMsAvg, &s.JitterBufferMsMax,
		&s.HealedRatio, &s.HealedRatioMax, &s.FrameRateAvg, &s.HeightAvg, &s.FreezeMsPerMin, &s.BitrateAvg, &s.BitrateMax,
	}
}

// scanFigures appends where a row's figures are scanned to.
func (s *StreamFacts) scanFigures(into []any) []any {
	for _, figure := range s.figures() {
		into = append(into, figure)
	}
	return into
}

// restate takes what a row that is believed more says of the same stream; what it doesn't know stays as it was.
func (s *StreamFacts) restate(by *StreamFacts) {
	s.Source = max(s.Source, by.Source)
	if by.Media != "unknown" {
		s.Media = by.Media
	}
	s.SSRC = cmp.Or(by.SSRC, s.SSRC)
	s.StartedAt, s.EndedAt = cmp.Or(by.StartedAt, s.StartedAt), cmp.Or(by.EndedAt, s.EndedAt)
	s.Packets, s.PacketsLost, s.Bytes = cmp.Or(by.Packets, s.Packets), cmp.Or(by.PacketsLost, s.PacketsLost), cmp.Or(by.Bytes, s.Bytes)
	s.PacketsRepaired = cmp.Or(by.PacketsRepaired, s.PacketsRepaired)
	known := by.figures()
	for i, figure := range s.figures() {
		*figure = cmp.Or(*known[i], *figure)
	}
	for _, text := range [][2]*string{
		{&s.Codec, &by.Codec},
		{&s.ObservedBy, &by.ObservedBy},
		{&s.LocalCandidateType, &by.LocalCandidateType},
		{&s.RemoteCandidateType, &by.RemoteCandidateType},
		{&s.Transport, &by.Transport},
		{&s.LikelySide, &by.LikelySide},
	} {
		*text[0] = cmp.Or(*text[1], *text[0])
	}
}

// setEnums names what the row has as numbers.
func (s *StreamFacts) setEnums(source, direction, media int8) {
	s.Source = SourceKind(source)
	s.Direction = directionName(direction)
	s.Media = name(media, "unknown", "audio", "video", "screen")
}

func directionName(d int8) string { return name(d, "unknown", "inbound", "outbound") }

// streamKey tells a stream.
type streamKey struct {
	call            CallKey
	participant, id uuid.UUID
	// way is the direction as the tables have it.
	way int8
}

// loadStreams reads what is known of streams: their summaries, and samples of those that have none. What samples there are is asked after the summaries, so
// that a stream whose summary arrives in between is in the one answer if it isn't in the other.
func (r *Reader) loadStreams(ctx context.Context, keys []CallKey, record func(CallKey) *Record) error {
	summarised, err := r.loadSummarised(ctx, keys, record)
	if err != nil {
		return err
	}
	var only []streamKey
	const sql = "SELECT DISTINCT org, call_id, participant_id, stream_id, toInt8(direction) AS way FROM samples WHERE "
	err = r.query(ctx, "find sampled streams", sql+keysIn(keys), keyArgs(keys), func(rows driver.Rows) error {
		var k streamKey
		if err := rows.Scan(&k.call.Org, &k.call.CallID, &k.participant, &k.id, &k.way); err != nil {
			return err
		}
		if !summarised[k] {
			only = append(only, k)
		}
		return nil
	})
	if err != nil || len(only) == 0 {
		return err
	}
	return r.loadSampled(ctx, only, record)
}

// loadSummarised reads the summaries, and says of which streams there are some. The rows of a stream come in the order in which they are believed, and are
// laid over each other here: the server would take twice as long for it.
func (r *Reader) loadSummarised(ctx context.Context, keys []CallKey, record func(CallKey) *Record) (map[streamKey]bool, error) {
	sql := `SELECT org, call_id, participant_id, stream_id, toInt8(direction) AS way, toString(region), toInt8(source_kind), toInt8(media),
		least(observed_at, ifNull(streams.started_at, observed_at)), ssrc, toString(codec), toString(observed_by), started_at, ended_at, packets, packets_lost, bytes, ` +
		strings.Join(streamFigures[:], ", ") + `, toString(local_candidate_type), toString(remote_candidate_type), toString(transport), packets_repaired,
		toString(likely_side) FROM streams WHERE ` + keysIn(keys) + " ORDER BY revision, observed_at, _offset, _index"
	at := make(map[streamKey]int)
	err := r.query(ctx, "load streams", sql, keyArgs(keys), func(rows driver.Rows) error {
		var k streamKey
		var s StreamFacts
		var region string
		var source, media int8
		var seen time.Time
		into := []any{
			&k.call.Org, &k.call.CallID, &k.participant, &k.id, &k.way, &region, &source, &media, &seen, &s.SSRC, &s.Codec, &s.ObservedBy, &s.StartedAt,
			&s.EndedAt, &s.Packets, &s.PacketsLost, &s.Bytes,
		}
		into = append(s.scanFigures(into), &s.LocalCandidateType, &s.RemoteCandidateType, &s.Transport, &s.PacketsRepaired, &s.LikelySide)
		if err := rows.Scan(into...); err != nil {
			return err
		}
		s.ID, s.ParticipantID = k.id, k.participant
		s.setEnums(source, k.way, media)
		s.StartedAt, s.EndedAt = utc(s.StartedAt), utc(s.EndedAt)
		to := record(k.call)
		to.spokenOf(region, SourceKind(source), seen)
		if i, ok := at[k]; ok {
			to.Streams[i].restate(&s)
			return nil
		}
		at[k] = len(to.Streams)
		to.Streams = append(to.Streams, s)
		return nil
	})
	summarised := make(map[streamKey]bool, len(at))
	for k := range at {
		summarised[k] = true
	}
	return summarised, err
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

// loadSampled makes partial summaries of streams out of their samples.
func (r *Reader) loadSampled(ctx context.Context, of []streamKey, record func(CallKey) *Record) error {
	keys, people, streams, ways := make([]CallKey, len(of)), make([]string, len(of)), make([]string, len(of)), make([]int8, len(of))
	for i, k := range of {
		keys[i], people[i], streams[i], ways[i] = k.call, k.participant.String(), k.id.String(), k.way
	}
	args := append(keyArgs(keys), clickhouse.Named("people", people), clickhouse.Named("streams", streams), clickhouse.Named("ways", ways))
	sql := `SELECT org, call_id, participant_id, stream_id, way, max(region_), max(source), max(media_), max(ssrc_), max(codec_),
		min(at - toIntervalMillisecond(interval_ms)) AS started, min(at) AS first, sum(packets) AS packets_sum, sum(packets_lost), sum(bytes), ` + sampledFigures() + `
	FROM (SELECT org, call_id, participant_id, stream_id, toInt8(direction) AS way, observed_at AS at, max(toString(region)) AS region_,
		max(toInt8(source_kind)) AS source, max(toInt8(media)) AS media_, max(ssrc) AS ssrc_, max(toString(codec)) AS codec_,
		greatest(interval_ms, 1) AS weight, ` + mergedSample + `
		FROM samples WHERE (org, call_id, participant_id, stream_id, toInt8(direction)) IN (SELECT s.1, s.2, s.3, s.4, s.5 FROM (
			SELECT arrayJoin(arrayZip({orgs:Array(String)}, {calls:Array(String)}, {people:Array(UUID)}, {streams:Array(UUID)}, {ways:Array(Int8)})) AS s))
		GROUP BY org, call_id, participant_id, stream_id, way, at)
	GROUP BY org, call_id, participant_id, stream_id, way`
	return r.query(ctx, "load sampled streams", sql, args, func(rows driver.Rows) error {
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
		if err := rows.Scan(s.scanFigures(into)...); err != nil {
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
