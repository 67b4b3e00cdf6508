package store

import (
	"time"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/event/eventpb"
)

// streamIdentity are the columns that say which stream a row is about.
type streamIdentity struct {
	participantID vec[uuid.UUID]
	streamID      vec[uuid.UUID]
	direction     vec[int8]
	media         vec[int8]
	ssrc          vec[uint32]
	codec         vec[string]
}

func (s *streamIdentity) init() []column {
	s.participantID.name, s.streamID.name, s.direction.name = "participant_id", "stream_id", "direction"
	s.media.name, s.ssrc.name, s.codec.name = "media", "ssrc", "codec"
	return []column{&s.participantID, &s.streamID, &s.direction, &s.media, &s.ssrc, &s.codec}
}

func (s *streamIdentity) add(participant, stream []byte, d eventpb.Direction, m eventpb.Media, ssrc uint32, codec string) {
	s.participantID.add(toUUID(participant))
	s.streamID.add(toUUID(stream))
	s.direction.add(enum(d))
	s.media.add(enum(m))
	s.ssrc.add(ssrc)
	s.codec.add(codec)
}

// StreamRows are rows of the table streams.
type StreamRows struct {
	Rows
	env         envelope
	revision    vec[uint32]
	id          streamIdentity
	observedBy  vec[string]
	startedAt   vec[*time.Time]
	endedAt     vec[*time.Time]
	packets     vec[*uint64]
	packetsLost vec[*int64]
	bytes       vec[*uint64]
	// figures are the Nullable(Float64) columns in the order of streamFigures.
	figures    [15]vec[*float64]
	localType  vec[string]
	remoteType vec[string]
	transport  vec[string]
	repaired   vec[*int64]
	likelySide vec[string]
}

var streamFigures = [15]string{
	"loss_ratio", "loss_ratio_max", "jitter_ms_avg", "jitter_ms_max", "rtt_ms_avg", "rtt_ms_max", "jitter_buffer_ms_avg", "jitter_buffer_ms_max",
	"healed_ratio", "healed_ratio_max", "frame_rate_avg", "height_avg", "freeze_ms_per_min", "bitrate_avg", "bitrate_max",
}

func (r *StreamRows) setUp() {
	r.revision.name, r.observedBy.name = "revision", "observed_by"
	r.startedAt.name, r.endedAt.name = "started_at", "ended_at"
	r.packets.name, r.packetsLost.name, r.bytes.name = "packets", "packets_lost", "bytes"
	r.localType.name, r.remoteType.name, r.transport.name = "local_candidate_type", "remote_candidate_type", "transport"
	r.repaired.name, r.likelySide.name = "packets_repaired", "likely_side"
	columns := append(r.env.init(), &r.revision)
	columns = append(columns, r.id.init()...)
	columns = append(columns, &r.observedBy, &r.startedAt, &r.endedAt, &r.packets, &r.packetsLost, &r.bytes)
	for i, name := range streamFigures {
		r.figures[i].name = name
		columns = append(columns, &r.figures[i])
	}
	r.init("streams", &r.env.observedAt, append(columns, &r.localType, &r.remoteType, &r.transport, &r.repaired, &r.likelySide)...)
}

// Add adds the row of a stream's summary.
func (r *StreamRows) Add(o Origin, e Envelope, p *eventpb.StreamEnded) {
	r.begin(o)
	r.env.add(e)
	r.revision.add(e.Revision)
	r.id.add(p.GetParticipantId(), p.GetStreamId(), p.GetDirection(), p.GetMedia(), p.GetSsrc(), p.GetCodec())
	r.observedBy.add(p.GetObservedBy())
	r.startedAt.add(optionalTime(p.GetStartedAtUs()))
	r.endedAt.add(optionalTime(p.GetEndedAtUs()))
	r.packets.add(p.Packets)
	r.packetsLost.add(p.PacketsLost)
	r.bytes.add(p.Bytes)
	for i, figure := range [...]*float64{
		p.LossRatio, p.LossRatioMax, p.JitterMsAvg, p.JitterMsMax, p.RttMsAvg, p.RttMsMax, p.JitterBufferMsAvg, p.JitterBufferMsMax,
		p.HealedRatio, p.HealedRatioMax, p.FrameRateAvg, p.HeightAvg, p.FreezeMsPerMin, p.BitrateAvg, p.BitrateMax,
	} {
		r.figures[i].add(figure)
	}
	r.localType.add(candidateType(p.GetLocalCandidateType()))
	r.remoteType.add(candidateType(p.GetRemoteCandidateType()))
	r.transport.add(p.GetTransport())
	r.repaired.add(p.PacketsRepaired)
	r.likelySide.add(p.GetLikelySide())
}

