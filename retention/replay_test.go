package retention_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/anteroom/anteroom/directory"
	"github.com/anteroom/anteroom/policy"
	"github.com/anteroom/anteroom/retention"
	"github.com/anteroom/anteroom/store"
)

// rules is an organisation's own policy on periods.
func rules(text string) *policy.Revision {
	return &policy.Revision{Modules: map[string]string{"keep.rego": "package " + policy.KeepPackage + "\n\n" + text + "\n"}}
}

const (
	weekOfCopies = `shorten.copy contains {"days": 7, "rule": "ACME5", "reason": "acme_week"}`
	clinicDay    = weekOfCopies + "\n\n" + `shorten.copy contains {"days": 1, "rule": "ACME6", "reason": "acme_clinic"} if input.kept.resource == "22222222-0000-8000-8000-000000000001"`
	yearOfThread = weekOfCopies + "\n\n" + `shorten.thread contains {"days": 365, "rule": "ACME7", "reason": "acme_year"}`
)

// comparing asks two policies as the sandbox does; nil is the rules of the house alone.
func (h *house) comparing(before, after *policy.Revision) retention.Compare {
	h.t.Helper()
	was, err := h.engine.With("contoso", before)
	h.must(err)
	would, err := h.engine.With("contoso", after)
	h.must(err)
	return func(ctx context.Context, inputs []policy.RetentionInput) ([]policy.KeptPair, error) {
		pairs := make([]policy.KeptPair, len(inputs))
		for i, in := range inputs {
			var errBefore, errAfter error
			pairs[i].Before, errBefore = was.Answer(ctx, in)
			pairs[i].After, errAfter = would.Answer(ctx, in)
			if err := errors.Join(errBefore, errAfter); err != nil {
				return nil, err
			}
		}
		return pairs, nil
	}
}

func (h *house) replay(now time.Time, before, after *policy.Revision) retention.Replay {
	h.t.Helper()
	out, err := h.book.Replay(h.t.Context(), "contoso", now, store.QueryLimits{Timeout: time.Minute}, h.comparing(before, after), nil)
	h.must(err)
	return out
}

// activate has an organisation's own policy decide, everywhere.
func (h *house) activate(own *policy.Revision) {
	h.t.Helper()
	if own == nil {
		h.engine.Deactivate("contoso")
	} else {
		h.must(h.engine.Activate("contoso", *own))
	}
	_, err := h.newDecider(h.regions).Pass(h.t.Context(), noon)
	h.must(err)
}

// states counts the things of a class by state, and those of them that are held.
func (h *house) states(now time.Time, class string) map[string]int {
	h.t.Helper()
	out := map[string]int{}
	for _, s := range h.regions {
		h.must(s.EachThing(h.t.Context(), store.ThingFilter{Org: "contoso", Classes: []string{class}, At: now}, func(t *store.Thing) error {
			out[t.State]++
			if t.Held && t.State == "due" {
				out["due and held"]++
			}
			return nil
		}))
	}
	return out
}

