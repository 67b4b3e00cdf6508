package record

import "strings"

// maxFrameBytes: a picture above it is no picture, but somebody who wants memory.
const maxFrameBytes = 4 << 20

// unpacker turns payloads of one codec into frames.
type unpacker interface {
	// payload gives what a packet adds to its frame.
	payload(p []byte) ([]byte, error)
	// head tells whether a payload begins a frame.
	head(p []byte) bool
	// inspect tells whether a whole frame is a key frame, and what files of it say; not ok: it is damaged.
	inspect(frame []byte) (key bool, f format, ok bool)
	// reset forgets what a lost packet left undone.
	reset()
}

func unpackerOf(mime string) unpacker {
	switch strings.ToLower(mime) {
	case "video/vp8":
		return &vp8{}
	case "video/vp9":
		return &vp9Frames{}
	case "video/av1":
		return &av1{}
	case "video/h264":
		return newH264()
	}
	return nil
}

// assembler makes video frames of packets in order. A frame that misses a packet is left out, and everything up to the next key frame with it,
// since it could only be shown wrong.
type assembler struct {
	unpacker
	started, broken, waiting bool
	seq                      uint16
	timestamp                uint32
	frame                    []byte
	// skipped frames, lost packets.
	skipped, lost int
}

func newAssembler(u unpacker) *assembler { return &assembler{unpacker: u, waiting: true} }

// push takes a packet; ok when it completes a frame, which is valid until the next push.
func (a *assembler) push(seq uint16, timestamp uint32, marker bool, payload []byte) (frame []byte, key bool, f format, ok bool) {
	if a.started {
		ahead := int16(seq - a.seq)
		if ahead <= 0 {
			return nil, false, format{}, false
		}
		if ahead > 1 {
			a.lost += int(ahead) - 1
			a.broken, a.waiting = true, true
			a.reset()
		}
		if timestamp != a.timestamp {
			if len(a.frame) > 0 {
				a.skipped++
			}
			// The frame before ended without its marker, so it is lost; this one is whole if the packet has its beginning.
			a.frame, a.broken = a.frame[:0], ahead > 1 && !a.head(payload)
		}
	}
	a.started, a.seq, a.timestamp = true, seq, timestamp
	if len(payload) > 0 {
		part, err := a.payload(payload)
		if err != nil || len(a.frame)+len(part) > maxFrameBytes {
			a.broken, a.waiting = true, true
		} else {
			a.frame = append(a.frame, part...)
		}
	}
	if !marker {
		return nil, false, format{}, false
	}
	frame, broken := a.frame, a.broken
	a.frame, a.broken = a.frame[:0], false
	if len(frame) == 0 && !broken {
		return nil, false, format{}, false // padding
	}
	if !broken {
		key, f, ok = a.inspect(frame)
	}
	if ok && key {
		a.waiting = false
	}
	if !ok || a.waiting {
		a.waiting = true
		a.skipped++
		return nil, false, format{}, false
	}
	return frame, key, f, true
}
