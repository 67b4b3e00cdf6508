package embedded_test

import (
	"fmt"
	"net"
	"strconv"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/anteroom/anteroom/internal/embedded"
)

// startCluster starts n engines as n shards of the cluster "anteroom".
func startCluster(t *testing.T, n int) []*embedded.ClickHouse {
	t.Helper()
	ports, err := embedded.FreePorts(n)
	if err != nil {
		t.Fatal(err)
	}
	shards := make([][]embedded.Node, n)
	for i, port := range ports {
		shards[i] = []embedded.Node{{Host: "127.0.0.1", Port: port, User: "anteroom", Password: "shared by the test's nodes <&>"}}
	}
	nodes := make([]*embedded.ClickHouse, n)
	for i, port := range ports {
		cfg := embedded.DefaultClickHouseConfig(t.TempDir())
		cfg.NativePort, cfg.Password = port, shards[i][0].Password
		cfg.Cluster = &embedded.Cluster{Name: "anteroom", Shards: shards, Macros: map[string]string{
			"cluster": "anteroom", "shard": strconv.Itoa(i + 1), "replica": "one",
		}}
		nodes[i] = startClickHouse(t, cfg)
		if want := net.JoinHostPort("127.0.0.1", strconv.Itoa(port)); nodes[i].Addr() != want {
			t.Fatalf("node %d listens on %s, want %s", i, nodes[i].Addr(), want)
		}
	}
	return nodes
}

func TestCluster_DistributedTableOverTwoShards(t *testing.T) {
	nodes := startCluster(t, 2)
	conns := make([]driver.Conn, len(nodes))
	for i, node := range nodes {
		conns[i] = service(t, node)
		mustExec(t, conns[i],
			"CREATE DATABASE d",
			"CREATE TABLE d.calls_local (call UInt64, packets UInt64) ENGINE = MergeTree ORDER BY call",
			"CREATE TABLE d.calls AS d.calls_local ENGINE = Distributed(anteroom, d, calls_local, intHash64(call))",
		)
		if got, want := scalar[string](t, conns[i], "SELECT getMacro('shard')"), strconv.Itoa(i+1); got != want {
			t.Errorf("node %d: shard macro %q, want %q", i, got, want)
		}
	}
	const calls = 1000
	mustExec(t, conns[0], fmt.Sprintf(
		"INSERT INTO d.calls SELECT number, 1 FROM numbers(%d) SETTINGS distributed_foreground_insert = 1", calls))
	var local uint64
	for i, conn := range conns {
		if got := scalar[uint64](t, conn, "SELECT sum(packets) FROM d.calls"); got != calls {
			t.Errorf("node %d sees %d rows of the cluster, want %d", i, got, calls)
		}
		part := scalar[uint64](t, conn, "SELECT sum(packets) FROM d.calls_local")
		if part == 0 || part == calls {
			t.Errorf("node %d holds %d rows: not sharded", i, part)
		}
		local += part
	}
	if local != calls {
		t.Errorf("the shards hold %d rows, want %d", local, calls)
	}
}
