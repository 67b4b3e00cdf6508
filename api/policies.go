package api

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/api/openapi"
	"github.com/anteroom/anteroom/policy"
	"github.com/anteroom/anteroom/policy/author"
	"github.com/anteroom/anteroom/policy/exchange"
	"github.com/anteroom/anteroom/policy/replay"
	"github.com/anteroom/anteroom/policy/revisions"
	"github.com/anteroom/anteroom/policy/sandbox"
)

// Policies are what organisations' own policies are made and tried with.
type Policies struct {
	Revisions *revisions.Service
	Sandbox   *sandbox.Client
	Base      *policy.Base
	// Replays of recorded decisions.
	Replays *replay.Jobs
	// Tokens of policy agents, and the key of their bundles, nil if this process has none.
	Tokens    *exchange.Tokens
	BundleKey *exchange.Key
}

// policyRoom is what policies are made with, or a problem where this process has none, or there is no such organisation.
func (h *handlers) policyRoom(ctx context.Context) (*Policies, string, error) {
	if h.policies == nil {
		return nil, "", &Error{Code: CodePoliciesUnavailable}
	}
	org := callerOf(ctx).about
	if _, err := h.organization(ctx, org); err != nil {
		return nil, "", err
	}
	return h.policies, org, nil
}

// policyError translates what can go wrong with policies.
func policyError(err error) error {
	var refused *revisions.Refused
	var killed *sandbox.Killed
	switch {
	case err == nil:
		return nil
	case errors.As(err, &refused):
		return &Error{Code: CodePolicyRefused, Detail: sentences(refused), Errors: refused.Errors, Diagnostics: refused.Diagnostics}
	case errors.As(err, &killed):
		return &Error{Code: CodePolicyKilled, Detail: killed.Detail}
	case errors.Is(err, sandbox.ErrBusy):
		return &Error{Code: CodeSandboxBusy}
	case errors.Is(err, revisions.ErrNoRevision):
		return &Error{Code: CodePolicyRevisionNotFound}
	case errors.Is(err, revisions.ErrNoDraft):
		return &Error{Code: CodePolicyDraftNotFound}
	case errors.Is(err, revisions.ErrTooManyDrafts):
		return &Error{Code: CodeTooManyDrafts}
	}
	return wrote(err)
}

// sentences is what a person is told of a refusal.
func sentences(r *revisions.Refused) string {
	if len(r.Errors) > 0 {
		return strings.Join(r.Errors, " ")
	}
	if len(r.Diagnostics) == 0 {
		return ""
	}
	first := r.Diagnostics[0]
	text := first.Message
	if first.File != "" {
		text = fmt.Sprintf("%s:%d: %s", first.File, first.Line, first.Message)
	}
	if more := len(r.Diagnostics) - 1; more > 0 {
		text += fmt.Sprintf(" (and %d more)", more)
	}
	return text
}

// policyVersion reads the version of what is active that a change is made to; "0" is before the first activation.
func policyVersion(header *string, current uint64) (uint64, error) {
	if header != nil && strings.TrimSpace(*header) == etag(0) {
		return 0, nil
	}
	return ifMatch(header, current)
}

// GetActivePolicy tells what decides.
func (h *handlers) GetActivePolicy(ctx context.Context, _ openapi.GetActivePolicyRequestObject) (openapi.GetActivePolicyResponseObject, error) {
	p, org, err := h.policyRoom(ctx)
	if err != nil {
		return nil, err
	}
	active, err := p.Revisions.Active(ctx, org)
	if err != nil {
		return nil, policyError(err)
	}
	return openapi.GetActivePolicy200JSONResponse{
		Body: presentActive(active), Headers: openapi.GetActivePolicy200ResponseHeaders{ETag: etag(active.Version)},
	}, nil
}

func presentActive(a revisions.Active) openapi.ActivePolicy {
	out := openapi.ActivePolicy{
		Revision: a.Revision, Version: int64(a.Version), Digest: a.Digest, RuntimeRevision: a.RuntimeRevision, //nolint:gosec // counts activations
		ActivatedAt: a.ActivatedAt, ActivatedBy: textOrNil(a.ActivatedBy), Message: a.Message,
	}
	if b := a.Breaker; b != nil {
		out.Breaker = &struct {
			Reason          openapi.ActivePolicyBreakerReason `json:"reason"`
			RunningRevision int                               `json:"running_revision"`
			Since           time.Time                         `json:"since"`
		}{openapi.ActivePolicyBreakerReason(b.Reason), b.RunningRevision, b.Since}
	}
	return out
}

