package revisions

import (
	"context"

	"github.com/anteroom/anteroom/policy/author"
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
