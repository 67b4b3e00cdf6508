package api

import (
	"context"
	"sync"
	"time"

	"github.com/anteroom/anteroom/analytics"
	"github.com/anteroom/anteroom/api/openapi"
	"github.com/anteroom/anteroom/store"
)

const (
	// lagsAfter is how old a watermark is that lags.
	lagsAfter = time.Minute
	// askedEvery is for how long what was read of it holds.
	askedEvery = time.Second
)

// freshness remembers the watermark for a moment.
type freshness struct {
	mu   sync.Mutex
	read time.Time       // guarded by mu
	last store.Watermark // guarded by mu
}

// freshness says until when everything is in an answer. That it can't be read is itself an answer: the rest was read.
func (h *handlers) freshness(ctx context.Context) openapi.Freshness {
	h.fresh.mu.Lock()
	defer h.fresh.mu.Unlock()
	if time.Since(h.fresh.read) > askedEvery {
		w, err := h.reader.Watermark(ctx, analytics.WatermarkName)
		if err != nil {
			reason := "It could not be found out until when everything is stored."
			return openapi.Freshness{State: openapi.FreshnessStateLagging, Reason: &reason}
		}
		h.fresh.last, h.fresh.read = w, time.Now()
	}
	w := h.fresh.last
	out := openapi.Freshness{Watermark: timeOrNil(w.At), State: openapi.FreshnessStateComplete}
	if w.NotedAt.IsZero() {
		out.Watermark = nil
	}
	if out.Watermark == nil || time.Since(w.At) > lagsAfter {
		out.State, out.Reason = openapi.FreshnessStateLagging, textOrNil(w.Reason)
		if out.Reason == nil {
			reason := "Nothing says since then that all was stored: the process with the role ingest may be away."
			out.Reason = &reason
		}
	}
	return out
}
