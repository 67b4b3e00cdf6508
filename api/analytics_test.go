package api

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/store"
)

// sendText sends a body that is no JSON.
func (s *service) sendText(status int, who, method, pattern, path, kind, body string) answer {
	s.t.Helper()
	request, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+s.people.token(who))
	request.Header.Set("Content-Type", kind)
	got := s.do(request, pattern)
	if got.status != status {
		s.t.Errorf("%s %s: status %d, want %d: %s", method, path, got.status, status, got.body)
	}
	return got
}

func TestSites(t *testing.T) {
	s := start(t, nil)
	if got := string(s.get(200, sitesRoute, "").body); got != "subnet,site,building\n" {
		t.Errorf("before any are there: %q", got)
	}
	put := func(status int, text string) answer {
		t.Helper()
		return s.sendText(status, "admin@contoso", http.MethodPut, sitesRoute, sitesRoute, "text/csv", text)
	}
	for text, want := range map[string]struct {
		line  int
		field any
	}{
		"":                     {1, nil},
		"net,site\n":           {1, nil},
		"subnet,subnet,site\n": {1, nil},
		"subnet\n":             {1, "site"},
		"subnet,site\n10.0.0.0/8,A\n10.0.0.1,B\n":                              {3, "subnet"},
		"subnet,site\n10.0.0.0/8,A\n10.1.2.3/8,B\n":                            {3, "subnet"}, // the same network
		"subnet,site\n10.0.0.0/25,A\n":                                         {2, "subnet"},
		"subnet,site\n2001:db8::/64,A\n":                                       {2, "subnet"},
		"subnet,site\n10.0.0.0/8,\n":                                           {2, "site"},
		"subnet,site\n10.0.0.0/8,A,B\n":                                        {2, nil},
		"subnet,site\n10.0.0.0/8,\"A\n":                                        {2, nil},
		"subnet,site\n10.0.0.0/8," + strings.Repeat("x", 129) + "\n":           {2, "site"},
		"subnet,site,building\n10.0.0.0/8,A,=1+1\n":                            {2, "building"},
		"subnet,site,building\n10.0.0.0/8,A,b\n\n10.1.0.0/16,B\u202e,\n":       {4, "site"},
		"building,site,subnet\n\"two\nlines\",A,10.0.0.0/8\n":                  {2, "building"},
		"subnet,site\n" + strings.Repeat("10.0.0.0/8,A\n", 2) + "10.0.0.0/9,B": {3, "subnet"},
	} {
		got := put(422, text)
		if p := read[object](t, got); p["code"] != "invalid_sites" || p["line"] != float64(want.line) || p["field"] != want.field ||
			!strings.Contains(fmt.Sprint(p["detail"]), fmt.Sprintf("In line %d: ", want.line)) {
			t.Errorf("%q: %v, want line %d, field %v", text, p, want.line, want.field)
		}
	}
	if got := read[object](t, put(200, "site,building,subnet\nLyon,\"A, left\",10.0.0.0/8\nLyon,,2001:db8::/32\n")); got["networks"] != 2.0 || got["sites"] != 1.0 {
		t.Errorf("taken: %v", got)
	}
	if got := string(s.get(200, sitesRoute, "").body); got != "subnet,site,building\n10.0.0.0/8,Lyon,\"A, left\"\n2001:db8::/32,Lyon,\n" {
		t.Errorf("as it was taken: %q", got)
	}
}

