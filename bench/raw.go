package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"
	kafkago "github.com/segmentio/kafka-go"
	"golang.org/x/sync/errgroup"

	"github.com/anteroom/anteroom/event"
	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/ingest"
	"github.com/anteroom/anteroom/store"
)

// record is one that was read and decoded before the clock starts.
type record struct {
	offset int64
	event  *eventpb.Event
}

// raw inserts what was read, decoded and cut into batches beforehand. Batches are cut by the limits that ingest has, and the
// partitions' are inserted side by side, as ingest does.
func (p plan) raw(ctx context.Context) (outcome, error) {
	storage, err := store.Open(p.Target.config())
	if err != nil {
		return outcome{}, err
	}
	defer storage.Close()
	topic := event.Topic(p.Region, event.Lossy)
	partitions := make([][][]record, topicPartitions)
	for partition := range partitions {
		if partitions[partition], err = readBatches(ctx, p.Brokers[0], topic, partition); err != nil {
			return outcome{}, err
		}
	}
	insert := p.insertRows
	switch p.Contender {
	case contenderStore:
		insert = p.storeInsert(storage, topic, partitions)
	case contenderColumns:
		insert = p.columnInsert(topic, partitions)
	}
	conn, err := p.Target.open()
	if err != nil {
		return outcome{}, err
	}
	defer func() { _ = conn.Close() }()
	out := outcome{}
	runtime.GC() // what preparing left behind is not the insert's
	meter := startMeter(p.ClickHousePid, p.KafkaPid)
	group, groupCtx := errgroup.WithContext(ctx)
	for partition, batches := range partitions {
		out.Inserts += len(batches)
		group.Go(func() error {
			for i := range batches {
				if err := insert(groupCtx, conn, partition, i, batches[i]); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return outcome{}, err
	}
	if err := waitForRows(ctx, conn, p.Rows); err != nil {
		return outcome{}, err
	}
	out.Usage = meter.stop()
	return out, nil
}

type insertFunc func(ctx context.Context, conn driver.Conn, partition, batch int, records []record) error

// storeInsert makes all batches and gives what inserts them: ingest's own way of inserting, without fetching, decoding, marks or commits.
func (p plan) storeInsert(storage *store.Store, topic string, partitions [][][]record) insertFunc {
	batches := make([][]*store.Batch, len(partitions))
	for partition, cut := range partitions {
		for _, records := range cut {
			b := store.NewBatch()
			b.Reset(topic, int32(partition))
			for _, r := range records {
				e, report := r.event, r.event.GetStreamReport()
				envelope := store.Envelope{
					Org: e.Org, Region: e.Region, CallID: e.CallId, SourceKind: int8(e.SourceKind), ObservedAt: time.UnixMicro(e.ObservedAtUs).UTC(),
				}
				for i, s := range report.Streams {
					b.Samples.Add(store.Origin{Offset: r.offset, Index: uint32(i)}, envelope, report, s)
				}
			}
			batches[partition] = append(batches[partition], b)
		}
		clear(cut) // the batches have it all
	}
	return func(ctx context.Context, _ driver.Conn, partition, batch int, _ []record) error {
		return storage.Insert(ctx, batches[partition][batch], fmt.Sprintf("raw/%d/%d", partition, batch))
	}
}

// sampleColumns are the columns of the table in the order of appendRow.
var sampleColumns = strings.Fields(`org region call_id participant_id stream_id observed_at interval_ms source_kind direction media ssrc codec
	packets packets_lost bytes packets_discarded retransmitted_packets frames frames_dropped freezes nacks plis firs
	jitter_ms rtt_ms jitter_buffer_ms healed_ratio frame_rate frame_height freeze_ms bitrate_bps available_bitrate_bps loss_ratio
	_topic _partition _offset _index`)

// insertRows inserts with the driver's Append, row by row, as its documentation shows it.
func (p plan) insertRows(ctx context.Context, conn driver.Conn, partition, _ int, records []record) error {
	batch, err := conn.PrepareBatch(ctx, "INSERT INTO samples ("+strings.Join(sampleColumns, ", ")+")")
	if err != nil {
		return fmt.Errorf("prepare batch: %w", err)
	}
	topic := event.Topic(p.Region, event.Lossy)
	for _, r := range records {
		e, report := r.event, r.event.GetStreamReport()
		for i, s := range report.Streams {
			err := batch.Append(
				e.Org, e.Region, e.CallId, uuid.UUID(report.ParticipantId), uuid.UUID(s.StreamId), time.UnixMicro(e.ObservedAtUs).UTC(),
				report.IntervalMs, int8(e.SourceKind), int8(s.Direction), int8(s.Media), s.Ssrc, s.Codec,
				s.Packets, s.PacketsLost, s.Bytes, s.PacketsDiscarded, s.RetransmittedPackets, s.Frames, s.FramesDropped, s.Freezes,
				s.Nacks, s.Plis, s.Firs, s.JitterMs, s.RttMs, s.JitterBufferMs, s.HealedRatio, s.FrameRate, s.FrameHeight, s.FreezeMs,
				s.BitrateBps, s.AvailableBitrateBps, s.LossRatio, topic, int32(partition), r.offset, uint32(i),
			)
			if err != nil {
				_ = batch.Abort()
				return fmt.Errorf("append row: %w", err)
			}
		}
	}
	if err := batch.Send(); err != nil {
		return fmt.Errorf("send batch: %w", err)
	}
	return nil
}

// readBatches reads a partition to its end and cuts it as ingest does.
func readBatches(ctx context.Context, broker, topic string, partition int) ([][]record, error) {
	conn, err := kafkago.DialLeader(ctx, "tcp", broker, topic, partition)
	if err != nil {
		return nil, fmt.Errorf("connect to Kafka: %w", err)
	}
	defer func() { _ = conn.Close() }()
	end, err := conn.ReadLastOffset()
	if err != nil {
		return nil, fmt.Errorf("read offsets: %w", err)
	}
	limits := ingest.DefaultConfig()
	var batches [][]record
	var current []record
	var weight, rows int
	for next := int64(0); next < end; {
		if _, err := conn.Seek(next, kafkago.SeekAbsolute); err != nil {
			return nil, fmt.Errorf("fetch: %w", err)
		}
		fetched := conn.ReadBatchWith(kafkago.ReadBatchConfig{MinBytes: 1, MaxBytes: 4 << 20, MaxWait: time.Second})
		for {
			m, err := fetched.ReadMessage()
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				break
			}
			if err != nil {
				return nil, fmt.Errorf("fetch: %w", err)
			}
			if m.Offset < next {
				continue
			}
			next = m.Offset + 1
			e, err := event.Decode(m.Value)
			if err != nil {
				return nil, err
			}
			current = append(current, record{m.Offset, e})
			const overhead = 64 // as ingest weighs records
			weight += len(m.Key) + len(m.Value) + overhead
			rows += len(e.GetStreamReport().GetStreams())
			if rows >= limits.FlushRows || weight >= limits.FlushBytes {
				batches, current, weight, rows = append(batches, current), nil, 0, 0
			}
		}
		_ = fetched.Close() // its error was ReadMessage's
	}
	if len(current) > 0 {
		batches = append(batches, current)
	}
	return batches, nil
}

// querier is what counting rows takes.
type querier interface {
	QueryRow(ctx context.Context, query string, args ...any) driver.Row
}

// target is a database of the ClickHouse that is measured.
type target struct{ Addr, User, Password, Database string }

func (t target) config() store.Config {
	cfg := store.DefaultConfig()
	cfg.Addresses, cfg.Database, cfg.Username, cfg.Password = []string{t.Addr}, t.Database, t.User, t.Password
	return cfg
}

func (t target) open() (driver.Conn, error) {
	conn, err := clickhouse.Open(&clickhouse.Options{
		Addr: []string{t.Addr}, Auth: clickhouse.Auth{Database: t.Database, Username: t.User, Password: t.Password},
		Compression: &clickhouse.Compression{Method: clickhouse.CompressionLZ4}, MaxOpenConns: 8, MaxIdleConns: 8,
	})
	if err != nil {
		return nil, fmt.Errorf("connect to ClickHouse: %w", err)
	}
	return conn, nil
}
