package retention

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

type deciderMetrics struct {
	decisions, failures *prometheus.CounterVec
	seconds             *prometheus.HistogramVec
	decidedAt           *prometheus.GaugeVec
	ruleFailures        *prometheus.CounterVec
}

func newDeciderMetrics(r prometheus.Registerer) (deciderMetrics, error) {
	byRegion := []string{"region"}
	m := deciderMetrics{
		decisions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "anteroom_retention_decisions_total", Help: "Decisions about periods that were stored because something had changed, by region.",
		}, byRegion),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "anteroom_retention_decision_failures_total", Help: "Passes over policies, holds and attendance that failed, by region; home if the home region could not be read.",
		}, byRegion),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "anteroom_retention_decision_pass_seconds", Help: "How long a pass took until a region was done.",
			Buckets: []float64{.005, .02, .1, .5, 1, 2, 5, 10, 30, 60},
		}, byRegion),
		decidedAt: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "anteroom_retention_decided_timestamp_seconds", Help: "When a region's decisions were last up to date.",
		}, byRegion),
		ruleFailures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "anteroom_retention_rule_failures_total",
			Help: "Decisions about periods that an organisation's own rules had to be left out of, by kind: error, undefined, timeout, not_loaded.",
		}, []string{"kind"}),
	}
	if r == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.decisions, m.failures, m.seconds, m.decidedAt, m.ruleFailures} {
		if err := r.Register(c); err != nil {
			return m, fmt.Errorf("register metrics: %w", err)
		}
	}
	return m, nil
}

func (m *deciderMetrics) failed(region string) { m.failures.WithLabelValues(region).Inc() }

func (m *deciderMetrics) passed(region string, decisions int, took time.Duration, err error) {
	m.decisions.WithLabelValues(region).Add(float64(decisions))
	m.seconds.WithLabelValues(region).Observe(took.Seconds())
	if err != nil {
		m.failed(region)
		return
	}
	m.decidedAt.WithLabelValues(region).SetToCurrentTime()
}
