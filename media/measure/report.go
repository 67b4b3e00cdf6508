package measure

import (
	"math"
	"sync"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	"github.com/anteroom/anteroom/event/eventpb"
)

// Stream says what is measured, as the client sees it: what it publishes is outbound.
type Stream struct {
	ID, Participant uuid.UUID
	Direction       eventpb.Direction
	Media           eventpb.Media
	SSRC            uint32
	// Codec is the short name ("opus", "VP8").
	Codec string
	// Started is when its first packet came.
	Started time.Time
	// Local and Remote candidate as the client sees them; Transport is "udp", "tcp", "tls" or "".
	Local, Remote eventpb.CandidateType
	Transport     string
}

// Life turns the intervals of one stream into samples, and sums them up for the summary at its end. All methods are safe for concurrent use.
type Life struct {
	mu     sync.Mutex
	stream Stream
	client clientSum

	packets, bytes                          uint64
	lost, repaired                          int64
	whole                                   Sample // what LikelySide needs, summed up
	lossMax                                 float64
	jitter, rtt, bitrate                    weighted
	jitterBuffer, healed, frameRate, height weighted
	freezeMs                                float64
	freezeOver                              time.Duration
}

// NewLife of a stream.
func NewLife(s Stream) *Life { return &Life{stream: s} }

// SetPath notes the candidates and the transport once they are known, or have changed.
func (l *Life) SetPath(local, remote eventpb.CandidateType, transport string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stream.Local, l.stream.Remote, l.stream.Transport = local, remote, transport
}

// AddClient adds what the client measured; it is part of the next sample. A batch without an interval is left out.
func (l *Life) AddClient(c Client) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.client.add(c)
}

// Sample is the event's form of one interval. Several layers of one stream: Combine them first.
//
// Packets and packets_lost are before repair, as getStats counts them, and for a subscriber without what was missing upstream. Jitter and
// round-trip time are means over the interval. Frame rate, freezes and the rest that only a viewer sees are the client's where it tells them;
// the server's own count of frames and its estimate of freezes stand in for video otherwise.
func (l *Life) Sample(s Sample) *eventpb.StreamSample {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.client
	l.client = clientSum{}
	lossRatio, lossKnown := ratio(s)
	out := &eventpb.StreamSample{
		StreamId: l.stream.ID[:], Direction: l.stream.Direction, Media: l.stream.Media, Ssrc: l.stream.SSRC, Codec: l.stream.Codec,
		Packets: before(s), PacketsLost: s.Lost, Bytes: s.Bytes, PacketsDiscarded: uint64(c.discarded.n),
		RetransmittedPackets: s.Retransmitted, FramesDropped: uint64(c.framesDropped.n),
		Nacks: s.NACKs, Plis: s.PLIs, Firs: s.FIRs,
		JitterMs: averageMs(s.Jitter), RttMs: averageMs(s.RTT),
		JitterBufferMs: float(c.jitterBuffer), HealedRatio: float(c.healed), FrameHeight: float(c.height), AvailableBitrateBps: float(c.available),
	}
	if l.stream.Media != eventpb.Media_MEDIA_AUDIO {
		l.viewed(out, s, &c)
	}
	if s.Duration > 0 {
		out.BitrateBps = proto.Float32(float32(float64(s.Bytes) * 8 / s.Duration.Seconds()))
	}

	l.packets += out.Packets
	l.bytes += s.Bytes
	l.lost += s.Lost
	l.repaired += s.Repaired
	l.whole.Packets += s.Packets
	l.whole.Expected += s.Expected
	l.whole.Residual += s.Residual
	l.whole.Dropped += s.Dropped
	l.whole.Upstream += s.Upstream
	if lossKnown {
		l.lossMax = max(l.lossMax, lossRatio)
	}
	l.jitter.addAverage(s.Jitter)
	l.rtt.addAverage(s.RTT)
	if out.BitrateBps != nil {
		rate := float64(*out.BitrateBps)
		l.bitrate.add(&rate, s.Duration.Seconds())
	}
	l.jitterBuffer.addAll(c.jitterBuffer)
	l.healed.addAll(c.healed)
	l.frameRate.addAll(c.frameRate)
	l.height.addAll(c.height)
	return out
}

// viewed fills what only video has.
func (l *Life) viewed(out *eventpb.StreamSample, s Sample, c *clientSum) {
	out.Frames, out.Freezes = s.Frames, s.Freezes
	if c.frames.known {
		out.Frames = uint64(c.frames.n)
	}
	if !c.frameRate.known() && s.Duration > 0 && s.Packets > 0 {
		rate := float64(out.Frames) / s.Duration.Seconds()
		c.frameRate.add(&rate, s.Duration.Seconds())
	}
	out.FrameRate = float(c.frameRate)
	if c.freezes.known {
		out.Freezes = uint64(c.freezes.n)
	}
	switch {
	case c.freezeMs.known:
		l.freezeMs += c.freezeMs.n
		l.freezeOver += c.freezeOver
		out.FreezeMs = proto.Float32(float32(c.freezeMs.n))
	case l.stream.Direction == eventpb.Direction_DIRECTION_OUTBOUND && s.Duration > 0:
		// What the publisher sends freezes for everybody, so the server's estimate may speak for it.
		l.freezeMs += ms(s.FreezeTime)
		l.freezeOver += s.Duration
		out.FreezeMs = proto.Float32(float32(ms(s.FreezeTime)))
	}
}

