package meeting

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/media/protocol"
	"github.com/anteroom/anteroom/policy"
)

func TestKafkaAway(t *testing.T) {
	bubble(t, func(k *kit) {
		u, v := k.user("uma"), k.user("vera")
		g := k.guest("Gina")
		k.notes.set(func(n *notes) { n.down = true })
		if _, err := k.tryJoin(orgUser("wim")); reasonOf(err) != protocol.ReasonUnavailable {
			t.Errorf("join: %v", err)
		}
		u.refused(protocol.TypeAdmit, protocol.Participants{ParticipantIDs: []string{g.ID().String()}}, protocol.ReasonUnavailable)
		g.stateIs(protocol.StateInLobby)
		u.refused(protocol.TypeChatSend, protocol.ChatSend{Text: "lost"}, protocol.ReasonUnavailable)
		if got := take[protocol.ChatMessage](v.screen, protocol.TypeChatMessage); len(got) > 0 {
			t.Errorf("relayed without being recorded: %v", got)
		}
		v.must(protocol.TypeLeave, nil)
		k.notes.set(func(n *notes) { n.down = false })
		time.Sleep(10 * time.Second)
		left := map[string]bool{}
		for _, e := range of(k.notes, (*eventpb.Event).GetParticipantLeft) {
			left[string(e.ParticipantId)] = true
		}
		id := v.ID()
		if !left[string(id[:])] {
			t.Error("the leave was lost")
		}
		u.must(protocol.TypeAdmit, protocol.Participants{ParticipantIDs: []string{g.ID().String()}})
		g.stateIs(protocol.StateAdmitted)
	})
}

func TestBypassTriesAgainWhileKafkaIsAway(t *testing.T) {
	bubble(t, func(k *kit) {
		u := k.user("uma")
		g := k.guest("Gina")
		k.notes.set(func(n *notes) { n.down = true })
		changed := k.facts
		changed.Meeting.LobbyBypass = "everyone"
		k.m.Update(t.Context(), changed)
		time.Sleep(3 * time.Second)
		g.stateIs(protocol.StateInLobby)
		k.notes.set(func(n *notes) { n.down = false })
		time.Sleep(10 * time.Second)
		synctest.Wait()
		g.stateIs(protocol.StateAdmitted)
		u.stateIs(protocol.StateAdmitted)
	})
}

func TestDecisionsAreEventsOrNothingIsDone(t *testing.T) {
	bubble(t, func(k *kit) {
		u := k.user("uma")
		k.admitted("Gina", u).refused(protocol.TypeRemove, protocol.Target{ParticipantID: u.ID().String()}, string(policy.GuestNotAllowed))
		seen := map[string]int{}
		for _, d := range of(k.notes, (*eventpb.Event).GetDecision) {
			seen[d.Action+" "+d.Effect]++
			if len(d.Input) == 0 || d.PolicyRevision == "" || len(d.ParticipantId) != 16 {
				t.Errorf("incomplete decision %v", d)
			}
		}
		for _, want := range []string{"join allow", "join lobby", "use:manageLobby allow", "use:removeParticipant deny"} {
			if seen[want] == 0 {
				t.Errorf("no decision %q in %v", want, seen)
			}
		}
		k.notes.set(func(n *notes) { n.full = true })
		u.refused(protocol.TypeChatSend, protocol.ChatSend{Text: "hello"}, protocol.ReasonUnavailable)
		if _, err := k.tryJoin(orgUser("vera")); reasonOf(err) != protocol.ReasonUnavailable {
			t.Errorf("join: %v", err)
		}
	})
}
