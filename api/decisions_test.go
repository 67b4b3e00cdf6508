package api

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/store"
)

const (
	decisionsRoute = "/v1/policies/:org/decisions"
	decisionRoute  = "/v1/policies/:org/decisions/:id"
)

// decided adds decisions, a second apart, of a call that has ended.
func (s *service) decided(call string, from time.Time, n int) []uuid.UUID {
	s.t.Helper()
	r := s.rows()
	env := r.env
	env.CallID = call
	r.Calls.AddStarted(r.origin(), env, &eventpb.CallStarted{StartedAtUs: from.UnixMicro()})
	r.Calls.AddEnded(r.origin(), env, &eventpb.CallEnded{EndedAtUs: from.Add(time.Minute).UnixMicro()})
	in := store.KeptIn{Org: "contoso", CallID: call, MeetingID: uuid.UUID(id(7))}
	r.Kept.Add(r.origin(), store.Kept{KeptIn: in, Class: store.ClassDecision, SentAt: from})
	ids := make([]uuid.UUID, n)
	for i := range ids {
		ids[i] = uuid.New()
		d := store.DecisionInput{
			KeptIn: in, DecisionID: ids[i], ParticipantID: uuid.UUID(id(byte(i + 1))), Action: "join", Effect: "allow", Revision: "base@b", Took: 41_500,
			Source: store.DecidedByMedia, Input: `{"action":"join"}`, At: from.Add(time.Duration(i) * time.Second), SentAt: from,
		}
		if i%2 == 1 {
			d.Action, d.Effect, d.Reasons, d.Rules = "use:raiseHand", "deny", []string{"not_supported_for_guests"}, []string{"M13"}
			d.Input = `{"action":"use","capability":"raiseHand"}`
		}
		r.Decisions.Add(r.origin(), d)
	}
	r.insert()
	return ids
}

func TestDecisionLog(t *testing.T) {
	s := start(t, nil)
	from := time.Now().UTC().Add(-time.Hour).Truncate(time.Second)
	ids := s.decided("call-1", from, 5)
	s.decided("call-old", from.Add(-40*24*time.Hour), 1)
	type list struct {
		Decisions []map[string]any `json:"decisions"`
		Next      *string          `json:"next_page_token"`
		Freshness map[string]any   `json:"freshness"`
	}
	var got []string
	path, pages := "limit=2", 0
	for {
		page := read[list](t, s.get(200, decisionsRoute, path, "contoso"))
		pages++
		for _, d := range page.Decisions {
			got = append(got, fmt.Sprint(d["decision_id"]))
		}
		if page.Next == nil {
			break
		}
		path = "limit=2&page_token=" + *page.Next
	}
	var want []string
	for i := range ids {
		want = append(want, ids[len(ids)-1-i].String())
	}
	if diff := cmp.Diff(want, got); diff != "" || pages != 3 {
		t.Errorf("%d pages (-want +got):\n%s", pages, diff)
	}
	for query, n := range map[string]int{
		"action=use": 2, "capability=raiseHand": 2, "effect=deny": 2, "reason=not_supported_for_guests": 2, "rule=M13": 2, "revision=base@b": 5,
		"call_id=call-1": 5, "call_id=call-2": 0, "error=true": 0, "error=false": 5, "last=40m": 0,
	} {
		if page := read[list](t, s.get(200, decisionsRoute, "limit=500&"+query, "contoso")); len(page.Decisions) != n {
			t.Errorf("%s: %d decisions, want %d", query, len(page.Decisions), n)
		}
	}
	one := read[map[string]any](t, s.get(200, decisionRoute, "", "contoso", ids[1].String()))
	wantOne := map[string]any{
		"decision_id": ids[1].String(), "at": from.Add(time.Second).Format(time.RFC3339), "call_id": "call-1", "meeting_id": uuid.UUID(id(7)).String(),
		"participant_id": uuid.UUID(id(2)).String(), "action": "use", "capability": "raiseHand", "effect": "deny", "reasons": []any{"not_supported_for_guests"},
		"rules": []any{"M13"}, "revision": "base@b", "evaluation_us": 41.5, "source": "media", "error": nil,
		"input": map[string]any{"action": "use", "capability": "raiseHand"}, "why": []any{map[string]any{"rule": "M13", "reason": "", "title": nil, "file": nil, "line": nil}},
	}
	if diff := cmp.Diff(wantOne, one); diff != "" {
		t.Errorf("one decision (-want +got):\n%s", diff)
	}
	s.wantProblem(404, CodeDecisionNotFound, decisionRoute, "", "contoso", uuid.NewString())
	wide := s.wantProblem(400, CodeRangeTooWide, decisionsRoute, "last=60d", "contoso")
	if !strings.Contains(fmt.Sprint(wide["detail"]), "at most 31 days fit") || wide["parameter"] != "last" {
		t.Errorf("too wide: %v", wide)
	}
	s.wantProblem(400, CodeInvalidPageToken, decisionsRoute, "page_token=x", "contoso")
}

// wantProblem asks for what is refused, as an admin.
func (s *service) wantProblem(status int, code Code, route, query string, ids ...string) map[string]any {
	s.t.Helper()
	p := read[map[string]any](s.t, s.get(status, route, query, ids...))
	if p["code"] != string(code) {
		s.t.Errorf("%s: %v, want %s", route, p, code)
	}
	return p
}
