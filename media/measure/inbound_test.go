package measure_test

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/anteroom/anteroom/media/measure"
)

var epoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// sent is one packet as the model knows it: numbers and timestamps never wrap.
type sent struct {
	number    int64
	timestamp int64
	arrived   time.Duration
	repaired  bool
}

// model is the same arithmetic the slow way, on numbers that never wrap.
type model struct {
	started     bool
	first, last int64
	came        map[int64]bool // true: only repaired
	dup         uint64
	reordered   uint64
	discarded   uint64
}

func (m *model) add(p sent) bool {
	if !m.started {
		m.started, m.first, m.last, m.came = true, p.number, p.number, map[int64]bool{}
	}
	only, have := m.came[p.number]
	switch {
	case have && only && !p.repaired:
		m.came[p.number] = false
		m.dup++
		return false
	case have:
		m.dup++
		return false
	case p.number < m.first && (p.repaired || m.first-p.number > 100):
		m.discarded++
		return false
	}
	if p.number < m.last && !p.repaired {
		m.reordered++
	}
	m.first, m.last = min(m.first, p.number), max(m.last, p.number)
	m.came[p.number] = p.repaired
	return true
}

func (m *model) sample() measure.Sample {
	var repaired int64
	for _, only := range m.came {
		if only {
			repaired++
		}
	}
	expected := m.last - m.first + 1
	missing := expected - int64(len(m.came))
	return measure.Sample{
		Expected: uint64(expected), Packets: uint64(len(m.came)), Lost: missing + repaired, Repaired: repaired, Residual: missing,
		Duplicates: m.dup, Reordered: m.reordered, Discarded: m.discarded,
	}
}

// modelJitter is RFC 3550 6.4.1 in floating point: J += (|D| - J)/16, in clock units.
type modelJitter struct {
	started bool
	transit float64
	value   float64
}

func (m *modelJitter) add(rate float64, p sent) {
	transit := p.arrived.Seconds()*rate - float64(p.timestamp)
	d := math.Abs(transit - m.transit)
	if m.started && d <= 5*rate {
		m.value += (d - m.value) / 16
	}
	m.started, m.transit = true, transit
}

// arrivals is a stream that meets loss, duplicates, reordering and repair, and starts near both wraps.
func arrivals(t *rapid.T) (rate uint32, out []sent) {
	rate = rapid.SampledFrom([]uint32{48000, 90000, 8000}).Draw(t, "rate")
	number := rapid.Int64Range(1<<20, 1<<20+1<<17).Draw(t, "first")
	timestamp := int64(1)<<40 + rapid.SampledFrom([]int64{-50000, -1, 0, 1 << 31}).Draw(t, "timestamp")
	step := int64(rate / 50)
	n := rapid.IntRange(1, 300).Draw(t, "packets")
	var all []sent
	for k := range n {
		number += rapid.SampledFrom([]int64{1, 1, 1, 1, 1, 1, 1, 2, 40, 1400}).Draw(t, "advance")
		timestamp += step
		all = append(all, sent{number: number, timestamp: timestamp, arrived: time.Duration(k) * 20 * time.Millisecond})
	}
	swapped := false
	for _, p := range all {
		p.arrived += time.Duration(rapid.IntRange(0, 60_000).Draw(t, "delay")) * time.Microsecond
		// One place only, so that nothing jumps ahead by RFC 3550's MAX_DROPOUT or comes later than the window: that is another test's.
		if swapped = !swapped && len(out) > 0 && rapid.IntRange(0, 9).Draw(t, "swap") == 0; swapped {
			out = append(out[:len(out)-1], p, out[len(out)-1])
		} else {
			out = append(out, p)
		}
		if rapid.IntRange(0, 9).Draw(t, "again") == 0 {
			out = append(out, p)
		}
		if rapid.IntRange(0, 9).Draw(t, "repair") == 0 {
			back := sent{number: p.number - rapid.Int64Range(0, 900).Draw(t, "back"), timestamp: p.timestamp, arrived: p.arrived, repaired: true}
			out = append(out, back)
		}
	}
	return rate, out
}

