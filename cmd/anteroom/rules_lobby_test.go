package main

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom/anteroom/media/protocol"
	"github.com/anteroom/anteroom/policy"
)

// Without an org user in the meeting no guest comes in, with the bypass neither; one in the lobby is not in the meeting.
func TestRule_J8_GuestsWaitForAHost(t *testing.T) {
	t.Parallel()
	h := newHouse(t, usualRig.get(t), nil)
	app := h.application(nil)
	t.Run("lobby", func(t *testing.T) {
		m := h.meeting(fields{"lobby_bypass": "organizers"}).in(t)
		guest := m.guest(app, "Gus")
		waits := func(what string) {
			t.Helper()
			caps, err := guest.Capabilities(guest.soon())
			guest.do(err)
			if got := caps["sendChat"]; got.Allowed || got.Reason != protocol.ReasonNotAdmitted {
				t.Errorf("%s: sendChat %+v", what, got)
			}
		}
		if got := guest.Joined(); got.State != protocol.StateWaitingForHost || got.MeetingTitle != "" || len(got.Roster) != 0 {
			t.Errorf("alone: %+v", got)
		}
		waits("alone")
		if got := m.user("bob").Joined().State; got != protocol.StateInLobby {
			t.Fatalf("the user who shall wait: %q", got)
		}
		if n := count(guest, protocol.TypeState, func(s protocol.State) bool { return s.State != protocol.StateWaitingForHost }); n != 0 {
			t.Errorf("a user in the lobby moved the guest\n%s", guest.story())
		}
		waits("with a user in the lobby")
		host := m.user("olga")
		guest.awaitState(protocol.StateInLobby)
		inside := m.admitted(host, app, "inside")
		host.do(host.Leave(host.soon()))
		guest.awaitState(protocol.StateWaitingForHost)
		inside.say("still here")
		if got := m.guest(app, "late").Joined().State; got != protocol.StateWaitingForHost {
			t.Errorf("who comes after the host has left: %q", got)
		}
	})
	t.Run("bypass everyone", func(t *testing.T) {
		m := h.meeting(fields{"lobby_bypass": "everyone"}).in(t)
		guest := m.guest(app, "Gus")
		if got := guest.Joined().State; got != protocol.StateWaitingForHost {
			t.Errorf("alone: %q", got)
		}
		host := m.user("olga")
		guest.awaitState(protocol.StateAdmitted)
		if got := m.guest(app, "second").Joined().State; got != protocol.StateAdmitted {
			t.Errorf("with a host there: %q", got)
		}
		host.do(host.Leave(host.soon()))
		if got := m.guest(app, "third").Joined().State; got != protocol.StateWaitingForHost {
			t.Errorf("after the host has left: %q", got)
		}
		guest.say("still here")
	})
}

// Org users are told at once who waits, and admit one, admit all, or reject.
func TestRule_J9_OrgUsersAdmitAndReject(t *testing.T) {
	t.Parallel()
	h := newHouse(t, usualRig.get(t), nil)
	m, app := h.meeting(nil), h.application(nil)
	host := m.user("olga")
	waits := func(names ...string) {
		t.Helper()
		await(host, protocol.TypeLobbyUpdated, func(l protocol.LobbyUpdated) bool {
			var got []string
			for _, w := range l.Waiting {
				got = append(got, w.DisplayName+" "+w.State)
			}
			return cmp.Equal(names, got)
		})
	}
	one := m.guest(app, "one")
	waits("one in_lobby")
	two := m.guest(app, "two")
	waits("one in_lobby", "two in_lobby")
	three, four := m.guest(app, "three"), m.guest(app, "four")

	host.do(host.Admit(host.soon(), two.id()))
	admitted := two.awaitState(protocol.StateAdmitted)
	if admitted.MeetingTitle != "Consultation" || len(admitted.Roster) != 2 {
		t.Errorf("who is admitted is told %+v", admitted)
	}
	host.do(host.Reject(host.soon(), one.id()))
	if got := one.awaitState(protocol.StateRejected); got.Reason != protocol.ReasonLobbyRejected {
		t.Errorf("rejected with %q", got.Reason)
	}
	if got := one.awaitEnd(); got.Reason != protocol.ReasonLobbyRejected {
		t.Errorf("ended with %q", got.Reason)
	}
	wantReason(t, "a guest admits", two.Admit(two.soon(), three.id()), string(policy.GuestNotAllowed))
	host.do(host.AdmitAll(host.soon()))
	three.awaitState(protocol.StateAdmitted)
	four.awaitState(protocol.StateAdmitted)
	wantReason(t, "admit who waits no more", host.Admit(host.soon(), one.id()), protocol.ReasonNotFound)
}

