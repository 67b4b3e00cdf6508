package api

import (
	"context"
	"errors"
	"net/url"
	"time"

	"github.com/anteroom/anteroom/api/openapi"
	"github.com/anteroom/anteroom/policy/replay"
	"github.com/anteroom/anteroom/store"
)

const (
	// replayBack is how far back decisions are replayed unless asked.
	replayBack = 7 * day
	// maxReplaysListed are in the list.
	maxReplaysListed = 100
)

func replayError(err error) error {
	switch {
	case errors.Is(err, replay.ErrNotFound):
		return &Error{Code: CodePolicyReplayNotFound}
	case errors.Is(err, replay.ErrTooMany):
		return &Error{Code: CodeTooManyReplays}
	}
	return err
}

// CreatePolicyReplay takes a replay.
func (h *handlers) CreatePolicyReplay(ctx context.Context, request openapi.CreatePolicyReplayRequestObject) (openapi.CreatePolicyReplayResponseObject, error) {
	p, org, err := h.policyRoom(ctx)
	if err != nil {
		return nil, err
	}
	in := request.Body
	from, to, err := replayWindow(in, time.Now().UTC())
	if err != nil {
		return nil, err
	}
	r := replay.Request{From: from, To: to}
	if r.After, err = p.content(ctx, org, in.Files, in.DraftId, in.Revision); err != nil {
		return nil, err
	}
	if in.Against != nil {
		r.Before, err = p.content(ctx, org, in.Against.Files, in.Against.DraftId, in.Against.Revision)
	} else {
		r.Before, err = p.named(ctx, org, "against", "active")
	}
	if err != nil {
		return nil, err
	}
	job, err := p.Replays.Create(ctx, org, callerOf(ctx).author(), r)
	if err != nil {
		return nil, replayError(err)
	}
	body, err := presentReplay(&job)
	if err != nil {
		return nil, err
	}
	return openapi.CreatePolicyReplay202JSONResponse{
		Body: body, Headers: openapi.CreatePolicyReplay202ResponseHeaders{Location: "/v1/policies/" + url.PathEscape(org) + "/replays/" + job.ID},
	}, nil
}

// replayWindow reads from, to and last.
func replayWindow(in *openapi.PolicyReplayInput, now time.Time) (from, to time.Time, err error) {
	asked := url.Values{}
	put := func(name string, t *time.Time) {
		if t != nil {
			asked.Set(name, t.Format(time.RFC3339Nano))
		}
	}
	put("from", in.From)
	put("to", in.To)
	if in.Last != nil {
		asked.Set("last", *in.Last)
	}
	if from, to, err = windowOf(asked, now); err == nil {
		var w store.SummaryFilter
		w.From, w.To = from, to
		err = bounded(&w, asked, replayBack, decisionsMost)
		from, to = w.From, w.To
	}
	// What is said of parameters there is here of fields.
	var wrong *Error
	if errors.As(err, &wrong) {
		field := *wrong
		field.Field, field.Parameter = wrong.Parameter, ""
		err = &field
	}
	return from, to, err
}

// ListPolicyReplays lists replays.
func (h *handlers) ListPolicyReplays(ctx context.Context, _ openapi.ListPolicyReplaysRequestObject) (openapi.ListPolicyReplaysResponseObject, error) {
	p, org, err := h.policyRoom(ctx)
	if err != nil {
		return nil, err
	}
	jobs, err := p.Replays.List(ctx, org)
	if err != nil {
		return nil, replayError(err)
	}
	out := openapi.ListPolicyReplays200JSONResponse{Replays: []openapi.PolicyReplay{}}
	for i := range jobs[:min(len(jobs), maxReplaysListed)] {
		one, err := presentReplay(&jobs[i])
		if err != nil {
			return nil, err
		}
		out.Replays = append(out.Replays, one)
	}
	return out, nil
}

// GetPolicyReplay shows one.
func (h *handlers) GetPolicyReplay(ctx context.Context, request openapi.GetPolicyReplayRequestObject) (openapi.GetPolicyReplayResponseObject, error) {
	p, org, err := h.policyRoom(ctx)
	if err != nil {
		return nil, err
	}
	job, err := p.Replays.Get(ctx, org, request.Id.String())
	if err != nil {
		return nil, replayError(err)
	}
	body, err := presentReplay(&job)
	return openapi.GetPolicyReplay200JSONResponse(body), err
}

// CancelPolicyReplay cancels one.
func (h *handlers) CancelPolicyReplay(ctx context.Context, request openapi.CancelPolicyReplayRequestObject) (openapi.CancelPolicyReplayResponseObject, error) {
	p, org, err := h.policyRoom(ctx)
	if err != nil {
		return nil, err
	}
	id := request.Id.String()
	job, err := p.Replays.Cancel(ctx, org, id, callerOf(ctx).author())
	if err == nil {
		job, err = p.Replays.Get(ctx, org, id)
	}
	if err != nil {
		return nil, replayError(err)
	}
	body, err := presentReplay(&job)
	return openapi.CancelPolicyReplay200JSONResponse(body), err
}

func presentReplay(j *replay.Job) (openapi.PolicyReplay, error) {
	var out openapi.PolicyReplay
	var result *replay.Result
	if j.State == replay.Done {
		result = j.Result
	}
	err := inForm(map[string]any{
		"id": j.ID, "state": j.State, "requested_by": j.By, "requested_at": j.At, "from": j.From, "to": j.To,
		"progress": map[string]any{"done": j.Done, "total": j.Total}, "result": result, "error": textOrNil(j.Failure),
	}, &out)
	return out, err
}
