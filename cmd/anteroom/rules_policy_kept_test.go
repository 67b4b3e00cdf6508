package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// keptFor is a policy by which copies are kept for some days at most, with its test.
func keptFor(days int) fields {
	return fields{
		"keep.rego": fmt.Sprintf(`package anteroom.organization.retention

# METADATA
# title: Copies for a while
# custom:
#   rule: ACME5
#   reason: acme_while
#   days: %d
shorten.copy contains rego.metadata.rule().custom if count(input.kept.policies) >= 0
`, days),
		"keep_test.rego": fmt.Sprintf(`package anteroom.organization_test

import data.anteroom.organization.retention

test_while if {
	some wish in retention.shorten.copy with input as {"kept": {"resource": "x", "policies": []}}
	wish.days == %d
}
`, days),
	}
}

// revisionOf is what the further region's decisions on a meeting's copies name as their revision and reason.
func (h *house) revisionOf(meeting string) string {
	h.t.Helper()
	return strings.TrimSpace(string(query(h.t, h.rig.data, fmt.Sprintf(
		`SELECT concat(revision, ' ', reason) FROM anteroom_amer.retention_decisions FINAL WHERE org = '%s' AND meeting_id = '%s' AND class = 'copy' FORMAT TSVRaw`, h.org, meeting))))
}

// What a draft would have go earlier is told by the API and the command, before it is active; a policy on itself changes nothing, and one that says nothing of
// how long things are kept isn't asked.
func TestPolicyReplayOfWhatIsKept(t *testing.T) {
	t.Parallel()
	h := newHouse(t, usualRig.get(t), nil)
	desk, m := &authorDesk{h, h.token("pia", "policy_author")}, h.meeting(nil)
	host := m.user(organizer)
	guest := m.admitted(host, h.application(fields{"region": "amer"}), "Ferdinand")
	host.say("one")
	guest.awaitChat("one")
	eventually(t, "the copy is there", func() (bool, string) {
		got := h.decisions(m.id)
		return got == [2]string{"for good false kept", "2592000 false default"}, fmt.Sprint(got)
	})
	type told struct {
		State, Error string
		Result       *struct{ Retention *keptTold }
	}
	replay := func(body fields) (out told) {
		t.Helper()
		id := desk.replay(body).ID
		h.rig.must(t, http.StatusOK, desk.author, http.MethodGet, desk.path("/replays/"+id), nil).read(t, &out)
		return out
	}
	got := replay(fields{"files": keptFor(7)})
	if got.Result == nil || got.Result.Retention == nil {
		t.Fatalf("%+v", got)
	}
	kept := got.Result.Retention
	if !kept.Complete || kept.Earlier != 1 || kept.AtOnce != 0 || len(kept.Changes) != 1 || kept.Changes[0].Region != "amer" || kept.Changes[0].Class != "copy" ||
		*kept.Changes[0].FromDays != 30 || *kept.Changes[0].ToDays != 7 || kept.Changes[0].Rule != "organization:ACME5" || kept.Changes[0].Meetings[0] != m.id {
		t.Errorf("a week: %+v", kept)
	}
	if same := replay(fields{"files": keptFor(7), "against": fields{"files": keptFor(7)}}); same.Result == nil || same.Result.Retention.Changed != 0 {
		t.Errorf("on itself: %+v", same)
	}
	if other := replay(fields{"files": guestsWait("acme_lobby", "webinar")}); other.Result == nil || other.Result.Retention != nil {
		t.Errorf("of guests only: %+v", other)
	}
	if bad := replay(fields{"files": fields{"keep.rego": strings.Replace(keptFor(7)["keep.rego"].(string), "days: 7", "days: 0", 1)}}); bad.State != "failed" || !strings.Contains(bad.Error, "keep.rego") {
		t.Errorf("no days: %+v", bad)
	}
	folder, token := t.TempDir(), filepath.Join(t.TempDir(), "token")
	for name, text := range map[string]string{filepath.Join(folder, "keep.rego"): keptFor(7)["keep.rego"].(string), token: desk.author} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	args := []string{"policy", "replay", folder, "--server", h.rig.url, "--org", h.org, "--token-file", token, "--max-at-once", "0"}
	code, stdout, stderr := command(args...)
	if code != 0 || !strings.Contains(stdout, "1 would be deleted earlier and 0 later") || !strings.Contains(stdout, "  1 copies in amer: 30 days → 7 days (rule ACME5, acme_while)") {
		t.Errorf("the command: exit code %d\n%s%s", code, stdout, stderr)
	}
	// Sent a month ago, it would go at once.
	query(t, h.rig.data, fmt.Sprintf(`INSERT INTO anteroom_amer.retained (class, org, meeting_id, call_id, item_id, holder_id, resource_id, sent_at)
		SELECT class, org, meeting_id, call_id, generateUUIDv4(), generateUUIDv4(), resource_id, sent_at - INTERVAL 20 DAY FROM anteroom_amer.retained
		WHERE org = '%s' AND class = 'copy' LIMIT 1`, h.org))
	query(t, h.rig.data, fmt.Sprintf(`INSERT INTO anteroom_amer.copy_heads (org, meeting_id, call_id, holder_id, message_id, sent_at)
		SELECT org, meeting_id, call_id, holder_id, item_id, sent_at FROM anteroom_amer.retained WHERE org = '%s' AND class = 'copy' ORDER BY sent_at LIMIT 1`, h.org))
	code, stdout, stderr = command(args...)
	if code != 1 || !strings.Contains(stdout, "1 WOULD BE DELETED AT ONCE") {
		t.Errorf("with an old one: exit code %d\n%s%s", code, stdout, stderr)
	}
}

