package ingest

import (
	"context"

	"github.com/anteroom/anteroom/event"
	"github.com/anteroom/anteroom/internal/kafka"
)

// EnsureTopics creates the topics of the home region that are missing.
func EnsureTopics(ctx context.Context, client *kafka.Client, cfg Config) error {
	return ensure(ctx, client, cfg, cfg.Region, event.Topic(cfg.Region, event.Lossy), event.Topic(cfg.Region, event.Durable), event.Topic(cfg.Region, event.Content))
}

// EnsureCopiesTopics creates the topics of a further region that are missing.
func EnsureCopiesTopics(ctx context.Context, client *kafka.Client, cfg Config, region string) error {
	return ensure(ctx, client, cfg, region, event.CopiesTopic(region))
}

func ensure(ctx context.Context, client *kafka.Client, cfg Config, region string, names ...string) error {
	topic := func(name string, partitions int) kafka.Topic {
		return kafka.Topic{Name: name, Partitions: partitions, Replication: cfg.Replication, Retention: cfg.Retention}
	}
	topics := []kafka.Topic{topic(event.DeadLetterTopic(region), 1)}
	for _, name := range names {
		topics = append(topics, topic(name, cfg.Partitions))
	}
	return client.EnsureTopics(ctx, topics...)
}
