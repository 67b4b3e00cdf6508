package client

import (
	"math/rand/v2"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/rtp/codecs"
	"github.com/pion/webrtc/v4"
)

// mtu of the packets, header included.
const mtu = 1200

// keyEvery is how often video has a key frame unasked, in seconds; keyTimes is how much larger it is than others.
const (
	keyEvery = 10
	keyTimes = 4
)

// frames makes the frames of one source.
type frames struct {
	source     Source
	packetizer rtp.Packetizer
	samples    uint32 // per frame, in units of the RTP clock
	size       int    // bytes per frame
	made       int
	buf        []byte
}

func newFrames(source Source) *frames {
	f := &frames{source: source, size: max(source.Bitrate/8/source.FrameRate, 12)}
	var payloader rtp.Payloader = &codecs.VP8Payloader{EnablePictureID: true}
	clock := uint32(90_000)
	if source.Kind == Audio {
		payloader, clock = &codecs.OpusPayloader{}, 48_000
	}
	f.samples = clock / uint32(source.FrameRate) //nolint:gosec // a frame rate is small and positive
	f.packetizer = rtp.NewPacketizer(mtu, 0, 0, payloader, rtp.NewRandomSequencer(), clock)
	f.buf = make([]byte, f.size*keyTimes)
	for i := range f.buf {
		f.buf[i] = byte(rand.Uint32()) //nolint:gosec // filling
	}
	return f
}

// next makes the packets of one frame.
func (f *frames) next(key bool) []*rtp.Packet {
	size := f.size
	if f.source.Kind == Audio {
		f.buf[0] = 0xf8 // RFC 6716 section 3.1: CELT, full band, 20 ms, mono, one frame.
		size = min(size, mtu-40)
	} else {
		key = key || f.made%(keyEvery*f.source.FrameRate) == 0
		if key {
			size *= keyTimes
		}
		f.head(key)
	}
	f.made++
	return f.packetizer.Packetize(f.buf[:size], f.samples)
}

// head writes a VP8 frame header, RFC 6386 section 9.1.
func (f *frames) head(key bool) {
	f.buf[0] = 0x11 // shown, not a key frame
	if !key {
		return
	}
	width, height := f.source.Height*16/9, f.source.Height
	copy(f.buf, []byte{0x10, 0, 0, 0x9d, 0x01, 0x2a, byte(width), byte(width >> 8 & 0x3f), byte(height), byte(height >> 8 & 0x3f)})
}

// pump sends frames at their times while the connection stands. When it is late, as on a busy machine, it catches up, so that the bitrate holds.
func (p *peers) pump(up *peer, pub *Publication) {
	f := newFrames(pub.Source)
	interval := time.Second / time.Duration(pub.Source.FrameRate)
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	level := uint8(0)
	began, due := time.Time{}, 0
	for {
		select {
		case <-pub.stop:
			return
		case now := <-ticker.C:
			if up.pc.ConnectionState() != webrtc.PeerConnectionStateConnected || pub.paused.Load() {
				began = time.Time{}
				continue
			}
			if began.IsZero() {
				began, due, level = now, 0, pub.levelID()
			}
			for ; due <= int(now.Sub(began)/interval); due++ {
				pub.send(f.next(pub.wantKey.Swap(false)), level)
			}
		}
	}
}

// levelID is the number that was agreed on for audio levels; 0: none.
func (p *Publication) levelID() uint8 {
	if p.Source.Kind != Audio {
		return 0
	}
	for _, extension := range p.transceiver.Sender().GetParameters().HeaderExtensions {
		if extension.URI == audioLevelURI {
			return uint8(extension.ID) //nolint:gosec // 1 to 14
		}
	}
	return 0
}

func (p *Publication) send(packets []*rtp.Packet, level uint8) {
	for _, packet := range packets {
		if level != 0 {
			// The first bit says that there is voice.
			_ = packet.SetExtension(level, []byte{0x80 | p.Source.Level&0x7f})
		}
		if p.track.WriteRTP(packet) != nil {
			continue
		}
		p.packets.Add(1)
		p.bytes.Add(uint64(len(packet.Payload)))
	}
}
