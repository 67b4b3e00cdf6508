package recorder_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	kafkago "github.com/segmentio/kafka-go"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/anteroom/anteroom/event"
	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/internal/embedded"
	"github.com/anteroom/anteroom/internal/embedded/embeddedtest"
	"github.com/anteroom/anteroom/internal/kafka"
	"github.com/anteroom/anteroom/internal/recorder"
)

func TestMain(m *testing.M) { embeddedtest.Main(m) }

// rig is a recorder with a broker of its own, which can be stopped and started again.
type rig struct {
	t      *testing.T
	dir    string
	broker *embedded.Broker
	client *kafka.Client
	rec    *recorder.Recorder
	end    func()
}

func start(t *testing.T, cfg recorder.Config) *rig {
	t.Helper()
	return startIn(t, cfg, t.TempDir())
}

// startIn starts it with the broker's data in a folder.
func startIn(t *testing.T, cfg recorder.Config, dir string) *rig {
	t.Helper()
	r := &rig{t: t, dir: filepath.Join(dir, "kafka")}
	var err error
	if r.broker, err = embedded.StartBroker(t.Context(), embedded.DefaultBrokerConfig(r.dir)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.broker.Close() })
	kcfg := kafka.DefaultConfig()
	kcfg.Timeout = time.Second
	kcfg.Brokers = []string{r.broker.Addr()}
	kcfg.SASL = kafka.SASLConfig{Mechanism: r.broker.Mechanism(), Username: r.broker.User(), Password: r.broker.Password()}
	if r.client, err = kafka.New(kcfg); err != nil {
		t.Fatal(err)
	}
	for _, class := range []event.Class{event.Lossy, event.Durable} {
		if err := r.client.EnsureTopics(t.Context(), kafka.Topic{Name: event.Topic("emea", class), Partitions: 3}); err != nil {
			t.Fatal(err)
		}
	}
	producer := r.client.NewProducer()
	if r.rec, err = recorder.New(cfg, "media/test/"+uuid.NewString(), producer, slog.New(slog.DiscardHandler), prometheus.NewRegistry(), nil); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := r.rec.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	var once sync.Once
	r.end = func() { once.Do(func() { cancel(); wg.Wait(); _ = producer.Close(); r.client.Close() }) }
	t.Cleanup(r.end)
	return r
}

// written reads both topics from the start.
func (r *rig) written() []*eventpb.Event {
	r.t.Helper()
	var out []*eventpb.Event
	for _, class := range []event.Class{event.Lossy, event.Durable} {
		for partition := range 3 {
			topic := event.Topic("emea", class)
			reader := kafkago.NewReader(kafkago.ReaderConfig{Brokers: []string{r.broker.Addr()}, Dialer: r.client.Dialer(), Topic: topic, Partition: partition, MaxWait: 50 * time.Millisecond})
			last, err := reader.ReadLag(r.t.Context())
			if err != nil {
				r.t.Fatal(err)
			}
			for range last {
				m, err := reader.ReadMessage(r.t.Context())
				if err != nil {
					r.t.Fatal(err)
				}
				e, err := event.Decode(m.Value)
				if err != nil {
					r.t.Fatal(err)
				}
				out = append(out, e)
			}
			_ = reader.Close()
		}
	}
	return out
}

func joined(call string) *eventpb.Event {
	id := uuid.New()
	return &eventpb.Event{Org: "contoso", Region: "emea", CallId: call, Payload: &eventpb.Event_ParticipantJoined{
		ParticipantJoined: &eventpb.ParticipantJoined{ParticipantId: id[:], JoinedAtUs: time.Now().UnixMicro()},
	}}
}

func sample(call string) *eventpb.Event {
	id := uuid.New()
	return &eventpb.Event{Org: "contoso", Region: "emea", CallId: call, Payload: &eventpb.Event_StreamReport{
		StreamReport: &eventpb.StreamReport{ParticipantId: id[:], IntervalMs: 10_000, Streams: []*eventpb.StreamSample{{StreamId: id[:]}}},
	}}
}

