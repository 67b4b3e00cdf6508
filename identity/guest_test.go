package identity_test

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"github.com/anteroom/anteroom/directory"
	"github.com/anteroom/anteroom/identity"
)

func TestRule_J2_ResourcesSignTheirGuests(t *testing.T) {
	w := newWorld(t)
	c := w.guest().with(claims{"roles": []string{"admin", "operator"}, "org": "a", "name": "Grace"})
	got, err := w.Guest(t.Context(), w.guestKey.sign(t, c))
	if err != nil {
		t.Fatal(err)
	}
	want := identity.Principal{
		Roles: []identity.Role{identity.Guest}, Subject: "guest-7", Resource: resourceID, Expires: w.clock.Now().Add(5 * time.Minute),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("whatever the token says, a guest is a guest (-want +got):\n%s", diff)
	}

	now := w.clock.Now()
	ago := func(d time.Duration) int64 { return now.Add(-d).Unix() }
	in := func(d time.Duration) int64 { return now.Add(d).Unix() }
	for _, test := range []struct {
		name   string
		change claims
		want   identity.Reason
	}{
		{"another claim", claims{"extra": 1}, ""},
		{"list of audiences", claims{"aud": []string{"x", "anteroom"}}, ""},
		{"wrong audience", claims{"aud": "another"}, identity.TokenAudience},
		{"no audience", claims{"aud": nil}, identity.TokenIncomplete},
		{"audience of a wrong type", claims{"aud": 7}, identity.TokenMalformed},
		{"unknown issuer", claims{"iss": "5f0c2f6e-1f5f-4a3e-9d3c-0d6b6a0f1c99"}, identity.IssuerUnknown},
		{"issuer that is no id", claims{"iss": "somebody"}, identity.IssuerUnknown},
		{"another resource's id", claims{"iss": elsewhere}, identity.TokenSignature},
		{"the join page's id", claims{"iss": identity.JoinPageResource}, identity.TokenSignature},
		{"id in capitals", claims{"iss": strings.ToUpper(resourceID)}, identity.IssuerUnknown},
		{"no issuer", claims{"iss": nil}, identity.TokenIncomplete},
		{"expired 59 s ago", claims{"iat": ago(2 * time.Minute), "exp": ago(59 * time.Second)}, ""},
		{"expired 61 s ago", claims{"iat": ago(2 * time.Minute), "exp": ago(61 * time.Second)}, identity.TokenExpired},
		{"no expiry", claims{"exp": nil}, identity.TokenIncomplete},
		{"no issue time", claims{"iat": nil}, identity.TokenIncomplete},
		{"issued in 59 s", claims{"iat": in(59 * time.Second)}, ""},
		{"issued in 61 s", claims{"iat": in(61 * time.Second)}, identity.TokenNotYet},
		{"not before in 59 s", claims{"nbf": in(59 * time.Second)}, ""},
		{"not before in 61 s", claims{"nbf": in(61 * time.Second)}, identity.TokenNotYet},
		{"lifetime at the limit", claims{"exp": in(10 * time.Minute)}, ""},
		{"lifetime above the limit", claims{"exp": in(10*time.Minute + time.Second)}, identity.TokenTooLong},
		{"expiry before issue", claims{"iat": in(30 * time.Second), "exp": in(10 * time.Second)}, identity.TokenMalformed},
		{"expiry in milliseconds", claims{"exp": now.UnixMilli()}, identity.TokenMalformed},
		{"expiry of no date", claims{"exp": 1e300}, identity.TokenMalformed},
		{"expiry as text", claims{"exp": "soon"}, identity.TokenMalformed},
		{"no subject", claims{"sub": nil}, identity.TokenIncomplete},
		{"long subject", claims{"sub": strings.Repeat("s", 256)}, identity.TokenMalformed},
		{"no id", claims{"jti": nil}, identity.TokenIncomplete},
		{"empty id", claims{"jti": ""}, identity.TokenIncomplete},
		{"long id", claims{"jti": strings.Repeat("j", 256)}, identity.TokenMalformed},
		{"above 16 KiB", claims{"extra": strings.Repeat("x", 16<<10)}, identity.TokenMalformed},
		{"an organisation's issuer", claims{"iss": w.a.URL}, identity.TokenIncomplete},
		{"an organisation's issuer for a resource", claims{"iss": w.a.URL, "resource": resourceID}, identity.IssuerUnknown},
		{"key set where an OpenID provider is registered", claims{"iss": federated}, identity.IssuerUnknown},
	} {
		t.Run(test.name, func(t *testing.T) {
			token := w.guestKey.sign(t, w.guest().with(test.change))
			_, err := w.Guest(t.Context(), token)
			refused(t, err, test.want, token)
		})
	}
}

