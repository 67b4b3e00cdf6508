package retention_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/retention"
	"github.com/anteroom/anteroom/store"
)

// A hold that comes after things were selected, at whatever step before the deletion, keeps them.
func TestRule_R4_AHoldCountsAtTheMomentOfDeletion(t *testing.T) {
	for _, step := range []string{"hidden", "set", "intent", "captured"} {
		t.Run(step, func(t *testing.T) {
			k := newKept(t)
			k.standard()
			k.say(1, noon, "one", 1, 2)
			recording := id(55555555, 1)
			k.files[recording] = true
			k.keep("recording", recording, uuid.Nil, uuid.Nil, noon)
			k.decide(decision{class: "recording", period: 30 * keptDay})
			due := noon.Add(30 * keptDay)
			s := k.sweeper()
			hold := func(held bool) {
				d := decision{class: "copy", resource: keptResource, period: 30 * keptDay, held: held}
				if !held {
					d.released = due
				}
				other, recording := d, d
				other.resource, recording.class, recording.resource = otherApp, "recording", uuid.Nil
				k.decide(d, other, recording)
			}
			s.OnStep(func(reached string) {
				if reached == step && len(k.sql.Texts("SELECT 'x' FROM retention_decisions WHERE held")) == 0 {
					hold(true)
				}
			})
			k.sweep(s, due)
			k.wantTexts("after a hold came at the step "+step, "thread one", "copy one")
			k.wantStates(due, map[string]int{"thread stored": 1, "copy hidden": 2, "recording hidden": 1})
			if !k.files[recording] {
				t.Error("the recording is gone although it is held")
			}
			if got := k.evidence(); len(got) > 0 {
				t.Errorf("there is evidence of what is held: %+v", got)
			}
			k.reconcile()
			hold(false)
			k.sweep(s, due)
			k.wantTexts("after release", "thread one")
			if k.files[recording] {
				t.Error("the recording is still there after release")
			}
			k.reconcile()
		})
	}
}

// The same for files, of which each is asked for right before it goes.
func TestRule_R4_AHoldCountsForFilesToo(t *testing.T) {
	for _, step := range []string{"set", "intent"} {
		t.Run(step, func(t *testing.T) {
			k := newKept(t)
			due := noon.Add(30 * keptDay)
			k.decide(decision{class: "recording", period: 30 * keptDay})
			for n := range 2 {
				k.files[id(55555555, n)] = true
				k.keep("recording", id(55555555, n), uuid.Nil, uuid.Nil, noon)
			}
			s := k.sweeper()
			at(s, step, func() { k.decide(decision{class: "recording", period: 30 * keptDay, held: true}) })
			k.sweep(s, due)
			if len(k.files) != 2 || len(k.evidence()) > 0 {
				t.Errorf("held recordings are gone: %v are left, with %d rows of evidence", k.files, len(k.evidence()))
			}
			k.decide(decision{class: "recording", period: 30 * keptDay, released: due})
			k.sweep(s, due)
			if len(k.files) > 0 || len(k.evidence()) != 2 {
				t.Errorf("after release %v are left, with %d rows of evidence", k.files, len(k.evidence()))
			}
			k.reconcile()
		})
	}
}

// Who places a hold is told that it counts only once nothing is deleted any more that was begun before.
func TestRule_R4_AHoldWaitsForPurgesInFlight(t *testing.T) {
	k := newKept(t)
	k.standard()
	k.say(1, noon, "one", 1)
	s := k.sweeper()
	var checked atomic.Bool
	acknowledged := make(chan error, 1)
	s.OnStep(func(step string) {
		switch step {
		case "captured":
			go func() {
				err := retention.AwaitPurges(t.Context(), map[string]*store.Store{"emea": k.s}, sweepConfig().Silence)
				if err == nil && !checked.Load() {
					err = errors.New("it was acknowledged while a purge was in flight")
				}
				acknowledged <- err
			}()
		case "checked":
			checked.Store(true)
		}
	})
	k.sweep(s, noon.Add(30*keptDay))
	if err := <-acknowledged; err != nil {
		t.Error(err)
	}
	k.wantTexts("after the purge", "thread one")
}

