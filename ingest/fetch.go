package ingest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	kafkago "github.com/segmentio/kafka-go"
)

// chunk are records in the order of their offsets. Its bytes are held in the budget until its last record is stored.
type chunk struct {
	records []kafkago.Message
	// highWater is the offset after the broker's last record.
	highWater int64
}

const (
	// fetchBytes is what one request asks for; the broker gives at least one record, however large.
	fetchBytes = 2 << 20
	// chunkBytes is about how much is handed over at a time.
	chunkBytes = 512 << 10
	// maxRecordWeight bounds what one record takes of the budget.
	maxRecordWeight = 2 << 20
	// eventWeight is how many times its bytes a record weighs that is no stream report: it is held as an event, and that as objects, while rows of
	// reports are columns.
	eventWeight = 5
	// fetchWait is how long the broker may wait for a record.
	fetchWait = time.Second
)

// fetcher reads one partition, ahead of what is stored.
type fetcher struct{ *worker }

// run reads records from an offset on and sends them until the context ends. It connects again for as long as it takes.
func (f *fetcher) run(ctx context.Context, offset int64, out chan<- chunk) {
	for wait := newBackoff(); ctx.Err() == nil; {
		next, err := f.session(ctx, offset, out)
		if next > offset {
			offset = next
			wait.reset()
		}
		if ctx.Err() != nil || err == nil {
			continue
		}
		f.trouble(f.feed.check, "fetch", err)
		f.metrics.retries.WithLabelValues("fetch").Inc()
		f.log.Log(ctx, wait.level(), "fetch failed, trying again until it works", "error", err)
		wait.sleep(ctx)
	}
}

// session reads over one connection until something fails, and tells the next offset to read.
func (f *fetcher) session(ctx context.Context, offset int64, out chan<- chunk) (int64, error) {
	conn, err := f.dial(ctx)
	if err != nil {
		return offset, err
	}
	defer conn.Close()                                          //nolint:errcheck // nothing was written
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })() // a read that waits must end with the context
	if offset, err = f.seek(ctx, conn, offset); err != nil {
		return offset, err
	}
	for ctx.Err() == nil {
		if err := conn.SetDeadline(time.Now().Add(fetchWait + f.feed.client.Timeout())); err != nil {
			return offset, fmt.Errorf("fetch: %w", err)
		}
		batch := conn.ReadBatchWith(kafkago.ReadBatchConfig{MinBytes: 1, MaxBytes: fetchBytes, MaxWait: fetchWait})
		offset, err = f.drain(ctx, batch, offset, out)
		if closeErr := batch.Close(); errors.Is(err, io.EOF) {
			err = closeErr // io.EOF is the end of the answer; what was wrong with it comes with the close
		}
		switch {
		case err == nil, errors.Is(err, io.EOF), errors.Is(err, kafkago.RequestTimedOut):
		case errors.Is(err, io.ErrUnexpectedEOF):
			// kafka-go answers an empty fetch like this; a connection that is gone fails the next request.
		default:
			return offset, fmt.Errorf("fetch: %w", err)
		}
		f.trouble(f.feed.check, "fetch", nil)
		if _, err := conn.Seek(offset, kafkago.SeekAbsolute|kafkago.SeekDontCheck); err != nil {
			return offset, fmt.Errorf("fetch: %w", err)
		}
	}
	return offset, nil
}

// drain hands over the records of one answer and tells the next offset. It ends with an error, io.EOF when the answer is read.
func (f *fetcher) drain(ctx context.Context, batch *kafkago.Batch, offset int64, out chan<- chunk) (int64, error) {
	var records []kafkago.Message
	var weight int64
	send := func() error {
		if len(records) == 0 {
			return nil
		}
		if err := f.memory.acquire(ctx, weight); err != nil {
			return err
		}
		select {
		case out <- chunk{records: records, highWater: batch.HighWaterMark()}:
			records, weight = nil, 0
			return nil
		case <-ctx.Done():
			f.memory.release(weight)
			return ctx.Err()
		}
	}
	sent := offset
	for {
		m, err := batch.ReadMessage()
		if err != nil {
			if e := send(); e != nil {
				return sent, e
			}
			return offset, err
		}
		if m.Offset < offset {
			continue
		}
		records = append(records, m)
		weight += f.weigh(m)
		offset = m.Offset + 1
		if weight >= chunkBytes {
			if err := send(); err != nil {
				return sent, err
			}
			sent = offset
		}
	}
}

// weigh is recordWeight, but nothing for a record of the range that is replayed: that has to be in memory as a whole, so it is held beside the
// budget, by one partition at a time.
func (w *worker) weigh(m kafkago.Message) int64 {
	if w.replaying != nil && m.Offset <= w.replaying.last {
		return 0
	}
	times := int64(eventWeight)
	if w.feed.isOfReports(w.topic, w.cfg.Region) {
		times = 1
	}
	return recordWeight(m, times)
}

// recordWeight is what a record takes of the budget, in bytes. A large record does not count for more than there is, or it would wait for ever.
func recordWeight(m kafkago.Message, times int64) int64 {
	const overhead = 64
	return min(times*int64(len(m.Key)+len(m.Value)+overhead), maxRecordWeight)
}

func (f *fetcher) dial(ctx context.Context) (*kafkago.Conn, error) {
	dialer := f.feed.client.Dialer()
	plain := net.Dialer{Timeout: dialer.Timeout, KeepAlive: dialer.KeepAlive}
	if dialer.TLS == nil {
		// kafka-go reads field by field from what it is given: a larger buffer saves system calls.
		dialer.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := plain.DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return &bufferedConn{Conn: conn, r: bufio.NewReaderSize(conn, 256<<10)}, nil
		}
	}
	var errs error
	for _, broker := range f.feed.client.Brokers() {
		conn, err := dialer.DialLeader(ctx, "tcp", broker, f.topic, int(f.partition))
		if err == nil {
			return conn, nil
		}
		errs = errors.Join(errs, err)
	}
	return nil, fmt.Errorf("connect to Kafka: %w", errs)
}

// seek goes to an offset, or to what the broker still has of the partition.
func (f *fetcher) seek(ctx context.Context, conn *kafkago.Conn, offset int64) (int64, error) {
	if err := conn.SetDeadline(time.Now().Add(f.feed.client.Timeout())); err != nil {
		return offset, fmt.Errorf("fetch: %w", err)
	}
	first, last, err := conn.ReadOffsets()
	if err != nil {
		return offset, fmt.Errorf("read offsets: %w", err)
	}
	switch {
	case offset < 0:
		offset = first
	case offset < first:
		f.metrics.gaps.WithLabelValues(f.topic).Add(float64(first - offset))
		f.log.ErrorContext(ctx, "the broker dropped records before they were ingested: its retention is shorter than ingest was away", "lost", first-offset)
		offset = first
	case offset > last:
		f.log.ErrorContext(ctx, "the topic is shorter than what was ingested of it: it was made anew; ingesting it from its start", "committed", offset, "end", last)
		offset = first
	}
	if _, err := conn.Seek(offset, kafkago.SeekAbsolute|kafkago.SeekDontCheck); err != nil {
		return offset, fmt.Errorf("fetch: %w", err)
	}
	return offset, nil
}

type bufferedConn struct {
	net.Conn
	r *bufio.Reader
}

func (c *bufferedConn) Read(p []byte) (int, error) { return c.r.Read(p) }
