package api

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"

	"github.com/anteroom/anteroom/api/openapi"
	"github.com/anteroom/anteroom/directory"
	"github.com/anteroom/anteroom/directory/registry"
	"github.com/anteroom/anteroom/identity"
	"github.com/anteroom/anteroom/store"
)

type organization = directory.Versioned[directory.Organization]

// rows are the directory's collections, or a problem where this process has none.
func (h *handlers) rows() (*registry.Registry, error) {
	if h.directory == nil {
		return nil, &Error{Code: CodeDirectoryUnavailable}
	}
	return h.directory, nil
}

// ListOrganizations lists the organisations that the caller may see.
func (h *handlers) ListOrganizations(ctx context.Context, _ openapi.ListOrganizationsRequestObject) (openapi.ListOrganizationsResponseObject, error) {
	r, err := h.rows()
	if err != nil {
		return nil, err
	}
	list, err := r.Organizations.List(ctx, "")
	if err != nil {
		return nil, err //nolint:wrapcheck // the store says what it did
	}
	who := callerOf(ctx)
	var seen []organization
	for _, o := range list {
		if who.has(identity.Operator) || o.Value.ID == who.Org {
			seen = append(seen, o)
		}
	}
	out, err := presentAll(seen, func(o organization) (json.RawMessage, error) { return presentOrganization(o, nil) })
	if err != nil {
		return nil, err
	}
	return openapi.ListOrganizations200JSONResponse{Organizations: out}, nil
}

// CreateOrganization makes an organisation.
func (h *handlers) CreateOrganization(ctx context.Context, request openapi.CreateOrganizationRequestObject) (openapi.CreateOrganizationResponseObject, error) {
	r, err := h.rows()
	if err != nil {
		return nil, err
	}
	var o directory.Organization
	if err := json.Unmarshal(*request.Body, &o); err != nil {
		return nil, &Error{Code: CodeInvalidRequest}
	}
	if err := h.checkHome(o.Region); err != nil {
		return nil, err
	}
	fresh := keepSecrets(o.Webhooks, nil)
	if err := h.issuerFree(ctx, r, o); err != nil {
		return nil, err
	}
	made, err := r.Organizations.Put(ctx, o, 0, callerOf(ctx).author())
	if errors.Is(err, store.ErrConflict) {
		return nil, &Error{Code: CodeExists, Field: "id"}
	}
	if err != nil {
		return nil, wrote(err)
	}
	body, err := presentOrganization(made, fresh)
	if err != nil {
		return nil, err
	}
	return openapi.CreateOrganization201JSONResponse{
		Body:    body,
		Headers: openapi.CreateOrganization201ResponseHeaders{ETag: etag(made.Version), Location: "/v1/organizations/" + made.Value.ID},
	}, nil
}

// organization reads one.
func (h *handlers) organization(ctx context.Context, id string) (organization, error) {
	r, err := h.rows()
	if err != nil {
		return organization{}, err
	}
	found, err := r.Organizations.Get(ctx, "", id)
	if errors.Is(err, store.ErrNotFound) {
		return organization{}, &Error{Code: CodeOrganizationNotFound}
	}
	return found, err //nolint:wrapcheck // the store says what it did
}

// GetOrganization shows one organisation.
func (h *handlers) GetOrganization(ctx context.Context, request openapi.GetOrganizationRequestObject) (openapi.GetOrganizationResponseObject, error) {
	found, err := h.organization(ctx, request.Id)
	if err != nil {
		return nil, err
	}
	body, err := presentOrganization(found, nil)
	if err != nil {
		return nil, err
	}
	return openapi.GetOrganization200JSONResponse{Body: body, Headers: openapi.GetOrganization200ResponseHeaders{ETag: etag(found.Version)}}, nil
}

// UpdateOrganization changes one organisation.
func (h *handlers) UpdateOrganization(ctx context.Context, request openapi.UpdateOrganizationRequestObject) (openapi.UpdateOrganizationResponseObject, error) {
	old, err := h.organization(ctx, request.Id)
	if err != nil {
		return nil, err
	}
	version, err := ifMatch(request.Params.IfMatch, old.Version)
	if err != nil {
		return nil, err
	}
	who := callerOf(ctx)
	if err := operatorsOnly(who, *request.Body, "kind", "issuer"); err != nil {
		return nil, err
	}
	changed, err := merge(old.Value, *request.Body)
	if err != nil {
		return nil, err
	}
	fresh := keepSecrets(changed.Webhooks, old.Value.Webhooks)
	if err := h.issuerFree(ctx, h.directory, changed); err != nil {
		return nil, err
	}
	now, err := h.directory.Organizations.Put(ctx, changed, version, who.author())
	if err != nil {
		return nil, wrote(err)
	}
	body, err := presentOrganization(now, fresh)
	if err != nil {
		return nil, err
	}
	return openapi.UpdateOrganization200JSONResponse{Body: body, Headers: openapi.UpdateOrganization200ResponseHeaders{ETag: etag(now.Version)}}, nil
}

// operatorsOnly refuses fields that others may not change.
func operatorsOnly(who caller, patch json.RawMessage, fields ...string) error {
	var given map[string]json.RawMessage
	if err := json.Unmarshal(patch, &given); err != nil {
		return &Error{Code: CodeInvalidRequest}
	}
	for _, field := range fields {
		if _, ok := given[field]; ok && !who.has(identity.Operator) {
			return &Error{Code: CodeForbidden, Field: field, Detail: "The field " + field + " is the operator's to change."}
		}
	}
	return nil
}

