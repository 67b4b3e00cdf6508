package analytics

import (
	"errors"
	"fmt"
	"time"
)

// Config says when summaries are made.
type Config struct {
	// Every is the pause between two looks for calls that changed. Default 2s.
	Every time.Duration `koanf:"every"`
	// RunningEvery is how often the summary of a call that runs is made anew, unless somebody comes or goes. Default 30s.
	RunningEvery time.Duration `koanf:"running_every"`
}

// DefaultConfig returns the defaults.
func DefaultConfig() Config { return Config{Every: 2 * time.Second, RunningEvery: 30 * time.Second} }

// Validate reports each field that can't work, by its name in the configuration file.
func (c Config) Validate() error {
	var errs []error
	if c.Every <= 0 {
		errs = append(errs, fmt.Errorf("every: %v is not above zero", c.Every))
	}
	if c.RunningEvery <= 0 {
		errs = append(errs, fmt.Errorf("running_every: %v is not above zero", c.RunningEvery))
	}
	return errors.Join(errs...)
}
