package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/anteroom/anteroom/store"
)

// panics is an importer with a fault.
type panics struct{}

func (panics) Import(context.Context, ImportRequest) (ImportResult, error) { panic("secret") }

// lines is an importer of the simplest format there is: each line is the id of a call. It stores them.
type lines struct{ s *service }

func (l *lines) Import(ctx context.Context, in ImportRequest) (ImportResult, error) {
	text, err := io.ReadAll(in.Body)
	if err != nil {
		return ImportResult{}, fmt.Errorf("read file: %w", err)
	}
	r := l.s.rows()
	var out ImportResult
	for i, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		if line == "" {
			return ImportResult{}, fmt.Errorf("decode: %w", &BadInput{Line: i + 1, Field: "id", Reason: "is empty"})
		}
		r.call(line, i)
		out.CallIDs = append(out.CallIDs, line)
	}
	out.Events = int64(r.Len())
	return out, r.s.store.Insert(ctx, r.Batch, in.Filename)
}

func TestImports(t *testing.T) {
	importer := &lines{}
	s := start(t, func(c *Config, d *Deps) {
		c.MaxImportBytes = 100
		d.Importer = importer
	})
	importer.s = s
	post := func(query string, body io.Reader, status int) answer {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+importsPath+"?"+query, body)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", "application/octet-stream")
		got := s.do(request, importsPath)
		if got.status != status {
			t.Errorf("POST %s: status %d, want %d: %s", query, got.status, status, got.body)
		}
		return got
	}
	const ok = "format=acs&org=contoso&filename=x"
	got := read[object](t, post(ok, strings.NewReader("one\ntwo\n"), 200))
	want := object{"calls": []any{object{"call_id": "one"}, object{"call_id": "two"}}, "events": 4.0, "already_imported": false}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("result (-want +got):\n%s", diff)
	}
	s.get(200, callRoute, "", "two")

	bad := read[object](t, post(ok, strings.NewReader("one\n\nthree"), 422))
	if bad["code"] != "invalid_file" || bad["line"] != 2.0 || bad["field"] != "id" || bad["detail"] != "line 2: id: is empty" {
		t.Errorf("problem %v", bad)
	}
	long := strings.Repeat("x", 101)
	post(ok, strings.NewReader(long), 413)
	post(ok, io.MultiReader(strings.NewReader(long)), 413) // Of a length that is not told.
	for query, parameter := range map[string]string{
		"org=contoso": "format", "format=pcap&org=contoso": "format", "format=acs": "org", "format=acs&org=A": "org", "format=acs&org=a&as=admin": "as",
	} {
		if code, name := s.problem(post(query, strings.NewReader("one"), 400)); code != "invalid_parameter" || name != parameter {
			t.Errorf("%s: %s %s", query, code, name)
		}
	}
	form, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+importsPath+"?"+ok, strings.NewReader("--x"))
	if err != nil {
		t.Fatal(err)
	}
	form.Header.Set("Content-Type", "multipart/form-data; boundary=x")
	if code, _ := s.problem(s.do(form, importsPath)); code != "unsupported_media_type" {
		t.Errorf("a form: %s", code)
	}
	none := start(t, nil)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, none.url+importsPath+"?"+ok, strings.NewReader("one"))
	if err != nil {
		t.Fatal(err)
	}
	if code, _ := none.problem(none.do(request, importsPath)); code != "import_unavailable" {
		t.Errorf("without importer: %s", code)
	}
}

// waits is an importer that tells when it begins and ends when it is told to.
type waits struct{ begun, end chan struct{} }

func (w waits) Import(ctx context.Context, _ ImportRequest) (ImportResult, error) {
	close(w.begun)
	select {
	case <-w.end:
		return ImportResult{}, nil
	case <-ctx.Done():
		return ImportResult{}, ctx.Err()
	}
}

