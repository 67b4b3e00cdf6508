package policy

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/open-policy-agent/opa/v1/ast"
	"pgregory.net/rapid"
)

func retention(t testing.TB, cfg Config) *Retention {
	t.Helper()
	r, err := NewRetention(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func anyRetentionInput(t *rapid.T) RetentionInput {
	in := RetentionInput{Class: rapid.SampledFrom([]string{"thread", "copy", "recording", "notice", "decision"}).Draw(t, "class")}
	if in.Class == "copy" {
		in.Resource = rapid.SampledFrom([]string{"clinic", "bank"}).Draw(t, "resource")
	}
	ways := []string{"organization", "adaptive", "group", "user"}
	for i := range rapid.IntRange(0, 5).Draw(t, "policies") {
		in.Policies = append(in.Policies, RetentionPolicy{
			ID: fmt.Sprintf("p%d", i), Version: rapid.IntRange(1, 3).Draw(t, "version"), Days: rapid.IntRange(1, 5).Draw(t, "days"),
			Action: rapid.SampledFrom([]string{"delete", "retain", "retain_then_delete"}).Draw(t, "action"),
			Why:    rapid.SliceOfNDistinct(rapid.SampledFrom(ways), 1, 4, rapid.ID[string]).Draw(t, "why"),
		})
	}
	for i := range rapid.IntRange(0, 3).Draw(t, "holds") {
		h := RetentionHold{
			ID: fmt.Sprintf("h%d", i), On: rapid.SampledFrom([]string{"meeting", "user", "resource"}).Draw(t, "on"), Released: rapid.Bool().Draw(t, "released"),
		}
		if h.On == "resource" {
			h.Resource = rapid.SampledFrom([]string{"clinic", "bank"}).Draw(t, "held resource")
		}
		in.Holds = append(in.Holds, h)
	}
	return in
}

// oracle is what the rules say, found by going through the days one by one.
type oracle struct{ in RetentionInput }

func (o oracle) some(actions ...string) []RetentionPolicy {
	return slices.DeleteFunc(slices.Clone(o.in.Policies), func(p RetentionPolicy) bool { return !slices.Contains(actions, p.Action) })
}

// deletedOn is the first day on which nothing stands against that the thing is deleted; 0 for never. R1 to R3, R8.
func (o oracle) deletedOn() int {
	deletes := o.some("delete", "retain_then_delete")
	switch o.in.Class {
	case "recording":
		return 120
	case "notice":
		return 1095
	case "decision":
		return 90
	case "copy":
		if len(deletes) == 0 {
			return 30
		}
		for day := 1; ; day++ {
			if slices.ContainsFunc(deletes, func(p RetentionPolicy) bool { return p.Days == day }) {
				return day
			}
		}
	}
	if len(deletes) == 0 {
		return 0
	}
	rank := func(p RetentionPolicy) int {
		best := 0
		for _, way := range p.Why {
			best = max(best, strings.Index("organization adaptive group user", way))
		}
		return best
	}
	// The more specific one first, then the shorter one.
	slices.SortFunc(deletes, func(a, b RetentionPolicy) int { return cmp.Or(rank(b)-rank(a), a.Days-b.Days) })
	for day := deletes[0].Days; ; day++ {
		retained := slices.ContainsFunc(o.some("retain", "retain_then_delete"), func(p RetentionPolicy) bool { return day < p.Days })
		if !retained {
			return day
		}
	}
}

// covering are the holds that cover the thing. R4.
func (o oracle) covering(released bool) []string {
	var ids []string
	for _, h := range o.in.Holds {
		if h.Released == released && (h.On != "resource" || (o.in.Class == "copy" && h.Resource == o.in.Resource)) {
			ids = append(ids, h.ID)
		}
	}
	return ids
}

// TestRetentionProperties holds the Rego against rules worked out in another way.
func TestRetentionProperties(t *testing.T) {
	r := retention(t, DefaultConfig())
	rapid.Check(t, func(t *rapid.T) {
		in := anyRetentionInput(t)
		o := oracle{in}
		d, err := r.Decide(context.Background(), in)
		if err != nil {
			t.Fatal(err)
		}
		days := 0
		if d.Days != nil {
			days = *d.Days
		}
		if want := o.deletedOn(); days != want {
			t.Fatalf("deleted after %d days, want %d: %+v", days, want, d)
		}
		if !slices.Equal(d.Holds, o.covering(false)) || !slices.Equal(d.Released, o.covering(true)) || d.Held != (len(d.Holds) > 0) {
			t.Fatalf("holds %+v, want %v and released %v", d, o.covering(false), o.covering(true))
		}
		i := slices.IndexFunc(in.Policies, func(p RetentionPolicy) bool { return p.ID == d.Rule })
		switch {
		case d.Rule == "kept":
			if d.Days != nil || d.Version != 0 {
				t.Fatalf("kept: %+v", d)
			}
		case d.Rule == "default":
			if d.Version != 0 || (in.Class == "copy" && len(o.some("delete", "retain_then_delete")) > 0) {
				t.Fatalf("by default: %+v", d)
			}
		case i < 0 || in.Policies[i].Days != days || uint64(in.Policies[i].Version) != d.Version: //nolint:gosec // small
			t.Fatalf("the rule is not one that comes to this: %+v", d)
		}
		// The order of policies says nothing.
		slices.Reverse(in.Policies)
		slices.Reverse(in.Holds)
		again, err := r.Decide(context.Background(), in)
		if diff := gocmp.Diff(d, again); err != nil || diff != "" {
			t.Fatalf("in another order (-want +got): %v\n%s", err, diff)
		}
	})
}

func TestRetentionPeriods(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Retention = Periods{RecordingDays: 7, DecisionDays: 36500}
	r := retention(t, cfg)
	for class, want := range map[string]int{"recording": 7, "notice": 1095, "decision": 36500, "copy": 30} {
		d, err := r.Decide(t.Context(), RetentionInput{Class: class})
		if err != nil || d.Period() == nil || *d.Period() != time.Duration(want)*24*time.Hour {
			t.Errorf("%s: %+v, %v", class, d, err)
		}
	}
	if d, err := r.Decide(t.Context(), RetentionInput{Class: "thread"}); err != nil || d.Period() != nil {
		t.Errorf("thread: %+v, %v", d, err)
	}
	if standard := retention(t, DefaultConfig()); standard.Revision() == r.Revision() || !strings.HasPrefix(r.Revision(), "retention@") {
		t.Errorf("other periods are another revision: %s, %s", standard.Revision(), r.Revision())
	}
	for _, days := range []int{-1, 36501} {
		cfg.Retention.NoticeDays = days
		if _, err := NewRetention(cfg); err == nil || !strings.Contains(err.Error(), "retention.notice_days") {
			t.Errorf("%d days: %v", days, err)
		}
	}
}

// TestRetentionFails: what can't be decided is not decided.
func TestRetentionFails(t *testing.T) {
	r := retention(t, DefaultConfig())
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	policy := func(p RetentionPolicy) RetentionInput {
		return RetentionInput{Class: "copy", Policies: []RetentionPolicy{p}}
	}
	for name, test := range map[string]struct {
		ctx context.Context
		in  RetentionInput
	}{
		"unknown class": {t.Context(), RetentionInput{Class: "poem"}},
		"no days":       {t.Context(), policy(RetentionPolicy{ID: "a", Action: "delete"})},
		"too many days": {t.Context(), policy(RetentionPolicy{ID: "a", Action: "delete", Days: 40000})},
		"no id":         {t.Context(), policy(RetentionPolicy{Action: "delete", Days: 1})},
		"ended":         {ended, RetentionInput{Class: "copy"}},
	} {
		if d, err := r.Decide(test.ctx, test.in); err == nil {
			t.Errorf("%s: %+v", name, d)
		}
	}
	for _, text := range []string{
		`1`, `{}`, `{"days": 1, "rule": "a", "version": 1, "reason": "r", "held": true, "holds": set(), "released": set()}`,
		`{"days": 1.5, "rule": "a", "version": 1, "reason": "r", "held": false, "holds": set(), "released": set()}`,
		`{"days": 1, "rule": "a", "version": 1, "reason": "R", "held": false, "holds": set(), "released": set()}`,
		`{"days": 1, "rule": "a", "version": -1, "reason": "r", "held": false, "holds": set(), "released": set()}`,
		`{"days": 1, "rule": "a", "version": 1, "reason": "r", "held": false, "holds": {1}, "released": set()}`,
		`{"day": 1, "rule": "a", "version": 1, "reason": "r", "held": false, "holds": set(), "released": set()}`,
	} {
		if d, err := readRetention(ast.MustParseTerm(text).Value); err == nil {
			t.Errorf("%s is understood as %+v", text, d)
		}
	}
}

func TestManyHoldsAreUnderstood(t *testing.T) {
	in := RetentionInput{Class: "thread"}
	for i := range 1000 {
		in.Holds = append(in.Holds, RetentionHold{ID: fmt.Sprint(i), On: "user", Released: i%2 == 0})
	}
	d, err := retention(t, DefaultConfig()).Decide(t.Context(), in)
	if err != nil || len(d.Holds) != 500 || len(d.Released) != 500 {
		t.Errorf("%d holds, %d released: %v", len(d.Holds), len(d.Released), err)
	}
}

// TestRetentionDescribesItself holds the Rego to what people read: titles everywhere, a rule and a reason on all that decides.
func TestRetentionDescribesItself(t *testing.T) {
	b, err := loadRetention(DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	periods := 0
	for name, module := range b.modules {
		for _, rule := range module.Rules {
			entry := string(rule.Head.Ref()[0].Value.(ast.Var))
			if entry != "period" && entry != "holding" && entry != "released" {
				continue
			}
			annotation := annotationOf(module, rule)
			if annotation == nil || annotation.Title == "" {
				t.Errorf("%s: %s has no title", name, rule.Location)
				continue
			}
			id, _ := annotation.Custom["rule"].(string)
			reason, _ := annotation.Custom["reason"].(string)
			if entry == "period" {
				periods++
			}
			if len(id) != 2 || id[0] != 'R' || (entry == "period") != validReason(reason) {
				t.Errorf("%s: %s has rule %q and reason %q", name, rule.Location, id, reason)
			}
		}
	}
	if periods != 9 {
		t.Errorf("%d rules decide", periods)
	}
}

func BenchmarkRetention(b *testing.B) {
	r := retention(b, DefaultConfig())
	in := RetentionInput{Class: "thread", Policies: []RetentionPolicy{
		{ID: "a", Version: 1, Action: "delete", Days: 30, Why: []string{"organization"}},
		{ID: "b", Version: 1, Action: "retain_then_delete", Days: 365, Why: []string{"group", "user"}},
	}, Holds: []RetentionHold{{ID: "h", On: "user"}}}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Decide(context.Background(), in); err != nil {
			b.Fatal(err)
		}
	}
}
