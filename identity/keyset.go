package identity

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	stdjson "encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/json"
)

// Limits of key sets. A registered one is small and entirely right; an issuer's own may be larger, and what can't be used of it is passed over.
const (
	maxKeySetBytes   = 64 << 10
	maxKeys          = 16
	maxIssuerKeys    = 100
	maxKeyIDBytes    = 200
	minRSABits       = 2048
	maxRSABits       = 8192 // above, one verification costs more than a join should
	maxIssuerDocSize = 1 << 20
)

// algorithms are those that a token may be signed with: asymmetric ones only, so that a public key can't be taken for a secret.
func algorithms() []jose.SignatureAlgorithm {
	return []jose.SignatureAlgorithm{
		jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512, jose.ES256, jose.ES384, jose.ES512, jose.EdDSA,
	}
}

// keySet is public keys that were checked.
type keySet struct {
	keys []jose.JSONWebKey
}

// CheckKeySet tells whether a resource's JSON Web Key Set can be registered: at most 64 KiB, 1 to 16 public signature keys (RSA of 2048 to
// 8192 bits, P-256, P-384, P-521, Ed25519), distinct key ids if there are several. Errors begin with the key's place, "keys[0]: …".
func CheckKeySet(raw []byte) error {
	_, err := parseKeySet(raw)
	return err
}

// parseKeySet reads a registered key set, of which every key must be right.
func parseKeySet(raw []byte) (keySet, error) {
	texts, err := splitKeySet(raw, maxKeySetBytes, maxKeys)
	if err != nil {
		return keySet{}, err
	}
	var (
		set  keySet
		errs []error
		ids  = map[string]bool{}
	)
	for i, text := range texts {
		key, err := parseKey(text)
		if err != nil {
			errs = append(errs, fmt.Errorf("keys[%d]: %w", i, err))
			continue
		}
		if ids[key.KeyID] {
			errs = append(errs, fmt.Errorf("keys[%d]: has the same kid as another key, or none; with several keys each needs its own", i))
		}
		ids[key.KeyID] = true
		set.keys = append(set.keys, key)
	}
	return set, errors.Join(errs...)
}

// parseIssuerKeys reads an issuer's key set and passes over keys that are of no use here, such as those for encryption.
func parseIssuerKeys(raw []byte) (keySet, error) {
	texts, err := splitKeySet(raw, maxIssuerDocSize, maxIssuerKeys)
	if err != nil {
		return keySet{}, err
	}
	var set keySet
	for _, text := range texts {
		if key, err := parseKey(text); err == nil {
			set.keys = append(set.keys, key)
		}
	}
	if len(set.keys) == 0 {
		return keySet{}, errors.New("has no public key that signatures can be checked with")
	}
	return set, nil
}

func splitKeySet(raw []byte, maxBytes, most int) ([]json.RawMessage, error) {
	if len(raw) > maxBytes {
		return nil, fmt.Errorf("is %d bytes; at most %d are read", len(raw), maxBytes)
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	// Valid bounds the nesting, which go-jose's decoder does not.
	if !stdjson.Valid(raw) || json.Unmarshal(raw, &set) != nil {
		return nil, errors.New(`is not a JSON Web Key Set, an object with the list "keys"`)
	}
	if len(set.Keys) == 0 || len(set.Keys) > most {
		return nil, fmt.Errorf("keys: has %d keys; 1 to %d are possible", len(set.Keys), most)
	}
	return set.Keys, nil
}

// parseKey reads one public key. Its errors don't quote the key: it may turn out to be private.
func parseKey(text []byte) (jose.JSONWebKey, error) {
	var key jose.JSONWebKey
	if err := json.Unmarshal(text, &key); err != nil {
		return key, errors.New("is not a JSON Web Key of a kind that is known")
	}
	switch {
	case isSymmetric(key):
		return key, errors.New(`is a symmetric key ("oct"); only public keys can be registered`)
	case !key.IsPublic():
		return key, errors.New("is a private key; it is known to others now, so make a new pair and register the public half")
	case !key.Valid():
		return key, errors.New("is not a valid key")
	case key.Use != "" && key.Use != "sig":
		return key, errors.New(`has a use other than "sig"`)
	case len(key.KeyID) > maxKeyIDBytes:
		return key, fmt.Errorf("kid: is longer than %d bytes", maxKeyIDBytes)
	}
	fit, err := keyAlgorithms(key.Key)
	if err != nil {
		return key, err
	}
	if key.Algorithm != "" && !slices.Contains(fit, jose.SignatureAlgorithm(key.Algorithm)) {
		return key, fmt.Errorf("alg: does not fit the key; %v do", fit)
	}
	// Certificates are not looked at, so they are not kept either.
	return jose.JSONWebKey{Key: key.Key, KeyID: key.KeyID, Algorithm: key.Algorithm, Use: key.Use}, nil
}

func isSymmetric(key jose.JSONWebKey) bool {
	_, ok := key.Key.([]byte)
	return ok
}

// keyAlgorithms are the algorithms that a key may verify; an error says why there are none.
func keyAlgorithms(key any) ([]jose.SignatureAlgorithm, error) {
	switch key := key.(type) {
	case *rsa.PublicKey:
		if bits := key.N.BitLen(); bits < minRSABits || bits > maxRSABits {
			return nil, fmt.Errorf("is RSA of %d bits; %d to %d are possible", bits, minRSABits, maxRSABits)
		}
		return []jose.SignatureAlgorithm{jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512}, nil
	case *ecdsa.PublicKey:
		switch key.Curve {
		case elliptic.P256():
			return []jose.SignatureAlgorithm{jose.ES256}, nil
		case elliptic.P384():
			return []jose.SignatureAlgorithm{jose.ES384}, nil
		case elliptic.P521():
			return []jose.SignatureAlgorithm{jose.ES512}, nil
		}
	case ed25519.PublicKey:
		return []jose.SignatureAlgorithm{jose.EdDSA}, nil
	}
	return nil, errors.New("is of a kind that is not supported; RSA, P-256, P-384, P-521 and Ed25519 are")
}

// has tells whether a token that names kid could be signed by one of the keys. A token that names none may be by any.
func (s keySet) has(kid string) bool {
	return kid == "" || slices.ContainsFunc(s.keys, func(key jose.JSONWebKey) bool { return key.KeyID == kid || key.KeyID == "" })
}

// verify checks the signature with each key that the token may mean, and says why not.
func (s keySet) verify(jws *jose.JSONWebSignature) error {
	header := jws.Signatures[0].Header
	alg := jose.SignatureAlgorithm(header.Algorithm)
	fitting := false
	for _, key := range s.keys {
		if header.KeyID != "" && key.KeyID != "" && key.KeyID != header.KeyID {
			continue
		}
		fit, err := keyAlgorithms(key.Key)
		if err != nil || !slices.Contains(fit, alg) || (key.Algorithm != "" && key.Algorithm != header.Algorithm) {
			continue
		}
		fitting = true
		if _, err := jws.Verify(key.Key); err == nil {
			return nil
		}
	}
	if !fitting && s.has(header.KeyID) {
		return refuse(TokenAlgorithm, "the token's algorithm is not that of the key it names; sign it with the registered key")
	}
	return refuse(TokenSignature, "the signature is not by a known key; check that the key set has the key that signed the token")
}
