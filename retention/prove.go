package retention

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/retention/evidence"
	"github.com/anteroom/anteroom/retention/proof"
	"github.com/anteroom/anteroom/store"
)

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

// forget removes the rows of what the batches of some rounds have purged, and ends them.
func (p *sweep) forget(ctx context.Context, rounds ...*round) error {
	var list []store.Forgotten
	for _, r := range rounds {
		of := store.Forgotten{ClassDay: r.ClassDay, Epochs: map[uuid.UUID]uint64{}}
		for i := range r.batches {
			if r.batches[i].Step == store.StepEvidenced {
				of.Epochs[r.batches[i].ID] = r.batches[i].Epoch
			}
		}
		list = append(list, of)
	}
	if err := p.deps.Store.Forget(ctx, p.epoch, list); err != nil {
		return err
	}
	p.reached("forgotten")
	for _, r := range rounds {
		for i := range r.batches {
			b := &r.batches[i]
			if b.Step != store.StepEvidenced {
				continue
			}
			b.Step = store.StepDone
			if _, err := p.deps.Store.WriteBatch(ctx, *b); err != nil {
				return err
			}
		}
		delete(p.failing, r.ClassDay)
	}
	return nil
}
