package report

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/parquet-go/parquet-go"

	"github.com/anteroom/anteroom/retention/proof"
	"github.com/anteroom/anteroom/retention/verify"
	"github.com/anteroom/anteroom/store"
)

// formula is a rule whose name a spreadsheet would run, and that reads from the right in part.
const formula = "=HYPERLINK(\"http://x\"),\u05d0\u05d1,\nnext"

// at is when the nth thing of these tests was sent.
func at(n int) time.Time {
	return day().Add(time.Duration(n) * (time.Minute + time.Microsecond))
}

// furnish makes a region in which every state is, beside another organisation's things in the same batches.
func (w *world) furnish() {
	w.t.Helper()
	own := make([]thing, 10)
	for i := range own {
		own[i] = copyOf("contoso", i, at(i))
		own[i].meeting = numbered(1, i)
	}
	var others []thing
	for i := range 5 {
		others = append(others, copyOf("fabrikam", 100+i, at(i)))
	}
	before := copyOf("contoso", 50, at(0).Add(-48*time.Hour))
	message := own[4]
	message.class, message.holder, message.resource, message.sent = "thread", uuid.Nil, uuid.Nil, at(4)

	w.tell(append(append(slices.Clone(own[:7]), others...), before, own[8], own[9], message)...)
	w.tell(own[8], others[0]) // again, after a replay
	w.tell(others[1:]...)     // another organisation's own batch
	w.bury(true, "policy-1", time.Minute, own[0], own[1], others[0], before)
	w.bury(true, formula, time.Hour, own[9])
	w.bury(false, "policy-1", time.Minute, own[2])
	w.bury(true, "policy-1", time.Minute, others[1])
	// 3 is nowhere any more: unknown.
	w.keep(own[4], own[5], own[6], own[7], own[8], others[2], message)
	w.keep(own[9]) // its row is on its way out
	w.decide(own[4], 90*24*time.Hour, false, "policy-2")
	w.decide(own[5], 24*time.Hour, false, "policy-1")
	w.decide(own[6], 24*time.Hour, true, "policy-1")
	w.published()
}

// bundle is a report that was made, unpacked.
type bundle struct {
	t     *testing.T
	path  string
	files map[string][]byte
	proof.Manifest
}

// make has a report made and reads its bundle.
func (w *world) make(r Request) *bundle {
	w.t.Helper()
	return w.read(w.awaitState(w.ask(r).ID, Done))
}

func (w *world) read(job Job) *bundle {
	w.t.Helper()
	_, content, err := w.Open(w.t.Context(), "contoso", job.ID, "emea."+bundleFile, "ada", false)
	if err != nil {
		w.t.Fatal(err)
	}
	defer content.Close()
	raw, err := io.ReadAll(content)
	if err != nil {
		w.t.Fatal(err)
	}
	archive, err := zip.NewReader(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		w.t.Fatal(err)
	}
	b := &bundle{t: w.t, files: make(map[string][]byte), path: w.dir + "/" + job.ID + "/" + job.Parts["emea"].Folder + "/" + bundleFile}
	for _, f := range archive.File {
		in, err := f.Open()
		if err != nil {
			w.t.Fatal(err)
		}
		if b.files[f.Name], err = io.ReadAll(in); err != nil {
			w.t.Fatal(err)
		}
		_ = in.Close()
	}
	if b.Manifest, err = proof.ParseManifest(b.files[proof.ManifestFile]); err != nil {
		w.t.Fatal(err)
	}
	for _, f := range b.Files {
		if sum := sha256.Sum256(b.files[f.Name]); proof.Hash(sum) != f.SHA256 || int64(len(b.files[f.Name])) != f.Size {
			w.t.Errorf("%s isn't what the manifest says", f.Name)
		}
	}
	return b
}

func (b *bundle) lines(name string) []string {
	text := strings.TrimSuffix(string(b.files[name]), "\n")
	if text == "" {
		return nil
	}
	return strings.Split(text, "\n")
}

