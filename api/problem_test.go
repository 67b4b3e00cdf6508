package api

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"

	"github.com/anteroom/anteroom/identity"
	"github.com/anteroom/anteroom/store"
	"github.com/anteroom/anteroom/store/storetest"
)

func TestEveryCodeHasItsStatus(t *testing.T) {
	want := map[Code]int{
		CodeInvalidParameter: 400, CodeUnknownParameter: 400, CodeInvalidPageToken: 400, CodeInvalidRequest: 400, CodeCrossOrigin: 403,
		CodeNotFound: 404, CodeCallNotFound: 404, CodeStreamNotFound: 404, CodeMethodNotAllowed: 405,
		CodeBodyTooLarge: 413, CodeUnsupportedMedia: 415, CodeHostNotAllowed: 421, CodeInvalidFile: 422, CodeInternal: 500,
		CodeForbidden: 403, CodeOtherOrganization: 403, CodeNotOrganizer: 403, CodeNotInMeeting: 403, CodeOrganizationNotFound: 404, CodeUserNotFound: 404,
		CodeResourceNotFound: 404, CodeMeetingNotFound: 404, CodeNoIssuer: 404, CodeExists: 409, CodeNotRunning: 409, CodePreconditionFailed: 412,
		CodeInvalidField: 422, CodePreconditionRequired: 428, CodeTooManyRequests: 429, CodeIdentityUnavailable: 503, CodeDirectoryUnavailable: 503,
		CodeMediaUnavailable: 503, Code(identity.TokenMissing): 401, Code(identity.TokenReplayed): 401, Code(identity.LoginState): 401,
		Code(identity.IssuerUnavailable): 503, Code(identity.JournalUnavailable): 503,
		CodeRecordingNotFound: 404, CodeLedgerNotFound: 404, CodeTileNotFound: 404, CodeRangeNotSatisfiable: 416, CodeRecordingsUnavailable: 503,
		CodeQueryTooLarge: 503, CodeStoreUnavailable: 503, CodeImportUnavailable: 503, CodeQueryTimeout: 504, CodeImportTimeout: 504,
	}
	for code, status := range want {
		p := (&Error{Code: code}).problem("id")
		if p.Status != status || p.Title == "" || p.Detail == "" || p.Type != "urn:anteroom:problem:"+string(code) {
			t.Errorf("%s: %+v", code, p)
		}
		if status != 500 && p.Title == kindOf(CodeInternal).title {
			t.Errorf("%s is not in the table", code)
		}
	}
}

func TestErrorsFindTheirCode(t *testing.T) {
	for code, err := range map[Code]error{
		CodeQueryTimeout:     fmt.Errorf("list calls: %w: %w", store.ErrQueryTimeout, store.ErrUnavailable),
		CodeQueryTooLarge:    store.ErrQueryTooLarge,
		CodeStoreUnavailable: store.ErrUnavailable,
		CodeBodyTooLarge:     fmt.Errorf("import: %w", &http.MaxBytesError{Limit: 1}),
		CodeInvalidFile:      fmt.Errorf("import: %w", &BadInput{Line: 3, Reason: "is cut off"}),
		CodeNotFound:         echo.ErrNotFound,
		CodeInternal:         errors.New("the password is hunter2"),
		CodeImportTimeout:    fmt.Errorf("import: %w", &Error{Code: CodeImportTimeout}),
	} {
		if got := asError(err); got.Code != code {
			t.Errorf("%v: %s, want %s", err, got.Code, code)
		}
	}
	if p := asError(errors.New("the password is hunter2")).problem(""); strings.Contains(p.Detail, "hunter2") {
		t.Errorf("the problem has internals: %+v", p)
	}
}

