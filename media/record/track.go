package record

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/media/forward"
)

const (
	pauseFrom  = time.Second
	clusterMax = 1 << 20
)

// track writes one track's files. Only the recording's goroutine uses it.
type track struct {
	forward.Track
	participant uuid.UUID
	red         bool
	video       *assembler

	ssrc    uint32
	haveSeq bool
	seq     uint16
	line    timeline
	// end is where what is written ends, in the file's time.
	end     time.Duration
	lost    int
	last    time.Time
	cluster cluster

	media, timing *os.File
	layout        layout
	about         TimingTrack
	// width and height of the largest picture.
	width, height int
	lines         []byte
	position      int64
	cues          []cue
	failed        error
}

func newTrack(t forward.Track, participant uuid.UUID) *track {
	out := &track{Track: t, participant: participant, line: timeline{rate: t.ClockRate}}
	switch mime := strings.ToLower(t.MimeType); {
	case mime == "audio/opus":
	case mime == "audio/red":
		out.red = true
	case unpackerOf(mime) != nil:
		out.video = newAssembler(unpackerOf(mime))
	default:
		return nil
	}
	if out.line.rate == 0 {
		return nil
	}
	return out
}

// codec of the media that is written.
func (t *track) codec() string {
	if t.video == nil {
		return "opus"
	}
	return t.MimeType[strings.IndexByte(t.MimeType, '/')+1:]
}

// packet takes one packet.
func (t *track) packet(r *Recording, p item) {
	if t.failed != nil {
		return
	}
	if p.ssrc != t.ssrc {
		// Another encoding: its numbers say nothing about those before.
		t.ssrc, t.haveSeq = p.ssrc, false
		if t.video != nil {
			t.video.started, t.video.waiting = false, true
		}
	}
	if t.haveSeq {
		ahead := int16(p.seq - t.seq)
		if ahead <= 0 {
			return
		}
		if ahead > 1 {
			t.lost += int(ahead) - 1
			t.note(Timing{Type: "gap", AtMs: t.end.Milliseconds(), Packets: int(ahead) - 1})
		}
		if quiet := p.arrived.Sub(t.last); quiet >= pauseFrom {
			t.note(Timing{Type: "pause", AtMs: t.end.Milliseconds(), ForMs: quiet.Milliseconds()})
		}
	}
	t.haveSeq, t.seq, t.last = true, p.seq, p.arrived
	if t.video == nil {
		t.audioPacket(r, p)
		return
	}
	frame, key, f, ok := t.video.push(p.seq, p.timestamp, p.marker, p.payload)
	if !ok || !t.ready(r, p, f) {
		return
	}
	at := t.place(p)
	if t.cues != nil && at < t.end {
		at = t.end
	}
	t.grow(at, f)
	t.write(r, at, key, frame)
	t.end = max(t.end, at)
}

// grow keeps the size of the largest picture; only key frames have one. Simulcast begins with the smallest layer, and a shared window may be
// made larger.
func (t *track) grow(at time.Duration, f format) {
	if f.Width*f.Height <= t.width*t.height {
		return
	}
	t.width, t.height = f.Width, f.Height
	t.note(Timing{Type: "size", AtMs: at.Milliseconds(), Width: f.Width, Height: f.Height})
}

func (t *track) audioPacket(r *Recording, p item) {
	data := p.payload
	if t.red {
		data = redPrimary(data)
	}
	length := opusDuration(data)
	channels := max(1, min(int(t.Channels), 2))
	if length == 0 || !t.ready(r, p, format{DocType: "webm", Codec: "A_OPUS", Private: opusHead(channels), Audio: true, Channels: channels}) {
		return
	}
	at := t.place(p)
	for t.end+opusFrame <= at {
		t.write(r, t.end, true, opusSilence[:])
		t.end += opusFrame
	}
	at = max(at, t.end)
	t.write(r, at, true, data)
	t.end = at + length
}

func (t *track) place(p item) time.Duration {
	at, anew := t.line.place(p.timestamp, p.arrived)
	if anew {
		t.note(Timing{Type: "reanchored", AtMs: at.Milliseconds(), RTP: p.timestamp, Wall: &p.arrived})
	}
	return at
}

func (t *track) senderReport(p item) {
	if t.media == nil || t.failed != nil {
		return
	}
	at := t.line.at + time.Duration(int64(int32(p.timestamp-t.line.rtp))*int64(time.Second)/int64(t.line.rate))
	t.note(Timing{Type: "sender_report", AtMs: at.Milliseconds(), RTP: p.timestamp, NTP: &p.ntp, Wall: &p.arrived})
}

// note adds a line to the timing file, which is written with the next cluster.
func (t *track) note(l Timing) {
	if t.media != nil {
		t.lines = l.append(t.lines)
	}
}

