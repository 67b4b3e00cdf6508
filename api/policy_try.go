package api

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/api/openapi"
	"github.com/anteroom/anteroom/policy/author"
	"github.com/anteroom/anteroom/policy/sandbox"
	"github.com/anteroom/anteroom/store"
)

// CheckPolicy finds mistakes.
func (h *handlers) CheckPolicy(ctx context.Context, request openapi.CheckPolicyRequestObject) (openapi.CheckPolicyResponseObject, error) {
	p, _, content, err := h.policyAsked(ctx, request.Body.Files, request.Body.DraftId, request.Body.Revision)
	if err != nil {
		return nil, err
	}
	out := openapi.CheckPolicy200JSONResponse{Ok: true, Diagnostics: []openapi.PolicyDiagnostic{}, Unformatted: []string{}}
	if len(content.Files) == 0 {
		return out, nil // It is the base alone.
	}
	checked, err := p.Sandbox.Check(ctx, content)
	if err != nil {
		return nil, policyError(err)
	}
	if err := inForm(checked, &out); err != nil {
		return nil, err
	}
	return out, nil
}

// FormatPolicy formats files.
func (h *handlers) FormatPolicy(ctx context.Context, request openapi.FormatPolicyRequestObject) (openapi.FormatPolicyResponseObject, error) {
	p, _, err := h.policyRoom(ctx)
	if err != nil {
		return nil, err
	}
	formatted, err := p.Sandbox.Format(ctx, author.Content{Files: request.Body.Files})
	if err != nil {
		return nil, policyError(err)
	}
	out := openapi.FormatPolicy200JSONResponse{Files: *filesOf(formatted.Content), Diagnostics: []openapi.PolicyDiagnostic{}}
	if len(formatted.Diagnostics) > 0 {
		err = inForm(formatted.Diagnostics, &out.Diagnostics)
	}
	return out, err
}

// TestPolicy runs tests.
func (h *handlers) TestPolicy(ctx context.Context, request openapi.TestPolicyRequestObject) (openapi.TestPolicyResponseObject, error) {
	in := request.Body
	p, org, content, err := h.policyAsked(ctx, in.Files, in.DraftId, in.Revision)
	if err != nil {
		return nil, err
	}
	out := openapi.TestPolicy200JSONResponse{Tests: []openapi.PolicyTestCase{}, Diagnostics: []openapi.PolicyDiagnostic{}}
	out.Coverage.Files = map[string]openapi.PolicyFileCoverage{}
	if out.Bar, err = p.Revisions.Bar(ctx, org); err != nil {
		return nil, policyError(err)
	}
	if len(content.Files) == 0 {
		out.Ok, out.Coverage.Percent = true, 100 // It is the base alone.
		return out, nil
	}
	tested, err := p.Sandbox.Test(ctx, content, author.TestOptions{Run: value(in.Run), Trace: value(in.Trace)})
	if out.Killed = killedBy(err); out.Killed != nil {
		return out, nil
	}
	if err != nil {
		return nil, policyError(err)
	}
	if err := inForm(tested, &out); err != nil {
		return nil, err
	}
	return out, nil
}

// killedBy is what ended a try; nil if nothing did.
func killedBy(err error) *openapi.PolicyKilled {
	var killed *sandbox.Killed
	if !errors.As(err, &killed) {
		return nil
	}
	return &openapi.PolicyKilled{Why: openapi.PolicyKilledWhy(killed.Why), Detail: killed.Detail}
}

// EvaluatePolicy tries a decision.
func (h *handlers) EvaluatePolicy(ctx context.Context, request openapi.EvaluatePolicyRequestObject) (openapi.EvaluatePolicyResponseObject, error) {
	in := request.Body
	p, org, content, err := h.policyAsked(ctx, in.Files, in.DraftId, in.Revision)
	if err != nil {
		return nil, err
	}
	input, err := h.inputToTry(ctx, org, in.Input, in.DecisionId)
	if err != nil {
		return nil, err
	}
	out := openapi.EvaluatePolicy200JSONResponse{
		Reasons: []string{}, Rules: []string{}, Obligations: []string{}, Printed: []string{}, Covered: map[string]openapi.PolicyRanges{},
	}
	tried, err := p.Sandbox.Evaluate(ctx, content, author.EvaluateRequest{Input: input, Query: value(in.Query)})
	if out.Killed = killedBy(err); out.Killed != nil {
		return out, nil
	}
	if err != nil {
		return nil, policyError(err)
	}
	if err := inForm(tried, &out); err != nil {
		return nil, err
	}
	return out, nil
}

// inputToTry is the one that was sent, or that of a recorded decision.
func (h *handlers) inputToTry(ctx context.Context, org string, sent *json.RawMessage, decision *uuid.UUID) (json.RawMessage, error) {
	switch {
	case (sent == nil) == (decision == nil):
		return nil, &Error{Code: CodeInvalidField, Field: "input", Detail: "Give exactly one of the fields input and decision_id."}
	case sent != nil:
		return *sent, nil
	}
	found, err := h.reader.Decision(ctx, org, *decision, time.Now())
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil, &Error{Code: CodeDecisionNotFound, Field: "decision_id"}
	case err != nil:
		return nil, err //nolint:wrapcheck // the store says what it did
	case found.Input == "" || found.Input == "null":
		return nil, &Error{Code: CodeInvalidField, Field: "decision_id", Detail: "The agent that made this decision kept its input to itself."}
	}
	return json.RawMessage(found.Input), nil
}

// GetPolicyReference tells what a policy may use.
func (h *handlers) GetPolicyReference(ctx context.Context, _ openapi.GetPolicyReferenceRequestObject) (openapi.GetPolicyReferenceResponseObject, error) {
	p, _, err := h.policyRoom(ctx)
	if err != nil {
		return nil, err
	}
	found, err := author.ReferenceOf(p.Base)
	if err != nil {
		return nil, err
	}
	var out openapi.GetPolicyReference200JSONResponse
	if err := inForm(found, &out); err != nil {
		return nil, err
	}
	return out, nil
}
