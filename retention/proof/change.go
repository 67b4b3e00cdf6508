package proof

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
)

// Change is one version of a retention policy or of a hold: who made it what, and when. The SHA-256 of its canonical form is the digest of the leaf
// that says so. The value has a nonce that is random per version, so that the digest tells nothing to those who don't have the version.
type Change struct {
	// Schema is the constant.
	Schema int `json:"schema"`
	// What is LeafPolicy or LeafHold.
	What LeafType `json:"what"`
	// Organization by its id; unlike the leaf's it is in no log.
	Organization string `json:"organization"`
	ID           string `json:"id"`
	// Version counts from 1.
	Version uint64 `json:"version"`
	// By is who made the change, as control rows name authors.
	By string `json:"by"`
	At Time   `json:"at"`
	// Value is what it is since then: the JSON that is stored, without spaces.
	Value json.RawMessage `json:"value"`
}

// Canonical is the one form of a change, like Row.Canonical.
func (c *Change) Canonical() ([]byte, error) { return canonical("change", c) }

// ParseChange reads a canonical change, like ParseRow.
func ParseChange(text []byte) (Change, error) { return parse[Change]("change", text) }

// LeafID is the id of the leaf of this version.
func (c *Change) LeafID() string { return fmt.Sprintf("%s:%s:%d", c.What, c.ID, c.Version) }

// Leaf makes the leaf of a change for the ledger of the home region.
func (c *Change) Leaf(region string) (Leaf, error) {
	text, err := c.Canonical()
	if err != nil {
		return Leaf{}, err
	}
	return Leaf{
		Schema: Schema, Type: c.What, Region: region, ID: c.LeafID(), At: c.At, Organization: c.Organization, Digest: sha256.Sum256(text),
	}, nil
}
