package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/anteroom/anteroom/api"
	"github.com/anteroom/anteroom/internal/config"
	"github.com/anteroom/anteroom/internal/demo"
	mediaclient "github.com/anteroom/anteroom/media/client"
	"github.com/anteroom/anteroom/media/protocol"
)

// contractExamples bounds what Schemathesis makes up for each operation, besides the edges of every parameter: as much as takes a minute or two.
const contractExamples = "3"

// contractChecks are what each answer is held against: no answer says that the service failed, and each is as the document says. What the document
// doesn't allow is refused.
var contractChecks = []string{
	"not_a_server_error", "status_code_conformance", "content_type_conformance", "response_headers_conformance", "response_schema_conformance",
	"negative_data_rejection", "missing_required_header", "unsupported_method",
}

// The service does what its OpenAPI document says: Schemathesis makes up requests from it, right ones and wrong ones, as somebody with every role, and
// each operation that reads is seen to work at least once.
func TestTheServiceKeepsToItsDocument(t *testing.T) {
	program := schemathesis(t)
	t.Parallel()
	r, err := startRig(wideLimits(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if r.stop() != 0 {
			t.Errorf("the service did not end well\n%.20000s", r.stderr)
		}
	})
	known := newKnown(t, r)
	raw, err := json.Marshal(known)
	if err != nil {
		t.Fatal(err)
	}
	facts := filepath.Join(t.TempDir(), "known.json")
	if err := os.WriteFile(facts, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	hooks, err := filepath.Abs("testdata/contract/hooks.py")
	if err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), program, "--no-color", "run", r.url+"/openapi.json", "--checks", strings.Join(contractChecks, ","),
		"--phases", "coverage,fuzzing", "--max-examples", contractExamples, "--seed", fmt.Sprint(known.Seed),
		"--request-timeout", "30", "--continue-on-failure", "--no-shrink", "--generation-database", "none", "--suppress-health-check", "all", "--warnings", "off")
	command.Dir = t.TempDir()
	command.Env = append(os.Environ(), "SCHEMATHESIS_HOOKS="+hooks, "ANTEROOM_CONTRACT="+facts, "PYTHONDONTWRITEBYTECODE=1")
	out, err := command.CombinedOutput()
	if err != nil {
		t.Errorf("%v (seed %d)\n%s", err, known.Seed, shortLines(out))
	}
	t.Log(lastLines(string(out), 12))
	known.worked(t)
}

// schemathesis is the program; without Python the test is skipped, but not in CI.
func schemathesis(t *testing.T) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "bash", "../../scripts/schemathesis.sh").Output()
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("no Schemathesis: %v", err)
		}
		t.Skipf("no Schemathesis: %v", err)
	}
	return strings.TrimSpace(string(out))
}

// known is what hooks.py reads; its head says what the fields are.
type known struct {
	Organization string                         `json:"organization"`
	Seed         int64                          `json:"seed"`
	Tokens       map[string]string              `json:"tokens"`
	As           map[string]string              `json:"as"`
	Guests       []string                       `json:"guests"`
	Path         things                         `json:"path"`
	Query        map[string][]map[string]string `json:"query"`
	Headers      map[string]map[string][]string `json:"headers"`
	Bodies       map[string][]string            `json:"bodies"`
	Seen         string                         `json:"seen"`
}

// newKnown has something of each kind made, and says what is there.
func newKnown(t *testing.T, r *rig) *known {
	t.Helper()
	s := newStage(t, r, nil, nil)
	h := s.house
	k := &known{
		Seed:   time.Now().UnixNano() % 1_000_000,
		Tokens: map[string]string{"usual": h.token(organizer, "admin", "support", "auditor", "policy_author", "org_user"), "operator": h.token("operator", "operator")},
		As: map[string]string{
			"createOrganization": "operator", "listOrganizations": "operator", "startGuestCall": "guest", "collectStatistics": "guest",
		},
		Path: things{}, Query: map[string][]map[string]string{}, Headers: map[string]map[string][]string{}, Bodies: map[string][]string{},
		Seen: filepath.Join(t.TempDir(), "seen.json"),
	}
	k.calls(s)
	k.kept(s)
	k.policies(s)
	k.files(s)
	for range 1000 {
		k.Guests = append(k.Guests, s.app.token("sub", fields{"exp": time.Now().Add(10 * time.Minute).Unix()}))
	}
	return k
}

