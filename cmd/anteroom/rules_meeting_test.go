package main

import (
	"encoding/json"
	"net/http"
	"testing"

	mediaclient "github.com/anteroom/anteroom/media/client"
	"github.com/anteroom/anteroom/media/protocol"
)

// M1: in the lobby a guest has nothing, hears and sees nothing; once admitted it has audio, video, screen share and chat.
func TestRule_M1_NothingInTheLobbyMediaAndChatInside(t *testing.T) {
	t.Parallel()
	s := newStage(t, usualRig.get(t), nil, nil)
	host, bob := s.host, s.user("bob")
	host.publish(mic, camera, screen)
	guest := s.guest(s.app, "Greta")
	if got := guest.Joined(); got.State != protocol.StateInLobby || got.MeetingTitle != "" || len(got.Roster)+len(got.Notices) > 0 {
		t.Errorf("joined as %+v", got)
	}

	// The same acts by an org user work and reach the others.
	bob.publish(mic, camera)
	host.gets(bob, "audio", "video")
	bob.gets(host, "audio", "video", "screen")
	before := host.say("before you came in")
	bob.awaitChat("before you came in")

	for _, source := range []mediaclient.Source{mic, camera, screen} {
		guest.refuses("not_admitted", "publish "+source.Kind, func() error { return guest.tries(source) })
	}
	for what, act := range map[string]func() error{
		"send chat":   func() error { _, err := guest.ChatSend(guest.soon(), protocol.ChatSend{Text: "let me in"}); return err },
		"history":     func() error { _, err := guest.ChatHistory(guest.soon(), protocol.ChatHistory{}); return err },
		"edit":        func() error { return guest.ChatEdit(guest.soon(), before.MessageID, "x") },
		"typing":      func() error { return guest.ChatTyping(guest.soon()) },
		"read":        func() error { return guest.ChatRead(guest.soon(), before.MessageID) },
		"roster":      func() error { _, err := guest.Roster(guest.soon()); return err },
		"receive":     func() error { return guest.Receive(guest.soon()) },
		"raise hand":  func() error { return guest.Activity(guest.soon(), protocol.ActivityRaiseHand, nil) },
		"record":      func() error { return guest.StartRecording(guest.soon()) },
		"end meeting": func() error { return guest.EndMeeting(guest.soon()) },
		"admit":       func() error { return guest.Admit(guest.soon(), guest.id()) },
	} {
		guest.refuses("not_admitted", what, act)
	}
	grants, err := guest.Capabilities(guest.soon())
	guest.do(err)
	for name, grant := range grants {
		if grant.Allowed || grant.Reason != "not_admitted" {
			t.Errorf("in the lobby %s is %+v", name, grant)
		}
	}
	messages := func(p *person) answer {
		return s.house.rig.ask(t, "", http.MethodGet, "/v1/meetings/"+s.id+"/messages", nil, "Anteroom-Participant-Token", p.ResumeToken())
	}
	if got := messages(guest); got.status != http.StatusForbidden {
		t.Errorf("messages from the lobby: %d %s", got.status, got.body)
	}
	guest.silent("in the lobby", protocol.TypeChatMessage, protocol.TypeParticipantJoined, protocol.TypeParticipantUpdated, protocol.TypeSubscribeOffer,
		protocol.TypeActiveSpeakers, protocol.TypeChatTyping, protocol.TypeLobbyUpdated, protocol.TypeNotice)
	if n := guest.packetsIn(); n > 0 {
		t.Errorf("in the lobby %d media packets came", n)
	}
	if host.inRoster(guest) != nil {
		t.Error("who waits is in the roster")
	}

	// Admitted, it has all of it, both ways.
	host.do(host.Admit(host.soon(), guest.id()))
	if state := guest.awaitState(protocol.StateAdmitted); state.MeetingTitle == "" || len(state.Roster) != 3 {
		t.Errorf("admitted with %+v", state)
	}
	guest.gets(host, "audio", "video", "screen")
	guest.gets(bob, "audio", "video")
	guest.publish(mic, camera, screen)
	for _, other := range []*person{host, bob} {
		other.gets(guest, "audio", "video", "screen")
	}
	guest.say("Guten Tag")
	bob.awaitChat("Guten Tag")
	host.say("welcome")
	guest.awaitChat("welcome")
	history, err := guest.ChatHistory(guest.soon(), protocol.ChatHistory{})
	guest.do(err)
	if len(history.Messages) != 2 {
		t.Errorf("the guest's history has %+v, want what was said since it came in", history.Messages)
	}
	if got := messages(guest); got.status != http.StatusOK {
		t.Errorf("messages from inside: %d %s", got.status, got.body)
	}

	s.logged(s.ended(), decided{guest, "join", "lobby", "in_lobby"}, denied(guest, "use:sendChat", "not_admitted"), allowed(guest, "join"),
		allowed(guest, "use:unmuteMic"), allowed(guest, "use:turnVideoOn"), allowed(guest, "use:shareScreen"), allowed(guest, "use:sendChat"),
		denied(guest, "use:unmuteMic", "not_admitted"), denied(guest, "use:hangUpForEveryone", "not_admitted"), allowed(bob, "use:unmuteMic"))
}

