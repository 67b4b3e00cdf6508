package main

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	kafkago "github.com/segmentio/kafka-go"

	"github.com/anteroom/anteroom/event"
	"github.com/anteroom/anteroom/internal/config"
	mediaclient "github.com/anteroom/anteroom/media/client"
	"github.com/anteroom/anteroom/media/protocol"
)

// guestAddress and guestCandidate are addresses of nobody (RFC 5737) that the guest's connection and media claim to come from.
const (
	guestAddress   = "198.51.100.77"
	guestCandidate = "203.0.113.99"
)

// A meeting with everything in it leaves nothing of what it knew about its guest, nor, but for the messages that are kept, of what was said: not in
// tables, topics, logs, figures, policy's inputs, answers of analytics or files. Each place is searched for something that must be there too, so that an
// empty search proves something.
func TestRule_D2_MeetingsKeepNothingOfTheirGuests(t *testing.T) {
	t.Parallel()
	to := startSink()
	spans := startSpanCollector(t)
	r, err := startRig(append(wideLimits("ANTEROOM_SIGNALLING_TRUSTED_PROXIES=127.0.0.0/8", "ANTEROOM_MEDIA_FORWARD_REPORT_INTERVAL=1s",
		"ANTEROOM_TRANSCRIPTION_URL=ws"+strings.TrimPrefix(to.server.URL, "http")), spans.environ()...), to)
	if err != nil {
		t.Fatal(err)
	}
	// The folder is looked at after the end, so the end must come before the folder is gone.
	stopped := false
	end := func() {
		if stopped = true; r.end() != 0 {
			t.Errorf("the service did not end well\n%s", r.stderr)
		}
	}
	t.Cleanup(func() {
		if !stopped {
			r.end()
		}
		r.remove()
	})

	h := newHouse(t, r, nil)
	m, needles := fullMeeting(t, h)
	call := m.call
	// Analytics have the call, and its guest as Anonymous.
	analytics := r.analytics(h, call)
	for _, expected := range []string{"Anonymous", organizer, "recording", "notice", "survey"} {
		if !bytes.Contains(analytics, []byte(expected)) {
			t.Errorf("analytics of the call don't tell of %q:\n%.2000s", expected, analytics)
		}
	}

	logsOf(h, h.admin, "/v1/logs", "CallSummary", call, 2)
	eventually(t, "the application's own log has its guest", func() (bool, string) {
		rows := string(query(t, r.data, "SELECT count() FROM resource_log.records FORMAT TSVRaw"))
		return strings.TrimSpace(rows) != "0", rows
	})
	there := meetingsThings(h, m)
	reports := exportsOf(h, there)
	answers := sweptAnswers(t, r.sweep(t, h.token("ann", "admin", "auditor", "policy_author"), call, m.secret, there), needles)
	inputs := r.decisionInputs(t, call)
	canary, planted := "canary-"+rand.Text(), "planted-"+rand.Text()
	plantInTables(t, r.data, canary)
	plantInTopics(t, r.data, canary, planted)
	topics(t, r.data) // What ingest makes of the second record has come.
	spans.awaitPath(t, "record event", "ingest batch", "insert")
	metrics := r.must(t, http.StatusOK, "", http.MethodGet, "/metrics", nil).body
	region := config.Default().Ingest.Region
	for _, place := range []struct {
		name     string
		content  []byte
		expected string
	}{
		{"analytics", analytics, call},
		{"tables", tables(t, r.data, "texts", "guests", "records"), canary},
		{"tables, of the call", tables(t, r.data, "texts", "guests", "records"), call},
		{"topic of events", flat(r.records(t, event.Topic(region, event.Durable))), call},
		{"topic of chat", flat(r.records(t, event.Topic(region, event.Content))), call},
		{"topic of samples", flat(r.records(t, event.Topic(region, event.Lossy))), call},
		{"topic of logs", flat(r.records(t, event.LogsTopic(region))), call},
		{"the organisation's log", r.logs(h), call},
		{"running calls", r.must(t, http.StatusOK, h.admin, http.MethodGet, "/v1/live", nil).body, call},
		{"answers of all routes", answers, call},
		{"reports", reports, call},
		{"views of dashboards", dashboardViews(t, r.data), call},
		{"usage", r.must(t, http.StatusOK, h.admin, http.MethodGet, "/v1/usage", nil).body, `"messages":`},
		{"topic of dead letters", flat(r.records(t, event.DeadLetterTopic(region))), canary},
		{"policy's inputs", inputs, `"kind":"guest"`},
		{"metrics", metrics, `anteroom_media_joins_total{request="join",result="refused"}`},
		{"traces", spans.content(), "/v1/meetings/:id/end"},
		{"log", []byte(r.stderr.String()), "route=/v1/meetings/:id/end"},
	} {
		if len(search(place.content, []string{place.expected})) == 0 {
			t.Errorf("%s: %q was not found in %d bytes, so the search proves nothing", place.name, place.expected, len(place.content))
		}
		for _, needle := range found(place.content, needles) {
			t.Errorf("%s: holds %s", place.name, needle)
		}
	}

	// What was said is kept where messages are, without who said it, and nowhere else.
	var said, others []needle
	for _, n := range needles {
		if strings.HasSuffix(n.what, " message") {
			said = append(said, n)
		} else {
			others = append(others, n)
		}
	}
	texts := query(t, r.data, "SELECT * FROM texts FORMAT TSVRaw")
	if len(found(texts, said)) == 0 {
		t.Errorf("no message is kept: %s", texts)
	}
	for _, needle := range found(texts, others) {
		t.Errorf("messages as they are kept hold %s", needle)
	}
	// The id that the application gave its guest is in the log of its own, and with it nothing else.
	inLog := func(n needle) bool { return n.what == "the guest's id" }
	for _, table := range []string{"guests", "records"} {
		content := query(t, r.data, "SELECT * FROM resource_log."+table+" FORMAT TSVRaw")
		for _, n := range needles {
			if has := len(found(content, []needle{n})) > 0; has != inLog(n) {
				t.Errorf("the application's own log (%s): holds %s: %t", table, n, has)
			}
		}
	}
	folders := func(table string) func(string) bool {
		paths := strings.Fields(string(query(t, r.data, "SELECT arrayJoin(data_paths) FROM system.tables WHERE "+table+" FORMAT TSVRaw")))
		return func(path string) bool {
			return slices.ContainsFunc(paths, func(of string) bool { return strings.HasPrefix(filepath.Join(r.data, path), filepath.Clean(of)+"/") })
		}
	}
	ofTexts, ofLog := folders("name = 'texts'"), folders("database = 'resource_log' AND name IN ('guests', 'records')")

	end() // What was in memory is in the files now.
	planters := 0
	for path, content := range folder(t, r.data) {
		planters += len(search(content, []string{canary}))
		missed := needles
		switch {
		case ofTexts(path):
			missed = others
		case ofLog(path):
			missed = slices.DeleteFunc(slices.Clone(needles), inLog)
		}
		for _, needle := range found(content, missed) {
			t.Errorf("%s holds %s", path, needle)
		}
	}
	if planters < 2 { // ClickHouse's and the broker's
		t.Errorf("the canary is in %d files, want one of each engine", planters)
	}
	for _, needle := range found([]byte(r.stderr.String()), needles) {
		t.Errorf("the log of the end holds %s", needle)
	}
}

