package record_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/pion/rtp/codecs"

	"github.com/anteroom/anteroom/media/forward"
	"github.com/anteroom/anteroom/media/record"
)

// simulcastClip begins with a second of small pictures and goes on with three of large ones, another layer's.
func simulcastClip(t *testing.T) clip {
	t.Helper()
	var all clip
	for i, c := range []struct {
		size    string
		seconds int
	}{{"320x180", 1}, {"1280x720", 3}} {
		path := ffmpeg(t, "v.ivf", "-f", "lavfi", "-i", fmt.Sprintf("testsrc2=size=%s:rate=30:duration=%d", c.size, c.seconds),
			"-pix_fmt", "yuv420p", "-g", "30", "-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8", "-b:v", "500k")
		one := pack("video/VP8", 90000, &codecs.VP8Payloader{EnablePictureID: true}, readIVF(t, path))
		for _, p := range one.packets {
			p.SSRC += uint32(i)
			if i > 0 {
				p.Timestamp += 90000
			}
		}
		all.track = one.track
		all.packets = append(all.packets, one.packets...)
	}
	all.track.ID, all.track.Kind = uuid.New(), forward.Video
	return all
}

// What begins small is announced in the size that most of it has, whether the recording ended well or its process was killed.
func TestSizeIsThatOfTheLargestPictures(t *testing.T) {
	needs(t, "ffmpeg", "ffprobe")
	media := simulcastClip(t)
	r, dir := recorder(t, nil)
	rec := start(t, r)
	w := rec.Tap(who).Track(media.track)
	media.play(w, time.Now(), nil)
	w.Close()
	_, m := stop(t, r, rec)
	if len(m.Tracks) != 1 {
		t.Fatalf("manifest is %+v, want one track", m)
	}
	tr := m.Tracks[0]
	if tr.Width != 1280 || tr.Height != 720 {
		t.Errorf("the manifest says %dx%d, want 1280x720", tr.Width, tr.Height)
	}
	if got := probe(t, pathOf(dir, m, tr.File)); got.Width != 1280 || got.Height != 720 || got.Frames != 120 {
		t.Errorf("ffprobe reads %+v, want 120 frames of 1280x720", got)
	}

	// A kill leaves the head as it was at the beginning.
	killed := m
	killed.State, killed.Tracks, killed.DurationMs = record.StateRecording, nil, 0
	b, err := json.Marshal(killed)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(pathOf(dir, m, "manifest.json"), b, 0o600); err != nil {
		t.Fatal(err)
	}
	path := pathOf(dir, m, tr.File)
	cutAfterSecond(t, path, pathOf(dir, m, tr.Timing))
	if b, err = os.ReadFile(path); err != nil {
		t.Fatal(err)
	}
	large, small := []byte{0xb0, 0x84, 0, 0, 5, 0, 0xba, 0x84, 0, 0, 2, 0xd0}, []byte{0xb0, 0x84, 0, 0, 1, 0x40, 0xba, 0x84, 0, 0, 0, 0xb4}
	if bytes.Count(b[:512], large) != 1 {
		t.Fatal("the head has no size of 1280x720")
	}
	if err := os.WriteFile(path, bytes.Replace(b, large, small, 1), 0o600); err != nil {
		t.Fatal(err)
	}
	recovered, err := r.Recover(t.Context())
	if err != nil || len(recovered) != 1 || len(recovered[0].Tracks) != 1 {
		t.Fatalf("recovered %+v: %v", recovered, err)
	}
	if tr := recovered[0].Tracks[0]; tr.Width != 1280 || tr.Height != 720 {
		t.Errorf("the recovered manifest says %dx%d, want 1280x720", tr.Width, tr.Height)
	}
	if got := probe(t, path); got.Width != 1280 || got.Height != 720 {
		t.Errorf("ffprobe reads %+v of the recovered file, want 1280x720", got)
	}
}
