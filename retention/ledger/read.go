package ledger

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/transparency-dev/tessera/api"
	"github.com/transparency-dev/tessera/api/layout"
	"github.com/transparency-dev/tessera/client"

	"github.com/anteroom/anteroom/retention/proof"
)

var (
	// ErrNoCheckpoint: nothing is published yet.
	ErrNoCheckpoint = errors.New("the ledger has no checkpoint yet")
	// ErrNoTile: there is no such tile.
	ErrNoTile = errors.New("the ledger has no such tile")
	// ErrRange: there is no such leaf or size in what is published.
	ErrRange = errors.New("beyond what the ledger has published")
)

// files reads the log's files.
func (l *Ledger) files() client.FileFetcher {
	return client.FileFetcher{Root: filepath.Join(l.folder.path, logFolder)}
}

// Checkpoint is the newest signed checkpoint, checked. It fails with ErrNoCheckpoint while there is none.
func (l *Ledger) Checkpoint(ctx context.Context) ([]byte, error) {
	text, _, err := l.checkpoint(ctx)
	return text, err
}

// Published is what the newest checkpoint says.
func (l *Ledger) Published(ctx context.Context) (proof.Checkpoint, error) {
	_, c, err := l.checkpoint(ctx)
	return c, err
}

func (l *Ledger) checkpoint(ctx context.Context) ([]byte, proof.Checkpoint, error) {
	text, err := l.files().ReadCheckpoint(ctx)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, proof.Checkpoint{}, ErrNoCheckpoint
	}
	if err != nil {
		return nil, proof.Checkpoint{}, fmt.Errorf("read checkpoint: %w", err)
	}
	c, err := proof.ParseCheckpoint(text, l.key)
	return text, c, err //nolint:wrapcheck // it says what it read
}

// signedAt is when the newest checkpoint was signed: checkpoints themselves don't say.
func (l *Ledger) signedAt() (time.Time, error) {
	info, err := os.Stat(filepath.Join(l.folder.path, logFolder, layout.CheckpointPath))
	if err != nil {
		return time.Time{}, fmt.Errorf("look at checkpoint: %w", err)
	}
	return info.ModTime(), nil
}

// within gives the published size, and fails with ErrRange if a size is beyond it. Files are asked for by that size: those of smaller ones are in
// them, but may not be there by themselves.
func (l *Ledger) within(ctx context.Context, size uint64) (uint64, error) {
	_, c, err := l.checkpoint(ctx)
	if err == nil && size > c.Size {
		err = fmt.Errorf("%w: size %d of %d", ErrRange, size, c.Size)
	}
	return c.Size, err
}

// tiles reads the hashes of a log of a size.
func (l *Ledger) tiles(size uint64) client.TileFetcherFunc {
	files := l.files()
	return func(ctx context.Context, level, index uint64, _ uint8) ([]byte, error) {
		return files.ReadTile(ctx, level, index, layout.PartialTileSize(level, index, size))
	}
}

// Leaf is the leaf at an index. Index and the like are of what is published: else they fail with ErrRange.
func (l *Ledger) Leaf(ctx context.Context, index uint64) (leaf []byte, err error) {
	err = l.EachLeaf(ctx, index, index+1, func(_ uint64, text []byte) error {
		leaf = append([]byte(nil), text...)
		return nil
	})
	return leaf, err
}

// EachLeaf calls do for the leaves from an index up to but without another one. do must not keep the leaf.
func (l *Ledger) EachLeaf(ctx context.Context, from, to uint64, do func(index uint64, leaf []byte) error) error {
	if from > to {
		return fmt.Errorf("%w: from %d to %d", ErrRange, from, to)
	}
	size, err := l.within(ctx, to)
	if err != nil {
		return err
	}
	return l.eachLeaf(ctx, from, to, size, do)
}

