package devissuer_test

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/anteroom/anteroom/identity"
	"github.com/anteroom/anteroom/identity/devissuer"
)

const (
	issuerURL = "http://127.0.0.1:8480/dev-issuer"
	redirect  = "http://127.0.0.1:8480/v1/login/callback"
)

func open(t *testing.T, folder string) *devissuer.Issuer {
	t.Helper()
	issuer, err := devissuer.Open(devissuer.Config{URL: issuerURL, Folder: folder, RedirectURLs: []string{redirect}}, devissuer.Deps{})
	if err != nil {
		t.Fatal(err)
	}
	return issuer
}

func TestConfigIsChecked(t *testing.T) {
	for _, test := range []struct {
		name, want string
		cfg        devissuer.Config
	}{
		{"right", "", devissuer.Config{URL: issuerURL, Folder: "x", RedirectURLs: []string{redirect}}},
		{"IPv6", "", devissuer.Config{URL: "http://[::1]:1/x", Folder: "x"}},
		{"elsewhere", "url:", devissuer.Config{URL: "https://login.example", Folder: "x"}},
		{"every address", "url:", devissuer.Config{URL: "http://0.0.0.0:8480", Folder: "x"}},
		{"no URL", "url:", devissuer.Config{Folder: "x"}},
		{"no folder", "folder:", devissuer.Config{URL: issuerURL}},
		{"redirect elsewhere", "redirect_urls[0]:", devissuer.Config{URL: issuerURL, Folder: "x", RedirectURLs: []string{"https://evil.example"}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := test.cfg.Validate()
			if (err == nil) != (test.want == "") || (err != nil && !strings.HasPrefix(err.Error(), test.want)) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

func TestKeyIsKeptForItselfOnly(t *testing.T) {
	folder := t.TempDir()
	first, err := open(t, folder).Token("home", nil, "ana", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	second, err := open(t, folder).Token("home", nil, "ana", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if header := func(token string) string { return strings.Split(token, ".")[0] }; header(first) != header(second) {
		t.Error("another process signs with another key")
	}
	path := filepath.Join(folder, "development-issuer.key")
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("got %v, %v", info, err)
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := devissuer.Open(devissuer.Config{URL: issuerURL, Folder: folder}, devissuer.Deps{}); err == nil {
		t.Error("a key that others can read was taken")
	}
}

func TestTokensThatAreNotMade(t *testing.T) {
	issuer := open(t, t.TempDir())
	for _, test := range []struct {
		name, org, user, want string
		roles                 []identity.Role
		ttl                   time.Duration
	}{
		{"user", "home", "ana", "", nil, 0},
		{"operator", "", "ana", "", []identity.Role{identity.Operator}, 0},
		{"operator of an organisation", "home", "ana", "role:", []identity.Role{identity.Operator}, 0},
		{"operator and admin", "", "ana", "role:", []identity.Role{identity.Operator, identity.Admin}, 0},
		{"no organisation", "", "ana", "organization:", []identity.Role{identity.Admin}, 0},
		{"guest", "home", "ana", "role:", []identity.Role{identity.Guest}, 0},
		{"unknown role", "home", "ana", "role:", []identity.Role{"root"}, 0},
		{"no user", "home", "", "user:", nil, 0},
		{"user with a blank", "home", "a b", "user:", nil, 0},
		{"long", "home", "ana", "ttl:", nil, 25 * time.Hour},
		{"negative", "home", "ana", "ttl:", nil, -1},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := issuer.Token(test.org, test.roles, test.user, test.ttl)
			if (err == nil) != (test.want == "") || (err != nil && !strings.HasPrefix(err.Error(), test.want)) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

func TestServesLoopbackOnly(t *testing.T) {
	issuer := open(t, t.TempDir())
	handler := issuer.Handler()
	for _, test := range []struct {
		name   string
		change func(*http.Request)
		want   int
	}{
		{"loopback", func(*http.Request) {}, http.StatusOK},
		{"IPv6 loopback", func(r *http.Request) { r.RemoteAddr, r.Host = "[::1]:4000", "[::1]:8480" }, http.StatusOK},
		{"localhost", func(r *http.Request) { r.Host = "localhost:8480" }, http.StatusOK},
		{"another machine", func(r *http.Request) { r.RemoteAddr = "192.0.2.7:4000" }, http.StatusForbidden},
		{"a name that was pointed here", func(r *http.Request) { r.Host = "evil.example:8480" }, http.StatusForbidden},
		{"no name", func(r *http.Request) { r.Host = "" }, http.StatusForbidden},
		{"a proxy", func(r *http.Request) { r.Header.Set("X-Forwarded-For", "192.0.2.7") }, http.StatusForbidden},
		{"a proxy of the standard", func(r *http.Request) { r.Header.Set("Forwarded", "for=192.0.2.7") }, http.StatusForbidden},
	} {
		t.Run(test.name, func(t *testing.T) {
			request := httptest.NewRequest(http.MethodGet, issuerURL+"/keys", nil)
			request.RemoteAddr = "127.0.0.1:4000"
			test.change(request)
			recorder := httptest.NewRecorder()
			handler.ServeHTTP(recorder, request)
			if recorder.Code != test.want {
				t.Errorf("got %d, want %d", recorder.Code, test.want)
			}
		})
	}
	listener, err := net.Listen("tcp", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := issuer.Serve(t.Context(), listener); !errors.Is(err, devissuer.ErrNotLoopback) {
		t.Errorf("every address: %v", err)
	}
}

func authorize(change map[string]string) url.Values {
	sum := sha256.Sum256([]byte(strings.Repeat("v", 43)))
	form := url.Values{
		"client_id": {"anteroom"}, "redirect_uri": {redirect}, "response_type": {"code"}, "state": {"s<\">"}, "nonce": {"n"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
	}
	for name, value := range change {
		form.Set(name, value)
	}
	return form
}

// serve answers one request of the form's own page.
func serve(handler http.Handler, method, path string, form url.Values) *httptest.ResponseRecorder {
	var body io.Reader
	target := issuerURL + path
	if method == http.MethodGet {
		target += "?" + form.Encode()
	} else {
		body = strings.NewReader(form.Encode())
	}
	request := httptest.NewRequest(method, target, body)
	request.RemoteAddr = "127.0.0.1:4000"
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, request)
	return recorder
}

func TestLoginPage(t *testing.T) {
	handler := open(t, t.TempDir()).Handler()
	for _, test := range []struct {
		name   string
		change map[string]string
		want   int
	}{
		{"right", nil, http.StatusOK},
		{"another client", map[string]string{"client_id": "x"}, http.StatusBadRequest},
		{"open redirect", map[string]string{"redirect_uri": "http://127.0.0.1:8480.evil.example/"}, http.StatusBadRequest},
		{"another path", map[string]string{"redirect_uri": redirect + "/x"}, http.StatusBadRequest},
		{"implicit", map[string]string{"response_type": "token"}, http.StatusBadRequest},
		{"no PKCE", map[string]string{"code_challenge": ""}, http.StatusBadRequest},
		{"plain PKCE", map[string]string{"code_challenge_method": "plain"}, http.StatusBadRequest},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, method := range []string{http.MethodGet, http.MethodPost} {
				form := authorize(test.change)
				form.Set("organization", "home")
				form.Set("user", "ana")
				want := test.want
				if method == http.MethodPost && want == http.StatusOK {
					want = http.StatusSeeOther
				}
				got := serve(handler, method, "/authorize", form)
				if got.Code != want || (want != http.StatusSeeOther && got.Header().Get("Location") != "") {
					t.Errorf("%s: got %d to %q, want %d", method, got.Code, got.Header().Get("Location"), want)
				}
			}
		})
	}
	page := serve(handler, http.MethodGet, "/authorize", authorize(nil))
	body := page.Body.String()
	if strings.Contains(body, `s<">`) {
		t.Error("the state is written unescaped")
	}
	style := regexp.MustCompile(`(?s)<style>(.*)</style>`).FindStringSubmatch(body)
	if style == nil {
		t.Fatal("the page has no style")
	}
	sum := sha256.Sum256([]byte(style[1]))
	if policy := page.Header().Get("Content-Security-Policy"); !strings.Contains(policy, base64.StdEncoding.EncodeToString(sum[:])) || !strings.Contains(policy, "form-action 'self' http://127.0.0.1:8480") {
		t.Errorf("content security policy %q lets not through what the page needs", policy)
	}

	wrong := authorize(nil)
	wrong.Set("organization", "home")
	wrong.Set("user", "<script>")
	got := serve(handler, http.MethodPost, "/authorize", wrong)
	if body := got.Body.String(); got.Code != http.StatusUnprocessableEntity || strings.Contains(body, "<script>") || !strings.Contains(body, `role="alert"`) {
		t.Errorf("a wrong user id: %d %s", got.Code, body)
	}

	// Another site's page can't fill in the form.
	request := httptest.NewRequest(http.MethodPost, issuerURL+"/authorize", strings.NewReader(authorize(nil).Encode()))
	request.RemoteAddr = "127.0.0.1:4000"
	request.Header.Set("Sec-Fetch-Site", "cross-site")
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, request)
	if recorder.Code != http.StatusForbidden {
		t.Errorf("another site's form: %d", recorder.Code)
	}
}

func TestTokenEndpoint(t *testing.T) {
	handler := open(t, t.TempDir()).Handler()
	code := func() string {
		form := authorize(nil)
		form.Set("organization", "home")
		form.Set("user", "ana")
		to, err := url.Parse(serve(handler, http.MethodPost, "/authorize", form).Header().Get("Location"))
		if err != nil {
			t.Fatal(err)
		}
		return to.Query().Get("code")
	}
	for _, test := range []struct {
		name   string
		change map[string]string
		want   int
	}{
		{"right", nil, http.StatusOK},
		{"wrong verifier", map[string]string{"code_verifier": strings.Repeat("w", 43)}, http.StatusBadRequest},
		{"no verifier", map[string]string{"code_verifier": ""}, http.StatusBadRequest},
		{"another client", map[string]string{"client_id": "x"}, http.StatusBadRequest},
		{"another redirect", map[string]string{"redirect_uri": redirect + "?x"}, http.StatusBadRequest},
		{"password grant", map[string]string{"grant_type": "password"}, http.StatusBadRequest},
		{"no code", map[string]string{"code": ""}, http.StatusBadRequest},
	} {
		t.Run(test.name, func(t *testing.T) {
			form := url.Values{
				"grant_type": {"authorization_code"}, "code": {code()}, "client_id": {"anteroom"}, "redirect_uri": {redirect}, "code_verifier": {strings.Repeat("v", 43)},
			}
			for name, value := range test.change {
				form.Set(name, value)
			}
			if got := serve(handler, http.MethodPost, "/token", form); got.Code != test.want || strings.Contains(got.Body.String(), "id_token") != (test.want == http.StatusOK) {
				t.Errorf("got %d %s", got.Code, got.Body)
			}
			if got := serve(handler, http.MethodPost, "/token", form); got.Code != http.StatusBadRequest {
				t.Errorf("the second time: %d", got.Code)
			}
		})
	}
}
