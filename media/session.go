package media

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/identity"
	"github.com/anteroom/anteroom/media/meeting"
	"github.com/anteroom/anteroom/media/protocol"
)

// Session is one connection's place in a meeting.
type Session struct {
	link *link
}

// Participant is the participant's id.
func (s *Session) Participant() uuid.UUID { return s.link.member.ID() }

// Call is the session's id.
func (s *Session) Call() uuid.UUID { return s.link.running.meeting.Call() }

// Ready is to be called when the reply to join or resume is queued: the meeting holds events and media back until then.
func (s *Session) Ready() { s.link.member.Ready() }

// Handle answers one request other than join, resume and ping: a body for the reply, or *protocol.Error, or an error of ctx.
func (s *Session) Handle(ctx context.Context, typ string, body json.RawMessage) (any, error) {
	return s.link.member.Handle(ctx, typ, body)
}

// Disconnected is to be called once, when the connection is over for whatever reason. It starts the grace, unless the stay has ended or another
// connection has taken the place.
func (s *Session) Disconnected() {
	l := s.link
	l.member.Disconnected(l)
	n := l.node
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.links, l)
	delete(n.due, l)
	if seat, ok := l.running.seats[l.member.ID()]; ok && seat.link == l {
		seat.link, seat.lost = nil, time.Now()
	}
}

// link is what a meeting has for a client: the connection, and on the way what the node must notice.
type link struct {
	client  meeting.Client
	node    *Node
	running *running

	mu     sync.Mutex
	member *meeting.Member // nil until the meeting has answered; set once, before the link is shared
	over   bool            // the stay has ended; guarded by mu
}

func newLink(n *Node, r *running, client meeting.Client) *link {
	return &link{node: n, running: r, client: client}
}

// Send implements meeting.Client.
func (l *link) Send(typ string, body any) { l.client.Send(typ, body) }

// TicketChanged implements meeting.TicketClient: a new resume token is due. It never blocks.
func (l *link) TicketChanged() {
	n := l.node
	n.mu.Lock()
	if _, ok := n.links[l]; ok {
		n.due[l] = struct{}{}
	}
	n.mu.Unlock()
	n.poke()
}

// End implements meeting.Client. Unless the client may come back, its place is given up.
func (l *link) End(ended protocol.Ended) {
	l.client.End(ended)
	if ended.Resume || ended.Reason == protocol.ReasonReplaced {
		return
	}
	l.mu.Lock()
	l.over = true
	l.mu.Unlock()
	n := l.node
	n.mu.Lock()
	defer n.mu.Unlock()
	for id, s := range l.running.seats {
		if s.link == l {
			n.vacate(l.running, id)
		}
	}
	delete(n.links, l)
	delete(n.due, l)
}

// seated notes who joined and completes the answer.
func (n *Node) seated(ctx context.Context, l *link, member *meeting.Member, joined protocol.Joined) (*Session, protocol.Joined, error) {
	l.member = member
	s := &Session{link: l}
	n.mu.Lock()
	stopping := n.stopping
	l.mu.Lock()
	over := l.over
	l.mu.Unlock()
	if !over {
		n.links[l] = struct{}{}
		l.running.seats[member.ID()] = &seat{member: member, link: l}
	}
	n.mu.Unlock()
	if stopping {
		// Run's stop may have missed this one.
		l.client.End(protocol.Ended{Reason: protocol.ReasonShuttingDown, Message: "The server is shutting down. Connect again in a moment.", Resume: true})
	}
	token, err := n.seal(l)
	if err != nil {
		// Without a token the stay is complete, but ends with the connection.
		n.log.ErrorContext(ctx, "resume token not sealed", slog.Any("error", err))
	}
	joined.ResumeToken = token
	if joined.ResumeSeconds == 0 {
		joined.ResumeSeconds = int(n.cfg.grace() / time.Second)
	}
	return s, joined, nil
}

// resumeToken is what a resume token carries.
type resumeToken struct {
	Meeting string         `json:"m"`
	Ticket  meeting.Ticket `json:"t"`
	Issued  time.Time      `json:"i"`
}

func (n *Node) seal(l *link) (string, error) {
	token, err := n.deps.Tokens.Sign(identity.KindResume, resumeToken{Meeting: l.running.id, Ticket: l.member.Ticket(), Issued: time.Now().UTC()}, n.maxTicketAge())
	if err != nil {
		return "", fmt.Errorf("seal resume token: %w", err)
	}
	return token, nil
}

// renewAll makes a new token due for everybody, so that tokens stay young.
func (n *Node) renewAll() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for l := range n.links {
		n.due[l] = struct{}{}
	}
}

// renewDue sends new tokens to those that need one.
func (n *Node) renewDue() {
	n.mu.Lock()
	due := n.due
	if len(due) == 0 {
		n.mu.Unlock()
		return
	}
	n.due = make(map[*link]struct{})
	n.mu.Unlock()
	var errs error
	for l := range due {
		token, err := n.seal(l)
		if err != nil {
			errs = errors.Join(errs, err)
			continue
		}
		l.client.Send(protocol.TypeResumeToken, protocol.ResumeTokenIssued{ResumeToken: token})
	}
	if errs != nil {
		n.log.Error("resume tokens not renewed", slog.Any("error", errs))
	}
}
