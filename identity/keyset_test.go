package identity_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/anteroom/anteroom/identity"
)

func TestKeySetsThatCanBeRegistered(t *testing.T) {
	t.Setenv("GODEBUG", "rsa1024min=0") // a weak key must be made to be refused
	rsaKey := func(bits int) *rsa.PrivateKey {
		key, err := rsa.GenerateKey(rand.Reader, bits)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	ecKey := func(curve elliptic.Curve) *ecdsa.PrivateKey {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	edPublic, edPrivate, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	good := rsaKey(2048)
	p256 := ecKey(elliptic.P256())
	set := func(keys ...jose.JSONWebKey) string { return string(keySetOf(t, keys...)) }
	many := func(n int) string {
		keys := make([]jose.JSONWebKey, n)
		for i := range keys {
			keys[i] = jose.JSONWebKey{Key: edPublic, KeyID: fmt.Sprint(i)}
		}
		return set(keys...)
	}
	for _, test := range []struct {
		name, set, want string
	}{
		{"RSA 2048", set(jose.JSONWebKey{Key: good.Public()}), ""},
		{"RSA 2048 for PS256", set(jose.JSONWebKey{Key: good.Public(), Algorithm: "PS256", Use: "sig"}), ""},
		{"P-256", set(jose.JSONWebKey{Key: p256.Public(), Algorithm: "ES256"}), ""},
		{"P-521", set(jose.JSONWebKey{Key: ecKey(elliptic.P521()).Public()}), ""},
		{"Ed25519", set(jose.JSONWebKey{Key: edPublic}), ""},
		{"sixteen", many(16), ""},
		{"seventeen", many(17), "keys: has 17 keys"},
		{"none", `{"keys":[]}`, "keys: has 0 keys"},
		{"RSA 1024", set(jose.JSONWebKey{Key: rsaKey(1024).Public()}), "keys[0]: is RSA of 1024 bits"},
		{"P-224", `{"keys":[{"kty":"EC","crv":"P-224","x":"AA","y":"AA"}]}`, "keys[0]: is not a JSON Web Key"},
		{"a point off the curve", `{"keys":[{"kty":"EC","crv":"P-256","x":"` + strings.Repeat("A", 42) + `E","y":"` + strings.Repeat("A", 42) + `E"}]}`, "keys[0]: "},
		{"algorithm of another kind", set(jose.JSONWebKey{Key: p256.Public(), Algorithm: "RS256"}), "keys[0]: alg: does not fit"},
		{"symmetric algorithm", set(jose.JSONWebKey{Key: good.Public(), Algorithm: "HS256"}), "keys[0]: alg: does not fit"},
		{"symmetric key", set(jose.JSONWebKey{Key: []byte("not much of a secret"), KeyID: "x"}), "keys[0]: is a symmetric key"},
		{"private RSA", set(jose.JSONWebKey{Key: good}), "keys[0]: is a private key"},
		{"private P-256", set(jose.JSONWebKey{Key: p256}), "keys[0]: is a private key"},
		{"private Ed25519", set(jose.JSONWebKey{Key: edPrivate}), "keys[0]: is a private key"},
		{"for encryption", set(jose.JSONWebKey{Key: good.Public(), Use: "enc"}), "keys[0]: has a use"},
		{"the same id", set(jose.JSONWebKey{Key: good.Public(), KeyID: "x"}, jose.JSONWebKey{Key: edPublic, KeyID: "x"}), "keys[1]: has the same kid"},
		{"no ids", set(jose.JSONWebKey{Key: good.Public()}, jose.JSONWebKey{Key: edPublic}), "keys[1]: has the same kid"},
		{"long id", set(jose.JSONWebKey{Key: edPublic, KeyID: strings.Repeat("k", 201)}), "keys[0]: kid: is longer"},
		{"no set", `[]`, "is not a JSON Web Key Set"},
		{"no JSON", `keys`, "is not a JSON Web Key Set"},
		{"deeply nested", `{"keys":` + strings.Repeat("[", 30000) + strings.Repeat("]", 30000) + `}`, "is not a JSON Web Key Set"},
		{"large", `{"keys":[],"x":"` + strings.Repeat("x", 64<<10) + `"}`, "at most 65536"},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := identity.CheckKeySet([]byte(test.set))
			if (err == nil) != (test.want == "") || (err != nil && !strings.HasPrefix(err.Error(), test.want) && !strings.Contains(err.Error(), test.want)) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}