func TestInboundIsWhatAModelOnUnboundedNumbersSays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rate, packets := arrivals(t)
		in := measure.NewInbound(rate)
		var m model
		var j modelJitter
		var sum measure.Sample
		cut := rapid.IntRange(0, len(packets)).Draw(t, "cut")
		for k, p := range packets {
			if k == cut {
				sum = in.Interval(epoch.Add(p.arrived))
			}
			in.Packet(uint16(p.number), uint32(p.timestamp), 100, epoch.Add(p.arrived), p.repaired, true)
			if m.add(p) && !p.repaired {
				j.add(float64(rate), p)
			}
		}
		got := in.Totals()
		relevant := cmpopts.IgnoreFields(measure.Sample{}, "Bytes", "Frames", "Freezes", "FreezeTime", "Jitter", "RTT", "RTTSource", "Retransmitted", "Duration")
		if diff := cmp.Diff(m.sample(), got, relevant); diff != "" {
			t.Fatalf("totals (-model +measured):\n%s", diff)
		}
		rest := in.Interval(epoch.Add(time.Hour))
		if diff := cmp.Diff(got, measure.Combine(sum, rest), relevant); diff != "" {
			t.Fatalf("two intervals are not the whole (-whole +intervals):\n%s", diff)
		}
		// The integer form of A.8 rounds each step to a sixteenth of a unit, arrival to a unit.
		want := j.value / float64(rate)
		if off := math.Abs(in.Jitter().Seconds()-want) * float64(rate); off > 2 {
			t.Fatalf("jitter is %v, the model says %.3f ms: %.2f clock units apart", in.Jitter(), want*1000, off)
		}
	})
}

func TestInboundInCorners(t *testing.T) {
	type packet struct {
		seq      uint16
		repaired bool
	}
	one := func(seqs ...uint16) (out []packet) {
		for _, s := range seqs {
			out = append(out, packet{seq: s})
		}
		return out
	}
	for _, c := range []struct {
		name    string
		packets []packet
		want    measure.Sample
	}{
		{"one packet", one(7), measure.Sample{Packets: 1, Expected: 1}},
		{"over the wrap, one lost", one(65534, 65535, 1), measure.Sample{Packets: 3, Expected: 4, Lost: 1, Residual: 1}},
		{"the first two overtaken", one(5, 3, 4), measure.Sample{Packets: 3, Expected: 3, Reordered: 2}},
		{"a duplicate hides no loss", one(1, 2, 2, 4), measure.Sample{Packets: 3, Expected: 4, Lost: 1, Residual: 1, Duplicates: 1}},
		{"repaired", append(one(1, 3), packet{2, true}), measure.Sample{Packets: 3, Expected: 3, Lost: 1, Repaired: 1, Retransmitted: 1}},
		{"repaired, then the late original", append(append(one(1, 3), packet{2, true}), packet{2, false}), measure.Sample{Packets: 3, Expected: 3, Duplicates: 1, Retransmitted: 1}},
		{"far off once", one(1, 2, 30000, 3), measure.Sample{Packets: 3, Expected: 3, Discarded: 1}},
		{"restarted", one(1, 2, 30000, 30001, 30003), measure.Sample{Packets: 4, Expected: 5, Lost: 1, Residual: 1, Discarded: 1}},
		{"repair of what was before the start", append(one(100), packet{90, true}), measure.Sample{Packets: 1, Expected: 1, Discarded: 1, Retransmitted: 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := measure.NewInbound(48000)
			for k, p := range c.packets {
				in.Packet(p.seq, uint32(k)*960, 100, epoch.Add(time.Duration(k)*20*time.Millisecond), p.repaired, false)
			}
			if diff := cmp.Diff(c.want, in.Totals(), cmpopts.IgnoreFields(measure.Sample{}, "Bytes", "Frames", "Jitter")); diff != "" {
				t.Errorf("totals (-want +got):\n%s", diff)
			}
		})
	}
}

func TestReceptionReportFollowsRFC3550(t *testing.T) {
	in := measure.NewInbound(90000)
	for k := range 10 {
		if k == 4 || k == 5 {
			continue
		}
		in.Packet(uint16(65530+k), uint32(k)*3000, 100, epoch.Add(time.Duration(k)*time.Second/30), false, true)
	}
	in.SenderReport(0x0001_2345_6789_abcd, epoch.Add(time.Second))
	r := in.ReceptionReport(77, epoch.Add(1500*time.Millisecond))
	if r.SSRC != 77 || r.TotalLost != 2 || r.FractionLost != 2*256/10 || r.LastSequenceNumber != 1<<16+3 {
		t.Errorf("report is %+v, want 2 lost of 10 up to 65539", r)
	}
	if r.LastSenderReport != 0x2345_6789 || r.Delay != 1<<15 {
		t.Errorf("report answers %#x after %d/65536 s, want 0x23456789 after half a second", r.LastSenderReport, r.Delay)
	}
	// Three duplicates: A.3 counts them as received, so that two lost become one too many.
	for range 3 {
		in.Packet(65530, 0, 100, epoch.Add(2*time.Second), false, true)
	}
	r = in.ReceptionReport(77, epoch.Add(2*time.Second))
	if r.TotalLost != 0xffffff || r.FractionLost != 0 {
		t.Errorf("cumulative lost is %#x, fraction %d, want -1 in 24 bits and 0", r.TotalLost, r.FractionLost)
	}
	if _, err := r.Marshal(); err != nil {
		t.Errorf("the report can't be written: %v", err)
	}
}

