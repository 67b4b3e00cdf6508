package doctor

import (
	"testing"
	"time"

	kafkago "github.com/segmentio/kafka-go"

	"github.com/anteroom/anteroom/internal/embedded/embeddedtest"
	"github.com/anteroom/anteroom/internal/kafka"
)

// connection reaches the shared broker.
func connection(t *testing.T) kafka.Config {
	t.Helper()
	broker := embeddedtest.Broker(t)
	cfg := kafka.DefaultConfig()
	cfg.Brokers = []string{broker.Addr}
	cfg.SASL = kafka.SASLConfig{Mechanism: broker.Mechanism, Username: broker.User, Password: broker.Password}
	return cfg
}

func TestKafka(t *testing.T) {
	cfg := connection(t)
	client, err := kafka.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	make1 := func(settings map[string]string) kafka.Topic {
		t.Helper()
		topic := kafka.Topic{Name: embeddedtest.Broker(t).Unique("doctor"), Partitions: 2, Retention: 168 * time.Hour, Segment: 24 * time.Hour}
		config := kafkago.TopicConfig{Topic: topic.Name, NumPartitions: 2, ReplicationFactor: 1}
		all := map[string]string{"retention.ms": "604800000", "segment.ms": "86400000"}
		for name, value := range settings {
			all[name] = value
		}
		for name, value := range all {
			config.ConfigEntries = append(config.ConfigEntries, kafkago.ConfigEntry{ConfigName: name, ConfigValue: value})
		}
		answer, err := client.API().CreateTopics(t.Context(), &kafkago.CreateTopicsRequest{Topics: []kafkago.TopicConfig{config}})
		if err != nil || answer.Errors[topic.Name] != nil {
			t.Fatal(err, answer.Errors)
		}
		return topic
	}
	good := make1(nil)
	look := func(cfg kafka.Config, embedded bool, topics ...kafka.Topic) Report {
		return looked(t, Kafka("emea", cfg, KafkaWants{Topics: topics, Embedded: embedded}))
	}
	r := look(cfg, true, good)
	expect(t, r, "kafka.reachable", OK, "1 broker", "")
	expect(t, r, "kafka.topic", OK, good.Name+": 2 partitions, 1 copy, kept for 168h0m0s", "")
	expect(t, r, "clocks.kafka", OK, "this machine's clock", "")

	r = look(cfg, false, good, kafka.Topic{Name: "missing"})
	expect(t, r, "kafka.topic", Warning, "missing is not there", "role ingest makes it")
	expect(t, r, "kafka.topic", Warning, "has 1 copy", "3 brokers")
	expect(t, r, "clocks.kafka", Skipped, "only when they write", "--write")

	for _, tt := range []struct {
		setting, value string
		status         Status
		says, do       string
	}{
		{"cleanup.policy", "compact", Failed, "is compacted", "cleanup.policy=delete"},
		{"retention.ms", "3600000", Failed, "for 1h0m0s, ingest.retention is 168h0m0s", "retention.ms=604800000"},
		{"retention.ms", "-1", Warning, "for good", "retention.ms=604800000"},
		{"segment.ms", "604800000", Warning, "closes segments after 168h0m0s", "segment.ms=86400000"},
		{"retention.bytes", "1000000", Failed, "beyond 1000000 bytes", "retention.bytes=-1"},
		{"max.message.bytes", "100000", Failed, "100000 bytes at most", "max.message.bytes=1048588"},
		{"unclean.leader.election.enable", "true", Failed, "lacks what was acknowledged", "unclean.leader.election.enable=false"},
	} {
		t.Run(tt.setting+"="+tt.value, func(t *testing.T) {
			expect(t, look(cfg, false, make1(map[string]string{tt.setting: tt.value})), "kafka.topic", tt.status, tt.says, tt.do)
		})
	}

	away := cfg
	away.Brokers, away.SASL.Password = []string{"127.0.0.1:1"}, canary
	expect(t, look(away, false, good), "kafka.reachable", Failed, "127.0.0.1:1", "See that it runs")
	wrong := cfg
	wrong.SASL.Password = canary
	expect(t, look(wrong, false, good), "kafka.reachable", Failed, "", "kafka.sasl")
	wrong.SASL.PasswordFile = "/nothing"
	wrong.SASL.Password = ""
	expect(t, look(wrong, false, good), "kafka.reachable", Failed, "/nothing", "kafka.sasl")
}

func TestCopiesAreJudged(t *testing.T) {
	for _, tt := range []struct {
		name     string
		topic    kafka.InspectedTopic
		status   Status
		says, do string
	}{
		{"one in sync", kafka.InspectedTopic{Replication: 3, MinInSync: 1}, Failed, "min.insync.replicas 1", "min.insync.replicas=2"},
		{"all in sync", kafka.InspectedTopic{Replication: 3, MinInSync: 3}, Warning, "while any one broker is away", "min.insync.replicas=2"},
		{"two copies", kafka.InspectedTopic{Replication: 2, MinInSync: 1}, Warning, "has 2 copies", "3 brokers"},
		{"leaderless", kafka.InspectedTopic{Partitions: 4, Replication: 3, MinInSync: 2, Leaderless: 1}, Failed, "1 of 4 partitions have no leader", "Bring back a broker"},
		{"refusing", kafka.InspectedTopic{Partitions: 4, Replication: 3, MinInSync: 2, InSync: 1, Behind: 1}, Failed, "1 copy in sync and needs 2: nothing can be written", "Bring back the brokers"},
		{"behind", kafka.InspectedTopic{Partitions: 4, Replication: 3, MinInSync: 2, Behind: 2}, Warning, "2 of 4 partitions", "away or slow"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.topic.Forever = true
			if tt.topic.InSync == 0 {
				tt.topic.InSync = tt.topic.Replication
			}
			seen := kafka.Inspected{Topics: map[string]kafka.InspectedTopic{"x": tt.topic}}
			expect(t, judged(func(s *subject) { judgeTopic(s, kafka.Topic{Name: "x"}, seen, false) }), "kafka.topic", tt.status, tt.says, tt.do)
		})
	}
	r := judged(func(s *subject) {
		judgeTopic(s, kafka.Topic{Name: "x", Replication: 5}, kafka.Inspected{Topics: map[string]kafka.InspectedTopic{"x": {Replication: 3, InSync: 3, MinInSync: 2}}}, false)
	})
	expect(t, r, "kafka.topic", Warning, "has 3 copies", "5 brokers")
	r = judged(func(s *subject) {
		judgeTopic(s, kafka.Topic{Name: "x", Retention: time.Hour}, kafka.Inspected{Topics: map[string]kafka.InspectedTopic{
			"x": {Partitions: 4, Replication: 3, InSync: 3, MinInSync: 2, RetentionBytes: -1, TopicSettings: kafka.TopicSettings{Retention: time.Hour}},
		}}, false)
	})
	expect(t, r, "kafka.topic", OK, "4 partitions, 3 copies", "")
}
