package event

import (
	"encoding/binary"
	"math"
	"unicode/utf8"
)

// Report is a stream report as it is read straight off a record. Its bytes are the record's own: they must be copied to outlive it. It is reused.
type Report struct {
	ID, Org, Region, CallID, Source []byte
	Sequence                        uint64
	ObservedAtUs                    int64
	SourceKind                      int32
	// ParticipantID has 16 bytes.
	ParticipantID []byte
	IntervalMs    uint32
	Samples       []Sample

	// what was found valid last: it mostly is the same again
	validOrg, validRegion string
	inReport              bool
}

// Gauges of a sample, in the order of the contract. Each may be unknown.
const (
	JitterMs = iota
	RttMs
	JitterBufferMs
	HealedRatio
	FrameRate
	FrameHeight
	FreezeMs
	BitrateBps
	AvailableBitrateBps
	LossRatio
	Gauges // how many there are
)

// Sample is what a report says of one stream.
type Sample struct {
	// StreamID has 16 bytes.
	StreamID         []byte
	Codec            []byte
	Direction, Media int32
	Ssrc             uint32
	PacketsLost      int64
	// Counters are packets, bytes, packets_discarded, retransmitted_packets, frames, frames_dropped and freezes.
	Counters [7]uint64
	// Feedback are nacks, plis and firs.
	Feedback [3]uint32
	Gauges   [Gauges]float32
	// Known has a bit for each gauge that is known.
	Known uint16
}

// Read reads a record's body. It answers true only for a valid event that carries a stream report and nothing that this reader doesn't know; then the
// report says what the event that Decode makes of the same body says, but for its meeting. For everything else it answers false, whatever the reason: then
// Decode is to be asked. It allocates nothing once its samples have grown.
func (r *Report) Read(body []byte) bool {
	*r = Report{Samples: r.Samples[:0], validOrg: r.validOrg, validRegion: r.validRegion}
	return r.readEvent(body) && r.valid()
}

// valid says of the envelope what Validate says; of the payload it was found when it was read.
func (r *Report) valid() bool {
	return r.inReport && within(r.ID, MaxIDLen) && within(r.CallID, MaxIDLen) && within(r.Source, MaxSourceLen) && r.Sequence > 0 &&
		ValidTime(r.ObservedAtUs) && r.knownValid(r.Org, &r.validOrg, ValidOrg) && r.knownValid(r.Region, &r.validRegion, ValidRegion) &&
		len(r.ParticipantID) == 16
}

func within(text []byte, limit int) bool { return len(text) > 0 && len(text) <= limit }

func (r *Report) knownValid(name []byte, last *string, valid func(string) bool) bool {
	if string(name) == *last && *last != "" {
		return true
	}
	s := string(name)
	if !valid(s) {
		return false
	}
	*last = s
	return true
}

// The numbers of fields are those of event.proto. A tag is a field's number and its kind: 0 is a varint, 2 bytes with their length, 5 four bytes.
const (
	varint  = 0
	bytes   = 2
	fixed32 = 5
)

func (r *Report) readEvent(body []byte) bool {
	w := wire{rest: body}
	for len(w.rest) > 0 {
		switch w.tag() {
		case 1<<3 | bytes:
			r.ID = w.text()
		case 2<<3 | bytes:
			r.Org = w.text()
		case 3<<3 | bytes:
			r.Region = w.text()
		case 4<<3 | bytes:
			r.CallID = w.text()
		case 5<<3 | bytes:
			r.Source = w.text()
		case 6<<3 | varint:
			r.Sequence = w.varint()
		case 7<<3 | varint:
			r.ObservedAtUs = int64(w.varint()) //nolint:gosec // bits are bits
		case 8<<3 | varint:
			r.SourceKind = int32(w.varint()) //nolint:gosec // as protobuf does
		case 20<<3 | bytes:
			if r.inReport { // would have to be merged with the one before
				return false
			}
			r.inReport = true
			if !r.readReport(w.bytes()) {
				return false
			}
		default:
			return false
		}
	}
	return !w.failed
}

