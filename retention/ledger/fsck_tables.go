package ledger

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/retention/evidence"
	"github.com/anteroom/anteroom/retention/proof"
	"github.com/anteroom/anteroom/store"
)

// entries compares table ledger_entries with the log.
func (c *check) entries(ctx context.Context) error {
	seen := make([]bool, c.out.Size)
	n := uint64(0)
	err := c.deps.Store.EachLedgerEntry(ctx, 0, func(e store.LedgerEntry) error {
		if n++; n%4096 == 0 {
			c.progress("entries", n, c.out.Size)
		}
		where := "entry of leaf " + e.ID
		switch {
		case e.Index >= c.out.Size: // appended since, unless the log has it nowhere
			if _, there := c.places[e.ID]; there {
				c.wrong(WrongEntry, where, "says index %d, but the leaf is at %d", e.Index, c.places[e.ID])
			} else if published, err := c.Published(ctx); err == nil && e.Index >= published.Size {
				c.wrong(WrongEntry, where, "says index %d, but the log has %d leaves", e.Index, published.Size)
			}
			return nil
		case c.ids[e.Index] != e.ID:
			c.wrong(WrongEntry, where, "says index %d, where leaf %s is", e.Index, c.ids[e.Index])
			return nil
		case proof.Hash(e.LeafHash) != c.hashes[e.Index]:
			c.wrong(WrongEntry, where, "says leaf hash %x, the log has %x", e.LeafHash, c.hashes[e.Index])
		}
		seen[e.Index] = true
		return nil
	})
	if err != nil {
		return err //nolint:wrapcheck // the store says what it did
	}
	for i := len(seen); i > 0 && !seen[i-1]; i-- {
		seen[i-1] = true // the tail: it gets its entries with the next pass
		c.out.Unrecorded++
	}
	for i, is := range seen {
		if !is {
			c.wrong(WrongEntry, fmt.Sprintf("index %d", i), "leaf %s has no entry", c.ids[i])
		}
	}
	return nil
}

// outbox compares table ledger_outbox with the log.
func (c *check) outbox(ctx context.Context) error {
	seen := make([]bool, c.out.Size)
	n := uint64(0)
	err := c.deps.Store.EachOutboxLeaf(ctx, func(from store.OutboxLeaf, _ *store.LedgerEntry) error {
		if n++; n%4096 == 0 {
			c.progress("outbox", n, 0)
		}
		where := "leaf " + from.ID
		text, err := c.prepare(&from)
		index, there := c.places[from.ID]
		switch {
		case err != nil && !there:
			c.wrong(WrongOutbox, where, "can't be appended: %v", err)
		case !there:
			c.out.Waiting++
			if leaf, err := proof.ParseLeaf(text); err == nil && (leaf.Type == proof.LeafStored || leaf.Type == proof.LeafDeleted) {
				c.batches[leaf.ID] = batchLeaf{kind: leaf.Type, index: c.out.Size, count: leaf.Count, root: leaf.Root}
			}
		case err != nil || proof.LeafHash(text) != c.hashes[index]:
			c.wrong(WrongOutbox, where, "isn't the one that the log has at index %d", index)
			seen[index] = true
		default:
			seen[index] = true
		}
		return nil
	})
	if err != nil {
		return err //nolint:wrapcheck // the store says what it did
	}
	for i, is := range seen {
		if place, readable := c.places[c.ids[i]]; !is && readable && place == uint64(i) {
			c.out.Forgotten++
		}
	}
	return nil
}

// batchTree computes the roots of batches whose things come in order of batch and id.
type batchTree struct {
	check *check
	kind  proof.LeafType
	id    uuid.UUID
	tree  *proof.Accumulator
	loose map[string]uint64
}

func (b *batchTree) add(batch uuid.UUID, hash proof.Hash) error {
	if b.tree == nil || batch != b.id {
		if err := b.end(); err != nil {
			return err
		}
		b.id, b.tree = batch, proof.NewAccumulator()
	}
	b.check.out.Things++
	if b.check.out.Things%4096 == 0 {
		b.check.progress("things", b.check.out.Things, 0)
	}
	return b.tree.Add(hash) //nolint:wrapcheck // it says what it did
}

// end compares the batch that is complete with its leaf.
func (b *batchTree) end() error {
	if b.tree == nil {
		return nil
	}
	id := b.id.String()
	where := fmt.Sprintf("%s batch %s", b.kind, id)
	leaf, ok := b.check.batches[id]
	if !ok || leaf.kind != b.kind {
		b.loose[id] = b.tree.Size()
		return nil
	}
	leaf.seen = true
	b.check.batches[id] = leaf
	b.check.out.Batches++
	root, err := b.tree.Root()
	switch {
	case err != nil:
		return err //nolint:wrapcheck // it says what it did
	case b.tree.Size() != uint64(leaf.count):
		b.check.wrong(WrongBatch, where, "the tables have %d things of it, its leaf at index %d says %d", b.tree.Size(), leaf.index, leaf.count)
	case root != leaf.root:
		b.check.wrong(WrongBatch, where, "what the tables have gives root %x, its leaf at index %d says %x", root, leaf.index, leaf.root)
	}
	return nil
}

// evidence computes the batches' roots again, out of what the tables have of their things.
func (c *check) evidence(ctx context.Context) error {
	deleted := &batchTree{check: c, kind: proof.LeafDeleted, loose: map[string]uint64{}}
	err := c.deps.Store.EachEvidenceByBatch(ctx, func(e *store.Evidence) error {
		row := evidence.Row(c.region, e)
		hash, err := row.Hash()
		if err != nil {
			return err //nolint:wrapcheck // it says what it did
		}
		return deleted.add(e.BatchID, hash)
	})
	if err == nil {
		err = deleted.end()
	}
	if err != nil {
		return err //nolint:wrapcheck // the store says what it did
	}
	stored := &batchTree{check: c, kind: proof.LeafStored, loose: map[string]uint64{}}
	err = c.deps.Store.EachStoredByBatch(ctx, func(t *store.StoredThing) error {
		thing := evidence.Thing(c.region, t)
		hash, err := thing.Hash()
		if err != nil {
			return err //nolint:wrapcheck // it says what it did
		}
		return stored.add(t.BatchID, hash)
	})
	if err == nil {
		err = stored.end()
	}
	if err != nil {
		return err //nolint:wrapcheck // the store says what it did
	}
	for id, leaf := range c.batches {
		if !leaf.seen && leaf.index < c.out.Size { // of one whose leaf waits the things may be on their way
			c.wrong(WrongBatch, fmt.Sprintf("%s batch %s", leaf.kind, id), "the tables have nothing of it, its leaf at index %d says %d things", leaf.index, leaf.count)
		}
	}
	return c.loose(ctx, deleted, stored)
}

// loose names batches without a leaf, unless their leaves came meanwhile.
func (c *check) loose(ctx context.Context, trees ...*batchTree) error {
	late := map[string]bool{}
	err := c.deps.Store.EachOutboxLeaf(ctx, func(l store.OutboxLeaf, _ *store.LedgerEntry) error {
		if _, known := c.places[l.ID]; !known {
			late[l.ID] = true
		}
		return nil
	})
	if err != nil {
		return err //nolint:wrapcheck // the store says what it did
	}
	for _, tree := range trees {
		for id, things := range tree.loose {
			if !late[id] {
				c.wrong(WrongBatch, fmt.Sprintf("%s batch %s", tree.kind, id), "the tables have %d things of it, but it has no leaf", things)
			}
		}
	}
	return nil
}
