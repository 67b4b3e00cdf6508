package report

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/retention/evidence"
	"github.com/anteroom/anteroom/retention/proof"
	"github.com/anteroom/anteroom/store"
)

// batches are those that a report's rows are in, by id.
type batches map[uuid.UUID]*batch

// batch is one of them.
type batch struct {
	// index of its leaf in the log; known only if published.
	index     uint64
	published bool
	deleted   bool
	// seen is how many of its things the report has by itself, count how many there are.
	seen, count int64
	root        proof.Hash
}

func (b batches) see(id uuid.UUID, deleted bool) {
	one := b[id]
	if one == nil {
		one = &batch{deleted: deleted}
		b[id] = one
	}
	one.seen++
}

// retention writes the rows of what was and is kept.
//
// Things move from stored to kept to gone, and rows of what is kept go once there is evidence. So what was stored is read first and what is gone last:
// whatever moves meanwhile is seen at least once, and what is seen as both kept and gone is gone.
func (d *draft) retention(ctx context.Context) error {
	whole := d.job.Request.Meeting == "" && d.job.Request.Resource == ""
	d.m.Proofs = proof.WholeProofs
	if !whole {
		d.m.Proofs = proof.SingleProofs
	}
	sorted := newSpill(d.scratch, spillBound)
	known := make(batches)
	if err := d.gather(ctx, sorted, known); err != nil {
		return err
	}
	if err := d.lookUp(ctx, known); err != nil {
		return err
	}
	if whole {
		if err := d.log(ctx, known); err != nil {
			return err
		}
		if err := d.fill(ctx, sorted, known); err != nil {
			return err
		}
	}
	d.progress(50, 0)
	m, err := d.newMerge(known, whole)
	if err != nil {
		return err
	}
	if err := errors.Join(sorted.each(m.take), m.flush()); err != nil {
		m.abandon()
		return err
	}
	if err := errors.Join(m.done(), sorted.close()); err != nil {
		return err
	}
	if whole {
		return nil
	}
	return d.singleProofs(ctx, m)
}

// gather reads what the report asks for.
func (d *draft) gather(ctx context.Context, into *spill, known batches) error {
	f, region := d.filter(), d.region.Name
	add := func(id string, kind byte, batch uuid.UUID, rest []byte) error {
		begin, err := header(id, kind, batch)
		if err != nil {
			return err
		}
		return into.add(begin, rest)
	}
	read := 0
	count := func() {
		if read++; read%10_000 == 0 {
			d.progress(min(40, 40*float64(read)/(float64(read)+200_000)), 0) // How many there are isn't known before.
		}
	}
	err := d.region.Store.EachStored(ctx, f, func(t *store.StoredThing) error {
		count()
		known.see(t.BatchID, false)
		thing := evidence.Thing(region, t)
		return add(thing.ID, storedRecord, t.BatchID, encodeThing(&thing))
	})
	if err != nil {
		return fmt.Errorf("read what was stored: %w", err)
	}
	err = d.region.Store.EachThing(ctx, f, func(t *store.Thing) error {
		count()
		row := d.keptRow(t)
		return add(row.ID, keptRecord, uuid.Nil, encodeRow(&row))
	})
	if err != nil {
		return fmt.Errorf("read what is kept: %w", err)
	}
	err = d.region.Store.EachEvidence(ctx, f, func(e *store.Evidence) error {
		count()
		known.see(e.BatchID, true)
		row := evidence.Row(region, e)
		return add(row.ID, goneRecord, e.BatchID, encodeRow(&row))
	})
	if err != nil {
		return fmt.Errorf("read what is gone: %w", err)
	}
	return nil
}

// keptRow is the row of a thing that is kept.
func (d *draft) keptRow(t *store.Thing) proof.Row {
	id := proof.ThingID(d.region.Ledger.IDKey(), proof.Class(t.Class), d.region.Name, t.Org, t.CallID, t.ItemID, t.HolderID)
	row := proof.Row{
		Schema: proof.Schema, ID: hex.EncodeToString(id[:]), Organization: t.Org, Meeting: evidence.ID(t.MeetingID), Region: d.region.Name,
		Class: proof.Class(t.Class), State: proof.State(t.State), Held: t.Held, SentAt: proof.Time(t.SentAt),
		DueAt: evidence.Moment(t.DueAt), Hidden: evidence.Moment(t.HiddenAt),
		Rule: proof.AppliedAs{ID: t.RuleID, Version: t.RuleVersion, Reason: t.Reason, Revision: t.Revision},
		Why:  proof.GoneReason(t.Why), Attempts: int(t.Attempts),
	}
	if from := t.LateFrom(); !from.IsZero() && !t.Held {
		late := max(0, d.at.Sub(from).Milliseconds())
		row.Lateness = &late
	}
	return row
}

