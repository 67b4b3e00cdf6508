package retention

import (
	"cmp"
	"errors"
	"fmt"
	"time"
)

// Config is how retention works. A field that is zero has its default.
type Config struct {
	// DecideEvery is how often new things and new attendance are looked for, to decide how long things are kept. Changes of policies and holds are
	// acted on at once. Default 1s.
	DecideEvery time.Duration `koanf:"decide_every"`
	// ReconcileEvery is how often everything is decided on again, for what was missed. Default 10m.
	ReconcileEvery time.Duration `koanf:"reconcile_every"`
	// MaxDecisionAge is how old a region's decisions may be to be purged by: without the home region, where policies and holds are, things are
	// hidden when due, and purged only when it is back. Default 30s.
	MaxDecisionAge time.Duration `koanf:"max_decision_age"`
}

// DefaultConfig returns the configuration that holds unless set.
func DefaultConfig() Config {
	return Config{DecideEvery: time.Second, ReconcileEvery: 10 * time.Minute, MaxDecisionAge: 30 * time.Second}
}

func (c Config) withDefaults() Config {
	standard := DefaultConfig()
	c.DecideEvery = cmp.Or(c.DecideEvery, standard.DecideEvery)
	c.ReconcileEvery = cmp.Or(c.ReconcileEvery, standard.ReconcileEvery)
	c.MaxDecisionAge = cmp.Or(c.MaxDecisionAge, standard.MaxDecisionAge)
	return c
}

// Validate reports each field that can't work, by its name in the configuration file.
func (c Config) Validate() error {
	c = c.withDefaults()
	var errs []error
	for _, field := range []struct {
		name     string
		value    time.Duration
		at, most time.Duration
	}{
		{"decide_every", c.DecideEvery, 10 * time.Millisecond, time.Minute},
		{"reconcile_every", c.ReconcileEvery, time.Second, 24 * time.Hour},
		{"max_decision_age", c.MaxDecisionAge, time.Second, time.Hour},
	} {
		if field.value < field.at || field.value > field.most {
			errs = append(errs, fmt.Errorf("%s: %v is not %v to %v", field.name, field.value, field.at, field.most))
		}
	}
	if c.MaxDecisionAge < 3*c.DecideEvery && len(errs) == 0 {
		errs = append(errs, fmt.Errorf("max_decision_age: %v is not at least three times decide_every (%v)", c.MaxDecisionAge, c.DecideEvery))
	}
	return errors.Join(errs...)
}
