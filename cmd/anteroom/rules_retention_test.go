package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// decisions are what the home region says of a meeting's thread and the further one of its guests' copies: "seconds held rule" of each.
func (h *house) decisions(meeting string) [2]string {
	h.t.Helper()
	read := func(database, class string) string {
		return strings.TrimSpace(string(query(h.t, h.rig.data, fmt.Sprintf(
			`SELECT concat(ifNull(toString(period_s), 'for good'), ' ', toString(held), ' ', rule_id) FROM %s.retention_decisions FINAL
			WHERE org = '%s' AND meeting_id = '%s' AND class = '%s' FORMAT TSVRaw`, database, h.org, meeting, class))))
	}
	return [2]string{read("anteroom", "thread"), read("anteroom_amer", "copy")}
}

// R1, R4, R5 over the whole service: what people said is previewed, decided on by a policy, held and released. How soon is in the test's log.
func TestRule_R5_PoliciesAndHoldsReachWhatWasSaid(t *testing.T) {
	t.Parallel()
	h := newHouse(t, usualRig.get(t), nil)
	m := h.meeting(nil)
	host := m.user(organizer)
	guest := m.admitted(host, h.application(fields{"region": "amer"}), "Ferdinand")
	host.say("one")
	host.say("two")
	guest.awaitChat("two")
	decided := func(what string, thread, copies string) {
		t.Helper()
		began := time.Now()
		eventually(t, what, func() (bool, string) {
			got := h.decisions(m.id)
			return got == [2]string{thread, copies}, fmt.Sprint(got)
		})
		t.Logf("%s: after %v", what, time.Since(began).Round(time.Millisecond))
	}
	decided("kept by default", "for good false kept", "2592000 false default")

	draft := fields{"name": "A day", "scope": fields{"kind": "organization"}, "action": fields{"kind": "delete", "days": 1}}
	eventually(t, "the preview counts what was said", func() (bool, string) {
		got := h.rig.must(t, http.StatusOK, h.admin, http.MethodPost, "/v1/retention/preview", fields{"policy": draft})
		var preview struct {
			Complete bool
			Totals   []struct {
				Class                   string
				Things, Deleted, Sooner int
				AtOnce                  int `json:"at_once"`
				Newly                   int `json:"newly_deleted"`
			}
		}
		got.read(t, &preview)
		// Two messages, and one copy: the latest.
		text := fmt.Sprintf("%+v", preview)
		return text == "{Complete:true Totals:[{Class:thread Things:2 Deleted:2 Sooner:0 AtOnce:0 Newly:2} {Class:copy Things:1 Deleted:1 Sooner:1 AtOnce:0 Newly:0}]}", text
	})
	var policy, hold struct{ ID string }
	h.rig.must(t, http.StatusCreated, h.admin, http.MethodPost, "/v1/retention/policies", draft).read(t, &policy)
	decided("a day", "86400 false "+policy.ID, "86400 false "+policy.ID)

	began := time.Now()
	h.rig.must(t, http.StatusCreated, h.admin, http.MethodPost, "/v1/retention/holds", fields{"user": organizer, "reason": "Case 7"}).read(t, &hold)
	t.Logf("hold placed: after %v", time.Since(began).Round(time.Millisecond))
	// Whoever has the answer needn't wait for anything.
	if got := h.decisions(m.id); got != [2]string{"86400 true " + policy.ID, "86400 true " + policy.ID} {
		t.Errorf("right after the hold was placed: %v", got)
	}
	h.change("/v1/retention/holds/"+hold.ID, fields{"released": true})
	decided("released", "86400 false "+policy.ID, "86400 false "+policy.ID)
	h.change("/v1/retention/policies/"+policy.ID, fields{"enabled": false})
	decided("off again", "for good false kept", "2592000 false default")
}
