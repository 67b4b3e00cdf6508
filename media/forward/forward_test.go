package forward

import (
	"testing"

	"github.com/pion/webrtc/v4"
)

func TestMediaFlowsBothWays(t *testing.T) {
	server := newServer(t, nil)
	room := server.NewRoom(&roomEvents{})
	t.Cleanup(room.Close)
	a, b := join(t, room, clientOptions{}), join(t, room, clientOptions{})
	sources := map[*source]bool{}
	for _, m := range []*member{a, b} {
		audio, video := newLocal(t, webrtc.MimeTypeOpus), newLocal(t, webrtc.MimeTypeVP8)
		tracks := m.publish(map[Kind]*webrtc.TrackLocalStaticRTP{Audio: audio, Video: video})
		if len(tracks) != 2 {
			t.Fatalf("tracks %v, want audio and video", tracks)
		}
		sources[&source{track: audio}], sources[&source{track: video}] = true, false
	}
	play(t, sources)
	for _, m := range []*member{a, b} {
		m.until("50 packets of audio and of video", func() bool {
			n := 0
			for _, r := range m.received {
				if len(r.packets) >= 50 {
					n++
				}
			}
			return n == 2
		})
		for _, r := range m.received {
			wantContinuous(t, r)
		}
	}
}

// wantContinuous fails unless sequence numbers have no gap.
func wantContinuous(t *testing.T, r *received) {
	t.Helper()
	for i := 1; i < len(r.packets); i++ {
		if got, want := r.packets[i].SequenceNumber, r.packets[i-1].SequenceNumber+1; got != want {
			t.Errorf("packet %d has sequence number %d, want %d", i, got, want)
			return
		}
	}
}
