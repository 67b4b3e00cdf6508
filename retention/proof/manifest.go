package proof

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
)

// ManifestSchema is the version of Manifest's form.
const ManifestSchema = 1

// ReportKind is what a report is about.
type ReportKind string

// The kinds.
const (
	ReportRetention   ReportKind = "retention"
	ReportNotices     ReportKind = "notices"
	ReportChanges     ReportKind = "changes"
	ReportHeldContent ReportKind = "held_content"
	// Of calls: figures as they stand when it is made. They aren't in the log.
	ReportCalls        ReportKind = "calls"
	ReportParticipants ReportKind = "participants"
	ReportStreams      ReportKind = "streams"
)

// ReportKinds returns all of them.
func ReportKinds() []ReportKind {
	return []ReportKind{ReportRetention, ReportNotices, ReportChanges, ReportHeldContent, ReportCalls, ReportParticipants, ReportStreams}
}

// ProofMode is how the rows of a report are proven.
type ProofMode string

// The modes.
const (
	// WholeProofs: the batches are shipped whole with the leaves of the log, which also shows that nothing was left out.
	WholeProofs ProofMode = "whole"
	// SingleProofs: one tlog-proof for each deleted row. That nothing was left out can't be seen: for reports that a filter cuts out of batches.
	SingleProofs ProofMode = "single"
	// NoProofs: there are no rows to prove.
	NoProofs ProofMode = "none"
)

// Manifest says what a bundle is and has. What it says is signed. All its arrays are there, if empty.
type Manifest struct {
	// Format is "anteroom-report", Schema the constant.
	Format string     `json:"format"`
	Schema int        `json:"schema"`
	Kind   ReportKind `json:"kind"`
	// ID of the report, UUID text.
	ID     string `json:"report_id"`
	Region string `json:"region"`
	MadeAt Time   `json:"made_at"`
	// MadeBy is the program's version.
	MadeBy string `json:"made_by"`
	// RequestedBy is who asked for it, as control rows name authors.
	RequestedBy string `json:"requested_by"`
	Query       Query  `json:"query"`
	// Watermark: what the region had stored by then is in the report; what came later may be missing.
	Watermark Time `json:"watermark"`
	// Partial says in words what couldn't be asked, "" if all could.
	Partial string `json:"partial"`
	// Rules are those that decided about the rows, each once, in order of id, version, reason and revision.
	Rules []AppliedAs `json:"rules"`
	// PurgeWindowMs is how long after it had to be gone a thing may be purged, in milliseconds.
	PurgeWindowMs int64  `json:"purge_window_ms"`
	Counts        Counts `json:"counts"`
	// BrokerRetentionMs is how long the broker keeps records, sealed to keys that are destroyed; -1: not known.
	BrokerRetentionMs int64 `json:"broker_retention_ms"`
	// BackupExpiry is when the last backup that may have any of it ends; null: none is known of. Backup says what is known, in words.
	BackupExpiry *Time  `json:"backup_expiry_at"`
	Backup       string `json:"backup"`
	// Limits say what the report can't prove, in words.
	Limits []string  `json:"limits"`
	Proofs ProofMode `json:"proofs"`
	Log    LogPart   `json:"log"`
	// CSV says how CSVFile was made; null without it.
	CSV *CSVForm `json:"csv"`
	// Files are all but ManifestFile, ManifestSignatureFile and SumsFile, in order of name.
	Files []File `json:"files"`
}

// Query is what was asked for.
type Query struct {
	// Organization is "" for all of the region.
	Organization string `json:"organization"`
	// OrganizationSalt makes the organisation's tag in the log (OrganizationTag); zero for all.
	OrganizationSalt Hash `json:"organization_salt"`
	// From and To bound when things were sent: from is inclusive, to is not.
	From Time `json:"from"`
	To   Time `json:"to"`
	// Classes are empty for all.
	Classes []Class `json:"classes"`
	// Meeting and Resource are UUID text, "" for all. With one of them proofs are single.
	Meeting  string `json:"meeting"`
	Resource string `json:"resource"`
	// Calls says which calls, in reports of them; not there in others.
	Calls *CallsQuery `json:"calls,omitempty"`
}

