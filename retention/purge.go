package retention

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/retention/proof"
	"github.com/anteroom/anteroom/store"
)

// round is what is deleted and checked at once: batches of one class and day.
type round struct {
	store.ClassDay
	batches []store.SweepBatch
	// again: this sweeper has tried to delete all of it before.
	again bool
}

func (p *sweep) purging(r *round) store.Purging {
	of := store.Purging{ClassDay: r.ClassDay, Epoch: p.epoch, Until: p.at(), FreshWithin: max(p.deps.MaxDecisionAge, 0), Again: r.again}
	for i := range r.batches {
		of.Batches = append(of.Batches, r.batches[i].ID)
	}
	return of
}

// purge purges what is hidden and not held, class by class and day by day. What can't be purged of one keeps the others from nothing.
func (p *sweep) purge(ctx context.Context) error {
	if p.news.Hidden == 0 && p.result.Hidden == 0 {
		return nil
	}
	list, err := p.deps.Store.Purgeable(ctx, p.at())
	if err != nil {
		return err
	}
	var proven []*round
	for _, of := range list {
		if len(p.failing[of]) > 0 {
			continue // told, and tried again already
		}
		for more := true; more; {
			var r *round
			if r, more, err = p.gather(ctx, of); err != nil {
				return err
			}
			ok, err := p.finish(ctx, r)
			if err != nil {
				return err
			}
			if !ok {
				break
			}
			proven = append(proven, r)
			if more {
				// What is there still would be gathered once more.
				if err := p.forget(ctx, proven...); err != nil {
					return err
				}
				proven = nil
			}
		}
	}
	return p.forget(ctx, proven...)
}

// gather makes batches of what is to be purged of a class and day, up to a round of them, and tells whether there may be more. Each is written as a whole
// before its intent is; without an intent it counts for nothing.
func (p *sweep) gather(ctx context.Context, of store.ClassDay) (*round, bool, error) {
	r := &round{ClassDay: of}
	if of.Class == string(proof.Recording) && p.deps.Files == nil {
		p.result.problem("recordings are out of reach")
		p.deps.Metrics.failure(p.deps.Region, failFiles)
		return r, false, nil
	}
	begun, err := p.deps.Store.Now(ctx)
	if err != nil {
		return nil, false, err
	}
	var things []store.SetThing
	total := 0
	flush := func(least int) error {
		if len(things) < least {
			return nil
		}
		b, err := p.intend(ctx, of, begun, things)
		things = things[:0]
		if err == nil {
			r.batches = append(r.batches, b)
		}
		return err
	}
	err = p.deps.Store.EachPurgeable(ctx, of, p.at(), p.cfg.RoundThings, func(t *store.Thing) error {
		total++
		things = append(things, store.SetThing{Thing: *t, CopyID: p.id(t)})
		return flush(p.cfg.BatchThings)
	})
	if err == nil {
		err = flush(1)
	}
	if err != nil {
		return nil, false, fmt.Errorf("make batches: %w", err)
	}
	return r, total >= p.cfg.RoundThings, nil
}

// intend writes what a batch is about to purge, and then that it is.
func (p *sweep) intend(ctx context.Context, of store.ClassDay, begun time.Time, things []store.SetThing) (store.SweepBatch, error) {
	slices.SortFunc(things, func(a, b store.SetThing) int { return bytes.Compare(a.CopyID[:], b.CopyID[:]) })
	things = slices.CompactFunc(things, func(a, b store.SetThing) bool { return a.CopyID == b.CopyID })
	b := store.SweepBatch{
		ID: uuid.New(), Kind: store.KindPurge, Step: store.StepIntent, Epoch: p.epoch, ClassDay: of, Things: uint64(len(things)), At: p.at(), Begun: begun,
	}
	if err := p.deps.Store.WriteSet(ctx, b.ID, begun, things); err != nil {
		return b, err
	}
	p.reached("set")
	unknown, err := p.deps.Store.Unregistered(ctx, b.ID)
	if err == nil && len(unknown) > 0 {
		err = p.registerThings(ctx, unknown)
	}
	if err == nil {
		err = p.deps.Store.MarkReturned(ctx, b.ID)
	}
	if err == nil {
		b, err = p.deps.Store.WriteBatch(ctx, b)
	}
	p.reached("intent")
	return b, err
}

