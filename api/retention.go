package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/api/openapi"
	"github.com/anteroom/anteroom/directory"
	"github.com/anteroom/anteroom/retention"
	"github.com/anteroom/anteroom/store"
)

// rulebook changes policies and holds, or is a problem where this process has none.
func (h *handlers) rulebook() (*retention.Rulebook, error) {
	if h.retention == nil || h.directory == nil {
		return nil, &Error{Code: CodeRetentionUnavailable}
	}
	return h.retention, nil
}

// presentAuthored is present with who made the version.
func presentAuthored[T any](v directory.Versioned[T]) (json.RawMessage, error) {
	return presentRecorded(v, nil)
}

// presentRecorded is presentAuthored with more. The nonce is shown with the leaf's text only: nobody needs it otherwise.
func presentRecorded[T any](v directory.Versioned[T], more map[string]any) (json.RawMessage, error) {
	all := map[string]any{"updated_by": v.Author}
	for name, value := range more {
		all[name] = value
	}
	text, err := present(v, all)
	if err != nil {
		return nil, err
	}
	var out map[string]json.RawMessage
	if err := json.Unmarshal(text, &out); err != nil {
		return nil, err //nolint:wrapcheck // it was just written
	}
	delete(out, "nonce")
	return json.Marshal(out) //nolint:wrapcheck // it was just read
}

// presentHistory shows versions with their leaves.
func presentHistory[T any](versions []retention.Recorded[T]) ([]json.RawMessage, error) {
	out := make([]json.RawMessage, len(versions))
	for i, v := range versions {
		text, err := presentRecorded(v.Versioned, map[string]any{"leaf": map[string]string{"id": v.LeafID, "digest": v.Digest, "text": v.Text}})
		if err != nil {
			return nil, err
		}
		out[i] = text
	}
	return out, nil
}

// ListRetentionPolicies lists an organisation's policies.
func (h *handlers) ListRetentionPolicies(
	ctx context.Context, request openapi.ListRetentionPoliciesRequestObject,
) (openapi.ListRetentionPoliciesResponseObject, error) {
	r, err := h.rows()
	if err != nil {
		return nil, err
	}
	list, err := r.RetentionPolicies.List(ctx, callerOf(ctx).about)
	if err != nil {
		return nil, err //nolint:wrapcheck // the store says what it did
	}
	page, next, err := pageOf(list, func(p directory.RetentionPolicy) string { return p.ID }, request.Params.PageToken, pageSize(request.Params.PageSize), fingerprintOf(ctx))
	if err != nil {
		return nil, err
	}
	policies, err := presentAll(page, presentAuthored)
	if err != nil {
		return nil, err
	}
	return openapi.ListRetentionPolicies200JSONResponse{Policies: policies, NextPageToken: next}, nil
}

// newPolicy reads what a client says of a new one.
func newPolicy(org string, body json.RawMessage) (directory.RetentionPolicy, error) {
	p := directory.RetentionPolicy{Enabled: true}
	if err := json.Unmarshal(body, &p); err != nil {
		return p, &Error{Code: CodeInvalidRequest}
	}
	p.ID, p.Org = uuid.NewString(), org
	return p, nil
}

// CreateRetentionPolicy makes a policy.
func (h *handlers) CreateRetentionPolicy(
	ctx context.Context, request openapi.CreateRetentionPolicyRequestObject,
) (openapi.CreateRetentionPolicyResponseObject, error) {
	book, err := h.rulebook()
	if err != nil {
		return nil, err
	}
	who := callerOf(ctx)
	if _, err := h.organization(ctx, who.about); err != nil {
		return nil, err
	}
	p, err := newPolicy(who.about, *request.Body)
	if err != nil {
		return nil, err
	}
	made, err := book.PutPolicy(ctx, p, 0, who.author())
	if err != nil {
		return nil, wrote(err)
	}
	body, err := presentAuthored(made)
	if err != nil {
		return nil, err
	}
	return openapi.CreateRetentionPolicy201JSONResponse{
		Body: body, Headers: openapi.CreateRetentionPolicy201ResponseHeaders{ETag: etag(made.Version), Location: "/v1/retention/policies/" + made.Value.ID},
	}, nil
}

// retentionPolicy reads one of the organisation that is asked about.
func (h *handlers) retentionPolicy(ctx context.Context, id uuid.UUID) (retention.Policy, error) {
	r, err := h.rows()
	if err != nil {
		return retention.Policy{}, err
	}
	found, err := r.RetentionPolicies.Get(ctx, callerOf(ctx).about, id.String())
	if errors.Is(err, store.ErrNotFound) {
		return found, &Error{Code: CodeRetentionPolicyNotFound}
	}
	return found, err //nolint:wrapcheck // the store says what it did
}

// GetRetentionPolicy shows one policy.
func (h *handlers) GetRetentionPolicy(ctx context.Context, request openapi.GetRetentionPolicyRequestObject) (openapi.GetRetentionPolicyResponseObject, error) {
	found, err := h.retentionPolicy(ctx, request.Id)
	if err != nil {
		return nil, err
	}
	body, err := presentAuthored(found)
	if err != nil {
		return nil, err
	}
	return openapi.GetRetentionPolicy200JSONResponse{Body: body, Headers: openapi.GetRetentionPolicy200ResponseHeaders{ETag: etag(found.Version)}}, nil
}

