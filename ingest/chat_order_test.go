package ingest_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/anteroom/anteroom/event/eventpb"
)

// told is one act of a made-up meeting: on which message, and who was shown it.
type told struct {
	Message int
	Act     string
	Shown   []int
}

// TestOrderOfChatRecordsDoesNotMatter makes up meetings and produces what was done in them in any order, some of it twice, in batches of any size:
// what can be read in the end is what was done last.
func TestOrderOfChatRecordsDoesNotMatter(t *testing.T) {
	h := newHouse(t)
	h.home.cfg.FlushInterval, h.far.cfg.FlushInterval = 1, 1 // batches are what fetches bring
	h.home.start(t)
	h.far.start(t)
	rapid.Check(t, func(rt *rapid.T) {
		m := h.meeting()
		guests := []guest{h.guest(h.home), h.guest(h.far), h.guest(h.far)}
		acts := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) told {
			return told{
				Message: rapid.IntRange(0, 4).Draw(rt, "message"),
				Act:     rapid.SampledFrom([]string{"send", "send", "edit", "delete"}).Draw(rt, "act"),
				Shown:   rapid.SliceOfNDistinct(rapid.IntRange(0, len(guests)-1), 0, len(guests), rapid.ID).Draw(rt, "shown"),
			}
		}), 1, 14).Draw(rt, "acts")
		events, thread, copies := m.play(t, guests, acts)
		again := rapid.SliceOfN(rapid.IntRange(0, len(events)-1), 0, 5).Draw(rt, "again")
		for _, i := range again {
			double := proto.CloneOf(events[i])
			if rapid.Bool().Draw(rt, "by another node") {
				double.Source += "/again"
			}
			events = append(events, double)
		}
		events = rapid.Permutation(events).Draw(rt, "order")
		for len(events) > 0 {
			n := rapid.IntRange(1, len(events)).Draw(rt, "batch")
			h.home.produce(t, events[:n]...)
			events = events[n:]
		}
		h.home.caughtUp(t)
		h.far.caughtUp(t)
		if diff := cmp.Diff(thread, m.thread(t)); diff != "" {
			rt.Errorf("thread (-want +got):\n%s", diff)
		}
		for i, g := range guests {
			if got := m.copied(t, g); got != copies[i] {
				rt.Errorf("the copy of guest %d says %q, want %q", i, got, copies[i])
			}
		}
	})
	for _, p := range []*place{h.home, h.far} {
		if n := p.count(t, "SELECT count() FROM dead_letters"); n != 0 {
			t.Errorf("%d dead letters in %s", n, p.name)
		}
	}
}

// play makes the events of what was done, and says what can be read afterwards. Acts on messages that aren't there are left out.
func (m *meeting) play(t *testing.T, guests []guest, acts []told) (events []*eventpb.Event, thread []string, copies []string) {
	t.Helper()
	type state struct {
		*said
		text    string
		deleted bool
	}
	messages := map[int]*state{}
	var order []*state
	heads := make([]*state, len(guests))
	for i, a := range acts {
		msg := messages[a.Message]
		text := fmt.Sprintf("%s-%d", strings.Repeat("x", i%3), i)
		switch {
		case a.Act == "send" && msg == nil:
			var shown []guest
			for _, g := range a.Shown {
				shown = append(shown, guests[g])
			}
			s, e := m.sent(t, text, shown...)
			msg = &state{said: s, text: text}
			messages[a.Message], order, events = msg, append(order, msg), append(events, e)
			for _, g := range a.Shown {
				heads[g] = msg
			}
		case a.Act == "edit" && msg != nil && !msg.deleted:
			msg.text = text
			events = append(events, m.edited(t, msg.said, text))
		case a.Act == "delete" && msg != nil && !msg.deleted:
			msg.deleted = true
			events = append(events, m.deleted(t, msg.said))
		}
	}
	if len(events) == 0 { // nothing was there to edit
		_, e := m.sent(t, "only")
		return []*eventpb.Event{e}, []string{"only"}, make([]string, len(guests))
	}
	thread = []string{}
	for _, msg := range order {
		if !msg.deleted {
			thread = append(thread, msg.text)
		}
	}
	for _, head := range heads {
		if head == nil || head.deleted {
			copies = append(copies, "")
		} else {
			copies = append(copies, head.text)
		}
	}
	return slices.Clip(events), thread, copies
}
