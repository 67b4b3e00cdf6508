package identity

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"unicode"

	"github.com/anteroom/anteroom/directory"
)

// trust is one party whose tokens are believed, and for what.
type trust struct {
	issuer, client, roleClaim string
	// org that the issuer's users are of. "" where users are operators, or where the token says (development).
	org         string
	development bool
}

// User proves a user of an organisation, or an operator. The user's organisation is the one whose issuer signed the token, whatever the token
// says of organisations.
func (v *Verifier) User(ctx context.Context, bearer string) (Principal, error) {
	p, err := parse(bearer)
	if err != nil {
		return Principal{}, err
	}
	from, err := v.trustedIssuer(ctx, p.claims)
	if err != nil {
		return Principal{}, err
	}
	return v.proveUser(ctx, p, from)
}

// trustedIssuer finds who may have signed the token. Issuer and audience together name the organisation: several may share a provider, each
// with a client of its own.
func (v *Verifier) trustedIssuer(ctx context.Context, c claims) (trust, error) {
	var candidates []trust
	if operators := v.operators(); operators.issuer == c.Issuer {
		candidates = append(candidates, operators)
	}
	if development := v.development(); development.issuer == c.Issuer {
		candidates = append(candidates, development)
	} else {
		orgs, err := v.directory.OrganizationsByIssuer(ctx, c.Issuer)
		if err != nil {
			return trust{}, v.lookup(ctx, err)
		}
		for _, org := range orgs {
			if org.Issuer != nil && org.Issuer.URL == c.Issuer {
				candidates = append(candidates, trustOf(org))
			}
		}
	}
	if len(candidates) == 0 {
		return trust{}, refuse(IssuerUnknown, "no organisation here has the token's issuer; register it with the organisation")
	}
	if len(c.Audience) == 0 {
		return trust{}, refuse(TokenIncomplete, `the claim "aud" is missing`)
	}
	var fitting []trust
	for _, candidate := range candidates {
		if candidate.client != "" && slices.Contains(c.Audience, candidate.client) {
			fitting = append(fitting, candidate)
		}
	}
	switch {
	case len(fitting) == 0:
		return trust{}, refuse(TokenAudience, "the token is for another audience than this service's client at that issuer")
	// The operator's own comes first, so that no organisation can lock operators out by naming their issuer and client.
	case len(fitting) == 1, fitting[0].org == "":
		return fitting[0], nil
	default:
		return trust{}, refuse(TokenAudience, "several organisations have the token's issuer and audience; give each a client id of its own")
	}
}

func (v *Verifier) operators() trust {
	o := v.cfg.OperatorIssuer
	return trust{issuer: o.URL, client: o.ClientID, roleClaim: o.RoleClaim}
}

func (v *Verifier) development() trust {
	return trust{issuer: v.cfg.DevelopmentIssuer, client: DevelopmentClient, roleClaim: defaultRoleClaim, development: true}
}

func trustOf(org directory.Organization) trust {
	t := trust{issuer: org.Issuer.URL, client: org.Issuer.ClientID, roleClaim: org.Issuer.RoleClaim, org: org.ID}
	if t.roleClaim == "" {
		t.roleClaim = defaultRoleClaim
	}
	return t
}

// proveUser verifies the token against one trusted issuer.
func (v *Verifier) proveUser(ctx context.Context, p parsed, from trust) (Principal, error) {
	c := p.claims
	if c.Issuer != from.issuer || from.issuer == "" {
		return Principal{}, refuse(IssuerUnknown, "the token is of another issuer than the one that was asked")
	}
	if err := p.proveSignature(ctx, issuerKeys{v.issuers, from.issuer}); err != nil {
		return Principal{}, err
	}
	if err := c.checkAudience(from.client); err != nil {
		return Principal{}, err
	}
	if err := c.timely(v.now(), v.cfg.ClockSkew, false); err != nil {
		return Principal{}, err
	}
	if err := c.checkSubject(); err != nil {
		return Principal{}, err
	}
	if from.development {
		if err := v.checkDevelopmentOrg(ctx, c.Org); err != nil {
			return Principal{}, err
		}
		from.org = c.Org
	}
	return Principal{
		Roles: userRoles(p.payload, from), Org: from.org, Subject: c.Subject, Name: displayName(c), Expires: instant(*c.Expires),
	}, nil
}

// checkDevelopmentOrg lets the development issuer speak only for organisations that have no issuer of their own.
func (v *Verifier) checkDevelopmentOrg(ctx context.Context, id string) error {
	if id == "" {
		return nil // an operator
	}
	org, found, err := v.directory.Organization(ctx, id)
	switch {
	case err != nil:
		return v.lookup(ctx, err)
	case !found:
		return refuse(IssuerUnknown, "the organisation that the development token names does not exist")
	case org.Issuer != nil:
		return refuse(IssuerUnknown, "the organisation has an issuer of its own; the development issuer does not sign in its users")
	}
	return nil
}

// userRoles reads the role claim. What an issuer may not give is dropped: an organisation's makes no operators, nobody's makes guests.
func userRoles(payload []byte, from trust) []Role {
	stated := stringsAt(payload, from.roleClaim)
	if from.org == "" {
		if slices.Contains(stated, string(Operator)) {
			return []Role{Operator}
		}
		return []Role{}
	}
	roles := []Role{OrgUser}
	for _, role := range []Role{Admin, Support, Auditor, PolicyAuthor} {
		if slices.Contains(stated, string(role)) {
			roles = append(roles, role)
		}
	}
	return roles
}

// stringsAt reads a claim that is a text or a list of texts. Its name may be a path ("realm_access.roles"); a claim of exactly that name comes
// first, since names with dots are usual too ("https://example.com/roles").
func stringsAt(payload []byte, name string) []string {
	var tree map[string]json.RawMessage
	if json.Unmarshal(payload, &tree) != nil {
		return nil
	}
	raw, ok := tree[name]
	if !ok {
		first, rest, nested := strings.Cut(name, ".")
		if !nested || tree[first] == nil {
			return nil
		}
		return stringsAt(tree[first], rest)
	}
	var many []string
	if json.Unmarshal(raw, &many) == nil {
		return many
	}
	var one string
	if json.Unmarshal(raw, &one) == nil {
		return []string{one}
	}
	return nil
}

// maxNameRunes is the length of a user's name that is kept.
const maxNameRunes = 256

// displayName is the issuer's name for the user, without characters that could make it look like another.
func displayName(c claims) string {
	name := c.Name
	if name == "" {
		name = c.PreferredName
	}
	runes := []rune(strings.Map(func(r rune) rune {
		if unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) {
			return -1
		}
		return r
	}, name))
	if len(runes) > maxNameRunes {
		runes = runes[:maxNameRunes]
	}
	return strings.TrimSpace(string(runes))
}
