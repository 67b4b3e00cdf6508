package revisions_test

import (
	"strings"
	"testing"

	"github.com/anteroom/anteroom/policy"
	"github.com/anteroom/anteroom/policy/author"
)

// fails goes wrong for guests of a meeting with 77 participants, which is what the rig asks about: a built-in refuses its arguments.
func fails(reason string) author.Content {
	c := refuses(reason)
	c.Files["guests.rego"] = strings.Replace(c.Files["guests.rego"], `if input.participant.kind == "guest"`,
		"if {\n\tinput.participant.kind == \"guest\"\n\tsubstring(\"abc\", 76 - input.session.participants, 1) == \"a\"\n}", 1)
	c.Files["guests_test.rego"] = strings.Replace(c.Files["guests_test.rego"], `{"participant": {"kind": "guest"}}`,
		`{"participant": {"kind": "guest"}, "session": {"participants": 76}}`, 1)
	return c
}

// A policy that fails while it decides is given up for the last good one, everywhere and over a restart, until somebody activates again.
func TestBreaker(t *testing.T) {
	s := newStore(t)
	a, b := start(t, s), start(t, s)
	a.make(refuses("good"))
	a.make(fails("bad"))
	a.activate(1, 0)
	a.activate(2, 1)
	b.awaits("deny policy_failed")
	for range 3 {
		if got := a.says(); got != "deny policy_failed" && got != "deny good" {
			t.Fatalf("while it fails: %s", got)
		}
	}
	a.awaits("deny good")
	b.awaits("deny good")
	active, err := b.Active(t.Context(), org)
	if err != nil || active.Revision != 2 || active.Breaker == nil || active.Breaker.RunningRevision != 1 || active.Breaker.Reason != string(policy.FailedError) ||
		active.RuntimeRevision != b.engine.Revision(org) {
		t.Errorf("active %+v, breaker %+v, %v", active, active.Breaker, err)
	}
	if !strings.Contains(a.log.String()+b.log.String(), "policy fails too often and is given up") {
		t.Error("nothing is logged")
	}
	later := start(t, s)
	if later.says() != "deny good" {
		t.Errorf("after a restart: %s", later.says())
	}
	// Activated again it has another chance, and comes to the same end.
	a.activate(2, 2)
	if active, err := a.Active(t.Context(), org); err != nil || active.Breaker != nil {
		t.Errorf("after the next activation: %+v, %v", active.Breaker, err)
	}
	a.awaits("deny policy_failed")
	a.awaits("deny good")
}

// Who has nothing to go back to stays with what fails: the base alone is no stand-in for a policy of one's own.
func TestBreakerWithoutAWayBack(t *testing.T) {
	r := start(t, newStore(t))
	r.make(fails("bad"))
	r.activate(1, 0)
	for {
		if got := r.says(); got != "deny policy_failed" {
			t.Fatalf("guests: %s", got)
		}
		active, err := r.Active(t.Context(), org)
		if err != nil {
			t.Fatal(err)
		}
		if active.Breaker != nil {
			if active.Breaker.RunningRevision != 1 {
				t.Errorf("breaker %+v", active.Breaker)
			}
			break
		}
	}
	if d := r.decide("org_user"); !d.Allowed() {
		t.Errorf("whom it doesn't fail for: %+v", d)
	}
}
