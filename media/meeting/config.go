package meeting

import (
	"errors"
	"fmt"
	"time"
)

// Config bounds what a meeting waits for and keeps. A field that is zero has its default.
type Config struct {
	// LobbyTimeout bounds the wait in both states together. Default 30m.
	LobbyTimeout time.Duration `koanf:"lobby_timeout"`
	// ReconnectGrace is how long a member that was cut off may come back. Default 20s.
	ReconnectGrace time.Duration `koanf:"reconnect_grace"`
	// EmptyTimeout ends a meeting after the last member has left. Default 5m.
	EmptyTimeout time.Duration `koanf:"empty_timeout"`
	// RecordTimeout bounds the wait for the acknowledgement of one event. Default 10s.
	RecordTimeout time.Duration `koanf:"record_timeout"`
	// ClosePatience is how long a meeting that ended goes on trying to record what is left. Default 1m.
	ClosePatience time.Duration `koanf:"close_patience"`
	// MaxWaiting is how many may wait at once; more are refused with meeting_full. Default 2000.
	MaxWaiting int `koanf:"max_waiting"`
	// ChatMessages and ChatBytes bound the messages kept for the history; the oldest go first. Default 10000 and 32 MiB.
	ChatMessages int `koanf:"chat_messages"`
	ChatBytes    int `koanf:"chat_bytes"`
}

// DefaultConfig returns the configuration that holds unless set.
func DefaultConfig() Config {
	return Config{
		LobbyTimeout: 30 * time.Minute, ReconnectGrace: 20 * time.Second, EmptyTimeout: 5 * time.Minute,
		RecordTimeout: 10 * time.Second, ClosePatience: time.Minute,
		MaxWaiting: 2000, ChatMessages: 10_000, ChatBytes: 32 << 20,
	}
}

func (c Config) withDefaults() Config {
	standard := DefaultConfig()
	duration := func(d *time.Duration, standard time.Duration) {
		if *d == 0 {
			*d = standard
		}
	}
	number := func(n *int, standard int) {
		if *n == 0 {
			*n = standard
		}
	}
	duration(&c.LobbyTimeout, standard.LobbyTimeout)
	duration(&c.ReconnectGrace, standard.ReconnectGrace)
	duration(&c.EmptyTimeout, standard.EmptyTimeout)
	duration(&c.RecordTimeout, standard.RecordTimeout)
	duration(&c.ClosePatience, standard.ClosePatience)
	number(&c.MaxWaiting, standard.MaxWaiting)
	number(&c.ChatMessages, standard.ChatMessages)
	number(&c.ChatBytes, standard.ChatBytes)
	return c
}

// Validate reports each field that can't work, by its name in the configuration file.
func (c Config) Validate() error {
	c = c.withDefaults()
	var errs []error
	for _, d := range []struct {
		field    string
		value    time.Duration
		min, max time.Duration
	}{
		{"lobby_timeout", c.LobbyTimeout, time.Second, 24 * time.Hour},
		{"reconnect_grace", c.ReconnectGrace, 100 * time.Millisecond, 10 * time.Minute},
		{"empty_timeout", c.EmptyTimeout, 100 * time.Millisecond, 24 * time.Hour},
		{"record_timeout", c.RecordTimeout, 100 * time.Millisecond, time.Minute},
		{"close_patience", c.ClosePatience, 100 * time.Millisecond, time.Hour},
	} {
		if d.value < d.min || d.value > d.max {
			errs = append(errs, fmt.Errorf("%s: %s is not between %s and %s", d.field, d.value, d.min, d.max))
		}
	}
	for _, n := range []struct {
		field      string
		value, max int
	}{
		{"max_waiting", c.MaxWaiting, 100_000},
		{"chat_messages", c.ChatMessages, 1_000_000},
		{"chat_bytes", c.ChatBytes, 1 << 30},
	} {
		if n.value < 1 || n.value > n.max {
			errs = append(errs, fmt.Errorf("%s: %d is not between 1 and %d", n.field, n.value, n.max))
		}
	}
	return errors.Join(errs...)
}
