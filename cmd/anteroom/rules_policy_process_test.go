package main

import (
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom/anteroom/media/protocol"
)

// Processes with the role api activate, at once too, and of two that replace the same one wins. Whoever waits in a meeting of another process is let in by what was
// activated, and told so; killed and started again, that process decides alike.
func TestPolicyActivatedInAnotherProcess(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes half a minute")
	}
	f := newFleet(t, 1)
	h := newHouse(t, f.rig, nil)
	app, dir := h.application(nil), t.TempDir()
	f.know(h, app)
	desks := make([]*policyDesk, 2)
	for i, name := range []string{"api-0", "api-1"} {
		p := f.process(name, dir, "serve", "--roles=api")
		f.others = append(f.others, p)
		p.start()
		p.awaitReady()
		at, of := *f.rig, *h
		at.url, of.rig = p.url(), &at
		desks[i] = newPolicyDesk(&of)
	}
	m := h.meeting(fields{"lobby_bypass": "everyone"})
	m.user("olga")
	strict, loose := desks[0].revision(guestsWait("acme_lobby", "scheduled")), desks[1].revision(guestsWait("acme_lobby", "webinar"))
	etag := desks[0].activate(strict, `"0"`)
	var guest *person
	eventually(t, "the meeting's process knows the strict policy", func() (bool, string) {
		guest = m.guest(app, "Gus")
		return guest.Joined().State == protocol.StateInLobby, guest.Joined().State
	})
	asked := time.Now()
	etag = desks[1].activate(loose, etag)
	answered := time.Now()
	guest.awaitState(protocol.StateAdmitted)
	t.Logf("a guest of another process was in %s after the answer, %s after the request", time.Since(answered), time.Since(asked))

	statuses := make([]int, len(desks))
	var both sync.WaitGroup
	for i, desk := range desks {
		both.Go(func() {
			statuses[i] = desk.rig.ask(t, desk.author, http.MethodPost, desk.path("/activate"), fields{"revision": strict}, "If-Match", etag).status
		})
	}
	both.Wait()
	slices.Sort(statuses)
	if diff := cmp.Diff([]int{http.StatusOK, http.StatusPreconditionFailed}, statuses); diff != "" {
		t.Errorf("two at once (-want +got):\n%s", diff)
	}
	f.nodes[0].kill()
	f.nodes[0].start()
	f.nodes[0].awaitReady()
	// The process that was killed holds its meetings for a while.
	within(t, 2*time.Minute, "the meeting goes on, by the policy that won", func() (bool, string) {
		p := f.dial(t, "late")
		defer p.Close()
		joined, err := p.Join(p.soon(), m.guestJoin(app, "Late"))
		if err != nil {
			return false, told(err)
		}
		if joined.State == protocol.StateAdmitted {
			t.Errorf("a guest came in past the policy that is active")
		}
		return joined.State != protocol.StateAdmitted, joined.State
	})
}
