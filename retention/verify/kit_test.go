package verify_test

import (
	"archive/zip"
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	tlog "github.com/transparency-dev/formats/proof"
	merkle "github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/note"

	"github.com/anteroom/anteroom/retention/proof"
	"github.com/anteroom/anteroom/retention/verify"
)

const (
	region  = "emea"
	contoso = "contoso"
)

var (
	from = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	to   = time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	made = time.Date(2026, 12, 2, 0, 0, 0, 0, time.UTC)
	salt = proof.OrganizationSalt([]byte("key"), region, contoso)
)

// world is a region's ledger with all that is in it, as an honest operator has it.
type world struct {
	t      testing.TB
	signer note.Signer
	key    string
	leaves [][]byte
	things []*thing
	// batches are the ids of stored and deleted batches' things, in order.
	stored, deleted map[string][]*thing
	places          map[string]uint64
}

// thing is one that was kept: its row, and the batches it is in.
type thing struct {
	line proof.Line
	// second is another deletion batch that has it as well, "" mostly.
	second string
}

func ptr[T any](v T) *T { return &v }

func sum(parts ...any) [32]byte { return sha256.Sum256(fmt.Append(nil, parts...)) }

func hexOf(b []byte) string { return hex.EncodeToString(b) }

func uuidOf(parts ...any) string {
	s := sum(parts...)
	h := hexOf(s[:16])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// newWorld has n things in the window and some outside of it, in batches: most of contoso alone, the first of each kind with another organisation's.
func newWorld(t testing.TB, n int) *world {
	t.Helper()
	private, public, err := note.GenerateKey(rand.Reader, "anteroom/"+region)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, key: public, stored: map[string][]*thing{}, deleted: map[string][]*thing{}, places: map[string]uint64{}}
	if w.signer, err = note.NewSigner(private); err != nil {
		t.Fatal(err)
	}
	w.append(&proof.Leaf{Schema: 1, Type: proof.LeafPolicy, Region: region, ID: "policy:1", At: proof.Time(from), Organization: w.tag(), Digest: sum("policy")})
	for i := range n + n/5 {
		w.things = append(w.things, newThing(i, n))
	}
	w.batches(proof.LeafStored, 40)
	w.batches(proof.LeafDeleted, 50)
	w.append(&proof.Leaf{Schema: 1, Type: proof.LeafReport, Region: region, ID: "report:1", At: proof.Time(made), Organization: w.tag(), Digest: sum("report")})
	return w
}

func (w *world) tag() string { return proof.OrganizationTag(salt, region, contoso) }

// newThing makes the i-th thing: those from n on were sent before the window.
func newThing(i, n int) *thing {
	id := sum("thing", i)
	sent := from.Add((to.Sub(from) - time.Hour) / time.Duration(n) * time.Duration(i))
	if i >= n {
		sent = from.Add(-time.Duration(i) * time.Minute)
	}
	r := proof.Row{
		Schema: proof.Schema, ID: hexOf(id[:]), Organization: contoso, Meeting: uuidOf("meeting", i%7), Region: region, Class: proof.Copy, State: proof.Stored,
		SentAt: proof.Time(sent.Truncate(time.Microsecond)), Rule: proof.AppliedAs{ID: "default", Reason: "no_policy", Revision: "r1"},
	}
	if i%9 == 0 {
		r.Class = proof.Thread
	}
	if i%10 == 3 {
		r.Organization = "fabrikam"
	}
	r.DueAt = ptr(proof.Time(sent.Add(time.Hour).Truncate(time.Microsecond)))
	l := &thing{line: proof.Line{Row: r}}
	switch {
	case i%3 != 0:
		nonce := sum("nonce", i)
		row := &l.line.Row
		row.State, row.Nonce, row.Why, row.Attempts = proof.Purged, hexOf(nonce[:16]), proof.WhyDue, 1
		row.Hidden, row.Purged, row.Lateness = row.DueAt, ptr(proof.Time(time.Time(*row.DueAt).Add(time.Second))), ptr(int64(1000))
		if i%30 == 1 {
			row.State, row.Lateness = proof.BornExpired, ptr(int64(1_000_000))
		}
	case i%12 == 0:
		l.line.Row.State, l.line.Row.Hidden, l.line.Row.Lateness = proof.Hidden, l.line.Row.DueAt, ptr(int64(5_000_000))
		l.line.Row.Held = i%24 == 0
	case i%15 == 0:
		l.line.Row.Rule, l.line.Row.DueAt = proof.AppliedAs{}, nil
	}
	return l
}

