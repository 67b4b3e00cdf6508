package ledger_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/anteroom/anteroom/store"
	"github.com/anteroom/anteroom/store/storetest"
)

// victimCommand is this test binary as a process that appends what waits and ends.
func victimCommand(cfg store.Config, dir string, before ...string) *exec.Cmd {
	args := append(slices.Clone(before), os.Args[0])
	cmd := exec.Command(args[0], args[1:]...) //nolint:gosec // the test's own binary
	cmd.Env = append(os.Environ(), victimEnv+"="+strings.Join([]string{cfg.Addresses[0], cfg.Database, cfg.Username, cfg.Password, dir}, "|"))
	return cmd
}

// wantAll lets a last process take up what is left, and looks whether each leaf is in the log once.
func wantAll(t *testing.T, s *store.Store, cfg store.Config, dir string, leaves int) {
	t.Helper()
	if out, err := victimCommand(cfg, dir).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	l := open(t, dir, s)
	ids := inLog(t, l)
	slices.Sort(ids)
	if n := len(slices.Compact(slices.Clone(ids))); n != leaves || len(ids) != leaves {
		t.Errorf("the log has %d leaves, %d of them different; %d were put", len(ids), n, leaves)
	}
	wantClean(t, l, leaves)
}

// TestAppenderMayBeKilledAtAnyTime kills it at moments of chance.
func TestAppenderMayBeKilledAtAnyTime(t *testing.T) {
	s, cfg := storetest.NewConfig(t)
	dir, raw := t.TempDir(), connect(t, cfg)
	kills := 40
	if os.Getenv("CI") != "true" {
		kills = 10
	}
	random := rand.New(rand.NewPCG(1, 2))
	leaves, killed := 0, 0
	for i := range kills {
		n := 1 + random.IntN(400)
		putNamed(t, raw, fmt.Sprintf("%d-", i), n)
		leaves += n
		cmd := victimCommand(cfg, dir)
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		kill := time.AfterFunc(time.Duration(random.IntN(400))*time.Millisecond, func() { _ = cmd.Process.Kill() })
		err := cmd.Wait()
		kill.Stop()
		if err != nil {
			killed++
		}
		if cmd.ProcessState.Exited() && err != nil {
			t.Fatalf("%v\n%s", err, out.String())
		}
	}
	t.Logf("%d of %d runs were killed", killed, kills)
	wantAll(t, s, cfg, dir, leaves)
}

// TestAppenderMayBeKilledAtEachFile kills it as it gives a file its name, at each file in turn: what tessera writes are files, each of which is there
// as a whole or not at all.
func TestAppenderMayBeKilledAtEachFile(t *testing.T) {
	if _, err := exec.LookPath("strace"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("strace is not installed; CI must have it")
		}
		t.Skip("strace is not installed: the kill can't be placed")
	}
	s, cfg := storetest.NewConfig(t)
	dir, raw := t.TempDir(), connect(t, cfg)
	appendAll(t, open(t, dir, s), s) // so that the first run has a log
	log := filepath.Join(dir, region, "log")
	leaves := 0
	// strace counts by thread, so which file the n-th is can't be foreseen, and a run may get away; the two that decide are named.
	for i, at := range []struct{ path, when string }{
		{"", "1"},
		{"", "2"},
		{"", "3"},
		{"", "4"},
		{filepath.Join(log, ".state", "treeState"), "1"},
		{filepath.Join(log, "checkpoint"), "1"},
		{filepath.Join(log, "checkpoint"), "1"},
		{filepath.Join(log, ".state", "treeState"), "1"},
	} {
		n := 100 // so that files are begun, filled and gone on from
		putNamed(t, raw, fmt.Sprintf("%d-", i), n)
		leaves += n
		args := []string{
			"strace", "-f", "-qq", "-o", filepath.Join(t.TempDir(), "strace"), "-e", "trace=rename,renameat,renameat2",
			"-e", "inject=rename,renameat,renameat2:error=EIO:signal=KILL:when=" + at.when,
		}
		if at.path != "" {
			args = append(args, "-P", at.path)
		}
		out, err := victimCommand(cfg, dir, args...).CombinedOutput()
		if len(out) > 0 || (err == nil && at.path != "") {
			t.Fatalf("%s was not the end: %v\n%s", at.path, err, out)
		}
	}
	wantAll(t, s, cfg, dir, leaves)
}