// UpdateRetentionPolicy changes one policy.
func (h *handlers) UpdateRetentionPolicy(
	ctx context.Context, request openapi.UpdateRetentionPolicyRequestObject,
) (openapi.UpdateRetentionPolicyResponseObject, error) {
	book, err := h.rulebook()
	if err != nil {
		return nil, err
	}
	old, err := h.retentionPolicy(ctx, request.Id)
	if err != nil {
		return nil, err
	}
	version, err := ifMatch(request.Params.IfMatch, old.Version)
	if err != nil {
		return nil, err
	}
	changed, err := merge(old.Value, *request.Body)
	if err != nil {
		return nil, err
	}
	now, err := book.PutPolicy(ctx, changed, version, callerOf(ctx).author())
	if err != nil {
		return nil, wrote(err)
	}
	body, err := presentAuthored(now)
	if err != nil {
		return nil, err
	}
	return openapi.UpdateRetentionPolicy200JSONResponse{Body: body, Headers: openapi.UpdateRetentionPolicy200ResponseHeaders{ETag: etag(now.Version)}}, nil
}

// GetRetentionPolicyHistory shows all versions of a policy.
func (h *handlers) GetRetentionPolicyHistory(
	ctx context.Context, request openapi.GetRetentionPolicyHistoryRequestObject,
) (openapi.GetRetentionPolicyHistoryResponseObject, error) {
	book, err := h.rulebook()
	if err != nil {
		return nil, err
	}
	versions, err := book.PolicyHistory(ctx, callerOf(ctx).about, request.Id.String())
	if errors.Is(err, store.ErrNotFound) {
		return nil, &Error{Code: CodeRetentionPolicyNotFound}
	}
	if err != nil {
		return nil, err //nolint:wrapcheck // the rulebook says what it did
	}
	out, err := presentHistory(versions)
	if err != nil {
		return nil, err
	}
	return openapi.GetRetentionPolicyHistory200JSONResponse{Versions: out}, nil
}

// PreviewRetention tells what a policy or a hold would do.
func (h *handlers) PreviewRetention(ctx context.Context, request openapi.PreviewRetentionRequestObject) (openapi.PreviewRetentionResponseObject, error) {
	book, err := h.rulebook()
	if err != nil {
		return nil, err
	}
	draft, prefix, err := h.draft(ctx, request.Body)
	if err != nil {
		return nil, err
	}
	preview, err := book.Preview(ctx, callerOf(ctx).about, draft, time.Now())
	var wrong []error
	for _, f := range directory.Fields(err) {
		wrong = append(wrong, &directory.FieldError{Field: prefix + f.Field, Reason: f.Reason})
	}
	if known := asFieldError(errors.Join(wrong...)); known != nil {
		return nil, known
	}
	if err != nil {
		return nil, err //nolint:wrapcheck // the rulebook says what it did
	}
	var out openapi.PreviewRetention200JSONResponse
	if err := inForm(preview, &out); err != nil {
		return nil, err
	}
	return out, nil
}

// GetRetentionState tells what is kept, and when it falls due.
func (h *handlers) GetRetentionState(ctx context.Context, _ openapi.GetRetentionStateRequestObject) (openapi.GetRetentionStateResponseObject, error) {
	book, err := h.rulebook()
	if err != nil {
		return nil, err
	}
	who := callerOf(ctx)
	if _, err := h.organization(ctx, who.about); err != nil {
		return nil, err
	}
	standing, err := book.Standing(ctx, who.about, time.Now())
	if err != nil {
		return nil, err //nolint:wrapcheck // the rulebook says what it did
	}
	var out openapi.GetRetentionState200JSONResponse
	if err := inForm(standing, &out); err != nil {
		return nil, err
	}
	return out, nil
}

// inForm writes what has the document's form already into the type that was made of the document.
func inForm(from, to any) error {
	text, err := json.Marshal(from)
	if err == nil {
		err = json.Unmarshal(text, to)
	}
	if err != nil {
		return fmt.Errorf("write answer: %w", err)
	}
	return nil
}

// draft reads what is to be previewed, and what its fields' names begin with.
func (h *handlers) draft(ctx context.Context, in *openapi.RetentionPreviewInput) (draft retention.Draft, prefix string, err error) {
	if err := onlyOne(in); err != nil {
		return draft, "", err
	}
	who := callerOf(ctx)
	if _, err := h.organization(ctx, who.about); err != nil {
		return draft, "", err
	}
	switch {
	case in.Policy != nil:
		p, err := newPolicy(who.about, *in.Policy)
		return retention.Draft{Policy: &p}, "policy.", err
	case in.Hold != nil:
		hold, err := newHold(who, *in.Hold, nil)
		return retention.Draft{Hold: &hold}, "hold.", err
	}
	old, err := h.retentionPolicy(ctx, *in.PolicyId)
	if err != nil {
		return draft, "", err
	}
	changed, err := merge(old.Value, *in.Change)
	return retention.Draft{Policy: &changed, IfVersion: old.Version}, "change.", err
}

// onlyOne wants one thing to preview.
func onlyOne(in *openapi.RetentionPreviewInput) error {
	refuse := func(field, why string) error {
		return &Error{Code: CodeInvalidField, Field: field, Detail: "The field " + field + " " + why + "."}
	}
	switch {
	case in.Policy == nil && in.PolicyId == nil && in.Hold == nil:
		return refuse("policy", "is missing: give exactly one of policy, policy_id and hold")
	case in.PolicyId != nil && in.Policy != nil:
		return refuse("policy_id", "is set besides policy: give exactly one of policy, policy_id and hold")
	case in.Hold != nil && (in.Policy != nil || in.PolicyId != nil):
		return refuse("hold", "is set besides a policy: give exactly one of policy, policy_id and hold")
	case in.PolicyId != nil && in.Change == nil:
		return refuse("change", "is missing: it says what would be changed of the policy")
	case in.PolicyId == nil && in.Change != nil:
		return refuse("change", "is set without policy_id")
	}
	return nil
}