// ActivatePolicy has a revision decide.
func (h *handlers) ActivatePolicy(ctx context.Context, request openapi.ActivatePolicyRequestObject) (openapi.ActivatePolicyResponseObject, error) {
	p, org, err := h.policyRoom(ctx)
	if err != nil {
		return nil, err
	}
	change, err := h.policyChange(ctx, p, org, request.Params.IfMatch)
	if err != nil {
		return nil, err
	}
	change.Revision, change.Message = request.Body.Revision, value(request.Body.Message)
	active, err := p.Revisions.Activate(ctx, org, change)
	if err != nil {
		return nil, policyError(err)
	}
	return openapi.ActivatePolicy200JSONResponse{
		Body: presentActive(active), Headers: openapi.ActivatePolicy200ResponseHeaders{ETag: etag(active.Version)},
	}, nil
}

// RollBackPolicy goes back to what was active before.
func (h *handlers) RollBackPolicy(ctx context.Context, request openapi.RollBackPolicyRequestObject) (openapi.RollBackPolicyResponseObject, error) {
	p, org, err := h.policyRoom(ctx)
	if err != nil {
		return nil, err
	}
	change, err := h.policyChange(ctx, p, org, request.Params.IfMatch)
	if err != nil {
		return nil, err
	}
	change.Revision, change.Message = request.Body.To, value(request.Body.Message)
	active, err := p.Revisions.Rollback(ctx, org, change)
	if err != nil {
		return nil, policyError(err)
	}
	return openapi.RollBackPolicy200JSONResponse{
		Body: presentActive(active), Headers: openapi.RollBackPolicy200ResponseHeaders{ETag: etag(active.Version)},
	}, nil
}

// policyChange is who changes which version of what is active.
func (*handlers) policyChange(ctx context.Context, p *Policies, org string, match *string) (revisions.Change, error) {
	active, err := p.Revisions.Active(ctx, org)
	if err != nil {
		return revisions.Change{}, policyError(err)
	}
	version, err := policyVersion(match, active.Version)
	return revisions.Change{IfVersion: version, Author: callerOf(ctx).author()}, err
}

// ListPolicyRevisions lists revisions, newest first.
func (h *handlers) ListPolicyRevisions(
	ctx context.Context, request openapi.ListPolicyRevisionsRequestObject,
) (openapi.ListPolicyRevisionsResponseObject, error) {
	p, org, err := h.policyRoom(ctx)
	if err != nil {
		return nil, err
	}
	place, err := readCursor(request.Params.PageToken, fingerprintOf(ctx))
	if err != nil {
		return nil, err
	}
	list, err := p.Revisions.Revisions(ctx, org)
	if err != nil {
		return nil, policyError(err)
	}
	if place != nil {
		list = slices.DeleteFunc(list, func(r revisions.Revision) bool { return int64(r.Number) >= place.Value })
	}
	out := openapi.ListPolicyRevisions200JSONResponse{Revisions: []openapi.PolicyRevision{}}
	if size := pageSize(request.Params.Limit); len(list) > size {
		list = list[:size]
		token := cursor{Version: cursorVersion, Of: fingerprintOf(ctx), Value: int64(list[size-1].Number)}.token()
		out.NextPageToken = &token
	}
	for _, r := range list {
		out.Revisions = append(out.Revisions, presentPolicyRevision(r))
	}
	return out, nil
}

func presentPolicyRevision(r revisions.Revision) openapi.PolicyRevision {
	out := openapi.PolicyRevision{
		Number: r.Number, Digest: r.Digest, Author: r.Author, Message: r.Message, Parent: r.Parent, CreatedAt: r.CreatedAt,
		State: openapi.PolicyRevisionState(r.State), ActivatedAt: r.ActivatedAt, Coverage: r.Coverage,
	}
	if r.Tests != nil {
		out.Tests = &struct {
			Failed int `json:"failed"`
			Passed int `json:"passed"`
		}{r.Tests.Failed, r.Tests.Passed}
	}
	return out
}

// GetPolicyRevision shows one revision with its files.
func (h *handlers) GetPolicyRevision(ctx context.Context, request openapi.GetPolicyRevisionRequestObject) (openapi.GetPolicyRevisionResponseObject, error) {
	p, org, err := h.policyRoom(ctx)
	if err != nil {
		return nil, err
	}
	r, content, err := p.Revisions.Revision(ctx, org, request.Number)
	if err != nil {
		return nil, policyError(err)
	}
	out := presentPolicyRevision(r)
	out.Files = filesOf(content)
	return openapi.GetPolicyRevision200JSONResponse(out), nil
}

