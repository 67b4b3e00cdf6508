package meeting

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	"github.com/anteroom/anteroom/event"
	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/media/protocol"
)

// from is a guest of another region.
func from(name, region string) Entrant {
	e := guest(name)
	e.Region = region
	return e
}

// holdChat makes records of chat wait, until release is called.
func (k *kit) holdChat() (release func()) {
	gate := make(chan struct{})
	k.notes.set(func(n *notes) {
		n.hold = func(e *eventpb.Event) chan error {
			if e.GetChat() == nil {
				return nil
			}
			answer := make(chan error, 1)
			go func() { <-gate; answer <- nil }()
			return answer
		}
	})
	return func() {
		k.notes.set(func(n *notes) { n.hold = nil })
		close(gate)
		synctest.Wait()
	}
}

// begin asks for something without waiting for the reply.
func (p *person) begin(typ string, body any) (reply chan error) {
	raw, err := json.Marshal(body)
	if err != nil {
		p.k.t.Fatal(err)
	}
	reply = make(chan error, 1)
	go func() {
		_, err := p.Handle(p.k.t.Context(), typ, raw)
		reply <- err
	}()
	synctest.Wait()
	return reply
}

var sortIDs = cmpopts.SortSlices(func(a, b uuid.UUID) bool { return bytes.Compare(a[:], b[:]) < 0 })

func TestChatIsSealedForItsRegions(t *testing.T) {
	bubble(t, func(k *kit) {
		u := k.user("uma")
		u.say("before any guest")
		home := k.admit(k.join(from("Gina", "emea")), u)
		far := k.admit(k.join(from("Gerd", "amer")), u)
		k.join(from("Gert", "apac")) // waits
		id := u.must(protocol.TypeChatSend, protocol.ChatSend{
			Text: "a plan <b>&", File: &protocol.FileLink{Name: "plan.pdf", URL: "https://files.example.org/plan"},
		}).(protocol.ChatSent).MessageID
		reply := far.say("from afar")
		u.must(protocol.TypeChatEdit, protocol.ChatEdit{MessageID: id, Text: "a better plan"})
		far.must(protocol.TypeChatDelete, protocol.ChatMessageRef{MessageID: reply})
		far.must(protocol.TypeLeave, nil)
		u.say("after")

		holders := map[string][]uuid.UUID{"emea": {home.ID()}, "amer": {far.ID()}}
		file := event.ChatContent{FileName: "plan.pdf", FileURL: "https://files.example.org/plan"}
		thread := func(text string) event.ChatContent { c := file; c.Text = text; return c }
		none := event.ChatContent{}
		want := []opened{
			{Act: eventpb.Chat_ACT_SENT, Thread: event.ChatContent{Text: "before any guest"}, Copies: map[string]event.ChatContent{}, Holders: map[string][]uuid.UUID{}},
			{
				Act: eventpb.Chat_ACT_SENT, Thread: thread("a plan <b>&"), Holders: holders,
				// The guests were not shown the file, so it goes nowhere.
				Copies: map[string]event.ChatContent{"emea": none, "amer": {Text: "a plan <b>&"}},
			},
			{
				Act: eventpb.Chat_ACT_SENT, Thread: event.ChatContent{Text: "from afar"}, Holders: holders,
				Copies: map[string]event.ChatContent{"emea": none, "amer": {Text: "from afar"}},
			},
			{
				Act: eventpb.Chat_ACT_EDITED, Thread: thread("a better plan"), Holders: map[string][]uuid.UUID{},
				Copies: map[string]event.ChatContent{"emea": none, "amer": {Text: "a better plan"}},
			},
			{Act: eventpb.Chat_ACT_DELETED, Copies: map[string]event.ChatContent{"emea": none, "amer": none}, Holders: map[string][]uuid.UUID{}},
			{
				Act: eventpb.Chat_ACT_SENT, Thread: event.ChatContent{Text: "after"}, Holders: map[string][]uuid.UUID{"emea": {home.ID()}},
				Copies: map[string]event.ChatContent{"emea": none},
			},
		}
		if diff := cmp.Diff(want, k.acts(), sortIDs); diff != "" {
			t.Errorf("recorded (-want +got):\n%s", diff)
		}
		k.checkChatEnvelope(far.entrant.Resource)
		for _, j := range of(k.notes, (*eventpb.Event).GetParticipantJoined) {
			if j.MeetingId != k.facts.Meeting.ID {
				t.Errorf("a join tells of meeting %q", j.MeetingId)
			}
		}
	})
}

