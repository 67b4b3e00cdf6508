package sealing

import (
	"crypto/ecdh"
	"crypto/hpke"
	"errors"
	"fmt"
)

// Errors of Ring.Seal and Keeper.Open.
var (
	// ErrNoKey: for Seal, no key of the region is known that may be sealed to now; try again. For Open, the region never published such a key, so
	// nothing that was rightly sealed is lost with it.
	ErrNoKey = errors.New("there is no such key")
	// ErrDestroyed: the key is gone, and with it what was sealed to it.
	ErrDestroyed = errors.New("the key is destroyed")
	// ErrAltered: what is opened is not what was sealed, or about something else.
	ErrAltered = errors.New("what was sealed has been altered")
	// ErrElsewhere: the region published the key, and its file isn't in the folder that this node has. Try again, for as long as it takes: what is
	// sealed is lost only if the folder is.
	ErrElsewhere = errors.New("the key is not in this node's folder")
)

// Sealed is text that only the region with the key can read.
type Sealed struct {
	// KeyID names the key: 1 to 64 of a-z, 0-9, '-'.
	KeyID string
	// Text is the encapsulated key followed by the ciphertext.
	Text []byte
}

// suite is what text is sealed with.
func suite() (hpke.KEM, hpke.KDF, hpke.AEAD) {
	return hpke.DHKEM(ecdh.X25519()), hpke.HKDFSHA256(), hpke.AES256GCM()
}

// seal seals text to the public half of a key. about is what the text belongs to; it isn't in the result, and opening takes the same.
func seal(public hpke.PublicKey, about, text []byte) ([]byte, error) {
	_, kdf, aead := suite()
	sealed, err := hpke.Seal(public, kdf, aead, about, text)
	if err != nil {
		return nil, fmt.Errorf("seal text: %w", err)
	}
	return sealed, nil
}

// open gives what was sealed, or ErrAltered.
func open(private hpke.PrivateKey, about, sealed []byte) ([]byte, error) {
	_, kdf, aead := suite()
	text, err := hpke.Open(private, kdf, aead, about, sealed)
	if err != nil {
		return nil, ErrAltered
	}
	return text, nil
}
