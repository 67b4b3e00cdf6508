package api

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/anteroom/anteroom/web"
)

// Whatever is answered, by whatever part, a browser can do nothing with it but what it is for.
func TestEveryAnswerIsHardened(t *testing.T) {
	s := start(t, func(_ *Config, d *Deps) {
		d.Mounts = map[string]Mount{
			"/": {Handler: web.Handler()}, "/join/": {Handler: web.Handler()}, "/assets/": {Handler: web.Handler()}, "/console/": {Handler: web.Handler()},
			"/panics": {Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("x") })},
			"/own":    {OwnRules: true, Handler: http.NotFoundHandler()},
		}
	})
	for _, path := range []string{
		"/", "/join/x", "/join/", "/assets/none.js", "/console/calls", "/healthz", "/readyz", "/metrics", "/openapi.json", "/v1/calls", "/v1/calls?x=y", "/v1/none", "/login",
		"/callback", "/login?org=nobody", "/panics", "/own", "/v1/session", "/communications/callRecords", "/%2e%2e/etc/passwd",
	} {
		for _, who := range []string{"", "admin@contoso"} {
			got := s.send(0, who, http.MethodGet, "", path, nil, "Accept", "text/html")
			for name, want := range map[string]string{
				"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY", "Cross-Origin-Opener-Policy": "same-origin",
				"Cross-Origin-Resource-Policy": "same-origin", "Content-Security-Policy": "frame-ancestors 'none'", "Permissions-Policy": "geolocation=()",
			} {
				if has := got.header.Values(name); len(has) != 1 || !strings.Contains(has[0], want) {
					t.Errorf("%s as %q (%d): %s is %q", path, who, got.status, name, has)
				}
			}
			if policy := got.header.Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none'") {
				t.Errorf("%s: %s", path, policy)
			}
			if sts := got.header.Get("Strict-Transport-Security"); sts != "" {
				t.Errorf("%s: by http a browser is told to come by https: %s", path, sts)
			}
		}
	}
}

