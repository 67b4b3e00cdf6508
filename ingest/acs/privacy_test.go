package acs_test

import (
	"bytes"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/anteroom/anteroom/ingest/acs"
)

// secrets are what the worked sample tells about people, devices and places.
var secrets = []string{
	"0e1d2c3b-0000-4a4a-8b8b-0123456789ab_0000001f-aaaa-bbbb-cccc-343a0d001122", "a3b4c5d6-0000-4000-8000-000000000001",
	"d08a3d05-0000-4000-8000-000000000009", "203.0.113.9", "room-17", "clinic-web", "0a0a0a0a-0000-4000-8000-000000000777",
	sampleThread, "TmV2ZXJSZWFs", sampleParticipant, "9b9b9b9b-0000-4000-8000-00000000c0de", "8:acs:0e1d2c3b_0000001f",
	"1772618712345", "https://acs-clinic.communication.azure.com", "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee", "cmVjLTE",
	"11111111-2222-3333-4444-555555555555", "RG-CLINIC", "14884", "Windows 10", "1.32.1.0_stable",
}

// Nothing of what a record tells about people is in the events, in their binary form or spelt out.
func TestPrivacy(t *testing.T) {
	// The sample's message id is the very time at which it was sent, which an event may tell.
	data := bytes.ReplaceAll(sample(t), []byte(`"1772618700000"`), []byte(`"1772618712345"`))
	f, err := acs.DecodeFile(data, options(t))
	if err != nil {
		t.Fatal(err)
	}
	var all []byte
	for _, e := range f.Events {
		binary, err := proto.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		text, err := protojson.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		all = append(append(all, binary...), text...)
	}
	// The search finds what is there: the call's id in both.
	if !bytes.Contains(data, []byte(sampleCall)) || !bytes.Contains(all, []byte(sampleCall)) {
		t.Fatal("the search doesn't find what must be there")
	}
	for _, secret := range secrets {
		if !bytes.Contains(data, []byte(secret)) {
			t.Errorf("%q isn't in the sample, so that its absence from the events would prove nothing", secret)
		}
		if bytes.Contains(bytes.ToLower(all), bytes.ToLower([]byte(secret))) {
			t.Errorf("%q is in the events", secret)
		}
	}
}

// A canary in every field that is text, of every category: it may come out only where a closed vocabulary can't hold it anyway.
func TestCanary(t *testing.T) {
	const canary = "Canary McBird"
	fields := []string{
		"identifier", "endpointId", "participantId", "participantType", "participantTenantId", "callType", "teamsThreadId", "sdkVersion",
		"osVersion", "endpointType", "pstnParticipantCallType", "DiagnosticOptions", "callDebuggingInfo", "participantEndReason",
		"ParticipantEndSubCode", "ResultCategory", "TPE", "transportType", "CodecName", "OperationType", "OperationId", "ResultType",
		"ResultSignature", "UserAgent", "ClientInstanceId", "RemoteParticipantId", "RemoteEndpointId", "MediaStreamCodec",
		"MediaStreamId", "SurveyId", "OverallCallIssues", "AudioIssues", "VideoIssues", "ScreenshareIssues", "RecordingId",
		"channelType", "contentType", "formatType", "recordingEndReason", "URI", "UserId", "ChatThreadId", "ChatMessageId",
		"SdkType", "PlatformType", "callerIpAddress", "resultDescription", "streamId",
	}
	required := map[string]string{
		"CallSummary":          ``,
		"CallDiagnostics":      `,"mediaType":"Video"`,
		"CallClientOperations": `,"CallId":"call-1","OperationName":"StateChanged","OperationPayload":{"NewState":"` + canary + `","FailureReason":"` + canary + `","CallType":"` + canary + `","Source":"` + canary + `","RemoteParticipantId":"` + canary + `"}`,
		"CallClientMediaStatsTimeSeries": `,"CallId":"call-1","MetricName":"Bitrate","Average":1,"MediaStreamType":"audio",` +
			`"MediaStreamDirection":"send"`,
		"CallSurvey":           `,"CallId":"call-1"`,
		"CallRecordingSummary": ``,
		"ChatOperational":      ``,
	}
	for category, more := range required {
		t.Run(category, func(t *testing.T) {
			var properties []string
			for _, field := range fields {
				properties = append(properties, `"`+field+`":"`+canary+`"`)
			}
			record := envelope(category, strings.Join(properties, ",")+more)
			if !strings.Contains(record, canary) {
				t.Fatal("the canary isn't in the record")
			}
			for _, e := range one(t, record) {
				text, err := protojson.Marshal(e)
				if err != nil {
					t.Fatal(err)
				}
				binary, err := proto.Marshal(e)
				if err != nil {
					t.Fatal(err)
				}
				if bytes.Contains(text, []byte("McBird")) || bytes.Contains(binary, []byte("McBird")) {
					t.Errorf("the canary came through: %s", text)
				}
			}
		})
	}
}
