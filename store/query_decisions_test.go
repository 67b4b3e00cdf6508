package store_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/store"
	"github.com/anteroom/anteroom/store/storetest"
)

func decisionID(n int) uuid.UUID {
	return uuid.MustParse(fmt.Sprintf("dddddddd-0000-4000-8000-%012d", n))
}

// decide adds the nth decision of a call, a minute after the one before.
func (r *rows) decide(call string, n int, change func(*store.DecisionInput)) {
	d := store.DecisionInput{
		KeptIn: store.KeptIn{Org: "contoso", CallID: call, MeetingID: uuid.UUID(id(7))}, DecisionID: decisionID(n), ParticipantID: uuid.UUID(id(1)),
		Action: "join", Effect: "allow", Revision: "base@1", Took: 40 * time.Microsecond, Source: store.DecidedByMedia, Input: `{"action":"join"}`,
		At: noon().Add(time.Duration(n) * time.Minute), SentAt: noon(),
	}
	if change != nil {
		change(&d)
	}
	r.Decisions.Add(r.origin(), d)
}

// keptCall says that decisions of a call are kept, and whether the call has ended.
func (r *rows) keptCall(call string, ended bool) {
	r.Kept.Add(r.origin(), store.Kept{
		KeptIn: store.KeptIn{Org: "contoso", CallID: call, MeetingID: uuid.UUID(id(7))}, Class: store.ClassDecision, SentAt: noon(),
	})
	env := r.env
	env.CallID = call
	r.Calls.AddStarted(r.origin(), env, &eventpb.CallStarted{StartedAtUs: noon().UnixMicro()})
	if ended {
		r.Calls.AddEnded(r.origin(), env, &eventpb.CallEnded{EndedAtUs: noon().Add(time.Hour).UnixMicro()})
	}
}

// TestDecisions are the same on one node and on two shards.
func TestDecisions(t *testing.T) {
	for name, s := range map[string]*store.Store{"one node": storetest.New(t), "two shards": startCluster(t)} {
		t.Run(name, func(t *testing.T) { decisionLog(t, s) })
	}
}

