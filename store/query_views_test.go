package store_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/store"
)

// views counts what the views for Grafana have of calls, half of which have ended.
func views(t *testing.T, s *store.Store, calls int) string {
	t.Helper()
	r := newRows(t, s)
	who := uuid.UUID(id(1))
	var summaries []store.CallSummary
	for i := range calls {
		env := r.env
		env.CallID = fmt.Sprintf("call-%02d", i)
		env.ObservedAt = time.Now().UTC()
		r.Timeline.Add(r.origin(), env, store.Entry{Participant: id(1), Kind: store.DecisionEntry, Name: "join", Value: "allow"})
		if i%2 == 0 {
			r.Calls.AddEnded(r.origin(), env, &eventpb.CallEnded{EndedAtUs: env.ObservedAt.UnixMicro()})
		}
		summaries = append(summaries, store.CallSummary{
			CallKey: store.CallKey{Org: env.Org, CallID: env.CallID}, Profile: "p", At: noon(), Version: 1, Kind: "meeting", State: "complete", Rating: "unknown", Verdict: "good",
			People: []store.SummaryPerson{{ID: who, Label: "Ada"}}, Streams: []store.SummaryStream{{ID: uuid.New(), ParticipantID: who, Media: "audio", Direction: "inbound", Verdict: "good"}},
		})
	}
	r.insert()
	if err := s.WriteSummaries(t.Context(), summaries); err != nil {
		t.Fatal(err)
	}
	out := ""
	for _, view := range []string{"calls", "participants", "streams", "samples", "marks", "decisions", "deletions", "proofs", "dead_letters", "watermarks"} {
		out += fmt.Sprintf("%s %d\n", view, count(t, t.Context(), s.Conn(), "SELECT count() FROM analytics_"+view))
	}
	if want := fmt.Sprintf("calls %[1]d\nparticipants %[1]d\nstreams %[1]d\nsamples %[2]d\nmarks %[1]d\ndecisions %[3]d\ndeletions 0\nproofs 0\ndead_letters 0\nwatermarks 0\n", calls, 2*calls, calls/2); out != want {
		t.Errorf("the views have\n%s, want\n%s", out, want)
	}
	return out
}
