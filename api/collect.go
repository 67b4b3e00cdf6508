package api

import (
	"context"
	"encoding/json"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/anteroom/anteroom/api/openapi"
)

// Collector takes in what clients of other systems measure.
type Collector interface {
	// Collect takes a batch, and returns when all that was taken so far is safe. Errors are *Error, *identity.Error, or of the context.
	Collect(ctx context.Context, batch StatsBatch) (StatsReceipt, error)
}

// StatsBatch is what a client sends.
type StatsBatch struct {
	// Token of the client's resource, not looked at yet.
	Token string
	// Session is the client's own id of its connection; Sequence numbers batches from 1.
	Session  string
	Sequence uint64
	// Origin of the page that sends it, "" for none; Own: it is this service's.
	Origin    string
	Own       bool
	UserAgent string
	Entries   []StatsEntry
	// Ended: it is the last batch of its call.
	Ended bool
}

// StatsEntry is what happened at one instant.
type StatsEntry struct {
	At             time.Time
	PeerConnection string
	// Stats is JSON; empty for none.
	Stats                               json.RawMessage
	ICEConnectionState, ConnectionState string
}

// StatsReceipt says that all batches up to Acknowledged are safe.
type StatsReceipt struct {
	CallID, SupportCode string
	Acknowledged        uint64
}

// CollectStatistics takes a batch of a client's statistics.
func (h *handlers) CollectStatistics(ctx context.Context, request openapi.CollectStatisticsRequestObject) (openapi.CollectStatisticsResponseObject, error) {
	if h.collector == nil {
		return nil, &Error{Code: CodeCollectUnavailable}
	}
	body := request.Body
	batch := StatsBatch{
		Token: callerOf(ctx).token, Session: body.SessionId, Sequence: uint64(max(body.Sequence, 0)), Ended: value(body.Ended), //nolint:gosec // not negative
		Entries: make([]StatsEntry, len(body.Entries)),
	}
	if r := requestIn(ctx); r != nil {
		batch.Origin, batch.UserAgent = r.Header.Get(echo.HeaderOrigin), r.UserAgent()
		batch.Own = batch.Origin != "" && ownOrigin(r, batch.Origin)
	}
	for i, e := range body.Entries {
		batch.Entries[i] = StatsEntry{
			At: time.UnixMicro(int64(e.AtMs * 1000)).UTC(), PeerConnection: e.PeerConnection, Stats: value(e.Stats),
			ICEConnectionState: string(value(e.IceConnectionState)), ConnectionState: string(value(e.ConnectionState)),
		}
	}
	got, err := h.collector.Collect(ctx, batch)
	if err != nil {
		return nil, err //nolint:wrapcheck // the refusal is the answer
	}
	out := openapi.CollectStatistics200JSONResponse{SupportCode: got.SupportCode, Acknowledged: int64(got.Acknowledged)} //nolint:gosec // at most what was sent
	if err := out.CallId.UnmarshalText([]byte(got.CallID)); err != nil {
		return nil, &Error{Code: CodeInternal}
	}
	return out, nil
}
