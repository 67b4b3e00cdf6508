package api

import (
	"net/http"
	"strings"
	"testing"
)

// detail is what a refusal says.
func (s *service) detail(a answer) string {
	s.t.Helper()
	detail, _ := read[object](s.t, a)["detail"].(string)
	return detail
}

func TestRefusalsSayWhatToDo(t *testing.T) {
	s := start(t, nil)
	m := read[object](t, s.send(201, "org_user:ada@contoso", http.MethodPost, meetingsRoute, meetingsRoute, object{"title": "x"}))
	path := "/v1/meetings/" + m["id"].(string)
	change := func(status int, body any, header ...string) string {
		t.Helper()
		return s.detail(s.send(status, "org_user:ada@contoso", http.MethodPatch, meetingRoute, path, body, header...))
	}
	for _, got := range []string{
		change(422, object{"lobby_bypass": "nobody"}, "If-Match", "*"),
		s.detail(s.send(422, "admin@contoso", http.MethodPatch, orgRoute, "/v1/organizations/contoso", object{"settings": object{"lobby_bypass": "nobody"}}, "If-Match", "*")),
	} {
		if !strings.Contains(got, "must be one of everyone, org_users, invited, organizers") {
			t.Errorf("a bypass that there is not: %s", got)
		}
	}
	if got := change(422, object{"invited": make([]string, 1001)}, "If-Match", "*"); got != "The field invited must have at most 1000 entries." {
		t.Errorf("more invited than may be: %s", got)
	}
	got := s.detail(s.send(401, "", http.MethodGet, meetingRoute, path, nil, "Authorization", "Bearer x"))
	if got != "The token is not a signed JWT in compact form." {
		t.Errorf("a token that is none: %s", got)
	}
	for tag, quotes := range map[string]bool{"1": true, "77": true, `"77"`: false, "x": false, `W/"1"`: false} {
		if got := change(412, object{"title": "y"}, "If-Match", tag); strings.Contains(got, "quotes") != quotes {
			t.Errorf("If-Match %s: %s", tag, got)
		}
	}
}

func TestMergePatchByItsName(t *testing.T) {
	s := start(t, nil)
	m := read[object](t, s.send(201, "org_user:ada@contoso", http.MethodPost, meetingsRoute, meetingsRoute, object{"title": "x"}))
	path := "/v1/meetings/" + m["id"].(string)
	for media, status := range map[string]int{
		"application/json": 200, "application/merge-patch+json": 200, "application/merge-patch+json; charset=utf-8": 200, "application/json-patch+json": 415, "text/plain": 415,
	} {
		s.send(status, "org_user:ada@contoso", http.MethodPatch, meetingRoute, path, object{"title": "y"}, "If-Match", "*", "Content-Type", media)
	}
	s.send(415, "org_user:ada@contoso", http.MethodPost, meetingsRoute, meetingsRoute, object{"title": "x"}, "Content-Type", "application/merge-patch+json")
}

func TestNoticesByAccept(t *testing.T) {
	s := start(t, nil)
	r := s.rows()
	r.call("call-1", 0)
	r.insert()
	for _, test := range []struct{ query, accept, want string }{
		{"", "text/csv", "text/csv"},
		{"", "*/*", "application/json"},
		{"", "application/json, text/csv", "application/json"},
		{"", "application/json;q=0.5, text/csv", "text/csv"},
		{"", "text/csv;q=0", "application/json"},
		{"", "text/csv;q=x, nonsense/", "application/json"},
		{"", "text/csv, */*;q=0.1", "text/csv"},
		{"?format=json", "text/csv", "application/json"},
		{"?format=csv", "application/json", "text/csv"},
	} {
		got := s.send(200, "auditor@contoso", http.MethodGet, "/v1/calls/:call_id/notices", "/v1/calls/call-1/notices"+test.query, nil, "Accept", test.accept)
		if media := got.header.Get("Content-Type"); media != test.want {
			t.Errorf("%s with Accept: %s is %s, want %s", test.query, test.accept, media, test.want)
		}
	}
}