// finish purges and proves the batches of a round, from wherever they are; what is left is to forget them. False: something is in the way, which is noted, and the next sweep tries again.
func (p *sweep) finish(ctx context.Context, r *round) (bool, error) {
	if len(r.batches) == 0 {
		return false, nil
	}
	remains, err := p.delete(ctx, r)
	if errors.Is(err, store.ErrUnavailable) || errors.Is(err, context.DeadlineExceeded) {
		err = nil
		if remains == store.RemainsNone {
			remains = failUnavailable
		}
	}
	if err != nil {
		return false, err
	}
	if remains != store.RemainsNone {
		p.failing[r.ClassDay] = r.batches
		return false, p.failed(ctx, r, remains)
	}
	for i := range r.batches {
		if err := p.prove(ctx, &r.batches[i]); err != nil {
			return false, err
		}
	}
	return true, nil
}

// failed notes why a round could not be ended.
func (p *sweep) failed(ctx context.Context, r *round, remains store.Remains) error {
	p.result.problem("%s of %s: %s", r.Class, r.Day.Format(time.DateOnly), remains)
	p.deps.Metrics.failure(p.deps.Region, remains)
	for i := range r.batches {
		b := &r.batches[i]
		if b.Step != store.StepIntent {
			continue
		}
		b.Failure = string(remains)
		if _, err := p.deps.Store.WriteBatch(ctx, *b); err != nil && !errors.Is(err, store.ErrUnavailable) {
			return err
		}
	}
	return nil
}

// delete deletes the bytes of those batches of a round that aren't purged yet, and sees to it that they are gone.
func (p *sweep) delete(ctx context.Context, r *round) (store.Remains, error) {
	todo := &round{ClassDay: r.ClassDay, again: true}
	for i := range r.batches {
		b := &r.batches[i]
		if b.Step != store.StepIntent {
			continue
		}
		todo.again = todo.again && b.Attempts > 0 && b.Epoch == p.epoch
		b.Attempts, b.Epoch, b.At, b.Failure = b.Attempts+1, p.epoch, p.at(), ""
		if _, err := p.deps.Store.WriteBatch(ctx, *b); err != nil {
			return store.RemainsNone, err
		}
		todo.batches = append(todo.batches, *b)
	}
	if len(todo.batches) == 0 {
		return store.RemainsNone, nil
	}
	if fresh, err := p.fresh(ctx); err != nil || !fresh {
		return failStale, err
	}
	remains, err := p.deleteBytes(ctx, todo)
	if err != nil || remains != store.RemainsNone {
		return remains, err
	}
	gone := p.at()
	for i := range r.batches {
		b := &r.batches[i]
		if b.Step != store.StepIntent {
			continue
		}
		b.Step, b.At = store.StepPurged, gone
		written, err := p.deps.Store.WriteBatch(ctx, *b)
		if err != nil {
			return store.RemainsNone, err
		}
		*b = written
		p.reached("purged")
	}
	return store.RemainsNone, nil
}

// deleteBytes deletes and checks.
func (p *sweep) deleteBytes(ctx context.Context, r *round) (store.Remains, error) {
	if r.Class == string(proof.Recording) {
		return p.deleteFiles(ctx, r)
	}
	s, of := p.deps.Store, p.purging(r)
	ctx, cancel := context.WithTimeout(ctx, p.cfg.Patience)
	defer cancel()
	before, err := s.Capture(ctx, of)
	if err != nil {
		return store.RemainsNone, err
	}
	for i := range before {
		if len(before[i].Frozen) > 0 {
			// Deleted, its rows would live on in the frozen copy, of which nothing could be found any more.
			return store.RemainsFrozen, nil
		}
	}
	p.reached("captured")
	if err := s.DeleteBytes(ctx, of, before); err != nil {
		return store.RemainsNone, err
	}
	p.reached("deleted")
	done, err := s.Now(ctx)
	if err != nil {
		return store.RemainsNone, err
	}
	for {
		remains, err := s.CheckGone(ctx, of, before, done)
		if err != nil {
			return remains, err
		}
		if remains == store.RemainsNone {
			p.reached("checked")
			return remains, s.HoldBack(ctx, of)
		}
		if !remains.Waits() {
			return remains, nil
		}
		select {
		case <-ctx.Done():
			return remains, nil
		case <-time.After(checkEvery):
		}
	}
}

// checkEvery is the pause between two looks at whether bytes are gone.
const checkEvery = 200 * time.Millisecond
