package api

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/directory"
	"github.com/anteroom/anteroom/identity"
)

const (
	orgsRoute      = "/v1/organizations"
	orgRoute       = "/v1/organizations/:id"
	usersRoute     = "/v1/organizations/:id/users"
	userRoute      = "/v1/organizations/:id/users/:user"
	resourcesRoute = "/v1/resources"
	resourceRoute  = "/v1/resources/:id"
	meetingsRoute  = "/v1/meetings"
	meetingRoute   = "/v1/meetings/:id"
)

// field asserts that an answer refuses a field.
func (s *service) field(a answer, want string) {
	s.t.Helper()
	p := read[object](s.t, a)
	if detail, _ := p["detail"].(string); p["code"] != "invalid_field" || p["field"] != want || !strings.Contains(detail, want) {
		s.t.Errorf("want field %s refused: %s", want, a.body)
	}
}

func TestOrganizations(t *testing.T) {
	s := start(t, nil)
	input := object{
		"id": "northwind", "name": "Northwind", "region": "amer", "settings": object{"withdrawn_capabilities": []string{"shareScreen"}},
		"issuer":   object{"url": "https://id.northwind.example", "client_id": "anteroom"},
		"webhooks": []object{{"url": "https://hooks.example/a"}, {"url": "https://hooks.example/b", "secret": "given-by-the-client"}},
	}
	made := s.send(201, "operator", http.MethodPost, orgsRoute, orgsRoute, input)
	if made.header.Get("Location") != "/v1/organizations/northwind" || made.header.Get("ETag") != `"1"` {
		t.Errorf("headers %v", made.header)
	}
	o := read[object](t, made)
	hooks := o["webhooks"].([]any)
	secret, _ := hooks[0].(object)["secret"].(string)
	if o["kind"] != "work" || o["settings"].(object)["lobby_bypass"] != "org_users" || o["settings"].(object)["anonymous_join"] != true || len(secret) < 20 {
		t.Errorf("made: %s", made.body)
	}
	if strings.Contains(string(made.body), "given-by-the-client") {
		t.Error("a secret that the client gave is told back")
	}
	if code, _ := s.problem(s.send(409, "operator", http.MethodPost, orgsRoute, orgsRoute, input)); code != "exists" {
		t.Errorf("again: %s", code)
	}
	got := s.send(200, "operator", http.MethodGet, orgRoute, "/v1/organizations/northwind", nil)
	if strings.Contains(string(got.body), secret) {
		t.Error("a secret is shown again")
	}
	s.send(404, "operator", http.MethodGet, orgRoute, "/v1/organizations/nobody", nil)
	all := read[struct{ Organizations []object }](t, s.send(200, "operator", http.MethodGet, orgsRoute, orgsRoute, nil))
	own := read[struct{ Organizations []object }](t, s.send(200, "admin@contoso", http.MethodGet, orgsRoute, orgsRoute, nil))
	if len(all.Organizations) != 3 || len(own.Organizations) != 1 || own.Organizations[0]["id"] != "contoso" {
		t.Errorf("lists: %v, %v", all, own)
	}

	change := func(status int, body any, header ...string) answer {
		t.Helper()
		return s.send(status, "operator", http.MethodPatch, orgRoute, "/v1/organizations/northwind", body, header...)
	}
	change(428, object{"name": "N"})
	for _, tag := range []string{`"2"`, `1`, `W/"1"`, `"1", "2"`, `"0"`, `"x"`} {
		if code, _ := s.problem(change(412, object{"name": "N"}, "If-Match", tag)); code != "precondition_failed" {
			t.Errorf("%s: %s", tag, code)
		}
	}
	changed := change(200, object{
		"settings": object{"anonymous_join": false, "withdrawn_capabilities": nil}, "issuer": nil, "webhooks": []object{{"url": "https://hooks.example/a"}},
	}, "If-Match", `"1"`)
	o = read[object](t, changed)
	if o["name"] != "Northwind" || o["settings"].(object)["anonymous_join"] != false || o["settings"].(object)["lobby_bypass"] != "org_users" ||
		o["settings"].(object)["withdrawn_capabilities"] != nil || o["issuer"] != nil || changed.header.Get("ETag") != `"2"` {
		t.Errorf("changed: %s", changed.body)
	}
	kept, _ := s.people.rows.Organizations.Find("", "northwind")
	if len(kept.Value.Webhooks) != 1 || kept.Value.Webhooks[0].Secret != secret || !strings.HasPrefix(kept.Author, "operator:") {
		t.Errorf("kept: %+v", kept)
	}
}

