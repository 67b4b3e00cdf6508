package api

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/anteroom/anteroom/identity"
)

const (
	policiesRoute      = "/v1/retention/policies"
	policyRoute        = "/v1/retention/policies/:id"
	policyHistoryRoute = "/v1/retention/policies/:id/history"
	holdsRoute         = "/v1/retention/holds"
	holdRoute          = "/v1/retention/holds/:id"
	holdHistoryRoute   = "/v1/retention/holds/:id/history"
	previewRoute       = "/v1/retention/preview"
)

// deletes is a policy of everybody.
func deletes(days int) object {
	return object{"name": "Short", "scope": object{"kind": "organization"}, "action": object{"kind": "delete", "days": days}}
}

// with is a value with some of its fields replaced.
func with(of object, fields object) object {
	out := object{}
	for name, value := range of {
		out[name] = value
	}
	for name, value := range fields {
		out[name] = value
	}
	return out
}

func TestRetentionPolicies(t *testing.T) {
	s := start(t, nil)
	s.send(201, "admin@contoso", http.MethodPut, userRoute, "/v1/organizations/contoso/users/ada", object{"name": "Ada", "groups": []string{"legal"}})
	legal := with(deletes(7), object{"scope": object{"kind": "selected", "include": object{"groups": []string{"legal"}}}})
	made := s.send(201, "admin@contoso", http.MethodPost, policiesRoute, policiesRoute, legal)
	p := read[object](t, made)
	id, _ := p["id"].(string)
	path := policiesRoute + "/" + id
	if p["enabled"] != true || p["locked"] != false || p["organization"] != "contoso" || p["updated_by"] != "admin-1" || p["nonce"] != nil ||
		made.header.Get("Location") != path || made.header.Get("ETag") != `"1"` {
		t.Errorf("made %s, %v", made.body, made.header)
	}
	for _, who := range []string{"admin@contoso", "auditor@contoso", "policy_author@contoso"} {
		if got := read[object](t, s.send(200, who, http.MethodGet, policyRoute, path, nil)); cmp.Diff(p, got) != "" {
			t.Errorf("%s reads %v", who, got)
		}
	}
	s.send(404, "admin@fabrikam", http.MethodGet, policyRoute, path, nil)
	change := func(status int, body any, header ...string) answer {
		t.Helper()
		return s.send(status, "admin@contoso", http.MethodPatch, policyRoute, path, body, header...)
	}
	change(428, object{"name": "x"})
	change(412, object{"name": "x"}, "If-Match", `"2"`)
	changed := read[object](t, change(200, object{"action": object{"days": 30, "kind": "retain"}, "locked": true}, "If-Match", `"1"`))
	if diff := cmp.Diff(object{"kind": "retain", "days": 30.0}, changed["action"]); diff != "" || changed["locked"] != true || changed["name"] != "Short" {
		t.Errorf("changed %v", changed)
	}
	// It is locked: it can only grow.
	for field, body := range map[string]object{
		"locked": {"locked": false}, "action.days": {"action": object{"days": 29}}, "action.kind": {"action": object{"kind": "delete"}},
		"scope": {"scope": object{"include": object{"groups": nil, "users": []string{"ada"}}}},
	} {
		s.field(change(422, body, "If-Match", "*"), field)
	}
	s.field(change(422, object{"enabled": false}, "If-Match", "*"), "enabled")
	change(200, object{"scope": object{"kind": "organization", "include": nil}}, "If-Match", "*")
	s.field(s.send(422, "admin@contoso", http.MethodPost, policiesRoute, policiesRoute, with(deletes(29), object{"locked": true})), "locked")

	type history struct{ Versions []object }
	versions := read[history](t, s.send(200, "auditor@contoso", http.MethodGet, policyHistoryRoute, path+"/history", nil)).Versions
	if len(versions) != 3 || versions[0]["name"] != "Short" || versions[0]["version"] != 1.0 || versions[2]["version"] != 3.0 {
		t.Errorf("history %v", versions)
	}
	for _, v := range versions {
		leaf, _ := v["leaf"].(object)
		text, _ := leaf["text"].(string)
		sum := sha256.Sum256([]byte(text))
		if leaf["digest"] != hex.EncodeToString(sum[:]) || !strings.Contains(text, `"nonce":"`) || v["nonce"] != nil {
			t.Errorf("leaf %v", leaf)
		}
	}
	if n := s.people.sql.Count(`SELECT count() FROM ledger_outbox WHERE startsWith(id, 'policy:')`); n != 3 {
		t.Errorf("%d leaves", n)
	}
	s.send(404, "auditor@contoso", http.MethodGet, policyHistoryRoute, policiesRoute+"/"+uuid.NewString()+"/history", nil)

	s.send(201, "admin@contoso", http.MethodPost, policiesRoute, policiesRoute, with(deletes(60), object{"enabled": false}))
	type page struct {
		Policies []object
		Next     *string `json:"next_page_token"`
	}
	seen := 0
	for query := "?page_size=1"; query != ""; {
		got := read[page](t, s.send(200, "auditor@contoso", http.MethodGet, policiesRoute, policiesRoute+query, nil))
		seen += len(got.Policies)
		if query = ""; got.Next != nil {
			query = "?page_size=1&page_token=" + *got.Next
		}
	}
	if seen != 2 {
		t.Errorf("%d policies are listed", seen)
	}
}

