package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/api/openapi"
	"github.com/anteroom/anteroom/identity"
	"github.com/anteroom/anteroom/identity/apitoken"
	"github.com/anteroom/anteroom/store"
)

// bearerToken proves who bears one of an organisation's tokens, for what it is asked for. A token does what one person may do alone: it neither makes nor ends
// tokens, nor is it the second person that held content wants.
func (s *Server) bearerToken(r *http.Request, text, operation string) (identity.Principal, error) {
	if s.tokens == nil {
		return identity.Principal{}, &Error{Code: CodeIdentityUnavailable}
	}
	bearer, err := s.tokens.Prove(r.Context(), text)
	if err != nil {
		return identity.Principal{}, err //nolint:wrapcheck // the refusal is the answer
	}
	if bearer.ReadOnly && r.Method != http.MethodGet && r.Method != http.MethodHead {
		return identity.Principal{}, &Error{Code: CodeForbidden, Detail: "The token is good for reading only."}
	}
	if slices.Contains([]string{"createToken", "revokeToken", "createPolicyToken", "revokePolicyToken", "approveExport"}, operation) {
		return identity.Principal{}, &Error{Code: CodeForbidden, Detail: "This takes a person who has signed in; a token won't do."}
	}
	return bearer.Principal, nil
}

// tokenRoom has the tokens and the organisation that a request is about.
func (h *handlers) tokenRoom(ctx context.Context) (*apitoken.Tokens, string, error) {
	org := callerOf(ctx).about
	if h.tokens == nil {
		return nil, "", &Error{Code: CodeIdentityUnavailable}
	}
	return h.tokens, org, nil
}

func presentToken(t apitoken.Token) (openapi.ApiToken, error) {
	id, err := uuid.Parse(t.ID)
	if err != nil {
		return openapi.ApiToken{}, fmt.Errorf("show token: %w", err) // ids are made here
	}
	out := openapi.ApiToken{
		Id: id, Name: t.Name, ReadOnly: t.ReadOnly, CreatedBy: t.CreatedBy, CreatedAt: t.CreatedAt, ExpiresAt: t.ExpiresAt, LastUsedAt: timeOrNil(t.UsedAt),
		Roles: make([]openapi.ApiTokenRole, len(t.Roles)),
	}
	for i, r := range t.Roles {
		out.Roles[i] = openapi.ApiTokenRole(r)
	}
	return out, nil
}

// ListTokens lists the organisation's tokens.
func (h *handlers) ListTokens(ctx context.Context, _ openapi.ListTokensRequestObject) (openapi.ListTokensResponseObject, error) {
	tokens, org, err := h.tokenRoom(ctx)
	if err != nil {
		return nil, err
	}
	list, err := tokens.List(ctx, org)
	if err != nil {
		return nil, err //nolint:wrapcheck // it says what it did
	}
	out := openapi.ListTokens200JSONResponse{Tokens: make([]openapi.ApiToken, len(list))}
	for i, t := range list {
		if out.Tokens[i], err = presentToken(t); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// CreateToken makes one, with roles that whoever makes it has.
func (h *handlers) CreateToken(ctx context.Context, request openapi.CreateTokenRequestObject) (openapi.CreateTokenResponseObject, error) {
	tokens, org, err := h.tokenRoom(ctx)
	if err != nil {
		return nil, err
	}
	who, in := callerOf(ctx), request.Body
	t := apitoken.Token{Name: in.Name, ReadOnly: value(in.ReadOnly), CreatedBy: who.author(), ExpiresAt: time.Now().Add(defaultTokenDays * day)}
	if in.Days != nil {
		t.ExpiresAt = time.Now().Add(time.Duration(*in.Days) * day)
	}
	for _, r := range in.Roles {
		role := identity.Role(r)
		if !who.has(role) {
			return nil, &Error{Code: CodeInvalidField, Field: "roles", Detail: "The field roles has a role that you don't have yourself."}
		}
		if !slices.Contains(t.Roles, role) {
			t.Roles = append(t.Roles, role)
		}
	}
	made, text, err := tokens.Create(ctx, org, t)
	if errors.Is(err, apitoken.ErrTooMany) {
		return nil, &Error{Code: CodeTooManyTokens}
	}
	if err != nil {
		return nil, err //nolint:wrapcheck // it says what it did
	}
	shown, err := presentToken(made)
	if err != nil {
		return nil, err
	}
	return openapi.CreateToken201JSONResponse{Token: text, Made: shown}, nil
}

// RevokeToken ends one.
func (h *handlers) RevokeToken(ctx context.Context, request openapi.RevokeTokenRequestObject) (openapi.RevokeTokenResponseObject, error) {
	tokens, org, err := h.tokenRoom(ctx)
	if err != nil {
		return nil, err
	}
	err = tokens.Revoke(ctx, org, request.Id.String(), callerOf(ctx).author())
	if errors.Is(err, store.ErrNotFound) {
		return nil, &Error{Code: CodePolicyTokenNotFound}
	}
	return openapi.RevokeToken204Response{}, err //nolint:wrapcheck // it says what it did
}
