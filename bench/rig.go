package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	kafkago "github.com/segmentio/kafka-go"

	"github.com/anteroom/anteroom/event"
	"github.com/anteroom/anteroom/ingest"
	"github.com/anteroom/anteroom/internal/embedded"
	"github.com/anteroom/anteroom/internal/kafka"
	"github.com/anteroom/anteroom/internal/kafkatest"
	"github.com/anteroom/anteroom/store"
)

const (
	topicPartitions = 4
	region          = "emea"
	latencyRegion   = "latency"
	jsonTopic       = "bench.json"
	workloadSeed    = 7
)

// rig is the one Apache Kafka and the one ClickHouse that all contenders meet.
type rig struct {
	dir       string
	log       io.Writer
	broker    *kafkatest.Cluster
	client    *kafka.Client
	engine    *embedded.ClickHouse
	conn      driver.Conn // to the database system
	kafkaPid  int
	databases int
	version   string
}

// serverSettings are what the Kafka table engine needs beyond the embedded engine's own settings: a thread for each consumer (the
// embedded engine has two, since nothing in Anteroom uses any), and leave to have more consumers than processors.
const serverSettings = `<clickhouse>
  <background_message_broker_schedule_pool_size>16</background_message_broker_schedule_pool_size>
  <format_schema_path>%s</format_schema_path>
</clickhouse>
`

// newRig starts the engines in a temporary folder.
func newRig(ctx context.Context, log io.Writer) (*rig, error) {
	dir, err := os.MkdirTemp("", "anteroom-bench-")
	if err != nil {
		return nil, fmt.Errorf("make a folder: %w", err)
	}
	r := &rig{dir: dir, log: log}
	if err := r.start(ctx); err != nil {
		r.close()
		return nil, err
	}
	return r, nil
}

func (r *rig) start(ctx context.Context) error {
	kafkaDir, clickHouseDir := filepath.Join(r.dir, "kafka"), filepath.Join(r.dir, "clickhouse")
	schemas := filepath.Join(r.dir, "schemas")
	for _, dir := range []string{kafkaDir, schemas, filepath.Join(clickHouseDir, "config.d")} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("make a folder: %w", err)
		}
	}
	settings := fmt.Sprintf(serverSettings, schemas)
	if err := os.WriteFile(filepath.Join(clickHouseDir, "config.d", "bench.xml"), []byte(settings), 0o600); err != nil {
		return fmt.Errorf("write settings: %w", err)
	}
	var err error
	if r.broker, err = kafkatest.New(ctx, kafkaDir, kafkatest.ForThroughput(), kafkatest.WithHeap("1g"), kafkatest.WithProgress(r.log)); err != nil {
		return err
	}
	if err := r.broker.Start(ctx); err != nil {
		return err
	}
	if r.kafkaPid = processWith(kafkaDir + string(filepath.Separator)); r.kafkaPid == 0 {
		return errors.New("find the broker's process: none has its folder in its command line")
	}
	cfg := kafka.DefaultConfig()
	cfg.Brokers = r.broker.Plaintext
	if r.client, err = kafka.New(cfg); err != nil {
		return err
	}
	if err := r.waitForCoordinator(ctx); err != nil {
		return err
	}
	if r.engine, err = embedded.StartClickHouse(ctx, embedded.DefaultClickHouseConfig(clickHouseDir)); err != nil {
		return err
	}
	system := target{Addr: r.engine.Addr(), User: r.engine.User(), Password: r.engine.Password(), Database: "system"}
	if r.conn, err = system.open(); err != nil {
		return err
	}
	if err := r.conn.QueryRow(ctx, "SELECT version()").Scan(&r.version); err != nil {
		return fmt.Errorf("ask ClickHouse for its version: %w", err)
	}
	return nil
}

