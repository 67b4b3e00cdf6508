package ledger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera/api/layout"

	"github.com/anteroom/anteroom/retention/proof"
)

// treeCheck computes the tree of leaves again, and compares its tiles with the files.
type treeCheck struct {
	check *check
	tree  *compact.Range
	// pending are the hashes of tiles that aren't full yet, by level of tiles; full are those that are to be compared.
	pending [][]byte
	full    []tile
	counts  []uint64
}

// tile is one whose content is known.
type tile struct {
	level, index uint64
	content      []byte
}

func newTreeCheck(c *check) *treeCheck {
	return &treeCheck{check: c, tree: (&compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}).NewEmptyRange(0)}
}

// add adds a leaf.
func (t *treeCheck) add(ctx context.Context, hash proof.Hash) error {
	if err := t.tree.Append(hash[:], t.visit); err != nil {
		return fmt.Errorf("compute tree: %w", err)
	}
	return t.compareFull(ctx)
}

// visit takes a node of the tree: those at the bottom of tiles are in files.
func (t *treeCheck) visit(id compact.NodeID, hash []byte) {
	if id.Level%layout.TileHeight != 0 {
		return
	}
	level := int(id.Level / layout.TileHeight)
	for len(t.pending) <= level {
		t.pending, t.counts = append(t.pending, nil), append(t.counts, 0)
	}
	t.counts[level]++
	t.pending[level] = append(t.pending[level], hash...)
	if t.counts[level]%layout.TileWidth == 0 {
		t.full = append(t.full, tile{uint64(level), t.counts[level]/layout.TileWidth - 1, t.pending[level]})
		t.pending[level] = nil
	}
}

func (t *treeCheck) compareFull(ctx context.Context) error {
	for _, full := range t.full {
		if err := t.compare(ctx, full, 0); err != nil {
			return err
		}
	}
	t.full = t.full[:0]
	return nil
}

// compare reads a tile's file. It fails if that can't be looked at.
func (t *treeCheck) compare(ctx context.Context, want tile, partial uint8) error {
	path := layout.TilePath(want.level, want.index, partial)
	have, err := t.check.files().ReadTile(ctx, want.level, want.index, partial)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		t.check.wrong(WrongTree, path, "the file is missing")
	case err != nil:
		return fmt.Errorf("read tile: %w", err)
	case !bytes.HasPrefix(have, want.content) || len(have)%len(proof.Hash{}) != 0:
		t.check.wrong(WrongTree, path, "its hashes aren't those of the leaves")
	}
	return nil
}

// end compares what is left, and the root.
func (t *treeCheck) end(ctx context.Context, cp proof.Checkpoint) error {
	for level, content := range t.pending {
		if len(content) == 0 {
			continue
		}
		last := tile{uint64(level), t.counts[level] / layout.TileWidth, content}
		if err := t.compare(ctx, last, layout.PartialTileSize(last.level, last.index, cp.Size)); err != nil {
			return err
		}
	}
	root := rfc6962.DefaultHasher.EmptyRoot()
	if cp.Size > 0 {
		var err error
		if root, err = t.tree.GetRootHash(nil); err != nil {
			return fmt.Errorf("compute tree: %w", err)
		}
	}
	if !bytes.Equal(root, cp.Root[:]) {
		t.check.wrong(WrongTree, fmt.Sprintf("size %d", cp.Size), "the leaves give root %x, the checkpoint says %x", root, cp.Root)
	}
	return nil
}
