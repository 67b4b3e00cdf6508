package api

import (
	"context"
	"strings"
	"time"

	"github.com/anteroom/anteroom/analytics"
	"github.com/anteroom/anteroom/api/openapi"
	"github.com/anteroom/anteroom/quality"
	"github.com/anteroom/anteroom/store"
)

// ListCalls lists calls, newest first unless asked otherwise.
func (h *handlers) ListCalls(ctx context.Context, request openapi.ListCallsRequestObject) (openapi.ListCallsResponseObject, error) {
	p := request.Params
	page, err := h.pageOfCalls(ctx, "", string(value(p.Sort)), p.PageToken, p.PageSize)
	if err != nil {
		return nil, err
	}
	return callsAs(&page, asksCSV(ctx, string(value(p.Format))), value(p.Fields))
}

// ListUserCalls lists the calls that a user of the organisation was in.
func (h *handlers) ListUserCalls(ctx context.Context, request openapi.ListUserCallsRequestObject) (openapi.ListUserCallsResponseObject, error) {
	p := request.Params
	page, err := h.pageOfCalls(ctx, request.User, string(value(p.Sort)), p.PageToken, p.PageSize)
	if err != nil {
		return nil, err
	}
	return callsAs(&page, asksCSV(ctx, string(value(p.Format))), value(p.Fields))
}

// asksCSV: without format the header Accept decides.
func asksCSV(ctx context.Context, format string) bool {
	return format == "csv" || format == "" && prefersCSV(requestIn(ctx))
}

// pageOfCalls makes a page of the list that the request's filter describes; user, unless empty, is another condition.
func (h *handlers) pageOfCalls(ctx context.Context, user, sort string, token *string, size *int) (openapi.CallList, error) {
	out := openapi.CallList{Calls: []openapi.Call{}}
	f, err := h.summaryFilter(ctx)
	if err != nil {
		return out, err
	}
	if user != "" {
		f.User = user
	}
	list := fingerprintOf(ctx)
	place, err := readCursor(token, list)
	if err != nil {
		return out, err
	}
	var after *store.SummaryAt
	if place != nil {
		after = &store.SummaryAt{Value: place.Value, At: place.at(), CallID: place.Call}
	}
	order := store.SummaryOrder{By: strings.TrimPrefix(sort, "-"), Descending: sort == "" || strings.HasPrefix(sort, "-")}
	n := 50
	if size != nil {
		n = *size
	}
	// Read before the calls: what comes in between is in the answer too.
	out.Freshness = h.freshness(ctx)
	found, places, err := h.reader.ListSummaries(ctx, f, order, after, n+1)
	if err != nil {
		return out, h.tooSlow(err, f.From, orNow(f.To))
	}
	if len(found) > n {
		found = found[:n]
		at := places[n-1]
		next := cursor{Version: cursorVersion, Of: list, AtUs: at.At.UnixMicro(), Call: at.CallID, Value: at.Value}.token()
		out.NextPageToken = &next
	}
	for i := range found {
		call, err := h.presentSummary(ctx, &found[i])
		if err != nil {
			return out, err
		}
		out.Calls = append(out.Calls, call)
	}
	return out, nil
}

func orNow(t time.Time) time.Time {
	if t.IsZero() {
		return time.Now().UTC()
	}
	return t
}

// profile is the profile that a request names, or the configured one.
func (h *handlers) profile(name *openapi.Profile) (*quality.Profile, error) {
	p, ok := h.profiles.Get(string(value(name)))
	if !ok {
		return nil, invalidParameter("profile", "There is no such profile.")
	}
	return p, nil
}

// call is one call of the organisation that the request is about, judged. It is shared with other requests: nobody changes it.
func (h *handlers) call(ctx context.Context, callID string, profile *openapi.Profile) (*analytics.Call, error) {
	p, err := h.profile(profile)
	if err != nil {
		return nil, err
	}
	c, err := h.judgedOf(ctx, p, store.CallKey{Org: callerOf(ctx).about, CallID: callID})
	if err != nil {
		return nil, err
	}
	if c == nil || c.Hidden() {
		return nil, &Error{Code: CodeCallNotFound}
	}
	return c, nil
}

// GetCall shows one call.
func (h *handlers) GetCall(ctx context.Context, request openapi.GetCallRequestObject) (openapi.GetCallResponseObject, error) {
	j, err := h.call(ctx, request.CallId, request.Params.Profile)
	if err != nil {
		return nil, err
	}
	call, err := h.presentCall(ctx, j)
	if err != nil {
		return nil, err
	}
	return openapi.GetCall200JSONResponse(call), nil
}

// ListParticipants lists who was in a call.
func (h *handlers) ListParticipants(ctx context.Context, request openapi.ListParticipantsRequestObject) (openapi.ListParticipantsResponseObject, error) {
	j, err := h.call(ctx, request.CallId, nil)
	if err != nil {
		return nil, err
	}
	out := openapi.ListParticipants200JSONResponse{Participants: make([]openapi.Participant, len(j.Participants))}
	for i := range j.Participants {
		out.Participants[i] = presentParticipant(j.CallID, &j.Participants[i])
	}
	return out, nil
}

// ListStreams lists the streams of a call.
func (h *handlers) ListStreams(ctx context.Context, request openapi.ListStreamsRequestObject) (openapi.ListStreamsResponseObject, error) {
	j, err := h.call(ctx, request.CallId, request.Params.Profile)
	if err != nil {
		return nil, err
	}
	out := openapi.ListStreams200JSONResponse{Streams: make([]openapi.Stream, len(j.Judged))}
	for i := range j.Judged {
		out.Streams[i] = presentStream(j, &j.Judged[i])
	}
	return out, nil
}

// ListIssues lists what went wrong in a call.
func (h *handlers) ListIssues(ctx context.Context, request openapi.ListIssuesRequestObject) (openapi.ListIssuesResponseObject, error) {
	j, err := h.call(ctx, request.CallId, request.Params.Profile)
	if err != nil {
		return nil, err
	}
	return openapi.ListIssues200JSONResponse{Issues: presentIssues(j)}, nil
}

// value is what p points to, or the zero value.
func value[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}
