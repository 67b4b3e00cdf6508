package recorder

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/protobuf/proto"

	"github.com/anteroom/anteroom/event"
	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/internal/kafka"
	"github.com/anteroom/anteroom/internal/tracing"
)

// Errors of Record.
var (
	// ErrFull: Kafka has not kept up for so long that no more is taken. The event was not written.
	ErrFull = errors.New("too many events wait for Kafka")
	// ErrTimeout: Kafka has not acknowledged the event in time. It may still be written.
	ErrTimeout = errors.New("no acknowledgement of the event from Kafka in time")
	// ErrClosed: the recorder has ended. The event was not written.
	ErrClosed = errors.New("the recorder has ended")
)

// Recorder numbers and writes events. It is safe for concurrent use.
type Recorder struct {
	cfg      Config
	source   string
	producer *kafka.Producer
	log      *slog.Logger
	tracer   trace.Tracer // nil: nothing is traced
	metrics  metrics

	// sequence of the last event that was numbered; the writer's own.
	sequence uint64

	mu      sync.Mutex
	events  []*entry         // guarded by mu; oldest first
	samples []*eventpb.Event // guarded by mu; oldest first
	closed  bool             // guarded by mu
	// wake has a token when something may be there to write.
	wake chan struct{}
	// writing is since when the batch is being written that the writer has in its hands, in ns since 1970; 0: it has none.
	writing atomic.Int64
}

// trouble is for how long an acknowledgement may be missing before Check says so.
const trouble = 5 * time.Second

// Check tells for how long Kafka has acknowledged nothing although something waits for it; nil if nothing does, or not for long.
func (r *Recorder) Check() error {
	since := r.writing.Load()
	if since == 0 {
		return nil
	}
	waits := time.Since(time.Unix(0, since))
	if waits < trouble {
		return nil
	}
	return fmt.Errorf("no acknowledgement from Kafka for %v: joins, chat, notices and recordings are refused until it gives some", waits.Round(time.Second))
}

// entry is a durable event on its way.
type entry struct {
	event *eventpb.Event
	// traced is the span of who waits for it, if it is traced.
	traced trace.SpanContext
	// done gets the outcome once; it has room for it. Nil for an event that nobody waits for.
	done chan error
	// given up by its sender before it was numbered: it must not be written any more. Guarded by the recorder's mu.
	dropped bool
	// taken by the writer. Guarded by the recorder's mu.
	taken bool
}

// New makes a recorder for a node. Its source must never have been used before: two starts of one node have two sources. Without a tracer nothing is traced.
func New(cfg Config, source string, producer *kafka.Producer, log *slog.Logger, registry prometheus.Registerer, tracer trace.Tracer) (*Recorder, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("make recorder: %w", err)
	}
	r := &Recorder{cfg: cfg.withDefaults(), source: source, producer: producer, log: log, tracer: tracer, wake: make(chan struct{}, 1)}
	if err := r.metrics.register(registry, r); err != nil {
		return nil, fmt.Errorf("make recorder: %w", err)
	}
	return r, nil
}

// Record returns when Kafka has acknowledged the event. It fails with ErrFull, ErrTimeout, ErrClosed, event.ErrInvalid, or when the
// context ends. An event that its sender gave up before it was on its way is not written. The event is copied: whoever gave up may change it and
// try again while the writer still has the first one in its hands.
func (r *Recorder) Record(ctx context.Context, e *eventpb.Event) (err error) {
	ctx, span := tracing.Start(ctx, r.tracer, "record event", trace.WithSpanKind(trace.SpanKindProducer))
	if span.IsRecording() {
		span.SetAttributes(attribute.String("anteroom.event.type", event.Type(e)))
		defer func() { endSpan(span, err) }()
	}
	e = proto.Clone(e).(*eventpb.Event) //nolint:forcetypeassert // a clone is of the same type
	if err := r.complete(e); err != nil {
		return err
	}
	ent := &entry{event: e, traced: span.SpanContext(), done: make(chan error, 1)}
	if err := r.enqueue(ent); err != nil {
		return err
	}
	timer := time.NewTimer(r.cfg.Timeout)
	defer timer.Stop()
	select {
	case err := <-ent.done:
		return err
	case <-ctx.Done():
		r.drop(ent)
		return ctx.Err() //nolint:wrapcheck // the caller's own
	case <-timer.C:
		r.drop(ent)
		return ErrTimeout
	}
}

// endSpan tells whether it worked: by a word of ours, since errors may quote what they are about.
func endSpan(span trace.Span, err error) {
	if err != nil {
		span.SetStatus(codes.Error, "not acknowledged")
	}
	span.End()
}

// Offer takes an event without waiting. False: the queue is full or closed, or the event can't be encoded, and it will not be written. Samples are
// always taken; they push out the oldest.
func (r *Recorder) Offer(e *eventpb.Event) bool {
	if err := r.complete(e); err != nil {
		r.metrics.invalid.Inc()
		r.log.Error("event can't be encoded", "type", event.Type(e), "error", err)
		return false
	}
	if event.ClassOf(e) != event.Lossy {
		return r.enqueue(&entry{event: e}) == nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return false
	}
	if len(r.samples) >= r.cfg.Samples {
		r.samples = r.samples[1:]
		r.metrics.droppedSamples.Inc()
	}
	r.samples = append(r.samples, e)
	r.signal()
	return true
}

// complete fills what the recorder knows and checks the whole, so that a bad event is refused where it is made.
func (r *Recorder) complete(e *eventpb.Event) error {
	e.Id, e.Source, e.SourceKind = event.NewID(), r.source, eventpb.SourceKind_SOURCE_KIND_MEDIA
	e.Sequence = 1 // until the writer numbers it
	if e.ObservedAtUs == 0 {
		e.ObservedAtUs = time.Now().UnixMicro()
	}
	return event.Validate(e) //nolint:wrapcheck // says what it is about
}

func (r *Recorder) enqueue(ent *entry) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.closed:
		return ErrClosed
	case len(r.events) >= r.cfg.Events:
		r.metrics.refused.Inc()
		return ErrFull
	}
	r.events = append(r.events, ent)
	r.signal()
	return nil
}

// drop keeps an event that nobody waits for any more from being written, if there is still time.
func (r *Recorder) drop(ent *entry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !ent.taken {
		ent.dropped = true
	}
}

// signal wakes the writer; r.mu is held or not.
func (r *Recorder) signal() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}
