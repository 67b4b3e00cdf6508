package ingest

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/anteroom/anteroom/internal/kafka"
	"github.com/anteroom/anteroom/store"
)

// ErrIngesting: a process is a member of a group of the region's.
var ErrIngesting = errors.New("a process ingests into the region: stop it first")

// stored are the feeds that end in the region's tables.
func (s *Service) stored() []*feed {
	return slices.DeleteFunc(slices.Clone(s.feeds), func(f *feed) bool { return f.copies != nil })
}

// Positions tells how far the region's groups have committed: the next offset of each partition of their topics. A topic that isn't there yet has none.
func (s *Service) Positions(ctx context.Context) ([]store.Position, error) {
	out := []store.Position{}
	for _, f := range s.stored() {
		for _, topic := range f.topics {
			partitions, err := f.client.TopicOffsets(ctx, topic)
			if errors.Is(err, kafka.ErrNoTopic) {
				continue
			}
			if err != nil {
				return nil, fmt.Errorf("ingest: %w", err)
			}
			committed, err := f.client.Committed(ctx, f.group, topic)
			if err != nil {
				return nil, fmt.Errorf("ingest: %w", err)
			}
			for id, has := range partitions {
				next, ok := committed[id]
				if !ok { // nothing of it was ever stored
					next = has.First
				}
				out = append(out, position(f, topic, id, next))
			}
		}
	}
	slices.SortFunc(out, store.Position.Compare)
	return out, nil
}

func position(f *feed, topic string, partition int, offset int64) store.Position {
	return store.Position{Feed: f.name, Topic: topic, Partition: int32(partition), Offset: offset} //nolint:gosec // partitions are few
}

// Idle fails with ErrIngesting while a process is a member of one of the region's groups, or was until just now.
func (s *Service) Idle(ctx context.Context) error {
	for _, f := range s.stored() {
		members, err := f.client.Members(ctx, f.group)
		if err != nil {
			return fmt.Errorf("ingest: %w", err)
		}
		if members > 0 {
			return fmt.Errorf("%w (%d in group %s)", ErrIngesting, members, f.group)
		}
	}
	return nil
}

// Gap are records that were to be ingested and that the broker has no more: from the position, so many.
type Gap struct {
	store.Position
	Records int64
}

// Rewind sets the region's groups to positions, which takes that nobody is a member. Partitions without a position begin with what the broker has. It returns
// up to where the broker has records now, and what it has no more of what was to be ingested.
func (s *Service) Rewind(ctx context.Context, to []store.Position) (ends []store.Position, gaps []Gap, err error) {
	for _, f := range s.stored() {
		for _, topic := range f.topics {
			partitions, err := f.client.TopicOffsets(ctx, topic)
			if errors.Is(err, kafka.ErrNoTopic) {
				continue
			}
			if err != nil {
				return nil, nil, fmt.Errorf("ingest: %w", err)
			}
			next := map[int]int64{}
			for id, has := range partitions {
				at := position(f, topic, id, has.First)
				if i := slices.IndexFunc(to, func(p store.Position) bool {
					return p.Feed == at.Feed && p.Topic == at.Topic && p.Partition == at.Partition
				}); i >= 0 {
					at.Offset = to[i].Offset
				}
				if at.Offset < has.First {
					gaps = append(gaps, Gap{at, has.First - at.Offset})
				}
				// A topic that was made anew has lower offsets than what was stored of the one before: all of it is new.
				if next[id] = max(at.Offset, has.First); next[id] > has.End {
					next[id] = has.First
				}
				ends = append(ends, position(f, topic, id, has.End))
			}
			if err := f.client.Commit(ctx, f.group, topic, next); err != nil {
				return nil, nil, fmt.Errorf("ingest: %w", err)
			}
		}
	}
	slices.SortFunc(ends, store.Position.Compare)
	slices.SortFunc(gaps, func(a, b Gap) int { return a.Compare(b.Position) })
	return ends, gaps, nil
}

// Reached tells whether all before some positions is stored and committed.
func (s *Service) Reached(ctx context.Context, ends []store.Position) (bool, error) {
	now, err := s.Positions(ctx)
	if err != nil {
		return false, err
	}
	for _, end := range ends {
		i := slices.IndexFunc(now, func(p store.Position) bool {
			return p.Feed == end.Feed && p.Topic == end.Topic && p.Partition == end.Partition
		})
		if i < 0 || now[i].Offset < end.Offset {
			return false, nil
		}
	}
	return true, nil
}
