package acs_test

import (
	"encoding/hex"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/anteroom/anteroom/event"
	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/ingest/acs"
	"github.com/anteroom/anteroom/ingest/decode"
	"github.com/anteroom/anteroom/ingest/label"
)

const (
	sampleCall        = "7c1d0a52-6a0e-4f0b-9a57-0f1f6c7f2a10"
	sampleParticipant = "5d0c3d3e-52a8-4c11-8a53-2d7ab0d3b001"
	sampleThread      = "19:meeting_TmV2ZXJSZWFs@thread.v2"
)

func options(t testing.TB) decode.Options {
	t.Helper()
	keys, err := label.NewKeyring([]byte("a key of thirty-two bytes or more"))
	if err != nil {
		t.Fatal(err)
	}
	pseudonyms, err := keys.For("clinic")
	if err != nil {
		t.Fatal(err)
	}
	return decode.Options{Org: "clinic", Region: "eu", Pseudonyms: pseudonyms}
}

func sample(t testing.TB) []byte {
	t.Helper()
	data, err := os.ReadFile("testdata/worked-sample.json")
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func us(t testing.TB, s string) int64 {
	t.Helper()
	at, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		t.Fatal(err)
	}
	return at.UnixMicro()
}

// wantSample is what the worked sample of Azure's records says, field by field.
func wantSample(t testing.TB, opt decode.Options) []*eventpb.Event {
	t.Helper()
	id := opt.Pseudonyms.ID
	participant := id(label.Participant, sampleCall, sampleParticipant)
	thread := hex.EncodeToString(id(label.Meeting, "", sampleThread))
	stream := func(media, direction, stream string) []byte {
		return id(label.Stream, sampleCall, sampleParticipant, media, direction, stream)
	}
	summary := us(t, "2026-03-04T10:42:11.521Z")
	of := func(observed int64, e *eventpb.Event) *eventpb.Event {
		e.ObservedAtUs = observed
		if e.CallId == "" {
			e.CallId = sampleCall
		}
		return e
	}
	audioWritten, videoWritten := us(t, "2026-03-04T10:42:11.7Z"), us(t, "2026-03-04T10:42:11.71Z")
	return []*eventpb.Event{
		of(summary, &eventpb.Event{Payload: &eventpb.Event_CallStarted{CallStarted: &eventpb.CallStarted{
			StartedAtUs: us(t, "2026-03-04T10:00:02.1Z"), Kind: eventpb.CallKind_CALL_KIND_MEETING, MeetingId: thread,
		}}}),
		of(summary, &eventpb.Event{Payload: &eventpb.Event_ParticipantJoined{ParticipantJoined: &eventpb.ParticipantJoined{
			ParticipantId: participant, JoinedAtUs: us(t, "2026-03-04T10:03:20.004Z"),
			Identity:     &eventpb.Identity{Kind: eventpb.Identity_KIND_GUEST},
			EndpointType: "voip", ClientFamily: "ACS Calling SDK", ClientVersion: "1.32", OsFamily: "Windows",
		}}}),
		of(summary, &eventpb.Event{Payload: &eventpb.Event_ParticipantLeft{ParticipantLeft: &eventpb.ParticipantLeft{
			ParticipantId: participant, LeftAtUs: us(t, "2026-03-04T10:30:11.004Z"),
			EndCode: "0", EndSubCode: "0", ResultCategory: "Success",
		}}}),
		of(summary, &eventpb.Event{Payload: &eventpb.Event_CallEnded{CallEnded: &eventpb.CallEnded{
			EndedAtUs: us(t, "2026-03-04T10:30:14.1Z"),
		}}}),
		of(audioWritten, &eventpb.Event{Payload: &eventpb.Event_StreamEnded{StreamEnded: &eventpb.StreamEnded{
			ParticipantId: participant, StreamId: stream("MEDIA_AUDIO", "DIRECTION_OUTBOUND", "14884"),
			Direction: eventpb.Direction_DIRECTION_OUTBOUND, Media: eventpb.Media_MEDIA_AUDIO, Codec: "OPUS", Transport: "udp",
			Packets: proto.Uint64(78012), LossRatio: proto.Float64(0.021), LossRatioMax: proto.Float64(0.19),
			JitterMsAvg: proto.Float64(34), JitterMsMax: proto.Float64(91), RttMsAvg: proto.Float64(212), RttMsMax: proto.Float64(640),
		}}}),
		of(videoWritten, &eventpb.Event{Payload: &eventpb.Event_StreamEnded{StreamEnded: &eventpb.StreamEnded{
			ParticipantId: participant, StreamId: stream("MEDIA_VIDEO", "DIRECTION_INBOUND", "2804"),
			Direction: eventpb.Direction_DIRECTION_INBOUND, Media: eventpb.Media_MEDIA_VIDEO, Codec: "H264", Transport: "udp",
			Packets: proto.Uint64(201144), LossRatio: proto.Float64(0.0012), LossRatioMax: proto.Float64(0.02),
			JitterMsAvg: proto.Float64(4), JitterMsMax: proto.Float64(11), RttMsAvg: proto.Float64(96), RttMsMax: proto.Float64(140),
			JitterBufferMsAvg: proto.Float64(88), FrameRateAvg: proto.Float64(23.4), HeightAvg: proto.Float64(360),
			FreezeMsPerMin: proto.Float64(310.5), BitrateAvg: proto.Float64(812000), BitrateMax: proto.Float64(1400000),
			ObservedBy: "server",
		}}}),
		of(us(t, "2026-03-04T10:12:38.9Z"), &eventpb.Event{Payload: &eventpb.Event_ClientDiagnostic{
			ClientDiagnostic: &eventpb.ClientDiagnostic{
				ParticipantId: participant, Name: "networkSendQuality", Value: "Bad", Lane: eventpb.Lane_LANE_NETWORK,
				OperationId: id(label.Operation, sampleCall, "9b9b9b9b-0000-4000-8000-00000000c0de"),
			},
		}}),
		of(us(t, "2026-03-04T10:12:50Z"), &eventpb.Event{Payload: &eventpb.Event_StreamReport{StreamReport: &eventpb.StreamReport{
			ParticipantId: participant, IntervalMs: 10000, Streams: []*eventpb.StreamSample{{
				StreamId:  stream("MEDIA_AUDIO", "DIRECTION_OUTBOUND", ""),
				Direction: eventpb.Direction_DIRECTION_OUTBOUND, Media: eventpb.Media_MEDIA_AUDIO, Codec: "OPUS",
				JitterMs: proto.Float32(34),
			}},
		}}}),
		of(us(t, "2026-03-04T10:31:00Z"), &eventpb.Event{Payload: &eventpb.Event_Survey{Survey: &eventpb.Survey{
			ParticipantId: participant, SurveyId: id(label.Survey, sampleCall, "0a0a0a0a-0000-4000-8000-000000000777"),
			Ratings: []*eventpb.Survey_Rating{
				{Subject: "overall", Score: 3, LowerBound: 1, UpperBound: 5, Threshold: 3},
				{Subject: "audio", Issues: []string{"NoRemoteAudio"}},
			},
		}}}),
		of(us(t, "2026-03-04T11:02:00Z"), &eventpb.Event{Payload: &eventpb.Event_Recording{Recording: &eventpb.Recording{
			RecordingId: id(label.Recording, sampleCall, "cmVjLTE"), StartedAtUs: us(t, "2026-03-04T10:04:00Z"),
			DurationMs: 1500250, EndReason: "CallEnded", ContentType: "Audio - Video", ChannelType: "mixed", Format: "mp4",
			Chunks: 1, AudioChannels: 1,
		}}}),
		of(us(t, "2026-03-04T10:05:00Z"), &eventpb.Event{CallId: "thread_" + thread, Payload: &eventpb.Event_Chat{Chat: &eventpb.Chat{
			ParticipantId: id(label.Participant, "thread_"+thread, "8:acs:0e1d2c3b_0000001f"),
			MessageId:     id(label.Message, "thread_"+thread, "1772618700000"),
			Act:           eventpb.Chat_ACT_SENT, ResultCode: 201, Operation: "SendChatMessage",
		}}}),
	}
}

