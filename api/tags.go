package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/anteroom/anteroom/api/openapi"
	"github.com/anteroom/anteroom/store"
)

// callTags is the value of a control row of store.TagsKind.
type callTags struct {
	Tags []string `json:"tags"`
}

// readTags reads the value of such a row; none for an empty one.
func readTags(text string) ([]string, error) {
	var value callTags
	if text == "" {
		return []string{}, nil
	}
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		return nil, fmt.Errorf("read tags: %w", err)
	}
	return append([]string{}, value.Tags...), nil
}

// PutCallTags replaces the tags of a call.
func (h *handlers) PutCallTags(ctx context.Context, request openapi.PutCallTagsRequestObject) (openapi.PutCallTagsResponseObject, error) {
	c, err := h.call(ctx, request.CallId, nil)
	if err != nil {
		return nil, err
	}
	tags := append([]string{}, request.Body.Tags...)
	slices.Sort(tags)
	tags = slices.Compact(tags)
	text, err := json.Marshal(callTags{tags})
	if err != nil {
		return nil, fmt.Errorf("write tags: %w", err)
	}
	row := store.Control{Kind: store.TagsKind, Org: c.Org, ID: c.CallID, Value: text, Author: callerOf(ctx).author()}
	if err := h.replace(ctx, row); err != nil {
		return nil, err
	}
	return openapi.PutCallTags200JSONResponse{Tags: tags}, nil
}

// replace writes the next version of a row, whatever the newest is: the last who writes is believed.
func (h *handlers) replace(ctx context.Context, row store.Control) error {
	const attempts = 5
	for n := 1; ; n++ {
		version := uint64(0)
		current, err := h.store.Get(ctx, row.Kind, row.Org, row.ID)
		switch {
		case err == nil:
			version = current.Version
		case !errors.Is(err, store.ErrNotFound):
			return err //nolint:wrapcheck // the store says what it did
		}
		if _, err = h.store.Put(ctx, row, version); err == nil || !errors.Is(err, store.ErrConflict) || n == attempts {
			return err //nolint:wrapcheck // the store says what it did
		}
	}
}
