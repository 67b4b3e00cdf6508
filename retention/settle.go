package retention

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/anteroom/anteroom/store"
)

// settlePause is between two looks whether a region knows of a hold.
const settlePause = 50 * time.Millisecond

// UnsettledError: a hold is placed, and whether a purge that doesn't know of it is still under way can't be told.
type UnsettledError struct {
	// Hold by its id, and the region that can't be asked or didn't come to it in time.
	Hold, Region string
	Err          error
}

func (e *UnsettledError) Error() string {
	return fmt.Sprintf("hold %s is placed, and region %s doesn't tell that no purge is under way: %v", e.Hold, e.Region, e.Err)
}

func (e *UnsettledError) Unwrap() error { return e.Err }

// settle returns once no purge is under way in any region that doesn't know of the hold that was just placed: each region's decisions know of it, or are so
// old that nothing is purged by them; and what was being purged before has ended.
func (r *Rulebook) settle(ctx context.Context, hold string) error {
	known, err := r.deps.Home.ControlVersions(ctx, controlKinds()...)
	if err != nil {
		return &UnsettledError{hold, r.deps.HomeRegion, err}
	}
	for _, name := range slices.Sorted(maps.Keys(r.deps.Regions)) {
		s := r.deps.Regions[name]
		err := r.awaitDecisions(ctx, s, known)
		if err == nil {
			err = AwaitPurges(ctx, map[string]*store.Store{name: s}, r.deps.Silence)
		}
		if err != nil {
			return &UnsettledError{hold, name, err}
		}
	}
	return nil
}

// awaitDecisions returns once a region's decisions know of so many versions of policies and holds, or are too old to be purged by.
func (r *Rulebook) awaitDecisions(ctx context.Context, s *store.Store, known uint64) error {
	for {
		mark, err := s.DecisionMark(ctx)
		switch {
		case errors.Is(err, store.ErrNotFound):
			return nil // Nothing was ever decided there.
		case err != nil:
			return err //nolint:wrapcheck // the store says what it did
		case mark.Seen >= known || !mark.Fresh(r.cfg.MaxDecisionAge):
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(settlePause):
		}
	}
}
