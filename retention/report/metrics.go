package report

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// workerMetrics count what a worker does.
type workerMetrics struct {
	made   *prometheus.CounterVec
	failed prometheus.Counter
	rows   prometheus.Counter
}

func newWorkerMetrics(to prometheus.Registerer) (*workerMetrics, error) {
	m := &workerMetrics{
		made:   prometheus.NewCounterVec(prometheus.CounterOpts{Name: "anteroom_exports_made_total", Help: "Parts of exports that were made, by kind."}, []string{"kind"}),
		failed: prometheus.NewCounter(prometheus.CounterOpts{Name: "anteroom_exports_failed_attempts_total", Help: "Attempts at a part of an export that failed."}),
		rows:   prometheus.NewCounter(prometheus.CounterOpts{Name: "anteroom_exports_rows_total", Help: "Rows that exports have."}),
	}
	if to == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.made, m.failed, m.rows} {
		if err := to.Register(c); err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	return m, nil
}
