package logs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/anteroom/anteroom/store"
)

// ResourceDeps are what a ResourceWriter works with.
type ResourceDeps struct {
	// Region is the resources'; Home tells how their guests' calls went.
	Region  *store.Store
	Home    *store.Reader
	Log     *slog.Logger
	Metrics prometheus.Registerer
	// Now is the clock. Default time.Now.
	Now func() time.Time
}

// ResourceWriter writes the logs of a region's resources, and their usage. It begins with the guests that the region's ingest has stored: what it finds
// unlogged, it logs when the call is complete. Several may work for one region.
type ResourceWriter struct {
	cfg    Config
	deps   ResourceDeps
	guests prometheus.Counter
	failed prometheus.Counter
}

// NewResourceWriter makes one. It starts nothing.
func NewResourceWriter(cfg Config, deps ResourceDeps) (*ResourceWriter, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("make resource log: %w", err)
	}
	if deps.Region == nil || deps.Home == nil {
		return nil, errors.New("make resource log: no store")
	}
	if deps.Now == nil {
		deps.Now = time.Now
	}
	if deps.Log == nil {
		deps.Log = slog.New(slog.DiscardHandler)
	}
	w := &ResourceWriter{cfg: cfg.withDefaults(), deps: deps}
	w.guests = prometheus.NewCounter(prometheus.CounterOpts{Namespace: "anteroom", Subsystem: "resource_log", Name: "guests_total", Help: "Stays of guests that were logged."})
	w.failed = prometheus.NewCounter(prometheus.CounterOpts{Namespace: "anteroom", Subsystem: "resource_log", Name: "failures_total", Help: "Passes over guests that failed."})
	if deps.Metrics != nil {
		for _, c := range []prometheus.Collector{w.guests, w.failed} {
			if err := deps.Metrics.Register(c); err != nil {
				return nil, fmt.Errorf("make resource log: %w", err)
			}
		}
	}
	return w, nil
}

// Run makes passes until the context ends, which is no error.
func (w *ResourceWriter) Run(ctx context.Context) error {
	return every(ctx, w.cfg.Interval, w.deps.Log.With("log", "resources"), w.failed.Inc, w.Pass)
}

// Pass logs all guests whose calls are complete.
func (w *ResourceWriter) Pass(ctx context.Context) error {
	now := w.deps.Now()
	guests, err := w.deps.Region.UnloggedGuests(ctx, now.Add(-looksBack), atOnce)
	if err != nil {
		return err //nolint:wrapcheck // the store says what it did
	}
	for len(guests) > 0 {
		n := 1 // Guests of one call stand together.
		for n < len(guests) && guests[n].CallKey == guests[0].CallKey {
			n++
		}
		if err := w.log(ctx, guests[:n], now); err != nil {
			return err
		}
		guests = guests[n:]
	}
	return nil
}

// log logs the guests of one call, if it is complete.
func (w *ResourceWriter) log(ctx context.Context, guests []store.ResourceGuest, now time.Time) error {
	found, err := w.deps.Home.Load(ctx, []store.CallKey{guests[0].CallKey})
	if err != nil {
		return err //nolint:wrapcheck // the store says what it did
	}
	r := found[0]
	if r == nil || !Complete(r, now, w.cfg.Wait) {
		return nil
	}
	timeline, err := timelineOf(ctx, w.deps.Home, r)
	if err != nil {
		return err
	}
	for _, g := range guests {
		records, err := ForResource(r, timeline, g, now)
		if err != nil {
			return err
		}
		if err := w.deps.Region.SaveResourceLog(ctx, g, records, usageOf(r, timeline, g)); err != nil {
			return err //nolint:wrapcheck // as above
		}
		w.guests.Inc()
	}
	return nil
}

// ForResource makes the records about one guest for the log of its resource: nothing in them is about anybody else.
func ForResource(r *store.Record, timeline []store.TimelineEntry, g store.ResourceGuest, at time.Time) ([]store.LogRecord, error) {
	own := *r
	own.Participants = []store.ParticipantFacts{guestOf(r, g)}
	own.Streams = slices.DeleteFunc(slices.Clone(r.Streams), func(s store.StreamFacts) bool { return s.ParticipantID != g.ParticipantID })
	c := newCall(&own, timeline, at, func(*store.ParticipantFacts) (string, string) { return g.UserID, endpointOf(&own.Participants[0]) })
	if err := cmp.Or(c.summaries(), c.diagnostics(), c.notices(g.ParticipantID, g.UserID)); err != nil {
		return nil, err
	}
	return c.out, nil
}

// guestOf is the guest as a participant of the call; of one whose join was lost on its way, what is known of it all the same.
func guestOf(r *store.Record, g store.ResourceGuest) store.ParticipantFacts {
	for _, p := range r.Participants {
		if p.ID == g.ParticipantID && p.JoinedAt != nil {
			p.Identity, p.UserID, p.DisplayName = store.Guest, "", ""
			return p
		}
	}
	joined := g.JoinedAt
	return store.ParticipantFacts{ID: g.ParticipantID, Identity: store.Guest, JoinedAt: &joined}
}

// usageOf splits a stay into the days it has part of, in UTC, with the messages that were sent on each.
func usageOf(r *store.Record, timeline []store.TimelineEntry, g store.ResourceGuest) []store.Usage {
	p := guestOf(r, g)
	from, to := *p.JoinedAt, p.LeftAt
	if to == nil {
		to = r.EndedAt
	}
	if to == nil || to.Before(from) {
		to = &from
	}
	const day = 24 * time.Hour
	var out []store.Usage
	for begin := from.UTC().Truncate(day); len(out) == 0 || begin.Before(*to); begin = begin.Add(day) {
		u := store.Usage{ResourceID: g.ResourceID, Day: begin, Began: len(out) == 0}
		first, last := later(from, begin), earlier(*to, begin.Add(day))
		u.Stay = max(0, last.Sub(first))
		u.Messages = sentBy(timeline, g.ParticipantID, begin, begin.Add(day))
		out = append(out, u)
	}
	return out
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// sentBy counts the messages that somebody sent in a time.
func sentBy(timeline []store.TimelineEntry, participant uuid.UUID, from, to time.Time) uint32 {
	n := uint32(0)
	for i := range timeline {
		if e := &timeline[i]; e.Kind == "chat" && e.Value == "sent" && e.ParticipantID == participant && !e.ObservedAt.Before(from) && e.ObservedAt.Before(to) {
			n++
		}
	}
	return n
}
