package main

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	kafkago "github.com/segmentio/kafka-go"
	"google.golang.org/protobuf/proto"

	"github.com/anteroom/anteroom/event"
	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/internal/config"
)

// logRecord is a record as the API gives it.
type logRecord struct {
	Category, CorrelationID, RecordID string
	Properties                        map[string]any
}

// logsOf waits until a log has so many records of a call in a category.
func logsOf(h *house, token, path, category, call string, want int, header ...string) []logRecord {
	h.t.Helper()
	var out []logRecord
	eventually(h.t, "the log "+path+" has "+category, func() (bool, string) {
		out = nil
		a := h.rig.ask(h.t, token, http.MethodGet, path+"?category="+category, nil, header...)
		if a.status != http.StatusOK {
			h.t.Fatalf("%s: %d %s", path, a.status, a.body)
		}
		for line := range bytes.Lines(a.body) {
			var r logRecord
			if err := json.Unmarshal(line, &r); err != nil {
				h.t.Fatalf("%v: %s", err, line)
			}
			if r.Category != category {
				h.t.Fatalf("a record of %s: %s", r.Category, line)
			}
			if r.CorrelationID == call || r.Properties["CallId"] == call {
				out = append(out, r)
			}
		}
		return len(out) == want, fmt.Sprintf("%d records, want %d: %s", len(out), want, a.body)
	})
	return out
}

// resourceToken is one of the application itself.
func (a *application) resourceToken() string {
	return a.token(a.id, fields{"aud": "anteroom-resource"})
}

// produce writes events of a made-up media node of the home region.
func (r *rig) produce(t *testing.T, events ...*eventpb.Event) {
	t.Helper()
	r.produceAs(t, eventpb.SourceKind_SOURCE_KIND_MEDIA, events...)
}

// produceAs is produce for another kind of source.
func (r *rig) produceAs(t *testing.T, kind eventpb.SourceKind, events ...*eventpb.Event) {
	t.Helper()
	c := client(t, r.data)
	writer := &kafkago.Writer{Addr: kafkago.TCP(c.Brokers()...), Transport: c.API().Transport, BatchTimeout: time.Millisecond}
	defer writer.Close()
	source := "media/test/" + uuid.NewString()
	for i, e := range events {
		e.Id, e.Source, e.Sequence, e.SourceKind = event.NewID(), source, uint64(i+1), kind
		e.Region = config.Default().Ingest.Region
		record, err := event.Encode(e)
		if err != nil {
			t.Fatal(err)
		}
		if err := writer.WriteMessages(t.Context(), kafkago.Message{Topic: record.Topic, Key: record.Key, Value: record.Value}); err != nil {
			t.Fatal(err)
		}
	}
}

func rawID(t *testing.T, text string) []byte {
	t.Helper()
	id, err := uuid.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return id[:]
}

// figures of one audio stream that somebody sent.
type figures struct {
	loss       int64
	jitter     float32
	rtt        float32
	bitrate    float32
	packetsOut uint64
}

// sample is a report of a stream that was sent in the last second.
func sample(t *testing.T, org, call, participant string, f figures) *eventpb.Event {
	t.Helper()
	id := uuid.New()
	return &eventpb.Event{Org: org, CallId: call, ObservedAtUs: time.Now().UnixMicro(), Payload: &eventpb.Event_StreamReport{StreamReport: &eventpb.StreamReport{
		ParticipantId: rawID(t, participant), IntervalMs: 1000, Streams: []*eventpb.StreamSample{{
			StreamId: id[:], Direction: eventpb.Direction_DIRECTION_OUTBOUND, Media: eventpb.Media_MEDIA_AUDIO, Codec: "opus", Packets: f.packetsOut, PacketsLost: f.loss,
			JitterMs: proto.Float32(f.jitter), RttMs: proto.Float32(f.rtt), BitrateBps: proto.Float32(f.bitrate),
		}},
	}}}
}

// received makes a sample one of a stream that its participant receives.
func received(e *eventpb.Event) *eventpb.Event {
	e.GetStreamReport().Streams[0].Direction = eventpb.Direction_DIRECTION_INBOUND
	return e
}

