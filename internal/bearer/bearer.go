// Package bearer has what tokens of organisations have in common of which only a digest is kept: their text, and who was believed a moment ago.
//
// A text is PREFIX.ORGANISATION.ID.SECRET, the organisation and the secret in base64url. The secret is 256 random bits, so a plain digest is as good as a
// slow one.
package bearer

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
)

const (
	secretBytes = 32
	maxText     = 500
	maxOrg      = 63
	// believedFor is for how long a token that was looked at isn't looked at again; one that is revoked may work so long.
	believedFor = 5 * time.Second
	maxBelieved = 1000
)

// Make makes the text of a token, and the digest to keep of its secret.
func Make(prefix, org, id string) (text, digest string, err error) {
	secret := make([]byte, secretBytes)
	if _, err := rand.Read(secret); err != nil {
		return "", "", fmt.Errorf("make token: %w", err)
	}
	encode := base64.RawURLEncoding.EncodeToString
	return strings.Join([]string{prefix, encode([]byte(org)), id, encode(secret)}, "."), digestOf(secret), nil
}

// Split takes a text apart; ok is false where it has not the form of one.
func Split(prefix, text string) (org, id string, secret []byte, ok bool) {
	parts := strings.Split(text, ".")
	if len(text) > maxText || len(parts) != 4 || parts[0] != prefix || uuid.Validate(parts[2]) != nil {
		return "", "", nil, false
	}
	name, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil || len(name) == 0 || len(name) > maxOrg {
		return "", "", nil, false
	}
	secret, err = base64.RawURLEncoding.DecodeString(parts[3])
	return string(name), parts[2], secret, err == nil && len(secret) == secretBytes
}

// Fits tells whether a digest is of a secret, in the same time for all.
func Fits(digest string, secret []byte) bool {
	return subtle.ConstantTimeCompare([]byte(digest), []byte(digestOf(secret))) == 1
}

func digestOf(secret []byte) string {
	sum := sha256.Sum256(secret)
	return hex.EncodeToString(sum[:])
}

// Beliefs remember for five seconds, and never beyond a token's end, what was found out about it. Safe for concurrent use; the zero value is empty.
type Beliefs[T any] struct {
	mu    sync.Mutex
	known map[[sha256.Size]byte]belief[T] // guarded by mu: by digest of the text
}

type belief[T any] struct {
	what  T
	until time.Time
}

// Get is what was found out about a text, if it is believed still.
func (b *Beliefs[T]) Get(text string, now time.Time) (T, bool) {
	key := sha256.Sum256([]byte(text))
	b.mu.Lock()
	defer b.mu.Unlock()
	known, ok := b.known[key]
	return known.what, ok && now.Before(known.until)
}

// Put remembers what was found out about a text whose token ends at a time.
func (b *Beliefs[T]) Put(text string, what T, now, end time.Time) {
	until := now.Add(believedFor)
	if end.Before(until) {
		until = end
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.known == nil || len(b.known) >= maxBelieved {
		b.known = make(map[[sha256.Size]byte]belief[T])
	}
	b.known[sha256.Sum256([]byte(text))] = belief[T]{what, until}
}

// Forget forgets all.
func (b *Beliefs[T]) Forget() {
	b.mu.Lock()
	defer b.mu.Unlock()
	clear(b.known)
}
