package identity

import (
	"context"
	"fmt"
	"io"
	"mime"
	"net/http"

	"github.com/go-jose/go-jose/v4/json"
	"golang.org/x/oauth2"
)

// userinfo completes a user whose ID token says less than the provider knows: by the standard, claims of the scope profile are not in an ID token that comes
// with an access token, but at the provider's userinfo endpoint (OpenID Connect Core 1.0, sections 5.3 and 5.4). What the ID token states stands.
func (l *Login) userinfo(ctx context.Context, p parsed, from trust, known *provider, token *oauth2.Token, proven Principal) (Principal, error) {
	if known.userinfo == "" || token.AccessToken == "" || (proven.Name != "" && has(p.payload, from.roleClaim)) {
		return proven, nil
	}
	payload, c, err := l.verifier.issuers.userinfo(ctx, known.userinfo, token.AccessToken)
	if err != nil {
		l.verifier.log.WarnContext(ctx, "a provider's userinfo can't be read", "issuer", from.issuer)
		return Principal{}, refuse(IssuerUnavailable, "the identity provider doesn't tell who signed in; try again")
	}
	if c.Subject != proven.Subject { // section 5.3.2: else tokens could be put in each other's place
		return Principal{}, &LoginError{LoginState, "the identity provider's answers are about two users; sign in again"}
	}
	if proven.Name == "" {
		proven.Name = displayName(c)
	}
	if !has(p.payload, from.roleClaim) {
		from.org = proven.Org
		proven.Roles = userRoles(payload, from)
	}
	return proven, nil
}

// has tells whether a claim is stated at all.
func has(payload []byte, name string) bool { return stringsAt(payload, name) != nil }

// userinfo asks for claims by an access token. A signed answer (application/jwt) is not asked for, and not read.
func (i *issuers) userinfo(ctx context.Context, location, access string) (payload []byte, c claims, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, location, nil)
	if err != nil {
		return nil, c, fmt.Errorf("ask for userinfo: %w", err)
	}
	request.Header.Set("Authorization", "Bearer "+access)
	request.Header.Set("Accept", "application/json")
	response, err := i.client.Do(request)
	if err != nil {
		return nil, c, fmt.Errorf("ask for userinfo: %w", err)
	}
	defer response.Body.Close()
	media, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type"))
	if response.StatusCode != http.StatusOK || media != "application/json" {
		return nil, c, fmt.Errorf("ask for userinfo: the answer is %d", response.StatusCode)
	}
	if payload, err = io.ReadAll(response.Body); err != nil {
		return nil, c, fmt.Errorf("read userinfo: %w", err)
	}
	if err := json.Unmarshal(payload, &c); err != nil {
		return nil, c, fmt.Errorf("read userinfo: %w", err)
	}
	return payload, c, nil
}
