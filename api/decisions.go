package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/api/openapi"
	"github.com/anteroom/anteroom/policy/author"
	"github.com/anteroom/anteroom/policy/revisions"
	"github.com/anteroom/anteroom/store"
)

// How far back decisions are looked at unless asked, and at most.
const (
	decisionsBack = day
	decisionsMost = 31 * day
)

// kindOfDecision is the part of the table about the decision log.
func kindOfDecision(code Code) kind {
	switch code {
	case CodeDecisionNotFound:
		return kind{
			http.StatusNotFound, "Decision not found",
			"There is no decision of this id. Those of a call are here once it has ended, until retention hides them.",
		}
	case CodePolicyReplayNotFound:
		return kind{http.StatusNotFound, "Replay not found", "There is no replay of this id."}
	case CodeTooManyReplays:
		return kind{http.StatusTooManyRequests, "Too many replays", "The organisation has as many replays under way as it may; wait for them, or cancel some."}
	case CodePolicyTokenNotFound:
		return kind{http.StatusNotFound, "Token not found", "There is no token of this id; it may have been revoked already."}
	case CodeTooManyTokens:
		return kind{http.StatusConflict, "Too many tokens", "The organisation has as many tokens as it may; revoke some."}
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

// whyOf tells of the rules that spoke, as they stood in the policy that decided. Of each it tells the name at least, whatever became of the policy.
func (h *handlers) whyOf(ctx context.Context, d *store.Decision) ([]openapi.DecisionWhy, error) {
	var known []author.ReasonOf
	if h.policies != nil {
		var err error
		if known, err = h.policies.reasonsOf(ctx, callerOf(ctx).about, d.Revision); err != nil {
			return nil, policyError(err)
		}
	}
	out := []openapi.DecisionWhy{}
	told := map[string]bool{}
	for _, r := range known {
		if slices.Contains(d.Reasons, r.Reason) && (r.Rule == "" || slices.Contains(d.Rules, r.Rule)) {
			told[r.Rule] = true
			one := openapi.DecisionWhy{Rule: r.Rule, Reason: r.Reason, Title: textOrNil(r.Title), File: textOrNil(r.File)}
			if r.Line > 0 {
				one.Line = &r.Line
			}
			out = append(out, one)
		}
	}
	for _, rule := range d.Rules {
		if !told[rule] {
			told[rule] = true
			out = append(out, openapi.DecisionWhy{Rule: rule})
		}
	}
	return out, nil
}

// reasonsOf are the rules of the policy that a decision's revision names (base@ID+ORG@ID), as far as it is known. Rules of a base that there is no more are
// told as today's base has them, by their ids, which never change; where they stood isn't.
func (p *Policies) reasonsOf(ctx context.Context, org, revision string) ([]author.ReasonOf, error) {
	revision, _, _ = strings.Cut(revision, "#") // what agents say has the number of the activation
	base, own, _ := strings.Cut(revision, "+"+org+"@")
	known := author.ReasonsOf(p.Base, author.Content{})
	shipped := len(known)
	if own != "" {
		switch content, err := p.Revisions.Decided(ctx, org, own); {
		case err == nil:
			known = author.ReasonsOf(p.Base, content)
		case !errors.Is(err, revisions.ErrNoRevision):
			return nil, err //nolint:wrapcheck // it says what it did
		}
	}
	if base != "base@"+p.Base.Revision() {
		for i := range known[:shipped] {
			known[i].File, known[i].Line = "", 0
		}
	}
	return known, nil
}

// orEmpty is a list that is no null.
func orEmpty(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}
