package identity

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"time"
)

// Config says which tokens are believed. A field that is zero has its default.
type Config struct {
	// GuestAudience is the audience ("aud") that tokens signed by resources' key sets must have. Default "anteroom".
	GuestAudience string `koanf:"guest_audience"`
	// MaxGuestLifetime bounds exp minus iat of guests' tokens. Default 10m, at most 24h.
	MaxGuestLifetime time.Duration `koanf:"max_guest_lifetime"`
	// ClockSkew is how far an issuer's clock may be off, either way. Default 60s, at most 5m.
	ClockSkew time.Duration `koanf:"clock_skew"`
	// StateFolder keeps the journal of used guests' tokens, and the master key if none is configured. Required.
	StateFolder string `koanf:"state_folder"`
	// Master is what the service's own keys are derived from; the same on all nodes. Another one makes meeting links, sessions and resume
	// tokens void.
	Master MasterKey `koanf:"master"`
	// OperatorIssuer signs in those who run the installation. Default none.
	OperatorIssuer OperatorIssuer `koanf:"operator_issuer"`
	// DevelopmentIssuer is the URL of the built-in issuer, on loopback; it signs in users of organisations without an issuer, and operators.
	// Default none: there is no such issuer.
	DevelopmentIssuer string `koanf:"development_issuer"`
	// IssuerTimeout bounds one fetch of an issuer's metadata and keys, or one exchange of a code. Default 5s.
	IssuerTimeout time.Duration `koanf:"issuer_timeout"`
	// SessionIdle ends a browser session that is not used. Default 30m.
	SessionIdle time.Duration `koanf:"session_idle"`
	// SessionMax ends a browser session in any case. Default 8h.
	SessionMax time.Duration `koanf:"session_max"`
	// MaxRemembered bounds how many used guests' tokens are remembered at once, a quarter of them of one resource; above, joins are refused
	// until older tokens have expired. About 100 bytes of memory each. Default 1000000.
	MaxRemembered int `koanf:"max_remembered"`
}

// MasterKey is given as text or as a file.
type MasterKey struct {
	// Key is 32 random bytes in base64 (any variant). Default: File.
	Key string `koanf:"key"`
	// File holds the same, with mode 0600. Default: the file "master.key" of the state folder, made when missing.
	File string `koanf:"file"`
}

// OperatorIssuer is the OpenID provider of those who run the installation.
type OperatorIssuer struct {
	// URL is the issuer identifier, https (http on loopback only). Default none.
	URL string `koanf:"url"`
	// ClientID is this service's client there; the audience that tokens must have.
	ClientID string `koanf:"client_id"`
	// RoleClaim names the claim that must list "operator". Default "roles".
	RoleClaim string `koanf:"role_claim"`
}

// DevelopmentClient is this service's client id at the development issuer.
const DevelopmentClient = "anteroom"

// masterKeyBytes is the length of the master key.
const masterKeyBytes = 32

// DefaultConfig returns the configuration that holds unless set.
func DefaultConfig() Config {
	return Config{
		GuestAudience:    "anteroom",
		MaxGuestLifetime: 10 * time.Minute,
		ClockSkew:        time.Minute,
		IssuerTimeout:    5 * time.Second,
		SessionIdle:      30 * time.Minute,
		SessionMax:       8 * time.Hour,
		MaxRemembered:    1_000_000,
	}
}

// withDefaults fills what is zero.
func (c Config) withDefaults() Config {
	standard := DefaultConfig()
	if c.GuestAudience == "" {
		c.GuestAudience = standard.GuestAudience
	}
	for _, field := range []struct{ value, standard *time.Duration }{
		{&c.MaxGuestLifetime, &standard.MaxGuestLifetime},
		{&c.ClockSkew, &standard.ClockSkew},
		{&c.IssuerTimeout, &standard.IssuerTimeout},
		{&c.SessionIdle, &standard.SessionIdle},
		{&c.SessionMax, &standard.SessionMax},
	} {
		if *field.value == 0 {
			*field.value = *field.standard
		}
	}
	if c.MaxRemembered == 0 {
		c.MaxRemembered = standard.MaxRemembered
	}
	if c.OperatorIssuer.RoleClaim == "" {
		c.OperatorIssuer.RoleClaim = defaultRoleClaim
	}
	return c
}

