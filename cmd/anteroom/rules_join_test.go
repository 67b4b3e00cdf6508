package main

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/anteroom/anteroom/identity"
	mediaclient "github.com/anteroom/anteroom/media/client"
	"github.com/anteroom/anteroom/media/protocol"
	"github.com/anteroom/anteroom/policy"
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

// A guest is whom its application says, whatever else the token says; each kind of bad token has a reason of its own, at both doors.
func TestRule_J2_BringYourOwnIdentity(t *testing.T) {
	t.Parallel()
	h := newHouse(t, usualRig.get(t), nil)
	m, app, other := h.meeting(nil), h.application(nil), h.application(nil)
	now := time.Now()

	claims := fields{"org": h.org, "roles": []string{"admin", "org_user"}, "name": "Dr. Who"}
	join := m.guestJoin(app, "Gus")
	join.GuestToken = app.token("gus", claims)
	guest := m.enter("Gus", join)
	if got := guest.Joined(); got.Kind != "guest" {
		t.Errorf("a token that claims roles made a %s", got.Kind)
	}
	// The same application signs in users of the organisation too.
	if got := m.user("olga").Joined(); got.Kind != "org_user" || got.State != protocol.StateAdmitted {
		t.Errorf("kind %q, state %q", got.Kind, got.State)
	}
	within := m.guestJoin(app, "Skew")
	within.GuestToken = app.token("skew", fields{"iat": now.Add(-5 * time.Minute).Unix(), "exp": now.Add(-30 * time.Second).Unix()})
	m.enter("30 s of clock skew", within)

	hmac := signerOf(t, jose.HS256, []byte(strings.Repeat("k", 32)), "k1")
	for _, tt := range []struct {
		name, token string
		want        identity.Reason
	}{
		{"no token", "", identity.TokenMissing},
		{"no JWT", "nonsense", identity.TokenMalformed},
		{"another's key", signed(t, other.signer, app.claims("gus", nil)), identity.TokenSignature},
		{"symmetric algorithm", signed(t, hmac, app.claims("gus", nil)), identity.TokenAlgorithm},
		{"no algorithm", "eyJhbGciOiJub25lIn0." + strings.Split(app.token("gus", nil), ".")[1] + ".", identity.TokenAlgorithm},
		{"expired", app.token("gus", fields{"iat": now.Add(-9 * time.Minute).Unix(), "exp": now.Add(-3 * time.Minute).Unix()}), identity.TokenExpired},
		{"of the future", app.token("gus", fields{"iat": now.Add(3 * time.Minute).Unix()}), identity.TokenNotYet},
		{"good for a day", app.token("gus", fields{"exp": now.Add(24 * time.Hour).Unix()}), identity.TokenTooLong},
		{"another audience", app.token("gus", fields{"aud": "elsewhere"}), identity.TokenAudience},
		{"used before", join.GuestToken, identity.TokenReplayed},
		{"no id", app.token("gus", fields{"jti": nil}), identity.TokenIncomplete},
		{"unknown resource", app.token("gus", fields{"iss": uuid.NewString()}), identity.IssuerUnknown},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := m.in(t)
			refused := m.guestJoin(app, "Gus")
			refused.GuestToken = tt.token
			if got := m.refusal(refused); got.Reason != string(tt.want) || (tt.token != "" && strings.Contains(got.Message, tt.token)) {
				t.Errorf("join: %s", told(got))
			}
			if got := h.rig.ask(t, tt.token, http.MethodPost, "/v1/calls", nil); got.status != http.StatusUnauthorized || got.code() != string(tt.want) {
				t.Errorf("POST /v1/calls: %d %s", got.status, got.body)
			}
		})
	}
	h.rig.must(t, http.StatusCreated, app.token("gus", nil), http.MethodPost, "/v1/calls", nil)

	elsewhere := newHouse(t, h.rig, nil)
	foreign := m.guestJoin(app, "Gus")
	foreign.GuestToken, foreign.UserToken = "", elsewhere.token("olga", "org_user")
	if got := m.refusal(foreign); got.Reason != protocol.ReasonWrongOrganization {
		t.Errorf("a user of another organisation: %s", told(got))
	}
}

