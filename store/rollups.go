package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// RollupsConfig says when roll-ups are rebuilt.
type RollupsConfig struct {
	// Every is the pause between two looks for hours that are out of date. Default 15s.
	Every time.Duration `koanf:"every"`
	// Grace is how long after its end an hour counts as closed. Rows that come later are not lost, they cost one more rebuild.
	// Default 2m.
	Grace time.Duration `koanf:"grace"`
}

// DefaultRollupsConfig returns the defaults.
func DefaultRollupsConfig() RollupsConfig {
	return RollupsConfig{Every: 15 * time.Second, Grace: 2 * time.Minute}
}

// Validate reports each field that can't work, by its name in the configuration file.
func (c RollupsConfig) Validate() error {
	var errs []error
	if c.Every <= 0 {
		errs = append(errs, fmt.Errorf("every: %v is not above zero", c.Every))
	}
	if c.Grace < 0 {
		errs = append(errs, fmt.Errorf("grace: %v is below zero", c.Grace))
	}
	return errors.Join(errs...)
}

// Rollups rebuilds roll-ups whenever rows of closed hours have arrived. Several may run on one database: they do some work
// twice, and no harm.
type Rollups struct {
	cfg   RollupsConfig
	store *Store
	now   func() time.Time
	log   *slog.Logger

	// looked is when the last pass that left nothing dirty began. Only Pass uses it.
	looked time.Time

	rebuilt, failed prometheus.Counter
	dirty           prometheus.Gauge
}

// lookback is by how much a pass looks further back than the one before began: an hour that was open then may have had its
// batches up to an hour before, and clocks of servers differ.
const lookback = 2 * time.Hour

// stagingAge is how old a staging table is that nobody fills any more.
const stagingAge = time.Hour

// NewRollups makes a rebuilder. It starts nothing. now tells which hours are closed; reg takes its metrics.
func NewRollups(s *Store, cfg RollupsConfig, now func() time.Time, log *slog.Logger, reg prometheus.Registerer) (*Rollups, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("new roll-ups: %w", err)
	}
	r := &Rollups{
		cfg: cfg, store: s, now: now, log: log, looked: time.Unix(0, 0),
		rebuilt: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "anteroom_rollup_hours_rebuilt_total", Help: "Hours whose roll-ups were rebuilt.",
		}),
		failed: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "anteroom_rollup_passes_failed_total", Help: "Looks for hours to rebuild that ended in an error.",
		}),
		dirty: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "anteroom_rollup_hours_dirty", Help: "Closed hours whose roll-ups are out of date.",
		}),
	}
	for _, c := range []prometheus.Collector{r.rebuilt, r.failed, r.dirty} {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("new roll-ups: %w", err)
		}
	}
	return r, nil
}

// Run rebuilds what is out of date, now and then every so often, until the context ends, which is no error. Errors are logged
// and counted, and what failed is tried again.
func (r *Rollups) Run(ctx context.Context) error {
	ticker := time.NewTicker(r.cfg.Every)
	defer ticker.Stop()
	swept := false
	for {
		if !swept {
			err := r.store.DropStaging(ctx, stagingAge)
			swept = err == nil
			r.report(ctx, "drop staging tables", err)
		}
		_, err := r.Pass(ctx)
		r.report(ctx, "rebuild roll-ups", err)
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// since is the time from which on a pass looks for batches.
func (r *Rollups) since() time.Time {
	epoch := time.Unix(0, 0)
	if since := r.looked.Add(-lookback - r.cfg.Grace); since.After(epoch) {
		return since
	}
	return epoch
}

func (r *Rollups) report(ctx context.Context, action string, err error) {
	if err == nil || ctx.Err() != nil {
		return
	}
	r.failed.Inc()
	r.log.WarnContext(ctx, "roll-ups failed", "action", action, "error", err)
}

// Pass rebuilds the hours that are out of date now and returns how many it has rebuilt. The first looks at all hours, later
// ones at those that batches came for since. Not for concurrent use.
func (r *Rollups) Pass(ctx context.Context) (int, error) {
	began := r.now()
	hours, err := r.store.dirtyHours(ctx, began.Add(-r.cfg.Grace), r.since())
	if err != nil {
		return 0, err
	}
	r.dirty.Set(float64(len(hours)))
	for i, hour := range hours {
		if err := r.store.RebuildHour(ctx, hour); err != nil {
			return i, err
		}
		r.rebuilt.Inc()
		r.dirty.Set(float64(len(hours) - i - 1))
	}
	r.looked = began
	return len(hours), nil
}
