package proof

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"

	"github.com/google/uuid"
)

// Domains of what is hashed with a region's id key, so that no two uses can give the same.
const (
	thingDomain = "anteroom/thing/v1"
	saltDomain  = "anteroom/organization-salt/v1"
	tagDomain   = "anteroom/organization/v1"
)

// ThingID is the id of a kept thing in rows and batches: the same in all reports of a region, and telling nothing to those without the key. item and
// holder are as in table retained.
func ThingID(key []byte, class Class, region, org, call string, item, holder uuid.UUID) Hash {
	mac := hmac.New(sha256.New, key)
	for _, part := range []string{thingDomain, string(class), region, org, call} {
		writePart(mac, []byte(part))
	}
	writePart(mac, item[:])
	writePart(mac, holder[:])
	return Hash(mac.Sum(nil))
}

// OrganizationSalt is what the tag of one organisation is salted with. Its own reports show it, nobody else's do.
func OrganizationSalt(key []byte, region, org string) Hash {
	mac := hmac.New(sha256.New, key)
	for _, part := range []string{saltDomain, region, org} {
		writePart(mac, []byte(part))
	}
	return Hash(mac.Sum(nil))
}

// OrganizationTag stands for an organisation in the leaves of a ledger: who has the salt can check it, who hasn't learns nothing. 64 hexadecimal
// digits; of "" it is "".
func OrganizationTag(salt Hash, region, org string) string {
	if org == "" {
		return ""
	}
	sum := sha256.New()
	for _, part := range []string{tagDomain, region, org, string(salt[:])} {
		writePart(sum, []byte(part))
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// NewNonce is a nonce for a row.
func NewNonce() [16]byte {
	var nonce [16]byte
	_, _ = rand.Read(nonce[:]) // never fails
	return nonce
}

// writePart writes a part with its length before it, so that ("a", "bc") and ("ab", "c") differ.
func writePart(to hash.Hash, part []byte) {
	var size [8]byte
	binary.BigEndian.PutUint64(size[:], uint64(len(part)))
	_, _ = to.Write(size[:]) // a hash takes everything
	_, _ = to.Write(part)
}
