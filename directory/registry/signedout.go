package registry

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/anteroom/anteroom/directory"
	"github.com/anteroom/anteroom/store"
)

// signOutAttempts bounds the races for a user's row: only the same user's other sign-outs take part.
const signOutAttempts = 5

// SessionEnded tells whether a session of a user was ended, on whatever node. It fails with ErrNotReady only.
func (r *Registry) SessionEnded(_ context.Context, org, subject, session string) (bool, error) {
	row, _ := r.SignedOut.Find("", directory.SignedOutID(org, subject))
	_, ended := row.Value.Sessions[session]
	return ended, r.Known()
}

// EndSession ends a session of a user, on all nodes within half a second; ends is when it would have ended by itself. To end it again does no harm.
func (r *Registry) EndSession(ctx context.Context, org, subject, session string, ends time.Time) error {
	id := directory.SignedOutID(org, subject)
	for attempt := 1; ; attempt++ {
		old, err := r.SignedOut.Get(ctx, "", id)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return fmt.Errorf("end session: %w", err)
		}
		row := directory.SignedOut{User: id, Sessions: map[string]time.Time{session: ends.UTC()}}
		for other, its := range old.Value.Sessions {
			if its.After(time.Now()) {
				row.Sessions[other] = its
			}
		}
		_, err = r.SignedOut.Put(ctx, row, old.Version, "")
		if err == nil {
			return nil
		}
		if !errors.Is(err, store.ErrConflict) || attempt == signOutAttempts {
			return fmt.Errorf("end session: %w", err)
		}
	}
}
