package api

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/anteroom/anteroom/retention/report"
	"github.com/anteroom/anteroom/store/storetest"
)

const (
	exportsRoute = "/v1/exports"
	exportRoute  = exportsRoute + "/:id"
)

// withExports runs the API with exports that nobody makes: what is made of them is tested in retention/report and in cmd/anteroom.
func withExports(t *testing.T) *service {
	t.Helper()
	return start(t, func(_ *Config, d *Deps) {
		d.Store, _ = storetest.Reused(t)
		jobs, err := report.NewJobs(report.Config{Dir: t.TempDir()}, report.JobsDeps{Home: d.Store, Regions: []string{"emea", "amer"}})
		if err != nil {
			t.Fatal(err)
		}
		d.Exports = jobs
	})
}

func (s *service) ask(status int, who string, body any, header ...string) answer {
	s.t.Helper()
	return s.send(status, who, http.MethodPost, exportsRoute, exportsRoute, body, header...)
}

func november(more object) object {
	body := object{"kind": "retention", "from": "2026-11-01T00:00:00Z", "to": "2026-12-01T00:00:00+01:00"}
	for name, v := range more {
		body[name] = v
	}
	return body
}

func TestExportsAreAskedFor(t *testing.T) {
	s := withExports(t)
	meeting := uuid.NewString()
	a := s.ask(202, "auditor@contoso", november(object{"classes": []string{"copy", "thread", "copy"}, "meeting_id": strings.ToUpper(meeting), "formats": []string{"csv"}}))
	job := read[object](t, a)
	id := job["export_id"].(string)
	if a.header.Get("Location") != "/v1/exports/"+id {
		t.Errorf("location %s", a.header.Get("Location"))
	}
	want := object{
		"export_id": id, "organization": "contoso", "kind": "retention", "region": nil, "from": "2026-11-01T00:00:00Z", "to": "2026-11-30T23:00:00Z",
		"classes": []any{"copy", "thread"}, "meeting_id": meeting, "resource_id": nil, "formats": []any{"csv"}, "csv_bom": false, "reason": nil,
		"state": "queued", "percent": 0.0, "rows": 0.0, "requested_by": job["requested_by"], "requested_at": job["requested_at"], "approval": nil,
		"finished_at": nil, "expires_at": nil, "failure": nil, "files": []any{}, "regions": []any{
			object{"region": "amer", "state": "waiting", "percent": 0.0, "rows": 0.0}, object{"region": "emea", "state": "waiting", "percent": 0.0, "rows": 0.0},
		},
	}
	if diff := cmp.Diff(want, job); diff != "" {
		t.Errorf("job (-want +got):\n%s", diff)
	}
	want["accesses"] = []any{}
	if diff := cmp.Diff(want, read[object](t, s.send(200, "admin@contoso", http.MethodGet, exportRoute, "/v1/exports/"+id, nil))); diff != "" {
		t.Errorf("read again (-want +got):\n%s", diff)
	}
	if all := read[object](t, s.ask(202, "admin@contoso", november(nil))); !cmp.Equal(all["formats"], []any{"csv", "parquet", "pdf"}) {
		t.Errorf("formats %v", all["formats"])
	}
	one := read[object](t, s.ask(202, "admin@contoso", november(nil), "Idempotency-Key", "k"))
	two := read[object](t, s.ask(202, "admin@contoso", november(nil), "Idempotency-Key", "k"))
	if one["export_id"] != two["export_id"] {
		t.Errorf("the same key made %v and %v", one["export_id"], two["export_id"])
	}
	if code, parameter := s.problem(s.ask(422, "admin@contoso", november(object{"csv_bom": true}), "Idempotency-Key", "k")); code != "idempotency_key_reused" || parameter != "Idempotency-Key" {
		t.Errorf("another request under the key: %s %s", code, parameter)
	}
}

