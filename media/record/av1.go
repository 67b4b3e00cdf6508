package record

import (
	"github.com/pion/rtp/codecs"
	"github.com/pion/rtp/codecs/av1/obu"
)

const obuSequenceHeader = 1

// av1 keeps open bitstream units with their sizes, as Matroska wants them.
type av1 struct{ packet codecs.AV1Depacketizer }

func (a *av1) payload(p []byte) ([]byte, error) { return a.packet.Unmarshal(p) }

func (a *av1) head(p []byte) bool { return a.packet.IsPartitionHead(p) }

func (a *av1) reset() { a.packet = codecs.AV1Depacketizer{} }

func (a *av1) inspect(frame []byte) (key bool, f format, ok bool) {
	for len(frame) > 0 {
		header, err := obu.ParseOBUHeader(frame)
		if err != nil || !header.HasSizeField {
			return false, format{}, false
		}
		at := header.Size()
		n, used, err := obu.ReadLeb128(frame[at:])
		if err != nil || uint(len(frame)-at) < used || uint(len(frame)-at)-used < n {
			return false, format{}, false
		}
		whole := at + int(used) + int(n)
		if header.Type == obuSequenceHeader {
			width, height, config, ok := av1Sequence(frame[at+int(used) : whole])
			if !ok {
				return false, format{}, false
			}
			return true, format{DocType: "webm", Codec: "V_AV1", Private: append(config, frame[:whole]...), Width: width, Height: height}, true
		}
		frame = frame[whole:]
	}
	return false, format{}, true
}

// av1Sequence reads a sequence header (AV1 5.5.1) as far as real-time encoders fill it: no timing information. The configuration is the four
// bytes of av1C for 8 bits and 4:2:0, which is all that profile 0 has in WebRTC.
func av1Sequence(p []byte) (width, height int, config []byte, ok bool) {
	r := &bits{b: p}
	profile := r.read(3)
	r.read(1)
	var level, tier uint32
	if r.flag() {
		level = r.read(5)
	} else {
		if r.flag() || profile != 0 {
			return 0, 0, nil, false
		}
		delays := r.flag()
		points := r.read(5)
		for k := range points + 1 {
			r.read(12)
			l, t := r.read(5), uint32(0)
			if l > 7 {
				t = r.read(1)
			}
			if delays && r.flag() {
				r.read(4)
			}
			if k == 0 {
				level, tier = l, t
			}
		}
	}
	bitsWide, bitsHigh := int(r.read(4)+1), int(r.read(4)+1)
	width, height = int(r.read(bitsWide)+1), int(r.read(bitsHigh)+1)
	return width, height, []byte{0x81, byte(profile<<5 | level), byte(tier<<7 | 0x0c), 0}, !r.past
}
