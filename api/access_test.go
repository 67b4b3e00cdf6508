package api

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/directory"
	"github.com/anteroom/anteroom/identity"
)

// Every operation of the document has a row, and every row an operation.
func TestEveryRouteHasItsRow(t *testing.T) {
	doc, _, err := readDocument()
	if err != nil {
		t.Fatal(err)
	}
	table := accessTable()
	seen := map[string]bool{}
	for route, op := range operationsOf(doc) {
		id := op.route.Operation.OperationID
		if _, ok := table[id]; !ok {
			t.Errorf("%s (%s) has no row in the table of access", route, id)
		}
		seen[id] = true
	}
	for id, row := range table {
		if !seen[id] {
			t.Errorf("the row %s is of no operation", id)
		}
		if row.public && (row.own != nil || row.any != nil || row.guest || row.participant || row.loopback || row.bearer) {
			t.Errorf("the row %s is public and names somebody", id)
		}
		if !row.public && row.own == nil && row.any == nil && !row.guest && !row.bearer {
			t.Errorf("the row %s is for nobody", id)
		}
		if slices.Contains(row.own, identity.Operator) || slices.Contains(append(row.own, row.any...), identity.Guest) {
			t.Errorf("the row %s: operators have no organisation, and guests have no role in one", id)
		}
	}
}

// The echo routes are those of the document: nothing is served beside the table.
func TestNoRouteIsOutsideTheDocument(t *testing.T) {
	doc, _, err := readDocument()
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(DefaultConfig(), Deps{Store: start(t, nil).store})
	if err != nil {
		t.Fatal(err)
	}
	known := operationsOf(doc)
	for _, r := range s.echo.Routes() {
		if _, ok := known[r.Method+" "+r.Path]; !ok {
			t.Errorf("%s %s is not in the document", r.Method, r.Path)
		}
	}
}

// cells are what the requests of the matrix are about: an organisation with a meeting and a resource each. Every user of the matrix is invited to
// the meeting; that of stranger has nothing to do with any of them.
type cells struct{ meeting, resource, stranger map[string]string }

func (s *service) cells() cells {
	s.t.Helper()
	out := cells{map[string]string{}, map[string]string{"contoso": s.people.clinic.ID}, map[string]string{}}
	var users []string
	for _, role := range identity.Roles() {
		users = append(users, string(role)+"-1")
	}
	for _, org := range []string{"contoso", "fabrikam"} {
		out.meeting[org] = s.meeting(directory.Meeting{Org: org, Organizer: "somebody", Invited: users})
		out.stranger[org] = s.meeting(directory.Meeting{Org: org, Organizer: "somebody", Invited: []string{"someone"}})
	}
	r := s.people.clinic
	r.ID, r.Org = uuid.NewString(), "fabrikam"
	if _, err := s.people.rows.Resources.Put(s.t.Context(), r, 0, "test"); err != nil {
		s.t.Fatal(err)
	}
	out.resource["fabrikam"] = r.ID
	return out
}

// meeting makes one and tells its id.
func (s *service) meeting(m directory.Meeting) string {
	s.t.Helper()
	m.ID, m.Title = uuid.NewString(), "x"
	made, err := s.people.rows.Meetings.Put(s.t.Context(), m, 0, "test")
	if err != nil {
		s.t.Fatal(err)
	}
	return made.Value.ID
}

// request is a request of an operation about an organisation, good in all but its body.
func (c cells) request(op operation, row access, org string) (path string, body any) {
	path = op.route.Path
	for name := range op.parameters {
		replacement := map[string]string{
			"call_id": "call-1", "stream_id": idOf(10), "user": "ada", "id": org,
			"recording_id": idOf(11), "file": "x.webm", "name": "emea.bundle.zip", "region": "emea", "tile": "0/x001/067.p/8", "org": org, "number": "1",
		}[name]
		if name == "id" && op.parameters[name].In == "path" && strings.Contains(path, "/resources/") {
			replacement = c.resource[org]
		} else if name == "id" && !strings.HasPrefix(path, "/v1/organizations/") {
			replacement = c.meeting[org]
		}
		path = strings.ReplaceAll(path, "{"+name+"}", replacement)
	}
	var query []string
	if row.about == ofQuery {
		query = append(query, "org="+org)
	}
	switch op.route.Operation.OperationID {
	case "createImport":
		query = append(query, "format=acs")
	case "diffPolicies":
		query = append(query, "from=0", "to=active")
	case "getLogs", "getResourceLogs":
		query = append(query, "category=CallSummary")
	}
	if len(query) > 0 {
		path += "?" + strings.Join(query, "&")
	}
	if op.route.Operation.RequestBody != nil {
		body = map[string]any{}
	}
	return path, body
}