// checkChatEnvelope looks at what is around the texts of all chat that was recorded.
func (k *kit) checkChatEnvelope(resource string) {
	k.t.Helper()
	sent := map[string]int64{}
	last := int64(0)
	named := false
	for _, e := range k.notes.all() {
		c := e.GetChat()
		if c == nil {
			continue
		}
		if c.MeetingId != k.facts.Meeting.ID || len(c.ParticipantId) != 16 || e.ObservedAtUs <= last {
			k.t.Errorf("%v of meeting %q at %d, after %d", c.Act, c.MeetingId, e.ObservedAtUs, last)
		}
		last = e.ObservedAtUs
		if c.Act == eventpb.Chat_ACT_SENT {
			sent[string(c.MessageId)] = e.ObservedAtUs
		}
		if c.SentAtUs != sent[string(c.MessageId)] {
			k.t.Errorf("%v says that the message was sent at %d, not %d", c.Act, c.SentAtUs, sent[string(c.MessageId)])
		}
		for _, copied := range c.Copies {
			for _, h := range copied.Holders {
				named = named || (copied.Region == "amer" && h.ResourceId == resource)
			}
		}
		raw, err := proto.Marshal(e)
		if err != nil {
			k.t.Fatal(err)
		}
		for _, text := range []string{"plan", "afar", "before", "after", "files.example"} {
			if bytes.Contains(raw, []byte(text)) {
				k.t.Errorf("%v has %q in it", c.Act, text)
			}
		}
	}
	if !named {
		k.t.Errorf("no holder of resource %s", resource)
	}
}

// Who comes while a message is being recorded is not shown it, and holds no copy; who goes meanwhile holds one, since it could have been shown it.
func TestGuestsComeAndGoWhileAMessageIsRecorded(t *testing.T) {
	bubble(t, func(k *kit) {
		u := k.user("uma")
		goes := k.admitted("Gina", u)
		late := k.guest("Gerd")
		release := k.holdChat()
		reply := u.begin(protocol.TypeChatSend, protocol.ChatSend{Text: "hello"})
		u.must(protocol.TypeAdmit, protocol.Participants{ParticipantIDs: []string{late.ID().String()}})
		goes.must(protocol.TypeLeave, nil)
		release()
		if err := <-reply; err != nil {
			t.Fatal(err)
		}
		if got := take[protocol.ChatMessage](late.screen, protocol.TypeChatMessage); len(got) != 0 || len(late.history()) != 0 {
			t.Errorf("who came late was shown %+v, and reads %v", got, late.history())
		}
		if diff := cmp.Diff(map[string][]uuid.UUID{"emea": {goes.ID()}}, k.acts()[0].Holders); diff != "" {
			t.Errorf("holders: %s", diff)
		}
		u.say("again")
		if diff := cmp.Diff([]string{"again"}, late.history()); diff != "" {
			t.Error(diff)
		}
	})
}

// A message that was nothing but a file isn't for guests, also when an edit gives it text: they hold no copy of it.
func TestAFileThatGetsTextLater(t *testing.T) {
	bubble(t, func(k *kit) {
		u := k.user("uma")
		g := k.admitted("Gina", u)
		file := &protocol.FileLink{Name: "plan.pdf", URL: "https://files.example.org/plan"}
		id := u.must(protocol.TypeChatSend, protocol.ChatSend{File: file}).(protocol.ChatSent).MessageID
		u.must(protocol.TypeChatEdit, protocol.ChatEdit{MessageID: id, Text: "see this"})
		if edited := take[protocol.ChatEdited](g.screen, protocol.TypeChatEdited); len(edited) != 0 || len(g.history()) != 0 {
			t.Errorf("the guest was told %+v, and reads %v", edited, g.history())
		}
		for _, a := range k.acts() {
			if len(a.Copies) != 0 {
				t.Errorf("copies: %+v", a)
			}
		}
	})
}