func TestStopLetsRequestsFinish(t *testing.T) {
	importer := waits{make(chan struct{}), make(chan struct{})}
	s := start(t, func(c *Config, d *Deps) {
		c.StopTimeout = time.Minute
		d.Importer = importer
	})
	go func() {
		<-importer.begun
		s.stop()
		// The listener is closed before requests are waited for.
		for {
			conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(s.url, "http://"))
			if err != nil {
				break
			}
			_ = conn.Close()
		}
		close(importer.end)
	}()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+importsPath+"?format=acs&org=contoso", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if got := s.do(request, importsPath); got.status != http.StatusOK {
		t.Errorf("the request that ran at the stop: %d %s", got.status, got.body)
	}
}

func TestServiceRoutes(t *testing.T) {
	checks := []Check{{Name: "clickhouse", OK: true}, {Name: "kafka", OK: true}}
	s := start(t, func(_ *Config, d *Deps) {
		d.Ready = func(context.Context) []Check { return checks }
		d.Registry = prometheus.NewRegistry()
	})
	if got := read[object](t, s.get(200, "/healthz", "")); got["status"] != "ok" {
		t.Errorf("health %v", got)
	}
	if got := read[object](t, s.get(200, "/readyz", "")); got["ready"] != true {
		t.Errorf("readiness %v", got)
	}
	checks[1] = Check{Name: "kafka", Reason: "no broker answers"}
	want := object{"ready": false, "checks": []any{
		object{"name": "clickhouse", "ok": true, "reason": ""}, object{"name": "kafka", "ok": false, "reason": "no broker answers"},
	}}
	if diff := cmp.Diff(want, read[object](t, s.get(503, "/readyz", ""))); diff != "" {
		t.Errorf("readiness (-want +got):\n%s", diff)
	}
	checks[1].Side = true // it is told, and the service is ready all the same
	want["ready"] = true
	if diff := cmp.Diff(want, read[object](t, s.get(200, "/readyz", ""))); diff != "" {
		t.Errorf("readiness without a further region (-want +got):\n%s", diff)
	}
	if got := read[object](t, s.get(200, "/version", "")); got["version"] != "test" {
		t.Errorf("version %v", got)
	}
	if got := read[object](t, s.get(200, "/openapi.json", "")); got["openapi"] != "3.0.3" || got["paths"].(object)["/v1/calls"] == nil {
		t.Errorf("document %v", got)
	}
	s.get(404, callRoute, "", "some-call")
	metrics := string(s.get(200, "/metrics", "").body)
	for _, line := range []string{
		`anteroom_api_requests_total{method="GET",route="/readyz",status="5xx"} 1`,
		`anteroom_api_requests_total{method="GET",route="/v1/calls/:call_id",status="4xx"} 1`,
	} {
		if !strings.Contains(metrics, line) {
			t.Errorf("metrics lack %s:\n%s", line, metrics)
		}
	}
	if strings.Contains(metrics, "some-call") {
		t.Error("metrics have an id in them")
	}
}

func TestLogHasNothingOfWhatWasAskedFor(t *testing.T) {
	s := start(t, nil)
	s.get(200, callsRoute, "participant_label=Canary")
	s.get(404, callRoute, "", "Canary")
	s.get(400, callsRoute, "Canary=1")
	s.get(400, callsRoute, "verdict=Canary")
	tight := start(t, func(c *Config, _ *Deps) { c.Query.MaxMemoryBytes = 1 })
	r := tight.rows()
	r.call("Canary", 0)
	r.insert()
	tight.get(503, callsRoute, "q=Canary")
	for name, log := range map[string]string{"log": s.log.String(), "log of a failing service": tight.log.String()} {
		if strings.Count(log, `"route":"/v1/calls`) == 0 {
			t.Errorf("%s has no requests: %s", name, log)
		}
		for _, word := range []string{"Canary", "127.0.0.1:"} {
			for _, line := range strings.Split(log, "\n") {
				if strings.Contains(line, word) && !strings.Contains(line, "API listens") {
					t.Errorf("%s has %s: %s", name, word, line)
				}
			}
		}
	}
}

