package main

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/anteroom/anteroom/event"
	"github.com/anteroom/anteroom/internal/config"
)

// statsSession is a connection as Jitsi's rtcstats client has it.
type statsSession struct {
	t      *testing.T
	ws     *websocket.Conn
	id     string
	number int
	// call and code are what the server says of it.
	call, code string
}

// collectFrom connects with a token.
func (r *rig) collectFrom(t *testing.T, token, id string) *statsSession {
	t.Helper()
	address := fmt.Sprintf("ws%s/v1/collect/rtcstats/%s?statsSessionId=%s&isReconnect=false", strings.TrimPrefix(r.url, "http"), token, id)
	ws, _, err := websocket.Dial(t.Context(), address, &websocket.DialOptions{
		Subprotocols: []string{"3.1_STANDARD"}, HTTPHeader: http.Header{"User-Agent": {"Mozilla/5.0 (X11; Linux x86_64) Chrome/130.0.0.0 Safari/537.36"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ws.CloseNow() })
	s := &statsSession{t: t, ws: ws, id: id}
	for s.call == "" {
		var m struct {
			Type string
			Body struct {
				CallID      string `json:"call_id"`
				SupportCode string `json:"support_code"`
			}
		}
		_, text, err := ws.Read(t.Context())
		if err != nil || json.Unmarshal(text, &m) != nil {
			t.Fatalf("%v: %s", err, text)
		}
		s.call, s.code = m.Body.CallID, m.Body.SupportCode
	}
	return s
}

// say sends one entry; identity is sent as the client does, which doesn't write it as text.
func (s *statsSession) say(method string, pc, value any, at time.Time) {
	s.t.Helper()
	s.number++
	data := any([]any{method, pc, value, at.UnixMilli(), s.number})
	kind := "identity"
	if method != "identity" {
		kind = "stats-entry"
		text, err := json.Marshal(data)
		if err != nil {
			s.t.Fatal(err)
		}
		data = string(text)
	}
	message, err := json.Marshal(fields{"statsSessionId": s.id, "type": kind, "data": data})
	if err != nil {
		s.t.Fatal(err)
	}
	if err := s.ws.Write(s.t.Context(), websocket.MessageText, message); err != nil {
		s.t.Fatal(err)
	}
}

// Rule D2: whatever clients say of their users while they send statistics, and the tokens they come with, is in no answer, table, topic, metric or
// log; the calls are there, of an Anonymous.
func TestRule_D2_CollectedCallsKeepNothingOfTheirGuests(t *testing.T) {
	t.Parallel()
	r, err := startRig(wideLimits(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if r.stop() != 0 {
			t.Errorf("the service did not end well\n%s", r.stderr)
		}
	})
	h := newHouse(t, r, nil)
	app := h.application(nil)
	subject, name, address, device := "zeb-"+rand.Text(), "Zebulon Quimby", "198.51.100.77", "Zebulon's headset"
	token, id := app.token(subject, fields{"name": name}), "session-"+rand.Text()
	from := time.Now().Add(-time.Minute).Truncate(10 * time.Second)
	audio := func(seconds int) fields {
		return fields{
			"timestamp": from.UnixMilli() + int64(seconds)*1000,
			"IT01": fields{
				"timestamp": 0, "type": "inbound-rtp", "kind": "audio", "ssrc": 7, "packetsReceived": 50 * seconds, "packetsLost": seconds, "bytesReceived": 5000 * seconds,
				"jitter": 0.09, "trackIdentifier": device,
			},
			"IL": fields{"type": "local-candidate", "address": address, "ip": address, "candidateType": "host"},
		}
	}
	s := r.collectFrom(t, token, id)
	s.say("identity", nil, fields{"displayName": name, "userId": subject}, from)
	s.say("create", "PC_0", fields{"iceServers": []any{}}, from.Add(time.Millisecond))
	s.say("onicecandidate", "PC_0", fields{"candidate": "candidate:1 1 udp 1 " + address + " 1 typ host"}, from.Add(time.Millisecond))
	s.say("navigator.mediaDevices.getUserMediaOnSuccess", nil, fields{"tracks": []any{fields{"kind": "audio", "label": device}}}, from.Add(time.Millisecond))
	for i := range 25 {
		s.say("getstats", "PC_0", audio(i), from.Add(time.Duration(i)*time.Second+time.Millisecond))
	}
	_ = s.ws.Close(3001, "")

	// The same over HTTP, from a page that is not the resource's and then from none.
	batchToken := app.token(subject, nil)
	batch := func(sequence int, entries []any, ended bool) fields {
		return fields{"session_id": id, "sequence": sequence, "entries": entries, "ended": ended}
	}
	entry := func(i int) any {
		return fields{"at_ms": from.UnixMilli() + int64(i)*1000, "peer_connection": name, "stats": audio(i)}
	}
	if got := r.ask(t, app.token(subject, nil), http.MethodPost, "/v1/collect", batch(1, []any{entry(0)}, false), "Origin", "https://evil.example"); got.code() != "cross_origin" {
		t.Errorf("from another site: %s", got.body)
	}
	if got := r.ask(t, "", http.MethodPost, "/v1/collect", batch(1, []any{entry(0)}, false)); got.code() != "token_missing" {
		t.Errorf("without a token: %s", got.body)
	}
	for _, wrong := range []struct {
		body  fields
		field string
	}{
		{fields{"session_id": id, "sequence": 1}, "entries"},
		{batch(0, []any{}, false), "sequence"},
		{batch(1, []any{fields{"at_ms": 1}}, false), "entries[0].peer_connection"},
		{batch(1, []any{fields{"at_ms": from.UnixMilli(), "peer_connection": "p", "statistics": 1}}, false), "entries[0].statistics"},
		{batch(1, []any{fields{"at_ms": from.UnixMilli(), "peer_connection": "p", "connection_state": "fine"}}, false), "entries[0].connection_state"},
	} {
		var problem struct{ Code, Field string }
		r.ask(t, batchToken, http.MethodPost, "/v1/collect", wrong.body).read(t, &problem)
		if problem.Field != wrong.field {
			t.Errorf("%v: %+v, want field %s", wrong.body, problem, wrong.field)
		}
	}
	var receipt struct {
		CallID       string `json:"call_id"`
		Acknowledged int    `json:"acknowledged"`
	}
	r.must(t, http.StatusOK, batchToken, http.MethodPost, "/v1/collect", batch(1, []any{entry(0), entry(1), entry(2)}, false)).read(t, &receipt)
	if got := r.ask(t, batchToken, http.MethodPost, "/v1/collect", batch(3, []any{entry(4)}, false)); got.status != http.StatusConflict || got.code() != "sequence_gap" {
		t.Errorf("a batch left out: %s", got.body)
	}
	bad := r.ask(t, batchToken, http.MethodPost, "/v1/collect", batch(2, []any{fields{"at_ms": 1, "peer_connection": "p"}}, false))
	if bad.status != http.StatusUnprocessableEntity || !strings.Contains(string(bad.body), `"entries[0].at_ms"`) {
		t.Errorf("a wrong clock: %s", bad.body)
	}
	r.must(t, http.StatusOK, batchToken, http.MethodPost, "/v1/collect", batch(2, []any{entry(3), entry(4)}, true)).read(t, &receipt)
	if receipt.Acknowledged != 2 {
		t.Errorf("receipt %+v", receipt)
	}
	if got := r.ask(t, batchToken, http.MethodPost, "/v1/collect", batch(3, []any{entry(5)}, false)); got.code() != "token_replayed" {
		t.Errorf("after the end: %s", got.body)
	}

	var answers []byte
	for _, call := range []string{s.call, receipt.CallID} {
		eventually(t, "the call "+call, func() (bool, string) {
			got := r.ask(t, h.admin, http.MethodGet, "/v1/calls/"+call+"/streams", nil)
			return got.status == http.StatusOK && strings.Contains(string(got.body), `"partial":false`) && strings.Contains(string(got.body), `"verdict":"poor"`), string(got.body)
		})
		for _, part := range []string{"", "/participants", "/streams", "/timeline", "/issues"} {
			answers = append(answers, r.must(t, http.StatusOK, h.admin, http.MethodGet, "/v1/calls/"+call+part, nil).body...)
		}
		answers = append(answers, r.must(t, http.StatusOK, h.admin, http.MethodGet, "/communications/callRecords/"+call+"?$expand=sessions($expand=segments),participants_v2", nil).body...)
		answers = append(answers, r.must(t, http.StatusOK, h.admin, http.MethodGet, "/communications/callRecords/"+call+"/participants_v2", nil).body...)
	}
	eventually(t, "both calls in the lists", func() (bool, string) { // They are made of summaries, which follow the rows.
		graph := r.must(t, http.StatusOK, h.admin, http.MethodGet, "/communications/callRecords", nil).body
		list := r.must(t, http.StatusOK, h.admin, http.MethodGet, "/v1/calls", nil).body
		found := len(search(graph, []string{s.call, receipt.CallID})) == 2 && len(search(list, []string{s.call, receipt.CallID})) == 2
		if found {
			answers = append(append(answers, graph...), list...)
		}
		return found, string(graph)
	})
	region := config.Default().Ingest.Region
	needles := []string{subject, name, address, device, token, batchToken, id}
	for _, place := range []struct {
		name     string
		content  []byte
		expected string
	}{
		{"answers", answers, "Anonymous"},
		{"tables", tables(t, r.data, "texts"), s.call},
		{"topic of events", flat(r.records(t, event.Topic(region, event.Durable))), s.call},
		{"topic of samples", flat(r.records(t, event.Topic(region, event.Lossy))), s.call},
		{"metrics", r.must(t, http.StatusOK, "", http.MethodGet, "/metrics", nil).body, `anteroom_collect_ended_total{how="ended"} 2`},
		{"log", []byte(r.stderr.String()), "route=/v1/collect/rtcstats/"},
	} {
		if len(search(place.content, []string{place.expected})) == 0 {
			t.Errorf("%s: %q was not found in %d bytes, so the search proves nothing", place.name, place.expected, len(place.content))
		}
		if hits := search(place.content, needles); len(hits) > 0 {
			t.Errorf("%s holds %q", place.name, hits)
		}
	}
	for path, content := range folder(t, filepath.Join(r.data, "identity")) {
		if hits := search(content, needles); len(hits) > 0 {
			t.Errorf("%s holds %q", path, hits)
		}
	}
	if s.code == "" || !strings.HasPrefix(s.code, s.call+"/") || strings.Contains(receipt.CallID, s.call) {
		t.Errorf("support code %q, calls %s and %s", s.code, s.call, receipt.CallID)
	}
}
