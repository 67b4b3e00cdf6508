package signal_test

import (
	"context"
	"net/http"
	"net/netip"
	"regexp"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/anteroom/anteroom/directory"
	"github.com/anteroom/anteroom/identity"
	"github.com/anteroom/anteroom/media"
	"github.com/anteroom/anteroom/media/client"
	"github.com/anteroom/anteroom/media/meeting"
	"github.com/anteroom/anteroom/media/protocol"
)

func TestJoinByLink(t *testing.T) {
	ctx, w := testContext(t), newWorld(t)
	id, secret := w.meeting()
	olga, joined := w.join(ctx, w.user("contoso", id, secret, "olga"))
	got := joined
	got.CallID, got.ParticipantID, got.ResumeToken, got.Capabilities, got.Roster, got.Lobby = "", "", "", nil, nil, nil
	want := protocol.Joined{
		MeetingTitle: "Weekly", Organization: "Contoso", Kind: "org_user", State: protocol.StateAdmitted,
		Notices: []protocol.Notice{}, ResumeSeconds: 5, ICEServers: []protocol.ICEServer{},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("joined (-want +got):\n%s", diff)
	}
	if joined.ResumeToken == "" || len(joined.Capabilities) == 0 {
		t.Errorf("resume token %q, %d capabilities", joined.ResumeToken, len(joined.Capabilities))
	}
	guest, waiting := w.join(ctx, w.guest(id, secret, "Gus"))
	if waiting.State != protocol.StateInLobby || waiting.MeetingTitle != "" {
		t.Errorf("guest's state %q, title %q", waiting.State, waiting.MeetingTitle)
	}
	if waiting.CallID != joined.CallID {
		t.Error("two joins, two calls")
	}
	if err := olga.Admit(ctx, waiting.ParticipantID); err != nil {
		t.Fatal(err)
	}
	if state := next[protocol.State](ctx, t, guest, protocol.TypeState); state.State != protocol.StateAdmitted {
		t.Errorf("state %q", state.State)
	}
	if _, err := guest.ChatSend(ctx, protocol.ChatSend{Text: "hello"}); err != nil {
		t.Fatal(err)
	}
	if got := next[protocol.ChatMessage](ctx, t, olga, protocol.TypeChatMessage); got.Text != "hello" || !got.External {
		t.Errorf("message %+v", got)
	}
	// M2, through the API as well: history for who is there, none for who left.
	token := guest.ResumeToken()
	if messages, err := w.node.Messages(ctx, id, token, protocol.ChatHistory{}); err != nil || len(messages.Messages) != 1 {
		t.Errorf("messages %v, %v", messages, err)
	}
	if _, err := w.node.Messages(ctx, uuid.NewString(), token, protocol.ChatHistory{}); reason(err) != protocol.ReasonNotInMeeting {
		t.Errorf("messages of another meeting: %v", err)
	}
	if err := guest.Leave(ctx); err != nil {
		t.Fatal(err)
	}
	if code := closed(ctx, t, guest); code != 1000 || guest.Ended() == nil || guest.Ended().Reason != "left" {
		t.Errorf("closed with %d, %+v", code, guest.Ended())
	}
	for range 2 { // With and without the seat.
		if _, err := w.node.Messages(ctx, id, token, protocol.ChatHistory{}); reason(err) != protocol.ReasonNotInMeeting {
			t.Errorf("messages after leaving: %v", err)
		}
	}
}