// calls are one that has ended, with a recording, and one that goes on.
func (k *known) calls(s *stage) {
	s.t.Helper()
	guest := s.inside("Guest")
	guest.publish(mediaclient.Source{Kind: mediaclient.Audio})
	s.host.awaitMedia(guest, mediaclient.Audio)
	s.host.do(s.host.StartRecording(s.host.soon()))
	await(guest, protocol.TypeNotice, ofKind("recording_started"))
	s.host.awaitMorePackets(guest, mediaclient.Audio, s.host.packetsOf(guest, mediaclient.Audio)+20)
	s.host.do(s.host.StopRecording(s.host.soon()))
	rater := s.inside("Rater")
	ended := s.ended()
	goesOn := s.house.meeting(nil)
	inside := goesOn.user(organizer)

	k.Path.add("/v1/calls/{call_id}", "call_id", ended, inside.Joined().CallID)
	k.Path.add("/communications/callRecords/{id}", "id", ended)
	k.Path.add("/v1/meetings/{id}", "id", s.id, goesOn.id)
	k.Path.add("/v1/meetings/{id}/end", "id", goesOn.id)
	k.Path.add("/v1/calls/{call_id}/survey", "call_id", ended)
	k.Path.add("/communications/onlineMeetings/{id}", "id", goesOn.id)
	k.Path.add("/v1/join-page/meetings/{id}", "id", goesOn.id)
	k.Headers["getJoinPageMeeting"] = map[string][]string{"Anteroom-Meeting-Secret": {goesOn.secret}}
	k.Headers["createSurvey"] = map[string][]string{api.ParticipantTokenHeader: {rater.ResumeToken(), guest.ResumeToken()}}
	k.Query["compareQuality"] = []map[string]string{
		{"a_call": ended, "b_call": inside.Joined().CallID},
		{"a_from": "2026-01-01T00:00:00Z", "a_to": "2026-01-02T00:00:00Z", "b_from": "2026-01-02T00:00:00Z", "b_to": "2026-01-03T00:00:00Z"},
	}
	k.Bodies["createSurvey"] = []string{`{"ratings": {"overall": 4}}`}
	k.Path.add("/v1/calls/{call_id}/streams/{stream_id}", "call_id", ended)
	k.Path.add("/v1/calls/{call_id}/streams/{stream_id}", "stream_id", streamsOf(s.house, ended)...)
	recordedIn(s.house, ended, k.Path)
	k.Path.add("/v1/policies/{org}/decisions", "id", decisionOf(s.house, ended))
}

// kept are things of the directory and of retention.
func (k *known) kept(s *stage) {
	s.t.Helper()
	made := func(path string, body any) string {
		var made struct {
			ID string `json:"id"`
		}
		s.house.rig.must(s.t, http.StatusCreated, k.Tokens["usual"], http.MethodPost, path, body).read(s.t, &made)
		return made.ID
	}
	k.Path.add("/v1/users/{user}", "user", organizer)
	k.Path.add("/v1/organizations/{id}", "id", s.house.org)
	k.Path.add("/v1/organizations/{id}", "user", organizer)
	k.Path.add("/v1/resources/{id}", "id", s.app.id)
	k.Path.add("/v1/views/{id}", "id", made("/v1/views", fields{"name": "Mine", "screen": "calls", "query": "last=7d"}))
	ledgerOf(s.house, k.Path)
	k.Path.add("/v1/retention/policies/{id}", "id",
		made("/v1/retention/policies", fields{"name": "P", "scope": fields{"kind": "organization"}, "action": fields{"kind": "delete", "days": 30}}))
	k.Path.add("/v1/retention/holds/{id}", "id", made("/v1/retention/holds", fields{"meeting": s.id, "reason": "A question"}))
	k.Organization = s.house.org
	var app struct {
		Keys json.RawMessage `json:"keys"`
	}
	s.house.rig.must(s.t, http.StatusOK, k.Tokens["usual"], http.MethodGet, "/v1/resources/"+s.app.id, nil).read(s.t, &app)
	region := config.Default().Ingest.Region
	policy := `{"name": "P", "scope": {"kind": "organization"}, "action": {"kind": "delete", "days": 30}}`
	k.Bodies["createOrganization"] = []string{`{"id": "{unique}", "name": "Another", "region": "` + region + `"}`}
	k.Bodies["createResource"] = []string{`{"name": "Another", "region": "` + region + `", "keys": ` + string(app.Keys) + `}`}
	k.Bodies["updateResource"] = []string{`{"name": "The same"}`}
	k.Bodies["createRetentionPolicy"] = []string{policy}
	k.Bodies["updateRetentionPolicy"] = []string{`{"name": "Q"}`}
	k.Bodies["createHold"] = []string{`{"user": "` + organizer + `", "reason": "A question"}`}
	k.Bodies["previewRetention"] = []string{`{"policy": ` + policy + `}`}
}

