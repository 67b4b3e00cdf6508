package retention_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/internal/embedded"
	"github.com/anteroom/anteroom/retention/proof"
	"github.com/anteroom/anteroom/store"
	"github.com/anteroom/anteroom/store/storetest"
)

// newKeptOnShards is newKept on a cluster of two shards.
func newKeptOnShards(t *testing.T) *kept {
	t.Helper()
	ports, err := embedded.FreePorts(4)
	if err != nil {
		t.Fatal(err)
	}
	const password = "of-the-test-cluster"
	var shards [][]embedded.Node
	for i := range 2 {
		shards = append(shards, []embedded.Node{{Host: "127.0.0.1", Port: ports[2*i], User: "anteroom", Password: password}})
	}
	var first *embedded.ClickHouse
	for i := range shards {
		cfg := embedded.DefaultClickHouseConfig(t.TempDir())
		cfg.NativePort, cfg.HTTPPort, cfg.Password, cfg.Unsynced, cfg.MemoryRatio = ports[2*i], ports[2*i+1], password, true, 0.25
		cfg.Cluster = &embedded.Cluster{Name: "test", Shards: shards, Macros: map[string]string{"shard": fmt.Sprint(i + 1), "replica": "1"}}
		engine, err := embedded.StartClickHouse(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = engine.Close() })
		if first == nil {
			first = engine
		}
	}
	cfg := store.DefaultConfig()
	cfg.Addresses, cfg.Username, cfg.Password = []string{first.Addr()}, first.User(), first.Password()
	cfg.Cluster, cfg.Replicated = "test", false
	if _, err := store.Migrate(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return &kept{t: t, s: s, cfg: cfg, sql: storetest.NewSQL(t, cfg), key: []byte("a key of the test's own"), files: files{}}
}

// TestRule_R6_OnEachShard: what is purged is on several shards, each of which deletes and is checked by itself; holds are known on one of them.
func TestRule_R6_OnEachShard(t *testing.T) {
	k := newKeptOnShards(t)
	const calls = 8
	call := func(n int) string { return fmt.Sprintf("018f0000-0000-7000-8000-%012d", n) }
	meeting := func(n int) uuid.UUID { return id(66666666, n) }
	batch := func(n, m int, sent time.Time) {
		t.Helper()
		b := store.NewBatch()
		b.Reset("topic", 0)
		in := store.KeptIn{Org: keptOrg, CallID: call(n), MeetingID: meeting(n)}
		at := store.Origin{Offset: int64(10*n + m)}
		b.Heads = append(b.Heads, store.Head{KeptIn: in, HolderID: guest(1), MessageID: message(m), SentAt: sent})
		b.Kept.Add(at, store.Kept{KeptIn: in, Class: store.ClassCopy, ItemID: message(m), HolderID: guest(1), ResourceID: keptResource, SentAt: sent})
		b.Texts.Add(at, store.Text{KeptIn: in, Class: store.ClassCopy, MessageID: message(m), SentAt: sent, RevisedAt: sent, Content: fmt.Sprint("text ", m)})
		if err := k.s.Insert(t.Context(), b, uuid.NewString()); err != nil {
			t.Fatal(err)
		}
	}
	decide := func(n int, held bool) {
		t.Helper()
		k.insert(fmt.Sprintf(`INSERT INTO retention_decisions (org, meeting_id, class, resource_id, period_s, held, rule_id, decided_at, seq)
			VALUES ('%s', '%s', 'copy', '%s', %d, %v, 'default', now64(6), %d)`, keptOrg, meeting(n), keptResource, int64(30*keptDay/time.Second), held, seq.Add(1)))
	}
	for n := range calls {
		batch(n, 1, noon)
		batch(n, 2, noon.Add(time.Minute))
		decide(n, n%2 == 0)
	}
	if n := k.sql.Count("SELECT uniqExact(_shard_num) FROM retained"); n != 2 {
		t.Fatalf("the rows are on %d shards", n)
	}
	s := k.sweeper()
	due := noon.Add(30*keptDay + 2*time.Minute)
	if r := k.sweep(s, due); r.Hidden != 2*calls || r.Purged != calls {
		t.Errorf("with half of them held: %+v", r)
	}
	if n := k.sql.Count("SELECT count() FROM texts"); n != calls {
		t.Errorf("%d texts with half of them held", n)
	}
	for n := range calls {
		decide(n, false)
	}
	k.sweep(s, due.Add(time.Hour))
	if n := k.sql.Count("SELECT (SELECT count() FROM texts) + (SELECT count() FROM retained) + (SELECT count() FROM hidden)"); n != 0 {
		t.Errorf("%d rows are left", n)
	}
	if got := len(k.evidence()); got != 2*calls {
		t.Errorf("evidence of %d copies, want %d", got, 2*calls)
	}
	for n := range calls {
		want := proof.ThingID(k.key, proof.Copy, "emea", keptOrg, call(n), message(1), guest(1))
		found := false
		for _, e := range k.evidence() {
			found = found || e.CopyID == want && e.Why == "superseded"
		}
		if !found {
			t.Errorf("no evidence of the superseded copy of call %d", n)
		}
	}
	k.leavesOf(false)
}
