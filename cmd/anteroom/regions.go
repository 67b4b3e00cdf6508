package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/anteroom/anteroom/ingest"
	"github.com/anteroom/anteroom/internal/config"
	"github.com/anteroom/anteroom/internal/kafka"
	"github.com/anteroom/anteroom/sealing"
	"github.com/anteroom/anteroom/store"
)

// regionRuntime is what a process has of one region. It has one for each that is configured, since copies, holds and reports go over all of them;
// none of its clients waits for its server.
type regionRuntime struct {
	name string
	// home: organisations, control rows, analytics and threads are in it.
	home bool
	// works tells that this process does the region's work (--regions): ingest and retention.
	works bool
	store *store.Store
	kafka *kafka.Client
	// keeper has the keys that open the region's chat; nil without the role ingest, or where this process doesn't do the region's work.
	keeper *sealing.Keeper
	// keeping tells how long brokers keep what came by them; looks tells that it is being kept up to date.
	keeping *ingest.Keeping
	looks   bool
}

// suffix tells a further region's parts from the home region's in names of checks and of steps.
func (r *regionRuntime) suffix() string {
	if r.home {
		return ""
	}
	return " of " + r.name
}

// connectRegions makes the clients of all regions, the home region's first. What a further region lacks is told by /readyz but stops nothing: the
// others go on without it.
func (s *service) connectRegions(works []string) error {
	s.regions = map[string]*regionRuntime{}
	for i, cfg := range s.cfg.AllRegions() {
		r := &regionRuntime{name: cfg.Name, home: i == 0, works: len(works) == 0 || slices.Contains(works, cfg.Name)}
		check := s.app.OnCheck
		if !r.home {
			check = s.app.OnSideCheck
		}
		var err error
		if r.store, err = store.Open(cfg.ClickHouse); err != nil {
			return fmt.Errorf("region %s: %w", r.name, err)
		}
		s.app.OnStop("store"+r.suffix(), func(context.Context) error { return r.store.Close() })
		check("ClickHouse"+r.suffix(), func(ctx context.Context) error { return reachable(ctx, r.store, cfg.ClickHouse) })
		if r.kafka, err = kafka.New(cfg.Kafka); err != nil {
			return fmt.Errorf("region %s: %w", r.name, err)
		}
		s.app.OnStop("Kafka client"+r.suffix(), func(context.Context) error { r.kafka.Close(); return nil })
		check("Kafka"+r.suffix(), r.kafka.Ping)
		s.regions[r.name] = r
		if r.home {
			s.home, s.store, s.kafka = r, r.store, r.kafka
		}
		r.keeping = s.keep(r)
	}
	return nil
}

// reachable tells why a region's tables can't be reached.
func reachable(ctx context.Context, tables *store.Store, cfg store.Config) error {
	err := tables.Ping(ctx)
	if err == nil {
		return nil
	}
	if restoring, e := store.Restoring(ctx, cfg); e == nil && restoring {
		return store.ErrRestoring
	}
	return err
}

// eachWorkingRegion calls do for each region whose work this process does, the home region first.
func (s *service) eachWorkingRegion(do func(*regionRuntime) error) error {
	for _, cfg := range s.cfg.AllRegions() {
		if r := s.regions[cfg.Name]; r.works {
			if err := do(r); err != nil {
				return err
			}
		}
	}
	return nil
}

// parseRegions checks the names of --regions; none means all that are configured.
func parseRegions(cfg config.Config, names []string) ([]string, error) {
	var known, taken []string
	for _, r := range cfg.AllRegions() {
		known = append(known, r.Name)
	}
	for _, name := range names {
		name = strings.TrimSpace(name)
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("%w: --regions: %q is none of %s", errConfig, name, strings.Join(known, ", "))
		}
		taken = append(taken, name)
	}
	return taken, nil
}

// farPatience bounds how long a start asks a further region about its tables: one that doesn't answer holds up nobody.
const farPatience = 5 * time.Second

// tablesAreCurrent refuses tables that are behind in any region. A region that is away is waited for, like at any other time; so is one that is being
// restored, if it is none whose work this process is to do (works; none means all).
func tablesAreCurrent(ctx context.Context, cfg config.Config, works []string) error {
	regions := cfg.AllRegions()
	errs := make([]error, len(regions))
	var wg sync.WaitGroup
	for i, r := range regions {
		wg.Go(func() {
			ctx, cancel := ctx, func() {}
			if i > 0 {
				ctx, cancel = context.WithTimeout(ctx, farPatience)
			}
			defer cancel()
			err := schemaIsCurrent(ctx, r.ClickHouse)
			away := errors.Is(err, store.ErrUnavailable) || errors.Is(err, store.ErrRestoring) && i > 0 && len(works) > 0 && !slices.Contains(works, r.Name)
			if err != nil && !away {
				errs[i] = fmt.Errorf("region %s: %w", r.Name, err)
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}