// CreatePolicyRevision makes a revision.
func (h *handlers) CreatePolicyRevision(
	ctx context.Context, request openapi.CreatePolicyRevisionRequestObject,
) (openapi.CreatePolicyRevisionResponseObject, error) {
	in := request.Body
	p, org, content, err := h.policyAsked(ctx, in.Files, in.DraftId, in.Revision)
	if err != nil {
		return nil, err
	}
	made, err := p.Revisions.Create(ctx, org, revisions.NewRevision{Content: content, Message: in.Message, Parent: value(in.Parent), Author: callerOf(ctx).author()})
	if errors.Is(err, revisions.ErrNoRevision) {
		return nil, &Error{Code: CodeInvalidField, Field: "parent", Detail: "The field parent names a revision that there is not."}
	}
	if err != nil {
		return nil, policyError(err)
	}
	out := presentPolicyRevision(made)
	out.Files = filesOf(content)
	return openapi.CreatePolicyRevision201JSONResponse{
		Body:    out,
		Headers: openapi.CreatePolicyRevision201ResponseHeaders{Location: fmt.Sprintf("/v1/policies/%s/revisions/%d", org, made.Number)},
	}, nil
}

func filesOf(c author.Content) *openapi.PolicyFiles {
	files := openapi.PolicyFiles(c.Files)
	if files == nil {
		files = openapi.PolicyFiles{}
	}
	return &files
}

// policyAsked is the room, the organisation and the content that a request is about.
func (h *handlers) policyAsked(ctx context.Context, files *openapi.PolicyFiles, draft *uuid.UUID, revision *int) (*Policies, string, author.Content, error) {
	p, org, err := h.policyRoom(ctx)
	if err != nil {
		return nil, "", author.Content{}, err
	}
	content, err := p.content(ctx, org, files, draft, revision)
	return p, org, content, err
}

// content reads what exactly one of the three names.
func (p *Policies) content(ctx context.Context, org string, files *openapi.PolicyFiles, draft *uuid.UUID, revision *int) (author.Content, error) {
	given := 0
	var r revisions.Reference
	if files != nil {
		r.Files, given = *files, given+1
	}
	if draft != nil {
		id := draft.String()
		r.DraftID, given = &id, given+1
	}
	if revision != nil {
		r.Revision, given = revision, given+1
	}
	if given != 1 {
		return author.Content{}, &Error{Code: CodeInvalidField, Field: "files", Detail: "Give exactly one of the fields files, draft_id and revision."}
	}
	content, err := p.Revisions.Content(ctx, org, r)
	return content, policyError(err)
}

// DiffPolicies compares two contents.
func (h *handlers) DiffPolicies(ctx context.Context, request openapi.DiffPoliciesRequestObject) (openapi.DiffPoliciesResponseObject, error) {
	p, org, err := h.policyRoom(ctx)
	if err != nil {
		return nil, err
	}
	from, err := p.named(ctx, org, "from", request.Params.From)
	if err != nil {
		return nil, err
	}
	to, err := p.named(ctx, org, "to", request.Params.To)
	if err != nil {
		return nil, err
	}
	out := openapi.DiffPolicies200JSONResponse{Files: []openapi.PolicyFileDiff{}}
	for _, d := range revisions.Diff(from, to) {
		out.Files = append(out.Files, openapi.PolicyFileDiff{Path: d.Path, Status: openapi.PolicyFileDiffStatus(d.Status), Unified: d.Unified})
	}
	return out, nil
}

// named reads a content that a parameter names: a revision's number, "active" or a draft's id.
func (p *Policies) named(ctx context.Context, org, parameter, name string) (author.Content, error) {
	var r revisions.Reference
	if name == "active" {
		active, err := p.Revisions.Active(ctx, org)
		if err != nil {
			return author.Content{}, policyError(err)
		}
		r.Revision = &active.Revision
	} else if number, err := strconv.Atoi(name); err == nil && number >= 0 {
		r.Revision = &number
	} else if id, err := uuid.Parse(name); err == nil {
		text := id.String()
		r.DraftID = &text
	} else {
		return author.Content{}, invalidParameter(parameter, "The parameter "+parameter+" must be the number of a revision, active, or the id of a draft.")
	}
	content, err := p.Revisions.Content(ctx, org, r)
	return content, policyError(err)
}
