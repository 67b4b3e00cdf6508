package api

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/anteroom/anteroom/identity"
)

// sessionIn is the session cookie that an answer sets.
func sessionIn(t *testing.T, done *http.Response) *http.Cookie {
	t.Helper()
	at := slices.IndexFunc(done.Cookies(), func(c *http.Cookie) bool { return c.Name == identity.SessionCookie && c.Value != "" })
	if at < 0 {
		t.Fatalf("no session in %v", done.Header)
	}
	return done.Cookies()[at]
}

// statusBy is what a cookie gets.
func (s *service) statusBy(c *http.Cookie, method, path string, header ...string) int {
	s.t.Helper()
	request, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	request.AddCookie(c)
	for pair := range slices.Chunk(header, 2) {
		request.Header.Set(pair[0], pair[1])
	}
	response, err := browserless().Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	response.Body.Close()
	return response.StatusCode
}

// Signing out ends the session itself: what somebody copied of its cookie is good for nothing, and other sessions of the same user go on.
func TestSigningOutEndsTheSession(t *testing.T) {
	s := start(t, func(c *Config, _ *Deps) { c.PublicURL = publicURL })
	b, other := browser(t), browser(t)
	copied, others := sessionIn(t, s.signIn(b, "/")), sessionIn(t, s.signIn(other, "/"))
	for _, c := range []*http.Cookie{copied, others} {
		if got := s.statusBy(c, http.MethodGet, "/v1/session"); got != http.StatusOK {
			t.Fatalf("signed in: %d", got)
		}
	}
	if got, text := visit(t, b, s.url+"/logout", url.Values{}); got.StatusCode != http.StatusNoContent {
		t.Fatalf("sign out: %d %s", got.StatusCode, text)
	}
	if got := s.statusBy(copied, http.MethodGet, "/v1/session"); got != http.StatusUnauthorized {
		t.Errorf("the copy of a session that was signed out: %d", got)
	}
	if got := s.statusBy(others, http.MethodGet, "/v1/session"); got != http.StatusOK {
		t.Errorf("another session of the same user: %d", got)
	}
	if got := s.statusBy(copied, http.MethodPost, "/logout"); got != http.StatusNoContent {
		t.Errorf("to sign out again: %d", got)
	}
	if got := s.statusBy(&http.Cookie{Name: identity.SessionCookie, Value: "nonsense"}, http.MethodPost, "/logout"); got != http.StatusNoContent {
		t.Errorf("to sign out of nothing: %d", got)
	}
}

// Whoever signs in anew in the same browser gets another session, and the one from before ends.
func TestSigningInAnewEndsTheSessionFromBefore(t *testing.T) {
	s := start(t, func(c *Config, _ *Deps) { c.PublicURL = publicURL })
	b := browser(t)
	before := sessionIn(t, s.signIn(b, "/"))
	// The cookie jar keeps cookies by host: the service is reached by one name only in this test, and known by another.
	at, err := url.Parse(s.url)
	if err != nil {
		t.Fatal(err)
	}
	if len(b.Jar.Cookies(at)) == 0 {
		t.Fatal("the browser has no session")
	}
	after := sessionIn(t, s.signIn(b, "/"))
	if before.Value == after.Value {
		t.Error("it is the same session")
	}
	if got := s.statusBy(before, http.MethodGet, "/v1/session"); got != http.StatusUnauthorized {
		t.Errorf("the session from before: %d", got)
	}
	if got := s.statusBy(after, http.MethodGet, "/v1/session"); got != http.StatusOK {
		t.Errorf("the new session: %d", got)
	}
}

// No page of another site has a browser change anything by the session that it has, on whatever route.
func TestNoOtherSiteChangesAnythingByASession(t *testing.T) {
	s := start(t, func(c *Config, _ *Deps) { c.PublicURL = publicURL })
	session := sessionIn(t, s.signIn(browser(t), "/"))
	c := s.cells()
	tried := 0
	for _, op := range s.ops {
		if op.route.Method == http.MethodGet {
			continue
		}
		tried++
		path, _ := c.request(op, accessTable()[op.route.Operation.OperationID], "contoso")
		for name, header := range map[string][]string{
			"a form of another site":     {"Origin", "https://evil.example", "Content-Type", "application/x-www-form-urlencoded"},
			"a script of another site":   {"Sec-Fetch-Site", "cross-site", "Content-Type", "text/plain"},
			"a page of a sibling domain": {"Sec-Fetch-Site", "same-site", "Origin", "https://other.localhost", "Content-Type", "application/json"},
			"a sandboxed frame":          {"Origin", "null"},
		} {
			if got := s.statusBy(session, op.route.Method, path, header...); got != http.StatusForbidden {
				t.Errorf("%s: %s %s: %d", name, op.route.Method, path, got)
			}
		}
	}
	if tried < 40 {
		t.Errorf("only %d routes were tried", tried)
	}
	if got := s.statusBy(session, http.MethodGet, "/v1/session"); got != http.StatusOK {
		t.Errorf("somebody else signed the browser out: %d", got)
	}
}

// A GET changes nothing that a link of another site could make a browser ask for: those routes are the two of signing in.
func TestReadingChangesNothing(t *testing.T) {
	doc, _, err := readDocument()
	if err != nil {
		t.Fatal(err)
	}
	for route, op := range operationsOf(doc) {
		id := op.route.Operation.OperationID
		reads := slices.ContainsFunc([]string{"get", "list", "diff", "zoom", "compare"}, func(verb string) bool { return strings.HasPrefix(id, verb) })
		if strings.HasPrefix(route, "GET ") && !reads && id != "login" && id != "loginCallback" {
			t.Errorf("%s (%s) is asked for by GET", route, id)
		}
	}
}