// wantCode is what the table says of a cell: the code of the refusal, or "" for let through. who is a role, "" for nobody.
func wantCode(row access, who identity.Role, own bool) string {
	holds := func(roles []identity.Role) bool {
		// Every signed-in user of an organisation is an org user besides.
		return slices.Contains(roles, who) || (who != identity.Operator && who != identity.Guest && slices.Contains(roles, identity.OrgUser))
	}
	switch {
	case row.public, row.loopback:
		return ""
	case who == "":
		return string(identity.TokenMissing)
	case row.bearer: // The handler says, and there is none here.
		return ""
	case row.guest && who == identity.Guest:
		return ""
	case row.guest: // A user's token names no resource.
		return string(identity.TokenIncomplete)
	case who == identity.Guest: // A guest's token is no user's.
		return string(identity.IssuerUnknown)
	case holds(row.any):
		return ""
	case !holds(row.own):
		return string(CodeForbidden)
	case own || row.about == ofNone:
		return ""
	case row.about == ofMeeting:
		return string(CodeMeetingNotFound)
	case row.about == ofResource:
		return string(CodeResourceNotFound)
	}
	return string(CodeOtherOrganization)
}

// cell is what a request is about: an organisation and, if it is about a meeting, one that the user has nothing to do with or one to which every user
// is invited.
type cell struct {
	org      string
	stranger bool
}

func cellsOf(row access) []cell {
	cells := []cell{{"contoso", false}, {"fabrikam", false}}
	if row.about == ofMeeting {
		cells = append(cells, cell{"contoso", true}, cell{"fabrikam", true})
	}
	return cells
}

// wantOfMeeting is what a user of the organisation gets about a meeting that does not run and that somebody else organises.
func wantOfMeeting(operationID string, stranger bool) string {
	switch operationID {
	case "updateMeeting", "renewMeetingLink", "endMeeting":
		if !stranger {
			return string(CodeNotOrganizer)
		}
	}
	if stranger {
		return string(CodeMeetingNotFound)
	}
	return ""
}

func TestEveryCellOfTheTable(t *testing.T) {
	s := start(t, nil)
	r := s.rows()
	r.call("call-1", 0)
	r.insert()
	doc, _, err := readDocument()
	if err != nil {
		t.Fatal(err)
	}
	refusals := []string{string(CodeForbidden), string(CodeOtherOrganization), string(CodeMeetingNotFound), string(CodeResourceNotFound)}
	for _, reason := range []identity.Reason{identity.TokenMissing, identity.IssuerUnknown, identity.TokenIncomplete, identity.TokenMalformed, identity.TokenSignature} {
		refusals = append(refusals, string(reason))
	}
	table, c, n := accessTable(), s.cells(), 0
	operations := operationsOf(doc)
	for _, route := range slices.Sorted(maps.Keys(operations)) {
		op := operations[route]
		method, pattern, _ := strings.Cut(route, " ")
		row := table[op.route.Operation.OperationID]
		for _, role := range append([]identity.Role{""}, identity.Roles()...) {
			for _, cell := range cellsOf(row) {
				who, org := string(role), cell.org
				if role != "" && role != identity.Guest && role != identity.Operator {
					who += "@contoso"
				}
				n++
				about := c
				if cell.stranger {
					about.meeting = c.stranger
				}
				path, body := about.request(op, row, org)
				got := s.as(who, method, pattern, path, body)
				code := ""
				if got.status >= http.StatusBadRequest {
					code = codeOf(t, got)
				}
				want := wantCode(row, role, org == "contoso")
				if want == "" && row.about == ofMeeting && role != identity.Admin {
					want = wantOfMeeting(op.route.Operation.OperationID, cell.stranger)
				}
				switch {
				case op.route.Operation.OperationID == "getJoinPageMeeting": // Without the secret it is not found, whoever asks.
					if code != string(CodeMeetingNotFound) {
						t.Errorf("%s as %q: %s", route, who, code)
					}
				case want == "" && slices.Contains(refusals, code):
					t.Errorf("%s as %q about %s is refused: %d %s", route, who, org, got.status, got.body)
				case want != "" && code != want:
					t.Errorf("%s as %q about %s: %d %s, want %s", route, who, org, got.status, got.body, want)
				case got.status == http.StatusUnauthorized && got.header.Get("WWW-Authenticate") == "":
					t.Errorf("%s as %q: 401 without WWW-Authenticate", route, who)
				}
			}
		}
	}
	t.Logf("%d cells", n)
}

