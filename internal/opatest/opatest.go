// Package opatest gives tests the stock Open Policy Agent, to hold our decisions and checks against.
//
// It is built once from the Go module that tools/opa.mod pins, into the user's cache folder.
package opatest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// module is what is built; its version is that of the policy room's evaluator.
const module = "github.com/open-policy-agent/opa"

var build = sync.OnceValues(func() (string, error) {
	_, file, _, _ := runtime.Caller(0)
	root := filepath.Dir(filepath.Dir(filepath.Dir(file)))
	ours, err := version(root, "")
	if err != nil {
		return "", err
	}
	stock, err := version(root, "-modfile=tools/opa.mod")
	if err != nil {
		return "", err
	}
	if ours != stock {
		return "", fmt.Errorf("tools/opa.mod has OPA %s and go.mod %s: make them one", stock, ours)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	folder := filepath.Join(cache, "anteroom")
	program := filepath.Join(folder, "opa-"+stock+"-"+strings.TrimPrefix(runtime.Version(), "go"))
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", err
	}
	// Test binaries of several packages may come here at once.
	lock, err := os.OpenFile(program+".lock", os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return "", err
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return "", err
	}
	if _, err := os.Stat(program); err == nil || !errors.Is(err, os.ErrNotExist) {
		return program, err
	}
	cmd := exec.Command("go", "build", "-modfile=tools/opa.mod", "-trimpath", "-ldflags=-s -w", "-o", program+".new", module)
	cmd.Dir, cmd.Env = root, append(os.Environ(), "CGO_ENABLED=0")
	if said, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build OPA: %w\n%s", err, said)
	}
	return program, os.Rename(program+".new", program)
})

// version is which OPA a module file asks for.
func version(root, flag string) (string, error) {
	args := []string{"list", "-m", "-f", "{{.Version}}"}
	if flag != "" {
		args = append(args, flag)
	}
	cmd := exec.Command("go", append(args, module)...)
	cmd.Dir = root
	said, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("ask for OPA's version: %w", err)
	}
	return strings.TrimSpace(string(said)), nil
}

// Program is the path of the stock `opa`. Building it for the first time takes some minutes.
func Program(t testing.TB) string {
	t.Helper()
	program, err := build()
	if err != nil {
		t.Fatalf("the stock OPA: %v", err)
	}
	return program
}

// Write writes files by path below a folder.
func Write(t testing.TB, folder string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(folder, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