func TestWorkedSample(t *testing.T) {
	opt := options(t)
	got, err := acs.ReadFile(sample(t), opt)
	if err != nil {
		t.Fatal(err)
	}
	envelope := protocmp.IgnoreFields(&eventpb.Event{}, "id", "org", "region", "source", "sequence", "source_kind")
	if diff := cmp.Diff(wantSample(t, opt), got.Events, protocmp.Transform(), envelope); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	// A call that only a chat's thread names can't be asked for.
	if diff := cmp.Diff([]string{sampleCall}, got.Calls); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	if got.Records != 8 || len(got.Skipped) != 0 {
		t.Errorf("records %d, skipped %v; want 8, none", got.Records, got.Skipped)
	}
}

// The envelope: each record is a source of its own, numbered from 1, with ids that come of both.
func TestEnvelope(t *testing.T) {
	got, err := acs.DecodeFile(sample(t), options(t))
	if err != nil {
		t.Fatal(err)
	}
	last := map[string]uint64{}
	for i, e := range got.Events {
		if err := event.Validate(e); err != nil {
			t.Errorf("event %d: %v", i, err)
		}
		last[e.Source]++
		if e.Sequence != last[e.Source] || e.Id != decode.EventID(e.Source, e.Sequence) {
			t.Errorf("event %d: sequence %d, id %s; want sequence %d and its id", i, e.Sequence, e.Id, last[e.Source])
		}
		if e.Org != "clinic" || e.Region != "eu" || e.SourceKind != eventpb.SourceKind_SOURCE_KIND_ACS || e.Revision != 0 {
			t.Errorf("event %d: org %q, region %q, kind %v, revision %d", i, e.Org, e.Region, e.SourceKind, e.Revision)
		}
	}
	if len(last) != 8 {
		t.Errorf("%d sources, want one for each of 8 records", len(last))
	}
}

// A file and a topic give the same events of the same records, each time.
func TestPure(t *testing.T) {
	opt, data := options(t), sample(t)
	first, err := acs.DecodeFile(data, opt)
	if err != nil {
		t.Fatal(err)
	}
	events, bad, err := acs.DecodeMessage(data, opt)
	if err != nil || len(bad) != 0 {
		t.Fatal(err, bad)
	}
	if diff := cmp.Diff(first.Events, events, protocmp.Transform()); diff != "" {
		t.Errorf("file and topic differ:\n%s", diff)
	}
	other := opt
	other.Org = "hospital"
	elsewhere, err := acs.DecodeFile(data, other)
	if err != nil {
		t.Fatal(err)
	}
	if elsewhere.Events[0].Source == first.Events[0].Source {
		t.Error("two organisations share a source: what one has imported would be dropped for the other")
	}
}
