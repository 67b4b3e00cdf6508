package retention_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/anteroom/anteroom/retention/proof"
)

// textsLeft are the texts that there are, by class.
func (k *kept) textsLeft() []string {
	k.t.Helper()
	return k.sql.Texts("SELECT concat(toString(class), ' ', text) FROM texts ORDER BY class, sent_at, revised_at")
}

func (k *kept) wantTexts(when string, want ...string) {
	k.t.Helper()
	if diff := cmp.Diff(want, k.textsLeft()); diff != "" {
		k.t.Errorf("texts %s (-want +got):\n%s", when, diff)
	}
}

func (k *kept) wantStates(now time.Time, want map[string]int) {
	k.t.Helper()
	if diff := cmp.Diff(want, k.states(now)); diff != "" {
		k.t.Errorf("at %v (-want +got):\n%s", now, diff)
	}
}

// wantGone wants evidence of a thing, with a reason.
func (k *kept) wantGone(why, class string, item, holder uuid.UUID) {
	k.t.Helper()
	switch e := k.evidenceOf(class, item, holder); {
	case e == nil:
		k.t.Errorf("there is no evidence of a %s", class)
	case e.Why != why:
		k.t.Errorf("a %s is gone as %q, want %q", class, e.Why, why)
	}
}

// Nothing goes before the due second, and all at it, with evidence and a leaf.
func TestRule_R6_DueCopiesGo(t *testing.T) {
	k := newKept(t)
	k.standard()
	k.say(1, noon, "one", 1)
	s := k.sweeper()
	due := noon.Add(30 * keptDay)
	for _, now := range []time.Time{noon, due.Add(-time.Microsecond)} {
		if r := k.sweep(s, now); r.Hidden != 0 || r.Purged != 0 {
			t.Errorf("at %v: %+v", now, r)
		}
	}
	k.wantStates(due.Add(-time.Microsecond), map[string]int{"thread stored": 1, "copy stored": 1})
	if r := k.sweep(s, due); r.Hidden != 1 || r.Purged != 1 {
		t.Errorf("at the due second: %+v", r)
	}
	k.wantStates(due, map[string]int{"thread stored": 1})
	k.wantTexts("after", "thread one")
	e := k.evidenceOf("copy", message(1), guest(1))
	if e == nil || e.Why != "due" || !e.DueAt.Equal(due) || !e.HiddenAt.Equal(due) || e.PurgedAt.Before(due) || e.Born || e.Attempts != 1 || e.RuleID != "default" ||
		e.LatenessMs != e.PurgedAt.Sub(due).Milliseconds() || !e.BrokerExpiryAt.Equal(noon.Add(7*keptDay)) {
		t.Errorf("evidence %+v", e)
	}
	if r := k.sweep(s, due.Add(365*keptDay)); r.Purged != 1 {
		t.Errorf("the thread by its own rule: %+v", r)
	}
	k.wantTexts("in the end")
	k.reconcile()
}

// Guests share a message's text: it goes with the last of their copies, while each copy goes by itself.
func TestRule_S3_SupersededCopiesGo(t *testing.T) {
	k := newKept(t)
	k.standard()
	k.say(1, noon, "one", 1, 2)
	s := k.sweeper()
	k.sweep(s, noon)
	k.say(2, noon.Add(time.Second), "two", 1) // the second guest has left
	if r := k.sweep(s, noon.Add(2*time.Second)); r.Hidden != 1 || r.Purged != 1 {
		t.Errorf("after the second message: %+v", r)
	}
	k.wantGone("superseded", "copy", message(1), guest(1))
	k.wantTexts("while the other guest has it", "thread one", "thread two", "copy one", "copy two")
	k.wantStates(noon, map[string]int{"thread stored": 2, "copy stored": 2})
	// The second guest's copy is due, and with it goes the text.
	k.sweep(s, noon.Add(30*keptDay))
	k.wantGone("due", "copy", message(1), guest(2))
	k.wantTexts("when the last copy of it is due", "thread one", "thread two", "copy two")
	// A late older message is superseded from the start, and is no longer there after the next look.
	k.keep("copy", message(0), guest(1), app(1), noon.Add(-time.Second))
	k.text("copy", message(0), noon.Add(-time.Second), noon.Add(-time.Second), "late")
	k.sweep(s, noon.Add(30*keptDay))
	k.wantGone("superseded", "copy", message(0), guest(1))
	k.wantTexts("after a late message", "thread one", "thread two", "copy two")
	k.reconcile()
}

