package retention

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/retention/evidence"
	"github.com/anteroom/anteroom/retention/proof"
	"github.com/anteroom/anteroom/store"
)

// round is what is deleted and checked at once: batches of one class and day.
type round struct {
	store.ClassDay
	batches []store.SweepBatch
}

func (p *sweep) purging(r *round) store.Purging {
	of := store.Purging{ClassDay: r.ClassDay, Epoch: p.epoch, FreshWithin: max(p.deps.MaxDecisionAge, 0)}
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
	for _, of := range list {
		if len(p.failing[of]) > 0 {
			continue // told, and tried again already
		}
		for {
			r, more, err := p.gather(ctx, of)
			if err != nil {
				return err
			}
			if len(r.batches) == 0 {
				break
			}
			if ok, err := p.finish(ctx, r); err != nil {
				return err
			} else if !ok || !more {
				break
			}
		}
	}
	return nil
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

// finish brings the batches of a round to their end, from wherever they are. False: something is in the way, which is noted, and the next sweep tries again.
func (p *sweep) finish(ctx context.Context, r *round) (bool, error) {
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
	if err := p.forget(ctx, r); err != nil {
		return false, err
	}
	delete(p.failing, r.ClassDay)
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
	todo := &round{ClassDay: r.ClassDay}
	for i := range r.batches {
		b := &r.batches[i]
		if b.Step != store.StepIntent {
			continue
		}
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

// deleteFiles deletes recordings, each after a look at whether it is held.
func (p *sweep) deleteFiles(ctx context.Context, r *round) (store.Remains, error) {
	for i := range r.batches {
		b := &r.batches[i]
		var things []store.SetThing
		err := p.deps.Store.EachToDelete(ctx, b.ID, func(t *store.SetThing) error {
			things = append(things, *t)
			return nil
		})
		if err != nil {
			return store.RemainsNone, err
		}
		var held []store.SetThing
		for j := range things {
			t := &things[j]
			kept, err := p.deleteFile(ctx, t)
			if errors.Is(err, errStale) {
				return failStale, nil
			}
			if err != nil {
				return failFiles, err
			}
			if kept {
				held = append(held, *t)
			}
		}
		if err := p.deps.Store.TakeOut(ctx, b.ID, b.Begun, p.epoch, held); err != nil {
			return store.RemainsNone, err
		}
	}
	return store.RemainsNone, nil
}

// errStale: the region's decisions are too old to delete by.
var errStale = errors.New("decisions are not up to date")

// deleteFile deletes a recording and tells whether it is kept instead, for a hold.
func (p *sweep) deleteFile(ctx context.Context, t *store.SetThing) (kept bool, err error) {
	if epoch, err := p.deps.Store.SweepEpoch(ctx); err != nil || epoch != p.epoch {
		return false, errors.Join(err, errOther)
	}
	if fresh, err := p.fresh(ctx); err != nil || !fresh {
		return false, errors.Join(err, errStale)
	}
	held, err := p.deps.Store.HeldNow(ctx, t.Org, t.MeetingID, t.Class, t.ResourceID)
	if err != nil || held {
		return held, err
	}
	// Of a call that is none of ours there are no files.
	if call, ours := uuid.Parse(t.CallID); ours == nil {
		if err := p.deps.Files.Delete(ctx, t.Org, call, t.ItemID); err != nil {
			return false, fmt.Errorf("delete a recording: %w", err)
		}
	}
	return false, nil
}

// prove writes what a batch has purged as evidence, its leaf, and the tombstones that keep it from coming back.
func (p *sweep) prove(ctx context.Context, b *store.SweepBatch) error {
	if b.Step != store.StepPurged {
		return nil
	}
	s := p.deps.Store
	members, evidenced, err := s.Members(ctx, b.ID, b.Epoch)
	if err != nil {
		return err
	}
	if members > 0 {
		leaf, err := p.evidence(ctx, b, evidenced > 0)
		if err != nil {
			return err
		}
		if err := p.putLeaf(ctx, b.ID, leaf); err != nil {
			return err
		}
		p.reached("leaf")
	}
	if err := s.Bury(ctx, b.ID, b.Epoch, b.At); err != nil {
		return err
	}
	p.reached("tombstones")
	b.Step = store.StepEvidenced
	_, err = s.WriteBatch(ctx, *b)
	return err
}

// evidence writes a batch's rows and makes its leaf. Where an earlier attempt was cut short, what is missing is written, and the leaf made of what is there:
// rows that were written once stay as they are, even if the configuration has changed since.
func (p *sweep) evidence(ctx context.Context, b *store.SweepBatch, again bool) (proof.Leaf, error) {
	batch := proof.NewBatch(proof.LeafDeleted, p.deps.Region, b.ID.String())
	add := func(e *store.Evidence) error {
		form := evidence.Row(p.deps.Region, e)
		return batch.Deleted(&form)
	}
	there := map[proof.Hash]bool{}
	if again {
		err := p.deps.Store.EachEvidenceOf(ctx, b.ID, func(e *store.Evidence) error { there[e.CopyID] = true; return nil })
		if err != nil {
			return proof.Leaf{}, err
		}
	}
	rows := make([]store.Evidence, 0, b.Things)
	err := p.deps.Store.EachOfSet(ctx, b.ID, b.Epoch, func(t *store.SetThing) error {
		if there[t.CopyID] {
			return nil
		}
		rows = append(rows, p.row(b, t))
		if again {
			return nil
		}
		return add(&rows[len(rows)-1])
	})
	if err != nil {
		return proof.Leaf{}, fmt.Errorf("make evidence: %w", err)
	}
	if err := p.deps.Store.WriteEvidence(ctx, rows); err != nil {
		return proof.Leaf{}, err
	}
	if again {
		if err := p.deps.Store.EachEvidenceOf(ctx, b.ID, add); err != nil {
			return proof.Leaf{}, fmt.Errorf("make evidence: %w", err)
		}
	}
	p.reached("evidence")
	for i := range rows {
		p.deps.Metrics.purged(p.deps.Region, &rows[i])
	}
	p.result.Purged += uint64(len(rows))
	leaf, err := batch.Leaf(b.At)
	if err != nil {
		return leaf, fmt.Errorf("make evidence: %w", err)
	}
	return leaf, nil
}

// row is the evidence of a thing.
func (p *sweep) row(b *store.SweepBatch, t *store.SetThing) store.Evidence {
	e := store.Evidence{
		CopyID: t.CopyID, Nonce: proof.RowNonce(p.deps.IDKey, b.ID, t.CopyID), Class: t.Class, Org: t.Org, MeetingID: t.MeetingID, CallID: t.CallID,
		ResourceID: t.ResourceID, SentAt: t.SentAt, DueAt: t.DueAt, HiddenAt: *t.HiddenAt, PurgedAt: b.At, Why: t.Why, Born: t.Born, Attempts: b.Attempts,
		LatenessMs: max(0, b.At.Sub(t.LateFrom()).Milliseconds()),
		RuleID:     t.RuleID, RuleVersion: t.RuleVersion, Reason: t.Reason, Revision: t.Revision, BatchID: b.ID,
	}
	if p.deps.BrokerExpiry != nil {
		e.BrokerExpiryAt = p.deps.BrokerExpiry(t.Class, t.SentAt, b.At)
	}
	return e
}

// forget removes the rows of what the batches of a round have purged, and ends them.
func (p *sweep) forget(ctx context.Context, r *round) error {
	of := p.purging(r)
	epochs := make(map[uuid.UUID]uint64, len(r.batches))
	for i := range r.batches {
		epochs[r.batches[i].ID] = r.batches[i].Epoch
	}
	if err := p.deps.Store.Forget(ctx, of, epochs); err != nil {
		return err
	}
	p.reached("forgotten")
	for i := range r.batches {
		b := &r.batches[i]
		b.Step = store.StepDone
		if _, err := p.deps.Store.WriteBatch(ctx, *b); err != nil {
			return err
		}
	}
	return nil
}
