package logs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/anteroom/anteroom/event"
	"github.com/anteroom/anteroom/store"
)

const (
	// looksBack is how long ago a call may have ended and still be logged: as long as brokers keep what tells of it, and a day more.
	looksBack = 8 * 24 * time.Hour
	// atOnce is how many calls one pass looks at, and loads how many are read at once.
	atOnce, loads = 2000, 20
	// takeOver is how long who wrote a call's records has for producing them, until another one does.
	takeOver = time.Minute
	// maxMessage bounds a message's bytes, below what a broker of default settings takes.
	maxMessage = 700 << 10
	// timelinePage is how many entries are read at once.
	timelinePage = 5000
)

// Deps are what an Emitter works with.
type Deps struct {
	// Store and Reader are the home region's.
	Store  *store.Store
	Reader *store.Reader
	// Region is the home region; its topic of logs is written to by Write, which waits for the acknowledgement.
	Region  string
	Write   func(context.Context, ...event.Record) error
	Log     *slog.Logger
	Metrics prometheus.Registerer
	// Now is the clock. Default time.Now.
	Now func() time.Time
}

// Emitter writes the organisations' logs. Several processes may have one: each call's records are written once, in effect.
type Emitter struct {
	cfg     Config
	deps    Deps
	writer  uuid.UUID
	records *prometheus.CounterVec
	waiting prometheus.Gauge
	failed  prometheus.Counter

	// caughtUp is when, by the server's clock, the last look began that left no further records to be made. Only Pass uses it.
	caughtUp time.Time
}

// NewEmitter makes one. It starts nothing.
func NewEmitter(cfg Config, deps Deps) (*Emitter, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("make logs: %w", err)
	}
	if deps.Store == nil || deps.Reader == nil || deps.Write == nil {
		return nil, errors.New("make logs: no store or no way to write")
	}
	if deps.Now == nil {
		deps.Now = time.Now
	}
	if deps.Log == nil {
		deps.Log = slog.New(slog.DiscardHandler)
	}
	e := &Emitter{cfg: cfg.withDefaults(), deps: deps, writer: uuid.New()}
	e.records = prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "anteroom", Subsystem: "logs", Name: "records_total", Help: "Records of ended calls that were produced, by category.",
	}, []string{"category"})
	e.waiting = prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "anteroom", Subsystem: "logs", Name: "calls_waiting", Help: "Ended calls whose records are not produced yet."})
	e.failed = prometheus.NewCounter(prometheus.CounterOpts{Namespace: "anteroom", Subsystem: "logs", Name: "failures_total", Help: "Passes over ended calls that failed."})
	if deps.Metrics != nil {
		for _, c := range []prometheus.Collector{e.records, e.waiting, e.failed} {
			if err := deps.Metrics.Register(c); err != nil {
				return nil, fmt.Errorf("make logs: %w", err)
			}
		}
	}
	return e, nil
}

// Run makes passes until the context ends, which is no error.
func (e *Emitter) Run(ctx context.Context) error {
	return every(ctx, e.cfg.Interval, e.deps.Log.With("log", "organizations"), e.failed.Inc, e.Pass)
}

// every makes passes until the context ends. What fails is told once, and tried again.
func every(ctx context.Context, interval time.Duration, log *slog.Logger, failed func(), pass func(context.Context) error) error {
	told := false
	for {
		err := pass(ctx)
		switch {
		case ctx.Err() != nil:
			return nil //nolint:nilerr // told to stop
		case err != nil:
			failed()
			if !told {
				log.WarnContext(ctx, "records of ended calls can't be written just now; they will be", slog.String("error", err.Error()))
			}
		}
		told = err != nil
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(interval):
		}
	}
}

// Pass writes the records of all calls that are complete, and further ones of those of which more has become known. Not for concurrent use.
func (e *Emitter) Pass(ctx context.Context) error {
	now := e.deps.Now()
	known, err := e.deps.Store.Now(ctx)
	if err != nil {
		return err //nolint:wrapcheck // the store says what it did
	}
	if err := e.dues(ctx, now, known); err != nil {
		return err
	}
	return e.late(ctx, now, known)
}

