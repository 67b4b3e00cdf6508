package proof

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"time"

	"github.com/google/uuid"
)

// Domains of what is hashed with a region's id key, so that no two uses can give the same.
const (
	thingDomain = "anteroom/thing/v1"
	saltDomain  = "anteroom/organization-salt/v1"
	tagDomain   = "anteroom/organization/v1"
	textDomain  = "anteroom/revision/v1"
	nonceDomain = "anteroom/nonce/v1"
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

// RevisionID is the item of a text that nobody can read any more, or never could, since another one, or none, is its message's: it is kept, and goes, as a
// thing of its own.
func RevisionID(message uuid.UUID, revised time.Time) uuid.UUID {
	sum := sha256.New()
	writePart(sum, []byte(textDomain))
	writePart(sum, message[:])
	var at [8]byte
	binary.BigEndian.PutUint64(at[:], uint64(revised.UnixMicro())) //nolint:gosec // bits, not an amount
	writePart(sum, at[:])
	id := uuid.UUID(sum.Sum(nil)[:16])
	id[6], id[8] = id[6]&0x0f|0x80, id[8]&0x3f|0x80 // version 8: of our own making
	return id
}

// RowNonce is the nonce of a thing's row in a deletion batch: always the same, so that a batch that was cut short ends with the rows it began with, and
// telling nothing to those without the key.
func RowNonce(key []byte, batch uuid.UUID, thing Hash) [16]byte {
	mac := hmac.New(sha256.New, key)
	for _, part := range [][]byte{[]byte(nonceDomain), batch[:], thing[:]} {
		writePart(mac, part)
	}
	return [16]byte(mac.Sum(nil)[:16])
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
