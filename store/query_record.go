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

// firstSampled takes what only samples know of a call that nothing else speaks of.
func (r *Record) firstSampled() {
	if !r.FirstSeen.IsZero() {
		return
	}
	for i := range r.Streams {
		s := &r.Streams[i]
		r.Region, r.Source = max(r.Region, s.region), max(r.Source, s.Source)
		if r.FirstSeen.IsZero() || s.firstSample.Before(r.FirstSeen) {
			r.FirstSeen = s.firstSample
		}
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
// and nothing ties the one to the other: such a series counts only where there is no summary of what it shows.
func (r *Record) countStreams() {
	type shown struct {
		participant uuid.UUID
		media       string
		direction   string
	}
	summarised := make(map[shown]bool)
	for i := range r.Streams {
		if s := &r.Streams[i]; !s.Partial {
			summarised[shown{s.ParticipantID, s.Media, s.Direction}] = true
		}
	}
	for i := range r.Streams {
		s := &r.Streams[i]
		s.Counted = !s.Partial || s.Source != sourceACS || !summarised[shown{s.ParticipantID, s.Media, s.Direction}]
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
