package ingest_test

import (
	"bufio"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestKilledBetweenDeduplicationLogAndRename kills the engine at the system call that would have made a part visible, when its
// deduplication log says already that the part is there: the replay's token is then taken for a repetition, and only the row check finds
// that the rows are gone.
func TestKilledBetweenDeduplicationLogAndRename(t *testing.T) {
	needStrace(t)
	for _, who := range []string{"engine and ingest", "engine alone"} {
		t.Run(who, func(t *testing.T) {
			plan := victimPlan{Dir: t.TempDir(), Reports: 2000, Streams: 2, WaitForGo: true, RestartEngine: who == "engine alone"}
			v := startVictim(t, plan)
			v.up(t, plan.Dir)
			old := v.engine.Pid
			killed := killAtRename(t, old)
			if err := os.WriteFile(filepath.Join(plan.Dir, "go"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
			<-killed
			if lost := loggedButMissing(t, filepath.Join(plan.Dir, "clickhouse")); lost == 0 {
				t.Fatal("the engine was not killed between its deduplication log and its rename: no part is missing that the log knows")
			}
			if plan.RestartEngine {
				v.restarted(t, plan.Dir, old)
			} else {
				v.kill()
				v = startVictim(t, plan)
				v.up(t, plan.Dir)
			}
			conn := v.connect(t)
			want := uint64(plan.Reports * plan.Streams)
			waitFor(t, conn, want, "SELECT count() FROM samples")
			time.Sleep(time.Second)
			for _, query := range []string{"SELECT count() FROM samples", "SELECT uniqExact(_topic, _partition, _offset, _index) FROM samples"} {
				if got := number(t, conn, query); got != want {
					t.Errorf("%s: got %d, want %d", query, got, want)
				}
			}
		})
	}
}

func needStrace(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("strace"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("strace is not installed; CI must have it")
		}
		t.Skip("strace is not installed: the kill can't be placed")
	}
}

// killAtRename has a process killed at its next rename, which is not carried out. The channel closes when the process is dead.
func killAtRename(t *testing.T, pid int) <-chan struct{} {
	t.Helper()
	cmd := exec.Command("strace", "-f", "-p", strconv.Itoa(pid), "-e", "trace=rename,renameat,renameat2",
		"-e", "inject=rename,renameat,renameat2:error=EIO:signal=KILL:when=1", "-o", filepath.Join(t.TempDir(), "strace"))
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	attached := make(chan bool, 1)
	killed := make(chan struct{})
	go func() {
		defer close(killed)
		lines := bufio.NewScanner(stderr)
		for lines.Scan() {
			if strings.Contains(lines.Text(), "attached") {
				select {
				case attached <- true:
				default:
				}
			}
		}
		_ = cmd.Wait()
	}()
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	select {
	case <-attached:
	case <-killed:
		t.Fatal("strace could not attach to the engine: is ptrace forbidden here?")
	}
	return killed
}

// loggedButMissing counts the parts that a table's deduplication log knows and its folder does not have.
func loggedButMissing(t *testing.T, dir string) int {
	t.Helper()
	missing := 0
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasPrefix(filepath.Base(path), "deduplication_log_") {
			return err
		}
		log, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for line := range strings.Lines(string(log)) {
			fields := strings.Split(strings.TrimSpace(line), "\t")
			if len(fields) < 2 || fields[0] != "1" {
				continue
			}
			part := filepath.Join(filepath.Dir(filepath.Dir(path)), fields[1])
			if _, err := os.Stat(part); errors.Is(err, fs.ErrNotExist) {
				missing++
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return missing
}

// restarted waits until the victim has another engine than the old one.
func (v *victim) restarted(t *testing.T, dir string, old int) {
	t.Helper()
	for range 600 {
		if v.reads(dir) && v.engine.Pid != old {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal("the victim has not restarted its engine after 30 s")
}
