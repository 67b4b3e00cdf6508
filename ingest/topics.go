package ingest

import (
	"context"
	"time"

	"github.com/anteroom/anteroom/event"
	"github.com/anteroom/anteroom/internal/kafka"
)

// chatSegment is after how long brokers close a segment of chat: by so much its records may outlive their retention.
const chatSegment = 24 * time.Hour

// EnsureTopics creates the topics of the home region that are missing.
func EnsureTopics(ctx context.Context, client *kafka.Client, cfg Config) error {
	return client.EnsureTopics(ctx, Topics(cfg)...)
}

// EnsureCopiesTopics creates the topics of a further region that are missing.
func EnsureCopiesTopics(ctx context.Context, client *kafka.Client, cfg Config, region string) error {
	return client.EnsureTopics(ctx, CopiesTopics(cfg, region)...)
}

// Topics are those of the home region, as they are wanted.
func Topics(cfg Config) []kafka.Topic {
	return wanted(cfg, cfg.Region, event.Topic(cfg.Region, event.Lossy), event.Topic(cfg.Region, event.Durable), event.Topic(cfg.Region, event.Content),
		event.LogsTopic(cfg.Region))
}

// CopiesTopics are those of a further region, as they are wanted.
func CopiesTopics(cfg Config, region string) []kafka.Topic {
	return wanted(cfg, region, event.CopiesTopic(region))
}

// Where there are so many copies of a topic, two must have a record before it is acknowledged: a broker that is lost takes nothing along, and one that is away
// keeps nobody waiting.
const (
	manyCopies    = 3
	acknowledging = 2
)

func wanted(cfg Config, region string, names ...string) []kafka.Topic {
	topic := func(name string, partitions int) kafka.Topic {
		t := kafka.Topic{Name: name, Partitions: partitions, Replication: cfg.Replication, Retention: cfg.Retention}
		if t.Replication >= manyCopies {
			t.MinInSync = acknowledging
		}
		return t
	}
	topics := []kafka.Topic{topic(event.DeadLetterTopic(region), 1)}
	for _, name := range names {
		t := topic(name, cfg.Partitions)
		if name == event.Topic(region, event.Content) || name == event.CopiesTopic(region) {
			t.Segment = chatSegment
		}
		topics = append(topics, t)
	}
	return topics
}