func TestRule_J1_UnknownMeetingsAndWrongSecretsAnswerAlike(t *testing.T) {
	ctx, w := testContext(t), newWorld(t)
	id, secret := w.meeting()
	unknown := uuid.NewString()
	var answers []protocol.Error
	for _, link := range [][2]string{
		{id, w.verifier.LinkSecret(id, 2)}, {id, "wrong"}, {unknown, secret}, {unknown, w.verifier.LinkSecret(unknown, 1)}, {"no-uuid", secret},
	} {
		c := w.dial(ctx)
		_, err := c.Join(ctx, w.guest(link[0], link[1], "Gus"))
		refused := new(protocol.Error)
		if reason(err) != protocol.ReasonMeetingNotFound {
			t.Fatalf("link %v: %v", link, err)
		}
		asProtocol(t, err, &refused)
		answers = append(answers, *refused)
	}
	for _, a := range answers[1:] {
		if diff := cmp.Diff(answers[0], a); diff != "" {
			t.Errorf("answers differ:\n%s", diff)
		}
	}
	if _, joined := w.join(ctx, w.guest(id, secret, "Gus")); joined.State != protocol.StateWaitingForHost {
		t.Errorf("the right link leads to %q", joined.State)
	}
}

func TestJoinRefused(t *testing.T) {
	ctx, w := testContext(t), newWorld(t)
	id, secret := w.meeting()
	cancelled, cancelledSecret := w.meeting(func(f *meeting.Facts) { f.Meeting.Cancelled = true })
	live, liveSecret := w.meeting(func(f *meeting.Facts) { f.Meeting.Kind = directory.MeetingLiveEvent })
	used := w.guest(id, secret, "Gus")
	w.join(ctx, used)
	change := func(j protocol.Join, f func(*protocol.Join)) protocol.Join { f(&j); return j }
	guest := func(f func(*protocol.Join)) protocol.Join { return change(w.guest(id, secret, "Gus"), f) }
	for _, c := range []struct {
		name   string
		join   protocol.Join
		reason string
		field  string
	}{
		{"no meeting", guest(func(j *protocol.Join) { j.Meeting = "" }), protocol.ReasonInvalidField, "meeting"},
		{"no secret", guest(func(j *protocol.Join) { j.Secret = "" }), protocol.ReasonInvalidField, "secret"},
		{"both tokens", guest(func(j *protocol.Join) { j.UserToken = "x" }), protocol.ReasonInvalidField, "guest_token"},
		{"no token", guest(func(j *protocol.Join) { j.GuestToken = "" }), string(identity.TokenMissing), ""},
		{"token is nonsense", guest(func(j *protocol.Join) { j.GuestToken = "x" }), string(identity.TokenMalformed), ""},
		{"token used twice", used, string(identity.TokenReplayed), ""},
		{"no name", guest(func(j *protocol.Join) { j.DisplayName = "" }), protocol.ReasonInvalidName, "display_name"},
		{"name turns text around", guest(func(j *protocol.Join) { j.DisplayName = "Gus\u202etxet" }), protocol.ReasonInvalidName, "display_name"},
		{"room device as a guest", guest(func(j *protocol.Join) { j.Client.Kind = "room_device" }), protocol.ReasonInvalidField, "client.kind"},
		{"kind of client", guest(func(j *protocol.Join) { j.Client.Kind = "toaster" }), protocol.ReasonInvalidField, "client.kind"},
		{"user of another organisation", w.user("fabrikam", id, secret, "frank"), protocol.ReasonWrongOrganization, ""},
		{"cancelled", w.guest(cancelled, cancelledSecret, "Gus"), protocol.ReasonMeetingEnded, ""},
		{"guest at a live event", w.guest(live, liveSecret, "Gus"), "live_event", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := w.dial(ctx).Join(ctx, c.join)
			if reason(err) != c.reason {
				t.Fatalf("reason %q, want %q", reason(err), c.reason)
			}
			var refused *protocol.Error
			asProtocol(t, err, &refused)
			// The message may be shown: it is a sentence.
			if refused.Field != c.field || !regexp.MustCompile(`^[A-Z].*\.$`).MatchString(refused.Message) {
				t.Errorf("field %q, message %q", refused.Field, refused.Message)
			}
		})
	}
}

