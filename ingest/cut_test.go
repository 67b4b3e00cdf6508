package ingest_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/anteroom/anteroom/event"
	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/internal/embedded"
	"github.com/anteroom/anteroom/internal/faulttest"
	"github.com/anteroom/anteroom/internal/kafka"
	"github.com/anteroom/anteroom/store"
)

// newCutRig is a rig with something between it and its engines.
func newCutRig(t *testing.T) (r *rig, toBroker, toStore *faulttest.Proxy) {
	t.Helper()
	toBroker, toStore = faulttest.NewProxy(t), faulttest.NewProxy(t)
	cfg := embedded.DefaultBrokerConfig(filepath.Join(t.TempDir(), "kafka"))
	cfg.Advertise = toBroker.Addr()
	broker, err := embedded.StartBroker(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = broker.Close() })
	toBroker.To(broker.Addr())
	kafkaConfig := kafka.DefaultConfig()
	kafkaConfig.Brokers = []string{toBroker.Addr()}
	kafkaConfig.SASL = kafka.SASLConfig{Mechanism: broker.Mechanism(), Username: broker.User(), Password: broker.Password()}
	kafkaConfig.Timeout = 2 * time.Second
	r = newRigOn(t, kafkaConfig)
	toStore.To(r.storage.Addresses[0])
	through := r.storage
	through.Addresses = []string{toStore.Addr()}
	storage, err := store.Open(through)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = storage.Close() })
	r.deps.Store = storage
	return r, toBroker, toStore
}

// TestAcknowledgementsThatAreCut cuts connections in the middle of an acknowledgement, of each kind again and again: whoever asked doesn't know whether it was
// done. All that was produced is there once.
func TestAcknowledgementsThatAreCut(t *testing.T) {
	r, toBroker, toStore := newCutRig(t)
	r.start(t)
	producer := r.deps.Kafka.NewProducer()
	sequence := 0
	produce := func() {
		t.Helper()
		var records []event.Record
		for range 20 {
			sequence++
			record, err := event.Encode(r.report("call", "media/one/1", uint64(sequence), 3))
			if err != nil {
				t.Fatal(err)
			}
			records = append(records, record)
		}
		// As who records meetings does: with the same numbers until it is acknowledged.
		for try := 1; ; try++ {
			_, err := producer.Write(t.Context(), records...)
			if err == nil {
				return
			}
			if try == 20 {
				t.Fatalf("records are not taken: %v", err)
			}
		}
	}
	for round := range 4 {
		for _, cut := range []struct {
			what  string
			at    *faulttest.Proxy
			wants func([]byte) bool
		}{
			{"produce", toBroker, faulttest.KafkaRequest(faulttest.KafkaProduce)},
			{"insert", toStore, faulttest.ClickHouseBlock},
			{"commit", toBroker, faulttest.KafkaRequest(faulttest.KafkaOffsetCommit)},
			{"fetch", toBroker, faulttest.KafkaRequest(faulttest.KafkaFetch)},
		} {
			before := cut.at.Cuts()
			cut.at.CutAnswer(cut.wants)
			for try := 0; cut.at.Cuts() == before; try++ {
				if try == 50 {
					t.Fatalf("round %d: no answer to a request of the kind %s was cut", round, cut.what)
				}
				produce()
				time.Sleep(20 * time.Millisecond)
			}
		}
	}
	if err := producer.Close(); err != nil {
		t.Fatal(err)
	}
	want := uint64(sequence * 3)
	waitFor(t, r.conn, want, countSamples)
	time.Sleep(time.Second) // doubles would come now
	for _, query := range []string{countSamples, countKeys, "SELECT uniqExact(stream_id, observed_at) FROM samples"} {
		if got := r.count(t, query); got != want {
			t.Errorf("%s: got %d, want %d", query, got, want)
		}
	}
	t.Logf("%d answers of the broker and %d of ClickHouse were cut; %d rows", toBroker.Cuts(), toStore.Cuts(), want)
}

// TestEnginesThatStandStill lets nothing pass to and from engines for a while, without closing anything, and then slows what does.
func TestEnginesThatStandStill(t *testing.T) {
	r, toBroker, toStore := newCutRig(t)
	r.start(t)
	sequence := uint64(0)
	produce := func() {
		t.Helper()
		var events []*eventpb.Event
		for range 50 {
			sequence++
			events = append(events, r.report("call", "media/one/1", sequence, 2))
		}
		r.produce(t, events...)
	}
	for _, at := range []struct {
		name string
		*faulttest.Proxy
	}{{"the broker", toBroker}, {"ClickHouse", toStore}} {
		produce()
		waitFor(t, r.conn, 2*sequence, countSamples)
		if at.name == "ClickHouse" {
			at.Still(true)
			produce()
			time.Sleep(3 * time.Second)
		} else { // nobody could produce, either
			at.Still(true)
			time.Sleep(3 * time.Second)
		}
		at.Still(false)
		at.Slow(20 * time.Millisecond)
		produce()
		waitFor(t, r.conn, 2*sequence, countSamples)
		at.Slow(0)
	}
	if got := r.count(t, countKeys); got != 2*sequence {
		t.Errorf("%d distinct row keys, want %d", got, 2*sequence)
	}
	if n := r.count(t, "SELECT count() FROM dead_letters"); n != 0 {
		t.Errorf("%d dead letters", n)
	}
	t.Log(fmt.Sprint(2*sequence, " rows"))
}
