package nodes

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"log/slog"
	"maps"
	"time"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/store"
)

// First tells whether nobody has used a token on any node before; until is when the token is worth nothing any more. What is kept of it is a hash.
func (n *Nodes) First(ctx context.Context, token string, until time.Time) (bool, error) {
	attempt, sum := uuid.New(), sha256.Sum256([]byte(token))
	id := base64.RawURLEncoding.EncodeToString(sum[:])
	owner, err := n.deps.Store.Take(ctx, store.Claim{Kind: kindToken, ID: id, Owner: attempt, Until: until.Add(time.Minute)})
	if err != nil {
		return false, fmt.Errorf("claim the use of a token: %w", err)
	}
	return owner == attempt, nil
}

// Revoke makes id gone for good on all nodes. It returns once ClickHouse has it; if it fails, this node knows it, and tells the others as soon as it can.
func (n *Nodes) Revoke(ctx context.Context, id string, until time.Time) error {
	n.mu.Lock()
	n.gone[id] = until
	n.untold[id] = until
	n.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, n.cfg.Lease)
	defer cancel()
	return n.tell(ctx, id, until)
}

func (n *Nodes) tell(ctx context.Context, id string, until time.Time) error {
	if _, err := n.deps.Store.Take(ctx, store.Claim{Kind: kindGone, ID: id, Owner: n.id, Until: until}); err != nil {
		return fmt.Errorf("tell all nodes what is gone: %w", err)
	}
	n.mu.Lock()
	delete(n.untold, id)
	n.mu.Unlock()
	return nil
}

// Revoked tells whether id is gone, as far as this node knows: all that was gone when it took the meeting over, and what itself has revoked.
func (n *Nodes) Revoked(id string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	until, known := n.gone[id]
	return known && time.Now().Before(until)
}

// tellGone catches up with what could not be told.
func (n *Nodes) tellGone(ctx context.Context) {
	n.mu.Lock()
	untold := maps.Clone(n.untold)
	n.mu.Unlock()
	for id, until := range untold {
		if err := n.tell(ctx, id, until); err != nil {
			n.deps.Log.DebugContext(ctx, "what is gone not told yet", slog.Any("error", err))
			return
		}
	}
}

// learnGone reads what is gone on all nodes, and forgets what has expired.
func (n *Nodes) learnGone(ctx context.Context) error {
	claims, err := n.deps.Store.Claimed(ctx, kindGone)
	if err != nil {
		return fmt.Errorf("read what is gone: %w", err)
	}
	now := time.Now()
	n.mu.Lock()
	defer n.mu.Unlock()
	maps.DeleteFunc(n.gone, func(_ string, until time.Time) bool { return until.Before(now) })
	for _, c := range claims {
		n.gone[c.ID] = c.Until
	}
	return nil
}
