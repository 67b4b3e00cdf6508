package meeting

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/media/protocol"
	"github.com/anteroom/anteroom/policy"
)

func TestChatBetweenGuestsAndOrgUsers(t *testing.T) {
	bubble(t, func(k *kit) {
		u := k.user("uma")
		g := k.admitted("Gina", u)
		text := "Grüße 👩‍💻 \u202b \x00 e\u0301"
		id := g.say(text)
		got := take[protocol.ChatMessage](u.screen, protocol.TypeChatMessage)
		if len(got) != 1 || got[0].Text != text || !got[0].External || got[0].ParticipantID != g.ID().String() {
			t.Fatalf("the org user got %+v", got)
		}
		if n := len(take[protocol.ChatMessage](g.screen, protocol.TypeChatMessage)); n != 0 {
			t.Error("the sender got its own message")
		}
		u.must(protocol.TypeChatReact, protocol.ChatReact{MessageID: id, Reaction: "👍"})
		reply := u.must(protocol.TypeChatSend, protocol.ChatSend{Text: "see", ReplyTo: id, File: &protocol.FileLink{Name: "plan.pdf", URL: "https://files.example.org/plan"}}).(protocol.ChatSent)
		got = take[protocol.ChatMessage](g.screen, protocol.TypeChatMessage)
		if len(got) != 1 || got[0].ReplyTo != id || got[0].File != nil {
			t.Errorf("the guest got %+v, want the text without the file", got)
		}
		if n := len(take[protocol.ChatBy](g.screen, protocol.TypeChatReaction)); n != 0 {
			t.Error("the guest got a reaction")
		}

		unsupported := string(policy.NotSupportedForGuests)
		g.refused(protocol.TypeChatSend, protocol.ChatSend{Text: "x", ReplyTo: reply.MessageID}, unsupported)
		g.refused(protocol.TypeChatSend, protocol.ChatSend{Text: "x", File: &protocol.FileLink{Name: "a", URL: "https://a.example"}}, unsupported)
		g.refused(protocol.TypeChatReact, protocol.ChatReact{MessageID: reply.MessageID, Reaction: "👍"}, unsupported)
		g.refused(protocol.TypeChatEdit, protocol.ChatEdit{MessageID: reply.MessageID, Text: "mine"}, protocol.ReasonNotYours)
		u.refused(protocol.TypeChatDelete, protocol.ChatMessageRef{MessageID: id}, protocol.ReasonNotYours)

		g.must(protocol.TypeChatTyping, nil)
		g.must(protocol.TypeChatTyping, nil)
		if n := len(take[protocol.ChatBy](u.screen, protocol.TypeChatTyping)); n != 1 {
			t.Errorf("typing was relayed %d times within a second", n)
		}
		g.must(protocol.TypeChatRead, protocol.ChatMessageRef{MessageID: reply.MessageID})
		if n := len(take[protocol.ChatBy](u.screen, protocol.TypeChatRead)); n != 1 {
			t.Errorf("%d read receipts", n)
		}

		g.must(protocol.TypeChatEdit, protocol.ChatEdit{MessageID: id, Text: "changed"})
		if edited := take[protocol.ChatEdited](u.screen, protocol.TypeChatEdited); len(edited) != 1 || edited[0].Text != "changed" {
			t.Errorf("edited: %+v", edited)
		}
		page := u.must(protocol.TypeChatHistory, protocol.ChatHistory{}).(protocol.ChatMessages)
		if len(page.Messages) != 2 || page.Messages[0].EditedAt == "" || page.Messages[0].Reactions["👍"] != 1 || page.Messages[1].File == nil {
			t.Errorf("history: %+v", page)
		}
		g.must(protocol.TypeChatDelete, protocol.ChatMessageRef{MessageID: id})
		if n := len(take[protocol.ChatBy](u.screen, protocol.TypeChatDeleted)); n != 1 {
			t.Errorf("%d deletions", n)
		}
		if diff := cmp.Diff([]string{"see"}, u.history()); diff != "" {
			t.Error(diff)
		}
		g.refused(protocol.TypeChatEdit, protocol.ChatEdit{MessageID: id, Text: "again"}, protocol.ReasonNotFound)

		acts := []eventpb.Chat_Act{}
		for _, a := range k.acts() {
			acts = append(acts, a.Act)
		}
		want := []eventpb.Chat_Act{eventpb.Chat_ACT_SENT, eventpb.Chat_ACT_SENT, eventpb.Chat_ACT_EDITED, eventpb.Chat_ACT_DELETED}
		if diff := cmp.Diff(want, acts); diff != "" {
			t.Error(diff)
		}
	})
}

