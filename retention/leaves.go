package retention

import (
	"context"
	"fmt"
	"time"

	"github.com/anteroom/anteroom/directory/registry"
	"github.com/anteroom/anteroom/retention/evidence"
	"github.com/anteroom/anteroom/retention/proof"
	"github.com/anteroom/anteroom/store"
)

// putLeaf hands the leaf of a version to the ledger of the home region. Doing it again changes nothing.
func putLeaf(ctx context.Context, home *store.Store, region string, row store.Control) error {
	c, ok := evidence.Change(&row)
	if !ok {
		return fmt.Errorf("put leaf: a %s has none", row.Kind)
	}
	leaf, err := c.Leaf(region)
	if err != nil {
		return err //nolint:wrapcheck // it says what it did
	}
	text, err := leaf.Canonical()
	if err != nil {
		return err //nolint:wrapcheck // it says what it did
	}
	return home.PutLeaf(ctx, leaf.ID, text) //nolint:wrapcheck // the store says what it did
}

// RepairLeaves hands over the leaves of all policies and holds that have none: of those whose writer ended between row and leaf. Who wrote less than
// patience ago may still do it. It returns how many.
func RepairLeaves(ctx context.Context, home *store.Store, region string, patience time.Duration) (int, error) {
	repaired := 0
	for kind, what := range map[string]proof.LeafType{registry.KindRetentionPolicy: proof.LeafPolicy, registry.KindHold: proof.LeafHold} {
		rows, err := home.ControlsWithoutLeaf(ctx, kind, string(what), patience)
		if err != nil {
			return repaired, err //nolint:wrapcheck // the store says what it did
		}
		for _, row := range rows {
			if err := putLeaf(ctx, home, region, row); err != nil {
				return repaired, fmt.Errorf("repair leaf of %s %s: %w", kind, row.ID, err)
			}
			repaired++
		}
	}
	return repaired, nil
}
