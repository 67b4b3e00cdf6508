package live

import (
	"errors"
	"fmt"
	"time"
)

// Config says how often running calls are looked at, and how many may watch. A field that is zero has its default.
type Config struct {
	// Interval is the pause between two looks at an organisation that somebody watches. Default 3s.
	Interval time.Duration `koanf:"interval"`
	// Window is the length of the samples that a running call is judged by, up to now. Default 1m.
	Window time.Duration `koanf:"window"`
	// Alive is the pause between two signs of life to who watches, and between two looks at whether they still may. Default 15s.
	Alive time.Duration `koanf:"alive"`
	// Streams is how many may watch in this process at once; more are refused. Default 500.
	Streams int `koanf:"streams"`
	// StreamsPerUser is how many of them one user may have. Default 10.
	StreamsPerUser int `koanf:"streams_per_user"`
}

// DefaultConfig returns the configuration that holds unless set.
func DefaultConfig() Config {
	return Config{Interval: 3 * time.Second, Window: time.Minute, Alive: 15 * time.Second, Streams: 500, StreamsPerUser: 10}
}

func (c Config) withDefaults() Config {
	standard := DefaultConfig()
	if c.Interval == 0 {
		c.Interval = standard.Interval
	}
	if c.Window == 0 {
		c.Window = standard.Window
	}
	if c.Alive == 0 {
		c.Alive = standard.Alive
	}
	if c.Streams == 0 {
		c.Streams = standard.Streams
	}
	if c.StreamsPerUser == 0 {
		c.StreamsPerUser = standard.StreamsPerUser
	}
	return c
}

// Validate reports each field that can't work.
func (c Config) Validate() error {
	var errs []error
	for field, value := range map[string]int64{
		"interval": int64(c.Interval), "window": int64(c.Window), "alive": int64(c.Alive), "streams": int64(c.Streams), "streams_per_user": int64(c.StreamsPerUser),
	} {
		if value < 0 {
			errs = append(errs, fmt.Errorf("%s: is negative", field))
		}
	}
	return errors.Join(errs...)
}
