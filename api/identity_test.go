package api

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/uuid"

	"github.com/anteroom/anteroom/directory"
	"github.com/anteroom/anteroom/directory/registry"
	"github.com/anteroom/anteroom/identity"
	"github.com/anteroom/anteroom/identity/apitoken"
	"github.com/anteroom/anteroom/identity/devissuer"
	"github.com/anteroom/anteroom/policy"
	"github.com/anteroom/anteroom/retention"
	"github.com/anteroom/anteroom/store"
	"github.com/anteroom/anteroom/store/storetest"
)

// publicURL is what tests of signing in have the service call itself; nothing listens there.
const publicURL = "http://localhost:1"

// people are the identity of a test: a directory with the organisations contoso and fabrikam, a verifier, and a development issuer on a port
// of its own.
type people struct {
	t        *testing.T
	rows     *registry.Registry
	verifier *identity.Verifier
	issuer   *devissuer.Issuer
	// book changes retention policies and holds; sql speaks to the directory's database.
	book *retention.Rulebook
	sql  *storetest.SQL
	// store has the directory's rows.
	store *store.Store
	// clinic is a resource of contoso, which signs its guests' tokens with clinicKey.
	clinic    directory.Resource
	clinicKey ed25519.PrivateKey
}

func newPeople(t *testing.T, s *store.Store) *people {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	p := &people{t: t, store: s}
	var err error
	p.rows, err = registry.New(registry.Deps{Store: s})
	must(err)
	runUntilEnd(t, p.rows.Run)
	<-p.rows.Ready()
	for id, name := range map[string]string{"contoso": "Contoso Ltd", "fabrikam": "Fabrikam"} {
		_, err = p.rows.Organizations.Put(t.Context(), directory.Organization{ID: id, Name: name, Region: "emea"}, 0, "operator:test")
		must(err)
	}
	public, private, err := ed25519.GenerateKey(rand.Reader)
	must(err)
	p.clinicKey = private
	keys, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: public, KeyID: "k", Algorithm: "EdDSA", Use: "sig"}}})
	must(err)
	put, err := p.rows.Resources.Put(t.Context(), directory.Resource{ID: uuid.NewString(), Org: "contoso", Name: "Clinic", Region: "amer", Keys: keys}, 0, "operator:test")
	must(err)
	p.clinic = put.Value
	engine, err := policy.NewRetention(policy.DefaultConfig())
	must(err)
	p.book, err = retention.NewRulebook(retention.DefaultConfig(), retention.RulebookDeps{
		Directory: p.rows, Home: s, HomeRegion: "emea", Regions: map[string]*store.Store{"emea": s}, Policy: engine, Resources: []string{identity.JoinPageResource},
	})
	must(err)

	var lc net.ListenConfig
	listener, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	must(err)
	url := "http://" + listener.Addr().String()
	p.issuer, err = devissuer.Open(devissuer.Config{URL: url, Folder: t.TempDir(), RedirectURLs: []string{publicURL + "/callback"}}, devissuer.Deps{})
	must(err)
	runUntilEnd(t, func(ctx context.Context) error { return p.issuer.Serve(ctx, listener) })
	cfg := identity.DefaultConfig()
	cfg.StateFolder, cfg.DevelopmentIssuer = t.TempDir(), url
	p.verifier, err = identity.New(cfg, identity.Deps{Directory: p.rows, Log: slog.New(slog.DiscardHandler)})
	must(err)
	t.Cleanup(func() {
		if err := p.verifier.Close(); err != nil {
			t.Errorf("close verifier: %v", err)
		}
	})
	return p
}

// runUntilEnd runs something until the test ends.
func runUntilEnd(t *testing.T, run func(context.Context) error) {
	t.Helper()
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("run: %v", err)
		}
	})
}

// give hands the people to the service.
func (p *people) give(d *Deps) {
	d.Tokens = apitoken.New(p.store, nil)
	d.Auth, d.Sessions, d.JoinPage, d.Links, d.Directory, d.Retention = p.verifier, p.verifier, p.verifier, p.verifier, p.rows, p.book
	d.Login = func(redirectURL string) (Login, error) { return p.verifier.Login(redirectURL) }
}

// token is a bearer token of a user: "admin@contoso" has the role admin of contoso, "operator" is one, "org_user:ada@contoso" is named ada.
func (p *people) token(who string) string {
	p.t.Helper()
	role, org, _ := strings.Cut(who, "@")
	role, user, named := strings.Cut(role, ":")
	if !named {
		user = role + "-1"
	}
	out, err := p.issuer.Token(org, []identity.Role{identity.Role(role)}, user, time.Hour)
	if err != nil {
		p.t.Fatal(err)
	}
	return out
}

// guest is a fresh token of the clinic for one of its guests.
func (p *people) guest(subject string) string {
	p.t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.EdDSA, Key: jose.JSONWebKey{Key: p.clinicKey, KeyID: "k"}}, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		p.t.Fatal(err)
	}
	now := time.Now()
	text, err := json.Marshal(map[string]any{
		"iss": p.clinic.ID, "aud": "anteroom", "sub": subject, "jti": uuid.NewString(), "iat": now.Unix(), "exp": now.Add(time.Minute).Unix(),
	})
	if err != nil {
		p.t.Fatal(err)
	}
	signed, err := signer.Sign(text)
	if err != nil {
		p.t.Fatal(err)
	}
	out, err := signed.CompactSerialize()
	if err != nil {
		p.t.Fatal(err)
	}
	return out
}

// send asks as somebody (see people.token; "" for nobody, "guest" for one of the clinic) and wants a status, 0 for any. body is JSON unless nil; header
// are names and values in turn.
func (s *service) send(status int, who, method, pattern, path string, body any, header ...string) answer {
	s.t.Helper()
	var reader *strings.Reader
	request, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, nil)
	if body != nil {
		text, isText := body.(string)
		if !isText {
			raw, err := json.Marshal(body)
			if err != nil {
				s.t.Fatal(err)
			}
			text = string(raw)
		}
		reader = strings.NewReader(text)
		request, err = http.NewRequestWithContext(s.t.Context(), method, s.url+path, reader)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	switch who {
	case "":
		request.Header["Authorization"] = nil
	case "guest":
		request.Header.Set("Authorization", "Bearer "+s.people.guest("patient-7"))
	default:
		request.Header.Set("Authorization", "Bearer "+s.people.token(who))
	}
	for pair := range slices.Chunk(header, 2) {
		request.Header.Set(pair[0], pair[1])
	}
	got := s.do(request, pattern)
	if status != 0 && got.status != status {
		s.t.Errorf("%s %s as %q: status %d, want %d: %s", method, path, who, got.status, status, got.body)
	}
	return got
}
