package retention_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/anteroom/anteroom/directory"
)

const (
	del        = directory.RetentionDelete
	retain     = directory.RetentionRetain
	retainThen = directory.RetentionRetainThenDelete
)

// want asserts what is decided on a meeting's thread and on the copies of the clinic's guests.
func (h *house) want(meeting uuid.UUID, thread, copies answer) {
	h.t.Helper()
	if diff := cmp.Diff([2]answer{thread, copies}, [2]answer{h.decided(meeting, "thread", uuid.Nil), h.decided(meeting, "copy", clinic)}); diff != "" {
		h.t.Errorf("thread and copies (-want +got):\n%s", diff)
	}
}

// What is decided where no policy applies.
func keptThread() answer { return answer{0, "kept", "kept_without_policy", false} }
func byDefault() answer  { return answer{30, "default", "default_period", false} }

func TestRule_R1_APolicyThatDeletesGovernsAllCopies(t *testing.T) {
	h := newHouse(t)
	hers, theirs, his := h.chat("ada"), h.chat("ada", "bob", "stranger"), h.chat("bob")
	h.kept(theirs, "copy", bank, noon)
	h.pass()
	for _, meeting := range []uuid.UUID{hers, theirs, his} {
		h.want(meeting, keptThread(), byDefault())
	}
	// Of any of its users: all copies, whoever holds them.
	legal := h.policy(group("legal"), del, 7)
	h.pass()
	seven := answer{7, legal, "shortest_deletion", false}
	h.want(hers, seven, seven)
	h.want(theirs, seven, seven)
	h.want(his, keptThread(), byDefault())
	if got := h.decided(theirs, "copy", bank); got != seven {
		t.Errorf("copies of the bank's guests: %+v", got)
	}
	// Several: the shortest. It may be longer than 30 days.
	short := h.policy(only("bob"), retainThen, 1)
	h.pass()
	one := answer{1, short, "shortest_deletion", false}
	h.want(theirs, answer{1, short, "shortest_deletion", false}, one)
	h.change(short, func(p *directory.RetentionPolicy) { p.Action.Days = 90 })
	h.pass()
	h.want(theirs, answer{90, short, "more_specific_scope", false}, seven)
	h.want(his, answer{90, short, "shortest_deletion", false}, answer{90, short, "shortest_deletion", false})
	// A scope of everybody covers those whom the directory has no row of; nobody's meeting has no policy.
	strangers, nobodys := h.chat("stranger"), h.chat()
	all := h.policy(everybody(), del, 3)
	h.pass()
	three := answer{3, all, "shortest_deletion", false}
	h.want(strangers, three, three)
	h.want(nobodys, keptThread(), byDefault())
}

func TestRule_R2_WithoutAPolicyCopiesAreKept30Days(t *testing.T) {
	h := newHouse(t)
	meeting := h.chat("ada")
	// What belongs to no meeting, and what another policy's scope doesn't reach.
	h.kept(uuid.Nil, "copy", clinic, noon)
	off := h.policy(everybody(), del, 1)
	h.change(off, func(p *directory.RetentionPolicy) { p.Enabled = false })
	h.policy(group("staff"), del, 1)
	h.policy(query(`country != "DE"`), del, 1)
	h.pass()
	h.want(meeting, keptThread(), byDefault())
	if got := h.decided(uuid.Nil, "copy", clinic); got != byDefault() {
		t.Errorf("of no meeting: %+v", got)
	}
}

func TestRule_R3_RetentionKeepsTheThreadAndNoCopy(t *testing.T) {
	h := newHouse(t)
	meeting := h.chat("ada", "bob")
	h.policy(everybody(), retain, 7)
	h.pass()
	h.want(meeting, answer{0, "kept", "kept_nothing_deletes", false}, answer{30, "default", "retention_keeps_no_copy", false})
	// Retention beats deletion; the copies follow the policy that deletes.
	short := h.policy(everybody(), del, 1)
	long := h.policy(only("bob"), retain, 9)
	h.pass()
	h.want(meeting, answer{9, long, "longest_retention", false}, answer{1, short, "shortest_deletion", false})
	// Once no retention lasts longer, the more specific scope, then the shortest deletion.
	named := h.policy(query(`country == "DE"`), del, 30)
	h.pass()
	h.want(meeting, answer{30, named, "more_specific_scope", false}, answer{1, short, "shortest_deletion", false})
	other := h.policy(query(`country in ["DE", "FR"]`), del, 20)
	h.pass()
	h.want(meeting, answer{20, other, "more_specific_scope", false}, answer{1, short, "shortest_deletion", false})
}