func TestViews(t *testing.T) {
	s := start(t, nil)
	make_ := func(who, name string, shared bool) string {
		t.Helper()
		got := s.send(201, who, http.MethodPost, viewsRoute, viewsRoute, object{"name": name, "screen": "calls", "query": "verdict=poor", "shared": shared})
		return read[object](t, got)["id"].(string)
	}
	names := func(who string) string {
		t.Helper()
		var out []string
		for _, v := range read[struct{ Views []object }](t, s.send(200, who, http.MethodGet, viewsRoute, viewsRoute, nil)).Views {
			out = append(out, fmt.Sprint(v["name"], " mine:", v["mine"]))
		}
		return strings.Join(out, ", ")
	}
	mine := make_("support@contoso", "b of support", false)
	shared := make_("support@contoso", "A for all", true)
	if diff := cmp.Diff("A for all mine:true, b of support mine:true", names("support@contoso")); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff("A for all mine:false", names("auditor@contoso")); diff != "" {
		t.Error(diff)
	}
	if got := names("auditor@fabrikam"); got != "" {
		t.Errorf("another organisation sees %s", got)
	}
	s.send(404, "auditor@contoso", http.MethodDelete, viewRoute, "/v1/views/"+shared, nil)
	s.send(404, "auditor@contoso", http.MethodDelete, viewRoute, "/v1/views/"+mine, nil)
	s.send(204, "admin@contoso", http.MethodDelete, viewRoute, "/v1/views/"+shared, nil)
	s.send(204, "support@contoso", http.MethodDelete, viewRoute, "/v1/views/"+mine, nil)
	s.send(404, "support@contoso", http.MethodDelete, viewRoute, "/v1/views/"+mine, nil)
	if got := names("support@contoso"); got != "" {
		t.Errorf("left: %s", got)
	}
	for _, bad := range []object{{"name": "", "screen": "calls", "query": ""}, {"name": "x", "screen": "mood", "query": ""}, {"name": "x", "screen": "calls"}} {
		s.send(422, "admin@contoso", http.MethodPost, viewsRoute, viewsRoute, bad)
	}
}

func TestZoomAndPresence(t *testing.T) {
	s := start(t, nil)
	r := s.rows()
	r.env.SourceKind = 1
	r.call("call-1", 0)
	r.join(1, store.Who{Identity: store.OrgUser, UserID: "ada", DisplayName: "Ada"})
	r.join(2, store.Who{Identity: store.Guest})
	at := func(seconds int, e store.Entry) {
		env := r.env
		env.ObservedAt = noon().Add(time.Duration(seconds) * time.Second)
		r.Timeline.Add(r.origin(), env, e)
	}
	state := func(seconds int, person byte, name string) {
		at(seconds, store.Entry{Participant: id(person), Lane: 1, Kind: store.OperationEntry, Name: "StateChanged", Result: "Succeeded", Attributes: map[string]string{"new_state": name}})
	}
	state(5, 2, "in_lobby")
	state(15, 2, "admitted")
	at(20, store.Entry{Participant: id(1), Lane: 2, Kind: store.OperationEntry, Name: "Mute"})
	at(30, store.Entry{Participant: id(1), Lane: 2, Kind: store.OperationEntry, Name: "Unmute"})
	at(40, store.Entry{Participant: id(2), Lane: 1, Kind: store.OperationEntry, Name: "ConnectionLost"})
	at(45, store.Entry{Participant: id(2), Lane: 1, Kind: store.OperationEntry, Name: "Reconnected"})
	at(50, store.Entry{Participant: id(1), Lane: 3, Kind: store.DiagnosticEntry, Name: "cameraFreeze", Value: "True"})
	for i := range 100 {
		env := r.env
		env.ObservedAt = noon().Add(time.Duration(i) * time.Second)
		r.Samples.Add(r.origin(), env, &eventpb.StreamReport{ParticipantId: id(2), IntervalMs: 1000},
			&eventpb.StreamSample{StreamId: id(20), Direction: 1, Media: 1, Packets: 90, PacketsLost: 10, JitterMs: proto.Float32(float32(i % 10)), Bytes: 1000})
	}
	r.insert()
	type zoomed struct {
		StepMs  int `json:"step_ms"`
		Streams []struct {
			Label  string `json:"participant_label"`
			Points []struct {
				At       time.Time
				Samples  int
				JitterMs struct{ Avg, Max float64 } `json:"jitter_ms"`
				Loss     struct{ Avg, Max float64 } `json:"loss_ratio"`
				Bitrate  float64                    `json:"bitrate_bps"`
			}
		}
	}
	z := read[zoomed](t, s.get(200, zoomRoute, "points=10&from=2026-03-04T12:00:00Z&to=2026-03-04T12:01:40Z", "call-1"))
	if len(z.Streams) != 1 || len(z.Streams[0].Points) != 10 || z.Streams[0].Label != "Anonymous" {
		t.Fatalf("zoomed: %+v", z)
	}
	if p := z.Streams[0].Points[3]; p.Samples != 10 || p.JitterMs.Avg != 4.5 || p.JitterMs.Max != 9 || p.Loss.Max != 0.1 || p.Bitrate != 8000 || !p.At.Equal(noon().Add(30*time.Second)) {
		t.Errorf("a point: %+v", p)
	}
	if z = read[zoomed](t, s.get(200, zoomRoute, "", "call-1")); len(z.Streams[0].Points) != 100 {
		t.Errorf("the whole call has %d points", len(z.Streams[0].Points))
	}
	if z = read[zoomed](t, s.get(200, zoomRoute, "from=2026-03-04T13:00:00Z", "call-1")); len(z.Streams) != 0 {
		t.Errorf("after the call: %+v", z)
	}
	var lines []string
	for _, p := range read[struct {
		Participants []struct {
			Label  string
			Number int
			Spans  []struct {
				State    string
				From, To *time.Time
				Detail   string
			}
		}
	}](t, s.get(200, presenceRoute, "", "call-1")).Participants {
		line := fmt.Sprint(p.Label, " ", p.Number)
		for _, span := range p.Spans {
			to := "?"
			if span.To != nil {
				to = fmt.Sprint(span.To.Sub(noon()).Seconds())
			}
			line += fmt.Sprintf(", %s %s %v-%s", span.State, span.Detail, span.From.Sub(noon()).Seconds(), to)
		}
		lines = append(lines, line)
	}
	want := []string{
		"Ada 0, in_call  0-1800, muted audio 20-30, device cameraFreeze 50-1800",
		"Anonymous 1, lobby  5-15, in_call  15-1800, reconnecting  40-45",
	}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Errorf("presence (-want +got):\n%s", diff)
	}
}

