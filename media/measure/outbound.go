package measure

import (
	"time"

	"github.com/pion/rtcp"
)

// Outbound measures one SSRC that is sent to one subscriber.
type Outbound struct{}

// NewOutbound of a codec whose RTP clock runs at clockRate Hz. rtx: retransmissions go over an SSRC of their own, so that the subscriber's
// reports count what was lost before repair.
func NewOutbound(clockRate uint32, rtx bool) *Outbound { return &Outbound{} }

// Sent notes a packet that was handed to the connection, with the sequence number and timestamp that the subscriber sees. Size is in bytes
// with the RTP header. Numbers never sent between the first and the highest are what the subscriber will miss whatever its network does.
func (o *Outbound) Sent(seq uint16, timestamp uint32, size int, marker bool) {}

// Retransmitted notes a packet sent again.
func (o *Outbound) Retransmitted(size int) {}

// Dropped notes n packets that the server itself threw away, for a full queue. numbered: they had sequence numbers of the subscriber's, so that
// it sees them missing.
func (o *Outbound) Dropped(n int, numbered bool) {}

// SenderReport notes the 64-bit NTP time of a sender report of this SSRC and when it was sent, for the round-trip time of the reports that
// answer it. Without it LSR is taken for this machine's clock.
func (o *Outbound) SenderReport(ntp uint64, sent time.Time) {}

// ReceiverReport notes what the subscriber says of this SSRC.
func (o *Outbound) ReceiverReport(r rtcp.ReceptionReport, now time.Time) {}

// RoundTrip notes a round-trip time of the connection from another source (ICE).
func (o *Outbound) RoundTrip(source RTTSource, rtt time.Duration) {}

// KeyFrame, NACK, PLI and FIR count: a key frame sent, n packets that the subscriber asked for again, its requests for a key frame.
func (o *Outbound) KeyFrame()  {}
func (o *Outbound) NACK(n int) {}
func (o *Outbound) PLI()       {}
func (o *Outbound) FIR()       {}

// Interval gives what happened since the last call, and starts a new interval. Only one goroutine may call it.
func (o *Outbound) Interval(now time.Time) Sample { return Sample{} }

// Totals are since the beginning; Duration is 0, averages are over the whole life.
func (o *Outbound) Totals() Sample { return Sample{} }
