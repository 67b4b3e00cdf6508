package ledger_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/anteroom/anteroom/retention/ledger"
	"github.com/anteroom/anteroom/store"
	"github.com/anteroom/anteroom/store/storetest"
)

// syscallsEnv has every system call fail, one after the other, instead of two of each kind.
const syscallsEnv = "ANTEROOM_TEST_SYSCALLS"

// failures are the system calls with which the ledger's files are made and read, and how each fails on a disk that is full, or broken.
func failures() [][2]string {
	return [][2]string{
		{"openat", "ENOSPC"},
		{"write", "ENOSPC"},
		{"fsync", "EIO"},
		{"linkat", "ENOSPC"},
		{"renameat", "EIO"},
		{"mkdirat", "ENOSPC"},
		{"unlinkat", "EIO"},
		{"newfstatat", "EIO"},
		{"read", "EIO"},
		{"close", "EIO"},
		{"fcntl", "EIO"},
		{"flock", "EIO"},
		{"ftruncate", "EIO"},
		{"pwrite64", "EIO"},
	}
}

// TestEachSystemCallOfTheAppenderMayFail has each system call of the appender fail in turn, by strace, whatever it then does: go on, try again or end. After
// each the log is in order, what the tables call published is in it, and the next process takes up what is left, so that each leaf is in it once.
func TestEachSystemCallOfTheAppenderMayFail(t *testing.T) {
	if _, err := exec.LookPath("strace"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("strace is not installed; CI must have it")
		}
		t.Skip("strace is not installed: nothing can be made to fail")
	}
	s, cfg := storetest.NewConfig(t)
	dir, raw := t.TempDir(), connect(t, cfg)
	appendAll(t, open(t, dir, s), s) // so that the first run has a log
	leaves, failed, ended := 0, map[string]int{}, 0
	put := func(what string) {
		t.Helper()
		const each = 20
		putNamed(t, raw, what+"-", each)
		leaves += each
	}
	put("rehearsal")
	rehearsal, out, err := failing(t, cfg, dir, "", "", 0)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, f := range failures() {
		call, how := f[0], f[1]
		numbers := numbersOn(rehearsal, call, dir)
		if os.Getenv(syscallsEnv) == "" {
			numbers = numbers[:min(len(numbers), 2)]
		}
		for _, n := range numbers {
			put(fmt.Sprintf("%s-%d", call, n))
			trace, out, err := failing(t, cfg, dir, call, how, n)
			if err != nil {
				ended++
			}
			if errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("after %s number %d has failed, the appender does nothing any more:\n%s\n%s", call, n, out, strings.Join(injected(trace, dir), ""))
			}
			failed[call] += len(injected(trace, dir))
			wantWhole(t, dir, s, fmt.Sprintf("%s number %d has failed", call, n))
		}
	}
	wantAll(t, s, cfg, dir, leaves)
	t.Logf("calls on the ledger's files that failed: %v; %d appenders ended by it", failed, ended)
	// Of writes and reads many are a connection's, and which of them a number meets is chance: TestAFullDiskLosesNoLeaf has each write fail for sure.
	for _, call := range []string{"openat", "fsync", "renameat"} {
		if failed[call] == 0 {
			t.Errorf("no %s on the ledger's files failed, so this shows nothing", call)
		}
	}
}

// numbersOn are how many calls of a kind a thread had made, itself included, when it made one on a file of a folder: what strace counts by.
func numbersOn(trace, call, dir string) []int {
	made, out := map[string]int{}, map[int]bool{}
	for line := range strings.Lines(trace) {
		thread, rest, _ := strings.Cut(line, " ")
		if !strings.HasPrefix(strings.TrimSpace(rest), call+"(") {
			continue
		}
		if made[thread]++; strings.Contains(line, dir) {
			out[made[thread]] = true
		}
	}
	return slices.Sorted(maps.Keys(out))
}

// injected are the lines of a trace in which a call on a folder's files was made to fail.
func injected(trace, dir string) (lines []string) {
	for line := range strings.Lines(trace) {
		if strings.Contains(line, "(INJECTED)") && strings.Contains(line, dir) {
			lines = append(lines, line)
		}
	}
	return lines
}

// failing appends what waits in a process of which every nth system call of a kind fails, in each thread; none if no kind is given. The error is that of the
// process, or context.DeadlineExceeded if it had to be killed.
func failing(t *testing.T, cfg store.Config, dir, call, how string, n int) (trace, out string, err error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "strace")
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	before := []string{"strace", "-f", "-qq", "-y", "-o", file}
	if call == "" {
		var all []string
		for _, f := range failures() {
			all = append(all, f[0])
		}
		before = append(before, "-e", "trace="+strings.Join(all, ","))
	} else {
		before = append(before, "-e", "trace="+call, "-e", fmt.Sprintf("inject=%s:error=%s:when=%d", call, how, n))
	}
	cmd := victimCommand(cfg, dir, before...)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // strace's end alone would set it free
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stop := context.AfterFunc(ctx, func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	err = cmd.Wait()
	if !stop() && ctx.Err() != nil {
		err = ctx.Err()
	}
	text, e := os.ReadFile(file)
	if e != nil {
		t.Fatal(e)
	}
	return string(text), said.String(), err
}

// wantWhole has fsck look at a log that nobody appends to now, and that may not be at its end.
func wantWhole(t *testing.T, dir string, s *store.Store, when string) {
	t.Helper()
	l, err := ledger.OpenExisting(config(dir), region, ledger.Deps{Store: s})
	if err != nil {
		t.Fatalf("%s: %v", when, err)
	}
	result, err := l.Fsck(t.Context(), nil)
	if err != nil {
		t.Fatalf("%s: %v", when, err)
	}
	for _, f := range result.Findings {
		t.Errorf("%s: fsck: %s", when, f)
	}
}
