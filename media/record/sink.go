package record

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"time"
)

// SinkConfig says where audio is transcribed.
type SinkConfig struct {
	// URL of a WebSocket service, wss:// or, on this machine only, ws://. Default "": transcription is not configured.
	URL string `koanf:"url"`
	// Token is sent as "Authorization: Bearer …". Default "": none.
	Token string `koanf:"token"`
	// QueuePackets is how many packets of one participant may wait for the service; above it the oldest are dropped. Default 500 (10 s of audio).
	QueuePackets int `koanf:"queue_packets"`
	// RetryMin and RetryMax bound the pause before a lost connection is tried again; it doubles each time. Defaults 500ms and 15s.
	RetryMin time.Duration `koanf:"retry_min"`
	RetryMax time.Duration `koanf:"retry_max"`
	// WriteTimeout is how long one message may take before the connection counts as lost. Default 5s.
	WriteTimeout time.Duration `koanf:"write_timeout"`
}

// DefaultSinkConfig has no URL.
func DefaultSinkConfig() SinkConfig {
	return SinkConfig{QueuePackets: 500, RetryMin: 500 * time.Millisecond, RetryMax: 15 * time.Second, WriteTimeout: 5 * time.Second}
}

// Validate names every field that can't be. The URL itself is not repeated: it may carry a secret.
func (c SinkConfig) Validate() error {
	var errs []error
	if err := checkSinkURL(c.URL); err != nil {
		errs = append(errs, fmt.Errorf("url: %w", err))
	}
	if c.QueuePackets < 1 {
		errs = append(errs, fmt.Errorf("queue_packets: is %d; give at least 1", c.QueuePackets))
	}
	if c.RetryMin <= 0 || c.RetryMax < c.RetryMin {
		errs = append(errs, fmt.Errorf("retry_min: is %v; give more than 0 and at most retry_max (%v)", c.RetryMin, c.RetryMax))
	}
	if c.WriteTimeout <= 0 {
		errs = append(errs, fmt.Errorf("write_timeout: is %v; give more than 0", c.WriteTimeout))
	}
	return errors.Join(errs...)
}

func checkSinkURL(s string) error {
	if s == "" {
		return nil
	}
	u, err := url.Parse(s)
	if err != nil || u.Host == "" {
		return errors.New("is no URL; give wss://host/path")
	}
	ip := net.ParseIP(u.Hostname())
	loopback := u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
	if u.Scheme != "wss" && (u.Scheme != "ws" || !loopback) {
		return errors.New("must begin with wss://; ws:// is for this machine only, since what is said must not go in the clear")
	}
	return nil
}
