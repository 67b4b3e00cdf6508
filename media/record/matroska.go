package record

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"time"
)

// Matroska elements (RFC 9559). Written here, and not by a library, since what exists neither survives a failed write nor takes up a file
// that was left unfinished.
const (
	idEBML            = 0x1A45DFA3
	idVersion         = 0x4286
	idReadVersion     = 0x42F7
	idMaxIDLength     = 0x42F2
	idMaxSizeLength   = 0x42F3
	idDocType         = 0x4282
	idDocTypeVersion  = 0x4287
	idDocTypeRead     = 0x4285
	idSegment         = 0x18538067
	idSeekHead        = 0x114D9B74
	idSeek            = 0x4DBB
	idSeekID          = 0x53AB
	idSeekPosition    = 0x53AC
	idVoid            = 0xEC
	idInfo            = 0x1549A966
	idTimestampScale  = 0x2AD7B1
	idMuxingApp       = 0x4D80
	idWritingApp      = 0x5741
	idDateUTC         = 0x4461
	idDuration        = 0x4489
	idTracks          = 0x1654AE6B
	idTrackEntry      = 0xAE
	idTrackNumber     = 0xD7
	idTrackUID        = 0x73C5
	idTrackType       = 0x83
	idFlagLacing      = 0x9C
	idCodecID         = 0x86
	idCodecPrivate    = 0x63A2
	idCodecDelay      = 0x56AA
	idSeekPreRoll     = 0x56BB
	idAudio           = 0xE1
	idSampling        = 0xB5
	idChannels        = 0x9F
	idVideo           = 0xE0
	idPixelWidth      = 0xB0
	idPixelHeight     = 0xBA
	idCluster         = 0x1F43B675
	idTimestamp       = 0xE7
	idSimpleBlock     = 0xA3
	idCues            = 0x1C53BB6B
	idCuePoint        = 0xBB
	idCueTime         = 0xB3
	idCuePositions    = 0xB7
	idCueTrack        = 0xF7
	idCueClusterPlace = 0xF1
)

// All positions below follow from the fixed size of what comes first.
const (
	trackNumber = 1
	// seekRoom is the size of the seek head with its three entries, exactly, and of the void that keeps its place until the end.
	seekRoom = 5 + 3*21
	// unknownSize in eight bytes: the segment lasts until the file ends.
	unknownSize = 0x01FFFFFFFFFFFFFF
	appName     = "anteroom"
)

// format is what a Matroska file says of its one track.
type format struct {
	DocType       string `json:"doc_type"` // "webm" or "matroska"
	Codec         string `json:"codec"`    // Matroska's name, "V_VP8"
	Private       []byte `json:"private,omitempty"`
	Audio         bool   `json:"audio,omitempty"`
	Channels      int    `json:"channels,omitempty"`
	Width, Height int    `json:",omitempty"`
}

func appendID(b []byte, id uint32) []byte {
	switch {
	case id > 0xffffff:
		return binary.BigEndian.AppendUint32(b, id)
	case id > 0xffff:
		return append(b, byte(id>>16), byte(id>>8), byte(id))
	case id > 0xff:
		return append(b, byte(id>>8), byte(id))
	}
	return append(b, byte(id))
}

func appendSize(b []byte, n int) []byte {
	switch {
	case n < 1<<7-1:
		return append(b, 0x80|byte(n))
	case n < 1<<14-1:
		return binary.BigEndian.AppendUint16(b, 0x4000|uint16(n))
	case n < 1<<28-1:
		return binary.BigEndian.AppendUint32(b, 0x10000000|uint32(n))
	}
	return binary.BigEndian.AppendUint64(b, 1<<56|uint64(n))
}

func element(id uint32, payload ...[]byte) []byte {
	var n int
	for _, p := range payload {
		n += len(p)
	}
	b := appendSize(appendID(nil, id), n)
	for _, p := range payload {
		b = append(b, p...)
	}
	return b
}

func number(id uint32, v uint64) []byte {
	b := binary.BigEndian.AppendUint64(nil, v)
	for len(b) > 1 && b[0] == 0 {
		b = b[1:]
	}
	return element(id, b)
}

func wide(id uint32, v uint64) []byte { return element(id, binary.BigEndian.AppendUint64(nil, v)) }

// fixed is for what may be written again, larger.
func fixed(id uint32, v int) []byte {
	return element(id, binary.BigEndian.AppendUint32(nil, uint32(v)))
}

func float(id uint32, v float64) []byte { return wide(id, math.Float64bits(v)) }

func text(id uint32, s string) []byte { return element(id, []byte(s)) }

// layout is where the parts of a file's head are; positions are from the file's beginning, but those of Matroska from the segment's data.
type layout struct {
	segment, info, duration, tracks int64
	// width and height are where the picture's are; 0 for audio.
	width, height int64
	head          []byte
}

