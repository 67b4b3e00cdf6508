package exchange

import (
	"cmp"
	"errors"
	"time"
)

// Config of the exchange. A field that is zero has its default.
type Config struct {
	// KeyFile has the key that bundles are signed with: an EC private key on P-256 as PEM. Without one no bundles are handed out. Default none; under
	// `anteroom run` one in the data folder, made if there is none.
	KeyFile string `koanf:"key_file"`
	// LongPoll is how long an agent that waits for a change is let wait at most. Default 60s.
	LongPoll time.Duration `koanf:"long_poll"`
}

// DefaultConfig returns the configuration that holds unless set.
func DefaultConfig() Config { return Config{LongPoll: time.Minute} }

func (c Config) withDefaults() Config {
	c.LongPoll = cmp.Or(c.LongPoll, DefaultConfig().LongPoll)
	return c
}

// Validate reports each field that can't work, by its name in the configuration file.
func (c Config) Validate() error {
	if c.LongPoll < 0 || c.LongPoll > 10*time.Minute {
		return errors.New("long_poll: is not 0s to 10m")
	}
	return nil
}