func TestRule_J2_AlgorithmsArePinned(t *testing.T) {
	w := newWorld(t)
	der, err := x509.MarshalPKIXPublicKey(w.guestKey.key.Public())
	if err != nil {
		t.Fatal(err)
	}
	symmetric := func(secret []byte) string {
		made, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: jose.JSONWebKey{Key: secret, KeyID: "g1"}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		return signAny(t, made, w.guest())
	}
	valid := func() string { return w.guestKey.sign(t, w.guest()) }
	unsigned := func(header string) string {
		parts := strings.Split(valid(), ".")
		return base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + parts[1] + "."
	}
	stranger := newSigner(t, jose.RS256, "g1")
	embedded := func(o *jose.SignerOptions) { o.EmbedJWK = true }
	typ := func(value jose.ContentType) func(*jose.SignerOptions) {
		return func(o *jose.SignerOptions) { o.WithType(value) }
	}
	w.rows.set(func(r *rows) {
		row := r.resources[elsewhere]
		pinned := w.guestKey.public()
		pinned.Algorithm = string(jose.PS256)
		row.Keys = keySetOf(t, pinned)
		r.resources[elsewhere] = row
	})
	for _, test := range []struct {
		name  string
		token string
		want  identity.Reason
	}{
		{"RS256", valid(), ""},
		{"ES256", w.otherKey.sign(t, w.guest()), ""},
		{"PS256 with the same key", signer{jose.PS256, w.guestKey.key, "g1"}.sign(t, w.guest()), ""},
		{"no key id", signer{jose.RS256, w.guestKey.key, ""}.sign(t, w.guest()), ""},
		{"HS256 with the public key as PEM", symmetric(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})), identity.TokenAlgorithm},
		{"HS256 with the public key as DER", symmetric(der), identity.TokenAlgorithm},
		{"none", unsigned(`{"alg":"none"}`), identity.TokenAlgorithm},
		{"None", unsigned(`{"alg":"None"}`), identity.TokenAlgorithm},
		{"no algorithm", unsigned(`{}`), identity.TokenAlgorithm},
		{"an algorithm of another key", signer{jose.ES256, w.otherKey.key, "g1"}.sign(t, w.guest()), identity.TokenAlgorithm},
		{"an algorithm other than the key's own", w.guestKey.sign(t, w.guest().with(claims{"iss": elsewhere})), identity.TokenAlgorithm},
		{"the key's own algorithm", signer{jose.PS256, w.guestKey.key, "g1"}.sign(t, w.guest().with(claims{"iss": elsewhere})), ""},
		{"a stranger's key under a known id", stranger.sign(t, w.guest()), identity.TokenSignature},
		{"a stranger's key in the header", signer{jose.RS256, stranger.key, ""}.sign(t, w.guest(), embedded), identity.TokenSignature},
		{"an unknown key id", signer{jose.RS256, w.guestKey.key, "g9"}.sign(t, w.guest()), identity.TokenSignature},
		{"signature taken off", valid()[:strings.LastIndexByte(valid(), '.')] + ".", identity.TokenSignature},
		{"a logout token", w.guestKey.sign(t, w.guest(), typ("logout+jwt")), identity.TokenMalformed},
		{"an access token", w.guestKey.sign(t, w.guest(), typ("at+jwt")), ""},
		{"nothing", "", identity.TokenMissing},
		{"no token", "hello", identity.TokenMalformed},
		{"JSON serialisation", `{"payload":"e30","signatures":[]}`, identity.TokenMalformed},
		{"claims that are no JSON", w.guestKey.sign(t, []byte("hello")), identity.TokenMalformed},
		{"a claim twice", w.guestKey.sign(t, []byte(`{"iss":"`+elsewhere+`","iss":"`+resourceID+`"}`)), identity.TokenMalformed},
		{"claims in capitals", w.guestKey.sign(t, []byte(`{"ISS":"`+resourceID+`"}`)), identity.TokenIncomplete},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := w.Guest(t.Context(), test.token)
			refused(t, err, test.want, test.token)
		})
	}
}

func signAny(t *testing.T, made jose.Signer, c claims) string {
	t.Helper()
	payload := w2json(t, c)
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

func TestRule_J2_TokensWorkOnce(t *testing.T) {
	w := newWorld(t)
	again := func(token string) {
		t.Helper()
		_, err := w.Guest(t.Context(), token)
		refused(t, err, identity.TokenReplayed, token)
	}
	token := w.guestKey.sign(t, w.guest())
	if _, err := w.Guest(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	again(token)

	// Another token with the same id is a replay too, of another resource it is not.
	same := w.guest().with(claims{"jti": "one"})
	if _, err := w.Guest(t.Context(), w.guestKey.sign(t, same)); err != nil {
		t.Fatal(err)
	}
	again(w.guestKey.sign(t, same.with(claims{"sub": "guest-8"})))
	provided := same.with(claims{"iss": w.b.URL, "resource": federated, "aud": "guests-of-b"})
	if _, err := w.Guest(t.Context(), w.keyB.sign(t, provided)); err != nil {
		t.Errorf("another resource's id: %v", err)
	}

	// A refused token is not used up.
	late := w.guest().with(claims{"jti": "late", "nbf": w.clock.Now().Add(90 * time.Second).Unix()})
	_, err := w.Guest(t.Context(), w.guestKey.sign(t, late))
	refused(t, err, identity.TokenNotYet, "")
	w.clock.Add(45 * time.Second)
	if _, err := w.Guest(t.Context(), w.guestKey.sign(t, late)); err != nil {
		t.Errorf("after its time has come: %v", err)
	}

	// Also after a restart, as long as it would otherwise be valid.
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = w.Guest(t.Context(), w.guestKey.sign(t, w.guest()))
	refused(t, err, identity.JournalUnavailable, "")
	w.open(t)
	again(token)
	w.clock.Add(5*time.Minute + 14*time.Second) // the last second, with skew
	again(token)
}

func TestOneOfFiftyWins(t *testing.T) {
	w := newWorld(t)
	token := w.guestKey.sign(t, w.guest())
	errs := make([]error, 50)
	var group sync.WaitGroup
	for i := range errs {
		group.Go(func() { _, errs[i] = w.Guest(t.Context(), token) })
	}
	group.Wait()
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
			continue
		}
		refused(t, err, identity.TokenReplayed, token)
	}
	if won != 1 {
		t.Errorf("%d of 50 won, want 1", won)
	}
}

