package webrtcstats

import (
	"math"

	"google.golang.org/protobuf/proto"

	"github.com/anteroom/anteroom/event/eventpb"
)

// WindowMs is the interval of stream reports. Windows are aligned to the wall clock.
const WindowMs = 10_000

// Least amounts for a window to count towards a maximum: less would call a few packets a peak.
const (
	minPeakPackets = 10
	minPeakSeconds = 1
)

// window is what one stream did in one interval: readings later than its start, up to and including its end.
type window struct {
	index     int64 // ends at (index+1) × WindowMs
	counters  counters
	gauges    gauges
	lossKnown bool
}

func windowIndex(ms float64) int64 { return int64(math.Ceil(ms/WindowMs)) - 1 }

func (s *stream) window(at float64) *window {
	i := windowIndex(at)
	if n := len(s.windows); n == 0 || s.windows[n-1].index < i {
		if n > 0 {
			s.peaks.observe(&s.windows[n-1], s.key.direction)
		}
		s.windows = append(s.windows, window{index: i})
	}
	return &s.windows[len(s.windows)-1]
}

// peaks are maxima over whole windows.
type peaks struct{ loss, jitterBufferMs, healed, bitrate mean }

func (p *peaks) observe(w *window, direction eventpb.Direction) {
	if w.lossKnown {
		received, _ := w.counters.get(cPackets)
		if v, ok := lossRatio(&w.counters, direction); ok && received >= minPeakPackets {
			p.loss.observe(v, 1)
		}
	}
	if v, ok := jitterBufferMs(&w.counters); ok {
		p.jitterBufferMs.observe(v, 1)
	}
	if w.gauges.covered < minPeakSeconds {
		return
	}
	if v, ok := healedRatio(&w.counters); ok && w.gauges.flowed >= minPeakSeconds {
		p.healed.observe(v, 1)
	}
	p.bitrate.observe(w.gauges.coveredBytes*8/w.gauges.covered, 1)
}

// lossRatio of a stream. Inbound: lost / (received + lost). Outbound: lost, as the far end reported, / sent.
// Between 0 and 1; unknown where nothing was expected.
func lossRatio(c *counters, direction eventpb.Direction) (float64, bool) {
	lost, ok := c.get(cLost)
	packets, _ := c.get(cPackets)
	expected := packets
	if direction == eventpb.Direction_DIRECTION_INBOUND {
		expected += lost
	}
	if !ok || packets <= 0 || expected <= 0 {
		// Everything expected was lost: a window without a single packet received.
		if ok && packets == 0 && lost > 0 && direction == eventpb.Direction_DIRECTION_INBOUND {
			return 1, true
		}
		return 0, false
	}
	return min(max(lost/expected, 0), 1), true
}

// jitterBufferMs is the mean time that samples or frames stayed in the jitter buffer: Δ jitterBufferDelay / Δ
// jitterBufferEmittedCount.
func jitterBufferMs(c *counters) (float64, bool) {
	delay, ok := c.get(cJBDelay)
	emitted, ok2 := c.get(cJBEmitted)
	if !ok || !ok2 || emitted <= 0 || delay < 0 {
		return 0, false
	}
	return delay / emitted * 1000, true
}

// healedRatio is (concealed - silently concealed) / received samples. Browsers that don't report silentConcealedSamples
// count silence as concealed, so that the ratio is not known there.
func healedRatio(c *counters) (float64, bool) {
	concealed, ok := c.get(cConcealed)
	silent, ok2 := c.get(cSilent)
	samples, ok3 := c.get(cSamples)
	if !ok || !ok2 || !ok3 || samples <= 0 {
		return 0, false
	}
	return min(max((concealed-silent)/samples, 0), 1), true
}

func (s *stream) sampleOf(w *window) *eventpb.StreamSample {
	u := func(id counterID) uint64 { v, _ := w.counters.get(id); return whole(v) }
	lost, _ := w.counters.get(cLost)
	out := &eventpb.StreamSample{
		Direction: s.key.direction, Ssrc: s.key.ssrc, Codec: s.codec,
		Packets: u(cPackets), PacketsLost: signed(lost), Bytes: u(cBytes),
		PacketsDiscarded: u(cDiscarded), RetransmittedPackets: u(cRetransmitted),
		Frames: u(cFrames), FramesDropped: u(cFramesDropped), Freezes: u(cFreezes),
		Nacks: clamp32(u(cNacks)), Plis: clamp32(u(cPlis)), Firs: clamp32(u(cFirs)),
	}
	set := func(to **float32, v float64, ok bool) {
		if ok && finite(v) {
			*to = proto.Float32(float32(v))
		}
	}
	g := &w.gauges
	put := func(to **float32, f func() (float64, bool)) { v, ok := f(); set(to, v, ok) }
	put(&out.JitterMs, g.jitterMs.value)
	put(&out.RttMs, g.rttMs.value)
	put(&out.AvailableBitrateBps, g.available.value)
	if s.key.kind == kindVideo {
		put(&out.FrameHeight, g.height.value)
		put(&out.FrameRate, g.frameRate)
		v, ok := w.counters.get(cFreezeTime)
		set(&out.FreezeMs, v*1000, ok)
	}
	v, ok := jitterBufferMs(&w.counters)
	set(&out.JitterBufferMs, v, ok)
	v, ok = healedRatio(&w.counters)
	set(&out.HealedRatio, v, ok && s.key.kind != kindVideo)
	set(&out.BitrateBps, g.coveredBytes*8/g.covered, g.covered > 0)
	return out
}

// whole and signed are counts as events carry them. Readings are below 2^53; only endless restarts could add up to more than
// fits.
func whole(v float64) uint64 { return uint64(min(max(v, 0), 1<<62)) }

func signed(v float64) int64 { return int64(min(max(v, -1<<62), 1<<62)) }

func clamp32(v uint64) uint32 { return uint32(min(v, math.MaxUint32)) } //nolint:gosec // bounded

// Interval numbers the interval of reports that a time in ms falls into.
func Interval(ms float64) int64 { return windowIndex(ms) }
