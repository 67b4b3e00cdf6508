package measure_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/pion/rtcp"
	"pgregory.net/rapid"

	"github.com/anteroom/anteroom/media/measure"
)

// TestDownlinkLossIsOnlyTheDownlinks sends a stream with holes through an Outbound, loses more on the way to a real receiver's arithmetic, and
// wants each loss on its side, whatever the report lags behind.
func TestDownlinkLossIsOnlyTheDownlinks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		out, far := measure.NewOutbound(48000, false), measure.NewInbound(48000)
		first := rapid.Int64Range(60000, 70000).Draw(t, "first")
		n := rapid.Int64Range(10, 3000).Draw(t, "packets")
		lag := rapid.Int64Range(0, 9).Draw(t, "lag")
		var report rtcp.ReceptionReport
		var upstream, dropped, down uint64
		for k := range n {
			at := epoch.Add(time.Duration(k) * 20 * time.Millisecond)
			switch way := rapid.IntRange(0, 19).Draw(t, "way"); {
			case k == 0 || k == n-1-lag || k == n-1 || way > 5:
				out.Sent(uint16(first+k), uint32(k)*960, 100, at)
				far.Packet(uint16(first+k), uint32(k)*960, 100, at, false, false)
			case way < 2:
				if k < n-1-lag {
					upstream++
				}
			case way < 3 && k < n-1-lag:
				out.Dropped(1, true)
				dropped++
			default:
				out.Sent(uint16(first+k), uint32(k)*960, 100, at)
				if k < n-1-lag {
					down++
				}
			}
			if k == n-1-lag {
				report = far.ReceptionReport(1, at)
			}
		}
		out.ReceiverReport(report, epoch.Add(time.Duration(n)*20*time.Millisecond))
		got := out.Totals()
		want := measure.Sample{Lost: int64(down), Residual: int64(down), Upstream: int64(upstream), Dropped: dropped}
		if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(measure.Sample{}, "Packets", "Bytes", "Expected", "Frames", "Jitter", "RTT", "RTTSource")); diff != "" {
			t.Fatalf("sides (-want +got):\n%s", diff)
		}
	})
}

// A subscriber counts from the first packet that it could read; holes before that are not in what it says is missing.
func TestHolesBeforeASubscribersFirstPacketAreNotSubtracted(t *testing.T) {
	out, far := measure.NewOutbound(48000, false), measure.NewInbound(48000)
	send := func(seq uint16, arrives bool) {
		out.Sent(seq, uint32(seq)*960, 100, epoch)
		if arrives {
			far.Packet(seq, uint32(seq)*960, 100, epoch, false, false)
		}
	}
	lost := func() int64 {
		out.ReceiverReport(far.ReceptionReport(1, epoch), epoch)
		return out.Totals().Lost
	}
	var got []int64
	// Number 2 is a hole of the uplink; 1 and 3 come before the subscriber has keys.
	for _, seq := range []uint16{1, 3, 4, 5} {
		send(seq, seq > 3)
	}
	got = append(got, lost())
	send(6, false)
	send(7, true)
	got = append(got, lost())
	// 8 is a hole of the uplink that the subscriber does see.
	send(9, true)
	got = append(got, lost())
	if diff := cmp.Diff([]int64{0, 1, 1}, got); diff != "" {
		t.Errorf("lost after each report (-want +got):\n%s", diff)
	}
}

func TestRetransmissionsRepairWhatWasLost(t *testing.T) {
	for _, c := range []struct {
		name                     string
		rtx                      bool
		lost                     uint32
		again                    int
		before, repaired, remain int64
	}{
		{"all of them", true, 3, 3, 3, 3, 0},
		{"some, more than once", true, 3, 9, 3, 3, 0},
		{"not enough", true, 5, 2, 5, 2, 3},
		{"on the same SSRC the report is of what remains", false, 1, 4, 1, 0, 1},
		{"the first that came overtook another", true, 0xffffff, 4, 0, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			out := measure.NewOutbound(90000, c.rtx)
			for k := range 20 {
				out.Sent(uint16(k), uint32(k)*3000, 1000, epoch)
			}
			for range c.again {
				out.Retransmitted()
			}
			out.ReceiverReport(rtcp.ReceptionReport{LastSequenceNumber: 19, TotalLost: c.lost, Jitter: 900}, epoch)
			s := out.Totals()
			if s.Lost != c.before || s.Repaired != c.repaired || s.Residual != c.remain {
				t.Errorf("lost %d, repaired %d, remain %d, want %d, %d, %d", s.Lost, s.Repaired, s.Residual, c.before, c.repaired, c.remain)
			}
			if s.Jitter.Last != 10*time.Millisecond {
				t.Errorf("jitter is %v, want 900 units of 90 kHz: 10ms", s.Jitter.Last)
			}
		})
	}
}

