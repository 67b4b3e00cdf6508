package store

import (
	"time"

	"github.com/anteroom/anteroom/event/eventpb"
)

// streamIdentity are the columns that say which stream a row is about.
type streamIdentity struct {
	participantID fixed
	streamID      fixed
	direction     fixed
	media         fixed
	ssrc          fixed
	codec         words
}

func (s *streamIdentity) init() []column {
	s.participantID, s.streamID = newFixed("participant_id", uuids), newFixed("stream_id", uuids)
	s.direction, s.media, s.ssrc = newFixed("direction", enum8), newFixed("media", enum8), newFixed("ssrc", uint32s)
	s.codec.name = "codec"
	return []column{&s.participantID, &s.streamID, &s.direction, &s.media, &s.ssrc, &s.codec}
}

func (s *streamIdentity) add(participant, stream []byte, d eventpb.Direction, m eventpb.Media, ssrc uint32, codec string) {
	s.participantID.putUUID(participant)
	s.streamID.putUUID(stream)
	s.direction.put8(enum(d, eventpb.Direction_DIRECTION_OUTBOUND))
	s.media.put8(enum(m, eventpb.Media_MEDIA_SCREEN))
	s.ssrc.put32(ssrc)
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
