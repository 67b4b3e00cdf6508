package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/anteroom/anteroom/internal/demo"
)

// instance is the whole app, running in this process as main would run it.
type instance struct {
	t      *testing.T
	data   string
	url    string
	stdout *buffer
	stderr *buffer
	cancel context.CancelFunc
	done   chan int
}

// begin runs a subcommand that goes on until it is stopped.
func begin(t *testing.T, environ []string, args ...string) *instance {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	in := &instance{t: t, stdout: new(buffer), stderr: new(buffer), cancel: cancel, done: make(chan int, 1)}
	go func() { in.done <- run(ctx, args, environ, strings.NewReader(""), in.stdout, in.stderr) }()
	t.Cleanup(func() {
		cancel()
		if in.done != nil {
			<-in.done
		}
	})
	return in
}

// startRun starts `anteroom run` on a data folder and waits until it is ready.
func startRun(t *testing.T, data string, args ...string) *instance {
	t.Helper()
	in := begin(t, nil, append([]string{"run", "--data", data, "--listen", "127.0.0.1:0"}, args...)...)
	in.data = data
	url, err := awaitReady(data)
	if err != nil {
		t.Fatalf("%v\n%s", err, in.stderr)
	}
	in.url = url
	return in
}

// stop ends it as a signal would, and fails the test unless it ended well.
func (in *instance) stop() {
	in.t.Helper()
	in.cancel()
	if code := <-in.done; code != 0 {
		in.t.Errorf("exit code %d\n%s", code, in.stderr)
	}
	in.done = nil
}

func (in *instance) get(path string) string {
	in.t.Helper()
	status, body, err := get(in.url + path)
	if err != nil || status != http.StatusOK {
		in.t.Fatalf("GET %s: %d %v\n%s", path, status, err, body)
	}
	return body
}

// importFiles imports files by the command and returns the call ids.
func (in *instance) importFiles(args ...string) []string {
	in.t.Helper()
	code, stdout, stderr := command(append([]string{"import", "--server", in.url, "--json"}, args...)...)
	if code != 0 {
		in.t.Fatalf("import: exit code %d\n%s", code, stderr)
	}
	var result imported
	if err := json.Unmarshal([]byte(stdout), &result); err != nil {
		in.t.Fatal(err)
	}
	var ids []string
	for _, call := range result.Calls {
		ids = append(ids, call.CallID)
	}
	return ids
}

// command runs a subcommand to its end.
func command(args ...string) (code int, stdout, stderr string) {
	var out, err bytes.Buffer
	code = run(context.Background(), args, nil, strings.NewReader(""), &out, &err)
	return code, out.String(), err.String()
}

// demoFiles writes the shipped dumps into a folder.
func demoFiles(t *testing.T) []string {
	t.Helper()
	dir := t.TempDir()
	var paths []string
	for _, file := range demo.Files() {
		path := filepath.Join(dir, file.Name)
		if err := os.WriteFile(path, file.Data, 0o600); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	return paths
}

// buffer can be written and read at the same time.
type buffer struct {
	mu   sync.Mutex
	text bytes.Buffer // guarded by mu
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
