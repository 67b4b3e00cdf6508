package retention_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/retention"
)

// A sweeper works while its clock and the server's jump, forward and back, one alone and both: nothing is hidden or gone before it is due by the true time, and
// when the clocks are right again all goes that is due.
func TestRule_R6_ClocksThatJumpDeleteNothingEarly(t *testing.T) {
	k := newKept(t)
	const period = 3 * time.Second // as the query of early says
	k.decide(decision{class: "copy", resource: keptResource, period: period}, decision{class: "copy", resource: otherApp, period: period}, decision{class: "thread"})
	cfg := sweepConfig()
	cfg.Interval, cfg.Gather, cfg.PurgeWindow, cfg.ClockSkew = 100*time.Millisecond, 100*time.Millisecond, 8*time.Second, time.Second
	s, err := retention.NewSweeper(cfg, k.deps())
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var process, server time.Duration // guarded by mu
	s.TurnClocks(func() (time.Duration, time.Duration) {
		mu.Lock()
		defer mu.Unlock()
		return process, server
	})
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		if err := s.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	defer func() { cancel(); running.Wait() }()

	sent := map[[32]byte]time.Time{}
	early := func(when string) {
		t.Helper()
		list := k.evidence()
		now := time.Now()
		for _, e := range list {
			if due := sent[e.CopyID].Add(period); due.After(now) {
				t.Errorf("%s: what is due at %v is gone at %v", when, due, now)
			}
		}
		if n := k.sql.Count("SELECT count() FROM hidden WHERE sent_at > now64(6, 'UTC') - INTERVAL 3 SECOND"); n > 0 {
			t.Errorf("%s: %d things are hidden before they are due", when, n)
		}
	}
	n := 0
	for _, turned := range []struct {
		name            string
		process, server time.Duration
		lasts           time.Duration
	}{
		{"right", 0, 0, 2 * period},
		{"both a day ahead", 25 * time.Hour, 25 * time.Hour, period},
		{"corrected", 0, 0, period},
		{"the process's alone an hour ahead", time.Hour, 0, period},
		{"the server's alone an hour ahead", 0, time.Hour, period},
		{"both a day behind", -25 * time.Hour, -25 * time.Hour, period},
		{"two hours ahead of that", 2 * time.Hour, 2 * time.Hour, period},
		{"the process's alone an hour behind", -time.Hour, 0, period},
	} {
		mu.Lock()
		process, server = turned.process, turned.server
		mu.Unlock()
		for began := time.Now(); time.Since(began) < turned.lasts; time.Sleep(150 * time.Millisecond) {
			n++
			now := time.Now().UTC().Truncate(time.Microsecond)
			k.say(n, now, "text", n) // a guest of its own each: nothing takes the place of another
			sent[k.thingID("copy", message(n), guest(n))] = now
			early(turned.name)
		}
	}
	mu.Lock()
	process, server = 0, 0
	mu.Unlock()
	gone := 0
	for deadline := time.Now().Add(2 * time.Minute); gone < n; time.Sleep(200 * time.Millisecond) {
		if gone = len(k.evidence()); time.Now().After(deadline) {
			t.Fatalf("when the clocks are right again %d of %d things go", gone, n)
		}
	}
	early("in the end")
	for i := range n {
		if e := k.evidenceOf("thread", message(i+1), uuid.Nil); e != nil {
			t.Fatalf("what is kept for good is gone: %+v", e)
		}
	}
	t.Logf("%d things went, none early", n)
}
