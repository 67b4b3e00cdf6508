package verify_test

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/anteroom/anteroom/retention/proof"
	"github.com/anteroom/anteroom/retention/verify"
)

// TestEveryByteCounts changes a byte of a bundle, again and again: each change must be seen.
func TestEveryByteCounts(t *testing.T) {
	changes := 1000
	if os.Getenv("CI") == "true" {
		changes = 10_000
	}
	rows := 1200 // of which a tenth are another organisation's
	w := newWorld(t, rows)
	b := w.report(proof.WholeProofs, 1, 4)
	if len(b.lines) < 1000 {
		t.Fatalf("the bundle has %d rows", len(b.lines))
	}
	dir := b.folder(t.TempDir())
	wantOK(t, dir, verify.Options{Key: w.key})
	total := 0
	names := slices.Sorted(maps.Keys(b.files))
	for _, name := range names {
		total += len(b.files[name])
	}
	random := rand.New(rand.NewPCG(5, 7))
	found := map[verify.Kind]int{}
	began := time.Now()
	for i := range changes {
		// Half of the changes anywhere, half in the small files, each of which has to be met.
		name := names[random.IntN(len(names))]
		at := random.IntN(len(b.files[name]))
		if i%2 == 0 {
			for at, name = random.IntN(total), names[0]; at >= len(b.files[name]); {
				at -= len(b.files[name])
				name = names[slices.Index(names, name)+1]
			}
		}
		content := slices.Clone(b.files[name])
		content[at] ^= byte(1 + random.IntN(255))
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		// What comes after the sums tells more of what is wrong, and costs ten times as much.
		result := check(t, dir, verify.Options{Key: w.key, StopEarly: i%50 != 0})
		if result.OK || len(result.Findings) == 0 {
			t.Errorf("byte %d of %s: %q instead of %q was not seen", at, name, content[at], b.files[name][at])
		} else {
			found[result.Findings[0].Kind]++
		}
		if err := os.WriteFile(path, b.files[name], 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d changes of %d rows were seen in %v: %v", changes, len(b.lines), time.Since(began).Round(time.Millisecond), found)
	wantOK(t, dir, verify.Options{Key: w.key})
}

// TestZippedBytesCount changes bytes of a zip: what is in the files is either the same, or the change is seen.
func TestZippedBytesCount(t *testing.T) {
	w := newWorld(t, 100)
	b := w.report(proof.WholeProofs, 1, 0)
	path := b.zip(filepath.Join(t.TempDir(), "report.zip"))
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(5, 7))
	seen := 0
	for range 500 {
		spoilt := slices.Clone(content)
		at := random.IntN(len(spoilt))
		spoilt[at] ^= byte(1 + random.IntN(255))
		if err := os.WriteFile(path, spoilt, 0o600); err != nil {
			t.Fatal(err)
		}
		if result := check(t, path, verify.Options{Key: w.key}); !result.OK {
			seen++
		} else if !sameFiles(path, b.files) {
			t.Errorf("byte %d was not seen", at)
		}
	}
	if seen < 450 {
		t.Errorf("%d of 500 changes were seen", seen)
	}
}

// TestCheatsAreSeen: the operator has the key and signs what it likes, but the log is as it is.
func TestCheatsAreSeen(t *testing.T) {
	w := newWorld(t, 200)
	purged := func(b *bundle, n int) *proof.Line {
		return b.nth(n, func(l *proof.Line) bool { return l.Deleted != nil })
	}
	for name, c := range map[string]struct {
		mode  proof.ProofMode
		spoil func(*bundle)
		want  verify.Kind
		where string
	}{
		"a deletion is moved earlier": {proof.WholeProofs, func(b *bundle) {
			l := purged(b, 3)
			l.Row.Purged = ptr(proof.Time(time.Time(*l.Row.Purged).Add(-time.Minute)))
		}, verify.Deletion, proof.RowsFile},
		"a row says purged that isn't": {proof.WholeProofs, func(b *bundle) {
			l := b.nth(0, func(l *proof.Line) bool { return l.Deleted == nil })
			from := purged(b, 0)
			l.Row.State, l.Row.Purged, l.Row.Nonce, l.Deleted, l.Index = proof.Purged, from.Row.Purged, from.Row.Nonce, from.Deleted, from.Index
		}, verify.Deletion, proof.RowsFile},
		"a row says purged and names no batch": {proof.WholeProofs, func(b *bundle) {
			b.nth(0, func(l *proof.Line) bool { return l.Deleted == nil }).Row.State = proof.Purged
		}, verify.Lines, proof.RowsFile},
		"a proof is moved to another row": {proof.WholeProofs, func(b *bundle) {
			x, y := purged(b, 0), b.nth(0, func(l *proof.Line) bool { return l.Deleted != nil && *l.Deleted != *purged(b, 0).Deleted })
			x.Deleted, y.Deleted, x.Index, y.Index = y.Deleted, x.Deleted, y.Index, x.Index
		}, verify.Deletion, proof.RowsFile},
		"nonces are swapped": {proof.WholeProofs, func(b *bundle) {
			x, y := purged(b, 0), purged(b, 1)
			x.Row.Nonce, y.Row.Nonce = y.Row.Nonce, x.Row.Nonce
		}, verify.Deletion, proof.RowsFile},
		"another leaf's index": {proof.WholeProofs, func(b *bundle) { purged(b, 0).Index = ptr(uint64(1)) }, verify.Deletion, proof.RowsFile},
		"a batch that isn't in the log": {proof.WholeProofs, func(b *bundle) {
			purged(b, 0).Deleted = ptr(uuidOf("nowhere"))
		}, verify.Deletion, proof.RowsFile},
		"a row is left out": {proof.WholeProofs, func(b *bundle) { b.lines = slices.Delete(b.lines, 7, 8) }, verify.Completeness, proof.RowsFile},
		"a row is left out and shown as another's": {proof.WholeProofs, func(b *bundle) {
			thing := b.lines[7].Thing()
			hash, _ := thing.Hash()
			b.others = append(b.others, proof.OtherStored{ID: thing.ID, Batch: *b.lines[7].Stored, Hash: &hash})
			b.lines = slices.Delete(b.lines, 7, 8)
			b.sortOthers()
		}, verify.Completeness, proof.OtherStoredFile},
		"a row is left out and shown as not asked for": {proof.WholeProofs, func(b *bundle) {
			thing := b.lines[7].Thing()
			b.others = append(b.others, proof.OtherStored{ID: thing.ID, Batch: *b.lines[7].Stored, Thing: &thing})
			b.lines = slices.Delete(b.lines, 7, 8)
			b.sortOthers()
		}, verify.Completeness, proof.OtherStoredFile},
		"a stored batch is left out": {proof.WholeProofs, func(b *bundle) {
			batch := *b.lines[7].Stored
			b.lines = slices.DeleteFunc(b.lines, func(l *proof.Line) bool { return *l.Stored == batch })
			b.others = slices.DeleteFunc(b.others, func(o proof.OtherStored) bool { return o.Batch == batch })
			b.gone = nil
			for _, l := range b.lines {
				l.Row.State, l.Row.Purged, l.Row.Nonce, l.Row.Lateness, l.Deleted, l.Index = proof.Stored, nil, "", nil, nil, nil
			}
		}, verify.Completeness, proof.LogFile},
		"a stored batch's leaf is left out of the log": {proof.WholeProofs, func(b *bundle) { b.log = slices.Delete(b.log, 0, 1) }, verify.Deletion, proof.LogFile},
		"a thing is backdated out of the window": {proof.WholeProofs, func(b *bundle) {
			thing := b.lines[7].Thing()
			thing.SentAt = proof.Time(from.Add(-time.Hour))
			b.others = append(b.others, proof.OtherStored{ID: thing.ID, Batch: *b.lines[7].Stored, Thing: &thing})
			b.lines = slices.Delete(b.lines, 7, 8)
			b.sortOthers()
		}, verify.Completeness, ""},
		"a row changes its class": {proof.WholeProofs, func(b *bundle) {
			b.nth(0, func(l *proof.Line) bool { return l.Deleted == nil }).Row.Class = proof.Recording
		}, verify.Completeness, proof.RowsFile},
		"a row is there twice":     {proof.WholeProofs, func(b *bundle) { b.lines = slices.Insert(b.lines, 7, b.lines[7]) }, verify.Lines, proof.RowsFile},
		"rows are out of order":    {proof.WholeProofs, func(b *bundle) { b.lines[7], b.lines[8] = b.lines[8], b.lines[7] }, verify.Lines, proof.RowsFile},
		"a row of somebody else's": {proof.WholeProofs, func(b *bundle) { b.lines[7].Row.Organization = "fabrikam" }, verify.Lines, proof.RowsFile},
		"a deletion is denied": {proof.WholeProofs, func(b *bundle) {
			l := purged(b, 0)
			hash, _ := l.Row.Hash()
			b.gone = append(b.gone, proof.OtherDeleted{ID: l.Row.ID, Batch: *l.Deleted, Hash: hash})
			l.Row.State, l.Row.Purged, l.Row.Nonce, l.Row.Lateness, l.Deleted, l.Index = proof.Stored, nil, "", nil, nil, nil
			slices.SortFunc(b.gone, func(x, y proof.OtherDeleted) int { return bytes.Compare([]byte(x.ID+x.Batch), []byte(y.ID+y.Batch)) })
		}, verify.Deletion, proof.OtherDeletedFile},
		"counts are made nicer": {proof.WholeProofs, func(b *bundle) { b.manifest.Counts.Overdue = 0 }, verify.Counts, proof.ManifestFile},
		"a rule is left out":    {proof.WholeProofs, func(b *bundle) { b.manifest.Rules = []proof.AppliedAs{} }, verify.Counts, proof.ManifestFile},
		"the table differs":     {proof.WholeProofs, func(b *bundle) { b.files[proof.CSVFile] = flipped(b.files[proof.CSVFile], 5000) }, verify.CSV, proof.CSVFile},
		"the table is cut":      {proof.WholeProofs, func(b *bundle) { b.files[proof.CSVFile] = b.files[proof.CSVFile][:5000] }, verify.CSV, proof.CSVFile},
		"the table goes on":     {proof.WholeProofs, func(b *bundle) { b.files[proof.CSVFile] = append(b.files[proof.CSVFile], "x\r\n"...) }, verify.CSV, proof.CSVFile},
		"a line is cut":         {proof.WholeProofs, func(b *bundle) { b.files[proof.RowsFile] = b.files[proof.RowsFile][:len(b.files[proof.RowsFile])-1] }, verify.Lines, proof.RowsFile},
		"a space is added":      {proof.WholeProofs, func(b *bundle) { b.files[proof.RowsFile] = append([]byte(" "), b.files[proof.RowsFile]...) }, verify.Lines, proof.RowsFile},
		"another log's state":   {proof.WholeProofs, func(b *bundle) { b.manifest.Log.Root = sum("x") }, verify.Checkpoint, proof.CheckpointFile},
		"an older state":        {proof.WholeProofs, func(b *bundle) { b.files[proof.CheckpointFile] = b.w.checkpoint(9) }, verify.Checkpoint, proof.CheckpointFile},
		"another prefix":        {proof.WholeProofs, func(b *bundle) { b.manifest.Log.Prefix[0] = sum("x") }, verify.Deletion, proof.LogFile},
		"another salt":          {proof.WholeProofs, func(b *bundle) { b.manifest.Query.OrganizationSalt = sum("x") }, verify.Completeness, ""},
		"a window of nothing":   {proof.WholeProofs, func(b *bundle) { b.manifest.Query.From = b.manifest.Query.To }, verify.BadManifest, proof.ManifestFile},
		"a narrower window":     {proof.WholeProofs, func(b *bundle) { b.manifest.Query.From = proof.Time(from.Add(time.Hour * 24)) }, verify.Lines, proof.RowsFile},
		"another inconsistency": {proof.WholeProofs, func(b *bundle) { b.manifest.Log.Consistency.Proof[0] = sum("x") }, verify.Consistency, proof.PreviousCheckpointFile},
		"another earlier state": {proof.WholeProofs, func(b *bundle) { b.files[proof.PreviousCheckpointFile] = b.w.checkpoint(3) }, verify.Consistency, proof.PreviousCheckpointFile},
		"an unknown kind":       {proof.WholeProofs, func(b *bundle) { b.manifest.Kind = "gossip" }, verify.BadManifest, proof.ManifestFile},
		"a later form":          {proof.WholeProofs, func(b *bundle) { b.manifest.Schema = 2 }, verify.BadManifest, proof.ManifestFile},
		"an array that is null": {proof.WholeProofs, func(b *bundle) { b.manifest.Limits = nil }, verify.BadManifest, proof.ManifestFile},
		"proofs for a filter":   {proof.WholeProofs, func(b *bundle) { b.manifest.Query.Meeting = uuidOf("meeting", 1) }, verify.BadManifest, proof.ManifestFile},
		"a file too many":       {proof.WholeProofs, func(b *bundle) { b.files[proof.DigestsFile] = []byte("{}\n") }, verify.BadManifest, proof.ManifestFile},
		"single: moved":         {proof.SingleProofs, func(b *bundle) { b.swapProofs(0, 1) }, verify.Deletion, ""},
		"single: missing":       {proof.SingleProofs, func(b *bundle) { delete(b.files, b.proofName(0)) }, verify.Deletion, proof.RowsFile},
		"single: of no row": {proof.SingleProofs, func(b *bundle) {
			b.files[proof.ProofFolder+"/"+fmt.Sprintf("%064x", 1)+proof.ProofEnding] = b.files[b.proofName(0)]
		}, verify.Lines, proof.ProofFolder},
		"single: other row": {proof.SingleProofs, func(b *bundle) { purged(b, 0).Row.Attempts = 7 }, verify.Deletion, ""},
		"single: older state": {proof.SingleProofs, func(b *bundle) {
			b.files[b.proofName(0)] = bytes.Replace(b.files[b.proofName(0)], b.files[proof.CheckpointFile], b.w.checkpoint(9), 1)
		}, verify.Deletion, ""},
		"single: another leaf": {proof.SingleProofs, func(b *bundle) {
			b.files[b.proofName(0)] = bytes.Replace(b.files[b.proofName(0)], []byte("index "), []byte("index 1"), 1)
		}, verify.Deletion, ""},
		"single: no proof": {proof.SingleProofs, func(b *bundle) { b.files[b.proofName(0)] = []byte("x") }, verify.Deletion, ""},
		"single: not canonical": {proof.SingleProofs, func(b *bundle) {
			b.files[b.proofName(0)] = bytes.Replace(b.files[b.proofName(0)], []byte("index "), []byte("index 0"), 1)
		}, verify.Deletion, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w.t = t
			b := w.report(c.mode, 1, 4)
			counts, files := b.manifest.Counts, maps.Clone(b.files)
			c.spoil(b)
			lines := b.manifest.Counts != counts
			want := b.manifest.Counts
			spoilt := changed(files, b.files)
			b.encode()
			if lines {
				b.manifest.Counts = want
			}
			maps.Copy(b.files, spoilt)
			for name := range files {
				if _, there := spoilt[name]; there && spoilt[name] == nil {
					delete(b.files, name)
				}
			}
			b.seal()
			result := check(t, b.folder(t.TempDir()), verify.Options{Key: w.key})
			i := slices.IndexFunc(result.Findings, func(f verify.Finding) bool { return f.Kind == c.want && (c.where == "" || f.File == c.where) })
			if result.OK || i < 0 {
				t.Errorf("findings are %v, want %s in %s", result.Findings, c.want, c.where)
			}
			if slices.ContainsFunc(result.Findings, func(f verify.Finding) bool { return f.Kind == verify.Signature || f.Kind == verify.Sums }) {
				t.Errorf("the cheat was not sealed: %v", result.Findings)
			}
		})
	}
	w.t = t
}