func TestReceptionReportLeavesRepairsOut(t *testing.T) {
	in := measure.NewInbound(90000)
	for _, seq := range []uint16{1, 4} {
		in.Packet(seq, 0, 100, epoch, false, false)
	}
	lost := func() uint32 { return in.ReceptionReport(1, epoch).TotalLost }
	for _, c := range []struct {
		name     string
		seq      uint16
		repaired bool
		want     uint32
	}{
		{"repaired", 2, true, 2},
		{"repaired twice", 2, true, 2},
		{"the original after all", 2, false, 1},
		{"a repair that nobody needed", 4, true, 1},
		{"late", 3, false, 0},
	} {
		in.Packet(c.seq, 0, 100, epoch, c.repaired, false)
		if got := lost(); got != c.want {
			t.Errorf("%s: %d lost, want %d", c.name, got, c.want)
		}
	}
}

func TestFramesAndFreezes(t *testing.T) {
	in := measure.NewInbound(90000)
	seq, at := uint16(0), epoch
	frame := func(gap time.Duration) {
		at = at.Add(gap)
		ts := uint32(at.Sub(epoch).Seconds() * 90000)
		for k := range 3 {
			in.Packet(seq, ts, 1000, at, false, k == 2)
			seq++
		}
	}
	for range 60 {
		frame(33 * time.Millisecond)
	}
	frame(time.Second)
	in.Pause()
	frame(10 * time.Second)
	s := in.Totals()
	if s.Frames != 62 || s.Freezes != 1 || s.FreezeTime != time.Second {
		t.Errorf("%d frames, %d freezes of %v, want 62, 1 of 1s (a pause is none)", s.Frames, s.Freezes, s.FreezeTime)
	}
	if s.Jitter.Max > 100*time.Millisecond {
		t.Errorf("jitter went up to %v over a pause", s.Jitter.Max)
	}
}

func TestNothingAllocatesPerPacket(t *testing.T) {
	in, out := measure.NewInbound(90000), measure.NewOutbound(90000, true)
	seq := uint16(0)
	if n := testing.AllocsPerRun(1000, func() {
		seq += 3
		at := epoch.Add(time.Duration(seq) * time.Millisecond)
		in.Packet(seq, uint32(seq)*90, 1000, at, false, true)
		in.NACK(2)
		out.Sent(seq, uint32(seq)*90, 1000, at)
		out.Retransmitted()
	}); n != 0 {
		t.Errorf("%v allocations per packet, want none", n)
	}
}

func FuzzInbound(f *testing.F) {
	f.Add([]byte{0, 0, 0, 1, 0, 2, 255, 255, 255, 254})
	f.Fuzz(func(t *testing.T, data []byte) {
		in := measure.NewInbound(48000)
		at := epoch
		n := uint64(0)
		for len(data) >= 6 {
			seq := uint16(data[0])<<8 | uint16(data[1])
			ts := uint32(data[2])<<24 | uint32(data[3])<<8
			at = at.Add(time.Duration(int8(data[4])) * time.Millisecond)
			in.Packet(seq, ts, 100, at, data[5]&1 == 1, data[5]&2 == 2)
			data = data[6:]
			n++
		}
		s := in.Totals()
		if got := s.Packets + s.Duplicates + s.Discarded; got != n {
			t.Errorf("%d packets are accounted for, %d came", got, n)
		}
		if int64(s.Expected) != int64(s.Packets)+s.Residual || s.Lost != s.Residual+s.Repaired || s.Residual < 0 || s.Repaired < 0 {
			t.Errorf("counters contradict each other: %+v", s)
		}
		if _, err := in.ReceptionReport(1, at).Marshal(); err != nil {
			t.Errorf("the report can't be written: %v", err)
		}
	})
}

func BenchmarkInboundPacket(b *testing.B) {
	in := measure.NewInbound(90000)
	b.ReportAllocs()
	for k := range b.N {
		in.Packet(uint16(k), uint32(k/3)*3000, 1100, epoch.Add(time.Duration(k)*10*time.Millisecond), false, k%3 == 2)
	}
}
