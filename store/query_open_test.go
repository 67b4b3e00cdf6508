package store_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/store"
	"github.com/anteroom/anteroom/store/storetest"
)

func TestOpenCalls(t *testing.T) {
	s := storetest.New(t)
	r := newRows(t, s)
	in := func(call string, source int8, after time.Duration) store.Envelope {
		env := r.env
		env.CallID, env.SourceKind, env.ObservedAt = call, source, noon().Add(after)
		return env
	}
	start := func(call string, source int8, after time.Duration) {
		r.Calls.AddStarted(r.origin(), in(call, source, after), &eventpb.CallStarted{
			StartedAtUs: noon().Add(after).UnixMicro(), Kind: eventpb.CallKind_CALL_KIND_MEETING, MeetingId: "meeting-of-" + call,
		})
	}
	join := func(call string, who byte, after time.Duration) {
		r.Participants.AddJoined(r.origin(), in(call, 1, after), store.Who{Identity: store.Guest}, &eventpb.ParticipantJoined{
			ParticipantId: id(who), JoinedAtUs: noon().Add(after).UnixMicro(),
		})
	}
	left := func(call string, who byte, after time.Duration) {
		r.Participants.AddLeft(r.origin(), in(call, 1, after), &eventpb.ParticipantLeft{ParticipantId: id(who), LeftAtUs: noon().Add(after).UnixMicro()})
	}
	start("open", 1, 0)
	join("open", 1, time.Minute)
	join("open", 2, time.Minute)
	join("open", 3, 2*time.Minute)
	left("open", 2, 5*time.Minute)
	left("open", 2, 6*time.Minute) // told twice
	join("open", 4, 3*time.Hour)   // came after the instant asked for
	r.Streams.Add(r.origin(), in("open", 1, 4*time.Hour), &eventpb.StreamEnded{ParticipantId: id(1), StreamId: id(9)})
	start("ended", 1, 0)
	join("ended", 5, time.Minute)
	r.Calls.AddEnded(r.origin(), in("ended", 1, time.Hour), &eventpb.CallEnded{EndedAtUs: noon().Add(time.Hour).UnixMicro()})
	start("foreign", 2, 0)
	start("empty", 1, time.Hour)
	start("later", 1, 2*time.Hour)
	start("long-ago", 1, -72*time.Hour)
	elsewhere := in("elsewhere", 1, 0)
	elsewhere.Region = "amer"
	r.Calls.AddStarted(r.origin(), elsewhere, &eventpb.CallStarted{StartedAtUs: noon().UnixMicro()})
	r.insert()
	got, err := store.NewReader(s, store.QueryLimits{}).OpenCalls(t.Context(), "emea", noon().Add(-24*time.Hour), noon().Add(2*time.Hour), 10)
	if err != nil {
		t.Fatal(err)
	}
	key := func(call string) store.CallKey { return store.CallKey{Org: "contoso", CallID: call} }
	want := []store.OpenCall{
		{
			CallKey: key("ended"), MeetingID: "meeting-of-ended", Ended: true, LastSeen: noon().Add(time.Hour),
			Present: []uuid.UUID{uuid.UUID(id(5))}, Joined: []time.Time{noon().Add(time.Minute)},
		},
		{
			CallKey: key("open"), MeetingID: "meeting-of-open", LastSeen: noon().Add(4 * time.Hour),
			Present: []uuid.UUID{uuid.UUID(id(1)), uuid.UUID(id(3))}, Joined: []time.Time{noon().Add(time.Minute), noon().Add(2 * time.Minute)},
		},
		{CallKey: key("empty"), MeetingID: "meeting-of-empty", LastSeen: noon().Add(time.Hour)},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("open calls (-want +got):\n%s", diff)
	}
}

// A leave and an end that are told again, by a recovery that knew only what was seen before, change nothing of what came after.
func TestLeavesAndEndsToldAgain(t *testing.T) {
	s := storetest.New(t)
	r := newRows(t, s)
	at := func(minutes int) store.Envelope {
		env := r.env
		env.SourceKind, env.ObservedAt = 1, noon().Add(time.Duration(minutes)*time.Minute)
		return env
	}
	us := func(minutes int) int64 { return at(minutes).ObservedAt.UnixMicro() }
	r.Calls.AddStarted(r.origin(), at(0), &eventpb.CallStarted{StartedAtUs: us(0)})
	r.Participants.AddJoined(r.origin(), at(1), store.Who{Identity: store.Guest}, &eventpb.ParticipantJoined{ParticipantId: id(1), JoinedAtUs: us(1)})
	r.Participants.AddLeft(r.origin(), at(9), &eventpb.ParticipantLeft{ParticipantId: id(1), LeftAtUs: us(9), EndCode: "0"})
	r.Calls.AddEnded(r.origin(), at(10), &eventpb.CallEnded{EndedAtUs: us(10), Reason: "meeting_ended"})
	for range 2 {
		r.Participants.AddLeft(r.origin(), at(5), &eventpb.ParticipantLeft{ParticipantId: id(1), LeftAtUs: us(5), EndCode: "410"})
		r.Calls.AddEnded(r.origin(), at(5), &eventpb.CallEnded{EndedAtUs: us(5), Reason: "node_lost"})
	}
	r.insert()
	got := load(t, s, store.CallKey{Org: "contoso", CallID: "call-1"})[0]
	if got.EndReason != "meeting_ended" || !got.EndedAt.Equal(at(10).ObservedAt) {
		t.Errorf("ended at %s: %s", got.EndedAt, got.EndReason)
	}
	if len(got.Participants) != 1 || got.Participants[0].EndCode != "0" || !got.Participants[0].LeftAt.Equal(at(9).ObservedAt) {
		t.Errorf("participants %+v", got.Participants)
	}
}

// A session that refused everybody has left decisions only: nothing to list, find or load.
func TestDecisionsAloneAreNoCall(t *testing.T) {
	s := storetest.New(t)
	r := newRows(t, s)
	r.env.SourceKind = 1
	r.Timeline.Add(r.origin(), r.env, store.Entry{Participant: id(1), Lane: 1, Kind: store.DecisionEntry, Name: "join", Value: "deny"})
	r.insert()
	reader := store.NewReader(s, store.QueryLimits{})
	calls, err := reader.Calls(t.Context(), store.CallFilter{}, nil, 10)
	if err != nil || len(calls) != 0 {
		t.Errorf("listed: %v, %v", calls, err)
	}
	found, err := reader.FindCall(t.Context(), "call-1", "")
	if err != nil || len(found) != 0 {
		t.Errorf("found: %v, %v", found, err)
	}
	if got := load(t, s, store.CallKey{Org: "contoso", CallID: "call-1"})[0]; got != nil {
		t.Errorf("loaded: %+v", got)
	}
}
