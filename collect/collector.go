package collect

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/anteroom/anteroom/directory"
	"github.com/anteroom/anteroom/identity"
	"github.com/anteroom/anteroom/ingest/decode"
	"github.com/anteroom/anteroom/ingest/label"
	"github.com/anteroom/anteroom/internal/kafka"
)

// Guests proves a resource's guest by a token, which works once.
type Guests interface {
	Guest(ctx context.Context, token string) (identity.Principal, error)
}

// Resources knows which organisation a resource is of, and which pages are its own.
type Resources interface {
	Resource(ctx context.Context, id string) (directory.Resource, bool, error)
}

// Addresses limits how often one address may connect.
type Addresses interface{ Allow(addr netip.Addr) bool }

// Deps are what a collector works with. All but Log and Registry are required.
type Deps struct {
	// Region is the home region, on whose topics the events go.
	Region    string
	Producer  *kafka.Producer
	Keys      *label.Keyring
	Guests    Guests
	Resources Resources
	Addresses Addresses
	// AddressOf is the client's address of a request.
	AddressOf func(*http.Request) netip.Addr
	Log       *slog.Logger
	Registry  prometheus.Registerer
	// Now is the clock; nil: time.Now.
	Now func() time.Time
}

// tokenHash stands for a token, so that the token itself isn't kept.
type tokenHash [sha256.Size]byte

// Collector keeps the sessions. It is safe for concurrent use.
type Collector struct {
	cfg       Config
	deps      Deps
	log       *slog.Logger
	metrics   *metrics
	publisher *publisher

	mu       sync.Mutex
	sessions map[tokenHash]*session // guarded by mu
	of       map[string]int         // guarded by mu: sessions of a resource
	// beginning are tokens that are being looked at; the channel is closed when that is over. Guarded by mu.
	beginning map[tokenHash]chan struct{}
	stopping  bool // guarded by mu
	// work are connections, batches and ends under way; raised under mu while not stopping.
	work sync.WaitGroup
}

// New makes a collector; it starts nothing.
func New(cfg Config, deps Deps) (*Collector, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("make collector: %w", err)
	}
	if deps.Log == nil {
		deps.Log = slog.New(slog.DiscardHandler)
	}
	if deps.Registry == nil {
		deps.Registry = prometheus.NewRegistry()
	}
	if deps.Now == nil {
		deps.Now = time.Now
	}
	m := newMetrics(deps.Registry)
	return &Collector{
		cfg: cfg.withDefaults(), deps: deps, log: deps.Log, metrics: m, publisher: newPublisher(deps.Producer, deps.Log, m),
		sessions: map[tokenHash]*session{}, of: map[string]int{}, beginning: map[tokenHash]chan struct{}{},
	}, nil
}

// Reasons of a refusal beside those of tokens.
const (
	ReasonResource    = "resource_not_allowed"
	ReasonOrigin      = "cross_origin"
	ReasonUsed        = "token_replayed"
	ReasonFull        = "too_many_sessions"
	ReasonStopping    = "shutting_down"
	ReasonSequence    = "sequence_gap"
	ReasonInvalid     = "invalid_statistics"
	ReasonUnavailable = "not_acknowledged"
)

// Refusal is why something wasn't taken. Detail is a sentence for whoever sent it, and quotes nothing of it.
type Refusal struct {
	Reason, Detail string
	// Field of a batch that is wrong, if one is.
	Field string
}

func (r *Refusal) Error() string { return r.Reason + ": " + r.Detail }

// hello is what a client says of itself when it comes.
type hello struct {
	token, id, dialect, origin string
	// own: the page is this service's own.
	own       bool
	userAgent string
}