// Switched off, nobody new comes in and nobody waits any more; who is inside stays.
func TestRule_J3_AnonymousJoinCanBeSwitchedOff(t *testing.T) {
	t.Parallel()
	h := newHouse(t, usualRig.get(t), nil)
	m, app := h.meeting(nil), h.application(nil)
	host := m.user("olga")
	inside, waiting := m.admitted(host, app, "inside"), m.guest(app, "waiting")

	h.changeOrg(fields{"settings": fields{"anonymous_join": false}})
	if got := waiting.awaitState(protocol.StateRejected); got.Reason != string(policy.AnonymousJoinDisabled) {
		t.Errorf("who waited was told %q", got.Reason)
	}
	if got := waiting.awaitEnd(); got.Reason != string(policy.AnonymousJoinDisabled) {
		t.Errorf("who waited was cut with %q", got.Reason)
	}
	if got := m.refusal(m.guestJoin(app, "late")); got.Reason != string(policy.AnonymousJoinDisabled) {
		t.Errorf("the next attempt: %s", told(got))
	}
	m.user("bob")
	inside.say("still here")
	host.awaitChat("still here")

	h.changeOrg(fields{"settings": fields{"anonymous_join": true}})
	if got := m.guest(app, "late").Joined().State; got != protocol.StateInLobby {
		t.Errorf("switched on again: %q", got)
	}
}

func TestRule_J4_PersonalOrganizationsHostNoGuests(t *testing.T) {
	t.Parallel()
	for kind, hosts := range map[string]bool{"work": true, "personal": false} {
		t.Run(kind, func(t *testing.T) {
			h := newHouse(t, usualRig.get(t), fields{"kind": kind})
			m, app := h.meeting(fields{"lobby_bypass": "everyone"}), h.application(nil)
			if got := m.user("olga").Joined().State; got != protocol.StateAdmitted {
				t.Errorf("a user of the organisation: %q", got)
			}
			if hosts {
				if got := m.guest(app, "Gus").Joined().State; got != protocol.StateAdmitted {
					t.Errorf("a guest: %q", got)
				}
				return
			}
			if got := m.refusal(m.guestJoin(app, "Gus")); got.Reason != string(policy.PersonalOrganization) {
				t.Errorf("a guest: %s", told(got))
			}
		})
	}
}

// A call that a resource's guest started is for guests.
func TestRule_J5_NoOrgUserInACallThatAGuestStarted(t *testing.T) {
	t.Parallel()
	h := newHouse(t, usualRig.get(t), nil)
	app := h.application(nil)
	var made struct {
		MeetingID string `json:"meeting_id"`
		JoinURL   string `json:"join_url"`
	}
	h.rig.must(t, http.StatusCreated, app.token("starter", nil), http.MethodPost, "/v1/calls", fields{"title": "Question"}).read(t, &made)
	call := h.room(made.MeetingID, made.JoinURL)
	starter, second := call.guest(app, "starter"), call.guest(app, "second")
	for _, p := range []*person{starter, second} {
		if got := p.Joined().State; got != protocol.StateAdmitted {
			t.Errorf("%s: %q", p.name, got)
		}
	}
	second.say("hello")
	starter.awaitChat("hello")
	if got := call.refusal(call.userJoin("olga")); got.Reason != string(policy.GuestInitiatedCall) {
		t.Errorf("a user of the organisation: %s", told(got))
	}
	if got := h.meeting(nil).user("olga").Joined().State; got != protocol.StateAdmitted {
		t.Errorf("the same user in a meeting: %q", got)
	}
}

