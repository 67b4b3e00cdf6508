package identity_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"
	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"

	"github.com/anteroom/anteroom/directory"
	"github.com/anteroom/anteroom/identity"
)

// certified is a certified OpenID provider (zitadel/oidc) with its example's login, storage and users, to which roles are added.
type certified struct {
	*storage.Storage
	url string

	mu      sync.Mutex
	key     rsaKey   // guarded by mu
	roles   []string // guarded by mu: told by userinfo
	subject string   // guarded by mu: told by userinfo instead of the right one
	ended   int      // guarded by mu: sessions
}

type rsaKey struct {
	id  string
	key *rsa.PrivateKey
}

func newRSAKey(t *testing.T, id string) rsaKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return rsaKey{id, key}
}

func (k rsaKey) SignatureAlgorithm() jose.SignatureAlgorithm { return jose.RS256 }
func (k rsaKey) Key() any                                    { return k.key }
func (k rsaKey) ID() string                                  { return k.id }

type rsaPublic struct{ rsaKey }

func (k rsaPublic) Algorithm() jose.SignatureAlgorithm { return jose.RS256 }
func (k rsaPublic) Use() string                        { return "sig" }
func (k rsaPublic) Key() any                           { return k.key.Public() }

func (p *certified) SigningKey(context.Context) (op.SigningKey, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.key, nil
}

func (p *certified) KeySet(context.Context) ([]op.Key, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return []op.Key{rsaPublic{p.key}}, nil
}

func (p *certified) SetUserinfoFromToken(ctx context.Context, info *oidc.UserInfo, token, subject, origin string) error {
	if err := p.Storage.SetUserinfoFromToken(ctx, info, token, subject, origin); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	info.AppendClaims("roles", p.roles)
	if p.subject != "" {
		info.Subject = p.subject
	}
	return nil
}

func (p *certified) TerminateSession(ctx context.Context, user, client string) error {
	p.mu.Lock()
	p.ended++
	p.mu.Unlock()
	return p.Storage.TerminateSession(ctx, user, client)
}

// signsOut is a client that may send browsers back after they signed out.
type signsOut struct{ op.Client }

const afterSignOut = "http://127.0.0.1:9/"

func (signsOut) PostLogoutRedirectURIs() []string { return []string{afterSignOut} }

func (p *certified) GetClientByClientID(ctx context.Context, id string) (op.Client, error) {
	client, err := p.Storage.GetClientByClientID(ctx, id)
	return signsOut{client}, err
}

func newCertified(t *testing.T) *certified {
	t.Helper()
	var handler http.Handler
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
	t.Cleanup(server.Close)
	storage.RegisterClients(storage.NativeClient("anteroom", redirectURL), storage.NativeClient("another", redirectURL))
	p := &certified{Storage: storage.NewStorage(storage.NewUserStore(server.URL)), url: server.URL, key: newRSAKey(t, "k1"), roles: []string{"auditor"}}
	handler = exampleop.SetupServer(server.URL, p, slog.New(slog.DiscardHandler), false)
	return p
}

// signIn types a password into the provider's form, and comes back with what it says.
func (p *certified) signIn(t *testing.T, authorize string) url.Values {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	b := &http.Client{Jar: jar, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if r.URL.Port() == "9" { // where nothing listens: this service
			return http.ErrUseLastResponse
		}
		return nil
	}}
	page, err := b.Get(authorize)
	if err != nil {
		t.Fatal(err)
	}
	page.Body.Close()
	id := page.Request.URL.Query().Get("authRequestID")
	if id == "" {
		t.Fatalf("no login page: %d at %s", page.StatusCode, page.Request.URL)
	}
	done, err := b.PostForm(p.url+"/login/username", url.Values{"username": {"test-user@127.0.0.1"}, "password": {"verysecure"}, "id": {id}})
	if err != nil {
		t.Fatal(err)
	}
	done.Body.Close()
	at, err := done.Location()
	if err != nil {
		t.Fatalf("not sent back: %d", done.StatusCode)
	}
	return at.Query()
}

