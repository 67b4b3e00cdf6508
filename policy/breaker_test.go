package policy

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// failing goes wrong, by a built-in, while 77 are inside.
const failing = ownHeader + "deny contains \"x\" if {\n\tinput.session.participants == 77\n\tsubstring(\"abc\", -1, 1) == \"a\"\n}\n"

// failuresOf notes all that an engine tells.
func failuresOf(e *Engine) *[]Failure {
	var told []Failure
	e.OnFailure(func(f Failure) { told = append(told, f) })
	return &told
}

func TestBreakerTripsOnTheOrganisationsOwnFailures(t *testing.T) {
	e := engine(t, Config{Breaker: Breaker{Failures: 3, Window: time.Hour}})
	told := failuresOf(e)
	activate(t, e, "acme", failing)
	wrong := with(orgUser(ActionJoin, ""), participants(77))
	for range 5 {
		if d := e.Decide(context.Background(), "acme", wrong); d.Reason() != PolicyFailed {
			t.Fatalf("decided %+v", d)
		}
	}
	want := make([]Failure, 5)
	for i := range want {
		want[i] = Failure{Org: "acme", Revision: e.Revision("acme"), Kind: FailedError, Own: true, Tripped: i == 2}
	}
	if diff := cmp.Diff(want, *told, cmpopts.IgnoreFields(Failure{}, "Err")); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
	// The next activation begins anew, of the same text too.
	activate(t, e, "acme", failing)
	*told = nil
	for range 3 {
		e.Grants(context.Background(), "acme", wrong)
	}
	if len(*told) != 3 || !(*told)[2].Tripped || (*told)[1].Tripped {
		t.Errorf("after another activation: %+v", *told)
	}
}

// What the base policy can't answer either, and what nobody waits for any more, is no fault of the organisation's.
func TestBreakerBlamesNobodyElse(t *testing.T) {
	e := engine(t, Config{Breaker: Breaker{Failures: 1}})
	told := failuresOf(e)
	activate(t, e, "acme", failing)
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	e.Decide(gone, "acme", with(orgUser(ActionJoin, ""), participants(77)))
	if len(*told) != 0 {
		t.Errorf("told of one who went: %+v", *told)
	}
	e.Decide(context.Background(), "acme", orgUser("fly", ""))
	e.Decide(context.Background(), "other", orgUser("fly", ""))
	for _, f := range *told {
		if f.Own || f.Tripped || f.Kind != FailedError {
			t.Errorf("told %+v", f)
		}
	}
	if len(*told) != 2 {
		t.Errorf("told %d failures, want 2", len(*told))
	}
}

func TestBreakerForgetsFailuresOutsideItsWindow(t *testing.T) {
	var c counter
	b, now := Breaker{Failures: 2, Window: time.Minute}, time.Now()
	for _, at := range []time.Duration{0, 2 * time.Minute, 5 * time.Minute} {
		if c.add(b, now.Add(at), false) {
			t.Errorf("tripped at %s", at)
		}
	}
	if !c.add(b, now.Add(5*time.Minute+time.Second), false) {
		t.Error("two within the window don't trip it")
	}
}

// While it isn't known whose policy would have to be asked, and where that one can't be, nobody is let in; the base alone is no stand-in.
func TestHoldAndRefuseDeny(t *testing.T) {
	e := engine(t, DefaultConfig())
	changed := 0
	e.OnChange(func(string) { changed++ })
	allowed := func(org string) bool { return e.Decide(context.Background(), org, orgUser(ActionJoin, "")).Allowed() }
	e.Hold()
	activate(t, e, "acme", narrowing)
	if allowed("other") || !allowed("acme") {
		t.Error("held: another organisation is decided for, or one whose policy is here is not")
	}
	told := failuresOf(e)
	e.Decide(context.Background(), "other", orgUser(ActionJoin, ""))
	broken := errors.New("the content is damaged")
	e.Refuse("acme", "00ff", broken)
	e.Release()
	if !allowed("other") || allowed("acme") {
		t.Error("released: the base doesn't decide, or it does where a policy is missing")
	}
	want := []Failure{{Org: "other", Kind: FailedNotLoaded, Err: ErrHeld}, {Org: "acme", Kind: FailedNotLoaded, Err: broken}}
	if diff := cmp.Diff(want, *told, cmpopts.IgnoreFields(Failure{}, "Revision"), cmpopts.EquateErrors()); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
	if got, want := e.Revision("acme"), e.Revision("other")+"+acme@00ff"; got != want {
		t.Errorf("revision %s, want %s", got, want)
	}
	e.Deactivate("acme")
	if !allowed("acme") || changed != 5 {
		t.Errorf("told %d changes, want 5", changed)
	}
}