// batches puts all things, or all that are gone, into batches of a size. The first batch mixes organisations, the others don't.
func (w *world) batches(kind proof.LeafType, size int) {
	var mine, foreign []*thing
	for _, x := range w.things {
		switch {
		case kind == proof.LeafDeleted && x.line.Row.Purged == nil:
		case x.line.Row.Organization != contoso:
			foreign = append(foreign, x)
		default:
			mine = append(mine, x)
		}
	}
	first := min(size/2, len(mine))
	half := min(size/2, len(foreign))
	groups := [][]*thing{append(slices.Clone(mine[:first]), foreign[:half]...)}
	for _, group := range [][]*thing{mine[first:], foreign[half:]} {
		groups = append(groups, slices.Collect(slices.Chunk(group, size))...)
	}
	for i, group := range groups {
		if len(group) > 0 {
			w.batch(kind, uuidOf(kind, i), group)
		}
	}
	if kind == proof.LeafDeleted && len(mine) > 60 { // some things were purged twice
		again := slices.Clone(mine[55:58])
		for _, x := range again {
			x.second = uuidOf("again")
		}
		w.batch(kind, uuidOf("again"), again)
	}
}

func byID(a, b *thing) int { return bytes.Compare([]byte(a.line.Row.ID), []byte(b.line.Row.ID)) }

// batch appends a batch's leaf, and notes it with the things that had none.
func (w *world) batch(kind proof.LeafType, id string, group []*thing) {
	w.t.Helper()
	group = slices.SortedFunc(slices.Values(group), byID)
	b := proof.NewBatch(kind, region, id)
	for _, x := range group {
		s := x.line.Thing()
		var err error
		if kind == proof.LeafStored {
			err = b.Stored(&s)
		} else {
			err = b.Deleted(&x.line.Row)
		}
		if err != nil {
			w.t.Fatal(err)
		}
	}
	l, err := b.Leaf(made)
	if err != nil {
		w.t.Fatal(err)
	}
	if l.Organization != "" {
		l.Organization = proof.OrganizationTag(proof.OrganizationSalt([]byte("key"), region, l.Organization), region, l.Organization)
	}
	at := w.append(&l)
	for _, x := range group {
		switch {
		case kind == proof.LeafStored:
			x.line.Stored = &id
		case x.line.Deleted == nil:
			x.line.Deleted, x.line.Index = &id, &at
		}
	}
	if kind == proof.LeafStored {
		w.stored[id] = group
	} else {
		w.deleted[id] = group
	}
	w.places[id] = at
}

func (w *world) append(l *proof.Leaf) uint64 {
	text, err := l.Canonical()
	if err != nil {
		w.t.Fatal(err)
	}
	w.leaves = append(w.leaves, text)
	return uint64(len(w.leaves) - 1)
}

func (w *world) hashes(size int) []proof.Hash {
	out := make([]proof.Hash, size)
	for i := range out {
		out[i] = proof.LeafHash(w.leaves[i])
	}
	return out
}

func (w *world) root(size int) proof.Hash {
	tree, err := proof.NewTree(w.hashes(size))
	if err != nil {
		w.t.Fatal(err)
	}
	return tree.Root()
}

// checkpoint signs the log as it was at a size.
func (w *world) checkpoint(size int) []byte {
	return w.sign(proof.Checkpoint{Origin: w.signer.Name(), Size: uint64(size), Root: w.root(size)}.Text())
}

