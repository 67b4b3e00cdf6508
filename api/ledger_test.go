package api

import (
	"context"
	"net/http"
	"strings"
	"testing"
)

// tiles are a ledger's by their paths; what a real one has is tested in retention/ledger and cmd/anteroom.
type tiles map[string]string

func (s tiles) at(region, path string) (string, error) {
	if region != "emea" {
		return "", ErrNoLedger
	}
	content, ok := s[path]
	if !ok {
		return "", ErrNoTile
	}
	return content, nil
}

func (s tiles) Key(region string) (string, error) { return s.at(region, "key") }

func (s tiles) Checkpoint(_ context.Context, region string) ([]byte, error) {
	text, err := s.at(region, "checkpoint")
	return []byte(text), err
}

func (s tiles) Tile(_ context.Context, region, path string) ([]byte, error) {
	text, err := s.at(region, path)
	return []byte(text), err
}

func TestLedgersAreServed(t *testing.T) {
	const (
		key        = "/v1/ledger/:region/key"
		checkpoint = "/v1/ledger/:region/checkpoint"
		tile       = "/v1/ledger/:region/tile/:tile"
	)
	s := start(t, func(_ *Config, d *Deps) {
		d.Ledgers = tiles{"key": "vkey", "checkpoint": "signed\n", "0/000.p/3": "\x00\x01\xff", "entries/x001/x234/067": "leaves", "63/000": "top"}
	})
	for _, c := range []struct {
		who, route, path, want string
	}{
		{"admin@contoso", key, "/v1/ledger/emea/key", "vkey\n"},
		{"auditor@contoso", checkpoint, "/v1/ledger/emea/checkpoint", "signed\n"},
		{"auditor@fabrikam", tile, "/v1/ledger/emea/tile/0/000.p/3", "\x00\x01\xff"},
		{"operator", tile, "/v1/ledger/emea/tile/entries/x001/x234/067", "leaves"},
		{"operator", tile, "/v1/ledger/emea/tile/63/000", "top"},
		{"operator", tile, "/v1/ledger/emea/tile/0%2F000.p%2F3", "\x00\x01\xff"},
	} {
		if got := s.send(200, c.who, http.MethodGet, c.route, c.path, nil); string(got.body) != c.want {
			t.Errorf("%s: %q, want %q", c.path, got.body, c.want)
		}
	}
	for path, code := range map[string]string{
		"/v1/ledger/amer/key": "ledger_not_found", "/v1/ledger/amer/checkpoint": "ledger_not_found", "/v1/ledger/amer/tile/0/000": "ledger_not_found",
		"/v1/ledger/emea/tile/0/001": "tile_not_found",
	} {
		if got := s.send(404, "admin@contoso", http.MethodGet, "", path, nil); !strings.Contains(string(got.body), `"`+code+`"`) {
			t.Errorf("%s: %s", path, got.body)
		}
	}
	for _, path := range []string{"64/000", "0/../../checkpoint", "0/0", "entries/000.p/0", "0/000.p/1000", "0/", "x/000", "0/000/", "0//000", "..%2fcheckpoint", "0/000?x=1"} {
		s.send(400, "admin@contoso", http.MethodGet, "", "/v1/ledger/emea/tile/"+path, nil)
	}
	for _, who := range []string{"support@contoso", "policy_author@contoso", "org_user@contoso"} {
		s.send(403, who, http.MethodGet, "", "/v1/ledger/emea/checkpoint", nil)
		s.send(403, who, http.MethodGet, "", "/v1/ledger/emea/tile/0/000.p/3", nil)
	}
	s.send(401, "", http.MethodGet, "", "/v1/ledger/emea/tile/0/000.p/3", nil)
}