func TestAdminsDontChangeWhatIsTheOperators(t *testing.T) {
	s := start(t, nil)
	path := "/v1/organizations/contoso"
	for field, body := range map[string]object{
		"kind": {"kind": "personal"}, "issuer": {"issuer": object{"url": "https://id.example", "client_id": "x"}},
	} {
		got := read[object](t, s.send(403, "admin@contoso", http.MethodPatch, orgRoute, path, body, "If-Match", "*"))
		if got["field"] != field {
			t.Errorf("%s: %v", field, got)
		}
	}
	s.send(200, "admin@contoso", http.MethodPatch, orgRoute, path, object{"name": "Contoso SE"}, "If-Match", "*")
	// One issuer and client is one organisation's.
	issuer := object{"issuer": object{"url": "https://id.example", "client_id": "x"}}
	s.send(200, "operator", http.MethodPatch, orgRoute, path, issuer, "If-Match", "*")
	s.field(s.send(422, "operator", http.MethodPatch, orgRoute, "/v1/organizations/fabrikam", issuer, "If-Match", "*"), "issuer")
	third := object{"id": "northwind", "name": "Northwind", "region": "emea", "issuer": issuer["issuer"]}
	s.field(s.send(422, "operator", http.MethodPost, orgsRoute, orgsRoute, third), "issuer")
	s.send(404, "operator", http.MethodGet, orgRoute, "/v1/organizations/northwind", nil)
	// Another client of the same issuer is fine.
	third["issuer"] = object{"url": "https://id.example", "client_id": "y"}
	s.send(201, "operator", http.MethodPost, orgsRoute, orgsRoute, third)
}

func TestBodiesNameWhatIsWrong(t *testing.T) {
	s := start(t, nil)
	for _, test := range []struct{ body, field string }{
		{`{"id":"x","name":"X","region":"emea","colour":"red"}`, "colour"},
		{`{"id":"x","name":"X","region":"emea","settings":{"lobby":"everyone"}}`, "settings.lobby"},
		{`{"id":"x","name":"X","region":"emea","webhooks":[{"url":"https://x.example"},{"url":"https://x.example","uri":1}]}`, "webhooks[1].uri"},
		{`{"id":"x","name":"X"}`, "region"},
		{`{"id":"x","name":7,"region":"emea"}`, "name"},
		{`{"id":"x","name":"X","region":"emea","kind":"school"}`, "kind"},
		{`{"id":"x","name":"X","region":"emea","settings":{"lobby_bypass":"nobody"}}`, "settings.lobby_bypass"},
		{`{"id":"x","name":"X","region":"emea","webhooks":[{"url":"https://x.example","secret":"short"}]}`, "webhooks[0].secret"},
		{`{"id":"X X","name":"X","region":"emea"}`, "id"},
		{`{"id":"x","name":"X","region":"emea","issuer":{"url":"http://id.example","client_id":"c"}}`, "issuer.url"},
		{`{"id":"x","name":"X","region":"emea","settings":{"withdrawn_capabilities":["fly"]}}`, "settings.withdrawn_capabilities[0]"},
	} {
		s.field(s.send(422, "operator", http.MethodPost, orgsRoute, orgsRoute, test.body), test.field)
	}
	for _, body := range []string{``, `{`, `[]`, `"x"`, `null`, `{"id":"x"} {}`} {
		if code, _ := s.problem(s.send(400, "operator", http.MethodPost, orgsRoute, orgsRoute, body)); code != "invalid_request" {
			t.Errorf("%s: %s", body, code)
		}
	}
	s.send(415, "operator", http.MethodPost, orgsRoute, orgsRoute, `{}`, "Content-Type", "text/plain")
	s.send(413, "operator", http.MethodPost, orgsRoute, orgsRoute, `{"name":"`+strings.Repeat("x", maxBody)+`"}`)
}