func (w *world) sign(text string) []byte {
	signed, err := note.Sign(&note.Note{Text: text}, w.signer)
	if err != nil {
		w.t.Fatal(err)
	}
	return signed
}

// consistency makes the proof between two sizes.
func (w *world) consistency(old, size int) []proof.Hash {
	nodes, err := merkle.Consistency(uint64(old), uint64(size))
	if err != nil {
		w.t.Fatal(err)
	}
	var raw [][]byte
	for _, id := range nodes.IDs {
		begin := id.Index << id.Level
		end := min(begin+1<<id.Level, uint64(size))
		tree, err := proof.NewTree(w.hashes(int(end))[begin:])
		if err != nil {
			w.t.Fatal(err)
		}
		root := tree.Root()
		raw = append(raw, root[:])
	}
	if raw, err = nodes.Rehash(raw, rfc6962.DefaultHasher.HashChildren); err != nil {
		w.t.Fatal(err)
	}
	out := make([]proof.Hash, len(raw))
	for i := range raw {
		out[i] = proof.Hash(raw[i])
	}
	return out
}

// bundle is one in memory, so that tests can spoil it.
type bundle struct {
	w        *world
	manifest proof.Manifest
	lines    []*proof.Line
	others   []proof.OtherStored
	gone     []proof.OtherDeleted
	log      [][]byte
	files    map[string][]byte
}

// report makes the bundle of a report of contoso, as REPORT would.
func (w *world) report(mode proof.ProofMode, first, previous int) *bundle {
	b := &bundle{w: w, files: map[string][]byte{}}
	size := len(w.leaves)
	b.manifest = proof.Manifest{
		Format: "anteroom-report", Schema: proof.ManifestSchema, Kind: proof.ReportRetention, ID: uuidOf("report"), Region: region, MadeAt: proof.Time(made),
		MadeBy: "test", RequestedBy: "ada", Watermark: proof.Time(made), Rules: []proof.AppliedAs{{ID: "default", Reason: "no_policy", Revision: "r1"}},
		PurgeWindowMs: 600_000, BrokerRetentionMs: -1, Limits: []string{"It can't show that no other copy exists."}, Proofs: mode, CSV: ptr(proof.NewCSVForm(true)),
		Query: proof.Query{Organization: contoso, OrganizationSalt: salt, From: proof.Time(from), To: proof.Time(to), Classes: []proof.Class{}},
		Log:   proof.LogPart{Origin: w.signer.Name(), Size: uint64(size), Root: w.root(size), First: uint64(first), Prefix: []proof.Hash{}},
	}
	if previous > 0 {
		b.manifest.Log.Consistency = &proof.Consistency{Size: uint64(previous), Root: w.root(previous), Proof: w.consistency(previous, size)}
		b.files[proof.PreviousCheckpointFile] = w.checkpoint(previous)
	}
	if mode == proof.SingleProofs {
		b.manifest.Query.Meeting = uuidOf("meeting", 1)
		b.manifest.Log.First = uint64(size)
	} else {
		prefix := proof.NewAccumulator()
		for _, hash := range w.hashes(first) {
			if err := prefix.Add(hash); err != nil {
				w.t.Fatal(err)
			}
		}
		b.manifest.Log.Prefix = prefix.Hashes()
		b.log = slices.Clone(w.leaves[first:])
	}
	b.choose()
	b.files[proof.CheckpointFile] = w.checkpoint(size)
	b.encode()
	return b
}

// asked tells whether a thing is what was asked for.
func (b *bundle) asked(x *thing) bool {
	sent := time.Time(x.line.Row.SentAt)
	q := b.manifest.Query
	return x.line.Row.Organization == contoso && !sent.Before(from) && sent.Before(to) && (q.Meeting == "" || q.Meeting == x.line.Row.Meeting)
}

