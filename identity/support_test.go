package identity_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/anteroom/anteroom/directory"
	"github.com/anteroom/anteroom/identity"
)

const (
	resourceID = "5f0c2f6e-1f5f-4a3e-9d3c-0d6b6a0f1c11"
	federated  = "5f0c2f6e-1f5f-4a3e-9d3c-0d6b6a0f1c22"
	elsewhere  = "5f0c2f6e-1f5f-4a3e-9d3c-0d6b6a0f1c33"
)

// clock is set by tests.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Now().UTC().Truncate(time.Second)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// rows are the directory: the registry that keeps them in the store is out of this room's reach.
type rows struct {
	mu        sync.Mutex
	orgs      map[string]directory.Organization
	resources map[string]directory.Resource
	ended     map[string]bool
	err       error
}

func (r *rows) SessionEnded(_ context.Context, org, subject, session string) (bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.ended[org+"/"+subject+"/"+session], r.err
}

func (r *rows) EndSession(_ context.Context, org, subject, session string, _ time.Time) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended == nil {
		r.ended = map[string]bool{}
	}
	if r.err == nil {
		r.ended[org+"/"+subject+"/"+session] = true
	}
	return r.err
}

func (r *rows) set(change func(*rows)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change(r)
}

func (r *rows) OrganizationsByIssuer(_ context.Context, issuer string) ([]directory.Organization, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var found []directory.Organization
	for _, org := range r.orgs {
		if org.Issuer != nil && org.Issuer.URL == issuer {
			found = append(found, org)
		}
	}
	return found, r.err
}

func (r *rows) Organization(_ context.Context, id string) (directory.Organization, bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	org, ok := r.orgs[id]
	return org, ok, r.err
}

func (r *rows) Resource(_ context.Context, id string) (directory.Resource, bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	resource, ok := r.resources[id]
	return resource, ok, r.err
}

// signer is one private key with the id that its public half is known by.
type signer struct {
	alg jose.SignatureAlgorithm
	key crypto.Signer
	id  string
}

func newSigner(t testing.TB, alg jose.SignatureAlgorithm, id string) signer {
	t.Helper()
	var key crypto.Signer
	var err error
	switch alg {
	case jose.EdDSA:
		_, key, err = ed25519.GenerateKey(rand.Reader)
	case jose.ES256:
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case jose.ES384:
		key, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	default:
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	}
	if err != nil {
		t.Fatal(err)
	}
	return signer{alg, key, id}
}

func (s signer) public() jose.JSONWebKey {
	return jose.JSONWebKey{Key: s.key.Public(), KeyID: s.id, Use: "sig"}
}

type claims map[string]any

// with is a copy with some claims set, or taken out by nil.
func (c claims) with(more claims) claims {
	out := maps.Clone(c)
	for name, value := range more {
		if value == nil {
			delete(out, name)
			continue
		}
		out[name] = value
	}
	return out
}

func (s signer) sign(t testing.TB, c any, headers ...func(*jose.SignerOptions)) string {
	t.Helper()
	payload, raw := c.([]byte)
	if !raw {
		var err error
		if payload, err = json.Marshal(c); err != nil {
			t.Fatal(err)
		}
	}
	options := (&jose.SignerOptions{}).WithType("JWT")
	for _, header := range headers {
		header(options)
	}
	var key any = s.key
	if s.id != "" {
		key = jose.JSONWebKey{Key: s.key, KeyID: s.id}
	}
	made, err := jose.NewSigner(jose.SigningKey{Algorithm: s.alg, Key: key}, options)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := made.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	token, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func keySetOf(t testing.TB, keys ...jose.JSONWebKey) json.RawMessage {
	t.Helper()
	raw, err := json.Marshal(jose.JSONWebKeySet{Keys: keys})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// provider is an OpenID provider over HTTP on loopback, whose answers a test can change.
type provider struct {
	*httptest.Server
	mu       sync.Mutex
	keys     []jose.JSONWebKey
	metadata map[string]any
	down     bool
	fetches  int
}

func newProvider(t testing.TB, keys ...jose.JSONWebKey) *provider {
	t.Helper()
	p := &provider{keys: keys}
	p.Server = httptest.NewServer(http.HandlerFunc(p.serve))
	p.metadata = map[string]any{"issuer": p.URL, "jwks_uri": p.URL + "/keys"}
	t.Cleanup(p.Close)
	return p
}

func (p *provider) set(change func(*provider)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(p)
}

func (p *provider) serve(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	switch {
	case p.down:
		w.WriteHeader(http.StatusServiceUnavailable)
	case r.URL.Path == "/keys":
		p.fetches++
		_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: p.keys})
	default:
		_ = json.NewEncoder(w).Encode(p.metadata)
	}
}

