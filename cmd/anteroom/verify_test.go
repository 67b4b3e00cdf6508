package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/anteroom/anteroom/retention/ledger"
	"github.com/anteroom/anteroom/retention/proof"
	"github.com/anteroom/anteroom/retention/verify"
)

// TestVerifyCommand looks at what the command makes of what it is given; what is checked has its tests in retention/verify.
func TestVerifyCommand(t *testing.T) {
	dir := t.TempDir()
	cfg := ledger.DefaultConfig()
	cfg.Dir = filepath.Join(dir, "ledger")
	l, err := ledger.Open(cfg, "emea", ledger.Deps{})
	if err != nil {
		t.Fatal(err)
	}
	key := filepath.Join(dir, "emea.key")
	empty := filepath.Join(dir, "empty")
	for path, content := range map[string]string{key: l.VerifierKey() + "\n", filepath.Join(empty, "manifest.json"): "{}\n"} {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		args []string
		want int
		says string
	}{
		"no key":               {[]string{"verify", empty}, exitUsage, "key"},
		"a key that is none":   {[]string{"verify", empty, "--key", "nonsense"}, exitUsage, "--key: that is not a verifier key"},
		"nothing there":        {[]string{"verify", filepath.Join(dir, "none"), "--key", key}, exitFailed, "none"},
		"no bundle":            {[]string{"verify", key, "--key", key}, verify.Form.ExitCode(), "NOT VERIFIED"},
		"no manifest":          {[]string{"verify", empty, "--key", l.VerifierKey()}, verify.BadManifest.ExitCode(), "manifest.json"},
		"no earlier one":       {[]string{"verify", empty, "--key", key, "--previous", "none"}, exitFailed, "--previous"},
		"two bundles":          {[]string{"verify", empty, empty, "--key", key}, exitUsage, "accepts 1 arg"},
		"a private key's file": {[]string{"verify", empty, "--key", filepath.Join(cfg.Dir, "emea", "signer.key")}, exitUsage, "--key"},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := command(c.args...)
			if code != c.want || !strings.Contains(stdout+stderr, c.says) {
				t.Errorf("exit code %d, want %d with %q\n%s%s", code, c.want, c.says, stdout, stderr)
			}
		})
	}
	code, stdout, _ := command("verify", empty, "--key", key, "--json")
	var result verify.Result
	if err := json.Unmarshal([]byte(stdout), &result); err != nil || result.OK || code != result.ExitCode() || len(result.Findings) != 2 {
		t.Errorf("exit code %d: %v\n%s", code, err, stdout)
	}
}

// What a report of another kind than retention proves is not called a deletion.
func TestVerdictsSayWhatIsProven(t *testing.T) {
	for kind, want := range map[proof.ReportKind]string{
		proof.ReportRetention: "  3 deletions proven, 2 batches computed again\n",
		proof.ReportChanges:   "  4 changes proven by the log; what else is in it is the operator's word, signed\n",
		proof.ReportNotices:   "  what is in it is the operator's word, signed\n",
	} {
		r := verify.Result{OK: true, Manifest: proof.Manifest{ID: "r", Kind: kind}, Deleted: 3, Batches: 2, Changes: 4}
		if got := verdict("b.zip", &r); !strings.Contains(got, want) {
			t.Errorf("%s: %q is not in\n%s", kind, want, got)
		}
	}
}
