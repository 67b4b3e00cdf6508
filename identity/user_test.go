package identity_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"github.com/anteroom/anteroom/directory"
	"github.com/anteroom/anteroom/identity"
)

func TestUserOfAnOrganisation(t *testing.T) {
	w := newWorld(t)
	base := func(change claims) claims { return w.user().with(change) }
	expires := w.clock.Now().Add(time.Hour)
	principal := func(org string, roles ...identity.Role) identity.Principal {
		return identity.Principal{Roles: append([]identity.Role{}, roles...), Org: org, Subject: "u-1", Name: "Ana", Expires: expires}
	}
	for _, test := range []struct {
		name   string
		signer signer
		claims claims
		want   identity.Principal
	}{
		{"admin", w.keyA, base(nil), principal("a", identity.OrgUser, identity.Admin)},
		{"no role", w.keyA, base(claims{"roles": nil}), principal("a", identity.OrgUser)},
		{"one role as text", w.keyA, base(claims{"roles": "auditor"}), principal("a", identity.OrgUser, identity.Auditor)},
		{"roles of another shape", w.keyA, base(claims{"roles": claims{"admin": true}}), principal("a", identity.OrgUser)},
		{
			"unknown roles, operator and guest are dropped", w.keyA, base(claims{"roles": []string{"root", "operator", "guest", "Admin", "support", "policy_author"}}),
			principal("a", identity.OrgUser, identity.Support, identity.PolicyAuthor),
		},
		{"a claim that names another organisation", w.keyA, base(claims{"org": "b"}), principal("a", identity.OrgUser, identity.Admin)},
		{
			"roles at a path", w.keyB, base(claims{"iss": w.b.URL, "aud": []string{"account", "client-b"}, "realm": claims{"roles": []string{"support"}}}),
			principal("b", identity.OrgUser, identity.Support),
		},
		{
			"a claim of exactly that name comes first", w.keyB, base(claims{"iss": w.b.URL, "aud": "client-b", "realm": claims{"roles": []string{"admin"}}, "realm.roles": []string{"auditor"}}),
			principal("b", identity.OrgUser, identity.Auditor),
		},
		{"operator", w.keyOp, base(claims{"iss": w.op.URL, "aud": "operators", "roles": []string{"operator", "admin"}}), principal("", identity.Operator)},
		{"nobody at the operator's issuer", w.keyOp, base(claims{"iss": w.op.URL, "aud": "operators"}), principal("")},
		{"name with an override", w.keyA, base(claims{"name": "A\u202en\na"}), principal("a", identity.OrgUser, identity.Admin)},
		{"preferred name", w.keyA, base(claims{"name": nil, "preferred_username": "Ana"}), principal("a", identity.OrgUser, identity.Admin)},
	} {
		t.Run(test.name, func(t *testing.T) {
			token := test.signer.sign(t, test.claims)
			for range 2 { // a user's token is used again and again
				got, err := w.User(t.Context(), token)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(test.want, got); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			}
		})
	}
}

func TestUserIsRefused(t *testing.T) {
	w := newWorld(t)
	at := func(d time.Duration) int64 { return w.clock.Now().Add(d).Unix() }
	for _, test := range []struct {
		name   string
		signer signer
		change claims
		want   identity.Reason
	}{
		{"permitted", w.keyA, nil, ""},
		{"another organisation's issuer signs", w.keyB, nil, identity.TokenSignature},
		{"another organisation's issuer signs with this one's key id", signer{jose.ES256, newSigner(t, jose.ES256, "").key, "a1"}, nil, identity.TokenSignature},
		{"another organisation's issuer with this one's audience", w.keyB, claims{"iss": w.b.URL}, identity.TokenAudience},
		{"an organisation's issuer with the operators' audience", w.keyA, claims{"aud": "operators", "roles": []string{"operator"}}, identity.TokenAudience},
		{"the operator's issuer signed by an organisation's", w.keyA, claims{"iss": w.op.URL, "aud": "operators"}, identity.TokenSignature},
		{"unknown issuer", w.keyA, claims{"iss": "https://issuer.invalid"}, identity.IssuerUnknown},
		{"issuer with a slash more", w.keyA, claims{"iss": w.a.URL + "/"}, identity.IssuerUnknown},
		{"no issuer", w.keyA, claims{"iss": nil}, identity.TokenIncomplete},
		{"empty issuer", w.keyA, claims{"iss": ""}, identity.TokenIncomplete},
		{"audience of guests", w.keyA, claims{"aud": "anteroom"}, identity.TokenAudience},
		{"no audience", w.keyA, claims{"aud": nil}, identity.TokenIncomplete},
		{"expired 59 s ago", w.keyA, claims{"exp": at(-59 * time.Second)}, ""},
		{"expired 61 s ago", w.keyA, claims{"exp": at(-61 * time.Second)}, identity.TokenExpired},
		{"no expiry", w.keyA, claims{"exp": nil}, identity.TokenIncomplete},
		{"no issue time", w.keyA, claims{"iat": nil}, ""},
		{"issued in 61 s", w.keyA, claims{"iat": at(61 * time.Second)}, identity.TokenNotYet},
		{"not before in 61 s", w.keyA, claims{"nbf": at(61 * time.Second)}, identity.TokenNotYet},
		{"no subject", w.keyA, claims{"sub": nil}, identity.TokenIncomplete},
		{"a resource", w.guestKey, claims{"iss": resourceID, "aud": "anteroom"}, identity.IssuerUnknown},
		{"above 16 KiB", w.keyA, claims{"extra": strings.Repeat("x", 16<<10)}, identity.TokenMalformed},
	} {
		t.Run(test.name, func(t *testing.T) {
			token := test.signer.sign(t, w.user().with(test.change))
			_, err := w.User(t.Context(), token)
			refused(t, err, test.want, token)
		})
	}
	_, err := w.User(t.Context(), "")
	refused(t, err, identity.TokenMissing, "")
}