// policies are a revision that is active, and a draft.
func (k *known) policies(s *stage) {
	s.t.Helper()
	files := guestsWait("acme_lobby", "webinar")
	number := policiesOf(s.house, files, k.Path)
	k.Query["diffPolicies"] = []map[string]string{{"from": "0", "to": "active"}}
	for operation, body := range map[string]fields{
		"createPolicyRevision": {"files": files, "message": "Another"}, "createPolicyDraft": {"title": "Another", "files": fields{}},
		"putPolicyDraft": {"title": "Mine", "files": files}, "checkPolicy": {"revision": number}, "formatPolicy": {"files": files}, "testPolicy": {"files": files},
		"evaluatePolicy": {"revision": number, "input": fields{}}, "createPolicyReplay": {"revision": number, "last": "1h"}, "createPolicyToken": {"name": "Another"},
		"activatePolicy": {"revision": number}, "rollBackPolicy": {"to": 0},
	} {
		text, err := json.Marshal(body)
		if err != nil {
			s.t.Fatal(err)
		}
		k.Bodies[operation] = []string{string(text)}
	}
}

// files are those that go in and out.
func (k *known) files(s *stage) {
	s.t.Helper()
	dump := demo.Files()[0]
	k.Query["createImport"] = []map[string]string{{"format": "rtcstats", "org": s.house.org}}
	k.Bodies["createImport"] = []string{string(dump.Data)}
	k.Bodies["putSites"] = []string{"subnet,site\n192.0.2.0/24,Paris\n"}
	now := time.Now().UTC()
	var export struct {
		ExportID string `json:"export_id"`
		Files    []struct {
			Name string `json:"name"`
		} `json:"files"`
	}
	asked := func(token string, body fields) (id string) {
		body["from"], body["to"] = now.Add(-time.Hour).Format(time.RFC3339), now.Add(time.Minute).Format(time.RFC3339)
		s.house.rig.must(s.t, http.StatusAccepted, token, http.MethodPost, "/v1/exports", body).read(s.t, &export)
		return export.ExportID
	}
	// Held content waits until somebody else than who asked approves it; what waits can be cancelled, and what is cancelled made after all.
	held := func() string { return asked(s.house.admin, fields{"kind": "held_content", "reason": "A question"}) }
	k.Path.add("/v1/exports/{id}/approve", "id", held())
	k.Path.add("/v1/exports/{id}/cancel", "id", held())
	cancelled := held()
	s.house.rig.must(s.t, http.StatusOK, k.Tokens["usual"], http.MethodPost, "/v1/exports/"+cancelled+"/cancel", nil)
	k.Path.add("/v1/exports/{id}/resume", "id", cancelled)
	ask := fields{"kind": "retention"}
	asked(k.Tokens["usual"], ask)
	body, err := json.Marshal(ask)
	if err != nil {
		s.t.Fatal(err)
	}
	k.Bodies["createExport"] = []string{string(body)}
	within(s.t, 2*rigPatience, "a report", func() (bool, string) {
		got := s.house.rig.must(s.t, http.StatusOK, k.Tokens["usual"], http.MethodGet, "/v1/exports/"+export.ExportID, nil)
		got.read(s.t, &export)
		return len(export.Files) > 0, string(got.body)
	})
	k.Path.add("/v1/exports/{id}", "id", export.ExportID)
	for _, file := range export.Files {
		k.Path.add("/v1/exports/{id}", "name", file.Name)
	}
}

// unreached are the operations that read and needn't be seen to have worked, with the reason. Other tests have them work.
var unreached = map[string]string{
	"loginCallback": "it takes a browser that was at the provider",
	"getDocument":   "it is where Schemathesis has the document from, so it leaves it out",
	"getLedgerTile": "Schemathesis makes up no parameter of a path with slashes in it",

	"listMessages":       "other requests end the meetings that they learn of, maybe before it is its turn",
	"getJoinPageMeeting": "other requests renew the links",
}

// worked fails the test for operations that read and were never seen to work. Whether a change works is up to what others have changed before; those that
// didn't are logged.
func (k *known) worked(t *testing.T) {
	t.Helper()
	raw, err := os.ReadFile(k.Seen)
	if err != nil {
		t.Fatal(err)
	}
	var seen map[string]map[string]int
	if err := json.Unmarshal(raw, &seen); err != nil {
		t.Fatal(err)
	}
	doc, err := openapi3.NewLoader().LoadFromFile("../../api/openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	total := 0
	for path, item := range doc.Paths.Map() {
		for method, operation := range item.Operations() {
			statuses := seen[operation.OperationID]
			for _, n := range statuses {
				total += n
			}
			if unreached[operation.OperationID] != "" {
				continue
			}
			if !slices.ContainsFunc(slices.Collect(maps.Keys(statuses)), func(s string) bool { return s[0] == '2' || s[0] == '3' }) {
				tell := t.Logf
				if method == http.MethodGet {
					tell = t.Errorf
				}
				tell("%s %s (%s) was never seen to work: %v", method, path, operation.OperationID, statuses)
			}
		}
	}
	t.Logf("%d requests", total)
}

// shortLines cuts lines that quote long values.
func shortLines(out []byte) string {
	var b strings.Builder
	for line := range strings.Lines(string(out)) {
		if line = strings.TrimRight(line, "\n"); len(line) > 400 {
			line = line[:400] + "…"
		}
		b.WriteString(line + "\n")
	}
	return b.String()
}
