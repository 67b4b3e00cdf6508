package verify_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/anteroom/anteroom/retention/proof"
	"github.com/anteroom/anteroom/retention/verify"
)

func TestGoodBundlesHold(t *testing.T) {
	w := newWorld(t, 300)
	for name, mode := range map[string]proof.ProofMode{"whole": proof.WholeProofs, "single": proof.SingleProofs} {
		t.Run(name, func(t *testing.T) {
			for _, first := range []int{0, 1} { // the leaf of a policy before it concerns nobody
				b := w.report(mode, first, 5)
				opt := verify.Options{Key: w.key}
				result := wantOK(t, b.folder(t.TempDir()), opt)
				if result.Rows != uint64(len(b.lines)) || result.Deleted != b.manifest.Counts.Deleted || result.Batches == 0 {
					t.Errorf("looked at %d rows, %d deletions, %d batches, there are %d and %d", result.Rows, result.Deleted, result.Batches, len(b.lines), b.manifest.Counts.Deleted)
				}
				if result.Complete != (mode == proof.WholeProofs) || result.Since == nil || *result.Since != 5 {
					t.Errorf("result is %+v", result)
				}
				wantOK(t, b.zip(filepath.Join(t.TempDir(), "report.zip")), opt)
			}
		})
	}
}

func TestEarlierCheckpoints(t *testing.T) {
	w := newWorld(t, 100)
	size := len(w.leaves)
	whole, single := w.report(proof.WholeProofs, 1, 0).folder(t.TempDir()), w.report(proof.SingleProofs, 1, 4).folder(t.TempDir())
	other := newWorld(t, 100)
	for name, c := range map[string]struct {
		path     string
		previous []byte
		want     string
	}{
		"inside the leaves":          {whole, w.checkpoint(3), ""},
		"at their begin":             {whole, w.checkpoint(1), ""},
		"the same":                   {whole, w.checkpoint(size), ""},
		"the one that it follows":    {single, w.checkpoint(4), ""},
		"another one":                {single, w.checkpoint(3), "ask for a report"},
		"of another key":             {whole, other.checkpoint(3), "no signature by the key"},
		"rewritten":                  {whole, w.sign(proof.Checkpoint{Origin: w.signer.Name(), Size: 3, Root: sum("x")}.Text()), "rewritten"},
		"rewritten at the same size": {whole, w.sign(proof.Checkpoint{Origin: w.signer.Name(), Size: uint64(size), Root: sum("x")}.Text()), "rewritten"},
		"larger":                     {whole, w.sign(proof.Checkpoint{Origin: w.signer.Name(), Size: 1000, Root: sum("x")}.Text()), "the log was cut"},
		"nothing":                    {whole, []byte{}, "no signature"},
	} {
		t.Run(name, func(t *testing.T) {
			result := check(t, c.path, verify.Options{Key: w.key, Earlier: &verify.Earlier{Checkpoint: c.previous}})
			switch {
			case c.want == "" && (!result.OK || result.Since == nil):
				t.Errorf("result is %+v", result)
			case c.want != "" && (result.ExitCode() != verify.Consistency.ExitCode() || !strings.Contains(result.Findings[0].What, c.want)):
				t.Errorf("findings are %v, want %q", result.Findings, c.want)
			}
		})
	}
	if _, err := verify.Bundle(t.Context(), whole, verify.Options{Key: "nonsense"}); err == nil {
		t.Error("a key that is none is taken")
	}
	if _, err := verify.Bundle(t.Context(), filepath.Join(t.TempDir(), "none"), verify.Options{Key: w.key}); !os.IsNotExist(err) && err == nil {
		t.Error("a bundle that isn't there is looked at")
	}
}
