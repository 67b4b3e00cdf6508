package report

import (
	"bytes"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/anteroom/anteroom/directory"
	"github.com/anteroom/anteroom/retention/evidence"
	"github.com/anteroom/anteroom/retention/proof"
	"github.com/anteroom/anteroom/store"
)

// values are the values of digests.jsonl.
func (b *bundle) values() []map[string]any {
	b.t.Helper()
	var out []map[string]any
	for _, text := range b.lines(proof.DigestsFile) {
		line, err := proof.ParseDigestLine([]byte(text))
		if err != nil {
			b.t.Fatal(err)
		}
		var v map[string]any
		if err := json.Unmarshal(line.Value, &v); err != nil {
			b.t.Fatal(err)
		}
		out = append(out, v)
	}
	return out
}

// call writes a call with an org user (1) and two guests (2, 3), ended or not.
func (w *world) call(id string, meeting uuid.UUID, began time.Time, ended bool) {
	w.t.Helper()
	var end *time.Time
	if ended {
		at := began.Add(time.Hour)
		end = &at
	}
	w.insert("calls", "org, region, call_id, observed_at, source_kind, kind, meeting_id, started_at, ended_at, _topic, _partition, _offset, _index", 1, func(int) []any {
		return []any{"contoso", "emea", id, began, "media", "meeting", meeting.String(), &began, end, "t", int32(0), int64(0), uint32(0)}
	})
	w.insert("participants", "org, region, call_id, participant_id, observed_at, source_kind, identity, user_id, display_name, joined_at, _topic, _partition, _offset, _index", 3, func(i int) []any {
		identity, user, name := "guest", "", ""
		if i == 0 {
			identity, user, name = "org_user", "ada", "=Ada, née \u05d0"
		}
		return []any{"contoso", "emea", id, numbered(5, i+1), began, "media", &identity, user, name, &began, "t", int32(0), int64(1 + i), uint32(0)}
	})
}

// notice writes that somebody was told, and perhaps has seen it.
func (w *world) notice(call string, notice, participant int, sent time.Time, seen bool) {
	w.t.Helper()
	entry := func(at time.Time, attribute string) {
		w.insert("timeline", `org, region, call_id, participant_id, observed_at, source_kind, lane, kind, name, operation_id, attributes, _topic, _partition, _offset, _index`, 1, func(int) []any {
			return []any{
				"contoso", "emea", call, numbered(5, participant), at, "media", "call", "notice", "recording", numbered(6, notice),
				map[string]string{attribute: at.Format(time.RFC3339Nano)},
				"t", int32(0), at.UnixMicro(), uint32(participant),
			}
		})
	}
	entry(sent, "sent_at")
	if seen {
		entry(sent.Add(2*time.Second), "acknowledged_at")
		entry(sent.Add(3*time.Second), "acknowledged_at") // again: the first counts
	}
}

func TestNoticesReport(t *testing.T) {
	w := newWorld(t) // its log has no leaf yet, and so no checkpoint
	meeting := uuid.New()
	w.call("over", meeting, at(0), true)
	w.call("runs", uuid.New(), at(1), false)
	for participant := 1; participant <= 3; participant++ {
		w.notice("over", 1, participant, at(10+participant), participant != 3)
		w.notice("runs", 2, participant, at(20+participant), true)
	}
	w.notice("over", 3, 2, at(0).Add(-time.Hour), true) // before
	w.makes()
	r := asked()
	r.Kind, r.Formats = Notices, Formats()
	b := w.make(r)
	var got []string
	for _, v := range b.values() {
		got = append(got, fmt.Sprintf("%v %v %v %v %v", v["call_id"], v["participant"], v["notice"], v["sent_at"], v["acknowledged_at"]))
	}
	at := func(n int, plus time.Duration) string { return proof.Time(at(n).Add(plus)).String() }
	want := []string{
		"over =Ada, née \u05d0 recording " + at(11, 0) + " " + at(11, 2*time.Second),
		"over Anonymous recording " + at(12, 0) + " " + at(12, 2*time.Second),
		"over Anonymous recording " + at(13, 0) + " <nil>",
		"runs =Ada, née \u05d0 recording " + at(21, 0) + " " + at(21, 2*time.Second), // guests of a call that runs are nowhere (rule D3)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("notices (-want +got):\n%s", diff)
	}
	records, err := csv.NewReader(bytes.NewReader(b.files[proof.DigestsCSVFile])).ReadAll()
	if err != nil || len(records) != 5 || records[1][5] != "'=Ada, née \u05d0" || records[3][7] != "" {
		t.Errorf("CSV: %q, %v", records, err)
	}
	if b.Counts != (proof.Counts{}) || b.Proofs != proof.NoProofs {
		t.Errorf("manifest: %+v", b.Manifest)
	}
	r.Meeting = meeting.String()
	if got := w.make(r); len(got.values()) != 3 {
		t.Errorf("of one meeting: %v", got.values())
	}
	w.verify(b)
}