// Validate reports each field that can't work, by its name in the configuration file. It opens no file: StateFolder may still be filled in.
func (c Config) Validate() error {
	c = c.withDefaults()
	var errs []error
	for _, bound := range []struct {
		field      string
		value, max time.Duration
	}{
		{"max_guest_lifetime", c.MaxGuestLifetime, 24 * time.Hour},
		{"clock_skew", c.ClockSkew, 5 * time.Minute},
		{"issuer_timeout", c.IssuerTimeout, time.Minute},
		{"session_idle", c.SessionIdle, c.SessionMax},
		{"session_max", c.SessionMax, 7 * 24 * time.Hour},
	} {
		if bound.value < 0 || bound.value > bound.max {
			errs = append(errs, fmt.Errorf("%s: %s is not between 0 and %s", bound.field, bound.value, bound.max))
		}
	}
	if c.MaxRemembered < 4 {
		errs = append(errs, fmt.Errorf("max_remembered: %d is below 4", c.MaxRemembered))
	}
	if c.Master.Key != "" {
		if c.Master.File != "" {
			errs = append(errs, errors.New("master.key: and master.file are both set; set one of them"))
		}
		if _, err := decodeMasterKey(c.Master.Key); err != nil {
			errs = append(errs, fmt.Errorf("master.key: %w", err))
		}
	}
	return errors.Join(append(errs, c.validateIssuers()...)...)
}

func (c Config) validateIssuers() []error {
	var errs []error
	if c.OperatorIssuer.URL != "" {
		if err := CheckIssuerURL(c.OperatorIssuer.URL); err != nil {
			errs = append(errs, fmt.Errorf("operator_issuer.url: %w", err))
		}
		if c.OperatorIssuer.ClientID == "" {
			errs = append(errs, errors.New("operator_issuer.client_id: is missing; it is the audience that operators' tokens must have"))
		}
	}
	if c.DevelopmentIssuer == "" {
		return errs
	}
	issuer, err := url.Parse(c.DevelopmentIssuer)
	if err != nil || CheckIssuerURL(c.DevelopmentIssuer) != nil || !loopbackHost(issuer.Hostname()) {
		errs = append(errs, fmt.Errorf("development_issuer: %q is not a URL on loopback, and it believes whatever is typed into it", c.DevelopmentIssuer))
	}
	if c.DevelopmentIssuer == c.OperatorIssuer.URL {
		errs = append(errs, errors.New("development_issuer: is the operator's issuer too; leave one of them out"))
	}
	return errs
}

// CheckIssuerURL tells whether an issuer identifier can be used: absolute, https (http on loopback only), with neither query, fragment nor user.
func CheckIssuerURL(issuer string) error {
	parsed, err := url.Parse(issuer)
	switch {
	case err != nil || parsed.Host == "" || parsed.Hostname() == "":
		return fmt.Errorf("%q is not an absolute URL", issuer)
	case parsed.RawQuery != "" || parsed.Fragment != "" || parsed.User != nil:
		return errors.New("has a query, a fragment or a user; an issuer identifier has none")
	case parsed.Scheme == "https", parsed.Scheme == "http" && loopbackHost(parsed.Hostname()):
		return nil
	default:
		return fmt.Errorf("%q is not https; http is for loopback only", issuer)
	}
}

// loopbackHost tells whether a host of a URL, without port, is this machine whatever a name server says.
func loopbackHost(host string) bool {
	if host == "localhost" {
		return true
	}
	address, err := netip.ParseAddr(host)
	return err == nil && address.Unmap().IsLoopback()
}

// decodeMasterKey reads 32 bytes of base64 of any variant.
func decodeMasterKey(text string) ([]byte, error) {
	for _, encoding := range []*base64.Encoding{base64.RawURLEncoding, base64.URLEncoding, base64.StdEncoding, base64.RawStdEncoding} {
		if key, err := encoding.DecodeString(text); err == nil && len(key) == masterKeyBytes {
			return key, nil
		}
	}
	return nil, fmt.Errorf("is not %d bytes of base64; `openssl rand -base64 %d` makes one", masterKeyBytes, masterKeyBytes)
}
