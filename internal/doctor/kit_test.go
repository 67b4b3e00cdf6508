package doctor

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/anteroom/anteroom/retention/proof"
)

// progress of a region whose chat has not been ingested.
type progress struct{}

func (progress) Ingested(context.Context, time.Time) (bool, error) { return false, nil }

func leafText(t *testing.T, id string) []byte {
	t.Helper()
	leaf := &proof.Leaf{
		Schema: proof.Schema, Type: proof.LeafPolicy, Region: "emea", ID: id, At: proof.Time(time.Now()), Organization: "contoso", Digest: proof.LeafHash([]byte(id)),
	}
	text, err := leaf.Canonical()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// spoil alters the checkpoint's root.
func spoil(t *testing.T, dir string) {
	t.Helper()
	path := filepath.Join(dir, "emea", "log", "checkpoint")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	at := len("anteroom/emea\n1\n") + 5
	if text[at] == 'A' {
		text[at] = 'B'
	} else {
		text[at] = 'A'
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

func openToOthers(t *testing.T, dir string) string {
	t.Helper()
	if err := os.Chmod(filepath.Join(dir, "emea"), 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}
