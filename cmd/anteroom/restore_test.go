package main

import (
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/anteroom/anteroom/internal/config"
	"github.com/anteroom/anteroom/internal/embedded"
	"github.com/anteroom/anteroom/store"
)

// TestRule_R6_ARegionIsOutOfServiceWhileItIsRestored: what runs says so and answers nothing of it, whatever process restores; another region goes on.
func TestRule_R6_ARegionIsOutOfServiceWhileItIsRestored(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	in := startRun(t, data, "--no-demo")
	addr, user, password, err := embedded.RunningClickHouse(data)
	if err != nil {
		t.Fatal(err)
	}
	home := store.DefaultConfig()
	home.Addresses, home.Username, home.Password = []string{addr}, user, password
	further := home
	further.Database = config.EmbeddedDatabase("amer")
	conn, err := clickhouse.Open(&clickhouse.Options{Addr: home.Addresses, Auth: clickhouse.Auth{Database: "system", Username: user, Password: password}})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()

	// ready waits for an answer of /readyz that says something.
	ready := func(status int, says string) {
		t.Helper()
		body := ""
		for range 200 {
			got, text, err := get(in.url+"/readyz", "")
			if body = text; err == nil && got == status && strings.Contains(text, says) {
				return
			}
			time.Sleep(50 * time.Millisecond)
		}
		t.Fatalf("/readyz does not answer %d with %q:\n%s", status, says, body)
	}
	const restoring = "the region is being restored; if that was cut short, run `anteroom restore` again"
	ready(http.StatusOK, "")
	if err := store.BeginRestore(t.Context(), further, true); err != nil {
		t.Fatal(err)
	}
	ready(http.StatusOK, restoring)
	in.get("/v1/calls")
	if err := store.BeginRestore(t.Context(), home, true); err != nil {
		t.Fatal(err)
	}
	ready(http.StatusServiceUnavailable, restoring)
	if status, body, err := get(in.url+"/v1/calls", in.admin()); err != nil || status != http.StatusServiceUnavailable {
		t.Errorf("calls: %d %v\n%s", status, err, body)
	}
	for _, cfg := range []store.Config{home, further} { // by hand, as docs/retention.md says
		for _, statement := range []string{"RENAME DATABASE " + cfg.Database + "_replaced TO " + cfg.Database, "DROP DATABASE " + cfg.Restored().Database + " SYNC"} {
			if err := conn.Exec(t.Context(), statement); err != nil {
				t.Fatal(err)
			}
		}
	}
	ready(http.StatusOK, "")
	in.get("/v1/calls")
}

// TestBackupAndRestoreUnderServe: two regions of one ClickHouse and one Kafka that are there. Restored is what nobody works for.
func TestBackupAndRestoreUnderServe(t *testing.T) {
	dir := t.TempDir()
	broker, engine := engines(t, dir)
	further := store.DefaultConfig()
	further.Addresses, further.Username, further.Password, further.Database = []string{engine.Addr()}, engine.User(), engine.Password(), "amer"
	environ := []string{
		"ANTEROOM_KAFKA_BROKERS=" + broker.Addr(), "ANTEROOM_KAFKA_SASL_MECHANISM=" + broker.Mechanism(),
		"ANTEROOM_KAFKA_SASL_USERNAME=" + broker.User(), "ANTEROOM_KAFKA_SASL_PASSWORD=" + broker.Password(),
		"ANTEROOM_CLICKHOUSE_ADDRESSES=" + engine.Addr(), "ANTEROOM_CLICKHOUSE_USERNAME=" + engine.User(), "ANTEROOM_CLICKHOUSE_PASSWORD=" + engine.Password(),
		fmt.Sprintf(`ANTEROOM_REGIONS=[{name: amer, clickhouse: {addresses: [%q], username: %q, password: %q, database: amer},
			kafka: {brokers: [%q], sasl: {mechanism: %q, username: %q, password: %q}}}]`, engine.Addr(), engine.User(), engine.Password(),
			broker.Addr(), broker.Mechanism(), broker.User(), broker.Password()),
		"ANTEROOM_LABELLING_KEY=" + strings.Repeat("k", 32), "ANTEROOM_SEALING_DIR=" + filepath.Join(dir, "keys"),
		"ANTEROOM_LEDGER_DIR=" + filepath.Join(dir, "ledger"), "ANTEROOM_EXPORTS_DIR=" + filepath.Join(dir, "exports"),
	}
	with := func(want int, says string, args ...string) {
		t.Helper()
		in := begin(t, environ, args...)
		code := <-in.done
		in.done = nil
		if text := in.stdout.String() + in.stderr.String(); code != want || !strings.Contains(text, says) {
			t.Errorf("%v: exit code %d, want %d with %q\n%s", args, code, want, says, text)
		}
	}
	with(0, "migrations applied", "migrate")
	with(exitUsage, "backup.destination: is not set", "backup", "one")
	environ = append(environ, "ANTEROOM_BACKUP_DESTINATION=File('"+filepath.Join(dir, "clickhouse", "backups")+"/{region}/{name}')")
	with(exitFailed, "start the role retention for it first", "backup", "one")
	in := begin(t, environ, "serve", "--roles=ingest,retention")
	eventually(t, "the service is ready to be backed up", func() (bool, string) {
		said := in.stderr.String()
		return strings.Contains(said, "msg=ready"), said
	})
	eventually(t, "the regions have their journals", func() (bool, string) {
		try := begin(t, environ, "backup", "one")
		code := <-try.done
		try.done = nil
		text := try.stdout.String() + try.stderr.String()
		return code == 0 || strings.Contains(text, "of that name already"), text
	})
	with(0, "amer: two is backed up", "backup", "two")
	with(exitFailed, "a process ingests into the region: stop it first", "restore", "--replace", "two")
	in.stop()

	with(exitFailed, "rows: they would be lost; add --replace", "restore", "--region=emea", "two")
	with(0, "amer: restored as of ", "restore", "--replace", "two")
	with(0, "all is well", "ledger", "fsck")
	if err := store.BeginRestore(t.Context(), further, true); err != nil {
		t.Fatal(err)
	}
	with(exitFailed, "region amer: ", "serve", "--roles=ingest,retention")
	with(exitFailed, "is being restored", "serve", "--roles=ingest,retention", "--regions=amer")
	home := begin(t, environ, "serve", "--roles=ingest,retention", "--regions=emea")
	eventually(t, "the home region is worked for", func() (bool, string) {
		said := home.stderr.String()
		return strings.Contains(said, "msg=ready"), said
	})
	with(0, "amer: restored as of ", "restore", "--region=amer", "two") // beside it
	home.stop()
}
