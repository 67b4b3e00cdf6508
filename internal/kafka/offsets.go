package kafka

import (
	"context"
	"errors"
	"fmt"

	kafkago "github.com/segmentio/kafka-go"
)

// ErrNoTopic: the broker has no such topic.
var ErrNoTopic = errors.New("there is no such topic")

// Offsets are what a partition holds: First is its oldest record's, End is after its newest.
type Offsets struct{ First, End int64 }

// TopicOffsets reads what each partition of a topic holds now.
func (c *Client) TopicOffsets(ctx context.Context, topic string) (map[int]Offsets, error) {
	partitions, err := c.partitions(ctx, topic)
	if err != nil {
		return nil, err
	}
	var asked []kafkago.OffsetRequest
	for _, id := range partitions {
		asked = append(asked, kafkago.FirstOffsetOf(id), kafkago.LastOffsetOf(id))
	}
	resp, err := c.API().ListOffsets(ctx, &kafkago.ListOffsetsRequest{Topics: map[string][]kafkago.OffsetRequest{topic: asked}})
	if err != nil {
		return nil, fmt.Errorf("read offsets of %s: %w", topic, err)
	}
	out := make(map[int]Offsets, len(partitions))
	for _, p := range resp.Topics[topic] {
		if p.Error != nil {
			return nil, fmt.Errorf("read offsets of %s: %w", topic, p.Error)
		}
		out[p.Partition] = Offsets{p.FirstOffset, p.LastOffset}
	}
	if len(out) != len(partitions) {
		return nil, fmt.Errorf("read offsets of %s: the broker told of %d of %d partitions", topic, len(out), len(partitions))
	}
	return out, nil
}

// Committed reads the next offset that a group has still to read of each partition of a topic; partitions that it never committed are not in the map.
func (c *Client) Committed(ctx context.Context, group, topic string) (map[int]int64, error) {
	partitions, err := c.partitions(ctx, topic)
	if err != nil {
		return nil, err
	}
	resp, err := c.API().OffsetFetch(ctx, &kafkago.OffsetFetchRequest{GroupID: group, Topics: map[string][]int{topic: partitions}})
	if err == nil {
		err = resp.Error
	}
	if errors.Is(err, kafkago.GroupIdNotFound) { // it never committed anything
		return map[int]int64{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read committed offsets of %s: %w", topic, err)
	}
	out := make(map[int]int64, len(partitions))
	for _, p := range resp.Topics[topic] {
		if p.Error != nil {
			return nil, fmt.Errorf("read committed offsets of %s: %w", topic, p.Error)
		}
		if p.CommittedOffset >= 0 {
			out[p.Partition] = p.CommittedOffset
		}
	}
	return out, nil
}

func (c *Client) partitions(ctx context.Context, topic string) ([]int, error) {
	resp, err := c.API().Metadata(ctx, &kafkago.MetadataRequest{Topics: []string{topic}})
	if err != nil {
		return nil, fmt.Errorf("list partitions of %s: %w", topic, err)
	}
	for _, t := range resp.Topics {
		if t.Name != topic {
			continue
		}
		if errors.Is(t.Error, kafkago.UnknownTopicOrPartition) {
			break
		}
		if t.Error != nil {
			return nil, fmt.Errorf("list partitions of %s: %w", topic, t.Error)
		}
		out := make([]int, len(t.Partitions))
		for i, p := range t.Partitions {
			out[i] = p.ID
		}
		return out, nil
	}
	return nil, fmt.Errorf("list partitions of %s: %w", topic, ErrNoTopic)
}

// Members is how many members a group has; none if there is no such group.
func (c *Client) Members(ctx context.Context, group string) (int, error) {
	resp, err := c.API().DescribeGroups(ctx, &kafkago.DescribeGroupsRequest{GroupIDs: []string{group}})
	if err != nil {
		return 0, fmt.Errorf("look for members of group %s: %w", group, err)
	}
	members := 0
	for _, g := range resp.Groups {
		if g.Error != nil && !errors.Is(g.Error, kafkago.GroupIdNotFound) {
			return 0, fmt.Errorf("look for members of group %s: %w", group, g.Error)
		}
		members += len(g.Members)
	}
	return members, nil
}

// Commit sets the next offset that a group has to read of partitions of a topic, without metadata. The broker refuses it while the group has members.
func (c *Client) Commit(ctx context.Context, group, topic string, next map[int]int64) error {
	if len(next) == 0 {
		return nil
	}
	offsets := make([]kafkago.OffsetCommit, 0, len(next))
	for id, offset := range next {
		offsets = append(offsets, kafkago.OffsetCommit{Partition: id, Offset: offset})
	}
	resp, err := c.API().OffsetCommit(ctx, &kafkago.OffsetCommitRequest{GroupID: group, GenerationID: -1, Topics: map[string][]kafkago.OffsetCommit{topic: offsets}})
	if err != nil {
		return fmt.Errorf("set offsets of group %s: %w", group, err)
	}
	for _, partitions := range resp.Topics {
		for _, p := range partitions {
			if p.Error != nil {
				return fmt.Errorf("set offsets of group %s for %s: %w", group, topic, p.Error)
			}
		}
	}
	return nil
}
