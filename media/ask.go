package media

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/google/uuid"

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
		return r.meeting.EndError() //nolint:wrapcheck // it is for whoever asked
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

// Present is an org user who is in a running meeting.
type Present struct {
	Participant uuid.UUID
	// UserID is the subject that the organisation's issuer states.
	UserID string
}

// Users are the org users among those who are in a running meeting. Reason not_found: it does not run.
func (n *Node) Users(ctx context.Context, org, meetingID string) ([]Present, error) {
	r, err := n.lookup(ctx, org, meetingID)
	if err != nil {
		return nil, err
	}
	users := r.meeting.Users()
	out := make([]Present, 0, len(users))
	for participant, user := range users {
		out = append(out, Present{participant, user})
	}
	return out, nil
}

// Messages is chat history for who bears a participant's resume token: exactly what the participant gets over its connection. Who left, or whose
// meeting has ended, gets not_in_meeting (M2), and so does who asks about another meeting than the token's.
func (n *Node) Messages(_ context.Context, meetingID, token string, req protocol.ChatHistory) (protocol.ChatMessages, error) {
	opened, _, err := n.openToken(token)
	if err != nil {
		return protocol.ChatMessages{}, err
	}
	if id, err := uuid.Parse(meetingID); err != nil || id.String() != opened.Meeting {
		return protocol.ChatMessages{}, notInMeeting()
	}
	n.mu.Lock()
	r := n.running[opened.Meeting]
	var s *seat
	if r != nil {
		s = r.seats[opened.Ticket.Participant]
	}
	n.mu.Unlock()
	if s == nil || r.meeting.Call() != opened.Ticket.Call {
		return protocol.ChatMessages{}, notInMeeting()
	}
	return s.member.History(req) //nolint:wrapcheck // it is for whoever asked
}

// UserMessages is chat history for an org user who is in the meeting, as the first to have come of those at whose clients the user is.
func (n *Node) UserMessages(ctx context.Context, org, meetingID, user string, req protocol.ChatHistory) (protocol.ChatMessages, error) {
	r, err := n.lookup(ctx, org, meetingID)
	if err != nil {
		if reasonOf(err) == protocol.ReasonNotFound {
			err = notInMeeting()
		}
		return protocol.ChatMessages{}, err
	}
	member := r.meeting.MemberOf(user)
	if member == nil {
		return protocol.ChatMessages{}, notInMeeting()
	}
	return member.History(req) //nolint:wrapcheck // it is for whoever asked
}

// maxRated is how many of those who have rated a call are remembered once their seats are gone.
const maxRated = 10_000

// Rate takes the rating of whoever bears a participant's resume token of a call that it was in, also of one that has left, once. Another call's token
// gets not_in_meeting, and so does that of somebody who was never let in.
func (n *Node) Rate(_ context.Context, callID, token string, req protocol.Survey) error {
	opened, facts, err := n.openToken(token)
	if err != nil {
		return err
	}
	ticket := &opened.Ticket
	if id, err := uuid.Parse(callID); err != nil || id != ticket.Call {
		return refuse(protocol.ReasonNotInMeeting, "", "You were not in this call.")
	}
	n.mu.Lock()
	r := n.running[opened.Meeting]
	var inside *seat
	if r != nil {
		inside = r.seats[ticket.Participant]
	}
	n.mu.Unlock()
	if inside != nil && r.meeting.Call() == ticket.Call {
		return inside.member.Rate(req) //nolint:wrapcheck // it is for whoever asked
	}
	if !ticket.Admitted {
		return refuse(protocol.ReasonNotInMeeting, "", "You were not in this call.")
	}
	e, err := meeting.RatingEvent(facts, ticket.Call, ticket.Participant, req)
	if err != nil {
		return err //nolint:wrapcheck // it is for whoever asked
	}
	if !n.rates(ticket.Participant) {
		return refuse(protocol.ReasonRateLimited, "", "You have rated this call already.")
	}
	if !n.deps.Recorder.Offer(e) {
		n.mu.Lock()
		delete(n.rated, ticket.Participant)
		n.mu.Unlock()
		return refuse(protocol.ReasonUnavailable, "", "The rating can't be taken just now; try again.")
	}
	return nil
}

// rates notes that a participant has rated its call; false if it had before.
func (n *Node) rates(participant uuid.UUID) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.rated[participant] {
		return false
	}
	n.remember(participant)
	return true
}

// remember keeps that a participant has rated its call. n.mu is held.
func (n *Node) remember(participant uuid.UUID) {
	if len(n.rated) >= maxRated {
		clear(n.rated)
	}
	n.rated[participant] = true
}

// vacate takes a seat away, and keeps whether whoever had it has rated the call. n.mu is held.
func (n *Node) vacate(r *running, participant uuid.UUID) {
	if s := r.seats[participant]; s != nil && s.member.Rated() {
		n.remember(participant)
	}
	delete(r.seats, participant)
}

func notInMeeting() *protocol.Error {
	return refuse(protocol.ReasonNotInMeeting, "", "You are not in the meeting, or not any more, so its messages can't be read.")
}
