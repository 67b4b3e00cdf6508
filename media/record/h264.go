package record

import (
	"bytes"
	"encoding/binary"
	"slices"

	"github.com/pion/rtp/codecs"
)

const (
	nalIDR = 5
	nalSPS = 7
	nalPPS = 8
)

// h264 keeps NAL units with four-byte lengths, as Matroska wants them, and the newest parameter sets.
type h264 struct {
	packet   codecs.H264Packet
	sps, pps []byte
}

func newH264() *h264 { return &h264{packet: codecs.H264Packet{IsAVC: true}} }

func (h *h264) payload(p []byte) ([]byte, error) { return h.packet.Unmarshal(p) }

func (h *h264) head(p []byte) bool { return h.packet.IsPartitionHead(p) }

func (h *h264) reset() { *h = h264{packet: codecs.H264Packet{IsAVC: true}, sps: h.sps, pps: h.pps} }

func (h *h264) inspect(frame []byte) (key bool, f format, ok bool) {
	for len(frame) > 4 {
		n := int(binary.BigEndian.Uint32(frame))
		if n == 0 || n > len(frame)-4 {
			return false, format{}, false
		}
		unit := frame[4 : 4+n]
		frame = frame[4+n:]
		switch unit[0] & 0x1f {
		case nalIDR:
			key = true
		case nalSPS:
			h.sps = bytes.Clone(unit)
		case nalPPS:
			h.pps = bytes.Clone(unit)
		}
	}
	if !key {
		return false, format{}, true
	}
	width, height, ok := spsSize(h.sps)
	if !ok || len(h.pps) == 0 {
		return false, format{}, false
	}
	return true, format{DocType: "matroska", Codec: "V_MPEG4/ISO/AVC", Private: avcC(h.sps, h.pps), Width: width, Height: height}, true
}

// avcC is the decoder configuration record of ISO/IEC 14496-15 5.3.3.
func avcC(sps, pps []byte) []byte {
	b := []byte{1, sps[1], sps[2], sps[3], 0xff, 0xe1}
	b = append(binary.BigEndian.AppendUint16(b, uint16(len(sps))), sps...)
	b = append(b, 1)
	return append(binary.BigEndian.AppendUint16(b, uint16(len(pps))), pps...)
}

// spsSize is the picture's size out of a sequence parameter set, H.264 7.3.2.1.1.
func spsSize(sps []byte) (width, height int, ok bool) {
	if len(sps) < 5 {
		return 0, 0, false
	}
	// The emulation prevention bytes are no part of the syntax.
	r := &bits{b: bytes.ReplaceAll(sps[1:], []byte{0, 0, 3}, []byte{0, 0})}
	profile := r.read(8)
	r.read(16)
	r.golomb()
	chroma := uint32(1)
	if slices.Contains([]uint32{100, 110, 122, 244, 44, 83, 86, 118, 128}, profile) {
		chroma = r.golomb()
		if chroma == 3 {
			r.read(1)
		}
		r.golomb()
		r.golomb()
		r.read(1)
		if r.flag() {
			return 0, 0, false // scaling matrices: no browser sends them
		}
	}
	r.golomb()
	switch r.golomb() {
	case 0:
		r.golomb()
	case 1:
		r.read(1)
		r.golomb() // this and the next are signed codes, which are as long
		r.golomb()
		n := r.golomb()
		for k := uint32(0); k < n && !r.past; k++ {
			r.golomb()
		}
	}
	r.golomb()
	r.read(1)
	width = int(r.golomb()+1) * 16
	high := int(r.golomb()+1) * 16
	frameOnly := r.flag()
	fields := 1
	if !frameOnly {
		r.read(1)
		fields = 2
	}
	height = high * fields
	r.read(1)
	if r.flag() {
		unitX, unitY := 1, fields
		if chroma == 1 || chroma == 2 {
			unitX = 2
		}
		if chroma == 1 {
			unitY *= 2
		}
		width -= unitX * int(r.golomb()+r.golomb())
		height -= unitY * int(r.golomb()+r.golomb())
	}
	return width, height, !r.past && width > 0 && height > 0 && width <= 1<<14 && height <= 1<<14
}