// The application names its guest; what could pass itself off as something else is refused.
func TestRule_J6_TheGuestsDisplayName(t *testing.T) {
	t.Parallel()
	h := newHouse(t, usualRig.get(t), nil)
	m, app := h.meeting(fields{"lobby_bypass": "everyone"}), h.application(nil)
	host := m.user("olga")
	for name, bad := range map[string]string{
		"empty": "", "blank": " ", "control": "Gus\n(host)", "override": "Gus\u202egro", "isolate": "\u2066Gus", "too long": strings.Repeat("ö", 257),
	} {
		t.Run(name, func(t *testing.T) {
			m := m.in(t)
			join := m.guestJoin(app, bad)
			if got := m.refusal(join); got.Reason != protocol.ReasonInvalidName || got.Field != "display_name" {
				t.Errorf("%s", told(got))
			}
			join.DisplayName = strings.Repeat("ö", 256) // The token was not used up.
			m.enter("Gus", join)
		})
	}
	first, second := m.guest(app, "olga"), m.guest(app, "olga")
	if first.id() == second.id() {
		t.Error("two guests of one name are one participant")
	}
	roster, err := host.Roster(host.soon())
	host.do(err)
	var names []string
	for _, p := range roster {
		if p.DisplayName == "olga" {
			names = append(names, p.Kind)
			if p.External != (p.Kind == "guest") {
				t.Errorf("%+v", p)
			}
		}
	}
	slices.Sort(names)
	if diff := cmp.Diff([]string{"guest", "guest", "org_user"}, names); diff != "" {
		t.Errorf("who is called olga (-want +got):\n%s", diff)
	}
	// Whoever comes back is who it was: there is nothing to hand in another name with.
	first.Drop()
	_, err = first.Reconnect(first.soon())
	first.do(err)
	await(host, protocol.TypeParticipantUpdated, func(p protocol.Participant) bool {
		return p.ParticipantID == first.id() && p.Connected && p.DisplayName == "olga" && p.External
	})
}

// In the lobby, the roster, the chat and at tiles the server says who is external.
func TestRule_J7_GuestsAreLabelledExternal(t *testing.T) {
	t.Parallel()
	h := newHouse(t, usualRig.get(t), nil)
	m, app := h.meeting(fields{"invited": []string{"ivy"}, "lobby_bypass": "invited"}), h.application(nil)
	host := m.user("olga")
	join := m.guestJoin(app, "Bot or not")
	join.Client = protocol.ClientInfo{Kind: "bot"}
	// A user of the organisation waits beside, for comparison.
	people := map[string]*person{"guest": m.guest(app, "bob"), "bot": m.enter("bot", join), "user": m.user("bob")}
	external := func(who string) bool { return who != "user" }

	waiting := map[string]protocol.Waiting{}
	lobby := await(host, protocol.TypeLobbyUpdated, func(l protocol.LobbyUpdated) bool { return len(l.Waiting) == len(people) })
	for _, w := range lobby.Waiting {
		waiting[w.ParticipantID] = w
	}
	host.do(host.AdmitAll(host.soon()))
	var shown struct {
		Participants []struct {
			ID       string `json:"participant_id"`
			External bool   `json:"external"`
		} `json:"participants"`
	}
	for who, p := range people {
		p.awaitState(protocol.StateAdmitted)
		await(host, protocol.TypeParticipantJoined, func(got protocol.Participant) bool {
			return got.ParticipantID == p.id() && got.External == external(who)
		})
		host.mu.Lock()
		clear(host.taken) // They are admitted in any order.
		host.mu.Unlock()
	}
	roster, err := host.Roster(host.soon())
	host.do(err)
	h.rig.must(t, http.StatusOK, h.token("olga", "org_user"), http.MethodGet, "/v1/meetings/"+m.id+"/roster", nil).read(t, &shown)
	for who, p := range people {
		p.publish(mediaclient.Source{Kind: mediaclient.Audio})
		host.awaitMedia(p, mediaclient.Audio)
		p.say("I am " + who)
		want, n := external(who), 0
		if got := waiting[p.id()]; got.External != want || (got.Kind == "guest") != want {
			t.Errorf("%s in the lobby: %+v", who, got)
		}
		if got := host.awaitChat("I am " + who); got.External != want {
			t.Errorf("%s in the chat: %+v", who, got)
		}
		for _, line := range roster {
			if line.ParticipantID == p.id() {
				n++
				if line.External != want || (line.Kind == "guest") != want {
					t.Errorf("%s in the roster: %+v", who, line)
				}
			}
		}
		for _, line := range shown.Participants {
			if line.ID == p.id() {
				n++
				if line.External != want {
					t.Errorf("%s in the roster of the API: %+v", who, line)
				}
			}
		}
		if n != 2 {
			t.Errorf("%s is in %d of two rosters", who, n)
		}
		// A tile is a track of somebody in the roster, who is told with it.
		await(host, protocol.TypeParticipantUpdated, func(got protocol.Participant) bool {
			return got.ParticipantID == p.id() && len(got.Tracks) == 1 && got.External == want
		})
	}
	if a, b := waiting[people["guest"].id()], waiting[people["bot"].id()]; a.Kind != b.Kind {
		t.Errorf("a bot is shown as %q, a person as %q", b.Kind, a.Kind)
	}
}
