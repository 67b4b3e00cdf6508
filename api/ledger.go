package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/anteroom/anteroom/api/openapi"
)

// Errors of Ledgers.
var (
	// ErrNoLedger: there is no ledger of the region here, or nothing in it yet.
	ErrNoLedger = errors.New("no ledger")
	// ErrNoTile: the ledger has no such tile.
	ErrNoTile = errors.New("no tile")
)

// Ledgers are the regions' transparency logs, as files that are read.
type Ledgers interface {
	// Key is the verifier key.
	Key(region string) (string, error)
	// Checkpoint is the newest one, as it was signed.
	Checkpoint(ctx context.Context, region string) ([]byte, error)
	// Tile is what stands at a path below tile/, which has the form of one.
	Tile(ctx context.Context, region, path string) ([]byte, error)
}

// ledgerError translates what a ledger can't do.
func ledgerError(err error) error {
	switch {
	case errors.Is(err, ErrNoLedger):
		return &Error{Code: CodeLedgerNotFound}
	case errors.Is(err, ErrNoTile):
		return &Error{Code: CodeTileNotFound}
	}
	return fmt.Errorf("read ledger: %w", err)
}

// GetLedgerKey tells the verifier key.
func (h *handlers) GetLedgerKey(_ context.Context, request openapi.GetLedgerKeyRequestObject) (openapi.GetLedgerKeyResponseObject, error) {
	if h.ledgers == nil {
		return nil, &Error{Code: CodeLedgerNotFound}
	}
	key, err := h.ledgers.Key(request.Region)
	if err != nil {
		return nil, ledgerError(err)
	}
	return openapi.GetLedgerKey200TextResponse(key + "\n"), nil
}

// GetLedgerCheckpoint hands out the newest checkpoint.
func (h *handlers) GetLedgerCheckpoint(ctx context.Context, request openapi.GetLedgerCheckpointRequestObject) (openapi.GetLedgerCheckpointResponseObject, error) {
	if h.ledgers == nil {
		return nil, &Error{Code: CodeLedgerNotFound}
	}
	text, err := h.ledgers.Checkpoint(ctx, request.Region)
	if err != nil {
		return nil, ledgerError(err)
	}
	return openapi.GetLedgerCheckpoint200TextResponse(text), nil
}

// GetLedgerTile hands out a tile.
func (h *handlers) GetLedgerTile(ctx context.Context, request openapi.GetLedgerTileRequestObject) (openapi.GetLedgerTileResponseObject, error) {
	if h.ledgers == nil {
		return nil, &Error{Code: CodeLedgerNotFound}
	}
	content, err := h.ledgers.Tile(ctx, request.Region, request.Tile)
	if err != nil {
		return nil, ledgerError(err)
	}
	return openapi.GetLedgerTile200ApplicationoctetStreamResponse{Body: bytes.NewReader(content), ContentLength: int64(len(content))}, nil
}

// oneTile makes one segment of what follows /v1/ledger/REGION/tile/: tlog-tiles have slashes in the names of tiles, and routes have none in a parameter.
func oneTile(r *http.Request) *http.Request {
	region, tile, ok := strings.Cut(strings.TrimPrefix(r.URL.Path, "/v1/ledger/"), "/tile/")
	if !ok || !strings.HasPrefix(r.URL.Path, "/v1/ledger/") || strings.Contains(region, "/") {
		return r
	}
	out := *r
	address := *r.URL
	address.RawPath = "/v1/ledger/" + url.PathEscape(region) + "/tile/" + url.PathEscape(tile)
	out.URL = &address
	return &out
}
