package retention

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/anteroom/anteroom/retention/proof"
	"github.com/anteroom/anteroom/store"
)

// What is in a sweep's way, besides what the check of bytes finds: a closed set.
const (
	failUnavailable store.Remains = "unavailable"
	failFiles       store.Remains = "files"
	failStale       store.Remains = "stale_decisions"
	failJournal     store.Remains = "journal"
	failClock       store.Remains = "clock"
	failOther       store.Remains = "other"
)

// SweepMetrics are those of all sweepers of a process.
type SweepMetrics struct {
	hiddenTotal, purgedTotal, failures, passes *prometheus.CounterVec
	lateness                                   *prometheus.HistogramVec
	backlog, held, oldest, seconds, complete   *prometheus.GaugeVec
}

// NewSweepMetrics makes the metrics and registers them.
func NewSweepMetrics(reg prometheus.Registerer) (*SweepMetrics, error) {
	m := newSweepMetrics()
	for _, c := range []prometheus.Collector{
		m.hiddenTotal, m.purgedTotal, m.failures, m.passes, m.lateness, m.backlog, m.held, m.oldest, m.seconds, m.complete,
	} {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("register metrics of sweeps: %w", err)
		}
	}
	return m, nil
}

func newSweepMetrics() *SweepMetrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "anteroom_retention_" + name, Help: help}, append([]string{"region"}, labels...))
	}
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "anteroom_retention_" + name, Help: help}, append([]string{"region"}, labels...))
	}
	return &SweepMetrics{
		hiddenTotal: counter("hidden_total", "Things of which it was stored that they can't be read any more."),
		purgedTotal: counter("purged_total", "Things whose bytes were found to be gone, by class and reason.", "class", "why"),
		failures:    counter("sweep_failures_total", "What was in the way of sweeps: the next one tries again.", "reason"),
		passes:      counter("sweeps_total", "Sweeps by result: complete, partial, failed, or standby where another process sweeps.", "result"),
		lateness: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "anteroom_retention_lateness_seconds",
			Help:    "From the moment that a thing had to be gone (due, superseded, edited, deleted, released, or come too late) until its bytes were.",
			Buckets: []float64{1, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 4 * 3600, 24 * 3600, 7 * 24 * 3600},
		}, []string{"region", "class"}),
		backlog:  gauge("backlog", "Things that are hidden and not purged yet, without those that are held.", "class"),
		held:     gauge("held_back", "Things that are hidden and kept by a hold.", "class"),
		oldest:   gauge("oldest_due_seconds", "How long ago the first of the things had to be gone that aren't, without those that are held; 0 if there are none.", "class"),
		seconds:  gauge("sweep_seconds", "How long the last sweep took."),
		complete: gauge("sweep_complete_timestamp_seconds", "When the last sweep ended that left nothing undone."),
	}
}

func (m *SweepMetrics) hidden(region string, n uint64) {
	m.hiddenTotal.WithLabelValues(region).Add(float64(n))
}

func (m *SweepMetrics) failure(region string, reason store.Remains) {
	m.failures.WithLabelValues(region, string(reason)).Inc()
}

func (m *SweepMetrics) purged(region string, e *store.Evidence) {
	m.purgedTotal.WithLabelValues(region, e.Class, e.Why).Inc()
	m.lateness.WithLabelValues(region, e.Class).Observe(float64(e.LatenessMs) / 1000)
}

// began has each result of a region's sweeps counted from nothing: an alert can't tell a counter that isn't there from a sweep that never comes to its end.
func (m *SweepMetrics) began(region string) {
	for _, result := range []string{"complete", "partial", "failed", "standby"} {
		m.passes.WithLabelValues(region, result)
	}
}

// passed notes how a sweep ended.
func (m *SweepMetrics) passed(r *Result, took time.Duration, err error) {
	result := "complete"
	switch {
	case r.standby && err == nil:
		result = "standby"
		m.left(r.Region, time.Time{}, nil) // what there was is for the other process to tell
	case err != nil:
		result = "failed"
		m.failure(r.Region, failOther)
	case r.Partial:
		result = "partial"
	default:
		m.complete.WithLabelValues(r.Region).SetToCurrentTime()
	}
	m.passes.WithLabelValues(r.Region, result).Inc()
	m.seconds.WithLabelValues(r.Region).Set(took.Seconds())
}

// left notes what a sweep left, by class.
func (m *SweepMetrics) left(region string, now time.Time, outlook []store.Outlook) {
	for _, class := range proof.Classes() {
		var backlog, held, oldest float64
		for _, o := range outlook {
			switch {
			case o.Class != string(class):
			case o.Held:
				held += float64(o.Things)
			default:
				backlog += float64(o.Things)
				oldest = max(oldest, now.Sub(o.Oldest).Seconds())
			}
		}
		m.backlog.WithLabelValues(region, string(class)).Set(backlog)
		m.held.WithLabelValues(region, string(class)).Set(held)
		m.oldest.WithLabelValues(region, string(class)).Set(oldest)
	}
}

func sortLines(lines []ResultLine) {
	slices.SortFunc(lines, func(a, b ResultLine) int {
		return cmp.Or(cmp.Compare(a.Class, b.Class), cmp.Compare(a.Why, b.Why), cmp.Compare(a.Rule, b.Rule), compareBool(a.Hidden, b.Hidden), compareBool(a.Held, b.Held))
	})
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	default:
		return 1
	}
}
