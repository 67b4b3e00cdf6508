package policy

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// keeps is a revision with rules on periods.
func keeps(rules string) Revision {
	return Revision{Modules: map[string]string{"keep.rego": "package " + KeepPackage + "\n\n" + rules + "\n"}}
}

const aWeek = `shorten.copy contains {"days": 7, "rule": "ACME5", "reason": "acme_week"}`

// activated decides by rules on periods.
func activated(t testing.TB, cfg Config, rules string) *KeptBy {
	t.Helper()
	r := retention(t, cfg)
	if err := r.Activate("contoso", keeps(rules)); err != nil {
		t.Fatal(err)
	}
	return r.Of("contoso")
}

func daysOf(t testing.TB, k *KeptBy, in RetentionInput) string {
	t.Helper()
	d, failure, err := k.Try(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	days := "for good"
	if d.Days != nil {
		days = fmt.Sprint(*d.Days)
	}
	if failure != nil {
		return fmt.Sprintf("%s %s %s, failed", days, d.Rule, d.Reason)
	}
	return fmt.Sprintf("%s %s %s", days, d.Rule, d.Reason)
}

func TestOwnRulesShorten(t *testing.T) {
	k := activated(t, DefaultConfig(), `# METADATA
# title: The clinic's copies
# custom:
#   rule: ACME6
#   reason: acme_clinic
#   days: 3
shorten.copy contains rego.metadata.rule().custom if input.kept.resource == "clinic"

shorten[class] contains {"days": 20, "rule": "ACME7", "reason": "acme_legal"} if {
	some class in ["copy", "thread"]
	some policy in input.kept.policies
	policy.id == "legal"
}`)
	legal := []RetentionPolicy{{ID: "legal", Version: 1, Action: "delete", Days: 40, Why: []string{"user"}}}
	for name, test := range map[string]struct {
		in   RetentionInput
		want string
	}{
		"the clinic":        {RetentionInput{Class: "copy", Resource: "clinic"}, "3 organization:ACME6 acme_clinic"},
		"another":           {RetentionInput{Class: "copy", Resource: "bank"}, "30 default default_period"},
		"another, of legal": {RetentionInput{Class: "copy", Resource: "bank", Policies: legal}, "20 organization:ACME7 acme_legal"},
		"the thread":        {RetentionInput{Class: "thread", Policies: legal}, "20 organization:ACME7 acme_legal"},
		"no class of its":   {RetentionInput{Class: "recording", Policies: legal}, "120 default default_period"},
	} {
		if got := daysOf(t, k, test.in); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
	if !strings.Contains(k.Revision(), "+contoso@") || !k.Shortens() {
		t.Errorf("revision %s", k.Revision())
	}
}

// TestRevisionsOfKeepers: what says nothing of periods is no other revision of them, so that nothing is decided anew for it.
func TestRevisionsOfKeepers(t *testing.T) {
	r := retention(t, DefaultConfig())
	if err := r.Activate("contoso", Revision{Modules: map[string]string{"a.rego": "package anteroom.organization\n\ndeny contains \"x\" if input.session.room_device\n"}}); err != nil {
		t.Fatal(err)
	}
	if got := r.Of("contoso"); got.Revision() != r.Revision() || got.Shortens() {
		t.Errorf("revision %s", got.Revision())
	}
	if err := r.Activate("contoso", keeps(aWeek)); err != nil {
		t.Fatal(err)
	}
	held := r.Of("contoso")
	if err := r.Activate("contoso", keeps("shorten.copy contains 7")); err == nil {
		t.Error("a wish that is a number is activated")
	}
	r.Deactivate("contoso")
	if got := daysOf(t, held, RetentionInput{Class: "copy"}); got != "7 organization:ACME5 acme_week" {
		t.Errorf("who has begun goes on by what held: %s", got)
	}
	if got := daysOf(t, r.Of("contoso"), RetentionInput{Class: "copy"}); got != "30 default default_period" {
		t.Errorf("deactivated: %s", got)
	}
}

// TestBrokenRulesNeverDelete: whatever rules come to when they are asked, the rules of the house decide then, and it is told.
func TestBrokenRulesNeverDelete(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Timeout = 50 * time.Millisecond
	const big = "numbers := {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20}\n\n"
	for name, rules := range map[string]string{
		"no days":         `shorten.copy contains {"days": data.organization.days, "rule": "a", "reason": "r"} if count(input.kept.policies) >= 0`,
		"negative":        `shorten.copy contains {"days": count(input.kept.policies) - 1, "rule": "a", "reason": "r"}`,
		"zero":            `shorten.copy contains {"days": count(input.kept.policies), "rule": "a", "reason": "r"}`,
		"huge":            `shorten.copy contains {"days": count(input.kept.policies) + 9999999999, "rule": "a", "reason": "r"}`,
		"a text":          `shorten.copy contains {"days": input.kept.resource, "rule": "a", "reason": "r"}`,
		"no rule":         `shorten.copy contains object.union({"days": 1}, {"reason": "r"})`,
		"no reason":       `shorten.copy contains {"days": count(input.kept.policies) + 1, "rule": "a", "reason": input.kept.resource}`,
		"not an object":   `shorten.copy contains input.kept.resource`,
		"one of two":      aWeek + "\n\n" + `shorten.copy contains {"days": count(input.kept.policies), "rule": "a", "reason": "r"}`,
		"a built-in errs": aWeek + "\n\n" + `shorten.copy contains {"days": 1, "rule": "a", "reason": "r"} if substring("abc", count(input.kept.policies) - 1, 1) == "b"`,
		"two values":      "pick := 1 if count(input.kept.policies) == 0\n\npick := 2 if count(input.kept.policies) < 1\n\n" + `shorten.copy contains {"days": pick, "rule": "a", "reason": "r"}`,
		"too long": big + `shorten.copy contains {"days": 1, "rule": "a", "reason": "r"} if {
	some a in numbers
	some b in numbers
	some c in numbers
	some d in numbers
	some e in numbers
	some f in numbers
	((((a + b) + c) + d) + e) + f == count(input.kept.policies) - 1
}`,
	} {
		t.Run(name, func(t *testing.T) {
			k := activated(t, cfg, rules)
			var told []Failure
			k.r.OnFailure(func(f Failure) { told = append(told, f) })
			d, err := k.Decide(t.Context(), RetentionInput{Class: "copy"})
			if name == "no days" { // undefined: the rule adds nothing, and nothing is wrong
				if err != nil || *d.Days != 30 || len(told) != 0 {
					t.Errorf("%+v, %v, told %+v", d, err, told)
				}
				return
			}
			if err != nil || *d.Days != 30 || d.Rule != "default" || len(told) != 1 || told[0].Org != "contoso" || told[0].Err == nil {
				t.Errorf("%+v, %v, told %+v", d, err, told)
			}
			if want := map[bool]FailureKind{false: FailedError, true: FailedTimeout}[name == "too long"]; len(told) == 1 && told[0].Kind != want {
				t.Errorf("told as %s", told[0].Kind)
			}
		})
	}
	r := retention(t, cfg)
	r.Refuse("contoso", "digest", errors.New("it is damaged"))
	var told []Failure
	r.OnFailure(func(f Failure) { told = append(told, f) })
	if d, err := r.Of("contoso").Decide(t.Context(), RetentionInput{Class: "copy"}); err != nil || *d.Days != 30 || len(told) != 1 || told[0].Kind != FailedNotLoaded {
		t.Errorf("refused: %+v, %v, told %+v", d, err, told)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := activated(t, cfg, aWeek).Decide(ended, RetentionInput{Class: "copy"}); err == nil {
		t.Error("who asked has gone, and is answered")
	}
}

// TestWishesAreChecked: what can be told beforehand is told beforehand, with its code.
func TestWishesAreChecked(t *testing.T) {
	custom := func(lines string) string {
		return "# METADATA\n# title: x\n# custom:\n" + lines + "shorten.copy contains rego.metadata.rule().custom\n"
	}
	for rules, want := range map[string]string{
		aWeek: "",
		`shorten.copy contains {"days": 0, "rule": "a", "reason": "r"}`:      PeriodErr,
		`shorten.copy contains {"days": -1, "rule": "a", "reason": "r"}`:     PeriodErr,
		`shorten.copy contains {"days": 1.5, "rule": "a", "reason": "r"}`:    PeriodErr,
		`shorten.copy contains {"days": 36501, "rule": "a", "reason": "r"}`:  PeriodErr,
		`shorten.copy contains {"days": "7", "rule": "a", "reason": "r"}`:    PeriodErr,
		`shorten.copy contains {"days": 7, "rule": "", "reason": "r"}`:       PeriodErr,
		`shorten.copy contains {"days": 7, "rule": "a b", "reason": "r"}`:    PeriodErr,
		`shorten.copy contains {"days": 7, "rule": "a", "reason": "No"}`:     PeriodErr,
		`shorten.copy contains {"days": 7, "rule": "a"}`:                     PeriodErr,
		`shorten.copy contains "week"`:                                       PeriodErr,
		`shorten.recording contains {"days": 7, "rule": "a", "reason": "r"}`: PeriodErr,
		`shorten contains {"days": 7, "rule": "a", "reason": "r"}`:           EntryErr,
		`shorten.copy := {"days": 7, "rule": "a", "reason": "r"}`:            EntryErr,
		`shorten(x) := x`: EntryErr,
		custom("#   rule: ACME5\n#   reason: acme_week\n#   days: 7\n"):                      "",
		custom("#   rule: ACME5\n#   reason: acme_week\n#   days: 0\n"):                      PeriodErr,
		custom("#   rule: ACME5\n#   reason: acme_week\n"):                                   PeriodErr,
		"shorten.copy contains rego.metadata.rule().custom":                                  PeriodErr,
		`shorten.copy contains {"days": data.organization.days, "rule": "a", "reason": "r"}`: "",
	} {
		_, errs := Parse("keep.rego", "package "+KeepPackage+"\n\n"+rules+"\n")
		got := ""
		if len(errs) > 0 {
			got = errs[0].Code
		}
		if got != want {
			t.Errorf("%s\nis found %q (%v), want %q", rules, got, errs, want)
		}
	}
}

// TestWishesOnlyShorten: whatever rules wish and policies say, nothing is kept for longer, nothing that is retained or locked goes sooner, and holds stay.
func TestWishesOnlyShorten(t *testing.T) {
	r := retention(t, DefaultConfig())
	rapid.Check(t, func(t *rapid.T) {
		in := anyRetentionInput(t)
		for i := range in.Policies {
			in.Policies[i].Locked = rapid.Bool().Draw(t, "locked")
		}
		base, err := r.Decide(context.Background(), in)
		if err != nil {
			t.Fatal(err)
		}
		for i := range rapid.IntRange(0, 3).Draw(t, "wishes") {
			in.Shorten = append(in.Shorten, shortening{rapid.IntRange(1, 8).Draw(t, "wish"), fmt.Sprintf("organization:w%d", i), "acme"})
		}
		d, err := r.Decide(context.Background(), in)
		if err != nil {
			t.Fatal(err)
		}
		// The same, day by day: the first day of the house's or of the shortest wish's on which no promise stands against it.
		want := base.Days
		if in.Class == "copy" || in.Class == "thread" {
			for _, w := range in.Shorten {
				day := w.Days
				for ; promised(in, day); day++ {
				}
				if want == nil || day < *want {
					want = &day
				}
			}
		}
		if (d.Days == nil) != (want == nil) || (want != nil && *d.Days != *want) {
			t.Fatalf("%+v with %+v, want %v", d, in.Shorten, want)
		}
		if d.Held != base.Held || len(d.Holds) != len(base.Holds) || len(d.Released) != len(base.Released) {
			t.Fatalf("holds %+v, without wishes %+v", d, base)
		}
	})
}

func promised(in RetentionInput, day int) bool {
	for _, p := range in.Policies {
		if (p.Action != "delete" || p.Locked) && day < p.Days {
			return true
		}
	}
	return false
}
