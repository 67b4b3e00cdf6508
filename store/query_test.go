package store_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/store"
	"github.com/anteroom/anteroom/store/storetest"
)

// noon is when the calls of these tests start.
func noon() time.Time { return time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC) }

// rows makes a batch and stores it.
type rows struct {
	*store.Batch
	t      *testing.T
	s      *store.Store
	offset int64
	env    store.Envelope
}

func newRows(t *testing.T, s *store.Store) *rows {
	r := &rows{Batch: store.NewBatch(), t: t, s: s}
	r.Reset("events", 0)
	r.env = store.Envelope{Org: "contoso", Region: "emea", CallID: "call-1", SourceKind: 2, ObservedAt: noon()}
	return r
}

func (r *rows) origin() store.Origin {
	r.offset++
	return store.Origin{Offset: r.offset}
}

func (r *rows) insert() {
	r.t.Helper()
	if err := r.s.Insert(r.t.Context(), r.Batch, fmt.Sprint(r.t.Name(), r.offset)); err != nil {
		r.t.Fatalf("insert rows: %v", err)
	}
	r.Reset("events", 0)
}

// id is a UUID of one repeated byte.
func id(b byte) []byte {
	out := make([]byte, 16)
	for i := range out {
		out[i] = b
	}
	return out
}

func load(t *testing.T, s *store.Store, keys ...store.CallKey) []*store.Record {
	t.Helper()
	out, err := store.NewReader(s, store.QueryLimits{}).Load(t.Context(), keys)
	if err != nil {
		t.Fatalf("load: %v", err)
	}
	return out
}