// choose picks rows, and what else their batches have.
func (b *bundle) choose() {
	stored, deleted := map[string]bool{}, map[string]bool{}
	for _, x := range slices.SortedFunc(slices.Values(b.w.things), byID) {
		if !b.asked(x) {
			continue
		}
		line := x.line
		b.lines = append(b.lines, &line)
		stored[*line.Stored] = true
		if line.Deleted != nil {
			deleted[*line.Deleted] = true
		}
	}
	if b.manifest.Proofs != proof.WholeProofs {
		return
	}
	for _, id := range slices.Sorted(maps.Keys(b.w.stored)) {
		leaf, err := proof.ParseLeaf(b.w.leaves[b.w.places[id]])
		if err != nil {
			b.w.t.Fatal(err)
		}
		if !stored[id] && (leaf.Organization != b.w.tag() || time.Time(*leaf.LastSent).Before(from)) {
			continue
		}
		for _, x := range b.w.stored[id] {
			if b.asked(x) {
				continue
			}
			s := x.line.Thing()
			o := proof.OtherStored{ID: s.ID, Batch: id, Thing: &s}
			if s.Organization != contoso {
				hash, err := s.Hash()
				if err != nil {
					b.w.t.Fatal(err)
				}
				o.Thing, o.Hash = nil, &hash
			}
			b.others = append(b.others, o)
		}
	}
	for id := range b.w.deleted {
		if !deleted[id] && id != uuidOf("again") {
			continue
		}
		for _, x := range b.w.deleted[id] {
			if b.asked(x) && *x.line.Deleted == id {
				continue
			}
			hash, err := x.line.Row.Hash()
			if err != nil {
				b.w.t.Fatal(err)
			}
			b.gone = append(b.gone, proof.OtherDeleted{ID: x.line.Row.ID, Batch: id, Hash: hash})
		}
	}
	slices.SortFunc(b.others, func(x, y proof.OtherStored) int { return bytes.Compare([]byte(x.ID+x.Batch), []byte(y.ID+y.Batch)) })
	slices.SortFunc(b.gone, func(x, y proof.OtherDeleted) int { return bytes.Compare([]byte(x.ID+x.Batch), []byte(y.ID+y.Batch)) })
}

// encode writes the files of what is in the bundle, and counts it.
func (b *bundle) encode() {
	t := b.w.t
	var rows, others, gone, table bytes.Buffer
	b.manifest.Counts = proof.Counts{}
	csv := proof.NewCSVWriter(&table, *b.manifest.CSV)
	if err := csv.Begin(); err != nil {
		t.Fatal(err)
	}
	for _, l := range b.lines {
		text, err := l.Canonical()
		if err != nil {
			t.Fatal(err)
		}
		rows.Write(append(text, '\n'))
		_ = b.manifest.Counts.Add(l, time.Duration(b.manifest.PurgeWindowMs)*time.Millisecond)
		if err := csv.Write(l); err != nil {
			t.Fatal(err)
		}
	}
	if err := csv.Flush(); err != nil {
		t.Fatal(err)
	}
	for i := range b.others {
		text, err := b.others[i].Canonical()
		if err != nil {
			t.Fatal(err)
		}
		others.Write(append(text, '\n'))
	}
	for i := range b.gone {
		text, err := b.gone[i].Canonical()
		if err != nil {
			t.Fatal(err)
		}
		gone.Write(append(text, '\n'))
	}
	b.files[proof.RowsFile], b.files[proof.CSVFile] = rows.Bytes(), table.Bytes()
	if b.manifest.Proofs == proof.WholeProofs {
		b.files[proof.OtherStoredFile], b.files[proof.OtherDeletedFile] = others.Bytes(), gone.Bytes()
		b.files[proof.LogFile] = append(bytes.Join(b.log, []byte("\n")), '\n')
	} else {
		b.single()
	}
	b.seal()
}

