package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/protobuf/proto"

	"github.com/anteroom/anteroom/analytics"
	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/internal/embedded/embeddedtest"
	"github.com/anteroom/anteroom/quality"
	"github.com/anteroom/anteroom/store"
	"github.com/anteroom/anteroom/store/storetest"
)

func TestMain(m *testing.M) {
	// For holding answers against the document, calendar entries and pages are text, and recordings are files.
	openapi3filter.RegisterBodyDecoder("text/calendar", openapi3filter.PlainBodyDecoder)
	openapi3filter.RegisterBodyDecoder("text/html", openapi3filter.PlainBodyDecoder)
	for _, kind := range []string{"audio/webm", "video/webm", "application/x-ndjson", "multipart/byteranges", "application/zip"} {
		openapi3filter.RegisterBodyDecoder(kind, openapi3filter.FileBodyDecoder)
	}
	embeddedtest.Main(m)
}

// noon is when the calls of these tests start.
func noon() time.Time { return time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC) }

// service is a running API with a store of its own.
type service struct {
	t     *testing.T
	url   string
	store *store.Store
	log   *lockedBuffer
	ops   map[string]operation
	// people are who may ask; requests are an admin's of contoso unless they say otherwise.
	people *people
	// stop tells the service to stop; the test's end waits for it.
	stop context.CancelFunc
}

// lockedBuffer collects the log.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer // guarded by mu
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// start runs the API on a free port until the test ends.
func start(t *testing.T, change func(*Config, *Deps)) *service {
	t.Helper()
	out := &service{t: t, log: &lockedBuffer{}}
	cfg := DefaultConfig()
	cfg.Listen = "localhost:0"
	cfg.RequestsPerMinute, cfg.AttemptsPerMinute = 1_000_000, 1_000_000 // Tests ask more often than people.
	deps := Deps{Logger: slog.New(slog.NewJSONHandler(out.log, &slog.HandlerOptions{Level: slog.LevelDebug})), Version: "test"}
	if change != nil {
		change(&cfg, &deps)
	}
	if deps.Store == nil {
		deps.Store, _ = storetest.Reused(t)
	}
	out.store = deps.Store
	rows, rowsCfg := storetest.Reused(t)
	out.people = newPeople(t, rows)
	out.people.sql = storetest.NewSQL(t, rowsCfg)
	if deps.Auth == nil {
		out.people.give(&deps) // The calls' store may be away: who asks is known all the same.
	}
	s, err := New(cfg, deps)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := Listen(t.Context(), cfg, deps.Remote)
	if err != nil {
		t.Fatal(err)
	}
	out.url = "http://" + listener.Addr().String()
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	out.stop = stop
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, listener) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	doc, _, err := readDocument()
	if err != nil {
		t.Fatal(err)
	}
	out.ops = operationsOf(doc)
	return out
}

