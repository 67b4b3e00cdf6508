package ingest

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"sync"
)

// Check is one thing that ingest needs, and whether it has it.
type Check struct {
	Name string
	OK   bool
	// Reason says in plain English what is wrong; empty when OK.
	Reason string
	// Side: nothing but chat waits for it.
	Side bool
}

const (
	checkKafka      = "ingest from Kafka"
	checkClickHouse = "ingest into ClickHouse"
	checkKeys       = "ingest opens chat"
)

// checkCopies is the check of the copier to a region.
func checkCopies(region string) string { return "copies to " + region }

// concern is what waits: an operation of a part, which is a feed or a partition.
type concern struct{ check, part, operation string }

// watched is a check that is told.
type watched struct {
	name string
	side bool
}

// health remembers the last trouble of each concern and forgets it when it ends.
type health struct {
	// watched are the checks, in their order; set before anything runs.
	watched []watched

	mu      sync.Mutex
	reasons map[concern]string // guarded by mu
}

func newHealth() *health {
	return &health{watched: []watched{{checkKafka, false}, {checkClickHouse, false}, {checkKeys, true}}, reasons: map[concern]string{}}
}

// watch adds a check.
func (h *health) watch(name string, side bool) { h.watched = append(h.watched, watched{name, side}) }

// set notes what an operation waits for; nil ends it.
func (h *health) set(check, part, operation string, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	c := concern{check, part, operation}
	if err == nil {
		delete(h.reasons, c)
		return
	}
	h.reasons[c] = err.Error()
}

// forget ends all trouble of a part: it is somebody else's now.
func (h *health) forget(part string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	maps.DeleteFunc(h.reasons, func(c concern, _ string) bool { return c.part == part })
}

// checks are always the same, in the same order.
func (h *health) checks() []Check {
	h.mu.Lock()
	defer h.mu.Unlock()
	concerns := slices.SortedFunc(maps.Keys(h.reasons), func(a, b concern) int {
		return cmp.Or(strings.Compare(a.part, b.part), strings.Compare(a.operation, b.operation))
	})
	var checks []Check
	for _, watched := range h.watched {
		var reasons []string
		said := map[string]bool{} // partitions that wait for the same thing say the same
		for _, c := range concerns {
			if reason := h.reasons[c]; c.check == watched.name && !said[reason] {
				said[reason] = true
				reasons = append(reasons, c.part+", "+c.operation+": "+reason)
			}
		}
		checks = append(checks, Check{Name: watched.name, OK: len(reasons) == 0, Reason: strings.Join(reasons, "; "), Side: watched.side})
	}
	return checks
}
