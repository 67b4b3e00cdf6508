package main

import (
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	monitor "github.com/transparency-dev/tessera/client"

	"github.com/anteroom/anteroom/internal/embedded"
	"github.com/anteroom/anteroom/retention/ledger"
	"github.com/anteroom/anteroom/retention/proof"
	"github.com/anteroom/anteroom/store"
)

// follow reads the log over HTTP, as a monitor of somebody else's would.
func follow(t *testing.T, in *instance) {
	t.Helper()
	key := strings.TrimSpace(in.get("/v1/ledger/emea/key"))
	base, err := url.Parse(in.url + "/v1/ledger/emea/")
	if err != nil {
		t.Fatal(err)
	}
	log, err := monitor.NewHTTPFetcher(base, nil)
	if err != nil {
		t.Fatal(err)
	}
	log.SetAuthorizationHeader("Bearer " + in.admin())
	text, err := log.ReadCheckpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	checkpoint, err := proof.ParseCheckpoint(text, key)
	if err != nil || checkpoint.Size != 1 {
		t.Fatalf("checkpoint %+v: %v", checkpoint, err)
	}
	bundle, err := monitor.GetEntryBundle(t.Context(), log.ReadEntryBundle, 0, checkpoint.Size)
	if err != nil {
		t.Fatal(err)
	}
	hashes, err := monitor.FetchLeafHashes(t.Context(), log.ReadTile, 0, 1, checkpoint.Size)
	if err != nil {
		t.Fatal(err)
	}
	if proof.LeafHash(bundle.Entries[0]) != checkpoint.Root || proof.Hash(hashes[0]) != checkpoint.Root {
		t.Errorf("the log of one leaf has root %x, leaf %s and hash %x", checkpoint.Root, bundle.Entries[0], hashes[0])
	}
	if strings.Contains(string(bundle.Entries[0]), demoOrg) {
		t.Errorf("the log names an organisation: %s", bundle.Entries[0])
	}
}

// TestLedgerCommands puts a leaf into a running service, and looks at the ledger while it runs, after it stopped, and after somebody has been at it.
func TestLedgerCommands(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	in := startRun(t, data, "--no-demo")
	addr, user, password, err := embedded.RunningClickHouse(data)
	if err != nil {
		t.Fatal(err)
	}
	cfg := store.DefaultConfig()
	cfg.Addresses, cfg.Username, cfg.Password = []string{addr}, user, password
	home, err := store.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer home.Close()
	leaf := proof.Leaf{Schema: proof.Schema, Type: proof.LeafHold, Region: "emea", ID: "hold-1", At: proof.Time(time.Now()), Organization: demoOrg}
	text, err := leaf.Canonical()
	if err != nil {
		t.Fatal(err)
	}
	if err := home.PutLeaf(t.Context(), leaf.ID, text); err != nil {
		t.Fatal(err)
	}
	for {
		entries, err := home.LedgerEntries(t.Context(), []string{leaf.ID})
		if err != nil {
			t.Fatal(err)
		}
		if len(entries) == 1 {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}

	check := func(want int) (out struct{ Ledgers []ledger.Checked }) {
		t.Helper()
		code, stdout, stderr := command("ledger", "fsck", "--data", data, "--json")
		if err := json.Unmarshal([]byte(stdout), &out); err != nil || code != want {
			t.Errorf("exit code %d, want %d: %v\n%s%s", code, want, err, stdout, stderr)
		}
		return out
	}
	if all := check(0); len(all.Ledgers) != 2 || all.Ledgers[0].Size != 1 || all.Ledgers[1].Size != 0 {
		t.Errorf("while it runs: %+v", all)
	}
	follow(t, in)
	in.stop()
	if all := check(0); len(all.Ledgers) != 2 || all.Ledgers[0].Size != 1 {
		t.Errorf("after it stopped: %+v", all)
	}
	if code, stdout, stderr := command("ledger", "key", "--data", data, "--region", "emea"); code != 0 || !strings.HasPrefix(stdout, "anteroom/emea+") {
		t.Errorf("key: exit code %d\n%s%s", code, stdout, stderr)
	}
	if code, _, stderr := command("ledger", "key", "--data", data, "--region", "apac"); code != exitUsage || !strings.Contains(stderr, `"apac" is none of emea, amer`) {
		t.Errorf("key of an unknown region: exit code %d\n%s", code, stderr)
	}
	if code, _, stderr := command("ledger", "fsck", "--data", t.TempDir()); code != exitFailed || !strings.Contains(stderr, "--data: open ledger: there is no ledger in the folder: ") {
		t.Errorf("fsck where there is none: exit code %d\n%s", code, stderr)
	}

	tile := filepath.Join(data, "ledger", "emea", "log", "tile", "0", "000.p", "1")
	content, err := os.ReadFile(tile)
	if err != nil {
		t.Fatal(err)
	}
	content[0] ^= 1
	if err := os.WriteFile(tile, content, 0o600); err != nil {
		t.Fatal(err)
	}
	if all := check(31); len(all.Ledgers) != 2 || len(all.Ledgers[0].Findings) != 1 {
		t.Errorf("after a file was altered: %+v", all)
	}
}
