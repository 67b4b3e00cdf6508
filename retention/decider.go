package retention

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/anteroom/anteroom/directory/registry"
	"github.com/anteroom/anteroom/policy"
	"github.com/anteroom/anteroom/store"
)

// slack is how far back new rows are looked for again: by so much may clocks of servers differ, and inserts take until they can be read.
const slack = 30 * time.Second

// manyUsers is from how many changed users on their organisation is decided on as a whole.
const manyUsers = 200

// DeciderDeps are what a decider works with. All but Own, LeavesOf, Metrics and Log are required.
type DeciderDeps struct {
	// Directory has the policies, holds and users; whoever runs it owns it.
	Directory *registry.Registry
	// Home is the home region's store: control rows and attendance are there.
	Home *store.Store
	// Regions are those to decide for, by name; the home region is one of them where it is.
	Regions map[string]*store.Store
	Policy  *policy.Retention
	// Own has Policy decide by organisations' own rules too. Default: the rules of the house alone.
	Own OwnRules
	// LeavesOf is the name of the home region where this process repairs leaves of policies and holds (RepairLeaves). Default "": another one does.
	LeavesOf string
	Metrics  prometheus.Registerer
	Log      *slog.Logger
}

// OwnRules has a policy.Retention decide by the revision that each organisation has active, as *revisions.Keeping does.
type OwnRules interface {
	// Refresh reads what is active, and names the organisations for which that is another revision than before. It fails where that can't be told of all;
	// those that it names are so all the same.
	Refresh(ctx context.Context) (changed []string, err error)
}

// Decider keeps the regions' decisions about periods up to what policies, holds, users, attendance and things are. Two at once do no harm.
type Decider struct {
	cfg     Config
	deps    DeciderDeps
	regions []*region
	metrics deciderMetrics
	wake    chan struct{}

	// passing is held through a pass.
	passing sync.Mutex
	// attendedUntil is up to when new attendance was looked for, by the home region's clock. Guarded by passing, like reconciled.
	attendedUntil time.Time
	reconciled    time.Time
	// known is how many versions of policies, holds and activations the directory and the own rules was last brought up to; nil before. Guarded by passing.
	known *uint64
	// attended are rows of attendance that were seen lately and may be read again. Guarded by passing.
	attended map[store.Attended]time.Time

	// repairedAt is when leaves were looked after last. Run's own.
	repairedAt time.Time

	mu      sync.Mutex
	changes changes // guarded by mu
}

// changes are what the directory told of since they were last taken.
type changes struct {
	work  work
	users map[string]map[string]bool // by organisation
}

// region is what a decider knows of one. Guarded by the decider's passing.
type region struct {
	name  string
	store *store.Store
	todo  work
	// keptUntil is up to when new things were looked for, by the region's clock; zero before the first time.
	keptUntil time.Time
	// seen are keys that were decided on lately and may be read again as new.
	seen map[store.KeptKey]time.Time
	// marked is what the last mark said, and when that was.
	marked   uint64
	markedAt time.Time
}

// NewDecider makes a decider. It reads nothing before Run or Pass.
func NewDecider(cfg Config, deps DeciderDeps) (*Decider, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("make decider: %w", err)
	}
	if deps.Directory == nil || deps.Home == nil || deps.Policy == nil || len(deps.Regions) == 0 {
		return nil, errors.New("make decider: a dependency is missing")
	}
	if deps.Log == nil {
		deps.Log = slog.New(slog.DiscardHandler)
	}
	d := &Decider{
		cfg: cfg.withDefaults(), deps: deps, wake: make(chan struct{}, 1), attended: map[store.Attended]time.Time{},
		changes: changes{work: newWork(), users: map[string]map[string]bool{}},
	}
	for _, name := range slices.Sorted(maps.Keys(deps.Regions)) {
		r := &region{name: name, store: deps.Regions[name], todo: newWork(), seen: map[store.KeptKey]time.Time{}}
		d.regions = append(d.regions, r)
	}
	var err error
	if d.metrics, err = newDeciderMetrics(deps.Metrics); err != nil {
		return nil, fmt.Errorf("make decider: %w", err)
	}
	deps.Directory.OnChange(d.changed)
	deps.Policy.OnFailure(d.ruleFailed)
	return d, nil
}

// KindActivePolicy is the kind of control rows that say which revision of its own policy an organisation has active.
const KindActivePolicy = "policy_active"

