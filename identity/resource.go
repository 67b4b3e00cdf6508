package identity

import (
	"context"

	"github.com/google/uuid"
)

// resourceAudience is what the audience of a resource's own tokens has behind that of its guests': a token for a guest, which guests have in their hands, is
// never one of the resource itself.
const resourceAudience = "-resource"

// Resource proves a resource itself, by a token that it has signed with a registered key: issuer and subject are its own id, and the token works once. A
// resource whose guests are signed for by an OpenID provider has no key of its own, and can't be proven so. The principal has no role and no organisation.
func (v *Verifier) Resource(ctx context.Context, token string) (Principal, error) {
	p, err := parse(token)
	if err != nil {
		return Principal{}, err
	}
	unknown := refuse(IssuerUnknown, "no resource with a registered key set has the token's issuer; it is the resource's id")
	id := p.claims.Issuer
	if parsed, err := uuid.Parse(id); err != nil || parsed.String() != id || id == JoinPageResource {
		return Principal{}, unknown
	}
	from, found, err := v.directory.Resource(ctx, id)
	switch {
	case err != nil:
		return Principal{}, v.lookup(ctx, err)
	case !found || from.ID != id || from.Issuer != nil || len(from.Keys) == 0:
		return Principal{}, unknown
	}
	keys, err := parseKeySet(from.Keys)
	if err != nil {
		return Principal{}, refuse(IssuerUnavailable, "the resource's registered key set can't be used; register it anew")
	}
	if err := p.proveSignature(ctx, keys); err != nil {
		return Principal{}, err
	}
	if err := v.checkGuest(p.claims, v.cfg.GuestAudience+resourceAudience); err != nil {
		return Principal{}, err
	}
	if p.claims.Subject != id || len(p.claims.Audience) != 1 {
		return Principal{}, refuse(TokenAudience, `the token is not one of the resource itself: "sub" must be its id, and "aud" this service's for resources alone`)
	}
	forget := instant(*p.claims.Expires).Add(2 * v.cfg.ClockSkew)
	if err := v.use(ctx, id, p.claims.ID, forget); err != nil {
		return Principal{}, err
	}
	return Principal{Resource: id, Expires: instant(*p.claims.Expires)}, nil
}
