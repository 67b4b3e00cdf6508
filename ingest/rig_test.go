package ingest_test

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/anteroom/anteroom/event"
	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/ingest"
	"github.com/anteroom/anteroom/ingest/label"
	"github.com/anteroom/anteroom/internal/embedded"
	"github.com/anteroom/anteroom/internal/embedded/embeddedtest"
	"github.com/anteroom/anteroom/internal/kafka"
	"github.com/anteroom/anteroom/store"
	"github.com/anteroom/anteroom/store/storetest"
)

func TestMain(m *testing.M) {
	embedded.ChildMain() // the engine of a victim inherits its environment
	if dir := os.Getenv(victimEnv); dir != "" {
		victimMain(dir)
	}
	embeddedtest.Main(m)
}

// rig is an ingest service of a region of its own on real engines.
type rig struct {
	cfg     ingest.Config
	deps    ingest.Deps
	storage store.Config
	conn    driver.Conn
	metrics *prometheus.Registry
}

func newRig(t *testing.T) *rig {
	t.Helper()
	return newRigOn(t, brokerConfig(t))
}

// newRigOn is a rig on another broker than the one that tests share.
func newRigOn(t *testing.T, kafkaConfig kafka.Config) *rig {
	t.Helper()
	storage, storeConfig := storetest.NewConfig(t)
	client, err := kafka.New(kafkaConfig)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	master := make([]byte, label.MinKeyLen)
	rand.Read(master)
	keys, err := label.NewKeyring(master)
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{cfg: ingest.DefaultConfig(), storage: storeConfig, metrics: prometheus.NewRegistry()}
	var suffix [6]byte
	rand.Read(suffix[:])
	r.cfg.Region = "t" + hex.EncodeToString(suffix[:])
	r.cfg.Group = "ingest-" + r.cfg.Region
	r.cfg.FlushInterval = 50 * time.Millisecond
	r.deps = ingest.Deps{Kafka: client, Store: storage, Keys: keys, Metrics: r.metrics, Log: slog.New(slog.NewTextHandler(t.Output(), nil))}
	r.conn, err = clickhouse.Open(&clickhouse.Options{
		Addr: storeConfig.Addresses,
		Auth: clickhouse.Auth{Database: storeConfig.Database, Username: storeConfig.Username, Password: storeConfig.Password},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.conn.Close() })
	if err := ingest.EnsureTopics(t.Context(), client, r.cfg); err != nil {
		t.Fatal(err)
	}
	return r
}

func brokerConfig(t *testing.T) kafka.Config {
	t.Helper()
	broker := embeddedtest.Broker(t)
	cfg := kafka.DefaultConfig()
	cfg.Brokers = []string{broker.Addr}
	cfg.SASL = kafka.SASLConfig{Mechanism: broker.Mechanism, Username: broker.User, Password: broker.Password}
	return cfg
}

// start runs the service until the returned function is called, which waits for its end.
func (r *rig) start(t *testing.T) (stop func()) {
	t.Helper()
	_, stop = r.startService(t)
	return stop
}

// startService is start that also gives the service.
func (r *rig) startService(t *testing.T) (*ingest.Service, func()) {
	t.Helper()
	return r.run(t, ingest.New)
}

// run runs a service until the returned function is called, which waits for its end.
func (r *rig) run(t *testing.T, open func(ingest.Config, ingest.Deps) (*ingest.Service, error)) (*ingest.Service, func()) {
	t.Helper()
	service, err := open(r.cfg, r.deps)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- service.Run(ctx) }()
	stopped := false
	stop := func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("service ended with: %v", err)
		}
		r.forgetMetrics()
	}
	t.Cleanup(stop)
	return service, stop
}

// forgetMetrics makes room for the metrics of another service.
func (r *rig) forgetMetrics() {
	r.metrics = prometheus.NewRegistry()
	r.deps.Metrics = r.metrics
}

func (r *rig) produce(t *testing.T, events ...*eventpb.Event) {
	t.Helper()
	producer := r.deps.Kafka.NewProducer()
	records := make([]event.Record, len(events))
	for i, e := range events {
		record, err := event.Encode(e)
		if err != nil {
			t.Fatal(err)
		}
		records[i] = record
	}
	if _, err := producer.Write(t.Context(), records...); err != nil {
		t.Fatal(err)
	}
	if err := producer.Close(); err != nil {
		t.Fatal(err)
	}
}

// count asks for one number.
func (r *rig) count(t *testing.T, query string, args ...any) uint64 {
	t.Helper()
	var n uint64
	if err := r.conn.QueryRow(t.Context(), query, args...).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

// eventually waits for a number to be reached; more than that fails at once.
func (r *rig) eventually(t *testing.T, want uint64, query string, args ...any) {
	t.Helper()
	var got uint64
	for range 400 {
		if got = r.count(t, query, args...); got >= want {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if got != want {
		t.Fatalf("%s: got %d, want %d", query, got, want)
	}
}

// report makes a stream report of n streams.
func (r *rig) report(call, source string, sequence uint64, n int) *eventpb.Event {
	participant := uuid.NewSHA1(uuid.Nil, []byte(call))
	streams := make([]*eventpb.StreamSample, n)
	for i := range streams {
		stream := uuid.NewSHA1(participant, []byte{byte(i)})
		jitter, rtt := float32(sequence%40), float32(80)
		streams[i] = &eventpb.StreamSample{
			StreamId: stream[:], Direction: eventpb.Direction_DIRECTION_INBOUND, Media: eventpb.Media_MEDIA_AUDIO, Ssrc: uint32(i + 1),
			Codec: "opus", Packets: 500, PacketsLost: 2, Bytes: 40_000, JitterMs: &jitter, RttMs: &rtt,
		}
	}
	return &eventpb.Event{
		Id: event.NewID(), Org: "clinic", Region: r.cfg.Region, CallId: call, Source: source, Sequence: sequence,
		ObservedAtUs: baseTime.Add(time.Duration(sequence) * 10 * time.Second).UnixMicro(), SourceKind: eventpb.SourceKind_SOURCE_KIND_MEDIA,
		Payload: &eventpb.Event_StreamReport{StreamReport: &eventpb.StreamReport{ParticipantId: participant[:], IntervalMs: 10_000, Streams: streams}},
	}
}

var baseTime = time.Date(2026, 3, 4, 10, 0, 0, 0, time.UTC)
