// Package measure is arithmetic on packets: what one stream lost, how much its packets' spacing varied, how long a round trip took, and on
// which side of the server a loss most likely happened.
//
// It opens no sockets and starts no goroutines. Inbound measures one received SSRC (one layer of a simulcast), Outbound one SSRC sent to one
// subscriber. Both have one writer, the goroutine that reads or writes the packets; Interval, Totals and the counters may be called from any
// goroutine at the same time. Nothing allocates per packet.
//
// Formulas are those of RFC 3550 (appendices A.1, A.3 and A.8, section 6.4.1), written out in docs/measurement.md with where they are
// departed from and why.
package measure

import "time"

// Average of something observed several times in an interval; N of 0 is not known, which is not zero.
type Average struct {
	// N observations.
	N uint64
	// Mean and Max over the interval, Last is the newest.
	Mean, Max, Last time.Duration
}

// Sample is what one stream did in one interval: counters are differences, never totals.
type Sample struct {
	Duration time.Duration
	// Packets and Bytes (with RTP headers) that arrived or were sent; repaired ones count as arrived, duplicates and packets sent again don't.
	Packets, Bytes uint64
	// Expected packets by their sequence numbers.
	Expected uint64
	// Lost before repair, Repaired by retransmission or FEC, Residual = Lost - Repaired. What comes late is counted back in the interval in
	// which it comes, so all three may be negative. For an Outbound they are the downlink's, as of the newest receiver report: what the
	// subscriber reported less Upstream and Dropped.
	Lost, Repaired, Residual int64
	// Duplicates, Reordered (came after a later one) and Discarded (sequence number far off, RFC 3550 A.1); inbound only.
	Duplicates, Reordered, Discarded uint64
	// Retransmitted packets that arrived (whether needed or not) or were sent.
	Retransmitted uint64
	// Dropped by the server's own queue, Upstream: numbers that the subscriber misses because they never reached the server. Outbound only.
	Dropped  uint64
	Upstream int64
	// Frames by RTP timestamp (video only makes sense), KeyFrames as told.
	Frames, KeyFrames uint64
	// Freezes and FreezeTime estimate what a viewer saw from gaps between frames; inbound only.
	Freezes    uint64
	FreezeTime time.Duration
	// NACKs counts packets asked for again; PLIs and FIRs requests for a key frame.
	NACKs, PLIs, FIRs uint32
	// Jitter is RFC 3550 interarrival jitter; of an Outbound, as the subscriber reported it.
	Jitter Average
	// RTT over all sources; RTTSource is where the newest came from.
	RTT       Average
	RTTSource RTTSource
}

// RTTSource says how a round-trip time was measured.
type RTTSource string

// The sources, the better first: RTCP times media's own path, ICE a STUN check beside it.
const (
	RTTUnknown RTTSource = ""
	RTTRTCP    RTTSource = "rtcp"
	RTTICE     RTTSource = "ice"
)