// world is a verifier with what it knows: organisations a and b with issuers of their own, "home" with none; a resource with a key set, and one
// with an OpenID provider.
type world struct {
	*identity.Verifier
	clock              *clock
	rows               *rows
	keyA, keyB, keyOp  signer
	a, b, op           *provider
	guestKey, otherKey signer
	cfg                identity.Config
	log                *bytes.Buffer
}

func newWorld(t testing.TB, change ...func(*identity.Config)) *world {
	t.Helper()
	w := &world{
		clock: newClock(), log: &bytes.Buffer{},
		keyA: newSigner(t, jose.ES256, "a1"), keyB: newSigner(t, jose.EdDSA, "b1"), keyOp: newSigner(t, jose.ES384, "op1"),
		guestKey: newSigner(t, jose.RS256, "g1"), otherKey: newSigner(t, jose.ES256, "g2"),
	}
	w.a, w.b, w.op = newProvider(t, w.keyA.public()), newProvider(t, w.keyB.public()), newProvider(t, w.keyOp.public())
	w.rows = &rows{
		orgs: map[string]directory.Organization{
			"a":    {ID: "a", Issuer: &directory.Issuer{URL: w.a.URL, ClientID: "client-a"}},
			"b":    {ID: "b", Issuer: &directory.Issuer{URL: w.b.URL, ClientID: "client-b", RoleClaim: "realm.roles"}},
			"home": {ID: "home"},
		},
		resources: map[string]directory.Resource{
			resourceID: {ID: resourceID, Org: "a", Keys: keySetOf(t, w.guestKey.public(), w.otherKey.public())},
			elsewhere:  {ID: elsewhere, Org: "b", Keys: keySetOf(t, newSigner(t, jose.ES256, "e1").public())},
			federated:  {ID: federated, Org: "a", Issuer: &directory.Issuer{URL: w.b.URL, ClientID: "guests-of-b"}},
		},
	}
	w.cfg = identity.Config{StateFolder: t.TempDir(), OperatorIssuer: identity.OperatorIssuer{URL: w.op.URL, ClientID: "operators"}}
	for _, f := range change {
		f(&w.cfg)
	}
	w.open(t)
	return w
}

// open makes the verifier, again after Close.
func (w *world) open(t testing.TB) {
	t.Helper()
	verifier, err := identity.New(w.cfg, identity.Deps{Directory: w.rows, Log: slog.New(slog.NewTextHandler(w.log, nil)), Now: w.clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	w.Verifier = verifier
	t.Cleanup(func() { _ = verifier.Close() })
}

// guest are claims that pass.
func (w *world) guest() claims {
	now := w.clock.Now()
	return claims{
		"iss": resourceID, "aud": "anteroom", "sub": "guest-7", "jti": rand.Text(),
		"iat": now.Unix(), "exp": now.Add(5 * time.Minute).Unix(),
	}
}

// user are claims that pass, of organisation a.
func (w *world) user() claims {
	now := w.clock.Now()
	return claims{
		"iss": w.a.URL, "aud": "client-a", "sub": "u-1", "name": "Ana", "roles": []string{"admin"}, "iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
	}
}

// refused checks a reason, and that the error quotes nothing of the token.
func refused(t testing.TB, err error, want identity.Reason, token string) {
	t.Helper()
	if got := identity.ReasonOf(err); got != want || (want == "" && err != nil) {
		t.Fatalf("refused with %q (%v), want %q", got, err, want)
	}
	if err == nil {
		return
	}
	for part := range strings.SplitSeq(token, ".") {
		if len(part) > 8 && strings.Contains(err.Error(), part) {
			t.Errorf("error %q quotes the token", err)
		}
	}
	for _, personal := range []string{"guest-7", "u-1", "Ana"} {
		if strings.Contains(err.Error(), personal) {
			t.Errorf("error %q names %s", err, personal)
		}
	}
}

func w2json(t testing.TB, c claims) []byte {
	t.Helper()
	payload, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	return payload
}
