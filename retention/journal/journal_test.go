package journal_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/anteroom/anteroom/internal/embedded/embeddedtest"
	"github.com/anteroom/anteroom/retention/journal"
	"github.com/anteroom/anteroom/retention/proof"
	"github.com/anteroom/anteroom/store"
	"github.com/anteroom/anteroom/store/storetest"
)

func TestMain(m *testing.M) { embeddedtest.Main(m) }

// raw connects to a store's database.
func raw(t *testing.T, cfg store.Config) driver.Conn {
	t.Helper()
	conn, err := clickhouse.Open(&clickhouse.Options{
		Addr: cfg.Addresses, Auth: clickhouse.Auth{Database: cfg.Database, Username: cfg.Username, Password: cfg.Password},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func exec(t *testing.T, conn driver.Conn, query string, args ...any) {
	t.Helper()
	if err := conn.Exec(t.Context(), query, args...); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}

func open(t *testing.T, dir string, s *store.Store, now func() time.Time) *journal.Journal {
	t.Helper()
	j, err := journal.Open(dir, journal.Deps{Store: s, Region: "emea", Now: now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	return j
}

// rows counts what is in a journal, by table.
func rows(t *testing.T, dir string) map[string]int {
	t.Helper()
	out := map[string]int{}
	if err := journal.Read(dir, time.Time{}, func(r store.RowText) error { out[r.Table] += r.Rows; return nil }); err != nil {
		t.Fatal(err)
	}
	return out
}

func putHold(t *testing.T, s *store.Store, id string) {
	t.Helper()
	if _, err := s.Put(t.Context(), store.Control{Kind: "hold", Org: "clinic", ID: id, Value: []byte(`{}`), Author: "x"}, 0); err != nil {
		t.Fatal(err)
	}
}

const hide = `INSERT INTO hidden (class, org, call_id, item_id, sent_at, hidden_at, why) SELECT 'thread', 'clinic', 'c', generateUUIDv4(number), now64(6), now64(6), 'due' FROM numbers(%d)`

// TestARestoreFindsAllThatWasWritten: control rows are followed, hidden rows and leaves are there once the calls return, and a database that has nothing of
// them gets each once.
func TestARestoreFindsAllThatWasWritten(t *testing.T) {
	s, cfg := storetest.NewConfig(t)
	conn, dir := raw(t, cfg), filepath.Join(t.TempDir(), "emea", "journal")
	j := open(t, dir, s, nil)
	if _, err := journal.Open(dir, journal.Deps{Store: s, Region: "emea", Alone: true}); !errors.Is(err, journal.ErrLocked) {
		t.Errorf("alone beside a writer: %v", err)
	}
	second := open(t, dir, s, nil) // beside the first, as a command does
	if second.About() != j.About() {
		t.Errorf("one folder has the journals %+v and %+v", j.About(), second.About())
	}
	putHold(t, s, "first")
	for range 3 {
		if err := j.Follow(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	putHold(t, s, "second")
	exec(t, conn, `INSERT INTO attendance (org, meeting_id, user_id, call_id, joined_at) VALUES ('clinic', generateUUIDv4(), 'u', 'c', now64(6))`)
	exec(t, conn, fmt.Sprintf(hide, 3))
	if err := errors.Join(j.Hidden(t.Context()), j.Follow(t.Context())); err != nil {
		t.Fatal(err)
	}
	exec(t, conn, fmt.Sprintf(hide, 2))
	if err := errors.Join(j.Hidden(t.Context()), j.Hidden(t.Context())); err != nil {
		t.Fatal(err)
	}
	if err := second.Close(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]int{"control": 3, "attendance": 1, "hidden": 5}, rows(t, dir)); diff != "" { // the claim is a control row
		t.Errorf("(-want +got):\n%s", diff)
	}
	if about, err := journal.Claimed(t.Context(), s, "emea"); err != nil || about.ID != j.About().ID {
		t.Errorf("claimed: %+v, %v", about, err)
	}
	// The next process looks at some of it again, which does no harm.
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j = open(t, dir, s, nil)
	if err := errors.Join(j.Hidden(t.Context()), j.Follow(t.Context())); err != nil {
		t.Fatal(err)
	}
	other := storetest.New(t)
	for _, want := range []uint64{9, 0} {
		added := uint64(0)
		err := journal.Read(dir, time.Time{}, func(r store.RowText) error {
			n, err := other.PutCopied(t.Context(), r)
			added += n
			return err
		})
		if err != nil || added != want {
			t.Errorf("%d rows were added (%v), want %d", added, err, want)
		}
	}
	if holds, err := other.List(t.Context(), "hold", "clinic"); err != nil || len(holds) != 2 {
		t.Errorf("%d holds, %v", len(holds), err)
	}
}

// TestLeavesAreKeptWithWhatTheyAreMadeOf: a leaf whose rows aren't there yet is refused.
func TestLeavesAreKeptWithWhatTheyAreMadeOf(t *testing.T) {
	s, cfg := storetest.NewConfig(t)
	conn, dir := raw(t, cfg), t.TempDir()
	j := open(t, dir, s, nil)
	stored, deleted := uuid.New(), uuid.New()
	leaf := func(kind proof.LeafType, id string, count int64) store.OutboxLeaf {
		l := proof.Leaf{Schema: proof.Schema, Type: kind, Region: "emea", ID: id, At: proof.Time(time.Now()), Count: count}
		if count > 0 {
			l.Root = proof.LeafHash([]byte(id))
			l.FirstSent, l.LastSent = &l.At, &l.At
		} else {
			l.Digest = proof.LeafHash([]byte(id))
		}
		text, err := l.Canonical()
		if err != nil {
			t.Fatal(err)
		}
		if err := s.PutLeaf(t.Context(), id, text); err != nil {
			t.Fatal(err)
		}
		return store.OutboxLeaf{ID: id, Leaf: text}
	}
	leaves := []store.OutboxLeaf{leaf(proof.LeafStored, stored.String(), 2), leaf(proof.LeafPolicy, "a policy", 0), leaf(proof.LeafDeleted, deleted.String(), 3)}
	evidence := func(n int) {
		exec(t, conn, `INSERT INTO evidence (copy_id, nonce, class, org, call_id, sent_at, hidden_at, purged_at, why, batch_id)
			SELECT randomFixedString(32), randomFixedString(16), 'copy', 'clinic', 'c', now64(6), now64(6), now64(6), 'due', $1 FROM numbers($2)`, deleted, n)
	}
	exec(t, conn, `INSERT INTO stored_things (copy_id, class, org, call_id, sent_at, batch_id) SELECT randomFixedString(32), 'copy', 'clinic', 'c', now64(6), $1 FROM numbers(2)`, stored)
	evidence(2)
	if err := j.Leaves(t.Context(), leaves); err == nil {
		t.Fatal("a leaf was taken without all of its rows")
	}
	evidence(1)
	if err := j.Leaves(t.Context(), leaves); err != nil {
		t.Fatal(err)
	}
	got := rows(t, dir)
	if want := map[string]int{"ledger_outbox": 3, "stored_things": 4, "evidence": 5}; !cmp.Equal(want, got) { // those of the first attempt as well
		t.Errorf("(-want +got):\n%s", cmp.Diff(want, got))
	}
}

// TestDamageIsTold: a file that ends too early has what was complete; any other change is found.
func TestDamageIsTold(t *testing.T) {
	s := storetest.New(t)
	dir := t.TempDir()
	j := open(t, dir, s, nil)
	for _, id := range []string{"a", "b", "c"} {
		putHold(t, s, id)
		if err := j.Follow(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, "00000001.rows")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	write := func(content []byte) {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	last := bytes.LastIndex(whole[:len(whole)-1], []byte("\n{"))
	total := rows(t, dir)["control"]
	for n := range len(whole) {
		write(whole[:n])
		got := rows(t, dir)["control"]
		if n > last && got != total-1 || n <= last && got >= total-1 {
			t.Fatalf("cut at byte %d of %d: %d rows", n, len(whole), got)
		}
		// A power cut may leave a file longer than what was written to it.
		write(append(slices.Clone(whole[:n]), make([]byte, len(whole)-n+100_000)...))
		if zeroed := rows(t, dir)["control"]; zeroed != got {
			t.Fatalf("zeros from byte %d of %d: %d rows, want %d", n, len(whole), zeroed, got)
		}
	}
	read := func(store.RowText) error { return nil }
	for at := range whole {
		changed := slices.Clone(whole)
		changed[at] ^= 1 << (at % 8)
		write(changed)
		if err := journal.Read(dir, time.Time{}, read); !errors.Is(err, journal.ErrDamaged) {
			t.Fatalf("byte %d of %d was changed: %v", at, len(whole), err)
		}
	}
	write(whole)
	if err := journal.Read(dir, time.Time{}, read); err != nil {
		t.Error(err)
	}
	if err := journal.Read(filepath.Join(dir, "none"), time.Time{}, read); !errors.Is(err, journal.ErrNone) {
		t.Errorf("no journal: %v", err)
	}
}

// TestFilesGoOnceNoBackupNeedsThem: what is left begins where what went ended.
func TestFilesGoOnceNoBackupNeedsThem(t *testing.T) {
	s := storetest.New(t)
	dir := t.TempDir()
	now := time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)
	j := open(t, dir, s, func() time.Time { return now })
	begins := j.About().Begins
	for i, id := range []string{"a", "b", "c"} { // a file each
		putHold(t, s, id)
		if err := j.Follow(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(filepath.Join(dir, fmt.Sprintf("%08d.rows", i+1)), now, now); err != nil {
			t.Fatal(err)
		}
		now = now.Add(7 * time.Hour)
	}
	late := 0
	err := journal.Read(dir, begins.Add(10*time.Hour), func(r store.RowText) error { late += r.Rows; return nil })
	if err != nil || late != 1 {
		t.Errorf("%d rows of the last file, %v", late, err)
	}
	prune := func(before time.Time, rowsLeft int, begin time.Time) {
		t.Helper()
		if err := j.Prune(t.Context(), before); err != nil {
			t.Fatal(err)
		}
		if got := rows(t, dir)["control"]; got != rowsLeft || !j.About().Begins.Equal(begin) {
			t.Errorf("%d rows, begins %v; want %d, %v", got, j.About().Begins, rowsLeft, begin)
		}
		if about, err := journal.ReadAbout(dir); err != nil || about != j.About() {
			t.Errorf("%+v, %v", about, err)
		}
	}
	prune(begins, 4, begins)
	prune(begins.Add(time.Hour), 2, begins)
	prune(begins.Add(8*time.Hour), 1, begins.Add(7*time.Hour))
	prune(now.AddDate(1, 0, 0), 1, begins.Add(7*time.Hour)) // the last file stays
}
