package embedded_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/anteroom/anteroom/internal/embedded"
)

func startClickHouse(t *testing.T, cfg embedded.ClickHouseConfig) *embedded.ClickHouse {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	server, err := embedded.StartClickHouse(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	return server
}

func connect(t *testing.T, addr, user, password string, protocol clickhouse.Protocol) driver.Conn {
	t.Helper()
	conn, err := clickhouse.Open(&clickhouse.Options{
		Protocol: protocol, Addr: []string{addr},
		Auth: clickhouse.Auth{Database: "system", Username: user, Password: password},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func service(t *testing.T, server *embedded.ClickHouse) driver.Conn {
	t.Helper()
	return connect(t, server.Addr(), server.User(), server.Password(), clickhouse.Native)
}

func mustExec(t *testing.T, conn driver.Conn, statements ...string) {
	t.Helper()
	for _, statement := range statements {
		if err := conn.Exec(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

func scalar[T any](t *testing.T, conn driver.Conn, query string) T {
	t.Helper()
	var value T
	if err := conn.QueryRow(t.Context(), query).Scan(&value); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return value
}

func TestClickHouse_DataSurvivesRestart(t *testing.T) {
	cfg := embedded.DefaultClickHouseConfig(t.TempDir())
	for start := range uint64(3) {
		server := startClickHouse(t, cfg)
		conn := service(t, server)
		mustExec(t, conn,
			"CREATE DATABASE IF NOT EXISTS kept",
			"CREATE TABLE IF NOT EXISTS kept.numbers (n UInt64) ENGINE = MergeTree ORDER BY n",
			fmt.Sprintf("INSERT INTO kept.numbers VALUES (%d)", start),
		)
		if got := scalar[uint64](t, conn, "SELECT count() FROM kept.numbers"); got != start+1 {
			t.Errorf("start %d: %d rows, want %d", start, got, start+1)
		}
		// The engine's own logs must work after every start, not just the first.
		mustExec(t, conn, "SYSTEM FLUSH LOGS query_log, part_log")
		for _, log := range []string{"query_log", "part_log"} {
			if got := scalar[uint64](t, conn, "SELECT count() FROM system."+log); got == 0 {
				t.Errorf("start %d: system.%s is empty", start, log)
			}
		}
		conn.Close()
		if err := server.Close(); err != nil {
			t.Fatal(err)
		}
		if err := server.Err(); err != nil {
			t.Errorf("Err after Close: %v", err)
		}
	}
}

func TestClickHouse_ServiceUserMayDoWhatTheServiceNeeds(t *testing.T) {
	dir := t.TempDir()
	conn := service(t, startClickHouse(t, embedded.DefaultClickHouseConfig(dir)))
	mustExec(t, conn,
		"CREATE DATABASE d",
		"CREATE TABLE d.t (n UInt64, at DateTime) ENGINE = MergeTree PARTITION BY toYYYYMMDD(at) ORDER BY n TTL at + INTERVAL 30 DAY",
		"INSERT INTO d.t SELECT number, now() FROM numbers(10)",
		"DELETE FROM d.t WHERE n = 3",
		"ALTER TABLE d.t DELETE WHERE n = 4 SETTINGS mutations_sync = 2",
		"OPTIMIZE TABLE d.t FINAL",
		"CREATE TABLE d.t2 AS d.t",
		"ALTER TABLE d.t2 REPLACE PARTITION tuple(toYYYYMMDD(now())) FROM d.t",
		"SYSTEM STOP MERGES d.t",
		"SYSTEM START MERGES d.t",
		"SYSTEM FLUSH LOGS",
		"SYSTEM DROP MARK CACHE",
		"BACKUP DATABASE d TO File('"+filepath.Join(dir, "backups", "d")+"')",
	)
	if got := scalar[uint64](t, conn, "SELECT count() FROM d.t2"); got != 8 {
		t.Errorf("%d rows, want 8", got)
	}
}

func TestClickHouse_EndOfTheChildIsTold(t *testing.T) {
	server := startClickHouse(t, embedded.DefaultClickHouseConfig(t.TempDir()))
	process, err := os.FindProcess(server.Pid())
	if err != nil {
		t.Fatal(err)
	}
	if err := process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-server.Done()
	if server.Err() == nil {
		t.Error("Err is nil after the child was killed")
	}
	if err := server.Close(); err == nil {
		t.Error("Close is silent about a child that was killed")
	}
}

func TestClickHouse_BadConfigIsRefusedByName(t *testing.T) {
	dir := t.TempDir()
	tests := []struct {
		name string
		cfg  embedded.ClickHouseConfig
		want string
	}{
		{"no folder", embedded.ClickHouseConfig{}, "Dir is empty"},
		{"memory", embedded.ClickHouseConfig{Dir: dir, MemoryRatio: 2}, "MemoryRatio is 2"},
		{"pool", embedded.ClickHouseConfig{Dir: dir, Pool: -1}, "Pool is -1"},
		{"days", embedded.ClickHouseConfig{Dir: dir, LogDays: -1}, "LogDays is -1"},
		{"cluster", embedded.ClickHouseConfig{Dir: dir, Cluster: &embedded.Cluster{Name: "a b"}}, "Cluster.Name"},
		{"library", embedded.ClickHouseConfig{Dir: dir, Library: "/nowhere/libchdb.so"}, "/nowhere/libchdb.so"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			server, err := embedded.StartClickHouse(t.Context(), test.cfg)
			if err == nil {
				server.Close()
				t.Fatal("started")
			}
			if !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %q does not name %q", err, test.want)
			}
		})
	}
}

func TestClickHouse_TakenPortIsTold(t *testing.T) {
	first := startClickHouse(t, embedded.DefaultClickHouseConfig(t.TempDir()))
	for _, test := range []struct {
		name, addr string
		port       func(*embedded.ClickHouseConfig) *int
	}{
		{"HTTP", first.HTTPAddr(), func(c *embedded.ClickHouseConfig) *int { return &c.HTTPPort }},
		{"native", first.Addr(), func(c *embedded.ClickHouseConfig) *int { return &c.NativePort }},
	} {
		t.Run(test.name, func(t *testing.T) {
			cfg := embedded.DefaultClickHouseConfig(t.TempDir())
			if _, err := fmt.Sscanf(test.addr, "127.0.0.1:%d", test.port(&cfg)); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			server, err := embedded.StartClickHouse(ctx, cfg)
			if err == nil {
				server.Close()
				t.Fatal("started on a taken port")
			}
			if errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "taken by another process") {
				t.Errorf("error does not say that the port is taken: %v", err)
			}
		})
	}
}