// issuerFree refuses an issuer and client that sign in the users of another organisation: nobody could tell whose they are.
func (*handlers) issuerFree(ctx context.Context, r *registry.Registry, o directory.Organization) error {
	if o.Issuer == nil {
		return nil
	}
	others, err := r.OrganizationsByIssuer(ctx, o.Issuer.URL)
	if err != nil {
		return fmt.Errorf("find issuer: %w: %w", &Error{Code: CodeDirectoryUnavailable}, err)
	}
	for _, other := range others {
		if other.ID != o.ID && other.Issuer.ClientID == o.Issuer.ClientID {
			return &Error{Code: CodeInvalidField, Field: "issuer", Detail: "The field issuer names an issuer and client that another organisation has."}
		}
	}
	return nil
}

// keepSecrets gives each webhook that came without a secret the one that it had under its address or, failing that, a new one; those it
// returns, by address.
func keepSecrets(webhooks, old []directory.Webhook) map[string]string {
	had := make(map[string]string, len(old))
	for _, w := range old {
		had[w.URL] = w.Secret
	}
	fresh := make(map[string]string)
	for i := range webhooks {
		w := &webhooks[i]
		if w.Secret != "" {
			continue
		}
		if w.Secret = had[w.URL]; w.Secret == "" {
			w.Secret = "whsec_" + rand.Text()
			fresh[w.URL] = w.Secret
		}
	}
	return fresh
}

// presentWebhooks shows no secret but those just made up.
func presentWebhooks(list []directory.Webhook, fresh map[string]string) []directory.Webhook {
	out := make([]directory.Webhook, len(list))
	for i, w := range list {
		out[i] = w
		out[i].Secret = fresh[w.URL]
	}
	return out
}

func presentOrganization(o organization, fresh map[string]string) (json.RawMessage, error) {
	o.Value.Webhooks = presentWebhooks(o.Value.Webhooks, fresh)
	return present(o, nil)
}

// ListUsers lists an organisation's users.
func (h *handlers) ListUsers(ctx context.Context, request openapi.ListUsersRequestObject) (openapi.ListUsersResponseObject, error) {
	if _, err := h.organization(ctx, request.Id); err != nil {
		return nil, err
	}
	list, err := h.directory.Users.List(ctx, request.Id)
	if err != nil {
		return nil, err //nolint:wrapcheck // the store says what it did
	}
	page, next, err := pageOf(list, func(u directory.User) string { return u.ID }, request.Params.PageToken, pageSize(request.Params.PageSize), fingerprintOf(ctx))
	if err != nil {
		return nil, err
	}
	users, err := presentAll(page, presentUser)
	if err != nil {
		return nil, err
	}
	return openapi.ListUsers200JSONResponse{Users: users, NextPageToken: next}, nil
}

func presentUser(u directory.Versioned[directory.User]) (json.RawMessage, error) {
	return present(u, nil)
}

// GetUser shows one user.
func (h *handlers) GetUser(ctx context.Context, request openapi.GetUserRequestObject) (openapi.GetUserResponseObject, error) {
	r, err := h.rows()
	if err != nil {
		return nil, err
	}
	found, err := r.Users.Get(ctx, request.Id, request.User)
	if errors.Is(err, store.ErrNotFound) {
		return nil, &Error{Code: CodeUserNotFound}
	}
	if err != nil {
		return nil, err //nolint:wrapcheck // the store says what it did
	}
	body, err := presentUser(found)
	if err != nil {
		return nil, err
	}
	return openapi.GetUser200JSONResponse{Body: body, Headers: openapi.GetUser200ResponseHeaders{ETag: etag(found.Version)}}, nil
}

// PutUser makes or replaces a user.
func (h *handlers) PutUser(ctx context.Context, request openapi.PutUserRequestObject) (openapi.PutUserResponseObject, error) {
	if _, err := h.organization(ctx, request.Id); err != nil {
		return nil, err
	}
	var u directory.User
	if err := json.Unmarshal(*request.Body, &u); err != nil {
		return nil, &Error{Code: CodeInvalidRequest}
	}
	u.Org, u.ID = request.Id, request.User
	old, err := h.directory.Users.Get(ctx, u.Org, u.ID)
	var version uint64
	switch {
	case errors.Is(err, store.ErrNotFound) && request.Params.IfMatch == nil:
	case errors.Is(err, store.ErrNotFound):
		return nil, &Error{Code: CodePreconditionFailed, Parameter: "If-Match"}
	case err != nil:
		return nil, err //nolint:wrapcheck // the store says what it did
	default:
		if version, err = ifMatch(request.Params.IfMatch, old.Version); err != nil {
			return nil, err
		}
	}
	now, err := h.directory.Users.Put(ctx, u, version, callerOf(ctx).author())
	if err != nil {
		return nil, wrote(err)
	}
	body, err := presentUser(now)
	if err != nil {
		return nil, err
	}
	if version > 0 {
		return openapi.PutUser200JSONResponse{Body: body, Headers: openapi.PutUser200ResponseHeaders{ETag: etag(now.Version)}}, nil
	}
	return openapi.PutUser201JSONResponse{Body: body, Headers: openapi.PutUser201ResponseHeaders{
		ETag: etag(now.Version), Location: "/v1/organizations/" + u.Org + "/users/" + url.PathEscape(u.ID),
	}}, nil
}
