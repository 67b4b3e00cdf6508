package embedded_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/sasl"
	"github.com/segmentio/kafka-go/sasl/plain"
	"github.com/segmentio/kafka-go/sasl/scram"

	"github.com/anteroom/anteroom/internal/embedded"
)

// kafkaClient is what the tests do with a broker, through kafka-go as the
// service does.
type kafkaClient struct {
	addr      string
	mechanism sasl.Mechanism
	client    *kafka.Client
	transport *kafka.Transport
}

func newKafka(t *testing.T, addr, user, password string) kafkaClient {
	t.Helper()
	mechanism, err := scram.Mechanism(scram.SHA256, user, password)
	if err != nil {
		t.Fatal(err)
	}
	return kafkaWith(t, addr, mechanism)
}

func kafkaWith(t *testing.T, addr string, mechanism sasl.Mechanism) kafkaClient {
	transport := &kafka.Transport{SASL: mechanism}
	t.Cleanup(transport.CloseIdleConnections)
	return kafkaClient{addr, mechanism, &kafka.Client{Addr: kafka.TCP(addr), Transport: transport}, transport}
}

func (k kafkaClient) createTopic(t *testing.T, topic string, partitions int, config ...kafka.ConfigEntry) {
	t.Helper()
	made, err := k.client.CreateTopics(t.Context(), &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{
		{Topic: topic, NumPartitions: partitions, ReplicationFactor: 1, ConfigEntries: config},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if err := made.Errors[topic]; err != nil {
		t.Fatal(err)
	}
}

func (k kafkaClient) tryWrite(ctx context.Context, topic string, n int) error {
	writer := &kafka.Writer{
		Addr: kafka.TCP(k.addr), Topic: topic, RequiredAcks: kafka.RequireAll, Transport: k.transport,
		BatchTimeout: time.Millisecond, MaxAttempts: 1, Balancer: &kafka.RoundRobin{},
	}
	defer writer.Close()
	for i := range n {
		if err := writer.WriteMessages(ctx, kafka.Message{Value: fmt.Appendf(nil, "record %d", i)}); err != nil {
			return err
		}
	}
	return nil
}

func (k kafkaClient) write(t *testing.T, topic string, n int) {
	t.Helper()
	if err := k.tryWrite(t.Context(), topic, n); err != nil {
		t.Fatal(err)
	}
}

// bounds returns the first offset and the one after the last of partition 0.
func (k kafkaClient) bounds(t *testing.T, topic string) (int64, int64) {
	t.Helper()
	got, err := k.client.ListOffsets(t.Context(), &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{
		topic: {kafka.FirstOffsetOf(0), kafka.LastOffsetOf(0)},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return got.Topics[topic][0].FirstOffset, got.Topics[topic][0].LastOffset
}

func (k kafkaClient) readAll(t *testing.T, topic string) []string {
	t.Helper()
	first, last := k.bounds(t, topic)
	if first == last {
		return nil
	}
	dialer := &kafka.Dialer{SASLMechanism: k.mechanism}
	conn, err := dialer.DialLeader(t.Context(), "tcp", k.addr, topic, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Seek(first, kafka.SeekAbsolute); err != nil {
		t.Fatal(err)
	}
	var values []string
	for next := first; next < last; {
		batch := conn.ReadBatchWith(kafka.ReadBatchConfig{MinBytes: 1, MaxBytes: 1 << 20, MaxWait: 100 * time.Millisecond})
		for {
			message, err := batch.ReadMessage()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			values, next = append(values, string(message.Value)), message.Offset+1
		}
		if err := batch.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return values
}

func (k kafkaClient) commit(t *testing.T, group, topic string, offset int64, metadata string) {
	t.Helper()
	got, err := k.client.OffsetCommit(t.Context(), &kafka.OffsetCommitRequest{
		GroupID: group, GenerationID: -1,
		Topics: map[string][]kafka.OffsetCommit{topic: {{Partition: 0, Offset: offset, Metadata: metadata}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := got.Topics[topic][0].Error; err != nil {
		t.Fatal(err)
	}
}

func (k kafkaClient) committed(t *testing.T, group, topic string) (int64, string) {
	t.Helper()
	got, err := k.client.OffsetFetch(t.Context(), &kafka.OffsetFetchRequest{GroupID: group, Topics: map[string][]int{topic: {0}}})
	if err != nil {
		t.Fatal(err)
	}
	return got.Topics[topic][0].CommittedOffset, got.Topics[topic][0].Metadata
}

func startBroker(t *testing.T, cfg embedded.BrokerConfig) *embedded.Broker {
	t.Helper()
	broker, err := embedded.StartBroker(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { broker.Close() })
	return broker
}

func TestBroker_StateSurvivesRestart(t *testing.T) {
	cfg := embedded.DefaultBrokerConfig(t.TempDir())
	first := startBroker(t, cfg)
	k := newKafka(t, first.Addr(), first.User(), first.Password())
	k.createTopic(t, "kept", 1)
	k.write(t, "kept", 5)
	k.commit(t, "group", "kept", 3, "pending:3-4")
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}

	second := startBroker(t, cfg)
	if first.Addr() != second.Addr() {
		t.Errorf("address changed from %s to %s", first.Addr(), second.Addr())
	}
	k = newKafka(t, second.Addr(), second.User(), second.Password())
	if got := k.readAll(t, "kept"); len(got) != 5 {
		t.Errorf("%d records, want 5", len(got))
	}
	offset, metadata := k.committed(t, "group", "kept")
	if offset != 3 || metadata != "pending:3-4" {
		t.Errorf("committed %d %q, want 3 and pending:3-4", offset, metadata)
	}
}

func TestBroker_NothingWithoutThePassword(t *testing.T) {
	broker := startBroker(t, embedded.DefaultBrokerConfig(t.TempDir()))
	owner := newKafka(t, broker.Addr(), broker.User(), broker.Password())
	owner.createTopic(t, "t", 1)
	owner.write(t, "t", 1)
	tests := map[string]kafkaClient{
		"no login":         kafkaWith(t, broker.Addr(), nil),
		"wrong password":   newKafka(t, broker.Addr(), broker.User(), "wrong"),
		"empty password":   newKafka(t, broker.Addr(), broker.User(), ""),
		"built-in account": newKafka(t, broker.Addr(), "admin", "admin"),
		"plain": kafkaWith(t, broker.Addr(), plain.Mechanism{
			Username: broker.User(), Password: broker.Password(),
		}),
	}
	for name, stranger := range tests {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			if got, err := stranger.client.Metadata(ctx, &kafka.MetadataRequest{}); err == nil {
				t.Errorf("metadata: %d topics", len(got.Topics))
			}
			if err := stranger.tryWrite(ctx, "t", 1); err == nil {
				t.Error("wrote a record")
			}
			dialer := &kafka.Dialer{SASLMechanism: stranger.mechanism}
			if conn, err := dialer.DialLeader(ctx, "tcp", broker.Addr(), "t", 0); err == nil {
				conn.Close()
				t.Error("found the topic's leader")
			}
		})
	}
}

func TestBroker_TopicsAreNotMadeByNaming(t *testing.T) {
	broker := startBroker(t, embedded.DefaultBrokerConfig(t.TempDir()))
	k := newKafka(t, broker.Addr(), broker.User(), broker.Password())
	if err := k.tryWrite(t.Context(), "unknown", 1); !errors.Is(err, kafka.UnknownTopicOrPartition) {
		t.Errorf("write to an unknown topic: %v", err)
	}
	k.createTopic(t, "three", 3)
	got, err := k.client.Metadata(t.Context(), &kafka.MetadataRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Topics) != 1 || got.Topics[0].Name != "three" || len(got.Topics[0].Partitions) != 3 {
		t.Errorf("topics %+v, want just three with 3 partitions", got.Topics)
	}
}

func TestBroker_NewPasswordReplacesTheOld(t *testing.T) {
	dir := t.TempDir()
	first := startBroker(t, embedded.DefaultBrokerConfig(dir))
	k := newKafka(t, first.Addr(), first.User(), first.Password())
	k.createTopic(t, "t", 1)
	first.Close()
	remove(t, dir, "password")
	second := startBroker(t, embedded.DefaultBrokerConfig(dir))
	if first.Password() == second.Password() {
		t.Fatal("same password")
	}
	if _, err := newKafka(t, second.Addr(), first.User(), first.Password()).client.Metadata(t.Context(), &kafka.MetadataRequest{}); err == nil {
		t.Error("the old password is still taken")
	}
	got, err := newKafka(t, second.Addr(), second.User(), second.Password()).client.Metadata(t.Context(), &kafka.MetadataRequest{})
	if err != nil || len(got.Topics) != 1 {
		t.Errorf("the new password: %v, %+v", err, got)
	}
}

func TestBroker_TakenPortIsReplaced(t *testing.T) {
	dir := t.TempDir()
	first := startBroker(t, embedded.DefaultBrokerConfig(dir))
	first.Close()
	occupy(t, first.Addr())
	second := startBroker(t, embedded.DefaultBrokerConfig(dir))
	if first.Addr() == second.Addr() || !strings.HasPrefix(second.Addr(), "127.0.0.1:") {
		t.Errorf("address %s after %s was taken", second.Addr(), first.Addr())
	}
	k := newKafka(t, second.Addr(), second.User(), second.Password())
	k.createTopic(t, "t", 1)
	k.write(t, "t", 1)
}

// TestBroker_RetentionFollowsProducerTime pins what retention.ms does here, the
// trap included: see the package comment.
func TestBroker_RetentionFollowsProducerTime(t *testing.T) {
	hours := func(n int) time.Time { return time.Now().Add(time.Duration(-n) * time.Hour) }
	tests := []struct {
		name  string
		times []time.Time
		first int64 // the first offset left; retention.ms is one hour
	}{
		{"fresh", []time.Time{hours(0), hours(0)}, 0},
		{"old before fresh", []time.Time{hours(2), hours(0)}, 1},
		{"all old", []time.Time{hours(2), hours(2)}, 2},
		{"fresh before old goes too", []time.Time{hours(0), hours(2), hours(0)}, 2},
	}
	for i, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			cfg := embedded.DefaultBrokerConfig(t.TempDir())
			broker := startBroker(t, cfg)
			topic := fmt.Sprint("t", i)
			k := newKafka(t, broker.Addr(), broker.User(), broker.Password())
			k.createTopic(t, topic, 1, kafka.ConfigEntry{ConfigName: "retention.ms", ConfigValue: "3600000"})
			for _, at := range test.times {
				produced, err := k.client.Produce(t.Context(), &kafka.ProduceRequest{
					Topic: topic, RequiredAcks: kafka.RequireAll,
					Records: kafka.NewRecordReader(kafka.Record{Time: at, Value: kafka.NewBytes([]byte("x"))}),
				})
				if err = errors.Join(err, produced.Error); err != nil {
					t.Fatal(err)
				}
			}
			broker.Close()
			broker = startBroker(t, cfg) // a start applies retention
			k = newKafka(t, broker.Addr(), broker.User(), broker.Password())
			first, last := k.bounds(t, topic)
			if first != test.first || last != int64(len(test.times)) {
				t.Errorf("offsets [%d,%d), want [%d,%d)", first, last, test.first, len(test.times))
			}
		})
	}
}