// D1: after a meeting its records are in the organisation's log and topic, with guests Anonymous and without identifier, and each application's own log, in its own
// region, has its own guest with the id that it gave it, end codes and notices, and nobody else. Nobody but the application and its organisation gets that one. What
// is in the topic reads back as an Azure source with the same verdict.
func TestRule_D1_LogsAfterTheMeeting(t *testing.T) {
	t.Parallel()
	r := usualRig.get(t)
	s := newStage(t, r, nil, nil)
	h := s.house
	far, stranger := h.application(fields{"region": "amer"}), newHouse(t, r, nil)
	secret := func(what string) string { return what + "-" + strings.ToLower(rand.Text()[:16]) }
	nearID, farID, nearName, farName := secret("near-sub"), secret("far-sub"), secret("near-name"), secret("far-name")
	enter := func(app *application, subject, name string) *person {
		join := s.guestJoin(app, name)
		join.GuestToken = app.token(subject, fields{"name": name})
		p := s.enter(name, join)
		p.do(s.host.Admit(s.host.soon(), p.id()))
		p.awaitState("admitted")
		return p
	}
	near, abroad := enter(s.app, nearID, nearName), enter(far, farID, farName)
	s.host.do(s.host.StartRecording(s.host.soon()))
	for _, p := range []*person{s.host, near, abroad} {
		notice := await(p, "notice", ofKind("recording_started"))
		p.do(p.NoticeAck(p.soon(), notice.NoticeID))
	}
	said := secret("said")
	near.say(said)
	near.say(said + "2")
	abroad.awaitChat(said + "2")
	near.do(near.Diagnostic(near.soon(), "networkReceiveQuality", "Bad"))
	near.do(near.Leave(near.soon()))
	s.host.do(s.host.StopRecording(s.host.soon()))
	terrible := &eventpb.StreamEnded{
		ParticipantId: rawID(t, near.id()), StreamId: rawID(t, uuid.NewString()), Direction: eventpb.Direction_DIRECTION_OUTBOUND, Media: eventpb.Media_MEDIA_AUDIO,
		Codec: "opus", StartedAtUs: time.Now().Add(-time.Minute).UnixMicro(), EndedAtUs: time.Now().UnixMicro(), Packets: proto.Uint64(1000), LossRatio: proto.Float64(0.4),
		JitterMsAvg: proto.Float64(90), RttMsAvg: proto.Float64(40), Transport: "udp",
	}
	call := s.host.Joined().CallID
	r.produce(t, &eventpb.Event{Org: h.org, CallId: call, ObservedAtUs: time.Now().UnixMicro(), Payload: &eventpb.Event_StreamEnded{StreamEnded: terrible}})
	s.ended()

	// The organisation's log.
	const logs = "/v1/logs"
	people := map[string]map[string]any{}
	for _, one := range logsOf(h, h.admin, logs, "CallSummary", call, 3) {
		people[fmt.Sprint(one.Properties["participantId"])] = one.Properties
	}
	for _, guest := range []*person{near, abroad} {
		if p := people[guest.id()]; p["endpointType"] != "Anonymous" || p["identifier"] != nil || p["endpointId"] != nil || p["participantEndReason"] != "0" {
			t.Errorf("the log says of a guest: %v", p)
		}
	}
	if p := people[s.host.id()]; p["identifier"] != organizer || p["endpointType"] != "VOIP" {
		t.Errorf("the log says of the organiser: %v", p)
	}
	logsOf(h, h.admin, logs, "CallRecordingSummary", call, 1)
	logsOf(h, h.admin, logs, "ChatOperational", call, 2)
	var all []byte
	for _, category := range []string{"CallSummary", "CallDiagnostics", "CallClientOperations", "CallSurvey", "CallRecordingSummary", "ChatOperational"} {
		all = append(all, r.must(t, http.StatusOK, h.admin, http.MethodGet, logs+"?category="+category, nil).body...)
	}
	var topic [][]byte
	eventually(t, "the topic of logs has the call", func() (bool, string) {
		topic = nil
		for _, m := range r.records(t, event.LogsTopic(config.Default().Ingest.Region)) {
			if string(m.Key) == h.org+"/"+call {
				topic = append(topic, m.Value)
			}
		}
		return len(topic) > 0, ""
	})
	if len(topic) != 1 {
		t.Errorf("the call is in the topic %d times", len(topic))
	}
	needles := []needle{{"a guest's id", nearID}, {"a guest's id", farID}, {"a guest's name", nearName}, {"a guest's name", farName}, {"a message", said}}
	for name, content := range map[string][]byte{"the log": all, "the topic": bytes.Join(topic, nil)} {
		if len(search(content, []string{call})) == 0 {
			t.Errorf("%s has nothing of the call, so that its search proves nothing", name)
		}
		for _, n := range found(content, needles) {
			t.Errorf("%s has %s", name, n)
		}
	}

	// The applications' own logs.
	own := func(app *application) string { return "/v1/resources/" + app.id + "/logs" }
	for _, tc := range []struct {
		app         *application
		guest       *person
		id, another string
		database    string
	}{{s.app, near, nearID, farID, "resource_log"}, {far, abroad, farID, nearID, "resource_log_amer"}} {
		summary := logsOf(h, h.admin, own(tc.app), "CallSummary", call, 1)[0].Properties
		if summary["identifier"] != tc.id || summary["participantId"] != tc.guest.id() || summary["participantEndReason"] != "0" {
			t.Errorf("an application's log says of its guest: %v", summary)
		}
		notices := logsOf(h, h.token("ida", "auditor"), own(tc.app), "CallNotices", call, map[bool]int{true: 1, false: 2}[tc.guest == near])
		started := slices.IndexFunc(notices, func(n logRecord) bool { return n.Properties["kind"] == "recording_started" })
		if n := notices[max(started, 0)].Properties; started < 0 || n["sentAt"] == nil || n["acknowledgedAt"] == nil || n["identifier"] != tc.id {
			t.Errorf("notices in an application's log: %v", n)
		}
		ids := string(query(t, r.data, "SELECT user_id FROM "+tc.database+".guests FORMAT TSVRaw"))
		if !strings.Contains(ids, tc.id) || strings.Contains(ids, tc.another) {
			t.Errorf("%s has the ids %q", tc.database, ids)
		}
		// The application itself may read it, once per token.
		token := tc.app.resourceToken()
		a := r.must(t, http.StatusOK, "", http.MethodGet, own(tc.app)+"?category=CallSummary", nil, "Anteroom-Resource-Token", token)
		if len(search(a.body, []string{tc.id})) == 0 || len(search(a.body, []string{tc.another})) > 0 {
			t.Errorf("the application itself got %s", a.body)
		}
		for name, header := range map[string]string{
			"the same token again": token, "its guest's token": tc.app.token(tc.id, nil), "a guest's token for the audience": tc.app.token(tc.id, fields{"aud": "anteroom-resource"}),
			"a token for both": tc.app.token(tc.app.id, fields{"aud": []string{"anteroom", "anteroom-resource"}}), "nonsense": "x",
		} {
			if got := r.ask(t, "", http.MethodGet, own(tc.app)+"?category=CallSummary", nil, "Anteroom-Resource-Token", header); got.status != http.StatusUnauthorized {
				t.Errorf("%s: %d %s", name, got.status, got.body)
			}
		}
	}
	for name, tc := range map[string]struct {
		want   int
		token  string
		header []string
	}{
		"another application":            {http.StatusNotFound, "", []string{"Anteroom-Resource-Token", far.resourceToken()}},
		"nobody":                         {http.StatusUnauthorized, "", nil},
		"support":                        {http.StatusForbidden, h.token("sue", "support"), nil},
		"an org user":                    {http.StatusForbidden, h.token("bob", "org_user"), nil},
		"the operator":                   {http.StatusForbidden, h.token("op", "operator"), nil},
		"another organisation's admin":   {http.StatusNotFound, stranger.admin, nil},
		"a guest":                        {http.StatusUnauthorized, s.app.token(nearID, nil), nil},
		"the application's token, there": {http.StatusUnauthorized, s.app.resourceToken(), nil},
	} {
		if got := r.ask(t, tc.token, http.MethodGet, own(s.app)+"?category=CallSummary", nil, tc.header...); got.status != tc.want {
			t.Errorf("%s: %d %s, want %d", name, got.status, got.body, tc.want)
		}
	}
	if got := r.must(t, http.StatusOK, stranger.admin, http.MethodGet, logs+"?category=CallSummary", nil).body; len(got) > 0 {
		t.Errorf("another organisation's log: %s", got)
	}

	// Usage.
	var usage struct {
		Usage []struct {
			ResourceID         string  `json:"resource_id"`
			ParticipantMinutes float64 `json:"participant_minutes"`
			Stays, Messages    int
		}
	}
	r.must(t, http.StatusOK, h.admin, http.MethodGet, "/v1/usage", nil).read(t, &usage)
	used := map[string][2]int{}
	for _, u := range usage.Usage {
		used[u.ResourceID] = [2]int{used[u.ResourceID][0] + u.Stays, used[u.ResourceID][1] + u.Messages}
		if u.ParticipantMinutes <= 0 {
			t.Errorf("usage without minutes: %+v", u)
		}
	}
	if diff := cmp.Diff(map[string][2]int{s.app.id: {1, 2}, far.id: {1, 0}}, used); diff != "" {
		t.Errorf("stays and messages by application (-want +got):\n%s", diff)
	}

	// What is in the topic, read as Azure's records.
	type judged struct {
		Verdict string
		Streams map[string]int
		Issues  struct {
			Total       int
			PoorStreams int `json:"poor_streams"`
		}
	}
	file := bytes.Join(topic, []byte("\n"))
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.url+"/v1/imports?format=acs&org="+stranger.org, bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/octet-stream")
	req.Header.Set("Authorization", "Bearer "+stranger.admin)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("import of the topic: %d", resp.StatusCode)
	}
	var written, read judged
	r.must(t, http.StatusOK, h.admin, http.MethodGet, "/v1/calls/"+call, nil).read(t, &written)
	r.must(t, http.StatusOK, stranger.admin, http.MethodGet, "/v1/calls/"+call, nil).read(t, &read)
	if diff := cmp.Diff(written, read); diff != "" {
		t.Errorf("read back with another verdict (-written +read):\n%s", diff)
	}
	if written.Verdict != "poor" || written.Issues.PoorStreams < 1 {
		t.Errorf("the call is %+v, so that this proves little", written)
	}
}

