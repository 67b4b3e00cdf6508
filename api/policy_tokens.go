package api

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/api/openapi"
	"github.com/anteroom/anteroom/policy/exchange"
	"github.com/anteroom/anteroom/store"
)

// defaultTokenDays is how long an agent's token is good for unless asked.
const defaultTokenDays = 90

// ListPolicyTokens lists the tokens of the organisation's agents.
func (h *handlers) ListPolicyTokens(ctx context.Context, _ openapi.ListPolicyTokensRequestObject) (openapi.ListPolicyTokensResponseObject, error) {
	p, org, err := h.policyRoom(ctx)
	if err != nil {
		return nil, err
	}
	tokens, err := p.Tokens.List(ctx, org)
	if err != nil {
		return nil, err //nolint:wrapcheck // it says what it did
	}
	out := openapi.ListPolicyTokens200JSONResponse{Tokens: make([]openapi.PolicyToken, len(tokens))}
	for i, t := range tokens {
		id, err := uuid.Parse(t.ID)
		if err != nil {
			return nil, err //nolint:wrapcheck // ids are made here
		}
		out.Tokens[i] = openapi.PolicyToken{Id: id, Name: t.Name, CreatedBy: t.CreatedBy, CreatedAt: t.CreatedAt, ExpiresAt: t.ExpiresAt}
	}
	if k := p.BundleKey; k != nil {
		out.BundleKey = &openapi.PolicyBundleKey{KeyId: k.ID, Algorithm: openapi.ES256, PublicKey: k.Public}
	}
	return out, nil
}

// CreatePolicyToken makes one.
func (h *handlers) CreatePolicyToken(ctx context.Context, request openapi.CreatePolicyTokenRequestObject) (openapi.CreatePolicyTokenResponseObject, error) {
	p, org, err := h.policyRoom(ctx)
	if err != nil {
		return nil, err
	}
	days := defaultTokenDays
	if request.Body.Days != nil {
		days = *request.Body.Days
	}
	t, text, err := p.Tokens.Create(ctx, org, request.Body.Name, callerOf(ctx).author(), time.Duration(days)*day)
	if errors.Is(err, exchange.ErrTooManyTokens) {
		return nil, &Error{Code: CodeTooManyTokens}
	}
	if err != nil {
		return nil, err //nolint:wrapcheck // it says what it did
	}
	id, err := uuid.Parse(t.ID)
	return openapi.CreatePolicyToken201JSONResponse{
		Id: id, Name: t.Name, CreatedBy: t.CreatedBy, CreatedAt: t.CreatedAt, ExpiresAt: t.ExpiresAt, Token: text,
	}, err //nolint:wrapcheck // ids are made here
}

// RevokePolicyToken ends one.
func (h *handlers) RevokePolicyToken(ctx context.Context, request openapi.RevokePolicyTokenRequestObject) (openapi.RevokePolicyTokenResponseObject, error) {
	p, org, err := h.policyRoom(ctx)
	if err != nil {
		return nil, err
	}
	err = p.Tokens.Revoke(ctx, org, request.Id.String(), callerOf(ctx).author())
	if errors.Is(err, store.ErrNotFound) {
		return nil, &Error{Code: CodePolicyTokenNotFound}
	}
	return openapi.RevokePolicyToken204Response{}, err //nolint:wrapcheck // it says what it did
}
