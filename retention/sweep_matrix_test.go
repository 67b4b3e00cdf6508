package retention_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/retention"
	"github.com/anteroom/anteroom/store"
)

// The rows of the test matrix of docs/retention.md that need no kill.

// at runs do once when a sweeper has done a step.
func at(s *retention.Sweeper, step string, do func()) {
	var once sync.Once
	s.OnStep(func(reached string) {
		if reached == step {
			once.Do(do)
		}
	})
}

// attempt sweeps and allows that something is left undone.
func (k *kept) attempt(s *retention.Sweeper, now time.Time) retention.Result {
	k.t.Helper()
	r, err := s.Sweep(k.t.Context(), now, false)
	if err != nil {
		k.t.Fatal(err)
	}
	return r
}

// Two sweepers at once: one works at a time, and everything goes once.
func TestRule_R7_TwoSweepersDoNoHarm(t *testing.T) {
	k := newKept(t)
	k.standard()
	for n := range 20 {
		k.say(n, noon.Add(time.Duration(n)*time.Second), fmt.Sprint("text ", n), 1, 2)
	}
	due := noon.Add(31 * keptDay)
	var all sync.WaitGroup
	for range 2 {
		s := k.sweeper()
		all.Go(func() {
			for range 3 {
				k.attempt(s, due)
			}
			if err := s.Close(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	k.once(due)
	if got := len(k.evidence()); got != 40 {
		t.Errorf("evidence of %d copies, want 40", got)
	}
	k.reconcile()
}

// A sweeper that falls silent at any step is taken over from, and when it wakes it neither deletes nor proves anything twice.
func TestRule_R7_ALostLeaseDoesNoHarm(t *testing.T) {
	for _, step := range []string{"stored rows", "set", "intent", "captured", "deleted", "checked", "purged", "evidence", "leaf", "tombstones", "forgotten"} {
		t.Run(step, func(t *testing.T) {
			k := newKept(t)
			k.standard()
			k.say(1, noon, "one", 1, 2)
			k.say(2, noon.Add(time.Second), "two", 1)
			due := noon.Add(30 * keptDay)
			s := k.sweeper()
			at(s, step, func() {
				k.sql.Exec("INSERT INTO sweep_beats (epoch, over) SELECT max(version), true FROM control WHERE kind = 'sweeper'")
				k.once(due)
			})
			k.attempt(s, due)
			if err := s.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			k.once(due)
			k.wantTexts("in the end", "thread one", "thread two", "copy two")
			k.reconcile()
		})
	}
}

// A policy that changes during a sweep: what is hidden stays so, what isn't follows.
func TestRule_R5_ThePolicyChangesDuringASweep(t *testing.T) {
	k := newKept(t)
	k.standard()
	k.say(1, noon, "one", 1)
	s := k.sweeper()
	k.sweep(s, noon)
	at(s, "hidden", func() { k.decide(decision{class: "copy", resource: keptResource, period: 90 * keptDay}) })
	due := noon.Add(30 * keptDay)
	k.sweep(s, due)
	k.wantGone("due", "copy", message(1), guest(1))

	k.say(2, due, "two", 1)
	k.sweep(s, due.Add(30*keptDay)) // longer by now
	k.wantStates(due, map[string]int{"thread stored": 2, "copy stored": 1})
	at(s, "hidden", func() { k.decide(decision{class: "copy", resource: keptResource, period: keptDay}) })
	shortened := due.Add(40 * keptDay)
	k.sweep(s, shortened)
	k.sweep(s, shortened.Add(time.Second))
	// It had to be gone since the policy was shortened, not since before it was.
	e := k.evidenceOf("copy", message(2), guest(1))
	if e == nil || !e.DueAt.Equal(due.Add(keptDay)) || e.LatenessMs > time.Minute.Milliseconds() || !e.HiddenAt.Equal(shortened) {
		t.Errorf("evidence %+v", e)
	}

	// Removed: what the policy has hidden goes, and what comes to be due by nothing else stays.
	k.decide(decision{class: "thread", period: 60 * keptDay})
	at(s, "hidden", func() { k.decide(decision{class: "thread"}) })
	removed := due.Add(59 * keptDay)
	k.sweep(s, removed)
	k.wantGone("due", "thread", message(1), uuid.Nil)
	k.sweep(s, removed.Add(3650*keptDay))
	k.wantTexts("after the policy was removed", "thread two")
	k.reconcile()
}

// Months and years are counted in days: a leap day is one.
func TestRule_R2_ALeapDayIsADay(t *testing.T) {
	k := newKept(t)
	k.standard()
	sent := time.Date(2032, 2, 28, 23, 59, 59, 999_999_000, time.UTC)
	k.say(1, sent, "one", 1)
	s := k.sweeper()
	due := time.Date(2032, 3, 29, 23, 59, 59, 999_999_000, time.UTC)
	if r := k.sweep(s, due.Add(-time.Microsecond)); r.Hidden > 0 {
		t.Errorf("a microsecond early: %+v", r)
	}
	if r := k.sweep(s, due); r.Purged != 1 {
		t.Errorf("when due: %+v", r)
	}
}

// A clock that was ahead and goes back: what it hid stays hidden, and is purged only when it is due by the clock that holds then.
func TestRule_R6_AClockThatGoesBackDeletesNothingEarly(t *testing.T) {
	for _, jump := range []time.Duration{time.Hour, 24 * time.Hour} {
		t.Run(jump.String(), func(t *testing.T) {
			k := newKept(t)
			k.standard()
			k.say(1, noon, "one", 1)
			due := noon.Add(30 * keptDay)
			s := k.sweeper()
			at(s, "hidden", func() {
				k.sql.Exec("INSERT INTO sweep_beats (epoch, over) SELECT max(version), true FROM control WHERE kind = 'sweeper'")
			})
			s.OnStep(func(step string) {
				if step == "hidden" {
					panic(step) // it dies with the wrong clock
				}
			})
			func() {
				defer func() { _ = recover() }()
				_, _ = s.Sweep(t.Context(), due.Add(jump/2), false)
			}()
			k.sql.Exec("INSERT INTO sweep_beats (epoch, over) SELECT max(version), true FROM control WHERE kind = 'sweeper'")
			k.once(due.Add(jump/2 - jump))
			k.wantTexts("after the clock went back", "thread one", "copy one")
			k.wantStates(due.Add(jump/2-jump), map[string]int{"thread stored": 1, "copy hidden": 1})
			k.once(due)
			k.wantTexts("when it is due", "thread one")
			k.reconcile()
		})
	}
}

// A clock that jumps ahead is not believed at once.
func TestClocksAreNotBelievedAtOnce(t *testing.T) {
	cfg := retention.DefaultSweepConfig()
	c := retention.NewClock(cfg)
	type reading struct {
		process, server, passed time.Duration // since noon; since the start
		want                    time.Duration
		agreed                  bool
	}
	for i, r := range []reading{
		{0, 0, 0, 0, true},
		{5 * time.Second, 4 * time.Second, 5 * time.Second, 4 * time.Second, true},
		{10 * time.Minute, 0, 6 * time.Second, 0, false},                                           // only one of both is ahead
		{time.Hour + 7*time.Second, time.Hour + 7*time.Second, 7 * time.Second, time.Second, true}, // more than an hour further than it can be
		{time.Hour + 8*time.Second, time.Hour + 8*time.Second, 8 * time.Second, 2 * time.Second, true},
		{8 * time.Second, 8 * time.Second, 9 * time.Second, 8 * time.Second, true}, // corrected
		{24 * time.Hour, 24 * time.Hour, 10 * time.Second, 9 * time.Second, true},
		{24*time.Hour + 11*time.Minute, 24*time.Hour + 11*time.Minute, 11 * time.Minute, 24*time.Hour + 11*time.Minute, true}, // nobody has corrected it
		{12 * time.Hour, 12 * time.Hour, 11*time.Minute + time.Second, 12 * time.Hour, true},
	} {
		now, agreed := c.Now(noon.Add(r.process), noon.Add(r.server), r.passed)
		if got := now.Sub(noon); got != r.want || agreed != r.agreed {
			t.Errorf("reading %d: %v %v, want %v %v", i, got, agreed, r.want, r.agreed)
		}
	}
}

// While merges are stopped nothing can be deleted: that is told, and made up for.
func TestRule_R6_NoRoomForMerges(t *testing.T) {
	k := newKept(t)
	k.standard()
	k.say(1, noon, "one", 1)
	k.sql.Exec(fmt.Sprintf("INSERT INTO texts (class, org, meeting_id, call_id, message_id, sent_at, revised_at, text) SELECT class, org, meeting_id, 'other', '%s', sent_at, revised_at, 'other' FROM texts WHERE class = 'copy'", message(9)))
	k.sql.Exec("OPTIMIZE TABLE texts FINAL") // with one row that goes and one that stays
	cfg := sweepConfig()
	cfg.Patience = 500 * time.Millisecond
	s, err := retention.NewSweeper(cfg, k.deps())
	if err != nil {
		t.Fatal(err)
	}
	due := noon.Add(30 * keptDay)
	k.sql.Exec("SYSTEM STOP MERGES texts")
	for range 2 {
		if r := k.attempt(s, due); !r.Partial || r.Purged > 0 {
			t.Errorf("while merges are stopped: %+v", r)
		}
	}
	if got := k.evidence(); len(got) > 0 {
		t.Errorf("evidence while merges are stopped: %+v", got)
	}
	k.sql.Exec("SYSTEM START MERGES texts")
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	k.once(due)
	e := k.evidenceOf("copy", message(1), guest(1))
	if e == nil || e.Attempts < 3 {
		t.Errorf("evidence %+v", e)
	}
	k.reconcile()
}

// Each of the ways in which bytes survive a deletion keeps evidence from being written.
func TestRule_R6_NothingIsGoneBeforeItsBytesAre(t *testing.T) {
	partition := noon.Format("20060102")
	for name, tc := range map[string]struct{ before, after []string }{
		"a frozen copy": {
			[]string{"ALTER TABLE texts FREEZE PARTITION ID '2-" + partition + "' WITH NAME 'kept'"},
			[]string{"ALTER TABLE texts UNFREEZE PARTITION ID '2-" + partition + "' WITH NAME 'kept'", "OPTIMIZE TABLE texts PARTITION ID '2-" + partition + "' FINAL"},
		},
		"a detached part": {
			[]string{"ALTER TABLE texts DETACH PARTITION ID '2-" + partition + "'"},
			[]string{"ALTER TABLE texts ATTACH PARTITION ID '2-" + partition + "'"},
		},
		"a mask": {
			[]string{"DELETE FROM texts WHERE class = 'copy' AND text = 'one' SETTINGS lightweight_deletes_sync = 2"},
			[]string{"ALTER TABLE texts APPLY DELETED MASK SETTINGS mutations_sync = 2"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			k := newKept(t)
			k.standard()
			k.say(1, noon, "one", 1)
			k.text("copy", message(8), noon, noon, "other")
			k.sql.Exec("OPTIMIZE TABLE texts FINAL")
			due := noon.Add(30 * keptDay)
			for _, statement := range tc.before {
				k.sql.Exec(statement)
			}
			s := k.sweeper()
			if r := k.attempt(s, due); !r.Partial || r.Purged > 0 {
				t.Errorf("with %s: %+v", name, r)
			}
			if got := k.evidence(); len(got) > 0 {
				t.Errorf("evidence with %s: %+v", name, got)
			}
			for _, statement := range tc.after {
				k.sql.Exec(statement)
			}
			k.sweep(s, due)
			k.wantGone("due", "copy", message(1), guest(1))
			k.reconcile()
		})
	}
}

// Replayed from the start, redelivered twice and in another order: what is gone stays gone, is never readable, and has its evidence once.
func TestRule_R6_NothingComesBack(t *testing.T) {
	k := newKept(t)
	k.standard()
	say := func() {
		k.say(1, noon, "one", 1)
		k.say(2, noon.Add(time.Second), "two", 1)
	}
	say()
	s := k.sweeper()
	due := noon.Add(365*keptDay + time.Hour)
	k.sweep(s, due)
	k.wantTexts("when all is due")
	before := k.evidence()
	// A longer period would let what comes back be read, if nothing remembered.
	k.decide(decision{class: "copy", resource: keptResource, period: 3650 * keptDay}, decision{class: "thread", period: 3650 * keptDay})
	for range 2 {
		say()
		key := store.HolderKey{CallKey: store.CallKey{Org: keptOrg, CallID: keptCall}, MeetingID: keptMeeting, HolderID: guest(1)}
		r := store.NewReader(k.s, store.QueryLimits{})
		if m, err := r.Copy(t.Context(), key, due); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("what came back can be read: %+v, %v", m, err)
		}
		if list, err := r.ThreadMessages(t.Context(), keptOrg, keptMeeting, due, nil, 10); err != nil || len(list) > 0 {
			t.Errorf("what came back can be read: %+v, %v", list, err)
		}
		k.sweep(s, due)
		k.wantTexts("after a replay")
		if after := k.evidence(); len(after) != len(before) {
			t.Errorf("evidence of %d things, of %d before the replay", len(after), len(before))
		}
	}
	k.wantStates(due, map[string]int{})
	k.reconcile()
}

// A dry run tells what would go, by class and rule, and changes nothing.
func TestADryRunChangesNothing(t *testing.T) {
	k := newKept(t)
	k.standard()
	k.say(1, noon, "one", 1, 2)
	k.say(2, noon.Add(time.Second), "two", 1)
	k.decide(decision{class: "copy", resource: otherApp, period: 30 * keptDay, held: true})
	due := noon.Add(30 * keptDay)
	r, err := k.sweeper().Sweep(t.Context(), due, true)
	if err != nil {
		t.Fatal(err)
	}
	if r.Hidden != 2 || r.Purged != 1 || r.HeldBack != 1 || len(r.Outlook) != 2 {
		t.Errorf("%+v", r)
	}
	k.wantStates(noon, map[string]int{"thread stored": 2, "copy stored": 2, "copy superseded": 1})
	if n := k.sql.Count("SELECT (SELECT count() FROM hidden) + (SELECT count() FROM purge_sets) + (SELECT count() FROM stored_things) + (SELECT count() FROM control)"); n > 0 {
		t.Errorf("a dry run wrote %d rows", n)
	}
}
