package api

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/anteroom/anteroom/identity"
)

// browser is a client with cookies that follows no redirects.
func browser(t *testing.T) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// visit asks with a browser; form is posted unless nil.
func visit(t *testing.T, b *http.Client, address string, form url.Values) (*http.Response, string) {
	t.Helper()
	method, body := http.MethodGet, io.Reader(http.NoBody)
	if form != nil {
		method, body = http.MethodPost, strings.NewReader(form.Encode())
	}
	request, err := http.NewRequestWithContext(t.Context(), method, address, body)
	if err != nil {
		t.Fatal(err)
	}
	if form != nil {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	response, err := b.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(text)
}

// signIn signs ada in as an auditor of contoso, and answers with what the callback said.
func (s *service) signIn(b *http.Client, returnTo string) *http.Response {
	s.t.Helper()
	t := s.t
	begun, text := visit(t, b, s.url+"/login?return_to="+url.QueryEscape(returnTo), nil)
	if begun.StatusCode != http.StatusFound {
		t.Fatalf("login: %d %s", begun.StatusCode, text)
	}
	// The development issuer's page: its form carries the request on.
	_, page := visit(t, b, begun.Header.Get("Location"), nil)
	form := url.Values{"organization": {"contoso"}, "user": {"ada"}, "name": {"Ada Lovelace"}, "role": {"auditor"}}
	for _, field := range regexp.MustCompile(`<input type="hidden" name="([^"]+)" value="([^"]*)"`).FindAllStringSubmatch(page, -1) {
		form.Set(field[1], field[2])
	}
	at, err := url.Parse(begun.Header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	at.RawQuery = ""
	chosen, text := visit(t, b, at.String(), form)
	back := chosen.Header.Get("Location")
	if !strings.HasPrefix(back, publicURL+"/callback?") {
		t.Fatalf("chosen: %d %s %s", chosen.StatusCode, back, text)
	}
	done, text := visit(t, b, s.url+strings.TrimPrefix(back, publicURL), nil)
	if done.StatusCode != http.StatusFound {
		t.Fatalf("callback: %d %s", done.StatusCode, text)
	}
	return done
}

func TestSignInWithABrowser(t *testing.T) {
	s := start(t, func(c *Config, _ *Deps) { c.PublicURL = publicURL })
	b := browser(t)
	done := s.signIn(b, "/calls?x=1")
	if done.Header.Get("Location") != "/calls?x=1" {
		t.Errorf("callback: %s", done.Header.Get("Location"))
	}
	for _, c := range done.Cookies() {
		if !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Secure || c.Domain != "" {
			t.Errorf("cookie %+v", c)
		}
	}
	if got, text := visit(t, b, s.url+"/v1/session", nil); got.StatusCode != http.StatusOK || !strings.Contains(text, `"subject":"ada"`) || !strings.Contains(text, `"organization":"contoso"`) {
		t.Errorf("session: %d %s", got.StatusCode, text)
	}
	if got, text := visit(t, b, s.url+"/v1/calls", nil); got.StatusCode != http.StatusOK {
		t.Errorf("calls by cookie: %d %s", got.StatusCode, text)
	}
	if got, _ := visit(t, b, s.url+"/v1/organizations/fabrikam", nil); got.StatusCode != http.StatusForbidden {
		t.Errorf("another organisation by cookie: %d", got.StatusCode)
	}
	if got, text := visit(t, b, done.Request.URL.String(), nil); got.StatusCode != http.StatusUnauthorized {
		t.Errorf("the callback again: %d %s", got.StatusCode, text)
	}
	if got, _ := visit(t, b, s.url+"/logout", url.Values{}); got.StatusCode != http.StatusNoContent {
		t.Errorf("logout: %d", got.StatusCode)
	}
	if got, _ := visit(t, b, s.url+"/v1/session", nil); got.StatusCode != http.StatusUnauthorized {
		t.Errorf("session after logout: %d", got.StatusCode)
	}
	if log := s.log.String(); strings.Contains(log, "code=") || strings.Contains(log, "Ada") {
		t.Error("the log has something of the login")
	}
	if got, _ := visit(t, b, s.url+"/login?org=nobody", nil); got.StatusCode != http.StatusNotFound {
		t.Errorf("login at nobody's: %d", got.StatusCode)
	}
}

// A person in front of a browser reads what went wrong; a program gets the problem.
func TestSigningInThatFailsIsAPage(t *testing.T) {
	s := start(t, nil)
	const accept = "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"
	for _, test := range []struct {
		pattern, query, accept string
		status                 int
		html                   bool
		words                  string
	}{
		{"/callback", "?code=x&state=y", accept, 401, true, "login_expired"},
		{"/callback", "?error=access_denied&error_description=%3Cscript%3Ealert(1)%3C/script%3E", accept, 401, true, "/login"},
		{"/login", "?org=nobody", accept, 404, true, "no_issuer"},
		{"/login", "?org=%3Cscript%3E", accept, 400, true, "invalid_parameter"},
		{"/callback", "?%3Cscript%3E=1", accept, 400, true, "unknown_parameter"},
		{"/callback", "?code=x&state=y", "application/json", 401, false, "login_expired"},
		{"/callback", "?code=x&state=y", "", 401, false, "login_expired"},
		{"/login", "?org=nobody", "*/*", 404, false, "no_issuer"},
		{"/v1/session", "", accept, 401, false, "token_missing"},
	} {
		got := s.send(test.status, "", http.MethodGet, test.pattern, test.pattern+test.query, nil, "Accept", test.accept)
		kind, body := got.header.Get("Content-Type"), string(got.body)
		if html := strings.HasPrefix(kind, "text/html"); html != test.html || !strings.Contains(body, test.words) {
			t.Errorf("%s%s accepting %q: %s %s", test.pattern, test.query, test.accept, kind, body)
		}
		if strings.Contains(body, "<script") {
			t.Errorf("%s%s: the page has what was sent: %s", test.pattern, test.query, body)
		}
		if csp := got.header.Get("Content-Security-Policy"); test.html && !strings.HasPrefix(csp, "default-src 'none'") {
			t.Errorf("%s: policy %q", test.pattern, csp)
		}
	}
}

func TestCookiesOverHTTPSAreBoundToTheHost(t *testing.T) {
	s := start(t, func(c *Config, _ *Deps) { c.PublicURL = "https://meet.example" })
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/login", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Host = "meet.example"
	got := s.do(request, "")
	cookies, err := http.ParseSetCookie(got.header.Get("Set-Cookie"))
	if err != nil || cookies.Name != "__Host-"+identity.LoginCookie || !cookies.Secure || !cookies.HttpOnly {
		t.Errorf("%d: cookie %v, %v", got.status, cookies, err)
	}
}

func TestMounts(t *testing.T) {
	says := func(what string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = fmt.Fprint(w, what, " ", r.URL.Path) })
	}
	s := start(t, func(_ *Config, d *Deps) {
		d.Mounts = map[string]Mount{
			"/join/": {Handler: says("join")}, "/dev/issuer/": {Handler: says("issuer")},
			"/panics/": {Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("secret") })},
			"/v1/connect": {OwnRules: true, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				conn, _, err := http.NewResponseController(w).Hijack()
				if err != nil {
					t.Errorf("take the connection over: %v", err)
					return
				}
				defer conn.Close()
				_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\nhello")
			})},
		}
	})
	for path, want := range map[string]string{"/join/canary": "join /join/canary", "/dev/issuer/.well-known/x": "issuer /dev/issuer/.well-known/x"} {
		if got := s.send(200, "", http.MethodGet, "", path, nil); string(got.body) != want || got.header.Get("Referrer-Policy") != "no-referrer" {
			t.Errorf("%s: %s %v", path, got.body, got.header)
		}
	}
	s.send(404, "", http.MethodGet, "", "/joint", nil)
	s.send(404, "", http.MethodGet, "", "/v1/connect/more", nil)
	if got := s.send(500, "", http.MethodGet, "", "/panics/x", nil); strings.Contains(string(got.body), "secret") {
		t.Errorf("%s", got.body)
	}
	s.send(403, "", http.MethodPost, "", "/dev/issuer/login", nil, "Origin", "https://evil.example")
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/join/canary", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Host = "evil.example"
	if got := s.do(request, ""); got.status != http.StatusMisdirectedRequest {
		t.Errorf("another host: %d", got.status)
	}
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, err = io.WriteString(conn, "GET /v1/connect HTTP/1.1\r\nHost: localhost\r\nOrigin: https://elsewhere.example\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
	if err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(conn); err != nil || !strings.HasPrefix(string(text), "HTTP/1.1 101") || !strings.HasSuffix(string(text), "hello") {
		t.Errorf("signalling: %q %v", text, err)
	}
	if log := s.log.String(); strings.Contains(log, "canary") || !strings.Contains(log, `"route":"/join/"`) {
		t.Errorf("log: %s", log)
	}
}

func TestOtherMachinesOnlyWhereIdentityHolds(t *testing.T) {
	p := start(t, nil).people
	cfg := DefaultConfig()
	cfg.Listen = "0.0.0.0:0"
	deps := Deps{Store: start(t, nil).store, Remote: true}
	if _, err := New(cfg, deps); err == nil {
		t.Error("remote without identity was taken")
	}
	deps.Auth = p.verifier
	if _, err := New(cfg, deps); err != nil {
		t.Fatal(err)
	}
	listener, err := Listen(t.Context(), cfg, deps.Remote)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	if !strings.HasPrefix(listener.Addr().String(), "0.0.0.0:") && !strings.HasPrefix(listener.Addr().String(), "[::]:") {
		t.Errorf("listens on %s", listener.Addr())
	}
	deps.Remote = false
	if _, err := New(cfg, deps); err == nil {
		t.Error("an address that others reach was taken with the development issuer")
	}
	for _, bad := range []string{"meet.example", "https://meet.example/x", "ftp://meet.example", "https://u@meet.example"} {
		if err := (Config{PublicURL: bad}).Validate(); err == nil || !strings.HasPrefix(err.Error(), "public_url: ") {
			t.Errorf("%s: %v", bad, err)
		}
	}
}
