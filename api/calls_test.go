package api

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"google.golang.org/protobuf/proto"

	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/store"
)

const (
	callsRoute        = "/v1/calls"
	callRoute         = "/v1/calls/:call_id"
	participantsRoute = "/v1/calls/:call_id/participants"
	streamsRoute      = "/v1/calls/:call_id/streams"
	samplesRoute      = "/v1/calls/:call_id/streams/:stream_id/samples"
	timelineRoute     = "/v1/calls/:call_id/timeline"
	issuesRoute       = "/v1/calls/:call_id/issues"
)

type callPage struct {
	Calls []struct {
		CallID  string `json:"call_id"`
		Org     string `json:"org"`
		Verdict string `json:"verdict"`
	} `json:"calls"`
	Next *string `json:"next_page_token"`
}

// list walks all pages and returns the ids in order.
func (s *service) list(query url.Values) string {
	s.t.Helper()
	var ids []string
	for range 100 {
		page := read[callPage](s.t, s.get(200, callsRoute, query.Encode()))
		for _, c := range page.Calls {
			ids = append(ids, c.CallID)
		}
		if page.Next == nil {
			return strings.Join(ids, " ")
		}
		query.Set("page_token", *page.Next)
	}
	s.t.Fatal("the list does not end")
	return ""
}

func TestListCalls(t *testing.T) {
	s := start(t, nil)
	r := s.rows()
	for i, name := range []string{"a", "b", "c"} {
		r.call(name, i)
		r.join(1, store.Who{Identity: store.OrgUser, UserID: "u1", DisplayName: "Ada Lovelace"})
		r.stream(1, byte(10+i), float64(20+10*i)) // a is good; at exactly 30 ms b is good too; c is poor.
	}
	r.call("d", 3) // Nothing is known of its streams.
	r.join(2, store.Who{Identity: store.Guest})
	r.call("e", 3) // As late as d.
	r.env.SourceKind = 4
	r.call("f", 3)
	r.env.Org = "fabrikam" // Another organisation's: in no list of this one's.
	r.call("g", 3)
	r.insert()
	at := func(minutes int) string { return noon().Add(time.Duration(minutes) * time.Minute).Format(time.RFC3339) }
	for _, test := range []struct {
		name string
		want string
		set  []string
	}{
		{"all", "d e f c b a", nil},
		{"one by one", "d e f c b a", []string{"page_size", "1"}},
		{"in pages of as many as there are", "d e f c b a", []string{"page_size", "6"}},
		{"from, included", "d e f c", []string{"from", at(2)}},
		{"to, excluded", "b a", []string{"to", at(2)}},
		{"far bounds", "d e f c b a", []string{"from", "0001-01-01T00:00:00Z", "to", "9999-12-31T23:59:59Z"}},
		{"another zone", "d e f c", []string{"from", "2026-03-04T14:02:00+02:00"}},
		{"org", "d e f c b a", []string{"org", "contoso"}},
		{"source", "d e c b a", []string{"source", "rtcstats"}},
		{"good", "b a", []string{"verdict", "good"}},
		{"good, one by one", "b a", []string{"verdict", "good", "page_size", "1"}},
		{"poor", "c", []string{"verdict", "poor"}},
		{"unknown", "d e f", []string{"verdict", "unknown", "page_size", "2"}},
		{"a name in part", "c b a", []string{"participant_label", "ada LOVE"}},
		{"anonymous", "d", []string{"participant_label", "anonymous"}},
		{"nobody's name", "", []string{"participant_label", "Grace"}},
		{"call id", "c", []string{"q", "C"}},
		{"participant id", "c b a", []string{"q", idOf(1)}},
		{"stream id", "b", []string{"q", idOf(11)}},
		{"meeting id", "d e f c b a", []string{"q", "M33"}},
		{"under another profile", "c b", []string{"profile", "real-time", "verdict", "poor"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			query := url.Values{}
			for i := 0; i < len(test.set); i += 2 {
				query.Set(test.set[i], test.set[i+1])
			}
			if diff := cmp.Diff(test.want, s.list(query)); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
		})
	}
}