func TestUsers(t *testing.T) {
	s := start(t, nil)
	path := "/v1/organizations/contoso/users/ada@contoso"
	body := object{"name": "Ada", "groups": []string{"staff"}, "attributes": object{"department": "R&D"}}
	made := s.send(201, "admin@contoso", http.MethodPut, userRoute, path, body)
	if got := read[object](t, made); got["id"] != "ada@contoso" || got["organization"] != "contoso" || made.header.Get("Location") != path {
		t.Errorf("made %s, %v", made.body, made.header)
	}
	s.send(428, "admin@contoso", http.MethodPut, userRoute, path, body)
	s.send(412, "admin@contoso", http.MethodPut, userRoute, path, body, "If-Match", `"9"`)
	s.send(412, "admin@contoso", http.MethodPut, userRoute, path+"x", body, "If-Match", `"1"`)
	replaced := s.send(200, "admin@contoso", http.MethodPut, userRoute, path, object{"name": "Ada L."}, "If-Match", `"1"`)
	if got := read[object](t, replaced); got["groups"] != nil || got["name"] != "Ada L." || replaced.header.Get("ETag") != `"2"` {
		t.Errorf("replaced %s", replaced.body)
	}
	s.send(404, "admin@contoso", http.MethodGet, userRoute, "/v1/organizations/contoso/users/bob", nil)
	for _, user := range []string{"b", "c"} {
		s.send(201, "admin@contoso", http.MethodPut, userRoute, "/v1/organizations/contoso/users/"+user, object{"name": user})
	}
	type page struct {
		Users []struct{ ID string }
		Next  *string `json:"next_page_token"`
	}
	var ids []string
	query := "?page_size=2"
	for query != "" {
		p := read[page](t, s.send(200, "auditor@contoso", http.MethodGet, usersRoute, "/v1/organizations/contoso/users"+query, nil))
		for _, u := range p.Users {
			ids = append(ids, u.ID)
		}
		if query = ""; p.Next != nil {
			query = "?page_size=2&page_token=" + *p.Next
		}
	}
	if got := strings.Join(ids, " "); got != "ada@contoso b c" {
		t.Errorf("users %q", got)
	}
}

func TestResources(t *testing.T) {
	s := start(t, nil)
	input := object{"name": "Portal", "region": "amer", "keys": s.people.clinic.Keys, "origins": []string{"https://portal.example"}}
	made := s.send(201, "admin@contoso", http.MethodPost, resourcesRoute, resourcesRoute, input)
	id, _ := read[object](t, made)["id"].(string)
	path := "/v1/resources/" + id
	if made.header.Get("Location") != path {
		t.Errorf("location %s", made.header.Get("Location"))
	}
	s.send(200, "auditor@contoso", http.MethodGet, resourceRoute, path, nil)
	s.send(404, "auditor@fabrikam", http.MethodGet, resourceRoute, path, nil)
	if code, parameter := s.problem(s.send(400, "operator", http.MethodPost, resourcesRoute, resourcesRoute, input)); code != "invalid_parameter" || parameter != "org" {
		t.Errorf("an operator who names no organisation: %s %s", code, parameter)
	}
	s.send(201, "operator", http.MethodPost, resourcesRoute, resourcesRoute+"?org=fabrikam", input)
	s.send(404, "operator", http.MethodPost, resourcesRoute, resourcesRoute+"?org=nobody", input)
	for who, want := range map[string]int{"operator": 3, "admin@contoso": 2, "admin@fabrikam": 1} {
		if got := read[struct{ Resources []object }](t, s.send(200, who, http.MethodGet, resourcesRoute, resourcesRoute, nil)); len(got.Resources) != want {
			t.Errorf("%s lists %d resources, want %d", who, len(got.Resources), want)
		}
	}
	s.field(s.send(422, "admin@contoso", http.MethodPost, resourcesRoute, resourcesRoute, object{"name": "x", "region": "amer"}), "keys")
	s.field(s.send(422, "admin@contoso", http.MethodPost, resourcesRoute, resourcesRoute, object{
		"name": "x", "region": "amer", "keys": object{"keys": []object{{"kty": "oct", "k": "c2VjcmV0"}}},
	}), "keys.keys[0].kty")
	s.field(s.send(422, "admin@contoso", http.MethodPost, resourcesRoute, resourcesRoute, object{
		"name": "x", "region": "amer", "keys": object{"keys": []object{{"kty": "RSA", "n": "AQAB", "e": "AQAB"}}},
	}), "keys")
	s.field(s.send(422, "admin@contoso", http.MethodPatch, resourceRoute, path, object{"region": "emea"}, "If-Match", `"1"`), "region")
	// The built-in resource's id is nobody's to have.
	s.field(s.send(422, "admin@contoso", http.MethodPost, resourcesRoute, resourcesRoute, object{
		"id": identity.JoinPageResource, "name": "x", "region": "amer", "keys": s.people.clinic.Keys,
	}), "id")
	if err := checkResource(directory.Resource{ID: identity.JoinPageResource, Keys: s.people.clinic.Keys}); err == nil {
		t.Error("the built-in resource's id was taken")
	}
	s.send(403, "admin@contoso", http.MethodPatch, resourceRoute, path, object{"issuer": object{"url": "https://id.example", "client_id": "c"}}, "If-Match", `"1"`)
	changed := s.send(200, "admin@contoso", http.MethodPatch, resourceRoute, path, object{"origins": nil, "name": "Portal 2"}, "If-Match", `"1"`)
	if got := read[object](t, changed); got["origins"] != nil || got["name"] != "Portal 2" || got["keys"] == nil {
		t.Errorf("changed %s", changed.body)
	}
}

