package main

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
	"github.com/pion/webrtc/v4/pkg/media"
	"github.com/pion/webrtc/v4/pkg/media/ivfreader"
	"github.com/pion/webrtc/v4/pkg/media/oggreader"

	mediaclient "github.com/anteroom/anteroom/media/client"
	"github.com/anteroom/anteroom/media/protocol"
)

// Real media: films that an encoder made, played into a meeting frame by frame, so that each frame of a file can be told to be one of them.

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

// ffmpeg makes a file in a folder of the test's own.
func ffmpeg(t *testing.T, name string, args ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	out, err := exec.CommandContext(t.Context(), "ffmpeg", append(append([]string{"-v", "error", "-threads", "1"}, args...), path)...).CombinedOutput()
	if err != nil || len(out) > 0 {
		t.Fatalf("ffmpeg %v: %v\n%s", args, err, out)
	}
	return path
}

// reel is the one medium of a film.
type reel struct {
	kind, mime string
	frames     [][]byte
	every      time.Duration
	index      map[[32]byte]int // of a frame, by its sum

	mu   sync.Mutex
	sent int             // guarded by mu: how many frames are on their way
	seen map[string]bool // guarded by mu: ends of packets that somebody got
}

// tail is what a frame's last packet ends with, whatever stands before it.
func tail(b []byte) string { return string(b[max(0, len(b)-12):]) }

// newFilm makes 30 s of noise and of a moving picture that no other film has.
func newFilm(t *testing.T, seed int) (sound, picture *reel) {
	t.Helper()
	noise := ffmpeg(t, "a.ogg", "-f", "lavfi", "-i", fmt.Sprintf("anoisesrc=seed=%d:duration=30", seed), "-ac", "2", "-c:a", "libopus",
		"-frame_duration", "20", "-page_duration", "20000")
	moving := ffmpeg(t, "v.ivf", "-f", "lavfi", "-i", fmt.Sprintf("testsrc2=size=160x120:rate=15:duration=30,hue=h=%d", 60*seed), "-pix_fmt", "yuv420p",
		"-g", "8", "-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8", "-b:v", "150k")
	sound = &reel{kind: mediaclient.Audio, mime: webrtc.MimeTypeOpus, every: 20 * time.Millisecond, frames: readOgg(t, noise)}
	picture = &reel{kind: mediaclient.Video, mime: webrtc.MimeTypeVP8, every: time.Second / 15, frames: readIVF(t, moving)}
	for _, r := range []*reel{sound, picture} {
		r.index, r.seen = map[[32]byte]int{}, map[string]bool{}
		for i, frame := range r.frames {
			r.index[sha256.Sum256(frame)] = i
		}
		if len(r.index) != len(r.frames) || len(r.frames) < 400 {
			t.Fatalf("%d frames of %s, %d different ones", len(r.frames), r.kind, len(r.index))
		}
	}
	return sound, picture
}

func readIVF(t *testing.T, path string) [][]byte {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	r, _, err := ivfreader.NewWith(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	return readFrames(t, func() ([]byte, error) {
		frame, _, err := r.ParseNextFrame()
		return frame, err
	})
}

// readOgg reads a file with one packet a page.
func readOgg(t *testing.T, path string) [][]byte {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	r, _, err := oggreader.NewWith(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	frames := readFrames(t, func() ([]byte, error) {
		frame, _, err := r.ParseNextPage()
		return frame, err
	})
	return frames[1:] // The first is the comment.
}

func readFrames(t *testing.T, next func() ([]byte, error)) (out [][]byte) {
	t.Helper()
	for {
		frame, err := next()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, frame)
	}
}

// actor is somebody who plays a film to the meeting.
type actor struct {
	*person
	sound, picture *reel
	tracks         map[string]*reel // by the server's track id
	pc             *webrtc.PeerConnection
}

// watches is what somebody does to note which frames of others' reels have come.
func watches(reels ...*reel) mediaclient.Options {
	return mediaclient.Options{OnPacket: func(_ string, p *rtp.Packet) {
		for _, r := range reels {
			r.mu.Lock()
			r.seen[tail(p.Payload)] = true
			r.mu.Unlock()
		}
	}}
}

// arrived is the last frame that is known to have come to somebody; -1: none.
func (r *reel) arrived() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := r.sent - 1; i >= 0; i-- {
		if r.seen[tail(r.frames[i])] {
			return i
		}
	}
	return -1
}

