package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/anteroom/anteroom/media/protocol"
)

// guestsWait is a policy by which guests of one kind of meeting wait in the lobby, for a reason of its own.
func guestsWait(reason, meeting string) fields {
	return fields{
		"guests.rego": fmt.Sprintf(`package anteroom.organization

# METADATA
# title: Guests wait
# custom:
#   rule: ACME1
#   reason: %s
lobby contains rego.metadata.rule().custom if {
	input.meeting.kind == %q
	input.participant.kind == "guest"
	not input.participant.admitted_by_org_user
}
`, reason, meeting),
		"guests_test.rego": fmt.Sprintf(`package anteroom.organization_test

import data.anteroom.organization

test_waits if {
	some refusal in organization.lobby with input as {
		"meeting": {"kind": %q},
		"participant": {"kind": "guest", "admitted_by_org_user": false},
	}
	refusal.reason == %q
}
`, meeting, reason),
	}
}

// policyDesk is an organisation's policy over the API.
type policyDesk struct {
	*house
	author string
}

func newPolicyDesk(h *house) *policyDesk { return &policyDesk{h, h.token("pia", "policy_author")} }

func (d *policyDesk) path(rest string) string { return "/v1/policies/" + d.org + rest }

// revision makes one and tells its number.
func (d *policyDesk) revision(files fields) int {
	d.t.Helper()
	var made struct {
		Number int `json:"number"`
	}
	d.rig.must(d.t, http.StatusCreated, d.author, http.MethodPost, d.path("/revisions"), fields{"files": files, "message": "Try"}).read(d.t, &made)
	return made.Number
}

// activate has a revision decide, and tells the ETag.
func (d *policyDesk) activate(number int, etag string) string {
	d.t.Helper()
	return d.rig.must(d.t, http.StatusOK, d.author, http.MethodPost, d.path("/activate"), fields{"revision": number}, "If-Match", etag).header.Get("ETag")
}

// A guest who waits by an organisation's own rule comes in when a revision without it is activated, and a rollback makes the next one wait again.
func TestPolicyActivationReachesWhoWaits(t *testing.T) {
	t.Parallel()
	h := newHouse(t, usualRig.get(t), nil)
	desk, m, app := newPolicyDesk(h), h.meeting(fields{"lobby_bypass": "everyone"}), h.application(nil)
	m.user("olga")
	strict, loose := desk.revision(guestsWait("acme_lobby", "scheduled")), desk.revision(guestsWait("acme_lobby", "webinar"))
	etag := desk.activate(strict, `"0"`)
	guest := m.guest(app, "Gus")
	if got := guest.Joined().State; got != protocol.StateInLobby {
		t.Fatalf("under the strict policy: %q", got)
	}
	asked := time.Now()
	etag = desk.activate(loose, etag)
	answered := time.Now()
	guest.awaitState(protocol.StateAdmitted)
	t.Logf("the guest was in %s after the answer, %s after the request", time.Since(answered), time.Since(asked))
	if got := m.guest(app, "second").Joined().State; got != protocol.StateAdmitted {
		t.Errorf("under the loose policy: %q", got)
	}
	var active struct {
		Revision int
		Runtime  string `json:"runtime_revision"`
	}
	h.rig.must(t, http.StatusOK, h.admin, http.MethodPost, desk.path("/rollback"), fields{"to": strict, "message": "Too loose"}, "If-Match", etag).read(t, &active)
	if active.Revision != loose+1 || !strings.Contains(active.Runtime, "+"+h.org+"@") {
		t.Errorf("rolled back to %+v", active)
	}
	if got := m.guest(app, "third").Joined().State; got != protocol.StateInLobby {
		t.Errorf("rolled back: %q", got)
	}
}

// What the API refuses of policies, and how it says so.
func TestPolicyAPI(t *testing.T) {
	t.Parallel()
	h := newHouse(t, usualRig.get(t), nil)
	desk := newPolicyDesk(h)
	ask := func(status int, method, path string, body any, header ...string) answer {
		t.Helper()
		return h.rig.must(t, status, desk.author, method, desk.path(path), body, header...)
	}
	good := guestsWait("acme_lobby", "scheduled")
	broken := fields{"guests.rego": "package anteroom.organization\n\ndeny contains \"x\" if input.participant.knid == \"guest\"\n"}
	var refused struct {
		Code        string
		Errors      []string
		Diagnostics []struct {
			File, Code string
			Line       int
		}
	}
	ask(http.StatusUnprocessableEntity, http.MethodPost, "/revisions", fields{"files": broken, "message": "x"}).read(t, &refused)
	if refused.Code != "policy_refused" || len(refused.Diagnostics) == 0 || refused.Diagnostics[0].File != "guests.rego" || refused.Diagnostics[0].Line != 3 {
		t.Errorf("refused %+v", refused)
	}
	if got := ask(http.StatusRequestEntityTooLarge, http.MethodPost, "/check", fields{"files": fields{"a.rego": strings.Repeat("#", 13<<20)}}); got.code() != "body_too_large" {
		t.Errorf("13 MiB: %s", got.body)
	}
	if got := ask(http.StatusOK, http.MethodPost, "/check", fields{"files": fields{"a.rego": strings.Repeat("#", 10<<20)}}); !strings.Contains(string(got.body), "policy_size_error") {
		t.Errorf("10 MiB: %.300s", got.body)
	}
	red := fields{"guests.rego": good["guests.rego"], "guests_test.rego": "package anteroom.organization_test\n\ntest_never if 1 == 2\n"}
	ask(http.StatusUnprocessableEntity, http.MethodPost, "/activate", fields{"revision": desk.revision(red)}, "If-Match", `"0"`).read(t, &refused)
	if len(refused.Errors) == 0 || !strings.Contains(strings.Join(refused.Errors, " "), "test_never (guests_test.rego:3)") {
		t.Errorf("red tests: %+v", refused)
	}
	number := desk.revision(good)
	ask(http.StatusPreconditionRequired, http.MethodPost, "/activate", fields{"revision": number})
	etag := desk.activate(number, `"0"`)
	ask(http.StatusPreconditionFailed, http.MethodPost, "/activate", fields{"revision": number}, "If-Match", `"0"`)
	ask(http.StatusPreconditionFailed, http.MethodPost, "/rollback", fields{"to": 0}, "If-Match", `"0"`)
	if etag != `"1"` || ask(http.StatusOK, http.MethodGet, "/active", nil).header.Get("ETag") != etag {
		t.Errorf("ETag %s", etag)
	}
	h.rig.must(t, http.StatusForbidden, h.admin, http.MethodPost, desk.path("/activate"), fields{"revision": 0}, "If-Match", etag)
	ask(http.StatusNotFound, http.MethodGet, "/revisions/99", nil)
	ask(http.StatusUnprocessableEntity, http.MethodPost, "/check", fields{"files": good, "revision": 1})
	h.changeOrg(fields{"settings": fields{"policy_coverage_bar": 100}})
	desk.tries(good)
	desk.drafts(good)
}

