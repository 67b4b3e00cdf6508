package measure

import (
	"sync"
	"time"

	"github.com/pion/rtcp"
)

// Inbound measures one received SSRC.
type Inbound struct {
	mu     sync.Mutex
	seq    sequence
	jitter jitter
	frames frames
	counts
	// extra are packets above the unique ones that RFC 3550 A.3 counts as received.
	extra uint64
	// expectedPrior and receivedPrior are of the last ReceptionReport.
	expectedPrior, receivedPrior uint64
	lsr                          uint32
	lsrAt                        time.Time
}

// NewInbound of a codec whose RTP clock runs at clockRate Hz.
func NewInbound(clockRate uint32) *Inbound {
	return &Inbound{jitter: jitter{rate: clockRate}}
}

// Packet notes one that arrived. Size is in bytes with the RTP header; repaired: it came as a retransmission or out of FEC (in pion, a packet
// whose attributes have an RTX SSRC). Call it for every packet, in the order of arrival, before any reordering.
func (i *Inbound) Packet(seq uint16, timestamp uint32, size int, arrived time.Time, repaired, marker bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.began.IsZero() {
		i.began = arrived
	}
	if repaired {
		i.total.Retransmitted++
	}
	a := i.seq.add(seq, repaired)
	switch a {
	case discarded:
		i.total.Discarded++
		return
	case duplicate, overtaken:
		i.total.Duplicates++
		// What was repaired first counts as received with its original, which is this one; what comes as a repair never does.
		if a == duplicate && !repaired {
			i.extra++
		}
		return
	case restarted:
		i.jitter.restart()
		i.frames.pause()
	case late:
		if !repaired {
			i.total.Reordered++
		}
	case newest:
	}
	i.total.Packets++
	i.total.Bytes += uint64(size)
	if i.frames.add(timestamp) {
		i.total.Frames++
	}
	if marker && a != late {
		if freeze := i.frames.end(arrived); freeze > 0 {
			i.total.Freezes++
			i.total.FreezeTime += freeze
		}
	}
	// What was sent again tells of the repair, not of the network's spacing.
	if !repaired && i.jitter.add(timestamp, arrived) {
		i.counts.jitter.add(i.jitter.value())
	}
}

// Pause says that the sender stops on purpose (mute): the gap until the next packet is no freeze and no jitter.
func (i *Inbound) Pause() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.jitter.restart()
	i.frames.pause()
}

// SenderReport notes a sender report of this SSRC, so that ReceptionReport can answer it. ntp is RTCP's 64-bit time.
func (i *Inbound) SenderReport(ntp uint64, arrived time.Time) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.lsr, i.lsrAt = middle32(ntp), arrived
}

// KeyFrame counts a key frame that arrived.
func (i *Inbound) KeyFrame() { i.count(func(s *Sample) { s.KeyFrames++ }) }

// NACK counts n packets that the server asked for again.
func (i *Inbound) NACK(n int) { i.count(func(s *Sample) { s.NACKs += uint32(max(n, 0)) }) }

// PLI counts a picture loss indication that the server sent.
func (i *Inbound) PLI() { i.count(func(s *Sample) { s.PLIs++ }) }

// FIR counts a full intra request that the server sent.
func (i *Inbound) FIR() { i.count(func(s *Sample) { s.FIRs++ }) }

func (i *Inbound) count(f func(*Sample)) {
	i.mu.Lock()
	defer i.mu.Unlock()
	f(&i.total)
}

// RoundTrip notes a round-trip time of the connection that the stream comes over. Negative ones and those above a minute are left out.
func (i *Inbound) RoundTrip(source RTTSource, rtt time.Duration) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.roundTrip(source, rtt)
}

// Jitter now, 0 before the second packet.
func (i *Inbound) Jitter() time.Duration {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.jitter.value()
}

// ReceptionReport is what a receiver report says of this SSRC (RFC 3550 6.4.1, A.3). Each call begins a new interval of the fraction lost.
// What was repaired counts as lost, as RFC 4588 section 6.3 has it for retransmissions on an SSRC of their own.
func (i *Inbound) ReceptionReport(ssrc uint32, now time.Time) rtcp.ReceptionReport {
	i.mu.Lock()
	defer i.mu.Unlock()
	if !i.seq.started {
		return rtcp.ReceptionReport{SSRC: ssrc}
	}
	expected, received := i.seq.expected(), i.seq.unique-i.seq.repairs+i.extra
	var fraction uint8
	span := int64(expected - i.expectedPrior)
	if lost := span - int64(received-i.receivedPrior); span > 0 && lost > 0 {
		fraction = uint8(min(lost<<8/span, 255))
	}
	i.expectedPrior, i.receivedPrior = expected, received
	lost := min(max(int64(expected)-int64(received), -1<<23), 1<<23-1)
	r := rtcp.ReceptionReport{
		SSRC: ssrc, FractionLost: fraction, TotalLost: uint32(lost) & 0xffffff,
		LastSequenceNumber: i.seq.highest(), Jitter: i.jitter.scaled >> 4, LastSenderReport: i.lsr,
	}
	if !i.lsrAt.IsZero() {
		r.Delay = toShort(now.Sub(i.lsrAt))
	}
	return r
}

// Interval gives what happened since the last call, and starts a new interval. Only one goroutine may call it.
func (i *Inbound) Interval(now time.Time) Sample {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.settle()
	return i.interval(now)
}

// Totals are since the beginning; Duration is 0, averages are over the whole life.
func (i *Inbound) Totals() Sample {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.settle()
	return i.totals()
}

// settle brings what follows from sequence numbers into the totals.
func (i *Inbound) settle() {
	t := &i.total
	t.Expected = i.seq.expected()
	t.Residual = int64(i.seq.missing())
	t.Repaired = int64(i.seq.repairs)
	t.Lost = t.Residual + t.Repaired
}