func TestPoliciesNameWhatIsWrong(t *testing.T) {
	s := start(t, nil)
	scope := func(fields object) object { return with(deletes(1), object{"scope": fields}) }
	action := func(fields object) object { return with(deletes(1), object{"action": fields}) }
	many := make([]string, 1001)
	for i := range many {
		many[i] = uuid.NewString()
	}
	for _, test := range []struct {
		body  object
		field string
	}{
		{with(deletes(1), object{"name": ""}), "name"},
		{with(deletes(1), object{"name": "a\u202eb"}), "name"},
		{with(deletes(1), object{"colour": "red"}), "colour"},
		{with(deletes(1), object{"id": uuid.NewString()}), "id"},
		{with(deletes(1), object{"nonce": "x"}), "nonce"},
		{with(deletes(1), object{"locked": true, "enabled": false}), "enabled"},
		{object{"name": "x", "scope": object{"kind": "organization"}}, "action"},
		{object{"name": "x", "action": object{"kind": "delete", "days": 1}}, "scope"},
		{action(object{"kind": "delete", "days": 0}), "action.days"},
		{action(object{"kind": "delete", "days": -1}), "action.days"},
		{action(object{"kind": "delete", "days": 36501}), "action.days"},
		{action(object{"kind": "delete", "days": 1.5}), "action.days"},
		{action(object{"kind": "delete", "days": "1"}), "action.days"},
		{action(object{"kind": "delete", "days": json.RawMessage("1e2")}), "action.days"},
		{action(object{"kind": "delete", "days": json.RawMessage("30.0")}), "action.days"},
		{action(object{"kind": "delete", "days": json.RawMessage("1e999")}), "action.days"},
		{action(object{"kind": "delete"}), "action.days"},
		{action(object{"kind": "burn", "days": 1}), "action.kind"},
		{scope(object{"kind": "planet"}), "scope.kind"},
		{scope(object{"kind": "selected"}), "scope.include"},
		{scope(object{"kind": "selected", "include": object{"users": []string{"nobody"}}}), "scope.include.users[0]"},
		{scope(object{"kind": "selected", "exclude": object{"groups": []string{"nowhere"}}}), "scope.exclude.groups[0]"},
		{scope(object{"kind": "selected", "include": object{"users": many}}), "scope.include.users"},
		{scope(object{"kind": "organization", "include": object{"users": []string{"x"}}}), "scope.include"},
		{scope(object{"kind": "adaptive"}), "scope.query"},
		{scope(object{"kind": "adaptive", "query": `department = "x"`}), "scope.query"},
		{scope(object{"kind": "organization", "query": `has x`}), "scope.query"},
	} {
		s.field(s.send(422, "admin@contoso", http.MethodPost, policiesRoute, policiesRoute, test.body), test.field)
		s.field(s.send(422, "policy_author@contoso", http.MethodPost, previewRoute, previewRoute, object{"policy": test.body}), "policy."+test.field)
	}
	wrong := s.send(422, "admin@contoso", http.MethodPost, policiesRoute, policiesRoute, scope(object{"kind": "adaptive", "query": `has x and y = "z"`}))
	if !strings.Contains(string(wrong.body), "column 13") {
		t.Errorf("the place is not told: %s", wrong.body)
	}
	s.send(400, "admin@contoso", http.MethodPost, policiesRoute, policiesRoute, `{`)
}

