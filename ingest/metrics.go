package ingest

import "github.com/prometheus/client_golang/prometheus"

// metrics of the service. Topics are of a closed set (configuration), tables of the schema.
type metrics struct {
	records     *prometheus.CounterVec
	rows        *prometheus.CounterVec
	batches     *prometheus.CounterVec
	doubles     *prometheus.CounterVec
	deadLetters *prometheus.CounterVec
	gaps        *prometheus.CounterVec
	replays     *prometheus.CounterVec
	restored    *prometheus.CounterVec
	lost        *prometheus.CounterVec
	retries     *prometheus.CounterVec
	copied      *prometheus.CounterVec
	lag         *prometheus.GaugeVec
	copyLag     *prometheus.GaugeVec
	insert      *prometheus.HistogramVec
}

func newMetrics(r prometheus.Registerer) *metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "anteroom", Subsystem: "ingest", Name: name, Help: help}, labels)
		r.MustRegister(c)
		return c
	}
	m := &metrics{
		records:     counter("records_total", "Kafka records whose rows are stored.", "topic"),
		rows:        counter("rows_total", "Rows stored.", "table"),
		batches:     counter("batches_total", "Batches stored.", "topic"),
		doubles:     counter("doubled_events_total", "Events dropped because their source's mark says they are stored already.", "topic"),
		deadLetters: counter("dead_letters_total", "Records that could not be ingested.", "topic"),
		gaps:        counter("lost_offsets_total", "Offsets that the broker had dropped before they were ingested.", "topic"),
		replays:     counter("replayed_batches_total", "Pending batches replayed after an assignment.", "topic"),
		restored:    counter("restored_rows_total", "Rows that a repeated insert claimed to have but did not, inserted again.", "topic"),
		lost:        counter("lost_texts_total", "Chat records whose key is destroyed: what was sealed to it can't be opened any more.", "topic"),
		retries:     counter("retries_total", "Attempts that failed and were tried again.", "operation"),
		copied:      counter("copies_total", "Chat acts handed to a further region.", "to"),
		copyLag: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: "anteroom", Subsystem: "ingest", Name: "copy_lag_records", Help: "Records of the home region's chat that the copier to a further region has not passed yet.",
		}, []string{"to", "partition"}),
		lag: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: "anteroom", Subsystem: "ingest", Name: "lag_records", Help: "Records in the broker that are not stored yet.",
		}, []string{"topic", "partition"}),
		insert: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: "anteroom", Subsystem: "ingest", Name: "insert_seconds", Help: "Time to store a batch, all tables and retries.",
			Buckets: prometheus.ExponentialBuckets(0.005, 2, 14),
		}, []string{"topic"}),
	}
	r.MustRegister(m.lag, m.copyLag, m.insert)
	return m
}
