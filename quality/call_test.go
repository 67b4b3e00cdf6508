package quality

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestWorkedSample is the published sample of a call: a sent audio stream with
// jitter 34 ms, a received video stream, one bad networkSendQuality, one survey.
func TestWorkedSample(t *testing.T) {
	audio := Judge(Default(), Measures{
		Media: Audio, Direction: Outbound, Packets: Of(78012), RTTMs: Of(212), JitterMs: Of(34), LossRatio: Of(0.021),
	})
	wantAudio := Assessment{Profile: CallDiagnostics, Verdict: Poor, Reasons: []Reason{{
		Metric: MetricJitter, Value: 34, Comparison: Above, Threshold: 30, Unit: "ms",
		Source: sourceCallDiagnostics, Media: Audio, Direction: Outbound,
	}}}
	if diff := cmp.Diff(wantAudio, audio); diff != "" {
		t.Errorf("audio outbound (-want +got):\n%s", diff)
	}
	video := Judge(Default(), goodVideo())
	if diff := cmp.Diff(Assessment{Profile: CallDiagnostics, Verdict: Good}, video); diff != "" {
		t.Errorf("video inbound (-want +got):\n%s", diff)
	}
	call := JudgeCall(CallInput{
		Streams: []Assessment{audio, video},
		Diagnostics: []Diagnostic{
			{Name: "networkSendQuality", Value: "Bad", OperationID: "9b9b9b9b-0000-4000-8000-00000000c0de"},
		},
	})
	wantCall := CallAssessment{
		Verdict: Poor, GoodStreams: 1, PoorStreams: 1, NetworkDiagnostics: []string{"networkSendQuality"},
		NetworkReasons: []DiagnosticReason{{Name: "networkSendQuality", Value: "Bad", Source: sourceNetworkDiagnostic}},
		Issues: Issues{
			Total: 2, BadOperations: 1, PoorStreams: 1,
			ByOperation: []NamedCount{{Name: "networkSendQuality", Count: 1}},
		},
	}
	if diff := cmp.Diff(wantCall, call); diff != "" {
		t.Errorf("call (-want +got):\n%s", diff)
	}
	rating, mean := RateSurveys([]SurveyScore{{Score: Of(3), UpperBound: Of(5)}})
	if rating != RatingAverage || mean != Of(3) {
		t.Errorf("rating %s (%v), want average (3)", rating, mean)
	}
}

