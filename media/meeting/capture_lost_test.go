package meeting

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/media/protocol"
)

// A recording ends with its process. Whoever comes back to the next one is told, and that is recorded.
func TestRecordingOfALostProcessIsToldToHaveStopped(t *testing.T) {
	bubble(t, func(k *kit) {
		u := k.user("uma")
		g, late := k.admitted("Gina", u), k.admitted("Lotte", u)
		without := u.Ticket()
		u.must(protocol.TypeStartRecording, nil)
		tickets := map[*person]Ticket{u: u.Ticket(), g: g.Ticket(), late: late.Ticket()}
		if len(without.Holding) != 0 || len(tickets[g].Holding) != 1 {
			t.Fatalf("tickets hold %v before and %v during the recording", without.Holding, tickets[g].Holding)
		}
		k.m.End(t.Context(), EndedShutdown)
		<-k.m.Done()
		time.Sleep(time.Second)
		next, err := Revive(t.Context(), Config{}, k.facts, k.deps, k.m.Call())
		if err != nil {
			t.Fatal(err)
		}
		back := func(p *person) *person {
			s := &screen{}
			mb, j, err := next.Resume(t.Context(), tickets[p], s)
			if err != nil {
				t.Fatal(err)
			}
			mb.Ready()
			synctest.Wait()
			return &person{mb, s, k, j}
		}
		told := func(p *person) []string { return kinds(take[protocol.Notice](p.screen, protocol.TypeNotice)) }
		g2 := back(g) // waits, since no host is back
		if diff := cmp.Diff([]string{}, told(g2)); diff != "" {
			t.Errorf("who waits was told: %s", diff)
		}
		if len(g2.Ticket().Holding) != 1 {
			t.Error("a second loss would leave the guest untold")
		}
		u2 := back(u)
		synctest.Wait()
		mine, theirs := take[protocol.Notice](u2.screen, protocol.TypeNotice), take[protocol.Notice](g2.screen, protocol.TypeNotice)
		for name, got := range map[string][]protocol.Notice{"user": mine, "guest": theirs} {
			if diff := cmp.Diff([]string{"recording_stopped"}, kinds(got)); diff != "" {
				t.Fatalf("%s: %s", name, diff)
			}
		}
		if mine[0].NoticeID != theirs[0].NoticeID {
			t.Error("they were told of two stops")
		}
		recorded := 0
		for _, n := range of(k.notes, (*eventpb.Event).GetNotice) {
			if n.Kind == "recording_stopped" {
				recorded++
			}
		}
		if recorded != 2 || len(g2.Ticket().Holding) != 0 {
			t.Errorf("%d notices recorded, want 2; the ticket holds %v", recorded, g2.Ticket().Holding)
		}
		g2.must(protocol.TypeNoticeAck, protocol.NoticeAck{NoticeID: theirs[0].NoticeID})

		// It has been started anew: that notice holds for who comes back now.
		u2.must(protocol.TypeStartRecording, nil)
		late2 := back(late)
		if diff := cmp.Diff([]string{"recording_started"}, kinds(late2.joined.Notices)); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]string{}, told(late2)); diff != "" {
			t.Errorf("told of the stop of what runs: %s", diff)
		}
		next.End(t.Context(), EndedByUser)
		<-next.Done()
	}, withTapes(t, &tapes{})...)
}
