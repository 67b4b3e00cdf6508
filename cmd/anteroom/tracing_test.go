package main

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	collectorpb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// spanCollector takes spans in, as OTLP over HTTP sends them.
type spanCollector struct {
	*httptest.Server
	mu    sync.Mutex
	raw   bytes.Buffer    // guarded by mu
	spans []*tracepb.Span // guarded by mu
	// tokens are what callers authorized themselves by.
	tokens []string // guarded by mu
}

const collectorToken = "collect0r-s3cret"

func startSpanCollector(t *testing.T) *spanCollector {
	t.Helper()
	c := &spanCollector{}
	c.Server = httptest.NewServer(http.HandlerFunc(c.take))
	t.Cleanup(c.Close)
	return c
}

func (c *spanCollector) take(w http.ResponseWriter, r *http.Request) {
	body, err := gzip.NewReader(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	raw, err := io.ReadAll(body)
	var request collectorpb.ExportTraceServiceRequest
	if err != nil || proto.Unmarshal(raw, &request) != nil || r.URL.Path != "/v1/traces" {
		http.Error(w, "no spans", http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.raw.Write(raw)
	c.tokens = append(c.tokens, r.Header.Get("Authorization"))
	for _, resource := range request.ResourceSpans {
		for _, scope := range resource.ScopeSpans {
			c.spans = append(c.spans, scope.Spans...)
		}
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
}

// environ has all of a service traced, and sent here.
func (c *spanCollector) environ() []string {
	return []string{
		"ANTEROOM_TRACING_ENDPOINT=" + c.URL + "/v1/traces", "ANTEROOM_TRACING_RATIO=1", "ANTEROOM_TRACING_INTERVAL=100ms", "ANTEROOM_TRACING_TOKEN=" + collectorToken,
		"ANTEROOM_TRACING_QUEUE=100000",
	}
}

// config is environ as a file.
func (c *spanCollector) config(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tracing.yaml")
	text := "tracing: {endpoint: " + c.URL + "/v1/traces, ratio: 1, interval: 100ms, token: " + collectorToken + "}\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// content is all that was sent.
func (c *spanCollector) content() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return bytes.Clone(c.raw.Bytes())
}

// path tells whether a trace has spans of these names, each the child of the one before, and what there is instead.
func (c *spanCollector) path(names ...string) (bool, string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, last := range c.spans {
		at := last
		for i := len(names) - 1; at != nil && at.Name == names[i]; i-- {
			if i == 0 {
				return true, ""
			}
			parent := slices.IndexFunc(c.spans, func(s *tracepb.Span) bool {
				return bytes.Equal(s.SpanId, at.ParentSpanId) && bytes.Equal(s.TraceId, at.TraceId)
			})
			if parent < 0 {
				break
			}
			at = c.spans[parent]
		}
	}
	seen := map[string]int{}
	for _, s := range c.spans {
		seen[s.Name]++
	}
	return false, strings.Join(names, " → ") + " is not among " + strings.Trim(strings.ReplaceAll(formatCounts(seen), "\n", ", "), ", ")
}

func formatCounts(counts map[string]int) string {
	var names []string
	for name := range counts {
		names = append(names, name)
	}
	slices.Sort(names)
	return strings.Join(names, "\n")
}

// awaitPath waits for a trace.
func (c *spanCollector) awaitPath(t *testing.T, names ...string) {
	t.Helper()
	eventually(t, "a trace goes from "+names[0]+" to "+names[len(names)-1], func() (bool, string) { return c.path(names...) })
	c.mu.Lock()
	defer c.mu.Unlock()
	if slices.ContainsFunc(c.tokens, func(token string) bool { return token != "Bearer "+collectorToken }) {
		t.Error("spans came without their token")
	}
}
