package identity

import (
	"bytes"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Kinds of the service's own tokens. A token of one kind never opens as another.
const (
	KindResume  = "resume"
	KindSession = "session"
	KindLogin   = "login"
	// KindRelay are what processes of one installation tell each other on behalf of whoever asks.
	KindRelay = "relay"
)

// Sealer makes and opens the service's own short-lived tokens: JWE in compact form, A256GCM with a key derived from the master key for each
// kind and day (the key id is the day), so that random nonces of one key stay far from running out. They are encrypted since some carry
// personal data, and open on every node that has the same master key.
type Sealer struct {
	master []byte
	now    func() time.Time
}

// maxSealedBytes bounds the service's own tokens; cookies must stay below 4 KiB, resume tokens are sent in a message.
const maxSealedBytes = 16 << 10

const day = "2006-01-02"

// sealed is what is encrypted.
type sealed struct {
	// Expires in milliseconds since 1970.
	Expires int64           `json:"exp"`
	Payload json.RawMessage `json:"data"`
}

// derive makes an independent 32-byte key for a purpose.
func (s *Sealer) derive(purpose string) []byte {
	key, err := hkdf.Key(sha256.New, s.master, nil, "anteroom "+purpose+" v1", sha256.Size)
	if err != nil {
		panic("derive key: " + err.Error()) // only for a length above 255 hashes
	}
	return key
}

func (s *Sealer) tokenKey(kind, day string) []byte { return s.derive("token " + kind + " " + day) }

// Sign seals payload, anything that encoding/json takes, as a token of a kind, valid for ttl.
func (s *Sealer) Sign(kind string, payload any, ttl time.Duration) (string, error) {
	data, err := json.Marshal(payload)
	if err != nil {
		return "", fmt.Errorf("seal %s token: %w", kind, err)
	}
	now := s.now().UTC()
	plain, err := json.Marshal(sealed{Expires: now.Add(ttl).UnixMilli(), Payload: data})
	if err != nil {
		return "", fmt.Errorf("seal %s token: %w", kind, err)
	}
	id := now.Format(day)
	encrypter, err := jose.NewEncrypter(jose.A256GCM, jose.Recipient{Algorithm: jose.DIRECT, Key: s.tokenKey(kind, id), KeyID: id}, nil)
	if err != nil {
		return "", fmt.Errorf("seal %s token: %w", kind, err)
	}
	encrypted, err := encrypter.Encrypt(plain)
	if err != nil {
		return "", fmt.Errorf("seal %s token: %w", kind, err)
	}
	token, err := encrypted.CompactSerialize()
	if err == nil && len(token) > maxSealedBytes {
		err = fmt.Errorf("it would have %d bytes, above %d", len(token), maxSealedBytes)
	}
	if err != nil {
		return "", fmt.Errorf("seal %s token: %w", kind, err)
	}
	return token, nil
}

// Open reads a token of a kind into payload, a pointer. The error is *Error.
func (s *Sealer) Open(kind, token string, payload any) error {
	switch {
	case token == "":
		return refuse(TokenMissing, "there is no token")
	case len(token) > maxSealedBytes:
		return refuse(TokenMalformed, "the token is too long")
	}
	encrypted, err := jose.ParseEncryptedCompact(token, []jose.KeyAlgorithm{jose.DIRECT}, []jose.ContentEncryption{jose.A256GCM})
	if err != nil {
		return refuse(TokenMalformed, "the token is not one that this service made")
	}
	id := encrypted.Header.KeyID
	if _, err := time.Parse(day, id); err != nil {
		return refuse(TokenMalformed, "the token is not one that this service made")
	}
	plain, err := encrypted.Decrypt(s.tokenKey(kind, id))
	if err != nil {
		return refuse(TokenSignature, "the token is not one that this service made, or for something else, or its keys have changed")
	}
	var inner sealed
	if err := json.Unmarshal(plain, &inner); err != nil {
		return refuse(TokenMalformed, "the token can't be read")
	}
	if s.now().UnixMilli() >= inner.Expires {
		return refuse(TokenExpired, "the token has expired")
	}
	if err := json.NewDecoder(bytes.NewReader(inner.Payload)).Decode(payload); err != nil {
		return refuse(TokenMalformed, "the token's content is not what was expected")
	}
	return nil
}

// linkSecretBytes is 128 bits: more than anybody can try at an HTTP door.
const linkSecretBytes = 16

// PageKey is what the places in lists are signed with that clients hand back.
func (s *Sealer) PageKey() []byte { return s.derive("page tokens") }

// LinkSecret is the unguessable part of a meeting's link: 22 characters of base64url (128 bits), a keyed hash of the meeting and of the
// version of its link.
func (s *Sealer) LinkSecret(meetingID string, version int) string {
	mac := hmac.New(sha256.New, s.derive("meeting link"))
	mac.Write([]byte(strconv.Itoa(version) + " " + meetingID)) // the number ends at the first blank, so no two pairs are alike
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:linkSecretBytes])
}

// CheckLinkSecret compares in constant time.
func (s *Sealer) CheckLinkSecret(meetingID string, version int, secret string) bool {
	return hmac.Equal([]byte(s.LinkSecret(meetingID, version)), []byte(secret))
}
