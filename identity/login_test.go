package identity_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom/anteroom/directory"
	"github.com/anteroom/anteroom/identity"
	"github.com/anteroom/anteroom/identity/devissuer"
)

// flow is a verifier with the development issuer beside it, over HTTP, and a browser.
type flow struct {
	*world
	login   *identity.Login
	issuer  *devissuer.Issuer
	browser *http.Client
}

const redirectURL = "http://127.0.0.1:9/v1/login/callback"

func newFlow(t *testing.T) *flow {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := "http://" + listener.Addr().String() + "/dev-issuer"
	f := &flow{world: newWorld(t, func(c *identity.Config) {
		c.DevelopmentIssuer, c.OperatorIssuer = at, identity.OperatorIssuer{}
	})}
	organizations := func(context.Context) ([]devissuer.Organization, error) {
		return []devissuer.Organization{{ID: "home", Name: "Home & <Co>"}, {ID: "a", Name: "A"}}, nil
	}
	f.issuer, err = devissuer.Open(
		devissuer.Config{URL: at, Folder: t.TempDir(), RedirectURLs: []string{redirectURL}},
		devissuer.Deps{Organizations: organizations, Now: f.clock.Now, Log: slog.New(slog.NewTextHandler(f.log, nil))},
	)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- f.issuer.Serve(ctx, listener) }()
	t.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	if f.login, err = f.Login(redirectURL); err != nil {
		t.Fatal(err)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	f.browser = &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return f
}

// signIn begins a login, fills in the issuer's form and comes back.
func (f *flow) signIn(t *testing.T, org string, form url.Values) identity.LoginReturn {
	t.Helper()
	start, err := f.login.Begin(t.Context(), org, "/calls?x=1")
	if err != nil {
		t.Fatal(err)
	}
	response, err := f.browser.Get(start.RedirectURL)
	if err != nil {
		t.Fatal(err)
	}
	page, err := io.ReadAll(response.Body)
	_ = response.Body.Close()
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("login page: %d, %v", response.StatusCode, err)
	}
	for _, want := range []string{"For development only", "Home &amp; &lt;Co&gt; (home)"} {
		if !strings.Contains(string(page), want) {
			t.Errorf("the login page lacks %q:\n%s", want, page)
		}
	}
	back := f.post(t, start.RedirectURL, form)
	back.Cookie = start.Cookie
	return back
}

// post sends the issuer's form with the parameters of the page, and reads where the browser is sent.
func (f *flow) post(t *testing.T, authorize string, form url.Values) identity.LoginReturn {
	t.Helper()
	at, err := url.Parse(authorize)
	if err != nil {
		t.Fatal(err)
	}
	filled := at.Query()
	for name, values := range form {
		filled[name] = values
	}
	response, err := f.browser.PostForm(authorize, filled)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusSeeOther {
		body, _ := io.ReadAll(response.Body)
		t.Fatalf("the form answers %d: %s", response.StatusCode, body)
	}
	to, err := response.Location()
	if err != nil || !strings.HasPrefix(to.String(), redirectURL+"?") {
		t.Fatalf("sent to %v, %v", to, err)
	}
	query := to.Query()
	return identity.LoginReturn{Code: query.Get("code"), State: query.Get("state"), Issuer: query.Get("iss"), Error: query.Get("error")}
}

func ana() url.Values {
	return url.Values{"organization": {"home"}, "user": {"ana"}, "name": {"Ana"}, "role": {"admin", "auditor"}}
}

func TestLoginByTheDevelopmentIssuer(t *testing.T) {
	f := newFlow(t)
	got, err := f.login.Finish(t.Context(), f.signIn(t, "home", ana()))
	if err != nil {
		t.Fatal(err)
	}
	want := identity.Principal{
		Roles: []identity.Role{identity.OrgUser, identity.Admin, identity.Auditor}, Org: "home", Subject: "ana", Name: "Ana", Expires: f.clock.Now().Add(time.Hour),
	}
	if diff := cmp.Diff(want, got.Principal); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got.ReturnTo != "/calls?x=1" {
		t.Errorf("returns to %q", got.ReturnTo)
	}
	inSession, renewed, err := f.ReadSession(t.Context(), got.Session)
	if err != nil || renewed != "" {
		t.Fatalf("session: %v, renewed %t", err, renewed != "")
	}
	want.Expires = f.clock.Now().Add(8 * time.Hour)
	if diff := cmp.Diff(want, inSession); diff != "" {
		t.Errorf("session (-want +got):\n%s", diff)
	}

	operator, err := f.login.Finish(t.Context(), f.signIn(t, "", url.Values{"organization": {""}, "user": {"root"}}))
	if err != nil || operator.Principal.Org != "" || cmp.Diff([]identity.Role{identity.Operator}, operator.Principal.Roles) != "" {
		t.Errorf("operator: %+v, %v", operator.Principal, err)
	}
	if _, _, err := f.ReadSession(t.Context(), operator.Session); err != nil {
		t.Errorf("operator's session: %v", err)
	}
	if !strings.Contains(f.log.String(), "for development only") {
		t.Errorf("the log does not say so: %s", f.log)
	}
}

