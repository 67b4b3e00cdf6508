package quality

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// What of a call's diagnostics is one issue: one operation, or one participant's same trouble within a second.
func TestGroupDiagnostics(t *testing.T) {
	at := func(seconds float64) time.Time {
		return time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC).Add(time.Duration(seconds * float64(time.Second)))
	}
	event := func(who, value, operation string, seconds float64) Diagnostic {
		return Diagnostic{Name: "networkReconnect", Value: value, OperationID: operation, Participant: who, At: at(seconds)}
	}
	named := func(name string, e Diagnostic) Diagnostic {
		e.Name = name
		return e
	}
	for name, c := range map[string]struct {
		events []Diagnostic
		want   []int
		issues int
	}{
		"none": {nil, []int{}, 0},
		"two peer connections go at once and recover apart": {[]Diagnostic{
			event("p", "Bad", "a", 1.1), event("p", "bad", "b", 1.9), event("p", "Good", "a", 3), event("p", "Good", "b", 4),
		}, []int{0, 0, 0, 0}, 1},
		"a second later is another issue":      {[]Diagnostic{event("p", "Bad", "a", 1.9), event("p", "Bad", "b", 2)}, []int{0, 1}, 2},
		"another participant":                  {[]Diagnostic{event("p", "Bad", "a", 1), event("q", "Bad", "b", 1)}, []int{0, 1}, 2},
		"another value":                        {[]Diagnostic{event("p", "Bad", "a", 1), event("p", "Poor", "b", 1)}, []int{0, 1}, 2},
		"another name":                         {[]Diagnostic{event("p", "Bad", "", 1), named("noNetwork", event("p", "Bad", "", 1))}, []int{0, 1}, 2},
		"nobody is not everybody":              {[]Diagnostic{event("", "Bad", "a", 1), event("", "Bad", "b", 1)}, []int{0, 1}, 2},
		"no time is not one time":              {[]Diagnostic{{Name: "noNetwork", Value: "True", Participant: "p"}, {Name: "noNetwork", Value: "True", Participant: "p"}}, []int{0, 1}, 2},
		"good events join no others by time":   {[]Diagnostic{event("p", "Good", "a", 1), event("p", "Good", "b", 1)}, []int{-1, -1}, 0},
		"good without bad is no issue":         {[]Diagnostic{event("p", "Good", "a", 1), event("p", "Bad", "b", 1)}, []int{-1, 0}, 1},
		"what one operation joins stays whole": {[]Diagnostic{event("p", "Bad", "a", 1), event("p", "Bad", "b", 5), event("p", "Bad", "b", 1)}, []int{0, 0, 0}, 1},
		"never an issue, or not read": {[]Diagnostic{
			named("speakerMuted", event("p", "True", "a", 1)), event("p", "maybe", "a", 1), named("mood", event("p", "Bad", "a", 1)),
		}, []int{-1, -1, -1}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, GroupDiagnostics(c.events)); diff != "" {
				t.Errorf("groups (-want +got):\n%s", diff)
			}
			if got := JudgeCall(CallInput{Diagnostics: c.events}).Issues.Total; got != c.issues {
				t.Errorf("%d issues, want %d", got, c.issues)
			}
		})
	}
}

// A call that is poor by its network alone says so, once per diagnostic and with the worst value.
func TestNetworkReasons(t *testing.T) {
	got := JudgeCall(CallInput{Diagnostics: []Diagnostic{
		{Name: "networkSendQuality", Value: "Poor", OperationID: "a"},
		{Name: "NetworkSendQuality", Value: "bad", OperationID: "a"},
		{Name: "networkSendQuality", Value: "Poor", OperationID: "b"},
		{Name: "networkReconnect", Value: "poor"},
		{Name: "noNetwork", Value: "true"},
		{Name: "cameraFreeze", Value: "True"},
	}})
	var texts []string
	for _, r := range got.NetworkReasons {
		texts = append(texts, r.String())
	}
	if diff := cmp.Diff([]string{"networkReconnect went Poor", "networkSendQuality went Bad", "noNetwork went True"}, texts); diff != "" {
		t.Errorf("reasons (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"networkReconnect", "networkSendQuality", "noNetwork"}, got.NetworkDiagnostics); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
}

func TestReasonTexts(t *testing.T) {
	for _, c := range []struct {
		reason Reason
		want   string
	}{
		{Reason{Metric: MetricHealed, Value: 0.13333333333333333, Comparison: Above, Threshold: 0.1, Unit: "ratio"}, "healed_ratio 0.133 > 0.1"},
		{Reason{Metric: MetricHeight, Value: 180.00000000000003, Comparison: Below, Threshold: 240, Unit: "px"}, "height_avg 180 < 240 px"},
		{Reason{Metric: MetricHeight, Value: 239.99999999999997, Comparison: Below, Threshold: 240, Unit: "px"}, "height_avg just below 240 px"},
		{Reason{Metric: MetricJitter, Value: 30.0004, Comparison: Above, Threshold: 30, Unit: "ms"}, "jitter_ms_avg just above 30 ms"},
		{Reason{Metric: MetricLoss, Value: 0.0012, Comparison: Above, Threshold: 0.0011, Unit: "ratio"}, "loss_ratio just above 0.0011"},
		{Reason{Metric: MetricJitter, Value: 30, Comparison: AtLeast, Threshold: 30, Unit: "ms"}, "jitter_ms_avg 30 >= 30 ms"},
	} {
		if got := c.reason.String(); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}
