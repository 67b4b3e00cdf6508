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

const (
	// maxChunk is how many calls are judged at once.
	maxChunk = 100
	// maxLooked is how many calls one request looks at when it filters by what only judging tells. Then, or when it has taken as long as
	// one query may, the page ends, full or not.
	maxLooked = 2000
)

// callQuery is a request for a page of calls.
type callQuery struct {
	filter  store.CallFilter
	profile *quality.Profile
	// What only the judged call tells; empty for no filter.
	verdict, label, text string
	size                 int
	after                *store.CallAt
}

// ListCalls lists calls, newest first.
func (h *handlers) ListCalls(ctx context.Context, request openapi.ListCallsRequestObject) (openapi.ListCallsResponseObject, error) {
	list := fingerprintOf(ctx)
	q, err := h.callQuery(callerOf(ctx).about, request.Params, list)
	if err != nil {
		return nil, err
	}
	calls, next, err := h.pageOfCalls(ctx, q)
	if err != nil {
		return nil, err
	}
	out := openapi.ListCalls200JSONResponse{Calls: make([]openapi.Call, len(calls))}
	for i, j := range calls {
		out.Calls[i] = presentCall(j)
	}
	if next != nil {
		out.NextPageToken = callCursor(list, *next)
	}
	return out, nil
}

func (h *handlers) callQuery(org string, p openapi.ListCallsParams, list string) (callQuery, error) {
	q := callQuery{size: 50}
	var err error
	if q.profile, err = h.profile(p.Profile); err != nil {
		return q, err
	}
	if q.filter.From, q.filter.To, err = window(p.From, p.To); err != nil {
		return q, err
	}
	place, err := readCursor(p.PageToken, list)
	if err != nil {
		return q, err
	}
	if place != nil {
		q.after = &store.CallAt{CallKey: store.CallKey{Org: place.Org, CallID: place.Call}, FirstSeen: place.at()}
	}
	if p.PageSize != nil {
		q.size = *p.PageSize
	}
	if p.Source != nil {
		q.filter.Source = parseSource(string(*p.Source))
	}
	if p.Verdict != nil {
		q.verdict = string(*p.Verdict)
	}
	q.filter.Org, q.text, q.label = org, value(p.Q), value(p.ParticipantLabel)
	q.filter.Text = q.text
	// A label that is no name is nobody's in the tables: then every call has to be looked at.
	if q.label != "" && !containsFold(analytics.Anonymous, q.label) && !containsFold(analytics.OrgUser, q.label) {
		q.filter.Label = q.label
	}
	return q, nil
}

// pageOfCalls collects a page, and where the next one begins; nil when there is none. Calls are read and judged in chunks, so that a
// page that filters by verdict costs what it takes to fill it.
func (h *handlers) pageOfCalls(ctx context.Context, q callQuery) ([]*analytics.Call, *store.CallAt, error) {
	var page []*analytics.Call
	begin := time.Now()
	for looked := 0; ; {
		chunk := maxChunk
		if !q.picks() {
			chunk = min(maxChunk, q.size-len(page))
		}
		// One more than wanted tells whether there is more.
		found, err := h.reader.Calls(ctx, q.filter, q.after, chunk+1)
		if err != nil {
			return nil, nil, err //nolint:wrapcheck // the store says what it did
		}
		more := len(found) > chunk
		found = found[:min(len(found), chunk)]
		keys := make([]store.CallKey, len(found))
		for i := range found {
			keys[i] = found[i].CallKey
		}
		records, err := h.reader.Load(ctx, keys)
		if err != nil {
			return nil, nil, err //nolint:wrapcheck // the store says what it did
		}
		for i, record := range records {
			q.after = &found[i]
			if record == nil || !q.inWindow(record) {
				continue
			}
			if call := analytics.Judge(q.profile, record); q.takes(call) {
				page = append(page, call)
			}
			if len(page) == q.size {
				if i+1 < len(records) || more {
					return page, q.after, nil
				}
				return page, nil, nil
			}
		}
		if looked += len(records); !more {
			return page, nil, nil
		}
		if looked >= maxLooked || time.Since(begin) > h.cfg.Query.Timeout {
			return page, q.after, nil
		}
	}
}

// picks tells whether the page filters by what only the judged call tells.
func (q *callQuery) picks() bool { return q.verdict != "" || q.label != "" || q.text != "" }

// inWindow repeats the window on the call's full record: the list may have read only a part of its rows.
func (q *callQuery) inWindow(r *store.Record) bool {
	return (q.filter.From.IsZero() || !r.FirstSeen.Before(q.filter.From)) && (q.filter.To.IsZero() || r.FirstSeen.Before(q.filter.To))
}

func (q *callQuery) takes(j *analytics.Call) bool {
	return (q.verdict == "" || q.verdict == string(j.Verdict)) && (q.label == "" || j.HasLabel(q.label)) && (q.text == "" || j.HasText(q.text))
}

// profile is the profile that a request names, or the configured one.
func (h *handlers) profile(name *openapi.Profile) (*quality.Profile, error) {
	p, ok := h.profiles.Get(string(value(name)))
	if !ok {
		return nil, invalidParameter("profile", "There is no such profile.")
	}
	return p, nil
}

// call reads and judges one call of the organisation that the request is about.
func (h *handlers) call(ctx context.Context, callID string, profile *openapi.Profile) (*analytics.Call, error) {
	p, err := h.profile(profile)
	if err != nil {
		return nil, err
	}
	keys, err := h.reader.FindCall(ctx, callID, callerOf(ctx).about)
	if err != nil {
		return nil, err //nolint:wrapcheck // the store says what it did
	}
	if len(keys) != 1 {
		return nil, &Error{Code: CodeCallNotFound}
	}
	records, err := h.reader.Load(ctx, keys)
	if err != nil {
		return nil, err //nolint:wrapcheck // the store says what it did
	}
	if records[0] == nil {
		return nil, &Error{Code: CodeCallNotFound}
	}
	return analytics.Judge(p, records[0]), nil
}

// GetCall shows one call.
func (h *handlers) GetCall(ctx context.Context, request openapi.GetCallRequestObject) (openapi.GetCallResponseObject, error) {
	j, err := h.call(ctx, request.CallId, request.Params.Profile)
	if err != nil {
		return nil, err
	}
	return openapi.GetCall200JSONResponse(presentCall(j)), nil
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

func containsFold(s, part string) bool {
	return strings.Contains(strings.ToLower(s), strings.ToLower(part))
}
