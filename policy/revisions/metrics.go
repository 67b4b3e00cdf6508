package revisions

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/anteroom/anteroom/policy"
)

type metrics struct {
	broken, missing prometheus.Gauge
	failures        *prometheus.CounterVec
}

func newMetrics(registry prometheus.Registerer) (metrics, error) {
	m := metrics{
		broken: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "anteroom_policy_breakers_open", Help: "Organisations whose active policy failed too often and was given up.",
		}),
		missing: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "anteroom_policy_not_loaded", Help: "Organisations whose active policy can't be loaded: denied everything, or decided for by an older one.",
		}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "anteroom_policy_failures_total",
			Help: "Decisions that failed and were denied, by kind (error, undefined, timeout, not_loaded) and whether it is the organisation's own policy that fails.",
		}, []string{"kind", "own"}),
	}
	for _, kind := range []policy.FailureKind{policy.FailedError, policy.FailedUndefined, policy.FailedTimeout, policy.FailedNotLoaded} {
		for _, own := range []string{"true", "false"} {
			m.failures.WithLabelValues(string(kind), own) // There at once, so that the first one is an increase.
		}
	}
	if registry == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.broken, m.missing, m.failures} {
		if err := registry.Register(c); err != nil {
			return m, fmt.Errorf("follow policies: register metrics: %w", err)
		}
	}
	return m, nil
}
