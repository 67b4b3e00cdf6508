package directory

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/anteroom/anteroom/policy"
)

// Limits of what the directory takes. They keep one row small: every node holds all rows in memory.
const (
	MaxNameLen       = 256
	MaxIDLen         = 128
	MaxURLLen        = 2048
	MaxListLen       = 1000
	MaxAttributes    = 64
	MaxKeySetBytes   = 32 << 10
	MaxKeys          = 20
	MaxOrigins       = 100
	MaxWebhooks      = 10
	MaxWebhookEvents = 50
	// MinWebhookSecretLen and MaxWebhookSecretLen bound the secret that signs deliveries.
	MinWebhookSecretLen = 16
	MaxWebhookSecretLen = 256
)

// FieldError is one value that can't be kept.
type FieldError struct {
	// Field by its name in JSON, with the path to it: "settings.lobby_bypass", "webhooks[0].url".
	Field string
	// Reason completes the sentence "<field> …"; it never quotes the value.
	Reason string
}

func (e *FieldError) Error() string { return e.Field + " " + e.Reason }

// Fields lists the field errors in an error, in the order in which they were found.
func Fields(err error) []*FieldError {
	switch e := err.(type) { //nolint:errorlint // the tree is walked by hand: errors.As stops at the first
	case *FieldError:
		return []*FieldError{e}
	case interface{ Unwrap() []error }:
		var out []*FieldError
		for _, one := range e.Unwrap() {
			out = append(out, Fields(one)...)
		}
		return out
	case interface{ Unwrap() error }:
		return Fields(e.Unwrap())
	}
	return nil
}

// check gathers field errors.
type check struct{ errs []error }

func (c *check) fail(field, reason string, args ...any) {
	c.errs = append(c.errs, &FieldError{Field: field, Reason: fmt.Sprintf(reason, args...)})
}

func (c *check) err() error { return errors.Join(c.errs...) }

// text wants what a person can read on one line, of at most MaxNameLen characters.
func (c *check) text(field, s string, required bool) {
	switch {
	case s == "" && required:
		c.fail(field, "is missing")
	case !utf8.ValidString(s):
		c.fail(field, "is not UTF-8")
	case utf8.RuneCountInString(s) > MaxNameLen:
		c.fail(field, "has more than %d characters", MaxNameLen)
	case strings.TrimSpace(s) == "" && s != "":
		c.fail(field, "has nothing but spaces")
	case s != "" && !visible(s):
		c.fail(field, "has nothing that can be seen")
	case stacked(s):
		c.fail(field, "has more than %d combining marks on one character", maxMarks)
	case strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) || bidi(r) }):
		c.fail(field, "has a control or bidi-override character")
	}
}

// maxMarks is how many combining marks may stand on one character: scripts use up to four; more is made to cover other lines.
const maxMarks = 8

func stacked(s string) bool {
	marks := 0
	for _, r := range s {
		if !unicode.Is(unicode.Mn, r) && !unicode.Is(unicode.Me, r) {
			marks = 0
		} else if marks++; marks > maxMarks {
			return true
		}
	}
	return false
}

// visible tells whether something of a text is drawn.
func visible(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool {
		filler := r == 0x115F || r == 0x1160 || r == 0x3164 || r == 0xFFA0 || r == 0x2800 // drawn as nothing, though letters or symbols
		return !filler && (unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.IsPunct(r) || unicode.IsSymbol(r))
	})
}

// bidi tells the characters that turn the direction of what follows: they make a text look like another.
func bidi(r rune) bool {
	return r == 0x200E || r == 0x200F || r == 0x061C || (r >= 0x202A && r <= 0x202E) || (r >= 0x2066 && r <= 0x2069)
}

// id wants an id that somebody else gave: 1 to 128 printable characters without spaces at the ends.
func (c *check) id(field, s string) {
	switch {
	case s == "":
		c.fail(field, "is missing")
	case !utf8.ValidString(s) || len(s) > MaxIDLen:
		c.fail(field, "must be text of at most %d bytes", MaxIDLen)
	case strings.TrimSpace(s) != s || strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) || bidi(r) }):
		c.fail(field, "has a character that an id can't have")
	}
}

// ids wants a list of different ids.
func (c *check) ids(field string, list []string) {
	if len(list) > MaxListLen {
		c.fail(field, "has more than %d entries", MaxListLen)
		return
	}
	seen := make(map[string]bool, len(list))
	for i, s := range list {
		at := fmt.Sprintf("%s[%d]", field, i)
		c.id(at, s)
		if seen[s] {
			c.fail(at, "is in the list already")
		}
		seen[s] = true
	}
}

func (c *check) oneOf(field, s string, allowed ...string) {
	if !slices.Contains(allowed, s) {
		c.fail(field, "must be one of %s", strings.Join(allowed, ", "))
	}
}

// bypass wants one of policy's; "" inherits, where that is possible.
func (c *check) bypass(field, s string, inherits bool) {
	if s == "" && inherits {
		return
	}
	c.oneOf(field, s, string(policy.BypassEveryone), string(policy.BypassOrgUsers), string(policy.BypassInvited), string(policy.BypassOrganizers))
}

// capabilities wants names of policy's closed set, each once.
func (c *check) capabilities(field string, list []string) {
	known := policy.Capabilities()
	for i, name := range list {
		at := fmt.Sprintf("%s[%d]", field, i)
		if !slices.Contains(known, policy.Capability(name)) {
			c.fail(at, "is not the name of a capability")
		}
		if slices.Index(list, name) != i {
			c.fail(at, "is in the list already")
		}
	}
}

// url wants https, or http to this machine itself, without user or fragment.
func (c *check) url(field, s string, httpAnywhere bool) {
	if s == "" {
		c.fail(field, "is missing")
		return
	}
	u, err := url.Parse(s)
	switch {
	case len(s) > MaxURLLen:
		c.fail(field, "has more than %d bytes", MaxURLLen)
	case err != nil || u.Host == "" || u.Hostname() == "" || u.Opaque != "":
		c.fail(field, "must be an address such as https://example.org/path")
	case u.User != nil:
		c.fail(field, "has a user or password in it")
	case u.Fragment != "" || strings.HasSuffix(s, "#"):
		c.fail(field, "has a fragment")
	case u.Scheme == "https", u.Scheme == "http" && (httpAnywhere || loopback(u.Hostname())):
	default:
		c.fail(field, "must begin with https:// (http:// is for addresses of this machine only)")
	}
}

// origin wants what a browser sends as Origin: scheme, host and port, nothing more.
func (c *check) origin(field, s string) {
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Host == "" || len(s) > MaxURLLen || s != u.Scheme+"://"+u.Host || strings.ToLower(s) != s:
		c.fail(field, "must be a web origin such as https://app.example.org, in lower case and without path")
	case u.Scheme == "https", u.Scheme == "http" && loopback(u.Hostname()):
	default:
		c.fail(field, "must begin with https:// (http:// is for addresses of this machine only)")
	}
}

func loopback(host string) bool {
	address, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || (err == nil && address.Unmap().IsLoopback())
}
