package ingest

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"
)

// worker ingests one partition for as long as it is assigned: it fetches, assembles and writes at the same time.
type worker struct {
	*Service
	feed      *feed
	topic     string
	partition int32
	log       *slog.Logger
	committer committer
	memory    *share
}

// graceAfterLoss is how long an insert that is under way may go on after the partition was lost. What it stores is not lost work: the
// next owner replays the same range under the same token.
const graceAfterLoss = 5 * time.Second

// run ingests until stop ends, and then drains; or until alive ends, when the partition is no longer ours.
func (w *worker) run(stop, alive context.Context) {
	w.memory = &share{budget: w.budget}
	defer w.memory.releaseAll()
	next, replay, err := w.resume(stop, alive)
	if err != nil {
		return
	}
	group, ctx := errgroup.WithContext(alive)
	fetching, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(stop, cancel)()
	chunks, batches := make(chan chunk, 1), make(chan *batch)
	group.Go(func() error {
		defer close(chunks)
		f := &fetcher{worker: w}
		f.run(fetching, next, chunks)
		return nil
	})
	group.Go(func() error {
		defer close(batches)
		a := &assembler{worker: w, marks: newMarks(w.deps.Store, w.topic, w.partition, w.content), replay: replay, next: next}
		return a.run(ctx, chunks, batches)
	})
	group.Go(func() error { return w.write(ctx, batches) })
	err = group.Wait()
	w.health.set(checkClickHouse, part(w.topic, w.partition), nil)
	if err != nil && !errors.Is(err, errFenced) && !errors.Is(err, context.Canceled) {
		w.log.ErrorContext(alive, "partition stopped", "error", err)
	}
}

// resume reads where the group stands.
func (w *worker) resume(stop, alive context.Context) (int64, *pending, error) {
	ctx, cancel := context.WithCancel(alive)
	defer cancel()
	defer context.AfterFunc(stop, cancel)()
	var next int64
	var replay *pending
	err := w.retry(ctx, checkKafka, "read committed offset", func() (err error) {
		next, replay, err = w.committer.committed(ctx)
		return err
	})
	if replay != nil && err == nil {
		w.metrics.replays.WithLabelValues(w.topic).Inc()
		w.log.InfoContext(ctx, "replaying the range that was pending", "first", replay.first, "last", replay.last)
	}
	return next, replay, err
}

// retry tries until it works, the context ends or the partition is found to be somebody else's. Meanwhile the check says why not.
func (w *worker) retry(ctx context.Context, check, operation string, try func() error) error {
	wait := newBackoff()
	for {
		err := try()
		if err == nil {
			w.health.set(check, part(w.topic, w.partition), nil)
			return nil
		}
		if errors.Is(err, errFenced) {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		w.health.set(check, part(w.topic, w.partition), err)
		w.metrics.retries.WithLabelValues(operation).Inc()
		w.log.Log(ctx, wait.level(), "failed, trying again until it works", "operation", operation, "error", err)
		wait.sleep(ctx)
	}
}

// share is what one partition holds of the memory budget.
type share struct {
	budget *semaphore.Weighted
	held   atomic.Int64
}

func (s *share) acquire(ctx context.Context, n int64) error {
	if err := s.budget.Acquire(ctx, n); err != nil {
		return err
	}
	s.held.Add(n)
	return nil
}

func (s *share) release(n int64) {
	s.held.Add(-n)
	s.budget.Release(n)
}

// releaseAll gives back what is still held when the partition is given up.
func (s *share) releaseAll() { s.budget.Release(s.held.Swap(0)) }
