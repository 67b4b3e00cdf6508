package policy

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

const ownHeader = "package anteroom.organization\n\n"

func activate(t testing.TB, e *Engine, org, module string) {
	t.Helper()
	if err := e.Activate(org, Revision{Modules: map[string]string{"own.rego": module}}); err != nil {
		t.Fatal(err)
	}
}

// TestDecisionOwnPolicyNarrows shows each way in which an organisation's policy adds to the base's answer, beside another organisation
// that has none.
func TestDecisionOwnPolicyNarrows(t *testing.T) {
	e := engine(t, DefaultConfig())
	activate(t, e, "acme", narrowing)
	straight := with(guest(ActionJoin, ""), bypass("everyone"))
	for _, c := range []struct {
		name string
		in   Input
		want Decision
	}{
		{"lobby beats allow", straight, Decision{Effect: Lobby, Reasons: []Reason{"acme_lobby"}}},
		{"lobby and lobby", guest(ActionJoin, ""), Decision{Effect: Lobby, Reasons: []Reason{InLobby, "acme_lobby"}, Rules: []string{"J9"}}},
		{"deny beats lobby", with(straight, roomDevice), Decision{Effect: Deny, Reasons: []Reason{"room_device_present"}, Rules: []string{"ACME1"}}},
		{"deny and deny", with(straight, roomDevice, noGuests), Decision{
			Effect: Deny, Reasons: []Reason{AnonymousJoinDisabled, "room_device_present"}, Rules: []string{"J3", "ACME1"},
		}},
		{"the base's deny beats its lobby", with(straight, personal), Decision{Effect: Deny, Reasons: []Reason{PersonalOrganization}, Rules: []string{"J4"}}},
		{"both allow", with(straight, admitted), Decision{Effect: Allow}},
		{"withhold", guest(ActionUse, ShareScreen), Decision{Effect: Deny, Reasons: []Reason{"acme_no_screens"}}},
		{"withhold of another capability", guest(ActionUse, UnmuteMic), Decision{Effect: Allow}},
		{"a grant of what is not grantable", guest(ActionUse, RaiseHand), Decision{Effect: Deny, Reasons: []Reason{NotSupportedForGuests}, Rules: []string{"M13"}}},
		{"user", orgUser(ActionUse, ShareScreen), Decision{Effect: Allow}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := e.Decide(context.Background(), "acme", c.in)
			if diff := cmp.Diff(c.want, got, cmpopts.IgnoreFields(Decision{}, "Took", "Revision"), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	if d := e.Decide(context.Background(), "other", straight); !d.Allowed() {
		t.Errorf("another organisation: %+v", d)
	}
}

// TestDecisionGrantable: the operator's list and the organisation's grant together lift rules on roles, and no others.
func TestDecisionGrantable(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Grantable = []string{"raiseHand", "sendChat"}
	e := engine(t, cfg)
	activate(t, e, "acme", narrowing+"\ngrant contains \"sendChat\"\n")
	withdrawn := func(in *Input) { in.Meeting.Withdrawn = []Capability{RaiseHand} }
	for _, c := range []struct {
		name string
		org  string
		in   Input
		want Reason
	}{
		{"granted", "acme", guest(ActionUse, RaiseHand), ""},
		{"granted over the channel's rule", "acme", with(guest(ActionUse, SendChat), kind("channel")), ""},
		{"the organisation has no policy", "other", guest(ActionUse, RaiseHand), NotSupportedForGuests},
		{"its condition doesn't hold", "acme", with(guest(ActionUse, RaiseHand), kind("channel")), NotSupportedForGuests},
		{"the operator doesn't list it", "acme", guest(ActionUse, StartRecording), GuestNotAllowed},
		{"not outside", "acme", with(guest(ActionUse, RaiseHand), state("in_lobby")), NotAdmitted},
		{"not once gone", "acme", with(guest(ActionUse, RaiseHand), state("gone")), NotInMeeting},
		{"not what was withdrawn", "acme", with(guest(ActionUse, RaiseHand), withdrawn), NotSupportedForGuests},
		{"not over the operator's limits", "acme", with(guest(ActionUse, SendChat), chatMembers(251)), ChatLimitGuest},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := e.Decide(context.Background(), c.org, c.in)
			if d.Reason() != c.want || d.Allowed() != (c.want == "") {
				t.Errorf("decided %s %v, want reason %q", d.Effect, d.Reasons, c.want)
			}
			if g := e.Grants(context.Background(), c.org, c.in)[c.in.Capability]; g.Reason != c.want || g.Allowed != (c.want == "") {
				t.Errorf("granted %+v, want reason %q", g, c.want)
			}
		})
	}
}

// TestDecisionFailsClosed: a policy that passed its activation and then goes wrong denies, and the log has the error without the input.
func TestDecisionFailsClosed(t *testing.T) {
	const when = "input.session.participants == 77\n"
	numbers, words := make([]any, 2000), make([]any, maxReasons+1)
	for i := range numbers {
		numbers[i] = i
	}
	for i := range words {
		words[i] = fmt.Sprintf("reason_%d", i)
	}
	for name, rules := range map[string]string{
		"loops": "deny contains \"never\" if {\n" + when +
			"xs := data.organization.numbers\nsome a in xs\nsome b in xs\nsome c in xs\n((a + b) + c) < 0\n}\nwithhold.sendChat contains reason if some reason in deny",
		"reason is a number":      "deny contains 7 if {\n" + when + "}\nwithhold.sendChat contains 7 if {\n" + when + "}",
		"reason is not a reason":  "deny contains \"Not A Reason\" if {\n" + when + "}\nwithhold.sendChat contains \"\" if {\n" + when + "}",
		"object without a reason": "deny contains {\"rule\": \"A1\"} if {\n" + when + "}\nwithhold.sendChat contains {} if {\n" + when + "}",
		"grant is a number":       "grant contains 7 if {\n" + when + "}",
		"too many reasons":        "deny contains word if {\n" + when + "some word in data.organization.words\n}\nwithhold.sendChat contains reason if some reason in deny",
		"a built-in fails":        "deny contains \"x\" if {\n" + when + "substring(\"abc\", -1, 1) == \"a\"\n}\nwithhold.sendChat contains reason if some reason in deny",
		"two values at once": "pick := 1 if {\n" + when + "}\npick := 2 if {\n" + when + "}\ndeny contains \"x\" if pick == 3\n" +
			"withhold.sendChat contains \"x\" if pick == 3",
	} {
		t.Run(name, func(t *testing.T) {
			var logged bytes.Buffer
			e, err := New(Config{Timeout: 100 * time.Millisecond}, slog.New(slog.NewJSONHandler(&logged, nil)))
			if err != nil {
				t.Fatal(err)
			}
			own := Revision{Modules: map[string]string{"own.rego": ownHeader + rules + "\n"}, Data: map[string]any{"numbers": numbers, "words": words}}
			if err := e.Activate("acme", own); err != nil {
				t.Fatal(err)
			}
			if d := e.Decide(context.Background(), "acme", orgUser(ActionJoin, "")); !d.Allowed() {
				t.Fatalf("before anything goes wrong: %+v", d)
			}
			if logged.Len() > 0 {
				t.Fatalf("logged %s", &logged)
			}
			wrong := with(orgUser(ActionJoin, ""), participants(77))
			d := e.Decide(context.Background(), "acme", wrong)
			want := Decision{Effect: Deny, Reasons: []Reason{PolicyFailed}, Revision: e.Revision("acme"), Error: FailedError}
			if name == "loops" {
				want.Error = FailedTimeout
			}
			if diff := cmp.Diff(want, d, cmpopts.IgnoreFields(Decision{}, "Took")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			for capability, grant := range e.Grants(context.Background(), "acme", with(orgUser(ActionUse, ""), participants(77))) {
				if grant != (Grant{Reason: PolicyFailed}) {
					t.Errorf("%s: %+v", capability, grant)
				}
			}
			if n := strings.Count(logged.String(), `"level":"ERROR","msg":"policy failed, denied","organization":"acme"`); n != 2 || strings.Contains(logged.String(), "org_users") {
				t.Errorf("logged %s", &logged)
			}
			if d := e.Decide(context.Background(), "other", wrong); !d.Allowed() {
				t.Errorf("another organisation suffers: %+v", d)
			}
		})
	}
}

// TestDecisionFailsClosedWithoutAnAnswer: what no policy text brings about denies too.
func TestDecisionFailsClosedWithoutAnAnswer(t *testing.T) {
	e := engine(t, DefaultConfig())
	check := func(t *testing.T, ctx context.Context, in Input) {
		t.Helper()
		if d := e.Decide(ctx, "acme", in); d.Effect != Deny || d.Reason() != PolicyFailed {
			t.Errorf("decided %s %v", d.Effect, d.Reasons)
		}
	}
	t.Run("cancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		check(t, ctx, orgUser(ActionJoin, ""))
		if g := e.Grants(ctx, "acme", orgUser(ActionUse, "")); len(g) != len(Capabilities()) || g[SendChat].Reason != PolicyFailed {
			t.Errorf("granted %+v", g)
		}
	})
	t.Run("unknown action", func(t *testing.T) { check(t, context.Background(), orgUser("fly", "")) })
	t.Run("unknown capability", func(t *testing.T) { check(t, context.Background(), orgUser(ActionUse, "fly")) })
	t.Run("unknown capability of a guest", func(t *testing.T) { check(t, context.Background(), guest(ActionUse, "fly")) })
	t.Run("no action", func(t *testing.T) { check(t, context.Background(), Input{}) })
	t.Run("the evaluator panics", func(t *testing.T) {
		// A query that was never prepared makes the evaluator follow a nil pointer.
		e.swap("acme", &snapshot{timeout: time.Second})
		check(t, context.Background(), orgUser(ActionJoin, ""))
		e.Deactivate("acme")
	})
}

// TestActivateRefuses what can be told before a meeting suffers from it; the policy that held goes on holding.
func TestActivateRefuses(t *testing.T) {
	for name, c := range map[string]struct{ module, want string }{
		"syntax":                {ownHeader + "deny contains", "own.rego:3"},
		"typo in the input":     {ownHeader + "deny contains \"x\" if input.participant.knid == \"guest\"", "undefined ref: input.participant.knid"},
		"unused variable":       {ownHeader + "deny contains \"x\" if {\n y := 1\n}", "unused"},
		"network":               {ownHeader + "deny contains \"x\" if http.send({\"method\": \"get\", \"url\": \"http://127.0.0.1\"}).status_code == 200", "undefined function http.send"},
		"clock":                 {ownHeader + "deny contains \"x\" if time.now_ns() > 5", "undefined function time.now_ns"},
		"multiplication":        {ownHeader + "deny contains \"x\" if input.session.participants * 2 > 5", "undefined function mul"},
		"exponent":              {ownHeader + "deny contains \"x\" if input.session.participants > 1e9", "no exponent"},
		"huge number":           {ownHeader + "deny contains \"x\" if input.session.participants > 100000000000000000000", "at most 20 characters"},
		"another package":       {"package anteroom.meeting\n\nguest if input.action == \"x\"", "package anteroom.meeting is not anteroom.organization"},
		"the system's package":  {"package system.log\n\nmask contains \"x\"", "package system.log is not"},
		"nothing that is asked": {ownHeader + "dney contains \"x\" if input.action == \"join\"", "none of the rules that are asked"},
		"deny is no set":        {ownHeader + "deny := \"no\"", "deny must add to a set"},
		"deny is a function":    {ownHeader + "deny(x) := x", "deny must add to a set"},
		"withhold is a set":     {ownHeader + "withhold contains \"sendChat\"", "withhold must add to a set"},
		"grant per capability":  {ownHeader + "grant.raiseHand contains \"x\"", "grant must add to a set"},
		"the capability asked":  {ownHeader + "withhold[input.capability] contains \"x\"", "input.capability is empty here"},
		"in a body":             {ownHeader + "withhold.sendChat contains \"x\" if input.capability == \"sendChat\"", "input.capability is empty here"},
		"goes wrong at once":    {ownHeader + "deny contains 7", "try a decision"},
		"empty":                 {"", "own.rego"},
		"too large":             {ownHeader + "deny contains \"x\"\n#" + strings.Repeat("x", MaxModuleBytes), "more than"},
	} {
		t.Run(name, func(t *testing.T) {
			e := engine(t, DefaultConfig())
			activate(t, e, "acme", narrowing)
			before := e.Revision("acme")
			e.OnChange(func(string) { t.Error("told of a change") })
			err := e.Activate("acme", Revision{Modules: map[string]string{"own.rego": c.module}})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
			if e.Revision("acme") != before {
				t.Error("another revision holds")
			}
		})
	}
	if err := engine(t, DefaultConfig()).Activate("acme", Revision{}); err == nil {
		t.Error("a policy without modules was activated")
	}
}

func TestActivateTellsAndIsUndone(t *testing.T) {
	e := engine(t, DefaultConfig())
	var told []string
	e.OnChange(func(org string) {
		told = append(told, org+" "+string(e.Decide(context.Background(), org, guest(ActionUse, ShareScreen)).Effect))
	})
	base := e.Revision("acme")
	activate(t, e, "acme", narrowing)
	first := e.Revision("acme")
	activate(t, e, "acme", narrowing)
	if got := e.Revision("acme"); got != first || !strings.HasPrefix(got, base+"+acme@") {
		t.Errorf("revision %s, then %s, on %s", first, got, base)
	}
	activate(t, e, "acme", narrowing+"# changed\n")
	if e.Revision("acme") == first {
		t.Error("another text has the same revision")
	}
	e.Deactivate("acme")
	if e.Revision("acme") != base {
		t.Errorf("revision %s after deactivation", e.Revision("acme"))
	}
	if diff := cmp.Diff([]string{"acme deny", "acme deny", "acme deny", "acme allow"}, told); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
}

// TestDecisionOwnPolicyHasBaseAndData: an organisation's policy may use the base's definitions and its own data.
func TestDecisionOwnPolicyHasBaseAndData(t *testing.T) {
	e := engine(t, DefaultConfig())
	module := ownHeader + "import data.anteroom.meeting\n\nwithhold[capability] contains \"closed\" if {\n\tmeeting.guest\n\tsome capability in data.organization.closed\n}\n"
	r := Revision{Modules: map[string]string{"own.rego": module}, Data: map[string]any{"closed": []any{"unmuteMic"}}}
	if err := e.Activate("acme", r); err != nil {
		t.Fatal(err)
	}
	if d := e.Decide(context.Background(), "acme", guest(ActionUse, UnmuteMic)); d.Reason() != "closed" {
		t.Errorf("guest: %+v", d)
	}
	if d := e.Decide(context.Background(), "acme", orgUser(ActionUse, UnmuteMic)); !d.Allowed() {
		t.Errorf("user: %+v", d)
	}
}

// TestActivateWhileDeciding: every decision is wholly of one revision, and says which.
func TestActivateWhileDeciding(t *testing.T) {
	e := engine(t, Config{Timeout: time.Minute})
	base := e.Revision("acme")
	var deciders, changers sync.WaitGroup
	done := make(chan struct{})
	for range 4 {
		deciders.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				d := e.Decide(context.Background(), "acme", guest(ActionUse, ShareScreen))
				if d.Allowed() != (d.Revision == base) {
					t.Errorf("decided %s %v under %s", d.Effect, d.Reasons, d.Revision)
					return
				}
				if g := e.Grants(context.Background(), "acme", guest(ActionUse, ""))[ShareScreen]; !g.Allowed && g.Reason != "acme_no_screens" {
					t.Errorf("granted %+v", g)
					return
				}
				if d := e.Decide(context.Background(), "other", guest(ActionUse, ShareScreen)); !d.Allowed() {
					t.Errorf("another organisation: %+v", d)
					return
				}
			}
		})
	}
	for _, org := range []string{"acme", "third"} {
		changers.Go(func() {
			for range 10 {
				if err := e.Activate(org, Revision{Modules: map[string]string{"own.rego": narrowing}}); err != nil {
					t.Error(err)
				}
				e.Deactivate(org)
			}
		})
	}
	changers.Wait()
	close(done)
	deciders.Wait()
}
