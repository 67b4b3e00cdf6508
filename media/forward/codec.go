package forward

import "encoding/binary"

// frameIDs are the numbers in a VP8 or VP9 payload descriptor that must go on without a gap when a subscriber is switched to another layer.
type frameIDs struct {
	// pictureAt and tl0At are where in the payload they stand; 0 is nowhere (byte 0 is always the flags).
	pictureAt, tl0At uint8
	long             bool // the picture id has 15 bits, not 7
	picture          uint16
	tl0              uint8
}

// describe reads what forwarding needs of a video payload: whether a key frame starts here, the frame's height in pixels if the packet tells
// (0: it doesn't), and the frame's numbers. Anything malformed is no key frame.
func describe(mime string, payload []byte) (key bool, height int, ids frameIDs) {
	if len(payload) == 0 {
		return false, 0, frameIDs{}
	}
	switch mime {
	case mimeVP8:
		return describeVP8(payload)
	case mimeVP9:
		return describeVP9(payload)
	case mimeH264:
		return keyH264(payload), 0, frameIDs{}
	case mimeAV1:
		// N of the aggregation header: the first packet of a coded video sequence.
		return payload[0]&0x08 != 0, 0, frameIDs{}
	}
	return false, 0, frameIDs{}
}

// pictureID reads 7 or 15 bits at i and returns what comes after; 0 is malformed.
func (ids *frameIDs) pictureID(payload []byte, i int) int {
	if i >= len(payload) {
		return 0
	}
	ids.pictureAt = uint8(i) //nolint:gosec // at most 3
	if payload[i]&0x80 == 0 {
		ids.picture = uint16(payload[i])
		return i + 1
	}
	if i+1 >= len(payload) {
		return 0
	}
	ids.long, ids.picture = true, binary.BigEndian.Uint16(payload[i:])&0x7fff
	return i + 2
}

// describeVP8 reads the descriptor of RFC 7741 section 4.2 and the frame header after it.
func describeVP8(payload []byte) (key bool, height int, ids frameIDs) {
	i, starts := 1, payload[0]&0x10 != 0 && payload[0]&0x07 == 0
	if payload[0]&0x80 != 0 {
		if len(payload) < 2 {
			return false, 0, frameIDs{}
		}
		flags := payload[1]
		i = 2
		if flags&0x80 != 0 {
			if i = ids.pictureID(payload, i); i == 0 {
				return false, 0, frameIDs{}
			}
		}
		if flags&0x40 != 0 {
			if i >= len(payload) {
				return false, 0, frameIDs{}
			}
			ids.tl0At, ids.tl0 = uint8(i), payload[i] //nolint:gosec // at most 4
			i++
		}
		if flags&0x30 != 0 {
			i++
		}
	}
	if !starts || i >= len(payload) || payload[i]&0x01 != 0 {
		return false, 0, ids
	}
	// Frame tag (3 bytes), start code (3), width, height of 14 bits each.
	if frame := payload[i:]; len(frame) >= 10 {
		height = int(binary.LittleEndian.Uint16(frame[8:]) & 0x3fff)
	}
	return true, height, ids
}

// describeVP9 reads the descriptor of RFC 9628 section 4.2.
func describeVP9(payload []byte) (key bool, height int, ids frameIDs) {
	flags, i := payload[0], 1
	const (
		flagI, flagP, flagL, flagF, flagB, flagV = 0x80, 0x40, 0x20, 0x10, 0x08, 0x02
	)
	if flags&flagI != 0 {
		if i = ids.pictureID(payload, i); i == 0 {
			return false, 0, frameIDs{}
		}
	}
	spatial := byte(0)
	if flags&flagL != 0 {
		if i >= len(payload) {
			return false, 0, frameIDs{}
		}
		spatial = payload[i] >> 1 & 0x07
		i++
		if flags&flagF == 0 {
			if i >= len(payload) {
				return false, 0, frameIDs{}
			}
			ids.tl0At, ids.tl0 = uint8(i), payload[i] //nolint:gosec // at most 4
			i++
		}
	}
	key = flags&flagB != 0 && flags&flagP == 0 && spatial == 0
	if !key || flags&flagV == 0 || i >= len(payload) {
		return key, 0, ids
	}
	// Scalability structure: N_S, Y, then width and height of each spatial layer.
	layers, hasSize := int(payload[i]>>5)+1, payload[i]&0x10 != 0
	i++
	for n := 0; hasSize && n < layers && i+4 <= len(payload); n++ {
		height = max(height, int(binary.BigEndian.Uint16(payload[i+2:])))
		i += 4
	}
	return true, height, ids
}

// NAL unit types, RFC 6184.
const (
	nalIDR, nalSPS, nalSTAPA, nalFUA = 5, 7, 24, 28
)

// keyH264 tells whether a parameter set or the start of an IDR picture is in the packet.
func keyH264(payload []byte) bool {
	isKey := func(nal byte) bool { return nal&0x1f == nalIDR || nal&0x1f == nalSPS }
	switch payload[0] & 0x1f {
	case nalSTAPA:
		for i := 1; i+2 < len(payload); {
			if isKey(payload[i+2]) {
				return true
			}
			i += 2 + int(binary.BigEndian.Uint16(payload[i:]))
		}
		return false
	case nalFUA:
		return len(payload) > 1 && payload[1]&0x80 != 0 && isKey(payload[1])
	}
	return isKey(payload[0])
}
