package acs_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/ingest/acs"
	"github.com/anteroom/anteroom/ingest/label"
)

// envelope is a record of a category with the properties.
func envelope(category, properties string) string {
	return fmt.Sprintf(`{"time":"2026-03-04T10:42:11.5Z","category":%q,"operationName":%q,"correlationId":"call-1","properties":{%s}}`,
		category, category, properties)
}

// one decodes a record that must make events.
func one(t *testing.T, record string) []*eventpb.Event {
	t.Helper()
	f, err := acs.ReadFile([]byte(record), options(t))
	if err != nil {
		t.Fatalf("%v\n%s", err, record)
	}
	return f.Events
}

const summaryProperties = `"callStartTime":"2026-03-04T10:00:00Z","callDuration":87,"participantId":"leg-1",` +
	`"participantStartTime":"2026-03-04T10:00:00Z","participantDuration":82`

const streamProperties = `"participantId":"leg-1","endpointType":"VoIP","mediaType":"Audio","streamId":"1"`

// Every trap of Microsoft's samples that is about a value: the same events, ids included, as for the plain spelling.
func TestSpellings(t *testing.T) {
	for _, test := range []struct{ name, plain, trap string }{
		{
			"numbers as strings",
			envelope("CallSummary", summaryProperties),
			strings.NewReplacer(`:87`, `:"87"`, `:82`, `:"82"`).Replace(envelope("CallSummary", summaryProperties)),
		},
		{
			"exponent in a string",
			envelope("CallDiagnostics", streamProperties+`,"packetLossRateAvg":3.146336E-05`),
			envelope("CallDiagnostics", streamProperties+`,"packetLossRateAvg":"3.146336E-05"`),
		},
		{
			"the word null",
			envelope("CallSummary", summaryProperties+`,"identifier":null`),
			envelope("CallSummary", summaryProperties+`,"identifier":"null","osVersion":"Null","sdkVersion":""`),
		},
		{
			"field names in any case",
			envelope("CallSummary", summaryProperties+`,"participantEndReason":"0","participantEndSubCode":"5","resultCategory":"Success"`),
			strings.NewReplacer("participantId", "ParticipantID", "callDuration", "CALLDURATION", "correlationId", "CorrelationID",
				"time\"", "Time\"", "properties", "Properties").Replace(
				envelope("CallSummary", summaryProperties+`,"participantEndReason":"0","ParticipantEndSubCode":"5","ResultCategory":"Success"`)),
		},
		{
			"blanks around ids",
			envelope("CallSummary", summaryProperties),
			strings.NewReplacer(`"leg-1"`, `"  leg-1"`, `"call-1"`, `" call-1 "`).Replace(envelope("CallSummary", summaryProperties)),
		},
		{
			"payload as text or object",
			envelope("CallClientOperations", `"OperationName":"UserFacingDiagnostics","CallId":"call-1","OperationId":"7",`+
				`"OperationPayload":{"DiagnosticChanged":"cameraFreeze","DiagnosticQuality":"Bad"}`),
			envelope("CallClientOperations", `"OperationName":"UserFacingDiagnostics","CallId":"call-1","OperationId":"7",`+
				`"OperationPayload":"{\"diagnosticChanged\":\"cameraFreeze\",\"diagnosticQuality\":\"Bad\"}"`),
		},
		{
			"decorations of a reader",
			envelope("CallSummary", summaryProperties),
			`[{"records":[` + envelope("CallSummary", summaryProperties) + `],"EventProcessedUtcTime":"2026-03-04T11:00:00Z",` +
				`"PartitionId":1,"EventEnqueuedUtcTime":"2026-03-04T11:00:00Z"}]`,
		},
		{
			"decorations on the record",
			envelope("CallSummary", summaryProperties),
			strings.Replace(envelope("CallSummary", summaryProperties), `{`, `{"PartitionId":1,"_BilledSize":12.5,`, 1),
		},
		{
			"properties as text",
			envelope("CallDiagnostics", streamProperties),
			strings.Replace(envelope("CallDiagnostics", streamProperties), "{"+streamProperties+"}",
				`"{`+strings.ReplaceAll(streamProperties, `"`, `\"`)+`}"`, 1),
		},
		{
			"a client's record exported again",
			envelope("CallClientOperations", `"CallClientTimeStamp":"2026-03-04T10:00:00Z","OperationName":"Join","CallId":"call-1"`),
			strings.Replace(envelope("CallClientOperations", `"CallClientTimeStamp":"2026-03-04T10:00:00Z","OperationName":"Join","CallId":"call-1"`),
				"10:42:11.5Z", "10:52:11.5Z", 1),
		},
		{
			"byte order mark and indentation",
			envelope("CallSummary", summaryProperties),
			"\xef\xbb\xbf\r\n" + strings.ReplaceAll(envelope("CallSummary", summaryProperties), ",", ",\r\n\t"),
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(one(t, test.plain), one(t, test.trap), protocmp.Transform()); diff != "" {
				t.Errorf("(-plain +trap):\n%s", diff)
			}
		})
	}
}

