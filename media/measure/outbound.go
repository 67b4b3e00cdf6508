package measure

import (
	"sync"
	"time"

	"github.com/pion/rtcp"
)

// keptReports: a receiver answers the newest or the one before; more covers a long path with frequent reports.
const keptReports = 8

// Outbound measures one SSRC that is sent to one subscriber.
type Outbound struct {
	mu     sync.Mutex
	rate   uint64
	rtx    bool
	seq    sequence
	frames frames
	counts
	// numbered is how many dropped packets had numbers of the subscriber's.
	numbered uint64
	// unseen is how much more was missing of what was sent than the subscriber ever said.
	unseen   int64
	reports  [keptReports]sentReport
	reported int
}

type sentReport struct {
	middle uint32
	at     time.Time
}

// NewOutbound of a codec whose RTP clock runs at clockRate Hz. rtx: retransmissions go over an SSRC of their own, so that the subscriber's
// reports count what was lost before repair.
func NewOutbound(clockRate uint32, rtx bool) *Outbound {
	return &Outbound{rate: uint64(clockRate), rtx: rtx}
}

// Sent notes a packet that was handed to the connection, with the sequence number and timestamp that the subscriber sees. Size is in bytes
// with the RTP header. Numbers never sent between the first and the highest are what the subscriber will miss whatever its network does: those
// that Dropped tells of are the server's, the others Upstream. A number sent again is taken for a retransmission.
func (o *Outbound) Sent(seq uint16, timestamp uint32, size int, at time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.began.IsZero() {
		o.began = at
	}
	switch o.seq.add(seq, false) {
	case discarded, duplicate, overtaken:
		o.total.Retransmitted++
		return
	case newest, late, restarted:
	}
	o.total.Packets++
	o.total.Bytes += uint64(size)
	if o.frames.add(timestamp) {
		o.total.Frames++
	}
}

// Retransmitted notes a packet sent again on the SSRC for retransmissions.
func (o *Outbound) Retransmitted() {
	o.count(func(s *Sample) { s.Retransmitted++ })
}

// Dropped notes n packets that the server itself threw away, for a full queue. numbered: they had sequence numbers of the subscriber's, so that
// it sees them missing.
func (o *Outbound) Dropped(n int, numbered bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.total.Dropped += uint64(max(n, 0))
	if numbered {
		o.numbered += uint64(max(n, 0))
	}
}

// SenderReport notes the 64-bit NTP time of a sender report of this SSRC and when it was sent, for the round-trip time of the reports that
// answer it. Without it LSR is taken for this machine's clock.
func (o *Outbound) SenderReport(ntp uint64, sent time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.reports[o.reported%keptReports] = sentReport{middle: middle32(ntp), at: sent}
	o.reported++
}

// ReceiverReport notes what the subscriber says of this SSRC: jitter, loss as of the number that it has come to, and the round-trip time.
func (o *Outbound) ReceiverReport(r rtcp.ReceptionReport, now time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.seq.started {
		return
	}
	o.counts.jitter.add(fromUnits(uint64(r.Jitter), o.rate))
	if r.LastSenderReport != 0 {
		if rtt, ok := o.answered(r, now); ok {
			o.roundTrip(RTTRTCP, rtt)
		}
	}
	// The report is as of a number that may be well behind: what was not sent after it is not in it.
	upTo := o.seq.nearest(uint16(r.LastSequenceNumber))
	gaps := o.seq.missingUpTo(upTo)
	numbered := min(o.numbered, gaps)
	t := &o.total
	t.Upstream = int64(gaps - numbered)
	lost := int64(int32(r.TotalLost<<8)>>8) - int64(gaps)
	// A subscriber counts from the first packet that it could read: holes before it are not in its number, and what was overtaken by it is taken
	// off. That there are less than none tells so; nothing else does, since SRTP lets no duplicate through (RFC 3711 3.3.2).
	if o.seq.max-upTo < window {
		o.unseen = max(o.unseen, -lost)
	}
	lost += o.unseen
	t.Lost, t.Residual = lost, lost
	if o.rtx {
		// How many of the retransmitted arrived nobody tells: at most each lost one was repaired once.
		t.Repaired = max(0, min(lost, int64(t.Retransmitted)))
		t.Residual = lost - t.Repaired
	}
}

// answered is the round-trip time of a report that answers one of ours.
func (o *Outbound) answered(r rtcp.ReceptionReport, now time.Time) (time.Duration, bool) {
	if o.reported == 0 {
		return reportedRTT(now, r.LastSenderReport, r.Delay)
	}
	for k := range min(o.reported, keptReports) {
		if s := o.reports[(o.reported-1-k)%keptReports]; s.middle == r.LastSenderReport {
			// Rounding of DLSR may make it a little less than nothing.
			return max(0, now.Sub(s.at)-fromShort(r.Delay)), true
		}
	}
	return 0, false
}

// RoundTrip notes a round-trip time of the connection from another source (ICE). Negative ones and those above a minute are left out.
func (o *Outbound) RoundTrip(source RTTSource, rtt time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.roundTrip(source, rtt)
}

// KeyFrame counts a key frame that was sent.
func (o *Outbound) KeyFrame() { o.count(func(s *Sample) { s.KeyFrames++ }) }

// NACK counts n packets that the subscriber asked for again.
func (o *Outbound) NACK(n int) { o.count(func(s *Sample) { s.NACKs += uint32(max(n, 0)) }) }

// PLI counts a picture loss indication of the subscriber.
func (o *Outbound) PLI() { o.count(func(s *Sample) { s.PLIs++ }) }

// FIR counts a full intra request of the subscriber.
func (o *Outbound) FIR() { o.count(func(s *Sample) { s.FIRs++ }) }

func (o *Outbound) count(f func(*Sample)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	f(&o.total)
}

// Interval gives what happened since the last call, and starts a new interval. Only one goroutine may call it.
func (o *Outbound) Interval(now time.Time) Sample {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.total.Expected = o.total.Packets
	return o.interval(now)
}

// Totals are since the beginning; Duration is 0, averages are over the whole life.
func (o *Outbound) Totals() Sample {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.total.Expected = o.total.Packets
	return o.totals()
}
