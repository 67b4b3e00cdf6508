package main

import (
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"
)

// replayed is a replay as the API tells of it.
type replayed struct {
	ID     string `json:"id"`
	State  string `json:"state"`
	Error  string `json:"error"`
	Result *struct {
		Decisions, Changed, Same uint64
		Differences              []struct {
			From, To, Rule, Reason string
			Decisions              uint64
			Examples               []struct {
				ID    string `json:"decision_id"`
				Input fields `json:"input"`
			}
		}
	}
}

// everyGuestWaits is a policy by which guests wait, with its test.
const (
	everyGuestWaits = `package anteroom.organization

# METADATA
# title: Guests wait
# custom:
#   rule: ACME1
#   reason: acme_lobby
lobby contains rego.metadata.rule().custom if {
	input.participant.kind == "guest"
	not input.participant.admitted_by_org_user
}
`
	everyGuestWaitsTest = `package anteroom.organization_test

import data.anteroom.organization

test_waits if {
	some refusal in organization.lobby with input as {"participant": {"kind": "guest", "admitted_by_org_user": false}}
	refusal.reason == "acme_lobby"
}
`
)

// authorDesk is where an organisation's policy author sits.
type authorDesk struct {
	*house
	author string
}

func (d *authorDesk) path(rest string) string { return "/v1/policies/" + d.org + rest }

// replay asks what files would have changed and waits for the answer.
func (d *authorDesk) replay(body fields) replayed {
	d.t.Helper()
	var job replayed
	d.rig.must(d.t, http.StatusAccepted, d.author, http.MethodPost, d.path("/replay"), body).read(d.t, &job)
	within(d.t, 3*rigPatience, "the replay has ended", func() (bool, string) {
		got := d.rig.must(d.t, http.StatusOK, d.author, http.MethodGet, d.path("/replays/"+job.ID), nil)
		got.read(d.t, &job)
		return job.State == "done" || job.State == "failed", string(got.body)
	})
	return job
}

// From a call to what another policy would have decided in it: the decision log shows its decisions once it has ended, each with the rule that spoke, and a
// replay of them tells which would change.
func TestPolicyReplayOfACall(t *testing.T) {
	t.Parallel()
	h := newHouse(t, usualRig.get(t), nil)
	desk, m, app := &authorDesk{h, h.token("pia", "policy_author")}, h.meeting(fields{"lobby_bypass": "everyone"}), h.application(nil)
	m.user("olga")
	m.guest(app, "Gus")
	// While the call runs, nothing of it is told.
	var list struct {
		Decisions []struct {
			ID       string `json:"decision_id"`
			Effect   string
			Reasons  []string
			Rules    []string
			Revision string
		}
	}
	of := desk.path("/decisions?limit=500&meeting_id=" + m.id)
	h.rig.must(t, http.StatusOK, desk.author, http.MethodGet, of, nil).read(t, &list)
	if len(list.Decisions) > 0 {
		t.Errorf("of a call that runs: %+v", list.Decisions)
	}
	h.rig.must(t, http.StatusNoContent, h.token("olga", "org_user"), http.MethodPost, "/v1/meetings/"+m.id+"/end", nil)
	within(t, 3*rigPatience, "its decisions are shown", func() (bool, string) {
		got := h.rig.must(t, http.StatusOK, desk.author, http.MethodGet, of, nil)
		got.read(t, &list)
		return len(list.Decisions) > 2, string(got.body)
	})
	files := fields{"guests.rego": everyGuestWaits, "guests_test.rego": everyGuestWaitsTest}
	job := desk.replay(fields{"files": files, "last": "1h"})
	if job.Result == nil || job.Result.Changed == 0 || job.Result.Changed+job.Result.Same != job.Result.Decisions {
		t.Fatalf("replayed: %+v", job)
	}
	d := job.Result.Differences[0]
	if d.From != "allow" || d.To != "lobby" || d.Rule != "ACME1" || d.Reason != "acme_lobby" || len(d.Examples) == 0 || d.Examples[0].Input["participant"] == nil {
		t.Errorf("the difference: %+v", d)
	}
	if same := desk.replay(fields{"files": files, "against": fields{"files": files}, "last": "1h"}); same.Result == nil || same.Result.Changed != 0 || same.Result.Same == 0 {
		t.Errorf("a policy on itself: %+v", same)
	}
	folder, token := t.TempDir(), filepath.Join(t.TempDir(), "token")
	for name, text := range map[string]string{filepath.Join(folder, "guests.rego"): everyGuestWaits, token: desk.author} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	args := []string{"policy", "replay", folder, "--server", h.rig.url, "--org", h.org, "--token-file", token, "--last", "1h"}
	if code, stdout, stderr := command(args...); code != 0 || !strings.Contains(stdout, "allow → lobby (rule ACME1, acme_lobby)") {
		t.Errorf("the command: exit code %d\n%s%s", code, stdout, stderr)
	}
	if code, stdout, _ := command(append(args, "--max-changed", "0")...); code != 1 || stdout == "" {
		t.Errorf("the command for CI: exit code %d\n%s", code, stdout)
	}
	if code, _, stderr := command("policy", "replay", folder, "--server", h.rig.url, "--org", "fabrikam", "--token-file", token); code != 1 || !strings.Contains(stderr, "Another organisation") {
		t.Errorf("another organisation's: exit code %d\n%s", code, stderr)
	}
	// Under the new policy a decision tells the rule with its place.
	var revision struct{ Number int }
	h.rig.must(t, http.StatusCreated, desk.author, http.MethodPost, desk.path("/revisions"), fields{"files": files, "message": "Try"}).read(t, &revision)
	h.rig.must(t, http.StatusOK, desk.author, http.MethodPost, desk.path("/activate"), fields{"revision": revision.Number}, "If-Match", `"0"`)
	next := h.meeting(fields{"lobby_bypass": "everyone"})
	next.user("olga")
	next.guest(app, "Gus")
	h.rig.must(t, http.StatusNoContent, h.token("olga", "org_user"), http.MethodPost, "/v1/meetings/"+next.id+"/end", nil)
	of = desk.path("/decisions?rule=ACME1&meeting_id=" + next.id)
	within(t, 3*rigPatience, "its decisions are shown", func() (bool, string) {
		got := h.rig.must(t, http.StatusOK, desk.author, http.MethodGet, of, nil)
		got.read(t, &list)
		return len(list.Decisions) > 0, string(got.body)
	})
	var one struct {
		Why []struct {
			Rule, Reason, Title, File string
			Line                      int
		}
	}
	h.rig.must(t, http.StatusOK, desk.author, http.MethodGet, desk.path("/decisions/"+list.Decisions[0].ID), nil).read(t, &one)
	if len(one.Why) == 0 || one.Why[0].Rule != "ACME1" || one.Why[0].Title != "Guests wait" || !strings.HasSuffix(one.Why[0].File, "guests.rego") || one.Why[0].Line == 0 {
		t.Errorf("why: %+v", one.Why)
	}
	h.rig.must(t, http.StatusNotFound, desk.author, http.MethodGet, desk.path("/replays/"+uuid.NewString()), nil)
	h.rig.must(t, http.StatusBadRequest, desk.author, http.MethodPost, desk.path("/replay"), fields{"files": files, "last": "90d"})
}

