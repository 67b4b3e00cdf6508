package identity

import (
	"context"
	"fmt"
	"time"
)

// revokedFile is the journal of what was revoked: another file than that of used tokens, so that neither crowds out the other.
const revokedFile = "revoked.journal"

// maxRevoked bounds the journal of what was revoked; see journal.room.
const maxRevoked = 4 << 20

// newRevokeKey takes what is revoked as the token of a nameless resource.
func newRevokeKey(id string) useKey { return newUseKey("", id) }

// Revoke makes id, of whatever the service's own tokens are about, one that Revoked knows until the time given. It returns when that is on
// disk, so that it holds after a crash as well. With *Error (JournalUnavailable), and when ctx ends first, it holds in this process, and maybe
// beyond. To revoke again does no harm.
func (v *Verifier) Revoke(ctx context.Context, id string, until time.Time) error {
	return v.revoked.revoke(ctx, id, until)
}

// Revoked tells whether id was revoked, by this process or one before it.
func (v *Verifier) Revoked(id string) bool { return v.revoked.has(newRevokeKey(id)) }

func (j *journal) revoke(ctx context.Context, id string, until time.Time) error {
	batch, err := j.enter(journalUse{newRevokeKey(id), until.Unix() + 1}, false)
	if err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return fmt.Errorf("write down what is revoked: %w", ctx.Err())
	case <-batch.done:
	}
	if batch.err != nil {
		return refuse(JournalUnavailable, "what is revoked can't be written down just now; try again")
	}
	return nil
}