// However often the host comes and goes, the wait in both states together has one limit.
func TestRule_J9_TheWaitHasALimit(t *testing.T) {
	t.Parallel()
	h := newHouse(t, hastyRig.get(t), nil)
	m, app := h.meeting(nil), h.application(nil)
	guest, stays := m.guest(app, "Gus"), m.user("olga")
	inside := m.admitted(stays, app, "inside")
	stays.do(stays.Leave(stays.soon()))
	for deadline := time.Now().Add(rigPatience); ; {
		host := m.user("olga")
		host.do(host.Ping(host.soon()))
		host.do(host.Leave(host.soon()))
		select {
		case <-guest.Disconnected():
		default:
			if time.Now().Before(deadline) {
				continue
			}
			t.Fatalf("the guest waits for ever\n%s", guest.story())
		}
		break
	}
	if got := guest.awaitState(protocol.StateTimeout); got.Reason != protocol.ReasonLobbyTimeout {
		t.Errorf("timed out with %q", got.Reason)
	}
	if got := guest.awaitEnd(); got.Reason != protocol.ReasonLobbyTimeout {
		t.Errorf("ended with %q", got.Reason)
	}
	if n := count(inside, protocol.TypeEnded, func(protocol.Ended) bool { return true }); n != 0 {
		t.Errorf("who was admitted timed out too\n%s", inside.story())
	}
}

// Four values on three levels: each lets in whom it names, and the most specific level that is set wins.
func TestRule_J10_WhoBypassesTheLobby(t *testing.T) {
	t.Parallel()
	bypass := map[string][]string{
		"everyone":   {"olga", "ivy", "bob", "guest"},
		"org_users":  {"olga", "ivy", "bob"},
		"invited":    {"olga", "ivy"},
		"organizers": {"olga"},
	}
	// What a more general level says meanwhile.
	others := map[string]string{"everyone": "organizers", "org_users": "everyone", "invited": "everyone", "organizers": "everyone"}
	for _, level := range []string{"organization", "organizer", "meeting"} {
		for value, let := range bypass {
			t.Run(level+" "+value, func(t *testing.T) {
				t.Parallel()
				setting := map[string]string{"organization": others[value], "organizer": others[value], level: value}
				org := fields{"settings": fields{"lobby_bypass": setting["organization"]}}
				h := newHouse(t, usualRig.get(t), org)
				if level != "organization" {
					h.changeUser(organizer, fields{"name": organizer, "lobby_bypass": setting["organizer"]})
				}
				meeting := fields{"invited": []string{"ivy"}}
				if level == "meeting" {
					meeting["lobby_bypass"] = value
				}
				m, app := h.meeting(meeting), h.application(nil)
				want, got := map[string]string{}, map[string]string{}
				for _, who := range bypass["everyone"] {
					want[who] = protocol.StateInLobby
				}
				for _, who := range let {
					want[who] = protocol.StateAdmitted
				}
				for _, who := range []string{"olga", "ivy", "bob"} {
					got[who] = m.user(who).Joined().State
				}
				got["guest"] = m.guest(app, "guest").Joined().State
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("states (-want +got):\n%s", diff)
				}
			})
		}
	}
	t.Run("nothing set", func(t *testing.T) {
		h := newHouse(t, usualRig.get(t), nil)
		m := h.meeting(nil)
		if got := m.user("bob").Joined().State; got != protocol.StateAdmitted {
			t.Errorf("a user: %q", got)
		}
		if got := m.guest(h.application(nil), "Gus").Joined().State; got != protocol.StateInLobby {
			t.Errorf("a guest: %q", got)
		}
	})
}

func TestRule_J11_NoGuestsInLiveEvents(t *testing.T) {
	t.Parallel()
	h := newHouse(t, usualRig.get(t), nil)
	app := h.application(nil)
	for kind, hosts := range map[string]bool{"live_event": false, "webinar": true, "scheduled": true} {
		t.Run(kind, func(t *testing.T) {
			m := h.meeting(fields{"kind": kind, "lobby_bypass": "everyone"}).in(t)
			if got := m.user("olga").Joined().State; got != protocol.StateAdmitted {
				t.Errorf("a user of the organisation: %q", got)
			}
			if hosts {
				if got := m.guest(app, "Gus").Joined().State; got != protocol.StateAdmitted {
					t.Errorf("a guest: %q", got)
				}
				return
			}
			if got := m.refusal(m.guestJoin(app, "Gus")); got.Reason != string(policy.LiveEvent) {
				t.Errorf("a guest: %s", told(got))
			}
		})
	}
}

