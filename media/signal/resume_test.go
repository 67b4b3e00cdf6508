package signal_test

import (
	"sync"
	"testing"

	"github.com/anteroom/anteroom/media/client"
	"github.com/anteroom/anteroom/media/protocol"
)

func TestResume(t *testing.T) {
	ctx, w := testContext(t), newWorld(t)
	id, secret := w.meeting()
	other, otherSecret := w.meeting()
	olga, _ := w.join(ctx, w.user("contoso", id, secret, "olga"))
	w.join(ctx, w.user("contoso", other, otherSecret, "olga"))
	gus, waiting := w.join(ctx, w.guest(id, secret, "Gus"))
	old := gus.ResumeToken()
	if err := olga.Admit(ctx, waiting.ParticipantID); err != nil {
		t.Fatal(err)
	}
	next[protocol.State](ctx, t, gus, protocol.TypeState)
	next[protocol.ResumeTokenIssued](ctx, t, gus, protocol.TypeResumeToken)
	if gus.ResumeToken() == old {
		t.Error("the admission is not in a new token")
	}
	gus.Drop()
	joined, err := gus.Reconnect(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if !joined.Resumed || joined.ParticipantID != waiting.ParticipantID || joined.State != protocol.StateAdmitted {
		t.Errorf("resumed as %+v", joined)
	}
	if _, err := gus.Resume(ctx, gus.ResumeToken()); reason(err) != protocol.ReasonAlreadyJoined {
		t.Errorf("resume twice on one connection: %v", err)
	}
	// Another connection takes the place: the first one is told.
	second := w.dial(ctx)
	if _, err := second.Resume(ctx, gus.ResumeToken()); err != nil {
		t.Fatal(err)
	}
	if closed(ctx, t, gus); gus.Ended() == nil || gus.Ended().Reason != protocol.ReasonReplaced {
		t.Errorf("the first connection was told %+v", gus.Ended())
	}
	if _, err := second.ChatSend(ctx, protocol.ChatSend{Text: "still here"}); err != nil {
		t.Error(err)
	}
	token := second.ResumeToken()
	for name, tampered := range map[string]string{
		"cut": token[:len(token)-4], "changed": token[:len(token)/2] + flip(token[len(token)/2]) + token[len(token)/2+1:], "link secret": secret,
	} {
		if _, err := w.dial(ctx).Resume(ctx, tampered); reason(err) != protocol.ReasonInvalidToken {
			t.Errorf("%s token: %v", name, err)
		}
	}
	if err := second.Leave(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := w.dial(ctx).Resume(ctx, token); reason(err) != protocol.ReasonResumeExpired {
		t.Errorf("resume after leaving: %v", err)
	}
}

func flip(b byte) string {
	if b == 'A' {
		return "B"
	}
	return "A"
}

// TestResumeOnAnotherNode starts the service anew, as after a crash: tokens bring back the session under its call id.
func TestResumeOnAnotherNode(t *testing.T) {
	ctx, w := testContext(t), newWorld(t)
	id, secret := w.meeting()
	olga, first := w.join(ctx, w.user("contoso", id, secret, "olga"))
	otto, _ := w.join(ctx, w.user("contoso", id, secret, "otto"))
	lone, loneSecret := w.meeting()
	stranger, _ := w.join(ctx, w.user("contoso", lone, loneSecret, "olga"))
	olga.Drop()
	otto.Drop()
	stranger.Drop()
	if err := w.stop(); err != nil {
		t.Fatal(err)
	}
	w.start()
	t.Cleanup(func() { _ = w.stop() })
	var wg sync.WaitGroup
	for _, token := range []string{olga.ResumeToken(), otto.ResumeToken()} {
		c := w.dial(ctx)
		wg.Go(func() {
			joined, err := c.Resume(ctx, token)
			if err != nil || joined.CallID != first.CallID || joined.State != protocol.StateAdmitted || !joined.Resumed {
				t.Errorf("resumed as %+v, %v", joined, err)
			}
		})
	}
	wg.Wait()
	if started, _ := w.recorder.calls(); len(started) != 2 {
		t.Errorf("%d sessions were started", len(started))
	}
	// A session that others have begun anew is not the token's.
	w.join(ctx, w.user("contoso", lone, loneSecret, "olga"))
	if _, err := w.dial(ctx).Resume(ctx, stranger.ResumeToken()); reason(err) != protocol.ReasonResumeExpired {
		t.Errorf("resume into another session: %v", err)
	}
}

// TestGoneStaysGoneOnAnotherNode starts the service anew: tokens of those who left, were removed or whose call has ended bring nobody back.
func TestGoneStaysGoneOnAnotherNode(t *testing.T) {
	ctx, w := testContext(t), newWorld(t)
	id, secret := w.meeting()
	olga, _ := w.join(ctx, w.user("contoso", id, secret, "olga"))
	leaver, _ := w.join(ctx, w.user("contoso", id, secret, "lea"))
	removed, away := w.dial(ctx), w.dial(ctx)
	for _, c := range []*client.Client{removed, away} {
		waiting, err := c.Join(ctx, w.guest(id, secret, "Gus"))
		if err != nil {
			t.Fatal(err)
		}
		if err := olga.Admit(ctx, waiting.ParticipantID); err != nil {
			t.Fatal(err)
		}
		next[protocol.ResumeTokenIssued](ctx, t, c, protocol.TypeResumeToken)
	}
	over, overSecret := w.meeting()
	last, _ := w.join(ctx, w.user("contoso", over, overSecret, "olga"))
	if err := leaver.Leave(ctx); err != nil {
		t.Fatal(err)
	}
	if err := olga.Remove(ctx, removed.Joined().ParticipantID); err != nil {
		t.Fatal(err)
	}
	if err := w.node.End(ctx, "contoso", over, "olga"); err != nil {
		t.Fatal(err)
	}
	if err := w.stop(); err != nil {
		t.Fatal(err)
	}
	if _, ended := w.recorder.calls(); len(ended) != 1 {
		t.Errorf("%d calls have ended, of which a stop ends none", len(ended))
	}
	w.start()
	t.Cleanup(func() { _ = w.stop() })
	for name, tt := range map[string]struct {
		token, want string
	}{
		"host": {olga.ResumeToken(), ""}, "guest who was cut off": {away.ResumeToken(), ""},
		"user who left": {leaver.ResumeToken(), protocol.ReasonResumeExpired}, "guest who was removed": {removed.ResumeToken(), protocol.ReasonResumeExpired},
		"user of a call that has ended": {last.ResumeToken(), protocol.ReasonMeetingEnded},
	} {
		if _, err := w.dial(ctx).Resume(ctx, tt.token); reason(err) != tt.want {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
}

// TestMediaFlows publishes from one client to another through it all.
func TestMediaFlows(t *testing.T) {
	ctx, w := testContext(t), newWorld(t)
	id, secret := w.meeting()
	olga, _ := w.join(ctx, w.user("contoso", id, secret, "olga"))
	otto, _ := w.join(ctx, w.user("contoso", id, secret, "otto"))
	pubs, err := olga.Publish(ctx, client.Source{Kind: client.Audio}, client.Source{Kind: client.Video})
	if err != nil {
		t.Fatal(err)
	}
	flows := func(pub *client.Publication) func() bool {
		return func() bool {
			r := otto.Received()[pub.TrackID()]
			return r != nil && r.Packets() > 50
		}
	}
	waitFor(ctx, t, "audio", flows(pubs[0]))
	waitFor(ctx, t, "video", flows(pubs[1]))
	// The connection is lost, media is not.
	otto.Drop()
	before := otto.Received()[pubs[0].TrackID()].Packets()
	if _, err := otto.Reconnect(ctx); err != nil {
		t.Fatal(err)
	}
	waitFor(ctx, t, "audio after a reconnect", func() bool { return otto.Received()[pubs[0].TrackID()].Packets() > before+50 })
	more, err := olga.Publish(ctx, client.Source{Kind: client.Screen})
	if err != nil {
		t.Fatal(err)
	}
	waitFor(ctx, t, "screen", flows(more[0]))
	if err := olga.Unpublish(ctx, pubs[1]); err != nil {
		t.Fatal(err)
	}
	stopped := next[protocol.Participant](ctx, t, otto, protocol.TypeParticipantUpdated)
	for len(stopped.Tracks) != 2 || stopped.Tracks[0].Kind == client.Video || stopped.Tracks[1].Kind == client.Video {
		stopped = next[protocol.Participant](ctx, t, otto, protocol.TypeParticipantUpdated)
	}
}

// TestResumeWithNewConnections takes a place up from a client that has nothing of the one before, as a page does whose connections broke: what
// others publish arrives there, and what it publishes arrives at them.
func TestResumeWithNewConnections(t *testing.T) {
	ctx, w := testContext(t), newWorld(t)
	id, secret := w.meeting()
	olga, _ := w.join(ctx, w.user("contoso", id, secret, "olga"))
	otto, was := w.join(ctx, w.user("contoso", id, secret, "otto"))
	pubs, err := olga.Publish(ctx, client.Source{Kind: client.Audio}, client.Source{Kind: client.Video})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := otto.Publish(ctx, client.Source{Kind: client.Audio}); err != nil {
		t.Fatal(err)
	}
	gets := func(c *client.Client, track string) func() bool {
		return func() bool { r := c.Received()[track]; return r != nil && r.Packets() > 50 }
	}
	waitFor(ctx, t, "video", gets(otto, pubs[1].TrackID()))
	for range 2 {
		otto.Drop()
		again := w.dial(ctx)
		joined, err := again.Resume(ctx, otto.ResumeToken())
		if err != nil || joined.ParticipantID != was.ParticipantID {
			t.Fatalf("resumed as %+v, %v", joined, err)
		}
		for _, pub := range pubs {
			waitFor(ctx, t, "media on a new connection", gets(again, pub.TrackID()))
		}
		mine, err := again.Publish(ctx, client.Source{Kind: client.Audio})
		if err != nil {
			t.Fatal(err)
		}
		waitFor(ctx, t, "media from a new connection", gets(olga, mine[0].TrackID()))
		otto = again
	}
}
