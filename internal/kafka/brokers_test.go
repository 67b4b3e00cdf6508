package kafka_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/anteroom/anteroom/event"
	"github.com/anteroom/anteroom/internal/kafka"
	"github.com/anteroom/anteroom/internal/kafkatest"
)

// TestBrokersThatAreLost: a topic is made as safe as is wanted, and less safe ones are told of; what was acknowledged outlives one broker of three, nothing is
// acknowledged by one alone, and it goes on once the others are back.
func TestBrokersThatAreLost(t *testing.T) {
	cluster := kafkatest.Start(t, kafkatest.WithBrokers(3), kafkatest.WithHeap("320m"))
	cfg := kafka.DefaultConfig()
	cfg.Brokers = cluster.Brokers
	client, err := kafka.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	topic := kafka.Topic{Name: "safe", Partitions: 1, Replication: 3, MinInSync: 2, Retention: time.Hour}
	if err := client.EnsureTopics(t.Context(), topic); err != nil {
		t.Fatal(err)
	}
	within(t, "the topic is as it is wanted", func() error {
		seen, err := client.Inspect(t.Context(), topic.Name)
		if got := seen.Topics[topic.Name]; err == nil && (got.Replication != 3 || got.InSync != 3 || got.MinInSync != 2 || len(seen.Unsafe(topic)) > 0) {
			err = fmt.Errorf("%+v: %q", got, seen.Unsafe(topic))
		}
		return err
	})
	seen, err := client.Inspect(t.Context(), topic.Name)
	if err != nil {
		t.Fatal(err)
	}
	safer := topic
	safer.Replication, safer.MinInSync = 5, 4
	if told := strings.Join(seen.Unsafe(safer), "\n"); !strings.Contains(told, "3 copies of each partition, 5 are wanted") || !strings.Contains(told, "2 copies have (min.insync.replicas), 4 are wanted") {
		t.Errorf("of a topic that is less safe than wanted it is told %q", told)
	}

	producer := client.NewProducer()
	defer func() { _ = producer.Close() }()
	var acknowledged []string
	write := func(ctx context.Context, value string) error {
		_, err := producer.Write(ctx, event.Record{Topic: topic.Name, Key: []byte("k"), Value: []byte(value)})
		if err == nil {
			acknowledged = append(acknowledged, value)
		}
		return err
	}
	writes := func(value string) {
		t.Helper()
		within(t, value+" is acknowledged", func() error { return write(t.Context(), value) })
	}
	writes("before")
	cluster.KillBroker(0)
	writes("without one")
	cluster.KillBroker(1)
	limited, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if err := write(limited, "without two"); err == nil {
		t.Error("one broker alone acknowledges")
	}
	for i := range 2 {
		if err := cluster.StartBroker(t.Context(), i); err != nil {
			t.Fatal(err)
		}
	}
	writes("with all again")

	conn, err := client.Dialer().DialLeader(t.Context(), "tcp", cluster.Brokers[2], topic.Name, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	last, err := conn.ReadLastOffset()
	if err != nil {
		t.Fatal(err)
	}
	there := map[string]int{}
	for range last {
		m, err := conn.ReadMessage(1 << 20)
		if err != nil {
			t.Fatal(err)
		}
		there[string(m.Value)]++
	}
	for _, value := range acknowledged {
		if there[value] == 0 {
			t.Errorf("%q was acknowledged and is lost: %v", value, there)
		}
	}
}

// within tries again until it works, for two minutes.
func within(t *testing.T, what string, try func() error) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(200 * time.Millisecond) {
		err := try()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: %v", what, err)
		}
	}
}
