package analytics

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/anteroom/anteroom/quality"
	"github.com/anteroom/anteroom/store"
)

const (
	// WatermarkName is whose watermark answers about calls go by.
	WatermarkName = "calls"
	// listed is how many calls are looked for at once, and atOnce how many of them are read at once.
	listed, atOnce = 400, 100
	// lookback is by how much a look begins before the last one that left nothing: clocks of servers differ.
	lookback = 10 * time.Minute
	// form rises when summaries are made otherwise than before.
	form = 1
)

// Summariser makes summaries of calls whose rows changed. Several may run on one database: they do some work twice, and no harm.
type Summariser struct {
	cfg      Config
	store    *store.Store
	reader   *store.Reader
	profiles []*quality.Profile
	digest   uint64
	now      func() time.Time
	log      *slog.Logger
	stored   func(context.Context) (time.Time, string)

	// looked is when, by the server, the last pass began that left nothing. Only Pass uses it.
	looked time.Time

	made, failed, large prometheus.Counter
	lag                 prometheus.Gauge
}

// NewSummariser makes one. It starts nothing. now tells when a call has settled; reg takes its metrics.
func NewSummariser(s *store.Store, profiles *quality.Profiles, cfg Config, now func() time.Time, log *slog.Logger, reg prometheus.Registerer) (*Summariser, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("new summariser: %w", err)
	}
	m := &Summariser{
		cfg: cfg, store: s, reader: store.NewReader(s, store.QueryLimits{Timeout: time.Minute}), now: now, log: log,
		made: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "anteroom_summaries_made_total", Help: "Calls whose summaries were made.",
		}),
		failed: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "anteroom_summary_passes_failed_total", Help: "Looks for calls to sum up that ended in an error.",
		}),
		large: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "anteroom_summaries_too_large_total", Help: "Calls that could not be summed up within the limits of a query.",
		}),
		lag: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "anteroom_summaries_watermark_seconds", Help: "Until when all that was produced is stored and summed up, in seconds since 1970.",
		}),
	}
	for _, name := range quality.ProfileNames() {
		if p, ok := profiles.Get(name); ok {
			m.profiles = append(m.profiles, p)
		}
	}
	var err error
	if m.digest, err = digestOf(m.profiles); err != nil {
		return nil, fmt.Errorf("new summariser: %w", err)
	}
	for _, c := range []prometheus.Collector{m.made, m.failed, m.large, m.lag} {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("new summariser: %w", err)
		}
	}
	return m, nil
}

// digestOf stands for the thresholds of profiles.
func digestOf(profiles []*quality.Profile) (uint64, error) {
	h := fnv.New64a()
	for _, p := range profiles {
		rules, err := json.Marshal(p.Rules())
		if err != nil {
			return 0, fmt.Errorf("digest thresholds: %w", err)
		}
		fmt.Fprintf(h, "%d %s %s %d\n", form, p.Name(), rules, p.MinPackets())
	}
	return h.Sum64(), nil
}

// Follow has watermarks go by what is known of ingest: until when all that was produced is stored, and why no further. Without it they go by the
// time of the server. Call it before Run.
func (m *Summariser) Follow(stored func(context.Context) (time.Time, string)) { m.stored = stored }

// Run makes what is out of date, now and then every so often, until the context ends, which is no error. Errors are logged and counted, and what failed
// is tried again.
func (m *Summariser) Run(ctx context.Context) error {
	ticker := time.NewTicker(m.cfg.Every)
	defer ticker.Stop()
	for ctx.Err() == nil {
		n, err := m.Pass(ctx)
		if err != nil && ctx.Err() == nil {
			m.failed.Inc()
			m.log.WarnContext(ctx, "summaries failed", "error", err)
		}
		if n >= listed && err == nil {
			continue
		}
		select {
		case <-ctx.Done():
		case <-ticker.C:
		}
	}
	return nil
}

// pass is one look at what is out of date.
type pass struct {
	*Summariser
	sites   map[string]*Sites
	digests map[string]uint64
	looked  map[store.CallKey]bool
	made    int
	reason  string
}

// Pass makes the summaries of all calls that changed, and then of some of those that are only judged by other thresholds now, and returns how many.
// Not for concurrent use.
func (m *Summariser) Pass(ctx context.Context) (int, error) {
	p := &pass{Summariser: m, looked: map[store.CallKey]bool{}}
	began, err := m.store.Now(ctx)
	if err != nil {
		return 0, fmt.Errorf("begin to sum up: %w", err)
	}
	until, reason := began, ""
	if m.stored != nil {
		until, reason = m.stored(ctx)
	}
	if err := p.readSites(ctx); err != nil {
		return 0, err
	}
	since := time.Time{}
	if !m.looked.IsZero() {
		since = m.looked.Add(-lookback)
	}
	for noted := false; ; {
		found, _, err := m.store.OutdatedCalls(ctx, store.Outdated{Since: since, Digest: m.digest, Digests: p.digests, Limit: listed})
		if err != nil {
			return p.made, err //nolint:wrapcheck // the store says what it did
		}
		fresh := slices.DeleteFunc(found, func(c store.OutdatedCall) bool { return p.looked[c.CallKey] })
		if !noted && !slices.ContainsFunc(fresh, func(c store.OutdatedCall) bool { return c.Changed }) {
			noted = true
			if p.reason == "" {
				p.reason = reason
			}
			if err := m.note(ctx, until, p.reason); err != nil {
				return p.made, err
			}
		}
		if len(fresh) == 0 {
			m.looked = began
			return p.made, nil
		}
		for part := range slices.Chunk(fresh, atOnce) {
			if err := p.build(ctx, part); err != nil {
				return p.made, err
			}
		}
		if noted { // The rest is only made with something else: what changes meanwhile goes first.
			return p.made, nil
		}
	}
}