// All that was acknowledged is there once, numbered in one rising order per call.
func TestEventsArriveOnceAndInOrder(t *testing.T) {
	r := start(t, recorder.DefaultConfig())
	const calls, each = 20, 50
	var wg sync.WaitGroup
	for call := range calls {
		wg.Go(func() {
			for range each {
				if err := r.rec.Record(t.Context(), joined(fmt.Sprint("call-", call))); err != nil {
					t.Error(err)
				}
				if !r.rec.Offer(sample(fmt.Sprint("call-", call))) {
					t.Error("a sample was refused")
				}
			}
		})
	}
	wg.Wait()
	r.end()
	all := r.written()
	if len(all) != 2*calls*each {
		t.Fatalf("%d events were written, want %d", len(all), 2*calls*each)
	}
	seen, last := map[uint64]bool{}, map[string]uint64{}
	for _, e := range all {
		if seen[e.Sequence] {
			t.Errorf("sequence %d came twice", e.Sequence)
		}
		seen[e.Sequence] = true
		at := fmt.Sprint(event.ClassOf(e), e.CallId)
		if e.Sequence <= last[at] {
			t.Errorf("sequence %d after %d in one call", e.Sequence, last[at])
		}
		last[at] = e.Sequence
	}
	if err := r.rec.Record(context.Background(), joined("late")); !errors.Is(err, recorder.ErrClosed) {
		t.Errorf("after the end: %v", err)
	}
}

// While Kafka is away, who waits is told, what was given up is not written later, and what was only offered is written when it is back.
func TestKafkaAway(t *testing.T) {
	r := start(t, recorder.Config{Timeout: 300 * time.Millisecond, Events: 4, Samples: 3})
	if err := r.rec.Record(t.Context(), joined("before")); err != nil {
		t.Fatal(err)
	}
	if err := r.broker.Close(); err != nil {
		t.Fatal(err)
	}
	if err := r.rec.Record(t.Context(), joined("on its way")); !errors.Is(err, recorder.ErrTimeout) {
		t.Errorf("on its way: %v", err)
	}
	if err := r.rec.Record(t.Context(), joined("given up")); !errors.Is(err, recorder.ErrTimeout) {
		t.Errorf("given up: %v", err)
	}
	taken := 0
	for r.rec.Offer(joined("offered")) {
		if taken++; taken > 10 {
			t.Fatal("the queue has no end")
		}
	}
	if err := r.rec.Record(t.Context(), joined("too many")); !errors.Is(err, recorder.ErrFull) {
		t.Errorf("a full queue: %v", err)
	}
	for i := range 10 {
		if !r.rec.Offer(sample(fmt.Sprint("sample-", i))) {
			t.Error("a sample was refused")
		}
	}
	cfg := embedded.DefaultBrokerConfig(r.dir)
	var err error
	if r.broker, err = embedded.StartBroker(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); r.rec.Record(t.Context(), joined("after")) != nil; {
		if time.Now().After(deadline) {
			t.Fatal("nothing is taken after the broker came back")
		}
	}
	r.end()
	got := map[string]bool{}
	for _, e := range r.written() {
		got[e.CallId] = true
	}
	want := map[string]bool{"before": true, "on its way": true, "offered": true, "after": true, "sample-7": true, "sample-8": true, "sample-9": true}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("calls with events (-want +got):\n%s", diff)
	}
}

func TestABadEventIsRefusedAtOnce(t *testing.T) {
	r := start(t, recorder.DefaultConfig())
	bad := joined("call")
	bad.Org = "Not An Org"
	if err := r.rec.Record(t.Context(), bad); !errors.Is(err, event.ErrInvalid) {
		t.Errorf("error %v", err)
	}
	if r.rec.Offer(bad) {
		t.Error("a bad event was taken")
	}
}

// Whoever gave up waiting tries again with the same event, which the writer may still be encoding.
func TestRecordLeavesTheEventToItsSender(t *testing.T) {
	r := start(t, recorder.DefaultConfig())
	e := joined("call")
	want := proto.Clone(e)
	if err := r.rec.Record(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, proto.Message(e), protocmp.Transform()); diff != "" {
		t.Errorf("the event was changed (-want +got):\n%s", diff)
	}
}
