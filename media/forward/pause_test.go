package forward

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/pion/webrtc/v4"
)

// sends makes the member's only section send or not, and offers.
func (m *member) sends(sends bool) map[Kind]uuid.UUID {
	m.t.Helper()
	offer, err := m.pub.CreateOffer(nil)
	if err != nil {
		m.t.Fatal(err)
	}
	if err := m.pub.SetLocalDescription(offer); err != nil {
		m.t.Fatal(err)
	}
	text := m.pub.LocalDescription().SDP
	intents := []Intent{{Mid: m.pub.GetTransceivers()[0].Mid(), Kind: Video}}
	if !sends {
		text, intents = strings.Replace(text, "a=sendonly", "a=inactive", 1), nil
	}
	answer, ids, err := m.peer.Publish(m.t.Context(), text, intents)
	if err != nil {
		m.t.Fatal(err)
	}
	if !sends {
		if strings.Contains(answer, "a=recvonly") || !strings.Contains(answer, "a=inactive") {
			m.t.Errorf("an inactive section is not answered as inactive:\n%s", answer)
		}
		// The client goes on as it was, and what it sends meanwhile must reach nobody.
		answer = strings.Replace(answer, "a=inactive", "a=recvonly", 1)
	}
	if err := m.pub.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer}); err != nil {
		m.t.Fatal(err)
	}
	of := map[Kind]uuid.UUID{}
	for _, id := range ids {
		of[Video] = id
	}
	return of
}

// Browsers name the layer in the first packets only: a section that stops and sends again goes on with packets that name none.
func TestSimulcastSectionSendsAgain(t *testing.T) {
	room, _ := newTestRoom(t, nil)
	a, b := join(t, room, clientOptions{}), join(t, room, clientOptions{})
	id, frame := simulcast(t, a)
	stop := frames(t, frame, true)
	b.until("video", func() bool { return b.flowing(20) == 1 })
	stop()
	if ids := a.sends(false); len(ids) != 0 {
		t.Errorf("tracks %v of a section that does not send", ids)
	}
	a.until("its end", func() bool { return cmp.Equal(a.ended, []string{"video unpublished"}) })
	b.until("an offer without it", func() bool { return len(b.mids) == 0 })
	stop = frames(t, frame, false)
	b.mu.Lock()
	before := len(b.received[id].packets)
	b.mu.Unlock()
	time.Sleep(200 * time.Millisecond)
	b.mu.Lock()
	if n := len(b.received[id].packets); n > before+1 {
		t.Errorf("%d packets came of a section that does not send", n-before)
	}
	b.mu.Unlock()
	again := a.sends(true)[Video]
	if again == id || again == uuid.Nil {
		t.Fatalf("track %v after %v, want another", again, id)
	}
	b.until("video again", func() bool { r := b.received[again]; return r != nil && len(r.packets) > 20 })
	stop()
}
