package ledger

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/anteroom/anteroom/retention/proof"
)

// FindingKind is what kind of thing is wrong.
type FindingKind string

// The kinds, in the order in which they are looked for.
const (
	// WrongCheckpoint: there is none, or it isn't signed by the folder's key.
	WrongCheckpoint FindingKind = "checkpoint"
	// WrongTree: files of the log are missing or altered, or the leaves don't give the checkpoint's root.
	WrongTree FindingKind = "tree"
	// WrongLeaf: a leaf isn't what leaves are, or is in the log twice.
	WrongLeaf FindingKind = "leaf"
	// WrongEntry: table ledger_entries says otherwise than the log.
	WrongEntry FindingKind = "entry"
	// WrongOutbox: table ledger_outbox says otherwise than the log.
	WrongOutbox FindingKind = "outbox"
	// WrongBatch: what tables evidence and stored_things have of a batch doesn't give its leaf's root, or it has no leaf.
	WrongBatch FindingKind = "batch"
)

// FindingKinds returns all of them, in their order.
func FindingKinds() []FindingKind {
	return []FindingKind{WrongCheckpoint, WrongTree, WrongLeaf, WrongEntry, WrongOutbox, WrongBatch}
}

// Finding is something that is wrong.
type Finding struct {
	Kind FindingKind `json:"kind"`
	// Where names a file, an index, a leaf or a batch; What says what is wrong there.
	Where string `json:"where"`
	What  string `json:"what"`
}

func (f Finding) String() string { return fmt.Sprintf("%s: %s: %s", f.Kind, f.Where, f.What) }

// maxFindings bounds what one look lists; the rest is counted.
const maxFindings = 1000

// Checked is what a look at a ledger found.
type Checked struct {
	Region string `json:"region"`
	Origin string `json:"origin"`
	// Size and Root are the checkpoint's.
	Size uint64     `json:"size"`
	Root proof.Hash `json:"root"`
	// Waiting leaves of the outbox aren't in the log yet; Unrecorded leaves are in the log and get their entries with the next start or pass.
	Waiting    uint64 `json:"waiting"`
	Unrecorded uint64 `json:"unrecorded"`
	// Forgotten leaves are in the log, and the outbox doesn't know them: tables that were restored from an older backup don't. The log is what counts.
	Forgotten uint64 `json:"forgotten"`
	// Batches whose roots were computed again, of so many Things.
	Batches  uint64    `json:"batches"`
	Things   uint64    `json:"things"`
	Findings []Finding `json:"findings"`
	// More findings aren't listed.
	More uint64 `json:"more_findings"`
}

// Progress is told how far a look is: the step, and how much of it is done. total is 0 where it isn't known.
type Progress func(step string, done, total uint64)

// check is one look.
type check struct {
	*Ledger
	out      Checked
	progress Progress
	// leaves of the log, by index, and where a leaf is, by id.
	hashes []proof.Hash
	ids    []string
	places map[string]uint64
	// batches are those that have a leaf.
	batches map[string]batchLeaf
}

// batchLeaf is what the log says of a batch.
type batchLeaf struct {
	kind  proof.LeafType
	index uint64
	count int64
	root  proof.Hash
	seen  bool
}

// Fsck looks whether the log is whole and says the same as the region's tables. It may run while leaves are appended: it looks at what the checkpoint
// covers at its begin. It fails only if it can't look. progress may be nil.
func (l *Ledger) Fsck(ctx context.Context, progress Progress) (Checked, error) {
	if progress == nil {
		progress = func(string, uint64, uint64) {}
	}
	c := &check{
		Ledger: l, progress: progress, places: map[string]uint64{}, batches: map[string]batchLeaf{},
		out: Checked{Region: l.region, Origin: l.Origin(), Findings: []Finding{}},
	}
	whole, err := c.log(ctx)
	if err != nil || !whole {
		return c.out, err
	}
	for _, step := range []func(context.Context) error{c.entries, c.outbox, c.evidence} {
		if err := step(ctx); err != nil {
			return c.out, err
		}
	}
	return c.out, nil
}

func (c *check) wrong(kind FindingKind, where, what string, args ...any) {
	if len(c.out.Findings) >= maxFindings {
		c.out.More++
		return
	}
	c.out.Findings = append(c.out.Findings, Finding{kind, where, fmt.Sprintf(what, args...)})
}

// log looks at the files. whole: all leaves could be read, so that tables can be compared with them.
func (c *check) log(ctx context.Context) (whole bool, err error) {
	_, cp, err := c.checkpoint(ctx)
	if err != nil {
		var path *fs.PathError
		if errors.As(err, &path) {
			return false, err
		}
		c.wrong(WrongCheckpoint, "checkpoint", "%v", err)
		return false, nil
	}
	c.out.Size, c.out.Root = cp.Size, cp.Root
	tree := newTreeCheck(c)
	err = c.eachLeaf(ctx, 0, cp.Size, cp.Size, func(index uint64, text []byte) error {
		hash := proof.LeafHash(text)
		if err := tree.add(ctx, hash); err != nil {
			return err
		}
		c.leaf(index, hash, text)
		if index%4096 == 0 {
			c.progress("leaves", index, cp.Size)
		}
		return nil
	})
	switch {
	case ctx.Err() != nil:
		return false, ctx.Err() //nolint:wrapcheck // the caller's own
	case err != nil:
		c.wrong(WrongTree, fmt.Sprintf("index %d and after", len(c.hashes)), "%v", err)
		return false, nil
	}
	if err := tree.end(ctx, cp); err != nil {
		return false, err
	}
	return true, nil
}

// leaf looks at a leaf of the log.
func (c *check) leaf(index uint64, hash proof.Hash, text []byte) {
	leaf, err := proof.ParseLeaf(text)
	c.hashes, c.ids = append(c.hashes, hash), append(c.ids, leaf.ID)
	where := fmt.Sprintf("index %d", index)
	if err != nil {
		c.wrong(WrongLeaf, where, "%v", err)
		return
	}
	if leaf.Region != c.region || leaf.Schema != proof.Schema {
		c.wrong(WrongLeaf, where, "leaf %s is of region %q and schema %d", leaf.ID, leaf.Region, leaf.Schema)
	}
	if first, twice := c.places[leaf.ID]; twice {
		c.wrong(WrongLeaf, where, "leaf %s is in the log a second time, after index %d", leaf.ID, first)
		return
	}
	c.places[leaf.ID] = index
	if leaf.Type == proof.LeafStored || leaf.Type == proof.LeafDeleted {
		c.batches[leaf.ID] = batchLeaf{kind: leaf.Type, index: index, count: leaf.Count, root: leaf.Root}
	}
}
