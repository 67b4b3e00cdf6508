package record_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"
	"github.com/pion/rtp"
	"github.com/pion/rtp/codecs"

	"github.com/anteroom/anteroom/media/forward"
	"github.com/anteroom/anteroom/media/record"
)

func TestRecordedMediaIsReadByOthers(t *testing.T) {
	needs(t, "ffmpeg", "ffprobe")
	for _, c := range []struct {
		name string
		clip func(*testing.T) clip
		want probed
		ext  string
	}{
		{"opus", opusClip, probed{Codec: "opus", Frames: 151}, ".webm"},
		{"VP8", vp8Clip, probed{Codec: "vp8", Width: 320, Height: 240, Frames: 90}, ".webm"},
		{"VP9", func(t *testing.T) clip {
			path := ffmpeg(t, "v.ivf", picture("-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-b:v", "500k", "-auto-alt-ref", "0")...)
			return pack("video/VP9", 90000, &codecs.VP9Payloader{}, readIVF(t, path))
		}, probed{Codec: "vp9", Width: 320, Height: 240, Frames: 90}, ".webm"},
		{"AV1", func(t *testing.T) clip {
			path := ffmpeg(t, "v.ivf", picture("-c:v", "libaom-av1", "-usage", "realtime", "-cpu-used", "8", "-b:v", "500k")...)
			return pack("video/AV1", 90000, &codecs.AV1Payloader{}, readIVF(t, path))
		}, probed{Codec: "av1", Width: 320, Height: 240, Frames: 90}, ".webm"},
		{"H264", func(t *testing.T) clip {
			path := ffmpeg(t, "v.h264", picture("-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-bf", "0", "-x264-params", "slices=1:sliced-threads=0")...)
			return pack("video/H264", 90000, &codecs.H264Payloader{}, readH264(t, path))
		}, probed{Codec: "h264", Width: 320, Height: 240, Frames: 90}, ".mkv"},
	} {
		t.Run(c.name, func(t *testing.T) {
			media := c.clip(t)
			r, dir := recorder(t, nil)
			rec := start(t, r)
			w := rec.Tap(who).Track(media.track)
			began := time.Now()
			media.play(w, began, nil)
			w.SenderReport(began, media.packets[0].Timestamp)
			w.Close()
			_, m := stop(t, r, rec)
			if len(m.Tracks) != 1 || m.Truncated != "" || m.DroppedPackets != 0 {
				t.Fatalf("manifest is %+v, want one whole track", m)
			}
			tr := m.Tracks[0]
			path := pathOf(dir, m, tr.File)
			got := probe(t, path)
			if diff := cmp.Diff(c.want, got, cmpopts.IgnoreFields(probed{}, "Duration")); diff != "" {
				t.Errorf("ffprobe reads (-want +got):\n%s", diff)
			}
			if d := time.Duration(tr.DurationMs) * time.Millisecond; got.Duration < 2900*time.Millisecond || got.Duration > 3100*time.Millisecond || (got.Duration-d).Abs() > 100*time.Millisecond {
				t.Errorf("it lasts %v, the manifest says %v, want 3 s", got.Duration, d)
			}
			if filepath.Ext(tr.File) != c.ext {
				t.Errorf("file is %s, want %s", tr.File, c.ext)
			}
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if sum := sha256.Sum256(b); tr.SHA256 != hex.EncodeToString(sum[:]) || tr.Bytes != int64(len(b)) {
				t.Errorf("manifest says %d bytes, %s, which is not the file's", tr.Bytes, tr.SHA256)
			}
			seekable(t, path)
		})
	}
}

// seekable wants a player to find its way to the second second by the index.
func seekable(t *testing.T, path string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "ffprobe", "-v", "error", "-read_intervals", "2%+#1", "-show_entries", "packet=pts_time", "-of", "csv=p=0", path).CombinedOutput()
	if err != nil {
		t.Fatalf("ffprobe: %v\n%s", err, out)
	}
	line, _, _ := bytes.Cut(out, []byte("\n"))
	if at, err := strconv.ParseFloat(string(bytes.Trim(line, ",\r ")), 64); err != nil || at < 0.9 || at > 2.1 {
		t.Errorf("seeking to 2 s leads to %q", line)
	}
}

func TestLostPacketsLeaveOutWhatCantBeShown(t *testing.T) {
	needs(t, "ffmpeg", "ffprobe")
	media := vp8Clip(t)
	r, dir := recorder(t, nil)
	rec := start(t, r)
	// A packet in the middle of the first second: what follows up to the key frame of the next second can't be shown.
	lost := 0
	for media.offset(lost) < 500*time.Millisecond {
		lost++
	}
	media.play(rec.Tap(who).Track(media.track), time.Now(), func(k int) bool { return k == lost })
	_, m := stop(t, r, rec)
	tr := m.Tracks[0]
	got := probe(t, pathOf(dir, m, tr.File))
	skipped := 15
	if media.packets[lost].Marker {
		skipped-- // nobody knows of a frame whose only packet is lost
	}
	if tr.LostPackets != 1 || tr.SkippedFrames != skipped || got.Frames != 75 {
		t.Errorf("%d packets lost, %d frames left out, %d in the file, want 1, %d, 75", tr.LostPackets, tr.SkippedFrames, got.Frames, skipped)
	}
}

