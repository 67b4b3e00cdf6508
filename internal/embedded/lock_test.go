package embedded_test

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/anteroom/anteroom/internal/embedded"
)

func TestLock_SecondIsToldWhoHolds(t *testing.T) {
	dir := t.TempDir()
	lock, err := embedded.AcquireLock(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := lock.SetURL("http://127.0.0.1:8080"); err != nil {
		t.Fatal(err)
	}
	_, err = embedded.AcquireLock(dir)
	if !errors.Is(err, embedded.ErrLocked) {
		t.Fatalf("second lock: %v, want ErrLocked", err)
	}
	for _, want := range []string{dir, "process " + strconv.Itoa(os.Getpid()), "started ", "http://127.0.0.1:8080"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q does not name %q", err, want)
		}
	}
	if err := lock.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := embedded.AcquireLock(dir)
	if err != nil {
		t.Fatalf("after Close: %v", err)
	}
	again.Close()
}

func TestSecret(t *testing.T) {
	dir := t.TempDir()
	first, err := embedded.Secret(dir, "key")
	if err != nil {
		t.Fatal(err)
	}
	if len(first) != 43 {
		t.Errorf("%d characters, want the 43 of 32 bytes in base64url", len(first))
	}
	second, err := embedded.Secret(dir, "key")
	if err != nil {
		t.Fatal(err)
	}
	if first != second {
		t.Error("the second call made another secret")
	}
	if other, err := embedded.Secret(dir, "other"); err != nil || other == first {
		t.Errorf("another name: same secret %t, error %v", other == first, err)
	}
	path := filepath.Join(dir, "key")
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode().Perm(); got != 0o600 {
		t.Errorf("mode %04o, want 0600", got)
	}
	for _, mode := range []os.FileMode{0o640, 0o604, 0o644, 0o700} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := embedded.Secret(dir, "key"); err == nil || !strings.Contains(err.Error(), "chmod 600") {
			t.Errorf("mode %04o: error %v, want one that says chmod 600", mode, err)
		}
	}
}