// awaitArrived waits until so many frames were sent and one of the last came to somebody, and returns which. The server has handled all before it.
func (r *reel) awaitArrived(t *testing.T, n int) (last int) {
	t.Helper()
	eventually(t, fmt.Sprintf("%d frames of %s come", n, r.kind), func() (bool, string) {
		last = r.arrived()
		return last >= n, fmt.Sprint(last)
	})
	return last
}

// play publishes the film over a connection of its own, until the test ends.
func (p *person) play(sound, picture *reel) *actor {
	p.t.Helper()
	settings := webrtc.SettingEngine{}
	settings.SetIncludeLoopbackCandidate(true)
	pc, err := webrtc.NewAPI(webrtc.WithSettingEngine(settings)).NewPeerConnection(webrtc.Configuration{BundlePolicy: webrtc.BundlePolicyMaxBundle})
	p.do(err)
	a := &actor{person: p, sound: sound, picture: picture, tracks: map[string]*reel{}, pc: pc}
	connected, end := make(chan struct{}), make(chan struct{})
	once, running := sync.Once{}, sync.WaitGroup{}
	pc.OnConnectionStateChange(func(s webrtc.PeerConnectionState) {
		if s == webrtc.PeerConnectionStateConnected {
			once.Do(func() { close(connected) })
		}
	})
	p.t.Cleanup(func() {
		close(end)
		running.Wait()
		_ = pc.GracefulClose()
	})
	reels := []*reel{sound, picture}
	locals := make([]*webrtc.TrackLocalStaticSample, len(reels))
	senders := make([]*webrtc.RTPTransceiver, len(reels))
	for i, r := range reels {
		locals[i], err = webrtc.NewTrackLocalStaticSample(webrtc.RTPCodecCapability{MimeType: r.mime}, r.kind, "film")
		p.do(err)
		senders[i], err = pc.AddTransceiverFromTrack(locals[i], webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
		p.do(err)
	}
	offer, err := pc.CreateOffer(nil)
	p.do(err)
	gathered := webrtc.GatheringCompletePromise(pc)
	p.do(pc.SetLocalDescription(offer))
	<-gathered
	request := protocol.Publish{SDP: pc.LocalDescription().SDP}
	for i, r := range reels {
		request.Tracks = append(request.Tracks, protocol.TrackIntent{Mid: senders[i].Mid(), Kind: r.kind})
	}
	var published protocol.Published
	p.do(p.Request(p.soon(), protocol.TypePublish, request, &published))
	p.do(pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: published.SDP}))
	for i, r := range reels {
		a.tracks[published.Tracks[senders[i].Mid()]] = r
		running.Go(func() {
			select {
			case <-connected:
				r.roll(locals[i], end)
			case <-end:
			}
		})
	}
	// The server's candidates, those that came with the answer and those to come.
	running.Go(func() {
		for i := 0; ; {
			p.mu.Lock()
			seen := p.seen[i:]
			i = len(p.seen)
			p.mu.Unlock()
			for _, e := range seen {
				var c protocol.Candidate
				if e.Type == protocol.TypeCandidate && e.Decode(&c) == nil && c.Peer == "publish" {
					_ = pc.AddICECandidate(webrtc.ICECandidateInit{Candidate: c.Candidate, SDPMid: c.SDPMid, SDPMLineIndex: c.SDPMLineIndex})
				}
			}
			select {
			case <-time.After(50 * time.Millisecond):
			case <-connected:
				return
			case <-end:
				return
			}
		}
	})
	return a
}

// roll sends frames at their times.
func (r *reel) roll(to *webrtc.TrackLocalStaticSample, end <-chan struct{}) {
	ticker := time.NewTicker(r.every)
	defer ticker.Stop()
	for _, frame := range r.frames {
		r.mu.Lock()
		r.sent++
		r.mu.Unlock()
		if to.WriteSample(media.Sample{Data: frame, Duration: r.every}) != nil {
			return
		}
		select {
		case <-ticker.C:
		case <-end:
			return
		}
	}
}
