package load

import "sync"

// remembered is how far back a repeated packet is known as such.
const remembered = 1024

// sequence follows the sequence numbers of one stream. It is safe for concurrent use.
type sequence struct {
	mu       sync.Mutex
	started  bool
	highest  uint64 // extended by the wraps
	received uint64 // each packet once
	first    uint64
	seen     [remembered / 64]uint64 // of the last packets up to highest, by number modulo remembered
}

// counts are what was due and what came so far, in packets.
type counts struct{ expected, received uint64 }

func (s *sequence) take(number uint16) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.started {
		s.started = true
		s.highest = 1<<16 + uint64(number) // room for packets from before the first
		s.first = s.highest
		s.mark(s.highest)
		s.received = 1
		return
	}
	// The nearest number to the highest that has these 16 bits.
	extended := s.highest + uint64(int64(int16(number-uint16(s.highest)))) //nolint:gosec // wraps as intended
	switch {
	case extended > s.highest:
		for n := s.highest + 1; n < extended && n <= s.highest+remembered; n++ {
			s.unmark(n)
		}
		s.highest = extended
	case extended < s.first || extended+remembered <= s.highest || s.marked(extended):
		return // from before the first, too old to tell, or a repetition
	}
	s.mark(extended)
	s.received++
}

func (s *sequence) mark(n uint64)        { s.seen[n%remembered/64] |= 1 << (n % 64) }
func (s *sequence) unmark(n uint64)      { s.seen[n%remembered/64] &^= 1 << (n % 64) }
func (s *sequence) marked(n uint64) bool { return s.seen[n%remembered/64]&(1<<(n%64)) != 0 }

func (s *sequence) counts() counts {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.started {
		return counts{}
	}
	return counts{expected: s.highest - s.first + 1, received: s.received}
}
