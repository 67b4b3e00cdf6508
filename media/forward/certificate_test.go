package forward

import (
	"testing"

	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"
)

// offered has the member offered its subscribing connection anew without its answer, and gives the key that the server has for it.
func (m *member) offered() string {
	m.t.Helper()
	m.mu.Lock()
	m.silent = true
	before := m.offers
	m.mu.Unlock()
	m.peer.Offer()
	m.until("an offer", func() bool { return m.offers > before })
	return m.key()
}

// key is the fingerprint of the server's key in the newest offer.
func (m *member) key() string {
	m.t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	var description sdp.SessionDescription
	if err := description.UnmarshalString(m.text); err != nil {
		m.t.Fatal(err)
	}
	return fingerprintOf(&description)
}

// A client that shows another key than before gets a connection with another key of the server's, and nobody else does.
func TestAnotherKeyOfAClientChangesNobodyElses(t *testing.T) {
	room, _ := newTestRoom(t, nil)
	a, b, c := join(t, room, clientOptions{}), join(t, room, clientOptions{}), join(t, room, clientOptions{})
	audio := newLocal(t, webrtc.MimeTypeOpus)
	a.publish(map[Kind]*webrtc.TrackLocalStaticRTP{Audio: audio})
	play(t, map[*source]bool{{track: audio}: true})
	for _, m := range []*member{b, c} {
		m.until("audio", func() bool { return m.flowing(10) == 1 })
	}
	keyB, keyC := b.key(), c.key()
	if keyB == "" || keyC == "" || keyB == keyC {
		t.Fatalf("keys %q and %q, want one for each connection", keyB, keyC)
	}
	if again := b.offered(); again != keyB {
		t.Errorf("the same connection is offered with another key")
	}
	// b has lost its connection: it answers with another.
	b.mu.Lock()
	old, offers, version, text := b.sub, b.offers, b.version, b.text
	b.sub = nil
	b.mu.Unlock()
	t.Cleanup(func() { _ = old.GracefulClose() })
	if err := b.answer(version, text); err != nil {
		t.Fatal(err)
	}
	b.until("an offer of another connection", func() bool { return b.offers > offers })
	if b.key() == keyB {
		t.Error("the connection that replaces another has its key")
	}
	if got := c.offered(); got != keyC {
		t.Error("another member's key has changed")
	}
}
