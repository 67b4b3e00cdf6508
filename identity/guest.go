package identity

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/uuid"

	"github.com/anteroom/anteroom/directory"
)

// JoinPageResource is the id of the built-in resource of the shipped join page, whose guests type a name. No registered resource may have it.
const JoinPageResource = "00000000-0000-4000-8000-00000000a001"

// joinPageLifetime is how long a token of the join page may wait for its use: the page asks for it when the guest presses "join".
const joinPageLifetime = 2 * time.Minute

// JoinPage is the built-in resource's row; it has no keys, since only this service signs for it.
func JoinPage(region string) directory.Resource {
	return directory.Resource{ID: JoinPageResource, Name: "Join page", Region: region}
}

// guestIssuer is what a resource's guests' tokens are checked against.
type guestIssuer struct {
	resource, audience string
	keys               keySource
}

// Guest proves a resource's guest. Whatever else the token says, the principal is a guest: it has no organisation and no other role.
func (v *Verifier) Guest(ctx context.Context, token string) (Principal, error) {
	p, err := parse(token)
	if err != nil {
		return Principal{}, err
	}
	from, err := v.guestIssuer(ctx, p.claims)
	if err != nil {
		return Principal{}, err
	}
	if err := p.proveSignature(ctx, from.keys); err != nil {
		return Principal{}, err
	}
	if err := v.checkGuest(p.claims, from.audience); err != nil {
		return Principal{}, err
	}
	// Last of all, so that a token is used up only by a use that would have succeeded.
	forget := instant(*p.claims.Expires).Add(2 * v.cfg.ClockSkew)
	if err := v.use(ctx, from.resource, p.claims.ID, forget); err != nil {
		return Principal{}, err
	}
	return Principal{
		Roles: []Role{Guest}, Subject: p.claims.Subject, Resource: from.resource, Expires: instant(*p.claims.Expires),
	}, nil
}

// guestIssuer finds the resource: the token's issuer is the resource itself, or its OpenID provider with the resource in a claim.
func (v *Verifier) guestIssuer(ctx context.Context, c claims) (guestIssuer, error) {
	if c.Issuer == JoinPageResource {
		return guestIssuer{resource: JoinPageResource, audience: v.cfg.GuestAudience, keys: v.joinPage.keys}, nil
	}
	id, byIssuer := c.Issuer, strings.Contains(c.Issuer, "://")
	if byIssuer {
		if id = c.Resource; id == "" {
			id = c.Authorized
		}
		if id == "" {
			return guestIssuer{}, refuse(TokenIncomplete, `the claim "resource" is missing; a token of an OpenID provider names the resource's id there`)
		}
	}
	unknown := refuse(IssuerUnknown, "no resource here has the token's issuer; it is the resource's id, or the URL of the resource's OpenID provider")
	// One spelling only, so that what a token was used for is remembered under one name.
	if parsed, err := uuid.Parse(id); err != nil || parsed.String() != id {
		return guestIssuer{}, unknown
	}
	resource, found, err := v.directory.Resource(ctx, id)
	switch {
	case err != nil:
		return guestIssuer{}, v.lookup(ctx, err)
	case !found || resource.ID != id:
		return guestIssuer{}, unknown
	case byIssuer && resource.Issuer != nil && resource.Issuer.URL == c.Issuer:
		return guestIssuer{resource: id, audience: resource.Issuer.ClientID, keys: issuerKeys{v.issuers, c.Issuer}}, nil
	case !byIssuer && resource.Issuer == nil && len(resource.Keys) > 0:
		keys, err := parseKeySet(resource.Keys)
		if err != nil {
			v.log.ErrorContext(ctx, "a resource's registered key set can't be used", "resource", id, "error", err.Error())
			return guestIssuer{}, refuse(IssuerUnavailable, "the resource's registered key set can't be used; register it anew")
		}
		return guestIssuer{resource: id, audience: v.cfg.GuestAudience, keys: keys}, nil
	}
	return guestIssuer{}, unknown
}

func (v *Verifier) checkGuest(c claims, audience string) error {
	if err := c.checkAudience(audience); err != nil {
		return err
	}
	if err := c.timely(v.now(), v.cfg.ClockSkew, true); err != nil {
		return err
	}
	switch lifetime := c.lifetime(); {
	case lifetime <= 0:
		return refuse(TokenMalformed, `"exp" is not after "iat"`)
	case lifetime > v.cfg.MaxGuestLifetime:
		return refuse(TokenTooLong, fmt.Sprintf(`"exp" is more than %s after "iat"; sign a token for each join`, v.cfg.MaxGuestLifetime))
	}
	if err := c.checkSubject(); err != nil {
		return err
	}
	switch {
	case c.ID == "":
		return refuse(TokenIncomplete, `the claim "jti" is missing; give each token an id of its own`)
	case len(c.ID) > maxTokenIDBytes:
		return refuse(TokenMalformed, `the claim "jti" is longer than 255 bytes`)
	}
	return nil
}

// joinPage signs for the built-in resource, with a key that every node derives from the master key.
type joinPage struct {
	signer jose.Signer
	keys   keySet
}

func newJoinPage(s *Sealer) (joinPage, error) {
	private := ed25519.NewKeyFromSeed(s.derive("join page"))
	const id = "join-page"
	signer, err := jose.NewSigner(
		jose.SigningKey{Algorithm: jose.EdDSA, Key: jose.JSONWebKey{Key: private, KeyID: id}}, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		return joinPage{}, fmt.Errorf("make the join page's signer: %w", err)
	}
	return joinPage{signer: signer, keys: keySet{[]jose.JSONWebKey{{Key: private.Public(), KeyID: id, Algorithm: string(jose.EdDSA)}}}}, nil
}

// SignGuest makes a token for somebody who types a name on the shipped join page: random subject, works once, valid for two minutes.
func (v *Verifier) SignGuest() (string, error) {
	now := v.now()
	payload, err := json.Marshal(map[string]any{
		"iss": JoinPageResource, "aud": v.cfg.GuestAudience, "sub": rand.Text(), "jti": rand.Text(),
		"iat": now.Unix(), "exp": now.Add(min(joinPageLifetime, v.cfg.MaxGuestLifetime)).Unix(),
	})
	if err != nil {
		return "", fmt.Errorf("sign guest's token: %w", err)
	}
	signed, err := v.joinPage.signer.Sign(payload)
	if err != nil {
		return "", fmt.Errorf("sign guest's token: %w", err)
	}
	return signed.CompactSerialize()
}
