package author

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/anteroom/anteroom/policy"
)

func keepsFor(rules string) Content {
	return Content{Files: map[string]string{"keep.rego": "package " + policy.KeepPackage + "\n\n" + rules + "\n"}}
}

// TestRulesOnPeriodsAreTried: before they are activated, with what they will be asked.
func TestRulesOnPeriodsAreTried(t *testing.T) {
	base := newBase(t)
	budget := func(c Content) (time.Duration, error) {
		loaded, err := Load(base, c)
		if err != nil {
			t.Fatal(err)
		}
		_, p99, err := loaded.Budget(context.Background(), nil)
		return p99, err
	}
	if p99, err := budget(keepsFor(`shorten.copy contains {"days": 7, "rule": "a", "reason": "r"}`)); err != nil || p99 <= 0 {
		t.Errorf("%v, %v", p99, err)
	}
	_, err := budget(keepsFor(`shorten.copy contains {"days": count(input.kept.policies), "rule": "a", "reason": "r"}`))
	if err == nil || !strings.Contains(err.Error(), "how long chat is kept failed: the days of shorten") {
		t.Errorf("no days without policies: %v", err)
	}
}

// TestKeptComparesTwoContents: what fails is an answer, what can't be activated an error.
func TestKeptComparesTwoContents(t *testing.T) {
	base := newBase(t)
	week := keepsFor(`shorten.copy contains {"days": 7, "rule": "a", "reason": "r"}`)
	asked := []policy.RetentionInput{{Class: "copy", Resource: "x"}, {Class: "notice"}}
	pairs, err := Kept(context.Background(), base, Content{}, week, asked)
	if err != nil || len(pairs) != 2 || *pairs[0].Before.Days != 30 || *pairs[0].After.Days != 7 || pairs[0].After.Rule != "organization:a" || *pairs[1].After.Days != 1095 {
		t.Errorf("%+v, %v", pairs, err)
	}
	fails := keepsFor(`shorten.copy contains {"days": count(input.kept.policies), "rule": "a", "reason": "r"}`)
	if pairs, err = Kept(context.Background(), base, week, fails, asked); err != nil || pairs[0].After.Failed != policy.FailedError || *pairs[0].After.Days != 30 {
		t.Errorf("%+v, %v", pairs, err)
	}
	if _, err = Kept(context.Background(), base, week, keepsFor("shorten.copy contains 7"), nil); err == nil || !strings.Contains(err.Error(), "after: ") {
		t.Errorf("what can't be activated: %v", err)
	}
	if week.SpeaksOfPeriods() != true || own("deny contains \"x\" if true\n").SpeaksOfPeriods() {
		t.Error("which contents speak of periods is not told")
	}
}
