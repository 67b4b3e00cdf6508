package revisions

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/anteroom/anteroom/policy"
	"github.com/anteroom/anteroom/policy/author"
	"github.com/anteroom/anteroom/store"
)

// retryEvery is the pause between two attempts at what could not be read.
const retryEvery = time.Second

// FollowerDeps are what a Follower works with.
type FollowerDeps struct {
	// Store has what is active. Required.
	Store *store.Store
	// Engine decides by it. Required.
	Engine *policy.Engine
	// Metrics is where the follower's own are registered. Default: nowhere.
	Metrics prometheus.Registerer
	// Log. Default: none.
	Log *slog.Logger
}

// Follower has an Engine decide by what is active. All methods are safe for concurrent use.
type Follower struct {
	store   *store.Store
	engine  *policy.Engine
	log     *slog.Logger
	metrics metrics
	ready   chan struct{}

	// mu orders what is done to the engine. It is held while the store is asked.
	mu   sync.Mutex
	orgs map[string]*followed // guarded by mu

	tripping sync.Mutex
	tripped  map[string]policy.Failure // by organisation; guarded by tripping
	poke     chan struct{}             // has something when tripped has
}

// followed is what the engine has of an organisation.
type followed struct {
	active, breaker uint64 // versions of the rows that it is by
	digest          string
	broken          bool
	// failed is why the engine refuses, or has an older policy; nil if it has what it should.
	failed error
	// again: what failed may succeed later.
	again bool
}

// NewFollower makes one; from then on the engine denies, until Run has read what is active.
func NewFollower(deps FollowerDeps) (*Follower, error) {
	if deps.Store == nil || deps.Engine == nil {
		return nil, errors.New("follow policies: no store or no engine")
	}
	if deps.Log == nil {
		deps.Log = slog.New(slog.DiscardHandler)
	}
	f := &Follower{
		store: deps.Store, engine: deps.Engine, log: deps.Log, ready: make(chan struct{}), orgs: map[string]*followed{},
		tripped: map[string]policy.Failure{}, poke: make(chan struct{}, 1),
	}
	var err error
	if f.metrics, err = newMetrics(deps.Metrics); err != nil {
		return nil, err
	}
	f.engine.Hold()
	f.engine.OnFailure(f.note)
	return f, nil
}

// Ready is closed once the engine decides by what was active when Run began.
func (f *Follower) Ready() <-chan struct{} { return f.ready }

// Check fails until then.
func (f *Follower) Check(context.Context) error {
	select {
	case <-f.ready:
		return nil
	default:
		return policy.ErrHeld
	}
}

// CheckEach names the organisations whose policy can't be loaded: they are denied everything, or keep an older one, meanwhile.
func (f *Follower) CheckEach(context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	var why []string
	for _, org := range slices.Sorted(maps.Keys(f.orgs)) {
		if err := f.orgs[org].failed; err != nil {
			why = append(why, fmt.Sprintf("the policy of %s can't be loaded: %v", org, err))
		}
	}
	if len(why) > 0 {
		return errors.New(strings.Join(why, "; "))
	}
	return nil
}

// Run reads what is active and follows it until the context ends, which is no error. It is called once.
func (f *Follower) Run(ctx context.Context) error {
	for {
		err := f.begin(ctx)
		if err == nil {
			break
		}
		if ctx.Err() != nil {
			return nil //nolint:nilerr // told to stop
		}
		if !errors.Is(err, store.ErrUnavailable) {
			return fmt.Errorf("read policies: %w", err)
		}
		f.log.WarnContext(ctx, "policies can't be read yet, everybody is denied", slog.String("error", err.Error()))
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(retryEvery):
		}
	}
	f.engine.Release()
	close(f.ready)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		return f.store.Watch(ctx, kindActive, func(row store.Control) error { f.take(ctx, row.Org); return nil }) //nolint:wrapcheck // the store says what it did
	})
	group.Go(func() error { f.tend(ctx); return nil })
	if err := group.Wait(); err != nil {
		return fmt.Errorf("follow policies: %w", err)
	}
	return nil
}

