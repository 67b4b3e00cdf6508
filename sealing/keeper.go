package sealing

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/anteroom/anteroom/event"
	"github.com/anteroom/anteroom/store"
)

// ahead is how many intervals after the one that holds now have their key already, so that media always knows one.
const ahead = 2

// lookEvery bounds the pause between two looks at folder, rows and progress.
const lookEvery = 5 * time.Second

// Progress tells how far a region's chat has been ingested.
type Progress interface {
	// Ingested tells whether all that was produced to the region's topics of sealed text before that moment has been ingested and committed.
	Ingested(ctx context.Context, before time.Time) (bool, error)
}

// KeeperDeps are what a keeper works with.
type KeeperDeps struct {
	// Home is the store of the home region, where public halves are published. Required.
	Home *store.Store
	// Progress of the region. Required.
	Progress Progress
	// Log. Default: none.
	Log *slog.Logger
	// Metrics is where the keeper's own are registered. Default: nowhere.
	Metrics prometheus.Registerer
	// Now is the clock. Default time.Now.
	Now func() time.Time
}

// Keeper makes, publishes, holds and destroys the keys of one region. All methods are safe for concurrent use, and several nodes may have a
// keeper of the same region on the same folder.
type Keeper struct {
	cfg     Config
	region  string
	deps    KeeperDeps
	folder  *folder
	metrics keeperMetrics

	// passing keeps passes one after the other. over says since when keys are withdrawn, by id; guarded by passing.
	passing sync.Mutex
	over    map[string]time.Time

	mu sync.Mutex
	// keys whose files are in the folder, by id.
	keys map[string]*key
	// gone are ids of keys known to be destroyed.
	gone map[string]bool
	// current is why the key of now is not published; nil: it is.
	current error
}

// maxGone bounds the ids of destroyed keys in memory; looking one up again costs a query.
const maxGone = 4096

// NewKeeper makes a keeper of a region, and its folder if need be.
func NewKeeper(cfg Config, region string, deps KeeperDeps) (*Keeper, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("make keeper of keys: %w", err)
	}
	switch {
	case cfg.Dir == "":
		return nil, errors.New("make keeper of keys: dir: is empty; name the folder that the region's nodes share")
	case !event.ValidRegion(region):
		return nil, errors.New("make keeper of keys: the region's name is not valid")
	case deps.Home == nil || deps.Progress == nil:
		return nil, errors.New("make keeper of keys: no store or no progress")
	}
	if deps.Log == nil {
		deps.Log = slog.New(slog.DiscardHandler)
	}
	if deps.Now == nil {
		deps.Now = time.Now
	}
	f, err := openFolder(cfg.Dir, region)
	if err != nil {
		return nil, fmt.Errorf("make keeper of keys: %w", err)
	}
	k := &Keeper{
		cfg: cfg, region: region, deps: deps, folder: f, keys: map[string]*key{}, gone: map[string]bool{}, over: map[string]time.Time{},
		current: errors.New("no key has been made yet"),
	}
	if err := k.metrics.register(deps.Metrics, k); err != nil {
		return nil, fmt.Errorf("make keeper of keys: %w", err)
	}
	return k, nil
}

// Run makes, publishes and destroys keys until the context ends, which is no error. What fails is logged and tried again.
func (k *Keeper) Run(ctx context.Context) error {
	pause := min(lookEvery, k.cfg.Interval/4)
	failed := false
	for {
		err := k.Pass(ctx)
		switch {
		case ctx.Err() != nil:
			return nil //nolint:nilerr // told to stop
		case err != nil:
			k.metrics.failures.Inc()
			k.deps.Log.WarnContext(ctx, "keys could not be kept as they should be; trying again", slog.String("region", k.region), slog.String("error", err.Error()))
		case failed:
			k.deps.Log.InfoContext(ctx, "keys are kept again", slog.String("region", k.region))
		}
		failed = err != nil
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
	}
}

// Pass does all that is to do now: makes and publishes the keys of this interval and of the next ones, and destroys those that are done with.
func (k *Keeper) Pass(ctx context.Context) error {
	k.passing.Lock()
	defer k.passing.Unlock()
	now := k.deps.Now()
	errs := []error{k.folder.sweep(now)}
	if err := k.read(ctx); err != nil {
		k.setCurrent(err)
		return err
	}
	rows, err := k.published(ctx)
	if err != nil {
		k.setCurrent(err)
		return err
	}
	for i := range ahead + 1 {
		start := now.UTC().Truncate(k.cfg.Interval).Add(time.Duration(i) * k.cfg.Interval)
		err := k.provide(ctx, start, rows)
		if i == 0 {
			k.setCurrent(err)
		}
		errs = append(errs, err)
	}
	return errors.Join(append(errs, k.destroyDone(ctx, now, rows))...)
}

// Check fails while media can't have a key of now.
func (k *Keeper) Check() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.current
}

func (k *Keeper) setCurrent(err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.current = err
}

// read takes the folder's files into memory, and forgets keys whose files are gone: another node destroyed them.
func (k *Keeper) read(ctx context.Context) error {
	names, err := k.folder.names()
	if err != nil {
		return err
	}
	keys := make(map[string]*key, len(names))
	for _, name := range names {
		held, err := k.folder.load(name)
		switch {
		case gone(err): // destroyed meanwhile
		case errors.Is(err, errOverwritten): // who destroyed it was killed
			if err := k.folder.destroy(name); err != nil {
				return err
			}
		case err != nil:
			k.metrics.failures.Inc()
			k.deps.Log.ErrorContext(ctx, "a key can't be read; what was sealed to it can't be opened", slog.String("file", name), slog.String("error", err.Error()))
		default:
			keys[held.id] = held
		}
	}
	for id := range k.over {
		if keys[id] == nil {
			delete(k.over, id)
		}
	}
	k.mu.Lock()
	k.keys = keys
	k.mu.Unlock()
	return nil
}

// keyAt is the key of the interval that begins at start; nil if the folder has none.
func (k *Keeper) keyAt(start time.Time) *key {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, held := range k.keys {
		if held.start.Equal(start) {
			return held
		}
	}
	return nil
}

// provide sees to it that the interval has a key in the folder and that its public half is published. rows are what is published; what it
// publishes is added.
func (k *Keeper) provide(ctx context.Context, start time.Time, rows map[string]publishedKey) error {
	held := k.keyAt(start)
	if held == nil {
		made, err := newKey(k.region, start, k.cfg.Interval)
		if err != nil {
			return err
		}
		content, err := made.marshal()
		if err != nil {
			return err
		}
		if err := k.folder.create(keyName(start), content); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		// Another node may have been first; its key is the key then.
		if err := k.read(ctx); err != nil {
			return err
		}
		if held = k.keyAt(start); held == nil {
			return errors.New("make key: its file vanished")
		}
	}
	return k.publish(ctx, held, rows)
}
