package forward

import (
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"

	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/media/measure"
)

// subscription is one track sent to one member. pion sees it as a local track; it is bound once the subscriber has answered.
//
// The reader of the publisher's packets calls offer, the peer's writer everything that sends.
type subscription struct {
	id    uuid.UUID
	track *track
	peer  *Peer
	queue *queue

	// For the subscriber's negotiation.
	sender      *webrtc.RTPSender
	transceiver *webrtc.RTPTransceiver

	// bound is set while packets can be written.
	bound atomic.Pointer[binding]
	ended atomic.Bool
	// target is the layer to send, current the one that is being sent; both nil until they are known. For audio and single layers they are
	// the same after the first packet.
	target, current atomic.Pointer[layer]
	// askedKey is when a key frame was last asked for on behalf of this subscription, for asking again (Unix nanoseconds).
	askedKey atomic.Int64
	dropped  atomic.Uint64

	// For the writer.
	rewriter rewriter
	resent   []resend
	rtxSeq   uint16
	// owed are copies sent that packets sent have not paid for, see resendShare.
	owed float64

	out  *measure.Outbound
	mu   sync.Mutex
	life *measure.Life
	told told
	// packets and octets sent, and how RTP times map, for sender reports.
	packets, octets atomic.Uint32
	lastTS          atomic.Pointer[mapped]
}

// mapped is how the current segment maps the layer's RTP time to the subscriber's.
type mapped struct {
	layer *layer
	tsOff uint32
}

// resend is when a number was last sent again, and how often.
type resend struct {
	seq    uint16
	copies uint8
	at     time.Time
}

// binding is what pion negotiated.
type binding struct {
	stream                        webrtc.TrackLocalWriter
	ssrc, rtx                     uint32
	payload                       uint8
	rtxPayload                    uint8
	redPayload                    uint8
	opusPayload                   uint8
	codec                         *codecInfo
	level, rotation, cc, sendTime uint8
}

func newSubscription(t *track, p *Peer, q *queue) *subscription {
	s := &subscription{id: uuid.New(), track: t, peer: p, queue: q, rewriter: rewriter{video: t.kind != Audio}}
	rate := uint32(90000)
	if t.kind == Audio {
		rate = 48000
	}
	s.out = measure.NewOutbound(rate, t.kind != Audio)
	return s
}

// ID, RID, StreamID and Kind are pion's TrackLocal. Audio and camera of a member are one stream, which the browser keeps in step; its screen
// is another.
func (s *subscription) ID() string { return s.track.id.String() }

// RID is none: the subscriber sees one encoding.
func (s *subscription) RID() string { return "" }

// StreamID groups audio and camera.
func (s *subscription) StreamID() string {
	if s.track.kind == Screen {
		return s.track.peer.id.String() + "-screen"
	}
	return s.track.peer.id.String()
}

// Kind is pion's.
func (s *subscription) Kind() webrtc.RTPCodecType {
	if s.track.kind == Audio {
		return webrtc.RTPCodecTypeAudio
	}
	return webrtc.RTPCodecTypeVideo
}

// Bind takes what was negotiated. It never fails, since pion would give up the whole answer: a track whose codec the subscriber did not take
// stays unbound.
func (s *subscription) Bind(context webrtc.TrackLocalContext) (webrtc.RTPCodecParameters, error) {
	codecs := context.CodecParameters()
	if len(codecs) == 0 {
		return webrtc.RTPCodecParameters{}, webrtc.ErrUnsupportedCodec
	}
	codec := s.track.codec.Load()
	chosen, ok := choose(codecs, codec)
	if !ok || s.ended.Load() {
		return codecs[0], nil
	}
	b := &binding{stream: context.WriteStream(), ssrc: uint32(context.SSRC()), payload: uint8(chosen.PayloadType), codec: codec}
	for _, other := range codecs {
		switch {
		case other.MimeType == webrtc.MimeTypeRTX && fmtp(other.SDPFmtpLine, "apt", "") == itoa(b.payload):
			b.rtxPayload, b.rtx = uint8(other.PayloadType), uint32(context.SSRCRetransmission())
		case s.track.kind == Audio && mimeIs(other.MimeType, mimeRED):
			b.redPayload = uint8(other.PayloadType)
		case s.track.kind == Audio && mimeIs(other.MimeType, mimeOpus):
			b.opusPayload = uint8(other.PayloadType)
		}
	}
	for _, extension := range context.HeaderExtensions() {
		id := uint8(extension.ID) //nolint:gosec // 1 to 14
		switch extension.URI {
		case extAudioLevel:
			b.level = id
		case extRotation:
			b.rotation = id
		case extTransportCC:
			b.cc = id
		case extAbsSendTime:
			b.sendTime = id
		}
	}
	s.mu.Lock()
	s.life = measure.NewLife(measure.Stream{
		ID: s.id, Participant: s.peer.id, Direction: eventpb.Direction_DIRECTION_INBOUND, Media: media(s.track.kind), SSRC: b.ssrc, Codec: codec.name,
		Started: time.Now(),
	})
	s.mu.Unlock()
	s.bound.Store(b)
	if s.Kind() == webrtc.RTPCodecTypeVideo {
		s.needKey()
	}
	return chosen, nil
}

