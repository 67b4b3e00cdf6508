package doctor

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/anteroom/anteroom/retention/ledger"
	"github.com/anteroom/anteroom/store"
	"github.com/anteroom/anteroom/store/storetest"
)

// exec runs a statement in the test's database.
func exec(t *testing.T, cfg store.Config, statement string) {
	t.Helper()
	conn, err := clickhouse.Open(&clickhouse.Options{Addr: cfg.Addresses, Auth: clickhouse.Auth{Database: cfg.Database, Username: cfg.Username, Password: cfg.Password}})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.Exec(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}

func TestClickHouse(t *testing.T) {
	_, cfg := storetest.NewConfig(t)
	look := func(cfg store.Config) Report { return looked(t, ClickHouse("emea", cfg, time.Minute)) }

	r := look(cfg)
	expect(t, r, "clickhouse.reachable", OK, "1 node", "")
	expect(t, r, "clickhouse.migrations", OK, "up to date", "")
	expect(t, r, "clickhouse.settings", OK, "as the migrations set them", "")
	expect(t, r, "clocks.clickhouse", OK, "differs", "")

	away := cfg
	away.Addresses, away.Password = []string{"127.0.0.1:1"}, canary
	expect(t, look(away), "clickhouse.reachable", Failed, "127.0.0.1:1", "See that it runs")

	wrong := cfg
	wrong.Password = canary
	expect(t, look(wrong), "clickhouse.reachable", Failed, "", "username and password")

	empty := cfg
	empty.Database = "nothing"
	expect(t, look(empty), "clickhouse.migrations", Failed, "there is no database nothing", "anteroom migrate")

	exec(t, cfg, "ALTER TABLE calls MODIFY SETTING non_replicated_deduplication_window = 0")
	exec(t, cfg, "ALTER TABLE texts RESET SETTING old_parts_lifetime")
	r = look(cfg)
	expect(t, r, "clickhouse.settings", Failed, "calls has non_replicated_deduplication_window = 0, not 10000", "ALTER TABLE calls MODIFY SETTING non_replicated_deduplication_window = 10000")
	expect(t, r, "clickhouse.settings", Failed, "texts has old_parts_lifetime = the server's default, not 1", "ALTER TABLE texts")

	exec(t, cfg, "ALTER TABLE goose_db_version DELETE WHERE version_id = (SELECT max(version_id) FROM goose_db_version) SETTINGS mutations_sync = 1")
	expect(t, look(cfg), "clickhouse.migrations", Failed, "1 migration to apply", "anteroom migrate")

	exec(t, cfg, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, 1)")
	expect(t, look(cfg), "clickhouse.migrations", Failed, "newer than this program", "newer one")
}

func TestNodesAreJudged(t *testing.T) {
	r := judged(func(s *subject) {
		judgeNodes(s, []store.NodeHealth{
			{Address: "a:9000", Version: "25.8.3.66", Ahead: 2 * time.Minute, Uncertain: time.Millisecond, Disks: []store.DiskHealth{
				{Name: "default", Free: 4, Total: 100}, {Name: "cold", Free: 10, Total: 100}, {Name: "warm", Free: 90, Total: 100},
			}, Replicas: []store.ReplicaHealth{
				{Table: "calls_local", ReadOnly: true, Active: 2, Total: 2},
				{Table: "texts_local", Delay: time.Hour, Active: 2, Total: 2},
				{Table: "samples_local", Active: 1, Total: 2},
			}},
			{Address: "b:9000", Version: "26.10.1.1", Ahead: -2 * time.Second, Replicas: []store.ReplicaHealth{{Table: "calls_local", Active: 2, Total: 2}}},
			{Address: "c:9000", Err: errors.New("away")},
		}, time.Minute)
	})
	expect(t, r, "clickhouse.version", Warning, "25.8.3.66 is older than 26.7", "Upgrade ClickHouse")
	expect(t, r, "clickhouse.version", OK, "26.10.1.1", "")
	expect(t, r, "clocks.clickhouse", Failed, "2m0s", "time service")
	expect(t, r, "clocks.clickhouse", Warning, "-2s", "time service")
	expect(t, r, "clickhouse.disk", Failed, "(4 %)", "Make room")
	expect(t, r, "clickhouse.disk", Warning, "(10 %)", "Make room")
	expect(t, r, "clickhouse.disk", OK, "(90 %)", "")
	expect(t, r, "clickhouse.replicas", Failed, "calls_local can't be written", "Keeper")
	expect(t, r, "clickhouse.replicas", Warning, "texts_local is 1h0m0s behind", "replication_queue")
	expect(t, r, "clickhouse.replicas", Warning, "samples_local has 1 of 2 replicas", "DROP REPLICA")
	expect(t, r, "clickhouse.replicas", OK, "b:9000: 1 replica in step", "")
	expect(t, r, "clickhouse.node", Failed, "c:9000: away", "system.clusters")
}

func TestLedger(t *testing.T) {
	tables, cfg := storetest.NewConfig(t)
	at := ledger.DefaultConfig()
	at.Dir = t.TempDir()
	look := func() Report { return looked(t, Ledger("emea", at, cfg, true)) }
	expect(t, look(), "ledger", Skipped, "there is none", "role retention")

	l, err := ledger.Open(at, "emea", ledger.Deps{Store: tables})
	if err != nil {
		t.Fatal(err)
	}
	expect(t, look(), "ledger.checkpoint", OK, "nothing has been published", "")

	append1(t, l, tables)
	r := look()
	expect(t, r, "ledger.checkpoint", OK, "signed, 1 leaves", "")
	expect(t, r, "ledger.waiting", OK, "no leaf waits", "")

	if err := tables.PutLeaf(t.Context(), "second", leafText(t, "second")); err != nil {
		t.Fatal(err)
	}
	g, err := l.Glance(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		after   time.Duration
		running bool
		status  Status
		says    string
		do      string
	}{{time.Second, true, OK, "less than a minute", ""}, {2 * time.Minute, true, Failed, "1 leaves wait", "leaves-waiting.md"}, {2 * time.Minute, false, Skipped, "nothing runs", "Start the service"}} {
		r := judged(func(s *subject) { judgeLedger(s, g, nil, tt.running, g.Since.Add(tt.after)) })
		expect(t, r, "ledger.waiting", tt.status, tt.says, tt.do)
	}

	older := g
	older.Size, older.Recorded = 1, 2
	expect(t, judged(func(s *subject) { judgeLedger(s, older, nil, true, time.Now()) }), "ledger.checkpoint", Failed, "the tables know of 2", "older copy")

	spoil(t, at.Dir)
	expect(t, look(), "ledger.checkpoint", Failed, "", "ledger fsck")
	at.Dir = openToOthers(t, at.Dir)
	expect(t, look(), "ledger", Failed, "others may look into", "backup")
}

// append1 has a ledger append a leaf.
func append1(t *testing.T, l *ledger.Ledger, tables *store.Store) {
	t.Helper()
	if err := tables.PutLeaf(t.Context(), "first", leafText(t, "first")); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- l.Run(ctx) }()
	for {
		if g, err := l.Glance(t.Context()); err == nil && g.Size == 1 && g.Recorded == 1 {
			break
		}
		select {
		case err := <-done:
			t.Fatal(err)
		case <-time.After(20 * time.Millisecond):
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}
