package store_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/anteroom/anteroom/internal/embedded/embeddedtest"
	"github.com/anteroom/anteroom/migrations"
	"github.com/anteroom/anteroom/store"
	"github.com/anteroom/anteroom/store/storetest"
)

// destination is a folder that the tests' ClickHouse may write to.
func destination(t *testing.T) store.Destination {
	t.Helper()
	folder := embeddedtest.ClickHouse(t).Backups
	if folder == "" {
		t.Skip("the ClickHouse from outside says of no folder for backups")
	}
	return store.Destination(fmt.Sprintf("File('%s/{name}')", filepath.Join(folder, uuid.NewString())))
}

func dropDatabases(t *testing.T, cfg store.Config) {
	t.Helper()
	system := cfg
	system.Database = "system"
	t.Cleanup(func() {
		s, err := store.Open(system)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		for _, end := range []string{"_restoring", "_replaced", "_manifest"} {
			if err := s.Conn().Exec(context.Background(), "DROP DATABASE IF EXISTS "+cfg.Database+end+" SYNC"); err != nil {
				t.Error(err)
			}
		}
	})
}

func backedUp(t *testing.T, s *store.Store, cfg store.Config, to store.Destination, name string) store.Backup {
	t.Helper()
	b := store.Backup{
		Name: name, StartedAt: time.Now().UTC().Truncate(time.Microsecond), Step: store.BackupBegun, Manifest: `{"a":"b"}`,
		ExpiresAt: time.Now().UTC().Add(time.Hour).Truncate(time.Microsecond),
	}
	if err := s.PutBackup(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	if err := store.BackUp(t.Context(), cfg, to, name); err != nil {
		t.Fatal(err)
	}
	return b
}

func TestARegionIsBackedUpAndRestored(t *testing.T) {
	s, cfg := storetest.NewConfig(t)
	dropDatabases(t, cfg)
	to := destination(t)
	l := life{t, s}
	l.kept("thread", lifeItem(1), uuid.Nil, lifeSent)
	l.kept("copy", lifeItem(1), lifeGuest, lifeSent)
	want := l.things(lifeSent)
	if found, err := store.BackupExists(t.Context(), cfg, to, "first"); err != nil || found {
		t.Fatalf("before: found %v, error %v", found, err)
	}
	b := backedUp(t, s, cfg, to, "first")
	if found, err := store.BackupExists(t.Context(), cfg, to, "first"); err != nil || !found {
		t.Fatalf("after: found %v, error %v", found, err)
	}
	if err := store.BackUp(t.Context(), cfg, to, "first"); !errors.Is(err, store.ErrBackupExists) {
		t.Errorf("again under the same name: %v", err)
	}
	if got, err := store.ReadBackup(t.Context(), cfg, to, "first"); err != nil || !cmp.Equal(got, b) {
		t.Errorf("manifest: %v\n%s", err, cmp.Diff(b, got))
	}
	if _, err := store.ReadBackup(t.Context(), cfg, to, "second"); !errors.Is(err, store.ErrNoBackup) {
		t.Errorf("another name: %v", err)
	}

	l.kept("thread", lifeItem(2), uuid.Nil, lifeSent)
	if err := store.BeginRestore(t.Context(), cfg, false); !errors.Is(err, store.ErrNotEmpty) {
		t.Fatalf("over rows: %v", err)
	}
	if err := store.BeginRestore(t.Context(), cfg, true); err != nil {
		t.Fatal(err)
	}
	refused := func() {
		t.Helper()
		if _, err := store.Migrate(t.Context(), cfg); !errors.Is(err, store.ErrRestoring) {
			t.Errorf("migrate: %v", err)
		}
		if _, err := store.MigrationStatus(t.Context(), cfg); !errors.Is(err, store.ErrRestoring) {
			t.Errorf("status: %v", err)
		}
		if err := s.Ping(t.Context()); !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("ping: %v", err)
		}
		err := s.EachThing(t.Context(), store.ThingFilter{}, func(*store.Thing) error { return nil })
		if !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("read: %v", err)
		}
	}
	refused()
	for range 2 { // the first time it is cut short
		if err := store.BeginRestore(t.Context(), cfg, false); err != nil {
			t.Fatal(err)
		}
		if err := store.RestoreTables(t.Context(), cfg, to, "first"); err != nil {
			t.Fatal(err)
		}
		refused()
	}
	if applied, err := store.Migrate(t.Context(), cfg.Restored()); err != nil || applied != 0 {
		t.Errorf("migrated %d, %v", applied, err)
	}
	for range 2 {
		if err := store.EndRestore(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(want, l.things(lifeSent)); diff != "" {
		t.Errorf("restored (-want +got):\n%s", diff)
	}
	if left := texts(t, s, "SELECT name FROM system.databases WHERE name LIKE '"+cfg.Database+"\\_%' AND name != '"+cfg.Database+"_resource_log'"); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	viewsAnswer(t, s)
	folder := strings.TrimSuffix(strings.TrimPrefix(string(to), "File('"), "/{name}')")
	if err := os.RemoveAll(filepath.Join(folder, "first")); err != nil {
		t.Fatal(err)
	}
	if found, err := store.BackupExists(t.Context(), cfg, to, "first"); err != nil || found {
		t.Errorf("deleted: found %v, error %v", found, err)
	}
}

func TestAClusterIsBackedUpAndRestored(t *testing.T) {
	s, shards := startShards(t)
	cfg := store.DefaultConfig()
	first := shards[0].engine
	cfg.Addresses, cfg.Username, cfg.Password = []string{first.Addr()}, first.User(), first.Password()
	cfg.Cluster, cfg.Replicated = "test", false
	// Both engines may write to their own folder only: they get the same name for both.
	to := store.Destination("File('{name}')")
	insertCalls(t, s, "token-1", 0, 100)
	want := perShard(t, s, "SELECT count() FROM calls_local")
	backedUp(t, s, cfg, to, "both")
	if b, err := store.ReadBackup(t.Context(), cfg, to, "both"); err != nil || b.Name != "both" {
		t.Errorf("manifest: %+v, %v", b, err)
	}
	insertCalls(t, s, "token-2", 100, 200)
	if err := store.BeginRestore(t.Context(), cfg, true); err != nil {
		t.Fatal(err)
	}
	if err := store.RestoreTables(t.Context(), cfg, to, "both"); err != nil {
		t.Fatal(err)
	}
	// Work on what is restored goes through its own Distributed tables.
	restored, err := store.Open(cfg.Restored())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, perShard(t, restored, "SELECT count() FROM calls_local")); diff != "" {
		t.Errorf("restored (-want +got):\n%s", diff)
	}
	insertCalls(t, restored, "token-3", 200, 210)
	if got := count(t, t.Context(), restored.Conn(), "SELECT count() FROM calls"); got != 110 {
		t.Errorf("%d calls, want 110", got)
	}
	if _, err := store.Migrate(t.Context(), cfg); !errors.Is(err, store.ErrRestoring) {
		t.Errorf("migrate: %v", err)
	}
	if err := restored.Close(); err != nil {
		t.Fatal(err)
	}
	if err := store.EndRestore(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	if got := count(t, t.Context(), s.Conn(), "SELECT count() FROM calls"); got != 110 {
		t.Errorf("after the end: %d calls, want 110", got)
	}
	insertCalls(t, s, "token-4", 300, 310)
	if got := count(t, t.Context(), s.Conn(), "SELECT uniqExact(call_id) FROM calls"); got != 120 {
		t.Errorf("after the end: %d calls, want 120", got)
	}
	if applied, err := store.Migrate(t.Context(), cfg); err != nil || applied != 0 {
		t.Errorf("migrated %d, %v", applied, err)
	}
	viewsAnswer(t, s)
}

// viewsAnswer has each view read what it names.
func viewsAnswer(t *testing.T, s *store.Store) {
	t.Helper()
	views, err := migrations.Views(migrations.Layout{})
	if err != nil || len(views) < 10 {
		t.Fatalf("views: %v, %v", views, err)
	}
	for view := range views {
		count(t, t.Context(), s.Conn(), "SELECT count() FROM "+view)
	}
}

func TestDestinationsAreOfKnownForms(t *testing.T) {
	for _, good := range []string{"Disk('backups', '{name}')", "S3(backups, 'emea/{name}')", "AzureBlobStorage(b,'{name}')", "File('/mnt/b/{region}/{name}')"} {
		if err := store.Destination(good).Validate(); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range []string{
		"", "Disk('backups', 'always')", "S3('https://key:secret@bucket/{name}')", "S3('https://bucket/{name}', 'key', 'secret')", "File('{name}') SETTINGS x = 1",
		"Disk('b', '{name}'); DROP DATABASE x", "Null('{name}')", "File('it''s {name}')",
	} {
		if store.Destination(bad).Validate() == nil {
			t.Errorf("%q was taken", bad)
		}
	}
	for _, bad := range []string{"", "../up", "a'b", ".hidden", "a/b", strings.Repeat("x", 129)} {
		if err := store.BackUp(t.Context(), store.DefaultConfig(), "File('{name}')", bad); err == nil || !strings.Contains(err.Error(), "name:") {
			t.Errorf("name %q: %v", bad, err)
		}
	}
}

func TestLastBackup(t *testing.T) {
	s := storetest.New(t)
	if _, err := s.LastBackup(t.Context(), time.Time{}); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("none: %v", err)
	}
	at := func(day int) time.Time { return time.Date(2026, 11, day, 8, 0, 0, 0, time.UTC) }
	put := func(name string, day, expires int, step store.BackupStep) {
		t.Helper()
		if err := s.PutBackup(t.Context(), store.Backup{Name: name, StartedAt: at(day), ExpiresAt: at(expires), Step: step, Manifest: "{}"}); err != nil {
			t.Fatal(err)
		}
	}
	put("a", 1, 8, store.BackupBegun)
	put("a", 1, 8, store.BackupDone)
	put("b", 2, 28, store.BackupDone)
	put("c", 3, 10, store.BackupFailed)
	put("d", 4, 30, store.BackupDone)
	put("d", 4, 30, store.BackupGone)
	for _, test := range []struct {
		gone time.Time
		want string
	}{{time.Time{}, "b"}, {at(5), "b"}, {at(2), "a"}, {at(1), ""}} {
		b, err := s.LastBackup(t.Context(), test.gone)
		if b.Name != test.want || (err == nil) != (test.want != "") {
			t.Errorf("gone %v: %q, %v; want %q", test.gone, b.Name, err, test.want)
		}
	}
	all, err := s.Backups(t.Context())
	if err != nil || len(all) != 4 || all[0].Name != "d" || all[0].Step != store.BackupGone || all[3].Step != store.BackupDone {
		t.Errorf("%+v, %v", all, err)
	}
}

// TestRestoredRowsCanBeDeleted: parts that went through many mutations before the backup, in a table that counts them anew.
func TestRestoredRowsCanBeDeleted(t *testing.T) {
	s, cfg := storetest.NewConfig(t)
	dropDatabases(t, cfg)
	to := destination(t)
	l := life{t, s}
	for n := range 4 {
		l.kept("thread", lifeItem(n), uuid.Nil, lifeSent)
		l.exec(fmt.Sprintf("ALTER TABLE retained DELETE WHERE item_id = '%s' SETTINGS mutations_sync = 2", lifeItem(100+n)))
	}
	for _, name := range []string{"first", "second"} {
		backedUp(t, s, cfg, to, name)
		if err := store.BeginRestore(t.Context(), cfg, true); err != nil {
			t.Fatal(err)
		}
		if err := store.RestoreTables(t.Context(), cfg, to, name); err != nil {
			t.Fatal(err)
		}
		if name == "second" { // an earlier attempt was killed while it had a table detached
			l.exec("DETACH TABLE " + cfg.Restored().Database + ".retained SYNC")
			if err := store.BeginRestore(t.Context(), cfg, false); err != nil {
				t.Fatal(err)
			}
			if err := store.RestoreTables(t.Context(), cfg, to, name); err != nil {
				t.Fatal(err)
			}
		}
		if err := store.EndRestore(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
		item := lifeItem(len(name) - 5)
		l.exec(fmt.Sprintf("ALTER TABLE retained DELETE WHERE item_id = '%s' SETTINGS mutations_sync = 2", item))
		if n := count(t, t.Context(), s.Conn(), "SELECT count() FROM retained WHERE item_id = $1", item); n != 0 {
			t.Errorf("after restoring the %s: %d rows are left that were deleted", name, n)
		}
	}
	if n := count(t, t.Context(), s.Conn(), "SELECT count() FROM retained"); n != 2 {
		t.Errorf("%d rows, want 2", n)
	}
}

// TestBackupStatements keeps what replicas are told, which can't be run where there is no Keeper.
func TestBackupStatements(t *testing.T) {
	cfg := store.DefaultConfig()
	for _, test := range []struct {
		part, cluster string
		replicated    bool
		want          string
	}{
		{"head", "", true, "BACKUP TABLE anteroom.backups, TABLE anteroom.retained TO "},
		{"data", "", true, "BACKUP DATABASE anteroom EXCEPT TABLES anteroom.backups, anteroom.retained TO "},
		{"data", "c", false, "BACKUP DATABASE anteroom EXCEPT TABLES anteroom.backups, anteroom.retained TO "},
		{"head", "c", true, "BACKUP TABLE anteroom.backups, TABLE anteroom.retained ON CLUSTER c TO "},
		{"data", "c", true, "BACKUP DATABASE anteroom EXCEPT TABLES anteroom.backups, anteroom.retained ON CLUSTER c TO "},
	} {
		cfg.Cluster, cfg.Replicated = test.cluster, test.replicated
		if got := cfg.BackupStatement(test.part, "backups", "retained"); got != test.want {
			t.Errorf("%+v: %s", test, got)
		}
	}
}
