package evidence_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/anteroom/anteroom/retention/evidence"
	"github.com/anteroom/anteroom/store"
)

// TestForms keeps the bytes that roots are made of: rows that are in a ledger must read the same for ever.
func TestForms(t *testing.T) {
	at := func(second int) time.Time { return time.Date(2026, 11, 24, 8, 0, second, 1000, time.UTC) }
	due := at(1)
	e := store.Evidence{
		CopyID: [32]byte{1}, Nonce: [16]byte{2}, Class: "copy", Org: "contoso", MeetingID: uuid.UUID{3}, SentAt: at(0), DueAt: &due, HiddenAt: at(2), PurgedAt: at(3),
		Why: "due", Held: true, LatenessMs: 2000, Attempts: 2, RuleID: "p", RuleVersion: 7, Reason: "shortest", Revision: "r",
	}
	row := evidence.Row("emea", &e)
	text, err := row.Canonical()
	if err != nil {
		t.Fatal(err)
	}
	const id = "0100000000000000000000000000000000000000000000000000000000000000"
	want := `{"schema":1,"copy_id":"` + id + `","nonce":"02000000000000000000000000000000","organization":"contoso",` +
		`"meeting":"03000000-0000-0000-0000-000000000000","region":"emea","class":"copy","state":"purged","held":true,` +
		`"sent_at":"2026-11-24T08:00:00.000001Z","due_at":"2026-11-24T08:00:01.000001Z","hidden_at":"2026-11-24T08:00:02.000001Z",` +
		`"purged_at":"2026-11-24T08:00:03.000001Z","rule":{"id":"p","version":7,"reason":"shortest","revision":"r"},"why":"due","lateness_ms":2000,` +
		`"attempts":2,"broker_expiry_at":null}`
	if diff := cmp.Diff(want, string(text)); diff != "" {
		t.Error(diff)
	}
	e.Born, e.MeetingID = true, uuid.Nil
	if born := evidence.Row("emea", &e); born.State != "born_expired" || born.Meeting != "" {
		t.Errorf("of what was due when it came: %+v", born)
	}

	thing := evidence.Thing("emea", &store.StoredThing{CopyID: [32]byte{1}, Class: "copy", Org: "contoso", SentAt: at(0)})
	if text, err = thing.Canonical(); err != nil {
		t.Fatal(err)
	}
	want = `{"schema":1,"copy_id":"` + id + `","organization":"contoso","region":"emea","class":"copy","sent_at":"2026-11-24T08:00:00.000001Z"}`
	if diff := cmp.Diff(want, string(text)); diff != "" {
		t.Error(diff)
	}
}
