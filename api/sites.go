package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/anteroom/anteroom/analytics"
	"github.com/anteroom/anteroom/api/openapi"
	"github.com/anteroom/anteroom/store"
)

// sites reads where an organisation's networks are; nil where that was never said.
func (h *handlers) sites(ctx context.Context, org string) (*analytics.Sites, error) {
	row, err := h.store.Get(ctx, analytics.SitesKind, org, analytics.SitesID)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil //nolint:nilnil // there are none
	}
	if err != nil {
		return nil, err //nolint:wrapcheck // the store says what it did
	}
	out := new(analytics.Sites)
	if err := json.Unmarshal(row.Value, out); err != nil {
		return nil, fmt.Errorf("read sites: %w", err)
	}
	return out, nil
}

// GetSites writes the table as it is taken.
func (h *handlers) GetSites(ctx context.Context, _ openapi.GetSitesRequestObject) (openapi.GetSitesResponseObject, error) {
	sites, err := h.sites(ctx, callerOf(ctx).about)
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	if err := sites.WriteCSV(&text); err != nil {
		return nil, err //nolint:wrapcheck // says what it did
	}
	return openapi.GetSites200TextcsvResponse{Body: &text, ContentLength: int64(text.Len())}, nil
}

// PutSites replaces the table.
func (h *handlers) PutSites(ctx context.Context, request openapi.PutSitesRequestObject) (openapi.PutSitesResponseObject, error) {
	sites, err := analytics.ReadSites(request.Body)
	var bad *analytics.SiteError
	switch {
	case errors.As(err, &bad):
		return nil, &Error{Code: CodeInvalidSites, Line: bad.Line, Field: bad.Field, Detail: fmt.Sprintf("In line %d: %s. Nothing was changed.", bad.Line, bad.Reason)}
	case err != nil:
		return nil, err //nolint:wrapcheck // says what it did
	}
	text, err := json.Marshal(sites)
	if err != nil {
		return nil, fmt.Errorf("write sites: %w", err)
	}
	who := callerOf(ctx)
	if err := h.replace(ctx, store.Control{Kind: analytics.SitesKind, Org: who.about, ID: analytics.SitesID, Value: text, Author: who.author()}); err != nil {
		return nil, err
	}
	names := map[string]bool{}
	for _, row := range sites.Rows() {
		names[row.Site] = true
	}
	return openapi.PutSites200JSONResponse{Networks: len(sites.Rows()), Sites: len(names)}, nil
}