// A login at a real provider: code flow with PKCE, name and roles from where the provider tells them, new keys, and the end at both sides.
func TestACertifiedProvider(t *testing.T) {
	p, other := newCertified(t), newCertified(t)
	w := newWorld(t)
	w.rows.set(func(r *rows) {
		r.orgs["c"] = directory.Organization{ID: "c", Issuer: &directory.Issuer{URL: p.url, ClientID: "anteroom"}}
		r.orgs["d"] = directory.Organization{ID: "d", Issuer: &directory.Issuer{URL: other.url, ClientID: "anteroom"}}
	})
	login, err := w.Login(redirectURL)
	if err != nil {
		t.Fatal(err)
	}
	begin := func(org string) identity.LoginStart {
		t.Helper()
		start, err := login.Begin(t.Context(), org, "/")
		if err != nil {
			t.Fatal(err)
		}
		return start
	}
	back := func(start identity.LoginStart, said url.Values) identity.LoginReturn {
		return identity.LoginReturn{Code: said.Get("code"), State: said.Get("state"), Issuer: said.Get("iss"), Error: said.Get("error"), Cookie: start.Cookie}
	}
	start := begin("c")
	done, err := login.Finish(t.Context(), back(start, p.signIn(t, start.RedirectURL)))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]identity.Role{identity.OrgUser, identity.Auditor}, done.Principal.Roles); diff != "" || done.Principal.Name != "Test User" || done.Principal.Subject != "id1" || done.Principal.Org != "c" {
		t.Errorf("signed in as %+v", done.Principal)
	}

	t.Run("the provider has new keys", func(t *testing.T) {
		p.mu.Lock()
		p.key = newRSAKey(t, "k2")
		p.mu.Unlock()
		w.clock.Add(6 * time.Second)
		start := begin("c")
		if _, err := login.Finish(t.Context(), back(start, p.signIn(t, start.RedirectURL))); err != nil {
			t.Error(err)
		}
	})
	t.Run("the provider signs by a key that it doesn't publish", func(t *testing.T) {
		p.mu.Lock()
		old := p.key
		p.key = rsaKey{old.id, newRSAKey(t, "").key}
		p.mu.Unlock()
		start := begin("c")
		_, err := login.Finish(t.Context(), back(start, p.signIn(t, start.RedirectURL)))
		refused(t, err, identity.TokenSignature, "")
		p.mu.Lock()
		p.key = old
		p.mu.Unlock()
	})
	t.Run("userinfo is about somebody else", func(t *testing.T) {
		p.mu.Lock()
		p.subject = "id2"
		p.mu.Unlock()
		start := begin("c")
		got, err := login.Finish(t.Context(), back(start, p.signIn(t, start.RedirectURL)))
		if err == nil || !strings.HasPrefix(err.Error(), string(identity.LoginState)) {
			t.Errorf("%+v %v", got, err)
		}
		p.mu.Lock()
		p.subject = ""
		p.mu.Unlock()
	})
	t.Run("a code without its verifier", func(t *testing.T) {
		said := p.signIn(t, begin("c").RedirectURL)
		for _, verifier := range []string{"", strings.Repeat("v", 43)} {
			answer, err := http.PostForm(p.url+"/oauth/token", url.Values{
				"grant_type": {"authorization_code"}, "code": {said.Get("code")}, "client_id": {"anteroom"}, "redirect_uri": {redirectURL}, "code_verifier": {verifier},
			})
			if err != nil {
				t.Fatal(err)
			}
			answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				t.Error("the provider gives tokens for a stolen code: PKCE isn't used")
			}
		}
	})
	t.Run("the answer of another provider", func(t *testing.T) {
		mine, theirs := begin("c"), begin("d")
		said := other.signIn(t, theirs.RedirectURL)
		mixed := back(mine, said)
		if _, err := login.Finish(t.Context(), mixed); err == nil {
			t.Error("the other login's state was taken")
		}
		at, err := url.Parse(mine.RedirectURL)
		if err != nil {
			t.Fatal(err)
		}
		mixed.State = at.Query().Get("state")
		if got, err := login.Finish(t.Context(), mixed); err == nil {
			t.Errorf("the other provider's code was taken: %+v", got)
		}
		mixed.Issuer = other.url
		if got, err := login.Finish(t.Context(), mixed); err == nil || !strings.HasPrefix(err.Error(), string(identity.LoginState)) {
			t.Errorf("the other provider's name was taken: %+v %v", got, err)
		}
	})
	t.Run("tokens", func(t *testing.T) { w.certifiedTokens(t, p) })
	t.Run("signing out", func(t *testing.T) {
		at := w.SignOutURL(t.Context(), done.Session, afterSignOut)
		if !strings.HasPrefix(at, p.url+"/") || strings.Contains(at, "id_token") {
			t.Fatalf("signs out at %q", at)
		}
		answer, err := (&http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}).Get(at)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(answer.Body)
		answer.Body.Close()
		if to := answer.Header.Get("Location"); to != afterSignOut {
			t.Errorf("sent to %q (%d): %s", to, answer.StatusCode, text)
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.ended != 1 {
			t.Errorf("%d sessions ended at the provider", p.ended)
		}
		if err := w.EndSession(t.Context(), done.Session); err != nil {
			t.Fatal(err)
		}
		_, _, err = w.ReadSession(t.Context(), done.Session)
		refused(t, err, identity.TokenExpired, "")
	})
}

