package kafka

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	kafkago "github.com/segmentio/kafka-go"
)

// Names of topic settings.
const (
	retentionMs   = "retention.ms"
	segmentMs     = "segment.ms"
	cleanupPolicy = "cleanup.policy"
	minInSync     = "min.insync.replicas"
	deleteDelayMs = "file.delete.delay.ms"
)

// TopicSettings say how long a broker keeps a topic's records.
type TopicSettings struct {
	// Forever: nothing is dropped by age.
	Forever bool
	// Retention is how old the newest record of a segment must be for the segment to go.
	Retention time.Duration
	// Segment is after how long a segment is closed, so that records of different age go together.
	Segment time.Duration
	// DeleteDelay is from when a segment is dropped until its file is.
	DeleteDelay time.Duration
}

// Defaults of brokers that don't tell, and the pause between two looks for what is to be dropped (log.retention.check.interval.ms), which is no setting
// of a topic. https://kafka.apache.org/documentation/#topicconfigs
const (
	defaultSegment     = 7 * 24 * time.Hour
	defaultDeleteDelay = time.Minute
	checkInterval      = 5 * time.Minute
)

// Expires is when a record that was written at a moment is gone from the broker's disks at the latest; false if it is never dropped by age.
func (s TopicSettings) Expires(written time.Time) (time.Time, bool) {
	if s.Forever {
		return time.Time{}, false
	}
	return written.Add(s.Segment + s.Retention + checkInterval + s.DeleteDelay), true
}

// TopicSettings reads the settings of topics, as the broker has them: they may be others than those it was asked for, or were changed since.
func (c *Client) TopicSettings(ctx context.Context, topics ...string) (map[string]TopicSettings, error) {
	all, err := c.describe(ctx, topics...)
	if err != nil {
		return nil, err
	}
	out := make(map[string]TopicSettings, len(topics))
	for name, values := range all {
		settings, err := parseSettings(values)
		if err != nil {
			return nil, fmt.Errorf("read settings of %s: %w", name, err)
		}
		out[name] = settings
	}
	return out, nil
}

// describe reads what brokers tell of topics: names and values of settings, by topic. It fails if they don't tell of one.
func (c *Client) describe(ctx context.Context, topics ...string) (map[string]map[string]string, error) {
	resources := make([]kafkago.DescribeConfigRequestResource, len(topics))
	for i, topic := range topics {
		resources[i] = kafkago.DescribeConfigRequestResource{ResourceType: kafkago.ResourceTypeTopic, ResourceName: topic}
	}
	resp, err := c.API().DescribeConfigs(ctx, &kafkago.DescribeConfigsRequest{Resources: resources})
	if err != nil {
		return nil, fmt.Errorf("read settings of topics: %w", err)
	}
	out := make(map[string]map[string]string, len(topics))
	for _, r := range resp.Resources {
		if r.Error != nil {
			return nil, fmt.Errorf("read settings of %s: %w", r.ResourceName, r.Error)
		}
		values := map[string]string{}
		for _, entry := range r.ConfigEntries {
			values[entry.ConfigName] = entry.ConfigValue
		}
		out[r.ResourceName] = values
	}
	for _, topic := range topics {
		if _, told := out[topic]; !told {
			return nil, fmt.Errorf("read settings of %s: the broker doesn't tell", topic)
		}
	}
	return out, nil
}

func parseSettings(values map[string]string) (TopicSettings, error) {
	s := TopicSettings{Segment: defaultSegment, DeleteDelay: defaultDeleteDelay}
	if _, told := values[retentionMs]; !told {
		return s, fmt.Errorf("it doesn't tell %s", retentionMs)
	}
	for name, to := range map[string]*time.Duration{retentionMs: &s.Retention, segmentMs: &s.Segment, deleteDelayMs: &s.DeleteDelay} {
		text, told := values[name]
		if !told {
			continue
		}
		ms, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return s, fmt.Errorf("%s is no number", name)
		}
		const most = int64(1<<63-1) / int64(time.Millisecond)
		*to = time.Duration(min(ms, most/4)) * time.Millisecond // sums of them stay within what there is
		if name == retentionMs && ms < 0 {
			s.Forever, s.Retention = true, 0
		}
	}
	if policy, told := values[cleanupPolicy]; told && !strings.Contains(policy, "delete") {
		s.Forever = true
	}
	return s, nil
}
