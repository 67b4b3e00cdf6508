package revisions

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom/anteroom/policy/sandbox"
)

func TestTooMuch(t *testing.T) {
	cfg := DefaultConfig()
	for name, c := range map[string]struct {
		took sandbox.Budgeted
		want []string
	}{
		"at the limits": {sandbox.Budgeted{P99: cfg.Budget, Load: cfg.LoadBudget, LiveBytes: maxLiveBytes}, nil},
		"slow":          {sandbox.Budgeted{P99: 51 * time.Millisecond}, []string{"Decisions take too long: 99 of 100 take up to 51ms, and 50ms is the most that they may."}},
		"slow to load":  {sandbox.Budgeted{Load: 2001 * time.Millisecond}, []string{"It takes too long to load: 2.001s of processor time, and 2s is the most that it may."}},
		"large":         {sandbox.Budgeted{LiveBytes: 200 << 20}, []string{"It takes too much memory: 200 MiB, and 128 MiB is the most that it may."}},
		"fails":         {sandbox.Budgeted{Error: "x"}, []string{"A decision fails: x"}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, cfg.tooMuch(c.took)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
