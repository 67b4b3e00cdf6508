package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"
)

// sampleSlices are the columns of a batch of samples as clickhouse-go takes them, in the order of sampleColumns.
type sampleSlices struct {
	org, region, call      []string
	participant, stream    []uuid.UUID
	observedAt             []time.Time
	intervalMs             []uint32
	kind, direction, media []int8
	ssrc                   []uint32
	codec                  []string
	packets                []uint64
	lost                   []int64
	counters               [6][]uint64
	feedback               [3][]uint32
	gauges                 [10][]*float32
	topic                  []string
	partition              []int32
	offset                 []int64
	index                  []uint32
}

func (c *sampleSlices) add(topic string, partition int, r record) {
	e, report := r.event, r.event.GetStreamReport()
	for i, s := range report.Streams {
		c.org, c.region, c.call = append(c.org, e.Org), append(c.region, e.Region), append(c.call, e.CallId)
		c.participant, c.stream = append(c.participant, uuid.UUID(report.ParticipantId)), append(c.stream, uuid.UUID(s.StreamId))
		c.observedAt, c.intervalMs = append(c.observedAt, time.UnixMicro(e.ObservedAtUs).UTC()), append(c.intervalMs, report.IntervalMs)
		c.kind, c.direction, c.media = append(c.kind, int8(e.SourceKind)), append(c.direction, int8(s.Direction)), append(c.media, int8(s.Media))
		c.ssrc, c.codec, c.packets, c.lost = append(c.ssrc, s.Ssrc), append(c.codec, s.Codec), append(c.packets, s.Packets), append(c.lost, s.PacketsLost)
		for k, v := range [...]uint64{s.Bytes, s.PacketsDiscarded, s.RetransmittedPackets, s.Frames, s.FramesDropped, s.Freezes} {
			c.counters[k] = append(c.counters[k], v)
		}
		for k, v := range [...]uint32{s.Nacks, s.Plis, s.Firs} {
			c.feedback[k] = append(c.feedback[k], v)
		}
		for k, v := range [...]*float32{
			s.JitterMs, s.RttMs, s.JitterBufferMs, s.HealedRatio, s.FrameRate, s.FrameHeight, s.FreezeMs, s.BitrateBps, s.AvailableBitrateBps, s.LossRatio,
		} {
			c.gauges[k] = append(c.gauges[k], v)
		}
		c.topic, c.partition = append(c.topic, topic), append(c.partition, int32(partition))
		c.offset, c.index = append(c.offset, r.offset), append(c.index, uint32(i))
	}
}

// columns are all of them.
func (c *sampleSlices) columns() []any {
	all := []any{
		c.org, c.region, c.call, c.participant, c.stream, c.observedAt, c.intervalMs, c.kind, c.direction, c.media, c.ssrc, c.codec, c.packets, c.lost,
	}
	for _, v := range c.counters {
		all = append(all, v)
	}
	for _, v := range c.feedback {
		all = append(all, v)
	}
	for _, v := range c.gauges {
		all = append(all, v)
	}
	return append(all, c.topic, c.partition, c.offset, c.index)
}

// columnInsert makes all batches and gives what inserts them: columns as clickhouse-go's documentation shows it, tuned as far as the driver goes: the
// server, which is faster at it, builds the dictionaries.
func (p plan) columnInsert(topic string, partitions [][][]record) insertFunc {
	batches := make([][]sampleSlices, len(partitions))
	for partition, cut := range partitions {
		batches[partition] = make([]sampleSlices, len(cut))
		for i, records := range cut {
			for _, r := range records {
				batches[partition][i].add(topic, partition, r)
			}
		}
		clear(cut) // the batches have it all
	}
	return func(ctx context.Context, conn driver.Conn, partition, i int, _ []record) error {
		ctx = clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{"low_cardinality_allow_in_native_format": 0}))
		batch, err := conn.PrepareBatch(ctx, "INSERT INTO samples ("+strings.Join(sampleColumns, ", ")+")")
		if err != nil {
			return fmt.Errorf("prepare batch: %w", err)
		}
		for at, column := range batches[partition][i].columns() {
			if err := batch.Column(at).Append(column); err != nil {
				_ = batch.Abort()
				return fmt.Errorf("append column %s: %w", sampleColumns[at], err)
			}
		}
		if err := batch.Send(); err != nil {
			return fmt.Errorf("send batch: %w", err)
		}
		return nil
	}
}