// pairOf makes a certificate for localhost that signs itself, with a serial number.
func pairOf(t *testing.T, folder string, serial int64) (certificate *x509.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{"cert.pem": {Type: "CERTIFICATE", Bytes: der}, "key.pem": {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(filepath.Join(folder, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if certificate, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return certificate
}

// The service speaks https by itself, takes a new certificate while it runs, and goes on with the old one when the new one is no good.
func TestTheServiceSpeaksTLS(t *testing.T) {
	folder := t.TempDir()
	first := pairOf(t, folder, 1)
	s := start(t, func(c *Config, _ *Deps) {
		c.TLS = TLS{CertFile: filepath.Join(folder, "cert.pem"), KeyFile: filepath.Join(folder, "key.pem")}
	})
	address := strings.TrimPrefix(s.url, "http://")
	ask := func(trusted *x509.Certificate, path string) (*http.Response, error) {
		t.Helper()
		roots := x509.NewCertPool()
		roots.AddCert(trusted)
		client := browserless()
		client.Transport = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true, DisableKeepAlives: true}
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+address+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := client.Do(request)
		if err == nil {
			_, _ = io.Copy(io.Discard, response.Body)
			response.Body.Close()
		}
		return response, err
	}
	got, err := ask(first, "/login")
	if err != nil {
		t.Fatal(err)
	}
	if got.Header.Get("Strict-Transport-Security") != strictTransport || got.ProtoMajor != 2 {
		t.Errorf("%s %v", got.Proto, got.Header)
	}
	for _, c := range got.Cookies() {
		if !c.Secure || !strings.HasPrefix(c.Name, "__Host-") {
			t.Errorf("cookie %v", c)
		}
	}
	if conn, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}); err == nil { //nolint:gosec,noctx // that it is refused is the test
		conn.Close()
		t.Error("TLS 1.1 is spoken")
	}
	if plain, err := http.Get("http://" + address + "/healthz"); err == nil { //nolint:noctx // a test
		plain.Body.Close()
		if plain.StatusCode != http.StatusBadRequest {
			t.Errorf("http: %d", plain.StatusCode)
		}
	}

	if err := os.WriteFile(filepath.Join(folder, "cert.pem"), []byte("half of it"), 0o600); err != nil {
		t.Fatal(err)
	}
	until(t, "the bad certificate is seen", func() bool {
		_, err := ask(first, "/healthz") // The old one is used on.
		if err != nil {
			t.Fatal(err)
		}
		return strings.Contains(s.log.String(), "the new certificate can't be read")
	})
	second := pairOf(t, folder, 2)
	until(t, "the new certificate is used", func() bool {
		_, err := ask(second, "/healthz")
		return err == nil
	})
}

func TestTLSNeedsBothFiles(t *testing.T) {
	if err := (Config{TLS: TLS{CertFile: "x"}}).Validate(); err == nil || !strings.HasPrefix(err.Error(), "tls.cert_file: ") {
		t.Errorf("%v", err)
	}
	cfg := DefaultConfig()
	cfg.TLS = TLS{CertFile: filepath.Join(t.TempDir(), "none"), KeyFile: "none"}
	if _, err := newServer(cfg, Deps{Logger: slog.New(slog.DiscardHandler)}, nil); err == nil || !strings.Contains(err.Error(), "tls.cert_file") {
		t.Errorf("%v", err)
	}
}

// until waits for what happens by itself.
func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for !done() {
		select {
		case <-ctx.Done():
			t.Fatalf("%s: not within a minute", what)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// Connections that send their request a byte at a time, or nothing, are closed, and meanwhile keep nobody else out.
func TestSlowClientsAreClosed(t *testing.T) {
	s := start(t, nil)
	const many = 300
	conns := make([]net.Conn, many)
	for i := range conns {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(s.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		conns[i] = conn
		if _, err := io.WriteString(conn, "GET /v1/calls HTTP/1.1\r\nHost: localhost\r\nX-Slow: "); err != nil {
			t.Fatal(err)
		}
	}
	s.get(http.StatusOK, "/healthz", "")
	for i, conn := range conns {
		// No deadline here: a server that waits for ever makes the test hang, and fail by its own.
		if _, err := io.Copy(io.Discard, conn); err != nil && !strings.Contains(err.Error(), "reset") {
			t.Errorf("connection %d: %v", i, err)
		}
	}
}

// Headers and lines of a request are bounded.
func TestLongHeadersAreRefused(t *testing.T) {
	s := start(t, nil)
	for name, header := range map[string]string{"one": strings.Repeat("x", 128<<10), "a token": "Bearer " + strings.Repeat("e", 40<<10)} {
		got := s.send(0, "", http.MethodGet, "", "/v1/calls", nil, "Authorization", header)
		if got.status != http.StatusRequestHeaderFieldsTooLarge && got.status != http.StatusUnauthorized {
			t.Errorf("%s: %d", name, got.status)
		}
	}
}

// Who asks too often is told to wait, and nobody else is; so is an address that brings one bad token after the other.
func TestCallersArePaced(t *testing.T) {
	wait := func(t *testing.T, a answer) {
		t.Helper()
		seconds := 0
		if _, err := fmt.Sscan(a.header.Get("Retry-After"), &seconds); err != nil || seconds < 1 || seconds > 60 {
			t.Errorf("Retry-After %q", a.header.Get("Retry-After"))
		}
		if a.header.Get("Content-Type") != "application/problem+json" || !strings.Contains(string(a.body), "too_many_requests") {
			t.Errorf("%v %s", a.header, a.body)
		}
	}
	t.Run("requests", func(t *testing.T) {
		s := start(t, func(c *Config, _ *Deps) { c.RequestsPerMinute = 3 })
		const path = "/v1/session"
		for range 3 {
			s.send(200, "admin@contoso", http.MethodGet, path, path, nil)
		}
		wait(t, s.send(429, "admin@contoso", http.MethodGet, path, path, nil))
		s.send(200, "auditor@contoso", http.MethodGet, path, path, nil)
		s.send(200, "admin@fabrikam", http.MethodGet, path, path, nil)
		s.send(200, "", http.MethodGet, "/healthz", "/healthz", nil)
	})
	t.Run("tokens", func(t *testing.T) {
		s := start(t, func(c *Config, d *Deps) {
			c.AttemptsPerMinute = 3
			d.Mounts = map[string]Mount{"/agents": {OwnRules: true, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) })}}
		})
		const path = "/v1/session"
		bad := []string{"Authorization", "Bearer no.token.at-all"}
		s.send(401, "", http.MethodGet, path, path, nil, bad...)
		s.send(401, "", http.MethodGet, path, path, nil) // without one nothing was tried
		s.send(401, "", http.MethodGet, path, path, nil, "Authorization", "Basic YTpi")
		s.send(401, "", http.MethodGet, "", "/agents", nil, bad...)
		wait(t, s.send(429, "", http.MethodGet, path, path, nil, bad...))
		wait(t, s.send(429, "", http.MethodGet, "", "/agents", nil, bad...))
		wait(t, s.send(429, "admin@contoso", http.MethodGet, path, path, nil)) // whether a token is right isn't told
		wait(t, s.send(429, "", http.MethodGet, "/login", "/login", nil))
		s.send(200, "", http.MethodGet, "/readyz", "/readyz", nil)
	})
	t.Run("sign-ins", func(t *testing.T) {
		s := start(t, func(c *Config, _ *Deps) { c.AttemptsPerMinute = 2 })
		s.send(302, "", http.MethodGet, "/login", "/login", nil)
		s.send(401, "", http.MethodGet, "/callback", "/callback?code=x&state=y", nil)
		wait(t, s.send(429, "", http.MethodGet, "/callback", "/callback?code=x&state=y", nil))
		wait(t, s.send(429, "", http.MethodGet, "/login", "/login", nil))
	})
}
