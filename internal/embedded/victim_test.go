package embedded_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/anteroom/anteroom/internal/embedded"
)

// victimEnv makes the test binary a process that starts engines and waits to be
// killed; its value is the data folder.
const victimEnv = "ANTEROOM_TEST_VICTIM"

// victimMain starts both engines, prints what the test needs and waits.
func victimMain() {
	dir := os.Getenv(victimEnv)
	lock, err := embedded.AcquireLock(dir)
	if err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
	server, err := embedded.StartClickHouse(context.Background(), embedded.DefaultClickHouseConfig(dir+"/clickhouse"))
	if err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
	broker, err := embedded.StartBroker(context.Background(), embedded.DefaultBrokerConfig(dir+"/broker"))
	if err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
	fmt.Println(server.Pid(), server.Addr(), server.Password(), broker.Addr(), broker.Password())
	for { // until the process is killed
		time.Sleep(time.Hour)
		runtime.KeepAlive(lock) // an unreachable file is closed, and the lock with it
	}
}

type victim struct {
	cmd                          *exec.Cmd
	pid                          int
	clickhouse, clickhousePasswd string
	broker, brokerPasswd         string
}

func startVictim(t *testing.T, dir string) victim {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), victimEnv+"="+dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = cmd.Process.Kill(), cmd.Wait() })
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(line)
	if len(fields) != 5 {
		t.Fatalf("victim said %q", line)
	}
	pid, err := strconv.Atoi(fields[0])
	if err != nil {
		t.Fatal(err)
	}
	return victim{cmd, pid, fields[1], fields[2], fields[3], fields[4]}
}

// kill ends the process (or its whole group) with SIGKILL and waits until the
// engine's process is gone too; the test's own time limit bounds the wait.
func (v victim) kill(t *testing.T, group bool) {
	t.Helper()
	target := v.cmd.Process.Pid
	if group {
		target = -target
	}
	if err := syscall.Kill(target, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = v.cmd.Wait()
	for !errors.Is(syscall.Kill(v.pid, 0), syscall.ESRCH) {
		if state, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", v.pid)); err == nil && strings.Contains(string(state), ") Z ") {
			return // ended; whoever adopted it has not reaped it
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func TestKillOfTheParentLeavesNoChild(t *testing.T) {
	dir := t.TempDir()
	for _, test := range []struct {
		name  string
		group bool
	}{{"process", false}, {"process group", true}} {
		t.Run(test.name, func(t *testing.T) { startVictim(t, dir).kill(t, test.group) })
	}
}

func TestDataSurvivesKill(t *testing.T) {
	dir := t.TempDir()
	for round := range uint64(3) {
		v := startVictim(t, dir)
		conn := connect(t, v.clickhouse, "anteroom", v.clickhousePasswd, 0)
		mustExec(t, conn,
			"CREATE DATABASE IF NOT EXISTS d",
			"CREATE TABLE IF NOT EXISTS d.t (n UInt64) ENGINE = MergeTree ORDER BY n",
		)
		if got := scalar[uint64](t, conn, "SELECT count() FROM d.t"); got != round {
			t.Errorf("round %d: %d rows", round, got)
		}
		mustExec(t, conn, fmt.Sprintf("INSERT INTO d.t VALUES (%d)", round))

		kafka := newKafka(t, v.broker, "anteroom", v.brokerPasswd)
		if round == 0 {
			kafka.createTopic(t, "t", 1)
		}
		if got := len(kafka.readAll(t, "t")); got != int(round)*10 {
			t.Errorf("round %d: %d records, want %d", round, got, round*10)
		}
		kafka.write(t, "t", 10) // acknowledged when it returns
		kafka.commit(t, "group", "t", int64(round), fmt.Sprintf("pending:%d", round))
		v.kill(t, true)
	}
	v := startVictim(t, dir)
	kafka := newKafka(t, v.broker, "anteroom", v.brokerPasswd)
	if got := len(kafka.readAll(t, "t")); got != 30 {
		t.Errorf("%d records after the last kill, want 30", got)
	}
	offset, metadata := kafka.committed(t, "group", "t")
	if offset != 2 || metadata != "pending:2" {
		t.Errorf("committed %d %q, want 2 and pending:2", offset, metadata)
	}
}

func TestSecondInstanceIsRefused(t *testing.T) {
	dir := t.TempDir()
	v := startVictim(t, dir)
	_, err := embedded.AcquireLock(dir)
	if !errors.Is(err, embedded.ErrLocked) || !strings.Contains(err.Error(), strconv.Itoa(v.cmd.Process.Pid)) {
		t.Errorf("error %v does not name process %d", err, v.cmd.Process.Pid)
	}
	v.kill(t, false)
	lock, err := embedded.AcquireLock(dir)
	if err != nil {
		t.Fatalf("after the kill: %v", err)
	}
	lock.Close()
}
