package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// The process itself: SIGTERM ends it well and in the documented order.
func TestSIGTERMStopsInOrder(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd := exec.Command(program)
	cmd.Args = []string{"anteroom", "run", "--data", data, "--listen", "127.0.0.1:0", "--no-demo"} // by its first word the test binary is anteroom
	cmd.Env = append(os.Environ(), "ANTEROOM_LOG_LEVEL=debug")
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_, readyErr := awaitReady(data)
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	if err := cmd.Wait(); err != nil || readyErr != nil {
		t.Fatalf("ready: %v; end: %v\n%s", readyErr, err, stderr.String())
	}
	rest := stderr.String()
	for _, step := range []string{"API", `"import producer"`, "ingest", "roll-ups", "store", "ClickHouse", "broker", "lock"} {
		_, after, found := strings.Cut(rest, `msg="step stopped" step=`+step+" ")
		if !found {
			t.Fatalf("%s was not stopped after those before it\n%s", step, stderr.String())
		}
		rest = after
	}
}