// livePicture is what runs.
type livePicture struct {
	Calls []struct {
		CallID  string `json:"call_id"`
		State   string
		Verdict string
		Users   []struct {
			ParticipantID string `json:"participant_id"`
			Label         string
			Streams       []any
		}
		Streams map[string]int
		Reasons []any
		Jitter  *float64 `json:"jitter_ms"`
		Loss    *float64 `json:"loss_ratio"`
		RTT     *float64 `json:"rtt_ms"`
	}
}

// stream reads server-sent events.
func stream(t *testing.T, r *rig, token, lastID string) (<-chan [3]string, func()) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.url+"/v1/live", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", "text/event-stream")
	req.Header.Set("Authorization", "Bearer "+token)
	if lastID != "" {
		req.Header.Set("Last-Event-ID", lastID)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("stream: %d %s", resp.StatusCode, resp.Header.Get("Content-Type"))
	}
	out := make(chan [3]string, 1000)
	go func() {
		defer close(out)
		var e [3]string
		for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
			switch name, value, _ := strings.Cut(lines.Text(), ": "); name {
			case "event":
				e[0] = value
			case "id":
				e[1] = value
			case "data":
				e[2] = value
			case "":
				out <- e
				e = [3]string{}
			}
		}
	}()
	return out, func() { resp.Body.Close() }
}

