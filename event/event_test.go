package event_test

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/anteroom/anteroom/event"
	"github.com/anteroom/anteroom/event/eventpb"
)

var update = flag.Bool("update", false, "write golden files of event types that have none; existing ones are never changed")

func id(b byte) []byte { return bytes.Repeat([]byte{b}, 16) }

// examples has one event of each type, with as many fields set as there are.
func examples() map[string]*eventpb.Event {
	examples := map[string]*eventpb.Event{
		"call_started": {Payload: &eventpb.Event_CallStarted{CallStarted: &eventpb.CallStarted{
			StartedAtUs: 1772618400000001, Kind: eventpb.CallKind_CALL_KIND_MEETING, MeetingId: "meeting-1",
		}}},
		"call_ended": {Payload: &eventpb.Event_CallEnded{CallEnded: &eventpb.CallEnded{EndedAtUs: 1772620212000000, Reason: "ended_by_org_user"}}},
		"participant_joined": {Payload: &eventpb.Event_ParticipantJoined{ParticipantJoined: &eventpb.ParticipantJoined{
			ParticipantId: id(1), JoinedAtUs: 1772618410000000,
			Identity:     &eventpb.Identity{Kind: eventpb.Identity_KIND_ORG_USER, UserId: "u-1", DisplayName: "Olga Org"},
			EndpointType: "browser", ClientFamily: "Chrome", ClientVersion: "156", OsFamily: "Linux",
		}}},
		"participant_left": {Payload: &eventpb.Event_ParticipantLeft{ParticipantLeft: &eventpb.ParticipantLeft{
			ParticipantId: id(1), LeftAtUs: 1772620000000000, EndCode: "0", EndSubCode: "5000", ResultCategory: "Success",
		}}},
		"stream_report": {Payload: &eventpb.Event_StreamReport{StreamReport: &eventpb.StreamReport{
			ParticipantId: id(1), IntervalMs: 10_000,
			Streams: []*eventpb.StreamSample{{
				StreamId: id(2), Direction: eventpb.Direction_DIRECTION_INBOUND, Media: eventpb.Media_MEDIA_VIDEO, Ssrc: 69911005, Codec: "VP8",
				Packets: 3976, PacketsLost: -1, Bytes: 4_000_000, PacketsDiscarded: 3, RetransmittedPackets: 4, Frames: 300, FramesDropped: 5,
				Freezes: 1, Nacks: 6, Plis: 7, Firs: 8,
				JitterMs: proto.Float32(12.5), RttMs: proto.Float32(88), JitterBufferMs: proto.Float32(60), HealedRatio: proto.Float32(0.01),
				FrameRate: proto.Float32(29.5), FrameHeight: proto.Float32(360), FreezeMs: proto.Float32(400), BitrateBps: proto.Float32(812_000),
				AvailableBitrateBps: proto.Float32(2_500_000), LossRatio: proto.Float32(0),
			}},
		}}},
		"stream_ended": {Revision: 3, Payload: &eventpb.Event_StreamEnded{StreamEnded: &eventpb.StreamEnded{
			ParticipantId: id(1), StreamId: id(2), Direction: eventpb.Direction_DIRECTION_OUTBOUND, Media: eventpb.Media_MEDIA_SCREEN, Ssrc: 7, Codec: "AV1",
			StartedAtUs: 1772618410000000, EndedAtUs: 1772620000000000, Packets: proto.Uint64(3013), PacketsLost: proto.Int64(-2), Bytes: proto.Uint64(9),
			LossRatio: proto.Float64(0.1), LossRatioMax: proto.Float64(0.2), JitterMsAvg: proto.Float64(1), JitterMsMax: proto.Float64(2),
			RttMsAvg: proto.Float64(3), RttMsMax: proto.Float64(4), JitterBufferMsAvg: proto.Float64(5), JitterBufferMsMax: proto.Float64(6),
			HealedRatio: proto.Float64(0.3), HealedRatioMax: proto.Float64(0.4), FrameRateAvg: proto.Float64(24), HeightAvg: proto.Float64(720),
			FreezeMsPerMin: proto.Float64(310.5), BitrateAvg: proto.Float64(812_000), BitrateMax: proto.Float64(1_400_000),
			LocalCandidateType: eventpb.CandidateType_CANDIDATE_TYPE_RELAY, RemoteCandidateType: eventpb.CandidateType_CANDIDATE_TYPE_SRFLX,
			Transport: "udp", ObservedBy: "server",
		}}},
		"client_diagnostic": {Payload: &eventpb.Event_ClientDiagnostic{ClientDiagnostic: &eventpb.ClientDiagnostic{
			ParticipantId: id(1), Name: "networkSendQuality", Value: "Bad", Lane: eventpb.Lane_LANE_NETWORK, OperationId: id(3),
		}}},
		"client_operation": {Payload: &eventpb.Event_ClientOperation{ClientOperation: &eventpb.ClientOperation{
			ParticipantId: id(1), Name: "StartVideo", Lane: eventpb.Lane_LANE_VIDEO, OperationId: id(3), Result: "Succeeded", ResultCode: 200,
			DurationMs: 40, Attributes: map[string]string{"stream_type": "Video"},
		}}},
		"survey": {Payload: &eventpb.Event_Survey{Survey: &eventpb.Survey{
			ParticipantId: id(1), SurveyId: id(4),
			Ratings: []*eventpb.Survey_Rating{{Subject: "overall", Score: 3, LowerBound: 1, UpperBound: 5, Threshold: 3, Issues: []string{"NoRemoteAudio"}}},
		}}},
		"recording": {Payload: &eventpb.Event_Recording{Recording: &eventpb.Recording{
			RecordingId: id(5), StartedAtUs: 1772618640000000, DurationMs: 1_500_250, EndReason: "CallEnded", ContentType: "Audio - Video",
			ChannelType: "mixed", Format: "mp4", Chunks: 1, AudioChannels: 1,
		}}},
		"chat": {Payload: &eventpb.Event_Chat{Chat: &eventpb.Chat{
			ParticipantId: id(1), MessageId: id(6), Act: eventpb.Chat_ACT_SENT, SealedText: []byte{1, 2, 3}, SealingKeyId: "k-1", ResultCode: 201, Operation: "SendChatMessage",
		}}},
		"notice": {Payload: &eventpb.Event_Notice{Notice: &eventpb.Notice{
			ParticipantId: id(1), NoticeId: id(7), Kind: "recording_started", SentAtUs: 1772618640000000, AcknowledgedAtUs: 1772618640400000,
		}}},
		"decision": {Payload: &eventpb.Event_Decision{Decision: &eventpb.Decision{
			ParticipantId: id(1), DecisionId: id(8), Action: "chat.send", Effect: "deny", Reasons: []string{"channel_meeting"}, PolicyRevision: "r-1",
			EvaluationNs: 36_000, Input: []byte(`{"kind":"channel"}`),
		}}},
		"resource_guest": {Payload: &eventpb.Event_ResourceGuest{ResourceGuest: &eventpb.ResourceGuest{
			ParticipantId: id(1), ResourceId: "8a4c3c6e-5f5d-4b7e-9f43-0d3f3c1f2a11", ResourceRegion: "amer", MeetingId: "5f6d0d5c-8f0e-4c9e-9a40-2f4f6c6b7a11",
			JoinedAtUs: 1772618410000000, SealedUserId: []byte{4, 5, 6}, SealingKeyId: "k-2",
		}}},
	}
	for _, e := range examples {
		e.Id, e.Org, e.Region, e.CallId = "0198f000-0000-7000-8000-000000000001", "clinic", "emea", "call-1"
		e.Source, e.Sequence, e.ObservedAtUs, e.SourceKind = "media/node-1/17", 42, 1772618520123456, eventpb.SourceKind_SOURCE_KIND_MEDIA
	}
	return examples
}