func TestGuestOfAnOpenIDProvider(t *testing.T) {
	w := newWorld(t)
	base := w.guest().with(claims{"iss": w.b.URL, "aud": "guests-of-b", "resource": federated})
	for _, test := range []struct {
		name   string
		change claims
		want   identity.Reason
	}{
		{"resource", claims{}, ""},
		{"authorised party", claims{"resource": nil, "azp": federated}, ""},
		{"no resource", claims{"resource": nil}, identity.TokenIncomplete},
		{"a resource of a key set", claims{"resource": resourceID}, identity.IssuerUnknown},
		{"audience of resources with key sets", claims{"aud": "anteroom"}, identity.TokenAudience},
		{"audience of the organisation that shares the provider", claims{"aud": "client-b"}, identity.TokenAudience},
		{"another provider", claims{"iss": w.a.URL}, identity.IssuerUnknown},
	} {
		t.Run(test.name, func(t *testing.T) {
			token := w.keyB.sign(t, base.with(claims{"jti": test.name}).with(test.change))
			got, err := w.Guest(t.Context(), token)
			refused(t, err, test.want, token)
			if err == nil && (got.Resource != federated || got.Org != "") {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestJoinPageSigns(t *testing.T) {
	w := newWorld(t)
	token, err := w.SignGuest()
	if err != nil {
		t.Fatal(err)
	}
	got, err := w.Guest(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	if got.Resource != identity.JoinPageResource || got.Subject == "" || cmp.Diff([]identity.Role{identity.Guest}, got.Roles) != "" {
		t.Errorf("got %+v", got)
	}
	other, err := w.SignGuest()
	if err != nil {
		t.Fatal(err)
	}
	next, err := w.Guest(t.Context(), other)
	if err != nil || next.Subject == got.Subject {
		t.Errorf("got the same subject twice, or %v", err)
	}
	_, err = w.Guest(t.Context(), token)
	refused(t, err, identity.TokenReplayed, token)
	third, err := w.SignGuest()
	if err != nil {
		t.Fatal(err)
	}
	w.clock.Add(3*time.Minute + time.Second)
	_, err = w.Guest(t.Context(), third)
	refused(t, err, identity.TokenExpired, third)
	if _, err := w.User(t.Context(), token); identity.ReasonOf(err) != identity.IssuerUnknown {
		t.Errorf("as a user: %v", err)
	}
}

func TestGuestWhenNothingIsKnown(t *testing.T) {
	w := newWorld(t)
	w.rows.set(func(r *rows) { r.err = errors.New("the store is away") })
	token := w.guestKey.sign(t, w.guest())
	_, err := w.Guest(t.Context(), token)
	refused(t, err, identity.IssuerUnavailable, token)
	w.rows.set(func(r *rows) { r.err = nil })
	if _, err := w.Guest(t.Context(), token); err != nil {
		t.Error(err)
	}
	w.rows.set(func(r *rows) {
		r.resources[resourceID] = directory.Resource{ID: resourceID, Keys: []byte(`{"keys":[]}`)}
	})
	token = w.guestKey.sign(t, w.guest())
	_, err = w.Guest(t.Context(), token)
	refused(t, err, identity.IssuerUnavailable, token)
}

func FuzzGuest(f *testing.F) {
	w := newWorld(f)
	valid := w.guestKey.sign(f, w.guest())
	f.Add(valid)
	f.Add("e30.e30.")
	f.Add(`{"payload":"","signatures":[{"protected":"","signature":""}]}`)
	f.Fuzz(func(t *testing.T, token string) {
		// What is signed must be the same; of the signature's last character some bits don't count.
		signed := valid[:strings.LastIndexByte(valid, '.')+1]
		if _, err := w.Guest(t.Context(), token); err == nil && !strings.HasPrefix(token, signed) {
			t.Errorf("accepted %q", token)
		} else if err != nil && identity.ReasonOf(err) == "" {
			t.Errorf("no reason: %v", err)
		}
	})
}
