package doctor

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/anteroom/anteroom/directory"
	"github.com/anteroom/anteroom/directory/registry"
	"github.com/anteroom/anteroom/identity"
	"github.com/anteroom/anteroom/internal/embedded/embeddedtest"
	"github.com/anteroom/anteroom/sealing"
	"github.com/anteroom/anteroom/store"
	"github.com/anteroom/anteroom/store/storetest"
)

func TestMain(m *testing.M) { embeddedtest.Main(m) }

// canary is a secret that must not be told.
const canary = "c4n4ry-s3cr3t"

// looked is what jobs saw, and that no secret is in it.
func looked(t *testing.T, jobs ...Job) Report {
	t.Helper()
	var r Report
	r.Run(t.Context(), time.Minute, jobs...)
	asJSON, err := json.Marshal(r.Checks)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(r.Text()+string(asJSON), canary) {
		t.Errorf("the report tells a secret:\n%s", r.Text())
	}
	return r
}

// expect wants a check of a name with a status that says something and something to do; "" of what is ok.
func expect(t *testing.T, r Report, name string, status Status, says, do string) {
	t.Helper()
	for _, c := range r.Checks {
		if c.Name == name && c.Status == status && strings.Contains(c.Says, says) && strings.Contains(c.Do, do) && (status == OK) == (c.Do == "") {
			return
		}
	}
	t.Errorf("no %s %s that says %q, do %q:\n%s", status, name, says, do, r.Text())
}

// judged is what a function adds.
func judged(judge func(s *subject)) Report {
	s := &subject{}
	judge(s)
	return Report{s.checks}
}

func TestWhoeverDoesNotComeBackIsAFailedCheck(t *testing.T) {
	stuck := make(chan struct{})
	defer close(stuck)
	var r Report
	r.Run(t.Context(), 10*time.Millisecond, Job{Name: "stuck", look: func(context.Context, *subject) { <-stuck }}, Job{Name: "quick", look: func(_ context.Context, s *subject) { s.ok("quick", "fine") }})
	expect(t, r, "stuck", Failed, "no answer within 10ms", "--timeout")
	expect(t, r, "quick", OK, "fine", "")
	if r.Worst() != Failed {
		t.Errorf("the worst is %s", r.Worst())
	}
}

func TestTheWorstCounts(t *testing.T) {
	for _, tt := range []struct {
		seen []Status
		want Status
	}{{nil, OK}, {[]Status{OK, Skipped}, OK}, {[]Status{Warning, OK, Skipped}, Warning}, {[]Status{Failed, Warning, OK}, Failed}} {
		var r Report
		for _, s := range tt.seen {
			r.Checks = append(r.Checks, Check{Status: s})
		}
		if got := r.Worst(); got != tt.want {
			t.Errorf("%v: %s, want %s", tt.seen, got, tt.want)
		}
	}
}

func TestConfigurationThatCannotBe(t *testing.T) {
	var r Report
	r.Configuration("serve", []string{"kafka.brokers: name at least one host:port"})
	expect(t, r, "configuration", Failed, "kafka.brokers", "check-config")
	r = Report{}
	r.Unreachable(store.ErrUnavailable)
	expect(t, r, "engines", Failed, "", "--data")
}

func TestDirectory(t *testing.T) {
	tables, cfg := storetest.NewConfig(t)
	issuers := identity.DefaultConfig()
	regions := []string{"emea", "amer"}
	expect(t, looked(t, Directory(cfg, issuers, regions)), "regions", OK, "0 organisations", "")

	put := func(kind, id string, value any) {
		t.Helper()
		raw, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tables.Put(t.Context(), store.Control{Kind: kind, ID: id, Value: raw, Author: "test"}, 0); err != nil {
			t.Fatal(err)
		}
	}
	good, other := provider(t, false), provider(t, true)
	put(registry.KindOrganization, "clinic", directory.Organization{ID: "clinic", Region: "emea", Issuer: &directory.Issuer{URL: good}})
	put(registry.KindResource, "r1", directory.Resource{ID: "r1", Region: "amer"})
	r := looked(t, Directory(cfg, issuers, regions))
	expect(t, r, "issuers", OK, "organisation clinic", "")
	expect(t, r, "regions", OK, "1 organisation and 1 resource", "")

	put(registry.KindResource, "r2", directory.Resource{ID: "r2", Region: "apac", Issuer: &directory.Issuer{URL: "http://127.0.0.1:1"}})
	issuers.OperatorIssuer.URL = other
	r = looked(t, Directory(cfg, issuers, regions))
	expect(t, r, "issuers", Failed, "metadata is of another issuer", "exactly its issuer")
	expect(t, r, "issuers", Failed, "resource r2", "nobody can sign in")
	expect(t, r, "regions", Failed, "the region apac, which is not configured", "Configure that region")

	cfg.Database = "nothing"
	expect(t, looked(t, Directory(cfg, issuers, regions)), "directory", Failed, "can't be read", "clickhouse.addresses")
}

// provider is an OpenID provider as far as metadata and keys go; a strange one says that it is another.
func provider(t *testing.T, strange bool) string {
	t.Helper()
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	var url string
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	url = server.URL
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		says := url
		if strange {
			says += "/other"
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"issuer": says, "jwks_uri": url + "/keys", "authorization_endpoint": url + "/a", "token_endpoint": url + "/t", "id_token_signing_alg_values_supported": []string{"RS256"}})
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: private.Public(), KeyID: "1", Algorithm: "RS256", Use: "sig"}}})
	})
	return url
}

func TestKeysForChat(t *testing.T) {
	home, cfg := storetest.NewConfig(t)
	keys := sealing.DefaultConfig()
	keys.Dir = t.TempDir()
	expect(t, looked(t, Keys(cfg, keys, []string{"emea"}, false)), "keys.published", Skipped, "nothing runs", "while the service runs")
	r := looked(t, Keys(cfg, keys, []string{"emea"}, true))
	expect(t, r, "keys.published", Failed, "region emea has published no key for now", "role ingest")
	expect(t, r, "keys.private", Warning, "emea: there are no keys", "sealing.dir")

	keeper, err := sealing.NewKeeper(keys, "emea", sealing.KeeperDeps{Home: home, Progress: progress{}})
	if err != nil {
		t.Fatal(err)
	}
	if err := keeper.Pass(t.Context()); err != nil {
		t.Fatal(err)
	}
	r = looked(t, Keys(cfg, keys, []string{"emea"}, true))
	expect(t, r, "keys.published", OK, "chat can be sealed", "")
	expect(t, r, "keys.private", OK, "keys in sealing.dir", "")
}
