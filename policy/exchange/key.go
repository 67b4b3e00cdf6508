package exchange

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
)

// Key signs bundles.
type Key struct {
	// ID names it in signatures.
	ID string
	// Public is what agents check signatures with, as PEM.
	Public  string
	private string
}

// ReadKey reads a key from a file.
func ReadKey(path string) (*Key, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read key of bundles: %w", err)
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("read key of bundles: %s is no PEM", path)
	}
	key, err := x509.ParseECPrivateKey(block.Bytes)
	if err != nil {
		parsed, other := x509.ParsePKCS8PrivateKey(block.Bytes)
		var ok bool
		if key, ok = parsed.(*ecdsa.PrivateKey); other != nil || !ok {
			return nil, fmt.Errorf("read key of bundles: %s has no EC private key", path)
		}
	}
	if key.Curve != elliptic.P256() {
		return nil, fmt.Errorf("read key of bundles: %s has a key that isn't on P-256", path)
	}
	return newKey(key)
}

// EnsureKey is ReadKey, and makes the file with a new key if there is none.
func EnsureKey(path string) (*Key, error) {
	if key, err := ReadKey(path); !errors.Is(err, os.ErrNotExist) {
		return key, err
	}
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make key of bundles: %w", err)
	}
	key, err := newKey(private)
	if err != nil {
		return nil, err
	}
	// A file that another process makes at the same moment counts.
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		return ReadKey(path)
	}
	if err == nil {
		_, err = file.WriteString(key.private)
		err = errors.Join(err, file.Sync(), file.Close())
	}
	if err != nil {
		return nil, fmt.Errorf("make key of bundles: %w", err)
	}
	return key, nil
}

func newKey(private *ecdsa.PrivateKey) (*Key, error) {
	secret, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		return nil, fmt.Errorf("encode key of bundles: %w", err)
	}
	public, err := x509.MarshalPKIXPublicKey(&private.PublicKey)
	if err != nil {
		return nil, fmt.Errorf("encode key of bundles: %w", err)
	}
	sum := sha256.Sum256(public)
	return &Key{
		ID: hex.EncodeToString(sum[:8]), Public: string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})),
		private: string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: secret})),
	}, nil
}
