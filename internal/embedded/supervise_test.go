package embedded_test

import (
	"fmt"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/anteroom/anteroom/internal/embedded"
)

func kill(t *testing.T, pid int) {
	t.Helper()
	process, err := os.FindProcess(pid)
	if err != nil {
		t.Fatal(err)
	}
	if err := process.Kill(); err != nil {
		t.Fatal(err)
	}
}

func TestSupervised_StartsAgainWithTheSameDataAndPorts(t *testing.T) {
	server, err := embedded.SuperviseClickHouse(t.Context(), embedded.DefaultClickHouseConfig(t.TempDir()), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	addr, first := server.Addr(), server.Pid()
	conn := connect(t, addr, server.User(), server.Password(), 0)
	mustExec(t, conn, "CREATE DATABASE kept", "CREATE TABLE kept.numbers (n UInt64) ENGINE = MergeTree ORDER BY n",
		fmt.Sprintf("INSERT INTO kept.numbers VALUES (%d)", 7))
	kill(t, first)
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		if pid := server.Pid(); pid != 0 && pid != first {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("was not started again")
		}
	}
	again := connect(t, server.Addr(), server.User(), server.Password(), 0)
	if got := scalar[uint64](t, again, "SELECT sum(n) FROM kept.numbers"); got != 7 || server.Addr() != addr {
		t.Errorf("%d at %s, want 7 at %s", got, server.Addr(), addr)
	}
	again.Close()
	conn.Close()
	if err := server.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	select {
	case err := <-server.Failed():
		t.Errorf("gave up: %v", err)
	default:
	}
}
