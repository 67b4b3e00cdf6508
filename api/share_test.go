package api

import (
	"net/http"
	"testing"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/directory"
)

const clinicOrigin = "https://clinic.example"

// withOrigins registers web origins: one of the clinic's and one of another organisation's resource.
func (s *service) withOrigins() {
	s.t.Helper()
	mine := s.people.clinic
	mine.Origins = []string{clinicOrigin}
	other := s.people.clinic
	other.ID, other.Org, other.Origins = uuid.NewString(), "fabrikam", []string{"https://other.example"}
	for version, r := range map[uint64]directory.Resource{1: mine, 0: other} {
		if _, err := s.people.rows.Resources.Put(s.t.Context(), r, version, "test"); err != nil {
			s.t.Fatal(err)
		}
	}
}

func TestPagesOfRegisteredOriginsMayAsk(t *testing.T) {
	live := &oneMeeting{}
	s := start(t, func(_ *Config, d *Deps) { d.Meetings = live })
	s.withOrigins()
	live.id = s.cells().meeting["contoso"]
	messages := "/v1/meetings/" + live.id + "/messages"
	const allow = "Access-Control-Allow-Origin"
	for _, test := range []struct {
		name, method, path, origin, asked string
		status                            int
		allowed, headers                  string
	}{
		{"before a call", "OPTIONS", callsRoute, clinicOrigin, "POST", 204, clinicOrigin, "Authorization, Content-Type"},
		{"before messages", "OPTIONS", messages, clinicOrigin, "GET", 204, clinicOrigin, ParticipantTokenHeader},
		{"another origin", "OPTIONS", callsRoute, "https://evil.example", "POST", 204, "", ""},
		{"a subdomain", "OPTIONS", callsRoute, "https://x.clinic.example", "POST", 204, "", ""},
		{"another scheme", "OPTIONS", callsRoute, "http://clinic.example", "POST", 204, "", ""},
		{"another port", "OPTIONS", callsRoute, clinicOrigin + ":8443", "POST", 204, "", ""},
		{"no origin", "OPTIONS", callsRoute, "null", "POST", 204, "", ""},
		{"another method", "OPTIONS", callsRoute, clinicOrigin, "GET", 204, "", ""},
		{"deleting messages", "OPTIONS", messages, clinicOrigin, "DELETE", 204, "", ""},
		{"the join page's token", "OPTIONS", "/v1/join-page/token", clinicOrigin, "POST", 204, "", ""},
		{"the session", "OPTIONS", "/v1/session", clinicOrigin, "GET", 204, "", ""},
		{"the meeting", "OPTIONS", "/v1/meetings/" + live.id, clinicOrigin, "GET", 204, "", ""},
		{"the list of calls", "GET", callsRoute, clinicOrigin, "", 200, "", ""},
		{"the join page's token", "POST", "/v1/join-page/token", clinicOrigin, "", 403, "", ""},
	} {
		who := "admin@contoso"
		header := []string{"Origin", test.origin, "Sec-Fetch-Site", "cross-site"}
		if test.asked != "" {
			who = "" // A browser asks beforehand without saying who.
			header = append(header, "Access-Control-Request-Method", test.asked)
		}
		got := s.send(test.status, who, test.method, "", test.path, nil, header...)
		// Without the header Access-Control-Allow-Origin a browser refuses the page, whatever the status.
		if got.header.Get(allow) != test.allowed || got.header.Get("Access-Control-Allow-Headers") != test.headers {
			t.Errorf("%s: allowed %v", test.name, got.header)
		}
		if got.header.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("%s: credentials are allowed", test.name)
		}
	}
	call := func(status int, origin string) answer {
		t.Helper()
		return s.send(status, "guest", http.MethodPost, callsRoute, callsRoute, object{}, "Origin", origin, "Sec-Fetch-Site", "cross-site")
	}
	if got := call(201, clinicOrigin); got.header.Get(allow) != clinicOrigin || got.header.Get("Vary") != "Origin" {
		t.Errorf("a call: %v", got.header)
	}
	// The page of another resource may ask for its own guests, not for the clinic's.
	if code, _ := s.problem(call(403, "https://other.example")); code != "cross_origin" {
		t.Errorf("another resource's page: %s", code)
	}
	if code, _ := s.problem(call(403, "https://evil.example")); code != "cross_origin" {
		t.Errorf("nobody's page: %s", code)
	}
	s.send(201, "guest", http.MethodPost, callsRoute, callsRoute, object{}, "Origin", s.url)
	read := s.send(200, "", http.MethodGet, meetingRoute+"/messages", messages, nil, "Origin", clinicOrigin, ParticipantTokenHeader, "in")
	if read.header.Get(allow) != clinicOrigin {
		t.Errorf("messages: %v", read.header)
	}
	// What is refused can be read as well, or nobody could tell what to do.
	if got := s.send(403, "", http.MethodGet, meetingRoute+"/messages", messages, nil, "Origin", clinicOrigin, ParticipantTokenHeader, "left"); got.header.Get(allow) != clinicOrigin {
		t.Errorf("messages refused: %v", got.header)
	}
}

// A cookie that comes along with another site's page proves nobody.
func TestCookiesOfOtherPagesAreNotTaken(t *testing.T) {
	live := &oneMeeting{roster: []RosterEntry{{DisplayName: "Ada", UserID: "ada"}}}
	s := start(t, func(c *Config, d *Deps) { c.PublicURL, d.Meetings = publicURL, live })
	s.withOrigins()
	live.id = s.cells().meeting["contoso"]
	cookie := s.signIn(browser(t), "/").Cookies()[0].String()
	path := "/v1/meetings/" + live.id + "/messages"
	s.send(200, "", http.MethodGet, meetingRoute+"/messages", path, nil, "Cookie", cookie)
	if code, _ := s.problem(s.send(401, "", http.MethodGet, meetingRoute+"/messages", path, nil, "Cookie", cookie, "Origin", clinicOrigin)); code != "token_missing" {
		t.Errorf("by a cookie from another page: %s", code)
	}
}
