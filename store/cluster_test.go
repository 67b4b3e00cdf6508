package store_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/go-cmp/cmp"

	"github.com/anteroom/anteroom/internal/embedded"
	"github.com/anteroom/anteroom/store"
)

// startCluster starts two engines as two shards of one replica each and returns a migrated store on the first.
func startCluster(t *testing.T) *store.Store {
	t.Helper()
	s, _ := startShards(t)
	return s
}

// shard is an engine of a test's cluster that can be killed and come back.
type shard struct {
	cfg    embedded.ClickHouseConfig
	engine *embedded.ClickHouse
}

func (s *shard) start(t *testing.T) {
	t.Helper()
	engine, err := embedded.StartClickHouse(t.Context(), s.cfg)
	if err != nil {
		t.Fatal(err)
	}
	s.engine = engine
}

func startShards(t *testing.T) (*store.Store, [2]*shard) {
	t.Helper()
	ports, err := embedded.FreePorts(4)
	if err != nil {
		t.Fatal(err)
	}
	const password = "of-the-test-cluster"
	var nodes [][]embedded.Node
	for i := range 2 {
		nodes = append(nodes, []embedded.Node{{Host: "127.0.0.1", Port: ports[2*i], User: "anteroom", Password: password}})
	}
	var shards [2]*shard
	for i := range shards {
		cfg := embedded.DefaultClickHouseConfig(t.TempDir())
		cfg.NativePort, cfg.HTTPPort, cfg.Password, cfg.Unsynced = ports[2*i], ports[2*i+1], password, true
		cfg.MemoryRatio = 0.25
		cfg.Cluster = &embedded.Cluster{
			Name: "test", Shards: nodes,
			Macros: map[string]string{"shard": fmt.Sprint(i + 1), "replica": "1"},
		}
		shards[i] = &shard{cfg: cfg}
		shards[i].start(t)
		t.Cleanup(func() {
			if err := shards[i].engine.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	first := shards[0].engine
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
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s, shards
}

func count(t *testing.T, ctx context.Context, conn driver.Conn, query string, args ...any) uint64 {
	t.Helper()
	var n uint64
	if err := conn.QueryRow(ctx, query, args...).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

func perShard(t *testing.T, s *store.Store, query string) []uint64 {
	t.Helper()
	var out []uint64
	err := s.EachShard(t.Context(), func(ctx context.Context, conn driver.Conn) error {
		out = append(out, count(t, ctx, conn, query))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// insertCalls inserts rows of the calls c<from> to c<to - 1> as one batch under a token.
func insertCalls(t *testing.T, s *store.Store, token string, from, to int) {
	t.Helper()
	if err := tryInsertCalls(t, s, token, from, to); err != nil {
		t.Fatal(err)
	}
}

func tryInsertCalls(t *testing.T, s *store.Store, token string, from, to int) error {
	t.Helper()
	batch, err := s.Conn().PrepareBatch(store.WithToken(t.Context(), token),
		"INSERT INTO calls (org, call_id, _topic, _offset)")
	if err != nil {
		return err
	}
	for i := from; i < to; i++ {
		if err := batch.Append("o", fmt.Sprintf("c%d", i), "t", int64(i)); err != nil {
			t.Fatal(err)
		}
	}
	return batch.Send()
}

func TestClusterKeepsDeduplicationTokens(t *testing.T) {
	s := startCluster(t)
	insertCalls(t, s, "token-1", 0, 100)
	once := perShard(t, s, "SELECT count() FROM calls_local")
	if once[0] == 0 || once[1] == 0 || once[0]+once[1] != 100 {
		t.Fatalf("rows per shard %v; want 100 over both", once)
	}
	insertCalls(t, s, "token-1", 0, 100)
	if diff := cmp.Diff(once, perShard(t, s, "SELECT count() FROM calls_local")); diff != "" {
		t.Errorf("the same batch under the same token was stored twice (-want +got):\n%s", diff)
	}
	// The same rows under another token are stored: it is the token that counts, not the content.
	insertCalls(t, s, "token-2", 0, 100)
	twice := []uint64{2 * once[0], 2 * once[1]}
	if diff := cmp.Diff(twice, perShard(t, s, "SELECT count() FROM calls_local")); diff != "" {
		t.Errorf("another token (-want +got):\n%s", diff)
	}
	// A shard that lost its half gets it back when the batch is repeated under a new token, see Missing.
	if got := count(t, t.Context(), s.Conn(), "SELECT uniqExact(call_id) FROM calls"); got != 100 {
		t.Errorf("%d calls through the Distributed table, want 100", got)
	}
}

// TestABatchSurvivesALostShard: the shard that has its half keeps it, once; the other gets it with the same token later.
func TestABatchSurvivesALostShard(t *testing.T) {
	s, shards := startShards(t)
	insertCalls(t, s, "token-1", 0, 10)
	kill(t, shards[1].engine)
	if err := tryInsertCalls(t, s, "token-2", 10, 110); err == nil {
		t.Fatal("an insert succeeded of which one shard could not know")
	}
	var missing uint64
	if err := s.Conn().QueryRow(t.Context(), "SELECT count() FROM calls").Scan(&missing); err == nil {
		t.Error("half of the rows were answered as if they were all")
	}
	shards[1].start(t)
	insertCalls(t, s, "token-2", 10, 110)
	got := perShard(t, s, "SELECT count() FROM calls_local")
	if got[0] == 0 || got[1] == 0 || got[0]+got[1] != 110 {
		t.Errorf("rows per shard %v; want 110 over both", got)
	}
	if n := count(t, t.Context(), s.Conn(), "SELECT uniqExact(call_id) FROM calls"); n != 110 {
		t.Errorf("%d calls, want 110", n)
	}
}