// rows are the lines by message number.
func (b *bundle) rows(w *world, org string) map[int]proof.Line {
	b.t.Helper()
	numbers := map[string]int{}
	for i := range 12 {
		id := w.id(func() thing { t := copyOf(org, i, at(i)); return t }())
		numbers[hex.EncodeToString(id[:])] = i
	}
	out := map[int]proof.Line{}
	for i, text := range b.lines(proof.RowsFile) {
		l, err := proof.ParseLine([]byte(text))
		if err != nil {
			b.t.Fatal(err)
		}
		n, known := numbers[l.Row.ID]
		if !known {
			n = 1000 + i
		}
		out[n] = l
	}
	return out
}

func TestBundleOfEveryState(t *testing.T) {
	w := newWorld(t)
	w.furnish()
	w.makes()
	r := asked()
	r.Formats, r.Classes, r.BOM = Formats(), []Class{proof.Copy}, true
	b := w.make(r)
	want := proof.Counts{
		Rows: 10, Stored: 3, Due: 2, Hidden: 1, Purged: 3, Unknown: 1, Held: 1, Overdue: 2, Late: 1, Deleted: 3, Unlogged: 1,
	}
	rows := b.rows(w, "contoso")
	states := map[int]proof.State{}
	for n, l := range rows {
		states[n] = l.Row.State
	}
	if diff := cmp.Diff(map[int]proof.State{
		0: proof.Purged, 1: proof.Purged, 2: proof.Hidden, 3: proof.Unknown, 4: proof.Stored, 5: proof.Due, 6: proof.Due, 7: proof.Stored, 8: proof.Stored,
		9: proof.Purged,
	}, states); diff != "" {
		t.Errorf("states (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want, b.Counts); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
	if l := rows[2]; l.Row.Purged != nil || l.Row.Nonce != "" || l.Deleted != nil || l.Row.Lateness == nil || *l.Row.Lateness < (24*time.Hour).Milliseconds() {
		t.Errorf("what isn't proven to be gone: %+v", l.Row)
	}
	if l := rows[7]; l.Stored != nil {
		t.Errorf("what the log doesn't know: %+v", l)
	}
	if l := rows[6]; !l.Row.Held || l.Row.Lateness != nil {
		t.Errorf("what is held: %+v", l.Row)
	}
	if !time.Time(b.Watermark).Equal(w.clock.Now()) || b.Partial != "" || b.BrokerRetentionMs != (7*24*time.Hour).Milliseconds() || b.Backup == "" {
		t.Errorf("manifest: %+v", b.Manifest)
	}
	var rules []string
	for _, r := range b.Rules {
		rules = append(rules, r.ID)
	}
	if diff := cmp.Diff([]string{formula, "policy-1", "policy-2"}, rules); diff != "" {
		t.Errorf("rules: %s", diff)
	}
	for name, content := range b.files {
		if name != proof.LogFile && bytes.Contains(content, []byte("fabrikam")) {
			t.Errorf("%s names another organisation", name)
		}
	}
	if bytes.Contains(b.files[proof.LogFile], []byte("fabrikam")) || bytes.Contains(b.files[proof.LogFile], []byte("contoso")) {
		t.Error("the log names organisations")
	}
	b.checkCSV(r)
	b.checkParquet()
	w.verify(b)
}

// checkCSV holds the CSV against the rows, as a spreadsheet reads it.
func (b *bundle) checkCSV(r Request) {
	b.t.Helper()
	text, marked := bytes.CutPrefix(b.files[proof.CSVFile], []byte(byteOrderMark))
	if marked != r.BOM || b.CSV == nil || b.CSV.BOM != r.BOM {
		b.t.Errorf("byte order mark: %v, said %+v", marked, b.CSV)
	}
	records, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	if err != nil {
		b.t.Fatal(err)
	}
	if len(records) != 1+int(b.Counts.Rows) {
		b.t.Errorf("%d records of %d rows", len(records), b.Counts.Rows)
	}
	found := false
	for _, record := range records {
		for _, cell := range record {
			if cell != "" && strings.ContainsAny(cell[:1], "=+-@\t\r") {
				b.t.Errorf("the cell %q is a formula", cell)
			}
			found = found || cell == "'"+formula
		}
	}
	if !found {
		b.t.Error("the rule's name isn't in the CSV")
	}
}

func (b *bundle) checkParquet() {
	b.t.Helper()
	rows, err := parquet.Read[parquetRow](bytes.NewReader(b.files[proof.ParquetFile]), int64(len(b.files[proof.ParquetFile])))
	if err != nil {
		b.t.Fatal(err)
	}
	var got, want []string
	for _, r := range rows {
		got = append(got, r.ID+r.State+r.SentAt.UTC().Format(time.RFC3339Nano)+r.RuleID)
	}
	for _, text := range b.lines(proof.RowsFile) {
		l, err := proof.ParseLine([]byte(text))
		if err != nil {
			b.t.Fatal(err)
		}
		want = append(want, l.Row.ID+string(l.Row.State)+time.Time(l.Row.SentAt).Format(time.RFC3339Nano)+l.Row.Rule.ID)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		b.t.Errorf("Parquet (-want +got):\n%s", diff)
	}
}

// verify does what an auditor would do, who has the key and the bundle.
func (w *world) verify(b *bundle) {
	w.t.Helper()
	result, err := verify.Bundle(w.t.Context(), b.path, verify.Options{Key: w.ledger.VerifierKey()})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, f := range result.Findings {
		w.t.Errorf("%s", f)
	}
	if result.Complete != (b.Proofs == proof.WholeProofs) || result.Deleted < b.Counts.Deleted {
		w.t.Errorf("verified as %+v", result)
	}
}

func TestReportsFollowEachOther(t *testing.T) {
	w := newWorld(t)
	w.furnish()
	w.makes()
	first := w.make(asked())
	if first.Log.Consistency != nil {
		t.Errorf("the first report follows %+v", first.Log.Consistency)
	}
	if first.BackupExpiry != nil {
		t.Errorf("backups: %s, %v", first.Backup, first.BackupExpiry)
	}
	expires := w.clock.Now().Add(30 * 24 * time.Hour)
	if err := w.store.PutBackup(t.Context(), store.Backup{Name: "b", StartedAt: w.clock.Now(), ExpiresAt: expires, Step: store.BackupDone, Manifest: "{}"}); err != nil {
		t.Fatal(err)
	}
	w.published() // the first report's leaf among others
	w.clock.forward(time.Minute)
	second := w.make(asked())
	if second.BackupExpiry == nil || !time.Time(*second.BackupExpiry).Equal(expires) {
		t.Errorf("backups: %s, %v", second.Backup, second.BackupExpiry)
	}
	if c := second.Log.Consistency; c == nil || c.Size != first.Log.Size || c.Root != first.Log.Root || second.Log.Size <= first.Log.Size {
		t.Errorf("the second follows %+v, the first was at %d", c, first.Log.Size)
	}
	if !bytes.Equal(second.files[proof.PreviousCheckpointFile], first.files[proof.CheckpointFile]) {
		t.Error("the earlier checkpoint isn't in the bundle")
	}
	digest := sha256.Sum256(first.files[proof.ManifestFile])
	if !strings.Contains(string(second.files[proof.LogFile]), hex.EncodeToString(digest[:])) {
		t.Error("the log doesn't tell of the first report")
	}
	w.verify(first)
	w.verify(second)
}

func TestBundleOfOneMeeting(t *testing.T) {
	w := newWorld(t)
	w.furnish()
	w.makes()
	r := asked()
	r.Meeting = numbered(1, 0).String()
	b := w.make(r)
	if b.Proofs != proof.SingleProofs || b.Counts.Rows != 1 || b.Counts.Deleted != 1 {
		t.Errorf("%s: %+v", b.Proofs, b.Counts)
	}
	id := b.rows(w, "contoso")[0].Row.ID
	if len(b.files[proof.ProofFolder+"/"+id+proof.ProofEnding]) == 0 {
		t.Errorf("no proof of %s", id)
	}
	w.verify(b)
}

func TestBundleOfNothing(t *testing.T) {
	w := newWorld(t)
	w.furnish()
	w.makes()
	r := asked()
	r.From, r.To = at(0).Add(-72*365*time.Hour), at(0).Add(-72*364*time.Hour)
	b := w.make(r)
	if b.Counts.Rows != 0 || len(b.lines(proof.RowsFile)) != 0 {
		t.Errorf("%+v", b.Counts)
	}
	w.verify(b)
}
