package main

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/media/protocol"
)

// The API and the calendar entry show the link, the link lets in, and a link that is not right tells nothing.
func TestRule_J1_TheLinkIsAllThatAGuestNeeds(t *testing.T) {
	t.Parallel()
	h := newHouse(t, usualRig.get(t), nil)
	m := h.meeting(nil)
	organizer := h.token(organizer, "org_user")
	var shown struct {
		JoinURL string `json:"join_url"`
	}
	h.rig.must(t, http.StatusOK, organizer, http.MethodGet, "/v1/meetings/"+m.id, nil).read(t, &shown)
	if shown.JoinURL != m.joins {
		t.Errorf("GET shows the link %q, POST showed %q", shown.JoinURL, m.joins)
	}
	entry := h.rig.must(t, http.StatusOK, organizer, http.MethodGet, "/v1/meetings/"+m.id+"/calendar.ics", nil)
	if unfolded := strings.ReplaceAll(string(entry.body), "\r\n ", ""); !strings.Contains(unfolded, m.joins) {
		t.Errorf("the calendar entry lacks the link %q:\n%s", m.joins, unfolded)
	}

	// The shipped join page, with the link and nothing else.
	var token struct {
		GuestToken string `json:"guest_token"`
	}
	page := func(meeting, secret string) answer {
		return h.rig.ask(t, "", http.MethodGet, "/v1/join-page/meetings/"+meeting, nil, "Anteroom-Meeting-Secret", secret)
	}
	if got := page(m.id, m.secret); got.status != http.StatusOK {
		t.Errorf("the join page's lookup: %d %s", got.status, got.body)
	}
	h.rig.must(t, http.StatusCreated, "", http.MethodPost, "/v1/join-page/token", nil).read(t, &token)
	guest := m.enter("Gina", protocol.Join{Meeting: m.id, Secret: m.secret, GuestToken: token.GuestToken, DisplayName: "Gina"})
	if got := guest.Joined(); got.Kind != "guest" || got.State != protocol.StateWaitingForHost {
		t.Errorf("kind %q, state %q", got.Kind, got.State)
	}

	// An unknown meeting and a wrong secret answer alike, at each door.
	app := h.application(nil)
	wrong, unknown := m.guestJoin(app, "Gus"), m.guestJoin(app, "Gus")
	wrong.Secret = m.secret[:len(m.secret)-1] + map[bool]string{true: "A", false: "B"}[m.secret[len(m.secret)-1] == 'B']
	unknown.Meeting = uuid.NewString()
	first, second := m.refusal(wrong), m.refusal(unknown)
	if *first != *second || first.Reason != protocol.ReasonMeetingNotFound {
		t.Errorf("wrong secret: %+v, unknown meeting: %+v", *first, *second)
	}
	a, b := page(m.id, wrong.Secret), page(unknown.Meeting, m.secret)
	if a.status != http.StatusNotFound || a.code() != "meeting_not_found" || b.status != a.status || b.code() != a.code() {
		t.Errorf("join page: wrong secret %d %s, unknown meeting %d %s", a.status, a.body, b.status, b.body)
	}

	// A link that was made anew replaces the old one.
	var renewed struct {
		JoinURL string `json:"join_url"`
	}
	h.rig.must(t, http.StatusOK, organizer, http.MethodPost, "/v1/meetings/"+m.id+"/link", nil).read(t, &renewed)
	if got := m.refusal(m.guestJoin(app, "Gus")); got.Reason != protocol.ReasonMeetingNotFound {
		t.Errorf("with the old link: %s", got.Reason)
	}
	h.room(m.id, renewed.JoinURL).guest(app, "Gus")
}