func TestBadRequests(t *testing.T) {
	s := start(t, nil)
	r := s.rows()
	for i, name := range []string{"a", "b", "c"} {
		r.call(name, i)
	}
	r.insert()
	page := read[callPage](t, s.get(200, callsRoute, "page_size=1"))
	token := url.QueryEscape(*page.Next)
	for _, test := range []struct{ route, query, code, parameter string }{
		{callsRoute, "from=yesterday", "invalid_parameter", "from"},
		{callsRoute, "from=2026-13-45T00:00:00Z", "invalid_parameter", "from"},
		{callsRoute, "from=2026-03-04", "invalid_parameter", "from"},
		{callsRoute, "to=", "invalid_parameter", "to"},
		{callsRoute, "from=2026-03-04T00:00:00Z&to=2026-03-03T00:00:00Z", "invalid_parameter", "to"},
		{callsRoute, "from=2026-03-04T00:00:00Z&to=2026-03-04T00:00:00Z", "invalid_parameter", "to"},
		{callsRoute, "page_size=0", "invalid_parameter", "page_size"},
		{callsRoute, "page_size=501", "invalid_parameter", "page_size"},
		{callsRoute, "page_size=many", "invalid_parameter", "page_size"},
		{callsRoute, "page_size=99999999999999999999", "invalid_parameter", "page_size"},
		{callsRoute, "page_size=1.5", "invalid_parameter", "page_size"},
		{callsRoute, "verdict=bad", "invalid_parameter", "verdict"},
		{callsRoute, "source=teams", "invalid_parameter", "source"},
		{callsRoute, "profile=mine", "invalid_parameter", "profile"},
		{callsRoute, "org=Contoso%20Ltd", "invalid_parameter", "org"},
		{callsRoute, "q=", "invalid_parameter", "q"},
		{callsRoute, "q=" + strings.Repeat("x", 193), "invalid_parameter", "q"},
		{callsRoute, "org=a&org=b", "invalid_parameter", "org"},
		{callsRoute, "verdit=poor", "unknown_parameter", "verdit"},
		{callsRoute, "call_id=a", "unknown_parameter", "call_id"},
		{callsRoute, "page_token=garbage", "invalid_page_token", "page_token"},
		{callsRoute, "page_token=e30", "invalid_page_token", "page_token"},
		{callsRoute, "page_token=" + token + "x", "invalid_page_token", "page_token"},
		{callsRoute, "verdict=good&page_token=" + token, "invalid_page_token", "page_token"},
		{callRoute, "profile=mine", "invalid_parameter", "profile"},
		{samplesRoute, "page_size=5001", "invalid_parameter", "page_size"},
		{samplesRoute, "page_token=" + token, "invalid_page_token", "page_token"},
		{timelineRoute, "to=never", "invalid_parameter", "to"},
		{timelineRoute, "page_token=" + token, "invalid_page_token", "page_token"},
	} {
		t.Run(test.route+"?"+test.query[:min(40, len(test.query))], func(t *testing.T) {
			ids := []string{"a", idOf(1)}[:strings.Count(test.route, "/:")]
			code, parameter := s.problem(s.get(400, test.route, test.query, ids...))
			if code != test.code || parameter != test.parameter {
				t.Errorf("code %s, parameter %s; want %s, %s", code, parameter, test.code, test.parameter)
			}
		})
	}
	for _, test := range []struct{ route, query, detail string }{
		{callsRoute, "from=2026-03-04T00:00:00Z&to=2026-03-03T00:00:00Z", "The parameter to must be after the parameter from."},
		{callsRoute, "page_size=x", "The parameter page_size must be a whole number from 1 to 500."},
		{callsRoute, "page_size=501", "The parameter page_size must be a whole number from 1 to 500."},
		{timelineRoute, "page_size=1.5", "The parameter page_size must be a whole number from 1 to 5000."},
		{
			callsRoute, "org=Contoso%20Ltd",
			"The parameter org must be the short name of an organisation: 1 to 63 lower-case letters, digits, '.', '_' and '-', " +
				"of which the first is a letter or digit.",
		},
		{callsRoute, "source=webrtc_internals", "The parameter source must be one of media, rtcstats, webrtc-internals, acs."},
		{samplesRoute, "", "The parameter stream_id must be an id such as 123e4567-e89b-12d3-a456-426614174000."},
	} {
		ids := []string{"a", "no-uuid"}[:strings.Count(test.route, "/:")]
		if got := read[object](t, s.get(400, test.route, test.query, ids...))["detail"]; got != test.detail {
			t.Errorf("%s?%s: %v\nwant %s", test.route, test.query, got, test.detail)
		}
	}
	s.get(200, callsRoute, "page_size=3&page_token="+token) // Another size is no other list.
	if code, parameter := s.problem(s.get(400, samplesRoute, "", "a", "no-uuid")); code != "invalid_parameter" || parameter != "stream_id" {
		t.Errorf("code %s, parameter %s of a stream id that is none", code, parameter)
	}
	for _, route := range []string{callRoute, participantsRoute, streamsRoute, timelineRoute, issuesRoute} {
		if code, _ := s.problem(s.get(404, route, "", "nobody")); code != "call_not_found" {
			t.Errorf("%s: code %s", route, code)
		}
	}
}

