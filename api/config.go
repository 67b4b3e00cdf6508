package api

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/anteroom/anteroom/store"
)

// Config says where and how the API is served. A field that is zero has its default.
type Config struct {
	// Listen is the host:port to listen on: a loopback address, or a name of one; another address only where the development issuer is off.
	// Port 0 takes a free one. Default 127.0.0.1:8480.
	Listen string `koanf:"listen"`
	// PublicURL is the address by which users reach the service, such as https://meet.example.org: links, sign-in and cookies go by it, and
	// its host is allowed. Default: http and whatever allowed host a request names.
	PublicURL string `koanf:"public_url"`
	// JoinPagePerMinute is how many tokens of the join page, and how many looks at a link, one address gets a minute. Default 120.
	JoinPagePerMinute int `koanf:"join_page_per_minute"`
	// GuestCallsPerMinute is how many calls the guests of one resource may start a minute. Default 120.
	GuestCallsPerMinute int `koanf:"guest_calls_per_minute"`
	// RequestsPerMinute is how many requests one caller (a user, a resource; by address who is in a meeting) may make a minute. Default 6000.
	RequestsPerMinute int `koanf:"requests_per_minute"`
	// AttemptsPerMinute is how many sign-ins one address may begin or end a minute, together with requests whose token is refused.
	// Default 300.
	AttemptsPerMinute int `koanf:"attempts_per_minute"`
	// TLS is the service's own certificate. Default: http, for loopback or a proxy in front.
	TLS TLS `koanf:"tls"`
	// TrustedProxies are networks ("10.0.0.0/8") whose X-Forwarded-For header is believed: by it the limits per address tell callers apart. Default
	// none.
	TrustedProxies []string `koanf:"trusted_proxies"`
	// AllowedHosts are names that requests may address the service by (the Host header), besides loopback addresses and "localhost";
	// for a proxy in front. Default none.
	AllowedHosts []string `koanf:"allowed_hosts"`
	// MaxImportBytes is the largest file that can be imported, at most maxImportBytes. Default 256 MiB.
	MaxImportBytes int64 `koanf:"max_import_bytes"`
	// ImportTimeout bounds one import, the upload included. Default 15m.
	ImportTimeout time.Duration `koanf:"import_timeout"`
	// MaxImports is how many imports run at once; more wait. Default 2.
	MaxImports int `koanf:"max_imports"`
	// StopTimeout is how long requests may go on after the service was told to stop. Default 3s.
	StopTimeout time.Duration `koanf:"stop_timeout"`
	// Query bounds each query.
	Query store.QueryLimits `koanf:"query"`
}

// maxImportBytes is what the decoders read at most: a larger limit would have no effect.
const maxImportBytes = 256 << 20

// DefaultConfig returns the configuration that holds unless set.
func DefaultConfig() Config {
	return Config{
		Listen:         "127.0.0.1:8480",
		MaxImportBytes: maxImportBytes,
		ImportTimeout:  15 * time.Minute,
		MaxImports:     2,
		StopTimeout:    3 * time.Second,
		Query:          store.DefaultQueryLimits(),

		JoinPagePerMinute:   120,
		GuestCallsPerMinute: 120,
		RequestsPerMinute:   6000,
		AttemptsPerMinute:   300,
	}
}

// withDefaults fills what is zero.
func (c Config) withDefaults() Config {
	standard := DefaultConfig()
	if c.Listen == "" {
		c.Listen = standard.Listen
	}
	if c.JoinPagePerMinute == 0 {
		c.JoinPagePerMinute = standard.JoinPagePerMinute
	}
	if c.GuestCallsPerMinute == 0 {
		c.GuestCallsPerMinute = standard.GuestCallsPerMinute
	}
	if c.RequestsPerMinute == 0 {
		c.RequestsPerMinute = standard.RequestsPerMinute
	}
	if c.AttemptsPerMinute == 0 {
		c.AttemptsPerMinute = standard.AttemptsPerMinute
	}
	if c.MaxImportBytes == 0 {
		c.MaxImportBytes = standard.MaxImportBytes
	}
	if c.ImportTimeout == 0 {
		c.ImportTimeout = standard.ImportTimeout
	}
	if c.MaxImports == 0 {
		c.MaxImports = standard.MaxImports
	}
	if c.StopTimeout == 0 {
		c.StopTimeout = standard.StopTimeout
	}
	if c.Query.Timeout == 0 {
		c.Query.Timeout = standard.Query.Timeout
	}
	if c.Query.MaxMemoryBytes == 0 {
		c.Query.MaxMemoryBytes = standard.Query.MaxMemoryBytes
	}
	return c
}