// eachLeaf is EachLeaf for a log of a size, published or not.
func (l *Ledger) eachLeaf(ctx context.Context, from, to, size uint64, do func(index uint64, leaf []byte) error) error {
	files := l.files()
	for part := range layout.Range(from, to-from, size) {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("read leaves: %w", err)
		}
		raw, err := files.ReadEntryBundle(ctx, part.Index, part.Partial)
		if err != nil {
			return fmt.Errorf("read leaves: %w", err)
		}
		var bundle api.EntryBundle
		if err := bundle.UnmarshalText(raw); err != nil {
			return fmt.Errorf("read leaves: entries %d: %w", part.Index, err)
		}
		if uint(len(bundle.Entries)) < part.First+part.N {
			return fmt.Errorf("read leaves: entries %d has %d leaves, %d are needed", part.Index, len(bundle.Entries), part.First+part.N)
		}
		for i := part.First; i < part.First+part.N; i++ {
			if err := do(part.Index*layout.EntryBundleWidth+uint64(i), bundle.Entries[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// Tile is what stands at a path below tile/, as tlog-tiles name it: 0/x001/067.p/8, entries/000. It fails with ErrNoTile if there is no such file, or
// if that is no such path.
func (l *Ledger) Tile(path string) ([]byte, error) {
	level, rest, _ := strings.Cut(path, "/")
	index, partial, err := layout.ParseTileIndexPartial(rest)
	if err != nil {
		return nil, ErrNoTile
	}
	file := layout.EntriesPath(index, partial)
	if level != "entries" {
		n, err := layout.ParseTileLevel(level)
		if err != nil {
			return nil, ErrNoTile
		}
		file = layout.TilePath(n, index, partial)
	}
	content, err := os.ReadFile(filepath.Join(l.folder.path, logFolder, filepath.FromSlash(file)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNoTile
	}
	if err != nil {
		return nil, fmt.Errorf("read tile: %w", err)
	}
	return content, nil
}

// Hashes are those of the perfect subtrees that the log of a size is made of, from left to right: what proof.ResumeAccumulator takes.
func (l *Ledger) Hashes(ctx context.Context, size uint64) ([]proof.Hash, error) {
	published, err := l.within(ctx, size)
	if err != nil {
		return nil, err
	}
	if size == 0 {
		return []proof.Hash{}, nil
	}
	nodes, err := client.FetchRangeNodes(ctx, size, l.tiles(published))
	if err != nil {
		return nil, fmt.Errorf("read tiles: %w", err)
	}
	return hashes(nodes), nil
}

// InclusionProof leads from the leaf at an index to the root of a size.
func (l *Ledger) InclusionProof(ctx context.Context, index, size uint64) ([]proof.Hash, error) {
	if index >= size {
		return nil, fmt.Errorf("%w: index %d of %d", ErrRange, index, size)
	}
	published, err := l.within(ctx, size)
	if err != nil {
		return nil, err
	}
	builder, err := client.NewProofBuilder(ctx, size, l.tiles(published))
	if err != nil {
		return nil, fmt.Errorf("make inclusion proof: %w", err)
	}
	nodes, err := builder.InclusionProof(ctx, index)
	if err != nil {
		return nil, fmt.Errorf("make inclusion proof: %w", err)
	}
	return hashes(nodes), nil
}

// ConsistencyProof leads from the root of a size to that of a later one.
func (l *Ledger) ConsistencyProof(ctx context.Context, from, to uint64) ([]proof.Hash, error) {
	if from > to {
		return nil, fmt.Errorf("%w: from %d to %d", ErrRange, from, to)
	}
	published, err := l.within(ctx, to)
	if err != nil {
		return nil, err
	}
	if from == 0 || from == to {
		return []proof.Hash{}, nil
	}
	builder, err := client.NewProofBuilder(ctx, to, l.tiles(published))
	if err != nil {
		return nil, fmt.Errorf("make consistency proof: %w", err)
	}
	nodes, err := builder.ConsistencyProof(ctx, from, to)
	if err != nil {
		return nil, fmt.Errorf("make consistency proof: %w", err)
	}
	return hashes(nodes), nil
}

func hashes(nodes [][]byte) []proof.Hash {
	out := make([]proof.Hash, len(nodes))
	for i, node := range nodes {
		out[i] = proof.Hash(node)
	}
	return out
}
