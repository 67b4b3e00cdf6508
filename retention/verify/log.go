package verify

import (
	"crypto/sha256"
	"errors"
	"io"
	"time"

	"github.com/anteroom/anteroom/retention/proof"
)

// batchKey names a batch. Stored and deleted ones never have the same id; should they, they are still two.
type batchKey struct {
	kind proof.LeafType
	id   string
}

// batch is one of the log, and how far its tree has been computed from what the bundle has of it.
type batch struct {
	index uint64
	leaf  proof.Leaf
	// tree is nil until the first thing comes.
	tree *proof.Accumulator
	// from and to are the first and the last line of rows.jsonl that name it.
	from, to int64
}

// log reads the leaves of log.jsonl and checks that they are those that the checkpoint covers.
func (c *checker) log() error {
	m := &c.manifest
	if _, there := c.source.sizes[proof.LogFile]; !there {
		return nil
	}
	tree, err := proof.ResumeAccumulator(m.Log.First, m.Log.Prefix)
	if err != nil {
		return nil // the manifest's check has said so
	}
	from, err := c.lines(proof.LogFile)
	if err != nil {
		return c.unreadable(proof.LogFile, err)
	}
	defer from.close()
	c.remember(tree)
	for {
		text, err := from.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if errors.Is(err, errLong) || errors.Is(err, errOpen) {
			c.wrong(Lines, proof.LogFile, from.at, "%v", err)
			return nil
		}
		if err != nil {
			return c.unreadable(proof.LogFile, err)
		}
		if err := tree.Add(proof.LeafHash(text)); err != nil {
			return err //nolint:wrapcheck // it says what it did
		}
		c.remember(tree)
		c.leaf(from.at, tree.Size()-1, text)
	}
	root, err := tree.Root()
	switch {
	case err != nil:
		return err //nolint:wrapcheck // it says what it did
	case tree.Size() != m.Log.Size:
		c.wrong(Deletion, proof.LogFile, from.at, "ends at leaf %d, the checkpoint covers %d", tree.Size(), m.Log.Size)
	case root != m.Log.Root:
		c.wrong(Deletion, proof.LogFile, 0, "the leaves give root %x, the checkpoint has %x: a leaf isn't the log's", root, m.Log.Root)
	default:
		c.logOK = true
	}
	return nil
}

// remember keeps the root at the size that the caller's earlier checkpoint has.
func (c *checker) remember(tree *proof.Accumulator) {
	if c.kept == nil || c.kept.Size != tree.Size() {
		return
	}
	if root, err := tree.Root(); err == nil {
		c.keptRoot = &root
	}
}

// leaf keeps what later checks need of a leaf.
func (c *checker) leaf(line int64, index uint64, text []byte) {
	leaf, err := proof.ParseLeaf(text)
	if err != nil {
		c.wrong(Lines, proof.LogFile, line, "%v", err)
		return
	}
	if leaf.Region != c.manifest.Region || leaf.Schema != proof.Schema {
		c.wrong(Lines, proof.LogFile, line, "the leaf is of region %q and schema %d", leaf.Region, leaf.Schema)
		return
	}
	switch leaf.Type {
	case proof.LeafStored, proof.LeafDeleted:
		key := batchKey{leaf.Type, leaf.ID}
		if c.batches[key] != nil {
			c.wrong(Lines, proof.LogFile, line, "the batch %s has a second leaf", leaf.ID)
			return
		}
		c.batches[key] = &batch{index: index, leaf: leaf}
	default:
		c.digests[index] = leaf.Digest
	}
}

// required tells whether a stored batch has to be whole in the bundle: it may have things that the report has to show.
func (c *checker) required(b *batch) bool {
	q := c.manifest.Query
	mine := q.Organization == "" || b.leaf.Organization == "" || b.leaf.Organization == c.tag
	before := b.leaf.LastSent != nil && time.Time(*b.leaf.LastSent).Before(time.Time(q.From))
	after := b.leaf.FirstSent != nil && !time.Time(*b.leaf.FirstSent).Before(time.Time(q.To))
	return mine && !before && !after
}

// ends compares the batches' roots with what was computed.
func (c *checker) ends() error {
	for key, b := range c.batches {
		kind, file := Deletion, proof.RowsFile
		if key.kind == proof.LeafStored {
			kind = Completeness
		}
		if b.tree == nil {
			if key.kind == proof.LeafStored && c.required(b) {
				c.wrong(kind, proof.LogFile, int64(b.index-c.manifest.Log.First)+1, "nothing of the stored batch %s is there, which has %d things that the report may have to show", key.id, b.leaf.Count) //nolint:gosec // a line
			}
			continue
		}
		c.out.Batches++
		root, err := b.tree.Root()
		if err != nil {
			return err //nolint:wrapcheck // it says what it did
		}
		if b.from == 0 {
			file = proof.OtherDeletedFile
			if key.kind == proof.LeafStored {
				file = proof.OtherStoredFile
			}
		}
		switch {
		case b.tree.Size() != uint64(b.leaf.Count): //nolint:gosec // a negative count is no size
			c.wrong(kind, file, b.from, "of the %s batch %s (lines %d to %d) %d things are there, its leaf says %d", key.kind, key.id, b.from, b.to, b.tree.Size(), b.leaf.Count)
		case root != b.leaf.Root:
			c.wrong(kind, file, b.from, "the things of the %s batch %s (lines %d to %d) give root %x, its leaf %x: one of them isn't what was logged",
				key.kind, key.id, b.from, b.to, root, b.leaf.Root)
		}
	}
	return nil
}

// digestLines checks the lines of the kinds that have no rows: what a leaf has the digest of is what the leaf was made of.
func (c *checker) digestLines() error {
	from, err := c.lines(proof.DigestsFile)
	if err != nil {
		return c.unreadable(proof.DigestsFile, err)
	}
	defer from.close()
	for {
		text, err := from.next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.Is(err, errLong), errors.Is(err, errOpen):
			c.wrong(Lines, proof.DigestsFile, from.at, "%v", err)
			return nil
		case err != nil:
			return c.unreadable(proof.DigestsFile, err)
		}
		line, err := proof.ParseDigestLine(text)
		if err != nil {
			c.wrong(Lines, proof.DigestsFile, from.at, "%v", err)
			continue
		}
		c.out.Rows++
		if line.Index == nil {
			continue
		}
		digest, there := c.digests[*line.Index]
		switch {
		case !there:
			c.wrong(Deletion, proof.DigestsFile, from.at, "there is no leaf of that kind at index %d", *line.Index)
		case proof.Hash(sha256.Sum256(line.Value)) != digest:
			c.wrong(Deletion, proof.DigestsFile, from.at, "the leaf at index %d is of something else", *line.Index)
		default:
			c.out.Changes++
		}
	}
}
