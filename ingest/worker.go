package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
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
	// replaying is the range that was pending when the partition was assigned, nil for none. Set before anything is fetched.
	replaying *pending
	// replayed gives up the turn to replay, once.
	replayed sync.Once
}

// graceAfterLoss is how long an insert that is under way may go on after the partition was lost. What it stores is not lost work: the
// next owner replays the same range under the same token.
const graceAfterLoss = 3 * time.Second

// run ingests until stop ends, and then drains; or until alive ends, when the partition is no longer ours.
func (w *worker) run(stop, alive context.Context) {
	defer w.memory.releaseAll()
	defer w.health.forget(w.name())
	next, err := w.resume(stop, alive)
	if err != nil {
		return
	}
	if w.replaying != nil {
		defer w.doneReplaying()
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
		a := &assembler{worker: w, marks: newMarks(w.deps.Store, w.topic, w.partition, w.content), replay: w.replaying, next: next}
		return a.run(ctx, chunks, batches)
	})
	group.Go(func() error { return w.write(ctx, batches) })
	err = group.Wait()
	if err != nil && !errors.Is(err, errFenced) && !errors.Is(err, context.Canceled) {
		w.log.ErrorContext(alive, "partition stopped", "error", err)
	}
}

// name is the partition's in logs and checks.
func (w *worker) name() string {
	if w.feed.copies != nil { // the home region's own ingest has the same partition
		return fmt.Sprintf("%s/%d for %s", w.topic, w.partition, w.feed.copies.region)
	}
	return fmt.Sprintf("%s/%d", w.topic, w.partition)
}

// trouble notes what an operation waits for, and that it no longer does.
func (w *worker) trouble(check, operation string, err error) {
	w.health.set(check, w.name(), operation, err)
}

// doneReplaying lets the next partition replay. Calling it again does nothing.
func (w *worker) doneReplaying() { w.replayed.Do(func() { w.replays.Release(1) }) }

// resume reads where the group stands, and waits for its turn if there is a range to replay.
func (w *worker) resume(stop, alive context.Context) (int64, error) {
	ctx, cancel := context.WithCancel(alive)
	defer cancel()
	defer context.AfterFunc(stop, cancel)()
	var next int64
	err := w.retry(ctx, w.feed.check, "read committed offset", func() (err error) {
		next, w.replaying, err = w.committer.committed(ctx)
		return err
	})
	if w.replaying != nil && err == nil {
		w.metrics.replays.WithLabelValues(w.topic).Inc()
		w.log.InfoContext(ctx, "replaying the range that was pending", "first", w.replaying.first, "last", w.replaying.last)
		err = w.replays.Acquire(ctx, 1)
	}
	return next, err
}

// retry tries until it works, the context ends or the partition is found to be somebody else's. Meanwhile the check says why not.
func (w *worker) retry(ctx context.Context, check, operation string, try func() error) error {
	wait := newBackoff()
	for {
		err := try()
		if err == nil {
			w.trouble(check, operation, nil)
			return nil
		}
		if errors.Is(err, errFenced) {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		w.trouble(check, operation, err)
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
