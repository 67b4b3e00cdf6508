package sealing

import (
	"crypto/ecdh"
	"crypto/hpke"
	"errors"
	"fmt"
)

// Errors of Ring.Seal and Keeper.Open.
var (
	// ErrNoKey: no key of the region is known that may be sealed to now.
	ErrNoKey = errors.New("the region has published no key for now")
	// ErrDestroyed: the key is gone, and with it what was sealed to it.
	ErrDestroyed = errors.New("the key is destroyed")
	// ErrAltered: what is opened is not what was sealed, or about something else.
	ErrAltered = errors.New("what was sealed has been altered")
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
func seal(public, about, text []byte) ([]byte, error) {
	kem, kdf, aead := suite()
	key, err := kem.NewPublicKey(public)
	if err != nil {
		return nil, fmt.Errorf("read public key: %w", err)
	}
	sealed, err := hpke.Seal(key, kdf, aead, about, text)
	if err != nil {
		return nil, fmt.Errorf("seal text: %w", err)
	}
	return sealed, nil
}

// open gives what was sealed, or ErrAltered.
func open(private, about, sealed []byte) ([]byte, error) {
	kem, kdf, aead := suite()
	key, err := kem.NewPrivateKey(private)
	if err != nil {
		return nil, fmt.Errorf("read private key: %w", err)
	}
	text, err := hpke.Open(key, kdf, aead, about, sealed)
	if err != nil {
		return nil, ErrAltered
	}
	return text, nil
}