// Spellings that leave a trace in the record's canonical form, so that only the payload must agree.
func TestWords(t *testing.T) {
	series := func(direction string) string {
		return envelope("CallClientMediaStatsTimeSeries", `"CallId":"call-1","ParticipantId":"leg-1","MetricName":"JitterInMs",`+
			`"Average":3,"MediaStreamType":"audio","MediaStreamDirection":"`+direction+`"`)
	}
	endpoint := func(kind string) string {
		return envelope("CallSummary", summaryProperties+`,"endpointType":"`+kind+`"`)
	}
	operation := func(name string) string {
		return envelope("CallClientOperations", `"CallId":"call-1","OperationName":"`+name+`"`)
	}
	at := func(text string) string {
		return strings.Replace(envelope("CallSummary", summaryProperties), "2026-03-04T10:42:11.5Z", text, 1)
	}
	guid := "ABCDEF01-6a0e-4f0b-9a57-0f1f6c7f2a10"
	for _, test := range []struct {
		name  string
		equal []string
	}{
		{"endpoint", []string{endpoint("VoIP"), endpoint("VOIP"), endpoint("voip")}},
		{"received", []string{series("recv"), series("receive"), series("incoming"), series("Inbound")}},
		{"sent", []string{series("send"), series("outgoing"), series("Outbound")}},
		{"hyphens", []string{operation("IsMutedChanged"), operation("IsMuted-changed"), operation("isMuted-changed")}},
		{"redacted", []string{
			envelope("CallSummary", summaryProperties),
			envelope("CallSummary", summaryProperties+`,"sdkVersion":"Redacted","osVersion":"Redacted","endpointId":"redacted"`),
		}},
		{"fraction of a second", []string{
			at("2026-03-04T10:42:11.5Z"), at("2026-03-04T10:42:11.50Z"), at("2026-03-04T10:42:11.5000000Z"),
			at("2026-03-04T10:42:11.5"), at("2026-03-04 10:42:11.5"), at("2026-03-04T11:42:11.5+01:00"),
		}},
		{"whole seconds", []string{at("2026-03-04T10:42:11Z"), at("2026-03-04T10:42:11"), at("2026-03-04T10:42:11.0Z")}},
		{"GUIDs in capitals", []string{
			strings.ReplaceAll(envelope("CallSummary", summaryProperties), "leg-1", guid),
			strings.ReplaceAll(envelope("CallSummary", summaryProperties), "leg-1", strings.ToLower(guid)),
		}},
		{"category of a summary", []string{envelope("CallSummary", summaryProperties), envelope("callsummary", summaryProperties)}},
		{"category of a recording", []string{
			envelope("CallRecordingSummary", `"RecordingId":"r"`), envelope("RecordingSummary", `"recordingID":"r"`),
			strings.Replace(envelope("RecordingSummary", `"RecordingId":"r"`), `"operationName":"RecordingSummary"`,
				`"operationName":"Call Recording Summary"`, 1),
			strings.Replace(envelope("Call Recording Summary", `"RecordingId":"r"`), `"category":"Call Recording Summary",`, ``, 1),
		}},
		{"operation of a survey", []string{
			envelope("CallSurvey", `"CallId":"call-1","OverallRatingScore":3`),
			strings.Replace(envelope("CallSurvey", `"CallId":"call-1","OverallRatingScore":3`), `"operationName":"CallSurvey"`,
				`"operationName":"EndOfCallSurvey"`, 1),
			envelope("EndOfCallSurvey", `"CallId":"call-1","OverallRatingScore":"3"`),
		}},
		{"row of a table", []string{
			envelope("CallSummary", summaryProperties),
			`{"TimeGenerated":"2026-03-04T10:42:11.5Z","Type":"ACSCallSummary","TenantId":"w","CorrelationId":"call-1",` + summaryProperties + `}`,
		}},
		{"update under its own name and under the plain one", []string{
			envelope("CallSummaryUpdates", summaryProperties+`,"callupdatesversion":2`),
			envelope("CallSummary", summaryProperties+`,"CallUpdatesVersion":"2"`),
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			want := one(t, test.equal[0])
			for _, other := range test.equal[1:] {
				if diff := cmp.Diff(want, one(t, other), protocmp.Transform(),
					protocmp.IgnoreFields(&eventpb.Event{}, "id", "source")); diff != "" {
					t.Errorf("%s (-want +got):\n%s", other, diff)
				}
			}
		})
	}
}

