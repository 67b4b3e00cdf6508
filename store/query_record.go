package store

import (
	"cmp"
	"slices"
	"time"

	"github.com/google/uuid"
)

// complete brings a record that was read from several tables into order.
func (r *Record) complete() {
	r.firstSampled()
	r.addParticipants()
	slices.SortFunc(r.Participants, func(a, b ParticipantFacts) int {
		return cmp.Or(compareTimes(a.JoinedAt, b.JoinedAt), slices.Compare(a.ID[:], b.ID[:]))
	})
	place := make(map[uuid.UUID]int, len(r.Participants))
	for i, p := range r.Participants {
		place[p.ID] = i
	}
	slices.SortFunc(r.Streams, func(a, b StreamFacts) int {
		return cmp.Or(cmp.Compare(place[a.ParticipantID], place[b.ParticipantID]), cmp.Compare(a.Media, b.Media),
			cmp.Compare(a.Direction, b.Direction), slices.Compare(a.ID[:], b.ID[:]))
	})
	r.countStreams()
}

// firstSampled takes what only samples know of a call that nothing else speaks of; when a call is known to have started, that is when it was first seen.
func (r *Record) firstSampled() {
	if r.FirstSeen.IsZero() {
		for i := range r.Streams {
			s := &r.Streams[i]
			r.spokenOf(s.region, s.Source, s.firstSample)
		}
	}
	if r.StartedAt != nil {
		r.FirstSeen = *r.StartedAt
	}
}

// addParticipants adds those of whom only streams or marks tell.
func (r *Record) addParticipants() {
	seen := make(map[uuid.UUID]bool, len(r.Participants))
	for _, p := range r.Participants {
		seen[p.ID] = true
	}
	add := func(id uuid.UUID) {
		if id != uuid.Nil && !seen[id] {
			seen[id] = true
			r.Participants = append(r.Participants, ParticipantFacts{ID: id})
		}
	}
	for i := range r.Streams {
		add(r.Streams[i].ParticipantID)
	}
	for i := range r.Marks {
		add(r.Marks[i].ParticipantID)
	}
}

// countStreams says which streams count. Azure keeps a series of samples per participant, medium and direction beside its summaries,
// and nothing ties the one to the other. Where there is one of each, the series is taken for the summary's samples; where there
// are more, it stays apart and does not count; where there is no summary, it counts.
func (r *Record) countStreams() {
	type shown struct {
		participant uuid.UUID
		media       string
		direction   string
	}
	of := func(s *StreamFacts) shown { return shown{s.ParticipantID, s.Media, s.Direction} }
	series, summaries := make(map[shown][]uuid.UUID), make(map[shown]int)
	for i := range r.Streams {
		s := &r.Streams[i]
		s.Counted = true
		switch {
		case s.Source != sourceACS:
		case s.Partial:
			series[of(s)] = append(series[of(s)], s.ID)
		default:
			summaries[of(s)]++
		}
	}
	one := func(s *StreamFacts) bool { return len(series[of(s)]) == 1 && summaries[of(s)] == 1 }
	r.Streams = slices.DeleteFunc(r.Streams, func(s StreamFacts) bool { return s.Source == sourceACS && s.Partial && one(&s) })
	for i := range r.Streams {
		s := &r.Streams[i]
		switch {
		case s.Source != sourceACS:
		case s.Partial:
			s.Counted = summaries[of(s)] == 0
		case one(s):
			s.Series = series[of(s)]
		}
	}
}

// sourceACS is the number of the kind of source that Azure's records are of.
const sourceACS SourceKind = 4

// compareTimes sorts what is not known last.
func compareTimes(a, b *time.Time) int {
	switch {
	case a == nil && b == nil:
		return 0
	case a == nil:
		return 1
	case b == nil:
		return -1
	}
	return a.Compare(*b)
}
