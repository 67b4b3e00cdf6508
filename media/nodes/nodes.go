package nodes

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/anteroom/anteroom/store"
)

// Deps are what a node works with.
type Deps struct {
	// Store keeps claims and signs of life. Required.
	Store *store.Store
	// Running are the meetings that run here, and Lost is called with each of them that another node has taken. Both may be nil.
	Running func() []string
	Lost    func(meetingID string)
	// Log and Registry may be nil.
	Log      *slog.Logger
	Registry prometheus.Registerer
}

// Nodes is this process among those that share the meetings. It is safe for concurrent use.
type Nodes struct {
	cfg     Config
	deps    Deps
	id      uuid.UUID
	metrics *metrics

	// beating lets one sign of life at a time be given.
	beating sync.Mutex

	mu sync.Mutex
	// heard is when the last sign of life that ClickHouse has was begun, since the first of those that came without a gap of a lease. Guarded by mu.
	heard, since time.Time
	// wary until then: claims of others may be on their way. unseen: none of those that may have been made in a gap was looked for yet. Guarded by mu.
	wary   time.Time
	unseen bool
	// gone for good, until when each has to be known; untold are those that ClickHouse hasn't yet. Guarded by mu.
	gone   map[string]time.Time
	untold map[string]time.Time
}

// New makes the process's place among the nodes; it starts nothing. Without a URL in the configuration it can only ask (Find).
func New(cfg Config, deps Deps) (*Nodes, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("check configuration of nodes: %w", err)
	}
	if deps.Store == nil {
		return nil, errors.New("make node: no store")
	}
	if cfg.Lease == 0 {
		cfg.Lease = DefaultConfig().Lease
	}
	if deps.Log == nil {
		deps.Log = slog.New(slog.DiscardHandler)
	}
	if deps.Registry == nil {
		deps.Registry = prometheus.NewRegistry()
	}
	n := &Nodes{cfg: cfg, deps: deps, id: uuid.New(), gone: map[string]time.Time{}, untold: map[string]time.Time{}}
	n.metrics = newMetrics(deps.Registry)
	return n, nil
}

// Watch sets what is asked for the meetings that run here, and what is called with each of them that another node has taken. It is called before Run.
func (n *Nodes) Watch(running func() []string, lost func(meetingID string)) {
	n.deps.Running, n.deps.Lost = running, lost
}

// beats are how many signs of life a lease has.
const beats = 3

// Run gives signs of life until the context ends; then it says that this node is over, so that nobody needs to wait before taking over from it: its
// meetings must have ended.
func (n *Nodes) Run(ctx context.Context) error {
	ticker := time.NewTicker(n.cfg.Lease / beats)
	defer ticker.Stop()
	for turn := 0; ; turn++ {
		if err := n.beat(ctx); err != nil && ctx.Err() == nil {
			n.deps.Log.DebugContext(ctx, "no sign of life given", slog.Any("error", err))
		} else if err == nil {
			n.tellGone(ctx)
			n.look(ctx, turn)
		}
		select {
		case <-ctx.Done():
			return n.end(ctx)
		case <-ticker.C:
		}
	}
}

// endPatience bounds the last sign.
const endPatience = time.Second

func (n *Nodes) end(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endPatience)
	defer cancel()
	n.beating.Lock()
	defer n.beating.Unlock()
	if err := n.deps.Store.BeatMediaNode(ctx, store.MediaNode{ID: n.id, URL: n.cfg.URL, Over: true}); err != nil {
		return fmt.Errorf("say that this node is over: %w; the others wait for its lease to end", err)
	}
	return nil
}

// beat gives a sign of life. It may take as long as the lease.
func (n *Nodes) beat(ctx context.Context) error {
	n.beating.Lock()
	defer n.beating.Unlock()
	ctx, cancel := context.WithTimeout(ctx, n.cfg.Lease)
	defer cancel()
	began := time.Now()
	if err := n.deps.Store.BeatMediaNode(ctx, store.MediaNode{ID: n.id, URL: n.cfg.URL}); err != nil {
		return fmt.Errorf("give a sign of life: %w", err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case n.heard.IsZero():
		n.since = began
	case time.Since(n.heard) > n.cfg.Lease:
		n.since = began
		n.wary, n.unseen = began.Add(wariness*n.cfg.Lease), true
		n.metrics.lapses.Inc()
		n.deps.Log.WarnContext(ctx, "this node was silent for longer than its lease: its meetings may have been taken over", slog.Duration("silent", time.Since(n.heard)))
	}
	n.heard = began
	return nil
}

// Holds tells whether nobody can have taken over from this node yet.
func (n *Nodes) Holds() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.holds() && !n.unseen
}

// isHeard tells whether a claim of this node is worth something.
func (n *Nodes) isHeard() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.holds()
}

func (n *Nodes) holds() bool { return !n.heard.IsZero() && time.Since(n.heard) <= n.cfg.Lease }

// steady tells whether this node was heard for a whole lease without a gap: others who weren't, meanwhile, are lost.
func (n *Nodes) steady() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.holds() && time.Since(n.since) > n.cfg.Lease
}

const (
	// wariness is for how many leases after a gap a node looks at each beat for claims of others that were made in it; usual is every how manieth beat it
	// looks at other times.
	wariness = 5
	usual    = 10
)

// look hands over what others have taken.
func (n *Nodes) look(ctx context.Context, turn int) {
	n.mu.Lock()
	wary := time.Now().Before(n.wary)
	n.mu.Unlock()
	if n.deps.Running == nil || (!wary && turn%usual != 0) {
		return
	}
	var claims []store.Claim
	if running := n.deps.Running(); len(running) > 0 {
		var err error
		if claims, err = n.deps.Store.LastClaims(ctx, kindMeeting, running); err != nil {
			n.deps.Log.DebugContext(ctx, "claims of meetings not read", slog.Any("error", err))
			return
		}
	}
	for _, c := range claims {
		if c.Owner != n.id {
			n.metrics.lost.Inc()
			n.deps.Log.WarnContext(ctx, "a meeting was taken over by another node and is handed over", slog.String("meeting", c.ID))
			n.deps.Lost(c.ID)
		}
	}
	n.mu.Lock()
	n.unseen = false
	n.mu.Unlock()
}

// metrics of a node.
type metrics struct {
	takeovers, lapses, lost prometheus.Counter
}

func newMetrics(r prometheus.Registerer) *metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Namespace: "anteroom", Subsystem: "media_nodes", Name: name, Help: help})
	}
	m := &metrics{
		takeovers: counter("takeovers_total", "Meetings taken over from nodes that were lost or have ended."),
		lapses:    counter("lapses_total", "Times that this node was silent for longer than its lease."),
		lost:      counter("lost_meetings_total", "Running meetings that another node had taken over, and that were handed over."),
	}
	r.MustRegister(m.takeovers, m.lapses, m.lost)
	return m
}
