package recorder

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	written, failures, refused, droppedSamples, invalid, lost prometheus.Counter
	seconds                                                   prometheus.Histogram
}

func (m *metrics) register(registry prometheus.Registerer, r *Recorder) error {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Namespace: "anteroom", Subsystem: "recorder", Name: name, Help: help})
	}
	m.written = counter("events_written_total", "Events and samples that Kafka acknowledged.")
	m.failures = counter("write_failures_total", "Batches that had to be written again.")
	m.refused = counter("events_refused_total", "Durable events refused because the queue was full.")
	m.droppedSamples = counter("samples_dropped_total", "Reports of samples pushed out of a full queue.")
	m.invalid = counter("events_invalid_total", "Events that could not be encoded.")
	m.lost = counter("events_lost_total", "Events that were not acknowledged when the process ended.")
	m.seconds = prometheus.NewHistogram(prometheus.HistogramOpts{
		Namespace: "anteroom", Subsystem: "recorder", Name: "write_seconds", Help: "From writing a batch to its acknowledgement.",
		Buckets: prometheus.ExponentialBuckets(0.001, 2, 14),
	})
	queued := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Namespace: "anteroom", Subsystem: "recorder", Name: "events_queued", Help: "Durable events that wait to be written.",
	}, func() float64 {
		r.mu.Lock()
		defer r.mu.Unlock()
		return float64(len(r.events))
	})
	for _, c := range []prometheus.Collector{m.written, m.failures, m.refused, m.droppedSamples, m.invalid, m.lost, m.seconds, queued} {
		if err := registry.Register(c); err != nil {
			return err //nolint:wrapcheck // New says what failed
		}
	}
	return nil
}