// ready opens the files with the first frame.
func (t *track) ready(r *Recording, p item, f format) bool {
	if t.media != nil {
		return true
	}
	ext := ".webm"
	if f.DocType != "webm" {
		ext = ".mkv"
	}
	t.about = TimingTrack{
		RecordingID: r.id, TrackID: t.ID, ParticipantID: t.participant, Kind: t.Kind, Codec: t.codec(), ClockRate: t.ClockRate,
		StartedAt: p.arrived.UTC(), File: t.ID.String() + ext, FirstRTP: p.timestamp, Format: f,
	}
	if err := t.open(r.dir); err != nil {
		t.fail(r, err)
		return false
	}
	return true
}

func (t *track) open(dir string) (err error) {
	const flags = os.O_CREATE | os.O_WRONLY
	t.timing, err = os.OpenFile(filepath.Join(dir, t.ID.String()+timingExt), flags|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("open timing file: %w", err)
	}
	t.media, err = os.OpenFile(filepath.Join(dir, t.about.File), flags, 0o600)
	if err != nil {
		return fmt.Errorf("open media file: %w", err)
	}
	t.layout = t.about.lay()
	if _, err := t.timing.Write(Timing{Type: "track", Track: &t.about}.append(nil)); err != nil {
		return fmt.Errorf("write timing file: %w", err)
	}
	if _, err := t.media.Write(t.layout.head); err != nil {
		return fmt.Errorf("write media file: %w", err)
	}
	t.position = int64(len(t.layout.head))
	return nil
}

func (t *TimingTrack) lay() layout {
	return lay(t.Format, binary.BigEndian.Uint64(t.TrackID[:8]), t.StartedAt)
}

func (t *track) write(r *Recording, at time.Duration, key bool, data []byte) {
	if t.cluster.n > 0 && (at-t.cluster.began >= r.cfg.ClusterInterval || len(t.cluster.blocks) > clusterMax) {
		t.flush(r)
	}
	if t.failed == nil {
		t.cluster.add(at, key, data)
	}
}

// flush writes the cluster, then the lines that tell of it.
func (t *track) flush(r *Recording) {
	if t.failed != nil || t.cluster.n == 0 {
		return
	}
	b := t.cluster.bytes()
	if !r.take(int64(len(b))) {
		t.fail(r, errLimit)
		return
	}
	if _, err := t.media.Write(b); err != nil {
		t.fail(r, fmt.Errorf("write media file: %w", err))
		return
	}
	if t.cluster.key {
		t.cues = append(t.cues, cue{At: t.cluster.began, Position: t.position})
	}
	line := Timing{Type: "cluster", AtMs: t.cluster.began.Milliseconds(), EndMs: t.end.Milliseconds(), Position: t.position, Key: t.cluster.key}
	t.position += int64(len(b))
	line.Bytes = t.position
	t.cluster.reset()
	t.note(line)
	if _, err := t.timing.Write(t.lines); err != nil {
		t.fail(r, fmt.Errorf("write timing file: %w", err))
		return
	}
	t.lines = t.lines[:0]
}

var errLimit = errors.New("recording has reached max_bytes")

// fail ends the track's writing; what is in the file stays.
func (t *track) fail(r *Recording, err error) {
	t.failed = err
	t.cluster = cluster{}
	r.trouble(err)
}

// finish completes the files. Nil: there are none.
func (t *track) finish(r *Recording) *ManifestTrack {
	t.flush(r)
	if t.timing == nil {
		return nil
	}
	skipped := 0
	if t.video != nil {
		skipped = t.video.skipped
	}
	err := t.complete(skipped)
	if err != nil {
		r.trouble(err)
	}
	m := t.about.manifest(r.started, t.end)
	m.Width, m.Height = t.width, t.height
	m.LostPackets, m.SkippedFrames = t.lost, skipped
	return &m
}

func (t *track) complete(skipped int) error {
	var errs []error
	if t.media != nil {
		// A failed write may have left half a cluster.
		errs = append(errs, t.media.Truncate(t.position))
		errs = append(errs, t.layout.resize(t.media, t.width, t.height))
		errs = append(errs, t.layout.finish(t.media, t.position, t.end, t.cues), t.media.Sync(), t.media.Close())
	}
	t.lines = Timing{Type: "end", AtMs: t.end.Milliseconds(), SkippedFrames: skipped}.append(t.lines)
	_, err := t.timing.Write(t.lines)
	return errors.Join(append(errs, err, t.timing.Sync(), t.timing.Close())...)
}

func (t *TimingTrack) manifest(started time.Time, length time.Duration) ManifestTrack {
	kind := "video/"
	if t.Format.Audio {
		kind = "audio/"
	}
	if t.Format.DocType == "webm" {
		kind += "webm"
	} else {
		kind += "x-matroska"
	}
	return ManifestTrack{
		TrackID: t.TrackID, ParticipantID: t.ParticipantID, Kind: t.Kind, Codec: t.Codec, Channels: t.Format.Channels,
		Width: t.Format.Width, Height: t.Format.Height, StartedAt: t.StartedAt, StartMs: t.StartedAt.Sub(started).Milliseconds(),
		DurationMs: length.Milliseconds(), File: t.File, ContentType: kind, Timing: t.TrackID.String() + timingExt,
	}
}