func TestMeetings(t *testing.T) {
	s := start(t, nil)
	made := s.send(201, "org_user:ada@contoso", http.MethodPost, meetingsRoute, meetingsRoute, object{"title": "Stand-up", "invited": []string{"bob"}})
	m := read[object](t, made)
	id, _ := m["id"].(string)
	path := "/v1/meetings/" + id
	link, _ := m["join_url"].(string)
	if m["organizer"] != "ada" || m["kind"] != "scheduled" || m["organization"] != "contoso" ||
		link != s.url+"/join/"+id+"#"+s.people.verifier.LinkSecret(id, 1) {
		t.Errorf("made %s", made.body)
	}
	for who, want := range map[string]int{"org_user:ada@contoso": 1, "org_user:bob@contoso": 1, "org_user:eve@contoso": 0, "admin@contoso": 1, "admin@fabrikam": 0} {
		if got := read[struct{ Meetings []object }](t, s.send(200, who, http.MethodGet, meetingsRoute, meetingsRoute, nil)); len(got.Meetings) != want {
			t.Errorf("%s lists %d meetings, want %d", who, len(got.Meetings), want)
		}
	}
	change := func(status int, who string, body object) answer {
		t.Helper()
		return s.send(status, who, http.MethodPatch, meetingRoute, path, body, "If-Match", "*")
	}
	if code, _ := s.problem(change(403, "org_user:bob@contoso", object{"title": "x"})); code != "not_organizer" {
		t.Errorf("code %s", code)
	}
	change(200, "org_user:ada@contoso", object{"title": "Daily", "lobby_bypass": "everyone", "starts_at": "2026-03-04T12:00:00+01:00", "ends_at": "2026-03-04T12:30:00+01:00"})
	change(200, "admin@contoso", object{"lobby_bypass": nil, "withdrawn_capabilities": []string{"sendChat"}})
	s.field(change(422, "admin@contoso", object{"starts_at": nil}), "ends_at")
	s.field(change(422, "admin@contoso", object{"organization": "fabrikam"}), "organization")
	s.field(change(422, "admin@contoso", object{"link_version": 1}), "link_version")
	s.field(change(422, "admin@contoso", object{"kind": "guest_call"}), "kind")
	if facts, ok := s.people.rows.Meeting(id); !ok || facts.Meeting.Title != "Daily" || facts.Meeting.LobbyBypass != "" {
		t.Errorf("kept %+v", facts)
	}
	s.send(403, "org_user:bob@contoso", http.MethodPost, meetingsRoute, meetingsRoute, object{"title": "x", "organizer": "ada"})
	s.send(201, "admin@contoso", http.MethodPost, meetingsRoute, meetingsRoute, object{"title": "x", "organizer": "ada"})
	s.send(403, "org_user:bob@contoso", http.MethodPost, meetingRoute+"/link", path+"/link", nil)
	renewed := read[object](t, s.send(200, "org_user:ada@contoso", http.MethodPost, meetingRoute+"/link", path+"/link", nil))
	if renewed["join_url"] == link || renewed["link_version"] != 2.0 {
		t.Errorf("renewed %v", renewed)
	}
	secret := strings.SplitN(link, "#", 2)[1]
	if strings.Contains(s.log.String(), secret) {
		t.Error("the log has a link's secret")
	}
}