// All that can surround records.
func TestEnvelopes(t *testing.T) {
	a, b := envelope("CallSummary", summaryProperties), envelope("CallDiagnostics", streamProperties)
	want := append(one(t, a), one(t, b)...)
	for _, test := range []struct{ name, text string }{
		{"message", `{"records":[` + a + `,` + b + `]}`},
		{"message, name in capitals", `{"Records":[` + a + `,` + b + `]}`},
		{"array of messages", `[{"records":[` + a + `]},{"records":[` + b + `]}]`},
		{"array of records", `[` + a + `,` + b + `]`},
		{"array of both", `[{"records":[` + a + `]},` + b + `]`},
		{"lines of records", a + "\n" + b + "\n"},
		{"lines of messages", `{"records":[` + a + `]}` + "\n" + `{"records":[` + b + `]}`},
		{"lines of arrays", "[" + a + "]\n[" + b + "]"},
		{"empty messages between", `{"records":[]}` + "\n" + a + "\n[]\n" + b},
		{"repeated", a + "\n" + b + "\n" + a},
	} {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(want, one(t, test.text), protocmp.Transform()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// The plain record ranks lowest, updates by their version, and what an early update doesn't know it doesn't say.
func TestRevisions(t *testing.T) {
	for _, test := range []struct {
		name, record string
		want         uint32
		events       int
	}{
		{"plain", envelope("CallSummary", summaryProperties), 0, 4},
		{"version 0", envelope("CallSummary", summaryProperties+`,"callupdatesversion":0`), 1, 4},
		{"version 3", envelope("CallSummaryUpdates", summaryProperties+`,"CallUpdatesVersion":"3"`), 4, 4},
		{"no version", envelope("CallSummaryUpdates", summaryProperties), 1, 4},
		{"row of a table", strings.Replace(envelope("x", summaryProperties), `"category":"x"`, `"Type":"ACSCallSummaryUpdates"`, 1), 1, 4},
		{"nulls", envelope("CallSummaryUpdates", `"callStartTime":null,"callDuration":"null","participantId":"leg-1","CallUpdatesVersion":0`), 1, 2},
		{"streams", envelope("CallDiagnostics", streamProperties+`,"CallUpdatesVersion":1`), 2, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			events := one(t, test.record)
			if len(events) != test.events || events[0].Revision != test.want {
				t.Errorf("%d events of revision %d, want %d of %d", len(events), events[0].Revision, test.events, test.want)
			}
		})
	}
}

// Who is who: legs, endpoints, redacted participants, servers and bots.
func TestParticipants(t *testing.T) {
	id := func(key string) string { return string(options(t).Pseudonyms.ID(label.Participant, "call-1", key)) }
	const start = `"participantStartTime":"2026-03-04T10:00:00Z",`
	for _, test := range []struct {
		name, properties, key, endpoint string
		kind                            eventpb.Identity_Kind
	}{
		{"leg", start + `"participantId":"leg","endpointId":"e","endpointType":"VoIP"`, "leg", "voip", eventpb.Identity_KIND_GUEST},
		{"Microsoft 365 user", `"participantId":"leg","participantType":"Teams","endpointType":"VoIP"`, "leg", "voip", eventpb.Identity_KIND_GUEST},
		{"P2P", `"callType":"P2P","endpointId":"e","identifier":"u","endpointType":"VoIP"`, "e", "voip", eventpb.Identity_KIND_GUEST},
		{"P2P without endpoint", `"callType":"P2P","endpointId":null,"identifier":"u"`, "u", "unknown", eventpb.Identity_KIND_GUEST},
		{"phone", `"participantId":"leg","identifier":null,"endpointType":"PSTN"`, "leg", "pstn", eventpb.Identity_KIND_GUEST},
		{"redacted", start + `"participantId":"Redacted","endpointId":"Redacted"`, "joined unknown 1772618400000000", "unknown", eventpb.Identity_KIND_GUEST},
		{"bot", `"participantId":"leg","endpointType":"BOT"`, "leg", "bot", eventpb.Identity_KIND_SERVICE},
		{"server", `"participantId":"leg","endpointType":"Server"`, "leg", "server", eventpb.Identity_KIND_SERVICE},
		{"recording bot", `"participantId":"leg","identifier":"28:b1902c3e-b9f7-4650-9b23-5772bd429747","endpointType":"VoIP"`, "leg", "bot", eventpb.Identity_KIND_SERVICE},
		{"row of the call", start + `"participantId":"call-1","endpointId":"e"`, "", "", 0},
		{"server without ids", start + `"endpointType":"Server"`, "", "", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			var joined *eventpb.ParticipantJoined
			for _, e := range one(t, envelope("CallSummary", test.properties)) {
				if p := e.GetParticipantJoined(); p != nil {
					joined = p
				}
			}
			if test.key == "" {
				if joined != nil {
					t.Errorf("got a participant: %v", joined)
				}
				return
			}
			if string(joined.GetParticipantId()) != id(test.key) || joined.GetEndpointType() != test.endpoint || joined.GetIdentity().GetKind() != test.kind {
				t.Errorf("got %v; want the pseudonym of %q, %s, %v", joined, test.key, test.endpoint, test.kind)
			}
			if joined.GetIdentity().GetUserId() != "" || joined.GetIdentity().GetDisplayName() != "" {
				t.Error("a user id or a name came through")
			}
		})
	}
}

// A stream's direction, given and inferred, and the stream that time series and diagnostics share.
func TestStreams(t *testing.T) {
	in, out := eventpb.Direction_DIRECTION_INBOUND, eventpb.Direction_DIRECTION_OUTBOUND
	for _, test := range []struct {
		name, properties string
		want             eventpb.Direction
		by               string
	}{
		{"endpoint", streamProperties, out, ""},
		{"endpoint, told", streamProperties + `,"StreamDirection":"Inbound"`, in, ""},
		{"server", strings.Replace(streamProperties, "VoIP", "Server", 1), in, "server"},
		{"server, told", strings.Replace(streamProperties, "VoIP", "Server", 1) + `,"StreamDirection":"outbound"`, out, "server"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := one(t, envelope("CallDiagnostics", test.properties))[0].GetStreamEnded()
			if s.Direction != test.want || s.ObservedBy != test.by {
				t.Errorf("got %v observed by %q", s.Direction, s.ObservedBy)
			}
		})
	}
	series := one(t, envelope("CallClientMediaStatsTimeSeries", `"CallId":"call-1","ParticipantId":"leg-1","MetricName":"Bitrate",`+
		`"Average":3,"MediaStreamType":"audio","MediaStreamDirection":"send","MediaStreamId":1`))[0].GetStreamReport().Streams[0]
	ended := one(t, envelope("CallDiagnostics", streamProperties))[0].GetStreamEnded()
	if string(series.StreamId) != string(ended.StreamId) {
		t.Error("the same stream has two pseudonyms")
	}
}
