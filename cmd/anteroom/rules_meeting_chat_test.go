package main

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/anteroom/anteroom/media/protocol"
)

// forOrgUsers has each kind of activity reach the org users, and no guest, and refuses it to guests.
func forOrgUsers(t *testing.T, capabilities map[string][]string) {
	t.Helper()
	s := newStage(t, usualRig.get(t), nil, nil)
	host, bob, guest := s.host, s.user("bob"), s.inside("Greta")
	var want []decided
	for capability, kinds := range capabilities {
		for _, kind := range kinds {
			data := json.RawMessage(fmt.Sprintf(`{"about":"%s of the users"}`, kind))
			host.do(host.Activity(host.soon(), kind, data))
			got := await(bob, protocol.TypeActivity, func(a protocol.Activity) bool { return a.Kind == kind })
			if got.ParticipantID != host.id() || string(got.Data) != string(data) {
				t.Errorf("%s: the other org user got %s %s", kind, got.ParticipantID, got.Data)
			}
			guest.refuses("not_supported_for_guests", kind, func() error { return guest.Activity(guest.soon(), kind, data) })
			if kind == protocol.ActivityRaiseHand {
				if line := bob.inRoster(host); !line.HandRaised {
					t.Error("the raised hand is not in the roster")
				}
				if line := guest.inRoster(host); line.HandRaised {
					t.Error("the guest sees the raised hand in its roster")
				}
			}
		}
		if got := guest.grant(capability); got != (protocol.Grant{Reason: "not_supported_for_guests"}) {
			t.Errorf("the guest's capability %s is %+v", capability, got)
		}
		if got := bob.grant(capability); got != (protocol.Grant{Allowed: true}) {
			t.Errorf("the org user's capability %s is %+v", capability, got)
		}
		want = append(want, allowed(host, "use:"+capability), denied(guest, "use:"+capability, "not_supported_for_guests"))
	}
	guest.silent("of org users' activities", protocol.TypeActivity)
	for _, p := range []*person{host, bob} {
		if n := count(p, protocol.TypeActivity, func(a protocol.Activity) bool { return a.ParticipantID == guest.id() }); n > 0 {
			t.Errorf("%s got %d of the guest's activities", p.name, n)
		}
		if line := p.inRoster(guest); line.HandRaised {
			t.Errorf("%s sees the guest's hand", p.name)
		}
	}
	if story := guest.story(); len(search([]byte(story), []string{"of the users", `"hand_raised":true`})) > 0 {
		t.Errorf("what the users did reached the guest: %s", story)
	}
	s.logged(s.ended(), want...)
}

// M13: reactions, raised hand, together mode and breakout rooms are for org users.
func TestRule_M13_ReactionsHandsTogetherAndBreakoutForOrgUsers(t *testing.T) {
	t.Parallel()
	forOrgUsers(t, map[string][]string{
		"useReactions":  {protocol.ActivityReaction},
		"raiseHand":     {protocol.ActivityRaiseHand, protocol.ActivityLowerHand},
		"togetherMode":  {protocol.ActivityTogetherMode},
		"breakoutRooms": {protocol.ActivityBreakout},
	})
}

// M14: polls, and questions and answers, are for org users.
func TestRule_M14_PollsAndQuestionsForOrgUsers(t *testing.T) {
	t.Parallel()
	forOrgUsers(t, map[string][]string{
		"usePolls":               {protocol.ActivityPoll, protocol.ActivityPollVote},
		"useQuestionsAndAnswers": {protocol.ActivityQuestion, protocol.ActivityAnswer},
	})
}

// M16: closed captions are for org users.
func TestRule_M16_CaptionsForOrgUsers(t *testing.T) {
	t.Parallel()
	forOrgUsers(t, map[string][]string{"closedCaptions": {protocol.ActivityCaptions}})
}