// dues writes the records of calls that are complete, as it is known at an instant of the server's clock.
func (e *Emitter) dues(ctx context.Context, now, known time.Time) error {
	keys, err := e.deps.Reader.DueLogs(ctx, now.Add(-looksBack), atOnce)
	if err != nil {
		return err //nolint:wrapcheck // the store says what it did
	}
	e.waiting.Set(float64(len(keys)))
	for len(keys) > 0 {
		chunk := keys[:min(len(keys), loads)]
		keys = keys[len(chunk):]
		found, err := e.deps.Reader.Load(ctx, chunk)
		if err != nil {
			return err //nolint:wrapcheck // as above
		}
		for _, r := range found {
			if r == nil || !Complete(r, now, e.cfg.Wait) {
				continue
			}
			if err := e.emit(ctx, r, known); err != nil {
				return err
			}
			e.waiting.Dec()
		}
	}
	return nil
}

// settle is for how long after a call's end what was sent until then may still be on its way.
const settle = 3 * time.Second

// Complete tells whether all that belongs to a call has come: it has ended, and everybody's end is known, or so much time has passed that it won't be.
func Complete(r *store.Record, now time.Time, wait time.Duration) bool {
	if r.EndedAt == nil {
		return false
	}
	if !now.Before(r.EndedAt.Add(wait)) {
		return true
	}
	for i := range r.Participants {
		if p := &r.Participants[i]; p.JoinedAt != nil && p.LeftAt == nil {
			return false
		}
	}
	// Summaries of streams come by another partition than who left, maybe later.
	return !now.Before(r.EndedAt.Add(settle)) && !slices.ContainsFunc(r.Streams, func(s store.StreamFacts) bool { return s.Partial })
}

// emit stores a call's records, unless they are, produces them as they are stored, and is done with the call.
func (e *Emitter) emit(ctx context.Context, r *store.Record, known time.Time) error {
	timeline, err := timelineOf(ctx, e.deps.Reader, r)
	if err != nil {
		return err
	}
	now := e.deps.Now()
	records, err := ForOrganization(r, timeline, now)
	if err != nil {
		return err
	}
	for i := range records {
		records[i].ExpiresAt = now.Add(e.cfg.Keep)
	}
	stored, err := e.deps.Store.ClaimCallLog(ctx, r.CallKey, e.writer, records)
	if err != nil {
		return err //nolint:wrapcheck // the store says what it did
	}
	if len(stored.Records) > 0 && stored.Writer != e.writer && now.Before(stored.Records[0].At.Add(takeOver)) {
		return nil // Another process is at it.
	}
	if len(stored.Records) > 0 && stored.Records[0].At.Before(known) {
		known = stored.Records[0].At // They were made by then, and maybe by another process.
	}
	if err := e.deps.Write(ctx, Messages(e.deps.Region, r.CallKey, stored.Records)...); err != nil {
		return fmt.Errorf("produce records of call: %w", err)
	}
	for i := range stored.Records {
		e.records.WithLabelValues(stored.Records[i].Category).Inc()
	}
	return e.deps.Store.MarkCallLog(ctx, r.CallKey, len(stored.Records), known) //nolint:wrapcheck // as above
}

// ForOrganization makes the records of a call for the log of the organisation that hosted it.
func ForOrganization(r *store.Record, timeline []store.TimelineEntry, at time.Time) ([]store.LogRecord, error) {
	c := newCall(r, timeline, at, forOrganization)
	for _, add := range []func() error{c.summaries, c.diagnostics, c.happenings} {
		if err := add(); err != nil {
			return nil, err
		}
	}
	return c.out, nil
}

// timelineOf is all that happened in a call, decisions left out.
func timelineOf(ctx context.Context, reader *store.Reader, r *store.Record) ([]store.TimelineEntry, error) {
	f := store.TimelineFilter{Call: r.CallKey, Limit: timelinePage}
	var out []store.TimelineEntry
	for {
		page, err := reader.Timeline(ctx, f)
		if err != nil {
			return nil, err //nolint:wrapcheck // the store says what it did
		}
		out = append(out, page...)
		if len(page) < timelinePage {
			return out, nil
		}
		at := page[len(page)-1].At()
		f.After = &at
	}
}

// Messages are the records of a call as Azure Monitor would put them on an Event Hub: {"records": […]}.
func Messages(region string, key store.CallKey, records []store.LogRecord) []event.Record {
	var out []event.Record
	for len(records) > 0 {
		value, n := []byte(`{"records":[`), 0
		for n < len(records) && (n == 0 || len(value)+len(records[n].Body) < maxMessage) {
			if n > 0 {
				value = append(value, ',')
			}
			value = append(value, records[n].Body...)
			n++
		}
		records = records[n:]
		out = append(out, event.Record{
			Topic: event.LogsTopic(region), Key: event.Key(key.Org, key.CallID), Value: append(value, "]}"...),
			Headers: []event.Header{{Key: "content-type", Value: []byte("application/json")}},
		})
	}
	return out
}
