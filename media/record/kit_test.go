package record_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/pion/rtp"
	"github.com/pion/rtp/codecs"
	"github.com/pion/webrtc/v4/pkg/media/h264reader"
	"github.com/pion/webrtc/v4/pkg/media/ivfreader"
	"github.com/pion/webrtc/v4/pkg/media/oggreader"

	"github.com/anteroom/anteroom/media/forward"
	"github.com/anteroom/anteroom/media/record"
)

var (
	call = uuid.MustParse("6f6c1d5e-0000-4000-8000-000000000001")
	who  = uuid.MustParse("6f6c1d5e-0000-4000-8000-000000000002")
)

// needs skips the test where a tool is missing, but not in CI.
func needs(t *testing.T, tools ...string) {
	t.Helper()
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatalf("%s is missing: %v", tool, err)
			}
			t.Skipf("%s is missing", tool)
		}
	}
}

func ffmpeg(t *testing.T, out string, args ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), out)
	args = append(append([]string{"-v", "error", "-threads", "1"}, args...), path)
	if b, err := exec.CommandContext(t.Context(), "ffmpeg", args...).CombinedOutput(); err != nil {
		t.Fatalf("ffmpeg %v: %v\n%s", args, err, b)
	}
	return path
}

func picture(codec ...string) []string {
	return append([]string{"-f", "lavfi", "-i", "testsrc2=size=320x240:rate=30:duration=3", "-pix_fmt", "yuv420p", "-g", "30"}, codec...)
}

// unit is one frame and how long it lasts in clock units.
type unit struct {
	data  []byte
	units uint32
}

func readIVF(t *testing.T, path string) (out []unit) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, _, err := ivfreader.NewWith(f)
	if err != nil {
		t.Fatal(err)
	}
	for {
		data, _, err := r.ParseNextFrame()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, unit{data, 3000})
	}
}

func readOgg(t *testing.T, path string) (out []unit) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	r, _, err := oggreader.NewWith(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	for {
		data, _, err := r.ParseNextPage()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.HasPrefix(data, []byte("OpusTags")) {
			out = append(out, unit{data, 960})
		}
	}
}

func readH264(t *testing.T, path string) (out []unit) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	r, err := h264reader.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	var frame []byte
	for {
		nal, err := r.NextNAL()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		frame = append(append(frame, 0, 0, 0, 1), nal.Data...)
		if nal.UnitType == h264reader.NalUnitTypeCodedSliceIdr || nal.UnitType == h264reader.NalUnitTypeCodedSliceNonIdr {
			out = append(out, unit{frame, 3000})
			frame = nil
		}
	}
}

// clip is real media as packets, from a sequence number and a timestamp that are about to wrap.
type clip struct {
	track   forward.Track
	packets []*rtp.Packet
}

func pack(mime string, rate uint32, p rtp.Payloader, frames []unit) clip {
	kind := forward.Video
	if rate == 48000 {
		kind = forward.Audio
	}
	c := clip{track: forward.Track{ID: uuid.New(), Owner: who, Kind: kind, MimeType: mime, ClockRate: rate, Channels: 2}}
	seq, ts := uint16(65500), -rate
	for _, f := range frames {
		parts := p.Payload(1100, f.data)
		for k, part := range parts {
			c.packets = append(c.packets, &rtp.Packet{
				Header:  rtp.Header{Version: 2, SSRC: 7, SequenceNumber: seq, Timestamp: ts, Marker: k == len(parts)-1},
				Payload: part,
			})
			seq++
		}
		ts += f.units
	}
	return c
}

func opusClip(t *testing.T) clip {
	t.Helper()
	path := ffmpeg(t, "a.ogg", "-f", "lavfi", "-i", "sine=frequency=440:duration=3", "-ac", "2", "-c:a", "libopus", "-frame_duration", "20", "-page_duration", "20000")
	return pack("audio/opus", 48000, &codecs.OpusPayloader{}, readOgg(t, path))
}

func vp8Clip(t *testing.T) clip {
	t.Helper()
	path := ffmpeg(t, "v.ivf", picture("-c:v", "libvpx", "-deadline", "realtime", "-b:v", "500k")...)
	return pack("video/VP8", 90000, &codecs.VP8Payloader{EnablePictureID: true}, readIVF(t, path))
}

// play hands packets over as the media path would, with arrival times that follow the timestamps.
func (c clip) play(w forward.PacketWriter, began time.Time, skip func(int) bool) {
	for k, p := range c.packets {
		if skip != nil && skip(k) {
			continue
		}
		w.WriteRTP(p, began.Add(c.offset(k)))
	}
}

func (c clip) offset(k int) time.Duration {
	return time.Duration(c.packets[k].Timestamp-c.packets[0].Timestamp) * time.Second / time.Duration(c.track.ClockRate)
}

func recorder(t *testing.T, change func(*record.Config)) (*record.Recorder, string) {
	t.Helper()
	cfg := record.DefaultConfig()
	cfg.Dir = t.TempDir()
	if change != nil {
		change(&cfg)
	}
	r, err := record.New(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := r.Close(ctx); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return r, cfg.Dir
}

func start(t *testing.T, r *record.Recorder) *record.Recording {
	t.Helper()
	rec, err := r.Start(t.Context(), call, "contoso", "eu")
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

func stop(t *testing.T, r *record.Recorder, rec *record.Recording) (record.Result, record.Manifest) {
	t.Helper()
	result, err := rec.Stop(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	m, err := r.Manifest("contoso", call, rec.ID())
	if err != nil {
		t.Fatal(err)
	}
	return result, m
}

// probed is what ffprobe reads of a file, all frames decoded.
type probed struct {
	Codec         string
	Width, Height int
	Frames        int
	Duration      time.Duration
}

func probe(t *testing.T, path string) probed {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "ffprobe", "-v", "error", "-count_frames", "-show_streams", "-show_format", "-of", "json", path)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil || stderr.Len() > 0 {
		t.Fatalf("ffprobe: %v\n%s", err, &stderr)
	}
	var v struct {
		Streams []struct {
			Codec  string `json:"codec_name"`
			Width  int    `json:"width"`
			Height int    `json:"height"`
			Frames string `json:"nb_read_frames"`
		} `json:"streams"`
		Format struct {
			Duration string `json:"duration"`
		} `json:"format"`
	}
	if err := json.Unmarshal(stdout.Bytes(), &v); err != nil || len(v.Streams) != 1 {
		t.Fatalf("ffprobe says %s (%v)", &stdout, err)
	}
	frames, _ := strconv.Atoi(v.Streams[0].Frames)
	seconds, _ := strconv.ParseFloat(v.Format.Duration, 64)
	return probed{
		Codec: v.Streams[0].Codec, Width: v.Streams[0].Width, Height: v.Streams[0].Height, Frames: frames,
		Duration: time.Duration(seconds * float64(time.Second)).Round(time.Millisecond),
	}
}

func pathOf(dir string, m record.Manifest, file string) string {
	return filepath.Join(dir, m.Organization, m.CallID.String(), m.RecordingID.String(), file)
}