func TestOrigins(t *testing.T) {
	ctx, w := testContext(t), newWorld(t)
	id, secret := w.meeting()
	w.control.origins = []string{"https://app.example"}
	w.session = &identity.Principal{Roles: []identity.Role{identity.OrgUser}, Org: "contoso", Subject: "olga", Name: "Olga"}
	from := func(origin string) *client.Client {
		return w.dial(ctx, func(o *client.Options) {
			if origin != "" {
				o.Header = http.Header{"Origin": {origin}}
			}
		})
	}
	signedIn := protocol.Join{Meeting: id, Secret: secret}
	for _, c := range []struct {
		name, origin string
		join         protocol.Join
		reason       string
	}{
		{"no browser", "", w.guest(id, secret, "Gus"), ""},
		{"our own page", w.server.URL, w.guest(id, secret, "Gus"), ""},
		{"our own page, signed in", w.server.URL, signedIn, ""},
		{"registered page", "https://app.example", w.guest(id, secret, "Gus"), ""},
		{"registered page, by the session of ours", "https://app.example", signedIn, string(identity.TokenMissing)},
		{"other page", "https://evil.example", w.guest(id, secret, "Gus"), protocol.ReasonOriginNotAllowed},
		{"other page, by the session of ours", "https://evil.example", signedIn, string(identity.TokenMissing)},
		{"page without an origin", "null", w.guest(id, secret, "Gus"), protocol.ReasonOriginNotAllowed},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := from(c.origin).Join(ctx, c.join); reason(err) != c.reason {
				t.Errorf("reason %q, want %q", reason(err), c.reason)
			}
		})
	}
}

func TestManyJoinsStartOneSession(t *testing.T) {
	ctx, w := testContext(t), newWorld(t)
	id, secret := w.meeting()
	calls := make([]string, 50)
	var wg sync.WaitGroup
	for i := range calls {
		wg.Go(func() {
			c, err := client.Dial(ctx, w.url(), client.Options{})
			if err != nil {
				t.Error(err)
				return
			}
			t.Cleanup(c.Close)
			joined, err := c.Join(ctx, w.user("contoso", id, secret, "olga"))
			if err != nil {
				t.Error(err)
			}
			calls[i] = joined.CallID
		})
	}
	wg.Wait()
	for _, call := range calls {
		if call != calls[0] {
			t.Fatalf("calls %v", calls)
		}
	}
	if started, _ := w.recorder.calls(); len(started) != 1 {
		t.Errorf("%d sessions were started", len(started))
	}
}

// A guest of an application whose region isn't here is told at the door: in the meeting, nobody's messages could be stored for it.
func TestGuestsOfARegionThatIsNotHere(t *testing.T) {
	ctx, w := testContext(t), newWorld(t, func(w *world) { w.control.elsewhere = true })
	id, secret := w.meeting()
	if _, err := w.dial(ctx).Join(ctx, w.guest(id, secret, "Stray")); reason(err) != protocol.ReasonUnavailable {
		t.Errorf("reason %q", reason(err))
	}
	w.join(ctx, w.user("contoso", id, secret, "olga"))
}

func TestStartThatIsNotRecorded(t *testing.T) {
	ctx, w := testContext(t), newWorld(t)
	id, secret := w.meeting()
	w.recorder.breakDown(true)
	c := w.dial(ctx)
	if _, err := c.Join(ctx, w.user("contoso", id, secret, "olga")); reason(err) != protocol.ReasonUnavailable {
		t.Errorf("reason %q", reason(err))
	}
	if started, _ := w.recorder.calls(); len(started) != 0 {
		t.Errorf("%d calls were started", len(started))
	}
	w.recorder.breakDown(false)
	joined, err := c.Join(ctx, w.user("contoso", id, secret, "olga"))
	if err != nil {
		t.Fatal(err)
	}
	// It is the same session that tries again: what Kafka may have got after all is no other call.
	if started, ended := w.recorder.calls(); len(started) != 1 || started[0] != joined.CallID || len(ended) != 0 || w.node.Meetings() != 1 {
		t.Errorf("calls %v were started, %v ended, %d meetings run", started, ended, w.node.Meetings())
	}
}

