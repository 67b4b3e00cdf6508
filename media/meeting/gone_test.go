package meeting

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/media/protocol"
)

// ledger is a Gone that remembers in memory; identity's, with a file, is tried with the whole service.
type ledger struct {
	mu   sync.Mutex
	gone []uuid.UUID
	fail bool
	// gate is what a write waits for, if there is one.
	gate chan struct{}
}

var errDisk = errors.New("the disk is full")

func (l *ledger) Revoke(_ context.Context, id uuid.UUID) error {
	l.mu.Lock()
	gate := l.gate
	l.mu.Unlock()
	if gate != nil {
		<-gate
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fail {
		return errDisk
	}
	l.gone = append(l.gone, id)
	return nil
}

func (l *ledger) has(id uuid.UUID) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Contains(l.gone, id)
}

func (l *ledger) set(f func(*ledger)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f(l)
}

func withLedger(l *ledger) option { return func(_ *Facts, d *Deps) { d.Gone = l } }

// Whoever left, was removed, rejected or away for too long is written down before anybody is told, and so is the end of the call.
func TestGoneIsWrittenBeforeItIsTold(t *testing.T) {
	l := new(ledger)
	bubble(t, func(k *kit) {
		u := k.user("uma")
		leaver, removed, away := k.admitted("Lea", u), k.admitted("Rene", u), k.admitted("Abe", u)
		rejected, late := k.guest("Jon"), k.guest("Lotte")
		away.Disconnected(away.screen)
		gate := make(chan struct{})
		l.set(func(l *ledger) { l.gate = gate })
		var asked sync.WaitGroup
		ask := func(p *person, typ string, body any) {
			raw, err := json.Marshal(body)
			if err != nil {
				t.Fatal(err)
			}
			asked.Go(func() {
				if _, err := p.Handle(t.Context(), typ, raw); err != nil {
					t.Errorf("%s: %v", typ, err)
				}
			})
		}
		ask(leaver, protocol.TypeLeave, struct{}{})
		ask(u, protocol.TypeRemove, protocol.Target{ParticipantID: removed.ID().String()})
		ask(u, protocol.TypeReject, protocol.Participants{ParticipantIDs: []string{rejected.ID().String()}})
		synctest.Wait()
		for _, p := range []*person{leaver, removed, rejected} {
			if p.reason() != "" {
				t.Errorf("%s was told %s before it was written down", p.entrant.DisplayName, p.reason())
			}
			if _, _, err := k.m.Resume(t.Context(), p.Ticket(), &screen{}); !errors.Is(err, ErrResumeExpired) {
				t.Errorf("%s comes back meanwhile: %v", p.entrant.DisplayName, err)
			}
		}
		l.set(func(l *ledger) { l.gate = nil })
		close(gate)
		asked.Wait()
		time.Sleep(31 * time.Minute) // the grace, and the limit of a wait
		synctest.Wait()
		got := map[string]string{}
		for _, p := range []*person{leaver, removed, rejected, away, late} {
			if l.has(p.ID()) {
				got[p.entrant.DisplayName] = p.reason()
			}
		}
		want := map[string]string{
			"Lea": "left", "Rene": protocol.ReasonRemoved, "Jon": protocol.ReasonLobbyRejected, "Abe": "", "Lotte": protocol.ReasonLobbyTimeout,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("written down, with what each was told (-want +got):\n%s", diff)
		}
		if l.has(u.ID()) || l.has(k.m.Call()) {
			t.Error("who is there, or the call, is written down as gone")
		}
		u.must(protocol.TypeEndMeeting, struct{}{})
		if !l.has(k.m.Call()) {
			t.Error("the end of the call is not written down")
		}
	}, withLedger(l))
}

// What can't be written down takes effect all the same, and whoever asked is told.
func TestGoneThatCannotBeWrittenIsAnError(t *testing.T) {
	l := &ledger{fail: true}
	bubble(t, func(k *kit) {
		u := k.user("uma")
		g, r := k.admitted("Gina", u), k.guest("Rob")
		u.refused(protocol.TypeRemove, protocol.Target{ParticipantID: g.ID().String()}, protocol.ReasonUnavailable)
		u.refused(protocol.TypeReject, protocol.Participants{ParticipantIDs: []string{r.ID().String()}}, protocol.ReasonUnavailable)
		g.stateIs(protocol.StateGone)
		r.stateIs(protocol.StateGone)
		u.refused(protocol.TypeEndMeeting, struct{}{}, protocol.ReasonUnavailable)
		<-k.m.Done()
		if k.m.EndError() == nil {
			t.Error("no error of the end")
		}
	}, withLedger(l))
}