// begin reads what is active everywhere.
func (f *Follower) begin(ctx context.Context) error {
	rows, err := f.store.ListEverywhere(ctx, kindActive)
	if err != nil {
		return err //nolint:wrapcheck // the store says what it did
	}
	byOrg := map[string][]store.Control{}
	for _, row := range rows {
		byOrg[row.Org] = append(byOrg[row.Org], row)
	}
	for org, rows := range byOrg {
		now, err := standingOf(rows)
		f.mu.Lock()
		if err != nil {
			f.refuse(ctx, org, now, "", err)
		} else {
			f.apply(ctx, org, now)
		}
		f.mu.Unlock()
		if ctx.Err() != nil {
			return ctx.Err() //nolint:wrapcheck // told to stop
		}
	}
	return nil
}

// take has the engine decide by what is active in an organisation now.
func (f *Follower) take(ctx context.Context, org string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now, err := readStanding(ctx, f.store, org)
	if err != nil {
		f.refuse(ctx, org, now, "", err)
		return
	}
	f.apply(ctx, org, now)
}

// apply has the engine decide by what an organisation's rows say. The caller holds mu.
func (f *Follower) apply(ctx context.Context, org string, now standing) {
	if now.active == nil {
		return
	}
	_, digest := now.runs()
	was := f.orgs[org]
	if was != nil && was.failed == nil && was.digest == digest && was.active == now.active.version {
		was.breaker, was.broken = now.breakerVersion, now.breaker != nil
		f.count()
		return
	}
	var content author.Content
	if digest != "" {
		var err error
		if content, err = load(ctx, f.store, org, digest); err != nil {
			f.refuse(ctx, org, now, digest, err)
			return
		}
	}
	if err := f.activate(org, content); err != nil {
		f.refuse(ctx, org, now, digest, err)
		return
	}
	f.orgs[org] = &followed{active: now.active.version, breaker: now.breakerVersion, digest: digest, broken: now.breaker != nil}
	f.count()
	f.log.InfoContext(ctx, "policy decides", slog.String("organization", org), slog.String("revision", f.engine.Revision(org)))
}

func (f *Follower) activate(org string, content author.Content) error {
	if isBaseAlone(content) {
		f.engine.Deactivate(org)
		return nil
	}
	r, err := content.Revision()
	if err != nil {
		return err //nolint:wrapcheck // it says which file
	}
	return f.engine.Activate(org, r) //nolint:wrapcheck // it names file and line
}

// refuse notes that an organisation's policy could not be loaded. While only the store is away the engine goes on with what it had, as it does
// with all that it follows; what it never had, and what can't be right, is denied. The caller holds mu.
func (f *Follower) refuse(ctx context.Context, org string, now standing, digest string, err error) {
	was := f.orgs[org]
	if was == nil {
		was = &followed{}
		f.orgs[org] = was
	}
	if was.failed == nil || was.failed.Error() != err.Error() {
		f.log.ErrorContext(ctx, "policy can't be loaded", slog.String("organization", org), slog.String("digest", digest), slog.String("error", err.Error()))
	}
	passing := errors.Is(err, store.ErrUnavailable) || ctx.Err() != nil
	was.again = passing || errors.Is(err, store.ErrNotFound)
	had := was.active > 0
	was.failed = err
	if !passing || !had {
		f.engine.Refuse(org, digest, err)
		was.digest = ""
		if now.active != nil && !passing {
			was.active = now.active.version
		}
	}
	f.count()
}

func (f *Follower) toRetry() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []string
	for org, o := range f.orgs {
		if o.failed != nil && o.again {
			out = append(out, org)
		}
	}
	return out
}

// count brings the gauges up to date. The caller holds mu.
func (f *Follower) count() {
	broken, missing := 0, 0
	for _, o := range f.orgs {
		if o.broken {
			broken++
		}
		if o.failed != nil {
			missing++
		}
	}
	f.metrics.broken.Set(float64(broken))
	f.metrics.missing.Set(float64(missing))
}
