package api

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"testing"
)

func TestClientsAddress(t *testing.T) {
	trusted := newProxies([]string{"10.0.0.0/8", "::1/128"})
	for _, test := range []struct {
		name, remote string
		forwarded    []string
		want         string
	}{
		{"no proxy", "192.0.2.7:1", nil, "192.0.2.7"},
		{"a header that nobody vouches for", "192.0.2.7:1", []string{"198.51.100.1"}, "192.0.2.7"},
		{"a proxy", "10.1.1.1:1", []string{"198.51.100.1"}, "198.51.100.1"},
		{"a proxy that says nothing", "10.1.1.1:1", nil, "10.1.1.1"},
		{"what the client wrote itself", "10.1.1.1:1", []string{"203.0.113.9, 198.51.100.1"}, "198.51.100.1"},
		{"two proxies", "[::1]:1", []string{"203.0.113.9, 198.51.100.1", "10.2.2.2"}, "198.51.100.1"},
		{"nonsense", "10.1.1.1:1", []string{"198.51.100.1, me"}, "10.1.1.1"},
		{"an IPv4 address written as IPv6", "[::ffff:10.1.1.1]:1", []string{"::ffff:198.51.100.1"}, "198.51.100.1"},
	} {
		r := &http.Request{RemoteAddr: test.remote, Header: http.Header{"X-Forwarded-For": test.forwarded}}
		if got := trusted.client(r); got != netip.MustParseAddr(test.want) {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
	}
	if err := (Config{TrustedProxies: []string{"10.0.0.0/8", "10.0.0.1"}}).Validate(); err == nil || !strings.HasPrefix(err.Error(), "trusted_proxies[1]: ") {
		t.Errorf("an address in place of a network: %v", err)
	}
}

// Behind a proxy each of its clients has a limit of its own; without trust in it, all are the proxy.
func TestLimitsBehindAProxy(t *testing.T) {
	const token = "/v1/join-page/token"
	for name, test := range map[string]struct {
		proxies []string
		other   int
	}{"trusted": {[]string{"127.0.0.0/8", "::1/128"}, 201}, "not trusted": {nil, 429}} {
		t.Run(name, func(t *testing.T) {
			s := start(t, func(c *Config, _ *Deps) { c.JoinPagePerMinute, c.TrustedProxies = 1, test.proxies })
			ask := func(status int, client string) {
				t.Helper()
				s.send(status, "", http.MethodPost, token, token, nil, "X-Forwarded-For", client)
			}
			ask(201, "192.0.2.1")
			ask(429, "192.0.2.1")
			ask(test.other, "192.0.2.2")
		})
	}
}

// A crowd of addresses frees nobody who is asking too often.
func TestManyAddressesResetNobody(t *testing.T) {
	l := newLimiter(1)
	often := netip.MustParseAddr("192.0.2.1")
	if !l.allow(often, "") {
		t.Fatal("the first request is refused")
	}
	for i := range 3 * maxRemembered {
		l.of(fmt.Sprint(i))
		// As often as the list is full and begins to forget, at the least.
		if i%(maxRemembered/2) == 0 && l.of(often.String()).Tokens() >= 0.9 {
			t.Fatalf("after %d other addresses the limit begins anew", i)
		}
	}
	if len(l.known) != maxRemembered || l.recent.Len() != maxRemembered {
		t.Errorf("%d and %d are remembered", len(l.known), l.recent.Len())
	}
}
