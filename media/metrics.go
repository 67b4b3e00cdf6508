package media

import "github.com/prometheus/client_golang/prometheus"

// metrics of a node. Results and reasons are of closed sets.
type metrics struct {
	meetings prometheus.GaugeFunc
	members  prometheus.GaugeFunc
	starts   *prometheus.CounterVec
	joins    *prometheus.CounterVec
	updates  prometheus.Counter
}

func newMetrics(r prometheus.Registerer, running, connected func() float64) *metrics {
	m := &metrics{
		members: prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Namespace: "anteroom", Subsystem: "media", Name: "connected_participants", Help: "Participants that are connected, waiting ones too.",
		}, connected),
		meetings: prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "anteroom", Subsystem: "media", Name: "meetings", Help: "Meetings that run."}, running),
		starts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: "anteroom", Subsystem: "media", Name: "sessions_total", Help: "Sessions of meetings begun: started, revived or failed.",
		}, []string{"result"}),
		joins: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: "anteroom", Subsystem: "media", Name: "joins_total", Help: "Joins and resumes by what became of them.",
		}, []string{"request", "result"}),
		updates: prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: "anteroom", Subsystem: "media", Name: "settings_updates_total", Help: "Changes of settings handed to running meetings.",
		}),
	}
	r.MustRegister(m.meetings, m.members, m.starts, m.joins, m.updates)
	return m
}

// The results of joins_total.
const (
	resultOK      = "ok"
	resultRefused = "refused"
	resultLimited = "rate_limited"
	resultFailed  = "failed"
)
