package api

import (
	"context"
	"slices"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/api/openapi"
	"github.com/anteroom/anteroom/store"
)

const longPage = 500

// ListSamples lists what a stream did.
func (h *handlers) ListSamples(ctx context.Context, request openapi.ListSamplesRequestObject) (openapi.ListSamplesResponseObject, error) {
	list, params := fingerprintOf(ctx), request.Params
	from, to, err := window(params.From, params.To)
	if err != nil {
		return nil, err
	}
	place, err := readCursor(params.PageToken, list)
	if err != nil {
		return nil, err
	}
	// The call is read first: it says whether the stream may be shown.
	j, err := h.call(ctx, request.CallId, nil)
	if err != nil {
		return nil, err
	}
	at := slices.IndexFunc(j.Streams, func(s store.StreamFacts) bool { return s.ID == request.StreamId })
	if at < 0 {
		return nil, &Error{Code: CodeStreamNotFound}
	}
	streams := append([]uuid.UUID{request.StreamId}, j.Streams[at].Series...)
	size := pageSize(params.PageSize)
	f := store.SampleFilter{Call: j.CallKey, Streams: streams, Sent: j.Withheld, From: from, To: to, Limit: size + 1}
	if place != nil {
		if place.Tie > 2 {
			return nil, &Error{Code: CodeInvalidPageToken, Parameter: "page_token"}
		}
		f.After = &store.SampleAt{ObservedAt: place.at(), Direction: int8(place.Tie)} //nolint:gosec // checked above
	}
	found, err := h.reader.Samples(ctx, f)
	if err != nil {
		return nil, err //nolint:wrapcheck // the store says what it did
	}
	var out openapi.ListSamples200JSONResponse
	if len(found) > size {
		found = found[:size]
		at := found[size-1].At()
		out.NextPageToken = entryCursor(list, at.ObservedAt, uint64(at.Direction)) //nolint:gosec // 0 to 2
	}
	out.Samples = make([]openapi.Sample, len(found))
	for i := range found {
		out.Samples[i] = presentSample(&found[i])
	}
	return out, nil
}

// ListTimeline lists what happened in a call.
func (h *handlers) ListTimeline(ctx context.Context, request openapi.ListTimelineRequestObject) (openapi.ListTimelineResponseObject, error) {
	list, params := fingerprintOf(ctx), request.Params
	from, to, err := window(params.From, params.To)
	if err != nil {
		return nil, err
	}
	place, err := readCursor(params.PageToken, list)
	if err != nil {
		return nil, err
	}
	j, err := h.call(ctx, request.CallId, nil)
	if err != nil {
		return nil, err
	}
	size := pageSize(params.PageSize)
	f := store.TimelineFilter{Call: j.CallKey, MeetingID: j.MeetingID, From: from, To: to, Withhold: j.Withheld, Limit: size + 1}
	for i := range j.Participants {
		f.Visible = append(f.Visible, j.Participants[i].ID)
	}
	if place != nil {
		f.After = &store.TimelineAt{ObservedAt: place.at(), Tie: place.Tie}
	}
	found, err := h.reader.Timeline(ctx, f)
	if err != nil {
		return nil, err //nolint:wrapcheck // the store says what it did
	}
	var out openapi.ListTimeline200JSONResponse
	if len(found) > size {
		found = found[:size]
		at := found[size-1].At()
		out.NextPageToken = entryCursor(list, at.ObservedAt, at.Tie)
	}
	out.Timeline = make([]openapi.TimelineEntry, len(found))
	for i := range found {
		out.Timeline[i] = presentEntry(j, &found[i], callerOf(ctx).seesLess())
	}
	return out, nil
}

func pageSize(p *int) int {
	if p == nil {
		return longPage
	}
	return *p
}
