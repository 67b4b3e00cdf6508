package policy

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// Config is what the operator decides. A field that is zero has its default.
type Config struct {
	// Timeout bounds one evaluation; what takes longer is denied. Default 1s, ten thousand times what an evaluation takes, so that only a
	// policy that hangs meets it and not a busy machine.
	Timeout time.Duration `koanf:"timeout"`
	// Limits on participants.
	Limits Limits `koanf:"limits"`
	// Grantable are capabilities that an organisation's own policy may give to those whom the base policy's rules on roles refuse them; by
	// name, such as raiseHand. Default none.
	Grantable []string `koanf:"grantable"`
}

// Limits on how many may be inside, counted in participants.
type Limits struct {
	// Participants in a meeting: nobody else joins. Default 1000.
	Participants int `koanf:"participants"`
	// CallGuest: a guest is refused when the call has as many. Default 350.
	CallGuest int `koanf:"call_guest"`
	// ChatGuest: guests have no chat while it has more members. Default 250.
	ChatGuest int `koanf:"chat_guest"`
}

// DefaultConfig returns the configuration that holds unless set.
func DefaultConfig() Config {
	return Config{Timeout: time.Second, Limits: Limits{Participants: 1000, CallGuest: 350, ChatGuest: 250}}
}

func (c Config) withDefaults() Config {
	standard := DefaultConfig()
	if c.Timeout == 0 {
		c.Timeout = standard.Timeout
	}
	if c.Limits.Participants == 0 {
		c.Limits.Participants = standard.Limits.Participants
	}
	if c.Limits.CallGuest == 0 {
		c.Limits.CallGuest = standard.Limits.CallGuest
	}
	if c.Limits.ChatGuest == 0 {
		c.Limits.ChatGuest = standard.Limits.ChatGuest
	}
	return c
}

// Validate reports each field that can't work, by its name in the configuration file.
func (c Config) Validate() error {
	c = c.withDefaults()
	var errs []error
	if c.Timeout < 0 {
		errs = append(errs, errors.New("timeout: is negative"))
	}
	for _, limit := range []struct {
		field string
		value int
	}{
		{"limits.participants", c.Limits.Participants}, {"limits.call_guest", c.Limits.CallGuest}, {"limits.chat_guest", c.Limits.ChatGuest},
	} {
		if limit.value < 0 {
			errs = append(errs, fmt.Errorf("%s: %d is negative", limit.field, limit.value))
		}
	}
	known := Capabilities()
	for i, name := range c.Grantable {
		if !slices.Contains(known, Capability(name)) {
			errs = append(errs, fmt.Errorf("grantable[%d]: %q is not a capability", i, name))
		}
	}
	return errors.Join(errs...)
}
