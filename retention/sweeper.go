package retention

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/store"
)

// Files deletes what is kept as files. Deleting what isn't there is no error: what was deleted stays so.
type Files interface {
	// Delete removes a recording with all its files, and returns when that is on the disk.
	Delete(ctx context.Context, org string, call, recording uuid.UUID) error
}

// Journal is what must survive the loss of the tables.
type Journal interface {
	// Hidden returns when all that is stored as hidden by now is on the disk.
	Hidden(ctx context.Context) error
}

// SweeperDeps are what a sweeper works with.
type SweeperDeps struct {
	// Region is the region's name.
	Region string
	Store  *store.Store
	// IDKey makes things' ids (proof.ThingID). At least 16 bytes.
	IDKey []byte
	// Files are the recordings; nil where there are none to reach: then none is purged, and a sweep that would have to is partial.
	Files Files
	// Journal keeps beside the ledger what a restore must not bring back; nil where there is none.
	Journal Journal
	// MaxDecisionAge is how old the region's decisions may be to be purged by (Config.MaxDecisionAge). 0: 30 seconds; below: however old.
	MaxDecisionAge time.Duration
	// BrokerExpiry is when brokers will have dropped, at the latest, what they keep of a thing of a class that was sent and purged then; nil for what came by
	// no broker, and where it isn't known. Nil: it never is.
	BrokerExpiry func(class string, sent, purged time.Time) *time.Time
	// Preempt takes over from another sweeper at once, whether it lives or not: somebody asked for this one.
	Preempt bool
	Metrics *SweepMetrics
	Log     *slog.Logger
}

// Result is what a sweep came to.
type Result struct {
	Region string `json:"region"`
	// At is the moment that it was swept for.
	At time.Time `json:"at"`
	// Hidden and Purged are how many things were; in a dry run how many would be.
	Hidden uint64 `json:"hidden"`
	Purged uint64 `json:"purged"`
	// HeldBack are hidden, and kept by a hold.
	HeldBack uint64 `json:"held_back"`
	// Partial: not all that has to be gone is; Problems say why. The next sweep goes on.
	Partial  bool     `json:"partial"`
	Problems []string `json:"problems"`
	// Outlook of a dry run: what would be hidden and purged, by class, reason and rule.
	Outlook []ResultLine `json:"outlook,omitempty"`
	// standby: another sweeper works.
	standby bool
}

// ResultLine is what a dry run tells of things of a class that have to be gone for a reason by a rule.
type ResultLine struct {
	Class  string    `json:"class"`
	Why    string    `json:"why"`
	Rule   string    `json:"rule"`
	Things uint64    `json:"things"`
	Hidden bool      `json:"hidden"`
	Held   bool      `json:"held"`
	Oldest time.Time `json:"oldest"`
}

func (r *Result) problem(format string, args ...any) {
	r.Partial = true
	r.Problems = append(r.Problems, fmt.Sprintf(format, args...))
}

// Sweeper deletes what has to be gone in one region, proves it, and keeps it from coming back. Several may run on one region: one of them works, and
// another takes over when it falls silent. See docs/retention.md.
type Sweeper struct {
	cfg  SweepConfig
	deps SweeperDeps
	// owner names this sweeper among others.
	owner uuid.UUID

	// sweeping is held through a sweep; it guards what follows.
	sweeping sync.Mutex
	epoch    uint64
	// looked is how far the last sweep looked.
	looked store.SweepMarks
	// days are when each day's things were last looked at as a whole, and rolled when any day's were, both by the server's clock.
	days   map[time.Time]time.Time
	rolled time.Time
	// resumed tells that unfinished batches of others were looked for in this epoch.
	resumed bool
	// failing are classes and days of which a batch could not be ended.
	failing map[store.ClassDay][]store.SweepBatch
	// tidied is when old batches were last forgotten.
	tidied time.Time
	// toldHiding and toldPurging are the problems that were last logged, of sweeps that only hide and of those that purge.
	toldHiding, toldPurging string
	// reached is OnStep's.
	reached func(step string)
	// clocks reads this process's clock and the server's.
	clocks func(context.Context) (process, server time.Time, err error)
}

// NewSweeper makes a sweeper. It starts nothing.
func NewSweeper(cfg SweepConfig, deps SweeperDeps) (*Sweeper, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("make sweeper: %w", err)
	}
	if deps.Store == nil || deps.Region == "" || len(deps.IDKey) < 16 {
		return nil, errors.New("make sweeper: region, store or key is missing")
	}
	if deps.Log == nil {
		deps.Log = slog.New(slog.DiscardHandler)
	}
	if deps.MaxDecisionAge == 0 {
		deps.MaxDecisionAge = DefaultConfig().MaxDecisionAge
	}
	if deps.Metrics == nil {
		deps.Metrics = newSweepMetrics()
	}
	deps.Log = deps.Log.With("region", deps.Region)
	return &Sweeper{
		cfg: cfg, deps: deps, owner: uuid.New(), days: map[time.Time]time.Time{}, failing: map[store.ClassDay][]store.SweepBatch{}, reached: func(string) {},
		clocks: func(ctx context.Context) (time.Time, time.Time, error) {
			server, err := deps.Store.Now(ctx)
			return time.Now(), server, err
		},
	}, nil
}

// fresh tells whether the region's decisions are up to date enough to purge by.
func (s *Sweeper) fresh(ctx context.Context) (bool, error) {
	if s.deps.MaxDecisionAge < 0 {
		return true, nil
	}
	mark, err := s.deps.Store.DecisionMark(ctx)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look for decisions: %w", err)
	}
	return mark.Fresh(s.deps.MaxDecisionAge), nil
}