func TestOtherSitesAreRefused(t *testing.T) {
	s := start(t, func(c *Config, d *Deps) {
		c.AllowedHosts = []string{"anteroom.example"}
		d.Importer = panics{} // Nothing of this gets so far, unless it is allowed.
	})
	for _, test := range []struct {
		method, host, origin, site string
		status                     int
	}{
		{"GET", "", "", "", 200},
		{"GET", "localhost:80", "", "", 200},
		{"GET", "[::1]:80", "", "", 200},
		{"GET", "127.8.8.8", "", "", 200},
		{"GET", "ANTEROOM.example:8480", "", "", 200},
		{"GET", "evil.example", "", "", 421},
		{"GET", "localhost.evil.example", "", "", 421},
		{"GET", "192.0.2.1", "", "", 421},
		{"GET", "", "http://evil.example", "cross-site", 200}, // A browser does not show the answer to the other site.
		{"POST", "", "", "", 500},
		{"POST", "", "http://evil.example", "", 403},
		{"POST", "", "null", "", 403},
		{"POST", "", "", "cross-site", 403},
		{"POST", "", "", "same-site", 403},
		{"POST", "anteroom.example", "http://anteroom.example", "", 500},
	} {
		path := "/healthz"
		if test.method == http.MethodPost {
			path = importsPath + "?format=acs&org=contoso"
		}
		request, err := http.NewRequestWithContext(t.Context(), test.method, s.url+path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		request.Host = test.host
		for name, v := range map[string]string{"Origin": test.origin, "Sec-Fetch-Site": test.site} {
			if v != "" {
				request.Header.Set(name, v)
			}
		}
		got := s.do(request, "")
		if got.status != test.status {
			t.Errorf("%+v: %d %s", test, got.status, got.body)
		}
		if allowed := got.header.Get("Access-Control-Allow-Origin"); allowed != "" {
			t.Errorf("%+v: allows origin %s", test, allowed)
		}
	}
}

func TestListensOnLoopbackOnly(t *testing.T) {
	deps := Deps{Store: new(store.Store)}
	for listen, want := range map[string]error{
		"127.0.0.1:0": nil, "localhost:0": nil, "[::1]:0": nil, "0.0.0.0:8480": ErrNotLoopback, ":8480": ErrNotLoopback, "[::]:8480": ErrNotLoopback,
		"192.0.2.1:8480": ErrNotLoopback, "[2001:db8::1]:8480": ErrNotLoopback, "[::ffff:192.0.2.1]:0": ErrNotLoopback,
	} {
		cfg := DefaultConfig()
		cfg.Listen = listen
		if _, err := New(cfg, deps); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", listen, err, want)
		}
	}
	for _, listen := range []string{"127.0.0.1", "127.0.0.1:http2", "127.0.0.1:70000"} {
		if err := (Config{Listen: listen}).Validate(); err == nil || !strings.Contains(err.Error(), "listen:") {
			t.Errorf("%s: %v", listen, err)
		}
	}
	// A name of this machine, where it has one that is not of loopback.
	name, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	if address, err := resolveListen(t.Context(), name+":0", false); err == nil && !address.Addr().IsLoopback() {
		t.Errorf("%s is %s", name, address)
	}
	s, err := New(DefaultConfig(), deps)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := (&listenAll{}).listen(t)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Serve(t.Context(), listener); !errors.Is(err, ErrNotLoopback) {
		t.Errorf("a listener on all addresses: %v", err)
	}
}

func TestGeneratedCodeIsCurrent(t *testing.T) {
	const committed = "openapi/openapi.gen.go"
	text, err := os.ReadFile("oapi-codegen.yaml")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	config, out := filepath.Join(dir, "config.yaml"), filepath.Join(dir, "openapi.gen.go")
	if err := os.WriteFile(config, bytes.Replace(text, []byte(committed), []byte(out), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), "go", "tool", "-modfile=../tools/go.mod", "oapi-codegen", "-config", config, "openapi.yaml")
	if text, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	want, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(committed)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("run make generate: openapi.gen.go is not what openapi.yaml says (-want +got):\n%s", diff)
	}
}
