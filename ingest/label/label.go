// Package label owns who is who: the pseudonyms of foreign participants and the label that call analytics shows.
//
// Everything here is a pure function of its arguments and of a key that does not rotate under a record:
// decoding the same record again gives the same rows. Nothing here looks at a clock.
// Across calls nothing links two pseudonyms, since the call id is part of what is hashed (rule D4).
package label

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/netip"

	"github.com/anteroom/anteroom/event/eventpb"
)

// Anonymous is the label of every participant that nothing proves to be an org user (rule D2).
const Anonymous = "Anonymous"

// OrgUser is the label of a proven org user whose directory name is not known.
const OrgUser = "Org user"

// MinKeyLen is the least length of a master key in bytes.
const MinKeyLen = 32

// Keyring derives one key per organisation from a master key (HKDF-SHA256, RFC 5869), so that one secret is kept
// and no organisation's key tells another's.
type Keyring struct{ master []byte }

// NewKeyring takes a master key of at least MinKeyLen bytes. The caller keeps it as long as the rows made with it are to be
// recognised: with another key the same participant gets another pseudonym.
func NewKeyring(master []byte) (*Keyring, error) {
	if len(master) < MinKeyLen {
		return nil, errors.New("labelling key must have at least 32 bytes")
	}
	return &Keyring{master: append([]byte(nil), master...)}, nil
}

// For gives the pseudonyms of one organisation.
func (k *Keyring) For(org string) (Pseudonyms, error) {
	key, err := hkdf.Key(sha256.New, k.master, nil, "anteroom pseudonyms v1/"+org, sha256.Size)
	if err != nil {
		return Pseudonyms{}, fmt.Errorf("derive key of organisation: %w", err)
	}
	return Pseudonyms{key: key}, nil
}

// Pseudonyms replaces raw identifiers of foreign systems within one organisation.
type Pseudonyms struct{ key []byte }

// Kind separates the spaces of identifiers, so that equal raw values of different kinds are not linked.
type Kind string

// The kinds of identifiers that are replaced.
const (
	Participant Kind = "participant"
	Stream      Kind = "stream"
	Operation   Kind = "operation"
	Survey      Kind = "survey"
	Recording   Kind = "recording"
	Message     Kind = "message"
	Call        Kind = "call"
	Meeting     Kind = "meeting"
)

// ID is the first 16 bytes of HMAC-SHA256(key, kind ‖ call ‖ parts…), each part preceded by its length so that no two
// lists of parts run together, marked as a UUID of version 8 (RFC 9562: custom).
func (p Pseudonyms) ID(kind Kind, call string, parts ...string) []byte {
	mac := hmac.New(sha256.New, p.key)
	write := func(s string) {
		n := uint32(len(s)) //nolint:gosec // lengths are far below 4 GiB
		mac.Write([]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
		mac.Write([]byte(s))
	}
	write(string(kind))
	write(call)
	for _, part := range parts {
		write(part)
	}
	id := mac.Sum(nil)[:16]
	id[6] = id[6]&0x0f | 0x80
	id[8] = id[8]&0x3f | 0x80
	return id
}

// Identity is what analytics may keep of who a participant is.
type Identity struct {
	OrgUser bool
	Service bool
	// UserID, DisplayName and Network are empty unless OrgUser.
	UserID      string
	DisplayName string
	Network     string
}

// Resolve keeps what identity proves: an org user's directory id and name, and the network that it came from. Of everybody else it keeps nothing.
func Resolve(id *eventpb.Identity) Identity {
	switch id.GetKind() {
	case eventpb.Identity_KIND_ORG_USER:
		return Identity{OrgUser: true, UserID: id.GetUserId(), DisplayName: id.GetDisplayName(), Network: network(id.GetNetwork())}
	case eventpb.Identity_KIND_SERVICE:
		return Identity{Service: true}
	default:
		return Identity{}
	}
}

// network keeps a network of the size that says where somebody is and not who: anything finer is dropped.
func network(text string) string {
	prefix, err := netip.ParsePrefix(text)
	if err != nil || prefix != prefix.Masked() || (prefix.Addr().Is4() && prefix.Bits() != 24) || (prefix.Addr().Is6() && prefix.Bits() != 48) {
		return ""
	}
	return prefix.String()
}
