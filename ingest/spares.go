package ingest

import (
	"sync"

	"github.com/anteroom/anteroom/store"
)

// spares are batches to use again: their columns keep the memory that they have grown to. All partitions share them, since few
// write at a time.
type spares struct {
	mu   sync.Mutex
	free []*store.Batch // guarded by mu
}

// take gives a batch for rows of a partition.
func (s *spares) take(topic string, partition int32) *store.Batch {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.free) == 0 {
		s.free = append(s.free, store.NewBatch())
	}
	last := len(s.free) - 1
	b := s.free[last]
	s.free = s.free[:last]
	b.Reset(topic, partition)
	return b
}

// put takes a batch back that is written. What its rows point to is let go at once.
func (s *spares) put(b *store.Batch) {
	b.Reset("", 0)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free = append(s.free, b)
}
