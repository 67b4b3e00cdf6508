package api

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/analytics"
	"github.com/anteroom/anteroom/api/openapi"
	"github.com/anteroom/anteroom/store"
)

// maxEntries is how many entries of a timeline are read for spans of time.
const maxEntries = 100_000

// ZoomSamples lists what all streams of a call did, as closely as asked.
func (h *handlers) ZoomSamples(ctx context.Context, request openapi.ZoomSamplesRequestObject) (openapi.ZoomSamplesResponseObject, error) {
	from, to, err := window(request.Params.From, request.Params.To)
	if err != nil {
		return nil, err
	}
	j, err := h.call(ctx, request.CallId, nil)
	if err != nil {
		return nil, err
	}
	out := openapi.ZoomSamples200JSONResponse{Streams: []openapi.ZoomStream{}}
	f := store.ZoomFilter{Call: j.CallKey, Sent: j.Withheld}
	for i := range j.Participants {
		f.Participants = append(f.Participants, j.Participants[i].ID)
	}
	if from.IsZero() || to.IsZero() {
		first, last, err := h.reader.Span(ctx, f)
		if err != nil {
			return nil, err //nolint:wrapcheck // the store says what it did
		}
		if first.IsZero() {
			return out, nil
		}
		if from.IsZero() {
			from = first
		}
		if to.IsZero() {
			to = last.Add(time.Millisecond)
		}
		if !from.Before(to) {
			return out, nil
		}
	}
	points := 300
	if request.Params.Points != nil {
		points = *request.Params.Points
	}
	step := max(time.Millisecond, (to.Sub(from)/time.Duration(points) + time.Millisecond - 1).Truncate(time.Millisecond))
	f.From, f.To, f.Step = from, to, step
	found, err := h.reader.Zoom(ctx, f)
	if err != nil {
		return nil, h.tooSlow(err, from, to)
	}
	out.From, out.To, out.StepMs = &from, &to, step.Milliseconds()
	shown := streamsBySeries(j)
	for i := range found {
		if id, ok := shown[found[i].ID]; ok {
			found[i].ID = id
			out.Streams = append(out.Streams, presentZoom(j, &found[i]))
		}
	}
	return out, nil
}

// streamsBySeries are the streams that may be shown, by the ids that their samples have.
func streamsBySeries(j *analytics.Call) map[uuid.UUID]uuid.UUID {
	out := make(map[uuid.UUID]uuid.UUID, len(j.Streams))
	for i := range j.Streams {
		s := &j.Streams[i]
		out[s.ID] = s.ID
		for _, id := range s.Series {
			out[id] = s.ID
		}
	}
	return out
}

func presentZoom(j *analytics.Call, s *store.ZoomStream) openapi.ZoomStream {
	out := openapi.ZoomStream{
		StreamId: s.ID, ParticipantId: s.ParticipantID, ParticipantLabel: value(j.LabelFor(s.ParticipantID)), Media: openapi.ZoomStreamMedia(s.Media),
		Direction: openapi.ZoomStreamDirection(s.Direction), Points: make([]openapi.ZoomPoint, len(s.Points)),
	}
	both := func(avg, highest *float64) openapi.AverageAndMax {
		return openapi.AverageAndMax{Avg: finite(avg), Max: finite(highest)}
	}
	for i := range s.Points {
		p := &s.Points[i]
		out.Points[i] = openapi.ZoomPoint{
			At: p.At, Samples: clip(p.Samples), JitterMs: both(p.JitterMsAvg, p.JitterMsMax), LossRatio: both(p.LossRatioAvg, p.LossRatioMax),
			RttMs: both(p.RTTMsAvg, p.RTTMsMax), BitrateBps: finite(p.BitrateBpsAvg), FrameRate: finite(p.FrameRateAvg), FrameHeight: finite(p.FrameHeightAvg),
			JitterBufferMs: finite(p.JitterBufferMsAvg), FreezeMs: finite(p.FreezeMs), AvailableBitrateBps: finite(p.AvailableBitrateBpsAvg),
		}
	}
	return out
}

// ListPresence tells what each participant was doing when.
func (h *handlers) ListPresence(ctx context.Context, request openapi.ListPresenceRequestObject) (openapi.ListPresenceResponseObject, error) {
	j, err := h.call(ctx, request.CallId, nil)
	if err != nil {
		return nil, err
	}
	f := store.TimelineFilter{Call: j.CallKey, Withhold: j.Withheld, Limit: maxEntries}
	for i := range j.Participants {
		f.Visible = append(f.Visible, j.Participants[i].ID)
	}
	entries, err := h.reader.Timeline(ctx, f)
	if err != nil {
		return nil, err //nolint:wrapcheck // the store says what it did
	}
	out := openapi.ListPresence200JSONResponse{From: timeOrNil(j.FirstSeen), To: j.EndedAt, Participants: []openapi.Presence{}}
	for _, p := range j.Presence(entries) {
		kind := presentParticipant(j.CallID, p.ParticipantFacts).Kind
		one := openapi.Presence{
			ParticipantId: p.ID, Label: p.Label, Kind: openapi.PresenceKind(kind), JoinedAt: p.JoinedAt, LeftAt: p.LeftAt, Spans: make([]openapi.PresenceSpan, len(p.Spans)),
		}
		if p.Number > 0 {
			one.Number = &p.Number
		}
		for i, s := range p.Spans {
			one.Spans[i] = openapi.PresenceSpan{State: openapi.PresenceSpanState(s.State), From: s.From, To: s.To, Detail: textOrNil(s.Detail)}
		}
		out.Participants = append(out.Participants, one)
	}
	return out, nil
}
