package main

import (
	"net/http"
	"slices"
	"testing"

	mediaclient "github.com/anteroom/anteroom/media/client"
	"github.com/anteroom/anteroom/media/protocol"
)

// withdrawal is where capabilities of guests are withdrawn.
type withdrawal struct {
	name string
	// set withdraws these, and gives all others back.
	set func(s *stage, capabilities []string)
}

func withdrawals() []withdrawal {
	return []withdrawal{
		{"meeting", func(s *stage, c []string) { s.change(fields{"withdrawn_capabilities": c}) }},
		{"organisation", func(s *stage, c []string) {
			s.house.changeOrg(fields{"settings": fields{"withdrawn_capabilities": c}})
		}},
		{"organiser", func(s *stage, c []string) {
			path := "/v1/organizations/" + s.house.org + "/users/" + organizer
			now := s.house.rig.must(s.t, http.StatusOK, s.house.admin, http.MethodGet, path, nil)
			s.house.rig.must(s.t, http.StatusOK, s.house.admin, http.MethodPut, path, fields{"name": organizer, "withdrawn_capabilities": c},
				"If-Match", now.header.Get("ETag"))
		}},
	}
}

// M17: the organisation, the organiser, or whoever changes the meeting, can withdraw any capability of guests. What it allowed stops at once: a
// track, a subscription, chat; org users keep theirs, and what is given back works again.
func TestRule_M17_WithdrawnCapabilitiesStopAtOnce(t *testing.T) {
	t.Parallel()
	for _, where := range withdrawals() {
		t.Run(where.name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, usualRig.get(t), nil, nil)
			bob, guest := s.user("bob"), s.inside("Greta")
			s.host.publish(mic, camera, screen)
			bob.publish(mic, camera, screen)
			s.withdrawSending(where, bob, guest)
			s.withdrawReceiving(where, bob, guest)
			s.withdrawTheRest(where, bob, guest)
			policy := func(capability string) decided { return denied(guest, "use:"+capability, "policy_restricted") }
			s.logged(s.ended(), policy("unmuteMic"), policy("turnVideoOn"), policy("shareScreen"), policy("receiveMedia"), policy("sendChat"),
				policy("receiveChat"), policy("sendTyping"), allowed(guest, "use:unmuteMic"), allowed(guest, "use:shareScreen"), allowed(guest, "use:receiveMedia"),
				allowed(bob, "use:shareScreen"), allowed(bob, "use:sendChat"))
		})
	}
}

// restricted is what a guest is told of a capability that was withdrawn.
var restricted = protocol.Grant{Reason: "policy_restricted"}

// withdrawSending withdraws one kind of media after the other.
func (s *stage) withdrawSending(where withdrawal, bob, guest *person) {
	s.t.Helper()
	sources := []mediaclient.Source{mic, camera, screen}
	pubs := guest.publish(sources...)
	kinds := []string{"audio", "video", "screen"}
	bob.gets(guest, kinds...)
	for i, capability := range []string{"unmuteMic", "turnVideoOn", "shareScreen"} {
		where.set(s, []string{capability})
		guest.awaitGrant(capability, restricted)
		stopped := await[protocol.TrackStopped](guest, protocol.TypeTrackStopped, nil)
		if want := (protocol.TrackStopped{TrackID: pubs[i].TrackID(), Kind: kinds[i], Reason: "policy_restricted"}); stopped != want {
			s.t.Errorf("%s: the guest was told %+v, want %+v", capability, stopped, want)
		}
		stops(s.t, "the guest's "+kinds[i], func() uint64 { return bob.packetsOf(guest, kinds[i]) }, func() uint64 { return bob.packetsOf(s.host, "audio") })
		for j, other := range kinds {
			if j != i {
				bob.gets(guest, other)
			}
		}
		s.host.gets(bob, kinds[i]) // an org user's goes on
		if track := bob.inRoster(guest); slices.ContainsFunc(track.Tracks, func(t protocol.Track) bool { return t.Kind == kinds[i] && !t.Muted }) {
			s.t.Errorf("%s: the roster still has the track: %+v", capability, track)
		}
		guest.do(guest.Unpublish(guest.soon(), pubs[i]))
		guest.refuses("policy_restricted", "publish "+kinds[i], func() error { return guest.tries(sources[i]) })

		where.set(s, []string{})
		guest.awaitGrant(capability, protocol.Grant{Allowed: true})
		pubs[i] = guest.publish(sources[i])[0]
		bob.gets(guest, kinds[i])
	}
}