func (m *Summariser) note(ctx context.Context, until time.Time, reason string) error {
	if until.IsZero() {
		return nil
	}
	m.lag.Set(float64(until.UnixMilli()) / 1000)
	return m.store.NoteWatermark(ctx, WatermarkName, store.Watermark{At: until, Reason: reason}) //nolint:wrapcheck // the store says what it did
}

// readSites reads where networks of organisations are. Another table makes another digest.
func (p *pass) readSites(ctx context.Context) error {
	rows, err := p.store.ListEverywhere(ctx, SitesKind)
	if err != nil {
		return err //nolint:wrapcheck // the store says what it did
	}
	p.sites, p.digests = make(map[string]*Sites, len(rows)), make(map[string]uint64, len(rows))
	for _, row := range rows {
		h := fnv.New64a()
		fmt.Fprintf(h, "%d sites %d", p.digest, row.Version)
		p.digests[row.Org] = h.Sum64()
		sites := new(Sites)
		if row.Deleted {
			continue
		}
		if err := json.Unmarshal(row.Value, sites); err != nil {
			p.log.WarnContext(ctx, "a table of sites can't be read", "org", row.Org)
			continue
		}
		p.sites[row.Org] = sites
	}
	return nil
}

func (p *pass) digestFor(org string) uint64 {
	if d, ok := p.digests[org]; ok {
		return d
	}
	return p.digest
}

// build makes the summaries of some calls. Of calls that together are too large for one query, halves are tried.
func (p *pass) build(ctx context.Context, calls []store.OutdatedCall) error {
	for _, c := range calls {
		p.looked[c.CallKey] = true
	}
	err := p.buildAtOnce(ctx, calls)
	if err == nil || ctx.Err() != nil || (!errors.Is(err, store.ErrQueryTooLarge) && !errors.Is(err, store.ErrQueryTimeout)) {
		return err
	}
	if len(calls) == 1 {
		p.large.Inc()
		p.reason = "a call is too large to be summed up"
		p.log.WarnContext(ctx, "a call is too large to be summed up", "org", calls[0].Org, "call_id", calls[0].CallID, "error", err)
		return nil
	}
	half := len(calls) / 2
	if err := p.build(ctx, calls[:half]); err != nil {
		return err
	}
	return p.build(ctx, calls[half:])
}

func (p *pass) buildAtOnce(ctx context.Context, calls []store.OutdatedCall) error {
	if err := p.store.SyncReplicas(ctx, "calls", "participants", "streams", "samples", "timeline"); err != nil {
		return err //nolint:wrapcheck // the store says what it did
	}
	keys := make([]store.CallKey, len(calls))
	for i := range calls {
		keys[i] = calls[i].CallKey
	}
	records, err := p.reader.Load(ctx, keys)
	if err != nil {
		return err //nolint:wrapcheck // the store says what it did
	}
	builds, rows := make([]store.Build, len(calls)), make(map[store.CallKey][]store.CallSummary, len(calls))
	for i := range calls {
		builds[i] = store.Build{OutdatedCall: calls[i], At: time.Unix(0, 0).UTC(), Digest: p.digestFor(calls[i].Org)}
		if records[i] == nil { // nothing speaks of it (any more)
			continue
		}
		if rows[calls[i].CallKey], err = p.judge(records[i], &builds[i]); err != nil {
			return err
		}
	}
	return p.write(ctx, builds, rows)
}

// judge makes a call's rows, one for each profile, and says in the build where they go and when to look again. A call that is hidden has none.
func (p *pass) judge(r *store.Record, b *store.Build) ([]store.CallSummary, error) {
	out := make([]store.CallSummary, len(p.profiles))
	for i, profile := range p.profiles {
		c := Judge(profile, r)
		var state string
		state, b.DueAt = c.State(p.now())
		if b.Running = c.Withheld; b.Running {
			b.DueAt = time.UnixMicro(int64(b.Version)).Add(p.cfg.RunningEvery).UTC() //nolint:gosec // a time
		}
		if c.Hidden() {
			return nil, nil
		}
		b.At = r.FirstSeen.Truncate(time.Microsecond)
		row, err := c.Summary(p.sites[b.Org])
		if err != nil {
			return nil, err
		}
		row.At, row.Version, row.State = b.At, b.Version, state
		out[i] = row
	}
	return out, nil
}

// write stores rows in the order that the store's comment on summaries explains.
func (p *pass) write(ctx context.Context, builds []store.Build, rows map[store.CallKey][]store.CallSummary) error {
	builds, err := p.store.BeginBuilds(ctx, builds)
	if err != nil {
		return err //nolint:wrapcheck // the store says what it did
	}
	var all []store.CallSummary
	for i := range builds {
		b := &builds[i]
		for _, at := range b.Elsewhere {
			for _, profile := range p.profiles {
				all = append(all, store.CallSummary{CallKey: b.CallKey, Profile: profile.Name(), At: at, Version: b.Version, Gone: true})
			}
		}
		all = append(all, rows[b.CallKey]...)
	}
	if err := p.store.WriteSummaries(ctx, all); err != nil {
		return err //nolint:wrapcheck // the store says what it did
	}
	if err := p.store.FinishBuilds(ctx, builds); err != nil {
		return err //nolint:wrapcheck // the store says what it did
	}
	p.made += len(builds)
	p.Summariser.made.Add(float64(len(builds)))
	return nil
}