func TestLoadResolvesRestatedFacts(t *testing.T) {
	s := storetest.New(t)
	r := newRows(t, s)
	start, end := noon().UnixMicro(), noon().Add(time.Hour).UnixMicro()
	r.Calls.AddStarted(r.origin(), r.env, &eventpb.CallStarted{StartedAtUs: start, Kind: eventpb.CallKind_CALL_KIND_GROUP, MeetingId: "m1"})
	r.Calls.AddEnded(r.origin(), r.env, &eventpb.CallEnded{EndedAtUs: end, Reason: "first"})
	higher := r.env
	higher.Revision, higher.ObservedAt = 3, noon().Add(-time.Minute) // Observed before, but restated.
	r.Calls.AddEnded(r.origin(), higher, &eventpb.CallEnded{EndedAtUs: end + 1, Reason: ""})
	stream := func(env store.Envelope, p *eventpb.StreamEnded) {
		p.ParticipantId, p.StreamId = id(1), id(2)
		r.Streams.Add(r.origin(), env, p)
	}
	stream(r.env, &eventpb.StreamEnded{Direction: 1, Media: 1, Codec: "opus", JitterMsAvg: proto.Float64(34), RttMsAvg: proto.Float64(0)})
	stream(higher, &eventpb.StreamEnded{Direction: 1, Media: 1, JitterMsAvg: proto.Float64(12)})
	stream(r.env, &eventpb.StreamEnded{Direction: 2, Media: 1})
	r.insert()

	key := store.CallKey{Org: "contoso", CallID: "call-1"}
	got := load(t, s, key, store.CallKey{Org: "fabrikam", CallID: "call-1"})
	if got[1] != nil {
		t.Errorf("the other organisation has the call too: %+v", got[1])
	}
	started, ended := noon(), time.UnixMicro(end+1).UTC()
	want := store.CallFacts{
		CallKey: key, Region: "emea", Source: 2, Kind: "group", MeetingID: "m1", StartedAt: &started, EndedAt: &ended, EndReason: "first",
		FirstSeen: started,
	}
	if diff := cmp.Diff(want, got[0].CallFacts); diff != "" {
		t.Errorf("call (-want +got):\n%s", diff)
	}
	zero, twelve := 0.0, 12.0
	person := uuid.UUID(id(1))
	wantStreams := []store.StreamFacts{
		{
			ID: uuid.UUID(id(2)), ParticipantID: person, Source: 2, Direction: "inbound", Media: "audio", Codec: "opus", JitterMsAvg: &twelve,
			RTTMsAvg: &zero, Counted: true,
		},
		{ID: uuid.UUID(id(2)), ParticipantID: person, Source: 2, Direction: "outbound", Media: "audio", Counted: true},
	}
	if diff := cmp.Diff(wantStreams, got[0].Streams, cmpopts.IgnoreUnexported(store.StreamFacts{})); diff != "" {
		t.Errorf("streams (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]store.ParticipantFacts{{ID: person}}, got[0].Participants); diff != "" {
		t.Errorf("participants that only streams tell of (-want +got):\n%s", diff)
	}
}

func TestRule_D2_LoadDropsNamesOfWhoIsNoOrgUser(t *testing.T) {
	s := storetest.New(t)
	r := newRows(t, s)
	join := func(env store.Envelope, person byte, who store.Who) {
		r.Participants.AddJoined(r.origin(), env, who, &eventpb.ParticipantJoined{ParticipantId: id(person), JoinedAtUs: noon().UnixMicro()})
	}
	later := r.env
	later.Revision = 1
	join(r.env, 1, store.Who{Identity: store.OrgUser, UserID: "u1", DisplayName: "Ada"})
	join(r.env, 2, store.Who{Identity: store.OrgUser, UserID: "u2", DisplayName: "Bob"})
	join(later, 2, store.Who{Identity: store.Guest}) // Taken back: the name goes with it.
	join(r.env, 3, store.Who{Identity: store.Guest})
	r.insert()
	joined := noon()
	want := []store.ParticipantFacts{
		{ID: uuid.UUID(id(1)), Identity: store.OrgUser, UserID: "u1", DisplayName: "Ada", JoinedAt: &joined},
		{ID: uuid.UUID(id(2)), Identity: store.Guest, JoinedAt: &joined},
		{ID: uuid.UUID(id(3)), Identity: store.Guest, JoinedAt: &joined},
	}
	got := load(t, s, store.CallKey{Org: "contoso", CallID: "call-1"})
	if diff := cmp.Diff(want, got[0].Participants); diff != "" {
		t.Errorf("participants (-want +got):\n%s", diff)
	}
}

func TestStreamsWithoutSummary(t *testing.T) {
	s := storetest.New(t)
	r := newRows(t, s)
	sample := func(env store.Envelope, seconds int, stream byte, p *eventpb.StreamSample) {
		env.ObservedAt = noon().Add(time.Duration(seconds) * time.Second)
		p.StreamId = id(stream)
		r.Samples.Add(r.origin(), env, &eventpb.StreamReport{ParticipantId: id(1), IntervalMs: 10_000}, p)
	}
	inbound := func(p *eventpb.StreamSample) *eventpb.StreamSample {
		p.Direction, p.Media = 1, 1
		return p
	}
	// One metric per row, as Azure sends them, and one row twice.
	sample(r.env, 10, 2, inbound(&eventpb.StreamSample{Packets: 90, PacketsLost: 10}))
	sample(r.env, 10, 2, inbound(&eventpb.StreamSample{JitterMs: proto.Float32(20)}))
	sample(r.env, 10, 2, inbound(&eventpb.StreamSample{JitterMs: proto.Float32(20)}))
	sample(r.env, 20, 2, inbound(&eventpb.StreamSample{Packets: 100, PacketsLost: -2, JitterMs: proto.Float32(40), Bytes: 5000}))
	// This one has a summary: its samples don't count again.
	sample(r.env, 10, 3, inbound(&eventpb.StreamSample{Packets: 7}))
	r.Streams.Add(r.origin(), r.env, &eventpb.StreamEnded{ParticipantId: id(1), StreamId: id(3), Direction: 1, Media: 1, Packets: proto.Uint64(7000)})
	r.insert()

	key := store.CallKey{Org: "contoso", CallID: "call-1"}
	got := load(t, s, key)[0]
	started := noon()
	want := []store.StreamFacts{
		{
			ID: uuid.UUID(id(2)), ParticipantID: uuid.UUID(id(1)), Source: 2, Direction: "inbound", Media: "audio", StartedAt: &started,
			Packets: proto.Uint64(190), PacketsLost: proto.Int64(8), Bytes: proto.Uint64(5000), LossRatio: proto.Float64(8.0 / 198),
			JitterMsAvg: proto.Float64(30), JitterMsMax: proto.Float64(40), BitrateAvg: proto.Float64(2000), Partial: true, Counted: true,
		},
		{
			ID: uuid.UUID(id(3)), ParticipantID: uuid.UUID(id(1)), Source: 2, Direction: "inbound", Media: "audio",
			Packets: proto.Uint64(7000), Counted: true,
		},
	}
	if diff := cmp.Diff(want, got.Streams, cmpopts.IgnoreUnexported(store.StreamFacts{})); diff != "" {
		t.Errorf("streams (-want +got):\n%s", diff)
	}

	points, err := store.NewReader(s, store.QueryLimits{}).Samples(t.Context(), store.SampleFilter{Call: key, Streams: []uuid.UUID{uuid.UUID(id(2))}, Limit: 10})
	if err != nil {
		t.Fatal(err)
	}
	wantPoints := []store.SamplePoint{
		{ObservedAt: noon().Add(10 * time.Second), Direction: "inbound", IntervalMs: 10_000, Packets: 90, PacketsLost: 10, JitterMs: proto.Float32(20)},
		{
			ObservedAt: noon().Add(20 * time.Second), Direction: "inbound", IntervalMs: 10_000, Packets: 100, PacketsLost: -2, Bytes: 5000,
			JitterMs: proto.Float32(40),
		},
	}
	if diff := cmp.Diff(wantPoints, points, cmpopts.IgnoreUnexported(store.SamplePoint{})); diff != "" {
		t.Errorf("samples (-want +got):\n%s", diff)
	}
}

// A stream whose summary arrives while its call is read is in the answer, once.
func TestStreamWhoseSummaryArrivesWhileItIsRead(t *testing.T) {
	s := storetest.New(t)
	r := newRows(t, s)
	for i := range 40 {
		env := r.env
		env.CallID = fmt.Sprint("call-", i)
		r.Samples.Add(r.origin(), env, &eventpb.StreamReport{ParticipantId: id(1), IntervalMs: 10_000},
			&eventpb.StreamSample{StreamId: id(2), Direction: 1, Media: 1, Packets: 100})
		r.insert()
		summarised := make(chan struct{})
		go func() {
			defer close(summarised)
			r.Streams.Add(r.origin(), env, &eventpb.StreamEnded{ParticipantId: id(1), StreamId: id(2), Direction: 1, Media: 1, Packets: proto.Uint64(100)})
			if err := s.Insert(t.Context(), r.Batch, "summary "+env.CallID); err != nil {
				t.Errorf("insert the summary: %v", err)
			}
		}()
		for done := false; !done; {
			select {
			case <-summarised:
				done = true
			default:
			}
			record := load(t, s, store.CallKey{Org: env.Org, CallID: env.CallID})[0]
			if len(record.Streams) != 1 || *record.Streams[0].Packets != 100 {
				t.Fatalf("%s: streams %+v", env.CallID, record.Streams)
			}
		}
		r.Reset("events", 0)
	}
}

// Nothing ties Azure's series of samples to its summaries of the same streams: they must not count twice.
func TestAzureSeriesDoesNotCountBesideItsSummary(t *testing.T) {
	const audio, video, screen = 1, 2, 3
	s := storetest.New(t)
	r := newRows(t, s)
	r.env.SourceKind = 4
	for stream, media := range map[byte]eventpb.Media{0x15: audio, 0x25: video, 0x35: screen, 0x36: screen} {
		r.Samples.Add(r.origin(), r.env, &eventpb.StreamReport{ParticipantId: id(1), IntervalMs: 10_000},
			&eventpb.StreamSample{StreamId: id(stream), Direction: 2, Media: media, JitterMs: proto.Float32(34)})
	}
	for stream, media := range map[byte]eventpb.Media{0x10: audio, 0x30: screen} {
		r.Streams.Add(r.origin(), r.env, &eventpb.StreamEnded{ParticipantId: id(1), StreamId: id(stream), Direction: 2, Media: media})
	}
	r.insert()
	got := map[byte]string{}
	for _, stream := range load(t, s, store.CallKey{Org: "contoso", CallID: "call-1"})[0].Streams {
		got[stream.ID[0]] = fmt.Sprint("counted ", stream.Counted, ", series ", len(stream.Series))
		if stream.Partial && stream.Packets != nil {
			t.Errorf("stream %x has %d packets; Azure's series has no such counter", stream.ID[0], *stream.Packets)
		}
	}
	want := map[byte]string{
		0x10: "counted true, series 1",  // Has the series 0x15.
		0x25: "counted true, series 0",  // A series without summary.
		0x30: "counted true, series 0",  // Whose series of the two it is, nobody knows.
		0x35: "counted false, series 0", // They are shown and don't count.
		0x36: "counted false, series 0",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("streams (-want +got):\n%s", diff)
	}
}

func TestCallsFindWhateverSpeaksOfThem(t *testing.T) {
	s := storetest.New(t)
	r := newRows(t, s)
	env := func(call string, minutes int) store.Envelope {
		e := r.env
		e.CallID, e.ObservedAt = call, noon().Add(time.Duration(minutes)*time.Minute)
		return e
	}
	r.Calls.AddStarted(r.origin(), env("has-call", 90), &eventpb.CallStarted{StartedAtUs: noon().UnixMicro(), MeetingId: "Meeting%_X"})
	r.Participants.AddLeft(r.origin(), env("has-participant", 1), &eventpb.ParticipantLeft{ParticipantId: id(7)})
	r.Streams.Add(r.origin(), env("has-stream", 2), &eventpb.StreamEnded{ParticipantId: id(1), StreamId: id(9)})
	r.Timeline.Add(r.origin(), env("has-timeline", 3), store.Entry{Kind: store.DiagnosticEntry, Name: "noNetwork", Value: "True"})
	r.Timeline.Add(r.origin(), env("thread_abc", 4), store.Entry{Kind: store.ChatEntry, Name: "SendChatMessage"})
	r.Samples.Add(r.origin(), env("has-samples", 5), &eventpb.StreamReport{ParticipantId: id(1), IntervalMs: 1000}, &eventpb.StreamSample{StreamId: id(1)})
	// Equal instants, and one id in two organisations.
	other := env("has-call", 0)
	other.Org = "fabrikam"
	r.Calls.AddStarted(r.origin(), other, &eventpb.CallStarted{StartedAtUs: noon().UnixMicro()})
	r.insert()

	reader := store.NewReader(s, store.QueryLimits{})
	const bounded, all = "has-samples has-timeline has-stream has-participant contoso/has-call fabrikam/has-call",
		"has-timeline has-stream has-participant contoso/has-call fabrikam/has-call"
	for name, test := range map[string]struct {
		filter store.CallFilter
		want   string
	}{
		"no filter":                    {store.CallFilter{}, all},
		"bounded window":               {store.CallFilter{From: noon(), To: noon().Add(time.Hour)}, bounded},
		"from is included":             {store.CallFilter{From: noon().Add(3 * time.Minute)}, "has-timeline"},
		"to is excluded":               {store.CallFilter{To: noon().Add(time.Minute)}, "contoso/has-call fabrikam/has-call"},
		"organisation":                 {store.CallFilter{Org: "fabrikam"}, "fabrikam/has-call"},
		"source":                       {store.CallFilter{Source: 4}, ""},
		"text in the id":               {store.CallFilter{Text: "STREAM"}, "has-stream"},
		"text in the meeting id":       {store.CallFilter{Text: "ing%_x"}, "contoso/has-call"},
		"wildcards are text":           {store.CallFilter{Text: "has_call"}, ""},
		"participant id":               {store.CallFilter{Text: uuid.UUID(id(7)).String()}, "has-participant"},
		"stream id":                    {store.CallFilter{Text: uuid.UUID(id(9)).String()}, "has-stream"},
		"no participant is everywhere": {store.CallFilter{Text: uuid.Nil.String()}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			var after *store.CallAt
			for {
				page, err := reader.Calls(t.Context(), test.filter, after, 2)
				if err != nil {
					t.Fatal(err)
				}
				for _, c := range page {
					if c.CallID == "has-call" {
						c.CallID = c.Org + "/" + c.CallID
					}
					got = append(got, c.CallID)
				}
				if len(page) < 2 {
					break
				}
				after = &page[1]
			}
			if diff := cmp.Diff(test.want, strings.Join(got, " ")); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
		})
	}
	t.Run("first seen is the same in list and record", func(t *testing.T) {
		page, err := reader.Calls(t.Context(), store.CallFilter{From: noon(), To: noon().Add(time.Hour)}, nil, 10)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range page {
			if got := load(t, s, c.CallKey)[0]; got == nil || !got.FirstSeen.Equal(c.FirstSeen) {
				t.Errorf("%s: record %+v, listed at %v", c.CallID, got, c.FirstSeen)
			}
		}
	})
	t.Run("find", func(t *testing.T) {
		for call, want := range map[string]int{"has-call": 2, "has-samples": 1, "has-timeline": 1, "thread_abc": 0, "nobody": 0} {
			got, err := reader.FindCall(t.Context(), call, "")
			if err != nil || len(got) != want {
				t.Errorf("%s: %v, %v; want %d", call, got, err, want)
			}
		}
	})
}

