package journal

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	rows     *prometheus.CounterVec
	failures prometheus.Counter
}

func (m *metrics) register(to prometheus.Registerer, region string) error {
	labels := prometheus.Labels{"region": region}
	m.rows = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "anteroom_journal_rows_total", Help: "Rows written to the journal, by table.", ConstLabels: labels,
	}, []string{"table"})
	m.failures = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "anteroom_journal_failures_total", Help: "Times the journal could not be written or could not follow.", ConstLabels: labels,
	})
	if to == nil {
		return nil
	}
	for _, c := range []prometheus.Collector{m.rows, m.failures} {
		if err := to.Register(c); err != nil {
			return err //nolint:wrapcheck // the caller says what it does
		}
	}
	return nil
}