// Whatever stands in a parameter, it is read as what it is, and no answer tells of the database.
func TestParametersAreNotExecuted(t *testing.T) {
	s := start(t, nil)
	r := s.rows()
	r.call("call-1", 0)
	r.stream(1, 10, 12)
	r.insert()
	hostile := []string{
		`' OR '1'='1`, `'; DROP TABLE calls; --`, `\' OR 1=1 --`, `{q:String}`, `") UNION ALL SELECT password FROM system.users --`, "%27", `\`, "\x00", "€",
		`$(id)`, `../../etc/passwd`, `<script>`, "\xff\xfe", `${jndi:ldap://x}`,
	}
	parameters := map[string][]string{
		callsRoute:        {"from", "to", "org", "source", "verdict", "participant_label", "q", "profile", "page_token", "page_size"},
		callRoute:         {"org", "profile"},
		participantsRoute: {"org"},
		streamsRoute:      {"org", "profile"},
		samplesRoute:      {"org", "from", "to", "page_token", "page_size"},
		timelineRoute:     {"org", "from", "to", "page_token", "page_size"},
		issuesRoute:       {"org", "profile"},
	}
	send := func(path, pattern string) answer {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		got := s.do(request, pattern)
		if got.status >= 500 || bytes.Contains(got.body, []byte("ClickHouse")) || bytes.Contains(got.body, []byte("DB::")) {
			t.Errorf("GET %s: %d %s", path, got.status, got.body)
		}
		return got
	}
	for route, names := range parameters {
		path := strings.NewReplacer(":call_id", "call-1", ":stream_id", idOf(10)).Replace(route)
		for _, name := range names {
			for _, text := range hostile {
				got := send(path+"?"+url.Values{name: {text}}.Encode(), route)
				if got.status == 200 && route == callsRoute && strings.Contains(string(got.body), "call-1") {
					t.Errorf("%s=%q finds a call", name, text)
				}
			}
		}
		for _, text := range hostile {
			send(strings.NewReplacer(":call_id", url.PathEscape(text), ":stream_id", idOf(10)).Replace(route), "")
			send(strings.NewReplacer(":call_id", "call-1", ":stream_id", url.PathEscape(text)).Replace(route), "")
		}
	}
	if got := s.list(url.Values{}); got != "call-1" {
		t.Errorf("the list has %q afterwards", got)
	}
}

func TestStoreAwayIsNoEmptyList(t *testing.T) {
	_, cfg := storetest.NewConfig(t)
	cfg.Addresses = []string{"127.0.0.1:1"}
	away, err := store.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = away.Close() })
	s := start(t, func(_ *Config, d *Deps) { d.Store = away })
	got := s.get(503, callsRoute, "")
	if code, _ := s.problem(got); code != "store_unavailable" || got.header.Get("Retry-After") == "" {
		t.Errorf("code %s", code)
	}
	if strings.Contains(string(got.body), "127.0.0.1") {
		t.Errorf("the answer tells of the inside: %s", got.body)
	}
	tight := start(t, func(c *Config, _ *Deps) { c.Query.MaxMemoryBytes = 1 })
	r := tight.rows()
	r.call("call-1", 0)
	r.insert()
	if code, _ := tight.problem(tight.get(503, callsRoute, "")); code != "query_too_large" {
		t.Errorf("code %s", code)
	}
}

func TestRoutesThatAreNone(t *testing.T) {
	s := start(t, nil)
	for _, test := range []struct{ method, path, code string }{
		{"GET", "/", "not_found"},
		{"GET", "/v1/none", "not_found"},
		{"GET", "/v1/calls/", "invalid_parameter"},
		{"GET", "/v1/imports", "method_not_allowed"},
		{"DELETE", "/v1/calls", "method_not_allowed"},
		{"BREW", "/v1/calls", "method_not_allowed"},
	} {
		request, err := http.NewRequestWithContext(t.Context(), test.method, s.url+test.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		got := s.do(request, "")
		code, _ := s.problem(got)
		if test.path == "/v1/calls/" && code == "not_found" {
			continue
		}
		if code != test.code || got.status != kindOf(Code(test.code)).status {
			t.Errorf("%s %s: %d %s, want %s", test.method, test.path, got.status, code, test.code)
		}
	}
}

func TestPanicsAreProblems(t *testing.T) {
	s := start(t, func(_ *Config, d *Deps) { d.Importer = panics{} })
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/v1/imports?format=acs&org=contoso", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	got := s.do(request, importsPath)
	if code, _ := s.problem(got); code != "internal" || strings.Contains(string(got.body), "secret") {
		t.Errorf("%s", got.body)
	}
	if log := s.log.String(); !strings.Contains(log, "handler panicked") || strings.Contains(log, "secret") {
		t.Errorf("log: %s", log)
	}
}
