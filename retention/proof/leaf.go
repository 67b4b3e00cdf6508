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
	// LeafPolicy and LeafHold: a retention policy or a hold was made, changed or ended. Digest is of its canonical value, with Nonce.
	LeafPolicy LeafType = "policy"
	LeafHold   LeafType = "hold"
	// LeafStored: things came to be kept. Root is over their ids, in order.
	LeafStored LeafType = "stored"
	// LeafDeleted: things are gone. Root is over their rows, in order of id.
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
	// Organization is "" where a batch holds things of several.
	Organization string `json:"organization"`
	// Count and Root of batches; 0 and zero otherwise.
	Count int64 `json:"count"`
	Root  Hash  `json:"root"`
	// Digest of what isn't a batch; zero otherwise.
	Digest Hash `json:"digest"`
}

// Canonical is the one form of a leaf that is appended, like Row.Canonical.
func (l *Leaf) Canonical() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(l); err != nil {
		return nil, fmt.Errorf("encode leaf: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// ParseLeaf reads a canonical leaf, like ParseRow.
func ParseLeaf(text []byte) (Leaf, error) {
	var l Leaf
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&l); err != nil {
		return Leaf{}, fmt.Errorf("read leaf: %w", err)
	}
	again, err := l.Canonical()
	if err != nil {
		return Leaf{}, err
	}
	if !bytes.Equal(again, text) {
		return Leaf{}, fmt.Errorf("read leaf: it is not in canonical form")
	}
	return l, nil
}
