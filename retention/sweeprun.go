package retention

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/anteroom/anteroom/store"
)

// Run sweeps until the context ends, which is no error: what has to be gone is hidden at each interval, and purged when enough time has passed for more to
// gather. What fails is logged and counted, and tried again.
func (s *Sweeper) Run(ctx context.Context) error {
	ticker := time.NewTicker(s.cfg.Interval)
	defer ticker.Stop()
	s.deps.Metrics.began(s.deps.Region)
	clock := newClock(s.cfg)
	var purged, took time.Duration // purged: when, since the start
	began := time.Now()
	for first := true; ; first = false {
		since := time.Since(began)
		// Purging takes a tenth of the time at most, as long as the window allows.
		pause := min(max(s.cfg.Gather, 10*took), s.cfg.PurgeWindow/2)
		purge := first || since-purged >= pause
		s.pass(ctx, clock, purge)
		if purge {
			purged, took = since, time.Since(began)-since
		}
		select {
		case <-ctx.Done():
			s.end(ctx)
			return nil
		case <-ticker.C:
		}
	}
}

// end lets another sweeper take over at once, if it can be told.
func (s *Sweeper) end(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if err := s.Close(ctx); err != nil {
		s.deps.Log.WarnContext(ctx, "another sweeper will wait before it takes over", "error", err)
	}
}

// pass is one look of Run.
func (s *Sweeper) pass(ctx context.Context, clock *clock, purge bool) {
	s.sweeping.Lock()
	defer s.sweeping.Unlock()
	began := time.Now()
	result, err := s.timed(ctx, clock, purge)
	if ctx.Err() != nil {
		return
	}
	if purge || err != nil {
		s.deps.Metrics.passed(&result, time.Since(began), err)
	}
	told := strings.Join(result.Problems, "; ")
	if err != nil {
		told = err.Error()
	}
	// What keeps things from being purged is met by those passes only that purge: each kind is told of when it changes.
	said := &s.toldHiding
	if purge {
		said = &s.toldPurging
	}
	switch {
	case told == *said:
	case result.standby && err == nil:
		s.deps.Log.InfoContext(ctx, "another process sweeps, and this one waits until it falls silent")
		s.toldHiding, s.toldPurging = told, told
	case told != "":
		s.deps.Log.WarnContext(ctx, "a sweep left something undone; the next one goes on", "problems", told)
	case purge:
		s.deps.Log.InfoContext(ctx, "sweeps are complete again")
	}
	*said = told
	if result.Purged > 0 {
		s.deps.Log.InfoContext(ctx, "swept", "hidden", result.Hidden, "purged", result.Purged, "took", time.Since(began).Round(time.Millisecond))
	}
}

// timed sweeps for the moment that the clocks agree on.
func (s *Sweeper) timed(ctx context.Context, clock *clock, purge bool) (Result, error) {
	p := &sweep{Sweeper: s, now: time.Now().UTC(), began: time.Now(), result: Result{Region: s.deps.Region, Problems: []string{}}}
	process, server, err := s.clocks(ctx)
	if err != nil {
		return p.result, p.outOfReach(ctx, err)
	}
	now, agreed := clock.now(process, server, time.Since(clock.start))
	p.now, p.result.At = now.Truncate(time.Microsecond), now
	if !agreed {
		p.result.problem("the clocks of this process and of ClickHouse differ: nothing is purged")
		s.deps.Metrics.failure(s.deps.Region, failClock)
	}
	err = p.run(ctx, purge && agreed)
	if err == nil && purge && s.epoch != 0 {
		err = p.tellLeft(ctx)
	}
	return p.result, p.outOfReach(ctx, err)
}

// tellLeft counts what is hidden and not purged.
func (p *sweep) tellLeft(ctx context.Context) error {
	if p.news.Hidden == 0 && p.result.Hidden == 0 {
		p.deps.Metrics.left(p.deps.Region, p.now, nil)
		return nil
	}
	left, err := p.deps.Store.HiddenLeft(ctx)
	if err != nil {
		return err
	}
	for _, o := range left {
		if o.Held {
			p.result.HeldBack += o.Things
		}
	}
	p.deps.Metrics.left(p.deps.Region, p.now, left)
	return nil
}

// AwaitPurges waits until nothing is deleted any more that was begun before it was called: a hold that is stored by then counts for all that is deleted
// after. stores are those of the regions that it is for, by name. A sweeper that has shown no sign of life for the silence (SweepConfig.Silence) is not
// waited for, but kept from waking.
func AwaitPurges(ctx context.Context, stores map[string]*store.Store, silence time.Duration) error {
	var errs []error
	for region, s := range stores {
		if err := awaitPurges(ctx, s, silence); err != nil {
			// The driver gives up reading when the caller's time is up, a moment before the context says so, and calls it the network's fault.
			if deadline, ok := ctx.Deadline(); ok && !time.Now().Before(deadline) {
				err = errors.Join(context.DeadlineExceeded, err)
			}
			errs = append(errs, errors.Join(errors.New("region "+region), err))
		}
	}
	return errors.Join(errs...)
}

// awaitEvery is the pause between two looks for purges in flight.
const awaitEvery = 100 * time.Millisecond

func awaitPurges(ctx context.Context, s *store.Store, silence time.Duration) error {
	// All that was begun by now is waited for, by the server's clock: it is what its rows are compared with.
	since, err := s.Now(ctx)
	if err != nil {
		return err
	}
	fenced := false
	for {
		flying, err := s.PurgesInFlight(ctx, since)
		if err != nil {
			return err
		}
		switch {
		case flying.Mutations > 0:
		case fenced || len(flying.Batches) == 0:
			return renameParts(ctx, s, flying.Batches)
		default:
			if fenced, err = s.FenceSweep(ctx, silence); err != nil {
				return err
			}
			if fenced {
				// What the dead sweeper asked of the engine until now is waited for as well; what it asks from now on deletes nothing.
				if since, err = s.Now(ctx); err != nil {
					return err
				}
				continue
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(awaitEvery):
		}
	}
}

// renameParts sees to it that a dead sweeper of these batches, should it wake, finds no part that it was about to drop by its name.
func renameParts(ctx context.Context, s *store.Store, batches []store.SweepBatch) error {
	for i := range batches {
		if err := s.RenameParts(ctx, batches[i].ClassDay, time.Now()); err != nil {
			return err
		}
	}
	return nil
}
