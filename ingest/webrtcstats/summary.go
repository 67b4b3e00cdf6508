package webrtcstats

import (
	"google.golang.org/protobuf/proto"

	"github.com/anteroom/anteroom/event/eventpb"
)

const msPerMinute = 60_000

// summary is the stream over its life, from the first to the last time its report was seen. Packets, lost packets and bytes
// are those since the stream began, all other figures those of the time that the dump covers.
func (s *stream) summary() *eventpb.StreamEnded {
	if n := len(s.windows); n > 0 {
		s.peaks.observe(&s.windows[n-1], s.key.direction)
	}
	out := &eventpb.StreamEnded{
		Direction: s.key.direction, Ssrc: s.key.ssrc, Codec: s.codec,
		StartedAtUs: microseconds(s.first), EndedAtUs: microseconds(s.last),
		LocalCandidateType: s.path.local, RemoteCandidateType: s.path.remote, Transport: s.path.transport,
	}
	if v, ok := s.total.get(cPackets); ok {
		out.Packets = proto.Uint64(whole(v))
	}
	if v, ok := s.total.get(cBytes); ok {
		out.Bytes = proto.Uint64(whole(v))
	}
	if v, ok := s.total.get(cLost); ok && s.lossKnown {
		out.PacketsLost = proto.Int64(signed(v))
		if ratio, ok := lossRatio(&s.total, s.key.direction); ok {
			out.LossRatio = proto.Float64(ratio)
		}
	}
	set := func(to **float64, v float64, ok bool) {
		if ok && finite(v) {
			*to = proto.Float64(v)
		}
	}
	g := &s.overall
	average := func(to, maximum **float64, m *mean) {
		v, ok := m.value()
		set(to, v, ok)
		set(maximum, m.max, ok)
	}
	average(&out.JitterMsAvg, &out.JitterMsMax, &g.jitterMs)
	average(&out.RttMsAvg, &out.RttMsMax, &g.rttMs)
	set(&out.LossRatioMax, s.peaks.loss.max, s.peaks.loss.weight > 0)
	v, ok := jitterBufferMs(&s.watched)
	set(&out.JitterBufferMsAvg, v, ok)
	set(&out.JitterBufferMsMax, s.peaks.jitterBufferMs.max, s.peaks.jitterBufferMs.weight > 0)
	set(&out.BitrateAvg, g.flowedBytes*8/g.flowed, g.flowed > 0)
	set(&out.BitrateMax, s.peaks.bitrate.max, s.peaks.bitrate.weight > 0 && g.flowed > 0)
	if s.key.kind == kindVideo {
		s.summarizeVideo(out, set)
	} else {
		v, ok := healedRatio(&s.watched)
		set(&out.HealedRatio, v, ok)
		set(&out.HealedRatioMax, s.peaks.healed.max, s.peaks.healed.weight > 0)
	}
	return out
}

func (s *stream) summarizeVideo(out *eventpb.StreamEnded, set func(**float64, float64, bool)) {
	v, ok := s.overall.frameRate()
	set(&out.FrameRateAvg, v, ok)
	v, ok = s.overall.height.value()
	set(&out.HeightAvg, v, ok)
	// Freezes are counted only where media flowed at all; a stream that never did has nothing that could freeze.
	v, ok = s.watched.get(cFreezeTime)
	set(&out.FreezeMsPerMin, v*1000/((s.last-s.first)/msPerMinute), ok && s.last > s.first && s.overall.flowed > 0)
}
