package ingest_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/store"
)

// TestRule_R8_WhatElseIsKeptHasItsThing: a recording by itself, the notices and the decision inputs of a call together, with the moment that their
// period runs from; and who of the organisation was there, which decides on it.
func TestRule_R8_WhatElseIsKeptHasItsThing(t *testing.T) {
	r := newRig(t)
	r.start(t)
	call, meeting, recording := uuid.Must(uuid.NewV7()), uuid.New(), uuid.New()
	seconds, nanoseconds := call.Time().UnixTime()
	began := time.Unix(seconds, nanoseconds).UTC()
	sequence := uint64(0)
	at := func(after time.Duration) *eventpb.Event {
		sequence++
		return &eventpb.Event{
			Id: uuid.NewString(), Org: "clinic", Region: r.cfg.Region, CallId: call.String(), Source: "media/one/1", Sequence: sequence,
			ObservedAtUs: began.Add(after).UnixMicro(), SourceKind: eventpb.SourceKind_SOURCE_KIND_MEDIA, MeetingId: meeting.String(),
		}
	}
	joined := func(kind eventpb.Identity_Kind, user string) *eventpb.Event {
		e, who := at(time.Second), uuid.New()
		e.Payload = &eventpb.Event_ParticipantJoined{ParticipantJoined: &eventpb.ParticipantJoined{
			ParticipantId: who[:], JoinedAtUs: e.ObservedAtUs, Identity: &eventpb.Identity{Kind: kind, UserId: user, DisplayName: user}, MeetingId: meeting.String(),
		}}
		return e
	}
	notice := func(after time.Duration) *eventpb.Event {
		e, id := at(after), uuid.New()
		e.Payload = &eventpb.Event_Notice{Notice: &eventpb.Notice{ParticipantId: id[:], NoticeId: id[:], Kind: "recording_started", SentAtUs: e.ObservedAtUs}}
		return e
	}
	decision := func(after time.Duration, input string) *eventpb.Event {
		e, id := at(after), uuid.New()
		e.Payload = &eventpb.Event_Decision{Decision: &eventpb.Decision{
			ParticipantId: id[:], DecisionId: id[:], Action: "join", Effect: "deny", Reasons: []string{"one", "two"}, PolicyRevision: "r1", Input: []byte(input),
			Rules: []string{"R1"}, EvaluationNs: 41_000, Error: "timeout",
		}}
		return e
	}
	r.produce(t, joined(eventpb.Identity_KIND_ORG_USER, "ana"), joined(eventpb.Identity_KIND_GUEST, "guest"), joined(eventpb.Identity_KIND_SERVICE, "bot"),
		joined(eventpb.Identity_KIND_ORG_USER, "ana"), decision(0, `{"a":1}`), notice(time.Hour), notice(time.Hour), decision(time.Hour, `{"b":2}`))
	r.eventually(t, 2, "SELECT count() FROM decisions")
	ended := at(3 * time.Hour)
	ended.Payload = &eventpb.Event_Recording{Recording: &eventpb.Recording{RecordingId: recording[:], StartedAtUs: began.Add(time.Minute).UnixMicro(), DurationMs: 1000}}
	foreign := notice(0)
	foreign.SourceKind, foreign.CallId = eventpb.SourceKind_SOURCE_KIND_ACS, "foreign"
	// Another batch, on another day; in the order of their sequences, since both calls may share a partition.
	r.produce(t, ended, foreign, notice(26*time.Hour), decision(26*time.Hour, `{"c":3}`))
	r.eventually(t, 3, "SELECT count() FROM decisions")
	r.eventually(t, 1, "SELECT count() FROM retained WHERE class = 'recording'")
	r.eventually(t, 8, "SELECT count() FROM timeline WHERE kind IN (4, 6, 7)")

	type thing struct {
		Class   string
		Item    uuid.UUID
		Meeting uuid.UUID
		Sent    time.Time
	}
	var got []thing
	err := r.deps.Store.EachThing(t.Context(), store.ThingFilter{Org: "clinic"}, func(one *store.Thing) error {
		got = append(got, thing{one.Class, one.ItemID, one.MeetingID, one.SentAt})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(got, func(a, b thing) int { return len(a.Class) - len(b.Class) })
	want := []thing{
		{"notice", uuid.Nil, meeting, began}, {"decision", uuid.Nil, meeting, began}, {"recording", recording, meeting, began.Add(time.Minute)},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("things (-want +got):\n%s", diff)
	}
	for query, want := range map[string]uint64{
		"SELECT count() FROM attendance FINAL": 1,
		"SELECT count() FROM attendance WHERE user_id = 'ana' AND meeting_id = '" + meeting.String() + "' AND call_id = '" + call.String() + "'": 1,
		"SELECT count() FROM decisions WHERE reasons = ['one', 'two'] AND revision = 'r1' AND action = 'join' AND effect = 'deny'":               3,
		"SELECT uniqExact(input) FROM decisions WHERE meeting_id = '" + meeting.String() + "'":                                                   3,
		"SELECT uniqExact(sent_at) FROM decisions": 1,
		"SELECT count() FROM decisions WHERE rules = ['R1'] AND evaluation_ns = 41000 AND error = 'timeout' AND source = 'media'": 3,
		"SELECT count() FROM timeline WHERE kind IN (4, 6, 7)":                                                                    8,
	} {
		if got := r.count(t, query); got != want {
			t.Errorf("%s: got %d, want %d", query, got, want)
		}
	}
}