func decisionLog(t *testing.T, s *store.Store) {
	r := newRows(t, s)
	r.keptCall("ended", true)
	r.keptCall("runs", false)
	r.keptCall("hidden", true)
	r.decide("ended", 1, nil)
	r.decide("ended", 1, nil) // came twice
	r.decide("ended", 2, func(d *store.DecisionInput) {
		d.Action, d.Effect, d.Reasons, d.Rules, d.Revision = "use:sendChat", "deny", []string{"channel_meeting", "mine"}, []string{"M5"}, "base@1+contoso@abc"
		d.Input = `{"action":"use"}`
	})
	r.decide("ended", 3, func(d *store.DecisionInput) {
		d.Effect, d.Reasons, d.Error = "deny", []string{"policy_failed"}, "timeout"
	})
	r.decide("runs", 4, nil)
	r.decide("hidden", 5, nil)
	r.decide("none", 6, nil) // no call ever began
	r.Kept.Add(r.origin(), store.Kept{KeptIn: store.KeptIn{Org: "contoso", CallID: "none", MeetingID: uuid.UUID(id(7))}, Class: store.ClassDecision, SentAt: noon()})
	r.decide("unkept", 7, nil) // purged, or on its way out: nothing says that it is kept
	r.decide("ended", 8, func(d *store.DecisionInput) { d.Org = "fabrikam" })
	r.insert()
	if err := s.Conn().Exec(t.Context(), `INSERT INTO hidden (class, org, meeting_id, call_id, sent_at) VALUES ('decision', 'contoso', $1, 'hidden', $2)`,
		uuid.UUID(id(7)), noon()); err != nil {
		t.Fatal(err)
	}
	reader := store.NewReader(s, store.QueryLimits{})
	base := store.DecisionFilter{Org: "contoso", From: noon(), To: noon().Add(time.Hour), Now: noon().Add(10 * time.Hour)}
	yes, no := true, false
	for _, c := range []struct {
		name   string
		change func(*store.DecisionFilter)
		want   []int
	}{
		{"all", func(*store.DecisionFilter) {}, []int{6, 3, 2, 1}},
		{"half an hour later", func(f *store.DecisionFilter) { f.Now = noon().Add(30 * time.Minute) }, []int{3, 2, 1}},
		{"window", func(f *store.DecisionFilter) { f.From, f.To = noon().Add(2*time.Minute), noon().Add(3*time.Minute) }, []int{2}},
		{"action", func(f *store.DecisionFilter) { f.Action = "use" }, []int{2}},
		{"capability", func(f *store.DecisionFilter) { f.Capability = "sendChat" }, []int{2}},
		{"effect", func(f *store.DecisionFilter) { f.Effect = "deny" }, []int{3, 2}},
		{"reason", func(f *store.DecisionFilter) { f.Reason = "mine" }, []int{2}},
		{"rule", func(f *store.DecisionFilter) { f.Rule = "M5" }, []int{2}},
		{"revision", func(f *store.DecisionFilter) { f.Revision = "contoso@abc" }, []int{2}},
		{"call", func(f *store.DecisionFilter) { f.CallID = "none" }, []int{6}},
		{"meeting", func(f *store.DecisionFilter) { f.MeetingID = uuid.UUID(id(8)) }, nil},
		{"failed", func(f *store.DecisionFilter) { f.Failed = &yes }, []int{3}},
		{"answered", func(f *store.DecisionFilter) { f.Failed = &no }, []int{6, 2, 1}},
		{"agents'", func(f *store.DecisionFilter) { f.Source = store.DecidedByAgent }, nil},
		{"another organisation", func(f *store.DecisionFilter) { f.Org = "fabrikam" }, nil},
	} {
		f := base
		c.change(&f)
		if diff := cmp.Diff(c.want, decisionNumbers(t, reader, f)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
	one, err := reader.Decision(t.Context(), "contoso", decisionID(2), base.Now)
	want := store.Decision{
		DecisionID: decisionID(2), At: noon().Add(2 * time.Minute), CallID: "ended", MeetingID: uuid.UUID(id(7)), ParticipantID: uuid.UUID(id(1)), Action: "use",
		Capability: "sendChat", Effect: "deny", Reasons: []string{"channel_meeting", "mine"}, Rules: []string{"M5"}, Revision: "base@1+contoso@abc",
		Took: 40 * time.Microsecond, Source: "media", Input: `{"action":"use"}`,
	}
	if diff := cmp.Diff(want, one); err != nil || diff != "" {
		t.Errorf("one decision (-want +got, %v):\n%s", err, diff)
	}
	for _, n := range []int{4, 5, 7, 8} {
		if _, err := reader.Decision(t.Context(), "contoso", decisionID(n), base.Now); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("decision %d: %v", n, err)
		}
	}
	checkInputs(t, reader, base)
}

// decisionNumbers lists decisions, two at a time.
func decisionNumbers(t *testing.T, reader *store.Reader, f store.DecisionFilter) []int {
	t.Helper()
	var out []int
	var after *store.DecisionAt
	for {
		page, err := reader.Decisions(t.Context(), f, after, 2)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range page {
			if d.Input != "" {
				t.Errorf("a list has an input: %+v", d)
			}
			out = append(out, int(d.DecisionID[15])) // a BCD digit, below ten
			after = &store.DecisionAt{At: d.At, DecisionID: d.DecisionID}
		}
		if len(page) < 2 {
			return out
		}
	}
}

func checkInputs(t *testing.T, reader *store.Reader, f store.DecisionFilter) {
	t.Helper()
	counts, err := reader.CountDecisions(t.Context(), f)
	if err != nil || counts != (store.DecisionCounts{Decisions: 4, Distinct: 2}) {
		t.Errorf("counts %+v, %v", counts, err)
	}
	for _, parts := range []uint64{1, 3} {
		var all []string
		for part := range parts {
			err := reader.DecidedInputs(t.Context(), f, part, parts, func(i store.DecidedInput) error {
				all = append(all, fmt.Sprintf("%s ×%d %s", i.Input, i.Count, i.Example))
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		slices.Sort(all)
		want := `{"action":"join"} ×3 ` + decisionID(6).String() + "\n" + `{"action":"use"} ×1 ` + decisionID(2).String()
		if diff := cmp.Diff(want, strings.Join(all, "\n")); diff != "" {
			t.Errorf("inputs in %d parts (-want +got):\n%s", parts, diff)
		}
	}
}