// browserless is a client that follows no redirects.
func browserless() *http.Client {
	return &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// answer is what came back, checked against the document.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// do sends a request and holds the answer against the document: pattern is echo's pattern of the route, "" for none.
func (s *service) do(request *http.Request, pattern string) answer {
	s.t.Helper()
	if _, set := request.Header["Authorization"]; !set {
		request.Header.Set("Authorization", "Bearer "+s.people.token("admin@contoso"))
	}
	response, err := browserless().Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	if op, ok := s.ops[request.Method+" "+pattern]; ok {
		input := &openapi3filter.ResponseValidationInput{
			RequestValidationInput: &openapi3filter.RequestValidationInput{Request: request, Route: op.route},
			Status:                 response.StatusCode, Header: response.Header,
			Options: &openapi3filter.Options{IncludeResponseStatus: true},
		}
		if err := openapi3filter.ValidateResponse(s.t.Context(), input.SetBodyBytes(body)); err != nil {
			s.t.Errorf("%s %s: the answer is not as documented: %v\n%s", request.Method, request.URL, err, body)
		}
	} else if pattern != "" {
		s.t.Fatalf("the document has no %s %s", request.Method, pattern)
	}
	return answer{response.StatusCode, response.Header, body}
}

// get asks for pattern with its :parameters filled in turn, and for the status wanted.
func (s *service) get(status int, pattern, query string, ids ...string) answer {
	s.t.Helper()
	path := pattern
	for _, id := range ids {
		begin := strings.Index(path, "/:")
		end := strings.Index(path[begin+1:], "/")
		rest := ""
		if end >= 0 {
			rest = path[begin+1+end:]
		}
		path = path[:begin+1] + url.PathEscape(id) + rest
	}
	if query != "" {
		path += "?" + query
	}
	request, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.url+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	got := s.do(request, pattern)
	if got.status != status {
		s.t.Errorf("GET %s: status %d, want %d: %s", path, got.status, status, got.body)
	}
	return got
}

// read decodes the answer.
func read[T any](t *testing.T, a answer) T {
	t.Helper()
	var out T
	if err := json.Unmarshal(a.body, &out); err != nil {
		t.Fatalf("%v: %s", err, a.body)
	}
	return out
}

// object is an answer without a type.
type object = map[string]any

// problem checks that the answer is a problem and returns its code and parameter.
func (s *service) problem(a answer) (code, parameter string) {
	s.t.Helper()
	if got := a.header.Get("Content-Type"); got != "application/problem+json" {
		s.t.Errorf("content type %q of a problem: %s", got, a.body)
	}
	p := read[object](s.t, a)
	if p["status"] != float64(a.status) || p["request_id"] != a.header.Get("X-Request-Id") {
		s.t.Errorf("problem disagrees with its answer: %v", p)
	}
	code, _ = p["code"].(string)
	parameter, _ = p["parameter"].(string)
	return code, parameter
}

// rows makes a batch and stores it.
type rows struct {
	*store.Batch
	s      *service
	offset int64
	env    store.Envelope
}

func (s *service) rows() *rows {
	r := &rows{Batch: store.NewBatch(), s: s}
	r.Reset("events", 0)
	r.env = store.Envelope{Org: "contoso", Region: "emea", CallID: "call-1", SourceKind: 2, ObservedAt: noon()}
	return r
}

func (r *rows) origin() store.Origin {
	r.offset++
	return store.Origin{Offset: r.offset}
}

func (r *rows) insert() {
	r.s.t.Helper()
	if err := r.s.store.Insert(r.s.t.Context(), r.Batch, fmt.Sprint(uuid.New())); err != nil {
		r.s.t.Fatalf("insert rows: %v", err)
	}
	r.Reset("events", 0)
	r.s.sumUp()
}

// sumUp makes the summaries of all calls, as the role ingest does.
func (s *service) sumUp() {
	s.t.Helper()
	profiles, err := quality.NewProfiles(quality.DefaultConfig())
	if err != nil {
		s.t.Fatal(err)
	}
	m, err := analytics.NewSummariser(s.store, profiles, analytics.DefaultConfig(), time.Now, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := m.Pass(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
}

// id is a UUID of one repeated byte.
func id(b byte) []byte { return bytes.Repeat([]byte{b}, 16) }

func idOf(b byte) string { return uuid.UUID(id(b)).String() }

// call adds a call that started so many minutes after noon, and ended half an hour later.
func (r *rows) call(callID string, minutes int) {
	r.env.CallID, r.env.ObservedAt = callID, noon().Add(time.Duration(minutes)*time.Minute)
	begin := r.env.ObservedAt
	r.Calls.AddStarted(r.origin(), r.env, &eventpb.CallStarted{StartedAtUs: begin.UnixMicro(), Kind: eventpb.CallKind_CALL_KIND_GROUP, MeetingId: "m33t"})
	r.Calls.AddEnded(r.origin(), r.env, &eventpb.CallEnded{EndedAtUs: begin.Add(30 * time.Minute).UnixMicro(), Reason: "hangup"})
}

func (r *rows) join(person byte, who store.Who) {
	r.Participants.AddJoined(r.origin(), r.env, who, &eventpb.ParticipantJoined{
		ParticipantId: id(person), JoinedAtUs: r.env.ObservedAt.UnixMicro(), ClientFamily: "Chrome", ClientVersion: "140", OsFamily: "Windows",
	})
}

// stream adds an inbound audio stream with this average jitter.
func (r *rows) stream(person, stream byte, jitterMs float64) { r.streamed(person, stream, 1, jitterMs) }

// streamed is stream for one that was received (1) or sent (2).
func (r *rows) streamed(person, stream byte, way eventpb.Direction, jitterMs float64) {
	r.Streams.Add(r.origin(), r.env, &eventpb.StreamEnded{
		ParticipantId: id(person), StreamId: id(stream), Direction: way, Media: 1, Ssrc: 7, Codec: "opus", Packets: proto.Uint64(1000),
		PacketsLost: proto.Int64(-1), LossRatio: proto.Float64(0.001), JitterMsAvg: &jitterMs, StartedAtUs: r.env.ObservedAt.UnixMicro(),
	})
}
