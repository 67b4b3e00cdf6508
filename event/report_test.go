package event_test

import (
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/anteroom/anteroom/event"
	"github.com/anteroom/anteroom/event/eventpb"
)

// reportEvent has every field of a stream report set, in one sample, and as few as may be in another.
func reportEvent() *eventpb.Event {
	id := []byte("0123456789abcdef")
	return &eventpb.Event{
		Id: "0195-é", Org: "clinic", Region: "emea", CallId: "call", Source: "media/node/1", Sequence: 300, ObservedAtUs: 1_772_615_990_000_000,
		SourceKind: eventpb.SourceKind_SOURCE_KIND_MEDIA,
		Payload: &eventpb.Event_StreamReport{StreamReport: &eventpb.StreamReport{ParticipantId: id, IntervalMs: 10_000, Streams: []*eventpb.StreamSample{
			{
				StreamId: id, Direction: eventpb.Direction_DIRECTION_OUTBOUND, Media: eventpb.Media_MEDIA_SCREEN, Ssrc: 1 << 31, Codec: "VP8",
				Packets: 1, PacketsLost: -2, Bytes: 1 << 40, PacketsDiscarded: 4, RetransmittedPackets: 5, Frames: 6, FramesDropped: 7, Freezes: 8,
				Nacks: 9, Plis: 10, Firs: 11, JitterMs: proto.Float32(12), RttMs: proto.Float32(13), JitterBufferMs: proto.Float32(14),
				HealedRatio: proto.Float32(0.5), FrameRate: proto.Float32(16), FrameHeight: proto.Float32(17), FreezeMs: proto.Float32(0),
				BitrateBps: proto.Float32(19), AvailableBitrateBps: proto.Float32(20), LossRatio: proto.Float32(0.25),
			},
			{StreamId: id},
			{StreamId: id, Direction: -1, Media: 99, PacketsLost: 1 << 62, Bytes: 1<<64 - 1, Nacks: 1<<32 - 1},
		}}},
	}
}

// asEvent makes the event that a report was read of.
func asEvent(r *event.Report) *eventpb.Event {
	report := &eventpb.StreamReport{ParticipantId: r.ParticipantID, IntervalMs: r.IntervalMs}
	for i := range r.Samples {
		s := &r.Samples[i]
		gauge := func(g int) *float32 {
			if s.Known&(1<<g) == 0 {
				return nil
			}
			return proto.Float32(s.Gauges[g])
		}
		c := s.Counters
		report.Streams = append(report.Streams, &eventpb.StreamSample{
			StreamId: s.StreamID, Direction: eventpb.Direction(s.Direction), Media: eventpb.Media(s.Media), Ssrc: s.Ssrc, Codec: string(s.Codec),
			PacketsLost: s.PacketsLost, Packets: c[0], Bytes: c[1], PacketsDiscarded: c[2], RetransmittedPackets: c[3], Frames: c[4], FramesDropped: c[5],
			Freezes: c[6], Nacks: s.Feedback[0], Plis: s.Feedback[1], Firs: s.Feedback[2], JitterMs: gauge(event.JitterMs), RttMs: gauge(event.RttMs),
			JitterBufferMs: gauge(event.JitterBufferMs), HealedRatio: gauge(event.HealedRatio), FrameRate: gauge(event.FrameRate),
			FrameHeight: gauge(event.FrameHeight), FreezeMs: gauge(event.FreezeMs), BitrateBps: gauge(event.BitrateBps),
			AvailableBitrateBps: gauge(event.AvailableBitrateBps), LossRatio: gauge(event.LossRatio),
		})
	}
	return &eventpb.Event{
		Id: string(r.ID), Org: string(r.Org), Region: string(r.Region), CallId: string(r.CallID), Source: string(r.Source), Sequence: r.Sequence,
		ObservedAtUs: r.ObservedAtUs, SourceKind: eventpb.SourceKind(r.SourceKind), Payload: &eventpb.Event_StreamReport{StreamReport: report},
	}
}

// agree fails if the reader takes a body that Decode refuses, or understands another event. It answers whether the reader takes it.
func agree(t *testing.T, r *event.Report, body []byte) bool {
	t.Helper()
	if !r.Read(body) {
		return false
	}
	want, err := event.Decode(body)
	if err != nil {
		t.Fatalf("read %x, which Decode refuses: %v", body, err)
	}
	// Through the wire once more, which has one form for each value, NaN as well.
	got, opts := asEvent(r), proto.MarshalOptions{Deterministic: true}
	a, err := opts.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	b, err := opts.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	if string(a) != string(b) {
		t.Fatalf("read %x otherwise than Decode (-Decode +read):\n%s", body, cmp.Diff(want, got, protocmp.Transform()))
	}
	return true
}

