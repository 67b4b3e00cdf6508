package retention

import (
	"errors"
	"fmt"
	"time"
)

// SweepConfig says how what is due is deleted.
type SweepConfig struct {
	// Interval is the pause between two looks for what has to be gone. Default 5s.
	Interval time.Duration `koanf:"interval"`
	// Gather is how long what is hidden may wait for more before it is purged: each purge writes parts of tables again. It is lengthened by itself
	// where purges take long. Default 20s.
	Gather time.Duration `koanf:"gather"`
	// PurgeWindow is within what time bytes have to be gone that had to be. What is later is reported as overdue. Default 10m.
	PurgeWindow time.Duration `koanf:"purge_window"`
	// BatchThings is how many things have one leaf in the ledger and are in memory at once. Default 50000.
	BatchThings int `koanf:"batch_things"`
	// RoundThings is how many things are deleted and checked at once. Default 1000000.
	RoundThings int `koanf:"round_things"`
	// FullEvery is within what time all that is kept is looked at once more, a day's worth after the other. Default 1h.
	FullEvery time.Duration `koanf:"full_every"`
	// Patience is how long a purge is waited for before it is left for the next look. Default 1m.
	Patience time.Duration `koanf:"patience"`
	// Silence is after what time without a sign of life another process takes over. Default 15s.
	Silence time.Duration `koanf:"silence"`
	// ClockJump is by how much the clock may jump forward and be believed at once. What jumps further is believed once PurgeWindow has passed,
	// and what fell due by the jump waits for that. Default 1h.
	ClockJump time.Duration `koanf:"clock_jump"`
	// ClockSkew is by how much this process's clock may differ from ClickHouse's. Beyond, nothing is purged, and the earlier clock counts. Default 1m.
	ClockSkew time.Duration `koanf:"clock_skew"`
}

// DefaultSweepConfig returns the defaults.
func DefaultSweepConfig() SweepConfig {
	return SweepConfig{
		Interval: 5 * time.Second, Gather: 20 * time.Second, PurgeWindow: 10 * time.Minute, BatchThings: 50_000, RoundThings: 1_000_000,
		FullEvery: time.Hour, Patience: time.Minute, Silence: 15 * time.Second, ClockJump: time.Hour, ClockSkew: time.Minute,
	}
}

// Validate reports each field that can't work, by its name in the configuration file.
func (c SweepConfig) Validate() error {
	var errs []error
	for _, field := range []struct {
		name  string
		value time.Duration
	}{
		{"interval", c.Interval},
		{"purge_window", c.PurgeWindow},
		{"full_every", c.FullEvery},
		{"patience", c.Patience},
		{"silence", c.Silence},
		{"clock_jump", c.ClockJump},
		{"clock_skew", c.ClockSkew},
	} {
		if field.value <= 0 {
			errs = append(errs, fmt.Errorf("%s: %v is not above zero", field.name, field.value))
		}
	}
	if c.Gather < 0 {
		errs = append(errs, fmt.Errorf("gather: %v is below zero", c.Gather))
	}
	if c.BatchThings < 1 {
		errs = append(errs, fmt.Errorf("batch_things: %d is not above zero", c.BatchThings))
	}
	if c.RoundThings < c.BatchThings {
		errs = append(errs, fmt.Errorf("round_things: %d is less than batch_things", c.RoundThings))
	}
	return errors.Join(errs...)
}