func TestChangesReport(t *testing.T) {
	w := newWorld(t)
	w.tell(copyOf("contoso", 0, at(0)))
	w.published()
	ctx := t.Context()
	put := func(kind, org, id, value, author string, version uint64, when time.Time) {
		t.Helper()
		row := store.Control{Kind: kind, Org: org, ID: id, Author: author, At: when, Deleted: value == "", Value: json.RawMessage(value)}
		if value == "" {
			row.Value = nil
		}
		written, err := w.store.Put(ctx, row, version)
		if err != nil {
			t.Fatal(err)
		}
		if change, ok := evidence.Change(&written); ok && author != "carl" { // whose leaf is still to come
			leaf, err := change.Leaf(w.region)
			if err != nil {
				t.Fatal(err)
			}
			w.putLeaf(leaf)
		}
	}
	put("retention_policy", "contoso", "p1", `{"days":30,"name":"<b> & =1+1"}`, "ada", 0, at(0).Add(-time.Hour)) // before the time that is asked for
	put("retention_policy", "contoso", "p1", `{"days":1}`, "bob", 1, at(1))
	put("retention_policy", "contoso", "p1", "", "carl", 2, at(2))
	put("retention_policy", "fabrikam", "p1", `{"days":7}`, "eve", 0, at(3))
	put("hold", "contoso", "h1", `{"meeting":"m"}`, "ada", 0, at(4))
	put("organization", "", "contoso", `{"id":"contoso","webhooks":[{"url":"u","secret":"whsec_1"}]}`, "operator:root", 0, at(5))
	put("organization", "", "fabrikam", `{"id":"fabrikam"}`, "operator:root", 0, at(6))
	put("user", "contoso", "ada", `{"name":"Ada"}`, "ada", 0, at(7))
	w.published()
	w.makes()
	r := asked()
	r.Kind = Changes
	b := w.make(r)
	var got []string
	for _, v := range b.values() {
		if _, ok := v["action"]; !ok {
			continue // what the log has of it
		}
		before, _ := json.Marshal(v["before"])
		after, _ := json.Marshal(v["after"])
		got = append(got, fmt.Sprintf("%v %v %v %v %v %s -> %s", v["what"], v["id"], v["version"], v["action"], v["by"], before, after))
	}
	want := []string{
		`retention_policy p1 2 changed bob {"days":30,"name":"\u003cb\u003e \u0026 =1+1"} -> {"days":1}`,
		`retention_policy p1 3 deleted carl {"days":1} -> null`,
		`hold h1 1 made ada null -> {"meeting":"m"}`,
		`organization contoso 1 made operator:root null -> {"id":"contoso","webhooks":[{"secret":"(hidden)","url":"u"}]}`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	proven := map[string]bool{}
	for _, text := range b.lines(proof.DigestsFile) {
		line, err := proof.ParseDigestLine([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if change, err := proof.ParseChange(line.Value); err == nil {
			proven[change.LeafID()] = line.Index != nil
		}
	}
	if diff := cmp.Diff(map[string]bool{"policy:p1:2": true, "policy:p1:3": false, "hold:h1:1": true}, proven); diff != "" {
		t.Errorf("in the log (-want +got):\n%s", diff)
	}
	if strings.Contains(string(b.files[proof.DigestsFile])+string(b.files[proof.DigestsCSVFile]), "whsec_1") {
		t.Error("a secret is in the report")
	}
	w.verify(b)
}

// A policy may name thousands of users and groups, and a change has it twice.
func TestChangesOfALargePolicy(t *testing.T) {
	w := newWorld(t)
	var policy directory.RetentionPolicy
	members := func(kind string) (ids []string) {
		for i := range directory.MaxListLen {
			ids = append(ids, fmt.Sprintf("%s-%06d-%s", kind, i, strings.Repeat("<&>", 35)))
		}
		return ids
	}
	policy.Scope.Include = &directory.Members{Users: members("u"), Groups: members("g")}
	policy.Scope.Exclude = &directory.Members{Users: members("x"), Groups: members("y")}
	for version := range uint64(2) {
		policy.Action.Days++
		value, err := json.Marshal(policy)
		if err != nil {
			t.Fatal(err)
		}
		row, err := w.store.Put(t.Context(), store.Control{Kind: evidence.KindPolicy, Org: "contoso", ID: "p1", Author: "ada", At: at(1), Value: value}, version)
		if err != nil {
			t.Fatal(err)
		}
		change, _ := evidence.Change(&row)
		leaf, err := change.Leaf(w.region)
		if err != nil {
			t.Fatal(err)
		}
		w.putLeaf(leaf)
	}
	w.published()
	w.makes()
	r := asked()
	r.Kind, r.Formats = Changes, Formats()
	b := w.make(r)
	if rows := len(b.values()); rows != 4 {
		t.Errorf("%d lines, want 2 changes and 2 leaves", rows)
	}
	w.verify(b)
}

func TestHeldContentReport(t *testing.T) {
	w := newWorld(t)
	held, free := copyOf("contoso", 1, at(1)), copyOf("contoso", 2, at(2))
	held.meeting, free.meeting = numbered(1, 1), numbered(1, 2)
	second := held
	second.holder = numbered(4, 99)
	w.keep(held, second, free)
	w.decide(held, 24*time.Hour, true, "policy-1") // due, so that nobody can read it any more
	w.decide(free, 24*time.Hour, false, "policy-1")
	w.insert("texts", "class, org, meeting_id, call_id, message_id, author_id, sent_at, revised_at, text, _topic, _partition, _offset, _index", 2, func(i int) []any {
		one := []thing{held, free}[i]
		text, err := json.Marshal(content{Text: []string{"=1+1 the held words \u202e", "other words"}[i]})
		if err != nil {
			t.Fatal(err)
		}
		return []any{"copy", one.org, one.meeting, one.call, one.item, numbered(5, 1), one.sent, one.sent, string(text), "t", int32(0), int64(i), uint32(0)}
	})
	w.tell(held, second, free)
	w.published()
	w.makes()
	r := asked()
	r.Kind, r.Reason, r.Formats = HeldContent, "case 4711", Formats()
	job := w.ask(r)
	w.await(job.ID, "waiting", func(j *Job) bool { return j.State == AwaitingApproval })
	if _, err := w.Approve(t.Context(), "contoso", job.ID, "bob", "order of the court"); err != nil {
		t.Fatal(err)
	}
	done := w.awaitState(job.ID, Done)
	b := w.read(done)
	var got []string
	for _, v := range b.values() {
		got = append(got, fmt.Sprintf("%v %v %v %v", v["class"], v["message_id"], v["holder_id"], v["text"]))
	}
	want := []string{
		fmt.Sprintf("copy %s %s =1+1 the held words \u202e", held.item, held.holder), fmt.Sprintf("copy %s %s =1+1 the held words \u202e", held.item, second.holder),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("held (-want +got):\n%s", diff)
	}
	if !strings.Contains(string(b.files[proof.DigestsCSVFile]), "'=1+1") {
		t.Errorf("CSV: %s", b.files[proof.DigestsCSVFile])
	}
	// The approval is a leaf of the log that the checkpoint covers, and says who allowed what.
	a := done.Parts["emea"].Approval
	entries, err := w.store.LedgerEntries(t.Context(), []string{a.ID})
	if err != nil || len(entries) != 1 || entries[a.ID].Index >= b.Log.Size {
		t.Fatalf("the leaf of the approval: %+v, %v, size %d", entries, err, b.Log.Size)
	}
	text, err := w.ledger.Leaf(t.Context(), entries[a.ID].Index)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := proof.ParseLeaf(text)
	digest := sha256.Sum256(a.Value)
	if err != nil || leaf.Type != proof.LeafApproval || leaf.Digest != digest {
		t.Errorf("leaf %+v, %v", leaf, err)
	}
	for _, word := range []string{`"approved_by":"bob"`, `"requested_by":"ada"`, `"reason":"order of the court"`, `"reason":"case 4711"`} {
		if !strings.Contains(string(a.Value), word) {
			t.Errorf("the approval lacks %s: %s", word, a.Value)
		}
	}
	w.verify(b)

	// A report on changes shows the approval with its leaf.
	w.clock.forward(time.Minute)
	r = asked()
	r.Kind, r.To = Changes, w.clock.Now().Add(time.Hour)
	c := w.make(r)
	found := false
	for _, line := range c.lines(proof.DigestsFile) {
		l, err := proof.ParseDigestLine([]byte(line))
		if err != nil {
			t.Fatal(err)
		}
		if sum := sha256.Sum256(l.Value); hex.EncodeToString(sum[:]) == hex.EncodeToString(digest[:]) {
			found = l.Index != nil && *l.Index == entries[a.ID].Index
		}
	}
	if !found {
		t.Errorf("the changes lack the approval:\n%s", c.files[proof.DigestsFile])
	}
	w.verify(c)
}
