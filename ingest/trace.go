package ingest

import (
	"context"

	kafkago "github.com/segmentio/kafka-go"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/anteroom/anteroom/internal/tracing"
)

// traced notes what trace a record is part of.
func (a *assembler) traced(m kafkago.Message) {
	if a.deps.Tracer == nil {
		return
	}
	for _, h := range m.Headers {
		if h.Key != tracing.Header {
			continue
		}
		if of, ok := tracing.Extract(h.Value); ok {
			a.traces.Add(of)
		}
	}
}

// batchSpan is the one span of a batch: a child of the first record's that is traced, with links to the others'.
func (w *worker) batchSpan(ctx context.Context, b *batch) (context.Context, trace.Span) {
	ctx, span := b.traces.Start(ctx, w.deps.Tracer, "ingest batch", trace.WithSpanKind(trace.SpanKindConsumer))
	if span.IsRecording() {
		span.SetAttributes(
			attribute.String("messaging.system", "kafka"), attribute.String("messaging.destination.name", w.topic), attribute.Int("messaging.destination.partition.id", int(w.partition)),
			attribute.Int("messaging.batch.message_count", b.records), attribute.Int64("anteroom.offset.first", b.pending.first), attribute.Int64("anteroom.offset.last", b.pending.last),
			attribute.Int("anteroom.doubles", b.doubles), attribute.Int("anteroom.dead_letters", len(b.finish.DeadLetters)), attribute.Bool("anteroom.replayed", b.replayed),
		)
	}
	return ctx, span
}

// insert stores the rows of a batch.
func (w *worker) insert(ctx context.Context, b *batch) (err error) {
	if trace.SpanFromContext(ctx).IsRecording() {
		var span trace.Span
		ctx, span = tracing.Start(ctx, w.deps.Tracer, "insert", trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(attribute.String("db.system.name", "clickhouse"), attribute.Int("anteroom.rows", b.rows.Len())))
		defer func() { endSpan(span, err) }()
	}
	if b.rows.Len() >= largeBatch {
		if err := w.inserts.Acquire(ctx, 1); err != nil {
			return err
		}
		defer w.inserts.Release(1)
	}
	return w.deps.Store.Insert(ctx, b.rows, b.token())
}

// endSpan tells whether it worked, by a word of ours: errors of engines may quote what they are about.
func endSpan(span trace.Span, err error) {
	if err != nil {
		span.SetStatus(codes.Error, "failed")
	}
	span.End()
}
