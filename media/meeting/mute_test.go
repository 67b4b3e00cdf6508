package meeting

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/pion/webrtc/v4"

	"github.com/anteroom/anteroom/media/forward"
	"github.com/anteroom/anteroom/media/protocol"
	"github.com/anteroom/anteroom/policy"
)

// listening is a meeting with sockets, outside a bubble.
func listening(t *testing.T) *kit {
	t.Helper()
	server, err := forward.New(forward.Config{Listen: []string{"127.0.0.1"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Listen(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	k := &kit{t: t, notes: &notes{}, facts: facts()}
	k.deps = Deps{Decider: engine(t, policy.Limits{}), Recorder: k.notes, Forward: server}
	if k.m, err = Start(t.Context(), Config{}, k.facts, k.deps); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		k.m.End(t.Context(), EndedByUser)
		<-k.m.Done()
	})
	return k
}

func (k *kit) comes(id string) *Member {
	k.t.Helper()
	mb, _, err := k.m.Join(k.t.Context(), orgUser(id), &screen{})
	if err != nil {
		k.t.Fatal(err)
	}
	mb.Ready()
	return mb
}

func handle(t *testing.T, mb *Member, typ string, body any) any {
	t.Helper()
	raw, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	reply, err := mb.Handle(t.Context(), typ, raw)
	if err != nil {
		t.Fatalf("%s: %v", typ, err)
	}
	return reply
}

// speaker is a client's publishing connection with two microphones and a camera.
type speaker struct {
	*testing.T
	*webrtc.PeerConnection
	mb *Member
}

func newSpeaker(t *testing.T, mb *Member) speaker {
	t.Helper()
	pc, err := webrtc.NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pc.Close() })
	for _, kind := range []webrtc.RTPCodecType{webrtc.RTPCodecTypeAudio, webrtc.RTPCodecTypeAudio, webrtc.RTPCodecTypeVideo} {
		if _, err := pc.AddTransceiverFromKind(kind, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly}); err != nil {
			t.Fatal(err)
		}
	}
	return speaker{t, pc, mb}
}

// offers publishes all sections and names those of tracks.
func (s speaker) offers(tracks ...protocol.TrackIntent) map[string]string {
	s.Helper()
	offer, err := s.CreateOffer(nil)
	if err != nil {
		s.Fatal(err)
	}
	if err := s.SetLocalDescription(offer); err != nil {
		s.Fatal(err)
	}
	out := handle(s.T, s.mb, protocol.TypePublish, protocol.Publish{SDP: offer.SDP, Tracks: tracks}).(protocol.Published)
	if err := s.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: out.SDP}); err != nil {
		s.Fatal(err)
	}
	return out.Tracks
}

// Whatever a client names in its later offers, mute reaches all the sound that it sends, and the client can set each of its tracks.
func TestMuteReachesWhatWasNotNamedAgain(t *testing.T) {
	k := listening(t)
	u, g := k.comes("uma"), k.comes("vera")
	s := newSpeaker(t, g)
	all := []protocol.TrackIntent{{Mid: "0", Kind: "audio"}, {Mid: "1", Kind: "audio"}, {Mid: "2", Kind: "video"}}
	first := s.offers(all...)
	if len(first) != 3 {
		t.Fatalf("published %v", first)
	}
	for name, again := range map[string][]protocol.TrackIntent{"none": nil, "one": all[:1], "video": all[2:]} {
		if diff := cmp.Diff(first, s.offers(again...)); diff != "" {
			t.Errorf("%s named again: %s", name, diff)
		}
		handle(t, u, protocol.TypeMute, protocol.Mute{ParticipantID: g.ID().String()})
		for _, track := range g.sent() {
			if track.Muted != (track.Kind == forward.Audio) {
				t.Errorf("%s named again: %s has muted %v", name, track.Kind, track.Muted)
			}
			handle(t, g, protocol.TypeSetTrack, protocol.SetTrack{TrackID: track.ID.String()})
		}
		if n := len(g.sent()); n != 3 {
			t.Errorf("%s named again: %d tracks", name, n)
		}
	}
	raw, _ := json.Marshal(protocol.SetTrack{TrackID: uuid.NewString(), Muted: true})
	if _, err := g.Handle(t.Context(), protocol.TypeSetTrack, raw); reasonOf(err) != protocol.ReasonNotFound {
		t.Errorf("a track of nobody: %v", err)
	}
}