// Ended is the summary; call Sample for the last interval before. Averages are weighted by packets or time, maxima are of intervals' averages,
// but those of jitter and round-trip time of single observations.
func (l *Life) Ended(at time.Time) *eventpb.StreamEnded {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := &eventpb.StreamEnded{
		ParticipantId: l.stream.Participant[:], StreamId: l.stream.ID[:], Direction: l.stream.Direction, Media: l.stream.Media,
		Ssrc: l.stream.SSRC, Codec: l.stream.Codec, StartedAtUs: l.stream.Started.UnixMicro(), EndedAtUs: at.UnixMicro(),
		Packets: proto.Uint64(l.packets), PacketsLost: proto.Int64(l.lost), Bytes: proto.Uint64(l.bytes),
		LocalCandidateType: l.stream.Local, RemoteCandidateType: l.stream.Remote, Transport: l.stream.Transport,
		PacketsRepaired: proto.Int64(l.repaired), LikelySide: string(l.side()),
	}
	if sent := float64(l.packets) + float64(l.lost); sent > 0 {
		out.LossRatio = proto.Float64(clampRatio(float64(l.lost) / sent))
		out.LossRatioMax = proto.Float64(l.lossMax)
	}
	set := func(w weighted, average, highest **float64) {
		if !w.known() {
			return
		}
		*average = proto.Float64(w.mean())
		if highest != nil {
			*highest = proto.Float64(w.max)
		}
	}
	set(l.jitter, &out.JitterMsAvg, &out.JitterMsMax)
	set(l.rtt, &out.RttMsAvg, &out.RttMsMax)
	set(l.jitterBuffer, &out.JitterBufferMsAvg, &out.JitterBufferMsMax)
	set(l.healed, &out.HealedRatio, &out.HealedRatioMax)
	set(l.frameRate, &out.FrameRateAvg, nil)
	set(l.height, &out.HeightAvg, nil)
	set(l.bitrate, &out.BitrateAvg, &out.BitrateMax)
	if l.freezeOver > 0 {
		out.FreezeMsPerMin = proto.Float64(l.freezeMs / l.freezeOver.Minutes())
	}
	return out
}

// side is where the stream lost most over its life. What a subscriber misses because it never reached the server was lost on the sender's uplink.
func (l *Life) side() Side {
	if l.stream.Direction == eventpb.Direction_DIRECTION_OUTBOUND {
		return LikelySide(l.whole, Sample{})
	}
	holes := max(l.whole.Upstream, 0)
	return LikelySide(Sample{Residual: holes, Expected: l.whole.Packets + uint64(holes)}, l.whole) //nolint:gosec // not negative
}

// Combine adds up the layers of one simulcast stream: counters are summed, averages weighted by observations; frames and freezes are those of
// the layer with most frames, since each layer has the same pictures.
func Combine(layers ...Sample) Sample {
	var out Sample
	for _, s := range layers {
		out.Duration = max(out.Duration, s.Duration)
		out.Packets += s.Packets
		out.Bytes += s.Bytes
		out.Expected += s.Expected
		out.Lost += s.Lost
		out.Repaired += s.Repaired
		out.Residual += s.Residual
		out.Duplicates += s.Duplicates
		out.Reordered += s.Reordered
		out.Discarded += s.Discarded
		out.Retransmitted += s.Retransmitted
		out.Dropped += s.Dropped
		out.Upstream += s.Upstream
		out.KeyFrames += s.KeyFrames
		out.NACKs += s.NACKs
		out.PLIs += s.PLIs
		out.FIRs += s.FIRs
		out.Jitter = out.Jitter.with(s.Jitter)
		out.RTT = out.RTT.with(s.RTT)
		if s.RTTSource != RTTUnknown {
			out.RTTSource = s.RTTSource
		}
		if s.Frames > out.Frames {
			out.Frames, out.Freezes, out.FreezeTime = s.Frames, s.Freezes, s.FreezeTime
		}
	}
	return out
}

func (a Average) with(b Average) Average {
	n := a.N + b.N
	if n == 0 {
		return Average{}
	}
	last := b.Last
	if b.N == 0 {
		last = a.Last
	}
	mean := (float64(a.Mean)*float64(a.N) + float64(b.Mean)*float64(b.N)) / float64(n)
	return Average{N: n, Mean: time.Duration(math.Round(mean)), Max: max(a.Max, b.Max), Last: last}
}

func (w *weighted) addAverage(a Average) {
	if a.N == 0 {
		return
	}
	w.sum += ms(a.Mean) * float64(a.N)
	w.weight += float64(a.N)
	w.max = max(w.max, ms(a.Max))
}

// before is how many packets arrived on their own, not repaired.
func before(s Sample) uint64 {
	return uint64(max(0, int64(s.Expected)-s.Lost))
}

func ratio(s Sample) (float64, bool) {
	if s.Expected == 0 {
		return 0, false
	}
	return clampRatio(float64(s.Lost) / float64(s.Expected)), true
}

func clampRatio(v float64) float64 { return min(max(v, 0), 1) }

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func averageMs(a Average) *float32 {
	if a.N == 0 {
		return nil
	}
	return proto.Float32(float32(ms(a.Mean)))
}

func float(w weighted) *float32 {
	if !w.known() {
		return nil
	}
	return proto.Float32(float32(w.mean()))
}
