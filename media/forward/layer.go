package forward

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"github.com/anteroom/anteroom/media/measure"
)

// layer is one SSRC that a member publishes: a track, or one of a simulcast track's sizes.
type layer struct {
	section *section
	remote  *webrtc.TrackRemote
	rid     string
	ssrc    uint32

	// For the reading goroutine.
	codecs              map[uint8]*codecInfo
	levelID, rotationID uint8

	in    *measure.Inbound
	cache cache
	// codec of the newest packet.
	codec atomic.Pointer[codecInfo]
	// height of the newest key frame that told it, 0 until then; bits per second and last packet (Unix nanoseconds) for the choice of layers.
	height  atomic.Int32
	bits    atomic.Int64
	heard   atomic.Int64
	counted atomic.Uint64 // bytes since the last measurement of bits
	report  atomic.Pointer[senderReport]

	mu      sync.Mutex
	missing missing
	keyed   keyframes
}

// senderReport is the publisher's newest: the same instant on its clock and in RTP time.
type senderReport struct {
	ntp     time.Time
	rtp     uint32
	arrived time.Time
}

// captured is when, on the publisher's clock, the sample of an RTP time was taken; false: no sender report yet.
func (l *layer) captured(rtpTime uint32) (time.Time, bool) {
	report, codec := l.report.Load(), l.codec.Load()
	if report == nil || codec == nil {
		return time.Time{}, false
	}
	return report.ntp.Add(rtpDuration(rtpTime-report.rtp, codec.clockRate)), true
}

// rtpDuration of a difference of RTP times, which may be negative.
func rtpDuration(difference uint32, clockRate uint32) time.Duration {
	return time.Duration(int32(difference)) * time.Second / time.Duration(clockRate) //nolint:gosec // serial arithmetic
}

func newLayer(s *section, remote *webrtc.TrackRemote, receiver *webrtc.RTPReceiver) *layer {
	l := &layer{
		section: s, remote: remote, rid: remote.RID(), ssrc: uint32(remote.SSRC()), codecs: map[uint8]*codecInfo{},
	}
	params := receiver.GetParameters()
	for _, codec := range params.Codecs {
		l.codecs[uint8(codec.PayloadType)] = newCodecInfo(codec.MimeType, codec.SDPFmtpLine, codec.ClockRate, codec.Channels)
	}
	for _, extension := range params.HeaderExtensions {
		id := uint8(extension.ID) //nolint:gosec // 1 to 14
		switch extension.URI {
		case extAudioLevel:
			l.levelID = id
		case extRotation:
			l.rotationID = id
		}
	}
	rate := uint32(90000)
	if s.audio {
		rate = 48000
	}
	l.in = measure.NewInbound(rate)
	return l
}

// maxPacket is the size of the buffer that packets are read into; what is larger is lost. More than any path's MTU.
const maxPacket = 2048

// read forwards until the layer ends.
func (l *layer) read() {
	buffer := make([]byte, maxPacket)
	var header rtp.Header
	for {
		n, attributes, err := l.remote.Read(buffer)
		if err != nil {
			// pion gives an error, and has lost nothing but that packet, for a payload type that was not negotiated.
			if closedForGood(err) {
				return
			}
			continue
		}
		now := time.Now()
		at, err := header.Unmarshal(buffer[:n])
		if err != nil {
			continue
		}
		repaired := attributes != nil && attributes.Get(webrtc.AttributeRtxSsrc) != nil
		l.packet(&header, buffer[at:n], now, repaired)
	}
}

// packet takes one that arrived. Header and payload are good until it returns.
func (l *layer) packet(header *rtp.Header, payload []byte, now time.Time, repaired bool) {
	payload, err := unpad(header, payload)
	codec := l.codecs[header.PayloadType]
	if err != nil || codec == nil {
		return
	}
	l.in.Packet(header.SequenceNumber, header.Timestamp, header.MarshalSize()+len(payload), now, repaired, header.Marker)
	l.heard.Store(now.UnixNano())
	l.counted.Add(uint64(len(payload)))
	l.codec.Store(codec)
	if !l.section.audio {
		l.mu.Lock()
		l.missing.arrived(header.SequenceNumber, now)
		l.mu.Unlock()
	}
	t := l.section.track.Load()
	if t == nil || t.silent() {
		return
	}
	p := &packet{
		layer: l, codec: codec, epoch: t.epoch.Load(), seq: header.SequenceNumber, timestamp: header.Timestamp, marker: header.Marker,
		key: true, arrived: now,
	}
	if l.section.audio {
		if level := header.GetExtension(l.levelID); l.levelID != 0 && len(level) > 0 {
			p.level, p.hasLevel = level[0], true
			t.loudness.add(level[0] & 0x7f)
		}
	} else {
		var height int
		p.key, height, p.ids = describe(codec.mime, payload)
		if height > 0 {
			l.height.Store(int32(height)) //nolint:gosec // 16 bits
		}
		if p.key {
			l.in.KeyFrame()
			l.keyArrived(now)
		}
		if rotation := header.GetExtension(l.rotationID); l.rotationID != 0 && len(rotation) > 0 {
			p.rotation, p.hasRotation = rotation[0], true
		}
	}
	p.payload = append(make([]byte, 0, len(payload)), payload...)
	if !l.section.audio {
		l.cache.store(p)
	}
	t.start(l)
	t.forward(p)
}

// measureBits renews the bit rate, once a second.
func (l *layer) measureBits(elapsed time.Duration) {
	now := int64(float64(l.counted.Swap(0)*8) / elapsed.Seconds())
	if before := l.bits.Load(); before > 0 && now > 0 {
		now = (before + now) / 2
	}
	l.bits.Store(now)
}

// live tells whether packets came in the last second and a half.
func (l *layer) live(now time.Time) bool {
	return now.UnixNano()-l.heard.Load() < int64(1500*time.Millisecond)
}

// askAgain gives the request for what is missing and due, or nil.
func (l *layer) askAgain(now time.Time, rtt time.Duration) rtcp.Packet {
	l.mu.Lock()
	due := l.missing.due(now, rtt)
	l.mu.Unlock()
	if len(due) == 0 {
		return nil
	}
	l.in.NACK(len(due))
	return &rtcp.TransportLayerNack{MediaSSRC: l.ssrc, Nacks: rtcp.NackPairsFromSequenceNumbers(due)}
}

// closedForGood tells the end of a stream from a packet that was not understood.
func closedForGood(err error) bool {
	return !errors.Is(err, webrtc.ErrCodecNotFound)
}
