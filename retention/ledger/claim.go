package ledger

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/anteroom/anteroom/store"
)

// claimKind is the control row, in the region's own database and under its name, that says which ledger is the region's.
const claimKind = "ledger"

// ErrOther: the region's tables belong to another ledger than the folder's.
var ErrOther = errors.New("the region has another ledger")

// claim is the row's value.
type claim struct {
	// Key is the verifier key, IDs the SHA-256 of the id key: with another one all things would be others.
	Key string `json:"verifier_key"`
	IDs string `json:"id_key_sha256"`
}

// claim makes the region's tables this ledger's if they are nobody's, and fails with ErrOther if they are another's: a second folder would be a second
// log of the same region, and nobody could tell which one is true.
func (l *Ledger) claim(ctx context.Context) error {
	sum := sha256.Sum256(l.folder.ids)
	mine := claim{l.key, hex.EncodeToString(sum[:])}
	value, err := json.Marshal(mine)
	if err != nil {
		return fmt.Errorf("claim the region's ledger: %w", err)
	}
	for {
		row, err := l.deps.Store.Get(ctx, claimKind, "", l.region)
		if errors.Is(err, store.ErrNotFound) {
			row, err = l.deps.Store.Put(ctx, store.Control{Kind: claimKind, ID: l.region, Value: value, Author: "ledger"}, 0)
			if errors.Is(err, store.ErrConflict) {
				continue // somebody was first
			}
		}
		if err != nil {
			return fmt.Errorf("claim the region's ledger: %w", err)
		}
		var theirs claim
		if err := json.Unmarshal(row.Value, &theirs); err != nil {
			return fmt.Errorf("claim the region's ledger: %w", err)
		}
		if theirs != mine {
			return fmt.Errorf("%w: that of key %s, and not the one in %s (key %s): bring its folder here, or run the role retention where it is",
				ErrOther, theirs.Key, l.folder.path, mine.Key)
		}
		return nil
	}
}
