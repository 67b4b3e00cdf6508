package kafka

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"syscall"
	"time"

	kafkago "github.com/segmentio/kafka-go"
	"go.opentelemetry.io/otel/trace"

	"github.com/anteroom/anteroom/event"
	"github.com/anteroom/anteroom/internal/tracing"
)

// Producer writes records and waits for the acknowledgement of all in-sync replicas. It is safe for concurrent use.
type Producer struct {
	writer    *kafkago.Writer
	transport *kafkago.Transport
	// turn lets one Write at a time hand chunks to the writer, so that a chunk is one batch per partition.
	turn sync.Mutex
}

// A chunk of records is within what the writer puts in one batch, and is acknowledged before the next is written. The writer itself goes on
// with later batches after one has failed for good; then a source's mark would rise over a gap, and what is missing would be taken
// for doubled when it is written again.
const (
	chunkRecords = 10_000
	chunkBytes   = 800 << 10
)

// NewProducer makes a producer. Records of one key go to one partition, by the same hash as Kafka's own clients use.
func (c *Client) NewProducer() *Producer {
	return &Producer{transport: c.transport, writer: &kafkago.Writer{
		Addr:         kafkago.TCP(c.cfg.Brokers...),
		Transport:    c.transport,
		Balancer:     kafkago.Murmur2Balancer{Consistent: true},
		RequiredAcks: kafkago.RequireAll,
		Compression:  kafkago.Lz4,
		BatchTimeout: 5 * time.Millisecond,
		BatchSize:    chunkRecords,
		BatchBytes:   1 << 20, // a broker's default limit of a message is 1,048,588 bytes
		MaxAttempts:  10,      // some seconds: connections of the pool that a restarted broker has forgotten fail one by one
		Completion:   completed,
		ReadTimeout:  c.cfg.Timeout,
		WriteTimeout: c.cfg.Timeout,
	}}
}

// ErrTooLarge is what Write answers for a record that no broker of default settings takes.
var ErrTooLarge = errors.New("record is too large for Kafka")

// Positions are the highest offsets written, by partition.
type Positions map[Partition]int64

// Partition is a partition of a topic.
type Partition struct {
	Topic string
	ID    int
}

// written collects the positions of one Write.
type written struct {
	mu        sync.Mutex
	positions Positions // guarded by mu
}

// completed is called by the writer for each acknowledged batch, which may hold messages of several Writes.
func completed(messages []kafkago.Message, err error) {
	if err != nil {
		return
	}
	for _, m := range messages {
		w, ok := m.WriterData.(*written)
		if !ok {
			continue
		}
		w.mu.Lock()
		p := Partition{m.Topic, m.Partition}
		if last, known := w.positions[p]; !known || m.Offset > last {
			w.positions[p] = m.Offset
		}
		w.mu.Unlock()
	}
}

// Write writes the records, in their order within each partition, and returns when all are acknowledged, with the highest offset
// of each partition. On an error the first ones of each partition may be written, and some of them twice, but none after a gap: write
// all of them again, and let their source marks sort it out. If the context has a span that is traced, records that have no header of their own about it
// tell of it.
func (p *Producer) Write(ctx context.Context, records ...event.Record) (Positions, error) {
	w := &written{positions: Positions{}}
	for len(records) > 0 {
		n := chunkLen(records)
		if err := p.writeChunk(ctx, w, records[:n]); err != nil {
			return nil, err
		}
		records = records[n:]
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.positions, nil
}

// chunkLen is how many of the first records make a chunk: at least one.
func chunkLen(records []event.Record) int {
	size := 0
	for i, r := range records[:min(len(records), chunkRecords)] {
		size += len(r.Key) + len(r.Value)
		for _, h := range r.Headers {
			size += len(h.Key) + len(h.Value)
		}
		const overhead = 64
		if size += overhead; size > chunkBytes && i > 0 {
			return i
		}
	}
	return min(len(records), chunkRecords)
}

func (p *Producer) writeChunk(ctx context.Context, w *written, records []event.Record) error {
	p.turn.Lock()
	defer p.turn.Unlock()
	messages := make([]kafkago.Message, len(records))
	traced := tracing.Inject(trace.SpanContextFromContext(ctx))
	for i, r := range records {
		messages[i] = kafkago.Message{Topic: r.Topic, Key: r.Key, Value: r.Value, Headers: headers(r.Headers), WriterData: w}
		if traced != nil && !slices.ContainsFunc(r.Headers, func(h event.Header) bool { return h.Key == tracing.Header }) {
			messages[i].Headers = append(messages[i].Headers, kafkago.Header{Key: tracing.Header, Value: traced})
		}
	}
	err := p.writer.WriteMessages(ctx, messages...)
	if connectionLost(err) && ctx.Err() == nil {
		// The broker was away and knows none of the connections that wait in the pool, which may be more than the writer tries.
		p.transport.CloseIdleConnections()
		err = p.writer.WriteMessages(ctx, messages...)
	}
	var failed kafkago.WriteErrors
	if errors.As(err, &failed) {
		for _, e := range failed {
			if e != nil {
				return fmt.Errorf("write %d of %d records to Kafka: %w", failed.Count(), len(records), e)
			}
		}
	}
	if errors.As(err, new(kafkago.MessageTooLargeError)) {
		return ErrTooLarge
	}
	if err != nil {
		return fmt.Errorf("write to Kafka: %w", err)
	}
	return nil
}

// connectionLost tells whether a write failed because the other end of its connection is gone.
func connectionLost(err error) bool {
	var failed kafkago.WriteErrors
	if errors.As(err, &failed) {
		return slices.ContainsFunc(failed, connectionLost)
	}
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// Close writes out what is queued and closes the connections.
func (p *Producer) Close() error {
	if err := p.writer.Close(); err != nil {
		return fmt.Errorf("close producer: %w", err)
	}
	return nil
}

func headers(from []event.Header) []kafkago.Header {
	to := make([]kafkago.Header, len(from))
	for i, h := range from {
		to[i] = kafkago.Header{Key: h.Key, Value: h.Value}
	}
	return to
}
