package webhook

import (
	"errors"
	"fmt"
	"time"
)

// Config says how deliveries are made. A field that is zero has its default.
type Config struct {
	// AllowPrivate allows http, and addresses of this machine and of inner networks. Default false.
	AllowPrivate bool `koanf:"allow_private"`
	// Timeout bounds one attempt. Default 10s.
	Timeout time.Duration `koanf:"timeout"`
	// Attempts is how often an event is tried at one target. Default 8: with the pauses below, which come to 11 to 13 minutes.
	Attempts int `koanf:"attempts"`
	// FirstPause follows the first failure; each further one is twice as long, with up to a quarter of jitter. Default 5s.
	FirstPause time.Duration `koanf:"first_pause"`
	// MaxPause bounds the pauses. Default 10m.
	MaxPause time.Duration `koanf:"max_pause"`
	// Queue is how many events wait for one target. Default 1000.
	Queue int `koanf:"queue"`
	// MaxTargets is how many targets have a queue at once; events for further ones are dropped. Default 1000.
	MaxTargets int `koanf:"max_targets"`
	// IdleTimeout ends the worker of a target that got no event for so long. Default 10m.
	IdleTimeout time.Duration `koanf:"idle_timeout"`
	// StopTimeout is how long, after the context of Run has ended, each queue may be tried to be emptied, once per event. Default 5s.
	StopTimeout time.Duration `koanf:"stop_timeout"`
}

// DefaultConfig returns the configuration that holds unless set.
func DefaultConfig() Config {
	return Config{
		Timeout: 10 * time.Second, Attempts: 8, FirstPause: 5 * time.Second, MaxPause: 10 * time.Minute, Queue: 1000, MaxTargets: 1000,
		IdleTimeout: 10 * time.Minute, StopTimeout: 5 * time.Second,
	}
}

// withDefaults fills what is zero.
func (c Config) withDefaults() Config {
	standard := DefaultConfig()
	for _, field := range []struct{ value, standard *time.Duration }{
		{&c.Timeout, &standard.Timeout},
		{&c.FirstPause, &standard.FirstPause},
		{&c.MaxPause, &standard.MaxPause},
		{&c.IdleTimeout, &standard.IdleTimeout},
		{&c.StopTimeout, &standard.StopTimeout},
	} {
		if *field.value == 0 {
			*field.value = *field.standard
		}
	}
	for _, field := range []struct{ value, standard *int }{
		{&c.Attempts, &standard.Attempts},
		{&c.Queue, &standard.Queue},
		{&c.MaxTargets, &standard.MaxTargets},
	} {
		if *field.value == 0 {
			*field.value = *field.standard
		}
	}
	return c
}

// Validate reports each field that can't work, by its name in the configuration file.
func (c Config) Validate() error {
	c = c.withDefaults()
	var errs []error
	for _, bound := range []struct {
		field      string
		value, max time.Duration
	}{
		{"timeout", c.Timeout, time.Minute},
		{"first_pause", c.FirstPause, c.MaxPause},
		{"max_pause", c.MaxPause, 24 * time.Hour},
		{"idle_timeout", c.IdleTimeout, 24 * time.Hour},
		{"stop_timeout", c.StopTimeout, time.Minute},
	} {
		if bound.value < 0 || bound.value > bound.max {
			errs = append(errs, fmt.Errorf("%s: %s is not between 0 and %s", bound.field, bound.value, bound.max))
		}
	}
	for _, bound := range []struct {
		field      string
		value, max int
	}{
		{"attempts", c.Attempts, 100},
		{"queue", c.Queue, 100_000},
		{"max_targets", c.MaxTargets, 100_000},
	} {
		if bound.value < 1 || bound.value > bound.max {
			errs = append(errs, fmt.Errorf("%s: %d is not between 1 and %d", bound.field, bound.value, bound.max))
		}
	}
	return errors.Join(errs...)
}
