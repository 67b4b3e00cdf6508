package signal

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"time"
)

// Config of the connections. A field that is zero has its default.
type Config struct {
	// Origins are web origins ("https://meet.example.org") that this service's own pages have besides the host that they connect to; for a proxy
	// in front. Default none.
	Origins []string `koanf:"origins"`
	// TrustedProxies are networks ("10.0.0.0/8") whose X-Forwarded-For header is believed. Default none.
	TrustedProxies []string `koanf:"trusted_proxies"`
	// MaxConnections at once, all together. Default 20000.
	MaxConnections int `koanf:"max_connections"`
	// ConnectionsPerAddress is how many new connections per second one address (IPv4) or network (IPv6, /64) may open. Default 40.
	ConnectionsPerAddress float64 `koanf:"connections_per_address"`
	// ConnectionBurstPerAddress may come at once. Default 200.
	ConnectionBurstPerAddress int `koanf:"connection_burst_per_address"`
	// JoinTimeout is how long a connection may be there without having joined. Default 10s.
	JoinTimeout time.Duration `koanf:"join_timeout"`
	// PingInterval between WebSocket pings. Default 15s.
	PingInterval time.Duration `koanf:"ping_interval"`
	// PingTimeout until a ping must be answered. Default 10s.
	PingTimeout time.Duration `koanf:"ping_timeout"`
	// RequestTimeout bounds the handling of one request. Default 20s.
	RequestTimeout time.Duration `koanf:"request_timeout"`
	// WriteTimeout is how long the network may take none of a frame before the client counts as slow. Default 10s.
	WriteTimeout time.Duration `koanf:"write_timeout"`
	// RequestsPerSecond of one connection, over time. Default 50.
	RequestsPerSecond float64 `koanf:"requests_per_second"`
	// RequestBurst may come at once. Default 200.
	RequestBurst int `koanf:"request_burst"`
	// PendingRequests and PendingBytes of one connection may wait for the one that is handled; more are refused with rate_limited. Defaults 64
	// and 1 MiB.
	PendingRequests int `koanf:"pending_requests"`
	PendingBytes    int `koanf:"pending_bytes"`
	// QueueFrames and QueueBytes may wait to be sent to one client; beyond them it is cut. Defaults 1024 and 4 MiB.
	QueueFrames int `koanf:"queue_frames"`
	QueueBytes  int `koanf:"queue_bytes"`
}

// DefaultConfig returns the configuration that holds unless set.
func DefaultConfig() Config {
	return Config{
		MaxConnections: 20000, ConnectionsPerAddress: 40, ConnectionBurstPerAddress: 200,
		JoinTimeout: 10 * time.Second, PingInterval: 15 * time.Second, PingTimeout: 10 * time.Second,
		RequestTimeout: 20 * time.Second, WriteTimeout: 10 * time.Second,
		RequestsPerSecond: 50, RequestBurst: 200, PendingRequests: 64, PendingBytes: 1 << 20,
		QueueFrames: 1024, QueueBytes: 4 << 20,
	}
}

func (c Config) withDefaults() Config {
	standard := DefaultConfig()
	fill(&c.MaxConnections, standard.MaxConnections)
	fill(&c.ConnectionsPerAddress, standard.ConnectionsPerAddress)
	fill(&c.ConnectionBurstPerAddress, standard.ConnectionBurstPerAddress)
	fill(&c.JoinTimeout, standard.JoinTimeout)
	fill(&c.PingInterval, standard.PingInterval)
	fill(&c.PingTimeout, standard.PingTimeout)
	fill(&c.RequestTimeout, standard.RequestTimeout)
	fill(&c.WriteTimeout, standard.WriteTimeout)
	fill(&c.RequestsPerSecond, standard.RequestsPerSecond)
	fill(&c.RequestBurst, standard.RequestBurst)
	fill(&c.PendingRequests, standard.PendingRequests)
	fill(&c.PendingBytes, standard.PendingBytes)
	fill(&c.QueueFrames, standard.QueueFrames)
	fill(&c.QueueBytes, standard.QueueBytes)
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
	for i, origin := range c.Origins {
		if u, err := url.Parse(origin); err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" || u.Path != "" || u.RawQuery != "" || u.Fragment != "" {
			errs = append(errs, fmt.Errorf("origins[%d]: %q is not a web origin such as https://meet.example.org, without a path", i, origin))
		}
	}
	for i, network := range c.TrustedProxies {
		if _, err := netip.ParsePrefix(network); err != nil {
			errs = append(errs, fmt.Errorf("trusted_proxies[%d]: %q is not a network such as 10.0.0.0/8", i, network))
		}
	}
	refuse := func(field string, negative bool) {
		if negative {
			errs = append(errs, fmt.Errorf("%s: is negative", field))
		}
	}
	refuse("max_connections", c.MaxConnections < 0)
	refuse("connections_per_address", c.ConnectionsPerAddress < 0)
	refuse("connection_burst_per_address", c.ConnectionBurstPerAddress < 0)
	refuse("join_timeout", c.JoinTimeout < 0)
	refuse("ping_interval", c.PingInterval < 0)
	refuse("ping_timeout", c.PingTimeout < 0)
	refuse("request_timeout", c.RequestTimeout < 0)
	refuse("write_timeout", c.WriteTimeout < 0)
	refuse("requests_per_second", c.RequestsPerSecond < 0)
	refuse("request_burst", c.RequestBurst < 0)
	refuse("pending_requests", c.PendingRequests < 0)
	refuse("pending_bytes", c.PendingBytes < 0)
	refuse("queue_frames", c.QueueFrames < 0)
	refuse("queue_bytes", c.QueueBytes < 0)
	return errors.Join(errs...)
}