// waitForCoordinator waits until the broker has what it keeps groups in, which it makes when first asked for.
func (r *rig) waitForCoordinator(ctx context.Context) error {
	for {
		answer, err := r.client.API().FindCoordinator(ctx, &kafkago.FindCoordinatorRequest{Key: "bench", KeyType: kafkago.CoordinatorKeyTypeConsumer})
		if err == nil && answer.Error == nil {
			return nil
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("wait for the group coordinator: %w", ctx.Err())
		}
	}
}

func (r *rig) close() {
	if r.conn != nil {
		_ = r.conn.Close()
	}
	if r.engine != nil {
		_ = r.engine.Close()
	}
	if r.client != nil {
		r.client.Close()
	}
	if r.broker != nil {
		r.broker.Stop()
	}
	_ = os.RemoveAll(r.dir)
}

// database makes a fresh one with Anteroom's tables. The returned function drops it with all that still merges in it.
func (r *rig) database(ctx context.Context) (target, func(), error) {
	r.databases++
	t := target{Addr: r.engine.Addr(), User: r.engine.User(), Password: r.engine.Password(), Database: fmt.Sprintf("bench%d", r.databases)}
	if _, err := store.Migrate(ctx, t.config()); err != nil {
		return t, nil, err
	}
	return t, func() {
		if err := r.conn.Exec(ctx, "DROP DATABASE "+t.Database+" SYNC"); err != nil {
			fmt.Fprintln(r.log, "drop database:", err)
		}
	}, nil
}

// plan is what all contenders' plans have in common.
func (r *rig) plan(contender, region string, t target, rows int) plan {
	return plan{
		Contender: contender, Brokers: r.broker.Plaintext, Region: region, Group: "bench-" + t.Database, Target: t, Rows: rows,
		ClickHousePid: r.engine.Pid(), KafkaPid: r.kafkaPid,
	}
}

// fill produces the reports to the region's topic, and each row as a JSON record of its own to another topic if asked to.
func (r *rig) fill(ctx context.Context, reports int, asJSON bool) (recordBytes float64, err error) {
	if err := r.topics(ctx, region); err != nil {
		return 0, err
	}
	if err := r.client.EnsureTopics(ctx, kafka.Topic{Name: jsonTopic, Partitions: topicPartitions, Retention: 24 * time.Hour}); err != nil {
		return 0, err
	}
	producer := r.client.NewProducer()
	work := newWorkload(region, workloadSeed)
	const chunk = 4000
	bytes := 0
	for done := 0; done < reports; done += chunk {
		var records, rows []event.Record
		for range min(chunk, reports-done) {
			e := work.next()
			record, err := event.Encode(e)
			if err != nil {
				return 0, err
			}
			bytes += len(record.Value)
			records = append(records, record)
			if !asJSON {
				continue
			}
			for _, row := range jsonRows(e) {
				value, err := json.Marshal(row)
				if err != nil {
					return 0, fmt.Errorf("encode row: %w", err)
				}
				rows = append(rows, event.Record{Topic: jsonTopic, Key: record.Key, Value: value})
			}
		}
		if _, err := producer.Write(ctx, append(records, rows...)...); err != nil {
			return 0, err
		}
	}
	return float64(bytes) / float64(reports), producer.Close()
}

func (r *rig) topics(ctx context.Context, region string) error {
	cfg := ingest.DefaultConfig()
	cfg.Region, cfg.Partitions, cfg.Replication = region, topicPartitions, 1
	return ingest.EnsureTopics(ctx, r.client, cfg)
}

// digest is a fingerprint of the stored rows, whatever their order; without the columns that say where a row came from, if it came
// from elsewhere.
func digest(ctx context.Context, t target, withOrigin bool) (uint64, error) {
	conn, err := t.open()
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	columns := "*"
	if !withOrigin {
		columns = "* EXCEPT (_topic, _partition, _offset, _index)"
	}
	var sum uint64
	if err := conn.QueryRow(ctx, "SELECT sum(cityHash64(formatRow('RowBinary', "+columns+"))) FROM samples").Scan(&sum); err != nil {
		return 0, fmt.Errorf("compare rows: %w", err)
	}
	return sum, nil
}