// An organisation's own rules shorten how long copies are kept, from the moment they are activated, in the region where the copies are; a rollback keeps them
// longer again. Policies and holds stay the truth beside them.
func TestRule_R1_OwnRulesShorten(t *testing.T) {
	t.Parallel()
	h := newHouse(t, usualRig.get(t), nil)
	desk := newPolicyDesk(h)
	m := h.meeting(nil)
	host := m.user(organizer)
	guest := m.admitted(host, h.application(fields{"region": "amer"}), "Ferdinand")
	host.say("one")
	guest.awaitChat("one")
	decided := func(what, thread, copies string) {
		t.Helper()
		eventually(t, what, func() (bool, string) {
			got := h.decisions(m.id)
			return got == [2]string{thread, copies}, fmt.Sprint(got)
		})
	}
	decided("kept by default", "for good false kept", "2592000 false default")
	week, day := desk.revision(keptFor(7)), desk.revision(keptFor(1))
	etag := desk.activate(week, `"0"`)
	decided("a week", "for good false kept", "604800 false organization:ACME5")
	if got := h.revisionOf(m.id); !strings.HasPrefix(got, "retention@") || !strings.Contains(got, "+"+h.org+"@") || !strings.HasSuffix(got, " acme_while") {
		t.Errorf("decided by %s", got)
	}
	etag = desk.activate(day, etag)
	decided("a day", "for good false kept", "86400 false organization:ACME5")

	// What a policy retains stands, and so does a hold.
	retain := fields{"name": "Three days", "scope": fields{"kind": "organization"}, "action": fields{"kind": "retain", "days": 3}, "locked": true}
	h.rig.must(t, http.StatusCreated, h.admin, http.MethodPost, "/v1/retention/policies", retain)
	decided("three days", "for good false kept", "259200 false organization:ACME5")
	h.rig.must(t, http.StatusCreated, h.admin, http.MethodPost, "/v1/retention/holds", fields{"user": organizer, "reason": "Case 7"})
	if got := h.decisions(m.id); got[1] != "259200 true organization:ACME5" {
		t.Errorf("right after the hold was placed: %v", got)
	}
	h.rig.must(t, http.StatusOK, h.admin, http.MethodPost, desk.path("/rollback"), fields{"to": 0, "message": "Too short"}, "If-Match", etag)
	decided("rolled back", "for good true kept", "2592000 true default")
}