// holdHeader has the header that a hold is asked for again with.
func holdHeader(key string) []string { return []string{"Idempotency-Key", key} }

func TestHolds(t *testing.T) {
	s := start(t, nil)
	c := s.cells()
	input := object{"meeting": strings.ToUpper(c.meeting["contoso"]), "reason": "Case 7"}
	made := s.send(201, "admin@contoso", http.MethodPost, holdsRoute, holdsRoute, input, holdHeader("k")...)
	hold := read[object](t, made)
	id, _ := hold["id"].(string)
	path := holdsRoute + "/" + id
	if hold["placed_by"] != "admin-1" || hold["meeting"] != c.meeting["contoso"] || hold["released_at"] != nil || hold["nonce"] != nil ||
		made.header.Get("Location") != path || made.header.Get("ETag") != `"1"` {
		t.Errorf("made %s, %v", made.body, made.header)
	}
	again := read[object](t, s.send(201, "admin@contoso", http.MethodPost, holdsRoute, holdsRoute, input, holdHeader("k")...))
	if again["id"] != id || again["version"] != 1.0 {
		t.Errorf("asked again: %v", again)
	}
	if code, parameter := s.problem(s.send(422, "admin@contoso", http.MethodPost, holdsRoute, holdsRoute, with(input, object{"reason": "Case 8"}), holdHeader("k")...)); code != "idempotency_key_reused" || parameter != "Idempotency-Key" {
		t.Errorf("another hold with the same key: %s %s", code, parameter)
	}
	s.send(201, "admin@contoso", http.MethodPost, holdsRoute, holdsRoute, object{"resource": s.people.clinic.ID, "reason": "Case 7"})
	s.send(201, "admin@contoso", http.MethodPost, holdsRoute, holdsRoute, object{"resource": identity.JoinPageResource, "reason": "Case 7"})
	s.send(200, "auditor@contoso", http.MethodGet, holdRoute, path, nil)
	s.send(404, "auditor@fabrikam", http.MethodGet, holdRoute, path, nil)
	s.send(404, "auditor@contoso", http.MethodGet, holdHistoryRoute, holdsRoute+"/"+uuid.NewString()+"/history", nil)

	release := func(status int, body any, header ...string) answer {
		t.Helper()
		return s.send(status, "admin@contoso", http.MethodPatch, holdRoute, path, body, header...)
	}
	yes := object{"released": true, "release_reason": "settled"}
	release(428, yes)
	release(412, yes, "If-Match", `"7"`)
	s.field(release(422, object{"released": false}, "If-Match", `"1"`), "released")
	s.field(release(422, object{"reason": "x"}, "If-Match", `"1"`), "reason")
	s.field(release(422, object{}, "If-Match", `"1"`), "released")
	released := read[object](t, release(200, yes, "If-Match", `"1"`))
	if released["released_by"] != "admin-1" || released["release_reason"] != "settled" || released["released_at"] == nil || released["version"] != 2.0 {
		t.Errorf("released %v", released)
	}
	if again := read[object](t, release(200, object{"released": true}, "If-Match", `"2"`)); cmp.Diff(released, again) != "" {
		t.Errorf("released again %v", again)
	}
	list := func(query string) int {
		t.Helper()
		return len(read[struct{ Holds []object }](t, s.send(200, "policy_author@contoso", http.MethodGet, holdsRoute, holdsRoute+query, nil)).Holds)
	}
	if all, open, closed := list(""), list("?released=false"), list("?released=true"); all != 3 || open != 2 || closed != 1 {
		t.Errorf("%d holds, %d hold, %d are released", all, open, closed)
	}
	versions := read[struct{ Versions []object }](t, s.send(200, "auditor@contoso", http.MethodGet, holdHistoryRoute, path+"/history", nil)).Versions
	if len(versions) != 2 || versions[1]["released_by"] != "admin-1" {
		t.Errorf("history %v", versions)
	}
	if n := s.people.sql.Count(`SELECT count() FROM (SELECT DISTINCT id FROM ledger_outbox WHERE startsWith(id, 'hold:'))`); n != 4 {
		t.Errorf("%d leaves", n)
	}
}