func TestOneCall(t *testing.T) {
	s := start(t, nil)
	r := s.rows()
	r.call("call-1", 0)
	r.join(1, store.Who{Identity: store.OrgUser, DisplayName: "Ada"})
	r.join(2, store.Who{Identity: store.Guest})
	r.Participants.AddLeft(r.origin(), r.env, &eventpb.ParticipantLeft{
		ParticipantId: id(2), LeftAtUs: noon().Add(time.Minute).UnixMicro(), EndCode: "500", EndSubCode: "1", ResultCategory: "UnexpectedClientError",
	})
	r.stream(1, 10, 12)
	r.stream(2, 11, 34)
	at := func(seconds int, e store.Entry) {
		env := r.env
		env.ObservedAt = noon().Add(time.Duration(seconds) * time.Second)
		r.Timeline.Add(r.origin(), env, e)
	}
	diagnostic := store.Entry{Participant: id(2), Lane: 5, Kind: store.DiagnosticEntry, Name: "networkSendQuality", Value: "Bad", Operation: id(77)}
	at(10, diagnostic)
	diagnostic.Value = "Good"
	at(20, diagnostic)
	at(30, store.Entry{Participant: id(1), Lane: 2, Kind: store.DiagnosticEntry, Name: "speakingWhileMicrophoneIsMuted", Value: "True"})
	at(40, store.Entry{Participant: id(1), Kind: store.OperationEntry, Name: "StartVideo", Result: "UnexpectedClientError", ResultCode: 408})
	at(50, store.Entry{Participant: id(1), Kind: store.OperationEntry, Name: "Mute", Result: "Succeeded"})
	at(60, store.Entry{
		Participant: id(2), Kind: store.SurveyEntry, Name: "CallSurvey",
		Attributes: map[string]string{"overall.score": "3", "overall.upper_bound": "5", "audio.score": "1"},
	})
	thread := r.env
	thread.CallID = "thread_m33t"
	r.Timeline.Add(r.origin(), thread, store.Entry{Participant: id(9), Kind: store.ChatEntry, Name: "SendChatMessage", Value: "sent"})
	r.insert()

	call := read[object](t, s.get(200, callRoute, "", "call-1"))
	want := object{
		"verdict": "poor", "participants": 2.0, "rating": "average", "rating_score": 3.0, "duration_ms": 1.8e6, "source": "rtcstats",
		"streams":             object{"total": 2.0, "good": 1.0, "poor": 1.0, "unknown": 0.0},
		"network_diagnostics": []any{"networkSendQuality"},
		"issues": object{
			"total": 4.0, "bad_operations": 2.0, "unexpected_ends": 1.0, "poor_streams": 1.0,
			"by_operation": []any{object{"name": "StartVideo", "count": 1.0}, object{"name": "networkSendQuality", "count": 1.0}},
		},
	}
	in := func(o object) object { return o }
	if diff := cmp.Diff(want, in(call), cmpopts.IgnoreMapEntries(func(k string, _ any) bool {
		_, wanted := want[k]
		_, inner := map[string]bool{"total": true, "good": true, "poor": true, "unknown": true, "bad_operations": true, "unexpected_ends": true, "poor_streams": true, "by_operation": true, "name": true, "count": true}[k]
		return !wanted && !inner
	})); diff != "" {
		t.Errorf("call (-want +got):\n%s", diff)
	}
	reasons, _ := call["reasons"].([]any)
	wantReasons := []any{
		object{
			"kind": "threshold", "metric": "jitter_ms_avg", "value": 34.0, "comparison": ">", "threshold": 30.0, "unit": "ms", "media": "audio",
			"direction": "inbound", "text": "jitter_ms_avg 34 > 30 ms",
		},
		object{
			"kind": "diagnostic", "metric": "networkSendQuality", "value": nil, "comparison": nil, "threshold": nil, "unit": nil, "media": nil,
			"direction": nil, "text": "networkSendQuality went Bad",
		},
	}
	for _, r := range reasons {
		if source, _ := r.(object)["source"].(string); source == "" {
			t.Errorf("a reason without a source: %v", r)
		}
	}
	if diff := cmp.Diff(wantReasons, reasons, cmpopts.IgnoreMapEntries(func(k string, _ any) bool { return k == "source" })); diff != "" {
		t.Errorf("reasons (-want +got):\n%s", diff)
	}

	issues := read[struct {
		Issues []struct{ Kind, Name, Started, Ended string }
	}](t, s.get(200, issuesRoute, "", "call-1")).Issues
	var kinds []string
	for _, i := range issues {
		kinds = append(kinds, i.Kind+" "+i.Name)
	}
	wantKinds := "poor_stream audio, diagnostic networkSendQuality, operation StartVideo, unexpected_end UnexpectedClientError"
	if diff := cmp.Diff(wantKinds, strings.Join(kinds, ", ")); diff != "" {
		t.Errorf("issues (-want +got):\n%s", diff)
	}
	text := string(s.get(200, issuesRoute, "", "call-1").body)
	if !strings.Contains(text, `"ended_at":"2026-03-04T12:00:20Z"`) {
		t.Errorf("the diagnostic went good at 12:00:20, and no issue says so: %s", text)
	}

	timeline := read[object](t, s.get(200, timelineRoute, "", "call-1"))
	if got := len(timeline["timeline"].([]any)); got != 7 {
		t.Errorf("%d entries, want the 6 of the call and 1 of its meeting's thread", got)
	}
	if got := s.list(url.Values{}); got != "call-1" {
		t.Errorf("the list has %q; a chat thread is no call", got)
	}
	s.get(404, callRoute, "", "thread_m33t")
}

