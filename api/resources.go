package api

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/api/openapi"
	"github.com/anteroom/anteroom/directory"
	"github.com/anteroom/anteroom/identity"
	"github.com/anteroom/anteroom/store"
)

type resource = directory.Versioned[directory.Resource]

func presentResource(r resource, fresh map[string]string) (json.RawMessage, error) {
	r.Value.Webhooks = presentWebhooks(r.Value.Webhooks, fresh)
	return present(r, nil)
}

// ListResources lists an organisation's resources or, for an operator who names none, all.
func (h *handlers) ListResources(ctx context.Context, _ openapi.ListResourcesRequestObject) (openapi.ListResourcesResponseObject, error) {
	r, err := h.rows()
	if err != nil {
		return nil, err
	}
	list := r.Resources.All()
	if org := callerOf(ctx).about; org != "" {
		if list, err = r.Resources.List(ctx, org); err != nil {
			return nil, err //nolint:wrapcheck // the store says what it did
		}
	}
	out, err := presentAll(list, func(r resource) (json.RawMessage, error) { return presentResource(r, nil) })
	if err != nil {
		return nil, err
	}
	return openapi.ListResources200JSONResponse{Resources: out}, nil
}

// CreateResource registers an application.
func (h *handlers) CreateResource(ctx context.Context, request openapi.CreateResourceRequestObject) (openapi.CreateResourceResponseObject, error) {
	who := callerOf(ctx)
	if who.about == "" {
		return nil, invalidParameter("org", "The parameter org is missing: an operator is of no organisation and must name one.")
	}
	if _, err := h.organization(ctx, who.about); err != nil {
		return nil, err
	}
	if err := operatorsOnly(who, *request.Body, "issuer"); err != nil {
		return nil, err
	}
	var r directory.Resource
	if err := json.Unmarshal(*request.Body, &r); err != nil {
		return nil, &Error{Code: CodeInvalidRequest}
	}
	if err := h.checkRegion(r.Region); err != nil {
		return nil, err
	}
	r.ID, r.Org = uuid.NewString(), who.about
	fresh := keepSecrets(r.Webhooks, nil)
	if err := checkResource(r); err != nil {
		return nil, err
	}
	made, err := h.directory.Resources.Put(ctx, r, 0, who.author())
	if err != nil {
		return nil, wrote(err)
	}
	body, err := presentResource(made, fresh)
	if err != nil {
		return nil, err
	}
	return openapi.CreateResource201JSONResponse{
		Body:    body,
		Headers: openapi.CreateResource201ResponseHeaders{ETag: etag(made.Version), Location: "/v1/resources/" + made.Value.ID},
	}, nil
}

// checkResource refuses what the directory would take and identity would not: the id of the built-in resource, and keys that verify nothing.
func checkResource(r directory.Resource) error {
	if r.ID == identity.JoinPageResource {
		return &Error{Code: CodeInvalidField, Field: "id", Detail: "The field id is that of the built-in resource of the join page."}
	}
	return checkKeys(r)
}

// checkKeys has identity look at a key set: a key that can't verify anything is refused here, not at the first guest.
func checkKeys(r directory.Resource) error {
	r = r.WithDefaults()
	if len(r.Keys) == 0 {
		return nil
	}
	if err := r.Validate(); err != nil {
		return wrote(err) // It has the better words.
	}
	if err := identity.CheckKeySet(r.Keys); err != nil {
		return &Error{Code: CodeInvalidField, Field: "keys", Detail: "The field keys can't be used: " + err.Error() + "."}
	}
	return nil
}

// resource reads one; the middleware has found its organisation.
func (h *handlers) resource(ctx context.Context, id uuid.UUID) (resource, error) {
	r, err := h.rows()
	if err != nil {
		return resource{}, err
	}
	found, err := r.Resources.Get(ctx, callerOf(ctx).about, id.String())
	if errors.Is(err, store.ErrNotFound) {
		return resource{}, &Error{Code: CodeResourceNotFound}
	}
	return found, err //nolint:wrapcheck // the store says what it did
}

// GetResource shows one resource.
func (h *handlers) GetResource(ctx context.Context, request openapi.GetResourceRequestObject) (openapi.GetResourceResponseObject, error) {
	found, err := h.resource(ctx, request.Id)
	if err != nil {
		return nil, err
	}
	body, err := presentResource(found, nil)
	if err != nil {
		return nil, err
	}
	return openapi.GetResource200JSONResponse{Body: body, Headers: openapi.GetResource200ResponseHeaders{ETag: etag(found.Version)}}, nil
}

// UpdateResource changes one resource.
func (h *handlers) UpdateResource(ctx context.Context, request openapi.UpdateResourceRequestObject) (openapi.UpdateResourceResponseObject, error) {
	old, err := h.resource(ctx, request.Id)
	if err != nil {
		return nil, err
	}
	version, err := ifMatch(request.Params.IfMatch, old.Version)
	if err != nil {
		return nil, err
	}
	who := callerOf(ctx)
	if err := operatorsOnly(who, *request.Body, "issuer"); err != nil {
		return nil, err
	}
	changed, err := merge(old.Value, *request.Body)
	if err != nil {
		return nil, err
	}
	var given struct{ Keys json.RawMessage }
	if err := json.Unmarshal(*request.Body, &given); err != nil {
		return nil, &Error{Code: CodeInvalidRequest}
	}
	if len(given.Keys) > 0 { // A key set is one thing: it is replaced, not merged.
		changed.Keys = given.Keys
	}
	fresh := keepSecrets(changed.Webhooks, old.Value.Webhooks)
	if err := checkResource(changed); err != nil {
		return nil, err
	}
	now, err := h.directory.Resources.Put(ctx, changed, version, who.author())
	if err != nil {
		return nil, wrote(err)
	}
	body, err := presentResource(now, fresh)
	if err != nil {
		return nil, err
	}
	return openapi.UpdateResource200JSONResponse{Body: body, Headers: openapi.UpdateResource200ResponseHeaders{ETag: etag(now.Version)}}, nil
}
