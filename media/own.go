package media

import (
	"context"
	"log/slog"

	"github.com/anteroom/anteroom/media/meeting"
	"github.com/anteroom/anteroom/media/protocol"
)

// own returns nil once this node has the meeting, or *Elsewhere: another one has it.
func (n *Node) own(ctx context.Context, meetingID string) error {
	if n.deps.Owners == nil {
		return nil
	}
	n.mu.Lock()
	_, here := n.running[meetingID]
	stopping := n.stopping
	n.mu.Unlock()
	if here {
		return nil
	}
	if stopping { // what would be taken now would be given up at once
		return refuse(protocol.ReasonShuttingDown, "", "The server is shutting down. Connect again in a moment.")
	}
	// One look for all who come at once; it is taken for the meeting, not for whoever was first.
	looked := n.taking.DoChan(meetingID, func() (any, error) {
		limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), n.cfg.StartTimeout)
		defer cancel()
		return n.deps.Owners.Take(limited, meetingID)
	})
	var elsewhere string
	var err error
	select {
	case got := <-looked:
		elsewhere, _ = got.Val.(string)
		err = got.Err
	case <-ctx.Done():
		err = ctx.Err()
	}
	switch {
	case err != nil && ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		n.log.WarnContext(ctx, "it can't be told which node has a meeting", slog.String("meeting", meetingID), slog.Any("error", err))
		return refuse(protocol.ReasonUnavailable, "", "The meeting could not be started, because it can't be told where it runs. Try again in a moment.")
	case elsewhere != "":
		return &Elsewhere{URL: elsewhere}
	}
	return nil
}

// Running are the meetings that run here, those that are just beginning included.
func (n *Node) Running() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	ids := make([]string, 0, len(n.running))
	for id := range n.running {
		ids = append(ids, id)
	}
	return ids
}

// HandOver ends a meeting's session here without anybody having left: another node has it. It doesn't wait for the end.
func (n *Node) HandOver(ctx context.Context, meetingID string) {
	n.mu.Lock()
	r := n.running[meetingID]
	if r != nil {
		r.taken = true
	}
	n.mu.Unlock()
	if r != nil {
		go r.end(context.WithoutCancel(ctx), meeting.EndedTaken)
	}
}