// as sends a request as somebody, whatever the answer.
func (s *service) as(who, method, pattern, path string, body any) answer {
	s.t.Helper()
	return s.send(0, who, method, pattern, path, body)
}

// codeOf is the code of a problem, or of a Graph-shaped error.
func codeOf(t *testing.T, a answer) string {
	t.Helper()
	p := read[struct {
		Code  string
		Error struct{ InnerError struct{ Code string } }
	}](t, a)
	if p.Code != "" {
		return p.Code
	}
	return p.Error.InnerError.Code
}

// A few cells by hand, so that a slip in the table itself shows.
func TestCellsThatMatter(t *testing.T) {
	s := start(t, nil)
	r := s.rows()
	r.call("call-1", 0)
	r.insert()
	c := s.cells()
	for _, test := range []struct {
		status            int
		who, method, path string
	}{
		{403, "operator", "GET", "/v1/calls"},
		{403, "operator", "GET", "/v1/calls?org=contoso"},
		{403, "org_user@contoso", "GET", "/v1/calls"},
		{403, "policy_author@contoso", "GET", "/v1/calls/call-1"},
		{200, "support@contoso", "GET", "/v1/calls/call-1"},
		{404, "support@fabrikam", "GET", "/v1/calls/call-1"},
		{403, "support@fabrikam", "GET", "/v1/calls/call-1?org=contoso"},
		{401, "guest", "GET", "/v1/calls"},
		{403, "admin@contoso", "POST", "/v1/organizations"},
		{403, "admin@contoso", "GET", "/v1/organizations/fabrikam"},
		{403, "admin@contoso", "PATCH", "/v1/organizations/fabrikam"},
		{403, "auditor@contoso", "PATCH", "/v1/organizations/contoso"},
		{403, "operator", "GET", "/v1/organizations/contoso/users"},
		{200, "org_user@contoso", "GET", "/v1/meetings/" + c.meeting["contoso"]},
		{404, "org_user@fabrikam", "GET", "/v1/meetings/" + c.meeting["contoso"]},
		{404, "org_user@contoso", "GET", "/v1/meetings/" + c.stranger["contoso"]},
		{404, "support@contoso", "GET", "/v1/meetings/" + c.stranger["contoso"]},
		{404, "auditor@contoso", "GET", "/v1/meetings/" + c.stranger["contoso"] + "/calendar.ics"},
		{404, "org_user@contoso", "POST", "/v1/meetings/" + c.stranger["contoso"] + "/end"},
		{200, "admin@contoso", "GET", "/v1/meetings/" + c.stranger["contoso"]},
		{404, "org_user@fabrikam", "GET", "/v1/meetings/" + uuid.NewString()},
		{401, "guest", "GET", "/v1/meetings/" + c.meeting["contoso"]},
		{403, "operator", "GET", "/v1/meetings/" + c.meeting["contoso"]},
		{401, "org_user@contoso", "POST", "/v1/calls"},
		{201, "guest", "POST", "/v1/calls"},
	} {
		var body any
		if test.method != http.MethodGet {
			body = map[string]any{}
		}
		s.send(test.status, test.who, test.method, "", test.path, body)
	}
}

func TestMetricsAreForThisMachineAndOperators(t *testing.T) {
	s := start(t, nil)
	s.send(200, "", http.MethodGet, "/metrics", "/metrics", nil)
	for who, status := range map[string]int{"": 401, "admin@contoso": 403, "operator": 200} {
		s.send(status, who, http.MethodGet, "/metrics", "/metrics", nil, "X-Forwarded-For", "192.0.2.7")
	}
}

func TestWithoutIdentityNothingIsTold(t *testing.T) {
	deps := Deps{Store: start(t, nil).store}
	s, err := New(DefaultConfig(), deps)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]int{"/healthz": 200, "/v1/calls": 503, "/v1/session": 503} {
		w := httptest.NewRecorder()
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost"+path, nil)
		r.Header.Set("Authorization", "Bearer x")
		if s.ServeHTTP(w, r); w.Code != want {
			t.Errorf("%s: %d %s, want %d", path, w.Code, w.Body, want)
		}
	}
}