func candidateType(t eventpb.CandidateType) string {
	switch t {
	case eventpb.CandidateType_CANDIDATE_TYPE_HOST:
		return "host"
	case eventpb.CandidateType_CANDIDATE_TYPE_SRFLX:
		return "srflx"
	case eventpb.CandidateType_CANDIDATE_TYPE_PRFLX:
		return "prflx"
	case eventpb.CandidateType_CANDIDATE_TYPE_RELAY:
		return "relay"
	default:
		return ""
	}
}

// SampleRows are rows of the table samples: the hot path. Gauges are the event's own pointers, never copied.
type SampleRows struct {
	Rows
	env        envelope
	id         streamIdentity
	intervalMs vec[uint32]
	counters   [7]vec[uint64]
	lost       vec[int64]
	feedback   [3]vec[uint32]
	gauges     [10]vec[*float32]
}

var (
	sampleCounters = [7]string{"packets", "bytes", "packets_discarded", "retransmitted_packets", "frames", "frames_dropped", "freezes"}
	sampleFeedback = [3]string{"nacks", "plis", "firs"}
	sampleGauges   = [10]string{
		"jitter_ms", "rtt_ms", "jitter_buffer_ms", "healed_ratio", "frame_rate", "frame_height", "freeze_ms",
		"bitrate_bps", "available_bitrate_bps", "loss_ratio",
	}
)

func (r *SampleRows) setUp() {
	r.intervalMs.name, r.lost.name = "interval_ms", "packets_lost"
	columns := append(r.env.init(), r.id.init()...)
	columns = append(columns, &r.intervalMs, &r.lost)
	for i := range r.counters {
		r.counters[i].name = sampleCounters[i]
		columns = append(columns, &r.counters[i])
	}
	for i := range r.feedback {
		r.feedback[i].name = sampleFeedback[i]
		columns = append(columns, &r.feedback[i])
	}
	for i := range r.gauges {
		r.gauges[i].name = sampleGauges[i]
		columns = append(columns, &r.gauges[i])
	}
	r.init("samples", &r.env.observedAt, columns...)
}

// Add adds the row of one stream of a report.
func (r *SampleRows) Add(o Origin, e Envelope, report *eventpb.StreamReport, s *eventpb.StreamSample) {
	r.begin(o)
	r.env.add(e)
	r.id.add(report.GetParticipantId(), s.GetStreamId(), s.GetDirection(), s.GetMedia(), s.GetSsrc(), s.GetCodec())
	r.intervalMs.add(report.GetIntervalMs())
	r.lost.add(s.GetPacketsLost())
	for i, v := range [...]uint64{s.Packets, s.Bytes, s.PacketsDiscarded, s.RetransmittedPackets, s.Frames, s.FramesDropped, s.Freezes} {
		r.counters[i].add(v)
	}
	for i, v := range [...]uint32{s.Nacks, s.Plis, s.Firs} {
		r.feedback[i].add(v)
	}
	for i, v := range [...]*float32{
		s.JitterMs, s.RttMs, s.JitterBufferMs, s.HealedRatio, s.FrameRate, s.FrameHeight, s.FreezeMs,
		s.BitrateBps, s.AvailableBitrateBps, s.LossRatio,
	} {
		r.gauges[i].add(v)
	}
}

// Hours counts the samples by the hour they belong to.
func (r *SampleRows) Hours() map[time.Time]uint64 {
	hours := make(map[time.Time]uint64)
	for _, t := range r.env.observedAt.values {
		hours[t.Truncate(time.Hour)]++
	}
	return hours
}
