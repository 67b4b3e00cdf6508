package acs_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/ingest/label"
)

func TestOperations(t *testing.T) {
	id := options(t).Pseudonyms.ID
	for _, test := range []struct {
		properties string
		want       *eventpb.ClientOperation
	}{
		{
			`"OperationName":"StartCall","ParticipantId":"leg-1","OperationId":"7","DurationMs":"44","ResultType":"Success","ResultSignature":"200","OperationPayload":{"CallDirection":"outgoing","CallType":"group"}`,
			&eventpb.ClientOperation{Name: "StartCall", Lane: eventpb.Lane_LANE_CALL, OperationId: id(label.Operation, "call-1", "7"), Result: "Succeeded", ResultCode: 200, DurationMs: 44, ParticipantId: id(label.Participant, "call-1", "leg-1"), Attributes: map[string]string{"call_direction": "Outgoing", "call_type": "Group"}},
		},
		{
			`"OperationName":"state-changed","OperationPayload":"{\"NewState\":\"InLobby\",\"Source\":\"Alice's iPhone\"}"`,
			&eventpb.ClientOperation{Name: "StateChanged", Lane: eventpb.Lane_LANE_CALL, Attributes: map[string]string{"new_state": "InLobby"}},
		},
		{
			`"OperationName":"IsMuted-changed","ResultType":"ExpectedClientError"`,
			&eventpb.ClientOperation{Name: "IsMutedChanged", Lane: eventpb.Lane_LANE_AUDIO, Result: "ExpectedError"},
		},
		{
			`"OperationName":"CreateView","ResultType":"UnexpectedClientError","ResultSignature":408,"OperationPayload":{"streamType":"video","remoteParticipantId":"leg-2","failureReason":"RenderTimeout"}`,
			&eventpb.ClientOperation{Name: "CreateView", Lane: eventpb.Lane_LANE_VIDEO, Result: "UnexpectedClientError", ResultCode: 408, Attributes: map[string]string{"stream_type": "Video", "failure_reason": "RenderTimeout", "remote_participant": fmt.Sprintf("%x", id(label.Participant, "call-1", "leg-2"))}},
		},
		{`"OperationName":"StartScreenShare"`, &eventpb.ClientOperation{Name: "StartScreenShare", Lane: eventpb.Lane_LANE_SCREEN}},
		{
			`"OperationName":"SomethingNew","ResultType":"Mystery","OperationPayload":{"FailureReason":"no route to 203.0.113.9","NewState":"Alice"}`,
			&eventpb.ClientOperation{Name: "SomethingNew", Lane: eventpb.Lane_LANE_CALL},
		},
	} {
		got := one(t, envelope("CallClientOperations", `"CallId":"call-1",`+test.properties))[0].GetClientOperation()
		if diff := cmp.Diff(test.want, got, protocmp.Transform()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.properties, diff)
		}
	}
}

func TestClientDiagnostics(t *testing.T) {
	for _, test := range []struct {
		changed, field, value, name, want string
		lane                              eventpb.Lane
	}{
		{"networkSendQuality", "DiagnosticQuality", `"Bad"`, "networkSendQuality", "Bad", eventpb.Lane_LANE_NETWORK},
		{"NetworkReceiveQuality", "diagnosticQuality", `2`, "networkReceiveQuality", "Poor", eventpb.Lane_LANE_NETWORK},
		{"noNetwork", "DiagnosticFlag", `true`, "noNetwork", "True", eventpb.Lane_LANE_NETWORK},
		{"SpeakingWhileMicrophoneIsMuted", "DiagnosticValue", `"False"`, "speakingWhileMicrophoneIsMuted", "False", eventpb.Lane_LANE_AUDIO},
		{"microphoneNotFunctioning", "DiagnosticQuality", `"Good"`, "microphoneNotFunctioning", "Good", eventpb.Lane_LANE_AUDIO},
		{"cameraFreeze", "value", `"bad"`, "cameraFreeze", "Bad", eventpb.Lane_LANE_VIDEO},
		{"capturerStartFailed", "DiagnosticFlag", `"True"`, "capturerStartFailed", "True", eventpb.Lane_LANE_VIDEO},
		{"screenshareRecordingDisabled", "DiagnosticFlag", `"True"`, "screenshareRecordingDisabled", "True", eventpb.Lane_LANE_SCREEN},
		{"SomethingNew", "DiagnosticFlag", `"True"`, "somethingNew", "True", eventpb.Lane_LANE_CALL},
	} {
		got := one(t, envelope("CallClientOperations", fmt.Sprintf(
			`"CallId":"call-1","OperationName":"UserFacingDiagnostics","OperationPayload":{"DiagnosticChanged":%q,%q:%s}`,
			test.changed, test.field, test.value)))[0].GetClientDiagnostic()
		want := &eventpb.ClientDiagnostic{Name: test.name, Value: test.want, Lane: test.lane}
		if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.changed, diff)
		}
	}
}