// CallsQuery says which calls a report is about. "" and null are any, but for the profile, by whose thresholds they are judged.
type CallsQuery struct {
	Profile  string `json:"profile"`
	Verdict  string `json:"verdict"`
	Reason   string `json:"reason"`
	Side     string `json:"side"`
	Client   string `json:"client"`
	Site     string `json:"site"`
	User     string `json:"user"`
	Tag      string `json:"tag"`
	Recorded *bool  `json:"recorded"`
	// What follows is there only if it was asked for.
	Source        string `json:"source,omitempty"`
	CallKind      string `json:"call_kind,omitempty"`
	State         string `json:"state,omitempty"`
	ClientVersion string `json:"client_version,omitempty"`
	// Region is that in which the call was held.
	Region string `json:"region,omitempty"`
	// Subnet is a network such as 192.0.2.0/24 that an org user came from.
	Subnet string `json:"subnet,omitempty"`
	// Label is within the label of somebody in the call.
	Label string `json:"participant_label,omitempty"`
	// Text is within the call's or the meeting's id, or is a participant's or a stream's, or a support code.
	Text string `json:"q,omitempty"`
	// MinDurationS and MaxDurationS bound the length of a call, both inclusive, in seconds.
	MinDurationS *int64 `json:"min_duration_s,omitempty"`
	MaxDurationS *int64 `json:"max_duration_s,omitempty"`
	// HourOfDay, 0 to 23, and Weekday, 1 (Monday) to 7, are when a call began in Zone, the name of a time zone ("" is UTC).
	HourOfDay *int   `json:"hour_of_day,omitempty"`
	Weekday   *int   `json:"weekday,omitempty"`
	Zone      string `json:"time_zone,omitempty"`
}

// LogPart is what the bundle has of the region's ledger.
type LogPart struct {
	// Origin, Size and Root are those of CheckpointFile.
	Origin string `json:"origin"`
	Size   uint64 `json:"size"`
	Root   Hash   `json:"root"`
	// First is the index of the first leaf of LogFile, which goes on to Size. Prefix are the hashes of the perfect subtrees over the leaves before it,
	// from left to right (Accumulator.Hashes). Without LogFile First is Size and Prefix empty.
	First  uint64 `json:"first"`
	Prefix []Hash `json:"prefix"`
	// Consistency leads from PreviousCheckpointFile to CheckpointFile (RFC 6962 section 2.1.2); null without the former.
	Consistency *Consistency `json:"consistency"`
}

// Consistency says that a log only grew.
type Consistency struct {
	// Size and Root are those of the earlier checkpoint.
	Size  uint64 `json:"size"`
	Root  Hash   `json:"root"`
	Proof []Hash `json:"proof"`
}

// File is a file of a bundle.
type File struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	SHA256 Hash   `json:"sha256"`
}

// Canonical is the one form of a manifest: JSON with the fields in the order of the struct, indented by two spaces, with a line end.
func (m *Manifest) Canonical() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(m); err != nil {
		return nil, fmt.Errorf("encode manifest: %w", err)
	}
	return b.Bytes(), nil
}

// ParseManifest reads a canonical manifest, like ParseRow.
func ParseManifest(text []byte) (Manifest, error) {
	var m Manifest
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&m); err != nil {
		return Manifest{}, fmt.Errorf("read manifest: %w", err)
	}
	again, err := m.Canonical()
	if err != nil {
		return Manifest{}, err
	}
	if !bytes.Equal(again, text) {
		return Manifest{}, fmt.Errorf("read manifest: it is not in canonical form")
	}
	return m, nil
}

// manifestContext is the first line of what is signed for a manifest: a checkpoint begins with the log's origin and can't be taken for it.
const manifestContext = "anteroom-report-manifest/v1"

// ManifestNote is the text that is signed, as a note with the ledger's key, for a manifest of these bytes.
func ManifestNote(origin string, manifest []byte) string {
	sum := sha256.Sum256(manifest)
	return manifestContext + "\n" + origin + "\n" + hex.EncodeToString(sum[:]) + "\n"
}

// Sums is the content of SumsFile: what sha256sum prints for the files, in the order given, which is that of the names.
func Sums(files []File) []byte {
	var b bytes.Buffer
	for _, f := range files {
		fmt.Fprintf(&b, "%x  %s\n", f.SHA256, f.Name)
	}
	return b.Bytes()
}
