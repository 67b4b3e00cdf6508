package live

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/anteroom/anteroom/analytics"
	"github.com/anteroom/anteroom/quality"
	"github.com/anteroom/anteroom/store"
)

// Errors of Listen and Next.
var (
	// ErrTooMany: as many watch as may.
	ErrTooMany = errors.New("too many watch running calls")
	// ErrClosed: the service stops.
	ErrClosed = errors.New("the service stops")
)

// Reader reads what is live; it is the store's.
type Reader interface {
	LiveRecords(ctx context.Context, f store.LiveFilter) ([]*store.Record, error)
}

// Deps are what a hub works with.
type Deps struct {
	Reader  Reader
	Profile *quality.Profile
	// Encode writes calls as they are shown; once per look, for all who watch.
	Encode  func([]*analytics.Call) ([]byte, error)
	Log     *slog.Logger
	Metrics prometheus.Registerer
	// Now is the clock. Default time.Now.
	Now func() time.Time
}

// Update is what was seen at one look: the whole picture, or why there is none.
type Update struct {
	// ID is the same as long as the calls are.
	ID string
	At time.Time
	// Calls as Encode wrote them; nil if Err is set.
	Calls []byte
	Err   error
}

// Hub has a feed for each organisation that somebody watches. It is safe for concurrent use.
type Hub struct {
	cfg  Config
	deps Deps
	// ending ends all feeds.
	ending context.Context //nolint:containedctx // the life of the hub's own goroutines
	end    context.CancelFunc
	looks  *prometheus.CounterVec
	open   prometheus.Gauge

	mu    sync.Mutex
	feeds map[string]*feed // guarded by mu
	users map[string]int   // guarded by mu: streams by organisation and user
	all   int              // guarded by mu
}

// feed is the poll of one organisation. Its fields are guarded by the hub's mu.
type feed struct {
	listeners int
	// idle says since when nobody listens.
	idle   time.Time
	latest *Update
	// seen is when the last look was made that has an answer.
	seen time.Time
	// changed is closed, and made anew, with each update.
	changed chan struct{}
}

// New makes a hub. It looks at nothing until somebody listens.
func New(cfg Config, deps Deps) (*Hub, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("make live view: %w", err)
	}
	if deps.Now == nil {
		deps.Now = time.Now
	}
	if deps.Log == nil {
		deps.Log = slog.New(slog.DiscardHandler)
	}
	h := &Hub{cfg: cfg.withDefaults(), deps: deps, feeds: map[string]*feed{}, users: map[string]int{}}
	h.ending, h.end = context.WithCancel(context.Background())
	h.looks = prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "anteroom", Subsystem: "live", Name: "looks_total", Help: "Looks at the running calls of an organisation, by result.",
	}, []string{"result"})
	h.open = prometheus.NewGauge(prometheus.GaugeOpts{
		Namespace: "anteroom", Subsystem: "live", Name: "streams", Help: "Open streams of those who watch running calls.",
	})
	if deps.Metrics != nil {
		for _, c := range []prometheus.Collector{h.looks, h.open} {
			if err := deps.Metrics.Register(c); err != nil {
				return nil, fmt.Errorf("make live view: %w", err)
			}
		}
	}
	return h, nil
}

// Close ends all feeds and everybody's Next.
func (h *Hub) Close() { h.end() }

// Interval is the pause between two looks.
func (h *Hub) Interval() time.Duration { return h.cfg.Interval }

// Alive is the pause between two signs of life.
func (h *Hub) Alive() time.Duration { return h.cfg.Alive }

// Listener is somebody who watches.
type Listener struct {
	hub       *Hub
	org, user string
	feed      *feed
	closed    bool // guarded by the hub's mu
}

// Listen has somebody of an organisation watch it. ErrTooMany: as many do as may.
func (h *Hub) Listen(org, user string) (*Listener, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	who := org + "/" + user
	switch {
	case h.ending.Err() != nil:
		return nil, ErrClosed
	case h.all >= h.cfg.Streams || h.users[who] >= h.cfg.StreamsPerUser:
		return nil, ErrTooMany
	}
	f := h.feeds[org]
	if f == nil {
		f = &feed{changed: make(chan struct{})}
		h.feeds[org] = f
		go h.follow(org, f)
	}
	f.listeners++
	h.all++
	h.users[who]++
	h.open.Inc()
	return &Listener{hub: h, org: org, user: who, feed: f}, nil
}

// Close ends the watching.
func (l *Listener) Close() {
	h := l.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	if l.closed {
		return
	}
	l.closed = true
	l.feed.listeners--
	l.feed.idle = h.deps.Now()
	h.all--
	if h.users[l.user]--; h.users[l.user] == 0 {
		delete(h.users, l.user)
	}
	h.open.Dec()
}

// Next waits for an update that is another one than the last; nil: any. It fails with ErrClosed or the context's error.
func (l *Listener) Next(ctx context.Context, last *Update) (*Update, error) {
	for {
		l.hub.mu.Lock()
		latest, changed := l.feed.latest, l.feed.changed
		l.hub.mu.Unlock()
		if latest != nil && latest != last {
			return latest, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err() //nolint:wrapcheck // the caller's own
		case <-l.hub.ending.Done():
			return nil, ErrClosed
		}
	}
}

// Seen is until when the newest update holds: it may be older than the last look, which found nothing new.
func (l *Listener) Seen() time.Time {
	l.hub.mu.Lock()
	defer l.hub.mu.Unlock()
	return l.feed.seen
}

// lingers is for how many intervals a feed goes on that nobody listens to: who asks again soon finds it.
const lingers = 3

// follow looks at an organisation until nobody has listened for a while.
func (h *Hub) follow(org string, f *feed) {
	w := &watcher{org: org, reader: h.deps.Reader, profile: h.deps.Profile, window: h.cfg.Window}
	tick := time.NewTicker(h.cfg.Interval)
	defer tick.Stop()
	for {
		h.show(f, h.look(w))
		select {
		case <-tick.C:
		case <-h.ending.Done():
			return
		}
		if h.forget(org, f) {
			return
		}
	}
}

// forget takes an idle feed away, and tells whether it did.
func (h *Hub) forget(org string, f *feed) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if f.listeners > 0 || h.deps.Now().Sub(f.idle) < lingers*h.cfg.Interval {
		return false
	}
	delete(h.feeds, org)
	return true
}

func (h *Hub) look(w *watcher) *Update {
	now := h.deps.Now().UTC()
	u := &Update{At: now}
	calls, err := w.look(h.ending, now)
	if err == nil {
		u.Calls, err = h.deps.Encode(calls)
	}
	if err != nil {
		h.looks.WithLabelValues("failed").Inc()
		if h.ending.Err() == nil {
			h.deps.Log.WarnContext(h.ending, "running calls could not be looked at", slog.String("error", err.Error()))
		}
		u.Err, u.Calls = err, nil
		return u
	}
	h.looks.WithLabelValues("ok").Inc()
	sum := sha256.Sum256(u.Calls)
	u.ID = hex.EncodeToString(sum[:12])
	return u
}

// show hands an update to all who listen, unless it says what the last one said.
func (h *Hub) show(f *feed, u *Update) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if u.Err == nil {
		f.seen = u.At
	}
	if last := f.latest; last != nil && last.Err == nil && u.Err == nil && last.ID == u.ID {
		return
	}
	f.latest = u
	close(f.changed)
	f.changed = make(chan struct{})
}
