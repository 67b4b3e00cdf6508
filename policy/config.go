package policy

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"
)

// maxDays is the longest period: 100 years.
const maxDays = 36_500

// Config is what the operator decides. A field that is zero has its default.
type Config struct {
	// Timeout bounds one evaluation; what takes longer is denied. Default 1s, ten thousand times what an evaluation takes, so that only a
	// policy that hangs meets it and not a busy machine.
	Timeout time.Duration `koanf:"timeout"`
	// Breaker says when an organisation's policy that fails is given up for the last one that didn't.
	Breaker Breaker `koanf:"breaker"`
	// Limits on participants.
	Limits Limits `koanf:"limits"`
	// Grantable are capabilities that an organisation's own policy may give to those whom the base policy's rules on roles refuse them; by
	// name, such as raiseHand. Default none.
	Grantable []string `koanf:"grantable"`
	// Retention are the periods of what no organisation's policy speaks of.
	Retention Periods `koanf:"retention"`
}

// Periods say after how many days things are deleted, 1 to 36500.
type Periods struct {
	// RecordingDays of recordings, from their start. Default 120.
	RecordingDays int `koanf:"recording_days"`
	// NoticeDays of the proof that participants were shown that they are recorded, from the notice. Default 1095, three years.
	NoticeDays int `koanf:"notice_days"`
	// DecisionDays of what decisions about participants were made from, from the decision. Default 90.
	DecisionDays int `koanf:"decision_days"`
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
	return Config{
		Timeout: time.Second, Breaker: Breaker{Failures: 5, Window: time.Minute}, Limits: Limits{Participants: 1000, CallGuest: 350, ChatGuest: 250},
		Retention: Periods{RecordingDays: 120, NoticeDays: 1095, DecisionDays: 90},
	}
}

func (c Config) withDefaults() Config {
	standard := DefaultConfig()
	c.Timeout = cmp.Or(c.Timeout, standard.Timeout)
	c.Breaker.Failures = cmp.Or(c.Breaker.Failures, standard.Breaker.Failures)
	c.Breaker.Window = cmp.Or(c.Breaker.Window, standard.Breaker.Window)
	c.Limits.Participants = cmp.Or(c.Limits.Participants, standard.Limits.Participants)
	c.Limits.CallGuest = cmp.Or(c.Limits.CallGuest, standard.Limits.CallGuest)
	c.Limits.ChatGuest = cmp.Or(c.Limits.ChatGuest, standard.Limits.ChatGuest)
	c.Retention.RecordingDays = cmp.Or(c.Retention.RecordingDays, standard.Retention.RecordingDays)
	c.Retention.NoticeDays = cmp.Or(c.Retention.NoticeDays, standard.Retention.NoticeDays)
	c.Retention.DecisionDays = cmp.Or(c.Retention.DecisionDays, standard.Retention.DecisionDays)
	return c
}

// Validate reports each field that can't work, by its name in the configuration file.
func (c Config) Validate() error {
	c = c.withDefaults()
	var errs []error
	if c.Timeout < 0 {
		errs = append(errs, errors.New("timeout: is negative"))
	}
	if c.Breaker.Failures < 0 {
		errs = append(errs, fmt.Errorf("breaker.failures: %d is negative", c.Breaker.Failures))
	}
	if c.Breaker.Window < 0 {
		errs = append(errs, errors.New("breaker.window: is negative"))
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
	for _, period := range []struct {
		field string
		days  int
	}{
		{"retention.recording_days", c.Retention.RecordingDays},
		{"retention.notice_days", c.Retention.NoticeDays},
		{"retention.decision_days", c.Retention.DecisionDays},
	} {
		if period.days < 1 || period.days > maxDays {
			errs = append(errs, fmt.Errorf("%s: %d is not 1 to %d", period.field, period.days, maxDays))
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