// controlKinds are the kinds of control rows that decisions have to know all of.
func controlKinds() []string {
	return []string{registry.KindRetentionPolicy, registry.KindHold, KindActivePolicy}
}

// changed notes what the directory tells of.
func (d *Decider) changed(kind, org, id string) {
	d.mu.Lock()
	switch kind {
	case registry.KindRetentionPolicy:
		d.changes.work.orgs[org] = true
	case registry.KindHold:
		d.holdChanged(org, id)
	case registry.KindUser:
		d.userChanged(org, id)
	default:
		d.mu.Unlock()
		return
	}
	d.mu.Unlock()
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// holdChanged and userChanged are called with mu held.
func (d *Decider) holdChanged(org, id string) {
	hold, ok := d.deps.Directory.Holds.Find(org, id)
	meeting, err := uuid.Parse(hold.Value.Meeting)
	switch {
	case ok && hold.Value.Meeting != "" && err == nil:
		d.changes.work.meeting(org, meeting)
	case ok && hold.Value.User != "":
		d.userChanged(org, hold.Value.User)
	default:
		d.changes.work.orgs[org] = true
	}
}

func (d *Decider) userChanged(org, id string) {
	if d.changes.users[org] == nil {
		d.changes.users[org] = map[string]bool{}
	}
	d.changes.users[org][id] = true
}

func (d *Decider) takeChanges() changes {
	d.mu.Lock()
	defer d.mu.Unlock()
	taken := d.changes
	d.changes = changes{work: newWork(), users: map[string]map[string]bool{}}
	return taken
}

// giveBack notes again what could not be acted on.
func (d *Decider) giveBack(c changes) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.changes.work.add(c.work)
	for org, ids := range c.users {
		for id := range ids {
			d.userChanged(org, id)
		}
	}
}

// Run decides until the context ends, which is no error.
func (d *Decider) Run(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-d.deps.Directory.Ready():
	}
	ticker := time.NewTicker(d.cfg.DecideEvery)
	defer ticker.Stop()
	failing := false
	for {
		decided, err := d.Pass(ctx, time.Now())
		if err == nil {
			err = d.repairLeaves(ctx)
		}
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil && !failing:
			d.deps.Log.WarnContext(ctx, "how long things are kept can't be decided everywhere: what was decided before holds, and nothing is purged where it is too old",
				slog.String("error", err.Error()))
		case err == nil && failing:
			d.deps.Log.InfoContext(ctx, "how long things are kept is decided again", slog.Int("decisions", decided))
		}
		failing = err != nil
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		case <-d.wake:
		}
	}
}

// leavesEvery is how often leaves are looked after, leafPatience how long who changed something may take to put its leaf.
const (
	leavesEvery  = time.Minute
	leafPatience = 10 * time.Second
)

// repairLeaves looks after the leaves of policies and holds, now and then.
func (d *Decider) repairLeaves(ctx context.Context) error {
	if d.deps.LeavesOf == "" || (!d.repairedAt.IsZero() && time.Since(d.repairedAt) < leavesEvery) {
		return nil
	}
	n, err := RepairLeaves(ctx, d.deps.Home, d.deps.LeavesOf, leafPatience)
	if n > 0 {
		d.deps.Log.WarnContext(ctx, "leaves of policies or holds were missing and are on their way now: whoever changed them got no answer", slog.Int("leaves", n))
	}
	if err == nil {
		d.repairedAt = time.Now()
	}
	return err
}

// Pass decides on all that has to be decided on now and returns how many decisions it wrote. now is when they are said to be made; nothing else
// depends on it. A region that can't be reached stays behind and is told in the error; without the home region nothing changes anywhere.
func (d *Decider) Pass(ctx context.Context, now time.Time) (int, error) {
	d.passing.Lock()
	defer d.passing.Unlock()
	began := time.Now()
	reconcile := began.Sub(d.reconciled) >= d.cfg.ReconcileEvery
	known, more, err := d.gather(ctx, reconcile)
	if err != nil {
		d.metrics.failed("home")
		return 0, fmt.Errorf("home region: %w", err)
	}
	p := &pass{Decider: d, seen: known, now: now, began: began, books: map[string]*book{}}
	if reconcile {
		more.everything = true
		d.reconciled = began
	}
	decided := 0
	var errs []error
	for _, r := range d.regions {
		r.todo.add(more)
		n, err := p.region(ctx, r)
		decided += n
		d.metrics.passed(r.name, n, time.Since(began), err)
		if err != nil {
			errs = append(errs, fmt.Errorf("region %s: %w", r.name, err))
		}
	}
	return decided, errors.Join(errs...)
}

