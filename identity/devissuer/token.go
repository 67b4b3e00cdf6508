package devissuer

import (
	"crypto"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/go-jose/go-jose/v4"

	"github.com/anteroom/anteroom/identity"
)

const (
	// defaultTTL is the lifetime of tokens unless asked for, maxTTL the longest.
	defaultTTL = time.Hour
	maxTTL     = 24 * time.Hour
)

// person is who somebody claims to be.
type person struct {
	org   string
	roles []identity.Role
	user  string
	name  string
}

var userID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$`)

// check reports what the service would not believe or would drop in silence.
func (p person) check() error {
	if !userID.MatchString(p.user) {
		return errors.New("user: write 1 to 64 of a-z, A-Z, 0-9, '.', '_', '@' and '-', beginning with a letter or a digit")
	}
	if utf8.RuneCountInString(p.name) > 256 {
		return errors.New("name: is longer than 256 characters")
	}
	operator := slices.Contains(p.roles, identity.Operator)
	switch {
	case p.org == "" && !operator:
		return errors.New("organization: pick one; only an operator is of none")
	case operator && p.org != "":
		return errors.New("role: an operator is of no organisation; leave the organisation out, or pick another role")
	case operator && len(p.roles) > 1:
		return errors.New("role: an operator has no other role; make another token for it")
	}
	for _, role := range p.roles {
		if role == identity.Guest || !slices.Contains(identity.Roles(), role) {
			return fmt.Errorf("role: %q is not one; there are %v", role, Roles())
		}
	}
	return nil
}

// Roles are those that the issuer can give; guests come from resources only.
func Roles() []identity.Role {
	return slices.DeleteFunc(identity.Roles(), func(r identity.Role) bool { return r == identity.Guest })
}

// Token makes a token as the login would: for a user of org with roles; identity.Operator goes alone, with org "". ttl 0 is one hour; at most 24h.
func (i *Issuer) Token(org string, roles []identity.Role, user string, ttl time.Duration) (string, error) {
	return i.NamedToken(org, roles, user, user, ttl)
}

// NamedToken is Token for a user with a name.
func (i *Issuer) NamedToken(org string, roles []identity.Role, user, name string, ttl time.Duration) (string, error) {
	p := person{org: org, roles: roles, user: user, name: name}
	if err := p.check(); err != nil {
		return "", err
	}
	if ttl == 0 {
		ttl = defaultTTL
	}
	if ttl < 0 || ttl > maxTTL {
		return "", fmt.Errorf("ttl: %s is not between 0 and %s", ttl, maxTTL)
	}
	return i.sign(p, "", ttl)
}

func (i *Issuer) sign(p person, nonce string, ttl time.Duration) (string, error) {
	now := i.deps.Now()
	claims := map[string]any{
		"iss": i.cfg.URL, "aud": identity.DevelopmentClient, "sub": p.user, "name": p.name, "roles": p.roles,
		"iat": now.Unix(), "exp": now.Add(ttl).Unix(), "jti": rand.Text(),
	}
	if p.org != "" {
		claims["org"] = p.org
	}
	if nonce != "" {
		claims["nonce"] = nonce
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("sign token: %w", err)
	}
	signed, err := i.signer.Sign(payload)
	if err != nil {
		return "", fmt.Errorf("sign token: %w", err)
	}
	return signed.CompactSerialize()
}

// keyID is the key's thumbprint (RFC 7638), so that a new key has a new id.
func keyID(key jose.JSONWebKey) (string, error) {
	sum, err := key.Thumbprint(crypto.SHA256)
	if err != nil {
		return "", fmt.Errorf("name development issuer's key: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(sum), nil
}
