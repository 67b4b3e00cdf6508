package meeting

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/media/forward"
	"github.com/anteroom/anteroom/media/protocol"
)

// Config is completed by the owner of this package.
type Config struct {
	// LobbyTimeout bounds the wait in both states together. Default 30m.
	LobbyTimeout time.Duration `koanf:"lobby_timeout"`
	// ReconnectGrace is how long a member that was cut off may come back. Default 20s.
	ReconnectGrace time.Duration `koanf:"reconnect_grace"`
	// EmptyTimeout ends a meeting after the last member has left. Default 5m.
	EmptyTimeout time.Duration `koanf:"empty_timeout"`
}

// Deps are what a meeting works with.
type Deps struct {
	Decider  Decider
	Recorder Recorder
	Forward  *forward.Server
	Log      *slog.Logger
}

var errNotBuilt = errors.New("not built")

// Meeting is one session. All methods are safe for concurrent use.
type Meeting struct{}

// Start opens a session: it records that the call started, and fails if that can't be recorded.
func Start(context.Context, Config, Facts, Deps) (*Meeting, error) { return nil, errNotBuilt }

// Call is the session's id.
func (m *Meeting) Call() uuid.UUID { return uuid.Nil }

// Join asks policy and lets somebody in, into the lobby, or not (*protocol.Error).
func (m *Meeting) Join(context.Context, Entrant, Client) (*Member, protocol.Joined, error) {
	return nil, protocol.Joined{}, errNotBuilt
}

// Resume gives a member a new connection. A ticket whose member is unknown here (the node was lost) makes the member anew with its id and
// admission, re-checked by policy. ErrResumeExpired: the member is gone for good.
func (m *Meeting) Resume(context.Context, Ticket, Client) (*Member, protocol.Joined, error) {
	return nil, protocol.Joined{}, errNotBuilt
}

// Revive is Start for a session that another process has begun: same call id, no second start.
func Revive(context.Context, Config, Facts, Deps, uuid.UUID) (*Meeting, error) {
	return nil, errNotBuilt
}

// Update applies changed settings at once to everybody.
func (m *Meeting) Update(context.Context, Facts) {}

// Waiters asks policy again for everybody who waits, and everybody's capabilities, after a policy was activated.
func (m *Meeting) Reconsider(context.Context) {}

// End ends the session for everybody.
func (m *Meeting) End(_ context.Context, reason string) {}

// Done is closed when the session has ended and all of it is recorded.
func (m *Meeting) Done() <-chan struct{} { return nil }

// Roster and Lobby are what org users see.
func (m *Meeting) Roster() []protocol.Participant { return nil }

// Lobby lists who waits, oldest first.
func (m *Meeting) Lobby() []protocol.Waiting { return nil }

// Member is somebody who joined.
type Member struct{}

// ID is the participant id.
func (m *Member) ID() uuid.UUID { return uuid.Nil }

// Ticket is for the resume token; a new one is due whenever TicketChanged was called.
func (m *Member) Ticket() Ticket { return Ticket{} }

// Handle answers one request other than join and resume: a body for the reply, or an error (*protocol.Error, or one of the context).
func (m *Member) Handle(_ context.Context, typ string, body json.RawMessage) (any, error) {
	return nil, errNotBuilt
}

// Disconnected starts the grace of a member whose connection was lost. It is ignored if the client is not the current one.
func (m *Member) Disconnected(Client) {}