// A sweeper that died in the middle is not waited for for ever, and deletes nothing when it was only asleep.
func TestRule_R4_AHoldWaitsForNoDeadSweeper(t *testing.T) {
	k := newKept(t)
	k.standard()
	k.say(1, noon, "one", 1)
	k.say(2, noon.Add(time.Second), "two", 3)
	due := noon.Add(30 * keptDay)
	s := k.sweeper()
	at(s, "captured", func() {
		// It shows no sign of life as far as the table tells.
		k.sql.Exec("ALTER TABLE sweep_beats UPDATE over = true WHERE 1 SETTINGS mutations_sync = 2")
		k.decide(decision{class: "copy", resource: keptResource, period: 30 * keptDay, held: true})
		if err := retention.AwaitPurges(t.Context(), map[string]*store.Store{"emea": k.s}, sweepConfig().Silence); err != nil {
			t.Error(err)
		}
		// Even the hold's end changes nothing for who was taken over from.
		k.decide(decision{class: "copy", resource: keptResource, period: 30 * keptDay})
	})
	if r := k.attempt(s, due); !r.Partial || r.Purged > 0 {
		t.Errorf("who was taken over from says %+v", r)
	}
	k.wantTexts("after it woke", "thread one", "thread two", "copy one", "copy two")
	k.once(due)
	k.wantTexts("after the next", "thread one", "thread two", "copy two")
	k.reconcile()
}

// When a sweeper counts as dead is configured: one that may be silent for longer is waited for for longer.
func TestRule_R4_AHoldWaitsAsLongAsASweeperMayBeSilent(t *testing.T) {
	k := newKept(t)
	k.standard()
	k.say(1, noon, "one", 1)
	s := k.sweeper()
	at(s, "captured", func() {
		patient, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		if err := retention.AwaitPurges(patient, map[string]*store.Store{"emea": k.s}, time.Minute); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a sweeper that may be silent for a minute was not waited for: %v", err)
		}
		if err := retention.AwaitPurges(t.Context(), map[string]*store.Store{"emea": k.s}, 100*time.Millisecond); err != nil {
			t.Error(err)
		}
	})
	if r := k.attempt(s, noon.Add(30*keptDay)); !r.Partial || r.Purged > 0 {
		t.Errorf("who was taken over from says %+v", r)
	}
}

// Without up to date decisions things are hidden by those that there are, and nothing is purged: not even what was about to be when they grew old.
func TestRule_R4_WithoutFreshDecisionsNothingIsPurged(t *testing.T) {
	for _, step := range []string{"never", "hidden", "captured"} {
		t.Run(step, func(t *testing.T) {
			k := newKept(t)
			k.standard()
			k.say(1, noon, "one", 1)
			due := noon.Add(30 * keptDay)
			deps := k.deps()
			deps.MaxDecisionAge = time.Minute
			s, err := retention.NewSweeper(sweepConfig(), deps)
			if err != nil {
				t.Fatal(err)
			}
			old := func() {
				if err := k.s.MarkDecisions(t.Context(), 1, 2*time.Minute); err != nil {
					t.Fatal(err)
				}
			}
			if step == "never" {
				old()
			} else {
				if err := k.s.MarkDecisions(t.Context(), 1, 0); err != nil {
					t.Fatal(err)
				}
				at(s, step, old)
			}
			if r := k.attempt(s, due); !r.Partial || r.Hidden != 1 || r.Purged != 0 {
				t.Errorf("without fresh decisions: %+v", r)
			}
			k.wantTexts("without fresh decisions", "thread one", "copy one")
			if err := k.s.MarkDecisions(t.Context(), 1, 0); err != nil {
				t.Fatal(err)
			}
			if r := k.sweep(s, due); r.Purged != 1 {
				t.Errorf("with fresh decisions: %+v", r)
			}
			k.reconcile()
		})
	}
}