// single makes the single proofs.
func (b *bundle) single() {
	t := b.w.t
	size := len(b.w.leaves)
	log, err := proof.NewTree(b.w.hashes(size))
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range b.lines {
		if l.Deleted == nil {
			continue
		}
		var hashes []proof.Hash
		position := uint64(0)
		for i, x := range b.w.deleted[*l.Deleted] {
			hash, err := x.line.Row.Hash()
			if err != nil {
				t.Fatal(err)
			}
			if hashes = append(hashes, hash); x.line.Row.ID == l.Row.ID {
				position = uint64(i)
			}
		}
		tree, err := proof.NewTree(hashes)
		if err != nil {
			t.Fatal(err)
		}
		inner := proof.RowProof{Leaf: string(b.w.leaves[*l.Index]), Position: position}
		if inner.Path, err = tree.Path(position); err != nil {
			t.Fatal(err)
		}
		extra, err := inner.Canonical()
		if err != nil {
			t.Fatal(err)
		}
		path, err := log.Path(*l.Index)
		if err != nil {
			t.Fatal(err)
		}
		outer := tlog.TLogProof{Index: *l.Index, Checkpoint: b.files[proof.CheckpointFile], ExtraData: extra}
		for _, h := range path {
			outer.Hashes = append(outer.Hashes, h)
		}
		b.files[proof.ProofFolder+"/"+l.Row.ID+proof.ProofEnding] = outer.Marshal()
	}
}

// seal makes manifest, signature and sums of the files as they are: what an operator who cheats would do too.
func (b *bundle) seal() {
	delete(b.files, proof.ManifestFile)
	delete(b.files, proof.ManifestSignatureFile)
	delete(b.files, proof.SumsFile)
	b.manifest.Files = []proof.File{}
	for _, name := range slices.Sorted(maps.Keys(b.files)) {
		b.manifest.Files = append(b.manifest.Files, fileOf(name, b.files[name]))
	}
	text, err := b.manifest.Canonical()
	if err != nil {
		b.w.t.Fatal(err)
	}
	b.files[proof.ManifestFile] = text
	b.files[proof.ManifestSignatureFile] = b.w.sign(proof.ManifestNote(b.w.signer.Name(), text))
	var all []proof.File
	for _, name := range slices.Sorted(maps.Keys(b.files)) {
		all = append(all, fileOf(name, b.files[name]))
	}
	b.files[proof.SumsFile] = proof.Sums(all)
}

func fileOf(name string, content []byte) proof.File {
	return proof.File{Name: name, Size: int64(len(content)), SHA256: sha256.Sum256(content)}
}

// folder writes the bundle.
func (b *bundle) folder(dir string) string {
	for name, content := range b.files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			b.w.t.Fatal(err)
		}
		if err := os.WriteFile(path, content, 0o600); err != nil {
			b.w.t.Fatal(err)
		}
	}
	return dir
}

// zip writes the bundle as one file.
func (b *bundle) zip(path string) string {
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	for _, name := range slices.Sorted(maps.Keys(b.files)) {
		f, err := z.Create(name)
		if err == nil {
			_, err = f.Write(b.files[name])
		}
		if err != nil {
			b.w.t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		b.w.t.Fatal(err)
	}
	if err := os.WriteFile(path, out.Bytes(), 0o600); err != nil {
		b.w.t.Fatal(err)
	}
	return path
}

func check(t testing.TB, path string, opt verify.Options) verify.Result {
	t.Helper()
	result, err := verify.Bundle(t.Context(), path, opt)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// wantOK checks that all of a bundle holds.
func wantOK(t testing.TB, path string, opt verify.Options) verify.Result {
	t.Helper()
	result := check(t, path, opt)
	for _, f := range result.Findings[:min(5, len(result.Findings))] {
		t.Errorf("finding: %s", f)
	}
	if !result.OK || result.ExitCode() != 0 {
		t.Errorf("it doesn't hold: %d findings, exit code %d", len(result.Findings), result.ExitCode())
	}
	return result
}
