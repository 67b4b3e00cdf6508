package main

import (
	"fmt"
	"net/http"
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