func TestOrganisationsThatShareAProvider(t *testing.T) {
	w := newWorld(t)
	org := func(id, client string) {
		w.rows.set(func(r *rows) {
			r.orgs[id] = directory.Organization{ID: id, Issuer: &directory.Issuer{URL: w.a.URL, ClientID: client}}
		})
	}
	try := func(name string, audience any, wantOrg string, want identity.Reason) {
		t.Helper()
		token := w.keyA.sign(t, w.user().with(claims{"aud": audience}))
		got, err := w.User(t.Context(), token)
		if identity.ReasonOf(err) != want || got.Org != wantOrg {
			t.Errorf("%s: got %q of %q (%v)", name, identity.ReasonOf(err), got.Org, err)
		}
	}
	org("c", "client-c")
	try("first", "client-a", "a", "")
	try("second", "client-c", "c", "")
	try("both", []string{"client-a", "client-c"}, "", identity.TokenAudience)
	org("c", "client-a")
	try("the same client", "client-a", "", identity.TokenAudience)
	org("c", "")
	try("no client", "", "", identity.TokenAudience)

	// An organisation that names the operator's issuer and client locks nobody out.
	w.rows.set(func(r *rows) {
		r.orgs["c"] = directory.Organization{ID: "c", Issuer: &directory.Issuer{URL: w.op.URL, ClientID: "operators"}}
	})
	got, err := w.User(t.Context(), w.keyOp.sign(t, w.user().with(claims{"iss": w.op.URL, "aud": "operators", "roles": "operator"})))
	if err != nil || got.Org != "" || cmp.Diff([]identity.Role{identity.Operator}, got.Roles) != "" {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestIssuerKeysFollow(t *testing.T) {
	w := newWorld(t)
	user := func(s signer) error {
		_, err := w.User(t.Context(), s.sign(t, w.user()))
		return err
	}
	want := func(step string, err error, reason identity.Reason) {
		t.Helper()
		if identity.ReasonOf(err) != reason || (reason == "" && err != nil) {
			t.Fatalf("%s: %v, want %q", step, err, reason)
		}
	}
	want("first key", user(w.keyA), "")
	next := newSigner(t, jose.EdDSA, "a2")
	want("a key that the issuer does not have yet", user(next), identity.TokenSignature)
	w.a.set(func(p *provider) { p.keys = append(p.keys, next.public()) })
	w.clock.Add(10 * time.Second)
	want("a key that is new", user(next), "")

	before := w.a.fetches
	for range 100 {
		want("unknown key ids", user(newSigner(t, jose.EdDSA, "unknown")), identity.TokenSignature)
	}
	if asked := w.a.fetches - before; asked > 1 {
		t.Errorf("asked the issuer %d times for 100 tokens with unknown key ids", asked)
	}

	w.a.set(func(p *provider) { p.down = true })
	w.clock.Add(2 * time.Hour)
	want("the issuer is away for a while", user(w.keyA), "")
	w.clock.Add(5 * time.Hour)
	want("the issuer is away for long", user(w.keyA), identity.IssuerUnavailable)
	w.a.set(func(p *provider) { p.down, p.keys = false, p.keys[1:] })
	w.clock.Add(10 * time.Second)
	want("a key that was taken away", user(w.keyA), identity.TokenSignature)
	want("the key that stays", user(next), "")
}

func TestIssuersThatAnswerWrongly(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*provider)
	}{
		{"metadata of another issuer", func(p *provider) { p.metadata["issuer"] = "https://another.invalid" }},
		{"no keys", func(p *provider) { p.keys = nil }},
		{"keys elsewhere, unprotected", func(p *provider) { p.metadata["jwks_uri"] = "http://192.0.2.1/keys" }},
		{"keys in a file", func(p *provider) { p.metadata["jwks_uri"] = "file:///etc/passwd" }},
		{"token endpoint unprotected", func(p *provider) { p.metadata["token_endpoint"] = "http://192.0.2.1/token" }},
		{"endless metadata", func(p *provider) { p.metadata["more"] = strings.Repeat("x", 2<<20) }},
		{"symmetric key", func(p *provider) {
			p.keys = []jose.JSONWebKey{{Key: []byte("secret-secret-secret-secret-secr"), KeyID: "a1"}}
		}},
		{"away", func(p *provider) { p.down = true }},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			w.a.set(test.change)
			token := w.keyA.sign(t, w.user())
			_, err := w.User(t.Context(), token)
			refused(t, err, identity.IssuerUnavailable, token)
			if strings.Contains(w.log.String(), token) || !strings.Contains(w.log.String(), "can't be fetched") {
				t.Errorf("log: %s", w.log)
			}
			if _, err := w.User(t.Context(), w.keyOp.sign(t, w.user().with(claims{"iss": w.op.URL, "aud": "operators"}))); err != nil {
				t.Errorf("another issuer suffers: %v", err)
			}
		})
	}
}

func TestUserWhenTheDirectoryIsAway(t *testing.T) {
	w := newWorld(t)
	w.rows.set(func(r *rows) { r.err = errors.New("the store is away") })
	token := w.keyA.sign(t, w.user())
	_, err := w.User(t.Context(), token)
	refused(t, err, identity.IssuerUnavailable, token)
}
