package signal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/coder/websocket"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/anteroom/anteroom/identity"
	"github.com/anteroom/anteroom/media"
	"github.com/anteroom/anteroom/media/protocol"
)

// Deps are what the handler works with. Session, Ready, Log and Registry may be nil.
type Deps struct {
	Node *media.Node
	// Session tells who is signed in on this service's own pages; it is asked for connections of these pages only.
	Session func(*http.Request) *identity.Principal
	// Ready fails while it can't be told yet which meetings there are: connections are refused so long, since of no meeting it could be said that it isn't
	// there. Default: it is known from the start.
	Ready func() error
	// Tokens seal what nodes tell each other of the clients that they relay; nil: this node relays none and takes none.
	Tokens   media.Tokens
	Log      *slog.Logger
	Registry prometheus.Registerer
}

// Handler serves /v1/connect. It is safe for concurrent use.
type Handler struct {
	cfg       Config
	deps      Deps
	log       *slog.Logger
	metrics   *metrics
	proxies   []netip.Prefix
	known     map[string]bool // request types; never written after New
	addresses *media.AddressLimiter

	mu       sync.Mutex
	stopping bool               // guarded by mu
	conns    map[*conn]struct{} // guarded by mu
	open     sync.WaitGroup     // connections; raised under mu while not stopping
}

// New makes a handler; it starts nothing.
func New(cfg Config, deps Deps) (*Handler, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("check signalling configuration: %w", err)
	}
	cfg = cfg.withDefaults()
	if deps.Log == nil {
		deps.Log = slog.New(slog.DiscardHandler)
	}
	if deps.Registry == nil {
		deps.Registry = prometheus.NewRegistry()
	}
	h := &Handler{
		cfg: cfg, deps: deps, log: deps.Log, metrics: newMetrics(deps.Registry),
		known:     make(map[string]bool),
		addresses: media.NewAddressLimiter(cfg.ConnectionsPerAddress, cfg.ConnectionBurstPerAddress, maxAddresses),
		conns:     make(map[*conn]struct{}),
	}
	for _, typ := range protocol.Requests() {
		h.known[typ] = true
	}
	for _, network := range cfg.TrustedProxies {
		h.proxies = append(h.proxies, netip.MustParsePrefix(network))
	}
	return h, nil
}

// maxAddresses whose rate of connections is kept.
const maxAddresses = 1 << 16

// ServeHTTP takes a connection and returns when it is over.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get(relayHeader) != "" {
		h.serveRelay(w, r)
		return
	}
	remote, err := h.remote(r)
	if err != nil {
		h.metrics.refused.WithLabelValues("origin").Inc()
		http.Error(w, "the Origin header is not a web origin", http.StatusForbidden)
		return
	}
	if !h.addresses.Allow(remote.Addr) {
		h.metrics.refused.WithLabelValues("rate").Inc()
		w.Header().Set("Retry-After", "5")
		http.Error(w, "too many connections from this address; wait a few seconds", http.StatusTooManyRequests)
		return
	}
	h.serve(w, r, newConn(h, remote))
}

// serveRelay takes a connection that another node relays.
func (h *Handler) serveRelay(w http.ResponseWriter, r *http.Request) {
	remote, err := h.relayRemote(r)
	if err != nil {
		h.metrics.refused.WithLabelValues("relay").Inc()
		http.Error(w, "the header "+relayHeader+" is not one of this installation", http.StatusForbidden)
		return
	}
	c := newConn(h, remote)
	c.relayedHere = true
	h.serve(w, r, c)
}

func (h *Handler) serve(w http.ResponseWriter, r *http.Request, c *conn) {
	if h.deps.Ready != nil && h.deps.Ready() != nil {
		h.metrics.refused.WithLabelValues("not_ready").Inc()
		w.Header().Set("Retry-After", "1")
		http.Error(w, "this server does not know yet which meetings there are; try again in a moment", http.StatusServiceUnavailable)
		return
	}
	// The context of a hijacked request ends with this function, which is when the connection is over.
	if !h.enter(c) {
		h.metrics.refused.WithLabelValues("limit").Inc()
		w.Header().Set("Retry-After", "30")
		http.Error(w, "this server takes no more connections now; try again later", http.StatusServiceUnavailable)
		return
	}
	defer h.leave(c)
	// Origins are checked when it is known which application's page may be there: at join.
	ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{
		Subprotocols: []string{protocol.Subprotocol}, InsecureSkipVerify: true, CompressionMode: websocket.CompressionDisabled,
	})
	if err != nil {
		h.metrics.refused.WithLabelValues("handshake").Inc()
		return
	}
	if ws.Subprotocol() != protocol.Subprotocol {
		h.metrics.refused.WithLabelValues("subprotocol").Inc()
		_ = ws.Close(websocket.StatusProtocolError, "offer the subprotocol "+protocol.Subprotocol)
		return
	}
	c.run(context.WithoutCancel(r.Context()), ws)
}

func (h *Handler) enter(c *conn) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.stopping || len(h.conns) >= h.cfg.MaxConnections {
		return false
	}
	h.conns[c] = struct{}{}
	h.open.Add(1)
	h.metrics.connections.Inc()
	return true
}

func (h *Handler) leave(c *conn) {
	h.mu.Lock()
	delete(h.conns, c)
	h.mu.Unlock()
	h.metrics.connections.Dec()
	h.open.Done()
}

// Shutdown refuses new connections, ends all that are open with shutting_down, and waits for them until ctx ends.
func (h *Handler) Shutdown(ctx context.Context) error {
	h.mu.Lock()
	h.stopping = true
	conns := make([]*conn, 0, len(h.conns))
	for c := range h.conns {
		conns = append(conns, c)
	}
	h.mu.Unlock()
	for _, c := range conns {
		c.End(protocol.Ended{Reason: protocol.ReasonShuttingDown, Message: "The server is shutting down. Connect again in a moment.", Resume: true})
	}
	finished := make(chan struct{})
	go func() { h.open.Wait(); close(finished) }()
	select {
	case <-finished:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for connections to end: %w", ctx.Err())
	}
}

// errOrigin: the Origin header is not what browsers send.
var errOrigin = errors.New("origin is not valid")

// remote tells what is known of the far end. A page of this service's own origin has no Origin here, and its session counts; no other page's
// cookies do, since any page can make a browser connect.
func (h *Handler) remote(r *http.Request) (media.Remote, error) {
	remote := media.Remote{Addr: h.address(r)}
	origin := r.Header.Get("Origin")
	if origin != "" && origin != "null" {
		u, err := url.Parse(origin)
		if err != nil || u.Host == "" || len(origin) > 512 {
			return media.Remote{}, errOrigin
		}
		if !strings.EqualFold(u.Host, r.Host) && !slices.Contains(h.cfg.Origins, origin) {
			remote.Origin = origin
			return remote, nil
		}
	}
	if origin == "null" {
		remote.Origin = origin
		return remote, nil
	}
	if h.deps.Session != nil {
		remote.Session = h.deps.Session(r)
	}
	return remote, nil
}

// address is the client's: the last one in X-Forwarded-For that no trusted proxy has, if the request came from one.
func (h *Handler) address(r *http.Request) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	addr := peer.Addr().Unmap()
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0 && h.trusted(addr); i-- {
		hop, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		addr = hop.Unmap()
	}
	return addr
}

func (h *Handler) trusted(addr netip.Addr) bool {
	return slices.ContainsFunc(h.proxies, func(p netip.Prefix) bool { return p.Contains(addr) })
}
