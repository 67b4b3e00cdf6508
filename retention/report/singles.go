package report

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/google/uuid"
	tlog "github.com/transparency-dev/formats/proof"

	"github.com/anteroom/anteroom/retention/evidence"
	"github.com/anteroom/anteroom/retention/proof"
	"github.com/anteroom/anteroom/store"
)

// maxSingles bounds the files of one bundle. Reports on one meeting or one resource are far below it.
const maxSingles = 100_000

func errSingles() error {
	return &permanentError{fmt.Sprintf("it has more than %d deleted rows that would each need a file of proof; ask for a shorter time, or without "+
		"meeting and resource", maxSingles)}
}

// singleProofs writes a file for each deleted row, which proves it by itself.
func (d *draft) singleProofs(ctx context.Context, m *merge) error {
	if m.singles == 0 {
		return nil
	}
	if err := os.Mkdir(filepath.Join(d.folder, proof.ProofFolder), 0o700); err != nil {
		return fmt.Errorf("make folder of proofs: %w", err)
	}
	for _, id := range m.known.inOrder() {
		if wanted := m.proven[id]; len(wanted) > 0 {
			if err := d.proveBatch(ctx, id, m.known[id].index, wanted); err != nil {
				return fmt.Errorf("prove rows of batch %s: %w", id, err)
			}
		}
	}
	return nil
}

// proveBatch writes the proofs of some rows of one batch, whose tree it makes anew.
func (d *draft) proveBatch(ctx context.Context, id uuid.UUID, index uint64, wanted []string) error {
	var leaf []byte
	err := d.region.Ledger.EachLeaf(ctx, index, index+1, func(_ uint64, text []byte) error {
		leaf = append([]byte{}, text...)
		return nil
	})
	if err != nil {
		return err //nolint:wrapcheck // the ledger says what it did
	}
	parsed, err := proof.ParseLeaf(leaf)
	if err != nil {
		return err
	}
	inclusion, err := d.region.Ledger.InclusionProof(ctx, index, d.m.Log.Size)
	if err != nil {
		return err //nolint:wrapcheck // the ledger says what it did
	}
	place := make(map[string]uint64, len(wanted))
	for _, row := range wanted {
		place[row] = 0
	}
	var hashes []proof.Hash
	err = d.region.Store.EachEvidenceOf(ctx, id, func(e *store.Evidence) error {
		row := evidence.Row(d.region.Name, e)
		hash, err := row.Hash()
		if err != nil {
			return err
		}
		if _, ok := place[row.ID]; ok {
			place[row.ID] = uint64(len(hashes))
		}
		hashes = append(hashes, hash)
		return nil
	})
	if err != nil {
		return err
	}
	tree, err := proof.NewTree(hashes)
	if err != nil {
		return err
	}
	if parsed.Type != proof.LeafDeleted || tree.Root() != parsed.Root {
		return errors.New("its rows are not those that the log has")
	}
	for _, row := range wanted {
		path, err := tree.Path(place[row])
		if err != nil {
			return err
		}
		if err := d.proofFile(row, index, inclusion, proof.RowProof{Leaf: string(leaf), Position: place[row], Path: append([]proof.Hash{}, path...)}); err != nil {
			return err
		}
	}
	return nil
}

func (d *draft) proofFile(row string, index uint64, inclusion []proof.Hash, p proof.RowProof) error {
	extra, err := p.Canonical()
	if err != nil {
		return err
	}
	out := tlog.TLogProof{Index: index, Checkpoint: d.checkpoint, ExtraData: extra}
	for _, hash := range inclusion {
		out.Hashes = append(out.Hashes, hash)
	}
	return d.file(writeFile(d.folder, proof.ProofFolder+"/"+row+proof.ProofEnding, out.Marshal()))
}
