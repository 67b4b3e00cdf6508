package media

import (
	"context"
	"errors"

	"github.com/anteroom/anteroom/identity"
	"github.com/anteroom/anteroom/media/meeting"
	"github.com/anteroom/anteroom/media/protocol"
)

// Resume gives a participant whose connection was lost a new one. A token of a session that this process never had (the node that had it was
// lost) brings the session back under the same call id, if the token is young enough. Errors as Join's.
func (n *Node) Resume(ctx context.Context, req protocol.Resume, remote Remote, client meeting.Client) (*Session, protocol.Joined, error) {
	s, joined, err := n.resume(ctx, req, remote, client)
	n.count(ctx, protocol.TypeResume, err)
	return s, joined, err
}

func (n *Node) resume(ctx context.Context, req protocol.Resume, remote Remote, client meeting.Client) (*Session, protocol.Joined, error) {
	none := protocol.Joined{}
	if !remote.Limited && !n.addresses.Allow(remote.Addr) {
		return nil, none, limited("Too many joins from this address.")
	}
	token, facts, err := n.openToken(req.ResumeToken)
	if err != nil {
		return nil, none, err
	}
	if err := n.checkOrigin(facts, token.Ticket.Entrant, remote); err != nil {
		return nil, none, err
	}
	if err := n.own(ctx, facts.Meeting.ID); err != nil {
		return nil, none, err
	}
	if n.revoked(token.Ticket.Participant) {
		return nil, none, resumeExpired()
	}
	r, err := n.sessionOf(ctx, token, facts)
	if err != nil {
		return nil, none, err
	}
	l := newLink(n, r, client)
	member, joined, err := r.meeting.Resume(ctx, token.Ticket, l)
	if errors.Is(err, meeting.ErrResumeExpired) {
		err = resumeExpired()
	}
	if err != nil {
		return nil, none, err
	}
	return n.seated(ctx, l, member, joined)
}

// openToken reads a resume token and finds its meeting.
func (n *Node) openToken(text string) (resumeToken, meeting.Facts, error) {
	if text == "" {
		return resumeToken{}, meeting.Facts{}, refuse(protocol.ReasonInvalidField, "resume_token", "The resume token is missing.")
	}
	var token resumeToken
	var refused *identity.Error
	if err := n.deps.Tokens.Open(identity.KindResume, text, &token); errors.As(err, &refused) && refused.Reason == identity.TokenExpired {
		return resumeToken{}, meeting.Facts{}, resumeExpired()
	} else if err != nil {
		return resumeToken{}, meeting.Facts{}, refuse(protocol.ReasonInvalidToken, "resume_token", "The resume token is not valid. Join again by the meeting's link.")
	}
	facts, ok := n.deps.Control.Meeting(token.Meeting)
	if !ok {
		return resumeToken{}, meeting.Facts{}, refuse(protocol.ReasonMeetingNotFound, "", "The meeting does not exist any more.")
	}
	if facts.Meeting.Cancelled {
		return resumeToken{}, meeting.Facts{}, refuse(protocol.ReasonMeetingEnded, "", "The meeting was cancelled.")
	}
	return token, facts, nil
}

// sessionOf is the session that a token is of.
func (n *Node) sessionOf(ctx context.Context, token resumeToken, facts meeting.Facts) (*running, error) {
	call := token.Ticket.Call
	n.mu.Lock()
	_, over := n.ended[call]
	n.mu.Unlock()
	if over || n.revoked(call) {
		return nil, refuse(protocol.ReasonMeetingEnded, "", "The meeting has ended.")
	}
	// A token that is still good was issued not long before this process began: its session may be brought back.
	revive := func(ctx context.Context, cfg meeting.Config, facts meeting.Facts, deps meeting.Deps) (*meeting.Meeting, error) {
		return meeting.Revive(ctx, cfg, facts, deps, call)
	}
	r, err := n.session(ctx, facts, revive, "revived")
	if err != nil {
		return nil, err
	}
	if r == nil || r.meeting.Call() != call {
		return nil, resumeExpired()
	}
	return r, nil
}

func resumeExpired() *protocol.Error {
	return refuse(protocol.ReasonResumeExpired, "", "You were away for too long, or have left. Join again by the meeting's link.")
}