// What an edit replaces goes and is proven by itself; deleting the latest message purges its copies and revives none.
func TestRule_S6_EditsAndDeletions(t *testing.T) {
	k := newKept(t)
	k.standard()
	k.say(1, noon, "one", 1)
	s := k.sweeper()
	k.sweep(s, noon)
	at := noon.Add(time.Minute)
	for _, class := range []string{"thread", "copy"} {
		k.text(class, message(1), noon, at, "edited")
	}
	if r := k.sweep(s, at); r.Hidden != 2 || r.Purged != 2 {
		t.Errorf("after an edit: %+v", r)
	}
	k.wantTexts("after an edit", "thread edited", "copy edited")
	for _, class := range []string{"thread", "copy"} {
		k.wantGone("edited", class, proof.RevisionID(message(1), noon), uuid.Nil)
	}
	k.wantStates(at, map[string]int{"thread stored": 1, "copy stored": 1})

	k.say(2, noon.Add(2*time.Minute), "two", 1)
	k.sweep(s, noon.Add(2*time.Minute))
	k.sql.Exec(fmt.Sprintf("INSERT INTO retractions (org, meeting_id, call_id, message_id, retracted_at) VALUES ('%s', '%s', '%s', '%s', %s)",
		keptOrg, keptMeeting, keptCall, message(2), micro(noon.Add(3*time.Minute))))
	k.sweep(s, noon.Add(3*time.Minute))
	k.wantTexts("after a deletion", "thread edited")
	k.wantGone("retracted", "copy", message(2), guest(1))
	k.wantGone("retracted", "thread", message(2), uuid.Nil)

	// An edit of what is gone comes late: it is nobody's text.
	k.sql.Exec(fmt.Sprintf(`INSERT INTO texts (class, org, meeting_id, call_id, message_id, sent_at, revised_at, text, inserted_at) VALUES
		('copy', '%s', '%s', '%s', '%s', %s, %s, 'nobody''s', now() - 120)`, keptOrg, keptMeeting, keptCall, message(2), micro(noon.Add(2*time.Minute)), micro(noon.Add(150*time.Second))))
	k.sweep(s, noon.Add(3*time.Minute))
	k.wantTexts("after a late edit", "thread edited")
	k.wantGone("tombstoned", "copy", proof.RevisionID(message(2), noon.Add(150*time.Second)), uuid.Nil)
	k.reconcile()
}

// A hold stops purging, not hiding; what fell due meanwhile is due at once after release, and late from then on.
func TestRule_R4_AHoldStopsPurging(t *testing.T) {
	k := newKept(t)
	k.standard()
	k.say(1, noon, "one", 1, 2)
	k.decide(decision{class: "copy", resource: keptResource, period: 30 * keptDay, held: true})
	due := noon.Add(30 * keptDay)
	s := k.sweeper()
	if r := k.sweep(s, due); r.Hidden != 2 || r.Purged != 1 {
		t.Errorf("one of two is held: %+v", r)
	}
	k.wantStates(due, map[string]int{"thread stored": 1, "copy hidden": 1})
	k.wantTexts("while one copy of it is held", "thread one", "copy one")
	released := due.Add(10 * keptDay)
	k.sweep(s, released)
	k.wantStates(released, map[string]int{"thread stored": 1, "copy hidden": 1})
	k.decide(decision{class: "copy", resource: keptResource, period: 30 * keptDay, released: released})
	k.sweep(s, released)
	k.wantTexts("after release", "thread one")
	e := k.evidenceOf("copy", message(1), guest(1))
	if e == nil || !e.HiddenAt.Equal(due) || e.LatenessMs != e.PurgedAt.Sub(released).Milliseconds() {
		t.Errorf("evidence %+v", e)
	}
	k.reconcile()
}

