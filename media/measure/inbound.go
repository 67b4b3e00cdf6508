package measure

import (
	"time"

	"github.com/pion/rtcp"
)

// Inbound measures one received SSRC.
type Inbound struct{}

// NewInbound of a codec whose RTP clock runs at clockRate Hz.
func NewInbound(clockRate uint32) *Inbound { return &Inbound{} }

// Packet notes one that arrived. Size is in bytes with the RTP header; repaired: it came as a retransmission or out of FEC (in pion, a packet
// whose attributes have an RTX SSRC). Call it for every packet, in the order of arrival, before any reordering.
func (i *Inbound) Packet(seq uint16, timestamp uint32, size int, arrived time.Time, repaired, marker bool) {
}

// Pause says that the sender stops on purpose (mute): the gap until the next packet is no freeze and no jitter.
func (i *Inbound) Pause() {}

// SenderReport notes a sender report of this SSRC, so that ReceptionReport can answer it. ntp is RTCP's 64-bit time.
func (i *Inbound) SenderReport(ntp uint64, arrived time.Time) {}

// KeyFrame, NACK, PLI and FIR count: a key frame that arrived, n packets asked for again, requests for a key frame.
func (i *Inbound) KeyFrame()  {}
func (i *Inbound) NACK(n int) {}
func (i *Inbound) PLI()       {}
func (i *Inbound) FIR()       {}

// RoundTrip notes a round-trip time of the connection that the stream comes over.
func (i *Inbound) RoundTrip(source RTTSource, rtt time.Duration) {}

// Jitter now, 0 before the second packet.
func (i *Inbound) Jitter() time.Duration { return 0 }

// ReceptionReport is what a receiver report says of this SSRC. It starts a new interval of its own for the fraction lost.
func (i *Inbound) ReceptionReport(ssrc uint32, now time.Time) rtcp.ReceptionReport {
	return rtcp.ReceptionReport{}
}

// Interval gives what happened since the last call, and starts a new interval. Only one goroutine may call it.
func (i *Inbound) Interval(now time.Time) Sample { return Sample{} }

// Totals are since the beginning; Duration is 0, averages are over the whole life.
func (i *Inbound) Totals() Sample { return Sample{} }
