package forward

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pion/webrtc/v4"
)

// A capability that is withdrawn between its check and the track's begin stops the track all the same.
func TestTrackThatBeginsAsItIsWithdrawnStops(t *testing.T) {
	room, _ := newTestRoom(t, nil)
	a := join(t, room, clientOptions{})
	s := &section{publisher: a.peer.pub, mid: "0", audio: true}
	a.peer.pub.mu.Lock()
	a.peer.pub.sections[s.mid] = s
	a.peer.pub.mu.Unlock()
	intent := Intent{Mid: s.mid, Kind: Audio}
	permitted := a.peer.pub.begin(s, intent)
	if permitted == nil || len(a.peer.Tracks()) != 1 {
		t.Fatal("a track that is allowed does not begin")
	}
	a.peer.endTrack(permitted, "unpublished")
	a.peer.AllowSend(false, true, true)
	withdrawn := a.peer.pub.begin(s, intent)
	if withdrawn != nil || s.track.Load() != nil || len(a.peer.Tracks()) != 0 {
		t.Errorf("a withdrawn track goes on: %v, %v", withdrawn, a.peer.Tracks())
	}
	a.until("its end", func() bool { return cmp.Equal(a.ended, []string{"audio unpublished", "audio stopped"}) })
}

// Candidates that come after a side was closed are of no use, and do no harm.
func TestCandidateAfterTheEnd(t *testing.T) {
	room, _ := newTestRoom(t, nil)
	a, b := join(t, room, clientOptions{}), join(t, room, clientOptions{})
	audio := newLocal(t, webrtc.MimeTypeOpus)
	a.publish(map[Kind]*webrtc.TrackLocalStaticRTP{Audio: audio})
	play(t, map[*source]bool{{track: audio}: true})
	b.until("audio", func() bool { return b.flowing(3) == 1 })
	init := webrtc.ICECandidateInit{Candidate: "candidate:1 1 udp 1 127.0.0.1 40000 typ host"}
	a.peer.pub.close("closed")
	if err := a.peer.pub.candidate(init); err != nil {
		t.Error(err)
	}
	b.peer.sub.close()
	if err := b.peer.sub.candidate(init); err != nil {
		t.Error(err)
	}
}
