package exchange

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	bundles, entries, statuses *prometheus.CounterVec
}

func newMetrics(registry prometheus.Registerer) (metrics, error) {
	counter := func(name, help, label string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "anteroom_policy_agents_" + name, Help: help}, []string{label})
	}
	m := metrics{
		bundles:  counter("bundles_total", "Bundles that agents asked for, by result: sent, unchanged.", "result"),
		entries:  counter("log_entries_total", "Entries of agents' decision logs, by result: stored, known, ignored, without_input (of those stored).", "result"),
		statuses: counter("statuses_total", "Status messages of agents, by what they say of their bundle: ok, failed.", "result"),
	}
	for _, c := range []prometheus.Collector{m.bundles, m.entries, m.statuses} {
		if err := registry.Register(c); err != nil {
			return m, fmt.Errorf("register metrics of agents: %w", err)
		}
	}
	return m, nil
}