func TestHistoryOfPresenceOnly(t *testing.T) {
	bubble(t, func(k *kit) {
		u := k.user("uma")
		first := u.say("before the guest")
		g := k.admitted("Gina", u)
		u.say("one")
		changed := k.facts
		changed.Meeting.WithdrawnCapabilities = []string{"receiveChat"}
		k.m.Update(t.Context(), changed)
		hidden := u.say("while withdrawn")
		g.refused(protocol.TypeChatHistory, nil, string(policy.PolicyRestricted))
		k.m.Update(t.Context(), k.facts)
		u.say("two")
		if diff := cmp.Diff([]string{"one", "two"}, texts(take[protocol.ChatMessage](g.screen, protocol.TypeChatMessage))); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]string{"one", "two"}, g.history()); diff != "" {
			t.Error(diff)
		}
		for _, id := range []string{first, hidden} {
			g.refused(protocol.TypeChatRead, protocol.ChatMessageRef{MessageID: id}, protocol.ReasonNotFound)
			g.refused(protocol.TypeChatHistory, protocol.ChatHistory{Before: id}, protocol.ReasonNotFound)
		}
		if diff := cmp.Diff([]string{"before the guest", "one", "while withdrawn", "two"}, u.history()); diff != "" {
			t.Error(diff)
		}

		g.must(protocol.TypeLeave, nil)
		again := k.admitted("Gina", u)
		if got := again.history(); len(got) != 0 {
			t.Errorf("who comes again sees %v", got)
		}
	})
}

func TestHistoryPages(t *testing.T) {
	bubble(t, func(k *kit) {
		u := k.user("uma")
		for i := range 25 {
			u.say(fmt.Sprint(i))
			time.Sleep(time.Second)
		}
		page := u.must(protocol.TypeChatHistory, protocol.ChatHistory{Limit: 10}).(protocol.ChatMessages)
		if !page.More || page.Messages[0].Text != "15" || page.Messages[9].Text != "24" {
			t.Errorf("first page %+v", page)
		}
		page = u.must(protocol.TypeChatHistory, protocol.ChatHistory{Limit: 20, Before: page.Messages[0].MessageID}).(protocol.ChatMessages)
		if page.More || len(page.Messages) != 15 || page.Messages[0].Text != "0" {
			t.Errorf("second page %+v", page)
		}
		u.refused(protocol.TypeChatHistory, protocol.ChatHistory{Limit: 201}, protocol.ReasonInvalidField)
	})
}

func TestHistoryIsBounded(t *testing.T) {
	log := newChatLog(Config{ChatMessages: 3, ChatBytes: 10_000})
	for i := range 5 {
		log.add(&message{id: [16]byte{byte(i)}, text: "x"})
	}
	if len(log.messages) != 3 || len(log.byID) != 3 || log.messages[0].id[0] != 2 {
		t.Errorf("kept %d of %d", len(log.messages), len(log.byID))
	}
	log.add(&message{id: [16]byte{9}, text: strings.Repeat("x", 9_700)})
	if len(log.messages) != 1 || log.bytes != log.messages[0].size() {
		t.Errorf("kept %d messages of %d bytes", len(log.messages), log.bytes)
	}
	log.remove(log.messages[0])
	if log.bytes != 0 || len(log.byID) != 0 {
		t.Errorf("%d bytes are left", log.bytes)
	}
}

func TestChatTextLimits(t *testing.T) {
	bubble(t, func(k *kit) {
		u := k.user("uma")
		u.say(strings.Repeat("x", protocol.MaxTextRunes))
		u.refused(protocol.TypeChatSend, protocol.ChatSend{Text: strings.Repeat("x", protocol.MaxTextRunes+1)}, protocol.ReasonTooLarge)
		u.refused(protocol.TypeChatSend, protocol.ChatSend{Text: strings.Repeat("💬", protocol.MaxTextBytes/4+1)}, protocol.ReasonTooLarge)
		u.refused(protocol.TypeChatSend, protocol.ChatSend{Text: " \n"}, protocol.ReasonInvalidField)
		u.refused(protocol.TypeChatSend, protocol.ChatSend{Text: "x", File: &protocol.FileLink{Name: "a", URL: "javascript:alert(1)"}}, protocol.ReasonInvalidField)
		for range 30 {
			_, _ = u.ask(protocol.TypeChatSend, protocol.ChatSend{Text: "flood"})
		}
		u.refused(protocol.TypeChatSend, protocol.ChatSend{Text: "flood"}, protocol.ReasonRateLimited)
		time.Sleep(time.Second)
		u.say("later")
	})
}