// What calls an export is about is shown as it was asked for.
func TestExportsOfCallsHaveTheFiltersOfTheirList(t *testing.T) {
	s := withExports(t)
	filter := object{
		"profile": "cqd", "verdict": "poor", "reason": "loss_ratio", "side": "server", "client": "chrome", "client_version": "132", "region": "emea", "site": "Oslo",
		"subnet": "192.0.2.0/24", "user": "ada", "participant_label": "Ada", "q": "4711", "source": "webrtc-internals", "kind": "meeting", "state": "complete",
		"min_duration_s": 60.0, "max_duration_s": 3600.0, "tag": "late", "recorded": false,
	}
	job := read[object](t, s.ask(202, "admin@contoso", november(object{"kind": "streams", "filter": filter})))
	if diff := cmp.Diff(any(filter), job["filter"]); diff != "" {
		t.Errorf("filter (-asked for +shown):\n%s", diff)
	}
}

func TestExportsThatCannotBeAskedFor(t *testing.T) {
	s := withExports(t)
	for field, body := range map[string]object{
		"kind":        november(object{"kind": "everything"}),
		"from":        {"kind": "retention", "to": "2026-11-01T00:00:00Z"},
		"to":          november(object{"to": "2026-11-01T00:00:00Z"}),
		"to ":         november(object{"to": "2028-12-01T00:00:00Z"}),
		"to  ":        november(object{"to": "tomorrow"}),
		"region":      november(object{"region": "apac"}),
		"region ":     november(object{"kind": "notices", "region": "amer"}),
		"classes[0]":  november(object{"classes": []string{"letters"}}),
		"classes":     november(object{"kind": "changes", "classes": []string{"copy"}}),
		"formats[1]":  november(object{"formats": []string{"csv", "docx"}}),
		"meeting_id":  november(object{"meeting_id": "4711"}),
		"resource_id": november(object{"kind": "changes", "resource_id": uuid.NewString()}),
		"csv_bom":     november(object{"csv_bom": true, "formats": []string{}}),
		"reason":      november(object{"kind": "held_content"}),
		"reason ":     november(object{"reason": "a\u202eb"}),
		"state":       november(object{"state": "done"}),

		"filter":                november(object{"filter": object{"verdict": "poor"}}),
		"filter.verdict":        november(object{"kind": "calls", "filter": object{"verdict": "awful"}}),
		"filter.subnet":         november(object{"kind": "calls", "filter": object{"subnet": "192.0.2.128/25"}}),
		"filter.max_duration_s": november(object{"kind": "calls", "filter": object{"min_duration_s": 2, "max_duration_s": 1}}),
	} {
		got := read[object](t, s.ask(422, "auditor@contoso", body))
		if got["code"] != "invalid_field" || got["field"] != strings.TrimSpace(field) {
			t.Errorf("%v: %v %v, want the field %s", body, got["code"], got["field"], field)
		}
	}
}

func TestExportsAreTheOrganizationsOwn(t *testing.T) {
	s := withExports(t)
	id := read[object](t, s.ask(202, "auditor@contoso", november(nil)))["export_id"].(string)
	path := "/v1/exports/" + id
	for _, test := range []struct {
		status       int
		who          string
		method, path string
		code         string
	}{
		{404, "auditor@fabrikam", "GET", path, "export_not_found"},
		{404, "admin@fabrikam", "POST", path + "/cancel", "export_not_found"},
		{404, "admin@fabrikam", "POST", path + "/resume", "export_not_found"},
		{404, "admin@fabrikam", "GET", path + "/files/emea.bundle.zip", "export_not_found"},
		{403, "admin@fabrikam", "GET", path + "?org=contoso", "other_organization"},
		{403, "support@contoso", "GET", path, "forbidden"},
		{403, "policy_author@contoso", "GET", path, "forbidden"},
		{403, "org_user@contoso", "GET", exportsRoute, "forbidden"},
		{403, "operator", "GET", exportsRoute, "forbidden"},
		{401, "guest", "GET", exportsRoute, "token_issuer_unknown"},
		{401, "", "GET", path, "token_missing"},
		{404, "auditor@contoso", "GET", "/v1/exports/" + uuid.NewString(), "export_not_found"},
		{409, "auditor@contoso", "POST", path + "/resume", "export_state"},
		{409, "auditor@contoso", "GET", path + "/files/emea.bundle.zip", "export_state"},
		{400, "auditor@contoso", "GET", path + "/files/..%2f..%2fx", "invalid_parameter"},
		{400, "auditor@contoso", "GET", path + "/files/emea.%00", "invalid_parameter"},
	} {
		if code := codeOf(t, s.send(test.status, test.who, test.method, "", test.path, nil)); code != test.code {
			t.Errorf("%s %s as %q: %s, want %s", test.method, test.path, test.who, code, test.code)
		}
	}
	if list := read[object](t, s.send(200, "admin@fabrikam", http.MethodGet, exportsRoute, exportsRoute, nil)); len(list["exports"].([]any)) != 0 {
		t.Errorf("another organisation lists %v", list)
	}
	if got := read[object](t, s.send(200, "admin@contoso", http.MethodPost, exportRoute+"/cancel", path+"/cancel", nil)); got["state"] != "cancelled" {
		t.Errorf("cancelled: %v", got)
	}
	again := read[object](t, s.send(409, "admin@contoso", http.MethodPost, exportRoute+"/cancel", path+"/cancel", nil))
	if want := "The state of the export is cancelled. This can be done only while it is awaiting_approval or queued or running."; again["code"] != "export_state" || again["detail"] != want {
		t.Errorf("cancelled again: %v", again)
	}
	if got := read[object](t, s.send(200, "admin@contoso", http.MethodPost, exportRoute+"/resume", path+"/resume", nil)); got["state"] != "queued" {
		t.Errorf("resumed: %v", got)
	}
}

