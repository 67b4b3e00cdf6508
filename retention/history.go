package retention

import (
	"context"
	"encoding/hex"
	"fmt"

	"github.com/anteroom/anteroom/directory"
	"github.com/anteroom/anteroom/directory/registry"
	"github.com/anteroom/anteroom/retention/evidence"
	"github.com/anteroom/anteroom/store"
)

// Recorded is a version of a policy or a hold, with what the ledger has of it.
type Recorded[T any] struct {
	directory.Versioned[T]
	// LeafID is the leaf's, Digest what it has: the SHA-256 of Text, in hexadecimal digits.
	LeafID, Digest, Text string
}

// PolicyHistory reads all versions of a policy, oldest first. It fails with store.ErrNotFound if there are none.
func (r *Rulebook) PolicyHistory(ctx context.Context, org, id string) ([]Recorded[directory.RetentionPolicy], error) {
	return history(ctx, r.deps, registry.KindRetentionPolicy, org, id, r.deps.Directory.RetentionPolicies.Decode)
}

// HoldHistory is PolicyHistory of a hold.
func (r *Rulebook) HoldHistory(ctx context.Context, org, id string) ([]Recorded[directory.Hold], error) {
	return history(ctx, r.deps, registry.KindHold, org, id, r.deps.Directory.Holds.Decode)
}

func history[T any](
	ctx context.Context, deps RulebookDeps, kind, org, id string, decode func(store.Control) (directory.Versioned[T], error),
) ([]Recorded[T], error) {
	rows, err := deps.Home.History(ctx, kind, org, id)
	if err != nil {
		return nil, err //nolint:wrapcheck // the store says what it did
	}
	out := make([]Recorded[T], 0, len(rows))
	for _, row := range rows {
		v, err := decode(row)
		if err != nil || row.Deleted {
			continue
		}
		change, _ := evidence.Change(&row) // the kinds have one
		text, err := change.Canonical()
		if err != nil {
			return nil, err //nolint:wrapcheck // it says what it did
		}
		leaf, err := change.Leaf(deps.HomeRegion)
		if err != nil {
			return nil, err //nolint:wrapcheck // it says what it did
		}
		out = append(out, Recorded[T]{v, leaf.ID, hex.EncodeToString(leaf.Digest[:]), string(text)})
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("read history of %s: %w", kind, store.ErrNotFound)
	}
	return out, nil
}
