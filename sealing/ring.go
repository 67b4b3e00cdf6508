package sealing

import (
	"context"
	"crypto/hpke"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/anteroom/anteroom/store"
)

// RingDeps are what a ring works with.
type RingDeps struct {
	// Home is the store of the home region. Required.
	Home *store.Store
	// Log. Default: none.
	Log *slog.Logger
	// Metrics is where the ring's own are registered. Default: nowhere.
	Metrics prometheus.Registerer
	// Now is the clock. Default time.Now.
	Now func() time.Time
}

// Ring seals to the keys that regions have published. It holds public halves only, follows them within half a second, and goes on with what it knows
// while the store is away, until their intervals are over. All methods are safe for concurrent use.
type Ring struct {
	deps    RingDeps
	metrics ringMetrics

	mu sync.RWMutex
	// keys by slot.
	keys map[string]ringKey
	// changed is closed, and made anew, when a key was taken in.
	changed chan struct{}
}

type ringKey struct {
	id, region string
	start, end time.Time
	public     hpke.PublicKey
}

// NewRing makes a ring. It knows no key before Run.
func NewRing(deps RingDeps) (*Ring, error) {
	if deps.Home == nil {
		return nil, errors.New("make ring of keys: no store")
	}
	if deps.Log == nil {
		deps.Log = slog.New(slog.DiscardHandler)
	}
	if deps.Now == nil {
		deps.Now = time.Now
	}
	r := &Ring{deps: deps, keys: map[string]ringKey{}, changed: make(chan struct{})}
	if err := r.metrics.register(deps.Metrics); err != nil {
		return nil, fmt.Errorf("make ring of keys: %w", err)
	}
	return r, nil
}

// Run follows what regions publish until the context ends, which is no error.
func (r *Ring) Run(ctx context.Context) error {
	err := r.deps.Home.Watch(ctx, Kind, func(c store.Control) error {
		r.take(ctx, c)
		return nil
	})
	if err != nil {
		return fmt.Errorf("follow keys: %w", err)
	}
	return nil
}

func (r *Ring) take(ctx context.Context, c store.Control) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.keys, c.ID)
	if c.Deleted {
		return
	}
	p, err := parseRow(c)
	if err == nil && p.Withdrawn {
		return
	}
	if err == nil {
		kem, _, _ := suite()
		var public hpke.PublicKey
		if public, err = kem.NewPublicKey(p.Public); err == nil {
			r.keys[c.ID] = ringKey{id: p.ID, region: p.Region, start: p.Start, end: p.End, public: public}
		}
	}
	if err != nil {
		r.deps.Log.WarnContext(ctx, "a published key can't be read", slog.String("row", c.ID), slog.Uint64("version", c.Version))
	}
	close(r.changed)
	r.changed = make(chan struct{})
}

// Seal seals text to the region's key of now. about is what the text belongs to; opening takes the same. It fails with ErrNoKey if the region
// has published none that holds now: what can't be sealed must not go on its way.
func (r *Ring) Seal(region string, about, text []byte) (Sealed, error) {
	sealed, err := r.seal(region, about, text)
	r.metrics.sealed(err)
	return sealed, err
}

func (r *Ring) seal(region string, about, text []byte) (Sealed, error) {
	held, ok := r.current(region)
	if !ok {
		return Sealed{}, ErrNoKey
	}
	b, err := seal(held.public, about, text)
	if err != nil {
		return Sealed{}, err
	}
	return Sealed{KeyID: held.id, Text: b}, nil
}

// current is the key that began last of those that hold now.
func (r *Ring) current(region string) (ringKey, bool) {
	now := r.deps.Now()
	r.mu.RLock()
	defer r.mu.RUnlock()
	var newest ringKey
	for _, held := range r.keys {
		if held.region == region && !now.Before(held.start) && now.Before(held.end) && (newest.id == "" || held.start.After(newest.start)) {
			newest = held
		}
	}
	return newest, newest.id != ""
}

// Check fails while one of the regions has no key that can be sealed to now.
func (r *Ring) Check(regions ...string) error {
	var errs []error
	for _, region := range regions {
		if _, ok := r.current(region); !ok {
			errs = append(errs, fmt.Errorf("region %s has published no key for now", region))
		}
	}
	return errors.Join(errs...)
}

// Await waits until each region has a key that can be sealed to now, or the context ends.
func (r *Ring) Await(ctx context.Context, regions ...string) error {
	for {
		r.mu.RLock()
		changed := r.changed
		r.mu.RUnlock()
		err := r.Check(regions...)
		if err == nil {
			return nil
		}
		select {
		case <-changed:
		case <-time.After(time.Second): // a key that is there may begin
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		}
	}
}
