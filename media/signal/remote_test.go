package signal

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"github.com/anteroom/anteroom/identity"
	"github.com/anteroom/anteroom/media"
)

func remoteOfTests() media.Remote { return media.Remote{Addr: netip.MustParseAddr("192.0.2.1")} }

func serve(t *testing.T, h http.Handler) string {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server.URL
}

func TestRemote(t *testing.T) {
	signedIn := &identity.Principal{Org: "contoso"}
	h, err := New(Config{Origins: []string{"https://meet.example.org"}, TrustedProxies: []string{"10.0.0.0/8", "::1/128"}}, Deps{
		Session: func(*http.Request) *identity.Principal { return signedIn },
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, peer, origin string
		forwarded          []string
		addr, wantOrigin   string
		session            bool
	}{
		{name: "direct", peer: "192.0.2.1:7", addr: "192.0.2.1", session: true},
		{name: "direct, with a header of its own making", peer: "192.0.2.1:7", forwarded: []string{"198.51.100.1"}, addr: "192.0.2.1", session: true},
		{name: "proxy", peer: "10.0.0.1:7", forwarded: []string{"198.51.100.1"}, addr: "198.51.100.1", session: true},
		{name: "two proxies", peer: "10.0.0.1:7", forwarded: []string{"203.0.113.9, 198.51.100.1, 10.0.0.2"}, addr: "198.51.100.1", session: true},
		{name: "two headers", peer: "[::1]:7", forwarded: []string{"203.0.113.9", "198.51.100.1"}, addr: "198.51.100.1", session: true},
		{name: "proxy that says nonsense", peer: "10.0.0.1:7", forwarded: []string{"unknown"}, addr: "10.0.0.1", session: true},
		{name: "our own page", peer: "192.0.2.1:7", origin: "http://example.com", addr: "192.0.2.1", session: true},
		{name: "our own page behind a proxy", peer: "192.0.2.1:7", origin: "https://meet.example.org", addr: "192.0.2.1", session: true},
		{name: "another page", peer: "192.0.2.1:7", origin: "https://evil.example", addr: "192.0.2.1", wantOrigin: "https://evil.example"},
		{name: "a page that looks like ours", peer: "192.0.2.1:7", origin: "https://meet.example.org.evil.example", addr: "192.0.2.1", wantOrigin: "https://meet.example.org.evil.example"},
		{name: "no page that says whose", peer: "192.0.2.1:7", origin: "null", addr: "192.0.2.1", wantOrigin: "null"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, "http://example.com/v1/connect", nil)
			r.RemoteAddr = c.peer
			for _, v := range c.forwarded {
				r.Header.Add("X-Forwarded-For", v)
			}
			if c.origin != "" {
				r.Header.Set("Origin", c.origin)
			}
			got, err := h.remote(r)
			if err != nil {
				t.Fatal(err)
			}
			if got.Addr != netip.MustParseAddr(c.addr) || got.Origin != c.wantOrigin || (got.Session != nil) != c.session {
				t.Errorf("remote %+v", got)
			}
		})
	}
	r := httptest.NewRequest(http.MethodGet, "http://example.com/v1/connect", nil)
	r.Header.Set("Origin", "nonsense")
	if _, err := h.remote(r); err == nil {
		t.Error("an origin that isn't one is taken")
	}
}
