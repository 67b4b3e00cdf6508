package collect

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	sessions  *prometheus.GaugeVec
	messages  *prometheus.CounterVec
	bytes     *prometheus.CounterVec
	refused   *prometheus.CounterVec
	ended     *prometheus.CounterVec
	gaps      prometheus.Counter
	published prometheus.Counter
	failures  prometheus.Counter
	lost      prometheus.Counter
}

func newMetrics(registry prometheus.Registerer) *metrics {
	counter := func(name, help string) prometheus.CounterOpts {
		return prometheus.CounterOpts{Namespace: "anteroom", Subsystem: "collect", Name: name, Help: help}
	}
	m := &metrics{
		sessions: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: "anteroom", Subsystem: "collect", Name: "sessions", Help: "Sessions that are kept, by dialect.",
		}, []string{"dialect"}),
		messages:  prometheus.NewCounterVec(counter("messages_total", "Messages and batches that were read, by dialect."), []string{"dialect"}),
		bytes:     prometheus.NewCounterVec(counter("bytes_total", "Bytes of messages that were read, by dialect."), []string{"dialect"}),
		refused:   prometheus.NewCounterVec(counter("refused_total", "Connections and batches that were refused, by reason."), []string{"reason"}),
		ended:     prometheus.NewCounterVec(counter("ended_total", "Sessions that ended, by how."), []string{"how"}),
		gaps:      prometheus.NewCounter(counter("gaps_total", "Messages that clients numbered and that never came.")),
		published: prometheus.NewCounter(counter("published_total", "Events that Kafka has acknowledged.")),
		failures:  prometheus.NewCounter(counter("publish_failures_total", "Writes to Kafka that failed and were repeated.")),
		lost:      prometheus.NewCounter(counter("lost_total", "Events, not acknowledged to any client, that were left behind at the end.")),
	}
	registry.MustRegister(m.sessions, m.messages, m.bytes, m.refused, m.ended, m.gaps, m.published, m.failures, m.lost)
	return m
}