// session finds the session of a token, or begins one if the token is new and good. Whoever gets one has entered: leave must follow.
func (c *Collector) session(ctx context.Context, h hello, begin func(decode.Options, string) live) (*session, error) {
	hash := tokenHash(sha256.Sum256([]byte(h.token)))
	if s, err := c.known(ctx, hash, h); s != nil || err != nil {
		return s, err
	}
	defer c.begun(hash)
	who, err := c.deps.Guests.Guest(ctx, h.token)
	if err != nil {
		return nil, err //nolint:wrapcheck // the refusal is the answer
	}
	resource, found, err := c.deps.Resources.Resource(ctx, who.Resource)
	if err != nil {
		return nil, fmt.Errorf("find resource: %w", err)
	}
	if !found || resource.Org == "" {
		return nil, &Refusal{Reason: ReasonResource, Detail: "Guests of this resource can't send statistics: no organisation hosts their calls."}
	}
	if h.origin != "" && !h.own && !slices.Contains(resource.Origins, h.origin) {
		return nil, &Refusal{Reason: ReasonOrigin, Detail: "The page's web origin is not one of those that the guest's resource has registered."}
	}
	pseudonyms, err := c.deps.Keys.For(resource.Org)
	if err != nil {
		return nil, fmt.Errorf("label: %w", err)
	}
	now := c.deps.Now()
	opt := decode.Options{Org: resource.Org, Region: c.deps.Region, Pseudonyms: pseudonyms}
	s := &session{token: hash, id: h.id, resource: resource.ID, dialect: h.dialect, began: now, seen: now, live: begin(opt, "collect/"+uuid.NewString())}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.stopping:
		return nil, stopping()
	case len(c.sessions) >= c.cfg.MaxSessions || c.of[s.resource] >= c.cfg.MaxSessionsPerResource:
		return nil, full()
	}
	c.sessions[hash] = s
	c.of[s.resource]++
	c.metrics.sessions.WithLabelValues(s.dialect).Inc()
	c.work.Add(1)
	return s, nil
}

func full() *Refusal {
	return &Refusal{Reason: ReasonFull, Detail: "As many sessions are under way as may be; try again later, with a new token."}
}

func stopping() *Refusal {
	return &Refusal{Reason: ReasonStopping, Detail: "The service is stopping; try again."}
}

// known is the session that a token is in use for; nil for none, and then it is for the caller to begin one, or not: begun must follow. A token works once, so
// whoever comes meanwhile with the same waits for what becomes of it.
func (c *Collector) known(ctx context.Context, hash tokenHash, h hello) (*session, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.beginning[hash] != nil {
		over := c.beginning[hash]
		c.mu.Unlock()
		select {
		case <-over:
		case <-ctx.Done():
		}
		c.mu.Lock()
		if err := ctx.Err(); err != nil {
			return nil, err //nolint:wrapcheck // the caller's own
		}
	}
	if c.stopping {
		return nil, stopping()
	}
	s := c.sessions[hash]
	if s == nil {
		if len(c.sessions) >= c.cfg.MaxSessions { // Before the token is used up.
			return nil, full()
		}
		c.beginning[hash] = make(chan struct{})
		return nil, nil //nolint:nilnil // no session, no error
	}
	if s.dialect != h.dialect || subtle.ConstantTimeCompare([]byte(s.id), []byte(h.id)) != 1 {
		return nil, &Refusal{Reason: ReasonUsed, Detail: "The token is in use for another connection id; each is good for one, so get a new one."}
	}
	s.seen = c.deps.Now()
	c.work.Add(1)
	return s, nil
}

// begun lets those go on who wait for what becomes of a token.
func (c *Collector) begun(hash tokenHash) {
	c.mu.Lock()
	defer c.mu.Unlock()
	close(c.beginning[hash])
	delete(c.beginning, hash)
}

// leave ends what session began.
func (c *Collector) leave(s *session) {
	c.mu.Lock()
	s.seen = c.deps.Now()
	c.mu.Unlock()
	c.work.Done()
}

