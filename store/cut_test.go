package store_test

import (
	"maps"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom/anteroom/store"
	"github.com/anteroom/anteroom/store/storetest"
)

// TestCutEndsWhereBatchesEnd: of partition 0 the marks know of a batch that wasn't committed yet, and rows are there of one after it; of partition 1 they
// know of nothing.
func TestCutEndsWhereBatchesEnd(t *testing.T) {
	s := storetest.New(t)
	l := life{t, s}
	l.exec("INSERT INTO source_marks (source, topic, partition, sequence, last_offset, previous_sequence) VALUES ('s', 't', 0, 5, 14, 2), ('r', 't', 0, 1, 3, 0), ('s', 'u', 0, 9, 99, 2)")
	l.exec("INSERT INTO calls (org, call_id, _topic, _partition, _offset) SELECT 'o', toString(number), if(number < 20, 't', 'u'), intDiv(number, 10) % 2, number % 10 + 10 FROM numbers(40)")
	l.exec("INSERT INTO retained (class, org, call_id, sent_at, _topic, _partition, _offset) VALUES ('recording', 'o', 'c', now64(6), '', 0, -1), ('thread', 'o', 'c', now64(6), 't', 0, 15)")
	l.exec("INSERT INTO ingest_batches (topic, partition, first_offset, last_offset, hour, samples) VALUES ('t', 0, 4, 14, now(), 1), ('t', 0, 15, 16, now(), 1)")
	l.exec("INSERT INTO dead_letters (region, topic, partition, offset, record) VALUES ('emea', 't', 0, 14, 0), ('emea', 't', 1, 12, 0)")
	l.exec("INSERT INTO rollup_hours (hour, batch_samples, samples, rebuilt_at) VALUES (now(), 1, 1, now64(6)), (now() - 3600, 1, 1, now64(6) - 3600)")
	got, err := s.Cut(t.Context(), []store.Position{{Topic: "t", Partition: 0, Offset: 12}, {Topic: "t", Partition: 1, Offset: 12}}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	want := []store.Position{{Topic: "t", Partition: 0, Offset: 15}, {Topic: "t", Partition: 1, Offset: 12}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("positions (-want +got):\n%s", diff)
	}
	for query, want := range map[string]uint64{
		"SELECT count() FROM calls WHERE _topic = 't' AND _partition = 0": 5,
		"SELECT count() FROM calls WHERE _topic = 't' AND _partition = 1": 2,
		"SELECT count() FROM calls WHERE _topic = 'u'":                    20,
		"SELECT count() FROM retained":                                    1,
		"SELECT toUInt64(sum(last_offset)) FROM ingest_batches":           14,
		"SELECT toUInt64(sum(offset)) FROM dead_letters":                  14,
		"SELECT count() FROM rollup_hours":                                1,
		"SELECT count() FROM source_marks":                                3,
	} {
		if n := count(t, t.Context(), s.Conn(), query); n != want {
			t.Errorf("%s: %d, want %d", query, n, want)
		}
	}
	if _, err := s.Cut(t.Context(), []store.Position{{Topic: "t' OR '1"}}, time.Now()); err == nil {
		t.Error("a topic that can't be one was taken")
	}
	if _, err := s.Cut(t.Context(), nil, time.Now()); err != nil {
		t.Errorf("nothing to cut: %v", err)
	}
}

// TestCopiedRowsAreTheSame: whatever bytes they have, they come back as they were, once.
func TestCopiedRowsAreTheSame(t *testing.T) {
	s, other := storetest.New(t), storetest.New(t)
	l := life{t, s}
	l.exec(`INSERT INTO evidence (copy_id, nonce, class, org, call_id, sent_at, due_at, hidden_at, purged_at, why, batch_id)
		SELECT unhex('00ff0a095c27') || randomFixedString(26), randomFixedString(16), 'copy', 'cli''nic\t\\N', 'c', now64(6), if(number % 2, now64(6), NULL), now64(6), now64(6), 'due',
			toUUID('11111111-0000-8000-8000-000000000001') FROM numbers(50000)`)
	l.exec(`INSERT INTO control (kind, org, id, version, value, author, at, write_id) VALUES ('hold', 'clinic', 'h', 1, '{"why":"\"a\nb\\"}', 'x', now64(6), generateUUIDv4())`)
	l.exec(`INSERT INTO ledger_outbox (id, leaf) VALUES ('one', '{}'), ('two', '{}')`)
	l.kept("copy", lifeItem(1), lifeGuest, lifeSent)
	l.exec(`INSERT INTO hidden (class, org, meeting_id, call_id, item_id, holder_id, resource_id, sent_at, hidden_at, why, born)
		SELECT class, org, meeting_id, call_id, item_id, holder_id, resource_id, sent_at, now64(6), 'superseded', 1 FROM retained`)
	now, err := s.Now(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	copyAll := func() (added uint64) {
		put := func(rows store.RowText) error {
			n, err := other.PutCopied(t.Context(), rows)
			added += n
			return err
		}
		for table := range map[string]bool{"control": true, "hidden": true, "backups": true, "attendance": true} {
			if err := s.CopySince(t.Context(), table, now.Add(-time.Minute), now.Add(time.Minute), put); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.CopyBatch(t.Context(), "evidence", lifeMeeting, put); err != nil {
			t.Fatal(err)
		}
		if err := s.CopyLeaves(t.Context(), []string{"two", "three"}, put); err != nil {
			t.Fatal(err)
		}
		return added
	}
	if added := copyAll(); added != 50003 {
		t.Errorf("%d rows were added, want 50003", added)
	}
	if added := copyAll(); added != 0 {
		t.Errorf("%d rows were added again", added)
	}
	for _, table := range []string{"evidence", "control", "hidden"} {
		query := "SELECT count() FROM (SELECT * FROM " + s.Database() + "." + table + " EXCEPT SELECT * FROM " + other.Database() + "." + table + ")"
		if n := count(t, t.Context(), s.Conn(), query); n != 0 {
			t.Errorf("%s: %d rows are not the same", table, n)
		}
	}
	if err := s.CopySince(t.Context(), "texts", now, now, nil); err == nil {
		t.Error("texts are copied")
	}
}

// TestLooksTellOfNewRows: two looks are alike as long as no row comes and none grows too old, whichever order rows came in.
func TestLooksTellOfNewRows(t *testing.T) {
	s := storetest.New(t)
	l := life{t, s}
	before := time.Now().Add(-time.Hour)
	since := map[string]time.Time{"control": before, "attendance": before, "backups": before}
	look := func() (time.Time, map[string]store.Looked) {
		t.Helper()
		now, looks, err := s.LookSince(t.Context(), since, time.Second)
		if err != nil {
			t.Fatal(err)
		}
		return now, looks
	}
	put := func(id, at string) {
		l.exec(`INSERT INTO control (kind, org, id, version, value, author, at, write_id, inserted_at) VALUES ('hold', 'clinic', '` + id + `', 1, '{}', 'x', now64(6), generateUUIDv4(), ` + at + `)`)
	}
	_, empty := look()
	if empty["control"] != (store.Looked{}) || len(empty) != len(since) {
		t.Errorf("without rows: %+v", empty)
	}
	put("one", "now64(6)")
	at, first := look()
	if _, again := look(); !maps.Equal(first, again) || first["control"].Rows != 1 || first["control"].Sum == 0 {
		t.Errorf("one row: %+v, again %+v", first, again)
	}
	put("two", "now64(6)")
	put("ahead", "now64(6) + INTERVAL 1 HOUR")
	_, second := look()
	if second["control"].Rows != 2 || second["attendance"] != first["attendance"] {
		t.Errorf("two rows and one of another clock: %+v", second)
	}
	since["control"] = at
	if _, later := look(); later["control"].Rows != 1 {
		t.Errorf("without what is older than the first look: %+v", later)
	}
	if _, _, err := s.LookSince(t.Context(), map[string]time.Time{"texts": before}, 0); err == nil {
		t.Error("texts are looked at")
	}
}