// Every copy that ever was is accounted for, also what was due when it came, and what came before its meeting was decided on.
func TestRule_R7_WhatComesTooLateIsToldSo(t *testing.T) {
	k := newKept(t)
	sent := time.Now().Add(-40 * keptDay).UTC().Truncate(time.Microsecond)
	k.say(1, sent, "one", 1)
	s := k.sweeper()
	if r := k.sweep(s, time.Now()); r.Hidden != 0 {
		t.Errorf("before anything was decided: %+v", r)
	}
	k.standard()
	k.sweep(s, time.Now())
	e := k.evidenceOf("copy", message(1), guest(1))
	if e == nil || !e.Born || e.Why != "due" || e.LatenessMs > time.Hour.Milliseconds() {
		t.Errorf("evidence %+v", e)
	}
	k.reconcile()
}

// Recordings, notices and decision inputs go by the same sweep and the same holds.
func TestRule_R8_AllClassesGo(t *testing.T) {
	k := newKept(t)
	k.standard()
	for _, class := range []string{"recording", "notice", "decision"} {
		k.decide(decision{class: class, period: 90 * keptDay, held: class == "notice"})
	}
	recording := id(55555555, 1)
	k.files[recording] = true
	k.keep("recording", recording, uuid.Nil, uuid.Nil, noon)
	k.keep("notice", uuid.Nil, uuid.Nil, uuid.Nil, noon)
	k.keep("decision", uuid.Nil, uuid.Nil, uuid.Nil, noon)
	k.sql.Exec(fmt.Sprintf("INSERT INTO decisions (org, meeting_id, call_id, input, at, sent_at) VALUES ('%s', '%s', '%s', '{}', %s, %s)",
		keptOrg, keptMeeting, keptCall, micro(noon.Add(time.Hour)), micro(noon)))
	happened := func(kind string, at time.Time) {
		k.sql.Exec(fmt.Sprintf("INSERT INTO timeline (org, call_id, observed_at, kind, name) VALUES ('%s', '%s', %s, '%s', 'x')", keptOrg, keptCall, micro(at), kind))
	}
	happened("decision", noon)
	for month := range 4 { // a call may go on for so long
		happened("notice", noon.AddDate(0, month, 0))
	}
	s := k.sweeper()
	due := noon.Add(90 * keptDay)
	k.sweep(s, due.Add(-time.Microsecond))
	if !k.files[recording] {
		t.Error("the recording went early")
	}
	k.sweep(s, due)
	if k.files[recording] {
		t.Error("the recording is still there")
	}
	if diff := cmp.Diff([]string{"decision", "notice"}, k.sql.Texts("SELECT DISTINCT toString(kind) AS k FROM timeline ORDER BY k")); diff != "" {
		t.Errorf("the timeline with the notices held (-want +got):\n%s", diff)
	}
	k.decide(decision{class: "notice", period: 90 * keptDay, released: due})
	k.sweep(s, due)
	if diff := cmp.Diff([]string{"decision"}, k.sql.Texts("SELECT toString(kind) FROM timeline")); diff != "" {
		t.Errorf("the timeline (-want +got):\n%s", diff)
	}
	k.wantGone("due", "recording", recording, uuid.Nil)
	k.wantGone("due", "notice", uuid.Nil, uuid.Nil)
	k.wantGone("due", "decision", uuid.Nil, uuid.Nil)
	if n := k.sql.Count("SELECT count() FROM decisions"); n > 0 {
		t.Errorf("%d decision inputs are left", n)
	}
	k.reconcile()
}
