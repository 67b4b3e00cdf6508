package forward

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"net/netip"
	"sync"

	"github.com/pion/interceptor"
	"github.com/pion/transport/v5"
	"github.com/pion/webrtc/v4"

	"github.com/anteroom/anteroom/media/protocol"
)

// Server owns the sockets that all media goes through.
type Server struct {
	cfg Config
	// net replaces the sockets by a network of its own: one socket per connection, for a virtual network.
	net transport.Net
	// allowed tells which addresses can be a client's.
	allowed func(netip.Addr) bool

	// mu guards what follows.
	mu      sync.Mutex
	sockets *sockets
	engines map[Side]*engine
	rooms   map[*Room]struct{}
	closed  bool
}

// New makes a server; it opens nothing.
func New(cfg Config) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	return &Server{cfg: cfg, allowed: clientAddresses(cfg.Loopback), engines: map[Side]*engine{}, rooms: map[*Room]struct{}{}}, nil
}

// NewWithNet makes a server whose connections have sockets of the given network, as a virtual one; the configuration's addresses and ports
// don't count then.
func NewWithNet(cfg Config, network transport.Net) (*Server, error) {
	s, err := New(cfg)
	if err != nil {
		return nil, err
	}
	s.net = network
	return s, nil
}

// Listen opens the sockets.
func (s *Server) Listen(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errClosed
	}
	if len(s.engines) > 0 {
		return errors.New("listen for media: already listening")
	}
	adjust := func(*webrtc.SettingEngine) {}
	if s.net == nil {
		sockets, err := listen(ctx, s.cfg)
		if err != nil {
			return err
		}
		s.sockets = sockets
	} else {
		adjust = func(settings *webrtc.SettingEngine) { settings.SetNet(s.net) }
	}
	for _, side := range []Side{PublishSide, SubscribeSide} {
		engine, err := newEngine(s.cfg, s.sockets, side, s.allowed, adjust)
		if err != nil {
			return err
		}
		s.engines[side] = engine
	}
	return nil
}

// Addresses are the UDP addresses that media is received on, once Listen has returned.
func (s *Server) Addresses() []netip.AddrPort {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sockets == nil {
		return nil
	}
	var all []netip.AddrPort
	for _, address := range s.sockets.udp.GetListenAddresses() {
		if parsed, err := netip.ParseAddrPort(address.String()); err == nil {
			all = append(all, parsed)
		}
	}
	return all
}

// ICEServers are what clients are to use.
func (s *Server) ICEServers() []protocol.ICEServer {
	servers := []protocol.ICEServer{}
	if len(s.cfg.STUNURLs) > 0 {
		servers = append(servers, protocol.ICEServer{URLs: s.cfg.STUNURLs})
	}
	if len(s.cfg.TURNURLs) > 0 {
		servers = append(servers, protocol.ICEServer{
			URLs: s.cfg.TURNURLs, Username: s.cfg.TURN.Username, Credential: s.cfg.TURN.Password,
		})
	}
	return servers
}

// Close closes all rooms and the sockets.
func (s *Server) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	rooms := s.rooms
	s.rooms = map[*Room]struct{}{}
	s.mu.Unlock()
	for room := range rooms {
		room.Close()
	}
	if s.sockets == nil {
		return nil
	}
	if err := s.sockets.close(); err != nil {
		return fmt.Errorf("close media sockets: %w", err)
	}
	return nil
}

// errClosed: the server, room or peer is closed.
var errClosed = errors.New("closed")

// errNotListening: Listen was not called.
var errNotListening = errors.New("not listening")

// connect makes a connection of one side, with buffers (nil: pion's) and interceptors of its own.
func (s *Server) connect(side Side, buffers buffers, interceptors ...interceptor.Factory) (*webrtc.PeerConnection, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errClosed
	}
	engine := s.engines[side]
	if engine == nil {
		return nil, errNotListening
	}
	certificate, err := newCertificate()
	if err != nil {
		return nil, err
	}
	pc, err := engine.api(buffers, interceptors...).NewPeerConnection(webrtc.Configuration{
		Certificates: []webrtc.Certificate{*certificate}, BundlePolicy: webrtc.BundlePolicyMaxBundle,
	})
	if err != nil {
		return nil, fmt.Errorf("make %s connection: %w", side, err)
	}
	return pc, nil
}

// newCertificate is for one connection: what a member does to its own changes nobody else's. It takes some tenths of a millisecond.
func newCertificate() (*webrtc.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make key of media: %w", err)
	}
	certificate, err := webrtc.GenerateCertificate(key)
	if err != nil {
		return nil, fmt.Errorf("make certificate of media: %w", err)
	}
	return certificate, nil
}

// NewRoom makes an empty room.
func (s *Server) NewRoom(events RoomEvents) *Room {
	r := newRoom(s, events)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		r.closed = true
		return r
	}
	s.rooms[r] = struct{}{}
	r.background.Go(r.run)
	return r
}

func (s *Server) forget(r *Room) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.rooms, r)
}

// errTwice: the member is in the room.
var errTwice = errors.New("is in the room already")
