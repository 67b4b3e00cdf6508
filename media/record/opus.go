package record

import (
	"encoding/binary"
	"time"
)

const opusFrame = 20 * time.Millisecond

// opusSilence is 20 ms of nothing, which fills what was not sent: players put audio blocks one behind the other whatever their times.
var opusSilence = [...]byte{0xf8, 0xff, 0xfe}

// opusHead is the identification header of RFC 7845 5.1, without pre-skip: a stream taken up in its middle has no padding to skip.
func opusHead(channels int) []byte {
	b := append([]byte("OpusHead"), 1, byte(channels), 0, 0)
	b = binary.LittleEndian.AppendUint32(b, 48000)
	return append(b, 0, 0, 0)
}

// opusDuration of a packet by its first bytes, RFC 6716 3.1; 0 for one that can't be.
func opusDuration(p []byte) time.Duration {
	if len(p) == 0 {
		return 0
	}
	var frame time.Duration
	switch config := p[0] >> 3; {
	case config < 12:
		frame = [...]time.Duration{10, 20, 40, 60}[config%4] * time.Millisecond
	case config < 16:
		frame = [...]time.Duration{10, 20}[config%2] * time.Millisecond
	default:
		frame = [...]time.Duration{2500, 5000, 10000, 20000}[config%4] * time.Microsecond
	}
	switch p[0] & 3 {
	case 0:
		return frame
	case 1, 2:
		return 2 * frame
	}
	if len(p) < 2 {
		return 0
	}
	if d := frame * time.Duration(p[1]&0x3f); d <= 120*time.Millisecond {
		return d
	}
	return 0
}

// redPrimary is the primary block of a redundant payload (RFC 2198), which is its last; nil for one that can't be.
func redPrimary(p []byte) []byte {
	skip := 0
	for {
		if len(p) == 0 {
			return nil
		}
		if p[0]&0x80 == 0 {
			p = p[1:]
			break
		}
		if len(p) < 4 {
			return nil
		}
		skip += int(p[2]&3)<<8 | int(p[3])
		p = p[4:]
	}
	if skip > len(p) {
		return nil
	}
	return p[skip:]
}