// Validate reports each field that can't work, by its name in the configuration file. Whether Listen may be an address that other machines
// reach depends on identity: New says so. A host name in Listen is looked up by Run only.
func (c Config) Validate() error {
	c = c.withDefaults()
	var errs []error
	if _, _, err := splitListen(c.Listen); err != nil {
		errs = append(errs, err)
	}
	if err := checkPublicURL(c.PublicURL); err != nil {
		errs = append(errs, err)
	}
	for i, host := range c.AllowedHosts {
		if host == "" || strings.ContainsAny(host, "/:@ ") {
			errs = append(errs, fmt.Errorf("allowed_hosts[%d]: %q is not a host name without port", i, host))
		}
	}
	for i, network := range c.TrustedProxies {
		if _, err := netip.ParsePrefix(network); err != nil {
			errs = append(errs, fmt.Errorf("trusted_proxies[%d]: %q is not a network such as 10.0.0.0/8", i, network))
		}
	}
	for field, value := range map[string]int64{
		"max_import_bytes": c.MaxImportBytes, "import_timeout": int64(c.ImportTimeout), "max_imports": int64(c.MaxImports),
		"join_page_per_minute": int64(c.JoinPagePerMinute), "guest_calls_per_minute": int64(c.GuestCallsPerMinute),
		"requests_per_minute": int64(c.RequestsPerMinute), "attempts_per_minute": int64(c.AttemptsPerMinute),
		"stop_timeout": int64(c.StopTimeout), "query.timeout": int64(c.Query.Timeout),
	} {
		if value < 0 {
			errs = append(errs, fmt.Errorf("%s: is negative", field))
		}
	}
	if err := c.TLS.validate(); err != nil {
		errs = append(errs, err)
	}
	if c.MaxImportBytes > maxImportBytes {
		errs = append(errs, fmt.Errorf("max_import_bytes: %d is above %d (256 MiB), the most that can be read of one file", c.MaxImportBytes, maxImportBytes))
	}
	return errors.Join(errs...)
}

// checkPublicURL wants scheme and host only: the service answers at the root.
func checkPublicURL(text string) error {
	if text == "" {
		return nil
	}
	u, err := url.Parse(text)
	if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Hostname() == "" || u.User != nil || strings.TrimSuffix(text, "/") != u.Scheme+"://"+u.Host {
		return fmt.Errorf("public_url: %q is not an address such as https://meet.example.org, without a path", text)
	}
	return nil
}

// ErrNotLoopback: the address to listen on can be reached from other machines.
var ErrNotLoopback = errors.New("can be reached from other machines, and the service can't tell for sure who is asking: " +
	"identity is not set up, or its development issuer believes anybody; use a loopback address such as 127.0.0.1:8480")

// ValidateLoopback refuses an address that other machines can reach, for a service that can't tell for sure who is asking. A host name is looked
// up by Listen only.
func (c Config) ValidateLoopback() error {
	listen := c.withDefaults().Listen
	host, _, err := splitListen(listen)
	if err != nil {
		return nil //nolint:nilerr // Validate says what is wrong with it
	}
	return loopbackOnly(listen, host)
}

// splitListen splits host:port. A name comes back as it is.
func splitListen(listen string) (host string, port uint16, err error) {
	host, portText, err := net.SplitHostPort(listen)
	if err != nil {
		return "", 0, fmt.Errorf("listen: %q is not host:port", listen)
	}
	number, err := strconv.ParseUint(portText, 10, 16)
	if err != nil {
		return "", 0, fmt.Errorf("listen: %q has no port from 0 to 65535", listen)
	}
	return host, uint16(number), nil
}

// loopbackOnly refuses a host that is not loopback as it stands; a name is for resolveListen.
func loopbackOnly(listen, host string) error {
	address, err := netip.ParseAddr(host)
	if host == "" || (err == nil && !address.Unmap().IsLoopback()) {
		return fmt.Errorf("listen: %q %w", listen, ErrNotLoopback)
	}
	return nil
}

// resolveListen is the address to bind: the one that was checked, so that a name can't come to mean another in between.
func resolveListen(ctx context.Context, listen string, remote bool) (netip.AddrPort, error) {
	host, port, err := splitListen(listen)
	if err != nil {
		return netip.AddrPort{}, err
	}
	if !remote {
		if err := loopbackOnly(listen, host); err != nil {
			return netip.AddrPort{}, err
		}
	}
	if host == "" {
		return netip.AddrPortFrom(netip.IPv6Unspecified(), port), nil
	}
	if address, err := netip.ParseAddr(host); err == nil {
		return netip.AddrPortFrom(address.Unmap(), port), nil
	}
	addresses, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("listen: look up %q: %w", host, err)
	}
	for _, address := range addresses {
		if !remote && !address.Unmap().IsLoopback() {
			return netip.AddrPort{}, fmt.Errorf("listen: %q %w", listen, ErrNotLoopback)
		}
	}
	for _, address := range addresses {
		if address.Unmap().Is4() {
			return netip.AddrPortFrom(address.Unmap(), port), nil
		}
	}
	if len(addresses) == 0 {
		return netip.AddrPort{}, fmt.Errorf("listen: %q has no address", host)
	}
	return netip.AddrPortFrom(addresses[0], port), nil
}