// Who is refused at a meeting that doesn't run leaves a decision, no call, and soon no session either.
func TestRefusalsStartNoCall(t *testing.T) {
	ctx, w := testContext(t), newWorld(t)
	id, secret := w.meeting(func(f *meeting.Facts) { f.Meeting.Kind = directory.MeetingLiveEvent })
	for range 3 {
		if _, err := w.dial(ctx).Join(ctx, w.guest(id, secret, "Gus")); reason(err) != "live_event" {
			t.Errorf("reason %q", reason(err))
		}
	}
	waitFor(ctx, t, "the end of a session that nobody is in", func() bool { return w.node.Meetings() == 0 })
	if started, ended := w.recorder.calls(); len(started)+len(ended) != 0 {
		t.Errorf("calls %v were started, %v ended", started, ended)
	}
	w.join(ctx, w.user("contoso", id, secret, "olga")) // the permitted case, in a session of its own
	if started, _ := w.recorder.calls(); len(started) != 1 {
		t.Errorf("%d calls were started", len(started))
	}
}

func TestRule_J13_ANewSessionAfterTheEnd(t *testing.T) {
	ctx, w := testContext(t), newWorld(t)
	id, secret := w.meeting()
	olga, first := w.join(ctx, w.user("contoso", id, secret, "olga"))
	if err := w.node.End(ctx, "fabrikam", id, "frank"); reason(err) != protocol.ReasonNotFound {
		t.Errorf("ended by another organisation: %v", err)
	}
	if err := w.node.End(ctx, "contoso", id, "olga"); err != nil {
		t.Fatal(err)
	}
	if code := closed(ctx, t, olga); code != 1000 || olga.Ended() == nil || olga.Ended().Reason != protocol.ReasonMeetingEnded {
		t.Errorf("closed with %d, %+v", code, olga.Ended())
	}
	again := w.dial(ctx)
	if _, err := again.Resume(ctx, olga.ResumeToken()); reason(err) != protocol.ReasonMeetingEnded {
		t.Errorf("resume after the end: %v", err)
	}
	_, second := w.join(ctx, w.user("contoso", id, secret, "olga"))
	if first.CallID == second.CallID {
		t.Error("the session after the end is the one before")
	}
	if _, err := again.Resume(ctx, olga.ResumeToken()); reason(err) != protocol.ReasonMeetingEnded {
		t.Errorf("resume into the next session: %v", err)
	}
}

func TestSettingsReachRunningMeetings(t *testing.T) {
	ctx, w := testContext(t), newWorld(t)
	id, secret := w.meeting()
	w.join(ctx, w.user("contoso", id, secret, "olga"))
	gus, joined := w.join(ctx, w.guest(id, secret, "Gus"))
	if joined.State != protocol.StateInLobby {
		t.Fatalf("state %q", joined.State)
	}
	w.control.change(id, func(f *meeting.Facts) { f.Meeting.LobbyBypass = "everyone" })
	if state := next[protocol.State](ctx, t, gus, protocol.TypeState); state.State != protocol.StateAdmitted {
		t.Errorf("state %q", state.State)
	}
	w.control.change(id, func(f *meeting.Facts) { f.Meeting.WithdrawnCapabilities = []string{"sendChat"} })
	changed := next[protocol.CapabilitiesChanged](ctx, t, gus, protocol.TypeCapabilitiesChanged)
	for changed.Capabilities["sendChat"].Reason == "" {
		changed = next[protocol.CapabilitiesChanged](ctx, t, gus, protocol.TypeCapabilitiesChanged)
	}
	if got := changed.Capabilities["sendChat"]; got.Allowed || got.Reason != "policy_restricted" {
		t.Errorf("sendChat %+v", got)
	}
	w.control.change(id, func(f *meeting.Facts) { f.Meeting.Cancelled = true })
	if ended := next[protocol.Ended](ctx, t, gus, protocol.TypeEnded); ended.Reason != protocol.ReasonMeetingEnded {
		t.Errorf("ended with %q", ended.Reason)
	}
}

