package main

import (
	"fmt"
	"net/http"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/anteroom/anteroom/media/protocol"
)

// Several media nodes share the meetings. One that is killed, stops in order, or freezes loses its meetings to the others: everybody is back in the same
// call under the same id, who waited waits, who was removed stays removed, and nothing of it is recorded twice or lost.
func TestMeetingsMoveBetweenNodes(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes half a minute")
	}
	f := newFleet(t, 3, "ANTEROOM_MEDIA_RENEW_TOKENS=2s", "ANTEROOM_MEDIA_MEETING_RECONNECT_GRACE=15s")
	h := newHouse(t, f.rig, nil)
	app := h.application(nil)
	f.know(h, app)

	t.Run("one is killed", func(t *testing.T) {
		s := openMoving(h.in(t), app)
		owner := f.owner(s.room.id)
		owner.kill()
		s.moved(t, f, owner)
		owner.start()
		owner.awaitReady()
		s.end(t, f)
	})
	t.Run("one is stopped", func(t *testing.T) {
		s := openMoving(h.in(t), app)
		owner := f.owner(s.room.id)
		owner.stop()
		for _, p := range s.inside() {
			if ended := p.awaitEnd(); ended.Reason != protocol.ReasonShuttingDown || !ended.Resume {
				t.Errorf("%s was told %+v", p.name, ended)
			}
		}
		s.moved(t, f, owner)
		owner.start()
		owner.awaitReady()
		s.end(t, f)
	})
	t.Run("one is frozen", func(t *testing.T) {
		s := openMoving(h.in(t), app)
		owner := f.owner(s.room.id)
		owner.signal(syscall.SIGSTOP)
		for _, p := range s.inside() {
			p.Drop() // that nothing answers any more, a client notices by itself only after its patience
		}
		f.without(owner, func() { s.moved(t, f, owner) })
		owner.signal(syscall.SIGCONT)
		eventually(t, "the one that was frozen hands over", func() (bool, string) {
			n := f.metric(t, owner, "anteroom_media_meetings")
			return n == 0, fmt.Sprint(n)
		})
		s.end(t, f)
	})
}

// in is the house for a subtest.
func (h *house) in(t *testing.T) *house {
	in := *h
	in.t = t
	return &in
}

// moving is a scene with somebody who waits, too.
type moving struct {
	*scene
	waiter *person
}

func openMoving(h *house, app *application) *moving {
	s := openScene(h, app)
	m := &moving{scene: s, waiter: s.room.guest(app, "Walt")}
	if state := m.waiter.Joined().State; state != protocol.StateInLobby {
		h.t.Fatalf("who should wait is %s", state)
	}
	s.messages[s.host.say("before").MessageID] = true
	s.guest.awaitChat("before")
	s.leaver.do(s.leaver.Leave(s.leaver.soon()))
	s.host.do(s.host.Remove(s.host.soon(), s.outcast.id()))
	s.left, s.out = confirmed, confirmed
	await[protocol.ResumeTokenIssued](s.host, protocol.TypeResumeToken, nil)
	return m
}

func (m *moving) inside() []*person { return []*person{m.host, m.guest, m.waiter} }

// moved has everybody come back at once, and looks at what they find.
func (m *moving) moved(t *testing.T, f *fleet, from *process) {
	t.Helper()
	ids := map[*person]string{}
	for _, p := range m.inside() {
		ids[p] = p.id()
	}
	var mu sync.Mutex
	longest := time.Duration(0)
	found := map[*person]protocol.Joined{}
	var back sync.WaitGroup
	for _, p := range m.inside() {
		back.Go(func() {
			joined, took := p.comeBack()
			mu.Lock()
			defer mu.Unlock()
			found[p], longest = joined, max(longest, took)
		})
	}
	back.Wait()
	t.Logf("everybody was back on another node after %s", longest.Round(time.Millisecond))
	states := map[*person]string{m.host: protocol.StateAdmitted, m.guest: protocol.StateAdmitted, m.waiter: protocol.StateInLobby}
	for p, joined := range found {
		if !joined.Resumed || joined.ParticipantID != ids[p] || joined.CallID != m.call {
			t.Errorf("%s came back as %+v, was participant %s of call %s", p.name, joined, ids[p], m.call)
		}
		if joined.State != states[p] {
			m.awaitOrFail(t, p, states[p])
		}
	}
	for _, gone := range []*person{m.leaver, m.outcast} {
		_, err := gone.Reconnect(gone.soon())
		wantReason(t, gone.name+" comes back", err, protocol.ReasonResumeExpired)
	}
	if now := f.owner(m.room.id); now == from {
		t.Error("the meeting is where it was")
	}
	for _, p := range []*person{m.host, m.guest} {
		m.messages[p.say("after it, from "+p.name).MessageID] = true
	}
	m.guest.awaitChat("after it, from " + m.host.name)
	m.host.do(m.host.Admit(m.host.soon(), m.waiter.id()))
	m.waiter.awaitState(protocol.StateAdmitted)
}

// awaitOrFail waits for a state that somebody who came back before the others gets once these are back.
func (m *moving) awaitOrFail(t *testing.T, p *person, state string) {
	t.Helper()
	p.awaitState(state)
}

// end ends the meeting by way of a node that doesn't have it, and looks at what is recorded.
func (m *moving) end(t *testing.T, f *fleet) {
	t.Helper()
	owner := f.owner(m.room.id)
	for _, node := range f.nodes {
		at := *f.rig
		at.url = node.url()
		var roster struct {
			Running      bool  `json:"running"`
			Participants []any `json:"participants"`
		}
		at.must(t, http.StatusOK, m.room.house.admin, http.MethodGet, "/v1/meetings/"+m.room.id+"/roster", nil).read(t, &roster)
		if !roster.Running || len(roster.Participants) != 3 {
			t.Errorf("%s shows %+v", node.name, roster)
		}
	}
	for _, node := range f.nodes {
		if node == owner {
			continue
		}
		at := *f.rig
		at.url = node.url()
		at.must(t, http.StatusNoContent, m.room.house.token(organizer, "org_user"), http.MethodPost, "/v1/meetings/"+m.room.id+"/end", nil)
		break
	}
	m.settled("meeting_ended")
}
