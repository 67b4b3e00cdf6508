package main

import (
	"net/http"
	"testing"

	"github.com/anteroom/anteroom/media/protocol"
)

// M3: guests decide about nobody else, nor end the meeting; org users do.
func TestRule_M3_GuestsDecideAboutNobody(t *testing.T) {
	t.Parallel()
	s := newStage(t, usualRig.get(t), nil, nil)
	host, bob, guest, other := s.host, s.user("bob"), s.inside("Greta"), s.inside("Otto")
	host.publish(mic)
	other.publish(mic)
	guest.gets(host, "audio")
	bob.gets(other, "audio")
	waits, rejected, late := s.guest(s.app, "Wanda"), s.guest(s.app, "Rolf"), s.guest(s.app, "Lara")

	for what, act := range map[string]func() error{
		"see the lobby": func() error { _, err := guest.Lobby(guest.soon()); return err },
		"admit":         func() error { return guest.Admit(guest.soon(), waits.id()) },
		"admit all":     func() error { return guest.AdmitAll(guest.soon()) },
		"reject":        func() error { return guest.Reject(guest.soon(), rejected.id()) },
		"add":           func() error { return guest.AddParticipant(guest.soon(), "carol") },
		"remove":        func() error { return guest.Remove(guest.soon(), other.id()) },
		"mute":          func() error { return guest.Mute(guest.soon(), other.id()) },
		"mute a user":   func() error { return guest.Mute(guest.soon(), host.id()) },
		"end":           func() error { return guest.EndMeeting(guest.soon()) },
	} {
		guest.refuses("guest_not_allowed", what, act)
	}
	// By the API it is nobody.
	for _, header := range [][]string{nil, {"Anteroom-Participant-Token", guest.ResumeToken()}} {
		if got := s.house.rig.ask(t, "", http.MethodPost, "/v1/meetings/"+s.id+"/end", nil, header...); got.status != http.StatusUnauthorized {
			t.Errorf("end by the API: %d %s", got.status, got.body)
		}
	}
	guest.silent("of the lobby", protocol.TypeLobbyUpdated, protocol.TypeInvited)
	for _, w := range []*person{waits, rejected, late} {
		w.silent("while guests try", protocol.TypeState, protocol.TypeEnded)
	}
	other.silent("while guests try", protocol.TypeMuted, protocol.TypeEnded)
	bob.gets(other, "audio")
	guest.gets(host, "audio")

	// The same by org users works and reaches the others.
	bob.do(bob.Admit(bob.soon(), waits.id()))
	waits.awaitState(protocol.StateAdmitted)
	joined := func(who *person) func(protocol.Participant) bool {
		return func(p protocol.Participant) bool { return p.ParticipantID == who.id() }
	}
	await(guest, protocol.TypeParticipantJoined, joined(waits))
	bob.do(bob.Reject(bob.soon(), rejected.id()))
	if ended := rejected.awaitEnd(); ended.Reason != protocol.ReasonLobbyRejected {
		t.Errorf("rejected: %+v", ended)
	}
	bob.do(bob.AdmitAll(bob.soon()))
	late.awaitState(protocol.StateAdmitted)
	bob.do(bob.AddParticipant(bob.soon(), "carol"))
	if invited := await[protocol.Invited](host, protocol.TypeInvited, nil); invited.User != "carol" || invited.By != bob.id() {
		t.Errorf("told of %+v", invited)
	}
	bob.do(bob.Mute(bob.soon(), other.id()))
	if muted := await[protocol.Muted](other, protocol.TypeMuted, nil); muted.By != bob.id() {
		t.Errorf("muted: %+v", muted)
	}
	await(guest, protocol.TypeParticipantUpdated, func(p protocol.Participant) bool {
		return p.ParticipantID == other.id() && len(p.Tracks) == 1 && p.Tracks[0].Muted
	})
	stops(t, "who was muted", func() uint64 { return bob.packetsOf(other, "audio") }, func() uint64 { return bob.packetsOf(host, "audio") })
	bob.do(bob.Remove(bob.soon(), other.id()))
	if ended := other.awaitEnd(); ended.Reason != protocol.ReasonRemoved {
		t.Errorf("removed: %+v", ended)
	}
	await(guest, protocol.TypeParticipantLeft, func(l protocol.ParticipantLeft) bool {
		return l.ParticipantID == other.id() && l.Reason == protocol.ReasonRemoved
	})
	bob.do(bob.EndMeeting(bob.soon()))
	for _, p := range []*person{guest, waits, late, host, bob} {
		if ended := p.awaitEnd(); ended.Reason != protocol.ReasonMeetingEnded {
			t.Errorf("%s: %+v", p.name, ended)
		}
	}
	var want []decided
	for _, capability := range []string{"manageLobby", "addParticipant", "removeParticipant", "muteOthers", "hangUpForEveryone"} {
		want = append(want, denied(guest, "use:"+capability, "guest_not_allowed"), allowed(bob, "use:"+capability))
	}
	call := bob.Joined().CallID
	awaitEnded(s.house, call)
	s.logged(call, want...)
}

