package main

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/anteroom/anteroom/internal/config"
	"github.com/anteroom/anteroom/retention/report"
)

// unswept are the routes that read and that no sweep for names asks, with the reason.
var unswept = map[string]string{
	"login":         "it leads to a provider",
	"loginCallback": "it takes a browser that was there",
	"listMessages":  "what is said is for who is in the meeting, while it runs",
}

// entitled says what a route is there to tell, which is not searched for in it: a resource learns the id that it gave its own guest, and who may, the link.
var entitled = map[string]string{
	"getResourceLogs":  "the guest's id",
	"listMeetings":     "the link's secret",
	"getMeeting":       "the link's secret",
	"getOnlineMeeting": "the link's secret",
	"getCallRecord":    "the link's secret",
	"listCallRecords":  "the link's secret",

	"getMeetingCalendar": "the link's secret",
}

// things are what paths of the document can be filled with: by how a path begins, values by parameter. The longest beginning counts.
type things map[string]map[string][]string

func (th things) add(path, parameter string, values ...string) {
	if th[path] == nil {
		th[path] = map[string][]string{}
	}
	th[path][parameter] = append(th[path][parameter], values...)
}

var braces = regexp.MustCompile(`\{([a-z_]+)\}`)

// fill makes a path of a template, with the first values that are known.
func (th things) fill(path string) string {
	return braces.ReplaceAllStringFunc(path, func(parameter string) string {
		name, best, value := strings.Trim(parameter, "{}"), -1, parameter
		for begins, parameters := range th {
			if values := parameters[name]; strings.HasPrefix(path, begins) && len(values) > 0 && len(begins) > best {
				best, value = len(begins), values[0]
			}
		}
		return strings.ReplaceAll(url.PathEscape(value), "%2F", "/")
	})
}

// queries are what routes are asked with besides nothing, by operation; {call} is the call.
var queries = map[string][]string{
	"listCalls":          {"q={call}", "format=csv&q={call}", "participant_label=Anonymous", "sort=-duration_ms"},
	"getQuality":         {"last=1h&group_by=client,site", "last=1h&group_by=reason,media"},
	"getHeatmap":         {"last=1h&y=client", "last=1h&y=reason"},
	"compareQuality":     {"a_call={call}&b_call={call}"},
	"getQuantiles":       {"last=1h&step=minute"},
	"listTimeline":       {"page_size=5000"},
	"listNotices":        {"", "format=csv"},
	"getCallRecord":      {"$expand=sessions($expand=segments),participants_v2"},
	"diffPolicies":       {"from=0&to=active"},
	"listDecisions":      {"call_id={call}&limit=500"},
	"getResourceLogs":    {"category=CallSummary", "category=CallDiagnostics", "category=CallNotices"},
	"getLogs":            {"category=CallSummary", "category=CallDiagnostics", "category=CallClientOperations", "category=CallSurvey", "category=CallRecordingSummary", "category=ChatOperational"},
	"getJoinPageMeeting": {""},
}

// asking is one request of a sweep.
type asking struct{ operation, address string }

// askings are requests of every route of the document that only reads, with the queries given for it; {call} in them is the call.
func (th things) askings(t *testing.T, call string, queries map[string][]string) []asking {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromFile("../../api/openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var out []asking
	for _, path := range slices.Sorted(maps.Keys(doc.Paths.Map())) {
		operation := doc.Paths.Find(path).Get
		if operation == nil || unswept[operation.OperationID] != "" {
			continue
		}
		asked := queries[operation.OperationID]
		if asked == nil {
			asked = []string{""}
		}
		for _, query := range asked {
			address := th.fill(path)
			if query != "" {
				address += "?" + strings.ReplaceAll(query, "{call}", call)
			}
			out = append(out, asking{operation.OperationID, address})
		}
	}
	return out
}

// sweep asks every route of the document that only reads, as an admin and auditor, and returns what each says by its operation. All must answer 200.
func (r *rig) sweep(t *testing.T, token, call, secret string, there things) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	for _, a := range there.askings(t, call, queries) {
		answer := r.must(t, http.StatusOK, token, http.MethodGet, a.address, nil, "Anteroom-Meeting-Secret", secret)
		if len(answer.body) == 0 {
			t.Errorf("GET %s says nothing", a.address)
		}
		header := new(bytes.Buffer)
		_ = answer.header.Write(header)
		out[a.operation] = slices.Concat(out[a.operation], header.Bytes(), answer.body, []byte("\n"))
	}
	return out
}