func TestRoundTripOfReports(t *testing.T) {
	const unit = time.Second / 65536
	// 18.2 hours: the middle 32 bits of NTP wrap where the seconds' low half does.
	wrap := time.Unix(-2208988800+(1<<16)*61000, 0)
	for _, c := range []struct {
		name      string
		sent      time.Time
		held, rtt time.Duration
	}{
		{"short", epoch, 300 * time.Millisecond, 40 * time.Millisecond},
		{"over the wrap of the middle 32 bits", wrap.Add(-200 * time.Millisecond), 500 * time.Millisecond, 120 * time.Millisecond},
		{"held over the wrap", wrap.Add(-time.Millisecond), 40 * time.Second, 250 * time.Millisecond},
		{"none at all", epoch, 0, 0},
	} {
		for _, noted := range []bool{true, false} {
			name := c.name + ", from this machine's clock"
			if noted {
				name = c.name + ", from what was sent"
			}
			t.Run(name, func(t *testing.T) {
				out, far := measure.NewOutbound(48000, false), measure.NewInbound(48000)
				out.Sent(1, 0, 100, c.sent)
				far.Packet(1, 0, 100, c.sent, false, false)
				ntp := measure.NTP(c.sent)
				if noted {
					// A mapped report has the publisher's clock, which is anything.
					ntp += 12345 << 32
					out.SenderReport(ntp, c.sent)
				}
				far.SenderReport(ntp, c.sent.Add(c.rtt/2))
				r := far.ReceptionReport(9, c.sent.Add(c.rtt/2+c.held))
				out.ReceiverReport(r, c.sent.Add(c.rtt+c.held))
				got := out.Totals()
				if off := got.RTT.Last - c.rtt; got.RTT.N != 1 || off > 3*unit || off < -3*unit {
					t.Errorf("round-trip time is %v (%d), want %v within rounding", got.RTT.Last, got.RTT.N, c.rtt)
				}
				if got.RTTSource != measure.RTTRTCP {
					t.Errorf("its source is %q, want rtcp", got.RTTSource)
				}
			})
		}
	}
}

func TestRoundTripLeavesOutWhatCantBe(t *testing.T) {
	out := measure.NewOutbound(48000, false)
	out.Sent(1, 0, 100, epoch)
	out.ReceiverReport(rtcp.ReceptionReport{LastSequenceNumber: 1}, epoch)
	out.ReceiverReport(rtcp.ReceptionReport{LastSequenceNumber: 1, LastSenderReport: uint32(measure.NTP(epoch.Add(time.Hour)) >> 16)}, epoch)
	out.RoundTrip(measure.RTTICE, -time.Second)
	out.RoundTrip(measure.RTTICE, time.Hour)
	if s := out.Totals(); s.RTT.N != 0 {
		t.Errorf("round-trip time is %+v, want none of a report that answers nothing, of the future, or absurd", s.RTT)
	}
	out.RoundTrip(measure.RTTICE, 30*time.Millisecond)
	out.RoundTrip(measure.RTTICE, 50*time.Millisecond)
	want := measure.Average{N: 2, Mean: 40 * time.Millisecond, Max: 50 * time.Millisecond, Last: 50 * time.Millisecond}
	if diff := cmp.Diff(want, out.Interval(epoch.Add(time.Second)).RTT); diff != "" {
		t.Errorf("round-trip time of ICE (-want +got):\n%s", diff)
	}
	if s := out.Interval(epoch.Add(2 * time.Second)); s.RTT.N != 0 {
		t.Errorf("the next interval has %+v, want nothing of the one before", s.RTT)
	}
}

func TestLikelySide(t *testing.T) {
	for _, c := range []struct {
		name     string
		up, down measure.Sample
		want     measure.Side
	}{
		{"nothing is known", measure.Sample{}, measure.Sample{}, measure.SideNone},
		{"a little everywhere", measure.Sample{Expected: 1000, Residual: 9}, measure.Sample{Packets: 991, Residual: 9}, measure.SideNone},
		{"the sender's", measure.Sample{Expected: 1000, Residual: 50}, measure.Sample{Packets: 950, Residual: 10}, measure.SideSenderUplink},
		{"repaired on the way", measure.Sample{Expected: 1000, Lost: 50, Repaired: 50}, measure.Sample{Packets: 1000, Residual: 20}, measure.SideReceiverDownlink},
		{"the server's queue", measure.Sample{Expected: 1000}, measure.Sample{Packets: 800, Dropped: 200, Residual: 16}, measure.SideServer},
		{"alike: the earlier", measure.Sample{Expected: 1000, Residual: 50}, measure.Sample{Packets: 1000, Residual: 50}, measure.SideSenderUplink},
		{"exactly the threshold", measure.Sample{Expected: 1000, Residual: 10}, measure.Sample{Packets: 1000}, measure.SideSenderUplink},
		{"too few to say", measure.Sample{Expected: 50, Residual: 5}, measure.Sample{Packets: 45, Residual: 5}, measure.SideNone},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := measure.LikelySide(c.up, c.down); got != c.want {
				t.Errorf("side is %q, want %q", got, c.want)
			}
		})
	}
}
