package logs

import (
	"errors"
	"fmt"
	"time"
)

// Config says when records are written and how long they are kept. A field that is zero has its default.
type Config struct {
	// Interval is the pause between two looks for calls that have ended. Default 5s.
	Interval time.Duration `koanf:"interval"`
	// Wait is how long after a call's end its records are written at the latest, when somebody's end is not known by then. Default 30m.
	Wait time.Duration `koanf:"wait"`
	// Keep is how long an organisation's log keeps its records. Default 2160h (90 days).
	Keep time.Duration `koanf:"keep"`
	// ResourceKeep is how long a resource's log keeps its records, and with them the ids of its guests, from when each guest joined. Default 720h (30 days).
	ResourceKeep time.Duration `koanf:"resource_keep"`
}

// DefaultConfig returns the configuration that holds unless set.
func DefaultConfig() Config {
	const day = 24 * time.Hour
	return Config{Interval: 5 * time.Second, Wait: 30 * time.Minute, Keep: 90 * day, ResourceKeep: 30 * day}
}

func (c Config) withDefaults() Config {
	standard := DefaultConfig()
	for _, f := range []struct {
		value    *time.Duration
		standard time.Duration
	}{{&c.Interval, standard.Interval}, {&c.Wait, standard.Wait}, {&c.Keep, standard.Keep}, {&c.ResourceKeep, standard.ResourceKeep}} {
		if *f.value == 0 {
			*f.value = f.standard
		}
	}
	return c
}

// Validate reports each field that can't work.
func (c Config) Validate() error {
	var errs []error
	for field, value := range map[string]time.Duration{"interval": c.Interval, "wait": c.Wait, "keep": c.Keep, "resource_keep": c.ResourceKeep} {
		if value < 0 {
			errs = append(errs, fmt.Errorf("%s: is negative", field))
		}
	}
	return errors.Join(errs...)
}
