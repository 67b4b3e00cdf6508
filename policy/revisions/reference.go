package revisions

import (
	"context"
	"errors"
	"slices"

	"github.com/anteroom/anteroom/policy/author"
	"github.com/anteroom/anteroom/store"
)

// Reference names a content: exactly one of its fields is set.
type Reference struct {
	Files    map[string]string
	DraftID  *string
	Revision *int
}

// Content reads what a reference names. It fails with ErrNoDraft and ErrNoRevision.
func (s *Service) Content(ctx context.Context, org string, r Reference) (author.Content, error) {
	switch {
	case r.DraftID != nil:
		_, content, err := s.Draft(ctx, org, *r.DraftID)
		return content, err
	case r.Revision != nil:
		_, content, err := s.Revision(ctx, org, *r.Revision)
		return content, err
	default:
		return author.Content{Files: r.Files}, nil
	}
}

// Decided reads the content that decisions of the organisation call by id (the last part of a runtime revision base@…+ORG@id), however long ago it was active. It
// fails with ErrNoRevision where none that ever was active is called so, or it can't be read any more.
func (s *Service) Decided(ctx context.Context, org, id string) (author.Content, error) {
	history, err := s.history(ctx, org)
	if err != nil {
		return author.Content{}, err
	}
	looked := map[string]bool{}
	for _, a := range slices.Backward(history) {
		if looked[a.Digest] || (a.Runtime != "" && a.Runtime != id) {
			continue
		}
		looked[a.Digest] = true
		content, err := load(ctx, s.deps.Store, org, a.Digest)
		switch {
		case errors.Is(err, store.ErrNotFound) || errors.Is(err, ErrDamaged):
			continue
		case err != nil:
			return content, err
		}
		if named, err := idOf(content); err == nil && named == id {
			return content, nil
		}
	}
	return author.Content{}, ErrNoRevision
}
