// Package tracing owns the way of spans to a collector (OTLP over HTTP), and how a trace crosses Kafka: as the header traceparent of a record, which is W3C Trace
// Context. It is off unless an endpoint is configured; then nothing is sent, and a span costs next to nothing.
//
// What spans tell is made of names of routes, event types and topics, and of numbers: nothing that a caller, a participant or a record says. Contexts that
// callers send are not taken in: whoever is outside must not decide what is traced. What can't be sent is dropped.
package tracing

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// Config of tracing.
type Config struct {
	// Endpoint of a collector that takes OTLP over HTTP, with its path: https://collector.example.org:4318/v1/traces, or http. Default "": tracing is off.
	Endpoint string `koanf:"endpoint"`
	// Token is sent as Authorization: Bearer. At most one of Token and TokenFile. Default none.
	Token string `koanf:"token" json:"-"`
	// TokenFile is a file with the token; white space around it is dropped. Default none.
	TokenFile string `koanf:"token_file"`
	// Ratio of requests and events that are traced, 0 to 1. Default 0.01.
	Ratio float64 `koanf:"ratio"`
	// Interval is how long spans are gathered before they are sent. Default 5s.
	Interval time.Duration `koanf:"interval"`
	// Queue is how many spans wait at most; more are dropped. Default 4096.
	Queue int `koanf:"queue"`
	// Timeout bounds sending them. Default 10s.
	Timeout time.Duration `koanf:"timeout"`
}

// DefaultConfig is off.
func DefaultConfig() Config {
	return Config{Ratio: 0.01, Interval: 5 * time.Second, Queue: 4096, Timeout: 10 * time.Second}
}

// Validate names every field that can't be.
func (c Config) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if c.Endpoint != "" {
		u, err := url.Parse(c.Endpoint)
		if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.User != nil {
			bad("endpoint: is no https:// or http:// address without a user")
		}
	}
	if c.Token != "" && c.TokenFile != "" {
		bad("token_file: is set beside token; give one of them")
	}
	if c.Ratio < 0 || c.Ratio > 1 {
		bad("ratio: %v is not 0 to 1", c.Ratio)
	}
	if c.Interval <= 0 {
		bad("interval: %v is not above zero", c.Interval)
	}
	if c.Queue < 1 {
		bad("queue: %d is not above zero", c.Queue)
	}
	if c.Timeout <= 0 {
		bad("timeout: %v is not above zero", c.Timeout)
	}
	return errors.Join(errs...)
}

// Provider makes tracers. The zero value, and nil, trace nothing.
type Provider struct {
	sdk *sdktrace.TracerProvider // nil: off
}

// New makes a provider of the service's version. It connects to nothing, and Close ends it.
func New(ctx context.Context, cfg Config, version string, log *slog.Logger) (*Provider, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("tracing: %w", err)
	}
	if cfg.Endpoint == "" {
		return &Provider{}, nil
	}
	token, err := cfg.token()
	if err != nil {
		return nil, fmt.Errorf("tracing: %w", err)
	}
	options := []otlptracehttp.Option{
		otlptracehttp.WithEndpointURL(cfg.Endpoint), otlptracehttp.WithTimeout(cfg.Timeout), otlptracehttp.WithCompression(otlptracehttp.GzipCompression),
		otlptracehttp.WithRetry(otlptracehttp.RetryConfig{Enabled: false}), // the next ones are on their way
	}
	if token != "" {
		options = append(options, otlptracehttp.WithHeaders(map[string]string{"Authorization": "Bearer " + token}))
	}
	exporter, err := otlptrace.New(ctx, otlptracehttp.NewClient(options...))
	if err != nil {
		return nil, fmt.Errorf("tracing: %w", err)
	}
	return &Provider{sdk: sdktrace.NewTracerProvider(
		sdktrace.WithBatcher(quiet{exporter, log, new(atomic.Bool)}, sdktrace.WithBatchTimeout(cfg.Interval), sdktrace.WithMaxQueueSize(cfg.Queue), sdktrace.WithExportTimeout(cfg.Timeout)),
		sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.TraceIDRatioBased(cfg.Ratio))),
		sdktrace.WithResource(resource.NewSchemaless(attribute.String("service.name", "anteroom"), attribute.String("service.version", version))),
	)}, nil
}

func (c Config) token() (string, error) {
	if c.TokenFile == "" {
		return c.Token, nil
	}
	text, err := os.ReadFile(c.TokenFile)
	if err != nil {
		return "", fmt.Errorf("token_file: %w", err)
	}
	return strings.TrimSpace(string(text)), nil
}