// gather reads what has changed in the home region. Of policies, holds and activations it knows at least as many versions as it tells.
func (d *Decider) gather(ctx context.Context, reconcile bool) (known uint64, more work, err error) {
	select {
	case <-d.deps.Directory.Ready():
	default:
		return 0, work{}, registry.ErrNotReady
	}
	if known, err = d.deps.Home.ControlVersions(ctx, controlKinds()...); err != nil {
		return 0, work{}, err //nolint:wrapcheck // the store says what it did
	}
	if d.known == nil || *d.known != known || reconcile {
		if err := errors.Join(d.deps.Directory.RetentionPolicies.Refresh(ctx), d.deps.Directory.Holds.Refresh(ctx)); err != nil {
			return 0, work{}, fmt.Errorf("read policies and holds: %w", err)
		}
		if err := d.ownRules(ctx); err != nil {
			return 0, work{}, err
		}
		d.known = &known
	}
	taken := d.takeChanges()
	more = newWork()
	more.add(taken.work)
	if err = d.users(ctx, taken.users, &more); err == nil {
		err = d.attendance(ctx, &more)
	}
	if err != nil {
		d.giveBack(taken)
	}
	return known, more, err
}

// ownRules has organisations' own rules be those that are active, and all be decided on again where they are others.
func (d *Decider) ownRules(ctx context.Context) error {
	if d.deps.Own == nil {
		return nil
	}
	changed, err := d.deps.Own.Refresh(ctx)
	d.mu.Lock()
	for _, org := range changed {
		d.changes.work.orgs[org] = true
	}
	d.mu.Unlock()
	if err != nil {
		return fmt.Errorf("read organisations' own rules: %w", err)
	}
	return nil
}

// ruleFailed is told where an organisation's own rules were left out of a decision.
func (d *Decider) ruleFailed(f policy.Failure) {
	d.metrics.ruleFailures.WithLabelValues(string(f.Kind)).Inc()
	d.deps.Log.Error("an organisation's own rules on how long things are kept fail: the rules of the house decide alone, and nothing is deleted earlier",
		slog.String("organization", f.Org), slog.String("revision", f.Revision), slog.String("kind", string(f.Kind)), slog.String("error", f.Err.Error()))
}

// users finds the meetings of changed users.
func (d *Decider) users(ctx context.Context, changed map[string]map[string]bool, more *work) error {
	for org, ids := range changed {
		if len(ids) > manyUsers {
			more.orgs[org] = true
			continue
		}
		meetings, err := d.deps.Home.MeetingsOfUsers(ctx, org, slices.Collect(maps.Keys(ids)))
		if err != nil {
			return err //nolint:wrapcheck // the store says what it did
		}
		for _, id := range meetings {
			more.meeting(org, id)
		}
	}
	return nil
}

// attendance finds the meetings that users are newly known to have been in.
func (d *Decider) attendance(ctx context.Context, more *work) error {
	now, since, err := lookBack(ctx, d.deps.Home, d.attendedUntil)
	if err != nil {
		return err
	}
	if d.attendedUntil.IsZero() { // The first pass decides on everything.
		d.attendedUntil = now
		return nil
	}
	rows, err := d.deps.Home.AttendedSince(ctx, since)
	if err != nil {
		return err //nolint:wrapcheck // the store says what it did
	}
	for _, a := range rows {
		if _, again := d.attended[a]; !again {
			more.meeting(a.Org, a.MeetingID)
		}
		d.attended[a] = now
	}
	forget(d.attended, since)
	d.attendedUntil = now
	return nil
}

// lookBack tells a server's time, and from when on new rows are to be looked for. A clock that went back is followed.
func lookBack(ctx context.Context, s *store.Store, until time.Time) (now, since time.Time, err error) {
	if now, err = s.Now(ctx); err != nil {
		return now, since, err //nolint:wrapcheck // the store says what it did
	}
	since = until
	if now.Before(since) {
		since = now
	}
	return now, since.Add(-slack), nil
}

// forget drops what won't be read again.
func forget[K comparable](seen map[K]time.Time, since time.Time) {
	maps.DeleteFunc(seen, func(_ K, at time.Time) bool { return at.Before(since) })
}
