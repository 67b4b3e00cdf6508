package ledger

import (
	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	appended, refused, failures prometheus.Counter
	size, waiting, oldest       prometheus.Gauge
}

func (m *metrics) register(registry prometheus.Registerer, l *Ledger) error {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "anteroom_ledger_" + name, Help: help})
	}
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: "anteroom_ledger_" + name, Help: help})
	}
	m.appended = counter("appended_leaves_total", "Leaves that this process appended and that are published.")
	m.refused = counter("refused_leaves_total", "Leaves of the outbox that can't be appended, since they aren't what leaves have to be.")
	m.failures = counter("failures_total", "Passes in which leaves could not be read, appended, published or noted.")
	m.size = gauge("published_leaves", "Leaves that the newest checkpoint covers.")
	m.waiting = gauge("waiting_leaves", "Leaves of the outbox that aren't in the log yet, as far as a pass has seen; it takes up so many at once.")
	m.oldest = gauge("oldest_waiting_timestamp_seconds", "When the oldest leaf that waits was put; 0 while none does.")
	age := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "anteroom_ledger_checkpoint_age_seconds", Help: "Since the newest checkpoint was signed; -1 without one. Alert on waiting leaves, since idle ledgers sign none.",
	}, func() float64 {
		at, err := l.signedAt()
		if err != nil {
			return -1
		}
		return max(l.deps.Now().Sub(at).Seconds(), 0)
	})
	if registry == nil {
		return nil
	}
	registry = prometheus.WrapRegistererWith(prometheus.Labels{"region": l.region}, registry)
	for _, c := range []prometheus.Collector{m.appended, m.refused, m.failures, m.size, m.waiting, m.oldest, age} {
		if err := registry.Register(c); err != nil {
			return err //nolint:wrapcheck // open says what failed
		}
	}
	return nil
}