// M4: guests neither record nor transcribe; org users do.
func TestRule_M4_GuestsNeitherRecordNorTranscribe(t *testing.T) {
	t.Parallel()
	s := newStage(t, usualRig.get(t), nil, nil)
	host, bob, guest := s.host, s.user("bob"), s.inside("Greta")
	host.publish(mic)
	guest.gets(host, "audio")
	acts := func(p *person) []func() error {
		return []func() error{
			func() error { return p.StartRecording(p.soon()) }, func() error { return p.StartTranscription(p.soon()) },
			func() error { return p.StopRecording(p.soon()) }, func() error { return p.StopTranscription(p.soon()) },
		}
	}
	notices := []string{"recording_started", "transcription_started", "recording_stopped", "transcription_stopped"}
	for _, act := range acts(guest)[:2] {
		guest.refuses("guest_not_allowed", "start", act)
	}
	for _, p := range []*person{guest, host, bob} {
		p.silent("of what a guest tried", protocol.TypeNotice)
	}
	for i, act := range acts(bob) {
		if i == 2 { // both run by now
			for _, stop := range acts(guest)[2:] {
				guest.refuses("guest_not_allowed", "stop", stop)
			}
			guest.silent("of what it tried to stop", protocol.TypeEnded)
			for _, p := range []*person{guest, host, bob} {
				if n := count[protocol.Notice](p, protocol.TypeNotice, nil); n != 2 {
					t.Errorf("%s has had %d notices\n%s", p.name, n, p.story())
				}
			}
		}
		bob.do(act())
		for _, p := range []*person{guest, host, bob} {
			await(p, protocol.TypeNotice, func(n protocol.Notice) bool { return n.Kind == notices[i] })
		}
	}
	s.logged(s.ended(), denied(guest, "use:startRecording", "guest_not_allowed"), denied(guest, "use:startTranscription", "guest_not_allowed"),
		allowed(bob, "use:startRecording"), allowed(bob, "use:startTranscription"))
}

