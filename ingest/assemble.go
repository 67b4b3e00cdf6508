package ingest

import (
	"context"
	"fmt"
	"time"

	kafkago "github.com/segmentio/kafka-go"

	"github.com/anteroom/anteroom/event"
	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/internal/tracing"
	"github.com/anteroom/anteroom/store"
)

// decoded is one record: its stream report, or its events, or why it has none.
type decoded struct {
	offset   int64
	time     time.Time
	size     int
	report   reported
	events   []*eventpb.Event
	refusals []refusal
	opened   opened
}

// batch is a contiguous range of offsets on its way into the store.
type batch struct {
	pending pending
	// replayed says that an earlier attempt may have stored some of it.
	replayed bool
	records  int
	// weight is what it holds of the memory budget.
	weight  int64
	rows    *store.Batch
	finish  store.Finish
	doubles int
	// behind is how many records the broker had beyond this batch when it was fetched.
	behind int64
	// traces are those that its records are part of.
	traces tracing.Set
}

// token is the deduplication token of the batch's inserts.
func (b *batch) token() string {
	return fmt.Sprintf("%s/%d/%d/%d-%d", b.finish.Topic, b.finish.Partition, b.pending.firstTime, b.pending.first, b.pending.last)
}

// assembler decodes the records of one partition and cuts them into batches.
type assembler struct {
	*worker
	marks *marks
	// replay is the range that must be cut exactly, nil when it is done.
	replay *pending
	// next is the offset after the last one that was cut.
	next int64

	current []decoded
	// batch has the rows of the reports in current, nil before there are any.
	batch  *store.Batch
	report event.Report
	names  names
	rows   int
	weight int64
	timer  *time.Timer
	behind int64
	traces tracing.Set
}

