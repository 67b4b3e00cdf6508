package directory_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom/anteroom/directory"
)

const someID = "123e4567-e89b-12d3-a456-426614174000"

// fields are the names of the fields that an error names.
func fields(err error) []string {
	var out []string
	for _, f := range directory.Fields(err) {
		out = append(out, f.Field)
	}
	return out
}

type row[T any] struct {
	name   string
	change func(*T)
	want   []string
}

// run changes a good value in one place at a time.
func run[T interface{ Validate() error }](t *testing.T, good func() T, rows []row[T]) {
	t.Helper()
	if err := good().Validate(); err != nil {
		t.Fatalf("the good value: %v", err)
	}
	for _, test := range rows {
		t.Run(test.name, func(t *testing.T) {
			v := good()
			test.change(&v)
			err := v.Validate()
			if diff := cmp.Diff(test.want, fields(err)); diff != "" {
				t.Errorf("fields (-want +got):\n%s\n%v", diff, err)
			}
			if err != nil && strings.Contains(err.Error(), "canary") {
				t.Errorf("the error quotes the value: %v", err)
			}
		})
	}
}

func TestOrganization(t *testing.T) {
	type o = directory.Organization
	good := func() o {
		return o{
			ID: "contoso", Name: "Contoso Ltd", Region: "emea", Issuer: &directory.Issuer{URL: "https://id.example/tenant", ClientID: "anteroom"},
			Webhooks: []directory.Webhook{{URL: "https://hooks.example/a", Secret: "0123456789abcdef", Events: []string{"meeting_started"}}},
		}.WithDefaults()
	}
	run(t, good, []row[o]{
		{"http on loopback", func(v *o) { v.Issuer.URL = "http://127.0.0.1:9/x" }, nil},
		{"id", func(v *o) { v.ID = "Canary" }, []string{"id"}},
		{"no name", func(v *o) { v.Name = "" }, []string{"name"}},
		{"spaces", func(v *o) { v.Name = " \u00a0" }, []string{"name"}},
		{"long name", func(v *o) { v.Name = strings.Repeat("é", 257) }, []string{"name"}},
		{"bidi", func(v *o) { v.Name = "canary\u202e" }, []string{"name"}},
		{"kind", func(v *o) { v.Kind = "canary" }, []string{"kind"}},
		{"region", func(v *o) { v.Region = "EMEA" }, []string{"region"}},
		{"bypass", func(v *o) { v.Settings.LobbyBypass = "canary" }, []string{"settings.lobby_bypass"}},
		{"capability", func(v *o) { v.Settings.WithdrawnCapabilities = []string{"sendChat", "canary"} }, []string{"settings.withdrawn_capabilities[1]"}},
		{"capability twice", func(v *o) { v.Settings.WithdrawnCapabilities = []string{"sendChat", "sendChat"} }, []string{"settings.withdrawn_capabilities[1]"}},
		{"http", func(v *o) { v.Issuer.URL = "http://id.example" }, []string{"issuer.url"}},
		{"user in URL", func(v *o) { v.Issuer.URL = "https://canary@id.example" }, []string{"issuer.url"}},
		{"no client", func(v *o) { v.Issuer.ClientID = "" }, []string{"issuer.client_id"}},
		{"webhook", func(v *o) { v.Webhooks[0].URL = "ftp://canary" }, []string{"webhooks[0].url"}},
		{"short secret", func(v *o) { v.Webhooks[0].Secret = "canary" }, []string{"webhooks[0].secret"}},
		{"everything", func(v *o) { *v = o{} }, []string{"id", "name", "kind", "region", "settings.lobby_bypass"}},
	})
}

func TestUser(t *testing.T) {
	type u = directory.User
	good := func() u {
		return u{ID: "ada@contoso", Org: "contoso", Name: "Ada", Groups: []string{"staff"}, Attributes: map[string]string{"department": "R&D"}}
	}
	run(t, good, []row[u]{
		{"id", func(v *u) { v.ID = " canary" }, []string{"id"}},
		{"organization", func(v *u) { v.Org = "" }, []string{"organization"}},
		{"group twice", func(v *u) { v.Groups = []string{"a", "a"} }, []string{"groups[1]"}},
		{"attribute", func(v *u) { v.Attributes["x"] = strings.Repeat("x", 257) }, []string{"attributes.x"}},
		{"bypass", func(v *u) { v.LobbyBypass = "nobody" }, []string{"lobby_bypass"}},
		{"capability", func(v *u) { v.WithdrawnCapabilities = []string{""} }, []string{"withdrawn_capabilities[0]"}},
	})
}

