package embeddedtest_test

import (
	"context"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/sasl/scram"

	"github.com/anteroom/anteroom/internal/embedded/embeddedtest"
)

func TestMain(m *testing.M) { embeddedtest.Main(m) }

func TestClickHouse_FreshDatabasePerTest(t *testing.T) {
	for _, name := range []string{"first", "second"} {
		t.Run(name, func(t *testing.T) {
			engine := embeddedtest.ClickHouse(t)
			conn, err := clickhouse.Open(&clickhouse.Options{
				Addr: []string{engine.Addr},
				Auth: clickhouse.Auth{Database: engine.Database, Username: engine.User, Password: engine.Password},
			})
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			ctx := context.Background()
			var tables uint64
			row := conn.QueryRow(ctx, "SELECT count() FROM system.tables WHERE database = currentDatabase()")
			if err := row.Scan(&tables); err != nil {
				t.Fatal(err)
			}
			if tables != 0 {
				t.Errorf("fresh database has %d tables", tables)
			}
			if err := conn.Exec(ctx, "CREATE TABLE t (x Int32) ENGINE = MergeTree ORDER BY x"); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestBroker_WriteAndRead(t *testing.T) {
	broker := embeddedtest.Broker(t)
	mechanism, err := scram.Mechanism(scram.SHA256, broker.User, broker.Password)
	if err != nil {
		t.Fatal(err)
	}
	transport := &kafka.Transport{SASL: mechanism}
	defer transport.CloseIdleConnections()
	ctx := context.Background()
	topic := broker.Unique("events")
	client := &kafka.Client{Addr: kafka.TCP(broker.Addr), Transport: transport}
	made, err := client.CreateTopics(ctx, &kafka.CreateTopicsRequest{
		Topics: []kafka.TopicConfig{{Topic: topic, NumPartitions: 1, ReplicationFactor: 1}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := made.Errors[topic]; err != nil {
		t.Fatal(err)
	}
	writer := &kafka.Writer{
		Addr: kafka.TCP(broker.Addr), Topic: topic, RequiredAcks: kafka.RequireAll,
		Transport: transport, BatchTimeout: time.Millisecond,
	}
	defer writer.Close()
	if err := writer.WriteMessages(ctx, kafka.Message{Value: []byte("hello")}); err != nil {
		t.Fatal(err)
	}
	reader := kafka.NewReader(kafka.ReaderConfig{
		Brokers: []string{broker.Addr}, Topic: topic, Dialer: &kafka.Dialer{SASLMechanism: mechanism},
		MaxWait: 100 * time.Millisecond,
	})
	defer reader.Close()
	message, err := reader.ReadMessage(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(message.Value); got != "hello" {
		t.Errorf("read %q", got)
	}
}