// run cuts batches until the input ends, and then cuts the rest.
func (a *assembler) run(ctx context.Context, in <-chan chunk, out chan<- *batch) error {
	a.timer = time.NewTimer(time.Hour)
	defer a.timer.Stop()
	for {
		select {
		case c, ok := <-in:
			if !ok {
				// A range to replay that is not complete stays pending.
				if a.replay != nil {
					return nil
				}
				return a.cut(ctx, out)
			}
			if err := a.add(ctx, c, out); err != nil {
				return err
			}
		case <-a.timer.C:
			if a.replay == nil {
				if err := a.cut(ctx, out); err != nil {
					return err
				}
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (a *assembler) add(ctx context.Context, c chunk, out chan<- *batch) error {
	for _, m := range c.records {
		if a.replay != nil && len(a.current) == 0 && a.replay.madeAnew(m) {
			a.log.WarnContext(ctx, "the pending range holds other records than before: the topic was made anew")
			a.replay = nil
			a.doneReplaying()
		}
		if a.replay != nil && m.Offset > a.replay.last {
			if err := a.cut(ctx, out); err != nil {
				return err
			}
		}
		d := a.decode(m)
		if len(a.current) == 0 {
			a.timer.Reset(a.cfg.FlushInterval)
		}
		a.current = append(a.current, d)
		a.traced(m)
		a.weight += a.weigh(m)
		a.behind = c.highWater - m.Offset - 1
		a.rows += d.report.n
		for _, e := range d.events {
			a.rows += max(1, len(e.GetStreamReport().GetStreams()))
		}
		full := a.rows >= a.cfg.FlushRows || a.weight >= int64(a.cfg.FlushBytes)
		if (a.replay == nil && full) || (a.replay != nil && m.Offset >= a.replay.last) {
			if err := a.cut(ctx, out); err != nil {
				return err
			}
		}
	}
	if a.replay != nil && a.behind == 0 && c.highWater <= a.replay.last {
		a.log.WarnContext(ctx, "the broker has lost the end of the pending range")
		return a.cut(ctx, out)
	}
	return nil
}

// collecting is the batch that is being filled.
func (a *assembler) collecting() *store.Batch {
	if a.batch == nil {
		a.batch = a.spares.take(a.topic, a.partition)
	}
	return a.batch
}

// decode makes events of a record, or the rows of its report. A record that a decoder does not survive is refused like any other that can't be read, or it would stop its
// partition for ever.
func (a *assembler) decode(m kafkago.Message) (d decoded) {
	d = decoded{offset: m.Offset, time: m.Time, size: len(m.Value)}
	rows := 0
	if a.batch != nil {
		rows = a.batch.Samples.Len()
	}
	defer func() {
		if recover() != nil {
			a.log.Error("decoder failed on a record", "offset", m.Offset)
			d.report, d.events, d.refusals = reported{}, nil, []refusal{{-1, "the decoder failed on it"}}
			if a.batch != nil {
				a.batch.Samples.Truncate(rows)
			}
		}
	}()
	if !a.feed.reports {
		d.events, d.refusals = a.feed.decode(m.Value)
		return d
	}
	if report, ok := a.readReport(m); ok {
		d.report = report
		return d
	}
	d.events, d.refusals = a.feed.decode(m.Value)
	if report, ok := a.takeReport(m.Offset, d.events); ok {
		d.report, d.events = report, nil
	}
	return d
}

// cut makes a batch of what was collected and hands it over.
func (a *assembler) cut(ctx context.Context, out chan<- *batch) error {
	replay := a.replay
	a.replay = nil
	if len(a.current) == 0 {
		if replay != nil {
			a.log.WarnContext(ctx, "nothing is left in the broker of the pending range")
			a.doneReplaying()
		}
		return nil
	}
	b := &batch{
		pending: pending{first: a.current[0].offset, last: a.current[len(a.current)-1].offset, firstTime: a.current[0].time.UnixMilli()},
		records: len(a.current),
		weight:  a.weight,
		behind:  a.behind,
		traces:  a.traces,
	}
	a.traces = tracing.Set{}
	if a.next > 0 && b.pending.first > a.next {
		b.pending.first = a.next // offsets that hold no record belong to the batch after them
	}
	replayed := int64(store.NoReplay)
	if replay != nil {
		b.pending, b.replayed = *replay, true
		replayed = replay.last
	}
	err := a.retry(ctx, checkClickHouse, "read source marks", func() error { return a.marks.load(ctx, a.current, replayed) })
	if err != nil {
		return err
	}
	if err := a.open(ctx); err != nil {
		return err
	}
	a.build(b)
	a.next = b.pending.last + 1
	clear(a.current) // the events belong to the batch now
	a.current, a.batch, a.rows, a.weight = a.current[:0], nil, 0, 0
	select {
	case out <- b:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// build makes the rows of a batch of what was collected.
func (a *assembler) build(b *batch) {
	b.rows = a.collecting()
	b.finish = store.Finish{Topic: a.topic, Partition: a.partition, First: b.pending.first, Last: b.pending.last}
	var raised batchMarks
	var doubles []reported
	kept := keptBatch{chat: chatBatch{region: a.cfg.Region, home: !a.further}, guests: a.deps.GuestsKept}
	for i := range a.current {
		d := &a.current[i]
		for _, r := range d.refusals {
			b.finish.DeadLetters = append(b.finish.DeadLetters, store.DeadLetter{
				Region: a.cfg.Region, Offset: d.offset, Record: int32(r.record), Reason: r.reason, //nolint:gosec // a message holds fewer records
				Size: uint32(d.size), ObservedAt: d.time, //nolint:gosec // brokers take no records of 4 GiB
			})
		}
		if d.report.source != "" && !a.marks.takeReport(d.report, &raised) {
			doubles = append(doubles, d.report)
			b.doubles++
		}
		rows := recordRows{batch: b.rows, offset: d.offset}
		for _, e := range d.events {
			source := markOf(e)
			before, _ := a.marks.get(source)
			if !a.marks.take(e, d.offset) {
				b.doubles++
				continue
			}
			raised.raise(source, before, e.Sequence)
			if !a.further {
				rows.add(e)
			}
			kept.add(e, d.offset, d.opened, b.rows)
		}
	}
	a.dropDoubles(doubles)
	kept.chat.rows(b.rows, &kept.counter)
	b.finish.Marks = raised.marks
	b.finish.Hours = b.rows.Samples.Hours()
}
