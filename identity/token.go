package identity

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/json"
)

// Limits of tokens. What is above them is refused before it is parsed.
const (
	maxTokenBytes   = 16 << 10
	maxSubjectBytes = 255
	maxTokenIDBytes = 255
	// maxNumericDate is the end of the year 9999; dates beyond are mistakes (milliseconds, say).
	maxNumericDate = 253402300799
)

func refuse(reason Reason, detail string) error { return &Error{Reason: reason, Detail: detail} }

// claims are what is read of a token, by the names of RFC 7519. Pointers tell an absent claim from an empty one. The decoder is go-jose's: it
// tells upper from lower case and refuses a name that occurs twice, so that nobody else can read the same token differently.
type claims struct {
	Issuer   string   `json:"iss"`
	Subject  string   `json:"sub"`
	Audience audience `json:"aud"`
	ID       string   `json:"jti"`
	Expires  *float64 `json:"exp"`
	Issued   *float64 `json:"iat"`
	From     *float64 `json:"nbf"`

	Name          string `json:"name"`
	PreferredName string `json:"preferred_username"`
	Nonce         string `json:"nonce"`
	Authorized    string `json:"azp"`
	// Org is read from the development issuer's tokens only.
	Org string `json:"org"`
	// Resource is read from tokens of resources' OpenID providers only.
	Resource string `json:"resource"`
}

// audience is a text or a list of texts.
type audience []string

// UnmarshalJSON takes either.
func (a *audience) UnmarshalJSON(raw []byte) error {
	var one string
	if json.Unmarshal(raw, &one) == nil {
		*a = audience{one}
		return nil
	}
	var many []string
	if err := json.Unmarshal(raw, &many); err != nil {
		return errors.New("aud is neither a text nor a list of texts")
	}
	*a = many
	return nil
}

// parsed is a token that was read, and not yet proven.
type parsed struct {
	jws     *jose.JSONWebSignature
	claims  claims
	payload []byte
}

// parse reads a token of a pinned algorithm. Nothing of it may be believed before its signature was verified.
func parse(token string) (parsed, error) {
	switch {
	case token == "":
		return parsed{}, refuse(TokenMissing, "there is no token; send one")
	case len(token) > maxTokenBytes:
		return parsed{}, refuse(TokenMalformed, "the token is longer than 16 KiB")
	}
	jws, err := jose.ParseSignedCompact(token, algorithms())
	var algorithm *jose.ErrUnexpectedSignatureAlgorithm
	switch {
	case errors.As(err, &algorithm):
		return parsed{}, refuse(TokenAlgorithm, "the token's algorithm is not allowed; use RS256, PS256, ES256, EdDSA or their longer kin")
	case err != nil || len(jws.Signatures) != 1:
		return parsed{}, refuse(TokenMalformed, "the token is not a signed JWT in compact form")
	}
	if !accessOrIDToken(jws.Signatures[0].Header) {
		return parsed{}, refuse(TokenMalformed, `the token's "typ" is that of something else than an access or ID token`)
	}
	p := parsed{jws: jws, payload: jws.UnsafePayloadWithoutVerification()}
	if err := json.Unmarshal(p.payload, &p.claims); err != nil {
		return parsed{}, refuse(TokenMalformed, "the token's claims can't be read; compare their types with RFC 7519")
	}
	for _, date := range []*float64{p.claims.Expires, p.claims.Issued, p.claims.From} {
		if date != nil && (*date < 0 || *date > maxNumericDate) {
			return parsed{}, refuse(TokenMalformed, "exp, iat or nbf is no date; they are seconds since 1970")
		}
	}
	if p.claims.Issuer == "" {
		return parsed{}, refuse(TokenIncomplete, `the claim "iss" is missing`)
	}
	return p, nil
}

// accessOrIDToken keeps out other kinds of JWT that the same issuer signs for the same audience, such as logout tokens.
func accessOrIDToken(header jose.Header) bool {
	typ, present := header.ExtraHeaders[jose.HeaderType]
	if !present {
		return true
	}
	text, ok := typ.(string)
	text = strings.TrimPrefix(strings.ToLower(text), "application/")
	return ok && (text == "jwt" || text == "at+jwt")
}

// timely checks exp, iat and nbf, allowing for skew. iat is wanted of guests' tokens only, since their lifetime is bounded.
func (c claims) timely(now time.Time, skew time.Duration, needIssued bool) error {
	switch {
	case c.Expires == nil:
		return refuse(TokenIncomplete, `the claim "exp" is missing`)
	case needIssued && c.Issued == nil:
		return refuse(TokenIncomplete, `the claim "iat" is missing`)
	case !now.Before(instant(*c.Expires).Add(skew)):
		return refuse(TokenExpired, "the token has expired; get a new one")
	case c.Issued != nil && instant(*c.Issued).After(now.Add(skew)), c.From != nil && instant(*c.From).After(now.Add(skew)):
		return refuse(TokenNotYet, "the token is not valid yet; compare the clocks")
	}
	return nil
}

// lifetime is exp minus iat; both are there.
func (c claims) lifetime() time.Duration { return instant(*c.Expires).Sub(instant(*c.Issued)) }

func (c claims) checkSubject() error {
	switch {
	case c.Subject == "":
		return refuse(TokenIncomplete, `the claim "sub" is missing`)
	case len(c.Subject) > maxSubjectBytes:
		return refuse(TokenMalformed, `the claim "sub" is longer than 255 bytes`)
	}
	return nil
}

func (c claims) checkAudience(want string) error {
	switch {
	case len(c.Audience) == 0:
		return refuse(TokenIncomplete, `the claim "aud" is missing`)
	case want == "" || !slices.Contains(c.Audience, want):
		return refuse(TokenAudience, "the token is for another audience; set \"aud\" to this service's")
	}
	return nil
}

func instant(numericDate float64) time.Time {
	return time.UnixMilli(int64(numericDate * 1000)).UTC()
}

// keySource has the keys of one issuer, and may look for newer ones when a key id is unknown.
type keySource interface {
	keysFor(ctx context.Context, kid string) (keySet, error)
}

// keysFor makes a registered key set its own source.
func (s keySet) keysFor(context.Context, string) (keySet, error) { return s, nil }

// proveSignature finds the keys and verifies.
func (p parsed) proveSignature(ctx context.Context, source keySource) error {
	keys, err := source.keysFor(ctx, p.jws.Signatures[0].Header.KeyID)
	if err != nil {
		return err
	}
	return keys.verify(p.jws)
}