func TestEverybodySeesOneOrder(t *testing.T) {
	bubble(t, func(k *kit) {
		var readers []*person
		for i := range 10 {
			readers = append(readers, k.user(fmt.Sprint("user", i)))
		}
		watcher := k.user("watcher")
		gate := make(chan struct{})
		k.notes.set(func(n *notes) { n.gate = gate })
		var senders sync.WaitGroup
		for _, p := range readers {
			for n := range 5 {
				senders.Go(func() {
					raw, _ := json.Marshal(protocol.ChatSend{Text: fmt.Sprint(p.entrant.UserID, " ", n)})
					if _, err := p.Handle(t.Context(), protocol.TypeChatSend, raw); err != nil {
						t.Error(err)
					}
				})
			}
		}
		synctest.Wait()
		k.notes.set(func(n *notes) { n.gate = nil })
		close(gate)
		senders.Wait()
		seen := texts(take[protocol.ChatMessage](watcher.screen, protocol.TypeChatMessage))
		if len(seen) != 50 {
			t.Fatalf("%d of 50 came", len(seen))
		}
		if diff := cmp.Diff(seen, watcher.history()); diff != "" {
			t.Errorf("history differs from what was relayed: %s", diff)
		}
		for _, p := range readers {
			var others []string
			for _, text := range seen {
				if !strings.HasPrefix(text, p.entrant.UserID+" ") {
					others = append(others, text)
				}
			}
			if diff := cmp.Diff(others, texts(take[protocol.ChatMessage](p.screen, protocol.TypeChatMessage))); diff != "" {
				t.Errorf("%s saw another order: %s", p.entrant.UserID, diff)
			}
		}
	})
}

func TestNoChatForGuestsInAChannel(t *testing.T) {
	bubble(t, func(k *kit) {
		u := k.user("uma")
		g := k.admitted("Gina", u)
		u.say("internal")
		if n := len(take[protocol.ChatMessage](g.screen, protocol.TypeChatMessage)); n > 0 {
			t.Error("a guest got a channel's chat")
		}
		g.refused(protocol.TypeChatSend, protocol.ChatSend{Text: "x"}, string(policy.ChannelMeeting))
		g.refused(protocol.TypeChatHistory, nil, string(policy.ChannelMeeting))
		u.must(protocol.TypeChatTyping, nil)
		if n := len(take[protocol.ChatBy](g.screen, protocol.TypeChatTyping)); n > 0 {
			t.Error("a guest saw somebody type")
		}
	}, func(f *Facts, _ *Deps) { f.Meeting.Kind = "channel" })
}

func TestGuestsLoseChatAboveItsLimit(t *testing.T) {
	bubble(t, func(k *kit) {
		u := k.user("uma")
		g := k.admitted("Gina", u)
		g.say("two members")
		v := k.user("vera")
		g.refused(protocol.TypeChatSend, protocol.ChatSend{Text: "x"}, string(policy.ChatLimitGuest))
		if pushed := take[protocol.CapabilitiesChanged](g.screen, protocol.TypeCapabilitiesChanged); len(pushed) != 1 || pushed[0].Capabilities["sendChat"].Allowed {
			t.Errorf("pushed %+v", pushed)
		}
		u.say("three members")
		v.must(protocol.TypeLeave, nil)
		u.say("two again")
		if diff := cmp.Diff([]string{"two members", "two again"}, g.history()); diff != "" {
			t.Error(diff)
		}
	}, withLimits(t, policy.Limits{Participants: 10, CallGuest: 5, ChatGuest: 2}))
}

