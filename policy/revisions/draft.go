package revisions

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/policy/author"
	"github.com/anteroom/anteroom/store"
)

// Draft is a content that somebody works on. It need not be right.
type Draft struct {
	ID    string
	Title string
	// BasedOn is the number of the revision that it was begun from; 0 is the base alone.
	BasedOn int
	// Author is who saved it last.
	Author               string
	CreatedAt, UpdatedAt time.Time
	Version              uint64
	// Digest of the content.
	Digest string
}

// draftRow is a draft's control row.
type draftRow struct {
	Title     string    `json:"title"`
	BasedOn   int       `json:"based_on"`
	Digest    string    `json:"digest"`
	CreatedAt time.Time `json:"created_at"`
}

func draftOf(row store.Control) (Draft, error) {
	v, err := decode[draftRow](row)
	return Draft{
		ID: row.ID, Title: v.Title, BasedOn: v.BasedOn, Author: row.Author, CreatedAt: v.CreatedAt, UpdatedAt: row.At, Version: row.Version, Digest: v.Digest,
	}, err
}

// Drafts lists an organisation's drafts in order of id, without their files.
func (s *Service) Drafts(ctx context.Context, org string) ([]Draft, error) {
	rows, err := s.deps.Store.List(ctx, kindDraft, org)
	if err != nil {
		return nil, err //nolint:wrapcheck // the store says what it did
	}
	out := make([]Draft, len(rows))
	for i, row := range rows {
		if out[i], err = draftOf(row); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Draft reads one with its files. It fails with ErrNoDraft.
func (s *Service) Draft(ctx context.Context, org, id string) (Draft, author.Content, error) {
	row, err := s.deps.Store.Get(ctx, kindDraft, org, id)
	if errors.Is(err, store.ErrNotFound) {
		return Draft{}, author.Content{}, ErrNoDraft
	}
	if err != nil {
		return Draft{}, author.Content{}, err //nolint:wrapcheck // the store says what it did
	}
	d, err := draftOf(row)
	if err != nil {
		return d, author.Content{}, err
	}
	content, err := load(ctx, s.deps.Store, org, d.Digest)
	if errors.Is(err, store.ErrNotFound) {
		err = ErrNoDraft
	}
	return d, content, err
}

// DraftChange is what is saved of a draft.
type DraftChange struct {
	Title   string
	BasedOn int
	Content author.Content
	Author  string
}

// CreateDraft keeps a new draft. It fails with ErrNoRevision for what it is based on, and with ErrTooManyDrafts.
func (s *Service) CreateDraft(ctx context.Context, org string, c DraftChange) (Draft, error) {
	drafts, err := s.Drafts(ctx, org)
	if err != nil {
		return Draft{}, err
	}
	if len(drafts) >= s.cfg.MaxDrafts {
		return Draft{}, ErrTooManyDrafts
	}
	return s.saveDraft(ctx, org, uuid.NewString(), c, time.Now().UTC().Truncate(time.Microsecond), 0)
}

// SaveDraft replaces a version of a draft. It fails with ErrNoDraft, ErrNoRevision and store.ErrConflict.
func (s *Service) SaveDraft(ctx context.Context, org, id string, c DraftChange, ifVersion uint64) (Draft, error) {
	row, err := s.deps.Store.Get(ctx, kindDraft, org, id)
	if errors.Is(err, store.ErrNotFound) {
		return Draft{}, ErrNoDraft
	}
	if err != nil {
		return Draft{}, err //nolint:wrapcheck // the store says what it did
	}
	old, err := draftOf(row)
	if err != nil {
		return Draft{}, err
	}
	return s.saveDraft(ctx, org, id, c, old.CreatedAt, ifVersion)
}

func (s *Service) saveDraft(ctx context.Context, org, id string, c DraftChange, created time.Time, ifVersion uint64) (Draft, error) {
	if _, _, err := s.Revision(ctx, org, c.BasedOn); err != nil {
		return Draft{}, err
	}
	digest, err := s.save(ctx, org, c.Content, true)
	if err != nil {
		return Draft{}, err
	}
	v := draftRow{Title: c.Title, BasedOn: c.BasedOn, Digest: digest, CreatedAt: created}
	row, err := put(ctx, s.deps.Store, store.Control{Kind: kindDraft, Org: org, ID: id, Author: c.Author}, v, ifVersion)
	if err != nil {
		return Draft{}, err
	}
	return draftOf(row)
}

// DeleteDraft forgets a draft. It fails with ErrNoDraft and store.ErrConflict.
func (s *Service) DeleteDraft(ctx context.Context, org, id, by string, ifVersion uint64) error {
	_, err := s.deps.Store.Get(ctx, kindDraft, org, id)
	if errors.Is(err, store.ErrNotFound) {
		return ErrNoDraft
	}
	if err == nil {
		_, err = s.deps.Store.Delete(ctx, kindDraft, org, id, by, ifVersion)
	}
	return err //nolint:wrapcheck // the store says what it did
}