// nextCalls is the next event with calls.
func nextCalls(t *testing.T, events <-chan [3]string) [3]string {
	t.Helper()
	deadline := time.After(rigPatience)
	for {
		select {
		case e, ok := <-events:
			if !ok {
				t.Fatal("the stream ended")
			}
			if e[0] == "calls" {
				return e
			}
		case <-deadline:
			t.Fatal("no event with calls came")
		}
	}
}

// D3: guests are in no row, count or average of what runs, however terrible their streams are, and neither once the call has ended; a call of guests alone
// isn't there at all.
func TestRule_D3_GuestsAreNotInTheLiveView(t *testing.T) {
	t.Parallel()
	r := usualRig.get(t)
	s := newStage(t, r, nil, nil)
	guest := s.inside("Greta")
	call := s.host.Joined().CallID
	events, hangUp := stream(t, r, s.house.admin, "")
	defer hangUp()

	// A call that has a guest only.
	var made struct {
		JoinURL string `json:"join_url"`
		ID      string `json:"meeting_id"`
	}
	r.must(t, http.StatusCreated, s.app.token("sub-x", nil), http.MethodPost, "/v1/calls", fields{"title": "Question"}).read(t, &made)
	lone := s.house.room(made.ID, made.JoinURL).guest(s.app, "Gus")
	r.produce(t,
		sample(t, s.house.org, call, s.host.id(), figures{jitter: 5, rtt: 40, bitrate: 48_000, packetsOut: 50}),
		sample(t, s.house.org, call, guest.id(), figures{jitter: 700, rtt: 3000, bitrate: 4_000, packetsOut: 50, loss: 40}),
		received(sample(t, s.house.org, call, s.host.id(), figures{jitter: 700, rtt: 3000, bitrate: 4_000, packetsOut: 50, loss: 40})), // which the guest made
		sample(t, s.house.org, lone.Joined().CallID, lone.id(), figures{jitter: 700, rtt: 3000, bitrate: 4_000, packetsOut: 50, loss: 40}),
	)
	f := func(v float64) *float64 { return &v }
	clean := func(state string) func() (bool, string) {
		return func() (bool, string) {
			body := r.must(t, http.StatusOK, s.house.admin, http.MethodGet, "/v1/live", nil).body
			for _, p := range []*person{guest, lone} {
				if bytes.Contains(body, []byte(p.id())) {
					t.Fatalf("the live view has a guest: %s", body)
				}
			}
			if bytes.Contains(body, []byte(lone.Joined().CallID)) || bytes.Contains(body, []byte("Anonymous")) {
				t.Fatalf("the live view has guests: %s", body)
			}
			var got livePicture
			if err := json.Unmarshal(body, &got); err != nil {
				t.Fatal(err)
			}
			if len(got.Calls) != 1 || got.Calls[0].State != state || got.Calls[0].Streams["total"] != 1 {
				return false, string(body)
			}
			c := got.Calls[0]
			if c.CallID != call || len(c.Users) != 1 || c.Users[0].ParticipantID != s.host.id() || c.Users[0].Label != organizer {
				t.Errorf("the live view has %+v", c)
			}
			if c.Verdict != "good" || len(c.Reasons) > 0 || !cmp.Equal(c.Jitter, f(5)) || !cmp.Equal(c.Loss, f(0)) || !cmp.Equal(c.RTT, f(40)) {
				t.Errorf("the figures aren't those of the org user alone: %s", body)
			}
			return true, ""
		}
	}
	eventually(t, "the call runs, with its org user's stream", clean("running"))
	// Analytics have the guest's stream once the call has ended; the live view hasn't.
	s.ended()
	rows(s.house, call, "/participants", func(c struct {
		Participants []any `json:"participants"`
	},
	) bool {
		return len(c.Participants) == 2
	})
	eventually(t, "the call has ended", clean("ended"))

	// What is pushed is the same, and who comes back isn't told twice.
	var last [3]string
	eventually(t, "the end is pushed", func() (bool, string) {
		last = nextCalls(t, events)
		if strings.Contains(last[2], guest.id()) || strings.Contains(last[2], lone.id()) {
			t.Fatalf("a guest was pushed: %s", last[2])
		}
		return strings.Contains(last[2], `"state":"ended"`) && strings.Contains(last[2], `"total":1`), last[2]
	})
	hangUp()
	again, hangUpAgain := stream(t, r, s.house.admin, last[1])
	defer hangUpAgain()
	if first := <-again; first[0] != "alive" {
		t.Errorf("the first event is %v", first)
	}
	s.house.meeting(nil).user(organizer)
	if next := nextCalls(t, again); next[1] == last[1] || !strings.Contains(next[2], `"state":"running"`) {
		t.Errorf("who came back with the id %s got %v", last[1], next)
	}
}