func encoded(t testing.TB, m proto.Message) []byte {
	t.Helper()
	body, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func TestReportIsReadAsDecodeDoes(t *testing.T) {
	whole := encoded(t, reportEvent())
	with := func(change func(*eventpb.Event)) []byte {
		e := reportEvent()
		change(e)
		return encoded(t, e)
	}
	report := func(e *eventpb.Event) *eventpb.StreamReport { return e.GetStreamReport() }
	var r event.Report
	for _, test := range []struct {
		name string
		body []byte
		want bool
	}{
		{"every field", whole, true},
		{"scalars again: the last counts", append(append([]byte{}, whole...), encoded(t, &eventpb.Event{Org: "other", Sequence: 7})...), true},
		{"no streams", with(func(e *eventpb.Event) { report(e).Streams = nil }), true},
		{"another payload", encoded(t, &eventpb.Event{Id: "1", Org: "clinic", Payload: &eventpb.Event_CallEnded{CallEnded: &eventpb.CallEnded{}}}), false},
		{"two payloads", append(append([]byte{}, whole...), encoded(t, &eventpb.Event{Payload: &eventpb.Event_CallEnded{CallEnded: &eventpb.CallEnded{}}})...), false},
		{"the payload twice", append(append([]byte{}, whole...), whole...), false},
		{"no payload", with(func(e *eventpb.Event) { e.Payload = nil }), false},
		{"an unknown field", protowire.AppendVarint(protowire.AppendTag(append([]byte{}, whole...), 900, protowire.VarintType), 1), false},
		{"a field of another type", protowire.AppendVarint(protowire.AppendTag(append([]byte{}, whole...), 2, protowire.VarintType), 1), false},
		{"a meeting", with(func(e *eventpb.Event) { e.MeetingId = "m" }), false},
		{"no id", with(func(e *eventpb.Event) { e.Id = "" }), false},
		{"a bad organisation", with(func(e *eventpb.Event) { e.Org = "Clinic" }), false},
		{"a bad region", with(func(e *eventpb.Event) { e.Region = "e mea" }), false},
		{"no call", with(func(e *eventpb.Event) { e.CallId = "" }), false},
		{"no source", with(func(e *eventpb.Event) { e.Source = "" }), false},
		{"no sequence", with(func(e *eventpb.Event) { e.Sequence = 0 }), false},
		{"another century", with(func(e *eventpb.Event) { e.ObservedAtUs = 1 }), false},
		{"a short participant", with(func(e *eventpb.Event) { report(e).ParticipantId = []byte("x") }), false},
		{"a short stream", with(func(e *eventpb.Event) { report(e).Streams[1].StreamId = nil }), false},
		{"too many streams", with(func(e *eventpb.Event) {
			for range event.MaxStreams {
				report(e).Streams = append(report(e).Streams, report(e).Streams[1])
			}
		}), false},
		{"nothing", nil, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := agree(t, &r, test.body); got != test.want {
				t.Errorf("read: %v, want %v", got, test.want)
			}
		})
	}
	for n := range whole { // a record that was cut off
		agree(t, &r, whole[:n])
	}
}

// TestReportOfDamagedRecords changes, drops and doubles bytes at random.
func TestReportOfDamagedRecords(t *testing.T) {
	whole := encoded(t, reportEvent())
	random := rand.New(rand.NewPCG(3, 4))
	var r event.Report
	read := 0
	for range 100_000 {
		body := append([]byte{}, whole...)
		for range 1 + random.IntN(3) {
			at := random.IntN(len(body))
			switch random.IntN(4) {
			case 0:
				body = append(body[:at], body[at+1:]...)
			case 1:
				body = append(body[:at+1], body[at:]...)
			default:
				body[at] = byte(random.Uint32())
			}
		}
		if agree(t, &r, body) {
			read++
		}
	}
	if read < 1000 {
		t.Errorf("only %d records were read: this shows too little", read)
	}
}

func FuzzReport(f *testing.F) {
	f.Add(encoded(f, reportEvent()))
	var r event.Report
	f.Fuzz(func(t *testing.T, body []byte) { agree(t, &r, body) })
}

func BenchmarkReport(b *testing.B) {
	body := encoded(b, reportEvent())
	var r event.Report
	b.ReportAllocs()
	for b.Loop() {
		r.Read(body)
	}
}
