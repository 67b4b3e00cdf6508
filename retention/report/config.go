package report

import (
	"errors"
	"fmt"
	"time"
)

// Config says where exports are kept, and for how long. A field that is zero has its default.
type Config struct {
	// Dir is the folder of the files, of mode 0700, which the roles retention and api of an installation share. Empty: there are no exports, and
	// asking for one is refused. Default none; `anteroom run` has one in its data folder.
	Dir string `koanf:"dir"`
	// Keep is how long the files of an export are there once they are made. Default 168h.
	Keep time.Duration `koanf:"keep"`
	// KeepHeld is the same for text under hold; at most 24h. Default 24h.
	KeepHeld time.Duration `koanf:"keep_held"`
	// MaxWindow is the longest time between from and to of one export. Default 9528h (397 days: a year and a month).
	MaxWindow time.Duration `koanf:"max_window"`
	// TakeOver is after how long without a sign of life another worker makes a part anew. Default 1m.
	TakeOver time.Duration `koanf:"take_over"`
}

// DefaultConfig returns the configuration that holds unless set.
func DefaultConfig() Config {
	return Config{Keep: 7 * 24 * time.Hour, KeepHeld: maxKeepHeld, MaxWindow: 397 * 24 * time.Hour, TakeOver: time.Minute}
}

const (
	// maxKeepHeld: text that a hold covers must not lie about in a second place for longer than it takes to fetch it.
	maxKeepHeld = 24 * time.Hour
	// minTakeOver leaves a worker several signs of life.
	minTakeOver = 5 * time.Second
)

func (c Config) withDefaults() Config {
	standard := DefaultConfig()
	for _, f := range []struct{ field, standard *time.Duration }{
		{&c.Keep, &standard.Keep}, {&c.KeepHeld, &standard.KeepHeld}, {&c.MaxWindow, &standard.MaxWindow}, {&c.TakeOver, &standard.TakeOver},
	} {
		if *f.field == 0 {
			*f.field = *f.standard
		}
	}
	return c
}

// Validate reports each field that can't work, by its name in the configuration file.
func (c Config) Validate() error {
	c = c.withDefaults()
	var errs []error
	for _, f := range []struct {
		name  string
		value time.Duration
	}{{"keep", c.Keep}, {"keep_held", c.KeepHeld}, {"max_window", c.MaxWindow}} {
		if f.value < 0 {
			errs = append(errs, fmt.Errorf("%s: is negative", f.name))
		}
	}
	if c.KeepHeld > maxKeepHeld {
		errs = append(errs, fmt.Errorf("keep_held: %v is above %v", c.KeepHeld, maxKeepHeld))
	}
	if c.TakeOver < minTakeOver {
		errs = append(errs, fmt.Errorf("take_over: %v is below %v", c.TakeOver, minTakeOver))
	}
	return errors.Join(errs...)
}

// keepFor is how long the files of a kind are there.
func (c Config) keepFor(k Kind) time.Duration {
	if k == HeldContent {
		return c.KeepHeld
	}
	return c.Keep
}
