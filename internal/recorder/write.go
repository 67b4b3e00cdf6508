package recorder

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/anteroom/anteroom/event"
	"github.com/anteroom/anteroom/internal/kafka"
	"github.com/anteroom/anteroom/internal/tracing"
)

// A batch is bounded so that the acknowledgement of one event never waits for a backlog of thousands of others.
const (
	batchEvents  = 2_000
	batchSamples = 2_000
)

// drainPatience bounds what is still written after the end was asked for.
const drainPatience = 4 * time.Second

// Run writes until the context ends, then writes what is queued for a few seconds more. Whoever waits then is told ErrClosed.
func (r *Recorder) Run(ctx context.Context) error {
	writing, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	stop := context.AfterFunc(ctx, func() {
		time.AfterFunc(drainPatience, cut)
		r.signal()
	})
	defer stop()
	for {
		b := r.take()
		if len(b.records) > 0 {
			r.write(writing, b)
			continue
		}
		if ctx.Err() != nil {
			r.close()
			return nil
		}
		select {
		case <-r.wake:
		case <-ctx.Done():
		}
	}
}

// batch is what is written in one go.
type batch struct {
	records []event.Record
	waiting []*entry
	// traces are those of who waits.
	traces tracing.Set
}

// take numbers and encodes the next batch, durable events first.
func (r *Recorder) take() batch {
	r.mu.Lock()
	n := min(len(r.events), batchEvents)
	entries := r.events[:n:n]
	r.events = r.events[n:]
	for _, ent := range entries {
		ent.taken = true
	}
	m := min(len(r.samples), batchSamples)
	samples := r.samples[:m:m]
	r.samples = r.samples[m:]
	if len(r.events) == 0 {
		r.events = nil // so that the array behind can go
	}
	if len(r.samples) == 0 {
		r.samples = nil
	}
	r.mu.Unlock()

	b := batch{records: make([]event.Record, 0, n+m), waiting: make([]*entry, 0, n)}
	for _, ent := range entries {
		if ent.dropped {
			continue
		}
		ent.event.Sequence = r.next()
		record, err := event.Encode(ent.event)
		if err == nil && len(record.Value) > event.MaxBytes {
			err = kafka.ErrTooLarge
		}
		if err != nil { // else the batch would be written again and again
			r.metrics.invalid.Inc()
			ent.finish(err)
			continue
		}
		if traced := tracing.Inject(ent.traced); traced != nil {
			record.Headers = append(record.Headers, event.Header{Key: tracing.Header, Value: traced})
			b.traces.Add(ent.traced)
		}
		b.records = append(b.records, record)
		b.waiting = append(b.waiting, ent)
	}
	for _, e := range samples {
		e.Sequence = r.next()
		record, err := event.Encode(e)
		if err != nil || len(record.Value) > event.MaxBytes {
			r.metrics.invalid.Inc()
			continue
		}
		b.records = append(b.records, record)
	}
	return b
}

func (r *Recorder) next() uint64 {
	r.sequence++
	return r.sequence
}

// write writes a batch until Kafka has acknowledged it or the recorder's time is over. The numbers stay the same, so what is written
// twice counts once.
func (r *Recorder) write(ctx context.Context, b batch) {
	_, span := b.traces.Start(ctx, r.tracer, "write events", trace.WithAttributes(attribute.Int("messaging.batch.message_count", len(b.records)), attribute.String("messaging.system", "kafka")))
	defer span.End()
	r.writing.Store(time.Now().UnixNano())
	defer r.writing.Store(0)
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
		began := time.Now()
		_, err := r.producer.Write(ctx, b.records...)
		if err == nil {
			r.metrics.written.Add(float64(len(b.records)))
			r.metrics.seconds.Observe(time.Since(began).Seconds())
			for _, ent := range b.waiting {
				ent.finish(nil)
			}
			return
		}
		r.metrics.failures.Inc()
		if ctx.Err() != nil {
			r.log.ErrorContext(ctx, "events were left behind at the end", "events", len(b.records))
			r.metrics.lost.Add(float64(len(b.records)))
			for _, ent := range b.waiting {
				ent.finish(ErrClosed)
			}
			return
		}
		r.log.WarnContext(ctx, "Kafka does not take events; trying again", "events", len(b.records), "error", err, "next_try_in", wait)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
	}
}

// close refuses all that comes later.
func (r *Recorder) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	for _, ent := range r.events {
		ent.finish(ErrClosed)
	}
	r.metrics.lost.Add(float64(len(r.events)))
	r.events, r.samples = nil, nil
}

// finish tells the sender, if it waits.
func (ent *entry) finish(err error) {
	if ent.done != nil {
		ent.done <- err
	}
}