func TestJudgeCall(t *testing.T) {
	good, poor, unknown := Assessment{Verdict: Good}, Assessment{Verdict: Poor}, Assessment{Verdict: Unknown}
	one := func(name string) Issues {
		return Issues{Total: 1, BadOperations: 1, ByOperation: []NamedCount{{Name: name, Count: 1}}}
	}
	network := func(name, value string) []DiagnosticReason {
		return []DiagnosticReason{{Name: name, Value: value, Source: sourceNetworkDiagnostic}}
	}
	for name, c := range map[string]struct {
		in   CallInput
		want CallAssessment
	}{
		"nothing":      {CallInput{}, CallAssessment{Verdict: Unknown}},
		"only unknown": {CallInput{Streams: []Assessment{unknown, {}}}, CallAssessment{Verdict: Unknown, UnknownStreams: 2}},
		"good and unknown": {
			CallInput{Streams: []Assessment{good, unknown}}, CallAssessment{Verdict: Good, GoodStreams: 1, UnknownStreams: 1},
		},
		"one poor": {
			CallInput{Streams: []Assessment{good, poor, unknown}},
			CallAssessment{Verdict: Poor, GoodStreams: 1, PoorStreams: 1, UnknownStreams: 1, Issues: Issues{Total: 1, PoorStreams: 1}},
		},
		"bad network, no streams": {
			CallInput{Diagnostics: []Diagnostic{{Name: "NoNetwork", Value: "True"}}},
			CallAssessment{Verdict: Poor, NetworkDiagnostics: []string{"noNetwork"}, NetworkReasons: network("noNetwork", "True"), Issues: one("noNetwork")},
		},
		"bad microphone doesn't make the call poor": {
			CallInput{Streams: []Assessment{good}, Diagnostics: []Diagnostic{{Name: "microphoneNotFunctioning", Value: "True"}}},
			CallAssessment{Verdict: Good, GoodStreams: 1, Issues: one("microphoneNotFunctioning")},
		},
		"good network says nothing": {
			CallInput{Diagnostics: []Diagnostic{{Name: "networkReceiveQuality", Value: "Good"}}}, CallAssessment{Verdict: Unknown},
		},
		"one operation id is one issue, one without counts each": {
			CallInput{Diagnostics: []Diagnostic{
				{Name: "networkReceiveQuality", Value: "Poor", OperationID: "a"},
				{Name: "NETWORKRECEIVEQUALITY", Value: "Bad", OperationID: "a"},
				{Name: "networkReceiveQuality", Value: "Good", OperationID: "a"},
				{Name: "networkReceiveQuality", Value: "bad", OperationID: "b"},
				{Name: "cameraFreeze", Value: "true"},
				{Name: "cameraFreeze", Value: "true"},
			}},
			CallAssessment{Verdict: Poor, NetworkDiagnostics: []string{"networkReceiveQuality"}, NetworkReasons: network("networkReceiveQuality", "Bad"), Issues: Issues{
				Total: 4, BadOperations: 4,
				ByOperation: []NamedCount{{Name: "cameraFreeze", Count: 2}, {Name: "networkReceiveQuality", Count: 2}},
			}},
		},
		"never issues": {
			CallInput{Streams: []Assessment{good}, Diagnostics: []Diagnostic{
				{Name: "speakingWhileMicrophoneIsMuted", Value: "True"}, {Name: "SpeakerMuted", Value: "Bad"},
			}},
			CallAssessment{Verdict: Good, GoodStreams: 1},
		},
		"names and values outside the tables": {
			CallInput{Diagnostics: []Diagnostic{{Name: "networkMood", Value: "Bad"}, {Name: "noNetwork", Value: "maybe"}, {Name: "noNetwork"}}},
			CallAssessment{Verdict: Unknown, UnreadDiagnostics: 3},
		},
		"operations and unexpected ends": {
			CallInput{
				Streams: []Assessment{poor}, UnexpectedEnds: 2,
				BadOperations: map[string]int{"StartVideo": 3, "Join": 1, "Hold": 0, "Mute": -4, "UserFacingDiagnostics": 7, "IdChanged": 1},
			},
			CallAssessment{Verdict: Poor, PoorStreams: 1, Issues: Issues{
				Total: 7, BadOperations: 4, UnexpectedEnds: 2, PoorStreams: 1,
				ByOperation: []NamedCount{{Name: "Join", Count: 1}, {Name: "StartVideo", Count: 3}},
			}},
		},
		"negative ends": {CallInput{UnexpectedEnds: -3}, CallAssessment{Verdict: Unknown}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, JudgeCall(c.in)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestDiagnosticTable(t *testing.T) {
	lanes := map[Lane]int{}
	for _, d := range DiagnosticTable() {
		lanes[d.Lane]++
		for _, spelling := range []string{d.Name, strings.ToUpper(d.Name), strings.ToLower(d.Name), " " + d.Name} {
			got, ok := LookupDiagnostic(spelling)
			if !ok || got != d {
				t.Errorf("LookupDiagnostic(%q) = %+v, %v", spelling, got, ok)
			}
		}
		if never := d.Name == "speakingWhileMicrophoneIsMuted" || d.Name == "speakerMuted"; never != d.NeverIssue {
			t.Errorf("%s: never an issue is %v, want %v", d.Name, d.NeverIssue, never)
		}
		quality := d.Name == "networkReconnect" || d.Name == "networkReceiveQuality" || d.Name == "networkSendQuality"
		if quality != (d.Kind == KindQuality) {
			t.Errorf("%s: kind %s", d.Name, d.Kind)
		}
	}
	want := map[Lane]int{LaneNetwork: 5, LaneAudio: 11, LaneVideo: 5, LaneScreenSharing: 3}
	if diff := cmp.Diff(want, lanes); diff != "" {
		t.Errorf("diagnostics per lane (-want +got):\n%s", diff)
	}
	for _, name := range []string{"", "network", "noNetworks"} {
		if got, ok := LookupDiagnostic(name); ok {
			t.Errorf("LookupDiagnostic(%q) = %+v, want none", name, got)
		}
	}
}

func TestBadDiagnosticValue(t *testing.T) {
	for _, c := range []struct {
		value      string
		bad, known bool
	}{
		{"True", true, true},
		{"true", true, true},
		{"Poor", true, true},
		{"BAD", true, true},
		{" Bad ", true, true},
		{"False", false, true},
		{"Good", false, true},
		{"good", false, true},
		{"", false, false},
		{"null", false, false},
		{"1", false, false},
		{"Terrible", false, false},
	} {
		if bad, known := BadDiagnosticValue(c.value); bad != c.bad || known != c.known {
			t.Errorf("BadDiagnosticValue(%q) = %v, %v, want %v, %v", c.value, bad, known, c.bad, c.known)
		}
	}
}

func TestBadOperation(t *testing.T) {
	for _, c := range []struct {
		name, result string
		want         bool
	}{
		{"Join", "Succeeded", false},
		{"Join", "success", false},
		{"Join", "ExpectedError", false},
		{"Join", "ExpectedClientError", false},
		{"Join", "", false},
		{"Join", "null", false},
		{"Join", "UnexpectedClientError", true},
		{"StartVideo", "UnexpectedServerError", true},
		{"Hangup", "Failed", true},
		{"UserFacingDiagnostics", "Failed", false},
		{"RoleChanged", "Failed", false},
	} {
		if got := BadOperation(c.name, c.result); got != c.want {
			t.Errorf("BadOperation(%q, %q) = %v", c.name, c.result, got)
		}
	}
}

func TestUnexpectedEnd(t *testing.T) {
	for category, want := range map[string]bool{
		"Success": false, "ExpectedError": false, "": false, "null": false,
		"UnexpectedClientError": true, "UnexpectedServerError": true, "unexpectedclienterror": true,
	} {
		if got := UnexpectedEnd(category); got != want {
			t.Errorf("UnexpectedEnd(%q) = %v", category, got)
		}
	}
}

func TestRateSurveys(t *testing.T) {
	score := func(s, upper float64) SurveyScore { return SurveyScore{Score: Of(s), UpperBound: Of(upper)} }
	for name, c := range map[string]struct {
		scores []SurveyScore
		rating Rating
		mean   Value
	}{
		"none":                    {nil, RatingUnknown, Value{}},
		"no score":                {[]SurveyScore{{UpperBound: Of(5)}}, RatingUnknown, Value{}},
		"negative score":          {[]SurveyScore{{Score: Value{V: -1, Known: true}}}, RatingUnknown, Value{}},
		"good at 4.5":             {[]SurveyScore{score(4, 5), score(5, 5)}, RatingGood, Of(4.5)},
		"average below 4.5":       {[]SurveyScore{score(4.4, 5)}, RatingAverage, Of(4.4)},
		"average at 3":            {[]SurveyScore{score(3, 5)}, RatingAverage, Of(3)},
		"poor below 3":            {[]SurveyScore{score(2.5, 5)}, RatingPoor, Of(2.5)},
		"scale of ten":            {[]SurveyScore{score(9, 10)}, RatingGood, Of(4.5)},
		"scale not known":         {[]SurveyScore{{Score: Of(4)}}, RatingAverage, Of(4)},
		"scale zero":              {[]SurveyScore{score(2, 0)}, RatingPoor, Of(2)},
		"missing scores left out": {[]SurveyScore{score(5, 5), {}}, RatingGood, Of(5)},
		"mixed scales":            {[]SurveyScore{score(1, 1), score(1, 5)}, RatingAverage, Of(3)},
	} {
		t.Run(name, func(t *testing.T) {
			rating, mean := RateSurveys(c.scores)
			if rating != c.rating || mean != c.mean {
				t.Errorf("%s (%v), want %s (%v)", rating, mean, c.rating, c.mean)
			}
		})
	}
}
