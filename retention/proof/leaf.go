package proof

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// LeafType is what a leaf of a ledger tells.
type LeafType string

// The types of leaves.
const (
	// LeafPolicy and LeafHold: a retention policy or a hold was made, changed or ended. Digest is the SHA-256 of its canonical value, which has a
	// random nonce.
	LeafPolicy LeafType = "policy"
	LeafHold   LeafType = "hold"
	// LeafStored: things came to be kept. Root is over StoredThing, in order of id. See Batch.
	LeafStored LeafType = "stored"
	// LeafDeleted: things are gone. Root is over their rows, in order of id. See Batch.
	LeafDeleted LeafType = "deleted"
	// LeafReport: a report was made. Digest is the SHA-256 of its manifest.
	LeafReport LeafType = "report"
	// LeafApproval: a second person allowed held content to be exported. Digest as of a policy.
	LeafApproval LeafType = "approval"
)

// Leaf is an entry of a region's ledger. It has no personal data.
type Leaf struct {
	Schema int      `json:"schema"`
	Type   LeafType `json:"type"`
	Region string   `json:"region"`
	// ID tells leaves apart: appended twice it counts once. Of a batch it is the batch's, else the changed thing's with its version.
	ID string `json:"id"`
	At Time   `json:"at"`
	// Organization is "" where a batch holds things of several. Whoever puts a leaf writes the organisation's id; in the log itself stands its tag
	// (OrganizationTag), so that those who may read the log see no other organisation's name.
	Organization string `json:"organization"`
	// Count and Root of batches; 0 and zero otherwise.
	Count int64 `json:"count"`
	Root  Hash  `json:"root"`
	// FirstSent and LastSent bound when the things of a batch were sent, both inclusive; null otherwise.
	FirstSent *Time `json:"first_sent"`
	LastSent  *Time `json:"last_sent"`
	// Digest of what isn't a batch; zero otherwise.
	Digest Hash `json:"digest"`
}

// Canonical is the one form of a leaf that is appended, like Row.Canonical.
func (l *Leaf) Canonical() ([]byte, error) { return canonical("leaf", l) }

// ParseLeaf reads a canonical leaf, like ParseRow.
func ParseLeaf(text []byte) (Leaf, error) { return parse[Leaf]("leaf", text) }

// canonical is the one form of a value that is hashed: JSON with the fields in the order of the struct, no spaces, no escapes that JSON doesn't need,
// no line end.
func canonical(what string, value any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(value); err != nil {
		return nil, fmt.Errorf("encode %s: %w", what, err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// parse reads a value and fails if the bytes aren't exactly its canonical form: else two texts could stand for one value.
func parse[T any](what string, text []byte) (T, error) {
	var value, none T
	if err := json.Unmarshal(text, &value); err != nil {
		return none, fmt.Errorf("read %s: %w", what, err)
	}
	again, err := canonical(what, value)
	if err != nil {
		return none, err
	}
	if bytes.Equal(again, text) {
		return value, nil
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&value); err != nil { // it names a field that there isn't
		return none, fmt.Errorf("read %s: %w", what, err)
	}
	return none, fmt.Errorf("read %s: it is not in canonical form", what)
}
