package api

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/store"
)

const (
	userCallsRoute = "/v1/users/:user/calls"
	qualityRoute   = "/v1/analytics/quality"
	heatmapRoute   = "/v1/analytics/heatmap"
	compareRoute   = "/v1/analytics/compare"
	quantilesRoute = "/v1/analytics/quantiles"
	zoomRoute      = "/v1/calls/:call_id/samples"
	presenceRoute  = "/v1/calls/:call_id/presence"
	tagsRoute      = "/v1/calls/:call_id/tags"
	surveyRoute    = "/v1/calls/:call_id/survey"
	viewsRoute     = "/v1/views"
	viewRoute      = "/v1/views/:id"
	sitesRoute     = "/v1/sites"
)

// figures fills a store with calls of three days: one bad, one that nobody got into, one short and good, one of somebody else.
func figures(t *testing.T) *service {
	s := start(t, nil)
	r := s.rows()
	r.call("bad", 0)
	r.join(1, store.Who{Identity: store.OrgUser, UserID: "ada", DisplayName: "Ada", Network: "192.0.2.0/24"})
	r.join(2, store.Who{Identity: store.Guest})
	r.stream(1, 10, 12)
	r.stream(2, 11, 90)
	loss := 0.4
	r.Streams.Add(r.origin(), r.env, &eventpb.StreamEnded{
		ParticipantId: id(1), StreamId: id(12), Direction: 2, Media: 2, Packets: proto.Uint64(1000), LossRatio: &loss, LikelySide: "sender_uplink",
	})
	r.Participants.AddLeft(r.origin(), r.env, &eventpb.ParticipantLeft{
		ParticipantId: id(2), LeftAtUs: noon().Add(time.Minute).UnixMicro(), ResultCategory: "UnexpectedClientError",
	})
	r.Timeline.Add(r.origin(), r.env, store.Entry{
		Participant: id(1), Kind: store.SurveyEntry, Name: "CallSurvey", Attributes: map[string]string{"overall.score": "1"},
	})
	r.Timeline.Add(r.origin(), r.env, store.Entry{Lane: 1, Kind: store.RecordingEntry, Name: "Recording"})
	r.call("nobody", 60)
	r.join(3, store.Who{Identity: store.Guest})
	r.Participants.AddLeft(r.origin(), r.env, &eventpb.ParticipantLeft{ParticipantId: id(3), ResultCategory: "UnexpectedServerError"})
	r.env.CallID, r.env.ObservedAt = "short", noon().Add(25*time.Hour)
	r.Calls.AddStarted(r.origin(), r.env, &eventpb.CallStarted{StartedAtUs: r.env.ObservedAt.UnixMicro(), Kind: eventpb.CallKind_CALL_KIND_P2P})
	r.Calls.AddEnded(r.origin(), r.env, &eventpb.CallEnded{EndedAtUs: r.env.ObservedAt.Add(4 * time.Second).UnixMicro()})
	r.join(4, store.Who{Identity: store.OrgUser, UserID: "bob", DisplayName: "Bob"})
	r.stream(4, 13, 5)
	r.env.Org = "fabrikam"
	r.call("theirs", 0)
	r.join(5, store.Who{Identity: store.OrgUser, UserID: "ada", DisplayName: "Ada of Fabrikam"})
	r.stream(5, 14, 99)
	r.insert()
	return s
}

const twoDays = "from=2026-03-04T00:00:00Z&to=2026-03-06T00:00:00Z"