// quiet tells once that spans can't be sent, and once that they can again: it is tried every few seconds, for as long as it takes.
type quiet struct {
	sdktrace.SpanExporter
	log    *slog.Logger
	failed *atomic.Bool
}

// ExportSpans implements sdktrace.SpanExporter.
func (q quiet) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	err := q.SpanExporter.ExportSpans(ctx, spans)
	switch {
	case err != nil && !q.failed.Swap(true):
		q.log.WarnContext(ctx, "spans can't be sent to the collector and are dropped", slog.Any("error", err))
	case err == nil && q.failed.Swap(false):
		q.log.InfoContext(ctx, "spans are sent again")
	}
	return nil // otherwise the library would tell it, each time, on its own
}

// Tracer is a room's; nil if tracing is off.
func (p *Provider) Tracer(room string) trace.Tracer {
	if p == nil || p.sdk == nil {
		return nil
	}
	return p.sdk.Tracer("github.com/anteroom/anteroom/" + room)
}

// Close sends what is gathered.
func (p *Provider) Close(ctx context.Context) error {
	if p == nil || p.sdk == nil {
		return nil
	}
	if err := p.sdk.Shutdown(ctx); err != nil {
		return fmt.Errorf("send spans: %w", err)
	}
	return nil
}

// RouteErrors has what the library has to say go into a log. It is the library's one for all.
func RouteErrors(log *slog.Logger) {
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { log.Debug("tracing", slog.Any("error", err)) }))
}

// Start begins a span as tracers do; without a tracer it is one that does nothing.
func Start(ctx context.Context, tracer trace.Tracer, name string, options ...trace.SpanStartOption) (context.Context, trace.Span) {
	if tracer == nil {
		return ctx, noop.Span{}
	}
	return tracer.Start(ctx, name, options...)
}

// Header is the name of the record header that a trace crosses Kafka in.
const Header = "traceparent"

// Inject is what Header says of a span; nil if it isn't traced.
func Inject(of trace.SpanContext) []byte {
	if !of.IsValid() || !of.IsSampled() {
		return nil
	}
	id, span := of.TraceID(), of.SpanID()
	out := make([]byte, 0, headerLen)
	out = append(out, "00-"...)
	out = hex.AppendEncode(out, id[:])
	out = append(out, '-')
	out = hex.AppendEncode(out, span[:])
	return append(out, "-01"...)
}

const headerLen = 2 + 1 + 32 + 1 + 16 + 1 + 2

// Extract reads what Inject wrote, or what others did by the same standard; false if it isn't traced. https://www.w3.org/TR/trace-context/#traceparent-header
func Extract(header []byte) (trace.SpanContext, bool) {
	if len(header) < headerLen || string(header[:3]) != "00-" || len(header) != headerLen || header[35] != '-' || header[52] != '-' {
		return trace.SpanContext{}, false
	}
	var id trace.TraceID
	var span trace.SpanID
	var flags [1]byte
	for _, part := range []struct{ to, from []byte }{{id[:], header[3:35]}, {span[:], header[36:52]}, {flags[:], header[53:]}} {
		if _, err := hex.Decode(part.to, part.from); err != nil {
			return trace.SpanContext{}, false
		}
	}
	of := trace.NewSpanContext(trace.SpanContextConfig{TraceID: id, SpanID: span, TraceFlags: trace.TraceFlags(flags[0]) & trace.FlagsSampled, Remote: true})
	return of, of.IsValid() && of.IsSampled()
}

// MaxLinks bounds what one span of many records links to.
const MaxLinks = 128

// Set gathers the traces of many records: the first becomes the parent of what is done with all of them, the others its links. The zero value is empty.
type Set struct {
	first trace.SpanContext
	more  []trace.Link
}

// Add takes in a span; what isn't traced, and what is beyond MaxLinks, is left out.
func (s *Set) Add(of trace.SpanContext) {
	switch {
	case !of.IsValid() || !of.IsSampled():
	case !s.first.IsValid():
		s.first = of
	case of.TraceID() == s.first.TraceID() && len(s.more) == 0, len(s.more) >= MaxLinks:
	default:
		if last := len(s.more) - 1; last >= 0 && s.more[last].SpanContext.TraceID() == of.TraceID() {
			return
		}
		s.more = append(s.more, trace.Link{SpanContext: of})
	}
}

// Start begins the span of all of them. Without a trace among them there is none.
func (s *Set) Start(ctx context.Context, tracer trace.Tracer, name string, options ...trace.SpanStartOption) (context.Context, trace.Span) {
	if tracer == nil || !s.first.IsValid() {
		return ctx, noop.Span{}
	}
	return tracer.Start(trace.ContextWithRemoteSpanContext(ctx, s.first), name, append(options, trace.WithLinks(s.more...))...)
}