// A stop hands the session over: nobody has left, nothing has ended, and everybody may come back under their ids.
func TestStopHandsOver(t *testing.T) {
	l := new(ledger)
	bubble(t, func(k *kit) {
		u := k.user("uma")
		g, w := k.admitted("Gina", u), k.guest("Walt")
		tickets := []Ticket{u.Ticket(), g.Ticket(), w.Ticket()}
		k.m.End(t.Context(), EndedShutdown)
		<-k.m.Done()
		for _, p := range []*person{u, g, w} {
			if p.reason() != protocol.ReasonShuttingDown || !p.ended.Resume {
				t.Errorf("%s was told %+v", p.entrant.DisplayName, p.ended)
			}
		}
		if n := len(of(k.notes, (*eventpb.Event).GetParticipantLeft)) + len(of(k.notes, (*eventpb.Event).GetCallEnded)) + len(l.gone); n != 0 {
			t.Errorf("%d ends of what goes on", n)
		}
		time.Sleep(time.Second)
		next, err := Revive(t.Context(), Config{}, k.facts, k.deps, k.m.Call())
		if err != nil {
			t.Fatal(err)
		}
		var states []string
		for _, ticket := range tickets {
			mb, j, err := next.Resume(t.Context(), ticket, &screen{})
			if err != nil || mb.ID() != ticket.Participant {
				t.Fatalf("resume: %v", err)
			}
			states = append(states, j.State)
		}
		synctest.Wait()
		if diff := cmp.Diff([]string{protocol.StateAdmitted, protocol.StateAdmitted, protocol.StateInLobby}, states); diff != "" {
			t.Errorf("states (-want +got):\n%s", diff)
		}
		next.End(t.Context(), EndedByUser)
		<-next.Done()
		got := []int{
			len(of(k.notes, (*eventpb.Event).GetCallStarted)), len(of(k.notes, (*eventpb.Event).GetParticipantJoined)),
			len(of(k.notes, (*eventpb.Event).GetParticipantLeft)), len(of(k.notes, (*eventpb.Event).GetCallEnded)),
		}
		if diff := cmp.Diff([]int{1, 2, 2, 1}, got); diff != "" {
			t.Errorf("starts, joins, leaves and ends of the call (-want +got):\n%s", diff)
		}
	}, withLedger(l))
}

// A guest who was in before and waits again, since no host is back, is recorded as having left when it goes; the join isn't recorded again.
func TestRevivedGuestThatNeverGetsBackInHasLeft(t *testing.T) {
	bubble(t, func(k *kit) {
		g := k.admitted("Gina", k.user("uma"))
		ticket := g.Ticket()
		k.m.End(t.Context(), EndedShutdown)
		<-k.m.Done()
		time.Sleep(time.Second)
		next, err := Revive(t.Context(), Config{}, k.facts, k.deps, k.m.Call())
		if err != nil {
			t.Fatal(err)
		}
		mb, j, err := next.Resume(t.Context(), ticket, &screen{})
		if err != nil || j.State != protocol.StateWaitingForHost {
			t.Fatalf("%+v, %v", j, err)
		}
		if err := mb.leave(); err != nil {
			t.Fatal(err)
		}
		next.End(t.Context(), EndedByUser)
		<-next.Done()
		left := of(k.notes, (*eventpb.Event).GetParticipantLeft)
		if joins := len(of(k.notes, (*eventpb.Event).GetParticipantJoined)); joins != 2 || len(left) != 1 || uuid.UUID(left[0].GetParticipantId()) != g.ID() {
			t.Errorf("%d joins, %d leaves", joins, len(left))
		}
	})
}

// A session that lets nobody in leaves the decisions, and nothing else.
func TestRefusalsStartNoCall(t *testing.T) {
	bubble(t, func(k *kit) {
		for range 3 {
			if _, err := k.tryJoin(guest("Gina")); reasonOf(err) != "personal_organization" {
				t.Errorf("joined: %v", err)
			}
		}
		time.Sleep(2 * time.Second)
		<-k.m.Done()
		for _, e := range k.notes.all() {
			if e.GetDecision() == nil {
				t.Errorf("%T was recorded", e.GetPayload())
			}
		}
		if n := len(of(k.notes, (*eventpb.Event).GetDecision)); n != 3 {
			t.Errorf("%d decisions", n)
		}
	}, func(f *Facts, _ *Deps) { f.Organization.Kind = "personal" })
}