// ended is a meeting that was, with the application whose guest was in it.
type ended struct{ call, meeting, secret, resource string }

// needle is something that must not be found, and what it is.
type needle struct{ what, text string }

func (n needle) String() string { return fmt.Sprintf("%s: %q", n.what, n.text) }

// found are the needles in the content, also as they stand in URLs and JSON.
func found(content []byte, needles []needle) []string {
	texts := make([]string, len(needles))
	for i, n := range needles {
		texts[i] = n.text
	}
	hits := search(content, texts) // All at once: the content may be large.
	var out []string
	for _, n := range needles {
		if slices.Contains(hits, n.text) {
			out = append(out, n.String())
		}
	}
	return out
}

// fullMeeting has a guest of whom everything is known do everything, right and wrong, and returns what must be found nowhere.
func fullMeeting(t *testing.T, h *house) (ended, []needle) {
	t.Helper()
	r := h.rig
	secret := func(what string) string { return what + "-" + strings.ToLower(rand.Text()[:16]) }
	name, subject, agent := secret("name"), secret("sub"), secret("agent")
	device := secret("dev")
	said, edited, answered := secret("said"), secret("edited"), secret("answered")
	survey, odd, activity := secret("survey"), secret("odd"), secret("activity")
	needles := []needle{
		{"the guest's name", name},
		{"the guest's id", subject},
		{"the guest's browser", agent},
		{"the guest's device", device[:20]},
		{"a guest's message", said},
		{"an edited message", edited},
		{"an org user's message", answered},
		{"what is in no survey", survey},
		{"a message of an unknown kind", odd},
		{"an org user's poll", activity},
		{"the guest's address", guestAddress},
		{"the guest's candidate", guestCandidate},
	}

	m, app := h.meeting(nil), h.application(nil)
	host := m.user(organizer)
	header := http.Header{"User-Agent": {agent}, "X-Forwarded-For": {guestAddress}}
	guest := r.dialWith(t, "guest", mediaclient.Options{Header: header})
	bad := m.guestJoin(app, name+"\n")
	bad.GuestToken = app.token(subject, fields{"name": name, "email": name + "@example.org"})
	_, err := guest.Join(guest.soon(), bad)
	wantReason(t, "join with a name that can't be", err, protocol.ReasonInvalidName)
	join := bad
	join.DisplayName, join.Client = name, protocol.ClientInfo{Kind: "browser", Family: device[:20], Version: "99.1", OS: device[:20]}
	_, err = guest.Join(guest.soon(), join)
	guest.do(err)
	needles = append(needles, needle{"the guest's token", join.GuestToken}, needle{"a resume token", guest.ResumeToken()}, needle{"the link's secret", m.secret})
	replay := r.dialWith(t, "replay", mediaclient.Options{Header: header})
	_, err = replay.Join(replay.soon(), join)
	wantReason(t, "join with the same token", err, "token_replayed")

	host.do(host.Admit(host.soon(), guest.id()))
	guest.awaitState(protocol.StateAdmitted)
	index := uint16(0)
	pub := guest.publish(mediaclient.Source{Kind: mediaclient.Audio}, mediaclient.Source{Kind: mediaclient.Video})
	_ = guest.Request(guest.soon(), protocol.TypeCandidate, protocol.Candidate{
		Peer: "publish", Candidate: "candidate:1 1 udp 2122260223 " + guestCandidate + " 40000 typ host", SDPMLineIndex: &index,
	}, nil)
	host.awaitMedia(guest, mediaclient.Audio)
	host.do(host.StartRecording(host.soon()))
	host.do(host.StartTranscription(host.soon()))
	for _, p := range []*person{host, guest} {
		notice := await(p, protocol.TypeNotice, ofKind("recording_started"))
		p.do(p.NoticeAck(p.soon(), notice.NoticeID))
	}

	sent := guest.say(said)
	host.awaitChat(said)
	guest.do(guest.ChatEdit(guest.soon(), sent.MessageID, edited))
	host.say(answered)
	guest.awaitChat(answered)
	host.do(host.Activity(host.soon(), protocol.ActivityPoll, json.RawMessage(`{"question":"`+activity+`"}`)))
	_, err = guest.ChatSend(guest.soon(), protocol.ChatSend{Text: said, ReplyTo: sent.MessageID})
	wantReason(t, "a guest replies", err, "not_supported_for_guests")
	guest.do(guest.Diagnostic(guest.soon(), "networkReceiveQuality", "Bad"))
	wantReason(t, "a made-up diagnostic", guest.Diagnostic(guest.soon(), survey, survey), protocol.ReasonInvalidField)
	guest.do(guest.Survey(guest.soon(), protocol.Survey{Ratings: map[string]int{"overall": 4}}))
	wantReason(t, "a made-up tag", guest.Survey(guest.soon(), protocol.Survey{
		Ratings: map[string]int{"overall": 4}, Issues: map[string][]string{"overall": {survey}},
	}), protocol.ReasonInvalidField)
	wantReason(t, "a message of an unknown kind", guest.Request(guest.soon(), odd, fields{odd: odd}, nil), protocol.ReasonUnknownType)
	err = guest.Request(guest.soon(), protocol.TypePublish, fields{"sdp": odd}, nil)
	wantReason(t, "a description that is none", err, protocol.ReasonInvalidSDP)
	figure := 0.5
	guest.do(guest.Stats(guest.soon(), protocol.Stats{Tracks: []protocol.TrackStats{{
		TrackID: pub[0].TrackID(), Direction: "send", IntervalMs: 1000, HealedRatio: &figure, LocalCandidate: odd, Transport: odd,
	}}}))
	waiter := m.guest(app, secret("waits"))
	needles = append(needles, needle{"the name of who waits", waiter.name})
	host.do(host.Reject(host.soon(), waiter.id()))
	waiter.awaitEnd()
	guest.Drop()
	_, err = guest.Reconnect(guest.soon())
	guest.do(err)
	r.must(t, http.StatusCreated, app.token(subject, nil), http.MethodPost, "/v1/calls", fields{"title": "Question"}, "User-Agent", agent)
	host.awaitMorePackets(guest, mediaclient.Video, host.packetsOf(guest, mediaclient.Video)+50)
	eventually(t, "the transcription hears the guest", func() (bool, string) {
		first, _ := r.sink.heard(guest.id())
		return !first.IsZero(), ""
	})
	samples := event.Topic(config.Default().Ingest.Region, event.Lossy)
	eventually(t, "streams are reported", func() (bool, string) {
		return bytes.Contains(flat(r.records(t, samples)), []byte(guest.Joined().CallID)), ""
	})
	host.do(host.StopRecording(host.soon()))
	await(guest, protocol.TypeNotice, ofKind("recording_stopped"))
	return ended{m.endCall(host), m.id, m.secret, app.id}, needles
}

