package api

import (
	"context"
	"time"

	"github.com/anteroom/anteroom/api/openapi"
	"github.com/anteroom/anteroom/store"
)

// CompareQuality puts two periods, or two calls, side by side.
func (h *handlers) CompareQuality(ctx context.Context, request openapi.CompareQualityRequestObject) (openapi.CompareQualityResponseObject, error) {
	f, err := h.summaryFilter(ctx)
	if err != nil {
		return nil, err
	}
	a, b := f, f
	if err := compared(request.Params, &a, &b); err != nil {
		return nil, err
	}
	out := openapi.CompareQuality200JSONResponse{Freshness: h.freshness(ctx)}
	if out.A, _, _, err = h.figures(ctx, a, nil, ""); err != nil {
		return nil, err
	}
	if out.B, _, _, err = h.figures(ctx, b, nil, ""); err != nil {
		return nil, err
	}
	for name, one := range map[string]struct {
		call    string
		figures openapi.Figures
	}{"a_call": {a.CallID, out.A}, "b_call": {b.CallID, out.B}} {
		if one.call != "" && one.figures.Calls == 0 {
			return nil, &Error{Code: CodeCallNotFound, Parameter: name}
		}
	}
	out.Difference = difference(out.A, out.B)
	return out, nil
}

// compared sets what the two sides are.
func compared(p openapi.CompareQualityParams, a, b *store.SummaryFilter) error {
	instants := []struct {
		name string
		at   *time.Time
		to   *time.Time
	}{{"a_from", p.AFrom, &a.From}, {"a_to", p.ATo, &a.To}, {"b_from", p.BFrom, &b.From}, {"b_to", p.BTo, &b.To}}
	if p.ACall != nil || p.BCall != nil {
		for _, one := range instants {
			if one.at != nil {
				return invalidParameter(one.name, "The parameter "+one.name+" does not go with a_call and b_call.")
			}
		}
		if p.ACall == nil {
			return invalidParameter("a_call", "The parameter a_call is missing: both calls are needed.")
		}
		if p.BCall == nil {
			return invalidParameter("b_call", "The parameter b_call is missing: both calls are needed.")
		}
		a.CallID, b.CallID = *p.ACall, *p.BCall
		return nil
	}
	for _, one := range instants {
		if one.at == nil {
			return invalidParameter(one.name, "The parameter "+one.name+" is missing: give both periods, or a_call and b_call.")
		}
		*one.to = clamp(one.at)
	}
	for name, f := range map[string]*store.SummaryFilter{"a": a, "b": b} {
		if !f.From.Before(f.To) {
			return invalidParameter(name+"_to", "The parameter "+name+"_to must be after "+name+"_from.")
		}
		if err := within(f.From, f.To, maxWindow, name+"_from"); err != nil {
			return err
		}
	}
	return nil
}

// difference is b less a, of each figure that both have.
func difference(a, b openapi.Figures) map[string]float64 {
	out := map[string]float64{
		"calls": float64(b.Calls - a.Calls), "calls_poor": float64(b.CallsPoor - a.CallsPoor), "streams": float64(b.Streams - a.Streams),
		"good": float64(b.Good - a.Good), "poor": float64(b.Poor - a.Poor), "unknown": float64(b.Unknown - a.Unknown),
	}
	for name, pair := range map[string][2]*float64{
		"poor_ratio": {a.PoorRatio, b.PoorRatio}, "setup_failure_ratio": {a.SetupFailureRatio, b.SetupFailureRatio}, "drop_ratio": {a.DropRatio, b.DropRatio},
	} {
		if pair[0] != nil && pair[1] != nil {
			out[name] = *pair[1] - *pair[0]
		}
	}
	for name, pair := range map[string][2]*int64{
		"participants": {a.Participants, b.Participants}, "setup_failures": {a.SetupFailures, b.SetupFailures}, "drops": {a.Drops, b.Drops},
		"short_calls": {a.ShortCalls, b.ShortCalls}, "ended_within_5s": {a.EndedWithin5s, b.EndedWithin5s},
	} {
		if pair[0] != nil && pair[1] != nil {
			out[name] = float64(*pair[1] - *pair[0])
		}
	}
	return out
}

// GetQuantiles tells how a metric was distributed over time.
func (h *handlers) GetQuantiles(ctx context.Context, _ openapi.GetQuantilesRequestObject) (openapi.GetQuantilesResponseObject, error) {
	q := values(ctx)
	zone, err := zoneOf(q)
	if err != nil {
		return nil, err
	}
	window := store.SummaryFilter{}
	if window.From, window.To, err = windowOf(q, time.Now()); err != nil {
		return nil, err
	}
	f := store.QuantileFilter{
		Org: callerOf(ctx).about, Metric: q.Get("metric"), Step: q.Get("step"), Zone: zone, Media: q.Get("media"), Direction: q.Get("direction"),
		Region: q.Get("region"), Source: parseSource(q.Get("source")),
	}
	if f.Metric == "" {
		f.Metric = "jitter_ms"
	}
	if f.Step == "" {
		f.Step = "hour"
	}
	most := map[string]time.Duration{"minute": 2 * day, "hour": 92 * day, "day": maxWindow}[f.Step]
	if err := bounded(&window, q, day, most); err != nil {
		return nil, err
	}
	f.From, f.To = window.From, window.To
	out := openapi.GetQuantiles200JSONResponse{
		Metric: f.Metric, Unit: quantileUnit(f.Metric), Points: []openapi.QuantilePoint{}, Freshness: h.freshness(ctx),
	}
	out.Step = openapi.GetQuantiles200JSONResponseBodyStep(f.Step)
	found, err := h.reader.Quantiles(ctx, f)
	if err != nil {
		return nil, h.tooSlow(err, f.From, f.To)
	}
	for i := range found {
		p := &found[i]
		out.Points = append(out.Points, openapi.QuantilePoint{
			At: p.At, P50: finite(p.P50), P75: finite(p.P75), P90: finite(p.P90), P95: finite(p.P95), P99: finite(p.P99), Samples: clip(p.Samples),
		})
	}
	return out, nil
}

func quantileUnit(metric string) string {
	switch metric {
	case "loss_ratio", "healed_ratio":
		return "ratio"
	case "frame_rate":
		return "fps"
	case "bitrate_bps":
		return "bit/s"
	}
	return "ms"
}
