package verify_test

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"fmt"
	"hash"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/anteroom/anteroom/retention/proof"
	"github.com/anteroom/anteroom/retention/verify"
)

// TestLargeBundle verifies a bundle of many rows, all gone, in batches of a thousand, and looks what that takes. ANTEROOM_TEST_ROWS says how many.
func TestLargeBundle(t *testing.T) {
	rows, err := strconv.Atoi(os.Getenv("ANTEROOM_TEST_ROWS"))
	if err != nil {
		rows = 20_000
	}
	w := newWorld(t, 0)
	dir := t.TempDir()
	files := w.large(dir, rows)
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	began := time.Now()
	result := wantOK(t, dir, verify.Options{Key: w.key})
	took := time.Since(began)
	runtime.ReadMemStats(&after)
	t.Logf("%d rows of %d MB: %v, %d MB of heap", rows, files[proof.RowsFile].Size>>20, took.Round(time.Millisecond), after.HeapSys>>20)
	if result.Rows != uint64(rows) || result.Deleted != uint64(rows) || !result.Complete {
		t.Errorf("result is %+v", result)
	}
	// However many rows there are, it is the batches that are remembered.
	if grown := int64(after.HeapSys) - int64(before.HeapSys); grown > 256<<20 {
		t.Errorf("the heap grew by %d MB", grown>>20)
	}

	random := rand.New(rand.NewPCG(5, 7))
	names := slices.Sorted(maps.Keys(files))
	for range 20 {
		name := names[random.IntN(len(names))]
		if files[name].Size == 0 {
			continue
		}
		at := random.Int64N(files[name].Size)
		path := filepath.Join(dir, name)
		flipAt(t, path, at)
		if result := check(t, dir, verify.Options{Key: w.key, StopEarly: true}); result.OK {
			t.Errorf("byte %d of %s was not seen", at, name)
		}
		flipAt(t, path, at)
	}
	wantOK(t, dir, verify.Options{Key: w.key, StopEarly: true})
}

func flipAt(t *testing.T, path string, at int64) {
	t.Helper()
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	do(t, err)
	defer file.Close()
	b := make([]byte, 1)
	_, err = file.ReadAt(b, at)
	do(t, err)
	b[0] ^= 4
	_, err = file.WriteAt(b, at)
	do(t, err)
}

// sink writes a file and sums it up.
type sink struct {
	file *os.File
	out  *bufio.Writer
	sum  hash.Hash
	size int64
}

func newSink(t testing.TB, path string) *sink {
	t.Helper()
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	s := &sink{file: file, sum: sha256.New()}
	s.out = bufio.NewWriterSize(io.MultiWriter(file, s.sum), 1<<20)
	return s
}

func (s *sink) Write(p []byte) (int, error) {
	s.size += int64(len(p))
	return s.out.Write(p)
}

func (s *sink) close(t testing.TB, name string) proof.File {
	t.Helper()
	if err := s.out.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := s.file.Close(); err != nil {
		t.Fatal(err)
	}
	return proof.File{Name: name, Size: s.size, SHA256: proof.Hash(s.sum.Sum(nil))}
}

// large writes a bundle row by row.
func (w *world) large(dir string, rows int) map[string]proof.File {
	const size = 1000
	w.leaves = nil
	b := &bundle{w: w, files: map[string][]byte{}}
	lines, table := newSink(w.t, filepath.Join(dir, proof.RowsFile)), newSink(w.t, filepath.Join(dir, proof.CSVFile))
	csv := proof.NewCSVWriter(table, proof.NewCSVForm(false))
	if err := csv.Begin(); err != nil {
		w.t.Fatal(err)
	}
	counts := proof.Counts{}
	for begin := 0; begin < rows; begin += size {
		group := make([]*thing, 0, size)
		for i := begin; i < min(begin+size, rows); i++ {
			group = append(group, largeThing(i))
		}
		w.batch(proof.LeafStored, uuidOf("stored", begin), group)
		w.batch(proof.LeafDeleted, uuidOf("deleted", begin), group)
		for _, x := range group {
			text, err := x.line.Canonical()
			if err == nil {
				_, err = lines.Write(append(text, '\n'))
			}
			if err == nil {
				err = csv.Write(&x.line)
			}
			if err == nil {
				err = counts.Add(&x.line, 10*time.Minute)
			}
			if err != nil {
				w.t.Fatal(err)
			}
		}
		clear(w.stored)
		clear(w.deleted)
	}
	if err := csv.Flush(); err != nil {
		w.t.Fatal(err)
	}
	files := map[string]proof.File{proof.RowsFile: lines.close(w.t, proof.RowsFile), proof.CSVFile: table.close(w.t, proof.CSVFile)}
	n := len(w.leaves)
	b.manifest = proof.Manifest{
		Format: "anteroom-report", Schema: proof.ManifestSchema, Kind: proof.ReportRetention, ID: uuidOf("report"), Region: region, MadeAt: proof.Time(made),
		Watermark: proof.Time(made), Rules: []proof.AppliedAs{{ID: "default", Reason: "no_policy", Revision: "r1"}}, PurgeWindowMs: 600_000, Counts: counts,
		Limits: []string{}, Proofs: proof.WholeProofs, CSV: ptr(proof.NewCSVForm(false)),
		Query: proof.Query{Organization: contoso, OrganizationSalt: salt, From: proof.Time(from), To: proof.Time(to), Classes: []proof.Class{}},
		Log:   proof.LogPart{Origin: w.signer.Name(), Size: uint64(n), Root: w.root(n), Prefix: []proof.Hash{}},
	}
	for name, content := range map[string][]byte{
		proof.LogFile: append(bytes.Join(w.leaves, []byte("\n")), '\n'), proof.CheckpointFile: w.checkpoint(n), proof.OtherStoredFile: nil, proof.OtherDeletedFile: nil,
	} {
		b.files[name] = content
		files[name] = fileOf(name, content)
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		b.manifest.Files = append(b.manifest.Files, files[name])
	}
	text, err := b.manifest.Canonical()
	if err != nil {
		w.t.Fatal(err)
	}
	b.files[proof.ManifestFile] = text
	b.files[proof.ManifestSignatureFile] = w.sign(proof.ManifestNote(w.signer.Name(), text))
	for _, name := range []string{proof.ManifestFile, proof.ManifestSignatureFile} {
		files[name] = fileOf(name, b.files[name])
	}
	var all []proof.File
	for _, name := range slices.Sorted(maps.Keys(files)) {
		all = append(all, files[name])
	}
	b.files[proof.SumsFile] = proof.Sums(all)
	b.folder(dir)
	return files
}

// largeThing has an id that grows with its number.
func largeThing(i int) *thing {
	x := newThing(3*i+1, 1<<32)
	tail := sum("id", i)
	r := &x.line.Row
	r.ID, r.Organization, r.Class = fmt.Sprintf("%016x", i)+hexOf(tail[:24]), contoso, proof.Copy
	return x
}