func TestSilenceKeepsItsPlace(t *testing.T) {
	needs(t, "ffmpeg", "ffprobe")
	media := opusClip(t)
	r, dir := recorder(t, nil)
	rec := start(t, r)
	// Half a second is not sent (muted, or not spoken): timestamps go on.
	media.play(rec.Tap(who).Track(media.track), time.Now(), func(k int) bool { return k >= 50 && k < 75 })
	_, m := stop(t, r, rec)
	if got := probe(t, pathOf(dir, m, m.Tracks[0].File)); got.Frames != 151 {
		t.Errorf("the file has %d blocks, want 151: silence for what is missing", got.Frames)
	}
}

func TestAKilledRecordingIsCompletedLater(t *testing.T) {
	needs(t, "ffmpeg", "ffprobe")
	r, dir := recorder(t, nil)
	rec := start(t, r)
	for _, media := range []clip{opusClip(t), vp8Clip(t)} {
		media.play(rec.Tap(who).Track(media.track), time.Now(), nil)
	}
	_, whole := stop(t, r, rec)

	// What a kill leaves: a manifest that says "recording", media that ends in the middle of a cluster without index, a half-written line.
	killed := whole
	killed.State, killed.Tracks, killed.DurationMs = record.StateRecording, nil, 0
	b, err := json.Marshal(killed)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(pathOf(dir, whole, "manifest.json"), b, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tr := range whole.Tracks {
		cutAfterSecond(t, pathOf(dir, whole, tr.File), pathOf(dir, whole, tr.Timing))
	}
	got, err := r.Recover(t.Context())
	if err != nil || len(got) != 1 {
		t.Fatalf("recovered %d recordings: %v", len(got), err)
	}
	m := got[0]
	if m.State != record.StateRecovered || len(m.Tracks) != 2 {
		t.Fatalf("manifest is %+v, want both tracks, recovered", m)
	}
	for _, tr := range m.Tracks {
		p := probe(t, pathOf(dir, m, tr.File))
		if p.Duration < 900*time.Millisecond || p.Duration > 2200*time.Millisecond || p.Frames < 30 {
			t.Errorf("%s: ffprobe reads %+v, want about two seconds", tr.Codec, p)
		}
	}
	if again, err := r.Recover(t.Context()); err != nil || len(again) != 0 {
		t.Errorf("a second time it recovers %d: %v", len(again), err)
	}
}

// cutAfterSecond cuts a media file in the middle of the cluster after its second one, and its timing file in the middle of that one's line.
func cutAfterSecond(t *testing.T, media, timing string) {
	t.Helper()
	b, err := os.ReadFile(timing)
	if err != nil {
		t.Fatal(err)
	}
	var kept []byte
	clusters := 0
	for line := range bytes.Lines(b) {
		var l record.Timing
		if err := json.Unmarshal(line, &l); err != nil {
			t.Fatal(err)
		}
		if l.Type == "cluster" {
			if clusters++; clusters == 3 {
				kept = append(kept, line[:len(line)/2]...)
				if err := os.Truncate(media, l.Position+(l.Bytes-l.Position)/2); err != nil {
					t.Fatal(err)
				}
				break
			}
		}
		kept = append(kept, line...)
	}
	if err := os.WriteFile(timing, kept, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(media, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	// The head as it was before the end: no size, no seek head, no duration. (Its places: behind the EBML header.)
	head := make([]byte, 256)
	if _, err := f.ReadAt(head, 0); err != nil {
		t.Fatal(err)
	}
	segment := int64(bytes.Index(head, []byte{0x18, 0x53, 0x80, 0x67})) + 12
	duration := int64(bytes.Index(head, []byte{0x44, 0x89, 0x88})) + 3
	for at, b := range map[int64][]byte{
		segment - 8: {1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
		segment:     append([]byte{0xec, 0x80 | 66}, make([]byte, 66)...),
		duration:    make([]byte, 8),
	} {
		if _, err := f.WriteAt(b, at); err != nil {
			t.Fatal(err)
		}
	}
}

// TestADiskThatStandsStillDelaysNobody makes the track's file a pipe that nobody reads, which is as slow as a disk can get.
func TestADiskThatStandsStillDelaysNobody(t *testing.T) {
	r, dir := recorder(t, func(c *record.Config) { c.QueuePackets = 16 })
	rec := start(t, r)
	track := forward.Track{ID: uuid.New(), Kind: forward.Audio, MimeType: "audio/opus", ClockRate: 48000, Channels: 2}
	pipe := filepath.Join(dir, "contoso", call.String(), rec.ID().String(), track.ID.String()+".webm")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	w := rec.Tap(who).Track(track)
	for k := range 1000 {
		w.WriteRTP(&rtp.Packet{Header: rtp.Header{SequenceNumber: uint16(k), Timestamp: uint32(k) * 960}, Payload: []byte{0xf8, 0xff, 0xfe}}, time.Now())
	}
	w.Close()
	soon, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := rec.Stop(soon); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("stop says %v, want that it had no time", err)
	}
	f, err := os.OpenFile(pipe, os.O_RDWR, 0) // the pipe is read from now on
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	_, m := stop(t, r, rec)
	if m.DroppedPackets < 1000-16-2 || m.Truncated != "write_failed" {
		t.Errorf("manifest says %d dropped, %q, want almost all of 1000, and that writing failed", m.DroppedPackets, m.Truncated)
	}
}

// TestAFullDiskIsSaid makes the track's file one on a device that is always full.
func TestAFullDiskIsSaid(t *testing.T) {
	r, dir := recorder(t, nil)
	rec := start(t, r)
	track := forward.Track{ID: uuid.New(), Kind: forward.Audio, MimeType: "audio/opus", ClockRate: 48000, Channels: 2}
	if err := os.Symlink("/dev/full", filepath.Join(dir, "contoso", call.String(), rec.ID().String(), track.ID.String()+".webm")); err != nil {
		t.Fatal(err)
	}
	w := rec.Tap(who).Track(track)
	w.WriteRTP(&rtp.Packet{Header: rtp.Header{SequenceNumber: 1}, Payload: []byte{0xf8, 0xff, 0xfe}}, time.Now())
	if err := <-rec.Failed(); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("failed with %v while it ran, want that the disk is full", err)
	}
	result, m := stop(t, r, rec)
	if m.Truncated != "write_failed" || result.Truncated != "write_failed" || m.State != record.StateFinished {
		t.Errorf("manifest is %+v, want it finished, and that writing failed", m)
	}
}

func TestMaxBytesEndsWriting(t *testing.T) {
	needs(t, "ffmpeg", "ffprobe")
	media := vp8Clip(t)
	r, dir := recorder(t, func(c *record.Config) { c.MaxBytes = 100_000 })
	rec := start(t, r)
	media.play(rec.Tap(who).Track(media.track), time.Now(), nil)
	_, m := stop(t, r, rec)
	if m.Truncated != "max_bytes" || len(m.Tracks) != 1 || m.Tracks[0].Bytes > 110_000 {
		t.Fatalf("manifest is %+v, want it cut at 100 kB", m)
	}
	if got := probe(t, pathOf(dir, m, m.Tracks[0].File)); got.Frames < 10 {
		t.Errorf("what was written reads as %+v, want it to play", got)
	}
}

func TestOnlyWhatTheManifestNamesIsHandedOut(t *testing.T) {
	r, dir := recorder(t, nil)
	rec := start(t, r)
	w := rec.Tap(who).Track(forward.Track{ID: uuid.New(), Kind: forward.Audio, MimeType: "audio/opus", ClockRate: 48000, Channels: 2})
	w.WriteRTP(&rtp.Packet{Payload: []byte{0xf8, 0xff, 0xfe}}, time.Now())
	if left := rec.Tap(who).Track(forward.Track{ID: uuid.New(), Kind: forward.Video, MimeType: "video/H265", ClockRate: 90000}); left != nil {
		t.Error("a track of a codec that can't be written was taken")
	}
	_, m := stop(t, r, rec)
	if len(m.LeftOut) != 1 || m.LeftOut[0].Codec != "video/H265" {
		t.Errorf("left out is %+v, want the H.265 track", m.LeftOut)
	}
	if err := os.WriteFile(filepath.Join(dir, "secret"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, org, file string
		id              uuid.UUID
		ok              bool
	}{
		{"the media", "contoso", m.Tracks[0].File, rec.ID(), true},
		{"the timing", "contoso", m.Tracks[0].Timing, rec.ID(), true},
		{"the manifest", "contoso", "manifest.json", rec.ID(), true},
		{"another organisation's", "fabrikam", m.Tracks[0].File, rec.ID(), false},
		{"another recording's", "contoso", m.Tracks[0].File, uuid.New(), false},
		{"a way out", "contoso", "../../../secret", rec.ID(), false},
		{"an organisation that is a way out", "..", m.Tracks[0].File, rec.ID(), false},
		{"no name", "contoso", "", rec.ID(), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, err := r.Open(c.org, call, c.id, c.file)
			if c.ok {
				if err != nil {
					t.Fatal(err)
				}
				f.Close()
				return
			}
			if !errors.Is(err, record.ErrNotFound) {
				t.Errorf("open says %v, want ErrNotFound", err)
			}
		})
	}
	list, err := r.List("contoso", call)
	if err != nil || len(list) != 1 || cmp.Diff(m, list[0]) != "" {
		t.Errorf("list has %+v (%v), want the one", list, err)
	}
}

func TestRecordingWithoutADirectory(t *testing.T) {
	r, err := record.New(record.DefaultConfig(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Start(t.Context(), call, "contoso", "eu"); !errors.Is(err, record.ErrNotConfigured) {
		t.Errorf("start says %v, want ErrNotConfigured", err)
	}
}
