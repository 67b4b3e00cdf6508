package policy

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

// atSeventySeven is a rule that does something where 77 are in the meeting, which nobody tries before.
func atSeventySeven(rules, condition string) string {
	return "package anteroom.organization\n\n" + rules + "deny contains \"never\" if {\n\tinput.session.participants == 77\n\t" + condition + "\n}\n"
}

// doubled are rules of which each has the one before twice: little to write, and to keep, and endless to compare.
func doubled(name string, times int) string {
	var rules strings.Builder
	fmt.Fprintf(&rules, "%s0 := {\"a\": 1}\n\n", name)
	for i := range times {
		fmt.Fprintf(&rules, "%s%d := [%s%d | some _ in [1, 2]]\n\n", name, i+1, name, i)
	}
	return rules.String()
}

// TestWhatNobodyTriedIsEnded: a policy that runs away on an input that was not tried denies that, whatever it does, and touches nobody else.
func TestWhatNobodyTriedIsEnded(t *testing.T) {
	numbers := make([]any, 2000)
	for i := range numbers {
		numbers[i] = fmt.Sprint(i)
	}
	for name, c := range map[string]struct {
		own     Revision
		timeout time.Duration
		said    string
	}{
		"endless comparison": {
			own: Revision{Modules: map[string]string{"own.rego": atSeventySeven(doubled("x", 30)+doubled("y", 30), "x30 == y30")}}, timeout: time.Minute, said: "too much memory",
		},
		"all triples": {
			own: Revision{
				Modules: map[string]string{"own.rego": atSeventySeven("",
					"count([[a, b, c] | some a in data.organization.numbers; some b in data.organization.numbers; some c in data.organization.numbers]) > 0")},
				Data: map[string]any{"numbers": numbers},
			}, timeout: time.Minute, said: "too much memory",
		},
		"loops": {
			own: Revision{
				Modules: map[string]string{"own.rego": atSeventySeven("",
					"some a in data.organization.numbers\n\tsome b in data.organization.numbers\n\tsome c in data.organization.numbers\n\ta == b\n\tb != c\n\ta == c")},
				Data: map[string]any{"numbers": numbers},
			}, timeout: 2 * time.Second, said: "cancel", // A busy machine may need a while to notice.
		},
		"a built-in that can't be interrupted": {
			own: Revision{
				Modules: map[string]string{"own.rego": atSeventySeven("", "regex.match(data.organization.pattern, data.organization.text)")},
				Data:    map[string]any{"pattern": "(" + strings.Repeat("x*y*", 1000) + ")*z", "text": strings.Repeat("x", 100_000)},
			}, timeout: 100 * time.Millisecond, said: errHung.Error(),
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := engine(t, Config{Timeout: c.timeout})
			if err := e.Activate("acme", c.own); err != nil {
				t.Fatal(err)
			}
			var mu sync.Mutex
			var failures []Failure
			e.OnFailure(func(f Failure) { mu.Lock(); defer mu.Unlock(); failures = append(failures, f) })
			in := guest(ActionJoin, "")
			in.Session.Participants = 77
			if d := e.Decide(context.Background(), "acme", in); d.Effect != Deny || d.Reason() != PolicyFailed {
				t.Errorf("decided %+v", d)
			}
			if d := e.Decide(context.Background(), "other", in); d.Reason() == PolicyFailed {
				t.Errorf("another organisation's: %+v", d)
			}
			if len(failures) != 1 || !failures[0].Own || !strings.Contains(failures[0].Err.Error(), c.said) {
				t.Fatalf("failures: %+v, want one of its own that says %q", failures, c.said)
			}
			if hangs := errors.Is(failures[0].Err, errHung); hangs != failures[0].Tripped {
				t.Errorf("hangs: %v, given up: %v", hangs, failures[0].Tripped)
			} else if hangs {
				// It is not asked again, whatever for: it would hang again.
				if d := e.Decide(context.Background(), "acme", guest(ActionJoin, "")); d.Reason() != PolicyFailed {
					t.Errorf("decided %+v after it hung", d)
				}
			}
		})
	}
}

// Rules on periods too: what they do to themselves leaves them out.
func TestRunawayRulesOnPeriodsAreLeftOut(t *testing.T) {
	k := activated(t, Config{Timeout: time.Minute}, doubled("x", 30)+doubled("y", 30)+
		"shorten.copy contains {\"days\": 7, \"rule\": \"ACME5\", \"reason\": \"acme_week\"} if {\n\tinput.kept.resource == \"r\"\n\tx30 == y30\n}\n")
	d, failure, err := k.Try(t.Context(), RetentionInput{Class: "copy", Resource: "r"})
	if err != nil || failure == nil || !strings.Contains(failure.Error(), "too much memory") || strings.HasPrefix(d.Rule, ShortenPrefix) {
		t.Errorf("decided %+v, %v, %v", d, failure, err)
	}
}

// TestEvaluationsOfOnePolicyAtOnce: whatever many ask, one organisation's policy runs a few times at once, and all are answered.
func TestEvaluationsOfOnePolicyAtOnce(t *testing.T) {
	e := engine(t, Config{Timeout: time.Minute})
	if err := e.Activate("acme", Revision{Modules: map[string]string{"own.rego": narrowing}}); err != nil {
		t.Fatal(err)
	}
	var asking sync.WaitGroup
	for range 20 * atOnce() {
		asking.Go(func() {
			if d := e.Decide(context.Background(), "acme", guest(ActionUse, ShareScreen)); d.Reason() == PolicyFailed {
				t.Errorf("decided %+v", d)
			}
		})
	}
	asking.Wait()
	s := e.snapshot("acme")
	if cap(s.running) != atOnce() || len(s.running) > atOnce() {
		t.Errorf("%d of %d run", len(s.running), cap(s.running))
	}
}