// TestGoldenEncodings keeps what earlier versions wrote readable: a golden file, once written, is never written again.
func TestGoldenEncodings(t *testing.T) {
	for name, want := range examples() {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join("testdata", "golden", name+".binpb")
			if _, err := os.Stat(path); *update && errors.Is(err, os.ErrNotExist) {
				record, err := event.Encode(want)
				if err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, record.Value, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatalf("%v (write it with -update)", err)
			}
			got, err := event.Decode(data)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
				t.Errorf("golden file reads differently (-want +got):\n%s", diff)
			}
		})
	}
}

// TestEveryTypeHasAnExample fails when a type of event is added without an example, hence without a golden file.
func TestEveryTypeHasAnExample(t *testing.T) {
	fields := (&eventpb.Event{}).ProtoReflect().Descriptor().Oneofs().ByName("payload").Fields()
	have := examples()
	for i := range fields.Len() {
		name := string(fields.Get(i).Name())
		if have[name] == nil {
			t.Errorf("event type %s has no example", name)
		} else if event.Type(have[name]) == "" {
			t.Errorf("event type %s has no CloudEvents type", name)
		}
	}
}

func TestHeadersAreCloudEvents(t *testing.T) {
	record, err := event.Encode(examples()["stream_report"])
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, h := range record.Headers {
		got[h.Key] = string(h.Value)
	}
	want := map[string]string{
		"ce_specversion": "1.0", "ce_id": "0198f000-0000-7000-8000-000000000001", "ce_source": "media/node-1/17", "ce_type": "anteroom.stream.report.v1",
		"ce_time": "2026-03-04T10:02:00.123456Z", "ce_subject": "call-1", "ce_org": "clinic", "ce_region": "emea", "ce_sequence": "42",
		"content-type": "application/protobuf",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
	if record.Topic != "anteroom.emea.samples" || string(record.Key) != "clinic/call-1" {
		t.Errorf("topic %q, key %q", record.Topic, record.Key)
	}
}

func TestValidateNamesTheField(t *testing.T) {
	tests := map[string]struct {
		example string
		spoil   func(*eventpb.Event)
		field   string
	}{
		"no payload":        {"chat", func(e *eventpb.Event) { e.Payload = nil }, "payload"},
		"no id":             {"chat", func(e *eventpb.Event) { e.Id = "" }, "id"},
		"long id":           {"chat", func(e *eventpb.Event) { e.Id = strings.Repeat("x", 129) }, "id"},
		"bad org":           {"chat", func(e *eventpb.Event) { e.Org = "A b" }, "org"},
		"bad region":        {"chat", func(e *eventpb.Event) { e.Region = "EU!" }, "region"},
		"no call":           {"chat", func(e *eventpb.Event) { e.CallId = "" }, "call_id"},
		"no source":         {"chat", func(e *eventpb.Event) { e.Source = "" }, "source"},
		"no sequence":       {"chat", func(e *eventpb.Event) { e.Sequence = 0 }, "sequence"},
		"observed 1970":     {"chat", func(e *eventpb.Event) { e.ObservedAtUs = 1 }, "observed_at_us"},
		"observed 2262":     {"chat", func(e *eventpb.Event) { e.ObservedAtUs = 1 << 53 }, "observed_at_us"},
		"short participant": {"participant_left", func(e *eventpb.Event) { e.GetParticipantLeft().ParticipantId = id(1)[:15] }, "participant_id"},
		"no stream id":      {"stream_ended", func(e *eventpb.Event) { e.GetStreamEnded().StreamId = nil }, "stream_ended.stream_id"},
		"bad sample":        {"stream_report", func(e *eventpb.Event) { e.GetStreamReport().Streams[0].StreamId = nil }, "stream_report.streams.stream_id"},
		"no resource":       {"resource_guest", func(e *eventpb.Event) { e.GetResourceGuest().ResourceId = "" }, "resource_guest.resource_id"},
		"unsealed guest":    {"resource_guest", func(e *eventpb.Event) { e.GetResourceGuest().SealingKeyId = "" }, "resource_guest.sealed_user_id"},
		"started 1970":      {"call_started", func(e *eventpb.Event) { e.GetCallStarted().StartedAtUs = 5 }, "call_started.started_at_us"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			e := examples()[tc.example]
			tc.spoil(e)
			err := event.Validate(e)
			if !errors.Is(err, event.ErrInvalid) || !strings.Contains(err.Error(), tc.field+" ") {
				t.Errorf("got %v, want an error that names %s", err, tc.field)
			}
		})
	}
}

func FuzzDecode(f *testing.F) {
	for _, e := range examples() {
		record, err := event.Encode(e)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(record.Value)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := event.Decode(data)
		if err != nil {
			if !errors.Is(err, event.ErrInvalid) {
				t.Errorf("error does not wrap ErrInvalid: %v", err)
			}
			return
		}
		if _, err := event.Encode(e); err != nil {
			t.Errorf("decoded but not encoded: %v\n%s", err, protojson.Format(e))
		}
	})
}
