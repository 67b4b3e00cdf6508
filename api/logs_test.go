package api

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/store"
)

// writeLogs stores records of one call, so many, that were written some time ago.
func (s *service) writeLogs(call string, n int, ago time.Duration) {
	s.t.Helper()
	at := time.Now().UTC().Add(-ago).Truncate(time.Microsecond)
	key := store.CallKey{Org: "contoso", CallID: call}
	var records []store.LogRecord
	for i := range n {
		records = append(records, store.LogRecord{
			CallKey: key, Category: "CallSummary", RecordID: uuid.New(), At: at, Body: fmt.Sprintf(`{"call":%q,"n":%d}`, call, i), ExpiresAt: at.Add(time.Hour),
		})
	}
	if _, err := s.store.ClaimCallLog(s.t.Context(), key, uuid.New(), records); err != nil {
		s.t.Fatal(err)
	}
}

// Pages follow each other by their links, each record once; what was written just now comes later.
func TestLogsArePaged(t *testing.T) {
	s := start(t, nil)
	for i := range 5 {
		s.writeLogs(fmt.Sprint("call-", i), 3, time.Duration(10-i)*time.Minute)
	}
	s.writeLogs("young", 1, 0)
	seen, pages := map[string]int{}, 0
	for path := "/v1/logs?category=CallSummary&page_size=4"; path != ""; pages++ {
		got := s.send(http.StatusOK, "auditor@contoso", http.MethodGet, "", path, nil)
		if kind := got.header.Get("Content-Type"); kind != "application/x-ndjson" {
			t.Errorf("content type %s", kind)
		}
		for line := range strings.Lines(string(got.body)) {
			seen[line]++
		}
		link := got.header.Get("Link")
		path, _, _ = strings.Cut(strings.TrimPrefix(link, "<"), ">")
		if link != "" && !strings.HasSuffix(link, `>; rel="next"`) {
			t.Fatalf("link %s", link)
		}
	}
	if len(seen) != 15 || pages != 4 {
		t.Errorf("%d records on %d pages", len(seen), pages)
	}
	for line, n := range seen {
		if n != 1 || strings.Contains(line, "young") {
			t.Errorf("%d times %s", n, line)
		}
	}
	from, to := time.Now().Add(-8*time.Minute-30*time.Second).UTC().Format(time.RFC3339), time.Now().Add(-7*time.Minute-30*time.Second).UTC().Format(time.RFC3339)
	got := s.send(http.StatusOK, "auditor@contoso", http.MethodGet, "", "/v1/logs?category=CallSummary&from="+from+"&to="+to, nil)
	if n := strings.Count(string(got.body), "call-2"); n != 3 || strings.Count(string(got.body), "\n") != 3 {
		t.Errorf("within a minute: %s", got.body)
	}
	if got := s.send(http.StatusOK, "auditor@fabrikam", http.MethodGet, "", "/v1/logs?category=CallSummary", nil); len(got.body) > 0 {
		t.Errorf("another organisation's: %s", got.body)
	}
}

// What is wrong with a request for logs, usage or running calls is said by the parameter's name; no parameter reaches a statement as text.
func TestBadRequestsForLogs(t *testing.T) {
	s := start(t, nil)
	s.writeLogs("call-1", 3, time.Minute)
	link := s.send(http.StatusOK, "admin@contoso", http.MethodGet, "", "/v1/logs?category=CallSummary&page_size=1", nil).header.Get("Link")
	_, token, _ := strings.Cut(link, "page_token=")
	token, _, _ = strings.Cut(token, "&")
	token, _, _ = strings.Cut(token, ">")
	for _, test := range []struct{ path, code, parameter string }{
		{"/v1/logs", "invalid_parameter", "category"},
		{"/v1/logs?category=Usage", "invalid_parameter", "category"},
		{"/v1/logs?category=CallSummary'%20OR%201=1", "invalid_parameter", "category"},
		{"/v1/logs?category=CallSummary&from=yesterday", "invalid_parameter", "from"},
		{"/v1/logs?category=CallSummary&from=2026-03-04T00:00:00Z&to=2026-03-03T00:00:00Z", "invalid_parameter", "to"},
		{"/v1/logs?category=CallSummary&page_size=0", "invalid_parameter", "page_size"},
		{"/v1/logs?category=CallSummary&page_token=x", "invalid_page_token", "page_token"},
		{"/v1/logs?category=CallDiagnostics&page_token=" + token, "invalid_page_token", "page_token"},
		{"/v1/logs?category=CallSummary&org=Contoso%20Ltd", "invalid_parameter", "org"},
		{"/v1/logs?category=CallSummary&limit=3", "unknown_parameter", "limit"},
		{"/v1/usage?from=2026-13-01", "invalid_parameter", "from"},
		{"/v1/usage?from=2025-01-01&to=2026-12-31", "invalid_parameter", "from"},
		{"/v1/usage?from=2026-02-02&to=2026-02-01", "invalid_parameter", "to"},
		{"/v1/usage?resource=x'%20OR%201=1", "invalid_parameter", "resource"},
		{"/v1/live?since=1", "unknown_parameter", "since"},
		{"/v1/resources/" + s.people.clinic.ID + "/logs?category=ChatOperational", "invalid_parameter", "category"},
		{"/v1/resources/clinic/logs?category=CallSummary", "invalid_parameter", "id"},
	} {
		code, parameter := s.problem(s.send(http.StatusBadRequest, "admin@contoso", http.MethodGet, "", test.path, nil))
		if code != test.code || parameter != test.parameter {
			t.Errorf("%s: %s %s, want %s %s", test.path, code, parameter, test.code, test.parameter)
		}
	}
	if code, _ := s.problem(s.send(http.StatusNotFound, "admin@contoso", http.MethodGet, "", "/v1/resources/"+uuid.NewString()+"/logs?category=CallSummary", nil)); code != string(CodeResourceNotFound) {
		t.Errorf("an unknown resource: %s", code)
	}
}
