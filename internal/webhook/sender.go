package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
)

// Target is where events go.
type Target struct {
	URL string
	// Secret signs the deliveries.
	Secret string
	// Events that are wanted, by Event.Kind; empty: all.
	Events []string
}

// Event is what is told. It has ids, kinds and times, never a name.
type Event struct {
	// ID is the event's own, the same at each delivery. The nil UUID: Send makes one.
	ID uuid.UUID `json:"id"`
	// Kind is of a closed set of whoever sends, such as "meeting_started".
	Kind string    `json:"kind"`
	At   time.Time `json:"at"`
	// Organization that hosts the meeting.
	Organization string `json:"organization"`
	MeetingID    string `json:"meeting_id,omitempty"`
	CallID       string `json:"call_id,omitempty"`
	// ParticipantID is random per call; ParticipantKind is "guest" or "org_user".
	ParticipantID   string `json:"participant_id,omitempty"`
	ParticipantKind string `json:"participant_kind,omitempty"`
	// Reason is of a closed set, such as why a meeting ended.
	Reason string `json:"reason,omitempty"`
}

// Deps are what a sender works with.
type Deps struct {
	// Metrics is where the sender's own are registered. Default: nowhere.
	Metrics prometheus.Registerer
	// Log. Default: none.
	Log *slog.Logger
}

// Sender delivers events. Send may be called from any goroutine, before Run too.
type Sender struct {
	cfg    Config
	log    *slog.Logger
	client *http.Client

	delivered, failed, dropped prometheus.Counter

	// wake tells Run that a target is new.
	wake chan *worker

	mu      sync.Mutex
	workers map[string]*worker // guarded by mu: by address and secret
	stopped bool               // guarded by mu
}

// New makes a sender. It starts nothing.
func New(cfg Config, deps Deps) (*Sender, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("make webhook sender: %w", err)
	}
	cfg = cfg.withDefaults()
	if deps.Log == nil {
		deps.Log = slog.New(slog.DiscardHandler)
	}
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "anteroom_webhook_" + name + "_total", Help: help})
	}
	s := &Sender{
		cfg: cfg, log: deps.Log, client: newClient(cfg), wake: make(chan *worker, cfg.MaxTargets), workers: make(map[string]*worker),
		delivered: counter("delivered", "Events that a target took."),
		failed:    counter("failed_attempts", "Attempts that came to nothing."),
		dropped:   counter("dropped", "Events given up: tried often enough, no room in the queue, or the process ended."),
	}
	if deps.Metrics != nil {
		for _, c := range []prometheus.Collector{s.delivered, s.failed, s.dropped} {
			if err := deps.Metrics.Register(c); err != nil {
				return nil, fmt.Errorf("make webhook sender: register metrics: %w", err)
			}
		}
	}
	return s, nil
}

// Send queues an event for each target that wants it. It never blocks.
func (s *Sender) Send(targets []Target, event Event) {
	if event.ID == uuid.Nil {
		event.ID = uuid.New()
	}
	event.At = event.At.UTC()
	body, err := json.Marshal(event)
	if err != nil {
		s.dropped.Inc()
		s.log.Error("webhook event can't be written", slog.String("kind", event.Kind))
		return
	}
	for _, t := range targets {
		if len(t.Events) > 0 && !slices.Contains(t.Events, event.Kind) {
			continue
		}
		s.queue(t, delivery{id: event.ID.String(), kind: event.Kind, body: body})
	}
}

func (s *Sender) queue(t Target, d delivery) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := t.URL + "\n" + t.Secret
	w, ok := s.workers[key]
	if s.stopped || (!ok && len(s.workers) >= s.cfg.MaxTargets) {
		s.dropped.Inc()
		return
	}
	if !ok {
		w = &worker{sender: s, key: key, target: t, queue: make(chan delivery, s.cfg.Queue)}
		s.workers[key] = w
		s.wake <- w // It has room for as many as there may be: each worker is put in once in its life, and Run takes it out.
	}
	select {
	case w.queue <- d:
	default:
		s.dropped.Inc()
	}
}

// retire takes a worker out unless something has come in meanwhile.
func (s *Sender) retire(w *worker) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(w.queue) > 0 {
		return false
	}
	delete(s.workers, w.key)
	return true
}

// Run delivers until the context ends, then tries what is queued once more for StopTimeout. It is called once.
func (s *Sender) Run(ctx context.Context) error {
	requests, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	var running sync.WaitGroup
	for {
		select {
		case w := <-s.wake:
			running.Go(func() { w.run(ctx, requests) })
			continue
		case <-ctx.Done():
		}
		break
	}
	s.mu.Lock()
	s.stopped = true
	s.mu.Unlock()
	timer := time.AfterFunc(s.cfg.StopTimeout, cut)
	defer timer.Stop()
	running.Wait()
	s.client.CloseIdleConnections()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range s.workers {
		s.dropped.Add(float64(len(w.queue)))
	}
	return nil
}

var errRefused = errors.New("the target did not take it")