func TestFilters(t *testing.T) {
	s := figures(t)
	s.send(200, "admin@contoso", http.MethodPut, tagsRoute, "/v1/calls/nobody/tags", object{"tags": []string{"escalated", "escalated", "vip"}})
	s.sendText(200, "admin@contoso", http.MethodPut, sitesRoute, "/v1/sites", "text/csv", "subnet,site\n192.0.2.0/23,Lyon\n")
	s.sumUp()
	for query, want := range map[string]string{
		"":                                       "short nobody bad",
		"sort=started_at":                        "bad nobody short",
		"sort=-issues":                           "bad nobody short",
		"sort=duration_ms":                       "short nobody bad",
		"sort=-poor_streams&page_size=1":         "bad short nobody",
		"user=ada":                               "bad",
		"kind=p2p":                               "short",
		"state=complete":                         "short nobody bad",
		"state=running":                          "",
		"reason=loss_ratio":                      "bad",
		"reason=rtt_ms_avg":                      "",
		"side=sender_uplink":                     "bad",
		"side=server":                            "nobody",
		"client=Chrome":                          "short nobody bad",
		"client=Chrome&client_version=140":       "short nobody bad",
		"client=Chrome&client_version=139":       "",
		"region=emea":                            "short nobody bad",
		"region=apac":                            "",
		"site=Lyon":                              "bad",
		"subnet=192.0.0.0%2F16":                  "bad",
		"subnet=192.0.2.0%2F24":                  "bad",
		"subnet=192.0.3.0%2F24":                  "",
		"min_duration_s=60":                      "nobody bad",
		"max_duration_s=10":                      "short",
		"recorded=true":                          "bad",
		"recorded=false":                         "short nobody",
		"tag=vip":                                "nobody",
		"tag=VIP":                                "",
		"q=" + url.QueryEscape("bad/"+idOf(2)):   "bad",
		"q=" + url.QueryEscape("short/"+idOf(2)): "",
		"q=" + idOf(12):                          "bad",
		"from=2026-03-05T00:00:00Z":              "short",
		"last=5m":                                "",
		"verdict=poor&user=bob":                  "",
	} {
		values, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.list(values); got != want {
			t.Errorf("%s finds %q, want %q", query, got, want)
		}
	}
	call := read[struct{ Calls []object }](t, s.get(200, userCallsRoute, "", "ada")).Calls[0]
	if got := fmt.Sprintln(call["call_id"], call["tags"], call["sites"], call["recorded"], call["likely_side"]); got != "bad [] [Lyon] true sender_uplink\n" {
		t.Errorf("the user's call: %s", got)
	}
	if who := fmt.Sprint(call["who"]); who != "map[anonymous:1 users:[map[label:Ada user_id:ada]]]" {
		t.Errorf("who: %s", who)
	}
	page, listed := read[object](t, s.get(200, callRoute, "", "bad")), call
	for key := range page {
		if diff := cmp.Diff(page[key], listed[key]); diff != "" {
			t.Errorf("%s differs between page and list (-page +list):\n%s", key, diff)
		}
	}
	text := string(s.get(200, callsRoute, "format=csv&fields=call_id,users,anonymous,reason&sort=started_at").body)
	if want := "call_id,users,anonymous,reason\nbad,Ada,1,loss_ratio 0.4 > 0.1\nnobody,,1,\nshort,Bob,0,\n"; text != want {
		t.Errorf("as CSV:\n%s, want\n%s", text, want)
	}
	chosen := read[struct{ Calls []object }](t, s.get(200, callsRoute, "fields=verdict,users,ended_at,tags,duration_ms,call_id&verdict=poor"))
	if diff := cmp.Diff([]object{{"call_id": "bad", "verdict": "poor", "users": []any{"Ada"}, "ended_at": call["ended_at"], "tags": []any{}, "duration_ms": call["duration_ms"]}}, chosen.Calls); diff != "" {
		t.Errorf("chosen columns (-want +got):\n%s", diff)
	}
}

func TestQuality(t *testing.T) {
	s := figures(t)
	got := read[object](t, s.get(200, qualityRoute, twoDays+"&group_by=media&compare=previous"))
	want := object{
		"calls": 3.0, "calls_poor": 1.0, "streams": 4.0, "good": 2.0, "poor": 2.0, "unknown": 0.0, "poor_ratio": 0.5, "participants": 4.0,
		"setup_failures": 1.0, "setup_failure_ratio": 0.25, "drops": 1.0, "drop_ratio": 0.25, "short_calls": 1.0, "ended_within_5s": 1.0,
		"rating": object{"good": 0.0, "average": 0.0, "poor": 1.0, "none": 2.0},
	}
	if diff := cmp.Diff(want, got["totals"]); diff != "" {
		t.Errorf("totals (-want +got):\n%s", diff)
	}
	if previous := got["previous"].(object)["totals"].(object); previous["calls"] != 0.0 || previous["poor_ratio"] != nil {
		t.Errorf("two days before there was nothing: %v", previous)
	}
	for query, want := range map[string]string{
		"group_by=media":                             "audio 3/1 video 1/1",
		"group_by=hour":                              "2026-03-04T12:00:00Z 3/2 2026-03-04T13:00:00Z 0/0 2026-03-05T13:00:00Z 1/0",
		"group_by=day":                               "2026-03-04T00:00:00Z 3/2 2026-03-05T00:00:00Z 1/0",
		"group_by=reason":                            " 2/0 jitter_ms_avg 1/1 loss_ratio 1/1",
		"group_by=side,media":                        " audio 3/1 sender_uplink video 1/1",
		"group_by=client_version":                    "Chrome 140 4/2",
		"group_by=region&user=bob":                   "emea 1/0",
		"group_by=day&time_zone=America/Los_Angeles": "2026-03-04T08:00:00Z 3/2 2026-03-05T08:00:00Z 1/0",
	} {
		var groups []string
		for _, g := range read[struct {
			Groups []struct {
				Key           map[string]string
				Streams, Poor int
			}
		}](t, s.get(200, qualityRoute, twoDays+"&"+query)).Groups {
			text := ""
			for _, name := range strings.Split(strings.TrimPrefix(strings.Split(query, "&")[0], "group_by="), ",") {
				text += g.Key[name] + " "
			}
			groups = append(groups, fmt.Sprintf("%s%d/%d", text, g.Streams, g.Poor))
		}
		if diff := cmp.Diff(want, strings.Join(groups, " ")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", query, diff)
		}
	}
	if got := read[object](t, s.send(200, "auditor@fabrikam", http.MethodGet, qualityRoute, qualityRoute+"?"+twoDays, nil))["totals"].(object); got["calls"] != 1.0 {
		t.Errorf("the other organisation: %v", got)
	}
}