func TestLoginIsRefused(t *testing.T) {
	f := newFlow(t)
	other, err := f.login.Begin(t.Context(), "home", "/")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name   string
		change func(*identity.LoginReturn)
		want   identity.Reason
	}{
		{"permitted", func(*identity.LoginReturn) {}, ""},
		{"another state", func(b *identity.LoginReturn) { b.State += "x" }, identity.LoginState},
		{"no state", func(b *identity.LoginReturn) { b.State = "" }, identity.LoginState},
		{"another login's cookie", func(b *identity.LoginReturn) { b.Cookie = other.Cookie }, identity.LoginState},
		{"no cookie", func(b *identity.LoginReturn) { b.Cookie = "" }, identity.LoginExpired},
		{"a changed cookie", func(b *identity.LoginReturn) { b.Cookie = b.Cookie[:len(b.Cookie)-4] + "AAAA" }, identity.LoginExpired},
		{"late", func(*identity.LoginReturn) { f.clock.Add(11 * time.Minute) }, identity.LoginExpired},
		{"a code that waited for more than a minute", func(*identity.LoginReturn) { f.clock.Add(time.Minute) }, identity.LoginCode},
		{"another issuer's answer", func(b *identity.LoginReturn) { b.Issuer = f.a.URL }, identity.LoginState},
		{"an answer that says not whose it is", func(b *identity.LoginReturn) { b.Issuer = "" }, identity.LoginState},
		{"another code", func(b *identity.LoginReturn) { b.Code += "x" }, identity.LoginCode},
		{"denied", func(b *identity.LoginReturn) { b.Code, b.Error = "", "access_denied" }, identity.LoginDenied},
		{"an organisation that got an issuer meanwhile", func(*identity.LoginReturn) {
			f.rows.set(func(r *rows) { r.orgs["home"] = directory.Organization{ID: "home", Issuer: r.orgs["a"].Issuer} })
		}, identity.LoginState},
	} {
		t.Run(test.name, func(t *testing.T) {
			back := f.signIn(t, "home", ana())
			test.change(&back)
			got, err := f.login.Finish(t.Context(), back)
			var refused *identity.LoginError
			if errors.As(err, &refused) != (test.want != "") || (refused != nil && refused.Reason != test.want) || (test.want == "" && err != nil) {
				t.Fatalf("got %v, want %q", err, test.want)
			}
			if err != nil && (got.Session != "" || strings.Contains(err.Error(), back.Code) && back.Code != "") {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}

// A stolen code is of no use to another browser: its cookie has another verifier, and the code is used up by the attempt.
func TestCodesAreBoundAndWorkOnce(t *testing.T) {
	f := newFlow(t)
	want := func(name string, err error, reason identity.Reason) {
		t.Helper()
		var refused *identity.LoginError
		if !errors.As(err, &refused) || refused.Reason != reason {
			t.Errorf("%s: %v, want %s", name, err, reason)
		}
	}
	back := f.signIn(t, "home", ana())
	if _, err := f.login.Finish(t.Context(), back); err != nil {
		t.Fatal(err)
	}
	_, err := f.login.Finish(t.Context(), back)
	want("used code", err, identity.LoginCode)

	victim, attacker := f.signIn(t, "home", ana()), f.signIn(t, "home", ana())
	attacker.Code = victim.Code
	_, err = f.login.Finish(t.Context(), attacker)
	want("another verifier", err, identity.LoginCode)
	_, err = f.login.Finish(t.Context(), victim)
	want("code that somebody tried with another verifier", err, identity.LoginCode)
}

func TestLoginReturnsToThisServiceOnly(t *testing.T) {
	f := newFlow(t)
	for _, test := range []struct {
		to   string
		want string
	}{
		{"/calls?x=1#top", "/calls?x=1#top"},
		{"/", "/"},
		{"", "/"},
		{"calls", "/"},
		{"//evil.example", "/"},
		{"///evil.example", "/"},
		{"/\\evil.example", "/"},
		{"/\t/evil.example", "/"},
		{"/\n/evil.example", "/"},
		{" //evil.example", "/"},
		{"https://evil.example/", "/"},
		{"https:evil.example", "/"},
		{"javascript:alert(1)", "/"},
		{"/x" + strings.Repeat("x", 2000), "/"},
	} {
		start, err := f.login.Begin(t.Context(), "home", test.to)
		if err != nil {
			t.Fatal(err)
		}
		back := f.post(t, start.RedirectURL, ana())
		back.Cookie = start.Cookie
		got, err := f.login.Finish(t.Context(), back)
		if err != nil || got.ReturnTo != test.want {
			t.Errorf("%q: got %q (%v), want %q", test.to, got.ReturnTo, err, test.want)
		}
	}
}

func TestLoginWhereNobodySignsIn(t *testing.T) {
	f := newFlow(t)
	for _, org := range []string{"missing", "a"} { // a's provider has no login page
		if _, err := f.login.Begin(t.Context(), org, "/"); !errors.Is(err, identity.ErrNoIssuer) {
			t.Errorf("%s: %v", org, err)
		}
	}
	w := newWorld(t)
	login, err := w.Login(redirectURL)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := login.Begin(t.Context(), "home", "/"); !errors.Is(err, identity.ErrNoIssuer) {
		t.Errorf("without a development issuer: %v", err)
	}
	if _, err := w.Login("/v1/login/callback"); err == nil {
		t.Error("a redirect URL that is not absolute was taken")
	}
}

func TestSessionsEnd(t *testing.T) {
	f := newFlow(t)
	session := func() string {
		t.Helper()
		got, err := f.login.Finish(t.Context(), f.signIn(t, "home", ana()))
		if err != nil {
			t.Fatal(err)
		}
		return got.Session
	}
	read := func(value string) (string, identity.Reason) {
		_, renewed, err := f.ReadSession(t.Context(), value)
		return renewed, identity.ReasonOf(err)
	}
	idle := session()
	f.clock.Add(30*time.Minute - time.Second)
	if _, reason := read(idle); reason != "" {
		t.Errorf("just before it is idle: %s", reason)
	}
	f.clock.Add(time.Second)
	if _, reason := read(idle); reason != identity.TokenExpired {
		t.Errorf("idle: %q", reason)
	}

	used := session()
	var steps int
	for used != "" {
		f.clock.Add(10 * time.Minute)
		renewed, reason := read(used)
		if reason != "" {
			break
		}
		used, steps = renewed, steps+1
	}
	if steps != 8*6-1 {
		t.Errorf("a session that is used every ten minutes was good for %d of them, want 47", steps)
	}

	changed := session()
	f.rows.set(func(r *rows) { r.orgs["home"] = directory.Organization{ID: "home", Issuer: r.orgs["a"].Issuer} })
	if _, reason := read(changed); reason != identity.IssuerUnknown {
		t.Errorf("the organisation has another issuer: %q", reason)
	}
	f.rows.set(func(r *rows) { delete(r.orgs, "home") })
	if _, reason := read(changed); reason != identity.IssuerUnknown {
		t.Errorf("the organisation is gone: %q", reason)
	}
	f.rows.set(func(r *rows) { r.err = errors.New("away") })
	if _, reason := read(changed); reason != identity.IssuerUnavailable {
		t.Errorf("nothing is known: %q", reason)
	}
	if _, reason := read(""); reason != identity.TokenMissing {
		t.Errorf("no session: %q", reason)
	}
}

func TestDevelopmentTokens(t *testing.T) {
	f := newFlow(t)
	made := func(org string, roles ...identity.Role) string {
		t.Helper()
		token, err := f.issuer.Token(org, roles, "ana", 0)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	got, err := f.User(t.Context(), made("home", identity.Support))
	want := identity.Principal{Roles: []identity.Role{identity.OrgUser, identity.Support}, Org: "home", Subject: "ana", Name: "ana", Expires: f.clock.Now().Add(time.Hour)}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if got, err := f.User(t.Context(), made("", identity.Operator)); err != nil || cmp.Diff([]identity.Role{identity.Operator}, got.Roles) != "" {
		t.Errorf("operator: %+v, %v", got, err)
	}
	for name, org := range map[string]string{"an organisation with an issuer of its own": "a", "no organisation": "missing"} {
		token := made(org, identity.Admin)
		_, err := f.User(t.Context(), token)
		if identity.ReasonOf(err) != identity.IssuerUnknown {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err = f.Guest(t.Context(), made("home"))
	if identity.ReasonOf(err) != identity.TokenIncomplete {
		t.Errorf("as a guest: %v", err)
	}
	w := newWorld(t)
	if _, err := w.User(t.Context(), made("home")); identity.ReasonOf(err) != identity.IssuerUnknown {
		t.Errorf("where there is no development issuer: %v", err)
	}
}
