package ledger_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/note"

	"github.com/anteroom/anteroom/retention/ledger"
	forms "github.com/anteroom/anteroom/retention/proof"
	"github.com/anteroom/anteroom/store"
	"github.com/anteroom/anteroom/store/storetest"
)

func TestLeavesAreInTheLogOnceAndInOrder(t *testing.T) {
	s, cfg := storetest.NewConfig(t)
	raw, l := connect(t, cfg), open(t, t.TempDir(), s)
	putNamed(t, raw, "a", 300)
	stop := start(t, l)
	settle(t, s)
	putNamed(t, raw, "a", 300) // again
	put(t, s, leaf("a7"), leaf("b0"), leaf("b1"), leaf("b2"))
	settle(t, s)
	stop()
	var want []string
	for i := range 300 {
		want = append(want, fmt.Sprint("a", i))
	}
	want = append(want, "b0", "b1", "b2")
	if diff := cmp.Diff(want, inLog(t, l)); diff != "" {
		t.Error(diff)
	}
	wantClean(t, l, len(want))

	entries, err := s.LedgerEntries(t.Context(), []string{"a7"})
	if err != nil {
		t.Fatal(err)
	}
	text, err := l.Leaf(t.Context(), 7)
	if err != nil {
		t.Fatal(err)
	}
	if e := entries["a7"]; e.Index != 7 || forms.Hash(e.LeafHash) != forms.LeafHash(text) || e.PublishedAt.IsZero() {
		t.Errorf("entry is %+v", e)
	}
	if strings.Contains(string(text), "contoso") {
		t.Errorf("the log names an organisation: %s", text)
	}
	tag := forms.OrganizationTag(l.OrganizationSalt("contoso"), region, "contoso")
	if leaf, err := forms.ParseLeaf(text); err != nil || leaf.Organization != tag {
		t.Errorf("leaf is %+v: %v", leaf, err)
	}
}