// Unbind is called when the sender stops.
func (s *subscription) Unbind(webrtc.TrackLocalContext) error {
	s.bound.Store(nil)
	return nil
}

// choose finds the codec among those that were negotiated.
func choose(codecs []webrtc.RTPCodecParameters, codec *codecInfo) (webrtc.RTPCodecParameters, bool) {
	for _, c := range codecs {
		if mimeIs(c.MimeType, codec.mime) && sameProfile(codec.mime, c.SDPFmtpLine, codec.fmtp) {
			return c, true
		}
	}
	return webrtc.RTPCodecParameters{}, false
}

// payloadType that a packet goes out with; false: its codec was not negotiated.
func (b *binding) payloadType(p *packet) (uint8, bool) {
	switch {
	case p.codec.mime == b.codec.mime:
		return b.payload, true
	case p.codec.mime == mimeRED && b.redPayload != 0:
		return b.redPayload, true
	case p.codec.mime == mimeOpus && b.opusPayload != 0:
		return b.opusPayload, true
	}
	return 0, false
}

// live tells whether anything may be sent.
func (s *subscription) live() bool {
	return !s.ended.Load() && !s.track.silent() && s.peer.receive.Load()
}

// offer queues a packet of a layer that the subscriber gets.
func (s *subscription) offer(p *packet) {
	if s.bound.Load() == nil || !s.live() {
		return
	}
	target := s.target.Load()
	if target != nil && p.layer != target && p.layer != s.current.Load() {
		return
	}
	if !s.queue.put(item{sub: s, pkt: p}) {
		s.dropped.Add(1)
	}
}

// needKey asks the publisher for a key frame of the layer that is to be sent.
func (s *subscription) needKey() {
	s.askedKey.Store(time.Now().UnixNano())
	if l := s.target.Load(); l != nil {
		l.needKey()
		return
	}
	for _, l := range s.track.section.list() {
		l.needKey()
	}
}

// starving tells whether the subscription has waited for a key frame for long enough to ask again.
func (s *subscription) starving(now time.Time) bool {
	const again = time.Second
	waits := s.current.Load() == nil || s.current.Load() != s.target.Load()
	return waits && s.track.kind != Audio && s.bound.Load() != nil && now.UnixNano()-s.askedKey.Load() > int64(again)
}

// end stops sending.
func (s *subscription) end() {
	if !s.ended.Swap(true) {
		s.track.unsubscribe(s)
	}
}

// readReports reads what the subscriber says of the stream until the sender stops.
func (s *subscription) readReports(sender *webrtc.RTPSender) {
	buffer := make([]byte, maxPacket)
	for {
		n, _, err := sender.Read(buffer)
		if err != nil {
			if errors.Is(err, io.ErrShortBuffer) {
				continue
			}
			return
		}
		packets, err := rtcp.Unmarshal(buffer[:n])
		if err != nil {
			continue
		}
		now := time.Now()
		for _, one := range packets {
			s.reported(one, now)
		}
	}
}

// reported takes one report or request of the subscriber.
func (s *subscription) reported(packet rtcp.Packet, now time.Time) {
	b := s.bound.Load()
	if b == nil {
		return
	}
	switch r := packet.(type) {
	case *rtcp.TransportLayerCC:
		s.peer.bandwidth.feedback(r, now)
	case *rtcp.ReceiverEstimatedMaximumBitrate:
		s.peer.bandwidth.limit(int64(r.Bitrate), now)
	case *rtcp.ReceiverReport:
		for _, report := range r.Reports {
			if report.SSRC == b.ssrc {
				s.out.ReceiverReport(report, now)
				s.peer.bandwidth.loss(float64(report.FractionLost)/256, now)
			}
		}
	case *rtcp.TransportLayerNack:
		var asked []uint16
		for _, pair := range r.Nacks {
			if len(asked) > maxMissing {
				break
			}
			asked = append(asked, pair.PacketList()...)
		}
		s.out.NACK(len(asked))
		s.queue.put(item{sub: s, asked: asked})
	case *rtcp.PictureLossIndication:
		s.out.PLI()
		s.needKey()
	case *rtcp.FullIntraRequest:
		s.out.FIR()
		s.needKey()
	}
}