func (r *Report) readReport(body []byte) bool {
	w := wire{rest: body}
	for len(w.rest) > 0 {
		switch w.tag() {
		case 1<<3 | bytes:
			r.ParticipantID = w.bytes()
		case 2<<3 | varint:
			r.IntervalMs = uint32(w.varint()) //nolint:gosec // as protobuf does
		case 3<<3 | bytes:
			if len(r.Samples) == MaxStreams {
				return false
			}
			if len(r.Samples) < cap(r.Samples) {
				r.Samples = r.Samples[:len(r.Samples)+1]
			} else {
				r.Samples = append(r.Samples, Sample{})
			}
			if !r.Samples[len(r.Samples)-1].read(w.bytes()) {
				return false
			}
		default:
			return false
		}
	}
	return !w.failed
}

func (s *Sample) read(body []byte) bool {
	*s = Sample{}
	w := wire{rest: body}
	for len(w.rest) > 0 {
		switch tag := w.tag(); tag {
		case 1<<3 | bytes:
			s.StreamID = w.bytes()
		case 2<<3 | varint:
			s.Direction = int32(w.varint()) //nolint:gosec // as protobuf does
		case 3<<3 | varint:
			s.Media = int32(w.varint()) //nolint:gosec // as protobuf does
		case 4<<3 | varint:
			s.Ssrc = uint32(w.varint()) //nolint:gosec // as protobuf does
		case 5<<3 | bytes:
			s.Codec = w.text()
		case 6<<3 | varint:
			s.Counters[0] = w.varint()
		case 7<<3 | varint:
			v := w.varint()
			s.PacketsLost = int64(v>>1) ^ -int64(v&1) //nolint:gosec // zigzag
		case 8<<3 | varint, 9<<3 | varint, 10<<3 | varint, 11<<3 | varint, 12<<3 | varint, 13<<3 | varint:
			s.Counters[tag>>3-7] = w.varint()
		case 14<<3 | varint, 15<<3 | varint, 16<<3 | varint:
			s.Feedback[tag>>3-14] = uint32(w.varint()) //nolint:gosec // as protobuf does
		case 17<<3 | fixed32, 18<<3 | fixed32, 19<<3 | fixed32, 20<<3 | fixed32, 21<<3 | fixed32, 22<<3 | fixed32, 23<<3 | fixed32, 24<<3 | fixed32,
			25<<3 | fixed32, 26<<3 | fixed32:
			gauge := tag>>3 - 17
			s.Gauges[gauge] = math.Float32frombits(w.fixed32())
			s.Known |= 1 << gauge
		default:
			return false
		}
	}
	return !w.failed && len(s.StreamID) == 16
}

// wire reads protobuf's encoding. What is malformed ends it: the rest is empty then.
type wire struct {
	rest   []byte
	failed bool
}

func (w *wire) fail() {
	w.rest, w.failed = nil, true
}

// tag is 0, which no field has, if it is larger than any that is known.
func (w *wire) tag() uint64 {
	tag := w.varint()
	if tag > 1<<10 {
		return 0
	}
	return tag
}

func (w *wire) varint() uint64 {
	if len(w.rest) > 0 && w.rest[0] < 0x80 {
		v := uint64(w.rest[0])
		w.rest = w.rest[1:]
		return v
	}
	v, n := binary.Uvarint(w.rest)
	if n <= 0 {
		w.fail()
		return 0
	}
	w.rest = w.rest[n:]
	return v
}

func (w *wire) fixed32() uint32 {
	if len(w.rest) < 4 {
		w.fail()
		return 0
	}
	v := binary.LittleEndian.Uint32(w.rest)
	w.rest = w.rest[4:]
	return v
}

func (w *wire) bytes() []byte {
	n := w.varint()
	if n > uint64(len(w.rest)) {
		w.fail()
		return nil
	}
	v := w.rest[:n:n]
	w.rest = w.rest[n:]
	return v
}

// text is bytes that must be UTF-8.
func (w *wire) text() []byte {
	v := w.bytes()
	for _, b := range v {
		if b >= utf8.RuneSelf {
			if !utf8.Valid(v) {
				w.fail()
			}
			break
		}
	}
	return v
}
