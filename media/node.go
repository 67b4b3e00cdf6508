package media

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/singleflight"

	"github.com/anteroom/anteroom/media/meeting"
)

// Node is the registry of the meetings that run in this process. All methods are safe for concurrent use.
type Node struct {
	cfg       Config
	deps      Deps
	log       *slog.Logger
	metrics   *metrics
	addresses *AddressLimiter

	// wake makes Run look at changed and due; its buffer of one is enough, since Run takes all there is.
	wake chan struct{}
	// ends counts the goroutines that wait for sessions to end.
	ends sync.WaitGroup

	// taking are the looks at whose a meeting is that are under way.
	taking singleflight.Group

	mu       sync.Mutex
	stopping bool                    // guarded by mu
	running  map[string]*running     // by meeting; guarded by mu
	ended    map[uuid.UUID]time.Time // calls that ended here not long ago; guarded by mu
	rated    map[uuid.UUID]bool      // participants without a seat that rated their call; guarded by mu
	links    map[*link]struct{}      // connections that are in a meeting; guarded by mu
	changed  map[string]struct{}     // meetings whose settings changed, "" for all; guarded by mu
	due      map[*link]struct{}      // connections that need a new resume token; guarded by mu
	policies map[string]struct{}     // organisations whose policy changed, "" for all; guarded by mu
}

// New makes a node; it starts nothing. Deps.Forward must be listening before the first join.
func New(cfg Config, deps Deps) (*Node, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("check media configuration: %w", err)
	}
	cfg = cfg.withDefaults()
	if deps.Log == nil {
		deps.Log = slog.New(slog.DiscardHandler)
	}
	if deps.Registry == nil {
		deps.Registry = prometheus.NewRegistry()
	}
	n := &Node{
		cfg: cfg, deps: deps, log: deps.Log,
		addresses: NewAddressLimiter(cfg.JoinsPerAddress, cfg.JoinBurstPerAddress, cfg.MaxAddresses),
		wake:      make(chan struct{}, 1),
		running:   make(map[string]*running),
		ended:     make(map[uuid.UUID]time.Time),
		rated:     make(map[uuid.UUID]bool),
		links:     make(map[*link]struct{}),
		changed:   make(map[string]struct{}),
		due:       make(map[*link]struct{}),
		policies:  make(map[string]struct{}),
	}
	n.metrics = newMetrics(deps.Registry, func() float64 { return float64(n.Meetings()) }, n.connected)
	return n, nil
}

// Meetings is how many run, those that are just beginning included.
func (n *Node) Meetings() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.running)
}

// connected counts the connections that are in a meeting.
func (n *Node) connected() float64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	return float64(len(n.links))
}

// Run hands changes to running meetings and renews resume tokens until ctx ends; then it refuses joins, ends all connections and meetings, closes
// the forwarding server and returns.
func (n *Node) Run(ctx context.Context) error {
	n.deps.Control.Watch(n.settingsChanged)
	ticker := time.NewTicker(n.cfg.RenewTokens)
	defer ticker.Stop()
	work, workCtx := errgroup.WithContext(context.WithoutCancel(ctx))
	work.SetLimit(maxUpdates)
	for {
		select {
		case <-ctx.Done():
			return errors.Join(work.Wait(), n.stop(ctx))
		case <-n.wake:
		case <-ticker.C:
			n.renewAll()
			n.forgetEnded(time.Now())
		}
		n.renewDue()
		n.applyChanges(workCtx, work)
	}
}

// poke makes Run look again.
func (n *Node) poke() {
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

// stop ends everything. Clients may come back with their tokens: to this service when it has started again, or to another node.
func (n *Node) stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), n.cfg.StopTimeout)
	defer cancel()
	n.mu.Lock()
	n.stopping = true
	sessions := make([]*running, 0, len(n.running))
	for _, r := range n.running {
		sessions = append(sessions, r)
	}
	n.mu.Unlock()

	for _, r := range sessions {
		go r.end(ctx, meeting.EndedShutdown)
	}
	finished := make(chan struct{})
	go func() { n.ends.Wait(); close(finished) }()
	var err error
	select {
	case <-finished:
	case <-ctx.Done():
		err = errors.New("end meetings: some did not end in time; their last events may be lost")
	}
	if closeErr := n.deps.Forward.Close(); closeErr != nil {
		err = errors.Join(err, fmt.Errorf("close media sockets: %w", closeErr))
	}
	return err
}

// running is one session, from the moment that somebody wants it to the moment that all of it is recorded.
type running struct {
	id string
	// ready is closed when meeting or err is set; gone when the node has forgotten the session.
	ready, gone chan struct{}
	meeting     *meeting.Meeting
	err         error
	facts       meeting.Facts       // what the meeting knows; guarded by the node's mu
	seats       map[uuid.UUID]*seat // guarded by the node's mu
	taken       bool                // another node has it; guarded by the node's mu
	// since is when this process began to run it, which another may have before; set before ready is closed.
	since time.Time
	limit func(now time.Time) bool // joins
	// updating is held from reading settings to handing them over, so that older ones never follow newer ones.
	updating sync.Mutex
}

// seat is a member that has, or had until not long ago, a connection.
type seat struct {
	member *meeting.Member
	link   *link // nil: lost
	lost   time.Time
}

func (r *running) end(ctx context.Context, reason string) {
	select {
	case <-r.ready:
	case <-ctx.Done():
		return
	}
	if r.err == nil {
		r.meeting.End(ctx, reason)
	}
}