// sweptAnswers searches each answer for what no route may tell, and returns those that have nothing to tell besides.
func sweptAnswers(t *testing.T, answers map[string][]byte, needles []needle) (others []byte) {
	t.Helper()
	for operation, answer := range answers {
		for _, n := range needles {
			if has := len(found(answer, []needle{n})) > 0; has && entitled[operation] != n.what {
				t.Errorf("GET of %s: holds %s", operation, n)
			}
		}
		if entitled[operation] == "" {
			others = append(others, answer...)
		}
	}
	if !bytes.Contains(answers["getResourceLogs"], []byte("sub-")) {
		t.Errorf("the resource's own log doesn't tell it of its guest, so the search of it proves nothing: %s", answers["getResourceLogs"])
	}
	return others
}

// meetingsThings is all that can be asked for of a meeting that was.
func meetingsThings(h *house, m ended) things {
	h.t.Helper()
	there := things{}
	made := func(path string, body fields) string {
		var made struct {
			ID string `json:"id"`
		}
		h.rig.must(h.t, http.StatusCreated, h.admin, http.MethodPost, path, body).read(h.t, &made)
		return made.ID
	}
	there.add("/v1/calls/{call_id}", "call_id", m.call)
	there.add("/communications/callRecords/{id}", "id", m.call)
	for _, path := range []string{"/v1/meetings/{id}", "/v1/join-page/meetings/{id}", "/communications/onlineMeetings/{id}"} {
		there.add(path, "id", m.meeting)
	}
	there.add("/v1/users/{user}", "user", organizer)
	there.add("/v1/organizations/{id}", "id", h.org)
	there.add("/v1/organizations/{id}", "user", organizer)
	there.add("/v1/resources/{id}", "id", m.resource)
	ledgerOf(h, there)
	there.add("/v1/retention/holds/{id}", "id", made("/v1/retention/holds", fields{"meeting": m.meeting, "reason": "A question"}))
	there.add("/v1/retention/policies/{id}", "id",
		made("/v1/retention/policies", fields{"name": "P", "scope": fields{"kind": "organization"}, "action": fields{"kind": "delete", "days": 30}}))
	policiesOf(h, guestsWait("acme_lobby", "webinar"), there)
	there.add("/v1/policies/{org}/decisions", "id", decisionOf(h, m.call))
	recordedIn(h, m.call, there)
	there.add("/v1/calls/{call_id}/streams/{stream_id}", "stream_id", streamsOf(h, m.call)...)
	return there
}

// ledgerOf adds the home region's ledger, with the tiles that it has by now.
func ledgerOf(h *house, there things) {
	h.t.Helper()
	region := config.Default().Ingest.Region
	var size string
	eventually(h.t, "something in the ledger", func() (bool, string) {
		answer := h.rig.must(h.t, http.StatusOK, h.admin, http.MethodGet, "/v1/ledger/"+region+"/checkpoint", nil)
		lines := strings.Split(string(answer.body), "\n")
		size = lines[1]
		return size != "0", string(answer.body)
	})
	tile := "000"
	if n := atoi(h.t, size); n < 256 {
		tile += ".p/" + size
	}
	there.add("/v1/ledger/{region}", "region", region)
	there.add("/v1/ledger/{region}", "tile", "entries/"+tile, "0/"+tile)
}

// policiesOf adds an active revision of the organisation's own policy, whose number it returns, a draft, a token, and a replay that is done.
func policiesOf(h *house, files fields, there things) (number int) {
	h.t.Helper()
	desk := newPolicyDesk(h)
	number = desk.revision(files)
	desk.activate(number, `"0"`)
	var made struct {
		ID    string `json:"id"`
		State string `json:"state"`
	}
	there.add("/v1/policies/{org}", "org", h.org)
	there.add("/v1/policies/{org}/revisions/{number}", "number", strconv.Itoa(number))
	h.rig.must(h.t, http.StatusCreated, desk.author, http.MethodPost, desk.path("/drafts"), fields{"title": "Mine", "files": files}).read(h.t, &made)
	there.add("/v1/policies/{org}/drafts/{id}", "id", made.ID)
	h.rig.must(h.t, http.StatusAccepted, desk.author, http.MethodPost, desk.path("/replay"), fields{"revision": 0, "last": "1h"}).read(h.t, &made)
	there.add("/v1/policies/{org}/replays/{id}", "id", made.ID)
	eventually(h.t, "the replay is done", func() (bool, string) {
		answer := h.rig.must(h.t, http.StatusOK, desk.author, http.MethodGet, desk.path("/replays/"+made.ID), nil)
		answer.read(h.t, &made)
		return made.State == "done", string(answer.body)
	})
	h.rig.must(h.t, http.StatusCreated, h.admin, http.MethodPost, desk.path("/tokens"), fields{"name": "Mine"}).read(h.t, &made)
	there.add("/v1/policies/{org}/tokens/{id}", "id", made.ID)
	return number
}