// M2: after leaving, and after the end, nothing goes in or out, and what was said can't be read, by whatever way.
func TestRule_M2_NothingAfterLeavingOrTheEnd(t *testing.T) {
	t.Parallel()
	s := newStage(t, usualRig.get(t), nil, nil)
	host, bob := s.host, s.user("bob")
	leaver, stayer := s.inside("Lena"), s.inside("Stig")
	host.publish(mic)
	for _, guest := range []*person{leaver, stayer} {
		guest.publish(mic)
		host.gets(guest, "audio")
		guest.gets(host, "audio")
	}
	said := host.say("for those who are here")
	messages := func(p *person, meeting string) answer {
		return s.house.rig.ask(t, "", http.MethodGet, "/v1/meetings/"+meeting+"/messages", nil, "Anteroom-Participant-Token", p.ResumeToken())
	}
	readable := func(p *person) {
		t.Helper()
		p.awaitChat("for those who are here")
		var page protocol.ChatMessages
		got := messages(p, s.id)
		if got.read(t, &page); got.status != http.StatusOK || len(page.Messages) != 1 || page.Messages[0].MessageID != said.MessageID {
			t.Errorf("%s reads %d %s", p.name, got.status, got.body)
		}
	}
	for _, p := range []*person{leaver, stayer, bob} {
		readable(p)
	}
	other := s.house.meeting(nil)
	if got := messages(leaver, other.id); got.status != http.StatusForbidden {
		t.Errorf("another meeting's messages with this one's token: %d %s", got.status, got.body)
	}

	gone := func(p *person, media func() uint64) {
		t.Helper()
		wantGone(t, p, said.MessageID)
		if got := messages(p, s.id); got.status != http.StatusForbidden || got.code() != "not_in_meeting" {
			t.Errorf("%s reads messages: %d %s", p.name, got.status, got.body)
		}
		again := s.house.rig.dial(t, p.name+" again")
		if joined, err := again.Resume(again.soon(), p.ResumeToken()); err == nil && (joined.Resumed || joined.State == protocol.StateAdmitted) {
			t.Errorf("%s came back with its old token: %+v", p.name, joined)
		}
		if media != nil {
			stops(t, p.name+" after the end of its stay", p.packetsIn, media)
			stops(t, "what "+p.name+" still sends", func() uint64 { return host.packetsOf(p, "audio") }, media)
		}
	}
	leaver.do(leaver.Leave(leaver.soon()))
	if ended := leaver.awaitEnd(); ended.Reason != "left" {
		t.Errorf("the last word is %+v", ended)
	}
	await(host, protocol.TypeParticipantLeft, func(l protocol.ParticipantLeft) bool { return l.ParticipantID == leaver.id() && l.Reason == "left" })
	gone(leaver, func() uint64 { return stayer.packetsOf(host, "audio") })
	host.say("after you left")
	stayer.awaitChat("after you left")
	readAgain := messages(stayer, s.id)
	var page protocol.ChatMessages
	if readAgain.read(t, &page); len(page.Messages) != 2 {
		t.Errorf("who stayed reads %s", readAgain.body)
	}

	// Somebody new: it sees nothing of before.
	newcomer := s.inside("Lena")
	if newcomer.id() == leaver.id() {
		t.Error("the same participant again")
	}
	if history, err := newcomer.ChatHistory(newcomer.soon(), protocol.ChatHistory{}); err != nil || len(history.Messages) > 0 {
		t.Errorf("a newcomer reads %+v, %v", history, err)
	}

	call := s.endCall(host)
	for _, p := range []*person{stayer, newcomer, bob, host} {
		if ended := p.awaitEnd(); ended.Reason != protocol.ReasonMeetingEnded {
			t.Errorf("%s: the last word is %+v", p.name, ended)
		}
		gone(p, nil)
	}
	// A new session of the meeting brings nothing back.
	s.host = s.user(organizer)
	if s.host.Joined().CallID == call {
		t.Error("the same call again")
	}
	later := s.inside("Stig")
	for _, p := range []*person{later, s.host} {
		if history, err := p.ChatHistory(p.soon(), protocol.ChatHistory{}); err != nil || len(history.Messages) > 0 {
			t.Errorf("%s reads %+v, %v of the session before", p.name, history, err)
		}
	}
	if got := messages(stayer, s.id); got.status != http.StatusForbidden || got.code() != "not_in_meeting" {
		t.Errorf("with the token of the session before: %d %s", got.status, got.body)
	}
	awaitEnded(s.house, call)
	s.logged(call, allowed(leaver, "use:unmuteMic"), allowed(leaver, "use:receiveMedia"), allowed(leaver, "use:receiveChat"))
}

