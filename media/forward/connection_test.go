package forward

import (
	"errors"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"
)

func TestPublishRefusesWhatCantWork(t *testing.T) {
	room, _ := newTestRoom(t, func(c *Config) { c.MaxTracks = 1 })
	a := join(t, room, clientOptions{})
	good := "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\na=sendonly\r\na=rtpmap:111 opus/48000/2\r\n"
	for _, c := range []struct {
		name, sdp string
		intents   []Intent
		want      error
	}{
		{"nothing", "", nil, ErrInvalidSDP},
		{"no SDP", "hello", nil, ErrInvalidSDP},
		{"too long", strings.Repeat("a", 300<<10), nil, ErrInvalidSDP},
		{"no section", "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n", nil, ErrInvalidSDP},
		{"no ICE, no fingerprint", good, nil, ErrInvalidSDP},
		{"data channel", strings.Replace(good, "m=audio", "m=application", 1), nil, ErrInvalidSDP},
		{"no mid", strings.Replace(good, "a=mid:0\r\n", "", 1), nil, ErrInvalidSDP},
		{"unknown mid", good, []Intent{{Mid: "7", Kind: Audio}}, ErrInvalidSDP},
		{"wrong kind", good, []Intent{{Mid: "0", Kind: Video}}, ErrInvalidSDP},
		{"unknown kind", good, []Intent{{Mid: "0", Kind: "smell"}}, ErrInvalidSDP},
		{"twice", good, []Intent{{Mid: "0", Kind: Audio}, {Mid: "0", Kind: Audio}}, ErrInvalidSDP},
		{"too many sections", good + strings.Repeat("m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:x\r\n", 100), nil, ErrTooManyTracks},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, _, err := a.peer.Publish(t.Context(), c.sdp, c.intents); !errors.Is(err, c.want) {
				t.Errorf("error %v, want %v", err, c.want)
			}
		})
	}
	if err := a.peer.AddCandidate(PublishSide, Candidate{Candidate: "nonsense"}); err != nil {
		t.Errorf("a candidate before the offer is kept: %v", err)
	}
	if err := a.peer.Answer(t.Context(), 1, "nonsense"); !errors.Is(err, ErrInvalidSDP) {
		t.Errorf("answer error %v, want %v", err, ErrInvalidSDP)
	}
	// All of that leaves the member able to publish, up to its limit.
	pc, err := a.api.NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		t.Fatal(err)
	}
	a.pub = pc
	of := map[*webrtc.RTPTransceiver]Kind{}
	one, err := pc.AddTransceiverFromTrack(newLocal(t, webrtc.MimeTypeOpus), webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
	if err != nil {
		t.Fatal(err)
	}
	of[one] = Audio
	if _, err := a.offer(of); err != nil {
		t.Error(err)
	}
	two, err := pc.AddTransceiverFromTrack(newLocal(t, webrtc.MimeTypeVP8), webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
	if err != nil {
		t.Fatal(err)
	}
	of[two] = Video
	if _, err := a.offer(of); !errors.Is(err, ErrTooManyTracks) {
		t.Errorf("error %v, want %v", err, ErrTooManyTracks)
	}
}

func TestNothingIsLeftBehind(t *testing.T) {
	server := newServer(t, nil)
	before := runtime.NumGoroutine()
	const rooms, peers = 5, 4
	for round := range rooms {
		room := server.NewRoom(&roomEvents{})
		var members []*member
		sources := map[*source]bool{}
		for range peers {
			m := join(t, room, clientOptions{})
			audio := newLocal(t, webrtc.MimeTypeOpus)
			m.publish(map[Kind]*webrtc.TrackLocalStaticRTP{Audio: audio})
			sources[&source{track: audio}] = true
			members = append(members, m)
		}
		stop := play(t, sources)
		if round%2 == 0 {
			for _, m := range members {
				m.until("the others", func() bool { return m.flowing(3) == peers-1 })
			}
		}
		stop()
		members[0].close()
		room.Close()
		for _, m := range members {
			m.close()
			if _, _, err := m.peer.Publish(t.Context(), "", nil); !errors.Is(err, errClosed) {
				t.Errorf("publish after close: %v", err)
			}
		}
	}
	deadline := time.Now().Add(patience)
	for runtime.NumGoroutine() > before+2 && time.Now().Before(deadline) {
		time.Sleep(50 * time.Millisecond)
	}
	if n := runtime.NumGoroutine(); n > before+2 {
		stacks := make([]byte, 1<<20)
		t.Errorf("%d goroutines, %d before:\n%s", n, before, stacks[:runtime.Stack(stacks, true)])
	}
}

func TestClientWithoutUDPUsesTCP(t *testing.T) {
	room, _ := newTestRoom(t, nil)
	a, b := join(t, room, clientOptions{tcp: true}), join(t, room, clientOptions{tcp: true})
	video := newLocal(t, webrtc.MimeTypeVP8)
	a.publish(map[Kind]*webrtc.TrackLocalStaticRTP{Video: video})
	play(t, map[*source]bool{{track: video}: false})
	b.until("video over TCP", func() bool { return b.flowing(30) == 1 })
}

func TestConnectionThatTheClientClosedIsTold(t *testing.T) {
	room, _ := newTestRoom(t, nil)
	a := join(t, room, clientOptions{})
	audio := newLocal(t, webrtc.MimeTypeOpus)
	a.publish(map[Kind]*webrtc.TrackLocalStaticRTP{Audio: audio})
	stop := play(t, map[*source]bool{{track: audio}: true})
	a.until("the connection", func() bool { return a.states[PublishSide] == "connected" && len(a.started) == 1 })
	stop()
	if err := a.pub.GracefulClose(); err != nil {
		t.Fatal(err)
	}
	a.until("its end", func() bool { return a.states[PublishSide] == "failed" })
	// The same member, loaded again.
	a.pub = nil
	again := newLocal(t, webrtc.MimeTypeOpus)
	a.publish(map[Kind]*webrtc.TrackLocalStaticRTP{Audio: again})
	play(t, map[*source]bool{{track: again}: true})
	a.until("media again", func() bool { return len(a.started) == 2 && slices.Contains(a.ended, "audio unpublished") })
}