func TestHeatmapAndCompare(t *testing.T) {
	s := figures(t)
	for query, want := range map[string]string{
		"y=media":            "12 audio 2/1 0.5;12 video 1/1 1;13 audio 1/0 0",
		"y=media&x=weekday":  "3 audio 2/1 0.5;3 video 1/1 1;4 audio 1/0 0",
		"y=reason":           "12 jitter_ms_avg 3/1 0.3333333333333333;12 loss_ratio 3/1 0.3333333333333333",
		"y=region":           "12 emea 3/2 0.6666666666666666;13 emea 1/0 0",
		"y=client&user=ada":  "12 Chrome 3/2 0.6666666666666666",
		"y=client&user=none": "",
	} {
		var cells []string
		for _, c := range read[struct{ Cells []object }](t, s.get(200, heatmapRoute, twoDays+"&"+query)).Cells {
			cells = append(cells, fmt.Sprintf("%v %v %v/%v %v", c["x"], c["y"], c["streams"], c["poor"], c["poor_ratio"]))
		}
		if diff := cmp.Diff(want, strings.Join(cells, ";")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", query, diff)
		}
	}
	days := read[object](t, s.get(200, compareRoute, "a_from=2026-03-04T00:00:00Z&a_to=2026-03-05T00:00:00Z&b_from=2026-03-05T00:00:00Z&b_to=2026-03-06T00:00:00Z"))
	if got := days["difference"].(object); got["calls"] != -1.0 || got["poor_ratio"] != -2.0/3 {
		t.Errorf("the days' difference: %v", got)
	}
	calls := read[object](t, s.get(200, compareRoute, "a_call=bad&b_call=short"))
	if got := fmt.Sprint(calls["a"].(object)["poor"], calls["b"].(object)["poor"], calls["difference"].(object)["streams"]); got != "2 0 -2" {
		t.Errorf("the calls: %s", got)
	}
	if code, parameter := s.problem(s.get(404, compareRoute, "a_call=bad&b_call=theirs")); code != "call_not_found" || parameter != "b_call" {
		t.Errorf("somebody else's call: %s of %s", code, parameter)
	}
}

