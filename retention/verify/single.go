package verify

import (
	"bytes"
	"strings"

	tlog "github.com/transparency-dev/formats/proof"

	"github.com/anteroom/anteroom/retention/proof"
)

// single checks the single proof of a deleted row.
func (p *rowsPass) single(l *proof.Line) error {
	c := p.c
	name := proof.ProofFolder + "/" + l.Row.ID + proof.ProofEnding
	fail := func(what string, args ...any) { c.wrong(Deletion, name, 0, what, args...) }
	if _, there := c.source.sizes[name]; !there || !proofName.MatchString(name) {
		c.wrong(Deletion, proof.RowsFile, p.rows.lines.at, "the row is gone, but %s is missing", name)
		return nil
	}
	p.proofs++
	text, err := c.source.read(name, maxSmall)
	if err != nil {
		return c.unreadable(name, err)
	}
	c.read(len(text))
	var outer tlog.TLogProof
	if err := outer.Unmarshal(text); err != nil {
		fail("%v", err)
		return nil
	}
	if !bytes.Equal(outer.Marshal(), text) {
		fail("isn't in canonical form")
		return nil
	}
	inner, err := proof.ParseRowProof(outer.ExtraData)
	if err != nil {
		fail("%v", err)
		return nil
	}
	leaf, err := proof.ParseLeaf([]byte(inner.Leaf))
	if err != nil {
		fail("%v", err)
		return nil
	}
	hash, err := l.Row.Hash()
	if err != nil {
		return err //nolint:wrapcheck // it says what it did
	}
	path := make([]proof.Hash, len(outer.Hashes))
	for i, h := range outer.Hashes {
		path[i] = h
	}
	inBatch, batchErr := proof.RootFromPath(hash, inner.Position, uint64(max(leaf.Count, 0)), inner.Path) //nolint:gosec // it isn't negative
	inLog, logErr := proof.RootFromPath(proof.LeafHash([]byte(inner.Leaf)), outer.Index, c.manifest.Log.Size, path)
	switch {
	case !bytes.Equal(outer.Checkpoint, c.head):
		fail("has another checkpoint than the bundle")
	case l.Index == nil || outer.Index != *l.Index:
		fail("is of another leaf than the row names")
	case leaf.Type != proof.LeafDeleted || leaf.Region != c.manifest.Region || leaf.Schema != proof.Schema || leaf.ID != *l.Deleted:
		fail("is of another batch than the row names")
	case batchErr != nil || inBatch != leaf.Root:
		fail("the row isn't in the batch")
	case logErr != nil || inLog != c.manifest.Log.Root:
		fail("the batch isn't in the log")
	default:
		c.out.Batches++
	}
	return nil
}

// spareProofs tells of proofs that no row has.
func (p *rowsPass) spareProofs() {
	have := uint64(0)
	for name := range p.c.source.sizes {
		if strings.HasPrefix(name, proof.ProofFolder+"/") {
			have++
		}
	}
	if have > p.proofs {
		p.c.wrong(Lines, proof.ProofFolder, 0, "%d proofs are of no deleted row", have-p.proofs)
	}
}
