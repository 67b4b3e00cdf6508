package record

import (
	"encoding/binary"

	"github.com/pion/rtp/codecs"
	"github.com/pion/rtp/codecs/vp9"
)

type vp8 struct{ packet codecs.VP8Packet }

func (v *vp8) payload(p []byte) ([]byte, error) { return v.packet.Unmarshal(p) }

func (v *vp8) head(p []byte) bool { return v.packet.IsPartitionHead(p) }

func (v *vp8) reset() { v.packet = codecs.VP8Packet{} }

// inspect reads the frame header of RFC 6386 9.1.
func (v *vp8) inspect(frame []byte) (key bool, f format, ok bool) {
	if len(frame) < 10 || frame[0]&1 == 1 {
		return false, format{}, len(frame) > 0
	}
	width, height := int(binary.LittleEndian.Uint16(frame[6:])&0x3fff), int(binary.LittleEndian.Uint16(frame[8:])&0x3fff)
	if frame[3] != 0x9d || frame[4] != 0x01 || frame[5] != 0x2a || width == 0 || height == 0 {
		return false, format{}, false
	}
	return true, format{DocType: "webm", Codec: "V_VP8", Width: width, Height: height}, true
}

type vp9Frames struct{ packet codecs.VP9Packet }

func (v *vp9Frames) payload(p []byte) ([]byte, error) { return v.packet.Unmarshal(p) }

func (v *vp9Frames) head(p []byte) bool { return v.packet.IsPartitionHead(p) }

func (v *vp9Frames) reset() { v.packet = codecs.VP9Packet{} }

func (v *vp9Frames) inspect(frame []byte) (key bool, f format, ok bool) {
	var h vp9.Header
	if err := h.Unmarshal(frame); err != nil {
		return false, format{}, false
	}
	if h.NonKeyFrame || h.ShowExistingFrame {
		return false, format{}, true
	}
	return true, format{DocType: "webm", Codec: "V_VP9", Width: int(h.Width()), Height: int(h.Height())}, true
}
