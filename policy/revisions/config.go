package revisions

import (
	"cmp"
	"errors"
	"fmt"
	"time"
)

// DefaultBar is how many percent of an organisation's policy its tests must cover, unless the organisation says otherwise.
const DefaultBar = 80

// Config says what an activation demands. A field that is zero has its default.
type Config struct {
	// Budget is what 99 of 100 decisions may take at most, measured when a revision is activated. Default 50ms.
	Budget time.Duration `koanf:"budget"`
	// LoadBudget is how much processor time it may take to have a revision ready to decide, which every process does when it is activated; and others'
	// activations wait meanwhile. Default 2s.
	LoadBudget time.Duration `koanf:"load_budget"`
	// MaxDrafts is how many drafts an organisation has at most. Default 100.
	MaxDrafts int `koanf:"max_drafts"`
}

// DefaultConfig returns the configuration that holds unless set.
func DefaultConfig() Config {
	return Config{Budget: 50 * time.Millisecond, LoadBudget: 2 * time.Second, MaxDrafts: 100}
}

func (c Config) withDefaults() Config {
	standard := DefaultConfig()
	c.Budget = cmp.Or(c.Budget, standard.Budget)
	c.LoadBudget = cmp.Or(c.LoadBudget, standard.LoadBudget)
	c.MaxDrafts = cmp.Or(c.MaxDrafts, standard.MaxDrafts)
	return c
}

// Validate reports each field that can't work, by its name in the configuration file.
func (c Config) Validate() error {
	c = c.withDefaults()
	var errs []error
	if c.Budget < 0 {
		errs = append(errs, errors.New("budget: is negative"))
	}
	if c.LoadBudget < 0 {
		errs = append(errs, errors.New("load_budget: is negative"))
	}
	if c.MaxDrafts < 0 {
		errs = append(errs, fmt.Errorf("max_drafts: %d is negative", c.MaxDrafts))
	}
	return errors.Join(errs...)
}
