package forward

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/media/protocol"
)

// Config is completed by the owner of this package.
type Config struct{}

// Server owns the sockets that all media goes through.
type Server struct{}

// New makes a server; it opens nothing.
func New(Config) (*Server, error) { return &Server{}, nil }

// Listen opens the sockets.
func (s *Server) Listen(context.Context) error { return nil }

// ICEServers are what clients are to use.
func (s *Server) ICEServers() []protocol.ICEServer { return nil }

// Close closes all rooms and the sockets.
func (s *Server) Close() error { return nil }

// NewRoom makes an empty room.
func (s *Server) NewRoom(RoomEvents) *Room { return &Room{} }

// Room is where tracks are shared: everything that a member publishes is offered to every other member that may receive.
type Room struct{}

// Close closes all peers.
func (r *Room) Close() {}

// Join adds a member. Nothing flows before AllowSend and AllowReceive.
func (r *Room) Join(uuid.UUID, Events) (*Peer, error) { return &Peer{}, nil }

// Peer is one member's two connections. All methods are safe for concurrent use.
type Peer struct{}

var errNotBuilt = errors.New("not built")

// Publish takes the client's offer. Tracks in the answer's map are by mid.
func (p *Peer) Publish(_ context.Context, _ string, _ []Intent) (answer string, tracks map[string]uuid.UUID, err error) {
	return "", nil, errNotBuilt
}

// Answer takes the client's answer to the SubscribeOffer of that version; an old version is ignored.
func (p *Peer) Answer(context.Context, uint64, string) error { return errNotBuilt }

// AddCandidate takes a candidate of the client.
func (p *Peer) AddCandidate(Side, Candidate) error { return errNotBuilt }

// SetMuted notes that the client muted or unmuted a track of its own: a muted track is not forwarded. False: there is no such track.
func (p *Peer) SetMuted(uuid.UUID, bool) bool { return false }

// AllowSend says which kinds the client may publish. Tracks of others stop at once, with TrackEnded "stopped".
func (p *Peer) AllowSend(audio, video, screen bool) {}

// AllowReceive says whether the client gets media at all. Taking it away stops it at once.
func (p *Peer) AllowReceive(bool) {}

// Want sets what the subscriber has room for; tracks left out are at the server's choice.
func (p *Peer) Want([]Want) {}

// ClientStats adds what the client measured itself to the next report.
func (p *Peer) ClientStats([]protocol.TrackStats) {}

// Tap copies the peer's media until stop is called; stop closes the tap's writers and returns when they are closed.
func (p *Peer) Tap(Tap) (stop func()) { return func() {} }

// Tracks are those that the peer publishes now.
func (p *Peer) Tracks() []Track { return nil }

// Close ends both connections and tells the others; it returns when the peer's goroutines have ended and the last events have been sent.
func (p *Peer) Close() {}
