package forward

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// Config says where media is received and how much of it is forwarded. A field that is zero has its default.
type Config struct {
	// Listen are the addresses that media is received on; 0.0.0.0 and :: are all interfaces. Default 127.0.0.1: this machine only.
	Listen []string `koanf:"listen"`
	// UDPPort is the one UDP port for all media. 0, the default, takes a free one; set one that the firewall lets through (10000 by convention).
	UDPPort int `koanf:"udp_port"`
	// TCPPort is the port for clients that can't use UDP (ICE-TCP). 0, the default, takes a free one; -1 is none.
	TCPPort int `koanf:"tcp_port"`
	// PublicAddresses replace the addresses of Listen in what clients are told, where the server is behind an address translation. Default none.
	PublicAddresses []string `koanf:"public_addresses"`
	// Loopback offers loopback addresses to clients, for browsers on this machine. Default true if all of Listen are loopback addresses.
	Loopback bool `koanf:"loopback"`
	// STUNURLs (stun:stun.example.org:3478) and TURNURLs (turns:turn.example.org:5349?transport=tcp) are servers that clients are told to use.
	// Default none.
	STUNURLs []string `koanf:"stun_urls"`
	TURNURLs []string `koanf:"turn_urls"`
	// TURN is the account at the TURN servers. It is told to every client that joins; use one that is good for this only.
	TURN TURNAccount `koanf:"turn"`
	// SocketBuffer is the size of each UDP socket's receive and send buffer, in bytes. Default 4 MiB; the system may allow less.
	SocketBuffer int `koanf:"socket_buffer_bytes"`
	// LastNVideo is how many cameras a subscriber gets at most unless it wants more of them explicitly: those of the latest speakers. Screens
	// always come. Default 9.
	LastNVideo int `koanf:"last_n_video"`
	// LastNAudio is how many audio tracks a subscriber gets at most: unmuted ones first, then the latest speakers. Default 30.
	LastNAudio int `koanf:"last_n_audio"`
	// MaxTracks is how many tracks one member may publish at once. Default 8.
	MaxTracks int `koanf:"max_tracks"`
	// QueuePackets is how many packets wait for one subscriber at most; what is above is dropped, of that subscriber only. Default 1024.
	QueuePackets int `koanf:"queue_packets"`
	// KeyframeInterval is the shortest time between two requests for a key frame of one stream. Default 500ms.
	KeyframeInterval time.Duration `koanf:"keyframe_interval"`
	// ReportInterval is how often each member's streams are reported. Default 10s.
	ReportInterval time.Duration `koanf:"report_interval"`
}

// TURNAccount is a user of the TURN servers.
type TURNAccount struct {
	Username string `koanf:"username"`
	Password string `koanf:"password"`
}

// noPort as a port: do not listen.
const noPort = -1

// DefaultConfig returns the configuration that holds unless set.
func DefaultConfig() Config {
	return Config{
		Listen:           []string{"127.0.0.1"},
		SocketBuffer:     4 << 20,
		LastNVideo:       9,
		LastNAudio:       30,
		MaxTracks:        8,
		QueuePackets:     1024,
		KeyframeInterval: 500 * time.Millisecond,
		ReportInterval:   10 * time.Second,
	}
}

// withDefaults fills what is zero.
func (c Config) withDefaults() Config {
	standard := DefaultConfig()
	if len(c.Listen) == 0 {
		c.Listen = standard.Listen
	}
	for field, value := range map[*int]int{
		&c.SocketBuffer: standard.SocketBuffer, &c.LastNVideo: standard.LastNVideo, &c.LastNAudio: standard.LastNAudio,
		&c.MaxTracks: standard.MaxTracks, &c.QueuePackets: standard.QueuePackets,
	} {
		if *field == 0 {
			*field = value
		}
	}
	if c.KeyframeInterval == 0 {
		c.KeyframeInterval = standard.KeyframeInterval
	}
	if c.ReportInterval == 0 {
		c.ReportInterval = standard.ReportInterval
	}
	if !c.Loopback {
		c.Loopback = true
		for _, listen := range c.Listen {
			if address, err := netip.ParseAddr(listen); err != nil || !address.IsLoopback() {
				c.Loopback = false
			}
		}
	}
	return c
}

// Validate reports each field that can't work, by its name in the configuration file.
func (c Config) Validate() error {
	c = c.withDefaults()
	var errs []error
	addresses := func(field string, values []string) {
		for i, value := range values {
			if _, err := netip.ParseAddr(value); err != nil {
				errs = append(errs, fmt.Errorf("%s[%d]: %q is not an IP address", field, i, value))
			}
		}
	}
	addresses("listen", c.Listen)
	addresses("public_addresses", c.PublicAddresses)
	if c.UDPPort < 0 || c.UDPPort > 65535 {
		errs = append(errs, fmt.Errorf("udp_port: %d is not 0 to 65535", c.UDPPort))
	}
	if c.TCPPort < noPort || c.TCPPort > 65535 {
		errs = append(errs, fmt.Errorf("tcp_port: %d is not -1 (none) to 65535", c.TCPPort))
	}
	for _, field := range []struct {
		name     string
		value    int64
		from, to int64
	}{
		{"socket_buffer_bytes", int64(c.SocketBuffer), 4 << 10, 1 << 30},
		{"last_n_video", int64(c.LastNVideo), 1, 100},
		{"last_n_audio", int64(c.LastNAudio), 1, 100},
		{"max_tracks", int64(c.MaxTracks), 1, 64},
		{"queue_packets", int64(c.QueuePackets), 16, 1 << 16},
	} {
		if field.value < field.from || field.value > field.to {
			errs = append(errs, fmt.Errorf("%s: %d is not %d to %d", field.name, field.value, field.from, field.to))
		}
	}
	if c.KeyframeInterval < 0 || c.KeyframeInterval > 10*time.Second {
		errs = append(errs, fmt.Errorf("keyframe_interval: %s is not 0s to 10s", c.KeyframeInterval))
	}
	if c.ReportInterval < time.Second || c.ReportInterval > 10*time.Minute {
		errs = append(errs, fmt.Errorf("report_interval: %s is not 1s to 10m", c.ReportInterval))
	}
	return errors.Join(append(errs, c.validateICEServers()...)...)
}

// validateICEServers reports the URLs and the account that can't work.
func (c Config) validateICEServers() (errs []error) {
	check := func(field, scheme string, urls []string) {
		for i, url := range urls {
			found, host, _ := strings.Cut(url, ":")
			if found != scheme && found != scheme+"s" {
				errs = append(errs, fmt.Errorf("%s[%d]: %q is not %s:host or %ss:host", field, i, url, scheme, scheme))
			} else if host == "" || strings.ContainsAny(host, " /@") {
				errs = append(errs, fmt.Errorf("%s[%d]: %q names no host", field, i, url))
			}
		}
	}
	check("stun_urls", "stun", c.STUNURLs)
	check("turn_urls", "turn", c.TURNURLs)
	if len(c.TURNURLs) > 0 && (c.TURN.Username == "" || c.TURN.Password == "") {
		errs = append(errs, errors.New("turn.password: TURN servers need turn.username and turn.password"))
	}
	return errs
}
