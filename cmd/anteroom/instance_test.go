package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/anteroom/anteroom/identity"
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
	// token makes tokens where there is no development issuer.
	token func(org string, role identity.Role) string
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
	if _, err := os.Stat(filepath.Join(data, "made")); err != nil && slices.Contains(args, "--no-demo") {
		if err := errors.Join(makeOrg(url, data, demoOrg), os.WriteFile(filepath.Join(data, "made"), nil, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
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
	status, body, err := get(in.url+path, in.admin())
	if err != nil || status != http.StatusOK {
		in.t.Fatalf("GET %s: %d %v\n%s", path, status, err, body)
	}
	return body
}

// admin is a token of an admin of the demonstration's organisation.
func (in *instance) admin() string {
	in.t.Helper()
	if in.token != nil {
		return in.token(demoOrg, identity.Admin)
	}
	token, err := devToken(tokenOptions{data: in.data, org: demoOrg, roles: []string{string(identity.Admin)}})
	if err != nil {
		in.t.Fatal(err)
	}
	return token
}

// importFiles imports files by the command and returns the call ids.
func (in *instance) importFiles(args ...string) []string {
	in.t.Helper()
	args = append([]string{"import", "--server", in.url, "--data", in.data, "--json"}, args...)
	if in.token != nil {
		file := filepath.Join(in.t.TempDir(), "token")
		if err := os.WriteFile(file, []byte(in.admin()), 0o600); err != nil {
			in.t.Fatal(err)
		}
		args = append(args, "--token-file", file)
	}
	code, stdout, stderr := command(args...)
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
