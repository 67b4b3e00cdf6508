package proof

import (
	"encoding/json"
	"fmt"
	"time"
)

// Files of a report's bundle. docs/report-format.md says what is in them.
const (
	ManifestFile           = "manifest.json"
	ManifestSignatureFile  = "manifest.json.sig"
	SumsFile               = "SHA256SUMS"
	CheckpointFile         = "checkpoint"
	PreviousCheckpointFile = "checkpoint.previous"
	LogFile                = "log.jsonl"
	RowsFile               = "rows.jsonl"
	OtherStoredFile        = "other-stored.jsonl"
	OtherDeletedFile       = "other-deleted.jsonl"
	CSVFile                = "rows.csv"
	ParquetFile            = "rows.parquet"
	SummaryFile            = "summary.pdf"
	ReadmeFile             = "README.txt"
	// DigestsFile has what the leaves of a report of kind changes have the digests of, and other kinds' lines.
	DigestsFile = "digests.jsonl"
	// DigestsCSVFile and DigestsParquetFile are derived from it; what their columns are depends on the kind.
	DigestsCSVFile     = "digests.csv"
	DigestsParquetFile = "digests.parquet"
	// ProofFolder has one C2SP tlog-proof for each deleted row of a filtered report, named by its copy_id and ProofEnding.
	ProofFolder = "proofs"
	ProofEnding = ".tlog-proof"
)

// MaxLine is the longest line of a JSON Lines file, in bytes without its end. Rows are far shorter; a change of a policy has the policy twice, with all users
// and groups that it names, and of these a policy may have half a megabyte.
const MaxLine = 8 << 20

// Line is a line of RowsFile. Lines are in order of the row's id, each id once.
type Line struct {
	Row Row `json:"row"`
	// Stored is the UUID of the batch by which the ledger knows that the thing was stored; null: its batch wasn't published yet.
	Stored *string `json:"stored_batch"`
	// Deleted is the UUID of the batch that the row proves to be gone with, and Index where that batch's leaf is in the log. Null exactly while
	// purged_at is.
	Deleted *string `json:"deleted_batch"`
	Index   *uint64 `json:"log_index"`
}

// Canonical is the one form of a line, without its end.
func (l *Line) Canonical() ([]byte, error) { return canonical("line", l) }

// ParseLine reads a canonical line, like ParseRow.
func ParseLine(text []byte) (Line, error) { return parse[Line]("line", text) }

// Thing is what the row's stored batch commits to.
func (l *Line) Thing() StoredThing {
	return StoredThing{Schema: Schema, ID: l.Row.ID, Organization: l.Row.Organization, Region: l.Row.Region, Class: l.Row.Class, SentAt: l.Row.SentAt}
}

// OtherStored is a line of OtherStoredFile: a thing of a batch that the report needs whole, which isn't in the report's rows by that batch. Lines are in
// order of id and batch. A thing of the report's organisation is shown (Thing), so that anybody sees that the report needn't have it; of a thing of
// another organisation only the hash.
type OtherStored struct {
	ID    string       `json:"copy_id"`
	Batch string       `json:"batch"`
	Thing *StoredThing `json:"thing"`
	Hash  *Hash        `json:"hash"`
}

// Canonical is the one form of a line, without its end.
func (o *OtherStored) Canonical() ([]byte, error) { return canonical("line", o) }

// ParseOtherStored reads a canonical line, like ParseRow.
func ParseOtherStored(text []byte) (OtherStored, error) {
	return parse[OtherStored]("line", text)
}

// OtherDeleted is a line of OtherDeletedFile: a row of a deletion batch that isn't in the report's rows by that batch. Lines are in order of id and
// batch.
type OtherDeleted struct {
	ID    string `json:"copy_id"`
	Batch string `json:"batch"`
	// Hash is Row.Hash.
	Hash Hash `json:"hash"`
}

// Canonical is the one form of a line, without its end.
func (o *OtherDeleted) Canonical() ([]byte, error) { return canonical("line", o) }

// ParseOtherDeleted reads a canonical line, like ParseRow.
func ParseOtherDeleted(text []byte) (OtherDeleted, error) {
	return parse[OtherDeleted]("line", text)
}

// RowProof leads from a row to the leaf of its deletion batch. It is the extra data of the row's tlog-proof, as canonical JSON.
type RowProof struct {
	// Leaf is the canonical leaf, whose inclusion in the log the tlog-proof shows.
	Leaf string `json:"leaf"`
	// Position of the row in its batch, from 0, and its audit path to the batch's root.
	Position uint64 `json:"position"`
	Path     []Hash `json:"path"`
}

// Canonical is the one form.
func (p *RowProof) Canonical() ([]byte, error) { return canonical("row's proof", p) }

// ParseRowProof reads the canonical form, like ParseRow.
func ParseRowProof(text []byte) (RowProof, error) { return parse[RowProof]("row's proof", text) }

// DigestLine is a line of DigestsFile.
type DigestLine struct {
	// Value is JSON without spaces. Where Index is given, its SHA-256 is the digest of the leaf there.
	Value json.RawMessage `json:"value"`
	Index *uint64         `json:"log_index"`
}

// Canonical is the one form of a line, without its end.
func (d *DigestLine) Canonical() ([]byte, error) { return canonical("line", d) }

// ParseDigestLine reads a canonical line, like ParseRow.
func ParseDigestLine(text []byte) (DigestLine, error) { return parse[DigestLine]("line", text) }

// Counts are of a report's rows.
type Counts struct {
	Rows        uint64 `json:"rows"`
	Stored      uint64 `json:"stored"`
	Superseded  uint64 `json:"superseded"`
	Due         uint64 `json:"due"`
	Hidden      uint64 `json:"hidden"`
	Purged      uint64 `json:"purged"`
	BornExpired uint64 `json:"born_expired"`
	Unknown     uint64 `json:"unknown"`
	// Held is a flag beside the state.
	Held uint64 `json:"held"`
	// Overdue: had to be gone longer ago than the purge window, isn't, and no hold covers it. Late: gone, but later than that.
	Overdue uint64 `json:"overdue"`
	Late    uint64 `json:"late"`
	// Deleted: proven to be gone. Unlogged: in no stored batch of the log.
	Deleted  uint64 `json:"deleted"`
	Unlogged uint64 `json:"unlogged"`
}

// Add counts a row.
func (c *Counts) Add(l *Line, purgeWindow time.Duration) error {
	states := map[State]*uint64{
		Stored: &c.Stored, Superseded: &c.Superseded, Due: &c.Due, Hidden: &c.Hidden, Purged: &c.Purged, BornExpired: &c.BornExpired, Unknown: &c.Unknown,
	}
	state, ok := states[l.Row.State]
	if !ok {
		return fmt.Errorf("state %q is none there is", l.Row.State)
	}
	*state++
	c.Rows++
	over := l.Row.Lateness != nil && *l.Row.Lateness > purgeWindow.Milliseconds()
	for count, is := range map[*uint64]bool{
		&c.Held: l.Row.Held, &c.Deleted: l.Deleted != nil, &c.Unlogged: l.Stored == nil,
		&c.Overdue: over && l.Row.Purged == nil && !l.Row.Held, &c.Late: over && l.Row.Purged != nil,
	} {
		if is {
			*count++
		}
	}
	return nil
}