// decisionOf is one of a call's.
func decisionOf(h *house, call string) string {
	h.t.Helper()
	var got struct {
		Decisions []struct {
			ID string `json:"decision_id"`
		} `json:"decisions"`
	}
	eventually(h.t, "a decision of the call", func() (bool, string) {
		answer := h.rig.must(h.t, http.StatusOK, h.admin, http.MethodGet, "/v1/policies/"+h.org+"/decisions?call_id="+call, nil)
		answer.read(h.t, &got)
		return len(got.Decisions) > 0, string(answer.body)
	})
	return got.Decisions[0].ID
}

func streamsOf(h *house, call string) (ids []string) {
	h.t.Helper()
	got := rows(h, call, "/streams", func(got struct {
		Streams []struct {
			StreamID string `json:"stream_id"`
		} `json:"streams"`
	},
	) bool {
		return len(got.Streams) > 0
	})
	for _, s := range got.Streams {
		ids = append(ids, s.StreamID)
	}
	return ids
}

// recordedIn adds a call's first recording, when it is finished.
func recordedIn(h *house, call string, there things) {
	h.t.Helper()
	got := rows(h, call, "/recordings", func(got struct {
		Recordings []struct {
			RecordingID string `json:"recording_id"`
			State       string `json:"state"`
			Tracks      []struct {
				File   string `json:"file"`
				Timing string `json:"timing"`
			} `json:"tracks"`
		} `json:"recordings"`
	},
	) bool {
		return len(got.Recordings) > 0 && len(got.Recordings[0].Tracks) > 0 && got.Recordings[0].State == "finished"
	}).Recordings[0]
	const path = "/v1/calls/{call_id}/recordings/{recording_id}"
	there.add(path, "call_id", call)
	there.add(path, "recording_id", got.RecordingID)
	there.add(path, "file", got.Tracks[0].File, got.Tracks[0].Timing)
}

// exportsOf are the files of a report of each kind, those in bundles unpacked; there gets one of them.
func exportsOf(h *house, there things) []byte {
	h.t.Helper()
	var all []byte
	for _, kind := range report.Kinds() {
		if kind == report.HeldContent { // It is there for what was said, once somebody else has approved it.
			continue
		}
		said, _ := h.export("--kind", string(kind))
		for _, file := range said.Files {
			raw, err := os.ReadFile(file.Path)
			if err != nil {
				h.t.Fatal(err)
			}
			all = append(append(all, raw...), unzipped(h.t, raw)...)
		}
		there["/v1/exports/{id}"] = map[string][]string{"id": {said.ID}, "name": {filepath.Base(said.Files[0].Path)}}
	}
	return all
}

// unzipped is what an archive holds; nothing of what is none.
func unzipped(t *testing.T, raw []byte) (all []byte) {
	t.Helper()
	archive, err := zip.NewReader(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		return nil
	}
	for _, file := range archive.File {
		content, err := file.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(content)
		if err != nil {
			t.Fatal(err)
		}
		_ = content.Close()
		all = append(append(all, file.Name+"\n"...), text...)
	}
	return all
}

// dashboardViews is all that a dashboard can be asked: Grafana's user may read these views and nothing else.
func dashboardViews(t *testing.T, data string) []byte {
	t.Helper()
	var all []byte
	names := strings.Fields(string(query(t, data, "SELECT name FROM system.tables WHERE database = currentDatabase() AND name LIKE 'analytics_%' FORMAT TSVRaw")))
	for _, name := range names {
		all = append(all, query(t, data, fmt.Sprintf("SELECT * FROM %s FORMAT JSONEachRow", name))...)
	}
	if len(names) < 5 {
		t.Errorf("only %d views of dashboards: %v", len(names), names)
	}
	return all
}