func TestStreamsSayWhatIsNotKnown(t *testing.T) {
	s := start(t, nil)
	r := s.rows()
	r.call("call-1", 0)
	r.stream(1, 10, 12)
	r.insert()
	got := read[struct{ Streams []object }](t, s.get(200, streamsRoute, "", "call-1")).Streams[0]
	want := object{
		"stream_id": idOf(10), "call_id": "call-1", "participant_id": idOf(1), "participant_label": "Anonymous", "direction": "inbound",
		"media": "audio", "ssrc": 7.0, "codec": "opus", "started_at": "2026-03-04T12:00:00Z", "ended_at": nil, "packets": 1000.0,
		"packets_lost": -1.0, "loss_ratio": 0.001, "jitter_ms_avg": 12.0, "jitter_ms_max": nil, "rtt_ms_avg": nil, "rtt_ms_max": nil,
		"healed_ratio": nil, "frame_rate_avg": nil, "height_avg": nil, "freeze_ms_per_min": nil, "bitrate_avg": nil,
		"local_candidate_type": nil, "verdict": "good", "reasons": []any{}, "partial": false, "counted": true, "unknown_cause": nil,
	}
	for k, v := range want {
		have, there := got[k]
		if diff := cmp.Diff(v, have); diff != "" || !there {
			t.Errorf("%s is there: %v (-want +got):\n%s", k, there, diff)
		}
	}
	if mos, _ := got["mos_estimate"].(float64); mos < 1 || mos > 4.5 {
		t.Errorf("mos_estimate %v", got["mos_estimate"])
	}
}

func TestSamplesArePaged(t *testing.T) {
	s := start(t, nil)
	r := s.rows()
	r.call("call-1", 0)
	for i := range 7 {
		env := r.env
		env.ObservedAt = noon().Add(time.Duration(i)*time.Second + time.Microsecond)
		for range 2 { // A row per metric, as Azure sends them.
			r.Samples.Add(r.origin(), env, &eventpb.StreamReport{ParticipantId: id(1), IntervalMs: 1000},
				&eventpb.StreamSample{StreamId: id(5), Direction: 2, Media: 1, Packets: uint64(i), JitterMs: proto.Float32(0.1)})
		}
	}
	r.insert()
	type page struct {
		Samples []struct {
			ObservedAt string  `json:"observed_at"`
			Packets    int     `json:"packets"`
			JitterMs   float64 `json:"jitter_ms"`
		}
		Next *string `json:"next_page_token"`
	}
	walk := func(query url.Values) (got []int) {
		for range 20 {
			p := read[page](t, s.get(200, samplesRoute, query.Encode(), "call-1", idOf(5)))
			for _, sample := range p.Samples {
				got = append(got, sample.Packets)
				if sample.JitterMs != 0.1 {
					t.Errorf("jitter %v; 0.1 was stored", sample.JitterMs)
				}
			}
			if p.Next == nil {
				return got
			}
			query.Set("page_token", *p.Next)
		}
		return got
	}
	for size := 1; size <= 8; size++ {
		if diff := cmp.Diff([]int{0, 1, 2, 3, 4, 5, 6}, walk(url.Values{"page_size": {fmt.Sprint(size)}})); diff != "" {
			t.Errorf("pages of %d (-want +got):\n%s", size, diff)
		}
	}
	bounded := url.Values{"from": {"2026-03-04T12:00:02.000001Z"}, "to": {"2026-03-04T12:00:04.000001Z"}}
	if diff := cmp.Diff([]int{2, 3}, walk(bounded)); diff != "" {
		t.Errorf("window (-want +got):\n%s", diff)
	}
	if code, _ := s.problem(s.get(404, samplesRoute, "", "call-1", idOf(6))); code != "stream_not_found" {
		t.Errorf("code %s", code)
	}
}

