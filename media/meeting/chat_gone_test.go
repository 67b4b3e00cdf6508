package meeting

import (
	"encoding/json"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/media/protocol"
	"github.com/anteroom/anteroom/policy"
)

// What waits for Kafka while its author goes, or loses the capability, is refused, relayed to nobody, and made up for in the record. A deletion is not:
// where it is stored, what is deleted never comes back.
func TestChatOfWhoMayNoMore(t *testing.T) {
	removed := func(k *kit, by, g *person) {
		by.must(protocol.TypeRemove, protocol.Target{ParticipantID: g.ID().String()})
	}
	withdrawn := func(k *kit, _, _ *person) {
		changed := k.facts
		changed.Meeting.WithdrawnCapabilities = []string{"sendChat", "editChat", "deleteChat"}
		k.m.Update(t.Context(), changed)
		synctest.Wait()
	}
	send := func(string) (string, any) { return protocol.TypeChatSend, protocol.ChatSend{Text: "too late"} }
	edit := func(id string) (string, any) {
		return protocol.TypeChatEdit, protocol.ChatEdit{MessageID: id, Text: "too late"}
	}
	remove := func(id string) (string, any) { return protocol.TypeChatDelete, protocol.ChatMessageRef{MessageID: id} }
	sent, edited, deleted := eventpb.Chat_ACT_SENT, eventpb.Chat_ACT_EDITED, eventpb.Chat_ACT_DELETED
	for name, c := range map[string]struct {
		ask      func(id string) (string, any)
		meantime func(k *kit, by, g *person)
		reason   string
		acts     []eventpb.Chat_Act
	}{
		"send, removed":     {send, removed, protocol.ReasonNotInMeeting, []eventpb.Chat_Act{sent, deleted}},
		"edit, removed":     {edit, removed, protocol.ReasonNotInMeeting, []eventpb.Chat_Act{edited, edited}},
		"delete, removed":   {remove, removed, "", []eventpb.Chat_Act{deleted}},
		"send, withdrawn":   {send, withdrawn, string(policy.PolicyRestricted), []eventpb.Chat_Act{sent, deleted}},
		"edit, withdrawn":   {edit, withdrawn, string(policy.PolicyRestricted), []eventpb.Chat_Act{edited, edited}},
		"delete, withdrawn": {remove, withdrawn, "", []eventpb.Chat_Act{deleted}},
		"send, ended":       {send, func(k *kit, _, _ *person) { k.m.End(t.Context(), EndedByUser) }, protocol.ReasonNotInMeeting, []eventpb.Chat_Act{sent, deleted}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(k *kit) {
				u := k.user("uma")
				g := k.admitted("Gina", u)
				id := g.say("before")
				synctest.Wait()
				u.clear()
				before := len(of(k.notes, (*eventpb.Event).GetChat))
				gate := make(chan error)
				k.notes.set(func(n *notes) {
					n.hold = func(e *eventpb.Event) chan error {
						if e.GetChat() != nil {
							return gate
						}
						return nil
					}
				})
				typ, body := c.ask(id)
				raw, _ := json.Marshal(body)
				answer := make(chan error, 1)
				go func() {
					_, err := g.Handle(t.Context(), typ, raw)
					answer <- err
				}()
				synctest.Wait()
				c.meantime(k, u, g)
				k.notes.set(func(n *notes) { n.hold = nil })
				gate <- nil
				if err := <-answer; reasonOf(err) != c.reason {
					t.Errorf("refused with %v, want %s", err, c.reason)
				}
				synctest.Wait()
				relayed := len(take[protocol.ChatMessage](u.screen, protocol.TypeChatMessage)) +
					len(take[protocol.ChatEdited](u.screen, protocol.TypeChatEdited)) + len(take[protocol.ChatBy](u.screen, protocol.TypeChatDeleted))
				want, history := 0, []string{"before"}
				if c.reason == "" {
					want, history = 1, []string{}
				}
				if relayed != want {
					t.Errorf("%d were relayed", relayed)
				}
				if name != "send, ended" {
					if diff := cmp.Diff(history, u.history()); diff != "" {
						t.Error(diff)
					}
				}
				var acts []eventpb.Chat_Act
				for _, e := range of(k.notes, (*eventpb.Event).GetChat)[before:] {
					acts = append(acts, e.Act)
				}
				if diff := cmp.Diff(c.acts, acts); diff != "" {
					t.Errorf("recorded: %s", diff)
				}
			})
		})
	}
}