// withdrawReceiving takes all that a guest hears and sees.
func (s *stage) withdrawReceiving(where withdrawal, bob, guest *person) {
	s.t.Helper()
	guest.gets(s.host, "audio", "video", "screen")
	where.set(s, []string{"receiveMedia"})
	guest.awaitGrant("receiveMedia", restricted)
	stops(s.t, "what the guest gets", guest.packetsIn, func() uint64 { return bob.packetsOf(s.host, "audio") })
	guest.refuses("policy_restricted", "ask for media", func() error { return guest.Receive(guest.soon()) })
	bob.gets(guest, "audio") // it still sends
	where.set(s, []string{})
	guest.awaitGrant("receiveMedia", protocol.Grant{Allowed: true})
	guest.gets(s.host, "audio", "video", "screen")
}

// withdrawTheRest takes chat, and all capabilities at once.
func (s *stage) withdrawTheRest(where withdrawal, bob, guest *person) {
	t := s.t
	t.Helper()
	say := func(p *person, text string) error {
		_, err := p.ChatSend(p.soon(), protocol.ChatSend{Text: text})
		return err
	}
	guest.do(say(guest, "while I may"))
	bob.awaitChat("while I may")
	where.set(s, []string{"sendChat", "sendTyping"})
	guest.awaitGrant("sendChat", restricted)
	guest.refuses("policy_restricted", "chat", func() error { return say(guest, "and now?") })
	guest.refuses("policy_restricted", "typing", func() error { return guest.ChatTyping(guest.soon()) })
	bob.do(say(bob, "you can still read"))
	guest.awaitChat("you can still read")
	where.set(s, []string{"receiveChat"})
	guest.awaitGrant("receiveChat", restricted)
	bob.do(say(bob, "not for guests"))
	s.host.awaitChat("not for guests")
	if n := count(guest, protocol.TypeChatMessage, func(m protocol.ChatMessage) bool { return m.Text == "not for guests" }); n > 0 {
		t.Error("the guest got a message that it may not receive")
	}
	guest.refuses("policy_restricted", "history", func() error { _, err := guest.ChatHistory(guest.soon(), protocol.ChatHistory{}); return err })
	if got := s.house.rig.ask(t, "", http.MethodGet, "/v1/meetings/"+s.id+"/messages", nil, "Anteroom-Participant-Token", guest.ResumeToken()); got.status != http.StatusForbidden {
		t.Errorf("history by the API: %d %s", got.status, got.body)
	}
	where.set(s, []string{})
	guest.awaitGrant("receiveChat", protocol.Grant{Allowed: true})
	history, err := guest.ChatHistory(guest.soon(), protocol.ChatHistory{})
	guest.do(err)
	if slices.ContainsFunc(history.Messages, func(m protocol.ChatMessage) bool { return m.Text == "not for guests" }) {
		t.Error("the history has what the guest was not allowed to receive")
	}

	// All that guests have, at once; who comes in later has none of it either.
	grants, err := guest.Capabilities(guest.soon())
	guest.do(err)
	var had []string
	for name, grant := range grants {
		if grant.Allowed {
			had = append(had, name)
		}
	}
	slices.Sort(had)
	where.set(s, had)
	guest.awaitGrant(had[0], restricted)
	late := s.inside("Lars")
	for _, name := range had {
		for _, p := range []*person{guest, late} {
			if got := p.grant(name); got != restricted {
				t.Errorf("%s: %s is %+v", p.name, name, got)
			}
		}
		if got := bob.grant(name); !got.Allowed {
			t.Errorf("an org user's %s is %+v", name, got)
		}
	}
}
