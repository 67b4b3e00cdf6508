// Package registry keeps the directory's values as versioned control rows, one collection per kind.
//
// Writes compare and set: whoever writes names the version that is replaced, and of two writers of one version the first one wins
// (store.ErrConflict for the other). Reads with Get and List ask the store and see every acknowledged write. Lookups (Find and what is
// built on it) ask the snapshot in memory: it holds everything from the moment Ready is closed, follows the writes of this process at
// once and those of others within half a second, and goes on answering with what it last knew while the store is away.
//
// A row that can't be read any more is left out, so that one bad row never stops the others; it is counted and logged without its value.
package registry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/anteroom/anteroom/directory"
	"github.com/anteroom/anteroom/store"
)

// The kinds of control rows.
const (
	KindOrganization = "organization"
	KindUser         = "user"
	KindResource     = "resource"
	KindMeeting      = "meeting"

	KindRetentionPolicy = "retention_policy"
	KindHold            = "hold"

	KindSignedOut = "signed_out"
)

// retryEvery is the pause between two attempts to read everything at the start.
const retryEvery = time.Second

// Deps are what a registry works with.
type Deps struct {
	// Store keeps the rows. Required.
	Store *store.Store
	// Metrics is where the registry's own are registered. Default: nowhere.
	Metrics prometheus.Registerer
	// Log. Default: none.
	Log *slog.Logger
}

// Registry holds the collections. All methods are safe for concurrent use.
type Registry struct {
	Organizations *Collection[directory.Organization]
	Users         *Collection[directory.User]
	Resources     *Collection[directory.Resource]
	Meetings      *Collection[directory.Meeting]

	RetentionPolicies *Collection[directory.RetentionPolicy]
	Holds             *Collection[directory.Hold]

	SignedOut *Collection[directory.SignedOut]

	log   *slog.Logger
	bad   *prometheus.CounterVec
	ready chan struct{}

	mu       sync.RWMutex
	onChange []func(kind, org, id string) // guarded by mu
}

// New makes a registry. It reads nothing before Run.
func New(deps Deps) (*Registry, error) {
	if deps.Store == nil {
		return nil, errors.New("make registry: no store")
	}
	if deps.Log == nil {
		deps.Log = slog.New(slog.DiscardHandler)
	}
	r := &Registry{
		log: deps.Log, ready: make(chan struct{}),
		bad: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "anteroom_directory_unreadable_rows_total", Help: "Control rows of the directory that could not be read, by kind.",
		}, []string{"kind"}),
	}
	if deps.Metrics != nil {
		if err := deps.Metrics.Register(r.bad); err != nil {
			return nil, fmt.Errorf("make registry: register metrics: %w", err)
		}
	}
	r.Organizations = collect[directory.Organization](r, deps.Store, KindOrganization)
	r.Users = collect[directory.User](r, deps.Store, KindUser)
	r.Resources = collect[directory.Resource](r, deps.Store, KindResource)
	r.Meetings = collect[directory.Meeting](r, deps.Store, KindMeeting)
	r.RetentionPolicies = collect[directory.RetentionPolicy](r, deps.Store, KindRetentionPolicy)
	r.Holds = collect[directory.Hold](r, deps.Store, KindHold)
	r.SignedOut = collect[directory.SignedOut](r, deps.Store, KindSignedOut)
	return r, nil
}

// OnChange has do called after each change that the snapshot took in, with the row's kind, organisation ("" for organisations) and id. The
// calls come one after the other per kind; do must not block. Nothing is told of changes from before the call.
func (r *Registry) OnChange(do func(kind, org, id string)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.onChange = append(r.onChange, do)
}

func (r *Registry) changed(kind, org, id string) {
	r.mu.RLock()
	told := r.onChange
	r.mu.RUnlock()
	for _, do := range told {
		do(kind, org, id)
	}
}

// Ready is closed once the snapshot holds everything that was stored when Run began.
func (r *Registry) Ready() <-chan struct{} { return r.ready }

// Run reads everything, then follows changes until the context ends, which is no error. It is called once.
func (r *Registry) Run(ctx context.Context) error {
	for {
		err := r.load(ctx)
		if err == nil {
			break
		}
		if ctx.Err() != nil {
			return nil //nolint:nilerr // told to stop
		}
		if !errors.Is(err, store.ErrUnavailable) {
			return fmt.Errorf("read directory: %w", err)
		}
		r.log.WarnContext(ctx, "directory can't be read yet", slog.String("error", err.Error()))
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(retryEvery):
		}
	}
	close(r.ready)
	group, ctx := errgroup.WithContext(ctx)
	for _, watch := range []func(context.Context) error{
		r.Organizations.watch, r.Users.watch, r.Resources.watch, r.Meetings.watch, r.RetentionPolicies.watch, r.Holds.watch, r.SignedOut.watch,
	} {
		group.Go(func() error { return watch(ctx) })
	}
	if err := group.Wait(); err != nil {
		return fmt.Errorf("follow directory: %w", err)
	}
	return nil
}

// load reads all organisations and what belongs to each.
func (r *Registry) load(ctx context.Context) error {
	organizations, err := r.Organizations.List(ctx, "")
	if err != nil {
		return err
	}
	if err := r.SignedOut.read(ctx, ""); err != nil {
		return err
	}
	for _, o := range organizations {
		for _, read := range []func(context.Context, string) error{
			r.Users.read, r.Resources.read, r.Meetings.read, r.RetentionPolicies.read, r.Holds.read,
		} {
			if err := read(ctx, o.Value.ID); err != nil {
				return err
			}
		}
	}
	return nil
}
