package forward

import (
	"sync"
	"time"

	"github.com/pion/rtcp"
)

// bandwidth estimates what a subscriber's connection carries, in bits per second, from transport-wide feedback: a queue that builds up on the
// way (packets take longer than the quickest of the last seconds) or loss lowers the estimate to a part of what arrived; while neither is seen
// it grows, but not far beyond what is being sent, which is all that is known to arrive. A subscriber without that feedback is judged by REMB
// and by the loss in its receiver reports.
//
// This is less than Google's congestion control: no padding is sent to probe, so that going up a layer is itself the probe, after a pause that
// doubles when it fails.
type bandwidth struct {
	mu      sync.Mutex
	next    uint16
	history [sentHistory]sentPacket
	bits    float64
	// remb is what the subscriber estimated, until rembUntil.
	remb      float64
	rembUntil time.Time
	// fedBack is when transport-wide feedback came last.
	fedBack time.Time

	delay   delayTrend
	arrived arrivalRate
	// holdUntil: no growth before; backoff is how long the next hold is.
	holdUntil time.Time
	backoff   time.Duration
	updated   time.Time
}

// sentHistory is how many packets back feedback may reach.
const sentHistory = 1 << 12

type sentPacket struct {
	seq  uint16
	size uint16
	at   int64 // microseconds
}

// Constants of the estimate.
const (
	startBits, minBits, maxBits = 2_500_000, 100_000, 50_000_000
	growth                      = 0.08 // a second
	// decrease is the part of what arrived that is left after a queue was seen.
	decrease = 0.85
	// beyond is how far above what arrives the estimate may be, plus spare.
	beyond, spare = 2.0, 500_000
	// queued is how much longer than the quickest packets may take.
	queued               = 70 * time.Millisecond
	lossHigh, lossLow    = 0.10, 0.02
	holdFirst, holdLimit = 3 * time.Second, 48 * time.Second
)

func newBandwidth() *bandwidth { return &bandwidth{bits: startBits, backoff: holdFirst} }

// sent numbers a packet of so many bytes.
func (b *bandwidth) sent(size int, now time.Time) uint16 {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.next++
	b.history[b.next%sentHistory] = sentPacket{seq: b.next, size: uint16(size), at: now.UnixMicro()} //nolint:gosec // at most maxPacket
	return b.next
}

// estimate now.
func (b *bandwidth) estimate(now time.Time) int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	if now.Before(b.rembUntil) && b.fedBack.IsZero() {
		return int64(min(b.bits, b.remb))
	}
	return int64(b.bits)
}

// feedback takes a transport-wide report.
func (b *bandwidth) feedback(f *rtcp.TransportLayerCC, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fedBack = now
	var got, lost int
	seq, delta := f.BaseSequenceNumber, 0
	at := int64(f.ReferenceTime) * 64_000
	take := func(symbol uint16) bool {
		if int(seq-f.BaseSequenceNumber) >= int(f.PacketStatusCount) {
			return false
		}
		p := b.history[seq%sentHistory]
		known := p.seq == seq && p.at != 0
		seq++
		if symbol == rtcp.TypeTCCPacketNotReceived || symbol == rtcp.TypeTCCPacketReceivedWithoutDelta {
			if known && symbol == rtcp.TypeTCCPacketNotReceived {
				lost++
			}
			return true
		}
		if delta >= len(f.RecvDeltas) {
			return false
		}
		at += f.RecvDeltas[delta].Delta
		delta++
		if known {
			got++
			b.arrived.add(int(p.size), at)
			b.delay.add(p.at, at)
		}
		return true
	}
	for _, chunk := range f.PacketChunks {
		switch c := chunk.(type) {
		case *rtcp.RunLengthChunk:
			for range c.RunLength {
				if !take(c.PacketStatusSymbol) {
					break
				}
			}
		case *rtcp.StatusVectorChunk:
			for _, symbol := range c.SymbolList {
				if !take(symbol) {
					break
				}
			}
		}
	}
	if got+lost == 0 {
		return
	}
	b.update(float64(lost)/float64(got+lost), now)
}

// limit takes a REMB message.
func (b *bandwidth) limit(bits int64, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.remb, b.rembUntil = float64(bits), now.Add(5*time.Second)
}

// loss takes the fraction of a receiver report; it counts only where there is no better feedback.
func (b *bandwidth) loss(fraction float64, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if now.Sub(b.fedBack) > 5*time.Second {
		b.update(fraction, now)
	}
}

// update lowers or raises the estimate.
func (b *bandwidth) update(lost float64, now time.Time) {
	rate, rateKnown := b.arrived.rate, b.arrived.known
	elapsed := min(now.Sub(b.updated), time.Second)
	b.updated = now
	switch {
	case b.delay.queue() > queued && rateKnown:
		b.lower(min(b.bits, rate*decrease), now)
		b.delay.reset()
	case lost > lossHigh:
		b.lower(b.bits*(1-lost/2), now)
	case lost > lossLow || now.Before(b.holdUntil):
	default:
		next := b.bits * (1 + growth*elapsed.Seconds())
		if rateKnown {
			next = min(next, max(b.bits, rate*beyond+spare))
		}
		b.bits = min(next, maxBits)
		if now.Sub(b.holdUntil) > 2*b.backoff {
			b.backoff = max(b.backoff/2, holdFirst)
		}
	}
}

func (b *bandwidth) lower(bits float64, now time.Time) {
	b.bits = max(bits, minBits)
	if now.After(b.holdUntil) {
		b.holdUntil = now.Add(b.backoff)
		b.backoff = min(2*b.backoff, holdLimit)
	}
}

// arrivalRate is how much arrived a second, by the subscriber's clock: a queue on the way gives out what the path carries, whenever the
// feedback about it comes.
type arrivalRate struct {
	started bool
	since   int64 // microseconds
	bytes   int
	rate    float64
	known   bool
}

func (a *arrivalRate) add(bytes int, at int64) {
	const window = 500_000
	elapsed := at - a.since
	if !a.started || elapsed < -window || elapsed > 4*window {
		// The first, or the first after a pause.
		*a = arrivalRate{started: true, since: at}
		return
	}
	a.bytes += bytes
	if elapsed >= window {
		rate := float64(a.bytes*8) / float64(elapsed) * 1e6
		if a.known {
			rate = (a.rate + rate) / 2
		}
		a.rate, a.known, a.since, a.bytes = rate, true, at, 0
	}
}

// delayTrend is how much longer packets take than the quickest did lately. Both clocks' difference is unknown and cancels out; so does their
// drift, within the seconds that the quickest is remembered.
type delayTrend struct {
	smooth float64 // microseconds, with the clocks' difference
	known  bool
	// least of this window and the one before, which begin anew every five seconds.
	least, before float64
	until         int64
}

func (d *delayTrend) add(sent, arrived int64) {
	const window = 5_000_000
	took := float64(arrived - sent)
	if !d.known || sent > d.until+window {
		*d = delayTrend{smooth: took, known: true, least: took, before: took, until: sent + window}
		return
	}
	d.smooth += (took - d.smooth) / 16
	if sent > d.until {
		d.before, d.least, d.until = d.least, took, sent+window
	}
	d.least = min(d.least, took)
}

func (d *delayTrend) queue() time.Duration {
	if !d.known {
		return 0
	}
	return time.Duration((d.smooth - min(d.least, d.before)) * float64(time.Microsecond))
}

// reset forgets the past, so that one queue is answered once.
func (d *delayTrend) reset() { d.known = false }
