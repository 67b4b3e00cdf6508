package forward

import (
	"encoding/binary"
	"strconv"
	"strings"
	"time"

	"github.com/pion/rtp"
)

// write sends what is queued for the peer until the queue is closed. It is the only goroutine that writes media to the subscriber: a slow
// connection holds up nothing but its own queue.
func (s *subscriber) write() {
	var batch []item
	for {
		if batch = s.queue.take(batch[:0]); batch == nil {
			return
		}
		now := time.Now()
		for i := range batch {
			one := &batch[i]
			if one.pkt != nil {
				one.sub.send(one.pkt, now)
			} else {
				one.sub.resend(one.asked, now)
			}
			*one = item{}
		}
	}
}

// send gives one packet its place and writes it.
func (s *subscription) send(p *packet, now time.Time) {
	b := s.bound.Load()
	if b == nil || !s.live() {
		return
	}
	// A switch happens at a key frame of the target; until then the current layer goes on.
	if current := s.current.Load(); p.layer != current {
		target := s.target.Load()
		switch {
		case target != nil && p.layer != target, s.rewriter.video && !p.key:
			return
		case target == nil:
			s.target.Store(p.layer)
		}
	} else if !s.rewriter.follows(p) && s.rewriter.video && !p.key {
		return
	}
	payloadType, ok := b.payloadType(p)
	if !ok {
		return
	}
	place, ok := s.rewriter.next(p)
	if !ok {
		return
	}
	s.owed = max(0, s.owed-resendShare)
	if s.current.Load() != p.layer {
		s.current.Store(p.layer)
	}
	s.note(p)
	header := s.prepare(b, p, place, payloadType, now)
	payload := s.payload(b, p, place, payloadType)
	// Before it is written: a report that has it may come before the write returns, and would seem to have more than was sent.
	s.out.Sent(place.seq, place.timestamp, header.MarshalSize()+len(payload), now)
	if _, err := b.stream.WriteRTP(header, payload); err != nil {
		return
	}
	if p.key && s.rewriter.video {
		s.out.KeyFrame()
	}
	s.packets.Add(1)
	s.octets.Add(uint32(len(payload))) //nolint:gosec // wraps, as RFC 3550 has it
}

// note keeps, for sender reports, how RTP times map.
func (s *subscription) note(p *packet) {
	if m := s.lastTS.Load(); m == nil || m.layer != p.layer || m.tsOff != s.rewriter.segment.tsOff {
		s.lastTS.Store(&mapped{layer: p.layer, tsOff: s.rewriter.segment.tsOff})
	}
}

// prepare fills the header. It is good until the next call.
func (s *subscription) prepare(b *binding, p *packet, place out, payloadType uint8, now time.Time) *rtp.Header {
	x := &s.peer.sub.scratch
	h := &x.header
	*h = rtp.Header{
		Version: 2, Marker: p.marker, PayloadType: payloadType, SequenceNumber: place.seq, Timestamp: place.timestamp, SSRC: b.ssrc,
		Extensions: h.Extensions[:0],
	}
	if b.cc != 0 {
		binary.BigEndian.PutUint16(x.cc[:], s.peer.bandwidth.sent(p.size()+overhead, now))
		_ = h.SetExtension(b.cc, x.cc[:])
	}
	if b.sendTime != 0 {
		// 6 bits of seconds, 18 of fractions.
		putUint24(x.sendTime[:], uint32(uint64(now.UnixNano())<<18/1_000_000_000)) //nolint:gosec // truncated on purpose
		_ = h.SetExtension(b.sendTime, x.sendTime[:])
	}
	if b.level != 0 && p.hasLevel {
		x.level[0] = p.level
		_ = h.SetExtension(b.level, x.level[:])
	}
	if b.rotation != 0 && p.hasRotation {
		x.rotation[0] = p.rotation
		_ = h.SetExtension(b.rotation, x.rotation[:])
	}
	return h
}