// analytics are all that the API says of a call that has ended.
func (r *rig) analytics(h *house, call string) []byte {
	h.t.Helper()
	var got []byte
	eventually(h.t, "the call is told of to its end", func() (bool, string) {
		got = nil
		for _, part := range []string{"", "/participants", "/streams", "/timeline?page_size=1000", "/issues", "/notices", "/notices?format=csv", "/samples", "/presence"} {
			a := r.ask(h.t, h.admin, http.MethodGet, "/v1/calls/"+call+part, nil)
			if a.status != http.StatusOK {
				return false, string(a.body)
			}
			got = append(got, a.body...)
		}
		for _, path := range []string{
			"/v1/calls?q=" + call, "/v1/calls?format=csv&q=" + call, "/v1/analytics/quality?last=1h&group_by=client,site", "/v1/analytics/heatmap?last=1h&y=client",
			"/v1/analytics/compare?a_call=" + call + "&b_call=" + call, "/v1/analytics/quantiles?last=1h&step=minute",
		} {
			a := r.ask(h.t, h.admin, http.MethodGet, path, nil)
			if a.status != http.StatusOK {
				return false, string(a.body)
			}
			if strings.HasPrefix(path, "/v1/calls?q=") && !strings.Contains(string(a.body), `"state":"complete"`) && !strings.Contains(string(a.body), `"state":"partial"`) {
				return false, string(a.body)
			}
			got = append(got, a.body...)
		}
		text := string(got)
		return strings.Contains(text, "recording_stopped") && strings.Contains(text, "survey") && strings.Contains(text, "stream_id"), text
	})
	return got
}

// flat is all that records consist of.
func flat(records []kafkago.Message) []byte {
	var out []byte
	for _, m := range records {
		out = slices.Concat(out, m.Key, []byte("\n"), m.Value, []byte("\n"))
		for _, header := range m.Headers {
			out = slices.Concat(out, []byte(header.Key), []byte("="), header.Value, []byte("\n"))
		}
	}
	return out
}

// decisionInputs are what policy was asked in a call, as the decision log has it.
func (r *rig) decisionInputs(t *testing.T, call string) []byte {
	t.Helper()
	var out bytes.Buffer
	for _, e := range r.events(t, call) {
		if d := e.GetDecision(); d != nil {
			_, _ = io.WriteString(&out, string(d.GetInput())+"\n")
		}
	}
	return out.Bytes()
}

// logs are all records of the organisation's log.
func (r *rig) logs(h *house) []byte {
	h.t.Helper()
	var out []byte
	for _, category := range []string{"CallSummary", "CallDiagnostics", "CallClientOperations", "CallSurvey", "CallRecordingSummary", "ChatOperational"} {
		out = append(out, r.must(h.t, http.StatusOK, h.admin, http.MethodGet, "/v1/logs?category="+category, nil).body...)
	}
	return out
}
