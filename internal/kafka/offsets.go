package kafka

import (
	"context"
	"errors"
	"fmt"

	kafkago "github.com/segmentio/kafka-go"
)

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
		if t.Error != nil {
			return nil, fmt.Errorf("list partitions of %s: %w", topic, t.Error)
		}
		out := make([]int, len(t.Partitions))
		for i, p := range t.Partitions {
			out[i] = p.ID
		}
		return out, nil
	}
	return nil, fmt.Errorf("list partitions of %s: the broker doesn't know it", topic)
}