// finish forgets a session and publishes its rest, with how it ended. It returns at once if somebody else does.
func (c *Collector) finish(ctx context.Context, s *session, how string) error {
	c.mu.Lock()
	if c.sessions[s.token] != s {
		c.mu.Unlock()
		return nil
	}
	delete(c.sessions, s.token)
	if c.of[s.resource]--; c.of[s.resource] == 0 {
		delete(c.of, s.resource)
	}
	c.mu.Unlock()
	c.metrics.sessions.WithLabelValues(s.dialect).Dec()
	c.metrics.ended.WithLabelValues(how).Inc()
	why := how
	if how == howEnded { // The client said so.
		why = ""
	}
	err := s.end(ctx, c.publisher, why)
	if err != nil && !errors.Is(err, context.Canceled) {
		c.log.WarnContext(ctx, "the rest of a client's session was not published", slog.String("how", how), slog.Any("error", err))
	}
	return err
}

// How sessions end; all but the first are recorded as the reason of the call's end.
const (
	howEnded    = "ended"
	howBroken   = "broken_off"
	howInvalid  = "invalid"
	howTooLong  = "too_long"
	howStopping = "stopping"
)

// sweepEvery is how often sessions are looked through for those that are over.
const sweepEvery = time.Second

// Run ends what has broken off, until ctx ends; then it ends all sessions, whose clients may not go on elsewhere, and publishes the rest.
func (c *Collector) Run(ctx context.Context) error {
	writing, stop := context.WithCancel(context.WithoutCancel(ctx))
	written := make(chan struct{})
	go func() { defer close(written); c.publisher.run(writing) }()
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for ctx.Err() == nil {
		select {
		case <-tick.C:
			c.sweep(context.WithoutCancel(ctx))
		case <-ctx.Done():
		}
	}
	c.shutdown(context.WithoutCancel(ctx))
	stop()
	<-written
	return nil
}

// sweep ends sessions whose client has not come back in time, and those that have gone on too long.
func (c *Collector) sweep(ctx context.Context) {
	now := c.deps.Now()
	c.mu.Lock()
	var lost, long []*session
	for _, s := range c.sessions {
		patience := c.cfg.Hold
		if s.dialect == dialectBatches {
			patience = c.cfg.IdleTimeout
		}
		switch {
		case now.Sub(s.began) > c.cfg.MaxDuration:
			long = append(long, s)
		case s.conn == nil && now.Sub(s.seen) > patience:
			lost = append(lost, s)
		}
	}
	c.mu.Unlock()
	for _, s := range long {
		c.detach(s, howTooLong)
		c.endLater(ctx, s, howTooLong)
	}
	for _, s := range lost {
		c.endLater(ctx, s, howBroken)
	}
}

// endLater ends a session without waiting for Kafka.
func (c *Collector) endLater(ctx context.Context, s *session, how string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopping || c.sessions[s.token] != s {
		return
	}
	c.work.Go(func() { _ = c.finish(ctx, s, how) }) // it says what went wrong
}

// detach cuts a session's connection.
func (c *Collector) detach(s *session, reason string) {
	c.mu.Lock()
	conn := s.conn
	c.mu.Unlock()
	if conn != nil {
		conn.cut(reason)
	}
}

// shutdown refuses all that is new, cuts connections and ends sessions.
func (c *Collector) shutdown(ctx context.Context) {
	c.mu.Lock()
	c.stopping = true
	all := make([]*session, 0, len(c.sessions))
	for _, s := range c.sessions {
		all = append(all, s)
	}
	c.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, endPatience)
	defer cancel()
	var ends sync.WaitGroup
	for _, s := range all {
		c.detach(s, ReasonStopping)
		ends.Go(func() { _ = c.finish(ctx, s, howStopping) }) // it says what went wrong
	}
	ends.Wait()
	idle := make(chan struct{})
	go func() { c.work.Wait(); close(idle) }()
	select {
	case <-idle:
	case <-ctx.Done():
	}
}