// changed are the files that aren't what they were; nil: gone.
func changed(before, after map[string][]byte) map[string][]byte {
	out := map[string][]byte{}
	for name, content := range after {
		if !bytes.Equal(before[name], content) {
			out[name] = content
		}
	}
	for name := range before {
		if _, there := after[name]; !there {
			out[name] = nil
		}
	}
	return out
}

func flipped(content []byte, at int) []byte {
	out := slices.Clone(content)
	out[at] ^= 1
	return out
}

// sameFiles tells whether a zip has these files.
func sameFiles(path string, want map[string][]byte) bool {
	z, err := zip.OpenReader(path)
	if err != nil {
		return false
	}
	defer z.Close()
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			return false
		}
		content, err := io.ReadAll(r)
		if err != nil || !bytes.Equal(content, want[f.Name]) {
			return false
		}
	}
	return len(z.File) == len(want)
}

// nth is the n-th line for which something holds.
func (b *bundle) nth(n int, holds func(*proof.Line) bool) *proof.Line {
	b.w.t.Helper()
	for _, l := range b.lines {
		if holds(l) {
			if n--; n < 0 {
				return l
			}
		}
	}
	b.w.t.Fatal("there is no such line; the test tests nothing")
	return nil
}

func (b *bundle) sortOthers() {
	slices.SortFunc(b.others, func(x, y proof.OtherStored) int { return bytes.Compare([]byte(x.ID+x.Batch), []byte(y.ID+y.Batch)) })
}

// proofName is the n-th single proof.
func (b *bundle) proofName(n int) string {
	l := b.nth(n, func(l *proof.Line) bool { return l.Deleted != nil })
	return proof.ProofFolder + "/" + l.Row.ID + proof.ProofEnding
}

func (b *bundle) swapProofs(i, j int) {
	x, y := b.proofName(i), b.proofName(j)
	b.files[x], b.files[y] = b.files[y], b.files[x]
}