func TestHoldsNameWhatIsWrong(t *testing.T) {
	s := start(t, nil)
	c := s.cells()
	for _, test := range []struct {
		body  object
		field string
	}{
		{object{"reason": "x"}, "meeting"},
		{object{"meeting": uuid.NewString(), "reason": "x"}, "meeting"},
		{object{"meeting": "x", "reason": "x"}, "meeting"},
		{object{"meeting": c.meeting["fabrikam"], "reason": "x"}, "meeting"},
		{object{"user": "nobody", "reason": "x"}, "user"},
		{object{"resource": uuid.NewString(), "reason": "x"}, "resource"},
		{object{"meeting": c.meeting["contoso"], "resource": s.people.clinic.ID, "reason": "x"}, "resource"},
		{object{"meeting": c.meeting["contoso"]}, "reason"},
		{object{"meeting": c.meeting["contoso"], "reason": " "}, "reason"},
		{object{"meeting": c.meeting["contoso"], "reason": "x", "placed_by": "eve"}, "placed_by"},
	} {
		s.field(s.send(422, "admin@contoso", http.MethodPost, holdsRoute, holdsRoute, test.body), test.field)
		s.field(s.send(422, "policy_author@contoso", http.MethodPost, previewRoute, previewRoute, object{"hold": test.body}), "hold."+test.field)
	}
	if n := s.people.sql.Count(`SELECT count() FROM control WHERE kind = 'hold'`); n != 0 {
		t.Errorf("%d holds were written", n)
	}
}

func TestRetentionPreview(t *testing.T) {
	s := start(t, nil)
	c := s.cells()
	meeting := c.meeting["contoso"]
	now := time.Now().UTC()
	s.people.sql.Exec(`INSERT INTO attendance (org, meeting_id, user_id, call_id, joined_at) VALUES ('contoso', $1, 'ada', 'call', now64(6))`, meeting)
	for _, days := range []int{0, 3} {
		s.people.sql.Exec(`INSERT INTO retained (class, org, meeting_id, call_id, item_id, sent_at)
			VALUES ('thread', 'contoso', $1, 'call', generateUUIDv4(), now64(6) - toIntervalDay($2))`, meeting, days)
	}
	ask := func(status int, body any) answer {
		t.Helper()
		return s.send(status, "policy_author@contoso", http.MethodPost, previewRoute, previewRoute, body)
	}
	type preview struct {
		Complete bool
		Totals   []object
		Days     []object
		Meetings []object
	}
	total := func(fields object) object {
		return with(object{
			"class": "thread", "things": 2.0, "deleted": 0.0, "at_once": 0.0, "sooner": 0.0, "later": 0.0, "newly_deleted": 0.0, "no_longer_deleted": 0.0, "held": 0.0,
		}, fields)
	}
	check := func(body object, want ...object) preview {
		t.Helper()
		got := read[preview](t, ask(200, body))
		if diff := cmp.Diff(want, got.Totals); diff != "" || !got.Complete {
			t.Errorf("totals (-want +got):\n%s", diff)
		}
		return got
	}
	got := check(object{"policy": deletes(2)}, total(object{"deleted": 2.0, "at_once": 1.0, "newly_deleted": 2.0}))
	day := now.AddDate(0, 0, 2).Format(time.DateOnly)
	if later := now.AddDate(0, 0, 2).Add(time.Minute).Format(time.DateOnly); len(got.Days) != 1 || (got.Days[0]["day"] != day && got.Days[0]["day"] != later) {
		t.Errorf("days %v", got.Days)
	}
	if len(got.Meetings) != 1 || got.Meetings[0]["meeting_id"] != meeting || got.Meetings[0]["title"] != "x" {
		t.Errorf("meetings %v", got.Meetings)
	}
	check(object{"hold": object{"user": "ada", "reason": "Case 7"}}, total(object{"held": 2.0}))
	made := read[object](t, s.send(201, "admin@contoso", http.MethodPost, policiesRoute, policiesRoute, deletes(2)))
	check(object{"policy_id": made["id"], "change": object{"enabled": false}}, total(object{"no_longer_deleted": 2.0}))
	check(object{"policy_id": made["id"], "change": object{"action": object{"days": 4}}}, total(object{"deleted": 2.0, "later": 2.0}))
	if got := read[preview](t, ask(200, object{"policy_id": made["id"], "change": object{}})); len(got.Totals) != 1 {
		t.Errorf("a version more: %+v", got)
	}

	for field, body := range map[string]object{
		"policy": {}, "change": {"policy_id": made["id"]}, "policy_id": {"policy_id": made["id"], "policy": deletes(1)},
		"hold": {"policy": deletes(1), "hold": object{"user": "ada", "reason": "x"}}, "change.action.days": {"policy_id": made["id"], "change": object{"action": object{"days": 0}}},
	} {
		s.field(ask(422, body), field)
	}
	s.field(ask(422, object{"policy": deletes(1), "change": object{}}), "change")
	s.send(404, "policy_author@contoso", http.MethodPost, previewRoute, previewRoute, object{"policy_id": uuid.NewString(), "change": object{}})
	if n := s.people.sql.Count(`SELECT count() FROM control WHERE kind IN ('hold', 'retention_policy')`); n != 1 {
		t.Errorf("%d versions were written", n)
	}
}

