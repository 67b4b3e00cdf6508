package load

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/anteroom/anteroom/media/protocol"
)

// What a run may be at most.
const (
	MaxClients  = 2000
	MaxDuration = time.Hour
)

// Config says what to do. There are no defaults but those of DefaultConfig.
type Config struct {
	// URL of the server, "http://host:port"; a client connects to /v1/connect there.
	URL string
	// Publishers publish and receive nothing. Subscribers receive what all publishers publish, as far as the server's limits allow.
	Publishers, Subscribers int
	// VideoBitrate of each publisher in bits per second of payload; 0 is no video. Audio is Opus, 50 packets per second of 32 kbit/s.
	VideoBitrate int
	Audio        bool
	// Duration of the measurement, which begins when everything flows or Settle is over.
	Duration time.Duration
	// Ramp is over how long the joins are spread, evenly.
	Ramp time.Duration
	// Settle bounds the wait for media to reach everybody, JoinTimeout one client's join with its wait in the lobby.
	Settle, JoinTimeout time.Duration
	// ServerPid is the server's process on this machine; 0: not known.
	ServerPid int
}

// DefaultConfig is one publisher with 40 subscribers for half a minute.
func DefaultConfig() Config {
	return Config{
		Publishers: 1, Subscribers: 40, VideoBitrate: 500_000, Audio: true, Duration: 30 * time.Second, Ramp: 5 * time.Second,
		Settle: 30 * time.Second, JoinTimeout: 30 * time.Second,
	}
}

// Clients are all of them.
func (c Config) Clients() int { return c.Publishers + c.Subscribers }

// Validate reports each field that can't work.
func (c Config) Validate() error {
	var errs []error
	if u, err := url.Parse(c.URL); err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		errs = append(errs, fmt.Errorf("server: %q is no address such as http://127.0.0.1:8480", c.URL))
	}
	if c.Publishers < 0 || c.Subscribers < 0 || c.Clients() < 1 || c.Clients() > MaxClients {
		errs = append(errs, fmt.Errorf("publishers, subscribers: %d and %d are not 1 to %d together", c.Publishers, c.Subscribers, MaxClients))
	}
	if c.VideoBitrate != 0 && (c.VideoBitrate < 10_000 || c.VideoBitrate > 20_000_000) {
		errs = append(errs, fmt.Errorf("video-bitrate: %d is neither 0 nor 10000 to 20000000 bits per second", c.VideoBitrate))
	}
	if c.Publishers > 0 && c.VideoBitrate == 0 && !c.Audio {
		errs = append(errs, errors.New("audio: publishers without audio and video publish nothing"))
	}
	for _, field := range []struct {
		name     string
		value    time.Duration
		from, to time.Duration
	}{
		{"duration", c.Duration, time.Second, MaxDuration},
		{"ramp", c.Ramp, 0, MaxDuration},
		{"settle", c.Settle, time.Second, MaxDuration},
		{"join-timeout", c.JoinTimeout, time.Second, MaxDuration},
	} {
		if field.value < field.from || field.value > field.to {
			errs = append(errs, fmt.Errorf("%s: %s is not %s to %s", field.name, field.value, field.from, field.to))
		}
	}
	return errors.Join(errs...)
}

// Joiner says how the client of a number asks to join: with which token, under which name. It is called once for each, from any goroutine.
type Joiner func(ctx context.Context, n int) (protocol.Join, error)
