package forward

import (
	"math/rand/v2"
	"time"
)

// rewriter gives the packets of one track, of whichever layer, one sequence of numbers and timestamps without a jump, as one encoder would
// have made it. Holes in what arrived stay holes, so that the far end asks for them and they can still be filled. One goroutine uses it.
type rewriter struct {
	started bool
	video   bool
	// segment is what is being sent, past those before, the newest last, for repairs.
	segment segment
	past    []segment

	// The newest packet that was sent.
	lastSeq     uint16
	lastTS      uint32
	lastIn      *packet
	lastPicture uint16
	lastTL0     uint8
}

// segment is a run of packets with the same offsets between what came in and what goes out.
type segment struct {
	layer    *layer
	epoch    uint32
	outStart uint16
	inStart  uint16
	seqOff   uint16
	tsOff    uint32
	picOff   uint16
	tl0Off   uint8
}

// pastSegments is how many switches back a repair may reach.
const pastSegments = 8

// out is a packet's place in what the subscriber sees.
type out struct {
	seq       uint16
	timestamp uint32
	picture   uint16
	tl0       uint8
}

func (s *segment) out(p *packet) out {
	o := out{seq: p.seq + s.seqOff, timestamp: p.timestamp + s.tsOff, picture: p.ids.picture + s.picOff, tl0: p.ids.tl0 + s.tl0Off}
	if p.ids.long {
		o.picture &= 0x7fff
	} else {
		o.picture &= 0x7f
	}
	return o
}

// follows tells whether the packet goes on with the current segment.
func (w *rewriter) follows(p *packet) bool {
	return w.started && w.segment.layer == p.layer && w.segment.epoch == p.epoch
}

// next places a packet; false: it can't be sent (late for a segment that is over, or no key frame where one is needed).
func (w *rewriter) next(p *packet) (out, bool) {
	if !w.follows(p) {
		if w.video && !p.key {
			return out{}, false
		}
		w.begin(p)
	}
	if after(w.segment.inStart, p.seq) {
		return out{}, false
	}
	o := w.segment.out(p)
	if after(o.seq, w.lastSeq) || w.lastIn == nil {
		w.lastSeq, w.lastTS, w.lastIn = o.seq, o.timestamp, p
		if p.ids.pictureAt != 0 {
			w.lastPicture = o.picture
		}
		if p.ids.tl0At != 0 {
			w.lastTL0 = o.tl0
		}
	}
	return o, true
}

// begin starts a segment with p as its first packet.
func (w *rewriter) begin(p *packet) {
	next := segment{layer: p.layer, epoch: p.epoch, inStart: p.seq}
	if !w.started {
		// RFC 3550: both start at random. The halves keep the numbers from wrapping within the first packets, which some receivers dislike.
		next.outStart = uint16(rand.N(1 << 15))     //nolint:gosec // no secret
		next.tsOff = rand.Uint32()>>1 - p.timestamp //nolint:gosec // no secret
		w.started = true
	} else {
		w.past = append(w.past, w.segment)
		if len(w.past) > pastSegments {
			w.past = append(w.past[:0], w.past[1:]...)
		}
		next.outStart = w.lastSeq + 1
		next.tsOff = w.lastTS + w.step(p) - p.timestamp
		if p.ids.pictureAt != 0 {
			next.picOff = w.lastPicture + 1 - p.ids.picture
		}
		if p.ids.tl0At != 0 {
			next.tl0Off = w.lastTL0 + 1 - p.ids.tl0
		}
	}
	next.seqOff = next.outStart - p.seq
	w.segment = next
}

// step is how far the timestamp goes on from the last packet to the first of another segment: by the publisher's clock where sender reports of
// both layers tell it, else by time of arrival.
func (w *rewriter) step(p *packet) uint32 {
	rate := time.Duration(p.codec.clockRate)
	between := p.arrived.Sub(w.lastIn.arrived)
	if from, ok := w.lastIn.layer.captured(w.lastIn.timestamp); ok {
		if to, ok := p.layer.captured(p.timestamp); ok {
			// An implausible report is worse than none.
			if exact := to.Sub(from); exact-between < time.Second && between-exact < time.Second {
				between = exact
			}
		}
	}
	return uint32(max(int64(between*rate/time.Second), 1)) //nolint:gosec // wraps as timestamps do
}

// find is the packet that was, or would have been, sent under a sequence number, and its place; nil if it never came or is too old.
func (w *rewriter) find(seq uint16) (*packet, out) {
	if !w.started || after(seq, w.lastSeq) {
		return nil, out{}
	}
	s := &w.segment
	for i := len(w.past) - 1; after(s.outStart, seq); i-- {
		if i < 0 {
			return nil, out{}
		}
		s = &w.past[i]
	}
	p := s.layer.cache.load(seq - s.seqOff)
	if p == nil || p.epoch != s.epoch {
		return nil, out{}
	}
	return p, s.out(p)
}
