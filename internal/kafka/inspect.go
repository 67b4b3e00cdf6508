package kafka

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	kafkago "github.com/segmentio/kafka-go"
)

// Inspected is what a cluster says of itself and of topics.
type Inspected struct {
	// Brokers that answer.
	Brokers int
	// Topics that are there, of those that were asked for.
	Topics map[string]InspectedTopic
}

// InspectedTopic is how a topic is kept.
type InspectedTopic struct {
	TopicSettings
	Partitions int
	// Replication is the smallest number of copies of its partitions. Leaderless partitions can't be written, and Behind ones have copies that aren't in sync.
	Replication, Leaderless, Behind int
	// InSync is the smallest number of copies of a partition that have all there is.
	InSync int
	// MinInSync copies have what is acknowledged; 0: the broker doesn't tell.
	MinInSync int
	// Cleanup is cleanup.policy.
	Cleanup string
	// RetentionBytes of a partition are kept; -1: any.
	RetentionBytes int64
	// MaxMessageBytes is the largest batch; 0: the broker doesn't tell.
	MaxMessageBytes int64
	// Unclean: a copy that lacks what was acknowledged may become the leader.
	Unclean bool
}

// Inspect asks for brokers and topics, and changes nothing.
func (c *Client) Inspect(ctx context.Context, topics ...string) (Inspected, error) {
	out := Inspected{Topics: map[string]InspectedTopic{}}
	resp, err := c.API().Metadata(ctx, &kafkago.MetadataRequest{Topics: topics})
	if err != nil {
		return out, fmt.Errorf("ask Kafka for metadata: %w", err)
	}
	out.Brokers = len(resp.Brokers)
	var there []string
	for _, t := range resp.Topics {
		if errors.Is(t.Error, kafkago.UnknownTopicOrPartition) || len(t.Partitions) == 0 {
			continue
		}
		topic := InspectedTopic{Partitions: len(t.Partitions), Replication: len(t.Partitions[0].Replicas), InSync: len(t.Partitions[0].Isr)}
		for _, p := range t.Partitions {
			topic.Replication, topic.InSync = min(topic.Replication, len(p.Replicas)), min(topic.InSync, len(p.Isr))
			if errors.Is(p.Error, kafkago.LeaderNotAvailable) || p.Leader.Host == "" {
				topic.Leaderless++
			}
			if len(p.Isr) < len(p.Replicas) {
				topic.Behind++
			}
		}
		out.Topics[t.Name] = topic
		there = append(there, t.Name)
	}
	return out, c.inspectSettings(ctx, out.Topics, there)
}

func (c *Client) inspectSettings(ctx context.Context, into map[string]InspectedTopic, topics []string) error {
	if len(topics) == 0 {
		return nil
	}
	all, err := c.describe(ctx, topics...)
	if err != nil {
		return err
	}
	for name, values := range all {
		topic := into[name]
		if topic.TopicSettings, err = parseSettings(values); err != nil {
			return fmt.Errorf("read settings of %s: %w", name, err)
		}
		number := func(setting string, otherwise int64) int64 {
			n, err := strconv.ParseInt(values[setting], 10, 64)
			if err != nil {
				return otherwise
			}
			return n
		}
		topic.MinInSync = int(number(minInSync, 0))
		topic.RetentionBytes, topic.MaxMessageBytes = number("retention.bytes", -1), number("max.message.bytes", 0)
		topic.Cleanup, topic.Unclean = values[cleanupPolicy], values["unclean.leader.election.enable"] == "true"
		into[name] = topic
	}
	return nil
}

// Unsafe tells of each topic that is there where what it acknowledges is less safe than wanted, or why nothing can be written to it now.
func (i Inspected) Unsafe(want ...Topic) []string {
	var out []string
	say := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	for _, w := range want {
		t, there := i.Topics[w.Name]
		if !there {
			continue
		}
		if t.Leaderless > 0 {
			say("%s: %d of %d partitions have no leader, so nothing can be written to them or read", w.Name, t.Leaderless, t.Partitions)
		}
		if t.Refuses() {
			say("%s: a partition has %d copies in sync and needs %d, so nothing can be written to it", w.Name, t.InSync, t.MinInSync)
		}
		if t.Replication < w.Replication {
			say("%s has %d copies of each partition, %d are wanted", w.Name, t.Replication, w.Replication)
		}
		if t.MinInSync > 0 && t.MinInSync < w.MinInSync {
			say("%s acknowledges what %d copies have (min.insync.replicas), %d are wanted", w.Name, t.MinInSync, w.MinInSync)
		}
	}
	return out
}

// Refuses tells whether fewer copies are in sync than have to acknowledge.
func (t InspectedTopic) Refuses() bool { return t.InSync < t.MinInSync }

// Clock tells by how much the brokers' clock is ahead of this process's, give or take uncertain. Brokers tell the time only when they write: it makes a
// topic, writes a record, as all in-sync copies acknowledge it, and deletes the topic.
func (c *Client) Clock(ctx context.Context, topic string) (ahead, uncertain time.Duration, err error) {
	made, err := c.API().CreateTopics(ctx, &kafkago.CreateTopicsRequest{Topics: []kafkago.TopicConfig{{
		Topic: topic, NumPartitions: 1, ReplicationFactor: -1,
		ConfigEntries: []kafkago.ConfigEntry{{ConfigName: "message.timestamp.type", ConfigValue: "LogAppendTime"}},
	}}})
	if err == nil {
		err = made.Errors[topic]
	}
	if err != nil {
		return 0, 0, fmt.Errorf("make topic %s: %w", topic, err)
	}
	defer func() {
		gone, deleteErr := c.API().DeleteTopics(context.WithoutCancel(ctx), &kafkago.DeleteTopicsRequest{Topics: []string{topic}})
		if deleteErr == nil {
			deleteErr = gone.Errors[topic]
		}
		if deleteErr != nil {
			err = errors.Join(err, fmt.Errorf("delete topic %s: %w", topic, deleteErr))
		}
	}()
	for {
		asked := time.Now()
		written, err := c.API().Produce(ctx, &kafkago.ProduceRequest{
			Topic: topic, RequiredAcks: kafkago.RequireAll,
			Records: kafkago.NewRecordReader(kafkago.Record{Value: kafkago.NewBytes([]byte("clock"))}),
		})
		if err == nil {
			err = written.Error
		}
		if errors.Is(err, kafkago.UnknownTopicOrPartition) || errors.Is(err, kafkago.LeaderNotAvailable) || errors.Is(err, kafkago.NotLeaderForPartition) {
			select { // not every broker knows it yet
			case <-ctx.Done():
			case <-time.After(50 * time.Millisecond):
				continue
			}
		}
		if err != nil {
			return 0, 0, fmt.Errorf("write to %s: %w", topic, err)
		}
		if written.LogAppendTime.IsZero() {
			return 0, 0, errors.New("the broker doesn't tell when it wrote")
		}
		uncertain = time.Since(asked) / 2
		return written.LogAppendTime.Sub(asked.Add(uncertain)), uncertain, nil
	}
}