// tries tests, evaluates and formats.
func (d *policyDesk) tries(good fields) {
	d.t.Helper()
	var tests struct {
		OK       bool
		Bar      int
		Tests    []struct{ Name, Outcome string }
		Coverage struct{ Percent float64 }
		Killed   any
	}
	eventually(d.t, "the bar", func() (bool, string) {
		got := d.rig.must(d.t, http.StatusOK, d.author, http.MethodPost, d.path("/test"), fields{"files": good})
		got.read(d.t, &tests)
		return tests.Bar == 100, string(got.body)
	})
	if !tests.OK || tests.Coverage.Percent != 100 || len(tests.Tests) != 1 || tests.Tests[0].Outcome != "pass" || tests.Killed != nil {
		d.t.Errorf("tests %+v", tests)
	}
	var tried struct {
		Effect  string
		Reasons []string
		Value   json.RawMessage
	}
	input := fields{
		"action": "join", "organization": fields{"kind": "work", "anonymous_join": true, "lobby_bypass": "everyone", "enforce_webinar_roles": false, "withdrawn": []string{}, "require_consent": false},
		"meeting":     fields{"kind": "scheduled", "organizer_lobby_bypass": "", "lobby_bypass": "", "withdrawn": []string{}, "organizer_withdrawn": []string{}, "recording": false, "transcribing": false},
		"participant": fields{"kind": "guest", "state": "new", "admitted_by_org_user": false, "organizer": false, "invited": false, "presenter": false, "room_device": false, "consented": false},
		"session":     fields{"org_users": 1, "participants": 1, "chat_members": 1, "room_device": false},
	}
	d.rig.must(d.t, http.StatusOK, d.author, http.MethodPost, d.path("/evaluate"), fields{"files": good, "input": input, "query": "input.session.org_users"}).read(d.t, &tried)
	if tried.Effect != "lobby" || len(tried.Reasons) != 1 || tried.Reasons[0] != "acme_lobby" || string(tried.Value) != "1" {
		d.t.Errorf("tried %+v", tried)
	}
	d.rig.must(d.t, http.StatusUnprocessableEntity, d.author, http.MethodPost, d.path("/evaluate"), fields{"files": good})
	var formatted struct{ Files map[string]string }
	d.rig.must(d.t, http.StatusOK, d.author, http.MethodPost, d.path("/format"), fields{"files": fields{"a.rego": "package anteroom.organization\ndeny   contains \"x\"   if  true"}}).read(d.t, &formatted)
	if !strings.Contains(formatted.Files["a.rego"], "\n\ndeny contains \"x\"\n") {
		d.t.Errorf("formatted %q", formatted.Files)
	}
}

// drafts saves one, and compares it.
func (d *policyDesk) drafts(good fields) {
	d.t.Helper()
	made := d.rig.must(d.t, http.StatusCreated, d.author, http.MethodPost, d.path("/drafts"), fields{"title": "Mine", "based_on": 1, "files": good})
	var draft struct {
		ID    string
		Files map[string]string
	}
	made.read(d.t, &draft)
	path := d.path("/drafts/" + draft.ID)
	saved := d.rig.must(d.t, http.StatusOK, d.author, http.MethodPut, path, fields{"title": "Mine", "files": fields{"new.rego": "x"}}, "If-Match", made.header.Get("ETag"))
	d.rig.must(d.t, http.StatusPreconditionFailed, d.author, http.MethodPut, path, fields{"title": "Mine", "files": fields{}}, "If-Match", made.header.Get("ETag"))
	var diff struct {
		Files []struct{ Path, Status, Unified string }
	}
	d.rig.must(d.t, http.StatusOK, d.author, http.MethodGet, d.path("/diff?from=active&to="+draft.ID), nil).read(d.t, &diff)
	if len(diff.Files) != 3 || diff.Files[2].Path != "new.rego" || diff.Files[2].Status != "added" || diff.Files[0].Status != "removed" {
		d.t.Errorf("diff %+v", diff)
	}
	d.rig.must(d.t, http.StatusNoContent, d.author, http.MethodDelete, path, nil, "If-Match", saved.header.Get("ETag"))
	d.rig.must(d.t, http.StatusNotFound, d.author, http.MethodGet, path, nil)
}
