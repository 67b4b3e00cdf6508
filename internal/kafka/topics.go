package kafka

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	kafkago "github.com/segmentio/kafka-go"
)

// Topic is a topic to have.
type Topic struct {
	Name       string
	Partitions int
	// Replication is the number of copies; 0 or less leaves it to the broker.
	Replication int
	// MinInSync is how many copies must have a record before it is acknowledged; 0 leaves it to the broker.
	MinInSync int
	// Retention is how long the broker keeps records; 0 leaves it to the broker.
	Retention time.Duration
	// Segment is after how long a segment is closed: records go with their whole segment, so that the oldest of one outlives its retention by that much;
	// 0 leaves it to the broker.
	Segment time.Duration
}

// EnsureTopics creates the topics that are missing. Topics that exist are left as they are.
func (c *Client) EnsureTopics(ctx context.Context, topics ...Topic) error {
	configs := make([]kafkago.TopicConfig, 0, len(topics))
	for _, t := range topics {
		config := kafkago.TopicConfig{Topic: t.Name, NumPartitions: t.Partitions, ReplicationFactor: t.Replication}
		if t.Replication <= 0 {
			config.ReplicationFactor = -1
		}
		for name, value := range map[string]time.Duration{retentionMs: t.Retention, segmentMs: t.Segment} {
			if value > 0 {
				config.ConfigEntries = append(config.ConfigEntries, kafkago.ConfigEntry{ConfigName: name, ConfigValue: strconv.FormatInt(value.Milliseconds(), 10)})
			}
		}
		if t.MinInSync > 0 {
			config.ConfigEntries = append(config.ConfigEntries, kafkago.ConfigEntry{ConfigName: minInSync, ConfigValue: strconv.Itoa(t.MinInSync)})
		}
		configs = append(configs, config)
	}
	resp, err := c.API().CreateTopics(ctx, &kafkago.CreateTopicsRequest{Topics: configs})
	if err != nil {
		return fmt.Errorf("create topics: %w", err)
	}
	for name, err := range resp.Errors {
		if err != nil && !errors.Is(err, kafkago.TopicAlreadyExists) {
			return fmt.Errorf("create topic %s: %w", name, err)
		}
	}
	return nil
}

// Ping asks a broker for the cluster's metadata.
func (c *Client) Ping(ctx context.Context) error {
	if _, err := c.API().Metadata(ctx, &kafkago.MetadataRequest{Topics: []string{}}); err != nil {
		return fmt.Errorf("ask Kafka for metadata: %w", err)
	}
	return nil
}