// wantGone tries to go on over a connection whose stay has ended.
func wantGone(t *testing.T, p *person, message string) {
	t.Helper()
	for what, act := range map[string]func() error{
		"send chat": func() error { _, err := p.ChatSend(p.soon(), protocol.ChatSend{Text: "one more thing"}); return err },
		"edit":      func() error { return p.ChatEdit(p.soon(), message, "x") },
		"history":   func() error { _, err := p.ChatHistory(p.soon(), protocol.ChatHistory{}); return err },
		"publish":   func() error { _, err := p.Publish(p.soon(), camera); return err },
	} {
		if act() == nil {
			t.Errorf("%s can still %s", p.name, what)
		}
	}
}

// M5: in a channel's meeting guests have audio and video, and neither send nor get chat.
func TestRule_M5_NoChatForGuestsInAChannel(t *testing.T) {
	t.Parallel()
	s := newStage(t, usualRig.get(t), nil, fields{"kind": "channel"})
	host, bob, guest := s.host, s.user("bob"), s.inside("Greta")
	host.publish(mic, camera)
	guest.publish(mic, camera)
	guest.gets(host, "audio", "video")
	host.gets(guest, "audio", "video")

	said := host.say("among colleagues")
	bob.awaitChat("among colleagues")
	bob.do(bob.ChatTyping(bob.soon()))
	await[protocol.ChatBy](host, protocol.TypeChatTyping, nil)
	bob.do(bob.ChatRead(bob.soon(), said.MessageID))
	await[protocol.ChatBy](host, protocol.TypeChatRead, nil)
	for what, act := range map[string]func() error{
		"send":    func() error { _, err := guest.ChatSend(guest.soon(), protocol.ChatSend{Text: "me too"}); return err },
		"history": func() error { _, err := guest.ChatHistory(guest.soon(), protocol.ChatHistory{}); return err },
		"typing":  func() error { return guest.ChatTyping(guest.soon()) },
		"read":    func() error { return guest.ChatRead(guest.soon(), said.MessageID) },
		"edit":    func() error { return guest.ChatEdit(guest.soon(), said.MessageID, "x") },
		"delete":  func() error { return guest.ChatDelete(guest.soon(), said.MessageID) },
	} {
		guest.refuses("channel_meeting", what, act)
	}
	guest.silent("in a channel", protocol.TypeChatMessage, protocol.TypeChatTyping, protocol.TypeChatRead)
	if n := count[protocol.ChatMessage](host, protocol.TypeChatMessage, nil); n > 0 {
		t.Errorf("the host got %d messages", n)
	}
	s.logged(s.ended(), denied(guest, "use:sendChat", "channel_meeting"), denied(guest, "use:receiveChat", "channel_meeting"),
		allowed(guest, "use:unmuteMic"), allowed(host, "use:sendChat"), allowed(bob, "use:sendTyping"))
}