func TestRule_R4_HoldsCoverUntilTheyAreReleased(t *testing.T) {
	h := newHouse(t)
	first, second := h.chat("ada", "bob"), h.chat("bob")
	h.kept(first, "recording", uuid.Nil, noon)
	h.kept(first, "copy", bank, noon)
	h.pass()
	held := func(a answer) answer {
		a.Held = true
		return a
	}
	onMeeting := h.hold(directory.Hold{Meeting: first.String()})
	h.pass()
	h.want(first, held(keptThread()), held(byDefault()))
	h.want(second, keptThread(), byDefault())
	if got := h.decided(first, "recording", uuid.Nil); got != (answer{120, "default", "default_period", true}) {
		t.Errorf("recording: %+v", got)
	}
	onUser := h.hold(directory.Hold{User: "bob"})
	onMeeting = h.release(onMeeting)
	h.pass()
	h.want(first, held(keptThread()), held(byDefault()))
	h.want(second, held(keptThread()), held(byDefault()))
	onResource := h.hold(directory.Hold{Resource: clinic.String()})
	onUser = h.release(onUser)
	h.pass()
	h.want(first, keptThread(), held(byDefault()))
	if got := h.decided(first, "copy", bank); got != byDefault() {
		t.Errorf("copies of another resource's guests: %+v", got)
	}
	onResource = h.release(onResource)
	h.pass()
	h.want(first, keptThread(), byDefault())
	// What fell due meanwhile is due from the last release that covered it.
	for _, test := range []struct {
		meeting  uuid.UUID
		class    string
		resource uuid.UUID
		want     directory.Hold
	}{
		{first, "thread", uuid.Nil, onUser.Value},
		{first, "copy", clinic, onResource.Value},
		{first, "copy", bank, onUser.Value},
		{second, "thread", uuid.Nil, onUser.Value},
	} {
		if _, released := h.decision(test.meeting, test.class, test.resource); released == nil || !released.Equal(*test.want.ReleasedAt) {
			t.Errorf("%s of %s is released at %v, want %v", test.class, test.meeting, released, test.want.ReleasedAt)
		}
	}
	if _, released := h.decision(first, "recording", uuid.Nil); released == nil || !released.Equal(*onUser.Value.ReleasedAt) {
		t.Errorf("the recording is released at %v, not with %+v", released, onMeeting.Value)
	}
}

// TestRule_R5_DecisionsFollow: policies, holds, who was there, who they are, and new things change what is decided, forward and back.
func TestRule_R5_DecisionsFollow(t *testing.T) {
	h := newHouse(t)
	meeting := h.chat("bob")
	h.pass()
	id := h.policy(query(`country == "DE"`), del, 7)
	seven := answer{7, id, "shortest_deletion", false}
	h.pass()
	h.want(meeting, keptThread(), byDefault())
	for _, step := range []struct {
		name string
		do   func()
		want answer
	}{
		{"attendance", func() { h.joined(meeting, "ada") }, seven},
		{"attribute", func() { h.user(directory.User{ID: "ada", Org: "contoso", Name: "Ada"}) }, answer{}},
		{"attribute of another", func() {
			h.user(directory.User{ID: "bob", Org: "contoso", Name: "Bob", Attributes: map[string]string{"country": "DE"}})
		}, seven},
		{"shorter", func() { h.change(id, func(p *directory.RetentionPolicy) { p.Action.Days = 1 }) }, answer{1, id, "shortest_deletion", false}},
		{"longer", func() { h.change(id, func(p *directory.RetentionPolicy) { p.Action.Days = 90 }) }, answer{90, id, "shortest_deletion", false}},
		{"off", func() { h.change(id, func(p *directory.RetentionPolicy) { p.Enabled = false }) }, answer{}},
		{"on", func() { h.change(id, func(p *directory.RetentionPolicy) { p.Enabled, p.Action.Days = true, 7 }) }, seven},
	} {
		step.do()
		h.pass()
		thread, copies := step.want, step.want
		if step.want == (answer{}) {
			thread, copies = keptThread(), byDefault()
		}
		t.Run(step.name, func(t *testing.T) {
			h := *h
			h.t = t
			h.want(meeting, thread, copies)
		})
	}
	h.kept(meeting, "copy", bank, noon)
	h.pass()
	if got := h.decided(meeting, "copy", bank); got != seven {
		t.Errorf("new copies: %+v", got)
	}
	if n := h.pass(); n != 0 {
		t.Errorf("with nothing new %d decisions were written", n)
	}
}

func TestRule_R8_OtherThingsHavePeriodsOfTheirOwn(t *testing.T) {
	h := newHouse(t)
	meeting := h.meeting()
	h.joined(meeting, "ada")
	h.policy(everybody(), del, 1)
	for _, class := range []string{"recording", "notice", "decision"} {
		h.kept(meeting, class, uuid.Nil, noon)
	}
	h.pass()
	for class, days := range map[string]int64{"recording": 120, "notice": 1095, "decision": 90} {
		if got := h.decided(meeting, class, uuid.Nil); got != (answer{days, "default", "default_period", false}) {
			t.Errorf("%s: %+v", class, got)
		}
	}
}
