package acs_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom/anteroom/ingest/acs"
	"github.com/anteroom/anteroom/ingest/decode"
)

func summaryWith(from, to string) string {
	return strings.Replace(envelope("CallSummary", summaryProperties), from, to, 1)
}

// A file with anything wrong gives one error with line and field, and nothing else.
func TestBadFiles(t *testing.T) {
	good := envelope("CallSummary", summaryProperties)
	diagnostics := func(more string) string { return envelope("CallDiagnostics", streamProperties+more) }
	for _, test := range []struct {
		name, text string
		want       decode.Error
	}{
		{"empty", " \n", decode.Error{Reason: "the content is empty"}},
		{"only a byte order mark", "\xef\xbb\xbf", decode.Error{Reason: "the content is empty"}},
		{"UTF-16", "\xff\xfe{\x00}\x00", decode.Error{Line: 1, Reason: "this is not JSON text in UTF-8"}},
		{"no records", `{"records":[]}`, decode.Error{Reason: "there is no record in the file"}},
		{"cut off", good + "\n" + good[:len(good)-9], decode.Error{Line: 2, Reason: "the JSON text ends in the middle of a value; was it cut off?"}},
		{"a line cut off", good + "\n" + good[:40] + "\n" + good, decode.Error{Line: 2, Reason: "the JSON text is broken or nested too deeply here"}},
		{"a line cut off after a value", good + "\n" + strings.TrimRight(good, "}") + "\n" + good, decode.Error{Line: 2, Reason: "the JSON text is broken or nested too deeply here"}},
		{"text", good + "\nhello alice\n", decode.Error{Line: 2, Reason: "the JSON text is broken or nested too deeply here"}},
		{"nested without end", strings.Repeat("[", 20_000), decode.Error{Line: 1, Reason: "the JSON text is broken or nested too deeply here"}},
		{"records is no array", "\n" + `{"records":{"a":1}}`, decode.Error{Line: 2, Field: "records", Reason: "must be an array of records"}},
		{"record is a number", `{"records":[` + good + ",\n7]}", decode.Error{Line: 2, Field: "records[1]", Reason: "a record must be a JSON object"}},
		{"array in an array", `[[` + good + `]]`, decode.Error{Line: 1, Field: "[0]", Reason: "a record must be a JSON object"}},
		{"rtcstats", `["connectionInfo",null,{"userAgent":"Alice"},1772359200000]` + "\n", decode.Error{Line: 1, Field: "[0]", Reason: "this looks like a line of an rtcstats dump (an array that begins with a text); import it as rtcstats"}},
		{"rtcstats further down", good + "\n" + `["create","PC_0",{},1772359200000]`, decode.Error{Line: 2, Field: "[0]", Reason: "this looks like a line of an rtcstats dump (an array that begins with a text); import it as rtcstats"}},
		{"a text among records", `[` + good + `,"Alice"]`, decode.Error{Line: 1, Field: "[1]", Reason: "a record must be a JSON object"}},
		{"nested deeply", summaryWith(`"callDuration":87`, `"x":`+strings.Repeat("[", 40)+strings.Repeat("]", 40)), decode.Error{Line: 1, Field: "properties", Reason: "is nested too deeply"}},
		{"foreign", `{"publicIP":["a"],"PeerConnections":{}}`, decode.Error{Line: 1, Field: "category", Reason: "is missing; is this a diagnostic record of Azure?"}},
		{"same field twice", summaryWith(`"callDuration":87`, `"callDuration":87,"CallDuration":88`), decode.Error{Line: 1, Field: "properties", Reason: "has the same field twice, in different case and with different values"}},
		{"no call", summaryWith(`"correlationId":"call-1",`, ``), decode.Error{Line: 1, Field: "correlationId", Reason: "is missing: the record names no call"}},
		{"call is null", summaryWith(`"call-1"`, `"null"`), decode.Error{Line: 1, Field: "correlationId", Reason: "is missing: the record names no call"}},
		{"call is text", summaryWith(`"call-1"`, `"Alice's call"`), decode.Error{Line: 1, Field: "correlationId", Reason: "must be made of letters, digits and '-_.:'"}},
		{"call too long", summaryWith(`"call-1"`, `"`+strings.Repeat("a", 129)+`"`), decode.Error{Line: 1, Field: "correlationId", Reason: "must have at most 128 bytes"}},
		{"no time", summaryWith(`"time":"2026-03-04T10:42:11.5Z",`, ``), decode.Error{Line: 1, Field: "time", Reason: "is missing"}},
		{"time is text", summaryWith(`2026-03-04T10:42:11.5Z`, `yesterday`), decode.Error{Line: 1, Field: "time", Reason: "must be a time such as 2026-03-04T10:00:00Z"}},
		{"time too early", summaryWith(`2026-03-04T10:42`, `1999-03-04T10:42`), decode.Error{Line: 1, Field: "time", Reason: "must lie in the years 2000 to 2099"}},
		{"time too late", good + "\n" + summaryWith(`"callStartTime":"2026`, `"callStartTime":"2126`), decode.Error{Line: 2, Field: "properties.callStartTime", Reason: "must lie in the years 2000 to 2099"}},
		{"time is an object", summaryWith(`"2026-03-04T10:42:11.5Z"`, `{"a":1}`), decode.Error{Line: 1, Field: "time", Reason: "must be text or a number"}},
		{"negative duration", `{"records":[` + summaryWith(`:87`, `:-87`) + `]}`, decode.Error{Line: 1, Field: "records[0].properties.callDuration", Reason: "must not be negative"}},
		{"negative duration as text", summaryWith(`:82`, `:"-82"`), decode.Error{Line: 1, Field: "properties.participantDuration", Reason: "must not be negative"}},
		{"huge duration", summaryWith(`:87`, `:87e300`), decode.Error{Line: 1, Field: "properties.callDuration", Reason: "is too large"}},
		{"number beyond all", diagnostics(`,"jitterAvg":1e999`), decode.Error{Line: 1, Field: "properties.jitterAvg", Reason: "is too large"}},
		{"number is text", diagnostics(`,"jitterAvg":"Alice"`), decode.Error{Line: 1, Field: "properties.jitterAvg", Reason: "must be a number"}},
		{"hexadecimal", diagnostics(`,"jitterAvg":"0x10"`), decode.Error{Line: 1, Field: "properties.jitterAvg", Reason: "must be a number"}},
		{"infinite", diagnostics(`,"jitterAvg":"Infinity"`), decode.Error{Line: 1, Field: "properties.jitterAvg", Reason: "must be a number"}},
		{"loss over 1", diagnostics(`,"packetLossRateAvg":"12"`), decode.Error{Line: 1, Field: "properties.packetLossRateAvg", Reason: "is too large"}},
		{"freeze in another unit", diagnostics(`,"RecvFreezeDurationPerMinuteInMs":310500`), decode.Error{Line: 1, Field: "properties.RecvFreezeDurationPerMinuteInMs", Reason: "is too large"}},
		{"half a packet", diagnostics(`,"PacketUtilization":"0.5"`), decode.Error{Line: 1, Field: "properties.PacketUtilization", Reason: "must be a whole number"}},
		{"no medium", strings.Replace(diagnostics(""), `"mediaType":"Audio",`, ``, 1), decode.Error{Line: 1, Field: "properties.mediaType", Reason: "is missing"}},
		{"version is text", summaryWith(`:87`, `:87,"CallUpdatesVersion":"new"`), decode.Error{Line: 1, Field: "properties.CallUpdatesVersion", Reason: "must be a number"}},
		{"payload is broken", envelope("CallClientOperations", `"CallId":"call-1","OperationName":"Join","OperationPayload":"{\"a\":"`), decode.Error{Line: 1, Field: "properties", Reason: "holds text that is not a JSON object"}},
		{"diagnostic without a value", envelope("CallClientOperations", `"CallId":"call-1","OperationName":"UserFacingDiagnostics","OperationPayload":{"DiagnosticChanged":"noNetwork","DiagnosticQuality":"Alice"}`), decode.Error{Line: 1, Field: "properties.OperationPayload.DiagnosticQuality", Reason: "must be Good, Poor, Bad, True or False"}},
		{"score out of bounds", envelope("CallSurvey", `"CallId":"call-1","AudioRatingScore":6`), decode.Error{Line: 1, Field: "properties.AudioRatingScore", Reason: "must lie within its bounds"}},
		{"scale upside down", envelope("CallSurvey", `"CallId":"call-1","VideoRatingScore":3,"VideoRatingScoreLowerBound":5,"VideoRatingScoreUpperBound":1`), decode.Error{Line: 1, Field: "properties.VideoRatingScoreUpperBound", Reason: "must be above 0 and not below the lower bound"}},
		{"nothing of use", envelope("AuthOperational", ``) + envelope("CallingMetrics", ``), decode.Error{Reason: "none of the 2 records can be used (left out: category 2)"}},
		{"second line wrong", good + "\n\n" + summaryWith(`:87`, `:[1]`), decode.Error{Line: 3, Field: "properties.callDuration", Reason: "must be text or a number"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			result, err := acs.DecodeFile([]byte(test.text), options(t))
			if result != nil {
				t.Error("part of the file came back")
			}
			var got *decode.Error
			if !errors.As(err, &got) {
				t.Fatalf("got %v, want a *decode.Error", err)
			}
			if diff := cmp.Diff(test.want, *got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if strings.Contains(err.Error(), "Alice") {
				t.Errorf("the error quotes the file: %v", err)
			}
		})
	}
}

// In a message the good records are kept and each bad one is named; only what can't be read at all is an error.
func TestBadRecords(t *testing.T) {
	good := envelope("CallSummary", summaryProperties)
	value := `[{"records":[` + summaryWith(`:87`, `:-87`) + `,` + good + `,7]},{"records":[` + summaryWith(`"call-1"`, `null`) + `,` +
		envelope("CallDiagnostics", streamProperties) + `]}]`
	events, bad, err := acs.DecodeMessage([]byte(value), options(t))
	if err != nil {
		t.Fatal(err)
	}
	if len(events) != 5 {
		t.Errorf("%d events, want 4 of the summary and 1 of the stream", len(events))
	}
	want := []acs.RecordError{
		{Index: 0, Field: "[0].records[0].properties.callDuration", Reason: "must not be negative"},
		{Index: 2, Field: "[0].records[2]", Reason: "a record must be a JSON object"},
		{Index: 3, Field: "[1].records[0].correlationId", Reason: "is missing: the record names no call"},
	}
	if diff := cmp.Diff(want, bad); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, broken := range []string{"", "{", good[:50], `{"records":7}`, "PK\x03\x04"} {
		if events, bad, err := acs.DecodeMessage([]byte(broken), options(t)); err == nil || events != nil || bad != nil {
			t.Errorf("%q: %d events, %v, %v; want an error alone", broken, len(events), bad, err)
		}
	}
	if events, bad, err := acs.DecodeMessage([]byte(envelope("AuthOperational", "")), options(t)); err != nil || events != nil || bad != nil {
		t.Errorf("a category that isn't stored: %v, %v, %v", events, bad, err)
	}
}

func TestTooManyRecords(t *testing.T) {
	value := `{"records":[` + strings.Repeat("{},", acs.MaxRecords) + `{}]}`
	if _, _, err := acs.DecodeMessage([]byte(value), options(t)); err == nil || !strings.Contains(err.Error(), "more than 100000 records") {
		t.Errorf("got %v", err)
	}
}

func TestTooLargeRecord(t *testing.T) {
	record := summaryWith(`:87`, `:87,"callDebuggingInfo":"`+strings.Repeat("a", acs.MaxRecordBytes)+`"`)
	events, bad, err := acs.DecodeMessage([]byte(`{"records":[`+record+`,`+envelope("CallSummary", summaryProperties)+`]}`), options(t))
	if err != nil || len(bad) != 1 || len(events) != 4 {
		t.Errorf("%d events, %v, %v; want 4 and one bad record", len(events), bad, err)
	}
}

// What is left out is counted by its reason.
func TestSkipped(t *testing.T) {
	series := func(metric, direction string) string {
		return envelope("CallClientMediaStatsTimeSeries", `"CallId":"call-1","ParticipantId":"leg-1","MetricName":"`+metric+`",`+
			`"Average":1,"MediaStreamType":"video","MediaStreamDirection":"`+direction+`"`)
	}
	operation := func(call, name string) string {
		return envelope("CallClientOperations", `"CallId":"`+call+`","OperationName":"`+name+`"`)
	}
	for _, test := range []struct {
		record string
		want   acs.Skip
	}{
		{envelope("AuthOperational", ""), acs.SkipCategory},
		{envelope("CallClosedCaptionsSummary", ""), acs.SkipCategory},
		{envelope("SomethingNew", ""), acs.SkipCategory},
		{operation("", "CallAgentInit"), acs.SkipNoCall},
		{envelope("CallSurvey", `"OverallRatingScore":3`), acs.SkipNoCall},
		{operation("call-1", "CallMode-changed"), acs.SkipOperation},
		{operation("call-1", "IdChanged"), acs.SkipOperation},
		{operation("call-1", "role-changed"), acs.SkipOperation},
		{operation("call-1", "Alice says hello"), acs.SkipOperation},
		{series("FramesSent", "send"), acs.SkipMetric},
		{series("PairRttInMs", "send"), acs.SkipMetric},
		{strings.Replace(series("Bitrate", "send"), `"Average":1`, `"Average":"NaN"`, 1), acs.SkipMetric},
		{series("Bitrate", "sideways"), acs.SkipUnsupported},
		{envelope("CallDiagnostics", strings.Replace(streamProperties, "Audio", "Data", 1)), acs.SkipUnsupported},
		{envelope("CallDiagnostics", strings.Replace(streamProperties, "leg-1", "Redacted", 1)), acs.SkipNoParticipant},
		{envelope("CallDiagnosticsUpdates", `"participantId":"leg-1","CallUpdatesVersion":0`), acs.SkipIncomplete},
		{envelope("ChatOperational", `"UserId":"u"`), acs.SkipNoThread},
	} {
		message, err := acs.ReadMessage([]byte(test.record), options(t))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(map[acs.Skip]int{test.want: 1}, message.Skipped); diff != "" || len(message.Events)+len(message.Bad) > 0 {
			t.Errorf("%s\n%v (-want +got):\n%s", test.record, message.Bad, diff)
		}
	}
}
