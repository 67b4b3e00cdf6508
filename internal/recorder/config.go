package recorder

import (
	"errors"
	"fmt"
	"time"
)

// Config bounds the queues. A field that is zero has its default.
type Config struct {
	// Events is how many durable events may wait. Default 65,536.
	Events int `koanf:"events"`
	// Samples is how many reports of samples may wait; more push out the oldest. Default 16,384.
	Samples int `koanf:"samples"`
	// Timeout is how long Record waits for Kafka's acknowledgement. Default 5s.
	Timeout time.Duration `koanf:"timeout"`
}

// DefaultConfig returns the configuration that holds unless set.
func DefaultConfig() Config { return Config{Events: 65_536, Samples: 16_384, Timeout: 5 * time.Second} }

func (c Config) withDefaults() Config {
	standard := DefaultConfig()
	if c.Events == 0 {
		c.Events = standard.Events
	}
	if c.Samples == 0 {
		c.Samples = standard.Samples
	}
	if c.Timeout == 0 {
		c.Timeout = standard.Timeout
	}
	return c
}

// Validate reports each field that can't work.
func (c Config) Validate() error {
	var errs []error
	if c.Events < 0 {
		errs = append(errs, fmt.Errorf("events: %d is negative", c.Events))
	}
	if c.Samples < 0 {
		errs = append(errs, fmt.Errorf("samples: %d is negative", c.Samples))
	}
	if c.Timeout < 0 {
		errs = append(errs, fmt.Errorf("timeout: %s is negative", c.Timeout))
	}
	return errors.Join(errs...)
}
