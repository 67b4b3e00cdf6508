package nodes

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/store"
)

// Kinds of claims.
const (
	kindMeeting = "meeting"
	kindToken   = "token"
	kindGone    = "gone"
)

// claimLife is how long it is known whose a meeting was. One that runs for longer is not claimed anew while its node lives.
const claimLife = 30 * 24 * time.Hour

// Take makes a meeting this node's, or returns where the node is that has it. While it is not known yet whether that one lives, it waits.
func (n *Nodes) Take(ctx context.Context, meetingID string) (elsewhere string, err error) {
	for {
		last, err := n.last(ctx, meetingID)
		if err != nil {
			return "", err
		}
		if last.Owner == n.id && n.isHeard() {
			return "", nil
		}
		if last.Epoch > 0 && last.Owner != n.id {
			url, life, err := n.judge(ctx, last.Owner)
			if err != nil || life == lives {
				return url, err
			}
			if life == unsure {
				if !pause(ctx, n.cfg.Lease/(4*beats)) {
					return "", fmt.Errorf("wait whether a meeting's node lives: %w", ctx.Err())
				}
				continue
			}
		}
		if !n.isHeard() { // a claim of a node that isn't heard would be worth nothing
			if err := n.beat(ctx); err != nil {
				return "", err
			}
			continue
		}
		taken, err := n.claim(ctx, meetingID, last.Epoch+1)
		if err != nil {
			return "", err
		}
		if !taken {
			continue
		}
		if last.Epoch > 0 {
			n.metrics.takeovers.Inc()
		}
		// What was gone before the last owner was lost is told now.
		return "", n.learnGone(ctx)
	}
}

func (n *Nodes) claim(ctx context.Context, meetingID string, epoch uint64) (bool, error) {
	owner, err := n.deps.Store.Take(ctx, store.Claim{Kind: kindMeeting, ID: meetingID, Epoch: epoch, Owner: n.id, Until: time.Now().Add(claimLife)})
	if err != nil {
		return false, fmt.Errorf("claim a meeting: %w", err)
	}
	return owner == n.id, nil
}

// Find returns where the node is that has a meeting: "" if none does that lives, or this one. nodes tells whether there is any that shares meetings.
func (n *Nodes) Find(ctx context.Context, meetingID string) (url string, nodes bool, err error) {
	last, err := n.last(ctx, meetingID)
	if err != nil {
		return "", false, err
	}
	all, err := n.deps.Store.MediaNodes(ctx, n.cfg.Lease)
	if err != nil {
		return "", false, fmt.Errorf("find a meeting's node: %w", err)
	}
	for _, node := range all {
		if node.Over {
			continue
		}
		nodes = true
		if node.ID == last.Owner && node.ID != n.id {
			url = node.URL
		}
	}
	return url, nodes, nil
}

// Elsewhere tells whether another node that lives, or may, has a meeting.
func (n *Nodes) Elsewhere(ctx context.Context, meetingID string) (bool, error) {
	last, err := n.last(ctx, meetingID)
	if err != nil || last.Epoch == 0 || last.Owner == n.id {
		return false, err
	}
	_, life, err := n.judge(ctx, last.Owner)
	return life != dead, err
}

func (n *Nodes) last(ctx context.Context, meetingID string) (store.Claim, error) {
	claims, err := n.deps.Store.LastClaims(ctx, kindMeeting, []string{meetingID})
	if err != nil || len(claims) == 0 {
		return store.Claim{}, err
	}
	return claims[0], nil
}

// life is what is known of another node.
type life int

const (
	unsure life = iota
	lives
	dead
)

// nodesReach is how long ago a node may have been heard that is looked at; who was silent for longer is dead.
const nodesReach = time.Hour

// judge tells whether a node lives, and where.
func (n *Nodes) judge(ctx context.Context, id uuid.UUID) (string, life, error) {
	steady := n.steady() // before the look: it holds for what is seen then
	all, err := n.deps.Store.MediaNodes(ctx, nodesReach)
	if err != nil {
		return "", unsure, fmt.Errorf("look whether a meeting's node lives: %w", err)
	}
	for _, node := range all {
		switch {
		case node.ID != id:
		case node.Over:
			return "", dead, nil
		case node.Silence <= n.cfg.Lease:
			return node.URL, lives, nil
		}
	}
	if !steady {
		return "", unsure, nil
	}
	return "", dead, nil
}

// pause waits; false: the context has ended.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