// TestReplayCountsWhatHappens: what a replay says would be due at once is due once the policy is active, and nothing else is, to the microsecond.
func TestReplayCountsWhatHappens(t *testing.T) {
	h := newHouse(t)
	now := noon.Add(100 * 24 * time.Hour)
	ago := func(days int, more time.Duration) time.Time { return now.Add(-time.Duration(days)*24*time.Hour + more) }
	meeting, held := h.meeting(), h.meeting()
	h.joined(meeting, "ada")
	for _, sent := range []time.Time{ago(7, 0), ago(7, time.Microsecond), ago(8, 0), ago(3, 0), ago(29, 0)} {
		h.kept(meeting, "copy", clinic, sent)
		h.kept(meeting, "copy", bank, sent)
	}
	h.kept(meeting, "copy", bank, ago(31, 0)) // due anyway
	h.kept(meeting, "thread", uuid.Nil, ago(90, 0))
	h.kept(held, "copy", bank, ago(9, 0))
	h.kept(meeting, "notice", uuid.Nil, ago(90, 0))
	h.hold(directory.Hold{Meeting: held.String()})
	h.activate(nil)
	if got := h.states(now, "copy"); got["due"] != 1 || got["stored"] != 11 {
		t.Errorf("by the rules of the house: %v", got)
	}
	got := h.replay(now, nil, rules(weekOfCopies))
	thirty, week := 30, 7
	want := retention.Replay{
		At: now, Complete: true, Regions: []retention.PreviewRegion{{Region: "amer", Complete: true}, {Region: "emea", Complete: true}},
		Things: 14, Same: 2, Changed: 12, Earlier: 12, AtOnce: 7, Held: 1,
		Changes: []retention.ReplayChange{{
			Region: "amer", Class: "copy", FromDays: &thirty, ToDays: &week, Rule: "organization:ACME5", Reason: "acme_week", Things: 12, AtOnce: 7, Held: 1,
			Meetings: []string{meeting.String(), held.String()},
		}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("replay (-want +got):\n%s", diff)
	}
	h.activate(rules(weekOfCopies))
	if after := h.states(now, "copy"); after["due"] != 1+int(got.AtOnce) || after["due and held"] != int(got.Held) || after["stored"] != 11-int(got.AtOnce) {
		t.Errorf("activated: %v", after)
	}
	// A microsecond before, what was sent to the microsecond seven days ago can still be read.
	if before := h.states(now.Add(-time.Microsecond), "copy"); before["due"] != int(got.AtOnce)-1 {
		t.Errorf("a microsecond before: %v", before)
	}
	// The thread has an end now, and the clinic's copies an earlier one; back, all of it is later again.
	more := h.replay(now, rules(weekOfCopies), rules(clinicDay+"\n\n"+yearOfThread[len(weekOfCopies):]))
	if more.Earlier != 6 || more.Later != 0 || more.AtOnce != 2 || len(more.Changes) != 2 || more.Changes[0].Rule != "organization:ACME6" ||
		more.Changes[1].FromDays != nil || *more.Changes[1].ToDays != 365 {
		t.Errorf("the clinic's and the thread's: %+v", more)
	}
	back := h.replay(now, rules(weekOfCopies), nil)
	if back.Later != 12 || back.Earlier+back.AtOnce != 0 || back.Changes[0].Rule != "organization:ACME5" {
		t.Errorf("back: %+v", back)
	}
	for _, same := range []*policy.Revision{nil, rules(clinicDay)} {
		if itself := h.replay(now, same, same); itself.Changed != 0 || len(itself.Changes) != 0 || itself.Same != itself.Things || itself.Things != 14 {
			t.Errorf("a policy on itself: %+v", itself)
		}
	}
	h.activate(nil)
	if again := h.states(now, "copy"); again["due"] != 1 || again["stored"] != 11 {
		t.Errorf("rolled back: %v", again)
	}
}

// TestReplayCountsFailuresApart: what rules fail on is neither earlier nor later.
func TestReplayCountsFailuresApart(t *testing.T) {
	h := newHouse(t)
	meeting := h.meeting()
	h.kept(meeting, "copy", clinic, noon)
	h.kept(meeting, "copy", bank, noon)
	fails := rules(`shorten.copy contains {"days": count(input.kept.policies), "rule": "ACME5", "reason": "acme_none"} if input.kept.resource == "` + bank.String() + `"`)
	if got := h.replay(noon, nil, fails); got.Undecided != 1 || got.Things != 1 || got.Same != 1 || got.Changed != 0 {
		t.Errorf("%+v", got)
	}
	h.activate(fails)
	if got := h.decided(meeting, "copy", bank); got != byDefault() {
		t.Errorf("decided %+v", got)
	}
}

// TestReplayOfNothing: nothing is kept, and a policy that can't be asked is told of all the same.
func TestReplayOfNothing(t *testing.T) {
	h := newHouse(t)
	if got := h.replay(noon, nil, rules(weekOfCopies)); got.Things != 0 || got.Changes == nil || !got.Complete {
		t.Errorf("%+v", got)
	}
	broken := errors.New("broken")
	_, err := h.book.Replay(t.Context(), "contoso", noon, store.QueryLimits{Timeout: time.Minute},
		func(context.Context, []policy.RetentionInput) ([]policy.KeptPair, error) { return nil, broken }, nil)
	if !errors.Is(err, broken) {
		t.Errorf("a policy that can't be asked: %v", err)
	}
}

// TestReplayWithoutARegion: what can't be asked is told, and counts for nothing.
func TestReplayWithoutARegion(t *testing.T) {
	h := newHouse(t)
	h.kept(h.meeting(), "copy", clinic, noon)
	amer, lines := behind(t, h.configs["amer"])
	book, err := retention.NewRulebook(retention.DefaultConfig(), retention.RulebookDeps{
		Directory: h.rows, Home: h.home(), HomeRegion: "emea", Regions: map[string]*store.Store{"emea": h.home(), "amer": amer}, Policy: h.engine,
	})
	h.must(err)
	told := uint64(0)
	for _, cut := range []bool{false, true} {
		lines.set(cut)
		got, err := book.Replay(t.Context(), "contoso", noon, store.QueryLimits{Timeout: time.Minute}, h.comparing(nil, rules(weekOfCopies)), func(n uint64) { told += n })
		if err != nil || got.Complete == cut || fmt.Sprint(got.Earlier) != map[bool]string{false: "1", true: "0"}[cut] {
			t.Errorf("cut %v: %+v, %v", cut, got, err)
		}
	}
	if told != 1 {
		t.Errorf("told of %d things", told)
	}
}
