package meeting

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/media/protocol"
)

// TestManyAtOnce has members come, talk, be admitted, vanish and leave all at once; the race detector and the bubble (which fails when a
// goroutine is left) watch. In the end every join is followed by exactly one leave, and nobody is left inside.
func TestManyAtOnce(t *testing.T) {
	tape := &tapes{}
	bubble(t, func(k *kit) {
		var all sync.WaitGroup
		for n := range 24 {
			all.Go(func() {
				random := rand.New(rand.NewPCG(4, uint64(n)))
				for range 6 {
					stay(k, n, random)
				}
			})
		}
		all.Go(func() {
			for i := range 40 {
				changed := k.facts
				if i%2 == 0 {
					changed.Meeting.LobbyBypass = "everyone"
					changed.Meeting.WithdrawnCapabilities = []string{"receiveChat"}
				}
				k.m.Update(t.Context(), changed)
				k.notes.set(func(n *notes) { n.down = i%7 == 6 })
				time.Sleep(50 * time.Millisecond)
			}
			k.notes.set(func(n *notes) { n.down = false })
		})
		all.Wait()
		k.notes.set(func(n *notes) { n.down = false })
		time.Sleep(3 * time.Minute)
		if n := len(k.m.Roster()) + len(k.m.Lobby()); n != 0 {
			t.Errorf("%d are left", n)
		}
		k.m.End(t.Context(), EndedByUser)
		<-k.m.Done()
		in := map[string]int{}
		for _, e := range k.notes.all() {
			switch p := e.Payload.(type) {
			case *eventpb.Event_ParticipantJoined:
				in[string(p.ParticipantJoined.ParticipantId)]++
			case *eventpb.Event_ParticipantLeft:
				in[string(p.ParticipantLeft.ParticipantId)] = 0
			}
		}
		for _, n := range in {
			if n != 0 {
				t.Error("somebody joined and never left")
			}
		}
	}, withTapes(t, tape)...)
}

// stay is one stay of one member, from join to whatever end.
func stay(k *kit, n int, random *rand.Rand) {
	e := guest("Gina")
	if n%3 == 0 {
		e = orgUser(fmt.Sprint("user", n))
	}
	s := &screen{}
	mb, _, err := k.m.Join(k.t.Context(), e, s)
	if err != nil {
		time.Sleep(20 * time.Millisecond)
		return
	}
	mb.Ready()
	for range 12 {
		time.Sleep(time.Duration(random.IntN(20)) * time.Millisecond)
		var last string
		if got := take[protocol.ChatMessage](s, protocol.TypeChatMessage); len(got) > 0 {
			last = got[len(got)-1].MessageID
		}
		requests := []struct {
			typ  string
			body any
		}{
			{protocol.TypeChatSend, protocol.ChatSend{Text: "hello"}},
			{protocol.TypeChatRead, protocol.ChatMessageRef{MessageID: last}},
			{protocol.TypeChatHistory, nil},
			{protocol.TypeAdmitAll, nil},
			{protocol.TypeRoster, nil},
			{protocol.TypeActivity, protocol.Activity{Kind: protocol.ActivityRaiseHand}},
			{protocol.TypeStartRecording, nil},
			{protocol.TypeStopRecording, nil},
		}
		r := requests[random.IntN(len(requests))]
		body, _ := json.Marshal(r.body)
		_, _ = mb.Handle(k.t.Context(), r.typ, body)
	}
	switch random.IntN(3) {
	case 0:
		mb.Disconnected(s)
		time.Sleep(time.Duration(random.IntN(30)) * time.Second)
		again := &screen{}
		if back, _, err := k.m.Resume(k.t.Context(), mb.Ticket(), again); err == nil {
			back.Ready()
			_, _ = back.Handle(k.t.Context(), protocol.TypeLeave, nil)
		}
	case 1:
		mb.Disconnected(s)
	default:
		_, _ = mb.Handle(k.t.Context(), protocol.TypeLeave, nil)
	}
}