// M6: no background effects for guests.
func TestRule_M6_NoBackgroundEffectsForGuests(t *testing.T) {
	t.Parallel()
	s := newStage(t, usualRig.get(t), nil, nil)
	guest := s.inside("Greta")
	s.host.do(s.host.BackgroundEffect(s.host.soon(), "blur"))
	guest.refuses("not_supported_for_guests", "blur", func() error { return guest.BackgroundEffect(guest.soon(), "blur") })
	if got := guest.grant("backgroundEffect"); got != (protocol.Grant{Reason: "not_supported_for_guests"}) {
		t.Errorf("the guest's capability is %+v", got)
	}
	call := s.ended()
	s.logged(call, allowed(s.host, "use:backgroundEffect"), denied(guest, "use:backgroundEffect", "not_supported_for_guests"))
	for _, m := range timeline(s.house, call) {
		if m.Name == "BackgroundEffect" && m.ParticipantID != s.host.id() {
			t.Errorf("recorded: %+v", m)
		}
	}
}

// M7: a webinar's roles hold for the organisation's attendees, and for guests only where the organisation enforces them.
func TestRule_M7_WebinarRolesHoldForGuestsOnlyWhenEnforced(t *testing.T) {
	t.Parallel()
	s := newStage(t, usualRig.get(t), nil, fields{"kind": "webinar", "presenters": []string{"petra"}})
	presenter, attendee, guest := s.user("petra"), s.user("bob"), s.inside("Greta")
	presenter.publish(mic, camera, screen)
	attendee.gets(presenter, "audio", "video", "screen")
	for _, source := range []mediaclient.Source{mic, camera, screen} {
		attendee.refuses("attendee_role", source.Kind, func() error { return attendee.tries(source) })
	}
	attendee.refuses("attendee_role", "record", func() error { return attendee.StartRecording(attendee.soon()) })

	// Not enforced: the guest sends like a presenter.
	pubs := guest.publish(mic, camera, screen)
	attendee.gets(guest, "audio", "video", "screen")

	s.house.changeOrg(fields{"settings": fields{"enforce_webinar_roles": true}})
	guest.awaitGrant("unmuteMic", protocol.Grant{Reason: "attendee_role"})
	for _, capability := range []string{"turnVideoOn", "shareScreen"} {
		if got := guest.grant(capability); got != (protocol.Grant{Reason: "attendee_role"}) {
			t.Errorf("%s is %+v", capability, got)
		}
	}
	for range pubs {
		if stopped := await[protocol.TrackStopped](guest, protocol.TypeTrackStopped, nil); stopped.Reason != "attendee_role" {
			t.Errorf("a track was stopped for %+v", stopped)
		}
	}
	stops(t, "the guest's media under enforced roles", func() uint64 { return attendee.packetsOf(guest, "audio") },
		func() uint64 { return attendee.packetsOf(presenter, "audio") })
	for _, source := range []mediaclient.Source{mic, camera, screen} {
		guest.refuses("attendee_role", source.Kind, func() error { return guest.tries(source) })
	}
	presenter.say("questions?") // chat is for attendees, too
	guest.awaitChat("questions?")
	guest.say("yes")
	presenter.awaitChat("yes")
	guest.gets(presenter, "audio")

	s.logged(s.ended(), denied(attendee, "use:unmuteMic", "attendee_role"), denied(guest, "use:unmuteMic", "attendee_role"), allowed(guest, "use:shareScreen"),
		allowed(presenter, "use:shareScreen"), allowed(guest, "join"))
}