// TestProofsHold checks proofs by the library that others would use, for sizes in the middle of tiles too.
func TestProofsHold(t *testing.T) {
	s, cfg := storetest.NewConfig(t)
	raw, l, ctx := connect(t, cfg), open(t, t.TempDir(), s), t.Context()
	roots := map[uint64]forms.Hash{}
	tree := forms.NewAccumulator()
	remember := func() {
		published, err := l.Published(ctx)
		if err != nil {
			t.Fatal(err)
		}
		err = l.EachLeaf(ctx, tree.Size(), published.Size, func(_ uint64, leaf []byte) error {
			if err := tree.Add(forms.LeafHash(leaf)); err != nil {
				return err
			}
			root, err := tree.Root()
			roots[tree.Size()] = root
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if roots[published.Size] != published.Root {
			t.Errorf("size %d has root %x, the leaves give %x", published.Size, published.Root, roots[published.Size])
		}
	}
	for i, n := range []int{1, 200, 99} {
		putNamed(t, raw, fmt.Sprint("batch", i, "-"), n)
		appendAll(t, l, s)
		remember()
	}
	plain := func(hashes []forms.Hash) (out [][]byte) {
		for _, h := range hashes {
			out = append(out, h[:])
		}
		return out
	}
	for _, size := range []uint64{1, 2, 200, 201, 255, 256, 257, 300} {
		for _, index := range []uint64{0, 1, 199, 255, 256, 299} {
			if index >= size {
				continue
			}
			path, err := l.InclusionProof(ctx, index, size)
			if err != nil {
				t.Fatal(err)
			}
			leaf, err := l.Leaf(ctx, index)
			if err != nil {
				t.Fatal(err)
			}
			hash, root := forms.LeafHash(leaf), roots[size]
			if err := proof.VerifyInclusion(rfc6962.DefaultHasher, index, size, hash[:], plain(path), root[:]); err != nil {
				t.Errorf("leaf %d of %d: %v", index, size, err)
			}
		}
		to := roots[300]
		path, err := l.ConsistencyProof(ctx, size, 300)
		if err != nil {
			t.Fatal(err)
		}
		from := roots[size]
		if err := proof.VerifyConsistency(rfc6962.DefaultHasher, size, 300, plain(path), from[:], to[:]); err != nil {
			t.Errorf("from %d to 300: %v", size, err)
		}
		nodes, err := l.Hashes(ctx, size)
		if err != nil {
			t.Fatal(err)
		}
		resumed, err := forms.ResumeAccumulator(size, nodes)
		if err != nil {
			t.Fatal(err)
		}
		if root, err := resumed.Root(); err != nil || root != roots[size] {
			t.Errorf("the hashes of size %d give %x, not %x: %v", size, root, roots[size], err)
		}
	}
	_, err := l.InclusionProof(ctx, 300, 301)
	wantError(t, err, ledger.ErrRange)
	_, err = l.Leaf(ctx, 300)
	wantError(t, err, ledger.ErrRange)
}

func TestManifestsAreSignedAsNothingElse(t *testing.T) {
	l := open(t, t.TempDir(), nil)
	manifest := []byte("{}\n")
	signed, err := l.SignManifest(manifest)
	if err != nil {
		t.Fatal(err)
	}
	if err := forms.CheckManifest(manifest, signed, l.VerifierKey()); err != nil {
		t.Error(err)
	}
	if err := forms.CheckManifest([]byte("{} \n"), signed, l.VerifierKey()); err == nil {
		t.Error("the signature is good for another manifest")
	}
	if _, err := forms.ParseCheckpoint(signed, l.VerifierKey()); err == nil {
		t.Error("a manifest's signature is taken for a checkpoint")
	}
	if _, err := note.NewVerifier(l.VerifierKey()); err != nil {
		t.Error(err)
	}
	other := open(t, t.TempDir(), nil)
	wantError(t, forms.CheckManifest(manifest, signed, other.VerifierKey()), forms.ErrSignature)
}

func TestKeysAreMadeOnceAndReadableByNobodyElse(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, nil)
	again := open(t, dir, nil)
	if l.VerifierKey() != again.VerifierKey() || string(l.IDKey()) != string(again.IDKey()) || len(l.IDKey()) != 32 {
		t.Error("the keys aren't the same after a restart")
	}
	for _, name := range []string{"signer.key", "ids.key"} {
		info, err := os.Stat(filepath.Join(dir, region, name))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", name, info.Mode(), err)
		}
	}
	cfg := config(dir)
	cfg.Origin = "example.com/log"
	if _, err := ledger.Open(cfg, region, ledger.Deps{}); err == nil || !strings.Contains(err.Error(), "origin: ") {
		t.Errorf("another origin: %v", err)
	}
	_, err := ledger.OpenExisting(config(t.TempDir()), region, ledger.Deps{})
	wantError(t, err, ledger.ErrNone)
	if err := os.Chmod(filepath.Join(dir, region, "signer.key"), 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := ledger.Open(config(dir), region, ledger.Deps{}); err == nil {
		t.Error("a key that others may read is taken")
	}
}

// TestOneThatWaitsGoesOn: of two on one folder one appends, and the other goes on where that one ended.
func TestOneThatWaitsGoesOn(t *testing.T) {
	s, cfg := storetest.NewConfig(t)
	dir, raw := t.TempDir(), connect(t, cfg)
	stop := start(t, open(t, dir, s))
	putNamed(t, raw, "a", 3)
	settle(t, s)
	second := open(t, dir, s)
	stopSecond := start(t, second)
	putNamed(t, raw, "b", 3)
	settle(t, s)
	stop()
	putNamed(t, raw, "c", 3)
	settle(t, s)
	stopSecond()
	if diff := cmp.Diff([]string{"a0", "a1", "a2", "b0", "b1", "b2", "c0", "c1", "c2"}, inLog(t, second)); diff != "" {
		t.Error(diff)
	}
	wantClean(t, second, 9)

	stop = start(t, open(t, dir, s))
	waits := start(t, open(t, dir, s)) // told to stop before its turn has come
	waits()
	stop()
}

func TestNoSecondLogOfARegion(t *testing.T) {
	s, cfg := storetest.NewConfig(t)
	dir, raw := t.TempDir(), connect(t, cfg)
	l := open(t, dir, s)
	putNamed(t, raw, "a", 2)
	stop := start(t, l)
	settle(t, s)
	t.Run("another folder", func(t *testing.T) {
		err := open(t, t.TempDir(), s).Run(t.Context())
		wantError(t, err, ledger.ErrOther)
	})
	stop()
	t.Run("keys lost", func(t *testing.T) {
		moved := filepath.Join(t.TempDir(), "key")
		if err := os.Rename(filepath.Join(dir, region, "ids.key"), moved); err != nil {
			t.Fatal(err)
		}
		if _, err := ledger.Open(config(dir), region, ledger.Deps{}); err == nil {
			t.Error("a new id key was made for a log that is there")
		}
		if err := os.Rename(moved, filepath.Join(dir, region, "ids.key")); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("older copy of the folder", func(t *testing.T) {
		older := t.TempDir()
		if err := os.CopyFS(older, os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
		fixModes(t, older)
		putNamed(t, raw, "b", 2)
		appendAll(t, l, s)
		wantError(t, open(t, older, s).Run(t.Context()), ledger.ErrShort)
	})
	t.Run("fork", func(t *testing.T) {
		if err := s.PutLedgerEntries(t.Context(), []store.LedgerEntry{{ID: "b1", Index: 3, LeafHash: [32]byte{1}, PublishedAt: time.Now()}}); err != nil {
			t.Fatal(err)
		}
		wantError(t, l.Run(t.Context()), ledger.ErrForked)
	})
}

// fixModes makes a copied folder private again.
func fixModes(t *testing.T, dir string) {
	t.Helper()
	for path, mode := range map[string]os.FileMode{".": 0o700, "signer.key": 0o600, "ids.key": 0o600} {
		if err := os.Chmod(filepath.Join(dir, region, path), mode); err != nil {
			t.Fatal(err)
		}
	}
}

// TestLateLeavesAreFound: a leaf may become visible with a time that has been looked at already.
func TestLateLeavesAreFound(t *testing.T) {
	s, cfg := storetest.NewConfig(t)
	dir, raw, registry := t.TempDir(), connect(t, cfg), prometheus.NewRegistry()
	l, err := ledger.Open(config(dir), region, ledger.Deps{Store: s, Metrics: registry})
	if err != nil {
		t.Fatal(err)
	}
	putNamed(t, raw, "a", 2)
	stop := start(t, l)
	settle(t, s)
	for i, age := range []time.Duration{time.Hour, 24 * time.Hour, time.Second} {
		name := fmt.Sprint("late", i)
		text, err := leaf(name).Canonical()
		if err != nil {
			t.Fatal(err)
		}
		do(t, raw, "INSERT INTO ledger_outbox (id, leaf, inserted_at) VALUES ($1, $2, now64(6) - $3)", name, string(text), int(age.Seconds()))
		settle(t, s)
	}
	stop()
	if diff := cmp.Diff([]string{"a0", "a1", "late0", "late1", "late2"}, inLog(t, l)); diff != "" {
		t.Error(diff)
	}
	if n := testutil.CollectAndCount(registry, "anteroom_ledger_published_leaves"); n != 1 {
		t.Error("the size of the log is no metric")
	}
}

// TestBadLeavesStopNobody: a leaf that is none is left where it is.
func TestBadLeavesStopNobody(t *testing.T) {
	s := storetest.New(t)
	l := open(t, t.TempDir(), s)
	foreign := leaf("foreign")
	foreign.Region = "amer"
	text, err := foreign.Canonical()
	if err != nil {
		t.Fatal(err)
	}
	for id, text := range map[string]string{"noise": "{", "spaces": ` {"schema":1}`, "foreign": string(text), "renamed": string(text)} {
		if err := s.PutLeaf(t.Context(), id, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	put(t, s, leaf("a0"), leaf("a1"))
	stop := start(t, l)
	for count := uint64(0); count != 4; time.Sleep(5 * time.Millisecond) {
		if count, _, err = s.Waiting(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	put(t, s, leaf("b0"))
	for !slices.Contains(inLog(t, l), "b0") {
		time.Sleep(5 * time.Millisecond)
	}
	stop()
	checked, err := l.Fsck(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[ledger.FindingKind]int{}
	for _, f := range checked.Findings {
		kinds[f.Kind]++
	}
	if diff := cmp.Diff(map[ledger.FindingKind]int{ledger.WrongOutbox: 4}, kinds); diff != "" {
		t.Error(diff)
	}
	if _, err := json.Marshal(checked); err != nil {
		t.Error(err)
	}
}

func TestConfigurationNamesItsFields(t *testing.T) {
	if err := ledger.DefaultConfig().Validate(); err != nil {
		t.Error(err)
	}
	var none ledger.Config
	for _, field := range []string{"origin: ", "checkpoint_interval: ", "poll_interval: ", "batch: "} {
		if err := none.Validate(); err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%sisn't named: %v", field, err)
		}
	}
	if _, err := ledger.Open(ledger.DefaultConfig(), region, ledger.Deps{}); err == nil || !strings.Contains(err.Error(), "dir: ") {
		t.Errorf("no folder: %v", err)
	}
	if _, err := ledger.Open(config(t.TempDir()), "../emea", ledger.Deps{}); err == nil {
		t.Error("a region that climbs out of the folder")
	}
}

func TestTilesAreThoseOfTheLog(t *testing.T) {
	s := storetest.New(t)
	l := open(t, t.TempDir(), s)
	put(t, s, leaf("a"))
	appendAll(t, l, s)
	text, err := l.Leaf(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	hash := forms.LeafHash(text)
	if tile, err := l.Tile("0/000.p/1"); err != nil || string(tile) != string(hash[:]) {
		t.Errorf("tile %x: %v", tile, err)
	}
	if tile, err := l.Tile("entries/000.p/1"); err != nil || string(tile[2:]) != string(text) {
		t.Errorf("entries %s: %v", tile, err)
	}
	for _, path := range []string{
		"", "0", "0/", "0/000", "0/001.p/1", "64/000", "-1/000", "0/../../../signer.key", "../log/checkpoint", "entries/../0/000.p/1", "0/000.p/0", "0/000.p/256",
		"0/x000/000", "entries/000.p/1/", "/0/000.p/1",
	} {
		_, err := l.Tile(path)
		if !errors.Is(err, ledger.ErrNoTile) {
			t.Errorf("%q: %v", path, err)
		}
	}
}