// The cells of the table that matter for retention, by hand.
func TestWhoMayChangeRetention(t *testing.T) {
	s := start(t, nil)
	c := s.cells()
	policy := deletes(1)
	hold := object{"meeting": c.meeting["contoso"], "reason": "x"}
	made := read[object](t, s.send(201, "admin@contoso", http.MethodPost, policiesRoute, policiesRoute, policy))
	path := policiesRoute + "/" + made["id"].(string)
	for who, want := range map[string][5]int{
		// reads, history, preview, changes, holds
		"admin@contoso":         {200, 200, 200, 200, 201},
		"auditor@contoso":       {200, 200, 403, 403, 403},
		"policy_author@contoso": {200, 200, 200, 403, 403},
		"support@contoso":       {403, 403, 403, 403, 403},
		"org_user@contoso":      {403, 403, 403, 403, 403},
		"operator":              {403, 403, 403, 403, 403},
		"guest":                 {401, 401, 401, 401, 401},
		"":                      {401, 401, 401, 401, 401},
	} {
		s.send(want[0], who, http.MethodGet, policyRoute, path, nil)
		s.send(want[1], who, http.MethodGet, policyHistoryRoute, path+"/history", nil)
		s.send(want[2], who, http.MethodPost, previewRoute, previewRoute, object{"policy": policy})
		s.send(want[3], who, http.MethodPatch, policyRoute, path, object{"name": "x"}, "If-Match", "*")
		s.send(want[4], who, http.MethodPost, holdsRoute, holdsRoute, hold)
	}
	s.send(403, "admin@fabrikam", http.MethodGet, policyRoute, path+"?org=contoso", nil)
	s.send(404, "admin@fabrikam", http.MethodPatch, policyRoute, path, object{"name": "x"}, "If-Match", "*")
}

func TestWithoutARulebookNothingChanges(t *testing.T) {
	s := start(t, nil)
	deps := Deps{Store: s.store}
	s.people.give(&deps)
	deps.Retention = nil
	bare, err := New(DefaultConfig(), deps)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(deletes(1))
	if err != nil {
		t.Fatal(err)
	}
	if code := ask(t, bare, http.MethodPost, policiesRoute, string(text), s.people.token("admin@contoso")); code != http.StatusServiceUnavailable {
		t.Errorf("status %d", code)
	}
}

// ask asks a service that listens nowhere.
func ask(t *testing.T, s *Server, method, path, body, token string) int {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, "http://localhost"+path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w.Code
}
