package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"

	merkle "github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"

	"github.com/anteroom/anteroom/retention/proof"
)

// Glance is the short form of Checked.
type Glance struct {
	// Size is the checkpoint's, which was written at Written.
	Size    uint64
	Written time.Time
	// Waiting leaves of the region's tables aren't in the log yet, the first of them since Since.
	Waiting uint64
	Since   time.Time
	// Recorded is how many leaves the region's tables have a place in the log for.
	Recorded uint64
}

// ErrBroken: files of the log don't give what its checkpoint says.
var ErrBroken = errors.New("the log's files don't give its checkpoint")

// Glance looks at the checkpoint's signature, whether the last leaf leads to its root, and what waits in the region's tables. It takes about the same time
// however long the log is; Fsck looks at all of it. It fails with ErrNoCheckpoint while nothing is published, and with ErrBroken.
func (l *Ledger) Glance(ctx context.Context) (g Glance, err error) {
	if l.deps.Store != nil {
		if g.Waiting, g.Since, err = l.deps.Store.Waiting(ctx); err != nil {
			return g, err
		}
		if g.Recorded, _, err = l.deps.Store.LedgerExtent(ctx); err != nil {
			return g, err
		}
	}
	published, err := l.Published(ctx)
	if err != nil {
		return g, err
	}
	g.Size = published.Size
	if g.Written, err = l.signedAt(); err != nil || g.Size == 0 {
		return g, err
	}
	last := g.Size - 1
	leaf, err := l.Leaf(ctx, last)
	if err != nil {
		return g, fmt.Errorf("%w: %w", ErrBroken, err)
	}
	path, err := l.InclusionProof(ctx, last, g.Size)
	if err != nil {
		return g, fmt.Errorf("%w: %w", ErrBroken, err)
	}
	hashes := make([][]byte, len(path))
	for i := range path {
		hashes[i] = path[i][:]
	}
	hash := proof.LeafHash(leaf)
	if err := merkle.VerifyInclusion(rfc6962.DefaultHasher, last, g.Size, hash[:], hashes, published.Root[:]); err != nil {
		return g, fmt.Errorf("%w: the last leaf doesn't lead to the root", ErrBroken)
	}
	return g, nil
}