// Samples of a meeting that still runs are in no quantile; the roll-ups, which have them, are not asked for its hours.
func TestRule_D3_QuantilesLeaveOutRunningMeetings(t *testing.T) {
	s := start(t, nil)
	r := s.rows()
	r.env.SourceKind = 1
	sample := func(call string, minute int, jitter float32) {
		env := r.env
		env.CallID, env.ObservedAt = call, noon().Add(time.Duration(minute)*time.Minute)
		r.Samples.Add(r.origin(), env, &eventpb.StreamReport{ParticipantId: id(2), IntervalMs: 1000},
			&eventpb.StreamSample{StreamId: id(20), Direction: 1, Media: 1, JitterMs: &jitter})
	}
	r.call("over", 0)
	r.env.CallID = "runs"
	r.Calls.AddStarted(r.origin(), r.env, &eventpb.CallStarted{StartedAtUs: noon().UnixMicro()})
	for minute := range 50 {
		sample("over", minute, 10)
		sample("runs", minute, 5000)
		sample("unheard-of", minute, 7000)
	}
	r.env.SourceKind = 4
	sample("azure", 130, 20)
	r.insert()
	for _, hour := range []int{0, 2} {
		if err := s.store.RebuildHour(t.Context(), noon().Add(time.Duration(hour)*time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	ask := func(query string) string {
		var points []string
		for _, p := range read[struct{ Points []object }](t, s.get(200, quantilesRoute, twoDays+"&"+query)).Points {
			points = append(points, fmt.Sprint(p["at"], " ", p["p50"], " ", p["p99"], " of ", p["samples"]))
		}
		return strings.Join(points, ", ")
	}
	for query, want := range map[string]string{
		"step=hour":                               "2026-03-04T12:00:00Z 10 10 of 50, 2026-03-04T14:00:00Z 20 20 of 1",
		"step=day":                                "2026-03-04T00:00:00Z 10 20 of 51",
		"step=hour&source=acs":                    "2026-03-04T14:00:00Z 20 20 of 1",
		"step=hour&metric=rtt_ms":                 "2026-03-04T12:00:00Z <nil> <nil> of 50, 2026-03-04T14:00:00Z <nil> <nil> of 1",
		"step=hour&media=video":                   "",
		"step=hour&region=apac":                   "",
		"step=hour&direction=inbound&media=audio": "2026-03-04T12:00:00Z 10 10 of 50, 2026-03-04T14:00:00Z 20 20 of 1",
	} {
		if diff := cmp.Diff(want, ask(query)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", query, diff)
		}
	}
}
