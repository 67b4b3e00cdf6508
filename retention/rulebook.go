package retention

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/anteroom/anteroom/directory"
	"github.com/anteroom/anteroom/directory/registry"
	"github.com/anteroom/anteroom/policy"
	"github.com/anteroom/anteroom/retention/proof"
	"github.com/anteroom/anteroom/store"
)

// RulebookDeps are what a rulebook works with. All but Own, Resources, Silence, Query, PurgeWindow and Log are required.
type RulebookDeps struct {
	Directory *registry.Registry
	// Home is the home region's store, HomeRegion its name.
	Home       *store.Store
	HomeRegion string
	// Regions are all there are, by name, the home region's too.
	Regions map[string]*store.Store
	Policy  *policy.Retention
	// Own has Policy decide by organisations' own rules too. Default: the rules of the house alone.
	Own OwnRules
	// Resources are the ids of those that no organisation has registered.
	Resources []string
	// Silence is after what time without a sign of life a sweeper counts as dead (SweepConfig.Silence). Default that of DefaultSweepConfig.
	Silence time.Duration
	// Query bounds what a preview asks of a region.
	Query store.QueryLimits
	// PurgeWindow is after what time what had to be gone is told to be overdue. Default is the sweep's.
	PurgeWindow time.Duration
	Log         *slog.Logger
}

// Rulebook changes organisations' policies and holds, and tells beforehand what a change would do. No change is acknowledged before its leaf is on its
// way into the ledger; what a crash leaves between the two, RepairLeaves finds. Safe for concurrent use.
type Rulebook struct {
	cfg  Config
	deps RulebookDeps
}

// Versions of policies and holds.
type (
	Policy = directory.Versioned[directory.RetentionPolicy]
	Hold   = directory.Versioned[directory.Hold]
)

// NewRulebook makes a rulebook.
func NewRulebook(cfg Config, deps RulebookDeps) (*Rulebook, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("make rulebook: %w", err)
	}
	if deps.Directory == nil || deps.Home == nil || deps.HomeRegion == "" || deps.Policy == nil || deps.Regions[deps.HomeRegion] == nil {
		return nil, errors.New("make rulebook: a dependency is missing")
	}
	if deps.Log == nil {
		deps.Log = slog.New(slog.DiscardHandler)
	}
	if deps.PurgeWindow == 0 {
		deps.PurgeWindow = DefaultSweepConfig().PurgeWindow
	}
	if deps.Silence == 0 {
		deps.Silence = DefaultSweepConfig().Silence
	}
	return &Rulebook{cfg.withDefaults(), deps}, nil
}

// newNonce is for one version of a policy or a hold.
func newNonce() string {
	nonce := proof.NewNonce()
	return hex.EncodeToString(nonce[:])
}

// PutPolicy writes the version of a policy after ifVersion, 0 for a new one. It fails with *directory.FieldError, joined, for what can't be kept: also
// users and groups that nobody knows, a locked policy that would not only grow, and a lock that another one contradicts. Otherwise it fails like
// registry.Collection.Put.
func (r *Rulebook) PutPolicy(ctx context.Context, p directory.RetentionPolicy, ifVersion uint64, author string) (Policy, error) {
	p.Nonce = newNonce()
	old, err := r.checkPolicy(ctx, p, ifVersion)
	if err == nil && p.Locked {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, lockPatience)
		defer cancel()
		err = r.announceLock(ctx, p, old, author)
	}
	if err != nil {
		return Policy{}, fmt.Errorf("put retention policy: %w", err)
	}
	row, err := r.deps.Directory.RetentionPolicies.PutRow(ctx, p, ifVersion, author)
	if err != nil {
		return Policy{}, err //nolint:wrapcheck // the registry says what it did
	}
	if err := putLeaf(ctx, r.deps.Home, r.deps.HomeRegion, row); err != nil {
		return Policy{}, err
	}
	return r.deps.Directory.RetentionPolicies.Decode(row) //nolint:wrapcheck // the registry says what it did
}

// PlaceHold writes a new hold. It fails with *directory.FieldError for what can't be kept and for a hold on something that nobody knows. When it returns,
// nothing is purged any more that the hold covers. It fails with *UnsettledError if that can't be told; the hold is placed all the same. Who places the
// same hold again, by its id, gets it as it is; another hold of that id is a store.ErrConflict.
func (r *Rulebook) PlaceHold(ctx context.Context, h directory.Hold, author string) (Hold, error) {
	h.Nonce, h.PlacedBy, h.PlacedAt = newNonce(), author, time.Now().UTC().Truncate(time.Microsecond)
	h.ReleasedAt, h.ReleasedBy, h.ReleaseReason = nil, "", ""
	if err := r.checkHold(ctx, h); err != nil {
		return Hold{}, fmt.Errorf("place hold: %w", err)
	}
	placed, err := r.putHold(ctx, h, 0, author)
	if errors.Is(err, store.ErrConflict) {
		placed, err = r.sameHold(ctx, h, err)
	}
	if err != nil {
		return Hold{}, err
	}
	return placed, r.settle(ctx, placed.Value.ID)
}

// sameHold is the hold that is there of an id, if it is the one that was to be placed. Its leaf may still have been missing.
func (r *Rulebook) sameHold(ctx context.Context, h directory.Hold, conflict error) (Hold, error) {
	rows, err := r.deps.Home.History(ctx, registry.KindHold, h.Org, h.ID)
	if err != nil {
		return Hold{}, err //nolint:wrapcheck // the store says what it did
	}
	there, err := r.deps.Directory.Holds.Get(ctx, h.Org, h.ID)
	if err != nil {
		return Hold{}, err //nolint:wrapcheck // the registry says what it did
	}
	field, id := h.On()
	if isField, isID := there.Value.On(); isField != field || isID != id || there.Value.Reason != h.Reason || there.Value.PlacedBy != h.PlacedBy {
		return Hold{}, conflict
	}
	for _, row := range rows {
		if err := putLeaf(ctx, r.deps.Home, r.deps.HomeRegion, row); err != nil {
			return Hold{}, err
		}
	}
	return there, nil
}

// ReleaseHold ends a hold; reason may be "". One that is released already stays as it is.
func (r *Rulebook) ReleaseHold(ctx context.Context, h Hold, reason, author string) (Hold, error) {
	if !h.Value.Holds() {
		return h, nil
	}
	now := time.Now().UTC().Truncate(time.Microsecond)
	if now.Before(h.Value.PlacedAt) { // The clock went back.
		now = h.Value.PlacedAt
	}
	out := h.Value
	out.Nonce, out.ReleasedAt, out.ReleasedBy, out.ReleaseReason = newNonce(), &now, author, reason
	return r.putHold(ctx, out, h.Version, author)
}

func (r *Rulebook) putHold(ctx context.Context, h directory.Hold, ifVersion uint64, author string) (Hold, error) {
	row, err := r.deps.Directory.Holds.PutRow(ctx, h, ifVersion, author)
	if err != nil {
		return Hold{}, err //nolint:wrapcheck // the registry says what it did
	}
	if err := putLeaf(ctx, r.deps.Home, r.deps.HomeRegion, row); err != nil {
		return Hold{}, err
	}
	return r.deps.Directory.Holds.Decode(row) //nolint:wrapcheck // the registry says what it did
}