func TestOneIDInTwoOrganisations(t *testing.T) {
	s := start(t, nil)
	r := s.rows()
	r.call("same", 0)
	r.join(1, store.Who{Identity: store.Guest})
	r.env.Org = "fabrikam"
	r.call("same", 0)
	r.insert()
	for org, want := range map[string]float64{"contoso": 1, "fabrikam": 0} {
		for _, query := range []string{"", "?org=" + org} {
			got := read[object](t, s.send(200, "auditor@"+org, http.MethodGet, callRoute, "/v1/calls/same"+query, nil))
			if got["org"] != org || got["participants"] != want {
				t.Errorf("%s: %v", org, got)
			}
		}
		got := read[callPage](t, s.send(200, "auditor@"+org, http.MethodGet, callsRoute, callsRoute, nil))
		if len(got.Calls) != 1 || got.Calls[0].Org != org {
			t.Errorf("%s lists %v", org, got)
		}
	}
	for _, org := range []string{"fabrikam", "nobody"} {
		if code, _ := s.problem(s.get(403, callRoute, "org="+org, "same")); code != "other_organization" {
			t.Errorf("of %s: code %s", org, code)
		}
	}
}

func TestCallIDsAreTextOfAnyKind(t *testing.T) {
	s := start(t, nil)
	r := s.rows()
	ids := []string{"a/b", "a%2Fb", "100%", "ä ö", "a?b=c", "..", "a;b", `"'\`, "+", "a\tb"}
	for _, name := range ids {
		r.call(name, 0)
	}
	r.insert()
	for _, name := range ids {
		if name == ".." {
			continue // A client resolves it before it asks.
		}
		if got := read[object](t, s.get(200, callRoute, "", name)); got["call_id"] != name {
			t.Errorf("asked for %q, got %q", name, got["call_id"])
		}
	}
}

// What a cell of the heat map counts can be listed: calls by the hour and the day of the week in which they began, where the reader is.
func TestCallsOfAnHour(t *testing.T) {
	s := start(t, nil)
	r := s.rows()
	r.call("at-noon", 0) // a Wednesday
	r.call("at-one", 60)
	r.call("at-midnight", 12*60)
	r.insert()
	for query, want := range map[string]string{
		"hour_of_day=12":                        "at-noon",
		"hour_of_day=13":                        "at-one",
		"hour_of_day=0":                         "at-midnight",
		"hour_of_day=13&time_zone=Europe/Paris": "at-noon",
		"weekday=3":                             "at-noon,at-one",
		"weekday=4":                             "at-midnight",
		"weekday=3&time_zone=America/Los_Angeles": "at-midnight,at-noon,at-one",
		"weekday=3&hour_of_day=0":                 "",
	} {
		values, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		got := strings.Fields(s.list(values))
		slices.Sort(got)
		if strings.Join(got, ",") != want {
			t.Errorf("%s: %q, want %q", query, got, want)
		}
		values.Set("from", "2026-03-01T00:00:00Z")
		values.Set("to", "2026-03-08T00:00:00Z")
		if totals := read[struct{ Totals object }](t, s.get(200, qualityRoute, values.Encode())).Totals; totals["calls"] != float64(len(got)) {
			t.Errorf("%s: %v calls in the figures, want %d", query, totals["calls"], len(got))
		}
	}
	for query, parameter := range map[string]string{"hour_of_day=24": "hour_of_day", "weekday=0": "weekday", "weekday=Monday": "weekday", "hour_of_day=1&time_zone=Mars/Olympus": "time_zone"} {
		if p := read[object](t, s.get(400, callsRoute, query)); p["parameter"] != parameter {
			t.Errorf("%s: %v", query, p)
		}
	}
}