func TestHeldContentIsApprovedByAnother(t *testing.T) {
	s := withExports(t)
	asked := read[object](t, s.ask(202, "auditor:ada@contoso", november(object{"kind": "held_content", "reason": "case 4711"})))
	if asked["state"] != "awaiting_approval" {
		t.Errorf("asked: %v", asked)
	}
	path := "/v1/exports/" + asked["export_id"].(string) + "/approve"
	approve := func(status int, who string, body any) object {
		return read[object](t, s.send(status, who, http.MethodPost, exportRoute+"/approve", path, body))
	}
	if got := approve(403, "admin:ada@contoso", object{"reason": "mine"}); got["code"] != "same_person" {
		t.Errorf("the same person in another role: %v", got)
	}
	for _, body := range []object{{}, {"reason": ""}, {"reason": "a\nb"}} {
		if got := approve(422, "admin:bob@contoso", body); got["code"] != "invalid_field" || got["field"] != "reason" {
			t.Errorf("%v: %v", body, got)
		}
	}
	if got := approve(404, "admin:eve@fabrikam", object{"reason": "x"}); got["code"] != "export_not_found" {
		t.Errorf("another organisation: %v", got)
	}
	got := approve(200, "admin:bob@contoso", object{"reason": "seen the order"})
	approval, _ := got["approval"].(object)
	if got["state"] != "queued" || approval["reason"] != "seen the order" || approval["by"] == asked["requested_by"] {
		t.Errorf("approved: %v", got)
	}
	if got := approve(409, "admin:carl@contoso", object{"reason": "x"}); got["code"] != "export_state" {
		t.Errorf("approved again: %v", got)
	}
}

func TestExportsInPages(t *testing.T) {
	s := withExports(t)
	var want []string
	for range 5 {
		want = append([]string{read[object](t, s.ask(202, "auditor@contoso", november(nil)))["export_id"].(string)}, want...)
	}
	var got []string
	query := "page_size=2"
	for range 4 {
		page := read[struct {
			Exports []struct {
				ID string `json:"export_id"`
			}
			Next *string `json:"next_page_token"`
		}](t, s.send(200, "auditor@contoso", http.MethodGet, exportsRoute, exportsRoute+"?"+query, nil))
		for _, e := range page.Exports {
			got = append(got, e.ID)
		}
		if page.Next == nil {
			break
		}
		query = "page_size=2&page_token=" + *page.Next
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("newest first, each once (-want +got):\n%s", diff)
	}
	if list := read[object](t, s.send(200, "auditor@contoso", http.MethodGet, exportsRoute, exportsRoute+"?state=done", nil)); len(list["exports"].([]any)) != 0 {
		t.Errorf("those that are done: %v", list)
	}
}