// lookUp finds where the batches' leaves are in the log. Leaves that the checkpoint doesn't cover count as not published.
func (d *draft) lookUp(ctx context.Context, known batches) error {
	ids := make([]string, 0, len(known))
	for id := range known {
		ids = append(ids, id.String())
	}
	slices.Sort(ids)
	for some := range slices.Chunk(ids, idsAtOnce) {
		found, err := d.region.Store.LedgerEntries(ctx, some)
		if err != nil {
			return fmt.Errorf("find leaves: %w", err)
		}
		for id, entry := range found {
			parsed, err := uuid.Parse(id)
			if one := known[parsed]; err == nil && one != nil && entry.Index < d.m.Log.Size {
				one.index, one.published = entry.Index, true
			}
		}
	}
	return nil
}

// idsAtOnce bounds the size of a query.
const idsAtOnce = 10_000

// log writes the log's leaves from the first that concerns the report on, and finds the batches among them that it must have whole: those of the
// organisation, or of several, whose things may be of the time that is asked for.
func (d *draft) log(ctx context.Context, known batches) error {
	first := d.m.Log.Size
	for _, b := range known {
		if b.published {
			first = min(first, b.index)
		}
	}
	tag := proof.OrganizationTag(d.m.Query.OrganizationSalt, d.region.Name, d.job.Org)
	err := d.writeLog(ctx, first, func(index uint64, text []byte) error {
		leaf, err := proof.ParseLeaf(text)
		if err != nil {
			return err
		}
		return d.mark(known, index, &leaf, tag)
	})
	if err != nil {
		return err
	}
	for id, b := range known {
		if b.published && b.count == 0 {
			return fmt.Errorf("read the log: the leaf of batch %s isn't at index %d", id, b.index)
		}
	}
	return nil
}

// writeLog writes the log's leaves from one on, and has each looked at, if do isn't nil.
func (d *draft) writeLog(ctx context.Context, first uint64, do func(index uint64, text []byte) error) error {
	prefix, err := d.region.Ledger.Hashes(ctx, first)
	if err != nil {
		return fmt.Errorf("find hashes of the log before: %w", err)
	}
	d.m.Log.First, d.m.Log.Prefix = first, append([]proof.Hash{}, prefix...)
	out, err := newSink(d.folder, proof.LogFile)
	if err != nil {
		return err
	}
	err = d.region.Ledger.EachLeaf(ctx, first, d.m.Log.Size, func(index uint64, text []byte) error {
		if err := out.line(text); err != nil || do == nil {
			return err
		}
		return do(index, text)
	})
	if err != nil {
		out.abandon()
		return fmt.Errorf("read the log: %w", err)
	}
	return d.file(out.done())
}

// mark notes what a leaf says of a batch, and that a batch is needed which no row named.
func (d *draft) mark(known batches, index uint64, leaf *proof.Leaf, tag string) error {
	if leaf.Type != proof.LeafStored && leaf.Type != proof.LeafDeleted {
		return nil
	}
	id, err := uuid.Parse(leaf.ID)
	if err != nil {
		return fmt.Errorf("leaf %d has no batch's id", index)
	}
	b := known[id]
	if b == nil {
		q := &d.job.Request
		outside := leaf.FirstSent == nil || leaf.LastSent == nil || !plainTime(leaf.FirstSent).Before(q.To) || plainTime(leaf.LastSent).Before(q.From)
		if leaf.Type != proof.LeafStored || (leaf.Organization != tag && leaf.Organization != "") || outside {
			return nil
		}
		b = &batch{}
		known[id] = b
	}
	b.index, b.published, b.count, b.root = index, true, leaf.Count, leaf.Root
	return nil
}

// fill reads what else is in the batches: things of other organisations, times and classes, and what was stored or evidenced twice. What gather has
// read of them already comes again; the merge drops it.
func (d *draft) fill(ctx context.Context, into *spill, known batches) error {
	add := func(id string, kind byte, batch uuid.UUID, rest []byte) error {
		begin, err := header(id, kind, batch)
		if err != nil {
			return err
		}
		return into.add(begin, rest)
	}
	for _, id := range known.inOrder() {
		b := known[id]
		if !b.published || b.seen == b.count {
			continue
		}
		var err error
		if b.deleted {
			err = d.region.Store.EachEvidenceOf(ctx, id, func(e *store.Evidence) error {
				row := evidence.Row(d.region.Name, e)
				hash, err := row.Hash()
				if err != nil {
					return err
				}
				return add(row.ID, otherGoneRecord, id, hash[:])
			})
		} else {
			err = d.region.Store.EachStoredOf(ctx, id, func(t *store.StoredThing) error {
				thing := evidence.Thing(d.region.Name, t)
				return add(thing.ID, otherStoredRecord, id, encodeThing(&thing))
			})
		}
		if err != nil {
			return fmt.Errorf("read the rest of batch %s: %w", id, err)
		}
	}
	return nil
}

func (b batches) inOrder() []uuid.UUID {
	ids := make([]uuid.UUID, 0, len(b))
	for id := range b {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b uuid.UUID) int { return strings.Compare(a.String(), b.String()) })
	return ids
}

// clearScratch removes what was needed meanwhile.
func (d *draft) clearScratch() error {
	if err := os.RemoveAll(d.scratch); err != nil {
		return fmt.Errorf("clear %s: %w", filepath.Base(d.scratch), err)
	}
	return nil
}