// An agent gets in with a token, and only as long as that is good.
func TestPolicyAgentsHaveTokens(t *testing.T) {
	t.Parallel()
	h := newHouse(t, usualRig.get(t), nil)
	desk := &authorDesk{h, h.token("pia", "policy_author")}
	var made struct{ ID, Token string }
	h.rig.must(t, http.StatusCreated, desk.author, http.MethodPost, desk.path("/tokens"), fields{"name": "edge"}).read(t, &made)
	bundle := func() (int, string) {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, h.rig.url+"/bundles/"+url.PathEscape(h.org), nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+made.Token)
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		return answer.StatusCode, string(body)
	}
	if status, body := bundle(); status != http.StatusOK || !strings.HasPrefix(body, "\x1f\x8b") {
		t.Errorf("bundle: %d %.100s", status, body)
	}
	var list struct {
		Tokens []struct{ ID, Name string }
		Key    *struct {
			Algorithm string `json:"algorithm"`
			Public    string `json:"public_key"`
		} `json:"bundle_key"`
	}
	h.rig.must(t, http.StatusOK, h.admin, http.MethodGet, desk.path("/tokens"), nil).read(t, &list)
	if len(list.Tokens) != 1 || list.Tokens[0].Name != "edge" || list.Key == nil || !strings.Contains(list.Key.Public, "PUBLIC KEY") {
		t.Errorf("tokens: %+v", list)
	}
	h.rig.must(t, http.StatusUnauthorized, made.Token, http.MethodGet, desk.path("/tokens"), nil)
	h.rig.must(t, http.StatusNoContent, h.admin, http.MethodDelete, desk.path("/tokens/"+made.ID), nil)
	within(t, rigPatience, "the token is no good any more", func() (bool, string) {
		status, body := bundle()
		return status == http.StatusUnauthorized, body
	})
	h.rig.must(t, http.StatusNotFound, h.admin, http.MethodDelete, desk.path("/tokens/"+made.ID), nil)
}