func TestTimelineIsMergedAndPaged(t *testing.T) {
	s := storetest.New(t)
	r := newRows(t, s)
	add := func(call string, e store.Entry) {
		env := r.env
		env.CallID = call
		r.Timeline.Add(r.origin(), env, e)
	}
	entry := store.Entry{Participant: id(1), Kind: store.OperationEntry, Name: "Mute", Attributes: map[string]string{"a": "1", "b": "2"}}
	add("call-1", entry)
	add("call-1", entry) // The same record by another way.
	entry.Attributes = map[string]string{"a": "2"}
	add("call-1", entry)
	entry.Participant = id(2)
	add("call-1", entry)
	add("call-1", store.Entry{Kind: store.RecordingEntry, Name: "Recording"})
	add("thread_abc", store.Entry{Kind: store.ChatEntry, Name: "SendChatMessage", Participant: id(1)})
	add("thread_other", store.Entry{Kind: store.ChatEntry, Name: "SendChatMessage"})
	r.insert()
	reader := store.NewReader(s, store.QueryLimits{})
	all := func(f store.TimelineFilter) map[string]int {
		t.Helper()
		f.Call, f.Limit = store.CallKey{Org: "contoso", CallID: "call-1"}, 1
		got := map[string]int{}
		for {
			page, err := reader.Timeline(t.Context(), f)
			if err != nil {
				t.Fatal(err)
			}
			if len(page) == 0 {
				return got
			}
			got[page[0].Name]++
			at := page[0].At()
			f.After = &at
		}
	}
	for name, test := range map[string]struct {
		filter store.TimelineFilter
		want   map[string]int
	}{
		"all":      {store.TimelineFilter{MeetingID: "abc"}, map[string]int{"Mute": 3, "Recording": 1, "SendChatMessage": 1}},
		"no chat":  {store.TimelineFilter{}, map[string]int{"Mute": 3, "Recording": 1}},
		"withheld": {store.TimelineFilter{Withhold: true, Visible: []uuid.UUID{uuid.UUID(id(2))}}, map[string]int{"Mute": 1, "Recording": 1}},
		"later":    {store.TimelineFilter{From: noon().Add(time.Second)}, map[string]int{}},
		"earlier":  {store.TimelineFilter{To: noon()}, map[string]int{}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, all(test.filter)); diff != "" {
				t.Errorf("entries (-want +got):\n%s", diff)
			}
		})
	}
}
