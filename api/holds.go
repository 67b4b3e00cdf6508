package api

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/api/openapi"
	"github.com/anteroom/anteroom/directory"
	"github.com/anteroom/anteroom/retention"
	"github.com/anteroom/anteroom/store"
)

// settlePatience is how long placing a hold waits for purges that are under way.
const settlePatience = 90 * time.Second

// ListHolds lists an organisation's holds.
func (h *handlers) ListHolds(ctx context.Context, request openapi.ListHoldsRequestObject) (openapi.ListHoldsResponseObject, error) {
	r, err := h.rows()
	if err != nil {
		return nil, err
	}
	list, err := r.Holds.List(ctx, callerOf(ctx).about)
	if err != nil {
		return nil, err //nolint:wrapcheck // the store says what it did
	}
	if released := request.Params.Released; released != nil {
		list = slices.DeleteFunc(list, func(hold retention.Hold) bool { return hold.Value.Holds() == *released })
	}
	page, next, err := pageOf(list, func(hold directory.Hold) string { return hold.ID }, request.Params.PageToken, pageSize(request.Params.PageSize), fingerprintOf(ctx))
	if err != nil {
		return nil, err
	}
	holds, err := presentAll(page, presentAuthored)
	if err != nil {
		return nil, err
	}
	return openapi.ListHolds200JSONResponse{Holds: holds, NextPageToken: next}, nil
}

// newHold reads what a client says of a new one. With a key, the same person's hold of the same key has the same id.
func newHold(who caller, body json.RawMessage, key *string) (directory.Hold, error) {
	var hold directory.Hold
	if err := json.Unmarshal(body, &hold); err != nil {
		return hold, &Error{Code: CodeInvalidRequest}
	}
	// Ids are compared as text.
	hold.Meeting, hold.Resource = strings.ToLower(hold.Meeting), strings.ToLower(hold.Resource)
	hold.ID, hold.Org, hold.PlacedBy = uuid.NewString(), who.about, who.author()
	if key != nil {
		hold.ID = uuid.NewHash(sha256.New(), uuid.NameSpaceURL, fmt.Appendf(nil, "anteroom hold %q %q %q", who.about, who.author(), *key), 8).String()
	}
	return hold, nil
}

// CreateHold places a hold.
func (h *handlers) CreateHold(ctx context.Context, request openapi.CreateHoldRequestObject) (openapi.CreateHoldResponseObject, error) {
	book, err := h.rulebook()
	if err != nil {
		return nil, err
	}
	who := callerOf(ctx)
	if _, err := h.organization(ctx, who.about); err != nil {
		return nil, err
	}
	hold, err := newHold(who, *request.Body, request.Params.IdempotencyKey)
	if err != nil {
		return nil, err
	}
	patient, cancel := context.WithTimeout(ctx, settlePatience)
	defer cancel()
	placed, err := book.PlaceHold(patient, hold, who.author())
	var unsettled *retention.UnsettledError
	switch {
	case errors.As(err, &unsettled):
		return nil, fmt.Errorf("%w: %w", &Error{Code: CodeHoldUnsettled, Detail: fmt.Sprintf(
			"The hold %s is placed. Whether something that it covers is still being purged in the region %s can't be told yet; ask again with the same Idempotency-Key.",
			unsettled.Hold, unsettled.Region)}, err)
	case errors.Is(err, store.ErrConflict):
		return nil, &Error{Code: CodeKeyReused, Parameter: "Idempotency-Key"}
	case err != nil:
		return nil, wrote(err)
	}
	body, err := presentAuthored(placed)
	if err != nil {
		return nil, err
	}
	return openapi.CreateHold201JSONResponse{
		Body: body, Headers: openapi.CreateHold201ResponseHeaders{ETag: etag(placed.Version), Location: "/v1/retention/holds/" + placed.Value.ID},
	}, nil
}

// hold reads one of the organisation that is asked about.
func (h *handlers) hold(ctx context.Context, id uuid.UUID) (retention.Hold, error) {
	r, err := h.rows()
	if err != nil {
		return retention.Hold{}, err
	}
	found, err := r.Holds.Get(ctx, callerOf(ctx).about, id.String())
	if errors.Is(err, store.ErrNotFound) {
		return found, &Error{Code: CodeHoldNotFound}
	}
	return found, err //nolint:wrapcheck // the store says what it did
}

// GetHold shows one hold.
func (h *handlers) GetHold(ctx context.Context, request openapi.GetHoldRequestObject) (openapi.GetHoldResponseObject, error) {
	found, err := h.hold(ctx, request.Id)
	if err != nil {
		return nil, err
	}
	body, err := presentAuthored(found)
	if err != nil {
		return nil, err
	}
	return openapi.GetHold200JSONResponse{Body: body, Headers: openapi.GetHold200ResponseHeaders{ETag: etag(found.Version)}}, nil
}

// UpdateHold releases one hold; the document allows nothing else.
func (h *handlers) UpdateHold(ctx context.Context, request openapi.UpdateHoldRequestObject) (openapi.UpdateHoldResponseObject, error) {
	book, err := h.rulebook()
	if err != nil {
		return nil, err
	}
	old, err := h.hold(ctx, request.Id)
	if err != nil {
		return nil, err
	}
	if _, err := ifMatch(request.Params.IfMatch, old.Version); err != nil {
		return nil, err
	}
	now, err := book.ReleaseHold(ctx, old, value(request.Body.ReleaseReason), callerOf(ctx).author())
	if err != nil {
		return nil, wrote(err)
	}
	body, err := presentAuthored(now)
	if err != nil {
		return nil, err
	}
	return openapi.UpdateHold200JSONResponse{Body: body, Headers: openapi.UpdateHold200ResponseHeaders{ETag: etag(now.Version)}}, nil
}

// GetHoldHistory shows all versions of a hold.
func (h *handlers) GetHoldHistory(ctx context.Context, request openapi.GetHoldHistoryRequestObject) (openapi.GetHoldHistoryResponseObject, error) {
	book, err := h.rulebook()
	if err != nil {
		return nil, err
	}
	versions, err := book.HoldHistory(ctx, callerOf(ctx).about, request.Id.String())
	if errors.Is(err, store.ErrNotFound) {
		return nil, &Error{Code: CodeHoldNotFound}
	}
	if err != nil {
		return nil, err //nolint:wrapcheck // the rulebook says what it did
	}
	out, err := presentHistory(versions)
	if err != nil {
		return nil, err
	}
	return openapi.GetHoldHistory200JSONResponse{Versions: out}, nil
}
