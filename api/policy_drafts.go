package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/api/openapi"
	"github.com/anteroom/anteroom/policy/author"
	"github.com/anteroom/anteroom/policy/revisions"
)

// ListPolicyDrafts lists drafts without their files, the last saved first.
func (h *handlers) ListPolicyDrafts(ctx context.Context, _ openapi.ListPolicyDraftsRequestObject) (openapi.ListPolicyDraftsResponseObject, error) {
	p, org, err := h.policyRoom(ctx)
	if err != nil {
		return nil, err
	}
	list, err := p.Revisions.Drafts(ctx, org)
	if err != nil {
		return nil, policyError(err)
	}
	slices.SortStableFunc(list, func(a, b revisions.Draft) int {
		return cmp.Or(b.UpdatedAt.Compare(a.UpdatedAt), cmp.Compare(a.ID, b.ID))
	})
	out := openapi.ListPolicyDrafts200JSONResponse{Drafts: []openapi.PolicyDraft{}}
	for _, d := range list {
		one, err := presentDraft(d)
		if err != nil {
			return nil, err
		}
		out.Drafts = append(out.Drafts, one)
	}
	return out, nil
}

func presentDraft(d revisions.Draft) (openapi.PolicyDraft, error) {
	id, err := uuid.Parse(d.ID)
	if err != nil {
		return openapi.PolicyDraft{}, fmt.Errorf("read draft: %w", err)
	}
	return openapi.PolicyDraft{
		Id: id, Title: d.Title, BasedOn: d.BasedOn, Author: d.Author, CreatedAt: d.CreatedAt, UpdatedAt: d.UpdatedAt,
		Version: int64(d.Version), //nolint:gosec // counts changes
	}, nil
}

func presentWholeDraft(d revisions.Draft, c author.Content) (openapi.PolicyDraft, error) {
	out, err := presentDraft(d)
	out.Files = filesOf(c)
	return out, err
}

// draftChange is what a client wants saved.
func draftChange(ctx context.Context, in *openapi.PolicyDraftInput) revisions.DraftChange {
	return revisions.DraftChange{
		Title: in.Title, BasedOn: value(in.BasedOn), Content: author.Content{Files: in.Files}, Author: callerOf(ctx).author(),
	}
}

// draftError is policyError where a revision is one that the body names.
func draftError(err error) error {
	if errors.Is(err, revisions.ErrNoRevision) {
		return &Error{Code: CodeInvalidField, Field: "based_on", Detail: "The field based_on names a revision that there is not."}
	}
	return policyError(err)
}

// CreatePolicyDraft begins a draft.
func (h *handlers) CreatePolicyDraft(ctx context.Context, request openapi.CreatePolicyDraftRequestObject) (openapi.CreatePolicyDraftResponseObject, error) {
	p, org, err := h.policyRoom(ctx)
	if err != nil {
		return nil, err
	}
	change := draftChange(ctx, request.Body)
	made, err := p.Revisions.CreateDraft(ctx, org, change)
	if err != nil {
		return nil, draftError(err)
	}
	body, err := presentWholeDraft(made, change.Content)
	if err != nil {
		return nil, err
	}
	return openapi.CreatePolicyDraft201JSONResponse{Body: body, Headers: openapi.CreatePolicyDraft201ResponseHeaders{
		ETag: etag(made.Version), Location: "/v1/policies/" + org + "/drafts/" + made.ID,
	}}, nil
}

// GetPolicyDraft shows a draft with its files.
func (h *handlers) GetPolicyDraft(ctx context.Context, request openapi.GetPolicyDraftRequestObject) (openapi.GetPolicyDraftResponseObject, error) {
	p, org, err := h.policyRoom(ctx)
	if err != nil {
		return nil, err
	}
	d, content, err := p.Revisions.Draft(ctx, org, request.Id.String())
	if err != nil {
		return nil, policyError(err)
	}
	body, err := presentWholeDraft(d, content)
	if err != nil {
		return nil, err
	}
	return openapi.GetPolicyDraft200JSONResponse{Body: body, Headers: openapi.GetPolicyDraft200ResponseHeaders{ETag: etag(d.Version)}}, nil
}

// PutPolicyDraft saves a draft.
func (h *handlers) PutPolicyDraft(ctx context.Context, request openapi.PutPolicyDraftRequestObject) (openapi.PutPolicyDraftResponseObject, error) {
	p, org, version, err := h.draftVersion(ctx, request.Id, request.Params.IfMatch)
	if err != nil {
		return nil, err
	}
	change := draftChange(ctx, request.Body)
	now, err := p.Revisions.SaveDraft(ctx, org, request.Id.String(), change, version)
	if err != nil {
		return nil, draftError(err)
	}
	body, err := presentWholeDraft(now, change.Content)
	if err != nil {
		return nil, err
	}
	return openapi.PutPolicyDraft200JSONResponse{Body: body, Headers: openapi.PutPolicyDraft200ResponseHeaders{ETag: etag(now.Version)}}, nil
}

// DeletePolicyDraft forgets a draft.
func (h *handlers) DeletePolicyDraft(ctx context.Context, request openapi.DeletePolicyDraftRequestObject) (openapi.DeletePolicyDraftResponseObject, error) {
	p, org, version, err := h.draftVersion(ctx, request.Id, request.Params.IfMatch)
	if err != nil {
		return nil, err
	}
	if err := p.Revisions.DeleteDraft(ctx, org, request.Id.String(), callerOf(ctx).author(), version); err != nil {
		return nil, policyError(err)
	}
	return openapi.DeletePolicyDraft204Response{}, nil
}

// draftVersion is the version of a draft that a request changes.
func (h *handlers) draftVersion(ctx context.Context, id uuid.UUID, match *string) (*Policies, string, uint64, error) {
	p, org, err := h.policyRoom(ctx)
	if err != nil {
		return nil, "", 0, err
	}
	drafts, err := p.Revisions.Drafts(ctx, org)
	if err != nil {
		return nil, "", 0, policyError(err)
	}
	at := slices.IndexFunc(drafts, func(d revisions.Draft) bool { return d.ID == id.String() })
	if at < 0 {
		return nil, "", 0, &Error{Code: CodePolicyDraftNotFound}
	}
	version, err := ifMatch(match, drafts[at].Version)
	return p, org, version, err
}
