package retention

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/retention/evidence"
	"github.com/anteroom/anteroom/retention/proof"
	"github.com/anteroom/anteroom/store"
)

// register tells in the ledger what came to be kept since the last time: before anything of it may be purged, or nobody could tell that it ever was.
func (p *sweep) register(ctx context.Context) error {
	if p.news.Arrived == 0 && !p.looked.Registered.IsZero() && !p.looked.Registered.Before(p.since.Inserted) {
		p.looked.Registered = p.news.Server
		return nil
	}
	var err error
	looks := []store.DayKept{{}} // of what arrived since
	if p.looked.Registered.IsZero() {
		if looks, err = p.deps.Store.DaysKept(ctx); err != nil {
			return err
		}
	}
	for _, of := range looks {
		var things []store.StoredThing
		flush := func(least int) error {
			if len(things) < max(least, 1) {
				return nil
			}
			err := p.registerThings(ctx, things)
			things = things[:0]
			return err
		}
		err := p.deps.Store.EachArrived(ctx, p.looked.Registered.Add(-arrivedSlack), of.Day, func(t *store.Thing) error {
			things = append(things, store.StoredThing{
				CopyID: p.id(t), Class: t.Class, Org: t.Org, MeetingID: t.MeetingID, CallID: t.CallID, ResourceID: t.ResourceID, SentAt: t.SentAt,
			})
			return flush(p.cfg.BatchThings)
		})
		if err == nil {
			err = flush(1)
		}
		if err != nil {
			return fmt.Errorf("tell what is kept: %w", err)
		}
	}
	p.looked.Registered = p.news.Server
	return nil
}

// id is the keyed hash of a thing.
func (p *sweep) id(t *store.Thing) proof.Hash {
	return proof.ThingID(p.deps.IDKey, proof.Class(t.Class), p.deps.Region, t.Org, t.CallID, t.ItemID, t.HolderID)
}

// registerThings makes a batch, with a leaf, of those of some things that are in none.
func (p *sweep) registerThings(ctx context.Context, things []store.StoredThing) error {
	fresh, err := p.deps.Store.NotStored(ctx, things)
	if err != nil || len(fresh) == 0 {
		return err
	}
	slices.SortFunc(fresh, func(a, b store.StoredThing) int { return bytes.Compare(a.CopyID[:], b.CopyID[:]) })
	begun, err := p.deps.Store.Now(ctx)
	if err != nil {
		return err
	}
	b := store.SweepBatch{
		ID: uuid.New(), Kind: store.KindStored, Step: store.StepIntent, Epoch: p.epoch, Things: uint64(len(fresh)), At: p.at(), Begun: begun,
		ClassDay: store.ClassDay{Class: fresh[0].Class, Day: fresh[0].SentAt},
	}
	if _, err := p.deps.Store.WriteBatch(ctx, b); err != nil {
		return err
	}
	p.reached("stored intent")
	if err := p.deps.Store.WriteStored(ctx, b.ID, fresh); err != nil {
		return err
	}
	p.reached("stored rows")
	// Whoever has taken over has told of these things by another batch, and may have removed the rows of this one.
	if err := p.stillLeads(ctx); err != nil {
		return err
	}
	return p.tellStored(ctx, b)
}

// stillLeads fails if another sweeper has taken over.
func (p *sweep) stillLeads(ctx context.Context) error {
	epoch, err := p.deps.Store.SweepEpoch(ctx)
	if err == nil && epoch != p.epoch {
		err = errOther
	}
	return err
}

// tellStored puts the leaf of a batch whose things are written, the same whoever does it, and ends the batch.
func (p *sweep) tellStored(ctx context.Context, b store.SweepBatch) error {
	batch := proof.NewBatch(proof.LeafStored, p.deps.Region, b.ID.String())
	err := p.deps.Store.EachStoredOf(ctx, b.ID, func(t *store.StoredThing) error {
		thing := evidence.Thing(p.deps.Region, t)
		return batch.Stored(&thing)
	})
	if err != nil {
		return fmt.Errorf("make a stored batch: %w", err)
	}
	leaf, err := batch.Leaf(b.At)
	if err != nil {
		return fmt.Errorf("make a stored batch: %w", err)
	}
	if err := p.putLeaf(ctx, b.ID, leaf); err != nil {
		return err
	}
	p.reached("stored leaf")
	b.Step, b.Epoch = store.StepDone, p.epoch
	_, err = p.deps.Store.WriteBatch(ctx, b)
	return err
}

func (p *sweep) putLeaf(ctx context.Context, id uuid.UUID, leaf proof.Leaf) error {
	text, err := leaf.Canonical()
	if err != nil {
		return fmt.Errorf("make a leaf: %w", err)
	}
	return p.deps.Store.PutLeaf(ctx, id.String(), text)
}

// leftovers makes things of texts that nobody can read.
func (p *sweep) leftovers(ctx context.Context) error {
	if p.news.Texts == 0 && !p.looked.Texts.IsZero() {
		p.looked.Texts = p.news.Server
		return nil
	}
	var err error
	looks := []store.DayKept{{}} // of what came since
	if p.looked.Texts.IsZero() {
		if looks, err = p.deps.Store.DaysOfTexts(ctx); err != nil {
			return err
		}
	}
	for _, of := range looks {
		var found []store.Leftover
		flush := func(least int) error {
			if len(found) < least {
				return nil
			}
			err := p.deps.Store.KeepLeftovers(ctx, found)
			p.reached("leftovers")
			p.result.Hidden += uint64(len(found))
			found = found[:0]
			return err
		}
		err := p.deps.Store.EachLeftover(ctx, p.looked.Texts.Add(-textSlack), of.Day, func(l *store.Leftover) error {
			l.ItemID = proof.RevisionID(l.MessageID, l.RevisedAt)
			found = append(found, *l)
			return flush(p.cfg.BatchThings)
		})
		if err == nil {
			err = flush(1)
		}
		if err != nil {
			return fmt.Errorf("look for texts that nobody can read: %w", err)
		}
	}
	p.looked.Texts = p.news.Server
	return nil
}
