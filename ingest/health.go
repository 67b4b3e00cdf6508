package ingest

import (
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
}

// health remembers the last trouble per name and forgets it when it ends.
type health struct {
	mu sync.Mutex
	// reasons by check and partition or feed, guarded by mu.
	reasons map[string]map[string]string
}

func newHealth() *health {
	return &health{reasons: map[string]map[string]string{"ingest from Kafka": {}, "ingest into ClickHouse": {}}}
}

const (
	checkKafka      = "ingest from Kafka"
	checkClickHouse = "ingest into ClickHouse"
)

// set notes trouble of a part with what a check is about; nil ends it.
func (h *health) set(check, part string, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err == nil {
		delete(h.reasons[check], part)
		return
	}
	h.reasons[check][part] = err.Error()
}

func (h *health) checks() []Check {
	h.mu.Lock()
	defer h.mu.Unlock()
	var checks []Check
	for _, name := range slices.Sorted(maps.Keys(h.reasons)) {
		parts := h.reasons[name]
		c := Check{Name: name, OK: len(parts) == 0}
		// Partitions that wait for the same thing say the same.
		said := map[string]bool{}
		var reasons []string
		for _, part := range slices.Sorted(maps.Keys(parts)) {
			if !said[parts[part]] {
				said[parts[part]] = true
				reasons = append(reasons, part+": "+parts[part])
			}
		}
		c.Reason = strings.Join(reasons, "; ")
		checks = append(checks, c)
	}
	return checks
}
