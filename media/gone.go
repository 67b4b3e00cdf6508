package media

import (
	"context"
	"time"

	"github.com/google/uuid"
)

// goneSlack is remembered beyond the life of tokens, for clocks that are set back a little.
const goneSlack = time.Minute

// gone is the node's Gone as its meetings have it.
type gone struct{ node *Node }

// Revoke implements meeting.Gone.
func (g gone) Revoke(ctx context.Context, id uuid.UUID) error {
	return g.node.deps.Gone.Revoke(ctx, id.String(), time.Now().Add(g.node.maxTicketAge()+goneSlack)) //nolint:wrapcheck // the meeting says what failed
}

// revoked tells whether a participant or a call is gone, by what was written down here or by a process before.
func (n *Node) revoked(id uuid.UUID) bool {
	return n.deps.Gone != nil && n.deps.Gone.Revoked(id.String())
}