// idToken is what the provider gives a client of its for the test user.
func (p *certified) idToken(t *testing.T, client string) string {
	t.Helper()
	verifier := rand.Text() + rand.Text()
	said := p.signIn(t, p.url+"/auth?"+url.Values{
		"client_id": {client}, "redirect_uri": {redirectURL}, "response_type": {"code"}, "scope": {"openid profile"}, "state": {"s"},
		"code_challenge": {oidc.NewSHACodeChallenge(verifier)}, "code_challenge_method": {"S256"},
	}.Encode())
	answer, err := http.PostForm(p.url+"/oauth/token", url.Values{
		"grant_type": {"authorization_code"}, "code": {said.Get("code")}, "client_id": {client}, "redirect_uri": {redirectURL}, "code_verifier": {verifier},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var got struct {
		ID string `json:"id_token"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&got); err != nil || got.ID == "" {
		t.Fatalf("no token: %d %v", answer.StatusCode, err)
	}
	return got.ID
}

// certifiedTokens are a provider's tokens as somebody might bend them.
func (w *world) certifiedTokens(t *testing.T, p *certified) {
	t.Helper()
	good := p.idToken(t, "anteroom")
	if _, err := w.User(t.Context(), good); err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(good, ".")
	encode := base64.RawURLEncoding.EncodeToString
	public, err := x509.MarshalPKIXPublicKey(p.key.key.Public())
	if err != nil {
		t.Fatal(err)
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	// The public key as the secret of a keyed hash, as a verifier that lets the token choose would take it.
	confused, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: jose.JSONWebKey{Key: pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}), KeyID: p.key.id}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := confused.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	hashed, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	raised := strings.Replace(string(payload), `"sub":"id1"`, `"sub":"id2"`, 1)
	for _, test := range []struct {
		name, token string
		want        identity.Reason
	}{
		{"of another client", p.idToken(t, "another"), identity.TokenAudience},
		{"without signature", encode([]byte(`{"alg":"none","typ":"JWT"}`)) + "." + parts[1] + ".", identity.TokenAlgorithm},
		{"without signature, in capitals", encode([]byte(`{"alg":"None"}`)) + "." + parts[1] + ".", identity.TokenAlgorithm},
		{"with the signature cut off", parts[0] + "." + parts[1] + ".", identity.TokenSignature},
		{"with a keyed hash", hashed, identity.TokenAlgorithm},
		{"about another user", parts[0] + "." + encode([]byte(raised)) + "." + parts[2], identity.TokenSignature},
		{"with a key in its head", embedded(t, payload), identity.TokenSignature},
	} {
		_, err := w.User(t.Context(), test.token)
		if identity.ReasonOf(err) != test.want {
			t.Errorf("%s: %v, want %s", test.name, err, test.want)
		}
	}
	w.clock.Add(2 * time.Hour)
	_, err = w.User(t.Context(), good)
	refused(t, err, identity.TokenExpired, good)
	w.clock.Add(-2 * time.Hour)
}

// embedded is a token signed by a key that it brings along.
func embedded(t *testing.T, payload []byte) string {
	t.Helper()
	key := newRSAKey(t, "k2")
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: key.key}, &jose.SignerOptions{EmbedJWK: true})
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	out, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return out
}
