package proof

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
)

// Hash is SHA-256.
type Hash [sha256.Size]byte

// MarshalJSON writes hexadecimal digits.
func (h Hash) MarshalJSON() ([]byte, error) { return json.Marshal(hex.EncodeToString(h[:])) } //nolint:wrapcheck // a text always encodes

// UnmarshalJSON reads hexadecimal digits.
func (h *Hash) UnmarshalJSON(b []byte) error {
	var text string
	if err := json.Unmarshal(b, &text); err != nil {
		return fmt.Errorf("read hash: %w", err)
	}
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw) != len(h) {
		return fmt.Errorf("read hash: it has not %d hexadecimal digits", 2*len(h))
	}
	copy(h[:], raw)
	return nil
}

// LeafHash is the hash of a leaf's bytes (RFC 6962 section 2.1).
func LeafHash(leaf []byte) Hash { return Hash(rfc6962.DefaultHasher.HashLeaf(leaf)) }

// Tree is the Merkle tree over a batch (RFC 6962 section 2.1). The zero Tree is of no leaves.
type Tree struct {
	size  uint64
	nodes map[compact.NodeID][]byte
	root  Hash
}

// NewTree makes the tree over leaf hashes, in their order.
func NewTree(leaves []Hash) (*Tree, error) {
	t := &Tree{nodes: make(map[compact.NodeID][]byte, 2*len(leaves))}
	factory := compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}
	r := factory.NewEmptyRange(0)
	keep := func(id compact.NodeID, hash []byte) { t.nodes[id] = hash }
	for i := range leaves {
		keep(compact.NewNodeID(0, t.size), leaves[i][:])
		if err := r.Append(leaves[i][:], keep); err != nil {
			return nil, fmt.Errorf("make Merkle tree: %w", err)
		}
		t.size++
	}
	if t.size == 0 {
		t.root = Hash(rfc6962.DefaultHasher.EmptyRoot())
		return t, nil
	}
	root, err := r.GetRootHash(nil)
	if err != nil {
		return nil, fmt.Errorf("make Merkle tree: %w", err)
	}
	t.root = Hash(root)
	return t, nil
}

// Root is the tree's hash.
func (t *Tree) Root() Hash { return t.root }

// Path is the audit path of the leaf at an index, from the bottom up.
func (t *Tree) Path(index uint64) ([]Hash, error) {
	nodes, err := proof.Inclusion(index, t.size)
	if err != nil {
		return nil, fmt.Errorf("find audit path: %w", err)
	}
	hashes := make([][]byte, len(nodes.IDs))
	for i, id := range nodes.IDs {
		hashes[i] = t.nodes[id]
	}
	if hashes, err = nodes.Rehash(hashes, rfc6962.DefaultHasher.HashChildren); err != nil {
		return nil, fmt.Errorf("find audit path: %w", err)
	}
	path := make([]Hash, len(hashes))
	for i, hash := range hashes {
		path[i] = Hash(hash)
	}
	return path, nil
}

// RootFromPath is the root that a tree of size leaves has if the leaf with this hash is at index. It fails if the path can't be of that place.
func RootFromPath(leaf Hash, index, size uint64, path []Hash) (Hash, error) {
	raw := make([][]byte, len(path))
	for i := range path {
		raw[i] = path[i][:]
	}
	root, err := proof.RootFromInclusionProof(rfc6962.DefaultHasher, index, size, leaf[:], raw)
	if err != nil {
		return Hash{}, fmt.Errorf("follow audit path: %w", err)
	}
	return Hash(root), nil
}
