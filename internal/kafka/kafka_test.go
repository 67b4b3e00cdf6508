package kafka_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	kafkago "github.com/segmentio/kafka-go"

	"github.com/anteroom/anteroom/event"
	"github.com/anteroom/anteroom/internal/embedded/embeddedtest"
	"github.com/anteroom/anteroom/internal/kafka"
	"github.com/anteroom/anteroom/internal/kafkatest"
)

func TestMain(m *testing.M) { embeddedtest.Main(m) }

func connect(t *testing.T, spoil func(*kafka.Config)) *kafka.Client {
	t.Helper()
	broker := embeddedtest.Broker(t)
	cfg := kafka.DefaultConfig()
	cfg.Brokers = []string{broker.Addr}
	cfg.SASL = kafka.SASLConfig{Mechanism: broker.Mechanism, Username: broker.User, Password: broker.Password}
	if spoil != nil {
		spoil(&cfg)
	}
	client, err := kafka.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

func TestWriteTellsWhereItWrote(t *testing.T) {
	client := connect(t, nil)
	topic := embeddedtest.Broker(t).Unique("positions")
	for range 2 { // the second time they exist
		if err := client.EnsureTopics(t.Context(), kafka.Topic{Name: topic, Partitions: 3, Retention: time.Hour}); err != nil {
			t.Fatal(err)
		}
	}
	producer := client.NewProducer()
	defer func() { _ = producer.Close() }()
	for round := range 3 {
		var records []event.Record
		for i := range 50 {
			records = append(records, event.Record{Topic: topic, Key: fmt.Appendf(nil, "key-%d", i), Value: []byte("v")})
		}
		positions, err := producer.Write(t.Context(), records...)
		if err != nil {
			t.Fatal(err)
		}
		total := int64(0)
		for p, offset := range positions {
			if p.Topic != topic {
				t.Errorf("wrote to %s", p.Topic)
			}
			total += offset + 1
		}
		if want := int64(50 * (round + 1)); total != want {
			t.Errorf("positions after %d records add up to %d", want, total)
		}
	}
}

func TestOneKeyIsOnePartition(t *testing.T) {
	client := connect(t, nil)
	topic := embeddedtest.Broker(t).Unique("keys")
	if err := client.EnsureTopics(t.Context(), kafka.Topic{Name: topic, Partitions: 5}); err != nil {
		t.Fatal(err)
	}
	producer := client.NewProducer()
	defer func() { _ = producer.Close() }()
	seen := map[int]bool{}
	for range 20 {
		positions, err := producer.Write(t.Context(), event.Record{Topic: topic, Key: event.Key("clinic", "call"), Value: []byte("v")})
		if err != nil {
			t.Fatal(err)
		}
		for p := range positions {
			seen[p.ID] = true
		}
	}
	if len(seen) != 1 {
		t.Errorf("one key went to partitions %v", seen)
	}
}

func TestWriteRefusesWhatIsTooLarge(t *testing.T) {
	client := connect(t, nil)
	topic := embeddedtest.Broker(t).Unique("large")
	if err := client.EnsureTopics(t.Context(), kafka.Topic{Name: topic, Partitions: 1}); err != nil {
		t.Fatal(err)
	}
	producer := client.NewProducer()
	defer func() { _ = producer.Close() }()
	_, err := producer.Write(t.Context(), event.Record{Topic: topic, Value: bytes.Repeat([]byte("x"), 2<<20)})
	if !errors.Is(err, kafka.ErrTooLarge) {
		t.Errorf("got %v, want ErrTooLarge", err)
	}
}

func TestWrongPasswordIsAnError(t *testing.T) {
	client := connect(t, func(c *kafka.Config) { c.SASL.Password = "wrong" })
	if err := client.Ping(t.Context()); err == nil {
		t.Error("the broker answered")
	}
}

func TestPasswordFile(t *testing.T) {
	client := connect(t, func(c *kafka.Config) {
		c.SASL.PasswordFile = filepath.Join(t.TempDir(), "password")
		if err := os.WriteFile(c.SASL.PasswordFile, []byte(c.SASL.Password+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		c.SASL.Password = ""
	})
	if err := client.Ping(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestValidateNamesTheField(t *testing.T) {
	for field, spoil := range map[string]func(*kafka.Config){
		"brokers":                            func(c *kafka.Config) { c.Brokers = nil },
		"brokers[1]":                         func(c *kafka.Config) { c.Brokers = append(c.Brokers, "nowhere") },
		"timeout":                            func(c *kafka.Config) { c.Timeout = -1 },
		"tls.cert_file and tls.key_file":     func(c *kafka.Config) { c.TLS.CertFile = "a" },
		"sasl.mechanism":                     func(c *kafka.Config) { c.SASL.Mechanism = "MAGIC" },
		"sasl.password and sasl.password_fi": func(c *kafka.Config) { c.SASL.Password, c.SASL.PasswordFile = "a", "b" },
	} {
		c := kafka.DefaultConfig()
		c.Brokers = []string{"localhost:9092"}
		spoil(&c)
		if err := c.Validate(); err == nil || !strings.HasPrefix(err.Error(), field) {
			t.Errorf("%s: got %v", field, err)
		}
	}
	good := kafka.DefaultConfig()
	good.Brokers = []string{"localhost:9092"}
	if err := good.Validate(); err != nil {
		t.Error(err)
	}
}

// TestNothingIsWrittenAfterAGap has the broker refuse a record in the middle: what comes after it must not be written, or its source's mark
// would rise over the gap.
func TestNothingIsWrittenAfterAGap(t *testing.T) {
	cluster := kafkatest.Start(t)
	cfg := kafka.DefaultConfig()
	cfg.Brokers = cluster.Brokers
	client, err := kafka.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	const topic, first = "gap", 10_000
	_, err = client.API().CreateTopics(t.Context(), &kafkago.CreateTopicsRequest{Topics: []kafkago.TopicConfig{{
		Topic: topic, NumPartitions: 1, ReplicationFactor: 1,
		ConfigEntries: []kafkago.ConfigEntry{{ConfigName: "max.message.bytes", ConfigValue: "300000"}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	small := event.Record{Topic: topic, Key: []byte("k"), Value: []byte("v")}
	tooLarge := small
	tooLarge.Value = make([]byte, 500_000)
	rand.Read(tooLarge.Value)
	records := slices.Repeat([]event.Record{small}, first)
	records = append(records, tooLarge)
	records = append(records, slices.Repeat([]event.Record{small}, 3*first)...)
	producer := client.NewProducer()
	defer func() { _ = producer.Close() }()
	if _, err := producer.Write(t.Context(), records...); err == nil {
		t.Fatal("the broker took what it should refuse")
	}
	conn, err := client.Dialer().DialLeader(t.Context(), "tcp", cluster.Brokers[0], topic, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if last, err := conn.ReadLastOffset(); err != nil || last != first {
		t.Errorf("the topic has %d records (%v), want the %d before the gap", last, err, first)
	}
}

func TestSettingsOfABroker(t *testing.T) {
	client := connect(t, nil)
	name := embeddedtest.Broker(t).Unique("settings")
	if _, err := client.TopicSettings(t.Context(), name); err == nil {
		t.Error("a topic that isn't there has settings")
	}
	_, err := client.API().CreateTopics(t.Context(), &kafkago.CreateTopicsRequest{Topics: []kafkago.TopicConfig{{
		Topic: name, NumPartitions: 1, ReplicationFactor: 1,
		ConfigEntries: []kafkago.ConfigEntry{{ConfigName: "retention.ms", ConfigValue: "-1"}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	got, err := client.TopicSettings(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	if _, expires := got[name].Expires(time.Now()); !got[name].Forever || expires {
		t.Errorf("a topic that is kept for good: %+v", got[name])
	}
}

// TestClock asks Apache Kafka what time it is, which leaves no topic behind.
func TestClock(t *testing.T) {
	cfg := kafka.DefaultConfig()
	cfg.Brokers = kafkatest.Start(t).Brokers
	client, err := kafka.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ahead, uncertain, err := client.Clock(t.Context(), "what-time")
	if err != nil {
		t.Fatal(err)
	}
	if off := ahead.Abs() - uncertain; off > time.Second { // one machine has one clock
		t.Errorf("it is off by %v ± %v", ahead, uncertain)
	}
	// What is known of the cluster is remembered for some seconds: another client asks anew.
	other, err := kafka.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if seen, err := other.Inspect(t.Context(), "what-time"); err != nil || len(seen.Topics) != 0 || seen.Brokers != 1 {
		t.Errorf("left behind: %+v, %v", seen, err)
	}
}