// lay makes the head of a file. Nothing in it depends on what follows, so that Recover can lay it out again.
func lay(f format, uid uint64, started time.Time) layout {
	head := element(idEBML, number(idVersion, 1), number(idReadVersion, 1), number(idMaxIDLength, 4), number(idMaxSizeLength, 8),
		text(idDocType, f.DocType), number(idDocTypeVersion, 4), number(idDocTypeRead, 2))
	head = binary.BigEndian.AppendUint64(appendID(head, idSegment), unknownSize)
	l := layout{segment: int64(len(head))}
	head = append(head, element(idVoid, make([]byte, seekRoom-2))...)

	l.info = int64(len(head))
	millennium := time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)
	duration := float(idDuration, 0)
	info := element(idInfo, number(idTimestampScale, uint64(time.Millisecond)), text(idMuxingApp, appName), text(idWritingApp, appName),
		wide(idDateUTC, uint64(started.Sub(millennium))), duration)
	head = append(head, info...)
	l.duration = int64(len(head) - 8)

	l.tracks = int64(len(head))
	entry := [][]byte{number(idTrackNumber, trackNumber), number(idTrackUID, uid), number(idFlagLacing, 0), text(idCodecID, f.Codec)}
	if len(f.Private) > 0 {
		entry = append(entry, element(idCodecPrivate, f.Private))
	}
	if f.Audio {
		entry = append(entry, number(idTrackType, 2), number(idCodecDelay, 0), number(idSeekPreRoll, uint64(80*time.Millisecond)),
			element(idAudio, float(idSampling, 48000), number(idChannels, uint64(f.Channels))))
	} else {
		// Last in the head, so that their places are known from its end.
		entry = append(entry, number(idTrackType, 1), element(idVideo, fixed(idPixelWidth, f.Width), fixed(idPixelHeight, f.Height)))
	}
	head = append(head, element(idTracks, element(idTrackEntry, entry...))...)
	if !f.Audio {
		l.height = int64(len(head) - 4)
		l.width = l.height - int64(len(fixed(idPixelHeight, 0)))
	}
	l.head = head
	return l
}

// cue is a cluster that playing can begin at.
type cue struct {
	At       time.Duration
	Position int64
}

// resize writes the picture's size into the head: a stream may begin with pictures smaller than those that come.
func (l layout) resize(w io.WriterAt, width, height int) error {
	if l.height == 0 {
		return nil
	}
	for at, v := range map[int64]int{l.width: width, l.height: height} {
		if _, err := w.WriteAt(binary.BigEndian.AppendUint32(nil, uint32(v)), at); err != nil {
			return fmt.Errorf("write picture size: %w", err)
		}
	}
	return nil
}

// finish writes the index behind end, and the duration, the segment's size and the seek head into the head.
func (l layout) finish(w io.WriterAt, end int64, length time.Duration, cues []cue) error {
	var points [][]byte
	for _, c := range cues {
		points = append(points, element(idCuePoint, number(idCueTime, uint64(c.At.Milliseconds())),
			element(idCuePositions, number(idCueTrack, trackNumber), number(idCueClusterPlace, uint64(c.Position-l.segment)))))
	}
	seek := func(id uint32, position int64) []byte {
		return element(idSeek, element(idSeekID, appendID(nil, id)), wide(idSeekPosition, uint64(position-l.segment)))
	}
	index := element(idCues, points...)
	size := end + int64(len(index))
	if len(cues) == 0 {
		index, size = nil, end
	}
	// The head last: a file whose index failed stays as it was.
	writes := []struct {
		at int64
		b  []byte
	}{
		{end, index},
		{l.duration, binary.BigEndian.AppendUint64(nil, math.Float64bits(float64(length.Milliseconds())))},
		{l.segment - 8, binary.BigEndian.AppendUint64(nil, 1<<56|uint64(size-l.segment))},
	}
	if len(cues) > 0 {
		head := element(idSeekHead, seek(idInfo, l.info), seek(idTracks, l.tracks), seek(idCues, end))
		writes = append(writes, struct {
			at int64
			b  []byte
		}{l.segment, head})
	}
	for _, p := range writes {
		if _, err := w.WriteAt(p.b, p.at); err != nil {
			return fmt.Errorf("finish media file: %w", err)
		}
	}
	return nil
}

// cluster gathers blocks until they are written at once.
type cluster struct {
	began  time.Duration
	key    bool
	blocks []byte
	n      int
}

// add appends a block; at must not be before the cluster's beginning nor 32 s after.
func (c *cluster) add(at time.Duration, key bool, data []byte) {
	if c.n == 0 {
		c.began, c.key = at.Truncate(time.Millisecond), key
	}
	c.n++
	c.blocks = appendSize(appendID(c.blocks, idSimpleBlock), 4+len(data))
	var flags byte
	if key {
		flags = 0x80
	}
	c.blocks = append(c.blocks, 0x80|trackNumber)
	c.blocks = binary.BigEndian.AppendUint16(c.blocks, uint16((at - c.began).Milliseconds()))
	c.blocks = append(append(c.blocks, flags), data...)
}

func (c *cluster) bytes() []byte {
	return element(idCluster, number(idTimestamp, uint64(c.began.Milliseconds())), c.blocks)
}

func (c *cluster) reset() { c.n, c.blocks = 0, c.blocks[:0] }
