package collect

import (
	"errors"
	"fmt"
	"time"
)

// Config bounds what clients may send. A field that is zero has its default.
type Config struct {
	// MaxSessions at once, all together. Default 10000.
	MaxSessions int `koanf:"max_sessions"`
	// MaxSessionsPerResource at once, of the guests of one resource. Default 2500.
	MaxSessionsPerResource int `koanf:"max_sessions_per_resource"`
	// ConnectionsPerAddress is how many new connections per second one address (IPv4) or network (IPv6, /64) may open. Default 20.
	ConnectionsPerAddress float64 `koanf:"connections_per_address"`
	// ConnectionBurstPerAddress may come at once. Default 200.
	ConnectionBurstPerAddress int `koanf:"connection_burst_per_address"`
	// MaxMessageBytes is the largest message of a connection. Default 2 MiB, at most 8 MiB.
	MaxMessageBytes int64 `koanf:"max_message_bytes"`
	// MessagesPerSecond of one connection, over time; whoever sends more is read more slowly. Default 50.
	MessagesPerSecond float64 `koanf:"messages_per_second"`
	// MessageBurst may come at once: what a client kept while it was cut off. Default 2000.
	MessageBurst int `koanf:"message_burst"`
	// IdleTimeout ends a connection that sends nothing, and a session of batches that gets none. Default 5m.
	IdleTimeout time.Duration `koanf:"idle_timeout"`
	// Hold is how long a session whose connection is gone is kept to be taken up again. Default 2m.
	Hold time.Duration `koanf:"hold"`
	// MaxDuration of a session. Default 24h.
	MaxDuration time.Duration `koanf:"max_duration"`
	// SilentAfter is how long nothing must have come of a call whose end nobody recorded, since the process that had its session is gone, until it counts as
	// ended. Longer than IdleTimeout and Hold together, within which a client may come back. Default 15m.
	SilentAfter time.Duration `koanf:"silent_after"`
	// AcknowledgeTimeout is how long a batch waits for Kafka before its sender is told to send it again. Default 10s.
	AcknowledgeTimeout time.Duration `koanf:"acknowledge_timeout"`
}

// maxMessageBytes is the most that the decoders read.
const maxMessageBytes = 8 << 20

// DefaultConfig returns the configuration that holds unless set.
func DefaultConfig() Config {
	return Config{
		MaxSessions: 10000, MaxSessionsPerResource: 2500, ConnectionsPerAddress: 20, ConnectionBurstPerAddress: 200, MaxMessageBytes: 2 << 20,
		MessagesPerSecond: 50, MessageBurst: 2000, IdleTimeout: 5 * time.Minute, Hold: 2 * time.Minute, MaxDuration: 24 * time.Hour, SilentAfter: 15 * time.Minute,
		AcknowledgeTimeout: 10 * time.Second,
	}
}

func (c Config) withDefaults() Config {
	standard := DefaultConfig()
	fill(&c.MaxSessions, standard.MaxSessions)
	fill(&c.MaxSessionsPerResource, standard.MaxSessionsPerResource)
	fill(&c.ConnectionsPerAddress, standard.ConnectionsPerAddress)
	fill(&c.ConnectionBurstPerAddress, standard.ConnectionBurstPerAddress)
	fill(&c.MaxMessageBytes, standard.MaxMessageBytes)
	fill(&c.MessagesPerSecond, standard.MessagesPerSecond)
	fill(&c.MessageBurst, standard.MessageBurst)
	fill(&c.IdleTimeout, standard.IdleTimeout)
	fill(&c.Hold, standard.Hold)
	fill(&c.MaxDuration, standard.MaxDuration)
	fill(&c.SilentAfter, standard.SilentAfter)
	fill(&c.AcknowledgeTimeout, standard.AcknowledgeTimeout)
	return c
}

func fill[T comparable](field *T, standard T) {
	var zero T
	if *field == zero {
		*field = standard
	}
}

// Validate reports each field that can't work, by its name in the configuration file.
func (c Config) Validate() error {
	var errs []error
	refuse := func(field string, negative bool) {
		if negative {
			errs = append(errs, fmt.Errorf("%s: is negative", field))
		}
	}
	refuse("max_sessions", c.MaxSessions < 0)
	refuse("max_sessions_per_resource", c.MaxSessionsPerResource < 0)
	refuse("connections_per_address", c.ConnectionsPerAddress < 0)
	refuse("connection_burst_per_address", c.ConnectionBurstPerAddress < 0)
	refuse("max_message_bytes", c.MaxMessageBytes < 0)
	refuse("messages_per_second", c.MessagesPerSecond < 0)
	refuse("message_burst", c.MessageBurst < 0)
	refuse("idle_timeout", c.IdleTimeout < 0)
	refuse("hold", c.Hold < 0)
	refuse("max_duration", c.MaxDuration < 0)
	refuse("silent_after", c.SilentAfter < 0)
	refuse("acknowledge_timeout", c.AcknowledgeTimeout < 0)
	if c.MaxMessageBytes > maxMessageBytes {
		errs = append(errs, fmt.Errorf("max_message_bytes: %d is above %d (8 MiB), the most that can be read", c.MaxMessageBytes, maxMessageBytes))
	}
	if with := c.withDefaults(); c.SilentAfter >= 0 && with.SilentAfter <= with.IdleTimeout+with.Hold {
		errs = append(errs, fmt.Errorf("silent_after: %v is not longer than idle_timeout and hold together, %v: a client that may still come back would count as gone",
			with.SilentAfter, with.IdleTimeout+with.Hold))
	}
	return errors.Join(errs...)
}
