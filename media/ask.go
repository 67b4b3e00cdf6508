package media

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"

	"github.com/anteroom/anteroom/media/meeting"
	"github.com/anteroom/anteroom/media/protocol"
)

// lookup returns a meeting's running session, if it is of that organisation.
func (n *Node) lookup(ctx context.Context, org, meetingID string) (*running, error) {
	n.mu.Lock()
	r := n.running[meetingID]
	theirs := r != nil && r.facts.Organization.ID == org
	n.mu.Unlock()
	if !theirs {
		return nil, notRunning()
	}
	select {
	case <-r.ready:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if r.err != nil {
		return nil, notRunning()
	}
	return r, nil
}

func notRunning() *protocol.Error {
	return refuse(protocol.ReasonNotFound, "", "The meeting is not running.")
}

// End ends a meeting for everybody, for an organisation's user by (an id, for the log). It returns when all of the session is recorded.
// Reason not_found: it does not run.
func (n *Node) End(ctx context.Context, org, meetingID, by string) error {
	r, err := n.lookup(ctx, org, meetingID)
	if err != nil {
		return err
	}
	n.log.InfoContext(ctx, "meeting ended by request", slog.String("org", org), slog.String("meeting", meetingID), slog.String("by", by))
	r.meeting.End(ctx, meeting.EndedByUser)
	select {
	case <-r.gone:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for the meeting's end: %w", ctx.Err())
	}
}

// Roster is who is in a running meeting and who waits, as org users see them. Reason not_found: it does not run.
func (n *Node) Roster(ctx context.Context, org, meetingID string) ([]protocol.Participant, []protocol.Waiting, error) {
	r, err := n.lookup(ctx, org, meetingID)
	if err != nil {
		return nil, nil, err
	}
	return r.meeting.Roster(), r.meeting.Lobby(), nil
}

// Messages is chat history for who bears a participant's resume token: exactly what the participant gets over its connection. Who left, or whose
// meeting has ended, gets not_in_meeting (M2).
func (n *Node) Messages(ctx context.Context, token string, req protocol.ChatHistory) (protocol.ChatMessages, error) {
	none := protocol.ChatMessages{}
	opened, _, err := n.openToken(token)
	if err != nil {
		return none, err
	}
	n.mu.Lock()
	r := n.running[opened.Meeting]
	var s *seat
	if r != nil {
		s = r.seats[opened.Ticket.Participant]
	}
	n.mu.Unlock()
	if s == nil || r.meeting.Call() != opened.Ticket.Call {
		return none, refuse(protocol.ReasonNotInMeeting, "", "You are not in the meeting any more, so its messages can't be read.")
	}
	body, err := json.Marshal(req)
	if err != nil {
		return none, fmt.Errorf("encode history request: %w", err)
	}
	reply, err := s.member.Handle(ctx, protocol.TypeChatHistory, body)
	if err != nil {
		return none, err
	}
	messages, ok := reply.(protocol.ChatMessages)
	if !ok {
		return none, fmt.Errorf("read chat history: reply has type %T", reply)
	}
	return messages, nil
}
