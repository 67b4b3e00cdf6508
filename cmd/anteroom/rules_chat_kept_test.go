package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/anteroom/anteroom/internal/config"
	"github.com/anteroom/anteroom/retention"
)

// keptSince are the times at which what is kept of a house in a database was sent.
func (h *house) keptSince(database, class string) []time.Time {
	h.t.Helper()
	raw := queryIn(h.t, h.rig.data, database, `SELECT toUnixTimestamp64Micro(sent_at) FROM retained WHERE org = '`+h.org+`' AND class = '`+class+`'
		AND revision_of = toUUID('00000000-0000-0000-0000-000000000000') ORDER BY sent_at FORMAT TSVRaw`)
	var out []time.Time
	for us := range strings.FieldsSeq(string(raw)) {
		out = append(out, time.UnixMicro(int64(atoi(h.t, us))))
	}
	return out
}

// sweepAt is what `anteroom retention sweep` did for a moment, by region.
func (r *rig) sweepAt(t *testing.T, at time.Time, more ...string) map[string]retention.Result {
	t.Helper()
	code, stdout, stderr := command(append([]string{"retention", "sweep", "--data", r.data, "--json", "--now", at.UTC().Format(time.RFC3339Nano)}, more...)...)
	if code != 0 {
		t.Fatalf("sweep: exit code %d\n%s%s", code, stdout, stderr)
	}
	var got struct {
		Regions []retention.Result `json:"regions"`
	}
	if err := json.Unmarshal([]byte(stdout), &got); err != nil {
		t.Fatal(err)
	}
	out := map[string]retention.Result{}
	for _, one := range got.Regions {
		out[one.Region] = one
	}
	return out
}

// The whole way of chat: three users and two guests of two applications in two regions say twenty things. Each guest has one copy, where its application
// is; a policy on one of the users moves when the copies are due; a second before that moment they are there, at that moment they can't be read, and
// then their bytes are gone, while the thread stays by its own rule and what Kafka retains can't be opened any more.
func TestRule_R1_R6_FromSayingToBeingGone(t *testing.T) {
	t.Parallel()
	r, err := startRig(wideLimits("ANTEROOM_SEALING_INTERVAL=4s", "ANTEROOM_SEALING_SLACK=2s", "ANTEROOM_MEDIA_MEETING_RECORD_TIMEOUT=1s",
		"ANTEROOM_SWEEP_INTERVAL=1s", "ANTEROOM_SWEEP_GATHER=1s"), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if code := r.stop(); code != 0 {
			t.Errorf("exit code %d\n%s", code, r.stderr)
		}
	})
	h := newHouse(t, r, nil)
	h.user("bob", nil)
	h.user("eve", nil)
	m := h.meeting(nil)
	host := m.user(organizer)
	bob, eve := m.user("bob"), m.user("eve")
	near, far := m.admitted(host, h.application(nil), "Greta"), m.admitted(host, h.application(fields{"region": "amer"}), "Ferdinand")
	var last string
	for i := range 20 {
		last = fmt.Sprintf("said-%d-%s", i, h.org)
		who := []*person{host, bob, eve, near, far}[i%5]
		who.say(last)
		for _, p := range []*person{near, far} {
			if p != who {
				p.awaitChat(last)
			}
		}
	}

	homeDB, farDB := config.Default().ClickHouse.Database, config.EmbeddedDatabase("amer")
	// The older copies are superseded and go; one stays in each region.
	for _, database := range []string{homeDB, farDB} {
		within(t, 5*rigPatience, "one copy in "+database, func() (bool, string) {
			rows := h.keptSince(database, "copy")
			texts := string(queryIn(t, r.data, database, "SELECT text FROM texts WHERE class = 'copy' AND org = '"+h.org+"' FORMAT TSVRaw"))
			return len(rows) == 1 && strings.Count(texts, "\n") == 1 && strings.Contains(texts, last), fmt.Sprint(len(rows), texts)
		})
	}
	if n := len(h.keptSince(homeDB, "thread")); n != 20 {
		t.Fatalf("the thread has %d messages", n)
	}
	sent := h.keptSince(homeDB, "copy")[0]
	awaitPeriod := func(database, class, want string) {
		t.Helper()
		eventually(t, "the period of class "+class+" in "+database, func() (bool, string) {
			got := strings.TrimSpace(string(queryIn(t, r.data, database, "SELECT period_s FROM retention_decisions FINAL WHERE class = '"+class+"' AND org = '"+
				h.org+"' AND meeting_id = toUUID('"+m.id+"') FORMAT TSVRaw")))
			return got == want, got
		})
	}
	for _, database := range []string{homeDB, farDB} { // R2
		awaitPeriod(database, "copy", "2592000")
	}

	// A policy on one of the three users who were there moves all copies, in both regions. Another keeps the thread, and no copy (R3).
	for _, policy := range []fields{
		{"name": "Bob's chat", "scope": fields{"kind": "selected", "include": fields{"users": []string{"bob"}}}, "action": fields{"kind": "delete", "days": 1}},
		{"name": "Records", "scope": fields{"kind": "organization"}, "action": fields{"kind": "retain", "days": 365}},
	} {
		policy["enabled"] = true
		r.must(t, http.StatusCreated, h.admin, http.MethodPost, "/v1/retention/policies?org="+h.org, policy)
	}
	for _, database := range []string{homeDB, farDB} {
		awaitPeriod(database, "copy", "86400")
	}
	awaitPeriod(homeDB, "thread", "31536000")

	moment := sent.Add(24 * time.Hour)
	for region, result := range r.sweepAt(t, moment.Add(-time.Microsecond), "--dry-run") {
		if result.Hidden+result.Purged > 0 {
			t.Errorf("before the moment %s would let go of %+v", region, result.Outlook)
		}
	}
	began := time.Now()
	for region, result := range r.sweepAt(t, moment, "--ahead-of-time") {
		if result.Partial || result.Hidden != 1 || result.Purged != 1 {
			t.Errorf("sweep of %s: %+v", region, result)
		}
	}
	t.Logf("both regions: hidden, purged, checked and proven in %v", time.Since(began).Round(time.Millisecond))
	for _, database := range []string{homeDB, farDB} {
		if kept := h.keptSince(database, "copy"); len(kept) != 0 {
			t.Errorf("%s keeps copies of %v", database, kept)
		}
		if texts := queryIn(t, r.data, database, "SELECT text FROM texts WHERE class = 'copy' AND org = '"+h.org+"'"); len(texts) != 0 {
			t.Errorf("%s has the text %s", database, texts)
		}
	}
	if n := len(h.keptSince(homeDB, "thread")); n != 20 {
		t.Errorf("the thread has %d messages", n)
	}

	// What Kafka retains was sealed to keys that are gone.
	acts, _ := r.chatRecords(t, host.Joined().CallID)
	if len(acts) != 20 {
		t.Errorf("Kafka retains %d acts", len(acts))
	}
	there := func(region, key string) bool {
		left, err := filepath.Glob(filepath.Join(r.data, "keys", region, "*"+key+"*"))
		return err != nil || len(left) > 0
	}
	eventually(t, "the keys are destroyed", func() (bool, string) {
		for _, e := range acts {
			if id := e.GetChat().GetSealingKeyId(); there("emea", id) {
				return false, "emea has key " + id
			}
			for _, c := range e.GetChat().GetCopies() {
				if id := c.GetSealingKeyId(); id != "" && there(c.GetRegion(), id) {
					return false, c.GetRegion() + " has key " + id
				}
			}
		}
		return true, ""
	})
}