func TestWithoutAKeyNothingIsSaid(t *testing.T) {
	for _, region := range []string{"emea", "amer"} {
		t.Run(region, func(t *testing.T) {
			bubble(t, func(k *kit) {
				u := k.user("uma")
				g := k.admit(k.join(from("Gerd", "amer")), u)
				id := u.say("first")
				g.clear()
				again := k.seals.without(region)
				u.refused(protocol.TypeChatSend, protocol.ChatSend{Text: "lost"}, protocol.ReasonUnavailable)
				u.refused(protocol.TypeChatEdit, protocol.ChatEdit{MessageID: id, Text: "lost"}, protocol.ReasonUnavailable)
				time.Sleep(time.Minute)
				if n := len(of(k.notes, (*eventpb.Event).GetChat)); n != 1 || g.count() != 0 {
					t.Errorf("%d acts were recorded, %d events told", n, g.count())
				}
				again()
				u.say("second")
				if diff := cmp.Diff([]string{"first", "second"}, g.history()); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
	bubble(t, func(k *kit) {
		k.user("uma").refused(protocol.TypeChatSend, protocol.ChatSend{Text: "lost"}, protocol.ReasonUnavailable)
	}, func(_ *Facts, d *Deps) { d.Sealer = nil })
}

// An edit that didn't take effect is followed by the text that the message has, sealed when it is recorded; later edits come after it.
func TestAnEditIsMadeUpFor(t *testing.T) {
	bubble(t, func(k *kit) {
		u := k.user("uma")
		g := k.admit(k.join(from("Gerd", "amer")), u)
		id := u.say("first")
		k.notes.set(func(n *notes) { n.down = true })
		u.refused(protocol.TypeChatEdit, protocol.ChatEdit{MessageID: id, Text: "second"}, protocol.ReasonUnavailable)
		again := k.seals.without("amer")
		k.notes.set(func(n *notes) { n.down = false })
		time.Sleep(time.Minute)
		if n := len(k.acts()); n != 1 {
			t.Errorf("%d acts were recorded while a region had no key", n)
		}
		again()
		u.must(protocol.TypeChatEdit, protocol.ChatEdit{MessageID: id, Text: "third"})
		time.Sleep(time.Minute)
		latest := map[int64]opened{}
		for _, e := range k.notes.all() {
			if e.GetChat() != nil {
				latest[e.ObservedAtUs] = k.seals.open(e)
			}
		}
		var texts []string
		for _, at := range slices.Sorted(func(yield func(int64) bool) {
			for at := range latest {
				if !yield(at) {
					return
				}
			}
		}) {
			texts = append(texts, latest[at].Thread.Text+"/"+latest[at].Copies["amer"].Text)
		}
		if diff := cmp.Diff([]string{"first/first", "first/first", "third/third"}, texts); diff != "" {
			t.Errorf("texts by version: %s", diff)
		}
		if diff := cmp.Diff([]string{"third"}, g.history()); diff != "" {
			t.Error(diff)
		}
	})
}

// A deletion that may be recorded is carried through: whoever asked is told that it isn't certain yet.
func TestADeletionIsCarriedThrough(t *testing.T) {
	bubble(t, func(k *kit) {
		u := k.user("uma")
		g := k.admitted("Gina", u)
		id := u.say("regretted")
		k.notes.set(func(n *notes) { n.down = true })
		u.refused(protocol.TypeChatDelete, protocol.ChatMessageRef{MessageID: id}, protocol.ReasonUnavailable)
		if n := len(take[protocol.ChatBy](g.screen, protocol.TypeChatDeleted)); n != 1 || len(g.history()) != 0 {
			t.Errorf("%d deletions were told", n)
		}
		u.refused(protocol.TypeChatDelete, protocol.ChatMessageRef{MessageID: id}, protocol.ReasonNotFound)
		k.notes.set(func(n *notes) { n.down = false })
		time.Sleep(time.Minute)
		acts := k.acts()
		if len(acts) != 2 || acts[1].Act != eventpb.Chat_ACT_DELETED {
			t.Errorf("recorded %+v", acts)
		}
	})
}

// The largest message for readers of many regions is refused if it can't be recorded, and not taken for a passing trouble.
func TestLargestMessages(t *testing.T) {
	bubble(t, func(k *kit) {
		u := k.user("uma")
		changed := k.facts
		changed.Meeting.LobbyBypass = "everyone"
		k.m.Update(t.Context(), changed)
		regions := 0
		join := func(n int) {
			for range n {
				regions++
				name := fmt.Sprint("region-", regions)
				k.seals.mu.Lock()
				k.seals.keys[name] = k.seals.keys["emea"]
				k.seals.mu.Unlock()
				k.join(from(name, name))
			}
		}
		join(12)
		// Each zero byte takes six in JSON: no text takes more.
		u.say(strings.Repeat("\x00", protocol.MaxTextRunes))
		u.say(strings.Repeat("💬", protocol.MaxTextBytes/4))
		for _, e := range k.notes.all() {
			if n := proto.Size(e); e.GetChat() != nil && n > event.MaxBytes {
				t.Errorf("%d bytes", n)
			}
		}
		join(20)
		time.Sleep(time.Minute)
		before := len(k.acts())
		u.refused(protocol.TypeChatSend, protocol.ChatSend{Text: strings.Repeat("\x00", protocol.MaxTextRunes)}, protocol.ReasonTooLarge)
		if n := len(k.acts()); n != before {
			t.Errorf("%d acts were recorded", n-before)
		}
		u.say("short")
	})
}

// Whatever happens meanwhile, nobody is shown a message without holding a copy of it, and nobody holds one who wasn't in when it was sent.
func TestHoldersAreWhoMayBeShown(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			bubble(t, func(k *kit) { k.wander(rand.New(rand.NewPCG(seed, 5))) }, func(f *Facts, _ *Deps) { f.Meeting.LobbyBypass = "everyone" })
		})
	}
}

// wander lets guests come and go, be muted and heard, and write, while records take their time.
func (k *kit) wander(r *rand.Rand) {
	t := k.t
	u := k.user("uma")
	var inside, all []*person
	insideAt := map[string]map[uuid.UUID]bool{} // by text
	shown := map[uuid.UUID]map[string]bool{}
	look := func() {
		for _, g := range all {
			for _, msg := range take[protocol.ChatMessage](g.screen, protocol.TypeChatMessage) {
				shown[g.ID()][msg.Text] = true
			}
			if reply, err := g.ask(protocol.TypeChatHistory, protocol.ChatHistory{Limit: 200}); err == nil {
				for _, text := range texts(reply.(protocol.ChatMessages).Messages) {
					shown[g.ID()][text] = true
				}
			}
		}
	}
	var release func()
	muted := false
	for step := range 60 {
		switch r.IntN(6) {
		case 0:
			g := k.join(from(fmt.Sprint("guest ", step), []string{"emea", "amer", "apac"}[r.IntN(3)]))
			inside, all = append(inside, g), append(all, g)
			shown[g.ID()] = map[string]bool{}
		case 1:
			if len(inside) > 0 {
				i := r.IntN(len(inside))
				inside[i].must(protocol.TypeLeave, nil)
				inside = slices.Delete(inside, i, i+1)
			}
		case 2:
			changed := k.facts
			if muted = !muted; muted {
				changed.Meeting.WithdrawnCapabilities = []string{"receiveChat"}
			}
			k.m.Update(t.Context(), changed)
		case 3:
			if release == nil {
				release = k.holdChat()
			} else {
				release()
				release = nil
			}
		default:
			text := fmt.Sprint("message ", step)
			insideAt[text] = map[uuid.UUID]bool{}
			for _, g := range inside {
				insideAt[text][g.ID()] = true
			}
			author := u
			if len(inside) > 0 && r.IntN(2) == 0 {
				author = inside[r.IntN(len(inside))]
			}
			author.begin(protocol.TypeChatSend, protocol.ChatSend{Text: text})
		}
		time.Sleep(time.Second)
		synctest.Wait()
		look()
	}
	if release != nil {
		release()
	}
	k.m.Update(t.Context(), k.facts)
	time.Sleep(time.Minute)
	look()
	holders := map[string]map[uuid.UUID]bool{}
	for _, a := range k.acts() {
		if a.Act != eventpb.Chat_ACT_SENT {
			continue
		}
		holders[a.Thread.Text] = map[uuid.UUID]bool{}
		for _, ids := range a.Holders {
			for _, id := range ids {
				holders[a.Thread.Text][id] = true
				if !insideAt[a.Thread.Text][id] {
					t.Errorf("%q is held by somebody who was not in", a.Thread.Text)
				}
			}
		}
	}
	for id, seen := range shown {
		for text := range seen {
			if !holders[text][id] {
				t.Errorf("%q was shown to somebody who doesn't hold it", text)
			}
		}
	}
}