func TestResource(t *testing.T) {
	type r = directory.Resource
	good := func() r {
		return r{
			ID: someID, Org: "contoso", Name: "Clinic", Region: "amer", Keys: json.RawMessage(`{"keys":[{"kty":"OKP","crv":"Ed25519","x":"AA"}]}`),
			Origins: []string{"https://clinic.example", "http://localhost:3000"},
		}
	}
	keys := func(text string) func(*r) { return func(v *r) { v.Keys = json.RawMessage(text) } }
	run(t, good, []row[r]{
		{"id", func(v *r) { v.ID = strings.ToUpper(someID) }, []string{"id"}},
		{"both", func(v *r) { v.Issuer = &directory.Issuer{URL: "https://id.example", ClientID: "x"} }, []string{"issuer"}},
		{"none", func(v *r) { v.Keys = nil }, []string{"keys"}},
		{"issuer", func(v *r) { v.Keys, v.Issuer = nil, &directory.Issuer{URL: "https://id.example", ClientID: "x"} }, nil},
		{"no set", keys(`[]`), []string{"keys"}},
		{"empty set", keys(`{"keys":[]}`), []string{"keys"}},
		{"large set", keys(`{"keys":[{"kty":"RSA","n":"` + strings.Repeat("A", 64<<10) + `"}]}`), []string{"keys"}},
		{"shared key", keys(`{"keys":[{"kty":"oct","k":"canary"}]}`), []string{"keys.keys[0].kty", "keys.keys[0].k"}},
		{"private key", keys(`{"keys":[{"kty":"EC","d":"canary"}]}`), []string{"keys.keys[0].d"}},
		{"no key ids", keys(`{"keys":[{"kty":"EC"},{"kty":"EC"}]}`), []string{"keys.keys[0].kid", "keys.keys[1].kid"}},
		{"origin with path", func(v *r) { v.Origins[0] = "https://clinic.example/" }, []string{"origins[0]"}},
		{"origin over http", func(v *r) { v.Origins[0] = "http://clinic.example" }, []string{"origins[0]"}},
		{"null origin", func(v *r) { v.Origins[0] = "null" }, []string{"origins[0]"}},
	})
}

func TestMeeting(t *testing.T) {
	type m = directory.Meeting
	noon := time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	later := noon.Add(time.Hour)
	good := func() m {
		return m{ID: someID, Org: "contoso", Title: "Stand-up", Organizer: "ada", StartsAt: &noon, EndsAt: &later, Invited: []string{"bob"}}.WithDefaults()
	}
	run(t, good, []row[m]{
		{"title", func(v *m) { v.Title = "a\r\nATTENDEE:canary" }, []string{"title"}},
		{"kind", func(v *m) { v.Kind = "party" }, []string{"kind"}},
		{"no organiser", func(v *m) { v.Organizer = "" }, []string{"organizer"}},
		{"end only", func(v *m) { v.StartsAt = nil }, []string{"ends_at"}},
		{"ends before", func(v *m) { v.EndsAt = &noon }, []string{"ends_at"}},
		{"resource", func(v *m) { v.Resource = someID }, []string{"resource"}},
		{"guest's call", func(v *m) { v.Kind = directory.MeetingGuestCall }, []string{"organizer", "resource"}},
		{"many invited", func(v *m) { v.Invited = slices.Repeat([]string{"x"}, directory.MaxListLen+1) }, []string{"invited"}},
		{"link", func(v *m) { v.LinkVersion = -1 }, []string{"link_version"}},
	})
	if v := good(); !v.IsInvited("ada") || !v.IsInvited("bob") || v.IsInvited("") || v.IsPresenter("bob") {
		t.Error("the organiser is invited and presents, others as listed")
	}
}
