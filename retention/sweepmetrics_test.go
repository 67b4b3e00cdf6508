package retention_test

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/anteroom/anteroom/retention"
)

// value is the sum of a metric's series that have a label.
func value(t *testing.T, reg *prometheus.Registry, name, label, wanted string) (sum float64, found bool) {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		for _, m := range family.GetMetric() {
			for _, l := range m.GetLabel() {
				if l.GetName() == label && l.GetValue() == wanted {
					sum, found = sum+m.GetGauge().GetValue()+m.GetCounter().GetValue(), true
				}
			}
		}
	}
	return sum, found
}

// logged is a log to look into.
type logged struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p) //nolint:wrapcheck // it never fails
}

func (l *logged) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), text)
}

// A process that another one has taken over from tells no more of what it could not purge: the other one does, and an alert about it would never end. One whose
// sweeps never come to their end says that it has completed none.
func TestMetricsOfASweeperThatIsTakenOverFrom(t *testing.T) {
	k := newKept(t)
	k.standard()
	sent := time.Now().Add(-31 * keptDay)
	k.say(1, sent, "one", 1)
	k.text("copy", message(8), sent, sent, "other")
	k.sql.Exec("OPTIMIZE TABLE texts FINAL") // with one row that goes and one that stays, so that a merge is needed
	k.sql.Exec("SYSTEM STOP MERGES texts")
	reg := prometheus.NewRegistry()
	deps := k.deps()
	var log logged
	deps.Log = slog.New(slog.NewTextHandler(&log, nil))
	var err error
	if deps.Metrics, err = retention.NewSweepMetrics(reg); err != nil {
		t.Fatal(err)
	}
	cfg := sweepConfig()
	cfg.Interval, cfg.Gather, cfg.Patience, cfg.Silence = 100*time.Millisecond, 100*time.Millisecond, 500*time.Millisecond, time.Hour
	first, err := retention.NewSweeper(cfg, deps)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- first.Run(ctx) }()
	defer func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	await := func(what string, ok func() bool) {
		t.Helper()
		for began := time.Now(); !ok(); time.Sleep(20 * time.Millisecond) {
			if time.Since(began) > time.Minute {
				t.Fatal(what)
			}
		}
	}
	await("the first tells of no backlog", func() bool {
		n, _ := value(t, reg, "anteroom_retention_backlog", "class", "copy")
		return n == 1
	})
	if n, found := value(t, reg, "anteroom_retention_sweeps_total", "result", "complete"); !found || n > 0 {
		t.Errorf("it tells of %v complete sweeps, %v", n, found)
	}
	k.sql.Exec("SYSTEM START MERGES texts")
	deps = k.deps()
	deps.Preempt = true
	second, err := retention.NewSweeper(sweepConfig(), deps)
	if err != nil {
		t.Fatal(err)
	}
	k.sweep(second, time.Now())
	await("the first still tells of what the second has purged", func() bool {
		backlog, _ := value(t, reg, "anteroom_retention_backlog", "class", "copy")
		oldest, _ := value(t, reg, "anteroom_retention_oldest_due_seconds", "class", "copy")
		return backlog == 0 && oldest == 0
	})
	passes := func() float64 {
		n, _ := value(t, reg, "anteroom_retention_sweeps_total", "result", "standby")
		return n
	}
	before := passes()
	await("the first sweeps no more", func() bool { return passes() > before })
	if n := log.count("another process sweeps"); n != 1 {
		t.Errorf("%d lines of the log say that another process sweeps", n)
	}
}