// What can't be asked for is told by its parameter, and a range that is too wide with one that fits.
func TestFiguresRefuse(t *testing.T) {
	s := start(t, nil)
	for query, want := range map[string]string{
		qualityRoute + "?from=2020-01-01T00:00:00Z&to=2026-01-01T00:00:00Z": "range_too_wide from",
		qualityRoute + "?last=9999d":                                        "range_too_wide last",
		qualityRoute + "?last=24h&from=2026-01-01T00:00:00Z":                "invalid_parameter last",
		qualityRoute + "?days=7&last=1h":                                    "invalid_parameter days",
		qualityRoute + "?days=6":                                            "invalid_parameter days",
		qualityRoute + "?group_by=mood":                                     "invalid_parameter group_by",
		qualityRoute + "?group_by=media,media":                              "invalid_parameter group_by",
		qualityRoute + "?time_zone=Mars/Olympus":                            "invalid_parameter time_zone",
		qualityRoute + "?time_zone=local":                                   "invalid_parameter time_zone",
		qualityRoute + "?profile=best":                                      "invalid_parameter profile",
		qualityRoute + "?subnet=10.0.0.0%2F25":                              "invalid_parameter subnet",
		qualityRoute + "?subnet=10.0.0.0%2F99":                              "invalid_parameter subnet",
		qualityRoute + "?min_duration_s=9&max_duration_s=3":                 "invalid_parameter max_duration_s",
		heatmapRoute + "?x=day":                                             "invalid_parameter x",
		heatmapRoute + "?last=401d":                                         "range_too_wide last",
		compareRoute:                                                        "invalid_parameter a_from",
		compareRoute + "?a_call=x":                                          "invalid_parameter b_call",
		compareRoute + "?a_call=x&b_call=y&a_from=2026-01-01T00:00:00Z":     "invalid_parameter a_from",
		quantilesRoute + "?step=minute&last=3d":                             "range_too_wide last",
		quantilesRoute + "?metric=mood":                                     "invalid_parameter metric",
		callsRoute + "?last=0d":                                             "invalid_parameter last",
		callsRoute + "?from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z":   "invalid_parameter to",
		callsRoute + "?format=csv&fields=call_id,name":                      "invalid_parameter fields",
		callsRoute + "?fields=call_id,name":                                 "invalid_parameter fields",
		callsRoute + "?sort=mood":                                           "invalid_parameter sort",
		callsRoute + "?page_token=e30":                                      "invalid_page_token page_token",
	} {
		path, values, _ := strings.Cut(query, "?")
		code, parameter := s.problem(s.get(400, path, values))
		if got := code + " " + parameter; got != want {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
	}
	if got := s.detail(s.get(400, callsRoute, "last=24x")); !strings.HasPrefix(got, "The parameter last must be such as 24h") {
		t.Errorf("detail %q", got)
	}
	if got := s.detail(s.get(400, qualityRoute, "from=2020-01-01T00:00:00Z&to=2026-01-01T00:00:00Z")); !strings.Contains(got, "at most 400 days fit") || !strings.Contains(got, "2024-11-27T00:00:00Z to 2026-01-01T00:00:00Z") {
		t.Errorf("detail %q", got)
	}
}

// Whatever stands in a parameter stays a value: it never becomes a part of a statement, and finds nothing that it doesn't name.
func TestParametersAreNeverStatements(t *testing.T) {
	s := figures(t)
	doc, _, err := readDocument()
	if err != nil {
		t.Fatal(err)
	}
	hostile := []string{
		`' OR 1=1 --`, `') OR 1=1 --`, `{org:String}`, `\`, `\'`, "x' UNION ALL SELECT * FROM control --", "`", `"`, "%", "_", "$1", "?", "a\x01b", "'; DROP TABLE call_summaries; --",
		"x', 'contoso') OR (1=1", "}} {{", "/*", "é\u202e", strings.Repeat("'", 60),
	}
	asked := 0
	for route, op := range operationsOf(doc) {
		method, pattern, _ := strings.Cut(route, " ")
		row := accessTable()[op.route.Operation.OperationID]
		if method != http.MethodGet || row.about != ofQuery || !strings.Contains(strings.Join(op.route.Operation.Tags, " "), "calls") && !strings.Contains(strings.Join(op.route.Operation.Tags, " "), "analytics") {
			continue
		}
		base := strings.NewReplacer(":call_id", "bad", ":stream_id", idOf(10), ":user", "ada", ":id", idOf(1), ":recording_id", idOf(1), ":file", "a.webm").Replace(pattern)
		for name, p := range op.parameters {
			for _, text := range hostile {
				path := base + "?" + url.Values{name: {text}}.Encode()
				if p.In == "path" {
					path = strings.Replace(pattern, ":"+name, url.PathEscape(text), 1)
					path = strings.NewReplacer(":call_id", "bad", ":stream_id", idOf(10), ":user", "ada", ":id", idOf(1), ":recording_id", idOf(1), ":file", "a.webm").Replace(path)
				} else if p.In != "query" {
					continue
				}
				asked++
				got := s.as("admin@contoso", method, pattern, path, nil)
				if got.status >= 500 && codeOf(t, got) != "recordings_unavailable" {
					t.Errorf("%s: %d %s", path, got.status, got.body)
				}
				if strings.Contains(string(got.body), "theirs") || strings.Contains(string(got.body), "Fabrikam") {
					t.Errorf("%s shows another organisation: %s", path, got.body)
				}
			}
		}
	}
	if asked < 1000 {
		t.Errorf("only %d requests were made", asked)
	}
	if got := s.list(url.Values{}); got != "short nobody bad" {
		t.Errorf("afterwards there is %q", got)
	}
	if got := s.list(url.Values{"q": {"%"}}); got != "" {
		t.Errorf("a percent sign finds %q", got)
	}
}
