package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom/anteroom/internal/webhook"
)

// hooks is a receiver of webhooks.
type hooks struct {
	t      *testing.T
	server *httptest.Server
	secret string

	mu     sync.Mutex
	events []webhook.Event // guarded by mu
	bodies []string        // guarded by mu
}

func receiveHooks(t *testing.T, secret string) *hooks {
	t.Helper()
	h := &hooks{t: t, secret: secret}
	h.server = httptest.NewServer(h)
	t.Cleanup(h.server.Close)
	return h
}

func (h *hooks) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var at, sum string
	for part := range strings.SplitSeq(r.Header.Get("Anteroom-Signature"), ",") {
		name, value, _ := strings.Cut(part, "=")
		switch name {
		case "t":
			at = value
		case "v1":
			sum = value
		}
	}
	mac := hmac.New(sha256.New, []byte(h.secret))
	fmt.Fprintf(mac, "%s.%s", at, body)
	if want := hex.EncodeToString(mac.Sum(nil)); err != nil || !hmac.Equal([]byte(want), []byte(sum)) {
		h.t.Errorf("delivery with signature %q, error %v", r.Header.Get("Anteroom-Signature"), err)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	var e webhook.Event
	if err := json.Unmarshal(body, &e); err != nil {
		h.t.Errorf("delivery %s: %v", body, err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.events, h.bodies = append(h.events, e), append(h.bodies, string(body))
}

// target is how the receiver is registered.
func (h *hooks) target() []fields {
	return []fields{{"url": h.server.URL + "/hook", "secret": h.secret}}
}

// of are the events of a call so far, as kind and participant.
func (h *hooks) of(call string, who map[string]string) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := []string{}
	for _, e := range h.events {
		if e.CallID != call {
			continue
		}
		text := e.Kind
		if e.ParticipantID != "" {
			text += " " + who[e.ParticipantID]
		}
		out = append(out, text)
	}
	slices.Sort(out)
	return out
}

// await waits until an event has come.
func (h *hooks) await(call string, who map[string]string, event string) {
	h.t.Helper()
	eventually(h.t, "webhook "+event, func() (bool, string) {
		got := h.of(call, who)
		return slices.Contains(got, event), fmt.Sprintf("%q", got)
	})
}

// M12: an organisation's meetings raise no calling events to the guest's resource, and a guest's join no bot event. A call that a guest started
// raises calling events, and an org user's join the bot event.
func TestRule_M12_CallingAndBotEventsForWhomTheyAre(t *testing.T) {
	t.Parallel()
	r := narrowRig.get(t)
	org, app := receiveHooks(t, "the organisation's secret"), receiveHooks(t, "the application's secret")
	s := newStage(t, r, fields{"webhooks": org.target()}, nil)
	s.app = s.house.application(fields{"webhooks": app.target()})
	guest := s.inside("Greta Garbo")
	bob := s.user("bob")
	who := map[string]string{s.host.id(): "olga", guest.id(): "guest", bob.id(): "bob"}
	guest.do(guest.Leave(guest.soon()))
	guest.awaitEnd()
	call := s.ended()
	org.await(call, who, "meeting.ended")
	want := []string{
		"bot.participant_joined bob", "bot.participant_joined olga", "lobby.waiting guest", "meeting.ended", "meeting.started",
		"participant.joined bob", "participant.joined guest", "participant.joined olga",
		"participant.left bob", "participant.left guest", "participant.left olga",
	}
	eventually(t, "the organisation's events", func() (bool, string) {
		diff := cmp.Diff(want, org.of(call, who))
		return diff == "", diff
	})

	// Started by a guest of the same resource: here they are raised, to the resource. They come after whatever the meeting would have raised.
	var made struct {
		MeetingID string `json:"meeting_id"`
		JoinURL   string `json:"join_url"`
	}
	r.must(t, http.StatusCreated, s.app.token("sub-starter", nil), http.MethodPost, "/v1/calls", fields{}).read(t, &made)
	started := s.house.room(made.MeetingID, made.JoinURL)
	first, second := started.guest(s.app, "Fay"), started.guest(s.app, "Ben")
	theirs := map[string]string{first.id(): "first", second.id(): "second"}
	second.do(second.Leave(second.soon()))
	app.await(first.Joined().CallID, theirs, "call.participant_left second")
	wantCall := []string{"call.participant_joined first", "call.participant_joined second", "call.participant_left second", "call.started"}
	if diff := cmp.Diff(wantCall, app.of(first.Joined().CallID, theirs)); diff != "" {
		t.Errorf("the resource's events of a call that its guest started (-want +got):\n%s", diff)
	}
	if got := app.of(call, who); len(got) > 0 {
		t.Errorf("the resource was told of the organisation's meeting: %q", got)
	}
	if got := org.of(first.Joined().CallID, theirs); slices.ContainsFunc(got, func(e string) bool { return strings.HasPrefix(e, "bot.") || strings.HasPrefix(e, "call.") }) {
		t.Errorf("the organisation was told of a guests' call: %q", got)
	}
	if diff := cmp.Diff(want, org.of(call, who)); diff != "" {
		t.Errorf("the organisation's events at the end (-want +got):\n%s", diff)
	}
	for _, h := range []*hooks{org, app} {
		h.mu.Lock()
		for _, body := range h.bodies {
			if hits := search([]byte(body), []string{"Greta", "sub-", "Fay", "127.0.0.1", "olga", "bob"}); len(hits) > 0 {
				t.Errorf("a delivery has %q: %s", hits, body)
			}
		}
		h.mu.Unlock()
	}
}