func TestMetrics(t *testing.T) {
	for _, test := range []struct {
		metric, direction, numbers string
		want                       *eventpb.StreamSample
	}{
		{"Bitrate", "send", `"Average":"64000"`, &eventpb.StreamSample{BitrateBps: proto.Float32(64000)}},
		{"AvailableBitrate", "send", `"Average":1.5e6`, &eventpb.StreamSample{AvailableBitrateBps: proto.Float32(1.5e6)}},
		{"JitterInMs", "recv", `"Count":10,"Sum":"45"`, &eventpb.StreamSample{JitterMs: proto.Float32(4.5)}},
		{"jitterInMs", "recv", `"Average":0`, &eventpb.StreamSample{JitterMs: proto.Float32(0)}},
		{"PacketsPerSecond", "send", `"Average":50,"Count":10`, &eventpb.StreamSample{Packets: 500}},
		{"PacketsPerSecond", "send", `"Average":50,"Count":4`, &eventpb.StreamSample{Packets: 200}},
		{"PacketsLostPerSecond", "recv", `"Average":0.3,"Count":10`, &eventpb.StreamSample{PacketsLost: 3}},
		{"RttInMs", "send", `"Average":80`, &eventpb.StreamSample{RttMs: proto.Float32(80)}},
		{"PairRttInMs", "recv", `"Average":81`, &eventpb.StreamSample{RttMs: proto.Float32(81)}},
		{"JitterBufferInMs", "recv", `"Average":90`, &eventpb.StreamSample{JitterBufferMs: proto.Float32(90)}},
		{"HealedRatio", "recv", `"Average":"1E-2"`, &eventpb.StreamSample{HealedRatio: proto.Float32(0.01)}},
		{"FrameRateSent", "send", `"Average":24`, &eventpb.StreamSample{FrameRate: proto.Float32(24)}},
		{"FrameRateDecoded", "recv", `"Average":23`, &eventpb.StreamSample{FrameRate: proto.Float32(23)}},
		{"FrameHeightReceived", "recv", `"Average":360`, &eventpb.StreamSample{FrameHeight: proto.Float32(360)}},
	} {
		got := one(t, envelope("CallClientMediaStatsTimeSeries", fmt.Sprintf(`"CallId":"call-1","ParticipantId":"leg-1",`+
			`"MetricName":%q,"MediaStreamType":"video","MediaStreamDirection":%q,%s`, test.metric, test.direction, test.numbers)))
		report := got[0].GetStreamReport()
		if report.IntervalMs != 10_000 || len(report.Streams) != 1 {
			t.Fatalf("%s: %v", test.metric, report)
		}
		keys := protocmp.IgnoreFields(&eventpb.StreamSample{}, "stream_id", "direction", "media")
		if diff := cmp.Diff(test.want, report.Streams[0], protocmp.Transform(), keys); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.metric, diff)
		}
	}
}

func TestSurveyTags(t *testing.T) {
	got := one(t, envelope("CallSurvey", `"CallId":"call-1","CorrelationId":"leg-1","OverallCallIssues":"callCannotJoin, HadToRejoin,Alice was rude,HadToRejoin",`+
		`"ScreenshareRatingScore":"7","ScreenshareRatingScoreUpperBound":"10","ScreenshareRatingScoreLowerBound":"0","VideoIssues":"null"`))[0].GetSurvey()
	want := &eventpb.Survey{
		ParticipantId: options(t).Pseudonyms.ID(label.Participant, "call-1", "leg-1"),
		Ratings: []*eventpb.Survey_Rating{
			{Subject: "overall", Issues: []string{"CallCannotJoin", "HadToRejoin"}},
			{Subject: "screen", Score: 7, LowerBound: 0, UpperBound: 10},
		},
	}
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestRecordingLengthAsText(t *testing.T) {
	got := one(t, envelope("CallRecordingSummary", `"RecordingID":"r","recordingLength":"73872.94"`))[0].GetRecording()
	if got.DurationMs != 73_872_940 {
		t.Errorf("%d ms, want 73872940", got.DurationMs)
	}
}

func TestChatActs(t *testing.T) {
	for _, test := range []struct {
		operation, status, want string
		act                     eventpb.Chat_Act
	}{
		{"SendChatMessage", "201", "SendChatMessage", eventpb.Chat_ACT_SENT},
		{"sendChatMessage", "", "SendChatMessage", eventpb.Chat_ACT_SENT},
		{"SendChatMessage", "403", "SendChatMessage", eventpb.Chat_ACT_OTHER},
		{"UpdateChatMessage", "204", "UpdateChatMessage", eventpb.Chat_ACT_EDITED},
		{"DeleteChatMessage", "204", "DeleteChatMessage", eventpb.Chat_ACT_DELETED},
		{"SendTypingNotification", "200", "SendTypingNotification", eventpb.Chat_ACT_OTHER},
		{"SomethingNew", "200", "", eventpb.Chat_ACT_OTHER},
	} {
		got := one(t, envelope("ChatOperational", fmt.Sprintf(`"operationName":%q,"resultSignature":%q,"ChatThreadId":"t"`,
			test.operation, test.status)))[0].GetChat()
		if got.Act != test.act || got.Operation != test.want {
			t.Errorf("%s, status %s: %v", test.operation, test.status, got)
		}
	}
}
