package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/api/openapi"
	"github.com/anteroom/anteroom/store"
)

// How far back decisions are looked at unless asked, and at most.
const (
	decisionsBack = day
	decisionsMost = 31 * day
)

// Why is a rule that spoke against what was asked, as it stands in a policy.
type Why struct {
	// Rule is the id of its metadata, "" if it gives none.
	Rule, Reason string
	// Title, File and Line are zero where the policy isn't known any more.
	Title, File string
	Line        int
}

// Explainer tells of rules.
type Explainer interface {
	// Explain gives the rules that gave reasons, as they stand in the policy that a revision names (policy.Decision.Revision) of an organisation.
	Explain(ctx context.Context, org, revision string, rules, reasons []string) ([]Why, error)
}

// kindOfDecision is the part of the table about the decision log.
func kindOfDecision(code Code) kind {
	switch code {
	case CodeDecisionNotFound:
		return kind{
			http.StatusNotFound, "Decision not found",
			"There is no decision of this id. Those of a call are here once it has ended, until retention hides them.",
		}
	default:
		return kindOfCollected(code)
	}
}

// decisionFilter reads the filter of the request.
func decisionFilter(ctx context.Context) (store.DecisionFilter, error) {
	q := values(ctx)
	f := store.DecisionFilter{
		Org: callerOf(ctx).about, Action: q.Get("action"), Capability: q.Get("capability"), Effect: q.Get("effect"), Reason: q.Get("reason"),
		Rule: q.Get("rule"), Revision: q.Get("revision"), CallID: q.Get("call_id"),
	}
	if text := q.Get("error"); text != "" {
		failed := text == "true"
		f.Failed = &failed
	}
	if id, err := uuid.Parse(q.Get("meeting_id")); err == nil {
		f.MeetingID = id
	}
	var err error
	if f.From, f.To, err = windowOf(q, time.Now()); err != nil {
		return f, err
	}
	var w store.SummaryFilter
	w.From, w.To = f.From, f.To
	err = bounded(&w, q, decisionsBack, decisionsMost)
	f.From, f.To = w.From, w.To
	return f, err
}

// ListDecisions lists what policy decided.
func (h *handlers) ListDecisions(ctx context.Context, request openapi.ListDecisionsRequestObject) (openapi.ListDecisionsResponseObject, error) {
	f, err := decisionFilter(ctx)
	if err != nil {
		return nil, err
	}
	list := fingerprintOf(ctx)
	place, err := readCursor(request.Params.PageToken, list)
	if err != nil {
		return nil, err
	}
	var after *store.DecisionAt
	if place != nil {
		id, err := uuid.Parse(place.Call)
		if err != nil {
			return nil, &Error{Code: CodeInvalidPageToken, Parameter: "page_token"}
		}
		after = &store.DecisionAt{At: place.at(), DecisionID: id}
	}
	n := 50
	if request.Params.Limit != nil {
		n = *request.Params.Limit
	}
	// Read before the decisions: what comes in between is in the answer too.
	out := openapi.ListDecisions200JSONResponse{Freshness: h.freshness(ctx), Decisions: []openapi.Decision{}}
	found, err := h.reader.Decisions(ctx, f, after, n+1)
	if err != nil {
		return nil, h.tooSlow(err, f.From, f.To)
	}
	if len(found) > n {
		found = found[:n]
		last := &found[n-1]
		next := cursor{Version: cursorVersion, Of: list, AtUs: last.At.UnixMicro(), Call: last.DecisionID.String()}.token()
		out.NextPageToken = &next
	}
	for i := range found {
		var one openapi.Decision
		if err := inForm(shownDecision(&found[i]), &one); err != nil {
			return nil, err
		}
		out.Decisions = append(out.Decisions, one)
	}
	return out, nil
}

// GetDecision shows one decision, and why it is what it is.
func (h *handlers) GetDecision(ctx context.Context, request openapi.GetDecisionRequestObject) (openapi.GetDecisionResponseObject, error) {
	d, err := h.decision(ctx, request.Id)
	if err != nil {
		return nil, err
	}
	shown := shownDecision(&d)
	shown["input"] = json.RawMessage("null")
	if d.Input != "" {
		shown["input"] = json.RawMessage(d.Input)
	}
	why, err := h.whyOf(ctx, &d)
	if err != nil {
		return nil, err
	}
	shown["why"] = why
	var out openapi.GetDecision200JSONResponse
	if err := inForm(shown, &out); err != nil {
		return nil, err
	}
	return out, nil
}

// decision is one of the organisation that the request is about.
func (h *handlers) decision(ctx context.Context, id uuid.UUID) (store.Decision, error) {
	d, err := h.reader.Decision(ctx, callerOf(ctx).about, id, time.Now())
	if errors.Is(err, store.ErrNotFound) {
		return d, &Error{Code: CodeDecisionNotFound}
	}
	return d, err //nolint:wrapcheck // the store says what it did
}

// shownDecision is a decision as the document has it.
func shownDecision(d *store.Decision) map[string]any {
	return map[string]any{
		"decision_id": d.DecisionID, "at": d.At, "call_id": d.CallID, "meeting_id": idOrNil(d.MeetingID), "participant_id": idOrNil(d.ParticipantID),
		"action": d.Action, "capability": textOrNil(d.Capability), "effect": d.Effect, "reasons": orEmpty(d.Reasons), "rules": orEmpty(d.Rules),
		"revision": d.Revision, "evaluation_us": float64(d.Took.Nanoseconds()) / 1000, "source": d.Source, "error": textOrNil(d.Error),
	}
}

// whyOf tells of the rules that spoke. Of each it tells the name at least, whatever became of the policy.
func (h *handlers) whyOf(ctx context.Context, d *store.Decision) ([]openapi.DecisionWhy, error) {
	var rules []Why
	if h.explainer != nil && (len(d.Rules) > 0 || len(d.Reasons) > 0) {
		var err error
		if rules, err = h.explainer.Explain(ctx, callerOf(ctx).about, d.Revision, d.Rules, d.Reasons); err != nil {
			return nil, fmt.Errorf("explain decision: %w", err)
		}
	} else {
		for _, rule := range d.Rules {
			rules = append(rules, Why{Rule: rule})
		}
	}
	out := make([]openapi.DecisionWhy, len(rules))
	for i, w := range rules {
		out[i] = openapi.DecisionWhy{Rule: w.Rule, Reason: w.Reason, Title: textOrNil(w.Title), File: textOrNil(w.File)}
		if w.Line > 0 {
			out[i].Line = &w.Line
		}
	}
	return out, nil
}

// orEmpty is a list that is no null.
func orEmpty(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}
