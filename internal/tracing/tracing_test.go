package tracing_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/trace"

	"github.com/anteroom/anteroom/internal/tracing"
)

func TestATraceCrossesKafka(t *testing.T) {
	of := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1, 2, 3}, SpanID: trace.SpanID{4, 5}, TraceFlags: trace.FlagsSampled, Remote: true})
	header := string(tracing.Inject(of))
	if diff := cmp.Diff("00-01020300000000000000000000000000-0405000000000000-01", header); diff != "" {
		t.Errorf("header (-want +got):\n%s", diff)
	}
	got, ok := tracing.Extract([]byte(header))
	if !ok || !got.Equal(of) {
		t.Errorf("%v %v, want %v", got, ok, of)
	}
	if tracing.Inject(of.WithTraceFlags(0)) != nil || tracing.Inject(trace.SpanContext{}) != nil {
		t.Error("what isn't traced has a header")
	}
	for _, bad := range []string{
		"", "00", strings.Repeat("x", len(header)), "01" + header[2:], header + "-00", strings.Replace(header, "-04", "_04", 1), strings.Replace(header, "0102", "zz02", 1),
		strings.TrimSuffix(header, "01") + "00", "00-" + strings.Repeat("0", 32) + header[35:],
	} {
		if got, ok := tracing.Extract([]byte(bad)); ok {
			t.Errorf("%q: %v", bad, got)
		}
	}
}

func TestValidateNamesTheField(t *testing.T) {
	for field, spoil := range map[string]func(*tracing.Config){
		"endpoint":   func(c *tracing.Config) { c.Endpoint = "collector:4318" },
		"token_file": func(c *tracing.Config) { c.Token, c.TokenFile = "a", "b" },
		"ratio":      func(c *tracing.Config) { c.Ratio = 1.5 },
		"interval":   func(c *tracing.Config) { c.Interval = 0 },
		"queue":      func(c *tracing.Config) { c.Queue = 0 },
		"timeout":    func(c *tracing.Config) { c.Timeout = 0 },
	} {
		cfg := tracing.DefaultConfig()
		spoil(&cfg)
		if err := cfg.Validate(); err == nil || !strings.HasPrefix(err.Error(), field+":") {
			t.Errorf("%s: got %v", field, err)
		}
	}
}

func TestOffIsNothing(t *testing.T) {
	off, err := tracing.New(t.Context(), tracing.DefaultConfig(), "test", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if off.Tracer("x") != nil {
		t.Error("there is a tracer")
	}
	var set tracing.Set
	for _, start := range []func() (context.Context, trace.Span){
		func() (context.Context, trace.Span) { return tracing.Start(t.Context(), nil, "x") },
		func() (context.Context, trace.Span) { return set.Start(t.Context(), nil, "x") },
	} {
		ctx, span := start()
		span.End()
		if ctx != t.Context() || tracing.Inject(span.SpanContext()) != nil {
			t.Error("something is traced")
		}
	}
	if err := off.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

// BenchmarkOff is what a record costs more where tracing is off: a span around it, and the look whether it has a header.
func BenchmarkOff(b *testing.B) {
	ctx := b.Context()
	b.ReportAllocs()
	for b.Loop() {
		ctx, span := tracing.Start(ctx, nil, "x")
		tracing.Inject(trace.SpanContextFromContext(ctx))
		span.End()
	}
}
