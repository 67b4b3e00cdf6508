package media

import (
	"errors"
	"fmt"
	"time"

	"github.com/anteroom/anteroom/media/forward"
	"github.com/anteroom/anteroom/media/meeting"
)

// Config of running meetings. A field that is zero has its default.
type Config struct {
	// Meeting holds for each meeting, Forward for all media.
	Meeting meeting.Config `koanf:"meeting"`
	Forward forward.Config `koanf:"forward"`

	// JoinsPerAddress is how many joins and resumes per second one address (IPv4) or network (IPv6, /64) may try. Default 20.
	JoinsPerAddress float64 `koanf:"joins_per_address"`
	// JoinBurstPerAddress may come at once. Default 100.
	JoinBurstPerAddress int `koanf:"join_burst_per_address"`
	// JoinsPerMeeting is how many joins per second one meeting takes. Default 50.
	JoinsPerMeeting float64 `koanf:"joins_per_meeting"`
	// JoinBurstPerMeeting may come at once. Default 400.
	JoinBurstPerMeeting int `koanf:"join_burst_per_meeting"`
	// MaxAddresses whose rates are kept; beyond it one is forgotten for each new one. Default 65536.
	MaxAddresses int `koanf:"max_addresses"`
	// MaxMeetings that run at once. Default 2000.
	MaxMeetings int `koanf:"max_meetings"`
	// StartTimeout bounds the start of a session. Default 15s.
	StartTimeout time.Duration `koanf:"start_timeout"`
	// RenewTokens is how often connected clients get a new resume token, besides when something in it changed. A token older than twice that
	// and twice the reconnect grace is worth nothing. Default 30s.
	RenewTokens time.Duration `koanf:"renew_tokens"`
	// StopTimeout bounds how long meetings may take to end when the process stops. Default 10s.
	StopTimeout time.Duration `koanf:"stop_timeout"`
}

// DefaultConfig returns the configuration that holds unless set.
func DefaultConfig() Config {
	return Config{
		Meeting: meeting.DefaultConfig(), Forward: forward.DefaultConfig(),
		JoinsPerAddress: 20, JoinBurstPerAddress: 100,
		JoinsPerMeeting: 50, JoinBurstPerMeeting: 400,
		MaxAddresses: 1 << 16,
		MaxMeetings:  2000,
		StartTimeout: 15 * time.Second,
		RenewTokens:  30 * time.Second,
		StopTimeout:  10 * time.Second,
	}
}

func (c Config) withDefaults() Config {
	standard := DefaultConfig()
	c.JoinsPerAddress = orDefault(c.JoinsPerAddress, standard.JoinsPerAddress)
	c.JoinBurstPerAddress = orDefault(c.JoinBurstPerAddress, standard.JoinBurstPerAddress)
	c.JoinsPerMeeting = orDefault(c.JoinsPerMeeting, standard.JoinsPerMeeting)
	c.JoinBurstPerMeeting = orDefault(c.JoinBurstPerMeeting, standard.JoinBurstPerMeeting)
	c.MaxAddresses = orDefault(c.MaxAddresses, standard.MaxAddresses)
	c.MaxMeetings = orDefault(c.MaxMeetings, standard.MaxMeetings)
	c.StartTimeout = orDefault(c.StartTimeout, standard.StartTimeout)
	c.RenewTokens = orDefault(c.RenewTokens, standard.RenewTokens)
	c.StopTimeout = orDefault(c.StopTimeout, standard.StopTimeout)
	return c
}

func orDefault[T comparable](value, standard T) T {
	var zero T
	if value == zero {
		return standard
	}
	return value
}

// grace is how long a member that was cut off may come back.
func (c Config) grace() time.Duration {
	return orDefault(c.Meeting.ReconnectGrace, meeting.DefaultConfig().ReconnectGrace)
}

// Validate reports each field that can't work, by its name in the configuration file.
func (c Config) Validate() error {
	var errs []error
	refuse := func(field string, negative bool) {
		if negative {
			errs = append(errs, fmt.Errorf("%s: is negative", field))
		}
	}
	refuse("joins_per_address", c.JoinsPerAddress < 0)
	refuse("join_burst_per_address", c.JoinBurstPerAddress < 0)
	refuse("joins_per_meeting", c.JoinsPerMeeting < 0)
	refuse("join_burst_per_meeting", c.JoinBurstPerMeeting < 0)
	refuse("max_addresses", c.MaxAddresses < 0)
	refuse("max_meetings", c.MaxMeetings < 0)
	refuse("start_timeout", c.StartTimeout < 0)
	refuse("renew_tokens", c.RenewTokens < 0)
	refuse("stop_timeout", c.StopTimeout < 0)
	if c.RenewTokens > 0 && c.RenewTokens < time.Second {
		errs = append(errs, errors.New("renew_tokens: is below 1s"))
	}
	errs = append(errs, within("meeting", c.Meeting.Validate())...)
	errs = append(errs, within("forward", c.Forward.Validate())...)
	return errors.Join(errs...)
}

// within puts a section's name before each of its complaints.
func within(section string, err error) []error {
	if err == nil {
		return nil
	}
	complaints := []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		complaints = joined.Unwrap()
	}
	named := make([]error, len(complaints))
	for i, e := range complaints {
		named[i] = fmt.Errorf("%s.%w", section, e)
	}
	return named
}
