package store_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/store"
	"github.com/anteroom/anteroom/store/storetest"
)

// The same rows give the same answers, be they on one node or on two shards.
func TestShardedStoreAnswersAlike(t *testing.T) {
	stores := map[string]*store.Store{"one node": storetest.New(t), "two shards": startCluster(t)}
	const calls = 12
	answers := map[string]string{}
	for name, s := range stores {
		r := newRows(t, s)
		for i := range calls {
			env := r.env
			env.CallID = fmt.Sprintf("call-%02d", i)
			env.ObservedAt = noon().Add(time.Duration(i) * time.Minute)
			r.Calls.AddStarted(r.origin(), env, &eventpb.CallStarted{StartedAtUs: env.ObservedAt.UnixMicro(), MeetingId: "m"})
			r.Participants.AddJoined(r.origin(), env, store.Who{Identity: store.OrgUser, DisplayName: "Ada"}, &eventpb.ParticipantJoined{ParticipantId: id(1)})
			r.Streams.Add(r.origin(), env, &eventpb.StreamEnded{ParticipantId: id(1), StreamId: id(2), Direction: 1, JitterMsAvg: proto.Float64(3)})
			for _, stream := range []byte{2, 3} {
				r.Samples.Add(r.origin(), env, &eventpb.StreamReport{ParticipantId: id(1), IntervalMs: 1000},
					&eventpb.StreamSample{StreamId: id(stream), Direction: 1, Packets: 5, JitterMs: proto.Float32(4)})
			}
			r.Timeline.Add(r.origin(), env, store.Entry{Participant: id(1), Kind: store.DiagnosticEntry, Name: "noNetwork", Value: "True"})
		}
		thread := r.env
		thread.CallID = "thread_m"
		r.Timeline.Add(r.origin(), thread, store.Entry{Kind: store.ChatEntry, Name: "SendChatMessage"})
		r.insert()
		answers[name] = describe(t, s, calls) + views(t, s, calls)
	}
	if diff := cmp.Diff(answers["one node"], answers["two shards"]); diff != "" {
		t.Errorf("answers (-one node +two shards):\n%s", diff)
	}
}

// describe asks a store everything.
func describe(t *testing.T, s *store.Store, calls int) string {
	t.Helper()
	reader := store.NewReader(s, store.QueryLimits{})
	out := ""
	check := func(what any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		out += fmt.Sprintf("%+v\n", what)
	}
	for _, since := range []time.Time{{}, time.Now().Add(-time.Hour)} {
		outdated, _, err := s.OutdatedCalls(t.Context(), store.Outdated{Since: since, Limit: 2 * calls})
		if err == nil && len(outdated) != calls {
			t.Errorf("%d calls have no summaries, want %d", len(outdated), calls)
		}
		check(len(outdated), err)
	}
	window := store.CallFilter{From: noon(), To: noon().Add(time.Hour), Label: "ada", Text: "call"}
	page, err := reader.Calls(t.Context(), window, nil, 5)
	check(page, err)
	if len(page) != 5 {
		t.Fatalf("page of %d calls", len(page))
	}
	rest, err := reader.Calls(t.Context(), window, &page[4], 100)
	check(rest, err)
	if len(rest) != calls-5 {
		t.Errorf("%d calls on the second page", len(rest))
	}
	var keys []store.CallKey
	for _, c := range append(page, rest...) {
		keys = append(keys, c.CallKey)
	}
	records, err := reader.Load(t.Context(), keys)
	if err != nil {
		t.Fatal(err)
	}
	for _, record := range records {
		if record == nil || len(record.Streams) != 2 || len(record.Participants) != 1 || len(record.Marks) != 1 {
			t.Fatalf("record %+v", record)
		}
		check(record.FirstSeen, nil)
		check(record.Participants, nil)
		check(record.Marks, nil)
		for _, stream := range record.Streams {
			check([]any{stream.ID, stream.Partial, stream.Counted, *stream.JitterMsAvg}, nil)
		}
	}
	check(reader.FindCall(t.Context(), keys[3].CallID, ""))
	samples, err := reader.Samples(t.Context(), store.SampleFilter{Call: keys[3], Streams: []uuid.UUID{records[3].Streams[1].ID}, Limit: 10})
	check(len(samples), err)
	check(reader.Timeline(t.Context(), store.TimelineFilter{Call: keys[3], MeetingID: "m", Limit: 10}))
	return out
}
