package api

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/anteroom/anteroom/identity"
	"github.com/anteroom/anteroom/identity/apitoken"
)

// A script's token has the roles and the end that it was given and no more, is stored as a digest only, shows that it was used, and is of no use once revoked.
func TestScriptsHaveTokens(t *testing.T) {
	s := start(t, nil)
	const route = "/v1/tokens"
	type made struct {
		Token string `json:"token"`
		Made  struct {
			ID         string     `json:"id"`
			LastUsedAt *time.Time `json:"last_used_at"`
		} `json:"made"`
	}
	newToken := func(fields object) made {
		t.Helper()
		return read[made](t, s.send(http.StatusCreated, "admin@contoso", http.MethodPost, route, route, fields))
	}
	by := func(m made) []string { return []string{"Authorization", "Bearer " + m.Token} }
	admin, reader := newToken(object{"name": "backup", "roles": []string{"admin"}, "days": 1}), newToken(object{"name": "watch", "roles": []string{"admin"}, "read_only": true})

	s.send(http.StatusOK, "", http.MethodGet, "/v1/session", "/v1/session", nil, by(admin)...)
	for _, m := range []made{admin, reader} {
		s.send(http.StatusOK, "", http.MethodGet, "/v1/calls", "/v1/calls", nil, by(m)...)
		s.send(http.StatusForbidden, "", http.MethodGet, "/v1/calls", "/v1/calls?org=fabrikam", nil, by(m)...)
	}
	patch := "/v1/organizations/contoso"
	etag := s.send(http.StatusOK, "", http.MethodGet, "/v1/organizations/:id", patch, nil, by(reader)...).header.Get("ETag")
	s.send(http.StatusForbidden, "", http.MethodPatch, "/v1/organizations/:id", patch, object{"name": "Contoso"}, append(by(reader), "If-Match", etag)...)
	s.send(http.StatusOK, "", http.MethodPatch, "/v1/organizations/:id", patch, object{"name": "Contoso"}, append(by(admin), "If-Match", etag)...)

	// What takes a person, and what the maker could not do.
	s.send(http.StatusForbidden, "", http.MethodPost, route, route, object{"name": "child", "roles": []string{"admin"}}, by(admin)...)
	s.send(http.StatusForbidden, "", http.MethodDelete, route+"/:id", route+"/"+reader.Made.ID, nil, by(admin)...)
	s.send(http.StatusForbidden, "", http.MethodPost, "/v1/exports/:id/approve", "/v1/exports/"+reader.Made.ID+"/approve", nil, by(admin)...)
	s.send(http.StatusUnprocessableEntity, "admin@contoso", http.MethodPost, route, route, object{"name": "x", "roles": []string{"auditor"}})
	s.send(http.StatusUnprocessableEntity, "admin@contoso", http.MethodPost, route, route, object{"name": "x", "roles": []string{"operator"}})
	s.send(http.StatusForbidden, "auditor@contoso", http.MethodPost, route, route, object{"name": "x", "roles": []string{"auditor"}})

	// Bent tokens.
	parts := strings.Split(admin.Token, ".")
	other := strings.Split(reader.Token, ".")
	for name, token := range map[string]string{
		"another secret": strings.Join([]string{parts[0], parts[1], parts[2], other[3]}, "."), "another organisation": strings.Join([]string{parts[0], "ZmFicmlrYW0", parts[2], parts[3]}, "."),
		"no secret": strings.Join(parts[:3], ".") + ".", "longer": admin.Token + "A", "nothing": "aat.", "long": "aat." + strings.Repeat("A", 3000),
	} {
		if got := s.send(http.StatusUnauthorized, "", http.MethodGet, "/v1/session", "/v1/session", nil, "Authorization", "Bearer "+token); !strings.Contains(string(got.body), string(identity.TokenSignature)) {
			t.Errorf("%s: %s", name, got.body)
		}
	}

	// At rest.
	rows, err := s.people.store.History(t.Context(), apitoken.Kind, "contoso", admin.Made.ID)
	if err != nil || len(rows) < 2 {
		t.Fatalf("%d rows, %v: that the token was used isn't written down", len(rows), err)
	}
	for _, row := range rows {
		if strings.Contains(string(row.Value), parts[3]) || strings.Contains(s.log.String(), parts[3]) {
			t.Error("the secret is stored or logged")
		}
	}
	list := s.send(http.StatusOK, "auditor@contoso", http.MethodGet, route, route, nil)
	if strings.Contains(string(list.body), parts[3]) || !strings.Contains(string(list.body), `"created_by":"admin-1"`) || strings.Contains(string(list.body), `"last_used_at":null`) {
		t.Errorf("listed: %s", list.body)
	}
	if got := s.send(http.StatusOK, "admin@fabrikam", http.MethodGet, route, route, nil); strings.Contains(string(got.body), "backup") {
		t.Errorf("another organisation's list: %s", got.body)
	}
	s.send(http.StatusNotFound, "admin@fabrikam", http.MethodDelete, route+"/:id", route+"/"+admin.Made.ID, nil)

	s.send(http.StatusNoContent, "admin@contoso", http.MethodDelete, route+"/:id", route+"/"+admin.Made.ID, nil)
	s.send(http.StatusUnauthorized, "", http.MethodGet, "/v1/session", "/v1/session", nil, by(admin)...)
	s.send(http.StatusOK, "", http.MethodGet, "/v1/session", "/v1/session", nil, by(reader)...)
}

// A token ends when it was to end, and an hour later it shows that it was used again.
func TestTokensEnd(t *testing.T) {
	s := start(t, nil)
	now := time.Now()
	tokens := apitoken.New(s.people.store, func() time.Time { return now })
	made, text, err := tokens.Create(t.Context(), "contoso", apitoken.Token{Name: "x", Roles: []identity.Role{identity.Auditor}, CreatedBy: "ada", ExpiresAt: now.Add(3 * time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	used := func() time.Time {
		t.Helper()
		if _, err := tokens.Prove(t.Context(), text); err != nil {
			t.Fatal(err)
		}
		list, err := tokens.List(t.Context(), "contoso")
		if err != nil || len(list) != 1 {
			t.Fatalf("%v %v", list, err)
		}
		return list[0].UsedAt
	}
	first := used()
	now = now.Add(2 * time.Hour)
	if second := used(); first.IsZero() || !second.After(first) {
		t.Errorf("used at %s, then at %s", first, second)
	}
	now = made.ExpiresAt
	if _, err := tokens.Prove(t.Context(), text); identity.ReasonOf(err) != identity.TokenExpired {
		t.Errorf("at its end: %v", err)
	}
	raw, err := json.Marshal(made)
	if err != nil || strings.Contains(string(raw), strings.Split(text, ".")[3]) {
		t.Errorf("%s %v", raw, err)
	}
}