// M10: a meeting that is full says which limit it met; who is inside stays, and who waits doesn't count. The limits are those of narrowRig.
func TestRule_M10_LimitsSayWhichOneWasMet(t *testing.T) {
	t.Parallel()
	s := newStage(t, narrowRig.get(t), nil, nil)
	host, guest := s.host, s.inside("Greta")
	host.publish(mic)
	guest.publish(mic)
	host.gets(guest, "audio")
	second, third, fourth := s.guest(s.app, "Siri"), s.guest(s.app, "Tom"), s.guest(s.app, "Fred")
	// Five know the meeting, two are in it: chat is for at most two.
	guest.say("just us")
	host.awaitChat("just us")

	bob := s.user("bob")
	guest.awaitGrant("sendChat", protocol.Grant{Reason: "chat_limit_guest"})
	guest.refuses("chat_limit_guest", "chat with three", func() error {
		_, err := guest.ChatSend(guest.soon(), protocol.ChatSend{Text: "hello three"})
		return err
	})
	bob.say("among us users")
	host.awaitChat("among us users")
	guest.silent("above the limit", protocol.TypeChatMessage)
	guest.gets(host, "audio") // media goes on

	host.do(host.Admit(host.soon(), second.id()))
	second.awaitState(protocol.StateAdmitted)
	wantReason(t, "admit a fifth", host.Admit(host.soon(), third.id()), "call_limit_guest")
	if got := s.refusal(s.guestJoin(s.app, "Gaby")); got.Reason != "call_limit_guest" || got.Message == "" {
		t.Errorf("a guest to a call of four: %+v", got)
	}
	third.silent("while there is no seat", protocol.TypeEnded)
	carol, dave := s.user("carol"), s.user("dave")
	carol.say("there is room for us")
	host.awaitChat("there is room for us")
	erin := s.refusal(s.userJoin("erin"))
	if erin.Reason != "meeting_full" || erin.Message == "" {
		t.Errorf("an org user to a meeting of six: %+v", erin)
	}
	if got := s.refusal(s.guestJoin(s.app, "Gaby")); got.Reason != "meeting_full" {
		t.Errorf("a guest to a meeting of six: %+v", got)
	}
	// Who is inside stays.
	for _, p := range []*person{guest, second} {
		p.silent("in a full meeting", protocol.TypeEnded)
		p.gets(host, "audio")
	}

	// When there is room again it is given, first of all to whom the host has let in already.
	for _, p := range []*person{bob, carol, dave, second} {
		p.do(p.Leave(p.soon()))
		p.awaitEnd()
	}
	third.awaitState(protocol.StateAdmitted)
	fourth.silent("not let in by anybody", protocol.TypeState)
	third.do(third.Leave(third.soon()))
	guest.awaitGrant("sendChat", protocol.Grant{Allowed: true})
	guest.say("just us again")
	host.awaitChat("just us again")
	host.do(host.Admit(host.soon(), fourth.id()))
	fourth.awaitState(protocol.StateAdmitted)
	s.logged(s.ended(), denied(guest, "use:sendChat", "chat_limit_guest"), allowed(guest, "use:sendChat"), allowed(bob, "use:sendChat"),
		denied(third, "join", "call_limit_guest"), allowed(third, "join"), allowed(carol, "join"), allowed(dave, "join"))
}

// M11: a guest shares its screen beside a room device: it works, and administrators find a known issue recorded.
func TestRule_M11_ScreenShareBesideARoomDeviceIsRecorded(t *testing.T) {
	t.Parallel()
	for name, deviceFirst := range map[string]bool{"device first": true, "share first": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, usualRig.get(t), nil, nil)
			guest, plain := s.inside("Greta"), s.inside("Paul")
			plain.publish(mic, camera) // shares no screen
			join := s.userJoin("room-4-11")
			join.Client = protocol.ClientInfo{Kind: "room_device"}
			var device *person
			if deviceFirst {
				device = s.enter("room-4-11", join)
			}
			guest.publish(screen)
			if !deviceFirst {
				s.host.gets(guest, "screen")
				device = s.enter("room-4-11", join)
			}
			s.host.publish(screen) // an org user's is none of the issue
			for _, p := range []*person{s.host, device} {
				p.gets(guest, "screen")
			}
			device.gets(s.host, "screen")
			if line := s.host.inRoster(device); line == nil || !line.RoomDevice {
				t.Errorf("the device's line is %+v", line)
			}
			call := s.ended()
			s.logged(call, allowed(guest, "use:shareScreen"))
			var found []mark
			eventually(t, "the known issue", func() (bool, string) {
				found = nil
				for _, m := range timeline(s.house, call) {
					if m.Name == "interop_device_screen_share" {
						found = append(found, m)
					}
				}
				return len(found) > 0, "not in the timeline"
			})
			if m := found[0]; len(found) != 1 || m.Kind != "diagnostic" || m.Value != "True" || m.Lane != "screen" || m.ParticipantID != guest.id() || m.ParticipantLabel != "Anonymous" {
				t.Errorf("recorded: %+v", found)
			}
		})
	}
	// Without a device, or with a guest who calls itself one, there is no issue.
	s := newStage(t, usualRig.get(t), nil, nil)
	pretends := s.guestJoin(s.app, "Zoe")
	pretends.Client = protocol.ClientInfo{Kind: "room_device"}
	if got := s.refusal(pretends); got.Reason != protocol.ReasonInvalidField {
		t.Errorf("a guest as room device: %+v", got)
	}
	guest := s.inside("Greta")
	guest.publish(screen)
	s.host.gets(guest, "screen")
	call := s.ended()
	s.logged(call, allowed(guest, "use:shareScreen"))
	for _, m := range timeline(s.house, call) {
		if m.Name == "interop_device_screen_share" {
			t.Errorf("recorded without a device: %+v", m)
		}
	}
}
