package signal

import "github.com/prometheus/client_golang/prometheus"

// metrics of all connections. Types and outcomes are of closed sets; what a client makes up counts as "unknown".
type metrics struct {
	connections prometheus.Gauge
	refused     *prometheus.CounterVec
	requests    *prometheus.CounterVec
	cut         *prometheus.CounterVec
	seconds     prometheus.Histogram
	relays      prometheus.Counter
}

// The outcomes of requests_total.
const (
	outcomeOK      = "ok"
	outcomeRefused = "refused"
	outcomeLimited = "rate_limited"
	outcomeFailed  = "failed"
)

func newMetrics(r prometheus.Registerer) *metrics {
	vector := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "anteroom", Subsystem: "signal", Name: name, Help: help}, labels)
	}
	m := &metrics{
		connections: prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "anteroom", Subsystem: "signal", Name: "connections", Help: "Open connections of clients."}),
		refused:     vector("refused_connections_total", "Connections not accepted: limit, rate or handshake.", "reason"),
		requests:    vector("requests_total", "Requests of clients by what became of them.", "type", "outcome"),
		cut:         vector("cut_connections_total", "Connections that the server ended because of what the client did or did not do.", "reason"),
		relays: prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: "anteroom", Subsystem: "signal", Name: "relays_total", Help: "Connections led on to the node that has their meeting.",
		}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: "anteroom", Subsystem: "signal", Name: "request_seconds", Help: "Time to answer a request.", Buckets: prometheus.ExponentialBuckets(0.0005, 4, 9),
		}),
	}
	r.MustRegister(m.connections, m.refused, m.requests, m.cut, m.seconds, m.relays)
	return m
}
