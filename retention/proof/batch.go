package proof

import (
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/rfc6962"
)

// StoredThing is what a batch of stored things commits to of each: enough to tell whether a report has to show it. The id is a keyed hash, so the
// hash of a StoredThing tells nothing to those who don't have it.
type StoredThing struct {
	// Schema is the constant.
	Schema int `json:"schema"`
	// ID is the row's copy_id.
	ID           string `json:"copy_id"`
	Organization string `json:"organization"`
	Region       string `json:"region"`
	Class        Class  `json:"class"`
	SentAt       Time   `json:"sent_at"`
}

// Canonical is the one form of a stored thing that is hashed, like Row.Canonical.
func (s *StoredThing) Canonical() ([]byte, error) { return canonical("stored thing", s) }

// Hash is the leaf hash of the canonical form: what the batch's tree is made of.
func (s *StoredThing) Hash() (Hash, error) {
	text, err := s.Canonical()
	if err != nil {
		return Hash{}, err
	}
	return LeafHash(text), nil
}

// Batch makes the leaf of a batch thing by thing, in order of id, each once. It remembers a hash per level of the tree, however large the batch.
type Batch struct {
	kind        LeafType
	region, id  string
	tree        *Accumulator
	last        string
	org         string
	mixed       bool
	first, late time.Time
}

// ErrOrder: a thing was added to a batch that isn't after the one before.
var ErrOrder = errors.New("things of a batch must come in order of id, each once")

// NewBatch begins a batch. id is its UUID.
func NewBatch(kind LeafType, region, id string) *Batch {
	return &Batch{kind: kind, region: region, id: id, tree: NewAccumulator()}
}

// Stored adds a thing to a batch of LeafStored.
func (b *Batch) Stored(s *StoredThing) error {
	hash, err := s.Hash()
	if err != nil {
		return err
	}
	return b.add(s.ID, s.Organization, time.Time(s.SentAt), hash)
}

// Deleted adds a row to a batch of LeafDeleted.
func (b *Batch) Deleted(r *Row) error {
	hash, err := r.Hash()
	if err != nil {
		return err
	}
	return b.add(r.ID, r.Organization, time.Time(r.SentAt), hash)
}

func (b *Batch) add(id, org string, sent time.Time, hash Hash) error {
	if raw, err := hex.DecodeString(id); err != nil || len(raw) != len(Hash{}) || hex.EncodeToString(raw) != id {
		return fmt.Errorf("id of a thing has not %d lower-case hexadecimal digits", 2*len(Hash{}))
	}
	if b.tree.Size() > 0 && id <= b.last {
		return ErrOrder
	}
	if err := b.tree.Add(hash); err != nil {
		return err
	}
	if b.tree.Size() == 1 {
		b.org, b.first, b.late = org, sent, sent
	}
	b.mixed = b.mixed || org != b.org
	b.last = id
	if sent.Before(b.first) {
		b.first = sent
	}
	if sent.After(b.late) {
		b.late = sent
	}
	return nil
}

// Leaf is the leaf of what was added, for the ledger.
func (b *Batch) Leaf(at time.Time) (Leaf, error) {
	if b.tree.Size() == 0 {
		return Leaf{}, errors.New("a batch of nothing has no leaf")
	}
	root, err := b.tree.Root()
	if err != nil {
		return Leaf{}, err
	}
	first, last := Time(b.first), Time(b.late)
	leaf := Leaf{
		Schema: Schema, Type: b.kind, Region: b.region, ID: b.id, At: Time(at), Organization: b.org, Count: int64(b.tree.Size()), Root: root,
		FirstSent: &first, LastSent: &last,
	}
	if b.mixed {
		leaf.Organization = ""
	}
	return leaf, nil
}

// Accumulator gives the root of a Merkle tree (RFC 6962 section 2.1) to which leaves are only added. It remembers one hash per level.
type Accumulator struct{ tree *compact.Range }

func factory() *compact.RangeFactory {
	return &compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}
}

// NewAccumulator begins an empty tree.
func NewAccumulator() *Accumulator { return &Accumulator{factory().NewEmptyRange(0)} }

// ResumeAccumulator goes on with a tree of a size, whose hashes (Hashes) are known. What comes of wrong hashes is a wrong root.
func ResumeAccumulator(size uint64, hashes []Hash) (*Accumulator, error) {
	raw := make([][]byte, len(hashes))
	for i := range hashes {
		raw[i] = hashes[i][:]
	}
	tree, err := factory().NewRange(0, size, raw)
	if err != nil {
		return nil, fmt.Errorf("resume tree: %w", err)
	}
	return &Accumulator{tree}, nil
}

// Add adds a leaf by its hash.
func (a *Accumulator) Add(leaf Hash) error {
	if err := a.tree.Append(leaf[:], nil); err != nil {
		return fmt.Errorf("add leaf: %w", err)
	}
	return nil
}

// Size is the number of leaves.
func (a *Accumulator) Size() uint64 { return a.tree.End() }

// Hashes are those of the perfect subtrees that the tree is made of, from left to right.
func (a *Accumulator) Hashes() []Hash {
	hashes := make([]Hash, 0, len(a.tree.Hashes()))
	for _, hash := range a.tree.Hashes() {
		hashes = append(hashes, Hash(hash))
	}
	return hashes
}

// Root is the tree's hash.
func (a *Accumulator) Root() (Hash, error) {
	if a.Size() == 0 {
		return Hash(rfc6962.DefaultHasher.EmptyRoot()), nil
	}
	root, err := a.tree.GetRootHash(nil)
	if err != nil {
		return Hash{}, fmt.Errorf("find root: %w", err)
	}
	return Hash(root), nil
}