// overhead of a packet on the wire beside its payload: IP, UDP, RTP, SRTP.
const overhead = 20 + 8 + 20 + 16

// scratch is space of the peer's writer for one packet, until that is written.
type scratch struct {
	header   rtp.Header
	payload  [maxPacket + 2]byte
	cc       [2]byte
	sendTime [3]byte
	level    [1]byte
	rotation [1]byte
}

// payload is the packet's own where nothing in it changes, else a copy that is good until the next call.
func (s *subscription) payload(b *binding, p *packet, place out, payloadType uint8) []byte {
	ids := &p.ids
	newPicture := ids.pictureAt != 0 && place.picture != ids.picture
	newTL0 := ids.tl0At != 0 && place.tl0 != ids.tl0
	red := p.codec.mime == mimeRED && payloadType == b.redPayload
	if !newPicture && !newTL0 && !red {
		return p.payload
	}
	scratch := &s.peer.sub.scratch.payload
	payload := scratch[2 : 2+copy(scratch[2:], p.payload)]
	if newPicture {
		if ids.long {
			put15(payload[ids.pictureAt:], place.picture)
		} else {
			payload[ids.pictureAt] = byte(place.picture) //nolint:gosec // 7 bits
		}
	}
	if newTL0 {
		payload[ids.tl0At] = place.tl0
	}
	if red && b.opusPayload != 0 {
		redPayloadTypes(payload, b.opusPayload)
	}
	return payload
}

// resentKept is how many retransmissions are remembered, for resendInterval.
const resentKept = 256

// What bounds the copies, so that a subscriber that asks again and again, for what it lost or for what its reports don't say was repaired, costs
// no more than it is worth: where the machine or the path has no room left, more copies only lose more packets.
const (
	// resendInterval is the shortest time between two copies of one packet: requests come twice before the first answer has arrived.
	resendInterval = 20 * time.Millisecond
	// maxCopies of one packet. At 20 % random loss, one in 600 is lost for good.
	maxCopies = 3
	// resendShare is how many copies each packet that is sent pays for, and resendBurst how many may be owed: a second of a large layer.
	resendShare = 0.5
	resendBurst = 256
)

// resend answers a request for lost packets out of the layer's cache, over the retransmission stream if there is one.
func (s *subscription) resend(asked []uint16, now time.Time) {
	b := s.bound.Load()
	if b == nil || !s.live() {
		return
	}
	if s.resent == nil {
		s.resent = make([]resend, resentKept)
	}
	scratch := &s.peer.sub.scratch.payload
	for _, seq := range asked {
		last := &s.resent[seq%resentKept]
		again := last.copies > 0 && last.seq == seq
		if s.owed >= resendBurst {
			return
		}
		if again && (last.copies >= maxCopies || now.Sub(last.at) < resendInterval) {
			continue
		}
		p, place := s.rewriter.find(seq)
		if p == nil {
			continue
		}
		payloadType, ok := b.payloadType(p)
		if !ok {
			continue
		}
		if !again {
			last.copies = 0
		}
		*last = resend{seq: seq, at: now, copies: last.copies + 1}
		s.owed++
		header := s.prepare(b, p, place, payloadType, now)
		payload := s.payload(b, p, place, payloadType)
		if b.rtx != 0 && b.rtxPayload != 0 && len(payload)+2 <= len(scratch) {
			// RFC 4588: the original number, then the payload. payload may already stand in scratch behind the two bytes.
			n := copy(scratch[2:], payload)
			binary.BigEndian.PutUint16(scratch[:], seq)
			payload = scratch[:2+n]
			s.rtxSeq++
			header.SSRC, header.PayloadType, header.SequenceNumber = b.rtx, b.rtxPayload, s.rtxSeq
		}
		if _, err := b.stream.WriteRTP(header, payload); err == nil {
			s.out.Retransmitted()
		}
	}
}

func itoa(v uint8) string { return strconv.Itoa(int(v)) }

func mimeIs(mimeType, lower string) bool { return strings.EqualFold(mimeType, lower) }