func TestFloodOfJoinsFromOneAddress(t *testing.T) {
	ctx, w := testContext(t), newWorld(t, func(w *world) { w.cfg.JoinsPerAddress, w.cfg.JoinBurstPerAddress = 0.001, 10 })
	id, secret := w.meeting()
	counts := map[string]int{}
	c := w.dial(ctx)
	for range 100 {
		_, err := c.Join(ctx, protocol.Join{Meeting: id, Secret: "wrong", GuestToken: "x", DisplayName: "Gus"})
		counts[reason(err)]++
	}
	if diff := cmp.Diff(map[string]int{protocol.ReasonMeetingNotFound: 10, protocol.ReasonRateLimited: 90}, counts); diff != "" {
		t.Errorf("answers (-want +got):\n%s", diff)
	}
	// Another address is not concerned.
	_, _, err := w.node.Join(ctx, w.user("contoso", id, secret, "olga"), media.Remote{Addr: netip.MustParseAddr("192.0.2.7")}, nobody{})
	if err != nil {
		t.Error(err)
	}
}

// nobody is a connection without a far end.
type nobody struct{}

func (nobody) Send(string, any)   {}
func (nobody) End(protocol.Ended) {}

func TestLimitOfMeetings(t *testing.T) {
	ctx, w := testContext(t), newWorld(t, func(w *world) { w.cfg.MaxMeetings = 1 })
	id, secret := w.meeting()
	w.join(ctx, w.user("contoso", id, secret, "olga"))
	w.join(ctx, w.user("contoso", id, secret, "otto"))
	other, otherSecret := w.meeting()
	if _, err := w.dial(ctx).Join(ctx, w.user("contoso", other, otherSecret, "olga")); reason(err) != protocol.ReasonTooManyMeetings {
		t.Errorf("reason %q", reason(err))
	}
}

func TestRosterForTheAPI(t *testing.T) {
	ctx, w := testContext(t), newWorld(t)
	id, secret := w.meeting()
	if _, _, err := w.node.Roster(ctx, "contoso", id); reason(err) != protocol.ReasonNotFound {
		t.Errorf("roster of a meeting that doesn't run: %v", err)
	}
	w.join(ctx, w.user("contoso", id, secret, "olga"))
	w.join(ctx, w.guest(id, secret, "Gus"))
	roster, lobby, err := w.node.Roster(ctx, "contoso", id)
	if err != nil || len(roster) != 1 || len(lobby) != 1 || !lobby[0].External {
		t.Errorf("roster %v, lobby %v, %v", roster, lobby, err)
	}
	if _, _, err := w.node.Roster(ctx, "fabrikam", id); reason(err) != protocol.ReasonNotFound {
		t.Errorf("roster for another organisation: %v", err)
	}
}

func TestStopTellsClients(t *testing.T) {
	ctx, w := testContext(t), newWorld(t)
	id, secret := w.meeting()
	olga, _ := w.join(ctx, w.user("contoso", id, secret, "olga"))
	idle := w.dial(ctx)
	if err := w.stop(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []*client.Client{olga, idle} {
		if code := closed(ctx, t, c); code != 1001 || c.Ended() == nil || c.Ended().Reason != protocol.ReasonShuttingDown || !c.Ended().Resume {
			t.Errorf("closed with %d, %+v", code, c.Ended())
		}
	}
	_, _, err := w.node.Join(ctx, w.user("contoso", id, secret, "olga"), media.Remote{}, nobody{})
	if reason(err) != protocol.ReasonShuttingDown {
		t.Errorf("join after the stop: %v", err)
	}
}

func asProtocol(t testing.TB, err error, into **protocol.Error) {
	t.Helper()
	refused, ok := err.(*protocol.Error) //nolint:errorlint // the client returns it unwrapped
	if !ok {
		t.Fatalf("not a refusal: %v", err)
	}
	*into = refused
}

func waitFor(ctx context.Context, t testing.TB, what string, holds func() bool) {
	t.Helper()
	for !holds() {
		select {
		case <-ctx.Done():
			t.Fatalf("%s: does not come", what)
		case <-time.After(20 * time.Millisecond):
		}
	}
}