// Within the grace a guest comes back as who it was; who left, was removed or was away for longer is new, and waits again.
func TestRule_J12_WhoComesBackLaterIsNew(t *testing.T) {
	t.Parallel()
	h := newHouse(t, hastyRig.get(t), nil)
	app := h.application(nil)
	gone := func(host, guest *person, reason string) {
		await(host, protocol.TypeParticipantLeft, func(l protocol.ParticipantLeft) bool {
			return l.ParticipantID == guest.id() && l.Reason == reason
		})
	}
	for name, goes := range map[string]func(t *testing.T, host, guest *person){
		"left": func(_ *testing.T, host, guest *person) {
			guest.do(guest.Leave(guest.soon()))
			gone(host, guest, "left")
		},
		"removed": func(t *testing.T, host, guest *person) {
			host.do(host.Remove(host.soon(), guest.id()))
			if got := guest.awaitEnd(); got.Reason != protocol.ReasonRemoved || got.Resume {
				t.Errorf("told %+v", got)
			}
			gone(host, guest, "removed")
		},
		"cut off for longer than the grace": func(_ *testing.T, host, guest *person) {
			guest.Drop()
			gone(host, guest, "connection_lost")
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := h.meeting(nil).in(t)
			host := m.user("olga")
			guest := m.admitted(host, app, "Gus")
			first := guest.id()
			guest.Drop()
			back, err := guest.Reconnect(guest.soon())
			guest.do(err)
			if !back.Resumed || back.ParticipantID != first || back.State != protocol.StateAdmitted {
				t.Fatalf("within the grace: %+v", back)
			}
			goes(t, host, guest)
			_, err = guest.Reconnect(guest.soon())
			wantReason(t, "the old place", err, protocol.ReasonResumeExpired)
			again := m.guest(app, "Gus")
			if got := again.Joined(); got.ParticipantID == first || got.State != protocol.StateInLobby || got.Resumed {
				t.Errorf("with a host there: %+v", got)
			}
			host.do(host.Leave(host.soon()))
			again.awaitState(protocol.StateWaitingForHost)
		})
	}
}

// An org user ends a meeting, or emptiness does. Whoever joins later is in a new session, and sees nothing of the one before.
func TestRule_J13_AMeetingEndsAndBeginsAnew(t *testing.T) {
	t.Parallel()
	h := newHouse(t, hastyRig.get(t), nil)
	app := h.application(nil)
	for name, ends := range map[string]func(m *room, host *person, others ...*person){
		"ended by an org user": func(_ *room, host *person, others ...*person) {
			host.do(host.EndMeeting(host.soon()))
			for _, p := range append(others, host) {
				if got := p.awaitEnd(); got.Reason != protocol.ReasonMeetingEnded {
					p.t.Errorf("%s: ended with %q", p.name, got.Reason)
				}
			}
		},
		"ended through the API": func(m *room, host *person, others ...*person) {
			m.endCall(host)
			for _, p := range append(others, host) {
				if got := p.awaitEnd(); got.Reason != protocol.ReasonMeetingEnded {
					p.t.Errorf("%s: ended with %q", p.name, got.Reason)
				}
			}
		},
		"empty": func(m *room, host *person, others ...*person) {
			for _, p := range append(others, host) {
				p.do(p.Leave(p.soon()))
			}
			eventually(m.house.t, "the empty meeting ends", func() (bool, string) {
				var roster struct {
					Running bool `json:"running"`
				}
				a := m.house.rig.must(m.house.t, http.StatusOK, m.house.admin, http.MethodGet, "/v1/meetings/"+m.id+"/roster", nil)
				a.read(m.house.t, &roster)
				return !roster.Running, string(a.body)
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := h.meeting(nil).in(t)
			host := m.user("olga")
			guest := m.admitted(host, app, "Gus")
			host.say("secret of the first session")
			guest.awaitChat("secret of the first session")
			call, token := guest.Joined().CallID, guest.ResumeToken()
			wantReason(t, "a guest ends the meeting", guest.EndMeeting(guest.soon()), string(policy.GuestNotAllowed))
			messages := func(token string) answer {
				return h.rig.ask(t, "", http.MethodGet, "/v1/meetings/"+m.id+"/messages", nil, "Anteroom-Participant-Token", token)
			}
			if got := messages(token); got.status != http.StatusOK {
				t.Errorf("messages while in the meeting: %d %s", got.status, got.body)
			}
			ends(m, host, guest)
			if got := messages(token); got.status != http.StatusForbidden || got.code() != "not_in_meeting" {
				t.Errorf("messages after the end: %d %s", got.status, got.body)
			}

			host = m.user("olga")
			again := m.admitted(host, app, "Gus")
			if again.Joined().CallID == call || host.Joined().CallID != again.Joined().CallID {
				t.Errorf("first session %s, then %s and %s", call, host.Joined().CallID, again.Joined().CallID)
			}
			host.say("of the second")
			again.awaitChat("of the second")
			history, err := again.ChatHistory(again.soon(), protocol.ChatHistory{})
			again.do(err)
			var texts []string
			for _, message := range history.Messages {
				texts = append(texts, message.Text)
			}
			if diff := cmp.Diff([]string{"of the second"}, texts); diff != "" {
				t.Errorf("history (-want +got):\n%s", diff)
			}
			reason := protocol.ReasonMeetingEnded
			if name == "empty" { // The guest gave its place up before the session ended.
				reason = protocol.ReasonResumeExpired
			}
			wantReason(t, "take up the place in the session that ended", resumeOf(t, h.rig, token), reason)
		})
	}
}

// resumeOf tries to take up a place.
func resumeOf(t *testing.T, r *rig, token string) error {
	t.Helper()
	p := r.dial(t, "resumes")
	joined, err := p.Resume(p.soon(), token)
	if err == nil {
		return fmt.Errorf("resumed in state %q", joined.State)
	}
	return err
}