func TestActivities(t *testing.T) {
	bubble(t, func(k *kit) {
		u, v := k.user("uma"), k.user("vera")
		g := k.admitted("Gina", u)
		v.clear()
		kinds := []string{
			protocol.ActivityReaction, protocol.ActivityRaiseHand, protocol.ActivityPoll, protocol.ActivityPollVote, protocol.ActivityQuestion,
			protocol.ActivityAnswer, protocol.ActivityTogetherMode, protocol.ActivityBreakout, protocol.ActivitySlidesLive, protocol.ActivityCaptions,
		}
		for _, kind := range kinds {
			u.must(protocol.TypeActivity, protocol.Activity{Kind: kind, ParticipantID: "forged", Data: json.RawMessage(`{"a":1}`)})
			got := take[protocol.Activity](v.screen, protocol.TypeActivity)
			want := []protocol.Activity{{Kind: kind, ParticipantID: u.ID().String(), Data: json.RawMessage(`{"a":1}`)}}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s: %s", kind, diff)
			}
			if n := len(take[protocol.Activity](g.screen, protocol.TypeActivity)); n > 0 {
				t.Errorf("a guest got %s", kind)
			}
			g.refused(protocol.TypeActivity, protocol.Activity{Kind: kind}, string(policy.NotSupportedForGuests))
		}
		if hand := take[protocol.Participant](v.screen, protocol.TypeParticipantUpdated); len(hand) != 1 || !hand[0].HandRaised {
			t.Errorf("the raised hand was told as %+v", hand)
		}
		if hand := take[protocol.Participant](g.screen, protocol.TypeParticipantUpdated); len(hand) != 0 {
			t.Errorf("a guest was told of it: %+v", hand)
		}
		late := k.admitted("Gerd", v)
		hidden := take[protocol.SlidesLiveHidden](g.screen, protocol.TypeSlidesLive)
		if diff := cmp.Diff([]protocol.SlidesLiveHidden{{Running: true, Reason: string(policy.NotSupportedForGuests)}}, hidden); diff != "" {
			t.Error(diff)
		}
		u.must(protocol.TypeLeave, nil)
		for _, p := range []*person{g, late} {
			if stopped := take[protocol.SlidesLiveHidden](p.screen, protocol.TypeSlidesLive); len(stopped) != 1 || stopped[0].Running {
				t.Errorf("after the presenter left: %+v", stopped)
			}
		}
		v.must(protocol.TypeBackground, protocol.BackgroundEffect{Effect: "blur"})
		g.refused(protocol.TypeBackground, protocol.BackgroundEffect{Effect: "blur"}, string(policy.NotSupportedForGuests))
	})
}

func TestChatWaitsForItsRecordAndItsTurn(t *testing.T) {
	bubble(t, func(k *kit) {
		u, v := k.user("uma"), k.user("vera")
		uma, vera := u.ID(), v.ID()
		answers := map[string]chan error{string(uma[:]): make(chan error, 1), string(vera[:]): make(chan error, 1)}
		k.notes.set(func(n *notes) {
			n.hold = func(e *eventpb.Event) chan error { return answers[string(e.GetChat().GetParticipantId())] }
		})
		watcher := k.user("wim")
		send := func(p *person, text string) chan error {
			sent := make(chan error, 1)
			go func() {
				_, err := p.Handle(t.Context(), protocol.TypeChatSend, json.RawMessage(`{"text":"`+text+`"}`))
				sent <- err
			}()
			synctest.Wait()
			return sent
		}
		relayed := func(want ...string) {
			t.Helper()
			synctest.Wait()
			if diff := cmp.Diff(append([]string{}, want...), texts(take[protocol.ChatMessage](watcher.screen, protocol.TypeChatMessage))); diff != "" {
				t.Error(diff)
			}
		}
		first, second := send(u, "first"), send(v, "second")
		answers[string(vera[:])] <- nil
		relayed() // the second is recorded, and it isn't its turn
		answers[string(uma[:])] <- nil
		relayed("first", "second")
		worked := func(sent chan error) {
			t.Helper()
			if err := <-sent; err != nil {
				t.Error(err)
			}
		}
		worked(first)
		worked(second)

		first, second = send(u, "third"), send(v, "fourth")
		answers[string(uma[:])] <- nil
		relayed("third") // the fourth isn't recorded
		answers[string(vera[:])] <- nil
		relayed("fourth")
		worked(first)
		worked(second)

		first, second = send(u, "lost"), send(v, "fifth")
		answers[string(vera[:])] <- nil
		answers[string(uma[:])] <- errDown
		relayed("fifth")
		if err := <-first; reasonOf(err) != protocol.ReasonUnavailable {
			t.Errorf("what could not be recorded: %v", err)
		}
		worked(second)
		k.notes.set(func(n *notes) { n.hold = nil })
		answers[string(uma[:])] <- nil // of the deletion that makes up for the lost one, if it asked before
	})
}