// Sweep does all that there is to do at a moment: hides what has to be gone, purges it unless it is held, checks, proves, and remembers. It looks at all
// there is the first time, and at what may have changed afterwards. A dry run counts and changes nothing.
func (s *Sweeper) Sweep(ctx context.Context, now time.Time, dryRun bool) (Result, error) {
	s.sweeping.Lock()
	defer s.sweeping.Unlock()
	p := &sweep{Sweeper: s, now: now.UTC().Truncate(time.Microsecond), began: time.Now(), result: Result{Region: s.deps.Region, At: now.UTC(), Problems: []string{}}}
	var err error
	if dryRun {
		err = p.dryRun(ctx)
	} else {
		err = p.run(ctx, true)
	}
	return p.result, p.outOfReach(ctx, err)
}

// outOfReach makes of a region that can't be reached a sweep that is partial: the next one goes on.
func (p *sweep) outOfReach(ctx context.Context, err error) error {
	if !errors.Is(err, store.ErrUnavailable) || ctx.Err() != nil {
		return err
	}
	p.result.problem("the region is out of reach: %v", err)
	p.deps.Metrics.failure(p.deps.Region, failUnavailable)
	return nil
}

// OnStep has the sweeper call do with each step of a batch once it is done: for measurements, and for tests that end or hold it there. Call it before it sweeps.
func (s *Sweeper) OnStep(do func(step string)) { s.reached = do }

// Close lets others take over at once.
func (s *Sweeper) Close(ctx context.Context) error {
	s.sweeping.Lock()
	defer s.sweeping.Unlock()
	if s.epoch == 0 {
		return nil
	}
	epoch := s.epoch
	s.epoch = 0
	if err := s.deps.Store.BeatSweep(ctx, epoch, true); err != nil {
		return fmt.Errorf("end sweeper: %w", err)
	}
	return nil
}

// sweep is one go.
type sweep struct {
	*Sweeper
	now    time.Time
	began  time.Time
	result Result
	// news are what hide found to be new since.
	since store.NewsSince
	news  store.News
}

// at is the sweep's clock: the moment it was given, and what has passed since.
func (p *sweep) at() time.Time {
	return p.now.Add(time.Since(p.began)).Truncate(time.Microsecond)
}

// errOther: another sweeper works on the region.
var errOther = errors.New("another sweeper works on the region")

// lead makes sure that this is the region's sweeper.
func (p *sweep) lead(ctx context.Context) error {
	silence := p.cfg.Silence
	if p.deps.Preempt {
		silence = 0
	}
	epoch, ok, err := p.deps.Store.TakeSweep(ctx, p.owner, silence)
	if err != nil {
		return err
	}
	if !ok {
		p.epoch, p.result.standby = 0, true
		return errOther
	}
	if epoch != p.epoch {
		// What was known is from before another one swept.
		p.epoch, p.resumed = epoch, false
		p.failing = map[store.ClassDay][]store.SweepBatch{}
		if p.looked, err = p.deps.Store.SweepMarks(ctx); err != nil {
			p.epoch = 0
			return err
		}
	}
	return nil
}

// keepAlive shows signs of life until the returned function is called. The context that it gives ends when this is no longer the region's sweeper.
func (p *sweep) keepAlive(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		ticker := time.NewTicker(p.cfg.Silence / 4)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
			epoch, err := p.deps.Store.SweepEpoch(ctx)
			if err == nil && epoch != p.epoch {
				cancel(errOther)
				return
			}
			if err == nil {
				err = p.deps.Store.BeatSweep(ctx, p.epoch, false)
			}
			if err != nil && ctx.Err() == nil {
				p.deps.Log.WarnContext(ctx, "no sign of life could be given", "error", err)
			}
		}
	}()
	return ctx, func() { cancel(nil); <-ended }
}

// run sweeps. With purge, it also purges; else it only hides.
func (p *sweep) run(ctx context.Context, purge bool) error {
	if err := p.lead(ctx); err != nil {
		if errors.Is(err, errOther) {
			p.result.problem("%s", errOther)
			return nil
		}
		return err
	}
	ctx, rest := p.keepAlive(ctx)
	defer rest()
	err := p.steps(ctx, purge)
	if errors.Is(err, errOther) || errors.Is(context.Cause(ctx), errOther) {
		p.epoch, p.result.standby = 0, true
		p.result.problem("%s", errOther)
		return nil
	}
	return err
}

// steps are those of a sweep, in order: what can't be read any more; then what others left, what is new, what is purged.
func (p *sweep) steps(ctx context.Context, purge bool) error {
	if err := p.hide(ctx); err != nil {
		return err
	}
	if !purge {
		return nil
	}
	err := p.purgeSteps(ctx)
	if err != nil {
		p.resumed = false // some batch may be anywhere
	}
	// However far it came, that is how far it looked.
	return errors.Join(err, p.deps.Store.PutSweepMarks(ctx, p.epoch, p.looked))
}

func (p *sweep) purgeSteps(ctx context.Context) error {
	if err := p.resume(ctx); err != nil {
		return err
	}
	if err := p.register(ctx); err != nil {
		return err
	}
	if err := p.leftovers(ctx); err != nil {
		return err
	}
	fresh, err := p.fresh(ctx)
	if err != nil || !fresh {
		p.result.problem("decisions are not up to date: nothing is purged")
		p.deps.Metrics.failure(p.deps.Region, failStale)
		return err
	}
	if p.deps.Journal != nil {
		if err := p.deps.Journal.Hidden(ctx); err != nil {
			p.result.problem("the journal can't be written: nothing is purged")
			p.deps.Metrics.failure(p.deps.Region, failJournal)
			return err
		}
	}
	if err := p.purge(ctx); err != nil {
		return err
	}
	return p.tidy(ctx)
}