// M8: the listing in the form of Microsoft Graph has no guests; the roster has.
func TestRule_M8_NoGuestsInTheOnlineMeeting(t *testing.T) {
	t.Parallel()
	s := newStage(t, usualRig.get(t), nil, fields{"invited": []string{"ivan"}})
	bob, guest := s.user("bob"), s.inside("Greta Garbo")
	organizer := s.house.token(organizer, "org_user")
	type person struct {
		Role     string `json:"role"`
		Identity struct {
			User struct {
				ID          string  `json:"id"`
				DisplayName *string `json:"displayName"`
			} `json:"user"`
		} `json:"identity"`
	}
	var listing struct {
		JoinWebURL   string `json:"joinWebUrl"`
		Participants struct {
			Organizer person   `json:"organizer"`
			Attendees []person `json:"attendees"`
		} `json:"participants"`
	}
	got := s.house.rig.must(t, http.StatusOK, organizer, http.MethodGet, "/communications/onlineMeetings/"+s.id, nil)
	got.read(t, &listing)
	ids := map[string]bool{listing.Participants.Organizer.Identity.User.ID: true}
	for _, a := range listing.Participants.Attendees {
		ids[a.Identity.User.ID] = true
	}
	if len(ids) != 3 || !ids["olga"] || !ids["ivan"] || !ids["bob"] || listing.JoinWebURL != s.joins {
		t.Errorf("the listing should have the organiser, who is invited and who is in, and the link: %s", got.body)
	}
	if hits := search(got.body, []string{"Greta", guest.id(), "sub-", s.app.id}); len(hits) > 0 {
		t.Errorf("the listing has of the guest: %q", hits)
	}

	line := bob.inRoster(guest)
	if line == nil || !line.External || line.Kind != "guest" || line.DisplayName != "Greta Garbo" {
		t.Errorf("the guest's line in the roster is %+v", line)
	}
	var roster struct {
		Participants []struct {
			ParticipantID string `json:"participant_id"`
			Kind          string `json:"kind"`
			External      bool   `json:"external"`
		} `json:"participants"`
	}
	s.house.rig.must(t, http.StatusOK, organizer, http.MethodGet, "/v1/meetings/"+s.id+"/roster", nil).read(t, &roster)
	found := false
	for _, p := range roster.Participants {
		found = found || (p.ParticipantID == guest.id() && p.Kind == "guest" && p.External)
	}
	if len(roster.Participants) != 3 || !found {
		t.Errorf("the roster has %+v", roster.Participants)
	}
}

// M9: a live presentation is not for guests: they are told that one runs, and get nothing of it.
func TestRule_M9_LiveSlidesAreHiddenFromGuests(t *testing.T) {
	t.Parallel()
	s := newStage(t, usualRig.get(t), nil, nil)
	host, bob, guest := s.host, s.user("bob"), s.inside("Greta")
	host.do(host.Activity(host.soon(), protocol.ActivitySlidesLive, json.RawMessage(`{"running":true,"page":"secret page 1"}`)))
	slides := await(bob, protocol.TypeActivity, func(a protocol.Activity) bool { return a.Kind == protocol.ActivitySlidesLive })
	if slides.ParticipantID != host.id() || len(search(slides.Data, []string{"secret page 1"})) == 0 {
		t.Errorf("the other org user got %+v", slides)
	}
	hidden := await[protocol.SlidesLiveHidden](guest, protocol.TypeSlidesLive, nil)
	if hidden != (protocol.SlidesLiveHidden{Running: true, Reason: "not_supported_for_guests"}) {
		t.Errorf("the guest was told %+v", hidden)
	}
	late := s.inside("Lars")
	if hidden := await[protocol.SlidesLiveHidden](late, protocol.TypeSlidesLive, nil); !hidden.Running {
		t.Errorf("who came later was told %+v", hidden)
	}
	guest.refuses("not_supported_for_guests", "present", func() error {
		return guest.Activity(guest.soon(), protocol.ActivitySlidesLive, json.RawMessage(`{"running":true,"page":"mine"}`))
	})
	host.do(host.Activity(host.soon(), protocol.ActivitySlidesLive, json.RawMessage(`{"running":false}`)))
	if hidden := await[protocol.SlidesLiveHidden](guest, protocol.TypeSlidesLive, nil); hidden.Running {
		t.Errorf("the guest was told %+v at the end", hidden)
	}
	for _, p := range []*person{guest, late} {
		p.silent("a live presentation", protocol.TypeActivity)
		if story := p.story(); len(search([]byte(story), []string{"secret page"})) > 0 {
			t.Errorf("%s got its content: %s", p.name, story)
		}
	}
	bob.do(bob.Ping(bob.soon()))
	if n := count(bob, protocol.TypeActivity, func(a protocol.Activity) bool { return a.ParticipantID == guest.id() }); n > 0 {
		t.Errorf("the guest's presentation reached others")
	}
	s.logged(s.ended(), allowed(host, "use:slidesLive"), denied(guest, "use:slidesLive", "not_supported_for_guests"))
}
