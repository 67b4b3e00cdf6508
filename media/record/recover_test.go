package record_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/media/record"
)

// A process that is killed before a recording has its manifest leaves an empty folder, or a piece of a manifest: nothing was recorded, and
// nothing is left of it. What has other files is told of and kept.
func TestRecoverWhatHadNotBegun(t *testing.T) {
	dir := t.TempDir()
	cfg := record.DefaultConfig()
	cfg.Dir = dir
	r, err := record.New(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	folder := func(files ...string) string {
		path := filepath.Join(dir, "contoso", uuid.NewString(), uuid.NewString())
		if err := os.MkdirAll(path, 0o700); err != nil {
			t.Fatal(err)
		}
		for _, name := range files {
			if err := os.WriteFile(filepath.Join(path, name), []byte("{"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return path
	}
	empty, torn := folder(), folder(".manifest-123")
	if got, err := r.Recover(t.Context()); err != nil || len(got) != 0 {
		t.Fatalf("recovered %v, %v", got, err)
	}
	for _, path := range []string{empty, torn} {
		if _, err := os.Stat(path); !os.IsNotExist(err) {
			t.Errorf("the folder is still there: %v", err)
		}
	}
	odd := folder("track.webm")
	if _, err := r.Recover(t.Context()); err == nil {
		t.Error("media without a manifest is not told of")
	}
	if _, err := os.Stat(odd); err != nil {
		t.Errorf("the folder is gone: %v", err)
	}
}
