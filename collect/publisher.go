package collect

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/anteroom/anteroom/event"
	"github.com/anteroom/anteroom/internal/kafka"
)

// publisher writes sessions' records to Kafka, many sessions' at once, in the order in which they came.
type publisher struct {
	producer *kafka.Producer
	log      *slog.Logger
	metrics  *metrics

	mu     sync.Mutex
	queue  []*batch // guarded by mu
	closed bool     // guarded by mu
	wake   chan struct{}
}

// batch is what one session hands over.
type batch struct {
	records []event.Record
	done    chan struct{}
	err     error // set before done is closed
}

// errStopping: the process ends, and the records were not written, as far as is known.
var errStopping = errors.New("the collector is stopping")

const (
	// writeRecords is about how many records are written in one go.
	writeRecords = 4000
	// endPatience bounds how long the ends of all sessions may take when the process stops, and drainPatience what is still written after that.
	endPatience   = 3 * time.Second
	drainPatience = time.Second
)

func newPublisher(producer *kafka.Producer, log *slog.Logger, m *metrics) *publisher {
	return &publisher{producer: producer, log: log, metrics: m, wake: make(chan struct{}, 1)}
}

// publish returns when Kafka has acknowledged the records. If ctx ends first they are written all the same: to publish them again does no harm,
// since their numbers are the same.
func (p *publisher) publish(ctx context.Context, records []event.Record) error {
	b := &batch{records: records, done: make(chan struct{})}
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return errStopping
	}
	p.queue = append(p.queue, b)
	p.mu.Unlock()
	select {
	case p.wake <- struct{}{}:
	default:
	}
	select {
	case <-b.done:
		return b.err
	case <-ctx.Done():
		return ctx.Err() //nolint:wrapcheck // the caller's own
	}
}

// run writes until ctx ends, and then what is queued for a few seconds more.
func (p *publisher) run(ctx context.Context) {
	writing, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(drainPatience, cut) })
	defer stop()
	for {
		batches, records := p.take()
		if len(batches) > 0 {
			p.write(writing, batches, records)
			continue
		}
		if ctx.Err() != nil {
			p.close()
			return
		}
		select {
		case <-p.wake:
		case <-ctx.Done():
		}
	}
}

// take removes the next batches from the queue.
func (p *publisher) take() ([]*batch, []event.Record) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var records []event.Record
	n := 0
	for ; n < len(p.queue) && (n == 0 || len(records)+len(p.queue[n].records) <= writeRecords); n++ {
		records = append(records, p.queue[n].records...)
	}
	batches := p.queue[:n:n]
	if p.queue = p.queue[n:]; len(p.queue) == 0 {
		p.queue = nil // so that the array behind can go
	}
	return batches, records
}

// write writes until Kafka has acknowledged, or the time is over.
func (p *publisher) write(ctx context.Context, batches []*batch, records []event.Record) {
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
		_, err := p.producer.Write(ctx, records...)
		if err == nil {
			p.metrics.published.Add(float64(len(records)))
			finish(batches, nil)
			return
		}
		p.metrics.failures.Inc()
		if ctx.Err() != nil {
			p.metrics.lost.Add(float64(len(records)))
			p.log.ErrorContext(ctx, "events of clients were left behind at the end", slog.Int("events", len(records)))
			finish(batches, errStopping)
			return
		}
		p.log.WarnContext(ctx, "Kafka does not take events of clients; trying again", slog.Int("events", len(records)), slog.Any("error", err), slog.Duration("next_try_in", wait))
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
	}
}

func finish(batches []*batch, err error) {
	for _, b := range batches {
		b.err = err
		close(b.done)
	}
}

func (p *publisher) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	finish(p.queue, errStopping)
	p.queue = nil
}
