package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// A download that breaks off goes on where it was; what isn't what the server said is not kept.
func TestDownloadsGoOnAndAreChecked(t *testing.T) {
	t.Parallel()
	content := bytes.Repeat([]byte("0123456789"), 100_000)
	sum := sha256.Sum256(content)
	tag := `"` + hex.EncodeToString(sum[:]) + `"`
	var asked atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", tag)
		if asked.Add(1) == 1 { // breaks off
			w.Header().Set("Content-Length", "1000000")
			_, _ = w.Write(content[:300_000])
			panic(http.ErrAbortHandler)
		}
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
	}))
	defer server.Close()
	base, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	client := &exportClient{base: base, org: demoOrg}
	show := (&cli{stderr: t.Output()}).newTransfers()
	path := filepath.Join(t.TempDir(), "file")
	file := exportFileInfo{Name: "emea.bundle.zip", Bytes: int64(len(content)), SHA256: hex.EncodeToString(sum[:])}
	if err := client.download(t.Context(), "id", file, path, show); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, content) || asked.Load() != 2 {
		t.Errorf("%d bytes after %d requests, %v", len(got), asked.Load(), err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	other := filepath.Join(t.TempDir(), "file")
	file.SHA256 = strings.Repeat("0", 64)
	if err := client.download(t.Context(), "id", file, other, show); err == nil || !strings.Contains(err.Error(), "isn't what the server said") {
		t.Errorf("another sum: %v", err)
	}
	if _, err := os.Stat(other); err == nil {
		t.Error("a file of another sum has its name")
	}
	file.Bytes = 10
	if err := client.download(t.Context(), "id", file, other, show); err == nil {
		t.Error("a longer file was taken")
	}
}
