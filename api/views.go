package api

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/api/openapi"
	"github.com/anteroom/anteroom/identity"
	"github.com/anteroom/anteroom/store"
)

const (
	// viewKind is the kind of control rows that hold saved views.
	viewKind = "view"
	// maxViews is how many an organisation has at most.
	maxViews = 500
)

// view is the value of such a row.
type view struct {
	Name   string `json:"name"`
	Screen string `json:"screen"`
	Query  string `json:"query"`
	Shared bool   `json:"shared"`
	// Owner is the subject of who saved it.
	Owner     string    `json:"owner"`
	CreatedAt time.Time `json:"created_at"`
}

func (v view) present(id string, who caller) (openapi.View, error) {
	parsed, err := uuid.Parse(id)
	if err != nil {
		return openapi.View{}, fmt.Errorf("read view: %w", err)
	}
	return openapi.View{
		Id: parsed, Name: v.Name, Screen: openapi.ViewScreen(v.Screen), Query: v.Query, Shared: v.Shared, Mine: v.Owner == who.Subject, CreatedAt: v.CreatedAt,
	}, nil
}

// views reads those that the caller may see.
func (h *handlers) views(ctx context.Context) (map[string]view, int, error) {
	who := callerOf(ctx)
	rows, err := h.store.List(ctx, viewKind, who.about)
	if err != nil {
		return nil, 0, err //nolint:wrapcheck // the store says what it did
	}
	out := make(map[string]view, len(rows))
	for _, row := range rows {
		var v view
		if err := json.Unmarshal(row.Value, &v); err != nil {
			return nil, 0, fmt.Errorf("read view: %w", err)
		}
		if v.Shared || v.Owner == who.Subject {
			out[row.ID] = v
		}
	}
	return out, len(rows), nil
}

// ListViews lists saved views.
func (h *handlers) ListViews(ctx context.Context, _ openapi.ListViewsRequestObject) (openapi.ListViewsResponseObject, error) {
	found, _, err := h.views(ctx)
	if err != nil {
		return nil, err
	}
	out := openapi.ListViews200JSONResponse{Views: []openapi.View{}}
	for id, v := range found {
		one, err := v.present(id, callerOf(ctx))
		if err != nil {
			return nil, err
		}
		out.Views = append(out.Views, one)
	}
	slices.SortFunc(out.Views, func(a, b openapi.View) int {
		return cmp.Or(strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)), strings.Compare(a.Id.String(), b.Id.String()))
	})
	return out, nil
}

// CreateView saves a view.
func (h *handlers) CreateView(ctx context.Context, request openapi.CreateViewRequestObject) (openapi.CreateViewResponseObject, error) {
	who := callerOf(ctx)
	_, n, err := h.views(ctx)
	if err != nil {
		return nil, err
	}
	if n >= maxViews {
		return nil, &Error{Code: CodeTooManyViews}
	}
	in := request.Body
	v := view{
		Name: in.Name, Screen: string(in.Screen), Query: in.Query, Shared: value(in.Shared), Owner: who.Subject, CreatedAt: time.Now().UTC().Truncate(time.Millisecond),
	}
	text, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("write view: %w", err)
	}
	id := uuid.NewString()
	if _, err := h.store.Put(ctx, store.Control{Kind: viewKind, Org: who.about, ID: id, Value: text, Author: who.author()}, 0); err != nil {
		return nil, err //nolint:wrapcheck // the store says what it did
	}
	out, err := v.present(id, who)
	if err != nil {
		return nil, err
	}
	return openapi.CreateView201JSONResponse(out), nil
}

// DeleteView forgets a view.
func (h *handlers) DeleteView(ctx context.Context, request openapi.DeleteViewRequestObject) (openapi.DeleteViewResponseObject, error) {
	who, id := callerOf(ctx), request.Id.String()
	found, _, err := h.views(ctx)
	if err != nil {
		return nil, err
	}
	v, ok := found[id]
	if !ok || (v.Owner != who.Subject && !who.has(identity.Admin)) {
		return nil, &Error{Code: CodeViewNotFound}
	}
	row, err := h.store.Get(ctx, viewKind, who.about, id)
	if err == nil {
		_, err = h.store.Delete(ctx, viewKind, who.about, id, who.author(), row.Version)
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) && !errors.Is(err, store.ErrConflict) {
		return nil, err //nolint:wrapcheck // the store says what it did
	}
	return openapi.DeleteView204Response{}, nil
}
