package ingest

import (
	"context"
	"fmt"
	"time"
)

const (
	// insertTimeout bounds one attempt to store a batch.
	insertTimeout = time.Minute
	// insertsAtOnce is how many batches of largeBatch rows or more are inserted at a time. Smaller ones, as of chat, wait for none.
	insertsAtOnce = 2
	largeBatch    = 20_000
	// settleTime is waited before rows that a repeated insert did not leave are taken for lost: another owner's insert of the same
	// range may be just about to appear.
	settleTime = time.Second
	// maxRestores bounds how often the rows of one batch are inserted again under further tokens.
	maxRestores = 20
)

// write stores batches in their order. The commit that follows one batch and the one that precedes the next are made in one where
// the next is there already.
func (w *worker) write(ctx context.Context, batches <-chan *batch) error {
	var ready *batch
	for {
		b := ready
		ready = nil
		if b == nil {
			var ok bool
			select {
			case b, ok = <-batches:
				if !ok {
					return nil
				}
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		if !b.replayed {
			if err := w.commit(ctx, b.pending.first, &b.pending); err != nil {
				return err
			}
		}
		if err := w.storeBatch(ctx, b); err != nil {
			return err
		}
		w.spares.put(b.rows)
		w.memory.release(b.weight)
		if b.replayed {
			w.doneReplaying()
		}
		select {
		case ready = <-batches:
		default:
		}
		if ready == nil || ready.replayed {
			if err := w.commit(ctx, b.pending.last+1, nil); err != nil {
				return err
			}
		}
	}
}

func (w *worker) commit(ctx context.Context, next int64, p *pending) error {
	return w.retry(ctx, w.feed.check, "commit offset", func() error {
		// The partition may just have been lost while the batch was stored: then this tells, or still succeeds.
		outlasting, end := outlast(ctx)
		defer end()
		attempt, cancel := context.WithTimeout(outlasting, w.feed.client.Timeout())
		defer cancel()
		return w.committer.commit(attempt, next, p)
	})
}

// outlast makes a context that goes on for a while after its parent ends: what is under way when the partition is lost may end in peace.
func outlast(parent context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(parent))
	stop := context.AfterFunc(parent, func() { time.AfterFunc(graceAfterLoss, cancel) })
	return ctx, func() {
		stop()
		cancel()
	}
}

// storeBatch inserts a batch and what it leaves behind, as often as it takes.
func (w *worker) storeBatch(ctx context.Context, b *batch) (err error) {
	began := time.Now()
	ctx, span := w.batchSpan(ctx, b)
	defer func() { endSpan(span, err) }()
	insert, end := outlast(ctx)
	defer end()
	again := b.replayed
	err = w.retry(ctx, checkClickHouse, "insert", func() error {
		attempt, cancel := context.WithTimeout(insert, insertTimeout)
		defer cancel()
		repeated := again
		again = true
		if err := w.insert(attempt, b); err != nil {
			return err
		}
		if repeated {
			if err := w.restore(attempt, b); err != nil {
				return err
			}
		}
		return w.deps.Store.SaveFinish(attempt, b.finish)
	})
	if err != nil {
		return err
	}
	if len(b.finish.DeadLetters) > 0 {
		if err := w.sendDeadLetters(ctx, b.finish.DeadLetters); err != nil {
			return err
		}
	}
	w.count(b, time.Since(began))
	return nil
}

// restore inserts those rows of a batch that are not stored although its insert was acknowledged: the engine writes its
// deduplication log before it renames the part, and after a crash in between it takes the rows for stored.
func (w *worker) restore(ctx context.Context, b *batch) error {
	for n := 0; n <= maxRestores; n++ {
		missing, err := w.deps.Store.Missing(ctx, b.rows, b.pending.first, b.pending.last)
		if err != nil || missing == nil {
			return err
		}
		if n == 0 { // look once more before anything is done
			select {
			case <-time.After(settleTime):
				continue
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		w.metrics.restored.WithLabelValues(w.topic).Add(float64(missing.Len()))
		w.log.WarnContext(ctx, "rows of an acknowledged insert are missing, inserting them again", "rows", missing.Len(), "attempt", n)
		if err := w.deps.Store.Insert(ctx, missing, fmt.Sprintf("%s:r%d", b.token(), n)); err != nil {
			return err
		}
	}
	return fmt.Errorf("rows of offsets %d to %d stay missing after %d inserts", b.pending.first, b.pending.last, maxRestores)
}

func (w *worker) count(b *batch, took time.Duration) {
	m := w.metrics
	m.records.WithLabelValues(w.topic).Add(float64(b.records))
	m.batches.WithLabelValues(w.topic).Inc()
	m.doubles.WithLabelValues(w.topic).Add(float64(b.doubles))
	m.deadLetters.WithLabelValues(w.topic).Add(float64(len(b.finish.DeadLetters)))
	m.insert.WithLabelValues(w.topic).Observe(took.Seconds())
	m.lag.WithLabelValues(w.topic, fmt.Sprint(w.partition)).Set(float64(b.behind))
	for table, n := range b.rows.Count() {
		m.rows.WithLabelValues(table).Add(float64(n))
	}
}