func TestGuestCall(t *testing.T) {
	s := start(t, nil)
	got := read[object](t, s.send(201, "guest", http.MethodPost, callsRoute, callsRoute, object{"title": "Help me"}))
	id, _ := got["meeting_id"].(string)
	kept, ok := s.people.rows.Meeting(id)
	if !ok || kept.Meeting.Kind != directory.MeetingGuestCall || kept.Organization.ID != "contoso" || kept.Meeting.Resource != s.people.clinic.ID ||
		kept.Meeting.Organizer != "" || !strings.HasPrefix(got["join_url"].(string), s.url+"/join/"+id+"#") {
		t.Errorf("%v: %+v", got, kept)
	}
	row, _ := s.people.rows.Meetings.FindID(id)
	if text, err := json.Marshal(row); err != nil || strings.Contains(string(text), "patient-7") {
		t.Errorf("the guest's id is kept: %s %v", text, err)
	}
	token := s.people.guest("patient-7")
	send := func(status int) answer {
		return s.send(status, "", http.MethodPost, callsRoute, callsRoute, object{}, "Authorization", "Bearer "+token)
	}
	send(201)
	if code, _ := s.problem(send(401)); code != "token_replayed" {
		t.Errorf("a token that was used: %s", code)
	}
	page, err := s.people.verifier.SignGuest()
	if err != nil {
		t.Fatal(err)
	}
	s.send(403, "", http.MethodPost, callsRoute, callsRoute, object{}, "Authorization", "Bearer "+page)
}

func TestJoinPageMeeting(t *testing.T) {
	s := start(t, func(c *Config, _ *Deps) { c.JoinPagePerMinute = 6 })
	c := s.cells()
	id := c.meeting["contoso"]
	const route = "/v1/join-page/meetings/:id"
	ask := func(status int, id, secret string) answer {
		t.Helper()
		return s.send(status, "", http.MethodGet, route, "/v1/join-page/meetings/"+id, nil, "Anteroom-Meeting-Secret", secret)
	}
	right := s.people.verifier.LinkSecret(id, 1)
	if got := read[object](t, ask(200, id, right)); got["organization_name"] != "Contoso Ltd" || got["kind"] != "scheduled" || got["title"] != nil {
		t.Errorf("shown: %v", got)
	}
	var bodies []string
	for id, secret := range map[string]string{id: "wrong", uuid.NewString(): right, c.meeting["fabrikam"]: right, "no-uuid": right} {
		p := read[object](t, ask(404, id, secret))
		delete(p, "request_id")
		text, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		bodies = append(bodies, string(text))
	}
	for _, body := range bodies {
		if body != bodies[0] {
			t.Errorf("unknown meeting and wrong secret can be told apart: %s, %s", body, bodies[0])
		}
	}
	ask(404, id, "wrong")
	if got := ask(429, id, right); got.header.Get("Retry-After") == "" {
		t.Error("429 without Retry-After")
	}
	for range 6 {
		token, _ := read[object](t, s.send(201, "", http.MethodPost, "/v1/join-page/token", "/v1/join-page/token", nil))["guest_token"].(string)
		if _, err := s.people.verifier.Guest(t.Context(), token); err != nil {
			t.Errorf("the token is refused: %v", err)
		}
	}
	s.send(429, "", http.MethodPost, "/v1/join-page/token", "/v1/join-page/token", nil)
}
