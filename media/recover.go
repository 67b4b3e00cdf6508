package media

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
)

// ResumeWindow is how long after this process began tokens of those before it are good for: what they left open by then, nobody takes up again.
func (n *Node) ResumeWindow() time.Duration { return n.maxTicketAge() }

// Inside are the participants of a call that are in the meeting or wait, also those who may still come back and those who are just leaving, and since when
// the call runs here. False: it does not.
func (n *Node) Inside(meetingID string, call uuid.UUID) (participants []uuid.UUID, since time.Time, runs bool) {
	n.mu.Lock()
	r := n.running[meetingID]
	n.mu.Unlock()
	if r == nil || !r.runs() || r.meeting.Call() != call {
		return nil, time.Time{}, false
	}
	return r.meeting.Present(), r.since, true
}

// Abandon gives up a call that a process before this one began and left open. It returns when that is written down: from then on no token
// brings the call back. False: the call runs here, or may be about to.
func (n *Node) Abandon(ctx context.Context, meetingID string, call uuid.UUID) (bool, error) {
	n.mu.Lock()
	r := n.running[meetingID]
	if r != nil && (!r.runs() || r.meeting.Call() == call) {
		n.mu.Unlock()
		return false, nil
	}
	n.ended[call] = time.Now()
	n.mu.Unlock()
	if n.deps.Gone == nil {
		return true, nil
	}
	if err := (gone{n}).Revoke(ctx, call); err != nil {
		return false, fmt.Errorf("give up a call: %w", err)
	}
	return true, nil
}
