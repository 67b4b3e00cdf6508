package kafkatest_test

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/sasl/plain"

	"github.com/anteroom/anteroom/internal/kafkatest"
)

const topic = "greetings"

func TestMessagesSurviveStopAndKill(t *testing.T) {
	ctx := testContext(t)
	c := kafkatest.Start(t)
	client := &kafka.Client{Addr: kafka.TCP(c.Brokers...)}
	createTopic(ctx, t, client)

	produce(ctx, t, client.Addr, nil, "one")
	c.Stop()
	restart(ctx, t, c)
	produce(ctx, t, client.Addr, nil, "two")
	c.Kill()
	restart(ctx, t, c)
	produce(ctx, t, client.Addr, nil, "three")

	want := []string{"one", "two", "three"}
	if diff := cmp.Diff(want, consume(ctx, t, c.Brokers, kafka.DefaultDialer, len(want))); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
}

func TestSASLPlainOverTLSLikeEventHubs(t *testing.T) {
	ctx := testContext(t)
	const user, password = "$ConnectionString", `Endpoint=sb://x/;SharedAccessKey=a\b"c=`
	c := kafkatest.Start(t, kafkatest.WithSASLPlain(user, password))
	createTopic(ctx, t, &kafka.Client{Addr: kafka.TCP(c.Plaintext...)})

	good := plain.Mechanism{Username: user, Password: password}
	produce(ctx, t, kafka.TCP(c.Brokers...), &kafka.Transport{TLS: c.TLS, SASL: good}, "hello")
	dialer := &kafka.Dialer{TLS: c.TLS, SASLMechanism: good}
	if diff := cmp.Diff([]string{"hello"}, consume(ctx, t, c.Brokers, dialer, 1)); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}

	bad := plain.Mechanism{Username: user, Password: "wrong"}
	client := &kafka.Client{Addr: kafka.TCP(c.Brokers...), Transport: &kafka.Transport{TLS: c.TLS, SASL: bad}}
	if _, err := client.Metadata(ctx, &kafka.MetadataRequest{}); err == nil || !strings.Contains(err.Error(), "SASL") {
		t.Errorf("wrong password: got error %v, want a SASL refusal", err)
	}
}

func testContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func restart(ctx context.Context, t *testing.T, c *kafkatest.Cluster) {
	t.Helper()
	if err := c.Start(ctx); err != nil {
		t.Fatal(err)
	}
}

func createTopic(ctx context.Context, t *testing.T, client *kafka.Client) {
	t.Helper()
	answer, err := client.CreateTopics(ctx, &kafka.CreateTopicsRequest{
		Topics: []kafka.TopicConfig{{Topic: topic, NumPartitions: 1, ReplicationFactor: 1}},
	})
	if err == nil {
		err = answer.Errors[topic]
	}
	if err != nil {
		t.Fatalf("create topic: %v", err)
	}
}

func produce(ctx context.Context, t *testing.T, addr net.Addr, transport kafka.RoundTripper, text string) {
	t.Helper()
	w := &kafka.Writer{Addr: addr, Topic: topic, RequiredAcks: kafka.RequireAll, BatchTimeout: time.Millisecond, Transport: transport}
	if err := w.WriteMessages(ctx, kafka.Message{Value: []byte(text)}); err != nil {
		t.Fatalf("produce: %v", err)
	}
	if err := w.Close(); err != nil {
		t.Fatalf("close the writer: %v", err)
	}
}

func consume(ctx context.Context, t *testing.T, brokers []string, dialer *kafka.Dialer, n int) []string {
	t.Helper()
	r := kafka.NewReader(kafka.ReaderConfig{Brokers: brokers, Topic: topic, Dialer: dialer, MaxWait: 100 * time.Millisecond})
	defer func() { _ = r.Close() }()
	var texts []string
	for range n {
		m, err := r.ReadMessage(ctx)
		if err != nil {
			t.Fatalf("consume: %v", err)
		}
		texts = append(texts, string(m.Value))
	}
	return texts
}
