package measure

import "math/bits"

// RFC 3550 A.1 with two departures. Packets may come late by the window instead of MAX_MISORDER (100), since a retransmission on a long path
// is later than that; numbers are remembered, so that a duplicate is never taken for a packet that was missing. There is no probation: the
// SSRC was negotiated.
const (
	window     = 4096
	maxDropout = 3000
	// maxBefore is how far below the first packet another may come and still be counted: packets overtaken at the very start.
	maxBefore = 100
)

// arrival is what a sequence number turned out to be.
type arrival uint8

const (
	newest arrival = iota
	late
	duplicate
	// overtaken: it came after its own repair.
	overtaken
	discarded
	// restarted: the sender began to count anew; the packet is the first of the new count.
	restarted
)

// sequence extends 16-bit sequence numbers and remembers which of the last window came.
type sequence struct {
	started bool
	// base and max are extended numbers; they begin above 1<<16 so that what is below base is not below 0.
	base, max uint64
	// next is what must follow a number that was far off for the sender to have restarted; above 1<<16: nothing was.
	next uint32
	// seen and repaired are bit sets by number modulo window.
	seen, repaired [window / 64]uint64
	// expectedBefore is the sum of what was expected before restarts; unique how many different numbers came, repairs those of them that came
	// repaired.
	expectedBefore, unique, repairs uint64
}

func (s *sequence) start(seq uint16) {
	if s.started {
		s.expectedBefore += s.max - s.base + 1
	}
	s.started = true
	s.base = 1<<16 + uint64(seq)
	s.max = s.base
	s.next = 1<<16 + 1
	clear(s.seen[:])
	clear(s.repaired[:])
}

// add places one packet.
func (s *sequence) add(seq uint16, repaired bool) arrival {
	if !s.started {
		s.start(seq)
		s.mark(s.max, repaired)
		return newest
	}
	ahead := seq - uint16(s.max)
	switch {
	case ahead != 0 && ahead < maxDropout:
		s.advance(s.max + uint64(ahead))
		s.mark(s.max, repaired)
		s.next = 1<<16 + 1
		return newest
	case ahead == 0 || -ahead < window:
		return s.addOld(s.max-uint64(-ahead), repaired)
	case repaired:
		return discarded
	case uint32(seq) == s.next:
		s.start(seq)
		s.mark(s.max, repaired)
		return restarted
	}
	s.next = uint32(seq + 1)
	return discarded
}

func (s *sequence) addOld(n uint64, repaired bool) arrival {
	word, bit := n%window/64, uint64(1)<<(n%64)
	if s.seen[word]&bit != 0 {
		if s.repaired[word]&bit == 0 || repaired {
			return duplicate
		}
		s.repaired[word] &^= bit
		s.repairs--
		return overtaken
	}
	if n < s.base {
		if repaired || s.base-n > maxBefore {
			return discarded
		}
		s.base = n
	}
	s.mark(n, repaired)
	return late
}

// advance makes n the highest and forgets what the window loses.
func (s *sequence) advance(n uint64) {
	for s.max < n {
		s.max++
		word, bit := s.max%window/64, uint64(1)<<(s.max%64)
		s.seen[word] &^= bit
		s.repaired[word] &^= bit
	}
}

func (s *sequence) mark(n uint64, repaired bool) {
	word, bit := n%window/64, uint64(1)<<(n%64)
	s.seen[word] |= bit
	s.unique++
	if repaired {
		s.repaired[word] |= bit
		s.repairs++
	}
}

// expected is how many packets the sender has sent, as far as numbers tell.
func (s *sequence) expected() uint64 {
	if !s.started {
		return 0
	}
	return s.expectedBefore + s.max - s.base + 1
}

// missing is how many of them never came.
func (s *sequence) missing() uint64 { return s.expected() - s.unique }

// missingUpTo is how many never came of those up to the extended number n; n may be at most a window behind.
func (s *sequence) missingUpTo(n uint64) uint64 {
	if !s.started || n >= s.max {
		return s.missing()
	}
	from := max(n+1, s.base)
	if s.max >= window {
		from = max(from, s.max-window+1)
	}
	var came uint64
	for k := from; k <= s.max; {
		word := s.seen[k%window/64] >> (k % 64)
		span := min(64-k%64, s.max-k+1)
		if span < 64 {
			word &= 1<<span - 1
		}
		came += uint64(bits.OnesCount64(word))
		k += span
	}
	return s.missing() - min(s.missing(), s.max-from+1-came)
}

// nearest extends a number that the far end tells, which is at or behind the highest.
func (s *sequence) nearest(seq uint16) uint64 {
	return s.max - uint64(uint16(s.max)-seq)
}

// highest is RFC 3550's extended highest sequence number, whose cycles begin at 0.
func (s *sequence) highest() uint32 { return uint32(s.max - 1<<16) }