func TestFilesOfExportsInRanges(t *testing.T) {
	folder := t.TempDir()
	s := start(t, func(_ *Config, d *Deps) {
		d.Store, _ = storetest.Reused(t)
		jobs, err := report.NewJobs(report.Config{Dir: folder}, report.JobsDeps{Home: d.Store, Regions: []string{"emea"}})
		if err != nil {
			t.Fatal(err)
		}
		d.Exports = jobs
	})
	id := read[object](t, s.ask(202, "auditor@contoso", november(nil)))["export_id"].(string)
	// As a worker leaves it.
	const content = "0123456789"
	sum := sha256.Sum256([]byte(content))
	row, err := s.store.Get(t.Context(), report.KindExport, "contoso", id)
	if err != nil {
		t.Fatal(err)
	}
	var job report.Job
	if err := json.Unmarshal(row.Value, &job); err != nil {
		t.Fatal(err)
	}
	job.State = report.Done
	job.Parts["emea"] = &report.Part{State: report.PartDone, Percent: 100, Rows: 3, Folder: "f", Files: []report.File{{
		Name: "bundle.zip", Bytes: int64(len(content)), SHA256: hex.EncodeToString(sum[:]), ContentType: "application/zip",
	}}}
	if row.Value, err = json.Marshal(job); err != nil {
		t.Fatal(err)
	}
	row.WriteID = uuid.New()
	if _, err := s.store.Put(t.Context(), row, row.Version); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.MkdirAll(filepath.Join(folder, id, "f"), 0o700), os.WriteFile(filepath.Join(folder, id, "f", "bundle.zip"), []byte(content), 0o600)); err != nil {
		t.Fatal(err)
	}
	const route = exportRoute + "/files/:name"
	path := "/v1/exports/" + id + "/files/emea.bundle.zip"
	tag := `"` + hex.EncodeToString(sum[:]) + `"`
	for _, test := range []struct {
		who, ranged string
		status      int
		body        string
	}{
		{"auditor:ada@contoso", "", 200, content},
		{"auditor:ada@contoso", "bytes=2-4", 206, "234"},
		{"admin:bob@contoso", "bytes=-3", 206, "789"},
		{"admin:bob@contoso", "bytes=0-1", 206, "01"},
	} {
		var header []string
		if test.ranged != "" {
			header = []string{"Range", test.ranged, "If-Range", tag}
		}
		a := s.send(test.status, test.who, http.MethodGet, route, path, nil, header...)
		if string(a.body) != test.body || a.header.Get("Etag") != tag || a.header.Get("Content-Disposition") != `attachment; filename="emea.bundle.zip"` ||
			a.header.Get("Content-Type") != "application/zip" || a.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %q, %v", test.ranged, a.body, a.header)
		}
	}
	if code, _ := s.problem(s.send(416, "auditor:ada@contoso", http.MethodGet, route, path, nil, "Range", "bytes=10-")); code != "range_not_satisfiable" {
		t.Errorf("beyond the end: %s", code)
	}
	if code := codeOf(t, s.send(404, "auditor:ada@contoso", http.MethodGet, route, strings.Replace(path, "bundle.zip", "rows.csv", 1), nil)); code != "export_not_found" {
		t.Errorf("a file that isn't listed: %s", code)
	}
	got := read[struct {
		Files    []object
		Accesses []struct{ By, File string }
	}](t, s.send(200, "auditor@contoso", http.MethodGet, exportRoute, "/v1/exports/"+id, nil))
	var who []string
	for _, a := range got.Accesses {
		who = append(who, a.By[strings.LastIndexAny(a.By, ":")+1:]+" "+a.File)
	}
	if want := []string{"ada emea.bundle.zip", "bob emea.bundle.zip", "bob emea.bundle.zip"}; len(got.Files) != 1 || !cmp.Equal(want, who) {
		t.Errorf("files %v, accesses %q", got.Files, who)
	}
}

func TestWithoutExports(t *testing.T) {
	s := start(t, nil)
	if code := codeOf(t, s.ask(503, "auditor@contoso", november(nil))); code != "exports_unavailable" {
		t.Errorf("%s", code)
	}
}