// M15: guests write, edit and delete their own, type and read; they share no files, reply to nothing and react to nothing.
func TestRule_M15_GuestsChatInText(t *testing.T) {
	t.Parallel()
	s := newStage(t, usualRig.get(t), nil, nil)
	host, bob, guest := s.host, s.user("bob"), s.inside("Greta")

	// Text, edit, delete, typing and read receipts, from a guest and from an org user, reach the others.
	for _, from := range []*person{guest, host} {
		others := []*person{bob, guest}
		if from == guest {
			others = []*person{bob, host}
		}
		from.do(from.ChatTyping(from.soon()))
		text := "Grüße 👋 von " + from.name
		sent := from.say(text)
		for _, p := range others {
			await(p, protocol.TypeChatTyping, func(b protocol.ChatBy) bool { return b.ParticipantID == from.id() })
			got := p.awaitChat(text)
			if got.MessageID != sent.MessageID || got.ParticipantID != from.id() || got.DisplayName != from.name || got.External != (from == guest) {
				t.Errorf("%s got %+v", p.name, got)
			}
		}
		from.do(from.ChatEdit(from.soon(), sent.MessageID, text+" (neu)"))
		for _, p := range others {
			await(p, protocol.TypeChatEdited, func(e protocol.ChatEdited) bool { return e.MessageID == sent.MessageID && e.Text == text+" (neu)" })
		}
		reader := others[1]
		reader.do(reader.ChatRead(reader.soon(), sent.MessageID))
		await(bob, protocol.TypeChatRead, func(b protocol.ChatBy) bool { return b.ParticipantID == reader.id() && b.MessageID == sent.MessageID })
		await(from, protocol.TypeChatRead, func(b protocol.ChatBy) bool { return b.ParticipantID == reader.id() && b.MessageID == sent.MessageID })
		from.do(from.ChatDelete(from.soon(), sent.MessageID))
		for _, p := range others {
			await(p, protocol.TypeChatDeleted, func(b protocol.ChatBy) bool { return b.MessageID == sent.MessageID })
		}
		if history, err := bob.ChatHistory(bob.soon(), protocol.ChatHistory{}); err != nil || len(history.Messages) > 0 {
			t.Errorf("after deleting: %+v %v", history, err)
		}
	}

	// Replies, reactions and files: org users'.
	first := host.say("which of these?")
	guest.awaitChat("which of these?")
	file := &protocol.FileLink{Name: "plan.pdf", URL: "https://files.example/plan.pdf"}
	if _, err := bob.ChatSend(bob.soon(), protocol.ChatSend{Text: "this one", ReplyTo: first.MessageID, File: file}); err != nil {
		t.Errorf("an org user replies with a file: %s", told(err))
	}
	if got := host.awaitChat("this one"); got.ReplyTo != first.MessageID || got.File == nil || *got.File != *file {
		t.Errorf("the other org user got %+v", got)
	}
	if got := guest.awaitChat("this one"); got.File != nil {
		t.Errorf("the guest got the file %+v", got)
	}
	bob.do(bob.ChatReact(bob.soon(), first.MessageID, "like"))
	await(host, protocol.TypeChatReaction, func(b protocol.ChatBy) bool { return b.ParticipantID == bob.id() && b.Reaction == "like" })

	send := func(m protocol.ChatSend) func() error {
		return func() error { _, err := guest.ChatSend(guest.soon(), m); return err }
	}
	guest.refuses("not_supported_for_guests", "reply", send(protocol.ChatSend{Text: "me too", ReplyTo: first.MessageID}))
	guest.refuses("not_supported_for_guests", "file", send(protocol.ChatSend{Text: "see here", File: file}))
	guest.refuses("not_supported_for_guests", "react", func() error { return guest.ChatReact(guest.soon(), first.MessageID, "like") })
	guest.refuses("not_your_message", "edit another's", func() error { return guest.ChatEdit(guest.soon(), first.MessageID, "mine now") })
	guest.refuses("not_your_message", "delete another's", func() error { return guest.ChatDelete(guest.soon(), first.MessageID) })
	bob.refuses("not_your_message", "edit another's", func() error { return bob.ChatEdit(bob.soon(), first.MessageID, "mine now") })
	guest.silent("of reactions", protocol.TypeChatReaction)
	if story := guest.story(); len(search([]byte(story), []string{"plan.pdf"})) > 0 {
		t.Errorf("the file reached the guest: %s", story)
	}
	for _, p := range []*person{host, bob} {
		if n := count(p, protocol.TypeChatMessage, func(m protocol.ChatMessage) bool { return m.Text == "me too" || m.Text == "see here" }); n > 0 {
			t.Errorf("what was refused reached %s", p.name)
		}
	}
	history, err := host.ChatHistory(host.soon(), protocol.ChatHistory{})
	if host.do(err); len(history.Messages) != 2 || history.Messages[0].Text != "which of these?" {
		t.Errorf("the history has %+v", history.Messages)
	}
	s.logged(s.ended(), allowed(guest, "use:sendChat"), allowed(guest, "use:editChat"), allowed(guest, "use:deleteChat"), allowed(guest, "use:sendTyping"),
		allowed(guest, "use:sendReadReceipts"), denied(guest, "use:replyChat", "not_supported_for_guests"),
		denied(guest, "use:shareFile", "not_supported_for_guests"), denied(guest, "use:reactChat", "not_supported_for_guests"),
		allowed(bob, "use:replyChat"), allowed(bob, "use:shareFile"), allowed(bob, "use:reactChat"))
}
