package revisions_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/anteroom/anteroom/policy"
	"github.com/anteroom/anteroom/policy/author"
	"github.com/anteroom/anteroom/policy/revisions"
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
	// It isn't activated again as it is, nor with other tests, nor gone back to: it would come to the same end.
	refused := func(what string, err error) {
		t.Helper()
		var why *revisions.Refused
		if !errors.As(err, &why) || !strings.HasPrefix(why.Error(), "This is the policy of revision 2, which was given up on ") ||
			!strings.Contains(why.Error(), "because its rules failed while they decided. Change") {
			t.Errorf("%s: %v", what, err)
		}
	}
	change := revisions.Change{Revision: 2, IfVersion: 2, Author: "ada"}
	_, err = a.Activate(t.Context(), org, change)
	refused("activated again", err)
	_, err = b.Rollback(t.Context(), org, change)
	refused("gone back to", err)
	tested := fails("bad")
	tested.Files["more_test.rego"] = "package anteroom.organization_test\n\ntest_more if 1 == 1\n"
	change.Revision = a.make(tested).Number
	_, err = a.Activate(t.Context(), org, change)
	refused("with another test", err)
	// Changed it has another chance, and what is good was never in question.
	changed := fails("bad")
	changed.Files["guests.rego"] += "\n# Mended, or so its author thinks.\n"
	a.activate(a.make(changed).Number, 2)
	if active, err := a.Active(t.Context(), org); err != nil || active.Breaker != nil {
		t.Errorf("after the next activation: %+v, %v", active.Breaker, err)
	}
	a.awaits("deny policy_failed")
	a.awaits("deny good")
	if _, err := a.Rollback(t.Context(), org, revisions.Change{Revision: 1, IfVersion: 3, Author: "ada"}); err != nil {
		t.Errorf("back to what was good: %v", err)
	}
}

// slow takes longer than a decision may for guests of a meeting with 77 participants.
func slow(reason string) author.Content {
	c := refuses(reason)
	c.Files["data.json"] = `{"numbers": [` + strings.TrimSuffix(strings.Repeat("1,", 2000), ",") + "]}"
	const all = "some %[1]s in data.organization.numbers; "
	loops := fmt.Sprintf(all, "a") + fmt.Sprintf(all, "b") + fmt.Sprintf(all, "c")
	c.Files["guests.rego"] = strings.Replace(c.Files["guests.rego"], `if input.participant.kind == "guest"`,
		"if {\n\tinput.participant.kind == \"guest\"\n\tcount([1 | input.session.participants == 77; "+loops+"a + b == c]) == 0\n}", 1)
	c.Files["guests_test.rego"] = strings.Replace(c.Files["guests_test.rego"], `{"participant": {"kind": "guest"}}`,
		`{"participant": {"kind": "guest"}, "session": {"participants": 76}}`, 1)
	return c
}

// An organisation whose policies hang one after the other activates no other for a while; the way back is open.
func TestBreakerOfOneAfterTheOther(t *testing.T) {
	s := newStore(t)
	r, _ := process(t, s, policy.Config{Timeout: time.Second, Breaker: policy.Breaker{Failures: 1}})
	<-r.follower.Ready()
	version := uint64(1)
	r.make(refuses("good"))
	r.activate(1, 0)
	for i := range 3 {
		made := r.make(slow(fmt.Sprintf("slow_%d", i)))
		r.activate(made.Number, version)
		version++
		r.awaits("deny good")
	}
	made := r.make(refuses("another"))
	_, err := r.Activate(t.Context(), org, revisions.Change{Revision: made.Number, IfVersion: version, Author: "ada"})
	var why *revisions.Refused
	if !errors.As(err, &why) || !strings.HasPrefix(why.Error(), "3 policies were given up within the last hour") {
		t.Errorf("the fourth: %v", err)
	}
	if _, err := r.Rollback(t.Context(), org, revisions.Change{Revision: 1, IfVersion: version, Author: "ada"}); err != nil {
		t.Errorf("the way back: %v", err)
	}
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
